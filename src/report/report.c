/* src/report/report.c: the text of a draft. See report.h. Pure: item and model names in, text out.
 */
#include "report/report.h"

#include "base/str.h"
#include "report/templates.h"

static const char *const priors[] = {"Not compared with earlier studies.",
                                     "Niet vergeleken met eerder onderzoek."};
static const char *const coverage[] = {
    "The software judged only what it was made for; all other findings, lines and tubes were not "
    "judged by it and are "
    "for the reader. This draft is not a report until a named person has accepted it.",
    "De software beoordeelde alleen waarvoor zij gemaakt is; al het overige, ook lijnen en tubes, "
    "is niet door haar "
    "beoordeeld en is aan de verslaglegger. Dit concept is geen verslag totdat een bij naam "
    "genoemd persoon het accepteert."};

static bool any_of(const spd_sv *v, size_t n, spd_sv word)
{
    for (size_t i = 0; i < n; i++)
        if (spd_sv_ieq(v[i], word)) return true;
    return false;
}

static const struct spd__template *choose(const struct spd_templates *t,
                                          const struct spd_item *item)
{
    for (size_t i = 0; i < t->n; i++)
        if (any_of(t->v[i].modality, t->v[i].n_modality, item->modality) &&
            any_of(t->v[i].body_part, t->v[i].n_body_part, item->body_part))
            return &t->v[i];
    return NULL;
}

static void add_procedures(const struct spd_item *item, struct spd_str *out)
{
    bool any = false;
    for (size_t i = 0; i < item->procedures.n; i++) {
        const struct spd_code *c = &item->procedures.v[i];
        spd_sv text = c->text.len ? c->text : c->code;
        if (!text.len) continue;
        if (any) spd_str_addz(out, ", ");
        spd_str_add(out, text);
        any = true;
    }
    if (any) return;
    spd_str_add(out, item->modality);
    spd_str_addc(out, ' ');
    spd_str_add(out, item->body_part);
}

static void add_models(const spd_sv *models, size_t n, bool dutch, struct spd_str *out)
{
    for (size_t i = 0; i < n; i++) {
        if (i) spd_str_addz(out, i + 1 < n ? ", " : dutch ? " en " : " and ");
        spd_str_add(out, models[i]);
    }
}

enum spd_rc spd_report_draft(const struct spd_templates *t, const struct spd_item *item,
                             const spd_sv *models, size_t n_models, bool dutch,
                             struct spd_arena *arena, spd_sv *ret_text)
{
    struct spd_str out = SPD_STR_INIT(256 << 10);
    const struct spd__template *chosen;
    spd_sv rest;
    enum spd_rc rc = SPD_OK;
    if (!item->modality.len || !item->body_part.len) return SPD_UNKNOWN;
    if (!(chosen = choose(t, item))) return SPD_NOTFOUND;
    rest = chosen->text[dutch];
    while (rest.len) {
        size_t at, end;
        spd_sv name;
        if (!spd_sv_find(rest, SPD_SV("{"), &at) ||
            !spd_sv_find(spd_sv_of(rest.ptr + at, rest.len - at), SPD_SV("}"), &end))
            break;
        spd_str_add(&out, spd_sv_of(rest.ptr, at));
        name = spd_sv_of(rest.ptr + at, end + 1);
        rest = spd_sv_of(name.ptr + name.len, rest.len - at - name.len);
        if (spd_sv_is(name, "{procedure}"))
            add_procedures(item, &out);
        else if (spd_sv_is(name, "{models}"))
            add_models(models, n_models, dutch, &out);
        else if (spd_sv_is(name, "{priors}"))
            spd_str_addz(&out, priors[dutch]);
        else if (spd_sv_is(name, "{coverage}"))
            spd_str_addz(&out, coverage[dutch]);
    }
    spd_str_add(&out, rest);
    if (spd_str_ok(&out))
        *ret_text = spd_arena_dup(arena, spd_str_sv(&out));
    else
        rc = SPD_LIMIT;
    spd_str_done(&out);
    return rc;
}
