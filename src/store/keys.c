/* src/store/keys.c: by which texts an object is found. One switch, so that every back end agrees.
 *
 * Key texts borrow from the object where they are one of its own texts, else stand in the arena.
 * Invariant: the keys of an object depend on the object alone.
 * Threads: values only. */
#include "store/store.h"

static spd_sv join(struct spd_arena *arena, spd_sv a, spd_sv b)
{
    char *p = spd_arena_must(arena, a.len + b.len + 2);
    if (a.len) memcpy(p, a.ptr, a.len);
    p[a.len] = '|';
    if (b.len) memcpy(p + a.len + 1, b.ptr, b.len);
    return spd_sv_of(p, a.len + b.len + 1);
}

spd_sv spd_key_cx(struct spd_arena *arena, const struct spd_cx *cx)
{
    return join(arena, cx->value, cx->authority);
}

spd_sv spd_key_join(struct spd_arena *arena, spd_sv a, spd_sv b)
{
    return join(arena, a, b);
}

spd_sv spd_key_i64(struct spd_arena *arena, int64_t v)
{
    char b[24], *end = b + sizeof b, *p = end;
    uint64_t u = v < 0 ? (uint64_t)0 - (uint64_t)v : (uint64_t)v;
    do
        *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (v < 0) *--p = '-';
    return spd_arena_dup(arena, spd_sv_of(p, (size_t)(end - p)));
}

struct keys {
    struct spd_key *v;
    size_t n;
    struct spd_arena *arena;
};

static struct keys keys_for(struct spd_arena *arena, size_t most)
{
    return (struct keys){SPD_NEW_N(arena, struct spd_key, most), 0, arena};
}

/* An empty text is no key: nothing is ever found by not having it. */
static void add(struct keys *k, enum spd_key_kind kind, spd_sv text)
{
    if (!text.len) return;
    for (size_t i = k->n; i && k->v[i - 1].kind == kind; i--) /* a kind's keys stand together */
        if (spd_sv_eq(k->v[i - 1].text, text)) return;
    k->v[k->n++] = (struct spd_key){kind, text};
}

static void add_cx(struct keys *k, enum spd_key_kind kind, const struct spd_cx *cx)
{
    if (cx->value.len) add(k, kind, spd_key_cx(k->arena, cx));
}

static void add_id(struct keys *k, enum spd_key_kind kind, int64_t id)
{
    if (id) add(k, kind, spd_key_i64(k->arena, id));
}

static void add_when(struct keys *k, enum spd_key_kind kind, bool is)
{
    if (is) add(k, kind, SPD_SV("1"));
}

static void add_patient(struct keys *k, enum spd_key_kind kind, const struct spd_patient *p)
{
    for (size_t i = 0; i < p->ids.n; i++)
        add_cx(k, kind, &p->ids.v[i]);
}

static struct keys keys_item(const struct spd_item *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 4 + o->study_uids.n + o->patient.ids.n + o->own.ids.n);
    add_cx(&k, SPD_KEY_ITEM_ACCESSION, &o->accession);
    add_cx(&k, SPD_KEY_ITEM_FILLER, &o->filler);
    add_cx(&k, SPD_KEY_ITEM_PLACER, &o->placer);
    for (size_t i = 0; i < o->study_uids.n; i++)
        add(&k, SPD_KEY_ITEM_STUDY, o->study_uids.v[i]);
    add_patient(&k, SPD_KEY_ITEM_PATIENT, &o->patient);
    add_patient(&k, SPD_KEY_ITEM_PATIENT, &o->own);
    add_when(&k, SPD_KEY_ITEM_OPEN, spd_item_open(o));
    return k;
}

static struct keys keys_result(const struct spd_result *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 2 + 2 * o->items.n + (o->outputs.n < 64 ? o->outputs.n : 64));
    add(&k, SPD_KEY_RESULT_SOP, o->sop_uid);
    add(&k, SPD_KEY_RESULT_STUDY, o->study_uid);
    for (size_t i = 0; i < o->items.n; i++)
        add_id(&k, SPD_KEY_RESULT_ITEM, o->items.v[i]);
    for (size_t i = 0; o->state == SPD_AI_POSITIVE && !o->superseded_by && i < o->items.n; i++)
        add_id(&k, SPD_KEY_RESULT_POSITIVE, o->items.v[i]);
    for (size_t i = 0; i < o->outputs.n && i < 64; i++)
        add(&k, SPD_KEY_RESULT_OUTPUT, o->outputs.v[i]);
    return k;
}

static struct keys keys_companion(const struct spd_companion *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 2 + o->results.n);
    add(&k, SPD_KEY_COMPANION_SOP, o->sop_uid);
    add(&k, SPD_KEY_COMPANION_STUDY, o->study_uid);
    for (size_t i = 0; i < o->results.n; i++)
        add_id(&k, SPD_KEY_COMPANION_RESULT, o->results.v[i]);
    return k;
}

static struct keys keys_parked(const struct spd_parked *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 6 + o->patient.ids.n);
    if (o->closed) return k;
    if (!o->peer.len) {
        add(&k, SPD_KEY_PARKED_UNLISTED, SPD_SV("*"));
        if (o->sender.len) add(&k, SPD_KEY_PARKED_UNLISTED, join(a, SPD_SV("*"), o->sender));
    }
    add_when(&k, SPD_KEY_PARKED_OPEN, true);
    add(&k, SPD_KEY_PARKED_STUDY, o->study_uid);
    add_cx(&k, SPD_KEY_PARKED_ACCESSION, &o->accession);
    add_patient(&k, SPD_KEY_PARKED_PATIENT, &o->patient);
    add_id(&k, SPD_KEY_PARKED_ITEM, o->item);
    return k;
}

static struct keys keys_merge(const struct spd_merge *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 2);
    add_cx(&k, SPD_KEY_MERGE_FROM, &o->from);
    add_cx(&k, SPD_KEY_MERGE_TO, &o->to);
    return k;
}

static struct keys keys_study(const struct spd_study *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 2 + o->steps.n);
    add(&k, SPD_KEY_STUDY_UID, o->study_uid);
    add_cx(&k, SPD_KEY_STUDY_ACCESSION, &o->accession);
    for (size_t i = 0; i < o->steps.n; i++)
        add(&k, SPD_KEY_STUDY_STEP, o->steps.v[i].uid);
    return k;
}

static struct keys keys_alert(const struct spd_alert *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 4);
    add_id(&k, SPD_KEY_ALERT_ITEM, o->item);
    add(&k, SPD_KEY_ALERT_SEQUENCE, o->sequence);
    add_when(&k, SPD_KEY_ALERT_OPEN, spd_alert_open(o->state));
    add(&k, SPD_KEY_ALERT_PATIENT, o->patient_key);
    return k;
}

static struct keys keys_page(const struct spd_page *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 3);
    add_id(&k, SPD_KEY_PAGE_ALERT, o->alert);
    add(&k, SPD_KEY_PAGE_TOKEN, o->token_hash);
    add(&k, SPD_KEY_PAGE_ID, o->page_id);
    return k;
}

static struct keys keys_message(const struct spd_message *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 2 + o->items.n);
    if (o->direction == SPD_DIRECTION_IN && o->control_id.len)
        add(&k, SPD_KEY_MESSAGE_IN, join(a, o->peer, join(a, o->sender, o->control_id)));
    add_id(&k, SPD_KEY_MESSAGE_ITEM, o->item);
    for (size_t i = 0; i < o->items.n; i++)
        add_id(&k, SPD_KEY_MESSAGE_ITEM, o->items.v[i]);
    return k;
}

static struct keys keys_outbox(const struct spd_outbox *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 4);
    bool waits = o->state == SPD_OUTBOX_QUEUED || o->state == SPD_OUTBOX_SENDING;
    if (waits) add(&k, SPD_KEY_OUTBOX_GROUP, o->group_key);
    add_id(&k, SPD_KEY_OUTBOX_ITEM, o->item);
    if (waits || o->state == SPD_OUTBOX_DEAD)
        add(&k, SPD_KEY_OUTBOX_STATE, spd_sv_from(spd_enum_name(spd_outbox_state_names, o->state)));
    if (waits && o->attempts) add(&k, SPD_KEY_OUTBOX_CONTROL, o->control_id);
    return k;
}

static struct keys keys_alarm(const struct spd_alarm *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 2);
    if (o->until) return k;
    add(&k, SPD_KEY_ALARM_OPEN, join(a, o->kind, o->subject));
    add_when(&k, SPD_KEY_ALARM_ANY_OPEN, true);
    return k;
}

static struct keys keys_user(const struct spd_user *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 1 + o->tokens.n);
    add(&k, SPD_KEY_USER_NAME, o->name);
    for (size_t i = 0; i < o->tokens.n; i++)
        add(&k, SPD_KEY_USER_TOKEN, o->tokens.v[i].hash);
    return k;
}

static struct keys keys_document(const struct spd_document *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 2);
    add(&k, SPD_KEY_DOCUMENT, join(a, o->kind, o->hash));
    if (o->active) add(&k, SPD_KEY_DOCUMENT_ACTIVE, o->kind);
    return k;
}

static struct keys keys_one(struct spd_arena *a, enum spd_key_kind kind, spd_sv text)
{
    struct keys k = keys_for(a, 1);
    add(&k, kind, text);
    return k;
}

static struct keys keys_one_id(struct spd_arena *a, enum spd_key_kind kind, int64_t id)
{
    struct keys k = keys_for(a, 1);
    add_id(&k, kind, id);
    return k;
}

static struct keys keys_workitem_report(const struct spd_workitem_report *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, o->receivers.n);
    for (size_t i = 0; i < o->receivers.n; i++)
        add(&k, SPD_KEY_REPORT_RECEIVER, o->receivers.v[i]);
    return k;
}

static struct keys keys_subscriber(const struct spd_subscriber *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 2);
    add(&k, SPD_KEY_SUBSCRIBER_AE, o->ae);
    add_when(&k, SPD_KEY_SUBSCRIBER_GLOBAL, o->ranges.n || o->filters.n);
    return k;
}

static struct keys keys_subscription(const struct spd_subscription *o, struct spd_arena *a)
{
    struct keys k = keys_for(a, 3);
    add(&k, SPD_KEY_SUBSCRIPTION,
        join(a, spd_key_i64(a, o->subscriber), spd_key_i64(a, o->workitem)));
    if (o->state) add_id(&k, SPD_KEY_SUBSCRIPTION_OF, o->subscriber);
    if (o->state == SPD_SUBSCRIBED || o->state == SPD_SUBSCRIBED_LOCK)
        add_id(&k, SPD_KEY_SUBSCRIPTION_WORKITEM, o->workitem);
    return k;
}

static struct keys keys_of(enum spd_table table, const void *o, struct spd_arena *a)
{
    const struct spd_timer *timer = o;
    const struct spd_model_version *mv = o;
    switch (table) {
    case SPD_T_WORKITEM:
        return keys_one(a, SPD_KEY_WORKITEM_UID, ((const struct spd_workitem *)o)->uid);
    case SPD_T_WORKITEM_REPORT:
        return keys_workitem_report(o, a);
    case SPD_T_SUBSCRIBER:
        return keys_subscriber(o, a);
    case SPD_T_SUBSCRIPTION:
        return keys_subscription(o, a);
    case SPD_T_ITEM:
        return keys_item(o, a);
    case SPD_T_STUDY:
        return keys_study(o, a);
    case SPD_T_MERGE:
        return keys_merge(o, a);
    case SPD_T_RESULT:
        return keys_result(o, a);
    case SPD_T_PARKED:
        return keys_parked(o, a);
    case SPD_T_COMPANION:
        return keys_companion(o, a);
    case SPD_T_DECISION:
        return keys_one_id(a, SPD_KEY_DECISION_ITEM, ((const struct spd_decision *)o)->item);
    case SPD_T_ALERT:
        return keys_alert(o, a);
    case SPD_T_PAGE:
        return keys_page(o, a);
    case SPD_T_VERDICT:
        return keys_one_id(a, SPD_KEY_VERDICT_ITEM, ((const struct spd_verdict *)o)->item);
    case SPD_T_DISCREPANCY:
        return keys_one_id(a, SPD_KEY_DISCREPANCY_ITEM, ((const struct spd_discrepancy *)o)->item);
    case SPD_T_MESSAGE:
        return keys_message(o, a);
    case SPD_T_OUTBOX:
        return keys_outbox(o, a);
    case SPD_T_TIMER:
        return keys_one(a, SPD_KEY_TIMER_SUBJECT,
                        join(a, spd_key_i64(a, timer->kind), spd_key_i64(a, timer->subject)));
    case SPD_T_ALARM:
        return keys_alarm(o, a);
    case SPD_T_MODEL_VERSION:
        return keys_one(a, SPD_KEY_MODEL_VERSION, join(a, mv->model, mv->version));
    case SPD_T_USER:
        return keys_user(o, a);
    case SPD_T_SETTING:
        return keys_one(a, SPD_KEY_SETTING_NAME, ((const struct spd_setting *)o)->name);
    case SPD_T_DOCUMENT:
        return keys_document(o, a);
    case SPD_T_AUDIT:
        return keys_one_id(a, SPD_KEY_AUDIT_ITEM, ((const struct spd_audit *)o)->item);
    case SPD_T_DRAFT:   /* by id, which is its item's */
    case SPD_T_JOURNAL: /* by id alone */
    case SPD_T_N:
        break;
    }
    return (struct keys){NULL, 0, a};
}

size_t spd_store_keys(enum spd_table table, const void *object, struct spd_key **ret_keys,
                      struct spd_arena *arena)
{
    struct keys k = keys_of(table, object, arena);
    *ret_keys = k.v;
    return k.n;
}
