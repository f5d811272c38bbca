/* hl7/map/results_map.c: the section results: of a field map: how a vendor's ORU^R01 says what its
 * model found; see site.h and docs/hl7.md. Strict as site.c. No word has a meaning unless the file
 * gives it one: nothing here is taken as absent or normal by itself. */
#include "hl7/map/site.h"

#include <stdio.h>

enum { MAX_WORDS = 500 };

const char *const hl7_meaning_names[] = {"present", "absent",         "unclear", "normal",
                                         "failed",  "not_applicable", NULL};

/* What an entry has where its file says nothing: the same form, the same loader. */
static const char usual[] =
    "id: OBR-3\n"
    "at: [OBX-19, OBR-22, MSH-7]\n"
    "study_uid:\n"
    "  - {from: [OBX-5.1, OBX-5.2], when: {OBX-3.1: ['113014', Study Instance UID]}}\n"
    "  - {from: [OBX-5.1, OBX-5.2], when: {OBX-3.2: [DICOM Study, Study Instance UID]}}\n"
    "  - ZDS-1.1\n"
    "  - IPC-3.1\n"
    "code: OBX-3\n"
    "probability: OBX-9\n";

static enum spd_rc sources(const struct hl7_site *s, const struct spd_yaml *map, const char *key,
                           enum hl7_kind kind, struct hl7_sources *ret, struct spd_err *err)
{
    const struct spd_yaml *c = spd_yaml_get(map, key);
    char name[64];
    snprintf(name, sizeof name, "results.%s", key);
    return c ? hl7_site_sources(s, c, spd_sv_from(name), kind, ret, err) : SPD_OK;
}

static enum spd_rc read_means(const struct hl7_site *s, const struct spd_yaml *node,
                              struct hl7_means *ret, struct spd_err *err)
{
    enum spd_rc rc;
    int means;
    if (!node) return SPD_OK;
    if ((rc = spd_yaml_map(node, err))) return rc;
    if (!node->n || node->n > MAX_WORDS)
        return spd_yaml_fail(node, err, "1 to %d words", MAX_WORDS);
    ret->v = SPD_NEW_N(s->arena, struct hl7_mean, node->n);
    for (const struct spd_yaml *c = node->child; c; c = c->next) {
        if ((rc = spd_yaml_word(c, hl7_meaning_names, &means, err))) return rc;
        ret->v[ret->n++] = (struct hl7_mean){c->key, (enum hl7_meaning)(means + 1)};
    }
    return SPD_OK;
}

static bool is_concept(spd_sv v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", v.ptr[i])) return false;
    return v.len && v.len <= 64;
}

static enum spd_rc read_line(const struct hl7_site *s, const struct spd_yaml *node,
                             struct hl7_result_line *ret, struct spd_err *err)
{
    static const char *const keys[] = {"when",       "concept",  "code",        "words",
                                       "flags",      "means",    "probability", "site",
                                       "laterality", "optional", NULL};
    static const char *const by_itself[] = {"present", "unclear", NULL};
    const struct spd_yaml *when = NULL, *c;
    int means = 0;
    enum spd_rc rc = spd_yaml_keys(node, keys, err);
    if (rc) return rc;
    ret->line = node->line;
    if (!(when = spd_yaml_get(node, "when")))
        return spd_yaml_fail(node, err, "say which OBX it is: when: {OBX-3.1: …}");
    if ((rc = hl7_site_tests(s, when, &ret->when, err))) return rc;
    if ((c = spd_yaml_get(node, "concept"))) {
        if ((rc = spd_yaml_text(c, &ret->concept, err))) return rc;
        if (!is_concept(ret->concept))
            return spd_yaml_fail(c, err,
                                 "a concept is a canonical name such as intracranial-hemorrhage");
    }
    if ((c = spd_yaml_get(node, "means"))) {
        if ((rc = spd_yaml_word(c, by_itself, &means, err))) return rc;
        ret->means = means ? HL7_MEANS_UNCLEAR : HL7_MEANS_PRESENT;
    }
    if ((c = spd_yaml_get(node, "optional")) && (rc = spd_yaml_bool(c, &ret->optional, err)))
        return rc;
    if ((rc = sources(s, node, "code", HL7_K_CODE, &ret->code, err)) ||
        (rc = sources(s, node, "probability", HL7_K_TEXT, &ret->probability, err)) ||
        (rc = sources(s, node, "site", HL7_K_CODE, &ret->site, err)) ||
        (rc = sources(s, node, "laterality", HL7_K_TEXT, &ret->laterality, err)) ||
        (rc = read_means(s, spd_yaml_get(node, "words"), &ret->words, err)))
        return rc;
    return read_means(s, spd_yaml_get(node, "flags"), &ret->flags, err);
}

static enum spd_rc read_model(const struct hl7_site *s, const struct spd_yaml *node,
                              struct hl7_result_map *ret, struct spd_err *err)
{
    static const char *const keys[] = {"manufacturer", "name", "version", NULL};
    const struct spd_yaml *model = spd_yaml_get(node, "model");
    enum spd_rc rc;
    if (!model)
        return spd_yaml_fail(node, err,
                             "say who speaks: model: {manufacturer: …, name: …, version: …}");
    if ((rc = spd_yaml_keys(model, keys, err)) ||
        (rc = sources(s, model, "manufacturer", HL7_K_TEXT, &ret->manufacturer, err)) ||
        (rc = sources(s, model, "name", HL7_K_TEXT, &ret->name, err)) ||
        (rc = sources(s, model, "version", HL7_K_TEXT, &ret->version, err)))
        return rc;
    if (!ret->name.n)
        return spd_yaml_fail(model, err, "a model has a name: a path, or {text: \"…\"}");
    return SPD_OK;
}

static enum spd_rc read_lines(const struct hl7_site *s, const struct spd_yaml *node,
                              struct hl7_result_map *ret, struct spd_err *err)
{
    const struct spd_yaml *list = spd_yaml_get(node, "findings");
    enum spd_rc rc;
    if (!list)
        return spd_yaml_fail(node, err,
                             "say which lines carry what: findings: [{when: …, concept: …}]");
    if ((rc = spd_yaml_list(list, err))) return rc;
    if (!list->n || list->n > HL7_RESULT_LINES_MAX)
        return spd_yaml_fail(list, err, "1 to %d findings", HL7_RESULT_LINES_MAX);
    ret->lines = SPD_NEW_N(s->arena, struct hl7_result_line, list->n);
    for (const struct spd_yaml *c = list->child; c; c = c->next) {
        struct hl7_result_line *line = &ret->lines[ret->n_lines++];
        if ((rc = read_line(s, c, line, err))) return rc;
        if (!ret->words.n && !ret->flags.n && !line->words.n && !line->flags.n && !line->means)
            return spd_yaml_fail(c, err,
                                 "no word of it means anything: give words:, flags: or means:");
    }
    return SPD_OK;
}

/* Those that neither the entry nor the line names. */
static enum spd_rc fill_usual(struct hl7_site *s, struct hl7_result_map *m)
{
    struct spd_source source = {SPD_SV("built-in results"), {usual, sizeof usual - 1}};
    struct spd_yaml *root;
    struct hl7_sources code = {0}, probability = {0}, id = {0}, at = {0}, study = {0};
    enum spd_rc rc = spd_yaml_parse(&source, &root, s->arena, NULL);
    if (rc || (rc = sources(s, root, "id", HL7_K_ID, &id, NULL)) ||
        (rc = sources(s, root, "at", HL7_K_TIME, &at, NULL)) ||
        (rc = sources(s, root, "study_uid", HL7_K_UID, &study, NULL)) ||
        (rc = sources(s, root, "code", HL7_K_CODE, &code, NULL)) ||
        (rc = sources(s, root, "probability", HL7_K_TEXT, &probability, NULL)))
        return rc;
    id.own = at.own = study.own = code.own = probability.own = false;
    if (!m->id.own) m->id = id;
    if (!m->at.own) m->at = at;
    if (!m->study_uid.own) m->study_uid = study;
    for (size_t i = 0; i < m->n_lines; i++) {
        if (!m->lines[i].code.own) m->lines[i].code = code;
        if (!m->lines[i].probability.own) m->lines[i].probability = probability;
    }
    return SPD_OK;
}

static enum spd_rc read_entry(struct hl7_site *s, const struct spd_yaml *node,
                              struct hl7_result_map *ret, struct spd_err *err)
{
    static const char *const keys[] = {"when",  "model", "study_uid", "id",       "at",
                                       "words", "flags", "ignore",    "findings", NULL};
    const struct spd_yaml *c;
    enum spd_rc rc = spd_yaml_keys(node, keys, err);
    if (rc) return rc;
    if ((c = spd_yaml_get(node, "when")) && (rc = hl7_site_tests(s, c, &ret->when, err))) return rc;
    if ((c = spd_yaml_get(node, "ignore")) && (rc = hl7_site_tests(s, c, &ret->ignore, err)))
        return rc;
    if ((rc = read_model(s, node, ret, err)) ||
        (rc = sources(s, node, "study_uid", HL7_K_UID, &ret->study_uid, err)) ||
        (rc = sources(s, node, "id", HL7_K_ID, &ret->id, err)) ||
        (rc = sources(s, node, "at", HL7_K_TIME, &ret->at, err)) ||
        (rc = read_means(s, spd_yaml_get(node, "words"), &ret->words, err)) ||
        (rc = read_means(s, spd_yaml_get(node, "flags"), &ret->flags, err)) ||
        (rc = read_lines(s, node, ret, err)))
        return rc;
    return fill_usual(s, ret);
}

enum spd_rc hl7_site_results(struct hl7_site *s, const struct spd_yaml *node, struct spd_err *err)
{
    bool list = node->kind == SPD_YAML_LIST;
    size_t n = list ? node->n : 1;
    enum spd_rc rc = SPD_OK;
    if (!n || n > HL7_RESULT_MAPS_MAX)
        return spd_yaml_fail(node, err, "1 to %d entries", HL7_RESULT_MAPS_MAX);
    s->results = SPD_NEW_N(s->arena, struct hl7_result_map, n);
    const struct spd_yaml *c = list ? node->child : node;
    for (size_t i = 0; i < n && !rc; i++, c = c->next)
        rc = read_entry(s, c, &s->results[s->n_results++], err);
    return rc;
}
