/* src/rules/rules.h: the hospital's policy, its models and its people: YAML in, decisions out.
 *
 * Pure: no clock, no store, no I/O. Loaded objects are immutable and owned (…_free). Evaluation is
 * three-valued: yes, no, cannot tell; cannot tell is never a quiet no (design rule 11). No floating
 * point. Errors carry "file:line:col" in err.place and say what to do.
 * The YAML forms are those of design §5 and ecosystem §3. */
#ifndef SPD_RULES_RULES_H
#define SPD_RULES_RULES_H

#include "base/source.h"
#include "model/model.h"

/* ---- policy ----------------------------------------------------------------------------------- */
struct spd_policy;
enum spd_rc spd_policy_load(const struct spd_source *files, size_t n, struct spd_policy **ret, struct spd_err *err);
void spd_policy_free(struct spd_policy *p);
spd_sv spd_policy_hash(const struct spd_policy *p);       /* SHA-256 hex of the canonical text */
int spd_policy_levels(const struct spd_policy *p);         /* number of levels, 1..8 */
spd_sv spd_policy_level_name(const struct spd_policy *p, int level); /* 1.. ; "" outside */
int spd_policy_level_by_name(const struct spd_policy *p, spd_sv name); /* 0 = no such level */
spd_usec spd_policy_max_wait(const struct spd_policy *p, int level);  /* 0 = none */
/* Level of an order by its own priority ("order_levels:" in a policy file; default stat -> level 2,
 * asap and urgent -> level 3, routine and absent -> last; never beyond the number of levels). */
int spd_policy_order_level(const struct spd_policy *p, enum spd_priority priority);
spd_usec spd_policy_ai_age(const struct spd_policy *p);    /* results older than this page nobody; default 2h */
spd_sv spd_policy_unmatched_team(const struct spd_policy *p); /* default "radiologist-on-duty" */
spd_usec spd_policy_repeat(const struct spd_policy *p);    /* default 5m */

/* What a rule may ask about: facts about one item. Texts borrowed. A fact that is not known is empty /
 * 0 / UNSET: asking for it gives "cannot tell" where the criterion says so. */
struct spd_fact_result {
    spd_sv model;
    enum spd_mode mode;
    enum spd_ai_state state;
    spd_usec at;
    const struct spd_finding *findings;
    size_t n_findings;
    int64_t result_id;
};
struct spd_facts {
    spd_usec now;
    const struct spd_zone *zone; /* of the site */
    spd_sv modality, body_part, region, location, patient_class, sex, birth_date;
    const struct spd_code *procedures;
    size_t n_procedures;
    enum spd_priority order_priority;
    enum spd_report_axis report;
    enum spd_reading_axis reading;
    enum spd_images_axis images;
    spd_usec start; /* of waiting, domain §8; 0 = not arrived */
    const struct spd_fact_result *results;
    size_t n_results;
};

enum spd_tri { SPD_NO = 0, SPD_YES = 1, SPD_CANNOT_TELL = 2 };

struct spd_hit { /* a rule that said yes (or cannot tell) */
    spd_sv rule;
    enum spd_tri answer;
    int level;               /* 0: the rule gives no level */
    spd_sv title_nl, title_en;
    bool shadow;             /* rule state: shadow; counted only */
    const struct spd_step *steps; /* alert steps, flattened and sorted by (after, place); n_steps 0: no alert */
    size_t n_steps;
    spd_usec repeat;
    const struct spd_fact_result *result;  /* the finding that made it so; NULL if none needed */
    const struct spd_finding *finding;
    spd_sv unknown_nl, unknown_en; /* cannot tell: which fact is missing ("modaliteit", "modality") */
    bool again; /* a further finding (other concept, site or side) of the rule before it: one reason, but
                 * a page sequence of its own */
};
struct spd_decided {
    int level;        /* most urgent of the order's own level and all rules that say yes */
    int base_level;   /* by the order alone */
    struct spd_hit *hits; /* in order of (level, rule id); in arena */
    size_t n_hits;
    spd_usec next;    /* earliest moment at which the answer may change by time alone; 0 never */
};
/* Never fails; only results with mode live take part in finding criteria unless the rule says mode. */
void spd_policy_eval(const struct spd_policy *p, const struct spd_facts *f, struct spd_arena *arena, struct spd_decided *ret);
/* Each rule as one sentence, for `policy explain` and the pages. In arena. */
spd_sv spd_policy_rule_sentence(const struct spd_policy *p, size_t index, bool dutch, struct spd_arena *arena);
size_t spd_policy_rules(const struct spd_policy *p);
/* Runs the tests: of the files. Calls say() per test. SPD_OK all passed, SPD_INVALID some failed. */
enum spd_rc spd_policy_test(const struct spd_policy *p, void (*say)(void *ctx, const char *name, bool passed, const char *text), void *ctx, size_t *ret_passed, size_t *ret_failed);

/* ---- models ----------------------------------------------------------------------------------- */
struct spd_model_finding { spd_sv concept; int64_t threshold; /* millionths, -1 none */ };
struct spd_model_code { /* a product's own code: what it means here */
    spd_sv scheme, code;
    const spd_sv *meanings; size_t n_meanings; /* those that are expected with it, at least one */
    spd_sv concept; /* a finding, "status:present" …, or "item:probability" … for the name of an item; "" a site */
    spd_sv site;
    spd_sv place;   /* "file:line:column" */
};
struct spd_model { /* one entry of models.d, in the registry's memory */
    spd_sv id, manufacturer, name;
    const spd_sv *versions; size_t n_versions;
    enum spd_mode mode;     /* holds for the listed versions; an unlisted version is in shadow */
    bool required;
    spd_usec expected_within;
    const struct spd_model_finding *findings; size_t n_findings;
    spd_sv link;            /* URL template with {study_uid} {accession} */
    spd_sv display;         /* list | on_demand | link */
    spd_usec silent_after;  /* 0: the default of 30 min */
    const struct spd_model_code *codes; size_t n_codes;
};
struct spd_models;
enum spd_rc spd_models_load(const struct spd_source *files, size_t n, struct spd_models **ret, struct spd_err *err);
void spd_models_free(struct spd_models *m);
size_t spd_models_n(const struct spd_models *m);
const struct spd_model *spd_models_at(const struct spd_models *m, size_t i);
const struct spd_model *spd_models_get(const struct spd_models *m, spd_sv id);
/* By what a result says of itself; exact compare after trimming, empty keys in `match` match anything.
 * NULL: not in the registry. */
const struct spd_model *spd_models_match(const struct spd_models *m, spd_sv manufacturer, spd_sv name, spd_sv version);
enum spd_mode spd_model_mode(const struct spd_model *m, spd_sv version);
/* Intended use: yes, no, cannot tell (a fact is missing: for a draft that is outside). */
enum spd_tri spd_model_applies(const struct spd_model *m, const struct spd_facts *f);

/* ---- people ----------------------------------------------------------------------------------- */
struct spd_way { spd_sv channel, to; };
struct spd_person { spd_sv id, name; const struct spd_way *ways; size_t n_ways; };
struct spd_people;
enum spd_rc spd_people_load(const struct spd_source *file, struct spd_people **ret, struct spd_err *err);
void spd_people_free(struct spd_people *p);
const struct spd_person *spd_people_get(const struct spd_people *p, spd_sv id);
/* Members of a team in order; a person's own id is a team of one. NULL and 0: no such team. */
const spd_sv *spd_people_team(const struct spd_people *p, spd_sv team, size_t *ret_n);
size_t spd_people_teams(const struct spd_people *p, const spd_sv **ret_names);
/* For patients who have left the house (domain §7): the desk, the person or team behind a requester as the RIS
 * writes them, and teams whose care ends then. "" where people.yaml says nothing. */
spd_sv spd_people_desk(const struct spd_people *p);
spd_sv spd_people_requester(const struct spd_people *p, spd_sv requester);
bool spd_people_at_bedside(const struct spd_people *p, spd_sv team);

/* Cross-checks (teams that policies name exist and reach somebody, findings are known ...). Calls say()
 * per problem; SPD_INVALID when one is an error. concepts may be NULL. */
enum spd_rc spd_rules_check(const struct spd_policy *p, const struct spd_models *m, const struct spd_people *pe,
                            const spd_sv *channels, size_t n_channels,
                            void (*say)(void *ctx, bool error, const char *place, const char *text), void *ctx);
#endif
