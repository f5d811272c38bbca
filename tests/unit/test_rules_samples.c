/* The samples that are installed load, agree with one another, and pass their own tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "rules/rules.h"

#define SHARE SPOED_SOURCE_DIR "/packaging/share/"

static void say_test(void *ctx, const char *name, bool passed, const char *text)
{
    (void)ctx;
    if (!passed) print_message("FAILED %s\n    %s\n", name, text);
}

static void say_check(void *ctx, bool error, const char *place, const char *text)
{
    (void)ctx;
    print_message("%s: %s: %s\n", error ? "error" : "warning", place, text);
}

static void test_samples(void **state)
{
    struct spd_arena *arena = spd_arena_new(64 << 20);
    struct spd_source *policy, *models, people;
    size_t n_policy, n_models, passed, failed;
    struct spd_err err = {0};
    struct spd_policy *p = NULL;
    struct spd_models *m = NULL;
    struct spd_people *pe = NULL;
    const spd_sv channels[] = {SPD_SV("pager"), SPD_SV("mail")};
    (void)state;
    assert_int_equal(
        spd_source_glob(SHARE "policy.d/*.yaml", 1 << 20, &policy, &n_policy, arena, &err), SPD_OK);
    assert_int_equal(
        spd_source_glob(SHARE "models.d/*.yaml", 1 << 20, &models, &n_models, arena, &err), SPD_OK);
    assert_int_equal(spd_source_read(SHARE "people.yaml", 1 << 20, &people, arena, &err), SPD_OK);
    assert_true(n_policy >= 5);
    if (spd_policy_load(policy, n_policy, &p, &err)) fail_msg("%s: %s", err.place, err.text);
    if (spd_models_load(models, n_models, &m, &err)) fail_msg("%s: %s", err.place, err.text);
    if (spd_people_load(&people, &pe, &err)) fail_msg("%s: %s", err.place, err.text);
    spd_policy_test(p, say_test, NULL, &passed, &failed);
    print_message("%zu policy tests passed, %zu failed\n", passed, failed);
    assert_int_equal(failed, 0);
    assert_true(passed >= 20);
    assert_int_equal(spd_rules_check(p, m, pe, channels, 2, say_check, NULL), SPD_OK);
    for (size_t i = 0; i < spd_policy_rules(p); i++) {
        spd_sv nl = spd_policy_rule_sentence(p, i, true, arena),
               en = spd_policy_rule_sentence(p, i, false, arena);
        assert_true(nl.len > 20 && en.len > 20);
        print_message("%s\n%s\n", nl.ptr, en.ptr);
    }
    spd_policy_free(p);
    spd_models_free(m);
    spd_people_free(pe);
    spd_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_samples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
