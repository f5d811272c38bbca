/* src/result/dcm_write.c: see dcm_write.h. Depth is bounded by who made the tree (32 levels), so
 * the writers may call themselves. */
#include "result/dcm_write.h"

#define CHARSET 0x00080005u
#define IMPLEMENTATION "2.25.269434812038467013518374950312876145203"

/* ---- building
 * --------------------------------------------------------------------------------- */
/* The element of a tag, made where it belongs when it is not there. Room doubles at powers of two.
 */
static struct spd_dcm_elem *element(struct spd_dcm_set *set, uint32_t tag, struct spd_arena *arena)
{
    size_t at = set->n;
    while (at && set->v[at - 1].tag >= tag)
        at--;
    if (at < set->n && set->v[at].tag == tag) return &set->v[at];
    if ((set->n & (set->n - 1)) == 0) {
        struct spd_dcm_elem *bigger =
            SPD_NEW_N(arena, struct spd_dcm_elem, set->n ? set->n * 2 : 1);
        if (set->n) memcpy(bigger, set->v, sizeof *bigger * set->n);
        set->v = bigger;
    }
    memmove(set->v + at + 1, set->v + at, sizeof *set->v * (set->n - at));
    set->n++;
    set->v[at] = (struct spd_dcm_elem){.tag = tag};
    return &set->v[at];
}

void spd_dcm_put(struct spd_dcm_set *set, uint32_t tag, const char *vr, spd_sv value,
                 struct spd_arena *arena)
{
    struct spd_dcm_elem *e = element(set, tag, arena);
    memcpy(e->vr, vr, 2);
    e->value = value;
}

void spd_dcm_put_sequence(struct spd_dcm_set *set, uint32_t tag, struct spd_arena *arena)
{
    memcpy(element(set, tag, arena)->vr, "SQ", 2);
}

struct spd_dcm_set *spd_dcm_put_item(struct spd_dcm_set *set, uint32_t tag, struct spd_arena *arena)
{
    struct spd_dcm_elem *e = element(set, tag, arena);
    memcpy(e->vr, "SQ", 2);
    if ((e->n_items & (e->n_items - 1)) == 0) {
        struct spd_dcm_set *bigger =
            SPD_NEW_N(arena, struct spd_dcm_set, e->n_items ? e->n_items * 2 : 1);
        if (e->n_items) memcpy(bigger, e->items, sizeof *bigger * e->n_items);
        e->items = bigger;
    }
    return &e->items[e->n_items++];
}

void spd_dcm_put_code(struct spd_dcm_set *set, uint32_t tag, spd_sv value, spd_sv scheme,
                      spd_sv meaning, struct spd_arena *arena)
{
    struct spd_dcm_set *item = spd_dcm_put_item(set, tag, arena);
    spd_dcm_put(item, 0x00080100, "SH", value, arena);
    spd_dcm_put(item, 0x00080102, "SH", scheme, arena);
    spd_dcm_put(item, 0x00080104, "LO", meaning, arena);
}

/* ---- data sets
 * -------------------------------------------------------------------------------- */
static void le(struct spd_str *out, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        spd_str_addc(out, (char)(v >> (8 * i)));
}

static void tag_le(struct spd_str *out, uint32_t tag)
{
    le(out, tag >> 16, 2), le(out, tag & 0xFFFF, 2);
}

static bool one_of(const char *vr, const char *list)
{
    for (; *list; list += 3)
        if (vr[0] == list[0] && vr[1] == list[1]) return true;
    return false;
}

/* VRs whose explicit form has a length of four bytes (PS3.5 table 7.1-1). */
static bool is_long(const char *vr)
{
    return one_of(vr, "OB OD OF OL OV OW SQ SV UC UN UR UT UV ");
}

static void encode_sequence(const struct spd_dcm_elem *e, bool explicit_vr, struct spd_str *out)
{
    if (explicit_vr) spd_str_add(out, SPD_SV("SQ")), le(out, 0, 2);
    if (!e->n_items) {
        le(out, 0, 4);
        return;
    }
    le(out, 0xFFFFFFFF, 4);
    for (size_t i = 0; i < e->n_items; i++) {
        tag_le(out, 0xFFFEE000), le(out, 0xFFFFFFFF, 4);
        spd_dcm_encode(&e->items[i], explicit_vr, out);
        tag_le(out, 0xFFFEE00D), le(out, 0, 4);
    }
    tag_le(out, 0xFFFEE0DD), le(out, 0, 4);
}

static void encode_value(const struct spd_dcm_elem *e, bool explicit_vr, struct spd_str *out)
{
    const char *vr = e->vr[0] ? e->vr : "UN";
    size_t pad = e->value.len & 1, len = e->value.len + pad;
    bool four = !explicit_vr || is_long(vr);
    if (len > (four ? 0xFFFFFFFE : 0xFFFE)) {
        if (out->rc == SPD_OK) out->rc = SPD_LIMIT;
        return;
    }
    if (explicit_vr) spd_str_add(out, spd_sv_of(vr, 2));
    if (explicit_vr && four) le(out, 0, 2);
    le(out, len, four ? 4 : 2);
    spd_str_add(out, e->value);
    if (pad) spd_str_addc(out, one_of(vr, "UI OB UN ") ? 0 : ' ');
}

void spd_dcm_encode(const struct spd_dcm_set *set, bool explicit_vr, struct spd_str *out)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct spd_dcm_elem *e = &set->v[i];
        if (e->tag >> 16 <= 2 || (e->tag & 0xFFFF) == 0) continue;
        tag_le(out, e->tag);
        if (e->vr[0] == 'S' && e->vr[1] == 'Q')
            encode_sequence(e, explicit_vr, out);
        else
            encode_value(e, explicit_vr, out);
    }
}

static void meta(struct spd_str *out, unsigned number, spd_sv uid)
{
    size_t pad = uid.len & 1;
    tag_le(out, 0x00020000 | number), spd_str_addz(out, "UI"), le(out, uid.len + pad, 2);
    spd_str_add(out, uid);
    if (pad) spd_str_addc(out, 0);
}

void spd_dcm_file(spd_sv sop_class, spd_sv sop_uid, spd_sv xfer, spd_sv data, struct spd_str *out)
{
    struct spd_str m = SPD_STR_INIT(1024);
    tag_le(&m, 0x00020001), spd_str_addz(&m, "OB"), le(&m, 0, 2), le(&m, 2, 4), le(&m, 0x0100, 2);
    meta(&m, 0x0002, sop_class), meta(&m, 0x0003, sop_uid);
    meta(&m, 0x0010, xfer), meta(&m, 0x0012, SPD_SV(IMPLEMENTATION));
    for (int i = 0; i < 128; i++)
        spd_str_addc(out, 0);
    spd_str_addz(out, "DICM");
    tag_le(out, 0x00020000), spd_str_addz(out, "UL"), le(out, 4, 2), le(out, m.len, 4);
    spd_str_add(out, spd_str_sv(&m));
    spd_str_add(out, data);
    spd_str_done(&m);
}

/* ---- DICOM JSON
 * ------------------------------------------------------------------------------- */
static uint64_t number_at(const char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = n; i--;)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

static void binary(const struct spd_dcm_elem *e, struct spd_str *out)
{
    bool is_signed = one_of(e->vr, "SS SL SV ");
    size_t size = one_of(e->vr, "US SS ") ? 2 : one_of(e->vr, "UV SV FD ") ? 8 : 4;
    for (size_t at = 0; at + size <= e->value.len; at += size) {
        uint64_t v = number_at(e->value.ptr + at, size);
        if (at) spd_str_addc(out, ',');
        if (one_of(e->vr, "AT ")) {
            spd_str_addf(out, "\"%04X%04X\"", (unsigned)(v & 0xFFFF), (unsigned)(v >> 16));
        } else if (one_of(e->vr, "FL FD ")) {
            double wide;
            float narrow;
            uint32_t v32 = (uint32_t)v;
            memcpy(&wide, &v, 8), memcpy(&narrow, &v32, 4);
            if (size == 4) wide = (double)narrow;
            if (wide - wide == 0) /* JSON knows no infinity */
                spd_str_addf(out, "%.9g", wide);
            else
                spd_str_addz(out, "null");
        } else if (is_signed) {
            uint64_t top = (uint64_t)1 << (8 * size - 1);
            spd_str_addi(out, (int64_t)(size < 8 && v & top ? v | ~(top * 2 - 1) : v));
        } else
            spd_str_addf(out, "%llu", (unsigned long long)v);
    }
}

static void person(spd_sv name, struct spd_str *out)
{
    static const char *const groups[] = {"Alphabetic", "Ideographic", "Phonetic"};
    bool any = false;
    spd_str_addc(out, '{');
    for (int g = 0; g < 3 && name.len; g++) {
        const char *end = memchr(name.ptr, '=', name.len);
        size_t n = end ? (size_t)(end - name.ptr) : name.len;
        if (n) {
            spd_str_addf(out, "%s\"%s\":", any ? "," : "", groups[g]);
            spd_str_json(out, spd_sv_of(name.ptr, n)), any = true;
        }
        n += end != NULL;
        name = spd_sv_of(name.ptr + n, name.len - n);
    }
    spd_str_addc(out, '}');
}

static spd_sv unpadded(spd_sv v, bool front)
{
    while (v.len && (v.ptr[v.len - 1] == 0 || v.ptr[v.len - 1] == ' '))
        v.len--;
    while (front && v.len && v.ptr[0] == ' ')
        v.ptr++, v.len--;
    return v;
}

static void texts(const struct spd_dcm_elem *e, spd_sv text, struct spd_str *out)
{
    bool single = one_of(e->vr, "LT ST UT UR "), pn = one_of(e->vr, "PN ");
    for (bool first = true;; first = false) {
        const char *end = single || !text.len ? NULL : memchr(text.ptr, '\\', text.len);
        spd_sv v =
            unpadded(spd_sv_of(text.ptr, end ? (size_t)(end - text.ptr) : text.len), !single);
        if (!first) spd_str_addc(out, ',');
        if (!v.len)
            spd_str_addz(out, "null");
        else if (pn)
            person(v, out);
        else
            spd_str_json(out, v);
        if (!end) return;
        text = spd_sv_of(end + 1, (size_t)(text.ptr + text.len - end - 1));
    }
}

static void json_set(const struct spd_dcm *d, const struct spd_dcm_set *set, struct spd_str *out,
                     struct spd_arena *arena)
{
    bool any = false;
    spd_sv own = spd_dcm_raw(set, CHARSET), charset = own.len ? own : d->charset;
    spd_str_addc(out, '{');
    for (size_t i = 0; i < set->n; i++) {
        const struct spd_dcm_elem *e = &set->v[i];
        const char *vr = e->vr[0] ? e->vr : "UN";
        if (e->tag >> 16 & 1 || e->tag >> 16 <= 2 || (e->tag & 0xFFFF) == 0 || e->tag == CHARSET)
            continue;                                   /* JSON is UTF-8 */
        if (i && set->v[i - 1].tag == e->tag) continue; /* a tag twice: the first one counts */
        spd_str_addf(out, "%s\"%08X\":{\"vr\":\"%.2s\"", any ? "," : "", (unsigned)e->tag, vr);
        any = true;
        if (one_of(vr, "SQ ") && e->n_items) {
            spd_str_addz(out, ",\"Value\":[");
            for (size_t k = 0; k < e->n_items; k++) {
                if (k) spd_str_addc(out, ',');
                json_set(d, &e->items[k], out, arena);
            }
            spd_str_addc(out, ']');
        } else if (one_of(vr, "US SS UL SL UV SV FL FD AT ") && e->value.len) {
            spd_str_addz(out, ",\"Value\":["), binary(e, out), spd_str_addc(out, ']');
        } else if (!one_of(vr, "SQ OB OW OF OD OL OV ") && unpadded(e->value, true).len) {
            spd_str_addz(out, ",\"Value\":[");
            texts(e, spd_dcm_utf8(charset, unpadded(e->value, false), arena, NULL), out);
            spd_str_addc(out, ']');
        }
        spd_str_addc(out, '}');
    }
    spd_str_addc(out, '}');
}

void spd_dcm_to_json(const struct spd_dcm *d, struct spd_str *out, struct spd_arena *arena)
{
    json_set(d, &d->set, out, arena);
}
