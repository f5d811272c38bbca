/* src/core/queue_act.c: what a person does with rows that have to leave the house: retry, resend
 * from the message log, discard; pause and resume a destination. Every act is audited with its
 * name. */
#include "core/internal.h"

static enum spd_rc done(struct spd_tx *tx, const struct spd_action_event *e, spd_sv detail)
{
    tx->r->did = SPD_DID_APPLY;
    return spd_tx_audit(tx, e->by, spd_action_verb_names[e->verb], 0, 0, detail);
}

/* "row 12: reason" */
static spd_sv about(struct spd_tx *tx, int64_t row, spd_sv reason)
{
    return spd_arena_printf(tx->a, "row %lld%s%.*s", (long long)row, reason.len ? ": " : "",
                            SPD_SV_ARG(reason));
}

static enum spd_rc no_row(struct spd_tx *tx)
{
    return spd_tx_refuse(tx, SPD_NOTFOUND, "no-such-row", "Deze regel bestaat niet.",
                         "There is no such row.");
}

/* What was overtaken must not go out again: an old priority, a report of an item that moved on, a
 * page of an alert that ended, an alert as it was before. */
static enum spd_rc may_retry(struct spd_tx *tx, const struct spd_outbox *row, bool *ret)
{
    *ret = true;
    if (row->kind == SPD_OUTBOX_REPORT) return spd_draft_retry(tx, row, ret);
    if (row->kind == SPD_OUTBOX_PRIORITY) {
        struct spd_work *w;
        TRY(spd_tx_item(tx, row->item, &w));
        for (size_t i = 0; i < w->item.sent.n; i++)
            if (spd_sv_eq(w->item.sent.v[i].destination, row->destination))
                *ret = spd_sv_eq(w->item.sent.v[i].wire, row->wire);
        return SPD_OK;
    }
    if (row->kind == SPD_OUTBOX_PAGE) return spd_alert_page_stands(tx, row, ret);
    if (row->kind == SPD_OUTBOX_ALERT) return spd_alert_row_stands(tx, row, ret);
    return SPD_OK;
}

/* The last dead letter of its kind is gone: so is its alarm. */
static enum spd_rc review_alarm(struct spd_tx *tx, const struct spd_outbox *row)
{
    const char *kind = row->kind == SPD_OUTBOX_PRIORITY ? "priority-not-delivered"
                       : row->kind == SPD_OUTBOX_ALERT  ? "alert-not-delivered"
                                                        : NULL;
    int64_t *ids;
    size_t n;
    if (!kind) return SPD_OK;
    TRY(spd_tx_find(tx, SPD_KEY_OUTBOX_STATE, spd_sv_from(spd_outbox_state_names[SPD_OUTBOX_DEAD]),
                    &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_outbox o;
        TRY(spd_get_outbox(tx->st, ids[i], &o, tx->a, tx->err));
        if (o.kind == row->kind && spd_sv_eq(o.destination, row->destination)) return SPD_OK;
    }
    return spd_tx_alarm_clear(tx, kind, row->destination);
}

/* The number of a row stays while it is in doubt whether it arrived: who has it already gives its
 * answer again and does nothing twice. A row that was answered and is wanted once more by a person
 * gets a new one, since the same would be taken for a duplicate and do nothing. A page keeps its
 * id: it says itself that it is a repeat. */
static spd_sv number_again(struct spd_tx *tx, const struct spd_outbox *old)
{
    if (old->state != SPD_OUTBOX_DONE || old->kind == SPD_OUTBOX_PAGE) return old->control_id;
    return spd_arena_printf(tx->a, "SPD%lld-%lld", (long long)tx->seq, (long long)old->id);
}

static enum spd_rc retry(struct spd_tx *tx, const struct spd_action_event *e)
{
    struct spd_outbox row, old;
    bool may;
    enum spd_rc rc = spd_get_outbox(tx->st, e->outbox, &old, tx->a, tx->err);
    if (rc) return rc == SPD_NOTFOUND ? no_row(tx) : rc;
    if (old.state != SPD_OUTBOX_DEAD && old.state != SPD_OUTBOX_DONE &&
        old.state != SPD_OUTBOX_OBSERVED)
        return spd_tx_refuse(tx, SPD_EXISTS, "in-flight", "Deze regel is nog onderweg.",
                             "This row is still under way.");
    TRY(may_retry(tx, &old, &may));
    if (!may)
        return spd_tx_refuse(tx, SPD_STALE, "overtaken",
                             "Dit is achterhaald en gaat niet opnieuw uit.",
                             "This was overtaken and is not sent again.");
    row = old;
    row.control_id = number_again(tx, &old);
    row.observe = spd_destination_observes(tx, row.destination); /* a person wants it sent now */
    row.state = SPD_OUTBOX_QUEUED, row.attempts = 0, row.due = tx->now, row.done_at = 0;
    row.repeat = old.repeat + 1; /* whoever gets it again can see that it is a repeat */
    TRY(spd_put_outbox(tx->st, &row, &old, tx->err));
    TRY(review_alarm(tx, &row));
    tx->r->id = row.id;
    return done(tx, e, about(tx, row.id, e->reason));
}

static enum spd_rc resend(struct spd_tx *tx, const struct spd_action_event *e)
{
    struct spd_message m;
    struct spd_action_event again = *e;
    enum spd_rc rc = spd_get_message(tx->st, e->message, &m, tx->a, tx->err);
    if (rc == SPD_NOTFOUND)
        return spd_tx_refuse(tx, SPD_NOTFOUND, "no-such-message", "Dit bericht bestaat niet.",
                             "There is no such message.");
    if (rc) return rc;
    if (m.direction !=
        SPD_DIRECTION_OUT) { /* who has it processed again; the event itself follows */
        tx->r->id = m.id;
        return done(tx, e,
                    spd_arena_printf(tx->a, "message %lld%s%.*s", (long long)m.id,
                                     e->reason.len ? ": " : "", SPD_SV_ARG(e->reason)));
    }
    again.outbox = m.outbox;
    return m.outbox ? retry(tx, &again) : no_row(tx);
}

static enum spd_rc discard(struct spd_tx *tx, const struct spd_action_event *e)
{
    struct spd_outbox row, old;
    enum spd_rc rc = spd_get_outbox(tx->st, e->outbox, &old, tx->a, tx->err);
    if (rc) return rc == SPD_NOTFOUND ? no_row(tx) : rc;
    if (!e->reason.len)
        return spd_tx_refuse(tx, SPD_INVALID, "reason", "Geef een reden.", "Give a reason.");
    if (old.state != SPD_OUTBOX_QUEUED && old.state != SPD_OUTBOX_DEAD)
        return spd_tx_refuse(tx, SPD_EXISTS, "in-flight",
                             "Alleen wat wacht of is opgegeven, kan worden weggedaan.",
                             "Only what waits or was given up can be put away.");
    if (old.kind == SPD_OUTBOX_PAGE)
        return spd_tx_refuse(
            tx, SPD_EXISTS, "page",
            "Een oproep wordt niet weggedaan: bevestig de melding of draag haar over.",
            "A page is not put away: acknowledge the alert or hand it over.");
    row = old;
    row.state = SPD_OUTBOX_CANCELLED, row.done_at = tx->now, row.due = row.lease_until = 0;
    row.error = spd_arena_printf(tx->a, "discarded: %.*s", SPD_SV_ARG(e->reason));
    TRY(spd_put_outbox(tx->st, &row, &old, tx->err));
    TRY(spd_outbox_wake(tx, &row));
    if (row.kind == SPD_OUTBOX_REPORT) /* not delivered: the item goes back on the list */
        TRY(spd_draft_outcome(tx, &row, false, true, row.error));
    TRY(review_alarm(tx, &row));
    tx->r->id = row.id;
    return done(tx, e, about(tx, row.id, e->reason));
}

static bool is_channel(const struct spd_tx *tx, spd_sv name)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    for (size_t i = 0; i < s->channels.n; i++)
        if (spd_sv_eq(s->channels.v[i].name, name)) return true;
    return false;
}

static enum spd_rc pause(struct spd_tx *tx, const struct spd_action_event *e)
{
    bool paused, want = e->verb == SPD_ACT_PAUSE;
    if (is_channel(tx, e->to))
        return spd_tx_refuse(tx, SPD_DENIED, "pages",
                             "Een kanaal voor oproepen wordt niet stilgezet: zet het in de "
                             "configuratie uit, dan gaan oproepen langs de andere wegen.",
                             "A channel of pages is not paused: turn it off in the configuration, "
                             "then pages take the other ways.");
    TRY(spd_queue_paused(tx->st, e->to, tx->a, &paused, tx->err));
    if (!spd_destination_of(tx, e->to) &&
        !(paused && !want)) /* one that left the file can resume */
        return spd_tx_refuse(tx, SPD_NOTFOUND, "no-such-destination",
                             "Deze bestemming bestaat niet.", "There is no such destination.");
    if (want != paused) TRY(spd_queue_pause(tx, e->to, want));
    if (want)
        TRY(spd_tx_alarm(tx, "destination-paused", e->to,
                         "Een bestemming is stilgezet; wat er naartoe moet, wacht.",
                         "A destination is paused; what has to go there waits."));
    else
        TRY(spd_tx_alarm_clear(tx, "destination-paused", e->to));
    return done(tx, e,
                spd_arena_printf(tx->a, "%.*s%s%.*s", SPD_SV_ARG(e->to), e->reason.len ? ": " : "",
                                 SPD_SV_ARG(e->reason)));
}

enum spd_rc spd_queue_act(struct spd_tx *tx, const struct spd_action_event *e)
{
    switch ((enum spd_action_verb)e->verb) {
    case SPD_ACT_RETRY:
        return retry(tx, e);
    case SPD_ACT_RESEND:
        return resend(tx, e);
    case SPD_ACT_QUEUE_DISCARD:
        return discard(tx, e);
    default:
        return pause(tx, e);
    }
}
