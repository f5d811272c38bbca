/* hl7/map/read.c: text, identifiers, names and times of a message; see read.h. Nothing fails here:
 * what cannot be read is empty, and the readers above decide what that means. */
#include "hl7/map/site.h"

static bool convert(void *ctx, spd_sv bytes, spd_sv *ret, struct spd_arena *arena)
{
    const struct hl7_read *r = ctx;
    return hl7_charset_decode(r->set, bytes, ret, arena, NULL) == SPD_OK;
}

spd_sv hl7_text_lines(const struct hl7_read *r, struct hl7_value v)
{
    spd_sv t;
    if (v.is != HL7_VALUE) return SPD_SV_NONE;
    if (r->decoded) return hl7_unescape(r->m, v.raw, convert, (void *)(uintptr_t)r, r->arena);
    if (hl7_charset_decode(r->set, v.raw, &t, r->arena, NULL) != SPD_OK) return SPD_SV_NONE;
    return hl7_unescape(r->m, t, convert, (void *)(uintptr_t)r, r->arena);
}

spd_sv hl7_text_max(const struct hl7_read *r, struct hl7_value v, size_t max)
{
    if (v.raw.len > max) /* not in the middle of a character */
        for (v.raw.len = max; max - v.raw.len < 3 && (v.raw.ptr[v.raw.len] & 0xC0) == 0x80;)
            v.raw.len--;
    return spd_sv_trim(hl7_text_lines(r, v));
}

spd_sv hl7_text(const struct hl7_read *r, struct hl7_value v)
{
    return hl7_text_max(r, v, HL7_TEXT_MAX);
}

spd_sv hl7_text_of(const struct hl7_read *r, const struct hl7_seg *s, unsigned field, unsigned comp)
{
    struct hl7_value v = hl7_get(r->m, s, field, 1, comp, 0);
    if (comp && memchr(v.raw.ptr ? v.raw.ptr : "", r->m->d.sub, v.raw.len)) v = hl7_sub(r->m, v, 1);
    return hl7_text(r, v);
}

/* namespace, else universal id, of an HD that stands in one component. */
static spd_sv authority_of(const struct hl7_read *r, struct hl7_value hd)
{
    spd_sv ns = hl7_text(r, hl7_sub(r->m, hd, 1));
    return ns.len ? ns : hl7_text(r, hl7_sub(r->m, hd, 2));
}

bool hl7_read_ei(const struct hl7_read *r, struct hl7_value rep, spd_sv authority,
                 struct spd_cx *ret)
{
    spd_sv value = hl7_text(r, hl7_sub(r->m, hl7_comp(r->m, rep, 1), 1));
    if (!value.len) return false;
    spd_sv ns = hl7_text(r, hl7_sub(r->m, hl7_comp(r->m, rep, 2), 1));
    if (!ns.len) ns = hl7_text(r, hl7_comp(r->m, rep, 3));
    *ret = (struct spd_cx){value, ns.len ? ns : authority};
    return true;
}

bool hl7_read_cx(const struct hl7_read *r, struct hl7_value rep, spd_sv authority,
                 struct spd_cx *ret)
{
    spd_sv value = hl7_text(r, hl7_sub(r->m, hl7_comp(r->m, rep, 1), 1));
    if (!value.len) return false;
    spd_sv ns = authority_of(r, hl7_comp(r->m, rep, 4));
    *ret = (struct spd_cx){value, ns.len ? ns : authority};
    return true;
}

spd_sv hl7_read_name(const struct hl7_read *r, struct hl7_value rep, unsigned first)
{
    spd_sv family = hl7_text(r, hl7_sub(r->m, hl7_comp(r->m, rep, first), 1));
    spd_sv given = hl7_text(r, hl7_sub(r->m, hl7_comp(r->m, rep, first + 1), 1));
    if (!family.len) return given;
    if (!given.len) return family;
    return spd_arena_printf(r->arena, "%.*s, %.*s", SPD_SV_ARG(family), SPD_SV_ARG(given));
}

static int digits(const char *p, int n)
{
    int v = 0;
    for (int i = 0; i < n; i++)
        v = v * 10 + (p[i] - '0');
    return v;
}

static size_t leading_digits(spd_sv t)
{
    size_t n = 0;
    while (n < t.len && t.ptr[n] >= '0' && t.ptr[n] <= '9')
        n++;
    return n;
}

/* "+0130" to seconds; false when there is none or it is malformed. */
static bool offset_of(spd_sv t, int *ret)
{
    if (t.len != 5 || (t.ptr[0] != '+' && t.ptr[0] != '-')) return false;
    if (leading_digits(spd_sv_of(t.ptr + 1, 4)) != 4) return false;
    *ret = (digits(t.ptr + 1, 2) * 60 + digits(t.ptr + 3, 2)) * 60 * (t.ptr[0] == '-' ? -1 : 1);
    return true;
}

spd_usec hl7_read_time(const struct hl7_read *r, struct hl7_value v)
{
    spd_sv t = hl7_text(r, hl7_sub(r->m, hl7_comp(r->m, v, 1), 1));
    size_t n = leading_digits(t);
    int f[6] = {0, 1, 1, 0, 0, 0}, usec = 0, off;
    if (n < 8 || n > 14 || n % 2) return 0;
    f[0] = digits(t.ptr, 4);
    for (size_t i = 4; i < n; i += 2)
        f[i / 2 - 1] = digits(t.ptr + i, 2);
    if (!spd_civil_valid(f[0], f[1], f[2]) || f[3] > 23 || f[4] > 59 || f[5] > 60 || f[0] < 1900)
        return 0;
    spd_sv rest = spd_sv_of(t.ptr + n, t.len - n);
    if (rest.len && rest.ptr[0] == '.') {
        int scale = 100000;
        for (rest.ptr++, rest.len--; rest.len && *rest.ptr >= '0' && *rest.ptr <= '9';
             rest.ptr++, rest.len--) {
            usec += (*rest.ptr - '0') * scale;
            scale /= 10;
        }
    }
    if (offset_of(rest, &off))
        return spd_zone_to_utc(spd_zone_utc(), f[0], f[1], f[2], f[3], f[4], f[5], usec) -
               SPD_SEC(off);
    const struct spd_zone *zone = r->o && r->o->zone ? r->o->zone : spd_zone_utc();
    return spd_zone_to_utc(zone, f[0], f[1], f[2], f[3], f[4], f[5], usec);
}

spd_usec hl7_clamp_time(struct hl7_read *r, spd_usec t)
{
    if (!r->o->now || t <= r->o->now) return t;
    r->future = true;
    return r->o->now;
}

spd_sv hl7_write_time(const struct spd_zone *zone, spd_usec t, struct spd_arena *arena)
{
    if (!zone) zone = spd_zone_utc();
    struct spd_civil c = spd_zone_civil(zone, t);
    int off = spd_zone_offset(zone, t) / 60, abs_off = off < 0 ? -off : off;
    return spd_arena_printf(arena, "%04d%02d%02d%02d%02d%02d%c%02d%02d", c.year, c.month, c.day,
                            c.hour, c.minute, c.second, off < 0 ? '-' : '+', abs_off / 60,
                            abs_off % 60);
}

static spd_sv birth_date(spd_sv t)
{
    size_t n = leading_digits(t);
    n = n >= 8 ? 8 : n >= 6 ? 6 : n >= 4 ? 4 : 0;
    if (!n || !spd_civil_valid(digits(t.ptr, 4), n >= 6 ? digits(t.ptr + 4, 2) : 1,
                               n >= 8 ? digits(t.ptr + 6, 2) : 1))
        return SPD_SV_NONE;
    return spd_sv_of(t.ptr, n);
}

static spd_sv sex(spd_sv t)
{
    static const char known[] = "MFOUAN", as[] = "MFOUOU";
    static const char *const names[] = {"M", "F", "O", "U"};
    if (t.len != 1) return SPD_SV_NONE;
    char c = t.ptr[0] >= 'a' ? (char)(t.ptr[0] - 32) : t.ptr[0];
    const char *k = c ? strchr(known, c) : NULL;
    if (!k) return SPD_SV_NONE;
    for (int i = 0; i < 4; i++)
        if (names[i][0] == as[k - known]) return spd_sv_from(names[i]);
    return SPD_SV_NONE;
}

void hl7_read_patient(const struct hl7_read *r, const struct hl7_seg *pid, struct spd_patient *ret)
{
    struct hl7_at at = {NULL, (size_t)(pid - r->m->segs), HL7_NO_SEG};
    hl7_read_ids(r, &at, HL7_F_PATIENT_IDS, ret);
    ret->name = hl7_fact_text(r, &at, HL7_F_PATIENT_NAME);
    ret->birth_date = birth_date(hl7_fact_text(r, &at, HL7_F_BIRTH_DATE));
    ret->sex = sex(hl7_fact_text(r, &at, HL7_F_SEX));
}

void hl7_read_visit(const struct hl7_read *r, spd_sv *ret_location, spd_sv *ret_class)
{
    struct hl7_at at = {NULL, HL7_NO_SEG, HL7_NO_SEG};
    *ret_location = hl7_fact_text(r, &at, HL7_F_LOCATION);
    *ret_class = hl7_fact_text(r, &at, HL7_F_PATIENT_CLASS);
}
