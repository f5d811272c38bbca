/* src/result/dcm.c: the one-pass DICOM scanner. No recursion: open sequences and items stand on a
 * fixed stack. No value is read beyond its parent's end; nothing is interpreted but lengths and
 * VRs. */
#include "result/dcm.h"

#include <stdio.h>

#include "result/result.h"

#define UNDEFINED 0xFFFFFFFFu
#define ITEM 0xFFFEE000u
#define ITEM_END 0xFFFEE00Du
#define SEQ_END 0xFFFEE0DDu
#define CLASS 0x00080016u
#define DOCUMENT 0x00420011u /* Encapsulated Document */
#define FRAMES 0x52000000u   /* from here on: functional groups, pixels */

struct frame {
    bool seq, undefined, implicit;
    size_t end;
    struct spd_dcm_elem *elem; /* seq: the element whose items are read */
    struct spd_dcm_set *set;   /* else: the set being filled */
};
struct scan {
    const unsigned char *p;
    size_t pos, len;
    bool be;
    size_t elements, depth;
    bool companion; /* by (0008,0016) */
    size_t head;    /* where what is not read begins; 0: nowhere yet */
    size_t bulk;    /* bytes passed over */
    struct frame stack[2 * SPD_DCM_DEPTH_MAX + 2];
    struct spd_arena *arena;
    struct spd_err *err;
};

/* Sequences that may come with a defined length in implicit VR, or as UN. Sorted. */
static const uint32_t known_sequences[] = {
    0x00080051, 0x00081032, 0x00081110, 0x00081111, 0x00081115, 0x00081120, 0x00081140, 0x0008114A,
    0x00081199, 0x00081200, 0x00082112, 0x00089124, 0x00101002, 0x0018A001, 0x00321064, 0x00380004,
    0x00400008, 0x00400026, 0x00400027, 0x00400039, 0x00400100, 0x00400220, 0x00400260, 0x00400270,
    0x00400281, 0x00400340, 0x004008EA, 0x0040100A, 0x00404009, 0x00404018, 0x00404019, 0x00404021,
    0x00404025, 0x00404026, 0x00404027, 0x00404028, 0x00404029, 0x00404030, 0x00404033, 0x00404034,
    0x00404035, 0x0040A043, 0x0040A073, 0x0040A07A, 0x0040A168, 0x0040A170, 0x0040A195, 0x0040A300,
    0x0040A301, 0x0040A360, 0x0040A370, 0x0040A372, 0x0040A375, 0x0040A385, 0x0040A504, 0x0040A525,
    0x0040A730, 0x0040E021, 0x0040E023, 0x0040E024, 0x0040E025, 0x00420013, 0x00620002, 0x0062000F,
    0x00741002, 0x00741008, 0x0074100E, 0x00741210, 0x00741212, 0x00741216, 0x00741224};

static bool known_sequence(uint32_t tag)
{
    size_t lo = 0, hi = sizeof known_sequences / sizeof *known_sequences;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (known_sequences[mid] == tag) return true;
        if (known_sequences[mid] < tag)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

static uint32_t u16(const struct scan *s, size_t at)
{
    const unsigned char *p = s->p + at;
    return s->be ? (uint32_t)(p[0] << 8 | p[1]) : (uint32_t)(p[1] << 8 | p[0]);
}
static uint32_t u32(const struct scan *s, size_t at)
{
    return s->be ? u16(s, at) << 16 | u16(s, at + 2) : u16(s, at + 2) << 16 | u16(s, at);
}
static uint32_t tag_at(const struct scan *s, size_t at)
{
    return u16(s, at) << 16 | u16(s, at + 2);
}

static enum spd_rc bad(struct scan *s, enum spd_rc rc, uint32_t tag, const char *why)
{
    char place[32];
    snprintf(place, sizeof place, "(%04X,%04X)", (unsigned)(tag >> 16), (unsigned)(tag & 0xFFFF));
    return spd_fail(s->err, rc, place, "%s", why);
}

/* A new last element of an array in the arena whose room doubles at powers of two. */
static void *grow(void **v, size_t *n, size_t size, struct spd_arena *arena)
{
    if ((*n & (*n - 1)) == 0) {
        char *bigger = spd_arena_must(arena, size * (*n ? *n * 2 : 1));
        if (*n) memcpy(bigger, *v, size * *n);
        *v = bigger;
    }
    return (char *)*v + size * (*n)++;
}

/* How far what was really read may reach. */
static enum spd_rc within_bounds(struct scan *s, uint32_t tag)
{
    return s->pos - s->bulk > SPD_DCM_BYTES_MAX
               ? bad(s, SPD_LIMIT, tag,
                     "the object (of a picture or a document: its header) is larger than 4 MiB")
               : SPD_OK;
}

static enum spd_rc push(struct scan *s, struct frame f, uint32_t tag)
{
    if (s->depth == sizeof s->stack / sizeof *s->stack)
        return bad(s, SPD_LIMIT, tag, "sequences are nested deeper than 32 levels");
    s->stack[s->depth++] = f;
    return SPD_OK;
}

/* At an item's tag inside a sequence (or at its end). */
static enum spd_rc in_sequence(struct scan *s, struct frame *f)
{
    struct spd_dcm_elem *e = f->elem;
    if (!f->undefined && s->pos == f->end) return s->depth--, SPD_OK;
    if (f->end - s->pos < 8) return bad(s, SPD_INVALID, e->tag, "the data ends inside a sequence");
    uint32_t tag = tag_at(s, s->pos), len = u32(s, s->pos + 4);
    s->pos += 8;
    if (tag == SEQ_END && f->undefined) return s->depth--, SPD_OK;
    if (tag != ITEM)
        return bad(s, SPD_INVALID, e->tag, "something else than an item stands in a sequence");
    if (len != UNDEFINED && len > f->end - s->pos)
        return bad(s, SPD_INVALID, e->tag, "an item is longer than its sequence");
    if (++s->elements > SPD_DCM_ELEMENTS_MAX)
        return bad(s, SPD_LIMIT, e->tag, "more than 100,000 elements");
    struct spd_dcm_set *set = grow((void **)&e->items, &e->n_items, sizeof *set, s->arena);
    *set = (struct spd_dcm_set){0};
    return push(s,
                (struct frame){.undefined = len == UNDEFINED,
                               .implicit = f->implicit,
                               .set = set,
                               .end = len == UNDEFINED ? f->end : s->pos + len},
                e->tag);
}

static bool long_form(const char *vr)
{
    static const char list[] = "OB OD OF OL OV OW SQ UC UN UR UT SV UV";
    for (const char *l = list; *l; l += l[2] ? 3 : 2)
        if (l[0] == vr[0] && l[1] == vr[1]) return true;
    return false;
}

/* Reads VR and length of the element at pos; pos is then at its value. */
static enum spd_rc element_head(struct scan *s, const struct frame *f, struct spd_dcm_elem *e,
                                uint32_t *ret_len)
{
    if (f->implicit) {
        *ret_len = u32(s, s->pos + 4);
        s->pos += 8;
        return SPD_OK;
    }
    e->vr[0] = (char)s->p[s->pos + 4], e->vr[1] = (char)s->p[s->pos + 5], e->vr[2] = 0;
    if (e->vr[0] < 'A' || e->vr[0] > 'Z' || e->vr[1] < 'A' || e->vr[1] > 'Z') {
        e->vr[0] = 0;
        return bad(s, SPD_INVALID, e->tag, "no value representation where one must stand");
    }
    if (!long_form(e->vr)) {
        *ret_len = u16(s, s->pos + 6);
        s->pos += 8;
        return SPD_OK;
    }
    if (f->end - s->pos < 12) return bad(s, SPD_INVALID, e->tag, "the data ends inside an element");
    *ret_len = u32(s, s->pos + 8);
    s->pos += 12;
    return SPD_OK;
}

static spd_sv trimmed(spd_sv v)
{
    while (v.len && (v.ptr[v.len - 1] == 0 || v.ptr[v.len - 1] == ' '))
        v.len--;
    while (v.len && v.ptr[0] == ' ')
        v.ptr++, v.len--;
    return v;
}

static enum spd_rc in_set(struct scan *s, struct frame *f)
{
    if (s->pos == f->end && !f->undefined) return s->depth--, SPD_OK;
    if (f->end - s->pos < 8)
        return bad(s, SPD_INVALID, f->set->n ? f->set->v[f->set->n - 1].tag : 0,
                   "the data ends too early");
    uint32_t tag = tag_at(s, s->pos), len = 0;
    if (tag == ITEM_END && f->undefined) return s->pos += 8, s->depth--, SPD_OK;
    if (s->companion && s->depth == 1 && tag >= FRAMES) {
        if (!s->head) s->head = s->pos;
        return s->depth--, SPD_OK;
    }
    if (tag >> 16 == 0xFFFE)
        return bad(s, SPD_INVALID, tag, "a delimiter stands where an element must");
    if (++s->elements > SPD_DCM_ELEMENTS_MAX)
        return bad(s, SPD_LIMIT, tag, "more than 100,000 elements");
    size_t start = s->pos;
    struct spd_dcm_elem *e = grow((void **)&f->set->v, &f->set->n, sizeof *e, s->arena);
    *e = (struct spd_dcm_elem){.tag = tag};
    enum spd_rc rc = element_head(s, f, e, &len);
    if (rc) return rc;
    bool un = e->vr[0] == 'U' && e->vr[1] == 'N';
    bool sq = (e->vr[0] == 'S' && e->vr[1] == 'Q') ||
              ((un || f->implicit) && (len == UNDEFINED || known_sequence(tag)));
    if (s->companion && s->depth == 1 && tag == DOCUMENT && len != UNDEFINED) {
        if (!s->head) s->head = start;
        if (len > f->end - s->pos) return s->depth--, SPD_OK; /* cut inside the document */
        s->pos += len, s->bulk += len;
        return SPD_OK;
    }
    if (len == UNDEFINED && !sq)
        return bad(s, SPD_INVALID, tag, "encapsulated data is not read here");
    if (len != UNDEFINED && len > f->end - s->pos)
        return bad(s, SPD_INVALID, tag, "an element is longer than what holds it");
    if (!sq) {
        e->value = spd_sv_of((const char *)s->p + s->pos, len);
        s->pos += len;
        if (tag == CLASS && s->depth == 1)
            s->companion = spd_result_is_companion(trimmed(e->value));
        return within_bounds(s, tag);
    }
    memcpy(e->vr, "SQ", 3);
    return push(s,
                (struct frame){.seq = true,
                               .undefined = len == UNDEFINED,
                               .implicit = f->implicit || un,
                               .elem = e,
                               .end = len == UNDEFINED ? f->end : s->pos + len},
                tag);
}

static enum spd_rc scan_set(struct scan *s, bool implicit, struct spd_dcm_set *ret)
{
    s->depth = 1;
    s->stack[0] = (struct frame){.implicit = implicit, .end = s->len, .set = ret};
    while (s->depth) {
        struct frame *f = &s->stack[s->depth - 1];
        enum spd_rc rc = f->seq ? in_sequence(s, f) : in_set(s, f);
        if (rc) return rc;
    }
    return SPD_OK;
}

enum spd_rc spd_dcm_parse_dataset(spd_sv bytes, spd_sv xfer, struct spd_dcm *ret,
                                  struct spd_arena *arena, struct spd_err *err)
{
    struct scan s = {
        .p = (const unsigned char *)bytes.ptr, .len = bytes.len, .arena = arena, .err = err};
    bool implicit = spd_sv_is(xfer, "1.2.840.10008.1.2");
    s.be = spd_sv_is(xfer, "1.2.840.10008.1.2.2");
    if (bytes.len > SPD_DCM_OBJECT_MAX)
        return spd_fail(err, SPD_LIMIT, "dataset", "the object is larger than 64 MiB");
    if (spd_sv_is(xfer, "1.2.840.10008.1.2.1.99"))
        return spd_fail(err, SPD_INVALID, "(0002,0010)",
                        "deflated objects are not read; send it uncompressed");
    bool compressed = spd_sv_starts(xfer, SPD_SV("1.2.840.10008.1.2.4.")) ||
                      spd_sv_is(xfer, "1.2.840.10008.1.2.5"); /* its pixels: PS3.5 A.4 */
    if (!implicit && !s.be && !compressed && !spd_sv_is(xfer, "1.2.840.10008.1.2.1"))
        return spd_fail(err, SPD_INVALID, "(0002,0010)", "this transfer syntax is not read");
    ret->xfer = xfer, ret->bytes = bytes;
    enum spd_rc rc = scan_set(&s, implicit, &ret->set);
    if (!rc) ret->charset = spd_dcm_raw(&ret->set, 0x00080005), ret->head = s.head;
    return rc;
}

/* The transfer syntax of a bare dataset, from how its first element is written. */
static spd_sv guess_xfer(spd_sv b)
{
    bool vr =
        b.len >= 8 && b.ptr[4] >= 'A' && b.ptr[4] <= 'Z' && b.ptr[5] >= 'A' && b.ptr[5] <= 'Z';
    if (b.len >= 8 && b.ptr[0] == 0 && b.ptr[1] != 0 && vr) return SPD_SV("1.2.840.10008.1.2.2");
    return vr ? SPD_SV("1.2.840.10008.1.2.1") : SPD_SV("1.2.840.10008.1.2");
}

/* The meta header, always explicit little endian and flat. *at is moved behind it. */
static enum spd_rc read_meta(spd_sv bytes, size_t *at, spd_sv *ret_xfer, struct spd_err *err)
{
    struct scan s = {
        .p = (const unsigned char *)bytes.ptr, .len = bytes.len, .pos = *at, .err = err};
    struct frame f = {.end = bytes.len};
    while (s.len - s.pos >= 8 && u16(&s, s.pos) == 2) {
        struct spd_dcm_elem e = {.tag = tag_at(&s, s.pos)};
        uint32_t len = 0;
        enum spd_rc rc = element_head(&s, &f, &e, &len);
        if (rc) return rc;
        if (len > s.len - s.pos)
            return bad(&s, SPD_INVALID, e.tag, "an element is longer than the file");
        if (e.tag == 0x00020010) {
            *ret_xfer = spd_sv_of(bytes.ptr + s.pos, len);
            while (ret_xfer->len && (ret_xfer->ptr[ret_xfer->len - 1] == 0 ||
                                     ret_xfer->ptr[ret_xfer->len - 1] == ' '))
                ret_xfer->len--;
        }
        s.pos += len;
    }
    *at = s.pos;
    return SPD_OK;
}

enum spd_rc spd_dcm_parse(spd_sv bytes, struct spd_dcm *ret, struct spd_arena *arena,
                          struct spd_err *err)
{
    size_t at = 0;
    spd_sv xfer = SPD_SV_NONE;
    *ret = (struct spd_dcm){0};
    if (bytes.len < 8) return spd_fail(err, SPD_INVALID, "file", "too short to be a DICOM object");
    if (bytes.len >= 132 && !memcmp(bytes.ptr + 128, "DICM", 4))
        at = 132;
    else
        ret->notes[ret->n_notes++] = "no preamble";
    if (bytes.len - at >= 2 && bytes.ptr[at] == 2 && bytes.ptr[at + 1] == 0) {
        enum spd_rc rc = read_meta(bytes, &at, &xfer, err);
        if (rc) return rc;
    }
    spd_sv data = spd_sv_of(bytes.ptr + at, bytes.len - at);
    if (!xfer.len) {
        xfer = guess_xfer(data);
        ret->notes[ret->n_notes++] = "no transfer syntax said; worked out from the first element";
    }
    enum spd_rc rc = spd_dcm_parse_dataset(data, xfer, ret, arena, err);
    if (ret->head) ret->head += at;
    return rc;
}

const struct spd_dcm_elem *spd_dcm_find(const struct spd_dcm_set *set, uint32_t tag)
{
    for (size_t i = 0; set && i < set->n; i++)
        if (set->v[i].tag == tag) return &set->v[i];
    return NULL;
}

spd_sv spd_dcm_raw(const struct spd_dcm_set *set, uint32_t tag)
{
    const struct spd_dcm_elem *e = spd_dcm_find(set, tag);
    return trimmed(e ? e->value : SPD_SV_NONE);
}

const struct spd_dcm_set *spd_dcm_item(const struct spd_dcm_set *set, uint32_t tag)
{
    const struct spd_dcm_elem *e = spd_dcm_find(set, tag);
    return e && e->n_items ? &e->items[0] : NULL;
}

bool spd_dcm_is_uid(spd_sv uid)
{
    if (!uid.len || uid.len > 64) return false;
    for (size_t i = 0; i < uid.len; i++)
        if (uid.ptr[i] != '.' && (uid.ptr[i] < '0' || uid.ptr[i] > '9')) return false;
    return true;
}
