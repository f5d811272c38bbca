/* Models and people: matching, modes, intended use, teams; what is refused; the cross-checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/str.h"
#include "rules/rules.h"

#define N(a) (sizeof(a) / sizeof *(a))

static const char registry[] =
    "models:\n"
    "  - {id: a, match: {manufacturer: V, name: ICH, versions: [\"2.0\", \"2.1\"]}, mode: live, "
    "for: {modality: CT, age: \">= 18y\"}, findings: {x: {threshold: 0.6}, y: }}\n"
    "  - {id: a3, match: {manufacturer: V, name: ICH, versions: [\"3.0\"]}, mode: acceptance}\n"
    "  - {id: v, match: {manufacturer: V}, mode: live}\n"
    "  - {id: n, match: {name: PE, versions: [\"1\"]}, mode: live, link: "
    "\"https://x/{study_uid}\", display: link, silent_after: 2h}\n";

static struct spd_models *models(const char *text)
{
    struct spd_source s = {SPD_SV("m.yaml"), spd_sv_from(text)};
    struct spd_models *m = NULL;
    struct spd_err err = {0};
    if (spd_models_load(&s, 1, &m, &err)) fail_msg("%s: %s", err.place, err.text);
    return m;
}

static void test_match(void **state)
{
    static const struct {
        const char *name, *manufacturer, *product, *version, *id;
        enum spd_mode mode;
    } rows[] = {{"listed version", "V", "ICH", "2.1", "a", SPD_MODE_LIVE},
                {"its spaces", " V ", "ICH\n", " 2.1", "a", SPD_MODE_LIVE},
                {"unlisted version is shadow", "V", "ICH", "2.2", "a", SPD_MODE_SHADOW},
                {"another entry lists it", "V", "ICH", "3.0", "a3", SPD_MODE_ACCEPTANCE},
                {"no version said", "V", "ICH", "", "a", SPD_MODE_SHADOW},
                {"by manufacturer, no versions: shadow", "V", "Other", "1", "v", SPD_MODE_SHADOW},
                {"by name", "Anybody", "PE", "1", "n", SPD_MODE_LIVE},
                {"case counts", "v", "ich", "2.1", NULL, SPD_MODE_UNSET},
                {"nobody", "", "", "", NULL, SPD_MODE_UNSET}};
    struct spd_models *m = models(registry);
    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        const struct spd_model *x =
            spd_models_match(m, spd_sv_from(rows[i].manufacturer), spd_sv_from(rows[i].product),
                             spd_sv_from(rows[i].version));
        if (!x != !rows[i].id || (x && !spd_sv_is(x->id, rows[i].id))) fail_msg("%s", rows[i].name);
        if (x && spd_model_mode(x, spd_sv_from(rows[i].version)) != rows[i].mode)
            fail_msg("%s: mode", rows[i].name);
    }
    assert_int_equal(spd_models_get(m, SPD_SV("a"))->findings[0].threshold, 600000);
    assert_int_equal(spd_models_get(m, SPD_SV("a"))->findings[1].threshold, -1);
    assert_int_equal(spd_models_get(m, SPD_SV("n"))->silent_after, SPD_HOUR(2));
    assert_null(spd_models_get(m, SPD_SV("zz")));
    assert_null(spd_models_at(m, 4));
    spd_models_free(m);
}

static void test_intended_use(void **state)
{
    static const struct {
        const char *name, *model, *modality, *birth;
        enum spd_tri answer;
    } rows[] = {{"inside", "a", "CT", "19800101", SPD_YES},
                {"a child", "a", "CT", "20200101", SPD_NO},
                {"other modality", "a", "MR", "19800101", SPD_NO},
                {"no birth date", "a", "CT", "", SPD_CANNOT_TELL},
                {"other modality, no birth date", "a", "MR", "", SPD_NO},
                {"no modality", "a", "", "19800101", SPD_CANNOT_TELL},
                {"no intended use given", "v", "", "", SPD_YES}};
    struct spd_models *m = models(registry);
    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct spd_facts f = {.now = SPD_HOUR(24 * 365 * 56),
                              .modality = spd_sv_from(rows[i].modality),
                              .birth_date = spd_sv_from(rows[i].birth)};
        if (spd_model_applies(spd_models_get(m, spd_sv_from(rows[i].model)), &f) != rows[i].answer)
            fail_msg("%s", rows[i].name);
    }
    spd_models_free(m);
}

#define CODES "models:\n  - id: a\n    match: {name: x}\n    codes:\n"
static void test_refused(void **state)
{
    static const struct {
        const char *name, *text, *place, *complaint;
        bool people;
    } rows[] = {
        {"no models", "{}", ":1:1", "begin with", false},
        {"no id", "models: [{match: {name: x}}]", ":1:10", "\"id\"", false},
        {"same id", "models: [{id: a, match: {name: x}}, {id: a, match: {name: y}}]", ":1:42",
         "same id", false},
        {"no match", "models: [{id: a}]", ":1:10", "\"match\"", false},
        {"empty match", "models: [{id: a, match: {}}]", ":1:25", "takes every result", false},
        {"mode", "models: [{id: a, match: {name: x}, mode: alive}]", ":1:42",
         "did you mean \"live\"", false},
        {"threshold", "models: [{id: a, match: {name: x}, findings: {f: {threshold: 60}}}]",
         ":1:62", "0 to 1", false},
        {"for", "models: [{id: a, match: {name: x}, for: {finding: x}}]", ":1:42", "unknown key",
         false},
        {"link", "models: [{id: a, match: {name: x}, link: \"javascript:alert(1)\"}]", ":1:42",
         "https://", false},
        {"codes no list", CODES "      {scheme: 99X}", ":5:7", "list", false},
        {"code: unknown key", CODES "      - {scheme: 99X, code: C1, meaning: m, findng: pneumothorax}", ":5:45", "did you mean \"finding\"", false},
        {"code: no meaning", CODES "      - {scheme: 99X, code: C1, finding: pneumothorax}", ":5:9", "needs", false},
        {"code: no scheme", CODES "      - {code: C1, meaning: m, finding: pneumothorax}", ":5:9", "needs", false},
        {"code: empty list of meanings", CODES "      - {scheme: 99X, code: C1, meaning: [], finding: f}", ":5:42", "", false},
        {"code: means nothing", CODES "      - {scheme: 99X, code: C1, meaning: m}", ":5:9", "say what the code means", false},
        {"code: means two things", CODES "      - {scheme: 99X, code: C1, meaning: m, finding: f, site: s}", ":5:9", "say what the code means", false},
        {"code: a status that nobody knows", CODES "      - {scheme: 99X, code: C1, meaning: m, status: presnt}", ":5:53", "did you mean \"present\"", false},
        {"code: an item that nobody knows", CODES "      - {scheme: 99X, code: C1, meaning: m, item: laterality}", ":5:51", "", false},
        {"code: twice", CODES "      - {scheme: 99X, code: C1, meaning: m, finding: f}\n      - {scheme: 99X, code: C1, meaning: n, status: absent}", ":6:9", "listed twice", false},
        {"no people", "teams: {}", ":1:1", "\"people\"", true},
        {"person twice", "people: [{id: a}, {id: a}]", ":1:24", "same id", true},
        {"team member unknown", "people: [{id: a}]\nteams: {t: [a, b]}", ":2:16",
         "nobody under people", true},
        {"empty team", "people: [{id: a}]\nteams: {t: []}", ":2:12", "needs somebody", true},
        {"team named as a person", "people: [{id: a}]\nteams: {a: [a]}", ":2:9",
         "a person has this id", true},
        {"way without address", "people: [{id: a, ways: [{channel: p}]}]", ":1:25", "\"to\"",
         true}};
    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct spd_source s = {SPD_SV("f.yaml"), spd_sv_from(rows[i].text)};
        struct spd_models *m;
        struct spd_people *p;
        struct spd_err err = {0};
        enum spd_rc rc =
            rows[i].people ? spd_people_load(&s, &p, &err) : spd_models_load(&s, 1, &m, &err);
        if (!rc) fail_msg("%s: accepted", rows[i].name);
        if (!strstr(err.place, rows[i].place) || !strstr(err.text, rows[i].complaint))
            fail_msg("%s: said %s: %s", rows[i].name, err.place, err.text);
    }
}

static const char staff[] =
    "people: [{id: smit, name: \"A. Smit\", ways: [{channel: pager, to: \"1\"}, {channel: mail, "
    "to: m}]}, {id: b, ways: [{channel: fax, to: \"2\"}]}, {id: c}]\n"
    "teams: {rad: [smit, b], ghosts: [c], faxed: [b]}\n";

static struct spd_people *people(void)
{
    struct spd_source s = {SPD_SV("people.yaml"), spd_sv_from(staff)};
    struct spd_people *p = NULL;
    struct spd_err err = {0};
    if (spd_people_load(&s, &p, &err)) fail_msg("%s: %s", err.place, err.text);
    return p;
}

static void test_people(void **state)
{
    struct spd_people *p = people();
    const spd_sv *v, *names;
    size_t n;
    (void)state;
    v = spd_people_team(p, SPD_SV("rad"), &n);
    assert_true(n == 2 && spd_sv_is(v[0], "smit") && spd_sv_is(v[1], "b"));
    v = spd_people_team(p, SPD_SV("c"), &n); /* a person is a team of one */
    assert_true(n == 1 && spd_sv_is(v[0], "c"));
    assert_true(!spd_people_team(p, SPD_SV("nobody"), &n) && n == 0);
    assert_true(spd_people_get(p, SPD_SV("smit"))->n_ways == 2 &&
                spd_sv_is(spd_people_get(p, SPD_SV("smit"))->ways[1].channel, "mail"));
    assert_true(spd_sv_is(spd_people_get(p, SPD_SV("c"))->name, "c"));
    assert_int_equal(spd_people_teams(p, &names), 3);
    assert_true(spd_sv_is(names[2], "faxed"));
    spd_people_free(p);
}

static void note(void *ctx, bool error, const char *place, const char *text)
{
    spd_str_addf(ctx, "%s %s: %s\n", error ? "E" : "W", place, text);
}

static void test_check(void **state)
{
    static const struct {
        const char *name, *rule, *said;
    } rows[] = {
        {"unknown team", "when: {}, level: urgent, alert: {to: radd}",
         "E p.yaml:3:9: no such team or person"},
        {"nobody reachable", "when: {}, level: urgent, alert: {to: ghosts}",
         "E p.yaml:3:9: nobody in ghosts can be reached"},
        {"only a channel that does not exist", "when: {}, level: urgent, alert: {to: faxed}",
         "nobody in faxed can be reached"},
        {"a way by a channel that does not exist", "when: {}, level: urgent",
         "E person b: no such channel"},
        {"unknown model", "when: {model: zz}, level: urgent",
         "E p.yaml:3:9: no such model in models.d: zz"},
        {"a finding that no model finds", "when: {finding: zz}, level: urgent",
         "W p.yaml:3:9: no model of models.d finds zz"},
        {"live without versions", "when: {}, level: urgent", "W model v: names no versions"},
        {"unless of two keys", "when: {}, unless: {modality: CT, sex: F}, level: urgent",
         "W p.yaml:3:35: unless with several keys"}};
    struct spd_models *m = models(registry);
    struct spd_people *pe = people();
    const spd_sv channels[] = {SPD_SV("pager"), SPD_SV("mail")};
    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        char text[500];
        struct spd_str said = SPD_STR_INIT(10000);
        struct spd_source s = {SPD_SV("p.yaml"), {text, 0}};
        struct spd_policy *p = NULL;
        struct spd_err err = {0};
        s.text.len =
            (size_t)snprintf(text, sizeof text,
                             "policy: 1\nunmatched_to: rad\nrules: [{id: r, %s}]\n", rows[i].rule);
        if (spd_policy_load(&s, 1, &p, &err))
            fail_msg("%s: %s: %s", rows[i].name, err.place, err.text);
        assert_int_equal(spd_rules_check(p, m, pe, channels, 2, note, &said),
                         SPD_INVALID); /* fax is missing in all */
        if (!spd_sv_find(spd_str_sv(&said), spd_sv_from(rows[i].said), NULL))
            fail_msg("%s: said\n%s", rows[i].name, said.ptr);
        spd_str_done(&said);
        spd_policy_free(p);
    }
    spd_models_free(m);
    spd_people_free(pe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_match),
                                       cmocka_unit_test(test_intended_use),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_people), cmocka_unit_test(test_check)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
