/* src/cli/offline.c: see offline.h. */
#define _GNU_SOURCE
#include "cli/offline.h"

#include <time.h>

#include "daemon/lock.h"
#include "report/report.h"

enum { BATCH = 256 };

struct spd_offline {
    struct spd_arena *arena; /* of the event in hand */
    struct spd_arena *kept;
    struct spd_codes *codes;
    struct spd_templates *templates;
    struct spd_core *core;
    struct spd_store *store;
    spd_usec at;
    size_t n; /* events in the open transaction */
    int lock;
};

static spd_usec last_event(struct spd_offline *o)
{
    struct spd_journal j;
    int64_t id;
    if (spd_store_max_id(o->store, SPD_T_JOURNAL, &id, NULL) ||
        spd_get_journal(o->store, id, &j, o->kept, NULL))
        return 0;
    return j.at;
}

static enum spd_rc open_core(struct spd_offline *o, const struct spd_config *c, bool rules,
                             struct spd_err *err)
{
    spd_sv site = c->site_codes_dir, templates = c->templates_dir;
    enum spd_rc rc = SPD_OK;
    if (rules)
        rc = spd_codes_load_dir(spd_arena_dup(o->kept, c->codes_dir).ptr,
                                site.len ? spd_arena_dup(o->kept, site).ptr : NULL, &o->codes, err);
    if (!rc && rules && templates.len)
        rc = spd_templates_load(spd_arena_dup(o->kept, templates).ptr, &o->templates, err);
    if (rc) return rc;
    o->core = spd_core_new(o->codes, o->templates);
    rc = spd_core_open(o->core, o->store, err);
    if (rc == SPD_NOTFOUND && !rules) rc = SPD_OK;
    return rc == SPD_NOTFOUND
               ? spd_fail(err, SPD_INVALID, "store.url",
                          "there are no rules in the database yet: run `spoed serve` once")
               : rc;
}

enum spd_rc spd_offline_open(const struct spd_config *c, bool rules, struct spd_offline **ret,
                             struct spd_err *err)
{
    struct spd_offline *o = spd_must_malloc(sizeof *o);
    enum spd_rc rc;
    *o = (struct spd_offline){.lock = -1};
    o->arena = spd_arena_new((size_t)256 << 20), o->kept = spd_arena_new((size_t)64 << 20);
    if (!o->arena || !o->kept) spd_out_of_memory();
    rc = spd_lock_take(c->store_url, &o->lock, err);
    if (!rc)
        rc = spd_store_open(spd_arena_dup(o->kept, c->store_url).ptr,
                            SPD_STORE_WRITE | SPD_STORE_CREATE, &o->store, err);
    if (rc == SPD_EXISTS && o->lock >= 0) rc = SPD_IO;
    if (!rc) rc = open_core(o, c, rules, err);
    if (!rc) {
        o->at = last_event(o);
        *ret = o;
        return SPD_OK;
    }
    spd_offline_close(o, NULL);
    return rc;
}

static enum spd_rc commit(struct spd_offline *o, struct spd_err *err)
{
    enum spd_rc rc;
    if (!o->n) return SPD_OK;
    o->n = 0;
    rc = spd_store_commit(o->store, err);
    if (!rc)
        spd_core_committed(o->core);
    else {
        spd_store_rollback(o->store);
        spd_core_rolled_back(o->core, o->store);
    }
    return rc;
}

enum spd_rc spd_offline_apply(struct spd_offline *o, enum spd_event_type type, void *payload,
                              struct spd_receipt *ret, struct spd_err *err)
{
    struct spd_event e = {type, spd_clock_now(), {payload}};
    enum spd_rc rc = SPD_OK;
    if (e.at < o->at) e.at = o->at;
    o->at = e.at;
    spd_arena_reset(o->arena);
    if (!o->n) rc = spd_store_begin(o->store, err);
    if (rc) return rc;
    o->n++;
    rc = spd_store_savepoint(o->store, err);
    if (!rc) rc = spd_core_apply(o->core, o->store, &e, o->arena, ret, err);
    if (!rc) rc = spd_store_release(o->store, err);
    if (rc) {
        spd_store_rollback_to(o->store);
        spd_core_undo(o->core);
        return rc;
    }
    return o->n >= BATCH ? commit(o, err) : SPD_OK;
}

enum spd_rc spd_offline_close(struct spd_offline *o, struct spd_err *err)
{
    enum spd_rc rc;
    if (!o) return SPD_OK;
    rc = o->store && o->core ? commit(o, err) : SPD_OK;
    spd_core_free(o->core);
    spd_store_close(o->store);
    spd_codes_free(o->codes);
    spd_templates_free(o->templates);
    if (o->lock >= 0) spd_lock_release(o->lock);
    spd_arena_free(o->arena);
    spd_arena_free(o->kept);
    spd_free(o);
    return rc;
}

int spd_offline_retry(int (*f)(void *ctx, bool last), void *ctx)
{
    enum { TRIES = 50 };
    for (int n = 0;; n++) {
        int code = f(ctx, n == TRIES);
        if (code != SPD_OFFLINE_LOCKED) return code;
        nanosleep(&(struct timespec){0, 100000000}, NULL);
    }
}
