/* tests/unit/test_hl7map_profiles.c: every profile that a destination may name: what it changes,
 * what it refuses, and that no content of ours, however hostile, starts a segment, field or
 * component of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "hl7/map/map.h"

static struct spd_item item_a1 = {.id = 1,
                                  .accession = {SPD_SV("A1"), SPD_SV("ZH")},
                                  .placer = {SPD_SV("P1"), SPD_SV("ZH")},
                                  .filler = {SPD_SV("F1"), SPD_SV("ZH")},
                                  .modality = SPD_SV("CT")};

static struct hl7_out_options options(const char *profile)
{
    struct hl7_out_options o = {.control_id = SPD_SV("SPD1"),
                                .now = SPD_SEC((spd_usec)1773126900),
                                .zone = spd_zone_utc(),
                                .item = &item_a1};
    o.profile = profile ? hl7_profile_find(spd_sv_from(profile)) : NULL;
    assert_true(!profile || o.profile);
    return o;
}

#define HEAD(type) "MSH|^~\\&|RIS|ZH|SPOED|RAD|20260101||" type "|1|P|2.5.1\r"
#define OUT(type) "MSH|^~\\&|SPOED|RAD|RIS|ZH|20260310071500||" type "|SPD1|P|2.5.1\r"
static const struct {
    const char *name, *profile;
    unsigned fields;
    const char *obr_5, *source, *want; /* want NULL: refused */
} rows[] = {
    {"default", NULL, 0, NULL,
     HEAD("ORM^O01") "ORC|NW|P1|F1\rOBR|1|P1|F1|CT|R|||||||||||||A1\rZZ1|1\r",
     OUT("ORM^O01") "ORC|XO|P1|F1\rOBR|1|P1|F1|CT|S|||||||||||||A1\rZZ1|1\r"},
    {"SC", "sc", 0, NULL, HEAD("ORM^O01") "ORC|NW|P1|F1||IP\rOBR|1|P1|F1|CT|R|||||||||||||A1\r",
     OUT("ORM^O01") "ORC|SC|P1|F1||IP\rOBR|1|P1|F1|CT|S|||||||||||||A1\r"},
    {"XX", "xx", 0, NULL, HEAD("OMG^O19") "ORC|NW|P1|F1\rTQ1|1||||||||R\rOBR|1|P1|F1|CT\r",
     OUT("OMG^O19") "ORC|XX|P1|F1\rTQ1|1||||||||S\rOBR|1|P1|F1|CT\r"},
    {"ORM from ORM", "orm-xo", 0, NULL, HEAD("ORM^O01") "ORC|NW|P1|F1\rOBR|1|P1|F1|CT|R\r",
     OUT("ORM^O01") "ORC|XO|P1|F1\rOBR|1|P1|F1|CT|S\r"},
    {"ORM from OMI", "orm-xo", 0, NULL, HEAD("OMI^O23") "ORC|NW|P1|F1\rOBR|1|P1|F1|CT|R\r", NULL},
    {"OMI from ORM", "omi-xo", 0, NULL, HEAD("ORM^O01") "ORC|NW|P1|F1\rOBR|1|P1|F1|CT|R\r", NULL},
    {"OMI SC", "omi-sc", 0, NULL,
     HEAD("OMI^O23") "ORC|NW|P1|F1\rTQ1|1||||||||R\rOBR|1|P1|F1|CT\rIPC|A1\r",
     OUT("OMI^O23") "ORC|SC|P1|F1\rTQ1|1||||||||S\rOBR|1|P1|F1|CT\rIPC|A1\r"},
    {"OMG from OMI", "omg-xo", 0, NULL, HEAD("OMI^O23") "ORC|NW|P1|F1\rOBR|1|P1|F1|CT|R\r", NULL},
    {"one field of several", "xo", 1u << HL7_IN_OBR_5, NULL,
     HEAD("ORM^O01") "ORC|NW|P1|F1||||^^^^^R\rOBR|1|P1|F1|CT|R|||||||||||||A1\r",
     OUT("ORM^O01") "ORC|XO|P1|F1||||^^^^^R\rOBR|1|P1|F1|CT|S|||||||||||||A1\r"},
    {"fields that the source has not", "xo",
     1u << HL7_IN_OBR_5 | 1u << HL7_IN_ORC_7_6 | 1u << HL7_IN_OBR_27_6, NULL,
     HEAD("ORM^O01") "ORC|NW|P1|F1\rOBR|1|P1|F1|CT\r",
     OUT("ORM^O01") "ORC|XO|P1|F1||||^^^^^S\rOBR|1|P1|F1|CT|S||||||||||||||||||||||^^^^^S\r"},
    {"a TQ1 is added to every group of the order", "xo", 1u << HL7_IN_TQ1_9, NULL,
     HEAD("OMI^O23") "ORC|NW|P1|F1\rOBR|1|P1|F1|CT\rORC|NW|P1|F1\rOBR|2|P1|F1|CU\r",
     OUT("OMI^O23") "ORC|XO|P1|F1\rTQ1|1||||||||S\rOBR|1|P1|F1|CT\rORC|XO|P1|F1\rTQ1|1||||||||"
                    "S\rOBR|2|"
                    "P1|F1|CU\r"},
    {"TQ1 in an ORM of 2.5", "xo", 1u << HL7_IN_TQ1_9, NULL,
     HEAD("ORM^O01") "ORC|NW|P1|F1\rOBR|1|P1|F1|CT\r",
     OUT("ORM^O01") "ORC|XO|P1|F1\rTQ1|1||||||||S\rOBR|1|P1|F1|CT\r"},
    {"TQ1 in an ORM of 2.3", "xo", 1u << HL7_IN_TQ1_9, NULL,
     "MSH|^~\\&|RIS|ZH|SPOED|RAD|20260101||ORM^O01|1|P|2.3\rORC|NW|P1|F1\rOBR|1|P1|F1|CT\r", NULL},
    {"words of its own", "xo", 1u << HL7_IN_OBR_5 | 1u << HL7_IN_ORC_7_6, "STAT",
     HEAD("ORM^O01") "ORC|NW|P1|F1\rOBR|1|P1|F1|CT|ROUTINE\r",
     OUT("ORM^O01") "ORC|XO|P1|F1||||^^^^^S\rOBR|1|P1|F1|CT|STAT\r"},
    {"a report's profile", "mdm-t02", 0, NULL, HEAD("ORM^O01") "ORC|NW|P1|F1\rOBR|1|P1|F1|CT\r",
     NULL},
};

static void priorities_by_profile(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hl7_out_options o = options(rows[i].profile);
        struct spd_str out = SPD_STR_INIT(1 << 20);
        struct spd_err err = {0};
        o.fields = rows[i].fields;
        if (rows[i].obr_5) o.field_wire[HL7_IN_OBR_5] = spd_sv_from(rows[i].obr_5);
        enum spd_rc rc = hl7_map_priority(spd_sv_from(rows[i].source), SPD_SV("S"), &o, &out, &err);
        if (rows[i].want ? rc != SPD_OK || !spd_sv_is(spd_str_sv(&out), rows[i].want)
                         : rc != SPD_INVALID || out.len)
            fail_msg("%s: %s %s\n%s", rows[i].name, spd_rc_name(rc), err.text,
                     out.ptr ? out.ptr : "");
        spd_str_done(&out);
    }
}

static void headers_by_destination(void **state)
{
    struct hl7_out_options o = options("xo");
    struct spd_str out = SPD_STR_INIT(1 << 20);
    (void)state;
    o.msh_11 = SPD_SV("T"), o.msh_12 = SPD_SV("2.4"), o.ask_application = true;
    assert_int_equal(hl7_map_priority(SPD_SV(HEAD("ORM^O01") "ORC|NW|P1\rOBR|1|P1||CT|R\r"),
                                      SPD_SV("S"), &o, &out, NULL),
                     SPD_OK);
    assert_true(spd_sv_starts(
        spd_str_sv(&out),
        SPD_SV("MSH|^~\\&|SPOED|RAD|RIS|ZH|20260310071500||ORM^O01|SPD1|T|2.4|||AL|AL\r")));
    spd_str_done(&out);
}

static const char source[] =
    HEAD("OMI^O23^OMI_O23") "PID|1||ZZ1^^^ZH||ZZCANARY^Test\rPV1|1|E|SEH\r"
                            "ORC|NW|P1|F1||IP\rTQ1|1||||||||R\rOBR|2|P1|F1|CTHERS^CT "
                            "hersenen^L||||||||||||||A1||||||CT\rZDS|1.2.3\r";

static void a_report_as_mdm(void **state)
{
    struct hl7_out_options o = options("mdm-t02");
    struct spd_str out = SPD_STR_INIT(1 << 20);
    (void)state;
    assert_int_equal(hl7_map_report(spd_sv_from(source), SPD_SV("Geen bloeding.\nKlaar."),
                                    SPD_SV("F"), SPD_SV("smit"), &o, &out, NULL),
                     SPD_OK);
    assert_string_equal(
        out.ptr, OUT("MDM^T02^MDM_T02") "EVN|T02|20260310071500\rPID|1||ZZ1^^^ZH||ZZCANARY^"
                                        "Test\rPV1|1|E|SEH\r"
                                        "ORC|RE|P1|F1||IP\rOBR|2|P1|F1|CTHERS^CT "
                                        "hersenen^L||||||||||||||A1||||20260310071500||CT|F|||||||"
                                        "smit\rZDS|1.2.3\r"
                                        "TXA|1|DI|TX|20260310071500|smit|20260310071500|||smit|||"
                                        "SPD1||P1|F1||AU||AV|||smit\r"
                                        "OBX|1|TX|18782-3^Radiology report^LN||Geen "
                                        "bloeding.||||||F|||20260310071500\r"
                                        "OBX|2|TX|18782-3^Radiology "
                                        "report^LN||Klaar.||||||F|||20260310071500\r");
    spd_str_clear(&out);
    assert_int_equal(
        hl7_map_report(SPD_SV_NONE, SPD_SV("x"), SPD_SV("P"), SPD_SV("smit"), &o, &out, NULL),
        SPD_OK);
    assert_non_null(strstr(out.ptr, "|PA||AV\r")); /* not authenticated: nobody is named for it */
    spd_str_done(&out);
}

static struct spd_alert_out bleeding(enum spd_alert_phase phase)
{
    return (struct spd_alert_out){.phase = (int32_t)phase,
                                  .alert = 12,
                                  .at = SPD_SEC((spd_usec)1773126840),
                                  .started = SPD_SEC((spd_usec)1773126780),
                                  .result_at = SPD_SEC((spd_usec)1773126720),
                                  .concept = SPD_SV("intracranial-hemorrhage"),
                                  .concept_nl = SPD_SV("intracraniële bloeding"),
                                  .concept_en = SPD_SV("intracranial haemorrhage"),
                                  .code = {SPD_SV("1386000"), SPD_SV("SCT"), SPD_SV("ICH")},
                                  .level = 1,
                                  .level_name = SPD_SV("critical"),
                                  .model = SPD_SV("ich-a 2.1.0"),
                                  .study_uid = SPD_SV("1.2.3")};
}

static void an_alert_as_r40(void **state)
{
    struct hl7_out_options o = options(NULL);
    struct spd_alert_out x = bleeding(SPD_PHASE_START);
    struct spd_str out = SPD_STR_INIT(1 << 20);
    (void)state;
    assert_int_equal(hl7_map_alert(spd_sv_from(source), &x, &o, &out, NULL), SPD_OK);
#define FACET(n, type, code, value)                                                                \
    "OBX|" n "|" type "|" code "|1.0.0.0." n "|" value "||||||R|||20260310071400\r"
    assert_string_equal(
        out.ptr,
        "MSH|^~\\&|SPOED|RAD|RIS|ZH|20260310071500||ORU^R40^ORU_R40|SPD1|P|2.6\r"
        "PID|1||ZZ1^^^ZH||ZZCANARY^Test\rPV1|1|E|SEH\rORC|RE|P1|F1\r"
        "OBR|1|P1|12^SPOED|196616^MDC_EVT_ALARM^MDC|||20260310071300|||||||||||A1||||"
        "20260310071400||CT|R\r"
        "OBX|1|CWE|196616^MDC_EVT_ALARM^MDC|1.0.0.0.1|1386000^ICH^SCT^intracranial-hemorrhage^"
        "intracranial "
        "haemorrhage^99SPOED|||PH~SP|||R|||20260310071400\r" FACET(
            "2", "ST", "68480^MDC_ATTR_ALERT_SOURCE^MDC",
            "AI ich-a 2.1.0") FACET("3", "ST", "68481^MDC_ATTR_EVENT_PHASE^MDC", "start")
            FACET("4", "ST", "68482^MDC_ATTR_ALARM_STATE^MDC", "active")
                FACET("5", "ST", "68483^MDC_ATTR_ALARM_INACTIVATION_STATE^MDC",
                      "enabled") FACET("6", "ST", "68484^MDC_ATTR_ALARM_PRIORITY^MDC", "PH")
                    FACET("7", "ST", "68485^MDC_ATTR_ALERT_TYPE^MDC", "SP")
                        FACET("8", "CWE", "reading^Reading state^99SPOED",
                              "unread^AI, before a radiologist has read^99SPOED")
                            FACET("9", "ST", "phase^Alert phase^99SPOED", "start")
                                FACET("10", "ST", "level^Level^99SPOED", "critical")
                                    FACET("11", "TS", "result-time^Time of the AI result^99SPOED",
                                          "20260310071200")
                                        FACET("12", "TS", "paged-since^Paging began^99SPOED",
                                              "20260310071300")
                                            FACET("13", "ST", "113014^DICOM Study^DCM", "1.2.3"));
    spd_str_done(&out);
}

static void every_phase_in_both_forms(void **state)
{
    static const struct {
        enum spd_alert_phase phase;
        const char *acm, *inactivation, *status;
    } want[] = {{SPD_PHASE_START, "|start|", "|enabled|", "||||||R|"},
                {SPD_PHASE_ACKNOWLEDGED, "|continue|", "|alert-acknowledged|", "||||||R|"},
                {SPD_PHASE_REOPENED, "|continue|", "|enabled|", "||||||R|"},
                {SPD_PHASE_CORRECTED, "|update|", "|enabled|", "||||||R|"},
                {SPD_PHASE_WITHDRAWN, "|end|", "|inactive|", "||||||D|"},
                {SPD_PHASE_RESOLVED, "|end|", "|inactive|", "||||||R|"}};
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        for (int form = 0; form < 2; form++) {
            struct hl7_out_options o = options(form ? "oru-r01-alert" : "oru-r40");
            struct spd_alert_out x = bleeding(want[i].phase);
            struct spd_str out = SPD_STR_INIT(1 << 20);
            char own[64];
            x.read = form, x.by = SPD_SV("smit"), o.dutch = true;
            snprintf(own, sizeof own, "phase^Alert phase^99SPOED|1.0.0.0.%s|%s|", form ? "4" : "9",
                     spd_alert_phase_names[want[i].phase]);
            assert_int_equal(hl7_map_alert(spd_sv_from(source), &x, &o, &out, NULL), SPD_OK);
            if (!strstr(out.ptr, own) || !strstr(out.ptr, want[i].status) ||
                (!form &&
                 (!strstr(out.ptr, want[i].acm) || !strstr(out.ptr, want[i].inactivation))))
                fail_msg("%s:\n%s", own, out.ptr);
            assert_non_null(
                strstr(out.ptr, form ? "opened^AI; een radioloog heeft het onderzoek geopend"
                                     : "unread^AI, voordat een radioloog"));
            assert_null(strstr(out.ptr, "|F|||2026")); /* never final */
            assert_null(strstr(out.ptr, "|CT|F"));
            assert_non_null(strstr(out.ptr, "|smit|"));
            assert_non_null(strstr(out.ptr, form ? "ORU^R01|" : "ORU^R40^ORU_R40|"));
            spd_str_done(&out);
        }
}

/* ---- injection
 * ----------------------------------------------------------------------------------- */
static uint32_t seed = 99;
static uint32_t rnd(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
    return seed % n;
}

/* Text that wants to be structure: delimiters, segment ends, frame bytes, escapes, other character
 * sets, NUL. Begins and ends with a letter, since outer blanks are trimmed from what is read. */
static spd_sv hostile(struct spd_arena *a)
{
    static const char *const parts[] = {"|",
                                        "^",
                                        "~",
                                        "\\",
                                        "&",
                                        "\r",
                                        "\n",
                                        "\r\n",
                                        "\x0b",
                                        "\x1c",
                                        "\x1c\r",
                                        "\x01",
                                        "\\.br\\",
                                        "\\X0D\\",
                                        "\\F\\",
                                        "\rOBX|1|ST|",
                                        "\rMSH|^~\\&|",
                                        "\xC3\xAB",
                                        "a",
                                        " ",
                                        "OBX|",
                                        "\"\"",
                                        "\xE2\x80\x9C"};
    char *p = spd_arena_must(a, 400);
    size_t n = 0;
    p[n++] = 'x';
    for (uint32_t k = rnd(14); k; k--) {
        uint32_t which = rnd(sizeof parts / sizeof *parts + 1);
        const char *part = which < sizeof parts / sizeof *parts ? parts[which] : NULL;
        size_t len = part ? strlen(part) : 1;
        memcpy(p + n, part ? part : "", len); /* the last one is a NUL byte */
        n += len;
    }
    p[n++] = 'y';
    return spd_sv_of(p, n);
}

struct shape { /* of a message: its segments, and fields and components of each */
    size_t n;
    char id[64][4];
    unsigned fields[64], parts[64];
};

static void shape_of(const struct hl7_msg *m, struct shape *ret)
{
    uint32_t marks[4096];
    ret->n = m->n_segs;
    assert_true(m->n_segs <= 64);
    assert_int_equal(m->joined, 0);
    for (size_t i = 0; i < m->n_segs; i++) {
        size_t n = hl7_seg_tokens(m, &m->segs[i], marks, 4096);
        memcpy(ret->id[i], m->segs[i].id, 4);
        ret->fields[i] = 0;
        ret->parts[i] = (unsigned)n;
        for (size_t k = 0; k < n; k++)
            ret->fields[i] += HL7_MARK_KIND(marks[k]) == HL7_END_FIELD;
    }
}

struct made { /* one message by one profile; every text ours */
    const struct hl7_profile *profile;
    bool own; /* no source message: made from the item */
    spd_sv text[24];
};

/* lines: how many lines the report text has; the texts in order of use. */
static enum spd_rc make(const struct made *t, struct spd_arena *a, struct spd_str *out,
                        struct spd_err *err)
{
    const spd_sv *v = t->text;
    struct spd_item item = {.id = 1,
                            .accession = {SPD_SV("A1"), SPD_SV("ZH")},
                            .placer = {SPD_SV("P1"), SPD_SV("ZH")},
                            .filler = {SPD_SV("F1"), SPD_SV("ZH")}};
    struct hl7_out_options o = {.control_id = v[0],
                                .msh_3 = v[1],
                                .msh_4 = v[2],
                                .msh_5 = v[3],
                                .msh_6 = v[4],
                                .msh_11 = v[5],
                                .now = SPD_SEC((spd_usec)1773126900),
                                .zone = spd_zone_utc(),
                                .item = &item,
                                .profile = t->profile};
    spd_sv from = t->own ? SPD_SV_NONE : spd_sv_from(source);
    if (t->own) {
        struct spd_cx *id = SPD_LIST_PUSH(&item.patient.ids, a);
        struct spd_code *code = SPD_LIST_PUSH(&item.procedures, a);
        id->value = v[6], id->authority = v[7], item.patient.name = v[8];
        item.patient.birth_date = v[9], item.patient.sex = v[10];
        item.accession.value = v[11], item.placer.value = v[12], item.placer.authority = v[13];
        item.filler.value = v[14], item.modality = v[15];
        code->code = v[16], code->text = v[17], code->scheme = v[18];
    }
    if (t->profile->event == HL7_OUT_PRIORITY) {
        o.fields = 15;
        o.field_wire[HL7_IN_OBR_5] = v[20];
        return hl7_map_priority(from, v[19], &o, out, err);
    }
    if (t->profile->event == HL7_OUT_REPORT)
        return hl7_map_report(from, v[19], v[20], v[21], &o, out, err);
    struct spd_alert_out x = bleeding((enum spd_alert_phase)(1 + rnd(SPD_ALERT_PHASE_N - 1)));
    x.concept = v[19], x.concept_en = v[20], x.code = (struct spd_code){v[21], v[22], v[23]};
    x.site = v[6], x.laterality = v[7], x.study_uid = v[8], x.level_name = v[9], x.model = v[10];
    x.by = v[11];
    return hl7_map_alert(from, &x, &o, out, err);
}

static void parse(struct hl7_msg *m, const struct spd_str *s, struct spd_arena *a,
                  const char *profile)
{
    struct spd_err err = {0};
    if (hl7_msg_parse(m, spd_str_sv(s), a, &err))
        fail_msg("%s: %s: %s\n%s", profile, err.place, err.text, s->ptr);
}

/* A NUL byte is written as \X00\ and stays that for our own reader, which makes no NUL of anything.
 */
static spd_sv without_nul(spd_sv text, struct spd_arena *a)
{
    struct spd_str s = SPD_STR_INIT(4096);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i])
            spd_str_addc(&s, text.ptr[i]);
        else
            spd_str_addz(&s, "\\X00\\");
    spd_sv ret = spd_arena_dup(a, spd_str_sv(&s));
    spd_str_done(&s);
    return ret;
}

/* Is that text, unescaped, some component of some field? */
static bool reads_back(const struct hl7_msg *m, spd_sv want, struct spd_arena *a)
{
    want = without_nul(want, a);
    for (size_t i = 0; i < m->n_segs; i++)
        for (unsigned f = 1; f < 40; f++)
            for (unsigned c = 1; c < 7; c++) {
                struct hl7_value v = hl7_get(m, &m->segs[i], f, 1, c, 1);
                if (v.is == HL7_VALUE && !(i == 0 && f < 3) &&
                    spd_sv_eq(hl7_unescape(m, v.raw, NULL, NULL, a), want))
                    return true;
            }
    return false;
}

static void no_content_is_structure(void **state)
{
    struct spd_arena *a = spd_arena_new(64 << 20);
    size_t n = 0;
    (void)state;
    for (const struct hl7_profile *p = hl7_profiles; p->name; p++)
        for (int round = 0; round < 400; round++)
            for (int own = 0; own < 2; own++) {
                struct made plain = {.profile = p, .own = own}, evil = plain;
                struct spd_str a1 = SPD_STR_INIT(1 << 20), a2 = SPD_STR_INIT(1 << 20);
                struct hl7_msg m1, m2;
                struct shape s1, s2;
                struct spd_err err = {0};
                uint32_t same;
                spd_arena_reset(a);
                if (p->event == HL7_OUT_PRIORITY && (own || (p->type && strcmp(p->type, "OMI"))))
                    continue;
                for (int i = 0; i < 24; i++) {
                    plain.text[i] = SPD_SV("plain"), evil.text[i] = hostile(a);
                    if (p->event != HL7_OUT_REPORT || i != 19) continue;
                    for (size_t k = 0; k < evil.text[i].len;
                         k++) /* its lines are counted, not its bytes */
                        if (evil.text[i].ptr[k] == '\n')
                            ((char *)(uintptr_t)evil.text[i].ptr)[k] = '\t';
                }
                same = seed;
                assert_int_equal(make(&plain, a, &a1, &err), SPD_OK);
                seed = same; /* the same phase */
                if (make(&evil, a, &a2, &err)) fail_msg("%s: %s %s", p->name, err.place, err.text);
                assert_null(memchr(a2.ptr, 0, a2.len));
                assert_null(memchr(a2.ptr, 0x0b, a2.len));
                assert_null(memchr(a2.ptr, 0x1c, a2.len));
                assert_null(memchr(a2.ptr, '\n', a2.len));
                parse(&m1, &a1, a, p->name), parse(&m2, &a2, a, p->name);
                shape_of(&m1, &s1), shape_of(&m2, &s2);
                if (memcmp(s1.fields, s2.fields, s1.n * sizeof *s1.fields) || s1.n != s2.n ||
                    memcmp(s1.id, s2.id, s1.n * sizeof *s1.id) ||
                    memcmp(s1.parts, s2.parts, s1.n * sizeof *s1.parts))
                    fail_msg("%s: another shape\n%s\n%s", p->name, a1.ptr, a2.ptr);
                if (own) /* in UTF-8: what goes in comes out */
                    for (int i = 0; i < 5; i++)
                        if (!reads_back(&m2, evil.text[i], a))
                            fail_msg("%s: text %d is lost\n%.*s\n%s", p->name, i,
                                     SPD_SV_ARG(evil.text[i]), a2.ptr);
                n++;
                spd_str_done(&a1), spd_str_done(&a2);
            }
    print_message("%zu hostile messages\n", n);
    assert_true(n > 3000);
    spd_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(priorities_by_profile),     cmocka_unit_test(headers_by_destination),
        cmocka_unit_test(a_report_as_mdm),           cmocka_unit_test(an_alert_as_r40),
        cmocka_unit_test(every_phase_in_both_forms), cmocka_unit_test(no_content_is_structure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
