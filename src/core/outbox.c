/* src/core/outbox.c: rows that must leave the house: adding, leasing, outcomes, and the priority
 * towards the RIS.
 *
 * At least once, never zero times: a lease that ran out makes the row due again, marked as a
 * repeat. One outstanding row per group (destination|accession). Back-off grows quadratically; what
 * cannot be delivered becomes a dead letter with an alarm, to be resent by a person. */
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

enum spd_rc spd_outbox_add(struct spd_tx *tx, struct spd_outbox *row)
{
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
static enum spd_rc wake_group(struct spd_tx *tx, const struct spd_outbox *done)
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

enum spd_rc spd_claim_rows(struct spd_tx *tx, const struct spd_claim_event *e)
{
    enum { PAGE = 64 };
    int64_t ids[PAGE], after_id = 0;
    spd_usec dues[PAGE], after_due = 0;
    size_t n, max = e->max > 0 && e->max < 64 ? (size_t)e->max : 16, got = 0;
    bool moved = false;
    struct spd_outbox *rows = SPD_NEW_N(tx->a, struct spd_outbox, max);
    do {
        TRY(spd_store_due(tx->st, SPD_T_OUTBOX, tx->now, after_due, after_id, ids, dues, PAGE, &n,
                          tx->err));
        for (size_t i = 0; i < n && got < max; i++) {
            struct spd_outbox row, old;
            spd_usec until;
            TRY(spd_get_outbox(tx->st, ids[i], &old, tx->a, tx->err));
            if (!spd_sv_eq(old.destination, e->destination)) continue;
            TRY(group_blocked(tx, &old, &until));
            if (until) {
                TRY(sleep_until(tx, &old, until, &moved));
                continue;
            }
            row = old;
            row.state = SPD_OUTBOX_SENDING;
            row.attempts++;
            row.lease_until = row.due = tx->now + (e->lease > 0 ? e->lease : SPD_SEC(30));
            TRY(spd_put_outbox(tx->st, &row, &old, tx->err));
            rows[got++] = row;
        }
        if (n) after_due = dues[n - 1], after_id = ids[n - 1];
    } while (n == PAGE && got < max);
    tx->r->claimed = rows, tx->r->n_claimed = got;
    tx->r->did = SPD_DID_APPLY;
    tx->journal = got > 0 || moved;
    return SPD_OK;
}

/* The sender died with the row in its hands: nobody knows whether it was sent, so it goes again,
 * marked. */
enum spd_rc spd_leases_void(struct spd_tx *tx)
{
    enum { PAGE = 64 };
    int64_t ids[PAGE], after_id = 0;
    spd_usec dues[PAGE], after_due = 0;
    size_t n;
    do {
        TRY(spd_store_due(tx->st, SPD_T_OUTBOX, INT64_MAX, after_due, after_id, ids, dues, PAGE, &n,
                          tx->err));
        for (size_t i = 0; i < n; i++) {
            struct spd_outbox row, old;
            TRY(spd_get_outbox(tx->st, ids[i], &old, tx->a, tx->err));
            if (old.state != SPD_OUTBOX_SENDING || old.lease_until <= tx->now) continue;
            row = old;
            row.lease_until = row.due = tx->now;
            TRY(spd_put_outbox(tx->st, &row, &old, tx->err));
        }
        if (n) after_due = dues[n - 1], after_id = ids[n - 1];
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

static int64_t attempts_allowed(enum spd_outbox_kind kind)
{
    switch (kind) {
    case SPD_OUTBOX_REPORT:
        return 3; /* then the item goes back on the list: a person waits for it */
    case SPD_OUTBOX_PAGE:
        return 5; /* then the next member of the team; the alert itself goes on */
    case SPD_OUTBOX_PRIORITY:
        return 30;
    case SPD_OUTBOX_KIND_UNSET:
    case SPD_OUTBOX_KIND_N:
        break;
    }
    return 5;
}

static enum spd_rc log_sent(struct spd_tx *tx, const struct spd_outbox *row,
                            const struct spd_outcome_event *e, int64_t *ret_id)
{
    static const char *const types[] = {"", "priority", "report", "page"};
    struct spd_message m = {0};
    *ret_id = row->message;
    if (!e->sent.len) return SPD_OK;
    m.id = *ret_id = spd_tx_id(tx, SPD_T_MESSAGE);
    m.at = tx->now, m.direction = SPD_DIRECTION_OUT, m.peer = row->destination;
    m.type = spd_sv_from(types[row->kind > 0 && row->kind < SPD_OUTBOX_KIND_N ? row->kind : 0]);
    m.control_id = row->control_id, m.reason = e->detail, m.raw = e->sent, m.item = row->item;
    m.outcome_seq = tx->seq;
    if (e->outcome == SPD_OUTCOME_OK)
        m.answer = SPD_ANSWER_AA;
    else if (e->outcome == SPD_OUTCOME_PERMANENT)
        m.answer = SPD_ANSWER_AR;
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

enum spd_rc spd_outcome_in(struct spd_tx *tx, const struct spd_outcome_event *e)
{
    struct spd_outbox row, old;
    bool ok = e->outcome == SPD_OUTCOME_OK, seen = e->outcome == SPD_OUTCOME_OBSERVED,
         stands = true, final;
    enum spd_rc rc = spd_get_outbox(tx->st, e->outbox, &old, tx->a, tx->err);
    if (rc == SPD_NOTFOUND)
        return spd_tx_refuse(tx, SPD_NOTFOUND, "no-such-row", "Onbekende regel.", "No such row.");
    if (rc) return rc;
    if (old.state != SPD_OUTBOX_SENDING ||
        (e->lease_until && e->lease_until != old.lease_until && !ok))
        return spd_tx_refuse(tx, SPD_STALE, "lease", "Een ander heeft deze regel al.",
                             "Somebody else has this row by now.");
    row = old;
    if (row.kind == SPD_OUTBOX_PAGE) TRY(spd_alert_page_stands(tx, &row, &stands));
    TRY(log_sent(tx, &row, e, &row.message));
    row.error = ok ? SPD_SV_NONE : e->detail;
    row.lease_until = 0;
    final = ok || seen || e->outcome == SPD_OUTCOME_PERMANENT ||
            row.attempts >= attempts_allowed((enum spd_outbox_kind)row.kind);
    if (final) {
        row.state = ok ? SPD_OUTBOX_DONE : seen ? SPD_OUTBOX_OBSERVED : SPD_OUTBOX_DEAD;
        row.done_at = tx->now, row.due = 0;
    } else if (!stands) { /* acknowledged or withdrawn meanwhile: not again, least of all after its
                             correction */
        row.state = SPD_OUTBOX_CANCELLED;
        row.done_at = tx->now, row.due = 0;
    } else {
        row.state = SPD_OUTBOX_QUEUED;
        row.due =
            tx->now + (e->retry_after > 0 && e->retry_after < SPD_MIN(5) ? e->retry_after
                                                                         : back_off(row.attempts));
    }
    TRY(spd_put_outbox(tx->st, &row, &old, tx->err));
    TRY(wake_group(tx, &row));
    if (ok)
        TRY(spd_tx_alarm_clear(tx, "destination-down", row.destination));
    else if (!seen)
        TRY(spd_tx_alarm(tx, "destination-down", row.destination, "Een bestemming neemt niets aan.",
                         "A destination does not take messages."));
    tx->r->did = SPD_DID_APPLY;
    switch ((enum spd_outbox_kind)row.kind) {
    case SPD_OUTBOX_PAGE:
        return spd_alert_outcome(tx, &row, (enum spd_outcome)e->outcome, e->detail, final);
    case SPD_OUTBOX_REPORT:
        return spd_draft_outcome(tx, &row, ok, final && !ok, e->detail);
    case SPD_OUTBOX_PRIORITY:
        return priority_outcome(tx, &row, final && !ok && !seen);
    case SPD_OUTBOX_KIND_UNSET:
    case SPD_OUTBOX_KIND_N:
        break;
    }
    return SPD_OK;
}

/* ---- priority towards the RIS (domain §5)
 * ----------------------------------------------------------- */
static spd_sv wire_of(const struct spd_destination *d, int level)
{
    for (size_t i = 0; i < d->wires.n; i++)
        if (d->wires.v[i].level == level) return d->wires.v[i].wire;
    return SPD_SV_NONE;
}

static struct spd_sent *sent_to(struct spd_item *item, spd_sv destination)
{
    for (size_t i = 0; i < item->sent.n; i++)
        if (spd_sv_eq(item->sent.v[i].destination, destination)) return &item->sent.v[i];
    return NULL;
}

/* Inbound: equal to what we last sent is an echo: the baseline stays. Another value after we have
 * sent one is the RIS overruling us: it becomes the order's own priority, and is not fought for the
 * same reasons. */
bool spd_priority_heard(struct spd_tx *tx, struct spd_item *item, const struct spd_order_in *o)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    if (!o->priority_wire.len) return false;
    for (size_t i = 0; i < s->destinations.n; i++) {
        struct spd_sent *sent = sent_to(item, s->destinations.v[i].name);
        if (!sent || !spd_sv_eq(s->destinations.v[i].peer, item->peer)) continue;
        if (spd_sv_eq(sent->wire, o->priority_wire) && !spd_sv_eq(sent->wire, sent->baseline))
            return true;
        SPD_LIST_OWN(&item->sent, tx->a);
        sent = sent_to(item, s->destinations.v[i].name);
        sent->overruled = !spd_sv_eq(sent->wire, o->priority_wire);
        sent->baseline = o->priority_wire;
    }
    item->priority_wire = o->priority_wire;
    return false;
}

static spd_sv reason_key(struct spd_tx *tx, const struct spd_item *item)
{
    struct spd_str s = SPD_STR_INIT(2000);
    spd_sv out;
    for (size_t i = 0; i < item->reasons.n; i++)
        if (item->reasons.v[i].level_no && item->reasons.v[i].level_no < item->base_level)
            spd_str_addf(&s, "%.*s;", SPD_SV_ARG(item->reasons.v[i].rule));
    out = spd_arena_dup(tx->a, spd_str_sv(&s));
    spd_str_done(&s);
    return out;
}

static enum spd_rc queue_priority(struct spd_tx *tx, struct spd_work *w,
                                  const struct spd_destination *d, spd_sv wire)
{
    struct spd_outbox row = {0};
    int64_t *ids;
    size_t n;
    row.group_key =
        spd_arena_printf(tx->a, "%.*s|item|%lld", SPD_SV_ARG(d->name), (long long)w->item.id);
    TRY(spd_tx_find(tx, SPD_KEY_OUTBOX_GROUP, row.group_key, &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_outbox o, old;
        TRY(spd_get_outbox(tx->st, ids[i], &old, tx->a, tx->err));
        if (old.kind != SPD_OUTBOX_PRIORITY || old.state != SPD_OUTBOX_QUEUED || old.attempts)
            continue;
        o = old; /* not sent yet: say the newer thing instead */
        o.wire = wire;
        return spd_put_outbox(tx->st, &o, &old, tx->err);
    }
    row.destination = d->name, row.kind = SPD_OUTBOX_PRIORITY;
    row.item = w->item.id, row.wire = wire, row.due = tx->now;
    return spd_outbox_add(tx, &row);
}

static enum spd_rc priority_to(struct spd_tx *tx, struct spd_work *w,
                               const struct spd_destination *d)
{
    struct spd_item *item = &w->item;
    struct spd_sent *sent = sent_to(item, d->name);
    spd_sv baseline = sent ? sent->baseline : item->priority_wire;
    /* Never below the RIS's own: only a level above what its own priority means is worth telling.
     */
    bool raised = item->level < spd_policy_order_level(tx->core->rules->policy,
                                                       (enum spd_priority)item->order_priority);
    spd_sv want = raised ? wire_of(d, item->level) : SPD_SV_NONE, key = reason_key(tx, item);
    if (!want.len)
        want = sent ? baseline : SPD_SV_NONE; /* back to the RIS's own, if we ever changed it */
    if (!want.len || spd_sv_eq(want, sent ? sent->wire : baseline)) return SPD_OK;
    if (sent && sent->overruled && (spd_sv_eq(sent->reason, key) || spd_sv_eq(want, baseline)))
        return SPD_OK;
    if (!sent) {
        sent = SPD_LIST_PUSH(&item->sent, tx->a);
        sent->destination = d->name;
        sent->baseline = baseline;
    } else {
        SPD_LIST_OWN(&item->sent, tx->a);
        sent = sent_to(item, d->name);
    }
    if (tx->now - sent->hour_start >= SPD_HOUR(1)) sent->hour_start = tx->now, sent->hour_count = 0;
    if (sent->hour_count >= 3)
        return spd_tx_alarm(tx, "priority-too-often", d->name,
                            "Prioriteit verandert te vaak; er wordt dit uur niets meer verstuurd.",
                            "A priority changes too often; nothing more is sent this hour.");
    sent->wire = want, sent->at = tx->now, sent->reason = key, sent->overruled = 0;
    sent->hour_count++;
    return queue_priority(tx, w, d, want);
}

enum spd_rc spd_priority_out(struct spd_tx *tx, struct spd_work *w)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    if (tx->import || w->item.unmatched || !w->item.source_message || !spd_item_listed(&w->item))
        return SPD_OK;
    for (size_t i = 0; i < s->destinations.n; i++) {
        const struct spd_destination *d = &s->destinations.v[i];
        if (d->priority && !spd_sv_is(d->mode, "off") && spd_sv_eq(d->peer, w->item.peer))
            TRY(priority_to(tx, w, d));
    }
    return SPD_OK;
}
