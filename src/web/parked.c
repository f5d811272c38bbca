/* src/web/parked.c: what fits nobody, and what a person does with it (domain §1). */
#include "web/web_int.h"

static void one(struct spd_web_req *r, struct spd_str *s, const struct spd_parked *p,
                const struct spd_result *res)
{
    char level[32];
    spd_sv why = r->dutch ? p->why_nl : p->why_en;
    spd_web_level(r->web, p->level, level);
    spd_j_open(s, NULL, '{');
    spd_j_int(s, "id", p->id);
    spd_j_time(s, "at", r->web->host.site.zone, p->at);
    spd_j_z(s, "kind", spd_enum_name(spd_parked_kind_names, p->kind));
    spd_j_text(s, "why", p->why);
    spd_j_text(s, "why_text", why.len ? why : p->why);
    spd_j_z(s, "level", level);
    spd_web_patient(s, "patient", &p->patient);
    spd_web_cx_json(s, "accession", &p->accession, "issuer");
    spd_j_text_or_null(s, "study_uid", p->study_uid);
    spd_j_text_or_null(s, "peer", p->peer);
    spd_j_id(s, "item", p->item);
    spd_j_id(s, "message", p->message);
    spd_j_text_or_null(s, "model", res->model.len ? res->model : res->name);
    spd_j_z(s, "state", spd_enum_name(spd_ai_state_names, res->state));
    spd_web_findings(s, "findings", res->findings.v, res->findings.n);
    spd_j_close(s, '}');
}

void spd_web_h_parked(struct spd_web_req *r)
{
    struct spd_query *q;
    struct spd_query_page page;
    struct spd_err err = {0};
    struct spd_query_counts counts;
    int64_t *ids = SPD_NEW_N(r->arena, int64_t, 1000);
    size_t n = 0;
    if (!spd_web_page(r, 200, &page) || !(q = spd_web_db(r))) return;
    enum spd_rc rc = spd_query_counts(q, &counts, &err);
    if (!rc) rc = spd_query_parked(q, true, page, ids, &n, &err);
    spd_web_list_open(r, rc ? 0 : counts.revision, spd_web_now(r->web));
    spd_j_open(&r->out, "parked", '[');
    for (size_t i = 0; !rc && i < n; i++) {
        struct spd_parked p;
        struct spd_result res = {0};
        rc = spd_get_parked(spd_query_store(q), ids[i], &p, r->arena, &err);
        if (!rc && p.result)
            rc = spd_get_result(spd_query_store(q), p.result, &res, r->arena, &err);
        if (rc == SPD_NOTFOUND)
            rc = SPD_OK;
        else if (!rc)
            one(r, &r->out, &p, &res);
    }
    spd_j_close(&r->out, ']');
    if (n == page.limit) spd_j_text(&r->out, "next", spd_key_i64(r->arena, ids[n - 1]));
    spd_j_close(&r->out, '}');
    if (rc)
        spd_web_store_failed(r, rc);
    else
        spd_web_json_done(r, 200);
}

void spd_web_h_parked_act(struct spd_web_req *r)
{
    static const char *const to_item[] = {"item", "reason", NULL}, *const away[] = {"reason", NULL};
    struct spd_action_event a = {.parked = r->id};
    struct spd_event event = {.type = SPD_EVENT_ACTION, .u.action = &a};
    struct spd_web_done done;
    bool assign = strstr(r->route->path, "/assign") != NULL;
    json_t *o = spd_web_body(r);
    bool ok = o && spd_web_only(r, o, assign ? to_item : away) &&
              spd_web_text(r, o, "reason", true, 2000, &a.reason);
    a.verb = assign ? SPD_ACT_ASSIGN : SPD_ACT_DISCARD;
    if (ok && assign) {
        json_t *item = json_object_get(o, "item");
        ok = json_is_integer(item) && json_integer_value(item) > 0;
        if (ok)
            a.item = json_integer_value(item);
        else
            spd_web_bad_value(r, "item");
    }
    if (o) json_decref(o);
    spd_web_action(r, &a);
    if (ok && spd_web_submit(r, &event, &done)) spd_web_done_json(r, &done);
}
