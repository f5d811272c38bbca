/* tests/unit/test_core_import.c: going live and going on: import without effect outward, comparison
 * with the RIS's list, feeds that fall silent, messages flushed after a downtime, floods and
 * strangers (domain §8, §9, §11). */
#include "core_world.h"

/* ---- the world, and what a test changes of its configuration
 * --------------------------------------- */
static void config_as(struct world *w, void (*change)(struct spd_settings *s, struct spd_arena *a))
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
        d->kind = sv(docs[i][0]), d->content = sv(docs[i][1]),
        d->hash = spd_sha256_hex(a, d->content);
    }
    world_settings(&s, a);
    if (change) change(&s, a);
    spd_desc_encode(&spd_settings_desc, &s, &enc);
    e.settings = spd_str_sv(&enc);
    world_next(w);
    assert_int_equal(world_apply(w, SPD_EVENT_CONFIG, &e), SPD_OK);
    spd_str_done(&enc);
    spd_arena_free(a);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    world_open(w, "memory:");
    *state = w;
    return 0;
}

/* Whatever the scene was: its journal, applied to an empty store, gives the same rows. */
static void replays(struct world *w)
{
    struct spd_core *core = spd_core_new(w->codes, NULL);
    struct spd_store *store;
    struct spd_arena *a = spd_arena_new((size_t)512 << 20);
    struct spd_str was = SPD_STR_INIT((size_t)256 << 20), is = SPD_STR_INIT((size_t)256 << 20);
    int64_t ids[64], after = 0;
    size_t n;
    assert_int_equal(spd_store_open("memory:", SPD_STORE_WRITE | SPD_STORE_CREATE, &store, NULL),
                     SPD_OK);
    do {
        assert_int_equal(spd_store_scan(w->store, SPD_T_JOURNAL, after, false, ids, 64, &n, NULL),
                         SPD_OK);
        for (size_t i = 0; i < n; i++) {
            struct spd_journal j;
            struct spd_event e = {0};
            struct spd_receipt r;
            after = ids[i];
            spd_arena_reset(a);
            assert_int_equal(spd_get_journal(w->store, ids[i], &j, a, NULL), SPD_OK);
            assert_int_equal(spd_event_decode(j.event, &e, a, NULL), SPD_OK);
            e.at = j.at;
            assert_int_equal(spd_store_begin(store, NULL), SPD_OK);
            assert_int_equal(spd_core_apply(core, store, &e, a, &r, NULL), SPD_OK);
            assert_int_equal(spd_store_commit(store, NULL), SPD_OK);
            spd_core_committed(core);
        }
    } while (n == 64);
    world_dump(w->store, &was);
    world_dump(store, &is);
    assert_true(was.len > 0);
    assert_true(spd_sv_eq(spd_str_sv(&was), spd_str_sv(&is)));
    spd_str_done(&was);
    spd_str_done(&is);
    spd_core_free(core);
    spd_store_close(store);
    spd_arena_free(a);
}

static int teardown(void **state)
{
    replays(*state);
    world_close(*state);
    free(*state);
    return 0;
}

struct listed { /* a record of a list */
    const char *accession, *patient, *study, *wire, *body_part, *location, *raw, *peer;
    enum spd_priority priority;
    spd_usec changed, exam;
    bool cancel;
    enum spd_report_axis report;
};

static enum spd_import_says import(struct world *w, struct listed x)
{
    struct spd_order_event e = {.import = 1};
    struct spd_order_in *o;
    world_next(w);
    e.message.peer = sv(x.peer ? x.peer : "ris"), e.message.import = 1;
    if (x.raw) {
        e.message.raw = sv(x.raw), e.message.hash = spd_sha256_hex(w->a, e.message.raw);
        e.message.type = sv("ORM^O01"), e.message.control_id = sv(x.raw);
    }
    *SPD_LIST_PUSH(&e.patient.ids, w->a) = world_cx(x.patient ? x.patient : "P1", "ZH");
    e.location = sv(x.location ? x.location : "");
    o = SPD_LIST_PUSH(&e.orders, w->a);
    o->accession = world_cx(x.accession, "ZH");
    o->modality = sv("CT"), o->body_part = sv(x.body_part ? x.body_part : "HEAD");
    if (x.study) *SPD_LIST_PUSH(&o->study_uids, w->a) = sv(x.study);
    o->priority = (int32_t)x.priority, o->priority_wire = sv(x.wire ? x.wire : "");
    o->source_time = x.changed, o->exam_time = x.exam, o->exam_done = x.exam != 0;
    o->cancel = x.cancel, o->report = (int32_t)x.report;
    o->order = x.cancel ? SPD_ORDER_CANCELLED : SPD_ORDER_ACTIVE;
    assert_int_equal(world_apply(w, SPD_EVENT_ORDER, &e), SPD_OK);
    if (w->r.rc) return SPD_IMPORT_REFUSED;
    return w->r.did == SPD_DID_DUPLICATE ? SPD_IMPORT_SAME : (enum spd_import_says)w->r.says;
}

static int64_t item_of(struct world *w)
{
    assert_true(w->r.n_items > 0);
    return w->r.items[0];
}

/* Rows that want to leave the house: pages, priorities, reports. */
static size_t going_out(struct world *w)
{
    return world_count(w, SPD_KEY_OUTBOX_STATE, "queued") +
           world_count(w, SPD_KEY_OUTBOX_STATE, "sending");
}

static size_t alarms(struct world *w, const char *kind_and_subject)
{
    return world_count(w, SPD_KEY_ALARM_OPEN, kind_and_subject);
}

/* ---- import
 * --------------------------------------------------------------------------------------- */
static void an_import_has_no_effect_outward(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 200; i++) { /* half of them overdue since long */
        char accession[16];
        snprintf(accession, sizeof accession, "A%d", i);
        assert_int_equal(import(w, (struct listed){.accession = accession,
                                                   .raw = accession,
                                                   .wire = "R",
                                                   .priority = SPD_PRIORITY_ROUTINE,
                                                   .changed = w->now - SPD_HOUR(30),
                                                   .exam = i % 2 ? w->now - SPD_HOUR(30)
                                                                 : w->now - SPD_HOUR(1)}),
                         SPD_IMPORT_NEW);
    }
    assert_int_equal(world_count(w, SPD_KEY_ITEM_OPEN, "1"), 200);
    assert_int_equal(going_out(w), 0);
    struct spd_item overdue = world_item(w, item_of(w));
    assert_true(world_reason(&overdue, "max_wait")); /* it has waited that long, and shows it */
    assert_int_equal(overdue.images_first, 0);
    assert_int_equal(overdue.arrived, w->now - SPD_HOUR(30)); /* not the time of the import */
    world_until(w, w->now + SPD_SEC(30));                     /* the timers that it left behind */
    assert_int_equal(going_out(w), 0);
    config_as(w, NULL); /* deciding anew is no reason either */
    world_until(w, w->now + SPD_SEC(30));
    assert_int_equal(going_out(w), 0);
    world_until(w, w->now + SPD_HOUR(6)); /* but what then comes of waiting is */
    assert_true(going_out(w) > 0);
    assert_int_equal(world_count(w, SPD_KEY_ALERT_OPEN, "1"), 0); /* waiting alone pages nobody */
}

static void twice_is_once(void **state)
{
    struct world *w = *state;
    struct listed x = {.accession = "A1", .priority = SPD_PRIORITY_ROUTINE, .exam = w->now};
    assert_int_equal(import(w, x), SPD_IMPORT_NEW);
    int64_t item = item_of(w), revision = w->r.revision;
    assert_int_equal(import(w, x), SPD_IMPORT_SAME);
    assert_int_equal(w->r.revision, revision); /* it left nothing, not even a journal row */
    assert_int_equal(item_of(w), item);
    x.raw = "MSH|1"; /* now with its message, for writing back later */
    assert_int_equal(import(w, x), SPD_IMPORT_CHANGED);
    assert_true(world_item(w, item).source_message > 0);
    assert_int_equal(import(w, x), SPD_IMPORT_SAME);
    assert_int_equal(world_count(w, SPD_KEY_ITEM_OPEN, "1"), 1);
}

static void a_result_after_the_import_pages(void **state)
{
    struct world *w = *state;
    import(w, (struct listed){.accession = "A1", .study = "1.2.1", .exam = w->now - SPD_MIN(5)});
    int64_t item = item_of(w);
    assert_int_equal(world_result(w, (struct airesult){.accession = "A1"}), SPD_OK);
    assert_int_equal(world_item(w, item).level, 1);
    assert_true(world_count(w, SPD_KEY_ALERT_OPEN, "1") > 0);
    assert_true(going_out(w) > 0);
}

static void a_result_before_the_import(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_result(w, (struct airesult){.accession = "A1"}), SPD_OK);
    assert_int_equal(w->r.did, SPD_DID_PARK);
    world_until(w, w->now + SPD_SEC(20));
    assert_int_equal(
        import(w, (struct listed){.accession = "A1", .study = "1.2.1", .exam = w->now}),
        SPD_IMPORT_NEW);
    assert_int_equal(going_out(w), 0); /* the import pages nobody … */
    world_until(w, w->now + SPD_SEC(45));
    assert_int_equal(world_count(w, SPD_KEY_ALERT_OPEN, "1"), 1); /* … and takes no page away */
    assert_true(going_out(w) > 0);
    assert_int_equal(world_count(w, SPD_KEY_PARKED_OPEN, "1"), 0); /* it found its order */
}

/* Known and paged as unmatched an hour ago: the import joins them, and starts nothing new. */
static void an_old_unmatched_page_goes_on_alone(void **state)
{
    struct world *w = *state;
    world_result(w, (struct airesult){.accession = "A1"});
    world_until(w, w->now + SPD_SEC(90));
    size_t before = going_out(w);
    assert_int_equal(world_count(w, SPD_KEY_ALERT_OPEN, "1"), 1);
    import(w, (struct listed){.accession = "A1", .study = "1.2.1", .exam = w->now});
    assert_int_equal(world_count(w, SPD_KEY_ALERT_OPEN, "1"), 1);
    assert_int_equal(going_out(w), before);
    world_until(w, w->now + SPD_SEC(1));
    assert_int_equal(going_out(w), before);
}

static void a_list_does_not_undo_the_feed(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .priority = SPD_PRIORITY_STAT, .wire = "S"});
    int64_t item = item_of(w);
    static const struct {
        const char *what;
        struct listed x;
        enum spd_import_says says;
    } rows[] = {
        {"without a time: only what is empty",
         {.accession = "A1", .priority = SPD_PRIORITY_ROUTINE, .wire = "R", .body_part = "ABDOMEN"},
         SPD_IMPORT_SAME},
        {"older",
         {.accession = "A1", .priority = SPD_PRIORITY_ROUTINE, .wire = "R", .changed = 1},
         SPD_IMPORT_OLDER},
        {"another patient", {.accession = "A1", .patient = "P9"}, SPD_IMPORT_REFUSED},
        {"closed, and never heard of", {.accession = "X9", .cancel = true}, SPD_IMPORT_CLOSED},
        {"reported, and never heard of",
         {.accession = "X8", .report = SPD_REPORT_FINAL},
         SPD_IMPORT_CLOSED},
        {"of nobody who sends orders", {.accession = "X7", .peer = "ai"}, SPD_IMPORT_REFUSED},
        {"fills in the study", {.accession = "A1", .study = "1.2.77"}, SPD_IMPORT_CHANGED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (import(w, rows[i].x) != rows[i].says) fail_msg("%s", rows[i].what);
        struct spd_item now = world_item(w, item);
        assert_int_equal(now.order_priority, SPD_PRIORITY_STAT);
        assert_true(spd_sv_is(now.body_part, "HEAD"));
        assert_true(spd_sv_is(now.patient.ids.v[0].value, "P1"));
    }
    assert_int_equal(world_item(w, item).study_uids.n, 1);
    assert_int_equal(import(w, (struct listed){.accession = "A1",
                                               .priority = SPD_PRIORITY_ROUTINE,
                                               .wire = "R",
                                               .changed = w->now + 1}),
                     SPD_IMPORT_CHANGED); /* newer than what the feed said */
    assert_int_equal(world_item(w, item).order_priority, SPD_PRIORITY_ROUTINE);
    assert_int_equal(world_count(w, SPD_KEY_ITEM_OPEN, "1"), 1);
}

static void priority_known_and_not_told(void **state)
{
    struct world *w = *state;
    import(w, (struct listed){.accession = "A1",
                              .raw = "MSH|1",
                              .wire = "R",
                              .study = "1.2.1",
                              .priority = SPD_PRIORITY_ROUTINE,
                              .changed = w->now - SPD_HOUR(60),
                              .exam = w->now - SPD_HOUR(60)});
    int64_t item = item_of(w);
    while (world_item(w, item).level > 2) /* waiting raises it to a level with a word on the wire */
        world_until(w, w->now + SPD_HOUR(1));
    world_deliver(w, "ris", SPD_OUTCOME_OK, NULL, 0);
    assert_int_equal(world_order(w, (struct order){.accession = "A1",
                                                   .control = "XO",
                                                   .wire = "A",
                                                   .priority = SPD_PRIORITY_URGENT}),
                     SPD_OK); /* now it is an echo, since it was told */
    assert_int_equal(world_item(w, item).order_priority, SPD_PRIORITY_ROUTINE);
}

/* A rule that pages for the order alone: not for what is imported, and not for what then stays so. */
static void a_rule_without_a_result(void **state)
{
    struct world *w = *state;
    char policy[4096];
    snprintf(policy, sizeof policy,
             "%s  - id: shock\n    title: {nl: 'Aanvraag: shockkamer', en: 'Order: resuscitation'}\n"
             "    when: {location: SHOCK}\n    level: critical\n    alert: [{to: rads}]\n",
             world_policy);
    world_next(w);
    world_config_with(w, policy, world_models);
    import(w, (struct listed){.accession = "A1", .location = "SHOCK", .exam = w->now});
    int64_t item = item_of(w);
    assert_int_equal(world_item(w, item).level, 1);
    world_adt(w, (struct adt){.name = "ZZCANARY, Anders"}); /* decided on anew */
    world_until(w, w->now + SPD_MIN(20));
    assert_int_equal(world_count(w, SPD_KEY_ALERT_OPEN, "1"), 0);
    import(w, (struct listed){.accession = "A2", .patient = "P2", .location = "SEH", .exam = w->now});
    world_adt(w, (struct adt){.patient = "P2", .location = "SHOCK"}); /* that is new */
    assert_int_equal(world_count(w, SPD_KEY_ALERT_OPEN, "1"), 1);
}

/* ---- the RIS's list
 * ------------------------------------------------------------------------------- */
static void reconcile(struct world *w, int64_t missing, int64_t extra, int64_t found)
{
    struct spd_reconcile_event e = {
        .peer = sv("ris"), .by = sv("admin"), .listed = 1, .missing = missing, .last = 1};
    world_next(w);
    if (extra) *SPD_LIST_PUSH(&e.extras, w->a) = extra;
    if (found) *SPD_LIST_PUSH(&e.found, w->a) = found;
    assert_int_equal(world_apply(w, SPD_EVENT_RECONCILE, &e), SPD_OK);
}

static bool complete(struct world *w)
{
    struct spd_feed *f;
    size_t n;
    assert_int_equal(spd_core_feeds(w->core, w->store, &f, &n, w->a, NULL), SPD_OK);
    return spd_feeds_complete(f, n);
}

static void complete_after_a_comparison(void **state)
{
    struct world *w = *state;
    assert_false(complete(w));
    import(w, (struct listed){.accession = "A1", .exam = w->now});
    int64_t item = item_of(w);
    assert_false(complete(w));
    reconcile(w, 3, 0, 0);
    assert_false(complete(w)); /* it is known that three are not here */
    reconcile(w, 0, item, 0);
    assert_true(complete(w));
    struct spd_item marked = world_item(w, item);
    assert_true(world_reason(&marked, "not-in-ris"));
    assert_true(spd_item_listed(&marked)); /* marked for a person, and never hidden */
    reconcile(w, 0, 0, item);
    marked = world_item(w, item);
    assert_false(world_reason(&marked, "not-in-ris"));
    reconcile(w, 0, item, 0);
    world_act(w, SPD_ACT_CONFIRM_PATIENT,
              (struct spd_action_event){.item = item, .reason = sv("asked the RIS")});
    assert_int_equal(w->r.rc, SPD_OK);
    marked = world_item(w, item);
    assert_false(world_reason(&marked, "not-in-ris"));
    reconcile(w, 0, item, 0);
    world_order(w, (struct order){.accession = "A1", .control = "XO"}); /* its RIS speaks of it */
    marked = world_item(w, item);
    assert_false(world_reason(&marked, "not-in-ris"));
    assert_int_equal(going_out(w), 0);
    struct spd_reconcile_event e = {.peer = sv("nobody"), .last = 1};
    world_next(w);
    assert_int_equal(world_apply(w, SPD_EVENT_RECONCILE, &e), SPD_OK);
    assert_int_equal(w->r.rc, SPD_NOTFOUND);
}

/* ---- feeds
 * ---------------------------------------------------------------------------------------- */
static void expect_ten_minutes(struct spd_settings *s, struct spd_arena *a)
{
    (void)a;
    s->peers.v[0].expect_every = SPD_MIN(10);
}

static void a_feed_falls_silent(void **state)
{
    struct world *w = *state;
    config_as(w, expect_ten_minutes);
    reconcile(w, 0, 0, 0);
    assert_true(complete(w));
    world_until(w, w->now + SPD_MIN(9)); /* it has as long from its entry as between two messages */
    assert_int_equal(alarms(w, "feed-silent|ris"), 0);
    world_order(w, (struct order){.accession = "A1"});
    world_until(w, w->now + SPD_MIN(10));
    assert_int_equal(alarms(w, "feed-silent|ris"), 0);
    world_until(w, w->now + SPD_MIN(2));
    assert_int_equal(alarms(w, "feed-silent|ris"), 1);
    assert_false(complete(w));
    world_order(w, (struct order){.accession = "A2"});
    assert_int_equal(alarms(w, "feed-silent|ris"), 0);
    assert_true(complete(w));
    for (int i = 0; i < 60; i++) { /* a steady feed raises nothing */
        world_until(w, w->now + SPD_MIN(1));
        world_order(w, (struct order){.accession = "A2", .control = "XO"});
    }
    world_until(w, w->now + SPD_MIN(9));
    assert_int_equal(alarms(w, "feed-silent|ris"), 0);
    world_until(w, w->now + SPD_MIN(3));
    assert_int_equal(alarms(w, "feed-silent|ris"), 1);
    config_as(w, NULL); /* nothing is expected any more */
    assert_int_equal(alarms(w, "feed-silent|ris"), 0);
}

/* A message that comes twice has no second effect, but somebody is there; and an import is no feed.
 */
static void who_is_heard(void **state)
{
    struct world *w = *state;
    config_as(w, expect_ten_minutes);
    world_order(w, (struct order){.accession = "A1", .message = "M1"});
    world_until(w, w->now + SPD_MIN(12));
    assert_int_equal(alarms(w, "feed-silent|ris"), 1);
    import(w, (struct listed){.accession = "A9"});
    assert_int_equal(alarms(w, "feed-silent|ris"), 1);
    int64_t revision = w->r.revision;
    world_order(w, (struct order){.accession = "A1", .message = "M1"});
    assert_int_equal(w->r.did, SPD_DID_DUPLICATE);
    assert_int_equal(alarms(w, "feed-silent|ris"), 0);
    assert_true(w->r.revision > revision); /* a replay must hear it too */
}

/* ---- flushed after a downtime
 * --------------------------------------------------------------------- */
static enum spd_rc report(struct world *w, const char *accession, enum spd_report_axis axis,
                          const char *text, spd_usec at)
{
    struct spd_report_event e = {.text = sv(text)};
    struct spd_order_in *o;
    world_next(w);
    envelope(w, &e.message, "ORU^R01", NULL, NULL);
    *SPD_LIST_PUSH(&e.patient.ids, w->a) = world_cx("P1", "ZH");
    o = SPD_LIST_PUSH(&e.reports, w->a);
    o->accession = world_cx(accession, "ZH"), o->report = (int32_t)axis, o->source_time = at;
    return world_apply(w, SPD_EVENT_REPORT, &e);
}

static void a_flush_changes_nothing_newer(void **state)
{
    struct world *w = *state;
    spd_usec down = w->now - SPD_HOUR(4);
    for (int i = 0; i < 250; i++) { /* what came by hand, or by another way, during the downtime */
        char accession[16];
        snprintf(accession, sizeof accession, "A%d", i);
        world_order(w, (struct order){.accession = accession,
                                      .priority = SPD_PRIORITY_STAT,
                                      .wire = "S",
                                      .exam_done = true,
                                      .source_time = w->now - SPD_MIN(5)});
        if (i % 2) report(w, accession, SPD_REPORT_FINAL, "the newest text", w->now - SPD_MIN(2));
    }
    world_deliver(w, "ris", SPD_OUTCOME_OK, NULL, 0);
    size_t before = going_out(w), changed = 0;
    for (int i = 0; i < 500; i++) { /* and now the queue of the RIS: orders, cancels, reports */
        char accession[16];
        snprintf(accession, sizeof accession, "A%d", i % 250);
        int64_t at = down + SPD_SEC(i);
        if (i < 250)
            world_order(w, (struct order){.accession = accession,
                                          .control = i % 3 ? "XO" : "CA",
                                          .wire = "R",
                                          .cancel = i % 3 == 0,
                                          .source_time = at});
        else
            report(w, accession, SPD_REPORT_PRELIMINARY, "an older text", at);
        changed += w->r.did != SPD_DID_STALE && (i < 250 || i % 2);
        struct spd_item now = world_item(w, item_of(w));
        assert_int_equal(now.order, SPD_ORDER_ACTIVE);
        assert_int_equal(now.order_priority, SPD_PRIORITY_STAT);
        if (i % 2) assert_true(spd_sv_is(now.report_text, "the newest text"));
        if (i % 2) assert_int_equal(now.report, SPD_REPORT_FINAL);
        assert_int_equal(now.wait_raises, 0);
    }
    assert_int_equal(changed, 0);
    assert_int_equal(going_out(w), before);
    report(w, "A1", SPD_REPORT_AMENDED, "corrected",
           down); /* a correction travels whatever its time */
    assert_int_equal(world_item(w, item_of(w)).report, SPD_REPORT_AMENDED);
}

static void start_counts_by_source_time(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1",
                                  .exam_done = true,
                                  .priority = SPD_PRIORITY_STAT,
                                  .wire = "S",
                                  .source_time = w->now - SPD_MIN(20)});
    struct spd_item i = world_item(w, item_of(w));
    assert_int_equal(i.arrived, w->now - SPD_MIN(20));
    assert_int_equal(i.due, w->now + SPD_MIN(40)); /* an hour from the exam, not from the message */
    world_until(w, w->now + SPD_MIN(39));
    assert_int_equal(world_item(w, i.id).wait_raises, 0);
    world_until(w, w->now + SPD_MIN(2));
    assert_int_equal(world_item(w, i.id).wait_raises, 1);
    assert_int_equal(world_count(w, SPD_KEY_ALERT_OPEN, "1"), 0);
}

static void a_result_that_queued(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *what, *accession, *study, *sop;
        spd_usec age;
        bool pages;
    } rows[] = {{"fresh", "A1", "1.2.1", "1.9.1", SPD_MIN(90), true},
                {"too old", "A2", "1.2.2", "1.9.2", SPD_HOUR(3), false}};
    for (size_t i = 0; i < 2; i++) {
        world_order(w, (struct order){.accession = rows[i].accession,
                                      .study = rows[i].study,
                                      .exam_done = true});
        int64_t item = item_of(w);
        size_t before = world_count(w, SPD_KEY_ALERT_OPEN, "1");
        struct spd_result_event e = {.known_peer = 1};
        world_next(w);
        envelope(w, &e.message, "C-STORE", rows[i].sop, NULL);
        e.message.peer = sv("ai");
        e.result.manufacturer = sv("Maker"), e.result.name = sv("ICH"), e.result.version = sv("1");
        e.result.sop_uid = sv(rows[i].sop), e.result.study_uid = sv(rows[i].study);
        *SPD_LIST_PUSH(&e.result.patient.ids, w->a) = world_cx("P1", "ZH");
        e.result.state = SPD_AI_POSITIVE, e.result.content_at = w->now - rows[i].age;
        struct spd_finding *f = SPD_LIST_PUSH(&e.result.findings, w->a);
        f->concept = sv("intracranial-hemorrhage"), f->present = SPD_PRESENT_YES,
        f->probability = 900000;
        assert_int_equal(world_apply(w, SPD_EVENT_RESULT, &e), SPD_OK);
        struct spd_item now = world_item(w, item);
        assert_int_equal(now.level, 1); /* it counts and shows in any case */
        assert_int_equal(world_count(w, SPD_KEY_ALERT_OPEN, "1") > before, rows[i].pages);
        assert_int_equal(world_reason(&now, "too-old-to-page"), !rows[i].pages);
        assert_int_equal(now.images_first, w->now - rows[i].age); /* by its own clock, not ours */
    }
}

/* ---- floods and strangers
 * ------------------------------------------------------------------------- */
static void a_flood_pushes_out_no_positive(void **state)
{
    struct world *w = *state;
    world_order(w, (struct order){.accession = "A1", .study = "1.2.1", .exam_done = true});
    int64_t item = item_of(w);
    world_result(w, (struct airesult){.accession = "A1", .image = "1.3.0"});
    assert_int_equal(world_item(w, item).level, 1);
    for (int i = 1; i <= 1100; i++) { /* further series, each by itself negative */
        char image[24];
        snprintf(image, sizeof image, "1.3.%d", i);
        world_result(
            w, (struct airesult){.accession = "A1", .state = SPD_AI_NEGATIVE, .image = image});
    }
    assert_int_equal(world_item(w, item).level, 1);
    assert_int_equal(world_count(w, SPD_KEY_ALERT_OPEN, "1"), 1);
    struct spd_view v = world_view(w, item);
    assert_int_equal(v.ai[0].state, SPD_AI_POSITIVE);
}

static void strangers_fill_no_disk(void **state)
{
    struct world *w = *state;
    size_t kept = 0;
    for (int i = 0; i < 260; i++) {
        struct spd_message_event e = {
            .park = 1, .why = sv("unlisted-peer"), .alarm = sv("unlisted-peer")};
        world_next(w);
        envelope(w, &e.message, "ORM^O01", NULL, NULL);
        e.message.peer = sv(""), e.message.sender = sv("X|Y");
        assert_int_equal(world_apply(w, SPD_EVENT_MESSAGE, &e), SPD_OK);
        kept += w->r.did == SPD_DID_PARK;
        if (w->r.did == SPD_DID_REFUSE) assert_int_equal(w->r.answer, SPD_ANSWER_AR);
    }
    assert_int_equal(kept, 200);
    assert_int_equal(alarms(w, "unlisted-full|"), 1);
    int64_t journal = w->r.revision;
    for (int i = 0; i < 20; i++) {
        world_result(w,
                     (struct airesult){.accession = "A1",
                                       .unlisted = true}); /* of a listed peer without the role */
        assert_int_equal(w->r.did, SPD_DID_PARK);
    }
    assert_true(w->r.revision > journal);
    int64_t *ids;
    size_t n;
    assert_int_equal(
        spd_store_find_all(w->store, SPD_KEY_PARKED_UNLISTED, sv("*"), &ids, &n, w->a, NULL),
        SPD_OK);
    assert_int_equal(n, 200);
    for (size_t i = 0; i < 10; i++) { /* a person deals with some: there is room again */
        int64_t id = 0;
        world_next(w);
        spd_store_find(w->store, SPD_KEY_PARKED_UNLISTED, sv("*"), 0, &id, 1, &n, NULL);
        world_act(w, SPD_ACT_DISCARD,
                  (struct spd_action_event){.parked = id, .reason = sv("seen")});
        assert_int_equal(w->r.rc, SPD_OK);
    }
    struct spd_message_event e = {.park = 1, .why = sv("unlisted-peer")};
    world_next(w);
    envelope(w, &e.message, "ORM^O01", NULL, NULL);
    e.message.peer = sv(""), e.message.sender = sv("X|Y");
    assert_int_equal(world_apply(w, SPD_EVENT_MESSAGE, &e), SPD_OK);
    assert_int_equal(w->r.did, SPD_DID_PARK);
    assert_int_equal(alarms(w, "unlisted-full|"), 0);
}

/* ---- mode observe
 * --------------------------------------------------------------------------------- */
static void observes(struct spd_settings *s, struct spd_arena *a)
{
    (void)a;
    s->destinations.v[0].mode = sv("observe");
}

static void what_was_observed_is_not_sent_later(void **state)
{
    struct world *w = *state;
    struct spd_outbox rows[4];
    config_as(w, observes);
    world_order(w, (struct order){
                       .accession = "A1", .study = "1.2.1", .exam_done = true, .bytes = "MSH|A1"});
    int64_t item = item_of(w);
    world_result(w, (struct airesult){.accession = "A1"});
    config_as(w, NULL); /* live, while the row still waits */
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OBSERVED, rows, 4), 1);
    assert_true(rows[0].observe); /* so that the channel keeps it in the house */
    world_order(w, (struct order){.accession = "A1",
                                  .control = "XO",
                                  .wire = "S",
                                  .priority = SPD_PRIORITY_STAT,
                                  .bytes = "MSH|A1b"});
    assert_int_equal(world_item(w, item).order_priority,
                     SPD_PRIORITY_STAT); /* no echo: it never heard us */
    world_order(w, (struct order){.accession = "A2",
                                  .study = "1.2.2",
                                  .exam_done = true,
                                  .patient = "P2",
                                  .bytes = "MSH|A2"});
    world_result(w, (struct airesult){.accession = "A2", .study = "1.2.2", .patient = "P2"});
    assert_int_equal(world_deliver(w, "ris", SPD_OUTCOME_OK, rows, 4), 1);
    assert_false(rows[0].observe);
}

#define WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {WORLD(an_import_has_no_effect_outward),
                                       WORLD(twice_is_once),
                                       WORLD(a_result_after_the_import_pages),
                                       WORLD(a_result_before_the_import),
                                       WORLD(an_old_unmatched_page_goes_on_alone),
                                       WORLD(a_list_does_not_undo_the_feed),
        WORLD(a_rule_without_a_result),
                                       WORLD(priority_known_and_not_told),
                                       WORLD(complete_after_a_comparison),
                                       WORLD(a_feed_falls_silent),
                                       WORLD(who_is_heard),
                                       WORLD(a_flush_changes_nothing_newer),
                                       WORLD(start_counts_by_source_time),
                                       WORLD(a_result_that_queued),
                                       WORLD(a_flood_pushes_out_no_positive),
                                       WORLD(strangers_fill_no_disk),
                                       WORLD(what_was_observed_is_not_sent_later)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
