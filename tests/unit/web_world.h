/* tests/unit/web_world.h: a server on a free loopback port with a host of our own: a SQLite store
 * in a temporary folder, the real writer with an apply that records what it was given, a board with
 * rows made by hand, and a small HTTP client on bare sockets. Included by the test_web_*.c files;
 * all static. */
#ifndef WEB_WORLD_H
#define WEB_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/password.h"
#include "store_folder.h"
#include "web/web_int.h"

#define NASTY "<script>alert(1)</script>\"'&\\ \xc3\xa9"
#define WORLD_START ((spd_usec)1764000000 * 1000000)

struct world {
    struct folder folder;
    struct spd_store *store;
    struct spd_writer *writer;
    struct spd_board *board;
    struct spd_web *web;
    struct spd_arena *arena;
    int port;
    char socket[128];
    pthread_mutex_t lock; /* of what apply records */
    int64_t revision;
    enum spd_event_type last_type;
    struct spd_action_event last; /* texts in last_text */
    char last_by[64], last_roles[128], last_reason[200], last_text[200], last_how[64],
        last_level[64], last_token[200];
    struct spd_study_event last_study;
    char last_peer[64], last_position[64];
    enum spd_rc refuse; /* the next receipt's rc */
    enum spd_rc fail;   /* the next apply's own rc */
    size_t applied, audits;
    enum spd_rc instance_rc;
    int instance_sleep_ms;
    bool healthy;
    int flood; /* notes that the next commit makes besides its own */
    int64_t ups_events, ups_seen; /* so many there are of workitems; position remembered */
};

static spd_sv sv(const char *z)
{
    return spd_sv_from(z);
}

/* ---- the host
 * ---------------------------------------------------------------------------------------- */
static void text_to(char *to, size_t n, spd_sv v)
{
    snprintf(to, n, "%.*s", SPD_SV_ARG(v));
}

static enum spd_rc act(struct world *w, struct spd_store *store, const struct spd_action_event *a,
                       spd_usec now, struct spd_arena *arena, struct spd_receipt *r)
{
    w->last = *a;
    text_to(w->last_by, sizeof w->last_by, a->by);
    text_to(w->last_reason, sizeof w->last_reason, a->reason);
    text_to(w->last_text, sizeof w->last_text, a->text);
    text_to(w->last_how, sizeof w->last_how, a->how);
    text_to(w->last_level, sizeof w->last_level, a->level);
    text_to(w->last_token, sizeof w->last_token, a->token);
    w->last_roles[0] = 0;
    for (size_t i = 0; i < a->roles.n; i++)
        snprintf(w->last_roles + strlen(w->last_roles),
                 sizeof w->last_roles - strlen(w->last_roles), "%.*s,", SPD_SV_ARG(a->roles.v[i]));
    if (a->verb == SPD_ACT_VIEW_RAW) w->audits++;
    if (a->verb == SPD_ACT_DRAFT_ACCEPT && a->version != 3) r->rc = SPD_STALE;
    if (a->verb == SPD_ACT_ACKNOWLEDGE && a->alert) {
        struct spd_alert old, al;
        if (spd_get_alert(store, a->alert, &old, arena, NULL)) {
            r->rc = SPD_NOTFOUND;
        } else {
            al = old;
            al.state = SPD_ALERT_ACKNOWLEDGED, al.ack_by = a->by.len ? a->by : SPD_SV("smit"),
            al.ack_at = now, al.ack_how = a->how;
            if (spd_put_alert(store, &al, &old, NULL)) return SPD_IO;
        }
    }
    return SPD_OK;
}

static enum spd_rc apply(void *self, struct spd_store *store, const struct spd_event *e,
                         struct spd_arena *arena, const struct spd_receipt **ret,
                         struct spd_err *err)
{
    struct world *w = self;
    struct spd_receipt *r = SPD_NEW(arena, struct spd_receipt);
    enum spd_rc rc = SPD_OK;
    (void)err;
    pthread_mutex_lock(&w->lock);
    w->last_type = e->type;
    w->applied++;
    r->revision = ++w->revision;
    r->id = 77;
    r->rc = w->refuse, r->holder = w->refuse == SPD_EXISTS ? sv("bakker") : SPD_SV_NONE;
    r->reason = sv("key"), r->reason_nl = sv("Zo is het."), r->reason_en = sv("That is how it is.");
    w->refuse = SPD_OK;
    if (e->type == SPD_EVENT_ACTION && !r->rc) rc = act(w, store, e->u.action, e->at, arena, r);
    if (e->type == SPD_EVENT_STUDY) {
        w->last_study = *e->u.study;
        text_to(w->last_peer, sizeof w->last_peer, e->u.study->peer);
        text_to(w->last_position, sizeof w->last_position, e->u.study->changes_position);
    }
    if (e->type == SPD_EVENT_USER) {
        struct spd_user u = e->u.user->user, old;
        int64_t id;
        bool known = !spd_store_find_one(store, SPD_KEY_USER_NAME, u.name, &id, NULL) &&
                     !spd_get_user(store, id, &old, arena, NULL);
        if (!known) spd_store_max_id(store, SPD_T_USER, &u.id, NULL), u.id++;
        rc = spd_put_user(store, &u, known ? &old : NULL, NULL);
    }
    if (w->fail) rc = w->fail;
    w->fail = SPD_OK;
    pthread_mutex_unlock(&w->lock);
    *ret = r;
    return rc;
}

static void undo(void *self)
{
    (void)self;
}

static void committed(void *self, struct spd_store *store, spd_usec now)
{
    struct world *w = self;
    (void)store;
    spd_board_note(w->board, "item", 1, w->revision);
    for (; w->flood > 0; w->flood--)
        spd_board_note(w->board, "item", w->flood, w->revision);
    spd_board_publish(w->board, w->revision, now, true);
}

static void lost(void *self, struct spd_store *store)
{
    (void)self, (void)store;
}

static spd_usec world_now(void *self)
{
    (void)self;
    return WORLD_START + SPD_HOUR(1);
}

static enum spd_rc no_timer(void *self, struct spd_store *store, spd_usec *due, int64_t *id)
{
    (void)self, (void)store, (void)id;
    *due = 0;
    return SPD_OK;
}

static void instance(void *self, spd_sv bytes, const struct spd_web_from *from,
                     struct spd_web_instance *ret)
{
    struct world *w = self;
    pthread_mutex_lock(&w->lock);
    ret->rc = w->instance_rc;
    int ms = w->instance_sleep_ms;
    pthread_mutex_unlock(&w->lock);
    if (ms) usleep((useconds_t)ms * 1000);
    ret->outcome = SPD_TAKEN_RESULT;
    ret->id = (int64_t)bytes.len;
    ret->revision = 5;
    snprintf(ret->reason, sizeof ret->reason, "by %.*s for %.*s", SPD_SV_ARG(from->user),
             SPD_SV_ARG(from->ae_title));
}

static void message(void *self, spd_sv bytes, const struct spd_web_from *from, struct spd_str *ack,
                    struct spd_str *response, struct spd_web_message *ret)
{
    struct world *w = self;
    (void)response;
    pthread_mutex_lock(&w->lock);
    ret->rc = w->instance_rc;
    pthread_mutex_unlock(&w->lock);
    snprintf(ret->answer, sizeof ret->answer, "AR");
    snprintf(ret->reason, sizeof ret->reason, "by %.*s", SPD_SV_ARG(from->user));
    ret->revision = (int64_t)bytes.len;
    if (!spd_sv_find(bytes, SPD_SV("|NE"), NULL)) spd_str_addz(ack, "MSH|^~\\&|Z\xfcrich\rMSA|AR\r");
}

static void again(void *self, int64_t id, spd_sv bytes, spd_sv peer, struct spd_web_message *ret)
{
    (void)self;
    *ret = (struct spd_web_message){.rc = spd_sv_is(peer, "ris") && spd_sv_starts(bytes, SPD_SV("MSH"))
                                              ? SPD_OK
                                              : SPD_NOTFOUND,
                                    .answer = "AA",
                                    .revision = 100 + id};
}

static bool destination(void *self, size_t i, struct spd_web_destination *ret)
{
    (void)self;
    *ret = (struct spd_web_destination){"ris", "hl7", "live", false};
    return i == 0;
}

static enum spd_rc find(void *self, spd_sv json, bool files, const struct spd_web_from *from,
                        struct spd_str *out, int64_t *revision, struct spd_err *err)
{
    (void)self, (void)from, (void)err;
    if (spd_sv_find(json, SPD_SV("bad"), NULL)) return SPD_INVALID;
    spd_str_addz(out, files ? "four" : "[{\"00080050\":{\"vr\":\"SH\",\"Value\":[\"A1\"]}}]");
    *revision = 9;
    return SPD_OK;
}

/* Events 1 to w->ups_events, of 1 kB each. */
static int64_t ups_events(void *self, spd_sv ae, int64_t after, size_t max,
                          bool (*say)(void *ctx, int64_t position, spd_sv json), void *ctx)
{
    struct world *w = self;
    char text[1024];
    (void)ae;
    pthread_mutex_lock(&w->lock);
    int64_t newest = w->ups_events;
    pthread_mutex_unlock(&w->lock);
    if (after < 0) after = 0;
    for (bool more = true; more && max && after < newest; max--) {
        int n = snprintf(text, sizeof text, "{\"event\":%lld,\"%*s\":0}", (long long)after + 1, 900,
                         "");
        more = say(ctx, after + 1, spd_sv_of(text, (size_t)n));
        if (more) after++;
    }
    return after;
}

static void ups_seen(void *self, spd_sv ae, int64_t position)
{
    struct world *w = self;
    (void)ae;
    pthread_mutex_lock(&w->lock);
    w->ups_seen = position;
    pthread_mutex_unlock(&w->lock);
}

static bool health(void *self, bool dutch, struct spd_str *out)
{
    struct world *w = self;
    spd_str_addf(out, "{\"name\":\"policy\",\"ok\":%s,\"text\":\"%s\"}",
                 w->healthy ? "true" : "false", dutch ? "beleid" : "policy");
    return w->healthy;
}

static void metrics(void *self, struct spd_str *out)
{
    (void)self;
    spd_str_addz(out, "# HELP spoed_config_last_reload_successful 1 after a good reload.\n# TYPE "
                      "spoed_config_last_reload_successful "
                      "gauge\nspoed_config_last_reload_successful 1\n");
}

static void models(void *self, bool dutch, struct spd_str *out)
{
    (void)self, (void)dutch;
    spd_str_addz(out,
                 "[{\"id\":\"ich-a\",\"versions\":[{\"version\":\"2.1.0\",\"mode\":\"live\"}]}]");
}

/* ---- what is there
 * ------------------------------------------------------------------------------------- */
static void put_user(struct world *w, int64_t id, const char *role, const char *password)
{
    struct spd_user u = {.id = id, .name = spd_arena_printf(w->arena, "%s1", role)};
    char token[64];
    snprintf(token, sizeof token, "token-%s", role);
    *SPD_LIST_ADD(&u.roles, w->arena) = sv(role);
    *SPD_LIST_ADD(&u.tokens, w->arena) =
        (struct spd_token){.hash = spd_sha256_hex(w->arena, sv(token)), .label = sv("test")};
    assert_int_equal(spd_password_hash(sv(password), 1 << 10, &u.password, w->arena, NULL), SPD_OK);
    assert_int_equal(spd_put_user(w->store, &u, NULL, NULL), SPD_OK);
}

static struct spd_item item_of(struct world *w, int64_t id, int level, const char *modality,
                               bool arrived)
{
    struct spd_item i = {.id = id, .level = level, .base_level = level};
    i.accession = (struct spd_cx){spd_arena_printf(w->arena, "ACC%lld", (long long)id), sv("ZH")};
    i.placer = (struct spd_cx){sv("P1"), sv("RIS")};
    i.patient.name = sv("ZZCANARY^Test " NASTY), i.patient.birth_date = sv("19700102"),
    i.patient.sex = sv("F");
    *SPD_LIST_ADD(&i.patient.ids, w->arena) = (struct spd_cx){sv("PID7"), sv("ZH")};
    *SPD_LIST_ADD(&i.procedures, w->arena) =
        (struct spd_code){sv("CTHERS"), sv(""), sv("CT hersenen")};
    *SPD_LIST_ADD(&i.study_uids, w->arena) = sv("1.2.3");
    *SPD_LIST_ADD(&i.reasons, w->arena) =
        (struct spd_reason){sv("ich"), sv("AI: bloeding"), sv("AI: haemorrhage"), level};
    i.modality = sv(modality), i.body_part = sv("HEAD"), i.location = sv(id % 2 ? "SEH" : "POLI"),
    i.patient_class = sv("E");
    i.order_priority = SPD_PRIORITY_ROUTINE, i.order = SPD_ORDER_ACTIVE,
    i.reading = SPD_READING_UNREAD, i.report = SPD_REPORT_NONE;
    i.images = arrived ? SPD_IMAGES_COMPLETE : SPD_IMAGES_NONE;
    i.arrived = arrived ? WORLD_START + SPD_SEC(id) : 0;
    i.due = arrived ? WORLD_START + SPD_MIN(30) : 0;
    i.revision = 10;
    return i;
}

static void put_row(struct world *w, const struct spd_item *i, const struct spd_draft *draft,
                    const struct spd_alert *alert)
{
    struct spd_view v = {.item = *i,
                         .status = spd_item_status(i),
                         .level_name = sv(i->level == 1 ? "critical" : "routine")};
    struct spd_finding *f = SPD_NEW_N(w->arena, struct spd_finding, 1);
    struct spd_view_ai *ai = SPD_NEW_N(w->arena, struct spd_view_ai, 2);
    *f = (struct spd_finding){.concept = sv("intracranial-hemorrhage"),
                              .present = SPD_PRESENT_YES,
                              .probability = 930000,
                              .site = sv("left")};
    ai[0] = (struct spd_view_ai){.model = sv("ich-a"),
                                 .version = sv("2.1.0"),
                                 .mode = SPD_MODE_LIVE,
                                 .state = SPD_AI_POSITIVE,
                                 .findings = f,
                                 .n_findings = 1,
                                 .link = sv("javascript:alert(1)"),
                                 .required = true};
    ai[1] = (struct spd_view_ai){.model = sv("new-b"),
                                 .version = sv("0.1"),
                                 .mode = SPD_MODE_SHADOW,
                                 .state = SPD_AI_NEGATIVE};
    v.ai = ai, v.n_ai = 2;
    if (draft) v.draft = *draft;
    if (alert) v.alert = *alert;
    spd_board_put(w->board, &v, 10);
}

/* Items: 1 critical listed, 2..6 routine listed, 7 with a draft, 8 ordered, 9 final (store only).
 */
static void fill(struct world *w)
{
    static const char *const roles[] = {"reader",  "reporter", "clinician",
                                        "manager", "admin",    "hook"};
    struct spd_alert alert = {.id = 1,
                              .item = 1,
                              .at = WORLD_START,
                              .concept = sv("intracranial-hemorrhage"),
                              .level = 1,
                              .state = SPD_ALERT_SENT,
                              .text_nl = sv("Bloeding " NASTY),
                              .text_en = sv("Bleeding " NASTY)};
    struct spd_page page = {.id = 1,
                            .page_id = sv("p-1"),
                            .alert = 1,
                            .item = 1,
                            .at = WORLD_START,
                            .person = sv("smit"),
                            .to_team = sv("smit"),
                            .channel = sv("pager"),
                            .outcome = SPD_OUTCOME_OK};
    struct spd_page team = {.id = 2,
                            .page_id = sv("p-2"),
                            .alert = 1,
                            .item = 1,
                            .at = WORLD_START,
                            .person = sv("smit"),
                            .to_team = sv("rads"),
                            .channel = sv("mail")};
    struct spd_parked parked = {.id = 1,
                                .at = WORLD_START,
                                .kind = SPD_PARKED_RESULT,
                                .why = sv("no-study"),
                                .why_nl = sv("geen onderzoek"),
                                .why_en = sv("no study"),
                                .level = 1};
    struct spd_message m = {.id = 1,
                            .at = WORLD_START,
                            .direction = SPD_DIRECTION_IN,
                            .peer = sv("ris"),
                            .type = sv("ORM^O01"),
                            .control_id = sv("C1"),
                            .answer = SPD_ANSWER_AA,
                            .item = 1,
                            .raw = sv("MSH|^~\\&|RIS|ZH\rPID|1||PID7^^^ZH||ZZCANARY^Test\r")};
    struct spd_outbox o = {.id = 1,
                           .at = WORLD_START,
                           .destination = sv("ris"),
                           .kind = SPD_OUTBOX_PRIORITY,
                           .state = SPD_OUTBOX_DEAD,
                           .item = 1,
                           .attempts = 3,
                           .error = sv("AR")};
    struct spd_alarm alarm = {.id = 1,
                              .kind = sv("feed-silent"),
                              .subject = sv("ris"),
                              .nl = sv("stil"),
                              .en = sv("silent"),
                              .since = WORLD_START,
                              .count = 1};
    struct spd_decision d = {.id = 1,
                             .at = WORLD_START,
                             .item = 1,
                             .level = 1,
                             .policy_hash = sv("abc"),
                             .trigger = sv("order")};
    struct spd_draft draft = {.id = 7,
                              .version = 3,
                              .state = SPD_DRAFT_OFFERED,
                              .language = sv("nl"),
                              .text = sv("Geen afwijkingen.")};
    struct spd_setting pos = {.id = 1, .name = sv("changes:orthanc"), .value = sv("42")};
    struct spd_item i;
    spd_sha256_hex(w->arena, SPD_SV("x"));
    page.token_hash = spd_sha256_hex(w->arena, sv("TOKENTOKENTOKENTOKEN1"));
    team.token_hash = spd_sha256_hex(w->arena, sv("TOKENTOKENTOKENTOKEN2"));
    *SPD_LIST_ADD(&m.items, w->arena) = 1;
    *SPD_LIST_ADD(&d.reasons, w->arena) =
        (struct spd_reason){sv("ich"), sv("AI: bloeding"), sv("AI: haemorrhage"), 1};
    assert_int_equal(spd_store_begin(w->store, NULL), SPD_OK);
    for (int k = 0; k < 6; k++)
        put_user(w, k + 1, roles[k], "correct horse");
    for (int64_t id = 1; id <= 9; id++) {
        i = item_of(w, id, id == 1 ? 1 : 4, id == 2 ? "MR" : "CT", id != 8);
        if (id == 9) i.report = SPD_REPORT_FINAL;
        if (id == 2)
            i.no_draft_nl = sv("niet alles is er"), i.no_draft_en = sv("not everything is there");
        assert_int_equal(spd_put_item(w->store, &i, NULL, NULL), SPD_OK);
        if (id != 9) put_row(w, &i, id == 7 ? &draft : NULL, id == 1 ? &alert : NULL);
    }
    assert_int_equal(spd_put_alert(w->store, &alert, NULL, NULL), SPD_OK);
    assert_int_equal(spd_put_page(w->store, &page, NULL, NULL), SPD_OK);
    assert_int_equal(spd_put_page(w->store, &team, NULL, NULL), SPD_OK);
    assert_int_equal(spd_put_parked(w->store, &parked, NULL, NULL), SPD_OK);
    const struct spd_merge merge = {.id = 1, .at = WORLD_START, .kind = sv("A40"),
                                    .from = {sv("ZZ1"), sv("ZH")}, .to = {sv("ZZ2"), sv("ZH")}};
    assert_int_equal(spd_put_merge(w->store, &merge, NULL, NULL), SPD_OK);
    assert_int_equal(spd_put_message(w->store, &m, NULL, NULL), SPD_OK);
    assert_int_equal(spd_put_outbox(w->store, &o, NULL, NULL), SPD_OK);
    assert_int_equal(spd_put_alarm(w->store, &alarm, NULL, NULL), SPD_OK);
    assert_int_equal(spd_put_decision(w->store, &d, NULL, NULL), SPD_OK);
    assert_int_equal(spd_put_draft(w->store, &draft, NULL, NULL), SPD_OK);
    assert_int_equal(spd_put_setting(w->store, &pos, NULL, NULL), SPD_OK);
    assert_int_equal(spd_store_commit(w->store, NULL), SPD_OK);
    w->revision = 10;
    spd_board_publish(w->board, 10, WORLD_START, true);
}

static struct world *world_new(const char *public_url)
{
    static const struct spd_writer_ops ops = {apply,    undo, committed, lost,
                                              no_timer, NULL, world_now};
    struct world *w = spd_must_malloc(sizeof *w);
    struct spd_err err = {0};
    w->folder = folder_make();
    w->arena = spd_arena_new(16u << 20);
    w->healthy = true;
    pthread_mutex_init(&w->lock, NULL);
    assert_int_equal(
        spd_store_open(w->folder.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &w->store, &err), SPD_OK);
    w->board = spd_board_new();
    fill(w);
    assert_int_equal(spd_writer_start(w->store, &ops, w, NULL, &w->writer, &err), SPD_OK);
    snprintf(w->socket, sizeof w->socket, "%s/spoed.sock", w->folder.path);
    struct spd_web_uid uid = {getuid(), sv("orthanc"), sv("hook")};
    struct spd_web_listen listen[2] = {{.address = sv("127.0.0.1")},
                                       {.socket = sv(w->socket), .uids = &uid, .n_uids = 1}};
    spd_sv observe = sv("ris");
    struct spd_web_host host = {.size = sizeof host,
                                .self = w,
                                .board = w->board,
                                .writer = w->writer,
                                .store_url = sv(w->folder.url),
                                .listen = listen,
                                .n_listen = 2,
                                .now = world_now,
                                .instance = instance,
                                .find = find,
                                .health = health,
                                .metrics = metrics,
                                .models_json = models,
                                .observe = &observe,
                                .n_observe = 1,
                                .message = message,
                                .again = again,
                                .destination = destination,
                                .ups_events = ups_events,
                                .ups_seen = ups_seen};
    host.site = (struct spd_web_site){.name = sv("Test"),
                                      .language = sv("nl"),
                                      .public_url = sv(public_url),
                                      .patient_authority = sv("ZH"),
                                      .accession_issuer = sv("ZH"),
                                      .version = sv("0"),
                                      .zone = spd_zone_get("Europe/Amsterdam")};
    assert_int_equal(spd_web_start(&host, &w->web, &err), SPD_OK);
    w->port = spd_web_port(w->web, 0);
    assert_true(w->port > 0);
    return w;
}

static void world_free(struct world *w)
{
    spd_web_stop(w->web);
    spd_writer_stop(w->writer);
    spd_board_free(w->board);
    spd_store_close(w->store);
    spd_arena_free(w->arena);
    pthread_mutex_destroy(&w->lock);
    folder_remove(&w->folder);
    spd_free(w);
}

/* ---- the client
 * ---------------------------------------------------------------------------------------- */
struct answer {
    int status; /* 0: the line was cut */
    char *head, *body;
    size_t body_len;
};

static int dial(struct world *w)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)w->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static __attribute__((unused)) int dial_socket(struct world *w)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(un.sun_path, sizeof un.sun_path, "%.100s", w->socket);
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
    return fd;
}

static void give(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k <= 0) return; /* the server may have answered and closed already */
        p += k, n -= (size_t)k;
    }
}

/* Reads until something is in it, or until the line closes (what == NULL), at most ms. */
static char *take_until(int fd, const char *what, int ms, size_t *ret_n)
{
    size_t n = 0, cap = 65536;
    char *buf = calloc(1, cap + 1);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    spd_usec until = spd_clock_monotonic() + (spd_usec)ms * 1000;
    for (;;) {
        spd_usec left = until - spd_clock_monotonic();
        if (left <= 0 || poll(&p, 1, (int)(left / 1000) + 1) <= 0) break;
        if (cap - n < 32768) buf = realloc(buf, (cap *= 2) + 1);
        ssize_t k = recv(fd, buf + n, cap - n, 0);
        if (k <= 0) break;
        n += (size_t)k;
        buf[n] = 0;
        if (what && strstr(buf, what)) break;
    }
    if (ret_n) *ret_n = n;
    return buf;
}

static struct answer parse_answer(char *text, size_t n)
{
    struct answer a = {.head = text};
    char *end = strstr(text, "\r\n\r\n");
    if (n > 12 && strncmp(text, "HTTP/1.1 ", 9) == 0) a.status = (int)strtol(text + 9, NULL, 10);
    if (end)
        *end = 0, a.body = end + 4, a.body_len = n - (size_t)(a.body - text);
    else
        a.body = text + n;
    return a;
}

static __attribute__((unused)) void answer_free(struct answer *a)
{
    free(a->head);
    *a = (struct answer){0};
}

/* headers: lines ending in \r\n, or "". */
static struct answer ask_on(int fd, const char *method, const char *path, const char *headers,
                            const char *body, size_t len)
{
    char head[4096];
    size_t n;
    int h =
        snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n%s",
                 method, path, headers);
    if (body) h += snprintf(head + h, sizeof head - (size_t)h, "Content-Length: %zu\r\n", len);
    h += snprintf(head + h, sizeof head - (size_t)h, "\r\n");
    give(fd, head, (size_t)h);
    if (body) give(fd, body, len);
    char *text = take_until(fd, NULL, 20000, &n);
    close(fd);
    return parse_answer(text, n);
}

static __attribute__((unused)) struct answer ask(struct world *w, const char *role, const char *method, const char *path,
                         const char *more, const char *body)
{
    char headers[2048];
    snprintf(headers, sizeof headers, "%s%s%s%s%s", role[0] ? "Authorization: Bearer token-" : "",
             role, role[0] ? "\r\n" : "",
             body && body[0] == '{' ? "Content-Type: application/json\r\n" : "", more);
    return ask_on(dial(w), method, path, headers, body, body ? strlen(body) : 0);
}

static __attribute__((unused)) char *header_of(const struct answer *a, const char *name, char *ret,
                                               size_t n)
{
    char want[64];
    snprintf(want, sizeof want, "\r\n%s: ", name);
    const char *at = strcasestr(a->head, want);
    ret[0] = 0;
    if (at) snprintf(ret, n, "%.*s", (int)strcspn(at + strlen(want), "\r\n"), at + strlen(want));
    return ret;
}

static __attribute__((unused)) json_t *json_of(const struct answer *a)
{
    json_error_t e;
    json_t *o = json_loadb(a->body, a->body_len, JSON_REJECT_DUPLICATES, &e);
    if (!o) print_message("not JSON (%s): %.300s\n", e.text, a->body);
    assert_non_null(o);
    return o;
}
#endif
