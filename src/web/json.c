/* src/web/json.c: JSON out, written straight into the answer. Whether a comma is due is read off
 * the text so far: after anything but an opening bracket or a colon. No numbers in floating point.
 */
#include "web/web_int.h"

void spd_j_sep(struct spd_str *s)
{
    char last = s->len ? s->ptr[s->len - 1] : '[';
    if (last != '{' && last != '[' && last != ':') spd_str_addc(s, ',');
}

static void key(struct spd_str *s, const char *k)
{
    spd_j_sep(s);
    if (!k) return;
    spd_str_addc(s, '"');
    spd_str_addz(s, k);
    spd_str_addz(s, "\":");
}

void spd_j_open(struct spd_str *s, const char *k, char bracket)
{
    key(s, k);
    spd_str_addc(s, bracket);
}

void spd_j_close(struct spd_str *s, char bracket)
{
    spd_str_addc(s, bracket);
}

void spd_j_text(struct spd_str *s, const char *k, spd_sv v)
{
    key(s, k);
    /* A sender's bytes that are no UTF-8 must not make the whole answer unreadable. */
    if (spd_sv_is_utf8(v)) {
        spd_str_json(s, v);
        return;
    }
    struct spd_str safe = SPD_STR_INIT(v.len + 1);
    for (size_t i = 0; i < v.len; i++)
        spd_str_addc(&safe, v.ptr[i] & 0x80 || !v.ptr[i] ? '?' : v.ptr[i]);
    spd_str_json(s, spd_str_sv(&safe));
    spd_str_done(&safe);
}

void spd_j_null(struct spd_str *s, const char *k)
{
    key(s, k);
    spd_str_addz(s, "null");
}

void spd_j_text_or_null(struct spd_str *s, const char *k, spd_sv v)
{
    if (v.len)
        spd_j_text(s, k, v);
    else
        spd_j_null(s, k);
}

void spd_j_z(struct spd_str *s, const char *k, const char *z)
{
    spd_j_text_or_null(s, k, spd_sv_from(z));
}

void spd_j_int(struct spd_str *s, const char *k, int64_t v)
{
    key(s, k);
    spd_str_addi(s, v);
}

void spd_j_id(struct spd_str *s, const char *k, int64_t v)
{
    if (v)
        spd_j_int(s, k, v);
    else
        spd_j_null(s, k);
}

void spd_j_bool(struct spd_str *s, const char *k, bool v)
{
    key(s, k);
    spd_str_addz(s, v ? "true" : "false");
}

void spd_j_micro(struct spd_str *s, const char *k, int64_t v)
{
    char digits[8];
    size_t n = 6;
    if (v < 0) {
        spd_j_null(s, k);
        return;
    }
    spd_j_int(s, k, v / 1000000);
    for (int64_t rest = v % 1000000, i = 5; i >= 0; i--, rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    while (n && digits[n - 1] == '0')
        n--;
    if (n) spd_str_addc(s, '.'), spd_str_add(s, spd_sv_of(digits, n));
}

void spd_j_time(struct spd_str *s, const char *k, const struct spd_zone *zone, spd_usec t)
{
    if (!t) {
        spd_j_null(s, k);
        return;
    }
    struct spd_arena *arena = spd_arena_new(1024);
    if (!arena) spd_out_of_memory();
    spd_j_text(s, k, spd_time_iso(arena, zone, t));
    spd_arena_free(arena);
}

void spd_j_texts(struct spd_str *s, const char *k, const spd_sv *v, size_t n)
{
    spd_j_open(s, k, '[');
    for (size_t i = 0; i < n; i++)
        spd_j_text(s, NULL, v[i]);
    spd_j_close(s, ']');
}

void spd_web_list_open(struct spd_web_req *r, int64_t revision, spd_usec now)
{
    spd_j_open(&r->out, NULL, '{');
    spd_j_int(&r->out, "revision", revision);
    spd_j_time(&r->out, "now", r->web->host.site.zone, now);
}

void spd_web_json_done(struct spd_web_req *r, int status)
{
    spd_str_addc(&r->out, '\n');
    r->status = status;
    r->type = "application/json";
}

void spd_web_done_json(struct spd_web_req *r, const struct spd_web_done *done)
{
    spd_j_open(&r->out, NULL, '{');
    spd_j_int(&r->out, "revision", done->revision);
    if (done->id) spd_j_int(&r->out, "id", done->id);
    if (done->reason[0]) spd_j_z(&r->out, "reason", done->reason);
    if (done->text[0]) spd_j_z(&r->out, "text", done->text);
    spd_j_close(&r->out, '}');
    spd_web_json_done(r, 200);
}
