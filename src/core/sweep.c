/* src/core/sweep.c: what time does: waiting limits, late models, alert steps, leases, completeness.
 */
#include "core/internal.h"

static enum spd_rc raise_waiting(struct spd_tx *tx, int64_t id)
{
    struct spd_work *w;
    TRY(spd_tx_item(tx, id, &w));
    if (!spd_item_listed(&w->item) || w->item.level <= 1) return SPD_OK;
    spd_raise_waiting(tx, &w->item);
    spd_tx_touch(tx, w, SPD_WHY_TIMER);
    return SPD_OK;
}

/* Silence is not negative (design rule 5): late is shown, counted, and when it goes on alarmed. */
static enum spd_rc model_late(struct spd_tx *tx, int64_t item, spd_sv model)
{
    enum { IN_A_ROW = 5 };
    const struct spd_model *m = spd_models_get(tx->core->rules->models, model);
    struct spd_model_version v = {0}, old;
    struct spd_work *w;
    int64_t id;
    enum spd_rc rc;
    spd_usec quiet;
    TRY(spd_tx_item(tx, item, &w));
    spd_tx_touch(tx, w, SPD_WHY_TIMER);
    if (!m) return SPD_OK;
    rc = spd_store_find_one(
        tx->st, SPD_KEY_MODEL_VERSION,
        spd_key_join(tx->a, model, m->n_versions ? m->versions[0] : SPD_SV_NONE), &id, tx->err);
    if (rc == SPD_OK) {
        TRY(spd_get_model_version(tx->st, id, &old, tx->a, tx->err));
        v = old;
    } else if (rc == SPD_NOTFOUND) {
        v.id = spd_tx_id(tx, SPD_T_MODEL_VERSION);
        v.model = model, v.version = m->n_versions ? m->versions[0] : SPD_SV_NONE,
        v.since = tx->now;
    } else {
        return rc;
    }
    v.late++;
    TRY(spd_put_model_version(tx->st, &v, rc == SPD_OK ? &old : NULL, tx->err));
    quiet = m->silent_after ? m->silent_after : SPD_MIN(30);
    if (v.late >= IN_A_ROW || tx->now - (v.last_result ? v.last_result : v.since) >= quiet)
        return spd_tx_alarm(
            tx, "model-silent", model,
            "Een AI-model levert geen resultaten meer; de lijst volgt aanvraag en wachttijd.",
            "An AI model sends no results any more; the list follows orders and waiting time.");
    return SPD_OK;
}

static enum spd_rc study_quiet(struct spd_tx *tx, int64_t id)
{
    struct spd_study s, old;
    int64_t *ids;
    size_t n;
    TRY(spd_get_study(tx->st, id, &old, tx->a, tx->err));
    if (old.complete_at) return SPD_OK;
    s = old;
    s.complete_at = s.last_at; /* complete since the last image came, not since we noticed */
    TRY(spd_put_study(tx->st, &s, &old, tx->err));
    TRY(spd_tx_find(tx, SPD_KEY_ITEM_STUDY, s.study_uid, &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_work *w;
        TRY(spd_tx_item(tx, ids[i], &w));
        spd_tx_touch(tx, w,
                     SPD_WHY_TIMER); /* first: no image came, so the version of a draft stands */
        TRY(spd_link_study(tx, w, s.study_uid));
    }
    return SPD_OK;
}

static enum spd_rc claim_ended(struct spd_tx *tx, int64_t id)
{
    struct spd_work *w;
    TRY(spd_tx_item(tx, id, &w));
    if (w->item.claim_until > tx->now) return SPD_OK;
    w->item.claimed_by = SPD_SV_NONE, w->item.claim_until = 0;
    spd_life_apply(&w->item, SPD_LIFE_UNCLAIM);
    spd_tx_touch(tx, w, 0);
    return SPD_OK;
}

enum spd_rc spd_timer_fired(struct spd_tx *tx, const struct spd_timer_event *e)
{
    struct spd_timer t;
    enum spd_rc rc = spd_get_timer(tx->st, e->timer, &t, tx->a, tx->err);
    tx->r->did = SPD_DID_APPLY;
    if (rc == SPD_NOTFOUND) { /* cleared by an event that came just before it */
        tx->journal = false;
        return SPD_OK;
    }
    if (rc) return rc;
    TRY(spd_del_timer(tx->st, &t, tx->err));
    switch ((enum spd_timer_kind)t.kind) {
    case SPD_TIMER_WAIT:
        return raise_waiting(tx, t.subject);
    case SPD_TIMER_AI:
        if (t.aux.len) return model_late(tx, t.subject, t.aux);
        break; /* a rule's answer changes with time: decide again */
    case SPD_TIMER_ALERT:
        return spd_alert_timer(tx, t.subject);
    case SPD_TIMER_UNMATCHED:
        return spd_parked_timer(tx, t.subject);
    case SPD_TIMER_CLAIM:
        return claim_ended(tx, t.subject);
    case SPD_TIMER_COMPLETE:
        return study_quiet(tx, t.subject);
    case SPD_TIMER_PRIORITY:
        break; /* three messages in an hour, and the hour is over: what holds now is sent */
    case SPD_TIMER_REPORT:
        return spd_report_timer(tx, t.subject);
    case SPD_TIMER_REDECIDE:
        return spd_decide_after(tx, t.subject);
    case SPD_TIMER_SILENCE:
        return spd_feed_timer(tx, t.aux);
    case SPD_TIMER_OUTBOX:
    case SPD_TIMER_KIND_UNSET:
    case SPD_TIMER_KIND_N:
        return SPD_OK;
    }
    struct spd_work *w;
    TRY(spd_tx_item(tx, t.subject, &w));
    spd_tx_touch(tx, w, SPD_WHY_TIMER);
    return SPD_OK;
}
