# hl7/map/default.cmake: puts the built-in field map into the library as one text.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/hl7/map/default.yaml)
file(READ ${CMAKE_SOURCE_DIR}/hl7/map/default.yaml yaml)
string(REPLACE "\\" "\\\\" yaml "${yaml}")
string(REPLACE "\"" "\\\"" yaml "${yaml}")
string(REPLACE "\n" "\\n\"\n\"" yaml "${yaml}")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/hl7_default_map.inc CONTENT "\"${yaml}\"\n" @ONLY)
include_directories(${CMAKE_BINARY_DIR}/generated)
