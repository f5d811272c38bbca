/* src/store/schema.c: the numbered schema files, as texts in the program (see schema.cmake). */
#include "store/sqlite.h"

static const char *const sql[] = {
#include "spd_schema.inc"
};

const struct spd_schema spd_schema_sqlite = {sql, sizeof sql / sizeof *sql};
