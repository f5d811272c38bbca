/* src/rules/check.c: what policy, models and people say of one another. An error is something that
 * would not work on the night that it is needed; the rest is worth a look. See rules.h. */
#include <stdarg.h>
#include <stdio.h>

#include "rules/policy.h"

struct check {
    const struct spd_policy *p;
    const struct spd_models *m;
    const struct spd_people *pe;
    const spd_sv *channels;
    size_t n_channels;
    void (*say)(void *ctx, bool error, const char *place, const char *text);
    void *ctx;
    bool failed;
};

static void tell(struct check *c, bool error, const char *place, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void tell(struct check *c, bool error, const char *place, const char *fmt, ...)
{
    char text[240];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (error) c->failed = true;
    if (c->say) c->say(c->ctx, error, place, text);
}

static bool channel_exists(const struct check *c, spd_sv name)
{
    for (size_t i = 0; i < c->n_channels; i++)
        if (spd_sv_eq(c->channels[i], name)) return true;
    return false;
}

static bool reachable(const struct check *c, spd_sv id)
{
    const struct spd_person *p = spd_people_get(c->pe, id);
    for (size_t i = 0; p && i < p->n_ways; i++)
        if (channel_exists(c, p->ways[i].channel)) return true;
    return false;
}

static void check_team(struct check *c, spd_sv team, const char *place)
{
    size_t n;
    const spd_sv *members = spd_people_team(c->pe, team, &n);
    bool any = false;
    if (!n) {
        tell(c, true, place, "no such team or person in people.yaml: %.*s", SPD_SV_ARG(team));
        return;
    }
    for (size_t i = 0; i < n; i++)
        any |= reachable(c, members[i]);
    if (!any)
        tell(c, true, place,
             "nobody in %.*s can be reached: give them a way with a channel that exists",
             SPD_SV_ARG(team));
}

static bool some_model_finds(const struct spd_models *m, spd_sv concept)
{
    for (size_t i = 0; i < spd_models_n(m); i++) {
        const struct spd_model *x = spd_models_at(m, i);
        for (size_t k = 0; k < x->n_findings; k++)
            if (spd_sv_eq(x->findings[k].concept, concept)) return true;
    }
    return false;
}

static void check_words(struct check *c, const struct spd__test *t, const char *place)
{
    bool found = t->row->kind != SPD__CONCEPT;
    for (size_t i = 0; i < t->n_words; i++) {
        found = found || some_model_finds(c->m, t->words[i]);
        if (!strcmp(t->row->key, "model") && !spd_models_get(c->m, t->words[i]))
            tell(c, true, place, "no such model in models.d: %.*s", SPD_SV_ARG(t->words[i]));
    }
    if (!found)
        tell(c, false, place, "no model of models.d finds %.*s: this rule never fires",
             SPD_SV_ARG(t->words[0]));
}

static void check_rule(struct check *c, const struct spd__rule *rule)
{
    char place[96];
    spd_yaml_place(rule->node, place);
    for (size_t i = 0; c->m && i < rule->when.n_found; i++)
        check_words(c, &rule->when.found[i], place);
    for (size_t i = 0; c->pe && i < rule->n_steps; i++)
        check_team(c, rule->steps[i].to, place);
    if (rule->unless_node && rule->unless_node->kind == SPD_YAML_MAP && rule->unless_node->n > 1) {
        spd_yaml_place(rule->unless_node, place);
        tell(c, false, place,
             "unless with several keys excludes only where all of them hold; for \"any of them\" "
             "write a "
             "list: unless: [{…}, {…}]");
    }
}

static void check_model(struct check *c, const struct spd_model *m)
{
    char place[96];
    snprintf(place, sizeof place, "model %.*s", (int)(m->id.len < 60 ? m->id.len : 60), m->id.ptr);
    if (!m->n_versions && m->mode != SPD_MODE_SHADOW)
        tell(c, false, place, "names no versions: every version of it is in shadow");
    if (m->required && !m->expected_within)
        tell(c, true, place, "is required but has no expected_within: it could never be late");
}

static void check_person(struct check *c, spd_sv team)
{
    size_t n;
    const spd_sv *members = spd_people_team(c->pe, team, &n);
    for (size_t i = 0; i < n; i++) {
        const struct spd_person *p = spd_people_get(c->pe, members[i]);
        char place[96];
        snprintf(place, sizeof place, "person %.*s", (int)(p->id.len < 60 ? p->id.len : 60),
                 p->id.ptr);
        for (size_t k = 0; k < p->n_ways; k++)
            if (!channel_exists(c, p->ways[k].channel))
                tell(c, true, place, "no such channel under channels: %.*s",
                     SPD_SV_ARG(p->ways[k].channel));
    }
}

enum spd_rc spd_rules_check(const struct spd_policy *p, const struct spd_models *m,
                            const struct spd_people *pe, const spd_sv *channels, size_t n_channels,
                            void (*say)(void *ctx, bool error, const char *place, const char *text),
                            void *ctx)
{
    struct check c = {p, m, pe, channels, n_channels, say, ctx, false};
    const spd_sv *teams = NULL;
    size_t n = pe ? spd_people_teams(pe, &teams) : 0;
    for (size_t i = 0; p && i < p->n_rules; i++)
        if (p->rules[i].state != SPD__OFF) check_rule(&c, &p->rules[i]);
    if (p && pe) check_team(&c, p->unmatched_to, "unmatched_to");
    for (size_t i = 0; m && i < spd_models_n(m); i++)
        check_model(&c, spd_models_at(m, i));
    for (size_t i = 0; i < n; i++)
        check_person(&c, teams[i]);
    return c.failed ? SPD_INVALID : SPD_OK;
}
