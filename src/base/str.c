/* src/base/str.c: see str.h. */
#define _GNU_SOURCE
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGE = 4096, LONG = 64 * 1024 };

void spd_str_done(struct spd_str *s)
{
    if (s->ptr) {
        explicit_bzero(s->ptr, s->cap);
        free(s->ptr);
    }
    s->ptr = NULL;
    s->len = s->cap = 0;
    s->rc = SPD_OK;
}

void spd_str_clear(struct spd_str *s)
{
    s->len = 0;
    s->rc = SPD_OK;
    if (s->ptr) s->ptr[0] = 0;
}

/* Doubled while it is short; a long one by half, or to just what is wanted: it may be a whole
 * message, and what is made too large is wiped, and so takes memory, in the end. */
static size_t larger(const struct spd_str *s, size_t n)
{
    size_t want = s->len + n + 1, cap = s->cap ? s->cap : 32;
    if (want > LONG) {
        cap += cap / 2;
        if (cap < want) cap = (want + PAGE - 1) & ~(size_t)(PAGE - 1);
        return cap;
    }
    do
        cap *= 2;
    while (cap < want);
    return cap;
}

static bool room(struct spd_str *s, size_t n)
{
    if (s->rc) return false;
    if (n > s->max || s->len > s->max - n) {
        s->rc = SPD_LIMIT;
        return false;
    }
    if (s->cap - s->len <= n) {
        size_t cap = larger(s, n);
        char *p = malloc(cap);
        if (!p) {
            s->rc = SPD_NOMEM;
            return false;
        }
        if (s->len) memcpy(p, s->ptr, s->len);
        if (s->ptr) {
            explicit_bzero(s->ptr, s->cap);
            free(s->ptr);
        }
        s->ptr = p, s->cap = cap;
    }
    return true;
}

void spd_str_add(struct spd_str *s, spd_sv v)
{
    if (!room(s, v.len)) return;
    if (v.len) memcpy(s->ptr + s->len, v.ptr, v.len);
    s->len += v.len;
    s->ptr[s->len] = 0;
}

void spd_str_addz(struct spd_str *s, const char *z)
{
    spd_str_add(s, spd_sv_from(z));
}

void spd_str_addc(struct spd_str *s, char c)
{
    spd_str_add(s, spd_sv_of(&c, 1));
}

void spd_str_addi(struct spd_str *s, int64_t v)
{
    char buf[24], *p = buf + sizeof buf;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do
        *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (v < 0) *--p = '-';
    spd_str_add(s, spd_sv_of(p, (size_t)(buf + sizeof buf - p)));
}

void spd_str_addf(struct spd_str *s, const char *fmt, ...)
{
    va_list ap, again;
    int n;
    size_t left = s->rc ? 0 : s->cap - s->len;
    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(left ? s->ptr + s->len : NULL, left, fmt, ap);
    if (n < 0) {
        if (!s->rc) s->rc = SPD_BUG;
    } else if ((size_t)n < left && (size_t)n <= s->max - s->len) { /* it was mostly room enough */
        s->len += (size_t)n;
    } else if (room(s, (size_t)n)) {
        vsnprintf(s->ptr + s->len, (size_t)n + 1, fmt, again);
        s->len += (size_t)n;
    } else if (left) {
        s->ptr[s->len] = 0; /* what did not fit is not there */
    }
    va_end(again);
    va_end(ap);
}

void spd_str_json(struct spd_str *s, spd_sv v)
{
    size_t from = 0;
    spd_str_addc(s, '"');
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
        spd_str_add(s, spd_sv_of(v.ptr + from, i - from));
        from = i + 1;
        if (c == '"' || c == '\\')
            spd_str_addc(s, '\\'), spd_str_addc(s, (char)c);
        else if (c == '\n')
            spd_str_addz(s, "\\n");
        else if (c == '\r')
            spd_str_addz(s, "\\r");
        else if (c == '\t')
            spd_str_addz(s, "\\t");
        else
            spd_str_addf(s, "\\u%04x", c);
    }
    spd_str_add(s, spd_sv_of(v.ptr + from, v.len - from));
    spd_str_addc(s, '"');
}
