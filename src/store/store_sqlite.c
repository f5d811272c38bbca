/* src/store/store_sqlite.c: the verbs of store.h on SQLite. Opening, pragmas, migration:
 * sqlite_open.c; statements and rows: sqlite_row.c.
 *
 * One table per object (columns.h), one table `key` for all keys, one table `finding` with a row
 * per finding of a result for dashboards. put with an old object writes only the columns that
 * changed, with one prepared statement per set of changed columns. Nothing is cached but prepared
 * statements.
 *
 * When a write fails for want of space or by an I/O error the transaction is spoilt: commit
 * refuses, the caller rolls back, and the next transaction may succeed again.
 *
 * Threads: one owner per open. The writer holds "<path>.writer" (flock) for its life, since two
 * connections that write or checkpoint at once are what SQLite's known WAL bug needs. A reader's
 * begin only fixes the moment that it sees. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/sqlite_row.h"

enum { JSON_MAX = 256 * 1024 * 1024, SCRATCH_MAX = 256 * 1024 * 1024, PATH_LEN = 4096 };

static enum spd_rc step_fixed(struct spd_lite *s, enum spd_lite_fixed which, const char *place,
                              struct spd_err *err)
{
    sqlite3_stmt *st;
    enum spd_rc rc = spd_lite_fixed(s, which, &st, err);
    return rc ? rc : spd_lite_step(s, st, place, err);
}

/* ---- keys and findings --------------------------------------------------------------------- */
static bool key_in(const struct spd_key *k, const struct spd_key *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].kind == k->kind && spd_sv_eq(v[i].text, k->text)) return true;
    return false;
}

static enum spd_rc key_write(struct spd_lite *s, enum spd_lite_fixed which, const struct spd_key *k,
                             int64_t id, struct spd_err *err)
{
    sqlite3_stmt *st;
    enum spd_rc rc = spd_lite_fixed(s, which, &st, err);
    if (rc) return rc;
    sqlite3_bind_int(st, 1, (int)k->kind);
    spd_lite_bind_text(st, 2, k->text);
    sqlite3_bind_int64(st, 3, id);
    return spd_lite_step(s, st, "key", err);
}

static enum spd_rc keys_replace(struct spd_lite *s, enum spd_table t, int64_t id,
                                const void *before, const void *after, struct spd_err *err)
{
    struct spd_key *a = NULL, *b = NULL;
    size_t n = before ? spd_store_keys(t, before, &a, s->scratch) : 0;
    size_t m = after ? spd_store_keys(t, after, &b, s->scratch) : 0;
    enum spd_rc rc = SPD_OK;
    for (size_t i = 0; i < n && !rc; i++)
        if (!key_in(&a[i], b, m)) rc = key_write(s, F_KEY_DEL, &a[i], id, err);
    for (size_t i = 0; i < m && !rc; i++)
        if (!key_in(&b[i], a, n)) rc = key_write(s, F_KEY_ADD, &b[i], id, err);
    spd_arena_reset(s->scratch);
    return rc;
}

static enum spd_rc finding_add(struct spd_lite *s, const struct spd_result *r, size_t n,
                               spd_sv items, struct spd_err *err)
{
    const struct spd_finding *f = &r->findings.v[n];
    sqlite3_stmt *st;
    enum spd_rc rc = spd_lite_fixed(s, F_FINDING_ADD, &st, err);
    if (rc) return rc;
    sqlite3_bind_int64(st, 1, r->id);
    sqlite3_bind_int64(st, 2, (int64_t)n + 1);
    spd_lite_bind_text(st, 3, items);
    spd_lite_bind_text(st, 4, f->concept);
    spd_lite_bind_text(st, 5, spd_sv_from(spd_enum_name(spd_present_names, f->present)));
    sqlite3_bind_int64(st, 6, f->probability);
    spd_lite_bind_text(st, 7, f->site);
    spd_lite_bind_text(st, 8, f->laterality);
    return spd_lite_step(s, st, "finding", err);
}

static enum spd_rc findings_drop(struct spd_lite *s, int64_t result, struct spd_err *err)
{
    sqlite3_stmt *st;
    enum spd_rc rc = spd_lite_fixed(s, F_FINDING_DEL, &st, err);
    if (rc) return rc;
    sqlite3_bind_int64(st, 1, result);
    return spd_lite_step(s, st, "finding", err);
}

static bool same_findings(const struct spd_lite *s, const struct spd_result *a,
                          const struct spd_result *b)
{
    for (size_t i = 0; i < s->columns[SPD_T_RESULT].n; i++) {
        const struct spd_column *c = &s->columns[SPD_T_RESULT].v[i];
        if (c->member->kind != SPD_K_LIST && c->member->kind != SPD_K_LIST_I64) continue;
        if (!spd_column_equal(c, a, b)) return false; /* findings, items */
    }
    return true;
}

static enum spd_rc findings_replace(struct spd_lite *s, const struct spd_result *old,
                                    const struct spd_result *now, struct spd_err *err)
{
    enum spd_rc rc = SPD_OK;
    if (old && now && same_findings(s, old, now)) return SPD_OK;
    if (old && old->findings.n) rc = findings_drop(s, old->id, err);
    if (rc || !now) return rc;
    spd_str_clear(&s->json);
    spd_str_addc(&s->json, '[');
    for (size_t i = 0; i < now->items.n; i++) {
        if (i) spd_str_addc(&s->json, ',');
        spd_str_addi(&s->json, now->items.v[i]);
    }
    spd_str_addc(&s->json, ']');
    for (size_t i = 0; i < now->findings.n && !rc; i++)
        rc = finding_add(s, now, i, spd_str_sv(&s->json), err);
    return rc;
}

static enum spd_rc lite_put(void *self, enum spd_table t, const void *object, const void *old,
                            struct spd_err *err)
{
    struct spd_lite *s = self;
    enum spd_rc rc;
    if (!s->in_transaction || !s->writer)
        return spd_fail(err, SPD_BUG, "put", "no writing transaction is open");
    rc = old ? spd_lite_update(s, t, object, old, err) : spd_lite_insert(s, t, object, err);
    if (!rc) rc = keys_replace(s, t, *(const int64_t *)object, old, object, err);
    if (!rc && t == SPD_T_RESULT) rc = findings_replace(s, old, object, err);
    return rc;
}

static enum spd_rc lite_del(void *self, enum spd_table t, const void *old, struct spd_err *err)
{
    struct spd_lite *s = self;
    sqlite3_stmt *st;
    enum spd_rc rc;
    if (!s->in_transaction || !s->writer)
        return spd_fail(err, SPD_BUG, "del", "no writing transaction is open");
    if ((rc = spd_lite_verb(s, t, V_DELETE, &st, err))) return rc;
    sqlite3_bind_int64(st, 1, *(const int64_t *)old);
    if ((rc = spd_lite_step(s, st, spd_table_name(t), err))) return rc;
    if (!sqlite3_changes(s->db))
        return spd_fail(err, SPD_NOTFOUND, spd_table_name(t), "no row to delete");
    if (!(rc = keys_replace(s, t, *(const int64_t *)old, old, NULL, err)) && t == SPD_T_RESULT)
        rc = findings_replace(s, old, NULL, err);
    return rc;
}

/* ---- reading ------------------------------------------------------------------------------- */
static enum spd_rc lite_get(void *self, enum spd_table t, int64_t id, void *ret,
                            struct spd_arena *arena, struct spd_err *err)
{
    struct spd_lite *s = self;
    sqlite3_stmt *st;
    enum spd_rc rc = spd_lite_verb(s, t, V_GET, &st, err);
    int got;
    if (rc) return rc;
    sqlite3_bind_int64(st, 1, id);
    got = sqlite3_step(st);
    if (got == SQLITE_ROW) rc = spd_lite_read(s, st, t, ret, arena, err);
    else rc = got == SQLITE_DONE ? SPD_NOTFOUND : spd_lite_fail(s, spd_table_name(t), err);
    sqlite3_reset(st);
    return rc;
}

/* Collects column 0 (and 1) of a bound statement. */
static enum spd_rc collect(struct spd_lite *s, sqlite3_stmt *st, const char *place,
                           int64_t *ret_ids, spd_usec *ret_dues, size_t max, size_t *ret_n,
                           struct spd_err *err)
{
    size_t n = 0;
    int got;
    enum spd_rc rc = SPD_OK;
    while ((got = sqlite3_step(st)) == SQLITE_ROW && n < max) {
        if (ret_dues) ret_dues[n] = sqlite3_column_int64(st, 1);
        ret_ids[n++] = sqlite3_column_int64(st, 0);
    }
    if (got != SQLITE_DONE && got != SQLITE_ROW) rc = spd_lite_fail(s, place, err);
    sqlite3_reset(st);
    *ret_n = n;
    return rc;
}

static enum spd_rc lite_find(void *self, enum spd_key_kind kind, spd_sv text, int64_t after,
                             int64_t *ret_ids, size_t max, size_t *ret_n, struct spd_err *err)
{
    struct spd_lite *s = self;
    sqlite3_stmt *st;
    enum spd_rc rc = spd_lite_fixed(s, F_FIND, &st, err);
    if (rc) return rc;
    sqlite3_bind_int(st, 1, (int)kind);
    spd_lite_bind_text(st, 2, text);
    sqlite3_bind_int64(st, 3, after);
    sqlite3_bind_int64(st, 4, (int64_t)max);
    return collect(s, st, "find", ret_ids, NULL, max, ret_n, err);
}

static enum spd_rc lite_due(void *self, enum spd_table t, spd_sv part, spd_usec until,
                            spd_usec after_due, int64_t after_id, int64_t *ret_ids, spd_usec *ret_dues, size_t max,
                            size_t *ret_n, struct spd_err *err)
{
    struct spd_lite *s = self;
    sqlite3_stmt *st;
    enum spd_rc rc = spd_lite_verb(s, t, V_DUE, &st, err);
    if (rc) return rc;
    sqlite3_bind_int64(st, 1, after_due);
    sqlite3_bind_int64(st, 2, after_id);
    sqlite3_bind_int64(st, 3, until);
    sqlite3_bind_int64(st, 4, (int64_t)max);
    if (t == SPD_T_OUTBOX) spd_lite_bind_text(st, 5, part);
    return collect(s, st, "due", ret_ids, ret_dues, max, ret_n, err);
}

static enum spd_rc lite_scan(void *self, enum spd_table t, int64_t after, bool descending,
                             int64_t *ret_ids, size_t max, size_t *ret_n, struct spd_err *err)
{
    struct spd_lite *s = self;
    sqlite3_stmt *st;
    enum spd_rc rc = spd_lite_verb(s, t, descending ? V_SCAN_DOWN : V_SCAN_UP, &st, err);
    if (rc) return rc;
    sqlite3_bind_int64(st, 1, after);
    sqlite3_bind_int64(st, 2, (int64_t)max);
    return collect(s, st, "scan", ret_ids, NULL, max, ret_n, err);
}

static enum spd_rc lite_max_id(void *self, enum spd_table t, int64_t *ret, struct spd_err *err)
{
    struct spd_lite *s = self;
    sqlite3_stmt *st;
    size_t n = 0;
    enum spd_rc rc = spd_lite_verb(s, t, V_MAX, &st, err);
    return rc ? rc : collect(s, st, "max", ret, NULL, 1, &n, err);
}

/* ---- transactions -------------------------------------------------------------------------- */
static enum spd_rc lite_begin(void *self, struct spd_err *err)
{
    struct spd_lite *s = self;
    enum spd_rc rc;
    if (s->in_transaction) return spd_fail(err, SPD_BUG, "begin", "a transaction is open already");
    s->spoilt = false;
    if ((rc = step_fixed(s, F_BEGIN, "begin", err))) return rc;
    s->in_transaction = true;
    return SPD_OK;
}

static enum spd_rc lite_commit(void *self, struct spd_err *err)
{
    struct spd_lite *s = self;
    enum spd_rc rc;
    if (!s->in_transaction) return spd_fail(err, SPD_BUG, "commit", "no transaction is open");
    if (s->spoilt) return spd_fail(err, SPD_IO, "commit", "a write of this transaction failed");
    if ((rc = step_fixed(s, F_COMMIT, "commit", err))) return rc;
    s->in_transaction = s->in_savepoint = false;
    return SPD_OK;
}

static void lite_rollback(void *self)
{
    struct spd_lite *s = self;
    s->in_transaction = s->in_savepoint = false;
    if (!sqlite3_get_autocommit(s->db)) /* SQLite may have rolled back by itself */
        step_fixed(s, F_ROLLBACK, "rollback", NULL);
    s->spoilt = false;
}

static enum spd_rc lite_savepoint(void *self, struct spd_err *err)
{
    struct spd_lite *s = self;
    enum spd_rc rc;
    if (!s->in_transaction || s->in_savepoint)
        return spd_fail(err, SPD_BUG, "savepoint",
                        "no transaction, or a savepoint is open already");
    if ((rc = step_fixed(s, F_SAVEPOINT, "savepoint", err))) return rc;
    s->in_savepoint = true;
    return SPD_OK;
}

static enum spd_rc lite_release(void *self, struct spd_err *err)
{
    struct spd_lite *s = self;
    if (!s->in_savepoint) return spd_fail(err, SPD_BUG, "release", "no savepoint is open");
    s->in_savepoint = false;
    return step_fixed(s, F_RELEASE, "release", err);
}

static void lite_rollback_to(void *self)
{
    struct spd_lite *s = self;
    if (!s->in_savepoint) return;
    s->in_savepoint = false;
    if (sqlite3_get_autocommit(s->db))
        s->spoilt = true; /* rolled back by SQLite: all of it is gone */
    else if (!step_fixed(s, F_ROLLBACK_TO, "rollback to", NULL))
        step_fixed(s, F_RELEASE, "release", NULL);
}

/* ---- open and close ------------------------------------------------------------------------ */
static enum spd_rc take_lock(struct spd_lite *s, const char *path, struct spd_err *err)
{
    char name[PATH_LEN];
    int n = snprintf(name, sizeof name, "%s.writer", path);
    if (n < 0 || (size_t)n >= sizeof name)
        return spd_fail(err, SPD_LIMIT, "store.url", "the path is too long");
    s->lock = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0640);
    if (s->lock < 0)
        return spd_fail(err, errno == ENOENT ? SPD_NOTFOUND : SPD_IO, "store.url",
                        "cannot lock: %s", strerror(errno));
    if (flock(s->lock, LOCK_EX | LOCK_NB))
        return spd_fail(err, SPD_AGAIN, "store.url", "another process writes this database");
    return SPD_OK;
}

static void lite_close(void *self)
{
    struct spd_lite *s = self;
    spd_lite_rows_done(s);
    sqlite3_close_v2(s->db); /* an open transaction is rolled back */
    if (s->lock >= 0) close(s->lock);
    spd_str_done(&s->json);
    spd_arena_free(s->scratch);
    spd_free(s);
}

static enum spd_rc open_db(struct spd_lite *s, const char *path, int mode, struct spd_err *err)
{
    bool create = s->writer && mode & SPD_STORE_CREATE;
    size_t version;
    enum spd_rc rc;
    if (s->writer && (rc = take_lock(s, path, err))) return rc;
    rc = spd_sqlite_connect(path, s->writer ? SPD_SQLITE_WRITER : SPD_SQLITE_READER, create, &s->db,
                            err);
    if (rc) return rc;
    if (create) return spd_sqlite_migrate(s->db, path, &spd_schema_sqlite, err);
    if ((rc = spd_sqlite_version(s->db, &version, err))) return rc;
    if (version == spd_schema_sqlite.n) return SPD_OK;
    return spd_fail(err, SPD_STALE, "store.url",
                    version > spd_schema_sqlite.n
                        ? "the database has schema %zu, newer than this program's %zu"
                        : "the database has schema %zu and needs migration to %zu",
                    version, spd_schema_sqlite.n);
}

static enum spd_rc lite_open(const char *path, int mode, void **ret_self, struct spd_err *err)
{
    struct spd_lite *s = spd_must_malloc(sizeof *s);
    enum spd_rc rc;
    s->lock = -1;
    s->writer = mode & SPD_STORE_WRITE;
    s->json = SPD_STR_INIT(JSON_MAX);
    s->scratch = spd_arena_new(SCRATCH_MAX);
    if (!s->scratch) spd_out_of_memory();
    spd_lite_rows_init(s);
    if ((rc = open_db(s, path, mode, err))) {
        lite_close(s);
        return rc;
    }
    *ret_self = s;
    return SPD_OK;
}

struct sqlite3 *spd_store_sqlite_db(struct spd_store *store)
{
    struct spd_lite *s = spd_store_self(store, &spd_store_sqlite);
    return s ? s->db : NULL;
}

const struct spd_store_ops spd_store_sqlite = {
    .name = "sqlite", .open = lite_open, .close = lite_close, .begin = lite_begin,
    .commit = lite_commit, .rollback = lite_rollback, .savepoint = lite_savepoint,
    .release = lite_release, .rollback_to = lite_rollback_to, .put = lite_put, .del = lite_del,
    .get = lite_get, .find = lite_find, .due = lite_due, .scan = lite_scan, .max_id = lite_max_id,
};
