/* What we send: the priority write-back changes only the mapped fields of the right order, a report
 * names only its order, and no content of ours can start a segment or a component. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "hl7/map/map.h"

static const struct spd_item item_a1 = {.accession = {SPD_SV("A1"), SPD_SV("ZH")},
                                        .placer = {SPD_SV("P1"), SPD_SV("ZH")},
                                        .filler = {SPD_SV("F1"), SPD_SV("ZH")}};

static struct hl7_out_options options(const struct spd_item *item)
{
    return (struct hl7_out_options){.control_id = SPD_SV("SPD1"),
                                    .now = SPD_SEC((spd_usec)1773126900),
                                    .zone = spd_zone_utc(),
                                    .item = item};
}

#define HEAD "MSH|^~\\&|RIS|ZH|SPOED|RAD|20260101||"
#define HEAD_OUT "MSH|^~\\&|SPOED|RAD|RIS|ZH|20260310071500||"
static const struct {
    const char *name, *source, *want;
} rows[] = {
    {"OBR-27.6",
     HEAD "ORM^O01|1|P|2.3\rPID|1\rORC|NW|P1|F1\rOBR|1|P1|F1|CT||||||||||||||A1|||||||||^^^2026^^"
          "R\rZZ1|x|\r",
     HEAD_OUT "ORM^O01|SPD1|P|2.3\rPID|1\rORC|XO|P1|F1\rOBR|1|P1|F1|CT||||||||||||||A1|||||||||^^^"
              "2026^^S\rZZ1|x|\r"},
    {"all that it has",
     HEAD
     "ORM^O01|1|P|2.3\rORC|NW|P1|F1||||^^^^^R\rOBR|1|P1|F1|CT|R|||||||||||||A1|||||||||^^^^^R\r",
     HEAD_OUT "ORM^O01|SPD1|P|2.3\rORC|XO|P1|F1||||^^^^^S\rOBR|1|P1|F1|CT|S|||||||||||||A1|||||||||"
              "^^^^^S\r"},
    {"every repetition",
     HEAD "ORM^O01|1|P|2.3\rORC|NW|P1|F1||||^^^^^R~^^^x~^^^^^R&y\rOBR|1|P1|F1|CT||||||||||||||A1\r",
     HEAD_OUT
     "ORM^O01|SPD1|P|2.3\rORC|XO|P1|F1||||^^^^^S~^^^x~^^^^^S\rOBR|1|P1|F1|CT||||||||||||||A1\r"},
    {"TQ1-9",
     HEAD "OMI^O23|1|P|2.5.1\rORC|NW|P1|F1\rTQ1|1||||||||R^Routine\rOBR|1|P1|F1|CT\rIPC|A1|RP\r",
     HEAD_OUT "OMI^O23|SPD1|P|2.5.1\rORC|XO|P1|F1\rTQ1|1||||||||S\rOBR|1|P1|F1|CT\rIPC|A1|RP\r"},
    {"none: ORM gets ORC-7.6", HEAD "ORM^O01|1|P|2.3\rORC|NW|P1|F1\rOBR|1|P1|F1|CT\r",
     HEAD_OUT "ORM^O01|SPD1|P|2.3\rORC|XO|P1|F1||||^^^^^S\rOBR|1|P1|F1|CT\r"},
    {"none: OMI gets TQ1", HEAD "OMI^O23|1|P|2.5.1\rORC|NW|P1|F1\rOBR|1|P1|F1|CT\rIPC|A1|RP\r",
     HEAD_OUT "OMI^O23|SPD1|P|2.5.1\rORC|XO|P1|F1\rTQ1|1||||||||S\rOBR|1|P1|F1|CT\rIPC|A1|RP\r"},
    {"none: an empty TQ1 is filled",
     HEAD "OMG^O19|1|P|2.5.1\rORC|NW|P1|F1\rTQ1|1||||||2026\rOBR|1|P1|F1|CT\r",
     HEAD_OUT "OMG^O19|SPD1|P|2.5.1\rORC|XO|P1|F1\rTQ1|1||||||2026||S\rOBR|1|P1|F1|CT\r"},
    {"only its own group",
     HEAD "ORM^O01|1|P|2.3\rORC|NW|P0|F0\rOBR|1|P0|F0|CT|R|||||||||||||A0\rORC|NW|P1|F1\rOBR|2|P1|"
          "F1|CT|R|||||||||||||A1\r",
     HEAD_OUT "ORM^O01|SPD1|P|2.3\rORC|NW|P0|F0\rOBR|1|P0|F0|CT|R|||||||||||||A0\rORC|XO|P1|"
              "F1\rOBR|2|P1|F1|CT|S|||||||||||||A1\r"},
    {"two procedures of one order",
     HEAD "ORM^O01|1|P|2.3\rORC|NW|P1|F1\rOBR|1|P1|F1|CT|R|||||||||||||A1\rOBR|2|P1|F1|CU|R||||||||"
          "|||||A1\r",
     HEAD_OUT "ORM^O01|SPD1|P|2.3\rORC|XO|P1|F1\rOBR|1|P1|F1|CT|S|||||||||||||A1\rOBR|2|P1|F1|CU|S|"
              "||||||||||||A1\r"},
    {"by filler where it has no accession",
     HEAD "ORM^O01|1|P|2.3\rORC|NW|P1|F1\rOBR|1|P1|F1|CT|R\r",
     HEAD_OUT "ORM^O01|SPD1|P|2.3\rORC|XO|P1|F1\rOBR|1|P1|F1|CT|S\r"},
    {"line feeds stay", HEAD "ORM^O01|1|P|2.3\nORC|NW|P1|F1\nOBR|1|P1|F1|CT|R\n",
     HEAD_OUT "ORM^O01|SPD1|P|2.3\nORC|XO|P1|F1\nOBR|1|P1|F1|CT|S\n"},
    {"Latin-1 bytes and odd escapes stay",
     HEAD "ORM^O01|1|P|2.3\rPID|1||\xEB\\Q\\~\rORC|NW|P1|F1\rOBR|1|P1|F1|CT|R\r",
     HEAD_OUT "ORM^O01|SPD1|P|2.3\rPID|1||\xEB\\Q\\~\rORC|XO|P1|F1\rOBR|1|P1|F1|CT|S\r"},
    {"not this order", HEAD "ORM^O01|1|P|2.3\rORC|NW|P9|F9\rOBR|1|P9|F9|CT|R|||||||||||||A9\r",
     NULL},
    {"no ORC", HEAD "ORM^O01|1|P|2.3\rOBR|1|P1|F1|CT|R|||||||||||||A1\r", NULL},
    {"no message", "x", NULL},
};

static void writes_priority_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hl7_out_options o = options(&item_a1);
        struct spd_str out = SPD_STR_INIT(1 << 20);
        struct spd_err err = {0};
        enum spd_rc rc = hl7_map_priority(spd_sv_from(rows[i].source), SPD_SV("S"), &o, &out, &err);
        if (rows[i].want ? rc != SPD_OK || !spd_sv_is(spd_str_sv(&out), rows[i].want)
                         : rc != SPD_INVALID || out.len)
            fail_msg("%s: %s %s\n%s", rows[i].name, spd_rc_name(rc), err.text,
                     out.ptr ? out.ptr : "");
        spd_str_done(&out);
    }
}

static void takes_the_given_header(void **state)
{
    struct hl7_out_options o = options(&item_a1);
    struct spd_str out = SPD_STR_INIT(1 << 20);
    (void)state;
    o.msh_3 = SPD_SV("S|P"), o.msh_6 = SPD_SV("X");
    assert_int_equal(hl7_map_priority(SPD_SV("MSH|^~\\&|RIS|ZH|SPOED|RAD|20260101+0100||ORM^O01|1|"
                                             "P|2.3\rORC|NW|P1\rOBR|1|P1||CT|R\r"),
                                      SPD_SV("S"), &o, &out, NULL),
                     SPD_OK);
    assert_true(spd_sv_starts(
        spd_str_sv(&out),
        SPD_SV("MSH|^~\\&|S\\F\\P|RAD|RIS|X|20260310071500+0000||ORM^O01|SPD1|P|2.3\r")));
    spd_str_done(&out);
}

static uint32_t seed = 7;
static uint32_t rnd(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
    return seed % n;
}

/* A segment of random content that is no order, under a name nobody knows. */
static void add_noise(struct spd_str *s)
{
    static const char any[] = "abcXYZ019 ^~&\\|\xEB\"\n.-";
    spd_str_addf(s, "Z%c%c|", 'A' + rnd(26), 'A' + rnd(26));
    for (uint32_t n = rnd(40); n; n--)
        spd_str_addc(s, any[rnd(sizeof any - 1)]);
    spd_str_addc(s, '\r');
}

/* The same message built twice around a placeholder: what the write-back gives must be the second
 * one. */
static void all_other_bytes_are_equal(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        struct spd_str in = SPD_STR_INIT(1 << 16), want = SPD_STR_INIT(1 << 16),
                       out = SPD_STR_INIT(1 << 16);
        struct hl7_out_options o = options(&item_a1);
        uint32_t mine = rnd(3), noisy = rnd(1 << 20);
        for (int round = 0; round < 2; round++) {
            struct spd_str *s = round ? &want : &in;
            uint32_t keep = seed;
            seed = noisy + 1;
            spd_str_addz(s, round ? HEAD_OUT "ORM^O01|SPD1|P|2.3\r" : HEAD "ORM^O01|1|P|2.3\r");
            for (uint32_t g = 0; g < 3; g++) {
                if (rnd(2)) add_noise(s);
                bool it = g == mine;
                spd_str_addf(s, "ORC|%s|P%c|F%c||||^^^x^^%s\r", round && it ? "XO" : "NW",
                             it ? '1' : 'a' + (char)g, it ? '1' : 'a' + (char)g,
                             round && it ? "S" : "R");
                if (rnd(2)) add_noise(s);
                spd_str_addf(s, "OBR|1|P%c|F%c|CT|%s\r", it ? '1' : 'a' + (char)g,
                             it ? '1' : 'a' + (char)g, round && it ? "S" : "R");
                if (rnd(2)) add_noise(s);
            }
            seed = keep;
        }
        struct spd_err err = {0};
        if (hl7_map_priority(spd_str_sv(&in), SPD_SV("S"), &o, &out, &err) != SPD_OK)
            fail_msg("%s %s", err.place, err.text);
        if (!spd_sv_eq(spd_str_sv(&out), spd_str_sv(&want)))
            fail_msg("want\n%s\ngot\n%s", want.ptr, out.ptr);
        spd_str_done(&in), spd_str_done(&want), spd_str_done(&out);
    }
}

static const char source[] =
    HEAD "OMI^O23^OMI_O23|1|P|2.5.1||||||8859/1\rPID|1||ZZ1^^^ZH||ZZCANARI\xCB^Test\rPV1|1|E|SEH\r"
         "ORC|NW|P0|F0\rOBR|1|P0|F0|CT||||||||||||||A0\r"
         "ORC|NW|P1|F1\rTQ1|1\rOBR|2|P1|F1|CTHERS^CT "
         "hersenen^L||||||||||||||A1||||||CT\rZDS|1.2.3\rNTE|1||x\r";

static void sends_a_report_for_its_order_only(void **state)
{
    struct hl7_out_options o = options(&item_a1);
    struct spd_str out = SPD_STR_INIT(1 << 20);
    (void)state;
    assert_int_equal(hl7_map_report(spd_sv_from(source),
                                    SPD_SV("Geen bloeding \xE2\x80\x93 co\xC3\xABrdinatie.\nA|B"),
                                    SPD_SV("F"), SPD_SV("smit"), &o, &out, NULL),
                     SPD_OK);
    assert_string_equal(
        out.ptr, HEAD_OUT
        "ORU^R01|SPD1|P|2.5.1||||||8859/1\rPID|1||ZZ1^^^ZH||ZZCANARI\xCB^Test\rPV1|1|E|SEH\r"
        "ORC|RE|P1|F1\rOBR|2|P1|F1|CTHERS^CT "
        "hersenen^L||||||||||||||A1||||20260310071500||CT|F|||||||smit\r"
        "OBX|1|TX|18782-3^Radiology report^LN||Geen bloeding - "
        "co\xEBrdinatie.||||||F|||20260310071500\r"
        "OBX|2|TX|18782-3^Radiology report^LN||A\\F\\B||||||F|||20260310071500\rZDS|1.2.3\r");
    spd_str_clear(&out);
    assert_int_equal(hl7_map_report(spd_sv_from(source), SPD_SV("\xE5\xB1\xB1"), SPD_SV("F"),
                                    SPD_SV("smit"), &o, &out, NULL),
                     SPD_INVALID);
    assert_int_equal(out.len,
                     0); /* a character that the RIS cannot read: refused, nothing half-built */
    spd_str_done(&out);
}

static void sends_a_report_without_source(void **state)
{
    struct spd_item item = item_a1;
    struct spd_cx id = {SPD_SV("ZZ1"), SPD_SV("ZH")};
    struct spd_code code = {SPD_SV("CTHERS"), SPD_SV("L"), SPD_SV("CT hersenen")};
    struct spd_str out = SPD_STR_INIT(1 << 20);
    (void)state;
    item.patient.ids.v = &id, item.patient.ids.n = 1, item.patient.name = SPD_SV("ZZ|CANARY, Test");
    item.procedures.v = &code, item.procedures.n = 1, item.modality = SPD_SV("CT");
    struct hl7_out_options o = options(&item);
    o.msh_3 = SPD_SV("SPOED"), o.msh_5 = SPD_SV("RIS");
    assert_int_equal(
        hl7_map_report(SPD_SV_NONE, SPD_SV("tekst"), SPD_SV("P"), SPD_SV("smit"), &o, &out, NULL),
        SPD_OK);
    assert_string_equal(
        out.ptr, "MSH|^~\\&|SPOED||RIS||20260310071500||ORU^R01|SPD1|P|2.5.1||||||UNICODE UTF-8\r"
                 "PID|1||ZZ1^^^ZH||ZZ\\F\\CANARY^Test|||\rORC|RE|P1^ZH|F1^ZH\r"
                 "OBR|1|P1^ZH|F1^ZH|CTHERS^CT "
                 "hersenen^L||||||||||||||A1||||20260310071500||CT|P|||||||smit\r"
                 "OBX|1|TX|18782-3^Radiology report^LN||tekst||||||P|||20260310071500\r");
    spd_str_done(&out);
}

/* HL7 injection: whatever the text, wire value, user or control id, the segments stay the same
 * ones. */
static void no_content_starts_a_segment(void **state)
{
    struct spd_arena *arena = spd_arena_new(1 << 22);
    (void)state;
    for (int i = 0; i < 3000; i++) {
        static const char evil[] = "|^~\\&\r\x0b\x1c\x01 OBX|1ZZZ|MSH|^~\\&|";
        char bad[30];
        size_t n = 1 + rnd(sizeof bad - 1), lines = 1;
        for (size_t k = 0; k < n; k++)
            bad[k] = evil[rnd(sizeof evil - 1)];
        bad[0] = bad[n - 1] = 'x';
        spd_sv v = spd_sv_of(bad, n);
        struct hl7_out_options o = options(&item_a1);
        struct spd_str out = SPD_STR_INIT(1 << 20);
        struct hl7_msg m;
        o.control_id = o.msh_4 = o.msh_5 = v;
        assert_int_equal(hl7_map_report(spd_sv_from(source), v, v, v, &o, &out, NULL), SPD_OK);
        assert_int_equal(hl7_msg_parse(&m, spd_str_sv(&out), arena, NULL), SPD_OK);
        assert_int_equal(m.n_segs, 6 + lines);
        assert_int_equal(m.joined, 0);
        assert_true(hl7_field(&m, &m.segs[4], 33).is == HL7_ABSENT &&
                    hl7_reps(&m, hl7_field(&m, &m.segs[4], 32).raw) == 1);
        spd_str_clear(&out);
        assert_int_equal(hl7_map_priority(spd_sv_from(source), v, &o, &out, NULL), SPD_OK);
        assert_int_equal(hl7_msg_parse(&m, spd_str_sv(&out), arena, NULL), SPD_OK);
        assert_int_equal(m.n_segs, 10);
        assert_true(spd_sv_eq(
            hl7_unescape(&m, hl7_get(&m, &m.segs[6], 9, 1, 1, 1).raw, NULL, NULL, arena), v));
        spd_str_done(&out);
        spd_arena_reset(arena);
    }
    spd_arena_free(arena);
}

static void acknowledges(void **state)
{
    struct spd_str out = SPD_STR_INIT(10000);
    (void)state;
    hl7_ack_for(SPD_SV(HEAD "ORM^O01|77|P|2.3\r"), SPD_ANSWER_AE, SPD_SV("not now"),
                SPD_SEC((spd_usec)1773126900), NULL, SPD_SV("K1"), &out);
    assert_string_equal(
        out.ptr,
        "MSH|^~\\&|SPOED|RAD|RIS|ZH|20260310071500+0000||ACK^O01|K1|P|2.3\rMSA|AE|77|not now\r");
    spd_str_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_priority_back),
        cmocka_unit_test(takes_the_given_header),
        cmocka_unit_test(all_other_bytes_are_equal),
        cmocka_unit_test(sends_a_report_for_its_order_only),
        cmocka_unit_test(sends_a_report_without_source),
        cmocka_unit_test(no_content_starts_a_segment),
        cmocka_unit_test(acknowledges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
