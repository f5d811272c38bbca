/* tests/bench/mllp_load.h: a load client for MLLP in a process of its own, one thread, epoll: C
 * connections, each with one message under way, or one connection at a fixed rate. Every answer
 * must be AA to the very message. Forked before the program starts threads; told what to do through
 * a pipe.
 *
 * A message is made by the caller's function: load_message(n, kind, buffer) for the n-th of the
 * run. */
#ifndef TESTS_BENCH_MLLP_LOAD_H
#define TESTS_BENCH_MLLP_LOAD_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOAD_CONNECTIONS = 64, LOAD_BYTES = 8192, LOAD_SAMPLES = 1 << 20 };

struct load_order { /* what is asked of the client */
    int port, connections,
        rate; /* rate: messages a second on one connection; 0: as fast as answers come */
    int kind;
    long from, messages;
};
struct load_report {
    double took, p50, p99, max; /* seconds; milliseconds */
    long good, bad;
};

/* Text without frame, MSH-10 = "L<n>"; the length. The caller's. */
static size_t load_message(long n, int kind, char *to);

struct load_line {
    int fd;
    long n; /* under way */
    double sent;
    size_t have;
    char in[LOAD_BYTES];
};

static struct load {
    pid_t pid;
    int to, from;
} load;

static double load_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int load_dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((unsigned short)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&a, sizeof a)) _exit(3);
    return fd;
}

static void load_send(struct load_line *l, long n, int kind)
{
    char out[LOAD_BYTES];
    size_t len = load_message(n, kind, out + 1);
    out[0] = 0x0b, out[len + 1] = 0x1c, out[len + 2] = '\r';
    l->n = n, l->sent = load_now();
    if (send(l->fd, out, len + 3, MSG_NOSIGNAL) != (ssize_t)len + 3) _exit(3);
}

/* A whole answer: 1 good, -1 bad; 0: not here yet. */
static int load_take(struct load_line *l)
{
    char want[48], *end = memchr(l->in, 0x1c, l->have);
    int n = snprintf(want, sizeof want, "\rMSA|AA|L%ld\r", l->n);
    if (!end || end + 2 > l->in + l->have) return 0;
    int good = memmem(l->in, (size_t)(end - l->in), want, (size_t)n) ? 1 : -1;
    l->have = 0;
    return good;
}

static int load_by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void load_run(const struct load_order *o, struct load_report *ret)
{
    static struct load_line lines[LOAD_CONNECTIONS];
    static float samples[LOAD_SAMPLES];
    int ep = epoll_create1(0);
    long next = 0, done = 0;
    double begin;
    *ret = (struct load_report){0};
    for (int i = 0; i < o->connections; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        lines[i].fd = load_dial(o->port), lines[i].have = 0;
        epoll_ctl(ep, EPOLL_CTL_ADD, lines[i].fd, &e);
    }
    begin = load_now();
    for (int i = 0; i < o->connections && next < o->messages; i++)
        load_send(&lines[i], o->from + next++, o->kind);
    while (done < o->messages) {
        struct epoll_event events[LOAD_CONNECTIONS];
        int n = epoll_wait(ep, events, LOAD_CONNECTIONS, 30000);
        if (n <= 0) break;
        for (int i = 0; i < n; i++) {
            struct load_line *l = &lines[events[i].data.u32];
            ssize_t got = recv(l->fd, l->in + l->have, sizeof l->in - l->have, 0);
            int good;
            if (got <= 0) _exit(3);
            l->have += (size_t)got;
            if (!(good = load_take(l))) continue;
            samples[done++ % LOAD_SAMPLES] = (float)((load_now() - l->sent) * 1000);
            ret->good += good > 0, ret->bad += good < 0;
            if (next == o->messages) continue;
            if (o->rate) {
                double at = begin + (double)next / o->rate, wait = at - load_now();
                struct timespec t = {(time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9)};
                if (wait > 0) nanosleep(&t, NULL);
            }
            load_send(l, o->from + next++, o->kind);
        }
    }
    ret->took = load_now() - begin;
    for (int i = 0; i < o->connections; i++)
        close(lines[i].fd);
    close(ep);
    long k = done < LOAD_SAMPLES ? done : LOAD_SAMPLES;
    qsort(samples, (size_t)k, sizeof *samples, load_by_value);
    if (k) ret->p50 = samples[k / 2], ret->p99 = samples[k * 99 / 100], ret->max = samples[k - 1];
}

static void load_start(void)
{
    int down[2], up[2];
    struct load_order o;
    struct load_report r;
    if (pipe(down) || pipe(up) || (load.pid = fork()) < 0) exit(1);
    if (load.pid) {
        close(down[0]), close(up[1]);
        load.to = down[1], load.from = up[0];
        return;
    }
    close(down[1]), close(up[0]);
    while (read(down[0], &o, sizeof o) == sizeof o) {
        load_run(&o, &r);
        if (write(up[1], &r, sizeof r) != sizeof r) break;
    }
    _exit(0);
}

static struct load_report load_ask(struct load_order o)
{
    struct load_report r;
    if (write(load.to, &o, sizeof o) != sizeof o || read(load.from, &r, sizeof r) != sizeof r) {
        fprintf(stderr, "bench: the load client ended\n");
        exit(1);
    }
    if (r.bad || r.good != o.messages) {
        fprintf(stderr, "bench: %ld of %ld messages were answered, %ld wrongly\n", r.good,
                o.messages, r.bad);
        exit(1);
    }
    return r;
}

static void load_stop(void)
{
    close(load.to), close(load.from);
    waitpid(load.pid, NULL, 0);
}

#endif
