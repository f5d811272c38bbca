/* hl7/map/out.c: what we send: acknowledgements, the priority write-back, reports (map.h, domain
 * §5, §6).
 *
 * The write-back works on the source's own bytes, so that every byte that is not mapped stays. All
 * content of ours goes through hl7_escape and back into the source's character set. */
#include "hl7/map/read.h"
#include "hl7/v2/ack.h"

enum { MAX_GROUPS = 256, MAX_OUT = 32 << 20 };

void hl7_ack_for(spd_sv bytes, enum spd_answer answer, spd_sv text, spd_usec now,
                 const struct spd_zone *zone, spd_sv control_id, struct spd_str *out)
{
    static const char severity[SPD_ANSWER_N] = {
        [SPD_ANSWER_UNSET] = 'A', [SPD_ANSWER_AA] = 'A', [SPD_ANSWER_CA] = 'A',
        [SPD_ANSWER_AE] = 'E',    [SPD_ANSWER_CE] = 'E', [SPD_ANSWER_AR] = 'R',
        [SPD_ANSWER_CR] = 'R'};
    struct spd_arena *arena = spd_arena_new(1 << 16);
    struct hl7_msg m;
    if (!arena) spd_out_of_memory();
    bool known = hl7_msg_header(&m, bytes, NULL) == SPD_OK;
    struct hl7_ack a = {severity[(unsigned)answer < SPD_ANSWER_N ? answer : SPD_ANSWER_UNSET],
                        text,
                        SPD_SV_NONE,
                        SPD_SV_NONE,
                        hl7_write_time(zone, now, arena),
                        control_id};
    hl7_ack_write(known ? &m : NULL, &a, out);
    spd_arena_free(arena);
}

/* ---- a message that is being changed ------------------------------------------------------- */
struct draft {
    struct spd_str text, next;
    struct hl7_msg m;
    struct spd_arena *parse, *arena;
    const char *set;
    enum spd_rc rc;
    struct spd_err *err;
};

static void reread(struct draft *d)
{
    if (d->rc != SPD_OK) return;
    spd_arena_reset(d->parse);
    d->rc = hl7_msg_parse(&d->m, spd_str_sv(&d->text), d->parse, d->err);
}

static void swap(struct draft *d)
{
    struct spd_str t = d->text;
    d->text = d->next;
    d->next = t;
    spd_str_clear(&d->next);
    reread(d);
}

static void set_raw(struct draft *d, size_t seg, unsigned field, unsigned rep, unsigned comp,
                    spd_sv raw)
{
    if (d->rc != SPD_OK) return;
    d->rc = hl7_msg_set(&d->m, seg, field, rep, comp, 0, raw, &d->next, d->err);
    if (d->rc == SPD_OK) swap(d);
}

/* Typographic characters that a small character set lacks, and what stands for them. */
static spd_sv plain(spd_sv text, struct spd_arena *arena)
{
    static const struct {
        const char *from, *to;
    } table[] = {{"\u2018", "'"}, {"\u2019", "'"},  {"\u201C", "\""},  {"\u201D", "\""},
                 {"\u2013", "-"}, {"\u2014", "-"},  {"\u2026", "..."}, {"\u00A0", " "},
                 {"\u2022", "-"}, {"\u2265", ">="}, {"\u2264", "<="}};
    char *to = spd_arena_must(arena, text.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.len;) {
        size_t k = 0, step = 1;
        for (; k < sizeof table / sizeof table[0]; k++) {
            step = strlen(table[k].from);
            if (text.len - i >= step && !memcmp(text.ptr + i, table[k].from, step)) break;
        }
        if (k < sizeof table / sizeof table[0]) {
            memcpy(to + n, table[k].to,
                   strlen(table[k].to)); /* never longer than what it replaces */
            n += strlen(table[k].to), i += step;
        } else {
            to[n++] = text.ptr[i++];
        }
    }
    return spd_sv_of(to, n);
}

/* Our text as it may stand in the message: escaped, in its character set. */
static spd_sv wire_text(struct draft *d, const struct hl7_delims *delims, spd_sv text)
{
    struct spd_str s = SPD_STR_INIT(MAX_OUT);
    spd_sv ret = SPD_SV_NONE;
    if (hl7_charset_encode(d->set, text, &ret, d->arena, NULL) != SPD_OK)
        text = plain(text, d->arena);
    hl7_escape(delims, text, &s);
    enum spd_rc rc = s.rc ? s.rc
                          : hl7_charset_encode(d->set, spd_arena_dup(d->arena, spd_str_sv(&s)),
                                               &ret, d->arena, d->err);
    spd_str_done(&s);
    if (rc != SPD_OK && d->rc == SPD_OK) d->rc = rc;
    return rc == SPD_OK ? ret : SPD_SV_NONE;
}

static void set_text(struct draft *d, size_t seg, unsigned field, spd_sv text)
{
    set_raw(d, seg, field, 0, 0, wire_text(d, &d->m.d, text));
}

static void open_draft(struct draft *d, spd_sv source, struct spd_err *err)
{
    *d = (struct draft){
        .text = SPD_STR_INIT(MAX_OUT), .next = SPD_STR_INIT(MAX_OUT), .err = err, .set = "UTF-8"};
    d->parse = spd_arena_new(MAX_OUT);
    d->arena = spd_arena_new((size_t)8 * MAX_OUT);
    if (!d->parse || !d->arena) spd_out_of_memory();
    d->rc = hl7_charset_of(source, SPD_SV("8859/1"), &d->set, err);
    if (d->rc == SPD_OK && !strcmp(d->set, "ASCII")) d->set = "ISO-8859-1";
    if (d->rc == SPD_OK && (!strcmp(d->set, "GB18030") || !strcmp(d->set, "BIG5")))
        d->rc = spd_fail(err, SPD_INVALID, "MSH-18", "messages in %s are not changed", d->set);
    spd_str_add(&d->text, source);
    reread(d);
}

static enum spd_rc close_draft(struct draft *d, struct spd_str *out)
{
    if (d->rc == SPD_OK && out) {
        spd_str_add(out, spd_str_sv(&d->text));
        d->rc = out->rc;
    }
    spd_str_done(&d->text);
    spd_str_done(&d->next);
    spd_arena_free(d->parse);
    spd_arena_free(d->arena);
    return d->rc == SPD_OK                            ? SPD_OK
           : d->rc == SPD_NOMEM || d->rc == SPD_LIMIT ? d->rc
                                                      : SPD_INVALID;
}

/* ---- which group is the item's ------------------------------------------------------------- */
static bool is_items(const struct hl7_read *r, const struct hl7_group *g,
                     const struct spd_item *item)
{
    struct spd_order_in ids = {0};
    hl7_group_ids(r, g, &ids);
    if (item->accession.value.len && ids.accession.value.len)
        return spd_sv_eq(ids.accession.value, item->accession.value);
    if (item->filler.value.len && ids.filler.value.len)
        return spd_sv_eq(ids.filler.value, item->filler.value);
    return item->placer.value.len && spd_sv_eq(ids.placer.value, item->placer.value);
}

static size_t groups_of_item(struct draft *d, const struct spd_item *item, struct hl7_group *ret)
{
    static const struct hl7_map_options none = {0};
    struct hl7_read r = {&d->m, &none, d->arena, d->set, false, false};
    struct hl7_group all[MAX_GROUPS];
    size_t n = d->rc == SPD_OK ? hl7_groups(&d->m, all, MAX_GROUPS) : 0, k = 0;
    for (size_t i = 0; i < n; i++)
        if (is_items(&r, &all[i], item)) ret[k++] = all[i];
    return k;
}

/* ---- priority ------------------------------------------------------------------------------ */
static void set_header(struct draft *d, const struct hl7_out_options *o)
{
    const spd_sv given[] = {o->msh_3, o->msh_4, o->msh_5, o->msh_6};
    static const unsigned from[] = {5, 6, 3, 4};
    spd_sv old[4], at;
    bool offset;
    if (d->rc != SPD_OK) return;
    for (size_t i = 0; i < 4; i++) /* copies: the message is about to change */
        old[i] = spd_arena_dup(d->arena, hl7_field(&d->m, &d->m.segs[0], from[i]).raw);
    at = hl7_field(&d->m, &d->m.segs[0], 7).raw;
    offset = at.len && (memchr(at.ptr, '+', at.len) || memchr(at.ptr, '-', at.len));
    for (size_t i = 0; i < 4; i++) {
        spd_sv raw = given[i].len ? wire_text(d, &d->m.d, given[i]) : old[i];
        if (!spd_sv_eq(raw, hl7_field(&d->m, &d->m.segs[0], (unsigned)i + 3).raw))
            set_raw(d, 0, (unsigned)i + 3, 0, 0, raw);
    }
    spd_sv now = hl7_write_time(o->zone, o->now, d->arena);
    set_raw(d, 0, 7, 0, 0,
            offset ? now : spd_sv_of(now.ptr, 14)); /* as the source writes its times */
    set_text(d, 0, 10, o->control_id);
}

/* Component 6 of every repetition that has one. */
static unsigned set_tq(struct draft *d, size_t seg, unsigned field, spd_sv raw)
{
    unsigned n = 0;
    if (d->rc != SPD_OK || seg >= d->m.n_segs) return 0;
    size_t reps = hl7_reps(&d->m, hl7_field(&d->m, &d->m.segs[seg], field).raw);
    for (unsigned i = 1; i <= reps && i <= 50 && d->rc == SPD_OK; i++)
        if (hl7_get(&d->m, &d->m.segs[seg], field, i, 6, 0).is == HL7_VALUE) {
            set_raw(d, seg, field, i, 6, raw);
            n++;
        }
    return n;
}

static unsigned set_field(struct draft *d, size_t seg, unsigned field, spd_sv raw)
{
    if (d->rc != SPD_OK || seg >= d->m.n_segs ||
        hl7_field(&d->m, &d->m.segs[seg], field).is != HL7_VALUE)
        return 0;
    set_raw(d, seg, field, 0, 0, raw);
    return 1;
}

static unsigned set_group(struct draft *d, const struct hl7_group *g, spd_sv raw)
{
    unsigned n =
        set_tq(d, g->orc, 7, raw) + set_tq(d, g->obr, 27, raw) + set_field(d, g->obr, 5, raw);
    for (size_t i = g->first; i < g->end && d->rc == SPD_OK; i++)
        if (hl7_seg_is(&d->m.segs[i], "TQ1")) n += set_field(d, i, 9, raw);
    return n;
}

/* The source has no priority anywhere: TQ1-9 where the message has TQ1 (OMI, OMG), else ORC-7.6. */
static void set_default(struct draft *d, const struct hl7_group *g, spd_sv raw)
{
    spd_sv type = hl7_get(&d->m, &d->m.segs[0], 9, 1, 1, 0).raw;
    size_t tq1 = hl7_seg_find(&d->m, "TQ1", g->first);
    if (spd_sv_is(type, "ORM") && tq1 >= g->end) {
        set_raw(d, g->orc, 7, 1, 6, raw);
    } else if (tq1 < g->end) {
        set_raw(d, tq1, 9, 0, 0, raw);
    } else {
        const char f = d->m.d.field;
        spd_sv seg = spd_arena_printf(d->arena, "TQ1%c1%c%c%c%c%c%c%c%c%.*s", f, f, f, f, f, f, f,
                                      f, f, SPD_SV_ARG(raw));
        d->rc = hl7_msg_insert(&d->m, g->orc, seg, &d->next, d->err);
        if (d->rc == SPD_OK) swap(d);
    }
}

enum spd_rc hl7_map_priority(spd_sv source, spd_sv wire, const struct hl7_out_options *o,
                             struct spd_str *out, struct spd_err *err)
{
    struct draft d;
    struct hl7_group g[MAX_GROUPS];
    unsigned set = 0;
    open_draft(&d, source, err);
    size_t n = groups_of_item(&d, o->item, g);
    if (d.rc == SPD_OK && !n)
        d.rc = spd_fail(err, SPD_INVALID, "ORC", "the source message does not hold this order");
    spd_sv raw = d.rc == SPD_OK ? wire_text(&d, &d.m.d, wire) : SPD_SV_NONE;
    for (size_t i = 0; i < n && d.rc == SPD_OK; i++) {
        if (g[i].orc >= d.m.n_segs)
            d.rc = spd_fail(err, SPD_INVALID, "ORC", "the source message has no ORC");
        set_raw(&d, g[i].orc, 1, 0, 0, SPD_SV("XO"));
        set += set_group(&d, &g[i], raw);
    }
    if (d.rc == SPD_OK && !set) set_default(&d, &g[0], raw);
    set_header(&d, o);
    return close_draft(&d, out);
}

/* ---- report -------------------------------------------------------------------------------- */
static void add_segment(struct draft *d, struct spd_str *out, size_t seg, spd_sv eol)
{
    if (seg >= d->m.n_segs) return;
    spd_str_add(out, spd_sv_of(d->m.segs[seg].ptr, d->m.segs[seg].len));
    spd_str_add(out, eol);
}

static void add_text(struct draft *d, spd_sv text, spd_sv status, spd_sv at, struct spd_str *out,
                     spd_sv eol)
{
    const char f = d->m.d.field, c = d->m.d.comp;
    size_t n = 0;
    text = spd_sv_trim(text);
    for (size_t from = 0, i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '\n') continue;
        spd_sv line = spd_sv_of(text.ptr + from, i - from);
        while (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        from = i + 1;
        spd_str_addf(out, "OBX%c%zu%cTX%c18782-3%cRadiology report%cLN%c%c", f, ++n, f, f, c, c, f,
                     f);
        spd_str_add(out, wire_text(d, &d->m.d, line));
        spd_str_addf(out, "%c%c%c%c%c%c", f, f, f, f, f, f);
        spd_str_add(out, status);
        spd_str_addf(out, "%c%c%c", f, f, f);
        spd_str_add(out, at);
        spd_str_add(out, eol);
    }
}

/* MSH, PID, PV1 and the item's order groups of the source, everything else left out. */
static void build_report(struct draft *d, spd_sv text, spd_sv status, spd_sv by,
                         const struct hl7_out_options *o, struct spd_str *out)
{
    struct hl7_group g[MAX_GROUPS];
    size_t n = groups_of_item(d, o->item, g);
    spd_sv at = hl7_write_time(o->zone, o->now, d->arena), eol = SPD_SV("\r");
    if (d->rc == SPD_OK && !n)
        d->rc = spd_fail(d->err, SPD_INVALID, "ORC", "the source message does not hold this order");
    at.len = at.len > 14 ? 14 : at.len;
    spd_sv state = wire_text(d, &d->m.d, status);
    for (size_t i = 0; i < n; i++) {
        if (g[i].orc < d->m.n_segs) set_raw(d, g[i].orc, 1, 0, 0, SPD_SV("RE"));
        if (g[i].obr >= d->m.n_segs) continue;
        set_raw(d, g[i].obr, 22, 0, 0, at);
        set_raw(d, g[i].obr, 25, 0, 0, state);
        set_text(d, g[i].obr, 32, by);
    }
    set_header(d, o);
    if (d->rc != SPD_OK) return;
    char type[] = {'O', 'R', 'U', d->m.d.comp, 'R', '0', '1', 0};
    set_raw(d, 0, 9, 0, 0, spd_sv_from(type));
    if (hl7_field(&d->m, &d->m.segs[0], 21).is == HL7_VALUE)
        set_raw(d, 0, 21, 0, 0, SPD_SV_NONE); /* not that profile */
    if (d->rc != SPD_OK) return;
    add_segment(d, out, 0, eol);
    add_segment(d, out, hl7_seg_find(&d->m, "PID", 0), eol);
    add_segment(d, out, hl7_seg_find(&d->m, "PV1", 0), eol);
    for (size_t i = 0; i < n; i++) {
        size_t zds = hl7_seg_find(&d->m, "ZDS", g[i].first);
        if (i == 0 || g[i].orc != g[i - 1].orc) add_segment(d, out, g[i].orc, eol);
        add_segment(d, out, g[i].obr, eol);
        if (i == 0) add_text(d, text, state, at, out, eol);
        if (zds < g[i].end) add_segment(d, out, zds, eol);
    }
    if (d->rc == SPD_OK) d->rc = out->rc;
}

static void add_cx(struct spd_str *s, const struct hl7_delims *d, const struct spd_cx *id, int ups)
{
    hl7_escape(d, id->value, s);
    for (int i = 0; i < ups && id->authority.len; i++)
        spd_str_addc(s, d->comp);
    if (id->authority.len) hl7_escape(d, id->authority, s);
}

/* Without a source message (the order came another way): a small one from what the item says. */
static void from_item(const struct hl7_out_options *o, struct spd_str *s)
{
    static const struct hl7_delims d = {'|', '^', '~', '\\', '&', 0};
    const struct spd_item *item = o->item;
    size_t comma;
    spd_sv name = item->patient.name;
    spd_str_addz(s, "MSH|^~\\&|||||||||P|2.5.1||||||UNICODE UTF-8\rPID|1||");
    for (size_t i = 0; i < item->patient.ids.n; i++) {
        if (i) spd_str_addc(s, '~');
        add_cx(s, &d, &item->patient.ids.v[i], 3);
    }
    spd_str_addz(s, "||");
    bool two = spd_sv_find(name, SPD_SV(", "), &comma);
    hl7_escape(&d, two ? spd_sv_of(name.ptr, comma) : name, s);
    if (two)
        spd_str_addc(s, '^'),
            hl7_escape(&d, spd_sv_of(name.ptr + comma + 2, name.len - comma - 2), s);
    spd_str_addz(s, "||");
    hl7_escape(&d, item->patient.birth_date, s);
    spd_str_addc(s, '|');
    hl7_escape(&d, item->patient.sex, s);
    spd_str_addz(s, "\rORC|RE|");
    add_cx(s, &d, &item->placer, 1), spd_str_addc(s, '|'), add_cx(s, &d, &item->filler, 1);
    spd_str_addz(s, "\rOBR|1|");
    add_cx(s, &d, &item->placer, 1), spd_str_addc(s, '|'), add_cx(s, &d, &item->filler, 1);
    spd_str_addc(s, '|');
    if (item->procedures.n) {
        hl7_escape(&d, item->procedures.v[0].code, s), spd_str_addc(s, '^');
        hl7_escape(&d, item->procedures.v[0].text, s), spd_str_addc(s, '^');
        hl7_escape(&d, item->procedures.v[0].scheme, s);
    }
    spd_str_addz(s, "||||||||||||||");
    hl7_escape(&d, item->accession.value, s);
    spd_str_addz(s, "||||||");
    hl7_escape(&d, item->modality, s);
    spd_str_addc(s, '\r');
}

enum spd_rc hl7_map_report(spd_sv source, spd_sv text, spd_sv status, spd_sv by,
                           const struct hl7_out_options *o, struct spd_str *out,
                           struct spd_err *err)
{
    struct draft d;
    struct spd_str own = SPD_STR_INIT(MAX_OUT);
    if (spd_sv_empty(source)) {
        from_item(o, &own);
        source = spd_str_sv(&own);
    }
    size_t before = out->len;
    open_draft(&d, source, err);
    if (d.rc == SPD_OK) build_report(&d, text, status, by, o, out);
    enum spd_rc rc = close_draft(&d, NULL);
    if (rc != SPD_OK && out->ptr)
        out->len = before, out->ptr[before] = 0; /* nothing half-built leaves */
    spd_str_done(&own);
    return rc;
}
