/* src/result/sr.c: TID 1500 measurement reports (and what must not be taken for one) to a
 * spd_result.
 *
 * Relationship types are ignored: writers disagree. A finding is present, absent or normal only
 * when a coded status of our map says so at the finding itself; a probability, a measurement or
 * silence says nothing. What cannot be told makes the result "not analysed", never negative (design
 * rules 5 and 11). CAD SR is recognised and not read. Pure. */
#include "result/result.h"

enum name {
    N_OTHER = 0,
    N_FINDING,
    N_PRESENCE,
    N_SITE,
    N_LATERALITY,
    N_TRACKING_UID,
    N_ALGORITHM,
    N_VERSION,
    N_MANUFACTURER,
    N_OBSERVER_TYPE,
    N_DEVICE_UID,
    N_DEVICE_NAME,
    N_DEVICE_MAKER,
    N_DEVICE_MODEL,
    N_PROBABILITY,
    N_GROUP,
    N_STUDY,
    N_ACCESSION,
    N_STRUCTURE
};
static const struct {
    enum name name;
    const char *scheme, *code;
} names[] = {{N_FINDING, "DCM", "121071"},       {N_PRESENCE, "SCT", "705057003"},
             {N_SITE, "SCT", "363698007"},       {N_SITE, "SRT", "G-C0E3"},
             {N_LATERALITY, "SCT", "272741003"}, {N_LATERALITY, "SRT", "G-C171"},
             {N_TRACKING_UID, "DCM", "112040"},  {N_ALGORITHM, "DCM", "111001"},
             {N_VERSION, "DCM", "111003"},       {N_MANUFACTURER, "DCM", "122405"},
             {N_OBSERVER_TYPE, "DCM", "121005"}, {N_DEVICE_UID, "DCM", "121012"},
             {N_DEVICE_NAME, "DCM", "121013"},   {N_DEVICE_MAKER, "DCM", "121014"},
             {N_DEVICE_MODEL, "DCM", "121015"},  {N_PROBABILITY, "DCM", "111012"},
             {N_PROBABILITY, "DCM", "111011"},   {N_PROBABILITY, "DCM", "111013"},
             {N_PROBABILITY, "DCM", "111047"},   {N_PROBABILITY, "DCM", "113270"},
             {N_GROUP, "DCM", "125007"},         {N_GROUP, "UMLS", "C0034375"},
             {N_STUDY, "DCM", "121018"},         {N_ACCESSION, "DCM", "121022"},
             {N_STRUCTURE, "DCM", "111000"},     {N_STRUCTURE, "DCM", "111002"},
             {N_STRUCTURE, "DCM", "112039"},     {N_STRUCTURE, "SCT", "276214006"},
             {N_STRUCTURE, "DCM", "121049"},     {N_STRUCTURE, "DCM", "121058"},
             {N_STRUCTURE, "SCT", "370129005"},  {N_STRUCTURE, "SRT", "G-C036"}};

enum {
    GROUPS_MAX = 4096,
    FINDINGS_MAX = 512,
    NOTES_MAX = 24,
    MEASUREMENTS_MAX = 64,
    INSTANCES_MAX = 20000
};

enum status {
    S_NONE = 0,
    S_PRESENT = 1,
    S_ABSENT = 2,
    S_NORMAL = 4,
    S_ABNORMAL = 8,
    S_UNCLEAR = 16,
    S_FAILED = 32
};

struct reader {
    const struct spd_sr_doc *doc;
    const struct spd_codes *codes;
    struct spd_result *r;
    struct spd_arena *arena;
    spd_sv algorithm, version, maker; /* TID 4019, first one said */
    spd_sv device_name, device_maker, device_model;
    spd_sv study, accession; /* said in the tree */
    bool device, several, failed, explicit_status;
    size_t groups;
};
struct group { /* what one Measurement Group says before it is put together */
    struct {
        const struct spd_sr_item *item;
        int own;
    } finding[32];
    size_t n_findings;
    int status;
    const struct spd_code *status_code;
    struct spd_finding common;
};

static void note(struct reader *r, spd_sv text)
{
    for (size_t i = 0; i < r->r->notes.n; i++)
        if (spd_sv_eq(r->r->notes.v[i], text)) return;
    if (r->r->notes.n < NOTES_MAX)
        *SPD_LIST_ADD(&r->r->notes, r->arena) = spd_arena_dup(r->arena, text);
}

static bool legacy(spd_sv scheme)
{
    return spd_sv_is(scheme, "SRT") || spd_sv_is(scheme, "SNM3") || spd_sv_is(scheme, "99SDM");
}

static enum name name_of(const struct spd_code *c)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (spd_sv_is(c->code, names[i].code) &&
            (spd_sv_is(c->scheme, names[i].scheme) ||
             (legacy(c->scheme) && !strcmp(names[i].scheme, "SRT"))))
            return names[i].name;
    return N_OTHER;
}

static int status_of(struct reader *r, const struct spd_code *c)
{
    static const struct {
        const char *concept;
        enum status status;
    } all[] = {{"status:present", S_PRESENT}, {"status:absent", S_ABSENT},
               {"status:normal", S_NORMAL},   {"status:abnormal", S_ABNORMAL},
               {"status:unclear", S_UNCLEAR}, {"status:failed", S_FAILED}};
    spd_sv concept;
    enum spd_code_match m = spd_codes_finding(r->codes, c, &concept);
    for (size_t i = 0; m != SPD_CODE_UNKNOWN && i < sizeof all / sizeof *all; i++)
        if (spd_sv_is(concept, all[i].concept)) {
            if (m == SPD_CODE_KNOWN) return all[i].status;
            note(r,
                 SPD_SV("a status code came with a meaning that contradicts it and was not used"));
            return S_UNCLEAR;
        }
    return S_NONE;
}

/* "Not analyzed …", "Niet geanalyseerd …", "Processing failed …": words only ever make a result
 * less sure. */
static bool says_failed(spd_sv text)
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

static void add_instance(struct reader *r, void *list, spd_sv uid)
{
    struct {
        spd_sv *v;
        size_t n;
    } *l = list;
    if (!uid.len || l->n >= INSTANCES_MAX) return;
    for (size_t i = l->n; i > 0 && i + 64 > l->n; i--) /* repeats stand close together */
        if (spd_sv_eq(l->v[i - 1], uid)) return;
    *SPD_LIST_ADD(l, r->arena) = uid;
}

/* What any item may say, wherever it stands: who made it, of what. */
static void read_context(struct reader *r, const struct spd_sr_item *i)
{
    static const struct {
        enum name name;
        size_t at;
    } keep[] = {{N_VERSION, offsetof(struct reader, version)},
                {N_MANUFACTURER, offsetof(struct reader, maker)},
                {N_DEVICE_NAME, offsetof(struct reader, device_name)},
                {N_DEVICE_MAKER, offsetof(struct reader, device_maker)},
                {N_DEVICE_MODEL, offsetof(struct reader, device_model)},
                {N_STUDY, offsetof(struct reader, study)},
                {N_ACCESSION, offsetof(struct reader, accession)}};
    enum name name = name_of(&i->name);
    if (name == N_ALGORITHM && i->text.len) {
        if (r->algorithm.len && !spd_sv_eq(r->algorithm, i->text)) r->several = true;
        if (!r->algorithm.len) r->algorithm = i->text;
    }
    for (size_t k = 0; k < sizeof keep / sizeof *keep; k++) {
        spd_sv *to = (spd_sv *)(void *)((char *)r + keep[k].at);
        if (name == keep[k].name && !to->len) *to = i->text;
    }
    if (name == N_DEVICE_UID || name == N_DEVICE_NAME) r->device = true;
    if (name == N_OBSERVER_TYPE && spd_sv_is(i->value.code, "121007")) r->device = true;
    if (i->ref_uid.len && !spd_sv_is(i->value_type, "COMPOSITE"))
        add_instance(r, &r->r->instances, i->ref_uid);
}

/* ---- one group ---------------------------------------------------------------------------------
 */
static void read_site(struct reader *r, struct group *g, const struct spd_sr_item *i)
{
    spd_sv site, side = spd_codes_laterality(r->codes, &i->value);
    enum spd_code_match m = spd_codes_site(r->codes, &i->value, &site);
    if (m == SPD_CODE_MISMATCH)
        note(r, SPD_SV("a site code came with a meaning that contradicts it and was not mapped"));
    if (m == SPD_CODE_KNOWN) g->common.site = site;
    g->common.site_text = i->value.text;
    if (side.len) g->common.laterality = side;
    for (size_t k = 0; k < i->n_children; k++)
        if (name_of(&i->children[k].name) == N_LATERALITY) {
            side = spd_codes_laterality(r->codes, &i->children[k].value);
            if (side.len) g->common.laterality = side;
        }
}

static void read_probability(struct reader *r, struct group *g, const struct spd_sr_item *i)
{
    int64_t micro;
    bool percent = spd_sv_is(i->unit.code, "%");
    if (!i->number.len || !spd_sv_to_micro(i->number, &micro)) {
        note(r, SPD_SV("a probability without a number was not used"));
        return;
    }
    if (percent)
        micro = (micro + 50) / 100;
    else if (i->unit.code.len && !spd_sv_is(i->unit.code, "1") &&
             !spd_sv_starts(i->unit.code, SPD_SV("{"))) {
        note(r, SPD_SV("a probability in an unknown unit was not used"));
        return;
    }
    if (micro < 0 || micro > 1000000) {
        note(r, SPD_SV("a probability outside 0 to 1 was not used"));
        return;
    }
    if (g->common.probability < 0) g->common.probability = micro;
}

static void read_number(struct reader *r, struct group *g, const struct spd_sr_item *i)
{
    if (name_of(&i->name) == N_PROBABILITY)
        read_probability(r, g, i);
    else if (g->common.measurements.n < MEASUREMENTS_MAX)
        *SPD_LIST_ADD(&g->common.measurements, r->arena) = (struct spd_measurement){
            i->name.code, i->name.scheme, i->name.text, i->number, i->unit.code};
}

static struct spd_finding *add_finding(struct reader *r, const struct group *g,
                                       const struct spd_code *code, const spd_sv *known_concept)
{
    if (r->r->findings.n >= FINDINGS_MAX) {
        note(r, SPD_SV("more than 512 findings; the others were not read"));
        r->failed = true; /* never negative on what was not read */
        return NULL;
    }
    struct spd_finding *f = SPD_LIST_ADD(&r->r->findings, r->arena);
    *f = g->common;
    f->present = SPD_PRESENT_UNCLEAR;
    if (code) f->code = *code;
    if (known_concept) f->concept = *known_concept;
    return f;
}

/* The code of a finding to its concept; false: its meaning contradicts it. */
static bool map_finding(struct reader *r, const struct spd_code *code, spd_sv *ret_concept)
{
    enum spd_code_match m = spd_codes_finding(r->codes, code, ret_concept);
    if (m == SPD_CODE_KNOWN) return true;
    *ret_concept = SPD_SV_NONE;
    note(r, spd_arena_printf(
                r->arena,
                m == SPD_CODE_MISMATCH
                    ? "code %.*s (%.*s) came with a meaning that contradicts it: not mapped"
                    : "code %.*s (%.*s) is not in the code map",
                SPD_SV_ARG(code->code), SPD_SV_ARG(code->scheme)));
    return m != SPD_CODE_MISMATCH;
}

static enum spd_present present_of(struct reader *r, int status)
{
    int yes = status & (S_PRESENT | S_ABNORMAL), no = status & (S_ABSENT | S_NORMAL);
    if (status & S_FAILED) r->failed = true;
    if (yes && no) {
        note(r, SPD_SV("a finding is said to be both present and absent"));
        return SPD_PRESENT_UNCLEAR;
    }
    if (status & (S_UNCLEAR | S_FAILED)) return SPD_PRESENT_UNCLEAR;
    return yes                 ? SPD_PRESENT_YES
           : status & S_ABSENT ? SPD_PRESENT_NO
           : status & S_NORMAL ? SPD_PRESENT_NORMAL
                               : SPD_PRESENT_UNCLEAR;
}

static void conclude(struct reader *r, struct spd_finding *f, int status, bool sure_of_code)
{
    f->present = present_of(r, status);
    if (!sure_of_code && f->present != SPD_PRESENT_YES) f->present = SPD_PRESENT_UNCLEAR;
    if (f->present != SPD_PRESENT_UNCLEAR) r->explicit_status = true;
}

/* A CODE item of a group: a finding, the status of one, or something else. */
static void read_group_code(struct reader *r, struct group *g, const struct spd_sr_item *i,
                            enum name name)
{
    int status = status_of(r, &i->value);
    spd_sv concept;
    if (status & S_FAILED || says_failed(i->value.text)) r->failed = true;
    if (name == N_FINDING || name == N_PRESENCE) {
        if (status)
            g->status |= status, g->status_code = &i->value;
        else if (name == N_FINDING && g->n_findings < sizeof g->finding / sizeof *g->finding) {
            int own = 0;
            for (size_t k = 0; k < i->n_children; k++) {
                enum name below = name_of(&i->children[k].name);
                if (below == N_FINDING || below == N_PRESENCE)
                    own |= status_of(r, &i->children[k].value);
                if (below == N_SITE) read_site(r, g, &i->children[k]);
                if (i->children[k].number.len) read_number(r, g, &i->children[k]);
            }
            g->finding[g->n_findings].item = i, g->finding[g->n_findings++].own = own;
        } else if (name == N_FINDING)
            r->failed = true;
        return;
    }
    /* (Pneumothorax) = Absent: the concept is the item's name */
    if (status && spd_codes_finding(r->codes, &i->name, &concept) != SPD_CODE_UNKNOWN &&
        !spd_sv_starts(concept, SPD_SV("status:"))) {
        bool sure = map_finding(r, &i->name, &concept);
        struct spd_finding *f = add_finding(r, g, &i->name, &concept);
        if (f) conclude(r, f, status, sure);
    }
}

static void read_group_item(struct reader *r, struct group *g, const struct spd_sr_item *i)
{
    enum name name = name_of(&i->name);
    if (name == N_SITE)
        read_site(r, g, i);
    else if (name == N_LATERALITY) {
        spd_sv side = spd_codes_laterality(r->codes, &i->value);
        if (side.len) g->common.laterality = side;
    } else if (name == N_TRACKING_UID) {
        g->common.tracking_uid = i->text;
        if (i->text.len) add_instance(r, &r->r->tracking, i->text);
    } else if (spd_sv_is(i->value_type, "NUM"))
        read_number(r, g, i);
    else if (i->ref_uid.len && spd_sv_is(i->value_type, "IMAGE"))
        add_instance(r, &g->common.instances, i->ref_uid);
    else if (i->value.code.len && name != N_STRUCTURE)
        read_group_code(r, g, i, name);
    else if (spd_sv_is(i->value_type, "TEXT") && name != N_STRUCTURE && says_failed(i->text))
        r->failed = true;
}

static void read_group(struct reader *r, const struct spd_sr_item *group)
{
    struct group g = {.common = {.probability = -1}};
    if (++r->groups > GROUPS_MAX) {
        r->failed = true;
        return;
    }
    size_t first = r->r->findings.n;
    for (size_t i = 0; i < group->n_children; i++)
        read_group_item(r, &g, &group->children[i]);
    for (size_t i = first; i < r->r->findings.n; i++) { /* site and the like may stand behind */
        struct spd_finding said = r->r->findings.v[i], *f = &r->r->findings.v[i];
        *f = g.common;
        f->concept = said.concept, f->code = said.code, f->present = said.present;
    }
    for (size_t i = 0; i < g.n_findings; i++) {
        spd_sv concept;
        const struct spd_code *code = &g.finding[i].item->value;
        bool sure = map_finding(r, code, &concept);
        struct spd_finding *f = add_finding(r, &g, code, &concept);
        if (!f) return;
        /* several findings and contradicting statuses side by side cannot be paired: present_of
         * says unclear */
        conclude(r, f, g.finding[i].own ? g.finding[i].own : g.status, sure);
    }
    if (!g.n_findings && g.status && first == r->r->findings.n) {
        struct spd_finding *f = add_finding(r, &g, g.status_code, NULL);
        if (!f) return;
        if (g.status & (S_NORMAL | S_ABNORMAL))
            conclude(r, f, g.status, true);
        else
            note(r, SPD_SV("a status without a finding says nothing"));
    }
}

static bool is_group(const struct spd_sr_item *i)
{
    if (name_of(&i->name) == N_GROUP) return true;
    for (size_t k = 0; k < i->n_children; k++)
        if (name_of(&i->children[k].name) == N_FINDING && i->children[k].value.code.len)
            return true;
    return false;
}

/* Bounded by the depth of the tree (the decoder's 32 levels). */
static void walk(struct reader *r, const struct spd_sr_item *i)
{
    read_context(r, i);
    bool container = spd_sv_is(i->value_type, "CONTAINER") || i == &r->doc->root;
    if (container && is_group(i)) read_group(r, i);
    for (size_t k = 0; k < i->n_children; k++)
        walk(r, &i->children[k]);
}

/* ---- the whole
 * ----------------------------------------------------------------------------------- */
static enum spd_ai_state state_of(struct reader *r)
{
    bool unclear = false, normal = false, absent = false;
    for (size_t i = 0; i < r->r->findings.n; i++) {
        const struct spd_finding *f = &r->r->findings.v[i];
        if (f->present == SPD_PRESENT_YES) return SPD_AI_POSITIVE;
        if (f->present == SPD_PRESENT_UNCLEAR) unclear = true;
        if (f->present == SPD_PRESENT_NORMAL) normal = true;
        if (f->present == SPD_PRESENT_NO && f->concept.len) absent = true;
    }
    if (r->failed) return SPD_AI_FAILED;
    if (r->doc->cut || spd_sv_is(r->doc->completion, "PARTIAL") || unclear)
        return SPD_AI_NOT_ANALYSED;
    return normal ? SPD_AI_NORMAL : absent ? SPD_AI_NEGATIVE : SPD_AI_NOT_ANALYSED;
}

/* The study it is about: what it saw, else what the tree says, else its own. */
static spd_sv study_of(struct reader *r)
{
    const struct spd_sr_doc *d = r->doc;
    spd_sv first = SPD_SV_NONE;
    for (size_t i = 0; i < d->n_evidence; i++) {
        if (d->evidence[i].pertinent || !d->evidence[i].study_uid.len) continue;
        if (spd_sv_eq(d->evidence[i].study_uid, d->study_uid)) return d->study_uid;
        if (!first.len) first = d->evidence[i].study_uid;
    }
    if (first.len)
        note(r, SPD_SV("the report stands in another study than the images it is about"));
    else if (!d->n_evidence)
        note(r, SPD_SV("no evidence sequence; the study is the report's own"));
    return first.len ? first : r->study.len ? r->study : d->study_uid;
}

static spd_sv first_of(spd_sv a, spd_sv b, spd_sv c)
{
    return a.len ? a : b.len ? b : c;
}

static void fill(struct reader *r)
{
    const struct spd_sr_doc *d = r->doc;
    struct spd_result *t = r->r;
    t->sop_class = d->sop_class, t->sop_uid = d->sop_uid, t->series_uid = d->series_uid;
    t->study_uid = study_of(r);
    t->accession =
        d->n_request && d->request[0].accession.value.len ? d->request[0].accession : d->accession;
    if (!t->accession.value.len) t->accession.value = r->accession;
    t->patient = d->patient;
    t->manufacturer = first_of(r->maker, r->device_maker, d->manufacturer);
    t->name = first_of(r->algorithm, first_of(r->device_model, r->device_name, SPD_SV_NONE),
                       d->model_name);
    t->version = first_of(r->version, d->software_version, SPD_SV_NONE);
    t->body_part = d->body_part;
    for (size_t i = 0; i < d->n_evidence; i++)
        if (!d->evidence[i].pertinent) add_instance(r, &t->instances, d->evidence[i].sop_uid);
    for (size_t i = 0; i < d->n_predecessors; i++)
        if (d->predecessors[i].len) *SPD_LIST_ADD(&t->predecessors, r->arena) = d->predecessors[i];
    for (size_t i = 0; i < d->n_notes; i++)
        note(r, d->notes[i]);
    if (r->several)
        note(r, SPD_SV("more than one algorithm is named; the first one counts as the model"));
    if (spd_sv_is(d->completion, "PARTIAL"))
        note(r, SPD_SV("the report says of itself that it is partial"));
    if (d->cut) note(r, SPD_SV("the tree was too large and was cut"));
}

enum kind { K_OTHER = 0, K_SR, K_CAD };
static enum kind kind_of(const struct spd_sr_doc *d, const char **ret_why)
{
    static const struct {
        const char *uid;
        enum kind kind;
        const char *why;
    } all[] = {
        {"1.2.840.10008.5.1.4.1.1.88.22", K_SR, NULL},
        {"1.2.840.10008.5.1.4.1.1.88.33", K_SR, NULL},
        {"1.2.840.10008.5.1.4.1.1.88.34", K_SR, NULL},
        {"1.2.840.10008.5.1.4.1.1.88.35", K_SR, NULL},
        {"1.2.840.10008.5.1.4.1.1.88.50", K_CAD, NULL},
        {"1.2.840.10008.5.1.4.1.1.88.65", K_CAD, NULL},
        {"1.2.840.10008.5.1.4.1.1.88.69", K_CAD, NULL},
        {"1.2.840.10008.5.1.4.1.1.88.11", K_OTHER, "a basic text report holds no coded finding"},
        {"1.2.840.10008.5.1.4.1.1.88.59", K_OTHER, "a key object selection is no result"},
        {"1.2.840.10008.5.1.4.1.1.88.67", K_OTHER, "a radiation dose report is no result"},
        {"1.2.840.10008.5.1.4.1.1.88.68", K_OTHER, "a radiation dose report is no result"},
        {"1.2.840.10008.5.1.4.1.1.88.73", K_OTHER, "a radiation dose report is no result"},
        {"1.2.840.10008.5.1.4.1.1.88.76", K_OTHER, "a radiation dose report is no result"},
        {"1.2.840.10008.5.1.4.1.1.88.40", K_OTHER, "a procedure log is no result"}};
    *ret_why = "this kind of object is not a structured report that can be a result";
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (spd_sv_is(d->sop_class, all[i].uid)) {
            if (all[i].why) *ret_why = all[i].why;
            return all[i].kind;
        }
    return K_OTHER;
}

static bool one_of(spd_sv v, const char *const *list)
{
    for (; *list; list++)
        if (spd_sv_is(v, *list)) return true;
    return false;
}

/* Is a readable report a result? NULL: yes. */
static const char *why_not(const struct reader *r)
{
    static const char *const reports[] = {"126000", "126001", "126002", "126003", NULL};
    static const char *const dose[] = {"113701", "113500", "113811", NULL};
    const struct spd_sr_item *root = &r->doc->root;
    bool measurements =
        one_of(root->name.code, reports) || spd_sv_is(r->doc->template_id, "1500") || r->groups;
    bool made_by_device = r->algorithm.len || r->device;
    if (one_of(root->name.code, dose)) return "a radiation dose report is no result";
    if (!measurements && !r->algorithm.len)
        return "a report, but not one of measurements or findings by an algorithm";
    if (measurements && !root->n_children && !r->doc->evidence)
        return "a measurement report without content or evidence";
    if (measurements && !root->n_children) return NULL;
    if (!made_by_device && !r->explicit_status && !r->failed)
        return "measurements without an algorithm, a device or a status: a person's report";
    return NULL;
}

enum spd_read spd_result_read_sr(const struct spd_sr_doc *doc, const struct spd_codes *codes,
                                 struct spd_result *ret, spd_sv *ret_why, struct spd_arena *arena)
{
    static const char *const cad_roots[] = {"111036", "112000", "112220", NULL};
    struct reader r = {.doc = doc, .codes = codes, .r = ret, .arena = arena};
    const char *why;
    *ret = (struct spd_result){0};
    *ret_why = SPD_SV_NONE;
    enum kind kind = kind_of(doc, &why);
    if (kind == K_SR && spd_sv_is(doc->root.name.scheme, "DCM") &&
        one_of(doc->root.name.code, cad_roots))
        kind = K_CAD;
    if (!doc->sop_class.len || (kind != K_OTHER && !doc->sop_uid.len)) {
        *ret_why = doc->sop_class.len ? SPD_SV("the SOP Instance UID is missing or malformed")
                                      : SPD_SV("the SOP Class UID is missing or malformed");
        return SPD_READ_REFUSED;
    }
    if (kind != K_OTHER) walk(&r, &doc->root);
    if (kind == K_CAD) { /* what CAD calls findings must not count before it is read properly */
        ret->findings.v = NULL, ret->findings.n = 0, ret->notes.n = 0;
        note(&r, SPD_SV("CAD SR is not read yet"));
    }
    if (kind == K_SR) why = why_not(&r);
    if (kind == K_OTHER || (kind == K_SR && why)) {
        fill(&r);
        ret->findings.v = NULL, ret->findings.n = 0;
        *ret_why = spd_sv_from(why);
        return SPD_READ_NOT_A_RESULT;
    }
    fill(&r);
    ret->state = kind == K_CAD ? SPD_AI_NOT_ANALYSED : state_of(&r);
    if (!ret->findings.n && kind == K_SR && !r.failed)
        note(&r, SPD_SV("no finding is coded in it"));
    if (ret->state == SPD_AI_NOT_ANALYSED && ret->notes.n)
        *ret_why = ret->notes.v[0];
    else if (ret->state == SPD_AI_NOT_ANALYSED)
        *ret_why = SPD_SV("no finding has a coded status");
    if (ret->state == SPD_AI_FAILED)
        *ret_why = SPD_SV("the product says that it could not analyse");
    return SPD_READ_RESULT;
}
