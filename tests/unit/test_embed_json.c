/* tests/unit/test_embed_json.c: libspoed's reader of the brain's answers: what is JSON, what is not, what it says. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plugin/embed/embed.h"

static void what_is_json(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {"{}", true}, {" { } \r\n", true}, {"{\"a\":[]}", true}, {"{\"a\":{\"b\":[1,2,{\"c\":null}]}}", true},
        {"{\"a\":true,\"b\":false,\"c\":null}", true}, {"{\"a\":-0,\"b\":0.5e-3,\"c\":1E+2}", true},
        {"{\"a\":\"\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", true},
        {"", false}, {"[]", false}, {"1", false}, {"{", false}, {"{}x", false}, {"{\"a\"}", false}, {"{\"a\":}", false},
        {"{\"a\":1,}", false}, {"{\"a\":[1,]}", false}, {"{\"a\":[1}", false}, {"{a:1}", false}, {"{\"a\":01}", false},
        {"{\"a\":1.}", false}, {"{\"a\":.5}", false}, {"{\"a\":1e}", false}, {"{\"a\":+1}", false}, {"{\"a\":tru}", false},
        {"{\"a\":\"\\x\"}", false}, {"{\"a\":\"\\u12\"}", false}, {"{\"a\":\"\\ud83d\"}", false}, {"{\"a\":\"\\ude00\"}", false},
        {"{\"a\":\"\\ud83d\\u0041\"}", false}, {"{\"a\":\"\\u0000\"}", false}, {"{\"a\":\"\n\"}", false}, {"{\"a\":\"", false},
        {"{\"a\":\"\xff\"}", false}, {"{\"a\":\"\\", false}, {"{\"a\":\"\\u", false}, {"{\"a\" 1}", false}, {"{,}", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_embed_doc d = {0};
        enum spoed_code code = spd_embed_json(spd_sv_from(rows[i].text), &d, NULL);
        if (code != (rows[i].ok ? SPOED_OK : SPOED_PROTOCOL)) fail_msg("%s: %s", rows[i].text, spoed_code_name(code));
        if (!rows[i].ok) assert_null(d.nodes);
        spd_embed_done(&d);
    }
}

static void what_it_says(void **state)
{
    static const char text[] = "{\"t\":\"\\u00e9\\ud83d\\ude00\\t\",\"n\":-42,\"big\":9223372036854775807,\"over\":9223372036854775808,"
                               "\"half\":0.5,\"yes\":true,\"no\":false,\"nil\":null,\"list\":[1,\"two\",[3]],\"t\":\"again\",\"\":7}";
    struct spd_embed_doc d = {0};
    (void)state;
    assert_int_equal(spd_embed_json(spd_sv_from(text), &d, NULL), SPOED_OK);
    const struct spd_embed_node *o = d.nodes, *list = spd_embed_get(o, "list");
    assert_string_equal(spd_embed_text(o, "t"), "\xc3\xa9\xf0\x9f\x98\x80\t"); /* the first of two */
    assert_int_equal(spd_embed_int(o, "n"), -42);
    assert_true(spd_embed_int(o, "big") == INT64_MAX);
    assert_int_equal(spd_embed_int(o, "over"), 0);
    assert_int_equal(spd_embed_int(o, "half"), 0);
    assert_int_equal(spd_embed_int(o, "t"), 0);
    assert_int_equal(spd_embed_int(o, ""), 7);
    assert_string_equal(spd_embed_text(o, "n"), "");
    assert_int_equal(spd_embed_get(o, "yes")->kind, SPD_EMBED_TRUE);
    assert_int_equal(spd_embed_get(o, "no")->kind, SPD_EMBED_OTHER);
    assert_int_equal(spd_embed_size(list), 3);
    assert_string_equal(spd_embed_string(spd_embed_at(list, 1)), "two");
    assert_int_equal(spd_embed_size(spd_embed_at(list, 2)), 1);
    assert_null(spd_embed_at(list, 3));
    assert_null(spd_embed_at(o, 0));
    assert_null(spd_embed_get(list, "t"));
    assert_null(spd_embed_get(NULL, "t"));
    assert_int_equal(spd_embed_size(NULL), 0);
    spd_embed_done(&d);
    spd_embed_done(&d);
}

static void depth(void **state)
{
    (void)state;
    for (int n = 30; n <= 34; n++) {
        char text[200] = "{\"a\":";
        struct spd_embed_doc d = {0};
        size_t k = 5;
        for (int i = 0; i < n - 1; i++) text[k++] = '[';
        for (int i = 0; i < n - 1; i++) text[k++] = ']';
        text[k++] = '}';
        assert_int_equal(spd_embed_json(spd_sv_of(text, k), &d, NULL), n < 32 ? SPOED_OK : SPOED_PROTOCOL);
        spd_embed_done(&d);
    }
}

static void cutting(void **state)
{
    char to[5] = "";
    (void)state;
    spd_embed_copy(to, sizeof to, "abc\xc3\xa9");
    assert_string_equal(to, "abc"); /* not half a letter */
    spd_embed_copy(to, sizeof to, "ab\xc3\xa9");
    assert_string_equal(to, "ab\xc3\xa9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_json), cmocka_unit_test(what_it_says), cmocka_unit_test(depth),
                                       cmocka_unit_test(cutting)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
