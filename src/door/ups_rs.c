/* src/door/ups_rs.c: see ups_rs.h. */
#include "door/ups_rs.h"

enum { LIMIT_USUAL = 1000, LIMIT_MAX = 10000 };

static const struct name {
    const char *keyword;
    uint32_t tag;
    char vr[3];
} names[] = {
    {"AccessionNumber", 0x00080050, "SH"},
    {"ActualHumanPerformersSequence", 0x00404035, "SQ"},
    {"AdmissionID", 0x00380010, "LO"},
    {"CodeMeaning", 0x00080104, "LO"},
    {"CodeValue", 0x00080100, "SH"},
    {"CodingSchemeDesignator", 0x00080102, "SH"},
    {"CurrentPatientLocation", 0x00380300, "LO"},
    {"ExpectedCompletionDateTime", 0x00404011, "DT"},
    {"FillerOrderNumberImagingServiceRequest", 0x00402017, "LO"},
    {"HumanPerformerCodeSequence", 0x00404009, "SQ"},
    {"HumanPerformerName", 0x00404037, "PN"},
    {"HumanPerformerOrganization", 0x00404036, "LO"},
    {"InputInformationSequence", 0x00404021, "SQ"},
    {"InputReadinessState", 0x00404041, "CS"},
    {"IssuerOfAccessionNumberSequence", 0x00080051, "SQ"},
    {"IssuerOfPatientID", 0x00100021, "LO"},
    {"LocalNamespaceEntityID", 0x00400031, "UT"},
    {"OutputInformationSequence", 0x00404033, "SQ"},
    {"PatientBirthDate", 0x00100030, "DA"},
    {"PatientID", 0x00100020, "LO"},
    {"PatientName", 0x00100010, "PN"},
    {"PatientSex", 0x00100040, "CS"},
    {"PlacerOrderNumberImagingServiceRequest", 0x00402016, "LO"},
    {"ProcedureStepLabel", 0x00741204, "LO"},
    {"ProcedureStepProgressInformationSequence", 0x00741002, "SQ"},
    {"ProcedureStepState", 0x00741000, "CS"},
    {"ReferencedRequestSequence", 0x0040A370, "SQ"},
    {"ReferencedSOPInstanceUID", 0x00081155, "UI"},
    {"ReplacedProcedureStepSequence", 0x00741224, "SQ"},
    {"RequestedProcedureCodeSequence", 0x00321064, "SQ"},
    {"RequestedProcedureID", 0x00401001, "SH"},
    {"RequestingPhysician", 0x00321032, "PN"},
    {"SOPClassUID", 0x00080016, "UI"},
    {"SOPInstanceUID", 0x00080018, "UI"},
    {"ScheduledHumanPerformersSequence", 0x00404034, "SQ"},
    {"ScheduledProcedureStepModificationDateTime", 0x00404010, "DT"},
    {"ScheduledProcedureStepPriority", 0x00741200, "CS"},
    {"ScheduledProcedureStepStartDateTime", 0x00404005, "DT"},
    {"ScheduledStationClassCodeSequence", 0x00404026, "SQ"},
    {"ScheduledStationGeographicLocationCodeSequence", 0x00404027, "SQ"},
    {"ScheduledStationNameCodeSequence", 0x00404025, "SQ"},
    {"ScheduledWorkitemCodeSequence", 0x00404018, "SQ"},
    {"StudyInstanceUID", 0x0020000D, "UI"},
    {"UnifiedProcedureStepPerformedProcedureSequence", 0x00741216, "SQ"},
    {"WorklistLabel", 0x00741202, "LO"},
};

static bool hex_tag(spd_sv v, uint32_t *ret)
{
    uint32_t tag = 0;
    if (v.len != 8) return false;
    for (size_t i = 0; i < 8; i++) {
        int c = v.ptr[i] | 0x20, d = c >= '0' && c <= '9'   ? c - '0'
                                     : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                            : -1;
        if (d < 0) return false;
        tag = tag << 4 | (uint32_t)d;
    }
    *ret = tag;
    return true;
}

/* One step of a path: eight hexadecimal digits, or a keyword. */
static bool step(spd_sv v, struct spd_find_key *k)
{
    uint32_t tag = 0;
    bool hex = hex_tag(v, &tag);
    if (k->depth == SPD_FIND_DEPTH) return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (hex ? names[i].tag == tag : spd_sv_is(v, names[i].keyword)) {
            tag = names[i].tag;
            memcpy(k->vr, names[i].vr, sizeof k->vr);
            hex = true;
        }
    if (!hex) return false;
    k->path[k->depth++] = tag;
    return true;
}

static bool key_of(const struct spd_ups_key *in, struct spd_find_key *k)
{
    spd_sv rest = in->name;
    size_t dot;
    *k = (struct spd_find_key){.value = in->value};
    for (; spd_sv_find(rest, SPD_SV("."), &dot); rest.ptr += dot + 1, rest.len -= dot + 1)
        if (!step(spd_sv_of(rest.ptr, dot), k)) return false;
    return step(rest, k);
}

static bool number(spd_sv v, size_t max, size_t *ret)
{
    int64_t n;
    if (!spd_sv_to_i64(v, &n) || n < 0) return false;
    *ret = (size_t)n < max ? (size_t)n : max;
    return true;
}

/* A list of UIDs has commas here, and backslashes in DICOM (PS3.18 §8.3.4.1). */
static spd_sv listed(const struct spd_find_key *k, struct spd_arena *arena)
{
    spd_sv v = spd_arena_dup(arena, k->value);
    for (size_t i = 0; !strcmp(k->vr, "UI") && i < v.len; i++)
        if (v.ptr[i] == ',') ((char *)(uintptr_t)v.ptr)[i] = '\\';
    return v;
}

enum spd_rc spd_ups_rs_keys(const struct spd_ups_key *v, size_t n, struct spd_find_query *ret,
                            size_t *ret_limit, size_t *ret_offset, struct spd_arena *arena,
                            struct spd_err *err)
{
    static const char *const ignored[] = {"includefield", "fuzzymatching", "accept", "Accept",
                                          "charset",      "deletionlock",  "orderby"};
    *ret = (struct spd_find_query){.keys = SPD_NEW_N(arena, struct spd_find_key, n + 1)};
    *ret_limit = LIMIT_USUAL, *ret_offset = 0;
    for (size_t i = 0; i < n; i++) {
        bool skip = false;
        for (size_t k = 0; k < sizeof ignored / sizeof *ignored; k++)
            skip |= spd_sv_is(v[i].name, ignored[k]);
        if (skip) continue;
        if (spd_sv_is(v[i].name, "limit")) {
            if (!number(v[i].value, LIMIT_MAX, ret_limit))
                return spd_fail(err, SPD_INVALID, "limit", "limit is not a number");
        } else if (spd_sv_is(v[i].name, "offset")) {
            if (!number(v[i].value, SIZE_MAX, ret_offset))
                return spd_fail(err, SPD_INVALID, "offset", "offset is not a number");
        } else if (!key_of(&v[i], &ret->keys[ret->n_keys])) {
            return spd_fail(err, SPD_INVALID, "query",
                            "a matching key is neither a tag nor a keyword of a workitem");
        } else {
            ret->keys[ret->n_keys].value = listed(&ret->keys[ret->n_keys], arena);
            ret->n_keys++;
        }
    }
    return SPD_OK;
}

enum spd_rc spd_ups_rs_body(spd_sv body, struct spd_dcm *ret, struct spd_arena *arena,
                            struct spd_err *err)
{
    *ret = (struct spd_dcm){.charset = SPD_SV("ISO_IR 192")};
    return spd_sv_trim(body).len ? spd_dcm_from_json(body, ret, arena, err) : SPD_OK;
}

struct writing {
    struct spd_str *out;
    struct spd_arena *arena;
    size_t skip, left, n;
    bool more;
};

static bool write_one(void *ctx, const struct spd_dcm_set *set)
{
    struct writing *w = ctx;
    struct spd_dcm d = {.set = *set, .charset = SPD_SV("ISO_IR 192")};
    if (w->skip) {
        w->skip--;
        return true;
    }
    if (!w->left) {
        w->more = true;
        return false;
    }
    w->left--;
    if (w->n++) spd_str_addc(w->out, ',');
    spd_arena_reset(w->arena);
    spd_dcm_to_json(&d, w->out, w->arena);
    return spd_str_ok(w->out);
}

size_t spd_ups_rs_search(struct spd_ups_door *u, const struct spd_find_query *q, size_t limit,
                         size_t offset, struct spd_str *out, bool *ret_more)
{
    struct writing w = {out, spd_arena_new((size_t)16 << 20), offset, limit, 0, false};
    if (!w.arena) spd_out_of_memory();
    spd_str_addc(out, '[');
    spd_ups_search(u, q, true, write_one, &w);
    spd_str_addc(out, ']');
    spd_arena_free(w.arena);
    *ret_more = w.more;
    return w.n;
}
