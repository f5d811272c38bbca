/* tests/bench/bench_daemon_result.c: with 100,000 open items on SQLite, from handing in a positive result to the
 * list in which it stands at the top: p50, p99; orders per second on the way there; memory per open item of the
 * whole brain. Arguments: number of items, number of results. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/internal.h"

enum { WAIT_USEC = 200 };

static char dir[] = "/tmp/spoed-bench-XXXXXX";

static void write_config(void)
{
    char path[128];
    FILE *f;
    snprintf(path, sizeof path, "%s/spoed.yaml", dir);
    f = fopen(path, "w");
    if (!f) exit(1);
    fprintf(f,
            "site: {name: Bench, time_zone: Europe/Amsterdam, language: nl, patient_authority: ZH, accession_issuer: ZH}\n"
            "store: {url: \"sqlite:%s/spoed.db\"}\npolicy: [%s/packaging/share/policy.d/*.yaml]\n"
            "models: [%s/packaging/share/models.d/*.yaml]\npeople: %s/packaging/share/people.yaml\ncodes: %s/packaging/share/codes\n"
            "listen:\n  http: [{socket: %s/spoed.sock}]\n  mllp: []\n"
            "channels:\n  pager: {type: webhook, url: \"http://127.0.0.1:9/\", mode: off}\n"
            "  mail: {type: smtp, url: \"smtp://127.0.0.1:9\", from: bench@example.org, mode: off}\n",
            dir, SPOED_SOURCE_DIR, SPOED_SOURCE_DIR, SPOED_SOURCE_DIR, SPOED_SOURCE_DIR, dir);
    fclose(f);
}

static void clean_up(void)
{
    static const char *const names[] = {"spoed.yaml", "spoed.db", "spoed.db-wal", "spoed.db-shm", "spoed.db.lock", "spoed.sock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

static size_t resident(void)
{
    size_t pages = 0, all;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%zu %zu", &all, &pages) != 2) pages = 0;
    if (f) fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static struct spd_cx cx(struct spd_arena *a, const char *prefix, int64_t n)
{
    return (struct spd_cx){spd_arena_printf(a, "%s%07lld", prefix, (long long)n), SPD_SV("ZH")};
}

static void order(struct spd_writer *w, int64_t n, struct spd_arena *a)
{
    struct spd_order_event o = {0};
    struct spd_event e = {SPD_EVENT_ORDER, 0, {&o}};
    struct spd_order_in *in = SPD_LIST_PUSH(&o.orders, a);
    *SPD_LIST_PUSH(&o.patient.ids, a) = cx(a, "ZZ", n);
    o.patient.name = SPD_SV("ZZCANARY, Test"), o.patient.birth_date = SPD_SV("19500101"), o.patient.sex = SPD_SV("M");
    o.location = SPD_SV("SEH"), o.patient_class = SPD_SV("E");
    in->control = SPD_SV("NW"), in->exam_done = 1;
    in->accession = cx(a, "A", n), in->placer = cx(a, "P", n), in->filler = cx(a, "F", n);
    *SPD_LIST_PUSH(&in->procedures, a) = (struct spd_code){SPD_SV("CTHERS"), SPD_SV("L"), SPD_SV("CT hersenen")};
    *SPD_LIST_PUSH(&in->study_uids, a) = spd_arena_printf(a, "2.25.1%07lld", (long long)n);
    in->modality = SPD_SV("CT"), in->body_part = SPD_SV("HEAD"), in->priority = SPD_PRIORITY_ROUTINE;
    in->source_time = spd_clock_now() - SPD_MIN(5);
    while (spd_writer_submit(w, &e, NULL, NULL) == SPD_AGAIN) usleep(WAIT_USEC);
    spd_arena_reset(a);
}

static void keep_revision(void *ctx, const struct spd_receipt *r)
{
    *(int64_t *)ctx = r->did == SPD_DID_APPLY ? r->revision : -1;
}

/* From handing in to the list that holds it. */
static spd_usec result(struct spd_daemon *d, int64_t n, struct spd_arena *a)
{
    struct spd_result_event r = {.known_peer = 1};
    struct spd_event e = {SPD_EVENT_RESULT, 0, {&r}};
    struct spd_finding *f = SPD_LIST_PUSH(&r.result.findings, a);
    spd_usec start;
    int64_t revision = 0;
    const struct spd_list *l;
    *SPD_LIST_PUSH(&r.result.patient.ids, a) = cx(a, "ZZ", n);
    r.result.accession = cx(a, "A", n);
    r.result.study_uid = spd_arena_printf(a, "2.25.1%07lld", (long long)n);
    r.result.sop_uid = spd_arena_printf(a, "2.25.2%07lld", (long long)n);
    r.result.series_uid = SPD_SV("2.25.3");
    r.result.manufacturer = SPD_SV("ExampleVendor"), r.result.name = SPD_SV("ICH Triage"), r.result.version = SPD_SV("2.1.0");
    r.result.state = SPD_AI_POSITIVE;
    r.result.content_at = spd_clock_now();
    *f = (struct spd_finding){.concept = SPD_SV("intracranial-hemorrhage"), .present = SPD_PRESENT_YES, .probability = 940000};
    start = spd_clock_monotonic();
    if (spd_writer_call(spd_daemon_writer(d), &e, keep_revision, &revision) || revision < 0) {
        fprintf(stderr, "result %lld was not applied\n", (long long)n);
        exit(1);
    }
    l = spd_board_wait(spd_brain_board(d->brain), revision, SPD_SEC(10));
    start = spd_clock_monotonic() - start;
    if (spd_list_revision(l) < revision) exit(1);
    spd_list_unref(l);
    spd_arena_reset(a);
    return start;
}

static int cmp(const void *x, const void *y)
{
    spd_usec a = *(const spd_usec *)x, b = *(const spd_usec *)y;
    return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
    struct spd_daemon_options o = {.size = sizeof o, .dicom_program = "/nonexistent"};
    struct spd_arena *a = spd_arena_new(1 << 20);
    struct spd_daemon *d;
    struct spd_err err = {0};
    int64_t items = 100000, results = 2000;
    char path[128];
    size_t before;
    spd_usec start, *took;
    if (argc > 1) spd_sv_to_i64(spd_sv_from(argv[1]), &items);
    if (argc > 2) spd_sv_to_i64(spd_sv_from(argv[2]), &results);
    if (!mkdtemp(dir) || results > items || results < 1) return 1;
    write_config();
    snprintf(path, sizeof path, "%s/spoed.yaml", dir);
    o.config = path;
    if (spd_daemon_start(&o, &d, &err)) {
        fprintf(stderr, "%s: %s\n", err.place, err.text);
        clean_up();
        return 1;
    }
    before = resident();
    start = spd_clock_monotonic();
    for (int64_t n = 1; n <= items; n++) order(spd_daemon_writer(d), n, a);
    while (spd_writer_stats(spd_daemon_writer(d)).waiting) usleep(WAIT_USEC);
    start = spd_clock_monotonic() - start;
    usleep(200000); /* the last publication */
    printf("daemon: %lld orders on SQLite, %lld per second; %zu bytes of memory per open item\n", (long long)items,
           (long long)(items * 1000000 / start), (resident() - before) / (size_t)items);
    took = spd_must_malloc(sizeof *took * (size_t)results);
    for (int64_t i = 0; i < results; i++) took[i] = result(d, 1 + i * (items / results), a);
    qsort(took, (size_t)results, sizeof *took, cmp);
    printf("daemon: result in -> published with %lld open items: p50 %lld us, p99 %lld us, max %lld us\n", (long long)items,
           (long long)took[results / 2], (long long)took[results * 99 / 100], (long long)took[results - 1]);
    spd_free(took);
    spd_daemon_stop(d);
    spd_arena_free(a);
    clean_up();
    return 0;
}
