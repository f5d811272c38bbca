/* hl7/map/out.c: the message that is being changed: what priority, report and
 * alert are made with (domain §5, §6).
 *
 * A draft works on the source's own bytes, so that every byte that is not mapped stays. All content
 * of ours goes through hl7_escape and back into the source's character set. */
#include "hl7/map/out_int.h"

/* ---- a message that is being changed ------------------------------------------------------- */
void hl7_draft_fail(struct hl7_draft *d, const char *place, const char *text)
{
    if (d->rc == SPD_OK) d->rc = spd_fail(d->err, SPD_INVALID, place, "%s", text);
}

static void reread(struct hl7_draft *d)
{
    if (d->rc != SPD_OK) return;
    spd_arena_reset(d->parse);
    d->rc = hl7_msg_parse(&d->m, spd_str_sv(&d->text), d->parse, d->err);
}

static void swap(struct hl7_draft *d)
{
    struct spd_str t = d->text;
    d->text = d->next;
    d->next = t;
    spd_str_clear(&d->next);
    reread(d);
}

void hl7_draft_set(struct hl7_draft *d, size_t seg, unsigned field, unsigned rep, unsigned comp,
                   spd_sv raw)
{
    if (d->rc != SPD_OK) return;
    d->rc = hl7_msg_set(&d->m, seg, field, rep, comp, 0, raw, &d->next, d->err);
    if (d->rc == SPD_OK) swap(d);
}

void hl7_draft_insert(struct hl7_draft *d, size_t after, spd_sv segment)
{
    if (d->rc != SPD_OK) return;
    d->rc = hl7_msg_insert(&d->m, after, segment, &d->next, d->err);
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

/* In the set; characters that it lacks as plain ones, where there are such. */
static enum spd_rc encode(const char *set, spd_sv text, spd_sv *ret, struct spd_arena *arena,
                          struct spd_err *err)
{
    if (hl7_charset_encode(set, text, ret, arena, NULL) == SPD_OK) return SPD_OK;
    return hl7_charset_encode(set, plain(text, arena), ret, arena, err);
}

spd_sv hl7_draft_text(struct hl7_draft *d, spd_sv text)
{
    struct spd_str s = SPD_STR_INIT(HL7_OUT_MAX);
    spd_sv ret = SPD_SV_NONE;
    if (d->rc != SPD_OK) return ret;
    if (hl7_charset_encode(d->set, text, &ret, d->arena, NULL) != SPD_OK)
        text = plain(text, d->arena);
    hl7_escape(&d->m.d, text, &s);
    d->rc = s.rc ? s.rc
                 : hl7_charset_encode(d->set, spd_arena_dup(d->arena, spd_str_sv(&s)), &ret,
                                      d->arena, d->err);
    spd_str_done(&s);
    return d->rc == SPD_OK ? ret : SPD_SV_NONE;
}

void hl7_draft_set_text(struct hl7_draft *d, size_t seg, unsigned field, spd_sv text)
{
    hl7_draft_set(d, seg, field, 0, 0, hl7_draft_text(d, text));
}

static void add_cx(struct spd_str *s, const struct hl7_delims *d, const struct spd_cx *id, int ups)
{
    hl7_escape(d, id->value, s);
    for (int i = 0; i < ups && id->authority.len; i++)
        spd_str_addc(s, d->comp);
    if (id->authority.len) hl7_escape(d, id->authority, s);
}

/* Without a source message (the order came another way): a small one from what the item says. */
static void from_item(const struct hl7_out_options *o, spd_sv charset, struct spd_str *s)
{
    static const struct hl7_delims d = {'|', '^', '~', '\\', '&', 0};
    const struct spd_item *item = o->item;
    size_t comma;
    spd_sv name = item->patient.name;
    spd_str_addz(s, "MSH|^~\\&|||||||||P|2.5.1||||||");
    hl7_escape(&d, charset, s);
    spd_str_addz(s, "\rPID|1||");
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

/* The small message in the character set that the destination reads. */
static spd_sv made(struct hl7_draft *d)
{
    spd_sv charset = d->o->charset, ret = SPD_SV_NONE;
    const char *set = NULL;
    from_item(d->o, charset.len ? charset : SPD_SV("UNICODE UTF-8"), &d->own);
    d->rc = d->own.rc ? d->own.rc : hl7_charset_of(spd_str_sv(&d->own), charset, &set, d->err);
    if (d->rc == SPD_OK) d->rc = encode(set, spd_str_sv(&d->own), &ret, d->arena, d->err);
    return ret;
}

void hl7_draft_open(struct hl7_draft *d, spd_sv source, bool may_make,
                    const struct hl7_out_options *o, struct spd_err *err)
{
    spd_sv fallback = o->charset.len ? o->charset : SPD_SV("8859/1");
    *d = (struct hl7_draft){.text = SPD_STR_INIT(HL7_OUT_MAX),
                            .next = SPD_STR_INIT(HL7_OUT_MAX),
                            .own = SPD_STR_INIT(HL7_OUT_MAX),
                            .err = err,
                            .set = "UTF-8",
                            .o = o};
    d->parse = spd_arena_new(HL7_OUT_MAX);
    d->arena = spd_arena_new((size_t)8 * HL7_OUT_MAX);
    if (!d->parse || !d->arena) spd_out_of_memory();
    if (spd_sv_empty(source) && may_make) source = made(d);
    if (d->rc == SPD_OK) d->rc = hl7_charset_of(source, fallback, &d->set, err);
    if (d->rc == SPD_OK && !strcmp(d->set, "ASCII")) d->set = "ISO-8859-1";
    if (d->rc == SPD_OK && (!strcmp(d->set, "GB18030") || !strcmp(d->set, "BIG5")))
        d->rc = spd_fail(err, SPD_INVALID, "MSH-18", "messages in %s are not changed", d->set);
    spd_str_add(&d->text, source);
    reread(d);
}

enum spd_rc hl7_draft_close(struct hl7_draft *d, struct spd_str *out)
{
    if (d->rc == SPD_OK && out) {
        spd_str_add(out, spd_str_sv(&d->text));
        d->rc = out->rc;
    }
    spd_str_done(&d->text);
    spd_str_done(&d->next);
    spd_str_done(&d->own);
    spd_arena_free(d->parse);
    spd_arena_free(d->arena);
    return d->rc == SPD_OK                            ? SPD_OK
           : d->rc == SPD_NOMEM || d->rc == SPD_LIMIT ? d->rc
                                                      : SPD_INVALID;
}

const struct hl7_profile *hl7_draft_profile(struct hl7_draft *d, enum hl7_out_event event)
{
    const struct hl7_profile *p = d->o->profile ? d->o->profile : hl7_profile_default(event, false);
    spd_sv type = d->rc == SPD_OK ? hl7_get(&d->m, &d->m.segs[0], 9, 1, 1, 0).raw : SPD_SV_NONE;
    if (d->rc == SPD_OK && p->event != event)
        hl7_draft_fail(d, "profile", "the destination's profile is not for this kind of message");
    if (d->rc == SPD_OK && p->type && !spd_sv_is(type, p->type))
        d->rc = spd_fail(d->err, SPD_INVALID, "MSH-9",
                         "profile %s needs an %s as its source; this order came as another type",
                         p->name, p->type);
    return p;
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

size_t hl7_draft_groups(struct hl7_draft *d, struct hl7_group *ret)
{
    struct hl7_map_options options = {.map = d->o->map};
    struct hl7_read r = {&d->m, &options, d->arena, d->set, false, false};
    struct hl7_group all[HL7_OUT_GROUPS];
    size_t n = d->rc == SPD_OK ? hl7_groups(&d->m, all, HL7_OUT_GROUPS) : 0, k = 0;
    for (size_t i = 0; i < n; i++)
        if (d->own.len || is_items(&r, &all[i], d->o->item))
            ret[k++] = all[i]; /* own: made from it */
    if (!k) hl7_draft_fail(d, "ORC", "the source message does not hold this order");
    return k;
}

/* ---- the header ------------------------------------------------------------------------------ */
spd_sv hl7_draft_time(struct hl7_draft *d, spd_usec t)
{
    spd_sv at = hl7_write_time(d->o->zone, t, d->arena);
    return spd_sv_of(at.ptr, at.len > 14 ? 14 : at.len);
}

spd_sv hl7_draft_now(struct hl7_draft *d)
{
    return hl7_draft_time(d, d->o->now);
}

void hl7_draft_header(struct hl7_draft *d)
{
    const struct hl7_out_options *o = d->o;
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
        spd_sv raw = given[i].len ? hl7_draft_text(d, given[i]) : old[i];
        if (d->rc != SPD_OK) return;
        if (!spd_sv_eq(raw, hl7_field(&d->m, &d->m.segs[0], (unsigned)i + 3).raw))
            hl7_draft_set(d, 0, (unsigned)i + 3, 0, 0, raw);
    }
    /* as the source writes its times */
    hl7_draft_set(d, 0, 7, 0, 0,
                  offset ? hl7_write_time(o->zone, o->now, d->arena) : hl7_draft_now(d));
    hl7_draft_set_text(d, 0, 10, o->control_id);
    if (o->msh_11.len) hl7_draft_set_text(d, 0, 11, o->msh_11);
    if (o->msh_12.len) hl7_draft_set_text(d, 0, 12, o->msh_12);
    for (unsigned field = 15; field <= 16 && o->ask_application; field++)
        hl7_draft_set(d, 0, field, 0, 0, SPD_SV("AL"));
}

void hl7_draft_type(struct hl7_draft *d, const char *type, const char *trigger,
                    const char *structure)
{
    const char c = d->m.d.comp;
    if (d->rc != SPD_OK) return;
    hl7_draft_set(d, 0, 9, 0, 0,
                  structure
                      ? spd_arena_printf(d->arena, "%s%c%s%c%s", type, c, trigger, c, structure)
                      : spd_arena_printf(d->arena, "%s%c%s", type, c, trigger));
    if (d->rc == SPD_OK && hl7_field(&d->m, &d->m.segs[0], 21).is == HL7_VALUE)
        hl7_draft_set(d, 0, 21, 0, 0, SPD_SV_NONE);
}

void hl7_draft_copy(struct hl7_draft *d, size_t seg, struct spd_str *out)
{
    if (d->rc != SPD_OK || seg >= d->m.n_segs) return;
    spd_str_add(out, spd_sv_of(d->m.segs[seg].ptr, d->m.segs[seg].len));
    spd_str_addc(out, '\r');
}
