/* hl7/map/site.c: loads a field map: YAML to compiled facts; see site.h. The section results: is in
 * results_map.c. Strict: unknown keys, paths that are none and words that mean nothing are errors
 * with their place. */
#include "hl7/map/site.h"

#include <pthread.h>
#include <stdio.h>

enum { MAX_BYTES = 64 << 20, MAX_SOURCES = 32, MAX_PATHS = 8, MAX_WORDS = 500 };

#define ROW(name, section, key, kind) {section, key, HL7_K_##kind},
const struct hl7_fact_row hl7_fact_rows[HL7_F_N] = {HL7_FACTS(ROW)};

/* ---- paths and words ------------------------------------------------------------------------- */
static enum spd_rc read_path(const struct spd_yaml *node, spd_sv text, struct hl7_at_path *ret,
                             struct spd_err *err)
{
    if (hl7_path_parse(text, &ret->p, NULL) != SPD_OK)
        return spd_yaml_fail(node, err, "a path looks like OBR-18.1, ZOR-3 or PID-3[2].4.2");
    if (text.ptr[3] != '[') ret->p.seg = 0; /* any segment of that name */
    ret->text = text;
    return SPD_OK;
}

static enum spd_rc read_paths(const struct hl7_site *s, const struct spd_yaml *node,
                              struct hl7_source *ret, struct spd_err *err)
{
    spd_sv *texts;
    size_t n;
    enum spd_rc rc = spd_yaml_texts(node, &texts, &n, s->arena, err);
    if (rc) return rc;
    if (!n || n > MAX_PATHS)
        return spd_yaml_fail(node, err, "from: is a path, or a list of 1 to %d", MAX_PATHS);
    ret->paths = SPD_NEW_N(s->arena, struct hl7_at_path, n);
    const struct spd_yaml *at = node->kind == SPD_YAML_LIST ? node->child : node;
    for (size_t i = 0; i < n; i++, at = at->next)
        if ((rc = read_path(at, texts[i], &ret->paths[ret->n_paths++], err))) return rc;
    return SPD_OK;
}

enum spd_rc hl7_site_tests(const struct hl7_site *s, const struct spd_yaml *node,
                           struct hl7_tests *ret, struct spd_err *err)
{
    enum spd_rc rc = spd_yaml_map(node, err);
    if (rc) return rc;
    if (!node->n)
        return spd_yaml_fail(node, err,
                             "a test names a path and the words that pass: {PID-3.5: MR}");
    ret->v = SPD_NEW_N(s->arena, struct hl7_test, node->n);
    for (const struct spd_yaml *c = node->child; c; c = c->next) {
        struct hl7_test *t = &ret->v[ret->n++];
        if (hl7_path_parse(c->key, &t->path.p, NULL) != SPD_OK)
            return spd_yaml_fail_key(c, err, "a path looks like OBR-18.1, ZOR-3 or PID-3[2].4.2");
        if (c->key.ptr[3] != '[') t->path.p.seg = 0;
        t->path.text = c->key;
        if ((rc = spd_yaml_texts(c, &t->words, &t->n_words, s->arena, err))) return rc;
        if (!t->n_words || t->n_words > MAX_WORDS)
            return spd_yaml_fail(c, err, "give the word or words that pass; \"*\" is any value");
        if (t->n_words == 1 && spd_sv_is(t->words[0], "*")) t->n_words = 0;
    }
    return SPD_OK;
}

/* Is it a word that a fact of this kind can have? */
static enum spd_rc check_value(const struct spd_yaml *node, enum hl7_kind kind, spd_sv v,
                               struct spd_err *err)
{
    static const char *const priorities[] = {"stat", "asap", "urgent", "routine", NULL};
    if (!v.len) return SPD_OK; /* says nothing */
    if (kind == HL7_K_PRIORITY && hl7_word_priority(v) == SPD_PRIORITY_UNSET) {
        const char *near = spd_yaml_nearest(v, priorities);
        return near ? spd_yaml_fail(node, err, "not a priority; did you mean \"%s\"?", near)
                    : spd_yaml_fail(node, err, "not a priority: stat, asap, urgent or routine");
    }
    if (kind == HL7_K_MODALITY)
        for (size_t i = 0; i < v.len; i++)
            if (v.len > 16 || !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", v.ptr[i]))
                return spd_yaml_fail(node, err,
                                     "a modality is a DICOM code in capitals such as CT");
    return SPD_OK;
}

static enum spd_rc read_values(const struct hl7_site *s, const struct spd_yaml *node,
                               enum hl7_kind kind, struct hl7_source *ret, struct spd_err *err)
{
    enum spd_rc rc = spd_yaml_map(node, err);
    if (rc) return rc;
    if (!node->n || node->n > MAX_WORDS)
        return spd_yaml_fail(node, err, "1 to %d values", MAX_WORDS);
    ret->values = SPD_NEW_N(s->arena, struct hl7_value_word, node->n);
    for (const struct spd_yaml *c = node->child; c; c = c->next) {
        if (c->kind != SPD_YAML_TEXT) return spd_yaml_fail(c, err, "expected a word");
        if ((rc = check_value(c, kind, c->text, err))) return rc;
        ret->values[ret->n_values++] = (struct hl7_value_word){c->key, c->text};
    }
    return SPD_OK;
}

/* ---- sources --------------------------------------------------------------------------------- */
static enum spd_rc read_source(const struct hl7_site *s, const struct spd_yaml *node,
                               enum hl7_kind kind, struct hl7_source *ret, struct spd_err *err)
{
    static const char *const keys[] = {"from",  "text",      "when", "values",
                                       "strip", "authority", NULL};
    const struct spd_yaml *from, *text, *c;
    enum spd_rc rc;
    ret->line = node->line;
    if (node->kind == SPD_YAML_TEXT) return read_paths(s, node, ret, err);
    if ((rc = spd_yaml_keys(node, keys, err))) return rc;
    from = spd_yaml_get(node, "from"), text = spd_yaml_get(node, "text");
    if (!from == !text)
        return spd_yaml_fail(node, err, "a source has from: PATH, or text: a fixed value");
    if (from && (rc = read_paths(s, from, ret, err))) return rc;
    if (text && ((rc = spd_yaml_text(text, &ret->text, err)) ||
                 (rc = check_value(text, kind, ret->text, err))))
        return rc;
    if (text &&
        (kind == HL7_K_TIME || kind == HL7_K_LINES || kind == HL7_K_CX || kind == HL7_K_UID))
        return spd_yaml_fail_key(text, err, "a fixed value makes no sense here");
    if ((c = spd_yaml_get(node, "when")) && (rc = hl7_site_tests(s, c, &ret->when, err))) return rc;
    c = spd_yaml_get(node, "values") ? spd_yaml_get(node, "values") : spd_yaml_get(node, "strip");
    if (c && kind == HL7_K_TIME) return spd_yaml_fail_key(c, err, "a time is read as it stands");
    if ((c = spd_yaml_get(node, "values")) && (rc = read_values(s, c, kind, ret, err))) return rc;
    if ((c = spd_yaml_get(node, "strip")) && (rc = spd_yaml_text(c, &ret->strip, err))) return rc;
    if (!(c = spd_yaml_get(node, "authority"))) return SPD_OK;
    if (kind != HL7_K_ID && kind != HL7_K_CX)
        return spd_yaml_fail_key(c, err,
                                 "only numbers (accession, placer, filler, ids) have an authority");
    return spd_yaml_text(c, &ret->authority, err);
}

/* Lines of text are whole fields: no component, no table. */
static enum spd_rc check_lines(const struct spd_yaml *node, const struct hl7_source *s,
                               struct spd_err *err)
{
    if (s->n_paths != 1 || s->paths[0].p.comp || s->paths[0].p.rep || s->paths[0].p.seg ||
        s->n_values || s->strip.len)
        return spd_yaml_fail(
            node, err,
            "lines of text come from a whole field such as OBX-5, with or without when:");
    return SPD_OK;
}

enum spd_rc hl7_site_sources(const struct hl7_site *s, const struct spd_yaml *node, spd_sv name,
                             enum hl7_kind kind, struct hl7_sources *ret, struct spd_err *err)
{
    bool list = node->kind == SPD_YAML_LIST;
    size_t n = list ? node->n : 1;
    enum spd_rc rc = SPD_OK;
    if (n > MAX_SOURCES) return spd_yaml_fail(node, err, "more than %d sources", MAX_SOURCES);
    *ret = (struct hl7_sources){.v = n ? SPD_NEW_N(s->arena, struct hl7_source, n) : NULL,
                                .name = spd_arena_dup(s->arena, name),
                                .own = true};
    const struct spd_yaml *c = list ? node->child : node;
    for (size_t i = 0; i < n && !rc; i++, c = c->next) {
        rc = read_source(s, c, kind, &ret->v[ret->n++], err);
        if (!rc && kind == HL7_K_LINES) rc = check_lines(c, &ret->v[i], err);
    }
    return rc;
}

static enum spd_rc read_section(struct hl7_site *s, const struct spd_yaml *node,
                                struct spd_err *err)
{
    const char *known[HL7_F_N + 1];
    size_t n = 0;
    enum spd_rc rc;
    for (size_t i = 0; i < HL7_F_N; i++)
        if (spd_sv_is(node->key, hl7_fact_rows[i].section)) known[n++] = hl7_fact_rows[i].key;
    known[n] = NULL;
    if ((rc = spd_yaml_keys(node, known, err))) return rc;
    for (size_t i = 0; i < HL7_F_N; i++) {
        const struct hl7_fact_row *row = &hl7_fact_rows[i];
        const struct spd_yaml *c =
            spd_sv_is(node->key, row->section) ? spd_yaml_get(node, row->key) : NULL;
        char name[64];
        if (!c) continue;
        snprintf(name, sizeof name, "%s.%s", row->section, row->key);
        if ((rc = hl7_site_sources(s, c, spd_sv_from(name), row->kind, &s->facts[i], err)))
            return rc;
    }
    return SPD_OK;
}

static enum spd_rc read_map(struct hl7_site *s, const struct spd_yaml *root, struct spd_err *err)
{
    static const char *const keys[] = {"map",   "name",   "order",   "patient",
                                       "visit", "report", "results", NULL};
    const struct spd_yaml *version = spd_yaml_get(root, "map"), *c;
    spd_sv name; /* for people who read the file */
    enum spd_rc rc = spd_yaml_keys(root, keys, err);
    if (rc) return rc;
    if (!version) return spd_yaml_fail(root, err, "the first key of a field map is map: 1");
    if (!spd_sv_is(version->text, "1"))
        return spd_yaml_fail(version, err, "this version reads field maps of map: 1");
    if ((c = spd_yaml_get(root, "name")) && (rc = spd_yaml_text(c, &name, err))) return rc;
    for (const struct spd_yaml *part = root->child; part; part = part->next) {
        if (spd_sv_is(part->key, "map") || spd_sv_is(part->key, "name")) continue;
        rc = spd_sv_is(part->key, "results") ? hl7_site_results(s, part, err)
                                             : read_section(s, part, err);
        if (rc) return rc;
    }
    return SPD_OK;
}

static enum spd_rc load(const struct spd_source *source, const struct hl7_site *base,
                        struct hl7_site **ret, struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new(MAX_BYTES); /* the tree stays: its texts are used */
    struct spd_yaml *root;
    if (!arena) spd_out_of_memory();
    struct hl7_site *s = SPD_NEW(arena, struct hl7_site);
    *s = (struct hl7_site){.arena = arena, .refs = 1};
    if (base)
        memcpy(s->facts, base->facts,
               sizeof s->facts); /* those of the built-in map live for ever */
    for (size_t i = 0; i < HL7_F_N; i++)
        s->facts[i].own = false;
    s->file = spd_arena_dup(arena, source->name), s->text = spd_arena_dup(arena, source->text);
    enum spd_rc rc = spd_yaml_parse(source, &root, arena, err);
    if (!rc) rc = read_map(s, root, err);
    if (rc) spd_arena_free(arena), s = NULL;
    *ret = s;
    return rc;
}

/* ---- the built-in map, and outside ------------------------------------------------------------
 */
static struct hl7_site *builtin;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load_builtin(void)
{
    static const char text[] =
#include "hl7_default_map.inc"
        ;
    struct spd_source source = {SPD_SV("built-in"), {text, sizeof text - 1}};
    if (load(&source, NULL, &builtin, NULL) != SPD_OK)
        spd_out_of_memory(); /* the tests load it: it is right */
}

const struct hl7_site *hl7_site_default(void)
{
    pthread_once(&once, load_builtin);
    return builtin;
}

enum spd_rc hl7_site_load(const struct spd_source *source, const struct hl7_site **ret,
                          struct spd_err *err)
{
    struct hl7_site *s = NULL;
    enum spd_rc rc = load(source, hl7_site_default(), &s, err);
    *ret = s;
    return rc;
}

const struct hl7_site *hl7_site_ref(const struct hl7_site *s)
{
    if (s) __atomic_add_fetch(&((struct hl7_site *)(uintptr_t)s)->refs, 1, __ATOMIC_RELAXED);
    return s;
}

void hl7_site_unref(const struct hl7_site *s)
{
    if (s && !__atomic_sub_fetch(&((struct hl7_site *)(uintptr_t)s)->refs, 1, __ATOMIC_ACQ_REL))
        spd_arena_free(s->arena);
}

spd_sv hl7_site_text(const struct hl7_site *s)
{
    return s->text;
}

bool hl7_site_has_results(const struct hl7_site *s)
{
    return s && s->n_results;
}

bool hl7_site_results_by_test(const struct hl7_site *s)
{
    for (size_t i = 0; s && i < s->n_results; i++)
        if (!s->results[i].when.n) return false;
    return true;
}

spd_sv hl7_site_concept(const struct hl7_site *s, size_t i)
{
    for (size_t k = 0; s && k < s->n_results; k++)
        for (size_t j = 0; j < s->results[k].n_lines; j++)
            if (s->results[k].lines[j].concept.len && !i--) return s->results[k].lines[j].concept;
    return SPD_SV_NONE;
}
