/* src/result/codes.c: the code map. Read codes.h first.
 *
 * A row's meaning column is a list parted by "|"; an entry with "!" in front is a meaning by which
 * the sender shows that it means something else. A code is a mismatch when its meaning is such an
 * entry, or is an accepted meaning (or a name) of another concept and not of its own. Any other
 * meaning, in whatever language, is accepted, except in private schemes, whose numbers mean nothing
 * by themselves. */
#include "result/codes.h"

#include <glib.h>
#include <stdatomic.h>
#include <stdio.h>

struct row {
    spd_sv name, laterality;
    spd_sv *accepted, *not_these; /* normalised */
    size_t n_accepted, n_not;
    bool private_scheme;
};
struct map {                /* findings or sites */
    GHashTable *by_code;    /* "scheme|code" -> struct row */
    GHashTable *by_meaning; /* normalised -> canonical name (first); two owners: the empty name */
    GHashTable *names;      /* canonical -> struct spd_concept */
};
struct vendors { /* the maps in force from one spd_codes_set_vendors to the next */
    struct spd_arena *arena;
    struct spd_vendor_map *v;
    size_t n;
    struct vendors *before;
};
struct spd_codes {
    struct spd_arena *arena;
    struct map findings, sites;
    GHashTable *procedures; /* code -> struct spd_procedure */
    GHashTable *legacy;     /* SNOMED RT code -> SNOMED CT code */
    _Atomic(struct vendors *) vendors;
};

static const char *z(struct spd_arena *arena, spd_sv v)
{
    return v.len ? spd_arena_dup(arena, v).ptr : "";
}

/* One spelling per scheme: the legacy SNOMED designators are one, versions and OIDs are folded. */
static spd_sv scheme_of(spd_sv s)
{
    static const struct {
        const char *is, *means;
    } same[] = {{"SNM3", "SRT"},
                {"99SDM", "SRT"},
                {"SNM", "SRT"},
                {"SNOMED-RT", "SRT"},
                {"SNOMED", "SCT"},
                {"SNOMED-CT", "SCT"},
                {"2.16.840.1.113883.6.96", "SCT"},
                {"http://snomed.info/sct", "SCT"},
                {"RadLex", "RADLEX"},
                {"2.16.840.1.113883.6.256", "RADLEX"},
                {"RADELEMENT", "RDES"},
                {"LOINC", "LN"},
                {"C4", "CPT"}};
    s = spd_sv_trim(s);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (spd_sv_ieq(s, spd_sv_from(same[i].is))) return spd_sv_from(same[i].means);
    return s;
}

/* Lower case, one space between words, no punctuation, British "ae" as "e"; other letters stay. */
static spd_sv normal(struct spd_arena *arena, spd_sv text)
{
    char *out = spd_arena_must(arena, text.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 'A' && c <= 'Z') c = (unsigned char)(c + 32);
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
        if (word && c == 'e' && n && (out[n - 1] == 'a' || out[n - 1] == 'o') && n > 1) n--;
        if (word)
            out[n++] = (char)c;
        else if (n && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = 0;
    return spd_sv_of(out, n);
}

static bool listed(const spd_sv *list, size_t n, spd_sv v)
{
    for (size_t i = 0; i < n; i++)
        if (spd_sv_eq(list[i], v)) return true;
    return false;
}

/* ---- reading ------------------------------------------------------------------------------------
 */
enum { COLUMNS_MAX = 10 };
struct csv {
    const struct spd_source *source;
    size_t at;
    int line;
    spd_sv field[COLUMNS_MAX];
    size_t n;
};

/* The next row that is neither empty nor a comment. Fields hold no quotes or commas; CSV quoting is
 * refused. */
static bool next_row(struct csv *c)
{
    spd_sv t = c->source->text;
    while (c->at < t.len) {
        size_t end = c->at;
        while (end < t.len && t.ptr[end] != '\n')
            end++;
        spd_sv line = spd_sv_trim(spd_sv_of(t.ptr + c->at, end - c->at));
        c->at = end + 1, c->line++;
        if (!line.len || line.ptr[0] == '#') continue;
        for (c->n = 0; c->n < COLUMNS_MAX; c->n++) {
            size_t comma;
            bool more = spd_sv_find(line, SPD_SV(","), &comma);
            c->field[c->n] = spd_sv_trim(more ? spd_sv_of(line.ptr, comma) : line);
            if (!more) break;
            line.ptr += comma + 1, line.len -= comma + 1;
        }
        c->n++;
        for (size_t i = c->n; i < COLUMNS_MAX; i++)
            c->field[i] = SPD_SV_NONE;
        return true;
    }
    return false;
}

static enum spd_rc wrong(const struct csv *c, struct spd_err *err, const char *why)
{
    char place[96];
    snprintf(place, sizeof place, "%.*s:%d:1",
             (int)(c->source->name.len > 70 ? 70 : c->source->name.len), c->source->name.ptr,
             c->line);
    return spd_fail(err, SPD_INVALID, place, "%s", why);
}

static void own_meaning(struct map *m, struct spd_arena *arena, spd_sv meaning, spd_sv name)
{
    const spd_sv *owner = g_hash_table_lookup(m->by_meaning, z(arena, meaning));
    spd_sv *mine = SPD_NEW(arena, spd_sv);
    *mine = !owner || spd_sv_eq(*owner, name) ? name : SPD_SV_NONE;
    g_hash_table_replace(m->by_meaning, (gpointer)(uintptr_t)z(arena, meaning), mine);
}

static void add_meanings(struct map *m, struct spd_arena *arena, struct row *r, spd_sv list)
{
    r->accepted = SPD_NEW_N(arena, spd_sv, list.len + 2),
    r->not_these = SPD_NEW_N(arena, spd_sv, list.len + 1);
    while (list.len) {
        size_t bar;
        bool more = spd_sv_find(list, SPD_SV("|"), &bar);
        spd_sv one = more ? spd_sv_of(list.ptr, bar) : list;
        bool no = one.len && one.ptr[0] == '!';
        if (no) one.ptr++, one.len--;
        one = normal(arena, one);
        if (no)
            r->not_these[r->n_not++] = one;
        else {
            r->accepted[r->n_accepted++] = one;
            own_meaning(m, arena, one, r->name);
        }
        list.ptr += more ? bar + 1 : list.len, list.len -= more ? bar + 1 : list.len;
    }
}

static void merge_name(struct map *m, struct spd_arena *arena, const struct csv *c, bool finding)
{
    struct spd_concept *k = g_hash_table_lookup(m->names, z(arena, c->field[0]));
    if (!k) {
        k = SPD_NEW(arena, struct spd_concept);
        k->name = spd_arena_dup(arena, c->field[0]);
        g_hash_table_insert(m->names, (gpointer)(uintptr_t)k->name.ptr, k);
    }
    if (!k->nl.len) k->nl = spd_arena_dup(arena, c->field[4]);
    if (!k->en.len) k->en = spd_arena_dup(arena, c->field[5]);
    if (!finding) return;
    if (spd_sv_is(c->field[6], "yes")) k->alert = true;
    int64_t level;
    if (!k->default_level && spd_sv_to_i64(c->field[7], &level)) k->default_level = (int)level;
}

static enum spd_rc load_map(struct map *m, struct spd_arena *arena, const struct spd_source *source,
                            bool finding, struct spd_err *err)
{
    struct csv c = {.source = source};
    if (!next_row(&c) || !spd_sv_is(c.field[0], finding ? "concept" : "site"))
        return wrong(&c, err, "the first line must name the columns, see docs/dicom.md");
    while (next_row(&c)) {
        int64_t level;
        if (c.n < 6 || c.n > 8 || !c.field[0].len || !c.field[1].len || !c.field[2].len)
            return wrong(
                &c, err,
                "a row needs a name, a scheme, a code and the columns that the first line names");
        if (finding && c.field[7].len &&
            (!spd_sv_to_i64(c.field[7], &level) || level < 1 || level > 8))
            return wrong(&c, err, "level must be 1 to 8 or empty");
        if (finding && c.field[6].len && !spd_sv_is(c.field[6], "yes") &&
            !spd_sv_is(c.field[6], "no"))
            return wrong(&c, err, "alert must be yes, no or empty");
        struct row *r = SPD_NEW(arena, struct row);
        spd_sv scheme = scheme_of(c.field[1]);
        r->name = spd_arena_dup(arena, c.field[0]);
        if (!finding) r->laterality = spd_arena_dup(arena, c.field[6]);
        r->private_scheme = spd_sv_starts(scheme, SPD_SV("99")) || spd_sv_is(scheme, "L");
        if (r->private_scheme && !c.field[3].len)
            return wrong(&c, err,
                         "a code of a private scheme needs the meaning that is expected with it");
        add_meanings(m, arena, r, spd_arena_dup(arena, c.field[3]));
        merge_name(m, arena, &c, finding);
        spd_sv key =
            spd_arena_printf(arena, "%.*s|%.*s", SPD_SV_ARG(scheme), SPD_SV_ARG(c.field[2]));
        g_hash_table_replace(m->by_code, (gpointer)(uintptr_t)key.ptr, r);
    }
    return SPD_OK;
}

static enum spd_rc load_procedures(struct spd_codes *codes, const struct spd_source *source,
                                   struct spd_err *err)
{
    struct csv c = {.source = source};
    if (!next_row(&c) || !spd_sv_is(c.field[0], "code"))
        return wrong(&c, err, "the first line must name the columns, see docs/dicom.md");
    while (next_row(&c)) {
        if (c.n != 7 || !c.field[0].len)
            return wrong(&c, err, "a row needs a code and seven columns");
        struct spd_procedure *p = SPD_NEW(codes->arena, struct spd_procedure);
        spd_sv *const to[] = {&p->code,   NULL,   &p->modality, &p->body_part,
                              &p->region, &p->nl, &p->en};
        for (size_t i = 0; i < 7; i++)
            if (to[i]) *to[i] = spd_arena_dup(codes->arena, c.field[i]);
        g_hash_table_replace(codes->procedures, (gpointer)(uintptr_t)p->code.ptr, p);
    }
    return SPD_OK;
}

static enum spd_rc load_legacy(struct spd_codes *codes, const struct spd_source *source,
                               struct spd_err *err)
{
    struct csv c = {.source = source};
    (void)next_row(&c);
    while (next_row(&c)) {
        if (c.n != 2 || !c.field[0].len || !c.field[1].len)
            return wrong(&c, err, "a row needs a legacy code and the code of SNOMED CT");
        g_hash_table_replace(codes->legacy, (gpointer)(uintptr_t)z(codes->arena, c.field[0]),
                             (gpointer)(uintptr_t)z(codes->arena, c.field[1]));
    }
    return SPD_OK;
}

static void map_new(struct map *m)
{
    m->by_code = g_hash_table_new(g_str_hash, g_str_equal);
    m->by_meaning = g_hash_table_new(g_str_hash, g_str_equal);
    m->names = g_hash_table_new(g_str_hash, g_str_equal);
}

static struct spd_codes *codes_new(void)
{
    struct spd_codes *c = spd_must_malloc(sizeof *c);
    c->arena = spd_arena_new((size_t)64 << 20);
    if (!c->arena) spd_out_of_memory();
    map_new(&c->findings), map_new(&c->sites);
    c->procedures = g_hash_table_new(g_str_hash, g_str_equal);
    c->legacy = g_hash_table_new(g_str_hash, g_str_equal);
    return c;
}

enum spd_rc spd_codes_load(const struct spd_source *findings, const struct spd_source *sites,
                           const struct spd_source *procedures, struct spd_codes **ret,
                           struct spd_err *err)
{
    struct spd_codes *c = codes_new();
    enum spd_rc rc = findings ? load_map(&c->findings, c->arena, findings, true, err) : SPD_OK;
    if (!rc && sites) rc = load_map(&c->sites, c->arena, sites, false, err);
    if (!rc && procedures) rc = load_procedures(c, procedures, err);
    if (rc) spd_codes_free(c), c = NULL;
    *ret = c;
    return rc;
}

/* A site's own file is known by its first column. */
static enum spd_rc load_any(struct spd_codes *c, const struct spd_source *source,
                            struct spd_err *err)
{
    struct csv head = {.source = source};
    if (!next_row(&head)) return wrong(&head, err, "the file is empty");
    if (spd_sv_is(head.field[0], "concept"))
        return load_map(&c->findings, c->arena, source, true, err);
    if (spd_sv_is(head.field[0], "site")) return load_map(&c->sites, c->arena, source, false, err);
    if (spd_sv_is(head.field[0], "legacy")) return load_legacy(c, source, err);
    return load_procedures(c, source, err);
}

enum spd_rc spd_codes_load_dir(const char *dir, const char *site_dir, struct spd_codes **ret,
                               struct spd_err *err)
{
    static const char *const files[] = {"findings.csv", "sites.csv", "procedures.csv",
                                        "legacy.csv"};
    struct spd_codes *c = codes_new();
    enum spd_rc rc = SPD_OK;
    for (size_t i = 0; i < sizeof files / sizeof *files && !rc; i++) {
        struct spd_source s;
        spd_sv path = spd_arena_printf(c->arena, "%s/%s", dir, files[i]);
        rc = spd_source_read(path.ptr, 8 << 20, &s, c->arena, err);
        if (!rc) rc = load_any(c, &s, err);
    }
    struct spd_source *own = NULL;
    size_t n = 0;
    if (!rc && site_dir && *site_dir)
        rc = spd_source_glob(spd_arena_printf(c->arena, "%s/*.csv", site_dir).ptr, 8 << 20, &own,
                             &n, c->arena, err);
    for (size_t i = 0; i < n && !rc; i++)
        rc = load_any(c, &own[i], err);
    if (rc) spd_codes_free(c), c = NULL;
    *ret = c;
    return rc;
}

void spd_codes_free(struct spd_codes *c)
{
    if (!c) return;
    GHashTable *all[] = {
        c->findings.by_code, c->findings.by_meaning, c->findings.names, c->sites.by_code,
        c->sites.by_meaning, c->sites.names,         c->procedures,     c->legacy};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        g_hash_table_destroy(all[i]);
    for (struct vendors *v = atomic_load(&c->vendors), *before; v; v = before) {
        before = v->before;
        spd_arena_free(v->arena);
    }
    spd_arena_free(c->arena);
    spd_free(c);
}

/* ---- asking
 * --------------------------------------------------------------------------------------- */
static const struct row *row_of(const struct spd_codes *c, const struct map *m, spd_sv scheme,
                                spd_sv value)
{
    char key[256];
    if (!value.len || scheme.len + value.len + 2 > sizeof key) return NULL;
    snprintf(key, sizeof key, "%.*s|%.*s", SPD_SV_ARG(scheme), SPD_SV_ARG(value));
    const struct row *r = g_hash_table_lookup(m->by_code, key);
    if (r || !spd_sv_is(scheme, "SRT")) return r;
    snprintf(key, sizeof key, "%.*s", SPD_SV_ARG(value));
    const char *sct = g_hash_table_lookup(c->legacy, key);
    return sct ? row_of(c, m, SPD_SV("SCT"), spd_sv_from(sct)) : NULL;
}

/* Does the meaning that came with a code fit the row? */
static enum spd_code_match judge(const struct map *m, const struct row *r, spd_sv text)
{
    char meaning_z[512];
    if (text.len + 1 > sizeof meaning_z) return SPD_CODE_UNKNOWN;
    struct spd_arena *a = spd_arena_new(4096);
    if (!a) spd_out_of_memory();
    spd_sv meaning = normal(a, text);
    snprintf(meaning_z, sizeof meaning_z, "%.*s", SPD_SV_ARG(meaning));
    bool accepted = listed(r->accepted, r->n_accepted, meaning),
         refused = listed(r->not_these, r->n_not, meaning);
    const spd_sv *owner = g_hash_table_lookup(m->by_meaning, meaning_z);
    spd_arena_free(a);
    if (accepted) return SPD_CODE_KNOWN;
    if (refused || r->private_scheme) return SPD_CODE_MISMATCH;
    return owner && owner->len && !spd_sv_eq(*owner, r->name) ? SPD_CODE_MISMATCH : SPD_CODE_KNOWN;
}

static enum spd_code_match look_up(const struct spd_codes *c, const struct map *m, spd_sv within,
                                   const struct spd_code *code, const struct row **ret)
{
    spd_sv scheme = scheme_of(code->scheme), value = spd_sv_trim(code->code);
    struct spd_code ct = spd_codes_normal(c, code);
    char inside[80];
    const struct row *r = NULL;
    if (within.len && ct.scheme.len + within.len + 2 <= sizeof inside) {
        snprintf(inside, sizeof inside, "%.*s@%.*s", SPD_SV_ARG(ct.scheme), SPD_SV_ARG(within));
        r = row_of(c, m, spd_sv_from(inside), ct.code);
    }
    if (!r) r = row_of(c, m, scheme, value);
    if (!r) return SPD_CODE_UNKNOWN;
    enum spd_code_match match = judge(m, r, code->text);
    if (match != SPD_CODE_UNKNOWN) *ret = r;
    return match;
}

struct spd_code spd_codes_normal(const struct spd_codes *c, const struct spd_code *code)
{
    struct spd_code n = {spd_sv_trim(code->code), scheme_of(code->scheme), code->text};
    char key[64];
    if (!c || !spd_sv_is(n.scheme, "SRT") || n.code.len + 1 > sizeof key) return n;
    snprintf(key, sizeof key, "%.*s", SPD_SV_ARG(n.code));
    const char *sct = g_hash_table_lookup(c->legacy, key);
    if (sct) n.code = spd_sv_from(sct), n.scheme = SPD_SV("SCT");
    return n;
}

/* A row of the product's own map. Any meaning but the expected ones is a mismatch. */
static enum spd_code_match in_vendor_map(const struct spd_vendor_map *map,
                                         const struct spd_code *code,
                                         const struct spd_vendor_code **ret)
{
    spd_sv scheme = scheme_of(code->scheme), value = spd_sv_trim(code->code);
    for (size_t i = 0; map && i < map->n_codes; i++) {
        const struct spd_vendor_code *v = &map->codes[i];
        if (!spd_sv_eq(v->code, value) || !spd_sv_eq(v->scheme, scheme)) continue;
        *ret = v;
        struct spd_arena *a = spd_arena_new(4096);
        if (!a) spd_out_of_memory();
        bool fits =
            code->text.len < 512 && listed(v->meanings, v->n_meanings, normal(a, code->text));
        spd_arena_free(a);
        return fits ? SPD_CODE_KNOWN : SPD_CODE_MISMATCH;
    }
    return SPD_CODE_UNKNOWN;
}

enum spd_code_match spd_code_view_finding(const struct spd_code_view *v,
                                          const struct spd_code *code, spd_sv *ret_concept)
{
    const struct row *r = NULL;
    const struct spd_vendor_code *own = NULL;
    enum spd_code_match m = in_vendor_map(v->map, code, &own);
    *ret_concept = own ? own->concept : SPD_SV_NONE;
    if (own) return own->concept.len ? m : SPD_CODE_UNKNOWN;
    m = v->codes ? look_up(v->codes, &v->codes->findings, v->within, code, &r) : SPD_CODE_UNKNOWN;
    *ret_concept = r ? r->name : SPD_SV_NONE;
    return m;
}

enum spd_code_match spd_code_view_site(const struct spd_code_view *v, const struct spd_code *code,
                                       spd_sv *ret_site)
{
    const struct row *r = NULL;
    const struct spd_vendor_code *own = NULL;
    enum spd_code_match m = in_vendor_map(v->map, code, &own);
    *ret_site = own ? own->site : SPD_SV_NONE;
    if (own) return own->site.len ? m : SPD_CODE_UNKNOWN;
    m = v->codes ? look_up(v->codes, &v->codes->sites, v->within, code, &r) : SPD_CODE_UNKNOWN;
    *ret_site = r ? r->name : SPD_SV_NONE;
    return m;
}

enum spd_code_match spd_codes_finding(const struct spd_codes *c, const struct spd_code *code,
                                      spd_sv *ret_concept)
{
    return spd_code_view_finding(&(struct spd_code_view){.codes = c}, code, ret_concept);
}

enum spd_code_match spd_codes_site(const struct spd_codes *c, const struct spd_code *code,
                                   spd_sv *ret_site)
{
    return spd_code_view_site(&(struct spd_code_view){.codes = c}, code, ret_site);
}

spd_sv spd_codes_laterality(const struct spd_codes *c, const struct spd_code *code)
{
    const struct row *r = NULL;
    return c && look_up(c, &c->sites, SPD_SV_NONE, code, &r) == SPD_CODE_KNOWN ? r->laterality
                                                                               : SPD_SV_NONE;
}

static const struct spd_concept *by_name(const struct map *m, spd_sv name)
{
    char key[128];
    if (name.len + 1 > sizeof key) return NULL;
    snprintf(key, sizeof key, "%.*s", SPD_SV_ARG(name));
    return g_hash_table_lookup(m->names, key);
}

const struct spd_concept *spd_codes_concept(const struct spd_codes *c, spd_sv name)
{
    return c && !spd_sv_starts(name, SPD_SV("status:")) ? by_name(&c->findings, name) : NULL;
}

bool spd_codes_is_site(const struct spd_codes *c, spd_sv site)
{
    return c && by_name(&c->sites, site);
}

spd_sv spd_codes_site_name(const struct spd_codes *c, spd_sv site, bool dutch)
{
    const struct spd_concept *k = c ? by_name(&c->sites, site) : NULL;
    return !k ? SPD_SV_NONE : dutch ? k->nl : k->en;
}

const struct spd_procedure *spd_codes_procedure(const struct spd_codes *c, spd_sv code)
{
    char key[128];
    code = spd_sv_trim(code);
    if (!c || code.len + 1 > sizeof key) return NULL;
    snprintf(key, sizeof key, "%.*s", SPD_SV_ARG(code));
    return g_hash_table_lookup(c->procedures, key);
}

/* ---- the maps of products ----------------------------------------------------------------------
 */
static bool known_meaning(const struct spd_codes *c, const struct spd_vendor_code *v)
{
    static const char *const items[] = {"item:finding", "item:presence", "item:site",
                                        "item:probability"};
    if (v->site.len) return spd_codes_is_site(c, v->site);
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        if (spd_sv_is(v->concept, items[i])) return true;
    return v->concept.len && by_name(&c->findings, v->concept);
}

static enum spd_rc copy_code(const struct spd_codes *c, struct spd_arena *a,
                             const struct spd_vendor_code *from, struct spd_vendor_code *to,
                             struct spd_err *err)
{
    spd_sv *meanings = SPD_NEW_N(a, spd_sv, from->n_meanings + 1);
    char place[96];
    snprintf(place, sizeof place, "%.*s", (int)(from->place.len > 90 ? 90 : from->place.len),
             from->place.len ? from->place.ptr : "");
    if (!from->n_meanings || !from->code.len || !from->scheme.len)
        return spd_fail(err, SPD_INVALID, place,
                        "a code needs its scheme and the meaning that is expected with it");
    if (!known_meaning(c, from))
        return spd_fail(err, SPD_INVALID, place,
                        "no code file names \"%.*s\": mind the spelling, or add it to the site's "
                        "codes first",
                        (int)(from->site.len ? from->site : from->concept).len,
                        (from->site.len ? from->site : from->concept).ptr);
    for (size_t i = 0; i < from->n_meanings; i++)
        meanings[i] = normal(a, from->meanings[i]);
    *to = (struct spd_vendor_code){.scheme = spd_arena_dup(a, scheme_of(from->scheme)),
                                   .code = spd_arena_dup(a, spd_sv_trim(from->code)),
                                   .meanings = meanings,
                                   .n_meanings = from->n_meanings,
                                   .concept = spd_arena_dup(a, from->concept),
                                   .site = spd_arena_dup(a, from->site)};
    return SPD_OK;
}

enum spd_rc spd_codes_set_vendors(struct spd_codes *c, const struct spd_vendor_map *maps, size_t n,
                                  struct spd_err *err)
{
    struct spd_arena *a = spd_arena_new((size_t)32 << 20);
    if (!a) spd_out_of_memory();
    struct vendors *v = SPD_NEW(a, struct vendors);
    enum spd_rc rc = SPD_OK;
    v->arena = a, v->v = SPD_NEW_N(a, struct spd_vendor_map, n + 1), v->n = n;
    for (size_t i = 0; i < n && !rc; i++) {
        struct spd_vendor_code *codes = SPD_NEW_N(a, struct spd_vendor_code, maps[i].n_codes + 1);
        v->v[i] = (struct spd_vendor_map){spd_arena_dup(a, maps[i].manufacturer),
                                          spd_arena_dup(a, maps[i].name), codes, maps[i].n_codes};
        for (size_t k = 0; k < maps[i].n_codes && !rc; k++)
            rc = copy_code(c, a, &maps[i].codes[k], &codes[k], err);
    }
    if (rc) {
        spd_arena_free(a);
        return rc;
    }
    v->before = atomic_load(&c->vendors);
    atomic_store(&c->vendors, v);
    return SPD_OK;
}

const struct spd_vendor_map *spd_codes_vendor(const struct spd_codes *c, spd_sv manufacturer,
                                              spd_sv name)
{
    const struct vendors *all =
        c ? atomic_load(&((struct spd_codes *)(uintptr_t)c)->vendors) : NULL;
    const struct spd_vendor_map *best = NULL;
    int best_keys = -1;
    manufacturer = spd_sv_trim(manufacturer), name = spd_sv_trim(name);
    for (size_t i = 0; all && i < all->n; i++) {
        const struct spd_vendor_map *m = &all->v[i];
        int keys = (m->name.len ? 2 : 0) + (m->manufacturer.len ? 1 : 0);
        if ((m->manufacturer.len && !spd_sv_eq(m->manufacturer, manufacturer)) ||
            (m->name.len && !spd_sv_eq(m->name, name)) || keys <= best_keys)
            continue;
        best = m, best_keys = keys;
    }
    return best;
}
