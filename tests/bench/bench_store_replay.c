/* tests/bench/bench_store_replay.c: what the store costs on top of SQLite, and what the memory
 * store does.
 *
 * A mix like the core's (per event: 6 gets, 2 finds, 6 puts in a savepoint) runs three times on
 * copies of one database: once recorded, once through the store, once as a bare replay of the very
 * same statements with the very same bytes on prepared statements. Batches of 256, 16 and 1 events
 * per commit. The recorder stands between the store and SQLite by defining the few functions that
 * the store calls (symbols of the program go before those of the shared library). The replay steps
 * its queries and reads no column: the comparison is hard on the store. Prints medians of
 * alternating runs. */
#define _GNU_SOURCE
#include <malloc.h>

#include "bench/tape.h"
#include "unit/store_folder.h"

enum { ITEMS = 10000, RUNS = 5 };

/* ---- the mix --------------------------------------------------------------------------------- */
static struct spd_arena *arena;
static int64_t puts_done, gets_done;

static struct spd_item make_item(int64_t id)
{
    struct spd_item it = {.id = id,
                          .modality = SPD_SV("CT"),
                          .body_part = SPD_SV("HEAD"),
                          .location = SPD_SV("SEH"),
                          .peer = SPD_SV("ris"),
                          .order = SPD_ORDER_ACTIVE,
                          .images = SPD_IMAGES_COMPLETE,
                          .level = SPD_LEVEL_4,
                          .clinical_info = SPD_SV("ZZCANARY synthetic clinical question"),
                          .arrived = 1780000000000000 + id,
                          .due = 1780003600000000 + id};
    it.accession =
        (struct spd_cx){spd_arena_printf(arena, "ACC%08lld", (long long)id), SPD_SV("ZH")};
    it.placer = (struct spd_cx){spd_arena_printf(arena, "PL%lld", (long long)id), SPD_SV("ZH")};
    it.patient.name = spd_arena_printf(arena, "ZZCANARY^Test%lld", (long long)id);
    it.patient.ids.v = SPD_NEW(arena, struct spd_cx);
    it.patient.ids.n = 1;
    it.patient.ids.v[0] =
        (struct spd_cx){spd_arena_printf(arena, "P%07lld", (long long)id), SPD_SV("ZH")};
    it.study_uids.v = SPD_NEW(arena, spd_sv);
    it.study_uids.n = 1;
    it.study_uids.v[0] = spd_arena_printf(arena, "1.2.826.0.1.3680043.2.1125.%lld", (long long)id);
    it.procedures.v = SPD_NEW(arena, struct spd_code);
    it.procedures.n = 1;
    it.procedures.v[0] = (struct spd_code){SPD_SV("CTHERS"), SPD_SV("L"), SPD_SV("CT hersenen")};
    return it;
}

static void preload(struct spd_store *s)
{
    for (int64_t id = 1; id <= ITEMS; id++) {
        if (id % 500 == 1) must(spd_store_begin(s, NULL), "begin");
        struct spd_item it = make_item(id);
        struct spd_timer t = {.id = id, .due = it.due, .kind = SPD_TIMER_WAIT, .subject = id};
        must(spd_put_item(s, &it, NULL, NULL), "item");
        must(spd_put_timer(s, &t, NULL, NULL), "timer");
        if (id % 500 == 0) must(spd_store_commit(s, NULL), "commit");
        spd_arena_reset(arena);
    }
}

static void change_item(struct spd_store *s, int64_t id, int64_t n, struct spd_reason *reason)
{
    struct spd_item old, now;
    must(spd_get_item(s, id, &old, arena, NULL), "get item");
    now = old;
    now.level = n % 3 ? SPD_LEVEL_1 : SPD_LEVEL_2;
    now.level_since = now.revision = n;
    now.due = old.due + 1;
    now.reasons.v = reason;
    now.reasons.n = 1;
    must(spd_put_item(s, &now, &old, NULL), "put item");
}

static void event(struct spd_store *s, int64_t n)
{
    static const char raw[700] = "MSH|^~\\&|ZZCANARY";
    int64_t id = n * 7919 % ITEMS + 1, ids[4];
    size_t found;
    struct spd_reason reason = {SPD_SV("ich-positive"), SPD_SV("AI: intracraniële bloeding"),
                                SPD_SV("AI: intracranial hemorrhage"), SPD_LEVEL_1};
    struct spd_message m = {.id = n,
                            .at = n,
                            .direction = SPD_DIRECTION_IN,
                            .peer = SPD_SV("ris"),
                            .type = SPD_SV("ORU^R01"),
                            .sender = SPD_SV("AI|ZH"),
                            .control_id = spd_key_i64(arena, n),
                            .answer = SPD_ANSWER_AA,
                            .item = id,
                            .raw = {raw, sizeof raw}};
    struct spd_journal j = {.id = n, .at = n, .type = SPD_EVENT_RESULT, .event = {raw, sizeof raw}};
    struct spd_decision d = {.id = n,
                             .at = n,
                             .item = id,
                             .seq = n,
                             .level = SPD_LEVEL_1,
                             .reasons = {&reason, 1},
                             .policy_hash = SPD_SV("0123456789abcdef"),
                             .trigger = SPD_SV("result")};
    struct spd_outbox o = {.id = n,
                           .at = n,
                           .destination = SPD_SV("ris"),
                           .kind = SPD_OUTBOX_PRIORITY,
                           .state = SPD_OUTBOX_QUEUED,
                           .group_key = SPD_SV("ris|ACC"),
                           .due = n,
                           .item = id,
                           .payload = {raw, 300}};
    struct spd_timer t, told;
    struct spd_item other;
    must(spd_store_savepoint(s, NULL), "savepoint");
    must(spd_store_find(s, SPD_KEY_ITEM_ACCESSION,
                        spd_arena_printf(arena, "ACC%08lld|ZH", (long long)id), 0, ids, 4, &found,
                        NULL),
         "find");
    must(spd_store_find(s, SPD_KEY_ITEM_STUDY,
                        spd_arena_printf(arena, "1.2.826.0.1.3680043.2.1125.%lld", (long long)id),
                        0, ids, 4, &found, NULL),
         "find");
    must(spd_put_message(s, &m, NULL, NULL), "message");
    must(spd_put_journal(s, &j, NULL, NULL), "journal");
    for (int i = 0; i < 3; i++)
        must(spd_get_item(s, (id + i) % ITEMS + 1, &other, arena, NULL), "get item");
    must(spd_get_timer(s, id, &told, arena, NULL), "get timer");
    must(spd_get_message(s, n, &m, arena, NULL), "get message");
    change_item(s, id, n, &reason);
    t = told;
    t.due += 1000;
    must(spd_put_timer(s, &t, &told, NULL), "timer");
    must(spd_put_decision(s, &d, NULL, NULL), "decision");
    must(spd_put_outbox(s, &o, NULL, NULL), "outbox");
    must(spd_store_release(s, NULL), "release");
    gets_done += 6, puts_done += 6;
}

static double run_events(struct spd_store *s, int64_t events, int batch)
{
    double start = seconds();
    for (int64_t n = 1; n <= events; n++) {
        if ((n - 1) % batch == 0) must(spd_store_begin(s, NULL), "begin");
        event(s, n);
        if (n % batch == 0 || n == events) {
            must(spd_store_commit(s, NULL), "commit");
            spd_arena_reset(arena);
        }
    }
    return seconds() - start;
}

/* The tape runs from the first event on: before, statements come and go, and their addresses with
 * them. */
static double through_store(const struct folder *f, const char *base, int64_t events, int batch,
                            bool recorded)
{
    struct spd_store *s;
    tape_copy(base, f->db);
    must(spd_store_open(f->url, SPD_STORE_WRITE, &s, NULL), "open");
    tape.on = recorded;
    double took = run_events(s, events, batch);
    tape.on = false;
    spd_store_close(s);
    return took;
}

static void compare(const struct folder *f, const char *base, int batch, int64_t events)
{
    double ours[RUNS], bare[RUNS], ratio[RUNS];
    tape_clear();
    through_store(f, base, events, batch, true);
    for (int i = 0; i < RUNS; i++) {
        ours[i] = through_store(f, base, events, batch, false);
        tape_copy(base, f->db);
        bare[i] = tape_replay(f->db);
        ratio[i] = bare[i] / ours[i];
    }
    qsort(ours, RUNS, sizeof *ours, tape_by_value);
    qsort(bare, RUNS, sizeof *bare, tape_by_value);
    qsort(ratio, RUNS, sizeof *ratio, tape_by_value);
    printf("sqlite batch %3d: store %7.0f events/s %8.0f rows/s; bare replay %7.0f events/s; "
           "ratio %3.0f %% (%.0f to %.0f)\n",
           batch, (double)events / ours[RUNS / 2], (double)events * 6 / ours[RUNS / 2],
           (double)events / bare[RUNS / 2], 100 * ratio[RUNS / 2], 100 * ratio[0],
           100 * ratio[RUNS - 1]);
}

static void memory_figures(void)
{
    struct spd_store *s;
    struct spd_item it;
    const int64_t events = 100000, gets = 2000000;
    must(spd_store_open("memory:", SPD_STORE_WRITE, &s, NULL), "open");
    size_t before = mallinfo2().uordblks;
    preload(s);
    must(spd_store_begin(s, NULL), "begin"); /* lets go of what earlier transactions had */
    must(spd_store_commit(s, NULL), "commit");
    printf("memory: %zu bytes per open item, with its timer and keys\n",
           (mallinfo2().uordblks - before) / ITEMS);
    double took = run_events(s, events, 256);
    printf("memory: %.0f events/s of the mix (%.2f us each: 6 puts, 6 gets, 2 finds)\n",
           (double)events / took, took * 1e6 / (double)events);
    double start = seconds();
    for (int64_t i = 0; i < gets; i++)
        must(spd_get_item(s, i % ITEMS + 1, &it, arena, NULL), "get");
    printf("memory: get item %.3f us\n", (seconds() - start) * 1e6 / (double)gets);
    start = seconds();
    for (int64_t i = 0; i < events; i++) {
        struct spd_item old;
        if (i % 256 == 0) {
            if (i) must(spd_store_commit(s, NULL), "commit");
            must(spd_store_begin(s, NULL), "begin");
        }
        must(spd_get_item(s, i % ITEMS + 1, &old, arena, NULL), "get");
        it = old;
        it.due++;
        must(spd_put_item(s, &it, &old, NULL), "put");
    }
    printf("memory: get and put item %.3f us\n", (seconds() - start) * 1e6 / (double)events);
    must(spd_store_commit(s, NULL), "commit");
    spd_store_close(s);
}

int main(int argc, char **argv)
{
    struct folder f = folder_make();
    struct spd_store *s;
    char base[128];
    arena = spd_arena_new((size_t)1 << 31);
    memory_figures();
    if (argc > 1 && !strcmp(argv[1], "memory")) {
        folder_remove(&f);
        spd_arena_free(arena);
        return 0;
    }
    must(spd_store_open(f.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL), "open");
    preload(s);
    spd_store_close(s);
    snprintf(base, sizeof base, "%s/base", f.path);
    if (rename(f.db, base)) return 1;
    compare(&f, base, 256, 5120);
    compare(&f, base, 16, 2048);
    compare(&f, base, 1, 512);
    folder_remove(&f);
    spd_arena_free(arena);
    tape_free();
    return 0;
}
