/* src/cli/cmd_check.c: `spoed check`: everything that the brain would read at its start, read the
 * same way. */
#include <stdio.h>

#include "cli/problems.h"
#include "hl7/map/map.h"
#include "daemon/vendor.h"
#include "report/report.h"
#include "result/codes.h"

int cmd_check(const struct spd_cli *cli, int argc, char **argv);

struct rules {
    struct spd_policy *policy;
    struct spd_models *models;
    struct spd_people *people;
};

static void load_rules(struct spd_problems *p, const struct spd_config *c, struct spd_arena *arena,
                       struct rules *r)
{
    struct spd_rules_files files;
    struct spd_err err = {0};
    if (spd_config_read_rules(c, &files, arena, &err)) spd_problems_err(p, &err);
    if (files.n_policy || !p->errors)
        if (spd_policy_load(files.policy, files.n_policy, &r->policy, &err))
            spd_problems_err(p, &err);
    if (spd_models_load(files.models, files.n_models, &r->models, &err)) spd_problems_err(p, &err);
    if (files.people.name.len && spd_people_load(&files.people, &r->people, &err))
        spd_problems_err(p, &err);
    if (!files.n_models)
        spd_problems_say(p, false, "models",
                         "no model file: every result will be from an unknown model");
}

/* A concept of a field map that no code and no text has would be shown by its bare name. */
static void check_maps(struct spd_problems *p, const struct spd_config *c,
                       const struct spd_codes *codes, struct spd_arena *arena)
{
    for (size_t i = 0; i < c->n_peers; i++) {
        spd_sv concept;
        for (size_t k = 0; (concept = hl7_site_concept(c->peers[i].map, k)).len; k++)
            if (!spd_codes_concept(codes, concept))
                spd_problems_say(p, false, c->peers[i].map_path.ptr,
                                 spd_arena_printf(arena,
                                                  "no code means %.*s: add a row to the site's "
                                                  "findings, or mind the spelling",
                                                  SPD_SV_ARG(concept))
                                     .ptr);
    }
}

static void check_codes(struct spd_problems *p, const struct spd_config *c, const struct rules *r,
                        struct spd_arena *arena)
{
    struct spd_codes *codes = NULL;
    struct spd_err err = {0};
    if (spd_codes_load_dir(c->codes_dir.ptr, c->site_codes_dir.ptr, &codes, &err)) {
        spd_problems_err(p, &err);
        return;
    }
    if (spd_vendor_maps(codes, r->models, &err)) spd_problems_err(p, &err);
    for (size_t i = 0; r->models && i < spd_models_n(r->models); i++) {
        const struct spd_model *m = spd_models_at(r->models, i);
        for (size_t k = 0; k < m->n_findings; k++)
            if (!spd_codes_concept(codes, m->findings[k].concept))
                spd_problems_say(p, false,
                                 spd_arena_printf(arena, "model %.*s", SPD_SV_ARG(m->id)).ptr,
                                 spd_arena_printf(arena,
                                                  "no code means %.*s: add a row to the site's "
                                                  "findings, or mind the spelling",
                                                  SPD_SV_ARG(m->findings[k].concept))
                                     .ptr);
    }
    check_maps(p, c, codes, arena);
    spd_codes_free(codes);
}

static void check_all(struct spd_problems *p, const struct spd_config *c)
{
    struct spd_arena *arena = spd_arena_new((size_t)512 << 20);
    struct spd_templates *templates = NULL;
    struct rules r = {NULL, NULL, NULL};
    struct spd_err err = {0};
    spd_sv *channels;
    if (!arena) spd_out_of_memory();
    channels = SPD_NEW_N(arena, spd_sv, c->n_channels + 1);
    for (size_t i = 0; i < c->n_channels; i++)
        channels[i] = c->channels[i].name;
    load_rules(p, c, arena, &r);
    spd_rules_check(r.policy, r.models, r.people, channels, c->n_channels, spd_problems_say, p);
    check_codes(p, c, &r, arena);
    if (spd_config_check_tls(c, &err)) spd_problems_err(p, &err);
    if (spd_templates_load(c->templates_dir.ptr, &templates, &err)) spd_problems_err(p, &err);
    if (r.policy && !p->errors && !p->cli->json && !p->cli->quiet)
        printf(
            "ok: %zu rules, %zu models, %zu peers, %zu channels, %zu destinations; policy %.12s\n",
            spd_policy_rules(r.policy), spd_models_n(r.models), c->n_peers, c->n_channels,
            c->n_send, spd_policy_hash(r.policy).ptr);
    spd_templates_free(templates);
    spd_policy_free(r.policy);
    spd_models_free(r.models);
    spd_people_free(r.people);
    spd_arena_free(arena);
}

int cmd_check(const struct spd_cli *cli, int argc, char **argv)
{
    struct spd_problems p;
    struct spd_config *c = NULL;
    struct spd_err err = {0};
    (void)argv;
    if (argc > 1) {
        fprintf(stderr, "usage: spoed [-c FILE] check\n");
        return SPD_EXIT_USAGE;
    }
    spd_problems_init(&p, cli);
    if (spd_config_load(cli->config, &c, &err))
        spd_problems_err(&p, &err);
    else
        check_all(&p, c);
    spd_config_free(c);
    return spd_problems_end(&p);
}
