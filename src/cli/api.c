/* src/cli/api.c: see api.h. */
#define _GNU_SOURCE
#include "cli/api.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/http.h"

#define ANSWER_MAX ((size_t)64 << 20)

struct spd_config *spd_api_config(const struct spd_cli *cli)
{
    struct spd_config *c = NULL;
    struct spd_err err = {0};
    if (!spd_config_load(cli->config, &c, &err)) return c;
    fprintf(stderr, "%s: %s\n", err.place, err.text);
    return NULL;
}

static const char *cstr(const struct spd_config *c, spd_sv v)
{
    return spd_arena_dup(c->arena, v).ptr;
}

static bool target_of(const struct spd_config *c, struct spd_http_target *ret)
{
    *ret = (struct spd_http_target){.total_timeout = SPD_SEC(30)};
    for (size_t i = 0; i < c->n_http; i++)
        if (c->http[i].socket.len) {
            ret->socket = cstr(c, c->http[i].socket);
            return true;
        }
    for (size_t i = 0; i < c->n_http; i++)
        if (c->http[i].port) {
            ret->host = cstr(c, c->http[i].address), ret->port = c->http[i].port;
            ret->token = getenv("SPOED_TOKEN");
            return true;
        }
    return false;
}

/* What a problem document says, in words for the terminal. */
static void say_problem(int status, const json_t *p)
{
    const char *title = spd_api_text(p, "title"), *detail = spd_api_text(p, "detail");
    fprintf(stderr, "spoed: the brain answered %d%s%s%s%s\n", status, *title ? ": " : "", title,
            *detail ? ": " : "", detail);
    if (status == 401 || status == 403)
        fprintf(stderr, "       run this as root or as the user of the brain, or set SPOED_TOKEN "
                        "to an API token\n");
}

int spd_api_call(const struct spd_config *c, const char *method, const char *path,
                 const json_t *body, json_t **ret)
{
    struct spd_http_target t;
    struct spd_str answer = SPD_STR_INIT(ANSWER_MAX);
    struct spd_err err = {0};
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    int status = 0, code = SPD_EXIT_OK;
    enum spd_rc rc = target_of(c, &t) ? spd_http_call(&t, method, path, NULL, spd_sv_from(text),
                                                      &status, &answer, &err)
                                      : SPD_AGAIN;
    json_t *v = rc ? NULL : json_loadb(answer.ptr, answer.len, 0, NULL);
    if (text) explicit_bzero(text, strlen(text)); /* a password may be in it */
    spd_free(text);
    spd_str_done(&answer);
    if (rc == SPD_AGAIN) return SPD_API_NOBODY;
    if (rc) {
        fprintf(stderr, "spoed: %s\n", err.text);
        code = SPD_EXIT_FAILURE;
    } else if (status >= 300) {
        say_problem(status, v);
        code = SPD_EXIT_FAILURE;
    }
    if (code)
        json_decref(v);
    else
        *ret = v;
    return code;
}

int spd_api_must(const struct spd_config *c, const char *method, const char *path,
                 const json_t *body, json_t **ret)
{
    int code = spd_api_call(c, method, path, body, ret);
    if (code != SPD_API_NOBODY) return code;
    fprintf(stderr,
            "spoed: no brain answers; start it with `spoed serve` or `systemctl start spoed`\n");
    return SPD_EXIT_FAILURE;
}

const char *spd_api_text(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

void spd_api_print(const json_t *v)
{
    json_dumpf(v, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
}
