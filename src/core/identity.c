/* src/core/identity.c: which order, which study, which patient (domain §1).
 *
 * An order is known by accession + issuer, else filler, else placer. A result or study belongs to
 * an item when its Study UID or accession matches AND one patient identifier is shared within an
 * authority. */
#include "core/internal.h"

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
        if (!spd_patient_shares_id(&w->item.patient, patient))
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
