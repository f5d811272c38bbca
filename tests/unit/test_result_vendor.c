/* tests/unit/test_result_vendor.c: a product's own codes by its own map: scheme, code and the meaning that is expected
 * with it; anything else is shown and never guessed. And objects that hold more than one product, text, and headers
 * of companions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "result/sr_build.h"
#include "sr_bytes.h"

#define HEAD "CONTAINER 126000/DCM/Imaging Measurement Report\n CONTAINER 126010/DCM/Imaging Measurements\n"
#define GROUP "  CONTAINER 125007/DCM/Measurement Group\n"
#define ALGO(name) "   TEXT 111001/DCM/Algorithm Name = " name "\n   TEXT 111003/DCM/Algorithm Version = 1\n   TEXT 122405/DCM/Manufacturer = Acme\n"
#define FINDING(c) "   CODE 121071/DCM/Finding = " c "\n"
#define PRESENT FINDING("52101004/SCT/Present")
#define ABSENT FINDING("272519000/SCT/Absent")

static struct spd_codes *codes;

static const spd_sv ptx[] = {{"Pneumothorax", 12}, {"PTX", 3}}, found[] = {{"Positive", 8}}, not_found[] = {{"Negative", 8}}, left[] = {{"Left apex", 9}},
                    score[] = {{"AI score", 8}}, outcome[] = {{"Outcome", 7}};
static const struct spd_vendor_code acme[] = {
    {.scheme = {"99ACME", 6}, .code = {"1", 1}, .meanings = ptx, .n_meanings = 2, .concept = {"pneumothorax", 12}},
    {.scheme = {"99ACME", 6}, .code = {"P", 1}, .meanings = found, .n_meanings = 1, .concept = {"status:present", 14}},
    {.scheme = {"99ACME", 6}, .code = {"N", 1}, .meanings = not_found, .n_meanings = 1, .concept = {"status:absent", 13}},
    {.scheme = {"99ACME", 6}, .code = {"S", 1}, .meanings = left, .n_meanings = 1, .site = {"lung", 4}},
    {.scheme = {"99ACME", 6}, .code = {"SC", 2}, .meanings = score, .n_meanings = 1, .concept = {"item:probability", 16}},
    {.scheme = {"99ACME", 6}, .code = {"OUT", 3}, .meanings = outcome, .n_meanings = 1, .concept = {"item:presence", 13}}};

static struct spd_reading read_it(const char *sop_class, const char *tree, struct spd_arena *arena, enum spd_read *ret)
{
    struct spd_str bytes = SPD_STR_INIT(1 << 20);
    struct spd_err err = {0};
    struct spd_dcm d;
    struct spd_sr_doc *doc = SPD_NEW(arena, struct spd_sr_doc);
    struct spd_reading got;
    sr_file(&bytes, sop_class, "1.2.3.6", "ACC1", "ZZ1", "COMPLETE", tree);
    if (spd_dcm_parse(spd_arena_dup(arena, spd_str_sv(&bytes)), &d, arena, &err)) fail_msg("%s %s", err.place, err.text);
    spd_sr_doc_build(&d, doc, arena);
    *ret = spd_result_read(doc, codes, &got, arena);
    spd_str_done(&bytes);
    return got;
}

static bool noted(const struct spd_result *r, const char *what)
{
    for (size_t i = 0; i < r->notes.n; i++)
        if (spd_sv_find(r->notes.v[i], spd_sv_from(what), NULL)) return true;
    return false;
}

static void own_codes_count_for_their_product_only(void **state)
{
    static const struct {
        const char *name, *tree;
        enum spd_ai_state state;
        const char *concept, *note;
    } rows[] = {
        {"mapped and found", HEAD GROUP ALGO("Seer") FINDING("1/99ACME/Pneumothorax") FINDING("P/99ACME/Positive"), SPD_AI_POSITIVE, "pneumothorax", ""},
        {"another expected meaning", HEAD GROUP ALGO("Seer") FINDING("1/99ACME/PTX") FINDING("N/99ACME/Negative"), SPD_AI_NEGATIVE, "pneumothorax", ""},
        {"status under the product's own name", HEAD GROUP ALGO("Seer") FINDING("1/99ACME/PTX") "   CODE OUT/99ACME/Outcome = N/99ACME/Negative\n", SPD_AI_NEGATIVE, "pneumothorax", ""},
        {"a meaning that was not expected", HEAD GROUP ALGO("Seer") FINDING("1/99ACME/Pleural effusion") FINDING("N/99ACME/Negative"), SPD_AI_NOT_ANALYSED, "", "contradicts"},
        {"a status whose meaning was not expected", HEAD GROUP ALGO("Seer") FINDING("1/99ACME/PTX") FINDING("N/99ACME/Positive"), SPD_AI_NOT_ANALYSED, "pneumothorax", "contradicts"},
        {"the same codes of another product", HEAD GROUP ALGO("Other") FINDING("1/99ACME/Pneumothorax") FINDING("N/99ACME/Negative"), SPD_AI_NOT_ANALYSED, "", "not in the code map"},
        {"the same code in another scheme", HEAD GROUP ALGO("Seer") FINDING("1/99OTHER/Pneumothorax") FINDING("N/99ACME/Negative"), SPD_AI_NOT_ANALYSED, "", "not in the code map"},
        {"a code that its map does not have", HEAD GROUP ALGO("Seer") FINDING("2/99ACME/Pneumothorax") PRESENT, SPD_AI_POSITIVE, "", "not in the code map"},
        {"the common codes still count", HEAD GROUP ALGO("Seer") FINDING("36118008/SCT/Pneumothorax") ABSENT, SPD_AI_NEGATIVE, "pneumothorax", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_arena *arena = spd_arena_new((size_t)32 << 20);
        enum spd_read read;
        struct spd_reading got = read_it("34", rows[i].tree, arena, &read);
        const struct spd_result *r = &got.results[0];
        assert_int_equal(read, SPD_READ_RESULT);
        if ((enum spd_ai_state)r->state != rows[i].state || !r->findings.n || !spd_sv_is(r->findings.v[0].concept, rows[i].concept) || (*rows[i].note && !noted(r, rows[i].note)))
            fail_msg("%s: %s, %zu findings", rows[i].name, spd_ai_state_names[r->state], r->findings.n);
        assert_true(r->findings.v[0].code.code.len > 0); /* as sent, for whoever looks */
        spd_arena_free(arena);
    }
    struct spd_arena *arena = spd_arena_new((size_t)32 << 20);
    enum spd_read read;
    struct spd_reading got = read_it("34", HEAD GROUP ALGO("Seer") FINDING("1/99ACME/PTX") FINDING("P/99ACME/Positive") "   CODE 363698007/SCT/Finding Site = S/99ACME/Left apex\n   NUM SC/99ACME/AI score = 0.5 1\n", arena, &read);
    assert_true(spd_sv_is(got.results[0].findings.v[0].site, "lung"));
    assert_int_equal(got.results[0].findings.v[0].probability, 500000);
    spd_arena_free(arena);
}

static void a_map_that_names_what_nobody_knows_is_refused(void **state)
{
    static const struct spd_vendor_code bad[] = {
        {.scheme = {"99A", 3}, .code = {"1", 1}, .meanings = ptx, .n_meanings = 1, .concept = {"pneumotorax", 11}, .place = {"m.yaml:4:5", 10}},
        {.scheme = {"99A", 3}, .code = {"1", 1}, .meanings = ptx, .n_meanings = 1, .site = {"elbow", 5}, .place = {"m.yaml:4:5", 10}},
        {.scheme = {"99A", 3}, .code = {"1", 1}, .concept = {"pneumothorax", 12}, .place = {"m.yaml:4:5", 10}}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct spd_err err = {0};
        struct spd_vendor_map map = {{"Acme", 4}, {"Seer", 4}, &bad[i], 1};
        assert_int_equal(spd_codes_set_vendors(codes, &map, 1, &err), SPD_INVALID);
        assert_string_equal(err.place, "m.yaml:4:5");
        assert_non_null(spd_codes_vendor(codes, SPD_SV("Acme"), SPD_SV("Seer"))); /* those before stay */
    }
    assert_null(spd_codes_vendor(codes, SPD_SV("Acme"), SPD_SV("Other")));
}

static void legacy_codes_are_read_as_snomed_ct(void **state)
{
    static const char *const schemes[] = {"SRT", "SNM3", "99SDM"};
    spd_sv concept;
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct spd_code c = {SPD_SV("D2-80300"), spd_sv_from(schemes[i]), SPD_SV("Pneumothorax")};
        assert_int_equal(spd_codes_finding(codes, &c, &concept), SPD_CODE_KNOWN);
        assert_true(spd_sv_is(concept, "pneumothorax") && spd_sv_is(spd_codes_normal(codes, &c).code, "36118008"));
        c.text = SPD_SV("Pleural effusion");
        assert_int_equal(spd_codes_finding(codes, &c, &concept), SPD_CODE_MISMATCH);
    }
}

static void groups_of_two_products_are_two_results(void **state)
{
    struct spd_arena *arena = spd_arena_new((size_t)32 << 20);
    enum spd_read read;
    (void)state;
    struct spd_reading got = read_it("34", HEAD GROUP ALGO("Seer") FINDING("36118008/SCT/Pneumothorax") PRESENT GROUP ALGO("Other") FINDING("60046008/SCT/Pleural effusion") ABSENT
                                     GROUP ALGO("Seer") FINDING("95436008/SCT/Lung consolidation") ABSENT GROUP FINDING("8186001/SCT/Cardiomegaly") ABSENT, arena, &read);
    assert_int_equal(got.n_results, 2);
    assert_true(spd_sv_is(got.results[0].name, "Seer") && got.results[0].state == SPD_AI_POSITIVE && got.results[0].findings.n == 3 && got.results[0].part == 1);
    assert_true(spd_sv_is(got.results[1].name, "Other") && got.results[1].state == SPD_AI_NEGATIVE && got.results[1].findings.n == 1 && got.results[1].part == 2);
    got = read_it("34", HEAD GROUP ALGO("Seer") FINDING("36118008/SCT/Pneumothorax") ABSENT GROUP ALGO("Other") "   TEXT 121106/DCM/Comment = Not analyzed: motion\n", arena, &read);
    assert_int_equal(got.n_results, 2); /* one that failed takes nothing from the other */
    assert_true(got.results[0].state == SPD_AI_NEGATIVE && got.results[1].state == SPD_AI_FAILED);
    got = read_it("34", HEAD GROUP ALGO("Seer") FINDING("36118008/SCT/Pneumothorax") ABSENT, arena, &read);
    assert_true(got.n_results == 1 && got.results[0].part == 0);
    spd_arena_free(arena);
}

static void places_and_numbers_are_kept(void **state)
{
    struct spd_arena *arena = spd_arena_new((size_t)32 << 20);
    enum spd_read read;
    (void)state;
    struct spd_reading got = read_it("34", HEAD GROUP ALGO("Seer") FINDING("36118008/SCT/Pneumothorax") PRESENT
                                     "   SCOORD 111030/DCM/Image Region = POLYLINE\n    IMAGE 260753009/SCT/Source = 1.2.3.77\n"
                                     "   SCOORD3D 111030/DCM/Image Region = POINT\n"
                                     "   IMAGE 121191/DCM/Referenced Segment = 1.2.3.88 66.4\n"
                                     "   NUM 118565006/SCT/Volume = 12.5 cm3\n", arena, &read);
    const struct spd_finding *f = &got.results[0].findings.v[0];
    assert_int_equal(f->regions.n, 3);
    assert_true(spd_sv_is(f->regions.v[0].kind, "POLYLINE") && spd_sv_is(f->regions.v[0].instance, "1.2.3.77"));
    assert_true(spd_sv_is(f->regions.v[1].kind, "3D POINT") && !f->regions.v[1].instance.len);
    assert_true(spd_sv_is(f->regions.v[2].kind, "SEGMENT") && spd_sv_is(f->regions.v[2].instance, "1.2.3.88"));
    assert_true(f->measurements.n == 1 && spd_sv_is(f->measurements.v[0].unit, "cm3"));
    /* what it saw are images; a segmentation is its own */
    assert_true(got.results[0].instances.n == 1 && spd_sv_is(got.results[0].instances.v[0], "1.2.3.77"));
    assert_true(got.results[0].outputs.n == 1 && spd_sv_is(got.results[0].outputs.v[0], "1.2.3.88"));
    spd_arena_free(arena);
}

static void text_keeps_its_words(void **state)
{
    struct spd_arena *arena = spd_arena_new((size_t)32 << 20);
    enum spd_read read;
    (void)state;
    struct spd_reading got = read_it("11", "CONTAINER 18748-4/LN/Report\n TEXT 121071/DCM/Finding = No pneumothorax\n TEXT 121077/DCM/Conclusion = Normal\n", arena, &read);
    assert_int_equal(read, SPD_READ_TEXT);
    assert_true(got.results[0].state == SPD_AI_NOT_ANALYSED && !got.by_person);
    assert_true(spd_sv_is(got.results[0].text, "Finding: No pneumothorax\nConclusion: Normal"));
    got = read_it("11", "CONTAINER 18748-4/LN/Report\n CODE 121005/DCM/Observer Type = 121006/DCM/Person\n TEXT 121071/DCM/Finding = x\n", arena, &read);
    assert_true(read == SPD_READ_TEXT && got.by_person);
    spd_arena_free(arena);
}

/* Of a picture or a document the header is read, whatever stands or is missing behind. */
static void companions_are_read_by_their_header(void **state)
{
    static const struct {
        const char *name, *sop_class;
        uint32_t bulk_tag;
        enum spd_companion_kind kind;
    } rows[] = {{"segmentation", "1.2.840.10008.5.1.4.1.1.66.4", 0x52009230, SPD_COMPANION_SEGMENTATION},
                {"secondary capture", "1.2.840.10008.5.1.4.1.1.7", 0x7FE00010, SPD_COMPANION_CAPTURE},
                {"PDF", "1.2.840.10008.5.1.4.1.1.104.1", 0x00420011, SPD_COMPANION_DOCUMENT},
                {"presentation state", "1.2.840.10008.5.1.4.1.1.11.1", 0x7FE00010, SPD_COMPANION_PRESENTATION}};
    (void)state;
    for (size_t i = 0; i < 3 * (sizeof rows / sizeof *rows); i++) {
        struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
        struct spd_str b = SPD_STR_INIT(32 << 20);
        struct spd_dcm d = {0};
        struct spd_sr_doc doc;
        struct spd_reading got;
        struct spd_err err = {0};
        size_t bulk = i % 3 == 0 ? 0 : 8 << 20;
        sr_el(&b, 0x00080016, "UI", spd_sv_from(rows[i / 3].sop_class)), sr_el(&b, 0x00080018, "UI", SPD_SV("1.2.8.1"));
        sr_el(&b, 0x00080050, "SH", SPD_SV("ACC1")), sr_el(&b, 0x00080070, "LO", SPD_SV("Acme"));
        sr_open(&b, 0x00081115), SR_ITEM(&b), sr_open(&b, 0x00081140), SR_ITEM(&b);
        sr_el(&b, 0x00081150, "UI", SPD_SV("1.2.840.10008.5.1.4.1.1.2")), sr_el(&b, 0x00081155, "UI", SPD_SV("1.2.3.77"));
        SR_ITEM_END(&b), SR_CLOSE(&b), SR_ITEM_END(&b), SR_CLOSE(&b);
        sr_el(&b, 0x00100020, "LO", SPD_SV("ZZ1")), sr_el(&b, 0x0020000D, "UI", SPD_SV("1.2.3.4"));
        size_t head = b.len;
        sr_le(&b, rows[i / 3].bulk_tag >> 16, 2), sr_le(&b, rows[i / 3].bulk_tag & 0xFFFF, 2), spd_str_addz(&b, "OB"), sr_le(&b, 0, 2), sr_le(&b, (uint32_t)bulk, 4);
        for (size_t k = 0; i % 3 == 1 && k < bulk; k += 4096) { /* i % 3 == 2: cut behind the length */
            static const char zeros[4096];
            spd_str_add(&b, spd_sv_of(zeros, sizeof zeros));
        }
        if (spd_dcm_parse_dataset(spd_str_sv(&b), SPD_SV("1.2.840.10008.1.2.1"), &d, arena, &err)) fail_msg("%s %zu: %s %s", rows[i / 3].name, i % 3, err.place, err.text);
        spd_sr_doc_build(&d, &doc, arena);
        assert_int_equal(spd_result_read(&doc, codes, &got, arena), SPD_READ_COMPANION);
        assert_int_equal(got.companion.kind, rows[i / 3].kind);
        assert_int_equal(doc.head, head);
        assert_true(spd_sv_is(got.companion.sop_uid, "1.2.8.1") && spd_sv_is(got.companion.manufacturer, "Acme") && spd_sv_is(got.companion.patient.ids.v[0].value, "ZZ1"));
        assert_true(got.companion.refs.n == 1 && spd_sv_is(got.companion.refs.v[0], "1.2.3.77"));
        spd_str_done(&b);
        spd_arena_free(arena);
    }
}

static int load(void **state)
{
    static const struct spd_vendor_map map = {{"Acme", 4}, {"Seer", 4}, acme, sizeof acme / sizeof *acme};
    struct spd_err err = {0};
    (void)state;
    enum spd_rc rc = spd_codes_load_dir(SPOED_SOURCE_DIR "/packaging/share/codes", NULL, &codes, &err);
    if (!rc) rc = spd_codes_set_vendors(codes, &map, 1, &err);
    if (rc) printf("%s: %s\n", err.place, err.text);
    return rc != SPD_OK;
}

static int unload(void **state)
{
    (void)state;
    spd_codes_free(codes);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_codes_count_for_their_product_only), cmocka_unit_test(a_map_that_names_what_nobody_knows_is_refused),
        cmocka_unit_test(legacy_codes_are_read_as_snomed_ct), cmocka_unit_test(groups_of_two_products_are_two_results),
        cmocka_unit_test(places_and_numbers_are_kept), cmocka_unit_test(text_keeps_its_words),
        cmocka_unit_test(companions_are_read_by_their_header)};
    return cmocka_run_group_tests(tests, load, unload);
}
