/* src/web/item.c: one item in full, and its timeline: what was decided and why, who did what, what
 * came and went, in the order of time. Raw messages are not here (message.c). */
#include "web/web_int.h"

#include <stdlib.h>

struct moment { /* one line of the timeline */
    spd_usec at;
    const char *kind;
    spd_sv text, by;
    const struct spd_decision *decision;
    int64_t id;
};
struct moments {
    struct moment *v;
    size_t n;
};
struct item_ctx {
    struct spd_web_req *r;
    struct spd_web_eye eye;
    struct spd_store *s;
    spd_sv key; /* the item's id as a key text */
    enum spd_rc rc;
    struct spd_err err;
};

static bool begin(struct item_ctx *c, struct spd_web_req *r)
{
    struct spd_query *q = spd_web_db(r);
    *c = (struct item_ctx){.r = r, .eye = spd_web_eye(r), .key = spd_key_i64(r->arena, r->id)};
    if (!q) return false;
    c->s = spd_query_store(q);
    return true;
}

static size_t ids_of(struct item_ctx *c, enum spd_key_kind kind, int64_t **ret)
{
    size_t n = 0;
    if (!c->rc) c->rc = spd_store_find_all(c->s, kind, c->key, ret, &n, c->r->arena, &c->err);
    return c->rc ? 0 : n;
}

static bool seen(const struct item_ctx *c, const struct spd_result *res)
{
    return res->mode != SPD_MODE_SHADOW || c->eye.shadow;
}

/* ---- the item ------------------------------------------------------------------------------- */
static void decisions(struct item_ctx *c, struct spd_str *s)
{
    int64_t *ids;
    size_t n = ids_of(c, SPD_KEY_DECISION_ITEM, &ids);
    spd_j_open(s, "decisions", '[');
    for (size_t i = 0; i < n && !c->rc; i++) {
        struct spd_decision d;
        char level[32];
        if ((c->rc = spd_get_decision(c->s, ids[i], &d, c->r->arena, &c->err))) break;
        spd_web_level(c->r->web, d.level, level);
        spd_j_open(s, NULL, '{');
        spd_j_int(s, "id", d.id);
        spd_j_time(s, "at", c->r->web->host.site.zone, d.at);
        spd_j_z(s, "level", level);
        spd_j_time(s, "due", c->r->web->host.site.zone, d.due);
        spd_web_reasons(c->eye, s, d.reasons.v, d.reasons.n);
        spd_j_text_or_null(s, "trigger", d.trigger);
        spd_j_text_or_null(s, "policy", d.policy_hash);
        spd_j_text_or_null(s, "models", c->eye.shadow ? d.models : SPD_SV_NONE);
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
}

/* What the product sent beside its result. */
static void companions(struct item_ctx *c, struct spd_str *s, int64_t result)
{
    int64_t *ids;
    size_t n = 0;
    c->rc = spd_store_find_all(c->s, SPD_KEY_COMPANION_RESULT, spd_key_i64(c->r->arena, result),
                               &ids, &n, c->r->arena, &c->err);
    spd_j_open(s, "companions", '[');
    for (size_t i = 0; i < n && !c->rc; i++) {
        struct spd_companion x;
        if ((c->rc = spd_get_companion(c->s, ids[i], &x, c->r->arena, &c->err))) break;
        spd_j_open(s, NULL, '{');
        spd_j_int(s, "id", x.id);
        spd_j_z(s, "kind", spd_enum_name(spd_companion_kind_names, x.kind));
        spd_j_text_or_null(s, "title", x.title);
        spd_j_text_or_null(s, "sop_uid", x.sop_uid);
        spd_j_text_or_null(s, "series_uid", x.series_uid);
        spd_j_text_or_null(s, "linked_by", x.linked_by);
        spd_j_texts(s, "notes", x.notes.v, x.notes.n);
        spd_j_id(s, "message", x.message);
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
}

static void results(struct item_ctx *c, struct spd_str *s)
{
    int64_t *ids;
    size_t n = ids_of(c, SPD_KEY_RESULT_ITEM, &ids);
    spd_j_open(s, "results", '[');
    for (size_t i = 0; i < n && !c->rc; i++) {
        struct spd_result x;
        if ((c->rc = spd_get_result(c->s, ids[i], &x, c->r->arena, &c->err))) break;
        if (!seen(c, &x)) continue;
        spd_j_open(s, NULL, '{');
        spd_j_int(s, "id", x.id);
        spd_j_time(s, "at", c->r->web->host.site.zone, x.at);
        spd_j_text_or_null(s, "model", x.model);
        spd_j_text_or_null(s, "name", x.name);
        spd_j_text_or_null(s, "manufacturer", x.manufacturer);
        spd_j_text_or_null(s, "version", x.version);
        spd_j_z(s, "mode", spd_enum_name(spd_mode_names, x.mode));
        spd_j_z(s, "state", spd_enum_name(spd_ai_state_names, x.state));
        spd_web_findings(s, "findings", x.findings.v, x.findings.n);
        spd_j_text_or_null(s, "text", x.text);
        spd_j_texts(s, "notes", x.notes.v, x.notes.n);
        spd_j_text_or_null(s, "sop_uid", x.sop_uid);
        spd_j_text_or_null(s, "study_uid", x.study_uid);
        spd_j_id(s, "superseded_by", x.superseded_by);
        spd_j_id(s, "contradicts", x.contradicts);
        spd_j_id(s, "message", x.message);
        companions(c, s, x.id);
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
}

static void messages(struct item_ctx *c, struct spd_str *s)
{
    int64_t *ids;
    size_t n = ids_of(c, SPD_KEY_MESSAGE_ITEM, &ids);
    spd_j_open(s, "messages", '[');
    for (size_t i = 0; i < n && !c->rc; i++) {
        struct spd_message m;
        if ((c->rc = spd_get_message(c->s, ids[i], &m, c->r->arena, &c->err))) break;
        spd_j_open(s, NULL, '{');
        spd_j_int(s, "id", m.id);
        spd_j_time(s, "at", c->r->web->host.site.zone, m.at);
        spd_j_z(s, "direction", spd_enum_name(spd_direction_names, m.direction));
        spd_j_text_or_null(s, "peer", m.peer);
        spd_j_text_or_null(s, "type", m.type);
        spd_j_z(s, "answer", spd_enum_name(spd_answer_names, m.answer));
        spd_j_text_or_null(s, "reason", m.reason);
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
}

static void verdicts(struct item_ctx *c, struct spd_str *s)
{
    int64_t *ids;
    size_t n = ids_of(c, SPD_KEY_VERDICT_ITEM, &ids);
    spd_j_open(s, "verdicts", '[');
    for (size_t i = 0; i < n && !c->rc; i++) {
        struct spd_verdict v;
        if ((c->rc = spd_get_verdict(c->s, ids[i], &v, c->r->arena, &c->err))) break;
        spd_j_open(s, NULL, '{');
        spd_j_time(s, "at", c->r->web->host.site.zone, v.at);
        spd_j_text(s, "by", v.by);
        spd_j_z(s, "verdict", spd_enum_name(spd_verdict_kind_names, v.verdict));
        spd_j_text_or_null(s, "finding", v.finding);
        spd_j_text_or_null(s, "note", v.note);
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
}

static void more_of_item(struct item_ctx *c, struct spd_str *s, const struct spd_item *i)
{
    const struct spd_zone *zone = c->r->web->host.site.zone;
    spd_j_text_or_null(s, "requester", i->requester);
    spd_j_text_or_null(s, "callback", i->callback);
    spd_j_text_or_null(s, "clinical_info", i->clinical_info);
    spd_j_time(s, "scheduled", zone, i->scheduled);
    spd_j_text_or_null(s, "room", i->room);
    spd_j_time(s, "discharged", zone, i->discharged);
    spd_j_time(s, "exam_done", zone, i->exam_done);
    spd_j_time(s, "images_complete", zone, i->images_complete);
    spd_j_text_or_null(s, "policy", i->policy_hash);
    spd_j_open(s, "opened", '[');
    for (size_t k = 0; k < i->opened.n; k++) {
        spd_j_open(s, NULL, '{');
        spd_j_text(s, "by", i->opened.v[k].by);
        spd_j_time(s, "at", zone, i->opened.v[k].at);
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
    spd_j_open(s, "sent", '[');
    for (size_t k = 0; k < i->sent.n; k++) {
        spd_j_open(s, NULL, '{');
        spd_j_text(s, "destination", i->sent.v[k].destination);
        spd_j_text_or_null(s, "priority", i->sent.v[k].wire);
        spd_j_time(s, "at", zone, i->sent.v[k].at);
        spd_j_bool(s, "overruled", i->sent.v[k].overruled != 0);
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
    spd_j_text_or_null(s, "report_text", i->report_text);
    spd_j_text_or_null(s, "report_by", i->report_by);
    spd_j_time(s, "report_at", zone, i->report_at);
}

void spd_web_h_item(struct spd_web_req *r)
{
    struct item_ctx c;
    struct spd_view stored;
    const struct spd_view *v = &stored;
    if (!begin(&c, r)) return;
    const struct spd_list *l = spd_board_get(r->web->host.board);
    const struct spd_row *row = l ? spd_list_find(l, r->id) : NULL;
    if (row)
        v = &row->view;
    else
        c.rc = spd_web_view(r, *r->db, r->id, &stored, &c.err);
    if (!c.rc) {
        struct spd_str *s = &r->out;
        spd_j_open(s, NULL, '{');
        spd_j_time(s, "now", r->web->host.site.zone, spd_web_now(r->web));
        spd_web_item(c.eye, s, v, row ? spd_list_rank(l, row) : 0);
        more_of_item(&c, s, &v->item);
        decisions(&c, s);
        results(&c, s);
        messages(&c, s);
        verdicts(&c, s);
        spd_j_close(s, '}');
        if (!c.rc) spd_web_json_done(r, 200);
    }
    spd_list_unref(l);
    if (c.rc) spd_web_store_failed(r, c.rc);
}

/* ---- the timeline
 * --------------------------------------------------------------------------------- */
static struct moment *add(struct item_ctx *c, struct moments *m, spd_usec at, const char *kind,
                          int64_t id)
{
    struct moment *v = SPD_LIST_ADD(m, c->r->arena);
    v->at = at, v->kind = kind, v->id = id;
    return v;
}

static void add_decisions(struct item_ctx *c, struct moments *m)
{
    int64_t *ids;
    size_t n = ids_of(c, SPD_KEY_DECISION_ITEM, &ids);
    for (size_t i = 0; i < n && !c->rc; i++) {
        struct spd_decision *d = SPD_NEW(c->r->arena, struct spd_decision);
        if ((c->rc = spd_get_decision(c->s, ids[i], d, c->r->arena, &c->err))) break;
        struct moment *v = add(c, m, d->at, "decision", d->id);
        v->decision = d;
        if (d->reasons.n) v->text = c->eye.dutch ? d->reasons.v[0].nl : d->reasons.v[0].en;
    }
}

static void add_results(struct item_ctx *c, struct moments *m)
{
    int64_t *ids;
    size_t n = ids_of(c, SPD_KEY_RESULT_ITEM, &ids);
    for (size_t i = 0; i < n && !c->rc; i++) {
        struct spd_result x;
        if ((c->rc = spd_get_result(c->s, ids[i], &x, c->r->arena, &c->err))) break;
        if (!seen(c, &x)) continue;
        struct moment *v = add(c, m, x.at, "result", x.id);
        v->text = spd_arena_printf(
            c->r->arena, "%.*s %.*s: %s", SPD_SV_ARG(x.model.len ? x.model : x.name),
            SPD_SV_ARG(x.version), spd_enum_name(spd_ai_state_names, x.state));
    }
}

static void add_messages(struct item_ctx *c, struct moments *m)
{
    int64_t *ids;
    size_t n = ids_of(c, SPD_KEY_MESSAGE_ITEM, &ids);
    for (size_t i = 0; i < n && !c->rc; i++) {
        struct spd_message x;
        if ((c->rc = spd_get_message(c->s, ids[i], &x, c->r->arena, &c->err))) break;
        struct moment *v =
            add(c, m, x.at, x.direction == SPD_DIRECTION_OUT ? "message_out" : "message_in", x.id);
        const char *answer = spd_enum_name(spd_answer_names, x.answer);
        v->text = spd_arena_printf(c->r->arena, "%s %.*s %.*s%s%s",
                                   x.direction == SPD_DIRECTION_OUT ? "→" : "←", SPD_SV_ARG(x.peer),
                                   SPD_SV_ARG(x.type), answer[0] ? ": " : "", answer);
    }
}

static void add_pages(struct item_ctx *c, struct moments *m, int64_t alert)
{
    int64_t *ids;
    size_t n = 0;
    c->rc = spd_store_find_all(c->s, SPD_KEY_PAGE_ALERT, spd_key_i64(c->r->arena, alert), &ids, &n,
                               c->r->arena, &c->err);
    for (size_t i = 0; i < n && !c->rc; i++) {
        struct spd_page p;
        if ((c->rc = spd_get_page(c->s, ids[i], &p, c->r->arena, &c->err))) break;
        struct moment *v = add(c, m, p.at, "page", p.id);
        const char *outcome = spd_enum_name(spd_outcome_names, p.outcome);
        v->text = spd_arena_printf(
            c->r->arena, c->eye.dutch ? "Oproep aan %.*s via %.*s%s%s" : "Page to %.*s by %.*s%s%s",
            SPD_SV_ARG(p.person), SPD_SV_ARG(p.channel), outcome[0] ? ": " : "", outcome);
    }
}

static void add_alerts(struct item_ctx *c, struct moments *m)
{
    int64_t *ids;
    size_t n = ids_of(c, SPD_KEY_ALERT_ITEM, &ids);
    for (size_t i = 0; i < n && !c->rc; i++) {
        struct spd_alert a;
        if ((c->rc = spd_get_alert(c->s, ids[i], &a, c->r->arena, &c->err))) break;
        struct moment *v = add(c, m, a.at, "alert", a.id);
        v->text = c->eye.dutch ? a.text_nl : a.text_en;
        if (a.ack_at) {
            v = add(c, m, a.ack_at, "acknowledged", a.id);
            v->by = a.ack_by;
            v->text = c->eye.dutch ? SPD_SV("Melding bevestigd") : SPD_SV("Alert acknowledged");
        }
        if (a.closed && a.closed_reason.len)
            add(c, m, a.closed, "alert_closed", a.id)->text = a.closed_reason;
        add_pages(c, m, a.id);
    }
}

static void add_people(struct item_ctx *c, struct moments *m)
{
    int64_t *ids;
    size_t n = ids_of(c, SPD_KEY_AUDIT_ITEM, &ids);
    for (size_t i = 0; i < n && !c->rc; i++) {
        struct spd_audit a;
        if ((c->rc = spd_get_audit(c->s, ids[i], &a, c->r->arena, &c->err))) break;
        struct moment *v = add(c, m, a.at, "act", a.id);
        v->by = a.who;
        v->text = a.detail.len ? spd_arena_printf(c->r->arena, "%.*s: %.*s", SPD_SV_ARG(a.act),
                                                  SPD_SV_ARG(a.detail))
                               : a.act;
    }
}

/* What one event did has one time: cause before effect. */
static int place(const char *kind)
{
    static const char *const order[] = {"message_in", "result", "act",         "decision",
                                        "alert",      "page",   "acknowledged"};
    int i = 0;
    while (i < 7 && strcmp(order[i], kind))
        i++;
    return i;
}

static int by_time(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    int c = place(x->kind) - place(y->kind);
    return c ? c : x->id < y->id ? -1 : x->id > y->id;
}

void spd_web_h_timeline(struct spd_web_req *r)
{
    struct item_ctx c;
    struct moments m = {0};
    struct spd_item item;
    if (!begin(&c, r)) return;
    c.rc = spd_get_item(c.s, r->id, &item, r->arena, &c.err);
    add_decisions(&c, &m);
    add_results(&c, &m);
    add_messages(&c, &m);
    add_alerts(&c, &m);
    add_people(&c, &m);
    if (c.rc) {
        spd_web_store_failed(r, c.rc);
        return;
    }
    if (m.n) qsort(m.v, m.n, sizeof *m.v, by_time);
    spd_web_list_open(r, item.revision, spd_web_now(r->web));
    spd_j_open(&r->out, "timeline", '[');
    for (size_t i = 0; i < m.n; i++) {
        char level[32] = "";
        spd_j_open(&r->out, NULL, '{');
        spd_j_time(&r->out, "at", r->web->host.site.zone, m.v[i].at);
        spd_j_z(&r->out, "kind", m.v[i].kind);
        spd_j_int(&r->out, "id", m.v[i].id);
        spd_j_text_or_null(&r->out, "by", m.v[i].by);
        spd_j_text(&r->out, "text", m.v[i].text);
        if (m.v[i].decision) {
            spd_web_level(r->web, m.v[i].decision->level, level);
            spd_j_z(&r->out, "level", level);
            spd_web_reasons(c.eye, &r->out, m.v[i].decision->reasons.v, m.v[i].decision->reasons.n);
        }
        spd_j_close(&r->out, '}');
    }
    spd_j_close(&r->out, ']');
    spd_j_close(&r->out, '}');
    spd_web_json_done(r, 200);
}
