/* src/cli/table.c: see table.h. */
#define _GNU_SOURCE
#include "cli/table.h"

#include <stdio.h>

#include "base/str.h"

void spd_table_add(struct spd_table *t, const char *text)
{
    size_t n = strlen(text);
    char *copy = spd_must_malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        copy[i] = (unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i];
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->cells = spd_must_realloc(t->cells, t->cap * sizeof *t->cells);
    }
    t->cells[t->n++] = copy;
}

/* Characters, not bytes: continuation bytes of UTF-8 take no room. */
static size_t width(const char *z)
{
    size_t n = 0;
    for (; *z; z++)
        n += ((unsigned char)*z & 0xc0) != 0x80;
    return n;
}

void spd_table_print(struct spd_table *t)
{
    size_t widest[SPD_TABLE_COLUMNS] = {0};
    for (size_t i = 0; i < t->n; i++) {
        size_t w = width(t->cells[i]), c = i % t->columns;
        if (w > widest[c]) widest[c] = w;
    }
    for (size_t i = 0; i < t->n; i++) {
        size_t c = i % t->columns;
        fputs(t->cells[i], stdout);
        if (c + 1 == t->columns)
            fputc('\n', stdout);
        else
            printf("%*s", (int)(widest[c] - width(t->cells[i]) + 2), "");
        spd_free(t->cells[i]);
    }
    spd_free(t->cells);
    *t = (struct spd_table){.columns = t->columns};
}
