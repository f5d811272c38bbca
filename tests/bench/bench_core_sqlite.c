/* tests/bench/bench_core_sqlite.c: events per second of the core on SQLite, against a bare replay
 * of the very same statements with the very same bytes.
 *
 * The mix is core_mix.h's, in transactions of 256 events, on a database that holds 5,000 patients
 * already. It runs once recorded (tape.h), then by turns through the core and as a replay, each on
 * a fresh copy. The replay reads no column and decides nothing: what is missing to 100 % is all
 * that the core and the store do. Prints medians (goal
 * >= 60 %). An argument sets the number of patients. */
#define _GNU_SOURCE
#include <malloc.h>

#include "bench/tape.h"

#include "bench/core_mix.h"
#include "unit/store_folder.h"

enum { BEFORE = 5000, RUNS = 5 };

static void open_world(const char *url)
{
    struct spd_err err = {0};
    must(spd_store_open(url, SPD_STORE_WRITE, &w.store, &err), "open");
    w.core = spd_core_new(w.codes, NULL);
    must(spd_core_open(w.core, w.store, &err), "core");
}

static void close_world(void)
{
    spd_core_free(w.core);
    spd_store_close(w.store);
}

static double through_core(const struct folder *f, const char *base, spd_usec from, long patients,
                           bool recorded)
{
    double took;
    tape_copy(base, f->db);
    open_world(f->url);
    w.now = from, events = 0;
    tape.on = recorded;
    took = seconds();
    for (long k = BEFORE; k < BEFORE + patients; k++)
        one_patient(k, true);
    flush();
    took = seconds() - took;
    tape.on = false;
    close_world();
    return took;
}

int main(int argc, char **argv)
{
    struct folder f = folder_make();
    double ours[RUNS], bare[RUNS], ratio[RUNS];
    int64_t patients = 5000;
    spd_usec from;
    char base[128];
    if (argc > 1 && (!spd_sv_to_i64(spd_sv_from(argv[1]), &patients) || patients < 1)) return 2;
    snprintf(base, sizeof base, "%s/base", f.path);
    world_open(&w, f.url);
    for (long k = 0; k < BEFORE; k++)
        one_patient(k, true);
    flush();
    from = w.now;
    close_world();
    if (rename(f.db, base)) return 1;
    through_core(&f, base, from, patients, true);
    for (int i = 0; i < RUNS; i++) {
        ours[i] = through_core(&f, base, from, patients, false);
        tape_copy(base, f.db);
        bare[i] = tape_replay(f.db);
        ratio[i] = bare[i] / ours[i];
    }
    qsort(ours, RUNS, sizeof *ours, tape_by_value);
    qsort(bare, RUNS, sizeof *bare, tape_by_value);
    qsort(ratio, RUNS, sizeof *ratio, tape_by_value);
    printf("core on SQLite, batch 256: %.0f events/s; bare replay %.0f events/s; ratio %.0f %% "
           "(%.0f to %.0f; goal >= 60 %%); "
           "%.1f statements per event\n",
           (double)events / ours[RUNS / 2], (double)events / bare[RUNS / 2], 100 * ratio[RUNS / 2],
           100 * ratio[0], 100 * ratio[RUNS - 1], (double)tape_steps() / (double)events);
    folder_remove(&f);
    tape_free();
    spd_codes_free(w.codes);
    spd_arena_free(w.a);
    return 0;
}
