/* src/store/sqlite_row.c: see sqlite_row.h. */
#define _GNU_SOURCE
#include "store/sqlite_row.h"

#include <glib.h>
#include <sqlite3.h>

enum { UPDATES_MAX = 512, SQL_MAX = 64 * 1024 };

struct update { /* a prepared UPDATE of one set of columns */
    uint64_t set[2];
    enum spd_table table;
    sqlite3_stmt *st;
};

/* ---- statements ---------------------------------------------------------------------------- */
enum spd_rc spd_lite_fail(struct spd_lite *s, const char *place, struct spd_err *err)
{
    enum spd_rc rc = spd_sqlite_fail(s->db, s->writer, place, err);
    if (rc == SPD_IO || rc == SPD_AGAIN) s->spoilt = true;
    return rc;
}

static enum spd_rc prepare(struct spd_lite *s, const char *sql, sqlite3_stmt **ret,
                           struct spd_err *err)
{
    return sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL)
               ? spd_lite_fail(s, "prepare", err) : SPD_OK;
}

static void add_names(struct spd_str *sql, const struct spd_columns *c)
{
    for (size_t i = 0; i < c->n; i++) spd_str_addf(sql, "%s\"%s\"", i ? "," : "", c->v[i].name);
}

static void verb_sql(const struct spd_lite *s, enum spd_table t, enum spd_lite_verb verb,
                     struct spd_str *sql)
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
    case V_SCAN_UP:
        spd_str_addf(sql, "SELECT id FROM \"%s\" WHERE id>?1 ORDER BY id LIMIT ?2", name);
        break;
    case V_SCAN_DOWN:
        spd_str_addf(sql, "SELECT id FROM \"%s\" WHERE id<?1 ORDER BY id DESC LIMIT ?2", name);
        break;
    case V_MAX: spd_str_addf(sql, "SELECT ifnull(max(id),0) FROM \"%s\"", name); break;
    case V_DUE:
        /* INDEXED BY: else SQLite takes the index on state and sorts */
        spd_str_addf(
            sql,
            "SELECT id,due FROM \"%s\" INDEXED BY %s_due WHERE (due,id)>(?1,?2) AND due<=?3%s "
            "ORDER BY due,id LIMIT ?4",
            name, name,
            t == SPD_T_OUTBOX ? " AND destination=?5 AND state IN('queued','sending')" : "");
        break;
    case V_N: break;
    }
}

enum spd_rc spd_lite_verb(struct spd_lite *s, enum spd_table t, enum spd_lite_verb verb,
                          sqlite3_stmt **ret, struct spd_err *err)
{
    sqlite3_stmt **st = &s->verbs[t][verb];
    enum spd_rc rc = SPD_OK;
    if (!*st) {
        struct spd_str sql = SPD_STR_INIT(SQL_MAX);
        verb_sql(s, t, verb, &sql);
        rc = prepare(s, sql.ptr, st, err);
        spd_str_done(&sql);
    }
    *ret = *st;
    return rc;
}

enum spd_rc spd_lite_fixed(struct spd_lite *s, enum spd_lite_fixed which, sqlite3_stmt **ret,
                           struct spd_err *err)
{
    static const char *const sql[F_N] = {
        [F_COMMIT] = "COMMIT",
        [F_ROLLBACK] = "ROLLBACK",
        [F_SAVEPOINT] = "SAVEPOINT event",
        [F_RELEASE] = "RELEASE event",
        [F_ROLLBACK_TO] = "ROLLBACK TO event",
        [F_KEY_ADD] = "INSERT INTO key(kind,text,id) VALUES(?1,?2,?3)",
        [F_KEY_DEL] = "DELETE FROM key WHERE kind=?1 AND text=?2 AND id=?3",
        [F_FIND] = "SELECT id FROM key WHERE kind=?1 AND text=?2 AND id>?3 ORDER BY id LIMIT ?4",
        [F_FINDING_ADD] =
            "INSERT INTO finding(result,n,items,concept,present,probability,site,laterality)"
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
enum spd_rc spd_lite_step(struct spd_lite *s, sqlite3_stmt *st, const char *place,
                          struct spd_err *err)
{
    enum spd_rc rc = sqlite3_step(st) == SQLITE_DONE ? SPD_OK : spd_lite_fail(s, place, err);
    sqlite3_reset(st);
    return rc;
}

/* ---- values -------------------------------------------------------------------------------- */
void spd_lite_bind_text(sqlite3_stmt *st, int at, spd_sv v)
{
    sqlite3_bind_text64(st, at, v.len ? v.ptr : "", v.len, SQLITE_STATIC, SQLITE_UTF8);
}

static void bind_value(sqlite3_stmt *st, int at, const struct spd_column *c, const void *object)
{
    const void *x = c->member ? (const char *)object + c->base + c->member->offset : NULL;
    if (!x) {
        spd_lite_bind_text(
            st, at, spd_sv_from(spd_enum_name(spd_status_names, (int)spd_item_status(object))));
    } else if (c->member->kind == SPD_K_I64) {
        sqlite3_bind_int64(st, at, *(const int64_t *)x);
    } else if (c->member->kind == SPD_K_ENUM) {
        spd_lite_bind_text(st, at,
                           spd_sv_from(spd_enum_name(c->member->names, *(const int32_t *)x)));
    } else if (c->member->kind == SPD_K_TEXT) {
        spd_lite_bind_text(st, at, *(const spd_sv *)x);
    } else {
        const spd_sv *v = x;
        sqlite3_bind_blob64(st, at, v->len ? v->ptr : "", v->len, SQLITE_STATIC);
    }
}

/* Binds the columns in set (all when NULL) from 1 on. Lists are first all written into one buffer,
 * since it moves while it grows. */
static enum spd_rc bind_row(struct spd_lite *s, sqlite3_stmt *st, enum spd_table t,
                            const void *object, const uint64_t *set, struct spd_err *err)
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
        return spd_fail(err, SPD_LIMIT, spd_table_name(t),
                        "put: the lists of the row are too large");
    for (size_t i = 0; i < c->n; from = end[i++]) {
        if (set && !(set[i / 64] >> (i % 64) & 1)) continue;
        at++;
        if (spd_column_is_list(&c->v[i]))
            spd_lite_bind_text(st, at, spd_sv_of(s->json.ptr + from, end[i] - from));
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
            return spd_fail(err, SPD_INVALID, c->name,
                            "the database holds a word this program does not know");
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
        return v.len <= 2
                   ? SPD_OK
                   : spd_desc_member_from_json(c->member, v, (char *)ret + c->base, arena, err);
    }
    return spd_fail(err, SPD_BUG, c->name, "a struct is no column");
}

/* ---- updates, one statement per set of columns --------------------------------------------- */
static guint update_hash(gconstpointer p)
{
    const struct update *u = p;
    uint64_t h =
        (u->set[0] ^ (uint64_t)u->table) * 0x9e3779b97f4a7c15u + u->set[1] * 0xff51afd7ed558ccdu;
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

static enum spd_rc update_get(struct spd_lite *s, struct update *want, struct spd_err *err)
{
    const struct spd_columns *c = &s->columns[want->table];
    struct update *u = g_hash_table_lookup(s->updates, want);
    struct spd_str sql = SPD_STR_INIT(SQL_MAX);
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

enum spd_rc spd_lite_update(struct spd_lite *s, enum spd_table t, const void *object,
                            const void *old, struct spd_err *err)
{
    struct update u = {{0, 0}, t, NULL};
    int n = 0;
    enum spd_rc rc;
    for (size_t i = 0; i < s->columns[t].n; i++)
        if (!spd_column_equal(&s->columns[t].v[i], object, old))
            u.set[i / 64] |= (uint64_t)1 << (i % 64), n++;
    if (!n) return SPD_OK;
    if ((rc = update_get(s, &u, err)) || (rc = bind_row(s, u.st, t, object, u.set, err))) return rc;
    sqlite3_bind_int64(u.st, n + 1, *(const int64_t *)object);
    if ((rc = spd_lite_step(s, u.st, spd_table_name(t), err))) return rc;
    return sqlite3_changes(s->db) == 1
               ? SPD_OK
               : spd_fail(err, SPD_NOTFOUND, spd_table_name(t), "no row to replace");
}

enum spd_rc spd_lite_insert(struct spd_lite *s, enum spd_table t, const void *object,
                            struct spd_err *err)
{
    sqlite3_stmt *st;
    enum spd_rc rc = spd_lite_verb(s, t, V_INSERT, &st, err);
    if (rc || (rc = bind_row(s, st, t, object, NULL, err))) return rc;
    return spd_lite_step(s, st, spd_table_name(t), err);
}

enum spd_rc spd_lite_read(const struct spd_lite *s, struct sqlite3_stmt *st, enum spd_table t,
                          void *ret, struct spd_arena *arena, struct spd_err *err)
{
    const struct spd_columns *c = &s->columns[t];
    enum spd_rc rc = SPD_OK;
    memset(ret, 0, spd_table_desc(t)->size);
    for (size_t i = 0; i < c->n && !rc; i++)
        if (c->v[i].member) rc = read_value(st, (int)i, &c->v[i], ret, arena, err);
    return rc;
}

void spd_lite_rows_init(struct spd_lite *s)
{
    s->updates = g_hash_table_new_full(update_hash, update_equal, update_free, NULL);
    for (int t = 0; t < SPD_T_N; t++) s->columns[t] = spd_columns_of((enum spd_table)t);
}

void spd_lite_rows_done(struct spd_lite *s)
{
    for (int t = 0; t < SPD_T_N; t++)
        for (int v = 0; v < V_N; v++) sqlite3_finalize(s->verbs[t][v]);
    for (int f = 0; f < F_N; f++) sqlite3_finalize(s->fixed[f]);
    g_hash_table_destroy(s->updates);
}
