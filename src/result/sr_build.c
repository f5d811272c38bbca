/* src/result/sr_build.c: from the element tree to struct spd_sr_doc: header, evidence and content
 * tree.
 *
 * It copies what is said and repairs nothing; what had to be forgiven goes into doc->notes. The
 * depth of the content tree is bounded by the scanner (32 levels), so recursion here is bounded
 * too. */
#include "result/sr_build.h"

struct build {
    const struct spd_dcm *d;
    struct spd_arena *arena;
    struct spd_sr_doc *doc;
    struct {
        spd_sv *v;
        size_t n;
    } notes;
    bool bad_text;
};

static void note(struct build *b, const char *text)
{
    for (size_t i = 0; i < b->notes.n; i++)
        if (spd_sv_is(b->notes.v[i], text)) return;
    if (b->notes.n < 32) *SPD_LIST_ADD(&b->notes, b->arena) = spd_sv_from(text);
}

static spd_sv text(struct build *b, const struct spd_dcm_set *set, uint32_t tag)
{
    return spd_dcm_text(b->d, set, tag, b->arena, &b->bad_text);
}

static spd_sv uid(struct build *b, const struct spd_dcm_set *set, uint32_t tag)
{
    spd_sv v = spd_dcm_raw(set, tag);
    if (!v.len || spd_dcm_is_uid(v)) return v;
    note(b, "a UID is malformed and was left out");
    return SPD_SV_NONE;
}

/* Numbers of a fixed width (US, UL), or written out (IS, and everything from JSON), as "1\\2". */
static spd_sv numbers(struct build *b, const struct spd_dcm_set *set, uint32_t tag, size_t width)
{
    const struct spd_dcm_elem *e = spd_dcm_find(set, tag);
    bool be = spd_sv_is(b->d->xfer, "1.2.840.10008.1.2.2");
    if (!e || !e->value.len) return SPD_SV_NONE;
    if (!b->d->xfer.len || !width) return spd_dcm_raw(set, tag);
    struct spd_str out = SPD_STR_INIT(4096);
    for (size_t i = 0; i + width <= e->value.len && i < 64 * width; i += width) {
        uint32_t v = 0;
        for (size_t k = 0; k < width; k++)
            v |= (uint32_t)(unsigned char)e->value.ptr[i + k] << 8 * (be ? width - 1 - k : k);
        spd_str_addf(&out, "%s%u", i ? "\\" : "", (unsigned)v);
    }
    spd_sv ret = spd_arena_dup(b->arena, spd_str_sv(&out));
    spd_str_done(&out);
    return ret;
}

/* Referenced Content Item Identifier "1\\2\\2" as "1.2.2". */
static spd_sv path_of(struct build *b, const struct spd_dcm_set *set)
{
    spd_sv v = numbers(b, set, 0x0040DB73, 4);
    if (!v.len) return v;
    v = spd_arena_dup(b->arena, v);
    char *p = (char *)(uintptr_t)v.ptr;
    for (size_t i = 0; i < v.len; i++)
        if (p[i] == '\\') p[i] = '.';
    return v;
}

static void read_code(struct build *b, const struct spd_dcm_set *set, uint32_t tag,
                      struct spd_code *ret)
{
    const struct spd_dcm_set *item = spd_dcm_item(set, tag);
    if (!item) return;
    ret->code = text(b, item, 0x00080100);
    if (!ret->code.len) ret->code = text(b, item, 0x00080119); /* Long Code Value */
    if (!ret->code.len) ret->code = text(b, item, 0x00080120); /* URN Code Value */
    ret->scheme = text(b, item, 0x00080102);
    ret->text = text(b, item, 0x00080104);
}

/* (value, issuer) where the issuer is an item with Local Namespace or Universal Entity ID. */
static struct spd_cx read_cx(struct build *b, const struct spd_dcm_set *set, uint32_t value,
                             uint32_t issuer)
{
    const struct spd_dcm_set *i = spd_dcm_item(set, issuer);
    struct spd_cx cx = {.value = text(b, set, value)};
    cx.authority = text(b, i, 0x00400031);
    if (!cx.authority.len) cx.authority = text(b, i, 0x00400032);
    return cx;
}

static void read_item(struct build *b, const struct spd_dcm_set *set, struct spd_sr_item *ret)
{
    const struct spd_dcm_elem *content = spd_dcm_find(set, 0x0040A730);
    ret->value_type = spd_dcm_raw(set, 0x0040A040);
    ret->relationship = spd_dcm_raw(set, 0x0040A010);
    read_code(b, set, 0x0040A043, &ret->name);
    read_code(b, set, 0x0040A168, &ret->value);
    static const struct {
        const char *type;
        uint32_t tag;
    } texts[] = {{"TEXT", 0x0040A160}, {"UIDREF", 0x0040A124}, {"PNAME", 0x0040A123},
                 {"DATE", 0x0040A121}, {"TIME", 0x0040A122},   {"DATETIME", 0x0040A120}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (spd_sv_is(ret->value_type, texts[i].type)) ret->text = text(b, set, texts[i].tag);
    const struct spd_dcm_set *number = spd_dcm_item(set, 0x0040A300);
    if (number) {
        ret->number = spd_dcm_raw(number, 0x0040A30A);
        read_code(b, number, 0x004008EA, &ret->unit);
    }
    const struct spd_dcm_set *ref = spd_dcm_item(set, 0x00081199);
    if (ref) {
        ret->ref_class = uid(b, ref, 0x00081150), ret->ref_uid = uid(b, ref, 0x00081155);
        ret->frames = numbers(b, ref, 0x00081160, 0);
        ret->segments = numbers(b, ref, 0x0062000B, 2);
    }
    ret->graphic = spd_dcm_raw(set, 0x00700023);
    ret->reference = path_of(b, set);
    if (!content || !content->n_items) return;
    ret->children = SPD_NEW_N(b->arena, struct spd_sr_item, content->n_items);
    ret->n_children = content->n_items;
    for (size_t i = 0; i < content->n_items; i++)
        read_item(b, &content->items[i], &ret->children[i]);
}

struct refs {
    struct spd_sr_ref *v;
    size_t n;
};

/* The items of one sequence of references. */
static void add_refs(struct build *b, struct refs *refs, const struct spd_dcm_set *holder,
                     uint32_t tag, const struct spd_sr_ref *from)
{
    const struct spd_dcm_elem *e = spd_dcm_find(holder, tag);
    for (size_t i = 0; e && i < e->n_items; i++) {
        struct spd_sr_ref *r = SPD_LIST_ADD(refs, b->arena);
        *r = *from;
        r->sop_class = uid(b, &e->items[i], 0x00081150);
        r->sop_uid = uid(b, &e->items[i], 0x00081155);
    }
}

/* Studies > series > instances. */
static void read_evidence(struct build *b, uint32_t tag, bool pertinent)
{
    const struct spd_dcm_elem *studies = spd_dcm_find(&b->d->set, tag);
    struct refs refs = {b->doc->evidence, b->doc->n_evidence};
    for (size_t i = 0; studies && i < studies->n_items; i++) {
        const struct spd_dcm_elem *series = spd_dcm_find(&studies->items[i], 0x00081115);
        for (size_t k = 0; series && k < series->n_items; k++) {
            struct spd_sr_ref from = {.study_uid = uid(b, &studies->items[i], 0x0020000D),
                                      .series_uid = uid(b, &series->items[k], 0x0020000E),
                                      .pertinent = pertinent};
            add_refs(b, &refs, &series->items[k], 0x00081199, &from);
            add_refs(b, &refs, &series->items[k], 0x0008114A, &from);
        }
    }
    b->doc->evidence = refs.v, b->doc->n_evidence = refs.n;
}

/* What a companion points at, wherever its kind keeps it: PS3.3 C.12.1.3 (series), C.7.6.16 and
 * C.8.6 (source images), C.24.2 (a document's sources). */
static void read_sources(struct build *b)
{
    static const uint32_t lists[] = {0x00081140, 0x0008114A, 0x00082112, 0x00420013};
    const struct spd_dcm_set *set = &b->d->set;
    const struct spd_dcm_elem *series = spd_dcm_find(set, 0x00081115);
    struct refs refs = {b->doc->evidence, b->doc->n_evidence};
    for (size_t i = 0; series && i < series->n_items; i++) {
        struct spd_sr_ref from = {.study_uid = b->doc->study_uid,
                                  .series_uid = uid(b, &series->items[i], 0x0020000E)};
        add_refs(b, &refs, &series->items[i], 0x00081140, &from);
        add_refs(b, &refs, &series->items[i], 0x0008114A, &from);
        add_refs(b, &refs, &series->items[i], 0x00081199, &from);
    }
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        add_refs(b, &refs, set, lists[i], &(struct spd_sr_ref){.study_uid = b->doc->study_uid});
    b->doc->evidence = refs.v, b->doc->n_evidence = refs.n;
    read_evidence(b, 0x00081200, true); /* of other studies */
}

static void add_text(struct build *b, spd_sv **v, size_t *n, spd_sv t)
{
    struct {
        spd_sv *v;
        size_t n;
    } l = {*v, *n};
    if (!t.len || l.n >= 64) return;
    *SPD_LIST_ADD(&l, b->arena) = t;
    *v = l.v, *n = l.n;
}

static void read_segments(struct build *b)
{
    const struct spd_dcm_elem *e = spd_dcm_find(&b->d->set, 0x00620002);
    struct spd_sr_doc *d = b->doc;
    for (size_t i = 0; e && i < e->n_items; i++) {
        const struct spd_dcm_set *s = &e->items[i];
        add_text(b, &d->labels, &d->n_labels, text(b, s, 0x00620005));
        add_text(b, &d->tracking, &d->n_tracking, uid(b, s, 0x00620021));
        if (!d->model_name.len) d->model_name = text(b, s, 0x00620009); /* its algorithm */
    }
}

/* The header of a companion: who made it (a capture names its device apart, an enhanced object a
 * contributing one), what it calls itself, what it points at. */
static void read_companion(struct build *b)
{
    static const uint32_t titles[] = {0x00420010, 0x00700081, 0x00700080, 0x00082111, 0x0008103E};
    const struct spd_dcm_set *set = &b->d->set, *other = spd_dcm_item(set, 0x0018A001);
    struct spd_sr_doc *d = b->doc;
    struct spd_code concept = {0};
    if (!d->manufacturer.len) d->manufacturer = text(b, set, 0x00181016);
    if (!d->model_name.len) d->model_name = text(b, set, 0x00181018);
    if (!d->software_version.len) d->software_version = text(b, set, 0x00181019);
    read_segments(b);
    if (!d->manufacturer.len) d->manufacturer = text(b, other, 0x00080070);
    if (!d->model_name.len) d->model_name = text(b, other, 0x00081090);
    if (!d->software_version.len) d->software_version = text(b, other, 0x00181020);
    for (size_t i = 0; i < sizeof titles / sizeof *titles && !d->title.len; i++)
        d->title = text(b, set, titles[i]);
    read_code(b, set, 0x0040A043, &concept);
    if (!d->title.len) d->title = concept.text;
    read_sources(b);
    d->head = b->d->head;
}

static void read_requests(struct build *b)
{
    const struct spd_dcm_elem *e = spd_dcm_find(&b->d->set, 0x0040A370);
    size_t max = sizeof b->doc->request / sizeof *b->doc->request;
    for (size_t i = 0; e && i < e->n_items; i++) {
        if (b->doc->n_request == max) {
            note(b, "more than 8 referenced requests; the others were not read");
            return;
        }
        const struct spd_dcm_set *r = &e->items[i];
        b->doc->request[b->doc->n_request].accession = read_cx(b, r, 0x00080050, 0x00080051);
        b->doc->request[b->doc->n_request].placer = read_cx(b, r, 0x00402016, 0x00400026);
        b->doc->request[b->doc->n_request].filler = read_cx(b, r, 0x00402017, 0x00400027);
        b->doc->request[b->doc->n_request++].study_uid = uid(b, r, 0x0020000D);
    }
}

static void read_predecessors(struct build *b)
{
    const struct spd_dcm_elem *studies = spd_dcm_find(&b->d->set, 0x0040A360);
    struct {
        spd_sv *v;
        size_t n;
    } out = {0};
    for (size_t i = 0; studies && i < studies->n_items; i++) {
        const struct spd_dcm_elem *series = spd_dcm_find(&studies->items[i], 0x00081115);
        for (size_t k = 0; series && k < series->n_items; k++) {
            const struct spd_dcm_elem *sops = spd_dcm_find(&series->items[k], 0x00081199);
            for (size_t m = 0; sops && m < sops->n_items; m++)
                *SPD_LIST_ADD(&out, b->arena) = uid(b, &sops->items[m], 0x00081155);
        }
    }
    b->doc->predecessors = out.v, b->doc->n_predecessors = out.n;
}

/* "Jansen^Piet^^^" as people write it: "Jansen, Piet". */
static spd_sv person(struct build *b, spd_sv pn)
{
    size_t at;
    if (spd_sv_find(pn, SPD_SV("="), &at)) pn.len = at;
    if (!spd_sv_find(pn, SPD_SV("^"), &at)) return pn;
    spd_sv family = spd_sv_of(pn.ptr, at), rest = spd_sv_of(pn.ptr + at + 1, pn.len - at - 1);
    spd_sv given = rest;
    if (spd_sv_find(rest, SPD_SV("^"), &at)) given.len = at;
    if (!given.len) return family;
    return spd_arena_printf(b->arena, "%.*s, %.*s", SPD_SV_ARG(family), SPD_SV_ARG(given));
}

static void read_patient(struct build *b)
{
    const struct spd_dcm_set *set = &b->d->set;
    struct spd_patient *p = &b->doc->patient;
    struct spd_cx id = {.value = text(b, set, 0x00100020), .authority = text(b, set, 0x00100021)};
    if (id.value.len) *SPD_LIST_ADD(&p->ids, b->arena) = id;
    const struct spd_dcm_elem *others = spd_dcm_find(set, 0x00101002);
    for (size_t i = 0; others && i < others->n_items && i < 16; i++) {
        struct spd_cx o = {.value = text(b, &others->items[i], 0x00100020),
                           .authority = text(b, &others->items[i], 0x00100021)};
        if (o.value.len) *SPD_LIST_ADD(&p->ids, b->arena) = o;
    }
    p->name = person(b, text(b, set, 0x00100010));
    p->birth_date = spd_dcm_raw(set, 0x00100030);
    p->sex = spd_dcm_raw(set, 0x00100040);
}

void spd_sr_doc_build(const struct spd_dcm *d, struct spd_sr_doc *ret, struct spd_arena *arena)
{
    const struct spd_dcm_set *set = &d->set;
    *ret = (struct spd_sr_doc){0};
    struct build b = {.d = d, .arena = arena, .doc = ret};
    for (size_t i = 0; i < d->n_notes; i++)
        note(&b, d->notes[i]);
    ret->sop_class = uid(&b, set, 0x00080016), ret->sop_uid = uid(&b, set, 0x00080018);
    ret->study_uid = uid(&b, set, 0x0020000D), ret->series_uid = uid(&b, set, 0x0020000E);
    ret->modality = text(&b, set, 0x00080060);
    read_patient(&b);
    ret->accession = read_cx(&b, set, 0x00080050, 0x00080051);
    read_requests(&b);
    ret->manufacturer = text(&b, set, 0x00080070), ret->model_name = text(&b, set, 0x00081090);
    ret->software_version = text(&b, set, 0x00181020),
    ret->series_description = text(&b, set, 0x0008103E);
    ret->station = text(&b, set, 0x00081010);
    ret->completion = spd_dcm_raw(set, 0x0040A491),
    ret->verification = spd_dcm_raw(set, 0x0040A493);
    ret->preliminary = spd_dcm_raw(set, 0x0040A496);
    ret->content_date = spd_dcm_raw(set, 0x00080023),
    ret->content_time = spd_dcm_raw(set, 0x00080033);
    ret->zone_offset = spd_dcm_raw(set, 0x00080201);
    ret->template_id = spd_dcm_raw(spd_dcm_item(set, 0x0040A504), 0x0040DB00);
    ret->body_part = text(&b, set, 0x00180015);
    read_evidence(&b, 0x0040A375, false);
    read_evidence(&b, 0x0040A385, true);
    read_predecessors(&b);
    read_item(&b, set, &ret->root);
    if (spd_result_is_companion(ret->sop_class)) read_companion(&b);
    if (b.bad_text) note(&b, "some text does not fit the character set that the object names");
    ret->notes = b.notes.v, ret->n_notes = b.notes.n;
}

enum spd_rc spd_sr_doc_from_json(spd_sv json, struct spd_sr_doc *ret, struct spd_arena *arena,
                                 struct spd_err *err)
{
    struct spd_dcm d;
    enum spd_rc rc = spd_dcm_from_json(json, &d, arena, err);
    if (!rc) spd_sr_doc_build(&d, ret, arena);
    return rc;
}
