/* tests/unit/test_result_cad.c: what CAD reports (mammography, chest, colon) say and do not say, and what comes of
 * it; rows are trees in the notation of sr_bytes.h. Every row goes through bytes, scanner, codec and reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "result/sr_build.h"
#include "sr_bytes.h"

#define MAMMO "CONTAINER 111036/DCM/Mammography CAD Report\n"
#define CHEST "CONTAINER 112000/DCM/Chest CAD Report\n"
#define COLON "CONTAINER 112220/DCM/Colon CAD Report\n"
/* 1.1: the image library; 1.1.1 is of the right breast, 1.1.2 of the left. */
#define LIBRARY \
    " CONTAINER 111028/DCM/Image Library\n" \
    "  IMAGE 111032/DCM/Image = 1.2.3.71\n   CODE 111027/DCM/Image Laterality = T-04020/SRT/Right breast\n" \
    "  IMAGE 111032/DCM/Image = 1.2.3.72\n   CODE 111027/DCM/Image Laterality = 80248007/SCT/Left breast\n"
#define SUMMARY(code) " CODE 111017/DCM/CAD Processing and Findings Summary = " code "/DCM/x\n"
#define DETECTED(code) " CODE 111064/DCM/Summary of Detections = " code "/DCM/x\n"
#define ANALYSED(code) " CODE 111065/DCM/Summary of Analyses = " code "/DCM/x\n"
#define IMPRESSION "  CONTAINER 111034/DCM/Individual Impression/Recommendation\n"
#define HIDDEN3 "   CODE 111056/DCM/Rendering Intent = 111152/DCM/Not for Presentation\n"
#define HIDDEN4 "    CODE 111056/DCM/Rendering Intent = 111152/DCM/Not for Presentation\n"
#define MASS "   CODE 111059/DCM/Single Image Finding = 129788004/SCT/Mammographic breast mass\n"
#define CLUSTER "   CODE 111059/DCM/Single Image Finding = F-01775/SRT/Calcification Cluster\n"
#define ON_LEFT "    SCOORD 111010/DCM/Center = POINT\n     REF 1.1.2\n"
#define ON_RIGHT "    SCOORD 111010/DCM/Center = POINT\n     REF 1.1.1\n"

static const struct row {
    const char *name, *sop_class, *completion, *tree;
    enum spd_ai_state state;
    const char *findings; /* "concept=present/site/side@probability;…" */
    const char *note;     /* must be among the notes; "" any */
} rows[] = {
    {"all succeeded, nothing found", "50", "COMPLETE", MAMMO SUMMARY("111241") DETECTED("111222") ANALYSED("111225"), SPD_AI_NEGATIVE, "", ""},
    {"nothing found, by the summary alone", "50", "COMPLETE", MAMMO SUMMARY("111241"), SPD_AI_NEGATIVE, "", ""},
    {"nothing found, but nothing was attempted", "50", "COMPLETE", MAMMO SUMMARY("111241") DETECTED("111225") ANALYSED("111225"), SPD_AI_NOT_ANALYSED, "", "nothing says"},
    {"nothing found, but a detection failed", "50", "COMPLETE", MAMMO SUMMARY("111241") DETECTED("111224") ANALYSED("111225"), SPD_AI_NOT_ANALYSED, "", "not all algorithms"},
    {"nothing found, and no detection was attempted", "50", "COMPLETE", MAMMO SUMMARY("111241") DETECTED("111225") ANALYSED("111222"), SPD_AI_NOT_ANALYSED, "", "nothing was looked for"},
    {"nothing found, but a second detection failed", "50", "COMPLETE", MAMMO SUMMARY("111241") DETECTED("111222") DETECTED("111224"), SPD_AI_NOT_ANALYSED, "", "not all algorithms"},
    {"nothing found, but a failed one is named", "50", "COMPLETE", MAMMO SUMMARY("111241") DETECTED("111222") "  CONTAINER 111025/DCM/Failed Detections\n   CODE 111022/DCM/Detection Performed = F-01775/SRT/Calcification Cluster\n", SPD_AI_NOT_ANALYSED, "", "not all algorithms"},
    {"two summaries that differ", "50", "COMPLETE", MAMMO SUMMARY("111241") SUMMARY("111242") DETECTED("111222"), SPD_AI_NOT_ANALYSED, "", "contradict each other"},
    {"nothing found, but partial", "50", "PARTIAL", MAMMO SUMMARY("111241") DETECTED("111222"), SPD_AI_NOT_ANALYSED, "", "not complete"},
    {"nothing found, what was looked for", "50", "COMPLETE", MAMMO SUMMARY("111241") DETECTED("111222") "  CONTAINER 111063/DCM/Successful Detections\n   CODE 111022/DCM/Detection Performed = F-01775/SRT/Calcification Cluster\n", SPD_AI_NEGATIVE, "calcification-cluster=absent", ""},
    {"found", "50", "COMPLETE", MAMMO LIBRARY SUMMARY("111242") IMPRESSION MASS ON_LEFT DETECTED("111222"), SPD_AI_POSITIVE, "breast-mass=present/breast/left", ""},
    {"found on both sides", "50", "COMPLETE", MAMMO LIBRARY SUMMARY("111242") IMPRESSION MASS ON_LEFT ON_RIGHT DETECTED("111222"), SPD_AI_POSITIVE, "breast-mass=present/breast/bilateral", ""},
    {"found, with a probability in percent", "50", "COMPLETE", MAMMO SUMMARY("111242") IMPRESSION MASS "    NUM 111047/DCM/Probability of cancer = 83 %\n", SPD_AI_POSITIVE, "breast-mass=present@830000", ""},
    {"found, in a probability of nothing", "50", "COMPLETE", MAMMO SUMMARY("111242") IMPRESSION MASS "    NUM 111047/DCM/Probability of cancer = 1.7 1\n", SPD_AI_POSITIVE, "breast-mass=present", "outside 0 to 1"},
    {"found, not all succeeded", "50", "COMPLETE", MAMMO SUMMARY("111244") IMPRESSION MASS, SPD_AI_POSITIVE, "breast-mass=present", "not all algorithms"},
    {"found, though partial", "50", "PARTIAL", MAMMO SUMMARY("111242") IMPRESSION MASS, SPD_AI_POSITIVE, "breast-mass=present", "partial"},
    {"nothing found, not all succeeded", "50", "COMPLETE", MAMMO SUMMARY("111243") DETECTED("111223"), SPD_AI_NOT_ANALYSED, "", "not all algorithms"},
    {"none succeeded", "50", "COMPLETE", MAMMO SUMMARY("111245") DETECTED("111224"), SPD_AI_FAILED, "", ""},
    {"none succeeded, and yet found", "50", "COMPLETE", MAMMO SUMMARY("111245") IMPRESSION MASS, SPD_AI_POSITIVE, "breast-mass=present", "says that there are no findings"},
    {"without findings, and yet found", "50", "COMPLETE", MAMMO SUMMARY("111241") IMPRESSION MASS, SPD_AI_POSITIVE, "breast-mass=present", "says that there are no findings"},
    {"with findings, and none listed", "50", "COMPLETE", MAMMO SUMMARY("111242") DETECTED("111222"), SPD_AI_POSITIVE, "", "none is listed"},
    {"what failed is named", "50", "COMPLETE", MAMMO SUMMARY("111243") DETECTED("111223") "  CONTAINER 111025/DCM/Failed Detections\n   CODE 111022/DCM/Detection Performed = F-01775/SRT/Calcification Cluster\n", SPD_AI_NOT_ANALYSED, "", "failed: Calcification Cluster"},
    {"not for presentation, at the finding", "50", "COMPLETE", MAMMO SUMMARY("111242") IMPRESSION MASS HIDDEN4 DETECTED("111222"), SPD_AI_NOT_ANALYSED, "breast-mass=unclear", "not for presentation"},
    {"not for presentation, at the impression", "50", "COMPLETE", MAMMO SUMMARY("111242") IMPRESSION HIDDEN3 MASS DETECTED("111222"), SPD_AI_NOT_ANALYSED, "breast-mass=unclear", "not for presentation"},
    {"one hidden, one to be shown", "50", "COMPLETE", MAMMO SUMMARY("111242") IMPRESSION MASS HIDDEN4 IMPRESSION CLUSTER DETECTED("111222"), SPD_AI_POSITIVE, "breast-mass=unclear;calcification-cluster=present", ""},
    {"presentation optional counts", "50", "COMPLETE", MAMMO SUMMARY("111242") IMPRESSION MASS "    CODE 111056/DCM/Rendering Intent = 111151/DCM/Presentation Optional\n", SPD_AI_POSITIVE, "breast-mass=present", ""},
    {"evidence of another kind is listed", "50", "COMPLETE", MAMMO LIBRARY SUMMARY("111242") IMPRESSION CLUSTER "    CODE 111059/DCM/Single Image Finding = F-01776/SRT/Individual Calcification\n     SCOORD 111010/DCM/Center = POINT\n      REF 1.1.1\n", SPD_AI_POSITIVE, "calcification-cluster=present/breast/right;breast-calcification=present/breast/right", ""},
    {"evidence of the same kind is not", "50", "COMPLETE", MAMMO SUMMARY("111242") IMPRESSION MASS "    CODE 111059/DCM/Single Image Finding = 129788004/SCT/Mammographic breast mass\n", SPD_AI_POSITIVE, "breast-mass=present", ""},
    {"a code that nobody mapped", "50", "COMPLETE", MAMMO SUMMARY("111242") IMPRESSION "   CODE 111059/DCM/Single Image Finding = 129793001/SCT/Mammography breast density\n", SPD_AI_POSITIVE, "?=present", "not in the code map"},
    {"a code that means something else", "50", "COMPLETE", MAMMO SUMMARY("111242") IMPRESSION "   CODE 111059/DCM/Single Image Finding = 129788004/SCT/Pneumothorax\n", SPD_AI_POSITIVE, "?=present", "contradicts"},
    {"no summary, found", "50", "COMPLETE", MAMMO " CODE 111059/DCM/Single Image Finding = 129788004/SCT/Mammographic breast mass\n", SPD_AI_POSITIVE, "breast-mass=present", ""},
    {"no summary, nothing found", "50", "COMPLETE", MAMMO DETECTED("111222"), SPD_AI_NOT_ANALYSED, "", "no summary"},
    {"a summary that nobody knows", "50", "COMPLETE", MAMMO SUMMARY("111299") DETECTED("111222"), SPD_AI_NOT_ANALYSED, "", "no summary"},
    {"a summary of another scheme", "50", "COMPLETE", MAMMO " CODE 111017/DCM/Summary = 111241/99ACME/without findings\n" DETECTED("111222"), SPD_AI_NOT_ANALYSED, "", "no summary"},
    {"a report without content", "50", "COMPLETE", MAMMO, SPD_AI_NOT_ANALYSED, "", "no summary"},
    {"chest: the modifier says what it is", "65", "COMPLETE", CHEST SUMMARY("111242") "  CODE 111015/DCM/Composite Feature = 112033/DCM/Abnormal opacity\n   CODE 112023/DCM/Composite Feature Modifier = 27925004/SCT/Nodule\n   NUM 111011/DCM/Certainty of Feature = 85 %\n", SPD_AI_POSITIVE, "lung-nodule=present@850000", ""},
    {"chest: without a modifier", "65", "COMPLETE", CHEST SUMMARY("111242") "  CODE 111015/DCM/Composite Feature = 112033/DCM/Abnormal opacity\n", SPD_AI_POSITIVE, "lung-opacity=present", ""},
    {"a nodule is one of the lung in a chest report only", "69", "COMPLETE", COLON SUMMARY("111242") "  CODE 111059/DCM/Single Image Finding = 27925004/SCT/Nodule\n", SPD_AI_POSITIVE, "?=present", ""},
    {"colon", "69", "COMPLETE", COLON SUMMARY("111242") "  CODE 111015/DCM/Composite Feature = 68496003/SCT/Polyp of colon\n", SPD_AI_POSITIVE, "colon-polyp=present", ""},
    {"a CAD report as Comprehensive SR", "33", "COMPLETE", CHEST SUMMARY("111241") DETECTED("111222"), SPD_AI_NEGATIVE, "", ""},
    {"TID 1500 words in a CAD report say nothing", "50", "COMPLETE", MAMMO " CONTAINER 125007/DCM/Measurement Group\n  CODE 121071/DCM/Finding = 36118008/SCT/Pneumothorax\n  CODE 121071/DCM/Finding = 272519000/SCT/Absent\n", SPD_AI_NOT_ANALYSED, "", "no summary"},
    {"a reference to nowhere", "50", "COMPLETE", MAMMO SUMMARY("111242") IMPRESSION MASS "    SCOORD 111010/DCM/Center = POINT\n     REF 1.9.9\n", SPD_AI_POSITIVE, "breast-mass=present", ""},
    {"a reference back up (a cycle)", "50", "COMPLETE", MAMMO SUMMARY("111242") IMPRESSION MASS "    SCOORD 111010/DCM/Center = POINT\n     REF 1.1.1.1\n    REF 1\n", SPD_AI_POSITIVE, "breast-mass=present", ""},
};

static struct spd_codes *codes;

static void describe(const struct spd_result *r, struct spd_str *out)
{
    for (size_t i = 0; i < r->findings.n; i++) {
        const struct spd_finding *f = &r->findings.v[i];
        spd_str_addf(out, "%s%.*s=%s", i ? ";" : "", SPD_SV_ARG(f->concept.len ? f->concept : SPD_SV("?")), spd_present_names[f->present]);
        if (f->site.len) spd_str_addf(out, "/%.*s", SPD_SV_ARG(f->site));
        if (f->laterality.len) spd_str_addf(out, "/%.*s", SPD_SV_ARG(f->laterality));
        if (f->probability >= 0) spd_str_addf(out, "@%d", (int)f->probability);
    }
}

static void read_tree(const char *sop_class, const char *completion, const char *tree, struct spd_reading *ret, struct spd_arena *arena)
{
    struct spd_str bytes = SPD_STR_INIT(1 << 20), flat = SPD_STR_INIT(1 << 20);
    struct spd_err err = {0};
    struct spd_dcm d;
    struct spd_sr_doc doc, *again = SPD_NEW(arena, struct spd_sr_doc);
    sr_file(&bytes, sop_class, "1.2.3.6", "ACC1", "ZZ1", completion, tree);
    if (spd_dcm_parse(spd_arena_dup(arena, spd_str_sv(&bytes)), &d, arena, &err)) fail_msg("%s %s", err.place, err.text);
    spd_sr_doc_build(&d, &doc, arena);
    spd_sr_doc_encode(&doc, &flat);
    assert_int_equal(spd_sr_doc_decode(spd_arena_dup(arena, spd_str_sv(&flat)), again, arena, &err), SPD_OK);
    assert_int_equal(spd_result_read(again, codes, ret, arena), SPD_READ_RESULT);
    spd_str_done(&bytes), spd_str_done(&flat);
}

static void cad_is_read_as_its_summary_says(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *t = &rows[i];
        struct spd_arena *arena = spd_arena_new((size_t)32 << 20);
        struct spd_reading got;
        struct spd_str said = SPD_STR_INIT(4096);
        read_tree(t->sop_class, t->completion, t->tree, &got, arena);
        const struct spd_result *r = &got.results[0];
        bool noted = !*t->note;
        for (size_t k = 0; k < r->notes.n; k++) noted |= spd_sv_find(r->notes.v[k], spd_sv_from(t->note), NULL);
        describe(r, &said);
        if (got.n_results != 1 || (enum spd_ai_state)r->state != t->state || !noted || !spd_sv_is(spd_str_sv(&said), t->findings)) {
            printf("%s: %s, %s, why %.*s%s\n", t->name, spd_ai_state_names[r->state], said.ptr ? said.ptr : "", SPD_SV_ARG(got.why), noted ? "" : ", note missing");
            wrong++;
        }
        if (r->state != SPD_AI_POSITIVE && r->state != SPD_AI_NEGATIVE && !got.why.len) fail_msg("%s: no reason", t->name);
        spd_str_done(&said);
        spd_arena_free(arena);
    }
    assert_int_equal(wrong, 0);
}

/* Taking one statement away never turns a report into a negative one. */
static void less_is_never_negative(void **state)
{
    (void)state;
    size_t tried = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *t = &rows[i];
        if (t->state == SPD_AI_NEGATIVE) continue;
        for (const char *p = t->tree; (p = strchr(p, '\n')) && p[1];) {
            const char *begin = ++p, *end = strchr(begin, '\n');
            size_t depth = strspn(begin, " ");
            while (end && end[1] && strspn(end + 1, " ") > depth) end = strchr(end + 1, '\n'); /* with what is below */
            struct spd_str less = SPD_STR_INIT(1 << 16);
            struct spd_arena *arena = spd_arena_new((size_t)32 << 20);
            struct spd_reading got;
            spd_str_add(&less, spd_sv_of(t->tree, (size_t)(begin - t->tree)));
            if (end) spd_str_addz(&less, end + 1);
            read_tree(t->sop_class, t->completion, less.ptr, &got, arena);
            bool summary_gone = strstr(t->tree, "111241") && !strstr(less.ptr, "111241");
            /* a failed or missing summary of detections is a part of the negative itself, see the rows */
            if (got.results[0].state == SPD_AI_NEGATIVE && (summary_gone || !strstr(t->tree, "111241")))
                fail_msg("%s without %.40s is negative", t->name, begin);
            tried++;
            spd_str_done(&less);
            spd_arena_free(arena);
        }
    }
    assert_true(tried > 100);
}

static int load(void **state)
{
    (void)state;
    return spd_codes_load_dir(SPOED_SOURCE_DIR "/packaging/share/codes", NULL, &codes, NULL) != SPD_OK;
}

static int unload(void **state)
{
    (void)state;
    spd_codes_free(codes);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cad_is_read_as_its_summary_says), cmocka_unit_test(less_is_never_negative)};
    return cmocka_run_group_tests(tests, load, unload);
}
