/* src/result/cad.c: Mammography, Chest and Colon CAD SR (TID 4000, 4100, 4120).
 *
 * The summary (111017) is the one clean statement: all, some or no algorithms succeeded, with or
 * without findings. A finding is what the summary or an impression points at; what a composite
 * feature was inferred from is its evidence, and listed only where it is another mapped concept.
 * "Not for presentation" is listed and never counts as present. Sides come from the images that a
 * finding's coordinates were taken from. Pure; see reader.h. */
#include "result/reader.h"

enum { PATH_MAX_DEPTH = 40 };

/* Rendering intent (CID 6034) and processing status (CID 6042, 6047), all DCM. */
#define NOT_FOR_PRESENTATION "111152"

struct cad {
    struct spd_reader *r;
    size_t shown, hidden; /* findings by rendering intent */
};
struct summary {
    bool said, all, any, with; /* algorithms that succeeded; with findings */
};
struct attempt { /* what the summaries of detections, or of analyses, say */
    bool said, tried, failed;
};

static struct summary summary_of(const struct spd_sr_item *i)
{
    static const struct {
        const char *code;
        struct summary s;
    } all[] = {{"111241", {true, true, true, false}},
               {"111242", {true, true, true, true}},
               {"111243", {true, false, true, false}},
               {"111244", {true, false, true, true}},
               {"111245", {true, false, false, false}}};
    for (size_t k = 0; i && k < sizeof all / sizeof *all; k++)
        if (spd_sv_is(i->value.code, all[k].code) && spd_sv_is(i->value.scheme, "DCM"))
            return all[k].s;
    return (struct summary){0};
}

static const struct spd_sr_item *find(const struct spd_reader *r, const struct spd_sr_item *i,
                                      enum spd_name name)
{
    const struct spd_sr_item *got = spd_reader_name(r, &i->name) == name ? i : NULL;
    for (size_t k = 0; k < i->n_children && !got; k++)
        got = find(r, &i->children[k], name);
    return got;
}

static const struct spd_sr_item *child(const struct spd_reader *r, const struct spd_sr_item *i,
                                       enum spd_name name)
{
    for (size_t k = 0; k < i->n_children; k++)
        if (spd_reader_name(r, &i->children[k].name) == name) return &i->children[k];
    return NULL;
}

/* The item that "1.2.4" means: the root is 1, its children are counted from 1. One step per number,
 * so that a reference back up cannot go round. NULL: nowhere. */
static const struct spd_sr_item *resolve(const struct spd_reader *r, spd_sv path)
{
    const struct spd_sr_item *at = NULL;
    for (int depth = 0; path.len && depth < PATH_MAX_DEPTH; depth++) {
        size_t dot = path.len;
        int64_t n;
        (void)spd_sv_find(path, SPD_SV("."), &dot);
        if (!spd_sv_to_i64(spd_sv_of(path.ptr, dot), &n) || n < 1) return NULL;
        if (!at)
            at = n == 1 ? &r->doc->root : NULL;
        else
            at = (size_t)n <= at->n_children ? &at->children[n - 1] : NULL;
        if (!at) return NULL;
        path = dot < path.len ? spd_sv_of(path.ptr + dot + 1, path.len - dot - 1) : SPD_SV_NONE;
    }
    return path.len ? NULL : at;
}

/* The image that an item is, or refers to. */
static const struct spd_sr_item *image_of(const struct spd_reader *r, const struct spd_sr_item *i)
{
    if (i->reference.len) i = resolve(r, i->reference);
    return i && i->ref_uid.len ? i : NULL;
}

static void add_side(struct spd_finding *f, spd_sv side)
{
    if (!side.len || spd_sv_eq(f->laterality, side)) return;
    f->laterality = f->laterality.len ? SPD_SV("bilateral") : side;
}

/* Coordinates lead to images, and images to a side. */
static void read_images(struct cad *c, struct spd_finding *f, const struct spd_sr_item *i)
{
    const struct spd_sr_item *image = image_of(c->r, i);
    if (image) {
        const struct spd_sr_item *side = child(c->r, image, SPD_NAME_IMAGE_LATERALITY);
        spd_reader_add_text(c->r, &f->instances, image->ref_uid);
        if (side) {
            spd_sv site;
            add_side(f, spd_codes_laterality(c->r->all_codes, &side->value));
            if (!f->site.len &&
                spd_code_view_site(&c->r->codes, &side->value, &site) == SPD_CODE_KNOWN &&
                !spd_sv_starts(site, SPD_SV("side:")))
                f->site = site; /* "left breast" says both */
        }
        return;
    }
    if (!spd_sv_starts(i->value_type, SPD_SV("SCOORD"))) return;
    for (size_t k = 0; k < i->n_children; k++)
        read_images(c, f, &i->children[k]);
    const struct spd_sr_item *on = i->n_children ? image_of(c->r, &i->children[0]) : NULL;
    if (f->regions.n < 64)
        *SPD_LIST_ADD(&f->regions, c->r->arena) =
            (struct spd_region){.kind = i->graphic, .instance = on ? on->ref_uid : SPD_SV_NONE};
}

static bool is_hidden(const struct cad *c, const struct spd_sr_item *i, bool above)
{
    const struct spd_sr_item *intent = child(c->r, i, SPD_NAME_CAD_RENDERING);
    return above || (intent && spd_sv_is(intent->value.code, NOT_FOR_PRESENTATION));
}

/* The concept of a finding: of its modifier where that is mapped ("abnormal opacity: nodule"), else
 * its own. */
static bool concept_of(struct cad *c, const struct spd_sr_item *i, spd_sv *ret)
{
    struct spd_reader *r = c->r;
    for (size_t k = 0; k < i->n_children; k++) {
        const struct spd_sr_item *m = &i->children[k];
        if (spd_reader_name(r, &m->name) == SPD_NAME_CAD_MODIFIER &&
            spd_code_view_finding(&r->codes, &m->value, ret) == SPD_CODE_KNOWN &&
            !spd_sv_starts(*ret, SPD_SV("status:")))
            return true;
    }
    return spd_reader_map(r, &i->value, ret);
}

static void read_details(struct cad *c, struct spd_finding *f, const struct spd_sr_item *i,
                         bool evidence)
{
    for (size_t k = 0; k < i->n_children; k++) {
        const struct spd_sr_item *d = &i->children[k];
        enum spd_name name = spd_reader_name(c->r, &d->name);
        bool coordinates = spd_sv_starts(d->value_type, SPD_SV("SCOORD"));
        if (name == SPD_NAME_CAD_FINDING)
            read_details(c, f, d, true); /* what it was inferred from: where, how big, tracked as */
        else if (coordinates || d->reference.len)
            read_images(c, f, d);
        else if (!evidence || name == SPD_NAME_TRACKING_UID || spd_sv_is(d->value_type, "NUM"))
            (void)spd_reader_detail(c->r, f, d);
    }
}

static bool listed(const struct cad *c, spd_sv concept)
{
    for (size_t i = 0; i < c->r->r->findings.n; i++)
        if (spd_sv_eq(c->r->r->findings.v[i].concept, concept)) return true;
    return false;
}

static void read_finding(struct cad *c, const struct spd_sr_item *i, bool hidden, bool evidence)
{
    struct spd_finding common = {.probability = -1};
    spd_sv concept;
    hidden = is_hidden(c, i, hidden);
    concept_of(c, i, &concept);
    if (!evidence || (concept.len && !hidden && !listed(c, concept))) {
        read_details(c, &common, i, false);
        struct spd_finding *f = spd_reader_add(c->r, &common, &i->value);
        if (!f) return;
        f->concept = concept;
        f->present = hidden ? SPD_PRESENT_UNCLEAR : SPD_PRESENT_YES;
        if (hidden)
            c->hidden++;
        else
            c->shown++;
    }
    for (size_t k = 0; k < i->n_children; k++)
        if (spd_reader_name(c->r, &i->children[k].name) == SPD_NAME_CAD_FINDING)
            read_finding(c, &i->children[k], hidden, true);
}

/* Findings below the summary, in impressions or not; bounded by the depth of the tree. */
static void walk(struct cad *c, const struct spd_sr_item *i, bool hidden)
{
    for (size_t k = 0; k < i->n_children; k++) {
        const struct spd_sr_item *d = &i->children[k];
        enum spd_name name = spd_reader_name(c->r, &d->name);
        if (name == SPD_NAME_CAD_FINDING && d->value.code.len)
            read_finding(c, d, hidden, false);
        else if (name != SPD_NAME_CAD_DETECTIONS && name != SPD_NAME_CAD_ANALYSES)
            walk(c, d, name == SPD_NAME_CAD_IMPRESSION ? is_hidden(c, d, hidden) : hidden);
    }
}

/* "Succeeded", or nothing was to be done: anything else means that something did not work. All such
 * items count, not the first one. */
static void attempts(const struct cad *c, const struct spd_sr_item *i, enum spd_name which,
                     struct attempt *ret)
{
    if (spd_reader_name(c->r, &i->name) == which) {
        bool untried = spd_sv_is(i->value.code, "111225");
        ret->said = true;
        ret->tried |= !untried;
        ret->failed |= !untried && !spd_sv_is(i->value.code, "111222");
    }
    for (size_t k = 0; k < i->n_children; k++)
        attempts(c, &i->children[k], which, ret);
}

/* Another summary than the first one that says something else. */
static bool summaries_differ(const struct cad *c, const struct spd_sr_item *i,
                             const struct spd_sr_item *first)
{
    if (i != first && spd_reader_name(c->r, &i->name) == SPD_NAME_CAD_SUMMARY &&
        !(spd_sv_eq(i->value.code, first->value.code) &&
          spd_sv_eq(i->value.scheme, first->value.scheme)))
        return true;
    for (size_t k = 0; k < i->n_children; k++)
        if (summaries_differ(c, &i->children[k], first)) return true;
    return false;
}

/* True: a detection or an analysis is named among those that failed. */
static bool note_failures(struct cad *c, const struct spd_sr_item *i)
{
    bool failed = spd_reader_name(c->r, &i->name) == SPD_NAME_CAD_FAILED, any = false;
    for (size_t k = 0; k < i->n_children; k++) {
        const struct spd_sr_item *d = &i->children[k];
        if (failed && spd_reader_name(c->r, &d->name) == SPD_NAME_CAD_PERFORMED) {
            spd_reader_note(
                c->r, spd_arena_printf(c->r->arena, "failed: %.*s", SPD_SV_ARG(d->value.text)));
            any = true;
        }
        any |= note_failures(c, d);
    }
    return any;
}

/* What was looked for and not found: where all went well, the detections that were performed. */
static void add_absent(struct cad *c, const struct spd_sr_item *i)
{
    for (size_t k = 0; k < i->n_children; k++) {
        const struct spd_sr_item *d = &i->children[k];
        spd_sv concept;
        if (spd_reader_name(c->r, &d->name) == SPD_NAME_CAD_PERFORMED &&
            spd_code_view_finding(&c->r->codes, &d->value, &concept) == SPD_CODE_KNOWN &&
            !listed(c, concept)) {
            struct spd_finding *f =
                spd_reader_add(c->r, &(struct spd_finding){.probability = -1}, &d->value);
            if (f) f->concept = concept, f->present = SPD_PRESENT_NO;
        }
        add_absent(c, d);
    }
}

static enum spd_ai_state unsure(struct cad *c, const char *why)
{
    c->r->why = spd_sv_from(why);
    spd_reader_note(c->r, c->r->why);
    return SPD_AI_NOT_ANALYSED;
}

static enum spd_ai_state state_of(struct cad *c, struct summary s)
{
    struct attempt detect = {0}, analyse = {0};
    const struct spd_sr_item *root = &c->r->doc->root;
    attempts(c, root, SPD_NAME_CAD_DETECTIONS, &detect);
    attempts(c, root, SPD_NAME_CAD_ANALYSES, &analyse);
    bool named = note_failures(c, root);
    if (c->shown) {
        if (s.said && !s.with)
            spd_reader_note(c->r,
                            SPD_SV("the summary says that there are no findings, and there are"));
        if (s.said && !s.all) spd_reader_note(c->r, SPD_SV("not all algorithms succeeded"));
        return SPD_AI_POSITIVE;
    }
    if (!s.said) return unsure(c, "no summary says whether the algorithms succeeded");
    if (!s.any) return SPD_AI_FAILED;
    if (s.with && !c->hidden) {
        spd_reader_note(c->r,
                        SPD_SV("the summary says that there are findings, and none is listed"));
        return SPD_AI_POSITIVE;
    }
    if (c->hidden) return unsure(c, "all findings are marked not for presentation");
    if (!s.all || detect.failed || analyse.failed || named)
        return unsure(c, "not all algorithms succeeded");
    if (detect.said && !detect.tried && !analyse.tried)
        return unsure(c, "nothing says that anything was detected or analysed");
    if (detect.said && !detect.tried)
        return unsure(c, "no detection was attempted: nothing was looked for");
    if (summaries_differ(c, root, find(c->r, root, SPD_NAME_CAD_SUMMARY)))
        return unsure(c, "its summaries contradict each other");
    if (c->r->doc->cut || c->r->incomplete || spd_sv_is(c->r->doc->completion, "PARTIAL"))
        return unsure(c, "the report is not complete");
    return SPD_AI_NEGATIVE;
}

void spd_read_cad(struct spd_reader *r)
{
    const struct spd_sr_item *root = &r->doc->root;
    struct cad c = {.r = r};
    spd_reader_use(r, &(struct spd_product){0});
    r->codes.within = root->name.code;
    const struct spd_sr_item *summary = find(r, root, SPD_NAME_CAD_SUMMARY);
    walk(&c, root, false);
    r->cad_state = state_of(&c, summary_of(summary));
    if (r->cad_state == SPD_AI_NEGATIVE) {
        const struct spd_sr_item *done = find(r, root, SPD_NAME_CAD_DETECTIONS);
        if (done) add_absent(&c, done);
    }
}
