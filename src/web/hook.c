/* src/web/hook.c: what the hooks in other programs use: hand in DICOM objects and HL7
 * messages, say that images came, ask the lists on behalf of a C-FIND. Decoding and matching are
 * the host's. */
#include "web/web_int.h"

#include <stdio.h>

static struct spd_web_from from(const struct spd_web_req *r)
{
    return (struct spd_web_from){
        .user = r->who.name, .address = r->address, .ae_title = spd_web_arg(r, "ae_title")};
}

void spd_web_h_instances(struct spd_web_req *r)
{
    static const char *const outcomes[] = {"result", "parked", "not_a_result", "refused"};
    struct spd_web_host *h = &r->web->host;
    struct spd_web_instance i = {.rc = SPD_BUG};
    struct spd_web_from f = from(r);
    if (f.ae_title.len > 16) {
        spd_web_bad_value(r, "ae_title");
        return;
    }
    if (!r->body.len) {
        spd_web_problem(r, 400, "bad_request", SPD_SV_NONE);
        return;
    }
    if (!h->instance) {
        spd_web_problem(r, 503, "busy", SPD_SV_NONE);
        return;
    }
    h->instance(h->self, spd_str_sv(&r->body), &f, &i);
    if (i.rc == SPD_AGAIN || i.rc == SPD_DENIED) {
        spd_web_problem(r, 503, "busy", SPD_SV_NONE);
    } else if (i.rc || (unsigned)i.outcome >= sizeof outcomes / sizeof *outcomes) {
        spd_web_problem(r, 507, "not_committed", SPD_SV_NONE);
    } else {
        spd_j_open(&r->out, NULL, '{');
        spd_j_z(&r->out, "outcome", outcomes[i.outcome]);
        spd_j_text(&r->out, "reason", spd_sv_from(i.reason));
        spd_j_id(&r->out, "id", i.id);
        spd_j_int(&r->out, "revision", i.revision);
        spd_j_close(&r->out, '}');
        spd_web_json_done(r, 200);
    }
}

/* An acknowledgement gives back MSH-3 to 6 as they came, in the sender's own character set: what is
 * no UTF-8 is shown as ISO 8859-1. */
static spd_sv readable(struct spd_web_req *r, spd_sv v)
{
    char *p;
    size_t n = 0;
    if (spd_sv_is_utf8(v)) return v;
    p = spd_arena_must(r->arena, 2 * v.len + 1);
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.ptr[i];
        if (c & 0x80) p[n++] = (char)(0xc0 | c >> 6);
        p[n++] = (char)(c & 0x80 ? 0x80 | (c & 0x3f) : c);
    }
    return spd_sv_of(p, n);
}

void spd_web_h_hl7(struct spd_web_req *r)
{
    struct spd_web_host *h = &r->web->host;
    struct spd_web_message m = {.rc = SPD_BUG};
    struct spd_web_from f = from(r);
    struct spd_str ack = SPD_STR_INIT(8u << 20), response = ack;
    if (!r->body.len) {
        spd_web_problem(r, 400, "bad_request", SPD_SV_NONE);
        return;
    }
    if (!h->message) {
        spd_web_problem(r, 503, "busy", SPD_SV_NONE);
        return;
    }
    h->message(h->self, spd_str_sv(&r->body), &f, &ack, &response, &m);
    if (m.rc == SPD_AGAIN || m.rc == SPD_DENIED) {
        spd_web_problem(r, 503, "busy", SPD_SV_NONE);
    } else if (m.rc) {
        spd_web_problem(r, 507, "not_committed", SPD_SV_NONE);
    } else {
        spd_j_open(&r->out, NULL, '{');
        spd_j_z(&r->out, "answer", m.answer);
        spd_j_text(&r->out, "reason", spd_sv_from(m.reason));
        spd_j_int(&r->out, "revision", m.revision);
        spd_j_text_or_null(&r->out, "ack", readable(r, spd_str_sv(&ack)));
        spd_j_text_or_null(&r->out, "response", readable(r, spd_str_sv(&response)));
        spd_j_close(&r->out, '}');
        spd_web_json_done(r, 200);
    }
    spd_str_done(&ack);
    spd_str_done(&response);
}

/* "instances": how many, or which. */
static bool instances(struct spd_web_req *r, const json_t *v, struct spd_study_event *e)
{
    if (!v || json_is_null(v)) return true;
    if (json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) < 1000000) {
        e->instance_count = json_integer_value(v);
        return true;
    }
    for (size_t i = 0; json_is_array(v) && i < json_array_size(v); i++) {
        const json_t *u = json_array_get(v, i);
        if (!json_is_string(u) || !json_string_length(u) || json_string_length(u) > 64) goto bad;
        *SPD_LIST_ADD(&e->instances, r->arena) =
            spd_arena_dup(r->arena, spd_sv_of(json_string_value(u), json_string_length(u)));
    }
    if (json_is_array(v)) {
        e->instance_count = (int64_t)e->instances.n;
        return true;
    }
bad:
    spd_web_bad_value(r, "instances");
    return false;
}

static bool patient_ids(struct spd_web_req *r, const json_t *v, struct spd_study_event *e)
{
    if (!v || json_is_null(v)) return true;
    bool ok = json_is_array(v) && json_array_size(v) <= 64;
    for (size_t i = 0; ok && i < json_array_size(v); i++) {
        struct spd_cx cx;
        ok = spd_web_cx(r, json_array_get(v, i), r->web->host.site.patient_authority, &cx);
        if (ok && cx.value.len) *SPD_LIST_ADD(&e->patient_ids, r->arena) = cx;
    }
    if (!ok) spd_web_bad_value(r, "patient_ids");
    return ok;
}

static bool uid(spd_sv v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!((v.ptr[i] >= '0' && v.ptr[i] <= '9') || v.ptr[i] == '.')) return false;
    return v.len > 0 && v.len <= 64;
}

static bool read_event(struct spd_web_req *r, const json_t *o, struct spd_study_event *e)
{
    static const char *const fields[] = {"type",      "study_uid", "accession", "patient_ids",
                                         "instances", "at",        "position",  NULL};
    spd_sv type, at;
    if (!spd_web_only(r, o, fields) || !spd_web_text(r, o, "type", true, 32, &type)) return false;
    bool moves = spd_sv_is(type, "position"); /* only the hook's place in its list of changes */
    if (!spd_web_text(r, o, "study_uid", !moves, 64, &e->study_uid) ||
        !spd_web_text(r, o, "at", false, 40, &at) ||
        !spd_web_text(r, o, "position", false, 200, &e->changes_position))
        return false;
    e->complete = spd_sv_is(type, "study_complete");
    if (!e->complete && !moves && !spd_sv_is(type, "study_arrived"))
        return spd_web_bad_value(r, "type"), false;
    if (moves ? e->study_uid.len > 0 : !uid(e->study_uid))
        return spd_web_bad_value(r, "study_uid"), false;
    if (moves && !e->changes_position.len) return spd_web_bad_value(r, "position"), false;
    if (e->changes_position.len && !spd_sv_find(e->changes_position, SPD_SV("="), NULL))
        return spd_web_bad_value(r, "position"), false;
    e->source_time = spd_web_now(r->web);
    if (at.len) {
        spd_usec t;
        if (!spd_time_parse_iso(at, &t)) return spd_web_bad_value(r, "at"), false;
        if (t < e->source_time)
            e->source_time = t; /* a clock that runs ahead does not make it later */
    }
    if (!spd_web_cx(r, json_object_get(o, "accession"), r->web->host.site.accession_issuer,
                    &e->accession))
        return spd_web_bad_value(r, "accession"), false;
    return patient_ids(r, json_object_get(o, "patient_ids"), e) &&
           instances(r, json_object_get(o, "instances"), e);
}

void spd_web_h_events(struct spd_web_req *r)
{
    struct spd_study_event e = {0};
    struct spd_event event = {.type = SPD_EVENT_STUDY, .u.study = &e};
    struct spd_web_host *h = &r->web->host;
    struct spd_web_from f = from(r);
    struct spd_web_done done;
    char peer[64];
    json_t *o = spd_web_body(r);
    if (!o) return;
    bool ok = read_event(r, o, &e);
    json_decref(o);
    if (!ok) return;
    snprintf(peer, sizeof peer, "%.*s", SPD_SV_ARG(r->who.name));
    if (h->peer && !h->peer(h->self, &f, peer))
        snprintf(peer, sizeof peer, "%.*s", SPD_SV_ARG(r->who.name));
    e.peer = spd_sv_from(peer);
    if (spd_web_submit(r, &event, &done)) spd_web_done_json(r, &done);
}

/* Where a hook left off in its program's list of changes: kept here in the transaction of the event
 * itself. */
void spd_web_h_position(struct spd_web_req *r)
{
    struct spd_query *q;
    struct spd_setting setting = {0};
    struct spd_err err = {0};
    int64_t id;
    spd_sv source = spd_web_arg(r, "source");
    if (!source.len || source.len > 128) {
        spd_web_bad_value(r, "source");
        return;
    }
    if (!(q = spd_web_db(r))) return;
    enum spd_rc rc = spd_store_find_one(
        spd_query_store(q), SPD_KEY_SETTING_NAME,
        spd_arena_printf(r->arena, "changes:%.*s", SPD_SV_ARG(source)), &id, &err);
    if (!rc) rc = spd_get_setting(spd_query_store(q), id, &setting, r->arena, &err);
    if (rc && rc != SPD_NOTFOUND) {
        spd_web_store_failed(r, rc);
        return;
    }
    spd_j_open(&r->out, NULL, '{');
    spd_j_text(&r->out, "source", source);
    spd_j_text_or_null(&r->out, "position", setting.value);
    spd_j_close(&r->out, '}');
    spd_web_json_done(r, 200);
}

void spd_web_h_find(struct spd_web_req *r)
{
    struct spd_web_host *h = &r->web->host;
    struct spd_web_from f = from(r);
    struct spd_str answers = SPD_STR_INIT(32u << 20);
    struct spd_err err = {0};
    int64_t revision = 0;
    spd_sv as = spd_web_arg(r, "as");
    bool files = spd_sv_is(as, "files");
    if (as.len && !files && !spd_sv_is(as, "json")) {
        spd_web_bad_value(r, "as");
        return;
    }
    json_t *o =
        spd_web_body(r); /* judged here, so that the host gets well-formed JSON within limits */
    if (!o) return;
    json_decref(o);
    enum spd_rc rc =
        h->find ? h->find(h->self, spd_str_sv(&r->body), files, &f, &answers, &revision, &err)
                : SPD_NOTFOUND;
    if (rc == SPD_INVALID || rc == SPD_PROTO || rc == SPD_LIMIT) {
        spd_web_problem(r, 422, "bad_value", SPD_SV_NONE);
    } else if (rc == SPD_NOTFOUND || rc == SPD_DENIED) {
        spd_web_problem(r, rc == SPD_DENIED ? 403 : 404,
                        rc == SPD_DENIED ? "forbidden" : "not_found", SPD_SV_NONE);
    } else if (rc || !spd_str_ok(&answers)) {
        spd_web_problem(r, 503, "busy", SPD_SV_NONE);
    } else if (files) {
        spd_str_add(&r->out, spd_str_sv(&answers));
        r->status = 200, r->type = "application/octet-stream";
    } else {
        spd_j_open(&r->out, NULL, '{');
        spd_j_int(&r->out, "revision", revision);
        spd_str_addz(&r->out, ",\"answers\":");
        spd_str_add(&r->out, spd_str_sv(&answers));
        spd_j_close(&r->out, '}');
        spd_web_json_done(r, 200);
    }
    spd_str_done(&answers);
}
