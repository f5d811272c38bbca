/* src/core/study_in.c: images arrive: what Orthanc, an Instance Availability Notification or a
 * performed step tells of a study, and what it means for the items of that study (domain §2). Not
 * here: the steps (step_in.c).
 *
 * A study is complete when its source says so, or when nothing new came for a while. While a
 * scanner says that it is still at it, quiet alone does not make a study complete, but for
 * STEP_FORGOTTEN: a step that nobody ended. */
#include "core/internal.h"

#define STEP_FORGOTTEN SPD_HOUR(4)

enum spd_rc spd_study_row(struct spd_tx *tx, spd_sv study_uid, struct spd_study *s,
                          struct spd_study *old, bool *ret_insert)
{
    int64_t id;
    enum spd_rc rc = spd_store_find_one(tx->st, SPD_KEY_STUDY_UID, study_uid, &id, tx->err);
    *ret_insert = rc == SPD_NOTFOUND;
    memset(s, 0, sizeof *s);
    if (rc == SPD_OK) {
        TRY(spd_get_study(tx->st, id, old, tx->a, tx->err));
        *s = *old;
    } else if (rc == SPD_NOTFOUND) {
        s->id = spd_tx_id(tx, SPD_T_STUDY);
        s->study_uid = study_uid;
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

/* When quiet makes this study complete. */
static spd_usec quiet_after(struct spd_tx *tx, const struct spd_study *s)
{
    return spd_study_step_open(s) ? STEP_FORGOTTEN : tx->core->rules->settings.complete_after;
}

static enum spd_rc link_items(struct spd_tx *tx, const struct spd_study *s)
{
    struct spd_patient patient = {0};
    bool differs;
    int64_t *ids;
    size_t n;
    patient.ids.v = s->patient.ids.v, patient.ids.n = s->patient.ids.n;
    /* By accession only with a shared patient identifier; by Study UID the order itself said so. */
    TRY(spd_find_items_of(tx, SPD_SV_NONE, &s->accession, &patient, &ids, &n, &differs));
    for (size_t i = 0; i < n; i++) {
        struct spd_work *w;
        TRY(spd_tx_item(tx, ids[i], &w));
        TRY(spd_link_study(tx, w, s->study_uid));
        TRY(spd_tx_flush_item(tx, w));
    }
    TRY(spd_tx_find(tx, SPD_KEY_ITEM_STUDY, s->study_uid, &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_work *w;
        TRY(spd_tx_item(tx, ids[i], &w));
        TRY(spd_link_study(tx, w, s->study_uid));
        spd_tx_touch(tx, w, SPD_WHY_STUDY);
        TRY(spd_try_parked(tx, w));
    }
    return SPD_OK;
}

/* Evidence that images are there. again: the wait for quiet begins anew although nothing new came.
 */
enum spd_rc spd_study_evidence(struct spd_tx *tx, const struct spd_study_event *e, bool again)
{
    struct spd_study s, old;
    bool insert;
    int64_t fresh;
    spd_usec at = e->source_time && e->source_time < tx->now ? e->source_time : tx->now;
    TRY(spd_study_row(tx, e->study_uid, &s, &old, &insert));
    fresh = add_instances(tx, &s, e);
    if (!s.first_at) s.first_at = at;
    s.last_at = at;
    if (e->notified) s.notified = at;
    if (e->complete || (s.notified && !spd_study_step_open(&s)))
        s.complete_at = s.complete_at ? s.complete_at : at;
    if (e->accession.value.len) s.accession = e->accession;
    if (e->patient_ids.n) s.patient.ids.v = e->patient_ids.v, s.patient.ids.n = e->patient_ids.n;
    TRY(spd_put_study(tx->st, &s, insert ? NULL : &old, tx->err));
    if (s.complete_at)
        TRY(spd_tx_timer_clear(tx, SPD_TIMER_COMPLETE, s.id, SPD_SV_NONE));
    else if (fresh || insert || again)
        TRY(spd_tx_timer_set(tx, SPD_TIMER_COMPLETE, s.id, SPD_SV_NONE,
                             tx->now + quiet_after(tx, &s)));
    return link_items(tx, &s);
}

enum spd_rc spd_study_in(struct spd_tx *tx, const struct spd_study_event *e)
{
    bool dup;
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
    TRY(spd_study_evidence(tx, e, false));
    return spd_message_end(tx, &e->message, "", 0);
}
