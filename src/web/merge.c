/* src/web/merge.c: merges of patient numbers, in force and undone, and a person who undoes one
 * (domain §1). */
#include "web/web_int.h"

static void one(struct spd_web_req *r, struct spd_str *s, const struct spd_merge *m)
{
    const struct spd_zone *zone = r->web->host.site.zone;
    spd_j_open(s, NULL, '{');
    spd_j_int(s, "id", m->id);
    spd_j_time(s, "at", zone, m->at);
    spd_j_text(s, "kind", m->kind);
    spd_web_cx_json(s, "from", &m->from, "authority");
    spd_web_cx_json(s, "to", &m->to, "authority");
    spd_web_cx_json(s, "account", &m->account, "authority");
    spd_web_cx_json(s, "visit", &m->visit, "authority");
    spd_j_text_or_null(s, "peer", m->peer);
    spd_j_id(s, "message", m->message);
    spd_j_time(s, "source_time", zone, m->source_time);
    spd_j_open(s, "items", '[');
    for (size_t i = 0; i < m->items.n; i++)
        spd_j_int(s, NULL, m->items.v[i]);
    spd_j_close(s, ']');
    if (m->undone) {
        spd_j_open(s, "undone", '{');
        spd_j_time(s, "at", zone, m->undone);
        spd_j_text(s, "by", m->undone_by);
        spd_j_text(s, "reason", m->undone_reason);
        spd_j_close(s, '}');
    } else {
        spd_j_null(s, "undone");
    }
    spd_j_close(s, '}');
}

void spd_web_h_merges(struct spd_web_req *r)
{
    struct spd_query *q;
    struct spd_query_page page;
    struct spd_query_counts counts;
    struct spd_err err = {0};
    int64_t *ids = SPD_NEW_N(r->arena, int64_t, 1000);
    size_t n = 0;
    if (!spd_web_page(r, 200, &page) || !(q = spd_web_db(r))) return;
    enum spd_rc rc = spd_query_counts(q, &counts, &err);
    if (!rc)
        rc = spd_store_scan(spd_query_store(q), SPD_T_MERGE, page.after, true, ids, page.limit, &n,
                            &err);
    spd_web_list_open(r, rc ? 0 : counts.revision, spd_web_now(r->web));
    spd_j_open(&r->out, "merges", '[');
    for (size_t i = 0; !rc && i < n; i++) {
        struct spd_merge m;
        rc = spd_get_merge(spd_query_store(q), ids[i], &m, r->arena, &err);
        if (!rc) one(r, &r->out, &m);
    }
    spd_j_close(&r->out, ']');
    if (n == page.limit) spd_j_text(&r->out, "next", spd_key_i64(r->arena, ids[n - 1]));
    spd_j_close(&r->out, '}');
    if (rc)
        spd_web_store_failed(r, rc);
    else
        spd_web_json_done(r, 200);
}

void spd_web_h_merge_undo(struct spd_web_req *r)
{
    static const char *const fields[] = {"reason", NULL};
    struct spd_action_event a = {.verb = SPD_ACT_MERGE_UNDO, .merge = r->id};
    struct spd_event event = {.type = SPD_EVENT_ACTION, .u.action = &a};
    struct spd_web_done done;
    json_t *o = spd_web_body(r);
    bool ok = o && spd_web_only(r, o, fields) &&
              spd_web_text(r, o, "reason", true, 2000, &a.reason);
    if (o) json_decref(o);
    spd_web_action(r, &a);
    if (ok && spd_web_submit(r, &event, &done)) spd_web_done_json(r, &done);
}
