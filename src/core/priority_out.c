/* src/core/priority_out.c: the priority towards the RIS, without ping-pong (domain §5).
 *
 * A message is due when the value on the wire changes, never for the same reasons after the RIS has
 * overruled us, and at most three times per item, destination and hour: what is left then is sent
 * when the hour is over. Fields may have words of their own (send.NAME.fields): all of them count
 * as what we said. */
#include "core/internal.h"

static spd_sv wire_of(const struct spd_destination *d, int level)
{
    for (size_t i = 0; i < d->wires.n; i++)
        if (d->wires.v[i].level == level) return d->wires.v[i].wire;
    return SPD_SV_NONE;
}

/* What that field says for a level; the general word where it has none of its own. */
static spd_sv field_says(const struct spd_destination *d, spd_sv field, int level, spd_sv wire)
{
    for (size_t i = 0; i < d->field_wires.n; i++)
        if (d->field_wires.v[i].level == level && spd_sv_eq(d->field_wires.v[i].field, field))
            return d->field_wires.v[i].wire;
    return wire;
}

static bool same_on_wire(const struct spd_destination *d, int level_a, spd_sv a, int level_b,
                         spd_sv b)
{
    if (!spd_sv_eq(a, b)) return false;
    for (size_t i = 0; i < d->field_wires.n; i++)
        if (!spd_sv_eq(field_says(d, d->field_wires.v[i].field, level_a, a),
                       field_says(d, d->field_wires.v[i].field, level_b, b)))
            return false;
    return true;
}

/* Is this one of the values that our last message carried? */
static bool we_said(const struct spd_destination *d, const struct spd_sent *sent, spd_sv wire)
{
    if (spd_sv_eq(sent->wire, wire)) return true;
    for (size_t i = 0; i < d->field_wires.n; i++)
        if (sent->level && d->field_wires.v[i].level == sent->level &&
            spd_sv_eq(d->field_wires.v[i].wire, wire))
            return true;
    return false;
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
        const struct spd_destination *d = &s->destinations.v[i];
        struct spd_sent *sent = sent_to(item, d->name);
        if (!sent || !spd_sv_eq(d->peer, item->peer)) continue;
        /* What an import or mode observe kept in the house is nobody's echo, and overrules nothing.
         */
        bool ours = sent->at && we_said(d, sent, o->priority_wire);
        if (ours && !spd_sv_eq(o->priority_wire, sent->baseline)) return true;
        SPD_LIST_OWN(&item->sent, tx->a);
        sent = sent_to(item, d->name);
        sent->overruled = sent->at && !ours;
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
                                  const struct spd_destination *d, int level, spd_sv wire)
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
        if (old.observe && !spd_sv_is(d->mode, "observe")) continue; /* that one stays here */
        o = old; /* not sent yet: say the newer thing instead */
        o.wire = wire, o.level = level;
        return spd_put_outbox(tx->st, &o, &old, tx->err);
    }
    row.destination = d->name, row.kind = SPD_OUTBOX_PRIORITY;
    row.item = w->item.id, row.wire = wire, row.level = level, row.due = tx->now;
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
    int own = spd_policy_order_level(tx->core->rules->policy,
                                     (enum spd_priority)item->order_priority),
        level = item->level;
    spd_sv want = level < own ? wire_of(d, level) : SPD_SV_NONE, key = reason_key(tx, item);
    if (!want.len) /* back to the RIS's own, if we ever changed it */
        want = sent ? baseline : SPD_SV_NONE, level = own;
    if (!want.len ||
        same_on_wire(d, level, want, sent ? sent->level : own, sent ? sent->wire : baseline))
        return SPD_OK;
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
    if (tx->import || (!sent->at && spd_sv_eq(want, baseline))) {
        /* Known, and not told: not now, and not later either for the same reasons (domain §11). */
        sent->wire = want, sent->level = level, sent->at = 0, sent->reason = key;
        return SPD_OK;
    }
    if (tx->now - sent->hour_start >= SPD_HOUR(1)) sent->hour_start = tx->now, sent->hour_count = 0;
    if (sent->hour_count >= 3) { /* what holds when the hour is over is sent then */
        TRY(spd_tx_timer_set(tx, SPD_TIMER_PRIORITY, item->id, d->name,
                             sent->hour_start + SPD_HOUR(1)));
        return spd_tx_alarm(
            tx, "priority-too-often", d->name,
            "Prioriteit verandert te vaak; de laatste stand wordt na dit uur verstuurd.",
            "A priority changes too often; the last value is sent when this hour is over.");
    }
    sent->wire = want, sent->level = level, sent->reason = key;
    sent->at = spd_sv_is(d->mode, "observe") ? 0 : tx->now; /* 0: it never got there */
    sent->overruled = 0;
    sent->hour_count++;
    return queue_priority(tx, w, d, level, want);
}

enum spd_rc spd_priority_out(struct spd_tx *tx, struct spd_work *w)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    if (w->item.unmatched || !w->item.source_message || !spd_item_listed(&w->item)) return SPD_OK;
    for (size_t i = 0; i < s->destinations.n; i++) {
        const struct spd_destination *d = &s->destinations.v[i];
        if (d->priority && !spd_sv_is(d->mode, "off") && spd_sv_eq(d->peer, w->item.peer))
            TRY(priority_to(tx, w, d));
    }
    return SPD_OK;
}
