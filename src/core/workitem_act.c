/* src/core/workitem_act.c: what a request of UPS may do (PS3.4 CC.2): create, update, change the
 * state, ask to cancel. See workitem.h.
 *
 * Claiming a workitem is claiming its item: one lease, whoever asks (domain §2). Completing it says
 * that the reading was dictated; only a peer that reports makes a report final. What ends here by a
 * performer's or a watcher's word never takes an order of a RIS off the list: the item goes on as a
 * new workitem. Refusals have the status of the standard and change nothing. */
#include "core/workitem.h"

enum request { /* the rows of PS3.4 table CC.1.1-2, and N-SET (CC.2.6) */
               TO_IN_PROGRESS,
               TO_IN_PROGRESS_UNNAMED,
               TO_SCHEDULED,
               TO_COMPLETED,
               TO_COMPLETED_WRONG,
               TO_CANCELED,
               TO_CANCELED_WRONG,
               CANCEL,
               SET,
               SET_WRONG,
               SET_UNNAMED,
               N_REQUESTS
};
/* By state: SCHEDULED, IN PROGRESS, COMPLETED, CANCELED. 0: it may. */
static const uint16_t judged[N_REQUESTS][4] = {
    [TO_IN_PROGRESS] = {0, 0xC302, 0xC300, 0xC300},
    [TO_IN_PROGRESS_UNNAMED] = {0xC301, 0xC301, 0xC301, 0xC301},
    [TO_SCHEDULED] = {0xC303, 0xC303, 0xC303, 0xC303},
    [TO_COMPLETED] = {0xC310, 0, 0xB306, 0xC300},
    [TO_COMPLETED_WRONG] = {0xC301, 0xC301, 0xC301, 0xC301},
    [TO_CANCELED] = {0xC310, 0, 0xC300, 0xB304},
    [TO_CANCELED_WRONG] = {0xC301, 0xC301, 0xC301, 0xC301},
    [CANCEL] = {0, 0, 0xC311, 0xB304},
    [SET] = {0xC310, 0, 0xC300, 0xC300},
    [SET_WRONG] = {0xC310, 0xC301, 0xC300, 0xC300},
    [SET_UNNAMED] = {0, 0xC301, 0xC300, 0xC300},
};

/* The key of the claim fits; nobody has one yet where it is SCHEDULED. */
static bool holds(const struct spd_workitem *w, const struct spd_workitem_event *e)
{
    return e->transaction.len &&
           (w->state == SPD_WORKITEM_SCHEDULED || spd_sv_eq(e->transaction, w->transaction));
}

static enum request request_of(const struct spd_workitem *w, const struct spd_workitem_event *e)
{
    if (e->verb == SPD_UPS_REQUEST_CANCEL) return CANCEL;
    if (e->verb == SPD_UPS_UPDATE)
        return !e->transaction.len ? SET_UNNAMED : holds(w, e) ? SET : SET_WRONG;
    switch ((enum spd_workitem_state)e->state) {
    case SPD_WORKITEM_IN_PROGRESS:
        return e->transaction.len ? TO_IN_PROGRESS : TO_IN_PROGRESS_UNNAMED;
    case SPD_WORKITEM_COMPLETED:
        return holds(w, e) ? TO_COMPLETED : TO_COMPLETED_WRONG;
    case SPD_WORKITEM_CANCELED:
        return holds(w, e) ? TO_CANCELED : TO_CANCELED_WRONG;
    case SPD_WORKITEM_STATE_UNSET:
    case SPD_WORKITEM_SCHEDULED:
    case SPD_WORKITEM_STATE_N:
        break;
    }
    return TO_SCHEDULED;
}

enum spd_rc spd_workitem_answer(struct spd_tx *tx, unsigned status)
{
    static const struct {
        uint16_t status;
        enum spd_rc rc;
        const char *key, *nl, *en;
    } words[] = {
        {SPD_UPS_DUPLICATE, SPD_EXISTS, "ups-duplicate", "Deze taak bestaat al.",
         "This workitem is there already."},
        {SPD_UPS_NOT_AUTHORIZED, SPD_DENIED, "ups-denied", "Deze vrager mag dat niet.",
         "The asker may not do that."},
        {SPD_UPS_RESOURCES, SPD_LIMIT, "ups-limit", "Meer dan hier bewaard wordt.",
         "More than is kept here."},
        {SPD_UPS_ALREADY_CANCELED, SPD_EXISTS, "ups-is-canceled", "De taak is al geannuleerd.",
         "The workitem is already in the requested state of CANCELED."},
        {SPD_UPS_ALREADY_COMPLETED, SPD_EXISTS, "ups-is-completed", "De taak is al voltooid.",
         "The workitem is already in the requested state of COMPLETED."},
        {SPD_UPS_NO_LONGER, SPD_EXISTS, "ups-final", "De taak kan niet meer worden gewijzigd.",
         "The workitem may no longer be updated."},
        {SPD_UPS_WRONG_TRANSACTION, SPD_EXISTS, "ups-transaction",
         "De Transaction UID is niet die van deze taak.",
         "The correct Transaction UID was not provided."},
        {SPD_UPS_ALREADY_IN_PROGRESS, SPD_EXISTS, "ups-in-progress", "Een ander heeft deze taak.",
         "The workitem is already IN PROGRESS."},
        {SPD_UPS_NOT_TO_SCHEDULED, SPD_EXISTS, "ups-to-scheduled",
         "Alleen aanmaken maakt een taak SCHEDULED.",
         "A workitem may only become SCHEDULED by being created."},
        {SPD_UPS_FINAL_STATE_UNMET, SPD_EXISTS, "ups-final-state",
         "Er ontbreekt informatie over wat er gedaan is.",
         "The workitem has not met the requirements of the final state."},
        {SPD_UPS_NO_SUCH, SPD_NOTFOUND, "ups-unknown", "Deze taak bestaat niet.",
         "There is no such workitem."},
        {SPD_UPS_UNKNOWN_RECEIVER, SPD_NOTFOUND, "ups-receiver",
         "Van deze AE title is geen adres bekend.", "The receiving AE title is unknown."},
        {SPD_UPS_NOT_IN_PROGRESS, SPD_EXISTS, "ups-not-claimed", "Niemand heeft deze taak nog.",
         "The workitem is not in the IN PROGRESS state."},
        {SPD_UPS_IS_COMPLETED, SPD_EXISTS, "ups-completed", "De taak is al voltooid.",
         "The workitem is already COMPLETED."},
        {SPD_UPS_NOT_APPROPRIATE, SPD_INVALID, "ups-not-appropriate", "Dit past niet bij deze UID.",
         "The action is not appropriate for that instance."},
    };
    tx->r->ups = status;
    if (!status || status == SPD_UPS_COERCED || status == SPD_UPS_MODIFIED) {
        tx->r->did = SPD_DID_APPLY;
        return SPD_OK;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].status == status)
            return spd_tx_refuse(tx, words[i].rc, words[i].key, words[i].nl, words[i].en);
    return spd_fail(tx->err, SPD_BUG, "workitem", "a status without words");
}

static enum spd_rc audit(struct spd_tx *tx, const struct spd_workitem_event *e, int64_t item)
{
    static const char *const acts[] = {
        "",           "ups-create",    "ups-update",      "ups-state",
        "ups-cancel", "ups-subscribe", "ups-unsubscribe", "ups-suspend",
        "ups-seen"};
    return spd_tx_audit(tx, e->by, acts[e->verb], item, 0,
                        e->state ? spd_sv_from(spd_enum_name(spd_workitem_state_names, e->state))
                                 : SPD_SV_NONE);
}

/* ---- create ---------------------------------------------------------------------------------- */
/* The order that a request is about, if it is known; EXISTS: of another patient. */
static enum spd_rc known_order(struct spd_tx *tx, const struct spd_workitem_event *e, int64_t *ret)
{
    const struct spd_order_in *o = &e->order.orders.v[0];
    struct spd_work *w;
    bool differs = false;
    int64_t *ids;
    size_t n;
    enum spd_rc rc = spd_find_order(tx, &o->accession, &o->filler, &o->placer, ret);
    if (rc == SPD_OK) {
        TRY(spd_tx_item(tx, *ret, &w));
        return spd_patient_shares_id(&w->item.patient, &e->order.patient) ? SPD_OK : SPD_EXISTS;
    }
    if (rc != SPD_NOTFOUND || o->accession.value.len || !o->study_uids.n) return rc;
    TRY(spd_find_items_of(tx, o->study_uids.v[0], &o->accession, &e->order.patient, &ids, &n,
                          &differs));
    *ret = n ? ids[0] : 0;
    return n ? SPD_OK : differs ? SPD_EXISTS : SPD_NOTFOUND;
}

/* The order is known: the request is for our own workitem of it, while nobody has taken that. */
static enum spd_rc take_over(struct spd_tx *tx, const struct spd_workitem_event *e, int64_t item)
{
    struct spd_workitem w, old;
    struct spd_work *work;
    TRY(spd_tx_item(tx, item, &work));
    TRY(spd_get_workitem(tx->st, work->item.workitem, &old, tx->a, tx->err));
    if (old.state != SPD_WORKITEM_SCHEDULED || old.requester.len)
        return spd_workitem_answer(tx, SPD_UPS_DUPLICATE);
    w = old;
    TRY(spd_workitem_cancel(tx, &w, &old, work, "requested anew by a task requester"));
    tx->ups_item = item;
    spd_tx_touch(tx, work, 0);
    TRY(audit(tx, e, item));
    return spd_workitem_answer(tx, SPD_UPS_OK);
}

static enum spd_rc create(struct spd_tx *tx, const struct spd_workitem_event *e)
{
    int64_t id;
    enum spd_rc rc = spd_store_find_one(tx->st, SPD_KEY_WORKITEM_UID, e->uid, &id, tx->err);
    if (!rc) return spd_workitem_answer(tx, SPD_UPS_DUPLICATE);
    if (rc != SPD_NOTFOUND) return rc;
    if (e->order.orders.n != 1) return spd_fail(tx->err, SPD_BUG, "workitem", "needs one order");
    if (!e->web && !spd_peer_has_role(tx, e->order.message.peer, "orders"))
        return spd_workitem_answer(tx, SPD_UPS_NOT_AUTHORIZED);
    rc = known_order(tx, e, &id);
    if (rc == SPD_OK) return take_over(tx, e, id);
    if (rc == SPD_EXISTS) return spd_workitem_answer(tx, SPD_UPS_DUPLICATE);
    if (rc != SPD_NOTFOUND) return rc;
    TRY(spd_order_in(tx, &e->order));
    for (struct spd_work *w = tx->work; w; w = w->next)
        if (!w->item.workitem && w->item.created == tx->now) tx->ups_item = w->item.id;
    TRY(audit(tx, e, tx->ups_item));
    return spd_workitem_answer(tx, SPD_UPS_OK);
}

/* ---- what is there --------------------------------------------------------------------------- */
static enum spd_rc find(struct spd_tx *tx, spd_sv uid, struct spd_workitem *ret,
                        struct spd_work **ret_item)
{
    int64_t id;
    TRY(spd_store_find_one(tx->st, SPD_KEY_WORKITEM_UID, uid, &id, tx->err));
    TRY(spd_get_workitem(tx->st, id, ret, tx->a, tx->err));
    return spd_tx_item(tx, ret->item, ret_item);
}

static bool sets(const struct spd_workitem_event *e, uint32_t tag)
{
    for (size_t i = 0; i < e->attributes.n; i++)
        if (e->attributes.v[i].tag == tag) return true;
    return false;
}

static const struct spd_attribute *attribute(const struct spd_workitem *w, uint32_t tag)
{
    for (size_t i = 0; i < w->attributes.n; i++)
        if (w->attributes.v[i].tag == tag) return &w->attributes.v[i];
    return NULL;
}

/* Those of the attributes that an event of that kind carries. */
static enum spd_rc tell(struct spd_tx *tx, const struct spd_workitem *w, enum spd_report_kind kind,
                        const uint32_t *tags, size_t n)
{
    struct {
        struct spd_attribute *v;
        size_t n;
    } info = {0};
    for (size_t i = 0; i < n; i++)
        if (attribute(w, tags[i])) *SPD_LIST_ADD(&info, tx->a) = *attribute(w, tags[i]);
    return spd_workitem_report(tx, w, kind, info.v, info.n, SPD_SV_NONE);
}

static enum spd_rc update(struct spd_tx *tx, const struct spd_workitem_event *e,
                          const struct spd_workitem *old, struct spd_work *item)
{
    static const uint32_t progress[] = {0x00741002}, assigned[] = {0x00404025, 0x00404034};
    struct spd_workitem w = *old;
    if (!spd_ups_merge(&w, e->attributes.v, e->attributes.n, tx->a))
        return spd_workitem_answer(tx, SPD_UPS_RESOURCES);
    if (w.state == SPD_WORKITEM_IN_PROGRESS) { /* used: the lease goes on */
        TRY(spd_claim_renew(tx, item));
        spd_tx_touch(tx, item, 0);
    }
    spd_tx_dirty(tx, item->item.id);
    TRY(audit(tx, e, item->item.id));
    if (!spd_desc_equal(&spd_workitem_desc, &w, old)) {
        w.modified = tx->now;
        TRY(spd_put_workitem(tx->st, &w, old, tx->err));
        if (sets(e, progress[0])) TRY(tell(tx, &w, SPD_UPS_PROGRESS, progress, 1));
        if (sets(e, assigned[0]) || sets(e, assigned[1]))
            TRY(tell(tx, &w, SPD_UPS_ASSIGNED, assigned, 2));
    }
    return spd_workitem_answer(tx, SPD_UPS_OK);
}

static enum spd_rc give_back(struct spd_tx *tx, struct spd_work *item, enum spd_life_input how)
{
    item->item.claimed_by = SPD_SV_NONE, item->item.claim_until = 0;
    spd_life_apply(&item->item, how);
    return spd_tx_timer_clear(tx, SPD_TIMER_CLAIM, item->item.id, SPD_SV_NONE);
}

static enum spd_rc change_state(struct spd_tx *tx, const struct spd_workitem_event *e,
                                const struct spd_workitem *w, struct spd_work *item)
{
    const struct spd_attribute *performed = attribute(w, 0x00741216);
    if (e->state == SPD_WORKITEM_COMPLETED && (!performed || !performed->complete))
        return spd_workitem_answer(tx, SPD_UPS_FINAL_STATE_UNMET);
    tx->ups_item = item->item.id;
    if (e->state == SPD_WORKITEM_IN_PROGRESS) {
        item->item.claimed_by = e->by;
        spd_life_apply(&item->item, SPD_LIFE_CLAIM);
        TRY(spd_claim_renew(tx, item));
    } else {
        TRY(give_back(tx, item,
                      e->state == SPD_WORKITEM_COMPLETED ? SPD_LIFE_DICTATED : SPD_LIFE_UNCLAIM));
    }
    spd_tx_touch(tx, item, SPD_WHY_PERSON);
    TRY(audit(tx, e, item->item.id));
    return spd_workitem_answer(tx, SPD_UPS_OK);
}

/* Asked to cancel: whoever has it is told; what nobody has is ended. An order that came by this way
 * goes with it; any other one is its RIS's to cancel, and is to be read by another workitem. */
static enum spd_rc request_cancel(struct spd_tx *tx, const struct spd_workitem_event *e,
                                  const struct spd_workitem *old, struct spd_work *item)
{
    struct spd_workitem w = *old;
    struct {
        struct spd_attribute *v;
        size_t n;
    } info = {0}, progress = {0};
    for (size_t i = 0; i < e->attributes.n; i++) {
        bool kept = e->attributes.v[i].tag == 0x00741002;
        *SPD_LIST_ADD(kept ? &progress : &info, tx->a) = e->attributes.v[i];
    }
    tx->ups_item = item->item.id;
    TRY(audit(tx, e, item->item.id));
    TRY(spd_workitem_report(tx, &w, SPD_UPS_CANCEL_REQUESTED, info.v, info.n, SPD_SV_NONE));
    spd_tx_touch(tx, item, w.requester.len ? SPD_WHY_ORDER : 0);
    if (w.state == SPD_WORKITEM_IN_PROGRESS) return spd_workitem_answer(tx, SPD_UPS_OK);
    if (!spd_ups_merge(&w, progress.v, progress.n, tx->a))
        return spd_workitem_answer(tx, SPD_UPS_RESOURCES);
    if (w.requester.len && spd_life_apply(&item->item, SPD_LIFE_CANCEL))
        item->item.cancelled_at = tx->now;
    TRY(spd_workitem_cancel(tx, &w, old, item, "requested"));
    return spd_workitem_answer(tx, SPD_UPS_OK);
}

/* By DIMSE a reading system claims and completes, which has the role of the orders or of the
 * reports: a product whose results are believed does not say that a study was read. */
static bool may_perform(const struct spd_tx *tx, const struct spd_workitem_event *e)
{
    return e->web || spd_peer_has_role(tx, e->order.message.peer, "orders") ||
           spd_peer_has_role(tx, e->order.message.peer, "reports");
}

enum spd_rc spd_workitem_in(struct spd_tx *tx, const struct spd_workitem_event *e)
{
    struct spd_workitem w;
    struct spd_work *item;
    enum spd_rc rc;
    unsigned status;
    tx->ups = e;
    if (e->verb == SPD_UPS_CREATE) return create(tx, e);
    if (e->verb >= SPD_UPS_SUBSCRIBE) return spd_subscription_in(tx, e);
    if (!may_perform(tx, e)) return spd_workitem_answer(tx, SPD_UPS_NOT_AUTHORIZED);
    rc = find(tx, e->uid, &w, &item);
    if (rc == SPD_NOTFOUND) return spd_workitem_answer(tx, SPD_UPS_NO_SUCH);
    if (rc) return rc;
    tx->r->id = w.item;
    status = judged[request_of(&w, e)][w.state - 1];
    if (status) return spd_workitem_answer(tx, status);
    switch ((enum spd_workitem_verb)e->verb) {
    case SPD_UPS_UPDATE:
        return update(tx, e, &w, item);
    case SPD_UPS_CHANGE_STATE:
        return change_state(tx, e, &w, item);
    case SPD_UPS_REQUEST_CANCEL:
        return request_cancel(tx, e, &w, item);
    case SPD_WORKITEM_VERB_UNSET:
    case SPD_UPS_CREATE:
    case SPD_UPS_SUBSCRIBE:
    case SPD_UPS_UNSUBSCRIBE:
    case SPD_UPS_SUSPEND:
    case SPD_UPS_SEEN:
    case SPD_WORKITEM_VERB_N:
        break;
    }
    return spd_fail(tx->err, SPD_BUG, "workitem", "an unknown verb");
}
