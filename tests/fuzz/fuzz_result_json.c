/* tests/fuzz/fuzz_result_json.c: DICOM JSON to a tree, to a report and to the keys of a query. */
#include <stdint.h>

#include "result/keys.h"
#include "result/sr_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_arena *arena = spd_arena_new((size_t)400 << 20);
    struct spd_dcm d;
    struct spd_sr_doc doc;
    struct spd_find_query q = {0};
    if (!spd_dcm_from_json(spd_sv_of((const char *)data, size), &d, arena, NULL)) {
        spd_sr_doc_build(&d, &doc, arena);
        spd_find_keys_from_set(&d, &q, arena, NULL);
    }
    spd_arena_free(arena);
    return 0;
}
