/* src/store/idset.h: a sorted set of ids, for the in-memory store: one inline, a few in an array,
 * many in a balanced tree. Threads: one owner. */
#ifndef SPD_STORE_IDSET_H
#define SPD_STORE_IDSET_H

#include <glib.h>

#include "base/str.h"

struct spd_idset { /* all zero is the empty set */
    size_t n;
    size_t cap;    /* 0: the ids stand in one[] */
    union {
        int64_t one[2];
        int64_t *v;
        GTree *tree; /* when cap == SIZE_MAX; it never shrinks back */
    } u;
};
void spd_idset_done(struct spd_idset *s);
void spd_idset_add(struct spd_idset *s, int64_t id);
void spd_idset_remove(struct spd_idset *s, int64_t id);
/* ids > after, ascending, at most max. */
size_t spd_idset_list(const struct spd_idset *s, int64_t after, int64_t *ret, size_t max);

#endif
