/* src/store/columns.h: the SQL columns of a described object.
 *
 * A nested struct is taken apart, its members' names joined with '_' (accession_value,
 * patient_name). I64 is INTEGER, an enum is the TEXT of its name, text is TEXT, a blob BLOB, a list
 * the TEXT of its JSON. One column more than the description has: item.status, which is derived and
 * kept for searching. The order is that of the description. Threads: built once, immutable after.
 */
#ifndef SPD_STORE_COLUMNS_H
#define SPD_STORE_COLUMNS_H

#include "store/store.h"

enum { SPD_COLUMNS_MAX = 128 };

struct spd_column {
    char name[64];
    const struct spd_member *member; /* NULL: item.status */
    size_t base;                     /* offset of the struct that has the member */
};
struct spd_columns {
    size_t n;
    const struct spd_column *v;
};
struct spd_columns spd_columns_of(enum spd_table table);
const char *spd_column_type(const struct spd_column *c);    /* "INTEGER", "TEXT", "BLOB" */
const char *spd_column_default(const struct spd_column *c); /* "0", "''", "x''", "'[]'" */
bool spd_column_is_list(const struct spd_column *c);
bool spd_column_equal(const struct spd_column *c, const void *a, const void *b);

#endif
