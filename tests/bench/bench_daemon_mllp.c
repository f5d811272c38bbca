/* tests/bench/bench_daemon_mllp.c: HL7 over MLLP: door, writer, core and SQLite in one process, the
 * load client (mllp_load.h) in another. Its parts:
 *
 * - durable: 64 connections, every ACK after its commit (synchronous=FULL), beside a bare replay of
 *   the very same SQL statements with the very same bytes in the very same batches (tape.h); goal
 *   >= 60 %.
 * - echo: the door with a writer that stores nothing, beside a server that only finds MSH-10 and
 *   answers: mllpecho.c of the folder that SPOED_PEERS names (default ../shared/bench), else left
 *   out; goal >= 60 %.
 * - steady: one connection at 50 messages a second, p99 of the answer; goal < 10 ms on a quiet
 *   machine. Beside it what a bare write of 16 kB with fdatasync takes at the same pace, and how late
 *   a plain sleep wakes: neither is ours.
 * - long: a report with an OBX-5 of 1 MB, what it takes at most in times its size, counted at
 *   malloc (heap.h): to read and map it, beyond the bytes handed in (goal <= 2); from the socket to
 *   the answer with a writer that stores nothing; and in the whole brain, ours, SQLite's and SQLite's
 *   page cache apart, and what of all that was resident.
 * - flat: resident memory over many messages about 1,000 orders (default 100,000; the long run says
 *   1,000,000). SQLite's page cache (64 MB) fills within the first 40,000 or so; what grows after
 *   that is ours.
 *
 * Arguments: parts to run (default all), and flat's number. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>

#include "bench/heap.h"
#include "bench/tape.h"

#include "base/hash.h"
#include "base/log.h"
#include "bench/mllp_load.h"
#include "daemon/brain.h"
#include "door/door_hl7.h"
#include "net/socket.h"
#include "unit/store_folder.h"

enum {
    RUNS = 5,
    MID = RUNS / 2,
    DURABLE = 8000,
    ECHO = 30000,
    STEADY = 500,
    ORDERS = 1000,
    OBX = 1 << 20
};
enum { NEW_ORDER, SAME_ORDERS };

static struct spd_codes *codes;

static size_t load_message(long n, int kind, char *to)
{
    long k = kind == NEW_ORDER ? n : n % ORDERS;
    return (size_t)snprintf(
        to, LOAD_BYTES - 8,
        "MSH|^~\\&|RIS|ZH|SPOED|RAD|20261123%02ld%02ld%02ld||ORM^O01^ORM_O01|L%ld|P|2.5.1||||||"
        "UNICODE UTF-8\r"
        "PID|1||P%08ld^^^ZH^PI||ZZCANARY^Test%ld||19620417|F|||Teststraat "
        "1^^Utrecht^^3511AA^NL||0301234567\r"
        "PV1|1|E|SEH^K3^1|||||10023^ZZDOCTOR^P^^^Dr|||||||||||V998877\r"
        "ORC|%s|PL%ld|FL%ld||SC||^^^20261123083000^^S||20261123%02ld%02ld%02ld|ORDERENTRY||10023^"
        "ZZDOCTOR^P^^^Dr\r"
        "OBR|1|PL%ld|FL%ld|CTHERS^CT hersenen blanco^L|S|20261123081459|||||||Val van trap, GCS "
        "13, verdenking "
        "bloeding|||10023^ZZDOCTOR^P^^^Dr||A%ld||||20261123083000||CT|||^^^20261123083000^^S\r"
        "NTE|1||Antistolling: apixaban. Laatste inname 07:00.\rDG1|1|ICD10|S06.5^Traumatische "
        "subdurale bloeding^I10||20261123|W\r"
        "OBX|1|NM|2160-0^Kreatinine^LN||88|umol/L|||||F|||20261123075500\r",
        n / 3600 % 24, n / 60 % 60, n % 60, n, k, k, kind == NEW_ORDER || n < ORDERS ? "NW" : "XO",
        k, k, n / 3600 % 24, n / 60 % 60, n % 60, k, k, k);
}

static void say_if(bool bad, const struct spd_err *err)
{
    if (!bad) return;
    fprintf(stderr, "bench: %s: %s\n", err->place, err->text);
    exit(1);
}

/* ---- what stands behind the door ------------------------------------------------------------- */
static spd_usec now(void *self)
{
    (void)self;
    return spd_clock_now();
}

static bool peer(void *self, const struct spd_mllp_from *from, spd_sv msh_3, spd_sv msh_4,
                 struct spd_arena *arena, struct hl7_map_options *ret, unsigned *ret_quirks)
{
    (void)self, (void)from, (void)msh_3, (void)msh_4, (void)arena, (void)ret_quirks;
    *ret = (struct hl7_map_options){.peer = SPD_SV("ris"),
                                    .orders = true,
                                    .adt = true,
                                    .reports = true,
                                    .zone = spd_zone_get("Europe/Amsterdam"),
                                    .patient_authority = SPD_SV("ZH"),
                                    .accession_issuer = SPD_SV("ZH"),
                                    .on_unusable = SPD_ANSWER_AA};
    return true;
}

struct site {
    struct folder f;
    struct spd_store *store;
    struct spd_brain *brain;
    struct spd_door_hl7 *door;
    int port;
};

static struct spd_door_hl7 *open_door(struct spd_writer *writer, int *ret_port)
{
    struct spd_door_hl7_host host = {NULL, writer, codes, now, peer, NULL};
    struct spd_door_hl7 *door = spd_door_hl7_new(&host);
    struct spd_err err = {0};
    int fd;
    say_if(spd_net_listen("127.0.0.1", 0, &fd, &err), &err);
    say_if(spd_door_hl7_listen(door, fd, NULL, &err), &err);
    *ret_port = spd_door_hl7_port(door, 0);
    return door;
}

static void site_open(struct site *s, const char *base)
{
    struct spd_brain_options o = {.codes = codes, .now = now};
    struct spd_err err = {0};
    s->f = folder_make();
    if (base) tape_copy(base, s->f.db);
    say_if(spd_store_open(s->f.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s->store, &err), &err);
    say_if(spd_brain_new(s->store, &o, &s->brain, &err), &err);
    s->door = open_door(spd_brain_writer(s->brain), &s->port);
}

static void site_close(struct site *s)
{
    spd_door_hl7_free(s->door);
    spd_brain_free(s->brain);
    spd_store_close(s->store);
}

static void add_documents(struct spd_config_event *c, const char *kind, const char *pattern,
                          struct spd_arena *a)
{
    struct spd_source *files;
    struct spd_err err = {0};
    char glob[512];
    size_t n;
    snprintf(glob, sizeof glob, "%s/packaging/share/%s", SPOED_SOURCE_DIR, pattern);
    say_if(spd_source_glob(glob, 1 << 20, &files, &n, a, &err), &err);
    for (size_t i = 0; i < n; i++) {
        struct spd_document_event *d = SPD_LIST_PUSH(&c->documents, a);
        d->kind = spd_arena_printf(a, "%s:%s", kind,
                                   strrchr(spd_arena_dup(a, files[i].name).ptr, '/') + 1);
        d->hash = spd_sha256_hex(a, files[i].text), d->content = files[i].text;
    }
}

/* A base with the rules in force, as a start of the program leaves it. */
static void make_base(const char *path)
{
    struct site s;
    struct spd_config_event c = {0};
    struct spd_start_event start = {.version = SPD_SV("bench"),
                                    .boot = SPD_SV("b"),
                                    .secret = SPD_SV("01234567890123456789012345678901"),
                                    .alone = 1};
    struct spd_event e[] = {{SPD_EVENT_START, 0, {&start}}, {SPD_EVENT_CONFIG, 0, {&c}}};
    struct spd_settings settings = {.site = SPD_SV("ZH"),
                                    .time_zone = SPD_SV("Europe/Amsterdam"),
                                    .language = SPD_SV("nl"),
                                    .patient_authority = SPD_SV("ZH"),
                                    .accession_issuer = SPD_SV("ZH")};
    struct spd_arena *a = spd_arena_new(64 << 20);
    struct spd_str text = SPD_STR_INIT(1 << 20);
    site_open(&s, NULL);
    spd_desc_encode(&spd_settings_desc, &settings, &text);
    c.settings = spd_str_sv(&text);
    add_documents(&c, "policy", "policy.d/*.yaml", a);
    add_documents(&c, "models", "models.d/*.yaml", a);
    add_documents(&c, "people", "people.yaml", a);
    for (size_t i = 0; i < 2; i++)
        must(spd_writer_call(spd_brain_writer(s.brain), &e[i], NULL, NULL), "rules");
    site_close(&s);
    if (rename(s.f.db, path)) exit(1);
    folder_remove(&s.f);
    spd_str_done(&text);
    spd_arena_free(a);
}

static long resident_kb(const char *what)
{
    char line[256];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "re");
    size_t n = strlen(what);
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, what, n) && line[n] == ':') kb = strtol(line + n + 1, NULL, 10);
    if (f) fclose(f);
    return kb;
}

static void sort(double *v)
{
    qsort(v, RUNS, sizeof *v, tape_by_value);
}

/* ---- durable --------------------------------------------------------------------------------- */
static void durable(const char *base)
{
    double ours[RUNS], bare[RUNS], ratio[RUNS], p99[RUNS], batches = 0;
    for (int i = 0; i < RUNS; i++) {
        struct site s;
        struct load_report r;
        struct spd_writer_stats before, w;
        for (int recorded = 1; recorded >= 0;
             recorded--) { /* recorded once, then measured without the recorder */
            site_open(&s, base);
            before = spd_writer_stats(spd_brain_writer(s.brain));
            tape.on = recorded;
            r = load_ask(
                (struct load_order){s.port, LOAD_CONNECTIONS, 0, NEW_ORDER, 10000, DURABLE});
            tape.on = false;
            w = spd_writer_stats(spd_brain_writer(s.brain));
            site_close(&s);
            folder_remove(&s.f);
        }
        ours[i] = r.took, p99[i] = r.p99;
        batches = (double)(w.events - before.events) / (double)(w.batches - before.batches);
        s.f = folder_make();
        tape_copy(base, s.f.db);
        bare[i] = tape_replay(s.f.db);
        folder_remove(&s.f);
        tape_clear();
        ratio[i] = 100 * bare[i] / ours[i];
    }
    sort(ratio), sort(ours), sort(bare), sort(p99);
    printf("durable, 64 connections: %.0f messages/s (p99 %.1f ms, %.1f in a batch); bare replay "
           "%.0f; ratio %.0f %% (%.0f to %.0f; "
           "goal >= 60 %%)\n",
           DURABLE / ours[MID], p99[MID], batches, DURABLE / bare[MID], ratio[MID], ratio[0],
           ratio[RUNS - 1]);
}

/* ---- echo ------------------------------------------------------------------------------------ */
static enum spd_rc take_nothing(void *self, struct spd_store *store, const struct spd_event *e,
                                struct spd_arena *arena, const struct spd_receipt **ret,
                                struct spd_err *err)
{
    struct spd_receipt *r = SPD_NEW(arena, struct spd_receipt);
    (void)self, (void)store, (void)e, (void)err;
    r->answer = SPD_ANSWER_AA;
    *ret = r;
    return SPD_OK;
}

static void nothing(void *self)
{
    (void)self;
}

static const struct spd_writer_ops take_ops = {take_nothing, nothing, NULL, NULL, NULL, NULL, now};

/* Processor time of a process so far, in microseconds; pid 0: our own, all threads. */
static double cpu(pid_t pid)
{
    char path[64], text[1024] = "", *p;
    unsigned long user = 0, kernel = 0;
    FILE *f;
    if (!pid) {
        struct rusage u;
        getrusage(RUSAGE_SELF, &u);
        return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    }
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!(f = fopen(path, "re"))) return 0;
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    p = strrchr(text, ')');
    for (int i = 0; p && i < 12; i++)
        p = strchr(p + 1, ' '); /* field 14 */
    if (p) user = strtoul(p, &p, 10), kernel = strtoul(p, NULL, 10);
    return (double)(user + kernel) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static pid_t start_echo(int *ret_port)
{
    const char *folder =
        getenv("SPOED_PEERS") ? getenv("SPOED_PEERS") : SPOED_SOURCE_DIR "/../shared/bench";
    char source[512], program[] = "/tmp/spoed-mllpecho-XXXXXX", port[16];
    int fd, status;
    pid_t pid;
    snprintf(source, sizeof source, "%s/mllpecho.c", folder);
    if (access(source, R_OK) || (fd = mkstemp(program)) < 0) return 0;
    close(fd);
    if (!(pid = fork())) {
        execlp("cc", "cc", "-O2", "-std=gnu17", "-o", program, source, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    if (status || spd_net_listen("127.0.0.1", 0, &fd, NULL)) return 0;
    *ret_port = spd_net_port(fd);
    close(fd);
    snprintf(port, sizeof port, "%d", *ret_port);
    if (!(pid = fork())) {
        execl(program, program, port, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 100 && spd_net_connect("127.0.0.1", *ret_port, SPD_SEC(1), &fd, NULL); i++)
        usleep(20000);
    close(fd);
    unlink(program);
    return pid;
}

static void echo(void)
{
    static const int lines[] = {1, 8, 64};
    int echo_port = 0, port;
    pid_t pid = start_echo(&echo_port);
    struct spd_store *store;
    struct spd_writer *writer;
    struct spd_door_hl7 *door;
    struct spd_err err = {0};
    if (!pid) printf("echo: left out, the peers' folder is not here\n");
    if (!pid) return;
    say_if(spd_store_open("memory:", SPD_STORE_WRITE | SPD_STORE_CREATE, &store, &err), &err);
    say_if(spd_writer_start(store, &take_ops, NULL, NULL, &writer, &err), &err);
    door = open_door(writer, &port);
    for (size_t k = 0; k < 3; k++) {
        double ours[RUNS], theirs[RUNS], ratio[RUNS], own_cpu = 0, their_cpu = 0;
        for (int i = 0; i < RUNS; i++) {
            struct load_order o = {port,      lines[k], 0,
                                   NEW_ORDER, 1,        lines[k] == 1 ? ECHO / 5 : ECHO};
            own_cpu -= cpu(0), their_cpu -= cpu(pid);
            ours[i] = load_ask(o).took;
            o.port = echo_port;
            theirs[i] = load_ask(o).took;
            own_cpu += cpu(0), their_cpu += cpu(pid);
            ours[i] /= (double)o.messages, theirs[i] /= (double)o.messages;
            ratio[i] = 100 * theirs[i] / ours[i];
        }
        sort(ratio), sort(ours), sort(theirs);
        printf("echo without store, %2d connections: %.0f messages/s; mllpecho %.0f; ratio %.0f %% "
               "(%.0f to %.0f; goal >= 60 %%); "
               "processor time %.1f and %.1f us a message\n",
               lines[k], 1 / ours[MID], 1 / theirs[MID], ratio[MID], ratio[0], ratio[RUNS - 1],
               own_cpu / (RUNS * (lines[k] == 1 ? ECHO / 5 : ECHO)),
               their_cpu / (RUNS * (lines[k] == 1 ? ECHO / 5 : ECHO)));
    }
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    spd_door_hl7_free(door);
    spd_writer_stop(writer);
    spd_store_close(store);
}

/* ---- steady, long, flat ---------------------------------------------------------------------- */
/* At the pace of steady, in milliseconds: p50, p99 of a write with fdatasync, and p99 of how late a
 * sleep of 1 ms ends. */
static void steady_floor(const char *folder, double ret[3])
{
    static float write_ms[STEADY], late_ms[STEADY];
    char path[512], block[16384];
    double at = load_now();
    snprintf(path, sizeof path, "%s/floor", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    memset(block, 'x', sizeof block);
    for (int i = 0; i < STEADY; i++) {
        double from = load_now();
        usleep(1000);
        late_ms[i] = (float)((load_now() - from) * 1000 - 1);
        from = load_now();
        if (write(fd, block, sizeof block) != (ssize_t)sizeof block || fdatasync(fd)) exit(1);
        write_ms[i] = (float)((load_now() - from) * 1000);
        at += 0.02;
        if (at > load_now()) usleep((useconds_t)((at - load_now()) * 1e6));
    }
    close(fd);
    unlink(path);
    qsort(write_ms, STEADY, sizeof *write_ms, load_by_value);
    qsort(late_ms, STEADY, sizeof *late_ms, load_by_value);
    ret[0] = write_ms[STEADY / 2], ret[1] = write_ms[STEADY * 99 / 100];
    ret[2] = late_ms[STEADY * 99 / 100];
}

static void steady(const char *base)
{
    struct site s;
    double floor[3];
    struct load_report r;
    site_open(&s, base);
    r = load_ask((struct load_order){s.port, 1, 50, NEW_ORDER, 50000, STEADY});
    steady_floor(s.f.path, floor);
    printf("steady, one connection at 50 messages/s: p50 %.2f ms, p99 %.2f ms, max %.2f ms (goal "
           "p99 < 10 ms on a quiet machine); a bare write with fdatasync p50 %.2f ms, p99 %.2f ms; a "
           "sleep wakes late by p99 %.2f ms\n",
           r.p50, r.p99, r.max, floor[0], floor[1], floor[2]);
    site_close(&s);
    folder_remove(&s.f);
}

/* One frame, ready to send. */
static char *long_report(int n, size_t *ret_len)
{
    char *text = spd_must_malloc(OBX + 2048);
    int head = snprintf(text, 1024,
                        "\x0bMSH|^~\\&|RIS|ZH|SPOED|RAD|20261123081500||ORU^R01^ORU_R01|LONG%d|P|2."
                        "5.1||||||UNICODE UTF-8\r"
                        "PID|1||P00000001^^^ZH^PI||ZZCANARY^Test1\rOBR|1|PL1|FL1|CTHERS^CT "
                        "hersenen^L||||||||||||||A1||||||CT|F\r"
                        "OBX|1|TX|||",
                        n);
    memset(text + head, 'x', OBX);
    for (size_t i = 70; i < OBX; i += 71)
        text[(size_t)head + i] = ' ';
    memcpy(text + head + OBX, "||||||F\r\x1c\r", 10);
    *ret_len = (size_t)head + OBX + 10;
    return text;
}

/* In a child, so that the sender's buffers are not counted: sends, waits for AA. */
static void send_long(int port, const char *text, size_t len)
{
    int status = 1;
    pid_t pid = fork();
    if (!pid) {
        char answer[1024];
        size_t have = 0;
        int fd = load_dial(port);
        while (len) {
            ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
            if (n <= 0) _exit(3);
            text += n, len -= (size_t)n;
        }
        while (!memchr(answer, 0x1c, have)) {
            ssize_t n = recv(fd, answer + have, sizeof answer - have, 0);
            if (n <= 0) _exit(3);
            have += (size_t)n;
        }
        _exit(memmem(answer, have, "MSA|AA", 6) ? 0 : 4);
    }
    waitpid(pid, &status, 0);
    if (status) fprintf(stderr, "bench: the long report was not taken\n"), exit(1);
}

/* Times the size of the OBX-5. */
static double times(long bytes)
{
    return (double)bytes / OBX;
}

/* As one line, which stays where it stands, and as 15,000, which are put together. */
static void long_map(bool lines)
{
    struct hl7_map_options o;
    struct spd_event e = {0};
    struct heap_most most;
    unsigned quirks;
    size_t len;
    char *text = long_report(0, &len);
    for (char *p = strrchr(text, ' '); lines && p && p > text + 1024; p--)
        if (*p == ' ') *p = '~';
    peer(NULL, NULL, SPD_SV_NONE, SPD_SV_NONE, NULL, &o, &quirks);
    spd_door_hl7_codes(codes, &o);
    heap_begin();
    struct spd_arena *a = spd_arena_new(64 << 20);
    hl7_map_in(spd_sv_of(text + 1, len - 3), &o, &e, a);
    if (e.type != SPD_EVENT_REPORT || e.u.report->text.len + 2 < OBX)
        fprintf(stderr, "bench: the long report was not read\n"), exit(1);
    spd_arena_free(a);
    most = heap_end();
    spd_free(text);
    printf("long, an OBX-5 of 1 MB, %s, read and mapped: %.2f times its size beyond the bytes "
           "themselves (goal <= 2)\n",
           lines ? "15,000 lines" : "one line", times(most.ours));
}

static void long_door(void)
{
    struct spd_store *store;
    struct spd_writer *writer;
    struct spd_err err = {0};
    struct heap_most most = {0};
    int port;
    say_if(spd_store_open("memory:", SPD_STORE_WRITE | SPD_STORE_CREATE, &store, &err), &err);
    say_if(spd_writer_start(store, &take_ops, NULL, NULL, &writer, &err), &err);
    struct spd_door_hl7 *door = open_door(writer, &port);
    for (int i = 0; i < 2; i++) { /* the first one warms up */
        size_t len;
        char *text = long_report(i, &len);
        heap_begin();
        send_long(port, text, len);
        most = heap_end();
        spd_free(text);
    }
    printf("long, from the socket to the answer, nothing stored: %.2f times its size, its bytes "
           "included\n",
           times(most.ours));
    spd_door_hl7_free(door);
    spd_writer_stop(writer);
    spd_store_close(store);
}

/* Each on a trimmed heap and a fresh high-water mark; the first one warms up. */
static void long_brain(const char *base)
{
    struct site s;
    struct heap_most most = {0};
    long resident = 0;
    bool reset = true;
    site_open(&s, base);
    load_ask((struct load_order){s.port, 1, 0, SAME_ORDERS, 0, 200});
    for (int i = 0; i < 6; i++) {
        size_t len;
        char *text = long_report(i, &len);
        int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
        long before, more;
        usleep(100000);
        malloc_trim(0);
        reset = reset && fd >= 0 && write(fd, "5", 1) == 1;
        if (fd >= 0) close(fd);
        before = resident_kb("VmRSS");
        heap_begin();
        send_long(s.port, text, len);
        struct heap_most one = heap_end();
        more = resident_kb("VmHWM") - before;
        spd_free(text);
        if (!i) continue;
        if (one.ours > most.ours) most.ours = one.ours;
        if (one.sqlite > most.sqlite) most.sqlite = one.sqlite;
        if (one.cache > most.cache) most.cache = one.cache;
        if (more > resident) resident = more;
    }
    printf("long, committed by the whole brain: ours %.2f times its size, SQLite's rows %.2f, its "
           "page cache %.2f (each at its own peak)",
           times(most.ours), times(most.sqlite), times(most.cache));
    if (reset)
        printf("; resident for a moment %.2f\n", (double)resident * 1024 / OBX);
    else
        printf("; the high-water mark of resident memory cannot be set back here\n");
    site_close(&s);
    folder_remove(&s.f);
}

static void long_one(const char *base)
{
    long_map(false);
    long_map(true);
    long_door();
    long_brain(base);
}

static void flat(const char *base, long messages)
{
    struct site s;
    long at = 0, steps[] = {messages / 10, messages / 2, messages}, kb[3];
    site_open(&s, base);
    for (size_t i = 0; i < 3; i++) {
        load_ask((struct load_order){s.port, LOAD_CONNECTIONS, 0, SAME_ORDERS, at, steps[i] - at});
        at = steps[i];
        kb[i] = resident_kb("VmRSS");
    }
    printf("flat, %ld messages about %d orders: resident %.1f MB after a tenth, %.1f after half, "
           "%.1f after all; %+.1f MB\n",
           messages, ORDERS, (double)kb[0] / 1024, (double)kb[1] / 1024, (double)kb[2] / 1024,
           (double)(kb[2] - kb[0]) / 1024);
    site_close(&s);
    folder_remove(&s.f);
}

int main(int argc, char **argv)
{
    static const char *const parts[] = {"durable", "echo", "steady", "long", "flat"};
    bool wanted[5] = {false}, any = false;
    int64_t messages = 100000;
    char base[] = "/tmp/spoed-mllp-base-XXXXXX";
    struct spd_err err = {0};
    int fd;
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        while (k < 5 && strcmp(argv[i], parts[k]))
            k++;
        if (k < 5)
            wanted[k] = any = true;
        else if (!spd_sv_to_i64(spd_sv_from(argv[i]), &messages) || messages < 10000)
            return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    heap_start();
    load_start();
    if ((fd = mkstemp(base)) < 0) return 1;
    close(fd);
    spd_log_set_level(SPD_LOG_ERR);
    say_if(spd_codes_load_dir(SPOED_SOURCE_DIR "/packaging/share/codes", NULL, &codes, &err), &err);
    make_base(base);
    for (size_t k = 0; k < 5; k++) {
        if (any && !wanted[k]) continue;
        switch (k) {
        case 0:
            durable(base);
            break;
        case 1:
            echo();
            break;
        case 2:
            steady(base);
            break;
        case 3:
            long_one(base);
            break;
        default:
            flat(base, messages);
            break;
        }
        fflush(stdout);
    }
    unlink(base);
    load_stop();
    tape_free();
    spd_codes_free(codes);
    return 0;
}
