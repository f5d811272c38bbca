/* base: error codes, views, growing texts, arenas, hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/rc.h"
#include "base/str.h"

#define N(a) (sizeof(a) / sizeof *(a))

static void test_rc(void **state)
{
    struct spd_err err = {0};
    char longer[600];
    (void)state;
    for (int i = 0; i < SPD_RC_N; i++) {
        assert_true(spd_rc_name((enum spd_rc)i)[0] != 0);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(spd_rc_name((enum spd_rc)i), spd_rc_name((enum spd_rc)k));
    }
    assert_non_null(spd_rc_name((enum spd_rc)99));
    assert_true(spd_rc_is_retryable(SPD_AGAIN));
    assert_true(spd_rc_is_retryable(SPD_IO));
    assert_false(spd_rc_is_retryable(SPD_INVALID));
    assert_false(spd_rc_is_retryable(SPD_DENIED));
    memset(longer, 'x', sizeof longer - 1), longer[sizeof longer - 1] = 0;
    assert_int_equal(spd_fail(&err, SPD_LIMIT, longer, "%s", longer), SPD_LIMIT);
    assert_int_equal(err.rc, SPD_LIMIT);
    assert_true(strlen(err.place) < sizeof err.place && strlen(err.text) < sizeof err.text);
    assert_int_equal(spd_fail(NULL, SPD_IO, NULL, "x"), SPD_IO);
    assert_int_equal(spd_fail(&err, SPD_IO, NULL, "x"), SPD_IO);
}

static void test_sv(void **state)
{
    static const struct {
        const char *name, *a, *b;
        int cmp;
        bool same, folded;
    } pairs[] = {{"equal", "abc", "abc", 0, true, true},
                 {"case", "abC", "abc", -1, false, true},
                 {"prefix", "ab", "abc", -1, false, false},
                 {"empty", "", "", 0, true, true},
                 {"empty first", "", "a", -1, false, false},
                 {"bytes above 127 come last", "\xc3", "z", 1, false, false}};
    size_t at;
    (void)state;
    for (size_t i = 0; i < N(pairs); i++) {
        spd_sv a = spd_sv_from(pairs[i].a), b = spd_sv_from(pairs[i].b);
        int c = spd_sv_cmp(a, b), back = spd_sv_cmp(b, a);
        if ((c > 0) - (c < 0) != pairs[i].cmp || (back > 0) - (back < 0) != -pairs[i].cmp ||
            spd_sv_eq(a, b) != pairs[i].same || spd_sv_ieq(a, b) != pairs[i].folded)
            fail_msg("%s", pairs[i].name);
    }
    assert_true(spd_sv_eq(SPD_SV_NONE, SPD_SV("")));
    assert_true(spd_sv_starts(SPD_SV("abc"), SPD_SV("")) &&
                spd_sv_starts(SPD_SV("abc"), SPD_SV("abc")) &&
                !spd_sv_starts(SPD_SV("ab"), SPD_SV("abc")));
    assert_true(spd_sv_find(SPD_SV("aaab"), SPD_SV("ab"), &at) && at == 2);
    assert_true(spd_sv_find(SPD_SV("abc"), SPD_SV("c"), &at) && at == 2);
    assert_false(spd_sv_find(SPD_SV("abc"), SPD_SV("abcd"), NULL));
    assert_false(spd_sv_find(SPD_SV_NONE, SPD_SV("a"), NULL));
    assert_true(spd_sv_is(spd_sv_trim(SPD_SV(" \t a b\r\n")), "a b"));
    assert_true(spd_sv_empty(spd_sv_trim(SPD_SV(" \t\r\n"))));
    assert_true(spd_sv_empty(spd_sv_trim(SPD_SV_NONE)));
    assert_true(spd_sv_hash(SPD_SV("a")) != spd_sv_hash(SPD_SV("b")));
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } whole[] = {{"0", true, 0},
                 {"-7", true, -7},
                 {"9223372036854775807", true, INT64_MAX},
                 {"-9223372036854775808", true, INT64_MIN},
                 {"9223372036854775808", false, 0},
                 {"-9223372036854775809", false, 0},
                 {"", false, 0},
                 {"-", false, 0},
                 {" 1", false, 0},
                 {"1 ", false, 0},
                 {"0x1", false, 0},
                 {"1.0", false, 0},
                 {"007", true, 7}};
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } micro[] = {{"0.93", true, 930000},
                 {".5", true, 500000},
                 {"93", true, 93000000},
                 {"9.1e-1", true, 910000},
                 {"1", true, 1000000},
                 {"0", true, 0},
                 {"0.0000004", true, 0},
                 {"0.0000005", true, 1},
                 {"0.9999999", true, 1000000},
                 {"-0.5", true, -500000},
                 {"1e3", true, 1000000000},
                 {"1e99", false, 0},
                 {"", false, 0},
                 {".", false, 0},
                 {"abc", false, 0},
                 {"1.2.3", false, 0},
                 {"0,93", false, 0},
                 {"nan", false, 0},
                 {"1e", false, 0},
                 {"1e-30", true, 0},
                 {"00000000000000000000000000000.5", true, 500000}};
    int64_t v;
    (void)state;
    for (size_t i = 0; i < N(whole); i++) {
        bool good = spd_sv_to_i64(spd_sv_from(whole[i].text), &v);
        if (good != whole[i].good || (good && v != whole[i].value))
            fail_msg("whole \"%s\"", whole[i].text);
    }
    for (size_t i = 0; i < N(micro); i++) {
        bool good = spd_sv_to_micro(spd_sv_from(micro[i].text), &v);
        if (good != micro[i].good || (good && v != micro[i].value))
            fail_msg("micro \"%s\": %d %lld", micro[i].text, good, (long long)v);
    }
}

static void test_utf8(void **state)
{
    static const struct {
        const char *name;
        spd_sv text;
        bool good;
    } rows[] = {{"ascii", SPD_SV("abc"), true},
                {"empty", SPD_SV(""), true},
                {"two bytes", SPD_SV("\xc3\xab"), true},
                {"three bytes", SPD_SV("\xe2\x82\xac"), true},
                {"four bytes", SPD_SV("\xf0\x9f\x98\x80"), true},
                {"latin-1", SPD_SV("caf\xe9"), false},
                {"cut off", SPD_SV("\xe2\x82"), false},
                {"lone continuation", SPD_SV("\x82"), false},
                {"overlong", SPD_SV("\xc0\xaf"), false},
                {"overlong three", SPD_SV("\xe0\x80\xaf"), false},
                {"surrogate", SPD_SV("\xed\xa0\x80"), false},
                {"beyond", SPD_SV("\xf4\x90\x80\x80"), false},
                {"NUL", SPD_SV("a\0b"), false}};
    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        if (spd_sv_is_utf8(rows[i].text) != rows[i].good) fail_msg("%s", rows[i].name);
}

static void test_str(void **state)
{
    struct spd_str s = SPD_STR_INIT(10), j = SPD_STR_INIT(1000);
    (void)state;
    spd_str_addz(&s, "12345");
    spd_str_addc(&s, '6');
    spd_str_addi(&s, -789);
    assert_true(spd_str_ok(&s) && spd_sv_is(spd_str_sv(&s), "123456-789"));
    assert_int_equal(s.ptr[s.len], 0);
    spd_str_addc(&s, 'x'); /* one too many: remembered, nothing added, nor later */
    assert_int_equal(s.rc, SPD_LIMIT);
    spd_str_addz(&s, "");
    assert_true(s.len == 10 && !spd_str_ok(&s));
    spd_str_clear(&s);
    assert_true(spd_str_ok(&s) && s.len == 0);
    spd_str_addf(&s, "%d-%s", 12, "ab");
    assert_true(spd_sv_is(spd_str_sv(&s), "12-ab"));
    spd_str_addf(&s, "%s", "too long for it");
    assert_int_equal(s.rc, SPD_LIMIT);
    spd_str_done(&s);
    spd_str_json(&j, SPD_SV("a\"b\\c\n\t\x01\xc3\xab</"));
    assert_true(spd_sv_starts(spd_str_sv(&j), SPD_SV("\"a\\\"b\\\\c\\n\\t\\u0001\xc3\xab")));
    spd_str_done(&j);
}

static void test_arena(void **state)
{
    struct spd_arena *a = spd_arena_new(100000);
    size_t used;
    (void)state;
    for (int i = 1; i < 200; i++) {
        char *p = spd_arena_alloc(a, (size_t)i);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (int k = 0; k < i; k++)
            assert_int_equal(p[k], 0);
        memset(p, 'x', (size_t)i);
    }
    used = spd_arena_used(a);
    assert_true(used >= 199 * 200 / 2);
    assert_false(spd_arena_failed(a));
    assert_null(spd_arena_alloc(a, 100000));
    assert_null(spd_arena_alloc(a, SIZE_MAX));
    assert_true(spd_arena_failed(a));
    spd_arena_reset(a);
    assert_true(spd_arena_used(a) < used);
    assert_int_equal(((char *)spd_arena_alloc(a, 64))[63], 0);
    assert_true(spd_sv_is(spd_arena_printf(a, "%d %s", 5, "x"), "5 x"));
    assert_int_equal(spd_arena_dup(a, SPD_SV("abc")).ptr[3], 0);
    spd_arena_free(a);
    spd_arena_free(NULL);
}

static void test_hash(void **state)
{
    static const char key[] = "Jefe", data[] = "what do ya want for nothing?";
    struct spd_arena *a = spd_arena_new(10000);
    unsigned char mac[32], one[16], two[16];
    (void)state;
    /* FIPS 180-4 and RFC 4231 test case 2 */
    assert_true(spd_sv_is(spd_sha256_hex(a, SPD_SV("abc")),
                          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    assert_true(spd_sv_is(spd_sha256_hex(a, SPD_SV("")),
                          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    spd_hmac_sha256(spd_sv_from(key), spd_sv_from(data), mac);
    assert_true(spd_sv_is(spd_hex(a, mac, 32),
                          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    assert_true(spd_sv_is(spd_base64url(a, "\xfb\xff", 2), "-_8"));
    assert_true(spd_sv_is(spd_base64url(a, "abc", 3), "YWJj"));
    assert_true(spd_sv_is(spd_base64url(a, "a", 1), "YQ"));
    spd_random(one, 16), spd_random(two, 16);
    assert_memory_not_equal(one, two, 16);
    assert_true(spd_same_secret(SPD_SV("abc"), SPD_SV("abc")));
    assert_false(spd_same_secret(SPD_SV("abc"), SPD_SV("abd")));
    assert_false(spd_same_secret(SPD_SV("abc"), SPD_SV("abcd")));
    spd_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rc),      cmocka_unit_test(test_sv),
                                       cmocka_unit_test(test_numbers), cmocka_unit_test(test_utf8),
                                       cmocka_unit_test(test_str),     cmocka_unit_test(test_arena),
                                       cmocka_unit_test(test_hash)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
