/* src/core/identity.c: which order, which study, which patient (domain §1).
 *
 * An order is known by accession + issuer, else filler, else placer. A result or study belongs to
 * an item when its Study UID or accession matches AND one patient identifier is shared within an
 * authority, directly or through a merge.
 *
 * An item keeps the numbers that its own messages named (own) and shows those that merges made of
 * them (patient: the ones that go on first, then the ones that ended). Invariant: own is empty, or
 * patient.ids is what the merges in force make of own.ids; so undoing a merge is working it out
 * again. Whoever has only a message's numbers follows them here before comparing. */
#include "core/internal.h"

/* ---- numbers and merges ---------------------------------------------------------------------- */
enum { CHAIN = 64 }; /* merges one after another: more is not a patient's history */

static bool limited(const struct spd_merge *m)
{
    return m->account.value.len || m->visit.value.len;
}

static bool carries(const struct spd_item *item, const struct spd_merge *m)
{
    return item && (!m->account.value.len || spd_cx_eq(&item->account, &m->account)) &&
           (!m->visit.value.len || spd_cx_eq(&item->visit, &m->visit));
}

/* The number that this one became; NOTFOUND. A move of the item's own account or visit goes before
 * a merge of everything, the newest before older ones. *ret_moved: only this order was moved. */
static enum spd_rc successor(struct spd_tx *tx, const struct spd_item *item,
                             const struct spd_cx *id, struct spd_cx *ret, bool *ret_moved)
{
    bool any = false;
    int64_t *ids;
    size_t n;
    *ret_moved = false;
    if (tx->core->next_id[SPD_T_MERGE] == 1) return SPD_NOTFOUND; /* there are none */
    TRY(spd_tx_find(tx, SPD_KEY_MERGE_FROM, spd_key_cx(tx->a, id), &ids, &n));
    for (size_t i = n; i > 0 && !*ret_moved; i--) {
        struct spd_merge m;
        TRY(spd_get_merge(tx->st, ids[i - 1], &m, tx->a, tx->err));
        if (m.undone || (limited(&m) ? !carries(item, &m) : any)) continue;
        *ret = m.to;
        *ret_moved = limited(&m);
        any = true;
    }
    return any ? SPD_OK : SPD_NOTFOUND;
}

static bool has_cx(const struct spd_seq *v, const struct spd_cx *id)
{
    const struct spd_cx *c = v->v;
    for (size_t i = 0; i < v->n; i++)
        if (spd_cx_eq(&c[i], id)) return true;
    return false;
}

static void add_cx(struct spd_tx *tx, struct spd_seq *v, const struct spd_cx *id)
{
    if (!has_cx(v, id)) *(struct spd_cx *)spd_list_add(v, sizeof *id, tx->a) = *id;
}

/* A number, what it became, and so on; the last one is in force. Without numbers from which an
 * order of its own was moved away. */
static enum spd_rc follow(struct spd_tx *tx, const struct spd_item *item, const struct spd_cx *id,
                          struct spd_seq *chain)
{
    struct spd_seq seen = {NULL, 0};
    struct spd_cx at = *id, next;
    *chain = (struct spd_seq){NULL, 0};
    for (;;) {
        bool moved;
        enum spd_rc rc = successor(tx, item, &at, &next, &moved);
        if (rc && rc != SPD_NOTFOUND) return rc;
        add_cx(tx, &seen, &at);
        if (rc || !moved) add_cx(tx, chain, &at);
        if (rc || has_cx(&seen, &next) || seen.n >= CHAIN) return SPD_OK;
        at = next;
    }
}

enum spd_rc spd_patient_numbers(struct spd_tx *tx, const struct spd_patient *p,
                                struct spd_patient *ret)
{
    struct spd_seq all = {NULL, 0};
    *ret = *p;
    if (tx->core->next_id[SPD_T_MERGE] == 1) return SPD_OK;
    for (size_t i = 0; i < p->ids.n; i++) {
        struct spd_seq chain;
        const struct spd_cx *c;
        TRY(follow(tx, NULL, &p->ids.v[i], &chain));
        c = chain.v;
        for (size_t k = 0; k < chain.n; k++)
            add_cx(tx, &all, &c[k]);
    }
    ret->ids.v = all.v, ret->ids.n = all.n;
    return SPD_OK;
}

enum spd_rc spd_same_patient(struct spd_tx *tx, const struct spd_patient *a,
                             const struct spd_patient *b, bool *ret)
{
    struct spd_patient x, y;
    if ((*ret = spd_patient_shares_id(a, b))) return SPD_OK;
    TRY(spd_patient_numbers(tx, a, &x));
    TRY(spd_patient_numbers(tx, b, &y));
    *ret = spd_patient_shares_id(&x, &y);
    return SPD_OK;
}

enum spd_rc spd_item_is_of(struct spd_tx *tx, const struct spd_item *item,
                           const struct spd_patient *p, bool *ret)
{
    struct spd_patient x, own;
    *ret = spd_patient_shares_id(&item->patient, p) || spd_patient_shares_id(&item->own, p);
    if (*ret) return SPD_OK;
    TRY(spd_patient_numbers(tx, p, &x));
    TRY(spd_patient_numbers(tx, &item->own, &own)); /* whose it was before its account moved */
    *ret = spd_patient_shares_id(&item->patient, &x) || spd_patient_shares_id(&own, &x);
    return SPD_OK;
}

static bool same_ids(const struct spd_patient *p, const struct spd_seq *v)
{
    const struct spd_cx *c = v->v;
    bool same = p->ids.n == v->n;
    for (size_t i = 0; i < v->n && same; i++)
        same = spd_cx_eq(&p->ids.v[i], &c[i]);
    return same;
}

enum spd_rc spd_item_identify(struct spd_tx *tx, struct spd_item *item)
{
    const struct spd_patient own = item->own.ids.n ? item->own : item->patient;
    struct spd_seq now = {NULL, 0}, ended = {NULL, 0};
    const struct spd_cx *c;
    if (tx->core->next_id[SPD_T_MERGE] == 1) return SPD_OK;
    for (size_t i = 0; i < own.ids.n; i++) {
        struct spd_seq chain;
        TRY(follow(tx, item, &own.ids.v[i], &chain));
        if (!chain.n) continue; /* moved round in a ring: says nothing */
        c = chain.v;
        add_cx(tx, &now, &c[chain.n - 1]);
        for (size_t k = 0; k + 1 < chain.n; k++)
            add_cx(tx, &ended, &c[k]);
    }
    c = ended.v;
    for (size_t i = 0; i < ended.n; i++)
        add_cx(tx, &now, &c[i]);
    if (!now.n || same_ids(&own, &now)) {
        if (item->own.ids.n) item->patient = item->own;
        memset(&item->own, 0, sizeof item->own);
        return SPD_OK;
    }
    item->own = own;
    item->patient.ids.v = now.v, item->patient.ids.n = now.n;
    return SPD_OK;
}

/* The same patient by a merge alone: such a number is not the order's own, or undoing the merge
 * would leave the order with both. */
static enum spd_rc akin(struct spd_tx *tx, const struct spd_patient *own, const struct spd_cx *id,
                        bool *ret)
{
    struct spd_patient one = {0};
    struct spd_cx copy = *id;
    one.ids.v = &copy, one.ids.n = 1;
    return spd_same_patient(tx, own, &one, ret);
}

static void say(spd_sv *to, spd_sv from)
{
    if (from.len) *to = from;
}

static void take_person(struct spd_patient *to, const struct spd_patient *p)
{
    say(&to->name, p->name);
    say(&to->birth_date, p->birth_date);
    say(&to->sex, p->sex);
}

enum spd_rc spd_item_take_patient(struct spd_tx *tx, struct spd_item *item,
                                  const struct spd_patient *p)
{
    bool merged = item->own.ids.n > 0, direct = !merged || spd_patient_shares_id(&item->own, p);
    struct spd_patient *own = merged ? &item->own : &item->patient;
    size_t had = own->ids.n;
    for (size_t i = 0; direct && i < p->ids.n; i++) {
        struct spd_seq known = {own->ids.v, own->ids.n};
        bool is;
        if (!p->ids.v[i].value.len || has_cx(&known, &p->ids.v[i])) continue;
        TRY(akin(tx, own, &p->ids.v[i], &is));
        if (!is) *SPD_LIST_PUSH(&own->ids, tx->a) = p->ids.v[i];
    }
    take_person(&item->patient, p);
    if (merged && direct) take_person(&item->own, p);
    return own->ids.n > had ? spd_item_identify(tx, item) : SPD_OK;
}

/* Adds the numbers that became this one, up to the limit: a number that a hundred thousand others
 * became is a mistake somewhere, and must not hold up everyone. */
static enum spd_rc became(struct spd_tx *tx, const struct spd_cx *to, struct spd_seq *ret)
{
    const spd_sv key = spd_key_cx(tx->a, to);
    int64_t ids[CHAIN], after = 0;
    size_t n;
    do {
        TRY(spd_store_find(tx->st, SPD_KEY_MERGE_TO, key, after, ids, CHAIN, &n, tx->err));
        for (size_t k = 0; k < n && ret->n < CHAIN * 4; k++) {
            struct spd_merge m;
            TRY(spd_get_merge(tx->st, ids[k], &m, tx->a, tx->err));
            if (!m.undone && !limited(&m)) add_cx(tx, ret, &m.from);
            after = ids[k];
        }
    } while (n == CHAIN && ret->n < CHAIN * 4);
    return SPD_OK;
}

/* Every number that means this patient: what these became, and all that became one of those. */
enum spd_rc spd_patient_class(struct spd_tx *tx, const struct spd_patient *p, struct spd_seq *ret)
{
    struct spd_patient x;
    *ret = (struct spd_seq){NULL, 0};
    TRY(spd_patient_numbers(tx, p, &x));
    for (size_t i = 0; i < x.ids.n; i++)
        add_cx(tx, ret, &x.ids.v[i]);
    for (size_t i = 0; i < ret->n && tx->core->next_id[SPD_T_MERGE] > 1; i++)
        TRY(became(tx, &((const struct spd_cx *)ret->v)[i], ret));
    return SPD_OK;
}

/* ---- orders ---------------------------------------------------------------------------------- */

/* The first item with that key that is a real order. */
static enum spd_rc first_order(struct spd_tx *tx, enum spd_key_kind kind, const struct spd_cx *cx,
                               int64_t *ret)
{
    int64_t *ids;
    size_t n;
    if (!cx->value.len) return SPD_NOTFOUND;
    TRY(spd_tx_find(tx, kind, spd_key_cx(tx->a, cx), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_work *w;
        TRY(spd_tx_item(tx, ids[i], &w));
        if (w->item.unmatched) continue;
        *ret = ids[i];
        return SPD_OK;
    }
    return SPD_NOTFOUND;
}

static bool compatible(const struct spd_cx *known, const struct spd_cx *said)
{
    return !known->value.len || !said->value.len || spd_cx_eq(known, said);
}

enum spd_rc spd_find_order(struct spd_tx *tx, const struct spd_cx *accession,
                           const struct spd_cx *filler, const struct spd_cx *placer,
                           int64_t *ret_item)
{
    enum spd_rc rc = first_order(tx, SPD_KEY_ITEM_ACCESSION, accession, ret_item);
    struct spd_work *w;
    if (rc == SPD_NOTFOUND)
        rc = first_order(tx, SPD_KEY_ITEM_FILLER, filler, ret_item);
    else
        return rc;
    if (rc == SPD_NOTFOUND) rc = first_order(tx, SPD_KEY_ITEM_PLACER, placer, ret_item);
    if (rc) return rc;
    /* One placer number may stand for several accessions: a named other accession is another order.
     */
    TRY(spd_tx_item(tx, *ret_item, &w));
    return compatible(&w->item.accession, accession) ? SPD_OK : SPD_NOTFOUND;
}

static enum spd_rc add_fitting(struct spd_tx *tx, const int64_t *ids, size_t n,
                               const struct spd_patient *patient, struct spd_seq *out,
                               bool *ret_differs)
{
    for (size_t i = 0; i < n; i++) {
        struct spd_work *w;
        TRY(spd_tx_item(tx, ids[i], &w));
        if (w->item.unmatched || spd_list_has_i64(out->v, out->n, ids[i])) continue;
        bool fits;
        TRY(spd_item_is_of(tx, &w->item, patient, &fits));
        if (!fits)
            *ret_differs = true;
        else
            *(int64_t *)spd_list_add(out, sizeof(int64_t), tx->a) = ids[i];
    }
    return SPD_OK;
}

enum spd_rc spd_find_items_of(struct spd_tx *tx, spd_sv study_uid, const struct spd_cx *accession,
                              const struct spd_patient *patient, int64_t **ret, size_t *ret_n,
                              bool *ret_differs)
{
    struct spd_seq out = {NULL, 0};
    int64_t *ids;
    size_t n;
    *ret_differs = false;
    if (study_uid.len) {
        TRY(spd_tx_find(tx, SPD_KEY_ITEM_STUDY, study_uid, &ids, &n));
        TRY(add_fitting(tx, ids, n, patient, &out, ret_differs));
    }
    if (accession->value.len) {
        TRY(spd_tx_find(tx, SPD_KEY_ITEM_ACCESSION, spd_key_cx(tx->a, accession), &ids, &n));
        TRY(add_fitting(tx, ids, n, patient, &out, ret_differs));
    }
    *ret = out.v, *ret_n = out.n;
    return SPD_OK;
}

/* Adds a Study UID to an item and takes over what is known of that study's images. */
enum spd_rc spd_link_study(struct spd_tx *tx, struct spd_work *w, spd_sv study_uid)
{
    struct spd_study s;
    int64_t id, *ids;
    size_t n;
    enum spd_rc rc;
    if (!study_uid.len) return SPD_OK;
    if (!spd_list_has_text(w->item.study_uids.v, w->item.study_uids.n, study_uid)) {
        *SPD_LIST_PUSH(&w->item.study_uids, tx->a) = study_uid;
        spd_tx_touch(tx, w, 0);
        TRY(spd_tx_find(tx, SPD_KEY_ITEM_STUDY, study_uid, &ids, &n));
        for (size_t i = 0; i < n; i++)
            spd_tx_dirty(tx, ids[i]); /* their "linked" changes */
    }
    rc = spd_store_find_one(tx->st, SPD_KEY_STUDY_UID, study_uid, &id, tx->err);
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    TRY(spd_get_study(tx->st, id, &s, tx->a, tx->err));
    if (s.steps.n) TRY(spd_item_acquiring(tx, w));
    if (!s.first_at) return SPD_OK;
    if (!w->item.images_first || s.first_at < w->item.images_first)
        w->item.images_first = s.first_at;
    if (spd_life_apply(&w->item, SPD_LIFE_IMAGE)) spd_tx_touch(tx, w, SPD_WHY_STUDY);
    if (s.complete_at) {
        if (!w->item.images_complete) w->item.images_complete = s.complete_at;
        if (spd_life_apply(&w->item, SPD_LIFE_COMPLETE)) spd_tx_touch(tx, w, SPD_WHY_STUDY);
    }
    return SPD_OK;
}

enum spd_rc spd_link_studies(struct spd_tx *tx, struct spd_work *w)
{
    int64_t *ids;
    size_t n;
    if (!w->item.accession.value.len) return SPD_OK;
    TRY(spd_tx_find(tx, SPD_KEY_STUDY_ACCESSION, spd_key_cx(tx->a, &w->item.accession), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_study s;
        bool fits;
        TRY(spd_get_study(tx->st, ids[i], &s, tx->a, tx->err));
        if (spd_list_has_text(w->item.study_uids.v, w->item.study_uids.n, s.study_uid)) continue;
        TRY(spd_item_is_of(tx, &w->item, &s.patient, &fits));
        if (fits) TRY(spd_link_study(tx, w, s.study_uid));
    }
    return SPD_OK;
}
