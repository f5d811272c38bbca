/* src/cli/import_send.c: see import_send.h. A brain that runs is asked through its API, with what
 * one request may hold; otherwise the same events go through the same core under its lock. Sending
 * twice is sending once, so a connection that breaks is no question: the command is called again.
 */
#define _GNU_SOURCE
#include "cli/import_send.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/api.h"
#include "cli/offline.h"

enum { RECORDS = 200, BYTES = 600 << 10, VALUES = 15000, EVENT_MAX = 16 << 20 };

struct job {
    struct spd_import_list *l;
    const struct spd_listed *v;
    size_t n;
    struct spd_sent_record *ret;
    const struct spd_reconcile_event *reconcile;
};

/* ---- through the brain
 * --------------------------------------------------------------------------- */
/* A record as the API wants it; 0 when it is larger than a request may be. */
static size_t add_record(struct spd_str *out, const struct spd_listed *r, size_t *ret_values)
{
    struct spd_str e = SPD_STR_INIT(EVENT_MAX);
    size_t before = out->len;
    bool report = r->type == SPD_EVENT_REPORT;
    spd_desc_json(report ? &spd_report_event_desc : &spd_order_event_desc, r->event, &e);
    *ret_values = 4;
    for (size_t i = 0; i < e.len; i++)
        *ret_values += e.ptr[i] == ',';
    if (spd_str_ok(&e) && e.len < BYTES && *ret_values < VALUES) {
        spd_str_addz(out, before && out->ptr[before - 1] != '[' ? ",{\"place\":" : "{\"place\":");
        spd_str_json(out, r->place.len > 300 ? spd_sv_of(r->place.ptr + r->place.len - 300, 300)
                                             : r->place);
        spd_str_addf(out, ",\"type\":\"%s\",\"event\":", report ? "report" : "order");
        spd_str_add(out, spd_str_sv(&e));
        spd_str_addc(out, '}');
    }
    spd_str_done(&e);
    return out->len - before;
}

static void take_answer(struct job *j, size_t at, const json_t *answer)
{
    const json_t *list = json_object_get(answer, "records"), *x;
    size_t i;
    json_array_foreach(list, i, x)
    {
        while (at < j->n && j->ret[at].says) /* refused here: never sent */
            at++;
        if (at == j->n) return;
        j->ret[at].says =
            spd_enum_from(spd_import_says_names, spd_sv_from(spd_api_text(x, "says")));
        if (j->ret[at].says < 1) j->ret[at].says = SPD_IMPORT_REFUSED;
        j->ret[at].reason = spd_arena_dup(j->l->arena, spd_sv_from(spd_api_text(x, "reason")));
        j->ret[at].item = json_integer_value(json_object_get(x, "item"));
        at++;
    }
}

static int by_api(struct job *j)
{
    size_t at = 0;
    while (at < j->n) {
        struct spd_str body = SPD_STR_INIT(4 * BYTES);
        size_t from = at, values = 0, in_it = 0;
        json_t *v, *answer = NULL;
        int code;
        spd_str_addz(&body, "{\"peer\":");
        spd_str_json(&body, j->l->peer.peer);
        spd_str_addz(&body, ",\"records\":[");
        for (; at < j->n && in_it < RECORDS && values < VALUES && body.len < BYTES; at++) {
            size_t more;
            size_t before = body.len, got = add_record(&body, &j->v[at], &more);
            if (got && in_it && (body.len > BYTES || values + more > VALUES)) {
                body.len = before; /* the next request's */
                break;
            }
            values += more, in_it += got > 0;
            if (!got)
                j->ret[at] = (struct spd_sent_record){SPD_IMPORT_REFUSED,
                                                      SPD_SV("larger than a request may be"), 0};
        }
        spd_str_addz(&body, "]}");
        v = json_loadb(body.ptr, body.len, 0, NULL);
        code = v ? spd_api_call(j->l->c, "POST", "/api/v1/import", v, &answer) : SPD_EXIT_FAILURE;
        json_decref(v);
        spd_str_done(&body);
        if (!code) take_answer(j, from, answer);
        json_decref(answer);
        if (code) return code;
        spd_import_progress(j->l, "import", at, j->n);
    }
    return SPD_EXIT_OK;
}

static json_t *ids_of(const int64_t *v, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(v[i]));
    return list;
}

static int reconcile_by_api(struct job *j)
{
    const struct spd_reconcile_event *e = j->reconcile;
    json_t *answer = NULL,
           *v = json_pack("{s:s#, s:I, s:I, s:I, s:I, s:o, s:o, s:b}", "peer", e->peer.ptr,
                          (int)e->peer.len, "listed", (json_int_t)e->listed, "missing",
                          (json_int_t)e->missing, "extra", (json_int_t)e->extra, "different",
                          (json_int_t)e->different, "extras", ids_of(e->extras.v, e->extras.n),
                          "found", ids_of(e->found.v, e->found.n), "last", (int)e->last);
    int code = spd_api_call(j->l->c, "POST", "/api/v1/reconcile", v, &answer);
    json_decref(v);
    json_decref(answer);
    return code;
}

/* ---- without one
 * ---------------------------------------------------------------------------------- */
static int says_of(const struct spd_receipt *r)
{
    if (r->says) return r->says;
    if (r->did == SPD_DID_REFUSE) return SPD_IMPORT_REFUSED;
    if (r->did == SPD_DID_DUPLICATE) return SPD_IMPORT_SAME;
    return r->did == SPD_DID_STALE ? SPD_IMPORT_OLDER : SPD_IMPORT_CLOSED;
}

static enum spd_rc apply_all(struct job *j, struct spd_offline *o, struct spd_err *err)
{
    struct spd_receipt r;
    enum spd_rc rc = SPD_OK;
    if (j->reconcile)
        return spd_offline_apply(o, SPD_EVENT_RECONCILE, (void *)(uintptr_t)j->reconcile, &r, err);
    for (size_t i = 0; i < j->n && !rc; i++) {
        rc = spd_offline_apply(o, j->v[i].type, j->v[i].event, &r, err);
        if (rc && !spd_rc_is_retryable(rc) && rc != SPD_IO) { /* a bad one fails alone */
            j->ret[i] = (struct spd_sent_record){
                SPD_IMPORT_REFUSED, spd_arena_dup(j->l->arena, spd_sv_from(err->text)), 0};
            rc = SPD_OK;
        } else if (!rc) {
            j->ret[i].says = says_of(&r);
            j->ret[i].item = r.n_items ? r.items[0] : 0;
            if (j->ret[i].says == SPD_IMPORT_REFUSED)
                j->ret[i].reason = spd_arena_dup(j->l->arena, r.reason_en);
        }
        if (i % 100 == 99 || i + 1 == j->n) spd_import_progress(j->l, "import", i + 1, j->n);
    }
    return rc;
}

static int by_store(struct job *j, bool last)
{
    struct spd_offline *o = NULL;
    struct spd_err err = {0}, end = {0};
    enum spd_rc rc = spd_offline_open(j->l->c, true, &o, &err), closed;
    if (rc == SPD_EXISTS && !last) return SPD_OFFLINE_LOCKED;
    if (!rc) rc = apply_all(j, o, &err);
    closed = o ? spd_offline_close(o, &end) : SPD_OK;
    if (rc || closed)
        fprintf(stderr, "spoed: %s: %s\n", rc ? err.place : end.place, rc ? err.text : end.text);
    rc = rc ? rc : closed;
    return !rc ? SPD_EXIT_OK : rc == SPD_STALE ? SPD_EXIT_MIGRATE : SPD_EXIT_FAILURE;
}

static int either(void *ctx, bool last)
{
    struct job *j = ctx;
    int code = j->reconcile ? reconcile_by_api(j) : by_api(j);
    return code == SPD_API_NOBODY ? by_store(j, last) : code;
}

int spd_import_send(struct spd_import_list *l, const struct spd_listed *v, size_t n,
                    struct spd_sent_record *ret)
{
    struct job j = {l, v, n, ret, NULL};
    return n ? spd_offline_retry(either, &j) : SPD_EXIT_OK;
}

int spd_reconcile_send(struct spd_import_list *l, const struct spd_reconcile_event *e)
{
    struct job j = {l, NULL, 0, NULL, e};
    return spd_offline_retry(either, &j);
}

int spd_import_store(struct spd_import_list *l, struct spd_store **ret)
{
    struct spd_err err = {0};
    enum spd_rc rc =
        spd_store_open(spd_arena_dup(l->arena, l->c->store_url).ptr, SPD_STORE_READ, ret, &err);
    if (!rc) return SPD_EXIT_OK;
    *ret = NULL;
    if (rc == SPD_NOTFOUND) return SPD_EXIT_OK; /* nothing is known yet */
    fprintf(stderr, "spoed: %s: %s\n", err.place, err.text);
    return rc == SPD_STALE ? SPD_EXIT_MIGRATE : SPD_EXIT_FAILURE;
}
