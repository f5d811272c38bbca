/* src/result/tid1500.c: the findings of a measurement report: TID 1500 with its groups (TID 1410,
 * 1411, 1501), qualitative evaluations and derived measurements, in whatever container they stand.
 *
 * A group is a Measurement Group, or any container with a Finding, or an evaluation by the name of
 * one, in it. Its algorithm (TID 4019,
 * at the group or below one of its numbers) is whose findings they are. Pure; see reader.h. */
#include "result/reader.h"

enum { GROUPS_MAX = 4096, FINDINGS_OF_GROUP = 32 };

struct group { /* what one group says before it is put together */
    struct {
        const struct spd_sr_item *item;
        int own; /* status bits that stand below it */
    } finding[FINDINGS_OF_GROUP];
    size_t n_findings;
    size_t n_said; /* how many statuses stand beside the findings */
    int said;
    const struct spd_code *status_code;
    struct spd_finding common;
};

static void conclude(struct spd_reader *r, struct spd_finding *f, int said, bool sure_of_code)
{
    f->present = (int32_t)spd_reader_present(r, said);
    if (!sure_of_code && f->present != SPD_PRESENT_YES) f->present = SPD_PRESENT_UNCLEAR;
    if (f->present != SPD_PRESENT_UNCLEAR) r->explicit_status = true;
}

/* What stands below a finding: its own status, site, numbers. */
static int below_finding(struct spd_reader *r, struct group *g, const struct spd_sr_item *i)
{
    int own = 0;
    for (size_t k = 0; k < i->n_children; k++) {
        const struct spd_sr_item *c = &i->children[k];
        enum spd_name name = spd_reader_name(r, &c->name);
        if (name == SPD_NAME_FINDING || name == SPD_NAME_PRESENCE)
            own |= spd_reader_status(r, &c->value);
        else
            (void)spd_reader_detail(r, &g->common, c);
    }
    return own;
}

/* The concept of a finding by which an item is named: not one of a status or of an item. */
static enum spd_code_match named_by_finding(const struct spd_reader *r, const struct spd_sr_item *i)
{
    spd_sv concept;
    enum spd_code_match m = spd_code_view_finding(&r->codes, &i->name, &concept);
    bool other =
        spd_sv_starts(concept, SPD_SV("status:")) || spd_sv_starts(concept, SPD_SV("item:"));
    return other ? SPD_CODE_UNKNOWN : m;
}

/* (Pneumothorax) = Absent: the concept is the item's name. One of ours with a word, or in words,
 * that we do not know, and a name that we do not know with "present" or "abnormal": something is
 * said there that nobody can tell, so that nothing beside it makes a "no" of the whole. */
static void evaluation(struct spd_reader *r, struct group *g, const struct spd_sr_item *i, int said)
{
    bool ours = named_by_finding(r, i) != SPD_CODE_UNKNOWN, sure = false;
    spd_sv concept = SPD_SV_NONE;
    if (!ours && !(said & (SPD_SAID_PRESENT | SPD_SAID_ABNORMAL | SPD_SAID_UNCLEAR))) return;
    if (ours || said & (SPD_SAID_PRESENT | SPD_SAID_ABNORMAL))
        sure = spd_reader_map(r, &i->name, &concept);
    struct spd_finding *f = spd_reader_add(r, &g->common, &i->name);
    if (!f) return;
    f->concept = concept;
    if (ours && said)
        conclude(r, f, said, sure);
    else
        spd_reader_note(r, SPD_SV("an evaluation that cannot be understood makes it unclear"));
}

/* A CODE item of a group: a finding, the status of one, or something else. */
static void read_code(struct spd_reader *r, struct group *g, const struct spd_sr_item *i,
                      enum spd_name name)
{
    int said = spd_reader_status(r, &i->value);
    if (said & SPD_SAID_FAILED || spd_reader_says_failed(i->value.text)) spd_reader_failed(r);
    if (name != SPD_NAME_FINDING && name != SPD_NAME_PRESENCE)
        evaluation(r, g, i, said);
    else if (said)
        g->said |= said, g->n_said++, g->status_code = &i->value;
    else if (name ==
             SPD_NAME_PRESENCE) { /* a word that we do not know is no presence and no absence */
        spd_sv concept;
        (void)spd_reader_map(r, &i->value, &concept);
        g->said |= SPD_SAID_UNCLEAR, g->n_said++, g->status_code = &i->value;
    } else if (g->n_findings < FINDINGS_OF_GROUP) {
        g->finding[g->n_findings].own = below_finding(r, g, i);
        g->finding[g->n_findings++].item = i;
    } else
        r->incomplete = true;
}

static void read_item(struct spd_reader *r, struct group *g, const struct spd_sr_item *i)
{
    enum spd_name name = spd_reader_name(r, &i->name);
    if (spd_reader_detail(r, &g->common, i) || name == SPD_NAME_STRUCTURE) return;
    if (i->value.code.len)
        read_code(r, g, i, name);
    else if (spd_sv_is(i->value_type, "TEXT") && name == SPD_NAME_OTHER &&
             spd_reader_says_failed(i->text))
        spd_reader_failed(r);
    else if (spd_sv_is(i->value_type, "TEXT") && named_by_finding(r, i) != SPD_CODE_UNKNOWN)
        evaluation(r, g, i, 0);
}

/* The algorithm that a group names: of its own, else below one of its items. */
static struct spd_product algorithm_of(const struct spd_reader *r, const struct spd_sr_item *group)
{
    struct spd_product p = {0};
    for (size_t k = 0; k < group->n_children; k++) {
        const struct spd_sr_item *c = &group->children[k];
        enum spd_name name = spd_reader_name(r, &c->name);
        spd_sv *to = name == SPD_NAME_ALGORITHM      ? &p.name
                     : name == SPD_NAME_VERSION      ? &p.version
                     : name == SPD_NAME_MANUFACTURER ? &p.maker
                                                     : NULL;
        if (to && !to->len) *to = c->text;
    }
    for (size_t k = 0; k < group->n_children && !p.name.len; k++)
        if (!spd_sv_is(group->children[k].value_type, "CONTAINER") && group->children[k].n_children)
            p = algorithm_of(r, &group->children[k]);
    return p;
}

/* Site and the like may stand behind the items that became findings at once. */
static void complete(struct spd_reader *r, const struct group *g, size_t first)
{
    for (size_t i = first; i < r->r->findings.n; i++) {
        struct spd_finding said = r->r->findings.v[i], *f = &r->r->findings.v[i];
        *f = g->common;
        f->concept = said.concept, f->code = said.code, f->present = said.present;
    }
}

/* A group without a finding: normal or abnormal by itself, or measurements that say nothing of
 * presence. */
static void without_finding(struct spd_reader *r, const struct group *g)
{
    struct spd_finding *f;
    if (!g->said && !g->common.measurements.n) return;
    if (!(f = spd_reader_add(r, &g->common, g->status_code))) return;
    if (g->said & (SPD_SAID_NORMAL | SPD_SAID_ABNORMAL))
        conclude(r, f, g->said, true);
    else if (g->said)
        spd_reader_note(r, SPD_SV("a status without a finding says nothing"));
    else
        f->present = SPD_PRESENT_UNSET;
}

/* What is said of one of the findings of a group. A status of its own counts, but a "no" does not
 * outweigh a "yes" beside it; and fewer statuses than findings cannot say "no" of all of them. */
static int said_of(struct spd_reader *r, const struct group *g, size_t i)
{
    enum { YES = SPD_SAID_PRESENT | SPD_SAID_ABNORMAL, NO = SPD_SAID_ABSENT | SPD_SAID_NORMAL };
    int own = g->finding[i].own;
    size_t without = 0;
    if (own) return g->n_findings == 1 && own & NO ? own | (g->said & YES) : own;
    for (size_t k = 0; k < g->n_findings; k++)
        without += !g->finding[k].own;
    if (g->said & NO && g->n_said < without) {
        spd_reader_note(r, SPD_SV("one status stands beside several findings: which one is meant "
                                  "cannot be told"));
        return g->said | SPD_SAID_UNCLEAR;
    }
    return g->said;
}

static void read_group(struct spd_reader *r, const struct spd_sr_item *group)
{
    struct group g = {.common = {.probability = -1}};
    struct spd_product p = algorithm_of(r, group);
    if (++r->groups > GROUPS_MAX) {
        r->incomplete = true;
        return;
    }
    spd_reader_use(r, &p);
    size_t first = r->r->findings.n;
    for (size_t i = 0; i < group->n_children; i++)
        read_item(r, &g, &group->children[i]);
    complete(r, &g, first);
    for (size_t i = 0; i < g.n_findings; i++) {
        spd_sv concept;
        const struct spd_code *code = &g.finding[i].item->value;
        bool sure = spd_reader_map(r, code, &concept);
        struct spd_finding *f = spd_reader_add(r, &g.common, code);
        if (!f) return;
        f->concept = concept;
        /* several findings and contradicting statuses side by side cannot be paired: that is
         * unclear */
        conclude(r, f, said_of(r, &g, i), sure);
    }
    if (!g.n_findings && first == r->r->findings.n) without_finding(r, &g);
}

/* Groups that name no algorithm are the object's own; where it names none outside its groups, they
 * are with the first one that a group names. */
static void object_algorithm(struct spd_reader *r, const struct spd_sr_item *i)
{
    struct spd_product p = algorithm_of(r, i);
    if (p.name.len) r->product = p;
    for (size_t k = 0; k < i->n_children && !r->product.name.len; k++)
        object_algorithm(r, &i->children[k]);
}

static bool is_group(const struct spd_reader *r, const struct spd_sr_item *i)
{
    if (spd_reader_name(r, &i->name) == SPD_NAME_GROUP) return true;
    for (size_t k = 0; k < i->n_children; k++) {
        const struct spd_sr_item *c = &i->children[k];
        if (c->value.code.len && (spd_reader_name(r, &c->name) == SPD_NAME_FINDING ||
                                  named_by_finding(r, c) != SPD_CODE_UNKNOWN))
            return true;
    }
    return false;
}

/* Bounded by the depth of the tree (the decoder's 32 levels). */
static void walk(struct spd_reader *r, const struct spd_sr_item *i)
{
    bool container = spd_sv_is(i->value_type, "CONTAINER") || i == &r->doc->root;
    if (container && is_group(r, i)) read_group(r, i);
    for (size_t k = 0; k < i->n_children; k++)
        walk(r, &i->children[k]);
}

void spd_read_groups(struct spd_reader *r)
{
    if (!r->product.name.len) object_algorithm(r, &r->doc->root);
    spd_reader_use(r, &(struct spd_product){0});
    walk(r, &r->doc->root);
}
