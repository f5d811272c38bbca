/* Evaluations per second of a policy with twelve rules over a mix of items. Goal: 300,000 on one
 * core. */
#include <stdio.h>

#include "rules/rules.h"

int main(void)
{
    struct spd_str text = SPD_STR_INIT(1 << 16);
    struct spd_arena *arena = spd_arena_new(1 << 20);
    const struct spd_finding finding = {.concept = SPD_SV("intracranial-hemorrhage"),
                                        .present = SPD_PRESENT_YES,
                                        .probability = 700000};
    struct spd_fact_result r = {.model = SPD_SV("ich-a"),
                                .mode = SPD_MODE_LIVE,
                                .state = SPD_AI_POSITIVE,
                                .findings = &finding,
                                .n_findings = 1};
    struct spd_facts f = {.zone = spd_zone_get("Europe/Amsterdam"),
                          .body_part = SPD_SV("HEAD"),
                          .location = SPD_SV("SEH"),
                          .patient_class = SPD_SV("E"),
                          .birth_date = SPD_SV("19800615"),
                          .order_priority = SPD_PRIORITY_ROUTINE,
                          .report = SPD_REPORT_NONE,
                          .reading = SPD_READING_UNREAD,
                          .images = SPD_IMAGES_COMPLETE,
                          .results = &r,
                          .n_results = 1};
    static const spd_sv modalities[] = {SPD_SV("CT"), SPD_SV("MR"), SPD_SV("DX"), SPD_SV("CT")};
    struct spd_policy *p = NULL;
    struct spd_source s;
    struct spd_err err;
    enum { TIMES = 1000000 };
    size_t hits = 0;
    spd_usec start, took;
    spd_str_addz(&text, "policy: 1\nrules:\n");
    for (int i = 0; i < 12; i++)
        spd_str_addf(&text,
                     "  - {id: r%d, level: %s, when: {modality: %s, location: [SEH, TRAUMA], "
                     "finding: %s, probability: \">= 0.%d\", ai_age: \"< 2h\"}, "
                     "alert: {to: radiologist-on-duty}}\n",
                     i, i % 2 ? "critical" : "urgent", i % 3 ? "CT" : "[CR, DX]",
                     i % 4 ? "intracranial-hemorrhage" : "pneumothorax", 30 + 5 * i);
    s = (struct spd_source){SPD_SV("bench.yaml"), spd_str_sv(&text)};
    if (spd_policy_load(&s, 1, &p, &err))
        return fprintf(stderr, "%s: %s\n", err.place, err.text), 1;
    f.now = spd_zone_to_utc(f.zone, 2026, 1, 5, 10, 0, 0, 0), f.start = f.now - SPD_MIN(20),
    r.at = f.now - SPD_MIN(5);
    start = spd_clock_monotonic();
    for (int i = 0; i < TIMES; i++) {
        struct spd_decided d;
        f.modality = modalities[i & 3];
        f.n_results = i & 1;
        spd_policy_eval(p, &f, arena, &d);
        hits += d.n_hits;
        if (d.n_hits) spd_arena_reset(arena);
    }
    took = spd_clock_monotonic() - start;
    printf("rules: %.0f evaluations/s (12 rules, %zu hits in %d)\n", TIMES * 1e6 / (double)took,
           hits, TIMES);
    spd_policy_free(p);
    spd_arena_free(arena);
    spd_str_done(&text);
    return 0;
}
