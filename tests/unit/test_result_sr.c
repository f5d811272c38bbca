/* tests/unit/test_result_sr.c: what a report says and what it does not say: presence, absence, normal, failed,
 * contradiction, codes that mean something else. Rows are trees in the notation of sr_bytes.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "result/sr_build.h"
#include "sr_bytes.h"

#define ROOT "CONTAINER 126000/DCM/Imaging Measurement Report\n"
#define GROUP " CONTAINER 126010/DCM/Imaging Measurements\n  CONTAINER 125007/DCM/Measurement Group\n"
#define ALGO "   TEXT 111001/DCM/Algorithm Name = Testalgo\n   TEXT 111003/DCM/Algorithm Version = 1.2\n"
#define FINDING "   CODE 121071/DCM/Finding = "
#define PTX FINDING "36118008/SCT/Pneumothorax\n"
#define PRESENT FINDING "52101004/SCT/Present\n"
#define ABSENT FINDING "272519000/SCT/Absent\n"

static const struct row {
    const char *name, *sop_class, *completion, *tree;
    enum spd_read read;
    enum spd_ai_state state;
    const char *concept; /* of the first finding; "" none or not mapped */
    enum spd_present present;
    const char *note;    /* must be among the notes; "" any */
} rows[] = {
    {"present", "33", "COMPLETE", ROOT GROUP ALGO PTX PRESENT, SPD_READ_RESULT, SPD_AI_POSITIVE, "pneumothorax", SPD_PRESENT_YES, ""},
    {"absent", "33", "COMPLETE", ROOT GROUP ALGO PTX ABSENT, SPD_READ_RESULT, SPD_AI_NEGATIVE, "pneumothorax", SPD_PRESENT_NO, ""},
    {"status before finding", "33", "COMPLETE", ROOT GROUP ALGO ABSENT PTX, SPD_READ_RESULT, SPD_AI_NEGATIVE, "pneumothorax", SPD_PRESENT_NO, ""},
    {"no completion flag", "34", "", ROOT GROUP ALGO PTX ABSENT, SPD_READ_RESULT, SPD_AI_NEGATIVE, "pneumothorax", SPD_PRESENT_NO, ""},
    {"absent but partial", "33", "PARTIAL", ROOT GROUP ALGO PTX ABSENT, SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "pneumothorax", SPD_PRESENT_NO, "partial"},
    {"present though partial", "33", "PARTIAL", ROOT GROUP ALGO PTX PRESENT, SPD_READ_RESULT, SPD_AI_POSITIVE, "pneumothorax", SPD_PRESENT_YES, "partial"},
    {"finding without status", "33", "COMPLETE", ROOT GROUP ALGO PTX, SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "pneumothorax", SPD_PRESENT_UNCLEAR, ""},
    {"probability alone says nothing", "33", "COMPLETE", ROOT GROUP ALGO PTX "   NUM 111012/DCM/Certainty = 0.99 1\n", SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "pneumothorax", SPD_PRESENT_UNCLEAR, ""},
    {"present and absent at once", "33", "COMPLETE", ROOT GROUP ALGO PTX PRESENT ABSENT, SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "pneumothorax", SPD_PRESENT_UNCLEAR, "both present and absent"},
    {"two findings, two statuses, no pairing", "33", "COMPLETE", ROOT GROUP ALGO PTX FINDING "60046008/SCT/Pleural effusion\n" PRESENT ABSENT, SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "pneumothorax", SPD_PRESENT_UNCLEAR, ""},
    {"status below the finding", "33", "COMPLETE", ROOT GROUP ALGO PTX "    CODE 121071/DCM/Finding = 52101004/SCT/Present\n", SPD_READ_RESULT, SPD_AI_POSITIVE, "pneumothorax", SPD_PRESENT_YES, ""},
    {"concept as name of the status", "33", "COMPLETE", ROOT GROUP ALGO "   CODE 36118008/SCT/Pneumothorax = 272519000/SCT/Absent\n", SPD_READ_RESULT, SPD_AI_NEGATIVE, "pneumothorax", SPD_PRESENT_NO, ""},
    {"presence under its own name", "33", "COMPLETE", ROOT GROUP ALGO PTX "   CODE 705057003/SCT/Presence = 52101004/SCT/Present\n", SPD_READ_RESULT, SPD_AI_POSITIVE, "pneumothorax", SPD_PRESENT_YES, ""},
    {"absent of something else", "33", "COMPLETE", ROOT GROUP ALGO PTX "   CODE 1/99TEST/Contrast = 272519000/SCT/Absent\n", SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "pneumothorax", SPD_PRESENT_UNCLEAR, ""},
    {"an evaluation in a word that we do not know is no silence", "33", "COMPLETE", ROOT GROUP ALGO "   CODE 36118008/SCT/Pneumothorax = 272519000/SCT/Absent\n" "   CODE 60046008/SCT/Pleural effusion = 373066001/SCT/Yes\n", SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "pneumothorax", SPD_PRESENT_NO, "cannot be understood"},
    {"an evaluation in words beside a coded one", "33", "COMPLETE", ROOT GROUP ALGO "   CODE 36118008/SCT/Pneumothorax = 272519000/SCT/Absent\n" "   TEXT 60046008/SCT/Pleural effusion = large, left\n", SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "pneumothorax", SPD_PRESENT_NO, "cannot be understood"},
    {"something unmapped is present", "33", "COMPLETE", ROOT GROUP ALGO "   CODE 36118008/SCT/Pneumothorax = 272519000/SCT/Absent\n" "   CODE 1/99TEST/Midline shift = 52101004/SCT/Present\n", SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "pneumothorax", SPD_PRESENT_NO, "not in the code map"},
    {"something unmapped is abnormal", "33", "COMPLETE", ROOT GROUP ALGO "   CODE 36118008/SCT/Pneumothorax = 272519000/SCT/Absent\n" "   CODE 1/99TEST/Overall = 263654008/SCT/Abnormal\n", SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "pneumothorax", SPD_PRESENT_NO, "not in the code map"},
    {"something unmapped is absent", "33", "COMPLETE", ROOT GROUP ALGO "   CODE 36118008/SCT/Pneumothorax = 272519000/SCT/Absent\n" "   CODE 1/99TEST/Contrast = 272519000/SCT/Absent\n", SPD_READ_RESULT, SPD_AI_NEGATIVE, "pneumothorax", SPD_PRESENT_NO, ""},
    {"evaluations outside any group", "33", "COMPLETE", ROOT " TEXT 111001/DCM/Algorithm Name = Testalgo\n" " CONTAINER 126010/DCM/Imaging Measurements\n  CODE 36118008/SCT/Pneumothorax = 52101004/SCT/Present\n", SPD_READ_RESULT, SPD_AI_POSITIVE, "pneumothorax", SPD_PRESENT_YES, ""},
    {"an evaluation outside any group beside a denial in one", "33", "COMPLETE", ROOT GROUP ALGO PTX ABSENT "  CODE 60046008/SCT/Pleural effusion = 52101004/SCT/Present\n", SPD_READ_RESULT, SPD_AI_POSITIVE, "pleural-effusion", SPD_PRESENT_YES, ""},
    {"one denial beside two findings", "33", "COMPLETE", ROOT GROUP ALGO PTX FINDING "60046008/SCT/Pleural effusion\n" ABSENT, SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "pneumothorax", SPD_PRESENT_UNCLEAR, "cannot be told"},
    {"two denials beside two findings", "33", "COMPLETE", ROOT GROUP ALGO PTX ABSENT FINDING "60046008/SCT/Pleural effusion\n" ABSENT, SPD_READ_RESULT, SPD_AI_NEGATIVE, "pneumothorax", SPD_PRESENT_NO, ""},
    {"a denial and a status that is not known", "33", "COMPLETE", ROOT GROUP ALGO PTX ABSENT FINDING "385434005/SCT/Improbable diagnosis\n", SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "pneumothorax", SPD_PRESENT_UNCLEAR, "cannot be told"},
    {"denied below, affirmed beside", "33", "COMPLETE", ROOT GROUP ALGO PTX "    CODE 121071/DCM/Finding = 272519000/SCT/Absent\n" PRESENT, SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "pneumothorax", SPD_PRESENT_UNCLEAR, "both present and absent"},
    {"normal", "33", "COMPLETE", ROOT GROUP ALGO FINDING "17621005/SCT/Normal\n", SPD_READ_RESULT, SPD_AI_NORMAL, "", SPD_PRESENT_NORMAL, ""},
    {"imaging result normal", "33", "COMPLETE", ROOT GROUP ALGO FINDING "408573005/SCT/Imaging result normal\n", SPD_READ_RESULT, SPD_AI_NORMAL, "", SPD_PRESENT_NORMAL, ""},
    {"abnormal", "33", "COMPLETE", ROOT GROUP ALGO FINDING "263654008/SCT/Abnormal\n", SPD_READ_RESULT, SPD_AI_POSITIVE, "", SPD_PRESENT_YES, ""},
    {"normal in one group, present in another", "33", "COMPLETE", ROOT GROUP ALGO FINDING "17621005/SCT/Normal\n" "  CONTAINER 125007/DCM/Measurement Group\n" PTX PRESENT, SPD_READ_RESULT, SPD_AI_POSITIVE, "", SPD_PRESENT_NORMAL, ""},
    {"normal beside something unclear", "33", "COMPLETE", ROOT GROUP ALGO FINDING "17621005/SCT/Normal\n" "  CONTAINER 125007/DCM/Measurement Group\n" PTX, SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "", SPD_PRESENT_NORMAL, ""},
    {"unmapped code, present", "33", "COMPLETE", ROOT GROUP ALGO FINDING "4711/99TEST/Something\n" PRESENT, SPD_READ_RESULT, SPD_AI_POSITIVE, "", SPD_PRESENT_YES, "not in the code map"},
    {"unmapped code, absent, says nothing of ours", "33", "COMPLETE", ROOT GROUP ALGO FINDING "4711/99TEST/Something\n" ABSENT, SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "", SPD_PRESENT_NO, "not in the code map"},
    {"code of another meaning, present", "33", "COMPLETE", ROOT GROUP ALGO FINDING "1386000/SCT/Occlusion of artery\n" PRESENT, SPD_READ_RESULT, SPD_AI_POSITIVE, "", SPD_PRESENT_YES, "contradicts"},
    {"code of another meaning, absent", "33", "COMPLETE", ROOT GROUP ALGO FINDING "1386000/SCT/Occlusion of artery\n" ABSENT, SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "", SPD_PRESENT_UNCLEAR, "contradicts"},
    {"status of another meaning", "33", "COMPLETE", ROOT GROUP ALGO PTX FINDING "272519000/SCT/Present\n", SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "pneumothorax", SPD_PRESENT_UNCLEAR, "contradicts"},
    {"Dutch meaning", "34", "COMPLETE", ROOT GROUP ALGO FINDING "1386000/SCT/intracraniële bloeding\n" FINDING "52101004/SCT/aanwezig\n", SPD_READ_RESULT, SPD_AI_POSITIVE, "intracranial-hemorrhage", SPD_PRESENT_YES, ""},
    {"legacy code", "33", "COMPLETE", ROOT GROUP ALGO FINDING "D2-80300/99SDM/Pneumothorax\n" FINDING "G-A203/SRT/Present\n", SPD_READ_RESULT, SPD_AI_POSITIVE, "pneumothorax", SPD_PRESENT_YES, ""},
    {"words: not analyzed", "33", "COMPLETE", ROOT GROUP ALGO PTX ABSENT "   TEXT 121106/DCM/Comment = Not analyzed: motion\n", SPD_READ_RESULT, SPD_AI_FAILED, "pneumothorax", SPD_PRESENT_NO, ""},
    {"failed says failed", "33", "COMPLETE", ROOT GROUP ALGO FINDING "111224/DCM/Failed\n", SPD_READ_RESULT, SPD_AI_FAILED, "", SPD_PRESENT_UNCLEAR, ""},
    {"finding outside a group", "33", "COMPLETE", ROOT " TEXT 111001/DCM/Algorithm Name = A\n CODE 121071/DCM/Finding = 36118008/SCT/Pneumothorax\n CODE 121071/DCM/Finding = 52101004/SCT/Present\n", SPD_READ_RESULT, SPD_AI_POSITIVE, "pneumothorax", SPD_PRESENT_YES, ""},
    {"empty measurements", "33", "COMPLETE", ROOT " CODE 121005/DCM/Observer Type = 121007/DCM/Device\n CONTAINER 126010/DCM/Imaging Measurements\n", SPD_READ_RESULT, SPD_AI_NOT_ANALYSED, "", 0, "no finding is coded"},
    {"probability beyond one", "33", "COMPLETE", ROOT GROUP ALGO PTX ABSENT "   NUM 111012/DCM/Certainty = 1.7 1\n", SPD_READ_RESULT, SPD_AI_NEGATIVE, "pneumothorax", SPD_PRESENT_NO, "outside 0 to 1"},
    {"a person's measurements", "33", "COMPLETE", ROOT " CODE 121005/DCM/Observer Type = 121006/DCM/Person\n" GROUP PTX "   NUM 410668003/SCT/Length = 12 mm\n", SPD_READ_NOT_A_RESULT, 0, "", 0, ""},
    {"a person's coded findings", "33", "COMPLETE", ROOT " CODE 121005/DCM/Observer Type = 121006/DCM/Person\n" GROUP PTX PRESENT, SPD_READ_NOT_A_RESULT, 0, "", 0, ""},
    {"an algorithm's findings that a person looked at", "33", "COMPLETE", ROOT " CODE 121005/DCM/Observer Type = 121006/DCM/Person\n" GROUP ALGO PTX PRESENT, SPD_READ_RESULT, SPD_AI_POSITIVE, "pneumothorax", SPD_PRESENT_YES, ""},
    {"coded findings of who is not said", "33", "COMPLETE", ROOT GROUP PTX PRESENT, SPD_READ_RESULT, SPD_AI_POSITIVE, "pneumothorax", SPD_PRESENT_YES, ""},
    {"basic text", "11", "COMPLETE", "CONTAINER 18748-4/LN/Report\n TEXT 121071/DCM/Finding = Pneumothorax present\n", SPD_READ_TEXT, SPD_AI_NOT_ANALYSED, "", 0, "nothing in it is coded"},
    {"dose report", "67", "COMPLETE", "CONTAINER 113701/DCM/X-Ray Radiation Dose Report\n", SPD_READ_NOT_A_RESULT, 0, "", 0, ""},
    {"dose report as Enhanced SR", "22", "COMPLETE", "CONTAINER 113701/DCM/Dose\n CODE 121005/DCM/Observer Type = 121007/DCM/Device\n" GROUP PTX ABSENT, SPD_READ_NOT_A_RESULT, 0, "", 0, ""},
    {"key objects", "59", "COMPLETE", "CONTAINER 113000/DCM/Of Interest\n", SPD_READ_COMPANION, 0, "", 0, ""},
};

static struct spd_codes *codes;

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

static void reports_are_read_as_they_say(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *t = &rows[i];
        struct spd_arena *arena = spd_arena_new((size_t)16 << 20);
        struct spd_str bytes = SPD_STR_INIT(1 << 20);
        struct spd_err err = {0};
        struct spd_dcm d;
        struct spd_sr_doc doc, again;
        struct spd_result r;
        spd_sv why;
        sr_file(&bytes, t->sop_class, "1.2.3.6", "ACC1", "ZZ1", t->completion, t->tree);
        if (spd_dcm_parse(spd_str_sv(&bytes), &d, arena, &err)) fail_msg("%s: %s %s", t->name, err.place, err.text);
        spd_sr_doc_build(&d, &doc, arena);
        struct spd_str flat = SPD_STR_INIT(1 << 20);
        spd_sr_doc_encode(&doc, &flat); /* through the codec, as in life */
        if (spd_sr_doc_decode(spd_str_sv(&flat), &again, arena, &err)) fail_msg("%s: codec: %s", t->name, err.text);
        enum spd_read read = read_first(&again, codes, &r, &why, arena);
        const struct spd_finding *f = r.findings.n ? &r.findings.v[0] : NULL;
        bool noted = !*t->note;
        for (size_t k = 0; k < r.notes.n; k++) noted |= spd_sv_find(r.notes.v[k], spd_sv_from(t->note), NULL);
        if (read != t->read || (enum spd_ai_state)r.state != t->state || !noted || (f ? f->present : 0) != (int)t->present ||
            !spd_sv_is(f ? f->concept : SPD_SV_NONE, t->concept)) {
            printf("%s: read %d state %s present %d concept %.*s why %.*s noted %d\n", t->name, (int)read, spd_ai_state_names[r.state],
                   f ? f->present : 0, SPD_SV_ARG(f ? f->concept : SPD_SV_NONE), SPD_SV_ARG(why), noted);
            wrong++;
        }
        if (read != SPD_READ_RESULT && !why.len) fail_msg("%s: no reason", t->name);
        spd_str_done(&bytes), spd_str_done(&flat);
        spd_arena_free(arena);
    }
    assert_int_equal(wrong, 0);
}

/* Site, laterality, probability, instances, model and order come along. */
static void details_are_kept(void **state)
{
    (void)state;
    struct spd_arena *arena = spd_arena_new((size_t)16 << 20);
    struct spd_str bytes = SPD_STR_INIT(1 << 20);
    struct spd_dcm d;
    struct spd_sr_doc doc;
    struct spd_result r;
    spd_sv why;
    sr_file(&bytes, "34", "1.2.3.6", "ACC1", "ZZ1", "COMPLETE",
            ROOT GROUP ALGO PTX PRESENT "   NUM 111047/DCM/Probability = 93 %\n   NUM 410668003/SCT/Length = 12 mm\n"
            "   CODE 363698007/SCT/Finding Site = 44029006/SCT/Left lung\n   UIDREF 112040/DCM/Tracking = 1.2.3.99\n"
            "   IMAGE 260753009/SCT/Source = 1.2.3.77\n");
    assert_int_equal(spd_dcm_parse(spd_str_sv(&bytes), &d, arena, NULL), SPD_OK);
    spd_sr_doc_build(&d, &doc, arena);
    assert_int_equal(read_first(&doc, codes, &r, &why, arena), SPD_READ_RESULT);
    assert_int_equal(r.findings.n, 1);
    assert_int_equal(r.findings.v[0].probability, 930000);
    assert_true(spd_sv_is(r.findings.v[0].site, "lung") && spd_sv_is(r.findings.v[0].laterality, "left"));
    assert_int_equal(r.findings.v[0].measurements.n, 1);
    assert_true(spd_sv_is(r.findings.v[0].measurements.v[0].value, "12"));
    assert_int_equal(r.findings.v[0].instances.n, 1);
    assert_int_equal(r.instances.n, 1);
    assert_true(spd_sv_is(r.instances.v[0], "1.2.3.77"));
    assert_true(spd_sv_is(r.name, "Testalgo") && spd_sv_is(r.version, "1.2") && spd_sv_is(r.manufacturer, "Testmaker"));
    assert_true(spd_sv_is(r.accession.value, "ACC1") && spd_sv_is(r.study_uid, "1.2.3.4"));
    assert_true(spd_sv_is(r.patient.name, "ZZCANARY, Test") && spd_sv_is(r.patient.ids.v[0].value, "ZZ1"));
    assert_int_equal(r.correction, 0);
    assert_int_equal(r.tracking.n, 1);
    spd_str_done(&bytes);
    spd_arena_free(arena);
}

/* A tree that limits have cut is never negative or normal. */
static void a_cut_tree_is_never_negative(void **state)
{
    (void)state;
    static const char *const trees[] = {ROOT GROUP ALGO PTX ABSENT, ROOT GROUP ALGO FINDING "17621005/SCT/Normal\n"};
    for (size_t i = 0; i < 2; i++) {
        struct spd_arena *arena = spd_arena_new((size_t)16 << 20);
        struct spd_str bytes = SPD_STR_INIT(1 << 20);
        struct spd_dcm d;
        struct spd_sr_doc doc;
        struct spd_result r;
        spd_sv why;
        sr_file(&bytes, "33", "1.2.3.6", "A", "Z", "COMPLETE", trees[i]);
        assert_int_equal(spd_dcm_parse(spd_str_sv(&bytes), &d, arena, NULL), SPD_OK);
        spd_sr_doc_build(&d, &doc, arena);
        doc.cut = true;
        assert_int_equal(read_first(&doc, codes, &r, &why, arena), SPD_READ_RESULT);
        assert_int_equal(r.state, SPD_AI_NOT_ANALYSED);
        spd_str_done(&bytes);
        spd_arena_free(arena);
    }
}

/* Every prefix of an object with a finding that is present is refused or read, and is never negative. */
static void every_prefix_is_refused_or_read(void **state)
{
    (void)state;
    struct spd_str bytes = SPD_STR_INIT(1 << 20);
    size_t refused = 0, n = 0;
    sr_file(&bytes, "33", "1.2.3.6", "A", "Z", "COMPLETE", ROOT GROUP ALGO PTX PRESENT);
    for (size_t cut = 0; cut < bytes.len; cut++, n++) {
        struct spd_arena *arena = spd_arena_new((size_t)16 << 20);
        struct spd_dcm d;
        struct spd_sr_doc doc;
        struct spd_result r;
        spd_sv why;
        char *copy = spd_must_malloc(cut + 1);
        memcpy(copy, bytes.ptr, cut);
        if (spd_dcm_parse(spd_sv_of(copy, cut), &d, arena, NULL)) refused++;
        else {
            spd_sr_doc_build(&d, &doc, arena);
            enum spd_read read = read_first(&doc, codes, &r, &why, arena);
            assert_false(read == SPD_READ_RESULT && (r.state == SPD_AI_NEGATIVE || r.state == SPD_AI_NORMAL));
        }
        spd_free(copy);
        spd_arena_free(arena);
    }
    assert_true(refused > n / 2);
    spd_str_done(&bytes);
}

static int load(void **state)
{
    struct spd_err err = {0};
    (void)state;
    enum spd_rc rc = spd_codes_load_dir(SPOED_SOURCE_DIR "/packaging/share/codes", NULL, &codes, &err);
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
        cmocka_unit_test(reports_are_read_as_they_say), cmocka_unit_test(details_are_kept),
        cmocka_unit_test(a_cut_tree_is_never_negative), cmocka_unit_test(every_prefix_is_refused_or_read)};
    return cmocka_run_group_tests(tests, load, unload);
}
