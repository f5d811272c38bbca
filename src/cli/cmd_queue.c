/* src/cli/cmd_queue.c: `spoed queue list [STATE]` and `spoed queue retry ID`: what has to leave the
 * house. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "base/sv.h"
#include "cli/api.h"
#include "cli/table.h"

int cmd_queue(const struct spd_cli *cli, int argc, char **argv);

static void print_queue(const json_t *answer)
{
    static const char *const heads[] = {"ID",    "DESTINATION", "KIND", "STATE",
                                        "TRIES", "DUE",         "ITEM", "ERROR"};
    struct spd_table t = {.columns = sizeof heads / sizeof *heads};
    size_t i;
    json_t *o;
    for (size_t n = 0; n < t.columns; n++)
        spd_table_add(&t, heads[n]);
    json_array_foreach(json_object_get(answer, "queue"), i, o)
    {
        char id[24], tries[24], item[24];
        snprintf(id, sizeof id, "%lld", (long long)json_integer_value(json_object_get(o, "id")));
        snprintf(tries, sizeof tries, "%lld",
                 (long long)json_integer_value(json_object_get(o, "attempts")));
        snprintf(item, sizeof item, "%lld",
                 (long long)json_integer_value(json_object_get(o, "item")));
        spd_table_add(&t, id);
        spd_table_add(&t, spd_api_text(o, "destination"));
        spd_table_add(&t, spd_api_text(o, "kind"));
        spd_table_add(&t, spd_api_text(o, "state"));
        spd_table_add(&t, tries);
        spd_table_add(&t, spd_api_text(o, "due"));
        spd_table_add(&t, item);
        spd_table_add(&t, spd_api_text(o, "error"));
    }
    spd_table_print(&t);
}

int cmd_queue(const struct spd_cli *cli, int argc, char **argv)
{
    bool list = argc >= 2 && argc <= 3 && !strcmp(argv[1], "list"),
         retry = argc == 3 && !strcmp(argv[1], "retry");
    char path[96] = "/api/v1/queue?limit=500";
    struct spd_config *c;
    json_t *answer = NULL;
    int64_t id = 0;
    int code;
    if (retry) retry = spd_sv_to_i64(spd_sv_from(argv[2]), &id) && id > 0;
    if (list && argc == 3)
        list = strlen(argv[2]) < 16 &&
               strspn(argv[2], "abcdefghijklmnopqrstuvwxyz") == strlen(argv[2]);
    if (!list && !retry) {
        fprintf(stderr, "usage: spoed queue list [queued|sending|done|dead|observed|cancelled]\n"
                        "       spoed queue retry ID\n");
        return SPD_EXIT_USAGE;
    }
    c = spd_api_config(cli);
    if (!c) return SPD_EXIT_CONFIG;
    if (retry)
        snprintf(path, sizeof path, "/api/v1/queue/%lld/retry", (long long)id);
    else if (argc == 3)
        snprintf(path, sizeof path, "/api/v1/queue?limit=500&state=%s", argv[2]);
    code = spd_api_must(c, retry ? "POST" : "GET", path, NULL, &answer);
    if (!code && cli->json)
        spd_api_print(answer);
    else if (!code && list)
        print_queue(answer);
    else if (!code && !cli->quiet)
        printf("row %lld will be sent again\n", (long long)id);
    json_decref(answer);
    spd_config_free(c);
    return code;
}
