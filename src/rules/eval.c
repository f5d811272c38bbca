/* src/rules/eval.c: facts in, decision out. See rules.h: never fails, allocates only for hits. */
#include "rules/policy.h"

struct hits {
    struct spd_hit *v;
    size_t n;
};

/* One rule being evaluated. */
struct turn {
    const struct spd__rule *rule;
    struct spd__look *look;
    struct hits *hits;
    size_t first; /* this rule's hits begin here */
    struct spd_arena *arena;
    bool unsure;
    const struct spd__criterion *missing;
    const struct spd_fact_result *result; /* of the first candidate that cannot be told */
    const struct spd_finding *finding;
};

/* Unless: a condition that names a finding of its own is asked of all results; one that speaks of
 * the result only (mode, probability ...) is about the candidate that `when` has found. */
static enum spd_tri excluded(const struct turn *t, const struct spd_fact_result *r,
                             const struct spd_finding *finding)
{
    enum spd_tri any = SPD_NO;
    for (size_t i = 0; i < t->rule->n_unless && any != SPD_YES; i++) {
        const struct spd__cond *c = &t->rule->unless[i];
        enum spd_tri a;
        if (!c->n_found || c->names_finding || c->names_state || !r) {
            a = spd__cond_any(c, t->look);
        } else {
            a = spd__and(spd__cond_plain(c, t->look), spd__cond_found(c, t->look, r, finding));
            if (a != SPD_NO) a = spd__and(a, spd__cond_timed(c, t->look));
        }
        if (a != SPD_NO) any = a;
    }
    return any;
}

static bool same_finding(const struct spd_finding *a, const struct spd_finding *b)
{
    return a && b && spd_sv_eq(a->concept, b->concept) && spd_sv_eq(a->site, b->site) &&
           spd_sv_eq(a->laterality, b->laterality);
}

static struct spd_hit *add_hit(struct turn *t, enum spd_tri answer, const struct spd_fact_result *r,
                               const struct spd_finding *finding)
{
    const struct spd__rule *rule = t->rule;
    struct spd_hit *h = SPD_LIST_ADD(t->hits, t->arena);
    *h = (struct spd_hit){.rule = rule->id,
                          .answer = answer,
                          .level = rule->level,
                          .title_nl = rule->title_nl,
                          .title_en = rule->title_en,
                          .shadow = rule->state == SPD__RULE_SHADOW,
                          .steps = rule->steps,
                          .n_steps = rule->n_steps,
                          .repeat = rule->repeat,
                          .result = r,
                          .finding = finding,
                          .again = t->hits->n - 1 > t->first};
    return h;
}

/* Keeps one hit per (concept, site, side): the one most sure of itself, then the earliest result.
 */
static void found(struct turn *t, const struct spd_fact_result *r,
                  const struct spd_finding *finding)
{
    for (size_t i = t->first; i < t->hits->n; i++) {
        struct spd_hit *h = &t->hits->v[i];
        if (finding && !same_finding(h->finding, finding)) continue;
        if (finding ? finding->probability > h->finding->probability ||
                          (finding->probability == h->finding->probability &&
                           r->result_id < h->result->result_id)
                    : r->result_id < h->result->result_id)
            h->result = r, h->finding = finding;
        return;
    }
    add_hit(t, SPD_YES, r, finding);
}

static void candidate(struct turn *t, enum spd_tri item, const struct spd_fact_result *r,
                      const struct spd_finding *finding)
{
    const struct spd__cond *when = &t->rule->when;
    enum spd_tri a = item;
    if (r) a = spd__and(a, spd__cond_found(when, t->look, r, finding));
    if (a != SPD_NO) a = spd__and(a, spd__cond_timed(when, t->look));
    if (a != SPD_NO) a = spd__and(a, spd__not(excluded(t, r, finding)));
    if (a == SPD_YES) found(t, r, finding);
    if (a == SPD_CANNOT_TELL && !t->unsure) {
        t->unsure = true, t->missing = t->look->missing;
        t->result = r, t->finding = finding;
    }
}

static void cannot_tell(struct turn *t)
{
    struct spd_hit *h = add_hit(t, SPD_CANNOT_TELL, t->result, t->finding);
    const struct spd__criterion *c = t->missing;
    h->unknown_nl = c ? spd_sv_from(c->nl) : SPD_SV("");
    h->unknown_en = c ? spd_sv_from(c->en) : SPD_SV("");
}

static void turn(struct turn *t)
{
    const struct spd__cond *when = &t->rule->when;
    const struct spd_facts *f = t->look->f;
    enum spd_tri item;
    t->look->missing = NULL;
    t->first = t->hits->n;
    if ((item = spd__cond_plain(when, t->look)) == SPD_NO) return;
    if (!when->n_found) candidate(t, item, NULL, NULL);
    for (size_t i = 0; when->n_found && i < f->n_results; i++) {
        const struct spd_fact_result *r = &f->results[i];
        if (!spd__cond_counts(when, r)) continue;
        if (!when->per_finding) candidate(t, item, r, NULL);
        for (size_t k = 0; when->per_finding && k < r->n_findings; k++)
            candidate(t, item, r, &r->findings[k]);
    }
    if (t->unsure && t->hits->n == t->first) cannot_tell(t);
}

void spd_policy_eval(const struct spd_policy *p, const struct spd_facts *f, struct spd_arena *arena,
                     struct spd_decided *ret)
{
    struct spd__look look = {.f = f};
    struct hits hits = {NULL, 0};
    ret->base_level = ret->level = spd_policy_order_level(p, f->order_priority);
    for (size_t i = 0; i < p->n_rules; i++) {
        struct turn t = {.rule = &p->rules[i], .look = &look, .hits = &hits, .arena = arena};
        if (p->rules[i].state != SPD__OFF) turn(&t);
    }
    for (size_t i = 0; i < hits.n; i++)
        if (hits.v[i].answer == SPD_YES && !hits.v[i].shadow && hits.v[i].level &&
            hits.v[i].level < ret->level)
            ret->level = hits.v[i].level;
    ret->hits = hits.v, ret->n_hits = hits.n;
    ret->next = look.next;
}
