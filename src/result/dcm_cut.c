/* src/result/dcm_cut.c: see dcm_cut.h. */
#include "result/dcm_cut.h"

#define UNDEFINED 0xFFFFFFFFu
enum { SEQUENCE = 1, ITEM_OPEN = 2, FRAGMENTS = 3 };

void spd_dcm_cut_begin(struct spd_dcm_cut *c, bool explicit_vr, struct spd_str *out)
{
    *c = (struct spd_dcm_cut){.explicit_vr = explicit_vr, .out = out};
}

static uint32_t u16(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}
static uint32_t u32(const unsigned char *p)
{
    return u16(p) | u16(p + 2) << 16;
}

static bool is_long(const unsigned char *vr)
{
    static const char list[] = "OBODOFOLOVOWSQSVUCUNURUTUV";
    for (size_t i = 0; i + 1 < sizeof list; i += 2)
        if (vr[0] == (unsigned char)list[i] && vr[1] == (unsigned char)list[i + 1]) return true;
    return false;
}

/* Bulk wherever it stands: pixel data, overlays, waveforms, encapsulated documents, per-frame
 * groups. */
static bool is_bulk(uint32_t tag)
{
    uint32_t group = tag >> 16;
    return group == 0x7FE0 || (group >= 0x6000 && group <= 0x60FF && (tag & 0xFFFF) == 0x3000) ||
           tag == 0x54001010 || tag == 0x00420011 || tag == 0x52009230;
}

/* How long the head of an element is; 0: not known yet. */
static size_t head_size(const struct spd_dcm_cut *c)
{
    if (c->n_head < 6) return 0;
    if (u16(c->head) == 0xFFFE || !c->explicit_vr) return 8;
    return is_long(c->head + 4) ? 12 : 8;
}

static void put(struct spd_dcm_cut *c, const void *p, size_t n)
{
    spd_str_add(c->out, spd_sv_of(p, n));
}

/* The head of a value that is dropped: the same with length zero. */
static void put_empty(struct spd_dcm_cut *c, size_t head)
{
    unsigned char h[12];
    memcpy(h, c->head, head);
    memset(h + (head == 12 ? 8 : c->explicit_vr ? 6 : 4), 0, head == 8 && c->explicit_vr ? 2 : 4);
    put(c, h, head);
}

static void open_level(struct spd_dcm_cut *c, unsigned char kind)
{
    if (c->depth == SPD_CUT_DEPTH)
        c->broken = true;
    else
        c->kinds[c->depth++] = kind;
}

static void close_level(struct spd_dcm_cut *c)
{
    if (c->depth) c->depth--;
    if (c->drop_depth > c->depth) c->drop_depth = 0;
}

/* An item or a delimiter. */
static void at_mark(struct spd_dcm_cut *c, uint32_t tag, uint32_t len)
{
    bool was_dropped = c->drop_depth != 0;
    if (tag == 0xFFFEE000 && len == UNDEFINED)
        open_level(c, ITEM_OPEN);
    else if (tag == 0xFFFEE000)
        c->left = len, c->dropping = was_dropped; /* of defined length: passed on as a whole */
    else
        close_level(c);
    if (was_dropped)
        c->dropped += 8;
    else
        put(c, c->head, 8);
}

static void at_element(struct spd_dcm_cut *c, uint32_t tag, uint32_t len, size_t head)
{
    bool sequence = c->explicit_vr ? c->head[4] == 'S' && c->head[5] == 'Q' : len == UNDEFINED;
    bool un = c->explicit_vr && c->head[4] == 'U' && c->head[5] == 'N';
    bool within = c->drop_depth != 0;
    bool drop =
        within || is_bulk(tag) || (len != UNDEFINED && !sequence && len > SPD_CUT_VALUE_MAX);
    if (!drop) {
        put(c, c->head, head);
    } else if (!within) {
        put_empty(c, head);
        if (len == UNDEFINED) c->drop_depth = c->depth + 1;
    } else {
        c->dropped += head;
    }
    if (len == UNDEFINED)
        open_level(c, sequence || un || drop ? SEQUENCE : FRAGMENTS);
    else
        c->left = len, c->dropping = drop;
}

static void at_head(struct spd_dcm_cut *c, size_t head)
{
    uint32_t tag = u16(c->head) << 16 | u16(c->head + 2), len;
    if (head == 12)
        len = u32(c->head + 8);
    else if (c->explicit_vr && tag >> 16 != 0xFFFE)
        len = u16(c->head + 6);
    else
        len = u32(c->head + 4);
    if (tag >> 16 == 0xFFFE)
        at_mark(c, tag, len);
    else
        at_element(c, tag, len, head);
    c->n_head = 0;
}

void spd_dcm_cut_feed(struct spd_dcm_cut *c, const char *data, size_t len)
{
    while (len) {
        if (c->left || c->broken) {
            size_t n = c->broken || c->left > len ? len : (size_t)c->left;
            if (c->dropping || c->broken)
                c->dropped += n;
            else
                put(c, data, n);
            if (!c->broken) c->left -= n;
            data += n, len -= n;
            continue;
        }
        c->head[c->n_head++] = (unsigned char)*data++, len--;
        size_t head = head_size(c);
        if (head && c->n_head == head) at_head(c, head);
    }
}

void spd_dcm_cut_end(struct spd_dcm_cut *c)
{
    if (c->n_head) put(c, c->head, c->n_head);
    c->n_head = 0;
}
