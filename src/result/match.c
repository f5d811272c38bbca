/* src/result/match.c: see match.h. */
#include "result/match.h"

static unsigned char fold(char c, bool on)
{
    return (unsigned char)(on && c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* "*" any run, "?" one character; linear: only the last star is gone back to. ASCII case folded for
 * names. */
static bool wild(spd_sv p, spd_sv t, bool nocase)
{
    size_t pi = 0, ti = 0, star = SIZE_MAX, back = 0;
    while (ti < t.len) {
        if (pi < p.len && p.ptr[pi] == '*')
            star = pi++, back = ti;
        else if (pi < p.len &&
                 (p.ptr[pi] == '?' || fold(p.ptr[pi], nocase) == fold(t.ptr[ti], nocase))) {
            if (p.ptr[pi] == '?') /* one character may be several bytes */
                while (ti + 1 < t.len && ((unsigned char)t.ptr[ti + 1] & 0xC0) == 0x80)
                    ti++;
            pi++, ti++;
        } else if (star != SIZE_MAX)
            pi = star + 1, ti = ++back;
        else
            return false;
    }
    while (pi < p.len && p.ptr[pi] == '*')
        pi++;
    return pi == p.len;
}

/* Trailing empty components of a name do not count: "Jansen^Piet^^" is "Jansen^Piet". */
static spd_sv name_part(spd_sv v)
{
    while (v.len && (v.ptr[v.len - 1] == '^' || v.ptr[v.len - 1] == '=' || v.ptr[v.len - 1] == ' '))
        v.len--;
    return v;
}

/* Compares to the precision of the shorter: "1430" against "143015" is equal. */
static int compare_prefix(spd_sv a, spd_sv b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    return n ? memcmp(a.ptr, b.ptr, n) : 0;
}

static bool in_range(spd_sv key, spd_sv value)
{
    size_t dash;
    if (!spd_sv_find(key, SPD_SV("-"), &dash)) return compare_prefix(key, value) == 0;
    spd_sv from = spd_sv_trim(spd_sv_of(key.ptr, dash)),
           to = spd_sv_trim(spd_sv_of(key.ptr + dash + 1, key.len - dash - 1));
    return (!from.len || compare_prefix(from, value) <= 0) &&
           (!to.len || compare_prefix(to, value) >= 0);
}

static bool one_value(const char *vr, spd_sv key, spd_sv value)
{
    if (!strcmp(vr, "DA") || !strcmp(vr, "TM") || !strcmp(vr, "DT")) return in_range(key, value);
    if (!strcmp(vr, "UI")) return spd_sv_eq(key, value);
    if (!strcmp(vr, "PN")) return wild(name_part(key), name_part(value), true);
    return wild(key, value, false);
}

bool spd_key_matches(const char *vr, spd_sv key, spd_sv value)
{
    spd_sv rest = key;
    if (!rest.len || spd_sv_is(rest, "*"))
        return true; /* a lone "*" also matches what is not known */
    if (!value.len) return false;
    for (;;) { /* any of a list */
        size_t at;
        bool more = spd_sv_find(rest, SPD_SV("\\"), &at);
        spd_sv one = spd_sv_trim(more ? spd_sv_of(rest.ptr, at) : rest);
        if (one.len && one_value(vr, one, value)) return true;
        if (!more) return false;
        rest.ptr += at + 1, rest.len -= at + 1;
    }
}
