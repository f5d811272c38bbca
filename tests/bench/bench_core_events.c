/* tests/bench/bench_core_events.c: events per second of the core on the memory store, and bytes per
 * open item.
 *
 * The mix is core_mix.h's. Prints events/s (goal >= 100,000) and, at 100,000 open
 * items, the resident memory per item. Transactions of 256 events, as the writer makes them. */
#define _GNU_SOURCE
#include <malloc.h>
#include <time.h>

#include "bench/core_mix.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    int64_t patients = 100000;
    double t0, t;
    struct mallinfo2 before, after;
    if (argc > 1 && (!spd_sv_to_i64(spd_sv_from(argv[1]), &patients) || patients < 1)) return 2;
    world_open(&w, "memory:");
    before = mallinfo2();
    t0 = seconds();
    for (long k = 0; k < patients; k++)
        one_patient(k, true);
    flush();
    t = seconds() - t0;
    after = mallinfo2();
    printf("core on the memory store: %ld events in %.2f s = %.0f events/s (goal >= 100000)\n",
           events, t, (double)events / t);
    printf("memory: %.0f bytes per open item, with its result, messages and journal\n",
           (double)(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) /
               (double)patients);
    return 0;
}
