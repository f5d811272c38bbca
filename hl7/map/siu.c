/* hl7/map/siu.c: SIU: when, where and on what an order is to be done; see read.h.
 *
 * SCH-26 and SCH-27 name the orders, AIS, AIG and AIL what, on what and where; a message may have
 * several of each. Only what names an order is of use here: a bare appointment cannot be found
 * again. */
#include "hl7/map/site.h"

enum { MAX_ORDERS = 50 };

static const struct {
    const char *name;
    bool off;
} triggers[] = {
    {"S12", false}, {"S13", false}, {"S14", false}, {"S15", true}, {"S16", true},
    {"S17", true},  {"S18", false}, {"S19", false}, {"S26", true},
};

struct service { /* one AIS */
    struct spd_code code;
    struct hl7_procedure procedure;
    bool imaging;
    spd_usec at;
};

/* ---- what is booked -------------------------------------------------------------------------- */
static void read_service(const struct hl7_read *r, const struct hl7_seg *ais, struct service *ret)
{
    static const struct {
        unsigned comp;
        bool code;
    } places[] = {{1, true}, {2, false}, {4, true}, {5, false}};
    *ret = (struct service){
        .code = {hl7_text_of(r, ais, 3, 1), hl7_text_of(r, ais, 3, 3), hl7_text_of(r, ais, 3, 2)}};
    ret->at = hl7_read_time(r, hl7_field(r->m, ais, 4));
    ret->imaging = r->o->procedure && ret->code.code.len &&
                   r->o->procedure(r->o->procedure_ctx, ret->code.code, &ret->procedure);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        bool found;
        spd_sv said =
            hl7_word_service(hl7_text_of(r, ais, 3, places[i].comp), places[i].code, &found);
        ret->imaging |= found;
        if (!ret->procedure.modality.len) ret->procedure.modality = said;
    }
}

/* The n-th segment of that name, from 0; NULL. */
static const struct hl7_seg *nth(const struct hl7_read *r, const char *id, size_t n)
{
    size_t i = hl7_seg_find(r->m, id, 0);
    while (n-- && i < r->m->n_segs)
        i = hl7_seg_find(r->m, id, i + 1);
    return i < r->m->n_segs ? &r->m->segs[i] : NULL;
}

static void add_service(const struct hl7_read *r, const struct service *s, struct spd_order_in *o)
{
    bool coded = s->code.code.len || s->code.text.len;
    if (coded) *SPD_LIST_ADD(&o->procedures, r->arena) = s->code;
    if (!o->modality.len) o->modality = s->procedure.modality;
    if (!o->body_part.len) o->body_part = s->procedure.body_part, o->region = s->procedure.region;
    if (s->imaging) o->known_only = 0;
    if (s->at && (!o->scheduled || s->at < o->scheduled)) o->scheduled = s->at;
}

/* One service per order where there are as many of both, else every order has all of them. */
static void read_services(const struct hl7_read *r, struct spd_appointment_event *ret)
{
    size_t n = 0;
    while (nth(r, "AIS", n))
        n++;
    for (size_t i = 0; i < n && i < MAX_ORDERS; i++) {
        struct service s;
        read_service(r, nth(r, "AIS", i), &s);
        for (size_t k = 0; k < ret->orders.n; k++)
            if (n != ret->orders.n || i == k) add_service(r, &s, &ret->orders.v[k]);
    }
}

/* ---- which orders ---------------------------------------------------------------------------- */
static void read_orders(const struct hl7_read *r, const struct hl7_seg *sch,
                        struct spd_appointment_event *ret)
{
    struct hl7_at at = {NULL, HL7_NO_SEG, HL7_NO_SEG};
    struct hl7_value placers = hl7_field(r->m, sch, 26), fillers = hl7_field(r->m, sch, 27);
    size_t n = placers.is == HL7_VALUE ? hl7_reps(r->m, placers.raw) : 0;
    size_t m = fillers.is == HL7_VALUE ? hl7_reps(r->m, fillers.raw) : 0;
    if (m > n) n = m;
    for (unsigned i = 1; i <= n && i <= MAX_ORDERS; i++) {
        struct spd_order_in o = {.known_only = 1};
        hl7_read_ei(r, hl7_rep(r->m, placers, i), r->o->accession_issuer, &o.placer);
        hl7_read_ei(r, hl7_rep(r->m, fillers, i), r->o->accession_issuer, &o.filler);
        if (n == 1)
            hl7_take_id(r, &at, hl7_fact(r, HL7_F_ACCESSION), r->o->accession_issuer, &o.accession);
        if (o.placer.value.len || o.filler.value.len || o.accession.value.len)
            *SPD_LIST_ADD(&ret->orders, r->arena) = o;
    }
    if (n) return;
    struct spd_order_in o = {.known_only = 1};
    if (hl7_take_id(r, &at, hl7_fact(r, HL7_F_ACCESSION), r->o->accession_issuer, &o.accession))
        *SPD_LIST_ADD(&ret->orders, r->arena) = o;
}

static spd_usec start_of(const struct hl7_read *r, const struct hl7_seg *sch)
{
    const struct hl7_value when[] = {
        hl7_field(r->m, nth(r, "AIG", 0), 8), hl7_field(r->m, nth(r, "AIL", 0), 6),
        hl7_field(r->m, nth(r, "TQ1", 0), 7), hl7_get(r->m, sch, 11, 1, 4, 0)};
    spd_usec at = 0;
    for (size_t i = 0; i < sizeof when / sizeof when[0] && !at; i++)
        at = hl7_read_time(r, when[i]);
    return at;
}

enum hl7_no hl7_read_siu(struct hl7_read *r, spd_sv trigger, struct spd_appointment_event *ret)
{
    size_t pid = hl7_seg_find(r->m, "PID", 0);
    const struct hl7_seg *sch = nth(r, "SCH", 0);
    size_t t = 0, n = sizeof triggers / sizeof triggers[0];
    while (t < n && !spd_sv_is(trigger, triggers[t].name))
        t++;
    if (t == n) return HL7_NO_NOT_FOR_US;
    ret->trigger = trigger, ret->off = triggers[t].off;
    if (sch) read_orders(r, sch, ret);
    if (!ret->orders.n) return HL7_NO_NOT_FOR_US;
    if (pid == r->m->n_segs) return HL7_NO_PATIENT;
    hl7_read_patient(r, &r->m->segs[pid], &ret->patient);
    if (!ret->patient.ids.n) return HL7_NO_IDENTIFIER;
    hl7_read_visit(r, &ret->location, &ret->patient_class);
    ret->appointment = hl7_text_of(r, sch, 2, 1); /* the scheduler's own number, else the asker's */
    if (!ret->appointment.len) ret->appointment = hl7_text_of(r, sch, 1, 1);
    ret->room = hl7_text_of(r, nth(r, "AIL", 0), 3, 2);
    if (!ret->room.len) ret->room = hl7_text_of(r, nth(r, "AIL", 0), 3, 1);
    read_services(r, ret);
    spd_usec start = start_of(r, sch);
    for (size_t i = 0; i < ret->orders.n; i++) {
        if (!ret->orders.v[i].scheduled) ret->orders.v[i].scheduled = start;
        ret->orders.v[i].station_ae = hl7_text_of(r, nth(r, "AIG", 0), 3, 1);
    }
    ret->source_time = hl7_clamp_time(r, hl7_read_time(r, hl7_field(r->m, &r->m->segs[0], 7)));
    ret->future = r->future;
    return HL7_NO;
}
