/* src/rules/policy.h: a loaded policy, inside. Private to src/rules; the contract is rules.h. */
#ifndef SPD_RULES_POLICY_H
#define SPD_RULES_POLICY_H

#include "rules/cond.h"

enum { SPD__MAX_LEVELS = 8 };
enum spd__rule_state { SPD__ACTIVE, SPD__RULE_SHADOW, SPD__OFF };

struct spd__rule {
    spd_sv id, title_nl, title_en, owner, review_by;
    enum spd__rule_state state;
    struct spd__cond when;
    struct spd__cond *unless; /* any of them excludes */
    size_t n_unless;
    int level; /* 0: gives none */
    struct spd_step *steps;
    size_t n_steps;
    spd_usec repeat;
    const struct spd_yaml *node, *unless_node;
};

struct spd_policy {
    struct spd_arena *arena;
    spd_sv hash;
    spd_sv levels[SPD__MAX_LEVELS];
    int n_levels;
    spd_usec max_wait[SPD__MAX_LEVELS + 1]; /* by level, from 1 */
    int order_level[SPD_PRIORITY_N];
    spd_usec ai_age, repeat;
    spd_sv unmatched_to;
    struct spd__rule *rules; /* by (level, id); those without a level last */
    size_t n_rules;
    const struct spd_yaml **tests; /* one node per test */
    size_t n_tests;
};

#endif
