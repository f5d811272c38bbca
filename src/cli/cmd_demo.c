/* src/cli/cmd_demo.c: `spoed demo`: a synthetic emergency night on an embedded database.
 *
 * Two processes: this one plays RIS, scanner, AI products, pager and people; the other is `spoed serve` with
 * a configuration made here. Without --once the page stays up after the night until Ctrl-C. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "cli/demo.h"
#include "net/socket.h"

int cmd_demo(const struct spd_cli *cli, int argc, char **argv);

static volatile sig_atomic_t stopped;
static pid_t brain; /* for the handler */

static void on_signal(int sig)
{
    (void)sig;
    if (stopped++ && brain > 0) kill(brain, SIGKILL); /* the second time: at once */
    if (stopped == 1 && brain > 0) kill(brain, SIGTERM);
    if (stopped > 1) _exit(SPD_EXIT_FAILURE);
}

void demo_say(struct demo *d, const char *format, ...)
{
    struct spd_civil c = spd_zone_civil(spd_zone_get("Europe/Amsterdam"), spd_clock_now());
    va_list ap;
    if (d->cli->quiet || d->cli->json) return;
    printf("%02d:%02d:%02d  ", c.hour, c.minute, c.second);
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    printf("\n");
    fflush(stdout);
}

void demo_check(struct demo *d, bool ok, const char *what)
{
    const char *sign = ok ? "ok" : "NOT";
    if (stopped) return;
    if (d->n_checks < DEMO_CHECKS) {
        d->checks[d->n_checks].scene = d->scene;
        d->checks[d->n_checks].ok = ok;
        snprintf(d->checks[d->n_checks].what, sizeof d->checks[0].what, "%s", what);
        d->n_checks++;
    }
    if (d->cli->color) demo_say(d, "   \033[%dm%-3s\033[0m %s", ok ? 32 : 31, sign, what);
    else demo_say(d, "   %-3s %s", sign, what);
}

void demo_wait(struct demo *d, double seconds)
{
    spd_usec end = spd_clock_monotonic() + (spd_usec)(seconds * 1e6 / d->speed);
    while (!stopped && spd_clock_monotonic() < end) usleep(20000);
}

static int usage(void)
{
    fprintf(stderr, "usage: spoed demo [--speed N] [--once] [--port P] [--dir D]\n"
                    "  --speed N  divide every wait of the night by N, 1 to 120 (default 20)\n"
                    "  --once     play the night to its end, print what held, and leave (exit 1 if anything did not)\n"
                    "  --port P   of the pages (default 8750)\n"
                    "  --dir D    keep configuration, database and log in this new folder\n");
    return SPD_EXIT_USAGE;
}

static bool number(const char *text, int64_t min, int64_t max, int *ret)
{
    int64_t v;
    if (!text || !spd_sv_to_i64(spd_sv_from(text), &v) || v < min || v > max) return false;
    *ret = (int)v;
    return true;
}

static bool options(struct demo *d, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--once")) {
            d->once = true;
        } else if (!strcmp(argv[i], "--speed") && number(value, 1, 120, &d->speed)) {
            i++;
        } else if (!strcmp(argv[i], "--port") && number(value, 1, 65535, &d->http_port)) {
            i++;
        } else if (!strcmp(argv[i], "--dir") && value && strlen(value) < sizeof d->dir - 1) {
            snprintf(d->dir, sizeof d->dir, "%s", value);
            i++;
        } else {
            return false;
        }
    }
    return true;
}

static bool make_folder(struct demo *d)
{
    char full[PATH_MAX];
    if (!d->dir[0]) {
        snprintf(d->dir, sizeof d->dir, "/tmp/spoed-demo-XXXXXX");
        if (mkdtemp(d->dir)) return chmod(d->dir, 0755) == 0;
    } else if ((mkdir(d->dir, 0755) == 0 || errno == EEXIST) && realpath(d->dir, full) && strlen(full) < sizeof d->dir) {
        char db[PATH_MAX + 16];
        snprintf(d->dir, sizeof d->dir, "%.250s", full);
        snprintf(db, sizeof db, "%s/spoed.db", full);
        if (access(db, F_OK)) return true;
        fprintf(stderr, "spoed demo: %s holds a database already; give a new folder\n", full);
        return false;
    }
    fprintf(stderr, "spoed demo: %s: %s\n", d->dir, strerror(errno));
    return false;
}

static int free_port(void)
{
    int fd, port = 0;
    if (spd_net_listen("127.0.0.1", 0, &fd, NULL) == SPD_OK) {
        port = spd_net_port(fd);
        close(fd);
    }
    return port;
}

static bool prepare(struct demo *d)
{
    unsigned char r[9];
    struct spd_arena *arena = spd_arena_new(4096);
    struct spd_err err = {SPD_OK, "", ""};
    int fd;
    spd_random(r, sizeof r);
    snprintf(d->password, sizeof d->password, "%s", spd_base64url(arena, r, sizeof r).ptr);
    spd_arena_free(arena);
    snprintf(d->root, sizeof d->root, "2.25.%lld", (long long)spd_clock_now());
    if (spd_net_listen("127.0.0.1", d->http_port, &fd, &err)) {
        fprintf(stderr, "spoed demo: port %d: %s; choose another with --port\n", d->http_port, err.text);
        return false;
    }
    close(fd);
    snprintf(d->base, sizeof d->base, "http://127.0.0.1:%d", d->http_port);
    d->mllp_port = free_port();
    d->dicom_port = free_port();
    if (!d->mllp_port || !d->dicom_port || !make_folder(d)) return false;
    d->peers = demo_peers_start(d->mllp_port, "a-secret-of-the-demonstration");
    return demo_write_folder(d) && demo_start_brain(d) && (brain = d->brain, demo_add_users(d));
}

static int summary(const struct demo *d)
{
    size_t bad = 0;
    if (d->cli->json) {
        json_t *list = json_array(), *o = json_object();
        for (size_t i = 0; i < d->n_checks; i++) {
            json_t *c = json_object();
            json_object_set_new(c, "scene", json_string(d->checks[i].scene));
            json_object_set_new(c, "what", json_string(d->checks[i].what));
            json_object_set_new(c, "ok", json_boolean(d->checks[i].ok));
            json_array_append_new(list, c);
            bad += !d->checks[i].ok;
        }
        json_object_set_new(o, "checks", list);
        json_dumpf(o, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(o);
    } else {
        printf("\n%-28s %-4s %s\n", "scene", "", "what was to be seen");
        for (size_t i = 0; i < d->n_checks; i++) {
            bool same = i && d->checks[i].scene == d->checks[i - 1].scene;
            printf("%-28s %-4s %s\n", same ? "" : d->checks[i].scene, d->checks[i].ok ? "ok" : "NOT", d->checks[i].what);
            bad += !d->checks[i].ok;
        }
        printf("\n%zu of %zu held\n", d->n_checks - bad, d->n_checks);
    }
    fflush(stdout);
    return bad || !d->n_checks ? SPD_EXIT_FAILURE : SPD_EXIT_OK;
}

static void address(const struct demo *d)
{
    if (d->cli->json) return;
    printf("Spoed: %s/worklist user demo password %s (administration: user admin, the same password)\n", d->base, d->password);
    fflush(stdout);
}

int cmd_demo(const struct spd_cli *cli, int argc, char **argv)
{
    struct demo d = {.cli = cli, .speed = 20, .http_port = 8750};
    struct sigaction sa = {.sa_handler = on_signal};
    int rc = SPD_EXIT_FAILURE;
    if (!options(&d, argc, argv)) return usage();
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (prepare(&d)) {
        demo_say(&d, "A synthetic night, %d times as fast as a real one. Folder: %s", d.speed, d.dir);
        address(&d);
        demo_night(&d);
        rc = summary(&d);
        if (stopped) rc = SPD_EXIT_FAILURE; /* a night that was broken off has shown nothing */
        if (!d.once && !stopped) {
            printf("\nThe night is over; the page stays. Ctrl-C ends it.\n");
            address(&d);
            while (!stopped) pause();
            rc = SPD_EXIT_OK;
        }
    }
    demo_stop_brain(&d);
    demo_peers_stop(d.peers);
    return rc;
}
