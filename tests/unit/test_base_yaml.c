/* base: YAML as a tree: what it keeps, what it refuses and where, and the getters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"
#include "base/yaml.h"

#define N(a) (sizeof(a) / sizeof *(a))

static enum spd_rc parse(spd_sv text, struct spd_yaml **ret, struct spd_arena *arena,
                         struct spd_err *err)
{
    struct spd_source s = {SPD_SV("f.yaml"), text};
    return spd_yaml_parse(&s, ret, arena, err);
}

static void test_tree(void **state)
{
    struct spd_arena *a = spd_arena_new(8 << 20);
    struct spd_yaml *root;
    const struct spd_yaml *n;
    char place[96];
    (void)state;
    assert_int_equal(
        parse(SPD_SV("a: NO\nb: \"0123\"\nc: [1, two]\nd:\n  e: 5m\n  f: |\n    line\n"), &root, a,
              NULL),
        SPD_OK);
    assert_true(root->kind == SPD_YAML_MAP && root->n == 4);
    n = spd_yaml_get(root, "a");
    assert_true(n->plain && spd_sv_is(n->text, "NO"));
    n = spd_yaml_get(root, "b");
    assert_true(!n->plain && spd_sv_is(n->text, "0123") && n->line == 2 && n->col == 4 &&
                n->key_line == 2 && n->key_col == 1);
    n = spd_yaml_get(root, "c");
    assert_true(n->kind == SPD_YAML_LIST && n->n == 2 && spd_sv_is(n->child->next->text, "two") &&
                !n->child->next->next);
    n = spd_yaml_get(spd_yaml_get(root, "d"), "f");
    assert_true(spd_sv_is(n->text, "line\n"));
    assert_null(spd_yaml_get(root, "x"));
    assert_null(spd_yaml_get(NULL, "x"));
    spd_yaml_place(spd_yaml_get(spd_yaml_get(root, "d"), "e"), place);
    assert_string_equal(place, "f.yaml:5:6");
    spd_arena_free(a);
}

static void test_refused(void **state)
{
    static const struct {
        const char *name;
        spd_sv text;
        const char *place, *text_has;
    } rows[] = {
        {"empty", SPD_SV(""), "f.yaml:1:1", "empty"},
        {"only a comment", SPD_SV("# x\n"), "f.yaml:1:1", "empty"},
        {"duplicate", SPD_SV("a: 1\nb: 2\na: 3\n"), "f.yaml:3:1", "twice (first in line 1)"},
        {"duplicate below", SPD_SV("a: {b: 1, b: 2}\n"), "f.yaml:1:11", "twice"},
        {"duplicate in other quotes", SPD_SV("a: 1\n\"a\": 2\n"), "f.yaml:2:1", "twice"},
        {"anchor on a map", SPD_SV("a: &x {b: 1}\n"), "f.yaml:1:4", "anchors"},
        {"anchor on a list", SPD_SV("a: &x [1]\n"), "f.yaml:1:4", "anchors"},
        {"anchor on a text", SPD_SV("a: &x 1\n"), "f.yaml:1:4", "anchors"},
        {"alias", SPD_SV("a: *x\n"), "f.yaml:1:4", "aliases"},
        {"alias as merge", SPD_SV("a: {<<: *x}\n"), "f.yaml:1:9", "aliases"},
        {"tag", SPD_SV("a: !!int 1\n"), "f.yaml:1:4", "tags"},
        {"own tag", SPD_SV("a: !include x\n"), "f.yaml:1:4", "tags"},
        {"list as key", SPD_SV("? [a]\n: 1\n"), "f.yaml:1:3", "a key must be"},
        {"empty key", SPD_SV("\"\": 1\n"), "f.yaml:1:1", "may not be empty"},
        {"two documents", SPD_SV("a: 1\n---\nb: 1\n"), "f.yaml:2:1", "second document"},
        {"not UTF-8", SPD_SV("a: 1\nb: \xe9\n"), "f.yaml:2:4", "not UTF-8"},
        {"NUL", SPD_SV("a: \"x\\0\"\n"), "f.yaml:1:4", "NUL"},
        {"tab", SPD_SV("a:\n\tb: 1\n"), "f.yaml:2:1", "not readable"},
        {"open bracket", SPD_SV("a: [1\n"), "f.yaml:2:1", "not readable"},
        {"bad indentation", SPD_SV("a: 1\n  b: 2\n"), "f.yaml:2:4", "not readable"}};
    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct spd_arena *a = spd_arena_new(8 << 20);
        struct spd_yaml *root;
        struct spd_err err = {0};
        if (!parse(rows[i].text, &root, a, &err)) fail_msg("%s: accepted", rows[i].name);
        if (strcmp(err.place, rows[i].place) || !strstr(err.text, rows[i].text_has))
            fail_msg("%s: said %s: %s", rows[i].name, err.place, err.text);
        spd_arena_free(a);
    }
}

/* One below each limit is taken, one beyond is refused. */
static void test_limits(void **state)
{
    static const struct {
        const char *name, *head, *part, *tail;
        size_t fits;
        const char *complaint;
    } rows[] = {{"depth", "", "[", "", 32, "deeper than 32"},
                {"values", "", "- a\n", "", 49999, "more than 50000"},
                {"keys", "", "k%zu: 1\n", "", 4096, "more than 4096 keys"},
                {"size", "a: ", "x", "\n", (1 << 20) - 4, "1 MiB"}};
    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        for (size_t more = 0; more < 2; more++) {
            struct spd_arena *a = spd_arena_new((size_t)64 << 20);
            struct spd_str s = SPD_STR_INIT(4 << 20);
            struct spd_yaml *root;
            struct spd_err err = {0};
            enum spd_rc rc;
            spd_str_addz(&s, rows[i].head);
            for (size_t k = 0; k < rows[i].fits + more; k++) {
                if (i == 2)
                    spd_str_addf(&s, "k%zu: 1\n", k);
                else
                    spd_str_addz(&s, rows[i].part);
            }
            for (size_t k = 0; i == 0 && k < rows[i].fits + more; k++)
                spd_str_addc(&s, ']');
            spd_str_addz(&s, rows[i].tail);
            rc = parse(spd_str_sv(&s), &root, a, &err);
            if (more ? !rc || !strstr(err.text, rows[i].complaint) : rc)
                fail_msg("%s, %zu more: %s: %s", rows[i].name, more, err.place, err.text);
            spd_str_done(&s);
            spd_arena_free(a);
        }
}

static void test_nearest(void **state)
{
    static const char *const known[] = {"modality", "body_part", "location", "to", "when", NULL};
    static const struct {
        const char *word, *nearest;
    } rows[] = {{"modalty", "modality"},
                {"Modality", "modality"},
                {"body-part", "body_part"},
                {"bodypart", "body_part"},
                {"loaction", "location"},
                {"wehn", "when"},
                {"x", NULL},
                {"something", NULL},
                {"", NULL},
                {"modalitymodalitymodalitymodalitymodalitymodality", NULL}};
    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        const char *near = spd_yaml_nearest(spd_sv_from(rows[i].word), known);
        if (!near != !rows[i].nearest || (near && strcmp(near, rows[i].nearest)))
            fail_msg("%s: %s", rows[i].word, near ? near : "nothing");
    }
}

static void test_getters(void **state)
{
    static const char *const words[] = {"", "alpha", "beta", NULL};
    struct spd_arena *a = spd_arena_new(8 << 20);
    struct spd_yaml *root;
    struct spd_err err = {0};
    spd_sv text, *texts;
    int64_t v;
    size_t n;
    bool flag;
    int word;
    (void)state;
    assert_int_equal(
        parse(
            SPD_SV(
                "b: off\ni: 12\nd: 90s\np: 0.6\nw: beta\nt: [x, y]\ne:\nl: []\nm: {}\nf: 0.5001\n"),
            &root, a, NULL),
        SPD_OK);
    assert_true(!spd_yaml_bool(spd_yaml_get(root, "b"), &flag, &err) && !flag);
    assert_true(!spd_yaml_int(spd_yaml_get(root, "i"), 0, 12, &v, &err) && v == 12);
    assert_int_equal(spd_yaml_int(spd_yaml_get(root, "i"), 0, 11, &v, &err), SPD_INVALID);
    assert_true(!spd_yaml_duration(spd_yaml_get(root, "d"), &v, &err) && v == SPD_SEC(90));
    assert_true(!spd_yaml_probability(spd_yaml_get(root, "p"), &v, &err) && v == 600000);
    assert_int_equal(spd_yaml_probability(spd_yaml_get(root, "i"), &v, &err), SPD_INVALID);
    assert_true(!spd_yaml_word(spd_yaml_get(root, "w"), words, &word, &err) && word == 2);
    assert_int_equal(spd_yaml_word(spd_yaml_get(root, "e"), words, &word, &err),
                     SPD_INVALID); /* "" is no word */
    assert_true(!spd_yaml_texts(spd_yaml_get(root, "t"), &texts, &n, a, &err) && n == 2 &&
                spd_sv_is(texts[1], "y"));
    assert_true(!spd_yaml_texts(spd_yaml_get(root, "w"), &texts, &n, a, &err) && n == 1);
    assert_true(!spd_yaml_texts(spd_yaml_get(root, "l"), &texts, &n, a, &err) && n == 0);
    assert_int_equal(spd_yaml_texts(spd_yaml_get(root, "m"), &texts, &n, a, &err), SPD_INVALID);
    assert_int_equal(spd_yaml_text(spd_yaml_get(root, "e"), &text, &err), SPD_INVALID);
    assert_int_equal(spd_yaml_text(spd_yaml_get(root, "t"), &text, &err), SPD_INVALID);
    assert_string_equal(err.place, "f.yaml:6:4");
    spd_arena_free(a);
}

/* A long path keeps its end and the place. */
static void test_long_path(void **state)
{
    struct spd_arena *a = spd_arena_new(8 << 20);
    struct spd_yaml *root;
    struct spd_err err = {0};
    char path[300];
    struct spd_source s = {{path, sizeof path - 1}, SPD_SV("a: &x 1\n")};
    (void)state;
    memset(path, 'd', sizeof path), memcpy(path + sizeof path - 12, "/file.yaml", 11),
        path[sizeof path - 1] = 0;
    s.name.len = strlen(path);
    assert_int_equal(spd_yaml_parse(&s, &root, a, &err), SPD_INVALID);
    assert_true(strlen(err.place) < sizeof err.place && strstr(err.place, "/file.yaml:1:4"));
    spd_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_getters), cmocka_unit_test(test_long_path)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
