/* src/door/find_fields.c: what a row of a worklist says in DICOM: one table of attributes and how
 * each is made.
 *
 * A new attribute is one line of the table (kept sorted by path) and, when it can be filled, one
 * function. What it is not: matching and writing, see find.c. Pure; a value is valid until the next
 * one is asked for. */
#include "door/find_fields.h"

#include <stdio.h>

#include "base/hash.h"

#define SPS 0x00400100u

static const struct spd_item *item_of(const struct spd_find_view *v)
{
    return &v->row->view.item;
}

/* Cut to max bytes at a character's start; a backslash would be a second value and becomes a slash.
 */
static spd_sv clean(struct spd_find_view *v, spd_sv text, size_t max)
{
    size_t n = text.len < max ? text.len : max;
    while (n && n < text.len && ((unsigned char)text.ptr[n] & 0xC0) == 0x80)
        n--;
    if (n > sizeof v->text) n = sizeof v->text;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        v->text[i] = c == '\\' ? '/' : c < 0x20 ? ' ' : (char)c;
    }
    return spd_sv_of(v->text, n);
}

static spd_sv charset(struct spd_find_view *v)
{
    return (void)v, SPD_SV("ISO_IR 192");
}
static spd_sv accession(struct spd_find_view *v)
{
    return clean(v, item_of(v)->accession.value, 16);
}
static spd_sv accession_issuer(struct spd_find_view *v)
{
    return clean(v, item_of(v)->accession.authority, 64);
}
static spd_sv placer(struct spd_find_view *v)
{
    return clean(v, item_of(v)->placer.value, 64);
}
static spd_sv placer_issuer(struct spd_find_view *v)
{
    return clean(v, item_of(v)->placer.authority, 64);
}
static spd_sv filler(struct spd_find_view *v)
{
    return clean(v, item_of(v)->filler.value, 64);
}
static spd_sv filler_issuer(struct spd_find_view *v)
{
    return clean(v, item_of(v)->filler.authority, 64);
}
static spd_sv patient_sex(struct spd_find_view *v)
{
    spd_sv s = item_of(v)->patient.sex;
    return s.len && (s.ptr[0] == 'M' || s.ptr[0] == 'F') ? spd_sv_of(s.ptr, 1)
           : s.len                                       ? SPD_SV("O")
                                                         : SPD_SV_NONE;
}
static spd_sv birth_date(struct spd_find_view *v)
{
    spd_sv d = item_of(v)->patient.birth_date;
    return d.len == 8 ? d : SPD_SV_NONE;
}
static spd_sv patient_id(struct spd_find_view *v)
{
    return item_of(v)->patient.ids.n ? clean(v, item_of(v)->patient.ids.v[0].value, 64)
                                     : SPD_SV_NONE;
}
static spd_sv patient_issuer(struct spd_find_view *v)
{
    return item_of(v)->patient.ids.n ? clean(v, item_of(v)->patient.ids.v[0].authority, 64)
                                     : SPD_SV_NONE;
}

/* "Jansen, Piet" as DICOM writes it: "Jansen^Piet". */
static spd_sv as_pn(struct spd_find_view *v, spd_sv name)
{
    size_t at;
    if (!spd_sv_find(name, SPD_SV(", "), &at)) return clean(v, name, 64);
    char joined[sizeof v->text];
    int n = snprintf(joined, sizeof joined, "%.*s^%.*s", (int)at, name.ptr,
                     (int)(name.len - at - 2), name.ptr + at + 2);
    return clean(v, spd_sv_of(joined, (size_t)n < sizeof joined ? (size_t)n : sizeof joined - 1),
                 64);
}
static spd_sv patient_name(struct spd_find_view *v)
{
    return as_pn(v, item_of(v)->patient.name);
}
static spd_sv requester(struct spd_find_view *v)
{
    return as_pn(v, item_of(v)->requester);
}

/* A scanner must get a Study Instance UID; for an order without one it follows from the order's
 * key, so that it is the same at every query and after a restart. */
static spd_sv study_uid(struct spd_find_view *v)
{
    const struct spd_item *i = item_of(v);
    if (i->study_uids.n) return i->study_uids.v[0];
    if (v->reporting) return SPD_SV_NONE;
    char key[512];
    unsigned char h[32];
    int n = snprintf(key, sizeof key, "study|%.*s|%.*s|%.*s|%lld", SPD_SV_ARG(i->accession.value),
                     SPD_SV_ARG(i->accession.authority), SPD_SV_ARG(i->placer.value),
                     i->accession.value.len || i->placer.value.len ? 0LL : (long long)i->id);
    spd_sha256(spd_sv_of(key, (size_t)n < sizeof key ? (size_t)n : sizeof key - 1), h);
    unsigned __int128 big = 0;
    for (int k = 0; k < 15; k++)
        big = big << 8 | h[k];
    char digits[40];
    int d = (int)sizeof digits;
    do
        digits[--d] = (char)('0' + (int)(big % 10)), big /= 10;
    while (big);
    n = snprintf(v->text, sizeof v->text, "2.25.%.*s", (int)sizeof digits - d, digits + d);
    return spd_sv_of(v->text, (size_t)n);
}

static const struct spd_code *procedure(const struct spd_find_view *v)
{
    static const struct spd_code none;
    return item_of(v)->procedures.n ? &item_of(v)->procedures.v[0] : &none;
}
static spd_sv procedure_text(struct spd_find_view *v)
{
    const struct spd_code *p = procedure(v);
    return clean(v, p->text.len ? p->text : p->code, 64);
}
static spd_sv procedure_code(struct spd_find_view *v)
{
    return clean(v, procedure(v)->code, 16);
}
static spd_sv procedure_scheme(struct spd_find_view *v)
{
    return procedure(v)->code.len
               ? clean(v, procedure(v)->scheme.len ? procedure(v)->scheme : SPD_SV("L"), 16)
               : SPD_SV_NONE;
}
static spd_sv location(struct spd_find_view *v)
{
    return clean(v, item_of(v)->location, 64);
}
static spd_sv callback(struct spd_find_view *v)
{
    return clean(v, item_of(v)->callback, 16);
}
static spd_sv reason(struct spd_find_view *v)
{
    return clean(v, item_of(v)->clinical_info, 64);
}
static spd_sv comments(struct spd_find_view *v)
{
    return v->reporting && item_of(v)->reasons.n
               ? clean(v, item_of(v)->reasons.v[0].nl, sizeof v->text)
               : SPD_SV_NONE;
}
static spd_sv procedure_id(struct spd_find_view *v)
{
    const struct spd_item *i = item_of(v);
    if (i->procedure_id.len) return clean(v, i->procedure_id, 16);
    if (i->accession.value.len) return clean(v, i->accession.value, 16);
    int n = snprintf(v->text, sizeof v->text, "SPOED%lld", (long long)i->id);
    return spd_sv_of(v->text, (size_t)n);
}
static spd_sv step_id(struct spd_find_view *v)
{
    return item_of(v)->step_id.len ? clean(v, item_of(v)->step_id, 16) : procedure_id(v);
}

/* 0 STAT .. 4 LOW */
static int urgency(const struct spd_find_view *v)
{
    static const char *const level_names[] = {"critical", "urgent", "expedited", "routine"};
    const struct spd_item *i = item_of(v);
    for (int k = 0; k < 4; k++)
        if (spd_sv_is(v->row->view.level_name, level_names[k])) return k;
    if (i->level > 0) return i->level <= 5 ? i->level - 1 : 4;
    return i->order_priority == SPD_PRIORITY_STAT     ? 0
           : i->order_priority == SPD_PRIORITY_ASAP   ? 1
           : i->order_priority == SPD_PRIORITY_URGENT ? 2
                                                      : 3;
}
static spd_sv priority(struct spd_find_view *v)
{
    static const char *const terms[] = {"STAT", "HIGH", "MEDIUM", "ROUTINE", "LOW"};
    return spd_sv_from(terms[urgency(v)]);
}
static spd_sv reporting_priority(struct spd_find_view *v) /* has no STAT */
{
    static const char *const terms[] = {"HIGH", "HIGH", "MEDIUM", "ROUTINE", "LOW"};
    return spd_sv_from(terms[urgency(v)]);
}
static spd_sv modality(struct spd_find_view *v)
{
    return clean(v, item_of(v)->modality, 16);
}
static spd_sv station_ae(struct spd_find_view *v)
{
    return clean(v, item_of(v)->station_ae.len ? item_of(v)->station_ae : v->row->view.modality_aet,
                 16);
}
static spd_usec start_of(const struct spd_find_view *v)
{
    const struct spd_item *i = item_of(v);
    if (v->reporting)
        return v->row->view.exam_at ? v->row->view.exam_at : i->arrived ? i->arrived : i->created;
    return i->scheduled ? i->scheduled : i->created;
}
static spd_sv start_date(struct spd_find_view *v)
{
    if (!start_of(v)) return SPD_SV_NONE;
    struct spd_civil c = spd_zone_civil(v->zone, start_of(v));
    int n = snprintf(v->text, sizeof v->text, "%04d%02d%02d", c.year, c.month, c.day);
    return spd_sv_of(v->text, (size_t)n);
}
static spd_sv start_time(struct spd_find_view *v)
{
    if (!start_of(v)) return SPD_SV_NONE;
    struct spd_civil c = spd_zone_civil(v->zone, start_of(v));
    int n = snprintf(v->text, sizeof v->text, "%02d%02d%02d", c.hour, c.minute, c.second);
    return spd_sv_of(v->text, (size_t)n);
}
static spd_sv step_status(struct spd_find_view *v)
{
    return v->reporting ? SPD_SV_NONE : SPD_SV("SCHEDULED");
}

const struct spd_find_field spd_find_fields[] =
    {/* sorted by path */
     {{0x00080005}, "CS", charset},
     {{0x00080050}, "SH", accession},
     {{0x00080051, 0x00400031}, "UT", accession_issuer},
     {{0x00080090}, "PN", NULL},
     {{0x00081110}, "SQ", NULL},
     {{0x00081120}, "SQ", NULL},
     {{0x00100010}, "PN", patient_name},
     {{0x00100020}, "LO", patient_id},
     {{0x00100021}, "LO", patient_issuer},
     {{0x00100030}, "DA", birth_date},
     {{0x00100040}, "CS", patient_sex},
     {{0x00101002}, "SQ", NULL},
     {{0x00101030}, "DS", NULL},
     {{0x00102000}, "LO", NULL},
     {{0x00102110}, "LO", NULL},
     {{0x001021C0}, "US", NULL},
     {{0x0020000D}, "UI", study_uid},
     {{0x00321032}, "PN", requester},
     {{0x00321033}, "LO", NULL},
     {{0x00321060}, "LO", procedure_text},
     {{0x00321064, 0x00080100}, "SH", procedure_code},
     {{0x00321064, 0x00080102}, "SH", procedure_scheme},
     {{0x00321064, 0x00080104}, "LO", procedure_text},
     {{0x00380010}, "LO", NULL},
     {{0x00380050}, "LO", NULL},
     {{0x00380300}, "LO", location},
     {{0x00380500}, "LO", NULL},
     {{SPS, 0x00080060}, "CS", modality},
     {{SPS, 0x00321070}, "LO", NULL},
     {{SPS, 0x00400001}, "AE", station_ae},
     {{SPS, 0x00400002}, "DA", start_date},
     {{SPS, 0x00400003}, "TM", start_time},
     {{SPS, 0x00400006}, "PN", NULL},
     {{SPS, 0x00400007}, "LO", procedure_text},
     {{SPS, 0x00400008, 0x00080100}, "SH", procedure_code},
     {{SPS, 0x00400008, 0x00080102}, "SH", procedure_scheme},
     {{SPS, 0x00400008, 0x00080104}, "LO", procedure_text},
     {{SPS, 0x00400009}, "SH", step_id},
     {{SPS, 0x00400010}, "SH", NULL},
     {{SPS, 0x00400011}, "SH", NULL},
     {{SPS, 0x00400012}, "LO", NULL},
     {{SPS, 0x00400020}, "CS", step_status},
     {{SPS, 0x00400400}, "LT", NULL},
     {{0x00400026, 0x00400031}, "UT", placer_issuer},
     {{0x00400027, 0x00400031}, "UT", filler_issuer},
     {{0x00401001}, "SH", procedure_id},
     {{0x00401002}, "LO", reason},
     {{0x00401003}, "SH", priority},
     {{0x00401004}, "LO", NULL},
     {{0x00401009}, "SH", reporting_priority},
     {{0x00401400}, "LT", comments},
     {{0x00402010}, "SH", callback},
     {{0x00402016}, "LO", placer},
     {{0x00402017}, "LO", filler},
     {{0x00402400}, "LT", NULL},
     {{0x00403001}, "LO", NULL}};
_Static_assert(sizeof spd_find_fields / sizeof *spd_find_fields == SPD_FIND_FIELDS,
               "count in find_fields.h");

const struct spd_find_field *spd_find_field_of(const struct spd_find_key *k)
{
    size_t lo = 0, hi = SPD_FIND_FIELDS;
    if (k->depth > 3) return NULL;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int order = 0;
        for (int d = 0; d < 3 && !order; d++)
            order = spd_find_fields[mid].path[d] < k->path[d]
                        ? -1
                        : spd_find_fields[mid].path[d] > k->path[d];
        if (!order) return &spd_find_fields[mid];
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}
