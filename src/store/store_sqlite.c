/* src/store/store_sqlite.c: the verbs of store.h on SQLite. Opening, pragmas, migration: sqlite_open.c.
 *
 * One table per object (columns.h), one table `key` for all keys, one table `finding` with a row per finding
 * of a result for dashboards. put with an old object writes only the columns that changed, with one prepared
 * statement per set of changed columns. Nothing is cached but prepared statements.
 *
 * When a write fails for want of space or by an I/O error the transaction is spoilt: commit refuses, the
 * caller rolls back, and the next transaction may succeed again.
 *
 * Threads: one owner per open. The writer holds "<path>.writer" (flock) for its life, since two connections
 * that write or checkpoint at once are what SQLite's known WAL bug needs. A reader's begin only fixes the
 * moment that it sees. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/columns.h"
#include "store/sqlite.h"

enum { JSON_MAX = 256 * 1024 * 1024, SCRATCH_MAX = 256 * 1024 * 1024, UPDATES_MAX = 512, PATH_LEN = 4096 };

enum verb { V_INSERT, V_GET, V_DELETE, V_SCAN_UP, V_SCAN_DOWN, V_MAX, V_DUE, V_N };
enum fixed { F_BEGIN, F_COMMIT, F_ROLLBACK, F_SAVEPOINT, F_RELEASE, F_ROLLBACK_TO, F_KEY_ADD, F_KEY_DEL,
             F_FIND, F_FINDING_ADD, F_FINDING_DEL, F_N };

struct update { /* a prepared UPDATE of one set of columns */
    uint64_t set[2];
    enum spd_table table;
    sqlite3_stmt *st;
};

struct lite {
    struct sqlite3 *db;
    bool writer, in_transaction, in_savepoint, spoilt;
    int lock;
    struct spd_columns columns[SPD_T_N];
    sqlite3_stmt *verbs[SPD_T_N][V_N], *fixed[F_N];
    GHashTable *updates; /* of struct update */
    struct spd_str json; /* the lists of the row being written */
    struct spd_arena *scratch;
};

/* ---- statements ---------------------------------------------------------------------------- */
static enum spd_rc fail(struct lite *s, const char *place, struct spd_err *err)
{
    enum spd_rc rc = spd_sqlite_fail(s->db, s->writer, place, err);
    if (rc == SPD_IO || rc == SPD_AGAIN) s->spoilt = true;
    return rc;
}

static enum spd_rc prepare(struct lite *s, const char *sql, sqlite3_stmt **ret, struct spd_err *err)
{
    return sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL)
               ? fail(s, "prepare", err) : SPD_OK;
}

static void add_names(struct spd_str *sql, const struct spd_columns *c)
{
    for (size_t i = 0; i < c->n; i++) spd_str_addf(sql, "%s\"%s\"", i ? "," : "", c->v[i].name);
}

static void verb_sql(const struct lite *s, enum spd_table t, enum verb verb, struct spd_str *sql)
{
    const char *name = spd_table_name(t);
    switch (verb) {
    case V_INSERT:
        spd_str_addf(sql, "INSERT INTO \"%s\"(", name);
        add_names(sql, &s->columns[t]);
        spd_str_addz(sql, ") VALUES(");
        for (size_t i = 0; i < s->columns[t].n; i++) spd_str_addz(sql, i ? ",?" : "?");
        spd_str_addc(sql, ')');
        break;
    case V_GET:
        spd_str_addz(sql, "SELECT ");
        add_names(sql, &s->columns[t]);
        spd_str_addf(sql, " FROM \"%s\" WHERE id=?1", name);
        break;
    case V_DELETE: spd_str_addf(sql, "DELETE FROM \"%s\" WHERE id=?1", name); break;
    case V_SCAN_UP: spd_str_addf(sql, "SELECT id FROM \"%s\" WHERE id>?1 ORDER BY id LIMIT ?2", name); break;
    case V_SCAN_DOWN:
        spd_str_addf(sql, "SELECT id FROM \"%s\" WHERE id<?1 ORDER BY id DESC LIMIT ?2", name);
        break;
    case V_MAX: spd_str_addf(sql, "SELECT ifnull(max(id),0) FROM \"%s\"", name); break;
    case V_DUE:
        spd_str_addf(sql, "SELECT id,due FROM \"%s\" WHERE (due,id)>(?1,?2) AND due<=?3%s "
                          "ORDER BY due,id LIMIT ?4",
                     name, t == SPD_T_OUTBOX ? " AND state IN('queued','sending')" : "");
        break;
    case V_N: break;
    }
}

static enum spd_rc verb_get(struct lite *s, enum spd_table t, enum verb verb, sqlite3_stmt **ret,
                            struct spd_err *err)
{
    sqlite3_stmt **st = &s->verbs[t][verb];
    enum spd_rc rc = SPD_OK;
    if (!*st) {
        struct spd_str sql = SPD_STR_INIT(64 * 1024);
        verb_sql(s, t, verb, &sql);
        rc = prepare(s, sql.ptr, st, err);
        spd_str_done(&sql);
    }
    *ret = *st;
    return rc;
}

static enum spd_rc fixed_get(struct lite *s, enum fixed which, sqlite3_stmt **ret, struct spd_err *err)
{
    static const char *const sql[F_N] = {
        [F_COMMIT] = "COMMIT", [F_ROLLBACK] = "ROLLBACK", [F_SAVEPOINT] = "SAVEPOINT event",
        [F_RELEASE] = "RELEASE event", [F_ROLLBACK_TO] = "ROLLBACK TO event",
        [F_KEY_ADD] = "INSERT INTO key(kind,text,id) VALUES(?1,?2,?3)",
        [F_KEY_DEL] = "DELETE FROM key WHERE kind=?1 AND text=?2 AND id=?3",
        [F_FIND] = "SELECT id FROM key WHERE kind=?1 AND text=?2 AND id>?3 ORDER BY id LIMIT ?4",
        [F_FINDING_ADD] = "INSERT INTO finding(result,n,items,concept,present,probability,site,laterality)"
                          " VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
        [F_FINDING_DEL] = "DELETE FROM finding WHERE result=?1",
    };
    const char *text = which == F_BEGIN ? (s->writer ? "BEGIN IMMEDIATE" : "BEGIN") : sql[which];
    *ret = s->fixed[which];
    if (*ret) return SPD_OK;
    enum spd_rc rc = prepare(s, text, &s->fixed[which], err);
    *ret = s->fixed[which];
    return rc;
}

/* Runs a statement that returns no rows, and lets go of what was bound. */
static enum spd_rc step(struct lite *s, sqlite3_stmt *st, const char *place, struct spd_err *err)
{
    enum spd_rc rc = sqlite3_step(st) == SQLITE_DONE ? SPD_OK : fail(s, place, err);
    sqlite3_reset(st);
    return rc;
}

static enum spd_rc step_fixed(struct lite *s, enum fixed which, const char *place, struct spd_err *err)
{
    sqlite3_stmt *st;
    enum spd_rc rc = fixed_get(s, which, &st, err);
    return rc ? rc : step(s, st, place, err);
}

/* ---- values -------------------------------------------------------------------------------- */
static void bind_text(sqlite3_stmt *st, int at, spd_sv v)
{
    sqlite3_bind_text64(st, at, v.len ? v.ptr : "", v.len, SQLITE_STATIC, SQLITE_UTF8);
}

static void bind_value(sqlite3_stmt *st, int at, const struct spd_column *c, const void *object)
{
    const void *x = c->member ? (const char *)object + c->base + c->member->offset : NULL;
    if (!x) {
        bind_text(st, at, spd_sv_from(spd_enum_name(spd_status_names, (int)spd_item_status(object))));
    } else if (c->member->kind == SPD_K_I64) {
        sqlite3_bind_int64(st, at, *(const int64_t *)x);
    } else if (c->member->kind == SPD_K_ENUM) {
        bind_text(st, at, spd_sv_from(spd_enum_name(c->member->names, *(const int32_t *)x)));
    } else if (c->member->kind == SPD_K_TEXT) {
        bind_text(st, at, *(const spd_sv *)x);
    } else {
        const spd_sv *v = x;
        sqlite3_bind_blob64(st, at, v->len ? v->ptr : "", v->len, SQLITE_STATIC);
    }
}

/* Binds the columns in set (all when NULL) from 1 on. Lists are first all written into one buffer, since it
 * moves while it grows. */
static enum spd_rc bind_row(struct lite *s, sqlite3_stmt *st, enum spd_table t, const void *object,
                            const uint64_t *set, struct spd_err *err)
{
    const struct spd_columns *c = &s->columns[t];
    size_t end[SPD_COLUMNS_MAX], from = 0;
    int at = 0;
    spd_str_clear(&s->json);
    for (size_t i = 0; i < c->n; i++) {
        if (spd_column_is_list(&c->v[i]) && (!set || set[i / 64] >> (i % 64) & 1))
            spd_desc_member_json(c->v[i].member, (const char *)object + c->v[i].base, &s->json);
        end[i] = s->json.len;
    }
    if (!spd_str_ok(&s->json))
        return spd_fail(err, SPD_LIMIT, spd_table_name(t), "put: the lists of the row are too large");
    for (size_t i = 0; i < c->n; from = end[i++]) {
        if (set && !(set[i / 64] >> (i % 64) & 1)) continue;
        at++;
        if (spd_column_is_list(&c->v[i])) bind_text(st, at, spd_sv_of(s->json.ptr + from, end[i] - from));
        else bind_value(st, at, &c->v[i], object);
    }
    return SPD_OK;
}

static spd_sv column_text(sqlite3_stmt *st, int at, bool blob)
{
    const void *p = blob ? sqlite3_column_blob(st, at) : (const void *)sqlite3_column_text(st, at);
    return spd_sv_of(p, (size_t)sqlite3_column_bytes(st, at));
}

static enum spd_rc read_value(sqlite3_stmt *st, int at, const struct spd_column *c, void *ret,
                              struct spd_arena *arena, struct spd_err *err)
{
    void *x = (char *)ret + c->base + c->member->offset;
    spd_sv v;
    int e;
    switch (c->member->kind) {
    case SPD_K_I64: *(int64_t *)x = sqlite3_column_int64(st, at); return SPD_OK;
    case SPD_K_ENUM:
        if (!(v = column_text(st, at, false)).len) return SPD_OK;
        if ((e = spd_enum_from(c->member->names, v)) < 0)
            return spd_fail(err, SPD_INVALID, c->name, "the database holds a word this program does not know");
        *(int32_t *)x = e;
        return SPD_OK;
    case SPD_K_TEXT:
    case SPD_K_BLOB:
        v = column_text(st, at, c->member->kind == SPD_K_BLOB);
        if (v.len) *(spd_sv *)x = spd_arena_dup(arena, v);
        return SPD_OK;
    case SPD_K_STRUCT: break; /* taken apart in columns.c */
    case SPD_K_LIST:
    case SPD_K_LIST_TEXT:
    case SPD_K_LIST_I64:
        v = column_text(st, at, false);
        return v.len <= 2 ? SPD_OK
                          : spd_desc_member_from_json(c->member, v, (char *)ret + c->base, arena, err);
    }
    return spd_fail(err, SPD_BUG, c->name, "a struct is no column");
}

/* ---- keys and findings --------------------------------------------------------------------- */
static bool key_in(const struct spd_key *k, const struct spd_key *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].kind == k->kind && spd_sv_eq(v[i].text, k->text)) return true;
    return false;
}

static enum spd_rc key_write(struct lite *s, enum fixed which, const struct spd_key *k, int64_t id,
                             struct spd_err *err)
{
    sqlite3_stmt *st;
    enum spd_rc rc = fixed_get(s, which, &st, err);
    if (rc) return rc;
    sqlite3_bind_int(st, 1, (int)k->kind);
    bind_text(st, 2, k->text);
    sqlite3_bind_int64(st, 3, id);
    return step(s, st, "key", err);
}

static enum spd_rc keys_replace(struct lite *s, enum spd_table t, int64_t id, const void *before,
                                const void *after, struct spd_err *err)
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

static enum spd_rc finding_add(struct lite *s, const struct spd_result *r, size_t n, spd_sv items,
                               struct spd_err *err)
{
    const struct spd_finding *f = &r->findings.v[n];
    sqlite3_stmt *st;
    enum spd_rc rc = fixed_get(s, F_FINDING_ADD, &st, err);
    if (rc) return rc;
    sqlite3_bind_int64(st, 1, r->id);
    sqlite3_bind_int64(st, 2, (int64_t)n + 1);
    bind_text(st, 3, items);
    bind_text(st, 4, f->concept);
    bind_text(st, 5, spd_sv_from(spd_enum_name(spd_present_names, f->present)));
    sqlite3_bind_int64(st, 6, f->probability);
    bind_text(st, 7, f->site);
    bind_text(st, 8, f->laterality);
    return step(s, st, "finding", err);
}

static enum spd_rc findings_drop(struct lite *s, int64_t result, struct spd_err *err)
{
    sqlite3_stmt *st;
    enum spd_rc rc = fixed_get(s, F_FINDING_DEL, &st, err);
    if (rc) return rc;
    sqlite3_bind_int64(st, 1, result);
    return step(s, st, "finding", err);
}

static bool same_findings(const struct lite *s, const struct spd_result *a, const struct spd_result *b)
{
    for (size_t i = 0; i < s->columns[SPD_T_RESULT].n; i++) {
        const struct spd_column *c = &s->columns[SPD_T_RESULT].v[i];
        if (c->member->kind != SPD_K_LIST && c->member->kind != SPD_K_LIST_I64) continue;
        if (!spd_column_equal(c, a, b)) return false; /* findings, items */
    }
    return true;
}

static enum spd_rc findings_replace(struct lite *s, const struct spd_result *old,
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
    for (size_t i = 0; i < now->findings.n && !rc; i++) rc = finding_add(s, now, i, spd_str_sv(&s->json), err);
    return rc;
}

/* ---- writing ------------------------------------------------------------------------------- */
static guint update_hash(gconstpointer p)
{
    const struct update *u = p;
    uint64_t h = (u->set[0] ^ (uint64_t)u->table) * 0x9e3779b97f4a7c15u + u->set[1] * 0xff51afd7ed558ccdu;
    return (guint)(h ^ h >> 32);
}

static gboolean update_equal(gconstpointer a, gconstpointer b)
{
    const struct update *x = a, *y = b;
    return x->table == y->table && x->set[0] == y->set[0] && x->set[1] == y->set[1];
}

static void update_free(gpointer p)
{
    sqlite3_finalize(((struct update *)p)->st);
    spd_free(p);
}

static enum spd_rc update_get(struct lite *s, struct update *want, struct spd_err *err)
{
    const struct spd_columns *c = &s->columns[want->table];
    struct update *u = g_hash_table_lookup(s->updates, want);
    struct spd_str sql = SPD_STR_INIT(64 * 1024);
    const char *comma = "";
    enum spd_rc rc;
    if (u) {
        want->st = u->st;
        return SPD_OK;
    }
    if (g_hash_table_size(s->updates) >= UPDATES_MAX) g_hash_table_remove_all(s->updates);
    spd_str_addf(&sql, "UPDATE \"%s\" SET ", spd_table_name(want->table));
    for (size_t i = 0; i < c->n; i++) {
        if (!(want->set[i / 64] >> (i % 64) & 1)) continue;
        spd_str_addf(&sql, "%s\"%s\"=?", comma, c->v[i].name);
        comma = ",";
    }
    spd_str_addz(&sql, " WHERE id=?");
    rc = prepare(s, sql.ptr, &want->st, err);
    spd_str_done(&sql);
    if (rc) return rc;
    u = spd_must_malloc(sizeof *u);
    *u = *want;
    g_hash_table_add(s->updates, u);
    return SPD_OK;
}

static enum spd_rc row_update(struct lite *s, enum spd_table t, const void *object, const void *old,
                              struct spd_err *err)
{
    struct update u = {{0, 0}, t, NULL};
    int n = 0;
    enum spd_rc rc;
    for (size_t i = 0; i < s->columns[t].n; i++)
        if (!spd_column_equal(&s->columns[t].v[i], object, old)) u.set[i / 64] |= (uint64_t)1 << (i % 64), n++;
    if (!n) return SPD_OK;
    if ((rc = update_get(s, &u, err)) || (rc = bind_row(s, u.st, t, object, u.set, err))) return rc;
    sqlite3_bind_int64(u.st, n + 1, *(const int64_t *)object);
    if ((rc = step(s, u.st, spd_table_name(t), err))) return rc;
    return sqlite3_changes(s->db) == 1 ? SPD_OK
                                       : spd_fail(err, SPD_NOTFOUND, spd_table_name(t), "no row to replace");
}

static enum spd_rc lite_put(void *self, enum spd_table t, const void *object, const void *old,
                            struct spd_err *err)
{
    struct lite *s = self;
    sqlite3_stmt *st;
    enum spd_rc rc;
    if (!s->in_transaction || !s->writer) return spd_fail(err, SPD_BUG, "put", "no writing transaction is open");
    if (old) rc = row_update(s, t, object, old, err);
    else if (!(rc = verb_get(s, t, V_INSERT, &st, err)) && !(rc = bind_row(s, st, t, object, NULL, err)))
        rc = step(s, st, spd_table_name(t), err);
    if (!rc) rc = keys_replace(s, t, *(const int64_t *)object, old, object, err);
    if (!rc && t == SPD_T_RESULT) rc = findings_replace(s, old, object, err);
    return rc;
}

static enum spd_rc lite_del(void *self, enum spd_table t, const void *old, struct spd_err *err)
{
    struct lite *s = self;
    sqlite3_stmt *st;
    enum spd_rc rc;
    if (!s->in_transaction || !s->writer) return spd_fail(err, SPD_BUG, "del", "no writing transaction is open");
    if ((rc = verb_get(s, t, V_DELETE, &st, err))) return rc;
    sqlite3_bind_int64(st, 1, *(const int64_t *)old);
    if ((rc = step(s, st, spd_table_name(t), err))) return rc;
    if (!sqlite3_changes(s->db)) return spd_fail(err, SPD_NOTFOUND, spd_table_name(t), "no row to delete");
    if (!(rc = keys_replace(s, t, *(const int64_t *)old, old, NULL, err)) && t == SPD_T_RESULT)
        rc = findings_replace(s, old, NULL, err);
    return rc;
}

/* ---- reading ------------------------------------------------------------------------------- */
static enum spd_rc lite_get(void *self, enum spd_table t, int64_t id, void *ret, struct spd_arena *arena,
                            struct spd_err *err)
{
    struct lite *s = self;
    const struct spd_columns *c = &s->columns[t];
    sqlite3_stmt *st;
    enum spd_rc rc = verb_get(s, t, V_GET, &st, err);
    int got;
    if (rc) return rc;
    sqlite3_bind_int64(st, 1, id);
    got = sqlite3_step(st);
    if (got == SQLITE_ROW) {
        memset(ret, 0, spd_table_desc(t)->size);
        for (size_t i = 0; i < c->n && !rc; i++)
            if (c->v[i].member) rc = read_value(st, (int)i, &c->v[i], ret, arena, err);
    } else {
        rc = got == SQLITE_DONE ? SPD_NOTFOUND : fail(s, spd_table_name(t), err);
    }
    sqlite3_reset(st);
    return rc;
}

/* Collects column 0 (and 1) of a bound statement. */
static enum spd_rc collect(struct lite *s, sqlite3_stmt *st, const char *place, int64_t *ret_ids,
                           spd_usec *ret_dues, size_t max, size_t *ret_n, struct spd_err *err)
{
    size_t n = 0;
    int got;
    enum spd_rc rc = SPD_OK;
    while ((got = sqlite3_step(st)) == SQLITE_ROW && n < max) {
        if (ret_dues) ret_dues[n] = sqlite3_column_int64(st, 1);
        ret_ids[n++] = sqlite3_column_int64(st, 0);
    }
    if (got != SQLITE_DONE && got != SQLITE_ROW) rc = fail(s, place, err);
    sqlite3_reset(st);
    *ret_n = n;
    return rc;
}

static enum spd_rc lite_find(void *self, enum spd_key_kind kind, spd_sv text, int64_t after,
                             int64_t *ret_ids, size_t max, size_t *ret_n, struct spd_err *err)
{
    struct lite *s = self;
    sqlite3_stmt *st;
    enum spd_rc rc = fixed_get(s, F_FIND, &st, err);
    if (rc) return rc;
    sqlite3_bind_int(st, 1, (int)kind);
    bind_text(st, 2, text);
    sqlite3_bind_int64(st, 3, after);
    sqlite3_bind_int64(st, 4, (int64_t)max);
    return collect(s, st, "find", ret_ids, NULL, max, ret_n, err);
}

static enum spd_rc lite_due(void *self, enum spd_table t, spd_usec until, spd_usec after_due,
                            int64_t after_id, int64_t *ret_ids, spd_usec *ret_dues, size_t max,
                            size_t *ret_n, struct spd_err *err)
{
    struct lite *s = self;
    sqlite3_stmt *st;
    enum spd_rc rc = verb_get(s, t, V_DUE, &st, err);
    if (rc) return rc;
    sqlite3_bind_int64(st, 1, after_due);
    sqlite3_bind_int64(st, 2, after_id);
    sqlite3_bind_int64(st, 3, until);
    sqlite3_bind_int64(st, 4, (int64_t)max);
    return collect(s, st, "due", ret_ids, ret_dues, max, ret_n, err);
}

static enum spd_rc lite_scan(void *self, enum spd_table t, int64_t after, bool descending,
                             int64_t *ret_ids, size_t max, size_t *ret_n, struct spd_err *err)
{
    struct lite *s = self;
    sqlite3_stmt *st;
    enum spd_rc rc = verb_get(s, t, descending ? V_SCAN_DOWN : V_SCAN_UP, &st, err);
    if (rc) return rc;
    sqlite3_bind_int64(st, 1, after);
    sqlite3_bind_int64(st, 2, (int64_t)max);
    return collect(s, st, "scan", ret_ids, NULL, max, ret_n, err);
}

static enum spd_rc lite_max_id(void *self, enum spd_table t, int64_t *ret, struct spd_err *err)
{
    struct lite *s = self;
    sqlite3_stmt *st;
    size_t n = 0;
    enum spd_rc rc = verb_get(s, t, V_MAX, &st, err);
    return rc ? rc : collect(s, st, "max", ret, NULL, 1, &n, err);
}

/* ---- transactions -------------------------------------------------------------------------- */
static enum spd_rc lite_begin(void *self, struct spd_err *err)
{
    struct lite *s = self;
    enum spd_rc rc;
    if (s->in_transaction) return spd_fail(err, SPD_BUG, "begin", "a transaction is open already");
    s->spoilt = false;
    if ((rc = step_fixed(s, F_BEGIN, "begin", err))) return rc;
    s->in_transaction = true;
    return SPD_OK;
}

static enum spd_rc lite_commit(void *self, struct spd_err *err)
{
    struct lite *s = self;
    enum spd_rc rc;
    if (!s->in_transaction) return spd_fail(err, SPD_BUG, "commit", "no transaction is open");
    if (s->spoilt) return spd_fail(err, SPD_IO, "commit", "a write of this transaction failed");
    if ((rc = step_fixed(s, F_COMMIT, "commit", err))) return rc;
    s->in_transaction = s->in_savepoint = false;
    return SPD_OK;
}

static void lite_rollback(void *self)
{
    struct lite *s = self;
    s->in_transaction = s->in_savepoint = false;
    if (!sqlite3_get_autocommit(s->db)) /* SQLite may have rolled back by itself */
        step_fixed(s, F_ROLLBACK, "rollback", NULL);
    s->spoilt = false;
}

static enum spd_rc lite_savepoint(void *self, struct spd_err *err)
{
    struct lite *s = self;
    enum spd_rc rc;
    if (!s->in_transaction || s->in_savepoint)
        return spd_fail(err, SPD_BUG, "savepoint", "no transaction, or a savepoint is open already");
    if ((rc = step_fixed(s, F_SAVEPOINT, "savepoint", err))) return rc;
    s->in_savepoint = true;
    return SPD_OK;
}

static enum spd_rc lite_release(void *self, struct spd_err *err)
{
    struct lite *s = self;
    if (!s->in_savepoint) return spd_fail(err, SPD_BUG, "release", "no savepoint is open");
    s->in_savepoint = false;
    return step_fixed(s, F_RELEASE, "release", err);
}

static void lite_rollback_to(void *self)
{
    struct lite *s = self;
    if (!s->in_savepoint) return;
    s->in_savepoint = false;
    if (sqlite3_get_autocommit(s->db)) s->spoilt = true; /* rolled back by SQLite: all of it is gone */
    else if (!step_fixed(s, F_ROLLBACK_TO, "rollback to", NULL)) step_fixed(s, F_RELEASE, "release", NULL);
}

/* ---- open and close ------------------------------------------------------------------------ */
static enum spd_rc take_lock(struct lite *s, const char *path, struct spd_err *err)
{
    char name[PATH_LEN];
    int n = snprintf(name, sizeof name, "%s.writer", path);
    if (n < 0 || (size_t)n >= sizeof name) return spd_fail(err, SPD_LIMIT, "store.url", "the path is too long");
    s->lock = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0640);
    if (s->lock < 0)
        return spd_fail(err, errno == ENOENT ? SPD_NOTFOUND : SPD_IO, "store.url", "cannot lock: %s",
                        strerror(errno));
    if (flock(s->lock, LOCK_EX | LOCK_NB))
        return spd_fail(err, SPD_AGAIN, "store.url", "another process writes this database");
    return SPD_OK;
}

static void lite_close(void *self)
{
    struct lite *s = self;
    for (int t = 0; t < SPD_T_N; t++)
        for (int v = 0; v < V_N; v++) sqlite3_finalize(s->verbs[t][v]);
    for (int f = 0; f < F_N; f++) sqlite3_finalize(s->fixed[f]);
    g_hash_table_destroy(s->updates);
    sqlite3_close_v2(s->db); /* an open transaction is rolled back */
    if (s->lock >= 0) close(s->lock);
    spd_str_done(&s->json);
    spd_arena_free(s->scratch);
    spd_free(s);
}

static enum spd_rc open_db(struct lite *s, const char *path, int mode, struct spd_err *err)
{
    bool create = s->writer && mode & SPD_STORE_CREATE;
    size_t version;
    enum spd_rc rc;
    if (s->writer && (rc = take_lock(s, path, err))) return rc;
    rc = spd_sqlite_connect(path, s->writer ? SPD_SQLITE_WRITER : SPD_SQLITE_READER, create, &s->db, err);
    if (rc) return rc;
    if (create) return spd_sqlite_migrate(s->db, path, &spd_schema_sqlite, err);
    if ((rc = spd_sqlite_version(s->db, &version, err))) return rc;
    if (version == spd_schema_sqlite.n) return SPD_OK;
    return spd_fail(err, SPD_STALE, "store.url",
                    version > spd_schema_sqlite.n ? "the database has schema %zu, newer than this program's %zu"
                                                  : "the database has schema %zu and needs migration to %zu",
                    version, spd_schema_sqlite.n);
}

static enum spd_rc lite_open(const char *path, int mode, void **ret_self, struct spd_err *err)
{
    struct lite *s = spd_must_malloc(sizeof *s);
    enum spd_rc rc;
    s->lock = -1;
    s->writer = mode & SPD_STORE_WRITE;
    s->json = SPD_STR_INIT(JSON_MAX);
    s->updates = g_hash_table_new_full(update_hash, update_equal, update_free, NULL);
    s->scratch = spd_arena_new(SCRATCH_MAX);
    if (!s->scratch) spd_out_of_memory();
    for (int t = 0; t < SPD_T_N; t++) s->columns[t] = spd_columns_of((enum spd_table)t);
    if ((rc = open_db(s, path, mode, err))) {
        lite_close(s);
        return rc;
    }
    *ret_self = s;
    return SPD_OK;
}

struct sqlite3 *spd_store_sqlite_db(struct spd_store *store)
{
    struct lite *s = spd_store_self(store, &spd_store_sqlite);
    return s ? s->db : NULL;
}

const struct spd_store_ops spd_store_sqlite = {
    .name = "sqlite", .open = lite_open, .close = lite_close, .begin = lite_begin,
    .commit = lite_commit, .rollback = lite_rollback, .savepoint = lite_savepoint,
    .release = lite_release, .rollback_to = lite_rollback_to, .put = lite_put, .del = lite_del,
    .get = lite_get, .find = lite_find, .due = lite_due, .scan = lite_scan, .max_id = lite_max_id,
};
