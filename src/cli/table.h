/* src/cli/table.h: a plain table on the terminal: columns as wide as their widest text, the last
 * one as it comes. Texts are copied; control characters become '?'. One per command. */
#ifndef SPD_CLI_TABLE_H
#define SPD_CLI_TABLE_H

#include <stddef.h>

enum { SPD_TABLE_COLUMNS = 12 };

struct spd_table { /* start from {0} with columns set */
    size_t columns;
    char **cells; /* rows of columns */
    size_t n, cap;
};

void spd_table_add(struct spd_table *t, const char *text); /* cell after cell, row after row */
void spd_table_print(struct spd_table *t);                 /* the first row is the heading; frees */

#endif
