/* tests/fakes/peer.h: runs one of the stand-ins of this folder as a child: "port N" on its standard output,
 * then a line per thing received; a line on its standard input changes what it answers. Stopped by pid. */
#ifndef TESTS_FAKES_PEER_H
#define TESTS_FAKES_PEER_H

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct peer {
    pid_t pid;
    int in;  /* we write */
    int out; /* we read */
    int port;
    char rest[1 << 20];
    size_t n;
};

/* The next line within the time, without its end; false when none came. */
static inline bool peer_line(struct peer *p, char *line, size_t max, int ms)
{
    for (;;) {
        char *nl = memchr(p->rest, '\n', p->n);
        struct pollfd f = {p->out, POLLIN, 0};
        ssize_t k;
        if (nl) {
            size_t len = (size_t)(nl - p->rest);
            snprintf(line, max, "%.*s", (int)len, p->rest);
            p->n -= len + 1;
            memmove(p->rest, nl + 1, p->n);
            return true;
        }
        if (p->n == sizeof p->rest || poll(&f, 1, ms) <= 0) return false;
        k = read(p->out, p->rest + p->n, sizeof p->rest - p->n);
        if (k <= 0) return false;
        p->n += (size_t)k;
    }
}

static inline void peer_start(struct peer *p, const char *script, const char *option, const char *value)
{
    char path[512], line[64];
    int in[2], out[2];
    posix_spawn_file_actions_t fa;
    snprintf(path, sizeof path, "%s/tests/fakes/%s", SPOED_SOURCE_DIR, script);
    char *argv[] = {(char *)"python3", path, (char *)option, (char *)value, NULL};
    memset(p, 0, sizeof *p);
    if (pipe(in) || pipe(out)) abort();
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, in[0], 0);
    posix_spawn_file_actions_adddup2(&fa, out[1], 1);
    posix_spawn_file_actions_addclose(&fa, in[1]);
    posix_spawn_file_actions_addclose(&fa, out[0]);
    if (posix_spawnp(&p->pid, "python3", &fa, NULL, argv, environ)) abort();
    posix_spawn_file_actions_destroy(&fa);
    close(in[0]);
    close(out[1]);
    p->in = in[1];
    p->out = out[0];
    if (!peer_line(p, line, sizeof line, 20000) || sscanf(line, "port %d", &p->port) != 1) abort();
}

/* The stand-in reads its standard input in a thread of its own: give it a moment to take the change. */
static inline void peer_mode(struct peer *p, const char *mode)
{
    if (write(p->in, mode, strlen(mode)) < 0 || write(p->in, "\n", 1) < 0) abort();
    usleep(60000);
}

static inline void peer_stop(struct peer *p)
{
    kill(p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
    close(p->in);
    close(p->out);
}

#endif
