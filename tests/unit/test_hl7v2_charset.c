/* Character sets: names of table 0211, what is taken when none is said, strictness with a place,
 * and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hl7/v2/charset.h"

static const struct {
    const char *name, *message, *fallback, *set;
} rows[] = {
    {"declared Latin-1", "MSH|^~\\&||||||||||||||||8859/1|\r", "", "ISO-8859-1"},
    {"declared UTF-8", "MSH|^~\\&||||||||||||||||UNICODE UTF-8\r", "", "UTF-8"},
    {"ASCII first, then UTF-8", "MSH|^~\\&||||||||||||||||ASCII~UNICODE UTF-8\r", "", "UTF-8"},
    {"declared wins over the peer", "MSH|^~\\&||||||||||||||||8859/15\r", "cp1252", "ISO-8859-15"},
    {"as a coded field", "MSH|^~\\&||||||||||||||||8859/15^x\r", "", "ISO-8859-15"},
    {"not declared, only ASCII", "MSH|^~\\&|a\r", "cp1252", "ASCII"},
    {"not declared, the peer's", "MSH|^~\\&|\xE9\r", "cp1252", "CP1252"},
    {"ASCII with high bytes, the peer's", "MSH|^~\\&|\xE9||||||||||||||ASCII\r", "cp1252",
     "CP1252"},
    {"nothing said, Latin-1", "MSH|^~\\&|\xE9\r", "", "ISO-8859-1"},
    {"nothing said, UTF-8", "MSH|^~\\&|\xC3\xA9\r", "", "UTF-8"},
    {"empty repetition", "MSH|^~\\&|\xE9||||||||||||||~\r", "8859/9", "ISO-8859-9"},
};

static void finds_the_set(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *set = NULL;
        spd_sv m = spd_sv_from(rows[i].message);
        if (hl7_charset_of(m, spd_sv_from(rows[i].fallback), &set, NULL) != SPD_OK ||
            strcmp(set, rows[i].set) != 0)
            fail_msg("%s: %s", rows[i].name, set ? set : "?");
    }
    const char *set;
    struct spd_err err = {0};
    assert_int_equal(
        hl7_charset_of(SPD_SV("MSH|^~\\&||||||||||||||||KLINGON\r"), SPD_SV_NONE, &set, &err),
        SPD_INVALID);
    assert_string_equal(err.place, "segment 1, field 18, byte 25");
    assert_int_equal(hl7_charset_of(SPD_SV("MSH|^~\\&|\xE9\r"), SPD_SV("klingon"), &set, &err),
                     SPD_INVALID);
}

static const struct {
    const char *set, *bytes, *text, *place;
} decodes[] = {
    {"ISO-8859-1", "Zo\xEB", "Zo\xC3\xAB", ""},
    {"ISO-8859-15", "\xA4", "\xE2\x82\xAC", ""},
    {"CP1252", "\x93x\x94", "\xE2\x80\x9Cx\xE2\x80\x9D", ""},
    {"CP1252", "ab\x81", NULL, "byte 3"},
    {"ISO-8859-2", "\xB1", "\xC4\x85", ""},
    {"ISO-8859-5", "\xB0", "\xD0\x90", ""},
    {"ISO-8859-7", "\xC1", "\xCE\x91", ""},
    {"ISO-8859-9", "\xDE", "\xC5\x9E", ""},
    {"UTF-8", "\xC3\xA9", "\xC3\xA9", ""},
    {"UTF-8", "12345678ab\xE9", NULL, "byte 11"},
    {"UTF-8", "\xC0\x80", NULL, "byte 1"},
    {"UTF-8", "\xED\xA0\x80", NULL, "byte 1"},
    {"UTF-8", "x\xF4\x90\x80\x80", NULL, "byte 2"},
    {"UTF-8", "x\xE2\x82", NULL, "byte 2"},
    {"ASCII", "abc", "abc", ""},
    {"ASCII", "ab\xE9", NULL, "byte 3"},
    {"GB18030", "\xC9\xBD|", "\xE5\xB1\xB1|", ""},
};

static void decodes_strictly_and_back(void **state)
{
    struct spd_arena *arena = spd_arena_new(1 << 16);
    (void)state;
    for (size_t i = 0; i < sizeof decodes / sizeof decodes[0]; i++) {
        struct spd_err err = {0};
        spd_sv text, back;
        enum spd_rc rc =
            hl7_charset_decode(decodes[i].set, spd_sv_from(decodes[i].bytes), &text, arena, &err);
        if (!decodes[i].text) {
            if (rc != SPD_INVALID || strcmp(err.place, decodes[i].place) != 0)
                fail_msg("row %zu: %s", i, err.place);
            continue;
        }
        if (rc != SPD_OK || !spd_sv_is(text, decodes[i].text)) fail_msg("row %zu", i);
        assert_int_equal(hl7_charset_encode(decodes[i].set, text, &back, arena, &err), SPD_OK);
        assert_true(spd_sv_is(back, decodes[i].bytes));
    }
    spd_sv back;
    assert_int_equal(hl7_charset_encode("ISO-8859-1", SPD_SV("\xE5\xB1\xB1"), &back, arena, NULL),
                     SPD_INVALID);
    assert_int_equal(hl7_charset_encode("ASCII", SPD_SV("\xC3\xA9"), &back, arena, NULL),
                     SPD_INVALID);
    spd_arena_free(arena);
    struct spd_arena *tiny = spd_arena_new(8);
    assert_int_equal(
        hl7_charset_decode("CP1252", SPD_SV("\xE9\xE9\xE9\xE9\xE9"), &back, tiny, NULL), SPD_NOMEM);
    spd_arena_free(tiny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_the_set),
                                       cmocka_unit_test(decodes_strictly_and_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
