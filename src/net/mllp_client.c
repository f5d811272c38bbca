/* src/net/mllp_client.c: see mllp_client.h. */
#define _GNU_SOURCE
#include "net/mllp_client.h"

#include <errno.h>
#include <poll.h>

#include "hl7/v2/frame.h"
#include "net/socket.h"

enum { CHUNK = 16 * 1024 };

struct spd_mllp_client {
    struct spd_stream stream;
    unsigned quirks;
    char rest[CHUNK]; /* what came behind the last answer, in the same bytes */
    size_t n_rest;
};

/* False: the deadline passed or the connection broke (errno). */
static bool ready(struct spd_stream *s, spd_usec until)
{
    for (;;) {
        struct pollfd p = {s->fd, s->wants, 0};
        spd_usec left = until - spd_clock_monotonic();
        int n = poll(&p, 1, left > 0 ? (int)((left + 999) / 1000) : 0);
        if (n > 0) return true;
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ETIMEDOUT;
        return false;
    }
}

static enum spd_rc shake(struct spd_stream *s, spd_usec until, struct spd_err *err)
{
    for (;;) {
        enum spd_rc rc = spd_stream_shake(s, err);
        if (rc != SPD_AGAIN) return rc;
        if (!ready(s, until))
            return spd_fail(err, SPD_AGAIN, "tls", "handshake: %s", strerror(errno));
    }
}

enum spd_rc spd_mllp_dial(const struct spd_mllp_target *to, struct spd_mllp_client **ret,
                          struct spd_err *err)
{
    struct spd_stream s;
    int fd;
    enum spd_rc rc = spd_net_connect(to->host, to->port, to->timeout, &fd, err);
    if (rc) return rc;
    spd_net_nonblock(fd);
    rc = spd_stream_open(&s, fd, to->tls, to->server_name ? to->server_name : to->host, err);
    if (!rc) rc = shake(&s, spd_clock_monotonic() + to->timeout, err);
    if (rc) {
        spd_stream_close(&s);
        return rc;
    }
    *ret = spd_must_malloc(sizeof **ret);
    (*ret)->stream = s, (*ret)->quirks = to->quirks, (*ret)->n_rest = 0;
    return SPD_OK;
}

enum spd_rc spd_mllp_connect(const char *host, int port, spd_usec timeout,
                             struct spd_mllp_client **ret, struct spd_err *err)
{
    struct spd_mllp_target to = {.size = sizeof to, .host = host, .port = port, .timeout = timeout};
    return spd_mllp_dial(&to, ret, err);
}

void spd_mllp_close(struct spd_mllp_client *c)
{
    if (!c) return;
    spd_stream_close(&c->stream);
    spd_free(c);
}

/* Nothing but whole empty frames? */
static bool only_keep_alives(spd_sv in, unsigned quirks)
{
    struct hl7_framer f;
    size_t used;
    spd_sv frame;
    bool ok;
    if (!(quirks & HL7_QUIRK_KEEP_ALIVE_FRAMES)) return false;
    hl7_framer_init(&f, 16);
    ok = hl7_framer_feed(&f, in, &used, &frame, NULL) == SPD_AGAIN && !f.inside;
    hl7_framer_done(&f);
    return ok;
}

static bool only_line_ends(spd_sv in)
{
    for (size_t i = 0; i < in.len; i++)
        if (in.ptr[i] != '\r' && in.ptr[i] != '\n') return false;
    return true;
}

bool spd_mllp_stale(struct spd_mllp_client *c)
{
    spd_sv rest = spd_sv_of(c->rest, c->n_rest);
    c->n_rest = 0;
    if (!only_line_ends(rest) && !only_keep_alives(rest, c->quirks)) return true;
    char some[256];
    ssize_t n = spd_stream_recv(&c->stream, some, sizeof some);
    if (n > 0) return !only_keep_alives(spd_sv_of(some, (size_t)n), c->quirks);
    return n == 0 || (errno != EAGAIN && errno != EINTR);
}

static bool send_all(struct spd_stream *s, spd_sv v, spd_usec until)
{
    while (v.len) {
        ssize_t n = spd_stream_send(s, v.ptr, v.len);
        if (n > 0)
            v.ptr += n, v.len -= (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            return false;
        else if (!ready(s, until))
            return false;
    }
    return true;
}

/* The next bytes; AGAIN: look once more. */
static enum spd_rc receive_some(struct spd_stream *s, char chunk[CHUNK], size_t *ret_n,
                                spd_usec until, struct spd_err *err)
{
    ssize_t n = spd_stream_recv(s, chunk, CHUNK);
    if (n > 0) {
        *ret_n = (size_t)n;
        return SPD_OK;
    }
    if (n == 0) return spd_fail(err, SPD_UNKNOWN, "mllp", "connection closed before the answer");
    if (errno == EACCES)
        return spd_fail(err, SPD_DENIED, "mllp", "the other side refused our certificate");
    if (errno == EAGAIN && !ready(s, until))
        return spd_fail(err, SPD_UNKNOWN, "mllp", "no answer: %s", strerror(errno));
    if (errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT) return SPD_AGAIN;
    return spd_fail(err, SPD_UNKNOWN, "mllp", "no answer: %s", strerror(errno));
}

static enum spd_rc receive(struct spd_mllp_client *c, size_t max, spd_usec until, spd_sv *ret,
                           struct spd_arena *arena, struct spd_err *err)
{
    struct hl7_framer f;
    char chunk[CHUNK];
    enum spd_rc rc = SPD_AGAIN;
    hl7_framer_init(&f, max);
    while (rc == SPD_AGAIN) {
        size_t n = c->n_rest;
        spd_sv in, frame;
        memcpy(chunk, c->rest, n);
        c->n_rest = 0;
        if (!n) rc = receive_some(&c->stream, chunk, &n, until, err);
        if (!n) continue;
        rc = SPD_AGAIN;
        in = spd_sv_of(chunk, n);
        while (in.len && rc == SPD_AGAIN) {
            size_t used = 0;
            rc = hl7_framer_feed(&f, in, &used, &frame, err);
            in.ptr += used, in.len -= used;
        }
        if (!rc) {
            *ret = spd_arena_dup(arena, frame);
            memcpy(c->rest, in.ptr, c->n_rest = in.len);
        }
        if (!rc && spd_arena_failed(arena))
            rc = spd_fail(err, SPD_LIMIT, "mllp", "the answer is too long");
        else if (rc && rc != SPD_AGAIN)
            rc = SPD_PROTO;
    }
    explicit_bzero(chunk, sizeof chunk);
    hl7_framer_done(&f);
    return rc;
}

enum spd_rc spd_mllp_next(struct spd_mllp_client *c, spd_usec total, size_t max, spd_sv *ret_answer,
                          struct spd_arena *arena, struct spd_err *err)
{
    return receive(c, max, spd_clock_monotonic() + total, ret_answer, arena, err);
}

enum spd_rc spd_mllp_exchange(struct spd_mllp_client *c, spd_sv message, spd_usec total, size_t max,
                              spd_sv *ret_answer, struct spd_arena *arena, struct spd_err *err)
{
    spd_usec until = spd_clock_monotonic() + total;
    struct spd_str out = SPD_STR_INIT(HL7_FRAME_MAX + 16);
    enum spd_rc rc = hl7_frame_write_as(&out, message, c->quirks);
    if (rc)
        rc = spd_fail(err, SPD_INVALID, "mllp", "the message does not fit in a frame");
    else if (!send_all(&c->stream, spd_str_sv(&out), until))
        rc = spd_fail(err, SPD_AGAIN, "mllp", "not sent: %s", strerror(errno));
    spd_str_done(&out);
    return rc ? rc : receive(c, max, until, ret_answer, arena, err);
}
