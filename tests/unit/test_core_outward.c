/* tests/unit/test_core_outward.c: scenes of what leaves the house: alerts told to other systems,
 * words per field, the hour of three priorities, paused destinations, two answers, what a person
 * does with a row. Every scene ends with a replay of its journal into an empty store, which must
 * come out the same. */
#include "unit/core_world.h"

enum { RIS, EHR };

static void destination(struct spd_settings *s, struct spd_arena *a, const char *name)
{
    struct spd_destination *d = SPD_LIST_PUSH(&s->destinations, a);
    d->name = sv(name), d->peer = sv(name), d->type = sv("hl7"), d->mode = sv("live");
    d->alert = 1;
}

/* The world's settings, with alerts to the RIS and to a system that is no peer. */
static void configure(struct world *w, void (*more)(struct spd_settings *s, struct spd_arena *a))
{
    struct spd_arena *a = spd_arena_new(1 << 20);
    struct spd_config_event e = {0};
    struct spd_settings s = {0};
    struct spd_str enc = SPD_STR_INIT(1 << 20);
    const char *const docs[3][2] = {{"policy:p.yaml", world_policy},
                                    {"models:m.yaml", world_models},
                                    {"people:people.yaml", world_people}};
    for (int i = 0; i < 3; i++) {
        struct spd_document_event *d = SPD_LIST_PUSH(&e.documents, a);
        d->kind = sv(docs[i][0]), d->content = sv(docs[i][1]);
        d->hash = spd_sha256_hex(a, d->content);
    }
    world_settings(&s, a);
    s.destinations.v[RIS].alert = 1;
    destination(&s, a, "ehr");
    if (more) more(&s, a);
    spd_desc_encode(&spd_settings_desc, &s, &enc);
    e.settings = spd_str_sv(&enc);
    world_next(w);
    assert_int_equal(world_apply(w, SPD_EVENT_CONFIG, &e), SPD_OK);
    spd_str_done(&enc);
    spd_arena_free(a);
}

/* Every row of the outbox for a destination, oldest first. */
static size_t rows_to(struct world *w, const char *to, struct spd_outbox *ret, size_t max)
{
    int64_t ids[64], after = 0;
    size_t n, k = 0;
    do {
        assert_int_equal(spd_store_scan(w->store, SPD_T_OUTBOX, after, false, ids, 64, &n, NULL),
                         SPD_OK);
        for (size_t i = 0; i < n; i++) {
            struct spd_outbox o;
            assert_int_equal(spd_get_outbox(w->store, ids[i], &o, w->a, NULL), SPD_OK);
            if (spd_sv_is(o.destination, to) && k < max) ret[k++] = o;
        }
        if (n) after = ids[n - 1];
    } while (n == 64);
    return k;
}

/* The phases that a destination was told, as "start acknowledged". */
static const char *phases(struct world *w, const char *to)
{
    static char text[256];
    struct spd_outbox rows[32];
    size_t n = rows_to(w, to, rows, 32);
    text[0] = 0;
    for (size_t i = 0; i < n; i++)
        if (rows[i].kind == SPD_OUTBOX_ALERT)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s", *text ? " " : "",
                     SPD_SV_ARG(rows[i].wire));
    return text;
}

static bool alarm_open(struct world *w, const char *kind, const char *subject)
{
    char key[128];
    snprintf(key, sizeof key, "%s|%s", kind, subject);
    return world_count(w, SPD_KEY_ALARM_OPEN, key) == 1;
}

static void claim(struct world *w, const char *to)
{
    struct spd_claim_event c = {.destination = sv(to), .max = 8, .lease = SPD_SEC(20)};
    world_next(w);
    assert_int_equal(world_apply(w, SPD_EVENT_CLAIM, &c), SPD_OK);
}

static void outcome(struct world *w, int64_t row, enum spd_outcome what, const char *detail)
{
    struct spd_outcome_event o = {
        .outbox = row, .outcome = (int32_t)what, .detail = sv(detail), .sent = sv("MSH|sent")};
    world_next(w);
    assert_int_equal(world_apply(w, SPD_EVENT_OUTCOME, &o), SPD_OK);
}

static struct spd_outbox row(struct world *w, int64_t id)
{
    struct spd_outbox o;
    assert_int_equal(spd_get_outbox(w->store, id, &o, w->a, NULL), SPD_OK);
    return o;
}

static void ack(struct world *w, const char *peer, const char *control_id, enum spd_answer code)
{
    struct spd_message_event e = {.silent = 1, .acks = sv(control_id), .ack = (int32_t)code};
    world_next(w);
    envelope(w, &e.message, "ACK", NULL, NULL);
    e.message.peer = sv(peer);
    assert_int_equal(world_apply(w, SPD_EVENT_MESSAGE, &e), SPD_OK);
}

static void bleeding(struct world *w)
{
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_result(w, (struct airesult){0});
}

/* ---- alerts told
 * --------------------------------------------------------------------------------- */
static void an_alert_is_told_once_per_change(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    struct spd_alert_out x;
    configure(w, NULL);
    bleeding(w);
    assert_string_equal(phases(w, "ris"), "start");
    assert_string_equal(phases(w, "ehr"), "start");
    world_result(w, (struct airesult){.sop = "1.9.77"}); /* joins */
    world_until(w, w->now + SPD_MIN(11));                /* escalates, and pages again */
    assert_string_equal(phases(w, "ehr"), "start");
    world_act(w, SPD_ACT_ACKNOWLEDGE, (struct spd_action_event){.alert = 1, .how = sv("page")});
    world_act(w, SPD_ACT_HANDOVER, (struct spd_action_event){.alert = 1, .to = sv("visser")});
    world_act(w, SPD_ACT_ACKNOWLEDGE, (struct spd_action_event){.alert = 1, .how = sv("page")});
    world_act(w, SPD_ACT_RESOLVE, (struct spd_action_event){.alert = 1});
    assert_string_equal(phases(w, "ehr"), "start acknowledged reopened acknowledged resolved");
    assert_true(rows_to(w, "ehr", rows, 8) == 5);
    assert_int_equal(spd_desc_decode(&spd_alert_out_desc, rows[1].payload, &x, w->a, NULL), SPD_OK);
    assert_true(spd_sv_is(x.concept, "intracranial-hemorrhage") && spd_sv_is(x.by, "dr.test"));
    assert_int_equal(x.alert, 1);
    assert_int_equal(x.level, 1);
    assert_int_equal(x.phase, SPD_PHASE_ACKNOWLEDGED);
    assert_true(x.started == world_start && x.at > x.started && x.result_at == world_start);
    assert_int_equal(x.read, 0);
}

static void a_withdrawn_alert_is_told(void **state)
{
    struct world *w = *state;
    configure(w, NULL);
    bleeding(w);
    world_act(w, SPD_ACT_VERDICT, (struct spd_action_event){.item = 1, .verdict = sv("disagree")});
    assert_string_equal(phases(w, "ris"), "start withdrawn");
}

/* Nothing has left yet when the order turns out to be somebody else's: both rows are of whom they
 * were. */
static void an_alert_is_told_of_whom_it_was(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    struct spd_alert_out x;
    configure(w, NULL);
    bleeding(w);
    int64_t source = world_item(w, 1).source_message;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1", .patient = "P2"});
    assert_true(world_item(w, 1).source_message != source);
    assert_string_equal(phases(w, "ehr"), "start withdrawn");
    assert_int_equal(rows_to(w, "ehr", rows, 8), 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(spd_desc_decode(&spd_alert_out_desc, rows[i].payload, &x, w->a, NULL),
                         SPD_OK);
        assert_int_equal(x.source, source);
        assert_int_equal(x.patient.ids.n, 1);
        assert_true(spd_sv_is(x.patient.ids.v[0].value, "P1"));
    }
}

static void an_alert_that_moved_on_is_not_told_again(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[8];
    configure(w, NULL);
    bleeding(w);
    assert_int_equal(rows_to(w, "ehr", rows, 8), 1);
    int64_t start = rows[0].id;
    claim(w, "ehr");
    outcome(w, start, SPD_OUTCOME_PERMANENT, "AR");
    world_act(w, SPD_ACT_VERDICT, (struct spd_action_event){.item = 1, .verdict = sv("disagree")});
    claim(w, "ehr");
    outcome(w, w->r.claimed[0].id, SPD_OUTCOME_OK, "AA");
    assert_string_equal(phases(w, "ehr"), "start withdrawn");
    world_act(w, SPD_ACT_RETRY, (struct spd_action_event){.outbox = start});
    assert_int_equal(w->r.rc, SPD_STALE); /* it would stand there as active for ever */
    assert_int_equal(row(w, start).state, SPD_OUTBOX_DEAD);
    assert_int_equal(rows_to(w, "ehr", rows, 8), 2);
    world_act(w, SPD_ACT_RETRY, (struct spd_action_event){.outbox = rows[1].id});
    assert_int_equal(w->r.rc, SPD_OK); /* how it stands may be told again */
}

static void a_stray_alert_is_told_when_its_patient_is_known(void **state)
{
    struct world *w = *state;
    configure(w, NULL);
    world_result(w, (struct airesult){.accession = "A1"});
    world_until(w, world_start + SPD_SEC(61));
    assert_string_equal(phases(w, "ehr"), "");
    world_order(w, (struct order){.accession = "A1"});
    assert_string_equal(phases(w, "ehr"), "start");
    assert_string_equal(phases(w, "ris"), "start");
}

static void elsewhere(struct spd_settings *s, struct spd_arena *a)
{
    struct spd_peer_fact *p = SPD_LIST_PUSH(&s->peers, a);
    p->name = sv("ris2");
    destination(s, a, "ris2");
    s->destinations.v[EHR].mode = sv("off");
}

static void only_those_concerned_are_told(void **state)
{
    struct world *w = *state;
    configure(w, elsewhere);
    bleeding(w);
    assert_string_equal(phases(w, "ris"), "start");
    assert_string_equal(phases(w, "ris2"), ""); /* its own orders only */
    assert_string_equal(phases(w, "ehr"), "");  /* off */
}

static void a_refused_alert_alarms_at_once(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[4];
    configure(w, NULL);
    bleeding(w);
    claim(w, "ehr");
    assert_int_equal(w->r.n_claimed, 1);
    assert_int_equal(rows_to(w, "ehr", rows, 4), 1);
    int64_t id = rows[0].id;
    outcome(w, id, SPD_OUTCOME_PERMANENT, "AR, error 204");
    assert_true(alarm_open(w, "alert-not-delivered", "ehr"));
    assert_int_equal(row(w, id).state, SPD_OUTBOX_DEAD);
    assert_true(spd_sv_is(row(w, id).error, "AR, error 204"));
    world_act(w, SPD_ACT_QUEUE_DISCARD,
              (struct spd_action_event){.outbox = id, .reason = sv("known there")});
    assert_int_equal(w->r.rc, SPD_OK);
    assert_int_equal(row(w, id).state, SPD_OUTBOX_CANCELLED);
    assert_false(alarm_open(w, "alert-not-delivered", "ehr"));
    assert_true(
        spd_alert_open((enum spd_alert_state)world_view(w, 1).alert.state)); /* pages go on */
}

/* ---- priorities
 * ---------------------------------------------------------------------------------- */
static void the_last_level_follows_when_the_hour_is_over(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[16];
    static const char *const levels[] = {"urgent", "critical", "urgent", "critical"};
    configure(w, NULL);
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_study(w, "1.2.1", NULL, NULL, "i1", true);
    for (int i = 0; i < 4; i++) {
        w->now += SPD_MIN(1);
        world_act(
            w, SPD_ACT_PRIORITY,
            (struct spd_action_event){.item = 1, .level = sv(levels[i]), .reason = sv("test")});
        world_deliver(w, "ris", SPD_OUTCOME_OK, NULL, 0);
    }
    assert_int_equal(rows_to(w, "ris", rows, 16), 3);
    assert_true(alarm_open(w, "priority-too-often", "ris"));
    world_until(w, world_start + SPD_MIN(60));
    assert_int_equal(rows_to(w, "ris", rows, 16), 3);
    world_until(w, world_start + SPD_MIN(61)); /* an hour after the first */
    assert_int_equal(rows_to(w, "ris", rows, 16), 4);
    assert_true(spd_sv_is(rows[3].wire, "S"));
    assert_true(alarm_open(w, "priority-too-often", "ris"));
}

static void nothing_follows_when_the_level_came_back(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[16];
    static const char *const levels[] = {"critical", "urgent", "critical", "urgent", "critical"};
    configure(w, NULL);
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1"});
    world_study(w, "1.2.1", NULL, NULL, "i1", true);
    for (int i = 0; i < 5; i++)
        world_act(
            w, SPD_ACT_PRIORITY,
            (struct spd_action_event){.item = 1, .level = sv(levels[i]), .reason = sv("test")}),
            world_deliver(w, "ris", SPD_OUTCOME_OK, NULL, 0);
    world_until(w, world_start + SPD_MIN(62));
    assert_int_equal(rows_to(w, "ris", rows, 16), 3);
}

static void words(struct spd_settings *s, struct spd_arena *a)
{
    struct spd_field_wire *f = SPD_LIST_PUSH(&s->destinations.v[RIS].field_wires, a);
    f->field = sv("OBR-5"), f->level = 1, f->wire = sv("STAT");
    s->destinations.v[RIS].alert = s->destinations.v[EHR].alert = 0;
}

static void each_of_our_words_is_an_echo(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[16];
    configure(w, words);
    bleeding(w);
    assert_int_equal(rows_to(w, "ris", rows, 16), 1);
    assert_int_equal(rows[0].level, 1);
    world_deliver(w, "ris", SPD_OUTCOME_OK, NULL, 0);
    world_order(
        w, (struct order){
               .accession = "A1", .control = "XO", .wire = "STAT", .priority = SPD_PRIORITY_STAT});
    assert_int_equal(world_item(w, 1).order_priority, SPD_PRIORITY_ROUTINE); /* ours, come back */
    assert_int_equal(world_item(w, 1).sent.v[0].overruled, 0);
    world_order(
        w, (struct order){
               .accession = "A1", .control = "XO", .wire = "A", .priority = SPD_PRIORITY_ASAP});
    assert_int_equal(world_item(w, 1).sent.v[0].overruled, 1);
    assert_int_equal(rows_to(w, "ris", rows, 16), 1);
}

/* ---- pausing
 * ------------------------------------------------------------------------------------- */
static void a_paused_destination_queues_and_loses_nothing(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[16];
    configure(w, NULL);
    world_act(w, SPD_ACT_PAUSE, (struct spd_action_event){.to = sv("ris"), .reason = sv("update")});
    assert_int_equal(w->r.rc, SPD_OK);
    assert_true(alarm_open(w, "destination-paused", "ris"));
    bleeding(w);
    claim(w, "ris");
    assert_int_equal(w->r.n_claimed, 0);
    claim(w, "ehr"); /* the others go on */
    assert_int_equal(w->r.n_claimed, 1);
    assert_true(world_deliver(w, "pager", SPD_OUTCOME_OK, NULL, 0) > 0);
    w->now += SPD_HOUR(5);
    claim(w, "ris");
    assert_int_equal(w->r.n_claimed, 0);
    world_act(w, SPD_ACT_RESUME, (struct spd_action_event){.to = sv("ris")});
    assert_false(alarm_open(w, "destination-paused", "ris"));
    assert_int_equal(rows_to(w, "ris", rows, 16), 2);
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, NULL, 0),
                     1); /* one of its order at a time */
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, NULL, 0), 1);
}

static void what_cannot_be_paused(void **state)
{
    struct world *w = *state;
    configure(w, NULL);
    world_act(w, SPD_ACT_PAUSE, (struct spd_action_event){.to = sv("pager")});
    assert_int_equal(w->r.rc, SPD_DENIED); /* pages */
    world_act(w, SPD_ACT_PAUSE, (struct spd_action_event){.to = sv("nobody")});
    assert_int_equal(w->r.rc, SPD_NOTFOUND);
    world_act(w, SPD_ACT_RESUME, (struct spd_action_event){.to = sv("nobody")});
    assert_int_equal(w->r.rc, SPD_NOTFOUND);
}

/* ---- two answers
 * --------------------------------------------------------------------------------- */
static void separate(struct spd_settings *s, struct spd_arena *a)
{
    (void)a;
    s->destinations.v[RIS].ack = 2, s->destinations.v[RIS].ack_timeout = SPD_SEC(60);
    s->destinations.v[RIS].alert = 0;
}

static int64_t accepted_priority(struct world *w)
{
    int64_t id;
    configure(w, separate);
    bleeding(w);
    claim(w, "ris");
    assert_int_equal(w->r.n_claimed, 1);
    id = w->r.claimed[0].id;
    outcome(w, id, SPD_OUTCOME_ACCEPTED, "CA");
    assert_int_equal(row(w, id).state, SPD_OUTBOX_SENDING);
    return id;
}

static struct spd_message logged(struct world *w, int64_t id)
{
    struct spd_message m;
    assert_int_equal(spd_get_message(w->store, id, &m, w->a, NULL), SPD_OK);
    return m;
}

static void the_application_answers_on_its_own_connection(void **state)
{
    struct world *w = *state;
    int64_t id = accepted_priority(w);
    char number[32];
    snprintf(number, sizeof number, "%.*s", SPD_SV_ARG(row(w, id).control_id));
    assert_int_equal(logged(w, row(w, id).message).answer, SPD_ANSWER_CA);
    ack(w, "ris", "SPD0-0", SPD_ANSWER_AA); /* to nobody's message */
    ack(w, "other", number, SPD_ANSWER_AA); /* from somebody whose it is not */
    assert_int_equal(row(w, id).state, SPD_OUTBOX_SENDING);
    ack(w, "ris", number, SPD_ANSWER_AA);
    assert_int_equal(row(w, id).state, SPD_OUTBOX_DONE);
    assert_int_equal(logged(w, row(w, id).message).answer, SPD_ANSWER_AA);
    ack(w, "ris", number, SPD_ANSWER_AR); /* too late to change it */
    assert_int_equal(row(w, id).state, SPD_OUTBOX_DONE);
}

/* Some send the commit answer once more on that connection: it is still no answer of the
 * application. */
static void a_second_commit_answer_settles_nothing(void **state)
{
    struct world *w = *state;
    int64_t id = accepted_priority(w);
    ack(w, "ris", row(w, id).control_id.ptr, SPD_ANSWER_CA);
    assert_int_equal(row(w, id).state, SPD_OUTBOX_SENDING);
    assert_false(alarm_open(w, "priority-not-delivered", "ris"));
    ack(w, "ris", row(w, id).control_id.ptr, SPD_ANSWER_AA);
    assert_int_equal(row(w, id).state, SPD_OUTBOX_DONE);
}

static void the_applications_refusal_is_a_dead_letter(void **state)
{
    struct world *w = *state;
    int64_t id = accepted_priority(w);
    ack(w, "ris", row(w, id).control_id.ptr, SPD_ANSWER_AR);
    assert_int_equal(row(w, id).state, SPD_OUTBOX_DEAD);
    assert_true(alarm_open(w, "priority-not-delivered", "ris"));
}

static void the_application_is_faster_than_our_note(void **state)
{
    struct world *w = *state;
    configure(w, separate);
    bleeding(w);
    claim(w, "ris");
    int64_t id = w->r.claimed[0].id;
    ack(w, "ris", row(w, id).control_id.ptr, SPD_ANSWER_AA);
    assert_int_equal(row(w, id).state, SPD_OUTBOX_SENDING);
    outcome(w, id, SPD_OUTCOME_ACCEPTED, "CA");
    assert_int_equal(row(w, id).state, SPD_OUTBOX_DONE);
}

static void without_the_applications_answer_it_goes_again(void **state)
{
    struct world *w = *state;
    int64_t id = accepted_priority(w);
    char number[32];
    struct spd_start_event start = {.version = sv("test"), .secret = sv("x"), .alone = 1};
    snprintf(number, sizeof number, "%.*s", SPD_SV_ARG(row(w, id).control_id));
    world_next(w);
    assert_int_equal(world_apply(w, SPD_EVENT_START, &start), SPD_OK);
    claim(w, "ris"); /* a restart does not take it back: it is in their hands */
    assert_int_equal(w->r.n_claimed, 0);
    w->now += SPD_SEC(59);
    claim(w, "ris");
    assert_int_equal(w->r.n_claimed, 0);
    for (int i = 2; i <= 30; i++) {
        w->now += SPD_SEC(61);
        claim(w, "ris");
        assert_int_equal(w->r.n_claimed, 1);
        assert_true(spd_sv_is(w->r.claimed[0].control_id, number)); /* the same number */
        assert_int_equal(w->r.claimed[0].attempts, i);
        outcome(w, id, SPD_OUTCOME_ACCEPTED, "CA");
    }
    w->now += SPD_SEC(61);
    claim(w, "ris");
    assert_int_equal(w->r.n_claimed, 0);
    assert_int_equal(row(w, id).state, SPD_OUTBOX_DEAD);
    assert_true(alarm_open(w, "priority-not-delivered", "ris"));
}

/* ---- a person and a row
 * -------------------------------------------------------------------------- */
static void the_number_of_a_row_that_goes_again(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[4];
    char first[32];
    configure(w, NULL);
    bleeding(w);
    assert_int_equal(rows_to(w, "ehr", rows, 4), 1);
    int64_t id = rows[0].id;
    snprintf(first, sizeof first, "%.*s", SPD_SV_ARG(rows[0].control_id));
    claim(w, "ehr");
    outcome(w, id, SPD_OUTCOME_PERMANENT, "AR"); /* refused: perhaps kept all the same */
    world_act(w, SPD_ACT_RETRY, (struct spd_action_event){.outbox = id});
    assert_true(spd_sv_is(row(w, id).control_id, first));
    assert_int_equal(row(w, id).repeat, 1);
    claim(w, "ehr");
    outcome(w, id, SPD_OUTCOME_OK, "AA");
    world_act(w, SPD_ACT_RESEND, (struct spd_action_event){.message = row(w, id).message});
    assert_int_equal(w->r.rc, SPD_OK);
    assert_false(spd_sv_is(row(w, id).control_id, first)); /* the old one would do nothing there */
    assert_true(row(w, id).control_id.len <= 20);
    assert_int_equal(row(w, id).state, SPD_OUTBOX_QUEUED);
}

static void what_cannot_be_discarded(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[4];
    configure(w, NULL);
    bleeding(w);
    assert_true(rows_to(w, "pager", rows, 4) > 0);
    world_act(w, SPD_ACT_QUEUE_DISCARD,
              (struct spd_action_event){.outbox = rows[0].id, .reason = sv("x")});
    assert_int_equal(w->r.rc, SPD_EXISTS); /* a page */
    assert_int_equal(rows_to(w, "ehr", rows, 4), 1);
    int64_t id = rows[0].id;
    world_act(w, SPD_ACT_QUEUE_DISCARD, (struct spd_action_event){.outbox = id});
    assert_int_equal(w->r.rc, SPD_INVALID); /* no reason */
    world_act(w, SPD_ACT_QUEUE_DISCARD,
              (struct spd_action_event){.outbox = 999, .reason = sv("x")});
    assert_int_equal(w->r.rc, SPD_NOTFOUND);
    claim(w, "ehr");
    world_act(w, SPD_ACT_QUEUE_DISCARD, (struct spd_action_event){.outbox = id, .reason = sv("x")});
    assert_int_equal(w->r.rc, SPD_EXISTS); /* in flight */
    outcome(w, id, SPD_OUTCOME_TEMPORARY, "AE, try 1 of 5");
    world_act(w, SPD_ACT_QUEUE_DISCARD, (struct spd_action_event){.outbox = id, .reason = sv("x")});
    assert_int_equal(w->r.rc, SPD_OK);
    claim(w, "ehr");
    assert_int_equal(w->r.n_claimed, 0);
}

static void processed_again_is_no_duplicate(void **state)
{
    struct world *w = *state;
    struct spd_message_event e = {
        .park = 1, .why = sv("no-identifier"), .why_nl = sv("x"), .why_en = sv("x")};
    configure(w, NULL);
    world_next(w);
    envelope(w, &e.message, "ORM^O01", "AGAIN", "MSH|x");
    assert_int_equal(world_apply(w, SPD_EVENT_MESSAGE, &e), SPD_OK);
    int64_t first = w->r.message;
    assert_int_equal(world_count(w, SPD_KEY_PARKED_OPEN, "1"), 1);
    world_act(w, SPD_ACT_RESEND, (struct spd_action_event){.message = first}); /* who and when */
    assert_int_equal(w->r.rc, SPD_OK);
    struct spd_message_event same = {.silent = 1};
    world_next(w);
    envelope(w, &same.message, "ORM^O01", "AGAIN", "MSH|x");
    same.message.again = first;
    assert_int_equal(world_apply(w, SPD_EVENT_MESSAGE, &same), SPD_OK);
    assert_int_equal(w->r.did, SPD_DID_IGNORE);
    assert_true(w->r.message != first);
    assert_int_equal(world_count(w, SPD_KEY_PARKED_OPEN, "1"), 0); /* dealt with by that */
    world_next(w);
    envelope(w, &same.message, "ORM^O01", "AGAIN", "MSH|x");
    same.message.again = 0;
    assert_int_equal(world_apply(w, SPD_EVENT_MESSAGE, &same), SPD_OK);
    assert_int_equal(w->r.did, SPD_DID_DUPLICATE);
}

/* ---- replay
 * -------------------------------------------------------------------------------------- */
static int setup(void **state)
{
    struct world *w = *state = spd_must_malloc(sizeof *w);
    world_open(w, "memory:");
    return 0;
}

static void replay(struct world *w)
{
    struct spd_store *store;
    struct spd_core *core = spd_core_new(w->codes, NULL);
    struct spd_arena *a = spd_arena_new(64 << 20);
    struct spd_str was = SPD_STR_INIT(256 << 20), is = SPD_STR_INIT(256 << 20);
    int64_t last;
    assert_int_equal(spd_store_open("memory:", SPD_STORE_WRITE | SPD_STORE_CREATE, &store, NULL),
                     SPD_OK);
    assert_int_equal(spd_core_open(core, store, NULL), SPD_NOTFOUND);
    assert_int_equal(spd_store_max_id(w->store, SPD_T_JOURNAL, &last, NULL), SPD_OK);
    for (int64_t id = 1; id <= last; id++) {
        struct spd_journal j;
        struct spd_event e;
        struct spd_receipt r;
        struct spd_err err = {0};
        spd_arena_reset(a);
        assert_int_equal(spd_get_journal(w->store, id, &j, a, NULL), SPD_OK);
        assert_int_equal(spd_event_decode(j.event, &e, a, NULL), SPD_OK);
        e.at = j.at;
        assert_int_equal(spd_store_begin(store, NULL), SPD_OK);
        if (spd_core_apply(core, store, &e, a, &r, &err)) fail_msg("%s: %s", err.place, err.text);
        assert_int_equal(spd_store_commit(store, NULL), SPD_OK);
        spd_core_committed(core);
    }
    world_dump(w->store, &was), world_dump(store, &is);
    assert_string_equal(was.ptr, is.ptr);
    spd_str_done(&was), spd_str_done(&is);
    spd_core_free(core);
    spd_store_close(store);
    spd_arena_free(a);
}

static int teardown(void **state)
{
    struct world *w = *state;
    world_close(w);
    spd_free(w);
    return 0;
}

#define SCENE(f)                                                                                   \
    static void f##_and_replays(void **state)                                                      \
    {                                                                                              \
        f(state);                                                                                  \
        replay(*state);                                                                            \
    }
#define SCENES(X)                                                                                  \
    X(an_alert_is_told_once_per_change)                                                            \
    X(a_withdrawn_alert_is_told)                                                                   \
    X(an_alert_is_told_of_whom_it_was)                                                             \
    X(an_alert_that_moved_on_is_not_told_again)                                                    \
    X(a_stray_alert_is_told_when_its_patient_is_known)                                             \
    X(only_those_concerned_are_told)                                                               \
    X(a_refused_alert_alarms_at_once)                                                              \
    X(the_last_level_follows_when_the_hour_is_over)                                                \
    X(nothing_follows_when_the_level_came_back)                                                    \
    X(each_of_our_words_is_an_echo)                                                                \
    X(a_paused_destination_queues_and_loses_nothing)                                               \
    X(what_cannot_be_paused)                                                                       \
    X(the_application_answers_on_its_own_connection)                                               \
    X(a_second_commit_answer_settles_nothing)                                                      \
    X(the_applications_refusal_is_a_dead_letter)                                                   \
    X(the_application_is_faster_than_our_note)                                                     \
    X(without_the_applications_answer_it_goes_again)                                               \
    X(the_number_of_a_row_that_goes_again)                                                         \
    X(what_cannot_be_discarded)                                                                    \
    X(processed_again_is_no_duplicate)
SCENES(SCENE)

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f##_and_replays, setup, teardown),
    const struct CMUnitTest tests[] = {SCENES(TEST)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
