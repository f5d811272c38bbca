/* tests/unit/test_scu_peers.c: associations that we ask for, with DCMTK's own servers at the other end: storescp takes
 * what we store, byte for byte, wlmscpfs answers our query; and what becomes of it when nobody is there, when we are
 * rejected, and when the peer goes away. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "scu/scu.h"

#define SR "1.2.840.10008.5.1.4.1.1.88.33"
#define MWL "1.2.840.10008.5.1.4.31"
#define PROGRAM SPOED_BUILD_DIR "/spoed-dicom"

extern char **environ;
static char folder[64];

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (void *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (void *)&a, &n), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static pid_t spawn(const char *const argv[], int port)
{
    posix_spawn_file_actions_t fa;
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pid_t pid;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
    int rc = posix_spawnp(&pid, argv[0], &fa, NULL, (char **)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 250; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        rc = connect(fd, (void *)&a, sizeof a);
        close(fd);
        if (!rc) return pid;
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
    fail_msg("%s does not listen", argv[0]);
    return 0;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static struct spd_scu_to peer_at(int port, const char *called)
{
    return (struct spd_scu_to){.host = SPD_SV("localhost"), .port = port, .called = spd_sv_from(called),
                               .calling = SPD_SV("SPOED"), .seconds = 5};
}

static spd_sv object(struct spd_arena *arena, const char *uid)
{
    struct spd_dcm_set set = {NULL, 0};
    struct spd_str out = SPD_STR_INIT(1 << 16);
    spd_dcm_put(&set, 0x00080016, "UI", SPD_SV(SR), arena);
    spd_dcm_put(&set, 0x00080018, "UI", spd_sv_from(uid), arena);
    spd_dcm_put(&set, 0x00080060, "CS", SPD_SV("SR"), arena);
    spd_dcm_put(&set, 0x00100010, "PN", SPD_SV("ZZCANARY^Test"), arena);
    spd_dcm_put(&set, 0x00100020, "LO", SPD_SV("123"), arena);
    spd_dcm_put(&set, 0x0020000D, "UI", SPD_SV("1.2.3"), arena);
    spd_dcm_put(&set, 0x0020000E, "UI", SPD_SV("1.2.3.4"), arena);
    spd_dcm_put_code(&set, 0x0040A043, SPD_SV("126000"), SPD_SV("DCM"), SPD_SV("Imaging Measurement Report"), arena);
    spd_dcm_encode(&set, true, &out);
    assert_true(spd_str_ok(&out));
    spd_sv ret = spd_arena_dup(arena, spd_str_sv(&out));
    spd_str_done(&out);
    return ret;
}

/* What storescp wrote; the only file of the folder. */
static spd_sv stored(struct spd_arena *arena)
{
    DIR *d = opendir(folder);
    spd_sv ret = SPD_SV_NONE;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char path[400];
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        FILE *f = fopen(path, "rb");
        char *bytes = spd_arena_must(arena, 1 << 20);
        assert_non_null(f);
        ret = spd_sv_of(bytes, fread(bytes, 1, 1 << 20, f));
        fclose(f);
        unlink(path);
    }
    closedir(d);
    return ret;
}

static void an_object_arrives_unchanged(void **state)
{
    char port_text[12];
    int port = free_port();
    const char *plain[] = {"storescp", "-od", folder, "-aet", "PACS", "+B", port_text, NULL};
    struct spd_arena *arena = spd_arena_new(1 << 23);
    struct spd_scu_to to = peer_at(port, "PACS");
    const struct spd_scu_context contexts[] = {{"1.2.840.10008.1.1", NULL, false},
                                               {SR, "1.2.840.10008.1.2.1", false},
                                               {SR, "1.2.840.10008.1.2", false}};
    struct spd_scu *scu;
    struct spd_err err = {0};
    unsigned status = 1;
    spd_sv comment, data = object(arena, "1.2.3.4.5"), file;
    size_t at;
    (void)state;
    snprintf(port_text, sizeof port_text, "%d", port);
    pid_t pid = spawn(plain, port);
    if (spd_scu_open(PROGRAM, &to, contexts, 3, &scu, &err)) fail_msg("%s: %s", err.place, err.text);
    assert_true(spd_sv_is(spd_scu_accepted(scu, 1), "1.2.840.10008.1.2.1"));
    assert_int_equal(spd_scu_echo(scu, &status, &err), SPD_OK);
    assert_int_equal(status, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(spd_scu_store(scu, SPD_SV(SR), SPD_SV("1.2.3.4.5"), SPD_SV("1.2.840.10008.1.2.1"), data, &status,
                                       &comment, arena, &err),
                         SPD_OK);
        assert_int_equal(status, 0);
        file = stored(arena);
        assert_true(spd_sv_find(file, data, &at));
        assert_int_equal(at + data.len, file.len);
    }
    /* A class that was not offered is not sent at all, and the association lives on. */
    assert_int_equal(spd_scu_store(scu, SPD_SV("1.2.840.10008.5.1.4.1.1.7"), SPD_SV("1.2.3.4.6"),
                                   SPD_SV("1.2.840.10008.1.2.1"), data, &status, &comment, arena, &err),
                     SPD_OK);
    assert_int_equal(status, 0x0122);
    assert_int_equal(spd_scu_echo(scu, &status, &err), SPD_OK);
    end(pid); /* the peer goes: the next request says so, and nothing hangs */
    assert_int_equal(spd_scu_echo(scu, &status, &err), SPD_AGAIN);
    assert_int_equal(spd_scu_echo(scu, &status, &err), SPD_AGAIN);
    spd_scu_close(scu);
    spd_arena_free(arena);
}

static void nobody_and_the_wrong_one(void **state)
{
    char port_text[12];
    int port = free_port();
    const char *refuses[] = {"storescp", "-od", folder, "--refuse", port_text, NULL};
    const struct spd_scu_context contexts[] = {{"1.2.840.10008.1.1", NULL, false}};
    struct spd_scu_to to = peer_at(port, "PACS");
    struct spd_scu *scu;
    struct spd_err err = {0};
    (void)state;
    snprintf(port_text, sizeof port_text, "%d", port);
    assert_int_equal(spd_scu_open(PROGRAM, &to, contexts, 1, &scu, &err), SPD_AGAIN);
    pid_t pid = spawn(refuses, port);
    assert_int_equal(spd_scu_open(PROGRAM, &to, contexts, 1, &scu, &err), SPD_DENIED);
    end(pid);
    to.host = SPD_SV("no-such-host.invalid");
    assert_int_equal(spd_scu_open(PROGRAM, &to, contexts, 1, &scu, &err), SPD_AGAIN);
    assert_int_equal(spd_scu_open("/nonexistent", &to, contexts, 1, &scu, &err), SPD_IO);
}

static bool count_answer(void *ctx, const struct spd_dcm *d)
{
    assert_true(spd_dcm_raw(&d->set, 0x00100020).len > 0);
    return ++*(int *)ctx < 100;
}

static void write_worklist(const char *path, int id, struct spd_arena *arena)
{
    struct spd_dcm_set set = {NULL, 0}, *step;
    struct spd_str data = SPD_STR_INIT(1 << 16), file = SPD_STR_INIT(1 << 16);
    spd_sv text = spd_arena_printf(arena, "%d", id);
    spd_dcm_put(&set, 0x00080050, "SH", text, arena);
    spd_dcm_put(&set, 0x00100010, "PN", SPD_SV("ZZCANARY^Test"), arena);
    spd_dcm_put(&set, 0x00100020, "LO", text, arena);
    spd_dcm_put(&set, 0x0020000D, "UI", spd_arena_printf(arena, "1.2.3.%d", id), arena);
    spd_dcm_put(&set, 0x00321060, "LO", SPD_SV("CT HEAD"), arena);
    spd_dcm_put(&set, 0x00401001, "SH", text, arena);
    step = spd_dcm_put_item(&set, 0x00400100, arena);
    spd_dcm_put(step, 0x00080060, "CS", SPD_SV("CT"), arena);
    spd_dcm_put(step, 0x00400001, "AE", SPD_SV("CT1"), arena);
    spd_dcm_put(step, 0x00400002, "DA", SPD_SV("20260101"), arena);
    spd_dcm_put(step, 0x00400003, "TM", SPD_SV("080000"), arena);
    spd_dcm_put(step, 0x00400007, "LO", SPD_SV("CT HEAD"), arena);
    spd_dcm_put(step, 0x00400009, "SH", text, arena);
    spd_dcm_encode(&set, true, &data);
    spd_dcm_file(SPD_SV(MWL), SPD_SV("1.2.3.4"), SPD_SV("1.2.840.10008.1.2.1"), spd_str_sv(&data), &file);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(file.ptr, 1, file.len, f), file.len);
    fclose(f);
    spd_str_done(&data), spd_str_done(&file);
}

static void a_worklist_is_read(void **state)
{
    char port_text[12], path[400];
    int port = free_port(), n = 0;
    const char *argv[] = {"wlmscpfs", "-dfp", folder, port_text, NULL};
    const struct spd_scu_context contexts[] = {{MWL, NULL, false}};
    struct spd_arena *arena = spd_arena_new(1 << 20);
    struct spd_scu_to to = peer_at(port, "RIS");
    struct spd_dcm_set keys = {NULL, 0}, *step;
    struct spd_scu *scu;
    struct spd_err err = {0};
    unsigned status = 1;
    spd_sv comment;
    (void)state;
    snprintf(port_text, sizeof port_text, "%d", port);
    snprintf(path, sizeof path, "%s/RIS", folder);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/RIS/lockfile", folder);
    fclose(fopen(path, "w"));
    for (int i = 1; i <= 12; i++) {
        snprintf(path, sizeof path, "%s/RIS/%d.wl", folder, i);
        write_worklist(path, i, arena);
    }
    pid_t pid = spawn(argv, port);
    if (spd_scu_open(PROGRAM, &to, contexts, 1, &scu, &err)) fail_msg("%s: %s", err.place, err.text);
    spd_dcm_put(&keys, 0x00100020, "LO", SPD_SV_NONE, arena);
    step = spd_dcm_put_item(&keys, 0x00400100, arena);
    spd_dcm_put(step, 0x00080060, "CS", SPD_SV("CT"), arena);
    assert_int_equal(spd_scu_find(scu, MWL, &keys, 100, count_answer, &n, &status, &comment, arena, &err), SPD_OK);
    assert_int_equal(status, 0);
    assert_int_equal(n, 12);
    n = 0; /* no more than are asked for */
    assert_int_equal(spd_scu_find(scu, MWL, &keys, 5, count_answer, &n, &status, &comment, arena, &err), SPD_OK);
    assert_int_equal(n, 5);
    spd_scu_close(scu);
    end(pid);
    spd_arena_free(arena);
}

static void where_to(void **state)
{
    static const struct {
        const char *url, *called, *host;
        int port;
        bool tls;
    } good[] = {{"dicom://PACS@10.1.2.3:104", "PACS", "10.1.2.3", 104, false},
                {"dicom-tls://MY PACS@pacs.example:2762/", "MY PACS", "pacs.example", 2762, true}};
    static const char *const bad[] = {"",           "http://A@b:1",  "dicom://b:104",      "dicom://@b:104",
                                      "dicom://A@", "dicom://A@b",   "dicom://A@b:0",      "dicom://A@b:70000",
                                      "dicom://A@:104", "dicom://A@b:x", "dicom://ABCDEFGHIJKLMNOPQ@b:104"};
    struct spd_scu_to to = {0};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(spd_scu_parse(spd_sv_from(good[i].url), &to, NULL), SPD_OK);
        assert_true(spd_sv_is(to.called, good[i].called) && spd_sv_is(to.host, good[i].host));
        assert_true(to.port == good[i].port && to.tls == good[i].tls);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (spd_scu_parse(spd_sv_from(bad[i]), &to, NULL) != SPD_INVALID) fail_msg("%s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(where_to), cmocka_unit_test(an_object_arrives_unchanged),
                                       cmocka_unit_test(nobody_and_the_wrong_one), cmocka_unit_test(a_worklist_is_read)};
    snprintf(folder, sizeof folder, "/tmp/spoed-scu-XXXXXX");
    if (!mkdtemp(folder)) return 1;
    signal(SIGPIPE, SIG_IGN);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    const char *rm[] = {"rm", "-rf", folder, NULL};
    pid_t pid;
    if (!posix_spawnp(&pid, "rm", NULL, NULL, (char **)(uintptr_t)rm, environ)) waitpid(pid, NULL, 0);
    return failed;
}
