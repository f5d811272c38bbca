/* The policy language: what is refused and where, three-valued evaluation, alerts flattened to
 * steps, time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "rules/cond.h"
#include "rules/rules.h"

#define N(a) (sizeof(a) / sizeof *(a))

static struct spd_policy *load(const char *text)
{
    struct spd_source s = {SPD_SV("p.yaml"), spd_sv_from(text)};
    struct spd_policy *p = NULL;
    struct spd_err err = {0};
    if (spd_policy_load(&s, 1, &p, &err)) fail_msg("%s: %s\n%s", err.place, err.text, text);
    return p;
}

static struct spd_policy *rule(const char *when_and_more)
{
    char text[4096];
    snprintf(text, sizeof text, "policy: 1\nrules:\n  - {id: r, level: critical, %s}\n",
             when_and_more);
    return load(text);
}

/* A CT of the head on Monday 2026-01-05 10:00 in Amsterdam, waiting for 20 minutes, one live ICH of
 * 0.7. */
static struct spd_finding finding = {.concept = {"intracranial-hemorrhage", 23},
                                     .present = SPD_PRESENT_YES,
                                     .probability = 700000,
                                     .site = {"brain", 5},
                                     .laterality = {"left", 4}};
static struct spd_code code = {.code = {"CTHERS", 6}};
static struct spd_fact_result result;
static struct spd_facts facts(void)
{
    struct spd_facts f = {.zone = spd_zone_get("Europe/Amsterdam"),
                          .modality = SPD_SV("CT"),
                          .body_part = SPD_SV("HEAD"),
                          .region = SPD_SV("head"),
                          .location = SPD_SV("SEH"),
                          .patient_class = SPD_SV("E"),
                          .sex = SPD_SV("F"),
                          .birth_date = SPD_SV("19800615"),
                          .procedures = &code,
                          .n_procedures = 1,
                          .order_priority = SPD_PRIORITY_URGENT,
                          .report = SPD_REPORT_NONE,
                          .reading = SPD_READING_UNREAD,
                          .images = SPD_IMAGES_COMPLETE};
    f.now = spd_zone_to_utc(f.zone, 2026, 1, 5, 10, 0, 0, 0);
    f.start = f.now - SPD_MIN(20);
    result = (struct spd_fact_result){.model = SPD_SV("ich-a"),
                                      .mode = SPD_MODE_LIVE,
                                      .state = SPD_AI_POSITIVE,
                                      .at = f.now - SPD_MIN(10),
                                      .findings = &finding,
                                      .n_findings = 1,
                                      .result_id = 7};
    f.results = &result, f.n_results = 1;
    return f;
}

static const char *answer(const struct spd_policy *p, const struct spd_facts *f, spd_usec *ret_next)
{
    struct spd_arena *arena = spd_arena_new(1 << 20);
    struct spd_decided d;
    const char *a;
    spd_policy_eval(p, f, arena, &d);
    a = !d.n_hits ? "no" : d.hits[0].answer == SPD_YES ? "yes" : "cannot tell";
    if (d.n_hits && d.hits[0].answer == SPD_CANNOT_TELL && !d.hits[0].unknown_en.len)
        a = "cannot tell what";
    if (d.n_hits && d.hits[0].answer == SPD_YES && d.level != 1) a = "yes without level";
    if (d.n_hits && d.hits[0].answer != SPD_YES && d.level != d.base_level) a = "level without yes";
    if (ret_next) *ret_next = d.next;
    spd_arena_free(arena);
    return a;
}

static void test_eval(void **state)
{
    static const struct {
        const char *name, *rule, *answer;
    } rows[] = {
        {"key holds", "when: {modality: CT}", "yes"},
        {"key does not hold", "when: {modality: MR}", "no"},
        {"case folded", "when: {location: seh}", "yes"},
        {"list is OR", "when: {modality: [MR, CT]}", "yes"},
        {"keys are AND", "when: {modality: CT, location: ICU}", "no"},
        {"empty when is always", "when: {}", "yes"},
        {"unless excludes", "when: {modality: CT}, unless: {location: SEH}", "no"},
        {"unless with two keys needs both", "when: {modality: CT}, unless: {location: SEH, sex: M}",
         "yes"},
        {"unless list: any", "when: {modality: CT}, unless: [{location: SEH}, {sex: M}]", "no"},
        {"procedure", "when: {procedure: [X, CTHERS]}", "yes"},
        {"other procedure", "when: {procedure: X}", "no"},
        {"order", "when: {order: [stat, urgent]}", "yes"},
        {"order by its long name", "when: {order_priority: urgent}", "yes"},
        {"age", "when: {age: \">= 18y\"}", "yes"},
        {"age below", "when: {age: \"< 18y\"}", "no"},
        {"age within", "when: {age: \"45y..45y\"}", "yes"},
        {"age just not", "when: {age: \">= 46y\"}", "no"},
        {"weekday", "when: {weekday: mon-fri}", "yes"},
        {"weekend", "when: {weekday: [sat, sun]}", "no"},
        {"weekday over the week's end", "when: {weekday: sat-mon}", "yes"},
        {"hours", "when: {hours: \"09:00-17:00\"}", "yes"},
        {"night", "when: {hours: \"17:00-08:00\"}", "no"},
        {"hours begin inclusively", "when: {hours: \"10:00-11:00\"}", "yes"},
        {"hours end exclusively", "when: {hours: \"09:00-10:00\"}", "no"},
        {"waiting", "when: {waiting: \">= 20m\"}", "yes"},
        {"waiting longer", "when: {waiting: \"> 20m\"}", "no"},
        {"report", "when: {report: none}", "yes"},
        {"reading", "when: {reading: [claimed, dictated]}", "no"},
        {"images", "when: {images: complete}", "yes"},
        {"finding", "when: {finding: intracranial-hemorrhage}", "yes"},
        {"other finding", "when: {finding: pneumothorax}", "no"},
        {"probability", "when: {finding: intracranial-hemorrhage, probability: \">= 0.70\"}",
         "yes"},
        {"probability strictly",
         "when: {finding: intracranial-hemorrhage, probability: \"> 0.70\"}", "no"},
        {"probability within", "when: {probability: \"0.3..0.7\"}", "yes"},
        {"probability below", "when: {probability: \"< 0.70\"}", "no"},
        {"probability, two bounds", "when: {probability: \">= 0.3 and < 0.71\"}", "yes"},
        {"site and side", "when: {site: brain, laterality: left}", "yes"},
        {"model", "when: {model: ich-a}", "yes"},
        {"other model", "when: {model: ich-b}", "no"},
        {"state", "when: {state: positive}", "yes"},
        {"state negative", "when: {state: [negative, normal]}", "no"},
        {"mode", "when: {mode: live, finding: intracranial-hemorrhage}", "yes"},
        {"ai age", "when: {finding: intracranial-hemorrhage, ai_age: \"< 2h\"}", "yes"},
        {"ai age over", "when: {finding: intracranial-hemorrhage, ai_age: \"< 10m\"}", "no"},
        {"unless about the same finding",
         "when: {finding: intracranial-hemorrhage}, unless: {probability: \"< 0.8\"}", "no"},
        {"unless a finding that is not there",
         "when: {finding: intracranial-hemorrhage}, unless: {finding: pneumothorax}", "yes"},
        {"a shadow rule gives no level", "when: {modality: CT}, state: shadow",
         "yes without level"},
        {"a rule that is off", "when: {modality: CT}, state: off", "no"}};
    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct spd_policy *p = rule(rows[i].rule);
        struct spd_facts f = facts();
        const char *a = answer(p, &f, NULL);
        if (strcmp(a, rows[i].answer)) fail_msg("%s: %s", rows[i].name, a);
        spd_policy_free(p);
    }
}

/* Every criterion, with its fact taken away: cannot tell, unless the table says what absence means.
 */
static void test_absent_is_unknown(void **state)
{
    static const struct {
        const char *key, *value, *answer;
    } rows[] = {{"modality", "CT", "cannot tell"},
                {"body_part", "HEAD", "cannot tell"},
                {"region", "head", "cannot tell"},
                {"location", "SEH", "cannot tell"},
                {"patient_class", "E", "cannot tell"},
                {"procedure", "CTHERS", "cannot tell"},
                {"order", "routine", "yes"},
                {"order_priority", "stat", "no"},
                {"sex", "F", "cannot tell"},
                {"report", "none", "yes"},
                {"reading", "unread", "yes"},
                {"images", "complete", "no"},
                {"age", "\">= 18y\"", "cannot tell"},
                {"weekday", "thu", "yes"},
                {"hours", "\"00:00-12:00\"", "yes"},
                {"waiting", "\">= 0s\"", "no"},
                {"model", "x", "cannot tell"},
                {"mode", "live", "cannot tell"},
                {"state", "positive", "cannot tell"},
                {"finding", "x", "cannot tell of x"},
                {"site", "x", "cannot tell"},
                {"laterality", "x", "cannot tell"},
                {"probability", "\">= 0.1\"", "cannot tell"},
                {"ai_age", "\"< 2h\"", "cannot tell"}};
    const struct spd_finding nothing = {.probability = -1},
                             unclear = {.concept = SPD_SV("x"),
                                        .present = SPD_PRESENT_UNCLEAR,
                                        .probability = -1};
    size_t n = 0;
    (void)state;
    for (const struct spd__criterion *c = spd__criteria; c->key; c++, n++) {
        struct spd_fact_result r = {.mode = SPD_MODE_LIVE, .findings = &nothing, .n_findings = 1};
        struct spd_facts f = {
            .now = SPD_HOUR(1), .zone = spd_zone_utc(), .results = &r, .n_results = 1};
        struct spd_policy *p;
        char text[200];
        const char *a, *wanted = rows[n].answer;
        assert_true(n < N(rows));
        assert_string_equal(rows[n].key, c->key);
        snprintf(text, sizeof text, "when: {%s: %s}", rows[n].key, rows[n].value);
        p = rule(text);
        if (!strcmp(c->key, "mode")) r.mode = SPD_MODE_UNSET;
        if (!strcmp(wanted, "cannot tell of x")) r.findings = &unclear, wanted = "cannot tell";
        a = answer(p, &f, NULL);
        if (strcmp(a, wanted)) fail_msg("%s: %s", rows[n].key, a);
        spd_policy_free(p);
    }
    assert_int_equal(n, N(rows));
}

static void test_unknown_combines(void **state)
{
    static const struct {
        const char *name, *rule, *answer;
    } rows[] = {
        {"no wins over cannot tell", "when: {location: SEH, modality: MR}", "no"},
        {"cannot tell wins over yes", "when: {location: SEH, modality: CT}", "cannot tell"},
        {"not of cannot tell", "when: {modality: CT}, unless: {location: SEH}", "cannot tell"},
        {"an unless that holds wins", "when: {location: SEH}, unless: {modality: CT}", "no"},
        {"no result of it is no", "when: {location: SEH, finding: pneumothorax}", "no"}};
    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct spd_policy *p = rule(rows[i].rule);
        struct spd_facts f = facts();
        f.location = SPD_SV_NONE;
        if (strcmp(answer(p, &f, NULL), rows[i].answer))
            fail_msg("%s: %s", rows[i].name, answer(p, &f, NULL));
        spd_policy_free(p);
    }
}

static void test_results(void **state)
{
    const struct spd_finding absent = {.concept = SPD_SV("intracranial-hemorrhage"),
                                       .present = SPD_PRESENT_NO,
                                       .probability = 20000};
    const struct spd_finding sure = {.concept = SPD_SV("intracranial-hemorrhage"),
                                     .present = SPD_PRESENT_YES,
                                     .probability = 900000,
                                     .site = SPD_SV("brain"),
                                     .laterality = SPD_SV("left")};
    const struct spd_finding other = {.concept = SPD_SV("intracranial-hemorrhage"),
                                      .present = SPD_PRESENT_YES,
                                      .probability = 300000,
                                      .laterality = SPD_SV("right")};
    struct spd_policy *p =
                          rule("when: {finding: intracranial-hemorrhage, probability: \">= 0.6\"}"),
                      *no = rule("when: {finding: intracranial-hemorrhage, state: negative}");
    struct spd_policy *any = rule("when: {finding: intracranial-hemorrhage}");
    struct spd_arena *arena = spd_arena_new(1 << 20);
    struct spd_facts f = facts();
    struct spd_fact_result two[3] = {result, result, result};
    struct spd_decided d;
    (void)state;
    result.mode = SPD_MODE_SHADOW;
    assert_string_equal(answer(p, &f, NULL), "no");
    result.mode = SPD_MODE_ACCEPTANCE;
    assert_string_equal(answer(p, &f, NULL), "no");
    result.mode = SPD_MODE_LIVE, result.findings = &absent, result.state = SPD_AI_NEGATIVE;
    assert_string_equal(answer(p, &f, NULL), "no");
    assert_string_equal(answer(no, &f, NULL), "yes");
    /* a weak finding of one model and a probability of another do not add up */
    two[0].findings = &other, two[0].result_id = 1;
    f.results = two, f.n_results = 1;
    assert_string_equal(answer(p, &f, NULL), "no");
    /* the surest finding is the reason; another side is a hit of its own */
    two[1].findings = &finding, two[1].result_id = 2;
    two[2].findings = &sure, two[2].result_id = 3;
    f.n_results = 3;
    spd_policy_eval(any, &f, arena, &d);
    assert_int_equal(d.n_hits, 2);
    assert_ptr_equal(d.hits[0].finding, &other);
    assert_false(d.hits[0].again);
    assert_ptr_equal(d.hits[1].finding, &sure);
    assert_true(d.hits[1].again && d.hits[1].result->result_id == 3);
    spd_arena_free(arena);
    spd_policy_free(p), spd_policy_free(no), spd_policy_free(any);
}

static void test_next(void **state)
{
    struct spd_facts f = facts();
    const struct spd_zone *z = f.zone;
    struct {
        const char *name, *rule;
        spd_usec next;
    } rows[] = {{"nothing timed", "when: {modality: CT}", 0},
                {"timed, but not for this item", "when: {modality: MR, waiting: \">= 1h\"}", 0},
                {"waiting", "when: {waiting: \">= 1h\"}", f.start + SPD_HOUR(1)},
                {"waiting ends", "when: {waiting: \"< 30m\"}", f.start + SPD_MIN(30)},
                {"result grows old", "when: {finding: intracranial-hemorrhage, ai_age: \"< 2h\"}",
                 f.now - SPD_MIN(10) + SPD_HOUR(2)},
                {"shift begins", "when: {hours: \"17:00-08:00\"}",
                 spd_zone_to_utc(z, 2026, 1, 5, 17, 0, 0, 0)},
                {"shift of tomorrow", "when: {hours: \"08:00-09:00\"}",
                 spd_zone_to_utc(z, 2026, 1, 6, 8, 0, 0, 0)},
                {"weekday", "when: {weekday: tue}", spd_zone_to_utc(z, 2026, 1, 6, 0, 0, 0, 0)},
                {"the earliest", "when: {waiting: \">= 1h\", hours: \"10:30-11:00\"}",
                 spd_zone_to_utc(z, 2026, 1, 5, 10, 30, 0, 0)}};
    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct spd_policy *p = rule(rows[i].rule);
        spd_usec next;
        f = facts();
        answer(p, &f, &next);
        if (next != rows[i].next)
            fail_msg("%s: %lld, not %lld", rows[i].name, (long long)next, (long long)rows[i].next);
        spd_policy_free(p);
    }
}

static void test_ages(void **state)
{
    static const struct {
        const char *name, *birth, *age, *answer;
    } rows[] = {{"eighteen today", "20080105", "\">= 18y\"", "yes"},
                {"eighteen tomorrow", "20080106", "\">= 18y\"", "no"},
                {"older than eighteen, today", "20080105", "\"> 18y\"", "no"},
                {"at most eighteen", "20070106", "\"<= 18y\"", "yes"},
                {"three months", "20251005", "\">= 3mo\"", "yes"},
                {"almost three months", "20251006", "\">= 3mo\"", "no"},
                {"two weeks", "20251222", "\">= 2w\"", "yes"},
                {"days", "20260101", "\"< 5d\"", "yes"},
                {"year only, certain", "1980", "\">= 18y\"", "yes"},
                {"year only, uncertain", "2008", "\">= 18y\"", "cannot tell"},
                {"month, certain", "200712", "\">= 18y\"", "yes"},
                {"placeholder", "19000101", "\">= 18y\"", "cannot tell"},
                {"nonsense", "19801399", "\">= 18y\"", "cannot tell"}};
    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct spd_facts f = facts();
        struct spd_policy *p;
        char text[100];
        snprintf(text, sizeof text, "when: {age: %s}", rows[i].age);
        p = rule(text);
        f.birth_date = spd_sv_from(rows[i].birth);
        if (strcmp(answer(p, &f, NULL), rows[i].answer))
            fail_msg("%s: %s", rows[i].name, answer(p, &f, NULL));
        spd_policy_free(p);
    }
}

static void test_steps(void **state)
{
    struct spd_policy *p = rule("when: {modality: CT}, repeat: 7m, alert: [{to: a, when: on_ai, "
                                "escalate: [{after: 15m, to: c, all: true}, {after: 5m, to: b}]}, "
                                "{to: e, if_unread: 10m}, {to: d, all: true}]");
    static const struct {
        int64_t after;
        const char *to;
        int64_t all, if_unread;
    } steps[] = {{0, "a", 0, 0},
                 {0, "d", 1, 0},
                 {SPD_MIN(5), "b", 0, 0},
                 {SPD_MIN(10), "e", 0, 1},
                 {SPD_MIN(15), "c", 1, 0}};
    struct spd_arena *arena = spd_arena_new(1 << 20);
    struct spd_facts f = facts();
    struct spd_decided d;
    (void)state;
    spd_policy_eval(p, &f, arena, &d);
    assert_int_equal(d.hits[0].n_steps, N(steps));
    assert_int_equal(d.hits[0].repeat, SPD_MIN(7));
    for (size_t i = 0; i < N(steps); i++) {
        const struct spd_step *s = &d.hits[0].steps[i];
        if (s->after != steps[i].after || !spd_sv_is(s->to, steps[i].to) ||
            s->all != steps[i].all || s->if_unread != steps[i].if_unread)
            fail_msg("step %zu", i);
    }
    spd_arena_free(arena);
    spd_policy_free(p);
}

static void test_levels(void **state)
{
    struct spd_policy *p = load("policy: 1\nlevels: [now, soon, later]\nmax_wait: {now: 10m, soon: "
                                "1h}\norder_levels: {stat: now}\nai_age: 30m\nunmatched_to: x\n"
                                "rules:\n  - {id: b, when: {modality: CT}, level: soon}\n  - {id: "
                                "a, when: {modality: CT}, level: soon}\n"
                                "  - {id: c, when: {modality: CT}, alert: {to: t}}\n  - {id: z, "
                                "when: {location: SEH}, level: now}\n");
    struct spd_arena *arena = spd_arena_new(1 << 20);
    struct spd_facts f = facts();
    struct spd_decided d;
    (void)state;
    assert_int_equal(spd_policy_levels(p), 3);
    assert_int_equal(spd_policy_level_by_name(p, SPD_SV("soon")), 2);
    assert_int_equal(spd_policy_max_wait(p, 2), SPD_HOUR(1));
    assert_int_equal(spd_policy_max_wait(p, 3), 0);
    assert_int_equal(spd_policy_order_level(p, SPD_PRIORITY_STAT), 1);
    assert_int_equal(spd_policy_order_level(p, SPD_PRIORITY_URGENT), 3);
    assert_int_equal(spd_policy_order_level(p, SPD_PRIORITY_UNSET), 3);
    assert_int_equal(spd_policy_ai_age(p), SPD_MIN(30));
    assert_int_equal(spd_policy_hash(p).len, 64);
    spd_policy_eval(p, &f, arena, &d);
    assert_int_equal(d.base_level, 3);
    assert_int_equal(d.level, 1);
    assert_int_equal(d.n_hits, 4); /* by level, then id; those without a level last */
    assert_true(spd_sv_is(d.hits[0].rule, "z") && spd_sv_is(d.hits[1].rule, "a") &&
                spd_sv_is(d.hits[2].rule, "b") && spd_sv_is(d.hits[3].rule, "c"));
    f.order_priority = SPD_PRIORITY_STAT, f.location = SPD_SV("ICU");
    spd_policy_eval(p, &f, arena, &d); /* rules of a lower level do not lower */
    assert_int_equal(d.level, 1);
    spd_arena_free(arena);
    spd_policy_free(p);
}

static void test_hash(void **state)
{
    struct spd_source a[2] = {{SPD_SV("/x/1.yaml"), SPD_SV("policy: 1\n")},
                              {SPD_SV("/x/2.yaml"), SPD_SV("policy: 1\nrules: []\n")}};
    struct spd_source b[2] = {{SPD_SV("/elsewhere/1.yaml"), a[0].text},
                              {SPD_SV("2.yaml"), a[1].text}};
    struct spd_source c[2] = {a[0], {SPD_SV("2.yaml"), SPD_SV("policy: 1\nrules: [] \n")}};
    struct spd_policy *p, *q, *r;
    (void)state;
    assert_int_equal(spd_policy_load(a, 2, &p, NULL) | spd_policy_load(b, 2, &q, NULL) |
                         spd_policy_load(c, 2, &r, NULL),
                     SPD_OK);
    assert_true(spd_sv_eq(spd_policy_hash(p), spd_policy_hash(q)));
    assert_false(spd_sv_eq(spd_policy_hash(p), spd_policy_hash(r)));
    spd_policy_free(p), spd_policy_free(q), spd_policy_free(r);
}

/* docs/policy.md has a row for every criterion. */
static void test_documented(void **state)
{
    struct spd_arena *arena = spd_arena_new(1 << 20);
    struct spd_source doc;
    (void)state;
    assert_int_equal(
        spd_source_read(SPOED_SOURCE_DIR "/docs/policy.md", 1 << 20, &doc, arena, NULL), SPD_OK);
    for (const struct spd__criterion *c = spd__criteria; c->key; c++)
        if (!spd_sv_find(doc.text, spd_arena_printf(arena, "`%s`", c->key), NULL))
            fail_msg("docs/policy.md does not name %s", c->key);
    spd_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_eval),
                                       cmocka_unit_test(test_absent_is_unknown),
                                       cmocka_unit_test(test_unknown_combines),
                                       cmocka_unit_test(test_results),
                                       cmocka_unit_test(test_next),
                                       cmocka_unit_test(test_ages),
                                       cmocka_unit_test(test_steps),
                                       cmocka_unit_test(test_levels),
                                       cmocka_unit_test(test_hash),
                                       cmocka_unit_test(test_documented)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
