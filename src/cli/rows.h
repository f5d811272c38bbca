/* src/cli/rows.h: a table of three columns on the terminal, for commands that also see the store (whose
 * tables have the same name as table.h's). One thread. */
#ifndef SPD_CLI_ROWS_H
#define SPD_CLI_ROWS_H

#include <stddef.h>

struct spd_row {
    const char *cells[3];
};
/* The first row is the heading. Nothing when there is no other. */
void spd_rows_print(const struct spd_row *rows, size_t n);

#endif
