/* src/ups/take.c: which attributes others may set on a workitem, and what a final state asks of
 * them (PS3.4 table CC.2.5-3). One table; a new attribute is one line. */
#include "ups/ups.h"

enum { VALUES_MAX = 64 << 10 };

enum what { STORED = 1, STORED_CREATE, OURS, SILENT };
static const struct rule {
    uint32_t tag;
    enum what what;
    char vr[3];
} rules[] = {
    {0x00080005, SILENT, "CS"},        /* Specific Character Set */
    {0x00080016, SILENT, "UI"},        /* SOP Class UID */
    {0x00080018, SILENT, "UI"},        /* SOP Instance UID */
    {0x00080082, OURS, "SQ"},          /* Institution Code Sequence */
    {0x00081080, OURS, "LO"},          /* Admitting Diagnoses Description */
    {0x00081084, OURS, "SQ"},          /* Admitting Diagnoses Code Sequence */
    {0x00081195, SILENT, "UI"},        /* Transaction UID */
    {0x00100010, OURS, "PN"},          /* Patient's Name */
    {0x00100020, OURS, "LO"},          /* Patient ID */
    {0x00100021, OURS, "LO"},          /* Issuer of Patient ID */
    {0x00100024, OURS, "SQ"},          /* Issuer of Patient ID Qualifiers Sequence */
    {0x00100030, OURS, "DA"},          /* Patient's Birth Date */
    {0x00100040, OURS, "CS"},          /* Patient's Sex */
    {0x00101002, OURS, "SQ"},          /* Other Patient IDs Sequence */
    {0x0020000D, OURS, "UI"},          /* Study Instance UID */
    {0x00380010, OURS, "LO"},          /* Admission ID */
    {0x00380014, OURS, "SQ"},          /* Issuer of Admission ID Sequence */
    {0x00380300, OURS, "LO"},          /* Current Patient Location */
    {0x00400400, STORED, "LT"},        /* Comments on the Scheduled Procedure Step */
    {0x00404005, OURS, "DT"},          /* Scheduled Procedure Step Start DateTime */
    {0x00404008, STORED, "DT"},        /* Scheduled Procedure Step Expiration DateTime */
    {0x00404010, OURS, "DT"},          /* Scheduled Procedure Step Modification DateTime */
    {0x00404011, STORED, "DT"},        /* Expected Completion DateTime */
    {0x00404018, OURS, "SQ"},          /* Scheduled Workitem Code Sequence */
    {0x00404021, STORED_CREATE, "SQ"}, /* Input Information Sequence */
    {0x00404025, STORED, "SQ"},        /* Scheduled Station Name Code Sequence */
    {0x00404026, STORED, "SQ"},        /* Scheduled Station Class Code Sequence */
    {0x00404027, STORED, "SQ"},        /* Scheduled Station Geographic Location Code Sequence */
    {0x00404034, STORED, "SQ"},        /* Scheduled Human Performers Sequence */
    {0x00404041, OURS, "CS"},          /* Input Readiness State */
    {0x0040A370, OURS, "SQ"},          /* Referenced Request Sequence */
    {0x00741000, SILENT, "CS"},        /* Procedure Step State: judged by itself */
    {0x00741002, STORED, "SQ"},        /* Procedure Step Progress Information Sequence */
    {0x00741200, OURS, "CS"},          /* Scheduled Procedure Step Priority */
    {0x00741202, STORED, "LO"},        /* Worklist Label */
    {0x00741204, STORED, "LO"},        /* Procedure Step Label */
    {0x00741210, STORED, "SQ"},        /* Scheduled Processing Parameters Sequence */
    {0x00741216, STORED, "SQ"},        /* Unified Procedure Step Performed Procedure Sequence */
    {0x00741224, OURS, "SQ"},          /* Replaced Procedure Step Sequence */
};

static const struct rule *rule_of(uint32_t tag)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].tag == tag) return &rules[i];
    return NULL;
}

enum spd_ups_setter spd_ups_setter_of(uint32_t tag)
{
    const struct rule *r = rule_of(tag);
    return !r                  ? SPD_UPS_UNKNOWN
           : r->what == OURS   ? SPD_UPS_OURS
           : r->what == SILENT ? SPD_UPS_SILENT
                               : SPD_UPS_STORED;
}

/* A code item has a value, a scheme and a meaning (PS3.3 table 8.8-1). */
static bool has_code(const struct spd_dcm_set *in, uint32_t tag)
{
    const struct spd_dcm_set *code = spd_dcm_item(in, tag);
    return code && spd_dcm_raw(code, 0x00080104).len &&
           (spd_dcm_raw(code, 0x00080100).len || spd_dcm_raw(code, 0x00080119).len ||
            spd_dcm_raw(code, 0x00080120).len);
}

/* Final state codes P of the performed procedure: Output Information must be there, and may have no
 * items where nothing came out. */
static bool performed_is_complete(const struct spd_dcm_elem *e)
{
    const struct spd_dcm_set *p = e->n_items ? &e->items[0] : NULL;
    return p && has_code(p, 0x00404028) && has_code(p, 0x00404019) &&
           spd_dcm_raw(p, 0x00404050).len && spd_dcm_raw(p, 0x00404051).len &&
           spd_dcm_find(p, 0x00404033);
}

/* One element as DICOM JSON, from between the braces of a data set that holds it alone. */
spd_sv spd_ups_attribute_json(const struct spd_dcm *d, const struct spd_dcm_elem *e, const char *vr,
                              struct spd_arena *arena)
{
    struct spd_dcm_elem one = *e;
    struct spd_dcm alone = {.set = {&one, 1}, .charset = d->charset};
    struct spd_str out = SPD_STR_INIT(VALUES_MAX + 64);
    spd_sv v = SPD_SV_NONE;
    enum { BEFORE = sizeof "{\"00000000\":" - 1 };
    memcpy(one.vr, vr, sizeof one.vr);
    spd_dcm_to_json(&alone, &out, arena);
    if (spd_str_ok(&out) && out.len > BEFORE + 1)
        v = spd_arena_dup(arena, spd_sv_of(out.ptr + BEFORE, out.len - BEFORE - 1));
    spd_str_done(&out);
    return v;
}

unsigned spd_ups_take(const struct spd_dcm *d, bool create, struct spd_workitem_event *ret,
                      struct spd_arena *arena)
{
    bool ours = false, unknown = false;
    for (size_t i = 0; i < d->set.n; i++) {
        const struct spd_dcm_elem *e = &d->set.v[i];
        const struct rule *r = rule_of(e->tag);
        if (!r)
            unknown = true;
        else if (r->what == OURS || (r->what == STORED_CREATE && !create))
            ours = true;
        if (!r || (r->what != STORED && (r->what != STORED_CREATE || !create))) continue;
        if (e->vr[0] && strcmp(e->vr, "UN") != 0 && strcmp(e->vr, r->vr) != 0)
            return SPD_UPS_INVALID_VALUE;
        if (create && (e->tag == 0x00741002 || e->tag == 0x00741216)) {
            if (e->n_items) return SPD_UPS_INVALID_VALUE; /* nothing has been performed yet */
            continue;
        }
        if (create && !e->value.len && !e->n_items) continue; /* type 2, not known: ours stands */
        struct spd_attribute *a = SPD_LIST_ADD(&ret->attributes, arena);
        a->tag = e->tag;
        a->json = spd_ups_attribute_json(d, e, r->vr, arena);
        if (!a->json.len) return SPD_UPS_RESOURCES;
        a->complete = e->tag == 0x00741216 && performed_is_complete(e);
    }
    return ours && !create ? SPD_UPS_COERCED
           : unknown       ? create ? SPD_UPS_MODIFIED : SPD_UPS_NOT_SUPPORTED_OPTIONAL
                           : SPD_UPS_OK;
}

bool spd_ups_merge(struct spd_workitem *w, const struct spd_attribute *v, size_t n,
                   struct spd_arena *arena)
{
    size_t bytes = 0;
    SPD_LIST_OWN(&w->attributes, arena);
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        while (at < w->attributes.n && w->attributes.v[at].tag != v[i].tag)
            at++;
        if (at == w->attributes.n) SPD_LIST_PUSH(&w->attributes, arena);
        w->attributes.v[at] = v[i];
    }
    for (size_t i = 0; i < w->attributes.n; i++)
        bytes += w->attributes.v[i].json.len + 16;
    return bytes <= VALUES_MAX;
}
