/* tests/bench/bench_daemon_publish.c: the brain on SQLite with many open items: how long it takes to start, what an
 * open item costs in memory, and how long from a result handed to the writer until it is on the published list.
 *
 * Every tenth item has its result already; those of the others come in one by one, and then in bursts of 20, as when
 * an AI product has caught up. The time is the writer's queue, the core's decision, the commit (synchronous=FULL), the
 * view and the publication; the doors are not in it. Prints p50 and p99 (goal p99 <= 50 ms at 100,000 open items) and
 * the start (goal <= 5 s at 10,000). Arguments: numbers of open items (default 10000 100000). */
#define _GNU_SOURCE
#include <malloc.h>

#include "bench/core_mix.h"
#include "daemon/brain.h"
#include "unit/store_folder.h"

enum { ROUNDS = 1000, BURSTS = 50, BURST = 20 };

static spd_usec epoch; /* the night goes on where the filling ended */

static spd_usec night(void *self)
{
    (void)self;
    return w.now + spd_clock_monotonic() - epoch;
}

struct answer {
    enum spd_rc rc;
    int64_t revision;
};

static void copy(void *ctx, const struct spd_receipt *r)
{
    struct answer *a = ctx;
    a->rc = r->rc, a->revision = r->revision;
}

static void must(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    spd_usec x = *(const spd_usec *)a, y = *(const spd_usec *)b;
    return (x > y) - (x < y);
}

static void say(const char *what, spd_usec *took, size_t n)
{
    qsort(took, n, sizeof *took, by_value);
    printf("  result in -> on the published list, %s: p50 %.2f ms, p99 %.2f ms, max %.2f ms\n", what,
           (double)took[n / 2] / 1000, (double)took[n * 99 / 100] / 1000, (double)took[n - 1] / 1000);
}

/* The k-th patient that waits for a result. */
static long waiting(long k)
{
    return k / 9 * 10 + 1 + k % 9;
}

static void one_by_one(struct spd_brain *b, long from)
{
    static spd_usec took[ROUNDS];
    for (long i = 0; i < ROUNDS; i++) {
        struct mix_patient m;
        struct answer a = {SPD_BUG, 0};
        struct spd_event e = {SPD_EVENT_RESULT, 0, {&m.result}};
        const struct spd_list *l;
        spd_usec start;
        mix_patient(&m, waiting(from + i));
        mix_result(&m, i % 10 == 0);
        start = spd_clock_monotonic();
        must(!spd_writer_call(spd_brain_writer(b), &e, copy, &a) && !a.rc, "a result was not taken");
        l = spd_board_wait(spd_brain_board(b), a.revision, SPD_SEC(10));
        took[i] = spd_clock_monotonic() - start;
        must(spd_list_revision(l) >= a.revision, "nothing was published");
        spd_list_unref(l);
    }
    say("one by one", took, ROUNDS);
}

static void in_bursts(struct spd_brain *b, long from)
{
    static spd_usec took[BURSTS * BURST];
    for (long i = 0; i < BURSTS; i++) {
        int64_t before;
        const struct spd_list *l = spd_board_get(spd_brain_board(b));
        spd_usec start = spd_clock_monotonic();
        before = spd_list_revision(l);
        spd_list_unref(l);
        for (long k = 0; k < BURST; k++) {
            struct mix_patient m;
            struct spd_event e = {SPD_EVENT_RESULT, 0, {&m.result}};
            mix_patient(&m, waiting(from + i * BURST + k));
            mix_result(&m, k == 0);
            must(!spd_writer_submit(spd_brain_writer(b), &e, NULL, NULL), "the queue is full");
        }
        for (long k = 0; k < BURST; k++) { /* each is one journal number */
            l = spd_board_wait(spd_brain_board(b), before + k + 1, SPD_SEC(10));
            must(spd_list_revision(l) > before + k, "nothing was published");
            took[i * BURST + k] = spd_clock_monotonic() - start;
            spd_list_unref(l);
        }
    }
    say("bursts of 20", took, BURSTS * BURST);
}

static size_t used(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static void fill(const char *url, long items)
{
    world_open(&w, url);
    for (long k = 0; k < items; k++) one_patient(k, k % 10 == 0);
    flush();
    spd_core_free(w.core);
    spd_store_close(w.store);
}

static void measure(long items)
{
    struct folder f = folder_make();
    struct spd_brain_options o = {.now = night};
    struct spd_brain *b;
    struct spd_err err = {0};
    const struct spd_list *l;
    size_t before;
    spd_usec start;
    must(items >= 10000, "at least 10000 open items are needed");
    fill(f.url, items);
    o.codes = w.codes;
    malloc_trim(0);
    before = used();
    start = epoch = spd_clock_monotonic();
    must(!spd_store_open(f.url, SPD_STORE_WRITE, &w.store, &err), err.text);
    must(!spd_brain_new(w.store, &o, &b, &err), err.text);
    start = spd_clock_monotonic() - start;
    l = spd_board_get(spd_brain_board(b));
    printf("brain with %zu open items: starts in %.2f s%s; %zu bytes of memory per open item\n", spd_list_count(l),
           (double)start / 1e6, items <= 10000 ? " (goal <= 5 s)" : "", (used() - before) / (size_t)items);
    must(spd_list_count(l) == (size_t)items, "not all items are listed");
    spd_list_unref(l);
    one_by_one(b, 0);
    in_bursts(b, ROUNDS);
    fflush(stdout);
    spd_brain_free(b);
    spd_store_close(w.store);
    spd_codes_free(w.codes);
    spd_arena_free(w.a);
    folder_remove(&f);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        measure(10000);
        measure(100000);
    }
    for (int i = 1; i < argc; i++) {
        int64_t items;
        if (!spd_sv_to_i64(spd_sv_from(argv[i]), &items)) return 2;
        measure(items);
    }
    return 0;
}
