/* Any bytes as YAML: a tree or an error with a place, and the getters stand up to the tree. */
#include <stdlib.h>

#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct spd_yaml *node, struct spd_arena *arena)
{
    static const char *const words[] = {"alpha", "beta", NULL};
    struct spd_err err;
    spd_sv text, *texts;
    int64_t number;
    size_t n, children = 0;
    bool flag;
    int word;
    spd_yaml_text(node, &text, &err);
    spd_yaml_bool(node, &flag, &err);
    spd_yaml_int(node, 0, 10, &number, &err);
    spd_yaml_duration(node, &number, &err);
    spd_yaml_probability(node, &number, &err);
    spd_yaml_word(node, words, &word, &err);
    spd_yaml_texts(node, &texts, &n, arena, &err);
    spd_yaml_keys(node, words, &err);
    for (const struct spd_yaml *c = node->child; c; c = c->next, children++)
        walk(c, arena);
    if (children != node->n || node->line < 1) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_arena *arena = spd_arena_new((size_t)256 << 20);
    struct spd_source s = {SPD_SV("fuzz.yaml"), spd_sv_of((const char *)data, size)};
    struct spd_yaml *root;
    struct spd_err err = {0};
    if (!spd_yaml_parse(&s, &root, arena, &err))
        walk(root, arena);
    else if (!err.place[0] || !err.text[0])
        abort();
    spd_arena_free(arena);
    return 0;
}
