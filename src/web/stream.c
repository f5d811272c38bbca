/* src/web/stream.c: server-sent events, and requests that wait for a revision (?at_least=).
 *
 * One thread watches the board. It wakes every stream after a publication (and each 15 s for the
 * heartbeat), puts waiting requests back into their lane when their revision is there or their time
 * is up, and cuts connections that take too long over a header or a body.
 *
 * A stream says what changed, not how it looks: a client that is slow loses nothing by fetching. An
 * id: line stands on the last event of a revision only, so that a line that broke half-way through
 * one is resumed before it. A client whose place is no longer known gets "reset" and fetches anew.
 */
#define _GNU_SOURCE
#include "web/web_int.h"

#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHANGES = 512 };
#define HEARTBEAT SPD_SEC(15)

struct stream {
    struct stream *prev, *next;
    struct spd_web_streams *all;
    struct MHD_Connection *connection;
    spd_sv session; /* "" when not by cookie */
    char session_text[80];
    int64_t after;
    bool reset, suspended;
    spd_usec last;          /* monotonic, of the last byte written */
    struct spd_str pending; /* not yet sent */
    size_t sent;
};

struct spd_web_streams {
    struct spd_web *web;
    pthread_mutex_t lock;
    pthread_t thread;
    int board_fd, stop_fd; /* stop_fd: look now */
    bool stop;
    struct stream *streams;
    size_t n_streams;
    struct spd_web_req *waiting;
};

/* ---- one stream
 * ------------------------------------------------------------------------------------ */
static void event(struct spd_str *s, const char *kind, int64_t id, int64_t revision, bool with_id)
{
    spd_str_addf(s, "event: %s\n", kind);
    if (with_id) spd_str_addf(s, "id: %lld\n", (long long)revision);
    spd_str_addf(s, "data: {\"id\":%lld,\"revision\":%lld}\n\n", (long long)id,
                 (long long)revision);
}

static int64_t revision_now(struct spd_web *w)
{
    const struct spd_list *l = spd_board_get(w->host.board);
    int64_t r = l ? spd_list_revision(l) : 0;
    spd_list_unref(l);
    return r;
}

static void reset(struct stream *s)
{
    s->after = revision_now(s->all->web);
    s->reset = false;
    spd_str_addf(&s->pending, "event: reset\nid: %lld\ndata: {\"revision\":%lld}\n\n",
                 (long long)s->after, (long long)s->after);
}

/* Writes what has happened since into pending. */
static void gather(struct stream *s)
{
    struct spd_change c[CHANGES];
    bool gap = false;
    size_t n;
    if (s->reset) reset(s);
    int64_t published = revision_now(s->all->web);
    if (s->after > published) reset(s); /* a place in the future: another store, or made up */
    n = spd_board_changes(s->all->web->host.board, s->after, c, CHANGES, &gap);
    if (gap) {
        reset(s);
        return;
    }
    if (n ==
        CHANGES) { /* cut off: leave the last revision, which may not be whole, for the next time */
        size_t whole = n;
        while (whole && c[whole - 1].revision == c[n - 1].revision)
            whole--;
        if (!whole) { /* one revision changed more than that: fetching is cheaper */
            reset(s);
            return;
        }
        n = whole;
    }
    for (size_t i = 0; i < n && c[i].revision <= published; i++) {
        event(&s->pending, c[i].kind, c[i].id, c[i].revision,
              i + 1 == n || c[i + 1].revision != c[i].revision);
        s->after = c[i].revision;
    }
}

static ssize_t read_stream(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct stream *s = cls;
    struct spd_web_streams *all = s->all;
    ssize_t n = 0;
    (void)pos;
    pthread_mutex_lock(&all->lock);
    s->suspended = false;
    if (all->stop || (s->session.len && !spd_web_session_alive(all->web, s->session))) {
        pthread_mutex_unlock(&all->lock);
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (s->sent == s->pending.len) {
        spd_str_clear(&s->pending);
        s->sent = 0;
        gather(s);
        if (!s->pending.len && spd_clock_monotonic() - s->last >= HEARTBEAT)
            spd_str_addz(&s->pending, ": alive\n\n");
    }
    if (s->sent < s->pending.len) {
        n = (ssize_t)(s->pending.len - s->sent < max ? s->pending.len - s->sent : max);
        memcpy(buf, s->pending.ptr + s->sent, (size_t)n);
        s->sent += (size_t)n;
        s->last = spd_clock_monotonic();
    } else {
        s->suspended = true;
        MHD_suspend_connection(s->connection);
    }
    pthread_mutex_unlock(&all->lock);
    return n;
}

static void end_stream(void *cls)
{
    struct stream *s = cls;
    struct spd_web_streams *all = s->all;
    pthread_mutex_lock(&all->lock);
    if (s->prev)
        s->prev->next = s->next;
    else
        all->streams = s->next;
    if (s->next) s->next->prev = s->prev;
    all->n_streams--;
    pthread_mutex_unlock(&all->lock);
    spd_str_done(&s->pending);
    spd_free(s);
}

struct MHD_Response *spd_web_stream_response(struct spd_web_req *r)
{
    struct spd_web_streams *all = r->web->streams;
    struct stream *s = spd_must_malloc(sizeof *s);
    s->all = all;
    s->connection = r->connection;
    s->after = r->stream_after;
    s->reset = r->stream_after < 0;
    s->pending = SPD_STR_INIT(1u << 20);
    snprintf(s->session_text, sizeof s->session_text, "%.*s", SPD_SV_ARG(r->who.session));
    s->session = spd_sv_from(s->session_text);
    s->last = spd_clock_monotonic();
    spd_str_addz(&s->pending, "retry: 2000\n\n");
    pthread_mutex_lock(&all->lock);
    s->next = all->streams;
    if (s->next) s->next->prev = s;
    all->streams = s;
    all->n_streams++;
    pthread_mutex_unlock(&all->lock);
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, read_stream, s, end_stream);
}

void spd_web_h_stream(struct spd_web_req *r)
{
    spd_sv last = spd_web_header(r, "Last-Event-ID");
    size_t n;
    pthread_mutex_lock(&r->web->streams->lock);
    n = r->web->streams->n_streams;
    pthread_mutex_unlock(&r->web->streams->lock);
    if (n >= SPD_WEB_STREAMS) {
        spd_web_problem(r, 503, "busy", SPD_SV_NONE);
        return;
    }
    if (!last.len) last = spd_web_arg(r, "last_event_id");
    if (!last.len || !spd_sv_to_i64(last, &r->stream_after) || r->stream_after < 0)
        r->stream_after = -1;
    spd_web_set(r, "X-Accel-Buffering", SPD_SV("no"));
    r->stream = true;
    r->status = 200;
    r->type = "text/event-stream; charset=utf-8";
}

/* ---- the thread
 * --------------------------------------------------------------------------------------- */
static void wake_streams(struct spd_web_streams *all, bool published)
{
    spd_usec now = spd_clock_monotonic();
    pthread_mutex_lock(&all->lock);
    for (struct stream *s = all->streams; s; s = s->next) {
        if (!s->suspended || !(published || all->stop || now - s->last >= HEARTBEAT)) continue;
        s->suspended = false;
        MHD_resume_connection(s->connection);
    }
    pthread_mutex_unlock(&all->lock);
}

bool spd_web_wait(struct spd_web_req *r)
{
    struct spd_web_streams *all = r->web->streams;
    pthread_mutex_lock(&all->lock);
    bool ok = !all->stop;
    if (ok) r->next = all->waiting, all->waiting = r;
    pthread_mutex_unlock(&all->lock);
    /* The publication may have come between the look and the list: the thread looks once a second
     * too, and this makes it look now. */
    uint64_t one = 1;
    ssize_t n = ok ? write(all->stop_fd, &one, sizeof one) : 0;
    (void)n;
    return ok;
}

static void wake_waiting(struct spd_web_streams *all)
{
    int64_t published = revision_now(all->web);
    spd_usec now = spd_clock_monotonic();
    struct spd_web_req *ready = NULL;
    pthread_mutex_lock(&all->lock);
    for (struct spd_web_req **at = &all->waiting; *at;) {
        struct spd_web_req *r = *at;
        if (!all->stop && r->wait_revision > published && now < r->wait_until) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        r->next = ready, ready = r;
    }
    pthread_mutex_unlock(&all->lock);
    while (ready) {
        struct spd_web_req *r = ready;
        ready = r->next;
        if (spd_web_enqueue(r)) continue;
        spd_web_problem(r, 503, "busy", SPD_SV_NONE);
        spd_web_finish(r);
    }
}

/* A header has 10 s, a body 30 s, a kept-alive connection twice libmicrohttpd's own limit. */
static void cut_slow(struct spd_web *w)
{
    spd_usec now = spd_clock_monotonic();
    pthread_mutex_lock(&w->conns_lock);
    for (struct spd_web_conn *c = w->conns; c; c = c->next) {
        spd_usec limit = c->state == SPD_CONN_NEW       ? SPD_SEC(10)
                         : c->state == SPD_CONN_READING ? SPD_SEC(30)
                         : c->state == SPD_CONN_IDLE    ? SPD_SEC(150)
                                                        : 0;
        if (!limit || now - c->since < limit) continue;
        c->state = SPD_CONN_WORKING;
        shutdown(c->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&w->conns_lock);
}

static void *run(void *arg)
{
    struct spd_web_streams *all = arg;
    for (bool stop = false; !stop;) {
        struct pollfd p[2] = {{.fd = all->board_fd, .events = POLLIN},
                              {.fd = all->stop_fd, .events = POLLIN}};
        uint64_t count;
        poll(p, 2, 1000);
        bool published = (p[0].revents & POLLIN) && read(all->board_fd, &count, sizeof count) > 0;
        if ((p[1].revents & POLLIN) && read(all->stop_fd, &count, sizeof count) < 0) continue;
        pthread_mutex_lock(&all->lock);
        stop = all->stop;
        pthread_mutex_unlock(&all->lock);
        wake_streams(all, published);
        wake_waiting(all);
        cut_slow(all->web);
    }
    return NULL;
}

struct spd_web_streams *spd_web_streams_start(struct spd_web *w, struct spd_err *err)
{
    struct spd_web_streams *all = spd_must_malloc(sizeof *all);
    all->web = w;
    pthread_mutex_init(&all->lock, NULL);
    all->board_fd = spd_board_watch(w->host.board);
    all->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (all->board_fd < 0 || all->stop_fd < 0 || pthread_create(&all->thread, NULL, run, all)) {
        if (all->board_fd >= 0) spd_board_unwatch(w->host.board, all->board_fd);
        if (all->stop_fd >= 0) close(all->stop_fd);
        pthread_mutex_destroy(&all->lock);
        spd_free(all);
        spd_fail(err, SPD_IO, "http", "no file descriptors or threads left");
        return NULL;
    }
    return all;
}

void spd_web_streams_stop(struct spd_web_streams *all)
{
    uint64_t one = 1;
    if (!all) return;
    pthread_mutex_lock(&all->lock);
    all->stop = true;
    pthread_mutex_unlock(&all->lock);
    ssize_t n =
        write(all->stop_fd, &one, sizeof one); /* fails only when it is full: then it is readable */
    (void)n;
    pthread_join(all->thread, NULL);
}

void spd_web_streams_free(struct spd_web_streams *all)
{
    if (!all) return;
    spd_board_unwatch(all->web->host.board, all->board_fd);
    close(all->stop_fd);
    pthread_mutex_destroy(&all->lock);
    spd_free(all);
}
