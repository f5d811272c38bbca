/* src/ups/match.c: a query's keys against a workitem's data set. See ups.h. */
#include "result/match.h"
#include "ups/ups.h"

static bool same_tags(const struct spd_find_key *a, const struct spd_find_key *b, int depth)
{
    for (int d = 0; d < depth; d++)
        if (a->path[d] != b->path[d]) return false;
    return true;
}

/* One key below set, from depth on: any item of a sequence may match. */
static bool one_matches(const struct spd_dcm_set *set, const struct spd_find_key *k, int depth)
{
    const struct spd_dcm_elem *e = spd_dcm_find(set, k->path[depth]);
    if (depth + 1 == k->depth)
        return spd_key_matches(e && e->vr[0] ? e->vr : k->vr, k->value,
                               e ? spd_sv_trim(e->value) : SPD_SV_NONE);
    for (size_t i = 0; e && i < e->n_items; i++)
        if (one_matches(&e->items[i], k, depth + 1)) return true;
    return false;
}

/* All keys of the group that stand in the same sequence must match in the same item. */
static bool group_matches(const struct spd_dcm_set *set, const struct spd_find_key *keys, size_t n,
                          const struct spd_find_key *lead)
{
    const struct spd_dcm_elem *e = spd_dcm_find(set, lead->path[0]);
    for (size_t i = 0; e && i < e->n_items; i++) {
        bool all = true;
        for (size_t k = 0; k < n && all; k++)
            if (keys[k].value.len && keys[k].depth > 1 && same_tags(&keys[k], lead, 1))
                all = one_matches(&e->items[i], &keys[k], 1);
        if (all) return true;
    }
    return false;
}

/* A lone "*" asks for nothing: it also matches what is not there. */
static bool asks(const struct spd_find_key *k)
{
    return k->value.len && !spd_sv_is(k->value, "*");
}

bool spd_ups_matches(const struct spd_dcm_set *set, const struct spd_find_key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!asks(&keys[i])) continue;
        if (keys[i].depth == 1 ? !one_matches(set, &keys[i], 0)
                               : !group_matches(set, keys, n, &keys[i]))
            return false;
    }
    return true;
}

/* ---- the answer ------------------------------------------------------------------------------ */
static void graft(struct spd_dcm_set *to, const struct spd_dcm_elem *e, struct spd_arena *arena)
{
    if (strcmp(e->vr, "SQ") != 0) {
        spd_dcm_put(to, e->tag, e->vr, e->value, arena);
        return;
    }
    spd_dcm_put_sequence(to, e->tag, arena);
    for (size_t i = 0; i < e->n_items; i++)
        *spd_dcm_put_item(to, e->tag, arena) = e->items[i];
}

static void select_below(const struct spd_dcm_set *set, const struct spd_find_key *keys, size_t n,
                         const struct spd_find_key *lead, int depth, struct spd_dcm_set *to,
                         struct spd_arena *arena)
{
    uint32_t tag = lead->path[depth];
    const struct spd_dcm_elem *e = spd_dcm_find(set, tag);
    if (spd_dcm_find(to, tag)) return; /* asked for by an earlier key of the same sequence */
    if (depth + 1 == lead->depth) {
        if (e)
            graft(to, e, arena);
        else if (!strcmp(lead->vr, "SQ"))
            spd_dcm_put_sequence(to, tag, arena);
        else
            spd_dcm_put(to, tag, lead->vr[0] ? lead->vr : "UN", SPD_SV_NONE, arena);
        return;
    }
    spd_dcm_put_sequence(to, tag, arena);
    for (size_t i = 0; e && i < e->n_items; i++) {
        struct spd_dcm_set *item = spd_dcm_put_item(to, tag, arena);
        for (size_t k = 0; k < n; k++)
            if (keys[k].depth > depth + 1 && same_tags(&keys[k], lead, depth + 1))
                select_below(&e->items[i], keys, n, &keys[k], depth + 1, item, arena);
    }
}

void spd_ups_select(const struct spd_dcm_set *set, const struct spd_find_key *keys, size_t n,
                    struct spd_dcm_set *ret, struct spd_arena *arena)
{
    *ret = (struct spd_dcm_set){0};
    for (size_t i = 0; i < n; i++)
        select_below(set, keys, n, &keys[i], 0, ret, arena);
    spd_dcm_put(ret, 0x00080005, "CS", SPD_SV("ISO_IR 192"), arena);
    for (uint32_t tag = 0x00080016; tag <= 0x00080018; tag += 2) {
        const struct spd_dcm_elem *e = spd_dcm_find(set, tag);
        if (e && !spd_dcm_find(ret, tag)) spd_dcm_put(ret, tag, "UI", e->value, arena);
    }
}
