/* hl7/map/results.c: ORU^R01 of an AI product to results, by the section results: of the peer's
 * map; see site.h.
 *
 * One result per order group, entry of the map and model that speaks. Design rule 5 holds line by
 * line: present is taken wherever the map says so; absent and normal only where every line that the
 * map knows of is there and says so by a word of the map. Everything else is "not analysed", with a
 * note. P, R and F make no difference here, and nothing here closes an order: an AI vendor's F is
 * not a report. D, W, X and C are the sender's own corrections. */
#include "hl7/map/site.h"

#include <stdio.h>

enum {
    MAX_GROUPS = 256,
    MAX_MODELS = 16,
    MAX_FINDINGS = 500,
    MAX_NOTES = 40,
    MAX_REPS = 50,
    MAX_LINES = 500,
    MAX_TEXT = 65536
};

struct one { /* what one model says in one group */
    struct spd_result r;
    bool unclear, failed, not_applicable, normal, absent, present, withdrawn;
    bool seen[HL7_RESULT_LINES_MAX];
};
struct reading {
    const struct hl7_read *r;
    const struct hl7_group *g;
    const struct hl7_result_map *map;
    size_t lines; /* of findings, read so far */
    struct one *ones[MAX_MODELS];
    size_t n;
    struct {
        spd_sv *v;
        size_t n;
    } notes;         /* of the group: for each of them */
    bool unknown;    /* a line that the map does not know */
    bool study_line; /* a line that names the study */
    struct spd_str text;
};

static void note(const struct reading *d, struct one *o, spd_sv text)
{
    for (size_t i = 0; i < o->r.notes.n; i++)
        if (spd_sv_eq(o->r.notes.v[i], text)) return;
    if (o->r.notes.n < MAX_NOTES) *SPD_LIST_ADD(&o->r.notes, d->r->arena) = text;
}

static void note_line(const struct reading *d, struct one *o, size_t seg, const char *what)
{
    unsigned nth = 0;
    if ((o ? o->r.notes.n : d->notes.n) >= MAX_NOTES) return;
    for (size_t i = 0; i <= seg; i++)
        nth += hl7_seg_is(&d->r->m->segs[i], "OBX");
    spd_sv text = spd_arena_printf(d->r->arena, "OBX[%u]: %s", nth, what);
    if (o)
        note(d, o, text);
    else if (d->notes.n < MAX_NOTES)
        *SPD_LIST_ADD(&((struct reading *)(uintptr_t)d)->notes, d->r->arena) = text;
}

/* ---- words -------------------------------------------------------------------------------------
 */
/* Without regard to case and to how many blanks stand between words. */
static bool same_words(spd_sv a, spd_sv b)
{
    size_t i = 0, k = 0;
    while (i < a.len && k < b.len) {
        char x = a.ptr[i++], y = b.ptr[k++];
        if (x >= 'A' && x <= 'Z') x = (char)(x + 32);
        if (y >= 'A' && y <= 'Z') y = (char)(y + 32);
        if (x != y) return false;
        while (x == ' ' && i < a.len && a.ptr[i] == ' ')
            i++;
        while (x == ' ' && k < b.len && b.ptr[k] == ' ')
            k++;
    }
    return i == a.len && k == b.len;
}

static enum hl7_meaning look_up(const struct hl7_means *first, const struct hl7_means *then,
                                spd_sv word)
{
    const struct hl7_means *const both[] = {first, then};
    for (size_t k = 0; k < 2 && word.len; k++)
        for (size_t i = 0; i < both[k]->n; i++)
            if (same_words(both[k]->v[i].word, word)) return both[k]->v[i].means;
    return HL7_MEANS_NOTHING;
}

/* Two things said of one line: what raises wins, what does not agree is unclear. */
static enum hl7_meaning together(enum hl7_meaning a, enum hl7_meaning b)
{
    if (!a || a == b) return b;
    if (!b) return a;
    if (a == HL7_MEANS_PRESENT || b == HL7_MEANS_PRESENT) return HL7_MEANS_PRESENT;
    bool quiet = (a == HL7_MEANS_ABSENT || a == HL7_MEANS_NORMAL) &&
                 (b == HL7_MEANS_ABSENT || b == HL7_MEANS_NORMAL);
    return quiet ? HL7_MEANS_ABSENT : HL7_MEANS_UNCLEAR;
}

/* Where the map has flags, one that it does not know is no quiet one. */
static enum hl7_meaning word_of_flags(const struct reading *d, struct one *o,
                                      const struct hl7_result_line *l, size_t seg)
{
    const struct hl7_seg *obx = &d->r->m->segs[seg];
    struct hl7_value f = hl7_field(d->r->m, obx, 8);
    size_t n = f.is == HL7_VALUE ? hl7_reps(d->r->m, f.raw) : 0;
    enum hl7_meaning all = HL7_MEANS_NOTHING;
    for (unsigned i = 1; i <= n && i <= MAX_REPS; i++) {
        spd_sv flag = hl7_text(d->r, hl7_get(d->r->m, obx, 8, i, 1, 0));
        enum hl7_meaning one = look_up(&l->flags, &d->map->flags, flag);
        if (!one && flag.len && (l->flags.n || d->map->flags.n)) {
            note_line(d, o, seg, "a flag to which the map gives no meaning");
            one = HL7_MEANS_UNCLEAR;
        }
        all = together(all, one);
    }
    return all;
}

/* What repetition rep of OBX-5 means, beside the line's flags. in_value: its code is the finding, so
 * that it need not be a known word. */
static enum hl7_meaning meaning_of(const struct reading *d, struct one *o,
                                   const struct hl7_result_line *l, size_t seg, unsigned rep,
                                   bool in_value, enum hl7_meaning flag)
{
    const struct hl7_seg *obx = &d->r->m->segs[seg];
    spd_sv v = hl7_text(d->r, hl7_get(d->r->m, obx, 5, rep, 1, 0)),
           text = hl7_text(d->r, hl7_get(d->r->m, obx, 5, rep, 2, 0));
    enum hl7_meaning word =
        together(look_up(&l->words, &d->map->words, v), look_up(&l->words, &d->map->words, text));
    if (word && flag && word != flag && together(word, flag) == HL7_MEANS_PRESENT)
        note_line(d, o, seg, "value and flag contradict each other; taken as present");
    if (word) return together(word, flag);
    bool word_wanted = (v.len || text.len) && !in_value && (l->words.n || d->map->words.n);
    if (flag && (flag == HL7_MEANS_PRESENT || !word_wanted)) return flag;
    if (l->means) return l->means;
    note_line(d, o, seg,
              v.len || text.len ? "a word to which the map gives no meaning"
                                : "no value to which the map gives a meaning");
    return HL7_MEANS_UNCLEAR;
}

/* ---- one line ----------------------------------------------------------------------------------
 */
static struct one *speaker(struct reading *d, const struct hl7_at *at)
{
    struct spd_result who = {0};
    who.manufacturer = hl7_take_text(d->r, at, &d->map->manufacturer, HL7_K_TEXT, NULL);
    who.name = hl7_take_text(d->r, at, &d->map->name, HL7_K_TEXT, NULL);
    who.version = hl7_take_text(d->r, at, &d->map->version, HL7_K_TEXT, NULL);
    for (size_t i = 0; i < d->n; i++) {
        struct spd_result *r = &d->ones[i]->r;
        if (spd_sv_eq(r->manufacturer, who.manufacturer) && spd_sv_eq(r->name, who.name) &&
            spd_sv_eq(r->version, who.version))
            return d->ones[i];
    }
    if (d->n == MAX_MODELS) { /* more would be a flood: the rest counts for nobody's negative */
        d->ones[0]->unclear = true;
        note(d, d->ones[0],
             SPD_SV("more than 16 models speak in one message; the rest is not read"));
        return NULL;
    }
    struct one *o = SPD_NEW(d->r->arena, struct one);
    o->r = who;
    d->ones[d->n++] = o;
    return o;
}

/* The unit of the value that a source gave: OBX-6 of the line it was in, for OBX-5 only. */
static bool is_percent(const struct reading *d, const struct hl7_source *s, const struct hl7_at *at)
{
    size_t seg = at->line;
    if (!s->n_paths || strcmp(s->paths[0].p.id, "OBX") != 0 || s->paths[0].p.field != 5)
        return false;
    for (size_t i = d->g->first; i < d->g->end && s->when.n; i++) {
        struct hl7_at one = {d->g, HL7_NO_SEG, i};
        if (hl7_seg_is(&d->r->m->segs[i], "OBX") && hl7_pass(d->r, &one, &s->when)) {
            seg = i;
            break;
        }
    }
    return spd_sv_is(hl7_text_of(d->r, &d->r->m->segs[seg], 6, 1), "%");
}

/* Millionths, -1: not said. More than 1 without a percent sign is no probability. */
static int64_t probability(const struct reading *d, struct one *o, const struct hl7_result_line *l,
                           const struct hl7_at *at)
{
    for (size_t i = 0; i < l->probability.n; i++) {
        struct hl7_sources alone = {&l->probability.v[i], 1, l->probability.name,
                                    l->probability.own};
        spd_sv v = hl7_take_text(d->r, at, &alone, HL7_K_TEXT, NULL);
        bool percent = v.len && v.ptr[v.len - 1] == '%';
        int64_t micro;
        if (!v.len) continue;
        if (percent) v = spd_sv_trim(spd_sv_of(v.ptr, v.len - 1));
        if (!percent) percent = is_percent(d, alone.v, at);
        if (spd_sv_to_micro(v, &micro) && micro >= 0 && micro <= (percent ? 100000000 : 1000000))
            return percent ? micro / 100 : micro;
        note_line(d, o, at->line, "a probability that is no number from 0 to 1");
    }
    return -1;
}

static spd_sv laterality_of(spd_sv v)
{
    static const struct {
        const char *word, *means;
    } words[] = {{"left", "left"},           {"l", "left"},     {"right", "right"}, {"r", "right"},
                 {"bilateral", "bilateral"}, {"b", "bilateral"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (spd_sv_ieq(v, spd_sv_from(words[i].word))) return spd_sv_from(words[i].means);
    return SPD_SV_NONE;
}

static bool by_table(const struct hl7_sources *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].n_values || s->v[i].text.len) return true;
    return false;
}

static void read_site(const struct reading *d, const struct hl7_result_line *l,
                      const struct hl7_at *at, struct spd_finding *f)
{
    struct spd_code code;
    if (hl7_take_code(d->r, at, &l->site, &code)) {
        f->site_text = code.text.len ? code.text : code.code;
        if (!d->r->o->place || !d->r->o->place(d->r->o->codes_ctx, &code, &f->site, &f->laterality))
            f->site = by_table(&l->site) ? code.code : SPD_SV_NONE;
    }
    spd_sv side = laterality_of(hl7_take_text(d->r, at, &l->laterality, HL7_K_TEXT, NULL));
    if (side.len) f->laterality = side;
}

/* Which finding: by the map, else by the code table. */
static void read_concept(const struct reading *d, struct one *o, const struct hl7_result_line *l,
                         size_t seg, struct spd_finding *f)
{
    spd_sv known = SPD_SV_NONE;
    f->concept = spd_arena_dup(d->r->arena, l->concept);
    if (f->concept.len || !d->r->o->finding) return;
    if (d->r->o->finding(d->r->o->codes_ctx, &f->code, &known) &&
        !spd_sv_starts(known, SPD_SV("status:")))
    f->concept = spd_arena_dup(d->r->arena, known);
    else if (known.len && !spd_sv_starts(known, SPD_SV("status:")))
        note_line(d, o, seg, "the code's own text contradicts its meaning; not mapped");
}

/* told: what the line says of all its values: probability, site, side. */
static void take_value(const struct reading *d, struct one *o, const struct hl7_result_line *l,
                       size_t seg, unsigned rep, enum hl7_meaning flag,
                       const struct spd_finding *told)
{
    struct hl7_at at = {d->g, HL7_NO_SEG, seg};
    struct hl7_source source = l->code.n ? l->code.v[0] : (struct hl7_source){0};
    struct hl7_at_path path = source.n_paths ? source.paths[0] : (struct hl7_at_path){0};
    bool in_value =
        l->code.n == 1 && source.n_paths == 1 && !strcmp(path.p.id, "OBX") && path.p.field == 5;
    struct spd_finding f = *told;
    struct hl7_sources code = l->code;
    if (in_value) /* each repetition is a finding of its own */
        path.p.rep = rep, source.paths = &path, code.v = &source;
    hl7_take_code(d->r, &at, &code, &f.code);
    enum hl7_meaning means = meaning_of(d, o, l, seg, rep, in_value, flag);
    o->failed |= means == HL7_MEANS_FAILED, o->not_applicable |= means == HL7_MEANS_NOT_APPLICABLE;
    if (means == HL7_MEANS_FAILED || means == HL7_MEANS_NOT_APPLICABLE) return;
    read_concept(d, o, l, seg, &f);
    if (means == HL7_MEANS_ABSENT && !f.concept.len) {
        note_line(d, o, seg, "absent, but of a finding that is not mapped");
        means = HL7_MEANS_UNCLEAR;
    }
    static const enum spd_present as[] = {[HL7_MEANS_PRESENT] = SPD_PRESENT_YES,
                                          [HL7_MEANS_ABSENT] = SPD_PRESENT_NO,
                                          [HL7_MEANS_UNCLEAR] = SPD_PRESENT_UNCLEAR,
                                          [HL7_MEANS_NORMAL] = SPD_PRESENT_NORMAL};
    f.present = (int32_t)as[means];
    o->present |= means == HL7_MEANS_PRESENT, o->absent |= means == HL7_MEANS_ABSENT;
    o->unclear |= means == HL7_MEANS_UNCLEAR, o->normal |= means == HL7_MEANS_NORMAL;
    if (o->r.findings.n < MAX_FINDINGS) {
        *SPD_LIST_ADD(&o->r.findings, d->r->arena) = f;
        return;
    }
    o->unclear = true;
    note(d, o, SPD_SV("more than 500 findings; the rest is not read"));
}

/* OBX-11 (table 0085). Only these say something by themselves. */
static bool take_status(const struct reading *d, struct one *o, size_t seg)
{
    spd_sv s = hl7_text_of(d->r, &d->r->m->segs[seg], 11, 1);
    char c = s.len == 1 ? s.ptr[0] : 0;
    if (c == 'C') o->r.correction = 1;
    if (!s.len || (c && strchr("FPRCUAB", c))) return true;
    if (c == 'D' || c == 'W') {
        o->withdrawn = true, o->r.correction = 1;
        note_line(d, o, seg,
                  c == 'D' ? "deleted by its sender (OBX-11 D)"
                           : "wrong according to its sender (OBX-11 W)");
    } else if (c == 'X') {
        o->failed = true;
        note_line(d, o, seg, "could not be obtained (OBX-11 X)");
    } else {
        note_line(d, o, seg, "not a result yet (OBX-11)");
    }
    o->unclear = true;
    return false;
}

static void take_line(struct reading *d, size_t i, size_t seg)
{
    struct hl7_at at = {d->g, HL7_NO_SEG, seg};
    const struct hl7_result_line *l = &d->map->lines[i];
    struct one *o = speaker(d, &at);
    if (!o) return;
    o->seen[i] = true;
    if (!take_status(d, o, seg)) return;
    struct hl7_value f = hl7_field(d->r->m, &d->r->m->segs[seg], 5);
    size_t n = f.is == HL7_VALUE ? hl7_reps(d->r->m, f.raw) : 0;
    if (n > MAX_REPS) {
        o->unclear = true;
        note_line(d, o, seg, "more than 50 repetitions; the rest is not read");
    }
    if (++d->lines > MAX_LINES) {
        o->unclear = true;
        note(d, o, SPD_SV("more than 500 lines of findings; the rest is not read"));
        return;
    }
    enum hl7_meaning flag = word_of_flags(d, o, l, seg);
    struct spd_finding told = {.probability = probability(d, o, l, &at)};
    read_site(d, l, &at, &told);
    for (unsigned rep = 1; rep <= (n ? n : 1) && rep <= MAX_REPS; rep++)
        take_value(d, o, l, seg, rep, flag, &told);
}

/* ---- lines that are no finding -----------------------------------------------------------------
 */
/* Does a source of these read this very line, by a test of the line itself? */
static bool is_read_by(const struct reading *d, const struct hl7_at *at,
                       const struct hl7_sources *sources)
{
    for (size_t s = 0; s < sources->n; s++) {
        const struct hl7_source *one = &sources->v[s];
        bool of_line = false;
        for (size_t i = 0; i < one->when.n; i++)
            of_line |= !strcmp(one->when.v[i].path.p.id, "OBX");
        if (of_line && one->n_paths && !strcmp(one->paths[0].p.id, "OBX") &&
            hl7_pass(d->r, at, &one->when))
            return true;
    }
    return false;
}

/* A probability, a site, the study in a line of its own: no finding, and nothing unknown. */
static bool is_detail(const struct reading *d, const struct hl7_at *at)
{
    const struct hl7_result_map *m = d->map;
    if (is_read_by(d, at, &m->manufacturer) || is_read_by(d, at, &m->name) ||
        is_read_by(d, at, &m->version) || is_read_by(d, at, &m->study_uid) ||
        is_read_by(d, at, &m->id) || is_read_by(d, at, &m->at))
        return true;
    for (size_t i = 0; i < m->n_lines; i++)
        if (is_read_by(d, at, &m->lines[i].probability) || is_read_by(d, at, &m->lines[i].site) ||
            is_read_by(d, at, &m->lines[i].laterality) || is_read_by(d, at, &m->lines[i].code))
            return true;
    return false;
}

static void other_line(struct reading *d, size_t seg)
{
    struct hl7_at at = {d->g, HL7_NO_SEG, seg};
    const struct hl7_seg *obx = &d->r->m->segs[seg];
    spd_sv type = hl7_text_of(d->r, obx, 2, 1), text;
    bool words =
        spd_sv_is(type, "TX") || spd_sv_is(type, "FT") || spd_sv_is(type, "ST") || !type.len;
    if (is_detail(d, &at)) return;
    if (spd_sv_is(type, "ED") || spd_sv_is(type, "RP")) {
        note_line(d, NULL, seg, "a document or a pointer to one; it is not read");
        return;
    }
    text =
        words ? hl7_text_max(d->r, hl7_get(d->r->m, obx, 5, 1, 0, 0), HL7_INFO_MAX) : SPD_SV_NONE;
    if (text.len && d->text.len + text.len < MAX_TEXT) {
        if (d->text.len) spd_str_addc(&d->text, '\n');
        spd_str_add(&d->text, text);
    }
    if (spd_sv_is(type, "TX") || spd_sv_is(type, "FT"))
        return; /* prose beside coded lines takes nothing from them */
    d->unknown = true;
    note_line(d, NULL, seg, "a line that the map does not know");
}

/* ---- a whole result ----------------------------------------------------------------------------
 */
static void check_missing(const struct reading *d, struct one *o)
{
    for (size_t i = 0; i < d->map->n_lines; i++) {
        const struct hl7_result_line *l = &d->map->lines[i];
        if (o->seen[i] || l->optional) continue;
        o->unclear = true;
        note(d, o,
             l->concept.len
                 ? spd_arena_printf(d->r->arena, "no line for %.*s", SPD_SV_ARG(l->concept))
                 : spd_arena_printf(d->r->arena, "no line for the map's finding %zu", i + 1));
    }
}

static enum spd_ai_state state_of(const struct one *o)
{
    if (o->present) return SPD_AI_POSITIVE;
    if (o->withdrawn) return SPD_AI_NOT_ANALYSED;
    if (o->failed) return SPD_AI_FAILED;
    if (o->unclear || (o->not_applicable && (o->normal || o->absent))) return SPD_AI_NOT_ANALYSED;
    if (o->not_applicable) return SPD_AI_NOT_APPLICABLE;
    return o->normal ? SPD_AI_NORMAL : o->absent ? SPD_AI_NEGATIVE : SPD_AI_NOT_ANALYSED;
}

static void withdraw(const struct reading *d, struct one *o)
{
    o->withdrawn = true, o->present = false, o->r.correction = 1;
    o->r.findings.v = NULL, o->r.findings.n = 0;
    note(d, o, SPD_SV("withdrawn by its sender (OBR-25 X)"));
}

static void finish(struct reading *d, struct one *o, const struct spd_patient *patient)
{
    struct hl7_at at = {d->g, HL7_NO_SEG, HL7_NO_SEG};
    struct hl7_read *r = (struct hl7_read *)(uintptr_t)d->r;
    struct spd_order_in ids = {0};
    struct hl7_procedure p;
    struct spd_cx id = {0};
    spd_sv status = hl7_fact_text(r, &at, HL7_F_RESULT_STATUS);
    if (spd_sv_is(status, "C")) o->r.correction = 1;
    if (spd_sv_is(status, "X"))
        withdraw(d, o);
    else
        check_missing(d, o);
    o->unclear |= d->unknown;
    for (size_t i = 0; i < d->notes.n; i++)
        note(d, o, d->notes.v[i]);
    hl7_group_ids(r, d->g, &ids);
    hl7_group_imaging(r, d->g, &p);
    o->r.accession = ids.accession;
    o->r.study_uid = hl7_take_text(r, &at, &d->map->study_uid, HL7_K_UID, NULL);
    if (hl7_take_id(r, &at, &d->map->id, SPD_SV_NONE, &id))
        *SPD_LIST_ADD(&o->r.tracking, r->arena) =
            spd_arena_printf(r->arena, "%.*s^%.*s", SPD_SV_ARG(id.value), SPD_SV_ARG(id.authority));
    o->r.content_at = hl7_clamp_time(r, hl7_take_time(r, &at, &d->map->at));
    o->r.modality = p.modality, o->r.body_part = p.body_part;
    o->r.patient = *patient;
    o->r.peer = r->o->peer;
    o->r.text = spd_arena_dup(r->arena, spd_str_sv(&d->text));
    o->r.state = (int32_t)state_of(o);
    if (d->study_line && !o->r.study_uid.len)
        note(d, o, SPD_SV("the line that names the study holds no UID"));
    if (o->r.state == SPD_AI_NOT_ANALYSED && !o->r.notes.n)
        note(d, o, SPD_SV("one part of it says that it does not apply"));
    hl7_trace_add(r, "results.state", spd_sv_from(spd_enum_name(spd_ai_state_names, o->r.state)),
                  SPD_SV_NONE, o->r.notes.n ? o->r.notes.v[0] : SPD_SV_NONE);
}

static void add_result(const struct hl7_read *r, struct spd_result_event *e,
                       const struct spd_result *one)
{
    if (!e->result.state)
        e->result = *one;
    else
        *SPD_LIST_ADD(&e->more, r->arena) = *one;
}

static void read_group(const struct hl7_read *r, const struct hl7_group *g,
                       const struct hl7_result_map *map, const struct spd_patient *patient,
                       struct spd_result_event *ret)
{
    struct reading d = {.r = r, .g = g, .map = map, .text = SPD_STR_INIT(MAX_TEXT + 16)};
    for (size_t i = g->first; i < g->end; i++) {
        struct hl7_at at = {g, HL7_NO_SEG, i};
        bool known = false;
        if (!hl7_seg_is(&r->m->segs[i], "OBX")) continue;
        if (hl7_is_study_uid(r, &r->m->segs[i])) {
            d.study_line = true;
            continue;
        }
        if (map->ignore.n && hl7_pass(r, &at, &map->ignore)) continue;
        for (size_t k = 0; k < map->n_lines; k++)
            if (hl7_pass(r, &at, &map->lines[k].when)) known = true, take_line(&d, k, i);
        if (!known) other_line(&d, i);
    }
    if (!d.n) { /* nothing that the map knows: it is said so, for the model that the message names
                 */
        struct hl7_at at = {g, HL7_NO_SEG, HL7_NO_SEG};
        note(&d, speaker(&d, &at),
             d.text.len ? SPD_SV("text only: nothing in it that the map knows")
                        : SPD_SV("nothing in it that the map knows"));
    }
    for (size_t i = 0; i < d.n; i++) {
        finish(&d, d.ones[i], patient);
        add_result(r, ret, &d.ones[i]->r);
    }
    spd_str_done(&d.text);
}

/* An entry without when: is for every message of a sender that sends nothing but results. */
static bool is_for(const struct hl7_read *r, const struct hl7_group *g,
                   const struct hl7_result_map *map)
{
    struct hl7_at at = {g, HL7_NO_SEG, HL7_NO_SEG};
    return map->when.n ? hl7_pass(r, &at, &map->when) : !r->o->reports;
}

enum hl7_no hl7_read_results(struct hl7_read *r, struct spd_result_event *ret)
{
    struct hl7_group groups[MAX_GROUPS];
    const struct hl7_site *site = r->o->map;
    size_t n = hl7_groups(r->m, groups, MAX_GROUPS), pid = hl7_seg_find(r->m, "PID", 0), ours = 0;
    struct spd_patient patient = {0};
    if (!n) return HL7_NO_ORDER;
    if (pid < r->m->n_segs) hl7_read_patient(r, &r->m->segs[pid], &patient);
    for (size_t i = 0; i < n; i++) {
        bool any = false;
        for (size_t k = 0; site && k < site->n_results; k++)
            if (is_for(r, &groups[i], &site->results[k])) {
                any = true;
                read_group(r, &groups[i], &site->results[k], &patient, ret);
            }
        ours += any;
    }
    if (!ours) return HL7_NO_NOT_FOR_US;
    if (hl7_groups_left(r->m, groups, n, true)) return HL7_NO_MORE;
    if (ours < n) return HL7_NO_MIXED;
    ret->known_peer = 1;
    if (ret->result.state == SPD_AI_NOT_ANALYSED && ret->result.notes.n)
        ret->why = ret->result.notes.v[0];
    return HL7_NO;
}
