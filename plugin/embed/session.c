/* plugin/embed/session.c: sessions, errors, and the one way in which libspoed asks the brain. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "embed.h"

enum { MS_MAX = 3600000 };

/* ---- structs that begin with their size --------------------------------------------------- */
bool spd_embed_take(const void *from, void *to, size_t known)
{
    const unsigned char *p = from;
    size_t n;
    memcpy(&n, from, sizeof n);
    if (n < known || n > 65536) return false;
    for (size_t i = known; i < n; i++)
        if (p[i]) return false;
    memcpy(to, from, known);
    return true;
}

bool spd_embed_room(const void *to, size_t least)
{
    size_t n = 0;
    if (to) memcpy(&n, to, sizeof n);
    return n >= least;
}

void spd_embed_give(void *to, const void *from, size_t known)
{
    size_t n;
    memcpy(&n, to, sizeof n);
    if (n > known) n = known;
    memcpy((char *)to + sizeof n, (const char *)from + sizeof n, n - sizeof n);
}

void spd_embed_copy(char *to, size_t room, const char *from)
{
    size_t n = strlen(from);
    if (n >= room) {
        n = room - 1;
        while (n && ((unsigned char)from[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(to, from, n);
    to[n] = 0;
}

/* ---- errors ------------------------------------------------------------------------------- */
const char *spoed_code_name(enum spoed_code code)
{
    switch (code) {
    case SPOED_OK:
        return "ok";
    case SPOED_AGAIN:
        return "again";
    case SPOED_END:
        return "end";
    case SPOED_INVALID:
        return "invalid";
    case SPOED_DENIED:
        return "denied";
    case SPOED_NOT_FOUND:
        return "not found";
    case SPOED_CONFLICT:
        return "conflict";
    case SPOED_BUSY:
        return "busy";
    case SPOED_NOT_COMMITTED:
        return "not committed";
    case SPOED_UNREACHABLE:
        return "unreachable";
    case SPOED_UNCERTAIN:
        return "uncertain";
    case SPOED_PROTOCOL:
        return "protocol";
    case SPOED_TOO_LARGE:
        return "too large";
    case SPOED_NO_MEMORY:
        return "no memory";
    case SPOED_FAILED:
        return "failed";
    }
    return "unknown";
}

const char *spoed_version(void)
{
    return SPOED_VERSION;
}

static enum spoed_code fail(struct spoed_error *err, const struct spoed_error *e)
{
    if (spd_embed_room(err, sizeof *err)) spd_embed_give(err, e, sizeof *e);
    return e->code;
}

enum spoed_code spd_embed_fail(struct spoed_error *err, enum spoed_code code, const char *text)
{
    struct spoed_error e = {.code = code};
    spd_embed_copy(e.text, sizeof e.text, text);
    return fail(err, &e);
}

enum spoed_code spd_embed_rc(struct spoed_error *err, enum spd_rc rc, const char *text)
{
    static const enum spoed_code codes[SPD_RC_N] = {
        [SPD_OK] = SPOED_OK,
        [SPD_INVALID] = SPOED_INVALID,
        [SPD_NOTFOUND] = SPOED_FAILED,
        [SPD_EXISTS] = SPOED_FAILED,
        [SPD_UNKNOWN] = SPOED_UNCERTAIN,
        [SPD_AGAIN] = SPOED_UNREACHABLE,
        [SPD_LIMIT] = SPOED_TOO_LARGE,
        [SPD_PROTO] = SPOED_PROTOCOL,
        [SPD_DENIED] = SPOED_FAILED,
        [SPD_STALE] = SPOED_FAILED,
        [SPD_IO] = SPOED_FAILED,
        [SPD_NOMEM] = SPOED_NO_MEMORY,
        [SPD_BUG] = SPOED_FAILED,
    };
    return spd_embed_fail(err, codes[rc], text);
}

static enum spoed_code of_status(int status)
{
    switch (status) {
    case 400:
    case 415:
    case 422:
    case 431:
        return SPOED_INVALID;
    case 401:
    case 403:
        return SPOED_DENIED;
    case 404:
        return SPOED_NOT_FOUND;
    case 409:
    case 412:
    case 428:
        return SPOED_CONFLICT;
    case 413:
        return SPOED_TOO_LARGE;
    case 429:
    case 503:
        return SPOED_BUSY;
    case 507:
        return SPOED_NOT_COMMITTED;
    default:
        return status >= 500 ? SPOED_FAILED : SPOED_PROTOCOL;
    }
}

enum spoed_code spd_embed_problem(struct spoed_error *err, int status, spd_sv body)
{
    struct spoed_error e = {.code = of_status(status), .http_status = status};
    struct spd_embed_doc d = {0};
    if (err && !spd_embed_json(body, &d, NULL)) { /* what cannot be read adds nothing */
        const struct spd_embed_node *o = d.nodes;
        const char *reason = spd_embed_text(o, "reason");
        spd_embed_copy(e.reason, sizeof e.reason, *reason ? reason : spd_embed_text(o, "code"));
        spd_embed_copy(e.text, sizeof e.text, spd_embed_text(o, "detail"));
        spd_embed_copy(e.holder, sizeof e.holder, spd_embed_text(o, "holder"));
        spd_embed_done(&d);
    }
    return fail(err, &e);
}

/* ---- one request -------------------------------------------------------------------------- */
enum spoed_code spd_embed_call(const struct spoed *s, const char *method, const char *path,
                               const char *type, spd_sv body, spd_usec extra,
                               struct spd_str *answer, struct spoed_error *err)
{
    struct spd_http_target target = s->target;
    struct spd_err why = {0};
    int status = 0;
    enum spd_rc rc;
    target.total_timeout += extra;
    rc = spd_http_call(&target, method, path, type, body, &status, answer, &why);
    if (rc) return spd_embed_rc(err, rc, why.text);
    if (status < 200 || status > 299) return spd_embed_problem(err, status, spd_str_sv(answer));
    return SPOED_OK;
}

/* ---- sessions ----------------------------------------------------------------------------- */
static bool copy(char *to, size_t room, const char *from)
{
    size_t n = strlen(from);
    if (!n || n >= room) return false;
    memcpy(to, from, n + 1);
    return true;
}

/* Goes into a header line: nothing that would end it. */
static bool word(char *to, size_t room, const char *from)
{
    for (const char *p = from; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 127) return false;
    return copy(to, room, from);
}

static bool fill(struct spoed *s, const struct spoed_options *o)
{
    const int connect = o->connect_timeout_ms, total = o->timeout_ms;
    if (connect < 0 || connect > MS_MAX || total < 0 || total > MS_MAX) return false;
    if (!copy(s->socket, sizeof s->socket,
              o->socket_path ? o->socket_path : "/run/spoed/spoed.sock"))
        return false;
    if (o->token && !word(s->token, sizeof s->token, o->token)) return false;
    if (o->language && !word(s->language, sizeof s->language, o->language)) return false;
    s->target = (struct spd_http_target){
        .socket = s->socket,
        .token = o->token ? s->token : NULL,
        .language = o->language ? s->language : NULL,
        .connect_timeout = connect ? connect * (spd_usec)1000 : SPD_SEC(1),
        .total_timeout = total ? total * (spd_usec)1000 : SPD_SEC(15),
    };
    return true;
}

enum spoed_code spoed_open(const struct spoed_options *options, struct spoed **ret,
                           struct spoed_error *err)
{
    struct spoed_options o = {0};
    struct spoed *s;
    if (!ret || (options && !spd_embed_take(options, &o, sizeof o)))
        return spd_embed_fail(err, SPOED_INVALID, "the options are not usable");
    s = calloc(1, sizeof *s);
    if (!s) return spd_embed_fail(err, SPOED_NO_MEMORY, "out of memory");
    if (!fill(s, &o)) {
        spoed_close(s);
        return spd_embed_fail(err, SPOED_INVALID, "an option is out of range");
    }
    *ret = s;
    return SPOED_OK;
}

void spoed_close(struct spoed *s)
{
    if (!s) return;
    explicit_bzero(s, sizeof *s);
    free(s);
}
