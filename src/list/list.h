/* src/list/list.h: the published reporting worklist: immutable, refcounted, in order.
 *
 * The writer puts changed rows into a board and publishes; readers take the current list (one ref) and
 * read without locks for as long as they hold it. The order is (level, due, arrived, id) over listed rows
 * (spd_item_listed), an order tree with counts and path-copied nodes; rows that are open but not listed
 * (ordered, preliminary) and recently closed ones can be found by id and walked in id order. rank is
 * worked out when read.
 * Threads: board functions marked [writer] belong to the writer thread; all others are thread-safe. */
#ifndef SPD_LIST_LIST_H
#define SPD_LIST_LIST_H

#include <pthread.h>

#include "core/core.h"

struct spd_board;
struct spd_list; /* one published version */

struct spd_row { /* immutable once published; owned by the lists that hold it */
    struct spd_view view;
    int64_t revision; /* journal number it was made at */
};

struct spd_board *spd_board_new(void);   /* an empty list is published, revision 0 */
void spd_board_free(struct spd_board *b); /* every list got from it must be given back before */
/* [writer] Copies the view. A view that is neither open nor listed stays findable as "closed" among the
 * last 2,000 closed ones. */
void spd_board_put(struct spd_board *b, const struct spd_view *view, int64_t revision);
void spd_board_remove(struct spd_board *b, int64_t item);
/* [writer] Makes the current state the published list. complete: false while "possibly incomplete". */
void spd_board_publish(struct spd_board *b, int64_t revision, spd_usec now, bool complete);

const struct spd_list *spd_board_get(struct spd_board *b);       /* never NULL after the first publish; one ref */
/* Waits until the published revision is at least that, at most timeout. */
const struct spd_list *spd_board_wait(struct spd_board *b, int64_t at_least, spd_usec timeout);
void spd_list_unref(const struct spd_list *l); /* NULL is a no-op */
int64_t spd_list_revision(const struct spd_list *l);
spd_usec spd_list_now(const struct spd_list *l);
bool spd_list_complete(const struct spd_list *l);
size_t spd_list_count(const struct spd_list *l);                 /* listed rows */
const struct spd_row *spd_list_at(const struct spd_list *l, size_t rank0); /* 0-based; NULL beyond; O(log n) */
const struct spd_row *spd_list_find(const struct spd_list *l, int64_t item); /* any open or recent row */
size_t spd_list_rank(const struct spd_list *l, const struct spd_row *row);   /* 1-based; 0 = not listed */
/* All rows (listed or not) with item id > after, in id order; NULL at the end. */
const struct spd_row *spd_list_next_by_id(const struct spd_list *l, int64_t after);

/* Items that bear an identifier, whatever its authority: O(log n) each, in order of (text, id). prefix: all
 * texts that begin with it. At most max; a return beyond max says that there are more. At most 64 identifiers
 * of one row are known here. */
enum spd_list_key { SPD_LIST_ACCESSION = 1, SPD_LIST_PATIENT, SPD_LIST_STUDY };
size_t spd_list_by_key(const struct spd_list *l, enum spd_list_key kind, spd_sv text, bool prefix,
                       int64_t *ret_items, size_t max);

/* The stream: notes of what changed, the last 20,000 of them, for server-sent events. */
struct spd_change { int64_t revision; char kind[12]; /* item, alert, alarm, health */ int64_t id; };
/* [writer] */
void spd_board_note(struct spd_board *b, const char *kind, int64_t id, int64_t revision);
/* Copies changes with revision > after, oldest first, at most max. ret_gap: some were already dropped. */
size_t spd_board_changes(struct spd_board *b, int64_t after, struct spd_change *ret, size_t max, bool *ret_gap);
/* An eventfd that becomes readable at each publish; owned by the caller (spd_board_unwatch closes it). */
int spd_board_watch(struct spd_board *b);
void spd_board_unwatch(struct spd_board *b, int fd);

#endif
