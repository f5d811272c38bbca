/* src/web/body.c: request bodies: JSON within limits, and the one form that a page link posts.
 *
 * Limits before the parser: size (the server), depth 32, 20,000 values; the parser itself refuses
 * duplicate keys, bad UTF-8, NUL and trailing bytes. */
#include "web/web_int.h"

enum { DEPTH_MAX = 32, VALUES_MAX = 20000 };

static enum spd_rc shape(spd_sv t, struct spd_err *err)
{
    size_t depth = 0, values = 0;
    bool text = false;
    for (size_t i = 0; i < t.len; i++) {
        char c = t.ptr[i];
        if (text) {
            if (c == '\\')
                i++;
            else if (c == '"')
                text = false;
        } else if (c == '"') {
            text = true;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX) return spd_fail(err, SPD_LIMIT, "", "nested too deeply");
        } else if (c == '}' || c == ']') {
            if (depth) depth--;
        } else if (c == ',' && ++values > VALUES_MAX) {
            return spd_fail(err, SPD_LIMIT, "", "too many values");
        }
    }
    return SPD_OK;
}

enum spd_rc spd_web_json_read(spd_sv t, json_t **ret, struct spd_err *err)
{
    json_error_t e;
    enum spd_rc rc = shape(t, err);
    if (rc) return rc;
    *ret = json_loadb(t.ptr ? t.ptr : "", t.len, JSON_REJECT_DUPLICATES, &e);
    if (*ret) return SPD_OK;
    if (json_error_code(&e) == json_error_out_of_memory) spd_out_of_memory();
    return spd_fail(err, SPD_INVALID, "", "line %d column %d", e.line, e.column);
}

json_t *spd_web_body(struct spd_web_req *r)
{
    struct spd_err err = {0};
    json_t *o = NULL;
    spd_sv t = spd_sv_trim(spd_str_sv(&r->body));
    if (!t.len) {
        o = json_object();
        if (!o) spd_out_of_memory();
        return o;
    }
    if (spd_web_json_read(t, &o, &err)) {
        spd_web_problem(r, 400, "bad_json", SPD_SV_NONE);
        return NULL;
    }
    if (!json_is_object(o)) {
        json_decref(o);
        spd_web_problem(r, 400, "bad_json", SPD_SV_NONE);
        return NULL;
    }
    return o;
}

bool spd_web_text(struct spd_web_req *r, const json_t *o, const char *field, bool required,
                  size_t max, spd_sv *ret)
{
    const json_t *v = json_object_get(o, field);
    *ret = SPD_SV_NONE;
    if (!v || json_is_null(v)) {
        if (!required) return true;
    } else if (json_is_string(v)) {
        spd_sv t = spd_sv_of(json_string_value(v), json_string_length(v));
        if (t.len <= max && (!required || spd_sv_trim(t).len)) {
            *ret = spd_arena_dup(r->arena, t);
            return true;
        }
    }
    spd_web_bad_value(r, field);
    return false;
}

bool spd_web_only(struct spd_web_req *r, const json_t *o, const char *const *fields)
{
    const char *k;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, k, v)
    {
        const char *const *f = fields;
        while (*f && strcmp(*f, k))
            f++;
        if (*f) continue;
        spd_web_problem(r, 422, "bad_value",
                        r->dutch ? SPD_SV("Er staat een onbekend veld in.")
                                 : SPD_SV("There is an unknown field in it."));
        return false;
    }
    return true;
}

bool spd_web_cx(struct spd_web_req *r, const json_t *v, spd_sv authority, struct spd_cx *ret)
{
    *ret = (struct spd_cx){0};
    if (!v || json_is_null(v)) return true;
    ret->authority = authority;
    const json_t *value = json_is_object(v) ? json_object_get(v, "value") : v;
    const json_t *by = json_is_object(v) ? json_object_get(v, "authority") : NULL;
    if (json_is_object(v) && !by) by = json_object_get(v, "issuer");
    if (!json_is_string(value) || json_string_length(value) > 128) return false;
    ret->value = spd_arena_dup(
        r->arena, spd_sv_trim(spd_sv_of(json_string_value(value), json_string_length(value))));
    if (by && !json_is_null(by)) {
        if (!json_is_string(by) || json_string_length(by) > 128) return false;
        if (json_string_length(by))
            ret->authority =
                spd_arena_dup(r->arena, spd_sv_of(json_string_value(by), json_string_length(by)));
    }
    if (!ret->value.len) ret->authority = SPD_SV_NONE;
    return true;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

spd_sv spd_web_form(struct spd_arena *arena, spd_sv body, const char *field)
{
    size_t flen = strlen(field);
    for (size_t at = 0; at < body.len;) {
        size_t end = at;
        while (end < body.len && body.ptr[end] != '&')
            end++;
        spd_sv pair = spd_sv_of(body.ptr + at, end - at);
        at = end + 1;
        if (pair.len <= flen || memcmp(pair.ptr, field, flen) || pair.ptr[flen] != '=') continue;
        char *out = spd_arena_must(arena, pair.len + 1);
        size_t n = 0;
        for (size_t i = flen + 1; i < pair.len; i++) {
            char c = pair.ptr[i];
            if (c == '+') c = ' ';
            if (c == '%' && i + 2 < pair.len && hex(pair.ptr[i + 1]) >= 0 &&
                hex(pair.ptr[i + 2]) >= 0) {
                c = (char)(hex(pair.ptr[i + 1]) * 16 + hex(pair.ptr[i + 2]));
                i += 2;
            }
            out[n++] = c;
        }
        spd_sv v = spd_sv_of(out, n);
        return spd_sv_is_utf8(v) ? v : SPD_SV_NONE;
    }
    return SPD_SV_NONE;
}
