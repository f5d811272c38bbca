/* Any bytes as a policy, as models and as people: loaded, explained, evaluated and tested, or
 * refused with a place. */
#include <stdlib.h>

#include "rules/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct spd_policy *p)
{
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    const struct spd_finding finding = {.concept = SPD_SV("intracranial-hemorrhage"),
                                        .present = SPD_PRESENT_YES,
                                        .probability = 700000};
    const struct spd_fact_result r = {.mode = SPD_MODE_LIVE,
                                      .state = SPD_AI_POSITIVE,
                                      .at = SPD_HOUR(1),
                                      .findings = &finding,
                                      .n_findings = 1};
    const struct spd_facts f = {.now = SPD_HOUR(2),
                                .start = SPD_HOUR(1),
                                .modality = SPD_SV("CT"),
                                .results = &r,
                                .n_results = 1};
    struct spd_decided d;
    size_t passed, failed;
    spd_policy_eval(p, &f, arena, &d);
    if (d.level < 1 || d.level > d.base_level || (d.next && d.next <= f.now)) abort();
    for (size_t i = 0; i < spd_policy_rules(p); i++)
        spd_policy_rule_sentence(p, i, i % 2, arena);
    spd_policy_test(p, NULL, NULL, &passed, &failed);
    spd_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_source s = {SPD_SV("fuzz.yaml"), spd_sv_of((const char *)data, size)};
    struct spd_policy *p = NULL;
    struct spd_models *m = NULL;
    struct spd_people *pe = NULL;
    struct spd_err err = {0};
    if (spd_policy_load(&s, 1, &p, &err) && (!err.place[0] || !err.text[0])) abort();
    if (p) use(p);
    spd_models_load(&s, 1, &m, &err);
    spd_people_load(&s, &pe, &err);
    spd_rules_check(p, m, pe, NULL, 0, NULL, NULL);
    spd_policy_free(p);
    spd_models_free(m);
    spd_people_free(pe);
    return 0;
}
