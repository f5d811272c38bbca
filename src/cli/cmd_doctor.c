/* src/cli/cmd_doctor.c: `spoed doctor`: asks the brain how it is, and says what to do about it. 0:
 * all is well. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "cli/api.h"

int cmd_doctor(const struct spd_cli *cli, int argc, char **argv);

static int print_reasons(const json_t *answer)
{
    size_t i;
    json_t *r;
    int bad = 0;
    json_array_foreach(json_object_get(answer, "reasons"), i, r)
    {
        bool ok = json_is_true(json_object_get(r, "ok"));
        bool mine = strcmp(spd_api_text(r, "name"), "complete") !=
                    0; /* the feed's completeness is no fault here */
        const char *todo = spd_api_text(r, "todo");
        printf("%-4s %s: %s\n",
               ok     ? "ok"
               : mine ? "!!"
                      : "??",
               spd_api_text(r, "name"), spd_api_text(r, "text"));
        if (!ok && *todo) printf("     -> %s\n", todo);
        bad += !ok && mine;
    }
    return bad;
}

static int print_alarms(const json_t *answer)
{
    size_t i;
    json_t *a;
    json_array_foreach(json_object_get(answer, "alarms"), i, a)
        printf("!!   alarm %s %s: %s (since %s)\n", spd_api_text(a, "kind"),
               spd_api_text(a, "subject"), spd_api_text(a, "text"), spd_api_text(a, "since"));
    return (int)json_array_size(json_object_get(answer, "alarms"));
}

int cmd_doctor(const struct spd_cli *cli, int argc, char **argv)
{
    struct spd_config *c;
    json_t *ready = NULL, *alarms = NULL;
    bool quick = argc == 2 && !strcmp(argv[1], "--quick");
    int code, bad = 0;
    if (argc > 1 && !quick) {
        fprintf(stderr, "usage: spoed doctor [--quick]\n");
        return SPD_EXIT_USAGE;
    }
    c = spd_api_config(cli);
    if (!c) return SPD_EXIT_CONFIG;
    code = spd_api_must(c, "GET", quick ? "/healthz" : "/readyz", NULL, &ready);
    if (!code && !quick) code = spd_api_must(c, "GET", "/api/v1/alarms", NULL, &alarms);
    if (!code && cli->json) {
        json_t *both =
            json_pack("{s:O, s:O?}", "health", ready, "alarms", json_object_get(alarms, "alarms"));
        spd_api_print(both);
        json_decref(both);
    } else if (!code && !quick) {
        bad = print_reasons(ready) + print_alarms(alarms);
        if (!bad) printf("All is well.\n");
    }
    json_decref(ready);
    json_decref(alarms);
    spd_config_free(c);
    return code ? code : bad ? SPD_EXIT_FAILURE : SPD_EXIT_OK;
}
