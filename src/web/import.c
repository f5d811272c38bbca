/* src/web/import.c: open orders from a list, and what a comparison with a RIS's list found (domain
 * §11): what `spoed import` and `spoed reconcile` send while a brain runs.
 *
 * A record is an order or report event as `spoed export journal` shows them. All of a request's
 * records go to the writer together and come back one by one: a bad one fails alone. */
#include "web/web_int.h"

#include <stdio.h>

enum { RECORDS_MAX = 500 };

struct record {
    struct batch *batch;
    const char *failed; /* before it got to the writer; NULL */
    spd_sv place;
    int says;
    int64_t item;
    char reason[200];
};
struct batch { /* completions come in the writer's thread */
    pthread_mutex_t lock;
    pthread_cond_t done;
    size_t waiting;
    int64_t revision;
    bool lost; /* something could not be committed */
    bool dutch;
};

static int says_of(const struct spd_receipt *r)
{
    if (r->says) return r->says;
    if (r->did == SPD_DID_REFUSE) return SPD_IMPORT_REFUSED;
    if (r->did == SPD_DID_DUPLICATE) return SPD_IMPORT_SAME;
    return r->did == SPD_DID_STALE ? SPD_IMPORT_OLDER : SPD_IMPORT_CLOSED;
}

static void completed(void *ctx, enum spd_rc rc, const struct spd_receipt *receipt)
{
    struct record *x = ctx;
    struct batch *b = x->batch;
    pthread_mutex_lock(&b->lock);
    if (rc || !receipt) {
        b->lost |= spd_rc_is_retryable(rc);
        x->says = SPD_IMPORT_REFUSED;
        snprintf(x->reason, sizeof x->reason, "could not be stored (%s)", spd_rc_name(rc));
    } else {
        spd_sv why = b->dutch ? receipt->reason_nl : receipt->reason_en;
        x->says = says_of(receipt);
        x->item = receipt->n_items ? receipt->items[0] : 0;
        if (x->says == SPD_IMPORT_REFUSED)
            snprintf(x->reason, sizeof x->reason, "%.*s", SPD_SV_ARG(why));
        if (receipt->revision > b->revision) b->revision = receipt->revision;
    }
    if (--b->waiting == 0) pthread_cond_signal(&b->done);
    pthread_mutex_unlock(&b->lock);
}

/* The event of a record; NULL: *why says what is wrong. */
static void *read_event(struct spd_web_req *r, const json_t *o, spd_sv peer,
                        enum spd_event_type *ret_type, const char **why)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    const json_t *body = json_object_get(o, "event");
    bool report = type && !strcmp(type, "report");
    const struct spd_desc *d = report ? &spd_report_event_desc : &spd_order_event_desc;
    struct spd_member whole = {"event", SPD_K_STRUCT, 0, d, NULL};
    char *text = json_is_object(body) ? json_dumps(body, JSON_COMPACT) : NULL;
    void *e = spd_arena_must(r->arena, d->size);
    struct spd_err err = {0};
    *why = NULL;
    if (!text || (!report && (!type || strcmp(type, "order"))))
        *why = "type is order or report, and event an object";
    else if (spd_desc_member_from_json(&whole, spd_arena_dup(r->arena, spd_sv_from(text)), e,
                                       r->arena, &err))
        *why = "the event is not readable";
    json_free_t release;
    json_get_alloc_funcs(NULL, &release);
    if (text) release(text);
    if (*why) return NULL;
    *ret_type = report ? SPD_EVENT_REPORT : SPD_EVENT_ORDER;
    struct spd_message_in *m =
        report ? &((struct spd_report_event *)e)->message : &((struct spd_order_event *)e)->message;
    m->import = 1, m->peer = peer;
    if (!report) ((struct spd_order_event *)e)->import = 1;
    return e;
}

static void submit(struct spd_web_req *r, struct batch *b, struct record *x, const json_t *o,
                   spd_sv peer)
{
    struct spd_event event = {0};
    enum spd_rc rc;
    spd_sv place = SPD_SV_NONE;
    const char *z = json_string_value(json_object_get(o, "place"));
    if (z && strlen(z) <= 300) place = spd_arena_dup(r->arena, spd_sv_from(z));
    *x = (struct record){.batch = b, .place = place};
    event.u.any = read_event(r, o, peer, &event.type, &x->failed);
    if (x->failed) return;
    pthread_mutex_lock(&b->lock);
    b->waiting++;
    pthread_mutex_unlock(&b->lock);
    while ((rc = spd_writer_submit(r->web->host.writer, &event, completed, x)) == SPD_AGAIN)
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    if (!rc) return;
    pthread_mutex_lock(&b->lock);
    b->waiting--;
    b->lost = true;
    x->says = SPD_IMPORT_REFUSED;
    pthread_mutex_unlock(&b->lock);
}

static void answer(struct spd_web_req *r, const struct batch *b, const struct record *v, size_t n)
{
    spd_j_open(&r->out, NULL, '{');
    spd_j_int(&r->out, "revision", b->revision);
    spd_j_open(&r->out, "records", '[');
    for (size_t i = 0; i < n; i++) {
        spd_j_open(&r->out, NULL, '{');
        spd_j_text(&r->out, "place", v[i].place);
        spd_j_z(&r->out, "says",
                spd_import_says_names[v[i].failed ? SPD_IMPORT_REFUSED : v[i].says]);
        spd_j_text(&r->out, "reason", spd_sv_from(v[i].failed ? v[i].failed : v[i].reason));
        spd_j_id(&r->out, "item", v[i].item);
        spd_j_close(&r->out, '}');
    }
    spd_j_close(&r->out, ']');
    spd_j_close(&r->out, '}');
    spd_web_json_done(r, 200);
}

void spd_web_h_import(struct spd_web_req *r)
{
    static const char *const fields[] = {"peer", "records", NULL};
    struct batch b = {
        .lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER, .dutch = r->dutch};
    spd_sv peer;
    json_t *o = spd_web_body(r);
    const json_t *list = o ? json_object_get(o, "records") : NULL;
    size_t n = json_array_size(list);
    struct record *v = SPD_NEW_N(r->arena, struct record, n + 1);
    if (!o) return;
    if (!spd_web_only(r, o, fields) || !spd_web_text(r, o, "peer", true, 63, &peer)) {
        json_decref(o);
        return;
    }
    if (!json_is_array(list) || n > RECORDS_MAX) {
        spd_web_bad_value(r, "records");
        json_decref(o);
        return;
    }
    for (size_t i = 0; i < n; i++)
        submit(r, &b, &v[i], json_array_get(list, i), peer);
    json_decref(o);
    pthread_mutex_lock(&b.lock);
    while (b.waiting)
        pthread_cond_wait(&b.done, &b.lock);
    pthread_mutex_unlock(&b.lock);
    pthread_cond_destroy(&b.done);
    pthread_mutex_destroy(&b.lock);
    if (b.lost)
        spd_web_problem(r, 507, "not_committed", SPD_SV_NONE); /* send all again: twice is once */
    else
        answer(r, &b, v, n);
}

static bool ids(struct spd_web_req *r, const json_t *o, const char *field, struct spd_seq *ret)
{
    const json_t *list = json_object_get(o, field);
    bool ok = !list || (json_is_array(list) && json_array_size(list) <= 10000);
    for (size_t i = 0; ok && i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        ok = json_is_integer(v) && json_integer_value(v) > 0;
        if (ok) *(int64_t *)spd_list_add(ret, sizeof(int64_t), r->arena) = json_integer_value(v);
    }
    if (!ok) spd_web_bad_value(r, field);
    return ok;
}

static bool count(struct spd_web_req *r, const json_t *o, const char *field, int64_t *ret)
{
    const json_t *v = json_object_get(o, field);
    *ret = json_integer_value(v);
    if (!v || (json_is_integer(v) && *ret >= 0)) return true;
    spd_web_bad_value(r, field);
    return false;
}

void spd_web_h_reconcile(struct spd_web_req *r)
{
    static const char *const fields[] = {"peer",   "listed", "missing", "extra", "different",
                                         "extras", "found",  "last",    NULL};
    struct spd_reconcile_event e = {.by = r->who.name};
    struct spd_event event = {.type = SPD_EVENT_RECONCILE, .u.reconcile = &e};
    struct spd_seq extras = {NULL, 0}, found = {NULL, 0};
    struct spd_web_done done;
    json_t *o = spd_web_body(r);
    if (!o) return;
    bool ok = spd_web_only(r, o, fields) && spd_web_text(r, o, "peer", true, 63, &e.peer) &&
              count(r, o, "listed", &e.listed) && count(r, o, "missing", &e.missing) &&
              count(r, o, "extra", &e.extra) && count(r, o, "different", &e.different) &&
              ids(r, o, "extras", &extras) && ids(r, o, "found", &found);
    e.last = json_is_true(json_object_get(o, "last"));
    json_decref(o);
    e.extras.v = extras.v, e.extras.n = extras.n, e.found.v = found.v, e.found.n = found.n;
    if (ok && spd_web_submit(r, &event, &done)) spd_web_done_json(r, &done);
}
