/* src/channel/dispatch.c: see dispatch.h.
 *
 * A worker looks before it claims: claims are events and go into the journal, so an idle outbox must not
 * fill it. It wakes at a kick, when the next row of its destination falls due, and at least once a second
 * (a kick is a hint, the outbox is the truth).
 *
 * Threads: one per destination; the mutex guards kicked and stop, nothing is called while it is held. */
#define _GNU_SOURCE
#include "channel/dispatch.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/str.h"

enum { PEEK_MAX = 64, ARENA_MAX = 64 << 20 };
static const spd_usec POLL = 1000000;

struct worker {
    struct spd_dispatch *d;
    const struct spd_channel_config *config;
    const struct spd_channel *channel;
    void *self;
    struct spd_store *store;
    struct spd_arena *arena;
    pthread_t thread;
    bool started, kicked;
};

struct spd_dispatch {
    const struct spd_dispatch_ops *ops;
    void *self;
    char *store_url;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stop;
    struct worker *workers;
    size_t n;
};

/* The longest that one sending takes: a lease must not end before it. */
static spd_usec total_timeout(const struct spd_channel_config *c)
{
    spd_usec answer = c->total_timeout ? c->total_timeout : SPD_SEC(8);
    return (c->connect_timeout ? c->connect_timeout : SPD_SEC(3)) + answer +
           (c->ack == 1 ? answer : 0); /* two answers on one connection */
}

static void log_rc(const struct worker *w, const char *what, enum spd_rc rc)
{
    spd_log(SPD_LOG_WARNING, what, SPD_LT("destination", w->config->name), SPD_LZ("rc", spd_rc_name(rc)));
}

/* The moment a row of this destination may be claimed: 0 = now, else UTC, or a poll from now. */
static spd_usec next_work(struct worker *w, spd_usec now)
{
    int64_t ids[PEEK_MAX], after_id = 0;
    spd_usec dues[PEEK_MAX], after_due = 0;
    size_t n = 0;
    bool paused;
    if (!w->store) return 0;
    if (!spd_queue_paused(w->store, w->config->name, w->arena, &paused, NULL) && paused)
        return now + POLL; /* by a person; the core gives nothing out either */
    do {
        if (spd_store_due(w->store, SPD_T_OUTBOX, w->config->name, now + POLL, after_due, after_id, ids,
                          dues, PEEK_MAX, &n, NULL))
            return 0; /* cannot tell: ask the writer */
        for (size_t i = 0; i < n; i++) {
            struct spd_outbox row = {0};
            if (spd_get_outbox(w->store, ids[i], &row, w->arena, NULL)) continue;
            if (row.state == SPD_OUTBOX_QUEUED) return row.due <= now ? 0 : row.due;
            if (row.state == SPD_OUTBOX_SENDING && row.lease_until <= now) return 0;
        }
        if (n) after_due = dues[n - 1], after_id = ids[n - 1];
    } while (n == PEEK_MAX);
    return now + POLL;
}

struct claimed {
    struct spd_arena *arena;
    struct spd_outbox row;
    bool any;
};

/* Runs in the writer thread: the row must outlive the batch. */
static void copy_claim(void *ctx, const struct spd_receipt *r)
{
    struct claimed *c = ctx;
    if (!r || r->n_claimed == 0) return;
    spd_desc_clone(&spd_outbox_desc, &c->row, &r->claimed[0], c->arena);
    c->any = true;
}

static enum spd_rc claim(struct worker *w, struct claimed *c)
{
    struct spd_claim_event claim = {w->config->name, 1, total_timeout(w->config) + SPD_SEC(10)};
    struct spd_event e = {SPD_EVENT_CLAIM, w->d->ops->now(w->d->self), {.claim = &claim}};
    *c = (struct claimed){w->arena, {0}, false};
    return w->d->ops->call(w->d->self, &e, copy_claim, c);
}

/* An alert is of whom it was of when it happened, whatever its order says by now. */
static void load_alert(struct worker *w, struct spd_delivery *d)
{
    struct spd_alert_out x;
    struct spd_message m = {0};
    if (spd_desc_decode(&spd_alert_out_desc, d->row.payload, &x, w->arena, NULL)) return;
    if (x.patient.ids.n) d->item.patient = x.patient;
    if (x.source && !spd_get_message(w->store, x.source, &m, w->arena, NULL)) d->source_raw = m.raw;
}

/* The item and the last order message of its system, as far as they are there: a channel that needs one
 * says itself that it cannot do without. */
static void load(struct worker *w, struct spd_delivery *d)
{
    struct spd_message m = {0};
    if (w->store && d->row.kind == SPD_OUTBOX_RESULT) {
        if (!spd_get_message(w->store, spd_channel_result_message(&d->row), &m, w->arena, NULL))
            d->source_raw = m.raw;
        return;
    }
    if (!w->store || !d->row.item) return;
    if (spd_get_item(w->store, d->row.item, &d->item, w->arena, NULL)) {
        d->item = (struct spd_item){0};
        return;
    }
    if (d->row.kind == SPD_OUTBOX_ALERT) {
        load_alert(w, d);
        return;
    }
    if (d->row.kind == SPD_OUTBOX_REPORT && d->item.report_message != d->row.id) {
        d->item = (struct spd_item){0}; /* since the claim it has moved on, to another patient perhaps */
        return;
    }
    if (d->item.source_message && !spd_get_message(w->store, d->item.source_message, &m, w->arena, NULL))
        d->source_raw = m.raw;
    if (d->row.kind == SPD_OUTBOX_REPORT)
        d->report_text = d->row.payload.len ? d->row.payload : d->item.report_text;
}

static enum spd_outcome deliver(struct worker *w, struct spd_delivery *d, struct spd_sending *s)
{
    /* A row of the time in mode observe is not sent once the destination is live. */
    if (!spd_sv_is(w->config->mode, "observe") && !d->row.observe)
        return w->channel->send(w->self, d, s, w->arena);
    if (w->channel->build(w->self, d, s, w->arena)) return SPD_OUTCOME_PERMANENT;
    if (!s->detail.len) s->detail = SPD_SV("observed, not sent");
    return SPD_OUTCOME_OBSERVED;
}

/* What became of it must not get lost: it is offered until the writer takes it or the lease is over, after
 * which the row is claimed and sent again, marked as a repeat. */
static void report(struct worker *w, const struct spd_outbox *row, enum spd_outcome outcome,
                   const struct spd_sending *s)
{
    struct spd_outcome_event o = {.outbox = row->id, .outcome = (int32_t)outcome, .detail = s->detail,
                                  .retry_after = s->retry_after, .lease_until = row->lease_until,
                                  .answer = s->answer, .sent = s->sent};
    enum spd_rc rc;
    do {
        struct spd_event e = {SPD_EVENT_OUTCOME, w->d->ops->now(w->d->self), {.outcome = &o}};
        rc = w->d->ops->call(w->d->self, &e, NULL, NULL);
        if (rc == SPD_OK || !spd_rc_is_retryable(rc)) break;
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    } while (w->d->ops->now(w->d->self) < row->lease_until);
    if (rc) log_rc(w, "outcome of a delivery was not recorded", rc);
    spd_log(outcome == SPD_OUTCOME_OK || outcome == SPD_OUTCOME_OBSERVED ? SPD_LOG_INFO : SPD_LOG_WARNING,
            "delivery", SPD_LT("destination", w->config->name), SPD_LI("outbox", row->id),
            SPD_LI("attempt", row->attempts), SPD_LZ("outcome", spd_enum_name(spd_outcome_names, (int)outcome)),
            SPD_LT("detail", s->detail));
}

/* One row. True when there may be another at once. */
static bool turn(struct worker *w)
{
    struct claimed c;
    struct spd_delivery d = {0};
    struct spd_sending s = {0};
    enum spd_outcome outcome;
    enum spd_rc rc = claim(w, &c);
    if (rc && rc != SPD_DENIED) log_rc(w, "claim was not taken", rc);
    if (rc || !c.any) return false;
    d.row = c.row;
    d.now = w->d->ops->now(w->d->self);
    load(w, &d);
    outcome = deliver(w, &d, &s);
    report(w, &c.row, outcome, &s);
    return true;
}

/* Waits for a kick, a due row or the poll; false = stop. */
static bool wait_for_work(struct worker *w, spd_usec for_usec)
{
    struct timespec until;
    bool go;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(for_usec / 1000000);
    until.tv_nsec += (long)(for_usec % 1000000) * 1000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_mutex_lock(&w->d->mutex);
    while (!w->d->stop && !w->kicked)
        if (pthread_cond_timedwait(&w->d->wake, &w->d->mutex, &until)) break;
    w->kicked = false;
    go = !w->d->stop;
    pthread_mutex_unlock(&w->d->mutex);
    return go;
}

static void *run(void *ctx)
{
    struct worker *w = ctx;
    struct spd_err err;
    spd_usec wait = 0;
    if (w->d->store_url[0] && spd_store_open(w->d->store_url, SPD_STORE_READ, &w->store, &err)) {
        spd_log(SPD_LOG_ERR, "a channel worker cannot read the store", SPD_LT("destination", w->config->name),
                SPD_LZ("error", err.text));
        w->store = NULL;
    }
    while (wait_for_work(w, wait)) {
        spd_usec now = w->d->ops->now(w->d->self), next;
        spd_arena_reset(w->arena);
        next = next_work(w, now);
        wait = next > now ? next - now : 0;
        if (wait > POLL) wait = POLL;
        /* A claim that brings nothing (another row of that order is under way) is not repeated at once. */
        if (next <= now) wait = turn(w) ? 0 : POLL;
    }
    spd_store_close(w->store);
    return NULL;
}

static enum spd_rc prepare(struct spd_dispatch *d, const struct spd_channel_config *config, struct spd_err *err)
{
    struct worker *w = &d->workers[d->n];
    char place[sizeof err->place];
    enum spd_rc rc;
    if (spd_sv_is(config->mode, "off")) return SPD_OK;
    w->d = d;
    w->config = config;
    w->channel = spd_channel_find(config->type);
    if (!w->channel) {
        snprintf(place, sizeof place, "%.*s", SPD_SV_ARG(config->name));
        return spd_fail(err, SPD_INVALID, place, "no such type of channel");
    }
    rc = w->channel->open(config, &w->self, err);
    if (rc) return rc;
    w->arena = spd_arena_new(ARENA_MAX);
    if (!w->arena) spd_out_of_memory();
    w->kicked = true; /* rows may be waiting from before */
    d->n++;
    return SPD_OK;
}

enum spd_rc spd_dispatch_start(const struct spd_channel_config *configs, size_t n, const char *store_url,
                               const struct spd_dispatch_ops *ops, void *self, struct spd_dispatch **ret,
                               struct spd_err *err)
{
    struct spd_dispatch *d = spd_must_malloc(sizeof *d);
    pthread_condattr_t attr;
    size_t len = strlen(store_url);
    d->ops = ops;
    d->self = self;
    d->store_url = spd_must_malloc(len + 1);
    memcpy(d->store_url, store_url, len + 1);
    d->workers = spd_must_malloc(sizeof *d->workers * (n ? n : 1));
    pthread_mutex_init(&d->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->wake, &attr);
    pthread_condattr_destroy(&attr);
    for (size_t i = 0; i < n; i++) {
        enum spd_rc rc = prepare(d, &configs[i], err);
        if (rc) {
            spd_dispatch_stop(d);
            return rc;
        }
    }
    for (size_t i = 0; i < d->n; i++) {
        if (pthread_create(&d->workers[i].thread, NULL, run, &d->workers[i])) spd_out_of_memory();
        d->workers[i].started = true;
    }
    *ret = d;
    return SPD_OK;
}

void spd_dispatch_kick(struct spd_dispatch *d, spd_sv destination)
{
    pthread_mutex_lock(&d->mutex);
    for (size_t i = 0; i < d->n; i++)
        if (!destination.len || spd_sv_eq(destination, d->workers[i].config->name)) d->workers[i].kicked = true;
    pthread_cond_broadcast(&d->wake);
    pthread_mutex_unlock(&d->mutex);
}

void spd_dispatch_stop(struct spd_dispatch *d)
{
    if (!d) return;
    pthread_mutex_lock(&d->mutex);
    d->stop = true;
    pthread_cond_broadcast(&d->wake);
    pthread_mutex_unlock(&d->mutex);
    for (size_t i = 0; i < d->n; i++) {
        struct worker *w = &d->workers[i];
        if (w->started) pthread_join(w->thread, NULL);
        w->channel->close(w->self);
        spd_arena_free(w->arena);
    }
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->mutex);
    spd_free(d->workers);
    spd_free(d->store_url);
    spd_free(d);
}
