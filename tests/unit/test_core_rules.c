/* tests/unit/test_core_rules.c: properties of the core (design §6, rules 2-6 and 10) over random
 * histories, and that the same journal gives the same rows byte for byte.
 *
 * A history is a few hundred random events of a small hospital (few patients, accessions and
 * studies, so that they collide). After every event the invariants are checked over all rows.
 * SPOED_SEED=n repeats one. */
#include "core_world.h"

#include <string.h>

static uint64_t seed;

static unsigned rnd(unsigned n)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (unsigned)(seed % n);
}

static bool chance(unsigned percent)
{
    return rnd(100) < percent;
}

enum { HISTORIES = 60, EVENTS = 150 };

struct text {
    char z[24];
};

static struct text name(const char *prefix, unsigned n)
{
    struct text t;
    snprintf(t.z, sizeof t.z, "%s%u", prefix, n);
    return t;
}

static const char other_policy[] =
    "policy: 1\n"
    "levels: [critical, urgent, expedited, routine]\n"
    "max_wait: {critical: 10m, urgent: 30m, expedited: 2h, routine: 12h}\n"
    "order_levels: {stat: urgent, asap: expedited, urgent: expedited, routine: routine}\n"
    "ai_age: 1h\nrepeat: 3m\nunmatched_to: backup\n"
    "rules:\n"
    "  - id: ich\n"
    "    title: {nl: 'AI: bloeding', en: 'AI: haemorrhage'}\n"
    "    when: {modality: CT, finding: intracranial-hemorrhage, probability: '>= 0.40'}\n"
    "    level: critical\n"
    "    alert: [{to: rads, when: on_ai, escalate: [{after: 4m, to: ed}]}]\n"
    "  - id: ptx\n"
    "    title: {nl: 'AI: pneumothorax', en: 'AI: pneumothorax'}\n"
    "    when: {modality: [CR, DX], finding: pneumothorax}\n"
    "    level: urgent\n"
    "    alert: [{to: rads, when: on_ai}]\n";

static void random_order(struct world *w)
{
    static const char *const controls[] = {"NW", "NW", "NW", "XO", "SC", "CA", "RO"};
    static const char *const wires[] = {"S", "A", "R", "R", "T"};
    static const enum spd_priority priorities[] = {SPD_PRIORITY_STAT, SPD_PRIORITY_ASAP,
                                                   SPD_PRIORITY_ROUTINE, SPD_PRIORITY_ROUTINE,
                                                   SPD_PRIORITY_URGENT};
    unsigned c = rnd(7), p = rnd(5), k = rnd(8);
    bool chest = k >= 6;
    struct text acc = name("A", k), study = name("1.2.", chance(80) ? k / 2 : rnd(5)),
                patient = name("P", chance(95) ? k % 3 : rnd(4));
    struct order o = {.accession = acc.z,
                      .study = study.z,
                      .patient = patient.z,
                      .control = controls[c],
                      .priority = priorities[p],
                      .wire = wires[p],
                      .modality = chest ? "DX" : "CT",
                      .body_part = chest   ? "CHEST"
                                   : k % 2 ? "CSPINE"
                                           : "HEAD",
                      .cancel = c == 5,
                      .replace = c == 6,
                      .source_time = w->now - (chance(10) ? SPD_HOUR(1) : 0)};
    if (chance(8)) o.report = chance(70) ? SPD_REPORT_FINAL : SPD_REPORT_PRELIMINARY;
    world_order(w, o);
}

static void random_result(struct world *w)
{
    static const struct {
        const char *model, *concept;
    } models[] = {{"ICH", "intracranial-hemorrhage"},
                  {"CSP", "cervical-spine-fracture"},
                  {"PTX", "pneumothorax"},
                  {"CXRN", "normal-chest"},
                  {"Other", "aortic-dissection"}};
    static const enum spd_ai_state states[] = {SPD_AI_POSITIVE,    SPD_AI_POSITIVE, SPD_AI_NEGATIVE,
                                               SPD_AI_NEGATIVE,    SPD_AI_NORMAL,   SPD_AI_FAILED,
                                               SPD_AI_NOT_ANALYSED};
    unsigned m = rnd(5), k = rnd(8);
    enum spd_ai_state s = states[rnd(7)];
    struct text study = name("1.2.", k / 2), patient = name("P", chance(85) ? k % 3 : rnd(5)),
                image = name("i", rnd(3)), acc = name("A", k);
    struct airesult r = {.name = models[m].model,
                         .concept = models[m].concept,
                         .study = study.z,
                         .patient = patient.z,
                         .state = s,
                         .image = image.z,
                         .version = chance(90) ? "1" : "2",
                         .accession = chance(30) ? acc.z : NULL,
                         .unlisted = chance(5),
                         .present = s == SPD_AI_POSITIVE   ? SPD_PRESENT_YES
                                    : s == SPD_AI_NORMAL   ? SPD_PRESENT_NORMAL
                                    : s == SPD_AI_NEGATIVE ? SPD_PRESENT_NO
                                                           : SPD_PRESENT_UNCLEAR,
                         .probability = 1 + (int64_t)rnd(1000000)};
    world_result(w, r);
}

static void random_action(struct world *w)
{
    static const enum spd_action_verb verbs[] = {
        SPD_ACT_CLAIM,      SPD_ACT_RELEASE,      SPD_ACT_OPENED,       SPD_ACT_OPENED,
        SPD_ACT_PRIORITY,   SPD_ACT_VERDICT,      SPD_ACT_REOPEN,       SPD_ACT_CONFIRM_CANCEL,
        SPD_ACT_ASSIGN,     SPD_ACT_DISCARD,      SPD_ACT_DRAFT_ACCEPT, SPD_ACT_DRAFT_ACCEPT,
        SPD_ACT_DRAFT_UNDO, SPD_ACT_DRAFT_REJECT, SPD_ACT_ACKNOWLEDGE,  SPD_ACT_DECLINE,
        SPD_ACT_HANDOVER,   SPD_ACT_RESOLVE};
    struct spd_action_event e = {0};
    struct spd_draft d;
    e.item = 1 + (int64_t)rnd(8), e.alert = 1 + (int64_t)rnd(6), e.parked = 1 + (int64_t)rnd(6);
    e.by = chance(50) ? sv("one") : sv("two");
    e.reason = chance(90) ? sv("because") : SPD_SV_NONE;
    e.level = chance(50) ? sv("urgent") : sv("routine");
    e.verdict = chance(50) ? sv("agree") : sv("disagree"),
    e.finding = chance(50) ? sv("intracranial-hemorrhage") : SPD_SV_NONE;
    e.to = sv("visser");
    if (spd_get_draft(w->store, e.item, &d, w->a, NULL) == SPD_OK)
        e.version = chance(80) ? d.version : 1;
    world_act(w, verbs[rnd(sizeof verbs / sizeof *verbs)], e);
}

static void random_report(struct world *w)
{
    static const enum spd_report_axis axes[] = {SPD_REPORT_FINAL, SPD_REPORT_PRELIMINARY,
                                                SPD_REPORT_AMENDED, SPD_REPORT_NONE,
                                                SPD_REPORT_AXIS_UNSET};
    struct spd_report_event e = {0};
    struct spd_order_in *in;
    struct text acc = name("A", rnd(9)), patient = name("P", rnd(4));
    world_next(w);
    envelope(w, &e.message, "ORU^R01", NULL, NULL);
    if (chance(10)) e.message.peer = sv("ai");
    if (chance(80)) {
        struct spd_cx *id = SPD_LIST_PUSH(&e.patient.ids, w->a);
        id->value = spd_arena_dup(w->a, sv(patient.z)), id->authority = sv("ZH");
    }
    in = SPD_LIST_PUSH(&e.reports, w->a);
    in->accession.value = spd_arena_dup(w->a, sv(acc.z)), in->accession.authority = sv("ZH");
    in->report = (int32_t)axes[rnd(5)];
    e.text = sv("seen"), e.by = sv("dr.ris");
    world_apply(w, SPD_EVENT_REPORT, &e);
}

static void random_patient(struct world *w)
{
    struct spd_patient_event e = {0};
    struct text patient = name("P", rnd(4)), bsn = name("B", rnd(4));
    world_next(w);
    envelope(w, &e.message, "ADT^A08", NULL, NULL);
    for (unsigned k = 0; k < 1 + rnd(2); k++) {
        struct spd_cx *id = SPD_LIST_PUSH(&e.patient.ids, w->a);
        id->value = spd_arena_dup(w->a, sv(k ? bsn.z : patient.z)),
        id->authority = k ? sv("NL") : sv("ZH");
    }
    e.location = chance(50) ? sv("IC") : sv("SEH"), e.trigger = sv("A08");
    e.source_time = w->now - (chance(20) ? SPD_HOUR(2) : 0);
    world_apply(w, SPD_EVENT_PATIENT, &e);
}

/* By accession, with the right patient, another, or none; sometimes only counted. */
static void random_study(struct world *w)
{
    struct text s = name("1.2.", rnd(5)), i = name("i", rnd(4)), acc = name("A", rnd(8)),
                patient = name("P", rnd(3));
    bool by_accession = chance(40);
    if (chance(80)) {
        world_study(w, s.z, by_accession ? acc.z : NULL,
                    by_accession && chance(70) ? patient.z : NULL, chance(80) ? i.z : NULL,
                    chance(40));
    } else {
        struct spd_study_event e = {0};
        world_next(w);
        e.study_uid = sv(s.z), e.instance_count = 1 + (int64_t)rnd(4);
        world_apply(w, SPD_EVENT_STUDY, &e);
    }
}

/* What a manager, an administrator or a restart does. */
static void random_rule_change(struct world *w)
{
    static const char *const ids[] = {"ich-a", "csp-a", "cxr-n", "ptx-a"}, *const modes[] = {
                                                                               "live", "live",
                                                                               "shadow",
                                                                               "acceptance",
                                                                               "suspended"};
    struct spd_start_event start = {0};
    switch (rnd(4)) {
    case 0:
        world_act(w, SPD_ACT_SET_MODE,
                  (struct spd_action_event){.model = sv(ids[rnd(4)]),
                                            .model_version = chance(70) ? sv("1") : sv("2"),
                                            .mode = sv(modes[rnd(5)]),
                                            .reason = sv("because")});
        break;
    case 1: /* the same rules, and others: pneumothorax raises as well, and waiting is shorter */
        world_next(w);
        if (chance(50))
            world_config(w);
        else
            world_config_with(w, other_policy, world_models);
        break;
    case 2:
        world_next(w);
        start.version = sv("test"), start.secret = sv("fedcba9876543210fedcba9876543210"),
        start.alone = chance(50);
        world_apply(w, SPD_EVENT_START, &start);
        break;
    default: {
        struct spd_action_event e = {
            .outbox = 1 + (int64_t)rnd(12), .message = 1 + (int64_t)rnd(60), .reason = sv("again")};
        world_act(w, chance(60) ? SPD_ACT_RETRY : SPD_ACT_RESEND, e);
    }
    }
}

static void random_event(struct world *w)
{
    unsigned k = rnd(120);
    if (k >= 112) {
        random_rule_change(w);
        return;
    }
    if (k >= 106) {
        random_patient(w);
        return;
    }
    if (k >= 100) {
        random_report(w);
        return;
    }
    if (k < 25) {
        random_order(w);
    } else if (k < 50) {
        random_result(w);
    } else if (k < 60) {
        random_study(w);
    } else if (k < 75) {
        random_action(w);
    } else if (k < 85) {
        static const enum spd_outcome outcomes[] = {SPD_OUTCOME_OK,        SPD_OUTCOME_OK,
                                                    SPD_OUTCOME_OK,        SPD_OUTCOME_TEMPORARY,
                                                    SPD_OUTCOME_PERMANENT, SPD_OUTCOME_UNKNOWN};
        static const char *const where[] = {"ris", "pager", "mail"};
        world_deliver(w, where[rnd(3)], outcomes[rnd(6)], NULL, 0);
    } else {
        static const spd_usec steps[] = {SPD_SEC(1),  SPD_SEC(20), SPD_MIN(2),
                                         SPD_MIN(11), SPD_HOUR(1), SPD_HOUR(5)};
        world_until(w, w->now + steps[rnd(6)]);
    }
}

/* ---- the invariants
 * --------------------------------------------------------------------------------- */
static void each(struct world *w, enum spd_table t, struct spd_arena *a,
                 void (*check)(struct world *, const void *, struct spd_arena *))
{
    int64_t ids[64], after = 0;
    size_t n;
    do {
        assert_int_equal(spd_store_scan(w->store, t, after, false, ids, 64, &n, NULL), SPD_OK);
        for (size_t i = 0; i < n; i++) {
            void *o = spd_arena_must(a, spd_table_desc(t)->size);
            assert_int_equal(spd_store_get(w->store, t, ids[i], o, a, NULL), SPD_OK);
            check(w, o, a);
            after = ids[i];
        }
    } while (n == 64);
}

static void check_item(struct world *w, const void *o, struct spd_arena *a)
{
    const struct spd_item *i = o;
    struct spd_view v;
    bool level_reason = false, any = false;
    assert_in_range(i->level, 1, 4);
    /* 3: AI raises, it does not lower: never later than the order (or a person) alone would have
     * it. */
    if (!i->unmatched) {
        int own = i->person_level ? i->person_level
                                  : spd_policy_order_level(spd_core_policy(w->core),
                                                           (enum spd_priority)i->order_priority);
        assert_true(i->level <= own);
    }
    /* 9: every level has a reason that gives that level. */
    assert_true(i->reasons.n > 0);
    for (size_t k = 0; k < i->reasons.n; k++)
        level_reason |= i->reasons.v[k].level_no == i->level, any |= i->reasons.v[k].en.len > 0;
    assert_true(any && level_reason);
    /* 4: nobody starves: past max_wait of its level the item would have been raised. */
    if (spd_item_listed(i) && i->level > 1 && i->arrived) {
        spd_usec wait = spd_policy_max_wait(spd_core_policy(w->core), i->level), from = i->arrived;
        spd_usec start = i->images_complete ? i->images_complete
                         : i->images_first  ? i->images_first
                                            : i->exam_done;
        if (start > from) from = start;
        if (i->raised_at > from) from = i->raised_at;
        if (w->now > from + wait &&
            w->now > i->level_since + wait) { /* overdue just now (reopened, say): raised at once */
            int64_t *ids;
            size_t n;
            struct spd_timer t = {0};
            spd_sv key = spd_key_join(a, spd_key_i64(a, SPD_TIMER_WAIT), spd_key_i64(a, i->id));
            assert_int_equal(
                spd_store_find_all(w->store, SPD_KEY_TIMER_SUBJECT, key, &ids, &n, a, NULL),
                SPD_OK);
            assert_int_equal(n, 1);
            assert_int_equal(spd_get_timer(w->store, ids[0], &t, a, NULL), SPD_OK);
            assert_true(t.due <= w->now + 1);
        }
    }
    /* 10: no image is hidden: cancelled with images and unconfirmed stays on the list. */
    if (i->order == SPD_ORDER_CANCELLED && i->images > SPD_IMAGES_NONE && !i->cancel_confirmed &&
        i->report < SPD_REPORT_FINAL)
        assert_true(spd_item_listed(i));
    /* 10: no report vanishes: preliminary by acceptance means that the report is queued, sent, or
     * the item is back. */
    if (i->report == SPD_REPORT_PRELIMINARY && i->report_message) {
        struct spd_outbox row;
        assert_int_equal(spd_get_outbox(w->store, i->report_message, &row, a, NULL), SPD_OK);
        assert_true(row.state == SPD_OUTBOX_QUEUED || row.state == SPD_OUTBOX_SENDING ||
                    row.state == SPD_OUTBOX_DONE || i->report_at > row.done_at);
    }
    /* 5: silence is not negative: a state without a result is pending or late. */
    assert_int_equal(spd_core_view(w->core, w->store, i->id, w->now, &v, a, NULL), SPD_OK);
    for (size_t k = 0; k < v.n_ai; k++) {
        if (v.ai[k].at == 0) {
            assert_true(v.ai[k].state == SPD_AI_PENDING || v.ai[k].state == SPD_AI_LATE);
            if (v.ai[k].expected_at)
                assert_int_equal(v.ai[k].state == SPD_AI_LATE, v.ai[k].expected_at <= w->now);
        }
    }
    /* 7: no draft beside a positive finding of a model in use, or without its images. */
    if (v.draft.id) {
        for (size_t k = 0; k < v.n_ai; k++)
            if (v.ai[k].mode == SPD_MODE_LIVE)
                assert_true(v.ai[k].state != SPD_AI_POSITIVE && v.ai[k].state != SPD_AI_PENDING &&
                            v.ai[k].state != SPD_AI_LATE);
        assert_true(i->images > SPD_IMAGES_NONE && i->report <= SPD_REPORT_NONE);
    }
}

static void check_result(struct world *w, const void *o, struct spd_arena *a)
{
    const struct spd_result *r = o;
    /* 6: the right patient: applied only where an identifier is shared, unless a person assigned
     * it. */
    for (size_t k = 0; k < r->items.n; k++) {
        struct spd_item i;
        struct spd_parked p;
        bool assigned = false;
        assert_int_equal(spd_get_item(w->store, r->items.v[k], &i, a, NULL), SPD_OK);
        for (int64_t id = 1; spd_get_parked(w->store, id, &p, a, NULL) == SPD_OK; id++)
            assigned |= p.result == r->id && spd_sv_is(p.closed_how, "assigned");
        assert_true(assigned || r->superseded_by || spd_patient_shares_id(&i.patient, &r->patient));
    }
    /* Nothing is dropped: a result is on an item, parked, or superseded. */
    assert_true(r->items.n || r->parked || r->superseded_by);
}

static void check_alert(struct world *w, const void *o, struct spd_arena *a)
{
    const struct spd_alert *al = o;
    bool open = spd_alert_open((enum spd_alert_state)al->state);
    int64_t *ids;
    size_t n;
    (void)a;
    if (open) assert_true(al->due > 0); /* an open alert always has a next page due */
    if (al->state == SPD_ALERT_ACKNOWLEDGED)
        assert_true(al->ack_by.len && al->ack_at && al->ack_how.len);
    if (open) {
        assert_int_equal(
            spd_store_find_all(w->store, SPD_KEY_ALERT_SEQUENCE, al->sequence, &ids, &n, a, NULL),
            SPD_OK);
        for (size_t i = 0, same = 0; i < n;
             i++) { /* 2: one page sequence: never two open at one level */
            struct spd_alert x;
            assert_int_equal(spd_get_alert(w->store, ids[i], &x, a, NULL), SPD_OK);
            same += spd_alert_open((enum spd_alert_state)x.state) && x.level == al->level;
            assert_true(same <= 1);
        }
    }
}

static void check_all(struct world *w)
{
    struct spd_arena *a = spd_arena_new(256 << 20);
    each(w, SPD_T_ITEM, a, check_item);
    each(w, SPD_T_RESULT, a, check_result);
    each(w, SPD_T_ALERT, a, check_alert);
    spd_arena_free(a);
}

static uint64_t first_seed(void)
{
    const char *z = getenv("SPOED_SEED");
    int64_t v = 0;
    return z && spd_sv_to_i64(spd_sv_from(z), &v) ? (uint64_t)v : 1;
}

static void random_histories_keep_the_rules(void **state)
{
    (void)state;
    for (uint64_t h = 0; h < HISTORIES; h++) {
        struct world w;
        seed = (first_seed() + h) * 0x9E3779B97F4A7C15u;
        world_open(&w, "memory:");
        for (int i = 0; i < EVENTS; i++) {
            random_event(&w);
            check_all(&w);
        }
        world_close(&w);
    }
}

/* 2: once: any message of a history, sent again with the same bytes, changes no row. */
static void anything_twice_is_once(void **state)
{
    (void)state;
    for (uint64_t h = 0; h < 20; h++) {
        struct world w;
        seed = (first_seed() + h) * 0xD1B54A32D192ED03u;
        world_open(&w, "memory:");
        for (int i = 0; i < 60; i++) {
            struct spd_str before = SPD_STR_INIT(64 << 20), after = SPD_STR_INIT(64 << 20);
            struct spd_journal j;
            struct spd_event e;
            struct spd_arena *a;
            int64_t last;
            random_event(&w);
            assert_int_equal(spd_store_max_id(w.store, SPD_T_JOURNAL, &last, NULL), SPD_OK);
            a = spd_arena_new(64 << 20);
            assert_int_equal(spd_get_journal(w.store, last, &j, a, NULL), SPD_OK);
            assert_int_equal(spd_event_decode(j.event, &e, a, NULL), SPD_OK);
            if (e.type == SPD_EVENT_ORDER || e.type == SPD_EVENT_RESULT ||
                e.type == SPD_EVENT_REPORT) {
                world_dump(w.store, &before);
                world_next(&w);
                assert_int_equal(world_apply(&w, e.type, e.u.any), SPD_OK);
                assert_int_equal(w.r.did, SPD_DID_DUPLICATE);
                world_dump(w.store, &after);
                assert_true(spd_sv_eq(spd_str_sv(&before), spd_str_sv(&after)));
            }
            spd_str_done(&before), spd_str_done(&after);
            spd_arena_free(a);
        }
        world_close(&w);
    }
}

/* 3 again, as a twin: the same history without its negative and normal results never places an item
 * earlier. */
static void negatives_never_lower(void **state)
{
    (void)state;
    for (uint64_t h = 0; h < 20; h++) {
        struct world with, without;
        world_open(&with, "memory:"), world_open(&without, "memory:");
        for (unsigned k = 0; k < 6; k++) {
            struct text acc = name("A", k), study = name("1.2.", k);
            seed = (first_seed() + h * 7 + k) * 0x9E3779B97F4A7C15u;
            struct order o = {.accession = acc.z,
                              .study = study.z,
                              .priority = (enum spd_priority)(1 + rnd(4)),
                              .wire = "X"};
            struct airesult neg = {.study = study.z,
                                   .state = chance(50) ? SPD_AI_NEGATIVE : SPD_AI_NORMAL};
            world_order(&with, o), world_order(&without, o);
            world_study(&with, study.z, NULL, NULL, "i", true),
                world_study(&without, study.z, NULL, NULL, "i", true);
            world_result(&with, neg);
        }
        world_until(&with, with.now + SPD_MIN((int)(h * 10))),
            world_until(&without, without.now + SPD_MIN((int)(h * 10)));
        for (int64_t id = 1; id <= 6; id++) {
            struct spd_item a = world_item(&with, id), b = world_item(&without, id);
            assert_true(a.level <= b.level);
            assert_true(a.due <= b.due);
        }
        world_close(&with), world_close(&without);
    }
}

/* ---- replay
 * -------------------------------------------------------------------------------------------- */
static void replay(const char *url, struct spd_store *from, struct spd_str *out)
{
    struct world w = {0};
    struct spd_err err = {0};
    int64_t ids[64], after = 0;
    size_t n;
    w.a = spd_arena_new(64 << 20);
    assert_int_equal(
        spd_codes_load_dir(SPOED_SOURCE_DIR "/packaging/share/codes", NULL, &w.codes, &err),
        SPD_OK);
    assert_int_equal(spd_store_open(url, SPD_STORE_WRITE | SPD_STORE_CREATE, &w.store, &err),
                     SPD_OK);
    w.core = spd_core_new(w.codes, NULL);
    do {
        assert_int_equal(spd_store_scan(from, SPD_T_JOURNAL, after, false, ids, 64, &n, &err),
                         SPD_OK);
        for (size_t i = 0; i < n; i++) {
            struct spd_arena *a = spd_arena_new(64 << 20);
            struct spd_journal j;
            struct spd_event e;
            assert_int_equal(spd_get_journal(from, ids[i], &j, a, &err), SPD_OK);
            assert_int_equal(spd_event_decode(j.event, &e, a, &err), SPD_OK);
            w.now = j.at;
            spd_arena_reset(w.a);
            assert_int_equal(world_apply(&w, e.type, e.u.any), SPD_OK);
            spd_arena_free(a);
            after = ids[i];
        }
    } while (n == 64);
    world_dump(w.store, out);
    world_close(&w);
}

static void the_same_journal_gives_the_same_rows(void **state)
{
    (void)state;
    for (uint64_t h = 0; h < 10; h++) {
        struct world w;
        struct spd_str live = SPD_STR_INIT(256 << 20), one = SPD_STR_INIT(256 << 20),
                       two = SPD_STR_INIT(256 << 20);
        seed = (first_seed() + h) * 0xA24BAED4963EE407u;
        world_open(&w, "memory:");
        for (int i = 0; i < 200; i++)
            random_event(&w);
        world_dump(w.store, &live);
        replay("memory:", w.store, &one);
        replay("memory:", w.store, &two);
        assert_true(spd_sv_eq(spd_str_sv(&live), spd_str_sv(&one)));
        assert_true(spd_sv_eq(spd_str_sv(&one), spd_str_sv(&two)));
        spd_str_done(&live), spd_str_done(&one), spd_str_done(&two);
        world_close(&w);
    }
}

/* A bad event fails alone: after it everything is as if it had not been. */
static void an_undone_event_leaves_no_trace(void **state)
{
    struct world w;
    struct spd_str before = SPD_STR_INIT(64 << 20), after = SPD_STR_INIT(64 << 20);
    struct spd_config_event bad = {0};
    struct spd_document_event d = {sv("policy:x"), sv("h"), sv("policy: [")};
    (void)state;
    world_open(&w, "memory:");
    random_order(&w);
    world_dump(w.store, &before);
    bad.documents.v = &d, bad.documents.n = 1;
    world_next(&w);
    assert_int_not_equal(world_apply(&w, SPD_EVENT_CONFIG, &bad), SPD_OK);
    world_dump(w.store, &after);
    assert_true(spd_sv_eq(spd_str_sv(&before), spd_str_sv(&after)));
    random_order(&w); /* and it goes on with the old policy */
    assert_non_null(spd_core_policy(w.core));
    spd_str_done(&before), spd_str_done(&after);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_keep_the_rules),
        cmocka_unit_test(anything_twice_is_once),
        cmocka_unit_test(negatives_never_lower),
        cmocka_unit_test(the_same_journal_gives_the_same_rows),
        cmocka_unit_test(an_undone_event_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
