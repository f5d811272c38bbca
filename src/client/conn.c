/* src/client/conn.c: see conn.h. */
#define _GNU_SOURCE
#include "client/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static socklen_t address_of(const struct spd_http_target *t, struct sockaddr_storage *a)
{
    struct sockaddr_un *un = (struct sockaddr_un *)a;
    struct sockaddr_in *in = (struct sockaddr_in *)a;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)a;
    memset(a, 0, sizeof *a);
    if (t->socket) {
        if (strlen(t->socket) >= sizeof un->sun_path) return 0;
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, t->socket, strlen(t->socket));
        return sizeof *un;
    }
    if (!t->host || t->port < 1 || t->port > 65535) return 0;
    if (inet_pton(AF_INET, t->host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET, in->sin_port = htons((uint16_t)t->port);
        return sizeof *in;
    }
    if (inet_pton(AF_INET6, t->host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6, in6->sin6_port = htons((uint16_t)t->port);
        return sizeof *in6;
    }
    return 0;
}

static bool wait_for(int fd, short what, spd_usec until)
{
    for (;;) {
        struct pollfd p = {fd, what, 0};
        spd_usec left = until - spd_clock_monotonic();
        int n = poll(&p, 1, left > 0 ? (int)((left + 999) / 1000) : 0);
        if (n > 0) return true;
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ETIMEDOUT;
        return false;
    }
}

bool spd_conn_ready(const struct spd_conn *c, short what)
{
    return wait_for(c->fd, what, c->until);
}

/* 0 or errno. A Unix socket whose queue is full says EAGAIN and has not begun to connect: ask
 * again. */
static int dial(int fd, const struct sockaddr_storage *a, socklen_t n, spd_usec until)
{
    socklen_t size = sizeof(int);
    int e;
    while (connect(fd, (const struct sockaddr *)a, n)) {
        e = errno;
        if (e == EINPROGRESS || e == EINTR) {
            if (!wait_for(fd, POLLOUT, until)) return errno;
            return getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size) ? errno : e;
        }
        if (e != EAGAIN || spd_clock_monotonic() >= until) return e;
        poll(NULL, 0, 10);
    }
    return 0;
}

enum spd_rc spd_conn_dial(const struct spd_http_target *t, struct spd_conn *ret,
                          struct spd_err *err)
{
    struct sockaddr_storage a;
    socklen_t n = address_of(t, &a);
    spd_usec now = spd_clock_monotonic(),
             until = now + (t->connect_timeout ? t->connect_timeout : SPD_SEC(1));
    int e, fd;
    *ret = (struct spd_conn){-1, now + (t->total_timeout ? t->total_timeout : SPD_SEC(10))};
    if (!n) return spd_fail(err, SPD_INVALID, "client", "no usable address");
    fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return spd_fail(err, SPD_AGAIN, "client", "%s", strerror(errno));
    e = dial(fd, &a, n, until < ret->until ? until : ret->until);
    if (e) {
        close(fd);
        return spd_fail(err, SPD_AGAIN, "client", "%s", strerror(e));
    }
    ret->fd = fd;
    return SPD_OK;
}

void spd_conn_close(struct spd_conn *c)
{
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

bool spd_conn_send(struct spd_conn *c, spd_sv v)
{
    while (v.len) {
        ssize_t n = send(c->fd, v.ptr, v.len, MSG_NOSIGNAL);
        if (n > 0)
            v.ptr += n, v.len -= (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            return false;
        else if (!spd_conn_ready(c, POLLOUT))
            return false;
    }
    return true;
}

int64_t spd_conn_receive(struct spd_conn *c, char *buf, size_t size)
{
    for (;;) {
        ssize_t n;
        if (!spd_conn_ready(c, POLLIN)) return -1;
        n = recv(c->fd, buf, size, 0);
        if (n >= 0 || (errno != EAGAIN && errno != EINTR)) return n;
    }
}

static bool plain(const char *z)
{
    for (; z && *z; z++)
        if ((unsigned char)*z <= ' ' || *z == 127) return false;
    return true;
}

enum spd_rc spd_conn_head(const struct spd_http_target *t, const char *method, const char *path,
                          const char *accept, const char *type, size_t body, struct spd_str *out,
                          struct spd_err *err)
{
    if (!plain(method) || !plain(path) || !plain(t->token) || !plain(t->language))
        return spd_fail(err, SPD_INVALID, "client", "blank or control character in the request");
    spd_str_addf(out, "%s %s HTTP/1.0\r\nHost: localhost\r\nAccept: %s\r\nConnection: close\r\n",
                 method, path, accept);
    if (t->token) spd_str_addf(out, "Authorization: Bearer %s\r\n", t->token);
    if (t->language) spd_str_addf(out, "Accept-Language: %s\r\n", t->language);
    if (body || !strcmp(method, "POST"))
        spd_str_addf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                     type ? type : "application/json", body);
    spd_str_addz(out, "\r\n");
    if (spd_str_ok(out)) return SPD_OK;
    return spd_fail(err, out->rc, "client",
                    out->rc == SPD_NOMEM ? "out of memory" : "the request's head is too long");
}

bool spd_conn_status(spd_sv head, int *ret)
{
    int64_t status;
    if (head.len < 12 || !spd_sv_starts(head, SPD_SV("HTTP/1.")) ||
        !spd_sv_to_i64(spd_sv_of(head.ptr + 9, 3), &status) || status < 100)
        return false;
    *ret = (int)status;
    return true;
}
