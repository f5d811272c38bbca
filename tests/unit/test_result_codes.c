/* tests/unit/test_result_codes.c: the code files as shipped, and files that are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "result/codes.h"

static const struct row {
    const char *name, *code, *scheme, *meaning;
    enum spd_code_match match;
    const char *concept;
} rows[] = {
    {"as shipped", "1386000", "SCT", "Intracranial hemorrhage", SPD_CODE_KNOWN, "intracranial-hemorrhage"},
    {"British spelling", "1386000", "SCT", "Intracranial Haemorrhage", SPD_CODE_KNOWN, "intracranial-hemorrhage"},
    {"Dutch", "1386000", "SCT", "intracraniële bloeding", SPD_CODE_KNOWN, "intracranial-hemorrhage"},
    {"no meaning", "1386000", "SCT", "", SPD_CODE_KNOWN, "intracranial-hemorrhage"},
    {"the meaning that the standard's list gives it", "1386000", "SCT", "Occlusion of artery", SPD_CODE_MISMATCH, "intracranial-hemorrhage"},
    {"another concept's meaning", "36118008", "SCT", "Pleural effusion", SPD_CODE_MISMATCH, "pneumothorax"},
    {"the subtype misused for any", "274100004", "SCT", "Intracranial hemorrhage", SPD_CODE_MISMATCH, "intracerebral-hemorrhage"},
    {"scheme as OID", "36118008", "2.16.840.1.113883.6.96", "Pneumothorax", SPD_CODE_KNOWN, "pneumothorax"},
    {"legacy scheme", "D2-80300", "SNM3", "Pneumothorax", SPD_CODE_KNOWN, "pneumothorax"},
    {"RadLex in mixed case", "RID5352", "RadLex", "pneumothorax", SPD_CODE_KNOWN, "pneumothorax"},
    {"same number, other scheme", "36118008", "99X", "Pneumothorax", SPD_CODE_UNKNOWN, ""},
    {"private, expected meaning", "LVO01", "99STROKE", "Large vessel occlusion", SPD_CODE_KNOWN, "large-vessel-occlusion"},
    {"private, other meaning", "LVO01", "99STROKE", "Low volume output", SPD_CODE_MISMATCH, "large-vessel-occlusion"},
    {"private, no meaning", "LVO01", "99STROKE", "", SPD_CODE_MISMATCH, "large-vessel-occlusion"},
    {"absent as present", "272519000", "SCT", "Present", SPD_CODE_MISMATCH, "status:absent"},
    {"unknown", "4711", "SCT", "x", SPD_CODE_UNKNOWN, ""},
    {"empty", "", "", "", SPD_CODE_UNKNOWN, ""}};

static void codes_are_known_by_scheme_number_and_meaning(void **state)
{
    struct spd_codes *codes;
    struct spd_err err = {0};
    int wrong = 0;
    (void)state;
    if (spd_codes_load_dir(SPOED_SOURCE_DIR "/packaging/share/codes", NULL, &codes, &err)) fail_msg("%s: %s", err.place, err.text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_code c = {spd_sv_from(rows[i].code), spd_sv_from(rows[i].scheme), spd_sv_from(rows[i].meaning)};
        spd_sv concept;
        enum spd_code_match m = spd_codes_finding(codes, &c, &concept);
        if (m != rows[i].match || !spd_sv_is(concept, rows[i].concept)) printf("%s: %d %.*s\n", rows[i].name, (int)m, SPD_SV_ARG(concept)), wrong++;
    }
    assert_int_equal(wrong, 0);
    struct spd_code left = {SPD_SV("44029006"), SPD_SV("SCT"), SPD_SV("Left lung")};
    spd_sv site;
    assert_int_equal(spd_codes_site(codes, &left, &site), SPD_CODE_KNOWN);
    assert_true(spd_sv_is(site, "lung") && spd_sv_is(spd_codes_laterality(codes, &left), "left"));
    assert_true(spd_sv_is(spd_codes_site_name(codes, site, true), "long"));
    const struct spd_concept *k = spd_codes_concept(codes, SPD_SV("tension-pneumothorax"));
    assert_true(k && k->alert && k->default_level == 1 && spd_sv_is(k->nl, "spanningspneumothorax"));
    assert_null(spd_codes_concept(codes, SPD_SV("status:present")));
    const struct spd_procedure *p = spd_codes_procedure(codes, SPD_SV("CTHERS"));
    assert_true(p && spd_sv_is(p->modality, "CT") && spd_sv_is(p->body_part, "HEAD") && spd_sv_is(p->region, "head"));
    assert_non_null(spd_codes_procedure(codes, SPD_SV("24725-4")));
    assert_null(spd_codes_procedure(codes, SPD_SV("nothing")));
    spd_codes_free(codes);
}

#define HEAD "concept,scheme,code,meaning,nl,en,alert,level\n"
static const struct bad { const char *name, *text, *place; } bad[] = {
    {"empty file", "", "t.csv:0:1"},
    {"no column names", "a,SCT,1,x,y,z,yes,1\n", "t.csv:1:1"},
    {"too few columns", HEAD "a,SCT,1\n", "t.csv:2:1"},
    {"no code", HEAD "a,SCT,,x,y,z,yes,1\n", "t.csv:2:1"},
    {"a comma too many", HEAD "a,SCT,1,x,y,z,yes,1,2\n", "t.csv:2:1"},
    {"level 9", HEAD "# c\na,SCT,1,x,y,z,yes,9\n", "t.csv:3:1"},
    {"alert maybe", HEAD "a,SCT,1,x,y,z,maybe,1\n", "t.csv:2:1"},
    {"private without meaning", HEAD "a,99X,1,,y,z,yes,1\n", "t.csv:2:1"}};

static void wrong_files_are_refused_with_their_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct spd_source s = {SPD_SV("t.csv"), spd_sv_from(bad[i].text)};
        struct spd_codes *codes;
        struct spd_err err = {0};
        if (spd_codes_load(&s, NULL, NULL, &codes, &err) != SPD_INVALID || codes) fail_msg("%s was taken", bad[i].name);
        assert_string_equal(err.place, bad[i].place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(codes_are_known_by_scheme_number_and_meaning),
                                       cmocka_unit_test(wrong_files_are_refused_with_their_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
