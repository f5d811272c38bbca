/* tests/fuzz/fuzz_result_dcm.c: bytes from outside, through all that a decoder process and the reader do: scan,
 * text, tree, codec, reader. What was read must survive the codec unchanged in its state. */
#include <stdint.h>
#include <stdlib.h>

#include "result/sr_build.h"

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
    struct spd_dcm d;
    struct spd_sr_doc doc, again;
    struct spd_result r, r2;
    struct spd_err err;
    spd_sv why;
    struct spd_str flat = SPD_STR_INIT(24 << 20);
    if (!spd_dcm_parse(spd_sv_of((const char *)data, size), &d, arena, &err)) {
        spd_sr_doc_build(&d, &doc, arena);
        enum spd_read read = read_first(&doc, codes, &r, &why, arena);
        spd_sr_doc_encode(&doc, &flat);
        if (spd_str_ok(&flat)) {
            if (spd_sr_doc_decode(spd_str_sv(&flat), &again, arena, &err)) abort();
            if (read_first(&again, codes, &r2, &why, arena) != read || r.state != r2.state) abort();
        }
        if (read != SPD_READ_RESULT && !why.len) abort(); /* never without a reason */
    } else if (!err.text[0]) abort();
    spd_str_done(&flat);
    spd_arena_free(arena);
    return 0;
}
