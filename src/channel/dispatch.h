/* src/channel/dispatch.h: the workers that carry outbox rows to their channels. Not here: back-off, order
 * and leases (core decides them when it applies the claim and the outcome), nor how a row is sent.
 *
 * One thread per destination. It looks at the outbox through its own read handle of the store, claims the
 * row that is due with EVENT_CLAIM, sends it, and reports with EVENT_OUTCOME. One row is claimed at a time:
 * so a lease (total time-out + 10 s) never lapses because a neighbour was slow, and a row is never sent
 * under a lost lease.
 *
 * Threads: start and stop from one thread; kick from any, it never blocks. */
#ifndef SPD_CHANNEL_DISPATCH_H
#define SPD_CHANNEL_DISPATCH_H

#include "channel/channel.h"
#include "core/core.h"

struct spd_dispatch;

struct spd_dispatch_ops { /* both called in worker threads */
    /* Submits an event and waits for its commit: spd_writer_call in the daemon. */
    enum spd_rc (*call)(void *self, const struct spd_event *event,
                        void (*copy)(void *ctx, const struct spd_receipt *receipt), void *ctx);
    spd_usec (*now)(void *self); /* UTC */
};

/* configs (borrowed for d's life): entries of channels: and send:; those with mode off get no worker.
 * store_url: opened for reading by each worker; "" = none (tests): then rows carry no item and a worker
 * claims at every kick and once a second. INVALID: an entry of unknown type or with a bad address, err.place
 * names it; nothing was started. Owned: spd_dispatch_stop. */
enum spd_rc spd_dispatch_start(const struct spd_channel_config *configs, size_t n, const char *store_url,
                               const struct spd_dispatch_ops *ops, void *self, struct spd_dispatch **ret,
                               struct spd_err *err);
/* There may be work for that destination ("" = for any). */
void spd_dispatch_kick(struct spd_dispatch *d, spd_sv destination);
/* Finishes the rows in hand, reports them, joins. Call it before the writer stops. NULL is a no-op. */
void spd_dispatch_stop(struct spd_dispatch *d);

#endif
