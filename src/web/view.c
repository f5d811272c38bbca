/* src/web/view.c: the model as the API shows it (design §5): one place for every shape that appears
 * in more than one answer. Models in shadow are left out for whoever may not see them. */
#include "web/web_int.h"

#include <stdio.h>

struct spd_web_eye spd_web_eye(const struct spd_web_req *r)
{
    return (struct spd_web_eye){r->web, r->dutch,
                                (r->who.roles & (SPD_ROLE_MANAGER | SPD_ROLE_ADMIN)) != 0};
}

void spd_web_level(const struct spd_web *w, int level, char ret[32])
{
    static const char *const usual[] = {"", "critical", "urgent", "expedited", "routine"};
    ret[0] = 0;
    if (level < 1) return;
    if (w->host.level_name)
        w->host.level_name(w->host.self, level, ret);
    else
        snprintf(ret, 32, "%s", level < 5 ? usual[level] : "routine");
}

void spd_web_cx_json(struct spd_str *s, const char *key, const struct spd_cx *cx,
                     const char *second)
{
    if (!cx->value.len) {
        spd_j_null(s, key);
        return;
    }
    spd_j_open(s, key, '{');
    spd_j_text(s, "value", cx->value);
    spd_j_text_or_null(s, second, cx->authority);
    spd_j_close(s, '}');
}

/* YYYYMMDD or a prefix of it as ISO 8601 writes it. */
static void birth_date(struct spd_str *s, spd_sv d)
{
    char iso[16];
    bool digits = d.len == 8 || d.len == 6 || d.len == 4;
    for (size_t i = 0; digits && i < d.len; i++)
        digits = d.ptr[i] >= '0' && d.ptr[i] <= '9';
    if (!digits) {
        spd_j_text_or_null(s, "birth_date", d);
        return;
    }
    if (d.len == 8)
        snprintf(iso, sizeof iso, "%.4s-%.2s-%.2s", d.ptr, d.ptr + 4, d.ptr + 6);
    else if (d.len == 6)
        snprintf(iso, sizeof iso, "%.4s-%.2s", d.ptr, d.ptr + 4);
    else
        snprintf(iso, sizeof iso, "%.4s", d.ptr);
    spd_j_z(s, "birth_date", iso);
}

void spd_web_patient(struct spd_str *s, const char *key, const struct spd_patient *p)
{
    spd_j_open(s, key, '{');
    spd_j_open(s, "ids", '[');
    for (size_t i = 0; i < p->ids.n; i++)
        spd_web_cx_json(s, NULL, &p->ids.v[i], "authority");
    spd_j_close(s, ']');
    spd_j_text_or_null(s, "name", p->name);
    birth_date(s, p->birth_date);
    spd_j_text_or_null(s, "sex", p->sex);
    spd_j_close(s, '}');
}

void spd_web_findings(struct spd_str *s, const char *key, const struct spd_finding *f, size_t n)
{
    spd_j_open(s, key, '[');
    for (size_t i = 0; i < n; i++) {
        spd_j_open(s, NULL, '{');
        spd_j_text_or_null(s, "concept", f[i].concept);
        spd_j_text_or_null(s, "text", f[i].code.text.len ? f[i].code.text : f[i].concept);
        spd_j_micro(s, "probability", f[i].probability);
        spd_j_text_or_null(s, "site", f[i].site_text.len ? f[i].site_text : f[i].site);
        spd_j_text_or_null(s, "laterality", f[i].laterality);
        spd_j_z(s, "present", spd_enum_name(spd_present_names, f[i].present));
        if (f[i].measurements.n) {
            spd_j_open(s, "measurements", '[');
            for (size_t k = 0; k < f[i].measurements.n; k++) {
                const struct spd_measurement *m = &f[i].measurements.v[k];
                spd_j_open(s, NULL, '{');
                spd_j_text_or_null(s, "text", m->text.len ? m->text : m->code);
                spd_j_text_or_null(s, "value", m->value);
                spd_j_text_or_null(s, "unit", m->unit);
                spd_j_close(s, '}');
            }
            spd_j_close(s, ']');
        }
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
}

void spd_web_reasons(struct spd_web_eye eye, struct spd_str *s, const struct spd_reason *v,
                     size_t n)
{
    spd_j_open(s, "reasons", '[');
    for (size_t i = 0; i < n; i++) {
        spd_sv text = eye.dutch ? v[i].nl : v[i].en;
        spd_j_open(s, NULL, '{');
        spd_j_text_or_null(s, "rule", v[i].rule);
        spd_j_text(s, "text", text.len ? text : eye.dutch ? v[i].en : v[i].nl);
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
}

bool spd_web_link_ok(spd_sv link)
{
    static const char *const bad[] = {"javascript:", "data:", "vbscript:", "file:", "blob:"};
    for (size_t i = 0; i < link.len; i++)
        if ((unsigned char)link.ptr[i] <= ' ') return false; /* "java\nscript:" */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t n = strlen(bad[i]);
        if (link.len >= n && spd_sv_ieq(spd_sv_of(link.ptr, n), spd_sv_from(bad[i]))) return false;
    }
    return link.len > 0;
}

static void ai(struct spd_web_eye eye, struct spd_str *s, const struct spd_view *v)
{
    const struct spd_zone *zone = eye.web->host.site.zone;
    spd_j_open(s, "ai", '[');
    for (size_t i = 0; i < v->n_ai; i++) {
        const struct spd_view_ai *a = &v->ai[i];
        if (a->mode == SPD_MODE_SHADOW && !eye.shadow) continue;
        spd_j_open(s, NULL, '{');
        spd_j_text_or_null(s, "model", a->model);
        spd_j_text_or_null(s, "name", a->name);
        spd_j_text_or_null(s, "version", a->version);
        spd_j_z(s, "mode", spd_enum_name(spd_mode_names, (int)a->mode));
        spd_j_z(s, "state", spd_enum_name(spd_ai_state_names, (int)a->state));
        spd_web_findings(s, "findings", a->findings, a->n_findings);
        spd_j_time(s, "expected_at", zone, a->expected_at);
        spd_j_time(s, "at", zone, a->at);
        spd_j_bool(s, "required", a->required);
        spd_j_text_or_null(s, "display", a->display);
        spd_j_text_or_null(s, "link", spd_web_link_ok(a->link) ? a->link : SPD_SV_NONE);
        spd_j_texts(s, "notes", a->notes, a->n_notes);
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
}

static void short_alert(struct spd_web_eye eye, struct spd_str *s, const struct spd_alert *a)
{
    char level[32];
    if (!a->id) {
        spd_j_null(s, "alert");
        return;
    }
    spd_web_level(eye.web, a->level, level);
    spd_j_open(s, "alert", '{');
    spd_j_int(s, "id", a->id);
    spd_j_z(s, "level", level);
    spd_j_text_or_null(s, "concept", a->concept);
    spd_j_z(s, "state", spd_enum_name(spd_alert_state_names, a->state));
    spd_j_int(s, "step", a->step);
    spd_j_time(s, "due", eye.web->host.site.zone, a->due);
    if (a->ack_at) {
        spd_j_open(s, "acknowledged", '{');
        spd_j_text_or_null(s, "by", a->ack_by);
        spd_j_time(s, "at", eye.web->host.site.zone, a->ack_at);
        spd_j_text_or_null(s, "how", a->ack_how);
        spd_j_close(s, '}');
    } else {
        spd_j_null(s, "acknowledged");
    }
    spd_j_close(s, '}');
}

static void short_draft(struct spd_web_eye eye, struct spd_str *s, const struct spd_view *v)
{
    const struct spd_draft *d = &v->draft;
    if (!d->id || (d->state != SPD_DRAFT_OFFERED && d->state != SPD_DRAFT_ACCEPTED)) {
        spd_j_null(s, "draft");
        spd_j_text_or_null(s, "no_draft", eye.dutch ? v->item.no_draft_nl : v->item.no_draft_en);
        return;
    }
    spd_j_open(s, "draft", '{');
    spd_j_int(s, "version", d->version);
    spd_j_z(s, "state", spd_enum_name(spd_draft_state_names, d->state));
    spd_j_text_or_null(s, "language", d->language);
    spd_j_texts(s, "models", d->models.v, d->models.n);
    spd_j_texts(s, "missing", d->missing.v, d->missing.n);
    spd_j_close(s, '}');
    spd_j_null(s, "no_draft");
}

static void identity(struct spd_str *s, const struct spd_view *v)
{
    const struct spd_item *i = &v->item;
    spd_web_cx_json(s, "accession", &i->accession, "issuer");
    spd_web_cx_json(s, "placer", &i->placer, "authority");
    spd_web_cx_json(s, "filler", &i->filler, "authority");
    spd_j_texts(s, "study_uids", i->study_uids.v, i->study_uids.n);
    spd_j_open(s, "linked", '[');
    for (size_t k = 0; k < v->n_linked; k++)
        spd_j_int(s, NULL, v->linked[k]);
    spd_j_close(s, ']');
    spd_web_patient(s, "patient", &i->patient);
    spd_j_open(s, "procedures", '[');
    for (size_t k = 0; k < i->procedures.n; k++) {
        spd_j_open(s, NULL, '{');
        spd_j_text_or_null(s, "code", i->procedures.v[k].code);
        spd_j_text_or_null(s, "text", i->procedures.v[k].text);
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
}

void spd_web_item(struct spd_web_eye eye, struct spd_str *s, const struct spd_view *v, size_t rank)
{
    const struct spd_item *i = &v->item;
    const struct spd_zone *zone = eye.web->host.site.zone;
    char level[32] = "";
    if (v->level_name.len)
        snprintf(level, sizeof level, "%.*s", SPD_SV_ARG(v->level_name));
    else
        spd_web_level(eye.web, i->level, level);
    spd_j_int(s, "id", i->id);
    spd_j_id(s, "rank", (int64_t)rank);
    spd_j_z(s, "level", level);
    spd_j_int(s, "level_no", i->level);
    spd_j_time(s, "due", zone, i->due);
    spd_j_time(s, "arrived", zone, i->arrived);
    spd_web_reasons(eye, s, i->reasons.v, i->reasons.n);
    identity(s, v);
    spd_j_text_or_null(s, "modality", i->modality);
    spd_j_text_or_null(s, "body_part", i->body_part);
    spd_j_text_or_null(s, "location", i->location);
    spd_j_text_or_null(s, "patient_class", i->patient_class);
    spd_j_z(s, "order_priority", spd_enum_name(spd_priority_names, i->order_priority));
    ai(eye, s, v);
    spd_j_z(s, "status", spd_enum_name(spd_status_names, (int)v->status));
    spd_j_z(s, "order", spd_enum_name(spd_order_axis_names, i->order));
    spd_j_z(s, "images", spd_enum_name(spd_images_axis_names, i->images));
    spd_j_z(s, "reading", spd_enum_name(spd_reading_axis_names, i->reading));
    spd_j_z(s, "report", spd_enum_name(spd_report_axis_names, i->report));
    spd_j_text_or_null(s, "reader", i->claimed_by);
    spd_j_time(s, "claimed_until", zone, i->claimed_by.len ? i->claim_until : 0);
    short_draft(eye, s, v);
    short_alert(eye, s, &v->alert);
    spd_j_bool(s, "contradiction", i->contradiction != 0);
    spd_j_bool(s, "ask_person", i->ask_person != 0);
    spd_j_id(s, "parked", i->parked);
    spd_j_text_or_null(s, "status_note", i->status_note);
    spd_j_int(s, "revision", i->revision);
}

/* ---- an item that the board no longer has
 * -------------------------------------------------------- */
static enum spd_rc results_of(struct spd_web_req *r, struct spd_store *s, struct spd_view *v,
                              struct spd_err *err)
{
    int64_t *ids;
    size_t n = 0;
    enum spd_rc rc = spd_store_find_all(s, SPD_KEY_RESULT_ITEM, spd_key_i64(r->arena, v->item.id),
                                        &ids, &n, r->arena, err);
    struct spd_view_ai *out = SPD_NEW_N(r->arena, struct spd_view_ai, n + 1);
    for (size_t i = 0; !rc && i < n; i++) {
        struct spd_result res;
        rc = spd_get_result(s, ids[i], &res, r->arena, err);
        if (rc || res.superseded_by) continue;
        out[v->n_ai++] = (struct spd_view_ai){.model = res.model,
                                              .version = res.version,
                                              .name = res.name,
                                              .link = res.link,
                                              .mode = (enum spd_mode)res.mode,
                                              .state = (enum spd_ai_state)res.state,
                                              .findings = res.findings.v,
                                              .n_findings = res.findings.n,
                                              .at = res.at,
                                              .notes = res.notes.v,
                                              .n_notes = res.notes.n};
    }
    v->ai = out;
    return rc;
}

enum spd_rc spd_web_view(struct spd_web_req *r, struct spd_query *q, int64_t item,
                         struct spd_view *v, struct spd_err *err)
{
    struct spd_store *s = spd_query_store(q);
    int64_t *ids;
    size_t n = 0;
    char level[32];
    *v = (struct spd_view){0};
    enum spd_rc rc = spd_get_item(s, item, &v->item, r->arena, err);
    if (rc) return rc;
    v->status = spd_item_status(&v->item);
    spd_web_level(r->web, v->item.level, level);
    v->level_name = spd_arena_dup(r->arena, spd_sv_from(level));
    rc = results_of(r, s, v, err);
    if (!rc)
        rc = spd_store_find_all(s, SPD_KEY_ALERT_ITEM, spd_key_i64(r->arena, item), &ids, &n,
                                r->arena, err);
    if (!rc && n) rc = spd_get_alert(s, ids[n - 1], &v->alert, r->arena, err);
    if (rc) return rc;
    rc = spd_get_draft(s, item, &v->draft, r->arena, err);
    if (rc == SPD_NOTFOUND) v->draft = (struct spd_draft){0}, rc = SPD_OK;
    return rc;
}
