/* src/client/stream.c: see stream.h. The text is that of the HTML standard, "server-sent events":
 * lines ended by CR, LF or both; "field: value"; an empty line ends an event; a line that begins
 * with a colon is a comment (the heartbeat). */
#define _GNU_SOURCE
#include "client/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "client/conn.h"

#define SILENT SPD_SEC(50) /* the brain says something every 15 s */

/* ---- the text -------------------------------------------------------------------------------- */
/* The number of a member of the flat JSON object that data is. */
static bool member(spd_sv data, spd_sv key, int64_t *ret)
{
    size_t at, n = 0;
    if (!spd_sv_find(data, key, &at)) return false;
    data = spd_sv_trim(spd_sv_of(data.ptr + at + key.len, data.len - at - key.len));
    if (!data.len || data.ptr[0] != ':') return false;
    data = spd_sv_trim(spd_sv_of(data.ptr + 1, data.len - 1));
    while (n < data.len && data.ptr[n] >= '0' && data.ptr[n] <= '9')
        n++;
    return n < 19 && spd_sv_to_i64(spd_sv_of(data.ptr, n), ret);
}

static void field(struct spd_sse *s, spd_sv name, spd_sv value)
{
    int64_t n;
    if (spd_sv_is(name, "event")) {
        size_t k = value.len < SPD_SSE_KIND - 1 ? value.len : SPD_SSE_KIND - 1;
        if (k) memcpy(s->event.kind, value.ptr, k);
        s->event.kind[k] = 0;
    } else if (spd_sv_is(name, "data")) {
        if (member(value, SPD_SV("\"id\""), &n)) s->event.id = n;
        if (member(value, SPD_SV("\"revision\""), &n)) s->event.revision = n;
    } else if (spd_sv_is(name, "id")) {
        if (value.len < 19 && spd_sv_to_i64(value, &n) && n >= 0) s->new_place = n;
        return;
    } else {
        return;
    }
    s->some = true;
}

/* True: that was the end of an event. */
static bool line(struct spd_sse *s, struct spd_stream_event *ret)
{
    spd_sv v = spd_sv_of(s->line, s->len), value = SPD_SV_NONE;
    size_t colon;
    bool skip = s->too_long, whole;
    s->len = 0;
    s->too_long = false;
    if (skip) return false;
    if (v.len) {
        if (spd_sv_find(v, SPD_SV(":"), &colon)) {
            value = spd_sv_of(v.ptr + colon + 1, v.len - colon - 1);
            if (value.len && value.ptr[0] == ' ') value.ptr++, value.len--;
            v.len = colon;
        }
        if (v.len) field(s, v, value);
        return false;
    }
    whole = s->some;
    if (whole) *ret = s->event;
    if (s->new_place > 0) s->place = s->new_place;
    s->event = (struct spd_stream_event){0};
    s->some = false, s->new_place = -1;
    return whole;
}

bool spd_sse_next(struct spd_sse *s, spd_sv *bytes, struct spd_stream_event *ret)
{
    while (bytes->len) {
        char c = *bytes->ptr;
        bool second = c == '\n' && s->cr;
        bytes->ptr++, bytes->len--;
        s->cr = c == '\r';
        if (second) continue;
        if (c == '\n' || c == '\r') {
            if (line(s, ret)) return true;
        } else if (s->len < sizeof s->line) {
            s->line[s->len++] = c;
        } else {
            s->too_long = true;
        }
    }
    return false;
}

/* ---- the connection -------------------------------------------------------------------------- */
struct spd_stream {
    struct spd_conn conn;
    struct spd_sse sse;
    spd_sv rest; /* in buf: received, not yet read */
    bool ended;
    spd_usec heard; /* monotonic */
    char buf[SPD_HTTP_HEADER_MAX];
};

/* The head of the answer; what follows it stays in rest. */
static enum spd_rc read_head(struct spd_stream *s, int *ret_status, struct spd_err *err)
{
    size_t n = 0, end;
    spd_sv head;
    do {
        int64_t k;
        if (n == sizeof s->buf - 1)
            return spd_fail(err, SPD_PROTO, "client", "the answer is not HTTP");
        k = spd_conn_receive(&s->conn, s->buf + n, sizeof s->buf - 1 - n);
        if (k < 0)
            return spd_fail(err, SPD_UNKNOWN, "client", "%s",
                            errno == ETIMEDOUT ? "no answer in time" : strerror(errno));
        if (k == 0) return spd_fail(err, SPD_UNKNOWN, "client", "closed without an answer");
        n += (size_t)k;
    } while (!spd_sv_find(spd_sv_of(s->buf, n), SPD_SV("\r\n\r\n"), &end));
    head = spd_sv_of(s->buf, end);
    s->buf[end] = 0;
    s->rest = spd_sv_of(s->buf + end + 4, n - end - 4);
    if (!spd_conn_status(head, ret_status) || strcasestr(s->buf, "\r\ntransfer-encoding:"))
        return spd_fail(err, SPD_PROTO, "client", "the answer is not HTTP/1.0");
    return SPD_OK;
}

/* What is said instead of a stream; how much of it comes is all one. */
static void read_problem(struct spd_stream *s, struct spd_str *out)
{
    int64_t k;
    do {
        spd_str_add(out, s->rest);
        k = spd_conn_receive(&s->conn, s->buf, sizeof s->buf);
        s->rest = spd_sv_of(s->buf, k > 0 ? (size_t)k : 0);
    } while (k > 0 && spd_str_ok(out));
}

enum spd_rc spd_stream_open(const struct spd_http_target *target, const char *path, int *ret_status,
                            struct spd_str *ret_problem, struct spd_stream **ret,
                            struct spd_err *err)
{
    struct spd_stream *s = calloc(1, sizeof *s);
    struct spd_str head = SPD_STR_INIT(SPD_HTTP_HEADER_MAX);
    enum spd_rc rc;
    *ret = NULL;
    if (!s) return spd_fail(err, SPD_NOMEM, "client", "out of memory");
    s->conn.fd = -1;
    s->sse.new_place = -1;
    rc = spd_conn_head(target, "GET", path, "text/event-stream", NULL, 0, &head, err);
    if (!rc) rc = spd_conn_dial(target, &s->conn, err);
    if (!rc && !spd_conn_send(&s->conn, spd_str_sv(&head)))
        rc = spd_fail(err, SPD_UNKNOWN, "client", "not sent: %s", strerror(errno));
    if (!rc) rc = read_head(s, ret_status, err);
    spd_str_done(&head);
    s->heard = spd_clock_monotonic();
    if (!rc && *ret_status == 200) {
        *ret = s;
        return SPD_OK;
    }
    if (!rc) read_problem(s, ret_problem);
    spd_stream_close(s);
    return rc;
}

void spd_stream_close(struct spd_stream *s)
{
    if (!s) return;
    spd_conn_close(&s->conn);
    free(s);
}

int spd_stream_fd(const struct spd_stream *s)
{
    return s->conn.fd;
}

int64_t spd_stream_place(const struct spd_stream *s)
{
    return s->sse.place;
}

enum spd_rc spd_stream_next(struct spd_stream *s, struct spd_stream_event *ret)
{
    for (;;) {
        ssize_t n;
        if (spd_sse_next(&s->sse, &s->rest, ret)) return SPD_OK;
        if (s->ended) return SPD_NOTFOUND;
        n = recv(s->conn.fd, s->buf, sizeof s->buf, MSG_DONTWAIT);
        if (n > 0) {
            s->rest = spd_sv_of(s->buf, (size_t)n);
            s->heard = spd_clock_monotonic();
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK) ||
                   spd_clock_monotonic() - s->heard > SILENT) {
            s->ended = true;
        } else {
            return SPD_AGAIN;
        }
    }
}
