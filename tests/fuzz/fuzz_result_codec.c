/* tests/fuzz/fuzz_result_codec.c: what a hijacked decoder process might answer, into codec and reader. */
#include <stdint.h>

#include "result/result.h"

/* The first result of an object, as most tests want it. */
static enum spd_read read_first(const struct spd_sr_doc *doc, const struct spd_codes *with, struct spd_result *r,
                                spd_sv *why, struct spd_arena *arena)
{
    struct spd_reading got;
    enum spd_read read = spd_result_read(doc, with, &got, arena);
    *r = got.n_results ? got.results[0] : (struct spd_result){0};
    *why = got.why;
    return read;
}

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
        read_first(&doc, codes, &r, &why, arena);
    spd_arena_free(arena);
    return 0;
}
