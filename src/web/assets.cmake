# src/web/assets.cmake: puts the files of src/web/assets/ and openapi.json into the program. One generated C
# file with .incbin: no bytes are turned into text, and a changed file rebuilds that one object.
file(GLOB spd_asset_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/web/assets/*.*)
list(SORT spd_asset_files)
set(spd_asset_c "/* made by src/web/assets.cmake */\n#include \"web/web_int.h\"\n")
set(spd_asset_table "")
set(spd_asset_i 0)
foreach(file ${spd_asset_files} ${CMAKE_SOURCE_DIR}/src/web/openapi.json)
  get_filename_component(name ${file} NAME)
  if(name STREQUAL "openapi.json")
    set(name "/openapi.json")
  endif()
  set(symbol spd_web_asset_${spd_asset_i})
  string(APPEND spd_asset_c
    "__asm__(\".section .rodata\\n.global ${symbol}\\n.hidden ${symbol}\\n${symbol}:\\n.incbin \\\"${file}\\\"\\n\"\n"
    "        \".global ${symbol}_end\\n.hidden ${symbol}_end\\n${symbol}_end:\\n.byte 0\\n.previous\\n\");\n"
    "extern const unsigned char ${symbol}[], ${symbol}_end[];\n")
  string(APPEND spd_asset_table "    {\"${name}\", ${symbol}, ${symbol}_end},\n")
  math(EXPR spd_asset_i "${spd_asset_i} + 1")
endforeach()
string(APPEND spd_asset_c "const struct spd_web_asset spd_web_assets[] = {\n${spd_asset_table}    {NULL, NULL, NULL}};\n")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/spd_web_assets.c CONTENT "${spd_asset_c}" @ONLY)
set_source_files_properties(${CMAKE_BINARY_DIR}/generated/spd_web_assets.c PROPERTIES OBJECT_DEPENDS
  "${spd_asset_files};${CMAKE_SOURCE_DIR}/src/web/openapi.json")
target_sources(spd_web PRIVATE ${CMAKE_BINARY_DIR}/generated/spd_web_assets.c)
