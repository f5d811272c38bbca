/* src/core/subscription.c: who follows which workitems (PS3.4 CC.2.3). See workitem.h.
 *
 * A global subscription is a range of workitem ids, so that it costs the same with ten and with a
 * hundred thousand of them; a word about one workitem is a row of its own and goes before the
 * ranges. A filtered one is kept as its keys: what matches when it is made, or when a workitem
 * begins, becomes such a row, so that its later events come too when it matches no longer. Rows are
 * never deleted. */
#include "core/workitem.h"

enum { RANGES_MAX = 16, FILTERS_MAX = 16, SUBSCRIBERS_MAX = 200, AT_ONCE = 10000 };

const struct spd_destination *spd_workitem_destination(const struct spd_tx *tx, spd_sv ae)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    for (size_t i = 0; i < s->destinations.n; i++)
        if (s->destinations.v[i].workitem && spd_sv_eq(s->destinations.v[i].ae_title, ae))
            return &s->destinations.v[i];
    return NULL;
}

/* ---- looking --------------------------------------------------------------------------------- */
static enum spd_rc row_of(struct spd_tx *tx, int64_t subscriber, int64_t workitem,
                          struct spd_subscription *ret)
{
    int64_t id;
    TRY(spd_store_find_one(
        tx->st, SPD_KEY_SUBSCRIPTION,
        spd_key_join(tx->a, spd_key_i64(tx->a, subscriber), spd_key_i64(tx->a, workitem)), &id,
        tx->err));
    return spd_get_subscription(tx->st, id, ret, tx->a, tx->err);
}

static const struct spd_subscription_range *range_of(const struct spd_subscriber *s, int64_t id)
{
    for (size_t i = 0; i < s->ranges.n; i++)
        if (id >= s->ranges.v[i].from && (!s->ranges.v[i].to || id <= s->ranges.v[i].to))
            return &s->ranges.v[i];
    return NULL;
}

static enum spd_rc state_of(struct spd_tx *tx, const struct spd_subscriber *s, int64_t workitem,
                            enum spd_subscription_state *ret)
{
    const struct spd_subscription_range *range = range_of(s, workitem);
    struct spd_subscription row;
    enum spd_rc rc = row_of(tx, s->id, workitem, &row);
    if (rc && rc != SPD_NOTFOUND) return rc;
    *ret = !rc && row.state ? (enum spd_subscription_state)row.state
           : !range         ? SPD_SUBSCRIBED_NOT
           : range->lock    ? SPD_SUBSCRIBED_LOCK
                            : SPD_SUBSCRIBED;
    return SPD_OK;
}

static enum spd_rc global_ones(struct spd_tx *tx, struct spd_subscriber **ret, size_t *ret_n)
{
    int64_t *ids;
    TRY(spd_tx_find(tx, SPD_KEY_SUBSCRIBER_GLOBAL, SPD_SV("1"), &ids, ret_n));
    *ret = SPD_NEW_N(tx->a, struct spd_subscriber, *ret_n + 1);
    for (size_t i = 0; i < *ret_n; i++)
        TRY(spd_get_subscriber(tx->st, ids[i], &(*ret)[i], tx->a, tx->err));
    return SPD_OK;
}

enum spd_rc spd_subscribers_all(struct spd_tx *tx, struct spd_subscriber **ret, size_t *ret_n)
{
    int64_t ids[SUBSCRIBERS_MAX];
    TRY(spd_store_scan(tx->st, SPD_T_SUBSCRIBER, 0, false, ids, SUBSCRIBERS_MAX, ret_n, tx->err));
    *ret = SPD_NEW_N(tx->a, struct spd_subscriber, *ret_n + 1);
    for (size_t i = 0; i < *ret_n; i++)
        TRY(spd_get_subscriber(tx->st, ids[i], &(*ret)[i], tx->a, tx->err));
    return SPD_OK;
}

struct receivers {
    spd_sv *v;
    size_t n;
};

enum spd_rc spd_subscribers_of(struct spd_tx *tx, const struct spd_workitem *w, spd_sv **ret,
                               size_t *ret_n)
{
    struct receivers all = {0};
    struct spd_subscriber *global;
    int64_t *ids;
    size_t n;
    TRY(spd_tx_find(tx, SPD_KEY_SUBSCRIPTION_WORKITEM, spd_key_i64(tx->a, w->id), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_subscription row;
        TRY(spd_get_subscription(tx->st, ids[i], &row, tx->a, tx->err));
        *SPD_LIST_ADD(&all, tx->a) = row.ae;
    }
    TRY(global_ones(tx, &global, &n));
    for (size_t i = 0; i < n; i++) {
        enum spd_subscription_state state;
        if (!range_of(&global[i], w->id) || spd_list_has_text(all.v, all.n, global[i].ae)) continue;
        TRY(state_of(tx, &global[i], w->id, &state));
        if (state != SPD_SUBSCRIBED_NOT) *SPD_LIST_ADD(&all, tx->a) = global[i].ae;
    }
    *ret = all.v, *ret_n = all.n;
    return SPD_OK;
}

/* ---- changing -------------------------------------------------------------------------------- */
static enum spd_rc set_row(struct spd_tx *tx, const struct spd_subscriber *s, int64_t workitem,
                           enum spd_subscription_state state)
{
    struct spd_subscription row, old;
    enum spd_rc rc = row_of(tx, s->id, workitem, &old);
    if (rc && rc != SPD_NOTFOUND) return rc;
    row = rc ? (struct spd_subscription){0} : old;
    if (rc) row.id = spd_tx_id(tx, SPD_T_SUBSCRIPTION);
    row.subscriber = s->id, row.ae = s->ae, row.workitem = workitem, row.state = (int32_t)state;
    return spd_put_subscription(tx->st, &row, rc ? NULL : &old, tx->err);
}

/* Rows of the subscriber with that state (unset: any) no longer say anything. */
static enum spd_rc void_rows(struct spd_tx *tx, const struct spd_subscriber *s, int32_t state)
{
    int64_t *ids;
    size_t n;
    TRY(spd_tx_find(tx, SPD_KEY_SUBSCRIPTION_OF, spd_key_i64(tx->a, s->id), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_subscription row, old;
        TRY(spd_get_subscription(tx->st, ids[i], &old, tx->a, tx->err));
        if (state && old.state != state) continue;
        row = old;
        row.state = SPD_SUBSCRIPTION_STATE_UNSET;
        TRY(spd_put_subscription(tx->st, &row, &old, tx->err));
    }
    return SPD_OK;
}

static int64_t newest(const struct spd_tx *tx)
{
    return tx->core->next_id[SPD_T_WORKITEM] - 1;
}

/* What is open ends at what there is now. */
static void close_ranges(struct spd_tx *tx, struct spd_subscriber *s)
{
    SPD_LIST_OWN(&s->ranges, tx->a);
    for (size_t i = 0; i < s->ranges.n; i++)
        if (!s->ranges.v[i].to) s->ranges.v[i].to = newest(tx);
    if (s->ranges.n && s->ranges.v[0].to < s->ranges.v[0].from)
        s->ranges.n = 0; /* there is nothing yet */
}

/* From now on everything, with or without lock; those that are followed already stay as they are. A
 * range of the same kind is part of the new one. */
static bool add_range(struct spd_tx *tx, struct spd_subscriber *s, bool lock)
{
    size_t n = 0;
    close_ranges(tx, s);
    for (size_t i = 0; i < s->ranges.n; i++)
        if ((s->ranges.v[i].lock != 0) != lock) s->ranges.v[n++] = s->ranges.v[i];
    s->ranges.n = n;
    if (n == RANGES_MAX) return false;
    *SPD_LIST_PUSH(&s->ranges, tx->a) = (struct spd_subscription_range){.from = 1, .lock = lock};
    return true;
}

/* The current workitems of open items, in the order of the items. */
static enum spd_rc open_ones(struct spd_tx *tx, int64_t **ret, size_t *ret_n)
{
    int64_t *ids = SPD_NEW_N(tx->a, int64_t, AT_ONCE);
    size_t n;
    TRY(spd_store_find(tx->st, SPD_KEY_ITEM_OPEN, SPD_SV("1"), 0, ids, AT_ONCE, &n, tx->err));
    *ret = ids, *ret_n = n;
    return SPD_OK;
}

static enum spd_rc dataset_of(struct spd_tx *tx, const struct spd_item *item,
                              const struct spd_workitem *w, struct spd_dcm_set *ret)
{
    struct spd_ups_site site = {tx->core->rules->zone,
                                spd_sv_is(tx->core->rules->settings.language, "nl"),
                                tx->core->rules->settings.site};
    spd_ups_dataset(item, w, &site, ret, tx->a);
    return SPD_OK;
}

static enum spd_rc filter_matches(struct spd_tx *tx, const struct spd_subscription_filter *f,
                                  const struct spd_item *item, const struct spd_workitem *w,
                                  bool *ret)
{
    struct spd_find_query q;
    struct spd_dcm_set set;
    TRY(spd_find_keys_decode(f->keys, &q, tx->a, tx->err));
    TRY(dataset_of(tx, item, w, &set));
    *ret = spd_ups_matches(&set, q.keys, q.n_keys);
    return SPD_OK;
}

enum spd_rc spd_subscriptions_begin(struct spd_tx *tx, const struct spd_workitem *w,
                                    const struct spd_item *item)
{
    struct spd_subscriber *global;
    size_t n;
    TRY(global_ones(tx, &global, &n));
    for (size_t i = 0; i < n; i++) {
        bool fits = false;
        for (size_t f = 0; f < global[i].filters.n && !fits && !range_of(&global[i], w->id); f++) {
            TRY(filter_matches(tx, &global[i].filters.v[f], item, w, &fits));
            if (fits)
                TRY(set_row(tx, &global[i], w->id,
                            global[i].filters.v[f].lock ? SPD_SUBSCRIBED_LOCK : SPD_SUBSCRIBED));
        }
    }
    return SPD_OK;
}

static enum spd_rc load(struct spd_tx *tx, spd_sv ae, struct spd_subscriber *s,
                        struct spd_subscriber *old, bool *ret_insert)
{
    int64_t id;
    enum spd_rc rc = spd_store_find_one(tx->st, SPD_KEY_SUBSCRIBER_AE, ae, &id, tx->err);
    if (rc && rc != SPD_NOTFOUND) return rc;
    *ret_insert = rc == SPD_NOTFOUND;
    if (!rc) {
        TRY(spd_get_subscriber(tx->st, id, old, tx->a, tx->err));
        *s = *old;
        return SPD_OK;
    }
    *s =
        (struct spd_subscriber){.id = tx->core->next_id[SPD_T_SUBSCRIBER], .ae = ae, .at = tx->now};
    s->seen = tx->core->next_id[SPD_T_WORKITEM_REPORT] - 1; /* what came before is not missed */
    return SPD_OK;
}

static enum spd_rc keep(struct spd_tx *tx, const struct spd_subscriber *s,
                        const struct spd_subscriber *old, bool insert)
{
    if (insert) spd_tx_id(tx, SPD_T_SUBSCRIBER); /* the id that load has shown */
    return spd_put_subscriber(tx->st, s, insert ? NULL : old, tx->err);
}

/* With lock everything that was not followed yet says how it stands (table CC.2.3-2). */
static enum spd_rc subscribe_all(struct spd_tx *tx, const struct spd_workitem_event *e,
                                 struct spd_subscriber *s, const struct spd_subscriber *before,
                                 bool filtered)
{
    struct spd_subscription_filter filter = {e->keys, e->lock};
    int64_t *ids;
    size_t n = 0;
    if (filtered || e->lock) TRY(open_ones(tx, &ids, &n));
    for (size_t i = 0; i < n; i++) {
        enum spd_subscription_state had;
        struct spd_work *item;
        struct spd_workitem w;
        bool fits = true;
        TRY(spd_tx_item(tx, ids[i], &item));
        if (!item->item.workitem) continue;
        TRY(state_of(tx, before, item->item.workitem, &had));
        if (had != SPD_SUBSCRIBED_NOT) continue;
        TRY(spd_get_workitem(tx->st, item->item.workitem, &w, tx->a, tx->err));
        if (filtered) {
            TRY(filter_matches(tx, &filter, &item->item, &w, &fits));
            if (fits) TRY(set_row(tx, s, w.id, e->lock ? SPD_SUBSCRIBED_LOCK : SPD_SUBSCRIBED));
        }
        if (fits && e->lock) TRY(spd_workitem_report(tx, &w, SPD_UPS_STATE, NULL, 0, s->ae));
    }
    return SPD_OK;
}

static enum spd_rc subscribe(struct spd_tx *tx, const struct spd_workitem_event *e,
                             struct spd_subscriber *s, struct spd_subscriber *old, bool insert,
                             const struct spd_workitem *w)
{
    struct spd_subscriber before = *s;
    bool filtered = spd_sv_is(e->uid, SPD_UPS_FILTERED);
    if (!e->web && !spd_workitem_destination(tx, e->receiver))
        return spd_workitem_answer(tx, SPD_UPS_UNKNOWN_RECEIVER);
    if (insert && s->id > SUBSCRIBERS_MAX) return spd_workitem_answer(tx, SPD_UPS_RESOURCES);
    if (w) {
        TRY(keep(tx, s, old, insert));
        TRY(set_row(tx, s, w->id, e->lock ? SPD_SUBSCRIBED_LOCK : SPD_SUBSCRIBED));
        return spd_workitem_report(tx, w, SPD_UPS_STATE, NULL, 0, s->ae);
    }
    if (filtered && s->filters.n == FILTERS_MAX) return spd_workitem_answer(tx, SPD_UPS_RESOURCES);
    if (filtered)
        *SPD_LIST_PUSH(&s->filters, tx->a) = (struct spd_subscription_filter){e->keys, e->lock};
    else if (!add_range(tx, s, e->lock != 0))
        return spd_workitem_answer(tx, SPD_UPS_RESOURCES);
    TRY(keep(tx, s, old, insert));
    TRY(subscribe_all(tx, e, s, &before, filtered));
    return filtered ? SPD_OK : void_rows(tx, s, SPD_SUBSCRIBED_NOT);
}

static enum spd_rc act(struct spd_tx *tx, const struct spd_workitem_event *e,
                       struct spd_subscriber *s, struct spd_subscriber *old, bool insert,
                       const struct spd_workitem *w)
{
    if (e->verb == SPD_UPS_SUBSCRIBE) return subscribe(tx, e, s, old, insert, w);
    if (insert) return SPD_OK; /* it follows nothing */
    if (e->verb == SPD_UPS_SEEN) {
        if (e->position > s->seen) s->seen = e->position;
        return keep(tx, s, old, false);
    }
    if (w) return set_row(tx, s, w->id, SPD_SUBSCRIBED_NOT);
    if (e->verb == SPD_UPS_UNSUBSCRIBE) {
        s->ranges.n = 0;
        TRY(void_rows(tx, s, SPD_SUBSCRIPTION_STATE_UNSET));
    } else {
        close_ranges(tx, s);
    }
    s->filters.n = 0;
    return keep(tx, s, old, false);
}

enum spd_rc spd_subscription_in(struct spd_tx *tx, const struct spd_workitem_event *e)
{
    bool global = spd_sv_is(e->uid, SPD_UPS_GLOBAL) || spd_sv_is(e->uid, SPD_UPS_FILTERED), insert;
    struct spd_subscriber s, old;
    struct spd_workitem w;
    int64_t id;
    enum spd_rc rc = SPD_OK;
    if (e->verb == SPD_UPS_SUSPEND && !global)
        return spd_workitem_answer(tx, SPD_UPS_NOT_APPROPRIATE);
    if (!global && e->verb != SPD_UPS_SEEN) {
        rc = spd_store_find_one(tx->st, SPD_KEY_WORKITEM_UID, e->uid, &id, tx->err);
        if (!rc) rc = spd_get_workitem(tx->st, id, &w, tx->a, tx->err);
        if (rc == SPD_NOTFOUND) return spd_workitem_answer(tx, SPD_UPS_NO_SUCH);
        if (rc) return rc;
    }
    TRY(load(tx, e->receiver, &s, &old, &insert));
    TRY(act(tx, e, &s, &old, insert, global || e->verb == SPD_UPS_SEEN ? NULL : &w));
    if (tx->r->ups) return SPD_OK; /* refused */
    if (e->verb != SPD_UPS_SEEN)
        TRY(spd_tx_audit(tx, e->by, "ups-subscription", 0, 0, e->receiver));
    return spd_workitem_answer(tx, SPD_UPS_OK);
}
