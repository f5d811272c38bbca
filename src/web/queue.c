/* src/web/queue.c: what has to leave the house: its rows, the destinations they go to, and what a
 * person does with both. What is allowed now is the core's to say. */
#include "web/web_int.h"

static void members(struct spd_web_req *r, const struct spd_outbox *o)
{
    const struct spd_zone *zone = r->web->host.site.zone;
    spd_j_int(&r->out, "id", o->id);
    spd_j_time(&r->out, "at", zone, o->at);
    spd_j_text(&r->out, "destination", o->destination);
    spd_j_z(&r->out, "kind", spd_enum_name(spd_outbox_kind_names, o->kind));
    spd_j_z(&r->out, "state", spd_enum_name(spd_outbox_state_names, o->state));
    spd_j_time(&r->out, "due", zone, o->due);
    spd_j_int(&r->out, "attempts", o->attempts);
    spd_j_text_or_null(&r->out, "error", o->error);
    spd_j_text_or_null(&r->out, "control_id", o->control_id);
    spd_j_id(&r->out, "item", o->item);
    spd_j_id(&r->out, "alert", o->alert);
    spd_j_id(&r->out, "message", o->message);
    spd_j_int(&r->out, "repeat", o->repeat);
    spd_j_time(&r->out, "accepted", zone, o->accepted);
}

static void row_json(struct spd_web_req *r, const struct spd_outbox *o)
{
    spd_j_open(&r->out, NULL, '{');
    members(r, o);
    spd_j_close(&r->out, '}');
}

void spd_web_h_queue(struct spd_web_req *r)
{
    struct spd_query *q;
    struct spd_query_page page;
    struct spd_err err = {0};
    int64_t *ids = SPD_NEW_N(r->arena, int64_t, 1000);
    size_t n = 0;
    spd_sv state = spd_web_arg(r, "state");
    if (!spd_web_page(r, 200, &page) || !(q = spd_web_db(r))) return;
    if (spd_sv_is(state, "all")) state = SPD_SV_NONE;
    if (state.len && spd_enum_from(spd_outbox_state_names, state) < 1) {
        spd_web_bad_value(r, "state");
        return;
    }
    enum spd_rc rc = spd_query_outbox(q, state, spd_web_arg(r, "destination"), page, ids, &n, &err);
    spd_web_revision_open(r);
    spd_j_open(&r->out, "queue", '[');
    for (size_t i = 0; !rc && i < n; i++) {
        struct spd_outbox o;
        if ((rc = spd_get_outbox(spd_query_store(q), ids[i], &o, r->arena, &err))) break;
        row_json(r, &o);
    }
    spd_j_close(&r->out, ']');
    if (n == page.limit) spd_j_text(&r->out, "next", spd_key_i64(r->arena, ids[n - 1]));
    spd_j_close(&r->out, '}');
    if (rc)
        spd_web_store_failed(r, rc);
    else
        spd_web_json_done(r, 200);
}

/* One row; wire is what it says in a word (S, F, start), never the message. */
void spd_web_h_queue_row(struct spd_web_req *r)
{
    struct spd_query *q = spd_web_db(r);
    struct spd_outbox o;
    enum spd_rc rc = q ? spd_get_outbox(spd_query_store(q), r->id, &o, r->arena, NULL) : SPD_OK;
    if (!q) return;
    if (rc) {
        spd_web_store_failed(r, rc);
        return;
    }
    spd_j_open(&r->out, NULL, '{');
    members(r, &o);
    spd_j_text_or_null(&r->out, "wire", o.kind == SPD_OUTBOX_PAGE ? SPD_SV_NONE : o.wire);
    spd_j_time(&r->out, "done_at", r->web->host.site.zone, o.done_at);
    spd_j_close(&r->out, '}');
    spd_web_json_done(r, 200);
}

static void act(struct spd_web_req *r, struct spd_action_event *a, bool needs_reason)
{
    static const char *const fields[] = {"reason", NULL};
    struct spd_event event = {.type = SPD_EVENT_ACTION, .u.action = a};
    struct spd_web_done done;
    json_t *o = spd_web_body(r);
    if (!o) return;
    bool ok =
        spd_web_only(r, o, fields) && spd_web_text(r, o, "reason", needs_reason, 2000, &a->reason);
    json_decref(o);
    spd_web_action(r, a);
    if (ok && spd_web_submit(r, &event, &done)) spd_web_done_json(r, &done);
}

void spd_web_h_retry(struct spd_web_req *r)
{
    act(r, &(struct spd_action_event){.verb = SPD_ACT_RETRY, .outbox = r->id}, false);
}

void spd_web_h_queue_discard(struct spd_web_req *r)
{
    act(r, &(struct spd_action_event){.verb = SPD_ACT_QUEUE_DISCARD, .outbox = r->id}, true);
}

void spd_web_h_pause(struct spd_web_req *r)
{
    bool pause = strstr(r->route->path, "/pause") != NULL;
    act(r,
        &(struct spd_action_event){.verb = pause ? SPD_ACT_PAUSE : SPD_ACT_RESUME, .to = r->name},
        false);
}

/* ---- destinations ------------------------------------------------------------------------------
 */
static enum spd_rc destination_json(struct spd_web_req *r, struct spd_query *q,
                                    const struct spd_web_destination *d)
{
    struct spd_query_destination counts;
    spd_sv name = spd_sv_from(d->name);
    bool paused = false;
    enum spd_rc rc = spd_query_destination(q, name, &counts, NULL);
    if (!rc) rc = spd_queue_paused(spd_query_store(q), name, r->arena, &paused, NULL);
    if (rc) return rc;
    spd_j_open(&r->out, NULL, '{');
    spd_j_z(&r->out, "name", d->name);
    spd_j_z(&r->out, "type", d->type);
    spd_j_z(&r->out, "mode", d->mode);
    spd_j_bool(&r->out, "pages", d->pages);
    spd_j_bool(&r->out, "paused", paused);
    spd_j_int(&r->out, "waiting", counts.waiting);
    spd_j_int(&r->out, "sending", counts.sending);
    spd_j_int(&r->out, "dead", counts.dead);
    spd_j_time(&r->out, "oldest", r->web->host.site.zone, counts.oldest);
    spd_j_close(&r->out, '}');
    return SPD_OK;
}

void spd_web_h_destinations(struct spd_web_req *r)
{
    const struct spd_web_host *h = &r->web->host;
    struct spd_query *q = spd_web_db(r);
    struct spd_web_destination d;
    enum spd_rc rc = SPD_OK;
    if (!q) return;
    spd_web_revision_open(r);
    spd_j_open(&r->out, "destinations", '[');
    for (size_t i = 0; !rc && h->destination && h->destination(h->self, i, &d); i++)
        rc = destination_json(r, q, &d);
    spd_j_close(&r->out, ']');
    spd_j_close(&r->out, '}');
    if (rc)
        spd_web_store_failed(r, rc);
    else
        spd_web_json_done(r, 200);
}
