/* src/cli/cmd_worklist.c: `spoed worklist`: the reporting worklist as the brain publishes it, in
 * rank order. No names of patients: a terminal is often looked at by others. --json gives
 * everything. */
#define _GNU_SOURCE
#include <stdio.h>

#include "cli/api.h"
#include "cli/table.h"

int cmd_worklist(const struct spd_cli *cli, int argc, char **argv);

static void add_ai(struct spd_table *t, const json_t *item)
{
    char text[200] = "";
    size_t i, n = 0;
    json_t *ai;
    json_array_foreach(json_object_get(item, "ai"), i, ai)
    {
        int k = snprintf(text + n, sizeof text - n, "%s%s %s", n ? ", " : "",
                         spd_api_text(ai, "model"), spd_api_text(ai, "state"));
        if (k < 0 || (n += (size_t)k) >= sizeof text) break;
    }
    spd_table_add(t, text);
}

static void add_reasons(struct spd_table *t, const json_t *item)
{
    char text[400] = "";
    size_t i, n = 0;
    json_t *r;
    json_array_foreach(json_object_get(item, "reasons"), i, r)
    {
        int k = snprintf(text + n, sizeof text - n, "%s%s", n ? "; " : "", spd_api_text(r, "text"));
        if (k < 0 || (n += (size_t)k) >= sizeof text) break;
    }
    spd_table_add(t, text);
}

static void print_table(const json_t *list)
{
    static const char *const heads[] = {"RANK", "ID",       "LEVEL",  "DUE", "ACCESSION",
                                        "MOD",  "LOCATION", "STATUS", "AI",  "WHY"};
    struct spd_table t = {.columns = sizeof heads / sizeof *heads};
    size_t i;
    json_t *item;
    for (size_t k = 0; k < t.columns; k++)
        spd_table_add(&t, heads[k]);
    json_array_foreach(json_object_get(list, "items"), i, item)
    {
        char number[24];
        snprintf(number, sizeof number, "%lld",
                 (long long)json_integer_value(json_object_get(item, "rank")));
        spd_table_add(&t, number);
        snprintf(number, sizeof number, "%lld",
                 (long long)json_integer_value(json_object_get(item, "id")));
        spd_table_add(&t, number);
        spd_table_add(&t, spd_api_text(item, "level"));
        snprintf(number, sizeof number, "%.16s", spd_api_text(item, "due"));
        spd_table_add(&t, number);
        spd_table_add(&t, spd_api_text(json_object_get(item, "accession"), "value"));
        spd_table_add(&t, spd_api_text(item, "modality"));
        spd_table_add(&t, spd_api_text(item, "location"));
        spd_table_add(&t, spd_api_text(item, "status"));
        add_ai(&t, item);
        add_reasons(&t, item);
    }
    spd_table_print(&t);
    if (!json_is_true(json_object_get(list, "complete")))
        printf("The list is possibly incomplete.\n");
}

int cmd_worklist(const struct spd_cli *cli, int argc, char **argv)
{
    struct spd_config *c;
    json_t *answer = NULL;
    int code;
    (void)argv;
    if (argc > 1) {
        fprintf(stderr, "usage: spoed worklist [--json]\n");
        return SPD_EXIT_USAGE;
    }
    c = spd_api_config(cli);
    if (!c) return SPD_EXIT_CONFIG;
    code = spd_api_must(c, "GET", "/api/v1/worklist?limit=500", NULL, &answer);
    if (!code && cli->json)
        spd_api_print(answer);
    else if (!code)
        print_table(answer);
    json_decref(answer);
    spd_config_free(c);
    return code;
}
