/* tests/unit/test_core_workitem.c: workitems of UPS: every request in every state with its status,
 * what an item's life does to them, and who is told. */
#include "core_world.h"

#include <string.h>

#include "ups/ups.h"

#define TX "2.25.1001"
#define OTHER "2.25.1002"

static struct spd_workitem workitem(struct world *w, const char *uid)
{
    struct spd_workitem x = {0};
    int64_t id;
    assert_int_equal(spd_store_find_one(w->store, SPD_KEY_WORKITEM_UID, sv(uid), &id, NULL),
                     SPD_OK);
    assert_int_equal(spd_get_workitem(w->store, id, &x, w->a, NULL), SPD_OK);
    return x;
}

static struct spd_workitem current(struct world *w, int64_t item)
{
    struct spd_item i = world_item(w, item);
    struct spd_workitem x = {0};
    assert_int_equal(spd_get_workitem(w->store, i.workitem, &x, w->a, NULL), SPD_OK);
    return x;
}

/* One request; returns its status. */
static unsigned ups(struct world *w, enum spd_workitem_verb verb, struct spd_workitem_event e)
{
    world_next(w);
    e.verb = (int32_t)verb;
    if (!e.by.len) e.by = sv("VIEWER");
    if (!e.receiver.len) e.receiver = sv("WATCH");
    e.web = 1;
    assert_int_equal(world_apply(w, SPD_EVENT_WORKITEM, &e), SPD_OK);
    return w->r.ups;
}

static unsigned create(struct world *w, const char *uid, const char *accession, const char *patient)
{
    struct spd_workitem_event e = {.uid = sv(uid)};
    struct spd_arena *a = spd_arena_new(1 << 20);
    struct spd_cx *id = SPD_LIST_PUSH(&e.order.patient.ids, a);
    struct spd_order_in *o = SPD_LIST_PUSH(&e.order.orders, a);
    unsigned status;
    id->value = sv(patient), id->authority = sv("ZH");
    o->control = sv("NW"), o->accession.value = sv(accession), o->accession.authority = sv("ZH");
    o->priority = SPD_PRIORITY_STAT, o->exam_done = 1, o->modality = sv("CT");
    status = ups(w, SPD_UPS_CREATE, e);
    spd_arena_free(a);
    return status;
}

static unsigned change(struct world *w, const char *uid, enum spd_workitem_state to, const char *tx)
{
    return ups(w, SPD_UPS_CHANGE_STATE,
               (struct spd_workitem_event){
                   .uid = sv(uid), .state = (int32_t)to, .transaction = tx ? sv(tx) : SPD_SV_NONE});
}

static unsigned set(struct world *w, const char *uid, const char *tx, int64_t tag, bool complete)
{
    struct spd_attribute v = {tag, SPD_SV("{\"vr\":\"SQ\"}"), complete};
    struct spd_workitem_event e = {.uid = sv(uid), .transaction = tx ? sv(tx) : SPD_SV_NONE};
    e.attributes.v = &v, e.attributes.n = 1;
    return ups(w, SPD_UPS_UPDATE, e);
}

static unsigned follow(struct world *w, enum spd_workitem_verb verb, const char *uid, bool lock)
{
    return ups(w, verb, (struct spd_workitem_event){.uid = sv(uid), .lock = lock});
}

/* Brings a new workitem into a state, by the claim TX. */
static void make(struct world *w, const char *uid, const char *accession, enum spd_workitem_state s)
{
    assert_int_equal(create(w, uid, accession, "P1"), 0);
    if (s == SPD_WORKITEM_SCHEDULED) return;
    assert_int_equal(change(w, uid, SPD_WORKITEM_IN_PROGRESS, TX), 0);
    if (s == SPD_WORKITEM_COMPLETED) assert_int_equal(set(w, uid, TX, 0x00741216, true), 0);
    if (s != SPD_WORKITEM_IN_PROGRESS) assert_int_equal(change(w, uid, s, TX), 0);
    assert_int_equal(workitem(w, uid).state, s);
}

/* What the subscriber WATCH was told of a workitem: the states of state reports, C cancel
 * requested, P progress, A assigned. */
static const char *told(struct world *w, const char *uid)
{
    static char text[64];
    static const char letters[] = " SIDX";
    int64_t *ids;
    size_t n, k = 0;
    assert_int_equal(
        spd_store_find_all(w->store, SPD_KEY_REPORT_RECEIVER, sv("WATCH"), &ids, &n, w->a, NULL),
        SPD_OK);
    for (size_t i = 0; i < n && k < sizeof text - 1; i++) {
        struct spd_workitem_report r;
        assert_int_equal(spd_get_workitem_report(w->store, ids[i], &r, w->a, NULL), SPD_OK);
        if (!spd_sv_is(r.uid, uid)) continue;
        text[k++] = r.kind == SPD_UPS_STATE              ? letters[r.state]
                    : r.kind == SPD_UPS_CANCEL_REQUESTED ? 'C'
                    : r.kind == SPD_UPS_PROGRESS         ? 'P'
                    : r.kind == SPD_UPS_ASSIGNED         ? 'A'
                                                         : 'R';
    }
    text[k] = 0;
    return text;
}

/* ---- PS3.4 table CC.1.1-2, cell by cell --------------------------------------------------------
 */
enum { UPDATE = SPD_WORKITEM_STATE_N, UPDATE_BARE, CANCEL };
static const struct cell {
    const char *name;
    int what; /* a state to go to, or one of the above */
    const char *tx;
    unsigned by_state[4]; /* SCHEDULED, IN PROGRESS, COMPLETED, CANCELED */
} cells[] = {
    {"to IN PROGRESS with a key", SPD_WORKITEM_IN_PROGRESS, OTHER, {0, 0xC302, 0xC300, 0xC300}},
    {"to IN PROGRESS with the key", SPD_WORKITEM_IN_PROGRESS, TX, {0, 0xC302, 0xC300, 0xC300}},
    {"to IN PROGRESS without one",
     SPD_WORKITEM_IN_PROGRESS,
     NULL,
     {0xC301, 0xC301, 0xC301, 0xC301}},
    {"to SCHEDULED with the key", SPD_WORKITEM_SCHEDULED, TX, {0xC303, 0xC303, 0xC303, 0xC303}},
    {"to SCHEDULED without one", SPD_WORKITEM_SCHEDULED, NULL, {0xC303, 0xC303, 0xC303, 0xC303}},
    {"to COMPLETED with the key", SPD_WORKITEM_COMPLETED, TX, {0xC310, 0xC304, 0xB306, 0xC300}},
    {"to COMPLETED with another", SPD_WORKITEM_COMPLETED, OTHER, {0xC310, 0xC301, 0xC301, 0xC301}},
    {"to COMPLETED without one", SPD_WORKITEM_COMPLETED, NULL, {0xC301, 0xC301, 0xC301, 0xC301}},
    {"to CANCELED with the key", SPD_WORKITEM_CANCELED, TX, {0xC310, 0, 0xC300, 0xB304}},
    {"to CANCELED with another", SPD_WORKITEM_CANCELED, OTHER, {0xC310, 0xC301, 0xC301, 0xC301}},
    {"to CANCELED without one", SPD_WORKITEM_CANCELED, NULL, {0xC301, 0xC301, 0xC301, 0xC301}},
    {"N-SET with the key", UPDATE, TX, {0xC310, 0, 0xC300, 0xC300}},
    {"N-SET with another", UPDATE, OTHER, {0xC310, 0xC301, 0xC300, 0xC300}},
    {"N-SET without one", UPDATE_BARE, NULL, {0, 0xC301, 0xC300, 0xC300}},
    {"a request to cancel", CANCEL, NULL, {0, 0, 0xC311, 0xB304}},
    {"N-CREATE of the same", -1, NULL, {0x0111, 0x0111, 0x0111, 0x0111}},
};

static unsigned try_cell(struct world *w, const struct cell *c, const char *uid)
{
    if (c->what < 0) return create(w, uid, "another", "P1");
    if (c->what == UPDATE || c->what == UPDATE_BARE) return set(w, uid, c->tx, 0x00741002, false);
    if (c->what == CANCEL)
        return ups(w, SPD_UPS_REQUEST_CANCEL, (struct spd_workitem_event){.uid = sv(uid)});
    return change(w, uid, (enum spd_workitem_state)c->what, c->tx);
}

static void every_request_in_every_state(void **state)
{
    int wrong = 0;
    (void)state;
    for (size_t c = 0; c < sizeof cells / sizeof *cells; c++)
        for (int s = SPD_WORKITEM_SCHEDULED; s <= SPD_WORKITEM_CANCELED; s++) {
            struct world w;
            int64_t before, after;
            world_open(&w, "memory:");
            make(&w, "1.2.3", "A1", (enum spd_workitem_state)s);
            spd_store_max_id(w.store, SPD_T_WORKITEM_REPORT, &before, NULL);
            unsigned want = cells[c].by_state[s - 1], got = try_cell(&w, &cells[c], "1.2.3");
            spd_store_max_id(w.store, SPD_T_WORKITEM_REPORT, &after, NULL);
            if (got != want || (want && after != before)) {
                print_message("%s in %s: %04X, want %04X; %lld events\n", cells[c].name,
                              spd_workitem_state_names[s], got, want, (long long)(after - before));
                wrong++;
            }
            if (want) assert_int_equal(workitem(&w, "1.2.3").state, s);
            world_close(&w);
        }
    assert_int_equal(wrong, 0);
}

static void nothing_is_there(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, "memory:");
    for (size_t c = 0; c + 1 < sizeof cells / sizeof *cells; c++)
        assert_int_equal(try_cell(&w, &cells[c], "1.2.9"), 0xC307);
    assert_int_equal(follow(&w, SPD_UPS_SUBSCRIBE, "1.2.9", false), 0xC307);
    assert_int_equal(follow(&w, SPD_UPS_UNSUBSCRIBE, "1.2.9", false), 0xC307);
    assert_int_equal(follow(&w, SPD_UPS_SUSPEND, "1.2.9", false), 0xC314);
    world_close(&w);
}

/* ---- the item's life ---------------------------------------------------------------------------
 */
static void open_study(struct world *w)
{
    world_open(w, "memory:");
    assert_int_equal(follow(w, SPD_UPS_SUBSCRIBE, SPD_UPS_GLOBAL, false), 0);
    assert_int_equal(world_order(w, (struct order){.accession = "A1", .study = "1.2.1"}), SPD_OK);
    world_study(w, "1.2.1", NULL, NULL, "i1", false);
}

static void a_claim_is_a_claim_of_the_item(void **state)
{
    struct world w;
    (void)state;
    open_study(&w);
    char *uid = strndup(current(&w, 1).uid.ptr, current(&w, 1).uid.len);
    assert_int_equal(current(&w, 1).readiness, SPD_READINESS_INCOMPLETE);
    world_act(&w, SPD_ACT_CLAIM, (struct spd_action_event){.item = 1, .by = sv("smit")});
    assert_int_equal(workitem(&w, uid).state, SPD_WORKITEM_IN_PROGRESS);
    assert_true(spd_sv_is(workitem(&w, uid).performer, "smit"));
    assert_int_equal(change(&w, uid, SPD_WORKITEM_IN_PROGRESS, TX), 0xC302);
    world_until(&w, w.now + SPD_MIN(16)); /* the lease ends */
    assert_int_equal(workitem(&w, uid).state, SPD_WORKITEM_CANCELED);
    assert_string_equal(told(&w, uid), "SSIIX"); /* new, an image, claimed, all images, given back */
    struct spd_workitem next = current(&w, 1);
    assert_int_equal(next.state, SPD_WORKITEM_SCHEDULED);
    assert_true(spd_sv_is(next.replaces, uid));
    char *second = strndup(next.uid.ptr, next.uid.len);
    assert_int_equal(change(&w, second, SPD_WORKITEM_IN_PROGRESS, TX), 0);
    assert_true(spd_sv_is(world_item(&w, 1).claimed_by, "VIEWER"));
    world_act(&w, SPD_ACT_CLAIM, (struct spd_action_event){.item = 1, .by = sv("smit")});
    assert_int_equal(w.r.rc, SPD_EXISTS);
    world_until(&w, w.now + SPD_MIN(10));
    assert_int_equal(set(&w, second, TX, 0x00741002, false), 0); /* used: the lease goes on */
    world_until(&w, w.now + SPD_MIN(10));
    assert_int_equal(workitem(&w, second).state, SPD_WORKITEM_IN_PROGRESS);
    assert_int_equal(set(&w, second, TX, 0x00741216, true), 0);
    assert_int_equal(change(&w, second, SPD_WORKITEM_COMPLETED, TX), 0);
    assert_int_equal(world_item(&w, 1).reading, SPD_READING_DICTATED);
    struct spd_item dictated = world_item(&w, 1);
    assert_true(spd_item_listed(&dictated)); /* until the RIS reports */
    assert_string_equal(told(&w, second), "SIPD");
    free(uid), free(second);
    world_close(&w);
}

static void cancel_never_hides_images(void **state)
{
    struct world w;
    (void)state;
    open_study(&w);
    char *uid = strndup(current(&w, 1).uid.ptr, current(&w, 1).uid.len);
    world_order(&w, (struct order){.accession = "A1", .control = "CA", .cancel = true});
    assert_int_equal(workitem(&w, uid).state, SPD_WORKITEM_CANCELED);
    struct spd_workitem next = current(&w, 1);
    assert_int_equal(next.state, SPD_WORKITEM_SCHEDULED); /* somebody must confirm */
    assert_int_equal(next.order_cancelled, 1);
    assert_true(spd_sv_is(next.replaces, uid));
    world_act(&w, SPD_ACT_CONFIRM_CANCEL, (struct spd_action_event){.item = 1});
    assert_int_equal(current(&w, 1).state, SPD_WORKITEM_CANCELED);
    world_act(&w, SPD_ACT_REOPEN,
              (struct spd_action_event){.item = 1, .reason = sv("to be read after all")});
    assert_int_equal(current(&w, 1).state, SPD_WORKITEM_SCHEDULED);
    free(uid);
    world_close(&w);
}

static void who_reads_is_asked_to_stop(void **state)
{
    struct world w;
    (void)state;
    open_study(&w);
    char *uid = strndup(current(&w, 1).uid.ptr, current(&w, 1).uid.len);
    assert_int_equal(change(&w, uid, SPD_WORKITEM_IN_PROGRESS, TX), 0);
    world_order(&w, (struct order){.accession = "A1", .control = "CA", .cancel = true});
    assert_int_equal(workitem(&w, uid).state, SPD_WORKITEM_IN_PROGRESS);
    assert_string_equal(told(&w, uid) + strlen(told(&w, uid)) - 2, "IC");
    world_order(&w, (struct order){.accession = "A1", .control = "XO"}); /* once */
    assert_string_equal(told(&w, uid) + strlen(told(&w, uid)) - 2, "IC");
    free(uid);
    world_close(&w);
}

static void a_corrected_report_is_another_reading(void **state)
{
    struct world w;
    (void)state;
    open_study(&w);
    char *uid = strndup(current(&w, 1).uid.ptr, current(&w, 1).uid.len);
    world_order(&w, (struct order){.accession = "A1", .report = SPD_REPORT_FINAL});
    assert_int_equal(workitem(&w, uid).state, SPD_WORKITEM_COMPLETED);
    assert_string_equal(told(&w, uid) + strlen(told(&w, uid)) - 2, "ID");
    world_order(&w, (struct order){.accession = "A1", .report = SPD_REPORT_FINAL});
    assert_true(spd_sv_is(current(&w, 1).uid, uid)); /* said twice */
    world_order(&w, (struct order){.accession = "A1", .report = SPD_REPORT_AMENDED});
    assert_false(spd_sv_is(current(&w, 1).uid, uid));
    assert_int_equal(current(&w, 1).state, SPD_WORKITEM_COMPLETED);
    assert_true(spd_sv_is(current(&w, 1).replaces, uid));
    free(uid);
    world_close(&w);
}

/* ---- creation ----------------------------------------------------------------------------------
 */
static void a_requester_takes_over_what_nobody_has(void **state)
{
    struct world w;
    (void)state;
    open_study(&w);
    char *ours = strndup(current(&w, 1).uid.ptr, current(&w, 1).uid.len);
    assert_int_equal(create(&w, "1.2.77", "A1", "P2"), 0x0111); /* another patient */
    assert_int_equal(create(&w, "1.2.77", "A1", "P1"), 0);
    assert_int_equal(world_count(&w, SPD_KEY_ITEM_ACCESSION, "A1|ZH"), 1);
    assert_int_equal(workitem(&w, ours).state, SPD_WORKITEM_CANCELED);
    assert_true(spd_sv_is(current(&w, 1).uid, "1.2.77"));
    assert_true(spd_sv_is(current(&w, 1).replaces, ours));
    assert_int_equal(create(&w, "1.2.78", "A1", "P1"), 0x0111); /* it is somebody's now */
    free(ours);
    world_close(&w);
}

/* ---- subscriptions: PS3.4 table CC.2.3-2
 * --------------------------------------------------------- */
static void subscriptions_stand_as_the_table_says(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, "memory:");
    make(&w, "1.1", "A1", SPD_WORKITEM_SCHEDULED);
    assert_string_equal(told(&w, "1.1"), "");
    assert_int_equal(follow(&w, SPD_UPS_SUBSCRIBE, SPD_UPS_GLOBAL, false), 0);
    assert_string_equal(told(&w, "1.1"), ""); /* without lock: no initial event */
    assert_int_equal(follow(&w, SPD_UPS_SUBSCRIBE, SPD_UPS_GLOBAL, true), 0);
    assert_string_equal(told(&w, "1.1"), ""); /* subscribed already: no change */
    make(&w, "1.2", "A2", SPD_WORKITEM_SCHEDULED);
    assert_string_equal(told(&w, "1.2"), "S");
    assert_int_equal(follow(&w, SPD_UPS_UNSUBSCRIBE, "1.1", false), 0);
    assert_int_equal(change(&w, "1.1", SPD_WORKITEM_IN_PROGRESS, TX), 0);
    assert_string_equal(told(&w, "1.1"), ""); /* the instance goes before the global */
    assert_int_equal(follow(&w, SPD_UPS_SUBSCRIBE, SPD_UPS_GLOBAL, true), 0);
    assert_string_equal(told(&w, "1.1"), "I"); /* with lock: how it stands */
    assert_int_equal(follow(&w, SPD_UPS_SUBSCRIBE, "1.2", false), 0);
    assert_string_equal(told(&w, "1.2"), "SS"); /* a specific one always says it */
    assert_int_equal(follow(&w, SPD_UPS_SUSPEND, SPD_UPS_GLOBAL, false), 0);
    make(&w, "1.3", "A3", SPD_WORKITEM_IN_PROGRESS);
    assert_string_equal(told(&w, "1.3"), "");
    assert_int_equal(change(&w, "1.1", SPD_WORKITEM_CANCELED, TX), 0);
    assert_string_equal(told(&w, "1.1"), "IX"); /* those of before go on */
    assert_int_equal(follow(&w, SPD_UPS_UNSUBSCRIBE, SPD_UPS_GLOBAL, false), 0);
    assert_int_equal(change(&w, "1.2", SPD_WORKITEM_IN_PROGRESS, TX), 0);
    assert_string_equal(told(&w, "1.2"), "SS"); /* all subscriptions went, specific ones too */
    assert_int_equal(ups(&w, SPD_UPS_SUBSCRIBE,
                         (struct spd_workitem_event){.uid = sv("1.2"), .receiver = sv("X")}),
                     0);
    world_close(&w);
}

static void an_import_tells_nobody(void **state)
{
    struct world w;
    struct spd_order_event e = {.import = 1};
    struct spd_arena *a = spd_arena_new(1 << 20);
    (void)state;
    world_open(&w, "memory:");
    assert_int_equal(follow(&w, SPD_UPS_SUBSCRIBE, SPD_UPS_GLOBAL, false), 0);
    struct spd_cx *id = SPD_LIST_PUSH(&e.patient.ids, a);
    struct spd_order_in *o = SPD_LIST_PUSH(&e.orders, a);
    id->value = sv("P1"), id->authority = sv("ZH");
    o->control = sv("NW"), o->accession.value = sv("A1"), o->accession.authority = sv("ZH");
    e.message.peer = sv("ris");
    world_next(&w);
    assert_int_equal(world_apply(&w, SPD_EVENT_ORDER, &e), SPD_OK);
    assert_int_equal(current(&w, 1).state, SPD_WORKITEM_SCHEDULED);
    assert_int_equal(world_count(&w, SPD_KEY_REPORT_RECEIVER, "WATCH"), 0);
    spd_arena_free(a);
    world_close(&w);
}

/* By DIMSE a peer with the role of orders or of reports reads; one whose results are believed, and a
 * stranger, do not say that somebody has read. */
static void who_performs(void **state)
{
    static const struct {
        const char *name, *peer;
        unsigned want;
    } rows[] = {{"a product that gives results", "ai", SPD_UPS_NOT_AUTHORIZED},
                {"a stranger", "", SPD_UPS_NOT_AUTHORIZED},
                {"a reading system", "ris", 0}};
    static const enum spd_workitem_verb verbs[] = {SPD_UPS_UPDATE, SPD_UPS_REQUEST_CANCEL,
                                                   SPD_UPS_CHANGE_STATE};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        world_open(&w, "memory:");
        assert_int_equal(create(&w, "1.3.1", "A1", "P1"), 0);
        for (size_t k = rows[i].want ? 0 : 2; k < 3; k++) {
            struct spd_workitem_event e = {.verb = (int32_t)verbs[k],
                                           .uid = sv("1.3.1"),
                                           .by = sv("AE1"),
                                           .transaction = sv("2.25.1"),
                                           .state = SPD_WORKITEM_IN_PROGRESS};
            e.order.message.peer = sv(rows[i].peer);
            world_next(&w);
            assert_int_equal(world_apply(&w, SPD_EVENT_WORKITEM, &e), SPD_OK);
            if (w.r.ups != rows[i].want)
                fail_msg("%s, request %zu: %04x", rows[i].name, k, (unsigned)w.r.ups);
        }
        assert_int_equal(world_item(&w, 1).reading,
                         rows[i].want ? SPD_READING_UNREAD : SPD_READING_CLAIMED);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_in_every_state),
        cmocka_unit_test(nothing_is_there),
        cmocka_unit_test(a_claim_is_a_claim_of_the_item),
        cmocka_unit_test(cancel_never_hides_images),
        cmocka_unit_test(who_reads_is_asked_to_stop),
        cmocka_unit_test(a_corrected_report_is_another_reading),
        cmocka_unit_test(a_requester_takes_over_what_nobody_has),
        cmocka_unit_test(subscriptions_stand_as_the_table_says),
        cmocka_unit_test(an_import_tells_nobody),
        cmocka_unit_test(who_performs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
