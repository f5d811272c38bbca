/* src/web/multipart.c: see multipart.h. */
#include "web/multipart.h"

#include <stdio.h>

#include "result/dcm_write.h"

enum { HEAD_MAX = 16384, META_MAX = 65536, META_STEP = 1024, PREAMBLE = 132 };
#define EXPLICIT SPD_SV("1.2.840.10008.1.2.1")
#define IMPLICIT SPD_SV("1.2.840.10008.1.2")

/* ---- the type
 * ------------------------------------------------------------------------------------ */
/* A parameter of a header's value, without its quotes. */
static bool parameter(spd_sv v, const char *name, spd_sv *ret)
{
    size_t at;
    while (spd_sv_find(v, SPD_SV(";"), &at)) {
        size_t eq;
        v = spd_sv_trim(spd_sv_of(v.ptr + at + 1, v.len - at - 1));
        if (!spd_sv_find(v, SPD_SV("="), &eq) ||
            !spd_sv_ieq(spd_sv_of(v.ptr, eq), spd_sv_from(name)))
            continue;
        *ret = spd_sv_of(v.ptr + eq + 1, v.len - eq - 1);
        if (ret->len && ret->ptr[0] == '"') {
            *ret = spd_sv_of(ret->ptr + 1, ret->len - 1);
            const char *end = memchr(ret->ptr, '"', ret->len);
            if (!end) return false;
            ret->len = (size_t)(end - ret->ptr);
        } else if (spd_sv_find(*ret, SPD_SV(";"), &at)) {
            ret->len = at;
        }
        *ret = spd_sv_trim(*ret);
        return true;
    }
    return false;
}

static bool is_type(spd_sv v, const char *want)
{
    size_t semi;
    if (spd_sv_find(v, SPD_SV(";"), &semi)) v.len = semi;
    return spd_sv_ieq(spd_sv_trim(v), spd_sv_from(want));
}

enum spd_rc spd_multipart_begin(struct spd_multipart *m, spd_sv type, struct spd_str *out)
{
    spd_sv boundary, part;
    *m = (struct spd_multipart){.out = out, .head = SPD_STR_INIT(META_MAX)};
    if (!is_type(type, "multipart/related") || !parameter(type, "boundary", &boundary) ||
        !boundary.len || boundary.len > 70)
        return SPD_INVALID;
    if (parameter(type, "type", &part) && !spd_sv_ieq(part, SPD_SV("application/dicom")))
        return SPD_INVALID;
    m->n_boundary =
        (size_t)snprintf(m->boundary, sizeof m->boundary, "\r\n--%.*s", SPD_SV_ARG(boundary));
    m->matched = 2; /* the first one may begin the body */
    return SPD_OK;
}

void spd_multipart_done(struct spd_multipart *m)
{
    spd_str_done(&m->head);
}

/* ---- one part's file
 * ----------------------------------------------------------------------------- */
static void begin_part(struct spd_multipart *m)
{
    spd_str_clear(&m->head);
    m->part_bytes = 0, m->reading_meta = true, m->whole = false;
    m->at = m->out->len;
    spd_str_add(m->out, spd_sv_of("\0\0\0\0", 4));
    if (++m->parts > SPD_MULTIPART_PARTS_MAX) m->state = SPD_MP_BAD;
}

static unsigned u16(const char *p)
{
    return (unsigned char)p[0] | (unsigned)(unsigned char)p[1] << 8;
}

/* Where the meta header ends; 0: more is needed; SIZE_MAX: this is no file. *uids: class, instance,
 * transfer. */
static size_t meta_end(spd_sv b, spd_sv uids[3])
{
    static const unsigned elements[] = {0x0002, 0x0003, 0x0010};
    size_t at = PREAMBLE;
    if (b.len < PREAMBLE) return 0;
    if (memcmp(b.ptr + 128, "DICM", 4) != 0) return SIZE_MAX;
    for (;;) {
        size_t head = 8, n;
        if (b.len < at + 12) return 0;
        if (u16(b.ptr + at) != 2) return at;
        n = u16(b.ptr + at + 6);
        if (!memcmp(b.ptr + at + 4, "OB", 2) || !memcmp(b.ptr + at + 4, "UN", 2))
            head = 12, n = u16(b.ptr + at + 8) | (size_t)u16(b.ptr + at + 10) << 16;
        if (n > META_MAX) return SIZE_MAX;
        if (b.len < at + head + n) return 0;
        for (int i = 0; i < 3; i++)
            if (u16(b.ptr + at + 2) == elements[i]) {
                uids[i] = spd_sv_of(b.ptr + at + head, n);
                while (uids[i].len &&
                       (!uids[i].ptr[uids[i].len - 1] || uids[i].ptr[uids[i].len - 1] == ' '))
                    uids[i].len--;
            }
        at += head + n;
    }
}

static void object_bytes(struct spd_multipart *m, const char *data, size_t len)
{
    if (m->whole)
        spd_str_add(m->out, spd_sv_of(data, len));
    else
        spd_dcm_cut_feed(&m->cut, data, len);
}

/* The head of the file is there: the object goes on without its bulk, in the form that is left. */
static void begin_object(struct spd_multipart *m, size_t end, const spd_sv uids[3])
{
    spd_sv all = spd_str_sv(&m->head);
    bool implicit = spd_sv_eq(uids[2], IMPLICIT);
    m->reading_meta = false;
    m->whole =
        spd_sv_is(uids[2], "1.2.840.10008.1.2.2") || spd_sv_is(uids[2], "1.2.840.10008.1.2.1.99");
    if (m->whole || implicit || spd_sv_eq(uids[2], EXPLICIT))
        spd_str_add(m->out, spd_sv_of(all.ptr, end));
    else /* compressed pixels are gone: what is left is explicit VR */
        spd_dcm_file(uids[0], uids[1], EXPLICIT, SPD_SV_NONE, m->out);
    spd_dcm_cut_begin(&m->cut, !implicit, m->out);
    object_bytes(m, all.ptr + end, all.len - end);
}

static void part_bytes(struct spd_multipart *m, const char *data, size_t len)
{
    m->part_bytes += len;
    if (m->part_bytes > SPD_MULTIPART_PART_MAX) m->state = SPD_MP_BAD;
    while (len && m->dicom && m->reading_meta) { /* a little at a time: the head is short */
        spd_sv uids[3] = {SPD_SV_NONE, SPD_SV_NONE, SPD_SV_NONE};
        size_t n = len < META_STEP ? len : META_STEP;
        spd_str_add(&m->head, spd_sv_of(data, n));
        data += n, len -= n;
        size_t end = spd_str_ok(&m->head) ? meta_end(spd_str_sv(&m->head), uids) : SIZE_MAX;
        if (end == SIZE_MAX)
            m->dicom = false;
        else if (end)
            begin_object(m, end, uids);
    }
    if (len && m->dicom) object_bytes(m, data, len);
}

static void end_part(struct spd_multipart *m)
{
    if (m->dicom && !m->reading_meta && !m->whole) spd_dcm_cut_end(&m->cut);
    if (!m->dicom || m->reading_meta) {
        m->out->len = m->at + 4; /* no file: nothing of it is kept */
        return;
    }
    size_t n = m->out->len - m->at - 4;
    for (int i = 0; i < 4 && spd_str_ok(m->out); i++)
        m->out->ptr[m->at + (size_t)i] = (char)(n >> (8 * i));
}

/* ---- parts
 * --------------------------------------------------------------------------------------- */
static void headers_end(struct spd_multipart *m)
{
    spd_sv all = spd_str_sv(&m->head);
    m->dicom = false;
    while (all.len) {
        size_t end = all.len, colon;
        spd_sv_find(all, SPD_SV("\r\n"), &end);
        spd_sv line = spd_sv_of(all.ptr, end);
        if (spd_sv_find(line, SPD_SV(":"), &colon) &&
            spd_sv_ieq(spd_sv_of(line.ptr, colon), SPD_SV("Content-Type")))
            m->dicom =
                is_type(spd_sv_of(line.ptr + colon + 1, line.len - colon - 1), "application/dicom");
        all = end + 2 <= all.len ? spd_sv_of(all.ptr + end + 2, all.len - end - 2) : SPD_SV_NONE;
    }
    m->state = SPD_MP_BODY, m->matched = 0;
    begin_part(m);
}

static void header_byte(struct spd_multipart *m, char c)
{
    spd_str_addc(&m->head, c);
    if (m->head.len > HEAD_MAX)
        m->state = SPD_MP_BAD;
    else if (m->head.len >= 2 && !memcmp(m->head.ptr + m->head.len - 2, "\r\n", 2) &&
             (m->head.len == 2 ||
              (m->head.len >= 4 && !memcmp(m->head.ptr + m->head.len - 4, "\r\n\r\n", 4))))
        headers_end(m);
}

/* Behind a boundary: "--" ends it all, a line end begins a part. */
static void after_byte(struct spd_multipart *m, char c)
{
    spd_str_addc(&m->head, c);
    spd_sv v = spd_str_sv(&m->head);
    if (spd_sv_is(v, "--")) {
        m->state = SPD_MP_END;
    } else if (v.len >= 2 && !memcmp(v.ptr + v.len - 2, "\r\n", 2)) {
        spd_str_clear(&m->head);
        m->state = SPD_MP_HEADERS;
    } else if (v.len > 64 || (c != '-' && c != ' ' && c != '\t' && c != '\r')) {
        m->state = SPD_MP_BAD;
    }
}

/* Content up to the next boundary; what looked like one and was not is content too. Returns how
 * much was taken. */
static size_t content(struct spd_multipart *m, const char *data, size_t len)
{
    size_t from = 0, i = 0;
    bool body = m->state == SPD_MP_BODY;
    while (i < len) {
        if (data[i] == m->boundary[m->matched]) {
            if (!m->matched && i > from) {
                if (body) part_bytes(m, data + from, i - from);
                from = i;
            }
            m->matched++, i++;
            if (m->matched < m->n_boundary) continue;
            if (body) end_part(m);
            if (m->state != SPD_MP_BAD) m->state = SPD_MP_AFTER;
            m->matched = 0;
            spd_str_clear(&m->head);
            return i;
        }
        if (m->matched) { /* "\r" is only at its start, so nothing of it can begin another one */
            if (body) part_bytes(m, m->boundary, m->matched);
            m->matched = 0, from = i;
            if (m->state == SPD_MP_BAD) return len;
            continue;
        }
        const char *next = memchr(data + i, '\r', len - i);
        i = next ? (size_t)(next - data) : len;
    }
    if (!m->matched && body && len > from) part_bytes(m, data + from, len - from);
    return len;
}

void spd_multipart_feed(struct spd_multipart *m, const char *data, size_t len)
{
    for (size_t i = 0; i < len;) {
        if (m->state == SPD_MP_AFTER)
            after_byte(m, data[i++]);
        else if (m->state == SPD_MP_HEADERS)
            header_byte(m, data[i++]);
        else if (m->state == SPD_MP_PREAMBLE || m->state == SPD_MP_BODY)
            i += content(m, data + i, len - i);
        else
            return; /* the epilogue, or what follows a mistake */
    }
}

enum spd_rc spd_multipart_end(struct spd_multipart *m)
{
    if (!spd_str_ok(m->out) || m->part_bytes > SPD_MULTIPART_PART_MAX ||
        m->parts > SPD_MULTIPART_PARTS_MAX)
        return SPD_LIMIT;
    return m->state == SPD_MP_END && m->parts ? SPD_OK : SPD_INVALID;
}

bool spd_multipart_take(spd_sv *kept, spd_sv *ret)
{
    if (kept->len < 4) return false;
    size_t n = u16(kept->ptr) | (size_t)u16(kept->ptr + 2) << 16;
    if (n > kept->len - 4) return false;
    *ret = spd_sv_of(kept->ptr + 4, n);
    *kept = spd_sv_of(kept->ptr + 4 + n, kept->len - 4 - n);
    return true;
}
