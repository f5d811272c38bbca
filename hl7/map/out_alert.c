/* hl7/map/out_alert.c: alerts as ORU^R40 of HL7 2.6 (IHE ACM, transaction PCD-04), or as an ORU^R01
 * with the same facts coded, for systems that have no R40.
 *
 * Only codes, times and names of ours: nothing that a receiver could take for a report, and never a
 * final status (an F may be released to the patient by itself). */
#include "hl7/map/out_int.h"

struct phase { /* what a phase is called in ACM; all written, indexed by enum spd_alert_phase */
    const char *event, *state, *inactivation, *status;
};
static const struct phase phases[SPD_ALERT_PHASE_N] = {
    [SPD_ALERT_PHASE_UNSET] = {"", "", "", "R"},
    [SPD_PHASE_START] = {"start", "active", "enabled", "R"},
    [SPD_PHASE_ACKNOWLEDGED] = {"continue", "active", "alert-acknowledged", "R"},
    [SPD_PHASE_REOPENED] = {"continue", "active", "enabled", "R"},
    [SPD_PHASE_CORRECTED] = {"update", "active", "enabled", "R"},
    [SPD_PHASE_WITHDRAWN] = {"end", "inactive", "enabled", "D"},
    [SPD_PHASE_RESOLVED] = {"end", "inactive", "enabled", "R"},
};

struct alert {
    struct hl7_draft *d;
    const struct spd_alert_out *x;
    const struct phase *phase;
    const char *at; /* on the wire */
    bool acm;
    unsigned n; /* OBX written */
    struct spd_str *out;
};

/* "PH" high, "PM" medium, "PL" low; what is less than that is advisory. */
static const char *acm_priority(int level)
{
    static const char *const words[] = {"PN", "PH", "PM", "PL"};
    return level > 0 && level < 4 ? words[level] : words[0];
}

/* code^text^scheme, escaped. */
static spd_sv coded(struct hl7_draft *d, spd_sv code, spd_sv text, spd_sv scheme)
{
    const char c = d->m.d.comp;
    spd_sv a = hl7_draft_text(d, code), b = hl7_draft_text(d, text), s = hl7_draft_text(d, scheme);
    return spd_arena_printf(d->arena, "%.*s%c%.*s%c%.*s", SPD_SV_ARG(a), c, SPD_SV_ARG(b), c,
                            SPD_SV_ARG(s));
}

static spd_sv ours(struct hl7_draft *d, const char *code, const char *text)
{
    return coded(d, spd_sv_from(code), spd_sv_from(text), SPD_SV("99SPOED"));
}

static spd_sv mdc(struct hl7_draft *d, const char *number, const char *name)
{
    return coded(d, spd_sv_from(number), spd_sv_from(name), SPD_SV("MDC"));
}

/* One OBX; id and value are on the wire already. */
static void obx(struct alert *a, const char *type, spd_sv id, spd_sv value, spd_sv flags)
{
    const char f = a->d->m.d.field;
    if (a->d->rc != SPD_OK || !value.len) return;
    a->n++;
    spd_str_addf(a->out, "OBX%c%u%c%s%c", f, a->n, f, type, f);
    spd_str_add(a->out, id);
    spd_str_addf(a->out, "%c1.0.0.0.%u%c", f, a->n, f);
    spd_str_add(a->out, value);
    spd_str_addf(a->out, "%c%c%c", f, f, f);
    spd_str_add(a->out, flags);
    spd_str_addf(a->out, "%c%c%c%s%c%c%c%s\r", f, f, f, a->phase->status, f, f, f, a->at);
}

/* What the model called it, and our own name beside it. */
static spd_sv finding(struct hl7_draft *d, const struct spd_alert_out *x)
{
    spd_sv name = d->o->dutch ? x->concept_nl : x->concept_en;
    spd_sv own = coded(d, x->concept.len ? x->concept : SPD_SV("alert"), name, SPD_SV("99SPOED"));
    if (!x->code.code.len) return own;
    return spd_arena_printf(d->arena, "%.*s%c%.*s",
                            SPD_SV_ARG(coded(d, x->code.code, x->code.text, x->code.scheme)),
                            d->m.d.comp, SPD_SV_ARG(own));
}

static spd_sv plain_text(struct hl7_draft *d, spd_sv text)
{
    return hl7_draft_text(d, text);
}

static spd_sv reading(struct hl7_draft *d, const struct spd_alert_out *x)
{
    if (x->read)
        return ours(d, "opened",
                    d->o->dutch ? "AI; een radioloog heeft het onderzoek geopend"
                                : "AI; a radiologist has opened the study");
    return ours(d, "unread",
                d->o->dutch ? "AI, voordat een radioloog het heeft beoordeeld"
                            : "AI, before a radiologist has read");
}

/* The seven facets of ACM, in the order and under the numbers that it gives them. */
static void add_facets(struct alert *a)
{
    struct hl7_draft *d = a->d;
    const char *level = acm_priority(a->x->level);
    spd_sv none = SPD_SV_NONE;
    obx(a, "CWE", mdc(d, "196616", "MDC_EVT_ALARM"), finding(d, a->x),
        spd_arena_printf(d->arena, "%s%cSP", level, d->m.d.rep));
    obx(a, "ST", mdc(d, "68480", "MDC_ATTR_ALERT_SOURCE"),
        plain_text(d, spd_arena_printf(d->arena, "AI %.*s", SPD_SV_ARG(a->x->model))), none);
    obx(a, "ST", mdc(d, "68481", "MDC_ATTR_EVENT_PHASE"), spd_sv_from(a->phase->event), none);
    obx(a, "ST", mdc(d, "68482", "MDC_ATTR_ALARM_STATE"), spd_sv_from(a->phase->state), none);
    obx(a, "ST", mdc(d, "68483", "MDC_ATTR_ALARM_INACTIVATION_STATE"),
        spd_sv_from(a->phase->inactivation), none);
    obx(a, "ST", mdc(d, "68484", "MDC_ATTR_ALARM_PRIORITY"), spd_sv_from(level), none);
    obx(a, "ST", mdc(d, "68485", "MDC_ATTR_ALERT_TYPE"), SPD_SV("SP"), none);
}

static spd_sv when(struct hl7_draft *d, spd_usec t)
{
    return t ? hl7_draft_time(d, t) : SPD_SV_NONE;
}

/* What ACM has no facet for, under codes of our own; the same in both forms. */
static void add_own(struct alert *a)
{
    struct hl7_draft *d = a->d;
    const struct spd_alert_out *x = a->x;
    spd_sv none = SPD_SV_NONE;
    if (!a->acm) {
        obx(a, "CWE", ours(d, "finding", "AI finding"), finding(d, x),
            x->phase == SPD_PHASE_WITHDRAWN ? none
            : x->level == 1                 ? SPD_SV("AA")
                                            : SPD_SV("A"));
        obx(a, "ST", ours(d, "model", "AI product"), plain_text(d, x->model), none);
    }
    obx(a, "CWE", ours(d, "reading", "Reading state"), reading(d, x), none);
    obx(a, "ST", ours(d, "phase", "Alert phase"),
        spd_sv_from(spd_enum_name(spd_alert_phase_names, x->phase)), none);
    obx(a, "ST", ours(d, "level", "Level"), plain_text(d, x->level_name), none);
    obx(a, "ST", ours(d, "site", "Site"), plain_text(d, x->site), none);
    obx(a, "ST", ours(d, "laterality", "Laterality"), plain_text(d, x->laterality), none);
    obx(a, "TS", ours(d, "result-time", "Time of the AI result"), when(d, x->result_at), none);
    obx(a, "TS", ours(d, "paged-since", "Paging began"), when(d, x->started), none);
    obx(a, "ST", ours(d, "by", "Acknowledged or resolved by"), plain_text(d, x->by), none);
    obx(a, "ST", coded(d, SPD_SV("113014"), SPD_SV("DICOM Study"), SPD_SV("DCM")),
        plain_text(d, x->study_uid), none);
}

/* Without the source's ORC fields beyond its numbers: status and priority there are the order's. */
static void add_order(struct alert *a, const struct hl7_group *g)
{
    struct hl7_draft *d = a->d;
    const char f = d->m.d.field, c = d->m.d.comp;
    const struct hl7_seg *orc = g->orc < d->m.n_segs ? &d->m.segs[g->orc] : NULL,
                         *obr = g->obr < d->m.n_segs ? &d->m.segs[g->obr] : NULL;
    spd_sv number[2], accession = hl7_draft_text(d, d->o->item->accession.value),
                      modality = hl7_draft_text(d, d->o->item->modality), service;
    for (unsigned i = 0; i < 2; i++) {
        struct hl7_value v = hl7_field(&d->m, orc, i + 2);
        if (v.is != HL7_VALUE) v = hl7_field(&d->m, obr, i + 2);
        number[i] = v.is == HL7_VALUE ? v.raw : SPD_SV_NONE;
    }
    service = a->acm ? mdc(d, "196616", "MDC_EVT_ALARM") : hl7_field(&d->m, obr, 4).raw;
    spd_str_addf(a->out, "ORC%cRE%c%.*s%c%.*s\r", f, f, SPD_SV_ARG(number[0]), f,
                 SPD_SV_ARG(number[1]));
    spd_str_addf(a->out, "OBR%c1%c%.*s%c", f, f, SPD_SV_ARG(number[0]), f);
    if (a->acm) /* the alert's own number: the same in all that is told of it */
        spd_str_addf(a->out, "%lld%cSPOED", (long long)a->x->alert, c);
    else
        spd_str_add(a->out, number[1]);
    spd_str_addf(a->out, "%c%.*s%c%c%c%.*s", f, SPD_SV_ARG(service), f, f, f,
                 SPD_SV_ARG(when(d, a->x->started)));
    for (int i = 7; i < 18; i++)
        spd_str_addc(a->out, f);
    spd_str_addf(a->out, "%.*s%c%c%c%c%s%c%c%.*s%cR\r", SPD_SV_ARG(accession), f, f, f, f, a->at, f,
                 f, SPD_SV_ARG(modality), f);
}

static void build(struct hl7_draft *d, const struct hl7_profile *p, const struct spd_alert_out *x,
                  struct spd_str *out)
{
    struct hl7_group g[HL7_OUT_GROUPS];
    struct alert a = {.d = d, .x = x, .acm = p->form == HL7_FORM_ORU_R40, .out = out};
    hl7_draft_groups(d, g);
    a.at = hl7_draft_time(d, x->at).ptr;
    a.at = spd_arena_dup(d->arena, spd_sv_of(a.at, 14)).ptr;
    a.phase = &phases[(unsigned)x->phase < SPD_ALERT_PHASE_N ? x->phase : 0];
    hl7_draft_header(d);
    if (a.acm) {
        hl7_draft_type(d, "ORU", "R40", "ORU_R40");
        if (!d->o->msh_12.len) hl7_draft_set(d, 0, 12, 0, 0, SPD_SV("2.6"));
    } else {
        hl7_draft_type(d, "ORU", "R01", NULL);
    }
    if (d->rc != SPD_OK) return;
    hl7_draft_copy(d, 0, out);
    hl7_draft_copy(d, hl7_seg_find(&d->m, "PID", 0), out);
    hl7_draft_copy(d, hl7_seg_find(&d->m, "PV1", 0), out);
    add_order(&a, &g[0]);
    if (a.acm) add_facets(&a);
    add_own(&a);
    if (d->rc == SPD_OK) d->rc = out->rc;
}

enum spd_rc hl7_map_alert(spd_sv source, const struct spd_alert_out *alert,
                          const struct hl7_out_options *o, struct spd_str *out, struct spd_err *err)
{
    struct hl7_draft d;
    size_t before = out->len;
    hl7_draft_open(&d, source, true, o, err);
    const struct hl7_profile *p = hl7_draft_profile(&d, HL7_OUT_ALERT);
    if (d.rc == SPD_OK) build(&d, p, alert, out);
    enum spd_rc rc = hl7_draft_close(&d, NULL);
    if (rc != SPD_OK && out->ptr)
        out->len = before, out->ptr[before] = 0; /* nothing half-built leaves */
    return rc;
}
