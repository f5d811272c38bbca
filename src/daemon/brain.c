/* src/daemon/brain.c: see brain.h.
 *
 * A commit leaves the changed items behind (core's dirty list); they are gathered here and made
 * into rows at the next publication, so that an item that changes ten times in 20 ms is viewed
 * once. */
#define _GNU_SOURCE
#include "daemon/brain.h"

#include <glib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdatomic.h>

#include "base/log.h"
#include "daemon/fault.h"

enum { CLOSED_AT_START = 2000, PAGE = 500 };
#define PUBLISH_EVERY ((spd_usec)20000)
#define REFRESH_EVERY SPD_SEC(2)
#define LOOK_EVERY SPD_SEC(1)
#define VIEW_BYTES_MAX ((size_t)256 << 20)

struct spd_brain {
    struct spd_brain_options o;
    struct spd_store *store;
    struct spd_core *core;
    struct spd_board *board;
    _Atomic(struct spd_writer *) writer;
    struct spd_arena *arena;    /* of views */
    GHashTable *dirty;          /* item id -> itself: to be viewed */
    int64_t applied, committed; /* journal numbers */
    bool pending;               /* committed something that is not published yet */
    bool complete;
    spd_usec published_at, looked_at, refreshed_at; /* monotonic */
    atomic_bool refresh;
    atomic_int_fast64_t pulse;
    pthread_mutex_t feeds_lock;
    struct spd_brain_feed *feeds; /* made every second in the writer's thread */
    size_t n_feeds;
};

spd_usec spd_brain_now(struct spd_brain *b)
{
    return b->o.now ? b->o.now(b->o.now_self) : spd_clock_now();
}

/* ---- publication ----------------------------------------------------------------------------- */
static void show(struct spd_brain *b, int64_t item, int64_t revision, spd_usec now)
{
    struct spd_view view;
    struct spd_err err = {0};
    enum spd_rc rc;
    spd_arena_reset(b->arena);
    rc = spd_core_view(b->core, b->store, item, now, &view, b->arena, &err);
    if (!rc)
        spd_board_put(b->board, &view, revision);
    else if (rc == SPD_NOTFOUND)
        spd_board_remove(b->board, item);
    else
        spd_log(SPD_LOG_ERR, "an item could not be shown; its row is as it was",
                SPD_LI("item", item), SPD_LZ("rc", spd_rc_name(rc)), SPD_LZ("text", err.text));
}

/* In id order, so that the same commits give the same notes. */
static int by_value(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return (a > b) - (a < b);
}

static void publish(struct spd_brain *b, spd_usec now)
{
    guint n = g_hash_table_size(b->dirty), k = 0;
    int64_t *ids = spd_must_malloc(sizeof *ids * (n + 1));
    GHashTableIter it;
    gpointer id;
    g_hash_table_iter_init(&it, b->dirty);
    while (g_hash_table_iter_next(&it, &id, NULL))
        ids[k++] = *(int64_t *)id;
    g_hash_table_remove_all(b->dirty);
    if (k) qsort(ids, k, sizeof *ids, by_value);
    for (guint i = 0; i < k; i++) {
        show(b, ids[i], b->committed, now);
        spd_board_note(b->board, "item", ids[i], b->committed);
    }
    spd_free(ids);
    spd_board_publish(b->board, b->committed, now, b->complete);
    b->pending = false;
    b->published_at = spd_clock_monotonic();
    if (b->o.published) b->o.published(b->o.self);
}

static void mark_dirty(struct spd_brain *b, int64_t item)
{
    int64_t *key = g_new(int64_t, 1);
    *key = item;
    g_hash_table_add(b->dirty, key);
}

/* Domain §11: until a first reconcile, or while an expected feed is silent, the list may lack
 * something. What the pages may know of it is copied under a lock. */
static bool looks_complete(struct spd_brain *b)
{
    struct spd_feed *f;
    size_t n;
    bool complete;
    spd_arena_reset(b->arena);
    if (spd_core_feeds(b->core, b->store, &f, &n, b->arena, NULL)) return false;
    complete = spd_feeds_complete(f, n);
    pthread_mutex_lock(&b->feeds_lock);
    b->feeds = spd_must_realloc(b->feeds, (n + 1) * sizeof *b->feeds);
    for (size_t i = 0; i < n; i++) {
        b->feeds[i].feed = f[i];
        snprintf(b->feeds[i].peer, sizeof b->feeds[i].peer, "%.*s", SPD_SV_ARG(f[i].peer));
    }
    b->n_feeds = n;
    pthread_mutex_unlock(&b->feeds_lock);
    return complete;
}

size_t spd_brain_feeds(struct spd_brain *b, struct spd_brain_feed **ret, struct spd_arena *arena)
{
    size_t n;
    pthread_mutex_lock(&b->feeds_lock);
    n = b->n_feeds;
    *ret = SPD_NEW_N(arena, struct spd_brain_feed, n + 1);
    if (n) memcpy(*ret, b->feeds, n * sizeof **ret);
    pthread_mutex_unlock(&b->feeds_lock);
    for (size_t i = 0; i < n; i++)
        (*ret)[i].feed.peer = spd_sv_from((*ret)[i].peer);
    return n;
}

/* ---- the writer's calls ---------------------------------------------------------------------- */
static enum spd_rc apply(void *self, struct spd_store *store, const struct spd_event *event,
                         struct spd_arena *arena, const struct spd_receipt **ret,
                         struct spd_err *err)
{
    struct spd_brain *b = self;
    struct spd_receipt *r = SPD_NEW(arena, struct spd_receipt);
    enum spd_rc rc;
    SPD_FAULT("before-apply");
    rc = spd_core_apply(b->core, store, event, arena, r, err);
    SPD_FAULT("after-apply");
    if (rc) return rc;
    if (r->revision > b->applied) b->applied = r->revision;
    if (event->type == SPD_EVENT_CONFIG ||
        (event->type == SPD_EVENT_ACTION && event->u.action->verb == SPD_ACT_SET_MODE))
        b->refreshed_at = 0; /* a person waits to see it */
    *ret = r;
    return SPD_OK;
}

static void undo(void *self)
{
    struct spd_brain *b = self;
    spd_core_undo(b->core);
}

static void committed(void *self, struct spd_store *store, spd_usec now)
{
    struct spd_brain *b = self;
    const int64_t *ids;
    const struct spd_note *notes;
    size_t n;
    (void)store, (void)now;
    SPD_FAULT("after-commit");
    spd_core_committed(b->core);
    n = spd_core_take_dirty(b->core, &ids);
    /* A claim that found nothing changed nothing: publishing it would kick the channels, which would
     * claim again, for as long as a row waits for another one of its order. */
    if (b->applied == b->committed && !n) return;
    b->committed = b->applied;
    for (size_t i = 0; i < n; i++)
        mark_dirty(b, ids[i]);
    n = spd_core_take_notes(b->core, &notes);
    for (size_t i = 0; i < n; i++) {
        spd_board_note(b->board, notes[i].kind, notes[i].id, b->committed);
        if (notes[i].item) mark_dirty(b, notes[i].item);
    }
    b->pending = true;
    atomic_store(&b->refresh, true);
}

static void lost(void *self, struct spd_store *store)
{
    struct spd_brain *b = self;
    const int64_t *ids;
    const struct spd_note *notes;
    spd_core_rolled_back(b->core, store);
    spd_core_take_dirty(b->core, &ids); /* nothing of it happened */
    spd_core_take_notes(b->core, &notes);
    b->applied = b->committed;
}

static enum spd_rc next_timer(void *self, struct spd_store *store, spd_usec *ret_due,
                              int64_t *ret_id)
{
    (void)self;
    return spd_core_next_timer(store, ret_due, ret_id, NULL);
}

static spd_usec idle(void *self, struct spd_store *store, spd_usec monotonic)
{
    struct spd_brain *b = self;
    struct spd_writer *w = atomic_load(&b->writer);
    bool quiet = !w || spd_writer_stats(w).waiting == 0;
    if (monotonic - b->looked_at >= LOOK_EVERY) {
        bool complete = looks_complete(b);
        b->pending = b->pending || complete != b->complete;
        b->complete = complete, b->looked_at = monotonic;
        atomic_store(&b->pulse, monotonic);
    }
    if (b->pending && (quiet || monotonic - b->published_at >= PUBLISH_EVERY))
        publish(b, spd_brain_now(b));
    if (atomic_load(&b->refresh) && monotonic - b->refreshed_at >= REFRESH_EVERY) {
        atomic_store(&b->refresh, false);
        b->refreshed_at = monotonic;
        if (b->o.refresh) b->o.refresh(b->o.self, b->core, store);
    }
    return b->pending ? b->published_at + PUBLISH_EVERY : 0;
}

static spd_usec now_of(void *self)
{
    return spd_brain_now(self);
}

static const struct spd_writer_ops ops = {apply, undo, committed, lost, next_timer, idle, now_of};

/* ---- start and stop -------------------------------------------------------------------------- */
static enum spd_rc fill_open(struct spd_brain *b, spd_usec now, struct spd_err *err)
{
    int64_t ids[PAGE], after = 0;
    size_t n;
    do {
        enum spd_rc rc =
            spd_store_find(b->store, SPD_KEY_ITEM_OPEN, SPD_SV("1"), after, ids, PAGE, &n, err);
        if (rc) return rc;
        for (size_t i = 0; i < n; i++)
            show(b, ids[i], b->committed, now);
        if (n) after = ids[n - 1];
    } while (n == PAGE);
    return SPD_OK;
}

/* The newest closed ones, oldest first: the board forgets in that order. */
static enum spd_rc fill_closed(struct spd_brain *b, spd_usec now, struct spd_err *err)
{
    int64_t *ids = spd_must_malloc(sizeof *ids * CLOSED_AT_START);
    size_t n = 0;
    enum spd_rc rc =
        spd_store_scan(b->store, SPD_T_ITEM, INT64_MAX, true, ids, CLOSED_AT_START, &n, err);
    const struct spd_list *l = spd_board_get(b->board);
    for (size_t i = rc ? 0 : n; i-- > 0;)
        if (!spd_list_find(l, ids[i])) show(b, ids[i], b->committed, now);
    spd_list_unref(l);
    spd_free(ids);
    return rc;
}

static enum spd_rc fill(struct spd_brain *b, struct spd_err *err)
{
    spd_usec now = spd_brain_now(b);
    enum spd_rc rc = spd_store_max_id(b->store, SPD_T_JOURNAL, &b->committed, err);
    b->applied = b->committed;
    b->complete = looks_complete(b);
    if (!rc) rc = fill_open(b, now, err);
    if (!rc) {
        spd_board_publish(b->board, b->committed, now,
                          b->complete); /* so that closed ones can be told apart */
        rc = fill_closed(b, now, err);
    }
    if (!rc) spd_board_publish(b->board, b->committed, now, b->complete);
    return rc;
}

enum spd_rc spd_brain_new(struct spd_store *store, const struct spd_brain_options *options,
                          struct spd_brain **ret, struct spd_err *err)
{
    struct spd_brain *b = spd_must_malloc(sizeof *b);
    struct spd_writer *w;
    enum spd_rc rc;
    b->o = *options;
    b->store = store;
    pthread_mutex_init(&b->feeds_lock, NULL);
    b->board = spd_board_new();
    b->core = spd_core_new(b->o.codes, b->o.templates);
    b->dirty = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    b->arena = spd_arena_new(VIEW_BYTES_MAX);
    if (!b->core || !b->arena) spd_out_of_memory();
    atomic_store(&b->refresh, true);
    atomic_store(&b->pulse, spd_clock_monotonic());
    rc = spd_core_open(b->core, store, err);
    if (rc == SPD_NOTFOUND) rc = SPD_OK; /* a new database: the config event comes next */
    if (!rc) rc = fill(b, err);
    if (!rc) rc = spd_writer_start(store, &ops, b, NULL, &w, err);
    if (rc) {
        spd_brain_free(b);
        return rc;
    }
    atomic_store(&b->writer, w);
    *ret = b;
    return SPD_OK;
}

void spd_brain_free(struct spd_brain *b)
{
    if (!b) return;
    spd_writer_stop(atomic_exchange(&b->writer, NULL));
    spd_board_free(b->board);
    spd_core_free(b->core);
    g_hash_table_unref(b->dirty);
    spd_arena_free(b->arena);
    spd_free(b->feeds);
    pthread_mutex_destroy(&b->feeds_lock);
    spd_free(b);
}

struct spd_writer *spd_brain_writer(struct spd_brain *b)
{
    return atomic_load(&b->writer);
}

struct spd_board *spd_brain_board(struct spd_brain *b)
{
    return b->board;
}

spd_usec spd_brain_pulse(struct spd_brain *b)
{
    return atomic_load(&b->pulse);
}

void spd_brain_refresh_soon(struct spd_brain *b)
{
    atomic_store(&b->refresh, true);
}
