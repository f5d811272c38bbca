/* plugin/orthanc/launch.c: "Start": true: the brain is started from here when nobody answers at its
 * socket. SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is started is `spoed serve --detach`, which leaves Orthanc's descriptors, session and process
 * tree before it becomes the brain: it lives on when Orthanc stops, crashes or is killed. Two
 * Orthancs may both try; the second brain finds the first one's lock and ends. Never supervised
 * further: a brain that dies is started again at the next look.
 * Threads: the worker alone. */
#define _GNU_SOURCE
#include "plugin.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { PROBE_USEC = 1000000, LAUNCH_MS = 5000 };
static const spd_usec every = 10000000;
static spd_usec tried;

/* rc of posix_spawn; the child has Orthanc's environment and none of its signal settings. */
static int spawn(pid_t *ret)
{
    char *argv[] = {spd_plugin.program, "-c", spd_plugin.configuration, "--quiet",
                    "serve",            "--detach", NULL};
    posix_spawnattr_t attr;
    sigset_t none, all;
    int rc;
    sigemptyset(&none);
    sigfillset(&all);
    if (posix_spawnattr_init(&attr)) return ENOMEM;
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    rc = posix_spawnp(ret, spd_plugin.program, NULL, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    return rc;
}

/* The launcher ends as soon as it has let go of its child; one that hangs is ended. -1: it failed. */
static int ended(pid_t pid)
{
    int status = 0;
    for (int ms = 0; ms < LAUNCH_MS; ms += 20) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got < 0 && errno == ECHILD) return 0; /* Orthanc lets the kernel reap */
        if (got == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

void spd_launch(void)
{
    struct spd_http_target t = {.socket = spd_plugin.socket, .total_timeout = PROBE_USEC};
    struct spd_str out = SPD_STR_INIT(65536);
    char line[900];
    pid_t pid;
    int status = 0, rc;
    if (!spd_plugin.start || (tried && spd_clock_monotonic() - tried < every)) return;
    tried = spd_clock_monotonic();
    enum spd_rc answers =
        spd_http_call(&t, "GET", "/healthz", NULL, SPD_SV_NONE, &status, &out, NULL);
    spd_str_done(&out);
    if (answers != SPD_AGAIN) return; /* somebody is there, if perhaps slow */
    rc = spawn(&pid);
    if (rc)
        snprintf(line, sizeof line, "Spoed: cannot start %s: %s", spd_plugin.program,
                 strerror(rc));
    else if ((rc = ended(pid)) != 0)
        snprintf(line, sizeof line,
                 "Spoed: %s serve did not start (%d): try `%s -c %s check`", spd_plugin.program, rc,
                 spd_plugin.program, spd_plugin.configuration);
    else
        snprintf(line, sizeof line, "Spoed: the brain was started by this Orthanc (%s)",
                 spd_plugin.configuration);
    OrthancPluginLogWarning(spd_orthanc, line);
}
