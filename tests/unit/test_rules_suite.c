/* tests/suites/policy/<case>/{p.yaml, expect}: a policy, and what loading and testing it says:
 * "error <place>: <text>", or "<n> passed, <n> failed" and the text of every failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/str.h"
#include "rules/rules.h"

static void say(void *ctx, const char *name, bool passed, const char *text)
{
    (void)name;
    if (!passed) spd_str_addf(ctx, "\n%s", text);
}

static void test_suite(void **state)
{
    struct spd_arena *arena = spd_arena_new(64 << 20);
    struct spd_source *files;
    size_t n, wrong = 0;
    (void)state;
    const char *only = getenv("SPOED_CASE"); /* tests/run PATH */
    spd_sv pattern = spd_arena_printf(arena, SPOED_SOURCE_DIR "/tests/suites/policy/%s/p.yaml", only ? only : "*");
    assert_int_equal(spd_source_glob(pattern.ptr, 1 << 20, &files, &n, arena, NULL), SPD_OK);
    assert_true(only ? n == 1 : n >= 30);
    for (size_t i = 0; i < n; i++) {
        spd_sv dir = spd_sv_of(files[i].name.ptr, files[i].name.len - 6);
        struct spd_source expect, file = {SPD_SV("p.yaml"), files[i].text};
        struct spd_str got = SPD_STR_INIT(1 << 16), failures = SPD_STR_INIT(1 << 16);
        struct spd_policy *p = NULL;
        struct spd_err err = {0};
        size_t passed, failed;
        assert_int_equal(spd_source_read(spd_arena_printf(arena, "%.*sexpect", SPD_SV_ARG(dir)).ptr,
                                         1 << 16, &expect, arena, NULL),
                         SPD_OK);
        if (spd_policy_load(&file, 1, &p, &err)) {
            spd_str_addf(&got, "error %s: %s", err.place, err.text);
        } else {
            spd_policy_test(p, say, &failures, &passed, &failed);
            spd_str_addf(&got, "%zu passed, %zu failed", passed, failed);
            spd_str_add(&got, spd_str_sv(&failures));
        }
        if (!spd_sv_eq(spd_sv_trim(expect.text), spd_str_sv(&got)))
            wrong++, print_message("%.*s\n  expected %.*s\n  got      %s\n", SPD_SV_ARG(dir),
                                   SPD_SV_ARG(spd_sv_trim(expect.text)), got.ptr);
        spd_str_done(&got), spd_str_done(&failures);
        spd_policy_free(p);
    }
    print_message("%zu cases\n", n);
    spd_arena_free(arena);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_suite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
