/* src/rules/models.c: the registry of AI products: who they are, what they are meant for. See
 * rules.h. */
#include "rules/cond.h"

enum { MAX_MODELS = 2000, MAX_MEMORY = 32 << 20 };

struct entry {
    struct spd_model pub; /* first: spd_model_applies casts back */
    struct spd__cond intended;
    const struct spd_yaml *node;
};
struct spd_models {
    struct spd_arena *arena;
    struct entry *v;
    size_t n;
};

static enum spd_rc load_match(struct spd_model *m, const struct spd_yaml *node,
                              struct spd_arena *arena, struct spd_err *err)
{
    static const char *const keys[] = {"manufacturer", "name", "versions", NULL};
    const struct spd_yaml *c;
    spd_sv *versions;
    enum spd_rc rc = spd_yaml_keys(node, keys, err);
    if (rc) return rc;
    if (!node->n)
        return spd_yaml_fail(
            node, err, "an empty match takes every result: name the manufacturer or the product");
    if ((c = spd_yaml_get(node, "manufacturer")) && (rc = spd_yaml_text(c, &m->manufacturer, err)))
        return rc;
    if ((c = spd_yaml_get(node, "name")) && (rc = spd_yaml_text(c, &m->name, err))) return rc;
    if ((c = spd_yaml_get(node, "versions"))) {
        if ((rc = spd_yaml_texts(c, &versions, &m->n_versions, arena, err))) return rc;
        m->versions = versions;
    }
    m->manufacturer = spd_sv_trim(m->manufacturer), m->name = spd_sv_trim(m->name);
    return SPD_OK;
}

static enum spd_rc load_findings(struct spd_model *m, const struct spd_yaml *node,
                                 struct spd_arena *arena, struct spd_err *err)
{
    static const char *const keys[] = {"threshold", NULL};
    struct spd_model_finding *v;
    enum spd_rc rc = spd_yaml_map(node, err);
    if (rc) return rc;
    m->findings = v = SPD_NEW_N(arena, struct spd_model_finding, node->n + 1);
    for (const struct spd_yaml *c = node->child; c; c = c->next, v++) {
        const struct spd_yaml *threshold;
        v->concept = c->key, v->threshold = -1;
        m->n_findings++;
        if (c->kind == SPD_YAML_TEXT && !c->text.len) continue; /* "concept:" without a threshold */
        if ((rc = spd_yaml_keys(c, keys, err))) return rc;
        threshold = spd_yaml_get(c, "threshold");
        if (threshold && (rc = spd_yaml_probability(threshold, &v->threshold, err))) return rc;
    }
    return SPD_OK;
}

static enum spd_rc load_code(struct spd_model_code *c, const struct spd_yaml *node,
                             struct spd_arena *arena, struct spd_err *err)
{
    static const char *const keys[] = {"scheme", "code", "meaning", "finding",
                                       "status", "site", "item",    NULL};
    static const struct {
        const char *key;
        const char *words[7]; /* NULL first: any text */
    } means[] = {{"finding", {NULL}},
                 {"status", {"present", "absent", "normal", "abnormal", "unclear", "failed", NULL}},
                 {"site", {NULL}},
                 {"item", {"finding", "presence", "site", "probability", NULL}}};
    const struct spd_yaml *scheme, *code, *meaning, *m;
    char place[96];
    spd_sv *meanings;
    int said = 0, word;
    enum spd_rc rc = spd_yaml_keys(node, keys, err);
    if (rc) return rc;
    scheme = spd_yaml_get(node, "scheme"), code = spd_yaml_get(node, "code");
    meaning = spd_yaml_get(node, "meaning");
    if (!scheme || !code || !meaning)
        return spd_yaml_fail(node, err,
                             "a code needs \"scheme\", \"code\" and the \"meaning\" that is "
                             "expected with it");
    if ((rc = spd_yaml_text(scheme, &c->scheme, err)) ||
        (rc = spd_yaml_text(code, &c->code, err)) ||
        (rc = spd_yaml_texts(meaning, &meanings, &c->n_meanings, arena, err)))
        return rc;
    if (!c->n_meanings) return spd_yaml_fail(meaning, err, "name at least one meaning");
    c->meanings = meanings;
    for (size_t i = 0; i < sizeof means / sizeof *means; i++) {
        if (!(m = spd_yaml_get(node, means[i].key))) continue;
        spd_sv text;
        said++;
        if ((rc = spd_yaml_text(m, &text, err)) ||
            (means[i].words[0] && (rc = spd_yaml_word(m, means[i].words, &word, err))))
            return rc;
        if (i == 2)
            c->site = text;
        else
        c->concept = i ? spd_arena_printf(arena, "%s:%.*s", means[i].key, SPD_SV_ARG(text)) : text;
    }
    spd_yaml_place(node, place);
    c->place = spd_arena_dup(arena, spd_sv_from(place));
    return said == 1 ? SPD_OK
                     : spd_yaml_fail(node, err,
                                     "say what the code means by one of \"finding\", \"status\", "
                                     "\"site\" or \"item\"");
}

static enum spd_rc load_codes(struct spd_model *m, const struct spd_yaml *node,
                              struct spd_arena *arena, struct spd_err *err)
{
    struct spd_model_code *v;
    enum spd_rc rc = spd_yaml_list(node, err);
    if (rc) return rc;
    m->codes = v = SPD_NEW_N(arena, struct spd_model_code, node->n + 1);
    for (const struct spd_yaml *c = node->child; c && !rc; c = c->next) {
        for (size_t i = 0; i < m->n_codes;
             i++) { /* twice the same code would leave it open which holds */
            const struct spd_yaml *s = spd_yaml_get(c, "scheme"), *k = spd_yaml_get(c, "code");
            if (s && k && spd_sv_eq(s->text, v[i].scheme) && spd_sv_eq(k->text, v[i].code))
                return spd_yaml_fail(c, err, "this code is listed twice");
        }
        rc = load_code(&v[m->n_codes], c, arena, err);
        m->n_codes++;
    }
    return rc;
}

static enum spd_rc load_link(struct spd_model *m, const struct spd_yaml *node, struct spd_err *err)
{
    enum spd_rc rc = spd_yaml_text(node, &m->link, err);
    if (rc) return rc;
    if (!spd_sv_starts(m->link, SPD_SV("https://")) && !spd_sv_starts(m->link, SPD_SV("http://")))
        return spd_yaml_fail(node, err, "a link begins with https:// or http://");
    return SPD_OK;
}

static enum spd_rc load_use(struct entry *e, const struct spd_yaml *node, struct spd_arena *arena,
                            struct spd_err *err)
{
    static const char *const allowed[] = {"modality", "body_part",     "procedure", "age",
                                          "location", "patient_class", NULL};
    static const char *const displays[] = {"list", "on_demand", "link", NULL};
    struct spd_model *m = &e->pub;
    const struct spd_yaml *c;
    int word;
    enum spd_rc rc;
    m->mode = SPD_MODE_SHADOW, m->display = SPD_SV("list");
    if ((c = spd_yaml_get(node, "mode"))) {
        if ((rc = spd_yaml_word(c, spd_mode_names, &word, err))) return rc;
        m->mode = (enum spd_mode)word;
    }
    if ((c = spd_yaml_get(node, "required")) && (rc = spd_yaml_bool(c, &m->required, err)))
        return rc;
    if ((c = spd_yaml_get(node, "expected_within")) &&
        (rc = spd_yaml_duration(c, &m->expected_within, err)))
        return rc;
    if ((c = spd_yaml_get(node, "silent_after")) &&
        (rc = spd_yaml_duration(c, &m->silent_after, err)))
        return rc;
    if ((c = spd_yaml_get(node, "for")) &&
        (rc = spd__cond_parse(c, allowed, &e->intended, arena, err)))
        return rc;
    if ((c = spd_yaml_get(node, "findings")) && (rc = load_findings(m, c, arena, err))) return rc;
    if ((c = spd_yaml_get(node, "codes")) && (rc = load_codes(m, c, arena, err))) return rc;
    if ((c = spd_yaml_get(node, "link")) && (rc = load_link(m, c, err))) return rc;
    if ((c = spd_yaml_get(node, "display"))) {
        if ((rc = spd_yaml_word(c, displays, &word, err))) return rc;
        m->display = spd_sv_from(displays[word]);
    }
    return SPD_OK;
}

static enum spd_rc load_model(struct spd_models *all, const struct spd_yaml *node,
                              struct spd_err *err)
{
    static const char *const keys[] = {"id",    "match",    "mode", "required", "expected_within",
                                       "for",   "findings", "link", "display",  "silent_after",
                                       "codes", NULL};
    struct entry *e = &all->v[all->n];
    const struct spd_yaml *id, *match;
    enum spd_rc rc;
    if ((rc = spd_yaml_keys(node, keys, err))) return rc;
    id = spd_yaml_get(node, "id"), match = spd_yaml_get(node, "match");
    e->node = node;
    if (!id) return spd_yaml_fail(node, err, "\"id\" is missing: a model needs a name");
    if ((rc = spd_yaml_text(id, &e->pub.id, err))) return rc;
    if (spd_models_get(all, e->pub.id))
        return spd_yaml_fail(id, err, "another model has the same id");
    if (!match)
        return spd_yaml_fail(node, err,
                             "\"match\" is missing: say how its results call themselves");
    if ((rc = load_match(&e->pub, match, all->arena, err)) ||
        (rc = load_use(e, node, all->arena, err)))
        return rc;
    all->n++;
    return SPD_OK;
}

static enum spd_rc load_file(struct spd_models *all, const struct spd_source *file,
                             struct spd_err *err)
{
    static const char *const keys[] = {"models", NULL};
    struct spd_yaml *root;
    const struct spd_yaml *list;
    struct entry *more;
    enum spd_rc rc;
    if ((rc = spd_yaml_parse(file, &root, all->arena, err)) ||
        (rc = spd_yaml_keys(root, keys, err)))
        return rc;
    list = spd_yaml_get(root, "models");
    if (!list) return spd_yaml_fail(root, err, "begin with \"models:\" and a list");
    if ((rc = spd_yaml_list(list, err))) return rc;
    if (all->n + list->n > MAX_MODELS)
        return spd_yaml_fail(list, err, "more than %d models", MAX_MODELS);
    more = SPD_NEW_N(all->arena, struct entry, all->n + list->n + 1);
    if (all->n) memcpy(more, all->v, all->n * sizeof *more);
    all->v = more;
    for (const struct spd_yaml *c = list->child; c; c = c->next)
        if ((rc = load_model(all, c, err))) return rc;
    return SPD_OK;
}

enum spd_rc spd_models_load(const struct spd_source *files, size_t n, struct spd_models **ret,
                            struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new(MAX_MEMORY);
    struct spd_models *all;
    enum spd_rc rc = SPD_OK;
    if (!arena) spd_out_of_memory();
    all = SPD_NEW(arena, struct spd_models);
    all->arena = arena;
    for (size_t i = 0; i < n && !rc; i++)
        rc = load_file(all, &files[i], err);
    if (rc)
        spd_arena_free(arena);
    else
        *ret = all;
    return rc;
}

void spd_models_free(struct spd_models *m)
{
    if (m) spd_arena_free(m->arena);
}

size_t spd_models_n(const struct spd_models *m)
{
    return m->n;
}

const struct spd_model *spd_models_at(const struct spd_models *m, size_t i)
{
    return i < m->n ? &m->v[i].pub : NULL;
}

const struct spd_model *spd_models_get(const struct spd_models *m, spd_sv id)
{
    for (size_t i = 0; i < m->n; i++)
        if (spd_sv_eq(m->v[i].pub.id, id)) return &m->v[i].pub;
    return NULL;
}

static bool lists(const struct spd_model *m, spd_sv version)
{
    version = spd_sv_trim(version);
    for (size_t i = 0; i < m->n_versions; i++)
        if (spd_sv_eq(m->versions[i], version)) return true;
    return false;
}

/* The entry that names most wins: both names before one, and of equals the one that lists the
 * version. */
const struct spd_model *spd_models_match(const struct spd_models *m, spd_sv manufacturer,
                                         spd_sv name, spd_sv version)
{
    const struct spd_model *best = NULL;
    int best_keys = -1;
    manufacturer = spd_sv_trim(manufacturer), name = spd_sv_trim(name);
    for (size_t i = 0; i < m->n; i++) {
        const struct spd_model *x = &m->v[i].pub;
        int keys;
        if ((x->manufacturer.len && !spd_sv_eq(x->manufacturer, manufacturer)) ||
            (x->name.len && !spd_sv_eq(x->name, name)))
            continue;
        keys = (x->name.len ? 4 : 0) + (x->manufacturer.len ? 2 : 0) + lists(x, version);
        if (keys > best_keys) best = x, best_keys = keys;
    }
    return best;
}

enum spd_mode spd_model_mode(const struct spd_model *m, spd_sv version)
{
    return lists(m, version) ? m->mode : SPD_MODE_SHADOW;
}

enum spd_tri spd_model_applies(const struct spd_model *m, const struct spd_facts *f)
{
    const struct entry *e = (const struct entry *)(const void *)m;
    struct spd__look look = {.f = f};
    return spd__cond_any(&e->intended, &look);
}
