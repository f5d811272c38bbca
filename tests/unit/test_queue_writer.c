/* tests/unit/test_queue_writer.c: the writer with the memory store and a host of our own: order, batches,
 * an event that fails alone, a commit that fails, a full queue, draining, timers. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/core.h" /* struct spd_receipt */
#include "queue/writer.h"

enum { LOG = 8192 };

struct host { /* guarded by lock: tests look on while the thread runs */
    pthread_mutex_t lock;
    pthread_cond_t gate_open;
    bool gate;              /* apply waits while it is shut */
    int64_t seen[LOG];      /* what apply got, in order */
    spd_usec at[LOG];
    size_t n, undone, committed, lost, biggest, in_batch;
    int64_t done[LOG];      /* completions, in order: id, or -rc */
    size_t n_done;
    int64_t fail_alone, fail_io; /* ids */
    int64_t timer_poison;
    spd_usec now;
};

static enum spd_rc apply(void *self, struct spd_store *store, const struct spd_event *event,
                         struct spd_arena *arena, const struct spd_receipt **ret, struct spd_err *err)
{
    struct host *h = self;
    struct spd_receipt *r = SPD_NEW(arena, struct spd_receipt);
    bool timer = event->type == SPD_EVENT_TIMER;
    int64_t id = timer ? event->u.timer->timer : event->u.outcome->outbox;
    struct spd_setting s = {.id = id, .name = SPD_SV("x")};
    struct spd_timer t = {.id = id};
    enum spd_rc rc = SPD_OK;
    pthread_mutex_lock(&h->lock);
    while (h->gate) pthread_cond_wait(&h->gate_open, &h->lock);
    h->seen[h->n] = timer ? -id : id, h->at[h->n++] = event->at;
    if (++h->in_batch > h->biggest) h->biggest = h->in_batch;
    if (timer && id == h->timer_poison) rc = SPD_BUG;
    if (!timer && id == h->fail_alone) rc = SPD_INVALID;
    if (!timer && id == h->fail_io) rc = SPD_IO;
    pthread_mutex_unlock(&h->lock);
    if (!rc && timer) {
        rc = spd_get_timer(store, id, &t, arena, err);
        if (!rc) rc = spd_del_timer(store, &t, err);
    } else if (!timer) {
        enum spd_rc put = spd_put_setting(store, &s, NULL, err); /* also of those that fail: must be undone */
        if (!rc) rc = put;
    }
    r->id = id;
    *ret = r;
    return rc;
}

static void undo(void *self)
{
    struct host *h = self;
    pthread_mutex_lock(&h->lock);
    h->undone++;
    pthread_mutex_unlock(&h->lock);
}

static void committed(void *self, struct spd_store *store, spd_usec now)
{
    struct host *h = self;
    (void)store, (void)now;
    pthread_mutex_lock(&h->lock);
    h->committed++, h->in_batch = 0;
    pthread_mutex_unlock(&h->lock);
}

static void lost(void *self, struct spd_store *store)
{
    struct host *h = self;
    (void)store;
    pthread_mutex_lock(&h->lock);
    h->lost++, h->in_batch = 0;
    pthread_mutex_unlock(&h->lock);
}

static enum spd_rc next_timer(void *self, struct spd_store *store, spd_usec *ret_due, int64_t *ret_id)
{
    size_t n = 0;
    enum spd_rc rc = spd_store_due(store, SPD_T_TIMER, SPD_SV_NONE, INT64_MAX, INT64_MIN, 0, ret_id, ret_due, 1, &n, NULL);
    (void)self;
    if (!n) *ret_due = 0;
    return rc;
}

static spd_usec now(void *self)
{
    struct host *h = self;
    spd_usec t;
    pthread_mutex_lock(&h->lock);
    t = h->now ? h->now : spd_clock_now();
    pthread_mutex_unlock(&h->lock);
    return t;
}

static const struct spd_writer_ops ops = {apply, undo, committed, lost, next_timer, NULL, now};

static void done(void *ctx, enum spd_rc rc, const struct spd_receipt *receipt)
{
    struct host *h = ctx;
    pthread_mutex_lock(&h->lock);
    h->done[h->n_done++] = rc ? -(int64_t)rc : receipt->id;
    pthread_mutex_unlock(&h->lock);
}

static enum spd_rc submit(struct spd_writer *w, struct host *h, int64_t id)
{
    char text[] = "gone after the call";
    struct spd_outcome_event o = {.outbox = id, .detail = spd_sv_from(text)};
    struct spd_event e = {SPD_EVENT_OUTCOME, 0, {&o}};
    enum spd_rc rc = spd_writer_submit(w, &e, done, h);
    memset(text, 'x', sizeof text - 1);
    return rc;
}

static void gate(struct host *h, bool shut)
{
    pthread_mutex_lock(&h->lock);
    h->gate = shut;
    pthread_cond_broadcast(&h->gate_open);
    pthread_mutex_unlock(&h->lock);
}

static size_t seen(struct host *h)
{
    size_t n;
    pthread_mutex_lock(&h->lock);
    n = h->n;
    pthread_mutex_unlock(&h->lock);
    return n;
}

static void wait_seen(struct host *h, size_t n)
{
    for (int i = 0; i < 1000 && seen(h) < n; i++) usleep(5000);
    assert_true(seen(h) >= n);
}

static struct spd_writer *start(struct host *h, struct spd_store **store, const struct spd_writer_options *o)
{
    struct spd_writer *w;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->gate_open, NULL);
    if (!*store) assert_int_equal(spd_store_open("memory:", SPD_STORE_WRITE | SPD_STORE_CREATE, store, NULL), SPD_OK);
    assert_int_equal(spd_writer_start(*store, &ops, h, o, &w, NULL), SPD_OK);
    return w;
}

/* Holds the thread inside the first event's batch until the rest is queued. */
static void first_then_queue(struct spd_writer *w, struct host *h, int64_t from, int64_t to)
{
    gate(h, true);
    assert_int_equal(submit(w, h, from), SPD_OK);
    for (int i = 0; i < 1000 && spd_writer_stats(w).waiting; i++) usleep(2000);
    for (int64_t id = from + 1; id <= to; id++) assert_int_equal(submit(w, h, id), SPD_OK);
    gate(h, false);
}

static void in_order_and_in_batches(void **state)
{
    struct host *h = calloc(1, sizeof *h);
    struct spd_store *store = NULL;
    struct spd_writer *w = start(h, &store, NULL);
    (void)state;
    first_then_queue(w, h, 1, 1000);
    spd_writer_stop(w);
    assert_int_equal(h->n, 1000);
    assert_int_equal(h->n_done, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(h->seen[i], i + 1);
        assert_int_equal(h->done[i], i + 1);
        if (i) assert_true(h->at[i] >= h->at[i - 1]);
    }
    assert_int_equal(h->biggest, 256);
    assert_true(h->committed >= 5 && h->committed <= 6); /* 1, then 999 in 256s */
    spd_store_close(store);
    free(h);
}

struct grouped { /* one event of a door that answers a batch together */
    struct spd_writer *w;
    struct host *h;
    bool more;
};

static void grouped_done(void *ctx, enum spd_rc rc, const struct spd_receipt *receipt)
{
    struct grouped *g = ctx;
    g->more = spd_writer_more(g->w);
    done(g->h, rc, receipt);
}

/* Of every group exactly the last one in a batch is told that none follows, whatever lies between; what
 * failed alone counts as well, since its completion is called. */
static void the_last_of_a_group_knows(void **state)
{
    static const struct {
        char group; /* 0: none */
        bool more;
    } table[] = {{'a', true}, {'b', true}, {0, false}, {'a', true}, {'b', false}, {'a', false}, {0, false}, {'c', false}};
    enum { N = sizeof table / sizeof *table };
    static const char groups[3];
    struct host *h = calloc(1, sizeof *h);
    struct grouped all[N] = {0};
    struct spd_store *store = NULL;
    struct spd_writer *w = start(h, &store, NULL);
    (void)state;
    h->fail_alone = 5;
    gate(h, true);
    assert_int_equal(submit(w, h, 100), SPD_OK);
    for (int i = 0; i < 1000 && spd_writer_stats(w).waiting; i++) usleep(2000);
    for (size_t i = 0; i < N; i++) {
        struct spd_arena *a = spd_arena_new(4096);
        struct spd_outcome_event *o = SPD_NEW(a, struct spd_outcome_event);
        struct spd_event e = {SPD_EVENT_OUTCOME, 0, {o}};
        o->outbox = (int64_t)i + 1;
        all[i] = (struct grouped){w, h, false};
        assert_int_equal(spd_writer_submit_arena(w, &e, a, grouped_done, &all[i],
                                                 table[i].group ? &groups[table[i].group - 'a'] : NULL), SPD_OK);
    }
    gate(h, false);
    spd_writer_stop(w);
    assert_int_equal(h->n_done, N + 1);
    assert_int_equal(h->done[5], -(int64_t)SPD_INVALID);
    for (size_t i = 0; i < N; i++) assert_int_equal(all[i].more, table[i].more);
    spd_store_close(store);
    free(h);
}

static void one_that_fails_fails_alone(void **state)
{
    struct host *h = calloc(1, sizeof *h);
    struct spd_store *store = NULL;
    struct spd_writer *w = start(h, &store, NULL);
    struct spd_arena *a = spd_arena_new(1 << 16);
    struct spd_setting s;
    (void)state;
    h->fail_alone = 3;
    first_then_queue(w, h, 1, 5);
    spd_writer_stop(w);
    assert_int_equal(h->undone, 1);
    assert_int_equal(h->lost, 0);
    assert_int_equal(h->done[1], 2);
    assert_int_equal(h->done[2], -SPD_INVALID);
    assert_int_equal(h->done[3], 4);
    assert_int_equal(spd_get_setting(store, 2, &s, a, NULL), SPD_OK);
    assert_int_equal(spd_get_setting(store, 3, &s, a, NULL), SPD_NOTFOUND); /* its row was taken back */
    assert_int_equal(spd_get_setting(store, 4, &s, a, NULL), SPD_OK);
    spd_arena_free(a);
    spd_store_close(store);
    free(h);
}

static void a_store_that_fails_loses_the_batch(void **state)
{
    struct host *h = calloc(1, sizeof *h);
    struct spd_store *store = NULL;
    struct spd_writer *w = start(h, &store, NULL);
    struct spd_arena *a = spd_arena_new(1 << 16);
    struct spd_setting s;
    (void)state;
    h->fail_io = 3;
    first_then_queue(w, h, 1, 5);
    wait_seen(h, 3);
    for (int i = 0; i < 400 && spd_writer_stats(w).failed < 4; i++) usleep(5000);
    assert_true(spd_writer_stats(w).losing);
    assert_int_equal(submit(w, h, 6), SPD_OK); /* it heals by itself */
    spd_writer_stop(w);
    assert_int_equal(h->lost, 1);
    assert_int_equal(h->n_done, 6);
    assert_int_equal(h->done[0], 1);
    for (int i = 1; i < 5; i++) assert_int_equal(h->done[i], -SPD_IO);
    assert_int_equal(h->done[5], 6);
    assert_int_equal(spd_get_setting(store, 2, &s, a, NULL), SPD_NOTFOUND);
    assert_int_equal(spd_get_setting(store, 6, &s, a, NULL), SPD_OK);
    spd_arena_free(a);
    spd_store_close(store);
    free(h);
}

static void a_full_queue_says_so(void **state)
{
    struct host *h = calloc(1, sizeof *h);
    struct spd_store *store = NULL;
    struct spd_writer *w = start(h, &store, &(struct spd_writer_options){sizeof(struct spd_writer_options), 10, 4, 0});
    (void)state;
    gate(h, true);
    assert_int_equal(submit(w, h, 1), SPD_OK);
    for (int i = 0; i < 1000 && spd_writer_stats(w).waiting; i++) usleep(2000);
    for (int64_t id = 2; id <= 11; id++) assert_int_equal(submit(w, h, id), SPD_OK);
    assert_int_equal(submit(w, h, 12), SPD_AGAIN);
    assert_int_equal(spd_writer_stats(w).waiting, 10);
    gate(h, false);
    spd_writer_stop(w); /* drains */
    assert_int_equal(h->n_done, 11);
    assert_int_equal(h->biggest, 4);
    spd_store_close(store);
    free(h);
}

static void big_events_fill_the_queue_too(void **state)
{
    struct host *h = calloc(1, sizeof *h);
    struct spd_store *store = NULL;
    struct spd_writer *w = start(h, &store, &(struct spd_writer_options){sizeof(struct spd_writer_options), 0, 0, 100000});
    static char big[200000];
    struct spd_outcome_event o = {.outbox = 2, .sent = {big, sizeof big}};
    struct spd_event e = {SPD_EVENT_OUTCOME, 0, {&o}};
    (void)state;
    gate(h, true);
    assert_int_equal(submit(w, h, 1), SPD_OK);
    for (int i = 0; i < 1000 && spd_writer_stats(w).waiting; i++) usleep(2000);
    assert_int_equal(spd_writer_submit(w, &e, done, h), SPD_OK);
    assert_int_equal(submit(w, h, 3), SPD_AGAIN);
    gate(h, false);
    spd_writer_stop(w);
    assert_int_equal(h->n_done, 2);
    spd_store_close(store);
    free(h);
}

static void add_timer(struct spd_store *s, int64_t id, spd_usec due)
{
    struct spd_timer t = {.id = id, .due = due, .kind = SPD_TIMER_WAIT, .subject = id};
    assert_int_equal(spd_store_begin(s, NULL), SPD_OK);
    assert_int_equal(spd_put_timer(s, &t, NULL, NULL), SPD_OK);
    assert_int_equal(spd_store_commit(s, NULL), SPD_OK);
}

static void timers_fire_when_due(void **state)
{
    struct host *h = calloc(1, sizeof *h);
    struct spd_store *store;
    struct spd_writer *w;
    spd_usec start_at = spd_clock_now();
    (void)state;
    assert_int_equal(spd_store_open("memory:", SPD_STORE_WRITE | SPD_STORE_CREATE, &store, NULL), SPD_OK);
    add_timer(store, 5, start_at - SPD_SEC(10)); /* overdue, as after a restart */
    add_timer(store, 6, start_at - SPD_SEC(5));
    add_timer(store, 7, start_at + 150000);
    add_timer(store, 8, start_at + SPD_HOUR(1));
    h->timer_poison = 5;
    w = start(h, &store, NULL);
    wait_seen(h, 3);
    spd_writer_stop(w);
    assert_int_equal(h->seen[0], -5); /* fails, is set aside, holds nobody up */
    assert_int_equal(h->seen[1], -6);
    assert_int_equal(h->seen[2], -7);
    assert_int_equal(h->n, 3);
    assert_true(h->at[2] >= start_at + 150000 && h->at[2] < start_at + SPD_SEC(2));
    spd_store_close(store);
    free(h);
}

static void time_never_goes_back(void **state)
{
    struct host *h = calloc(1, sizeof *h);
    struct spd_store *store;
    struct spd_writer *w;
    struct spd_journal row = {.id = 1, .at = 5000, .type = SPD_EVENT_START};
    (void)state;
    assert_int_equal(spd_store_open("memory:", SPD_STORE_WRITE | SPD_STORE_CREATE, &store, NULL), SPD_OK);
    assert_int_equal(spd_store_begin(store, NULL), SPD_OK);
    assert_int_equal(spd_put_journal(store, &row, NULL, NULL), SPD_OK);
    assert_int_equal(spd_store_commit(store, NULL), SPD_OK);
    h->now = 4000; /* the clock was set back while we were away */
    w = start(h, &store, NULL);
    submit(w, h, 1);
    wait_seen(h, 1);
    pthread_mutex_lock(&h->lock);
    h->now = 7000;
    pthread_mutex_unlock(&h->lock);
    submit(w, h, 2);
    wait_seen(h, 2);
    pthread_mutex_lock(&h->lock);
    h->now = 6000;
    pthread_mutex_unlock(&h->lock);
    submit(w, h, 3);
    spd_writer_stop(w);
    assert_int_equal(h->at[0], 5000);
    assert_int_equal(h->at[1], 7000);
    assert_int_equal(h->at[2], 7000);
    spd_store_close(store);
    free(h);
}

static void copy_id(void *ctx, const struct spd_receipt *r)
{
    *(int64_t *)ctx = r->id;
}

struct caller {
    struct spd_writer *w;
    int64_t base;
};

static void *many_calls(void *arg)
{
    struct caller *c = arg;
    for (int64_t i = 0; i < 200; i++) {
        struct spd_outcome_event o = {.outbox = c->base + i};
        struct spd_event e = {SPD_EVENT_OUTCOME, 0, {&o}};
        int64_t got = 0;
        if (spd_writer_call(c->w, &e, copy_id, &got) != SPD_OK || got != c->base + i) abort();
    }
    return NULL;
}

static void calls_from_many_threads(void **state)
{
    struct host *h = calloc(1, sizeof *h);
    struct spd_store *store = NULL;
    struct spd_writer *w = start(h, &store, NULL);
    struct caller c[4];
    pthread_t t[4];
    (void)state;
    for (int i = 0; i < 4; i++) {
        c[i] = (struct caller){w, 1 + i * 1000};
        assert_int_equal(pthread_create(&t[i], NULL, many_calls, &c[i]), 0);
    }
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    assert_int_equal(spd_writer_stats(w).events, 800);
    assert_int_equal(spd_writer_stats(w).failed, 0);
    spd_writer_stop(w);
    spd_store_close(store);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_and_in_batches), cmocka_unit_test(one_that_fails_fails_alone),
        cmocka_unit_test(a_store_that_fails_loses_the_batch), cmocka_unit_test(a_full_queue_says_so),
        cmocka_unit_test(big_events_fill_the_queue_too), cmocka_unit_test(timers_fire_when_due),
        cmocka_unit_test(time_never_goes_back), cmocka_unit_test(calls_from_many_threads),
        cmocka_unit_test(the_last_of_a_group_knows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
