/* src/store/columns.c: see columns.h. */
#include "store/columns.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct spd_columns tables[SPD_T_N]; /* for the process's life; written under once only */

static void add(struct spd_column *v, size_t *n, const char *prefix, const struct spd_member *m,
                size_t base)
{
    struct spd_column *c = &v[(*n)++];
    int len = snprintf(c->name, sizeof c->name, "%s%s", prefix, m ? m->name : "status");
    if (*n > SPD_COLUMNS_MAX || len < 0 || (size_t)len >= sizeof c->name) {
        fputs("spoed: a table has too many columns, or too long a name\n", stderr);
        abort(); /* the model itself is wrong: no test gets past this */
    }
    c->member = m;
    c->base = base;
}

static void flatten(struct spd_column *v, size_t *n, const char *prefix, const struct spd_desc *d,
                    size_t base)
{
    for (const struct spd_member *m = d->members(); m->name; m++) {
        char deeper[64];
        if (m->kind != SPD_K_STRUCT) {
            add(v, n, prefix, m, base);
            continue;
        }
        snprintf(deeper, sizeof deeper, "%s%s_", prefix, m->name);
        flatten(v, n, deeper, m->sub, base + m->offset);
    }
}

static void build(void)
{
    for (int t = 0; t < SPD_T_N; t++) {
        struct spd_column *v = spd_must_malloc((SPD_COLUMNS_MAX + 1) * sizeof *v);
        size_t n = 0;
        flatten(v, &n, "", spd_table_desc((enum spd_table)t), 0);
        if (t == SPD_T_ITEM) add(v, &n, "", NULL, 0);
        tables[t] = (struct spd_columns){n, v};
    }
}

struct spd_columns spd_columns_of(enum spd_table table)
{
    pthread_once(&once, build);
    return tables[table];
}

bool spd_column_is_list(const struct spd_column *c)
{
    return c->member && (c->member->kind == SPD_K_LIST || c->member->kind == SPD_K_LIST_TEXT ||
                         c->member->kind == SPD_K_LIST_I64);
}

const char *spd_column_type(const struct spd_column *c)
{
    if (!c->member) return "TEXT";
    return c->member->kind == SPD_K_I64    ? "INTEGER"
           : c->member->kind == SPD_K_BLOB ? "BLOB"
                                           : "TEXT";
}

const char *spd_column_default(const struct spd_column *c)
{
    if (spd_column_is_list(c)) return "'[]'";
    if (!c->member) return "''";
    return c->member->kind == SPD_K_I64 ? "0" : c->member->kind == SPD_K_BLOB ? "x''" : "''";
}

static bool list_equal(const struct spd_member *m, const struct spd_seq *a,
                       const struct spd_seq *b)
{
    if (a->n != b->n) return false;
    if (a->v == b->v || !a->n) return true;
    if (m->kind == SPD_K_LIST_I64) return !memcmp(a->v, b->v, a->n * sizeof(int64_t));
    for (size_t i = 0; i < a->n; i++)
        if (m->kind == SPD_K_LIST
                ? !spd_desc_equal(m->sub, (const char *)a->v + i * m->sub->size,
                                  (const char *)b->v + i * m->sub->size)
                : !spd_sv_eq(((const spd_sv *)a->v)[i], ((const spd_sv *)b->v)[i]))
            return false;
    return true;
}

bool spd_column_equal(const struct spd_column *c, const void *a, const void *b)
{
    const void *x, *y;
    if (!c->member) return spd_item_status(a) == spd_item_status(b);
    x = (const char *)a + c->base + c->member->offset;
    y = (const char *)b + c->base + c->member->offset;
    switch (c->member->kind) {
    case SPD_K_I64: return *(const int64_t *)x == *(const int64_t *)y;
    case SPD_K_ENUM: return *(const int32_t *)x == *(const int32_t *)y;
    case SPD_K_TEXT:
    case SPD_K_BLOB: {
        const spd_sv *s = x, *t = y;
        return (s->ptr == t->ptr && s->len == t->len) || spd_sv_eq(*s, *t);
    }
    case SPD_K_STRUCT: break; /* taken apart above */
    case SPD_K_LIST:
    case SPD_K_LIST_TEXT:
    case SPD_K_LIST_I64: return list_equal(c->member, x, y);
    }
    return false;
}
