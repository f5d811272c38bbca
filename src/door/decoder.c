/* src/door/decoder.c: the pool of `spoed-dicom decode` processes. See door_dicom.h.
 *
 * A process serves one object and ends; another takes its place. Nothing of the object is kept.
 * Threads: any; the mutex guards the list of waiting processes only, never a decoding. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "door/door_dicom.h"
#include "result/frame.h"

enum { POOL_MAX = 16, OBJECT_MS = 10000 };

struct worker {
    pid_t pid;
    int fd;
};
struct spd_decoder {
    pthread_mutex_t lock;
    struct worker waiting[POOL_MAX];
    size_t n, want;
    uint64_t crashes;
    char program[1024];
};

extern char **environ;

static bool start(const struct spd_decoder *d, struct worker *ret)
{
    int pair[2];
    char verb[] = "decode", *argv[] = {(char *)(uintptr_t)d->program, verb, NULL};
    struct timeval limit = {OBJECT_MS / 1000, 0};
    posix_spawn_file_actions_t fa;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) return false;
    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, pair[1], 0);
    posix_spawn_file_actions_adddup2(&fa, pair[1], 1);
    int rc = posix_spawn(&ret->pid, d->program, &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    close(pair[1]);
    if (rc) close(pair[0]);
    ret->fd = pair[0];
    return rc == 0;
}

static void end(struct worker *w)
{
    int status;
    close(w->fd);
    kill(w->pid, SIGKILL);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR) {
    }
}

static void refill(struct spd_decoder *d)
{
    for (;;) {
        struct worker w;
        pthread_mutex_lock(&d->lock);
        bool full = d->n >= d->want;
        pthread_mutex_unlock(&d->lock);
        if (full || !start(d, &w)) return;
        pthread_mutex_lock(&d->lock);
        bool kept = d->n < POOL_MAX;
        if (kept) d->waiting[d->n++] = w;
        pthread_mutex_unlock(&d->lock);
        if (!kept) end(&w);
    }
}

enum spd_rc spd_decoder_new(const char *program, size_t n, struct spd_decoder **ret,
                            struct spd_err *err)
{
    *ret = NULL;
    if (access(program, X_OK))
        return spd_fail(err, SPD_IO, "spoed-dicom", "the program is not there or cannot be run");
    if (strlen(program) >= sizeof(*ret)->program)
        return spd_fail(err, SPD_LIMIT, "spoed-dicom", "the path is too long");
    struct spd_decoder *d = spd_must_malloc(sizeof *d);
    pthread_mutex_init(&d->lock, NULL);
    snprintf(d->program, sizeof d->program, "%s", program);
    d->want = n ? n > POOL_MAX ? POOL_MAX : n : 2;
    refill(d);
    *ret = d;
    return SPD_OK;
}

void spd_decoder_free(struct spd_decoder *d)
{
    if (!d) return;
    for (size_t i = 0; i < d->n; i++)
        end(&d->waiting[i]);
    pthread_mutex_destroy(&d->lock);
    spd_free(d);
}

static enum spd_rc answer_of(struct spd_decoder *d, enum spd_rc rc, char type, spd_sv body,
                             struct spd_sr_doc *ret, struct spd_arena *arena, struct spd_err *err)
{
    if (!rc && type == 'r') return spd_fail(err, SPD_INVALID, "object", "%.*s", SPD_SV_ARG(body));
    if (!rc && type == 'd') rc = spd_sr_doc_decode(body, ret, arena, err);
    if (!rc) return SPD_OK;
    pthread_mutex_lock(&d->lock);
    d->crashes++;
    pthread_mutex_unlock(&d->lock);
    spd_log(SPD_LOG_ERR, "a DICOM decoder died or was too slow; the object is refused",
            SPD_LZ("rc", spd_rc_name(rc)));
    return spd_fail(err, SPD_IO, "decoder", "%s",
                    rc == SPD_AGAIN ? "decoding took more than 10 s"
                                    : "the decoder died on this object");
}

enum spd_rc spd_decoder_run(struct spd_decoder *d, spd_sv bytes, struct spd_sr_doc *ret,
                            struct spd_arena *arena, struct spd_err *err)
{
    enum spd_rc rc = SPD_IO;
    char type = 0;
    spd_sv body = SPD_SV_NONE;
    for (bool waited = true;
         waited && rc == SPD_IO;) { /* one that died while it waited is no fault of the object */
        struct worker w = {0, -1};
        pthread_mutex_lock(&d->lock);
        if (d->n) w = d->waiting[--d->n];
        pthread_mutex_unlock(&d->lock);
        waited = w.fd >= 0;
        if (!waited && !start(d, &w))
            return spd_fail(err, SPD_AGAIN, "decoder", "no decoder process can be started");
        rc = spd_frame_write1(w.fd, 'D', bytes);
        if (!rc) rc = spd_frame_read(w.fd, &type, &body, OBJECT_MS, arena);
        end(&w);
    }
    refill(d);
    if (rc == SPD_LIMIT) return spd_fail(err, SPD_INVALID, "object", "the object is too large");
    return answer_of(d, rc, type, body, ret, arena, err);
}

uint64_t spd_decoder_crashes(struct spd_decoder *d)
{
    pthread_mutex_lock(&d->lock);
    uint64_t n = d->crashes;
    pthread_mutex_unlock(&d->lock);
    return n;
}
