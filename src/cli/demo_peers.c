/* src/cli/demo_peers.c: see demo_peers.h. One accepting thread per server, one thread per connection; a
 * server that is taken down shuts its connections and keeps its port. */
#define _GNU_SOURCE
#include "cli/demo_peers.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hash.h"
#include "hl7/v2/frame.h"
#include "net/mllp_client.h"
#include "net/socket.h"

enum { LIVE_MAX = 32, RECORDS_MAX = 4096, BODY_MAX = 1 << 20 };

struct server {
    struct demo_peers *p;
    void (*serve)(struct demo_peers *p, int fd);
    pthread_t thread;
    int fd, port;
    bool down;
    int live[LIVE_MAX]; /* connections, -1 free */
};

struct demo_peers {
    pthread_mutex_t mutex;
    pthread_cond_t gone; /* a connection ended */
    bool stop, echo;
    int spoed_mllp;
    char secret[128];
    struct server ris, pager, mail;
    struct demo_message messages[RECORDS_MAX];
    struct demo_page pages[RECORDS_MAX];
    size_t n_messages, n_pages, echoes;
};

/* ---- servers ------------------------------------------------------------------------------------ */
struct link {
    struct server *s;
    int fd;
};

static void *connection(void *ctx)
{
    struct link *l = ctx;
    struct demo_peers *p = l->s->p;
    l->s->serve(p, l->fd);
    pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < LIVE_MAX; i++)
        if (l->s->live[i] == l->fd) l->s->live[i] = -1;
    close(l->fd);
    pthread_cond_broadcast(&p->gone);
    pthread_mutex_unlock(&p->mutex);
    spd_free(l);
    return NULL;
}

static void take_connection(struct server *s, int fd)
{
    struct demo_peers *p = s->p;
    struct link *l = spd_must_malloc(sizeof *l);
    pthread_attr_t attr;
    pthread_t t;
    size_t i = 0;
    *l = (struct link){s, fd};
    pthread_mutex_lock(&p->mutex);
    while (i < LIVE_MAX && s->live[i] >= 0) i++;
    if (i < LIVE_MAX && !s->down) s->live[i] = fd;
    else i = LIVE_MAX;
    pthread_mutex_unlock(&p->mutex);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (i == LIVE_MAX || pthread_create(&t, &attr, connection, l)) {
        close(fd);
        spd_free(l);
    }
    pthread_attr_destroy(&attr);
}

static void *accepting(void *ctx)
{
    struct server *s = ctx;
    for (;;) {
        struct pollfd f;
        int fd;
        bool stop;
        pthread_mutex_lock(&s->p->mutex);
        stop = s->p->stop;
        f = (struct pollfd){s->fd, POLLIN, 0};
        pthread_mutex_unlock(&s->p->mutex);
        if (stop) return NULL;
        if (poll(&f, 1, 50) <= 0 || f.fd < 0) continue;
        fd = accept4(f.fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) take_connection(s, fd);
    }
}

static void listen_on(struct server *s, int port)
{
    struct spd_err err = {SPD_OK, "", ""};
    for (int i = 0; i < 40; i++) {
        if (spd_net_listen("127.0.0.1", port, &s->fd, &err) == SPD_OK) {
            s->port = spd_net_port(s->fd);
            return;
        }
        usleep(50000);
    }
    fprintf(stderr, "spoed demo: cannot listen on port %d: %s\n", port, err.text);
    s->fd = -1;
}

static void server_start(struct demo_peers *p, struct server *s, void (*serve)(struct demo_peers *, int))
{
    s->p = p;
    s->serve = serve;
    for (size_t i = 0; i < LIVE_MAX; i++) s->live[i] = -1;
    listen_on(s, 0);
    if (pthread_create(&s->thread, NULL, accepting, s)) spd_out_of_memory();
}

/* Locked. Shuts the connections and waits until their threads are through with them. */
static void drop_connections(struct demo_peers *p, struct server *s)
{
    for (size_t i = 0; i < LIVE_MAX; i++)
        if (s->live[i] >= 0) shutdown(s->live[i], SHUT_RDWR);
    for (size_t i = 0; i < LIVE_MAX; i++)
        while (s->live[i] >= 0) pthread_cond_wait(&p->gone, &p->mutex);
}

/* ---- RIS ---------------------------------------------------------------------------------------- */
/* Field n of the first such segment; of MSH numbered as in the standard. */
static spd_sv field(spd_sv m, const char *segment, unsigned n)
{
    if (!strcmp(segment, "MSH")) n--;
    while (m.len) {
        const char *cr = memchr(m.ptr, '\r', m.len);
        spd_sv line = spd_sv_of(m.ptr, cr ? (size_t)(cr - m.ptr) : m.len);
        m = cr ? spd_sv_of(cr + 1, m.len - line.len - 1) : SPD_SV_NONE;
        if (line.len < 4 || memcmp(line.ptr, segment, 3)) continue;
        for (unsigned i = 0;; i++) {
            const char *bar = line.len ? memchr(line.ptr, '|', line.len) : NULL;
            size_t len = bar ? (size_t)(bar - line.ptr) : line.len;
            if (i == n) return spd_sv_of(line.ptr, len);
            if (!bar) return SPD_SV_NONE;
            line = spd_sv_of(bar + 1, line.len - len - 1);
        }
    }
    return SPD_SV_NONE;
}

static void copy(char *to, size_t n, spd_sv v)
{
    snprintf(to, n, "%.*s", SPD_SV_ARG(v));
}

static bool write_all(int fd, spd_sv v)
{
    while (v.len) {
        ssize_t n = send(fd, v.ptr, v.len, MSG_NOSIGNAL);
        if (n <= 0 && errno != EINTR) return false;
        if (n > 0) v.ptr += n, v.len -= (size_t)n;
    }
    return true;
}

static bool answer(int fd, spd_sv m)
{
    struct spd_str text = SPD_STR_INIT(4096), out = SPD_STR_INIT(8192);
    spd_sv id = field(m, "MSH", 10);
    bool ok;
    spd_str_addf(&text, "MSH|^~\\&|RIS|ZH|SPOED|ZH|%.*s||ACK|A%.*s|P|2.5\rMSA|AA|%.*s\r", SPD_SV_ARG(field(m, "MSH", 7)),
                 SPD_SV_ARG(id), SPD_SV_ARG(id));
    ok = hl7_frame_write(&out, spd_str_sv(&text)) == SPD_OK && write_all(fd, spd_str_sv(&out));
    spd_str_done(&text);
    spd_str_done(&out);
    return ok;
}

struct echo {
    struct demo_peers *p;
    struct spd_str message;
};

static void *send_echo(void *ctx)
{
    struct echo *e = ctx;
    demo_ris_send(e->p, spd_str_sv(&e->message));
    spd_str_done(&e->message);
    spd_free(e);
    return NULL;
}

/* Our own message as the RIS sends it on after taking it: other MSH-3..6 and MSH-10, the rest as it was. */
static void echo_back(struct demo_peers *p, spd_sv m, size_t number)
{
    spd_sv body = field(m, "MSH", 12);
    struct echo *e = spd_must_malloc(sizeof *e);
    pthread_attr_t attr;
    pthread_t t;
    e->p = p;
    e->message = SPD_STR_INIT(BODY_MAX);
    spd_str_addf(&e->message, "MSH|^~\\&|RIS|ZH|SPOED|ZH|%.*s||%.*s|ECHO%zu|P|", SPD_SV_ARG(field(m, "MSH", 7)),
                 SPD_SV_ARG(field(m, "MSH", 9)), number);
    spd_str_add(&e->message, spd_sv_of(body.ptr, (size_t)(m.ptr + m.len - body.ptr)));
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&t, &attr, send_echo, e)) spd_out_of_memory();
    pthread_attr_destroy(&attr);
}

static bool ris_take(struct demo_peers *p, int fd, spd_sv m)
{
    spd_sv type = field(m, "MSH", 9);
    size_t number = 0;
    bool echo = false;
    pthread_mutex_lock(&p->mutex);
    if (p->n_messages < RECORDS_MAX) {
        struct demo_message *r = &p->messages[p->n_messages++];
        copy(r->type, sizeof r->type, spd_sv_of(type.ptr, type.len < 3 ? type.len : 3));
        copy(r->control_id, sizeof r->control_id, field(m, "MSH", 10));
        copy(r->order, sizeof r->order, field(m, "OBR", 3));
        r->at = spd_clock_now();
        echo = p->echo && !strcmp(r->type, "ORM");
        number = ++p->echoes;
    }
    pthread_mutex_unlock(&p->mutex);
    if (!answer(fd, m)) return false;
    if (echo) echo_back(p, m, number);
    return true;
}

static void ris_serve(struct demo_peers *p, int fd)
{
    struct hl7_framer f;
    char buf[8192];
    ssize_t n;
    bool go = true;
    hl7_framer_init(&f, BODY_MAX);
    while (go && (n = recv(fd, buf, sizeof buf, 0)) > 0) {
        spd_sv in = spd_sv_of(buf, (size_t)n), frame;
        while (go && in.len) {
            size_t used = 0;
            enum spd_rc rc = hl7_framer_feed(&f, in, &used, &frame, NULL);
            in.ptr += used, in.len -= used;
            if (rc == SPD_OK) go = ris_take(p, fd, frame);
            else if (rc != SPD_AGAIN) go = false;
        }
    }
    hl7_framer_done(&f);
}

bool demo_ris_send(struct demo_peers *p, spd_sv message)
{
    struct spd_mllp_client *c = NULL;
    struct spd_arena *arena = spd_arena_new(1 << 20);
    struct spd_err err;
    spd_sv said = SPD_SV_NONE;
    bool ok = false;
    if (spd_mllp_connect("127.0.0.1", p->spoed_mllp, SPD_SEC(5), &c, &err) == SPD_OK) {
        if (spd_mllp_exchange(c, message, SPD_SEC(10), BODY_MAX, &said, arena, &err) == SPD_OK)
            ok = spd_sv_is(field(said, "MSA", 1), "AA");
        spd_mllp_close(c);
    }
    spd_arena_free(arena);
    return ok;
}

void demo_ris_down(struct demo_peers *p, bool down)
{
    pthread_mutex_lock(&p->mutex);
    p->ris.down = down;
    if (down && p->ris.fd >= 0) {
        shutdown(p->ris.fd, SHUT_RDWR); /* at once, though the accepting thread may be polling it */
        close(p->ris.fd);
        p->ris.fd = -1;
        drop_connections(p, &p->ris);
    } else if (!down && p->ris.fd < 0) {
        listen_on(&p->ris, p->ris.port);
    }
    pthread_mutex_unlock(&p->mutex);
}

void demo_ris_echo(struct demo_peers *p, bool echo)
{
    pthread_mutex_lock(&p->mutex);
    p->echo = echo;
    pthread_mutex_unlock(&p->mutex);
}

size_t demo_ris_count(struct demo_peers *p, const char *type, const char *order)
{
    size_t n = 0;
    pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < p->n_messages; i++)
        n += !strcmp(p->messages[i].type, type) && (!*order || !strcmp(p->messages[i].order, order));
    pthread_mutex_unlock(&p->mutex);
    return n;
}

/* ---- pager -------------------------------------------------------------------------------------- */
static void keep_page(struct demo_peers *p, const struct demo_page *page)
{
    pthread_mutex_lock(&p->mutex);
    if (p->n_pages < RECORDS_MAX) p->pages[p->n_pages++] = *page;
    pthread_mutex_unlock(&p->mutex);
}

/* The value of a header (name in lower case, with colon) in a request's head; "" when absent. */
static spd_sv header(spd_sv head, const char *name)
{
    size_t n = strlen(name);
    while (head.len) {
        const char *nl = memchr(head.ptr, '\n', head.len);
        spd_sv line = spd_sv_of(head.ptr, nl ? (size_t)(nl - head.ptr) : head.len);
        head = nl ? spd_sv_of(nl + 1, head.len - line.len - 1) : SPD_SV_NONE;
        if (line.len > n && spd_sv_ieq(spd_sv_of(line.ptr, n), spd_sv_from(name)))
            return spd_sv_trim(spd_sv_of(line.ptr + n, line.len - n));
    }
    return SPD_SV_NONE;
}

static void pager_take(struct demo_peers *p, spd_sv head, spd_sv body)
{
    struct demo_page page = {.at = spd_clock_now(), .channel = "pager"};
    struct spd_arena *arena = spd_arena_new(1 << 16);
    unsigned char mac[32];
    spd_sv want;
    json_t *o = json_loadb(body.ptr, body.len, 0, NULL);
    spd_hmac_sha256(spd_sv_from(p->secret), body, mac);
    want = spd_arena_printf(arena, "sha256=%.*s", SPD_SV_ARG(spd_hex(arena, mac, sizeof mac)));
    page.is_signed = spd_same_secret(header(head, "x-spoed-signature:"), want);
    copy(page.to, sizeof page.to, header(head, "x-spoed-to:"));
    copy(page.page_id, sizeof page.page_id, spd_sv_from(json_string_value(json_object_get(o, "page_id"))));
    copy(page.level, sizeof page.level, spd_sv_from(json_string_value(json_object_get(o, "level"))));
    page.alert = json_integer_value(json_object_get(o, "alert_id"));
    page.repeat = json_is_true(json_object_get(o, "repeat"));
    keep_page(p, &page);
    json_decref(o);
    spd_arena_free(arena);
}

static void pager_serve(struct demo_peers *p, int fd)
{
    struct spd_str in = SPD_STR_INIT(BODY_MAX);
    char buf[8192];
    size_t at;
    ssize_t n;
    while ((n = recv(fd, buf, sizeof buf, 0)) > 0) {
        int64_t len = 0;
        spd_str_add(&in, spd_sv_of(buf, (size_t)n));
        if (!spd_str_ok(&in)) break;
        if (!spd_sv_find(spd_str_sv(&in), SPD_SV("\r\n\r\n"), &at)) continue;
        if (!spd_sv_to_i64(header(spd_sv_of(in.ptr, at), "content-length:"), &len) || len < 0) break;
        if (in.len < at + 4 + (size_t)len) continue;
        pager_take(p, spd_sv_of(in.ptr, at), spd_sv_of(in.ptr + at + 4, (size_t)len));
        write_all(fd, SPD_SV("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"));
        break;
    }
    spd_str_done(&in);
}

/* ---- mail --------------------------------------------------------------------------------------- */
struct mail {
    struct demo_page page;
    bool data;
};

/* One line of the dialogue; NULL: no answer is due. */
static const char *mail_line(struct demo_peers *p, struct mail *m, spd_sv line)
{
    if (m->data) {
        if (spd_sv_is(line, ".")) {
            m->data = false;
            keep_page(p, &m->page);
            return "250 kept\r\n";
        }
        if (line.len > 17 && !memcmp(line.ptr, "X-Spoed-Page-Id: ", 17))
            copy(m->page.page_id, sizeof m->page.page_id, spd_sv_of(line.ptr + 17, line.len - 17));
        return NULL;
    }
    if (spd_sv_starts(line, SPD_SV("EHLO")) || spd_sv_starts(line, SPD_SV("HELO"))) return "250 sink\r\n";
    if (spd_sv_starts(line, SPD_SV("RCPT TO:<")))
        copy(m->page.to, sizeof m->page.to, spd_sv_of(line.ptr + 9, line.len - 10));
    if (!spd_sv_starts(line, SPD_SV("DATA"))) return "250 ok\r\n";
    m->data = true;
    m->page.at = spd_clock_now();
    return "354 go on\r\n";
}

static void mail_serve(struct demo_peers *p, int fd)
{
    struct mail m = {.page = {.channel = "mail", .is_signed = true}};
    struct spd_str in = SPD_STR_INIT(BODY_MAX);
    char buf[4096];
    ssize_t n;
    bool go = write_all(fd, SPD_SV("220 sink\r\n"));
    while (go && (n = recv(fd, buf, sizeof buf, 0)) > 0) {
        spd_str_add(&in, spd_sv_of(buf, (size_t)n));
        while (go && in.len) {
            const char *nl = memchr(in.ptr, '\n', in.len), *reply;
            spd_sv line;
            if (!nl) break;
            line = spd_sv_trim(spd_sv_of(in.ptr, (size_t)(nl - in.ptr)));
            go = !spd_sv_is(line, "QUIT");
            reply = go ? mail_line(p, &m, line) : "221 bye\r\n";
            if (reply && !write_all(fd, spd_sv_from(reply))) go = false;
            n = nl + 1 - in.ptr;
            memmove(in.ptr, in.ptr + n, in.len - (size_t)n);
            in.len -= (size_t)n;
        }
        if (!spd_str_ok(&in)) break;
    }
    spd_str_done(&in);
}

size_t demo_pages_count(struct demo_peers *p, long long alert, const char *to)
{
    size_t n = 0;
    pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < p->n_pages; i++) {
        const struct demo_page *a = &p->pages[i];
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++) seen = !strcmp(p->pages[k].page_id, a->page_id);
        n += !seen && (!alert || a->alert == alert) && (!to || !strcmp(a->to, to));
    }
    pthread_mutex_unlock(&p->mutex);
    return n;
}

bool demo_pages_all_signed(struct demo_peers *p)
{
    bool all = true;
    pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < p->n_pages; i++) all = all && p->pages[i].is_signed;
    pthread_mutex_unlock(&p->mutex);
    return all;
}

/* ---- life --------------------------------------------------------------------------------------- */
struct demo_peers *demo_peers_start(int spoed_mllp, const char *secret)
{
    struct demo_peers *p = spd_must_malloc(sizeof *p);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->gone, NULL);
    p->spoed_mllp = spoed_mllp;
    copy(p->secret, sizeof p->secret, spd_sv_from(secret));
    server_start(p, &p->ris, ris_serve);
    server_start(p, &p->pager, pager_serve);
    server_start(p, &p->mail, mail_serve);
    return p;
}

void demo_peers_stop(struct demo_peers *p)
{
    if (!p) return;
    struct server *all[] = {&p->ris, &p->pager, &p->mail};
    pthread_mutex_lock(&p->mutex);
    p->stop = true;
    pthread_mutex_unlock(&p->mutex);
    for (size_t i = 0; i < 3; i++) pthread_join(all[i]->thread, NULL);
    pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < 3; i++) {
        if (all[i]->fd >= 0) close(all[i]->fd);
        drop_connections(p, all[i]);
    }
    pthread_mutex_unlock(&p->mutex);
    pthread_cond_destroy(&p->gone);
    pthread_mutex_destroy(&p->mutex);
    spd_free(p);
}

int demo_peers_ris_port(const struct demo_peers *p)
{
    return p->ris.port;
}

int demo_peers_pager_port(const struct demo_peers *p)
{
    return p->pager.port;
}

int demo_peers_mail_port(const struct demo_peers *p)
{
    return p->mail.port;
}
