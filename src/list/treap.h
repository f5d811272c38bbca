/* src/list/treap.h: a persistent ordered tree with counts: the one tree behind every order of the
 * list.
 *
 * A tree is a root pointer, NULL = empty. Changing takes the writer's reference to the root and
 * gives one back: nodes that a published root can still see are copied on the way, a node with one
 * reference is the writer's own and changed in place. The priority of a node is worked out from its
 * value, so the same values give the same shape whatever the history.
 *
 * Threads: references are plain counts, changed by the writer thread alone; reading a root that
 * somebody holds needs no lock. Memory: aborts when there is none (brain only). */
#ifndef SPD_LIST_TREAP_H
#define SPD_LIST_TREAP_H

#include <stddef.h>
#include <stdint.h>

struct spd_treap; /* a node, and the tree below it */

struct spd_treap_kind {
    int (*cmp)(const void *a, const void *b); /* total order; 0 = the same place */
    uint64_t (*priority)(const void *value);  /* well mixed; of cmp's key only */
    void (*ref)(void *value);
    void (*unref)(void *value);
};

/* Puts the value in (one more reference to it); what stood in the same place is given back. */
struct spd_treap *spd_treap_put(const struct spd_treap_kind *k, struct spd_treap *root,
                                void *value);
/* Takes out what stands in the place of that value; nothing there: unchanged. */
struct spd_treap *spd_treap_take(const struct spd_treap_kind *k, struct spd_treap *root,
                                 const void *value);
struct spd_treap *spd_treap_ref(struct spd_treap *root);
void spd_treap_unref(const struct spd_treap_kind *k, struct spd_treap *root);

size_t spd_treap_count(const struct spd_treap *root);
/* The value with n values before it; NULL beyond the end. */
void *spd_treap_at(const struct spd_treap *root, size_t n);
/* The first value that does not go before the key; NULL at the end. cmp(value, key) in the tree's
 * order. */
void *spd_treap_seek(const struct spd_treap *root, int (*cmp)(const void *value, const void *key),
                     const void *key);
/* How many values go before this one; *ret_there: whether its place is taken. */
size_t spd_treap_before(const struct spd_treap_kind *k, const struct spd_treap *root,
                        const void *value, int *ret_there);

#endif
