/* src/ups/dataset.c: the attributes of a workitem, from its item and from what others set on it.
 *
 * Ours (patient, request, priority, times, input) come from the item and cannot be set by others;
 * theirs (progress, performed procedure, labels, stations) stand as they were sent. Where a final
 * state needs something that nobody sent, since the reading was done elsewhere, it is filled here
 * (PS3.4 CC.2.5.1.1). Every attribute of type 2 is there, if need be empty. */
#include <stdio.h>

#include "ups/ups.h"

struct maker {
    const struct spd_item *item;
    const struct spd_workitem *w;
    const struct spd_ups_site *site;
    struct spd_arena *arena;
};

/* Cut to max bytes at a character's start; a backslash would be a second value. */
static spd_sv clean(struct maker *m, spd_sv text, size_t max)
{
    size_t n = text.len < max ? text.len : max;
    while (n && n < text.len && ((unsigned char)text.ptr[n] & 0xC0) == 0x80)
        n--;
    char *p = spd_arena_must(m->arena, n + 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        p[i] = c == '\\' ? '/' : c < 0x20 ? ' ' : (char)c;
    }
    return spd_sv_of(p, n);
}

/* "Jansen, Piet" as DICOM writes it: "Jansen^Piet". */
static spd_sv person(struct maker *m, spd_sv name)
{
    size_t at;
    if (!spd_sv_find(name, SPD_SV(", "), &at)) return clean(m, name, 64);
    return clean(m,
                 spd_arena_printf(m->arena, "%.*s^%.*s", (int)at, name.ptr,
                                  (int)(name.len - at - 2), name.ptr + at + 2),
                 64);
}

static spd_sv date_time(struct maker *m, spd_usec t)
{
    const struct spd_zone *zone = m->site->zone ? m->site->zone : spd_zone_utc();
    if (!t) return SPD_SV_NONE;
    struct spd_civil c = spd_zone_civil(zone, t);
    int offset = spd_zone_offset(zone, t) / 60, minutes = offset < 0 ? -offset : offset;
    return spd_arena_printf(m->arena, "%04d%02d%02d%02d%02d%02d%c%02d%02d", c.year, c.month, c.day,
                            c.hour, c.minute, c.second, offset < 0 ? '-' : '+', minutes / 60,
                            minutes % 60);
}

static void put(struct maker *m, struct spd_dcm_set *to, uint32_t tag, const char *vr, spd_sv v)
{
    spd_dcm_put(to, tag, vr, v, m->arena);
}

/* An issuer's sequence; not there when it is not known. */
static void put_issuer(struct maker *m, struct spd_dcm_set *to, uint32_t tag, spd_sv authority)
{
    if (!authority.len) return;
    put(m, spd_dcm_put_item(to, tag, m->arena), 0x00400031, "UT", clean(m, authority, 64));
}

/* ---- the patient, the request, the input -------------------------------------------------------
 */
static void put_patient(struct maker *m, struct spd_dcm_set *to)
{
    const struct spd_patient *p = &m->item->patient;
    char sex = p->sex.len ? p->sex.ptr[0] : 0;
    put(m, to, 0x00100010, "PN", person(m, p->name));
    put(m, to, 0x00100020, "LO", p->ids.n ? clean(m, p->ids.v[0].value, 64) : SPD_SV_NONE);
    put(m, to, 0x00100021, "LO", p->ids.n ? clean(m, p->ids.v[0].authority, 64) : SPD_SV_NONE);
    put(m, to, 0x00100030, "DA", p->birth_date.len == 8 ? p->birth_date : SPD_SV_NONE);
    put(m, to, 0x00100040, "CS",
        !sex         ? SPD_SV_NONE
        : sex == 'M' ? SPD_SV("M")
        : sex == 'F' ? SPD_SV("F")
                     : SPD_SV("O"));
    for (size_t i = 1; i < p->ids.n; i++) {
        struct spd_dcm_set *other = spd_dcm_put_item(to, 0x00101002, m->arena);
        put(m, other, 0x00100020, "LO", clean(m, p->ids.v[i].value, 64));
        put(m, other, 0x00100021, "LO", clean(m, p->ids.v[i].authority, 64));
    }
    put(m, to, 0x00380010, "LO", SPD_SV_NONE);
    put(m, to, 0x00081080, "LO", SPD_SV_NONE);
    put(m, to, 0x00380300, "LO", clean(m, m->item->location, 64));
}

static void put_request(struct maker *m, struct spd_dcm_set *to)
{
    const struct spd_item *i = m->item;
    const struct spd_code *p = i->procedures.n ? &i->procedures.v[0] : NULL;
    spd_dcm_put_sequence(to, 0x0040A370, m->arena);
    if (i->unmatched) return; /* a result without an order: nobody requested it */
    struct spd_dcm_set *r = spd_dcm_put_item(to, 0x0040A370, m->arena);
    put(m, r, 0x00080050, "SH", clean(m, i->accession.value, 16));
    put_issuer(m, r, 0x00080051, i->accession.authority);
    put(m, r, 0x0020000D, "UI", i->study_uids.n ? i->study_uids.v[0] : SPD_SV_NONE);
    put(m, r, 0x00321032, "PN", person(m, i->requester));
    put(m, r, 0x00321060, "LO", p ? clean(m, p->text.len ? p->text : p->code, 64) : SPD_SV_NONE);
    spd_dcm_put_sequence(r, 0x00321064, m->arena);
    if (p && p->code.len)
        spd_dcm_put_code(r, 0x00321064, clean(m, p->code, 16),
                         p->scheme.len ? clean(m, p->scheme, 16) : SPD_SV("L"),
                         clean(m, p->text.len ? p->text : p->code, 64), m->arena);
    put_issuer(m, r, 0x00400026, i->placer.authority);
    put_issuer(m, r, 0x00400027, i->filler.authority);
    put(m, r, 0x00401001, "SH",
        clean(m, i->procedure_id.len ? i->procedure_id : i->accession.value, 16));
    put(m, r, 0x00401002, "LO", clean(m, i->clinical_info, 64));
    put(m, r, 0x00402016, "LO", clean(m, i->placer.value, 64));
    put(m, r, 0x00402017, "LO", clean(m, i->filler.value, 64));
}

static void put_input(struct maker *m, struct spd_dcm_set *to)
{
    spd_dcm_put_sequence(to, 0x00404021, m->arena);
    for (size_t i = 0; i < m->item->study_uids.n; i++) {
        struct spd_dcm_set *in = spd_dcm_put_item(to, 0x00404021, m->arena);
        spd_dcm_put_sequence(in, 0x00081199, m->arena);
        put(m, in, 0x0020000D, "UI", m->item->study_uids.v[i]);
        put(m, in, 0x0040E020, "CS", SPD_SV("DICOM"));
    }
}

/* ---- scheduling --------------------------------------------------------------------------------
 */
static spd_sv label(struct maker *m)
{
    const struct spd_item *i = m->item;
    const struct spd_code *p = i->procedures.n ? &i->procedures.v[0] : NULL;
    spd_sv what = p ? p->text.len ? p->text : p->code : i->body_part;
    if (i->unmatched)
        return m->site->dutch ? SPD_SV("AI-resultaat zonder aanvraag")
                              : SPD_SV("AI result without an order");
    if (m->w->order_cancelled)
        return m->site->dutch ? SPD_SV("Aanvraag geannuleerd, beelden aanwezig")
                              : SPD_SV("Order cancelled, images present");
    if (!what.len && !i->modality.len) return SPD_SV("Interpretation");
    return clean(m,
                 spd_arena_printf(m->arena, "%.*s%s%.*s", SPD_SV_ARG(i->modality),
                                  i->modality.len && what.len ? " " : "", SPD_SV_ARG(what)),
                 64);
}

static void put_schedule(struct maker *m, struct spd_dcm_set *to)
{
    static const uint32_t stations[] = {0x00404025, 0x00404026, 0x00404027, 0x00404034, 0x00741210};
    const struct spd_item *i = m->item;
    spd_usec start = i->images_complete ? i->images_complete
                     : i->images_first  ? i->images_first
                     : i->exam_done     ? i->exam_done
                     : i->scheduled     ? i->scheduled
                                        : i->created;
    spd_sv why = !i->reasons.n    ? SPD_SV_NONE
                 : m->site->dutch ? i->reasons.v[0].nl
                                  : i->reasons.v[0].en;
    put(m, to, 0x00400400, "LT", clean(m, why, 1024));
    put(m, to, 0x00404005, "DT", date_time(m, start));
    put(m, to, 0x00404010, "DT", date_time(m, m->w->modified));
    if (i->due) put(m, to, 0x00404011, "DT", date_time(m, i->due));
    spd_dcm_put_code(to, 0x00404018, SPD_SV("110005"), SPD_SV("DCM"), SPD_SV("Interpretation"),
                     m->arena);
    for (size_t k = 0; k < sizeof stations / sizeof *stations; k++)
        spd_dcm_put_sequence(to, stations[k], m->arena);
    put(m, to, 0x00404041, "CS", spd_sv_from(spd_enum_name(spd_readiness_names, m->w->readiness)));
    put(m, to, 0x00741200, "CS",
        spd_sv_from(spd_enum_name(spd_ups_priority_names, m->w->priority)));
    put(m, to, 0x00741202, "LO", m->site->name.len ? clean(m, m->site->name, 64) : SPD_SV("Spoed"));
    put(m, to, 0x00741204, "LO", label(m));
}

/* ---- performing --------------------------------------------------------------------------------
 */
static void put_performed(struct maker *m, struct spd_dcm_set *to)
{
    const struct spd_workitem *w = m->w;
    spd_dcm_put_sequence(to, 0x00741216, m->arena);
    if (!w->claimed) return;
    struct spd_dcm_set *p = spd_dcm_put_item(to, 0x00741216, m->arena);
    if (w->performer.len) {
        struct spd_dcm_set *who = spd_dcm_put_item(p, 0x00404035, m->arena);
        put(m, who, 0x00404037, "PN", clean(m, w->performer, 64));
    }
    put(m, p, 0x00404050, "DT", date_time(m, w->claimed));
    if (w->state != SPD_WORKITEM_COMPLETED) return;
    spd_dcm_put_code(p, 0x00404019, SPD_SV("110005"), SPD_SV("DCM"), SPD_SV("Interpretation"),
                     m->arena);
    spd_dcm_put_code(p, 0x00404028, SPD_SV("REPORTING"), SPD_SV("99SPOED"),
                     SPD_SV("Reporting system"), m->arena);
    spd_dcm_put_sequence(p, 0x00404033, m->arena);
    put(m, p, 0x00404051, "DT", date_time(m, w->ended));
}

static void graft(struct maker *m, struct spd_dcm_set *to, const struct spd_dcm_elem *e)
{
    if (strcmp(e->vr, "SQ") != 0) {
        put(m, to, e->tag, e->vr, e->value);
        return;
    }
    put(m, to, e->tag, "SQ", SPD_SV_NONE);
    for (size_t i = 0; i < to->n; i++)
        if (to->v[i].tag == e->tag) to->v[i].items = e->items, to->v[i].n_items = e->n_items;
}

/* What others set stands as it was sent. */
static void put_theirs(struct maker *m, struct spd_dcm_set *to, const struct spd_attribute *v,
                       size_t n)
{
    struct spd_str json = SPD_STR_INIT(1 << 20);
    struct spd_dcm d;
    if (!n) return;
    spd_str_addc(&json, '{');
    for (size_t i = 0; i < n; i++)
        spd_str_addf(&json, "%s\"%08X\":%.*s", i ? "," : "", (unsigned)v[i].tag,
                     SPD_SV_ARG(v[i].json));
    spd_str_addc(&json, '}');
    if (spd_str_ok(&json) && !spd_dcm_from_json(spd_str_sv(&json), &d, m->arena, NULL))
        for (size_t i = 0; i < d.set.n; i++)
            graft(m, to, &d.set.v[i]);
    spd_str_done(&json);
}

/* A cancelled one says when and why (final state code X); by our own hand when nobody said it. */
static void put_discontinued(struct maker *m, struct spd_dcm_set *to)
{
    const struct spd_dcm_elem *e = spd_dcm_find(to, 0x00741002);
    struct spd_dcm_set item = {0};
    if (m->w->state != SPD_WORKITEM_CANCELED) return;
    if (e && e->n_items) /* a copy: the set that was parsed has no room */
        for (size_t i = 0; i < e->items[0].n; i++)
            graft(m, &item, &e->items[0].v[i]);
    if (!spd_dcm_find(&item, 0x0074100E))
        spd_dcm_put_code(&item, 0x0074100E, SPD_SV("110513"), SPD_SV("DCM"),
                         SPD_SV("Discontinued for unspecified reason"), m->arena);
    if (!spd_dcm_find(&item, 0x00741238) && m->w->reason.len)
        put(m, &item, 0x00741238, "LT", clean(m, m->w->reason, 1024));
    if (!spd_dcm_find(&item, 0x00404052))
        put(m, &item, 0x00404052, "DT", date_time(m, m->w->ended));
    graft(m, to, &(struct spd_dcm_elem){.tag = 0x00741002, .vr = "SQ"});
    *spd_dcm_put_item(to, 0x00741002, m->arena) = item;
}

void spd_ups_dataset(const struct spd_item *item, const struct spd_workitem *w,
                     const struct spd_ups_site *site, struct spd_dcm_set *ret,
                     struct spd_arena *arena)
{
    struct maker m = {item, w, site, arena};
    *ret = (struct spd_dcm_set){0};
    put(&m, ret, 0x00080005, "CS", SPD_SV("ISO_IR 192"));
    put(&m, ret, 0x00080016, "UI", SPD_SV(SPD_UPS_PUSH));
    put(&m, ret, 0x00080018, "UI", w->uid);
    put_patient(&m, ret);
    put(&m, ret, 0x0020000D, "UI", item->study_uids.n ? item->study_uids.v[0] : SPD_SV_NONE);
    put_request(&m, ret);
    put_input(&m, ret);
    put_schedule(&m, ret);
    put(&m, ret, 0x00741000, "CS", spd_sv_from(spd_enum_name(spd_workitem_state_names, w->state)));
    spd_dcm_put_sequence(ret, 0x00741002, arena);
    put_performed(&m, ret);
    if (w->replaces.len) {
        struct spd_dcm_set *old = spd_dcm_put_item(ret, 0x00741224, arena);
        put(&m, old, 0x00081150, "UI", SPD_SV(SPD_UPS_PUSH));
        put(&m, old, 0x00081155, "UI", w->replaces);
    }
    put_theirs(&m, ret, w->attributes.v, w->attributes.n);
    put_discontinued(&m, ret);
}

/* ---- events ------------------------------------------------------------------------------------
 */
static void put_status_change(struct maker *m, struct spd_dcm_set *to)
{
    put(m, to, 0x00741242, "CS", SPD_SV("RESTARTED"));
    put(m, to, 0x00741244, "CS", SPD_SV("WARM START"));
    put(m, to, 0x00741246, "CS", SPD_SV("WARM START"));
}

void spd_ups_report_dataset(const struct spd_workitem_report *r, struct spd_dcm_set *ret,
                            struct spd_arena *arena)
{
    struct maker m = {NULL, NULL, NULL, arena};
    *ret = (struct spd_dcm_set){0};
    if (r->kind == SPD_UPS_STATE) {
        put(&m, ret, 0x00404041, "CS",
            spd_sv_from(spd_enum_name(spd_readiness_names, r->readiness)));
        put(&m, ret, 0x00741000, "CS",
            spd_sv_from(spd_enum_name(spd_workitem_state_names, r->state)));
    } else if (r->kind == SPD_UPS_CANCEL_REQUESTED) {
        put(&m, ret, 0x00741236, "AE", clean(&m, r->by, 16));
    } else if (r->kind == SPD_UPS_SCP_STATUS) {
        put_status_change(&m, ret);
    }
    put_theirs(&m, ret, r->attributes.v, r->attributes.n);
}

void spd_ups_report_json(const struct spd_workitem_report *r, struct spd_str *out,
                         struct spd_arena *arena)
{
    struct spd_dcm d = {.charset = SPD_SV("ISO_IR 192")};
    struct spd_str info = SPD_STR_INIT(1 << 20);
    spd_ups_report_dataset(r, &d.set, arena);
    spd_dcm_to_json(&d, &info, arena);
    spd_str_addf(out,
                 "{\"00000002\":{\"vr\":\"UI\",\"Value\":[\"%s\"]},"
                 "\"00000110\":{\"vr\":\"US\",\"Value\":[%d]},"
                 "\"00001000\":{\"vr\":\"UI\",\"Value\":[\"%.*s\"]},"
                 "\"00001002\":{\"vr\":\"US\",\"Value\":[%d]}",
                 SPD_UPS_PUSH, (int)(r->id & 0xFFFF), SPD_SV_ARG(r->uid), (int)r->kind);
    if (info.len > 2) {
        spd_str_addc(out, ',');
        spd_str_add(out, spd_sv_of(info.ptr + 1, info.len - 1));
    } else {
        spd_str_addc(out, '}');
    }
    spd_str_done(&info);
}
