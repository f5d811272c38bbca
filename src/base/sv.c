/* src/base/sv.c: see sv.h. */
#include "base/sv.h"

static char low(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

int spd_sv_cmp(spd_sv a, spd_sv b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

bool spd_sv_ieq(spd_sv a, spd_sv b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (low(a.ptr[i]) != low(b.ptr[i])) return false;
    return true;
}

bool spd_sv_starts(spd_sv a, spd_sv prefix)
{
    return a.len >= prefix.len && spd_sv_eq(spd_sv_of(a.ptr, prefix.len), prefix);
}

bool spd_sv_find(spd_sv a, spd_sv needle, size_t *ret_at)
{
    if (needle.len > a.len) return false;
    for (size_t i = 0; i + needle.len <= a.len; i++)
        if (needle.len == 0 || memcmp(a.ptr + i, needle.ptr, needle.len) == 0) {
            if (ret_at) *ret_at = i;
            return true;
        }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

spd_sv spd_sv_trim(spd_sv a)
{
    while (a.len && is_blank(a.ptr[0]))
        a.ptr++, a.len--;
    while (a.len && is_blank(a.ptr[a.len - 1]))
        a.len--;
    return a;
}

bool spd_sv_to_i64(spd_sv a, int64_t *ret)
{
    bool neg = a.len && a.ptr[0] == '-';
    uint64_t v = 0, max = (uint64_t)INT64_MAX + (neg ? 1 : 0);
    size_t i = neg ? 1 : 0;
    if (i == a.len) return false;
    for (; i < a.len; i++) {
        unsigned d = (unsigned)(a.ptr[i] - '0');
        if (d > 9 || v > (max - d) / 10) return false;
        v = v * 10 + d;
    }
    *ret = neg ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool spd_sv_to_micro(spd_sv a, int64_t *ret)
{
    size_t i = 0, digits = 0;
    bool neg = false, dot = false, round_up = false;
    int64_t v = 0;
    int scale = 0, exp = 0; /* value = v * 10^(exp - scale) */
    a = spd_sv_trim(a);
    if (i < a.len && (a.ptr[i] == '-' || a.ptr[i] == '+')) neg = a.ptr[i++] == '-';
    for (; i < a.len; i++) {
        char c = a.ptr[i];
        if (c == '.' && !dot) {
            dot = true;
        } else if (c >= '0' && c <= '9') {
            digits++;
            if (v < 100000000000000000) { /* room for one more digit */
                v = v * 10 + (c - '0');
                if (dot) scale++;
            } else if (!dot) {
                return false;
            }
        } else {
            break;
        }
    }
    if (!digits) return false;
    if (i < a.len && (a.ptr[i] == 'e' || a.ptr[i] == 'E')) {
        int64_t e;
        spd_sv t = spd_sv_of(a.ptr + i + 1, a.len - i - 1);
        if (t.len && t.ptr[0] == '+') t.ptr++, t.len--;
        if (!spd_sv_to_i64(t, &e) || e < -400 || e > 400) return false;
        exp = (int)e;
        i = a.len;
    }
    if (i != a.len) return false;
    for (int p = exp - scale + 6; p != 0 && v != 0;) {
        if (p > 0) {
            if (v > 900000000000000000 / 10) return false;
            v *= 10, p--;
        } else {
            round_up = v % 10 >= 5;
            v /= 10, p++;
            if (p == 0 && round_up) v++;
        }
    }
    if (v > 9000000000000000000 / 1000000 * 1000000) return false;
    *ret = neg ? -v : v;
    return true;
}

bool spd_sv_is_utf8(spd_sv a)
{
    const unsigned char *s = (const unsigned char *)a.ptr;
    for (size_t i = 0; i < a.len;) {
        unsigned char c = s[i];
        size_t n = c < 0x80 ? 1 : c >= 0xC2 && c <= 0xDF ? 2 : (c & 0xF0) == 0xE0 ? 3 : 4;
        if (c == 0 || (n == 4 && (c < 0xF0 || c > 0xF4)) || i + n > a.len) return false;
        for (size_t k = 1; k < n; k++)
            if ((s[i + k] & 0xC0) != 0x80) return false;
        if ((c == 0xE0 && s[i + 1] < 0xA0) || (c == 0xED && s[i + 1] > 0x9F) ||
            (c == 0xF0 && s[i + 1] < 0x90) || (c == 0xF4 && s[i + 1] > 0x8F))
            return false;
        i += n;
    }
    return true;
}

uint64_t spd_sv_hash(spd_sv a)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < a.len; i++)
        h = (h ^ (unsigned char)a.ptr[i]) * 1099511628211u;
    return h;
}
