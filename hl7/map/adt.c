/* hl7/map/adt.c: ADT: where a patient is, and which numbers are one patient; see read.h. Not here:
 * what a merge does to orders (src/core/merge.c).
 *
 * One table says what each trigger event means (HL7 v2 chapter 3); events that are not in it are
 * not for us. In a merge PID-3 goes on and MRG-1 ended; a message may hold several pairs of PID and
 * MRG.
 */
#include "hl7/map/site.h"

enum means { PLACE, MERGE, MOVE_ACCOUNT, MOVE_VISIT, LINK, UNLINK };
enum flags { ADMITTED = 1, DISCHARGED = 2, PLANNED = 4, CANCELLED = 8 };

struct trigger {
    const char *name;
    enum means means;
    unsigned flags;
};

/* A35, A41, A42, A49 to A51 change the numbers of accounts and visits, not of patients. */
static const struct trigger triggers[] = {
    {"A01", PLACE, ADMITTED}, {"A02", PLACE, ADMITTED}, {"A03", PLACE, DISCHARGED},
    {"A04", PLACE, ADMITTED}, {"A05", PLACE, PLANNED},  {"A06", PLACE, ADMITTED},
    {"A07", PLACE, ADMITTED}, {"A08", PLACE, 0},        {"A11", PLACE, CANCELLED},
    {"A12", PLACE, ADMITTED}, {"A13", PLACE, ADMITTED}, {"A18", MERGE, 0},
    {"A24", LINK, 0},         {"A28", PLACE, 0},        {"A30", MERGE, 0},
    {"A31", PLACE, 0},        {"A34", MERGE, 0},        {"A36", MERGE, 0},
    {"A37", UNLINK, 0},       {"A39", MERGE, 0},        {"A40", MERGE, 0},
    {"A43", MERGE, 0},        {"A44", MOVE_ACCOUNT, 0}, {"A45", MOVE_VISIT, 0},
    {"A46", MERGE, 0},        {"A47", MERGE, 0},
};

static const struct trigger *trigger_named(spd_sv name)
{
    for (size_t i = 0; i < sizeof triggers / sizeof triggers[0]; i++)
        if (spd_sv_is(name, triggers[i].name)) return &triggers[i];
    return NULL;
}

void hl7_read_encounter(const struct hl7_read *r, struct spd_cx *ret_account,
                        struct spd_cx *ret_visit)
{
    struct hl7_at at = {NULL, HL7_NO_SEG, HL7_NO_SEG};
    ret_account->value = hl7_fact_text(r, &at, HL7_F_ACCOUNT);
    ret_visit->value = hl7_fact_text(r, &at, HL7_F_VISIT);
    if (ret_account->value.len) ret_account->authority = r->o->patient_authority;
    if (ret_visit->value.len) ret_visit->authority = r->o->patient_authority;
}

/* ---- merges ---------------------------------------------------------------------------------- */
/* The number of `in` that stands for this one: of the same authority, else the first. NULL: none
 * but itself. */
static const struct spd_cx *counterpart(const struct spd_patient *in, const struct spd_cx *of)
{
    bool same = false;
    for (size_t i = 0; i < in->ids.n; i++) {
        if (!spd_sv_eq(in->ids.v[i].authority, of->authority)) continue;
        if (!spd_cx_eq(&in->ids.v[i], of)) return &in->ids.v[i];
        same = true;
    }
    return same || !in->ids.n ? NULL : &in->ids.v[0];
}

static struct spd_cx number(const struct hl7_read *r, const struct hl7_seg *mrg, unsigned field,
                            const struct spd_cx *otherwise)
{
    spd_sv value = hl7_text_of(r, mrg, field, 1);
    return value.len ? (struct spd_cx){value, r->o->patient_authority} : *otherwise;
}

static void add_pairs(const struct hl7_read *r, const struct spd_patient *from,
                      const struct spd_patient *to, const struct spd_merge_in *scope,
                      struct spd_patient_event *ret)
{
    for (size_t i = 0; i < from->ids.n; i++) {
        const struct spd_cx *other = counterpart(to, &from->ids.v[i]);
        struct spd_merge_in m = *scope;
        if (!other) continue;
        m.from = from->ids.v[i], m.to = *other;
        *SPD_LIST_ADD(&ret->merges, r->arena) = m;
    }
}

/* False: a move that does not say of what. */
static bool read_scope(const struct hl7_read *r, const struct trigger *t, const struct hl7_seg *mrg,
                       const struct spd_patient_event *e, struct spd_merge_in *ret)
{
    *ret = (struct spd_merge_in){0};
    if (t->means == MOVE_ACCOUNT) ret->account = number(r, mrg, 3, &e->account);
    if (t->means == MOVE_VISIT) ret->visit = number(r, mrg, 5, &e->visit);
    return (t->means != MOVE_ACCOUNT || ret->account.value.len) &&
           (t->means != MOVE_VISIT || ret->visit.value.len);
}

static enum hl7_no read_merges(struct hl7_read *r, const struct trigger *t,
                               struct spd_patient_event *ret)
{
    struct spd_patient to = {0};
    bool any = false;
    for (size_t i = 0; i < r->m->n_segs; i++) {
        const struct hl7_seg *s = &r->m->segs[i];
        struct hl7_group only = {r->m->n_segs, r->m->n_segs, i, i + 1};
        struct hl7_at at = {&only, HL7_NO_SEG, HL7_NO_SEG};
        struct spd_patient from = {0};
        struct spd_merge_in scope;
        if (hl7_seg_is(s, "PID")) {
            memset(&to, 0, sizeof to);
            hl7_read_patient(r, s, &to);
        }
        if (!hl7_seg_is(s, "MRG")) continue;
        hl7_read_ids(r, &at, HL7_F_PRIOR_IDS, &from);
        if (!from.ids.n || !to.ids.n || !read_scope(r, t, s, ret, &scope)) continue;
        any = true;
        add_pairs(r, &from, &to, &scope, ret);
    }
    if (!any) return HL7_NO_PRIOR;
    return ret->merges.n ? HL7_NO : HL7_NO_NOT_FOR_US; /* a number that becomes itself */
}

/* Two PIDs: both numbers go on, as one patient or as two. */
static enum hl7_no read_link(struct hl7_read *r, struct spd_patient_event *ret)
{
    static const struct spd_merge_in everything = {0};
    size_t first = hl7_seg_find(r->m, "PID", 0), second = hl7_seg_find(r->m, "PID", first + 1);
    struct spd_patient other = {0};
    if (second >= r->m->n_segs) return HL7_NO_PRIOR;
    hl7_read_patient(r, &r->m->segs[second], &other);
    if (!other.ids.n) return HL7_NO_PRIOR;
    add_pairs(r, &other, &ret->patient, &everything, ret);
    return ret->merges.n ? HL7_NO : HL7_NO_NOT_FOR_US;
}

/* ---- where ----------------------------------------------------------------------------------- */
static void read_place(const struct hl7_read *r, const struct trigger *t,
                       struct spd_patient_event *ret)
{
    size_t pv1 = hl7_seg_find(r->m, "PV1", 0);
    hl7_read_visit(r, &ret->location, &ret->patient_class);
    ret->admitted = (t->flags & ADMITTED) != 0;
    ret->discharged = (t->flags & DISCHARGED) != 0;
    ret->planned = (t->flags & PLANNED) != 0;
    ret->cancelled = (t->flags & CANCELLED) != 0;
    /* "N": a patient without a visit; what else the segment holds is filling. */
    ret->no_place = spd_sv_is(ret->patient_class, "N");
    if (ret->cancelled && pv1 < r->m->n_segs)
        ret->prior_location = hl7_text_of(r, &r->m->segs[pv1], 6, 1);
}

enum hl7_no hl7_read_adt(struct hl7_read *r, spd_sv trigger, struct spd_patient_event *ret)
{
    size_t pid = hl7_seg_find(r->m, "PID", 0), evn = hl7_seg_find(r->m, "EVN", 0);
    const struct hl7_seg *event = evn < r->m->n_segs ? &r->m->segs[evn] : NULL;
    if (!trigger.len) trigger = hl7_text_of(r, event, 1, 1); /* before 2.3.1 MSH-9 was the type */
    const struct trigger *t = trigger_named(trigger);
    if (!t) return HL7_NO_NOT_FOR_US;
    if (pid == r->m->n_segs) return HL7_NO_PATIENT;
    hl7_read_patient(r, &r->m->segs[pid], &ret->patient);
    if (!ret->patient.ids.n) return HL7_NO_IDENTIFIER;
    ret->trigger = trigger;
    hl7_read_encounter(r, &ret->account, &ret->visit);
    spd_usec at = event ? hl7_read_time(r, hl7_field(r->m, event, 2)) : 0;
    if (!at) at = hl7_read_time(r, hl7_field(r->m, &r->m->segs[0], 7));
    ret->source_time = hl7_clamp_time(r, at);
    ret->future = r->future;
    ret->unlink = t->means == UNLINK;
    if (t->means == LINK || t->means == UNLINK) return read_link(r, ret);
    if (t->means != PLACE) return read_merges(r, t, ret);
    read_place(r, t, ret);
    return HL7_NO;
}
