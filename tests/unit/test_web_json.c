/* tests/unit/test_web_json.c: writing JSON, reading bodies and forms, and what the host makes of
 * its models and rules with this room's functions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "web/web_int.h"

static void test_writing(void **state)
{
    struct spd_str s = SPD_STR_INIT(4096);
    spd_sv two[] = {SPD_SV("a\"b"), SPD_SV("\xff\xc3\xa9")};
    (void)state;
    spd_j_open(&s, NULL, '{');
    spd_j_int(&s, "i", -5);
    spd_j_id(&s, "none", 0);
    spd_j_text(&s, "colon", SPD_SV("x:"));
    spd_j_texts(&s, "t", two, 2);
    spd_j_open(&s, "o", '{');
    spd_j_close(&s, '}');
    spd_j_open(&s, "l", '[');
    spd_j_close(&s, ']');
    spd_j_bool(&s, "b", true);
    spd_j_time(&s, "when", spd_zone_get("Europe/Amsterdam"), (spd_usec)1764000000 * 1000000);
    spd_j_close(&s, '}');
    assert_string_equal(s.ptr, "{\"i\":-5,\"none\":null,\"colon\":\"x:\",\"t\":[\"a\\\"b\",\"???\"]"
                               ",\"o\":{},\"l\":[],\"b\":true,"
                               "\"when\":\"2025-11-24T17:00:00.000+01:00\"}");
    spd_str_done(&s);
}

static void test_micro(void **state)
{
    static const struct {
        int64_t v;
        const char *text;
    } t[] = {
        {930000, "0.93"},     {0, "0"},        {1000000, "1"}, {1, "0.000001"},
        {999999, "0.999999"}, {100000, "0.1"}, {-1, "null"},   {12500000, "12.5"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct spd_str s = SPD_STR_INIT(64);
        spd_j_micro(&s, NULL, t[i].v);
        assert_string_equal(s.ptr, t[i].text);
        spd_str_done(&s);
    }
}

static void test_form(void **state)
{
    static const struct {
        const char *body, *field, *value;
    } t[] = {
        {"note=a+b%21&csrf=x", "note", "a b!"},
        {"note=a&csrf=x", "csrf", "x"},
        {"xnote=1", "note", ""},
        {"note", "note", ""},
        {"note=%e9", "note", ""},
        {"note=%c3%a9", "note", "\xc3\xa9"},
        {"note=%zz%4", "note", "%zz%4"},
        {"&&note=1&", "note", "1"},
        {"note=%00", "note", ""},
    };
    struct spd_arena *a = spd_arena_new(1 << 20);
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        spd_sv v = spd_web_form(a, spd_sv_from(t[i].body), t[i].field);
        if (!spd_sv_is(v, t[i].value)) print_message("%s\n", t[i].body);
        assert_true(spd_sv_is(v, t[i].value));
    }
    spd_arena_free(a);
}

static void test_links(void **state)
{
    static const struct {
        const char *link;
        bool ok;
    } t[] = {
        {"https://viewer.example/?s=1", true},
        {"weasis://x", true},
        {"/local", true},
        {"", false},
        {"javascript:alert(1)", false},
        {"JaVaScRiPt:x", false},
        {"java\nscript:x", false},
        {" javascript:x", false},
        {"data:text/html,x", false},
        {"vbscript:x", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        assert_int_equal(spd_web_link_ok(spd_sv_from(t[i].link)), t[i].ok);
}

static void test_models_and_policy(void **state)
{
    struct spd_source models = {
        SPD_SV("m.yaml"),
        SPD_SV("models:\n  - {id: ich-a, match: {manufacturer: M, name: N, versions: ['1', '2']},\n"
               "     mode: live, required: true, expected_within: 10m, for: {modality: CT},\n"
               "     findings: {intracranial-hemorrhage: {threshold: 0.6}}}\n")};
    struct spd_source policy = {
        SPD_SV("p.yaml"),
        SPD_SV(
            "policy: 1\nlevels: [critical, routine]\nmax_wait: {critical: 15m, routine: 24h}\n"
            "unmatched_to: rads\nrules:\n  - id: ich\n    title: {nl: 'AI', en: 'AI'}\n"
            "    when: {modality: CT, finding: intracranial-hemorrhage}\n    level: critical\n")};
    struct spd_models *m = NULL;
    struct spd_policy *p = NULL;
    struct spd_store *store;
    struct spd_err err = {0};
    struct spd_model_version v = {.id = 1,
                                  .model = SPD_SV("ich-a"),
                                  .version = SPD_SV("2"),
                                  .mode = SPD_MODE_SUSPENDED,
                                  .results = 5},
                             w = {.id = 2,
                                  .model = SPD_SV("ich-a"),
                                  .version = SPD_SV("3"),
                                  .mode = SPD_MODE_SHADOW};
    struct spd_str s = SPD_STR_INIT(1 << 20);
    (void)state;
    if (spd_models_load(&models, 1, &m, &err)) print_message("%s: %s\n", err.place, err.text);
    assert_non_null(m);
    if (spd_policy_load(&policy, 1, &p, &err)) print_message("%s: %s\n", err.place, err.text);
    assert_non_null(p);
    assert_int_equal(spd_store_open("memory:", SPD_STORE_WRITE | SPD_STORE_CREATE, &store, &err),
                     SPD_OK);
    assert_int_equal(spd_store_begin(store, NULL), SPD_OK);
    assert_int_equal(spd_put_model_version(store, &v, NULL, NULL), SPD_OK);
    assert_int_equal(spd_put_model_version(store, &w, NULL, NULL), SPD_OK);
    assert_int_equal(spd_store_commit(store, NULL), SPD_OK);
    spd_web_models_json(m, store, spd_zone_utc(), &s);
    json_t *o = json_loadb(s.ptr, s.len, 0, NULL),
           *versions = json_object_get(json_array_get(o, 0), "versions");
    assert_int_equal(json_array_size(versions), 3); /* listed 1 and 2, seen 3 */
    assert_string_equal(json_string_value(json_object_get(json_array_get(versions, 0), "mode")),
                        "live");
    assert_string_equal(json_string_value(json_object_get(json_array_get(versions, 1), "mode")),
                        "suspended");
    assert_string_equal(json_string_value(json_object_get(json_array_get(versions, 2), "mode")),
                        "shadow");
    assert_non_null(strstr(s.ptr, "\"threshold\":0.6"));
    json_decref(o);
    spd_str_clear(&s);
    spd_web_policy_json(p, true, &s);
    o = json_loadb(s.ptr, s.len, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(o, "rules")), 1);
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(o, "levels"), 0), "max_wait")),
                        "15m");
    json_decref(o);
    spd_str_clear(&s);
    spd_web_models_json(NULL, NULL, spd_zone_utc(), &s);
    assert_string_equal(s.ptr, "[]");
    spd_str_done(&s);
    spd_models_free(m);
    spd_policy_free(p);
    spd_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_micro),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_models_and_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
