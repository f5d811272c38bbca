/* tests/bench/bench_core_claim.c: what it costs the pager to take its row while a RIS that is down
 * has many waiting, on both back ends.
 *
 * N rows are due for one destination (10,000, or the first argument), none for the other but the
 * one that is claimed; prints microseconds per claim with 0 and with N rows in the way, and their
 * ratio (goal <= 2: a claim costs what its own destination has waiting). */
#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>

#include "unit/core_world.h"

enum { CLAIMS = 2000 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void put_row(struct world *w, int64_t id, const char *destination)
{
    struct spd_outbox row = {
        .id = id, .state = SPD_OUTBOX_QUEUED, .kind = SPD_OUTBOX_PRIORITY, .due = 1};
    row.destination = sv(destination);
    row.group_key = spd_arena_printf(w->a, "%s|item|%lld", destination, (long long)id);
    assert_int_equal(spd_put_outbox(w->store, &row, NULL, NULL), SPD_OK);
}

/* Claims in one transaction, each taken back, so that nothing but the claim is measured. */
static double claims(struct world *w)
{
    struct spd_claim_event c = {.destination = sv("pager"), .max = 1, .lease = SPD_SEC(30)};
    struct spd_event e = {SPD_EVENT_CLAIM, w->now, {.claim = &c}};
    double t0 = seconds();
    assert_int_equal(spd_store_begin(w->store, NULL), SPD_OK);
    for (int i = 0; i < CLAIMS; i++) {
        struct spd_receipt r;
        spd_arena_reset(w->a);
        assert_int_equal(spd_store_savepoint(w->store, NULL), SPD_OK);
        assert_int_equal(spd_core_apply(w->core, w->store, &e, w->a, &r, NULL), SPD_OK);
        assert_int_equal(r.n_claimed, 1);
        spd_store_rollback_to(w->store);
        spd_core_undo(w->core);
    }
    spd_store_rollback(w->store);
    return (seconds() - t0) / CLAIMS * 1e6;
}

static void measure(const char *url, int64_t n)
{
    struct world w;
    double alone, behind;
    world_open(&w, url);
    assert_int_equal(spd_store_begin(w.store, NULL), SPD_OK);
    put_row(&w, n + 1, "pager");
    assert_int_equal(spd_store_commit(w.store, NULL), SPD_OK);
    alone = claims(&w);
    assert_int_equal(spd_store_begin(w.store, NULL), SPD_OK);
    for (int64_t i = 1; i <= n; i++)
        put_row(&w, i, "ris"), spd_arena_reset(w.a);
    assert_int_equal(spd_store_commit(w.store, NULL), SPD_OK);
    behind = claims(&w);
    printf("claim on %s: %.1f us alone, %.1f us with %lld rows of another destination due, ratio "
           "%.2f (goal <= 2)\n",
           spd_store_name(w.store), alone, behind, (long long)n, behind / alone);
    world_close(&w);
}

int main(int argc, char **argv)
{
    char path[] = "/tmp/spoed-claim-XXXXXX", url[64], name[80];
    int64_t n = 10000;
    if (argc > 1 && (!spd_sv_to_i64(spd_sv_from(argv[1]), &n) || n < 1)) return 2;
    if (!mkdtemp(path)) return 1;
    snprintf(url, sizeof url, "sqlite:%s/s.db", path);
    measure("memory:", n);
    measure(url, n);
    for (size_t i = 0; i < 4; i++) {
        static const char *const ends[] = {"", "-wal", "-shm", ".writer"};
        snprintf(name, sizeof name, "%s/s.db%s", path, ends[i]);
        unlink(name);
    }
    return rmdir(path) ? 1 : 0;
}
