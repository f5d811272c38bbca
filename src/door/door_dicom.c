/* src/door/door_dicom.c: keeps `spoed-dicom front` running and serves its associations. See
 * door_dicom.h.
 *
 * One thread holds the control socket (associations arrive there as sockets) and starts the front
 * again when it dies; each association has a thread of its own, at most 64 as the front allows no
 * more. An association's thread ends when its socket closes. Stop: the front first, then every
 * association's socket, then wait. */
#define _GNU_SOURCE
#include "door/door_dicom.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "door/dimse.h"
#include "door/find.h"
#include "result/frame.h"
#include "scu/scu.h"

enum {
    ASSOCIATIONS_MAX = 128,
    CERTIFICATE_MAX = 4096,
    STATUS_OK = 0,
    STATUS_RESOURCES = 0xA700,
    STATUS_IDENTIFIER = 0xA900,
    STATUS_UNREADABLE = 0xC000,
    STATUS_NO_SUCH_CLASS = 0x0122,
    STATUS_NOT_AUTHORIZED = 0x0124
};
#define MODALITY_WORKLIST "1.2.840.10008.5.1.4.31"

struct spd_door_dicom {
    struct spd_door_dicom_host host;
    spd_sv ae_title, reporting_ae;
    char *program, *address, *certificate, *key, *ca;
    char port[12], tls_port[12];
    pthread_t control;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    pid_t pid; /* of the front; 0: none. Reaped by the control thread only */
    int fd;    /* control socket; -1: none */
    int associations[ASSOCIATIONS_MAX]; /* their sockets; -1: free */
    size_t n_associations;
    struct spd_door_dicom_stats stats;
    struct spd_arena *arena;
};
struct association {
    struct spd_door_dicom *door;
    int fd;
    size_t place;
    char peer_address[64];
    spd_sv called, calling, certificate; /* from the hello, in the first arena */
};

extern char **environ;

static void count(struct spd_door_dicom *d, uint64_t *counter, uint64_t by)
{
    pthread_mutex_lock(&d->lock);
    *counter += by;
    pthread_mutex_unlock(&d->lock);
}

static void alarm_of(struct spd_door_dicom *d, const char *kind, const char *nl, const char *en,
                     bool clear)
{
    if (d->host.alarm) d->host.alarm(d->host.self, kind, nl, en, clear);
}

static enum spd_rc send_status(int fd, char type, unsigned status, spd_sv comment)
{
    char bytes[2] = {(char)status, (char)(status >> 8)};
    spd_sv parts[] = {spd_sv_of(bytes, 2), comment.len > 64 ? spd_sv_of(comment.ptr, 64) : comment};
    return spd_frame_write(fd, type, parts, 2);
}

/* ---- C-STORE
 * ---------------------------------------------------------------------------------------- */
static void copy_refused(void *ctx, const struct spd_receipt *r)
{
    *(bool *)ctx = r && r->did == SPD_DID_REFUSE;
}

/* *ret_refused: of somebody who is not configured, and too much of such is waiting already. */
static enum spd_rc submit(struct spd_door_dicom *d, enum spd_event_type type, void *payload,
                          bool *ret_refused)
{
    struct spd_event event = {.type = type, .u.any = payload};
    return spd_writer_call(d->host.writer, &event, copy_refused, ret_refused);
}

static enum spd_rc serve_store(struct association *a, spd_sv body, struct spd_arena *arena)
{
    struct spd_door_dicom *d = a->door;
    spd_sv sop_uid, why, doc_bytes, raw, comment = SPD_SV_NONE;
    struct spd_door_peer peer = {0};
    struct spd_sr_doc doc;
    enum spd_rc rc;
    bool refused = false;
    unsigned status = STATUS_OK;
    if (!spd_frame_take(&body, &sop_uid) || !spd_frame_take(&body, &why) ||
        !spd_frame_take(&body, &doc_bytes) || !spd_frame_take(&body, &raw))
        return SPD_PROTO;
    d->host.peer(d->host.self, a->calling, spd_sv_from(a->peer_address), a->certificate, arena,
                 &peer);
    if (!why.len && spd_sr_doc_decode(doc_bytes, &doc, arena, NULL))
        why = SPD_SV("the decoder's answer is damaged");
    if (why.len) {
        struct spd_message_event e;
        spd_door_unreadable_event(raw, why, &peer, SPD_SV("C-STORE"), a->calling, sop_uid, &e,
                                  arena);
        rc = submit(d, SPD_EVENT_MESSAGE, &e, &refused);
        status = STATUS_UNREADABLE, comment = why;
    } else {
        struct spd_result_event e;
        enum spd_read read = spd_door_result_event(&doc, raw, d->host.codes, &peer, d->host.zone,
                                                   SPD_SV("C-STORE"), a->calling, &e, arena);
        rc = submit(d, SPD_EVENT_RESULT, &e, &refused);
        if (read == SPD_READ_REFUSED) status = STATUS_UNREADABLE, comment = e.why;
    }
    if (refused)
        status = STATUS_NOT_AUTHORIZED, comment = SPD_SV("sender not configured");
    else if (rc)
        status = STATUS_RESOURCES, comment = SPD_SV("cannot be committed now, send again");
    count(d, status ? &d->stats.refused : &d->stats.stores, 1);
    return send_status(a->fd, 's', status, comment);
}

/* ---- C-FIND
 * ------------------------------------------------------------------------------------------ */
struct finding {
    struct association *a;
    const struct spd_find_query *q;
    struct spd_str bytes;
    bool explicit_vr, cancelled;
    enum spd_rc rc;
    size_t n;
};

/* Has the child sent 'X' (or gone)? */
static bool stopped(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, 0) > 0;
}

static bool send_answer(void *ctx, const struct spd_row *row)
{
    struct finding *f = ctx;
    spd_str_clear(&f->bytes);
    spd_find_dataset(f->q, row, f->a->door->host.zone, f->explicit_vr, &f->bytes);
    f->rc =
        spd_str_ok(&f->bytes) ? spd_frame_write1(f->a->fd, 'a', spd_str_sv(&f->bytes)) : SPD_LIMIT;
    if (++f->n % 16 == 0 && stopped(f->a->fd)) f->cancelled = true;
    return !f->rc && !f->cancelled;
}

static enum spd_rc serve_other_find(struct association *a, const struct spd_dimse_service *service,
                                    const struct spd_find_query *q, bool explicit_vr,
                                    struct spd_arena *arena);

static enum spd_rc serve_find(struct association *a, spd_sv body, struct spd_arena *arena)
{
    struct spd_door_dicom *d = a->door;
    struct spd_find_query q;
    struct finding f = {.a = a, .q = &q, .bytes = SPD_STR_INIT(1 << 20)};
    const struct spd_dimse_service *other;
    spd_sv abstract;
    if (!body.len) return SPD_PROTO;
    f.explicit_vr = body.ptr[0] != 0;
    body = spd_sv_of(body.ptr + 1, body.len - 1);
    if (!spd_frame_take(&body, &abstract)) return SPD_PROTO;
    if (spd_find_keys_decode(body, &q, arena, NULL))
        return send_status(a->fd, 'f', STATUS_IDENTIFIER, SPD_SV_NONE);
    other = spd_dimse_service(abstract);
    if (other && other->find) return serve_other_find(a, other, &q, f.explicit_vr, arena);
    if (!spd_sv_is(abstract, MODALITY_WORKLIST))
        return send_status(a->fd, 'f', STATUS_NO_SUCH_CLASS, SPD_SV_NONE);
    if (spd_find_prepare(&q, NULL)) return send_status(a->fd, 'f', STATUS_IDENTIFIER, SPD_SV_NONE);
    const struct spd_list *list = spd_board_get(d->host.board);
    if (!list) return send_status(a->fd, 'f', STATUS_RESOURCES, SPD_SV_NONE);
    spd_find_run(list, &q, d->host.zone, send_answer, &f);
    spd_list_unref(list);
    spd_str_done(&f.bytes);
    count(d, &d->stats.finds, 1), count(d, &d->stats.answers, f.n);
    return f.rc == SPD_IO
               ? f.rc
               : send_status(a->fd, 'f', f.rc ? STATUS_RESOURCES : STATUS_OK, SPD_SV_NONE);
}

/* ---- C-FIND of other classes, DIMSE-N
 * --------------------------------------------------------------- */
static struct spd_dimse dimse_of(struct association *a, struct spd_arena *arena)
{
    struct spd_door_dicom *d = a->door;
    struct spd_dimse s = {.host = &d->host,
                          .called = a->called,
                          .calling = a->calling,
                          .address = spd_sv_from(a->peer_address),
                          .arena = arena};
    d->host.peer(d->host.self, a->calling, s.address, a->certificate, arena, &s.peer);
    return s;
}

static bool send_set(void *ctx, const struct spd_dcm_set *set)
{
    struct finding *f = ctx;
    spd_str_clear(&f->bytes);
    spd_dcm_encode(set, f->explicit_vr, &f->bytes);
    f->rc =
        spd_str_ok(&f->bytes) ? spd_frame_write1(f->a->fd, 'a', spd_str_sv(&f->bytes)) : SPD_LIMIT;
    if (++f->n % 16 == 0 && stopped(f->a->fd)) f->cancelled = true;
    return !f->rc && !f->cancelled;
}

static enum spd_rc serve_other_find(struct association *a, const struct spd_dimse_service *service,
                                    const struct spd_find_query *q, bool explicit_vr,
                                    struct spd_arena *arena)
{
    struct spd_door_dicom *d = a->door;
    struct finding f = {.a = a, .q = q, .bytes = SPD_STR_INIT(1 << 20), .explicit_vr = explicit_vr};
    struct spd_dimse s = dimse_of(a, arena);
    unsigned status = service->find(&s, q, send_set, &f);
    spd_str_done(&f.bytes);
    count(d, &d->stats.finds, 1), count(d, &d->stats.answers, f.n);
    return f.rc == SPD_IO ? f.rc
                          : send_status(a->fd, 'f', f.rc ? STATUS_RESOURCES : status, SPD_SV_NONE);
}

static enum spd_rc serve_n(struct association *a, spd_sv body, struct spd_arena *arena)
{
    struct spd_door_dicom *d = a->door;
    struct spd_str out = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
    struct spd_dimse s = dimse_of(a, arena);
    struct spd_n_request q;
    struct spd_n_answer answer = {0};
    struct spd_err err = {0};
    enum spd_rc rc = spd_n_request_decode(body, &q, arena, &err);
    if (rc == SPD_PROTO) return rc;
    if (rc) /* JSON of our own making that the reader refuses: a limit was reached */
        spd_dimse_refuse(&answer, SPD_N_RESOURCES, err.text);
    else
        spd_dimse_serve(&s, &q, &answer);
    spd_n_answer_encode(&answer, &out);
    rc = spd_str_ok(&out) ? spd_frame_write1(a->fd, 'n', spd_str_sv(&out)) : SPD_LIMIT;
    spd_str_done(&out);
    count(d, &d->stats.requests, 1);
    return rc;
}

/* ---- associations
 * ------------------------------------------------------------------------------------- */
/* Who it is, before anything is accepted: an AE title that goes with a certificate is nobody
 * else's. */
static enum spd_rc serve_hello(struct association *a, spd_sv body, struct spd_arena *arena)
{
    struct spd_door_dicom *d = a->door;
    spd_sv called, calling, peer, certificate, address = spd_sv_from(a->peer_address);
    if (!spd_frame_take(&body, &called) || !spd_frame_take(&body, &calling) ||
        !spd_frame_take(&body, &peer) || !spd_frame_take(&body, &certificate) ||
        certificate.len > CERTIFICATE_MAX)
        return SPD_PROTO;
    a->called = spd_arena_dup(arena, called), a->calling = spd_arena_dup(arena, calling);
    a->certificate = spd_arena_dup(arena, certificate);
    bool may = !d->host.admit || d->host.admit(d->host.self, a->calling, address, a->certificate);
    if (!may) {
        count(d, &d->stats.denied, 1);
        spd_log(SPD_LOG_WARNING,
                "a DICOM association was refused: this AE title goes with another certificate",
                SPD_LT("address", address));
    }
    return spd_frame_write1(a->fd, 'h', may ? SPD_SV("\1") : SPD_SV("\0"));
}

static enum spd_rc serve_frame(struct association *a, struct spd_arena *hello_arena)
{
    struct spd_arena *arena = spd_arena_new((size_t)256 << 20);
    char type;
    spd_sv body;
    if (!arena) spd_out_of_memory();
    enum spd_rc rc = spd_frame_read(a->fd, &type, &body, -1, arena);
    if (!rc && type == 'H') {
        rc = serve_hello(a, body, hello_arena);
    } else if (!rc && type == 'S')
        rc = serve_store(a, body, arena);
    else if (!rc && type == 'F')
        rc = serve_find(a, body, arena);
    else if (!rc && type == 'N')
        rc = serve_n(a, body, arena);
    else if (!rc && type != 'X')
        rc = SPD_PROTO; /* a late cancel */
    spd_arena_free(arena);
    return rc;
}

static void *association_thread(void *arg)
{
    struct association *a = arg;
    struct spd_door_dicom *d = a->door;
    struct spd_arena *hello = spd_arena_new(1 << 16);
    if (!hello) spd_out_of_memory();
    while (!serve_frame(a, hello)) {
    }
    spd_arena_free(hello);
    pthread_mutex_lock(&d->lock);
    close(a->fd);
    d->associations[a->place] = -1, d->n_associations--;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    spd_free(a);
    return NULL;
}

static void begin_association(struct spd_door_dicom *d, int fd, spd_sv peer)
{
    struct association *a = spd_must_malloc(sizeof *a);
    pthread_attr_t attr;
    pthread_t thread;
    *a = (struct association){.door = d, .fd = fd};
    snprintf(a->peer_address, sizeof a->peer_address, "%.*s", SPD_SV_ARG(peer));
    pthread_mutex_lock(&d->lock);
    while (a->place < ASSOCIATIONS_MAX && d->associations[a->place] >= 0)
        a->place++;
    bool room = a->place < ASSOCIATIONS_MAX && !d->stopping;
    if (room) d->associations[a->place] = fd, d->n_associations++, d->stats.associations++;
    pthread_mutex_unlock(&d->lock);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (room && pthread_create(&thread, &attr, association_thread, a)) {
        pthread_mutex_lock(&d->lock);
        d->associations[a->place] = -1, d->n_associations--, room = false;
        pthread_mutex_unlock(&d->lock);
    }
    pthread_attr_destroy(&attr);
    if (!room) close(fd), spd_free(a);
}

/* ---- the front
 * ------------------------------------------------------------------------------------------- */
static bool start_front(struct spd_door_dicom *d)
{
    int pair[2];
    char title[17], reporting[17];
    snprintf(title, sizeof title, "%.*s", SPD_SV_ARG(d->ae_title));
    snprintf(reporting, sizeof reporting, "%.*s", SPD_SV_ARG(d->reporting_ae));
    const char *none[8] = {NULL},
               *own[8] = {"--tls-port", d->tls_port, "--certificate", d->certificate,
                          "--key",      d->key,      "--ca",          d->ca};
    const char **tls = d->tls_port[0] ? own : none;
    const char *argv[] = {d->program, "front", "--fd", "3",    "--address",      d->address,
                          "--port",   d->port, "--ae", title,  "--reporting-ae", reporting,
                          tls[0],     tls[1],  tls[2], tls[3], tls[4],           tls[5],
                          tls[6],     tls[7],  NULL};
    posix_spawn_file_actions_t fa;
    pid_t pid = 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) return false;
    if (pair[1] == 3) { /* dup2 onto itself would keep close-on-exec */
        int other = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);
        close(pair[1]);
        pair[1] = other;
    }
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, pair[1], 3);
    int rc = posix_spawn(&pid, d->program, &fa, NULL, (char **)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    close(pair[1]);
    if (rc) close(pair[0]);
    pthread_mutex_lock(&d->lock);
    d->pid = rc ? 0 : pid, d->fd = rc ? -1 : pair[0];
    if (!rc && d->stopping) kill(pid, SIGTERM);
    pthread_mutex_unlock(&d->lock);
    return rc == 0;
}

/* Reads the front's messages until it has gone. Returns whether it had been listening. */
static bool serve_front(struct spd_door_dicom *d)
{
    bool was_up = false;
    for (;;) {
        char text[128];
        union {
            struct cmsghdr h;
            char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec io = {text, sizeof text};
        struct msghdr m = {.msg_iov = &io,
                           .msg_iovlen = 1,
                           .msg_control = control.room,
                           .msg_controllen = sizeof control.room};
        ssize_t n = recvmsg(d->fd, &m, MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return was_up;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        int fd = -1;
        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
        if (text[0] == 'A' && fd >= 0)
            begin_association(d, fd, spd_sv_of(text + 1, (size_t)n - 1));
        else if (fd >= 0)
            close(fd);
        if (text[0] == 'U') {
            was_up = true;
            pthread_mutex_lock(&d->lock);
            d->stats.up = true;
            pthread_mutex_unlock(&d->lock);
            alarm_of(d, "dicom-front", "de DICOM-poort luistert weer",
                     "the DICOM port listens again", true);
            spd_log(SPD_LOG_NOTICE, "the DICOM front listens", SPD_LZ("address", d->address),
                    SPD_LZ("port", d->port));
        }
        if (text[0] == 'C') {
            count(d, &d->stats.crashes, 1);
            alarm_of(d, "dicom-decode",
                     "een DICOM-verbinding is op haar inhoud vastgelopen en verbroken",
                     "a DICOM association crashed on what it was sent and was cut", false);
            spd_log(SPD_LOG_ERR, "a process of the DICOM front crashed; its association is gone");
        }
        if (text[0] == 'N') {
            alarm_of(d, "dicom-front", "de DICOM-poort kan niet worden geopend",
                     "the DICOM port cannot be opened", false);
            spd_log(SPD_LOG_ERR, "the DICOM port cannot be opened", SPD_LZ("address", d->address),
                    SPD_LZ("port", d->port), SPD_LT("why", spd_sv_of(text + 1, (size_t)n - 1)));
        }
    }
}

static void reap_front(struct spd_door_dicom *d)
{
    int status;
    struct timespec tick = {0, 20000000};
    pthread_mutex_lock(&d->lock);
    pid_t pid = d->pid;
    close(d->fd);
    d->fd = -1, d->stats.up = false;
    pthread_mutex_unlock(&d->lock);
    for (int i = 0; i < 100 && waitpid(pid, &status, WNOHANG) == 0;
         i++) { /* its socket is closed: it ends by itself */
        if (i == 99)
            kill(pid, SIGKILL), waitpid(pid, &status, 0);
        else
            nanosleep(&tick, NULL);
    }
    pthread_mutex_lock(&d->lock);
    d->pid = 0;
    pthread_mutex_unlock(&d->lock);
}

static void wait_seconds(struct spd_door_dicom *d, int seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&d->lock);
    while (!d->stopping && pthread_cond_timedwait(&d->changed, &d->lock, &until) != ETIMEDOUT) {
    }
    pthread_mutex_unlock(&d->lock);
}

static bool stopping(struct spd_door_dicom *d)
{
    pthread_mutex_lock(&d->lock);
    bool is = d->stopping;
    pthread_mutex_unlock(&d->lock);
    return is;
}

static void *control_thread(void *arg)
{
    struct spd_door_dicom *d = arg;
    int pause = 1;
    while (!stopping(d)) {
        bool was_up = start_front(d) && serve_front(d);
        if (d->pid) reap_front(d);
        if (stopping(d)) break;
        if (was_up) pause = 1;
        alarm_of(d, "dicom-front", "het DICOM-proces is gestopt en wordt opnieuw gestart",
                 "the DICOM process ended and is started again", false);
        spd_log(SPD_LOG_ERR, "the DICOM front ended; it is started again",
                SPD_LI("seconds", pause));
        wait_seconds(d, pause);
        count(d, &d->stats.restarts, 1);
        pause = pause >= 16 ? 30 : pause * 2;
    }
    return NULL;
}

static char *kept(struct spd_arena *arena, const char *text)
{
    return (char *)(uintptr_t)spd_arena_dup(arena, spd_sv_from(text ? text : "")).ptr;
}

enum spd_rc spd_door_dicom_start(const struct spd_door_dicom_options *o,
                                 const struct spd_door_dicom_host *host,
                                 struct spd_door_dicom **ret, struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new(1 << 16);
    if (!arena) spd_out_of_memory();
    const char *program = o->program ? o->program : spd_door_dicom_program(arena);
    *ret = NULL;
    if (!o->ae_title || !*o->ae_title || strlen(o->ae_title) > 16 || !o->reporting_ae_title ||
        strlen(o->reporting_ae_title) > 16 || o->port < 1 || o->port > 65535) {
        spd_arena_free(arena);
        return spd_fail(err, SPD_INVALID, "listen.dicom",
                        "AE titles of 1 to 16 characters and a port are needed");
    }
    if (access(program, X_OK)) {
        spd_arena_free(arena);
        return spd_fail(err, SPD_IO, "spoed-dicom",
                        "the program is not beside this one; install it or set listen.dicom off");
    }
    struct spd_door_dicom *d = spd_must_malloc(sizeof *d);
    d->host = *host, d->arena = arena, d->fd = -1;
    d->program = kept(arena, program);
    d->address = kept(arena, o->address && *o->address ? o->address : "127.0.0.1");
    d->ae_title = spd_arena_dup(arena, spd_sv_from(o->ae_title));
    d->reporting_ae = spd_arena_dup(arena, spd_sv_from(o->reporting_ae_title));
    snprintf(d->port, sizeof d->port, "%d", o->port);
    if (o->tls_port) {
        snprintf(d->tls_port, sizeof d->tls_port, "%d", o->tls_port);
        d->certificate = kept(arena, o->certificate), d->key = kept(arena, o->key);
        d->ca = kept(arena, o->ca);
    }
    for (size_t i = 0; i < ASSOCIATIONS_MAX; i++)
        d->associations[i] = -1;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    if (pthread_create(&d->control, NULL, control_thread, d)) spd_out_of_memory();
    *ret = d;
    return SPD_OK;
}

void spd_door_dicom_stop(struct spd_door_dicom *d)
{
    if (!d) return;
    pthread_mutex_lock(&d->lock);
    d->stopping = true;
    if (d->pid) kill(d->pid, SIGTERM);
    if (d->fd >= 0) shutdown(d->fd, SHUT_RDWR);
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->control, NULL);
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < ASSOCIATIONS_MAX; i++)
        if (d->associations[i] >= 0) shutdown(d->associations[i], SHUT_RDWR);
    while (d->n_associations)
        pthread_cond_wait(&d->changed, &d->lock);
    pthread_mutex_unlock(&d->lock);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    spd_arena_free(d->arena);
    spd_free(d);
}

struct spd_door_dicom_stats spd_door_dicom_stats(struct spd_door_dicom *d)
{
    pthread_mutex_lock(&d->lock);
    struct spd_door_dicom_stats s = d->stats;
    pthread_mutex_unlock(&d->lock);
    return s;
}

const char *spd_door_dicom_program(struct spd_arena *arena)
{
    return spd_scu_program(arena);
}
