/* hl7/map/out_report.c: the report: MSH, PID, PV1 and the item's order groups of the source with
 * the text as OBX, as ORU^R01 or MDM^T02; everything else of the source is left out. */
#include "hl7/map/out_int.h"

struct report {
    spd_sv text, by;
    spd_sv state, at; /* on the wire */
    spd_sv status;
};

static void add_text(struct hl7_draft *d, const struct report *r, struct spd_str *out)
{
    const char f = d->m.d.field, c = d->m.d.comp;
    size_t n = 0;
    spd_sv text = spd_sv_trim(r->text);
    for (size_t from = 0, i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '\n') continue;
        spd_sv line = spd_sv_of(text.ptr + from, i - from);
        while (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        from = i + 1;
        spd_str_addf(out, "OBX%c%zu%cTX%c18782-3%cRadiology report%cLN%c%c", f, ++n, f, f, c, c, f,
                     f);
        spd_str_add(out, hl7_draft_text(d, line));
        spd_str_addf(out, "%c%c%c%c%c%c", f, f, f, f, f, f);
        spd_str_add(out, r->state);
        spd_str_addf(out, "%c%c%c", f, f, f);
        spd_str_add(out, r->at);
        spd_str_addc(out, '\r');
    }
}

static void set_orders(struct hl7_draft *d, const struct report *r, const struct hl7_group *g,
                       size_t n)
{
    for (size_t i = 0; i < n && d->rc == SPD_OK; i++) {
        if (g[i].orc < d->m.n_segs) hl7_draft_set(d, g[i].orc, 1, 0, 0, SPD_SV("RE"));
        if (g[i].obr >= d->m.n_segs) continue;
        hl7_draft_set(d, g[i].obr, 22, 0, 0, r->at);
        hl7_draft_set(d, g[i].obr, 25, 0, 0, r->state);
        hl7_draft_set_text(d, g[i].obr, 32, r->by);
    }
}

static void add_orders(struct hl7_draft *d, const struct report *r, bool with_text,
                       const struct hl7_group *g, size_t n, struct spd_str *out)
{
    for (size_t i = 0; i < n; i++) {
        size_t zds = hl7_seg_find(&d->m, "ZDS", g[i].first);
        if (i == 0 || g[i].orc != g[i - 1].orc) hl7_draft_copy(d, g[i].orc, out);
        hl7_draft_copy(d, g[i].obr, out);
        if (i == 0 && with_text) add_text(d, r, out);
        if (zds < g[i].end) hl7_draft_copy(d, zds, out);
    }
}

/* The number of an order as its ORC, else its OBR, has it; still escaped. */
static spd_sv number_of(struct hl7_draft *d, const struct hl7_group *g, unsigned field)
{
    struct hl7_value v = {SPD_SV_NONE, HL7_ABSENT};
    if (d->rc == SPD_OK && g->orc < d->m.n_segs) v = hl7_field(&d->m, &d->m.segs[g->orc], field);
    if (d->rc == SPD_OK && v.is != HL7_VALUE && g->obr < d->m.n_segs)
        v = hl7_field(&d->m, &d->m.segs[g->obr], field);
    return v.is == HL7_VALUE ? v.raw : SPD_SV_NONE;
}

/* TXA: what kind of document, of which order, by whom, and how far it is (table 0271). */
static void add_txa(struct hl7_draft *d, const struct report *r, const struct hl7_group *g,
                    struct spd_str *out)
{
    const bool final = !spd_sv_is(r->status, "P");
    const spd_sv at = r->at, by = hl7_draft_text(d, r->by);
    const spd_sv fields[] = {SPD_SV("1"),
                             SPD_SV("DI"),
                             SPD_SV("TX"),
                             at,
                             by,
                             at,
                             SPD_SV_NONE,
                             SPD_SV_NONE,
                             by,
                             SPD_SV_NONE,
                             SPD_SV_NONE,
                             hl7_draft_text(d, d->o->control_id),
                             SPD_SV_NONE,
                             number_of(d, g, 2),
                             number_of(d, g, 3),
                             SPD_SV_NONE,
                             final ? SPD_SV("AU") : SPD_SV("PA"),
                             SPD_SV_NONE,
                             SPD_SV("AV")};
    spd_str_addz(out, "TXA");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        spd_str_addc(out, d->m.d.field);
        spd_str_add(out, fields[i]);
    }
    if (final && by.len) { /* TXA-22: who authenticated it */
        for (int i = 0; i < 3; i++)
            spd_str_addc(out, d->m.d.field);
        spd_str_add(out, by);
    }
    spd_str_addc(out, '\r');
}

static void build(struct hl7_draft *d, const struct hl7_profile *p, struct report *r,
                  struct spd_str *out)
{
    struct hl7_group g[HL7_OUT_GROUPS];
    size_t n = hl7_draft_groups(d, g);
    bool mdm = p->form == HL7_FORM_MDM_T02;
    r->at = hl7_draft_now(d), r->state = hl7_draft_text(d, r->status);
    set_orders(d, r, g, n);
    hl7_draft_header(d);
    if (mdm)
        hl7_draft_type(d, "MDM", "T02", "MDM_T02");
    else
        hl7_draft_type(d, "ORU", "R01", NULL);
    if (d->rc != SPD_OK) return;
    hl7_draft_copy(d, 0, out);
    if (mdm) spd_str_addf(out, "EVN%cT02%c%.*s\r", d->m.d.field, d->m.d.field, SPD_SV_ARG(r->at));
    hl7_draft_copy(d, hl7_seg_find(&d->m, "PID", 0), out);
    hl7_draft_copy(d, hl7_seg_find(&d->m, "PV1", 0), out);
    add_orders(d, r, !mdm, g, n, out);
    if (mdm) add_txa(d, r, &g[0], out), add_text(d, r, out);
    if (d->rc == SPD_OK) d->rc = out->rc;
}

enum spd_rc hl7_map_report(spd_sv source, spd_sv text, spd_sv status, spd_sv by,
                           const struct hl7_out_options *o, struct spd_str *out,
                           struct spd_err *err)
{
    struct hl7_draft d;
    struct report r = {.text = text, .by = by, .status = status};
    size_t before = out->len;
    hl7_draft_open(&d, source, true, o, err);
    const struct hl7_profile *p = hl7_draft_profile(&d, HL7_OUT_REPORT);
    if (d.rc == SPD_OK) build(&d, p, &r, out);
    enum spd_rc rc = hl7_draft_close(&d, NULL);
    if (rc != SPD_OK && out->ptr)
        out->len = before, out->ptr[before] = 0; /* nothing half-built leaves */
    return rc;
}
