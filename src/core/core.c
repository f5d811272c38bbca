/* src/core/core.c: one event in, its rows out; the journal row; counters; undo. See core.h. */
#define _GNU_SOURCE
#include "core/workitem.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"

const char *const spd_did_names[] = {"",       "applied", "duplicate", "stale",
                                     "parked", "ignored", "refused",   NULL};

enum { JOURNAL_VERSION = 1, EVENT_MAX = 40 << 20 };

struct spd_core *spd_core_new(const struct spd_codes *codes, const struct spd_templates *templates)
{
    struct spd_core *c = spd_must_malloc(sizeof *c);
    c->codes = codes;
    c->templates = templates ? templates : spd_templates_default();
    for (int t = 0; t < SPD_T_N; t++)
        c->next_id[t] = 1;
    return c;
}

void spd_core_free(struct spd_core *core)
{
    if (!core) return;
    for (struct spd_compiled *c = core->rules, *before; c; c = before) {
        before = c->before;
        spd_compiled_free(c);
    }
    spd_free(core->dirty);
    spd_free(core->notes);
    spd_feed_forget(core);
    explicit_bzero(core->secret, sizeof core->secret);
    spd_free(core);
}

static enum spd_rc read_counters(struct spd_core *core, struct spd_store *st, struct spd_err *err)
{
    for (int t = 0; t < SPD_T_N; t++) {
        int64_t max;
        TRY(spd_store_max_id(st, (enum spd_table)t, &max, err));
        core->next_id[t] = max + 1;
    }
    return SPD_OK;
}

static enum spd_rc read_secret(struct spd_core *core, struct spd_store *st, struct spd_arena *a,
                               struct spd_err *err)
{
    struct spd_setting s;
    int64_t id;
    enum spd_rc rc = spd_store_find_one(st, SPD_KEY_SETTING_NAME, SPD_SV("link_secret"), &id, err);
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    TRY(spd_get_setting(st, id, &s, a, err));
    spd_sha256(s.value, core->secret);
    return SPD_OK;
}

enum spd_rc spd_core_open(struct spd_core *core, struct spd_store *st, struct spd_err *err)
{
    struct spd_arena *a = spd_arena_new(256 << 20);
    struct spd_document *docs;
    struct spd_compiled *c;
    size_t n;
    enum spd_rc rc;
    if (!a) spd_out_of_memory();
    spd_feed_forget(core);
    rc = read_counters(core, st, err);
    if (!rc) rc = read_secret(core, st, a, err);
    if (!rc) rc = spd_active_documents(st, &docs, &n, a, err);
    if (!rc && !n) rc = SPD_NOTFOUND;
    if (!rc) rc = spd_compile(docs, n, &c, err);
    if (!rc) {
        while (core->rules) {
            struct spd_compiled *before = core->rules->before;
            spd_compiled_free(core->rules);
            core->rules = before;
        }
        core->rules = c;
    }
    spd_arena_free(a);
    return rc;
}

/* ---- the event codec ----------------------------------------------------------------------------
 */
void spd_event_encode(const struct spd_event *event, struct spd_str *out)
{
    spd_str_addc(out, JOURNAL_VERSION);
    spd_str_addc(out, (char)event->type);
    spd_desc_encode(spd_event_desc(event->type), event->u.any, out);
}

enum spd_rc spd_event_decode(spd_sv bytes, struct spd_event *ret, struct spd_arena *arena,
                             struct spd_err *err)
{
    const struct spd_desc *d;
    if (bytes.len < 2 || bytes.ptr[0] != JOURNAL_VERSION)
        return spd_fail(err, SPD_INVALID, "journal", "unknown journal version");
    ret->type = (enum spd_event_type)bytes.ptr[1];
    d = spd_event_desc(ret->type);
    if (!d) return spd_fail(err, SPD_INVALID, "journal", "unknown event type");
    ret->u.any = spd_arena_must(arena, d->size);
    return spd_desc_decode(d, spd_sv_of(bytes.ptr + 2, bytes.len - 2), ret->u.any, arena, err);
}

static enum spd_rc write_journal(struct spd_tx *tx, const struct spd_event *event)
{
    struct spd_journal j = {0};
    struct spd_str out = SPD_STR_INIT(EVENT_MAX);
    struct spd_message_in *m = spd_event_message(event);
    spd_sv raw = m ? m->raw : SPD_SV_NONE;
    enum spd_rc rc;
    if (m) m->raw = SPD_SV_NONE; /* the raw bytes are in the message's row, once */
    j.id = tx->core->next_id[SPD_T_JOURNAL]++;
    j.at = tx->now, j.type = (int32_t)event->type;
    spd_event_encode(event, &out);
    if (m) m->raw = raw;
    j.event = spd_str_sv(&out);
    rc = spd_str_ok(&out) ? spd_put_journal(tx->st, &j, NULL, tx->err)
                          : spd_fail(tx->err, SPD_LIMIT, "journal", "event too large");
    spd_str_done(&out);
    return rc;
}

/* ---- small use cases
 * -------------------------------------------------------------------------------- */
static bool has_token(const struct spd_user *u, spd_sv hash)
{
    for (size_t i = 0; i < u->tokens.n; i++)
        if (spd_sv_eq(u->tokens.v[i].hash, hash)) return true;
    return false;
}

static enum spd_rc user_in(struct spd_tx *tx, const struct spd_user_event *e)
{
    struct spd_user u = e->user, old;
    int64_t id;
    enum spd_rc rc = spd_store_find_one(tx->st, SPD_KEY_USER_NAME, u.name, &id, tx->err);
    if (rc && rc != SPD_NOTFOUND) return rc;
    tx->r->did = SPD_DID_APPLY;
    if (rc == SPD_OK) {
        TRY(spd_get_user(tx->st, id, &old, tx->a, tx->err));
        if (e->remove) {
            u = old;
            u.disabled = tx->now;
        } else {
            if (!u.password.len) u.password = old.password;
            if (!u.roles.n) u.roles.v = old.roles.v, u.roles.n = old.roles.n;
            for (size_t i = 0; i < old.tokens.n; i++)
                if (!has_token(&u, old.tokens.v[i].hash))
                    *SPD_LIST_PUSH(&u.tokens, tx->a) = old.tokens.v[i];
            u.disabled = 0;
        }
        u.id = id, u.created = old.created;
    } else {
        u.id = spd_tx_id(tx, SPD_T_USER);
        u.created = tx->now;
    }
    tx->r->id = u.id;
    TRY(spd_put_user(tx->st, &u, rc == SPD_OK ? &old : NULL, tx->err));
    return spd_tx_audit(tx, e->by, e->remove ? "user-disable" : "user-put", 0, 0, u.name);
}

static enum spd_rc start_in(struct spd_tx *tx, const struct spd_start_event *e)
{
    struct spd_setting s;
    enum spd_rc rc = spd_tx_setting_get(tx, "link_secret", &s);
    tx->r->did = SPD_DID_APPLY;
    if (rc == SPD_NOTFOUND) {
        spd_sv hex = spd_hex(tx->a, e->secret.ptr, e->secret.len);
        TRY(spd_tx_setting_put(tx, "link_secret", hex));
        spd_sha256(hex, tx->core->secret);
    } else if (rc) {
        return rc;
    }
    if (e->alone) TRY(spd_leases_void(tx));
    TRY(spd_workitem_restarted(tx));
    return spd_tx_audit(tx, SPD_SV_NONE, "start", 0, 0, e->version);
}

static enum spd_rc alarm_in(struct spd_tx *tx, const struct spd_alarm_event *e)
{
    spd_sv kind = spd_arena_dup(tx->a, e->kind);
    tx->r->did = SPD_DID_APPLY;
    if (e->clear) return spd_tx_alarm_clear(tx, kind.ptr, e->subject);
    return spd_tx_alarm(tx, kind.ptr, e->subject, spd_arena_dup(tx->a, e->nl).ptr,
                        spd_arena_dup(tx->a, e->en).ptr);
}

static enum spd_rc run(struct spd_tx *tx, const struct spd_event *e)
{
    if (!tx->core->rules && e->type != SPD_EVENT_CONFIG && e->type != SPD_EVENT_START &&
        e->type != SPD_EVENT_USER && e->type != SPD_EVENT_ALARM)
        return spd_fail(tx->err, SPD_INVALID, "core", "no policy is loaded yet");
    switch (e->type) {
    case SPD_EVENT_ORDER:
        return spd_order_in(tx, e->u.order);
    case SPD_EVENT_PATIENT:
        return spd_patient_in(tx, e->u.patient);
    case SPD_EVENT_REPORT:
        return spd_report_in(tx, e->u.report);
    case SPD_EVENT_MESSAGE:
        return spd_message_only(tx, e->u.message);
    case SPD_EVENT_RESULT:
        return spd_result_in(tx, e->u.result);
    case SPD_EVENT_STUDY:
        return spd_study_in(tx, e->u.study);
    case SPD_EVENT_STEP:
        return spd_step_in(tx, e->u.step);
    case SPD_EVENT_TIMER:
        return spd_timer_fired(tx, e->u.timer);
    case SPD_EVENT_CLAIM:
        return spd_claim_rows(tx, e->u.claim);
    case SPD_EVENT_OUTCOME:
        return spd_outcome_in(tx, e->u.outcome);
    case SPD_EVENT_ACTION:
        return spd_action_in(tx, e->u.action);
    case SPD_EVENT_CONFIG:
        return spd_config_in(tx, e->u.config);
    case SPD_EVENT_USER:
        return user_in(tx, e->u.user);
    case SPD_EVENT_START:
        return start_in(tx, e->u.start);
    case SPD_EVENT_ALARM:
        return alarm_in(tx, e->u.alarm);
    case SPD_EVENT_APPOINTMENT:
        return spd_appointment_in(tx, e->u.appointment);
    case SPD_EVENT_RECONCILE:
        return spd_reconcile_in(tx, e->u.reconcile);
    case SPD_EVENT_WORKITEM:
        return spd_workitem_in(tx, e->u.workitem);
    case SPD_EVENT_TYPE_UNSET:
    case SPD_EVENT_TYPE_N:
        break;
    }
    return spd_fail(tx->err, SPD_BUG, "core", "unknown event type");
}

static bool imports(const struct spd_event *e)
{
    const struct spd_message_in *m = spd_event_message(e);
    return m && m->import;
}

/* Whoever sends a message is heard, whatever becomes of it. */
static enum spd_rc heard(struct spd_tx *tx, const struct spd_event *e)
{
    const struct spd_message_in *m = spd_event_message(e);
    spd_sv peer = m && !m->import ? m->peer : SPD_SV_NONE;
    if (!peer.len && e->type == SPD_EVENT_STUDY) peer = e->u.study->peer;
    return spd_feed_heard(tx, peer);
}

enum spd_rc spd_core_apply(struct spd_core *core, struct spd_store *store,
                           const struct spd_event *event, struct spd_arena *arena,
                           struct spd_receipt *ret, struct spd_err *err)
{
    struct spd_tx tx = {0};
    memcpy(core->kept_id, core->next_id, sizeof core->kept_id);
    core->kept_dirty = core->n_dirty, core->kept_notes = core->n_notes;
    core->rules_changed = false;
    memset(ret, 0, sizeof *ret);
    tx.core = core, tx.st = store, tx.a = arena, tx.now = event->at, tx.r = ret, tx.err = err;
    tx.seq = core->next_id[SPD_T_JOURNAL];
    tx.journal = true;
    tx.import = imports(event);
    TRY(run(&tx, event));
    TRY(spd_tx_finish(&tx));
    TRY(heard(&tx, event));
    if (tx.journal)
        TRY(write_journal(&tx, event));
    else /* it left nothing, so a replay, which does not see it, must find the same numbers */
        memcpy(core->next_id, core->kept_id, sizeof core->next_id);
    ret->revision = core->next_id[SPD_T_JOURNAL] - 1;
    if (!ret->n_items) ret->items = tx.items.v, ret->n_items = tx.items.n;
    return SPD_OK;
}

void spd_core_undo(struct spd_core *core)
{
    memcpy(core->next_id, core->kept_id, sizeof core->next_id);
    core->n_dirty = core->kept_dirty, core->n_notes = core->kept_notes;
    spd_feed_forget(core);
    if (core->rules_changed) {
        struct spd_compiled *c = core->rules;
        core->rules = c->before;
        spd_compiled_free(c);
        core->rules_changed = false;
    }
}

void spd_core_committed(struct spd_core *core)
{
    core->rules_changed = false;
    for (struct spd_compiled *c = core->rules ? core->rules->before : NULL, *before; c;
         c = before) {
        before = c->before;
        spd_compiled_free(c);
    }
    if (core->rules) core->rules->before = NULL;
}

void spd_core_rolled_back(struct spd_core *core, struct spd_store *store)
{
    while (core->rules && core->rules->before) {
        struct spd_compiled *c = core->rules;
        core->rules = c->before;
        spd_compiled_free(c);
    }
    core->rules_changed = false;
    spd_feed_forget(core);
    core->n_dirty = core->n_notes = 0;
    read_counters(core, store, NULL);
}

enum spd_rc spd_core_next_timer(struct spd_store *store, spd_usec *ret_due, int64_t *ret_id,
                                struct spd_err *err)
{
    size_t n;
    *ret_due = 0, *ret_id = 0;
    return spd_store_due(store, SPD_T_TIMER, SPD_SV_NONE, INT64_MAX, 0, 0, ret_id, ret_due, 1, &n,
                         err);
}

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

size_t spd_core_take_dirty(struct spd_core *core, const int64_t **ret_ids)
{
    size_t n = 0;
    if (core->n_dirty) qsort(core->dirty, core->n_dirty, sizeof *core->dirty, by_id);
    for (size_t i = 0; i < core->n_dirty; i++)
        if (!n || core->dirty[n - 1] != core->dirty[i]) core->dirty[n++] = core->dirty[i];
    core->n_dirty = 0;
    *ret_ids = core->dirty;
    return n;
}

size_t spd_core_take_notes(struct spd_core *core, const struct spd_note **ret)
{
    size_t n = core->n_notes;
    *ret = core->notes;
    core->n_notes = 0;
    return n;
}

const struct spd_policy *spd_core_policy(const struct spd_core *core)
{
    return core->rules ? core->rules->policy : NULL;
}

const struct spd_models *spd_core_models(const struct spd_core *core)
{
    return core->rules ? core->rules->models : NULL;
}

const struct spd_people *spd_core_people(const struct spd_core *core)
{
    return core->rules ? core->rules->people : NULL;
}

const struct spd_settings *spd_core_settings(const struct spd_core *core)
{
    return core->rules ? &core->rules->settings : NULL;
}
