/* Field maps: what the strict loader refuses, and where; that a site's file overrides the built-in
 * one fact by fact and is told apart in the explanation; that references count; and the shipped
 * samples. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/source.h"
#include "hl7/map/map.h"
#include "hl7/map/site.h"

static enum spd_rc load(const char *text, const struct hl7_site **ret, struct spd_err *err)
{
    struct spd_source source = {SPD_SV("m.yaml"), spd_sv_from(text)};
    *err = (struct spd_err){0};
    return hl7_site_load(&source, ret, err);
}

#define HEAD "map: 1\n"
#define MODEL "  model: {name: {text: X}}\n"
static const struct {
    const char *name, *yaml, *place, *text;
} bad[] = {
    {"empty", "", "m.yaml:1:1", ""},
    {"no version", "order: {accession: OBR-18}\n", "m.yaml:1:1", "map: 1"},
    {"other version", "map: 2\n", "m.yaml:1:6", "map: 1"},
    {"misspelt section", HEAD "ordr: {accession: OBR-18}\n", "m.yaml:2:1",
     "did you mean \"order\""},
    {"misspelt fact", HEAD "order: {acession: OBR-18}\n", "m.yaml:2:9",
     "did you mean \"accession\""},
    {"fact of another section", HEAD "visit: {accession: OBR-18}\n", "m.yaml:2:9",
     "known here: location"},
    {"fact twice", HEAD "order: {accession: OBR-18, accession: OBR-3}\n", "m.yaml:2:28", "twice"},
    {"no path", HEAD "order: {accession: OBR18}\n", "m.yaml:2:20", "a path looks like"},
    {"field 0", HEAD "order: {accession: OBR-0}\n", "m.yaml:2:20", "a path looks like"},
    {"path in a list", HEAD "order: {accession: [OBR-18, X]}\n", "m.yaml:2:29",
     "a path looks like"},
    {"path in from", HEAD "order: {accession: {from: [OBR-18, 'OBR-18.']}}\n", "m.yaml:2:36",
     "a path looks like"},
    {"source without from", HEAD "order: {accession: {strip: X}}\n", "m.yaml:2:20", "from: PATH"},
    {"from and text", HEAD "order: {accession: {from: OBR-18, text: A}}\n", "m.yaml:2:20",
     "from: PATH"},
    {"misspelt source key", HEAD "order: {accession: {from: OBR-18, wen: {PID-3: A}}}\n",
     "m.yaml:2:35", "did you mean \"when\""},
    {"test without path", HEAD "order: {accession: {from: OBR-18, when: {MR: A}}}\n", "m.yaml:2:42",
     "a path looks like"},
    {"test without word", HEAD "order: {accession: {from: OBR-18, when: {OBR-1: []}}}\n",
     "m.yaml:2:49", "words that pass"},
    {"not a priority", HEAD "order: {priority: {from: ZOR-1, values: {H: statt}}}\n", "m.yaml:2:45",
     "did you mean \"stat\""},
    {"not a modality", HEAD "order: {modality: {from: ZOR-1, values: {H: ct}}}\n", "m.yaml:2:45",
     "capitals"},
    {"fixed time", HEAD "order: {scheduled: {text: now}}\n", "m.yaml:2:21", "makes no sense"},
    {"values of a time", HEAD "order: {scheduled: {from: OBR-36, values: {A: B}}}\n", "m.yaml:2:35",
     "as it stands"},
    {"authority of a text", HEAD "order: {callback: {from: OBR-17, authority: ZH}}\n",
     "m.yaml:2:34", "have an authority"},
    {"lines of a component", HEAD "report: {text: OBX-5.1}\n", "m.yaml:2:16", "whole field"},
    {"results without model", HEAD "results:\n  findings: [{when: {OBX-3: A}, means: present}]\n",
     "m.yaml:3:3", "who speaks"},
    {"model without name", HEAD "results:\n  model: {version: {text: A}}\n", "m.yaml:3:10",
     "a name"},
    {"results without findings", HEAD "results:\n" MODEL, "m.yaml:3:3", "findings:"},
    {"finding without when",
     HEAD "results:\n" MODEL "  words: {A: present}\n  findings: [{concept: x}]\n", "m.yaml:5:14",
     "which OBX"},
    {"finding that means nothing",
     HEAD "results:\n" MODEL "  findings: [{when: {OBX-3: A}, concept: x}]\n", "m.yaml:4:14",
     "means anything"},
    {"a line that is there means normal",
     HEAD "results:\n" MODEL "  findings: [{when: {OBX-3: A}, means: normal}]\n", "m.yaml:4:40",
     "present"},
    {"a line that is there means absent",
     HEAD "results:\n" MODEL "  findings: [{when: {OBX-3: A}, means: absent}]\n", "m.yaml:4:40",
     "present"},
    {"misspelt meaning",
     HEAD "results:\n" MODEL "  words: {A: presnt}\n  findings: [{when: {OBX-3: A}}]\n",
     "m.yaml:4:14", "did you mean \"present\""},
    {"concept with capitals",
     HEAD "results:\n" MODEL
          "  words: {A: present}\n  findings: [{when: {OBX-3: A}, concept: ICH}]\n",
     "m.yaml:5:42", "canonical"},
    {"anchor", HEAD "order: {accession: &a OBR-18}\n", "m.yaml:2:20", ""},
};

static void refused_with_their_place(void **state)
{
    size_t wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct hl7_site *s = NULL;
        struct spd_err err;
        enum spd_rc rc = load(bad[i].yaml, &s, &err);
        if (rc == SPD_INVALID && !s && !strcmp(err.place, bad[i].place) &&
            strstr(err.text, bad[i].text))
            continue;
        print_message("%s: %s at %s: %s\n", bad[i].name, spd_rc_name(rc), err.place, err.text);
        hl7_site_unref(s);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static void overrides_fact_by_fact(void **state)
{
    static const char message[] = "MSH|^~\\&|RIS|ZZ|SPOED|RAD|20260310081500||ORM^O01|1|P|2.3.1\r"
                                  "PID|1||ZZ1||ZZCANARY^Test\r"
                                  "ORC|NW|P1\r"
                                  "OBR|1|P1||CTHERS^CT hersenen|S|||||||||||||A1||||||CT\r"
                                  "ZOR|B2\r";
    struct spd_arena *arena = spd_arena_new(1 << 22);
    const struct hl7_site *s;
    struct spd_err err;
    struct spd_event e;
    struct hl7_trace trace = {0};
    struct hl7_map_options o = {.orders = true,
                                .accession_issuer = SPD_SV("ZH"),
                                .now = SPD_SEC(1780000000),
                                .trace = &trace};
    size_t own = 0, usual = 0;
    (void)state;
    assert_int_equal(load(HEAD "order: {accession: ZOR-1}\n", &s, &err), SPD_OK);
    o.map = hl7_site_ref(s);
    hl7_site_unref(s); /* as after a reload */
    hl7_map_in(spd_sv_from(message), &o, &e, arena);
    hl7_site_unref(o.map);
    assert_int_equal(e.type, SPD_EVENT_ORDER);
    assert_true(spd_sv_is(e.u.order->orders.v[0].accession.value, "B2"));
    assert_int_equal(e.u.order->orders.v[0].priority, SPD_PRIORITY_STAT);
    for (size_t i = 0; i < trace.n; i++) {
        own += spd_sv_is(trace.v[i].fact, "order.accession") &&
               spd_sv_is(trace.v[i].rule, "m.yaml:2") && spd_sv_is(trace.v[i].path, "ZOR-1") &&
               spd_sv_is(trace.v[i].value, "B2");
        usual += spd_sv_is(trace.v[i].fact, "order.priority") &&
                 spd_sv_starts(trace.v[i].rule, SPD_SV("built-in:"));
    }
    assert_int_equal(own, 1);
    assert_int_equal(usual, 1);
    spd_arena_free(arena);
}

/* An empty list: nothing is read for it, although the built-in map would. */
static void an_empty_list_reads_nothing(void **state)
{
    const struct hl7_site *s;
    struct spd_err err;
    (void)state;
    assert_int_equal(load(HEAD "order: {accession: []}\n", &s, &err), SPD_OK);
    assert_int_equal(s->facts[HL7_F_ACCESSION].n, 0);
    assert_true(s->facts[HL7_F_PLACER].n > 0);
    hl7_site_unref(s);
}

static void the_built_in_map_has_every_fact(void **state)
{
    const struct hl7_site *s = hl7_site_default();
    (void)state;
    for (size_t i = 0; i < HL7_F_N; i++)
        if (!s->facts[i].own && !s->facts[i].name.len)
            fail_msg("%s.%s", hl7_fact_rows[i].section, hl7_fact_rows[i].key);
}

static void the_samples_load(void **state)
{
    struct spd_arena *arena = spd_arena_new(1 << 24);
    glob_t g;
    (void)state;
    assert_int_equal(glob(SPOED_SOURCE_DIR "/packaging/share/maps/*.yaml", 0, NULL, &g), 0);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        struct spd_source source;
        const struct hl7_site *s = NULL;
        struct spd_err err = {0};
        assert_int_equal(spd_source_read(g.gl_pathv[i], 1 << 20, &source, arena, &err), SPD_OK);
        if (hl7_site_load(&source, &s, &err)) fail_msg("%s: %s", err.place, err.text);
        hl7_site_unref(s);
    }
    assert_true(g.gl_pathc >= 2);
    globfree(&g);
    spd_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_with_their_place),
        cmocka_unit_test(overrides_fact_by_fact),
        cmocka_unit_test(an_empty_list_reads_nothing),
        cmocka_unit_test(the_built_in_map_has_every_fact),
        cmocka_unit_test(the_samples_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
