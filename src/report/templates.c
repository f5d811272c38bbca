/* src/report/templates.c: the set that is compiled in, and a site's own set from a folder. See
 * report.h. */
#include "report/templates.h"

#include <stdio.h>

#include "base/str.h"
#include "base/yaml.h"

enum { MAX_TEXT = 64 << 10, MAX_TEMPLATES = 500, MAX_MEMORY = 48 << 20 };

/* A test compares these with packaging/share/templates. */
static const char chest_normal_nl[] =
    "{procedure}\n\n"
    "Verslag:\n"
    "Cor en mediastinum niet verbreed. Geen infiltraat, geen pleuravocht, geen pneumothorax.\n"
    "Geen afwijkingen aan het afgebeelde skelet.\n"
    "{priors}\n\n"
    "Conclusie:\n"
    "Geen afwijkingen op de thoraxfoto.\n\n"
    "Concept, vooringevuld na beoordeling door: {models}.\n"
    "{coverage}\n";
static const char chest_normal_en[] =
    "{procedure}\n\n"
    "Report:\n"
    "Heart and mediastinum not enlarged. No consolidation, no pleural effusion, no pneumothorax.\n"
    "No abnormality of the bones shown.\n"
    "{priors}\n\n"
    "Conclusion:\n"
    "Normal chest film.\n\n"
    "Draft, pre-filled after assessment by: {models}.\n"
    "{coverage}\n";
static const spd_sv film[] = {{"CR", 2}, {"DX", 2}}, chest[] = {{"CHEST", 5}, {"THORAX", 6}};
static const struct spd__template compiled[] = {{{"chest-normal", 12},
                                                 film,
                                                 chest,
                                                 2,
                                                 2,
                                                 {{chest_normal_en, sizeof chest_normal_en - 1},
                                                  {chest_normal_nl, sizeof chest_normal_nl - 1}}}};

const struct spd_templates *spd_templates_default(void)
{
    static const struct spd_templates set = {NULL, compiled, sizeof compiled / sizeof *compiled};
    return &set;
}

/* Every brace opens a known placeholder; {models}, {priors} and {coverage} must be there, so that
 * no site can print a draft that does not say what it rests on. */
static enum spd_rc check_text(const struct spd_source *s, struct spd_err *err)
{
    static const char *const names[] = {"{models}", "{priors}", "{coverage}", "{procedure}"};
    char place[96];
    int line = 1;
    if (!spd_sv_is_utf8(s->text))
        return spd_fail(err, SPD_INVALID, s->name.ptr, "not UTF-8: save the file as UTF-8");
    for (int i = 0; i < 3; i++)
        if (!spd_sv_find(s->text, spd_sv_from(names[i]), NULL))
            return spd_fail(err, SPD_INVALID, s->name.ptr,
                            "%s is missing: a draft must say what it rests on", names[i]);
    for (size_t i = 0; i < s->text.len; i++) {
        spd_sv rest = spd_sv_of(s->text.ptr + i, s->text.len - i);
        int k = 0;
        line += s->text.ptr[i] == '\n';
        if (s->text.ptr[i] != '{') continue;
        while (k < 4 && !spd_sv_starts(rest, spd_sv_from(names[k])))
            k++;
        if (k < 4) continue;
        snprintf(place, sizeof place, "%.80s:%d", s->name.ptr, line);
        return spd_fail(err, SPD_INVALID, place,
                        "unknown placeholder; known: {procedure} {models} {priors} {coverage}");
    }
    return SPD_OK;
}

static enum spd_rc load_text(const char *dir, spd_sv id, const char *language, spd_sv *ret,
                             struct spd_arena *arena, struct spd_err *err)
{
    spd_sv path = spd_arena_printf(arena, "%s/%.*s.%s.txt", dir, SPD_SV_ARG(id), language);
    struct spd_source s;
    enum spd_rc rc;
    if ((rc = spd_source_read(path.ptr, MAX_TEXT, &s, arena, err)) || (rc = check_text(&s, err)))
        return rc;
    *ret = s.text;
    return SPD_OK;
}

static enum spd_rc load_one(const char *dir, const struct spd_yaml *node, struct spd__template *t,
                            struct spd_arena *arena, struct spd_err *err)
{
    static const char *const keys[] = {"id", "modality", "body_part", NULL};
    const struct spd_yaml *id, *modality, *body_part;
    spd_sv *v;
    enum spd_rc rc = spd_yaml_keys(node, keys, err);
    if (rc) return rc;
    id = spd_yaml_get(node, "id"), modality = spd_yaml_get(node, "modality"),
    body_part = spd_yaml_get(node, "body_part");
    if (!id) return spd_yaml_fail(node, err, "\"id\" is missing: the name of the text files");
    if ((rc = spd_yaml_text(id, &t->id, err))) return rc;
    for (size_t i = 0; i < t->id.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", t->id.ptr[i]))
            return spd_yaml_fail(id, err, "an id is lower-case letters, digits, - and _");
    if (!modality || !body_part)
        return spd_yaml_fail(node, err,
                             "a template needs modality and body_part: a text fits no other study");
    if ((rc = spd_yaml_texts(modality, &v, &t->n_modality, arena, err))) return rc;
    t->modality = v;
    if ((rc = spd_yaml_texts(body_part, &v, &t->n_body_part, arena, err))) return rc;
    t->body_part = v;
    if ((rc = load_text(dir, t->id, "en", &t->text[0], arena, err))) return rc;
    return load_text(dir, t->id, "nl", &t->text[1], arena, err);
}

static enum spd_rc load_set(const char *dir, struct spd_templates *set, struct spd_err *err)
{
    static const char *const keys[] = {"templates", NULL};
    spd_sv path = spd_arena_printf(set->arena, "%s/templates.yaml", dir);
    struct spd_source file;
    struct spd_yaml *root;
    const struct spd_yaml *list;
    struct spd__template *v;
    enum spd_rc rc;
    if ((rc = spd_source_read(path.ptr, 1 << 20, &file, set->arena, err)) ||
        (rc = spd_yaml_parse(&file, &root, set->arena, err)) ||
        (rc = spd_yaml_keys(root, keys, err)))
        return rc;
    if (!(list = spd_yaml_get(root, "templates")))
        return spd_yaml_fail(root, err, "begin with \"templates:\" and a list");
    if ((rc = spd_yaml_list(list, err))) return rc;
    if (list->n > MAX_TEMPLATES)
        return spd_yaml_fail(list, err, "more than %d templates", MAX_TEMPLATES);
    set->v = v = SPD_NEW_N(set->arena, struct spd__template, list->n + 1);
    for (const struct spd_yaml *c = list->child; c; c = c->next)
        if ((rc = load_one(dir, c, &v[set->n++], set->arena, err))) return rc;
    return SPD_OK;
}

enum spd_rc spd_templates_load(const char *dir, struct spd_templates **ret, struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new(MAX_MEMORY);
    struct spd_templates *set;
    enum spd_rc rc;
    if (!arena) spd_out_of_memory();
    set = SPD_NEW(arena, struct spd_templates);
    set->arena = arena;
    if ((rc = load_set(dir, set, err)))
        spd_arena_free(arena);
    else
        *ret = set;
    return rc;
}

void spd_templates_free(struct spd_templates *t)
{
    if (t && t->arena) spd_arena_free(t->arena);
}

size_t spd_templates_n(const struct spd_templates *t)
{
    return t->n;
}

spd_sv spd_templates_id(const struct spd_templates *t, size_t i)
{
    return i < t->n ? t->v[i].id : SPD_SV("");
}

spd_sv spd_templates_text(const struct spd_templates *t, size_t i, bool dutch)
{
    return i < t->n ? t->v[i].text[dutch] : SPD_SV("");
}
