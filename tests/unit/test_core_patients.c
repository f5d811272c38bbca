/* tests/unit/test_core_patients.c: merges and their undoing, ADT and appointments: one scene per
 * rule of domain.md §1, §2 and §7, on both stores. */
#include "core_world.h"

#include <string.h>
#include <unistd.h>

static char url[256];

static int setup(void **state)
{
    static int n;
    struct world *w = calloc(1, sizeof *w);
    if (*(const char *)*state == 's') {
        snprintf(url, sizeof url, "sqlite:/tmp/spoed-patients-%d-%d.db", (int)getpid(), n++);
        unlink(url + 7);
    } else {
        snprintf(url, sizeof url, "memory:");
    }
    world_open(w, url);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    static const char *const more[] = {"", "-wal", "-shm", ".writer"};
    struct world *w = *state;
    world_close(w);
    free(w);
    for (size_t i = 0; url[0] == 's' && i < sizeof more / sizeof *more; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s%s", url + 7, more[i]);
        unlink(path);
    }
    return 0;
}

/* ---- looking --------------------------------------------------------------------------------- */
static void assert_numbers(struct world *w, int64_t item, const char *want)
{
    struct spd_item i = world_item(w, item);
    char text[200] = "";
    for (size_t k = 0; k < i.patient.ids.n; k++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s", k ? " " : "",
                 SPD_SV_ARG(i.patient.ids.v[k].value));
    assert_string_equal(text, want);
}

static int64_t rows(struct world *w, enum spd_table t)
{
    int64_t last;
    assert_int_equal(spd_store_max_id(w->store, t, &last, NULL), SPD_OK);
    return last;
}

static struct spd_alert alert(struct world *w, int64_t id)
{
    struct spd_alert al;
    assert_int_equal(spd_get_alert(w->store, id, &al, w->a, NULL), SPD_OK);
    return al;
}

static struct spd_merge merge(struct world *w, int64_t id)
{
    struct spd_merge m;
    assert_int_equal(spd_get_merge(w->store, id, &m, w->a, NULL), SPD_OK);
    return m;
}

static void undo(struct world *w, int64_t id)
{
    world_act(w, SPD_ACT_MERGE_UNDO,
              (struct spd_action_event){.merge = id, .reason = sv("wrong patient")});
    assert_int_equal(w->r.rc, SPD_OK);
}

static bool has_page(struct world *w, int64_t alert_id, const char *person)
{
    struct spd_page p;
    for (int64_t id = 1; spd_get_page(w->store, id, &p, w->a, NULL) == SPD_OK; id++)
        if (p.alert == alert_id && spd_sv_is(p.person, person) && p.kind == SPD_PAGE_ALERT)
            return true;
    return false;
}

static size_t corrections(struct world *w)
{
    struct spd_page p;
    size_t n = 0;
    for (int64_t id = 1; spd_get_page(w->store, id, &p, w->a, NULL) == SPD_OK; id++)
        n += p.kind == SPD_PAGE_CORRECTION;
    return n;
}

/* Orders, their results and who is paged, as people see them: what an undone merge must leave. */
static void digest(struct world *w, struct spd_str *out)
{
    struct spd_item i;
    struct spd_result r;
    struct spd_alert al;
    for (int64_t id = 1; spd_get_item(w->store, id, &i, w->a, NULL) == SPD_OK; id++) {
        if (i.unmatched) continue; /* a row of its own each time something is parked */
        spd_str_addf(out, "item %lld %d %d %d ", (long long)id, i.level, spd_item_status(&i),
                     (int)i.ask_person);
        spd_desc_json(&spd_patient_desc, &i.patient, out);
        spd_desc_json(&spd_patient_desc, &i.own, out);
        spd_str_addc(out, '\n');
    }
    for (int64_t id = 1; spd_get_result(w->store, id, &r, w->a, NULL) == SPD_OK; id++) {
        spd_str_addf(out, "result %lld parked %d on", (long long)id, r.parked != 0);
        for (size_t k = 0; k < r.items.n; k++)
            spd_str_addf(out, " %lld", (long long)r.items.v[k]);
        spd_str_addc(out, '\n');
    }
    for (int64_t id = 1; spd_get_alert(w->store, id, &al, w->a, NULL) == SPD_OK; id++)
        if (spd_alert_open((enum spd_alert_state)al.state))
            spd_str_addf(out, "alert of result %lld step %lld due %lld %.*s\n",
                         (long long)al.result, (long long)al.step, (long long)al.due,
                         SPD_SV_ARG(al.sequence));
}

/* ---- merges ---------------------------------------------------------------------------------- */
static void a_merge_moves_the_order(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    assert_int_equal(world_adt(w, (struct adt){.from = "P1", .to = "P2", .name = "ZZNEW, Name"}),
                     SPD_OK);
    assert_int_equal(w->r.did, SPD_DID_APPLY);
    assert_int_equal(w->r.answer, SPD_ANSWER_AA);
    assert_numbers(w, 1, "P2 P1");
    struct spd_item i = world_item(w, 1);
    assert_true(spd_sv_is(i.patient.name, "ZZNEW, Name"));
    assert_int_equal(i.own.ids.n, 1);
    assert_true(spd_sv_is(i.own.name, "ZZCANARY, Test"));
    assert_int_equal(merge(w, 1).items.n, 1);
    assert_int_equal(world_count(w, SPD_KEY_ITEM_PATIENT, "P2|ZH"), 1);
    world_result(w, (struct airesult){.patient = "P2", .state = SPD_AI_NEGATIVE});
    assert_int_equal(w->r.did, SPD_DID_APPLY); /* images under the new number */
    world_result(w, (struct airesult){.patient = "P1",
                                      .name = "CSP",
                                      .state = SPD_AI_NEGATIVE,
                                      .concept = "cervical-spine-fracture"});
    assert_int_equal(w->r.did, SPD_DID_APPLY); /* and under the old one */
    world_order(w, (struct order){.accession = "A1", .control = "XO", .patient = "P2"});
    i = world_item(w, 1);
    assert_int_equal(i.ask_person, 0); /* the order names its patient's other number */
    assert_int_equal(i.own.ids.n, 1);
}

static void a_merge_holds_for_what_comes_later(void **state)
{
    struct world *w = *state;
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    assert_int_equal(w->r.did, SPD_DID_APPLY);
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    assert_numbers(w, 1, "P2 P1");
    world_order(w, (struct order){.accession = "A2", .study = "1.2.2", .patient = "P2"});
    assert_numbers(w, 2, "P2");
    world_result(w, (struct airesult){.study = "1.2.2", .patient = "P1"});
    assert_int_equal(w->r.did, SPD_DID_APPLY);
    assert_int_equal(w->r.items[0], 2);
}

static void chains_and_repetition_resolve(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_adt(w, (struct adt){.from = "P2", .to = "P3"});
    world_adt(w, (struct adt){.from = "P1", .to = "P2", .message = "M1"});
    assert_numbers(w, 1, "P3 P1 P2");
    world_adt(w, (struct adt){.from = "P1", .to = "P2", .message = "M1"});
    assert_int_equal(w->r.did, SPD_DID_DUPLICATE);
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    assert_int_equal(w->r.did, SPD_DID_IGNORE);
    assert_true(spd_sv_is(w->r.reason, "merge-known"));
    world_adt(w, (struct adt){.from = "P1", .to = "P3"}); /* said already, by way of P2 */
    assert_true(spd_sv_is(w->r.reason, "merge-known"));
    assert_int_equal(rows(w, SPD_T_MERGE), 2);
    undo(w, 1); /* the link in the middle */
    assert_numbers(w, 1, "P2 P1");
    undo(w, 2);
    assert_numbers(w, 1, "P1");
    assert_int_equal(world_item(w, 1).own.ids.n, 0);
}

static void a_ring_and_a_second_survivor_are_parked(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1"});
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    world_adt(w, (struct adt){.from = "P2", .to = "P3"});
    world_adt(w, (struct adt){.from = "P3", .to = "P1"});
    assert_int_equal(w->r.did, SPD_DID_PARK);
    assert_true(spd_sv_is(w->r.reason, "merge"));
    assert_int_equal(world_count(w, SPD_KEY_ALARM_OPEN, "merge|ris"), 1);
    world_adt(w, (struct adt){.from = "P1", .to = "P9"});
    assert_int_equal(w->r.did, SPD_DID_PARK);
    assert_int_equal(rows(w, SPD_T_MERGE), 2);
    assert_int_equal(world_count(w, SPD_KEY_PARKED_OPEN, "1"), 2);
    assert_numbers(w, 1, "P3 P1 P2");
}

static void a_merge_tries_what_is_parked_again(void **state)
{
    struct world *w = *state;
    struct spd_report_event e = {0};
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1", .patient = "P2"});
    world_order(w, (struct order){.accession = "A2", .study = "1.2.2", .patient = "P2"});
    world_result(w, (struct airesult){.patient = "P1"});
    assert_int_equal(w->r.did, SPD_DID_PARK);
    world_study(w, "1.2.9", "A1", "P1", "i1", false); /* by accession, of the other number */
    assert_int_equal(world_item(w, 1).study_uids.n, 1);
    world_next(w);
    envelope(w, &e.message, "ORU^R01", NULL, NULL);
    *SPD_LIST_PUSH(&e.patient.ids, w->a) = world_cx("P1", "ZH");
    struct spd_order_in *in = SPD_LIST_PUSH(&e.reports, w->a);
    in->accession = world_cx("A2", "ZH"), in->report = SPD_REPORT_FINAL;
    assert_int_equal(world_apply(w, SPD_EVENT_REPORT, &e), SPD_OK);
    assert_int_equal(w->r.did, SPD_DID_PARK);
    w->now += SPD_SEC(10);
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    struct spd_item i = world_item(w, 1);
    assert_int_equal(i.level, 1);
    assert_int_equal(i.study_uids.n, 2);
    assert_int_equal(world_count(w, SPD_KEY_PARKED_OPEN, "1"), 0);
    assert_int_equal(world_item(w, 2).report, SPD_REPORT_FINAL);
    assert_true(has_page(w, 1, "smit"));
}

static void the_page_sequence_goes_on_over_a_merge(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){.image = "i1"});
    assert_int_equal(alert(w, 1).step, 0);
    int64_t pages = rows(w, SPD_T_PAGE);
    struct spd_alert before = alert(w, 1);
    w->now += SPD_MIN(2);
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    struct spd_alert after = alert(w, 1);
    assert_int_equal(after.due, before.due);
    assert_int_equal(after.state, before.state);
    assert_true(spd_sv_is(after.patient_key, "P2|ZH"));
    assert_int_equal(rows(w, SPD_T_PAGE), pages); /* nobody is paged for the merge */
    world_result(w, (struct airesult){.patient = "P2", .version = "1", .image = "i2"});
    assert_int_equal(rows(w, SPD_T_ALERT), 1); /* the same finding by the new number: evidence */
    assert_int_equal(rows(w, SPD_T_PAGE), pages);
    world_until(w, w->now + SPD_MIN(4)); /* and nobody has answered: the next step, as planned */
    assert_int_equal(alert(w, 1).step, 1);
    assert_true(has_page(w, 1, "bakker"));
    world_act(w, SPD_ACT_ACKNOWLEDGE, (struct spd_action_event){.alert = 1});
    world_adt(w, (struct adt){.from = "P2", .to = "P3"});
    assert_int_equal(alert(w, 1).state, SPD_ALERT_ACKNOWLEDGED);
    assert_int_equal(rows(w, SPD_T_ALERT), 1);
}

static void two_sequences_of_one_finding_become_one(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_order(w, (struct order){.accession = "A2", .study = "1.2.1", .patient = "P2"});
    world_result(w, (struct airesult){.patient = "P1", .image = "i1"});
    world_result(w, (struct airesult){.patient = "P2", .image = "i2"});
    assert_int_equal(world_count(w, SPD_KEY_ALERT_OPEN, "1"), 2);
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    assert_int_equal(world_count(w, SPD_KEY_ALERT_OPEN, "1"), 1);
    assert_int_equal(rows(w, SPD_T_ALERT), 2);
    undo(w, 1); /* two patients again: the finding of each is somebody's to answer */
    assert_int_equal(world_count(w, SPD_KEY_ALERT_OPEN, "1"), 2);
}

static void a_person_undoes_a_merge(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_adt(w, (struct adt){.from = "P1", .to = "P2", .name = "ZZOTHER, X"});
    world_adt(w, (struct adt){.patient = "P2", .name = "ZZOTHER, Y", .other = "B2"});
    assert_true(spd_sv_is(world_item(w, 1).patient.name, "ZZOTHER, Y"));
    world_act(w, SPD_ACT_MERGE_UNDO, (struct spd_action_event){.merge = 1});
    assert_int_equal(w->r.rc, SPD_INVALID); /* a reason is asked for */
    world_act(w, SPD_ACT_MERGE_UNDO, (struct spd_action_event){.merge = 7, .reason = sv("x")});
    assert_int_equal(w->r.rc, SPD_NOTFOUND);
    undo(w, 1);
    assert_int_equal(w->r.id, 1);
    assert_numbers(w, 1, "P1");
    assert_true(spd_sv_is(world_item(w, 1).patient.name, "ZZCANARY, Test"));
    struct spd_merge m = merge(w, 1);
    assert_true(m.undone && spd_sv_is(m.undone_by, "dr.test"));
    assert_true(spd_sv_is(m.undone_reason, "wrong patient"));
    world_act(w, SPD_ACT_MERGE_UNDO, (struct spd_action_event){.merge = 1, .reason = sv("x")});
    assert_int_equal(w->r.rc, SPD_EXISTS);
    assert_int_equal(world_count(w, SPD_KEY_AUDIT_ITEM, "1"), 2); /* merge, merge-undone */
    world_result(w, (struct airesult){.patient = "P2"});
    assert_int_equal(w->r.did, SPD_DID_PARK); /* two patients */
}

static void what_came_through_an_undone_merge_is_decided_anew(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    world_result(w, (struct airesult){.patient = "P2", .image = "i1"}); /* came since, by P2 */
    world_result(w, (struct airesult){.patient = "P1",
                                      .name = "CSP",
                                      .image = "i2",
                                      .concept = "cervical-spine-fracture"});
    assert_int_equal(world_item(w, 1).level, 1);
    assert_int_equal(world_count(w, SPD_KEY_ALERT_OPEN, "1"), 2);
    undo(w, 1);
    struct spd_item i = world_item(w, 1);
    assert_int_equal(i.level, 2); /* the fracture is this patient's, the bleeding is not */
    assert_int_equal(world_count(w, SPD_KEY_RESULT_ITEM, "1"), 1);
    assert_int_equal(alert(w, 1).state, SPD_ALERT_WITHDRAWN);
    assert_true(spd_alert_open((enum spd_alert_state)alert(w, 2).state));
    assert_true(corrections(w) > 0); /* everyone who was paged is told */
    assert_int_equal(world_count(w, SPD_KEY_PARKED_OPEN, "1"), 1);
    world_until(w, w->now + SPD_MIN(2)); /* and it pages as unmatched, for whom it may be */
    assert_int_equal(alert(w, 3).unmatched, 1);
}

static void report_of(struct world *w, const char *accession, const char *patient,
                      enum spd_report_axis report, const char *text)
{
    struct spd_report_event e = {0};
    world_next(w);
    envelope(w, &e.message, "ORU^R01", NULL, NULL);
    *SPD_LIST_PUSH(&e.patient.ids, w->a) = world_cx(patient, "ZH");
    struct spd_order_in *in = SPD_LIST_PUSH(&e.reports, w->a);
    in->accession = world_cx(accession, "ZH"), in->report = report;
    e.text = sv(text);
    assert_int_equal(world_apply(w, SPD_EVENT_REPORT, &e), SPD_OK);
}

/* An order that another patient's report closed is to be scanned and read after all. */
static void a_report_by_a_merge_goes_with_it(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1", .patient = "P2"});
    world_order(w, (struct order){.accession = "A2", .study = "1.2.2", .patient = "P2"});
    report_of(w, "A1", "P1", SPD_REPORT_FINAL, "of another");
    report_of(w, "A2", "P2", SPD_REPORT_PRELIMINARY, "own, early");
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    assert_int_equal(world_item(w, 1).report, SPD_REPORT_FINAL);
    assert_false(world_view(w, 1).on_modality_list);
    report_of(w, "A2", "P1", SPD_REPORT_FINAL, "of another too"); /* came since */
    report_of(w, "A2", "P2", SPD_REPORT_AMENDED, "own, late");
    undo(w, 1);
    assert_int_equal(world_item(w, 1).report, SPD_REPORT_NONE);
    assert_int_equal(world_item(w, 1).reading, SPD_READING_UNREAD);
    assert_int_equal(world_item(w, 1).report_text.len, 0);
    assert_true(world_view(w, 1).on_modality_list);
    struct spd_item i = world_item(w, 2);
    assert_int_equal(i.report, SPD_REPORT_AMENDED); /* its own word stands */
    assert_string_equal(spd_arena_dup(w->a, i.report_text).ptr, "own, late");
    assert_int_equal(world_count(w, SPD_KEY_PARKED_OPEN, "1"), 2); /* for a person to see */
    w->now += SPD_SEC(10);
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    assert_int_equal(world_item(w, 1).report, SPD_REPORT_FINAL);
    assert_int_equal(world_count(w, SPD_KEY_PARKED_OPEN, "1"), 0);
    undo(w, 2);
    assert_int_equal(world_item(w, 1).report, SPD_REPORT_NONE);
}

/* What a person did after such a report is the person's word. */
static void a_reopened_order_stays_open_after_an_undo(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1", .patient = "P2"});
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    report_of(w, "A1", "P1", SPD_REPORT_FINAL, "of another");
    world_act(w, SPD_ACT_REOPEN, (struct spd_action_event){.item = 1, .reason = sv("wrong")});
    report_of(w, "A1", "P2", SPD_REPORT_FINAL, "own");
    undo(w, 1);
    assert_int_equal(world_item(w, 1).report, SPD_REPORT_FINAL);
}

static void what_a_person_assigned_stays(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){.patient = "P2", .image = "i1"});
    world_act(w, SPD_ACT_ASSIGN,
              (struct spd_action_event){.parked = 1, .item = 1, .reason = sv("seen")});
    assert_int_equal(w->r.rc, SPD_OK);
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    undo(w, 1);
    assert_int_equal(world_count(w, SPD_KEY_RESULT_ITEM, "1"), 1);
    assert_int_equal(world_item(w, 1).level, 1);
}

static void a_peer_unlinks(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1"});
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    world_adt(w, (struct adt){
                     .from = "P2", .to = "P1", .unlink = true, .source_time = w->now - SPD_MIN(5)});
    assert_int_equal(w->r.did, SPD_DID_STALE); /* said before the merge */
    assert_numbers(w, 1, "P2 P1");
    w->now += SPD_MIN(1);
    world_adt(w, (struct adt){.from = "P2", .to = "P1", .unlink = true});
    assert_int_equal(w->r.did, SPD_DID_APPLY);
    assert_numbers(w, 1, "P1");
    assert_true(merge(w, 1).undone_message > 0);
    world_adt(w, (struct adt){.from = "P1", .to = "P2", .source_time = w->now - SPD_SEC(30)});
    assert_int_equal(w->r.did, SPD_DID_STALE);
    assert_numbers(w, 1, "P1");
    w->now += SPD_MIN(1);
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    assert_int_equal(w->r.did, SPD_DID_APPLY); /* and one again */
    assert_numbers(w, 1, "P2 P1");
}

static void an_unlink_before_its_merge_is_remembered(void **state)
{
    struct world *w = *state;
    spd_usec at = w->now;
    world_order(w, (struct order){.accession = "A1"});
    w->now += SPD_MIN(2);
    world_adt(w, (struct adt){.from = "P1", .to = "P2", .unlink = true});
    assert_int_equal(w->r.did, SPD_DID_APPLY);
    world_adt(w, (struct adt){.from = "P1", .to = "P2", .source_time = at});
    assert_int_equal(w->r.did, SPD_DID_STALE);
    assert_numbers(w, 1, "P1");
}

static void a_merge_and_its_undo_leave_what_was(void **state)
{
    struct world *w = *state;
    struct spd_str before = SPD_STR_INIT(1 << 20), after = SPD_STR_INIT(1 << 20);
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_order(w, (struct order){.accession = "A2", .study = "1.2.2", .patient = "P2"});
    world_order(w, (struct order){.accession = "A3", .study = "1.2.2", .patient = "P2"});
    world_result(w, (struct airesult){.image = "i1"});
    world_result(w, (struct airesult){.study = "1.2.2",
                                      .patient = "P1",
                                      .image = "i2",
                                      .state = SPD_AI_NEGATIVE}); /* parked: differs */
    digest(w, &before);
    world_adt(w, (struct adt){.from = "P1", .to = "P2", .name = "ZZOTHER, X"});
    assert_int_equal(world_count(w, SPD_KEY_RESULT_ITEM, "2"), 1);
    undo(w, 1);
    digest(w, &after);
    if (!spd_sv_eq(spd_str_sv(&before), spd_str_sv(&after)))
        fail_msg("before:\n%.*safter:\n%.*s", SPD_SV_ARG(spd_str_sv(&before)),
                 SPD_SV_ARG(spd_str_sv(&after)));
    spd_str_done(&before), spd_str_done(&after);
}

static void an_account_or_visit_moves_alone(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .account = "N1", .study = "1.2.1"});
    world_order(w, (struct order){.accession = "A2", .account = "N2"});
    world_order(w, (struct order){.accession = "A3", .visit = "V3"});
    world_adt(w, (struct adt){.trigger = "A44", .from = "P1", .to = "P2", .account = "N1"});
    assert_numbers(w, 1, "P2"); /* P1 goes on, without this order */
    assert_numbers(w, 2, "P1");
    world_adt(w, (struct adt){.trigger = "A45", .from = "P1", .to = "P5", .visit = "V3"});
    assert_numbers(w, 3, "P5");
    assert_numbers(w, 2, "P1");
    world_order(w, (struct order){.accession = "A4", .account = "N1"}); /* the move holds later */
    assert_numbers(w, 4, "P2");
    world_result(w, (struct airesult){.patient = "P1", .image = "i1"});
    assert_int_equal(w->r.did, SPD_DID_APPLY); /* scanned before the move, or after it */
    world_result(w, (struct airesult){.patient = "P2", .image = "i2"});
    assert_int_equal(w->r.did, SPD_DID_APPLY);
    world_adt(w, (struct adt){.patient = "P1", .location = "W1"});
    assert_true(spd_sv_is(world_item(w, 1).location, "SEH")); /* that is another patient now */
    w->now += SPD_MIN(1);
    world_adt(w, (struct adt){.trigger = "A44", .from = "P2", .to = "P1", .account = "N1"});
    assert_numbers(w, 1, "P1"); /* moved back */
    assert_numbers(w, 4, "P1");
}

static void a_merge_explains_a_changed_patient(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){.image = "i1"});
    w->now += SPD_SEC(1);
    world_order(w, (struct order){.accession = "A1", .control = "XO", .patient = "P2"});
    assert_int_equal(world_item(w, 1).ask_person, 1);
    assert_int_equal(world_count(w, SPD_KEY_RESULT_ITEM, "1"), 0);
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    struct spd_item i = world_item(w, 1);
    assert_int_equal(i.ask_person, 0);
    assert_int_equal(i.level, 1);
    assert_int_equal(world_count(w, SPD_KEY_RESULT_ITEM, "1"), 1);
}

static void a_person_answers_for_a_changed_patient(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1"});
    world_act(w, SPD_ACT_CONFIRM_PATIENT, (struct spd_action_event){.item = 1, .reason = sv("x")});
    assert_int_equal(w->r.rc, SPD_EXISTS); /* nothing was asked */
    w->now += SPD_SEC(1);
    world_order(w, (struct order){.accession = "A1", .control = "XO", .patient = "P2"});
    struct spd_item i = world_item(w, 1);
    assert_true(world_reason(&i, "patient-changed"));
    world_act(w, SPD_ACT_CONFIRM_PATIENT, (struct spd_action_event){.item = 1});
    assert_int_equal(w->r.rc, SPD_INVALID);
    world_act(w, SPD_ACT_CONFIRM_PATIENT,
              (struct spd_action_event){.item = 1, .reason = sv("the RIS corrected it")});
    assert_int_equal(w->r.rc, SPD_OK);
    i = world_item(w, 1);
    assert_int_equal(i.ask_person, 0);
    assert_false(world_reason(&i, "patient-changed"));
}

static void a_merge_changes_the_drafts_version(void **state)
{
    struct world *w = *state;
    world_order(w,
                (struct order){
                    .accession = "A1", .study = "1.2.7", .modality = "DX", .body_part = "CHEST"});
    world_study(w, "1.2.7", NULL, NULL, "i1", true);
    world_result(w, (struct airesult){.name = "CXRN",
                                      .concept = "normal-chest",
                                      .study = "1.2.7",
                                      .image = "i1",
                                      .state = SPD_AI_NORMAL,
                                      .present = SPD_PRESENT_NORMAL});
    world_result(w, (struct airesult){.name = "PTX",
                                      .concept = "pneumothorax",
                                      .study = "1.2.7",
                                      .image = "i1",
                                      .state = SPD_AI_NEGATIVE});
    int64_t version = world_view(w, 1).draft.version;
    assert_true(version > 0);
    world_act(w, SPD_ACT_OPENED, (struct spd_action_event){.item = 1});
    w->now += SPD_SEC(20);
    world_adt(w, (struct adt){.from = "P1", .to = "P2"});
    assert_true(world_view(w, 1).draft.version > version); /* it came along */
    world_act(w, SPD_ACT_DRAFT_ACCEPT, (struct spd_action_event){.item = 1, .version = version});
    assert_int_equal(w->r.rc, SPD_STALE);
}

/* ---- ADT ------------------------------------------------------------------------------------- */
static void adt_tells_where_a_patient_is(void **state)
{
    static const struct {
        const char *name;
        struct adt adt;
        const char *location;
        bool discharged;
    } steps[] = {
        {"A05 plans a ward", {.planned = true, .location = "W9"}, "SEH", false},
        {"A01 admits", {.admitted = true, .location = "W1"}, "W1", false},
        {"A02 transfers", {.admitted = true, .location = "IC"}, "IC", false},
        {"A12 takes the transfer back", {.admitted = true, .location = "W1"}, "W1", false},
        {"A03 discharges", {.discharged = true, .location = "W1"}, "W1", true},
        {"another visit admits", {.admitted = true, .location = "W7", .visit = "V9"}, "W1", true},
        {"A13 takes that back", {.admitted = true, .location = "W1", .visit = "V1"}, "W1", false},
        {"A11 of elsewhere", {.cancelled = true, .location = "W4"}, "W1", false},
        {"A11 cancels the admission", {.cancelled = true, .location = "W1"}, "", false},
    };
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .visit = "V1"});
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        w->now += SPD_MIN(1);
        world_adt(w, steps[i].adt);
        struct spd_item it = world_item(w, 1);
        if (w->r.did != SPD_DID_APPLY || !spd_sv_is(it.location, steps[i].location) ||
            (it.discharged != 0) != steps[i].discharged)
            fail_msg("%s: %d, location %.*s, discharged %lld", steps[i].name, w->r.did,
                     SPD_SV_ARG(it.location), (long long)it.discharged);
    }
}

static void old_adt_changes_nothing(void **state)
{
    struct world *w = *state;
    spd_usec at = w->now;
    world_order(w, (struct order){.accession = "A1"});
    w->now += SPD_MIN(10);
    world_adt(w,
              (struct adt){.location = "IC", .name = "ZZNEW, A", .source_time = at + SPD_MIN(5)});
    world_adt(w, (struct adt){.location = "W1",
                              .name = "ZZOLD, B",
                              .source_time = at + SPD_MIN(3),
                              .discharged = true,
                              .other = "B9"});
    assert_int_equal(w->r.did, SPD_DID_STALE);
    assert_true(spd_sv_is(w->r.reason, "stale"));
    struct spd_item i = world_item(w, 1);
    assert_true(spd_sv_is(i.location, "IC") && spd_sv_is(i.patient.name, "ZZNEW, A"));
    assert_int_equal(i.discharged, 0);
    assert_int_equal(i.patient.ids.n, 1);
    /* An order of before that move still counts for what only it says. */
    world_order(w, (struct order){.accession = "A1",
                                  .control = "XO",
                                  .location = "W2",
                                  .priority = SPD_PRIORITY_STAT,
                                  .wire = "S",
                                  .source_time = at + SPD_MIN(4)});
    i = world_item(w, 1);
    assert_int_equal(i.level, 2);
    assert_true(spd_sv_is(i.location, "IC"));
}

static const char place_policy[] =
    "policy: 1\n"
    "levels: [critical, urgent, expedited, routine]\n"
    "max_wait: {critical: 15m, urgent: 60m, expedited: 4h, routine: 24h}\n"
    "rules:\n"
    "  - id: ich-seh\n"
    "    title: {nl: 'bloeding SEH', en: 'bleeding ED'}\n"
    "    when: {location: SEH, finding: intracranial-hemorrhage}\n"
    "    level: critical\n"
    "    alert: [{to: rads, when: on_ai}, {to: ed, when: on_ai, escalate: [{after: 10m, to: "
    "ed}]}]\n"
    "  - id: ich-ic\n"
    "    title: {nl: 'bloeding IC', en: 'bleeding ICU'}\n"
    "    when: {location: IC, finding: intracranial-hemorrhage}\n"
    "    level: critical\n"
    "    alert: [{to: rads, when: on_ai}, {to: backup, when: on_ai}]\n";

static void a_move_pages_whoever_is_there(void **state)
{
    struct world *w = *state;
    world_next(w);
    world_config_with(w, place_policy, world_models);
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){.image = "i1"});
    assert_true(has_page(w, 1, "visser") && !has_page(w, 1, "bakker"));
    int64_t pages = rows(w, SPD_T_PAGE);
    w->now += SPD_MIN(1);
    world_adt(w, (struct adt){.location = "IC", .admitted = true});
    assert_int_equal(rows(w, SPD_T_ALERT), 1); /* one sequence */
    assert_true(has_page(w, 1, "bakker"));
    assert_int_equal(rows(w, SPD_T_PAGE), pages + 1); /* smit and visser not again */
    struct spd_alert al = alert(w, 1);
    for (size_t i = (size_t)al.step + 1; i < al.steps.n; i++)
        assert_false(spd_sv_is(al.steps.v[i].to, "ed")); /* the ED is not paged any further */
}

static void a_discharged_patient_is_the_requesters_and_the_desks(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1", .requester = "zzjansen, p"});
    world_adt(w, (struct adt){.discharged = true});
    w->now += SPD_MIN(1);
    world_result(w, (struct airesult){.image = "i1"});
    assert_true(has_page(w, 1, "jansen") && has_page(w, 1, "balie") && has_page(w, 1, "smit"));
    world_until(w, w->now + SPD_MIN(11));
    assert_false(has_page(w, 1, "visser")); /* the emergency doctor has no such patient any more */
    struct spd_alert al = alert(w, 1);
    assert_true(spd_sv_find(al.text_nl, SPD_SV("ontslagen"), NULL));
    assert_true(spd_sv_find(al.text_en, SPD_SV("discharged"), NULL));
    struct spd_item i = world_item(w, 1);
    assert_true(world_reason(&i, "discharged"));
}

static void a_discharge_during_escalation_pages_requester_and_desk(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1", .requester = "ZZJansen, P"});
    world_result(w, (struct airesult){.image = "i1"});
    assert_false(has_page(w, 1, "balie"));
    int64_t pages = rows(w, SPD_T_PAGE);
    w->now += SPD_MIN(1);
    world_adt(w, (struct adt){.discharged = true});
    assert_true(has_page(w, 1, "jansen") && has_page(w, 1, "balie"));
    assert_int_equal(rows(w, SPD_T_PAGE), pages + 2);
    assert_int_equal(rows(w, SPD_T_ALERT), 1);
}

/* ---- appointments ---------------------------------------------------------------------------- */
static void an_appointment_sets_the_time_and_takes_it_away(void **state)
{
    struct world *w = *state;
    spd_usec at = w->now + SPD_HOUR(3);
    world_order(w, (struct order){.accession = "A1"});
    world_appointment(
        w, (struct appointment){.accession = "A1", .at = at, .station = "CT2", .room = "K3"});
    assert_int_equal(w->r.did, SPD_DID_APPLY);
    struct spd_item i = world_item(w, 1);
    assert_int_equal(i.scheduled, at);
    assert_true(spd_sv_is(i.station_ae, "CT2") && spd_sv_is(i.room, "K3"));
    world_appointment(w, (struct appointment){.accession = "A1",
                                              .at = at + SPD_HOUR(1),
                                              .source_time = w->now - SPD_MIN(1)});
    assert_int_equal(w->r.did, SPD_DID_STALE);
    assert_int_equal(world_item(w, 1).scheduled, at);
    world_appointment(w, (struct appointment){.accession = "A1", .off = true, .id = "T8"});
    assert_int_equal(world_item(w, 1).scheduled, at); /* another appointment of it was cancelled */
    world_appointment(w, (struct appointment){.accession = "A1", .off = true});
    i = world_item(w, 1);
    assert_int_equal(i.scheduled, 0);
    assert_int_equal(i.order, SPD_ORDER_ACTIVE); /* the order stands */
    world_appointment(w, (struct appointment){.accession = "A1", .at = at, .patient = "P9"});
    assert_int_equal(w->r.did, SPD_DID_PARK);
    assert_int_equal(world_item(w, 1).scheduled, 0);
}

static void an_unknown_appointment_becomes_an_order(void **state)
{
    struct world *w = *state;
    spd_usec at = w->now + SPD_HOUR(3);
    world_appointment(w, (struct appointment){.accession = "A1", .at = at, .known_only = true});
    assert_int_equal(w->r.did, SPD_DID_IGNORE); /* no sign of imaging */
    world_appointment(w, (struct appointment){.accession = "A1", .at = at, .off = true});
    assert_int_equal(w->r.did, SPD_DID_IGNORE);
    world_appointment(w, (struct appointment){.accession = "A1", .at = at, .station = "CT2"});
    assert_int_equal(w->r.did, SPD_DID_APPLY);
    struct spd_item i = world_item(w, 1);
    assert_int_equal(i.scheduled, at);
    assert_int_equal(spd_item_status(&i), SPD_STATUS_ORDERED);
    assert_int_equal(i.source_message, 0); /* no priority is written back in an appointment */
    world_order(w, (struct order){.accession = "A1",
                                  .priority = SPD_PRIORITY_STAT,
                                  .wire = "S",
                                  .source_time = w->now - SPD_HOUR(1)});
    i = world_item(w, 1);
    assert_int_equal(i.level, 2); /* the order itself, under way meanwhile, still counts */
    assert_int_equal(i.scheduled, at);
    assert_true(i.source_message > 0);
}

#define SCENE(f)                                                                                   \
    cmocka_unit_test_prestate_setup_teardown(f, setup, teardown, (void *)(uintptr_t) "m"),         \
        cmocka_unit_test_prestate_setup_teardown(f, setup, teardown, (void *)(uintptr_t) "s")

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(a_merge_moves_the_order),
        SCENE(a_merge_holds_for_what_comes_later),
        SCENE(chains_and_repetition_resolve),
        SCENE(a_ring_and_a_second_survivor_are_parked),
        SCENE(a_merge_tries_what_is_parked_again),
        SCENE(the_page_sequence_goes_on_over_a_merge),
        SCENE(two_sequences_of_one_finding_become_one),
        SCENE(a_person_undoes_a_merge),
        SCENE(what_came_through_an_undone_merge_is_decided_anew),
        SCENE(a_report_by_a_merge_goes_with_it),
        SCENE(a_reopened_order_stays_open_after_an_undo),
        SCENE(what_a_person_assigned_stays),
        SCENE(a_peer_unlinks),
        SCENE(an_unlink_before_its_merge_is_remembered),
        SCENE(a_merge_and_its_undo_leave_what_was),
        SCENE(an_account_or_visit_moves_alone),
        SCENE(a_merge_explains_a_changed_patient),
        SCENE(a_person_answers_for_a_changed_patient),
        SCENE(a_merge_changes_the_drafts_version),
        SCENE(adt_tells_where_a_patient_is),
        SCENE(old_adt_changes_nothing),
        SCENE(a_move_pages_whoever_is_there),
        SCENE(a_discharged_patient_is_the_requesters_and_the_desks),
        SCENE(a_discharge_during_escalation_pages_requester_and_desk),
        SCENE(an_appointment_sets_the_time_and_takes_it_away),
        SCENE(an_unknown_appointment_becomes_an_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
