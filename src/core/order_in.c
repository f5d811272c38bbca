/* src/core/order_in.c: an order, new, changed, held, released, cancelled or replaced. Not here:
 * what ADT says of its patient (patient_in.c), merges (merge.c).
 *
 * Invariants: newest source time wins, an older message changes nothing (domain §2); cancel never
 * hides images; an order that names another patient without a merge detaches its results (domain
 * §1). */
#include "core/internal.h"

static bool was_nulled(const struct spd_order_in *o, const char *field)
{
    return spd_list_has_text(o->null_fields.v, o->null_fields.n, spd_sv_from(field));
}

/* A field: a new value replaces, HL7 null clears, absent leaves. */
static void take(spd_sv *to, spd_sv from, bool nulled)
{
    if (from.len)
        *to = from;
    else if (nulled)
        *to = SPD_SV_NONE;
}

static void take_cx(struct spd_cx *to, const struct spd_cx *from)
{
    if (from->value.len) *to = *from;
}

static void take_procedures(struct spd_tx *tx, struct spd_item *item, const struct spd_order_in *o)
{
    for (size_t i = 0; i < o->procedures.n; i++) {
        const struct spd_code *p = &o->procedures.v[i];
        bool known = false;
        for (size_t k = 0; k < item->procedures.n && !known; k++) {
            const struct spd_code *q = &item->procedures.v[k];
            known = p->code.len ? spd_sv_eq(q->code, p->code) : spd_sv_eq(q->text, p->text);
        }
        if (!known) *SPD_LIST_PUSH(&item->procedures, tx->a) = *p;
    }
}

/* Takes one result off an item. *ret_other: another item, whose patient it does fit, keeps it; 0:
 * it is parked. */
enum spd_rc spd_result_detach(struct spd_tx *tx, struct spd_work *w, const struct spd_result *old,
                              const char *why, const char *nl, const char *en, int64_t *ret_other)
{
    struct spd_result r = *old;
    *ret_other = 0;
    r.items.v = NULL, r.items.n = 0;
    for (size_t i = 0; i < old->items.n; i++) {
        struct spd_work *o;
        if (old->items.v[i] == w->item.id) continue;
        *SPD_LIST_PUSH(&r.items, tx->a) = *ret_other = old->items.v[i];
        TRY(spd_tx_item(tx, old->items.v[i], &o));
        spd_tx_touch(tx, o, SPD_WHY_RESULT);
    }
    TRY(spd_put_result(tx->st, &r, old, tx->err));
    return r.items.n ? SPD_OK : spd_park_result(tx, &r, why, nl, en, true);
}

/* The order now names somebody else: results go back to a person, everyone who was paged is told.
 * What an order of the same study, whose patient did not change, has of them it keeps, with the
 * page. */
static enum spd_rc patient_changed(struct spd_tx *tx, struct spd_work *w,
                                   const struct spd_patient *p)
{
    struct spd_result *rs;
    size_t n;
    TRY(spd_results_of_item(tx, w->item.id, &rs, &n));
    for (size_t i = 0; i < n; i++) {
        int64_t other;
        TRY(spd_result_detach(tx, w, &rs[i], "patient-changed",
                              "De aanvraag noemt nu een andere patiënt dan bij dit resultaat.",
                              "The order now names another patient than when this result came.",
                              &other));
        if (other) TRY(spd_alerts_move_of(tx, w->item.id, other, rs[i].id));
    }
    TRY(spd_draft_detach(tx, w, "de aanvraag noemt een andere patiënt",
                         "the order names another patient"));
    TRY(spd_alerts_detach(tx, w->item.id, "De aanvraag noemt nu een andere patiënt.",
                          "The order now names another patient."));
    memset(&w->item.patient, 0, sizeof w->item.patient);
    memset(&w->item.own, 0, sizeof w->item.own);
    TRY(spd_item_take_patient(tx, &w->item, p));
    w->item.ask_person = 1;
    return spd_tx_audit(tx, w->item.peer, "patient-changed", w->item.id, 0, SPD_SV_NONE);
}

/* ORC-1 and the status map as evidence for the four axes. */
static enum spd_rc take_status(struct spd_tx *tx, struct spd_work *w, const struct spd_order_in *o,
                               spd_sv peer)
{
    struct spd_item *item = &w->item;
    if (o->cancel || o->order == SPD_ORDER_CANCELLED) {
        if (spd_life_apply(item, SPD_LIFE_CANCEL)) item->cancelled_at = tx->now;
    } else if (o->hold || o->order == SPD_ORDER_HELD) {
        spd_life_apply(item, SPD_LIFE_HOLD);
    } else if (o->release) {
        spd_life_apply(item, SPD_LIFE_UNHOLD);
    } else if (item->order == SPD_ORDER_CANCELLED && (spd_sv_is(o->control, "NW") || o->replace)) {
        item->cancel_confirmed = 0;
        spd_life_apply(item, SPD_LIFE_REOPEN);
    } else {
        spd_life_apply(item, SPD_LIFE_NEW);
    }
    if (o->exam_done && !item->exam_done) {
        spd_usec at = o->exam_time ? o->exam_time : o->source_time;
        item->exam_done = at && at < tx->now ? at : tx->now;
    }
    if (o->report && spd_peer_has_role(tx, peer, "reports")) {
        if (o->report == SPD_REPORT_FINAL)
            spd_life_apply(item, SPD_LIFE_FINAL);
        else if (o->report == SPD_REPORT_AMENDED)
            spd_life_apply(item, SPD_LIFE_AMENDED);
        else if (o->report == SPD_REPORT_PRELIMINARY)
            spd_life_apply(item, SPD_LIFE_PRELIMINARY);
    }
    if (o->status_word.len) item->status_note = o->status_word;
    return SPD_OK;
}

static enum spd_rc take_fields(struct spd_tx *tx, struct spd_work *w,
                               const struct spd_order_event *e, const struct spd_order_in *o)
{
    struct spd_item *item = &w->item;
    take_cx(&item->accession, &o->accession);
    take_cx(&item->placer, &o->placer);
    take_cx(&item->filler, &o->filler);
    take_procedures(tx, item, o);
    take(&item->modality, o->modality, was_nulled(o, "modality"));
    take(&item->body_part, o->body_part, was_nulled(o, "body_part"));
    take(&item->region, o->region, was_nulled(o, "region"));
    take(&item->procedure_id, o->procedure_id, was_nulled(o, "procedure_id"));
    take(&item->step_id, o->step_id, was_nulled(o, "step_id"));
    take(&item->station_ae, o->station_ae, was_nulled(o, "station_ae"));
    take(&item->requester, o->requester, was_nulled(o, "requester"));
    take(&item->callback, o->callback, was_nulled(o, "callback"));
    take(&item->clinical_info, o->clinical_info, was_nulled(o, "clinical_info"));
    if (!o->source_time ||
        o->source_time + SPD_SEC(1) > item->adt_time) { /* else ADT knows better by now */
        take(&item->location, e->location, was_nulled(o, "location"));
        take(&item->patient_class, e->patient_class, was_nulled(o, "patient_class"));
    }
    take_cx(&item->account, &e->account);
    take_cx(&item->visit, &e->visit);
    if (o->scheduled) item->scheduled = o->scheduled;
    TRY(spd_item_take_patient(tx, item, &e->patient));
    if (!spd_priority_heard(tx, item, o)) {
        if (o->priority)
            item->order_priority = o->priority;
        else if (was_nulled(o, "priority"))
            item->order_priority = SPD_PRIORITY_UNSET;
    }
    return spd_item_identify(tx, item); /* its account or visit may have been moved */
}

/* A result of one order is one of another too: its patient is the same, not only a number that both
 * orders have; where a person assigned it, that word counts for the order's patient. */
static enum spd_rc fits_too(struct spd_tx *tx, const struct spd_result *r,
                            const struct spd_item *from, const struct spd_item *to, bool *ret)
{
    bool of_from;
    TRY(spd_item_is_of(tx, to, &r->patient, ret));
    if (*ret) return SPD_OK;
    TRY(spd_item_is_of(tx, from, &r->patient, &of_from));
    *ret = !of_from;
    return SPD_OK;
}

/* Shared in this very event: an order hands on only what it had before a merge. */
static bool was_given(const struct spd_tx *tx, int64_t item, int64_t result)
{
    for (size_t i = 0; i + 1 < tx->given.n; i += 2)
        if (tx->given.v[i] == item && tx->given.v[i + 1] == result) return true;
    return false;
}

/* Another order's result, of this one as well. */
static enum spd_rc hand_on(struct spd_tx *tx, struct spd_work *o, const struct spd_result *of,
                           struct spd_work *w)
{
    struct spd_result r = *of;
    bool fits;
    TRY(fits_too(tx, of, &o->item, &w->item, &fits));
    if (!fits || spd_list_has_i64(of->items.v, of->items.n, w->item.id)) return SPD_OK;
    *SPD_LIST_PUSH(&r.items, tx->a) = w->item.id;
    *SPD_LIST_ADD(&tx->given, tx->a) = w->item.id;
    *SPD_LIST_ADD(&tx->given, tx->a) = r.id;
    if (spd_list_has_i64(r.assigned.v, r.assigned.n, o->item.id))
        *SPD_LIST_PUSH(&r.assigned, tx->a) = w->item.id;
    TRY(spd_put_result(tx->st, &r, of, tx->err));
    /* A result proves the images of this order as of the other's (domain §2), or it stays
     * unlisted. */
    if (!w->item.images_first) w->item.images_first = spd_result_time(&r);
    if (spd_life_apply(&w->item, SPD_LIFE_IMAGE)) spd_tx_touch(tx, w, SPD_WHY_RESULT);
    return SPD_OK;
}

/* A cancelled order need not be confirmed any more: nothing is hidden, the one that replaces it
 * shows the images. */
static enum spd_rc take_place(struct spd_tx *tx, struct spd_work *o, struct spd_work *w)
{
    if (o->item.order != SPD_ORDER_CANCELLED || o->item.cancel_confirmed) return SPD_OK;
    TRY(spd_alerts_move(tx, o->item.id, w->item.id));
    o->item.cancel_confirmed = 1;
    spd_tx_touch(tx, o, SPD_WHY_ORDER);
    return SPD_OK;
}

/* An order shares the results of its study. A replacing one (RP, RO, RU, or a new one with the
 * Study UID) inherits what a cancelled one left behind as well; any other message leaves that on
 * the list for a person to confirm. */
enum spd_rc spd_share_results(struct spd_tx *tx, struct spd_work *w, bool replaces)
{
    for (size_t s = 0; s < w->item.study_uids.n; s++) {
        int64_t *ids;
        size_t n;
        TRY(spd_tx_find(tx, SPD_KEY_ITEM_STUDY, w->item.study_uids.v[s], &ids, &n));
        for (size_t i = 0; i < n; i++) {
            struct spd_work *o;
            struct spd_result *rs;
            size_t n_rs;
            if (ids[i] == w->item.id) continue;
            TRY(spd_tx_item(tx, ids[i], &o));
            if (tx->merging && o->merged == w->merged) continue; /* as before the merge */
            if (o->item.unmatched || !spd_patient_shares_id(&o->item.patient, &w->item.patient))
                continue;
            TRY(spd_results_of_item(tx, ids[i], &rs, &n_rs));
            for (size_t k = 0; k < n_rs; k++) {
                if (tx->merging && (!spd_sv_eq(rs[k].study_uid, w->item.study_uids.v[s]) ||
                                    was_given(tx, ids[i], rs[k].id)))
                    continue;
                TRY(hand_on(tx, o, &rs[k], w));
            }
            if (replaces) TRY(take_place(tx, o, w));
        }
    }
    return SPD_OK;
}

static enum spd_rc name_study(struct spd_tx *tx, struct spd_work *w, spd_sv uid)
{
    if (!spd_list_has_text(w->item.named_studies.v, w->item.named_studies.n, uid))
        *SPD_LIST_PUSH(&w->item.named_studies, tx->a) = uid;
    return spd_link_study(tx, w, uid);
}

/* The RIS itself says that one order takes the place of another: what was made under the old
 * number is read under the new one, whether or not it gave the study a UID. */
static enum spd_rc replaced(struct spd_tx *tx, const struct spd_order_in *gone,
                            const struct spd_order_in *by)
{
    int64_t from, to;
    struct spd_work *o, *w;
    struct spd_result *rs;
    size_t n;
    bool same;
    enum spd_rc rc = spd_find_order(tx, &gone->accession, &gone->filler, &gone->placer, &from);
    if (!rc) rc = spd_find_order(tx, &by->accession, &by->filler, &by->placer, &to);
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    if (from == to) return SPD_OK;
    TRY(spd_tx_item(tx, from, &o));
    TRY(spd_tx_item(tx, to, &w));
    TRY(spd_item_is_of(tx, &w->item, &o->item.patient, &same));
    if (!same || o->item.images <= SPD_IMAGES_NONE || w->item.order != SPD_ORDER_ACTIVE ||
        o->item.order != SPD_ORDER_CANCELLED || o->item.cancel_confirmed)
        return SPD_OK;
    for (size_t i = 0; i < o->item.study_uids.n; i++)
        TRY(name_study(tx, w, o->item.study_uids.v[i]));
    TRY(spd_results_of_item(tx, from, &rs, &n));
    for (size_t i = 0; i < n; i++)
        TRY(hand_on(tx, o, &rs[i], w));
    return take_place(tx, o, w);
}

/* RP or RU, then what replaces it as RO; where an RO stands first, the next one. */
static enum spd_rc replace_pairs(struct spd_tx *tx, const struct spd_order_event *e)
{
    for (size_t i = 0; i < e->orders.n; i++) {
        const struct spd_order_in *o = &e->orders.v[i], *gone = NULL;
        if (!o->replace || o->cancel) continue;
        for (size_t k = i; k-- > 0 && !gone;)
            if (e->orders.v[k].replace && e->orders.v[k].cancel) gone = &e->orders.v[k];
        for (size_t k = i + 1; k < e->orders.n && !gone; k++)
            if (e->orders.v[k].replace && e->orders.v[k].cancel) gone = &e->orders.v[k];
        if (gone) TRY(replaced(tx, gone, o));
    }
    return SPD_OK;
}

enum did { DID_NOTHING, DID_STALE, DID_APPLY };

/* What an order of a list is for us; *ret_e and *ret_o: what of it may be taken. False: nothing. */
static enum spd_rc from_list(struct spd_tx *tx, struct spd_work *known,
                             const struct spd_order_event **e, const struct spd_order_in **o,
                             bool *ret_take)
{
    static const int weight[] = {
        [SPD_IMPORT_SAME] = 1,    [SPD_IMPORT_OLDER] = 2, [SPD_IMPORT_CLOSED] = 3,
        [SPD_IMPORT_CHANGED] = 4, [SPD_IMPORT_NEW] = 5,   [SPD_IMPORT_REFUSED] = 6};
    struct spd_import_look *look = SPD_NEW(tx->a, struct spd_import_look);
    TRY(spd_import_judge(tx, *e, *o, known ? &known->item : NULL, look));
    if (weight[look->says] > weight[tx->r->says]) tx->r->says = (int)look->says;
    *ret_take = look->says == SPD_IMPORT_NEW || look->says == SPD_IMPORT_CHANGED;
    if (known && !*ret_take && !spd_list_has_i64(tx->items.v, tx->items.n, known->item.id))
        *SPD_LIST_ADD(&tx->items, tx->a) = known->item.id;
    if (known && *ret_take && !(*o)->source_time) {
        struct spd_order_event *some = SPD_NEW(tx->a, struct spd_order_event);
        struct spd_order_in *one = SPD_NEW(tx->a, struct spd_order_in);
        *some = **e, *one = **o;
        spd_import_fill_only(&known->item, some, one);
        *e = some, *o = one;
    }
    return SPD_OK;
}

static enum spd_rc one_order(struct spd_tx *tx, const struct spd_order_event *e,
                             const struct spd_order_in *o, enum did *ret)
{
    struct spd_work *w;
    int64_t id;
    bool fresh = false;
    enum spd_rc rc = spd_find_order(tx, &o->accession, &o->filler, &o->placer, &id);
    *ret = DID_NOTHING;
    if (tx->import && (!rc || rc == SPD_NOTFOUND)) {
        bool take;
        w = NULL;
        if (!rc) TRY(spd_tx_item(tx, id, &w));
        TRY(from_list(tx, w, &e, &o, &take));
        if (!take) return SPD_OK;
    }
    if (rc == SPD_NOTFOUND && o->known_only)
        return SPD_OK; /* a bare cancel or status of somebody else's order */
    if (rc == SPD_OK) {
        TRY(spd_tx_item(tx, id, &w));
        if (o->source_time && w->item.source_time && o->source_time < w->item.source_time) {
            spd_tx_touch(tx, w, 0); /* logged with the item, changes nothing */
            *ret = DID_STALE;
            return SPD_OK;
        }
        bool same = !w->item.patient.ids.n || !e->patient.ids.n;
        if (!same) TRY(spd_item_is_of(tx, &w->item, &e->patient, &same));
        if (!same) TRY(patient_changed(tx, w, &e->patient));
    } else if (rc == SPD_NOTFOUND) {
        w = spd_tx_new_item(tx);
        fresh = true;
    } else {
        return rc;
    }
    *ret = DID_APPLY;
    spd_tx_touch(tx, w, SPD_WHY_ORDER);
    TRY(take_fields(tx, w, e, o));
    TRY(take_status(tx, w, o, e->message.peer));
    if (o->source_time > w->item.source_time) w->item.source_time = o->source_time;
    w->item.peer = e->message.peer;
    w->item.extra_since = 0; /* its RIS speaks of it */
    if (tx->import)
        w->item.imported = tx->now, w->item.import_mark = tx->core->next_id[SPD_T_RESULT];
    if (tx->message) w->item.source_message = tx->message;
    if (fresh) TRY(spd_tx_flush_item(tx, w)); /* so that the look-ups below see it */
    for (size_t i = 0; i < o->study_uids.n; i++)
        TRY(name_study(tx, w, o->study_uids.v[i]));
    TRY(spd_link_studies(tx, w));
    if (w->item.study_uids.n)
        TRY(spd_share_results(tx, w,
                              w->item.order == SPD_ORDER_ACTIVE &&
                                  (o->replace || (fresh && spd_sv_is(o->control, "NW")))));
    TRY(spd_try_parked(tx, w));
    return spd_try_parked_reports(tx, w);
}

enum spd_rc spd_order_make(struct spd_tx *tx, const struct spd_order_event *e,
                           const struct spd_order_in *o)
{
    int64_t message = tx->message;
    enum did did;
    enum spd_rc rc;
    tx->message = 0; /* no priority can be written back in such a message */
    rc = one_order(tx, e, o, &did);
    tx->message = message;
    return rc;
}

/* An import that changes nothing leaves nothing: neither message nor journal. */
static enum spd_rc import_without_effect(struct spd_tx *tx)
{
    if (tx->r->says == SPD_IMPORT_REFUSED)
        return spd_tx_refuse(tx, SPD_INVALID, "patient-differs",
                             "Dit aanvraagnummer is hier van een andere patiënt.",
                             "This order number is another patient's here.");
    tx->r->did = SPD_DID_IGNORE;
    tx->r->message = 0;
    tx->journal = false;
    return SPD_OK;
}

enum spd_rc spd_order_in(struct spd_tx *tx, const struct spd_order_event *e)
{
    bool dup, stale = false, any = false;
    TRY(spd_message_begin(tx, &e->message, &dup));
    if (dup) return SPD_OK;
    tx->import |= e->import != 0;
    if (tx->import && !spd_peer_has_role(tx, e->message.peer, "orders"))
        return spd_tx_refuse(tx, SPD_NOTFOUND, "no-such-peer",
                             "Geen zender met de rol orders in de configuratie.",
                             "No peer with the role orders in the configuration.");
    for (size_t i = 0; i < e->orders.n; i++) {
        enum did did;
        TRY(one_order(tx, e, &e->orders.v[i], &did));
        stale |= did == DID_STALE;
        any |= did == DID_APPLY;
    }
    if (tx->import && !any) return import_without_effect(tx);
    if (any) TRY(replace_pairs(tx, e));
    tx->r->did = any ? SPD_DID_APPLY : stale ? SPD_DID_STALE : SPD_DID_IGNORE;
    if (stale)
        spd_tx_say(tx, "stale", "Ouder dan wat al bekend is: gelogd, niets veranderd.",
                   "Older than what is known: logged, nothing changed.");
    if (e->future)
        TRY(spd_tx_alarm(tx, "future-time", e->message.peer, "De klok van deze zender loopt voor.",
                         "This sender's clock is ahead."));
    if (tx->r->did == SPD_DID_IGNORE)
        spd_tx_say(tx, "not-for-us", "Geen aanvraag die hier bekend is.",
                   "No order that is known here.");
    return spd_message_end(tx, &e->message, any ? "" : stale ? "stale" : "not-for-us", 0);
}
