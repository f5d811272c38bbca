/* src/cli/cmd_config.c: `spoed config show [--effective]`: the file as it stands, or with defaults
 * and environment as the brain sees it. Secrets are masked in the effective form and never in the
 * file's (they are not in the file: only secret_file is). */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/yaml.h"
#include "cli/problems.h"

int cmd_config(const struct spd_cli *cli, int argc, char **argv);

static json_t *to_json(const struct spd_yaml *node)
{
    json_t *j;
    if (node->kind == SPD_YAML_TEXT)
        return json_stringn(node->text.ptr ? node->text.ptr : "", node->text.len);
    j = node->kind == SPD_YAML_LIST ? json_array() : json_object();
    for (const struct spd_yaml *c = node->child; c; c = c->next) {
        if (node->kind == SPD_YAML_LIST)
            json_array_append_new(j, to_json(c));
        else
            json_object_set_new(j, c->key.ptr, to_json(c)); /* keys are NUL-terminated copies */
    }
    return j;
}

static void print_json(spd_sv yaml)
{
    struct spd_arena *arena = spd_arena_new((size_t)16 << 20);
    struct spd_source s = {SPD_SV("configuration"), yaml};
    struct spd_yaml *root;
    json_t *j;
    if (!arena) spd_out_of_memory();
    if (!spd_yaml_parse(&s, &root, arena, NULL) && (j = to_json(root))) {
        json_dumpf(j, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(j);
    }
    spd_arena_free(arena);
}

static void print(const struct spd_cli *cli, spd_sv yaml)
{
    if (cli->json)
        print_json(yaml);
    else
        fwrite(yaml.ptr, 1, yaml.len, stdout);
}

int cmd_config(const struct spd_cli *cli, int argc, char **argv)
{
    bool effective = argc == 3 && !strcmp(argv[2], "--effective");
    struct spd_problems p;
    struct spd_config *c = NULL;
    struct spd_err err = {0};
    struct spd_str out = SPD_STR_INIT(8 << 20);
    struct spd_source file;
    struct spd_arena *arena;
    if (argc < 2 || strcmp(argv[1], "show") || (argc > 2 && !effective)) {
        fprintf(stderr, "usage: spoed [-c FILE] config show [--effective]\n");
        return SPD_EXIT_USAGE;
    }
    spd_problems_init(&p, cli);
    if (!(arena = spd_arena_new((size_t)4 << 20))) spd_out_of_memory();
    if (spd_config_load(cli->config, &c, &err)) {
        spd_problems_err(&p, &err);
    } else if (effective) {
        spd_config_show(c, &out);
        print(cli, spd_str_sv(&out));
    } else if (spd_source_read(cli->config, 1 << 20, &file, arena, &err)) {
        spd_problems_err(&p, &err);
    } else {
        print(cli, file.text);
    }
    spd_str_done(&out);
    spd_arena_free(arena);
    spd_config_free(c);
    if (p.errors) return spd_problems_end(&p);
    spd_str_done(&p.json);
    return SPD_EXIT_OK;
}
