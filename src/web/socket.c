/* src/web/socket.c: WebSockets on which subscribers of UPS get their events (PS3.18 §8.10, RFC
 * 6455).
 *
 * The handshake is a request like any other; then libmicrohttpd hands the socket over. One thread
 * serves them all: after each publication it asks the host what is new for each AE title and writes
 * it, and a ping that bears the position. The pong to it says that all up to there has come across:
 * so far the host remembers it for that AE title, and goes on from there when it comes back. What a
 * client sends is read for control frames only.
 *
 * Threads: opened from libmicrohttpd's thread; everything else in the one thread here. */
#define _GNU_SOURCE
#include "web/web_int.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "web/ws.h"

enum { SOCKETS_MAX = 64, OUT_MAX = 1 << 20, OUT_ENOUGH = 256 << 10, AT_ONCE = 64, READS = 16 };
#define SEEN_EVERY SPD_SEC(5)
#define PING_EVERY SPD_SEC(30)
#define SILENT_MAX SPD_SEC(90)

struct socket {
    struct socket *next;
    struct MHD_UpgradeResponseHandle *upgrade;
    int fd;
    char ae[17], session[80];
    int64_t position, asked, heard_of, seen; /* sent; pinged; ponged; remembered by the host */
    unsigned char in[SPD_WS_FRAME_MAX];
    size_t n_in;
    struct spd_str out;
    size_t sent;
    spd_usec heard, pinged, remembered; /* monotonic */
    bool closing, gone;
    bool behind; /* the host had news at the last look, and may have more */
};

struct spd_web_sockets {
    struct spd_web *web;
    pthread_mutex_t lock; /* guards arriving, n, stop */
    struct socket *arriving;
    size_t n;
    bool stop;
    pthread_t thread;
    int board_fd, wake_fd;
    struct socket *all; /* the thread's own */
};

/* ---- events out ------------------------------------------------------------------------------ */
static bool say(void *ctx, int64_t position, spd_sv json)
{
    struct socket *s = ctx;
    if (s->out.len + json.len > OUT_MAX - 16) return false;
    spd_ws_write(&s->out, SPD_WS_TEXT, json);
    s->position = position;
    return s->out.len < OUT_ENOUGH;
}

static void gather(struct spd_web_sockets *all, struct socket *s)
{
    const struct spd_web_host *h = &all->web->host;
    int64_t had;
    if (s->closing || s->gone || s->out.len >= OUT_ENOUGH) return;
    if (s->seen < 0) { /* where it left off */
        s->position = h->ups_events(h->self, spd_sv_from(s->ae), -1, 0, say, s);
        s->seen = s->heard_of = s->asked = s->position;
    }
    had = s->position;
    s->position = h->ups_events(h->self, spd_sv_from(s->ae), had, AT_ONCE, say, s);
    s->behind = s->position != had;
}

/* What was sent may still be lost in somebody's buffer: a pong says that it has come across. */
static void ask(struct socket *s)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)s->position);
    if (s->closing || s->position <= s->asked) return;
    spd_ws_write(&s->out, SPD_WS_PING, spd_sv_of(text, (size_t)n));
    s->asked = s->position;
}

static void remember(struct spd_web_sockets *all, struct socket *s, bool now)
{
    const struct spd_web_host *h = &all->web->host;
    spd_usec at = spd_clock_monotonic();
    if (s->heard_of <= s->seen || (!now && at - s->remembered < SEEN_EVERY)) return;
    h->ups_seen(h->self, spd_sv_from(s->ae), s->heard_of);
    s->seen = s->heard_of, s->remembered = at;
}

static void end(struct socket *s, unsigned code)
{
    if (!s->closing) spd_ws_write_close(&s->out, code);
    s->closing = true;
}

static void flush(struct socket *s)
{
    while (!s->gone && s->sent < s->out.len) {
        ssize_t n =
            send(s->fd, s->out.ptr + s->sent, s->out.len - s->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (n <= 0)
            s->gone = true;
        else
            s->sent += (size_t)n;
    }
    if (s->sent == s->out.len) spd_str_clear(&s->out), s->sent = 0;
    if (s->closing && !s->out.len) s->gone = true;
}

/* ---- what the client says -------------------------------------------------------------------- */
static void take(struct socket *s)
{
    struct spd_ws_frame f;
    for (size_t at = 0; !s->closing;) {
        enum spd_rc rc = spd_ws_read(s->in + at, s->n_in - at, &f);
        if (rc == SPD_AGAIN) {
            memmove(s->in, s->in + at, s->n_in - at);
            s->n_in -= at;
            return;
        }
        if (rc) {
            end(s, rc == SPD_LIMIT ? SPD_WS_TOO_BIG : SPD_WS_PROTOCOL);
            return;
        }
        at += f.size;
        int64_t position;
        if (f.opcode == SPD_WS_PING) spd_ws_write(&s->out, SPD_WS_PONG, f.payload);
        if (f.opcode == SPD_WS_PONG && spd_sv_to_i64(f.payload, &position) &&
            position <= s->asked && position > s->heard_of)
            s->heard_of = position;
        if (f.opcode == SPD_WS_CLOSE) {
            spd_ws_write(&s->out, SPD_WS_CLOSE,
                         f.payload.len >= 2 ? spd_sv_of(f.payload.ptr, 2) : SPD_SV_NONE);
            s->closing = true;
        }
    }
}

/* Whoever does not take its answers is not read on, so that they do not pile up. */
static bool hears(const struct socket *s)
{
    return !s->gone && !s->closing && s->out.len < OUT_ENOUGH;
}

/* So much in one turn: who never stops talking does not keep the others waiting. */
static void hear(struct socket *s)
{
    take(s); /* what came along with the handshake */
    for (int i = 0; i < READS && hears(s); i++) {
        ssize_t n = recv(s->fd, s->in + s->n_in, sizeof s->in - s->n_in, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (n <= 0) {
            s->gone = true;
            return;
        }
        s->n_in += (size_t)n;
        s->heard = spd_clock_monotonic();
        take(s);
    }
}

static void keep_alive(struct spd_web_sockets *all, struct socket *s)
{
    spd_usec now = spd_clock_monotonic();
    if (s->session[0] && !spd_web_session_alive(all->web, spd_sv_from(s->session)))
        end(s, 1008); /* logged out: policy violation, says RFC 6455 */
    if (now - s->heard > SILENT_MAX) s->gone = true;
    if (now - s->pinged < PING_EVERY || s->closing) return;
    s->pinged = now;
    spd_ws_write(&s->out, SPD_WS_PING, SPD_SV_NONE);
}

/* ---- the thread ------------------------------------------------------------------------------ */
static void welcome(struct spd_web_sockets *all)
{
    pthread_mutex_lock(&all->lock);
    for (struct socket *s = all->arriving, *next; s; s = next) {
        next = s->next;
        s->next = all->all, all->all = s;
    }
    all->arriving = NULL;
    pthread_mutex_unlock(&all->lock);
}

static void part(struct spd_web_sockets *all, bool everybody)
{
    for (struct socket **at = &all->all; *at;) {
        struct socket *s = *at;
        if (!s->gone && !everybody) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        remember(all, s, true);
        MHD_upgrade_action(s->upgrade, MHD_UPGRADE_ACTION_CLOSE);
        spd_str_done(&s->out);
        spd_free(s);
        pthread_mutex_lock(&all->lock);
        all->n--;
        pthread_mutex_unlock(&all->lock);
    }
}

static void serve(struct spd_web_sockets *all, bool look)
{
    for (struct socket *s = all->all; s; s = s->next) {
        hear(s);
        if (look || s->seen < 0 || s->behind || s->out.len) gather(all, s);
        ask(s);
        keep_alive(all, s);
        flush(s);
        remember(all, s, false);
    }
    part(all, false);
}

static void *run(void *arg)
{
    struct spd_web_sockets *all = arg;
    for (bool stop = false; !stop;) {
        struct pollfd p[2 + SOCKETS_MAX] = {{.fd = all->board_fd, .events = POLLIN},
                                            {.fd = all->wake_fd, .events = POLLIN}};
        nfds_t n = 2;
        bool more = false;
        uint64_t count;
        for (struct socket *s = all->all; s && n < 2 + SOCKETS_MAX; s = s->next) {
            p[n++] = (struct pollfd){.fd = s->fd,
                                     .events = (short)((hears(s) ? POLLIN : 0) |
                                                       (s->sent < s->out.len ? POLLOUT : 0))};
            more |= s->behind && hears(s);
        }
        poll(p, n, more ? 0 : 1000);
        bool look = (p[0].revents & POLLIN) && read(all->board_fd, &count, sizeof count) > 0;
        if ((p[1].revents & POLLIN) && read(all->wake_fd, &count, sizeof count) < 0) continue;
        pthread_mutex_lock(&all->lock);
        stop = all->stop;
        pthread_mutex_unlock(&all->lock);
        welcome(all);
        serve(all, look);
    }
    for (struct socket *s = all->all; s; s = s->next)
        end(s, SPD_WS_GOING_AWAY), flush(s);
    part(all, true);
    return NULL;
}

static void wake(struct spd_web_sockets *all)
{
    uint64_t one = 1;
    ssize_t n = write(all->wake_fd, &one, sizeof one); /* full: then it is readable */
    (void)n;
}

/* ---- the handshake --------------------------------------------------------------------------- */
/* The request is still there: libmicrohttpd ends it when the socket is given back. */
static void opened(void *cls, struct MHD_Connection *connection, void *req_cls, const char *extra,
                   size_t n_extra, MHD_socket fd, struct MHD_UpgradeResponseHandle *upgrade)
{
    struct spd_web_sockets *all = cls;
    const struct spd_web_req *r = req_cls;
    struct socket *s = spd_must_malloc(sizeof *s);
    (void)connection;
    s->upgrade = upgrade, s->fd = fd;
    snprintf(s->ae, sizeof s->ae, "%.*s", SPD_SV_ARG(r->name));
    snprintf(s->session, sizeof s->session, "%.*s", SPD_SV_ARG(r->who.session));
    s->position = s->seen = s->heard_of = s->asked = -1;
    s->out = SPD_STR_INIT(OUT_MAX + 64);
    s->heard = s->pinged = spd_clock_monotonic();
    if (n_extra > sizeof s->in)
        s->gone = true;
    else if (n_extra)
        memcpy(s->in, extra, n_extra), s->n_in = n_extra;
    pthread_mutex_lock(&all->lock);
    s->next = all->arriving, all->arriving = s, all->n++;
    pthread_mutex_unlock(&all->lock);
    wake(all);
}

struct MHD_Response *spd_web_socket_response(struct spd_web_req *r)
{
    struct MHD_Response *m = MHD_create_response_for_upgrade(opened, r->web->sockets);
    if (!m) spd_out_of_memory();
    MHD_add_response_header(m, MHD_HTTP_HEADER_UPGRADE, "websocket");
    return m;
}

static bool has_token(spd_sv list, const char *word)
{
    for (size_t at = 0; at < list.len;) {
        size_t end_at = at;
        while (end_at < list.len && list.ptr[end_at] != ',')
            end_at++;
        if (spd_sv_ieq(spd_sv_trim(spd_sv_of(list.ptr + at, end_at - at)), spd_sv_from(word)))
            return true;
        at = end_at + 1;
    }
    return false;
}

void spd_web_h_socket(struct spd_web_req *r)
{
    struct spd_web_sockets *all = r->web->sockets;
    char accept[29];
    bool room;
    if (!r->web->host.ups_events || !all) {
        spd_web_problem(r, 404, "not_found", SPD_SV_NONE);
        return;
    }
    if (!has_token(spd_web_header(r, "Upgrade"), "websocket") ||
        !has_token(spd_web_header(r, "Connection"), "upgrade") ||
        !spd_sv_is(spd_web_header(r, "Sec-WebSocket-Version"), "13") ||
        !spd_ws_accept(spd_web_header(r, "Sec-WebSocket-Key"), accept) || r->name.len > 16) {
        spd_web_set(r, "Sec-WebSocket-Version", SPD_SV("13"));
        spd_web_problem(r, 400, "bad_request", SPD_SV_NONE);
        return;
    }
    if (r->who.by == SPD_BY_COOKIE && !spd_web_same_origin(r)) { /* another site's page */
        spd_web_problem(r, 403, "csrf", SPD_SV_NONE);
        return;
    }
    pthread_mutex_lock(&all->lock);
    room = all->n < SOCKETS_MAX && !all->stop;
    pthread_mutex_unlock(&all->lock);
    if (!room) {
        spd_web_problem(r, 503, "busy", SPD_SV_NONE);
        return;
    }
    spd_web_set(r, "Sec-WebSocket-Accept", spd_sv_from(accept));
    r->socket = true;
    r->status = 101;
}

struct spd_web_sockets *spd_web_sockets_start(struct spd_web *w, struct spd_err *err)
{
    struct spd_web_sockets *all = spd_must_malloc(sizeof *all);
    all->web = w;
    pthread_mutex_init(&all->lock, NULL);
    all->board_fd = spd_board_watch(w->host.board);
    all->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (all->board_fd < 0 || all->wake_fd < 0 || pthread_create(&all->thread, NULL, run, all)) {
        if (all->board_fd >= 0) spd_board_unwatch(w->host.board, all->board_fd);
        if (all->wake_fd >= 0) close(all->wake_fd);
        pthread_mutex_destroy(&all->lock);
        spd_free(all);
        spd_fail(err, SPD_IO, "http", "no file descriptors or threads left");
        return NULL;
    }
    return all;
}

void spd_web_sockets_stop(struct spd_web_sockets *all)
{
    if (!all) return;
    pthread_mutex_lock(&all->lock);
    all->stop = true;
    pthread_mutex_unlock(&all->lock);
    wake(all);
    pthread_join(all->thread, NULL);
    welcome(all); /* one that came at the last moment */
    part(all, true);
}

void spd_web_sockets_free(struct spd_web_sockets *all)
{
    if (!all) return;
    spd_board_unwatch(all->web->host.board, all->board_fd);
    close(all->wake_fd);
    pthread_mutex_destroy(&all->lock);
    spd_free(all);
}
