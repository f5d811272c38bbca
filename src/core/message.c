/* src/core/message.c: the log of inbound messages, and the answer to one that came before (domain
 * §10).
 *
 * Same peer, sender, control id and the same bytes but MSH-7: the first one's answer again, no
 * second effect. Same key with other content: a new message, and a warning about the peer. */
#include "core/internal.h"

enum { OLDEST = 64, RECENT = 256 };

static spd_sv message_key(struct spd_tx *tx, const struct spd_message_in *m)
{
    return spd_key_join(tx->a, spd_key_join(tx->a, m->peer, m->sender), m->control_id);
}

/* Earlier messages with this key: the newest few hundred of all messages, and the oldest of the
 * key. A sender that gives every message the same number must not make each one cost more than the
 * last. */
static enum spd_rc earlier(struct spd_tx *tx, const struct spd_message_in *m, int64_t *ids,
                           size_t *ret_n)
{
    int64_t recent = tx->core->next_id[SPD_T_MESSAGE] - 1 - RECENT;
    spd_sv key = message_key(tx, m);
    size_t n;
    TRY(spd_store_find(tx->st, SPD_KEY_MESSAGE_IN, key, 0, ids, OLDEST, &n, tx->err));
    *ret_n = n;
    if (n < OLDEST) return SPD_OK;
    if (recent < ids[n - 1]) recent = ids[n - 1];
    TRY(spd_store_find(tx->st, SPD_KEY_MESSAGE_IN, key, recent, ids + n, RECENT, &n, tx->err));
    *ret_n += n;
    return SPD_OK;
}

enum spd_rc spd_message_begin(struct spd_tx *tx, const struct spd_message_in *m, bool *ret_dup)
{
    int64_t ids[OLDEST + RECENT];
    size_t n;
    *ret_dup = false;
    if (!m->hash.len) return SPD_OK; /* no message behind this event */
    if (m->control_id.len && !m->again) {
        TRY(earlier(tx, m, ids, &n));
        for (size_t i = n; i > 0; i--) {
            struct spd_message old;
            TRY(spd_get_message(tx->st, ids[i - 1], &old, tx->a, tx->err));
            if (!spd_sv_eq(old.hash, m->hash)) continue;
            *ret_dup = true;
            tx->journal = false;
            tx->r->did = SPD_DID_DUPLICATE;
            tx->r->answer = (enum spd_answer)old.answer;
            tx->r->message = old.id;
            tx->r->items = old.items.v, tx->r->n_items = old.items.n;
            spd_tx_say(tx, "duplicate", "Al eerder ontvangen; geen tweede gevolg.",
                       "Received before; no second effect.");
            return SPD_OK;
        }
        if (n)
            TRY(spd_tx_alarm(tx, "control-id-reused", m->peer,
                             "Deze zender gebruikt een berichtnummer opnieuw met andere inhoud.",
                             "This sender reuses a message control id with other content."));
    }
    tx->message = spd_tx_id(tx, SPD_T_MESSAGE);
    tx->r->message = tx->message;
    return SPD_OK;
}

/* Processed again: what it was parked as is dealt with; where it is parked once more, by that. */
static enum spd_rc unpark_first(struct spd_tx *tx, int64_t message)
{
    struct spd_message first;
    struct spd_parked p;
    enum spd_rc rc = spd_get_message(tx->st, message, &first, tx->a, tx->err);
    if (!rc && !first.parked) return SPD_OK;
    if (!rc) rc = spd_get_parked(tx->st, first.parked, &p, tx->a, tx->err);
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    return p.closed ? SPD_OK
                    : spd_unpark(tx, &p, NULL, 0, SPD_SV_NONE, "processed again", SPD_SV_NONE);
}

enum spd_rc spd_message_end(struct spd_tx *tx, const struct spd_message_in *m, const char *reason,
                            int64_t parked)
{
    struct spd_message row = {0};
    if (!tx->message) return SPD_OK;
    row.id = tx->message, row.at = tx->now, row.direction = SPD_DIRECTION_IN;
    row.peer = m->peer, row.type = m->type, row.sender = m->sender, row.control_id = m->control_id;
    row.hash = m->hash, row.raw = m->raw, row.charset = m->charset;
    row.answer = m->answer ? m->answer : SPD_ANSWER_AA;
    row.reason = m->reason.len ? m->reason : spd_sv_from(reason);
    if (m->again && !row.reason.len)
        row.reason = spd_arena_printf(tx->a, "message %lld again", (long long)m->again);
    if (m->again) TRY(unpark_first(tx, m->again));
    row.item = tx->items.n ? tx->items.v[0] : 0;
    row.items.v = tx->items.v, row.items.n = tx->items.n;
    row.outcome_seq = tx->seq, row.parked = parked;
    tx->r->answer = (enum spd_answer)row.answer;
    return spd_put_message(tx->st, &row, NULL, tx->err);
}

enum spd_rc spd_message_only(struct spd_tx *tx, const struct spd_message_event *e)
{
    bool dup;
    int64_t parked = 0;
    TRY(spd_message_begin(tx, &e->message, &dup));
    if (dup) return SPD_OK;
    if (e->park && !e->message.peer.len) {
        bool full;
        TRY(spd_stranger_comes(tx, e->message.sender, &full));
        if (full) return SPD_OK;
    }
    tx->r->did = SPD_DID_IGNORE;
    if (e->acks.len) {
        bool used;
        TRY(spd_ack_in(tx, e->message.peer, e->acks, (enum spd_answer)e->ack, &used));
        if (used) {
            tx->r->did = SPD_DID_APPLY;
            return spd_message_end(tx, &e->message, "acknowledgement", 0);
        }
    }
    tx->r->reason = e->why, tx->r->reason_nl = e->why_nl, tx->r->reason_en = e->why_en;
    if (e->park) {
        TRY(spd_park_message(tx, e->why, e->why_nl, e->why_en, &e->patient, e->message.peer,
                             &parked));
        tx->r->did = SPD_DID_PARK;
        tx->r->id = parked;
    }
    if (e->alarm.len) {
        spd_sv kind = spd_arena_dup(tx->a, e->alarm);
        TRY(spd_tx_alarm(tx, kind.ptr, e->message.peer, spd_arena_dup(tx->a, e->why_nl).ptr,
                         spd_arena_dup(tx->a, e->why_en).ptr));
    }
    return spd_message_end(tx, &e->message, spd_arena_dup(tx->a, e->why).ptr, parked);
}
