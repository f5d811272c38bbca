/* tests/unit/test_result_cut.c: what is kept of an object as it streams by: everything but its bulk, in any pieces. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "result/dcm_cut.h"
#include "result/dcm_write.h"

#define EXPLICIT "1.2.840.10008.1.2.1"
#define IMPLICIT "1.2.840.10008.1.2"

static struct spd_arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = spd_arena_new((size_t)512 << 20);
    return arena == NULL;
}

static int end(void **state)
{
    (void)state;
    spd_arena_free(arena);
    return 0;
}

/* A header with nested sequences, on both sides of where the bulk stands. */
static void header(struct spd_dcm_set *set)
{
    struct spd_dcm_set *series, *ref;
    spd_dcm_put(set, 0x00080016, "UI", SPD_SV("1.2.840.10008.5.1.4.1.1.2"), arena);
    spd_dcm_put(set, 0x00080018, "UI", SPD_SV("1.2.3.4"), arena);
    series = spd_dcm_put_item(set, 0x00081115, arena);
    ref = spd_dcm_put_item(series, 0x00081199, arena);
    spd_dcm_put(ref, 0x00081155, "UI", SPD_SV("1.2.3.5"), arena);
    spd_dcm_put_sequence(ref, 0x00081140, arena);
    spd_dcm_put(set, 0x00100020, "LO", SPD_SV("ZZ1"), arena);
    spd_dcm_put(set, 0x00420012, "LO", SPD_SV("application/pdf"), arena);
}

static spd_sv bytes_of(const struct spd_dcm_set *set, bool explicit_vr)
{
    struct spd_str out = SPD_STR_INIT((size_t)64 << 20);
    spd_dcm_encode(set, explicit_vr, &out);
    assert_true(spd_str_ok(&out));
    spd_sv ret = spd_arena_dup(arena, spd_str_sv(&out));
    spd_str_done(&out);
    return ret;
}

static spd_sv cut(spd_sv in, size_t piece, bool explicit_vr, uint64_t *dropped)
{
    struct spd_str out = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
    struct spd_dcm_cut c;
    spd_dcm_cut_begin(&c, explicit_vr, &out);
    for (size_t at = 0; at < in.len; at += piece)
        spd_dcm_cut_feed(&c, in.ptr + at, in.len - at < piece ? in.len - at : piece);
    spd_dcm_cut_end(&c);
    assert_true(spd_str_ok(&out));
    spd_sv ret = spd_arena_dup(arena, spd_str_sv(&out));
    spd_str_done(&out);
    *dropped = c.dropped;
    return ret;
}

static const struct {
    const char *name, *vr;
    uint32_t tag;
    size_t size;
    bool sequence; /* of size items */
} rows[] = {{"nothing", "", 0, 0, false},
            {"pixel data", "OW", 0x7FE00010, 5 << 20, false},
            {"a document", "OB", 0x00420011, 5 << 20, false},
            {"overlay data", "OW", 0x60023000, 100000, false},
            {"frames' groups", "SQ", 0x52009230, 2000, true},
            {"a private value of 3 MiB", "UN", 0x00111001, 3 << 20, false}};

static void the_bulk_goes_the_rest_stays(void **state)
{
    static const size_t pieces[] = {1, 7, 4096, (size_t)1 << 30};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int explicit_vr = 0; explicit_vr < 2; explicit_vr++) {
            struct spd_dcm_set with = {NULL, 0}, without = {NULL, 0};
            header(&with), header(&without);
            for (size_t k = 0; rows[i].sequence && k < rows[i].size; k++)
                spd_dcm_put(spd_dcm_put_item(&with, rows[i].tag, arena), 0x00209157, "LO", SPD_SV("frame"), arena);
            if (rows[i].tag && !rows[i].sequence)
                spd_dcm_put(&with, rows[i].tag, rows[i].vr, spd_sv_of(spd_arena_must(arena, rows[i].size), rows[i].size), arena);
            if (rows[i].sequence) spd_dcm_put_sequence(&without, rows[i].tag, arena);
            else if (rows[i].tag) spd_dcm_put(&without, rows[i].tag, rows[i].vr, SPD_SV_NONE, arena);
            spd_sv in = bytes_of(&with, explicit_vr), want = bytes_of(&without, explicit_vr);
            for (size_t p = 0; p < 4; p++) {
                uint64_t dropped;
                spd_sv got = cut(in, pieces[p], explicit_vr, &dropped);
                if (!spd_sv_eq(got, want)) fail_msg("%s, pieces of %zu: %zu bytes, %zu wanted", rows[i].name, pieces[p], got.len, want.len);
                assert_int_equal(dropped + got.len, in.len);
            }
        }
}

/* Compressed pixels: an offset table and fragments of defined length within an undefined one. */
static void fragments_go(void **state)
{
    static const unsigned char pixels[] = {0xE0, 0x7F, 0x10, 0, 'O', 'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, /* undefined */
                                           0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0,                             /* offset table */
                                           0xFE, 0xFF, 0, 0xE0, 4, 0, 0, 0, 1, 2, 3, 4,
                                           0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0};
    static const unsigned char padding[] = {0xFC, 0xFF, 0xFC, 0xFF, 'O', 'B', 0, 0, 2, 0, 0, 0, 0, 0};
    struct spd_dcm_set set = {NULL, 0};
    struct spd_dcm d = {0};
    struct spd_str in = SPD_STR_INIT(1 << 20);
    uint64_t dropped;
    (void)state;
    header(&set);
    spd_str_add(&in, bytes_of(&set, true));
    spd_str_add(&in, spd_sv_of((const char *)pixels, sizeof pixels));
    spd_str_add(&in, spd_sv_of((const char *)padding, sizeof padding));
    for (size_t piece = 1; piece < 20; piece++) {
        spd_sv got = cut(spd_str_sv(&in), piece, true, &dropped);
        assert_int_equal(spd_dcm_parse_dataset(got, SPD_SV(EXPLICIT), &d, arena, NULL), SPD_OK);
        assert_true(spd_sv_is(spd_dcm_raw(&d.set, 0x00100020), "ZZ1"));
        assert_non_null(spd_dcm_find(&d.set, 0xFFFCFFFC)); /* what follows the pixels is found again */
        assert_int_equal(spd_dcm_find(&d.set, 0x7FE00010)->value.len, 0);
    }
    spd_str_done(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(the_bulk_goes_the_rest_stays, begin, end),
                                       cmocka_unit_test_setup_teardown(fragments_go, begin, end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
