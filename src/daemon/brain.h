/* src/daemon/brain.h: the core behind the writer, and what it makes visible: the board.
 *
 * Everything here that says [writer] runs in the writer's thread; the rest is thread-safe. A
 * publication follows a commit at once when nothing waits, else within 20 ms. */
#ifndef SPD_DAEMON_BRAIN_H
#define SPD_DAEMON_BRAIN_H

#include "core/core.h"
#include "list/list.h"
#include "queue/writer.h"

struct spd_brain;

struct spd_brain_options {
    const struct spd_codes *codes;
    const struct spd_templates *templates; /* NULL: the compiled-in set */
    spd_usec (*now)(void *self);           /* NULL: the system's clock */
    void *now_self;
    /* [writer] After a publication: there may be work for the channels. */
    void (*published)(void *self);
    /* [writer] At most every two seconds while things change: models and policy for the pages. */
    void (*refresh)(void *self, struct spd_core *core, struct spd_store *store);
    void *self;
};

/* Opens the core on what the store holds, fills the board with every open item and the newest
 * closed ones, publishes, and starts the writer. store is borrowed until free, and the writer's
 * alone. Owned. */
enum spd_rc spd_brain_new(struct spd_store *store, const struct spd_brain_options *options,
                          struct spd_brain **ret, struct spd_err *err);
/* Drains and stops the writer. Every door, channel worker and list must be gone before. NULL is a
 * no-op. */
void spd_brain_free(struct spd_brain *b);
struct spd_writer *spd_brain_writer(struct spd_brain *b);
struct spd_board *spd_brain_board(struct spd_brain *b);
spd_usec spd_brain_now(struct spd_brain *b);
/* Monotonic moment at which the writer last went round with its store: the watchdog's pulse. */
spd_usec spd_brain_pulse(struct spd_brain *b);
/* What is known of every configured peer, at most a second old: whether it is silent, and the last
 * comparison with its open list. In arena. Thread-safe. */
struct spd_brain_feed {
    struct spd_feed feed; /* its peer points to the text below */
    char peer[64];
};
size_t spd_brain_feeds(struct spd_brain *b, struct spd_brain_feed **ret, struct spd_arena *arena);
/* [writer's refresh comes soon] */
void spd_brain_refresh_soon(struct spd_brain *b);

#endif
