/* src/core/results.c: an AI result comes in: which model, which items, what it supersedes (domain
 * §3).
 *
 * A positive is never lost: what fits nobody is parked (parked.c). A re-run on the same input that
 * turns positive into negative without its sender calling it a correction is a contradiction for a
 * person: both results stay, the most urgent counts. */
#include "core/internal.h"

/* Results of one item that are looked at: the newest, and every positive one that stands. More than
 * so many positives are no study any more but a sender gone wild: then the first and the last. */
enum { RESULTS_AT_ONCE = 512, POSITIVES_AT_ONCE = 4096 };

enum spd_mode spd_result_mode(struct spd_tx *tx, const struct spd_result *r)
{
    const struct spd_model *m =
        r->model.len ? spd_models_get(tx->core->rules->models, r->model) : NULL;
    struct spd_model_version v;
    int64_t id;
    if (!m) return SPD_MODE_SHADOW;
    if (spd_store_find_one(tx->st, SPD_KEY_MODEL_VERSION, spd_key_join(tx->a, r->model, r->version),
                           &id, NULL) == SPD_OK &&
        spd_get_model_version(tx->st, id, &v, tx->a, NULL) == SPD_OK && v.mode)
        return (enum spd_mode)v.mode; /* set by a person, holds over the file */
    return spd_model_mode(m, r->version);
}

bool spd_model_live(struct spd_tx *tx, const struct spd_model *m)
{
    if (m->mode == SPD_MODE_LIVE) return true;
    for (size_t i = 0; i < m->n_versions; i++) {
        struct spd_result r = {.model = m->id, .version = m->versions[i]};
        if (spd_result_mode(tx, &r) == SPD_MODE_LIVE) return true;
    }
    return false;
}

/* The ids in question: what a flood of negative ones pushes out of the newest is only negative. */
static enum spd_rc ids_of_item(struct spd_tx *tx, spd_sv key, int64_t **ret, size_t *ret_n)
{
    int64_t *ids, *positive, *out;
    size_t n, n_positive, older = 0, k = 0;
    TRY(spd_tx_find(tx, SPD_KEY_RESULT_ITEM, key, &ids, &n));
    if (n <= RESULTS_AT_ONCE) {
        *ret = ids, *ret_n = n;
        return SPD_OK;
    }
    TRY(spd_tx_find(tx, SPD_KEY_RESULT_POSITIVE, key, &positive, &n_positive));
    ids += n - RESULTS_AT_ONCE;
    while (older < n_positive && positive[older] < ids[0])
        older++;
    out = SPD_NEW_N(tx->a, int64_t, POSITIVES_AT_ONCE + RESULTS_AT_ONCE);
    for (size_t i = 0; i < older; i++)
        if (i < POSITIVES_AT_ONCE / 2 || i + POSITIVES_AT_ONCE / 2 >= older) out[k++] = positive[i];
    memcpy(out + k, ids, RESULTS_AT_ONCE * sizeof *ids);
    *ret = out, *ret_n = k + RESULTS_AT_ONCE;
    return SPD_OK;
}

enum spd_rc spd_results_of_item(struct spd_tx *tx, int64_t item, struct spd_result **ret,
                                size_t *ret_n)
{
    int64_t *ids;
    size_t n, k = 0;
    TRY(ids_of_item(tx, spd_key_i64(tx->a, item), &ids, &n));
    *ret = SPD_NEW_N(tx->a, struct spd_result, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct spd_result *r = &(*ret)[k];
        TRY(spd_get_result(tx->st, ids[i], r, tx->a, tx->err));
        if (!r->superseded_by) {
            r->mode = (int32_t)spd_result_mode(tx, r);
            k++;
        }
    }
    *ret_n = k;
    return SPD_OK;
}

/* The site's operating point: a probability below it is not a flag, and is not a "no" either. */
static void apply_thresholds(struct spd_tx *tx, struct spd_result *r, const struct spd_model *m)
{
    bool positive = false, lowered = false;
    SPD_LIST_OWN(&r->findings, tx->a);
    for (size_t i = 0; i < r->findings.n; i++) {
        struct spd_finding *f = &r->findings.v[i];
        for (size_t k = 0; m && k < m->n_findings; k++) {
            const struct spd_model_finding *mf = &m->findings[k];
            if (!spd_sv_eq(mf->concept, f->concept) || mf->threshold < 0 || f->probability < 0)
                continue;
            if (f->present == SPD_PRESENT_YES && f->probability < mf->threshold) {
                f->present = SPD_PRESENT_UNCLEAR;
                lowered = true;
            } else if (f->present == SPD_PRESENT_UNSET && f->probability >= mf->threshold) {
                f->present = SPD_PRESENT_YES;
            }
        }
        positive |= f->present == SPD_PRESENT_YES;
    }
    if (positive && (r->state == SPD_AI_NOT_ANALYSED || r->state == SPD_AI_STATE_UNSET))
        r->state = SPD_AI_POSITIVE;
    if (!positive && lowered && r->state == SPD_AI_POSITIVE) {
        r->state = SPD_AI_NOT_ANALYSED;
        *SPD_LIST_PUSH(&r->notes, tx->a) =
            SPD_SV("below the operating point set for this model: no flag, and no negative");
    }
}

static bool same_texts(const spd_sv *a, size_t n, const spd_sv *b, size_t m)
{
    if (!n || n != m) return false;
    for (size_t i = 0; i < n; i++)
        if (!spd_list_has_text(b, m, a[i])) return false;
    return true;
}

static bool shares_text(const spd_sv *a, size_t n, const spd_sv *b, size_t m)
{
    for (size_t i = 0; i < n; i++)
        if (spd_list_has_text(b, m, a[i])) return true;
    return false;
}

static bool same_product(const struct spd_result *a, const struct spd_result *b)
{
    return spd_sv_eq(a->manufacturer, b->manufacturer) && spd_sv_eq(a->name, b->name);
}

/* Does r take the place of old? *ret_by_word: its sender says so (predecessor, same UID, marked).
 * Results of several products in one object stand side by side; sent again, each takes the place of
 * its own product's, and an object that now holds one result takes the place of all. */
static bool supersedes(const struct spd_result *r, const struct spd_result *old, bool *ret_by_word)
{
    bool same_model = r->model.len ? spd_sv_eq(r->model, old->model) : same_product(r, old);
    if (r->message && r->message == old->message) return false;
    *ret_by_word = true;
    if (old->sop_uid.len && spd_list_has_text(r->predecessors.v, r->predecessors.n, old->sop_uid))
        return true;
    if (r->sop_uid.len && spd_sv_eq(r->sop_uid, old->sop_uid))
        return !r->part || same_product(r, old) || (r->part == 1 && !old->part);
    if (!same_model) return false;
    *ret_by_word = r->correction;
    return shares_text(r->tracking.v, r->tracking.n, old->tracking.v, old->tracking.n) ||
           same_texts(r->instances.v, r->instances.n, old->instances.v, old->instances.n);
}

/* Is f said again by g? The concept, or the code where nobody mapped it; another side or site is
 * another finding (domain §3), where both say one. */
static bool said_again(const struct spd_finding *f, const struct spd_finding *g)
{
    if (g->present != SPD_PRESENT_YES || !spd_sv_eq(f->concept, g->concept)) return false;
    if (!f->concept.len &&
        !(spd_sv_eq(f->code.code, g->code.code) && spd_sv_eq(f->code.scheme, g->code.scheme)))
        return false;
    if (f->laterality.len && g->laterality.len && !spd_sv_eq(f->laterality, g->laterality) &&
        !spd_sv_is(g->laterality, "bilateral"))
        return false;
    return !f->site.len || !g->site.len || spd_sv_eq(f->site, g->site);
}

/* Is there something that old found and r does not? */
static bool finds_less(const struct spd_result *r, const struct spd_result *old)
{
    if (old->state == SPD_AI_POSITIVE && r->state != SPD_AI_POSITIVE) return true;
    for (size_t i = 0; i < old->findings.n; i++) {
        const struct spd_finding *f = &old->findings.v[i];
        bool again = f->present != SPD_PRESENT_YES;
        for (size_t k = 0; k < r->findings.n && !again; k++)
            again = said_again(f, &r->findings.v[k]);
        if (!again) return true;
    }
    return false;
}

/* Only a result that fits may touch another one, and only one of the same patient or on the same
 * items: what is parked, or from a model that readers do not see, takes nothing away from what
 * stands. */
static enum spd_rc may_replace(struct spd_tx *tx, const struct spd_result *r,
                               const struct spd_result *old, const int64_t *items, size_t n,
                               bool *ret)
{
    bool common;
    *ret = false;
    if (old->id >= r->id || old->superseded_by || (!n && old->items.n)) return SPD_OK;
    TRY(spd_same_patient(tx, &r->patient, &old->patient, &common));
    for (size_t i = 0; i < n && !common; i++)
        common = spd_list_has_i64(old->items.v, old->items.n, items[i]);
    *ret = common &&
           (spd_result_mode(tx, r) == SPD_MODE_LIVE || spd_result_mode(tx, old) != SPD_MODE_LIVE);
    return SPD_OK;
}

static enum spd_rc replace_one(struct spd_tx *tx, struct spd_result *r,
                               const struct spd_result *old)
{
    struct spd_result o = *old;
    o.superseded_by = r->id;
    TRY(spd_put_result(tx->st, &o, old, tx->err));
    for (size_t i = 0; i < old->items.n; i++) { /* also those that the new one does not name */
        struct spd_work *w;
        TRY(spd_tx_item(tx, old->items.v[i], &w));
        spd_tx_touch(tx, w, SPD_WHY_RESULT);
    }
    if (old->parked && !r->parked) {
        struct spd_parked p;
        if (spd_get_parked(tx->st, old->parked, &p, tx->a, NULL) == SPD_OK && !p.closed)
            TRY(spd_unpark(tx, &p, NULL, 0, SPD_SV_NONE, "superseded", SPD_SV_NONE));
    }
    return SPD_OK;
}

struct ids {
    int64_t *v;
    size_t n;
};

/* Earlier results that may be about the same: of the study, of the object and, of a result that is
 * no object (HL7) and may name no study, of its items. Each once. */
static enum spd_rc earlier(struct spd_tx *tx, const struct spd_result *r, const int64_t *items,
                           size_t n_items, struct ids *ret)
{
    int64_t *ids;
    size_t n;
    bool no_object = !r->sop_uid.len && r->tracking.n;
    for (size_t k = 0; k < 2 + (no_object ? n_items : 0); k++) {
        spd_sv key = k == 0   ? r->study_uid
                     : k == 1 ? r->sop_uid
                              : spd_key_i64(tx->a, items[k - 2]);
        if (!key.len) continue;
        TRY(spd_tx_find(tx,
                        k == 0   ? SPD_KEY_RESULT_STUDY
                        : k == 1 ? SPD_KEY_RESULT_SOP
                                 : SPD_KEY_RESULT_ITEM,
                        key, &ids, &n));
        for (size_t i = 0; i < n; i++)
            if (ids[i] != r->id && (!k || !spd_list_has_i64(ret->v, ret->n, ids[i])))
                *SPD_LIST_ADD(ret, tx->a) = ids[i];
    }
    return SPD_OK;
}

/* Earlier results that this one, which fits these items, replaces or contradicts; without items,
 * only those that wait for an order as well. */
static enum spd_rc settle_with_earlier(struct spd_tx *tx, struct spd_result *r,
                                       const int64_t *items, size_t n_items)
{
    struct ids ids = {NULL, 0};
    TRY(earlier(tx, r, items, n_items, &ids));
    for (size_t i = 0; i < ids.n; i++) {
        struct spd_result old;
        bool by_word, may;
        TRY(spd_get_result(tx->st, ids.v[i], &old, tx->a, tx->err));
        if (!supersedes(r, &old, &by_word)) continue;
        if (r->correction && !r->version.len) { /* a withdrawal that names no more than the model */
            r->version = old.version;
            r->mode = (int32_t)spd_result_mode(tx, r);
        }
        TRY(may_replace(tx, r, &old, items, n_items, &may));
        if (!may) continue;
        if (by_word) {
            r->correction = 1;
        } else if (finds_less(r, &old)) { /* nobody called it a correction: the finding stays */
            if (r->state == SPD_AI_POSITIVE || r->state == SPD_AI_NEGATIVE ||
                r->state == SPD_AI_NORMAL)
                r->contradicts = old.id;
            continue;
        }
        TRY(replace_one(tx, r, &old));
    }
    return SPD_OK;
}

static enum spd_rc count_model(struct spd_tx *tx, const struct spd_result *r)
{
    struct spd_model_version v = {0}, old;
    int64_t id;
    enum spd_rc rc;
    if (!r->model.len) return SPD_OK;
    rc = spd_store_find_one(tx->st, SPD_KEY_MODEL_VERSION,
                            spd_key_join(tx->a, r->model, r->version), &id, tx->err);
    if (rc == SPD_OK) {
        TRY(spd_get_model_version(tx->st, id, &old, tx->a, tx->err));
        v = old;
    } else if (rc == SPD_NOTFOUND) {
        v.id = spd_tx_id(tx, SPD_T_MODEL_VERSION);
        v.model = r->model, v.version = r->version, v.since = tx->now;
    } else {
        return rc;
    }
    v.results++;
    v.last_result = tx->now;
    v.late = 0; /* it speaks again */
    if (r->state == SPD_AI_POSITIVE) v.positives++;
    TRY(spd_tx_alarm_clear(tx, "model-silent", r->model));
    return spd_put_model_version(tx->st, &v, rc == SPD_OK ? &old : NULL, tx->err);
}

/* A finding on an order whose cancel a person had confirmed: nobody knew of it then. Not where
 * another order shows it. */
static enum spd_rc show_again(struct spd_tx *tx, const struct spd_result *r, const int64_t *items,
                              size_t n)
{
    bool shown = r->state != SPD_AI_POSITIVE || spd_result_mode(tx, r) != SPD_MODE_LIVE;
    struct spd_work *w;
    for (size_t i = 0; i < n && !shown; i++) {
        TRY(spd_tx_item(tx, items[i], &w));
        shown = w->item.order != SPD_ORDER_CANCELLED || !w->item.cancel_confirmed;
    }
    for (size_t i = 0; i < n && !shown; i++) {
        TRY(spd_tx_item(tx, items[i], &w));
        w->item.cancel_confirmed = 0;
    }
    return SPD_OK;
}

static void note(struct spd_tx *tx, struct spd_result *r, const char *text)
{
    spd_sv v = spd_sv_from(text);
    if (spd_list_has_text(r->notes.v, r->notes.n, v)) return;
    SPD_LIST_OWN(&r->notes, tx->a);
    *SPD_LIST_PUSH(&r->notes, tx->a) = v;
}

/* A result that waited somewhere (a downtime, a queue) counts and shows, and pages nobody. */
static void too_old_to_page(struct spd_tx *tx, struct spd_result *r)
{
    r->queued_old = tx->now - spd_result_time(r) > spd_policy_ai_age(tx->core->rules->policy);
    if (r->queued_old && r->state == SPD_AI_POSITIVE)
        note(tx, r, "older than the policy allows (ai_age) when it came: nobody was paged");
}

static bool is_placeholder(spd_sv v)
{
    static const char *const words[] = {"onbekend", "unknown", "anonymous",
                                        "anoniem",  "noname",  "nn"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (spd_sv_ieq(v, spd_sv_from(words[i]))) return true;
    return !v.len;
}

/* A number in common decides; name, birth date and sex only warn, and a placeholder contradicts
 * nothing (domain §1). */
static void warn_of_person(struct spd_tx *tx, struct spd_result *r, const struct spd_patient *order)
{
    const struct spd_patient *p = &r->patient;
    size_t at;
    spd_sv a =
        spd_sv_trim(spd_sv_find(p->name, SPD_SV(","), &at) ? spd_sv_of(p->name.ptr, at) : p->name);
    spd_sv b = spd_sv_trim(
        spd_sv_find(order->name, SPD_SV(","), &at) ? spd_sv_of(order->name.ptr, at) : order->name);
    if (!is_placeholder(a) && !is_placeholder(b) && !spd_sv_ieq(a, b))
        note(tx, r, "the name differs from that of the order: check the patient");
    a = p->birth_date, b = order->birth_date;
    if (a.len == 8 && b.len == 8 && !spd_sv_is(a, "19000101") && !spd_sv_is(b, "19000101") &&
        !spd_sv_eq(a, b))
        note(tx, r, "the birth date differs from that of the order: check the patient");
    a = p->sex, b = order->sex;
    if ((spd_sv_is(a, "M") && spd_sv_is(b, "F")) || (spd_sv_is(a, "F") && spd_sv_is(b, "M")))
        note(tx, r, "the sex differs from that of the order: check the patient");
}

/* Gives a result to items: they have arrived, and are decided on. */
enum spd_rc spd_result_apply(struct spd_tx *tx, struct spd_result *r, const struct spd_result *old,
                             const int64_t *items, size_t n)
{
    r->parked = 0;
    TRY(settle_with_earlier(tx, r, items, n));
    TRY(show_again(tx, r, items, n));
    SPD_LIST_OWN(&r->items, tx->a);
    for (size_t i = 0; i < n; i++) {
        struct spd_work *w;
        TRY(spd_tx_item(tx, items[i], &w));
        if (!spd_list_has_i64(r->items.v, r->items.n, items[i]))
            *SPD_LIST_PUSH(&r->items, tx->a) = items[i];
        if (!w->item.images_first) w->item.images_first = spd_result_time(r);
        spd_life_apply(&w->item,
                       SPD_LIFE_IMAGE); /* the first AI result proves arrival (domain §2) */
        TRY(spd_link_study(tx, w, r->study_uid));
        if (!w->item.modality.len) w->item.modality = r->modality;
        warn_of_person(tx, r, &w->item.patient);
        spd_tx_touch(tx, w, SPD_WHY_RESULT);
    }
    return spd_put_result(tx->st, r, old, tx->err);
}

static enum spd_rc place(struct spd_tx *tx, struct spd_result *r, bool known_peer)
{
    int64_t *ids;
    size_t n;
    bool differs;
    if (!known_peer)
        return spd_park_result(tx, r, "unlisted-peer", "De zender staat niet in de configuratie.",
                               "The sender is not in the configuration.", false);
    TRY(spd_find_items_of(tx, r->study_uid, &r->accession, &r->patient, &ids, &n, &differs));
    if (n) {
        tx->r->did = SPD_DID_APPLY;
        return spd_result_apply(tx, r, NULL, ids, n);
    }
    TRY(settle_with_earlier(tx, r, NULL, 0));
    if (!r->patient.ids.n)
        return spd_park_result(tx, r, "no-identifier", "Het resultaat noemt geen patiëntnummer.",
                               "The result names no patient identifier.", true);
    if (differs)
        return spd_park_result(tx, r, "patient-differs",
                               "Onderzoek of aanvraagnummer klopt, de patiënt niet.",
                               "Study or accession agree, the patient does not.", true);
    return spd_park_result(tx, r, "no-order", "Nog geen aanvraag bij dit onderzoek.",
                           "No order for this study yet.", true);
}

/* The same object by another way (a PACS that hands over what its sender has sent here as well):
 * the first one stands, with what people did about it. */
static enum spd_rc heard_already(struct spd_tx *tx, const struct spd_result *r, int64_t *ret)
{
    int64_t *ids;
    size_t n;
    *ret = 0;
    if (!r->sop_uid.len) return SPD_OK;
    TRY(spd_tx_find(tx, SPD_KEY_RESULT_SOP, r->sop_uid, &ids, &n));
    for (size_t i = 0; i < n && !*ret; i++) {
        struct spd_result old;
        TRY(spd_get_result(tx->st, ids[i], &old, tx->a, tx->err));
        struct spd_parked p = {0};
        if (!old.items.n && (!old.parked || spd_get_parked(tx->st, old.parked, &p, tx->a, NULL) ||
                             spd_sv_is(p.why, "unlisted-peer")))
            continue;
        if (old.superseded_by || old.state != r->state || old.findings.n != r->findings.n ||
            !spd_sv_eq(old.study_uid, r->study_uid) || !spd_sv_eq(old.version, r->version) ||
            (r->part && !same_product(&old, r)) ||
            !spd_desc_equal(&spd_patient_desc, &old.patient, &r->patient))
            continue;
        *ret = ids[i];
        for (size_t k = 0; k < r->findings.n; k++)
            if (!spd_desc_equal(&spd_finding_desc, &old.findings.v[k], &r->findings.v[k])) *ret = 0;
        if (*ret) tx->r->items = old.items.v, tx->r->n_items = old.items.n;
    }
    return SPD_OK;
}

/* One result of an object: what the receipt says of it stands in tx->r. */
static enum spd_rc take(struct spd_tx *tx, const struct spd_result_event *e, struct spd_result *r)
{
    const struct spd_model *m;
    r->at = tx->now;
    r->message = tx->message;
    r->peer = e->message.peer;
    spd_default_authorities(tx, &r->patient, &r->accession);
    m = spd_models_match(tx->core->rules->models, r->manufacturer, r->name, r->version);
    r->model = m ? m->id : SPD_SV_NONE;
    if (m && !r->link.len) r->link = m->link;
    apply_thresholds(tx, r, m);
    r->mode = (int32_t)spd_result_mode(tx, r);
    if (!r->state) r->state = SPD_AI_NOT_ANALYSED;
    too_old_to_page(tx, r);
    tx->r->id = 0;
    if (e->known_peer) TRY(heard_already(tx, r, &tx->r->id));
    if (tx->r->id) {
        tx->r->did = SPD_DID_DUPLICATE;
        spd_tx_say(tx, "duplicate", "Al eerder ontvangen; geen tweede gevolg.",
                   "Received before; no second effect.");
        return SPD_OK;
    }
    r->id = tx->r->id = spd_tx_id(tx, SPD_T_RESULT);
    TRY(place(tx, r, e->known_peer));
    TRY(spd_companions_of(tx, r));
    return e->known_peer ? count_model(tx, r) : SPD_OK; /* a stranger speaks for no model */
}

enum spd_rc spd_result_in(struct spd_tx *tx, const struct spd_result_event *e)
{
    struct spd_receipt first = {0};
    int64_t parked = 0;
    bool dup;
    TRY(spd_message_begin(tx, &e->message, &dup));
    if (dup) return SPD_OK;
    if (!e->known_peer && !e->message.peer.len && !e->not_a_result) {
        bool full;
        TRY(spd_stranger_comes(tx, e->message.sender, &full));
        if (full) return SPD_OK;
    }
    if (e->not_a_result) {
        tx->r->did = SPD_DID_IGNORE;
        tx->r->reason = SPD_SV("not-a-result");
        tx->r->reason_en = tx->r->reason_nl = e->why;
        return spd_message_end(tx, &e->message, spd_arena_dup(tx->a, e->why).ptr, 0);
    }
    if (e->companions.n) return spd_companion_in(tx, e);
    for (size_t i = 0; i <= e->more.n; i++) {
        struct spd_result r = i ? e->more.v[i - 1] : e->result;
        TRY(take(tx, e, &r));
        if (tx->r->did != SPD_DID_DUPLICATE) TRY(spd_summary_out(tx, &r));
        if (!parked) parked = r.parked;
        /* the receipt is that of the first one that had an effect */
        if (!i || (first.did == SPD_DID_DUPLICATE && tx->r->did != SPD_DID_DUPLICATE))
            first = *tx->r;
    }
    *tx->r = first;
    if (first.did != SPD_DID_DUPLICATE) TRY(spd_result_out(tx, e));
    return spd_message_end(tx, &e->message, spd_arena_dup(tx->a, tx->r->reason).ptr, parked);
}
