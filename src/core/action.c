/* src/core/action.c: what a person does to an item, a parked row or a model. Alerts, drafts and the
 * queue have their own files; this one sends their verbs there. Every act is audited with its
 * name. */
#include "core/internal.h"

static bool has_role(const struct spd_action_event *e, const char *role)
{
    return spd_list_has_text(e->roles.v, e->roles.n, spd_sv_from(role));
}

static enum spd_rc no_item(struct spd_tx *tx)
{
    return spd_tx_refuse(tx, SPD_NOTFOUND, "no-such-item", "Dit onderzoek bestaat niet.",
                         "There is no such item.");
}

static enum spd_rc needs_reason(struct spd_tx *tx)
{
    return spd_tx_refuse(tx, SPD_INVALID, "reason", "Geef een reden.", "Give a reason.");
}

static enum spd_rc done(struct spd_tx *tx, const struct spd_action_event *e, struct spd_work *w,
                        int decide)
{
    tx->r->did = SPD_DID_APPLY;
    if (w) spd_tx_touch(tx, w, decide);
    return spd_tx_audit(tx, e->by, spd_action_verb_names[e->verb], w ? w->item.id : 0, 0,
                        e->reason);
}

/* ---- reading ----------------------------------------------------------------------------------
 */
enum spd_rc spd_claim_renew(struct spd_tx *tx, struct spd_work *w)
{
    w->item.claim_until = tx->now + tx->core->rules->settings.claim_lease;
    return spd_tx_timer_set(tx, SPD_TIMER_CLAIM, w->item.id, SPD_SV_NONE, w->item.claim_until);
}

static enum spd_rc claim(struct spd_tx *tx, struct spd_work *w, const struct spd_action_event *e)
{
    struct spd_item *i = &w->item;
    if (i->claimed_by.len && !spd_sv_eq(i->claimed_by, e->by) && i->claim_until > tx->now) {
        tx->r->holder = i->claimed_by;
        return spd_tx_refuse(tx, SPD_EXISTS, "claimed", "Een ander heeft dit onderzoek open.",
                             "Somebody else has this study.");
    }
    if (i->report >= SPD_REPORT_FINAL)
        return spd_tx_refuse(tx, SPD_EXISTS, "reported", "Er is al een verslag.",
                             "There is a report already.");
    i->claimed_by = e->by;
    spd_life_apply(i, SPD_LIFE_CLAIM);
    TRY(spd_claim_renew(tx, w));
    return done(tx, e, w, SPD_WHY_PERSON);
}

static enum spd_rc release(struct spd_tx *tx, struct spd_work *w, const struct spd_action_event *e)
{
    struct spd_item *i = &w->item;
    if (i->claimed_by.len && !spd_sv_eq(i->claimed_by, e->by) && !has_role(e, "manager")) {
        tx->r->holder = i->claimed_by;
        return spd_tx_refuse(tx, SPD_EXISTS, "claimed", "Een ander heeft dit onderzoek open.",
                             "Somebody else has this study.");
    }
    i->claimed_by = SPD_SV_NONE, i->claim_until = 0;
    spd_life_apply(i, SPD_LIFE_UNCLAIM);
    TRY(spd_tx_timer_clear(tx, SPD_TIMER_CLAIM, i->id, SPD_SV_NONE));
    return done(tx, e, w, SPD_WHY_PERSON);
}

static enum spd_rc opened(struct spd_tx *tx, struct spd_work *w, const struct spd_action_event *e)
{
    struct spd_opened *o = NULL;
    SPD_LIST_OWN(&w->item.opened, tx->a);
    for (size_t i = 0; i < w->item.opened.n; i++)
        if (spd_sv_eq(w->item.opened.v[i].by, e->by)) o = &w->item.opened.v[i];
    if (!o) {
        o = SPD_LIST_PUSH(&w->item.opened, tx->a);
        o->by = e->by, o->at = tx->now;
    } else if (tx->now - o->at > SPD_HOUR(10)) { /* another shift: it counts anew */
        o->at = tx->now;
    }
    if (spd_sv_eq(w->item.claimed_by, e->by)) TRY(spd_claim_renew(tx, w)); /* used: the lease goes on */
    return done(tx, e, w, 0);
}

static enum spd_rc priority(struct spd_tx *tx, struct spd_work *w, const struct spd_action_event *e)
{
    int level = spd_policy_level_by_name(tx->core->rules->policy, e->level);
    if (!level)
        return spd_tx_refuse(tx, SPD_INVALID, "level", "Dit niveau bestaat niet in het beleid.",
                             "The policy has no such level.");
    if (!e->reason.len) return needs_reason(tx);
    w->item.person_level = level;
    w->item.person_reason = e->reason, w->item.person_by = e->by;
    return done(tx, e, w, SPD_WHY_PERSON);
}

/* A reader disagrees: withdrawn, and everyone who was paged is told. A study pages once, on any of
 * its orders. */
static enum spd_rc disagree(struct spd_tx *tx, struct spd_work *w, spd_sv finding)
{
    static const char nl[] = "Ingetrokken: de radioloog ziet deze bevinding niet.",
                      en[] = "Withdrawn: the radiologist does not see this finding.";
    TRY(spd_alerts_withdraw(tx, w->item.id, finding, SPD_SV_NONE, nl, en));
    for (size_t s = 0; s < w->item.study_uids.n; s++) {
        int64_t *ids;
        size_t n;
        TRY(spd_tx_find(tx, SPD_KEY_ITEM_STUDY, w->item.study_uids.v[s], &ids, &n));
        for (size_t i = 0; i < n; i++) {
            struct spd_work *o;
            TRY(spd_tx_item(tx, ids[i], &o));
            if (o != w && spd_patient_shares_id(&o->item.patient, &w->item.patient))
                TRY(spd_alerts_withdraw(tx, ids[i], finding, w->item.study_uids.v[s], nl, en));
        }
    }
    return SPD_OK;
}

static enum spd_rc verdict(struct spd_tx *tx, struct spd_work *w, const struct spd_action_event *e)
{
    struct spd_verdict v = {0};
    int what = spd_enum_from(spd_verdict_kind_names, e->verdict);
    if (what <= 0)
        return spd_tx_refuse(tx, SPD_INVALID, "verdict", "Kies agree, disagree of amended.",
                             "Say agree, disagree or amended.");
    v.id = spd_tx_id(tx, SPD_T_VERDICT);
    v.at = tx->now, v.item = w->item.id, v.by = e->by, v.verdict = what, v.finding = e->finding,
    v.note = e->text;
    TRY(spd_put_verdict(tx->st, &v, NULL, tx->err));
    tx->r->id = v.id;
    if (what == SPD_VERDICT_DISAGREE) TRY(disagree(tx, w, e->finding));
    return done(tx, e, w, 0);
}

static enum spd_rc reopen(struct spd_tx *tx, struct spd_work *w, const struct spd_action_event *e)
{
    if (!e->reason.len) return needs_reason(tx);
    if (w->item.unmatched)
        return spd_tx_refuse(tx, SPD_EXISTS, "unmatched", "Dit is een resultaat zonder aanvraag.",
                             "This is a result without an order.");
    spd_life_apply(&w->item, SPD_LIFE_REOPEN);
    w->item.cancel_confirmed = 0;
    w->item.report_model = SPD_SV_NONE;
    w->item.report_message = 0;
    return done(tx, e, w, SPD_WHY_ORDER);
}

static enum spd_rc confirm_cancel(struct spd_tx *tx, struct spd_work *w,
                                  const struct spd_action_event *e)
{
    if (spd_item_status(&w->item) !=
        SPD_STATUS_CANCELLED_IMAGES) /* images that are still to come must show */
        return spd_tx_refuse(tx, SPD_EXISTS, "not-cancelled", "De aanvraag is niet geannuleerd.",
                             "The order is not cancelled.");
    w->item.cancel_confirmed = 1;
    return done(tx, e, w, SPD_WHY_PERSON);
}

/* "The order names another patient": somebody looked, and it is as it should be. */
static enum spd_rc confirm_patient(struct spd_tx *tx, struct spd_work *w,
                                   const struct spd_action_event *e)
{
    if (!e->reason.len) return needs_reason(tx);
    if (!w->item.ask_person && !w->item.extra_since)
        return spd_tx_refuse(tx, SPD_EXISTS, "not-asked", "Hier staat geen vraag over de patiënt.",
                             "Nothing is asked about this patient.");
    w->item.ask_person = 0;
    w->item.extra_since = 0; /* a person knows of it, and that the RIS does not list it */
    return done(tx, e, w, SPD_WHY_ORDER);
}

static enum spd_rc item_act(struct spd_tx *tx, const struct spd_action_event *e)
{
    struct spd_work *w;
    enum spd_rc rc = spd_tx_item(tx, e->item, &w);
    if (rc) return rc == SPD_NOTFOUND ? no_item(tx) : rc;
    switch ((enum spd_action_verb)e->verb) {
    case SPD_ACT_CLAIM:
        return claim(tx, w, e);
    case SPD_ACT_RELEASE:
        return release(tx, w, e);
    case SPD_ACT_OPENED:
        return opened(tx, w, e);
    case SPD_ACT_PRIORITY:
        return priority(tx, w, e);
    case SPD_ACT_VERDICT:
        return verdict(tx, w, e);
    case SPD_ACT_REOPEN:
        return reopen(tx, w, e);
    case SPD_ACT_CONFIRM_CANCEL:
        return confirm_cancel(tx, w, e);
    case SPD_ACT_CONFIRM_PATIENT:
        return confirm_patient(tx, w, e);
    default:
        return spd_fail(tx->err, SPD_BUG, "action", "not an item's verb");
    }
}

/* ---- parked -------------------------------------------------------------------------------------
 */
static enum spd_rc parked_act(struct spd_tx *tx, const struct spd_action_event *e)
{
    struct spd_parked p;
    struct spd_work *w = NULL;
    enum spd_rc rc = spd_get_parked(tx->st, e->parked, &p, tx->a, tx->err);
    if (rc == SPD_NOTFOUND)
        return spd_tx_refuse(tx, SPD_NOTFOUND, "no-such-parked", "Dit bestaat niet.",
                             "There is no such parked row.");
    if (rc) return rc;
    if (p.closed)
        return spd_tx_refuse(tx, SPD_EXISTS, "closed", "Al afgehandeld.", "Dealt with already.");
    if (!e->reason.len) return needs_reason(tx);
    if (e->verb == SPD_ACT_ASSIGN) {
        if (!p.result)
            return spd_tx_refuse(tx, SPD_INVALID, "no-result",
                                 "Alleen een resultaat kan worden toegewezen.",
                                 "Only a result can be assigned.");
        rc = spd_tx_item(tx, e->item, &w);
        if (rc) return rc == SPD_NOTFOUND ? no_item(tx) : rc;
        if (w->item.unmatched)
            return spd_tx_refuse(tx, SPD_INVALID, "unmatched",
                                 "Kies een onderzoek met een aanvraag.",
                                 "Choose an item with an order.");
        TRY(spd_unpark(tx, &p, &w->item.id, 1, e->by, "assigned", e->reason));
    } else {
        TRY(spd_unpark(tx, &p, NULL, 0, e->by, "discarded", e->reason));
    }
    tx->r->id = p.id;
    return done(tx, e, w, w ? SPD_WHY_PERSON : 0);
}

/* ---- models ----------------------------------------------------------------------------------- */
static enum spd_rc set_mode(struct spd_tx *tx, const struct spd_action_event *e)
{
    struct spd_model_version v = {0}, old;
    int mode = spd_enum_from(spd_mode_names, e->mode);
    int64_t id;
    enum spd_rc rc;
    if (mode <= 0 || !spd_models_get(tx->core->rules->models, e->model))
        return spd_tx_refuse(tx, SPD_INVALID, "mode", "Onbekend model of onbekende modus.",
                             "Unknown model or mode.");
    rc = spd_store_find_one(tx->st, SPD_KEY_MODEL_VERSION,
                            spd_key_join(tx->a, e->model, e->model_version), &id, tx->err);
    if (rc == SPD_OK) {
        TRY(spd_get_model_version(tx->st, id, &old, tx->a, tx->err));
        v = old;
    } else if (rc == SPD_NOTFOUND) {
        v.id = spd_tx_id(tx, SPD_T_MODEL_VERSION);
        v.model = e->model, v.version = e->model_version;
    } else {
        return rc;
    }
    v.mode = mode, v.since = tx->now, v.by = e->by, v.reason = e->reason;
    TRY(spd_put_model_version(tx->st, &v, rc == SPD_OK ? &old : NULL, tx->err));
    TRY(spd_decide_after(tx, 0));
    tx->r->id = v.id;
    return done(tx, e, NULL, 0);
}

enum spd_rc spd_action_in(struct spd_tx *tx, const struct spd_action_event *e)
{
    switch ((enum spd_action_verb)e->verb) {
    case SPD_ACT_CLAIM:
    case SPD_ACT_RELEASE:
    case SPD_ACT_OPENED:
    case SPD_ACT_PRIORITY:
    case SPD_ACT_VERDICT:
    case SPD_ACT_REOPEN:
    case SPD_ACT_CONFIRM_CANCEL:
    case SPD_ACT_CONFIRM_PATIENT:
        return item_act(tx, e);
    case SPD_ACT_MERGE_UNDO:
        return spd_merge_act(tx, e);
    case SPD_ACT_ASSIGN:
    case SPD_ACT_DISCARD:
        return parked_act(tx, e);
    case SPD_ACT_DRAFT_ACCEPT:
    case SPD_ACT_DRAFT_REJECT:
    case SPD_ACT_DRAFT_UNDO:
        return spd_draft_act(tx, e);
    case SPD_ACT_ACKNOWLEDGE:
    case SPD_ACT_DECLINE:
    case SPD_ACT_HANDOVER:
    case SPD_ACT_RESOLVE:
        return spd_alert_act(tx, e);
    case SPD_ACT_SET_MODE:
        return set_mode(tx, e);
    case SPD_ACT_RETRY:
    case SPD_ACT_RESEND:
    case SPD_ACT_PAUSE:
    case SPD_ACT_RESUME:
    case SPD_ACT_QUEUE_DISCARD:
        return spd_queue_act(tx, e);
    case SPD_ACT_VIEW_RAW:
        return done(tx, e, NULL, 0);
    case SPD_ACTION_VERB_UNSET:
    case SPD_ACTION_VERB_N:
        break;
    }
    return spd_tx_refuse(tx, SPD_INVALID, "verb", "Onbekende handeling.", "Unknown act.");
}
