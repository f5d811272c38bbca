/* src/daemon/serve.c: `spoed serve`: signals, systemd, the line that says where the list is.
 *
 * The main thread only waits: every signal comes through one signalfd, so nothing runs in a
 * handler. */
#define _GNU_SOURCE
#include "daemon/daemon.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/notify.h"
#include "net/socket.h"

enum { TICK_MS = 1000, STATUS_EVERY = 5, DESCRIPTORS = 16384 };

static void reload(struct spd_daemon *d)
{
    struct spd_err err = {0};
    spd_notify_reloading();
    if (!spd_daemon_reload(d, &err)) spd_log(SPD_LOG_NOTICE, "configuration loaded again");
    spd_notify("READY=1");
}

/* Until TERM or INT. */
static void wait_for_signals(struct spd_daemon *d, int fd)
{
    spd_usec watchdog = spd_notify_watchdog(), next = 0;
    for (unsigned tick = 0;; tick++) {
        struct pollfd p = {fd, POLLIN, 0};
        struct signalfd_siginfo s;
        if (poll(&p, 1, TICK_MS) > 0 && read(fd, &s, sizeof s) == sizeof s) {
            if (s.ssi_signo == SIGHUP)
                reload(d);
            else
                return;
        }
        if (watchdog && spd_clock_monotonic() >= next && spd_daemon_alive(d)) {
            spd_notify("WATCHDOG=1"); /* only while the writer goes round with its store */
            next = spd_clock_monotonic() + watchdog;
        }
        spd_daemon_tick(d);
        if (tick % STATUS_EVERY == 0) {
            char status[120] = "STATUS=";
            spd_daemon_status(d, status + 7, sizeof status - 7);
            spd_notify(status);
        }
    }
}

/* The doors together hold some 4,700 connections; with the usual 1,024 descriptors silent peers
 * would leave none to open the store with. systemd gives them by itself (LimitNOFILE). */
static void allow_descriptors(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur >= DESCRIPTORS) return;
    l.rlim_cur = l.rlim_max < DESCRIPTORS ? l.rlim_max : DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &l);
    if (l.rlim_cur < DESCRIPTORS)
        spd_log(SPD_LOG_WARNING, "few file descriptors are allowed: many connections may be refused",
                SPD_LI("allowed", (int64_t)l.rlim_cur));
}

enum spd_rc spd_daemon_serve(const char *config, bool quiet)
{
    struct spd_daemon_options o = {.size = sizeof o, .config = config};
    struct spd_daemon *d;
    struct spd_err err = {0};
    sigset_t set;
    int fd;
    enum spd_rc rc;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP), sigaddset(&set, SIGTERM), sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread, so that all inherit it */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a full quota is answered like a full disk: not stored */
    allow_descriptors();
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    o.n_fds = spd_net_inherited(&o.first_fd);
    rc = fd < 0 ? spd_fail(&err, SPD_IO, "spoed", "no signalfd") : spd_daemon_start(&o, &d, &err);
    if (rc) {
        fprintf(stderr, "spoed: %s%s%s\n", err.place, *err.place ? ": " : "", err.text);
        return rc;
    }
    if (!quiet) printf("Spoed: %s/worklist\n", spd_daemon_url(d));
    fflush(stdout);
    spd_notify("READY=1");
    wait_for_signals(d, fd);
    spd_notify("STOPPING=1");
    spd_daemon_stop(d);
    close(fd);
    return SPD_OK;
}
