/* src/scu/scu.c: see scu.h. */
#define _GNU_SOURCE
#include "scu/scu.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "result/frame.h"

enum { END_TICKS = 100 };

struct spd_scu {
    pid_t pid;
    int fd;
    bool broken; /* nothing more can be asked */
    int wait_ms; /* for an answer: a little more than the process itself waits */
    size_t n;
    char accepted[SPD_SCU_CONTEXTS_MAX][65];
};

extern char **environ;

const char *spd_scu_program(struct spd_arena *arena)
{
    const char *own = getenv("SPOED_DICOM_PROGRAM");
    char path[PATH_MAX];
    if (own && *own) return spd_arena_dup(arena, spd_sv_from(own)).ptr;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    while (n > 0 && path[n - 1] != '/')
        n--;
    return spd_arena_printf(arena, "%.*sspoed-dicom", n > 0 ? (int)n : 0, path).ptr;
}

enum spd_rc spd_scu_parse(spd_sv url, struct spd_scu_to *ret, struct spd_err *err)
{
    spd_sv plain = SPD_SV("dicom://"), secure = SPD_SV("dicom-tls://"), rest;
    size_t at, colon;
    int64_t port;
    ret->tls = spd_sv_starts(url, secure);
    if (!ret->tls && !spd_sv_starts(url, plain))
        return spd_fail(err, SPD_INVALID, "to",
                        "use dicom://AET@host:port or dicom-tls://AET@host:port");
    rest = spd_sv_of(url.ptr + (ret->tls ? secure.len : plain.len),
                     url.len - (ret->tls ? secure.len : plain.len));
    if (!spd_sv_find(rest, SPD_SV("@"), &at) || !at || at > 16)
        return spd_fail(err, SPD_INVALID, "to",
                        "an AE title of 1 to 16 characters stands before the @");
    ret->called = spd_sv_of(rest.ptr, at);
    rest = spd_sv_of(rest.ptr + at + 1, rest.len - at - 1);
    while (rest.len && rest.ptr[rest.len - 1] == '/')
        rest.len--;
    if (!spd_sv_find(rest, SPD_SV(":"), &colon) || !colon || colon > 255 ||
        !spd_sv_to_i64(spd_sv_of(rest.ptr + colon + 1, rest.len - colon - 1), &port) || port < 1 ||
        port > 65535)
        return spd_fail(err, SPD_INVALID, "to", "host:port is needed after the @");
    ret->host = spd_sv_of(rest.ptr, colon);
    ret->port = (int)port;
    return SPD_OK;
}

/* ---- the process
 * --------------------------------------------------------------------------------- */
static bool start(const char *program, struct spd_scu *s)
{
    int pair[2];
    char verb[] = "scu", *argv[] = {(char *)(uintptr_t)program, verb, NULL};
    posix_spawn_file_actions_t fa;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) return false;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, pair[1], 0);
    posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
    int rc = posix_spawn(&s->pid, program, &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    close(pair[1]);
    if (rc) close(pair[0]);
    s->fd = pair[0];
    return rc == 0;
}

void spd_scu_close(struct spd_scu *s)
{
    struct timespec tick = {0, 20000000};
    int status, i = 0;
    if (!s) return;
    if (!s->broken) spd_frame_write1(s->fd, 'Q', SPD_SV_NONE);
    while (waitpid(s->pid, &status, WNOHANG) == 0) {
        if (++i == END_TICKS || s->broken) kill(s->pid, SIGKILL);
        nanosleep(&tick, NULL);
    }
    close(s->fd);
    spd_free(s);
}

static enum spd_rc broken(struct spd_scu *s, spd_sv body, struct spd_err *err)
{
    spd_sv why = body.len > 2 ? spd_sv_of(body.ptr + 2, body.len - 2) : SPD_SV("the process ended");
    s->broken = true;
    return spd_fail(err, SPD_AGAIN, "association", "%.*s", SPD_SV_ARG(why));
}

/* The next frame of the process; a broken association is AGAIN. */
static enum spd_rc receive(struct spd_scu *s, char *ret_type, spd_sv *ret_body,
                           struct spd_arena *arena, struct spd_err *err)
{
    enum spd_rc rc = spd_frame_read(s->fd, ret_type, ret_body, s->wait_ms, arena);
    if (rc) return broken(s, SPD_SV_NONE, err);
    return *ret_type == 'e' ? broken(s, *ret_body, err) : SPD_OK;
}

static enum spd_rc ask(struct spd_scu *s, char type, const struct spd_str *body,
                       struct spd_err *err)
{
    if (s->broken) return spd_fail(err, SPD_AGAIN, "association", "the association broke");
    if (!spd_str_ok(body))
        return spd_fail(err, SPD_LIMIT, "association", "the request is too large");
    return spd_frame_write1(s->fd, type, spd_str_sv(body)) ? broken(s, SPD_SV_NONE, err) : SPD_OK;
}

static unsigned status_of(spd_sv body, spd_sv *ret_comment)
{
    *ret_comment = body.len > 2 ? spd_sv_of(body.ptr + 2, body.len - 2) : SPD_SV_NONE;
    return body.len < 2 ? 0xC000
                        : (unsigned char)body.ptr[0] | (unsigned)(unsigned char)body.ptr[1] << 8;
}

/* ---- open
 * ---------------------------------------------------------------------------------------- */
static void put_number(struct spd_str *out, int64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)v);
    spd_frame_put(out, spd_sv_from(text));
}

static void open_frame(const struct spd_scu_to *to, const struct spd_scu_context *contexts,
                       size_t n, struct spd_str *out)
{
    static const char usual[] = "1.2.840.10008.1.2.1\\1.2.840.10008.1.2";
    spd_frame_put(out, to->host), put_number(out, to->port);
    spd_frame_put(out, to->called), spd_frame_put(out, to->calling);
    put_number(out, to->seconds ? to->seconds : 5);
    put_number(out, to->answer_seconds ? to->answer_seconds : 60);
    spd_frame_put(out, to->tls ? SPD_SV("tls") : SPD_SV("plain"));
    spd_frame_put(out, to->certificate), spd_frame_put(out, to->key), spd_frame_put(out, to->ca);
    for (size_t i = 0; i < n; i++) {
        spd_frame_put(out, spd_sv_from(contexts[i].abstract));
        put_number(out, contexts[i].we_are_scp);
        spd_frame_put(out, spd_sv_from(contexts[i].transfers ? contexts[i].transfers : usual));
    }
}

static enum spd_rc opened(struct spd_scu *s, struct spd_arena *arena, struct spd_err *err)
{
    char type;
    spd_sv body, transfer;
    enum spd_rc rc = spd_frame_read(s->fd, &type, &body, s->wait_ms, arena);
    s->broken = rc || type != 'o';
    if (rc) return spd_fail(err, SPD_AGAIN, "association", "the process ended");
    if (type == 'e') {
        spd_sv why;
        unsigned kind = status_of(body, &why);
        return spd_fail(err, kind == 2 ? SPD_DENIED : SPD_AGAIN, "association", "%.*s",
                        SPD_SV_ARG(why));
    }
    for (s->n = 0; s->n < SPD_SCU_CONTEXTS_MAX && spd_frame_take(&body, &transfer); s->n++)
        snprintf(s->accepted[s->n], sizeof s->accepted[0], "%.*s", SPD_SV_ARG(transfer));
    return SPD_OK;
}

enum spd_rc spd_scu_open(const char *program, const struct spd_scu_to *to,
                         const struct spd_scu_context *contexts, size_t n, struct spd_scu **ret,
                         struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new(1 << 20);
    struct spd_str out = SPD_STR_INIT(1 << 16);
    struct spd_scu *s;
    enum spd_rc rc;
    *ret = NULL;
    if (!arena) spd_out_of_memory();
    if (!program) program = spd_scu_program(arena);
    if (n > SPD_SCU_CONTEXTS_MAX) n = SPD_SCU_CONTEXTS_MAX;
    s = spd_must_malloc(sizeof *s);
    if (access(program, X_OK) || !start(program, s)) {
        spd_free(s);
        spd_arena_free(arena);
        return spd_fail(err, SPD_IO, "spoed-dicom", "the program is not there or cannot be run");
    }
    /* opening: the name's look-up, the connection, the handshake, the answer to the request */
    s->wait_ms = (to->seconds ? to->seconds : 5) * 3000 + 5000;
    open_frame(to, contexts, n, &out);
    rc = ask(s, 'O', &out, err);
    if (!rc) rc = opened(s, arena, err);
    s->wait_ms = (to->answer_seconds ? to->answer_seconds : 60) * 1000 + 2000;
    if (rc)
        s->broken = true, spd_scu_close(s);
    else
        *ret = s;
    spd_str_done(&out);
    spd_arena_free(arena);
    return rc;
}

spd_sv spd_scu_accepted(const struct spd_scu *s, size_t context)
{
    return context < s->n ? spd_sv_from(s->accepted[context]) : SPD_SV_NONE;
}

/* ---- the services
 * -------------------------------------------------------------------------------- */
static enum spd_rc status_answer(struct spd_scu *s, unsigned *ret_status, spd_sv *ret_comment,
                                 struct spd_arena *arena, struct spd_err *err)
{
    char type;
    spd_sv body;
    enum spd_rc rc = receive(s, &type, &body, arena, err);
    if (rc) return rc;
    if (type != 's') return broken(s, SPD_SV_NONE, err);
    *ret_status = status_of(body, ret_comment);
    return SPD_OK;
}

enum spd_rc spd_scu_echo(struct spd_scu *s, unsigned *ret_status, struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new(1 << 16);
    struct spd_str out = SPD_STR_INIT(16);
    spd_sv comment;
    if (!arena) spd_out_of_memory();
    enum spd_rc rc = ask(s, 'E', &out, err);
    if (!rc) rc = status_answer(s, ret_status, &comment, arena, err);
    spd_arena_free(arena);
    return rc;
}

enum spd_rc spd_scu_store(struct spd_scu *s, spd_sv sop_class, spd_sv sop_uid, spd_sv transfer,
                          spd_sv data, unsigned *ret_status, spd_sv *ret_comment,
                          struct spd_arena *arena, struct spd_err *err)
{
    struct spd_str out = SPD_STR_INIT(SPD_FRAME_MAX - 8);
    spd_frame_put(&out, sop_class), spd_frame_put(&out, sop_uid);
    spd_frame_put(&out, transfer), spd_frame_put(&out, data);
    enum spd_rc rc = ask(s, 'S', &out, err);
    if (!rc) rc = status_answer(s, ret_status, ret_comment, arena, err);
    spd_str_done(&out);
    return rc;
}

/* One answer to its receiver; false: enough. */
static bool deliver(spd_sv json, bool (*answer)(void *ctx, const struct spd_dcm *d), void *ctx)
{
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    struct spd_dcm d;
    if (!arena) spd_out_of_memory();
    bool more = spd_dcm_from_json(json, &d, arena, NULL) || answer(ctx, &d);
    spd_arena_free(arena);
    return more;
}

enum spd_rc spd_scu_find(struct spd_scu *s, const char *abstract, const struct spd_dcm_set *keys,
                         size_t max, bool (*answer)(void *ctx, const struct spd_dcm *d), void *ctx,
                         unsigned *ret_status, spd_sv *ret_comment, struct spd_arena *arena,
                         struct spd_err *err)
{
    struct spd_str out = SPD_STR_INIT(SPD_FRAME_MAX / 2), set = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
    bool more = true;
    spd_dcm_encode(keys, true, &set);
    put_number(&out, (int64_t)max);
    spd_frame_put(&out, spd_sv_from(abstract)), spd_frame_put(&out, spd_str_sv(&set));
    enum spd_rc rc = spd_str_ok(&set) ? ask(s, 'F', &out, err) : SPD_LIMIT;
    spd_str_done(&out), spd_str_done(&set);
    while (!rc) {
        struct spd_arena *one = spd_arena_new(SPD_FRAME_MAX + 4096);
        char type;
        spd_sv body;
        if (!one) spd_out_of_memory();
        rc = receive(s, &type, &body, one, err);
        bool end = !rc && type == 'f';
        if (end)
            *ret_status = status_of(body, ret_comment),
            *ret_comment = spd_arena_dup(arena, *ret_comment);
        else if (!rc && type != 'a')
            rc = broken(s, SPD_SV_NONE, err);
        else if (!rc && more)
            more = deliver(body, answer, ctx);
        spd_arena_free(one);
        if (end) return SPD_OK;
    }
    return rc;
}

enum spd_rc spd_scu_n(struct spd_scu *s, const struct spd_n_request *request,
                      const struct spd_dcm_set *data, struct spd_n_answer *ret,
                      struct spd_arena *arena, struct spd_err *err)
{
    struct spd_str out = SPD_STR_INIT(SPD_FRAME_MAX / 2), set = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
    struct spd_n_request q = *request;
    char type;
    spd_sv body;
    if (data) spd_dcm_encode(data, true, &set);
    q.json = SPD_SV_NONE, q.raw = spd_str_sv(&set), q.has_data = set.len > 0;
    spd_n_request_encode(&q, &out);
    enum spd_rc rc = spd_str_ok(&set) ? ask(s, 'N', &out, err) : SPD_LIMIT;
    if (!rc) rc = receive(s, &type, &body, arena, err);
    if (!rc && (type != 'n' || spd_n_answer_decode(body, ret))) rc = broken(s, SPD_SV_NONE, err);
    spd_str_done(&out), spd_str_done(&set);
    return rc;
}
