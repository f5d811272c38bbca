/* src/cli/rows.c: see rows.h. */
#include "cli/rows.h"

#include "cli/table.h"

void spd_rows_print(const struct spd_row *rows, size_t n)
{
    struct spd_table t = {.columns = 3};
    if (n < 2) return;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++)
            spd_table_add(&t, rows[i].cells[k]);
    spd_table_print(&t);
}
