/* src/core/tx.c: the working set of one event: items loaded and written once, timers, alarms,
 * audit. */
#include "core/workitem.h"

#include "base/str.h"

/* Timers are the only rows that are deleted, so their ids come from the journal number: the same in
 * a replay that never restarted as in a brain that did. All others count up. */
int64_t spd_tx_id(struct spd_tx *tx, enum spd_table t)
{
    if (t == SPD_T_TIMER) return (tx->seq << 20) + tx->timer_ix++;
    return tx->core->next_id[t]++;
}

bool spd_list_has_text(const spd_sv *v, size_t n, spd_sv x)
{
    for (size_t i = 0; i < n; i++)
        if (spd_sv_eq(v[i], x)) return true;
    return false;
}

bool spd_list_has_i64(const int64_t *v, size_t n, int64_t x)
{
    for (size_t i = 0; i < n; i++)
        if (v[i] == x) return true;
    return false;
}

enum spd_rc spd_tx_item(struct spd_tx *tx, int64_t id, struct spd_work **ret)
{
    struct spd_work *w;
    for (w = tx->work; w; w = w->next)
        if (w->item.id == id) {
            *ret = w;
            return SPD_OK;
        }
    w = SPD_NEW(tx->a, struct spd_work);
    TRY(spd_get_item(tx->st, id, &w->old, tx->a, tx->err));
    w->item = w->old;
    w->next = tx->work;
    tx->work = w;
    *ret = w;
    return SPD_OK;
}

struct spd_work *spd_tx_new_item(struct spd_tx *tx)
{
    struct spd_work *w = SPD_NEW(tx->a, struct spd_work);
    w->insert = true;
    w->item.id = spd_tx_id(tx, SPD_T_ITEM);
    w->item.created = tx->now;
    w->item.order = SPD_ORDER_ACTIVE;
    w->item.images = SPD_IMAGES_NONE;
    w->item.reading = SPD_READING_UNREAD;
    w->item.report = SPD_REPORT_NONE;
    w->next = tx->work;
    tx->work = w;
    return w;
}

void spd_tx_touch(struct spd_tx *tx, struct spd_work *w, int decide)
{
    w->changed = true;
    /* The earliest reason given stays: it is the event's own. */
    if (decide && !w->decide) w->decide = decide;
    if (!spd_list_has_i64(tx->items.v, tx->items.n, w->item.id))
        *SPD_LIST_ADD(&tx->items, tx->a) = w->item.id;
}

enum spd_rc spd_tx_flush_item(struct spd_tx *tx, struct spd_work *w)
{
    if (!w->insert && spd_desc_equal(&spd_item_desc, &w->item, &w->old)) return SPD_OK;
    w->item.revision = tx->seq;
    TRY(spd_put_item(tx->st, &w->item, w->insert ? NULL : &w->old, tx->err));
    w->old = w->item; /* lists are never changed in place, only replaced or grown by copy */
    w->insert = false;
    w->written = true;
    spd_tx_dirty(tx, w->item.id);
    return SPD_OK;
}

enum spd_rc spd_tx_finish(struct spd_tx *tx)
{
    /* Deciding on one item may touch another (a linked one): go on until nothing is left. */
    for (bool again = true; again;) {
        again = false;
        for (struct spd_work *w = tx->work; w; w = w->next) {
            int why = w->decide;
            if (!why) continue;
            w->decide = 0;
            TRY(spd_decide(tx, w, why));
            again = true;
        }
    }
    for (struct spd_work *w = tx->work; w; w = w->next) {
        if (!w->changed && !w->written) continue;
        TRY(spd_workitem_follow(tx, w));
        /* Also where the row itself stays as it was: what readers see of it (a model that is late
         * now, one more negative result) is made from other rows and from the time. */
        spd_tx_dirty(tx, w->item.id);
        TRY(spd_tx_flush_item(tx, w));
    }
    return SPD_OK;
}

void spd_tx_dirty(struct spd_tx *tx, int64_t item)
{
    struct spd_core *c = tx->core;
    if (c->n_dirty == c->cap_dirty) {
        c->cap_dirty = c->cap_dirty ? c->cap_dirty * 2 : 256;
        c->dirty = spd_must_realloc(c->dirty, c->cap_dirty * sizeof *c->dirty);
    }
    c->dirty[c->n_dirty++] = item;
}

void spd_tx_note(struct spd_tx *tx, const char *kind, int64_t id, int64_t item)
{
    struct spd_core *c = tx->core;
    if (c->n_notes == c->cap_notes) {
        c->cap_notes = c->cap_notes ? c->cap_notes * 2 : 64;
        c->notes = spd_must_realloc(c->notes, c->cap_notes * sizeof *c->notes);
    }
    c->notes[c->n_notes++] = (struct spd_note){kind, id, item};
}

enum spd_rc spd_tx_find(struct spd_tx *tx, enum spd_key_kind kind, spd_sv text, int64_t **ret,
                        size_t *ret_n)
{
    int64_t few[8];
    TRY(spd_store_find(tx->st, kind, text, 0, few, 8, ret_n, tx->err));
    if (*ret_n == 8) return spd_store_find_all(tx->st, kind, text, ret, ret_n, tx->a, tx->err);
    *ret = SPD_NEW_N(tx->a, int64_t, *ret_n + 1);
    if (*ret_n) memcpy(*ret, few, *ret_n * sizeof *few);
    return SPD_OK;
}

/* ---- timers -------------------------------------------------------------------------------- */
static spd_sv timer_key(struct spd_tx *tx, enum spd_timer_kind kind, int64_t subject)
{
    return spd_key_join(tx->a, spd_key_i64(tx->a, (int64_t)kind), spd_key_i64(tx->a, subject));
}

static enum spd_rc timers_of(struct spd_tx *tx, enum spd_timer_kind kind, int64_t subject,
                             struct spd_timer **ret, size_t *ret_n)
{
    int64_t *ids;
    TRY(spd_tx_find(tx, SPD_KEY_TIMER_SUBJECT, timer_key(tx, kind, subject), &ids, ret_n));
    *ret = SPD_NEW_N(tx->a, struct spd_timer, *ret_n + 1);
    for (size_t i = 0; i < *ret_n; i++)
        TRY(spd_get_timer(tx->st, ids[i], &(*ret)[i], tx->a, tx->err));
    return SPD_OK;
}

static enum spd_rc timer_new(struct spd_tx *tx, enum spd_timer_kind kind, int64_t subject,
                             spd_sv aux, spd_usec due)
{
    struct spd_timer t = {0};
    t.id = spd_tx_id(tx, SPD_T_TIMER);
    t.due = due, t.kind = (int32_t)kind, t.subject = subject, t.aux = aux;
    return spd_put_timer(tx->st, &t, NULL, tx->err);
}

enum spd_rc spd_tx_timers_sync(struct spd_tx *tx, enum spd_timer_kind kind, int64_t subject,
                               const struct spd_wanted *want, size_t n)
{
    struct spd_timer *have;
    size_t n_have;
    TRY(timers_of(tx, kind, subject, &have, &n_have));
    for (size_t i = 0; i < n_have; i++) {
        bool keep = false;
        for (size_t k = 0; k < n && !keep; k++)
            keep = have[i].due == want[k].due && spd_sv_eq(have[i].aux, want[k].aux);
        if (!keep)
            TRY(spd_del_timer(tx->st, &have[i], tx->err));
        else
            have[i].id = 0; /* marks it as wanted and there */
    }
    for (size_t k = 0; k < n; k++) {
        bool there = false;
        for (size_t i = 0; i < n_have && !there; i++)
            there = have[i].id == 0 && have[i].due == want[k].due &&
                    spd_sv_eq(have[i].aux, want[k].aux);
        if (!there) TRY(timer_new(tx, kind, subject, want[k].aux, want[k].due));
    }
    return SPD_OK;
}

enum spd_rc spd_tx_timer_clear(struct spd_tx *tx, enum spd_timer_kind kind, int64_t subject,
                               spd_sv aux)
{
    return spd_tx_timer_set(tx, kind, subject, aux, 0);
}

enum spd_rc spd_tx_timer_set(struct spd_tx *tx, enum spd_timer_kind kind, int64_t subject,
                             spd_sv aux, spd_usec due)
{
    struct spd_timer *have;
    size_t n;
    bool there = false;
    TRY(timers_of(tx, kind, subject, &have, &n));
    for (size_t i = 0; i < n; i++) {
        if (!spd_sv_eq(have[i].aux, aux)) continue;
        if (due && have[i].due == due)
            there = true;
        else
            TRY(spd_del_timer(tx->st, &have[i], tx->err));
    }
    return due && !there ? timer_new(tx, kind, subject, aux, due) : SPD_OK;
}

/* ---- alarms, audit, settings ----------------------------------------------------------------- */
static spd_sv alarm_key(struct spd_tx *tx, const char *kind, spd_sv subject)
{
    return spd_key_join(tx->a, spd_sv_from(kind), subject);
}

enum spd_rc spd_tx_alarm(struct spd_tx *tx, const char *kind, spd_sv subject, const char *nl,
                         const char *en)
{
    struct spd_alarm al = {0}, old;
    int64_t id;
    enum spd_rc rc =
        spd_store_find_one(tx->st, SPD_KEY_ALARM_OPEN, alarm_key(tx, kind, subject), &id, tx->err);
    if (rc == SPD_OK) { /* edge-triggered: one row, counted */
        TRY(spd_get_alarm(tx->st, id, &old, tx->a, tx->err));
        al = old;
        al.count++, al.last = tx->now;
        return spd_put_alarm(tx->st, &al, &old, tx->err);
    }
    if (rc != SPD_NOTFOUND) return rc;
    al.id = spd_tx_id(tx, SPD_T_ALARM);
    al.kind = spd_sv_from(kind), al.subject = subject;
    al.nl = spd_sv_from(nl), al.en = spd_sv_from(en);
    al.since = al.last = tx->now, al.count = 1;
    spd_tx_note(tx, "alarm", al.id, 0);
    return spd_put_alarm(tx->st, &al, NULL, tx->err);
}

enum spd_rc spd_tx_alarm_clear(struct spd_tx *tx, const char *kind, spd_sv subject)
{
    struct spd_alarm al, old;
    int64_t id;
    enum spd_rc rc =
        spd_store_find_one(tx->st, SPD_KEY_ALARM_OPEN, alarm_key(tx, kind, subject), &id, tx->err);
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    TRY(spd_get_alarm(tx->st, id, &old, tx->a, tx->err));
    al = old;
    al.until = tx->now;
    spd_tx_note(tx, "alarm", al.id, 0);
    return spd_put_alarm(tx->st, &al, &old, tx->err);
}

enum spd_rc spd_tx_audit(struct spd_tx *tx, spd_sv who, const char *act, int64_t item,
                         int64_t alert, spd_sv detail)
{
    struct spd_audit au = {0};
    au.id = spd_tx_id(tx, SPD_T_AUDIT);
    au.at = tx->now, au.who = who, au.act = spd_sv_from(act), au.item = item, au.alert = alert;
    au.detail = detail, au.seq = tx->seq;
    return spd_put_audit(tx->st, &au, NULL, tx->err);
}

enum spd_rc spd_tx_setting_get(struct spd_tx *tx, const char *name, struct spd_setting *ret)
{
    int64_t id;
    TRY(spd_store_find_one(tx->st, SPD_KEY_SETTING_NAME, spd_sv_from(name), &id, tx->err));
    return spd_get_setting(tx->st, id, ret, tx->a, tx->err);
}

enum spd_rc spd_tx_setting_put(struct spd_tx *tx, const char *name, spd_sv value)
{
    struct spd_setting s = {0}, old;
    enum spd_rc rc = spd_tx_setting_get(tx, name, &old);
    if (rc && rc != SPD_NOTFOUND) return rc;
    s.id = rc ? spd_tx_id(tx, SPD_T_SETTING) : old.id;
    s.name = spd_arena_dup(tx->a, spd_sv_from(name)), s.value = value;
    return spd_put_setting(tx->st, &s, rc ? NULL : &old, tx->err);
}

/* ---- the receipt ------------------------------------------------------------------------------
 */
void spd_tx_say(struct spd_tx *tx, const char *key, const char *nl, const char *en)
{
    tx->r->reason = spd_sv_from(key);
    tx->r->reason_nl = spd_sv_from(nl);
    tx->r->reason_en = spd_sv_from(en);
}

enum spd_rc spd_tx_refuse(struct spd_tx *tx, enum spd_rc rc, const char *key, const char *nl,
                          const char *en)
{
    tx->r->rc = rc;
    tx->r->did = SPD_DID_REFUSE;
    tx->journal = false; /* nothing was changed */
    spd_tx_say(tx, key, nl, en);
    return SPD_OK;
}
