/* src/cli/problems.c: see problems.h. */
#include "cli/problems.h"

#include <stdio.h>

void spd_problems_init(struct spd_problems *p, const struct spd_cli *cli)
{
    *p = (struct spd_problems){cli, SPD_STR_INIT(4 << 20), 0, 0};
}

void spd_problems_say(void *ctx, bool error, const char *place, const char *text)
{
    struct spd_problems *p = ctx;
    if (error)
        p->errors++;
    else
        p->warnings++;
    if (p->cli->json) {
        spd_str_addz(&p->json, p->json.len ? ", {\"severity\": " : "{\"severity\": ");
        spd_str_addz(&p->json, error ? "\"error\", \"place\": " : "\"warning\", \"place\": ");
        spd_str_json(&p->json, spd_sv_from(place));
        spd_str_addz(&p->json, ", \"text\": ");
        spd_str_json(&p->json, spd_sv_from(text));
        spd_str_addc(&p->json, '}');
    } else if (error || !p->cli->quiet) {
        fprintf(stderr, "%s: %s%s\n", place, error ? "" : "warning: ", text);
    }
}

void spd_problems_err(struct spd_problems *p, const struct spd_err *err)
{
    spd_problems_say(p, true, err->place, err->text);
}

int spd_problems_end(struct spd_problems *p)
{
    int code = p->errors ? SPD_EXIT_CONFIG : SPD_EXIT_OK;
    if (p->cli->json)
        printf("{\"ok\": %s, \"errors\": %zu, \"warnings\": %zu, \"problems\": [%.*s]}\n",
               p->errors ? "false" : "true", p->errors, p->warnings, (int)p->json.len,
               p->json.ptr ? p->json.ptr : "");
    spd_str_done(&p->json);
    return code;
}

static bool read_named(int n, char **files, struct spd_source *ret, struct spd_arena *arena,
                       struct spd_err *err)
{
    for (int i = 0; i < n; i++)
        if (spd_source_read(files[i], 1 << 20, &ret[i], arena, err)) return false;
    return true;
}

struct spd_policy *spd_problems_policy(struct spd_problems *p, int n, char **files,
                                       struct spd_config **ret_c)
{
    struct spd_arena *arena = spd_arena_new((size_t)256 << 20);
    struct spd_policy *policy = NULL;
    struct spd_source *sources;
    struct spd_rules_files of_config;
    struct spd_err err = {0};
    size_t count = (size_t)n;
    bool ok;
    *ret_c = NULL;
    if (!arena) spd_out_of_memory();
    sources = SPD_NEW_N(arena, struct spd_source, count + 1);
    if (n)
        ok = read_named(n, files, sources, arena, &err);
    else if ((ok = !spd_config_load(p->cli->config, ret_c, &err) &&
                   !spd_config_read_rules(*ret_c, &of_config, arena, &err)))
        sources = of_config.policy, count = of_config.n_policy;
    if (!ok || spd_policy_load(sources, count, &policy, &err)) spd_problems_err(p, &err);
    spd_arena_free(arena);
    return policy;
}
