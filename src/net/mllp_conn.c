/* src/net/mllp_conn.c: one connection of the MLLP listener. See mllp.h, mllp_internal.h.
 *
 * bytes -> framer -> host (a slot is taken) ... answer -> slot -> out, in slot order. A connection
 * is paused (not read) while the host said AGAIN to its frame, while it is owed pending_max
 * answers, or while it does not read its answers; what was read but not used waits in `rest`. */
#define _GNU_SOURCE
#include "net/mllp_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/log.h"

enum { OUT_HIGH = 1 << 20 };
#define OUT_MAX ((size_t)64 << 20)

/* ---- begin and end --------------------------------------------------------------------------- */
static void ask_manner(struct spd_mllp *m, struct spd__conn *c)
{
    struct spd_mllp_from from = {c->address, c->names ? c->names : ""};
    struct spd_mllp_manner manner = {0};
    if (m->o.manner) m->o.manner(m->ctx, &from, &manner);
    c->most = manner.max_connections ? manner.max_connections : m->o.max_per_peer;
    c->quirks = manner.quirks;
}

struct spd__conn *spd__conn_new(struct spd_mllp *m, int fd, struct spd_tls *tls,
                                const char *address)
{
    struct spd__conn *c = spd_must_malloc(sizeof *c);
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (spd_stream_open(&c->stream, fd, tls, NULL, NULL)) {
        spd_free(c);
        return NULL;
    }
    memcpy(c->address, address, sizeof c->address);
    ask_manner(m, c);
    hl7_framer_init(&c->framer, m->o.frame_max);
    c->held = SPD_STR_INIT(m->o.frame_max + 1), c->rest = SPD_STR_INIT(SPD__CHUNK + 1),
    c->out = SPD_STR_INIT(OUT_MAX);
    c->slots = spd_must_malloc(sizeof *c->slots * m->o.pending_max);
    for (size_t k = 0; k < m->o.pending_max; k++)
        c->slots[k].answer = SPD_STR_INIT(HL7_FRAME_MAX + 4);
    c->born = c->last_frame = spd_clock_monotonic();
    return c;
}

void spd__conn_close(struct spd_mllp *m, struct spd__conn *c)
{
    epoll_ctl(m->epoll, EPOLL_CTL_DEL, c->stream.fd, NULL);
    spd_stream_close(&c->stream);
    m->parts -= c->part;
    hl7_framer_done(&c->framer);
    for (size_t i = 0; i < m->o.pending_max; i++)
        spd_str_done(&c->slots[i].answer);
    spd_str_done(&c->held), spd_str_done(&c->rest), spd_str_done(&c->out);
    m->conns[c->id & 0xffff] = NULL;
    m->n_conns--;
    spd_free(c->names);
    spd_free(c->slots);
    spd_free(c);
}

static void ask(struct spd_mllp *m, struct spd__conn *c)
{
    struct epoll_event e = {.data.u64 = c->id};
    bool full = c->holding || c->rest.len || c->next - c->first >= m->o.pending_max ||
                c->out.len - c->sent > OUT_HIGH;
    if (!full && !c->eof && !m->stop_at) e.events |= c->want_out ? EPOLLOUT : EPOLLIN;
    if (c->stream.shaken && c->out.len > c->sent) e.events |= EPOLLOUT;
    if (!c->stream.shaken) e.events = c->stream.wants == POLLOUT ? EPOLLOUT : EPOLLIN;
    if (e.events == c->wants) return;
    c->wants = e.events;
    epoll_ctl(m->epoll, EPOLL_CTL_MOD, c->stream.fd, &e);
}

const char *spd__conn_overdue(const struct spd_mllp *m, const struct spd__conn *c, spd_usec now)
{
    if (!c->stream.shaken && now - c->born > m->o.shake_time)
        return "TLS handshake not finished in time";
    if (c->holding || c->rest.len) return NULL; /* it waits for us */
    if (c->frame_since && now - c->frame_since > m->o.frame_time)
        return "frame not finished in time";
    if (c->begun && !c->framer.frames && !c->framer.keepalives && !c->frame_since &&
        now - c->begun > m->o.begin_time)
        return "no frame begun in time";
    if (c->first == c->next && now - c->last_frame > m->o.idle_time) return "idle";
    if (c->out.len && now - c->last_frame > m->o.idle_time) return "does not read its answers";
    return NULL;
}

/* ---- answers --------------------------------------------------------------------------------- */
/* False: the connection broke. */
static bool flush(struct spd__conn *c)
{
    while (c->sent < c->out.len && c->stream.shaken) {
        ssize_t n = spd_stream_send(&c->stream, c->out.ptr + c->sent, c->out.len - c->sent);
        if (n > 0)
            c->sent += (size_t)n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            return false;
    }
    if (c->sent == c->out.len) spd_str_clear(&c->out), c->sent = 0;
    return true;
}

/* Moves the answers that are next in line to the output. */
static bool advance(struct spd_mllp *m, struct spd__conn *c)
{
    while (c->first < c->next) {
        struct spd__slot *s = &c->slots[c->first % m->o.pending_max];
        if (!s->done) break;
        if (s->answer.len) {
            spd_str_add(&c->out, spd_str_sv(&s->answer));
            spd_str_done(&s->answer);
            s->answer = SPD_STR_INIT(HL7_FRAME_MAX + 4);
        }
        s->done = false;
        c->first++;
    }
    return spd_str_ok(&c->out) && flush(c);
}

void spd__conn_answer(struct spd_mllp *m, struct spd__conn *c, const struct spd__posted *p)
{
    struct spd__slot *s = &c->slots[p->ticket.frame % m->o.pending_max];
    bool next = p->ticket.frame == c->first; /* the usual case: straight out */
    struct spd_str *to = next ? &c->out : &s->answer;
    enum spd_rc rc = SPD_OK;
    if (p->as) c->quirks = p->quirks;
    if (p->answer.len) rc = hl7_frame_write_as(to, p->answer, c->quirks);
    if (!rc && p->second.len) rc = hl7_frame_write_as(to, p->second, c->quirks);
    if (next)
        c->first++;
    else
        s->done = true;
    if (rc) c->out.rc = rc; /* what cannot be framed cannot be answered: advance closes it */
    c->touched = true;
}

/* ---- frames ---------------------------------------------------------------------------------- */
/* Gives a frame to the host. False: close the connection. */
static bool hand_over(struct spd_mllp *m, struct spd__conn *c, spd_sv frame)
{
    struct spd_mllp_ticket t = {c->id, c->next};
    struct spd_mllp_from from = {c->address, c->names ? c->names : ""};
    enum spd_rc rc;
    c->slots[c->next % m->o.pending_max].done = false;
    c->next++, m->owed++; /* before the call: the answer may come from within it */
    rc = m->on_frame(m->ctx, t, &from, frame);
    if (!rc) {
        m->took = true;
        if (c->held.cap > SPD__CHUNK) spd_str_done(&c->held); /* a long one is no buffer to keep */
        spd_str_clear(&c->held);
        c->holding = false;
        SPD__COUNT(m, frames);
        return true;
    }
    c->next--, m->owed--;
    if (rc != SPD_AGAIN) return false;
    if (!c->holding) spd_str_add(&c->held, frame);
    c->holding = true;
    return spd_str_ok(&c->held);
}

/* What an unfinished or held frame takes counts for all connections together; a long one that was
 * handed over is not kept as a buffer. */
static void count_part(struct spd_mllp *m, struct spd__conn *c)
{
    if (!c->framer.inside && c->framer.part.cap > SPD__CHUNK) {
        spd_str_done(&c->framer.part);
        c->framer.part = SPD_STR_INIT(m->o.frame_max);
        c->framer.handed = false;
    }
    m->parts -= c->part;
    c->part = c->framer.part.cap + c->held.cap;
    m->parts += c->part;
    if (!c->framer.inside)
        c->frame_since = 0;
    else if (!c->frame_since)
        c->frame_since = spd_clock_monotonic();
}

/* Too much is held: those that hold most go, so that long frames cannot close a short one's
 * connection. Nothing of them was acknowledged. False: it is c itself. */
static bool shed(struct spd_mllp *m, const struct spd__conn *c)
{
    while (m->parts > m->o.parts_max) {
        struct spd__conn *most = NULL;
        for (size_t i = 0; i < m->o.max_connections; i++)
            if (m->conns[i] && (!most || m->conns[i]->part > most->part)) most = m->conns[i];
        if (!most || most == c) return false;
        if (spd__mllp_may_log(m))
            spd_log(SPD_LOG_WARNING, "mllp: unfinished frames take too much, the longest is closed",
                    SPD_LZ("address", most->address));
        SPD__COUNT(m, evicted);
        spd__conn_close(m, most);
    }
    return true;
}

/* Empty frames keep a line alive; who says that it wants them back gets one, unless it does not
 * read. */
static void keep_alive(struct spd__conn *c)
{
    if (c->framer.keepalives != c->keepalives && c->quirks & HL7_QUIRK_KEEP_ALIVE_FRAMES &&
        c->out.len - c->sent < OUT_HIGH)
        hl7_frame_write_as(&c->out, SPD_SV_NONE, c->quirks);
    c->keepalives = c->framer.keepalives;
}

/* Works through bytes until they are used up or the connection must wait. False: close it. */
static bool consume(struct spd_mllp *m, struct spd__conn *c, spd_sv in)
{
    if (!c->begun) c->begun = spd_clock_monotonic();
    while (in.len && !c->holding && c->next - c->first < m->o.pending_max) {
        spd_sv frame;
        size_t used = 0;
        struct spd_err err;
        enum spd_rc rc;
        c->framer.quirks = c->quirks;
        rc = hl7_framer_feed(&c->framer, in, &used, &frame, &err);
        in.ptr += used, in.len -= used;
        if (rc && rc != SPD_AGAIN) {
            if (spd__mllp_may_log(m))
                spd_log(SPD_LOG_WARNING, "mllp: connection closed, bytes are no frame",
                        SPD_LZ("address", c->address), SPD_LZ("rc", spd_rc_name(rc)));
            SPD__COUNT(m, refused);
            return false;
        }
        if (!rc || c->framer.keepalives != c->keepalives) c->last_frame = spd_clock_monotonic();
        keep_alive(c);
        if (!rc && !hand_over(m, c, frame)) return false;
    }
    spd_str_add(&c->rest, in);
    count_part(m, c);
    return spd_str_ok(&c->rest) && shed(m, c);
}

/* Goes on with what waited: the held frame, then the bytes behind it. */
static bool resume(struct spd_mllp *m, struct spd__conn *c)
{
    struct spd_str rest;
    bool ok = true;
    if (m->stop_at) return true; /* nothing new is taken any more */
    if (c->holding && !hand_over(m, c, spd_str_sv(&c->held))) return false;
    if (!c->holding) count_part(m, c);
    if (c->holding || !c->rest.len || c->next - c->first >= m->o.pending_max) return true;
    rest = c->rest;
    c->rest = SPD_STR_INIT(SPD__CHUNK + 1);
    ok = consume(m, c, spd_str_sv(&rest));
    spd_str_done(&rest);
    return ok;
}

static bool readable(struct spd_mllp *m, struct spd__conn *c)
{
    bool ok = true;
    ssize_t n;
    if (c->holding || c->rest.len) return true; /* paused since epoll looked */
    n = spd_stream_recv(&c->stream, m->chunk, SPD__CHUNK);
    c->want_out = n < 0 && errno == EAGAIN && c->stream.wants == POLLOUT;
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) {
        c->eof = true;
        return c->holding || c->first < c->next || c->out.len;
    }
    ok = consume(m, c, spd_sv_of(m->chunk, (size_t)n));
    explicit_bzero(m->chunk, (size_t)n);
    return ok;
}

/* ---- events ---------------------------------------------------------------------------------- */
static bool shake(struct spd_mllp *m, struct spd__conn *c)
{
    struct spd_err err = {0};
    enum spd_rc rc = spd_stream_shake(&c->stream, &err);
    if (rc == SPD_AGAIN) return true;
    if (rc) {
        if (spd__mllp_may_log(m))
            spd_log(SPD_LOG_WARNING, "mllp: TLS refused", SPD_LZ("address", c->address),
                    SPD_LZ("why", err.text));
        SPD__COUNT(m, untrusted);
        return false;
    }
    c->names = spd_must_malloc(SPD_TLS_NAMES);
    spd_stream_names(&c->stream, c->names);
    c->last_frame = spd_clock_monotonic();
    ask_manner(m, c);
    return true;
}

bool spd__conn_event(struct spd_mllp *m, struct spd__conn *c, uint32_t events)
{
    if (!c->stream.shaken) return shake(m, c);
    if (events & EPOLLIN || (c->want_out && events & EPOLLOUT)) return readable(m, c);
    return !(events & (EPOLLERR | EPOLLHUP));
}

void spd__conn_settle(struct spd_mllp *m, struct spd__conn *c, bool ok)
{
    c->touched = false;
    ok = ok && advance(m, c) && resume(m, c) && advance(m, c);
    if (ok && c->eof && c->first == c->next && !c->holding && c->sent == c->out.len) ok = false;
    if (ok)
        ask(m, c);
    else
        spd__conn_close(m, c);
}
