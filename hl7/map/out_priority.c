/* hl7/map/out_priority.c: the priority write-back: the source's own bytes but for ORC-1, the
 * priority fields and the header (domain §5). */
#include "hl7/map/out_int.h"

/* Component 6 of every repetition that has one; where none has and must: of the first. */
static unsigned set_tq(struct hl7_draft *d, size_t seg, unsigned field, bool must, spd_sv raw)
{
    unsigned n = 0;
    if (d->rc != SPD_OK || seg >= d->m.n_segs) return 0;
    size_t reps = hl7_reps(&d->m, hl7_field(&d->m, &d->m.segs[seg], field).raw);
    for (unsigned i = 1; i <= reps && i <= 50 && d->rc == SPD_OK; i++)
        if (hl7_get(&d->m, &d->m.segs[seg], field, i, 6, 0).is == HL7_VALUE) {
            hl7_draft_set(d, seg, field, i, 6, raw);
            n++;
        }
    if (!n && must) hl7_draft_set(d, seg, field, 1, 6, raw), n++;
    return n;
}

static unsigned set_field(struct hl7_draft *d, size_t seg, unsigned field, bool must, spd_sv raw)
{
    if (d->rc != SPD_OK || seg >= d->m.n_segs ||
        (!must && hl7_field(&d->m, &d->m.segs[seg], field).is != HL7_VALUE))
        return 0;
    hl7_draft_set(d, seg, field, 0, 0, raw);
    return 1;
}

static bool is_type(const struct hl7_draft *d, const char *type)
{
    return d->rc == SPD_OK && spd_sv_is(hl7_get(&d->m, &d->m.segs[0], 9, 1, 1, 0).raw, type);
}

/* TQ1 came with 2.5 (OMI and OMG have it in every version). */
static bool has_tq1(const struct hl7_draft *d)
{
    spd_sv v = d->rc == SPD_OK ? hl7_get(&d->m, &d->m.segs[0], 12, 1, 1, 0).raw : SPD_SV_NONE;
    return !is_type(d, "ORM") || (v.len >= 3 && memcmp(v.ptr, "2.5", 3) >= 0);
}

static unsigned set_tq1(struct hl7_draft *d, const struct hl7_group *g, bool must, spd_sv raw)
{
    const char f = d->m.d.field;
    unsigned n = 0;
    for (size_t i = g->first; i < g->end && d->rc == SPD_OK; i++)
        if (hl7_seg_is(&d->m.segs[i], "TQ1")) n += set_field(d, i, 9, must, raw);
    if (n || !must) return n;
    if (!has_tq1(d)) {
        hl7_draft_fail(d, "TQ1-9", "the source is of a version without TQ1: name another field");
        return 0;
    }
    hl7_draft_insert(d, g->orc,
                     spd_arena_printf(d->arena, "TQ1%c1%c%c%c%c%c%c%c%c%.*s", f, f, f, f, f, f, f,
                                      f, f, SPD_SV_ARG(raw)));
    return 1;
}

/* TQ1 last: it may add a segment. */
static unsigned set_group(struct hl7_draft *d, const struct hl7_group *g,
                          const spd_sv raw[HL7_IN_N])
{
    unsigned fields = d->o->fields, n = 0;
    const bool all = !fields;
#define WANTED(field) (all || fields >> (field)&1)
    if (WANTED(HL7_IN_ORC_7_6)) n += set_tq(d, g->orc, 7, !all, raw[HL7_IN_ORC_7_6]);
    if (WANTED(HL7_IN_OBR_27_6)) n += set_tq(d, g->obr, 27, !all, raw[HL7_IN_OBR_27_6]);
    if (WANTED(HL7_IN_OBR_5)) n += set_field(d, g->obr, 5, !all, raw[HL7_IN_OBR_5]);
    if (WANTED(HL7_IN_TQ1_9)) n += set_tq1(d, g, !all, raw[HL7_IN_TQ1_9]);
#undef WANTED
    return n;
}

/* The source has no priority anywhere: TQ1-9 where the message has TQ1 (OMI, OMG), else ORC-7.6. */
static void set_default(struct hl7_draft *d, const struct hl7_group *g, const spd_sv raw[HL7_IN_N])
{
    if (d->rc != SPD_OK) return;
    if (is_type(d, "ORM") && hl7_seg_find(&d->m, "TQ1", g->first) >= g->end)
        hl7_draft_set(d, g->orc, 7, 1, 6, raw[HL7_IN_ORC_7_6]);
    else
        set_tq1(d, g, true, raw[HL7_IN_TQ1_9]);
}

enum spd_rc hl7_map_priority(spd_sv source, spd_sv wire, const struct hl7_out_options *o,
                             struct spd_str *out, struct spd_err *err)
{
    struct hl7_draft d;
    struct hl7_group g[HL7_OUT_GROUPS];
    spd_sv raw[HL7_IN_N];
    unsigned set = 0;
    hl7_draft_open(&d, source, false, o, err);
    const struct hl7_profile *p = hl7_draft_profile(&d, HL7_OUT_PRIORITY);
    size_t n = hl7_draft_groups(&d, g);
    for (size_t i = 0; i < HL7_IN_N; i++)
        raw[i] = hl7_draft_text(&d, o->field_wire[i].len ? o->field_wire[i] : wire);
    for (size_t i = n;
         i-- > 0 && d.rc == SPD_OK;) { /* backwards: a new segment moves what follows */
        if (g[i].orc >= d.m.n_segs) hl7_draft_fail(&d, "ORC", "the source message has no ORC");
        hl7_draft_set(&d, g[i].orc, 1, 0, 0, spd_sv_from(p->control));
        set += set_group(&d, &g[i], raw);
    }
    if (!set) set_default(&d, &g[0], raw);
    hl7_draft_header(&d);
    return hl7_draft_close(&d, out);
}
