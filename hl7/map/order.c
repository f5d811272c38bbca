/* hl7/map/order.c: ORM^O01, OMI^O23 and OMG^O19 to orders: groups of segments, identifiers, what is
 * imaging, and several procedures under one accession as one order; see read.h and docs/hl7.md. */
#include "hl7/map/site.h"

enum { MAX_GROUPS = 256 };

/* ---- groups -------------------------------------------------------------------------------- */
size_t hl7_groups(const struct hl7_msg *m, struct hl7_group *ret, size_t max)
{
    size_t n = 0, end = hl7_seg_find(m, "PID", 0);
    end = hl7_seg_find(m, "PID",
                       end < m->n_segs ? end + 1 : end); /* a second one begins prior results */
    for (size_t i = 0; i < end; i++) {
        bool orc = hl7_seg_is(&m->segs[i], "ORC"), obr = hl7_seg_is(&m->segs[i], "OBR");
        struct hl7_group *g = n ? &ret[n - 1] : NULL;
        if (orc || (obr && (!g || g->obr < m->n_segs))) {
            if (n == max) break;
            ret[n] = (struct hl7_group){m->n_segs, m->n_segs, i, i + 1};
            /* A further OBR under the same ORC is ordered by that ORC. */
            if (obr && g) ret[n].orc = g->orc;
            g = &ret[n++];
        }
        if (!g) continue;
        if (orc) g->orc = i;
        if (obr) g->obr = i;
        g->end = i + 1;
    }
    return n;
}

bool hl7_groups_left(const struct hl7_msg *m, const struct hl7_group *g, size_t n, bool others)
{
    for (size_t i = n ? g[n - 1].end : m->n_segs; i < m->n_segs; i++) {
        if (!others && hl7_seg_is(&m->segs[i], "PID")) return false;
        if (hl7_seg_is(&m->segs[i], "ORC") || hl7_seg_is(&m->segs[i], "OBR")) return true;
    }
    return false;
}

const struct hl7_seg *hl7_group_seg(const struct hl7_msg *m, const struct hl7_group *g,
                                    const char *id)
{
    size_t i = hl7_seg_find(m, id, g->first);
    return i < g->end ? &m->segs[i] : NULL;
}

static struct hl7_at at_group(const struct hl7_group *g)
{
    return (struct hl7_at){g, HL7_NO_SEG, HL7_NO_SEG};
}

/* ---- identifiers --------------------------------------------------------------------------- */
void hl7_group_ids(const struct hl7_read *r, const struct hl7_group *g, struct spd_order_in *ret)
{
    struct hl7_at at = at_group(g);
    hl7_take_id(r, &at, hl7_fact(r, HL7_F_ACCESSION), r->o->accession_issuer, &ret->accession);
    hl7_take_id(r, &at, hl7_fact(r, HL7_F_PLACER), r->o->accession_issuer, &ret->placer);
    hl7_take_id(r, &at, hl7_fact(r, HL7_F_FILLER), r->o->accession_issuer, &ret->filler);
}

/* ---- is it imaging, and what --------------------------------------------------------------- */
static bool service_speaks(const struct hl7_read *r, const struct hl7_at *at, spd_sv *modality)
{
    struct hl7_texts said = hl7_take_all(r, at, hl7_fact(r, HL7_F_SERVICE), HL7_K_EACH, NULL);
    bool any = false;
    for (size_t i = 0; i < said.n; i++) {
        bool found, is_code = said.v[i].len && !memchr(said.v[i].ptr, ' ', said.v[i].len);
        spd_sv word = hl7_word_service(said.v[i], is_code, &found);
        any |= found;
        if (!modality->len) *modality = word;
    }
    return any;
}

static bool known_procedure(const struct hl7_read *r, const struct hl7_at *at,
                            struct hl7_procedure *ret)
{
    struct hl7_texts codes = {NULL, 0};
    if (r->o->procedure)
        codes = hl7_take_all(r, at, hl7_fact(r, HL7_F_PROCEDURE_CODE), HL7_K_EACH, NULL);
    for (size_t i = 0; i < codes.n; i++)
        if (r->o->procedure(r->o->procedure_ctx, codes.v[i], ret)) {
            hl7_trace_add(r, "order.body_part", ret->body_part, codes.v[i],
                          SPD_SV("procedures table"));
            return true;
        }
    return false;
}

/* What the group says it is, with *ret_nulled where it deletes the modality. */
static bool read_imaging(const struct hl7_read *r, const struct hl7_group *g,
                         struct hl7_procedure *ret, bool *ret_nulled)
{
    struct hl7_at at = at_group(g);
    spd_sv section = hl7_fact_text(r, &at, HL7_F_SECTION), said = SPD_SV_NONE, own;
    *ret = (struct hl7_procedure){0};
    *ret_nulled = false;
    if (hl7_word_is_lab(section)) return false;
    bool known = known_procedure(r, &at, ret);
    bool speaks = service_speaks(r, &at, &said);
    spd_sv modality = hl7_fact_or_null(r, &at, HL7_F_MODALITY, ret_nulled);
    if (modality.len)
        ret->modality = modality;
    else if (!ret->modality.len)
        ret->modality = said;
    if ((own = hl7_fact_text(r, &at, HL7_F_BODY_PART)).len) ret->body_part = own;
    if ((own = hl7_fact_text(r, &at, HL7_F_REGION)).len) ret->region = own;
    if (hl7_group_seg(r->m, g, "IPC") ||
        hl7_take_all(r, &at, hl7_fact(r, HL7_F_STUDY_UID), HL7_K_UID, NULL).n ||
        (g->obr < r->m->n_segs && spd_sv_is(hl7_text_of(r, &r->m->segs[0], 9, 1), "OMI")))
        return true;
    return hl7_word_is_imaging(section) || known || speaks || modality.len;
}

bool hl7_group_imaging(const struct hl7_read *r, const struct hl7_group *g,
                       struct hl7_procedure *ret)
{
    bool nulled;
    return read_imaging(r, g, ret, &nulled);
}

/* ---- one group to one order ---------------------------------------------------------------- */
static void null_field(const struct hl7_read *r, bool nulled, const char *name,
                       struct spd_order_in *ret)
{
    if (nulled) *SPD_LIST_ADD(&ret->null_fields, r->arena) = spd_sv_from(name);
}

static spd_sv text_or_null(const struct hl7_read *r, const struct hl7_at *at, enum hl7_fact fact,
                           struct spd_order_in *ret)
{
    bool nulled;
    spd_sv v = hl7_fact_or_null(r, at, fact, &nulled);
    null_field(r, nulled, hl7_fact_rows[fact].key, ret);
    return v;
}

/* The field's own word is kept beside what the table makes of it: an echo is known by it. */
static void read_priority(const struct hl7_read *r, const struct hl7_at *at,
                          struct spd_order_in *ret)
{
    bool nulled;
    spd_sv wire = SPD_SV_NONE,
           word = hl7_take_priority(r, at, hl7_fact(r, HL7_F_PRIORITY), &wire, &nulled);
    null_field(r, nulled, "priority", ret);
    ret->priority_wire = wire;
    ret->priority = (int32_t)hl7_word_priority(word);
    if (wire.len)
        hl7_trace_add(r, "order.order_priority",
                      spd_sv_from(spd_enum_name(spd_priority_names, ret->priority)), wire,
                      ret->priority ? SPD_SV("priority words") : SPD_SV("not a word for priority"));
}

static void add_study(const struct hl7_read *r, spd_sv uid, struct spd_order_in *ret)
{
    if (uid.len && uid.len <= 64) *SPD_LIST_ADD(&ret->study_uids, r->arena) = uid;
}

static void read_studies(const struct hl7_read *r, const struct hl7_at *at, enum hl7_fact fact,
                         struct spd_order_in *ret)
{
    bool nulled;
    struct hl7_texts uids = hl7_take_all(r, at, hl7_fact(r, fact), HL7_K_UID, &nulled);
    for (size_t i = 0; i < uids.n; i++)
        add_study(r, uids.v[i], ret);
    null_field(r, nulled, "study_uid", ret);
}

static void read_more(const struct hl7_read *r, const struct hl7_at *at, struct spd_order_in *ret)
{
    struct spd_code code;
    if (hl7_take_code(r, at, hl7_fact(r, HL7_F_PROCEDURE), &code))
        *SPD_LIST_ADD(&ret->procedures, r->arena) = code;
    read_priority(r, at, ret);
    read_studies(r, at, HL7_F_STUDY_UID, ret);
    ret->requester = text_or_null(r, at, HL7_F_REQUESTER, ret);
    ret->callback = text_or_null(r, at, HL7_F_CALLBACK, ret);
    ret->clinical_info = text_or_null(r, at, HL7_F_CLINICAL_INFO, ret);
    ret->procedure_id = text_or_null(r, at, HL7_F_PROCEDURE_ID, ret);
    ret->step_id = text_or_null(r, at, HL7_F_STEP_ID, ret);
    ret->station_ae = text_or_null(r, at, HL7_F_STATION_AE, ret);
    ret->scheduled = hl7_take_time(r, at, hl7_fact(r, HL7_F_SCHEDULED));
}

static spd_sv control_of(const struct hl7_read *r, const struct hl7_group *g)
{
    struct hl7_at at = at_group(g);
    return hl7_fact_text(r, &at, HL7_F_CONTROL);
}

static bool has_ro(const struct hl7_read *r)
{
    for (size_t i = hl7_seg_find(r->m, "ORC", 0); i < r->m->n_segs;
         i = hl7_seg_find(r->m, "ORC", i + 1)) {
        struct hl7_group g = {i, r->m->n_segs, i, i + 1};
        if (spd_sv_is(control_of(r, &g), "RO")) return true;
    }
    return false;
}

static void read_status(const struct hl7_read *r, const struct hl7_at *at, enum hl7_fact fact,
                        bool in_obr, struct spd_order_in *ret)
{
    spd_sv word = hl7_fact_text(r, at, fact);
    if (!word.len) return;
    bool known = hl7_word_status(r->o, word, in_obr, ret);
    if (!known && !ret->status_word.len) ret->status_word = word;
    if (!known)
        hl7_trace_add(r, "order.status_word", word, SPD_SV_NONE,
                      SPD_SV("not a known status: changes nothing, is shown"));
}

/* p, no_modality: what read_imaging has said of the group. */
static void group_read(struct hl7_read *r, const struct hl7_group *g, const struct hl7_procedure *p,
                       bool no_modality, struct spd_order_in *ret)
{
    struct hl7_at at = at_group(g);
    hl7_word_control(control_of(r, g), has_ro(r), ret);
    read_status(r, &at, HL7_F_STATUS, false, ret);
    read_status(r, &at, HL7_F_RESULT_STATUS, true, ret);
    if (spd_sv_is(ret->control, "NW"))
        ret->report = 0; /* a new order is no report, whatever OBR-25 says */
    hl7_group_ids(r, g, ret);
    ret->modality = p->modality, ret->body_part = p->body_part, ret->region = p->region;
    null_field(r, no_modality, "modality", ret);
    read_more(r, &at, ret);
    ret->source_time = hl7_clamp_time(r, hl7_take_time(r, &at, hl7_fact(r, HL7_F_SOURCE_TIME)));
}

/* ---- a message to its orders --------------------------------------------------------------- */
static bool same_order(const struct spd_order_in *a, const struct spd_order_in *b, bool same_orc)
{
    if (a->accession.value.len || b->accession.value.len)
        return spd_cx_eq(&a->accession, &b->accession);
    if (!same_orc) return false;
    return spd_cx_eq(&a->placer, &b->placer) && spd_cx_eq(&a->filler, &b->filler);
}

/* b says the same order once more: its procedures and studies join, what a lacks is taken. */
static void join(const struct hl7_read *r, struct spd_order_in *a, const struct spd_order_in *b)
{
    for (size_t i = 0; i < b->procedures.n; i++) {
        bool known = false;
        for (size_t k = 0; k < a->procedures.n; k++)
            known |= spd_desc_equal(&spd_code_desc, &a->procedures.v[k], &b->procedures.v[i]);
        if (!known) *SPD_LIST_ADD(&a->procedures, r->arena) = b->procedures.v[i];
    }
    for (size_t i = 0; i < b->study_uids.n; i++) {
        bool known = false;
        for (size_t k = 0; k < a->study_uids.n; k++)
            known |= spd_sv_eq(a->study_uids.v[k], b->study_uids.v[i]);
        if (!known) add_study(r, b->study_uids.v[i], a);
    }
    a->known_only &= b->known_only; /* one procedure of imaging makes it one */
    if (!a->modality.len) a->modality = b->modality;
    if (!a->body_part.len) a->body_part = b->body_part, a->region = b->region;
    if (!a->placer.value.len) a->placer = b->placer;
    if (!a->filler.value.len) a->filler = b->filler;
    if (!a->scheduled || (b->scheduled && b->scheduled < a->scheduled)) a->scheduled = b->scheduled;
    if (b->priority && (!a->priority || b->priority < a->priority)) /* the more urgent one */
        a->priority = b->priority, a->priority_wire = b->priority_wire;
    /* An order is cancelled or done only when all of its procedures are. */
    if (a->cancel && !b->cancel) a->cancel = 0, a->order = b->order, a->control = b->control;
    a->exam_done &= b->exam_done;
    if (!b->report) a->report = 0;
}

static void read_visit(const struct hl7_read *r, struct spd_order_event *ret)
{
    struct hl7_at at = {NULL, HL7_NO_SEG, HL7_NO_SEG};
    bool no_place, no_class;
    ret->location = hl7_fact_or_null(r, &at, HL7_F_LOCATION, &no_place);
    ret->patient_class = hl7_fact_or_null(r, &at, HL7_F_PATIENT_CLASS, &no_class);
    hl7_read_encounter(r, &ret->account, &ret->visit);
    for (size_t k = 0; k < ret->orders.n; k++) {
        null_field(r, no_place, "location", &ret->orders.v[k]);
        null_field(r, no_class, "patient_class", &ret->orders.v[k]);
    }
}

static bool identified(const struct spd_order_in *o)
{
    return o->accession.value.len || o->placer.value.len || o->filler.value.len;
}

/* A cancel, status or change without any sign of imaging may still be about an order that is known:
 * many systems send no more than ORC then. A new one cannot be, and a laboratory's never is. */
static bool may_be_known(const struct hl7_read *r, const struct hl7_group *g)
{
    static const char *const later[] = {"CA", "OC", "CR", "DC", "OD", "DR", "HD",
                                        "RL", "XO", "XX", "XR", "SC", "SN"};
    struct hl7_at at = at_group(g);
    spd_sv control = control_of(r, g);
    if (hl7_word_is_lab(hl7_fact_text(r, &at, HL7_F_SECTION))) return false;
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
        if (spd_sv_is(control, later[i])) return true;
    return false;
}

enum hl7_no hl7_read_order(struct hl7_read *r, struct spd_order_event *ret)
{
    struct hl7_group groups[MAX_GROUPS];
    size_t orc_of[MAX_GROUPS], n = hl7_groups(r->m, groups, MAX_GROUPS), imaging = 0;
    size_t pid = hl7_seg_find(r->m, "PID", 0);
    for (size_t i = 0; i < n; i++) {
        struct spd_order_in one = {0};
        struct hl7_procedure p;
        bool no_modality, joined = false, ours = read_imaging(r, &groups[i], &p, &no_modality);
        if (!ours && !may_be_known(r, &groups[i])) continue;
        imaging += ours;
        group_read(r, &groups[i], &p, no_modality, &one);
        one.known_only = !ours;
        if (!identified(&one)) continue;
        for (size_t k = 0; k < ret->orders.n && !joined; k++) {
            bool same_orc = groups[i].orc < r->m->n_segs && groups[i].orc == orc_of[k];
            if ((joined = same_order(&ret->orders.v[k], &one, same_orc)))
                join(r, &ret->orders.v[k], &one);
        }
        if (joined) continue;
        orc_of[ret->orders.n] = groups[i].orc;
        *SPD_LIST_ADD(&ret->orders, r->arena) = one;
    }
    if (!n) return HL7_NO_ORDER;
    if (!imaging && (!ret->orders.n || pid == r->m->n_segs)) return HL7_NO_NOT_FOR_US;
    if (pid == r->m->n_segs) return HL7_NO_PATIENT;
    if (hl7_groups_left(r->m, groups, n, false)) return HL7_NO_MORE;
    if (!ret->orders.n) return HL7_NO_IDENTIFIER;
    hl7_read_patient(r, &r->m->segs[pid], &ret->patient);
    read_visit(r, ret);
    ret->future = r->future;
    return HL7_NO;
}
