/* src/list/treap.c: see treap.h. */
#include "list/treap.h"

#include "base/str.h"

struct spd_treap {
    struct spd_treap *left, *right;
    void *value;
    uint32_t refs, count;
};

typedef const struct spd_treap_kind *kind_t;

size_t spd_treap_count(const struct spd_treap *n)
{
    return n ? n->count : 0;
}

struct spd_treap *spd_treap_ref(struct spd_treap *n)
{
    if (n) n->refs++;
    return n;
}

void spd_treap_unref(kind_t k, struct spd_treap *n)
{
    if (!n || --n->refs) return;
    spd_treap_unref(k, n->left);
    spd_treap_unref(k, n->right);
    k->unref(n->value);
    spd_free(n);
}

static struct spd_treap *node_new(kind_t k, void *value)
{
    struct spd_treap *n = spd_must_malloc(sizeof *n);
    k->ref(value);
    n->value = value, n->refs = n->count = 1;
    return n;
}

/* Takes one reference, gives back a node that nobody else sees. */
static struct spd_treap *own(kind_t k, struct spd_treap *n)
{
    struct spd_treap *c;
    if (n->refs == 1) return n;
    c = node_new(k, n->value);
    c->left = spd_treap_ref(n->left), c->right = spd_treap_ref(n->right), c->count = n->count;
    n->refs--;
    return c;
}

static struct spd_treap *recount(struct spd_treap *n)
{
    n->count = (uint32_t)(1 + spd_treap_count(n->left) + spd_treap_count(n->right));
    return n;
}

static struct spd_treap *merge(kind_t k, struct spd_treap *a, struct spd_treap *b)
{
    if (!a || !b) return a ? a : b;
    if (k->priority(a->value) >= k->priority(b->value)) {
        a = own(k, a);
        a->right = merge(k, a->right, b);
        return recount(a);
    }
    b = own(k, b);
    b->left = merge(k, a, b->left);
    return recount(b);
}

static void split(kind_t k, struct spd_treap *n, const void *at, struct spd_treap **l,
                  struct spd_treap **r)
{
    struct spd_treap *rest;
    if (!n) {
        *l = *r = NULL;
        return;
    }
    n = own(k, n);
    if (k->cmp(n->value, at) < 0) {
        split(k, n->right, at, &rest, r);
        n->right = rest;
        *l = recount(n);
    } else {
        split(k, n->left, at, l, &rest);
        n->left = rest;
        *r = recount(n);
    }
}

struct spd_treap *spd_treap_put(kind_t k, struct spd_treap *n, void *value)
{
    int c;
    if (!n) return node_new(k, value);
    c = k->cmp(value, n->value);
    if (c == 0) {
        n = own(k, n);
        k->ref(value);
        k->unref(n->value);
        n->value = value;
        return n;
    }
    if (k->priority(value) > k->priority(n->value)) {
        struct spd_treap *top = node_new(k, value);
        split(k, n, value, &top->left, &top->right);
        return recount(top);
    }
    n = own(k, n);
    if (c < 0)
        n->left = spd_treap_put(k, n->left, value);
    else
        n->right = spd_treap_put(k, n->right, value);
    return recount(n);
}

struct spd_treap *spd_treap_take(kind_t k, struct spd_treap *n, const void *value)
{
    int c;
    if (!n) return NULL;
    c = k->cmp(value, n->value);
    n = own(k, n);
    if (c == 0) {
        struct spd_treap *rest = merge(k, n->left, n->right);
        n->left = n->right = NULL;
        spd_treap_unref(k, n);
        return rest;
    }
    if (c < 0)
        n->left = spd_treap_take(k, n->left, value);
    else
        n->right = spd_treap_take(k, n->right, value);
    return recount(n);
}

void *spd_treap_at(const struct spd_treap *n, size_t before)
{
    while (n) {
        size_t left = spd_treap_count(n->left);
        if (before == left) return n->value;
        if (before < left)
            n = n->left;
        else
            before -= left + 1, n = n->right;
    }
    return NULL;
}

void *spd_treap_seek(const struct spd_treap *n, int (*cmp)(const void *value, const void *key),
                     const void *key)
{
    void *best = NULL;
    while (n) {
        int c = cmp(n->value, key);
        if (c == 0) return n->value;
        if (c > 0)
            best = n->value, n = n->left;
        else
            n = n->right;
    }
    return best;
}

size_t spd_treap_before(kind_t k, const struct spd_treap *n, const void *value, int *ret_there)
{
    size_t before = 0;
    *ret_there = 0;
    while (n) {
        int c = k->cmp(value, n->value);
        if (c < 0) {
            n = n->left;
            continue;
        }
        before += spd_treap_count(n->left);
        if (c == 0) {
            *ret_there = 1;
            return before;
        }
        before++, n = n->right;
    }
    return before;
}
