/* src/web/alert.c: pages and their life, and what people answer to them. */
#include "web/web_int.h"

static enum spd_rc pages(struct spd_web_eye eye, struct spd_str *s, struct spd_store *store,
                         const struct spd_alert *a, struct spd_arena *arena)
{
    struct spd_err err = {0};
    int64_t *ids;
    size_t n = 0;
    enum spd_rc rc = spd_store_find_all(store, SPD_KEY_PAGE_ALERT, spd_key_i64(arena, a->id), &ids,
                                        &n, arena, &err);
    spd_j_open(s, "pages", '[');
    for (size_t i = 0; !rc && i < n; i++) {
        struct spd_page p;
        if ((rc = spd_get_page(store, ids[i], &p, arena, &err))) break;
        spd_j_open(s, NULL, '{');
        spd_j_text(s, "page_id", p.page_id);
        spd_j_time(s, "at", eye.web->host.site.zone, p.at);
        spd_j_text(s, "to", p.person.len ? p.person : p.to_team);
        spd_j_text_or_null(s, "team", p.to_team);
        spd_j_text(s, "channel", p.channel);
        spd_j_z(s, "outcome", spd_enum_name(spd_outcome_names, p.outcome));
        spd_j_int(s, "step", p.step);
        spd_j_int(s, "repeat", p.repeat);
        spd_j_z(s, "kind", spd_enum_name(spd_page_kind_names, p.kind));
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
    return rc;
}

static void of_item(struct spd_web_eye eye, struct spd_str *s, struct spd_store *store,
                    int64_t item, struct spd_arena *arena)
{
    struct spd_item i = {0};
    if (!item || spd_get_item(store, item, &i, arena, NULL)) i = (struct spd_item){0};
    spd_web_cx_json(s, "accession", &i.accession, "issuer");
    if (i.id)
        spd_web_patient(s, "patient", &i.patient);
    else
        spd_j_null(s, "patient");
    spd_j_text_or_null(s, "modality", i.modality);
    spd_j_text_or_null(s, "location", i.location);
    spd_j_z(s, "status", i.id ? spd_enum_name(spd_status_names, (int)spd_item_status(&i)) : "");
    spd_j_z(s, "report", spd_enum_name(spd_report_axis_names, i.report));
    spd_j_open(s, "procedures", '[');
    for (size_t k = 0; k < i.procedures.n; k++) {
        spd_j_open(s, NULL, '{');
        spd_j_text_or_null(s, "code", i.procedures.v[k].code);
        spd_j_text_or_null(s, "text", i.procedures.v[k].text);
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
    (void)eye;
}

void spd_web_alert(struct spd_web_eye eye, struct spd_str *s, struct spd_query *q,
                   const struct spd_alert *a, struct spd_arena *arena)
{
    const struct spd_zone *zone = eye.web->host.site.zone;
    char level[32];
    spd_web_level(eye.web, a->level, level);
    spd_j_open(s, NULL, '{');
    spd_j_int(s, "id", a->id);
    spd_j_id(s, "item", a->item);
    of_item(eye, s, spd_query_store(q), a->item, arena);
    spd_j_time(s, "at", zone, a->at);
    spd_j_z(s, "level", level);
    spd_j_text_or_null(s, "concept", a->concept);
    spd_j_text_or_null(s, "site", a->site);
    spd_j_text_or_null(s, "laterality", a->laterality);
    spd_j_text_or_null(s, "study_uid", a->study_uid);
    spd_j_text(s, "text", eye.dutch ? a->text_nl : a->text_en);
    spd_j_text_or_null(s, "rule", a->rule);
    spd_j_z(s, "state", spd_enum_name(spd_alert_state_names, a->state));
    spd_j_bool(s, "open", spd_alert_open((enum spd_alert_state)a->state));
    spd_j_int(s, "step", a->step);
    spd_j_int(s, "steps", (int64_t)a->steps.n);
    spd_j_time(s, "due", zone, a->due);
    if (pages(eye, s, spd_query_store(q), a, arena)) spd_j_bool(s, "pages_incomplete", true);
    if (a->ack_at) {
        spd_j_open(s, "acknowledged", '{');
        spd_j_text(s, "by", a->ack_by);
        spd_j_time(s, "at", zone, a->ack_at);
        spd_j_text_or_null(s, "how", a->ack_how);
        spd_j_text_or_null(s, "note", a->ack_note);
        spd_j_close(s, '}');
    } else {
        spd_j_null(s, "acknowledged");
    }
    spd_j_bool(s, "unmatched", a->unmatched != 0);
    spd_j_bool(s, "report_available", a->report_available != 0);
    spd_j_bool(s, "radiologist_read", a->radiologist_read != 0);
    spd_j_text_or_null(s, "handed_to", a->handed_to);
    spd_j_text_or_null(s, "closed_reason", a->closed_reason);
    spd_j_time(s, "closed", zone, a->closed);
    spd_j_text_or_null(s, "resolved_by", a->resolved_by);
    spd_j_time(s, "resolved_at", zone, a->resolved_at);
    spd_j_close(s, '}');
}

void spd_web_h_alerts(struct spd_web_req *r)
{
    struct spd_query *q;
    struct spd_query_page page;
    struct spd_query_counts counts;
    struct spd_err err = {0};
    int64_t *ids = SPD_NEW_N(r->arena, int64_t, 1000);
    size_t n = 0;
    spd_sv state = spd_web_arg(r, "state");
    if (!spd_web_page(r, 200, &page) || !(q = spd_web_db(r))) return;
    enum spd_rc rc = spd_query_counts(q, &counts, &err);
    if (!rc && (rc = spd_query_alerts(q, state, page, ids, &n, &err)) == SPD_INVALID) {
        spd_web_bad_value(r, "state");
        return;
    }
    spd_web_list_open(r, rc ? 0 : counts.revision, spd_web_now(r->web));
    spd_j_open(&r->out, "alerts", '[');
    for (size_t i = 0; !rc && i < n; i++) {
        struct spd_alert a;
        if (!(rc = spd_get_alert(spd_query_store(q), ids[i], &a, r->arena, &err)))
            spd_web_alert(spd_web_eye(r), &r->out, q, &a, r->arena);
    }
    spd_j_close(&r->out, ']');
    if (n == page.limit) spd_j_text(&r->out, "next", spd_key_i64(r->arena, ids[n - 1]));
    spd_j_close(&r->out, '}');
    if (rc)
        spd_web_store_failed(r, rc);
    else
        spd_web_json_done(r, 200);
}

void spd_web_h_alert(struct spd_web_req *r)
{
    struct spd_query *q = spd_web_db(r);
    struct spd_alert a;
    struct spd_err err = {0};
    if (!q) return;
    enum spd_rc rc = spd_get_alert(spd_query_store(q), r->id, &a, r->arena, &err);
    if (rc) {
        spd_web_store_failed(r, rc);
        return;
    }
    spd_web_alert(spd_web_eye(r), &r->out, q, &a, r->arena);
    spd_web_json_done(r, 200);
}

static const struct {
    const char *word;
    enum spd_action_verb verb;
    const char *fields[3];
} acts[] = {
    {"acknowledge", SPD_ACT_ACKNOWLEDGE, {"how", "note", NULL}},
    {"decline", SPD_ACT_DECLINE, {"reason", NULL}},
    {"handover", SPD_ACT_HANDOVER, {"to", NULL}},
    {"resolve", SPD_ACT_RESOLVE, {"reason", "note", NULL}},
};

void spd_web_h_alert_act(struct spd_web_req *r)
{
    struct spd_action_event a = {.alert = r->id};
    struct spd_event event = {.type = SPD_EVENT_ACTION, .u.action = &a};
    struct spd_web_done done;
    size_t k = 0;
    while (strcmp(acts[k].word, strrchr(r->route->path, '/') + 1))
        k++;
    a.verb = acts[k].verb;
    json_t *o = spd_web_body(r);
    if (!o) return;
    bool ok = spd_web_only(r, o, acts[k].fields) &&
              spd_web_text(r, o, "how", a.verb == SPD_ACT_ACKNOWLEDGE, 64, &a.how) &&
              spd_web_text(r, o, "note", false, 2000, &a.text) &&
              spd_web_text(r, o, "reason", a.verb == SPD_ACT_DECLINE, 2000, &a.reason) &&
              spd_web_text(r, o, "to", a.verb == SPD_ACT_HANDOVER, 128, &a.to);
    json_decref(o);
    spd_web_action(r, &a);
    if (ok && spd_web_submit(r, &event, &done)) spd_web_done_json(r, &done);
}
