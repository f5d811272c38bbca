/* src/door/find.c: see find.h. One table says which attributes a row has; matching, datasets and DICOM JSON
 * walk the query's keys against it. The walk is over all rows (no index by accession number yet): some 0.1 to
 * 0.5 us a row, most of it finding the next row by rank (tests/bench/bench_door_find.c). */
#include "door/find.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"

#define SPS 0x00400100u

struct view { /* one row while it is looked at */
    const struct spd_row *row;
    const struct spd_zone *zone;
    bool reporting;
    char text[256]; /* where a made-up value stands */
};
struct field {
    uint32_t path[3];
    char vr[3];
    spd_sv (*get)(struct view *v); /* NULL: a type 2 attribute that we never know */
};

static const struct spd_item *item_of(const struct view *v)
{
    return &v->row->view.item;
}

/* Cut to max bytes at a character's start; a backslash would be a second value and becomes a slash. */
static spd_sv clean(struct view *v, spd_sv text, size_t max)
{
    size_t n = text.len < max ? text.len : max;
    while (n && n < text.len && ((unsigned char)text.ptr[n] & 0xC0) == 0x80) n--;
    if (n > sizeof v->text) n = sizeof v->text;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        v->text[i] = c == '\\' ? '/' : c < 0x20 ? ' ' : (char)c;
    }
    return spd_sv_of(v->text, n);
}

static spd_sv charset(struct view *v) { return (void)v, SPD_SV("ISO_IR 192"); }
static spd_sv accession(struct view *v) { return clean(v, item_of(v)->accession.value, 16); }
static spd_sv accession_issuer(struct view *v) { return clean(v, item_of(v)->accession.authority, 64); }
static spd_sv placer(struct view *v) { return clean(v, item_of(v)->placer.value, 64); }
static spd_sv placer_issuer(struct view *v) { return clean(v, item_of(v)->placer.authority, 64); }
static spd_sv filler(struct view *v) { return clean(v, item_of(v)->filler.value, 64); }
static spd_sv filler_issuer(struct view *v) { return clean(v, item_of(v)->filler.authority, 64); }
static spd_sv patient_sex(struct view *v)
{
    spd_sv s = item_of(v)->patient.sex;
    return s.len && (s.ptr[0] == 'M' || s.ptr[0] == 'F') ? spd_sv_of(s.ptr, 1) : s.len ? SPD_SV("O") : SPD_SV_NONE;
}
static spd_sv birth_date(struct view *v)
{
    spd_sv d = item_of(v)->patient.birth_date;
    return d.len == 8 ? d : SPD_SV_NONE;
}
static spd_sv patient_id(struct view *v)
{
    return item_of(v)->patient.ids.n ? clean(v, item_of(v)->patient.ids.v[0].value, 64) : SPD_SV_NONE;
}
static spd_sv patient_issuer(struct view *v)
{
    return item_of(v)->patient.ids.n ? clean(v, item_of(v)->patient.ids.v[0].authority, 64) : SPD_SV_NONE;
}

/* "Jansen, Piet" as DICOM writes it: "Jansen^Piet". */
static spd_sv as_pn(struct view *v, spd_sv name)
{
    size_t at;
    if (!spd_sv_find(name, SPD_SV(", "), &at)) return clean(v, name, 64);
    char joined[sizeof v->text];
    int n = snprintf(joined, sizeof joined, "%.*s^%.*s", (int)at, name.ptr, (int)(name.len - at - 2), name.ptr + at + 2);
    return clean(v, spd_sv_of(joined, (size_t)n < sizeof joined ? (size_t)n : sizeof joined - 1), 64);
}
static spd_sv patient_name(struct view *v) { return as_pn(v, item_of(v)->patient.name); }
static spd_sv requester(struct view *v) { return as_pn(v, item_of(v)->requester); }

/* A scanner must get a Study Instance UID; for an order without one it follows from the order's key, so that it
 * is the same at every query and after a restart. */
static spd_sv study_uid(struct view *v)
{
    const struct spd_item *i = item_of(v);
    if (i->study_uids.n) return i->study_uids.v[0];
    if (v->reporting) return SPD_SV_NONE;
    char key[512];
    unsigned char h[32];
    int n = snprintf(key, sizeof key, "study|%.*s|%.*s|%.*s|%lld", SPD_SV_ARG(i->accession.value), SPD_SV_ARG(i->accession.authority),
                     SPD_SV_ARG(i->placer.value), i->accession.value.len || i->placer.value.len ? 0LL : (long long)i->id);
    spd_sha256(spd_sv_of(key, (size_t)n < sizeof key ? (size_t)n : sizeof key - 1), h);
    unsigned __int128 big = 0;
    for (int k = 0; k < 15; k++) big = big << 8 | h[k];
    char digits[40];
    int d = (int)sizeof digits;
    do digits[--d] = (char)('0' + (int)(big % 10)), big /= 10;
    while (big);
    n = snprintf(v->text, sizeof v->text, "2.25.%.*s", (int)sizeof digits - d, digits + d);
    return spd_sv_of(v->text, (size_t)n);
}

static const struct spd_code *procedure(const struct view *v)
{
    static const struct spd_code none;
    return item_of(v)->procedures.n ? &item_of(v)->procedures.v[0] : &none;
}
static spd_sv procedure_text(struct view *v)
{
    const struct spd_code *p = procedure(v);
    return clean(v, p->text.len ? p->text : p->code, 64);
}
static spd_sv procedure_code(struct view *v) { return clean(v, procedure(v)->code, 16); }
static spd_sv procedure_scheme(struct view *v)
{
    return procedure(v)->code.len ? clean(v, procedure(v)->scheme.len ? procedure(v)->scheme : SPD_SV("L"), 16) : SPD_SV_NONE;
}
static spd_sv location(struct view *v) { return clean(v, item_of(v)->location, 64); }
static spd_sv callback(struct view *v) { return clean(v, item_of(v)->callback, 16); }
static spd_sv reason(struct view *v) { return clean(v, item_of(v)->clinical_info, 64); }
static spd_sv comments(struct view *v)
{
    return v->reporting && item_of(v)->reasons.n ? clean(v, item_of(v)->reasons.v[0].nl, sizeof v->text) : SPD_SV_NONE;
}
static spd_sv procedure_id(struct view *v)
{
    const struct spd_item *i = item_of(v);
    if (i->procedure_id.len) return clean(v, i->procedure_id, 16);
    if (i->accession.value.len) return clean(v, i->accession.value, 16);
    int n = snprintf(v->text, sizeof v->text, "SPOED%lld", (long long)i->id);
    return spd_sv_of(v->text, (size_t)n);
}
static spd_sv step_id(struct view *v)
{
    return item_of(v)->step_id.len ? clean(v, item_of(v)->step_id, 16) : procedure_id(v);
}

/* 0 STAT .. 4 LOW */
static int urgency(const struct view *v)
{
    static const char *const level_names[] = {"critical", "urgent", "expedited", "routine"};
    const struct spd_item *i = item_of(v);
    for (int k = 0; k < 4; k++)
        if (spd_sv_is(v->row->view.level_name, level_names[k])) return k;
    if (i->level > 0) return i->level <= 5 ? i->level - 1 : 4;
    return i->order_priority == SPD_PRIORITY_STAT ? 0 : i->order_priority == SPD_PRIORITY_ASAP ? 1
         : i->order_priority == SPD_PRIORITY_URGENT ? 2 : 3;
}
static spd_sv priority(struct view *v)
{
    static const char *const terms[] = {"STAT", "HIGH", "MEDIUM", "ROUTINE", "LOW"};
    return spd_sv_from(terms[urgency(v)]);
}
static spd_sv reporting_priority(struct view *v) /* has no STAT */
{
    static const char *const terms[] = {"HIGH", "HIGH", "MEDIUM", "ROUTINE", "LOW"};
    return spd_sv_from(terms[urgency(v)]);
}
static spd_sv modality(struct view *v) { return clean(v, item_of(v)->modality, 16); }
static spd_sv station_ae(struct view *v)
{
    return clean(v, item_of(v)->station_ae.len ? item_of(v)->station_ae : v->row->view.modality_aet, 16);
}
static spd_usec start_of(const struct view *v)
{
    const struct spd_item *i = item_of(v);
    if (v->reporting) return v->row->view.exam_at ? v->row->view.exam_at : i->arrived ? i->arrived : i->created;
    return i->scheduled ? i->scheduled : i->created;
}
static spd_sv start_date(struct view *v)
{
    if (!start_of(v)) return SPD_SV_NONE;
    struct spd_civil c = spd_zone_civil(v->zone, start_of(v));
    int n = snprintf(v->text, sizeof v->text, "%04d%02d%02d", c.year, c.month, c.day);
    return spd_sv_of(v->text, (size_t)n);
}
static spd_sv start_time(struct view *v)
{
    if (!start_of(v)) return SPD_SV_NONE;
    struct spd_civil c = spd_zone_civil(v->zone, start_of(v));
    int n = snprintf(v->text, sizeof v->text, "%02d%02d%02d", c.hour, c.minute, c.second);
    return spd_sv_of(v->text, (size_t)n);
}
static spd_sv step_status(struct view *v) { return v->reporting ? SPD_SV_NONE : SPD_SV("SCHEDULED"); }

static const struct field fields[] = { /* sorted by path */
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
enum { N_FIELDS = sizeof fields / sizeof *fields };

static const struct field *field_of(const struct spd_find_key *k)
{
    size_t lo = 0, hi = N_FIELDS;
    if (k->depth > 3) return NULL;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int order = 0;
        for (int d = 0; d < 3 && !order; d++)
            order = fields[mid].path[d] < k->path[d] ? -1 : fields[mid].path[d] > k->path[d];
        if (!order) return &fields[mid];
        if (order < 0) lo = mid + 1;
        else hi = mid;
    }
    return NULL;
}

/* ---- preparing -------------------------------------------------------------------------------------- */
static int by_path(const void *a, const void *b)
{
    const struct spd_find_key *x = a, *y = b;
    for (int d = 0; d < SPD_FIND_DEPTH; d++)
        if (x->path[d] != y->path[d]) return x->path[d] < y->path[d] ? -1 : 1;
    return 0;
}

static bool below(const struct field *f, const struct spd_find_key *k)
{
    for (int d = 0; d < k->depth; d++)
        if (d > 2 || f->path[d] != k->path[d]) return false;
    return k->depth < 3 && f->path[k->depth] != 0;
}

/* An empty sequence key asks for everything in it. Takes the key out and puts what we know in. */
static bool expand(struct spd_find_query *q, size_t at)
{
    struct spd_find_key k = q->keys[at];
    size_t n = 0;
    for (size_t i = 0; i < N_FIELDS; i++) n += below(&fields[i], &k);
    if (!n || q->n_keys + n > SPD_FIND_KEYS_MAX) return false;
    q->keys[at] = q->keys[--q->n_keys];
    for (size_t i = 0; i < N_FIELDS; i++)
        if (below(&fields[i], &k)) {
            struct spd_find_key *add = &q->keys[q->n_keys++];
            *add = (struct spd_find_key){.depth = fields[i].path[2] ? 3 : fields[i].path[1] ? 2 : 1};
            memcpy(add->path, fields[i].path, sizeof fields[i].path);
            memcpy(add->vr, fields[i].vr, sizeof add->vr);
        }
    return true;
}

static bool is_sequence(const struct spd_find_key *k)
{
    if (!strcmp(k->vr, "SQ")) return true;
    for (size_t i = 0; i < N_FIELDS; i++)
        if (below(&fields[i], k)) return true;
    return false;
}

enum spd_rc spd_find_prepare(struct spd_find_query *q, struct spd_err *err)
{
    for (size_t i = 0; i < q->n_keys; i++) {
        struct spd_find_key *k = &q->keys[i];
        if (!k->depth || k->depth > SPD_FIND_DEPTH) return spd_fail(err, SPD_INVALID, "identifier", "a key without a tag");
        if (is_sequence(k) && k->value.len) return spd_fail(err, SPD_INVALID, "identifier", "a sequence key with a plain value");
        const struct field *f = field_of(k);
        if (f) memcpy(k->vr, f->vr, sizeof k->vr);
        else if (!k->vr[0]) memcpy(k->vr, is_sequence(k) ? "SQ" : "UN", sizeof k->vr);
        if (is_sequence(k)) memcpy(k->vr, "SQ", sizeof k->vr);
    }
    for (size_t i = 0; i < q->n_keys;)
        if (strcmp(q->keys[i].vr, "SQ") != 0 || !expand(q, i)) i++;
    qsort(q->keys, q->n_keys, sizeof *q->keys, by_path);
    for (size_t i = 1; i < q->n_keys; i++)
        if (!by_path(&q->keys[i - 1], &q->keys[i])) return spd_fail(err, SPD_INVALID, "identifier", "a key stands twice");
    return SPD_OK;
}

/* ---- matching ------------------------------------------------------------------------------------------ */
static unsigned char fold(char c, bool on)
{
    return (unsigned char)(on && c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* "*" any run, "?" one character; linear: only the last star is gone back to. ASCII case folded for names. */
static bool wild(spd_sv p, spd_sv t, bool nocase)
{
    size_t pi = 0, ti = 0, star = SIZE_MAX, back = 0;
    while (ti < t.len) {
        if (pi < p.len && p.ptr[pi] == '*') star = pi++, back = ti;
        else if (pi < p.len && (p.ptr[pi] == '?' || fold(p.ptr[pi], nocase) == fold(t.ptr[ti], nocase))) {
            if (p.ptr[pi] == '?') /* one character may be several bytes */
                while (ti + 1 < t.len && ((unsigned char)t.ptr[ti + 1] & 0xC0) == 0x80) ti++;
            pi++, ti++;
        } else if (star != SIZE_MAX) pi = star + 1, ti = ++back;
        else return false;
    }
    while (pi < p.len && p.ptr[pi] == '*') pi++;
    return pi == p.len;
}

/* Trailing empty components of a name do not count: "Jansen^Piet^^" is "Jansen^Piet". */
static spd_sv name_part(spd_sv v)
{
    while (v.len && (v.ptr[v.len - 1] == '^' || v.ptr[v.len - 1] == '=' || v.ptr[v.len - 1] == ' ')) v.len--;
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
    spd_sv from = spd_sv_trim(spd_sv_of(key.ptr, dash)), to = spd_sv_trim(spd_sv_of(key.ptr + dash + 1, key.len - dash - 1));
    return (!from.len || compare_prefix(from, value) <= 0) && (!to.len || compare_prefix(to, value) >= 0);
}

static bool one_value(const char *vr, spd_sv key, spd_sv value)
{
    if (!strcmp(vr, "DA") || !strcmp(vr, "TM") || !strcmp(vr, "DT")) return in_range(key, value);
    if (!strcmp(vr, "UI")) return spd_sv_eq(key, value);
    if (!strcmp(vr, "PN")) return wild(name_part(key), name_part(value), true);
    return wild(key, value, false);
}

static bool matches(const struct spd_find_key *k, spd_sv value)
{
    spd_sv rest = k->value;
    if (!rest.len || spd_sv_is(rest, "*")) return true; /* a lone "*" also matches what is not known */
    if (!value.len) return false;
    for (;;) { /* any of a list */
        size_t at;
        bool more = spd_sv_find(rest, SPD_SV("\\"), &at);
        spd_sv one = spd_sv_trim(more ? spd_sv_of(rest.ptr, at) : rest);
        if (one.len && one_value(k->vr, one, value)) return true;
        if (!more) return false;
        rest.ptr += at + 1, rest.len -= at + 1;
    }
}

struct asked { const struct spd_find_key *key; const struct field *field; }; /* a key with a value */

static size_t asked_of(const struct spd_find_query *q, struct asked *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < q->n_keys; i++) {
        if (!q->keys[i].value.len) continue;
        ret[n].key = &q->keys[i], ret[n].field = field_of(&q->keys[i]);
        n += ret[n].field != NULL; /* an optional key that we do not serve matches everything */
    }
    return n;
}

static bool row_matches(const struct asked *asked, size_t n, struct view *v)
{
    for (size_t i = 0; i < n; i++)
        if (!matches(asked[i].key, asked[i].field->get ? asked[i].field->get(v) : SPD_SV_NONE)) return false;
    return true;
}

size_t spd_find_run(const struct spd_list *list, const struct spd_find_query *q, const struct spd_zone *zone,
                    bool (*answer)(void *ctx, const struct spd_row *row), void *ctx)
{
    struct view v = {.zone = zone, .reporting = q->reporting};
    struct asked asked[SPD_FIND_KEYS_MAX];
    size_t answers = 0, n = asked_of(q, asked);
    if (q->reporting) {
        for (size_t i = 0; i < spd_list_count(list); i++) {
            v.row = spd_list_at(list, i);
            if (!v.row || !row_matches(asked, n, &v)) continue;
            answers++;
            if (!answer(ctx, v.row)) break;
        }
        return answers;
    }
    for (int64_t after = 0; (v.row = spd_list_next_by_id(list, after)); after = v.row->view.item.id) {
        if (!v.row->view.on_modality_list || !row_matches(asked, n, &v)) continue;
        answers++;
        if (!answer(ctx, v.row)) break;
    }
    return answers;
}

/* ---- answers as bytes -------------------------------------------------------------------------------------- */
static void le(struct spd_str *out, uint32_t v, int n)
{
    for (int i = 0; i < n; i++) spd_str_addc(out, (char)(v >> (8 * i)));
}

static bool long_vr(const char *vr)
{
    static const char list[] = "OB OD OF OL OV OW SQ UC UN UR UT SV UV";
    return strstr(list, vr) != NULL;
}

/* Tag, VR and length. */
static void head(struct spd_str *out, uint32_t tag, const char *vr, size_t len, bool explicit_vr)
{
    le(out, tag >> 16, 2), le(out, tag & 0xFFFF, 2);
    if (!explicit_vr) {
        le(out, (uint32_t)len, 4);
        return;
    }
    spd_str_add(out, spd_sv_of(vr, 2));
    if (long_vr(vr)) le(out, 0, 2), le(out, (uint32_t)len, 4);
    else le(out, (uint32_t)len, 2);
}

static void element(struct spd_str *out, uint32_t tag, const char *vr, spd_sv value, bool explicit_vr)
{
    size_t pad = value.len & 1;
    head(out, tag, vr, value.len + pad, explicit_vr);
    spd_str_add(out, value);
    if (pad) spd_str_addc(out, strcmp(vr, "UI") ? ' ' : 0);
}

static spd_sv value_of(struct view *v, const struct spd_find_key *k)
{
    const struct field *f = field_of(k);
    return f && f->get ? f->get(v) : SPD_SV_NONE;
}

/* Keys [from, to) share path[0..depth); writes them, sequences with one item. */
static void write_keys(const struct spd_find_query *q, struct view *v, size_t from, size_t to, int depth, bool explicit_vr,
                       struct spd_str *out)
{
    for (size_t i = from; i < to;) {
        const struct spd_find_key *k = &q->keys[i];
        if (k->depth == depth + 1) {
            element(out, k->path[depth], k->vr, value_of(v, k), explicit_vr);
            i++;
            continue;
        }
        size_t end = i;
        while (end < to && q->keys[end].depth > depth + 1 && q->keys[end].path[depth] == k->path[depth]) end++;
        struct spd_str item = SPD_STR_INIT(1 << 20);
        write_keys(q, v, i, end, depth + 1, explicit_vr, &item);
        head(out, k->path[depth], "SQ", item.len + 8, explicit_vr);
        le(out, 0xFFFE, 2), le(out, 0xE000, 2), le(out, (uint32_t)item.len, 4);
        spd_str_add(out, spd_str_sv(&item));
        spd_str_done(&item);
        i = end;
    }
}

void spd_find_dataset(const struct spd_find_query *q, const struct spd_row *row, const struct spd_zone *zone,
                      bool explicit_vr, struct spd_str *out)
{
    struct view v = {.row = row, .zone = zone, .reporting = q->reporting};
    element(out, 0x00080005, "CS", SPD_SV("ISO_IR 192"), explicit_vr);
    write_keys(q, &v, 0, q->n_keys, 0, explicit_vr, out);
}

/* ---- DICOM JSON ------------------------------------------------------------------------------------------------ */
static void json_tag(struct spd_str *out, uint32_t tag, const char *vr)
{
    spd_str_addf(out, "\"%08X\":{\"vr\":\"%s\"", (unsigned)tag, vr);
}

static void json_element(struct spd_str *out, uint32_t tag, const char *vr, spd_sv value)
{
    json_tag(out, tag, vr);
    if (value.len) {
        bool pn = !strcmp(vr, "PN");
        spd_str_addz(out, pn ? ",\"Value\":[{\"Alphabetic\":" : ",\"Value\":[");
        spd_str_json(out, value);
        spd_str_addz(out, pn ? "}]" : "]");
    }
    spd_str_addc(out, '}');
}

static void json_keys(const struct spd_find_query *q, struct view *v, size_t from, size_t to, int depth, struct spd_str *out)
{
    bool first = depth > 0; /* at the top (0008,0005) stands before */
    for (size_t i = from; i < to;) {
        const struct spd_find_key *k = &q->keys[i];
        if (!first) spd_str_addc(out, ',');
        first = false;
        if (k->depth == depth + 1) {
            json_element(out, k->path[depth], k->vr, value_of(v, k));
            i++;
            continue;
        }
        size_t end = i;
        while (end < to && q->keys[end].depth > depth + 1 && q->keys[end].path[depth] == k->path[depth]) end++;
        json_tag(out, k->path[depth], "SQ");
        spd_str_addz(out, ",\"Value\":[{");
        json_keys(q, v, i, end, depth + 1, out);
        spd_str_addz(out, "}]}");
        i = end;
    }
}

struct json_answers {
    const struct spd_find_query *q;
    const struct spd_zone *zone;
    struct spd_str *out;
    size_t n, max;
};

static bool json_answer(void *ctx, const struct spd_row *row)
{
    struct json_answers *a = ctx;
    struct view v = {.row = row, .zone = a->zone, .reporting = a->q->reporting};
    if (a->n == a->max) {
        a->n++;
        return false;
    }
    if (a->n++) spd_str_addc(a->out, ',');
    spd_str_addc(a->out, '{');
    json_element(a->out, 0x00080005, "CS", SPD_SV("ISO_IR 192"));
    json_keys(a->q, &v, 0, a->q->n_keys, 0, a->out);
    spd_str_addc(a->out, '}');
    return spd_str_ok(a->out);
}

static int append(const char *bytes, size_t n, void *to)
{
    spd_str_add(to, spd_sv_of(bytes, n));
    return 0;
}

/* {called, calling, keys} -> which list, and the keys. */
static enum spd_rc read_request(spd_sv body, spd_sv reporting_ae, struct spd_find_query *q, struct spd_arena *arena,
                                struct spd_err *err)
{
    json_error_t je;
    struct spd_dcm d;
    json_t *root = json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, &je);
    json_t *called = json_object_get(root, "called"), *keys = json_object_get(root, "keys");
    enum spd_rc rc = SPD_OK;
    if (!json_is_object(root) || !json_is_object(keys) || (called && !json_is_string(called)))
        rc = spd_fail(err, SPD_INVALID, "body", "an object with called, calling and keys (DICOM JSON) is needed");
    if (!rc) {
        q->reporting = called && reporting_ae.len && spd_sv_eq(spd_sv_from(json_string_value(called)), reporting_ae);
        struct spd_str text = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
        json_dump_callback(keys, append, &text, JSON_COMPACT);
        rc = spd_dcm_from_json(spd_str_sv(&text), &d, arena, err);
        spd_str_done(&text); /* the tree's texts are copies in the arena */
        if (!rc) rc = spd_find_keys_from_set(&d, q, arena, err);
        if (!rc) rc = spd_find_prepare(q, err);
    }
    json_decref(root);
    return rc;
}

enum spd_rc spd_find_json(const struct spd_list *list, spd_sv reporting_ae, const struct spd_zone *zone, spd_sv body,
                          size_t max, struct spd_str *out, struct spd_err *err)
{
    struct spd_find_query q = {0};
    if (body.len > SPD_DCM_BYTES_MAX) return spd_fail(err, SPD_LIMIT, "body", "larger than 4 MiB");
    struct spd_arena *arena = spd_arena_new((size_t)128 << 20);
    if (!arena) spd_out_of_memory();
    enum spd_rc rc = read_request(body, reporting_ae, &q, arena, err);
    struct json_answers a = {&q, zone, out, 0, max ? max : 10000};
    if (!rc) {
        spd_str_addf(out, "{\"revision\":%lld,\"answers\":[", (long long)spd_list_revision(list));
        spd_find_run(list, &q, zone, json_answer, &a);
        spd_str_addz(out, "]}");
        if (a.n > a.max || !spd_str_ok(out)) rc = spd_fail(err, SPD_LIMIT, "answers", "too many answers; narrow the query");
    }
    spd_arena_free(arena);
    return rc;
}
