/* src/core/merge.c: two patient numbers become one, and two again (domain §1). Not here: what a
 * number became and which orders that makes the patient's (identity.c).
 *
 * A merge is a stored fact. It changes no order for good: what an order shows is worked out from
 * its own numbers and the merges in force, so a merge holds for orders and results that come later,
 * chains resolve by themselves, and undoing one leaves every order with what its own messages say.
 * Alerts keep their timers, steps and acknowledgement; only the sequence that keeps a finding from
 * being paged twice takes the number that is in force. */
#include "core/internal.h"

/* Orders of either number, or of one that a merge ties to them, as work entries. */
static enum spd_rc orders_of(struct spd_tx *tx, const struct spd_merge *m, struct spd_seq *ret)
{
    struct spd_cx ends[] = {m->from, m->to};
    struct spd_patient both = {0};
    struct spd_seq seen = {NULL, 0}, numbers;
    *ret = (struct spd_seq){NULL, 0};
    both.ids.v = ends, both.ids.n = 2;
    TRY(spd_patient_class(tx, &both, &numbers));
    for (size_t e = 0; e < numbers.n; e++) {
        const struct spd_cx *number = (const struct spd_cx *)numbers.v + e;
        int64_t *ids;
        size_t n;
        TRY(spd_tx_find(tx, SPD_KEY_ITEM_PATIENT, spd_key_cx(tx->a, number), &ids, &n));
        for (size_t i = 0; i < n; i++) {
            if (spd_list_has_i64(seen.v, seen.n, ids[i])) continue;
            *(int64_t *)spd_list_add(&seen, sizeof(int64_t), tx->a) = ids[i];
            TRY(spd_tx_item(
                tx, ids[i],
                (struct spd_work **)spd_list_add(ret, sizeof(struct spd_work *), tx->a)));
        }
    }
    return SPD_OK;
}

static enum spd_rc identify(struct spd_tx *tx, struct spd_work *w, bool *ret_changed)
{
    struct spd_patient was = w->item.patient;
    TRY(spd_item_identify(tx, &w->item));
    *ret_changed = !spd_desc_equal(&spd_patient_desc, &was, &w->item.patient);
    w->merged = *ret_changed;
    if (!*ret_changed) return SPD_OK;
    TRY(spd_tx_flush_item(tx, w)); /* so that the look-ups after it see it */
    spd_tx_touch(tx, w, spd_item_open(&w->item) ? SPD_WHY_PATIENT : 0);
    return SPD_OK;
}

/* The name that goes on, for orders that a merge has just reached; own keeps theirs. */
static void show_name(struct spd_work *w, const struct spd_merge *m, const struct spd_patient *p)
{
    for (size_t i = 0; i < p->ids.n; i++) {
        if (!spd_cx_eq(&p->ids.v[i], &m->to)) continue;
        if (p->name.len) w->item.patient.name = p->name;
        if (p->birth_date.len) w->item.patient.birth_date = p->birth_date;
        if (p->sex.len) w->item.patient.sex = p->sex;
    }
}

/* Another merge still holds for the order: it shows again what it showed before this one. */
static void unshow_name(struct spd_work *w, const struct spd_merge *m)
{
    for (size_t i = 0; w->item.own.ids.n && i < m->items.n && i < m->shown.n; i++) {
        if (m->items.v[i] != w->item.id) continue;
        w->item.patient.name = m->shown.v[i].name;
        w->item.patient.birth_date = m->shown.v[i].birth_date;
        w->item.patient.sex = m->shown.v[i].sex;
    }
}

/* What waited for the two to be one, or to be two. */
static enum spd_rc try_again(struct spd_tx *tx, const struct spd_seq *works, bool share)
{
    struct spd_work *const *w = works->v;
    tx->merging = true;
    for (size_t i = 0; i < works->n; i++) {
        if (w[i]->item.unmatched) continue;
        TRY(spd_link_studies(tx, w[i]));
        if (share) TRY(spd_share_results(tx, w[i], false));
        TRY(spd_try_parked(tx, w[i]));
        TRY(spd_try_parked_reports(tx, w[i]));
    }
    tx->merging = false;
    return SPD_OK;
}

static spd_sv numbered(struct spd_tx *tx, const struct spd_merge *m)
{
    return spd_arena_printf(tx->a, "merge %lld", (long long)m->id);
}

static void keep(struct spd_tx *tx, struct spd_merge *m, const struct spd_item *i)
{
    struct spd_order_kept *k = SPD_LIST_PUSH(&m->kept, tx->a);
    k->item = i->id;
    k->images = i->images, k->images_first = i->images_first;
    k->images_complete = i->images_complete, k->exam_done = i->exam_done;
    k->study_uids.v = i->study_uids.v, k->study_uids.n = i->study_uids.n;
}

static const struct spd_order_kept *kept_of(const struct spd_merge *m, const struct spd_work *w)
{
    for (size_t i = 0; i < m->kept.n; i++)
        if (m->kept.v[i].item == w->item.id) return &m->kept.v[i];
    return NULL;
}

static enum spd_rc apply(struct spd_tx *tx, struct spd_merge *m, const struct spd_patient *p)
{
    struct spd_merge stored;
    struct spd_seq works, asking = {NULL, 0};
    struct spd_work *const *w;
    TRY(spd_put_merge(tx->st, m, NULL, tx->err));
    stored = *m;
    TRY(orders_of(tx, m, &works));
    w = works.v;
    for (size_t i = 0; i < works.n; i++) {
        struct spd_patient shown = w[i]->item.patient;
        bool changed;
        if (!w[i]->item.unmatched) keep(tx, m, &w[i]->item);
        if (w[i]->item.ask_person)
            *(struct spd_work **)spd_list_add(&asking, sizeof(struct spd_work *), tx->a) = w[i];
        TRY(identify(tx, w[i], &changed));
        if (!changed) continue;
        show_name(w[i], m, p);
        *SPD_LIST_PUSH(&m->items, tx->a) = w[i]->item.id;
        *SPD_LIST_PUSH(&m->shown, tx->a) = shown;
        TRY(spd_alerts_rename(tx, w[i]));
        TRY(spd_tx_audit(tx, m->peer, "merge", w[i]->item.id, 0, numbered(tx, m)));
    }
    TRY(try_again(tx, &works, true));
    w = asking.v;
    for (size_t i = 0; i < asking.n; i++)
        if (!w[i]->item.ask_person) *SPD_LIST_PUSH(&m->answered, tx->a) = w[i]->item.id;
    return m->kept.n || m->items.n ? spd_put_merge(tx->st, m, &stored, tx->err) : SPD_OK;
}

/* ---- undoing --------------------------------------------------------------------------------- */
struct held { /* a result of an order, and whether it was of the order's patient before */
    struct spd_work *w;
    int64_t result;
};

/* Results that fit now; those that a person gave to the order stay whatever its patient. */
static enum spd_rc fitting(struct spd_tx *tx, const struct spd_seq *works, struct spd_seq *ret)
{
    *ret = (struct spd_seq){NULL, 0};
    for (size_t i = 0; i < works->n; i++) {
        struct spd_work *w = ((struct spd_work **)works->v)[i];
        int64_t *ids;
        size_t n;
        TRY(spd_tx_find(tx, SPD_KEY_RESULT_ITEM, spd_key_i64(tx->a, w->item.id), &ids, &n));
        for (size_t k = 0; k < n; k++) {
            struct spd_result r;
            bool fits;
            TRY(spd_get_result(tx->st, ids[k], &r, tx->a, tx->err));
            if (spd_list_has_i64(r.assigned.v, r.assigned.n, w->item.id)) continue;
            TRY(spd_item_is_of(tx, &w->item, &r.patient, &fits));
            if (fits)
                *(struct held *)spd_list_add(ret, sizeof(struct held), tx->a) =
                    (struct held){w, ids[k]};
        }
    }
    return SPD_OK;
}

/* ---- studies --------------------------------------------------------------------------------- */
struct linked { /* a study that an order has because their patients are one */
    struct spd_work *w;
    int64_t study;
};

static enum spd_rc fits_study(struct spd_tx *tx, const struct spd_work *w, int64_t study,
                              struct spd_study *ret, bool *ret_fits)
{
    TRY(spd_get_study(tx->st, study, ret, tx->a, tx->err));
    return spd_item_is_of(tx, &w->item, &ret->patient, ret_fits);
}

static enum spd_rc linked_studies(struct spd_tx *tx, const struct spd_seq *works,
                                  struct spd_seq *ret)
{
    *ret = (struct spd_seq){NULL, 0};
    for (size_t i = 0; i < works->n; i++) {
        struct spd_work *w = ((struct spd_work **)works->v)[i];
        for (size_t k = 0; !w->item.unmatched && k < w->item.study_uids.n; k++) {
            struct spd_study s;
            int64_t id;
            bool fits;
            enum spd_rc rc = spd_store_find_one(tx->st, SPD_KEY_STUDY_UID, w->item.study_uids.v[k],
                                                &id, tx->err);
            if (rc == SPD_NOTFOUND) continue;
            if (rc) return rc;
            TRY(fits_study(tx, w, id, &s, &fits));
            if (fits)
                *(struct linked *)spd_list_add(ret, sizeof(struct linked), tx->a) =
                    (struct linked){w, id};
        }
    }
    return SPD_OK;
}

/* Evidence that an order has no longer. */
struct gone {
    spd_usec at[3];    /* when its images, or the result, were first heard of */
    spd_usec complete; /* of its study */
    spd_usec ended[2]; /* the first and the last of its steps */
};

static bool is_of(const struct gone *g, spd_usec first)
{
    return first == g->at[0] || first == g->at[1] || first == g->at[2];
}

static enum spd_rc gone_with(struct spd_tx *tx, spd_sv study, const struct spd_result *r,
                             struct gone *ret)
{
    struct spd_study s;
    int64_t id;
    *ret = (struct gone){0};
    if (r) ret->at[1] = spd_result_time(r), ret->at[2] = r->at;
    enum spd_rc rc = spd_store_find_one(tx->st, SPD_KEY_STUDY_UID, study, &id, tx->err);
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    TRY(spd_get_study(tx->st, id, &s, tx->a, tx->err));
    ret->at[0] = s.first_at, ret->complete = s.complete_at;
    for (size_t i = 0; i < s.steps.n; i++) {
        if (!i) ret->ended[0] = s.steps.v[i].ended;
        ret->ended[1] = s.steps.v[i].ended;
    }
    return SPD_OK;
}

/* What is left says the same: the time is not of what is gone. */
static enum spd_rc left_says(struct spd_tx *tx, const struct spd_work *w, struct gone *g)
{
    const struct spd_item *i = &w->item;
    for (size_t k = 0; k < i->study_uids.n; k++) {
        struct spd_study s;
        int64_t id;
        enum spd_rc rc =
            spd_store_find_one(tx->st, SPD_KEY_STUDY_UID, i->study_uids.v[k], &id, tx->err);
        if (rc == SPD_NOTFOUND) continue;
        if (!rc) rc = spd_get_study(tx->st, id, &s, tx->a, tx->err);
        if (rc) return rc;
        if (s.first_at && s.first_at == i->images_first) memset(g->at, 0, sizeof g->at);
        if (s.complete_at && s.complete_at == i->images_complete) g->complete = 0;
    }
    return SPD_OK;
}

/* Its results prove images; where the time is to be worked out again, those that came before any
 * other evidence say it. */
static enum spd_rc see_results(struct spd_tx *tx, struct spd_work *w, bool anew)
{
    struct spd_item *i = &w->item;
    int64_t *ids;
    size_t n;
    TRY(spd_tx_find(tx, SPD_KEY_RESULT_ITEM, spd_key_i64(tx->a, i->id), &ids, &n));
    if (n) spd_life_apply(i, SPD_LIFE_IMAGE);
    for (size_t k = 0; anew && k < n; k++) {
        struct spd_result r;
        TRY(spd_get_result(tx->st, ids[k], &r, tx->a, tx->err));
        if (!i->images_first || (r.at <= i->images_first && spd_result_time(&r) < i->images_first))
            i->images_first = spd_result_time(&r);
    }
    return SPD_OK;
}

/* What was known before the merge is the order's own. */
static void see_kept(struct spd_item *i, const struct spd_order_kept *k)
{
    if (!k) return;
    if (k->images >= SPD_IMAGES_PARTIAL) spd_life_apply(i, SPD_LIFE_IMAGE);
    if (k->images == SPD_IMAGES_COMPLETE) spd_life_apply(i, SPD_LIFE_COMPLETE);
    if (k->images_first) i->images_first = k->images_first;
    if (k->images_complete) i->images_complete = k->images_complete;
    if (k->exam_done) i->exam_done = k->exam_done;
}

/* What is left says of its images; a time that did not come from what is gone stands. Without any
 * it was not scanned, and goes back to the modality worklist. */
static enum spd_rc see_images(struct spd_tx *tx, const struct spd_merge *m, struct spd_work *w,
                              struct gone *g)
{
    struct spd_item *i = &w->item;
    TRY(left_says(tx, w, g));
    const spd_usec first = is_of(g, i->images_first) ? 0 : i->images_first,
                   complete = i->images_complete == g->complete ? 0 : i->images_complete;
    if (i->exam_done && (i->exam_done == g->ended[0] || i->exam_done == g->ended[1]))
        i->exam_done = 0;
    i->images = SPD_IMAGES_NONE, i->images_first = i->images_complete = 0;
    if (first) spd_life_apply(i, SPD_LIFE_IMAGE), i->images_first = first;
    if (complete) spd_life_apply(i, SPD_LIFE_COMPLETE), i->images_complete = complete;
    TRY(spd_link_studies(tx, w)); /* those that are the order's by its accession number */
    for (size_t k = 0; k < i->study_uids.n; k++)
        TRY(spd_link_study(tx, w, i->study_uids.v[k]));
    TRY(spd_item_acquiring(tx, w));
    TRY(see_results(tx, w, !first));
    see_kept(i, kept_of(m, w));
    if (i->images == SPD_IMAGES_NONE && !i->exam_done)
        i->arrived = i->due = i->raised_at = 0, i->wait_level = 0;
    spd_tx_touch(tx, w, SPD_WHY_STUDY);
    return SPD_OK;
}

/* ---- letting go -------------------------------------------------------------------------------
 */
static const char gone_nl[] = "Een samenvoeging van patiënten is ongedaan gemaakt: dit resultaat "
                              "is van een ander.",
                  gone_en[] = "A merge of patients was undone: this result is another's.";

/* What this result took the place of, while they were of one patient, stands again. */
static enum spd_rc give_back(struct spd_tx *tx, const struct spd_result *r)
{
    int64_t *ids;
    size_t n;
    if (!r->study_uid.len) return SPD_OK;
    TRY(spd_tx_find(tx, SPD_KEY_RESULT_STUDY, r->study_uid, &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_result was, now;
        bool same;
        TRY(spd_get_result(tx->st, ids[i], &was, tx->a, tx->err));
        if (was.superseded_by != r->id) continue;
        TRY(spd_same_patient(tx, &was.patient, &r->patient, &same));
        for (size_t k = 0; k < was.items.n && !same; k++)
            same = spd_list_has_i64(r->items.v, r->items.n, was.items.v[k]);
        if (same) continue;
        now = was;
        now.superseded_by = 0;
        TRY(spd_put_result(tx->st, &now, &was, tx->err));
        for (size_t k = 0; k < now.items.n; k++) {
            struct spd_work *w;
            TRY(spd_tx_item(tx, now.items.v[k], &w));
            spd_tx_touch(tx, w, SPD_WHY_RESULT);
        }
        if (!now.items.n) TRY(spd_park_result(tx, &now, "merge-undone", gone_nl, gone_en, true));
    }
    return SPD_OK;
}

/* A superseded one leaves quietly; a current one takes its alerts along, or they end and everyone
 * who was paged is told. */
static enum spd_rc release(struct spd_tx *tx, struct spd_work *w, int64_t result)
{
    struct spd_result r;
    int64_t other;
    TRY(spd_get_result(tx->st, result, &r, tx->a, tx->err));
    if (!spd_list_has_i64(r.items.v, r.items.n, w->item.id)) return SPD_OK;
    spd_tx_touch(tx, w, SPD_WHY_RESULT);
    if (r.superseded_by) {
        struct spd_result left = r;
        left.items.v = NULL, left.items.n = 0;
        for (size_t i = 0; i < r.items.n; i++)
            if (r.items.v[i] != w->item.id) *SPD_LIST_PUSH(&left.items, tx->a) = r.items.v[i];
        TRY(spd_put_result(tx->st, &left, &r, tx->err));
    } else {
        TRY(spd_result_detach(tx, w, &r, "merge-undone", gone_nl, gone_en, &other));
        TRY(spd_alerts_detach_of(tx, w, result, other, gone_nl, gone_en));
    }
    TRY(spd_get_result(tx->st, result, &r, tx->a, tx->err));
    return give_back(tx, &r);
}

/* Does anything but the merge say that this study is the order's: its own messages, the study's
 * accession number, a result by that number or by a person's word? */
static enum spd_rc has_ground(struct spd_tx *tx, const struct spd_merge *m,
                              const struct spd_work *w, spd_sv study, const int64_t *ids, size_t n,
                              bool *ret)
{
    const struct spd_item *i = &w->item;
    const struct spd_order_kept *had = kept_of(m, w);
    struct spd_study s;
    int64_t id;
    *ret = spd_list_has_text(i->named_studies.v, i->named_studies.n, study) ||
           (had && spd_list_has_text(had->study_uids.v, had->study_uids.n, study));
    enum spd_rc rc = spd_store_find_one(tx->st, SPD_KEY_STUDY_UID, study, &id, tx->err);
    if (rc && rc != SPD_NOTFOUND) return rc;
    if (!rc && !*ret) {
        TRY(fits_study(tx, w, id, &s, ret));
        *ret = *ret && spd_cx_eq(&s.accession, &i->accession);
    }
    for (size_t k = 0; k < n && !*ret; k++) {
        struct spd_result r;
        TRY(spd_get_result(tx->st, ids[k], &r, tx->a, tx->err));
        *ret =
            spd_sv_eq(r.study_uid, study) && (spd_cx_eq(&r.accession, &i->accession) ||
                                              spd_list_has_i64(r.assigned.v, r.assigned.n, i->id));
    }
    return SPD_OK;
}

/* The order has this study no longer, nor results that it had by the study alone. */
static enum spd_rc drop_study(struct spd_tx *tx, const struct spd_merge *m, struct spd_work *w,
                              spd_sv study)
{
    struct spd_item *i = &w->item;
    int64_t *ids;
    size_t n;
    bool keep_it;
    TRY(spd_tx_find(tx, SPD_KEY_RESULT_ITEM, spd_key_i64(tx->a, i->id), &ids, &n));
    TRY(has_ground(tx, m, w, study, ids, n, &keep_it));
    if (keep_it) return SPD_OK;
    for (size_t k = 0; k < n; k++) {
        struct spd_result r;
        TRY(spd_get_result(tx->st, ids[k], &r, tx->a, tx->err));
        if (spd_sv_eq(r.study_uid, study)) TRY(release(tx, w, ids[k]));
    }
    const struct spd_seq had = {i->study_uids.v, i->study_uids.n};
    i->study_uids.v = NULL, i->study_uids.n = 0;
    for (size_t k = 0; k < had.n; k++) {
        spd_sv uid = ((const spd_sv *)had.v)[k];
        if (!spd_sv_eq(uid, study)) *SPD_LIST_PUSH(&i->study_uids, tx->a) = uid;
    }
    return SPD_OK;
}

static enum spd_rc let_go(struct spd_tx *tx, const struct spd_merge *m, const struct held *h)
{
    struct spd_result r;
    struct gone gone;
    bool fits;
    TRY(spd_get_result(tx->st, h->result, &r, tx->a, tx->err));
    TRY(spd_item_is_of(tx, &h->w->item, &r.patient, &fits));
    if (fits) return SPD_OK;
    TRY(release(tx, h->w, h->result));
    TRY(drop_study(tx, m, h->w, r.study_uid));
    TRY(gone_with(tx, r.study_uid, &r, &gone));
    return see_images(tx, m, h->w, &gone);
}

static enum spd_rc let_study_go(struct spd_tx *tx, const struct spd_merge *m,
                                const struct linked *l)
{
    struct spd_study s;
    struct gone gone;
    bool fits;
    TRY(fits_study(tx, l->w, l->study, &s, &fits));
    if (fits) return SPD_OK;
    TRY(drop_study(tx, m, l->w, s.study_uid));
    TRY(gone_with(tx, s.study_uid, NULL, &gone));
    return see_images(tx, m, l->w, &gone);
}

struct undoing {
    spd_sv by, reason;
    spd_usec time; /* source time of the word that undoes it */
};

static enum spd_rc undo(struct spd_tx *tx, const struct spd_merge *old, const struct undoing *u)
{
    struct spd_merge m = *old;
    struct spd_seq works, had, studies;
    TRY(orders_of(tx, old, &works));
    TRY(fitting(tx, &works, &had));
    TRY(linked_studies(tx, &works, &studies));
    m.undone = tx->now, m.undone_time = u->time, m.undone_by = u->by, m.undone_reason = u->reason;
    m.undone_message = tx->message;
    TRY(spd_put_merge(tx->st, &m, old, tx->err));
    for (size_t i = 0; i < works.n; i++) {
        struct spd_work *w = ((struct spd_work **)works.v)[i];
        bool changed;
        TRY(identify(tx, w, &changed));
        if (!changed) continue;
        unshow_name(w, &m);
        TRY(spd_alerts_rename(tx, w));
        TRY(spd_tx_audit(tx, u->by, "merge-undone", w->item.id, 0, numbered(tx, &m)));
    }
    for (size_t i = 0; i < had.n; i++)
        TRY(let_go(tx, &m, (const struct held *)had.v + i));
    for (size_t i = 0; i < m.answered.n; i++) { /* the question stands again */
        struct spd_work *w;
        TRY(spd_tx_item(tx, m.answered.v[i], &w));
        w->item.ask_person = 1;
        spd_tx_touch(tx, w, SPD_WHY_PATIENT);
    }
    for (size_t i = 0; i < studies.n; i++)
        TRY(let_study_go(tx, &m, (const struct linked *)studies.v + i));
    for (size_t i = 0; i < works.n; i++)
        TRY(spd_reports_review(tx, ((struct spd_work **)works.v)[i]));
    return try_again(tx, &works, false);
}

enum spd_rc spd_merge_act(struct spd_tx *tx, const struct spd_action_event *e)
{
    const struct undoing u = {e->by, e->reason, tx->now};
    struct spd_merge m;
    enum spd_rc rc = spd_get_merge(tx->st, e->merge, &m, tx->a, tx->err);
    if (rc == SPD_NOTFOUND)
        return spd_tx_refuse(tx, SPD_NOTFOUND, "no-such-merge", "Deze samenvoeging bestaat niet.",
                             "There is no such merge.");
    if (rc) return rc;
    if (m.undone)
        return spd_tx_refuse(tx, SPD_EXISTS, "undone", "Al ongedaan gemaakt.", "Undone already.");
    if (!e->reason.len)
        return spd_tx_refuse(tx, SPD_INVALID, "reason", "Geef een reden.", "Give a reason.");
    TRY(undo(tx, &m, &u));
    tx->r->did = SPD_DID_APPLY;
    tx->r->id = m.id;
    return spd_tx_audit(tx, e->by, spd_action_verb_names[e->verb], 0, 0, e->reason);
}

/* ---- messages -------------------------------------------------------------------------------- */
enum verdict { NEW, KNOWN, STALE, CYCLE, CONFLICT };

static bool same_scope(const struct spd_merge *m, const struct spd_merge_in *in)
{
    return spd_desc_equal(&spd_cx_desc, &m->account, &in->account) &&
           spd_desc_equal(&spd_cx_desc, &m->visit, &in->visit);
}

/* A merge from one number to another that is in force; *ret_undone: when the newest word that they
 * are two was said; 0 never. */
static enum spd_rc between(struct spd_tx *tx, const struct spd_cx *from, const struct spd_cx *to,
                           const struct spd_merge_in *scope, struct spd_merge *ret, bool *ret_found,
                           spd_usec *ret_undone)
{
    int64_t *ids;
    size_t n;
    *ret_found = false;
    TRY(spd_tx_find(tx, SPD_KEY_MERGE_FROM, spd_key_cx(tx->a, from), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_merge m;
        TRY(spd_get_merge(tx->st, ids[i], &m, tx->a, tx->err));
        if (!spd_cx_eq(&m.to, to) || (scope && !same_scope(&m, scope))) continue;
        if (m.undone && m.undone_time > *ret_undone) *ret_undone = m.undone_time;
        if (!m.undone) *ret = m, *ret_found = true;
    }
    return SPD_OK;
}

static bool names(const struct spd_patient *p, const struct spd_cx *id)
{
    for (size_t i = 0; i < p->ids.n; i++)
        if (spd_cx_eq(&p->ids.v[i], id)) return true;
    return false;
}

static enum spd_rc judge(struct spd_tx *tx, const struct spd_merge_in *in, spd_usec at,
                         enum verdict *ret)
{
    struct spd_patient from = {0}, to = {0};
    struct spd_cx a = in->from, b = in->to;
    struct spd_merge m;
    spd_usec undone = 0;
    bool known, all = !in->account.value.len && !in->visit.value.len;
    TRY(between(tx, &in->from, &in->to, in, &m, &known, &undone));
    *ret = known ? KNOWN : undone && at <= undone ? STALE : NEW;
    if (*ret != NEW || !all) return SPD_OK;
    from.ids.v = &a, from.ids.n = 1;
    TRY(spd_patient_numbers(tx, &from, &from));
    to.ids.v = &b, to.ids.n = 1;
    TRY(spd_patient_numbers(tx, &to, &to));
    if (names(&from, &in->to))
        *ret = KNOWN;
    else if (names(&to, &in->from))
        *ret = CYCLE;
    else if (from.ids.n > 1)
        *ret = CONFLICT;
    return SPD_OK;
}

static struct spd_merge made_of(struct spd_tx *tx, const struct spd_patient_event *e,
                                const struct spd_merge_in *in, spd_usec at)
{
    struct spd_merge m = {0};
    m.id = spd_tx_id(tx, SPD_T_MERGE);
    m.at = tx->now, m.from = in->from, m.to = in->to, m.kind = e->trigger;
    m.account = in->account, m.visit = in->visit;
    m.peer = e->message.peer, m.message = tx->message, m.source_time = at;
    return m;
}

/* The two are not one, or no longer. Said before the merge itself came, it is remembered. */
static enum spd_rc separate(struct spd_tx *tx, const struct spd_patient_event *e,
                            const struct spd_merge_in *in, spd_usec at, bool *ret_any,
                            bool *ret_stale)
{
    const struct undoing u = {e->message.peer, e->trigger, at};
    bool any = false;
    for (int back = 0; back < 2; back++) {
        struct spd_merge m;
        spd_usec undone = 0;
        bool found;
        TRY(between(tx, back ? &in->to : &in->from, back ? &in->from : &in->to, NULL, &m, &found,
                    &undone));
        any |= found || undone;
        if (found && at < m.source_time) {
            *ret_stale = true;
        } else if (found) {
            TRY(undo(tx, &m, &u));
            *ret_any = true;
        }
    }
    if (any) return SPD_OK;
    for (int back = 0; back < 2; back++) {
        struct spd_merge m = made_of(tx, e, in, at);
        if (back) m.from = in->to, m.to = in->from;
        m.undone = tx->now, m.undone_time = at, m.undone_by = u.by, m.undone_reason = u.reason;
        m.undone_message = tx->message;
        TRY(spd_put_merge(tx->st, &m, NULL, tx->err));
    }
    *ret_any = true;
    return SPD_OK;
}

static enum spd_rc park(struct spd_tx *tx, const struct spd_patient_event *e, enum verdict v,
                        int64_t *ret_parked)
{
    const char *nl =
        v == CYCLE ? "Samenvoeging in een kring: dit nummer ging eerder in het andere op."
                   : "Samenvoeging met een tweede nummer: dit nummer ging al in een ander op.";
    const char *en = v == CYCLE ? "Merges in a ring: this number became the other one before."
                                : "A second merge of a number that became another one already.";
    if (!*ret_parked)
        TRY(spd_park_message(tx, SPD_SV("merge"), spd_sv_from(nl), spd_sv_from(en), &e->patient,
                             e->message.peer, ret_parked));
    tx->r->did = SPD_DID_PARK;
    tx->r->id = *ret_parked;
    spd_tx_say(tx, "merge", nl, en);
    return spd_tx_alarm(tx, "merge", e->message.peer, nl, en);
}

static enum spd_rc one(struct spd_tx *tx, const struct spd_patient_event *e,
                       const struct spd_merge_in *in, spd_usec at, enum verdict *ret)
{
    struct spd_merge m;
    TRY(judge(tx, in, at, ret));
    if (*ret != NEW) return SPD_OK;
    if (in->account.value.len || in->visit.value.len) { /* moved back: the first move ends */
        const struct undoing u = {e->message.peer, e->trigger, at};
        spd_usec undone = 0;
        bool found;
        TRY(between(tx, &in->to, &in->from, in, &m, &found, &undone));
        if (found) TRY(undo(tx, &m, &u));
    }
    m = made_of(tx, e, in, at);
    return apply(tx, &m, &e->patient);
}

enum spd_rc spd_merges_in(struct spd_tx *tx, const struct spd_patient_event *e, bool *ret_any,
                          int64_t *ret_parked)
{
    spd_usec at = e->source_time ? e->source_time : tx->now;
    bool stale = false;
    *ret_any = false, *ret_parked = 0;
    for (size_t i = 0; i < e->merges.n; i++) {
        const struct spd_merge_in *in = &e->merges.v[i];
        enum verdict v = KNOWN;
        if (spd_cx_eq(&in->from, &in->to)) continue;
        if (e->unlink) {
            TRY(separate(tx, e, in, at, ret_any, &stale));
            continue;
        }
        TRY(one(tx, e, in, at, &v));
        *ret_any |= v == NEW;
        stale |= v == STALE;
        if (v == CYCLE || v == CONFLICT) TRY(park(tx, e, v, ret_parked));
    }
    if (*ret_parked) return SPD_OK;
    tx->r->did = *ret_any ? SPD_DID_APPLY : stale ? SPD_DID_STALE : SPD_DID_IGNORE;
    if (*ret_any) return SPD_OK;
    if (stale)
        spd_tx_say(tx, "stale", "Ouder dan wat al bekend is: gelogd, niets veranderd.",
                   "Older than what is known: logged, nothing changed.");
    else
        spd_tx_say(tx, "merge-known", "Deze samenvoeging was al bekend.",
                   "This merge was known already.");
    return SPD_OK;
}
