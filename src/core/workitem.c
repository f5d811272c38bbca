/* src/core/workitem.c: the workitem follows its item, by legal steps, each with its event. See
 * workitem.h.
 *
 * A final state is terminal (PS3.4 CC.1.1): where the item is to be read again (released, reopened,
 * a report that was lost or corrected), a new workitem goes on from the old one by Replaced
 * Procedure Step. What is final by the item's word alone goes there by way of IN PROGRESS. */
#include "core/workitem.h"

static bool final(int32_t state)
{
    return state == SPD_WORKITEM_COMPLETED || state == SPD_WORKITEM_CANCELED;
}

/* ---- events ---------------------------------------------------------------------------------- */
/* To those that have an address: one row each, in order for each workitem. */
static enum spd_rc send_out(struct spd_tx *tx, const struct spd_workitem_report *r)
{
    for (size_t i = 0; i < r->receivers.n; i++) {
        const struct spd_destination *d = spd_workitem_destination(tx, r->receivers.v[i]);
        struct spd_outbox row = {0};
        struct spd_str json = SPD_STR_INIT(1 << 20);
        if (!d || spd_sv_is(d->mode, "off")) continue;
        spd_ups_report_json(r, &json, tx->a);
        row.destination = d->name, row.kind = SPD_OUTBOX_WORKITEM;
        row.group_key =
            spd_arena_printf(tx->a, "%.*s|ups|%.*s", SPD_SV_ARG(d->name), SPD_SV_ARG(r->uid));
        row.due = tx->now;
        row.wire = spd_sv_from(spd_enum_name(spd_report_kind_names, r->kind));
        row.payload = spd_arena_dup(tx->a, spd_str_sv(&json));
        row.to = d->to;
        spd_str_done(&json);
        TRY(spd_outbox_add(tx, &row));
    }
    return SPD_OK;
}

enum spd_rc spd_workitem_report(struct spd_tx *tx, const struct spd_workitem *w,
                                enum spd_report_kind kind, const struct spd_attribute *v, size_t n,
                                spd_sv only)
{
    struct spd_workitem_report r = {0};
    r.id = spd_tx_id(tx, SPD_T_WORKITEM_REPORT);
    r.at = tx->now, r.seq = tx->seq, r.workitem = w->id, r.uid = w->uid;
    r.kind = (int32_t)kind, r.state = w->state, r.readiness = w->readiness;
    r.attributes.v = (struct spd_attribute *)(uintptr_t)v, r.attributes.n = n;
    if (kind == SPD_UPS_CANCEL_REQUESTED) r.by = tx->ups ? tx->ups->by : SPD_SV("SPOED");
    if (only.len)
        *SPD_LIST_ADD(&r.receivers, tx->a) = only;
    else if (!tx->import) /* no effect outward */
        TRY(spd_subscribers_of(tx, w, &r.receivers.v, &r.receivers.n));
    TRY(spd_put_workitem_report(tx->st, &r, NULL, tx->err));
    return send_out(tx, &r);
}

enum spd_rc spd_workitem_restarted(struct spd_tx *tx)
{
    struct spd_workitem_report r = {0};
    struct spd_subscriber *all;
    size_t n;
    if (!tx->core->rules) return SPD_OK; /* a new database */
    TRY(spd_subscribers_all(tx, &all, &n));
    if (!n) return SPD_OK;
    r.id = spd_tx_id(tx, SPD_T_WORKITEM_REPORT);
    r.at = tx->now, r.seq = tx->seq, r.kind = SPD_UPS_SCP_STATUS, r.uid = SPD_SV(SPD_UPS_GLOBAL);
    for (size_t i = 0; i < n; i++)
        *SPD_LIST_ADD(&r.receivers, tx->a) = all[i].ae;
    TRY(spd_put_workitem_report(tx->st, &r, NULL, tx->err));
    return send_out(tx, &r);
}

/* ---- steps ----------------------------------------------------------------------------------- */
/* The request in hand is about this item: what it says of itself goes in. */
static const struct spd_workitem_event *request_for(const struct spd_tx *tx,
                                                    const struct spd_item *item)
{
    return tx->ups && tx->ups_item == item->id ? tx->ups : NULL;
}

static enum spd_rc step(struct spd_tx *tx, struct spd_workitem *w, const struct spd_item *item,
                        enum spd_workitem_state to, const char *reason)
{
    const struct spd_workitem_event *e = request_for(tx, item);
    struct {
        struct spd_attribute *v;
        size_t n;
    } why = {0};
    w->state = (int32_t)to;
    w->modified = tx->now;
    if (to == SPD_WORKITEM_IN_PROGRESS) {
        w->claimed = tx->now;
        w->performer = item->claimed_by.len ? item->claimed_by : item->report_by;
        w->transaction = e && e->verb == SPD_UPS_CHANGE_STATE && e->state == (int32_t)to
                             ? e->transaction
                             : spd_ups_uid(tx->core->secret, "transaction", w->id, tx->a);
    } else {
        w->ended = tx->now;
        w->report = item->report, w->report_at = item->report_at;
    }
    if (to == SPD_WORKITEM_CANCELED) {
        w->reason = spd_sv_from(reason);
        for (size_t i = 0; e && e->verb == SPD_UPS_REQUEST_CANCEL && i < e->attributes.n; i++)
            if (e->attributes.v[i].tag == 0x00741238 || e->attributes.v[i].tag == 0x0074100E)
                *SPD_LIST_ADD(&why, tx->a) = e->attributes.v[i];
    }
    return spd_workitem_report(tx, w, SPD_UPS_STATE, why.v, why.n, SPD_SV_NONE);
}

static enum spd_rc begin(struct spd_tx *tx, struct spd_workitem *w, const struct spd_item *item,
                         spd_sv replaces)
{
    const struct spd_workitem_event *e = request_for(tx, item);
    *w = (struct spd_workitem){0};
    w->id = spd_tx_id(tx, SPD_T_WORKITEM);
    w->item = item->id;
    w->state = SPD_WORKITEM_SCHEDULED;
    w->readiness = (int32_t)spd_ups_readiness(item);
    w->priority =
        (int32_t)spd_ups_priority_of(item->level, spd_policy_levels(tx->core->rules->policy));
    w->created = w->modified = tx->now;
    w->replaces = replaces;
    w->order_cancelled = item->order == SPD_ORDER_CANCELLED;
    if (e && e->verb == SPD_UPS_CREATE) {
        w->uid = e->uid, w->requester = e->by;
        spd_ups_merge(w, e->attributes.v, e->attributes.n, tx->a);
        tx->ups_item = 0; /* one workitem has that UID */
    } else {
        w->uid = spd_ups_uid(tx->core->secret, "workitem", w->id, tx->a);
    }
    TRY(spd_put_workitem(tx->st, w, NULL, tx->err));
    TRY(spd_subscriptions_begin(tx, w, item));
    return spd_workitem_report(tx, w, SPD_UPS_STATE, NULL, 0, SPD_SV_NONE);
}

/* The old one stays as it is, a new one goes on. */
static enum spd_rc replace(struct spd_tx *tx, struct spd_workitem *w, struct spd_workitem *old,
                           const struct spd_item *item)
{
    if (!spd_desc_equal(&spd_workitem_desc, w, old)) TRY(spd_put_workitem(tx->st, w, old, tx->err));
    TRY(begin(tx, w, item, w->uid));
    *old = *w;
    return SPD_OK;
}

static enum spd_rc go_to(struct spd_tx *tx, struct spd_workitem *w, const struct spd_item *item,
                         enum spd_workitem_state to, const char *reason)
{
    if (w->state == SPD_WORKITEM_SCHEDULED && to != SPD_WORKITEM_SCHEDULED) {
        TRY(step(tx, w, item, SPD_WORKITEM_IN_PROGRESS, NULL));
        if (to == SPD_WORKITEM_IN_PROGRESS) return SPD_OK;
    }
    return step(tx, w, item, to, reason);
}

enum spd_rc spd_workitem_cancel(struct spd_tx *tx, struct spd_workitem *w,
                                const struct spd_workitem *old, const struct spd_work *item,
                                const char *reason)
{
    TRY(go_to(tx, w, &item->item, SPD_WORKITEM_CANCELED, reason));
    return spd_put_workitem(tx->st, w, old, tx->err);
}

/* A report was corrected after this reading was done: that is another reading. */
static bool amended(const struct spd_workitem *w, const struct spd_item *item)
{
    return w->state == SPD_WORKITEM_COMPLETED && item->report == SPD_REPORT_AMENDED &&
           (w->report != SPD_REPORT_AMENDED || w->report_at != item->report_at);
}

/* The order is cancelled and its images are there: nobody's open study is moved under them (domain
 * §2), who has it is asked to stop; else this one ends, and another says that a person must
 * confirm. */
static enum spd_rc order_cancelled(struct spd_tx *tx, struct spd_workitem *w,
                                   struct spd_workitem *old, const struct spd_item *item)
{
    if (w->state == SPD_WORKITEM_IN_PROGRESS) {
        w->order_cancelled = 1;
        return spd_workitem_report(tx, w, SPD_UPS_CANCEL_REQUESTED, NULL, 0, SPD_SV_NONE);
    }
    TRY(go_to(tx, w, item, SPD_WORKITEM_CANCELED, "order cancelled"));
    return replace(tx, w, old, item);
}

static enum spd_rc follow_state(struct spd_tx *tx, struct spd_workitem *w, struct spd_workitem *old,
                                const struct spd_item *item)
{
    enum spd_workitem_state want = spd_ups_state(item);
    bool open = !final((int32_t)want), cancelled = open && item->order == SPD_ORDER_CANCELLED;
    if ((final(w->state) && w->state != (int32_t)want) || amended(w, item))
        TRY(replace(tx, w, old, item));
    if (w->state == SPD_WORKITEM_IN_PROGRESS &&
        (want == SPD_WORKITEM_SCHEDULED ||
         (want == SPD_WORKITEM_IN_PROGRESS && !spd_sv_eq(w->performer, item->claimed_by)))) {
        TRY(go_to(tx, w, item, SPD_WORKITEM_CANCELED, "claim given back"));
        TRY(replace(tx, w, old, item));
    }
    if (cancelled && !w->order_cancelled && want == SPD_WORKITEM_SCHEDULED)
        TRY(order_cancelled(tx, w, old, item));
    if (w->state != (int32_t)want)
        TRY(go_to(tx, w, item, want,
                  item->order == SPD_ORDER_CANCELLED ? "order cancelled" : "withdrawn"));
    if (cancelled && !w->order_cancelled) return order_cancelled(tx, w, old, item);
    if (open && !cancelled) w->order_cancelled = 0;
    return SPD_OK;
}

enum spd_rc spd_workitem_follow(struct spd_tx *tx, struct spd_work *work)
{
    struct spd_item *item = &work->item;
    struct spd_workitem w, old;
    bool fresh = !item->workitem;
    if (fresh)
        TRY(begin(tx, &w, item, SPD_SV_NONE));
    else
        TRY(spd_get_workitem(tx->st, item->workitem, &w, tx->a, tx->err));
    old = w;
    TRY(follow_state(tx, &w, &old, item));
    if (!final(w.state)) {
        int32_t ready = (int32_t)spd_ups_readiness(item),
                priority = (int32_t)spd_ups_priority_of(item->level,
                                                        spd_policy_levels(tx->core->rules->policy));
        bool tell = w.readiness != ready;
        if (tell || w.priority != priority) w.modified = tx->now;
        w.readiness = ready, w.priority = priority;
        if (tell) TRY(spd_workitem_report(tx, &w, SPD_UPS_STATE, NULL, 0, SPD_SV_NONE));
    } else if (w.state == SPD_WORKITEM_COMPLETED) {
        w.report = item->report, w.report_at = item->report_at;
    }
    item->workitem = w.id;
    return spd_desc_equal(&spd_workitem_desc, &w, &old)
               ? SPD_OK
               : spd_put_workitem(tx->st, &w, &old, tx->err);
}
