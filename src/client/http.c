/* src/client/http.c: see http.h. */
#define _GNU_SOURCE
#include "client/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct request {
    int fd;
    spd_usec until; /* monotonic */
};

/* ---- connect --------------------------------------------------------------------------------- */
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

static bool ready(int fd, short what, spd_usec until)
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

static enum spd_rc dial(const struct spd_http_target *t, struct request *r, struct spd_err *err)
{
    struct sockaddr_storage a;
    socklen_t n = address_of(t, &a), size = sizeof(int);
    spd_usec until = spd_clock_monotonic() + (t->connect_timeout ? t->connect_timeout : SPD_SEC(1));
    int e = 0;
    if (!n) return spd_fail(err, SPD_INVALID, "client", "no usable address");
    r->fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->fd < 0) return spd_fail(err, SPD_AGAIN, "client", "%s", strerror(errno));
    if (connect(r->fd, (struct sockaddr *)&a, n)) {
        e = errno;
        if (e == EINPROGRESS || e == EAGAIN) {
            if (!ready(r->fd, POLLOUT, until))
                e = errno;
            else if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &e, &size))
                e = errno;
        }
    }
    if (!e) return SPD_OK;
    close(r->fd);
    return spd_fail(err, SPD_AGAIN, "client", "%s", strerror(e));
}

/* ---- send and receive ------------------------------------------------------------------------ */
static bool send_all(struct request *r, spd_sv v)
{
    while (v.len) {
        ssize_t n = send(r->fd, v.ptr, v.len, MSG_NOSIGNAL);
        if (n > 0)
            v.ptr += n, v.len -= (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            return false;
        else if (!ready(r->fd, POLLOUT, r->until))
            return false;
    }
    return true;
}

/* Everything up to the end of the connection. */
static enum spd_rc receive(struct request *r, struct spd_str *all, struct spd_err *err)
{
    char chunk[4096]; /* small: this runs on the small stacks of other people's processes too */
    for (;;) {
        ssize_t n;
        if (!ready(r->fd, POLLIN, r->until))
            return spd_fail(err, SPD_UNKNOWN, "client", "no answer in time");
        n = recv(r->fd, chunk, sizeof chunk, 0);
        if (n == 0) return SPD_OK;
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (n < 0) return spd_fail(err, SPD_UNKNOWN, "client", "%s", strerror(errno));
        spd_str_add(all, spd_sv_of(chunk, (size_t)n));
        explicit_bzero(chunk, (size_t)n);
        if (!spd_str_ok(all)) return spd_fail(err, all->rc, "client", "the answer is too long");
    }
}

/* Content-Length of the header lines; -1 when there is none. */
static int64_t length_of(spd_sv header)
{
    static const spd_sv name = SPD_SV("content-length:");
    while (header.len) {
        size_t eol = header.len;
        spd_sv line;
        int64_t n;
        (void)spd_sv_find(header, SPD_SV("\r\n"), &eol);
        line = spd_sv_of(header.ptr, eol);
        if (line.len > name.len && spd_sv_ieq(spd_sv_of(line.ptr, name.len), name) &&
            spd_sv_to_i64(spd_sv_trim(spd_sv_of(line.ptr + name.len, line.len - name.len)), &n))
            return n;
        eol = eol + 2 <= header.len ? eol + 2 : header.len;
        header = spd_sv_of(header.ptr + eol, header.len - eol);
    }
    return -1;
}

static enum spd_rc parse(spd_sv all, int *ret_status, struct spd_str *ret_body, struct spd_err *err)
{
    size_t end;
    int64_t status, length;
    spd_sv body;
    if (all.len < 12 || !spd_sv_starts(all, SPD_SV("HTTP/1.")) ||
        !spd_sv_find(all, SPD_SV("\r\n\r\n"), &end) || end > SPD_HTTP_HEADER_MAX ||
        !spd_sv_to_i64(spd_sv_of(all.ptr + 9, 3), &status) || status < 100)
        return spd_fail(err, SPD_PROTO, "client", "the answer is not HTTP");
    body = spd_sv_of(all.ptr + end + 4, all.len - end - 4);
    length = length_of(spd_sv_of(all.ptr, end));
    if (length >= 0 && (uint64_t)length != body.len)
        return spd_fail(err, SPD_UNKNOWN, "client", "the answer was cut off");
    spd_str_add(ret_body, body);
    if (!spd_str_ok(ret_body))
        return spd_fail(err, ret_body->rc, "client", "the answer is too long");
    *ret_status = (int)status;
    return SPD_OK;
}

static bool plain(const char *z)
{
    for (; *z; z++)
        if ((unsigned char)*z <= ' ' || *z == 127) return false;
    return true;
}

enum spd_rc spd_http_call(const struct spd_http_target *target, const char *method,
                          const char *path, const char *type, spd_sv body, int *ret_status,
                          struct spd_str *ret_body, struct spd_err *err)
{
    struct request r = {-1, spd_clock_monotonic() +
                                (target->total_timeout ? target->total_timeout : SPD_SEC(10))};
    struct spd_str head = SPD_STR_INIT(SPD_HTTP_HEADER_MAX),
                   all = SPD_STR_INIT(ret_body->max + SPD_HTTP_HEADER_MAX);
    enum spd_rc rc;
    if (!plain(method) || !plain(path) || (target->token && !plain(target->token)))
        return spd_fail(err, SPD_INVALID, "client", "blank or control character in the request");
    rc = dial(target, &r, err);
    if (rc) return rc;
    spd_str_addf(
        &head,
        "%s %s HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n",
        method, path);
    if (target->token) spd_str_addf(&head, "Authorization: Bearer %s\r\n", target->token);
    if (body.len || !strcmp(method, "POST"))
        spd_str_addf(&head, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                     type ? type : "application/json", body.len);
    spd_str_addz(&head, "\r\n");
    if (!spd_str_ok(&head))
        rc = spd_fail(err, head.rc, "client", "the request's head is too long");
    else if (!send_all(&r, spd_str_sv(&head)) || !send_all(&r, body))
        rc = spd_fail(err, SPD_UNKNOWN, "client", "not sent: %s", strerror(errno));
    if (!rc) rc = receive(&r, &all, err);
    if (!rc) rc = parse(spd_str_sv(&all), ret_status, ret_body, err);
    close(r.fd);
    spd_str_done(&head);
    spd_str_done(&all);
    return rc;
}
