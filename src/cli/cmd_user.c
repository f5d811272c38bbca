/* src/cli/cmd_user.c: `spoed user add NAME --role a,b [--token]`.
 *
 * The password comes from standard input (with the echo off on a terminal), never from the command
 * line; a token is made here or by the brain and printed once. A brain that runs is asked through
 * its API; otherwise the store is opened under the brain's lock and the same event is applied by
 * the same core. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/password.h"
#include "cli/api.h"
#include "cli/offline.h"

int cmd_user(const struct spd_cli *cli, int argc, char **argv);

enum { ROLES_MAX = 8, PASSWORD_MIN = 8 };
#define ARENA_MAX ((size_t)64 << 20)

struct wanted {
    const char *name;
    const char *roles[ROLES_MAX];
    size_t n_roles;
    bool token;
    char password[SPD_PASSWORD_MAX + 2];
};

static const char *const known_roles[] = {"reader", "reporter", "clinician", "manager",
                                          "admin",  "hook",     NULL};

static bool add_roles(struct wanted *w, char *list)
{
    for (char *rest = list, *one; (one = strsep(&rest, ","));) {
        size_t i = 0;
        while (known_roles[i] && strcmp(known_roles[i], one))
            i++;
        if (!known_roles[i] || w->n_roles == ROLES_MAX) {
            fprintf(
                stderr,
                "spoed: unknown role \"%s\"; known: reader reporter clinician manager admin hook\n",
                one);
            return false;
        }
        w->roles[w->n_roles++] = known_roles[i];
    }
    return true;
}

static bool parse(int argc, char **argv, struct wanted *w)
{
    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--role") && i + 1 < argc) {
            if (!add_roles(w, argv[++i])) return false;
        } else if (!strcmp(argv[i], "--token")) {
            w->token = true;
        } else if (argv[i][0] != '-' && !w->name) {
            w->name = argv[i];
        } else {
            return false;
        }
    }
    return w->name && *w->name && strlen(w->name) <= 64 && !strpbrk(w->name, " ,\t\n") &&
           w->n_roles;
}

/* One line from standard input. */
static bool read_password(struct wanted *w)
{
    struct termios old, quiet;
    bool terminal = isatty(0) && !tcgetattr(0, &old), ok;
    if (terminal) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        fprintf(stderr, "Password for %s: ", w->name);
        tcsetattr(0, TCSAFLUSH, &quiet);
    }
    ok = fgets(w->password, sizeof w->password, stdin) != NULL;
    if (terminal) {
        tcsetattr(0, TCSAFLUSH, &old);
        fputc('\n', stderr);
    }
    w->password[strcspn(w->password, "\r\n")] = 0;
    if (ok && strlen(w->password) >= PASSWORD_MIN && strlen(w->password) <= SPD_PASSWORD_MAX)
        return true;
    fprintf(stderr, "spoed: the password comes from standard input and has %d to %d bytes\n",
            PASSWORD_MIN, SPD_PASSWORD_MAX);
    return false;
}

/* ---- through the brain ----------------------------------------------------------------------- */
static int by_api(const struct spd_config *c, const struct wanted *w, char **ret_token)
{
    json_t *roles = json_array(), *body, *answer = NULL;
    int code;
    for (size_t i = 0; i < w->n_roles; i++)
        json_array_append_new(roles, json_string(w->roles[i]));
    body = json_pack("{s:s, s:o}", "name", w->name, "roles", roles);
    if (w->token)
        json_object_set_new(body, "token", json_string("command line"));
    else
        json_object_set_new(body, "password", json_string(w->password));
    code = spd_api_call(c, "POST", "/api/v1/users", body, &answer);
    if (!code && w->token) *ret_token = strdup(spd_api_text(answer, "token"));
    json_decref(body);
    json_decref(answer);
    return code;
}

/* ---- without one ----------------------------------------------------------------------------- */
static void user_event(const struct wanted *w, struct spd_arena *arena, struct spd_user_event *ret,
                       char **ret_token)
{
    struct spd_user *u = &ret->user;
    *ret = (struct spd_user_event){.by = SPD_SV("command line")};
    u->name = spd_sv_from(w->name);
    for (size_t i = 0; i < w->n_roles; i++)
        *SPD_LIST_PUSH(&u->roles, arena) = spd_sv_from(w->roles[i]);
    if (w->token) {
        unsigned char raw[32];
        spd_sv token;
        spd_random(raw, sizeof raw);
        token = spd_base64url(arena, raw, sizeof raw);
        *SPD_LIST_PUSH(&u->tokens, arena) = (struct spd_token){
            spd_sha256_hex(arena, token), SPD_SV("command line"), spd_clock_now()};
        *ret_token = strdup(token.ptr);
    } else if (spd_password_hash(spd_sv_from(w->password), SPD_PASSWORD_N, &u->password, arena,
                                 NULL)) {
        spd_out_of_memory(); /* the input was checked; only memory is left */
    }
}

struct job {
    const struct spd_config *c;
    const struct wanted *w;
    char **token;
};

static int by_store(struct job *j, bool last)
{
    struct spd_arena *arena = spd_arena_new(ARENA_MAX);
    struct spd_offline *o = NULL;
    struct spd_user_event u;
    struct spd_receipt receipt = {0};
    struct spd_err err = {0}, end = {0};
    enum spd_rc rc, closed;
    if (!arena) spd_out_of_memory();
    rc = spd_offline_open(j->c, false, &o, &err);
    bool locked = rc == SPD_EXISTS && !last;
    if (!rc) {
        user_event(j->w, arena, &u, j->token);
        rc = spd_offline_apply(o, SPD_EVENT_USER, &u, &receipt, &err);
        if (!rc) rc = receipt.rc;
    }
    closed = spd_offline_close(o, &end);
    spd_arena_free(arena);
    if (locked) return SPD_OFFLINE_LOCKED;
    if (rc || closed)
        fprintf(stderr, "spoed: %s: %s\n", rc ? err.place : end.place, rc ? err.text : end.text);
    rc = rc ? rc : closed;
    return !rc ? SPD_EXIT_OK : rc == SPD_STALE ? SPD_EXIT_MIGRATE : SPD_EXIT_FAILURE;
}

static int either(void *ctx, bool last)
{
    struct job *j = ctx;
    int code = by_api(j->c, j->w, j->token);
    return code == SPD_API_NOBODY ? by_store(j, last) : code;
}

int cmd_user(const struct spd_cli *cli, int argc, char **argv)
{
    struct wanted w = {0};
    struct spd_config *c;
    char *token = NULL;
    int code;
    if (argc < 3 || strcmp(argv[1], "add") || !parse(argc, argv, &w)) {
        fprintf(stderr, "usage: spoed user add NAME --role reader,reporter [--token]\n");
        return SPD_EXIT_USAGE;
    }
    c = spd_api_config(cli);
    if (!c) return SPD_EXIT_CONFIG;
    if (!w.token && !read_password(&w)) {
        spd_config_free(c);
        return SPD_EXIT_FAILURE;
    }
    code = spd_offline_retry(either, &(struct job){c, &w, &token});
    if (!code && token && cli->json)
        printf("{\"name\": \"%s\", \"token\": \"%s\"}\n", w.name, token);
    else if (!code && token)
        printf("%s\n", token);
    else if (!code && cli->json)
        printf("{\"name\": \"%s\"}\n", w.name);
    explicit_bzero(&w, sizeof w);
    spd_free(token);
    spd_config_free(c);
    return code;
}
