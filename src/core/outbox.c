/* src/core/outbox.c: rows that must leave the house: adding, leasing, outcomes. What they say is
 * made elsewhere (priority_out.c, alert_out.c, draft.c, page.c); what people do with them is
 * queue_act.c.
 *
 * At least once, never zero times: a lease that ran out makes the row due again, marked as a
 * repeat. One outstanding row per group (destination|accession). Back-off grows quadratically; what
 * cannot be delivered becomes a dead letter with an alarm, to be resent by a person. A paused
 * destination is given no rows and loses none. Where a destination answers in two steps (enhanced
 * mode), the row stays in flight after the first until the second has come. */
#include "core/internal.h"

const struct spd_peer_fact *spd_peer_fact(const struct spd_tx *tx, spd_sv name)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    for (size_t i = 0; i < s->peers.n; i++)
        if (spd_sv_eq(s->peers.v[i].name, name)) return &s->peers.v[i];
    return NULL;
}

bool spd_peer_has_role(const struct spd_tx *tx, spd_sv name, const char *role)
{
    const struct spd_peer_fact *p = spd_peer_fact(tx, name);
    return p && spd_list_has_text(p->roles.v, p->roles.n, spd_sv_from(role));
}

bool spd_destination_observes(struct spd_tx *tx, spd_sv name)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    for (size_t i = 0; i < s->destinations.n; i++)
        if (spd_sv_eq(s->destinations.v[i].name, name))
            return spd_sv_is(s->destinations.v[i].mode, "observe");
    for (size_t i = 0; i < s->channels.n; i++)
        if (spd_sv_eq(s->channels.v[i].name, name))
            return spd_sv_is(s->channels.v[i].mode, "observe");
    return false;
}

enum spd_rc spd_outbox_add(struct spd_tx *tx, struct spd_outbox *row)
{
    row->observe = spd_destination_observes(tx, row->destination);
    row->id = spd_tx_id(tx, SPD_T_OUTBOX);
    row->at = tx->now;
    row->state = SPD_OUTBOX_QUEUED;
    /* MSH-10: unique across restarts and nodes, at most 20 characters (HL7 2.5.1 §2.14.9.10). */
    if (!row->control_id.len)
        row->control_id =
            spd_arena_printf(tx->a, "SPD%lld-%lld", (long long)tx->seq, (long long)row->id);
    return spd_put_outbox(tx->st, row, NULL, tx->err);
}

enum spd_rc spd_outbox_cancel(struct spd_tx *tx, int64_t id)
{
    struct spd_outbox row, old;
    TRY(spd_get_outbox(tx->st, id, &old, tx->a, tx->err));
    if (old.state != SPD_OUTBOX_QUEUED)
        return SPD_OK; /* in flight or ended: its outcome will come */
    row = old;
    row.state = SPD_OUTBOX_CANCELLED, row.done_at = tx->now, row.due = 0;
    return spd_put_outbox(tx->st, &row, &old, tx->err);
}

/* ---- leases -----------------------------------------------------------------------------------
 */
/* Until when another row of the group goes before this one: an older one, or one in flight. 0:
 * nobody does. */
static enum spd_rc group_blocked(struct spd_tx *tx, const struct spd_outbox *row,
                                 spd_usec *ret_until)
{
    int64_t *ids;
    size_t n;
    *ret_until = 0;
    if (!row->group_key.len) return SPD_OK;
    TRY(spd_tx_find(tx, SPD_KEY_OUTBOX_GROUP, row->group_key, &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_outbox o;
        if (ids[i] == row->id) continue;
        TRY(spd_get_outbox(tx->st, ids[i], &o, tx->a, tx->err));
        if (!(o.state == SPD_OUTBOX_SENDING && o.lease_until > tx->now) && o.id > row->id) continue;
        if (o.due > *ret_until) *ret_until = o.due;
        if (!*ret_until) *ret_until = 1;
    }
    return SPD_OK;
}

/* A row that another one goes before sleeps until that one is due, so that nobody asks for it in
 * vain. Its own due is kept where a row in flight has its lease. */
static enum spd_rc sleep_until(struct spd_tx *tx, const struct spd_outbox *old, spd_usec until,
                               bool *ret_moved)
{
    struct spd_outbox row = *old;
    if (until <= tx->now) return SPD_OK;
    row.lease_until = old->lease_until ? old->lease_until : old->due;
    row.due = until;
    *ret_moved = true;
    return spd_put_outbox(tx->st, &row, old, tx->err);
}

/* The row before them has had its outcome: the others of its group are due now, or after its next
 * try. */
enum spd_rc spd_outbox_wake(struct spd_tx *tx, const struct spd_outbox *done)
{
    int64_t *ids;
    size_t n;
    if (!done->group_key.len) return SPD_OK;
    TRY(spd_tx_find(tx, SPD_KEY_OUTBOX_GROUP, done->group_key, &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_outbox row, old;
        if (ids[i] <= done->id) continue;
        TRY(spd_get_outbox(tx->st, ids[i], &old, tx->a, tx->err));
        if (old.state != SPD_OUTBOX_QUEUED || !old.lease_until) continue; /* has not slept */
        row = old;
        row.due = done->state == SPD_OUTBOX_QUEUED && done->due > old.lease_until ? done->due
                                                                                  : old.lease_until;
        row.lease_until = 0;
        TRY(spd_put_outbox(tx->st, &row, &old, tx->err));
    }
    return SPD_OK;
}

static int64_t attempts_allowed(enum spd_outbox_kind kind)
{
    static const int64_t allowed[SPD_OUTBOX_KIND_N] = {
        [SPD_OUTBOX_REPORT] = 3, /* then the item goes back on the list: a person waits for it */
        [SPD_OUTBOX_PAGE] = 5,   /* then the next member of the team; the alert itself goes on */
        [SPD_OUTBOX_PRIORITY] = 30,
        [SPD_OUTBOX_ALERT] = 30,
        [SPD_OUTBOX_RESULT] = 30,
        [SPD_OUTBOX_SUMMARY] = 30,
        [SPD_OUTBOX_WORKITEM] = 8, /* then the subscriber asks by itself (PS3.4 CC.2.4.3) */
    };
    return (unsigned)kind < SPD_OUTBOX_KIND_N && allowed[kind] ? allowed[kind] : 5;
}

/* A destination that is down loses nothing by waiting: these rows stay queued until it is there again. A
 * report or a page has a person waiting behind it, a subscriber asks by itself: those go on without. */
static bool waits_for_it(enum spd_outbox_kind kind)
{
    return kind == SPD_OUTBOX_PRIORITY || kind == SPD_OUTBOX_ALERT || kind == SPD_OUTBOX_RESULT ||
           kind == SPD_OUTBOX_SUMMARY;
}

const struct spd_destination *spd_destination_of(const struct spd_tx *tx, spd_sv name)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    for (size_t i = 0; i < s->destinations.n; i++)
        if (spd_sv_eq(s->destinations.v[i].name, name)) return &s->destinations.v[i];
    return NULL;
}

static spd_sv paused_key(struct spd_arena *a, spd_sv destination)
{
    return spd_key_join(a, SPD_SV("paused"), destination);
}

enum spd_rc spd_queue_paused(struct spd_store *st, spd_sv destination, struct spd_arena *a,
                             bool *ret, struct spd_err *err)
{
    struct spd_setting s;
    int64_t id;
    enum spd_rc rc =
        spd_store_find_one(st, SPD_KEY_SETTING_NAME, paused_key(a, destination), &id, err);
    *ret = false;
    if (!rc) rc = spd_get_setting(st, id, &s, a, err);
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    *ret = s.value.len > 0;
    return SPD_OK;
}

enum spd_rc spd_queue_pause(struct spd_tx *tx, spd_sv destination, bool pause)
{
    return spd_tx_setting_put(tx, paused_key(tx->a, destination).ptr,
                              pause ? SPD_SV("1") : SPD_SV_NONE);
}

static enum spd_rc settle(struct spd_tx *tx, const struct spd_outbox *old,
                          const struct spd_outcome_event *e);

/* Accepted as often as it may be, and never answered: nobody will. */
static enum spd_rc give_up(struct spd_tx *tx, const struct spd_outbox *row)
{
    struct spd_outcome_event e = {.outbox = row->id,
                                  .outcome = SPD_OUTCOME_PERMANENT,
                                  .detail = SPD_SV("accepted, but its application never answered")};
    return settle(tx, row, &e);
}

/* A report whose item moved on while the row was under way (another patient, reopened, lost) is not
 * tried again. */
static enum spd_rc row_stands(struct spd_tx *tx, const struct spd_outbox *row, bool *ret)
{
    struct spd_work *w;
    *ret = true;
    if (row->kind == SPD_OUTBOX_PAGE) return spd_alert_page_stands(tx, row, ret);
    if (row->kind != SPD_OUTBOX_REPORT) return SPD_OK;
    TRY(spd_tx_item(tx, row->item, &w));
    *ret = w->item.report_message == row->id;
    return SPD_OK;
}

static enum spd_rc overtaken(struct spd_tx *tx, const struct spd_outbox *old)
{
    struct spd_outbox row = *old;
    row.state = SPD_OUTBOX_CANCELLED, row.done_at = tx->now;
    row.due = row.lease_until = row.accepted = row.ack = 0;
    TRY(spd_put_outbox(tx->st, &row, old, tx->err));
    return spd_outbox_wake(tx, &row);
}

/* One row that is due: taken, or put to sleep behind another one of its order. */
static enum spd_rc take(struct spd_tx *tx, int64_t id, spd_usec lease, struct spd_outbox *ret,
                        bool *ret_took, bool *ret_moved)
{
    struct spd_outbox row, old;
    spd_usec until;
    bool stands = true;
    *ret_took = false;
    TRY(spd_get_outbox(tx->st, id, &old, tx->a, tx->err));
    if (old.kind == SPD_OUTBOX_REPORT) TRY(row_stands(tx, &old, &stands));
    if (!stands) {
        *ret_moved = true;
        return overtaken(tx, &old);
    }
    TRY(group_blocked(tx, &old, &until));
    if (until) return sleep_until(tx, &old, until, ret_moved);
    if (old.accepted && old.attempts - old.unreached >= attempts_allowed((enum spd_outbox_kind)old.kind)) {
        *ret_moved = true;
        return give_up(tx, &old);
    }
    row = old;
    row.state = SPD_OUTBOX_SENDING;
    row.attempts++;
    row.accepted = row.ack = 0;
    row.lease_until = row.due = tx->now + (lease > 0 ? lease : SPD_SEC(30));
    TRY(spd_put_outbox(tx->st, &row, &old, tx->err));
    *ret = row;
    *ret_took = *ret_moved = true;
    return SPD_OK;
}

/* Costs what this destination has due, whatever waits for others. */
enum spd_rc spd_claim_rows(struct spd_tx *tx, const struct spd_claim_event *e)
{
    enum { PAGE = 64 };
    int64_t ids[PAGE], after_id = 0;
    spd_usec dues[PAGE], after_due = 0;
    size_t n, max = e->max > 0 && e->max < 64 ? (size_t)e->max : 16, got = 0;
    bool moved = false, paused, took;
    struct spd_outbox *rows = SPD_NEW_N(tx->a, struct spd_outbox, max);
    tx->r->did = SPD_DID_APPLY;
    tx->journal = false;
    TRY(spd_queue_paused(tx->st, e->destination, tx->a, &paused, tx->err));
    if (paused) return SPD_OK;
    do {
        TRY(spd_store_due(tx->st, SPD_T_OUTBOX, e->destination, tx->now, after_due, after_id, ids,
                          dues, PAGE, &n, tx->err));
        for (size_t i = 0; i < n && got < max; i++) {
            TRY(take(tx, ids[i], e->lease, &rows[got], &took, &moved));
            got += took;
        }
        if (n) after_due = dues[n - 1], after_id = ids[n - 1];
    } while (n == PAGE && got < max);
    tx->r->claimed = rows, tx->r->n_claimed = got;
    tx->journal = moved;
    return SPD_OK;
}

/* The sender died with the row in its hands: nobody knows whether it was sent, so it goes again,
 * marked. Not what the other side has accepted: that is in its hands. */
enum spd_rc spd_leases_void(struct spd_tx *tx)
{
    enum { PAGE = 64 };
    int64_t ids[PAGE], after = 0;
    size_t n;
    do {
        TRY(spd_store_find(tx->st, SPD_KEY_OUTBOX_STATE,
                           spd_sv_from(spd_outbox_state_names[SPD_OUTBOX_SENDING]), after, ids,
                           PAGE, &n, tx->err));
        for (size_t i = 0; i < n; i++) {
            struct spd_outbox row, old;
            TRY(spd_get_outbox(tx->st, ids[i], &old, tx->a, tx->err));
            if (old.accepted || old.lease_until <= tx->now) continue;
            row = old;
            row.lease_until = row.due = tx->now;
            TRY(spd_put_outbox(tx->st, &row, &old, tx->err));
        }
        if (n) after = ids[n - 1];
    } while (n == PAGE);
    return SPD_OK;
}

/* ---- outcomes -----------------------------------------------------------------------------------
 */
static spd_usec back_off(int64_t attempts)
{
    int64_t s = 2 * attempts * attempts;
    return SPD_SEC(s > 60 ? 60 : s);
}

/* "AE, try 1 of 5" to AE; a detail that does not begin with an answer says none. */
static enum spd_answer answer_in(spd_sv detail)
{
    int a = detail.len >= 2 && (detail.len == 2 || detail.ptr[2] == ',')
                ? spd_enum_from(spd_answer_names, spd_sv_of(detail.ptr, 2))
                : 0;
    return a > 0 ? (enum spd_answer)a : SPD_ANSWER_UNSET;
}

static enum spd_rc log_sent(struct spd_tx *tx, const struct spd_outbox *row,
                            const struct spd_outcome_event *e, int64_t *ret_id)
{
    struct spd_message m = {0};
    *ret_id = row->message;
    if (!e->sent.len) return SPD_OK;
    m.id = *ret_id = spd_tx_id(tx, SPD_T_MESSAGE);
    m.at = tx->now, m.direction = SPD_DIRECTION_OUT, m.peer = row->destination;
    m.type = spd_sv_from(spd_enum_name(spd_outbox_kind_names, row->kind));
    m.control_id = row->control_id, m.reason = e->detail, m.raw = e->sent, m.item = row->item;
    m.outcome_seq = tx->seq, m.outbox = row->id;
    m.answer = answer_in(e->detail);
    if (!m.answer && e->outcome == SPD_OUTCOME_OK) m.answer = SPD_ANSWER_AA;
    if (!m.answer && e->outcome == SPD_OUTCOME_PERMANENT) m.answer = SPD_ANSWER_AR;
    if (row->item) *SPD_LIST_PUSH(&m.items, tx->a) = row->item;
    return spd_put_message(tx->st, &m, NULL, tx->err);
}

static enum spd_rc priority_outcome(struct spd_tx *tx, const struct spd_outbox *row, bool dead)
{
    spd_tx_dirty(tx, row->item);
    return dead ? spd_tx_alarm(tx, "priority-not-delivered", row->destination,
                               "Een prioriteit is niet in het RIS aangekomen.",
                               "A priority did not reach the RIS.")
                : SPD_OK;
}

static enum spd_rc alert_outcome(struct spd_tx *tx, const struct spd_outbox *row, bool dead)
{
    return dead ? spd_tx_alarm(tx, "alert-not-delivered", row->destination,
                               "Een melding is niet in een ander systeem aangekomen; de oproepen "
                               "zelf gaan door.",
                               "An alert did not reach another system; the pages themselves go on.")
                : SPD_OK;
}

static enum spd_rc told(struct spd_tx *tx, const struct spd_outbox *row,
                        const struct spd_outcome_event *e, bool ok, bool final, bool seen)
{
    switch ((enum spd_outbox_kind)row->kind) {
    case SPD_OUTBOX_PAGE:
        return spd_alert_outcome(tx, row, (enum spd_outcome)e->outcome, e->detail, final);
    case SPD_OUTBOX_REPORT:
        return spd_draft_outcome(tx, row, ok, final && !ok, e->detail);
    case SPD_OUTBOX_PRIORITY:
        return priority_outcome(tx, row, final && !ok && !seen);
    case SPD_OUTBOX_ALERT:
        return alert_outcome(tx, row, final && !ok && !seen);
    default:
        return SPD_OK;
    }
}

/* What became of a row: done, given up, or when it is tried again; and whoever waits for it hears.
 */
static enum spd_rc settle(struct spd_tx *tx, const struct spd_outbox *old,
                          const struct spd_outcome_event *e)
{
    struct spd_outbox row = *old;
    bool ok = e->outcome == SPD_OUTCOME_OK, seen = e->outcome == SPD_OUTCOME_OBSERVED,
         stands = true, final;
    TRY(row_stands(tx, &row, &stands));
    TRY(log_sent(tx, &row, e, &row.message));
    row.error = ok ? SPD_SV_NONE : e->detail;
    row.lease_until = row.accepted = row.ack = 0;
    if (e->outcome == SPD_OUTCOME_UNREACHED && waits_for_it((enum spd_outbox_kind)row.kind))
        row.unreached++;
    final = ok || seen || e->outcome == SPD_OUTCOME_PERMANENT ||
            row.attempts - row.unreached >= attempts_allowed((enum spd_outbox_kind)row.kind);
    if (final) {
        row.state = ok ? SPD_OUTBOX_DONE : seen ? SPD_OUTBOX_OBSERVED : SPD_OUTBOX_DEAD;
        row.done_at = tx->now, row.due = 0;
    } else if (!stands) { /* acknowledged, withdrawn or overtaken meanwhile: not again, least of all
                             after its correction */
        row.state = SPD_OUTBOX_CANCELLED;
        row.done_at = tx->now, row.due = 0;
    } else {
        row.state = SPD_OUTBOX_QUEUED;
        row.due =
            tx->now + (e->retry_after > 0 && e->retry_after < SPD_MIN(5) ? e->retry_after
                                                                         : back_off(row.attempts));
    }
    TRY(spd_put_outbox(tx->st, &row, old, tx->err));
    TRY(spd_outbox_wake(tx, &row));
    if (ok)
        TRY(spd_tx_alarm_clear(tx, "destination-down", row.destination));
    else if (!seen)
        TRY(spd_tx_alarm(tx, "destination-down", row.destination, "Een bestemming neemt niets aan.",
                         "A destination does not take messages."));
    tx->r->did = SPD_DID_APPLY;
    return told(tx, &row, e, ok, final, seen);
}

/* ---- two answers (enhanced mode) ---------------------------------------------------------------
 */
/* What the application's answer to a row means. */
static void by_ack(const struct spd_tx *tx, const struct spd_outbox *row, enum spd_answer ack,
                   struct spd_outcome_event *ret)
{
    const struct spd_destination *d = spd_destination_of(tx, row->destination);
    int64_t tries = d && d->tries ? d->tries : 5;
    bool again = ack == SPD_ANSWER_AE || ack == SPD_ANSWER_CE;
    ret->outcome = ack == SPD_ANSWER_AA             ? SPD_OUTCOME_OK
                   : again && row->attempts - row->unreached < tries ? SPD_OUTCOME_TEMPORARY
                                                                     : SPD_OUTCOME_PERMANENT;
    ret->detail = spd_sv_from(spd_enum_name(spd_answer_names, (int)ack));
}

/* CA: it is safe there; what its application says of it comes later. Until then the row is in
 * flight, and after ack_timeout it goes again, with the same number. */
static enum spd_rc accepted(struct spd_tx *tx, const struct spd_outbox *old,
                            const struct spd_outcome_event *e)
{
    const struct spd_destination *d = spd_destination_of(tx, old->destination);
    struct spd_outbox row = *old;
    TRY(log_sent(tx, &row, e, &row.message));
    row.accepted = tx->now;
    row.lease_until = row.due = tx->now + (d && d->ack_timeout ? d->ack_timeout : SPD_MIN(2));
    row.error = SPD_SV_NONE;
    tx->r->did = SPD_DID_APPLY;
    TRY(spd_tx_alarm_clear(tx, "destination-down", row.destination));
    return spd_put_outbox(tx->st, &row, old, tx->err);
}

enum spd_rc spd_outcome_in(struct spd_tx *tx, const struct spd_outcome_event *e)
{
    struct spd_outbox old;
    struct spd_outcome_event now = *e;
    enum spd_rc rc = spd_get_outbox(tx->st, e->outbox, &old, tx->a, tx->err);
    if (rc == SPD_NOTFOUND)
        return spd_tx_refuse(tx, SPD_NOTFOUND, "no-such-row", "Onbekende regel.", "No such row.");
    if (rc) return rc;
    if (old.state != SPD_OUTBOX_SENDING ||
        (e->lease_until && e->lease_until != old.lease_until && e->outcome != SPD_OUTCOME_OK))
        return spd_tx_refuse(tx, SPD_STALE, "lease", "Een ander heeft deze regel al.",
                             "Somebody else has this row by now.");
    if (e->outcome == SPD_OUTCOME_ACCEPTED && !old.ack) return accepted(tx, &old, e);
    if (e->outcome == SPD_OUTCOME_ACCEPTED) by_ack(tx, &old, (enum spd_answer)old.ack, &now);
    return settle(tx, &old, &now);
}

static enum spd_rc answer_logged(struct spd_tx *tx, int64_t message, enum spd_answer ack)
{
    struct spd_message m, old;
    enum spd_rc rc =
        message ? spd_get_message(tx->st, message, &old, tx->a, tx->err) : SPD_NOTFOUND;
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    m = old;
    m.answer = (int32_t)ack;
    return spd_put_message(tx->st, &m, &old, tx->err);
}

enum spd_rc spd_ack_in(struct spd_tx *tx, spd_sv peer, spd_sv control_id, enum spd_answer ack,
                       bool *ret_used)
{
    int64_t *ids;
    size_t n;
    *ret_used = false;
    TRY(spd_tx_find(tx, SPD_KEY_OUTBOX_CONTROL, control_id, &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_outbox row, old;
        struct spd_outcome_event e = {0};
        const struct spd_destination *d;
        TRY(spd_get_outbox(tx->st, ids[i], &old, tx->a, tx->err));
        d = spd_destination_of(tx, old.destination);
        if (!d || !d->ack || !spd_sv_eq(d->peer, peer)) continue; /* not its to answer */
        *ret_used = true;
        if (ack == SPD_ANSWER_CA) return SPD_OK; /* safe there; of its application it says nothing */
        if (old.state == SPD_OUTBOX_SENDING && !old.accepted) { /* faster than our note of its CA */
            row = old;
            row.ack = (int32_t)ack;
            return spd_put_outbox(tx->st, &row, &old, tx->err);
        }
        if (old.state == SPD_OUTBOX_QUEUED && ack != SPD_ANSWER_AA)
            return SPD_OK; /* it waits for its next try as it is */
        e.outbox = old.id;
        by_ack(tx, &old, ack, &e);
        TRY(answer_logged(tx, old.message, ack));
        return settle(tx, &old, &e);
    }
    return SPD_OK;
}
