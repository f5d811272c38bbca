/* src/result/sr_codec.c: struct spd_sr_doc as flat bytes, between a decoder process and the brain.
 *
 * One function walks the document for both directions, so that writing and reading cannot differ.
 * The reading side trusts nothing: counts are bounded by the bytes that remain, depth by 40.
 * Version byte first. */
#include "result/result.h"

enum { VERSION = 2, DEPTH_MAX = 40, COUNT_MAX = 200000 };

struct io {
    struct spd_str *out; /* writing; else reading from in */
    spd_sv in;
    struct spd_arena *arena;
    size_t items;
    bool failed;
};

static void number(struct io *io, size_t *v)
{
    if (io->out) {
        uint64_t left = *v;
        for (; left >= 0x80; left >>= 7)
            spd_str_addc(io->out, (char)(left | 0x80));
        spd_str_addc(io->out, (char)left);
        return;
    }
    uint64_t got = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (!io->in.len) break;
        unsigned char c = (unsigned char)*io->in.ptr++;
        io->in.len--;
        got |= (uint64_t)(c & 0x7F) << shift;
        if (!(c & 0x80)) {
            *v = (size_t)got;
            return;
        }
    }
    io->failed = true;
    *v = 0;
}

static void sv(struct io *io, spd_sv *v)
{
    size_t n = v->len;
    number(io, &n);
    if (io->out) {
        spd_str_add(io->out, *v);
        return;
    }
    if (io->failed || n > io->in.len) {
        io->failed = true, *v = SPD_SV_NONE;
        return;
    }
    *v = spd_sv_of(io->in.ptr, n);
    io->in.ptr += n, io->in.len -= n;
}

/* The count of a list of elements of at least one byte each; on reading makes the room. */
static void list(struct io *io, void **v, size_t *n, size_t size)
{
    number(io, n);
    if (io->out) return;
    if (io->failed || *n > io->in.len || (io->items += *n) > COUNT_MAX) io->failed = true, *n = 0;
    *v = *n ? spd_arena_must(io->arena, size * *n) : NULL;
}

static void texts_of(struct io *io, spd_sv **v, size_t *n)
{
    list(io, (void **)v, n, sizeof **v);
    for (size_t i = 0; i < *n; i++)
        sv(io, &(*v)[i]);
}

static void flag(struct io *io, bool *v)
{
    size_t n = *v;
    number(io, &n);
    *v = n != 0;
}

static void code(struct io *io, struct spd_code *c)
{
    sv(io, &c->code), sv(io, &c->scheme), sv(io, &c->text);
}

static void cx(struct io *io, struct spd_cx *c)
{
    sv(io, &c->value), sv(io, &c->authority);
}

static void item(struct io *io, struct spd_sr_item *i, int depth)
{
    if (depth > DEPTH_MAX) io->failed = true;
    if (io->failed) return;
    sv(io, &i->value_type), sv(io, &i->relationship);
    code(io, &i->name), code(io, &i->value), code(io, &i->unit);
    sv(io, &i->text), sv(io, &i->number), sv(io, &i->ref_class), sv(io, &i->ref_uid);
    sv(io, &i->frames), sv(io, &i->segments), sv(io, &i->graphic), sv(io, &i->reference);
    list(io, (void **)&i->children, &i->n_children, sizeof *i->children);
    for (size_t k = 0; k < i->n_children && !io->failed; k++)
        item(io, &i->children[k], depth + 1);
}

static void doc(struct io *io, struct spd_sr_doc *d)
{
    spd_sv *const texts[] = {
        &d->sop_class,    &d->sop_uid,      &d->study_uid,          &d->series_uid,
        &d->modality,     &d->patient.name, &d->patient.birth_date, &d->patient.sex,
        &d->manufacturer, &d->model_name,   &d->software_version,   &d->series_description,
        &d->station,      &d->completion,   &d->verification,       &d->preliminary,
        &d->content_date, &d->content_time, &d->zone_offset,        &d->template_id,
        &d->body_part,    &d->title};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        sv(io, texts[i]);
    list(io, (void **)&d->patient.ids.v, &d->patient.ids.n, sizeof *d->patient.ids.v);
    for (size_t i = 0; i < d->patient.ids.n; i++)
        cx(io, &d->patient.ids.v[i]);
    cx(io, &d->accession);
    number(io, &d->n_request);
    if (d->n_request > sizeof d->request / sizeof *d->request) io->failed = true, d->n_request = 0;
    for (size_t i = 0; i < d->n_request; i++) {
        cx(io, &d->request[i].accession), cx(io, &d->request[i].placer),
            cx(io, &d->request[i].filler);
        sv(io, &d->request[i].study_uid);
    }
    list(io, (void **)&d->evidence, &d->n_evidence, sizeof *d->evidence);
    for (size_t i = 0; i < d->n_evidence; i++) {
        sv(io, &d->evidence[i].study_uid), sv(io, &d->evidence[i].series_uid);
        sv(io, &d->evidence[i].sop_class), sv(io, &d->evidence[i].sop_uid);
        flag(io, &d->evidence[i].pertinent);
    }
    texts_of(io, &d->predecessors, &d->n_predecessors);
    texts_of(io, &d->notes, &d->n_notes);
    texts_of(io, &d->labels, &d->n_labels);
    texts_of(io, &d->tracking, &d->n_tracking);
    number(io, &d->head);
    flag(io, &d->cut);
    item(io, &d->root, 0);
}

void spd_sr_doc_encode(const struct spd_sr_doc *d, struct spd_str *out)
{
    struct io io = {.out = out};
    struct spd_sr_doc copy = *d; /* the walk takes pointers it may write through when reading */
    spd_str_addc(out, VERSION);
    doc(&io, &copy);
    if (io.failed) out->rc = SPD_LIMIT;
}

enum spd_rc spd_sr_doc_decode(spd_sv bytes, struct spd_sr_doc *ret, struct spd_arena *arena,
                              struct spd_err *err)
{
    struct io io = {.arena = arena};
    *ret = (struct spd_sr_doc){0};
    if (!bytes.len || bytes.ptr[0] != VERSION)
        return spd_fail(err, SPD_INVALID, "decoder", "the decoder's answer has another version");
    io.in = spd_sv_of(bytes.ptr + 1, bytes.len - 1);
    doc(&io, ret);
    if (io.failed || io.in.len) {
        *ret = (struct spd_sr_doc){0};
        return spd_fail(err, SPD_INVALID, "decoder", "the decoder's answer is damaged");
    }
    return SPD_OK;
}
