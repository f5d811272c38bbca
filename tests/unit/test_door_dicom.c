/* tests/unit/test_door_dicom.c: the whole way: DCMTK's own echoscu, storescu and findscu against spoed-dicom's
 * front, the door, a real writer on the memory store (with an apply of our own) and a real list. Also the pool of
 * decoders, with decoders that die or hang. Loopback, free port, own folder. Skips where DCMTK's tools are not. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#include "door/door_dicom.h"
#include "sr_bytes.h"

#define PROGRAM SPOED_BUILD_DIR "/spoed-dicom"
#define GROUP "CONTAINER 126000/DCM/Imaging Measurement Report\n CONTAINER 125007/DCM/Measurement Group\n"                     \
              "  TEXT 111001/DCM/Algorithm Name = Testalgo\n  CODE 121071/DCM/Finding = 1386000/SCT/Intracranial hemorrhage\n"  \
              "  CODE 121071/DCM/Finding = 52101004/SCT/Present\n"

extern char **environ;

static struct world {
    pthread_mutex_t lock;
    struct spd_store *store;
    struct spd_writer *writer;
    struct spd_board *board;
    struct spd_codes *codes;
    struct spd_door_dicom *door;
    char folder[64], port[8];
    struct seen { int results, not_results, unreadable, positive; char last_concept[64], last_peer[32], last_id[64]; } seen;
    bool fail_commit;
    atomic_int alarms, crash_alarms;
} w = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum spd_rc apply(void *self, struct spd_store *store, const struct spd_event *e, struct spd_arena *arena,
                         const struct spd_receipt **ret, struct spd_err *err)
{
    (void)self, (void)store, (void)err;
    *ret = SPD_NEW(arena, struct spd_receipt);
    pthread_mutex_lock(&w.lock);
    enum spd_rc rc = w.fail_commit ? SPD_IO : SPD_OK;
    if (!rc && e->type == SPD_EVENT_MESSAGE) w.seen.unreadable++;
    if (!rc && e->type == SPD_EVENT_RESULT) {
        const struct spd_result *r = &e->u.result->result;
        if (e->u.result->not_a_result) w.seen.not_results++;
        else w.seen.results++;
        w.seen.positive += r->state == SPD_AI_POSITIVE;
        if (r->findings.n) snprintf(w.seen.last_concept, sizeof w.seen.last_concept, "%.*s", SPD_SV_ARG(r->findings.v[0].concept));
        if (r->patient.ids.n) snprintf(w.seen.last_id, sizeof w.seen.last_id, "%.*s|%.*s", SPD_SV_ARG(r->patient.ids.v[0].value), SPD_SV_ARG(r->patient.ids.v[0].authority));
        snprintf(w.seen.last_peer, sizeof w.seen.last_peer, "%.*s", SPD_SV_ARG(e->u.result->message.peer));
    }
    pthread_mutex_unlock(&w.lock);
    return rc;
}
static struct seen look(void)
{
    pthread_mutex_lock(&w.lock);
    struct seen s = w.seen;
    pthread_mutex_unlock(&w.lock);
    return s;
}
static void nothing(void *self) { (void)self; }
static void committed(void *self, struct spd_store *s, spd_usec t) { (void)self, (void)s, (void)t; }
static void lost(void *self, struct spd_store *s) { (void)self, (void)s; }
static enum spd_rc next_timer(void *self, struct spd_store *s, spd_usec *due, int64_t *id)
{
    (void)self, (void)s;
    return *due = 0, *id = 0, SPD_OK;
}
static spd_usec now(void *self) { return (void)self, spd_clock_now(); }

static void peer(void *self, spd_sv ae, spd_sv address, spd_sv certificate, struct spd_arena *arena, struct spd_door_peer *ret)
{
    (void)self, (void)arena;
    assert_int_equal(certificate.len, 0);
    assert_true(spd_sv_is(address, "127.0.0.1"));
    *ret = (struct spd_door_peer){.patient_authority = SPD_SV("ZH"), .accession_issuer = SPD_SV("ZH")};
    if (spd_sv_is(ae, "VENDOR1")) ret->name = SPD_SV("ai"), ret->known = true;
}
static void alarm_came(void *self, const char *kind, const char *nl, const char *en, bool clear)
{
    (void)self, (void)nl, (void)en;
    if (!strcmp(kind, "dicom-front") && !clear) w.alarms++;
    if (!strcmp(kind, "dicom-decode") && !clear) w.crash_alarms++;
}

/* ---- helpers ----------------------------------------------------------------------------------------- */
static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (void *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (void *)&a, &n), 0);
    close(fd);
    return ntohs(a.sin_port);
}

/* Runs a tool with its output in <folder>/out; returns its exit code. */
static int run(const char *const *argv)
{
    char out[96];
    pid_t pid;
    int status;
    posix_spawn_file_actions_t fa;
    snprintf(out, sizeof out, "%s/out", w.folder);
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&fa, 1, 2);
    if (posix_spawnp(&pid, argv[0], &fa, NULL, (char **)(uintptr_t)argv, environ)) return -1;
    posix_spawn_file_actions_destroy(&fa);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

static bool output_has(const char *text, int times)
{
    char out[96], buf[65536];
    snprintf(out, sizeof out, "%s/out", w.folder);
    FILE *f = fopen(out, "r");
    size_t n = fread(buf, 1, sizeof buf - 1, f);
    fclose(f);
    buf[n] = 0;
    int seen = 0;
    for (char *p = buf; (p = strstr(p, text)); p++) seen++;
    if (seen == times) return true;
    printf("expected \"%s\" %d times, saw %d in:\n%s\n", text, times, seen, buf);
    return false;
}

static const char *object(const char *name, const char *sop_class, const char *tree)
{
    static char path[128];
    struct spd_str b = SPD_STR_INIT(1 << 20);
    snprintf(path, sizeof path, "%s/%s", w.folder, name);
    sr_file(&b, sop_class, "1.2.3.6.1", "ACC1", "ZZ1", "COMPLETE", tree);
    FILE *f = fopen(path, "w");
    fwrite(b.ptr, 1, b.len, f);
    fclose(f);
    spd_str_done(&b);
    return path;
}

static void put_item(int64_t id, bool acquired, int level, const char *accession, const char *name)
{
    struct spd_view v = {0};
    struct spd_cx pid = {.value = SPD_SV("ZZ1"), .authority = SPD_SV("ZH")};
    struct spd_code p = {.code = SPD_SV("CTHERS"), .scheme = SPD_SV("L"), .text = SPD_SV("CT hersenen")};
    v.item = (struct spd_item){.id = id, .accession = {.value = spd_sv_from(accession), .authority = SPD_SV("ZH")},
                               .modality = SPD_SV("CT"), .order = SPD_ORDER_ACTIVE, .level = level, .arrived = SPD_SEC(id),
                               .images = acquired ? SPD_IMAGES_COMPLETE : SPD_IMAGES_NONE, .reading = SPD_READING_UNREAD,
                               .report = SPD_REPORT_NONE, .scheduled = SPD_SEC(1772000000), .created = SPD_SEC(1772000000)};
    v.item.patient.name = spd_sv_from(name);
    v.item.patient.ids.v = &pid, v.item.patient.ids.n = 1;
    v.item.procedures.v = &p, v.item.procedures.n = 1;
    v.status = spd_item_status(&v.item);
    v.on_modality_list = !acquired;
    v.level_name = level == 1 ? SPD_SV("critical") : SPD_SV("routine");
    spd_board_put(w.board, &v, 1);
}

static void wait_up(bool up)
{
    struct timespec tick = {0, 20000000};
    for (int i = 0; i < 500 && spd_door_dicom_stats(w.door).up != up; i++) nanosleep(&tick, NULL);
    assert_int_equal(spd_door_dicom_stats(w.door).up, up);
}

static int setup(void **state)
{
    static const struct spd_writer_ops ops = {apply, nothing, committed, lost, next_timer, NULL, now};
    struct spd_writer_options o = {.size = sizeof o};
    struct spd_err err = {0};
    (void)state;
    snprintf(w.folder, sizeof w.folder, "/tmp/spoed-test-dicom-XXXXXX");
    if (!mkdtemp(w.folder)) return 1;
    setenv("TCP_NODELAY", "1", 1);
    if (spd_codes_load_dir(SPOED_SOURCE_DIR "/packaging/share/codes", NULL, &w.codes, &err)) return 1;
    if (spd_store_open("memory:", SPD_STORE_WRITE, &w.store, &err)) return 1;
    if (spd_writer_start(w.store, &ops, &w, &o, &w.writer, &err)) return 1;
    w.board = spd_board_new();
    put_item(1, true, 4, "ACC1", "ZZCANARY, Eerste");
    put_item(2, true, 1, "ACC2", "ZZCANARY, Twééde");
    put_item(3, false, 4, "ACC3", "ZZCANARY, Derde");
    spd_board_publish(w.board, 1, spd_clock_now(), true);
    snprintf(w.port, sizeof w.port, "%d", free_port());
    int64_t port;
    spd_sv_to_i64(spd_sv_from(w.port), &port);
    struct spd_door_dicom_host host = {.self = &w, .peer = peer, .alarm = alarm_came, .writer = w.writer, .board = w.board,
                                       .codes = w.codes, .zone = spd_zone_get("Europe/Amsterdam")};
    struct spd_door_dicom_options d = {.size = sizeof d, .program = PROGRAM, .address = "127.0.0.1", .ae_title = "SPOED",
                                       .reporting_ae_title = "SPOED_READ", .port = (int)port};
    if (spd_door_dicom_start(&d, &host, &w.door, &err)) return printf("%s\n", err.text), 1;
    wait_up(true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    spd_door_dicom_stop(w.door);
    spd_writer_stop(w.writer);
    spd_store_close(w.store);
    spd_board_free(w.board);
    spd_codes_free(w.codes);
    const char *rm[] = {"rm", "-rf", w.folder, NULL};
    pid_t pid;
    posix_spawnp(&pid, rm[0], NULL, NULL, (char **)(uintptr_t)rm, environ);
    waitpid(pid, NULL, 0);
    return 0;
}

#define TOOL(...) run((const char *const[]){__VA_ARGS__, NULL})
#define NEED_TOOLS() do { if (TOOL("echoscu", "--version") != 0) { printf("skipped: no DCMTK tools\n"); skip(); } } while (0)

/* ---- the front ------------------------------------------------------------------------------------------ */
static void both_titles_answer_an_echo_and_no_other(void **state)
{
    (void)state;
    NEED_TOOLS();
    assert_int_equal(TOOL("echoscu", "-aec", "SPOED", "127.0.0.1", w.port), 0);
    assert_int_equal(TOOL("echoscu", "-aec", "SPOED_READ", "127.0.0.1", w.port), 0);
    assert_int_not_equal(TOOL("echoscu", "-aec", "OTHER", "127.0.0.1", w.port), 0);
}

static void a_result_is_stored_after_its_commit(void **state)
{
    (void)state;
    NEED_TOOLS();
    int before = look().results;
    assert_int_equal(TOOL("storescu", "-R", "-aet", "VENDOR1", "-aec", "SPOED", "127.0.0.1", w.port, object("a.dcm", "34", GROUP)), 0);
    assert_int_equal(look().results, before + 1);
    assert_string_equal(look().last_concept, "intracranial-hemorrhage");
    assert_string_equal(look().last_peer, "ai");
    assert_string_equal(look().last_id, "ZZ1|ZH");
    assert_int_equal(look().positive, 1);
    /* basic text: stored, and not a result */
    assert_int_equal(TOOL("storescu", "-R", "-aet", "NOBODY", "-aec", "SPOED_READ", "127.0.0.1", w.port,
                          object("b.dcm", "11", "CONTAINER 18748-4/LN/Report\n TEXT 121071/DCM/Finding = x\n")), 0);
    assert_int_equal(look().not_results, 1);
    assert_string_equal(look().last_peer, "");
    /* implicit VR */
    assert_int_equal(TOOL("storescu", "-R", "-xi", "-aet", "VENDOR1", "-aec", "SPOED", "127.0.0.1", w.port, object("c.dcm", "33", GROUP)), 0);
    assert_int_equal(look().results, before + 2);
}

static void what_cannot_be_committed_is_refused(void **state)
{
    (void)state;
    NEED_TOOLS();
    pthread_mutex_lock(&w.lock);
    w.fail_commit = true;
    pthread_mutex_unlock(&w.lock);
    int rc = TOOL("storescu", "-v", "-R", "-aec", "SPOED", "127.0.0.1", w.port, object("d.dcm", "34", GROUP));
    pthread_mutex_lock(&w.lock);
    w.fail_commit = false;
    pthread_mutex_unlock(&w.lock);
    assert_int_not_equal(rc, -1);
    assert_true(output_has("OutOfResources", 1) || output_has("0xa700", 1));
}

static const char *query(const char *name, const char *text)
{
    static char dump[128], dcm[128];
    snprintf(dump, sizeof dump, "%s/%s.dump", w.folder, name), snprintf(dcm, sizeof dcm, "%s/%s.dcm", w.folder, name);
    FILE *f = fopen(dump, "w");
    fputs(text, f);
    fclose(f);
    if (TOOL("dump2dcm", dump, dcm)) return NULL;
    return dcm;
}

static void the_two_lists_are_kept_apart(void **state)
{
    (void)state;
    NEED_TOOLS();
    const char *q = query("all", "(0008,0050) SH []\n(0010,0010) PN []\n(0040,1003) SH []\n(0040,0100) SQ\n(fffe,e000) -\n"
                                 "(0008,0060) CS [CT]\n(0040,0002) DA []\n(fffe,e00d) -\n(fffe,e0dd) -\n");
    assert_non_null(q);
    assert_int_equal(TOOL("findscu", "-v", "-W", "-aec", "SPOED_READ", "127.0.0.1", w.port, q), 0);
    assert_true(output_has("[ACC2", 1) && output_has("[ACC1", 1) && output_has("[ACC3", 0) && output_has("[STAT", 1));
    assert_true(output_has("ZZCANARY^Twééde", 1));
    assert_int_equal(TOOL("findscu", "-v", "-W", "-aec", "SPOED", "127.0.0.1", w.port, q), 0);
    assert_true(output_has("[ACC3", 1) && output_has("[ACC1", 0) && output_has("[ROUTINE", 1));
    /* rank order: the critical one first */
    assert_int_equal(TOOL("findscu", "-v", "-W", "-aec", "SPOED_READ", "--cancel", "1", "127.0.0.1", w.port, q), 0);
    /* a query that cannot be matched */
    const char *bad = query("bad", "(0008,0050) SH []\n(0040,0100) SQ\n(fffe,e000) -\n(0008,0060) CS [CT]\n(fffe,e00d) -\n"
                                   "(fffe,e000) -\n(0008,0060) CS [MR]\n(fffe,e00d) -\n(fffe,e0dd) -\n");
    TOOL("findscu", "-v", "-W", "-aec", "SPOED_READ", "127.0.0.1", w.port, bad);
    assert_true(output_has("[ACC1", 0));
}

/* 20 peers that connect and say nothing do not delay an honest one. */
static void silent_peers_cost_nobody_else(void **state)
{
    (void)state;
    NEED_TOOLS();
    int fds[40];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int64_t port;
    spd_sv_to_i64(spd_sv_from(w.port), &port);
    a.sin_port = htons((uint16_t)port);
    for (int i = 0; i < 40; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fds[i], (void *)&a, sizeof a), 0);
    }
    spd_usec t = spd_clock_monotonic();
    assert_int_equal(TOOL("echoscu", "-aec", "SPOED", "127.0.0.1", w.port), 0);
    printf("echo with 40 silent peers: %d ms\n", (int)((spd_clock_monotonic() - t) / 1000));
    assert_true(spd_clock_monotonic() - t < SPD_SEC(4));
    char byte;
    struct timespec six = {6, 0};
    nanosleep(&six, NULL);
    for (int i = 0; i < 40; i++) { /* closed by the front after 5 s */
        assert_true(recv(fds[i], &byte, 1, MSG_DONTWAIT) <= 0);
        close(fds[i]);
    }
}

/* A-ASSOCIATE-RQ for Verification, implicit little endian (PS3.8 §9.3.2). */
static size_t associate_request(unsigned char *p)
{
    static const unsigned char items[] = "\x10\0\0\x15" "1.2.840.10008.3.1.1.1"
        "\x20\0\0\x2e\x01\0\0\0" "\x30\0\0\x11" "1.2.840.10008.1.1" "\x40\0\0\x11" "1.2.840.10008.1.2"
        "\x50\0\0\x08" "\x51\0\0\x04\0\0\x40\0";
    size_t n = sizeof items - 1;
    memset(p, 0, 74);
    p[0] = 1, p[4] = (unsigned char)((68 + n) >> 8), p[5] = (unsigned char)(68 + n), p[7] = 1;
    memcpy(p + 10, "SPOED           HOLDER          ", 32);
    memcpy(p + 74, items, n);
    return 74 + n;
}

/* Associations that stand and ask for nothing give way to one that has something to say. */
static void idle_associations_give_way(void **state)
{
    (void)state;
    NEED_TOOLS();
    enum { HOLDERS = 40 };
    int fds[HOLDERS];
    unsigned char request[300], answer[300];
    size_t n = associate_request(request);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int64_t port;
    spd_sv_to_i64(spd_sv_from(w.port), &port);
    a.sin_port = htons((uint16_t)port);
    for (int i = 0; i < HOLDERS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fds[i], (void *)&a, sizeof a), 0);
        assert_int_equal(send(fds[i], request, n, MSG_NOSIGNAL), (ssize_t)n);
        assert_true(recv(fds[i], answer, sizeof answer, 0) > 0);
        assert_int_equal(answer[0], 2); /* accepted, also beyond the places */
    }
    assert_int_equal(TOOL("echoscu", "-aec", "SPOED", "127.0.0.1", w.port), 0);
    for (int i = 0; i < HOLDERS; i++) close(fds[i]);
}

/* Rubbish instead of DICOM costs one connection. */
static void rubbish_costs_one_connection(void **state)
{
    (void)state;
    NEED_TOOLS();
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int64_t port;
    spd_sv_to_i64(spd_sv_from(w.port), &port);
    a.sin_port = htons((uint16_t)port);
    for (int i = 0; i < 10; i++) {
        char junk[600];
        for (size_t k = 0; k < sizeof junk; k++) junk[k] = (char)((k * 131u + (unsigned)i * 7919u) >> 2);
        if (i & 1) memcpy(junk, "\x01\x00\x00\x00\x02\x40", 6); /* an associate request by its first bytes */
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (void *)&a, sizeof a), 0);
        send(fd, junk, sizeof junk, MSG_NOSIGNAL);
        close(fd);
    }
    assert_int_equal(TOOL("echoscu", "-aec", "SPOED", "127.0.0.1", w.port), 0);
}

static void a_crash_costs_one_association_and_alarms(void **state)
{
    (void)state;
    NEED_TOOLS();
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int64_t port;
    spd_sv_to_i64(spd_sv_from(w.port), &port);
    a.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), before = w.crash_alarms;
    assert_int_equal(connect(fd, (void *)&a, sizeof a), 0);
    struct timespec tick = {0, 200000000};
    nanosleep(&tick, NULL);
    /* only the children of this test's own front */
    assert_int_equal(TOOL("sh", "-c", "kill -ABRT $(pgrep -P $(pgrep -P $PPID spoed-dicom))"), 0);
    for (int i = 0; i < 100 && w.crash_alarms == before; i++) nanosleep(&tick, NULL);
    assert_true(w.crash_alarms > before);
    assert_true(spd_door_dicom_stats(w.door).up);
    assert_int_equal(TOOL("echoscu", "-aec", "SPOED", "127.0.0.1", w.port), 0);
    close(fd);
}

static void a_killed_front_is_started_again(void **state)
{
    (void)state;
    NEED_TOOLS();
    int before = w.alarms;
    char self[16];
    snprintf(self, sizeof self, "%d", (int)getpid());
    assert_int_equal(TOOL("pkill", "-9", "-P", self, "spoed-dicom"), 0);
    wait_up(false);
    wait_up(true);
    assert_int_equal(w.alarms, before + 1);
    assert_int_equal(TOOL("echoscu", "-aec", "SPOED", "127.0.0.1", w.port), 0);
}

/* ---- the pool of decoders ----------------------------------------------------------------------------------- */
static struct spd_decoder *pool;
static struct spd_str pool_bytes;

static void *decode_in_a_thread(void *rc)
{
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    struct spd_sr_doc doc;
    *(enum spd_rc *)rc = spd_decoder_run(pool, spd_str_sv(&pool_bytes), &doc, arena, NULL);
    spd_arena_free(arena);
    return NULL;
}

/* Doors decode in threads that come and go; the processes that such a thread leaves waiting must live on. */
static void threads_may_come_and_go(void **state)
{
    (void)state;
    struct spd_err err = {0};
    pool_bytes = SPD_STR_INIT(1 << 20);
    sr_file(&pool_bytes, "34", "1.2.3.6", "ACC1", "ZZ1", "COMPLETE", GROUP);
    assert_int_equal(spd_decoder_new(PROGRAM, 2, &pool, &err), SPD_OK);
    for (int i = 0; i < 8; i++) {
        pthread_t t;
        enum spd_rc rc = SPD_BUG;
        assert_int_equal(pthread_create(&t, NULL, decode_in_a_thread, &rc), 0);
        pthread_join(t, NULL);
        assert_int_equal(rc, SPD_OK);
    }
    assert_int_equal(spd_decoder_crashes(pool), 0);
    spd_decoder_free(pool);
    spd_str_done(&pool_bytes);
}

static void the_pool_decodes_and_survives(void **state)
{
    (void)state;
    struct spd_decoder *d;
    struct spd_err err = {0};
    struct spd_sr_doc doc;
    struct spd_str b = SPD_STR_INIT(1 << 20);
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    assert_int_equal(spd_decoder_new("/nonexistent/spoed-dicom", 2, &d, &err), SPD_IO);
    assert_int_equal(spd_decoder_new(PROGRAM, 2, &d, &err), SPD_OK);
    sr_file(&b, "34", "1.2.3.6", "ACC1", "ZZ1", "COMPLETE", GROUP);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(spd_decoder_run(d, spd_str_sv(&b), &doc, arena, &err), SPD_OK);
        assert_true(spd_sv_is(doc.sop_uid, "1.2.3.6"));
    }
    assert_int_equal(spd_decoder_run(d, SPD_SV("this is no DICOM object at all"), &doc, arena, &err), SPD_INVALID);
    assert_true(err.text[0] != 0);
    assert_int_equal(spd_decoder_crashes(d), 0);
    spd_decoder_free(d);
    /* a program that is no decoder stands for one that dies */
    assert_int_equal(spd_decoder_new("/bin/false", 1, &d, &err), SPD_OK);
    assert_int_equal(spd_decoder_run(d, spd_str_sv(&b), &doc, arena, &err), SPD_IO);
    assert_int_equal(spd_decoder_crashes(d), 1);
    spd_decoder_free(d);
    spd_str_done(&b);
    spd_arena_free(arena);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (access(PROGRAM, X_OK)) return printf("skipped: %s is not built\n", PROGRAM), 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_titles_answer_an_echo_and_no_other), cmocka_unit_test(a_result_is_stored_after_its_commit),
        cmocka_unit_test(what_cannot_be_committed_is_refused), cmocka_unit_test(the_two_lists_are_kept_apart),
        cmocka_unit_test(silent_peers_cost_nobody_else),
        cmocka_unit_test(idle_associations_give_way), cmocka_unit_test(rubbish_costs_one_connection),
        cmocka_unit_test(a_crash_costs_one_association_and_alarms),
        cmocka_unit_test(a_killed_front_is_started_again), cmocka_unit_test(the_pool_decodes_and_survives),
        cmocka_unit_test(threads_may_come_and_go)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
