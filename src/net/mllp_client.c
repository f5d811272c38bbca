/* src/net/mllp_client.c: see mllp_client.h. */
#define _GNU_SOURCE
#include "net/mllp_client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hl7/v2/frame.h"
#include "net/socket.h"

enum { CHUNK = 16 * 1024 };

struct spd_mllp_client {
    int fd;
};

enum spd_rc spd_mllp_connect(const char *host, int port, spd_usec timeout,
                             struct spd_mllp_client **ret, struct spd_err *err)
{
    int fd;
    enum spd_rc rc = spd_net_connect(host, port, timeout, &fd, err);
    if (rc) return rc;
    *ret = spd_must_malloc(sizeof **ret);
    (*ret)->fd = fd;
    spd_net_nonblock(fd);
    return SPD_OK;
}

void spd_mllp_close(struct spd_mllp_client *c)
{
    if (!c) return;
    close(c->fd);
    spd_free(c);
}

bool spd_mllp_stale(struct spd_mllp_client *c)
{
    char b;
    ssize_t n = recv(c->fd, &b, 1, MSG_PEEK | MSG_DONTWAIT);
    return n >= 0 || (errno != EAGAIN && errno != EINTR);
}

/* False: the deadline passed or the connection broke (errno). */
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

static bool send_all(int fd, spd_sv v, spd_usec until)
{
    while (v.len) {
        ssize_t n = send(fd, v.ptr, v.len, MSG_NOSIGNAL);
        if (n > 0)
            v.ptr += n, v.len -= (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            return false;
        else if (!ready(fd, POLLOUT, until))
            return false;
    }
    return true;
}

static enum spd_rc receive(int fd, size_t max, spd_usec until, spd_sv *ret, struct spd_arena *arena,
                           struct spd_err *err)
{
    struct hl7_framer f;
    char chunk[CHUNK];
    enum spd_rc rc = SPD_AGAIN;
    hl7_framer_init(&f, max);
    while (rc == SPD_AGAIN) {
        ssize_t n;
        spd_sv in, frame;
        if (!ready(fd, POLLIN, until)) {
            rc = spd_fail(err, SPD_UNKNOWN, "mllp", "no answer: %s", strerror(errno));
            break;
        }
        n = recv(fd, chunk, sizeof chunk, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (n <= 0) {
            rc = spd_fail(err, SPD_UNKNOWN, "mllp", "connection closed before the answer");
            break;
        }
        in = spd_sv_of(chunk, (size_t)n);
        while (in.len && rc == SPD_AGAIN) {
            size_t used = 0;
            rc = hl7_framer_feed(&f, in, &used, &frame, err);
            in.ptr += used, in.len -= used;
        }
        if (!rc) *ret = spd_arena_dup(arena, frame);
        if (!rc && spd_arena_failed(arena))
            rc = spd_fail(err, SPD_LIMIT, "mllp", "the answer is too long");
        else if (rc && rc != SPD_AGAIN && rc != SPD_UNKNOWN)
            rc = SPD_PROTO;
    }
    explicit_bzero(chunk, sizeof chunk);
    hl7_framer_done(&f);
    return rc;
}

enum spd_rc spd_mllp_exchange(struct spd_mllp_client *c, spd_sv message, spd_usec total, size_t max,
                              spd_sv *ret_answer, struct spd_arena *arena, struct spd_err *err)
{
    spd_usec until = spd_clock_monotonic() + total;
    struct spd_str out = SPD_STR_INIT(HL7_FRAME_MAX + 16);
    enum spd_rc rc = hl7_frame_write(&out, message);
    if (rc)
        rc = spd_fail(err, SPD_INVALID, "mllp", "the message does not fit in a frame");
    else if (!send_all(c->fd, spd_str_sv(&out), until))
        rc = spd_fail(err, SPD_AGAIN, "mllp", "not sent: %s", strerror(errno));
    spd_str_done(&out);
    return rc ? rc : receive(c->fd, max, until, ret_answer, arena, err);
}
