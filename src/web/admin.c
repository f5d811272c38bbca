/* src/web/admin.c: models, policy, discrepancies, technical alarms and accounts. */
#include "web/web_int.h"

#include "base/hash.h"
#include "base/password.h"

/* ---- made in the writer thread
 * --------------------------------------------------------------------- */
static void version(struct spd_str *s, const struct spd_zone *zone,
                    const struct spd_model_version *v)
{
    spd_j_open(s, NULL, '{');
    spd_j_text(s, "version", v->version);
    spd_j_z(s, "mode", spd_enum_name(spd_mode_names, v->mode));
    spd_j_time(s, "since", zone, v->since);
    spd_j_text_or_null(s, "by", v->by);
    spd_j_text_or_null(s, "reason", v->reason);
    spd_j_int(s, "results", v->results);
    spd_j_int(s, "positives", v->positives);
    spd_j_int(s, "late", v->late);
    spd_j_time(s, "last_result", zone, v->last_result);
    spd_j_close(s, '}');
}

static bool listed_version(const struct spd_model *m, spd_sv v)
{
    for (size_t i = 0; i < m->n_versions; i++)
        if (spd_sv_eq(m->versions[i], v)) return true;
    return false;
}

static void versions(struct spd_str *s, const struct spd_model *m,
                     const struct spd_model_version *seen, size_t n, const struct spd_zone *zone)
{
    spd_j_open(s, "versions", '[');
    for (size_t i = 0; i < m->n_versions; i++) {
        struct spd_model_version none = {.version = m->versions[i], .mode = (int32_t)m->mode};
        const struct spd_model_version *v = &none;
        for (size_t k = 0; k < n; k++)
            if (spd_sv_eq(seen[k].model, m->id) && spd_sv_eq(seen[k].version, m->versions[i]))
                v = &seen[k];
        version(s, zone, v);
    }
    for (size_t k = 0; k < n; k++)
        if (spd_sv_eq(seen[k].model, m->id) && !listed_version(m, seen[k].version))
            version(s, zone, &seen[k]);
    spd_j_close(s, ']');
}

void spd_web_models_json(const struct spd_models *m, struct spd_store *store,
                         const struct spd_zone *zone, struct spd_str *s)
{
    struct {
        struct spd_model_version *v;
        size_t n;
    } seen = {0};
    struct spd_arena *arena = spd_arena_new(16u << 20);
    int64_t ids[200], after = 0;
    size_t n = 0;
    if (!arena) spd_out_of_memory();
    do {
        if (!store || spd_store_scan(store, SPD_T_MODEL_VERSION, after, false, ids, 200, &n, NULL))
            break;
        for (size_t i = 0; i < n; i++) {
            struct spd_model_version *v = SPD_LIST_ADD(&seen, arena);
            after = ids[i];
            if (spd_get_model_version(store, ids[i], v, arena, NULL)) seen.n--;
        }
    } while (n == 200);
    spd_j_open(s, NULL, '[');
    for (size_t i = 0; m && i < spd_models_n(m); i++) {
        const struct spd_model *x = spd_models_at(m, i);
        spd_j_open(s, NULL, '{');
        spd_j_text(s, "id", x->id);
        spd_j_text_or_null(s, "manufacturer", x->manufacturer);
        spd_j_text_or_null(s, "name", x->name);
        spd_j_z(s, "mode", spd_enum_name(spd_mode_names, (int)x->mode));
        spd_j_bool(s, "required", x->required);
        spd_j_text_or_null(s, "expected_within", spd_duration_text(arena, x->expected_within));
        spd_j_text_or_null(s, "link", x->link);
        spd_j_open(s, "findings", '[');
        for (size_t k = 0; k < x->n_findings; k++) {
            spd_j_open(s, NULL, '{');
            spd_j_text(s, "concept", x->findings[k].concept);
            spd_j_micro(s, "threshold", x->findings[k].threshold);
            spd_j_close(s, '}');
        }
        spd_j_close(s, ']');
        versions(s, x, seen.v, seen.n, zone);
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
    spd_arena_free(arena);
}

void spd_web_policy_json(const struct spd_policy *p, bool dutch, struct spd_str *s)
{
    struct spd_arena *arena = spd_arena_new(4u << 20);
    if (!arena) spd_out_of_memory();
    spd_j_open(s, NULL, '{');
    spd_j_text_or_null(s, "hash", p ? spd_policy_hash(p) : SPD_SV_NONE);
    spd_j_open(s, "levels", '[');
    for (int i = 1; p && i <= spd_policy_levels(p); i++) {
        spd_usec wait = spd_policy_max_wait(p, i);
        spd_j_open(s, NULL, '{');
        spd_j_text(s, "name", spd_policy_level_name(p, i));
        spd_j_text_or_null(s, "max_wait", wait ? spd_duration_text(arena, wait) : SPD_SV_NONE);
        spd_j_close(s, '}');
    }
    spd_j_close(s, ']');
    spd_j_open(s, "rules", '[');
    for (size_t i = 0; p && i < spd_policy_rules(p); i++)
        spd_j_text(s, NULL, spd_policy_rule_sentence(p, i, dutch, arena));
    spd_j_close(s, ']');
    spd_j_close(s, '}');
    spd_arena_free(arena);
}

/* ---- routes
 * ------------------------------------------------------------------------------------------ */
static void envelope(struct spd_web_req *r)
{
    const struct spd_list *l = spd_board_get(r->web->host.board);
    spd_web_list_open(r, l ? spd_list_revision(l) : 0, spd_web_now(r->web));
    spd_list_unref(l);
}

void spd_web_h_models(struct spd_web_req *r)
{
    struct spd_web_host *h = &r->web->host;
    struct spd_str all = SPD_STR_INIT(16u << 20);
    if (h->models_json) h->models_json(h->self, r->dutch, &all);
    if (!all.len) spd_str_addz(&all, "[]");
    if (!r->name.len) {
        envelope(r);
        spd_str_addz(&r->out, ",\"models\":");
        spd_str_add(&r->out, spd_str_sv(&all));
        spd_j_close(&r->out, '}');
        spd_web_json_done(r, 200);
        spd_str_done(&all);
        return;
    }
    json_t *list = json_loadb(all.ptr, all.len, 0, NULL), *found = NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *id = json_object_get(json_array_get(list, i), "id");
        if (spd_sv_eq(spd_sv_of(json_string_value(id), json_string_length(id)), r->name))
            found = json_array_get(list, i);
    }
    char *text = found ? json_dumps(found, JSON_COMPACT) : NULL;
    if (text) {
        spd_str_addz(&r->out, text);
        spd_web_json_done(r, 200);
        json_free_t release;
        json_get_alloc_funcs(NULL, &release);
        release(text);
    } else {
        spd_web_problem(r, 404, "not_found", SPD_SV_NONE);
    }
    json_decref(list);
    spd_str_done(&all);
}

void spd_web_h_model_mode(struct spd_web_req *r)
{
    static const char *const fields[] = {"version", "mode", "reason", NULL};
    struct spd_action_event a = {.verb = SPD_ACT_SET_MODE, .model = r->name};
    struct spd_event event = {.type = SPD_EVENT_ACTION, .u.action = &a};
    struct spd_web_done done;
    json_t *o = spd_web_body(r);
    if (!o) return;
    bool ok = spd_web_only(r, o, fields) &&
              spd_web_text(r, o, "version", true, 64, &a.model_version) &&
              spd_web_text(r, o, "mode", true, 16, &a.mode) &&
              spd_web_text(r, o, "reason", true, 2000, &a.model_reason);
    json_decref(o);
    if (ok && spd_enum_from(spd_mode_names, a.mode) < 1) {
        spd_web_bad_value(r, "mode");
        return;
    }
    a.reason = a.model_reason;
    spd_web_action(r, &a);
    if (ok && spd_web_submit(r, &event, &done)) spd_web_done_json(r, &done);
}

void spd_web_h_policy(struct spd_web_req *r)
{
    struct spd_web_host *h = &r->web->host;
    envelope(r);
    spd_str_addz(&r->out, ",\"policy\":");
    size_t before = r->out.len;
    if (h->policy_json) h->policy_json(h->self, r->dutch, &r->out);
    if (r->out.len == before) spd_str_addz(&r->out, "{}");
    spd_j_close(&r->out, '}');
    spd_web_json_done(r, 200);
}

void spd_web_h_discrepancies(struct spd_web_req *r)
{
    struct spd_query *q;
    struct spd_query_page page;
    struct spd_err err = {0};
    int64_t *ids = SPD_NEW_N(r->arena, int64_t, 1000);
    size_t n = 0;
    if (!spd_web_page(r, 200, &page) || !(q = spd_web_db(r))) return;
    enum spd_rc rc =
        spd_query_discrepancies(q, !spd_sv_is(spd_web_arg(r, "state"), "all"), page, ids, &n, &err);
    envelope(r);
    spd_j_open(&r->out, "discrepancies", '[');
    for (size_t i = 0; !rc && i < n; i++) {
        struct spd_discrepancy d;
        if ((rc = spd_get_discrepancy(spd_query_store(q), ids[i], &d, r->arena, &err))) break;
        spd_j_open(&r->out, NULL, '{');
        spd_j_int(&r->out, "id", d.id);
        spd_j_time(&r->out, "at", r->web->host.site.zone, d.at);
        spd_j_id(&r->out, "item", d.item);
        spd_j_id(&r->out, "result", d.result);
        spd_j_text(&r->out, "why", d.why);
        spd_j_text_or_null(&r->out, "concept", d.concept);
        spd_j_time(&r->out, "closed", r->web->host.site.zone, d.closed);
        spd_j_close(&r->out, '}');
    }
    spd_j_close(&r->out, ']');
    if (n == page.limit) spd_j_text(&r->out, "next", spd_key_i64(r->arena, ids[n - 1]));
    spd_j_close(&r->out, '}');
    if (rc)
        spd_web_store_failed(r, rc);
    else
        spd_web_json_done(r, 200);
}

void spd_web_h_alarms(struct spd_web_req *r)
{
    struct spd_query *q = spd_web_db(r);
    struct spd_err err = {0};
    int64_t *ids;
    size_t n = 0;
    if (!q) return;
    enum spd_rc rc = spd_store_find_all(spd_query_store(q), SPD_KEY_ALARM_ANY_OPEN, SPD_SV("1"),
                                        &ids, &n, r->arena, &err);
    envelope(r);
    spd_j_open(&r->out, "alarms", '[');
    for (size_t i = 0; !rc && i < n; i++) {
        struct spd_alarm a;
        if ((rc = spd_get_alarm(spd_query_store(q), ids[i], &a, r->arena, &err))) break;
        spd_j_open(&r->out, NULL, '{');
        spd_j_int(&r->out, "id", a.id);
        spd_j_text(&r->out, "kind", a.kind);
        spd_j_text_or_null(&r->out, "subject", a.subject);
        spd_j_text(&r->out, "text", r->dutch ? a.nl : a.en);
        spd_j_time(&r->out, "since", r->web->host.site.zone, a.since);
        spd_j_time(&r->out, "last", r->web->host.site.zone, a.last);
        spd_j_time(&r->out, "until", r->web->host.site.zone, a.until);
        spd_j_int(&r->out, "count", a.count);
        spd_j_close(&r->out, '}');
    }
    spd_j_close(&r->out, ']');
    spd_j_close(&r->out, '}');
    if (rc)
        spd_web_store_failed(r, rc);
    else
        spd_web_json_done(r, 200);
}

/* ---- accounts
 * ---------------------------------------------------------------------------------------- */
void spd_web_h_users(struct spd_web_req *r)
{
    struct spd_query *q = spd_web_db(r);
    struct spd_err err = {0};
    int64_t ids[200], after = 0;
    size_t n = 0;
    enum spd_rc rc = SPD_OK;
    if (!q) return;
    envelope(r);
    spd_j_open(&r->out, "users", '[');
    do {
        rc = spd_store_scan(spd_query_store(q), SPD_T_USER, after, false, ids, 200, &n, &err);
        for (size_t i = 0; !rc && i < n; i++) {
            struct spd_user u;
            after = ids[i];
            if ((rc = spd_get_user(spd_query_store(q), ids[i], &u, r->arena, &err))) break;
            spd_j_open(&r->out, NULL, '{');
            spd_j_text(&r->out, "name", u.name);
            spd_j_texts(&r->out, "roles", u.roles.v, u.roles.n);
            spd_j_time(&r->out, "created", r->web->host.site.zone, u.created);
            spd_j_bool(&r->out, "disabled", u.disabled != 0);
            spd_j_bool(&r->out, "password", u.password.len > 0);
            spd_j_int(&r->out, "tokens", (int64_t)u.tokens.n);
            spd_j_close(&r->out, '}');
        }
    } while (!rc && n == 200);
    spd_j_close(&r->out, ']');
    spd_j_close(&r->out, '}');
    if (rc)
        spd_web_store_failed(r, rc);
    else
        spd_web_json_done(r, 200);
}

static bool read_roles(struct spd_web_req *r, const json_t *v, struct spd_user *u)
{
    bool ok = json_is_array(v) && json_array_size(v) > 0 && json_array_size(v) <= 6;
    for (size_t i = 0; ok && i < json_array_size(v); i++) {
        const json_t *one = json_array_get(v, i);
        spd_sv name = spd_sv_of(json_string_value(one), json_string_length(one));
        unsigned bit = json_is_string(one) ? spd_web_roles(name) : 0;
        ok = bit && strlen(spd_web_role_name(bit)) == name.len;
        if (ok) *SPD_LIST_ADD(&u->roles, r->arena) = spd_sv_from(spd_web_role_name(bit));
    }
    if (!ok) spd_web_bad_value(r, "roles");
    return ok;
}

static bool plain_name(spd_sv v)
{
    for (size_t i = 0; i < v.len; i++)
        if ((unsigned char)v.ptr[i] <= ' ' || v.ptr[i] == 127 || v.ptr[i] == ',') return false;
    return v.len > 0;
}

static bool read_user(struct spd_web_req *r, const json_t *o, struct spd_user_event *e,
                      spd_sv *ret_token)
{
    static const char *const fields[] = {"name", "roles", "password", "token", "disabled", NULL};
    struct spd_user *u = &e->user;
    spd_sv password, label;
    if (!spd_web_only(r, o, fields) || !spd_web_text(r, o, "name", true, 64, &u->name) ||
        !spd_web_text(r, o, "password", false, SPD_PASSWORD_MAX, &password) ||
        !spd_web_text(r, o, "token", false, 64, &label) ||
        !read_roles(r, json_object_get(o, "roles"), u))
        return false;
    if (!plain_name(u->name)) return spd_web_bad_value(r, "name"), false;
    if (password.len && password.len < 8) return spd_web_bad_value(r, "password"), false;
    e->remove = json_is_true(json_object_get(o, "disabled"));
    if (password.len && spd_password_hash(password, SPD_PASSWORD_N, &u->password, r->arena, NULL))
        return spd_web_bad_value(r, "password"), false;
    if (label.len) {
        unsigned char raw[32];
        spd_random(raw, sizeof raw);
        *ret_token = spd_base64url(r->arena, raw, sizeof raw);
        *SPD_LIST_ADD(&u->tokens, r->arena) =
            (struct spd_token){.hash = spd_sha256_hex(r->arena, *ret_token), .label = label};
    }
    return true;
}

/* Adds an account, or changes one: the core keeps what is not given (password, tokens). */
void spd_web_h_user_post(struct spd_web_req *r)
{
    struct spd_user_event e = {.by = r->who.name};
    struct spd_event event = {.type = SPD_EVENT_USER, .u.user = &e};
    struct spd_web_done done;
    struct spd_query *q;
    spd_sv token = SPD_SV_NONE;
    int64_t id;
    json_t *o = spd_web_body(r);
    if (!o) return;
    bool ok = read_user(r, o, &e, &token);
    json_decref(o);
    if (!ok || !(q = spd_web_db(r))) return;
    if (!e.user.password.len && !e.user.tokens.n &&
        spd_store_find_one(spd_query_store(q), SPD_KEY_USER_NAME, e.user.name, &id, NULL)) {
        spd_web_bad_value(r, "password"); /* a new one with which nobody could log in */
        return;
    }
    if (!spd_web_submit(r, &event, &done)) return;
    spd_j_open(&r->out, NULL, '{');
    spd_j_int(&r->out, "revision", done.revision);
    spd_j_text(&r->out, "name", e.user.name);
    if (token.len) spd_j_text(&r->out, "token", token); /* this once */
    spd_j_close(&r->out, '}');
    spd_web_json_done(r, 200);
}
