/* src/cli/cmd_model.c: `spoed model list` and `spoed model set-mode ID VERSION MODE REASON`. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "cli/act.h"
#include "cli/api.h"
#include "cli/table.h"

int cmd_model(const struct spd_cli *cli, int argc, char **argv);

static void print_models(const json_t *answer)
{
    static const char *const heads[] = {"MODEL",    "VERSION", "MODE",       "RESULTS",
                                        "POSITIVE", "LATE",    "LAST RESULT"};
    struct spd_table t = {.columns = sizeof heads / sizeof *heads};
    size_t i, k;
    json_t *m, *v;
    for (size_t n = 0; n < t.columns; n++)
        spd_table_add(&t, heads[n]);
    json_array_foreach(json_object_get(answer, "models"), i, m)
        json_array_foreach(json_object_get(m, "versions"), k, v)
    {
        static const char *const counts[] = {"results", "positives", "late"};
        spd_table_add(&t, spd_api_text(m, "id"));
        spd_table_add(&t, spd_api_text(v, "version"));
        spd_table_add(&t, spd_api_text(v, "mode"));
        for (size_t n = 0; n < 3; n++) {
            char number[24];
            snprintf(number, sizeof number, "%lld",
                     (long long)json_integer_value(json_object_get(v, counts[n])));
            spd_table_add(&t, number);
        }
        spd_table_add(&t, spd_api_text(v, "last_result"));
    }
    spd_table_print(&t);
}

/* Ids of models are words; anything else would change the path. */
static bool word(const char *z)
{
    size_t n = strspn(z, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    return n && n <= 64 && !z[n];
}

static int set_mode(const struct spd_config *c, char **argv, json_t **ret)
{
    char path[128];
    json_t *body;
    int code;
    if (!word(argv[2])) {
        fprintf(stderr, "spoed: a model's id has letters, digits, '-', '_' and '.'\n");
        return SPD_EXIT_USAGE;
    }
    snprintf(path, sizeof path, "/api/v1/models/%s/mode", argv[2]);
    body = json_pack("{s:s, s:s, s:s}", "version", argv[3], "mode", argv[4], "reason", argv[5]);
    if (!body) {
        fprintf(stderr, "spoed: version, mode and reason must be UTF-8\n");
        return SPD_EXIT_USAGE;
    }
    struct spd_action_event a = {.verb = SPD_ACT_SET_MODE,
                                 .model = spd_sv_from(argv[2]),
                                 .model_version = spd_sv_from(argv[3]),
                                 .mode = spd_sv_from(argv[4]),
                                 .reason = spd_sv_from(argv[5]),
                                 .model_reason = spd_sv_from(argv[5])};
    code = spd_act(c, path, body, &a, "manager", ret);
    json_decref(body);
    return code;
}

int cmd_model(const struct spd_cli *cli, int argc, char **argv)
{
    bool list = argc == 2 && !strcmp(argv[1], "list"),
         set = argc == 6 && !strcmp(argv[1], "set-mode");
    struct spd_config *c;
    json_t *answer = NULL;
    int code;
    if (!list && !set) {
        fprintf(stderr,
                "usage: spoed model list\n"
                "       spoed model set-mode ID VERSION shadow|acceptance|live|suspended REASON\n");
        return SPD_EXIT_USAGE;
    }
    c = spd_api_config(cli);
    if (!c) return SPD_EXIT_CONFIG;
    code =
        list ? spd_api_must(c, "GET", "/api/v1/models", NULL, &answer) : set_mode(c, argv, &answer);
    if (!code && cli->json)
        spd_api_print(answer);
    else if (!code && list)
        print_models(answer);
    else if (!code && !cli->quiet)
        printf("%s %s is %s\n", argv[2], argv[3], argv[4]);
    json_decref(answer);
    spd_config_free(c);
    return code;
}
