/* src/net/mllp.c: the listener: who may come in, whose time is over, where answers go. See mllp.h;
 * one connection's life is in mllp_conn.c.
 *
 * Threads: everything here belongs to the listener's thread, but `posted`, the certificates, the
 * allow-list and the figures, under m->lock. A TLS handshake goes on in steps between the frames of
 * others, as the bytes come. */
#define _GNU_SOURCE
#include "net/mllp_internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

enum { EVENTS = 64, TICK_MS = 250 };
#define PARTS_MAX ((size_t)256 << 20) /* frames not handed over, of all connections together */
#define STOP_TIME SPD_SEC(10)
#define LISTENER UINT64_MAX
#define POSTED (UINT64_MAX - 1)

/* ---- who may come in ------------------------------------------------------------------------- */
static struct spd__conn *conn_of(struct spd_mllp *m, uint64_t id)
{
    size_t i = id & 0xffff;
    return i < m->o.max_connections && m->conns[i] && m->conns[i]->id == id ? m->conns[i] : NULL;
}

bool spd__mllp_may_log(struct spd_mllp *m)
{
    spd_usec now = spd_clock_monotonic();
    if (m->logged_at && now - m->logged_at < SPD_SEC(1)) return false;
    m->logged_at = now;
    return true;
}

/* The one longest without a whole frame; of one address, or of all (NULL). */
static struct spd__conn *most_silent(struct spd_mllp *m, const char *address, size_t *ret_n)
{
    struct spd__conn *oldest = NULL;
    *ret_n = 0;
    for (size_t i = 0; i < m->o.max_connections; i++) {
        struct spd__conn *c = m->conns[i];
        if (!c || (address && strcmp(address, c->address))) continue;
        (*ret_n)++;
        if (!oldest || c->last_frame < oldest->last_frame) oldest = c;
    }
    return oldest;
}

static void make_room(struct spd_mllp *m, const char *address, size_t most)
{
    size_t n;
    struct spd__conn *c = most_silent(m, address, &n);
    if (n < most) c = m->n_conns < m->o.max_connections ? NULL : most_silent(m, NULL, &n);
    if (!c) return;
    if (spd__mllp_may_log(m))
        spd_log(SPD_LOG_WARNING, "mllp: too many connections, the most silent one is closed",
                SPD_LZ("address", c->address), SPD_LI("connections", (int64_t)m->n_conns));
    SPD__COUNT(m, evicted);
    spd__conn_close(m, c);
}

static void conn_add(struct spd_mllp *m, struct spd__conn *c)
{
    struct epoll_event e = {.events = EPOLLIN};
    size_t i = 0;
    make_room(m, c->address, c->most);
    while (m->conns[i])
        i++;
    c->id = ++m->generation << 16 | i;
    c->wants = e.events;
    e.data.u64 = c->id;
    m->conns[i] = c;
    m->n_conns++;
    if (epoll_ctl(m->epoll, EPOLL_CTL_ADD, c->stream.fd, &e))
        spd__conn_close(m, c);
    else
        SPD__COUNT(m, accepted);
}

static void welcome(struct spd_mllp *m, int fd)
{
    char address[SPD_NET_ADDRESS];
    struct spd__conn *c;
    struct spd_tls *tls;
    bool allowed;
    spd_net_peer(fd, address);
    pthread_mutex_lock(&m->lock);
    allowed = !m->n_allow || spd_net_in_ranges(address, m->allow, m->n_allow);
    m->stats.not_allowed += !allowed;
    tls = spd_tls_ref(m->o.tls);
    pthread_mutex_unlock(&m->lock);
    if (allowed) {
        c = spd__conn_new(m, fd, tls, address);
        if (c) conn_add(m, c);
    } else {
        if (spd__mllp_may_log(m))
            spd_log(SPD_LOG_WARNING, "mllp: the address is not on the allow-list",
                    SPD_LZ("address", address));
        close(fd);
    }
    spd_tls_unref(tls);
}

static void accept_all(struct spd_mllp *m)
{
    for (int i = 0; i < EVENTS; i++) {
        int fd = accept4(m->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(m, fd);
        } else if ((errno == EMFILE || errno == ENFILE || errno == ENOMEM) && m->n_conns) {
            size_t n; /* no descriptor left: take the most silent one's, else this would spin */
            SPD__COUNT(m, evicted);
            spd__conn_close(m, most_silent(m, NULL, &n));
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

/* ---- answers --------------------------------------------------------------------------------- */
/* All answers first, then each connection once: many answers to one leave in one send. */
static void take_posted(struct spd_mllp *m)
{
    struct spd__posted *all, *p, *next;
    uint64_t n;
    ssize_t got = read(m->wake, &n, sizeof n);
    (void)got;
    pthread_mutex_lock(&m->lock);
    all = m->posted;
    m->posted = NULL, m->last_posted = &m->posted, m->woken = false;
    if (m->stopping && !m->stop_at) m->stop_at = spd_clock_monotonic() + STOP_TIME;
    pthread_mutex_unlock(&m->lock);
    for (p = all; p; p = p->next) {
        struct spd__conn *c = conn_of(m, p->ticket.connection);
        m->owed--;
        if (c) spd__conn_answer(m, c, p);
    }
    for (p = all; p; p = next) {
        struct spd__conn *c = conn_of(m, p->ticket.connection);
        next = p->next;
        if (c && c->touched) spd__conn_settle(m, c, true);
        explicit_bzero((char *)(uintptr_t)p->answer.ptr, p->answer.len);
        spd_free(p);
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */
/* Deadlines, and another try for the frames that the host did not take. Returns how many wait for
 * that. */
static size_t tick(struct spd_mllp *m)
{
    spd_usec now = spd_clock_monotonic();
    size_t paused = 0;
    for (size_t i = 0; i < m->o.max_connections; i++) {
        struct spd__conn *c = m->conns[i];
        const char *why = c ? spd__conn_overdue(m, c, now) : NULL;
        if (why) {
            if (spd__mllp_may_log(m))
                spd_log(SPD_LOG_INFO, "mllp: connection closed", SPD_LZ("address", c->address),
                        SPD_LZ("why", why));
            SPD__COUNT(m, timed_out);
            spd__conn_close(m, c);
        } else if (c && (c->holding || m->stop_at)) {
            spd__conn_settle(m, c, true);
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
    struct spd__conn *c;
    if (e->data.u64 == LISTENER)
        accept_all(m);
    else if (e->data.u64 == POSTED)
        take_posted(m);
    else if ((c = conn_of(m, e->data.u64)))
        spd__conn_settle(m, c, spd__conn_event(m, c, e->events));
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
        if (m->took && m->o.round) m->o.round(m->ctx);
        m->took = false;
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

static void post(struct spd_mllp *m, struct spd_mllp_ticket ticket, spd_sv answer, bool as,
                 unsigned quirks, bool more, spd_sv second)
{
    struct spd__posted *p = spd_must_malloc(sizeof *p + answer.len + second.len);
    p->ticket = ticket, p->as = as, p->quirks = quirks;
    p->answer = spd_sv_of((char *)(p + 1), answer.len);
    if (answer.len) memcpy(p + 1, answer.ptr, answer.len);
    p->second = spd_sv_of((char *)(p + 1) + answer.len, second.len);
    if (second.len) memcpy((char *)(p + 1) + answer.len, second.ptr, second.len);
    pthread_mutex_lock(&m->lock);
    *m->last_posted = p, m->last_posted = &p->next;
    if (!more && !m->woken) { /* under the lock: the thread cannot end between post and wake */
        m->woken = true;
        wake(m);
    }
    pthread_mutex_unlock(&m->lock);
}

void spd_mllp_answer(struct spd_mllp *m, struct spd_mllp_ticket ticket, spd_sv answer)
{
    post(m, ticket, answer, false, 0, false, SPD_SV_NONE);
}

void spd_mllp_answer_as(struct spd_mllp *m, struct spd_mllp_ticket ticket, spd_sv answer,
                        unsigned quirks)
{
    post(m, ticket, answer, true, quirks, false, SPD_SV_NONE);
}

void spd_mllp_answer_both(struct spd_mllp *m, struct spd_mllp_ticket ticket, spd_sv answer,
                          spd_sv second, unsigned quirks)
{
    post(m, ticket, answer, true, quirks, false, second);
}

void spd_mllp_answer_more(struct spd_mllp *m, struct spd_mllp_ticket ticket, spd_sv answer,
                          unsigned quirks)
{
    post(m, ticket, answer, true, quirks, true, SPD_SV_NONE);
}

void spd_mllp_wake(struct spd_mllp *m)
{
    pthread_mutex_lock(&m->lock);
    if (m->posted && !m->woken) {
        m->woken = true;
        wake(m);
    }
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
    if (!o->begin_time) o->begin_time = SPD_SEC(10);
    if (!o->shake_time) o->shake_time = SPD_SEC(5);
}

/* Own copies of what the caller lent; under the lock, or before the thread runs. */
static void adopt(struct spd_mllp *m, const struct spd_mllp_options *o)
{
    struct spd_tls *old = m->o.tls;
    m->o.tls = spd_tls_ref(o->tls);
    spd_tls_unref(old);
    spd_free(m->allow);
    m->allow = spd_must_malloc(sizeof *m->allow * (o->n_allow + 1));
    if (o->n_allow) memcpy(m->allow, o->allow, sizeof *m->allow * o->n_allow);
    m->n_allow = o->n_allow;
    m->o.allow = NULL, m->o.n_allow = 0;
}

enum spd_rc spd_mllp_retune(struct spd_mllp *m, const struct spd_mllp_options *options,
                            struct spd_err *err)
{
    enum spd_rc rc = SPD_OK;
    pthread_mutex_lock(&m->lock);
    if (!m->o.tls != !options->tls)
        rc = spd_fail(err, SPD_INVALID, "listen.mllp", "TLS on or off needs a restart");
    else
        adopt(m, options);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static void mllp_free(struct spd_mllp *m)
{
    for (size_t i = 0; i < m->o.max_connections; i++)
        if (m->conns[i]) spd__conn_close(m, m->conns[i]);
    if (m->listener >= 0) close(m->listener);
    if (m->epoll >= 0) close(m->epoll);
    if (m->wake >= 0) close(m->wake);
    pthread_mutex_destroy(&m->lock);
    spd_tls_unref(m->o.tls);
    spd_free(m->allow);
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
    m->o.tls = NULL;
    if (options) adopt(m, options);
    set_defaults(&m->o);
    m->listener = fd, m->on_frame = on_frame, m->ctx = ctx;
    m->port = spd_net_port(fd);
    spd_net_nonblock(fd);
    m->conns = spd_must_malloc(sizeof *m->conns * m->o.max_connections);
    m->chunk = spd_must_malloc(SPD__CHUNK);
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
