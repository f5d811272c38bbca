/* src/rules/explain.c: a rule as one sentence, for `policy explain` and the pages. */
#include "rules/policy.h"

static void say_unless(const struct spd__rule *rule, bool dutch, struct spd_str *out)
{
    for (size_t i = 0; i < rule->n_unless; i++) {
        spd_str_addz(out, !i      ? (dutch ? ", tenzij " : ", unless ")
                          : dutch ? ", of tenzij "
                                  : ", or unless ");
        spd__cond_say(&rule->unless[i], dutch, out);
    }
}

static void say_steps(const struct spd__rule *rule, bool dutch, struct spd_str *out,
                      struct spd_arena *arena)
{
    for (size_t i = 0; i < rule->n_steps; i++) {
        const struct spd_step *s = &rule->steps[i];
        spd_str_addz(out, !i      ? (dutch ? "; roep op: " : "; page ")
                          : dutch ? ", daarna "
                                  : ", then ");
        if (s->all) spd_str_addz(out, dutch ? "iedereen van " : "everybody of ");
        spd_str_add(out, s->to);
        if (!s->after)
            spd_str_addz(out, dutch ? " meteen" : " at once");
        else
            spd_str_addf(out, dutch ? " na %s" : " after %s",
                         spd_duration_text(arena, s->after).ptr);
        if (s->if_unread) spd_str_addz(out, dutch ? " als nog ongelezen" : " if still unread");
    }
}

spd_sv spd_policy_rule_sentence(const struct spd_policy *p, size_t index, bool dutch,
                                struct spd_arena *arena)
{
    struct spd_str out = SPD_STR_INIT(1 << 20);
    const struct spd__rule *rule;
    spd_sv text;
    if (index >= p->n_rules) return SPD_SV("");
    rule = &p->rules[index];
    spd_str_add(&out, rule->id);
    if (rule->state == SPD__RULE_SHADOW)
        spd_str_addz(&out, dutch ? " (schaduw: telt alleen mee)" : " (shadow: counted only)");
    if (rule->state == SPD__OFF) spd_str_addz(&out, dutch ? " (uit)" : " (off)");
    spd_str_addz(&out, dutch ? ": als " : ": when ");
    spd__cond_say(&rule->when, dutch, &out);
    say_unless(rule, dutch, &out);
    if (rule->level) {
        spd_str_addz(&out, dutch ? ", dan niveau " : ", then level ");
        spd_str_add(&out, spd_policy_level_name(p, rule->level));
    }
    say_steps(rule, dutch, &out, arena);
    text = spd_arena_dup(arena, spd_str_sv(&out));
    spd_str_done(&out);
    return text;
}
