/* src/result/reader.c: a structured report to results: what kind of object it is, who made it, of
 * what, and what its findings come to. The findings themselves are collected by tid1500.c and
 * cad.c.
 *
 * Relationship types are ignored: writers disagree. A finding is present, absent or normal only
 * when a coded status of our maps says so; a probability, a measurement or silence says nothing.
 * What cannot be told makes the result "not analysed", never negative (design rules 5 and 11).
 * Pure. */
#include "result/reader.h"

static const struct {
    enum spd_name name;
    const char *scheme, *code;
} names[] = {
    {SPD_NAME_FINDING, "DCM", "121071"},
    {SPD_NAME_PRESENCE, "SCT", "705057003"},
    {SPD_NAME_PRESENCE, "SCT", "260411009"},
    {SPD_NAME_SITE, "SCT", "363698007"},
    {SPD_NAME_LATERALITY, "SCT", "272741003"},
    {SPD_NAME_TOPOGRAPHY, "SCT", "106233006"},
    {SPD_NAME_TRACKING_UID, "DCM", "112040"},
    {SPD_NAME_ALGORITHM, "DCM", "111001"},
    {SPD_NAME_VERSION, "DCM", "111003"},
    {SPD_NAME_MANUFACTURER, "DCM", "122405"},
    {SPD_NAME_OBSERVER_TYPE, "DCM", "121005"},
    {SPD_NAME_PERSON, "DCM", "121008"},
    {SPD_NAME_DEVICE_UID, "DCM", "121012"},
    {SPD_NAME_DEVICE_NAME, "DCM", "121013"},
    {SPD_NAME_DEVICE_MAKER, "DCM", "121014"},
    {SPD_NAME_DEVICE_MODEL, "DCM", "121015"},
    {SPD_NAME_PROBABILITY, "DCM", "111012"},
    {SPD_NAME_PROBABILITY, "DCM", "111011"},
    {SPD_NAME_PROBABILITY, "DCM", "111013"},
    {SPD_NAME_PROBABILITY, "DCM", "111047"},
    {SPD_NAME_PROBABILITY, "DCM", "113270"},
    {SPD_NAME_GROUP, "DCM", "125007"},
    {SPD_NAME_GROUP, "UMLS", "C0034375"},
    {SPD_NAME_GROUP, "DCM", "126011"},
    {SPD_NAME_STUDY, "DCM", "121018"},
    {SPD_NAME_ACCESSION, "DCM", "121022"},
    {SPD_NAME_STRUCTURE, "DCM", "111000"},
    {SPD_NAME_STRUCTURE, "DCM", "111002"},
    {SPD_NAME_STRUCTURE, "DCM", "112039"},
    {SPD_NAME_STRUCTURE, "SCT", "276214006"},
    {SPD_NAME_STRUCTURE, "DCM", "121049"},
    {SPD_NAME_STRUCTURE, "DCM", "121058"},
    {SPD_NAME_STRUCTURE, "SCT", "370129005"},
    {SPD_NAME_STRUCTURE, "DCM", "121401"},
    {SPD_NAME_STRUCTURE, "NCIt", "C67447"},
    {SPD_NAME_CAD_SUMMARY, "DCM", "111017"},
    {SPD_NAME_CAD_DETECTIONS, "DCM", "111064"},
    {SPD_NAME_CAD_ANALYSES, "DCM", "111065"},
    {SPD_NAME_CAD_IMPRESSION, "DCM", "111034"},
    {SPD_NAME_CAD_FINDING, "DCM", "111059"},
    {SPD_NAME_CAD_FINDING, "DCM", "111015"},
    {SPD_NAME_CAD_MODIFIER, "DCM", "112023"},
    {SPD_NAME_CAD_MODIFIER, "DCM", "112024"},
    {SPD_NAME_CAD_RENDERING, "DCM", "111056"},
    {SPD_NAME_CAD_FAILED, "DCM", "111024"},
    {SPD_NAME_CAD_FAILED, "DCM", "111025"},
    {SPD_NAME_CAD_PERFORMED, "DCM", "111022"},
    {SPD_NAME_CAD_PERFORMED, "DCM", "111004"},
    {SPD_NAME_IMAGE_LATERALITY, "DCM", "111027"},
};

enum {
    NOTES_MAX = 24,
    MEASUREMENTS_MAX = 64,
    INSTANCES_MAX = 20000,
    REGIONS_MAX = 64,
    TEXTS_NEAR = 64
};

void spd_reader_note(struct spd_reader *r, spd_sv text)
{
    for (size_t i = 0; i < r->r->notes.n; i++)
        if (spd_sv_eq(r->r->notes.v[i], text)) return;
    if (r->r->notes.n < NOTES_MAX)
        *SPD_LIST_ADD(&r->r->notes, r->arena) = spd_arena_dup(r->arena, text);
}

enum spd_name spd_reader_name(const struct spd_reader *r, const struct spd_code *c)
{
    static const struct {
        const char *concept;
        enum spd_name name;
    } own[] = {{"item:finding", SPD_NAME_FINDING},
               {"item:presence", SPD_NAME_PRESENCE},
               {"item:site", SPD_NAME_SITE},
               {"item:probability", SPD_NAME_PROBABILITY}};
    spd_sv concept;
    if (!c->code.len) return SPD_NAME_OTHER;
    if (r->codes.map && spd_code_view_finding(&r->codes, c, &concept) == SPD_CODE_KNOWN)
        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
            if (spd_sv_is(concept, own[i].concept)) return own[i].name;
    struct spd_code n = spd_codes_normal(r->all_codes, c);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (spd_sv_is(n.code, names[i].code) && spd_sv_is(n.scheme, names[i].scheme))
            return names[i].name;
    return SPD_NAME_OTHER;
}

int spd_reader_status(struct spd_reader *r, const struct spd_code *c)
{
    static const struct {
        const char *concept;
        enum spd_status_bit said;
    } all[] = {{"status:present", SPD_SAID_PRESENT}, {"status:absent", SPD_SAID_ABSENT},
               {"status:normal", SPD_SAID_NORMAL},   {"status:abnormal", SPD_SAID_ABNORMAL},
               {"status:unclear", SPD_SAID_UNCLEAR}, {"status:failed", SPD_SAID_FAILED}};
    spd_sv concept;
    enum spd_code_match m = spd_code_view_finding(&r->codes, c, &concept);
    for (size_t i = 0; m != SPD_CODE_UNKNOWN && i < sizeof all / sizeof *all; i++)
        if (spd_sv_is(concept, all[i].concept)) {
            if (m == SPD_CODE_KNOWN) return all[i].said;
            spd_reader_note(
                r,
                SPD_SV("a status code came with a meaning that contradicts it and was not used"));
            return SPD_SAID_UNCLEAR;
        }
    return 0;
}

bool spd_reader_says_failed(spd_sv text)
{
    static const char *const starts[] = {"not analy",         "niet geanalyseerd", "not processed",
                                         "processing failed", "analysis failed",   "failed",
                                         "mislukt",           "non-diagnostic"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (text.len >= strlen(starts[i]) &&
            spd_sv_ieq(spd_sv_of(text.ptr, strlen(starts[i])), spd_sv_from(starts[i])))
            return true;
    return false;
}

void spd_reader_add_text(struct spd_reader *r, void *list, spd_sv text)
{
    struct {
        spd_sv *v;
        size_t n;
    } *l = list;
    if (!text.len || l->n >= INSTANCES_MAX) return;
    for (size_t i = l->n; i > 0 && i + TEXTS_NEAR > l->n; i--) /* repeats stand close together */
        if (spd_sv_eq(l->v[i - 1], text)) return;
    *SPD_LIST_ADD(l, r->arena) = text;
}

/* ---- products ----------------------------------------------------------------------------------
 */
static spd_sv first_of(spd_sv a, spd_sv b, spd_sv c)
{
    return a.len ? a : b.len ? b : c;
}

/* Who made the object: its algorithm, else the device that observed, else the equipment. */
static struct spd_product whole(const struct spd_reader *r)
{
    const struct spd_sr_doc *d = r->doc;
    return (struct spd_product){first_of(r->product.name,
                                         first_of(r->device_model, r->device_name, SPD_SV_NONE),
                                         d->model_name),
                                first_of(r->product.version, d->software_version, SPD_SV_NONE),
                                first_of(r->product.maker, r->device_maker, d->manufacturer)};
}

void spd_reader_use(struct spd_reader *r, const struct spd_product *p)
{
    struct spd_product all = whole(r);
    r->now = all;
    if (p->name.len)
        r->now = (struct spd_product){p->name, first_of(p->version, all.version, SPD_SV_NONE),
                                      first_of(p->maker, all.maker, SPD_SV_NONE)};
    r->codes.map = spd_codes_vendor(r->all_codes, r->now.maker, r->now.name);
}

/* The place of the product in hand among those that something is told of. */
static size_t product(struct spd_reader *r)
{
    for (size_t i = 0; i < r->n_of; i++)
        if (spd_sv_eq(r->of[i].name, r->now.name) && spd_sv_eq(r->of[i].maker, r->now.maker))
            return i;
    if (r->n_of == SPD_PRODUCTS_MAX) {
        spd_reader_note(r, SPD_SV("more than 16 products are named; the others count as the last"));
        r->incomplete = true;
        return r->n_of - 1;
    }
    r->of[r->n_of] = r->now;
    return r->n_of++;
}

void spd_reader_failed(struct spd_reader *r)
{
    r->of_failed[product(r)] = true;
}

/* ---- findings ----------------------------------------------------------------------------------
 */
struct spd_finding *spd_reader_add(struct spd_reader *r, const struct spd_finding *common,
                                   const struct spd_code *code)
{
    if (r->r->findings.n >= SPD_FINDINGS_MAX) {
        spd_reader_note(r, SPD_SV("more than 512 findings; the others were not read"));
        r->incomplete = true;
        return NULL;
    }
    r->from[r->r->findings.n] = product(r);
    struct spd_finding *f = SPD_LIST_ADD(&r->r->findings, r->arena);
    *f = *common;
    f->present = SPD_PRESENT_UNCLEAR;
    if (code) f->code = *code;
    return f;
}

bool spd_reader_map(struct spd_reader *r, const struct spd_code *code, spd_sv *ret_concept)
{
    enum spd_code_match m = spd_code_view_finding(&r->codes, code, ret_concept);
    if (m == SPD_CODE_KNOWN) return true;
    *ret_concept = SPD_SV_NONE;
    spd_reader_note(r,
                    spd_arena_printf(
                        r->arena,
                        m == SPD_CODE_MISMATCH
                            ? "code %.*s (%.*s) came with a meaning that contradicts it: not mapped"
                            : "code %.*s (%.*s) is not in the code map",
                        SPD_SV_ARG(code->code), SPD_SV_ARG(code->scheme)));
    return m != SPD_CODE_MISMATCH;
}

enum spd_present spd_reader_present(struct spd_reader *r, int said)
{
    int yes = said & (SPD_SAID_PRESENT | SPD_SAID_ABNORMAL),
        no = said & (SPD_SAID_ABSENT | SPD_SAID_NORMAL);
    if (said & SPD_SAID_FAILED) spd_reader_failed(r);
    if (yes && no) {
        spd_reader_note(r, SPD_SV("a finding is said to be both present and absent"));
        return SPD_PRESENT_UNCLEAR;
    }
    if (said & (SPD_SAID_UNCLEAR | SPD_SAID_FAILED)) return SPD_PRESENT_UNCLEAR;
    return yes                      ? SPD_PRESENT_YES
           : said & SPD_SAID_ABSENT ? SPD_PRESENT_NO
           : said & SPD_SAID_NORMAL ? SPD_PRESENT_NORMAL
                                    : SPD_PRESENT_UNCLEAR;
}

/* ---- details of a finding ----------------------------------------------------------------------
 */
static void read_site(struct spd_reader *r, struct spd_finding *f, const struct spd_sr_item *i)
{
    spd_sv site, side = spd_codes_laterality(r->all_codes, &i->value);
    enum spd_code_match m = spd_code_view_site(&r->codes, &i->value, &site);
    if (m == SPD_CODE_MISMATCH)
        spd_reader_note(
            r, SPD_SV("a site code came with a meaning that contradicts it and was not mapped"));
    if (m == SPD_CODE_KNOWN) f->site = site;
    f->site_text = i->value.text;
    if (side.len) f->laterality = side;
    for (size_t k = 0; k < i->n_children; k++) {
        const struct spd_sr_item *c = &i->children[k];
        enum spd_name name = spd_reader_name(r, &c->name);
        if (name == SPD_NAME_LATERALITY) {
            side = spd_codes_laterality(r->all_codes, &c->value);
            if (side.len) f->laterality = side;
        } else if (name == SPD_NAME_TOPOGRAPHY && c->value.text.len)
            f->site_text = spd_arena_printf(r->arena, "%.*s, %.*s", SPD_SV_ARG(f->site_text),
                                            SPD_SV_ARG(c->value.text));
    }
}

static void read_probability(struct spd_reader *r, struct spd_finding *f,
                             const struct spd_sr_item *i)
{
    int64_t micro;
    if (!i->number.len || !spd_sv_to_micro(i->number, &micro)) {
        spd_reader_note(r, SPD_SV("a probability without a number was not used"));
        return;
    }
    if (spd_sv_is(i->unit.code, "%"))
        micro = (micro + 50) / 100;
    else if (i->unit.code.len && !spd_sv_is(i->unit.code, "1") &&
             !spd_sv_starts(i->unit.code, SPD_SV("{"))) {
        spd_reader_note(r, SPD_SV("a probability in an unknown unit was not used"));
        return;
    }
    if (micro < 0 || micro > 1000000) {
        spd_reader_note(r, SPD_SV("a probability outside 0 to 1 was not used"));
        return;
    }
    if (f->probability < 0) f->probability = micro;
}

static void read_number(struct spd_reader *r, struct spd_finding *f, const struct spd_sr_item *i)
{
    if (spd_reader_name(r, &i->name) == SPD_NAME_PROBABILITY)
        read_probability(r, f, i);
    else if (f->measurements.n < MEASUREMENTS_MAX)
        *SPD_LIST_ADD(&f->measurements, r->arena) = (struct spd_measurement){
            i->name.code, i->name.scheme, i->name.text, i->number, i->unit.code};
}

static void add_region(struct spd_reader *r, struct spd_finding *f, spd_sv kind,
                       const struct spd_sr_item *on)
{
    if (f->regions.n >= REGIONS_MAX) return;
    *SPD_LIST_ADD(&f->regions, r->arena) =
        (struct spd_region){kind, on ? on->ref_uid : SPD_SV_NONE, on ? on->frames : SPD_SV_NONE,
                            on ? on->segments : SPD_SV_NONE};
}

/* A region drawn on an image (TID 1410), in space (TID 1411), or a segment; else an image that is
 * pointed at. */
static void read_place(struct spd_reader *r, struct spd_finding *f, const struct spd_sr_item *i)
{
    if (i->ref_uid.len && !spd_sv_is(i->value_type, "COMPOSITE")) {
        if (!spd_result_is_image(i->ref_class)) add_region(r, f, SPD_SV("SEGMENT"), i);
        spd_reader_add_text(r, &f->instances, i->ref_uid);
        return;
    }
    bool space = spd_sv_is(i->value_type, "SCOORD3D");
    if (!space && !spd_sv_is(i->value_type, "SCOORD")) return;
    const struct spd_sr_item *on = NULL;
    for (size_t k = 0; k < i->n_children && !on; k++)
        if (i->children[k].ref_uid.len) on = &i->children[k];
    add_region(r, f,
               space ? spd_arena_printf(r->arena, "3D %.*s", SPD_SV_ARG(i->graphic)) : i->graphic,
               on);
    if (on) spd_reader_add_text(r, &f->instances, on->ref_uid);
}

bool spd_reader_detail(struct spd_reader *r, struct spd_finding *f, const struct spd_sr_item *i)
{
    enum spd_name name = spd_reader_name(r, &i->name);
    if (name == SPD_NAME_SITE)
        read_site(r, f, i);
    else if (name == SPD_NAME_LATERALITY) {
        spd_sv side = spd_codes_laterality(r->all_codes, &i->value);
        if (side.len) f->laterality = side;
    } else if (name == SPD_NAME_TRACKING_UID) {
        f->tracking_uid = i->text;
        spd_reader_add_text(r, &r->r->tracking, i->text);
    } else if (spd_sv_is(i->value_type, "NUM"))
        read_number(r, f, i);
    else if (i->ref_uid.len || spd_sv_starts(i->value_type, SPD_SV("SCOORD")))
        read_place(r, f, i);
    else
        return false;
    return true;
}

/* ---- what any item may say, wherever it stands: who made it, of what
 * ----------------------------- */
static void read_context(struct spd_reader *r, const struct spd_sr_item *i, bool in_group)
{
    static const struct {
        enum spd_name name;
        size_t at;
    } keep[] = {{SPD_NAME_VERSION, offsetof(struct spd_reader, product.version)},
                {SPD_NAME_MANUFACTURER, offsetof(struct spd_reader, product.maker)},
                {SPD_NAME_ALGORITHM, offsetof(struct spd_reader, product.name)},
                {SPD_NAME_DEVICE_NAME, offsetof(struct spd_reader, device_name)},
                {SPD_NAME_DEVICE_MAKER, offsetof(struct spd_reader, device_maker)},
                {SPD_NAME_DEVICE_MODEL, offsetof(struct spd_reader, device_model)},
                {SPD_NAME_STUDY, offsetof(struct spd_reader, study)},
                {SPD_NAME_ACCESSION, offsetof(struct spd_reader, accession)}};
    enum spd_name name = spd_reader_name(r, &i->name);
    for (size_t k = in_group ? 3 : 0; k < sizeof keep / sizeof *keep; k++) {
        spd_sv *to = (spd_sv *)(void *)((char *)r + keep[k].at);
        if (name == keep[k].name && !to->len) *to = i->text;
    }
    if (name == SPD_NAME_DEVICE_UID || name == SPD_NAME_DEVICE_NAME) r->device = true;
    if (name == SPD_NAME_OBSERVER_TYPE) {
        r->device |= spd_sv_is(i->value.code, "121007");
        r->person_observed |= spd_sv_is(i->value.code, "121006");
        r->person |= r->person_observed;
    }
    if (name == SPD_NAME_PERSON || spd_sv_is(i->value_type, "PNAME")) r->person = true;
    if (!i->ref_uid.len || spd_sv_is(i->value_type, "COMPOSITE")) return;
    if (spd_result_is_image(i->ref_class))
        spd_reader_add_text(r, &r->r->instances, i->ref_uid);
    else
        spd_reader_add_text(r, &r->r->outputs, i->ref_uid);
}

/* Bounded by the depth of the tree (the decoder's 32 levels). What a group, or a CAD report
 * anywhere, says of an algorithm is that part's own. */
static void walk(struct spd_reader *r, const struct spd_sr_item *i, bool in_group)
{
    read_context(r, i, in_group);
    in_group |= spd_reader_name(r, &i->name) == SPD_NAME_GROUP && i != &r->doc->root;
    for (size_t k = 0; k < i->n_children; k++)
        walk(r, &i->children[k], in_group);
}

/* ---- the whole ---------------------------------------------------------------------------------
 */
/* The state of one product's findings. */
static enum spd_ai_state state_of(const struct spd_reader *r, const struct spd_result *t,
                                  bool failed)
{
    bool unclear = false, normal = false, absent = false;
    if (r->cad_state) return r->cad_state;
    for (size_t i = 0; i < t->findings.n; i++) {
        const struct spd_finding *f = &t->findings.v[i];
        if (f->present == SPD_PRESENT_YES) return SPD_AI_POSITIVE;
        if (f->present == SPD_PRESENT_UNCLEAR) unclear = true;
        if (f->present == SPD_PRESENT_NORMAL) normal = true;
        if (f->present == SPD_PRESENT_NO && f->concept.len) absent = true;
    }
    if (failed) return SPD_AI_FAILED;
    if (r->doc->cut || r->incomplete || spd_sv_is(r->doc->completion, "PARTIAL") || unclear)
        return SPD_AI_NOT_ANALYSED;
    return normal ? SPD_AI_NORMAL : absent ? SPD_AI_NEGATIVE : SPD_AI_NOT_ANALYSED;
}

/* The study it is about: what it saw, else what the tree says, else its own. */
static spd_sv study_of(struct spd_reader *r)
{
    const struct spd_sr_doc *d = r->doc;
    spd_sv first = SPD_SV_NONE;
    for (size_t i = 0; i < d->n_evidence; i++) {
        if (d->evidence[i].pertinent || !d->evidence[i].study_uid.len) continue;
        if (spd_sv_eq(d->evidence[i].study_uid, d->study_uid)) return d->study_uid;
        if (!first.len) first = d->evidence[i].study_uid;
    }
    if (first.len)
        spd_reader_note(r,
                        SPD_SV("the report stands in another study than the images it is about"));
    else if (!d->n_evidence)
        spd_reader_note(r, SPD_SV("no evidence sequence; the study is the report's own"));
    return first.len ? first : r->study.len ? r->study : d->study_uid;
}

static void fill(struct spd_reader *r)
{
    const struct spd_sr_doc *d = r->doc;
    struct spd_result *t = r->r;
    struct spd_product all = whole(r);
    t->sop_class = d->sop_class, t->sop_uid = d->sop_uid, t->series_uid = d->series_uid;
    t->study_uid = study_of(r);
    t->accession =
        d->n_request && d->request[0].accession.value.len ? d->request[0].accession : d->accession;
    if (!t->accession.value.len) t->accession.value = r->accession;
    t->patient = d->patient;
    t->manufacturer = all.maker, t->name = all.name, t->version = all.version;
    t->body_part = d->body_part;
    t->device_manufacturer = d->manufacturer, t->device_model = d->model_name;
    for (size_t i = 0; i < d->n_evidence; i++) {
        const struct spd_sr_ref *e = &d->evidence[i];
        if (!spd_result_is_image(e->sop_class))
            spd_reader_add_text(r, &t->outputs, e->sop_uid);
        else if (!e->pertinent)
            spd_reader_add_text(r, &t->instances, e->sop_uid);
    }
    for (size_t i = 0; i < d->n_predecessors; i++)
        spd_reader_add_text(r, &t->predecessors, d->predecessors[i]);
    for (size_t i = 0; i < d->n_notes; i++)
        spd_reader_note(r, d->notes[i]);
    if (spd_sv_is(d->completion, "PARTIAL"))
        spd_reader_note(r, SPD_SV("the report says of itself that it is partial"));
    if (d->cut) spd_reader_note(r, SPD_SV("the tree was too large and was cut"));
}

/* One result per product whose findings there are; all of them saw the same images. */
static void part(struct spd_reader *r, struct spd_reading *ret)
{
    const struct spd_result *all = r->r;
    size_t n = r->n_of ? r->n_of : 1;
    ret->results = SPD_NEW_N(r->arena, struct spd_result, n);
    ret->n_results = n;
    if (n > 1) spd_reader_note(r, SPD_SV("the object holds results of several products"));
    for (size_t k = 0; k < n; k++) {
        struct spd_result *t = &ret->results[k];
        *t = *all;
        t->part = n > 1 ? (int64_t)k + 1 : 0;
        if (r->n_of) {
            t->name = r->of[k].name, t->version = r->of[k].version,
            t->manufacturer = r->of[k].maker;
            t->findings.v = NULL, t->findings.n = 0;
            for (size_t i = 0; i < all->findings.n; i++)
                if (r->from[i] == k) *SPD_LIST_ADD(&t->findings, r->arena) = all->findings.v[i];
        }
        t->state = state_of(r, t, r->n_of && r->of_failed[k]);
    }
}

enum kind { K_OTHER = 0, K_SR, K_CAD, K_TEXT, K_COMPANION };
static enum kind kind_of(const struct spd_sr_doc *d, const char **ret_why)
{
    static const struct {
        const char *uid;
        enum kind kind;
        const char *why;
    } all[] = {{"1.2.840.10008.5.1.4.1.1.88.22", K_SR, NULL},
               {"1.2.840.10008.5.1.4.1.1.88.33", K_SR, NULL},
               {"1.2.840.10008.5.1.4.1.1.88.34", K_SR, NULL},
               {"1.2.840.10008.5.1.4.1.1.88.35", K_SR, NULL},
               {"1.2.840.10008.5.1.4.1.1.88.50", K_CAD, NULL},
               {"1.2.840.10008.5.1.4.1.1.88.65", K_CAD, NULL},
               {"1.2.840.10008.5.1.4.1.1.88.69", K_CAD, NULL},
               {"1.2.840.10008.5.1.4.1.1.88.11", K_TEXT, NULL},
               {"1.2.840.10008.5.1.4.1.1.88.67", K_OTHER, "a radiation dose report is no result"},
               {"1.2.840.10008.5.1.4.1.1.88.68", K_OTHER, "a radiation dose report is no result"},
               {"1.2.840.10008.5.1.4.1.1.88.73", K_OTHER, "a radiation dose report is no result"},
               {"1.2.840.10008.5.1.4.1.1.88.74", K_OTHER, "a radiation dose report is no result"},
               {"1.2.840.10008.5.1.4.1.1.88.76", K_OTHER, "a radiation dose report is no result"},
               {"1.2.840.10008.5.1.4.1.1.88.40", K_OTHER, "a procedure log is no result"}};
    *ret_why = "this kind of object is not a structured report that can be a result";
    if (spd_result_is_companion(d->sop_class)) return K_COMPANION;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (spd_sv_is(d->sop_class, all[i].uid)) {
            if (all[i].why) *ret_why = all[i].why;
            return all[i].kind;
        }
    return K_OTHER;
}

static bool failed(const struct spd_reader *r)
{
    for (size_t i = 0; i < r->n_of; i++)
        if (r->of_failed[i]) return true;
    return false;
}

static bool one_of(spd_sv v, const char *const *list)
{
    for (; *list; list++)
        if (spd_sv_is(v, *list)) return true;
    return false;
}

/* Is a readable report a result? NULL: yes. */
static const char *why_not(const struct spd_reader *r)
{
    bool made_by_algorithm = r->product.name.len > 0;
    static const char *const reports[] = {"126000", "126001", "126002", "126003", NULL};
    static const char *const dose[] = {"113701", "113500", "113811", NULL};
    const struct spd_sr_item *root = &r->doc->root;
    bool measurements =
        one_of(root->name.code, reports) || spd_sv_is(r->doc->template_id, "1500") || r->groups;
    if (one_of(root->name.code, dose)) return "a radiation dose report is no result";
    if (!measurements && !made_by_algorithm)
        return "a report, but not one of measurements or findings by an algorithm";
    if (measurements && !root->n_children && !r->doc->evidence)
        return "a measurement report without content or evidence";
    if (measurements && !root->n_children) return NULL;
    if (!made_by_algorithm && !r->device &&
        (r->person_observed || (!r->explicit_status && !failed(r))))
        return "measurements without an algorithm, a device or a status: a person's report";
    return NULL;
}

static enum spd_read not_a_result(struct spd_reader *r, struct spd_reading *ret, const char *why)
{
    fill(r);
    r->r->findings.v = NULL, r->r->findings.n = 0;
    ret->results = SPD_NEW(r->arena, struct spd_result);
    *ret->results = *r->r, ret->n_results = 1;
    ret->why = spd_sv_from(why);
    return SPD_READ_NOT_A_RESULT;
}

static enum spd_read text_report(struct spd_reader *r, struct spd_reading *ret)
{
    fill(r);
    spd_reader_note(r, SPD_SV("a text report: nothing in it is coded"));
    if (!r->doc->sop_uid.len) spd_reader_note(r, SPD_SV("its SOP Instance UID is missing"));
    ret->by_person = r->person || spd_sv_is(r->doc->verification, "VERIFIED");
    if (ret->by_person) spd_reader_note(r, SPD_SV("it names a person: no AI product's report"));
    r->r->state = SPD_AI_NOT_ANALYSED;
    r->r->text = spd_read_text(r->doc, r->arena);
    ret->results = SPD_NEW(r->arena, struct spd_result);
    *ret->results = *r->r, ret->n_results = 1;
    ret->why = SPD_SV("a text report holds no coded finding");
    return SPD_READ_TEXT;
}

/* Why the (first) result that is neither positive nor negative is so. */
static spd_sv reason_of(const struct spd_reader *r, const struct spd_reading *ret)
{
    for (size_t i = 0; i < ret->n_results; i++) {
        if (ret->results[i].state == SPD_AI_FAILED)
            return SPD_SV("the product says that it could not analyse");
        if (ret->results[i].state == SPD_AI_NOT_ANALYSED)
            return r->why.len      ? r->why
                   : r->r->notes.n ? r->r->notes.v[0]
                                   : SPD_SV("no finding has a coded status");
    }
    return SPD_SV_NONE;
}

static enum spd_read refused(struct spd_reading *ret, const char *why)
{
    ret->results = NULL, ret->n_results = 0;
    ret->why = spd_sv_from(why);
    return SPD_READ_REFUSED;
}

enum spd_read spd_result_read(const struct spd_sr_doc *doc, const struct spd_codes *codes,
                              struct spd_reading *ret, struct spd_arena *arena)
{
    static const char *const cad_roots[] = {"111036", "112000", "112220", NULL};
    struct spd_result all = {0};
    struct spd_reader *r = SPD_NEW(arena, struct spd_reader);
    const char *why;
    *ret = (struct spd_reading){0};
    *r = (struct spd_reader){
        .doc = doc, .all_codes = codes, .codes.codes = codes, .r = &all, .arena = arena};
    enum kind kind = kind_of(doc, &why);
    if (kind == K_SR && spd_sv_is(doc->root.name.scheme, "DCM") &&
        one_of(doc->root.name.code, cad_roots))
        kind = K_CAD;
    if (!doc->sop_class.len) return refused(ret, "the SOP Class UID is missing or malformed");
    if (kind != K_OTHER && kind != K_TEXT && !doc->sop_uid.len)
        return refused(ret, "the SOP Instance UID is missing or malformed");
    if (kind == K_COMPANION) {
        spd_read_companion(doc, &ret->companion, arena);
        ret->why = SPD_SV("an object that belongs to a result and is none itself");
        return SPD_READ_COMPANION;
    }
    if (kind == K_OTHER) return not_a_result(r, ret, why);
    walk(r, &doc->root, kind == K_CAD);
    if (kind == K_TEXT) return text_report(r, ret);
    if (kind == K_CAD)
        spd_read_cad(r);
    else
        spd_read_groups(r);
    if (kind == K_SR && (why = why_not(r))) return not_a_result(r, ret, why);
    fill(r);
    if (!all.findings.n && kind == K_SR && !failed(r)) {
        spd_reader_note(r, SPD_SV("no finding is coded in it"));
        all.text = spd_read_text(doc, arena);
    }
    part(r, ret);
    ret->why = reason_of(r, ret);
    return SPD_READ_RESULT;
}
