/* src/rules/cond.h: one condition (the mapping under `when`, `unless` or a model's `for`): keys
 * AND, lists OR.
 *
 * Private to src/rules. Made once at load in the owner's arena, immutable afterwards. Evaluation
 * allocates nothing; it notes in the context when time alone may change an answer. */
#ifndef SPD_RULES_COND_H
#define SPD_RULES_COND_H

#include "base/yaml.h"
#include "rules/rules.h"

enum spd__kind {
    SPD__TEXT,
    SPD__ENUM,
    SPD__CODES,
    SPD__CONCEPT,
    SPD__PROBABILITY,
    SPD__AGE,
    SPD__SPAN,
    SPD__HOURS,
    SPD__WEEKDAY
};
enum spd__scope { SPD__ITEM, SPD__RESULT, SPD__FINDING };

struct spd__criterion { /* a row of criteria.def */
    const char *key;
    enum spd__kind kind;
    enum spd__scope scope;
    size_t offset;
    const char *const *names;
    int unset;
    const char *nl, *en;
};
extern const struct spd__criterion spd__criteria[]; /* key == NULL ends */

struct spd__range {
    int64_t lo, hi;
    char lo_unit, hi_unit;
    bool has_lo, has_hi;
}; /* lo <= v < hi */
struct spd__test {
    const struct spd__criterion *row;
    spd_sv *words; /* as written; for sentences, TEXT, CODES, CONCEPT */
    size_t n_words;
    uint32_t mask; /* ENUM, WEEKDAY (bit 0 = Sunday) */
    struct spd__range
        *ranges; /* PROBABILITY, AGE, SPAN; HOURS: minutes of the day, hi may be <= lo */
};

struct spd__cond {
    struct spd__test *plain, *timed,
        *found; /* of the item; of the item and time; of a result or finding */
    size_t n_plain, n_timed, n_found;
    bool names_mode, names_state, names_finding, per_finding;
};

/* allowed: keys (NULL-ended), or NULL for every criterion. */
enum spd_rc spd__cond_parse(const struct spd_yaml *node, const char *const *allowed,
                            struct spd__cond *ret, struct spd_arena *arena, struct spd_err *err);

struct spd__look { /* context of one evaluation */
    const struct spd_facts *f;
    spd_usec next;
    const struct spd__criterion *missing; /* the fact that made the last "cannot tell" */
    bool have_civil;
    struct spd_civil civil;
};
enum spd_tri spd__cond_plain(const struct spd__cond *c, struct spd__look *look);
enum spd_tri spd__cond_timed(const struct spd__cond *c, struct spd__look *look);
/* Of one result and, where per_finding, one finding of it. */
enum spd_tri spd__cond_found(const struct spd__cond *c, struct spd__look *look,
                             const struct spd_fact_result *r, const struct spd_finding *finding);
/* A result takes part at all: live, unless the condition names mode. */
bool spd__cond_counts(const struct spd__cond *c, const struct spd_fact_result *r);
/* Everything, for any result and finding. */
enum spd_tri spd__cond_any(const struct spd__cond *c, struct spd__look *look);

static inline enum spd_tri spd__and(enum spd_tri a, enum spd_tri b)
{
    return a == SPD_NO || b == SPD_NO                     ? SPD_NO
           : a == SPD_CANNOT_TELL || b == SPD_CANNOT_TELL ? SPD_CANNOT_TELL
                                                          : SPD_YES;
}
static inline enum spd_tri spd__not(enum spd_tri a)
{
    return a == SPD_CANNOT_TELL ? a : a == SPD_YES ? SPD_NO : SPD_YES;
}

/* "modality CT or MR, probability >= 0.60". */
void spd__cond_say(const struct spd__cond *c, bool dutch, struct spd_str *out);

#endif
