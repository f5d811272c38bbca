/* src/cli/cmd_policy.c: `spoed policy check|test|explain [FILES…]`: with no files, those of the
 * configuration. */
#include <stdio.h>
#include <string.h>

#include "cli/problems.h"

int cmd_policy(const struct spd_cli *cli, int argc, char **argv);

static int check(struct spd_problems *p, const struct spd_policy *policy)
{
    spd_rules_check(policy, NULL, NULL, NULL, 0, spd_problems_say, p);
    if (!p->cli->json && !p->cli->quiet)
        printf("ok: %zu rules, %d levels, policy %.12s\n", spd_policy_rules(policy),
               spd_policy_levels(policy), spd_policy_hash(policy).ptr);
    return spd_problems_end(p);
}

struct tests {
    const struct spd_cli *cli;
    struct spd_str json;
};

static void say_test(void *ctx, const char *name, bool passed, const char *text)
{
    struct tests *t = ctx;
    if (t->cli->json) {
        spd_str_addz(&t->json, t->json.len ? ", {\"name\": " : "{\"name\": ");
        spd_str_json(&t->json, spd_sv_from(name));
        spd_str_addf(&t->json, ", \"passed\": %s, \"text\": ", passed ? "true" : "false");
        spd_str_json(&t->json, spd_sv_from(text));
        spd_str_addc(&t->json, '}');
    } else if (!passed) {
        printf("FAILED %s\n  %s\n", name, text);
    } else if (!t->cli->quiet) {
        printf("ok     %s\n", name);
    }
}

static int test(struct spd_problems *p, const struct spd_policy *policy)
{
    struct tests t = {p->cli, SPD_STR_INIT(16 << 20)};
    size_t passed, failed;
    spd_policy_test(policy, say_test, &t, &passed, &failed);
    if (p->cli->json)
        printf("{\"passed\": %zu, \"failed\": %zu, \"tests\": [%.*s]}\n", passed, failed,
               (int)t.json.len, t.json.ptr ? t.json.ptr : "");
    else
        printf("%zu passed, %zu failed\n", passed, failed);
    spd_str_done(&t.json);
    return failed ? SPD_EXIT_TESTS : SPD_EXIT_OK;
}

static int explain(struct spd_problems *p, const struct spd_policy *policy)
{
    struct spd_arena *arena = spd_arena_new((size_t)16 << 20);
    struct spd_str json = SPD_STR_INIT(16 << 20);
    if (!arena) spd_out_of_memory();
    for (size_t i = 0; i < spd_policy_rules(policy); i++) {
        spd_sv nl = spd_policy_rule_sentence(policy, i, true, arena),
               en = spd_policy_rule_sentence(policy, i, false, arena);
        if (p->cli->json) {
            spd_str_addz(&json, i ? ", {\"nl\": " : "{\"nl\": ");
            spd_str_json(&json, nl);
            spd_str_addz(&json, ", \"en\": ");
            spd_str_json(&json, en);
            spd_str_addc(&json, '}');
        } else {
            printf("%.*s\n%.*s\n\n", SPD_SV_ARG(nl), SPD_SV_ARG(en));
        }
    }
    if (p->cli->json)
        printf("{\"policy\": \"%s\", \"rules\": [%.*s]}\n", spd_policy_hash(policy).ptr,
               (int)json.len, json.ptr ? json.ptr : "");
    spd_str_done(&json);
    spd_arena_free(arena);
    return SPD_EXIT_OK;
}

int cmd_policy(const struct spd_cli *cli, int argc, char **argv)
{
    static const struct {
        const char *verb;
        int (*run)(struct spd_problems *p, const struct spd_policy *policy);
    } verbs[] = {{"check", check}, {"test", test}, {"explain", explain}};
    struct spd_problems p;
    struct spd_policy *policy;
    struct spd_config *c;
    size_t v = 0;
    int code;
    while (v < 3 && (argc < 2 || strcmp(argv[1], verbs[v].verb)))
        v++;
    if (v == 3) {
        fprintf(stderr, "usage: spoed [-c FILE] policy check|test|explain [FILES…]\n");
        return SPD_EXIT_USAGE;
    }
    spd_problems_init(&p, cli);
    policy = spd_problems_policy(&p, argc - 2, argv + 2, &c);
    code = policy ? verbs[v].run(&p, policy) : spd_problems_end(&p);
    spd_str_done(&p.json);
    spd_policy_free(policy);
    spd_config_free(c);
    return code;
}
