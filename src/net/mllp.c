/* src/net/mllp.c: see mllp.h.
 *
 * One connection: bytes -> framer -> host (a slot is taken) ... answer -> slot -> out, in slot
 * order. A connection is paused (not read) while the host said AGAIN to its frame, while it is owed
 * pending_max answers, or while it does not read its answers; what was read but not used waits in
 * `rest`. Threads: everything here belongs to the listener's thread, but `posted` and the figures,
 * under m->lock. */
#define _GNU_SOURCE
#include "net/mllp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "hl7/v2/frame.h"
#include "net/socket.h"

enum { CHUNK = 64 * 1024, OUT_HIGH = 1 << 20, EVENTS = 64, TICK_MS = 250 };
#define OUT_MAX ((size_t)64 << 20)
#define PARTS_MAX ((size_t)256 << 20) /* frames not handed over, of all connections together */
#define STOP_TIME SPD_SEC(10)
#define LISTENER UINT64_MAX
#define POSTED (UINT64_MAX - 1)

struct slot {
    bool done;
    struct spd_str answer;
};

struct conn {
    int fd;
    uint64_t id; /* generation << 16 | index */
    char address[SPD_NET_ADDRESS];
    struct hl7_framer framer;
    size_t part; /* bytes of the frame that is unfinished or held, as counted in m->parts */
    uint64_t keepalives;
    struct spd_str held; /* the frame that the host did not take yet */
    bool holding;
    struct spd_str rest;  /* bytes read behind it */
    struct slot *slots;   /* ring of pending_max */
    uint64_t first, next; /* frame numbers: owed are first .. next-1 */
    struct spd_str out;
    size_t sent;
    spd_usec last_frame, frame_since; /* monotonic; frame_since 0: not inside one */
    uint32_t wants;                   /* epoll events asked for */
    bool eof; /* the peer will send no more: answer what is owed, then close */
};

struct posted {
    struct posted *next;
    struct spd_mllp_ticket ticket;
    spd_sv answer; /* behind the struct */
};

struct spd_mllp {
    int listener, epoll, wake, port;
    struct spd_mllp_options o;
    spd_mllp_on_frame on_frame;
    void *ctx;
    struct conn **conns; /* max_connections */
    size_t n_conns, parts;
    uint64_t generation;
    size_t owed; /* frames taken and not answered yet, whether or not their connection is there */
    spd_usec stop_at;   /* 0: running */
    spd_usec logged_at; /* monotonic: many peers are not many lines; the figures count them all */
    char *chunk;
    pthread_t thread;

    pthread_mutex_t lock; /* leaf */
    struct posted *posted, **last_posted;
    bool stopping;
    struct spd_mllp_stats stats;
};

#define COUNT(m, member)                                                                           \
    do {                                                                                           \
        pthread_mutex_lock(&(m)->lock);                                                            \
        (m)->stats.member++;                                                                       \
        pthread_mutex_unlock(&(m)->lock);                                                          \
    } while (0)

/* ---- connections ----------------------------------------------------------------------------- */
static struct conn *conn_of(struct spd_mllp *m, uint64_t id)
{
    size_t i = id & 0xffff;
    return i < m->o.max_connections && m->conns[i] && m->conns[i]->id == id ? m->conns[i] : NULL;
}

static void conn_close(struct spd_mllp *m, struct conn *c)
{
    epoll_ctl(m->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
    m->parts -= c->part;
    hl7_framer_done(&c->framer);
    for (size_t i = 0; i < m->o.pending_max; i++)
        spd_str_done(&c->slots[i].answer);
    spd_str_done(&c->held), spd_str_done(&c->rest), spd_str_done(&c->out);
    m->conns[c->id & 0xffff] = NULL;
    m->n_conns--;
    spd_free(c->slots);
    spd_free(c);
}

static void ask(struct spd_mllp *m, struct conn *c)
{
    struct epoll_event e = {0};
    bool full = c->holding || c->rest.len || c->next - c->first >= m->o.pending_max ||
                c->out.len - c->sent > OUT_HIGH;
    if (!full && !c->eof && !m->stop_at) e.events |= EPOLLIN;
    if (c->out.len > c->sent) e.events |= EPOLLOUT;
    if (e.events == c->wants) return;
    c->wants = e.events;
    e.data.u64 = c->id;
    epoll_ctl(m->epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static bool may_log(struct spd_mllp *m)
{
    spd_usec now = spd_clock_monotonic();
    if (m->logged_at && now - m->logged_at < SPD_SEC(1)) return false;
    m->logged_at = now;
    return true;
}

/* The one longest without a whole frame; of one address, or of all (NULL). */
static struct conn *most_silent(struct spd_mllp *m, const char *address, size_t *ret_n)
{
    struct conn *oldest = NULL;
    *ret_n = 0;
    for (size_t i = 0; i < m->o.max_connections; i++) {
        struct conn *c = m->conns[i];
        if (!c || (address && strcmp(address, c->address))) continue;
        (*ret_n)++;
        if (!oldest || c->last_frame < oldest->last_frame) oldest = c;
    }
    return oldest;
}

static void make_room(struct spd_mllp *m, const char *address)
{
    size_t n;
    struct conn *c = most_silent(m, address, &n);
    if (n < m->o.max_per_peer)
        c = m->n_conns < m->o.max_connections ? NULL : most_silent(m, NULL, &n);
    if (!c) return;
    if (may_log(m))
        spd_log(SPD_LOG_WARNING, "mllp: too many connections, the most silent one is closed",
                SPD_LZ("address", c->address), SPD_LI("connections", (int64_t)m->n_conns));
    COUNT(m, evicted);
    conn_close(m, c);
}

static void conn_new(struct spd_mllp *m, int fd)
{
    struct epoll_event e = {.events = EPOLLIN};
    struct conn *c = spd_must_malloc(sizeof *c);
    size_t i = 0;
    int one = 1;
    spd_net_peer(fd, c->address);
    make_room(m, c->address);
    while (m->conns[i])
        i++;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->fd = fd;
    c->id = ++m->generation << 16 | i;
    hl7_framer_init(&c->framer, m->o.frame_max);
    c->held = SPD_STR_INIT(m->o.frame_max + 1), c->rest = SPD_STR_INIT(CHUNK + 1),
    c->out = SPD_STR_INIT(OUT_MAX);
    c->slots = spd_must_malloc(sizeof *c->slots * m->o.pending_max);
    for (size_t k = 0; k < m->o.pending_max; k++)
        c->slots[k].answer = SPD_STR_INIT(HL7_FRAME_MAX);
    c->last_frame = spd_clock_monotonic();
    c->wants = e.events;
    e.data.u64 = c->id;
    m->conns[i] = c;
    m->n_conns++;
    if (epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &e))
        conn_close(m, c);
    else
        COUNT(m, accepted);
}

static void accept_all(struct spd_mllp *m)
{
    for (int i = 0; i < EVENTS; i++) {
        int fd = accept4(m->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            conn_new(m, fd);
        } else if ((errno == EMFILE || errno == ENFILE || errno == ENOMEM) && m->n_conns) {
            size_t n; /* no descriptor left: take the most silent one's, else this would spin */
            COUNT(m, evicted);
            conn_close(m, most_silent(m, NULL, &n));
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

/* ---- answers --------------------------------------------------------------------------------- */
/* False: the connection broke. */
static bool flush(struct conn *c)
{
    while (c->sent < c->out.len) {
        ssize_t n = send(c->fd, c->out.ptr + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
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
static bool advance(struct spd_mllp *m, struct conn *c)
{
    while (c->first < c->next) {
        struct slot *s = &c->slots[c->first % m->o.pending_max];
        if (!s->done) break;
        if (s->answer.len) spd_str_add(&c->out, spd_str_sv(&s->answer));
        spd_str_done(&s->answer);
        s->answer = SPD_STR_INIT(HL7_FRAME_MAX);
        s->done = false;
        c->first++;
    }
    return spd_str_ok(&c->out) && flush(c);
}

/* Gives a frame to the host. False: close the connection. */
static bool hand_over(struct spd_mllp *m, struct conn *c, spd_sv frame)
{
    struct spd_mllp_ticket t = {c->id, c->next};
    enum spd_rc rc;
    c->slots[c->next % m->o.pending_max].done = false;
    c->next++, m->owed++; /* before the call: the answer may come from within it */
    rc = m->on_frame(m->ctx, t, c->address, frame);
    if (!rc) {
        if (c->held.cap > CHUNK) spd_str_done(&c->held); /* a long one is not kept as a buffer */
        spd_str_clear(&c->held);
        c->holding = false;
        COUNT(m, frames);
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
static void count_part(struct spd_mllp *m, struct conn *c)
{
    if (!c->framer.inside && c->framer.part.cap > CHUNK) {
        hl7_framer_done(&c->framer);
        hl7_framer_init(&c->framer, m->o.frame_max);
        c->keepalives = 0;
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
static bool shed(struct spd_mllp *m, const struct conn *c)
{
    while (m->parts > m->o.parts_max) {
        struct conn *most = NULL;
        for (size_t i = 0; i < m->o.max_connections; i++)
            if (m->conns[i] && (!most || m->conns[i]->part > most->part)) most = m->conns[i];
        if (!most || most == c) return false;
        if (may_log(m))
            spd_log(SPD_LOG_WARNING, "mllp: unfinished frames take too much, the longest is closed",
                    SPD_LZ("address", most->address));
        COUNT(m, evicted);
        conn_close(m, most);
    }
    return true;
}

/* Works through bytes until they are used up or the connection must wait. False: close it. */
static bool consume(struct spd_mllp *m, struct conn *c, spd_sv in)
{
    while (in.len && !c->holding && c->next - c->first < m->o.pending_max) {
        spd_sv frame;
        size_t used = 0;
        struct spd_err err;
        enum spd_rc rc = hl7_framer_feed(&c->framer, in, &used, &frame, &err);
        in.ptr += used, in.len -= used;
        if (rc && rc != SPD_AGAIN) {
            if (may_log(m))
                spd_log(SPD_LOG_WARNING, "mllp: connection closed, bytes are no frame",
                        SPD_LZ("address", c->address), SPD_LZ("rc", spd_rc_name(rc)));
            COUNT(m, refused);
            return false;
        }
        if (!rc || c->framer.keepalives != c->keepalives) c->last_frame = spd_clock_monotonic();
        c->keepalives = c->framer.keepalives;
        if (!rc && !hand_over(m, c, frame)) return false;
    }
    spd_str_add(&c->rest, in);
    count_part(m, c);
    return spd_str_ok(&c->rest) && shed(m, c);
}

/* Goes on with what waited: the held frame, then the bytes behind it. */
static bool resume(struct spd_mllp *m, struct conn *c)
{
    struct spd_str rest;
    bool ok = true;
    if (m->stop_at) return true; /* nothing new is taken any more */
    if (c->holding && !hand_over(m, c, spd_str_sv(&c->held))) return false;
    if (!c->holding) count_part(m, c);
    if (c->holding || !c->rest.len || c->next - c->first >= m->o.pending_max) return true;
    rest = c->rest;
    c->rest = SPD_STR_INIT(CHUNK + 1);
    ok = consume(m, c, spd_str_sv(&rest));
    spd_str_done(&rest);
    return ok;
}

static bool readable(struct spd_mllp *m, struct conn *c)
{
    bool ok = true;
    ssize_t n;
    if (c->holding || c->rest.len) return true; /* paused since epoll looked */
    n = recv(c->fd, m->chunk, CHUNK, 0);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) {
        c->eof = true;
        return c->holding || c->first < c->next || c->out.len;
    }
    ok = consume(m, c, spd_sv_of(m->chunk, (size_t)n));
    explicit_bzero(m->chunk, (size_t)n);
    return ok;
}

/* After anything happened to a connection. */
static void settle(struct spd_mllp *m, struct conn *c, bool ok)
{
    ok = ok && advance(m, c) && resume(m, c) && advance(m, c);
    if (ok && c->eof && c->first == c->next && !c->holding && c->sent == c->out.len) ok = false;
    if (ok)
        ask(m, c);
    else
        conn_close(m, c);
}

static void take_posted(struct spd_mllp *m)
{
    struct posted *p, *next;
    uint64_t n;
    ssize_t got = read(m->wake, &n, sizeof n);
    (void)got;
    pthread_mutex_lock(&m->lock);
    p = m->posted;
    m->posted = NULL, m->last_posted = &m->posted;
    if (m->stopping && !m->stop_at) m->stop_at = spd_clock_monotonic() + STOP_TIME;
    pthread_mutex_unlock(&m->lock);
    for (; p; p = next) {
        struct conn *c = conn_of(m, p->ticket.connection);
        next = p->next;
        m->owed--;
        if (c) {
            struct slot *s = &c->slots[p->ticket.frame % m->o.pending_max];
            bool ok = !p->answer.len || hl7_frame_write(&s->answer, p->answer) == SPD_OK;
            s->done = true;
            settle(m, c, ok);
        }
        explicit_bzero((char *)(uintptr_t)p->answer.ptr, p->answer.len);
        spd_free(p);
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */
static const char *overdue(const struct spd_mllp *m, const struct conn *c, spd_usec now)
{
    if (c->holding || c->rest.len) return NULL; /* it waits for us */
    if (c->frame_since && now - c->frame_since > m->o.frame_time)
        return "frame not finished in time";
    if (c->first == c->next && now - c->last_frame > m->o.idle_time) return "idle";
    if (c->out.len && now - c->last_frame > m->o.idle_time) return "does not read its answers";
    return NULL;
}

/* Deadlines, and another try for the frames that the host did not take. Returns how many wait for
 * that. */
static size_t tick(struct spd_mllp *m)
{
    spd_usec now = spd_clock_monotonic();
    size_t paused = 0;
    for (size_t i = 0; i < m->o.max_connections; i++) {
        struct conn *c = m->conns[i];
        const char *why = c ? overdue(m, c, now) : NULL;
        if (why) {
            if (may_log(m))
                spd_log(SPD_LOG_INFO, "mllp: connection closed", SPD_LZ("address", c->address),
                        SPD_LZ("why", why));
            COUNT(m, timed_out);
            conn_close(m, c);
        } else if (c && (c->holding || m->stop_at)) {
            settle(m, c, true);
        }
        paused += m->conns[i] && m->conns[i]->holding;
    }
    pthread_mutex_lock(&m->lock);
    m->stats.connections = m->n_conns, m->stats.paused = paused;
    pthread_mutex_unlock(&m->lock);
    return paused;
}

static bool all_sent(const struct spd_mllp *m)
{
    for (size_t i = 0; i < m->o.max_connections; i++)
        if (m->conns[i] && m->conns[i]->out.len) return false;
    return true;
}

/* Stopping: true when nothing is owed, and everything was sent or the time for that is over. */
static bool finished(struct spd_mllp *m)
{
    if (!m->stop_at) return false;
    if (m->listener >= 0) {
        close(m->listener);
        m->listener = -1;
    }
    return m->owed == 0 && (all_sent(m) || spd_clock_monotonic() > m->stop_at);
}

static void handle(struct spd_mllp *m, const struct epoll_event *e)
{
    struct conn *c;
    if (e->data.u64 == LISTENER) {
        accept_all(m);
    } else if (e->data.u64 == POSTED) {
        take_posted(m);
    } else if ((c = conn_of(m, e->data.u64))) {
        bool ok = true;
        if (e->events & EPOLLIN)
            ok = readable(m, c);
        else if (e->events & (EPOLLERR | EPOLLHUP))
            ok = false;
        settle(m, c, ok);
    }
}

static void *run(void *arg)
{
    struct spd_mllp *m = arg;
    spd_usec next_tick = 0;
    size_t paused = 0;
    while (!finished(m)) {
        struct epoll_event events[EVENTS];
        int wait = paused ? (int)(m->o.retry / 1000) : m->stop_at ? 10 : TICK_MS;
        int n = epoll_wait(m->epoll, events, EVENTS, wait > 0 ? wait : 1);
        for (int i = 0; i < n; i++)
            handle(m, &events[i]);
        if (n <= 0 || paused || spd_clock_monotonic() >= next_tick) {
            paused = tick(m);
            next_tick = spd_clock_monotonic() + TICK_MS * 1000;
        }
    }
    return NULL;
}

/* ---- outside --------------------------------------------------------------------------------- */
static void wake(struct spd_mllp *m)
{
    uint64_t one = 1;
    ssize_t n = write(m->wake, &one, sizeof one);
    (void)n;
}

void spd_mllp_answer(struct spd_mllp *m, struct spd_mllp_ticket ticket, spd_sv answer)
{
    struct posted *p = spd_must_malloc(sizeof *p + answer.len);
    bool first;
    p->ticket = ticket;
    p->answer = spd_sv_of((char *)(p + 1), answer.len);
    if (answer.len) memcpy(p + 1, answer.ptr, answer.len);
    pthread_mutex_lock(&m->lock);
    first = !m->posted;
    *m->last_posted = p, m->last_posted = &p->next;
    if (first) wake(m); /* under the lock: the thread cannot end between the post and the wake */
    pthread_mutex_unlock(&m->lock);
}

static void set_defaults(struct spd_mllp_options *o)
{
    o->size = sizeof *o;
    if (!o->max_connections || o->max_connections > 0xffff) o->max_connections = 4096;
    if (!o->max_per_peer) o->max_per_peer = 256;
    if (!o->frame_max) o->frame_max = HL7_FRAME_MAX;
    if (!o->pending_max) o->pending_max = 64;
    if (!o->frame_time) o->frame_time = SPD_SEC(30);
    if (!o->idle_time) o->idle_time = SPD_MIN(10);
    if (!o->retry) o->retry = 20000;
    if (!o->parts_max) o->parts_max = PARTS_MAX;
}

static void mllp_free(struct spd_mllp *m)
{
    for (size_t i = 0; i < m->o.max_connections; i++)
        if (m->conns[i]) conn_close(m, m->conns[i]);
    if (m->listener >= 0) close(m->listener);
    if (m->epoll >= 0) close(m->epoll);
    if (m->wake >= 0) close(m->wake);
    pthread_mutex_destroy(&m->lock);
    spd_free(m->conns);
    spd_free(m->chunk);
    spd_free(m);
}

enum spd_rc spd_mllp_start(int fd, const struct spd_mllp_options *options,
                           spd_mllp_on_frame on_frame, void *ctx, struct spd_mllp **ret,
                           struct spd_err *err)
{
    struct epoll_event a = {.events = EPOLLIN, .data.u64 = LISTENER},
                       b = {.events = EPOLLIN, .data.u64 = POSTED};
    struct spd_mllp *m = spd_must_malloc(sizeof *m);
    if (options) m->o = *options;
    set_defaults(&m->o);
    m->listener = fd, m->on_frame = on_frame, m->ctx = ctx;
    m->port = spd_net_port(fd);
    spd_net_nonblock(fd);
    m->conns = spd_must_malloc(sizeof *m->conns * m->o.max_connections);
    m->chunk = spd_must_malloc(CHUNK);
    pthread_mutex_init(&m->lock, NULL);
    m->last_posted = &m->posted;
    m->epoll = epoll_create1(EPOLL_CLOEXEC);
    m->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (m->epoll < 0 || m->wake < 0 || epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &a) ||
        epoll_ctl(m->epoll, EPOLL_CTL_ADD, m->wake, &b) ||
        pthread_create(&m->thread, NULL, run, m)) {
        enum spd_rc rc = spd_fail(err, SPD_IO, "mllp", "cannot start: %s", strerror(errno));
        mllp_free(m);
        return rc;
    }
    *ret = m;
    return SPD_OK;
}

void spd_mllp_stop(struct spd_mllp *m)
{
    if (!m) return;
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    wake(m);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    mllp_free(m);
}

int spd_mllp_port(const struct spd_mllp *m)
{
    return m->port;
}

struct spd_mllp_stats spd_mllp_stats(struct spd_mllp *m)
{
    struct spd_mllp_stats s;
    pthread_mutex_lock(&m->lock);
    s = m->stats;
    pthread_mutex_unlock(&m->lock);
    return s;
}
