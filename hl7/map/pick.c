/* hl7/map/pick.c: the one reader of facts: goes through a fact's sources and finds their values in
 * a message; see site.h. Not here: what a value means (words.c, order.c, report.c, results.c). */
#include "hl7/map/site.h"

#include <stdio.h>

enum { MAX_REPS = 50, MAX_TRACE = 5000 };

/* ---- where ------------------------------------------------------------------------------------
 */
struct range {
    size_t from, to;
};

static struct range one_seg(size_t i, size_t n)
{
    return (struct range){i, i < n ? i + 1 : i};
}

/* The part before the first order. */
static struct range header(const struct hl7_msg *m)
{
    size_t orc = hl7_seg_find(m, "ORC", 0), obr = hl7_seg_find(m, "OBR", 0);
    return (struct range){0, orc < obr ? orc : obr};
}

/* any_line: the source says by itself which OBX it means. */
static struct range scope(const struct hl7_read *r, const struct hl7_at *at, const char *id,
                          bool any_line)
{
    size_t n = r->m->n_segs;
    if (at->pid != HL7_NO_SEG && !strcmp(id, "PID")) return one_seg(at->pid, n);
    if (at->line != HL7_NO_SEG && !any_line && !strcmp(id, "OBX")) return one_seg(at->line, n);
    if (!at->g) return (struct range){0, n};
    if (!strcmp(id, "ORC")) return one_seg(at->g->orc, n);
    if (!strcmp(id, "OBR")) return one_seg(at->g->obr, n);
    if (hl7_seg_find(r->m, id, at->g->first) < at->g->end)
        return (struct range){at->g->first, at->g->end};
    return header(r->m);
}

/* ---- tests ------------------------------------------------------------------------------------
 */
static spd_sv text_at(const struct hl7_read *r, const struct hl7_path *p, struct hl7_value v)
{
    if (!p->comp) v = hl7_comp(r->m, v, 1);
    if (!p->sub && v.raw.len && memchr(v.raw.ptr, r->m->d.sub, v.raw.len)) v = hl7_sub(r->m, v, 1);
    return hl7_text(r, v);
}

static struct hl7_value value_at(const struct hl7_read *r, const struct hl7_path *p, size_t seg,
                                 unsigned rep)
{
    return hl7_get(r->m, &r->m->segs[seg], p->field, rep, p->comp, p->sub);
}

static bool passes_at(const struct hl7_read *r, const struct hl7_test *t, size_t seg, unsigned rep)
{
    spd_sv v =
        text_at(r, &t->path.p, value_at(r, &t->path.p, seg, t->path.p.rep ? t->path.p.rep : rep));
    for (size_t i = 0; i < t->n_words; i++)
        if (spd_sv_ieq(v, t->words[i])) return true;
    return !t->n_words && v.len;
}

static bool passes_somewhere(const struct hl7_read *r, const struct hl7_at *at,
                             const struct hl7_test *t)
{
    struct range in = scope(r, at, t->path.p.id, false);
    unsigned nth = 0;
    for (size_t i = in.from; i < in.to; i++)
        if (hl7_seg_is(&r->m->segs[i], t->path.p.id) &&
            (++nth == t->path.p.seg || !t->path.p.seg) && passes_at(r, t, i, 1))
            return true;
    return false;
}

bool hl7_pass(const struct hl7_read *r, const struct hl7_at *at, const struct hl7_tests *tests)
{
    for (size_t i = 0; i < tests->n; i++)
        if (!passes_somewhere(r, at, &tests->v[i])) return false;
    return true;
}

/* A test of the segment that is read: that segment; of its field: that repetition. of_field: only tests of the
 * field itself, which each repetition passes or not; else all others, which hold for the segment. */
static bool source_passes(const struct hl7_read *r, const struct hl7_at *at,
                          const struct hl7_hit *hit, bool of_field)
{
    for (size_t i = 0; i < hit->source->when.n; i++) {
        const struct hl7_test *t = &hit->source->when.v[i];
        bool own = hit->path && !strcmp(t->path.p.id, hit->path->id) && !t->path.p.seg;
        bool same = own && t->path.p.field == hit->path->field;
        if (same != of_field) continue;
        if (own ? !passes_at(r, t, hit->seg, same ? hit->rep : 1) : !passes_somewhere(r, at, t))
            return false;
    }
    return true;
}

/* ---- going through sources --------------------------------------------------------------------
 */
enum go {
    ON,
    SAID,
    STOP
}; /* the callback: nothing in it; taken, more of this source are welcome; enough */
typedef enum go took(void *ctx, const struct hl7_hit *hit);
struct walk {
    const struct hl7_read *r;
    const struct hl7_at *at;
    took *f;
    void *ctx;
    bool nulled;
};

static enum go walk_reps(struct walk *w, struct hl7_hit *hit)
{
    const struct hl7_path *p = hit->path;
    struct hl7_value field = hl7_field(w->r->m, &w->r->m->segs[hit->seg], p->field);
    size_t n = p->rep ? p->rep : field.is == HL7_VALUE ? hl7_reps(w->r->m, field.raw) : 0;
    enum go all = ON;
    if (field.is == HL7_NULL) w->nulled = true;
    if (!source_passes(w->r, w->at, hit, false)) return ON;
    for (hit->rep = p->rep ? p->rep : 1; hit->rep <= n && hit->rep <= MAX_REPS && all != STOP;
         hit->rep++) {
        hit->v = value_at(w->r, p, hit->seg, hit->rep);
        if (hit->v.is == HL7_NULL) w->nulled = true;
        if (hit->v.is != HL7_VALUE || !source_passes(w->r, w->at, hit, true)) continue;
        enum go one = w->f(w->ctx, hit);
        if (one != ON) all = one;
    }
    return all;
}

static enum go walk_path(struct walk *w, struct hl7_hit *hit)
{
    const struct hl7_path *p = hit->path;
    bool any_line = false;
    for (size_t i = 0; i < hit->source->when.n; i++)
        any_line |= !strcmp(hit->source->when.v[i].path.p.id, "OBX");
    struct range in = scope(w->r, w->at, p->id, any_line || p->seg);
    unsigned nth = 0;
    enum go all = ON;
    for (hit->seg = in.from; hit->seg < in.to && all != STOP; hit->seg++) {
        if (!hl7_seg_is(&w->r->m->segs[hit->seg], p->id) || (++nth != p->seg && p->seg)) continue;
        enum go one = walk_reps(w, hit);
        if (one != ON) all = one;
    }
    return all;
}

/* each_source: go on to the next source after one that said something. */
static void walk(struct walk *w, const struct hl7_sources *s, bool each_source)
{
    for (size_t i = 0; i < s->n; i++) {
        struct hl7_hit hit = {.source = &s->v[i], .seg = HL7_NO_SEG};
        enum go said = ON;
        if (s->v[i].text.len && source_passes(w->r, w->at, &hit, false)) said = w->f(w->ctx, &hit);
        for (size_t k = 0; k < s->v[i].n_paths && said == ON; k++) {
            hit.path = &s->v[i].paths[k].p;
            said = walk_path(w, &hit);
        }
        if (said == STOP || (said == SAID && !each_source)) return;
    }
}

/* ---- values -----------------------------------------------------------------------------------
 */
/* strip: and values: of a source. The map may go while the event lives: its words are copied. */
static spd_sv mapped(const struct hl7_read *r, const struct hl7_source *s, spd_sv v,
                     bool *ret_by_table)
{
    if (s->strip.len && spd_sv_starts(v, s->strip))
        v = spd_sv_trim(spd_sv_of(v.ptr + s->strip.len, v.len - s->strip.len));
    *ret_by_table = true;
    for (int any = 0; any < 2 && s->n_values; any++)
        for (size_t i = 0; i < s->n_values; i++)
            if (any ? spd_sv_is(s->values[i].from, "*") : spd_sv_ieq(s->values[i].from, v))
                return spd_arena_dup(r->arena, s->values[i].to);
    *ret_by_table = !s->paths;
    return v;
}

static spd_sv name_of(const struct hl7_read *r, struct hl7_value v, enum hl7_kind kind)
{
    if (kind != HL7_K_NDL) return hl7_read_name(r, v, kind == HL7_K_XCN ? 2 : 1);
    /* An NDL: its first component holds id&family&given; some write id^family^given. */
    struct hl7_value ndl = hl7_comp(r->m, v, 1);
    spd_sv family = hl7_text(r, hl7_sub(r->m, ndl, 2)), given = hl7_text(r, hl7_sub(r->m, ndl, 3));
    if (family.len && given.len)
        return spd_arena_printf(r->arena, "%.*s, %.*s", SPD_SV_ARG(family), SPD_SV_ARG(given));
    if (family.len) return family;
    return hl7_read_name(r, v, 2);
}

static bool is_uid(spd_sv v)
{
    for (size_t i = 0; i < v.len; i++)
        if ((v.ptr[i] < '0' || v.ptr[i] > '9') && v.ptr[i] != '.') return false;
    return v.len && v.len <= 64;
}

static spd_sv hit_text(const struct hl7_read *r, const struct hl7_hit *hit, enum hl7_kind kind)
{
    spd_sv v;
    bool by_table;
    bool whole = hit->path && !hit->path->comp;
    if (!hit->path)
        v = spd_arena_dup(r->arena, hit->source->text);
    else if (whole && kind == HL7_K_LONG)
        v = hl7_text_max(r, hit->v, HL7_INFO_MAX);
    else if (whole && (kind == HL7_K_XPN || kind == HL7_K_XCN || kind == HL7_K_NDL))
        v = name_of(r, hit->v, kind);
    else
        v = SPD_SV_NONE;
    if (hit->path && !v.len && !(whole && (kind == HL7_K_XPN || kind == HL7_K_XCN)))
        v = text_at(r, hit->path, hit->v);
    v = mapped(r, hit->source, v, &by_table);
    if (kind == HL7_K_UID && !is_uid(v)) return SPD_SV_NONE;
    if (kind != HL7_K_MODALITY || by_table) return v;
    if (hl7_word_is_imaging(v)) return hl7_word_modality(v);
    /* In a field for modalities any code is one; a diagnostic section may be anything. */
    return !strcmp(hit->path->id, "IPC") || *hit->path->id == 'Z' ? v : SPD_SV_NONE;
}

/* ---- explaining -------------------------------------------------------------------------------
 */
void hl7_trace_add(const struct hl7_read *r, const char *fact, spd_sv value, spd_sv path,
                   spd_sv rule)
{
    struct hl7_trace *t = r->o->trace;
    for (size_t i = 0; t && i < t->n; i++)
        if (spd_sv_is(t->v[i].fact, fact) && spd_sv_eq(t->v[i].path, path) &&
            spd_sv_eq(t->v[i].value, value))
            return;
    if (t && t->n < MAX_TRACE)
        *SPD_LIST_ADD(t, r->arena) =
            (struct hl7_traced){spd_arena_dup(r->arena, spd_sv_from(fact)), value, path, rule};
}

static void trace_hit(const struct hl7_read *r, const struct hl7_sources *s,
                      const struct hl7_hit *hit, spd_sv value)
{
    unsigned nth = 0, of = 0;
    spd_sv path = SPD_SV("(fixed)");
    if (!r->o->trace) return;
    if (hit->path) {
        for (size_t i = 0; i < r->m->n_segs; i++)
            if (hl7_seg_is(&r->m->segs[i], hit->path->id)) of++, nth += i <= hit->seg;
        path = spd_arena_printf(r->arena, "%s", hit->path->id);
        if (of > 1) path = spd_arena_printf(r->arena, "%.*s[%u]", SPD_SV_ARG(path), nth);
        path = spd_arena_printf(r->arena, "%.*s-%u", SPD_SV_ARG(path), hit->path->field);
        if (hit->rep > 1) path = spd_arena_printf(r->arena, "%.*s[%u]", SPD_SV_ARG(path), hit->rep);
        if (hit->path->comp)
            path = spd_arena_printf(r->arena, "%.*s.%u", SPD_SV_ARG(path), hit->path->comp);
        if (hit->path->sub)
            path = spd_arena_printf(r->arena, "%.*s.%u", SPD_SV_ARG(path), hit->path->sub);
    }
    const struct hl7_site *site = s->own && r->o->map ? r->o->map : hl7_site_default();
    hl7_trace_add(r, spd_arena_dup(r->arena, s->name).ptr, value, path,
                  spd_arena_printf(r->arena, "%.*s:%d", SPD_SV_ARG(site->file), hit->source->line));
}

/* ---- what a fact is ---------------------------------------------------------------------------
 */
struct texts {
    const struct hl7_read *r;
    const struct hl7_sources *s;
    enum hl7_kind kind;
    struct hl7_texts all;
};

static bool all_sources(enum hl7_kind kind)
{
    return kind == HL7_K_LONG || kind == HL7_K_EACH;
}

static enum go take_text(void *ctx, const struct hl7_hit *hit)
{
    struct texts *t = ctx;
    spd_sv v = hit_text(t->r, hit, t->kind);
    if (!v.len) return ON;
    for (size_t i = 0; i < t->all.n; i++)
        if (spd_sv_eq(t->all.v[i], v)) return SAID;
    *SPD_LIST_ADD(&t->all, t->r->arena) = v;
    trace_hit(t->r, t->s, hit, v);
    return t->kind == HL7_K_UID || all_sources(t->kind) ? SAID : STOP;
}

struct hl7_texts hl7_take_all(const struct hl7_read *r, const struct hl7_at *at,
                              const struct hl7_sources *s, enum hl7_kind kind, bool *ret_nulled)
{
    struct texts t = {.r = r, .s = s, .kind = kind};
    struct walk w = {r, at, take_text, &t, false};
    walk(&w, s, all_sources(kind));
    if (ret_nulled) *ret_nulled = w.nulled && !t.all.n;
    return t.all;
}

spd_sv hl7_take_text(const struct hl7_read *r, const struct hl7_at *at, const struct hl7_sources *s,
                     enum hl7_kind kind, bool *ret_nulled)
{
    struct hl7_texts all = hl7_take_all(r, at, s, kind, ret_nulled);
    spd_sv v = all.n ? all.v[0] : SPD_SV_NONE;
    for (size_t i = 1; kind == HL7_K_LONG && i < all.n; i++)
        v = spd_arena_printf(r->arena, "%.*s; %.*s", SPD_SV_ARG(v), SPD_SV_ARG(all.v[i]));
    return v;
}

struct word {
    const struct hl7_read *r;
    const struct hl7_sources *s;
    spd_sv wire, word;
};

static enum go take_word(void *ctx, const struct hl7_hit *hit)
{
    struct word *t = ctx;
    bool by_table;
    spd_sv wire = hit->path ? text_at(t->r, hit->path, hit->v)
                            : spd_arena_dup(t->r->arena, hit->source->text);
    spd_sv word = mapped(t->r, hit->source, wire, &by_table);
    bool known = hl7_word_priority(word) != SPD_PRIORITY_UNSET;
    if (!word.len || (!known && t->wire.len)) return ON;
    t->wire = wire, t->word = word;
    trace_hit(t->r, t->s, hit, wire);
    return known ? STOP : ON; /* a later field may say it in a word that is known */
}

spd_sv hl7_take_priority(const struct hl7_read *r, const struct hl7_at *at,
                         const struct hl7_sources *s, spd_sv *ret_wire, bool *ret_nulled)
{
    struct word t = {.r = r, .s = s};
    struct walk w = {r, at, take_word, &t, false};
    walk(&w, s, false);
    *ret_wire = t.wire;
    *ret_nulled = w.nulled && !t.wire.len;
    return t.word;
}

struct ids {
    const struct hl7_read *r;
    const struct hl7_sources *s;
    struct spd_cx *one;
};

/* The first that has a value; a later one of the same value may say whose it is. */
static enum go take_id(void *ctx, const struct hl7_hit *hit)
{
    struct ids *t = ctx;
    struct spd_cx id = {0};
    bool by_table;
    if (hit->path && !hit->path->comp)
        hl7_read_ei(t->r, hit->v, SPD_SV_NONE, &id);
    else
        id.value = hit_text(t->r, hit, HL7_K_ID);
    if (hit->path && !hit->path->comp) id.value = mapped(t->r, hit->source, id.value, &by_table);
    if (!id.value.len) return ON;
    if (!id.authority.len) id.authority = spd_arena_dup(t->r->arena, hit->source->authority);
    if (!t->one->value.len) {
        *t->one = id;
        trace_hit(t->r, t->s, hit, id.value);
    } else if (!t->one->authority.len && spd_sv_eq(t->one->value, id.value)) {
        t->one->authority = id.authority;
    }
    return t->one->authority.len ? STOP : SAID;
}

bool hl7_take_id(const struct hl7_read *r, const struct hl7_at *at, const struct hl7_sources *s,
                 spd_sv authority, struct spd_cx *ret)
{
    struct spd_cx id = {0};
    struct ids t = {r, s, &id};
    struct walk w = {r, at, take_id, &t, false};
    walk(&w, s, true);
    if (!id.value.len) return false;
    if (!id.authority.len) id.authority = authority;
    *ret = id;
    return true;
}

struct code {
    const struct hl7_read *r;
    const struct hl7_sources *s;
    struct spd_code *ret;
};

static enum go take_code(void *ctx, const struct hl7_hit *hit)
{
    struct code *t = ctx;
    bool by_table;
    unsigned c = hit->path && hit->path->comp ? hit->path->comp : 1;
    struct spd_code code = {hit_text(t->r, hit, HL7_K_CODE), SPD_SV_NONE, SPD_SV_NONE};
    if (hit->path && !hit->path->sub) {
        struct hl7_value rep =
            hl7_get(t->r->m, &t->r->m->segs[hit->seg], hit->path->field, hit->rep, 0, 0);
        code.text = hl7_text(t->r, hl7_sub(t->r->m, hl7_comp(t->r->m, rep, c + 1), 1));
        code.scheme = hl7_text(t->r, hl7_sub(t->r->m, hl7_comp(t->r->m, rep, c + 2), 1));
        if (!code.text.len && c == 1)
            code.text = hl7_text(t->r, hl7_sub(t->r->m, hl7_comp(t->r->m, rep, 5), 1));
        if (!hit->path->comp) { /* a whole field without a code has its text at least */
            code.code =
                mapped(t->r, hit->source,
                       hl7_text(t->r, hl7_sub(t->r->m, hl7_comp(t->r->m, rep, 1), 1)), &by_table);
        }
    }
    if (!code.code.len && !code.text.len) return ON;
    *t->ret = code;
    trace_hit(t->r, t->s, hit, code.code.len ? code.code : code.text);
    return STOP;
}

bool hl7_take_code(const struct hl7_read *r, const struct hl7_at *at, const struct hl7_sources *s,
                   struct spd_code *ret)
{
    struct spd_code found = {0};
    struct code t = {r, s, &found};
    struct walk w = {r, at, take_code, &t, false};
    walk(&w, s, false);
    *ret = found;
    return found.code.len || found.text.len;
}

struct time {
    const struct hl7_read *r;
    const struct hl7_sources *s;
    spd_usec ret;
};

static enum go take_time(void *ctx, const struct hl7_hit *hit)
{
    struct time *t = ctx;
    t->ret = hl7_read_time(t->r, hit->v);
    if (!t->ret) return ON;
    trace_hit(t->r, t->s, hit, hl7_text(t->r, hit->v));
    return STOP;
}

spd_usec hl7_take_time(const struct hl7_read *r, const struct hl7_at *at,
                       const struct hl7_sources *s)
{
    struct time t = {r, s, 0};
    struct walk w = {r, at, take_time, &t, false};
    walk(&w, s, false);
    return t.ret;
}

struct patient_ids {
    const struct hl7_read *r;
    const struct hl7_sources *s;
    struct spd_patient *ret;
};

static enum go take_cx(void *ctx, const struct hl7_hit *hit)
{
    struct patient_ids *t = ctx;
    struct spd_cx id = {0};
    bool by_table;
    if (hit->path->comp)
        id.value = hit_text(t->r, hit, HL7_K_CX);
    else if (hl7_read_cx(t->r, hit->v, SPD_SV_NONE, &id))
        id.value = mapped(t->r, hit->source, id.value, &by_table);
    if (!id.value.len) return ON;
    if (hit->source->authority.len)
        id.authority = spd_arena_dup(t->r->arena, hit->source->authority);
    if (!id.authority.len) id.authority = t->r->o->patient_authority;
    for (size_t i = 0; i < t->ret->ids.n; i++)
        if (spd_cx_eq(&t->ret->ids.v[i], &id)) return SAID;
    *SPD_LIST_ADD(&t->ret->ids, t->r->arena) = id;
    trace_hit(t->r, t->s, hit, id.value);
    return SAID;
}

void hl7_read_ids(const struct hl7_read *r, const struct hl7_at *at, enum hl7_fact fact,
                  struct spd_patient *ret)
{
    struct patient_ids t = {r, hl7_fact(r, fact), ret};
    struct walk w = {r, at, take_cx, &t, false};
    walk(&w, t.s, false);
}

/* ---- facts of the reader's map ----------------------------------------------------------------
 */
const struct hl7_sources *hl7_fact(const struct hl7_read *r, enum hl7_fact fact)
{
    return &(r->o && r->o->map ? r->o->map : hl7_site_default())->facts[fact];
}

spd_sv hl7_fact_or_null(const struct hl7_read *r, const struct hl7_at *at, enum hl7_fact fact,
                        bool *ret_nulled)
{
    return hl7_take_text(r, at, hl7_fact(r, fact), hl7_fact_rows[fact].kind, ret_nulled);
}

spd_sv hl7_fact_text(const struct hl7_read *r, const struct hl7_at *at, enum hl7_fact fact)
{
    return hl7_fact_or_null(r, at, fact, NULL);
}

unsigned hl7_fact_line(const struct hl7_read *r, const struct hl7_at *at, size_t seg)
{
    const struct hl7_sources *s = hl7_fact(r, HL7_F_REPORT_TEXT);
    for (size_t i = 0; i < s->n; i++) {
        struct hl7_hit hit = {
            .source = &s->v[i], .path = &s->v[i].paths[0].p, .seg = seg, .rep = 1};
        if (hl7_seg_is(&r->m->segs[seg], hit.path->id) && source_passes(r, at, &hit, false) &&
            source_passes(r, at, &hit, true))
            return hit.path->field;
    }
    return 0;
}
