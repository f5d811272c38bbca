/* src/rules/people.c: who can be paged and how: people.yaml. See rules.h. */
#include "base/yaml.h"
#include "rules/rules.h"

enum { MAX_MEMORY = 16 << 20 };

struct team {
    spd_sv *members;
    size_t n;
};
struct spd_people {
    struct spd_arena *arena;
    struct spd_person *v;
    size_t n;
    spd_sv *team_names;
    struct team *teams;
    size_t n_teams;
    spd_sv desk;
    spd_sv *requesters, *requester_to; /* as the RIS writes them, and whom to page */
    size_t n_requesters;
    spd_sv *bedside;
    size_t n_bedside;
};

static enum spd_rc load_ways(struct spd_person *p, const struct spd_yaml *node,
                             struct spd_arena *arena, struct spd_err *err)
{
    static const char *const keys[] = {"channel", "to", NULL};
    struct spd_way *v;
    enum spd_rc rc = spd_yaml_list(node, err);
    if (rc) return rc;
    p->ways = v = SPD_NEW_N(arena, struct spd_way, node->n + 1);
    for (const struct spd_yaml *c = node->child; c; c = c->next, v++) {
        const struct spd_yaml *channel, *to;
        if ((rc = spd_yaml_keys(c, keys, err))) return rc;
        channel = spd_yaml_get(c, "channel"), to = spd_yaml_get(c, "to");
        if (!channel || !to) return spd_yaml_fail(c, err, "a way needs \"channel\" and \"to\"");
        if ((rc = spd_yaml_text(channel, &v->channel, err)) ||
            (rc = spd_yaml_text(to, &v->to, err)))
            return rc;
        p->n_ways++;
    }
    return SPD_OK;
}

static enum spd_rc load_person(struct spd_people *all, const struct spd_yaml *node,
                               struct spd_err *err)
{
    static const char *const keys[] = {"id", "name", "ways", NULL};
    struct spd_person *p = &all->v[all->n];
    const struct spd_yaml *id, *name, *ways;
    enum spd_rc rc;
    if ((rc = spd_yaml_keys(node, keys, err))) return rc;
    id = spd_yaml_get(node, "id"), name = spd_yaml_get(node, "name"),
    ways = spd_yaml_get(node, "ways");
    if (!id) return spd_yaml_fail(node, err, "\"id\" is missing: a person needs a short name");
    if ((rc = spd_yaml_text(id, &p->id, err))) return rc;
    if (spd_people_get(all, p->id)) return spd_yaml_fail(id, err, "another person has the same id");
    p->name = p->id;
    if (name && (rc = spd_yaml_text(name, &p->name, err))) return rc;
    if (ways && (rc = load_ways(p, ways, all->arena, err))) return rc;
    all->n++;
    return SPD_OK;
}

static enum spd_rc load_team(struct spd_people *all, const struct spd_yaml *node,
                             struct spd_err *err)
{
    struct team *t = &all->teams[all->n_teams];
    enum spd_rc rc = spd_yaml_texts(node, &t->members, &t->n, all->arena, err);
    const struct spd_yaml *c = node->kind == SPD_YAML_LIST ? node->child : node;
    if (rc) return rc;
    if (spd_people_get(all, node->key))
        return spd_yaml_fail_key(node, err, "a person has this id: give the team another name");
    if (!t->n) return spd_yaml_fail(node, err, "a team needs somebody in it");
    for (size_t i = 0; i < t->n; i++, c = c->next)
        if (!spd_people_get(all, t->members[i]))
            return spd_yaml_fail(c, err, "nobody under people: has this id");
    all->team_names[all->n_teams++] = node->key;
    return SPD_OK;
}

static enum spd_rc reachable(const struct spd_people *all, const struct spd_yaml *node, spd_sv id,
                             struct spd_err *err)
{
    size_t n;
    if (spd_people_team(all, id, &n)) return SPD_OK;
    return spd_yaml_fail(node, err, "no person or team under people: and teams: has this name");
}

/* desk:, requesters: and bedside: name people and teams of this file. */
static enum spd_rc load_discharged(struct spd_people *all, const struct spd_yaml *root,
                                   struct spd_err *err)
{
    const struct spd_yaml *desk = spd_yaml_get(root, "desk"),
                          *bedside = spd_yaml_get(root, "bedside"),
                          *requesters = spd_yaml_get(root, "requesters"), *c;
    enum spd_rc rc = SPD_OK;
    if (desk && !(rc = spd_yaml_text(desk, &all->desk, err)))
        rc = reachable(all, desk, all->desk, err);
    if (!rc && bedside) rc = spd_yaml_texts(bedside, &all->bedside, &all->n_bedside, all->arena, err);
    c = bedside && bedside->kind == SPD_YAML_LIST ? bedside->child : bedside;
    for (size_t i = 0; !rc && i < all->n_bedside; i++, c = c->next)
        rc = reachable(all, c, all->bedside[i], err);
    if (rc || !requesters || (rc = spd_yaml_map(requesters, err))) return rc;
    all->requesters = SPD_NEW_N(all->arena, spd_sv, requesters->n + 1);
    all->requester_to = SPD_NEW_N(all->arena, spd_sv, requesters->n + 1);
    for (c = requesters->child; c && !rc; c = c->next) {
        size_t i = all->n_requesters++;
        all->requesters[i] = c->key;
        if (!(rc = spd_yaml_text(c, &all->requester_to[i], err)))
            rc = reachable(all, c, all->requester_to[i], err);
    }
    return rc;
}

static enum spd_rc load_all(struct spd_people *all, const struct spd_yaml *root,
                            struct spd_err *err)
{
    static const char *const keys[] = {"people", "teams", "desk", "requesters", "bedside", NULL};
    const struct spd_yaml *people, *teams;
    enum spd_rc rc = spd_yaml_keys(root, keys, err);
    if (rc) return rc;
    people = spd_yaml_get(root, "people"), teams = spd_yaml_get(root, "teams");
    if (!people) return spd_yaml_fail(root, err, "\"people\" is missing: a list of people");
    if ((rc = spd_yaml_list(people, err)) || (teams && (rc = spd_yaml_map(teams, err)))) return rc;
    all->v = SPD_NEW_N(all->arena, struct spd_person, people->n + 1);
    all->teams = SPD_NEW_N(all->arena, struct team, teams ? teams->n + 1 : 1);
    all->team_names = SPD_NEW_N(all->arena, spd_sv, teams ? teams->n + 1 : 1);
    for (const struct spd_yaml *c = people->child; c && !rc; c = c->next)
        rc = load_person(all, c, err);
    for (const struct spd_yaml *c = teams ? teams->child : NULL; c && !rc; c = c->next)
        rc = load_team(all, c, err);
    return rc ? rc : load_discharged(all, root, err);
}

enum spd_rc spd_people_load(const struct spd_source *file, struct spd_people **ret,
                            struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new(MAX_MEMORY);
    struct spd_people *all;
    struct spd_yaml *root;
    enum spd_rc rc;
    if (!arena) spd_out_of_memory();
    all = SPD_NEW(arena, struct spd_people);
    all->arena = arena;
    if (!(rc = spd_yaml_parse(file, &root, arena, err))) rc = load_all(all, root, err);
    if (rc)
        spd_arena_free(arena);
    else
        *ret = all;
    return rc;
}

void spd_people_free(struct spd_people *p)
{
    if (p) spd_arena_free(p->arena);
}

const struct spd_person *spd_people_get(const struct spd_people *p, spd_sv id)
{
    for (size_t i = 0; i < p->n; i++)
        if (spd_sv_eq(p->v[i].id, id)) return &p->v[i];
    return NULL;
}

const spd_sv *spd_people_team(const struct spd_people *p, spd_sv team, size_t *ret_n)
{
    const struct spd_person *one;
    for (size_t i = 0; i < p->n_teams; i++)
        if (spd_sv_eq(p->team_names[i], team)) {
            *ret_n = p->teams[i].n;
            return p->teams[i].members;
        }
    one = spd_people_get(p, team);
    *ret_n = one ? 1 : 0;
    return one ? &one->id : NULL;
}

size_t spd_people_teams(const struct spd_people *p, const spd_sv **ret_names)
{
    *ret_names = p->team_names;
    return p->n_teams;
}

spd_sv spd_people_desk(const struct spd_people *p)
{
    return p->desk;
}

spd_sv spd_people_requester(const struct spd_people *p, spd_sv requester)
{
    for (size_t i = 0; i < p->n_requesters; i++)
        if (spd_sv_ieq(p->requesters[i], spd_sv_trim(requester))) return p->requester_to[i];
    return SPD_SV_NONE;
}

bool spd_people_at_bedside(const struct spd_people *p, spd_sv team)
{
    for (size_t i = 0; i < p->n_bedside; i++)
        if (spd_sv_eq(p->bedside[i], team)) return true;
    return false;
}
