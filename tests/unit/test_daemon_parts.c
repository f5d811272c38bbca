/* tests/unit/test_daemon_parts.c: the lock, systemd's messages, the configuration as an event, reload. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/internal.h"
#include "daemon/lock.h"
#include "daemon/notify.h"
#include "net/mllp_client.h"
#include "net/socket.h"

static char dir[64];
static int port; /* of the MLLP listener: one that is free */

static int make_dir(void **state)
{
    int fd;
    (void)state;
    if (spd_net_listen("127.0.0.1", 0, &fd, NULL)) return -1;
    port = spd_net_port(fd);
    close(fd);
    snprintf(dir, sizeof dir, "/tmp/spoed-test-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const names[] = {"spoed.yaml", "policy.yaml", "models.yaml", "people.yaml", "spoed.db", "spoed.db-wal",
                                        "spoed.db-shm", "spoed.db.lock", "notify", "spoed.sock"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
    return 0;
}

static void put(const char *name, const char *text)
{
    char path[128];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void one_lock(void **state)
{
    char url[128];
    int a, b;
    (void)state;
    snprintf(url, sizeof url, "sqlite:%s/spoed.db", dir);
    assert_int_equal(spd_lock_take(spd_sv_from(url), &a, NULL), SPD_OK);
    assert_int_equal(spd_lock_take(spd_sv_from(url), &b, NULL), SPD_EXISTS);
    spd_lock_release(a);
    assert_int_equal(spd_lock_take(spd_sv_from(url), &b, NULL), SPD_OK);
    spd_lock_release(b);
    assert_int_equal(spd_lock_take(SPD_SV("memory:"), &a, NULL), SPD_OK);
    assert_int_equal(a, -1);
    assert_int_equal(spd_lock_take(SPD_SV("sqlite:/nonexistent-folder/x.db"), &a, NULL), SPD_IO);
}

static void what_systemd_hears(void **state)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char got[100];
    ssize_t n;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    (void)state;
    snprintf(a.sun_path, sizeof a.sun_path, "%s/notify", dir);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    setenv("NOTIFY_SOCKET", a.sun_path, 1);
    spd_notify("READY=1");
    n = recv(fd, got, sizeof got - 1, 0);
    assert_int_equal(n, 7);
    assert_memory_equal(got, "READY=1", 7);
    spd_notify_reloading();
    n = recv(fd, got, sizeof got - 1, 0);
    assert_true(n > 27);
    assert_memory_equal(got, "RELOADING=1\nMONOTONIC_USEC=", 27);
    unsetenv("NOTIFY_SOCKET");
    spd_notify("READY=1"); /* nobody listens: nothing happens */
    assert_int_equal(recv(fd, got, sizeof got, 0), -1);
    close(fd);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(spd_notify_watchdog(), SPD_SEC(15));
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(spd_notify_watchdog(), 0);
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(spd_notify_watchdog(), 0);
}

#define POLICY "policy: 1\nlevels: [critical, urgent, expedited, routine]\n" \
               "max_wait: {critical: 15m, urgent: 60m, expedited: 4h, routine: 24h}\nrules: []\n"

static void write_config(const char *more)
{
    char text[3000];
    snprintf(text, sizeof text,
             "site: {name: ZZ Test, time_zone: Europe/Amsterdam, language: nl, patient_authority: ZH, accession_issuer: ZH}\n"
             "store: {url: \"sqlite:%s/spoed.db\"}\npolicy: [%s/policy.yaml]\nmodels: [%s/models.yaml]\npeople: %s/people.yaml\n"
             "codes: %s/packaging/share/codes\n"
             "listen:\n  http: [{socket: %s/spoed.sock}]\n  mllp: [{address: 127.0.0.1, port: %d}]\n"
             "peers:\n  ris: {match: {door: hl7, address: 127.0.0.1}, roles: [orders, reports]}\n%s",
             dir, dir, dir, dir, SPOED_SOURCE_DIR, dir, port, more);
    put("spoed.yaml", text);
    put("policy.yaml", POLICY);
    put("models.yaml", "models: []\n");
    put("people.yaml", "people: []\nteams: {}\n");
}

static struct spd_daemon *start(enum spd_rc expect)
{
    char path[128];
    struct spd_daemon *d = NULL;
    struct spd_err err = {0};
    struct spd_daemon_options o = {.size = sizeof o, .config = path, .dicom_program = "/nonexistent"};
    enum spd_rc rc;
    snprintf(path, sizeof path, "%s/spoed.yaml", dir);
    rc = spd_daemon_start(&o, &d, &err);
    if (rc != expect) fail_msg("start: %s %s: %s", spd_rc_name(rc), err.place, err.text);
    return d;
}

static int64_t journal_rows(void)
{
    char url[128];
    struct spd_store *s;
    int64_t max = 0;
    snprintf(url, sizeof url, "sqlite:%s/spoed.db", dir);
    assert_int_equal(spd_store_open(url, SPD_STORE_READ, &s, NULL), SPD_OK);
    assert_int_equal(spd_store_max_id(s, SPD_T_JOURNAL, &max, NULL), SPD_OK);
    spd_store_close(s);
    return max;
}

static void order(struct spd_daemon *d, int number, const char *expect)
{
    struct spd_mllp_client *c;
    struct spd_arena *a = spd_arena_new(1 << 20);
    char text[600];
    spd_sv answer;
    snprintf(text, sizeof text,
             "MSH|^~\\&|RIS|ZH|SPOED|ZH|20261123021000||ORM^O01|M%d|P|2.3.1\rPID|1||ZZ%07d^^^ZH||ZZCANARY^Test\r"
             "ORC|NW|P%d|F%d||CM\rOBR|1|P%d|F%d|CTHERS^CT^L||||||||||||||A%d||||||CT\r",
             number, number, number, number, number, number, number);
    assert_int_equal(spd_mllp_connect("127.0.0.1", spd_daemon_mllp_port(d), SPD_SEC(3), &c, NULL), SPD_OK);
    assert_int_equal(spd_mllp_exchange(c, spd_sv_from(text), SPD_SEC(5), 65536, &answer, a, NULL), SPD_OK);
    if (!spd_sv_find(answer, spd_sv_from(expect), NULL)) fail_msg("order %d: no %s", number, expect);
    spd_mllp_close(c);
    spd_arena_free(a);
}

static size_t listed(struct spd_daemon *d)
{
    const struct spd_list *l = spd_board_wait(spd_brain_board(d->brain), INT64_MAX, 100000);
    size_t n = spd_list_count(l);
    spd_list_unref(l);
    return n;
}

static void orders_survive_a_restart(void **state)
{
    struct spd_daemon *d;
    (void)state;
    write_config("");
    d = start(SPD_OK);
    for (int i = 1; i <= 5; i++) order(d, i, "MSA|AA|");
    assert_int_equal(listed(d), 5);
    order(d, 3, "MSA|AA|"); /* the same again: the same answer, no second row */
    assert_int_equal(listed(d), 5);
    start(SPD_EXISTS); /* a second brain on this database */
    spd_daemon_stop(d);
    d = start(SPD_OK);
    assert_int_equal(listed(d), 5);
    assert_true(spd_daemon_alive(d));
    spd_daemon_stop(d);
}

static void an_unchanged_configuration_is_not_journaled_again(void **state)
{
    int64_t before, after;
    struct spd_err err = {0};
    struct spd_daemon *d;
    (void)state;
    write_config("");
    d = start(SPD_OK);
    spd_daemon_stop(d);
    before = journal_rows();
    d = start(SPD_OK);
    assert_int_equal(spd_daemon_reload(d, &err), SPD_OK);
    spd_daemon_stop(d);
    after = journal_rows();
    assert_true(after - before <= 3); /* the start, and at most the alarm's end twice; no config event */
}

static void a_bad_reload_keeps_the_old_one(void **state)
{
    static const struct {
        const char *name, *file, *text;
    } rows[] = {
        {"unknown key", "spoed.yaml", "bogus: 1\n"},
        {"not YAML", "spoed.yaml", "site: [\n"},
        {"policy with an unknown level", "policy.yaml", "policy: 1\nlevels: [a, b]\nrules:\n  - {id: x, when: {modality: CT}, level: c}\n"},
        {"models that are no models", "models.yaml", "models: 7\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_err err = {0};
        struct spd_str health = SPD_STR_INIT(1 << 20);
        struct spd_daemon *d;
        write_config("");
        d = start(SPD_OK);
        put(rows[i].file, rows[i].text);
        if (spd_daemon_reload(d, &err) == SPD_OK) fail_msg("%s: was taken", rows[i].name);
        if (!*err.place) fail_msg("%s: the error does not say where", rows[i].name);
        order(d, 100 + (int)i, "MSA|AA|"); /* goes on */
        spd_shown_health(d, false, &health);
        if (!spd_sv_find(spd_str_sv(&health), SPD_SV("refused"), NULL)) fail_msg("%s: health is silent", rows[i].name);
        spd_str_done(&health);
        write_config("");
        if (spd_daemon_reload(d, &err)) fail_msg("%s: the good one was refused: %s", rows[i].name, err.text);
        spd_daemon_stop(d);
    }
}

static void a_bad_start(void **state)
{
    (void)state;
    put("spoed.yaml", "site: {name: x, bogus: 1}\n");
    start(SPD_INVALID);
    write_config("");
    put("policy.yaml", "policy: 1\nlevels: [a]\nrules: 7\n");
    start(SPD_INVALID);
}

static void a_reload_changes_the_peers(void **state)
{
    struct spd_daemon *d;
    char path[128];
    FILE *f;
    size_t n;
    (void)state;
    write_config("");
    d = start(SPD_OK);
    order(d, 200, "MSA|AA|");
    snprintf(path, sizeof path, "%s/spoed.yaml", dir);
    f = fopen(path, "r");
    static char all[4000];
    n = fread(all, 1, sizeof all - 1, f);
    all[n] = 0;
    fclose(f);
    char *at = strstr(all, "door: hl7, address: 127.0.0.1");
    assert_non_null(at);
    memcpy(at + 11, "address: 127.0.0.9", 18);
    put("spoed.yaml", all);
    assert_int_equal(spd_daemon_reload(d, NULL), SPD_OK);
    order(d, 201, "peer not configured");
    spd_daemon_stop(d);
}

/* The banner's names follow a reload. */
static void what_is_observed(void **state)
{
    static const struct {
        const char *mode, *expect;
    } rows[] = {{"observe", "\"ris\""}, {"live", ""}, {"off", ""}};
    struct spd_daemon *d = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_str names = SPD_STR_INIT(1000);
        char send[200];
        snprintf(send, sizeof send, "send:\n  ris: {type: hl7, to: \"mllp://127.0.0.1:9\", events: [priority], mode: %s}\n",
                 rows[i].mode);
        write_config(send);
        if (!d)
            d = start(SPD_OK);
        else
            assert_int_equal(spd_daemon_reload(d, NULL), SPD_OK);
        spd_shown_observing(d, &names);
        if (!spd_sv_is(spd_str_sv(&names), rows[i].expect)) fail_msg("%s: %.*s", rows[i].mode, SPD_SV_ARG(spd_str_sv(&names)));
        spd_str_done(&names);
    }
    spd_daemon_stop(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_lock, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_systemd_hears, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(orders_survive_a_restart, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(an_unchanged_configuration_is_not_journaled_again, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_bad_reload_keeps_the_old_one, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_bad_start, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_reload_changes_the_peers, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_is_observed, make_dir, remove_dir)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
