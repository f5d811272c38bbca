/* src/core/parked.c: what fits nobody waits here, visibly, until an order, a study or a person
 * resolves it.
 *
 * A parked positive with an alert concept, from a listed peer and a live model, shows at once as an
 * "unmatched" row at its level and after 60 s pages the radiologist on duty, never the emergency
 * doctor (domain §1). From an unlisted peer it only waits: nobody is paged on the word of a
 * stranger. */
#include "core/internal.h"

static const struct spd_finding *alert_finding(struct spd_tx *tx, const struct spd_result *r,
                                               const struct spd_concept **ret)
{
    for (size_t i = 0; i < r->findings.n; i++) {
        const struct spd_finding *f = &r->findings.v[i];
        const struct spd_concept *c =
            f->concept.len ? spd_codes_concept(tx->core->codes, f->concept) : NULL;
        if (f->present == SPD_PRESENT_YES && c && c->alert) {
            *ret = c;
            return f;
        }
    }
    return NULL;
}

/* The row that shows a parked positive. Its level: what the policy says of what is known, and at
 * least the concept's own. */
static enum spd_rc unmatched_row(struct spd_tx *tx, const struct spd_result *r,
                                 const struct spd_concept *c, struct spd_parked *p)
{
    struct spd_work *w = spd_tx_new_item(tx);
    struct spd_facts facts;
    struct spd_decided d;
    int level;
    w->item.unmatched = 1;
    w->item.parked = p->id;
    w->item.patient = r->patient;
    w->item.accession = r->accession;
    w->item.modality = r->modality, w->item.body_part = r->body_part;
    if (r->study_uid.len) *SPD_LIST_PUSH(&w->item.study_uids, tx->a) = r->study_uid;
    w->item.images = SPD_IMAGES_PARTIAL;
    w->item.images_first = w->item.arrived = tx->now;
    spd_facts_of(tx->core, &w->item, r, 1, tx->now, &facts, tx->a);
    spd_policy_eval(tx->core->rules->policy, &facts, tx->a, &d);
    level = d.level;
    if (c->default_level && c->default_level < level) level = c->default_level;
    w->item.level = level;
    w->item.base_level = d.base_level;
    p->level = level;
    p->item = w->item.id;
    spd_tx_touch(tx, w, SPD_WHY_RESULT);
    return SPD_OK;
}

bool spd_parked_stops_draft(struct spd_tx *tx, const struct spd_result *r)
{
    return r->state == SPD_AI_POSITIVE && !r->superseded_by &&
           spd_result_mode(tx, r) == SPD_MODE_LIVE;
}

/* Items whose draft depends on what is parked about their study, whoever the patient: decided on
 * again. They are not "touched": the result is not theirs. */
static enum spd_rc reconsider(struct spd_tx *tx, spd_sv study_uid, const struct spd_cx *accession)
{
    for (int by = 0; by < 2; by++) {
        spd_sv key =
            by ? accession->value.len ? spd_key_cx(tx->a, accession) : SPD_SV_NONE : study_uid;
        int64_t *ids;
        size_t n;
        if (!key.len) continue;
        TRY(spd_tx_find(tx, by ? SPD_KEY_ITEM_ACCESSION : SPD_KEY_ITEM_STUDY, key, &ids, &n));
        for (size_t i = 0; i < n; i++) {
            struct spd_work *w;
            TRY(spd_tx_item(tx, ids[i], &w));
            if (w->item.unmatched) continue;
            w->changed = true;
            if (!w->decide) w->decide = SPD_WHY_RESULT;
        }
    }
    return SPD_OK;
}

/* ---- strangers --------------------------------------------------------------------------------- */
/* How much of one unlisted sender, and of all of them, may wait for a person: the disk is for those
 * who are listed, and a name costs a stranger nothing. */
enum { OF_ONE_STRANGER = 200, OF_ALL_STRANGERS = 2000 };

static enum spd_rc waits(struct spd_tx *tx, spd_sv key, size_t max, bool *ret_full)
{
    int64_t ids[OF_ALL_STRANGERS];
    size_t n;
    TRY(spd_store_find(tx->st, SPD_KEY_PARKED_UNLISTED, key, 0, ids, max, &n, tx->err));
    *ret_full |= n == max;
    return SPD_OK;
}

enum spd_rc spd_stranger_comes(struct spd_tx *tx, spd_sv sender, bool *ret_full)
{
    bool stands;
    int64_t id;
    enum spd_rc rc;
    *ret_full = false;
    tx->sender = sender.len > 128 ? spd_sv_of(sender.ptr, 128) : sender;
    TRY(waits(tx, SPD_SV("*"), OF_ALL_STRANGERS, ret_full));
    if (tx->sender.len)
        TRY(waits(tx, spd_key_join(tx->a, SPD_SV("*"), tx->sender), OF_ONE_STRANGER, ret_full));
    rc = spd_store_find_one(tx->st, SPD_KEY_ALARM_OPEN, SPD_SV("unlisted-full|"), &id, tx->err);
    if (rc && rc != SPD_NOTFOUND) return rc;
    stands = rc == SPD_OK;
    if (!*ret_full) return stands ? spd_tx_alarm_clear(tx, "unlisted-full", SPD_SV_NONE) : SPD_OK;
    TRY(spd_tx_refuse(tx, SPD_LIMIT, "unlisted-full",
                      "De afzender staat niet in de configuratie, en er wacht al te veel van zulke.",
                      "The sender is not configured, and too much of such is waiting already."));
    tx->r->answer = SPD_ANSWER_AR;
    if (stands) return SPD_OK; /* said once: a row for each would fill the disk all the same */
    tx->journal = true;
    return spd_tx_alarm(
        tx, "unlisted-full", SPD_SV_NONE,
        "Een onbekende afzender stuurt te veel; wat hij verder stuurt wordt geweigerd. Neem hem op "
        "in peers, of handel af wat geparkeerd staat.",
        "An unlisted sender sends too much; what else it sends is refused. List it under peers, or "
        "deal with what is parked.");
}

enum spd_rc spd_park_result(struct spd_tx *tx, struct spd_result *r, const char *why,
                            const char *nl, const char *en, bool known_peer)
{
    struct spd_parked p = {0};
    const struct spd_concept *c = NULL;
    struct spd_result old;
    enum spd_rc rc;
    p.id = spd_tx_id(tx, SPD_T_PARKED);
    p.at = tx->now, p.kind = SPD_PARKED_RESULT;
    p.why = spd_sv_from(why), p.why_nl = spd_sv_from(nl), p.why_en = spd_sv_from(en);
    p.result = r->id, p.message = r->message, p.peer = r->peer;
    p.patient = r->patient, p.accession = r->accession, p.study_uid = r->study_uid;
    p.sender = tx->sender;
    r->parked = p.id;
    if (!tx->r->reason.len || tx->r->id == r->id) {
        tx->r->did = SPD_DID_PARK;
        spd_tx_say(tx, why, nl, en);
    }
    rc = spd_get_result(tx->st, r->id, &old, tx->a, NULL);
    if (rc && rc != SPD_NOTFOUND) return rc;
    TRY(spd_put_result(tx->st, r, rc ? NULL : &old, tx->err));
    if (spd_parked_stops_draft(tx, r)) TRY(reconsider(tx, r->study_uid, &r->accession));
    if (known_peer && r->state == SPD_AI_POSITIVE && spd_result_mode(tx, r) == SPD_MODE_LIVE &&
        alert_finding(tx, r, &c)) {
        TRY(unmatched_row(tx, r, c, &p));
        TRY(spd_tx_timer_set(tx, SPD_TIMER_UNMATCHED, p.id, SPD_SV_NONE,
                             tx->now + tx->core->rules->settings.unmatched_after));
    }
    return spd_put_parked(tx->st, &p, NULL, tx->err);
}

enum spd_rc spd_park_message(struct spd_tx *tx, spd_sv why, spd_sv nl, spd_sv en,
                             const struct spd_patient *pat, spd_sv peer, int64_t *ret_id)
{
    struct spd_parked p = {0};
    p.id = spd_tx_id(tx, SPD_T_PARKED);
    p.at = tx->now, p.kind = SPD_PARKED_MESSAGE;
    p.why = why, p.why_nl = nl, p.why_en = en;
    p.message = tx->message, p.peer = peer, p.patient = *pat;
    p.sender = tx->sender;
    *ret_id = p.id;
    return spd_put_parked(tx->st, &p, NULL, tx->err);
}

/* Closes a parked row; a result among the items given gets applied to them, its unmatched row goes.
 */
enum spd_rc spd_unpark(struct spd_tx *tx, struct spd_parked *p, const int64_t *items, size_t n,
                       spd_sv by, const char *how, spd_sv reason)
{
    struct spd_parked old = *p;
    if (p->item) {
        struct spd_work *w;
        TRY(spd_tx_item(tx, p->item, &w));
        if (n)
            TRY(spd_alerts_move(tx, p->item, items[0]));
        else
            TRY(spd_alerts_withdraw(tx, p->item, SPD_SV_NONE, SPD_SV_NONE,
                                    "Het resultaat zonder aanvraag is afgehandeld.",
                                    "The result without an order has been dealt with."));
        spd_life_apply(&w->item, SPD_LIFE_CANCEL);
        w->item.cancel_confirmed = 1;
        spd_tx_touch(tx, w, 0);
        TRY(spd_tx_timer_clear(tx, SPD_TIMER_WAIT, p->item, SPD_SV_NONE));
    }
    TRY(spd_tx_timer_clear(tx, SPD_TIMER_UNMATCHED, p->id, SPD_SV_NONE));
    p->closed = tx->now, p->closed_by = by, p->closed_how = spd_sv_from(how),
    p->closed_reason = reason;
    TRY(spd_put_parked(tx->st, p, &old, tx->err));
    if (p->result) TRY(reconsider(tx, p->study_uid, &p->accession));
    if (n && p->result) {
        struct spd_result r, was;
        TRY(spd_get_result(tx->st, p->result, &was, tx->a, tx->err));
        r = was;
        for (size_t i = 0; by.len && i < n; i++)
            *SPD_LIST_PUSH(&r.assigned, tx->a) = items[i];
        if (!r.superseded_by) TRY(spd_result_apply(tx, &r, &was, items, n));
        r.parked = 0; /* it fits now: the archive is told with the others */
        TRY(spd_summary_out(tx, &r));
    }
    return SPD_OK;
}

/* Its page is still to come. An import, which pages nobody, must not take it away: it stays as it is
 * until then. */
static enum spd_rc page_is_due(struct spd_tx *tx, const struct spd_parked *p, bool *ret)
{
    int64_t *ids;
    size_t n = 0;
    if (p->item)
        TRY(spd_tx_find(tx, SPD_KEY_TIMER_SUBJECT,
                        spd_key_join(tx->a, spd_key_i64(tx->a, SPD_TIMER_UNMATCHED),
                                     spd_key_i64(tx->a, p->id)),
                        &ids, &n));
    *ret = n > 0;
    return SPD_OK;
}

static enum spd_rc try_ids(struct spd_tx *tx, struct spd_work *w, const int64_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct spd_parked p;
        bool fits;
        TRY(spd_get_parked(tx->st, ids[i], &p, tx->a, tx->err));
        if (p.closed || p.kind != SPD_PARKED_RESULT || spd_sv_is(p.why, "unlisted-peer")) continue;
        TRY(spd_item_is_of(tx, &w->item, &p.patient, &fits));
        if (!fits) continue;
        if (tx->import) {
            bool due;
            TRY(page_is_due(tx, &p, &due));
            if (due) continue;
        }
        if (spd_sv_is(p.why, "patient-changed"))
            w->item.ask_person = 0; /* they are one patient after all */
        TRY(spd_unpark(tx, &p, &w->item.id, 1, SPD_SV_NONE, "order", SPD_SV_NONE));
    }
    return SPD_OK;
}

/* Parked results are tried again whenever an order, a patient update or a study arrives. */
enum spd_rc spd_try_parked(struct spd_tx *tx, struct spd_work *w)
{
    int64_t *ids;
    size_t n;
    if (w->item.unmatched) return SPD_OK;
    for (size_t i = 0; i < w->item.study_uids.n; i++) {
        TRY(spd_tx_find(tx, SPD_KEY_PARKED_STUDY, w->item.study_uids.v[i], &ids, &n));
        TRY(try_ids(tx, w, ids, n));
    }
    if (w->item.accession.value.len) {
        TRY(spd_tx_find(tx, SPD_KEY_PARKED_ACCESSION, spd_key_cx(tx->a, &w->item.accession), &ids,
                        &n));
        TRY(try_ids(tx, w, ids, n));
    }
    return SPD_OK;
}

enum spd_rc spd_parked_timer(struct spd_tx *tx, int64_t parked)
{
    struct spd_parked p;
    struct spd_result r;
    struct spd_work *w;
    int64_t *ids;
    size_t n;
    bool differs;
    TRY(spd_get_parked(tx->st, parked, &p, tx->a, tx->err));
    if (p.closed || !p.item) return SPD_OK;
    TRY(spd_get_result(tx->st, p.result, &r, tx->a, tx->err));
    TRY(spd_find_items_of(tx, r.study_uid, &r.accession, &r.patient, &ids, &n, &differs));
    for (size_t i = 0; i < n; i++) { /* its order was imported meanwhile: it pages as always */
        TRY(spd_tx_item(tx, ids[i], &w));
        if (w->item.import_mark > r.id) w->item.import_mark = r.id;
    }
    if (n) return spd_unpark(tx, &p, ids, n, SPD_SV_NONE, "order", SPD_SV_NONE);
    TRY(spd_tx_item(tx, p.item, &w));
    return spd_alert_unmatched(tx, w, &p, &r);
}
