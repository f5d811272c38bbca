/* hl7/map/order.c: ORM^O01, OMI^O23 and OMG^O19 to orders: groups of segments, identifiers, what is
 * imaging, and several procedures under one accession as one order; see read.h and docs/hl7.md. */
#include "hl7/map/read.h"

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

static const struct hl7_seg *seg_at(const struct hl7_msg *m, size_t i)
{
    return i < m->n_segs ? &m->segs[i] : NULL;
}

const struct hl7_seg *hl7_group_seg(const struct hl7_msg *m, const struct hl7_group *g,
                                    const char *id)
{
    size_t i = hl7_seg_find(m, id, g->first);
    return i < g->end ? &m->segs[i] : NULL;
}

/* ---- identifiers --------------------------------------------------------------------------- */
static bool read_accession(const struct hl7_read *r, const struct hl7_group *g, struct spd_cx *ret)
{
    const struct hl7_seg *obr = seg_at(r->m, g->obr);
    if (hl7_read_ei(r, hl7_get(r->m, hl7_group_seg(r->m, g, "IPC"), 1, 1, 0, 0),
                    r->o->accession_issuer, ret))
        return true;
    struct hl7_value f = hl7_get(r->m, obr, 18, 1, 0, 0);
    spd_sv first = hl7_text(r, hl7_comp(r->m, f, 1)), second = hl7_text(r, hl7_comp(r->m, f, 2));
    if (second.len && first.len <= 3 && hl7_word_is_imaging(first))
        first = second; /* "CT^A123": modality, number */
    if (!first.len) return false;
    *ret = (struct spd_cx){first, r->o->accession_issuer};
    return true;
}

/* ORC and OBR carry the same number; often only one of them says whose it is. */
static void read_id(const struct hl7_read *r, const struct hl7_group *g, unsigned field,
                    struct spd_cx *ret)
{
    struct spd_cx orc = {0}, obr = {0};
    hl7_read_ei(r, hl7_get(r->m, seg_at(r->m, g->orc), field, 1, 0, 0), SPD_SV_NONE, &orc);
    hl7_read_ei(r, hl7_get(r->m, seg_at(r->m, g->obr), field, 1, 0, 0), SPD_SV_NONE, &obr);
    if (!orc.value.len) orc = obr;
    if (!orc.value.len) return;
    if (!orc.authority.len && spd_sv_eq(orc.value, obr.value)) orc.authority = obr.authority;
    if (!orc.authority.len) orc.authority = r->o->accession_issuer;
    *ret = orc;
}

void hl7_group_ids(const struct hl7_read *r, const struct hl7_group *g, struct spd_order_in *ret)
{
    read_accession(r, g, &ret->accession);
    read_id(r, g, 2, &ret->placer);
    read_id(r, g, 3, &ret->filler);
}

/* ---- is it imaging, and what --------------------------------------------------------------- */
static bool service_speaks(const struct hl7_read *r, const struct hl7_seg *obr, spd_sv *modality)
{
    static const struct {
        unsigned field, comp;
        bool code;
    } places[] = {{4, 1, true},  {4, 2, false}, {4, 3, false}, {4, 4, true},
                  {4, 5, false}, {44, 1, true}, {44, 2, false}};
    bool any = false;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        bool found;
        spd_sv t = hl7_text(r, hl7_get(r->m, obr, places[i].field, 1, places[i].comp, 0));
        spd_sv said = hl7_word_service(t, places[i].code, &found);
        any |= found;
        if (!modality->len) *modality = said;
    }
    return any;
}

static bool known_procedure(const struct hl7_read *r, const struct hl7_seg *obr,
                            struct hl7_procedure *ret)
{
    static const struct {
        unsigned field, comp;
    } places[] = {{4, 1}, {4, 4}, {44, 1}};
    for (size_t i = 0; r->o->procedure && i < sizeof places / sizeof places[0]; i++) {
        spd_sv code = hl7_text_of(r, obr, places[i].field, places[i].comp);
        if (code.len && r->o->procedure(r->o->procedure_ctx, code, ret)) return true;
    }
    return false;
}

bool hl7_group_imaging(const struct hl7_read *r, const struct hl7_group *g,
                       struct hl7_procedure *ret)
{
    const struct hl7_seg *obr = seg_at(r->m, g->obr), *ipc = hl7_group_seg(r->m, g, "IPC");
    const struct hl7_seg *zds = hl7_group_seg(r->m, g, "ZDS");
    spd_sv section = hl7_text_of(r, obr, 24, 1), said = SPD_SV_NONE,
           ipc5 = hl7_text_of(r, ipc, 5, 1);
    spd_sv type = hl7_text_of(r, &r->m->segs[0], 9, 1);
    *ret = (struct hl7_procedure){0};
    if (hl7_word_is_lab(section)) return false;
    bool known = known_procedure(r, obr, ret);
    bool speaks = service_speaks(r, obr, &said);
    spd_sv first18 = hl7_text(r, hl7_get(r->m, obr, 18, 1, 1, 0));
    bool in18 = hl7_text(r, hl7_get(r->m, obr, 18, 1, 2, 0)).len && first18.len <= 3 &&
                hl7_word_is_imaging(first18);
    spd_sv from_section = hl7_word_modality(section);
    if (ipc5.len)
        ret->modality = ipc5;
    else if (from_section.len)
        ret->modality = from_section;
    else if (!ret->modality.len)
        ret->modality = in18 ? hl7_word_modality(first18) : said;
    if (ipc || hl7_text_of(r, zds, 1, 1).len || (obr && spd_sv_is(type, "OMI"))) return true;
    return hl7_word_is_imaging(section) || known || speaks || in18;
}

/* ---- one group to one order ---------------------------------------------------------------- */
static void null_field(const struct hl7_read *r, struct hl7_value v, const char *name,
                       struct spd_order_in *ret)
{
    if (v.is == HL7_NULL) *SPD_LIST_ADD(&ret->null_fields, r->arena) = spd_sv_from(name);
}

/* TQ1-9 of any TQ1, else ORC-7.6, OBR-27.6, OBR-5: the first that says anything. */
static void read_priority(const struct hl7_read *r, const struct hl7_group *g,
                          struct spd_order_in *ret)
{
    const struct hl7_seg *orc = seg_at(r->m, g->orc), *obr = seg_at(r->m, g->obr);
    for (size_t i = hl7_seg_find(r->m, "TQ1", g->first); i < g->end && !ret->priority_wire.len;
         i = hl7_seg_find(r->m, "TQ1", i + 1)) {
        ret->priority_wire = hl7_text_of(r, &r->m->segs[i], 9, 1);
        null_field(r, hl7_field(r->m, &r->m->segs[i], 9), "priority", ret);
    }
    if (!ret->priority_wire.len) ret->priority_wire = hl7_text_of(r, orc, 7, 6);
    if (!ret->priority_wire.len) ret->priority_wire = hl7_text_of(r, obr, 27, 6);
    if (!ret->priority_wire.len) ret->priority_wire = hl7_text_of(r, obr, 5, 1);
    if (!ret->priority_wire.len) null_field(r, hl7_field(r->m, obr, 5), "priority", ret);
    ret->priority = (int32_t)hl7_word_priority(ret->priority_wire);
}

static void read_procedure(const struct hl7_read *r, const struct hl7_seg *obr,
                           struct spd_order_in *ret)
{
    static const unsigned fields[] = {4, 44};
    for (size_t i = 0; i < 2; i++) {
        struct spd_code c = {hl7_text_of(r, obr, fields[i], 1), hl7_text_of(r, obr, fields[i], 3),
                             hl7_text_of(r, obr, fields[i], 2)};
        if (!c.text.len) c.text = hl7_text_of(r, obr, fields[i], 5);
        if (!c.code.len && !c.text.len) continue;
        *SPD_LIST_ADD(&ret->procedures, r->arena) = c;
        return; /* OBR-44 only where OBR-4 is empty: they name the same thing */
    }
}

static void add_study(const struct hl7_read *r, spd_sv uid, struct spd_order_in *ret)
{
    if (uid.len && uid.len <= 64) *SPD_LIST_ADD(&ret->study_uids, r->arena) = uid;
}

static void read_studies(const struct hl7_read *r, const struct hl7_group *g,
                         struct spd_order_in *ret)
{
    for (size_t i = hl7_seg_find(r->m, "IPC", g->first); i < g->end;
         i = hl7_seg_find(r->m, "IPC", i + 1))
        add_study(r, hl7_text_of(r, &r->m->segs[i], 3, 1), ret);
    if (!ret->study_uids.n) add_study(r, hl7_text_of(r, hl7_group_seg(r->m, g, "ZDS"), 1, 1), ret);
    null_field(r, hl7_field(r->m, hl7_group_seg(r->m, g, "IPC"), 3), "study_uid", ret);
}

static spd_sv either(spd_sv a, spd_sv b)
{
    return a.len ? a : b;
}

static void read_people(const struct hl7_read *r, const struct hl7_seg *orc,
                        const struct hl7_seg *obr, struct spd_order_in *ret)
{
    spd_sv why = hl7_text_of(r, obr, 31, 2),
           info = hl7_text_max(r, hl7_get(r->m, obr, 13, 1, 0, 0), HL7_INFO_MAX);
    if (!why.len) why = hl7_text_of(r, obr, 31, 1);
    ret->requester = either(hl7_read_name(r, hl7_get(r->m, orc, 12, 1, 0, 0), 2),
                            hl7_read_name(r, hl7_get(r->m, obr, 16, 1, 0, 0), 2));
    ret->callback = either(hl7_text_of(r, obr, 17, 1), hl7_text_of(r, orc, 14, 1));
    ret->clinical_info =
        info.len && why.len && !spd_sv_eq(info, why)
            ? spd_arena_printf(r->arena, "%.*s; %.*s", SPD_SV_ARG(info), SPD_SV_ARG(why))
            : either(info, why);
    null_field(r, hl7_field(r->m, obr, 13), "clinical_info", ret);
    null_field(r, hl7_field(r->m, obr, 16), "requester", ret);
    null_field(r, hl7_field(r->m, obr, 17), "callback", ret);
}

static void read_steps(const struct hl7_read *r, const struct hl7_group *g,
                       const struct hl7_seg *obr, struct spd_order_in *ret)
{
    const struct hl7_seg *ipc = hl7_group_seg(r->m, g, "IPC"), *tq1 = hl7_group_seg(r->m, g, "TQ1");
    const struct hl7_seg *orc = seg_at(r->m, g->orc);
    const struct hl7_value when[] = {hl7_field(r->m, obr, 36), hl7_field(r->m, tq1, 7),
                                     hl7_get(r->m, obr, 27, 1, 4, 0),
                                     hl7_get(r->m, orc, 7, 1, 4, 0), hl7_field(r->m, obr, 6)};
    ret->procedure_id = either(hl7_text_of(r, ipc, 2, 1), hl7_text_of(r, obr, 19, 1));
    ret->step_id = either(hl7_text_of(r, ipc, 4, 1), hl7_text_of(r, obr, 20, 1));
    ret->station_ae = hl7_text_of(r, ipc, 9, 1);
    for (size_t i = 0; i < sizeof when / sizeof when[0] && !ret->scheduled; i++)
        ret->scheduled = hl7_read_time(r, when[i]);
    null_field(r, hl7_field(r->m, obr, 24), "modality", ret);
    null_field(r, hl7_field(r->m, ipc, 2), "procedure_id", ret);
    null_field(r, hl7_field(r->m, ipc, 4), "step_id", ret);
    null_field(r, hl7_field(r->m, ipc, 9), "station_ae", ret);
}

static bool has_ro(const struct hl7_read *r)
{
    for (size_t i = hl7_seg_find(r->m, "ORC", 0); i < r->m->n_segs;
         i = hl7_seg_find(r->m, "ORC", i + 1))
        if (spd_sv_is(hl7_text_of(r, &r->m->segs[i], 1, 1), "RO")) return true;
    return false;
}

void hl7_group_read(struct hl7_read *r, const struct hl7_group *g, struct spd_order_in *ret)
{
    const struct hl7_seg *orc = seg_at(r->m, g->orc), *obr = seg_at(r->m, g->obr);
    spd_sv orc5 = hl7_text_of(r, orc, 5, 1), obr25 = hl7_text_of(r, obr, 25, 1);
    struct hl7_procedure p;
    hl7_word_control(hl7_text_of(r, orc, 1, 1), has_ro(r), ret);
    if (orc5.len && !hl7_word_status(r->o, orc5, false, ret)) ret->status_word = orc5;
    if (obr25.len && !hl7_word_status(r->o, obr25, true, ret) && !ret->status_word.len)
        ret->status_word = obr25;
    if (spd_sv_is(ret->control, "NW"))
        ret->report = 0; /* a new order is no report, whatever OBR-25 says */
    hl7_group_ids(r, g, ret);
    hl7_group_imaging(r, g, &p);
    ret->modality = p.modality, ret->body_part = p.body_part, ret->region = p.region;
    read_priority(r, g, ret);
    read_procedure(r, obr, ret);
    read_studies(r, g, ret);
    read_people(r, orc, obr, ret);
    read_steps(r, g, obr, ret);
    spd_usec at = hl7_read_time(r, hl7_field(r->m, orc, 9));
    if (!at) at = hl7_read_time(r, hl7_field(r->m, &r->m->segs[0], 7));
    ret->source_time = hl7_clamp_time(r, at);
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
    size_t i = hl7_seg_find(r->m, "PV1", 0);
    const struct hl7_seg *pv1 = seg_at(r->m, i);
    ret->location = hl7_text_of(r, pv1, 3, 1);
    ret->patient_class = hl7_text_of(r, pv1, 2, 1);
    for (size_t k = 0; k < ret->orders.n; k++) {
        null_field(r, hl7_field(r->m, pv1, 3), "location", &ret->orders.v[k]);
        null_field(r, hl7_field(r->m, pv1, 2), "patient_class", &ret->orders.v[k]);
    }
}

static bool identified(const struct spd_order_in *o)
{
    return o->accession.value.len || o->placer.value.len || o->filler.value.len;
}

/* A cancel, status or change without any sign of imaging may still be about an order that is known: many
 * systems send no more than ORC then. A new one cannot be, and a laboratory's never is. */
static bool may_be_known(const struct hl7_read *r, const struct hl7_group *g)
{
    static const char *const later[] = {"CA", "OC", "CR", "DC", "OD", "DR", "HD", "RL", "XO", "XX", "XR", "SC", "SN"};
    spd_sv control = hl7_text_of(r, seg_at(r->m, g->orc), 1, 1);
    if (hl7_word_is_lab(hl7_text_of(r, seg_at(r->m, g->obr), 24, 1))) return false;
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
        bool joined = false, ours = hl7_group_imaging(r, &groups[i], &p);
        if (!ours && !may_be_known(r, &groups[i])) continue;
        imaging += ours;
        hl7_group_read(r, &groups[i], &one);
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
    if (!ret->orders.n) return HL7_NO_IDENTIFIER;
    hl7_read_patient(r, &r->m->segs[pid], &ret->patient);
    read_visit(r, ret);
    ret->future = r->future;
    return HL7_NO;
}
