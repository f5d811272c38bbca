/* tests/unit/test_base_password.c: scrypt strings: made, verified, refused. Low cost, for speed. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/password.h"

static void made_and_verified(void **state)
{
    struct spd_arena *a = spd_arena_new(1 << 20);
    spd_sv one, two;
    (void)state;
    assert_int_equal(spd_password_hash(SPD_SV("geheim"), 1024, &one, a, NULL), SPD_OK);
    assert_int_equal(spd_password_hash(SPD_SV("geheim"), 1024, &two, a, NULL), SPD_OK);
    assert_true(spd_sv_starts(one, SPD_SV("scrypt$1024$8$1$")));
    assert_false(spd_sv_eq(one, two)); /* another salt */
    assert_int_equal(spd_password_verify(one, SPD_SV("geheim"), NULL), SPD_OK);
    assert_int_equal(spd_password_verify(two, SPD_SV("geheim"), NULL), SPD_OK);
    assert_int_equal(spd_password_verify(one, SPD_SV("geheim "), NULL), SPD_DENIED);
    assert_int_equal(spd_password_verify(one, SPD_SV(""), NULL), SPD_DENIED);
    spd_arena_free(a);
}

static void known_answer(void **state)
{
    /* RFC 7914 section 12, third vector, cut to its first 32 bytes (scrypt is PBKDF2 at the end, so the
     * first block is independent of the length asked for). */
    (void)state;
    assert_int_equal(spd_password_verify(SPD_SV("scrypt$16384$8$1$U29kaXVtQ2hsb3JpZGU$"
                                                "cCO9yzr9c0hGHAbNgf046_2o-7qQT44-qbVD9lRdofI"),
                                         SPD_SV("pleaseletmein"), NULL),
                     SPD_OK);
}

static void refused(void **state)
{
    static const struct {
        const char *name, *stored;
    } rows[] = {
        {"empty", ""},
        {"plain text", "geheim"},
        {"cost not a power of two", "scrypt$1000$8$1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"},
        {"cost beyond the limit", "scrypt$2097152$8$1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"},
        {"cost too low", "scrypt$512$8$1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"},
        {"no hash", "scrypt$1024$8$1$c2FsdHNhbHQ$"},
        {"not base64url", "scrypt$1024$8$1$c2Fs+HNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"},
        {"something behind", "scrypt$1024$8$1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA$x"},
        {"r beyond the limit", "scrypt$1024$99$1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"},
    };
    struct spd_arena *a = spd_arena_new(1 << 20);
    spd_sv s;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (spd_password_verify(spd_sv_from(rows[i].stored), SPD_SV("x"), NULL) != SPD_INVALID)
            fail_msg("%s: was not refused", rows[i].name);
    assert_int_equal(spd_password_hash(SPD_SV(""), 1024, &s, a, NULL), SPD_INVALID);
    assert_int_equal(spd_password_hash(SPD_SV("x"), 1000, &s, a, NULL), SPD_INVALID);
    spd_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(made_and_verified),
                                       cmocka_unit_test(known_answer), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
