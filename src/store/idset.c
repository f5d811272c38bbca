/* src/store/idset.c: see idset.h. Ids are positive and fit a pointer, so the tree allocates no
 * keys. */
#include "store/idset.h"

_Static_assert(sizeof(gpointer) == sizeof(int64_t), "an id is kept in a pointer");

enum { FEW = 64 };

static gint compare(gconstpointer a, gconstpointer b, gpointer unused)
{
    intptr_t x = (intptr_t)a, y = (intptr_t)b;
    (void)unused;
    return x < y ? -1 : x > y;
}

static gpointer key(int64_t id)
{
    return (gpointer)(intptr_t)id;
}

static bool is_tree(const struct spd_idset *s)
{
    return s->cap == SIZE_MAX;
}

static int64_t *ids(struct spd_idset *s)
{
    return s->cap ? s->u.v : s->u.one;
}

void spd_idset_done(struct spd_idset *s)
{
    if (is_tree(s)) g_tree_destroy(s->u.tree);
    else if (s->cap) spd_free(s->u.v);
    *s = (struct spd_idset){0, 0, {{0, 0}}};
}

/* The place of the first id that is not below. */
static size_t place(const int64_t *v, size_t n, int64_t id)
{
    size_t lo = 0, hi = n;
    if (n && v[n - 1] < id) return n; /* ids mostly come in order */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (v[mid] < id) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

static void grow(struct spd_idset *s)
{
    if (s->n >= FEW) {
        GTree *tree = g_tree_new_full(compare, NULL, NULL, NULL);
        for (size_t i = 0; i < s->n; i++) g_tree_insert(tree, key(s->u.v[i]), NULL);
        spd_free(s->u.v);
        s->u.tree = tree;
        s->cap = SIZE_MAX;
        return;
    }
    size_t cap = s->n * 4;
    int64_t *v = spd_must_malloc(cap * sizeof *v);
    memcpy(v, ids(s), s->n * sizeof *v);
    if (s->cap) spd_free(s->u.v);
    s->u.v = v;
    s->cap = cap;
}

void spd_idset_add(struct spd_idset *s, int64_t id)
{
    if (!is_tree(s) && s->n == (s->cap ? s->cap : 2)) grow(s);
    if (is_tree(s)) {
        g_tree_insert(s->u.tree, key(id), NULL);
        s->n = (size_t)g_tree_nnodes(s->u.tree);
        return;
    }
    int64_t *v = ids(s);
    size_t at = place(v, s->n, id);
    if (at < s->n && v[at] == id) return;
    memmove(v + at + 1, v + at, (s->n - at) * sizeof *v);
    v[at] = id;
    s->n++;
}

void spd_idset_remove(struct spd_idset *s, int64_t id)
{
    if (is_tree(s)) {
        g_tree_remove(s->u.tree, key(id));
        s->n = (size_t)g_tree_nnodes(s->u.tree);
        return;
    }
    int64_t *v = ids(s);
    size_t at = place(v, s->n, id);
    if (at == s->n || v[at] != id) return;
    s->n--;
    memmove(v + at, v + at + 1, (s->n - at) * sizeof *v);
}

size_t spd_idset_list(const struct spd_idset *s, int64_t after, int64_t *ret, size_t max)
{
    size_t n = 0;
    if (is_tree(s)) {
        for (GTreeNode *node = g_tree_upper_bound(s->u.tree, key(after)); node && n < max;
             node = g_tree_node_next(node))
            ret[n++] = (int64_t)(intptr_t)g_tree_node_key(node);
        return n;
    }
    const int64_t *v = s->cap ? s->u.v : s->u.one;
    for (size_t i = after == INT64_MAX ? s->n : place(v, s->n, after + 1); i < s->n && n < max; i++)
        ret[n++] = v[i];
    return n;
}
