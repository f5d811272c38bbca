/* src/core/companion.c: what AI products send beside their results: key images, segmentations,
 * pictures, documents. A companion belongs to a result by what either points at, by a tracking UID,
 * by naming it as its predecessor, or, where nothing of that is said, by the same study and the
 * same device. It is shown with the result and has no effect of its own. Whichever comes first
 * waits for the other; a companion of a stranger, or of another patient, is never linked. */
#include "core/internal.h"

enum {
    NEAR = 256,     /* of one study: the newest results or companions that are looked at */
    POINTERS = 256, /* references that are followed */
    RESULTS_MAX = 64
};

void spd_default_authorities(struct spd_tx *tx, struct spd_patient *p, struct spd_cx *accession)
{
    for (size_t i = 0; i < p->ids.n; i++)
        if (!p->ids.v[i].authority.len) {
            SPD_LIST_OWN(&p->ids, tx->a);
            p->ids.v[i].authority = tx->core->rules->settings.patient_authority;
        }
    if (accession->value.len && !accession->authority.len)
        accession->authority = tx->core->rules->settings.accession_issuer;
}

static bool any_common(const spd_sv *a, size_t n, const spd_sv *b, size_t m)
{
    for (size_t i = 0; i < n; i++)
        if (a[i].len && spd_list_has_text(b, m, a[i])) return true;
    return false;
}

/* How a companion belongs to a result; NULL: it does not. The strongest word first. */
static const char *bond(const struct spd_companion *c, const struct spd_result *r)
{
    if (r->sop_uid.len && spd_list_has_text(c->predecessors.v, c->predecessors.n, r->sop_uid))
        return "predecessor";
    if ((r->sop_uid.len && spd_list_has_text(c->refs.v, c->refs.n, r->sop_uid)) ||
        spd_list_has_text(r->outputs.v, r->outputs.n, c->sop_uid) ||
        (c->kind == SPD_COMPANION_CAPTURE &&
         spd_list_has_text(r->instances.v, r->instances.n, c->sop_uid)))
        return "reference";
    if (any_common(c->tracking.v, c->tracking.n, r->tracking.v, r->tracking.n)) return "tracking";
    if (c->study_uid.len && spd_sv_eq(c->study_uid, r->study_uid) && c->manufacturer.len &&
        ((spd_sv_eq(c->manufacturer, r->device_manufacturer) &&
          spd_sv_eq(c->name, r->device_model)) ||
         (spd_sv_eq(c->manufacturer, r->manufacturer) && spd_sv_eq(c->name, r->name))))
        return "device";
    return NULL;
}

/* Links c to r, where they belong together. A link by device alone gives way to one by word. */
static enum spd_rc link_one(struct spd_tx *tx, struct spd_companion *c, const struct spd_result *r,
                            bool *ret_changed)
{
    const char *how = bond(c, r);
    bool weak = how && !strcmp(how, "device"), same;
    if (!how || spd_list_has_i64(c->results.v, c->results.n, r->id)) return SPD_OK;
    if (weak && c->results.n && !spd_sv_is(c->linked_by, "device")) return SPD_OK;
    TRY(spd_same_patient(tx, &c->patient, &r->patient, &same));
    if (!same) return SPD_OK;
    if (!weak && spd_sv_is(c->linked_by, "device")) c->results.v = NULL, c->results.n = 0;
    if (c->results.n >= RESULTS_MAX) return SPD_OK;
    SPD_LIST_OWN(&c->results, tx->a);
    *SPD_LIST_PUSH(&c->results, tx->a) = r->id;
    c->linked_by = spd_sv_from(how);
    for (size_t i = 0; i < r->items.n; i++)
        spd_tx_dirty(tx, r->items.v[i]);
    *ret_changed = true;
    return SPD_OK;
}

static enum spd_rc link_results(struct spd_tx *tx, struct spd_companion *c, enum spd_key_kind kind,
                                spd_sv key, bool *ret_changed)
{
    int64_t *ids;
    size_t n;
    if (!key.len) return SPD_OK;
    TRY(spd_tx_find(tx, kind, key, &ids, &n));
    for (size_t i = n > NEAR ? n - NEAR : 0; i < n; i++) {
        struct spd_result r;
        TRY(spd_get_result(tx->st, ids[i], &r, tx->a, tx->err));
        TRY(link_one(tx, c, &r, ret_changed));
    }
    return SPD_OK;
}

/* The same object sent again takes the place of the first one. */
static enum spd_rc earlier(struct spd_tx *tx, const struct spd_companion *c,
                           struct spd_companion *ret, bool *ret_is)
{
    int64_t id;
    enum spd_rc rc = spd_store_find_one(tx->st, SPD_KEY_COMPANION_SOP, c->sop_uid, &id, tx->err);
    *ret_is = rc == SPD_OK;
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    return spd_get_companion(tx->st, id, ret, tx->a, tx->err);
}

enum spd_rc spd_companion_in(struct spd_tx *tx, const struct spd_result_event *e)
{
    struct spd_companion c = e->companions.v[0], old;
    bool again, linked = false;
    if (!e->known_peer) {
        tx->r->did = SPD_DID_IGNORE;
        spd_tx_say(tx, "unlisted-peer", "Hoort bij een resultaat, maar de afzender is onbekend.",
                   "It belongs to a result, but its sender is not in the configuration.");
        return spd_message_end(tx, &e->message, "unlisted-peer", 0);
    }
    c.at = tx->now, c.message = tx->message, c.peer = e->message.peer;
    spd_default_authorities(tx, &c.patient, &c.accession);
    TRY(earlier(tx, &c, &old, &again));
    c.id = again ? old.id : spd_tx_id(tx, SPD_T_COMPANION);
    TRY(link_results(tx, &c, SPD_KEY_RESULT_STUDY, c.study_uid, &linked));
    TRY(link_results(tx, &c, SPD_KEY_RESULT_OUTPUT, c.sop_uid, &linked));
    for (size_t i = 0; i < c.predecessors.n && i < POINTERS; i++)
        TRY(link_results(tx, &c, SPD_KEY_RESULT_SOP, c.predecessors.v[i], &linked));
    for (size_t i = 0; i < c.refs.n && i < POINTERS; i++)
        TRY(link_results(tx, &c, SPD_KEY_RESULT_SOP, c.refs.v[i], &linked));
    TRY(spd_put_companion(tx->st, &c, again ? &old : NULL, tx->err));
    tx->r->did = SPD_DID_APPLY, tx->r->id = c.id;
    if (linked)
        spd_tx_say(tx, "companion", "Hoort bij een resultaat.", "It belongs to a result.");
    else
        spd_tx_say(tx, "companion-waits", "Hoort bij een resultaat dat er nog niet is.",
                   "It belongs to a result that is not here yet.");
    return spd_message_end(tx, &e->message, linked ? "companion" : "companion-waits", 0);
}

static enum spd_rc link_companions(struct spd_tx *tx, const struct spd_result *r,
                                   enum spd_key_kind kind, spd_sv key)
{
    int64_t *ids;
    size_t n;
    if (!key.len) return SPD_OK;
    TRY(spd_tx_find(tx, kind, key, &ids, &n));
    for (size_t i = n > NEAR ? n - NEAR : 0; i < n; i++) {
        struct spd_companion old, c;
        bool changed = false;
        TRY(spd_get_companion(tx->st, ids[i], &old, tx->a, tx->err));
        c = old;
        TRY(link_one(tx, &c, r, &changed));
        if (changed) TRY(spd_put_companion(tx->st, &c, &old, tx->err));
    }
    return SPD_OK;
}

enum spd_rc spd_companions_of(struct spd_tx *tx, const struct spd_result *r)
{
    TRY(link_companions(tx, r, SPD_KEY_COMPANION_STUDY, r->study_uid));
    for (size_t i = 0; i < r->outputs.n && i < POINTERS; i++)
        TRY(link_companions(tx, r, SPD_KEY_COMPANION_SOP, r->outputs.v[i]));
    return SPD_OK;
}
