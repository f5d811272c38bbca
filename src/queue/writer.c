/* src/queue/writer.c: the bounded queue and the one thread that decides. See writer.h.
 *
 * Invariants:
 *   - the store is touched by the writer thread only;
 *   - every accepted event gets exactly one completion, after its batch was committed or lost;
 *   - event.at never goes down, not even over a restart (it starts at the last journal row's);
 *   - a timer whose event cannot be applied does not hold up the timers behind it: it is set aside
 * for a minute and tried again. Threads: w->lock guards the queue and the figures; it is never held
 * while the store works. */
#define _GNU_SOURCE
#include "queue/writer.h"

#include <pthread.h>
#include <time.h>

#include "base/log.h"

#define QUEUE_MAX 4096
#define BATCH_MAX 256
#define BYTES_MAX ((size_t)256 << 20)
#define EVENT_BYTES_MAX ((size_t)96 << 20) /* one event: a 16 MiB message, decoded */
#define BATCH_BYTES_MAX ((size_t)2 << 30)
#define LONGEST_WAIT SPD_SEC(1)
#define TIMER_RETRY SPD_MIN(1)
#define AFTER_LOSS SPD_SEC(1)
enum { ASIDE_MAX = 64, GROUPS_MAX = 16 };

struct entry { /* lives in its own arena */
    struct entry *next;
    struct spd_arena *arena;
    struct spd_event event;
    spd_completion done;
    void *ctx;
    const void *group; /* NULL: of none */
};

struct outcome {         /* of one event of the running batch */
    struct entry *entry; /* NULL: a timer */
    enum spd_rc rc;
    const struct spd_receipt *receipt;
    bool more; /* another one of its group is behind it */
};

struct aside { /* a timer whose event failed alone */
    int64_t id;
    spd_usec until; /* monotonic */
};

struct spd_writer {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct entry *first, **last;
    size_t waiting, bytes;
    bool stopping;
    struct spd_writer_stats stats;
    struct spd_writer_options limits;

    struct spd_store *store; /* below: the writer thread's own */
    const struct spd_writer_ops *ops;
    void *self;
    spd_usec at;          /* of the last event */
    spd_usec hold_timers; /* monotonic: no timers before, after a lost batch */
    struct aside aside[ASIDE_MAX];
    size_t n_aside;
    struct outcome *batch;
    size_t n_batch;
    bool more;               /* of the completion that is being called */
    struct spd_arena *arena; /* of the batch */
    pthread_t thread;
};

/* ---- the queue ------------------------------------------------------------------------------- */
/* Under the lock. */
static enum spd_rc room(const struct spd_writer *w)
{
    if (w->stopping) return SPD_DENIED;
    return w->waiting >= w->limits.queue_max || w->bytes >= w->limits.bytes_max ? SPD_AGAIN
                                                                                : SPD_OK;
}

bool spd_writer_full(struct spd_writer *w)
{
    pthread_mutex_lock(&w->lock);
    bool full = room(w) != SPD_OK;
    pthread_mutex_unlock(&w->lock);
    return full;
}

static enum spd_rc enter(struct spd_writer *w, const struct spd_event *event,
                         struct spd_arena *arena, spd_completion done, void *ctx,
                         const void *group, bool wake)
{
    struct entry *e = SPD_NEW(arena, struct entry);
    enum spd_rc rc;
    *e = (struct entry){NULL, arena, {event->type, 0, {event->u.any}}, done, ctx, group};
    pthread_mutex_lock(&w->lock);
    rc = room(w);
    if (!rc) {
        *w->last = e, w->last = &e->next;
        w->waiting++, w->bytes += spd_arena_used(arena);
        if (wake) pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
    return rc;
}

enum spd_rc spd_writer_submit(struct spd_writer *w, const struct spd_event *event,
                              spd_completion done, void *ctx)
{
    const struct spd_desc *desc = spd_event_desc(event->type);
    struct spd_event copy = {event->type, 0, {NULL}};
    struct spd_arena *arena;
    enum spd_rc rc;
    if (!desc || !event->u.any) return SPD_INVALID;
    arena = spd_arena_new(EVENT_BYTES_MAX);
    if (!arena) spd_out_of_memory();
    copy.u.any = spd_arena_must(arena, desc->size);
    spd_desc_clone(desc, copy.u.any, event->u.any, arena);
    rc = enter(w, &copy, arena, done, ctx, NULL, true);
    if (rc) spd_arena_free(arena);
    return rc;
}

enum spd_rc spd_writer_submit_arena(struct spd_writer *w, const struct spd_event *event,
                                    struct spd_arena *arena, spd_completion done, void *ctx,
                                    const void *group)
{
    if (!spd_event_desc(event->type) || !event->u.any) return SPD_INVALID;
    return enter(w, event, arena, done, ctx, group, false);
}

bool spd_writer_more(const struct spd_writer *w)
{
    return w->more;
}

void spd_writer_wake(struct spd_writer *w)
{
    pthread_mutex_lock(&w->lock);
    if (w->waiting) pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

struct call { /* spd_writer_call's own completion */
    pthread_mutex_t lock;
    pthread_cond_t came;
    bool done;
    enum spd_rc rc;
    void (*copy)(void *ctx, const struct spd_receipt *receipt);
    void *ctx;
};

static void call_done(void *ctx, enum spd_rc rc, const struct spd_receipt *receipt)
{
    struct call *c = ctx;
    pthread_mutex_lock(&c->lock);
    if (!rc && c->copy) c->copy(c->ctx, receipt);
    c->rc = rc, c->done = true;
    pthread_cond_signal(&c->came);
    pthread_mutex_unlock(&c->lock);
}

enum spd_rc spd_writer_call(struct spd_writer *w, const struct spd_event *event,
                            void (*copy)(void *ctx, const struct spd_receipt *receipt), void *ctx)
{
    struct call c = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, SPD_OK, copy, ctx};
    enum spd_rc rc;
    if (pthread_equal(pthread_self(), w->thread)) return SPD_BUG; /* would wait for itself */
    rc = spd_writer_submit(w, event, call_done, &c);
    if (!rc) {
        pthread_mutex_lock(&c.lock);
        while (!c.done)
            pthread_cond_wait(&c.came, &c.lock);
        rc = c.rc;
        pthread_mutex_unlock(&c.lock);
    }
    pthread_cond_destroy(&c.came);
    pthread_mutex_destroy(&c.lock);
    return rc;
}

struct spd_writer_stats spd_writer_stats(struct spd_writer *w)
{
    struct spd_writer_stats s;
    pthread_mutex_lock(&w->lock);
    s = w->stats;
    s.waiting = w->waiting;
    pthread_mutex_unlock(&w->lock);
    return s;
}

/* ---- timers ---------------------------------------------------------------------------------- */
static bool is_aside(const struct spd_writer *w, int64_t id)
{
    for (size_t i = 0; i < w->n_aside; i++)
        if (w->aside[i].id == id) return true;
    return false;
}

static void set_aside(struct spd_writer *w, int64_t id)
{
    if (w->n_aside < ASIDE_MAX)
        w->aside[w->n_aside++] = (struct aside){id, spd_clock_monotonic() + TIMER_RETRY};
    else
        w->hold_timers =
            spd_clock_monotonic() + AFTER_LOSS; /* no room: slow down instead of spinning */
}

static void take_back_aside(struct spd_writer *w, spd_usec monotonic)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_aside; i++)
        if (w->aside[i].until > monotonic) w->aside[n++] = w->aside[i];
    w->n_aside = n;
}

/* The earliest timer that is not set aside; due 0: none. */
static enum spd_rc next_timer(struct spd_writer *w, spd_usec *ret_due, int64_t *ret_id)
{
    spd_usec due = 0;
    int64_t id = 0;
    enum spd_rc rc = w->ops->next_timer ? w->ops->next_timer(w->self, w->store, &due, &id) : SPD_OK;
    while (!rc && due && is_aside(w, id)) {
        size_t n = 0;
        spd_usec after = due;
        due = 0;
        rc = spd_store_due(w->store, SPD_T_TIMER, SPD_SV_NONE, INT64_MAX, after, id, &id, &due, 1, &n, NULL);
        if (!n) due = 0;
    }
    *ret_due = due, *ret_id = id;
    return rc;
}

/* ---- one batch ------------------------------------------------------------------------------- */
static spd_usec next_at(struct spd_writer *w)
{
    spd_usec now = w->ops->now(w->self);
    if (now > w->at) w->at = now;
    return w->at;
}

/* One event in its savepoint. A retryable failure is the batch's; any other is the event's alone.
 */
static enum spd_rc apply(struct spd_writer *w, struct spd_event *event, struct outcome *o)
{
    struct spd_err err = {0};
    enum spd_rc rc = spd_store_savepoint(w->store, &err);
    if (rc) return rc;
    event->at = next_at(w);
    o->rc = w->ops->apply(w->self, w->store, event, w->arena, &o->receipt, &err);
    if (!o->rc) return spd_store_release(w->store, &err);
    spd_store_rollback_to(w->store);
    w->ops->undo(w->self);
    o->receipt = NULL;
    spd_log(SPD_LOG_WARNING, "event not applied", SPD_LZ("type", spd_event_type_names[event->type]),
            SPD_LZ("rc", spd_rc_name(o->rc)), SPD_LZ("place", err.place), SPD_LZ("text", err.text));
    return spd_rc_is_retryable(o->rc) ? o->rc : SPD_OK;
}

/* Timers that are due, at most max of them; the rest of the batch is for the doors. */
static enum spd_rc fire_timers(struct spd_writer *w, size_t max)
{
    if (spd_clock_monotonic() < w->hold_timers) return SPD_OK;
    for (size_t i = 0; i < max; i++) {
        struct spd_timer_event timer = {0};
        struct spd_event event = {SPD_EVENT_TIMER, 0, {&timer}};
        struct outcome *o = &w->batch[w->n_batch];
        spd_usec due;
        enum spd_rc rc = next_timer(w, &due, &timer.timer);
        if (rc) return rc;
        if (!due || due > w->ops->now(w->self)) return SPD_OK;
        *o = (struct outcome){NULL, SPD_OK, NULL, false};
        w->n_batch++;
        if ((rc = apply(w, &event, o))) return rc;
        if (o->rc) set_aside(w, timer.timer);
    }
    return SPD_OK;
}

static struct entry *take(struct spd_writer *w, size_t max)
{
    struct entry *list, **end = &list;
    pthread_mutex_lock(&w->lock);
    list = w->first;
    for (size_t n = 0; *end && n < max; n++) {
        w->waiting--, w->bytes -= spd_arena_used((*end)->arena);
        end = &(*end)->next;
    }
    w->first = *end;
    if (!w->first) w->last = &w->first;
    *end = NULL;
    pthread_mutex_unlock(&w->lock);
    return list;
}

static enum spd_rc fill_batch(struct spd_writer *w, struct entry *list, struct spd_err *err)
{
    enum spd_rc rc = spd_store_begin(w->store, err);
    size_t timers = w->limits.batch_max / 2;
    if (!rc) rc = fire_timers(w, timers ? timers : 1);
    for (struct entry *e = list; e; e = e->next) {
        struct outcome *o = &w->batch[w->n_batch++];
        *o = (struct outcome){e, SPD_OK, NULL, false};
        if (!rc) rc = apply(w, &e->event, o);
    }
    return rc;
}

static void mark_more(struct spd_writer *w)
{
    const void *groups[GROUPS_MAX];
    size_t n = 0, k;
    for (size_t i = w->n_batch; i--;) {
        struct outcome *o = &w->batch[i];
        if (!o->entry || !o->entry->done || !o->entry->group) continue;
        for (k = 0; k < n && groups[k] != o->entry->group; k++)
            continue;
        o->more = k < n;
        if (k == n && n < GROUPS_MAX) groups[n++] = o->entry->group;
    }
}

/* Gives every event its answer, then its memory back. */
static void complete(struct spd_writer *w, enum spd_rc batch_rc, spd_usec took)
{
    uint64_t failed = 0;
    for (size_t i = 0; i < w->n_batch; i++) failed += batch_rc || w->batch[i].rc;
    pthread_mutex_lock(&w->lock); /* counted before whoever waits goes on: what it asks then includes its own */
    w->stats.events += w->n_batch, w->stats.failed += failed, w->stats.batches++;
    w->stats.last_commit_usec = took;
    w->stats.losing = batch_rc != SPD_OK;
    pthread_mutex_unlock(&w->lock);
    mark_more(w);
    for (size_t i = 0; i < w->n_batch; i++) {
        struct outcome *o = &w->batch[i];
        enum spd_rc rc = batch_rc ? batch_rc : o->rc;
        if (!o->entry) continue;
        w->more = o->more;
        if (o->entry->done) o->entry->done(o->entry->ctx, rc, rc ? NULL : o->receipt);
        spd_arena_free(o->entry->arena);
    }
}

static void run_batch(struct spd_writer *w, struct entry *list)
{
    struct spd_err err = {0};
    spd_usec start = spd_clock_monotonic();
    enum spd_rc rc;
    w->n_batch = 0;
    rc = fill_batch(w, list, &err);
    if (!rc) rc = spd_store_commit(w->store, &err);
    if (rc) {
        spd_store_rollback(w->store);
        if (w->ops->lost) w->ops->lost(w->self, w->store);
        w->hold_timers = spd_clock_monotonic() + AFTER_LOSS;
        spd_log(SPD_LOG_ERR, "batch not committed; nothing of it was acknowledged",
                SPD_LZ("rc", spd_rc_name(rc)), SPD_LZ("text", err.text),
                SPD_LI("events", (int64_t)w->n_batch));
    }
    complete(w, rc, spd_clock_monotonic() - start);
    if (!rc && w->ops->committed) w->ops->committed(w->self, w->store, w->at);
    spd_arena_reset(w->arena);
}

/* ---- the thread ------------------------------------------------------------------------------ */
/* Sleeps until there is something to do. False: stopping, and nothing is left. */
static bool wait_for_work(struct spd_writer *w, spd_usec usec)
{
    struct timespec t;
    bool go_on;
    if (usec > LONGEST_WAIT) usec = LONGEST_WAIT;
    if (usec < 0) usec = 0;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += (long)(usec % 1000000) * 1000;
    t.tv_sec += usec / 1000000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    pthread_mutex_lock(&w->lock);
    while (!w->waiting && !w->stopping && usec > 0)
        if (pthread_cond_timedwait(&w->wake, &w->lock, &t)) break;
    go_on = w->waiting > 0 || !w->stopping;
    pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct spd_writer *w = arg;
    spd_usec wish = 0;
    for (;;) {
        spd_usec due = 0, monotonic = spd_clock_monotonic(), wait = LONGEST_WAIT;
        int64_t id = 0;
        bool timer = false;
        struct entry *list;
        take_back_aside(w, monotonic);
        if (monotonic >= w->hold_timers && next_timer(w, &due, &id)) {
            spd_log(SPD_LOG_ERR, "the next timer could not be read");
            w->hold_timers = monotonic + AFTER_LOSS;
            due = 0;
        }
        if (due) {
            spd_usec left = due - w->ops->now(w->self);
            timer = left <= 0;
            if (left < wait) wait = left;
        }
        if (wish && wish - monotonic < wait) wait = wish - monotonic;
        if (!wait_for_work(w, wait)) break;
        list = take(w, w->limits.batch_max);
        if (list || timer) run_batch(w, list);
        if (w->ops->idle) wish = w->ops->idle(w->self, w->store, spd_clock_monotonic());
    }
    return NULL;
}

/* Time goes on where the journal stopped, whatever the clock says since. */
static enum spd_rc last_at(struct spd_store *store, spd_usec *ret, struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new(EVENT_BYTES_MAX);
    struct spd_journal row;
    int64_t id;
    size_t n = 0;
    enum spd_rc rc;
    if (!arena) spd_out_of_memory();
    *ret = 0;
    rc = spd_store_scan(store, SPD_T_JOURNAL, INT64_MAX, true, &id, 1, &n, err);
    if (!rc && n) {
        rc = spd_get_journal(store, id, &row, arena, err);
        if (!rc) *ret = row.at;
    }
    spd_arena_free(arena);
    return rc;
}

static struct spd_writer_options with_defaults(const struct spd_writer_options *o)
{
    struct spd_writer_options r = {sizeof r, QUEUE_MAX, BATCH_MAX, BYTES_MAX};
    if (!o) return r;
    if (o->queue_max) r.queue_max = o->queue_max;
    if (o->batch_max) r.batch_max = o->batch_max;
    if (o->size >= sizeof *o && o->bytes_max) r.bytes_max = o->bytes_max;
    return r;
}

static void writer_free(struct spd_writer *w)
{
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    spd_arena_free(w->arena);
    spd_free(w->batch);
    spd_free(w);
}

enum spd_rc spd_writer_start(struct spd_store *store, const struct spd_writer_ops *ops, void *self,
                             const struct spd_writer_options *options, struct spd_writer **ret,
                             struct spd_err *err)
{
    struct spd_writer *w;
    pthread_condattr_t attr;
    spd_usec at;
    int e;
    enum spd_rc rc = last_at(store, &at, err);
    if (rc) return rc;
    w = spd_must_malloc(sizeof *w);
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    w->last = &w->first;
    w->limits = with_defaults(options);
    w->store = store, w->ops = ops, w->self = self, w->at = at;
    w->batch =
        spd_must_malloc(sizeof *w->batch * (w->limits.batch_max + w->limits.batch_max / 2 + 1));
    w->arena = spd_arena_new(BATCH_BYTES_MAX);
    if (!w->arena) spd_out_of_memory();
    if ((e = pthread_create(&w->thread, NULL, run, w))) {
        writer_free(w);
        return spd_fail(err, SPD_IO, "writer", "no thread: %s", strerror(e));
    }
    *ret = w;
    return SPD_OK;
}

void spd_writer_stop(struct spd_writer *w)
{
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    writer_free(w);
}
