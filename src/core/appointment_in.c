/* src/core/appointment_in.c: SIU: when, where and on what an order is to be done.
 *
 * An appointment never changes what was ordered, and taking it away never cancels the order: that
 * is the order's own message to say. It has a clock of its own (appointment_time), so that an order
 * message that was under way meanwhile still counts. */
#include "core/internal.h"

static void take(spd_sv *to, spd_sv from)
{
    if (from.len) *to = from;
}

static void set(struct spd_item *i, const struct spd_appointment_event *e,
                const struct spd_order_in *o)
{
    i->appointment = e->appointment;
    if (o->scheduled) i->scheduled = o->scheduled;
    take(&i->station_ae, o->station_ae);
    take(&i->room, e->room);
    take(&i->modality, i->modality.len ? SPD_SV_NONE : o->modality);
}

/* Another appointment of the same order may stand: only the one that set the time takes it away. */
static bool unset(struct spd_item *i, const struct spd_appointment_event *e)
{
    if (e->appointment.len && i->appointment.len && !spd_sv_eq(e->appointment, i->appointment))
        return false;
    i->scheduled = 0;
    i->room = i->appointment = SPD_SV_NONE;
    return true;
}

static enum spd_rc make(struct spd_tx *tx, const struct spd_appointment_event *e,
                        const struct spd_order_in *o, int64_t *ret)
{
    struct spd_order_event made = {0};
    struct spd_order_in in = *o;
    made.message = e->message;
    made.patient = e->patient;
    made.location = e->location, made.patient_class = e->patient_class;
    in.control = SPD_SV("NW");
    in.source_time = 0; /* the order's own message, however old, says more */
    TRY(spd_order_make(tx, &made, &in));
    return spd_find_order(tx, &o->accession, &o->filler, &o->placer, ret);
}

enum did { NOTHING, DONE, STALE, DIFFERS };

static enum spd_rc one(struct spd_tx *tx, const struct spd_appointment_event *e,
                       const struct spd_order_in *o, enum did *ret)
{
    struct spd_work *w;
    bool same = true;
    int64_t id;
    enum spd_rc rc = spd_find_order(tx, &o->accession, &o->filler, &o->placer, &id);
    *ret = NOTHING;
    if (rc == SPD_NOTFOUND && (o->known_only || e->off || !e->patient.ids.n)) return SPD_OK;
    if (rc == SPD_NOTFOUND) rc = make(tx, e, o, &id);
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    TRY(spd_tx_item(tx, id, &w));
    if (w->item.patient.ids.n && e->patient.ids.n)
        TRY(spd_item_is_of(tx, &w->item, &e->patient, &same));
    *ret = !same                                                                       ? DIFFERS
           : e->source_time && e->source_time + SPD_SEC(1) <= w->item.appointment_time ? STALE
                                                                                       : DONE;
    spd_tx_touch(tx, w, *ret == DONE ? SPD_WHY_ORDER : 0);
    if (*ret != DONE) return SPD_OK;
    if (!e->off)
        set(&w->item, e, o);
    else if (!unset(&w->item, e))
        *ret = STALE;
    if (e->source_time > w->item.appointment_time) w->item.appointment_time = e->source_time;
    return SPD_OK;
}

static const struct {
    const char *key, *nl, *en;
} says[] = {
    [NOTHING] = {"not-for-us", "Geen aanvraag die hier bekend is.", "No order that is known here."},
    [DONE] = {"", "", ""},
    [STALE] = {"stale", "Ouder dan wat al bekend is: gelogd, niets veranderd.",
               "Older than what is known: logged, nothing changed."},
    [DIFFERS] = {"patient-differs", "Afspraak bij een bekende aanvraag, van een andere patiënt.",
                 "Appointment of an order that is known, of another patient."},
};

enum spd_rc spd_appointment_in(struct spd_tx *tx, const struct spd_appointment_event *e)
{
    bool dup, had[4] = {false};
    int64_t parked = 0;
    enum did did;
    TRY(spd_message_begin(tx, &e->message, &dup));
    if (dup) return SPD_OK;
    for (size_t i = 0; i < e->orders.n; i++) {
        TRY(one(tx, e, &e->orders.v[i], &did));
        had[did] = true;
    }
    did = had[DONE] ? DONE : had[DIFFERS] ? DIFFERS : had[STALE] ? STALE : NOTHING;
    if (did == DIFFERS)
        TRY(spd_park_message(tx, spd_sv_from(says[did].key), spd_sv_from(says[did].nl),
                             spd_sv_from(says[did].en), &e->patient, e->message.peer, &parked));
    if (e->future)
        TRY(spd_tx_alarm(tx, "future-time", e->message.peer, "De klok van deze zender loopt voor.",
                         "This sender's clock is ahead."));
    tx->r->did = did == DONE      ? SPD_DID_APPLY
                 : did == DIFFERS ? SPD_DID_PARK
                 : did == STALE   ? SPD_DID_STALE
                                  : SPD_DID_IGNORE;
    tx->r->id = parked;
    spd_tx_say(tx, says[did].key, says[did].nl, says[did].en);
    return spd_message_end(tx, &e->message, says[did].key, parked);
}
