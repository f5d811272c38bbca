/* plugin/orthanc/tags.c: finds a few top-level tags in a DICOM Part 10 file in memory (PS3.10 §7,
 * PS3.5 §7.1). SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Walks the top level only and stops behind (0020,000D); sequences are stepped over without
 * recursion, by counting open items. Every length is checked against the end. Nothing is allocated.
 */
#include "tags.h"

#include <string.h>

struct reader {
    const unsigned char *p;
    size_t n, at;
    bool explicit_vr;
};

struct element {
    uint32_t tag, length;
    size_t value;
    bool un; /* of undefined length: contents are implicit VR in any syntax (PS3.5 §6.2.2) */
};

static uint32_t u16(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const unsigned char *p)
{
    return u16(p) | u16(p + 2) << 16;
}

/* VRs with two reserved bytes and a 32-bit length. */
static bool long_form(const unsigned char *vr)
{
    static const char *const vrs[] = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ",
                                      "SV", "UC", "UN", "UR", "UT", "UV"};
    for (size_t i = 0; i < sizeof vrs / sizeof *vrs; i++)
        if (vr[0] == (unsigned char)vrs[i][0] && vr[1] == (unsigned char)vrs[i][1]) return true;
    return false;
}

static bool header(struct reader *r, bool explicit_vr, struct element *e)
{
    const unsigned char *p = r->p + r->at;
    size_t left = r->n - r->at, size = 8;
    if (left < 8) return false;
    e->tag = u16(p) << 16 | u16(p + 2);
    e->un = explicit_vr && p[4] == 'U' && p[5] == 'N';
    if ((e->tag >> 16) == 0xFFFE || !explicit_vr) {
        e->length = u32(p + 4);
    } else if (long_form(p + 4)) {
        if (left < 12) return false;
        e->length = u32(p + 8);
        size = 12;
    } else {
        e->length = u16(p + 6);
    }
    r->at += size;
    e->value = r->at;
    return true;
}

/* Steps over a value of undefined length: until its own delimiter, however deep it nests. */
static bool skip_undefined(struct reader *r, bool explicit_vr)
{
    unsigned depth = 1;
    while (depth) {
        struct element e;
        if (!header(r, explicit_vr, &e) || depth > 64) return false;
        if (e.tag == 0xFFFEE0DD || e.tag == 0xFFFEE00D)
            depth--;
        else if (e.length == 0xFFFFFFFF)
            depth++;
        else if (e.tag != 0xFFFEE000) {
            if (e.length > r->n - r->at) return false;
            r->at += e.length;
        } /* an item with a length: its elements follow and are walked like the rest */
    }
    return true;
}

static void copy(char *to, const struct reader *r, const struct element *e)
{
    size_t n = e->length < 64 ? e->length : 64;
    const char *from = (const char *)r->p + e->value;
    while (n && (from[n - 1] == ' ' || from[n - 1] == 0))
        n--;
    while (n && *from == ' ')
        from++, n--;
    memcpy(to, from, n);
    to[n] = 0;
}

static bool transfer_syntax(const struct reader *r, const struct element *e, bool *explicit_vr)
{
    char uid[65];
    copy(uid, r, e);
    if (!strcmp(uid, "1.2.840.10008.1.2"))
        *explicit_vr = false;
    else if (!strcmp(uid, "1.2.840.10008.1.2.2") || !strcmp(uid, "1.2.840.10008.1.2.1.99"))
        return false; /* big endian, deflated */
    else
        *explicit_vr = true;
    return true;
}

bool spd_tags_read(const unsigned char *p, size_t n, struct spd_tags *ret)
{
    struct reader r = {p, n, 132, true};
    bool in_meta = true, data_explicit = true;
    memset(ret, 0, sizeof *ret);
    if (n < 140 || memcmp(p + 128, "DICM", 4)) return false;
    while (r.at < r.n) {
        struct element e;
        if (in_meta && r.n - r.at >= 2 && u16(r.p + r.at) != 2) {
            in_meta = false;
            r.explicit_vr = data_explicit;
        }
        if (!header(&r, r.explicit_vr, &e)) return false;
        if (e.tag > 0x0020000D) return ret->study_uid[0] != 0;
        if (e.length == 0xFFFFFFFF) {
            if (!skip_undefined(&r, r.explicit_vr && !e.un)) return false;
            continue;
        }
        if (e.length > r.n - r.at) return false;
        switch (e.tag) {
        case 0x00020010:
            if (!transfer_syntax(&r, &e, &data_explicit)) return false;
            break;
        case 0x00080016:
            copy(ret->sop_class, &r, &e);
            break;
        case 0x00080018:
            copy(ret->sop_uid, &r, &e);
            break;
        case 0x00080050:
            copy(ret->accession, &r, &e);
            break;
        case 0x00100020:
            copy(ret->patient_id, &r, &e);
            break;
        case 0x00100021:
            copy(ret->issuer, &r, &e);
            break;
        case 0x0020000D:
            copy(ret->study_uid, &r, &e);
            return ret->study_uid[0] != 0;
        default:
            break;
        }
        r.at += e.length;
    }
    return ret->study_uid[0] != 0;
}

static bool starts(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

bool spd_tags_is_image(const char *sop_class)
{
    /* What lies beside images in a study: reports, presentation states, segmentations and raw data,
     * encapsulated documents, waveforms, radiotherapy objects other than the image (PS3.4 B.5). */
    static const char *const others[] = {"88.", "11.", "66", "104.", "9.", "67", "68."};
    static const char storage[] = "1.2.840.10008.5.1.4.1.1.";
    const char *kind = sop_class + sizeof storage - 1;
    if (!starts(sop_class, storage)) return true; /* private or newer: an image as far as we know */
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (starts(kind, others[i])) return false;
    return !starts(kind, "481.") || !strcmp(kind, "481.1");
}

bool spd_tags_is_sr(const char *sop_class)
{
    /* All of the SR family: 1.2.840.10008.5.1.4.1.1.88.* (PS3.4 B.5). */
    return starts(sop_class, "1.2.840.10008.5.1.4.1.1.88.");
}
