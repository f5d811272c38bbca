/* src/queue/writer.h: the one thread that decides, and the bounded queue before it.
 *
 * Doors submit an event with a completion; the writer takes what is waiting (at most 256), opens a
 * transaction, gives each event a savepoint, calls the host's apply function, commits, and only
 * then calls the completions (design §3.2). When the commit fails every completion gets that rc and
 * nothing was done. When the queue is full submit returns SPD_AGAIN at once: MLLP stops reading,
 * HTTP says 503, DICOM 0xA700.
 *
 * The writer knows nothing of the core: the host hands in spd_writer_ops. (queue stands below
 * core.) */
#ifndef SPD_QUEUE_WRITER_H
#define SPD_QUEUE_WRITER_H

#include "store/store.h"

struct spd_writer;
struct spd_receipt;

/* Called in the writer thread after the commit. rc != OK: not committed, receipt is NULL. The
 * receipt and everything in it lives until the call returns. Must not block. */
typedef void (*spd_completion)(void *ctx, enum spd_rc rc, const struct spd_receipt *receipt);

struct spd_writer_ops { /* all called in the writer thread; self is the host's */
    /* In a savepoint. ret_receipt points into arena. */
    enum spd_rc (*apply)(void *self, struct spd_store *store, const struct spd_event *event,
                         struct spd_arena *arena, const struct spd_receipt **ret_receipt,
                         struct spd_err *err);
    void (*undo)(void *self); /* savepoint rolled back */
    void (*committed)(void *self, struct spd_store *store,
                      spd_usec now);                   /* batch committed: publish; a
                                                        * store read transaction may be used */
    void (*lost)(void *self, struct spd_store *store); /* batch lost */
    /* The next timer: due (0 none). When due <= now the writer makes a timer event of it. */
    enum spd_rc (*next_timer)(void *self, struct spd_store *store, spd_usec *ret_due,
                              int64_t *ret_id);
    /* Every turn and at least once a second, outside a transaction: for the publication's 20 ms,
     * watchdogs. Returns the latest monotonic moment at which it wants to be called again (0: no
     * wish). */
    spd_usec (*idle)(void *self, struct spd_store *store, spd_usec monotonic);
    spd_usec (*now)(void *self); /* UTC; tests and the demo inject theirs */
};

struct spd_writer_options {
    size_t size;      /* sizeof(struct spd_writer_options) */
    size_t queue_max; /* events waiting; default 4096 */
    size_t batch_max; /* default 256 */
    size_t bytes_max; /* bytes that waiting events may hold; default 256 MiB */
};

/* Starts the thread. store is borrowed and used by nobody else until stop. Owned. */
enum spd_rc spd_writer_start(struct spd_store *store, const struct spd_writer_ops *ops, void *self,
                             const struct spd_writer_options *options, struct spd_writer **ret,
                             struct spd_err *err);
/* Drains what is queued, commits, joins, frees. NULL is a no-op. A submit while it drains returns
 * DENIED; none may come once it has returned: the host stops its doors first. */
void spd_writer_stop(struct spd_writer *w);
/* Copies the event (deep) into the queue. AGAIN when full. The completion is called exactly once
 * iff OK is returned; done may be NULL. Thread-safe. */
enum spd_rc spd_writer_submit(struct spd_writer *w, const struct spd_event *event,
                              spd_completion done, void *ctx);
/* The same without the copy, for a door that makes many: arena, in which the event and all it
 * points to must live, is taken over when OK is returned, and lives until the completion has
 * returned. The writer is not woken: spd_writer_wake must follow before the caller waits for
 * anything. */
enum spd_rc spd_writer_submit_arena(struct spd_writer *w, const struct spd_event *event,
                                    struct spd_arena *arena, spd_completion done, void *ctx,
                                    const void *group);
/* In a completion only: does another one of the same group (NULL: of none) follow in this batch, as
 * soon as it returns? For a door that sends the answers of a batch together. False may be wrong
 * where there are many groups; true never is. */
bool spd_writer_more(const struct spd_writer *w);
void spd_writer_wake(struct spd_writer *w); /* thread-safe; cheap when nothing waits */
/* Would a submit be refused now? Cheap: for a door that would have to decode first. Thread-safe. */
bool spd_writer_full(struct spd_writer *w);
/* Submits and waits; copy() is called in the writer thread to copy what the caller needs from the
 * receipt. Returns the completion's rc, or AGAIN. Not from the writer thread. */
enum spd_rc spd_writer_call(struct spd_writer *w, const struct spd_event *event,
                            void (*copy)(void *ctx, const struct spd_receipt *receipt), void *ctx);
/* failed: events that were not committed. last_commit_usec: how long the last batch took, begin to
 * commit. losing: the last batch could not be committed. */
struct spd_writer_stats {
    uint64_t events, batches, failed;
    size_t waiting;
    spd_usec last_commit_usec;
    bool losing;
};
struct spd_writer_stats spd_writer_stats(struct spd_writer *w);

#endif
