/* src/web/web_int.h: what the files of this folder share; nobody else includes it.
 *
 * A request is copied out of libmicrohttpd before a worker sees it, so handlers know nothing of
 * sockets and can be driven by tests and the fuzzer. A handler writes its answer into r->out
 * through the helpers and sets r->status; it may block only as its lane says. Everything in r lives
 * in r->arena. */
#ifndef SPD_WEB_WEB_INT_H
#define SPD_WEB_WEB_INT_H

#include <jansson.h>
#include <microhttpd.h>
#include <pthread.h>

#include "web/multipart.h"
#include "web/web.h"

#define SPD_WEB_BODY_MAX (1u << 20)     /* JSON */
#define SPD_WEB_INSTANCE_MAX (4u << 20) /* DICOM, HL7 */
#define SPD_WEB_STOW_MAX (256u << 20)    /* on the wire */
#define SPD_WEB_STOW_KEPT (16u << 20)   /* headers and reports of one request */
#define SPD_WEB_BODIES_MAX (64u << 20)  /* all that is being received over TCP, together */
#define SPD_WEB_CONNECTIONS 256
#define SPD_WEB_PER_ADDRESS 16 /* not for loopback: everybody behind the proxy comes from there */
#define SPD_WEB_STREAMS 128

enum { /* roles of design §2 as bits */
       SPD_ROLE_READER = 1,
       SPD_ROLE_REPORTER = 2,
       SPD_ROLE_CLINICIAN = 4,
       SPD_ROLE_MANAGER = 8,
       SPD_ROLE_ADMIN = 16,
       SPD_ROLE_HOOK = 32,
       SPD_ROLE_ANY = 63, /* whoever is known */
       SPD_ROLE_PEOPLE = 31,
       SPD_ROLE_PUBLIC = 64 /* nobody need be known */
};
unsigned spd_web_roles(spd_sv comma_list); /* unknown words are ignored */
const char *spd_web_role_name(unsigned bit);

/* Logins have a lane of their own: anybody may ask for one, and each takes most of a second. */
enum spd_web_lane { SPD_LANE_READ, SPD_LANE_WRITE, SPD_LANE_SLOW, SPD_LANE_LOGIN, SPD_LANE_N };
enum spd_web_body { SPD_BODY_NONE, SPD_BODY_JSON, SPD_BODY_DICOM, SPD_BODY_FORM, SPD_BODY_HL7, SPD_BODY_DICOM_JSON, SPD_BODY_MULTIPART };

struct spd_web_req;
struct spd_web_route {         /* the one table of what there is: route.c */
    const char *method, *path; /* {id} a number, {token} base64url, others any segment */
    unsigned roles;
    enum spd_web_lane lane;
    enum spd_web_body body;
    void (*handle)(struct spd_web_req *r);
    const char *doc;
};
extern const struct spd_web_route spd_web_routes[];
extern const size_t spd_web_n_routes;

struct spd_web_pair {
    spd_sv key, value;
};
struct spd_web_args {
    struct spd_web_pair *v;
    size_t n;
};

enum spd_web_by { SPD_BY_NOBODY, SPD_BY_COOKIE, SPD_BY_TOKEN, SPD_BY_SOCKET };
struct spd_web_who {
    enum spd_web_by by;
    spd_sv name;
    unsigned roles;
    spd_sv csrf, session; /* cookie only: the token to be shown again, and the session's own id */
};

enum spd_web_conn_state {
    SPD_CONN_NEW,
    SPD_CONN_IDLE,
    SPD_CONN_READING,
    SPD_CONN_WORKING,
    SPD_CONN_STREAM
};
struct spd_web_conn { /* one client connection, from accept to close; under web->conns_lock */
    struct spd_web_conn *prev, *next;
    struct spd_web *web;
    int fd;
    bool local_socket, loopback;
    uid_t uid;
    const struct spd_web_listen *listen;
    char address[64];
    enum spd_web_conn_state state;
    spd_usec since; /* monotonic */
};

struct spd_web_req {
    struct spd_web *web;
    struct spd_arena *arena;
    spd_sv method, path;
    struct spd_web_args args, headers;
    struct spd_str body;
    struct spd_multipart *parts; /* SPD_BODY_MULTIPART: what goes into body passes through it */
    size_t received;             /* by then */
    bool too_big, no_room, wrong_type;
    size_t discarded, counted; /* counted: in web->bodies */
    spd_sv address;
    bool local_socket, loopback;
    uid_t uid;
    const struct spd_web_listen *listen;

    const struct spd_web_route *route; /* NULL: none */
    int64_t id;                        /* {id} */
    spd_sv name;                       /* {token}, {name} */
    struct spd_web_who who;
    bool who_unknown;                  /* the accounts could not be read */
    bool dutch;
    struct spd_query **db; /* the worker's handle; by spd_web_db */

    int status; /* 0: not answered yet */
    const char *type;
    struct spd_str out;
    struct spd_web_pair reply_headers[8];
    size_t n_reply_headers;
    const struct spd_web_asset *asset; /* instead of out */
    bool cacheable;                    /* an asset: not no-store */
    bool stream;
    bool socket; /* 101: it becomes a WebSocket */
    int64_t stream_after; /* -1: from now, with a reset */
    int64_t wait_revision;
    spd_usec wait_until; /* monotonic; 0 = not waiting */
    bool waited;

    struct MHD_Connection *connection;
    struct spd_web_conn *conn;
    bool dispatched;
    struct spd_web_req *next;
};

struct spd_web_session;
struct spd_web_auth;    /* auth.c */
struct spd_web_streams; /* stream.c */
struct spd_web_sockets; /* socket.c */
struct spd_web_lane_queue {
    struct spd_web *web;
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct spd_web_req *first, **last;
    bool stop;
    pthread_t threads[16];
    size_t n_threads;
};
#define SPD_WEB_CODES 32
struct spd_web {
    struct spd_arena *arena;
    struct spd_web_host host;
    bool https;
    spd_sv origin; /* of public_url: scheme://host[:port]; "" = that of the request's Host */
    struct MHD_Daemon **daemons;
    int *ports;
    size_t n_daemons;
    struct spd_web_lane_queue lanes[SPD_LANE_N];
    pthread_mutex_t conns_lock;
    struct spd_web_conn *conns; /* newest first */
    size_t n_conns;
    bool store_gone; /* atomic: said in the log */
    size_t bodies;   /* atomic: bytes of bodies that came over TCP and are still here */
    struct spd_web_auth *auth;
    struct spd_web_streams *streams;
    struct spd_web_sockets *sockets;
    uint64_t (*counts)[SPD_WEB_CODES]; /* [route or n_routes][code]; atomic */
    char (*tags)[24];                  /* strong ETag of each asset, by place in spd_web_assets */
};

/* server.c */
bool spd_web_enqueue(struct spd_web_req *r); /* false: stopping */
void spd_web_finish(struct spd_web_req *r);  /* answered: wake its connection */

/* route.c */
struct spd_web_req *spd_web_req_new(struct spd_web *w, spd_sv method, spd_sv path);
void spd_web_req_free(struct spd_web_req *r);
/* Before the body is read: finds the route, judges headers. True: go on; false: answered. */
bool spd_web_precheck(struct spd_web_req *r);
/* In the worker. False: it waits for a revision and will be enqueued again. */
bool spd_web_dispatch(struct spd_web_req *r);
spd_sv spd_web_arg(const struct spd_web_req *r, const char *name); /* "" when absent */
spd_sv spd_web_header(const struct spd_web_req *r, const char *name);
void spd_web_set(struct spd_web_req *r, const char *header, spd_sv value);
void spd_web_count(struct spd_web *w, const struct spd_web_req *r);
int spd_web_code_at(size_t i); /* the status codes that are counted; 0 = other */
spd_usec spd_web_now(const struct spd_web *w);
void spd_web_observe(struct spd_web_req *r); /* the member "observe": names for the banner */
/* The worker's store handle; NULL: answered 503. */
struct spd_query *spd_web_db(struct spd_web_req *r);
/* An unexpected answer of the store: 404 for NOTFOUND, else 503. The handle is opened anew next
 * time. */
void spd_web_store_failed(struct spd_web_req *r, enum spd_rc rc);

/* problem.c: errors as RFC 9457 */
/* detail "" = the code's own sentence. */
void spd_web_problem(struct spd_web_req *r, int status, const char *code, spd_sv detail);
void spd_web_bad_value(struct spd_web_req *r, const char *field);
/* Of a refused or failed event. True: rc is OK, go on. */
struct spd_web_done { /* what a receipt said; texts by value: filled in the writer thread */
    enum spd_rc rc;
    int64_t id, revision;
    char reason[64], text[400], holder[128];
    bool dutch;
};
bool spd_web_committed(struct spd_web_req *r, enum spd_rc rc, const struct spd_web_done *done);

/* body.c: JSON in */
/* NULL: answered 400. An empty body is {}. Owned: json_decref. */
json_t *spd_web_body(struct spd_web_req *r);
enum spd_rc spd_web_json_read(spd_sv text, json_t **ret, struct spd_err *err);
/* False: answered 422, the field is missing (when required) or no text or longer than max. In
 * arena. */
bool spd_web_text(struct spd_web_req *r, const json_t *o, const char *field, bool required,
                  size_t max, spd_sv *ret);
/* False and 422 when the object has another member than these (NULL-ended). */
bool spd_web_only(struct spd_web_req *r, const json_t *o, const char *const *fields);
/* value of a field of application/x-www-form-urlencoded; "" when absent. In arena. */
spd_sv spd_web_form(struct spd_arena *arena, spd_sv body, const char *field);
bool spd_web_cx(struct spd_web_req *r, const json_t *v, spd_sv default_authority,
                struct spd_cx *ret);

/* auth.c */
struct spd_web_auth *spd_web_auth_new(void);
void spd_web_auth_free(struct spd_web_auth *a);
void spd_web_identify(struct spd_web_req *r); /* fills r->who; never answers */
bool spd_web_same_origin(const struct spd_web_req *r);
bool spd_web_session_alive(struct spd_web *w, spd_sv session); /* without renewing it */
void spd_web_session_post(struct spd_web_req *r);
void spd_web_session_get(struct spd_web_req *r);
void spd_web_session_delete(struct spd_web_req *r);
spd_sv spd_web_cookie_name(const struct spd_web *w);

/* json.c: JSON out. A separator is written where the text so far asks for one. */
void spd_j_sep(struct spd_str *s);
void spd_j_open(struct spd_str *s, const char *key, char bracket); /* key NULL: an element */
void spd_j_close(struct spd_str *s, char bracket);
void spd_j_text(struct spd_str *s, const char *key, spd_sv v);
void spd_j_text_or_null(struct spd_str *s, const char *key, spd_sv v); /* "" = null */
void spd_j_z(struct spd_str *s, const char *key, const char *z);       /* "" = null */
void spd_j_int(struct spd_str *s, const char *key, int64_t v);
void spd_j_id(struct spd_str *s, const char *key, int64_t v); /* 0 = null */
void spd_j_bool(struct spd_str *s, const char *key, bool v);
void spd_j_null(struct spd_str *s, const char *key);
void spd_j_micro(struct spd_str *s, const char *key, int64_t millionths); /* < 0 = null */
void spd_j_time(struct spd_str *s, const char *key, const struct spd_zone *zone,
                spd_usec t); /* 0 = null */
void spd_j_texts(struct spd_str *s, const char *key, const spd_sv *v, size_t n);
/* The answer as a whole: {revision, now, ... }; the caller closes with '}'. */
void spd_web_list_open(struct spd_web_req *r, int64_t revision, spd_usec now);
void spd_web_revision_open(struct spd_web_req *r); /* message.c: the same, at the published revision */
void spd_web_json_done(struct spd_web_req *r, int status);
void spd_web_done_json(struct spd_web_req *r,
                       const struct spd_web_done *done); /* {revision, id?, reason?} */

/* view.c: the model as the API shows it */
struct spd_web_eye { /* for whom */
    const struct spd_web *web;
    bool dutch, shadow; /* shadow: may see models that are not live */
};
struct spd_web_eye spd_web_eye(const struct spd_web_req *r);
void spd_web_patient(struct spd_str *s, const char *key, const struct spd_patient *p);
void spd_web_cx_json(struct spd_str *s, const char *key, const struct spd_cx *cx,
                     const char *second);
void spd_web_findings(struct spd_str *s, const char *key, const struct spd_finding *f, size_t n);
void spd_web_reasons(struct spd_web_eye eye, struct spd_str *s, const struct spd_reason *v,
                     size_t n);
/* The members of an item, without braces. rank 0 = null. */
void spd_web_item(struct spd_web_eye eye, struct spd_str *s, const struct spd_view *v, size_t rank);
void spd_web_level(const struct spd_web *w, int level, char ret[32]);
/* From the store what the board no longer has. In arena. */
enum spd_rc spd_web_view(struct spd_web_req *r, struct spd_query *q, int64_t item,
                         struct spd_view *ret, struct spd_err *err);
bool spd_web_link_ok(spd_sv link); /* not a scheme that runs script */

/* alert.c */
void spd_web_alert(struct spd_web_eye eye, struct spd_str *s, struct spd_query *q,
                   const struct spd_alert *a, struct spd_arena *arena);

/* act.c */
/* Gives an event to the writer and answers; false: answered with an error. */
bool spd_web_submit(struct spd_web_req *r, const struct spd_event *event, struct spd_web_done *ret);
void spd_web_action(struct spd_web_req *r, struct spd_action_event *a); /* fills by and roles */

/* stream.c */
struct spd_web_streams *spd_web_streams_start(struct spd_web *w, struct spd_err *err);
void spd_web_streams_stop(struct spd_web_streams *s);
void spd_web_streams_free(struct spd_web_streams *s);
struct MHD_Response *spd_web_stream_response(struct spd_web_req *r);
bool spd_web_wait(struct spd_web_req *r); /* parks it; false: stopping */

/* socket.c */
struct spd_web_sockets *spd_web_sockets_start(struct spd_web *w, struct spd_err *err);
void spd_web_sockets_stop(struct spd_web_sockets *s);
void spd_web_sockets_free(struct spd_web_sockets *s);
struct MHD_Response *spd_web_socket_response(struct spd_web_req *r);

/* asset.c */
struct spd_web_asset {
    const char *name;
    const unsigned char *data;
    const unsigned char *end;
};
extern const struct spd_web_asset spd_web_assets[]; /* generated; name NULL ends */
void spd_web_assets_open(struct spd_web *w);
void spd_web_send_asset(struct spd_web_req *r, spd_sv name);

/* Handlers, by file. */
void spd_web_h_worklist(struct spd_web_req *r); /* list.c */
void spd_web_h_item(struct spd_web_req *r);     /* item.c */
void spd_web_h_timeline(struct spd_web_req *r);
void spd_web_h_item_act(struct spd_web_req *r); /* act.c: the verb is the path's last word */
void spd_web_h_parked(struct spd_web_req *r);   /* parked.c */
void spd_web_h_parked_act(struct spd_web_req *r);
void spd_web_h_merges(struct spd_web_req *r); /* merge.c */
void spd_web_h_merge_undo(struct spd_web_req *r);
void spd_web_h_draft(struct spd_web_req *r); /* draft.c */
void spd_web_h_draft_act(struct spd_web_req *r);
void spd_web_h_alerts(struct spd_web_req *r); /* alert.c */
void spd_web_h_alert(struct spd_web_req *r);
void spd_web_h_alert_act(struct spd_web_req *r);
void spd_web_h_instances(struct spd_web_req *r); /* hook.c */
void spd_web_h_import(struct spd_web_req *r);
void spd_web_h_reconcile(struct spd_web_req *r);
void spd_web_h_hl7(struct spd_web_req *r);
void spd_web_h_events(struct spd_web_req *r);
void spd_web_h_find(struct spd_web_req *r);
void spd_web_h_position(struct spd_web_req *r);
void spd_web_h_models(struct spd_web_req *r); /* admin.c */
void spd_web_h_model_mode(struct spd_web_req *r);
void spd_web_h_policy(struct spd_web_req *r);
void spd_web_h_discrepancies(struct spd_web_req *r);
void spd_web_h_alarms(struct spd_web_req *r);
void spd_web_h_users(struct spd_web_req *r);
void spd_web_h_user_post(struct spd_web_req *r);
void spd_web_h_messages(struct spd_web_req *r); /* message.c */
void spd_web_h_message(struct spd_web_req *r);
void spd_web_h_resend(struct spd_web_req *r);
void spd_web_h_queue(struct spd_web_req *r); /* queue.c */
void spd_web_h_queue_row(struct spd_web_req *r);
void spd_web_h_retry(struct spd_web_req *r);
void spd_web_h_queue_discard(struct spd_web_req *r);
void spd_web_h_destinations(struct spd_web_req *r);
void spd_web_h_pause(struct spd_web_req *r);
void spd_web_h_healthz(struct spd_web_req *r); /* health.c */
void spd_web_h_readyz(struct spd_web_req *r);
void spd_web_h_metrics(struct spd_web_req *r);
void spd_web_h_stream(struct spd_web_req *r);    /* stream.c */
void spd_web_h_socket(struct spd_web_req *r);    /* socket.c */
void spd_web_h_ups_search(struct spd_web_req *r); /* ups.c */
void spd_web_h_stow(struct spd_web_req *r);
void spd_web_h_ups_create(struct spd_web_req *r);
void spd_web_h_ups_retrieve(struct spd_web_req *r);
void spd_web_h_ups_update(struct spd_web_req *r);
void spd_web_h_ups_state(struct spd_web_req *r);
void spd_web_h_ups_cancel(struct spd_web_req *r);
void spd_web_h_ups_subscribe(struct spd_web_req *r);
void spd_web_h_page_link(struct spd_web_req *r); /* page.c */
void spd_web_h_page_ack(struct spd_web_req *r);
void spd_web_h_root(struct spd_web_req *r); /* asset.c */
void spd_web_h_page(struct spd_web_req *r);
void spd_web_h_asset(struct spd_web_req *r);
void spd_web_h_openapi(struct spd_web_req *r);

/* Paging of lists that come newest first: ?limit= and ?after=. False: answered. */
bool spd_web_page(struct spd_web_req *r, size_t usual, struct spd_query_page *ret);
#endif
