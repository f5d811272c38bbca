/* tests/unit/test_core_oru.c: AI results by ORU^R01 from bytes to what the list shows: the map's
 * event through the core. Domain §3: a result takes the place of another only by its sender's own
 * number, and takes a finding away only where the sender marks it as a correction. */
#include "core_world.h"

#include "base/source.h"
#include "hl7/map/map.h"

static const char map_text[] =
    "map: 1\n"
    "results:\n"
    "  model: {manufacturer: {text: Maker}, name: {text: ICH}, version: {from: OBX-18.3}}\n"
    "  words: {SUSPECTED: present, NOT SUSPECTED: absent}\n"
    "  findings: [{when: {OBX-3.1: ICH}, concept: intracranial-hemorrhage}]\n";
static const struct hl7_site *map;

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct spd_source source = {SPD_SV("m.yaml"), {map_text, sizeof map_text - 1}};
    struct spd_err err = {0};
    assert_int_equal(hl7_site_load(&source, &map, &err), SPD_OK);
    world_open(w, "memory:");
    assert_int_equal(world_order(w, (struct order){.accession = "A1", .study = "1.2.1"}), SPD_OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    hl7_site_unref(map);
    return 0;
}

struct oru { /* what a test says of a message; the rest gets defaults */
    const char *number, *status, *word, *line_status, *version, *accession, *study, *control;
};

static void send(struct world *w, struct oru m)
{
    struct hl7_map_options o = {.peer = SPD_SV("vendor"),
                                .results = true,
                                .patient_authority = SPD_SV("ZH"),
                                .accession_issuer = SPD_SV("ZH"),
                                .map = map};
    struct spd_event e;
    w->now += SPD_SEC(10);
    world_next(w);
    o.now = w->now;
    spd_sv study =
        m.study ? spd_arena_printf(w->a, "OBX|2|ST|113014^DICOM Study^DCM||%s||||||P\r", m.study)
                : SPD_SV_NONE;
    spd_sv line =
        m.word ? spd_arena_printf(w->a, "OBX|1|ST|ICH||%s||||0.9||%s|||||||^^%s\r", m.word,
                                  m.line_status ? m.line_status : "P", m.version ? m.version : "1")
               : SPD_SV_NONE;
    spd_sv bytes =
        spd_arena_printf(w->a,
                         "MSH|^~\\&|VENDOR|ZZ|SPOED|RAD|20251124160000||ORU^R01|C%d%s|P|2.5.1\r"
                         "PID|1||P1^^^ZH||ZZCANARY^Test||19600101|F\r"
                         "OBR|1||%s|AI^ZZ AI||||||||||||||%s|||||||%s\r%.*s%.*s",
                         w->counter, m.control ? m.control : "", m.number ? m.number : "R1",
                         m.accession ? m.accession : "A1", m.status ? m.status : "P",
                         SPD_SV_ARG(line), SPD_SV_ARG(study));
    hl7_map_in(bytes, &o, &e, w->a);
    assert_int_equal(e.type, SPD_EVENT_RESULT);
    assert_int_equal(world_apply(w, SPD_EVENT_RESULT, e.u.result), SPD_OK);
}

static enum spd_ai_state state(struct world *w)
{
    return world_view(w, 1).ai[0].state;
}

static bool paging(struct world *w)
{
    struct spd_alert a = world_view(w, 1).alert;
    assert_true(a.id > 0);
    return spd_alert_open((enum spd_alert_state)a.state);
}

static void positive_raises_and_pages(void **st)
{
    struct world *w = *st;
    send(w, (struct oru){.word = "SUSPECTED", .status = "F", .line_status = "F"});
    assert_int_equal(w->r.did, SPD_DID_APPLY);
    assert_int_equal(w->r.answer, SPD_ANSWER_AA);
    struct spd_view v = world_view(w, 1);
    assert_int_equal(v.item.level, 1);
    assert_int_equal(v.ai[0].state, SPD_AI_POSITIVE);
    assert_true(paging(w));
    assert_true(v.item.report <= SPD_REPORT_NONE); /* a vendor's F is no report */
    assert_int_equal(v.item.reading, SPD_READING_UNREAD);
}

static void marked_as_a_correction_takes_it_back(void **st)
{
    static const struct oru corrections[] = {
        {.word = "NOT SUSPECTED", .status = "C"},
        {.word = "NOT SUSPECTED", .line_status = "C"},
        {.word = "SUSPECTED", .line_status = "D"},
        {.word = "SUSPECTED", .line_status = "W"},
        {.status = "X"}, /* names no version either */
    };
    static const enum spd_ai_state then[] = {SPD_AI_NEGATIVE, SPD_AI_NEGATIVE, SPD_AI_NOT_ANALYSED,
                                             SPD_AI_NOT_ANALYSED, SPD_AI_NOT_ANALYSED};
    struct world *w = *st;
    for (size_t i = 0; i < sizeof corrections / sizeof *corrections; i++) {
        if (i) { /* a world of its own for each */
            teardown(st);
            setup(st);
            w = *st;
        }
        send(w, (struct oru){.word = "SUSPECTED"});
        assert_int_equal(world_item(w, 1).level, 1);
        send(w, corrections[i]);
        assert_int_equal(state(w), then[i]);
        assert_int_equal(world_item(w, 1).level, 4);
        assert_false(paging(w));
        assert_int_equal(world_item(w, 1).contradiction, 0);
    }
}

static void unmarked_it_is_a_contradiction(void **st)
{
    struct world *w = *st;
    send(w, (struct oru){.word = "SUSPECTED"});
    send(w, (struct oru){.word = "NOT SUSPECTED"});
    assert_int_equal(state(w), SPD_AI_POSITIVE);
    assert_int_equal(world_item(w, 1).level, 1);
    assert_int_equal(world_item(w, 1).contradiction, 1);
    assert_true(paging(w));
}

static void another_number_stands_beside(void **st)
{
    struct world *w = *st;
    send(w, (struct oru){.word = "SUSPECTED", .number = "R1"});
    send(w, (struct oru){.word = "NOT SUSPECTED", .number = "R2", .status = "C"});
    assert_int_equal(state(w), SPD_AI_POSITIVE);
    assert_int_equal(world_count(w, SPD_KEY_RESULT_ITEM, "1"), 2);
    assert_true(paging(w));
}

static void same_finding_again_pages_once(void **st)
{
    struct world *w = *st;
    send(w, (struct oru){.word = "SUSPECTED", .status = "P"});
    send(w, (struct oru){.word = "SUSPECTED", .status = "F"});
    assert_int_equal(state(w), SPD_AI_POSITIVE);
    assert_int_equal(world_count(w, SPD_KEY_ALERT_ITEM, "1"), 1);
}

static void before_its_order_it_waits(void **st)
{
    struct world *w = *st;
    send(w, (struct oru){.word = "SUSPECTED", .accession = "A9"});
    assert_int_equal(w->r.did, SPD_DID_PARK);
    assert_int_equal(world_order(w, (struct order){.accession = "A9", .study = "1.2.9"}), SPD_OK);
    bool raised = false;
    for (int64_t id = 2; id < 5; id++) {
        struct spd_item i;
        if (spd_get_item(w->store, id, &i, w->a, NULL) == SPD_OK &&
            spd_sv_is(i.accession.value, "A9"))
            raised |= i.level == 1 && !i.unmatched;
    }
    assert_true(raised);
}

static void found_by_its_study_alone(void **st)
{
    struct world *w = *st;
    send(w, (struct oru){.word = "SUSPECTED", .accession = "", .study = "1.2.1"});
    assert_int_equal(w->r.did, SPD_DID_APPLY);
    assert_int_equal(world_item(w, 1).level, 1);
    send(w, (struct oru){.word = "NOT SUSPECTED", .status = "C"}); /* by the accession this time */
    assert_int_equal(state(w), SPD_AI_NEGATIVE);
}

static void another_patients_is_parked(void **st)
{
    struct world *w = *st;
    assert_int_equal(
        world_order(w, (struct order){.accession = "A2", .study = "1.2.2", .patient = "P2"}),
        SPD_OK);
    send(w, (struct oru){.word = "SUSPECTED", .accession = "A2"});
    assert_int_equal(w->r.did, SPD_DID_PARK);
    assert_int_equal(world_item(w, 2).level, 4);
}

int main(void)
{
#define SCENE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        SCENE(positive_raises_and_pages),      SCENE(marked_as_a_correction_takes_it_back),
        SCENE(unmarked_it_is_a_contradiction), SCENE(another_number_stands_beside),
        SCENE(same_finding_again_pages_once),  SCENE(before_its_order_it_waits),
        SCENE(found_by_its_study_alone),       SCENE(another_patients_is_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
