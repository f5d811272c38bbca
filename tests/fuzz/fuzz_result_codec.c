/* tests/fuzz/fuzz_result_codec.c: what a hijacked decoder process might answer, into codec and reader. */
#include <stdint.h>

#include "result/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct spd_codes *codes;
    if (!codes) spd_codes_load_dir(SPOED_SOURCE_DIR "/packaging/share/codes", NULL, &codes, NULL);
    struct spd_arena *arena = spd_arena_new((size_t)400 << 20);
    struct spd_sr_doc doc;
    struct spd_result r;
    spd_sv why;
    if (!spd_sr_doc_decode(spd_sv_of((const char *)data, size), &doc, arena, NULL))
        spd_result_read_sr(&doc, codes, &r, &why, arena);
    spd_arena_free(arena);
    return 0;
}
