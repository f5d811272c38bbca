/* src/list/index.c: see index.h. */
#include "list/index.h"

#include "base/hash.h"

struct entry { /* of the tree; in the order (kind, text, item) */
    uint32_t refs;
    enum spd_list_key kind;
    int64_t item;
    size_t len;
    char text[];
};

static int order(enum spd_list_key ak, spd_sv at, int64_t ai, enum spd_list_key bk, spd_sv bt,
                 int64_t bi)
{
    int c = (ak > bk) - (ak < bk);
    if (!c) c = spd_sv_cmp(at, bt);
    return c ? c : (ai > bi) - (ai < bi);
}

static spd_sv text_of(const struct entry *e)
{
    return spd_sv_of(e->text, e->len);
}

static int cmp(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return order(x->kind, text_of(x), x->item, y->kind, text_of(y), y->item);
}

static uint64_t priority(const void *value)
{
    const struct entry *e = value;
    uint64_t x = spd_sv_hash(text_of(e)) ^ ((uint64_t)e->item * 0x9e3779b97f4a7c15u + e->kind);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void ref(void *value)
{
    struct entry *e = value;
    e->refs++;
}

static void unref(void *value)
{
    struct entry *e = value;
    if (--e->refs == 0) spd_free(e);
}

static const struct spd_treap_kind kind_of_entries = {cmp, priority, ref, unref};

static char plain(char c)
{
    return c == '\\' ? '/' : (unsigned char)c < 0x20 ? ' ' : c;
}

static struct entry *entry_new(enum spd_list_key kind, spd_sv text, int64_t item)
{
    struct entry *e = spd_must_malloc(sizeof *e + text.len);
    e->refs = 1, e->kind = kind, e->item = item, e->len = text.len;
    for (size_t i = 0; i < text.len; i++)
        e->text[i] = plain(text.ptr[i]);
    return e;
}

struct spd_treap *spd_index_put(struct spd_treap *root, enum spd_list_key kind, spd_sv text,
                                int64_t item)
{
    struct entry *e = entry_new(kind, text, item);
    root = spd_treap_put(&kind_of_entries, root, e);
    unref(e);
    return root;
}

struct spd_treap *spd_index_take(struct spd_treap *root, enum spd_list_key kind, spd_sv text,
                                 int64_t item)
{
    struct entry *e = entry_new(kind, text, item);
    root = spd_treap_take(&kind_of_entries, root, e);
    unref(e);
    return root;
}

void spd_index_unref(struct spd_treap *root)
{
    spd_treap_unref(&kind_of_entries, root);
}

struct place {
    enum spd_list_key kind;
    spd_sv text;
    int64_t item;
};

static int to_place(const void *value, const void *key)
{
    const struct entry *e = value;
    const struct place *p = key;
    return order(e->kind, text_of(e), e->item, p->kind, p->text, p->item);
}

size_t spd_index_find(const struct spd_treap *root, enum spd_list_key kind, spd_sv text,
                      bool prefix, int64_t *ret_items, size_t max)
{
    struct place at = {kind, text, INT64_MIN};
    size_t n = 0;
    for (;;) {
        const struct entry *e = spd_treap_seek(root, to_place, &at);
        if (!e || e->kind != kind) return n;
        if (prefix ? !spd_sv_starts(text_of(e), text) : !spd_sv_eq(text_of(e), text)) return n;
        if (n == max) return n + 1;
        ret_items[n++] = e->item;
        at = (struct place){kind, text_of(e), e->item + 1};
    }
}
