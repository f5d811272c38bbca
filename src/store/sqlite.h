/* src/store/sqlite.h: what only the SQLite back end has: schema numbers, migration, backup, the
 * connection. For the command line (db migrate|status|backup), query.c, tests and benchmarks; the
 * core knows store.h. Threads: a connection belongs to one thread. */
#ifndef SPD_STORE_SQLITE_H
#define SPD_STORE_SQLITE_H

#include "store/store.h"

struct sqlite3;

/* The schema, one text per number: sql[0] is 0001.sql. */
struct spd_schema {
    const char *const *sql;
    size_t n;
};
extern const struct spd_schema spd_schema_sqlite;

enum spd_sqlite_use { SPD_SQLITE_READER, SPD_SQLITE_WRITER };
/* Opens with the pragmas of the house. flags_create: make the file when it is not there. NOTFOUND,
 * INVALID (no Spoed database), IO. Owned by the caller: sqlite3_close_v2. */
enum spd_rc spd_sqlite_connect(const char *path, enum spd_sqlite_use use, bool create,
                               struct sqlite3 **ret, struct spd_err *err);
/* 0 is an empty file. */
enum spd_rc spd_sqlite_version(struct sqlite3 *db, size_t *ret, struct spd_err *err);
/* Brings an older database to the last number, all in one transaction, after a copy of it to
 * "<path>.before-<next>". STALE when the database is newer than the schema. */
enum spd_rc spd_sqlite_migrate(struct sqlite3 *db, const char *path,
                               const struct spd_schema *schema, struct spd_err *err);
/* Copies a live database, consistently, without stopping the writer. progress may be NULL. The file
 * is written beside its name first; EXISTS when `to` is there. */
typedef void (*spd_sqlite_progress)(void *ctx, int done, int all);
enum spd_rc spd_sqlite_backup(struct sqlite3 *db, const char *to, spd_sqlite_progress progress,
                              void *ctx, struct spd_err *err);
/* One number from a query, for status. */
enum spd_rc spd_sqlite_number(struct sqlite3 *db, const char *sql, int64_t *ret,
                              struct spd_err *err);
/* What SQLite said, as our vocabulary. Exits the process (75) when a writer's file can no longer be
 * trusted: fsync failed, or corruption (reliability §4.9). */
enum spd_rc spd_sqlite_fail(struct sqlite3 *db, bool writer, const char *place,
                            struct spd_err *err);

/* The connection behind a store; NULL when it is not SQLite's. Borrowed. */
struct sqlite3 *spd_store_sqlite_db(struct spd_store *store);
/* The back end's own object when the store is of that back end, else NULL. */
void *spd_store_self(struct spd_store *store, const struct spd_store_ops *ops);

#endif
