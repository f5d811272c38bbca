/* tests/unit/test_result_dcm.c: the scanner's limits and refusals, and character sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "result/dcm.h"
#include "sr_bytes.h"

#define EXPLICIT SPD_SV("1.2.840.10008.1.2.1")
#define B(lit) {lit, sizeof(lit) - 1}

static const struct row { const char *name; const char *xfer; spd_sv bytes; enum spd_rc rc; const char *says; } rows[] = {
    {"empty dataset", "1.2.840.10008.1.2.1", {"", 0}, SPD_OK, ""},
    {"one element", "1.2.840.10008.1.2.1", B("\x08\0\x50\0SH\x04\0ACC1"), SPD_OK, ""},
    {"longer than the data", "1.2.840.10008.1.2.1", B("\x08\0\x50\0SH\x06\0ACC1"), SPD_INVALID, "longer than what holds it"},
    {"four bytes of a tag", "1.2.840.10008.1.2.1", B("\x08\0\x50\0"), SPD_INVALID, "too early"},
    {"no VR", "1.2.840.10008.1.2.1", B("\x08\0\x50\0\x04\0\0\0ACC1"), SPD_INVALID, "value representation"},
    {"item longer than its sequence", "1.2.840.10008.1.2.1", B("\x40\0\x30\xA7SQ\0\0\x08\0\0\0\xFE\xFF\0\xE0\x10\0\0\0"), SPD_INVALID, "longer than its sequence"},
    {"no item in a sequence", "1.2.840.10008.1.2.1", B("\x40\0\x30\xA7SQ\0\0\x08\0\0\0\x08\0\x50\0SH\0\0"), SPD_INVALID, "something else than an item"},
    {"sequence without end", "1.2.840.10008.1.2.1", B("\x40\0\x30\xA7SQ\0\0\xFF\xFF\xFF\xFF\xFE\xFF\0\xE0\0\0\0\0"), SPD_INVALID, "ends inside a sequence"},
    {"delimiter in the open", "1.2.840.10008.1.2.1", B("\xFE\xFF\x0D\xE0\0\0\0\0"), SPD_INVALID, "delimiter"},
    {"encapsulated pixels", "1.2.840.10008.1.2.1", B("\xE0\x7F\x10\0OB\0\0\xFF\xFF\xFF\xFF"), SPD_INVALID, "encapsulated"},
    {"UN of undefined length is implicit inside", "1.2.840.10008.1.2.1", B("\x09\0\x10\x10UN\0\0\xFF\xFF\xFF\xFF\xFE\xFF\0\xE0\x0C\0\0\0\x08\0\x50\0\x04\0\0\0ACC1\xFE\xFF\xDD\xE0\0\0\0\0"), SPD_OK, ""},
    {"implicit", "1.2.840.10008.1.2", B("\x08\0\x50\0\x04\0\0\0ACC1"), SPD_OK, ""},
    {"implicit, known sequence", "1.2.840.10008.1.2", B("\x40\0\x30\xA7\x08\0\0\0\xFE\xFF\0\xE0\0\0\0\0"), SPD_OK, ""},
    {"big endian", "1.2.840.10008.1.2.2", B("\0\x08\0\x50SH\0\x04" "ACC1"), SPD_OK, ""},
    {"deflated", "1.2.840.10008.1.2.1.99", B("xxxxxxxx"), SPD_INVALID, "deflated"},
    {"a transfer syntax that nobody knows", "1.2.840.10008.1.9", B("xxxxxxxx"), SPD_INVALID, "transfer syntax"}};

static void data_sets_are_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_arena *arena = spd_arena_new(1 << 20);
        struct spd_dcm d = {0};
        struct spd_err err = {0};
        enum spd_rc rc = spd_dcm_parse_dataset(rows[i].bytes, spd_sv_from(rows[i].xfer), &d, arena, &err);
        if (rc != rows[i].rc || !strstr(err.text, rows[i].says)) fail_msg("%s: %s, %s", rows[i].name, spd_rc_name(rc), err.text);
        spd_arena_free(arena);
    }
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    for (int depth = 30; depth <= 200; depth += 2) {
        struct spd_str b = SPD_STR_INIT(1 << 20);
        struct spd_arena *arena = spd_arena_new(1 << 20);
        struct spd_dcm d = {0};
        for (int i = 0; i < depth; i++) sr_open(&b, 0x0040A730), SR_ITEM(&b);
        for (int i = 0; i < depth; i++) SR_ITEM_END(&b), SR_CLOSE(&b);
        enum spd_rc rc = spd_dcm_parse_dataset(spd_str_sv(&b), EXPLICIT, &d, arena, NULL);
        assert_int_equal(rc, depth <= SPD_DCM_DEPTH_MAX ? SPD_OK : SPD_LIMIT);
        spd_arena_free(arena);
        spd_str_done(&b);
    }
}

static void elements_and_bytes_are_bounded(void **state)
{
    (void)state;
    struct spd_str b = SPD_STR_INIT((size_t)8 << 20);
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    struct spd_dcm d = {0};
    for (int i = 0; i < SPD_DCM_ELEMENTS_MAX; i++) spd_str_add(&b, spd_sv_of("\x08\0\x50\0SH\0\0", 8));
    assert_int_equal(spd_dcm_parse_dataset(spd_str_sv(&b), EXPLICIT, &d, arena, NULL), SPD_OK);
    spd_str_add(&b, spd_sv_of("\x08\0\x50\0SH\0\0", 8));
    d = (struct spd_dcm){0};
    assert_int_equal(spd_dcm_parse_dataset(spd_str_sv(&b), EXPLICIT, &d, arena, NULL), SPD_LIMIT);
    while (b.len <= SPD_DCM_BYTES_MAX) spd_str_add(&b, spd_sv_of("\x08\0\x50\0SH\0\0", 8));
    assert_int_equal(spd_dcm_parse_dataset(spd_str_sv(&b), EXPLICIT, &d, arena, NULL), SPD_LIMIT);
    spd_arena_free(arena);
    spd_str_done(&b);
}

static const struct text { const char *name, *charset; spd_sv bytes; const char *utf8; bool bad; } texts[] = {
    {"ASCII", "", B("Jansen^Piet"), "Jansen^Piet", false},
    {"Latin-1", "ISO_IR 100", B("Zo\xEB"), "Zoë", false},
    {"Latin-2", "ISO_IR 101", B("\xA3ukasz"), "Łukasz", false},
    {"Turkish", "ISO_IR 148", B("\xC7" "a\xF0r\xFD"), "Çağrı", false},
    {"Cyrillic", "ISO_IR 144", B("\xBB\xEE\xDA"), "Люк", false},
    {"Greek", "ISO_IR 126", B("\xC4\xE9"), "Δι", false},
    {"UTF-8", "ISO_IR 192", B("Zo\xC3\xAB"), "Zoë", false},
    {"damaged UTF-8", "ISO_IR 192", B("Zo\xEB!"), "Zo\xEF\xBF\xBD!", true},
    {"high byte without a set", "", B("Zo\xEB"), "Zo\xEF\xBF\xBD", true},
    {"a set that we do not know", "ISO_IR 999", B("Zo\xEB"), "Zo\xEF\xBF\xBD", true},
    {"ISO 2022, Latin-1 by escape", "\\ISO 2022 IR 100", B("Zo\x1B-A\xEB"), "Zoë", false},
    {"ISO 2022, Greek by escape, forgotten at ^", "ISO 2022 IR 100\\ISO 2022 IR 126", B("\x1B-F\xC4^\xEB"), "Δ^ë", false},
    {"ISO 2022, Japanese", "\\ISO 2022 IR 87", B("Yamada^Tarou=\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B"), "Yamada^Tarou=山田^太郎", false},
    {"ISO 2022, Korean", "\\ISO 2022 IR 149", B("\x1B$)C\xB1\xE8"), "김", false},
    {"unknown escape", "\\ISO 2022 IR 100", B("a\x1B%9b"), "a%9b", true}};

static void text_becomes_utf8(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct spd_arena *arena = spd_arena_new(1 << 16);
        bool bad = false;
        spd_sv got = spd_dcm_utf8(spd_sv_from(texts[i].charset), texts[i].bytes, arena, &bad);
        if (!spd_sv_is(got, texts[i].utf8) || bad != texts[i].bad) printf("%s: \"%.*s\" %d\n", texts[i].name, SPD_SV_ARG(got), bad), wrong++;
        spd_arena_free(arena);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(data_sets_are_read_or_refused), cmocka_unit_test(nesting_is_bounded),
                                       cmocka_unit_test(elements_and_bytes_are_bounded), cmocka_unit_test(text_becomes_utf8)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
