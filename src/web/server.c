/* src/web/server.c: sockets, connections and the lanes of workers. Not here: what an address means
 * (route.c).
 *
 * A request's life: the epoll thread copies its line and headers (first call), its body (calls with
 * data), then suspends the connection and puts the request into its lane; a worker answers and
 * resumes; the epoll thread sends. While suspended the request belongs to the worker alone.
 *
 * libmicrohttpd bounds the size of a header block and idle time; this file bounds what it does not:
 * the time a header or a body may take, connections per address, and what happens when all are
 * taken (the one that has been silent longest goes, so that silent clients cannot keep an honest
 * one out). */
#define _GNU_SOURCE
#include "web/web_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

struct listener { /* what libmicrohttpd's callbacks get */
    struct spd_web *web;
    const struct spd_web_listen *listen;
};

/* ---- lanes ---------------------------------------------------------------------------------- */
bool spd_web_enqueue(struct spd_web_req *r)
{
    enum spd_web_lane lane = r->route ? r->route->lane : SPD_LANE_READ;
    struct spd_web_lane_queue *q = &r->web->lanes[lane];
    pthread_mutex_lock(&q->lock);
    bool ok = !q->stop;
    if (ok) {
        r->next = NULL;
        *q->last = r;
        q->last = &r->next;
        pthread_cond_signal(&q->some);
    }
    pthread_mutex_unlock(&q->lock);
    return ok;
}

void spd_web_finish(struct spd_web_req *r)
{
    if (r->connection) MHD_resume_connection(r->connection);
}

static void *work(void *arg)
{
    struct spd_web_lane_queue *q = arg;
    struct spd_query *db = NULL;
    for (;;) {
        pthread_mutex_lock(&q->lock);
        while (!q->first && !q->stop)
            pthread_cond_wait(&q->some, &q->lock);
        struct spd_web_req *r = q->first;
        if (r) {
            q->first = r->next;
            if (!q->first) q->last = &q->first;
        }
        pthread_mutex_unlock(&q->lock);
        if (!r) break; /* stopping, and nothing is left to answer */
        r->db = &db;
        if (spd_web_dispatch(r)) spd_web_finish(r);
    }
    spd_query_close(db);
    return NULL;
}

static void lanes_start(struct spd_web *w)
{
    static const size_t threads[SPD_LANE_N] = {
        [SPD_LANE_READ] = 4, [SPD_LANE_WRITE] = 8, [SPD_LANE_SLOW] = 8, [SPD_LANE_LOGIN] = 2};
    for (int i = 0; i < SPD_LANE_N; i++) {
        struct spd_web_lane_queue *q = &w->lanes[i];
        q->web = w;
        q->last = &q->first;
        pthread_mutex_init(&q->lock, NULL);
        pthread_cond_init(&q->some, NULL);
        for (; q->n_threads < threads[i]; q->n_threads++)
            if (pthread_create(&q->threads[q->n_threads], NULL, work, q)) spd_out_of_memory();
    }
}

static void lanes_stop(struct spd_web *w)
{
    for (int i = 0; i < SPD_LANE_N; i++) {
        struct spd_web_lane_queue *q = &w->lanes[i];
        pthread_mutex_lock(&q->lock);
        q->stop = true;
        pthread_cond_broadcast(&q->some);
        pthread_mutex_unlock(&q->lock);
        for (size_t k = 0; k < q->n_threads; k++)
            pthread_join(q->threads[k], NULL);
    }
}

/* An answer that is made still has to be sent; a client that does not take it gets two seconds. */
static void drain(struct spd_web *w)
{
    spd_usec until = spd_clock_monotonic() + SPD_SEC(2);
    for (bool busy = true; busy && spd_clock_monotonic() < until;) {
        busy = false;
        pthread_mutex_lock(&w->conns_lock);
        for (struct spd_web_conn *c = w->conns; c; c = c->next)
            busy |= c->state == SPD_CONN_WORKING;
        pthread_mutex_unlock(&w->conns_lock);
        if (busy) usleep(5000);
    }
}

/* ---- connections ---------------------------------------------------------------------------- */
static void address_of(const struct sockaddr *sa, char ret[64], bool *ret_loopback)
{
    ret[0] = 0;
    *ret_loopback = false;
    if (sa && sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)sa;
        inet_ntop(AF_INET, &in->sin_addr, ret, 64);
        *ret_loopback = (ntohl(in->sin_addr.s_addr) >> 24) == 127;
    } else if (sa && sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)sa;
        inet_ntop(AF_INET6, &in->sin6_addr, ret, 64);
        *ret_loopback = IN6_IS_ADDR_LOOPBACK(&in->sin6_addr);
    }
}

static enum MHD_Result may_come(void *cls, const struct sockaddr *sa, socklen_t len)
{
    struct spd_web *w = ((struct listener *)cls)->web;
    char address[64];
    bool loopback;
    size_t n = 0;
    (void)len;
    address_of(sa, address, &loopback);
    if (!address[0] || loopback) return MHD_YES;
    pthread_mutex_lock(&w->conns_lock);
    for (struct spd_web_conn *c = w->conns; c; c = c->next)
        n += strcmp(c->address, address) == 0;
    pthread_mutex_unlock(&w->conns_lock);
    return n < SPD_WEB_PER_ADDRESS ? MHD_YES : MHD_NO;
}

/* All places are taken: the one silent longest goes; when everybody is busy the newcomer does. */
static void make_room(struct spd_web *w, struct spd_web_conn *newest)
{
    struct spd_web_conn *victim = newest;
    if (w->n_conns <= SPD_WEB_CONNECTIONS) return;
    for (struct spd_web_conn *c = w->conns; c; c = c->next)
        if ((c->state == SPD_CONN_NEW || c->state == SPD_CONN_IDLE) && c->since < victim->since)
            victim = c;
    victim->state = SPD_CONN_WORKING; /* not chosen twice */
    shutdown(victim->fd, SHUT_RDWR);
}

static void connected(void *cls, struct MHD_Connection *connection, void **context,
                      enum MHD_ConnectionNotificationCode code)
{
    struct listener *l = cls;
    struct spd_web *w = l->web;
    struct spd_web_conn *c = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *fd =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        const union MHD_ConnectionInfo *sa =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        struct ucred peer = {0};
        socklen_t n = sizeof peer;
        c = spd_must_malloc(sizeof *c);
        c->web = w, c->listen = l->listen, c->fd = fd ? fd->connect_fd : -1;
        c->local_socket = l->listen->socket.len > 0;
        c->uid = (uid_t)-1;
        if (c->local_socket) {
            if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0) c->uid = peer.uid;
        } else if (sa) {
            address_of(sa->client_addr, c->address, &c->loopback);
        }
        c->since = spd_clock_monotonic();
        pthread_mutex_lock(&w->conns_lock);
        c->next = w->conns;
        if (c->next) c->next->prev = c;
        w->conns = c;
        w->n_conns++;
        make_room(w, c);
        pthread_mutex_unlock(&w->conns_lock);
        *context = c;
    } else if (c) {
        pthread_mutex_lock(&w->conns_lock); /* the descriptor is closed after this, never before */
        if (c->prev)
            c->prev->next = c->next;
        else
            w->conns = c->next;
        if (c->next) c->next->prev = c->prev;
        w->n_conns--;
        pthread_mutex_unlock(&w->conns_lock);
        spd_free(c);
        *context = NULL;
    }
}

static void conn_state(struct spd_web *w, struct spd_web_conn *c, enum spd_web_conn_state state)
{
    pthread_mutex_lock(&w->conns_lock);
    c->state = state;
    c->since = spd_clock_monotonic();
    pthread_mutex_unlock(&w->conns_lock);
}

/* ---- a request ------------------------------------------------------------------------------ */
static enum MHD_Result collect(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_len,
                               const char *value, size_t value_len)
{
    struct spd_web_req *r = cls;
    struct spd_web_args *to = kind == MHD_HEADER_KIND ? &r->headers : &r->args;
    struct spd_web_pair *p = SPD_LIST_ADD(to, r->arena);
    p->key = spd_arena_dup(r->arena, spd_sv_of(key, key_len));
    p->value = spd_arena_dup(r->arena, spd_sv_of(value, value ? value_len : 0));
    return MHD_YES;
}

static struct spd_web_req *take(struct spd_web *w, struct MHD_Connection *connection,
                                const char *url, const char *method)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct spd_web_req *r = spd_web_req_new(w, spd_sv_from(method), spd_sv_from(url));
    r->connection = connection;
    r->conn = info->socket_context;
    r->address = spd_arena_dup(r->arena, spd_sv_from(r->conn->address));
    r->local_socket = r->conn->local_socket;
    r->loopback = r->conn->loopback;
    r->uid = r->conn->uid;
    r->listen = r->conn->listen;
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, collect, r);
    MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, collect, r);
    conn_state(w, r->conn, SPD_CONN_READING);
    return r;
}

static void security_headers(const struct spd_web_req *r, struct MHD_Response *m)
{
    static const struct {
        const char *name, *value;
    } all[] = {
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "
         "'self'; "
         "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
         "require-trusted-types-for 'script'"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        MHD_add_response_header(m, all[i].name, all[i].value);
    if (r->web->https) MHD_add_response_header(m, "Strict-Transport-Security", "max-age=31536000");
    MHD_add_response_header(m, "Cache-Control", r->cacheable ? "no-cache" : "no-store");
}

static enum MHD_Result answer(struct spd_web_req *r)
{
    struct MHD_Response *m;
    if (!r->status ||
        !spd_str_ok(&r->out)) { /* a handler said nothing, or more than an answer may hold */
        spd_log(SPD_LOG_ERR, "http answer was not made",
                SPD_LZ("route", r->route ? r->route->path : ""));
        spd_web_problem(r, 500, "internal", SPD_SV_NONE);
    }
    if (r->socket) {
        m = spd_web_socket_response(r);
    } else if (r->stream) {
        m = spd_web_stream_response(r);
    } else if (r->asset) {
        m = MHD_create_response_from_buffer((size_t)(r->asset->end - r->asset->data),
                                            (void *)(uintptr_t)r->asset->data,
                                            MHD_RESPMEM_PERSISTENT);
    } else if (r->out.ptr) {
        m = MHD_create_response_from_buffer(r->out.len, r->out.ptr, MHD_RESPMEM_MUST_FREE);
        if (m) r->out.ptr = NULL, r->out.len = r->out.cap = 0;
    } else {
        static char none[1];
        m = MHD_create_response_from_buffer(0, none, MHD_RESPMEM_PERSISTENT);
    }
    if (!m) spd_out_of_memory();
    security_headers(r, m);
    if (r->type) MHD_add_response_header(m, "Content-Type", r->type);
    for (size_t i = 0; i < r->n_reply_headers; i++)
        MHD_add_response_header(m, r->reply_headers[i].key.ptr, r->reply_headers[i].value.ptr);
    spd_web_count(r->web, r);
    conn_state(r->web, r->conn, r->stream || r->socket ? SPD_CONN_STREAM : SPD_CONN_WORKING);
    enum MHD_Result ok = MHD_queue_response(r->connection, (unsigned)r->status, m);
    MHD_destroy_response(m);
    return ok;
}

/* libmicrohttpd ends a decoded path at a NUL; a line that has one means something else than it
 * shows. */
static char has_nul;
static void *see_line(void *cls, const char *uri, struct MHD_Connection *connection)
{
    (void)cls, (void)connection;
    return strstr(uri, "%00") ? &has_nul : NULL;
}

/* Who asks is not known before a worker has looked, so bodies are bounded for everybody together.
 * The hooks come over the socket, which other users of the machine cannot fill for them. */
static bool has_room(struct spd_web_req *r, size_t n)
{
    size_t all = __atomic_add_fetch(&r->web->bodies, n, __ATOMIC_RELAXED);
    r->counted += n;
    if (all <= SPD_WEB_BODIES_MAX) return true;
    __atomic_fetch_sub(&r->web->bodies, r->counted, __ATOMIC_RELAXED);
    r->counted = 0;
    return false;
}

/* Only what is kept of it counts: the bulk of objects is never held. */
static bool keep_parts(struct spd_web_req *r, const char *data, size_t n)
{
    size_t had = r->body.len;
    r->received += n;
    if (r->no_room || r->received > SPD_WEB_STOW_MAX) {
        r->too_big = !r->no_room;
        r->discarded += n;
        return r->discarded < SPD_WEB_INSTANCE_MAX;
    }
    spd_multipart_feed(r->parts, data, n);
    if (r->body.len > had && !r->local_socket && !has_room(r, r->body.len - had)) {
        r->no_room = true;
        spd_multipart_done(r->parts);
        r->parts = NULL;
        spd_str_done(&r->body);
    }
    return true;
}

static bool keep(struct spd_web_req *r, const char *data, size_t n)
{
    size_t max = r->body.max;
    if (r->wrong_type) {
        r->discarded += n;
        return r->discarded < SPD_WEB_INSTANCE_MAX;
    }
    if (r->parts || (r->no_room && r->route && r->route->body == SPD_BODY_MULTIPART))
        return keep_parts(r, data, n);
    if (r->no_room || r->too_big || r->body.len + n > max) {
        r->too_big = !r->no_room;
        r->discarded += n; /* so much is thrown away, then the line is cut */
        return r->discarded < (r->no_room ? SPD_WEB_INSTANCE_MAX : SPD_WEB_BODY_MAX);
    }
    if (!r->local_socket && !has_room(r, n)) {
        r->no_room = true;
        spd_str_done(&r->body);
        return true;
    }
    spd_str_add(&r->body, spd_sv_of(data, n));
    return spd_str_ok(&r->body);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data, size_t *n,
                              void **context)
{
    struct spd_web *w = ((struct listener *)cls)->web;
    struct spd_web_req *r = *context;
    (void)version;
    if (!r || *context == &has_nul) {
        bool bad = *context == &has_nul;
        *context = r = take(w, connection, url, method);
        if (bad) spd_web_problem(r, 400, "bad_request", SPD_SV_NONE);
        return !bad && spd_web_precheck(r) ? MHD_YES : answer(r);
    }
    if (*n) {
        enum MHD_Result ok = keep(r, data, *n) ? MHD_YES : MHD_NO;
        *n = 0;
        return ok;
    }
    if (r->dispatched) return answer(r);
    r->dispatched = true;
    if (r->no_room) {
        spd_web_problem(r, 503, "busy", SPD_SV_NONE);
        return answer(r);
    }
    if (r->too_big) {
        spd_web_problem(r, 413, "too_large", SPD_SV_NONE);
        return answer(r);
    }
    conn_state(w, r->conn, SPD_CONN_WORKING);
    MHD_suspend_connection(connection);
    if (!spd_web_enqueue(r)) {
        spd_web_problem(r, 503, "busy", SPD_SV_NONE);
        spd_web_finish(r);
    }
    return MHD_YES;
}

static void completed(void *cls, struct MHD_Connection *connection, void **context,
                      enum MHD_RequestTerminationCode why)
{
    struct spd_web *w = ((struct listener *)cls)->web;
    struct spd_web_req *r = *context;
    (void)connection, (void)why;
    if (!r || *context == &has_nul) return;
    conn_state(w, r->conn, SPD_CONN_IDLE);
    spd_web_req_free(r);
    *context = NULL;
}

static void quiet(void *cls, const char *fmt, va_list ap)
{
    (void)cls, (void)fmt, (void)ap; /* it would name addresses and what clients sent */
}

/* ---- listeners ------------------------------------------------------------------------------ */
static enum spd_rc listen_tcp(const struct spd_web_listen *l, int *ret_fd, int *ret_port,
                              struct spd_err *err)
{
    char host[64], service[16];
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM},
                    *ai;
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    int on = 1;
    snprintf(host, sizeof host, "%.*s", SPD_SV_ARG(l->address));
    snprintf(service, sizeof service, "%d", l->port);
    if (getaddrinfo(host, service, &hints, &ai))
        return spd_fail(err, SPD_INVALID, "listen.http", "not a numeric address");
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              (ai->ai_family != AF_INET6 ||
               setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
              bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 511) == 0 &&
              getsockname(fd, (struct sockaddr *)&ss, &len) == 0;
    int e = errno;
    freeaddrinfo(ai);
    if (!ok) {
        if (fd >= 0) close(fd);
        return spd_fail(err, SPD_IO, "listen.http", "cannot listen on port %d: %s", l->port,
                        strerror(e));
    }
    *ret_fd = fd;
    *ret_port = ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port
                                               : ((struct sockaddr_in *)&ss)->sin_port);
    return SPD_OK;
}

static enum spd_rc listen_socket(const struct spd_web_listen *l, int *ret_fd, struct spd_err *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct stat st;
    if (l->socket.len >= sizeof un.sun_path)
        return spd_fail(err, SPD_INVALID, "listen.http.socket", "the path is too long");
    memcpy(un.sun_path, l->socket.ptr, l->socket.len);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return spd_fail(err, SPD_IO, "listen.http.socket", "socket: %s", strerror(errno));
    if (lstat(un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        if (connect(fd, (struct sockaddr *)&un, sizeof un) == 0 || errno == EAGAIN) {
            close(fd);
            return spd_fail(err, SPD_EXISTS, "listen.http.socket", "another process listens on it");
        }
        unlink(un.sun_path);
        close(fd);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    /* fchmod before bind: the file is never there with a wider mode, whatever the umask. */
    if (fd < 0 || fchmod(fd, 0660) || bind(fd, (struct sockaddr *)&un, sizeof un) ||
        chmod(un.sun_path, 0660) || listen(fd, 511)) {
        int e = errno;
        if (fd >= 0) close(fd);
        return spd_fail(err, SPD_IO, "listen.http.socket", "cannot listen: %s", strerror(e));
    }
    *ret_fd = fd;
    return SPD_OK;
}

static enum spd_rc open_listener(struct spd_web *w, size_t i, struct spd_err *err)
{
    const struct spd_web_listen *l = &w->host.listen[i];
    struct listener *cls = SPD_NEW(w->arena, struct listener);
    enum spd_rc rc = SPD_OK;
    int fd = l->fd > 0 ? l->fd : -1;
    cls->web = w, cls->listen = l;
    w->ports[i] = l->port;
    if (fd < 0)
        rc = l->socket.len ? listen_socket(l, &fd, err) : listen_tcp(l, &fd, &w->ports[i], err);
    if (rc) return rc;
    /* One that was handed over may block; libmicrohttpd accepts until there is nothing left. */
    if (l->fd > 0 &&
        (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC)))
        return spd_fail(err, SPD_IO, "listen.http", "the inherited socket is not usable");
    w->daemons[i] = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
            MHD_USE_ERROR_LOG, 0, may_come,
        cls, handle, cls, MHD_OPTION_EXTERNAL_LOGGER, quiet, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)(2 * SPD_WEB_CONNECTIONS),
        MHD_OPTION_CONNECTION_TIMEOUT, 75u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(32 * 1024),
        MHD_OPTION_NOTIFY_COMPLETED, completed, cls, MHD_OPTION_NOTIFY_CONNECTION, connected, cls,
        MHD_OPTION_URI_LOG_CALLBACK, see_line, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_END);
    if (w->daemons[i]) return SPD_OK;
    close(fd);
    return spd_fail(err, SPD_IO, "listen.http", "the HTTP server did not start");
}

/* ---- start and stop
 * ------------------------------------------------------------------------------ */
static void copy_listen(struct spd_web *w, const struct spd_web_host *h)
{
    struct spd_web_listen *v = SPD_NEW_N(w->arena, struct spd_web_listen, h->n_listen + 1);
    for (size_t i = 0; i < h->n_listen; i++) {
        struct spd_web_uid *u = SPD_NEW_N(w->arena, struct spd_web_uid, h->listen[i].n_uids + 1);
        v[i] = h->listen[i];
        v[i].address = spd_arena_dup(w->arena, v[i].address);
        v[i].socket = spd_arena_dup(w->arena, v[i].socket);
        for (size_t k = 0; k < v[i].n_uids; k++) {
            u[k].uid = v[i].uids[k].uid;
            u[k].name = spd_arena_dup(w->arena, v[i].uids[k].name);
            u[k].roles = spd_arena_dup(w->arena, v[i].uids[k].roles);
        }
        v[i].uids = u;
    }
    w->host.listen = v;
}

static void copy_host(struct spd_web *w, const struct spd_web_host *h)
{
    size_t size = h->size < sizeof w->host ? h->size : sizeof w->host;
    memcpy(&w->host, h, size);
    spd_sv *texts[] = {&w->host.store_url,
                       &w->host.assets_dir,
                       &w->host.site.name,
                       &w->host.site.language,
                       &w->host.site.public_url,
                       &w->host.site.patient_authority,
                       &w->host.site.accession_issuer,
                       &w->host.site.version};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = spd_arena_dup(w->arena, *texts[i]);
    spd_sv *observe = SPD_NEW_N(w->arena, spd_sv, w->host.n_observe + 1);
    for (size_t i = 0; i < w->host.n_observe; i++)
        observe[i] = spd_arena_dup(w->arena, w->host.observe[i]);
    w->host.observe = observe;
    if (!w->host.site.zone) w->host.site.zone = spd_zone_utc();
    copy_listen(w, h);
    spd_sv url = w->host.site.public_url;
    size_t at = 0;
    w->https = spd_sv_starts(url, SPD_SV("https://"));
    if (spd_sv_find(url, SPD_SV("://"), &at)) {
        for (at += 3; at < url.len && url.ptr[at] != '/';)
            at++;
        w->origin = spd_sv_of(url.ptr, at);
    }
}

enum spd_rc spd_web_start(const struct spd_web_host *host, struct spd_web **ret,
                          struct spd_err *err)
{
    struct spd_web *w = spd_must_malloc(sizeof *w);
    enum spd_rc rc = SPD_OK;
    *ret = NULL;
    w->arena = spd_arena_new(4u << 20);
    if (!w->arena) spd_out_of_memory();
    copy_host(w, host);
    pthread_mutex_init(&w->conns_lock, NULL);
    w->counts = spd_must_malloc((spd_web_n_routes + 1) * sizeof *w->counts);
    w->daemons = SPD_NEW_N(w->arena, struct MHD_Daemon *, w->host.n_listen + 1);
    w->ports = SPD_NEW_N(w->arena, int, w->host.n_listen + 1);
    w->auth = spd_web_auth_new();
    spd_web_assets_open(w);
    lanes_start(w);
    w->streams = spd_web_streams_start(w, err);
    if (!w->streams) rc = SPD_IO;
    if (!rc && !(w->sockets = spd_web_sockets_start(w, err))) rc = SPD_IO;
    for (; !rc && w->n_daemons < w->host.n_listen; w->n_daemons += !rc) {
        rc = open_listener(w, w->n_daemons, err);
        if (rc) break;
    }
    if (rc) {
        spd_web_stop(w);
        return rc;
    }
    *ret = w;
    return SPD_OK;
}

void spd_web_stop(struct spd_web *w)
{
    if (!w) return;
    for (size_t i = 0; i < w->n_daemons; i++) {
        int fd = MHD_quiesce_daemon(w->daemons[i]);
        if (fd >= 0) close(fd);
    }
    spd_web_streams_stop(w->streams); /* nothing waits any more ... */
    lanes_stop(w);                    /* ... everything taken is answered ... */
    spd_web_sockets_stop(w->sockets);
    drain(w);
    for (size_t i = 0; i < w->n_daemons; i++)
        MHD_stop_daemon(w->daemons[i]); /* ... and sent */
    for (size_t i = 0; i < w->n_daemons; i++) {
        if (w->host.listen[i].socket.len && w->host.listen[i].fd <= 0)
            unlink(w->host.listen[i].socket.ptr);
    }
    for (int i = 0; i < SPD_LANE_N; i++) {
        pthread_mutex_destroy(&w->lanes[i].lock);
        pthread_cond_destroy(&w->lanes[i].some);
    }
    spd_web_streams_free(w->streams);
    spd_web_sockets_free(w->sockets);
    spd_web_auth_free(w->auth);
    spd_free(w->counts);
    pthread_mutex_destroy(&w->conns_lock);
    spd_arena_free(w->arena);
    spd_free(w);
}

int spd_web_port(const struct spd_web *w, size_t i)
{
    return i < w->n_daemons && !w->host.listen[i].socket.len ? w->ports[i] : 0;
}
