/* src/store/flat.c: see flat.h. Lists come first in the block, since they want alignment; texts
 * after. */
#include "store/flat.h"

#include <pthread.h>

struct op { /* a member that owns bytes, nested structs taken apart */
    size_t offset;
    size_t elem; /* list: size of an element; 0 = a text */
    const struct spd_flat *sub; /* list of structs that own bytes themselves */
    bool texts;  /* list of texts */
};

struct spd_flat {
    const struct spd_desc *desc;
    size_t n;
    struct op *ops;
    struct spd_flat *next;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct spd_flat *by_table[SPD_T_N];
static struct spd_flat *all; /* one per type, for the process's life; written under once only */

static const struct spd_flat *flat_for(const struct spd_desc *d);

static size_t count_ops(const struct spd_desc *d)
{
    size_t n = 0;
    for (const struct spd_member *m = d->members(); m->name; m++) {
        if (m->kind == SPD_K_STRUCT) n += count_ops(m->sub);
        else if (m->kind != SPD_K_I64 && m->kind != SPD_K_ENUM) n++;
    }
    return n;
}

static void add_ops(struct spd_flat *f, const struct spd_desc *d, size_t base)
{
    for (const struct spd_member *m = d->members(); m->name; m++) {
        struct op op = {base + m->offset, 0, NULL, false};
        switch (m->kind) {
        case SPD_K_I64:
        case SPD_K_ENUM: continue;
        case SPD_K_STRUCT: add_ops(f, m->sub, base + m->offset); continue;
        case SPD_K_TEXT:
        case SPD_K_BLOB: break;
        case SPD_K_LIST:
            op.elem = m->sub->size;
            op.sub = flat_for(m->sub);
            if (!op.sub->n) op.sub = NULL;
            break;
        case SPD_K_LIST_TEXT: op.elem = sizeof(spd_sv), op.texts = true; break;
        case SPD_K_LIST_I64: op.elem = sizeof(int64_t); break;
        }
        f->ops[f->n++] = op;
    }
}

static const struct spd_flat *flat_for(const struct spd_desc *d)
{
    size_t n = count_ops(d);
    struct spd_flat *f;
    for (f = all; f; f = f->next)
        if (f->desc == d) return f;
    f = spd_must_malloc(sizeof *f + n * sizeof *f->ops);
    f->desc = d;
    f->ops = (struct op *)(f + 1);
    add_ops(f, d, 0);
    f->next = all;
    all = f;
    return f;
}

static void build(void)
{
    for (int t = 0; t < SPD_T_N; t++) by_table[t] = flat_for(spd_table_desc((enum spd_table)t));
}

const struct spd_flat *spd_flat_of(enum spd_table table)
{
    pthread_once(&once, build);
    return by_table[table];
}

static void measure(const struct spd_flat *f, const char *v, struct spd_flat_size *size)
{
    for (const struct op *op = f->ops, *end = op + f->n; op < end; op++) {
        const struct spd_seq *l = (const void *)(v + op->offset);
        if (!op->elem) {
            const spd_sv *t = (const void *)l;
            size->texts += t->len + (t->len > 0);
            continue;
        }
        size->lists += l->n * op->elem;
        for (size_t i = 0; op->texts && i < l->n; i++)
            size->texts += ((const spd_sv *)l->v)[i].len + 1;
        for (size_t i = 0; op->sub && i < l->n; i++)
            measure(op->sub, (const char *)l->v + i * op->elem, size);
    }
}

struct spd_flat_size spd_flat_measure(const struct spd_flat *f, const void *object)
{
    struct spd_flat_size size = {0, 0};
    measure(f, object, &size);
    return size;
}

struct cursor {
    char *list, *text;
};

static spd_sv copy_text(struct cursor *c, spd_sv v)
{
    char *p = c->text;
    if (v.len) memcpy(p, v.ptr, v.len);
    p[v.len] = 0;
    c->text += v.len + 1;
    return spd_sv_of(p, v.len);
}

/* v is already a byte copy of the source struct: its pointers still point at the source's bytes. */
static void take_over(const struct spd_flat *f, char *v, struct cursor *c)
{
    for (const struct op *op = f->ops, *end = op + f->n; op < end; op++) {
        struct spd_seq *l = (void *)(v + op->offset);
        if (!op->elem) {
            spd_sv *t = (void *)l;
            *t = t->len ? copy_text(c, *t) : SPD_SV_NONE;
            continue;
        }
        if (!l->n) {
            l->v = NULL;
            continue;
        }
        char *to = c->list;
        c->list += l->n * op->elem;
        memcpy(to, l->v, l->n * op->elem);
        l->v = to;
        for (size_t i = 0; op->texts && i < l->n; i++)
            ((spd_sv *)l->v)[i] = copy_text(c, ((spd_sv *)l->v)[i]);
        for (size_t i = 0; op->sub && i < l->n; i++) take_over(op->sub, to + i * op->elem, c);
    }
}

void spd_flat_copy(const struct spd_flat *f, void *dst, const void *object, void *behind,
                   struct spd_flat_size size)
{
    struct cursor c = {behind, (char *)behind + size.lists};
    memcpy(dst, object, f->desc->size);
    take_over(f, dst, &c);
}
