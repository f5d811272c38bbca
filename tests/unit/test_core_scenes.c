/* tests/unit/test_core_scenes.c: the core's use cases, one scene per rule of domain.md, on both
 * stores. */
#include "core_world.h"

#include <string.h>
#include <unistd.h>

static char url[256];

static int setup(void **state)
{
    static int n;
    struct world *w = calloc(1, sizeof *w);
    if (*(const char *)*state == 's') {
        snprintf(url, sizeof url, "sqlite:/tmp/spoed-core-%d-%d.db", (int)getpid(), n++);
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
    struct world *w = *state;
    world_close(w);
    free(w);
    if (url[0] == 's') {
        char path[300];
        unlink(url + 7);
        snprintf(path, sizeof path, "%s-wal", url + 7), unlink(path);
        snprintf(path, sizeof path, "%s-shm", url + 7), unlink(path);
        snprintf(path, sizeof path, "%s.writer", url + 7), unlink(path);
    }
    return 0;
}

static void order_to_critical(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    assert_int_equal(world_order(w, (struct order){.accession = "A1", .study = "1.2.1"}), SPD_OK);
    assert_int_equal(w->r.did, SPD_DID_APPLY);
    assert_int_equal(w->r.answer, SPD_ANSWER_AA);
    assert_int_equal(world_item(w, 1).level, 4);
    assert_int_equal(spd_item_status(&(struct spd_item){0}), SPD_STATUS_ORDERED);
    w->now += SPD_SEC(30);
    world_study(w, "1.2.1", NULL, NULL, "i1", false);
    struct spd_view v = world_view(w, 1);
    assert_int_equal(v.status, SPD_STATUS_ARRIVED);
    assert_int_equal(v.n_ai, 1);
    assert_int_equal(v.ai[0].state, SPD_AI_PENDING);
    w->now += SPD_SEC(60);
    world_result(w, (struct airesult){.image = "i1"});
    assert_int_equal(w->r.did, SPD_DID_APPLY);
    v = world_view(w, 1);
    assert_int_equal(v.item.level, 1);
    assert_true(world_reason(&v.item, "ich"));
    assert_true(world_reason(&v.item, "order"));
    assert_int_equal(v.ai[0].state, SPD_AI_POSITIVE);
    assert_true(spd_alert_open((enum spd_alert_state)v.alert.state));
    /* the RIS hears of it once, the radiologist is paged by both ways, the emergency doctor not yet
     */
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 1);
    assert_int_equal(rows[0].kind, SPD_OUTBOX_PRIORITY);
    assert_true(spd_sv_is(rows[0].wire, "S"));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1);
    assert_non_null(strstr(rows[0].payload.ptr, "\"link\":\"http://x/a/"));
    assert_non_null(strstr(rows[0].payload.ptr, "nog niet door een radioloog"));
    assert_null(strstr(rows[0].payload.ptr, "ZZCANARY"));
    assert_int_equal(world_deliver(w, "mail", SPD_OUTCOME_OK, rows, 8), 1);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 0);
}

static void paging_until_acknowledged(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    spd_usec t0 = w->now;
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1);
    world_until(w, t0 + SPD_MIN(5) - 1);
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 0);
    world_until(w, t0 + SPD_MIN(5));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1); /* backup */
    assert_non_null(strstr(rows[0].payload.ptr, "\"repeat\":false"));
    world_until(w, t0 + SPD_MIN(10));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8),
                     1); /* emergency doctor: still unread */
    world_until(w, t0 + SPD_MIN(15));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1); /* again, marked */
    assert_non_null(strstr(rows[0].payload.ptr, "\"repeat\":true"));
    assert_int_equal(world_count(w, SPD_KEY_ALARM_ANY_OPEN, "1") > 0, 1);
    assert_int_equal(world_act(w, SPD_ACT_ACKNOWLEDGE,
                               (struct spd_action_event){.alert = 1, .how = sv("phone")}),
                     SPD_OK);
    assert_int_equal(w->r.rc, SPD_OK);
    world_until(w, t0 + SPD_HOUR(3));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 0);
    world_act(w, SPD_ACT_ACKNOWLEDGE, (struct spd_action_event){.alert = 1});
    assert_int_equal(w->r.rc, SPD_EXISTS);
    struct spd_alert al;
    assert_int_equal(spd_get_alert(w->store, 1, &al, w->a, NULL), SPD_OK);
    assert_true(spd_sv_is(al.ack_by, "dr.test"));
    assert_true(spd_sv_is(al.ack_how, "phone"));
}

static void if_unread_step_is_skipped_when_read(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    spd_usec t0 = w->now;
    world_act(w, SPD_ACT_CLAIM, (struct spd_action_event){.item = 1});
    world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8);
    world_until(w, t0 + SPD_MIN(5));
    world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8);
    world_until(w, t0 + SPD_MIN(10));
    for (size_t i = 0, n = world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8); i < n; i++)
        assert_null(strstr(rows[i].payload.ptr, "visser"));
    assert_int_equal(world_count(w, SPD_KEY_PAGE_ID, "P1-2-visser-0"), 0);
}

static void link_needs_a_named_person(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    char token[100], *p;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8);
    p = strstr(rows[0].payload.ptr, "/a/") + 3;
    snprintf(token, sizeof token, "%.*s", (int)strcspn(p, "\""), p);
    assert_int_equal(strlen(token), 43); /* 256 bits */
    world_act(w, SPD_ACT_ACKNOWLEDGE, (struct spd_action_event){.token = sv("AAAA")});
    assert_int_equal(w->r.rc, SPD_NOTFOUND);
    world_act(w, SPD_ACT_ACKNOWLEDGE, (struct spd_action_event){.token = sv(token)});
    assert_int_equal(w->r.rc, SPD_DENIED); /* the step went to a team */
    world_act(w, SPD_ACT_ACKNOWLEDGE,
              (struct spd_action_event){.token = sv(token), .by = sv("smit")});
    assert_int_equal(w->r.rc, SPD_OK);
    world_act(w, SPD_ACT_ACKNOWLEDGE,
              (struct spd_action_event){.token = sv(token), .by = sv("smit")});
    assert_int_equal(w->r.rc, SPD_EXISTS); /* single use */
}

static void decline_and_handover(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8);
    world_act(w, SPD_ACT_DECLINE, (struct spd_action_event){.alert = 1, .reason = sv("not mine")});
    assert_int_equal(w->r.rc, SPD_OK);
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8),
                     1); /* the next step, at once */
    world_act(w, SPD_ACT_HANDOVER, (struct spd_action_event){.alert = 1, .to = sv("nobody")});
    assert_int_equal(w->r.rc, SPD_INVALID);
    world_act(w, SPD_ACT_HANDOVER, (struct spd_action_event){.alert = 1, .to = sv("visser")});
    assert_int_equal(w->r.rc, SPD_OK);
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1);
}

static void permanent_failure_goes_to_the_next_member(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_PERMANENT, rows, 8), 1);
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8),
                     0); /* mail is still open */
    assert_int_equal(world_deliver(w, "mail", SPD_OUTCOME_PERMANENT, rows, 8), 1);
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1); /* bakker, at once */
    assert_int_equal(world_count(w, SPD_KEY_PAGE_ID, "P1-0-bakker-0"), 1);
}

static void duplicates_change_nothing(void **state)
{
    struct world *w = *state;
    struct spd_str before = SPD_STR_INIT(16 << 20), after = SPD_STR_INIT(16 << 20);
    struct order o = {.accession = "A1", .study = "1.2.1", .message = "M1", .bytes = "MSH|one"};
    world_order(w, o);
    int64_t first = w->r.message;
    world_dump(w->store, &before);
    w->now += SPD_SEC(5);
    world_order(w, o);
    assert_int_equal(w->r.did, SPD_DID_DUPLICATE);
    assert_int_equal(w->r.answer, SPD_ANSWER_AA);
    assert_int_equal(w->r.message, first);
    world_dump(w->store, &after);
    assert_true(spd_sv_eq(spd_str_sv(&before), spd_str_sv(&after)));
    o.bytes = "MSH|other"; /* same number, other content: a new message and a warning */
    world_order(w, o);
    assert_int_equal(w->r.did, SPD_DID_APPLY);
    assert_int_equal(world_count(w, SPD_KEY_ALARM_OPEN, "control-id-reused|ris"), 1);
    spd_str_done(&before), spd_str_done(&after);
}

static void older_messages_are_stale(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .priority = SPD_PRIORITY_STAT, .wire = "S"});
    w->now += SPD_MIN(1);
    world_order(w, (struct order){.accession = "A1",
                                  .control = "XO",
                                  .source_time = world_start - SPD_HOUR(1)});
    assert_int_equal(w->r.did, SPD_DID_STALE);
    assert_int_equal(w->r.answer, SPD_ANSWER_AA);
    assert_int_equal(world_item(w, 1).order_priority, SPD_PRIORITY_STAT);
}

static void result_before_its_order(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_result(w, (struct airesult){.accession = "A1"});
    assert_int_equal(w->r.did, SPD_DID_PARK);
    struct spd_view v = world_view(w, 1);
    assert_int_equal(v.status, SPD_STATUS_UNMATCHED);
    assert_int_equal(v.item.level, 1);
    assert_true(spd_item_listed(&v.item));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 0); /* not yet */
    w->now += SPD_SEC(20);
    world_order(w, (struct order){.accession = "A1"});
    assert_false(spd_item_listed(&(struct spd_item){0}));
    v = world_view(w, 2);
    assert_int_equal(v.item.level, 1);
    assert_true(world_reason(&v.item, "ich"));
    struct spd_item gone = world_item(w, 1);
    assert_false(spd_item_listed(&gone));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1);
    world_until(w, w->now + SPD_SEC(120));
    assert_int_equal(world_count(w, SPD_KEY_ALERT_ITEM, "1"),
                     0); /* nobody was paged for "unmatched" */
}

static void unmatched_pages_the_radiologist_after_a_minute(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_result(w, (struct airesult){.patient = "UNKNOWN1"});
    world_until(w, world_start + SPD_SEC(59));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 0);
    world_until(w, world_start + SPD_SEC(60));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1);
    assert_non_null(strstr(rows[0].payload.ptr, "unmatched"));
    world_order(w, (struct order){.accession = "A9", .patient = "P9", .study = "1.9"});
    int64_t item = w->r.items[0];
    world_act(w, SPD_ACT_ASSIGN, (struct spd_action_event){.parked = 1, .item = item});
    assert_int_equal(w->r.rc, SPD_INVALID); /* a reason is needed */
    world_act(w, SPD_ACT_ASSIGN,
              (struct spd_action_event){.parked = 1, .item = item, .reason = sv("checked")});
    assert_int_equal(w->r.rc, SPD_OK);
    struct spd_view v = world_view(w, item);
    assert_int_equal(v.item.level, 1);
    assert_true(v.alert.id != 0);
    assert_int_equal(world_count(w, SPD_KEY_PARKED_OPEN, "1"), 0);
}

static void wrong_patient_is_parked(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){.patient = "P2"});
    assert_int_equal(w->r.did, SPD_DID_PARK);
    assert_true(spd_sv_is(w->r.reason, "patient-differs"));
    assert_int_equal(world_item(w, 1).level, 4);
    world_result(w, (struct airesult){.patient = ""});
    assert_true(spd_sv_is(w->r.reason, "no-identifier"));
    world_result(w, (struct airesult){.unlisted = true});
    assert_true(spd_sv_is(w->r.reason, "unlisted-peer"));
    assert_int_equal(world_item(w, 1).level, 4);
}

static void name_birth_date_and_sex_only_warn(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *row;
        struct airesult x;
        size_t notes;
    } rows[] = {
        {"the same", {.person = "zzcanary, T.", .birth_date = "19600101", .sex = "F"}, 0},
        {"placeholders", {.person = "Onbekend", .birth_date = "19000101", .sex = "O"}, 0},
        {"nothing known", {.person = NULL}, 0},
        {"another name", {.person = "ZZOTHER, Test", .birth_date = "19600101"}, 1},
        {"all three", {.person = "ZZOTHER, Test", .birth_date = "19600102", .sex = "M"}, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct airesult x = rows[i].x;
        struct spd_view v;
        char study[16], accession[16];
        snprintf(study, sizeof study, "1.2.%zu", i + 1),
            snprintf(accession, sizeof accession, "A%zu", i + 1);
        x.study = study, x.state = SPD_AI_NEGATIVE;
        world_order(w, (struct order){.accession = accession, .study = study});
        world_result(w, x);
        assert_int_equal(w->r.did, SPD_DID_APPLY);
        v = world_view(w, (int64_t)i + 1);
        size_t notes = 0;
        for (size_t k = 0; k < v.n_ai; k++)
            notes += v.ai[k].n_notes;
        if (notes != rows[i].notes) fail_msg("%s: %zu notes", rows[i].row, notes);
    }
}

static void order_that_names_another_patient(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8);
    world_deliver(w, "mail", SPD_OUTCOME_OK, rows, 8);
    w->now += SPD_SEC(1);
    world_order(
        w, (struct order){.accession = "A1", .study = "1.2.1", .patient = "P7", .control = "XO"});
    struct spd_item i = world_item(w, 1);
    assert_int_equal(i.level, 4);
    assert_true(i.ask_person);
    assert_true(world_reason(&i, "patient-changed"));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1); /* told */
    assert_non_null(strstr(rows[0].payload.ptr, "CORRECTIE"));
    struct spd_alert al;
    assert_int_equal(spd_get_alert(w->store, 1, &al, w->a, NULL), SPD_OK);
    assert_int_equal(al.state, SPD_ALERT_WITHDRAWN);
}

static void two_accessions_one_study(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_order(w, (struct order){.accession = "A2", .study = "1.2.1", .body_part = "CSPINE"});
    world_result(w, (struct airesult){0});
    assert_int_equal(world_item(w, 1).level, 1);
    assert_int_equal(world_item(w, 2).level, 1);
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8),
                     1); /* raises both, pages once */
    struct spd_view v = world_view(w, 2);
    assert_int_equal(v.n_linked, 1);
    assert_true(v.alert.id != 0);
    world_order(
        w, (struct order){
               .accession = "A1", .study = "1.2.1", .control = "SC", .report = SPD_REPORT_FINAL});
    struct spd_item a = world_item(w, 1), b = world_item(w, 2);
    assert_int_equal(spd_item_status(&a), SPD_STATUS_FINAL);
    assert_int_equal(spd_item_status(&b), SPD_STATUS_ARRIVED); /* closes only the order it names */
}

static void an_order_after_the_result_of_its_study_is_listed(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0}); /* nothing else says that the images are there */
    world_order(w, (struct order){.accession = "A2", .study = "1.2.1", .body_part = "CSPINE"});
    struct spd_item a = world_item(w, 1), b = world_item(w, 2);
    assert_int_equal(b.level, 1);
    assert_int_equal(spd_item_status(&b), SPD_STATUS_ARRIVED);
    assert_true(b.images_first == a.images_first);
    world_order(
        w, (struct order){.accession = "A1", .study = "1.2.1", .control = "CA", .cancel = true});
    world_order(w, (struct order){.accession = "A3", .study = "1.2.1"}); /* replaces it */
    a = world_item(w, 1), b = world_item(w, 3);
    assert_false(spd_item_listed(&a));
    assert_true(spd_item_listed(&b));
}

/* RP and RO in one message: the RIS says which order takes the place of which. */
static void a_pair_of_RP_and_RO_hands_on(void **state)
{
    static const struct {
        const char *name, *old, *new, *study, *new_study, *patient;
        bool hands_on;
    } rows[] = {
        {"no study UID anywhere", "A1", "A2", NULL, NULL, "P1", true},
        {"only the old one has one", "B1", "B2", "1.2.2", NULL, "P2", true},
        {"the new one has another", "C1", "C2", "1.2.3", "1.2.4", "P3", true},
        {"an RO that does not say what it replaces", "D1", "D2", "1.2.5", "1.2.6", "P4", false},
    };
    struct world *w = *state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        int64_t from = (int64_t)k * 2 + 1, to = from + 1;
        char key[2][8];
        print_message("%s\n", rows[k].name);
        snprintf(key[0], sizeof key[0], "%d", (int)from);
        snprintf(key[1], sizeof key[1], "%d", (int)to);
        world_order(w, (struct order){.accession = rows[k].old,
                                      .study = rows[k].study,
                                      .patient = rows[k].patient,
                                      .exam_done = true});
        world_result(w, (struct airesult){.accession = rows[k].old,
                                          .study = rows[k].study ? rows[k].study : "",
                                          .patient = rows[k].patient});
        assert_int_equal(world_view(w, from).item.level, 1);
        world_order(w, (struct order){.accession = rows[k].new,
                                      .study = rows[k].new_study,
                                      .patient = rows[k].patient,
                                      .control = "RO",
                                      .replace = true,
                                      .replaced = rows[k].hands_on ? rows[k].old : NULL});
        struct spd_item a = world_item(w, from), b = world_item(w, to);
        assert_int_equal(a.order, rows[k].hands_on ? SPD_ORDER_CANCELLED : SPD_ORDER_ACTIVE);
        assert_int_equal(spd_item_listed(&a), !rows[k].hands_on); /* one of the two shows them */
        assert_int_equal(spd_item_listed(&b), rows[k].hands_on);
        assert_int_equal(world_view(w, rows[k].hands_on ? to : from).item.level, 1);
        if (rows[k].hands_on) assert_int_equal(world_view(w, to).alert.item, to);
        assert_int_equal(world_count(w, SPD_KEY_ALERT_ITEM, key[0]) +
                             world_count(w, SPD_KEY_ALERT_ITEM, key[1]),
                         1); /* nobody is paged anew */
    }
}

static void further_results_join_the_sequence(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){.image = "i1"});
    world_result(w, (struct airesult){.image = "i2"});
    world_result(w, (struct airesult){.name = "CSP", .concept = "cervical-spine-fracture"});
    assert_int_equal(world_count(w, SPD_KEY_ALERT_ITEM, "1"), 2); /* one per concept */
    struct spd_alert al;
    assert_int_equal(spd_get_alert(w->store, 1, &al, w->a, NULL), SPD_OK);
    assert_int_equal(al.evidence.n, 1);
}

static void rerun_that_turns_negative_is_a_contradiction(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){.image = "i1"});
    world_result(w, (struct airesult){.image = "i1", .state = SPD_AI_NEGATIVE});
    struct spd_item i = world_item(w, 1);
    assert_int_equal(i.level, 1); /* the most urgent counts */
    assert_true(i.contradiction);
    assert_true(world_reason(&i, "contradiction"));
    struct spd_alert al;
    assert_int_equal(spd_get_alert(w->store, 1, &al, w->a, NULL), SPD_OK);
    assert_true(spd_alert_open((enum spd_alert_state)al.state));
}

/* The same images again, and the finding on another site: nobody said that the first one is gone. */
static void rerun_with_another_site_takes_nothing_away(void **state)
{
    struct world *w = *state;
    struct spd_result first, second;
    int64_t ids[3];
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    static const char *const sites[] = {"brain", "brain-stem", "brain-stem"};
    for (int i = 0; i < 3; i++) {
        world_result(w, (struct airesult){.image = "i1", .site = sites[i]});
        ids[i] = w->r.id;
    }
    assert_int_equal(spd_get_result(w->store, ids[0], &first, w->a, NULL), SPD_OK);
    assert_int_equal(spd_get_result(w->store, ids[1], &second, w->a, NULL), SPD_OK);
    assert_int_equal(first.superseded_by, 0);
    assert_int_equal(second.contradicts, ids[0]);
    assert_int_equal(second.superseded_by, ids[2]); /* the same again is a re-run */
    assert_true(world_item(w, 1).contradiction);
}

/* What a stranger says in a model's name counts for nothing: neither in its numbers nor as a sign of
 * life. */
static void a_stranger_speaks_for_no_model(void **state)
{
    struct world *w = *state;
    struct spd_model_version v;
    int64_t id;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    for (int known = 0; known < 2; known++) {
        world_result(w, (struct airesult){.unlisted = !known});
        enum spd_rc rc = spd_store_find_one(w->store, SPD_KEY_MODEL_VERSION,
                                            spd_key_join(w->a, sv("ich-a"), sv("1")), &id, NULL);
        assert_int_equal(rc, known ? SPD_OK : SPD_NOTFOUND);
    }
    assert_int_equal(spd_get_model_version(w->store, id, &v, w->a, NULL), SPD_OK);
    assert_int_equal(v.results, 1);
}

static void correction_travels(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){.sop = "1.5.5"});
    world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8);
    world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8);
    world_result(w, (struct airesult){.predecessor = "1.5.5", .state = SPD_AI_NEGATIVE});
    struct spd_item i = world_item(w, 1);
    assert_int_equal(i.level, 4);
    assert_false(i.contradiction);
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1);
    assert_non_null(strstr(rows[0].payload.ptr, "CORRECTIE"));
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 1);
    assert_true(spd_sv_is(rows[0].wire, "R")); /* back to the RIS's own */
}

static void disagree_withdraws_and_tells(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8);
    world_act(w, SPD_ACT_VERDICT,
              (struct spd_action_event){
                  .item = 1, .verdict = sv("disagree"), .finding = sv("intracranial-hemorrhage")});
    assert_int_equal(w->r.rc, SPD_OK);
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1);
    assert_non_null(strstr(rows[0].payload.ptr, "CORRECTIE"));
    world_until(w, w->now + SPD_HOUR(2));
    world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8);
    struct spd_alert al;
    assert_int_equal(spd_get_alert(w->store, 1, &al, w->a, NULL), SPD_OK);
    assert_int_equal(al.state, SPD_ALERT_WITHDRAWN);
    assert_int_equal(world_count(w, SPD_KEY_ALERT_ITEM, "1"),
                     1); /* the same result does not start it again */
}

static void no_ping_pong(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 1);
    w->now += SPD_SEC(1); /* the RIS echoes our value: baseline unchanged, nothing sent */
    world_order(
        w, (struct order){
               .accession = "A1", .control = "XO", .priority = SPD_PRIORITY_STAT, .wire = "S"});
    assert_int_equal(world_item(w, 1).order_priority, SPD_PRIORITY_ROUTINE);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 0);
    w->now += SPD_SEC(1); /* the RIS sets its own value back: shown, not fought */
    world_order(w, (struct order){.accession = "A1", .control = "XO", .wire = "R"});
    struct spd_item i = world_item(w, 1);
    assert_true(world_reason(&i, "overruled-by-ris"));
    assert_int_equal(i.level, 1);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 0);
}

static void cancel_never_hides_images(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_study(w, "1.2.1", NULL, NULL, "i1", true);
    world_order(w, (struct order){.accession = "A1", .control = "CA", .cancel = true});
    struct spd_item i = world_item(w, 1);
    assert_int_equal(spd_item_status(&i), SPD_STATUS_CANCELLED_IMAGES);
    assert_true(spd_item_listed(&i));
    world_result(
        w, (struct airesult){0}); /* a positive on a cancelled order with images still pages */
    assert_int_equal(world_count(w, SPD_KEY_ALERT_ITEM, "1"), 1);
    world_order(
        w, (struct order){.accession = "A2", .study = "1.2.1", .replace = true, .control = "RO"});
    i = world_item(w, 1);
    assert_false(spd_item_listed(&i)); /* the replacing order shows them, with result and alert */
    struct spd_view v = world_view(w, 2);
    assert_int_equal(v.item.level, 1);
    assert_int_equal(v.alert.item, 2);
    world_act(w, SPD_ACT_REOPEN, (struct spd_action_event){.item = 1, .reason = sv("mistake")});
    i = world_item(w, 1);
    assert_true(spd_item_listed(&i));
}

static void waiting_raises_and_due_never_moves_later(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_study(w, "1.2.1", NULL, NULL, "i1", true);
    spd_usec due = world_item(w, 1).due;
    assert_int_equal(due, world_start + SPD_HOUR(24));
    world_until(w, due);
    struct spd_item i = world_item(w, 1);
    assert_int_equal(i.level, 3);
    assert_true(world_reason(&i, "max_wait"));
    assert_true(i.due <= due);
    world_until(w, due + SPD_HOUR(4));
    assert_int_equal(world_item(w, 1).level, 2);
    world_until(w, due + SPD_HOUR(5));
    assert_int_equal(world_item(w, 1).level, 1);
    assert_int_equal(world_count(w, SPD_KEY_ALERT_ITEM, "1"), 0); /* waiting alone never pages */
}

static void silent_model_is_late_then_alarmed(void **state)
{
    struct world *w = *state;
    for (int k = 0; k < 5; k++) {
        char acc[32], study[32];
        snprintf(acc, sizeof acc, "A%d", k), snprintf(study, sizeof study, "1.2.%d", k);
        world_order(w, (struct order){.accession = acc, .study = study});
        world_study(w, study, NULL, NULL, "i1", true);
    }
    world_until(w, world_start + SPD_MIN(10));
    struct spd_view v = world_view(w, 1);
    assert_int_equal(v.ai[0].state, SPD_AI_LATE);
    assert_int_equal(v.item.level, 4); /* late is not negative, and lowers nothing */
    assert_int_equal(world_count(w, SPD_KEY_ALARM_OPEN, "model-silent|ich-a"), 1);
    world_result(w, (struct airesult){.study = "1.2.0", .state = SPD_AI_NEGATIVE});
    assert_int_equal(world_count(w, SPD_KEY_ALARM_OPEN, "model-silent|ich-a"), 0);
}

/* ---- drafts
 * -------------------------------------------------------------------------------------- */
static void chest(struct world *w)
{
    world_order(w,
                (struct order){
                    .accession = "A1", .study = "1.2.1", .modality = "DX", .body_part = "CHEST"});
    world_study(w, "1.2.1", NULL, NULL, "i1", true);
    world_result(
        w, (struct airesult){
               .name = "PTX", .concept = "pneumothorax", .state = SPD_AI_NEGATIVE, .image = "i1"});
}

static void normal(struct world *w)
{
    world_result(w, (struct airesult){.name = "CXRN",
                                      .concept = "normal-chest",
                                      .state = SPD_AI_NORMAL,
                                      .present = SPD_PRESENT_NORMAL,
                                      .image = "i1"});
}

static void draft_offered_and_accepted(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    chest(w);
    struct spd_view v = world_view(w, 1);
    assert_int_equal(v.draft.id, 0);
    assert_true(v.item.no_draft_en.len > 0); /* "a required AI result is still missing" */
    normal(w);
    v = world_view(w, 1);
    assert_int_equal(v.draft.id, 1);
    assert_true(v.draft.text.len > 20);
    int64_t version = v.draft.version;
    static spd_sv clinician[] = {{"clinician", 9}};
    struct spd_action_event no = {.item = 1, .version = version};
    no.roles.v = clinician, no.roles.n = 1;
    world_act(w, SPD_ACT_DRAFT_ACCEPT, no);
    assert_int_equal(w->r.rc, SPD_DENIED);
    world_act(w, SPD_ACT_DRAFT_ACCEPT, (struct spd_action_event){.item = 1});
    assert_int_equal(w->r.rc, SPD_UNKNOWN); /* 428 */
    world_act(w, SPD_ACT_DRAFT_ACCEPT, (struct spd_action_event){.item = 1, .version = version});
    assert_int_equal(w->r.rc, SPD_INVALID); /* not opened */
    world_act(w, SPD_ACT_OPENED, (struct spd_action_event){.item = 1});
    world_act(w, SPD_ACT_DRAFT_ACCEPT, (struct spd_action_event){.item = 1, .version = version});
    assert_int_equal(w->r.rc, SPD_INVALID); /* too soon */
    w->now += SPD_SEC(15);
    world_act(w, SPD_ACT_DRAFT_ACCEPT, (struct spd_action_event){.item = 1, .version = version});
    assert_int_equal(w->r.rc, SPD_OK);
    v = world_view(w, 1);
    assert_int_equal(v.status, SPD_STATUS_PRELIMINARY);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 0); /* can still be undone */
    w->now += SPD_SEC(10);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 1);
    assert_int_equal(rows[0].kind, SPD_OUTBOX_REPORT);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 0);
    world_act(w, SPD_ACT_DRAFT_UNDO, (struct spd_action_event){.item = 1});
    assert_int_equal(w->r.rc, SPD_EXISTS);
}

static void draft_rejected(void **state)
{
    struct world *w = *state;
    chest(w), normal(w);
    int64_t version = world_view(w, 1).draft.version;
    world_act(
        w, SPD_ACT_DRAFT_REJECT,
        (struct spd_action_event){.item = 1, .version = version + 1, .reason = sv("not normal")});
    assert_int_equal(w->r.rc, SPD_STALE); /* whoever names a version means that one */
    world_act(w, SPD_ACT_DRAFT_REJECT,
              (struct spd_action_event){.item = 1, .reason = sv("not normal")});
    assert_int_equal(w->r.rc, SPD_OK);
    struct spd_view v = world_view(w, 1);
    assert_true(spd_sv_is(v.item.no_draft_en, "the draft was rejected"));
    world_act(w, SPD_ACT_DRAFT_REJECT, (struct spd_action_event){.item = 1, .reason = sv("again")});
    assert_int_equal(w->r.rc, SPD_STALE);
}

static void accept_at(struct world *w)
{
    world_act(w, SPD_ACT_OPENED, (struct spd_action_event){.item = 1});
    w->now += SPD_SEC(20);
    world_act(w, SPD_ACT_DRAFT_ACCEPT,
              (struct spd_action_event){.item = 1, .version = world_view(w, 1).draft.version});
    assert_int_equal(w->r.rc, SPD_OK);
}

static void draft_undo(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    chest(w), normal(w), accept_at(w);
    w->now += SPD_SEC(5);
    world_act(w, SPD_ACT_DRAFT_UNDO, (struct spd_action_event){.item = 1});
    assert_int_equal(w->r.rc, SPD_OK);
    struct spd_view v = world_view(w, 1);
    assert_int_equal(v.status, SPD_STATUS_ARRIVED);
    assert_int_equal(v.draft.id, 1); /* offered again */
    w->now += SPD_MIN(1);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 0);
}

static void report_that_does_not_arrive_returns(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    chest(w), normal(w), accept_at(w);
    w->now += SPD_SEC(10);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_PERMANENT, rows, 8), 1); /* AR */
    struct spd_view v = world_view(w, 1);
    assert_int_equal(v.status, SPD_STATUS_ARRIVED);
    assert_true(world_reason(&v.item, "report-not-delivered"));
    assert_int_equal(world_count(w, SPD_KEY_ALARM_OPEN, "report-not-delivered|1"), 1);
}

static void report_without_an_answer_returns(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    chest(w), normal(w), accept_at(w);
    w->now += SPD_SEC(10);
    for (int k = 0; k < 3; k++) {
        assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_UNKNOWN, rows, 8), 1);
        w->now += SPD_MIN(1);
    }
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_ARRIVED);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 0);
}

static void late_image_withdraws_the_draft(void **state)
{
    struct world *w = *state;
    chest(w), normal(w);
    int64_t version = world_view(w, 1).draft.version;
    world_act(w, SPD_ACT_OPENED, (struct spd_action_event){.item = 1});
    w->now += SPD_SEC(20);
    world_study(w, "1.2.1", NULL, NULL, "i2", false);
    assert_int_equal(world_view(w, 1).draft.id, 0);
    world_act(w, SPD_ACT_DRAFT_ACCEPT, (struct spd_action_event){.item = 1, .version = version});
    assert_int_equal(w->r.rc, SPD_STALE); /* 412 */
}

static void order_update_changes_the_version(void **state)
{
    struct world *w = *state;
    chest(w), normal(w);
    int64_t version = world_view(w, 1).draft.version;
    world_act(w, SPD_ACT_OPENED, (struct spd_action_event){.item = 1});
    w->now += SPD_SEC(20);
    world_order(w, (struct order){.accession = "A1",
                                  .study = "1.2.1",
                                  .modality = "DX",
                                  .body_part = "CHEST",
                                  .control = "XO"});
    assert_true(world_view(w, 1).draft.version > version);
    world_act(w, SPD_ACT_DRAFT_ACCEPT, (struct spd_action_event){.item = 1, .version = version});
    assert_int_equal(w->r.rc, SPD_STALE);
}

static void positive_forbids_a_draft(void **state)
{
    struct world *w = *state;
    chest(w), normal(w);
    assert_int_equal(world_view(w, 1).draft.id, 1);
    world_result(w, (struct airesult){.name = "PTX", .concept = "pneumothorax", .image = "i1"});
    struct spd_view v = world_view(w, 1);
    assert_int_equal(v.draft.id, 0);
    assert_non_null(strstr(v.item.no_draft_en.ptr, "finding"));
}

static void positive_in_the_undo_time_holds_the_report_back(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    chest(w), normal(w), accept_at(w);
    w->now += SPD_SEC(2);
    world_result(w, (struct airesult){.name = "PTX", .concept = "pneumothorax", .image = "i1"});
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_ARRIVED);
    w->now += SPD_MIN(1);
    size_t n = world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8);
    for (size_t i = 0; i < n; i++)
        assert_int_not_equal(rows[i].kind, SPD_OUTBOX_REPORT);
}

static void unlisted_version_is_shadow(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){.version = "2"});
    struct spd_view v = world_view(w, 1);
    assert_int_equal(v.item.level, 4);
    assert_int_equal(v.ai[0].mode, SPD_MODE_SHADOW);
    world_act(w, SPD_ACT_SET_MODE,
              (struct spd_action_event){.model = sv("ich-a"),
                                        .model_version = sv("2"),
                                        .mode = sv("live"),
                                        .reason = sv("accepted")});
    assert_int_equal(w->r.rc, SPD_OK);
    assert_int_equal(world_item(w, 1).level, 1);
}

static void a_change_of_rules_reaches_every_item(void **state)
{
    struct world *w = *state;
    for (unsigned k = 0; k < 600; k++) {
        char acc[32], study[32];
        snprintf(acc, sizeof acc, "A%u", k), snprintf(study, sizeof study, "1.2.%u", k);
        world_order(w, (struct order){.accession = acc, .study = study});
        world_result(w, (struct airesult){.study = study, .version = "2"});
    }
    assert_int_equal(world_item(w, 600).level, 4);
    world_act(w, SPD_ACT_SET_MODE,
              (struct spd_action_event){.model = sv("ich-a"),
                                        .model_version = sv("2"),
                                        .mode = sv("live"),
                                        .reason = sv("accepted")});
    assert_int_equal(world_item(w, 1).level, 1);
    assert_int_equal(world_item(w, 600).level, 4); /* not all in one event */
    world_until(w, w->now + SPD_SEC(1));
    for (int64_t id = 1; id <= 600; id++)
        assert_int_equal(world_item(w, id).level, 1);
}

static size_t due_rows(struct world *w)
{
    int64_t ids[32];
    spd_usec dues[32];
    size_t n;
    assert_int_equal(spd_store_due(w->store, SPD_T_OUTBOX, sv("ris"), w->now, 0, 0, ids, dues, 32, &n, NULL),
                     SPD_OK);
    return n;
}

static void rows_of_one_order_go_one_by_one(void **state)
{
    struct world *w = *state;
    struct spd_claim_event c = {.destination = sv("ris"), .max = 8, .lease = SPD_SEC(20)};
    struct spd_outbox rows[8];
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){.sop = "1.5.5"});
    world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8),
        world_deliver(w, "mail", SPD_OUTCOME_OK, rows, 8);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_TEMPORARY, rows, 8),
                     1); /* the RIS is down */
    world_result(w, (struct airesult){.predecessor = "1.5.5", .state = SPD_AI_NEGATIVE});
    world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8),
        world_deliver(w, "mail", SPD_OUTCOME_OK, rows, 8);
    assert_int_equal(due_rows(w), 1); /* the second message, behind the first */
    world_next(w);
    world_apply(w, SPD_EVENT_CLAIM, &c);
    assert_int_equal(w->r.n_claimed, 0);
    assert_int_equal(due_rows(w), 0); /* it sleeps: nobody asks in vain */
    w->now += SPD_SEC(3);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 1);
    assert_true(spd_sv_is(rows[0].wire, "S"));
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8),
                     1); /* and is due as soon as that one is gone */
    assert_true(spd_sv_is(rows[0].wire, "R"));
    assert_int_equal(due_rows(w), 0);
}

/* A night without the RIS: the priority waits for it; a report has a person behind it and comes back. */
static void a_destination_that_is_down_loses_nothing(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){.sop = "1.5.5"});
    world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8),
        world_deliver(w, "mail", SPD_OUTCOME_OK, rows, 8);
    for (int i = 0; i < 600; i++) { /* ten hours */
        assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_UNREACHED, rows, 8), 1);
        w->now += SPD_SEC(61);
    }
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_TEMPORARY, rows, 8), 1); /* AE counts from here */
    w->now += SPD_SEC(61);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 1);
    assert_true(spd_sv_is(rows[0].wire, "S"));
    assert_int_equal(rows[0].unreached, 600);
}

static void claims_are_leases(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_study(w, "1.2.1", NULL, NULL, "i1", true);
    world_act(w, SPD_ACT_CLAIM, (struct spd_action_event){.item = 1, .by = sv("one")});
    assert_int_equal(w->r.rc, SPD_OK);
    world_act(w, SPD_ACT_CLAIM, (struct spd_action_event){.item = 1, .by = sv("two")});
    assert_int_equal(w->r.rc, SPD_EXISTS);
    assert_true(spd_sv_is(w->r.holder, "one"));
    world_until(w, w->now + SPD_MIN(15));
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_ARRIVED);
    world_act(w, SPD_ACT_CLAIM, (struct spd_action_event){.item = 1, .by = sv("two")});
    assert_int_equal(w->r.rc, SPD_OK);
}

static void lost_lease_is_sent_again_and_marked(void **state)
{
    struct world *w = *state;
    struct spd_claim_event c = {0};
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    c.destination = sv("pager"), c.max = 8, c.lease = SPD_SEC(30);
    world_next(w);
    world_apply(w, SPD_EVENT_CLAIM, &c);
    assert_int_equal(w->r.n_claimed, 1);
    assert_int_equal(w->r.claimed[0].attempts, 1);
    world_next(w);
    world_apply(w, SPD_EVENT_CLAIM, &c);
    assert_int_equal(w->r.n_claimed, 0); /* in flight */
    w->now += SPD_SEC(31);               /* the worker died */
    world_next(w);
    world_apply(w, SPD_EVENT_CLAIM, &c);
    assert_int_equal(w->r.n_claimed, 1);
    assert_int_equal(w->r.claimed[0].attempts, 2);
}

static void start_alone_sends_at_once_what_a_dead_brain_was_sending(void **state)
{
    struct world *w = *state;
    struct spd_claim_event c = {0};
    struct spd_start_event start = {0};
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    c.destination = sv("pager"), c.max = 8, c.lease = SPD_SEC(30);
    world_next(w);
    world_apply(w, SPD_EVENT_CLAIM, &c);
    assert_int_equal(w->r.n_claimed, 1);
    world_next(w);
    world_apply(w, SPD_EVENT_START, &start); /* one of several brains: the row's owner may live */
    world_apply(w, SPD_EVENT_CLAIM, &c);
    assert_int_equal(w->r.n_claimed, 0);
    start.alone = 1;
    world_apply(w, SPD_EVENT_START, &start);
    world_apply(w, SPD_EVENT_CLAIM, &c);
    assert_int_equal(w->r.n_claimed, 1);
    assert_int_equal(w->r.claimed[0].attempts, 2); /* so that it says it is a repeat */
}

/* ---- what must not take a finding away
 * ------------------------------------------------------------ */
static void a_failed_or_shadow_rerun_takes_no_finding_away(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){.image = "i1", .sop = "1.5.1"});
    world_result(w, (struct airesult){.image = "i1", .state = SPD_AI_FAILED, .concept = ""});
    assert_int_equal(world_item(w, 1).level, 1);
    assert_false(world_item(w, 1).contradiction);
    world_result(
        w, (struct airesult){
               .image = "i1", .version = "2", .state = SPD_AI_NEGATIVE, .predecessor = "1.5.1"});
    assert_int_equal(world_item(w, 1).level,
                     1); /* version 2 is in shadow: readers do not see it, nor its word */
    assert_false(world_item(w, 1).contradiction);
    struct spd_alert al;
    assert_int_equal(spd_get_alert(w->store, 1, &al, w->a, NULL), SPD_OK);
    assert_true(spd_alert_open((enum spd_alert_state)al.state));
    world_result(w,
                 (struct airesult){
                     .image = "i1",
                     .concept = "cervical-spine-fracture"}); /* positive, but of something else */
    assert_int_equal(world_item(w, 1).level, 1);
    assert_true(world_item(w, 1).contradiction);
    world_result(
        w, (struct airesult){
               .predecessor = "1.5.1",
               .state = SPD_AI_NEGATIVE}); /* its sender corrects it: no contradiction any more */
    assert_false(world_item(w, 1).contradiction);
}

static void what_is_parked_supersedes_nothing(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){.sop = "1.5.1"});
    world_result(
        w, (struct airesult){.predecessor = "1.5.1", .state = SPD_AI_NEGATIVE, .unlisted = true});
    assert_int_equal(w->r.did, SPD_DID_PARK);
    world_result(
        w, (struct airesult){.predecessor = "1.5.1", .state = SPD_AI_NEGATIVE, .patient = "P2"});
    assert_int_equal(w->r.did, SPD_DID_PARK);
    w->now += SPD_SEC(1);
    world_order(w, (struct order){
                       .accession = "A1", .study = "1.2.1", .control = "XO"}); /* decided on anew */
    assert_int_equal(world_item(w, 1).level, 1);
    struct spd_alert al;
    assert_int_equal(spd_get_alert(w->store, 1, &al, w->a, NULL), SPD_OK);
    assert_true(spd_alert_open((enum spd_alert_state)al.state));
}

static void the_same_object_by_another_way_is_once(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){.sop = "1.5.1", .image = "i1"});
    int64_t id = w->r.id;
    world_act(w, SPD_ACT_VERDICT, (struct spd_action_event){.item = 1, .verdict = sv("disagree")});
    w->now += SPD_MIN(10);
    struct spd_result_event e = {0};
    world_next(w);
    envelope(w, &e.message, "C-STORE", "1.5.1", "other bytes"); /* the archive changed a header */
    e.message.peer = sv("orthanc"), e.known_peer = 1;
    struct spd_result old;
    assert_int_equal(spd_get_result(w->store, id, &old, w->a, NULL), SPD_OK);
    e.result = old;
    e.result.id = e.result.at = e.result.mode = 0, e.result.items.n = 0;
    assert_int_equal(world_apply(w, SPD_EVENT_RESULT, &e), SPD_OK);
    assert_int_equal(w->r.did, SPD_DID_DUPLICATE);
    assert_int_equal(w->r.id, id);
    assert_int_equal(world_count(w, SPD_KEY_ALERT_ITEM, "1"), 1); /* nobody is paged again */
}

static size_t open_alerts(struct world *w, const char *item)
{
    int64_t *ids;
    size_t n, open = 0;
    assert_int_equal(
        spd_store_find_all(w->store, SPD_KEY_ALERT_ITEM, sv(item), &ids, &n, w->a, NULL), SPD_OK);
    for (size_t i = 0; i < n; i++) {
        struct spd_alert al;
        assert_int_equal(spd_get_alert(w->store, ids[i], &al, w->a, NULL), SPD_OK);
        open += spd_alert_open((enum spd_alert_state)al.state);
    }
    return open;
}

static void a_changed_patient_leaves_the_linked_order_alone(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_order(w, (struct order){.accession = "A2", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    bool first = open_alerts(w, "1") == 1; /* one page for the study: it hangs on one of the two */
    assert_int_equal(open_alerts(w, "1") + open_alerts(w, "2"), 1);
    w->now += SPD_SEC(1);
    world_order(w,
                (struct order){.accession = first ? "A1" : "A2", .patient = "P7", .control = "XO"});
    assert_int_equal(world_item(w, first ? 1 : 2).level, 4);
    assert_int_equal(world_item(w, first ? 2 : 1).level,
                     1); /* its patient did not change: finding and page stay with it */
    assert_int_equal(open_alerts(w, first ? "2" : "1"), 1);
    assert_int_equal(world_count(w, SPD_KEY_PARKED_OPEN, "1"), 0);
}

static void a_changed_patient_and_back_pages_again(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8);
    w->now += SPD_SEC(1);
    world_order(w, (struct order){.accession = "A1", .patient = "P7", .control = "XO"});
    world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8); /* the correction */
    w->now += SPD_SEC(20);
    world_order(w, (struct order){.accession = "A1",
                                  .control = "XO"}); /* a slip of the keyboard, put right */
    assert_int_equal(world_item(w, 1).level, 1);
    assert_int_equal(open_alerts(w, "1"), 1);
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1);
}

static void a_changed_patient_pages_as_unmatched(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    w->now += SPD_SEC(1);
    world_order(w, (struct order){.accession = "A1", .patient = "P7", .control = "XO"});
    world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8);
    world_until(w, w->now + SPD_SEC(60));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8),
                     1); /* somebody bleeds: whose is it? */
    assert_non_null(strstr(rows[0].payload.ptr, "unmatched"));
}

static void an_update_of_a_linked_order_confirms_no_cancel(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_order(w, (struct order){.accession = "A2", .study = "1.2.1"});
    world_study(w, "1.2.1", NULL, NULL, "i1", true);
    w->now += SPD_SEC(1);
    world_order(w, (struct order){.accession = "A1", .control = "CA", .cancel = true});
    w->now += SPD_SEC(1);
    world_order(w, (struct order){.accession = "A2", .study = "1.2.1", .control = "XO"});
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_CANCELLED_IMAGES);
}

static void a_new_finding_after_the_report_is_a_discrepancy(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    world_act(w, SPD_ACT_ACKNOWLEDGE, (struct spd_action_event){.alert = 1});
    w->now += SPD_SEC(1);
    world_order(w, (struct order){.accession = "A1", .control = "SC", .report = SPD_REPORT_FINAL});
    world_result(w, (struct airesult){.name = "CSP", .concept = "cervical-spine-fracture"});
    assert_int_equal(world_count(w, SPD_KEY_ALERT_ITEM, "1"), 1); /* no page after a report ... */
    assert_int_equal(world_count(w, SPD_KEY_DISCREPANCY_ITEM, "1"),
                     1); /* ... but not nothing either */
}

/* ---- drafts that must not leave
 * ------------------------------------------------------------------- */
static void a_parked_finding_forbids_a_draft(void **state)
{
    struct world *w = *state;
    chest(w), normal(w);
    assert_int_equal(world_view(w, 1).draft.id, 1);
    world_result(w, (struct airesult){.name = "PTX",
                                      .concept = "pneumothorax",
                                      .patient = ""}); /* of this study, no patient id */
    assert_int_equal(w->r.did, SPD_DID_PARK);
    assert_int_equal(w->r.n_items <= 1, 1);
    assert_int_equal(world_view(w, 1).draft.id, 0);
    struct spd_parked p;
    assert_int_equal(spd_get_parked(w->store, 1, &p, w->a, NULL), SPD_OK);
    world_act(w, SPD_ACT_DISCARD,
              (struct spd_action_event){.parked = 1, .reason = sv("a phantom")});
    assert_int_equal(world_view(w, 1).draft.id, 1);
}

static void held_back_reports_wait_like_others(void **state)
{
    struct world *w = *state;
    chest(w), normal(w), accept_at(w);
    w->now += SPD_SEC(2);
    world_result(w, (struct airesult){.name = "PTX", .concept = "pneumothorax", .image = "i1"});
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_ARRIVED);
    world_until(w, w->now + SPD_HOUR(25));
    assert_true(world_item(w, 1).level < 4); /* nobody starves */
}

static void a_cancel_in_the_undo_time_holds_the_report_back(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    chest(w), normal(w), accept_at(w);
    w->now += SPD_SEC(2);
    world_order(w, (struct order){.accession = "A1",
                                  .control = "CA",
                                  .cancel = true,
                                  .modality = "DX",
                                  .body_part = "CHEST"});
    w->now += SPD_MIN(1);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 0);
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_CANCELLED_IMAGES);
}

static void the_report_of_the_ris_in_the_undo_time_stands(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    chest(w), normal(w), accept_at(w);
    w->now += SPD_SEC(2);
    world_order(w, (struct order){.accession = "A1",
                                  .control = "SC",
                                  .report = SPD_REPORT_FINAL,
                                  .modality = "DX",
                                  .body_part = "CHEST"});
    w->now += SPD_MIN(1);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8),
                     0); /* ours would overwrite it */
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_FINAL);
}

static void a_reopened_item_sends_no_report(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    chest(w), normal(w), accept_at(w);
    w->now += SPD_SEC(2);
    world_act(w, SPD_ACT_REOPEN, (struct spd_action_event){.item = 1, .reason = sv("look again")});
    w->now += SPD_MIN(1);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 0);
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_ARRIVED);
}

/* The RIS was down at the first try; then its order turns out to be of another patient. */
static void a_report_does_not_follow_its_order_to_another_patient(void **state)
{
    static const enum spd_outcome first[] = {SPD_OUTCOME_TEMPORARY, SPD_OUTCOME_UNKNOWN,
                                             SPD_OUTCOME_PERMANENT};
    struct world *w = *state;
    struct spd_outbox rows[8];
    for (int i = 0; i < 3; i++) {
        const char *accession = (const char *[]){"B1", "B2", "B3"}[i],
                   *study = (const char *[]){"1.3.1", "1.3.2", "1.3.3"}[i];
        struct order o = {
            .accession = accession, .study = study, .modality = "DX", .body_part = "CHEST"};
        struct airesult r = {.name = "PTX",
                             .study = study,
                             .concept = "pneumothorax",
                             .state = SPD_AI_NEGATIVE,
                             .image = "i1"};
        world_order(w, o);
        int64_t id = w->r.items[0];
        world_study(w, study, NULL, NULL, "i1", true);
        world_result(w, r);
        r.name = "CXRN", r.concept = "normal-chest", r.state = SPD_AI_NORMAL;
        r.present = SPD_PRESENT_NORMAL;
        world_result(w, r);
        world_act(w, SPD_ACT_OPENED, (struct spd_action_event){.item = id});
        w->now += SPD_SEC(20);
        world_act(w, SPD_ACT_DRAFT_ACCEPT,
                  (struct spd_action_event){.item = id, .version = world_view(w, id).draft.version});
        assert_int_equal(w->r.rc, SPD_OK);
        int64_t row = world_item(w, id).report_message;
        w->now += SPD_SEC(10);
        assert_int_equal(world_deliver(w, "ris", first[i], rows, 8), 1);
        o.patient = "P2";
        world_order(w, o);
        w->now += SPD_MIN(2);
        assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 0);
        assert_int_equal(world_view(w, id).status, SPD_STATUS_ARRIVED);
        assert_int_equal(world_item(w, id).ask_person, 1);
        world_act(w, SPD_ACT_RETRY, (struct spd_action_event){.outbox = row});
        assert_true(w->r.rc != SPD_OK);
        assert_int_equal(world_view(w, id).status, SPD_STATUS_ARRIVED);
    }
}

static void a_finding_while_the_report_waits_for_its_next_try_holds_it_back(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    chest(w), normal(w), accept_at(w);
    w->now += SPD_SEC(10);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_UNKNOWN, rows, 8), 1);
    world_result(w, (struct airesult){.name = "PTX", .concept = "pneumothorax", .image = "i1"});
    w->now += SPD_MIN(1);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 0);
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_ARRIVED);
    /* it may have got there at the first try */
    assert_int_equal(world_count(w, SPD_KEY_ALARM_OPEN, "finding-after-accept|1"), 1);
}

static void a_finding_while_the_report_is_in_flight_stops_its_next_try(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    struct spd_claim_event c = {.destination = sv("ris"), .max = 8, .lease = SPD_SEC(20)};
    chest(w), normal(w), accept_at(w);
    w->now += SPD_SEC(10);
    world_next(w);
    assert_int_equal(world_apply(w, SPD_EVENT_CLAIM, &c), SPD_OK);
    assert_int_equal(w->r.n_claimed, 1);
    struct spd_outcome_event o = {.outbox = w->r.claimed[0].id,
                                  .outcome = SPD_OUTCOME_TEMPORARY,
                                  .detail = sv("connect: refused")};
    world_result(w, (struct airesult){.name = "PTX", .concept = "pneumothorax", .image = "i1"});
    assert_int_equal(world_count(w, SPD_KEY_ALARM_OPEN, "finding-after-accept|1"), 1);
    world_next(w);
    assert_int_equal(world_apply(w, SPD_EVENT_OUTCOME, &o), SPD_OK);
    w->now += SPD_MIN(1);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 0);
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_ARRIVED);
}

static void a_finding_after_the_report_left_alarms(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    chest(w), normal(w), accept_at(w);
    w->now += SPD_SEC(10);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 1);
    world_result(w, (struct airesult){.name = "PTX", .concept = "pneumothorax", .image = "i1"});
    assert_int_equal(world_count(w, SPD_KEY_ALARM_OPEN, "finding-after-accept|1"), 1);
}

static int64_t last_outbox(struct world *w)
{
    int64_t id;
    assert_int_equal(spd_store_max_id(w->store, SPD_T_OUTBOX, &id, NULL), SPD_OK);
    return id;
}

static void a_failed_report_is_not_sent_again_beside_a_finding(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    chest(w), normal(w), accept_at(w);
    w->now += SPD_SEC(10);
    world_deliver(w, "ris", SPD_OUTCOME_PERMANENT, rows, 8);
    int64_t row = last_outbox(w);
    world_act(w, SPD_ACT_RETRY,
              (struct spd_action_event){.outbox = row, .reason = sv("the RIS is back")});
    assert_int_equal(w->r.rc, SPD_OK);
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_PRELIMINARY);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_PERMANENT, rows, 8), 1);
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_ARRIVED);
    world_result(w, (struct airesult){.name = "PTX", .concept = "pneumothorax", .image = "i1"});
    world_act(w, SPD_ACT_RETRY, (struct spd_action_event){.outbox = row, .reason = sv("again")});
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 0);
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_ARRIVED);
    world_order(w, (struct order){.accession = "A1",
                                  .control = "SC",
                                  .report = SPD_REPORT_FINAL,
                                  .modality = "DX",
                                  .body_part = "CHEST"});
    world_act(w, SPD_ACT_RETRY, (struct spd_action_event){.outbox = row, .reason = sv("again")});
    assert_int_not_equal(w->r.rc, SPD_OK); /* the RIS has its own by now */
}

static void an_unseen_image_known_by_number_stays_unseen(void **state)
{
    struct world *w = *state;
    struct spd_study_event e = {0};
    world_order(w,
                (struct order){
                    .accession = "A1", .study = "1.2.1", .modality = "DX", .body_part = "CHEST"});
    for (int k = 1; k <= 2; k++) {
        world_next(w);
        e.study_uid = sv("1.2.1"), e.instance_count = k;
        assert_int_equal(world_apply(w, SPD_EVENT_STUDY, &e), SPD_OK);
        if (k == 2) break;
        world_result(w, (struct airesult){.name = "PTX",
                                          .concept = "pneumothorax",
                                          .state = SPD_AI_NEGATIVE,
                                          .image = "i1"});
        normal(w);
        assert_int_equal(world_view(w, 1).draft.id, 1);
    }
    assert_int_equal(world_view(w, 1).draft.id, 0);
    world_until(
        w, w->now +
               SPD_MIN(2)); /* the study is complete now: nobody has seen that image all the same */
    assert_int_equal(world_view(w, 1).draft.id, 0);
    world_order(w, (struct order){
                       .accession = "A1", .control = "XO", .modality = "DX", .body_part = "CHEST"});
    assert_int_equal(world_view(w, 1).draft.id, 0);
}

static void a_page_is_not_tried_again_after_the_acknowledgement(void **state)
{
    struct world *w = *state;
    struct spd_claim_event c = {0};
    struct spd_outcome_event o = {0};
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    c.destination = sv("pager"), c.max = 8, c.lease = SPD_SEC(30);
    world_next(w);
    world_apply(w, SPD_EVENT_CLAIM, &c);
    assert_int_equal(w->r.n_claimed, 1);
    o.outbox = w->r.claimed[0].id, o.outcome = SPD_OUTCOME_TEMPORARY;
    world_act(w, SPD_ACT_ACKNOWLEDGE, (struct spd_action_event){.alert = 1});
    world_next(w);
    assert_int_equal(world_apply(w, SPD_EVENT_OUTCOME, &o), SPD_OK);
    w->now += SPD_MIN(10);
    world_next(w);
    world_apply(w, SPD_EVENT_CLAIM, &c);
    assert_int_equal(w->r.n_claimed, 0);
}

static void a_cancel_without_images_cannot_be_confirmed_away(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    w->now += SPD_SEC(1);
    world_order(w, (struct order){.accession = "A1", .control = "CA", .cancel = true});
    world_act(w, SPD_ACT_CONFIRM_CANCEL, (struct spd_action_event){.item = 1});
    assert_int_equal(w->r.rc, SPD_EXISTS);
    world_study(w, "1.2.1", NULL, NULL, "i1", true);
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_CANCELLED_IMAGES);
}

/* The stray's page went to the radiologist only; whom the rule names is paged when the order is
 * known. */
static void a_strays_order_pages_the_rules_people(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_result(w, (struct airesult){.accession = "A1"});
    world_until(w, world_start + SPD_SEC(60));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1);
    world_order(w, (struct order){.accession = "A1"});
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8),
                     0); /* the radiologist is not paged twice */
    world_until(w, world_start + SPD_SEC(60) + SPD_MIN(5));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8),
                     1); /* escalated as the rule says */
    assert_non_null(strstr(rows[0].payload.ptr, "-bakker-"));
    assert_null(strstr(rows[0].payload.ptr, "unmatched"));
    world_until(w, world_start + SPD_SEC(60) + SPD_MIN(10));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1);
    assert_non_null(strstr(rows[0].payload.ptr, "-visser-"));
    assert_int_equal(world_count(w, SPD_KEY_ALERT_ITEM, "2"), 1); /* one sequence */
}

static void an_acknowledged_strays_order_pages_the_rules_people(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    world_result(w, (struct airesult){.accession = "A1"});
    world_until(w, world_start + SPD_SEC(60));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1);
    world_act(w, SPD_ACT_ACKNOWLEDGE, (struct spd_action_event){.alert = 1, .how = sv("page")});
    assert_int_equal(w->r.rc, SPD_OK);
    world_order(w, (struct order){.accession = "A1"});
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 1);
    world_order(
        w, (struct order){
               .accession = "A1", .control = "XO", .wire = "A", .priority = SPD_PRIORITY_ASAP});
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 0); /* and only once */
    assert_int_equal(world_count(w, SPD_KEY_ALERT_ITEM, "2"), 2);
}

static void a_study_that_falls_quiet_keeps_the_drafts_version(void **state)
{
    struct world *w = *state;
    world_order(w,
                (struct order){
                    .accession = "A1", .study = "1.2.1", .modality = "DX", .body_part = "CHEST"});
    world_study(w, "1.2.1", NULL, NULL, "i1", false);
    world_result(
        w, (struct airesult){
               .name = "PTX", .concept = "pneumothorax", .state = SPD_AI_NEGATIVE, .image = "i1"});
    normal(w);
    struct spd_view v = world_view(w, 1);
    int64_t version = v.draft.version;
    assert_int_equal(v.item.images, SPD_IMAGES_PARTIAL);
    assert_true(version > 0);
    world_until(w, world_start + SPD_SEC(120));
    v = world_view(w, 1);
    assert_int_equal(v.item.images, SPD_IMAGES_COMPLETE);
    assert_int_equal(v.draft.version, version);
}

/* ---- linked orders, modes, reports
 * ------------------------------------------------------------------ */
static void a_verdict_on_a_linked_order_ends_the_page(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_order(w, (struct order){.accession = "A2", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    int64_t other = open_alerts(w, "1") ? 2 : 1;
    world_act(w, SPD_ACT_VERDICT,
              (struct spd_action_event){.item = other, .verdict = sv("disagree")});
    assert_int_equal(open_alerts(w, "1") + open_alerts(w, "2"), 0);
}

static void a_shadow_version_hides_no_live_one(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_study(w, "1.2.1", NULL, NULL, "i1", true);
    world_result(w, (struct airesult){.version = "2"});
    struct spd_view v = world_view(w, 1);
    assert_int_equal(v.n_ai, 2);
    assert_int_equal(v.ai[0].mode, SPD_MODE_SHADOW);
    assert_int_equal(v.ai[1].state, SPD_AI_PENDING); /* the live version is still expected */
    world_until(w, world_start + SPD_MIN(11));
    assert_int_equal(world_view(w, 1).ai[1].state, SPD_AI_LATE);
    world_result(w, (struct airesult){.state = SPD_AI_NEGATIVE});
    v = world_view(w, 1);
    assert_int_equal(v.ai[1].mode, SPD_MODE_LIVE);
    assert_int_equal(v.ai[1].state, SPD_AI_NEGATIVE);
}

static void a_report_by_a_number_of_several_orders_closes_none(void **state)
{
    struct world *w = *state;
    struct spd_report_event e = {0};
    struct spd_order_in *in;
    world_order(w, (struct order){.accession = "A1", .placer = "PL1"});
    world_order(w, (struct order){.accession = "A2", .placer = "PL1"});
    world_next(w);
    envelope(w, &e.message, "ORU^R01", NULL, NULL);
    in = SPD_LIST_PUSH(&e.reports, w->a);
    in->placer.value = sv("PL1"), in->placer.authority = sv("ZH"), in->report = SPD_REPORT_FINAL;
    assert_int_equal(world_apply(w, SPD_EVENT_REPORT, &e), SPD_OK);
    assert_int_equal(w->r.did, SPD_DID_PARK);
    assert_int_equal(world_item(w, 1).report, SPD_REPORT_NONE);
    world_next(w);
    memset(&e, 0, sizeof e);
    envelope(w, &e.message, "ORU^R01", NULL, NULL);
    e.message.peer = sv("ai"); /* no role "reports" */
    in = SPD_LIST_PUSH(&e.reports, w->a);
    in->report = SPD_REPORT_FINAL;
    in->accession.value = sv("A1"), in->accession.authority = sv("ZH");
    assert_int_equal(world_apply(w, SPD_EVENT_REPORT, &e), SPD_OK);
    assert_int_equal(world_item(w, 1).report, SPD_REPORT_NONE);
}

static void a_report_before_its_order_waits_for_it(void **state)
{
    struct world *w = *state;
    struct spd_report_event e = {0};
    envelope(w, &e.message, "ORU^R01", "R1", NULL);
    struct spd_cx *id = SPD_LIST_PUSH(&e.patient.ids, w->a);
    id->value = sv("P1"), id->authority = sv("ZH");
    struct spd_order_in *in = SPD_LIST_PUSH(&e.reports, w->a);
    in->accession.value = sv("A1"), in->accession.authority = sv("ZH"),
    in->report = SPD_REPORT_FINAL;
    e.text = sv("no abnormality"), e.by = sv("Dr Test");
    assert_int_equal(world_apply(w, SPD_EVENT_REPORT, &e), SPD_OK);
    assert_int_equal(w->r.did, SPD_DID_PARK);
    world_order(w, (struct order){.accession = "A2"});
    assert_int_equal(world_item(w, 1).report, SPD_REPORT_NONE); /* the same patient's other order */
    world_order(w, (struct order){.accession = "A1", .patient = "P9"});
    assert_int_equal(world_item(w, 2).report, SPD_REPORT_NONE); /* somebody else's */
    world_order(w, (struct order){.accession = "A1", .control = "XO"});
    struct spd_item i = world_item(w, 2);
    assert_int_equal(i.report, SPD_REPORT_FINAL);
    assert_true(spd_sv_is(i.report_by, "Dr Test"));
    assert_int_equal(world_count(w, SPD_KEY_PARKED_OPEN, "1"), 0);
}

static void a_report_that_is_taken_but_never_final_alarms(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    chest(w), normal(w), accept_at(w);
    w->now += SPD_SEC(10);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 8), 1);
    world_until(w, w->now + SPD_MIN(9));
    assert_int_equal(world_count(w, SPD_KEY_ALARM_OPEN, "report-not-confirmed|1"), 0);
    world_until(w, w->now + SPD_MIN(2));
    assert_int_equal(world_count(w, SPD_KEY_ALARM_OPEN, "report-not-confirmed|1"), 1);
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_PRELIMINARY);
    world_order(w, (struct order){.accession = "A1",
                                  .modality = "DX",
                                  .body_part = "CHEST",
                                  .control = "SC",
                                  .report = SPD_REPORT_FINAL});
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_FINAL);
    assert_int_equal(world_count(w, SPD_KEY_ALARM_OPEN, "report-not-confirmed|1"), 0);
}

static void a_report_of_another_patient_is_parked_as_such(void **state)
{
    struct world *w = *state;
    struct spd_report_event e = {0};
    struct spd_parked p;
    world_order(w, (struct order){.accession = "A1"});
    world_next(w);
    envelope(w, &e.message, "ORU^R01", NULL, NULL);
    struct spd_cx *id = SPD_LIST_PUSH(&e.patient.ids, w->a);
    id->value = sv("P2"), id->authority = sv("ZH");
    struct spd_order_in *in = SPD_LIST_PUSH(&e.reports, w->a);
    in->accession.value = sv("A1"), in->accession.authority = sv("ZH"),
    in->report = SPD_REPORT_FINAL;
    assert_int_equal(world_apply(w, SPD_EVENT_REPORT, &e), SPD_OK);
    assert_int_equal(w->r.did, SPD_DID_PARK);
    assert_int_equal(world_item(w, 1).report, SPD_REPORT_NONE);
    assert_int_equal(spd_get_parked(w->store, w->r.id, &p, w->a, NULL), SPD_OK);
    assert_true(spd_sv_is(p.why, "patient-differs"));
}

static void a_final_report_beside_an_open_alert_is_a_discrepancy(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
    w->now += SPD_SEC(1);
    world_order(w, (struct order){.accession = "A1", .control = "SC", .report = SPD_REPORT_FINAL});
    assert_int_equal(open_alerts(w, "1"), 1); /* goes on, with "report available" */
    assert_int_equal(world_count(w, SPD_KEY_DISCREPANCY_ITEM, "1"), 1);
    w->now += SPD_SEC(1);
    world_order(w, (struct order){.accession = "A1", .control = "SC", .report = SPD_REPORT_FINAL});
    assert_int_equal(world_count(w, SPD_KEY_DISCREPANCY_ITEM, "1"), 1);
}

static void a_finding_shows_a_confirmed_cancel_again(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_study(w, "1.2.1", NULL, NULL, "i1", true);
    w->now += SPD_SEC(1);
    world_order(w, (struct order){.accession = "A1", .control = "CA", .cancel = true});
    world_act(w, SPD_ACT_CONFIRM_CANCEL, (struct spd_action_event){.item = 1});
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_CANCELLED);
    world_result(w, (struct airesult){.state = SPD_AI_NEGATIVE});
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_CANCELLED);
    world_result(w, (struct airesult){0});
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_CANCELLED_IMAGES);
}

static void a_sender_of_one_number_is_heard(void **state)
{
    struct world *w = *state;
    char bytes[64];
    for (int k = 0; k < 400; k++) {
        snprintf(bytes, sizeof bytes, "MSH|same number|%d", k);
        w->now += SPD_SEC(1);
        world_order(w, (struct order){.accession = "A1", .message = "1", .bytes = bytes});
        assert_int_equal(w->r.did, SPD_DID_APPLY);
        world_order(w, (struct order){.accession = "A1", .message = "1", .bytes = bytes});
        assert_int_equal(w->r.did, SPD_DID_DUPLICATE);
    }
}

static void a_normal_result_that_names_a_finding_forbids_a_draft(void **state)
{
    struct world *w = *state;
    chest(w);
    world_result(w, (struct airesult){.name = "CXRN",
                                      .concept = "pneumothorax",
                                      .state = SPD_AI_NORMAL,
                                      .present = SPD_PRESENT_YES,
                                      .image = "i1"});
    assert_int_equal(world_view(w, 1).draft.id, 0);
}

static void what_waits_for_an_order_is_once_and_corrected(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    struct spd_result_event e = {0};
    struct spd_result old;
    world_result(w, (struct airesult){.sop = "1.5.1", .image = "i1"});
    world_next(w);
    envelope(w, &e.message, "C-STORE", "1.5.1", "other bytes");
    e.message.peer = sv("orthanc"), e.known_peer = 1;
    assert_int_equal(spd_get_result(w->store, 1, &old, w->a, NULL), SPD_OK);
    e.result = old;
    e.result.id = e.result.at = e.result.mode = e.result.parked = 0;
    assert_int_equal(world_apply(w, SPD_EVENT_RESULT, &e), SPD_OK);
    assert_int_equal(world_count(w, SPD_KEY_PARKED_OPEN, "1"), 1);
    world_result(w, (struct airesult){.predecessor = "1.5.1", .state = SPD_AI_NEGATIVE});
    struct spd_item i = world_item(w, 1);
    assert_false(spd_item_listed(&i)); /* its sender took it back */
    world_until(w, w->now + SPD_MIN(2));
    assert_int_equal(world_deliver(w, "pager", SPD_OUTCOME_OK, rows, 8), 0);
}

/* ---- acquisitions ---------------------------------------------------------------------------- */
static enum spd_rc world_step(struct world *w, const char *uid, bool create, enum spd_step_state state,
                              const char *study, const char *patient, const char *image, const char *reason)
{
    static int messages;
    struct spd_step_event e = {.create = create, .known_peer = 1};
    world_next(w);
    e.message.peer = sv("ct"), e.message.type = sv("MPPS");
    e.message.hash = spd_arena_printf(w->a, "%s %d", uid, ++messages);
    e.message.control_id = e.message.hash;
    e.step.uid = sv(uid), e.step.state = (int32_t)state;
    if (study) SPD_LIST_PUSH(&e.requests, w->a)->study_uid = sv(study);
    if (patient) {
        struct spd_cx *id = SPD_LIST_PUSH(&e.patient.ids, w->a);
        id->value = sv(patient), id->authority = sv("ZH");
    }
    if (image) *SPD_LIST_PUSH(&e.instances, w->a) = sv(image);
    if (reason) e.step.reason.code = sv(reason), e.step.reason.scheme = sv("DCM");
    return world_apply(w, SPD_EVENT_STEP, &e);
}

static void an_acquisition_is_told(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    assert_true(world_view(w, 1).on_modality_list);
    world_step(w, "9.1", true, SPD_STEP_IN_PROGRESS, "1.2.1", "P1", NULL, NULL);
    assert_false(world_view(w, 1).on_modality_list);
    assert_int_equal(world_view(w, 1).status, SPD_STATUS_ORDERED);
    world_step(w, "9.1", true, SPD_STEP_IN_PROGRESS, "1.2.1", "P1", NULL, NULL);
    assert_int_equal(w->r.rc, SPD_EXISTS);
    world_step(w, "9.2", false, SPD_STEP_COMPLETED, NULL, NULL, NULL, NULL);
    assert_int_equal(w->r.rc, SPD_NOTFOUND);
    world_study(w, "1.2.1", "A1", "P1", "i1", false);
    world_until(w, w->now + SPD_HOUR(1)); /* a scanner that is still at it: quiet completes nothing */
    assert_int_equal(world_item(w, 1).images, SPD_IMAGES_PARTIAL);
    world_step(w, "9.1", false, SPD_STEP_COMPLETED, NULL, NULL, "i2", NULL);
    assert_int_equal(world_item(w, 1).images, SPD_IMAGES_PARTIAL);
    assert_true(world_item(w, 1).exam_done > 0);
    world_until(w, w->now + SPD_MIN(2));
    assert_int_equal(world_item(w, 1).images, SPD_IMAGES_COMPLETE);
    world_step(w, "9.1", false, SPD_STEP_DISCONTINUED, NULL, NULL, NULL, NULL);
    assert_int_equal(w->r.rc, SPD_STALE);
    assert_false(world_view(w, 1).on_modality_list);
}

static void a_forgotten_step_holds_a_study_for_hours_only(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_step(w, "9.1", true, SPD_STEP_IN_PROGRESS, "1.2.1", "P1", NULL, NULL);
    world_study(w, "1.2.1", "A1", "P1", "i1", false);
    world_until(w, w->now + SPD_HOUR(5));
    assert_int_equal(world_item(w, 1).images, SPD_IMAGES_COMPLETE);
}

static void a_step_of_another_patient_is_parked(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_step(w, "9.1", true, SPD_STEP_COMPLETED, "1.2.1", "P9", "i1", NULL);
    assert_int_equal(w->r.did, SPD_DID_PARK);
    assert_true(world_view(w, 1).on_modality_list);
    assert_int_equal(world_item(w, 1).images, SPD_IMAGES_NONE);
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1", .control = "XO"});
    assert_true(world_view(w, 1).on_modality_list); /* nor when the order is looked at again */
    world_step(w, "9.3", true, SPD_STEP_IN_PROGRESS, "1.2.1", "P9", NULL, NULL);
    world_step(w, "9.3", false, SPD_STEP_COMPLETED, NULL, NULL, "i1", NULL);
    assert_int_equal(w->r.did, SPD_DID_PARK); /* its end, which names nobody, is that patient's too */
    assert_int_equal(world_item(w, 1).exam_done, 0);
}

static void a_wrong_entry_goes_back_to_the_scanners(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_step(w, "9.1", true, SPD_STEP_IN_PROGRESS, "1.2.1", "P1", NULL, NULL);
    world_step(w, "9.1", false, SPD_STEP_DISCONTINUED, NULL, NULL, "i1", "110514");
    assert_true(world_view(w, 1).on_modality_list);
    assert_int_equal(world_item(w, 1).images, SPD_IMAGES_NONE);
}

int main(void)
{
#define SCENE(f)                                                                                   \
    {#f " (memory)", f, setup, teardown, (void *)"memory"},                                        \
    {                                                                                              \
#f " (sqlite)", f, setup, teardown, (void *)"sqlite"                                       \
    }
    const struct CMUnitTest tests[] = {
        SCENE(order_to_critical),
        SCENE(paging_until_acknowledged),
        SCENE(if_unread_step_is_skipped_when_read),
        SCENE(link_needs_a_named_person),
        SCENE(decline_and_handover),
        SCENE(permanent_failure_goes_to_the_next_member),
        SCENE(duplicates_change_nothing),
        SCENE(older_messages_are_stale),
        SCENE(result_before_its_order),
        SCENE(unmatched_pages_the_radiologist_after_a_minute),
        SCENE(wrong_patient_is_parked),
        SCENE(name_birth_date_and_sex_only_warn),
        SCENE(order_that_names_another_patient),
        SCENE(two_accessions_one_study),
        SCENE(an_order_after_the_result_of_its_study_is_listed),
        SCENE(further_results_join_the_sequence),
        SCENE(rerun_that_turns_negative_is_a_contradiction),
        SCENE(rerun_with_another_site_takes_nothing_away),
        SCENE(a_stranger_speaks_for_no_model),
        SCENE(correction_travels),
        SCENE(disagree_withdraws_and_tells),
        SCENE(no_ping_pong),
        SCENE(cancel_never_hides_images),
        SCENE(waiting_raises_and_due_never_moves_later),
        SCENE(silent_model_is_late_then_alarmed),
        SCENE(draft_offered_and_accepted),
        SCENE(draft_rejected),
        SCENE(draft_undo),
        SCENE(report_that_does_not_arrive_returns),
        SCENE(report_without_an_answer_returns),
        SCENE(late_image_withdraws_the_draft),
        SCENE(order_update_changes_the_version),
        SCENE(positive_forbids_a_draft),
        SCENE(positive_in_the_undo_time_holds_the_report_back),
        SCENE(unlisted_version_is_shadow),
        SCENE(claims_are_leases),
        SCENE(rows_of_one_order_go_one_by_one), SCENE(a_destination_that_is_down_loses_nothing),
        SCENE(a_change_of_rules_reaches_every_item),
        SCENE(lost_lease_is_sent_again_and_marked),
        SCENE(start_alone_sends_at_once_what_a_dead_brain_was_sending),
        SCENE(a_failed_or_shadow_rerun_takes_no_finding_away),
        SCENE(what_is_parked_supersedes_nothing),
        SCENE(the_same_object_by_another_way_is_once),
        SCENE(a_changed_patient_leaves_the_linked_order_alone),
        SCENE(a_changed_patient_and_back_pages_again),
        SCENE(a_changed_patient_pages_as_unmatched),
        SCENE(an_update_of_a_linked_order_confirms_no_cancel),
        SCENE(a_new_finding_after_the_report_is_a_discrepancy),
        SCENE(a_parked_finding_forbids_a_draft),
        SCENE(held_back_reports_wait_like_others),
        SCENE(a_cancel_in_the_undo_time_holds_the_report_back),
        SCENE(the_report_of_the_ris_in_the_undo_time_stands),
        SCENE(a_reopened_item_sends_no_report),
        SCENE(a_report_does_not_follow_its_order_to_another_patient),
        SCENE(a_finding_while_the_report_waits_for_its_next_try_holds_it_back),
        SCENE(a_finding_while_the_report_is_in_flight_stops_its_next_try),
        SCENE(a_finding_after_the_report_left_alarms),
        SCENE(a_failed_report_is_not_sent_again_beside_a_finding),
        SCENE(an_unseen_image_known_by_number_stays_unseen),
        SCENE(a_page_is_not_tried_again_after_the_acknowledgement),
        SCENE(a_cancel_without_images_cannot_be_confirmed_away),
        SCENE(a_pair_of_RP_and_RO_hands_on),
        SCENE(a_strays_order_pages_the_rules_people),
        SCENE(an_acknowledged_strays_order_pages_the_rules_people),
        SCENE(a_study_that_falls_quiet_keeps_the_drafts_version),
        SCENE(a_verdict_on_a_linked_order_ends_the_page),
        SCENE(a_shadow_version_hides_no_live_one),
        SCENE(a_report_of_another_patient_is_parked_as_such),
        SCENE(a_report_before_its_order_waits_for_it),
        SCENE(a_report_that_is_taken_but_never_final_alarms),
        SCENE(a_report_by_a_number_of_several_orders_closes_none),
        SCENE(a_final_report_beside_an_open_alert_is_a_discrepancy),
        SCENE(a_finding_shows_a_confirmed_cancel_again),
        SCENE(a_sender_of_one_number_is_heard),
        SCENE(a_normal_result_that_names_a_finding_forbids_a_draft),
        SCENE(what_waits_for_an_order_is_once_and_corrected),
        SCENE(an_acquisition_is_told),
        SCENE(a_forgotten_step_holds_a_study_for_hours_only),
        SCENE(a_step_of_another_patient_is_parked),
        SCENE(a_wrong_entry_goes_back_to_the_scanners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
