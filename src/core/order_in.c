/* src/core/order_in.c: an order, new, changed, held, released, cancelled or replaced; ADT; study
 * arrivals.
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

/* Every identifier that either has: a later message may know fewer. */
static void take_patient(struct spd_tx *tx, struct spd_item *item, const struct spd_patient *p)
{
    for (size_t i = 0; i < p->ids.n; i++) {
        bool known = false;
        for (size_t k = 0; k < item->patient.ids.n && !known; k++)
            known = spd_cx_eq(&item->patient.ids.v[k], &p->ids.v[i]);
        if (!known && p->ids.v[i].value.len)
            *SPD_LIST_PUSH(&item->patient.ids, tx->a) = p->ids.v[i];
    }
    take(&item->patient.name, p->name, false);
    take(&item->patient.birth_date, p->birth_date, false);
    take(&item->patient.sex, p->sex, false);
}

/* Takes one result off an item. *ret_other: another item, whose patient it does fit, keeps it; 0:
 * it is parked. */
static enum spd_rc detach(struct spd_tx *tx, struct spd_work *w, const struct spd_result *old,
                          int64_t *ret_other)
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
    return r.items.n
               ? SPD_OK
               : spd_park_result(tx, &r, "patient-changed",
                                 "De aanvraag noemt nu een andere patiënt dan bij dit resultaat.",
                                 "The order now names another patient than when this result came.",
                                 true);
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
        TRY(detach(tx, w, &rs[i], &other));
        if (other) TRY(spd_alerts_move_of(tx, w->item.id, other, rs[i].id));
    }
    TRY(spd_draft_withdraw(tx, w, "de aanvraag noemt een andere patiënt",
                           "the order names another patient"));
    TRY(spd_alerts_detach(tx, w->item.id, "De aanvraag noemt nu een andere patiënt.",
                          "The order now names another patient."));
    w->item.patient.ids.v = NULL, w->item.patient.ids.n = 0;
    w->item.patient.name = w->item.patient.birth_date = w->item.patient.sex = SPD_SV_NONE;
    take_patient(tx, &w->item, p);
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
    if (o->exam_done && !item->exam_done)
        item->exam_done = o->source_time ? o->source_time : tx->now;
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

static void take_fields(struct spd_tx *tx, struct spd_work *w, const struct spd_order_event *e,
                        const struct spd_order_in *o)
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
    take(&item->location, e->location, was_nulled(o, "location"));
    take(&item->patient_class, e->patient_class, was_nulled(o, "patient_class"));
    if (o->scheduled) item->scheduled = o->scheduled;
    take_patient(tx, item, &e->patient);
    if (!spd_priority_heard(tx, item, o)) {
        if (o->priority)
            item->order_priority = o->priority;
        else if (was_nulled(o, "priority"))
            item->order_priority = SPD_PRIORITY_UNSET;
    }
}

/* A result of one order is one of another too: its patient is the same, not only a number that both
 * orders have; where a person assigned it, that word counts for the order's patient. */
static bool fits_too(const struct spd_result *r, const struct spd_item *from,
                     const struct spd_item *to)
{
    return spd_patient_shares_id(&r->patient, &to->patient) ||
           !spd_patient_shares_id(&r->patient, &from->patient);
}

/* An order shares the results of its study. A replacing one (RP, RO, RU, or a new one with the
 * Study UID) inherits what a cancelled one left behind as well; any other message leaves that on
 * the list for a person to confirm. */
static enum spd_rc inherit(struct spd_tx *tx, struct spd_work *w, bool replaces)
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
            if (o->item.unmatched || !spd_patient_shares_id(&o->item.patient, &w->item.patient))
                continue;
            TRY(spd_results_of_item(tx, ids[i], &rs, &n_rs));
            for (size_t k = 0; k < n_rs; k++) {
                if (!spd_list_has_i64(rs[k].items.v, rs[k].items.n, w->item.id) &&
                    fits_too(&rs[k], &o->item, &w->item)) {
                    struct spd_result r = rs[k];
                    *SPD_LIST_PUSH(&r.items, tx->a) = w->item.id;
                    TRY(spd_put_result(tx->st, &r, &rs[k], tx->err));
                    /* A result proves the images of this order as of the other's (domain §2), or it
                     * stays unlisted. */
                    if (!w->item.images_first)
                        w->item.images_first =
                            o->item.images_first ? o->item.images_first : tx->now;
                    if (spd_life_apply(&w->item, SPD_LIFE_IMAGE))
                        spd_tx_touch(tx, w, SPD_WHY_RESULT);
                }
            }
            if (replaces && o->item.order == SPD_ORDER_CANCELLED && !o->item.cancel_confirmed) {
                TRY(spd_alerts_move(tx, ids[i], w->item.id));
                o->item.cancel_confirmed =
                    1; /* nothing is hidden: the new order shows the images */
                spd_tx_touch(tx, o, SPD_WHY_ORDER);
            }
        }
    }
    return SPD_OK;
}

enum did { DID_NOTHING, DID_STALE, DID_APPLY };

static enum spd_rc one_order(struct spd_tx *tx, const struct spd_order_event *e,
                             const struct spd_order_in *o, enum did *ret)
{
    struct spd_work *w;
    int64_t id;
    bool fresh = false;
    enum spd_rc rc = spd_find_order(tx, &o->accession, &o->filler, &o->placer, &id);
    *ret = DID_NOTHING;
    if (rc == SPD_NOTFOUND && o->known_only)
        return SPD_OK; /* a bare cancel or status of somebody else's order */
    if (rc == SPD_OK) {
        TRY(spd_tx_item(tx, id, &w));
        if (o->source_time && w->item.source_time && o->source_time < w->item.source_time) {
            spd_tx_touch(tx, w, 0); /* logged with the item, changes nothing */
            *ret = DID_STALE;
            return SPD_OK;
        }
        if (w->item.patient.ids.n && e->patient.ids.n &&
            !spd_patient_shares_id(&w->item.patient, &e->patient))
            TRY(patient_changed(tx, w, &e->patient));
    } else if (rc == SPD_NOTFOUND) {
        w = spd_tx_new_item(tx);
        fresh = true;
    } else {
        return rc;
    }
    *ret = DID_APPLY;
    spd_tx_touch(tx, w, SPD_WHY_ORDER);
    take_fields(tx, w, e, o);
    TRY(take_status(tx, w, o, e->message.peer));
    if (o->source_time > w->item.source_time) w->item.source_time = o->source_time;
    w->item.peer = e->message.peer;
    if (tx->message) w->item.source_message = tx->message;
    if (fresh) TRY(spd_tx_flush_item(tx, w)); /* so that the look-ups below see it */
    for (size_t i = 0; i < o->study_uids.n; i++)
        TRY(spd_link_study(tx, w, o->study_uids.v[i]));
    if (w->item.study_uids.n)
        TRY(inherit(tx, w,
                    w->item.order == SPD_ORDER_ACTIVE &&
                        (o->replace || (fresh && spd_sv_is(o->control, "NW")))));
    TRY(spd_try_parked(tx, w));
    return spd_try_parked_reports(tx, w);
}

enum spd_rc spd_order_in(struct spd_tx *tx, const struct spd_order_event *e)
{
    bool dup, stale = false, any = false;
    TRY(spd_message_begin(tx, &e->message, &dup));
    if (dup) return SPD_OK;
    tx->import = e->import;
    for (size_t i = 0; i < e->orders.n; i++) {
        enum did did;
        TRY(one_order(tx, e, &e->orders.v[i], &did));
        stale |= did == DID_STALE;
        any |= did == DID_APPLY;
    }
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

/* ADT: every open item of that patient learns the new name, place and class. */
enum spd_rc spd_patient_in(struct spd_tx *tx, const struct spd_patient_event *e)
{
    bool dup;
    TRY(spd_message_begin(tx, &e->message, &dup));
    if (dup) return SPD_OK;
    tx->r->did = SPD_DID_IGNORE;
    for (size_t i = 0; i < e->patient.ids.n; i++) {
        int64_t *ids;
        size_t n;
        TRY(spd_tx_find(tx, SPD_KEY_ITEM_PATIENT, spd_key_cx(tx->a, &e->patient.ids.v[i]), &ids,
                        &n));
        for (size_t k = 0; k < n; k++) {
            struct spd_work *w;
            TRY(spd_tx_item(tx, ids[k], &w));
            if (!spd_item_open(&w->item) || w->item.unmatched) continue;
            take_patient(tx, &w->item, &e->patient);
            if (!e->source_time ||
                e->source_time >= w->item.source_time) { /* else flushed after a downtime */
                take(&w->item.location, e->location, false);
                take(&w->item.patient_class, e->patient_class, false);
            }
            spd_tx_touch(tx, w, SPD_WHY_PATIENT);
            tx->r->did = SPD_DID_APPLY;
        }
    }
    for (struct spd_work *w = tx->work; w; w = w->next)
        if (w->changed) TRY(spd_try_parked(tx, w));
    return spd_message_end(tx, &e->message, tx->r->did == SPD_DID_APPLY ? "" : "no-open-item", 0);
}

/* ---- studies --------------------------------------------------------------------------------- */
static enum spd_rc study_row(struct spd_tx *tx, const struct spd_study_event *e,
                             struct spd_study *s, struct spd_study *old, bool *ret_insert)
{
    int64_t id;
    enum spd_rc rc = spd_store_find_one(tx->st, SPD_KEY_STUDY_UID, e->study_uid, &id, tx->err);
    *ret_insert = rc == SPD_NOTFOUND;
    memset(s, 0, sizeof *s);
    if (rc == SPD_OK) {
        TRY(spd_get_study(tx->st, id, old, tx->a, tx->err));
        *s = *old;
    } else if (rc == SPD_NOTFOUND) {
        s->id = spd_tx_id(tx, SPD_T_STUDY);
        s->study_uid = e->study_uid;
    } else {
        return rc;
    }
    return SPD_OK;
}

/* Puts a UID into a table of places (0 = free, else index + 1). False: it was there. */
static bool remember(size_t *table, size_t mask, const spd_sv *uids, size_t at)
{
    size_t k = (size_t)spd_sv_hash(uids[at]) & mask;
    for (; table[k]; k = (k + 1) & mask)
        if (spd_sv_eq(uids[table[k] - 1], uids[at])) return false;
    table[k] = at + 1;
    return true;
}

/* Adds what is new among the instances. Returns how many images are new. */
static int64_t add_instances(struct spd_tx *tx, struct spd_study *s,
                             const struct spd_study_event *e)
{
    size_t n = s->instances.n, mask = 15, *table;
    if (!e->instances.n) {
        int64_t more =
            e->instance_count > s->instance_count ? e->instance_count - s->instance_count : 0;
        if (more) s->instance_count = e->instance_count;
        return more;
    }
    spd_list_push((struct spd_seq *)(void *)&s->instances, sizeof(spd_sv), e->instances.n, tx->a);
    while (mask < s->instances.n * 2)
        mask = mask * 2 + 1;
    table = SPD_NEW_N(tx->a, size_t, mask + 1);
    for (size_t i = 0; i < n; i++)
        remember(table, mask, s->instances.v, i);
    s->instances.n = n;
    for (size_t i = 0; i < e->instances.n; i++) {
        s->instances.v[s->instances.n] = e->instances.v[i];
        if (remember(table, mask, s->instances.v, s->instances.n)) s->instances.n++;
    }
    if (s->instance_count < (int64_t)s->instances.n) s->instance_count = (int64_t)s->instances.n;
    return (int64_t)(s->instances.n - n);
}

enum spd_rc spd_study_in(struct spd_tx *tx, const struct spd_study_event *e)
{
    struct spd_study s, old;
    struct spd_patient patient = {0};
    bool insert, dup, differs;
    int64_t *ids, fresh;
    size_t n;
    spd_usec at = e->source_time && e->source_time < tx->now ? e->source_time : tx->now;
    TRY(spd_message_begin(tx, &e->message, &dup));
    if (dup) return SPD_OK;
    if (e->changes_position.len) {
        size_t eq = 0;
        if (spd_sv_find(e->changes_position, SPD_SV("="), &eq)) {
            spd_sv name = spd_arena_printf(tx->a, "changes:%.*s", (int)eq, e->changes_position.ptr);
            TRY(spd_tx_setting_put(
                tx, name.ptr,
                spd_sv_of(e->changes_position.ptr + eq + 1, e->changes_position.len - eq - 1)));
        }
    }
    tx->r->did = SPD_DID_APPLY;
    if (!e->study_uid.len) return spd_message_end(tx, &e->message, "", 0);
    TRY(study_row(tx, e, &s, &old, &insert));
    fresh = add_instances(tx, &s, e);
    if (!s.first_at) s.first_at = at;
    s.last_at = at;
    if (e->complete) s.complete_at = s.complete_at ? s.complete_at : at;
    if (e->accession.value.len) s.accession = e->accession;
    if (e->patient_ids.n) s.patient.ids.v = e->patient_ids.v, s.patient.ids.n = e->patient_ids.n;
    TRY(spd_put_study(tx->st, &s, insert ? NULL : &old, tx->err));
    if (s.complete_at)
        TRY(spd_tx_timer_clear(tx, SPD_TIMER_COMPLETE, s.id, SPD_SV_NONE));
    else if (fresh || insert)
        TRY(spd_tx_timer_set(tx, SPD_TIMER_COMPLETE, s.id, SPD_SV_NONE,
                             tx->now + tx->core->rules->settings.complete_after));
    patient.ids.v = s.patient.ids.v, patient.ids.n = s.patient.ids.n;
    /* By accession only with a shared patient identifier; by Study UID the order itself said so. */
    TRY(spd_find_items_of(tx, SPD_SV_NONE, &s.accession, &patient, &ids, &n, &differs));
    for (size_t i = 0; i < n; i++) {
        struct spd_work *w;
        TRY(spd_tx_item(tx, ids[i], &w));
        TRY(spd_link_study(tx, w, s.study_uid));
        TRY(spd_tx_flush_item(tx, w));
    }
    TRY(spd_tx_find(tx, SPD_KEY_ITEM_STUDY, s.study_uid, &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_work *w;
        TRY(spd_tx_item(tx, ids[i], &w));
        TRY(spd_link_study(tx, w, s.study_uid));
        spd_tx_touch(tx, w, SPD_WHY_STUDY);
        TRY(spd_try_parked(tx, w));
    }
    return spd_message_end(tx, &e->message, "", 0);
}
