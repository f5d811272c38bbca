/* src/store/query.c: see query.h. Every question is put together from constant pieces; values are
 * only ever bound. The statements of one shape are kept, since a page asks the same thing again
 * every few seconds. Threads: one handle per thread. */
#include "store/query.h"

#include <sqlite3.h>

#include "store/sqlite.h"

enum { BINDS_MAX = 32, KEPT = 24, TEXT_MIN = 3, TEXT_MAX = 200, LIMIT_MAX = 1000 };

struct kept {
    uint64_t hash;
    spd_sv sql; /* owned */
    sqlite3_stmt *st;
};

struct spd_query {
    struct spd_store *store;
    struct sqlite3 *db;
    struct kept kept[KEPT];
    size_t next; /* the oldest kept statement */
};

/* A question while it is put together. */
struct ask {
    struct spd_str sql;
    struct { spd_sv text; int64_t number; } bind[BINDS_MAX];
    size_t n;
    bool where;
};

enum spd_rc spd_query_open(const char *url, struct spd_query **ret, struct spd_err *err)
{
    struct spd_store *store = NULL;
    struct spd_query *q;
    enum spd_rc rc = spd_store_open(url, SPD_STORE_READ, &store, err);
    if (rc) return rc;
    if (!spd_store_sqlite_db(store)) {
        spd_store_close(store);
        return spd_fail(err, SPD_INVALID, "store.url", "this kind of store cannot be searched");
    }
    q = spd_must_malloc(sizeof *q);
    q->store = store;
    q->db = spd_store_sqlite_db(store);
    *ret = q;
    return SPD_OK;
}

static void forget(struct kept *k)
{
    sqlite3_finalize(k->st);
    spd_free((void *)k->sql.ptr);
    *k = (struct kept){0, SPD_SV_NONE, NULL};
}

void spd_query_close(struct spd_query *q)
{
    if (!q) return;
    for (size_t i = 0; i < KEPT; i++) forget(&q->kept[i]);
    spd_store_close(q->store);
    spd_free(q);
}

struct spd_store *spd_query_store(struct spd_query *q)
{
    return q->store;
}

enum spd_rc spd_query_begin(struct spd_query *q, struct spd_err *err)
{
    return spd_store_begin(q->store, err);
}

void spd_query_end(struct spd_query *q)
{
    spd_store_rollback(q->store);
}

/* ---- putting a question together ------------------------------------------------------------- */
static struct ask ask_ids(const char *table)
{
    struct ask a = {.sql = SPD_STR_INIT(16 * 1024)};
    spd_str_addf(&a.sql, "SELECT id FROM \"%s\"", table);
    return a;
}

/* condition is ours and has one '?' per value. */
static void ask_where(struct ask *a, const char *condition)
{
    spd_str_addf(&a->sql, " %s (%s)", a->where ? "AND" : "WHERE", condition);
    a->where = true;
}

static void bind_number(struct ask *a, int64_t v)
{
    if (a->n < BINDS_MAX) a->bind[a->n].number = v;
    a->n++;
}

static void bind_text(struct ask *a, spd_sv v)
{
    if (a->n < BINDS_MAX) a->bind[a->n].text = spd_sv_of(v.ptr ? v.ptr : "", v.len);
    a->n++;
}

static void ask_equal(struct ask *a, const char *condition, spd_sv v)
{
    if (!v.len) return;
    ask_where(a, condition);
    bind_text(a, v);
}

/* Key texts of ids are decimal, as SQLite's own cast makes them. 0: any item. */
static void ask_by_item(struct ask *a, enum spd_key_kind kind, int64_t item)
{
    if (!item) return;
    ask_where(a, "id IN (SELECT id FROM key WHERE kind = ? AND text = CAST(? AS TEXT))");
    bind_number(a, (int64_t)kind);
    bind_number(a, item);
}

static enum spd_rc statement(struct spd_query *q, spd_sv sql, sqlite3_stmt **ret,
                             struct spd_err *err)
{
    uint64_t hash = spd_sv_hash(sql);
    struct kept *k;
    char *copy;
    for (size_t i = 0; i < KEPT; i++)
        if (q->kept[i].st && q->kept[i].hash == hash && spd_sv_eq(q->kept[i].sql, sql)) {
            *ret = q->kept[i].st;
            return SPD_OK;
        }
    k = &q->kept[q->next++ % KEPT];
    forget(k);
    if (sqlite3_prepare_v3(q->db, sql.ptr, (int)sql.len + 1, SQLITE_PREPARE_PERSISTENT, &k->st,
                           NULL))
        return spd_sqlite_fail(q->db, false, "query", err);
    copy = spd_must_malloc(sql.len + 1);
    memcpy(copy, sql.ptr, sql.len);
    k->sql = spd_sv_of(copy, sql.len);
    k->hash = hash;
    *ret = k->st;
    return SPD_OK;
}

static enum spd_rc run(struct spd_query *q, struct ask *a, size_t limit, int64_t *ret_ids,
                       size_t *ret_n, struct spd_err *err)
{
    sqlite3_stmt *st = NULL;
    size_t n = 0;
    int got = SQLITE_DONE;
    enum spd_rc rc = spd_str_ok(&a->sql) && a->n <= BINDS_MAX
                         ? statement(q, spd_str_sv(&a->sql), &st, err)
                         : spd_fail(err, SPD_LIMIT, "query", "too many filters at once");
    spd_str_done(&a->sql);
    if (rc) return rc;
    for (size_t i = 0; i < a->n; i++) {
        int at = (int)i + 1;
        if (a->bind[i].text.ptr)
            sqlite3_bind_text64(st, at, a->bind[i].text.ptr, a->bind[i].text.len, SQLITE_TRANSIENT,
                                SQLITE_UTF8);
        else
            sqlite3_bind_int64(st, at, a->bind[i].number);
    }
    while (n < limit && (got = sqlite3_step(st)) == SQLITE_ROW)
        ret_ids[n++] = sqlite3_column_int64(st, 0);
    if (got != SQLITE_DONE && got != SQLITE_ROW) rc = spd_sqlite_fail(q->db, false, "query", err);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st); /* keeps no patient's name */
    *ret_n = rc ? 0 : n;
    return rc;
}

static enum spd_rc run_page(struct spd_query *q, struct ask *a, struct spd_query_page page,
                            int64_t *ret_ids, size_t *ret_n, struct spd_err *err)
{
    *ret_n = 0;
    if (page.limit < 1 || page.limit > LIMIT_MAX) {
        spd_str_done(&a->sql);
        return spd_fail(err, SPD_INVALID, "limit", "must be 1 to %d", LIMIT_MAX);
    }
    if (page.after > 0) {
        ask_where(a, page.newest_first ? "id < ?" : "id > ?");
        bind_number(a, page.after);
    }
    spd_str_addf(&a->sql, " ORDER BY id %s LIMIT ?", page.newest_first ? "DESC" : "ASC");
    bind_number(a, (int64_t)page.limit);
    return run(q, a, page.limit, ret_ids, ret_n, err);
}

/* ---- items ----------------------------------------------------------------------------------- */
/* The text that ends just behind every text that begins with this one; empty when there is none. In
 * buf. */
static spd_sv after_prefix(spd_sv text, char *buf)
{
    size_t n = text.len;
    memcpy(buf, text.ptr, n);
    while (n && (unsigned char)buf[n - 1] == 0xff) n--;
    if (n) buf[n - 1]++;
    return spd_sv_of(buf, n);
}

static spd_sv like_pattern(spd_sv text, char *buf)
{
    size_t n = 0;
    buf[n++] = '%';
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '%' || text.ptr[i] == '_' || text.ptr[i] == '\\') buf[n++] = '\\';
        buf[n++] = text.ptr[i];
    }
    buf[n++] = '%';
    return spd_sv_of(buf, n);
}

/* Numbers by the key index, names by the covering index on patient_name: neither reads the item
 * rows. */
static void ask_text(struct ask *a, spd_sv text, char *end_buf, char *like_buf)
{
    static const int kinds[] = {SPD_KEY_ITEM_ACCESSION, SPD_KEY_ITEM_PLACER, SPD_KEY_ITEM_FILLER,
                                SPD_KEY_ITEM_PATIENT};
    spd_sv end = after_prefix(text, end_buf);
    ask_where(a, "id IN (SELECT id FROM key WHERE kind IN (?,?,?,?) AND text >= ? AND text < ?"
                 " UNION SELECT id FROM item WHERE patient_name LIKE ? ESCAPE '\\')");
    for (size_t i = 0; i < 4; i++) bind_number(a, kinds[i]);
    bind_text(a, text);
    bind_text(a, end);
    bind_text(a, like_pattern(text, like_buf));
}

enum spd_rc spd_query_items(struct spd_query *q, const struct spd_query_items *f,
                            struct spd_query_page page, int64_t *ret_ids, size_t *ret_n,
                            struct spd_err *err)
{
    char end[TEXT_MAX], like[TEXT_MAX * 2 + 2];
    struct ask a;
    *ret_n = 0;
    if (f->text.len &&
        (f->text.len < TEXT_MIN || f->text.len > TEXT_MAX || !spd_sv_is_utf8(f->text)))
        return spd_fail(err, SPD_INVALID, "text", "must be %d to %d characters", TEXT_MIN,
                        TEXT_MAX);
    for (size_t i = 0; i < f->n_status; i++)
        if (spd_enum_from(spd_status_names, f->status[i]) <= 0)
            return spd_fail(err, SPD_INVALID, "status", "no such status");
    if (f->n_status > SPD_STATUS_N) return spd_fail(err, SPD_INVALID, "status", "named twice");
    a = ask_ids("item");
    if (f->n_status) {
        struct spd_str in = SPD_STR_INIT(256);
        spd_str_addz(&in, "status IN (?");
        for (size_t i = 1; i < f->n_status; i++) spd_str_addz(&in, ",?");
        spd_str_addc(&in, ')');
        ask_where(&a, in.ptr);
        spd_str_done(&in);
        for (size_t i = 0; i < f->n_status; i++) bind_text(&a, f->status[i]);
    }
    ask_equal(&a, "modality = ?", f->modality);
    ask_equal(&a, "location = ?", f->location);
    if (f->text.len) ask_text(&a, f->text, end, like);
    return run_page(q, &a, page, ret_ids, ret_n, err);
}

/* ---- the others ------------------------------------------------------------------------------ */
/* By the key that the core itself uses: one meaning of "open", and no scan of what is closed. */
static enum spd_rc open_ones(struct spd_query *q, enum spd_key_kind kind,
                             struct spd_query_page page, int64_t *ret_ids, size_t *ret_n,
                             struct spd_err *err)
{
    struct ask a = ask_ids("key");
    ask_where(&a, "kind = ? AND text = '1'");
    bind_number(&a, (int64_t)kind);
    return run_page(q, &a, page, ret_ids, ret_n, err);
}

enum spd_rc spd_query_alerts(struct spd_query *q, spd_sv state, struct spd_query_page page,
                             int64_t *ret_ids, size_t *ret_n, struct spd_err *err)
{
    struct ask a;
    *ret_n = 0;
    if (spd_sv_is(state, "open"))
        return open_ones(q, SPD_KEY_ALERT_OPEN, page, ret_ids, ret_n, err);
    if (state.len && !spd_sv_is(state, "all") && spd_enum_from(spd_alert_state_names, state) <= 0)
        return spd_fail(err, SPD_INVALID, "state", "no such state of an alert");
    a = ask_ids("alert");
    if (!spd_sv_is(state, "all")) ask_equal(&a, "state = ?", state);
    return run_page(q, &a, page, ret_ids, ret_n, err);
}

enum spd_rc spd_query_parked(struct spd_query *q, bool open_only, struct spd_query_page page,
                             int64_t *ret_ids, size_t *ret_n, struct spd_err *err)
{
    struct ask a;
    if (open_only) return open_ones(q, SPD_KEY_PARKED_OPEN, page, ret_ids, ret_n, err);
    a = ask_ids("parked");
    return run_page(q, &a, page, ret_ids, ret_n, err);
}

enum spd_rc spd_query_messages(struct spd_query *q, const struct spd_query_messages *f,
                               struct spd_query_page page, int64_t *ret_ids, size_t *ret_n,
                               struct spd_err *err)
{
    struct ask a = ask_ids("message");
    ask_by_item(&a, SPD_KEY_MESSAGE_ITEM, f->item); /* also where it is one of several items */
    ask_equal(&a, "peer = ?", f->peer);
    if (f->type.len) {
        ask_where(&a, "type = ? OR substr(type, 1, length(?) + 1) = ? || '^'");
        for (int i = 0; i < 3; i++) bind_text(&a, f->type);
    }
    ask_equal(&a, "answer = ?", f->answer);
    ask_equal(&a, "direction = ?",
              spd_sv_from(spd_enum_name(spd_direction_names, (int)f->direction)));
    return run_page(q, &a, page, ret_ids, ret_n, err);
}

enum spd_rc spd_query_outbox(struct spd_query *q, spd_sv state, spd_sv destination,
                             struct spd_query_page page, int64_t *ret_ids, size_t *ret_n,
                             struct spd_err *err)
{
    struct ask a = ask_ids("outbox");
    ask_equal(&a, "state = ?", state);
    ask_equal(&a, "destination = ?", destination);
    return run_page(q, &a, page, ret_ids, ret_n, err);
}

static enum spd_rc by_item(struct spd_query *q, const char *table, enum spd_key_kind kind,
                           int64_t item, struct spd_query_page page, int64_t *ret_ids,
                           size_t *ret_n, struct spd_err *err)
{
    struct ask a = ask_ids(table);
    ask_by_item(&a, kind, item);
    return run_page(q, &a, page, ret_ids, ret_n, err);
}

enum spd_rc spd_query_decisions(struct spd_query *q, int64_t item, struct spd_query_page page,
                                int64_t *ret_ids, size_t *ret_n, struct spd_err *err)
{
    return by_item(q, "decision", SPD_KEY_DECISION_ITEM, item, page, ret_ids, ret_n, err);
}

enum spd_rc spd_query_audit(struct spd_query *q, int64_t item, struct spd_query_page page,
                            int64_t *ret_ids, size_t *ret_n, struct spd_err *err)
{
    return by_item(q, "audit", SPD_KEY_AUDIT_ITEM, item, page, ret_ids, ret_n, err);
}

enum spd_rc spd_query_discrepancies(struct spd_query *q, bool open_only, struct spd_query_page page,
                                    int64_t *ret_ids, size_t *ret_n, struct spd_err *err)
{
    struct ask a = ask_ids("discrepancy");
    if (open_only) ask_where(&a, "closed = 0");
    return run_page(q, &a, page, ret_ids, ret_n, err);
}

/* ---- counts ---------------------------------------------------------------------------------- */
static enum spd_rc count_by(struct spd_query *q, spd_sv sql, const char *const *names, int64_t *ret,
                            struct spd_err *err)
{
    sqlite3_stmt *st;
    int got;
    enum spd_rc rc = statement(q, sql, &st, err);
    if (rc) return rc;
    while ((got = sqlite3_step(st)) == SQLITE_ROW) {
        int i = spd_enum_from(names, spd_sv_of((const char *)sqlite3_column_text(st, 0),
                                               (size_t)sqlite3_column_bytes(st, 0)));
        if (i >= 0) ret[i] = sqlite3_column_int64(st, 1);
    }
    if (got != SQLITE_DONE) rc = spd_sqlite_fail(q->db, false, "counts", err);
    sqlite3_reset(st);
    return rc;
}

static enum spd_rc count_key(struct spd_query *q, enum spd_key_kind kind, int64_t *ret,
                             struct spd_err *err)
{
    sqlite3_stmt *st;
    enum spd_rc rc =
        statement(q, SPD_SV("SELECT count(*) FROM key WHERE kind = ? AND text = '1'"), &st, err);
    if (rc) return rc;
    sqlite3_bind_int(st, 1, (int)kind);
    if (sqlite3_step(st) == SQLITE_ROW) *ret = sqlite3_column_int64(st, 0);
    else rc = spd_sqlite_fail(q->db, false, "counts", err);
    sqlite3_reset(st);
    return rc;
}

enum spd_rc spd_query_counts(struct spd_query *q, struct spd_query_counts *ret, struct spd_err *err)
{
    enum spd_rc rc;
    *ret = (struct spd_query_counts){0};
    if ((rc = count_by(q, SPD_SV("SELECT status, count(*) FROM item GROUP BY status"),
                       spd_status_names, ret->items, err)) ||
        (rc = count_by(q, SPD_SV("SELECT state, count(*) FROM outbox GROUP BY state"),
                       spd_outbox_state_names, ret->outbox, err)) ||
        (rc = count_key(q, SPD_KEY_ALERT_OPEN, &ret->alerts_open, err)) ||
        (rc = count_key(q, SPD_KEY_PARKED_OPEN, &ret->parked_open, err)) ||
        (rc = count_key(q, SPD_KEY_ALARM_ANY_OPEN, &ret->alarms_open, err)) ||
        (rc = spd_sqlite_number(q->db, "SELECT count(*) FROM discrepancy WHERE closed = 0",
                                &ret->discrepancies_open, err)))
        return rc;
    return spd_store_max_id(q->store, SPD_T_JOURNAL, &ret->revision, err);
}

enum spd_rc spd_query_destination(struct spd_query *q, spd_sv name,
                                  struct spd_query_destination *ret, struct spd_err *err)
{
    sqlite3_stmt *st;
    int got;
    enum spd_rc rc = statement(q,
                               SPD_SV("SELECT sum(state = 'queued'), sum(state = 'sending'), sum(state = "
                                      "'dead'), min(CASE state WHEN 'queued' THEN at END) FROM outbox "
                                      "WHERE destination = ? AND state IN('queued','sending','dead')"),
                               &st, err);
    *ret = (struct spd_query_destination){0};
    if (rc) return rc;
    sqlite3_bind_text(st, 1, name.ptr, (int)name.len, SQLITE_STATIC);
    if ((got = sqlite3_step(st)) == SQLITE_ROW)
        *ret = (struct spd_query_destination){sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1),
                                              sqlite3_column_int64(st, 2), sqlite3_column_int64(st, 3)};
    else
        rc = spd_sqlite_fail(q->db, false, "destination", err);
    sqlite3_reset(st);
    return rc;
}
