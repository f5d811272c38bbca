/* src/net/socket.c: see socket.h. */
#define _GNU_SOURCE
#include "net/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 512, FIRST_INHERITED = 3 };

static void port_text(int port, char ret[8])
{
    snprintf(ret, 8, "%d", port & 0xffff);
}

enum spd_rc spd_net_listen(const char *address, int port, int *ret_fd, struct spd_err *err)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM},
                    *found;
    char p[8];
    int fd, one = 1, e;
    port_text(port, p);
    if ((e = getaddrinfo(address, p, &hints, &found)))
        return spd_fail(err, SPD_INVALID, "listen", "not a numeric address: %s", gai_strerror(e));
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    e = fd < 0 ? errno : 0;
    if (!e) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (!e && (bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, BACKLOG))) e = errno;
    freeaddrinfo(found);
    if (!e) {
        *ret_fd = fd;
        return SPD_OK;
    }
    if (fd >= 0) close(fd);
    return spd_fail(err, e == EADDRINUSE ? SPD_EXISTS : SPD_IO, "listen", "%s port %d: %s", address,
                    port, strerror(e));
}

static enum spd_rc unix_address(const char *path, struct sockaddr_un *ret, struct spd_err *err)
{
    memset(ret, 0, sizeof *ret);
    ret->sun_family = AF_UNIX;
    if (!*path || strlen(path) >= sizeof ret->sun_path)
        return spd_fail(err, SPD_INVALID, "socket", "the path is empty or longer than %zu bytes",
                        sizeof ret->sun_path - 1);
    memcpy(ret->sun_path, path, strlen(path));
    return SPD_OK;
}

enum spd_rc spd_net_listen_unix(const char *path, mode_t mode, int *ret_fd, struct spd_err *err)
{
    struct sockaddr_un a;
    struct stat st;
    int fd, e = 0, other;
    enum spd_rc rc = unix_address(path, &a, err);
    if (rc) return rc;
    if (!spd_net_connect_unix(path, SPD_SEC(1), &other, NULL)) {
        close(other);
        return spd_fail(err, SPD_EXISTS, "socket", "%s: another process listens on it", path);
    }
    if (!lstat(path, &st) && S_ISSOCK(st.st_mode)) unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || chmod(path, mode) ||
        listen(fd, BACKLOG))
        e = errno;
    if (!e) {
        *ret_fd = fd;
        return SPD_OK;
    }
    if (fd >= 0) close(fd);
    return spd_fail(err, SPD_IO, "socket", "%s: %s", path, strerror(e));
}

int spd_net_port(int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &n)) return 0;
    if (a.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&a)->sin_port);
    if (a.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&a)->sin6_port);
    return 0;
}

int spd_net_inherited(int *ret_first)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    int64_t p = 0, n = 0;
    bool ours = pid && fds && spd_sv_to_i64(spd_sv_from(pid), &p) && p == getpid() &&
                spd_sv_to_i64(spd_sv_from(fds), &n) && n > 0 && n < 64;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (!ours) return 0;
    for (int i = 0; i < (int)n; i++)
        fcntl(FIRST_INHERITED + i, F_SETFD, FD_CLOEXEC);
    *ret_first = FIRST_INHERITED;
    return (int)n;
}

void spd_net_timeout(int fd, spd_usec timeout)
{
    struct timeval t = {timeout / SPD_USEC_PER_SEC, timeout % SPD_USEC_PER_SEC};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
}

void spd_net_nonblock(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* Finishes a connect that was begun on a non-blocking descriptor. 0 or errno. */
static int finish_connect(int fd, const struct sockaddr *a, socklen_t n, spd_usec timeout)
{
    struct pollfd p = {fd, POLLOUT, 0};
    int e = 0, got;
    socklen_t size = sizeof e;
    if (!connect(fd, a, n)) return 0;
    if (errno != EINPROGRESS) return errno;
    do
        got = poll(&p, 1, (int)(timeout / 1000));
    while (got < 0 && errno == EINTR);
    if (got <= 0) return got ? errno : ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size) ? errno : e;
}

static int connect_to(int family, const struct sockaddr *a, socklen_t n, spd_usec timeout,
                      int *ret_fd)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), e;
    if (fd < 0) return errno;
    if ((e = finish_connect(fd, a, n, timeout))) {
        close(fd);
        return e;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    spd_net_timeout(fd, timeout);
    *ret_fd = fd;
    return 0;
}

enum spd_rc spd_net_connect(const char *host, int port, spd_usec timeout, int *ret_fd,
                            struct spd_err *err)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found;
    spd_usec until = spd_clock_monotonic() + timeout;
    char p[8];
    int e, one = 1;
    port_text(port, p);
    if ((e = getaddrinfo(host, p, &hints, &found)))
        return spd_fail(err, SPD_AGAIN, "connect", "name not resolved: %s", gai_strerror(e));
    e = ETIMEDOUT;
    for (struct addrinfo *i = found; i; i = i->ai_next) {
        spd_usec left = until - spd_clock_monotonic();
        if (left <= 0) break;
        e = connect_to(i->ai_family, i->ai_addr, i->ai_addrlen, left, ret_fd);
        if (!e) break;
    }
    freeaddrinfo(found);
    if (e) return spd_fail(err, SPD_AGAIN, "connect", "%s", strerror(e));
    setsockopt(*ret_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return SPD_OK;
}

enum spd_rc spd_net_connect_unix(const char *path, spd_usec timeout, int *ret_fd,
                                 struct spd_err *err)
{
    struct sockaddr_un a;
    int e;
    enum spd_rc rc = unix_address(path, &a, err);
    if (rc) return rc;
    e = connect_to(AF_UNIX, (struct sockaddr *)&a, sizeof a, timeout, ret_fd);
    return e ? spd_fail(err, SPD_AGAIN, "connect", "%s: %s", path, strerror(e)) : SPD_OK;
}

void spd_net_peer(int fd, char ret[SPD_NET_ADDRESS])
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    ret[0] = 0;
    if (getpeername(fd, (struct sockaddr *)&a, &n)) return;
    if (a.ss_family != AF_INET && a.ss_family != AF_INET6) return;
    if (getnameinfo((struct sockaddr *)&a, n, ret, SPD_NET_ADDRESS, NULL, 0, NI_NUMERICHOST))
        ret[0] = 0;
    if (!strncmp(ret, "::ffff:", 7))
        memmove(ret, ret + 7, strlen(ret + 7) + 1); /* IPv4 on a v6 socket */
}

bool spd_net_peer_uid(int fd, uid_t *ret)
{
    struct ucred c;
    socklen_t n = sizeof c;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n)) return false;
    *ret = c.uid;
    return true;
}

enum spd_rc spd_net_parse(spd_sv url, char *ret_host, size_t n_host, int *ret_port,
                          struct spd_err *err)
{
    size_t at, colon;
    int64_t port;
    spd_sv rest, host;
    if (!spd_sv_find(url, SPD_SV("://"), &at))
        return spd_fail(err, SPD_INVALID, "to", "expected scheme://host:port");
    rest = spd_sv_of(url.ptr + at + 3, url.len - at - 3);
    while (rest.len && rest.ptr[rest.len - 1] == '/')
        rest.len--;
    for (colon = rest.len; colon > 0 && rest.ptr[colon - 1] != ':'; colon--) {
    }
    if (!colon || !spd_sv_to_i64(spd_sv_of(rest.ptr + colon, rest.len - colon), &port) ||
        port < 1 || port > 65535)
        return spd_fail(err, SPD_INVALID, "to",
                        "expected scheme://host:port with a port of 1..65535");
    host = spd_sv_of(rest.ptr, colon - 1);
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host.ptr++, host.len -= 2;
    if (!host.len || host.len >= n_host)
        return spd_fail(err, SPD_INVALID, "to", "the host is missing or too long");
    memcpy(ret_host, host.ptr, host.len);
    ret_host[host.len] = 0;
    *ret_port = (int)port;
    return SPD_OK;
}
