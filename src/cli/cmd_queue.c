/* src/cli/cmd_queue.c: `spoed queue …`: what has to leave the house, and what a person does with
 * it.
 *
 * A brain that runs is asked through its API; otherwise the store is read, and written under the
 * brain's lock by the same core. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "cli/api.h"
#include "cli/queue_store.h"
#include "cli/table.h"

int cmd_queue(const struct spd_cli *cli, int argc, char **argv);

enum { REASON_MAX = 2000 };
struct job { /* one call of the command */
    const struct spd_cli *cli;
    const struct verb *verb;
    struct spd_queue_ask ask;
    json_t *answer;
};

static const struct verb {
    const char *word;
    int act;               /* enum spd_action_verb; UNSET: reads */
    bool id, name, reason; /* what it needs */
    const char *path;      /* of the API; one %s for the id or the name */
    const char *done;      /* said on success; likewise */
} verbs[] = {
    {"list", SPD_ACTION_VERB_UNSET, false, false, false, "/api/v1/queue", NULL},
    {"show", SPD_ACTION_VERB_UNSET, true, false, false, "/api/v1/queue/%s", NULL},
    {"retry", SPD_ACT_RETRY, true, false, false, "/api/v1/queue/%s/retry",
     "row %s will be sent again"},
    {"discard", SPD_ACT_QUEUE_DISCARD, true, false, true, "/api/v1/queue/%s/discard",
     "row %s is put away"},
    {"pause", SPD_ACT_PAUSE, false, true, false, "/api/v1/destinations/%s/pause",
     "%s is paused; what has to go there waits"},
    {"resume", SPD_ACT_RESUME, false, true, false, "/api/v1/destinations/%s/resume",
     "%s takes its rows again"},
};

/* ---- through the brain -------------------------------------------------------------------------
 */
static int ask(struct job *j)
{
    char path[256], what[80];
    json_t *body = NULL;
    int code;
    snprintf(what, sizeof what, "%s", j->ask.name ? j->ask.name : "");
    if (j->verb->id) snprintf(what, sizeof what, "%lld", (long long)j->ask.id);
    snprintf(path, sizeof path, j->verb->path, what);
    if (!j->verb->act && !j->verb->id)
        snprintf(path, sizeof path, "/api/v1/queue?limit=%d%s%s%s%s", SPD_QUEUE_ROWS,
                 j->ask.state ? "&state=" : "", j->ask.state ? j->ask.state : "",
                 j->ask.destination ? "&destination=" : "",
                 j->ask.destination ? j->ask.destination : "");
    if (j->verb->act && j->ask.reason) body = json_pack("{s:s}", "reason", j->ask.reason);
    code = spd_api_call(j->ask.c, j->verb->act ? "POST" : "GET", path, body, &j->answer);
    json_decref(body);
    return code;
}

static int once(void *ctx, bool last)
{
    struct job *j = ctx;
    int code = ask(j);
    if (code != SPD_API_NOBODY) return code;
    return j->verb->act ? spd_queue_write(&j->ask, last, &j->answer)
                        : spd_queue_read(&j->ask, &j->answer);
}

/* ---- showing ------------------------------------------------------------------------------------
 */
static void add_number(struct spd_table *t, const json_t *o, const char *key)
{
    char text[24] = "";
    const json_t *v = json_object_get(o, key);
    if (json_is_integer(v)) snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
    spd_table_add(t, text);
}

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
        add_number(&t, o, "id");
        spd_table_add(&t, spd_api_text(o, "destination"));
        spd_table_add(&t, spd_api_text(o, "kind"));
        spd_table_add(&t, spd_api_text(o, "state"));
        add_number(&t, o, "attempts");
        spd_table_add(&t, spd_api_text(o, "due"));
        add_number(&t, o, "item");
        spd_table_add(&t, spd_api_text(o, "error"));
    }
    spd_table_print(&t);
}

static void print_row(const json_t *row)
{
    struct spd_table t = {.columns = 2};
    const char *key;
    json_t *v;
    spd_table_add(&t, "FIELD");
    spd_table_add(&t, "VALUE");
    json_object_foreach((json_t *)(uintptr_t)row, key, v)
    {
        if (json_is_null(v)) continue;
        spd_table_add(&t, key);
        if (json_is_integer(v))
            add_number(&t, row, key);
        else
            spd_table_add(&t, spd_api_text(row, key));
    }
    spd_table_print(&t);
}

static void show(const struct job *j)
{
    char what[80];
    if (j->cli->json) {
        spd_api_print(j->answer);
    } else if (!j->verb->act) {
        if (j->verb->id)
            print_row(j->answer);
        else
            print_queue(j->answer);
    } else if (!j->cli->quiet) {
        snprintf(what, sizeof what, "%s", j->ask.name ? j->ask.name : "");
        if (j->verb->id) snprintf(what, sizeof what, "%lld", (long long)j->ask.id);
        printf(j->verb->done, what);
        putchar('\n');
    }
}

/* ---- arguments ----------------------------------------------------------------------------------
 */
static bool is_word(const char *s, size_t max)
{
    size_t n = strlen(s);
    return n && n <= max &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == n;
}

static bool is_state(const char *s)
{
    return spd_enum_from(spd_outbox_state_names, spd_sv_from(s)) > 0;
}

static bool parse(struct job *j, int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(argv[1], verbs[i].word)) j->verb = &verbs[i], j->ask.act = verbs[i].act;
    if (!j->verb) return false;
    for (int i = 2; i < argc; i++) {
        bool more = i + 1 < argc;
        if (!strcmp(argv[i], "--reason") && more && j->verb->act)
            j->ask.reason = argv[++i];
        else if (!strcmp(argv[i], "--destination") && more && !j->verb->act && !j->verb->id)
            j->ask.destination = argv[++i];
        else if (j->verb->id && !j->ask.id && spd_sv_to_i64(spd_sv_from(argv[i]), &j->ask.id) &&
                 j->ask.id > 0)
            continue;
        else if (j->verb->name && !j->ask.name && is_word(argv[i], 64))
            j->ask.name = argv[i];
        else if (!j->verb->act && !j->verb->id && !j->ask.state && is_state(argv[i]))
            j->ask.state = argv[i];
        else
            return false;
    }
    return (!j->verb->id || j->ask.id) && (!j->verb->name || j->ask.name) &&
           (!j->verb->reason || (j->ask.reason && *j->ask.reason)) &&
           (!j->ask.reason || strlen(j->ask.reason) <= REASON_MAX) &&
           (!j->ask.destination || is_word(j->ask.destination, 64));
}

int cmd_queue(const struct spd_cli *cli, int argc, char **argv)
{
    struct job j = {.cli = cli};
    struct spd_config *c;
    int code;
    if (!parse(&j, argc, argv)) {
        fprintf(stderr, "usage: spoed queue list [queued|sending|done|dead|observed|cancelled] "
                        "[--destination NAME]\n"
                        "       spoed queue show|retry ID\n"
                        "       spoed queue discard ID --reason TEXT\n"
                        "       spoed queue pause|resume NAME [--reason TEXT]\n");
        return SPD_EXIT_USAGE;
    }
    c = spd_api_config(cli);
    if (!c) return SPD_EXIT_CONFIG;
    j.ask.c = c;
    code = spd_queue_retry(once, &j);
    if (!code) show(&j);
    json_decref(j.answer);
    spd_config_free(c);
    return code;
}
