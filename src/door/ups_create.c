/* src/door/ups_create.c: N-CREATE of a workitem, and its twin of UPS-RS, as an order of the core.
 * Here: is what must be there there (PS3.4 table CC.2.5-3), and what is it an order for. See ups.h.
 */
#include "door/ups.h"
#include "door/value.h"

struct create {
    const struct spd_ups_ask *ask;
    const struct spd_dcm *d;
    const struct spd_zone *zone;
    struct spd_arena *arena;
    uint32_t tag; /* that is at fault */
};

static spd_sv text_of(struct create *c, const struct spd_dcm_set *set, uint32_t tag)
{
    return set ? spd_sv_trim(spd_dcm_text(c->d, set, tag, c->arena, NULL)) : SPD_SV_NONE;
}

/* Type 1: it must be there, with a value. */
static unsigned required(struct create *c, uint32_t tag, spd_sv *ret)
{
    c->tag = tag;
    if (!spd_dcm_find(&c->d->set, tag)) return SPD_UPS_MISSING_ATTRIBUTE;
    *ret = text_of(c, &c->d->set, tag);
    return ret->len ? SPD_UPS_OK : SPD_UPS_MISSING_VALUE;
}

/* "20261123143000.000000+0100" as UTC; 0: no such moment. */
static spd_usec moment(struct create *c, spd_sv dt)
{
    size_t sign = dt.len;
    for (size_t i = 8; i < dt.len && sign == dt.len; i++)
        if (dt.ptr[i] == '+' || dt.ptr[i] == '-') sign = i;
    spd_sv offset = spd_sv_of(dt.ptr + sign, dt.len - sign),
           time = dt.len > 8 && sign > 8 ? spd_sv_of(dt.ptr + 8, sign - 8) : SPD_SV_NONE;
    if (!offset.len) offset = spd_dcm_raw(&c->d->set, 0x00080201);
    return dt.len < 8
               ? 0
               : spd_door_when(spd_sv_of(dt.ptr, 8), time, offset,
                               c->ask->peer && c->ask->peer->zone ? c->ask->peer->zone : c->zone);
}

static unsigned state_is_scheduled(struct create *c)
{
    spd_sv state;
    unsigned bad = required(c, 0x00741000, &state);
    if (!bad && !spd_sv_is(state, "SCHEDULED")) bad = SPD_UPS_NOT_SCHEDULED;
    if (bad) return bad;
    c->tag = 0x00081195;
    return text_of(c, &c->d->set, c->tag).len ? SPD_UPS_INVALID_VALUE : SPD_UPS_OK;
}

/* Only readings are kept here. */
static unsigned workitem_code(struct create *c)
{
    const struct spd_dcm_set *code = spd_dcm_item(&c->d->set, 0x00404018);
    c->tag = 0x00404018;
    return !code || (spd_sv_is(text_of(c, code, 0x00080100), "110005") &&
                     spd_sv_is(text_of(c, code, 0x00080102), "DCM"))
               ? SPD_UPS_OK
               : SPD_UPS_INVALID_VALUE;
}

static unsigned priority(struct create *c, struct spd_order_in *o)
{
    static const enum spd_priority of[] = {SPD_PRIORITY_UNSET, SPD_PRIORITY_STAT,
                                           SPD_PRIORITY_URGENT, SPD_PRIORITY_ROUTINE};
    spd_sv word;
    unsigned bad = required(c, 0x00741200, &word);
    int which = bad ? 0 : spd_enum_from(spd_ups_priority_names, word);
    if (bad) return bad;
    if (which <= 0) return SPD_UPS_INVALID_VALUE;
    o->priority = (int32_t)of[which];
    o->priority_wire = word;
    return SPD_UPS_OK;
}

/* Input Readiness State READY: it is there to be read now. */
static unsigned schedule(struct create *c, struct spd_order_in *o)
{
    spd_sv start, ready;
    unsigned bad = required(c, 0x00404005, &start);
    if (bad) return bad;
    o->scheduled = moment(c, start);
    if (!o->scheduled) return SPD_UPS_INVALID_VALUE;
    bad = required(c, 0x00404041, &ready);
    if (bad) return bad;
    int which = spd_enum_from(spd_readiness_names, ready);
    if (which <= 0) return SPD_UPS_INVALID_VALUE;
    o->exam_done = which == SPD_READINESS_READY;
    return SPD_UPS_OK;
}

static void add_study(struct create *c, struct spd_order_in *o, spd_sv uid)
{
    if (!spd_dcm_is_uid(uid)) return;
    for (size_t i = 0; i < o->study_uids.n; i++)
        if (spd_sv_eq(o->study_uids.v[i], uid)) return;
    *SPD_LIST_ADD(&o->study_uids, c->arena) = uid;
}

static struct spd_cx number(struct create *c, const struct spd_dcm_set *r, uint32_t tag,
                            uint32_t issuer)
{
    struct spd_cx cx = {text_of(c, r, tag), text_of(c, spd_dcm_item(r, issuer), 0x00400031)};
    if (!cx.authority.len && c->ask->peer) cx.authority = c->ask->peer->accession_issuer;
    return cx.value.len ? cx : (struct spd_cx){0};
}

static unsigned request(struct create *c, spd_sv label, struct spd_order_in *o)
{
    const struct spd_dcm_set *r = spd_dcm_item(&c->d->set, 0x0040A370), *code, *in;
    const struct spd_dcm_elem *input = spd_dcm_find(&c->d->set, 0x00404021);
    struct spd_code *p = SPD_LIST_ADD(&o->procedures, c->arena);
    p->text = label;
    if (r) {
        if (c->ask->peer) o->accession = spd_door_accession(c->d, r, c->ask->peer, c->arena);
        o->placer = number(c, r, 0x00402016, 0x00400026);
        o->filler = number(c, r, 0x00402017, 0x00400027);
        add_study(c, o, text_of(c, r, 0x0020000D));
        o->requester = text_of(c, r, 0x00321032);
        o->clinical_info = text_of(c, r, 0x00401002);
        o->procedure_id = text_of(c, r, 0x00401001);
        code = spd_dcm_item(r, 0x00321064);
        p->code = text_of(c, code, 0x00080100), p->scheme = text_of(c, code, 0x00080102);
        if (text_of(c, code, 0x00080104).len)
            p->text = text_of(c, code, 0x00080104);
        else if (text_of(c, r, 0x00321060).len)
            p->text = text_of(c, r, 0x00321060);
    }
    add_study(c, o, text_of(c, &c->d->set, 0x0020000D));
    for (size_t i = 0; input && i < input->n_items; i++) {
        in = &input->items[i];
        add_study(c, o, text_of(c, in, 0x0020000D));
    }
    c->tag = r ? 0x00080050 : 0x0040A370;
    if (o->accession.value.len || o->placer.value.len || o->filler.value.len || o->study_uids.n)
        return SPD_UPS_OK;
    return r ? SPD_UPS_MISSING_VALUE : SPD_UPS_MISSING_ATTRIBUTE;
}

static unsigned patient(struct create *c, struct spd_patient *p)
{
    spd_sv id;
    unsigned bad = required(c, 0x00100020, &id);
    const struct spd_door_peer none = {0};
    if (!bad) spd_door_patient(c->d, c->ask->peer ? c->ask->peer : &none, p, c->arena);
    return bad;
}

unsigned spd_ups_create(const struct spd_ups_ask *ask, const struct spd_zone *zone,
                        struct spd_workitem_event *e, uint32_t *ret_tag, struct spd_arena *arena)
{
    static const struct spd_dcm nothing;
    struct create c = {ask, ask->data ? ask->data : &nothing, zone, arena, 0};
    struct spd_order_in *o = SPD_LIST_ADD(&e->order.orders, arena);
    spd_sv label = SPD_SV_NONE;
    unsigned status = state_is_scheduled(&c);
    o->control = SPD_SV("NW");
    if (!status) status = workitem_code(&c);
    if (!status) status = required(&c, 0x00741204, &label);
    if (!status) status = priority(&c, o);
    if (!status) status = schedule(&c, o);
    if (!status) status = patient(&c, &e->order.patient);
    if (!status) status = request(&c, label, o);
    if (!status) {
        e->order.location = text_of(&c, &c.d->set, 0x00380300);
        if (ask->peer) e->order.message.peer = ask->peer->name;
        c.tag = 0;
        status = spd_ups_take(c.d, true, e, arena);
    }
    *ret_tag = c.tag;
    return status;
}
