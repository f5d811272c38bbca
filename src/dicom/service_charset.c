/* src/dicom/service_charset.c: answers in the single-byte character set that the query came in,
 * where every letter of the answer is in it; else they stay UTF-8. The brain writes UTF-8 only. */
#include "dicom/services.h"
#include "result/dcm_write.h"

#define CHARSET 0x00080005u

/* What each byte from 80 to FF means in the set, as UTF-8. False: it is no single-byte set of PS3.3
 * C.12.1.1.2. */
bool spd_single_byte(spd_sv set, struct spd_single_byte *ret, struct spd_arena *arena)
{
    static const char *const sets[] = {"ISO_IR 100", "ISO_IR 101", "ISO_IR 109", "ISO_IR 110",
                                       "ISO_IR 144", "ISO_IR 127", "ISO_IR 126", "ISO_IR 138",
                                       "ISO_IR 148", "ISO_IR 203", "ISO_IR 166"};
    size_t i = 0, n = sizeof sets / sizeof *sets;
    while (i < n && !spd_sv_is(set, sets[i]))
        i++;
    if (i == n) return false;
    ret->name = spd_sv_from(sets[i]);
    for (int b = 0; b < 128; b++) {
        char *byte = spd_arena_must(arena, 1);
        bool bad = false;
        *byte = (char)(0x80 + b);
        spd_sv v = spd_dcm_utf8(set, spd_sv_of(byte, 1), arena, &bad);
        ret->high[b] = bad ? SPD_SV_NONE : v;
    }
    return true;
}

static size_t letter_length(unsigned char c)
{
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

static bool to_set(const struct spd_single_byte *set, spd_sv in, spd_sv *ret,
                   struct spd_arena *arena)
{
    char *out = spd_arena_must(arena, in.len + 1);
    size_t n = 0;
    for (size_t at = 0, len; at < in.len; at += len) {
        len = letter_length((unsigned char)in.ptr[at]);
        if (len == 1) {
            out[n++] = in.ptr[at];
            continue;
        }
        int b = 0;
        if (at + len > in.len) return false;
        while (b < 128 && !spd_sv_eq(set->high[b], spd_sv_of(in.ptr + at, len)))
            b++;
        if (b == 128) return false;
        out[n++] = (char)(0x80 + b);
    }
    *ret = spd_sv_of(out, n);
    return true;
}

static bool plain(spd_sv v)
{
    for (size_t i = 0; i < v.len; i++)
        if ((unsigned char)v.ptr[i] >= 0x80) return false;
    return true;
}

/* Every value with letters beyond ASCII is text: nothing else in a worklist's answer has such
 * bytes. */
static bool convert(const struct spd_single_byte *set, struct spd_dcm_set *data,
                    struct spd_arena *arena)
{
    for (size_t i = 0; i < data->n; i++) {
        struct spd_dcm_elem *e = &data->v[i];
        if (e->tag == CHARSET) e->value = set->name;
        if (!plain(e->value) && !to_set(set, e->value, &e->value, arena)) return false;
        for (size_t k = 0; k < e->n_items; k++)
            if (!convert(set, &e->items[k], arena)) return false;
    }
    return true;
}

bool spd_single_byte_answer(const struct spd_single_byte *set, spd_sv answer, spd_sv transfer,
                            struct spd_str *out, struct spd_arena *arena)
{
    struct spd_dcm d = {0};
    if (spd_dcm_parse_dataset(answer, transfer, &d, arena, NULL) || !convert(set, &d.set, arena))
        return false;
    spd_dcm_encode(&d.set, !spd_sv_is(transfer, "1.2.840.10008.1.2"), out);
    return spd_str_ok(out);
}
