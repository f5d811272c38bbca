/* src/core/patient_in.c: what ADT says of a patient: every open order of theirs learns the new
 * name, place and class, and whether they are still in the house. Merges go on to merge.c.
 *
 * Invariant: an event older than what an order knows changes nothing of it (domain §2). A place
 * that changed re-resolves whom its alerts page (domain §7); a visit that is not the order's own
 * says nothing about where its patient is. */
#include "core/internal.h"

static void take(spd_sv *to, spd_sv from)
{
    if (from.len) *to = from;
}

static void take_place(struct spd_work *w, const struct spd_patient_event *e)
{
    struct spd_item *i = &w->item;
    if (e->cancelled) { /* the order may know better than the admission that was not to be */
        if (e->prior_location.len)
            i->location = e->prior_location;
        else if (spd_sv_eq(i->location, e->location))
            i->location = SPD_SV_NONE;
    } else if (e->planned) {
        if (!i->location.len) take(&i->location, e->location);
        if (!i->patient_class.len) take(&i->patient_class, e->patient_class);
    } else if (!e->no_place) {
        take(&i->location, e->location);
        take(&i->patient_class, e->patient_class);
    }
}

static enum spd_rc one_order(struct spd_tx *tx, struct spd_work *w,
                             const struct spd_patient_event *e, bool *ret_stale)
{
    struct spd_item *i = &w->item;
    struct spd_item was = *i;
    spd_usec known = i->adt_time > i->source_time ? i->adt_time : i->source_time;
    bool elsewhere = e->visit.value.len && i->visit.value.len && !spd_cx_eq(&e->visit, &i->visit);
    /* Many systems say whole seconds only, so one second is no older. */
    *ret_stale = e->source_time && e->source_time + SPD_SEC(1) <= known;
    if (*ret_stale) {
        spd_tx_touch(tx, w, 0); /* logged with the item, changes nothing */
        return SPD_OK;
    }
    TRY(spd_item_take_patient(tx, i, &e->patient));
    if (e->source_time > i->adt_time) i->adt_time = e->source_time;
    if (!elsewhere) {
        take_place(w, e);
        if (e->admitted) i->discharged = 0;
        if (e->discharged && !i->discharged)
            i->discharged = e->source_time ? e->source_time : tx->now;
    }
    w->moved |= !spd_sv_eq(was.location, i->location) ||
                !spd_sv_eq(was.patient_class, i->patient_class) ||
                (was.discharged != 0) != (i->discharged != 0);
    spd_tx_touch(tx, w, SPD_WHY_PATIENT);
    TRY(spd_tx_flush_item(tx, w)); /* its numbers, for what is parked */
    TRY(spd_link_studies(tx, w));
    return spd_try_parked(tx, w);
}

static enum spd_rc every_order(struct spd_tx *tx, const struct spd_patient_event *e, bool *ret_any,
                               bool *ret_stale)
{
    struct spd_patient p;
    struct spd_seq seen = {NULL, 0};
    TRY(spd_patient_numbers(tx, &e->patient, &p));
    for (size_t i = 0; i < p.ids.n; i++) {
        int64_t *ids;
        size_t n;
        TRY(spd_tx_find(tx, SPD_KEY_ITEM_PATIENT, spd_key_cx(tx->a, &p.ids.v[i]), &ids, &n));
        for (size_t k = 0; k < n; k++) {
            struct spd_work *w;
            bool stale;
            if (spd_list_has_i64(seen.v, seen.n, ids[k])) continue;
            *(int64_t *)spd_list_add(&seen, sizeof(int64_t), tx->a) = ids[k];
            TRY(spd_tx_item(tx, ids[k], &w));
            if (!spd_item_open(&w->item) || w->item.unmatched ||
                !spd_patient_shares_id(&w->item.patient, &p)) /* moved away from that number */
                continue;
            TRY(one_order(tx, w, e, &stale));
            *ret_stale |= stale;
            *ret_any |= !stale;
        }
    }
    return SPD_OK;
}

enum spd_rc spd_patient_in(struct spd_tx *tx, const struct spd_patient_event *e)
{
    bool dup, any = false, stale = false;
    int64_t parked = 0;
    TRY(spd_message_begin(tx, &e->message, &dup));
    if (dup) return SPD_OK;
    if (e->future)
        TRY(spd_tx_alarm(tx, "future-time", e->message.peer, "De klok van deze zender loopt voor.",
                         "This sender's clock is ahead."));
    if (e->merges.n) {
        TRY(spd_merges_in(tx, e, &any, &parked));
        return spd_message_end(tx, &e->message, spd_arena_dup(tx->a, tx->r->reason).ptr, parked);
    }
    TRY(every_order(tx, e, &any, &stale));
    tx->r->did = any ? SPD_DID_APPLY : stale ? SPD_DID_STALE : SPD_DID_IGNORE;
    if (tx->r->did == SPD_DID_STALE)
        spd_tx_say(tx, "stale", "Ouder dan wat al bekend is: gelogd, niets veranderd.",
                   "Older than what is known: logged, nothing changed.");
    return spd_message_end(tx, &e->message, any ? "" : stale ? "stale" : "no-open-item", 0);
}
