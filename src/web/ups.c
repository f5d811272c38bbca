/* src/web/ups.c: UPS-RS (PS3.18 §11) under /dicom-web: paths, roles and HTTP status of a worklist
 * of workitems. What a request means is the host's to say; its status of DICOM becomes one of HTTP
 * by the table here, and its sentence a Warning header. */
#include <stdio.h>

#include "web/web_int.h"

/* Segment i of the path, from 0: /dicom-web/workitems/{2}/… */
static spd_sv segment(const struct spd_web_req *r, int i)
{
    spd_sv rest = r->path;
    for (;; i--) {
        size_t n = 0;
        if (!rest.len) return SPD_SV_NONE;
        rest.ptr++, rest.len--;
        while (n < rest.len && rest.ptr[n] != '/')
            n++;
        if (!i) return spd_sv_of(rest.ptr, n);
        rest.ptr += n, rest.len -= n;
    }
}

/* A parameter by any of its names; or, as PS3.18 writes it, a bare UID (?1.2.3). */
static spd_sv parameter(const struct spd_web_req *r, const char *const *names, bool bare)
{
    for (; *names; names++)
        if (spd_web_arg(r, *names).len) return spd_web_arg(r, *names);
    for (size_t i = 0; bare && i < r->args.n; i++) {
        spd_sv key = r->args.v[i].key;
        if (!r->args.v[i].value.len && key.len && key.ptr[0] >= '0' && key.ptr[0] <= '9')
            return key;
    }
    return SPD_SV_NONE;
}

static void warn(struct spd_web_req *r, const char *text)
{
    if (!text[0]) return;
    spd_web_set(r, "Warning",
                spd_arena_printf(r->arena, "299 spoed: \"%s\"", text)); /* RFC 7234 §5.5 */
}

/* Failures of DICOM as HTTP (PS3.18 tables 11.4.3-1 to 11.12.3-1). */
static const struct failure {
    unsigned status;
    int http;
    const char *code;
} failures[] = {{0x0106, 400, "bad_value"}, {0x0111, 409, "conflict"},  {0x0120, 400, "bad_value"},
                {0x0121, 400, "bad_value"}, {0x0124, 403, "forbidden"}, {0x0213, 503, "busy"},
                {0xC300, 409, "conflict"},  {0xC301, 409, "conflict"},  {0xC302, 409, "conflict"},
                {0xC303, 409, "conflict"},  {0xC304, 409, "conflict"},  {0xC307, 404, "not_found"},
                {0xC308, 404, "not_found"}, {0xC309, 400, "bad_value"}, {0xC310, 409, "conflict"},
                {0xC311, 409, "conflict"},  {0xC312, 409, "conflict"},  {0xC313, 409, "conflict"},
                {0xC314, 400, "bad_value"}};

/* True: it was done, if need be with a warning. */
static bool ask(struct spd_web_req *r, struct spd_web_ups *q, struct spd_web_ups_said *said)
{
    struct spd_web_host *h = &r->web->host;
    *said = (struct spd_web_ups_said){0};
    if (!h->ups) {
        spd_web_problem(r, 404, "not_found", SPD_SV_NONE);
        return false;
    }
    q->from = (struct spd_web_from){.user = r->who.name, .address = r->address};
    q->body = spd_str_sv(&r->body);
    h->ups(h->self, q, &r->out, said);
    warn(r, said->text);
    if (!said->status || (said->status & 0xF000) == 0xB000 || said->status == 1) return true;
    spd_str_clear(&r->out);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        if (failures[i].status == said->status) {
            spd_web_problem(r, failures[i].http, failures[i].code, spd_sv_from(said->text));
            return false;
        }
    spd_web_problem(r, 500, "internal", SPD_SV_NONE);
    return false;
}

static void done(struct spd_web_req *r, int status)
{
    r->status = status;
    r->type = "application/dicom+json";
}

static const struct spd_web_ups_key *keys_of(struct spd_web_req *r)
{
    struct spd_web_ups_key *v = SPD_NEW_N(r->arena, struct spd_web_ups_key, r->args.n + 1);
    for (size_t i = 0; i < r->args.n; i++)
        v[i] = (struct spd_web_ups_key){r->args.v[i].key, r->args.v[i].value};
    return v;
}

void spd_web_h_ups_search(struct spd_web_req *r)
{
    struct spd_web_ups q = {.act = SPD_WEB_UPS_SEARCH, .keys = keys_of(r), .n_keys = r->args.n};
    struct spd_web_ups_said said;
    if (!ask(r, &q, &said)) return;
    if (said.more) warn(r, "there are more results than were asked for");
    if (!said.n) spd_str_clear(&r->out);
    done(r, said.n ? 200 : 204);
}

void spd_web_h_ups_create(struct spd_web_req *r)
{
    static const char *const names[] = {"workitem", "AffectedSOPInstanceUID", NULL};
    struct spd_web_ups q = {.act = SPD_WEB_UPS_CREATE, .uid = parameter(r, names, true)};
    struct spd_web_ups_said said;
    if (!ask(r, &q, &said)) return;
    spd_sv location = spd_arena_printf(r->arena, "%.*s/dicom-web/workitems/%s",
                                       SPD_SV_ARG(r->web->origin), said.uid);
    spd_web_set(r, "Location", location);
    spd_web_set(r, "Content-Location", location);
    done(r, 201);
}

void spd_web_h_ups_retrieve(struct spd_web_req *r)
{
    struct spd_web_ups q = {.act = SPD_WEB_UPS_RETRIEVE, .uid = segment(r, 2)};
    struct spd_web_ups_said said;
    if (ask(r, &q, &said)) done(r, 200);
}

void spd_web_h_ups_update(struct spd_web_req *r)
{
    static const char *const names[] = {"transaction-uid", "transaction", "transactionUID", NULL};
    struct spd_web_ups q = {
        .act = SPD_WEB_UPS_UPDATE, .uid = segment(r, 2), .transaction = parameter(r, names, true)};
    struct spd_web_ups_said said;
    if (ask(r, &q, &said)) done(r, 200);
}

void spd_web_h_ups_state(struct spd_web_req *r)
{
    struct spd_web_ups q = {.act = SPD_WEB_UPS_STATE, .uid = segment(r, 2)};
    struct spd_web_ups_said said;
    if (ask(r, &q, &said)) done(r, 200);
}

void spd_web_h_ups_cancel(struct spd_web_req *r)
{
    struct spd_web_ups q = {.act = SPD_WEB_UPS_CANCEL, .uid = segment(r, 2)};
    struct spd_web_ups_said said;
    if (ask(r, &q, &said)) done(r, 202);
}

/* Where the events can be had: this very server, over a WebSocket. */
static spd_sv socket_url(const struct spd_web_req *r, spd_sv ae)
{
    spd_sv host = spd_web_header(r, "Host"), origin = r->web->origin;
    size_t at;
    if (spd_sv_find(origin, SPD_SV("://"), &at))
        host = spd_sv_of(origin.ptr + at + 3, origin.len - at - 3);
    return spd_arena_printf(r->arena, "%s://%.*s/dicom-web/subscribers/%.*s",
                            r->web->https ? "wss" : "ws", SPD_SV_ARG(host), SPD_SV_ARG(ae));
}

void spd_web_h_ups_subscribe(struct spd_web_req *r)
{
    bool suspend = spd_sv_is(segment(r, 5), "suspend");
    struct spd_web_ups q = {.act = suspend                        ? SPD_WEB_UPS_SUSPEND
                                   : spd_sv_is(r->method, "POST") ? SPD_WEB_UPS_SUBSCRIBE
                                                                  : SPD_WEB_UPS_UNSUBSCRIBE,
                            .uid = segment(r, 2),
                            .receiver = segment(r, 4),
                            .lock = spd_sv_ieq(spd_web_arg(r, "deletionlock"), SPD_SV("true")),
                            .keys = keys_of(r),
                            .n_keys = r->args.n};
    struct spd_web_ups_said said;
    if (!ask(r, &q, &said)) return;
    if (q.act == SPD_WEB_UPS_SUBSCRIBE)
        spd_web_set(r, "Content-Location", socket_url(r, q.receiver));
    done(r, q.act == SPD_WEB_UPS_SUBSCRIBE ? 201 : 200);
}
