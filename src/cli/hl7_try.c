/* src/cli/hl7_try.c: `spoed hl7 try`: what a message becomes and why, by the peer's real map and
 * the real core, in memory (daemon/trial.h). With -c (or an installed configuration) by its rules,
 * else by the shipped sample's. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/hl7_int.h"
#include "daemon/trial.h"

struct attempt {
    struct spd_trial *trial;
    const struct spd_peer *peer;
    spd_sv charset;
    const struct spd_zone *zone;
    bool explain;
};

static spd_sv line_of(const struct hl7_traced *t, struct spd_arena *arena)
{
    return spd_arena_printf(arena, "%.*s = %.*s%s%.*s%s%.*s%s", SPD_SV_ARG(t->fact),
                            SPD_SV_ARG(t->value), t->path.len || t->rule.len ? " (" : "",
                            SPD_SV_ARG(t->path), t->path.len && t->rule.len ? ", " : "",
                            SPD_SV_ARG(t->rule), t->path.len || t->rule.len ? ")" : "");
}

static spd_sv answers_of(const struct spd_trial_said *said, struct spd_arena *arena)
{
    return spd_arena_printf(arena, "answered by %.*s",
                            SPD_SV_ARG(said->answers.len ? said->answers
                                                         : SPD_SV("nothing: none is wanted")));
}

static void print_json(const struct spd_hl7_run *r, const struct spd_trial_said *said, bool explain,
                       struct spd_arena *arena)
{
    struct spd_str s = SPD_STR_INIT((size_t)64 << 20);
    spd_str_addz(&s, "{\"file\": ");
    spd_hl7_json(&s, spd_sv_from(r->file), arena);
    spd_str_addf(&s, ", \"message\": %zu, \"answer\": ", r->n);
    spd_hl7_json(&s, said->answer, arena);
    spd_str_addz(&s, ", \"event\": ");
    spd_hl7_json(&s, said->event, arena);
    spd_str_addz(&s, ", \"item\": ");
    spd_str_add(&s, said->item);
    spd_str_addz(&s, ", \"reasons\": [");
    for (size_t i = 0; i < said->reasons.n; i++) {
        spd_str_addz(&s, i ? ", " : "");
        spd_hl7_json(&s, said->reasons.v[i], arena);
    }
    for (size_t i = 0; explain && i < said->trace.n; i++) {
        spd_str_addz(&s, i || said->reasons.n ? ", " : "");
        spd_hl7_json(&s, line_of(&said->trace.v[i], arena), arena);
    }
    if (explain) {
        spd_str_addz(&s, said->reasons.n || said->trace.n ? ", " : "");
        spd_hl7_json(&s, answers_of(said, arena), arena);
    }
    spd_str_addz(&s, "]}");
    spd_hl7_print(&s);
}

static void print_text(const struct spd_hl7_run *r, const struct spd_trial_said *said,
                       struct spd_arena *arena)
{
    struct spd_str s = SPD_STR_INIT((size_t)64 << 20);
    const char *on = r->cli->color ? "\033[1m" : "", *dim = r->cli->color ? "\033[2m" : "",
               *off = r->cli->color ? "\033[0m" : "";
    spd_str_addf(&s, "%s:%zu: %.*s from %.*s: %s%.*s%s, answered %.*s", r->file, r->n,
                 SPD_SV_ARG(said->type),
                 SPD_SV_ARG(said->peer.len ? said->peer : SPD_SV("nobody listed")), on,
                 SPD_SV_ARG(said->event), off, SPD_SV_ARG(said->answer));
    for (size_t i = 0; i < said->reasons.n; i++)
        spd_str_addf(&s, "\n  %.*s", SPD_SV_ARG(said->reasons.v[i]));
    for (size_t i = 0; i < said->trace.n; i++)
        spd_str_addf(&s, "\n  %s%.*s%s", dim, SPD_SV_ARG(line_of(&said->trace.v[i], arena)), off);
    spd_str_addf(&s, "\n  %s%.*s%s", dim, SPD_SV_ARG(answers_of(said, arena)), off);
    if (!spd_sv_is(said->item, "null")) spd_str_addf(&s, "\n  item %.*s", SPD_SV_ARG(said->item));
    spd_hl7_print(&s);
}

static void try_one(struct spd_hl7_run *r, spd_sv bytes)
{
    const struct attempt *a = r->try;
    struct spd_trial_said said;
    struct spd_arena *arena = spd_arena_new((size_t)1 << 30);
    if (!arena) spd_out_of_memory();
    spd_trial_message(a->trial, bytes, a->peer, a->charset, a->zone, &said, arena);
    if (r->cli->json)
        print_json(r, &said, a->explain, arena);
    else
        print_text(r, &said, arena);
    spd_arena_free(arena);
}

/* Nothing was named, and nothing is installed: the sample. */
static enum spd_rc load(const struct spd_cli *cli, struct spd_config **ret, struct spd_err *err)
{
    bool usual = !strcmp(cli->config, "/etc/spoed/spoed.yaml");
    return usual && access(cli->config, F_OK) ? spd_config_sample(ret, err)
                                              : spd_config_load(cli->config, ret, err);
}

static const struct spd_peer *peer_named(const struct spd_config *c, const char *name)
{
    for (size_t i = 0; i < c->n_peers; i++)
        if (spd_sv_is(c->peers[i].name, name)) return &c->peers[i];
    fprintf(stderr, "spoed hl7: no peer is called %s; the configuration has:", name);
    for (size_t i = 0; i < c->n_peers; i++)
        fprintf(stderr, " %.*s", SPD_SV_ARG(c->peers[i].name));
    fputc('\n', stderr);
    return NULL;
}

static int run(struct spd_hl7_run *r, struct attempt *a, const struct spd_config *c,
               const char *peer, int argc, char **argv)
{
    struct spd_err err = {0};
    if (peer && !(a->peer = peer_named(c, peer))) return SPD_EXIT_USAGE;
    if (!peer && c->n_peers == 1) a->peer = &c->peers[0];
    if (spd_trial_new(c, &a->trial, &err)) {
        fprintf(stderr, "spoed hl7: %s: %s\n", err.place, err.text);
        return SPD_EXIT_CONFIG;
    }
    r->try = a;
    spd_hl7_each(r, argc, argv, try_one);
    spd_trial_free(a->trial);
    return r->failed ? SPD_EXIT_FAILURE : SPD_EXIT_OK;
}

int spd_hl7_try(struct spd_hl7_run *r, int argc, char **argv)
{
    struct attempt a = {0};
    struct spd_config *c = NULL;
    struct spd_err err = {0};
    const char *peer = NULL, *zone = NULL;
    int n = 0;
    for (int i = 0; i < argc; i++) { /* options may stand behind the files */
        const char **const to = !strcmp(argv[i], "--peer")   ? &peer
                                : !strcmp(argv[i], "--zone") ? &zone
                                                             : NULL;
        if (to && i + 1 < argc)
            *to = argv[++i];
        else if (!strcmp(argv[i], "--charset") && i + 1 < argc)
            a.charset = spd_sv_from(argv[++i]);
        else if (!strcmp(argv[i], "--explain"))
            a.explain = true;
        else if (!strncmp(argv[i], "--", 2))
            return spd_hl7_usage();
        else
            argv[n++] = argv[i];
    }
    if (!n) return spd_hl7_usage();
    if (zone && !(a.zone = spd_zone_get(zone))) {
        fprintf(stderr, "spoed hl7: no such time zone: %s\n", zone);
        return SPD_EXIT_USAGE;
    }
    if (load(r->cli, &c, &err)) {
        fprintf(stderr, "%s: %s\n", err.place, err.text);
        return SPD_EXIT_CONFIG;
    }
    int rc = run(r, &a, c, peer, n, argv);
    spd_config_free(c);
    return rc;
}
