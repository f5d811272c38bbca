/* src/web/route.c: the one table of what there is, and the order in which a request is judged:
 * line and headers (before its body is read), who asks, whether the role allows it, whether a state
 * change really comes from our own page; then the handler. openapi.json describes the same table; a
 * test compares. */
#include "web/web_int.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/log.h"

/* clang-format off */
#define READER (SPD_ROLE_READER | SPD_ROLE_REPORTER)
#define PAGED (READER | SPD_ROLE_CLINICIAN | SPD_ROLE_ADMIN) /* whoever may be paged, or answers for it */
#define IT (SPD_ROLE_MANAGER | SPD_ROLE_ADMIN)
#define A SPD_ROLE_ANY
#define PEOPLE SPD_ROLE_PEOPLE
#define PUBLIC SPD_ROLE_PUBLIC
#define GET(path, roles, h, doc) {"GET", path, roles, SPD_LANE_READ, SPD_BODY_NONE, h, doc},
#define POST(path, roles, h, doc) {"POST", path, roles, SPD_LANE_WRITE, SPD_BODY_JSON, h, doc},
#define UPS(method, path, roles, h, doc) {method, path, roles, SPD_LANE_WRITE, SPD_BODY_DICOM_JSON, h, doc},

/* Roles: a reporter may all that a reader may; admin all but reading acts (design §2). */
const struct spd_web_route spd_web_routes[] = {
    GET("/healthz", PUBLIC, spd_web_h_healthz, "liveness")
    GET("/-/healthy", PUBLIC, spd_web_h_healthz, "liveness")
    GET("/readyz", PUBLIC, spd_web_h_readyz, "readiness with reasons")
    GET("/-/ready", PUBLIC, spd_web_h_readyz, "readiness with reasons")
    GET("/metrics", PUBLIC, spd_web_h_metrics, "Prometheus text, no patient data")
    GET("/api/v1/openapi.json", PUBLIC, spd_web_h_openapi, "this API, described")
    {"POST", "/api/v1/session", PUBLIC, SPD_LANE_LOGIN, SPD_BODY_JSON, spd_web_session_post, "log in"},
    GET("/api/v1/session", A, spd_web_session_get, "who am I")
    {"DELETE", "/api/v1/session", A, SPD_LANE_READ, SPD_BODY_NONE, spd_web_session_delete, "log out"},
    GET("/api/v1/worklist", A, spd_web_h_worklist, "the reporting worklist in rank order")
    GET("/api/v1/items/{id}", PEOPLE, spd_web_h_item, "everything known of an item")
    GET("/api/v1/items/{id}/timeline", PEOPLE, spd_web_h_timeline, "what happened to it, in order")
    POST("/api/v1/items/{id}/claim", READER, spd_web_h_item_act, "take it for reading")
    POST("/api/v1/items/{id}/release", READER, spd_web_h_item_act, "give it back")
    POST("/api/v1/items/{id}/opened", READER, spd_web_h_item_act, "its images were opened")
    POST("/api/v1/items/{id}/priority", READER, spd_web_h_item_act, "set its level, with a reason")
    POST("/api/v1/items/{id}/verdict", READER, spd_web_h_item_act, "agree or disagree with AI")
    POST("/api/v1/items/{id}/reopen", READER, spd_web_h_item_act, "put it back on the list")
    POST("/api/v1/items/{id}/confirm-cancel", READER, spd_web_h_item_act, "confirm a cancellation with images")
    POST("/api/v1/items/{id}/confirm_cancel", READER, spd_web_h_item_act, "the same, as other names here are written")
    POST("/api/v1/items/{id}/confirm_patient", READER, spd_web_h_item_act, "its order names the right patient")
    GET("/api/v1/items/{id}/draft", READER | IT, spd_web_h_draft, "the draft report")
    POST("/api/v1/items/{id}/draft/accept", SPD_ROLE_REPORTER, spd_web_h_draft_act, "accept it (If-Match)")
    POST("/api/v1/items/{id}/draft/reject", SPD_ROLE_REPORTER, spd_web_h_draft_act, "reject it")
    POST("/api/v1/items/{id}/draft/undo", SPD_ROLE_REPORTER, spd_web_h_draft_act, "undo an acceptance")
    GET("/api/v1/parked", READER | IT, spd_web_h_parked, "what fits nobody")
    POST("/api/v1/parked/{id}/assign", READER | SPD_ROLE_ADMIN, spd_web_h_parked_act, "give it to an item")
    POST("/api/v1/parked/{id}/discard", READER | SPD_ROLE_ADMIN, spd_web_h_parked_act, "put it away")
    GET("/api/v1/merges", READER | IT, spd_web_h_merges, "patient numbers that became another, newest first")
    POST("/api/v1/merges/{id}/undo", READER, spd_web_h_merge_undo, "two patients after all")
    GET("/api/v1/alerts", PEOPLE, spd_web_h_alerts, "alerts, newest first")
    GET("/api/v1/alerts/{id}", PEOPLE, spd_web_h_alert, "one alert")
    POST("/api/v1/alerts/{id}/acknowledge", PAGED, spd_web_h_alert_act, "I have it")
    POST("/api/v1/alerts/{id}/decline", PAGED, spd_web_h_alert_act, "not me: the next one")
    POST("/api/v1/alerts/{id}/handover", PAGED, spd_web_h_alert_act, "hand it over")
    POST("/api/v1/alerts/{id}/resolve", PAGED, spd_web_h_alert_act, "it is dealt with")
    {"POST", "/api/v1/instances", SPD_ROLE_HOOK | SPD_ROLE_ADMIN, SPD_LANE_SLOW, SPD_BODY_DICOM, spd_web_h_instances,
     "hand in a DICOM object"},
    {"POST", "/api/v1/messages/hl7", SPD_ROLE_HOOK | SPD_ROLE_ADMIN, SPD_LANE_SLOW, SPD_BODY_HL7, spd_web_h_hl7,
     "hand in an HL7 v2 message"},
    POST("/api/v1/events", SPD_ROLE_HOOK | SPD_ROLE_ADMIN, spd_web_h_events, "images have arrived")
    GET("/api/v1/events/position", SPD_ROLE_HOOK | SPD_ROLE_ADMIN, spd_web_h_position, "where a hook left off")
    {"POST", "/api/v1/find", SPD_ROLE_HOOK | SPD_ROLE_ADMIN, SPD_LANE_SLOW, SPD_BODY_JSON, spd_web_h_find,
     "C-FIND on behalf of a hook"},
    GET("/api/v1/stream", A, spd_web_h_stream, "server-sent events")
    GET("/api/v1/models", PEOPLE, spd_web_h_models, "models and their versions")
    GET("/api/v1/models/{name}", PEOPLE, spd_web_h_models, "one model")
    POST("/api/v1/models/{name}/mode", SPD_ROLE_MANAGER, spd_web_h_model_mode, "set the mode of a version")
    GET("/api/v1/policy", PEOPLE, spd_web_h_policy, "the active rules as sentences")
    GET("/api/v1/discrepancies", READER | IT, spd_web_h_discrepancies, "final report and AI disagree")
    GET("/api/v1/alarms", PEOPLE, spd_web_h_alarms, "open technical alarms")
    GET("/api/v1/messages", IT, spd_web_h_messages, "messages in and out")
    GET("/api/v1/messages/{id}", IT, spd_web_h_message, "one message, masked unless ?raw=1")
    POST("/api/v1/messages/{id}/resend", SPD_ROLE_ADMIN, spd_web_h_resend, "send it again, or process it again")
    GET("/api/v1/queue", IT, spd_web_h_queue, "what has to leave the house")
    GET("/api/v1/queue/{id}", IT, spd_web_h_queue_row, "one row of it")
    POST("/api/v1/queue/{id}/retry", SPD_ROLE_ADMIN, spd_web_h_retry, "try a dead letter again")
    POST("/api/v1/queue/{id}/discard", SPD_ROLE_ADMIN, spd_web_h_queue_discard, "put a row away, with a reason")
    GET("/api/v1/destinations", IT, spd_web_h_destinations, "where things go, and what waits for each")
    POST("/api/v1/destinations/{name}/pause", SPD_ROLE_ADMIN, spd_web_h_pause, "let its rows wait")
    POST("/api/v1/destinations/{name}/resume", SPD_ROLE_ADMIN, spd_web_h_pause, "send them again")
    {"POST", "/api/v1/import", SPD_ROLE_HOOK | SPD_ROLE_ADMIN, SPD_LANE_SLOW, SPD_BODY_JSON, spd_web_h_import,
     "open orders from a list, without any effect outward"},
    POST("/api/v1/reconcile", SPD_ROLE_HOOK | SPD_ROLE_ADMIN, spd_web_h_reconcile, "what a comparison with a RIS's list found")
    GET("/api/v1/users", SPD_ROLE_ADMIN, spd_web_h_users, "accounts")
    {"POST", "/api/v1/users", SPD_ROLE_ADMIN, SPD_LANE_SLOW, SPD_BODY_JSON, spd_web_h_user_post, "add or change one"},
    {"POST", "/dicom-web/studies", SPD_ROLE_HOOK | SPD_ROLE_ADMIN, SPD_LANE_SLOW, SPD_BODY_MULTIPART, spd_web_h_stow,
     "hand in DICOM objects (STOW-RS)"},
    {"POST", "/dicom-web/studies/{uid}", SPD_ROLE_HOOK | SPD_ROLE_ADMIN, SPD_LANE_SLOW, SPD_BODY_MULTIPART, spd_web_h_stow,
     "the same, of one study"},
    {"POST", "/dicom-web/workitems", READER | SPD_ROLE_ADMIN, SPD_LANE_WRITE, SPD_BODY_DICOM_JSON, spd_web_h_ups_create,
     "create a workitem (UPS-RS)"},
    {"GET", "/dicom-web/workitems", A, SPD_LANE_SLOW, SPD_BODY_NONE, spd_web_h_ups_search, "search workitems"},
    {"GET", "/dicom-web/workitems/{uid}", A, SPD_LANE_SLOW, SPD_BODY_NONE, spd_web_h_ups_retrieve, "one workitem"},
    UPS("POST", "/dicom-web/workitems/{uid}", READER, spd_web_h_ups_update, "update a workitem")
    UPS("PUT", "/dicom-web/workitems/{uid}/state", READER, spd_web_h_ups_state, "claim, complete or give back a workitem")
    UPS("PUT", "/dicom-web/workitems/{uid}/state/{requester}", READER, spd_web_h_ups_state, "the same, with the requester")
    UPS("POST", "/dicom-web/workitems/{uid}/cancelrequest", READER | SPD_ROLE_ADMIN, spd_web_h_ups_cancel, "ask to cancel a workitem")
    UPS("POST", "/dicom-web/workitems/{uid}/cancelrequest/{requester}", READER | SPD_ROLE_ADMIN, spd_web_h_ups_cancel,
        "the same, with the requester")
    UPS("POST", "/dicom-web/workitems/{uid}/subscribers/{aet}", PEOPLE, spd_web_h_ups_subscribe, "subscribe to events")
    {"DELETE", "/dicom-web/workitems/{uid}/subscribers/{aet}", PEOPLE, SPD_LANE_WRITE, SPD_BODY_NONE, spd_web_h_ups_subscribe,
     "unsubscribe"},
    UPS("POST", "/dicom-web/workitems/{uid}/subscribers/{aet}/suspend", PEOPLE, spd_web_h_ups_subscribe,
        "do not subscribe to new workitems any more")
    GET("/dicom-web/subscribers/{aet}", A, spd_web_h_socket, "WebSocket of a subscriber's events")
    GET("/dicom-web/ws/subscribers/{aet}", A, spd_web_h_socket, "the same, where others have it")
    GET("/a/{token}", PUBLIC, spd_web_h_page_link, "the link of a page: shows, never acknowledges")
    {"POST", "/a/{token}", PUBLIC, SPD_LANE_WRITE, SPD_BODY_FORM, spd_web_h_page_ack, "acknowledges"},
    GET("/", PUBLIC, spd_web_h_root, "to the worklist")
    GET("/worklist", PUBLIC, spd_web_h_page, "page")
    GET("/alerts", PUBLIC, spd_web_h_page, "page")
    GET("/models", PUBLIC, spd_web_h_page, "page")
    GET("/admin", PUBLIC, spd_web_h_page, "page")
    GET("/login", PUBLIC, spd_web_h_page, "page")
    GET("/favicon.ico", PUBLIC, spd_web_h_asset, "page")
    GET("/assets/{name}", PUBLIC, spd_web_h_asset, "page")
};
/* clang-format on */
const size_t spd_web_n_routes = sizeof spd_web_routes / sizeof *spd_web_routes;

static const int codes[SPD_WEB_CODES] = {101, 200, 201, 202, 204, 302, 303, 304, 400, 401, 403, 404, 405, 409,
                                         412, 413, 415, 422, 428, 429, 431, 500, 503, 507};
int spd_web_code_at(size_t i)
{
    return i < SPD_WEB_CODES ? codes[i] : 0;
}

void spd_web_count(struct spd_web *w, const struct spd_web_req *r)
{
    size_t route = r->route ? (size_t)(r->route - spd_web_routes) : spd_web_n_routes, code = 0;
    while (code < SPD_WEB_CODES - 1 && codes[code] != r->status)
        code++;
    __atomic_fetch_add(&w->counts[route][code], 1, __ATOMIC_RELAXED);
}

/* ---- a request ------------------------------------------------------------------------------ */
struct spd_web_req *spd_web_req_new(struct spd_web *w, spd_sv method, spd_sv path)
{
    struct spd_web_req *r = spd_must_malloc(sizeof *r);
    r->web = w;
    r->arena = spd_arena_new(64u << 20);
    if (!r->arena) spd_out_of_memory();
    r->method = spd_arena_dup(r->arena, method);
    r->path = spd_arena_dup(r->arena, path);
    r->out = SPD_STR_INIT(64u << 20);
    r->body = SPD_STR_INIT(SPD_WEB_BODY_MAX);
    r->uid = (uid_t)-1;
    return r;
}

void spd_web_req_free(struct spd_web_req *r)
{
    if (!r) return;
    __atomic_fetch_sub(&r->web->bodies, r->counted, __ATOMIC_RELAXED);
    if (r->parts) spd_multipart_done(r->parts);
    spd_str_done(&r->body);
    spd_str_done(&r->out);
    spd_arena_free(r->arena);
    spd_free(r);
}

spd_sv spd_web_arg(const struct spd_web_req *r, const char *name)
{
    for (size_t i = 0; i < r->args.n; i++)
        if (spd_sv_is(r->args.v[i].key, name)) return r->args.v[i].value;
    return SPD_SV_NONE;
}

spd_sv spd_web_header(const struct spd_web_req *r, const char *name)
{
    for (size_t i = 0; i < r->headers.n; i++)
        if (spd_sv_ieq(r->headers.v[i].key, spd_sv_from(name))) return r->headers.v[i].value;
    return SPD_SV_NONE;
}

void spd_web_set(struct spd_web_req *r, const char *header, spd_sv value)
{
    if (r->n_reply_headers == sizeof r->reply_headers / sizeof *r->reply_headers) return;
    r->reply_headers[r->n_reply_headers].key = spd_sv_from(header);
    r->reply_headers[r->n_reply_headers++].value =
        spd_arena_dup(r->arena, value); /* NUL-terminated */
}

spd_usec spd_web_now(const struct spd_web *w)
{
    return w->host.now ? w->host.now(w->host.self) : spd_clock_now();
}

struct spd_query *spd_web_db(struct spd_web_req *r)
{
    struct spd_err err = {0};
    if (!*r->db && spd_query_open(r->web->host.store_url.ptr, r->db, &err)) {
        if (!__atomic_exchange_n(&r->web->store_gone, true,
                                 __ATOMIC_RELAXED)) /* said once, not per request */
            spd_log(SPD_LOG_WARNING, "the store cannot be opened for reading",
                    SPD_LZ("rc", spd_rc_name(err.rc)));
        *r->db = NULL;
        spd_web_problem(r, 503, "no_store", SPD_SV_NONE);
    } else if (__atomic_load_n(&r->web->store_gone, __ATOMIC_RELAXED)) {
        __atomic_store_n(&r->web->store_gone, false, __ATOMIC_RELAXED);
    }
    return *r->db;
}

void spd_web_store_failed(struct spd_web_req *r, enum spd_rc rc)
{
    if (rc == SPD_NOTFOUND) {
        spd_web_problem(r, 404, "not_found", SPD_SV_NONE);
        return;
    }
    if (rc == SPD_INVALID) {
        spd_web_problem(r, 422, "bad_value", SPD_SV_NONE);
        return;
    }
    spd_log(SPD_LOG_WARNING, "the store cannot be read", SPD_LZ("rc", spd_rc_name(rc)));
    spd_query_close(*r->db);
    *r->db = NULL;
    spd_web_problem(r, 503, "no_store", SPD_SV_NONE);
}

void spd_web_observe(struct spd_web_req *r)
{
    const struct spd_web_host *h = &r->web->host;
    struct spd_str names = SPD_STR_INIT(1u << 16);
    if (!h->observing) {
        spd_j_texts(&r->out, "observe", h->observe, h->n_observe);
        return;
    }
    h->observing(h->self, &names);
    spd_j_open(&r->out, "observe", '[');
    spd_str_add(&r->out, spd_str_sv(&names));
    spd_j_close(&r->out, ']');
    spd_str_done(&names);
}

/* ---- which route ---------------------------------------------------------------------------- */
static bool segment(spd_sv *rest, spd_sv *ret)
{
    size_t n = 0;
    if (!rest->len || rest->ptr[0] != '/') return false;
    while (n + 1 < rest->len && rest->ptr[n + 1] != '/')
        n++;
    *ret = spd_sv_of(rest->ptr + 1, n);
    *rest = spd_sv_of(rest->ptr + n + 1, rest->len - n - 1);
    return true;
}

static bool token_chars(spd_sv v)
{
    for (size_t i = 0; i < v.len; i++) {
        char c = v.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return v.len >= 16 && v.len <= 128;
}

static bool matches(const char *pattern, struct spd_web_req *r)
{
    spd_sv p = spd_sv_from(pattern), path = r->path, a, b;
    int64_t id = 0;
    spd_sv name = SPD_SV_NONE;
    while (p.len && path.len) {
        if (!segment(&p, &a) || !segment(&path, &b)) return false;
        if (spd_sv_is(a, "{id}")) {
            if (b.len > 18 || !spd_sv_to_i64(b, &id) || id < 1) return false;
        } else if (spd_sv_is(a, "{token}")) {
            if (!token_chars(b)) return false;
            name = b;
        } else if (spd_sv_is(a, "{name}") || spd_sv_is(a, "{uid}") || spd_sv_is(a, "{aet}") ||
                   spd_sv_is(a, "{requester}")) {
            if (!b.len || b.len > 128) return false;
            name = b;
        } else if (!spd_sv_eq(a, b)) {
            return false;
        }
    }
    if (p.len || path.len) return false;
    r->id = id, r->name = name;
    return true;
}

static bool find_route(struct spd_web_req *r)
{
    char allow[64] = "";
    spd_sv method = spd_sv_is(r->method, "HEAD") ? SPD_SV("GET") : r->method;
    for (size_t i = 0; i < spd_web_n_routes; i++) {
        const struct spd_web_route *t = &spd_web_routes[i];
        if (!matches(t->path, r)) continue;
        if (spd_sv_is(method, t->method)) {
            r->route = t;
            return true;
        }
        if (!strstr(allow, t->method))
            snprintf(allow + strlen(allow), sizeof allow - strlen(allow), "%s%s",
                     allow[0] ? ", " : "", t->method);
    }
    if (allow[0]) {
        spd_web_set(r, "Allow", spd_sv_from(allow));
        spd_web_problem(r, 405, "method", SPD_SV_NONE);
    } else {
        spd_web_problem(r, 404, "not_found", SPD_SV_NONE);
    }
    return false;
}

/* ---- before the body ------------------------------------------------------------------------ */
/* The language by the first of nl and en with the highest q; else the site's. */
static bool wants_dutch(const struct spd_web_req *r)
{
    spd_sv all = spd_web_header(r, "Accept-Language");
    int64_t best = 0;
    bool dutch = spd_sv_is(r->web->host.site.language, "nl");
    for (size_t at = 0; at < all.len;) {
        size_t end = at, semi;
        int64_t q = 1000000;
        while (end < all.len && all.ptr[end] != ',')
            end++;
        spd_sv one = spd_sv_trim(spd_sv_of(all.ptr + at, end - at)), tag = one;
        at = end + 1;
        if (spd_sv_find(one, SPD_SV(";"), &semi)) {
            spd_sv par = spd_sv_trim(spd_sv_of(one.ptr + semi + 1, one.len - semi - 1));
            tag = spd_sv_trim(spd_sv_of(one.ptr, semi));
            if (spd_sv_starts(par, SPD_SV("q=")) &&
                !spd_sv_to_micro(spd_sv_of(par.ptr + 2, par.len - 2), &q))
                q = 0;
        }
        if (tag.len < 2 || (tag.len > 2 && tag.ptr[2] != '-') || q <= best) continue;
        spd_sv two = spd_sv_of(tag.ptr, 2);
        if (spd_sv_ieq(two, SPD_SV("nl")))
            dutch = true, best = q;
        else if (spd_sv_ieq(two, SPD_SV("en")))
            dutch = false, best = q;
    }
    return dutch;
}

static bool media_is(spd_sv type, const char *want)
{
    size_t semi;
    if (spd_sv_find(type, SPD_SV(";"), &semi)) type.len = semi;
    return spd_sv_ieq(spd_sv_trim(type), spd_sv_from(want));
}

static bool begin_parts(struct spd_web_req *r, spd_sv type)
{
    r->parts = SPD_NEW(r->arena, struct spd_multipart);
    if (!spd_multipart_begin(r->parts, type, &r->body)) return true;
    spd_multipart_done(r->parts);
    r->parts = NULL;
    return false;
}

/* False: answered. What it is of no use to read is thrown away, and said when it is known who asks:
 * a stranger learns nothing but that a login is needed. */
static bool body_fits(struct spd_web_req *r)
{
    spd_sv encoding = spd_web_header(r, "Content-Encoding"),
           type = spd_web_header(r, "Content-Type");
    spd_sv length = spd_web_header(r, "Content-Length"),
           te = spd_web_header(r, "Transfer-Encoding");
    int64_t n = 0;
    bool sends = te.len || (length.len && !spd_sv_is(length, "0"));
    if (te.len && length.len) { /* two ways to say where it ends: request smuggling */
        spd_web_set(r, "Connection", SPD_SV("close"));
        spd_web_problem(r, 400, "bad_request", SPD_SV_NONE);
        return false;
    }
    r->body.max = r->route->body == SPD_BODY_DICOM || r->route->body == SPD_BODY_HL7
                      ? SPD_WEB_INSTANCE_MAX
                  : r->route->body == SPD_BODY_FORM      ? 16384
                  : r->route->body == SPD_BODY_MULTIPART ? SPD_WEB_STOW_KEPT
                                                         : SPD_WEB_BODY_MAX;
    size_t most = r->route->body == SPD_BODY_MULTIPART ? SPD_WEB_STOW_MAX : r->body.max;
    if (length.len && (!spd_sv_to_i64(length, &n) || n < 0)) {
        spd_web_problem(r, 400, "bad_request", SPD_SV_NONE);
    } else if (n > (int64_t)most) {
        spd_web_problem(r, 413, "too_large", SPD_SV_NONE);
    } else if (encoding.len && !spd_sv_ieq(encoding, SPD_SV("identity"))) {
        r->wrong_type = true;
    } else if (sends &&
               ((r->route->body == SPD_BODY_JSON && !media_is(type, "application/json")) ||
                (r->route->body == SPD_BODY_DICOM_JSON &&
                 !media_is(type, "application/dicom+json") &&
                 !media_is(type, "application/json")) ||
                (r->route->body == SPD_BODY_DICOM && !media_is(type, "application/dicom")) ||
                (r->route->body == SPD_BODY_HL7 && !media_is(type, "application/hl7-v2")) ||
                (r->route->body == SPD_BODY_FORM && type.len &&
                 !media_is(type, "application/json") &&
                 !media_is(type, "application/x-www-form-urlencoded")))) {
        r->wrong_type = true;
    } else if (r->route->body == SPD_BODY_MULTIPART && !begin_parts(r, type)) {
        r->wrong_type = true;
    }
    return !r->status;
}

bool spd_web_precheck(struct spd_web_req *r)
{
    size_t bytes = 0;
    r->dutch = wants_dutch(r);
    for (size_t i = 0; i < r->headers.n; i++)
        bytes += r->headers.v[i].key.len + r->headers.v[i].value.len + 4;
    if (bytes > 16384 || r->headers.n > 100 || r->args.n > 50 || r->path.len > 1024) {
        spd_web_problem(r, 431, "too_large", SPD_SV_NONE);
        return false;
    }
    if (!spd_sv_is_utf8(r->path)) {
        spd_web_problem(r, 400, "bad_request", SPD_SV_NONE);
        return false;
    }
    for (size_t i = 0; i < r->args.n; i++) {
        if (spd_sv_is_utf8(r->args.v[i].value)) continue;
        spd_web_problem(r, 400, "bad_request", SPD_SV_NONE);
        return false;
    }
    return find_route(r) && body_fits(r);
}

/* ---- in the worker
 * ------------------------------------------------------------------------------- */
static bool may(struct spd_web_req *r)
{
    const struct spd_web_route *t = r->route;
    bool changes = strcmp(t->method, "GET") != 0;
    if (t->roles & SPD_ROLE_PUBLIC) return true; /* a page link and a login look for themselves */
    if (r->who_unknown) { /* no reason to log in again, and to lose one's place */
        spd_web_problem(r, 503, "no_store", SPD_SV_NONE);
    } else if (r->who.by == SPD_BY_NOBODY) {
        spd_web_problem(r, 401, "login_needed", SPD_SV_NONE);
    } else if (!(r->who.roles & t->roles)) {
        spd_web_problem(r, 403, "forbidden", SPD_SV_NONE);
    } else if (changes && r->who.by == SPD_BY_COOKIE &&
               (!spd_web_same_origin(r) ||
                !spd_same_secret(spd_web_header(r, "X-CSRF-Token"), r->who.csrf))) {
        spd_web_problem(r, 403, "csrf", SPD_SV_NONE);
    } else {
        return true;
    }
    return false;
}

bool spd_web_dispatch(struct spd_web_req *r)
{
    if (!r->waited) {
        spd_web_identify(r);
        if (!may(r)) return true;
        if (r->wrong_type) {
            spd_web_problem(r, 415, "unsupported_type", SPD_SV_NONE);
            return true;
        }
    }
    r->route->handle(r);
    if (!r->status && r->wait_until && !r->waited) {
        r->waited = true;
        if (spd_web_wait(r)) return false; /* from here on it is the stream thread's */
        spd_web_problem(r, 503, "busy", SPD_SV_NONE);
    }
    return true;
}

bool spd_web_page(struct spd_web_req *r, size_t usual, struct spd_query_page *ret)
{
    spd_sv limit = spd_web_arg(r, "limit"), after = spd_web_arg(r, "after");
    int64_t n = (int64_t)usual;
    *ret = (struct spd_query_page){.newest_first = true};
    if (limit.len && (!spd_sv_to_i64(limit, &n) || n < 1)) {
        spd_web_bad_value(r, "limit");
        return false;
    }
    if (after.len && (!spd_sv_to_i64(after, &ret->after) || ret->after < 1)) {
        spd_web_bad_value(r, "after");
        return false;
    }
    ret->limit = n > 1000 ? 1000 : (size_t)n;
    return true;
}
