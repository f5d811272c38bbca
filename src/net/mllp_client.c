/* src/net/mllp_client.c: see mllp_client.h. Non-blocking socket and poll, so that every wait has an end.
 * Resolving a name is the system's and may take the resolver's own time; addresses do not. */
#define _GNU_SOURCE
#include "net/mllp_client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { VT = 0x0b, FS = 0x1c, CR = 0x0d };

struct spd_mllp_client {
    char *host;
    char port[12];
    int fd; /* -1: closed */
};

struct spd_mllp_client *spd_mllp_client_new(const char *host, int port)
{
    struct spd_mllp_client *c = spd_must_malloc(sizeof *c);
    size_t n = strlen(host) + 1;
    c->host = spd_must_malloc(n);
    memcpy(c->host, host, n);
    snprintf(c->port, sizeof c->port, "%d", port);
    c->fd = -1;
    return c;
}

void spd_mllp_client_close(struct spd_mllp_client *c)
{
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

void spd_mllp_client_free(struct spd_mllp_client *c)
{
    if (!c) return;
    spd_mllp_client_close(c);
    spd_free(c->host);
    spd_free(c);
}

/* True when the event came before the deadline (monotonic). */
static bool wait_fd(int fd, short events, spd_usec deadline)
{
    for (;;) {
        struct pollfd p = {fd, events, 0};
        spd_usec left = deadline - spd_clock_monotonic();
        int n;
        if (left <= 0) return false;
        n = poll(&p, 1, (int)((left + 999) / 1000));
        if (n > 0) return true;
        if (n < 0 && errno != EINTR) return false;
    }
}

static int connect_one(const struct addrinfo *a, spd_usec deadline)
{
    int error = 0, one = 1;
    socklen_t len = sizeof error;
    int fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
    if (fd < 0) return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) return fd;
    if (errno == EINPROGRESS && wait_fd(fd, POLLOUT, deadline)) {
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0) return fd;
        errno = error;
    } else if (errno == EINPROGRESS) {
        errno = ETIMEDOUT;
    }
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static enum spd_rc connect_to(struct spd_mllp_client *c, spd_usec timeout, struct spd_err *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    spd_usec deadline = spd_clock_monotonic() + timeout;
    if (getaddrinfo(c->host, c->port, &hints, &list))
        return spd_fail(err, SPD_AGAIN, "connect", "the name of the host is not known");
    errno = EHOSTUNREACH;
    for (struct addrinfo *a = list; a && c->fd < 0; a = a->ai_next) c->fd = connect_one(a, deadline);
    freeaddrinfo(list);
    if (c->fd >= 0) return SPD_OK;
    return spd_fail(err, SPD_AGAIN, "connect", "%s", errno == ECONNREFUSED ? "refused"
                                                     : errno == ETIMEDOUT  ? "timed out"
                                                                           : "not reachable");
}

/* Bytes (or an end) on a connection where nothing was asked: it is of no use any more. */
static bool is_stale(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, 0) != 0;
}

static bool write_all(int fd, spd_sv v, spd_usec deadline)
{
    while (v.len) {
        ssize_t n = send(fd, v.ptr, v.len, MSG_NOSIGNAL);
        if (n > 0) {
            v.ptr += n, v.len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            if (!wait_fd(fd, POLLOUT, deadline)) return false;
        } else if (n == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* ret_more: bytes came behind the frame, which answer nothing that was asked. */
static enum spd_rc read_frame(int fd, spd_usec deadline, struct spd_str *answer, bool *ret_more,
                              struct spd_err *err)
{
    char buf[4096];
    bool started = false, ended = false;
    for (;;) {
        ssize_t n = recv(fd, buf, sizeof buf, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (!wait_fd(fd, POLLIN, deadline)) return spd_fail(err, SPD_IO, "answer", "none in time");
            continue;
        }
        if (n <= 0) return spd_fail(err, SPD_IO, "answer", "connection closed before an answer");
        for (ssize_t i = 0; i < n; i++) {
            if (!started) {
                if (buf[i] != VT) return spd_fail(err, SPD_PROTO, "answer", "not an MLLP frame");
                started = true;
            } else if (ended) {
                if (buf[i] != CR) return spd_fail(err, SPD_PROTO, "answer", "FS without CR");
                *ret_more = i + 1 < n;
                return SPD_OK;
            } else if (buf[i] == FS) {
                ended = true;
            } else {
                spd_str_addc(answer, buf[i]);
            }
        }
        if (!spd_str_ok(answer)) return spd_fail(err, SPD_LIMIT, "answer", "too large");
    }
}

enum spd_rc spd_mllp_client_exchange(struct spd_mllp_client *c, spd_sv message, spd_usec connect,
                                     spd_usec total, struct spd_str *answer, struct spd_err *err)
{
    static const char vt = VT, end[2] = {FS, CR};
    spd_usec deadline;
    enum spd_rc rc;
    bool more = false;
    if (c->fd >= 0 && is_stale(c->fd)) spd_mllp_client_close(c);
    if (c->fd < 0) {
        rc = connect_to(c, connect, err);
        if (rc) return rc;
    }
    deadline = spd_clock_monotonic() + total;
    if (!write_all(c->fd, spd_sv_of(&vt, 1), deadline) || !write_all(c->fd, message, deadline) ||
        !write_all(c->fd, spd_sv_of(end, 2), deadline)) {
        spd_mllp_client_close(c);
        return spd_fail(err, SPD_AGAIN, "send", "the message did not go out whole");
    }
    rc = read_frame(c->fd, deadline, answer, &more, err);
    if (rc || more) spd_mllp_client_close(c);
    return rc;
}
