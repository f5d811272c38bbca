/* src/core/alert_act.c: what becomes of pages that were sent, and what people answer to an alert.
 */
#include "core/alert.h"

#include "base/hash.h"

/* ---- outcomes
 * ------------------------------------------------------------------------------------ */
/* All ways of that person in that step failed for good: the next member of the team, at once. */
static enum spd_rc next_member(struct spd_tx *tx, struct spd_alert *al, const struct spd_page *page)
{
    int64_t *ids;
    size_t n, m, skip = 0, reached;
    struct spd_work *w;
    const spd_sv *members = spd_people_team(tx->core->rules->people, page->to_team, &m);
    struct spd_paging p = {al, SPD_SV_NONE, page->to_team, page->step, SPD_PAGE_ALERT};
    TRY(spd_tx_find(tx, SPD_KEY_PAGE_ALERT, spd_key_i64(tx->a, al->id), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_page o;
        TRY(spd_get_page(tx->st, ids[i], &o, tx->a, tx->err));
        if (o.step != page->step || o.kind != SPD_PAGE_ALERT || o.id == page->id) continue;
        if (spd_sv_eq(o.person, page->person) && o.outcome != SPD_OUTCOME_PERMANENT)
            return SPD_OK; /* another way is open */
        for (size_t k = 0; k < m; k++)
            if (spd_sv_eq(members[k], o.person) && k + 1 > skip) skip = k + 1;
    }
    for (size_t k = 0; k < m; k++)
        if (spd_sv_eq(members[k], page->person) && k + 1 > skip) skip = k + 1;
    TRY(spd_tx_item(tx, al->item, &w));
    p.text = spd_alert_site_text(tx, al);
    TRY(spd_page_team(tx, &p, false, skip, &reached));
    if (!reached)
        TRY(spd_tx_alarm(tx, "unreachable", page->to_team, "Niemand van dit team is te bereiken.",
                         "Nobody in this team can be reached."));
    return SPD_OK;
}

/* Does what this page says still hold? A correction always goes out. */
enum spd_rc spd_alert_page_stands(struct spd_tx *tx, const struct spd_outbox *row, bool *ret)
{
    struct spd_alert al;
    struct spd_page page;
    TRY(spd_get_page(tx->st, row->page, &page, tx->a, tx->err));
    TRY(spd_get_alert(tx->st, row->alert, &al, tx->a, tx->err));
    *ret = page.kind != SPD_PAGE_ALERT || spd_alert_open((enum spd_alert_state)al.state);
    return SPD_OK;
}

enum spd_rc spd_alert_outcome(struct spd_tx *tx, const struct spd_outbox *row,
                              enum spd_outcome outcome, spd_sv detail, bool final)
{
    struct spd_page page, old_page;
    struct spd_alert al, old;
    bool open;
    TRY(spd_get_page(tx->st, row->page, &old_page, tx->a, tx->err));
    page = old_page;
    page.outcome = (int32_t)(final && outcome != SPD_OUTCOME_OK && outcome != SPD_OUTCOME_OBSERVED
                                 ? SPD_OUTCOME_PERMANENT
                                 : outcome);
    page.detail = detail;
    if (final) page.done_at = tx->now;
    TRY(spd_put_page(tx->st, &page, &old_page, tx->err));
    TRY(spd_get_alert(tx->st, row->alert, &old, tx->a, tx->err));
    al = old;
    open = spd_alert_open((enum spd_alert_state)al.state);
    spd_alert_set(&al, outcome == SPD_OUTCOME_OK || outcome == SPD_OUTCOME_OBSERVED
                           ? SPD_ALERT_IN_OK
                       : outcome == SPD_OUTCOME_PERMANENT ? SPD_ALERT_IN_PERM
                                                          : SPD_ALERT_IN_TEMP);
    if (open && final && page.outcome == SPD_OUTCOME_PERMANENT && page.kind == SPD_PAGE_ALERT)
        TRY(next_member(tx, &al, &page));
    return spd_alert_save(tx, &al, &old);
}

/* ---- what a person does
 * ---------------------------------------------------------------------------- */
static enum spd_rc by_token(struct spd_tx *tx, spd_sv token, struct spd_page *ret)
{
    int64_t *ids;
    size_t n;
    TRY(spd_tx_find(tx, SPD_KEY_PAGE_TOKEN, spd_sha256_hex(tx->a, token), &ids, &n));
    if (!n) return SPD_NOTFOUND;
    return spd_get_page(tx->st, ids[n - 1], ret, tx->a, tx->err);
}

static enum spd_rc acknowledge(struct spd_tx *tx, struct spd_alert *al, spd_sv by,
                               const struct spd_action_event *e)
{
    spd_alert_set(al, SPD_ALERT_IN_ACK);
    al->ack_by = by, al->ack_at = tx->now;
    al->ack_how = e->how.len ? e->how : e->token.len ? SPD_SV("link") : SPD_SV("page");
    al->ack_note = e->text;
    return spd_alert_stop(tx, al);
}

static enum spd_rc hand_over(struct spd_tx *tx, struct spd_alert *al, spd_sv to)
{
    struct spd_paging p = {al, SPD_SV_NONE, to, al->step < 0 ? 0 : al->step, SPD_PAGE_ALERT};
    size_t n, reached;
    struct spd_work *w;
    if (!spd_people_team(tx->core->rules->people, to, &n) || !n)
        return spd_tx_refuse(tx, SPD_INVALID, "no-such-person",
                             "Deze persoon of dit team is niet bekend.", "No such person or team.");
    spd_alert_set(al, SPD_ALERT_IN_HANDOVER);
    al->handed_to = to;
    al->ack_by = SPD_SV_NONE, al->ack_at = 0,
    al->ack_how = SPD_SV_NONE; /* it needs an acknowledgement again */
    TRY(spd_tx_item(tx, al->item, &w));
    al->text_nl = spd_alert_text(tx, al, &w->item, true);
    al->text_en = spd_alert_text(tx, al, &w->item, false);
    p.text = spd_alert_site_text(tx, al);
    TRY(spd_page_team(tx, &p, false, 0, &reached));
    if (!reached)
        TRY(spd_tx_alarm(tx, "unreachable", to, "Niemand van dit team is te bereiken.",
                         "Nobody in this team can be reached."));
    al->due = tx->now + spd_policy_repeat(tx->core->rules->policy);
    return spd_tx_timer_set(tx, SPD_TIMER_ALERT, al->id, SPD_SV_NONE, al->due);
}

enum spd_rc spd_alert_act(struct spd_tx *tx, const struct spd_action_event *e)
{
    struct spd_alert al, old;
    struct spd_page page = {0};
    spd_sv by = e->by;
    enum spd_rc rc = SPD_OK;
    int64_t id = e->alert;
    if (e->token.len) {
        rc = by_token(tx, e->token, &page);
        if (rc == SPD_OK) id = page.alert;
    }
    if (rc == SPD_OK) rc = spd_get_alert(tx->st, id, &old, tx->a, tx->err);
    if (rc == SPD_NOTFOUND)
        return spd_tx_refuse(tx, SPD_NOTFOUND, "no-such-alert", "Deze melding bestaat niet.",
                             "There is no such alert.");
    if (rc) return rc;
    /* A page to a team went to whoever was reached: the link alone does not name a person. */
    if (e->token.len && !by.len && page.to_team.len && !spd_sv_eq(page.to_team, page.person))
        return spd_tx_refuse(tx, SPD_DENIED, "login-first",
                             "Log eerst in: deze melding ging naar een team.",
                             "Log in first: this page went to a team.");
    if (e->token.len && !by.len) by = page.person;
    if (!by.len)
        return spd_tx_refuse(tx, SPD_DENIED, "no-name", "Wie bevestigt, moet bekend zijn.",
                             "Whoever acknowledges must be known.");
    al = old;
    tx->r->id = al.id;
    if (e->verb == SPD_ACT_RESOLVE || e->verb == SPD_ACT_HANDOVER) {
        if (al.state == SPD_ALERT_WITHDRAWN || al.state == SPD_ALERT_RESOLVED)
            return spd_tx_refuse(tx, SPD_EXISTS, "alert-closed", "Deze melding is al gesloten.",
                                 "This alert is closed already.");
    } else if (!spd_alert_open((enum spd_alert_state)al.state)) {
        tx->r->holder = al.ack_by;
        return spd_tx_refuse(tx, SPD_EXISTS, "alert-closed",
                             "Deze melding is al bevestigd of ingetrokken.",
                             "This alert was acknowledged or withdrawn already.");
    }
    tx->r->did = SPD_DID_APPLY;
    switch ((enum spd_action_verb)e->verb) {
    case SPD_ACT_ACKNOWLEDGE:
        TRY(acknowledge(tx, &al, by, e));
        break;
    case SPD_ACT_DECLINE: /* "not mine": the next step now */
        spd_alert_set(&al, SPD_ALERT_IN_DECLINE);
        if ((size_t)(al.step + 1) < al.steps.n)
            al.started = tx->now - al.steps.v[al.step + 1].after;
        TRY(spd_alert_advance(tx, &al));
        break;
    case SPD_ACT_HANDOVER:
        TRY(hand_over(tx, &al, e->to));
        break;
    case SPD_ACT_RESOLVE:
        spd_alert_set(&al, SPD_ALERT_IN_RESOLVE);
        al.resolved_at = al.closed = tx->now, al.resolved_by = by;
        TRY(spd_alert_stop(tx, &al));
        break;
    default:
        return spd_fail(tx->err, SPD_BUG, "alert", "not an alert's verb");
    }
    if (tx->r->did == SPD_DID_REFUSE) return SPD_OK;
    if (page.id) {
        struct spd_page used = page;
        used.token_used = tx->now;
        TRY(spd_put_page(tx->st, &used, &page, tx->err));
    }
    TRY(spd_tx_audit(tx, by, spd_action_verb_names[e->verb], al.item, al.id, e->how));
    return spd_alert_save(tx, &al, &old);
}
