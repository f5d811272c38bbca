/* src/store/sqlite_row.h: the rows and statements of the SQLite back end: what store_sqlite.c says,
 * this does. Statements are prepared once and kept; nothing else is. Not for anybody but
 * store_sqlite.c. Threads: one owner. */
#ifndef SPD_STORE_SQLITE_ROW_H
#define SPD_STORE_SQLITE_ROW_H

#include "store/columns.h"
#include "store/sqlite.h"

struct sqlite3_stmt;
struct _GHashTable;

enum spd_lite_verb { V_INSERT, V_GET, V_DELETE, V_SCAN_UP, V_SCAN_DOWN, V_MAX, V_DUE, V_N };
enum spd_lite_fixed {
    F_BEGIN,
    F_COMMIT,
    F_ROLLBACK,
    F_SAVEPOINT,
    F_RELEASE,
    F_ROLLBACK_TO,
    F_KEY_ADD,
    F_KEY_DEL,
    F_FIND,
    F_FINDING_ADD,
    F_FINDING_DEL,
    F_N
};

struct spd_lite {
    struct sqlite3 *db;
    bool writer, in_transaction, in_savepoint, spoilt;
    int lock;
    struct spd_columns columns[SPD_T_N];
    struct sqlite3_stmt *verbs[SPD_T_N][V_N], *fixed[F_N];
    struct _GHashTable *updates; /* of struct update */
    struct spd_str json; /* the lists of the row being written */
    struct spd_arena *scratch;
};

void spd_lite_rows_init(struct spd_lite *s);
void spd_lite_rows_done(struct spd_lite *s); /* finalizes every statement */
/* As spd_sqlite_fail; remembers that the transaction is spoilt. */
enum spd_rc spd_lite_fail(struct spd_lite *s, const char *place, struct spd_err *err);
enum spd_rc spd_lite_verb(struct spd_lite *s, enum spd_table t, enum spd_lite_verb verb,
                          struct sqlite3_stmt **ret, struct spd_err *err);
enum spd_rc spd_lite_fixed(struct spd_lite *s, enum spd_lite_fixed which, struct sqlite3_stmt **ret,
                           struct spd_err *err);
/* Runs a statement that returns no rows. */
enum spd_rc spd_lite_step(struct spd_lite *s, struct sqlite3_stmt *st, const char *place,
                          struct spd_err *err);
void spd_lite_bind_text(struct sqlite3_stmt *st, int at, spd_sv v); /* v must live until the step */
/* The row as it is in the statement now. */
enum spd_rc spd_lite_read(const struct spd_lite *s, struct sqlite3_stmt *st, enum spd_table t,
                          void *ret, struct spd_arena *arena, struct spd_err *err);
enum spd_rc spd_lite_insert(struct spd_lite *s, enum spd_table t, const void *object,
                            struct spd_err *err);
/* Writes the columns that differ. NOTFOUND. */
enum spd_rc spd_lite_update(struct spd_lite *s, enum spd_table t, const void *object,
                            const void *old, struct spd_err *err);

#endif
