/* hl7/v2/msg.c: finding segments and everything inside them; see msg.h. Changing a message is in
 * edit.c. */
#include "hl7/v2/msg.h"

#include <stdio.h>

enum { MAX_BYTES = 1 << 28 };

static bool is_alpha(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_alnum(char c)
{
    return is_alpha(c) || (c >= '0' && c <= '9');
}

/* From p on, or end. Fields are mostly short, a report is long: a few bytes by hand, then memchr.
 */
static inline const char *next_of(const char *p, const char *end, char c)
{
    const char *soon = end - p > 16 ? p + 16 : end;
    for (; p < soon; p++)
        if (*p == c) return p;
    if (p == end) return end;
    const char *hit = memchr(p, c, (size_t)(end - p));
    return hit ? hit : end;
}

void hl7_msg_place(const struct hl7_msg *m, size_t off, char *place, size_t size)
{
    size_t seg = 0, field = 0;
    const char *at = m->raw.ptr + off;
    while (seg < m->n_segs && m->segs[seg].ptr <= at)
        seg++;
    if (seg) {
        const char *p = m->segs[seg - 1].ptr, *end = p + m->segs[seg - 1].len;
        if (end > at) end = at;
        for (; p < end; p++)
            field += *p == m->d.field;
        if (hl7_seg_is(&m->segs[seg - 1], "MSH")) field++; /* MSH-1 is the separator itself */
    } else if (off >= m->start + 3) {                      /* still reading the delimiters */
        field = off == m->start + 3 ? 1 : 2;
    }
    snprintf(place, size, "segment %zu, field %zu, byte %zu", seg ? seg : 1, field, off + 1);
}

static enum spd_rc fail_at(const struct hl7_msg *m, size_t off, struct spd_err *err, enum spd_rc rc,
                           const char *text)
{
    char place[96];
    hl7_msg_place(m, off, place, sizeof place);
    return spd_fail(err, rc, place, "%s", text);
}

static enum spd_rc read_delims(struct hl7_msg *m, struct spd_err *err)
{
    const char *p = m->raw.ptr + m->start, *end = m->raw.ptr + m->raw.len;
    char c[6] = {0};
    size_t n = 0;
    if (end - p < 8 || memcmp(p, "MSH", 3) != 0)
        return fail_at(m, m->start < m->raw.len ? m->start : 0, err, SPD_INVALID,
                       "the message does not begin with MSH");
    c[n++] = p[3];
    for (p += 4; p < end && *p != c[0] && *p != '\r' && *p != '\n' && n < 6; p++)
        c[n++] = *p;
    if (n < 5 || (p < end && *p != c[0] && *p != '\r' && *p != '\n'))
        return fail_at(m, m->start + 4, err, SPD_INVALID,
                       "MSH-2 must have four or five characters");
    for (size_t i = 0; i < n; i++) {
        if (c[i] <= ' ' || c[i] >= 0x7F || is_alnum(c[i]))
            return fail_at(m, m->start + 3 + i, err, SPD_INVALID,
                           "a delimiter may not be a letter, digit or control character");
        for (size_t k = 0; k < i; k++)
            if (c[i] == c[k])
                return fail_at(m, m->start + 3 + i, err, SPD_INVALID,
                               "the delimiters are not all different");
    }
    m->d = (struct hl7_delims){c[0], c[1], c[2], c[3], c[4], c[5]};
    memset(m->kind, 0, sizeof m->kind);
    m->kind[(unsigned char)c[0]] = 1 + HL7_END_FIELD;
    m->kind[(unsigned char)c[2]] = 1 + HL7_END_REP;
    m->kind[(unsigned char)c[1]] = 1 + HL7_END_COMP;
    m->kind[(unsigned char)c[4]] = 1 + HL7_END_SUB;
    return SPD_OK;
}

static void begin(struct hl7_msg *m, spd_sv bytes)
{
    m->raw = bytes;
    m->segs = m->few;
    m->n_segs = m->joined = m->start = 0;
    m->d = (struct hl7_delims){'|', '^', '~', '\\', '&', 0};
    if (bytes.len >= 3 && !memcmp(bytes.ptr, "\xEF\xBB\xBF", 3)) m->start = 3;
    while (m->start < bytes.len && strchr("\r\n \t", bytes.ptr[m->start]) && bytes.ptr[m->start])
        m->start++;
}

static struct hl7_seg *add_segment(struct hl7_msg *m, struct spd_arena *arena)
{
    size_t n = m->n_segs;
    if (n >= HL7_FEW_SEGMENTS && (n == HL7_FEW_SEGMENTS || (n & (n - 1)) == 0)) {
        size_t cap = n == HL7_FEW_SEGMENTS ? 32 : n * 2;
        struct hl7_seg *more = arena ? spd_arena_alloc(arena, cap * sizeof *more) : NULL;
        if (!more) return NULL;
        memcpy(more, m->segs, n * sizeof *more);
        m->segs = more;
    }
    return &m->segs[m->n_segs++];
}

static inline bool starts_segment(const char *p, const char *end, char field)
{
    return end - p >= 3 && is_alpha(p[0]) && is_alnum(p[1]) && is_alnum(p[2]) &&
           (end - p == 3 || p[3] == field);
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static bool too_many_fields(const struct hl7_msg *m, const struct hl7_seg *s, size_t *ret_off)
{
    const char *p = s->ptr, *end = p + s->len;
    size_t n = 0;
    if (s->len <= HL7_MAX_FIELDS) return false; /* a field costs at least a byte */
    while ((p = memchr(p, m->d.field, (size_t)(end - p)))) {
        if (++n > HL7_MAX_FIELDS) {
            *ret_off = (size_t)(p - m->raw.ptr);
            return true;
        }
        p++;
    }
    return false;
}

static enum spd_rc split(struct hl7_msg *m, bool only_first, struct spd_arena *arena,
                         struct spd_err *err)
{
    const char *p = m->raw.ptr + m->start, *end = m->raw.ptr + m->raw.len;
    const char eol = memchr(p, '\r', (size_t)(end - p)) ? '\r' : '\n';
    while (p < end) {
        const char *e = memchr(p, eol, (size_t)(end - p));
        if (!e) e = end;
        if (starts_segment(p, e, m->d.field)) {
            struct hl7_seg *s;
            if (m->n_segs && !memcmp(p, "MSH", 3))
                return fail_at(m, (size_t)(p - m->raw.ptr), err, SPD_INVALID,
                               "a second message begins here");
            if (m->n_segs >= HL7_MAX_SEGMENTS)
                return fail_at(m, (size_t)(p - m->raw.ptr), err, SPD_LIMIT,
                               "more than 2000 segments");
            if (!(s = add_segment(m, arena)))
                return spd_fail(err, SPD_NOMEM, "", "no memory for segments");
            *s = (struct hl7_seg){p, (uint32_t)(e - p), {upper(p[0]), upper(p[1]), upper(p[2]), 0}};
            if (only_first) return SPD_OK;
        } else if (e > p && !(e == p + 1 && *p == '\n')) { /* a raw line end inside a field */
            struct hl7_seg *s = &m->segs[m->n_segs - 1];
            s->len = (uint32_t)(e - s->ptr);
            m->joined++;
        }
        p = e < end ? e + 1 : end;
        while (eol == '\r' && p < end && *p == '\n')
            p++;
    }
    return SPD_OK;
}

/* Two messages run together without a line end: the second MSH stands in the middle of a line.
 * Content would have its delimiters escaped, so this cannot be one. Looks at the rare escape
 * characters only. */
static bool glued(const struct hl7_msg *m, size_t *ret_off)
{
    const char *msh = m->raw.ptr + m->start, *p = msh + 8, *end = m->raw.ptr + m->raw.len;
    while (p < end && (p = memchr(p, m->d.esc, (size_t)(end - p)))) {
        if (p - msh >= 14 && end - p > 1 && !memcmp(p - 6, msh, 8)) {
            *ret_off = (size_t)(p - 6 - m->raw.ptr);
            return true;
        }
        p++;
    }
    return false;
}

enum spd_rc hl7_msg_header(struct hl7_msg *m, spd_sv bytes, struct spd_err *err)
{
    begin(m, bytes);
    if (bytes.len > MAX_BYTES)
        return fail_at(m, MAX_BYTES, err, SPD_LIMIT, "the message is too long");
    enum spd_rc rc = read_delims(m, err);
    return rc == SPD_OK ? split(m, true, NULL, err) : rc;
}

enum spd_rc hl7_msg_parse(struct hl7_msg *m, spd_sv bytes, struct spd_arena *arena,
                          struct spd_err *err)
{
    size_t off;
    begin(m, bytes);
    if (bytes.len > MAX_BYTES)
        return fail_at(m, MAX_BYTES, err, SPD_LIMIT, "the message is too long");
    enum spd_rc rc = read_delims(m, err);
    if (rc == SPD_OK) rc = split(m, false, arena, err);
    if (rc != SPD_OK) return rc;
    for (size_t i = 0; i < m->n_segs; i++)
        if (too_many_fields(m, &m->segs[i], &off))
            return fail_at(m, off, err, SPD_LIMIT, "more than 512 fields in a segment");
    if (glued(m, &off)) return fail_at(m, off, err, SPD_INVALID, "a second message begins here");
    const char *nul = memchr(bytes.ptr, 0, bytes.len);
    if (nul) return fail_at(m, (size_t)(nul - bytes.ptr), err, SPD_INVALID, "a NUL byte");
    return SPD_OK;
}

bool hl7_seg_is(const struct hl7_seg *s, const char *id)
{
    return s->id[0] == id[0] && s->id[1] == id[1] && s->id[2] == id[2];
}

size_t hl7_seg_find(const struct hl7_msg *m, const char *id, size_t from)
{
    while (from < m->n_segs && !hl7_seg_is(&m->segs[from], id))
        from++;
    return from;
}

static struct hl7_value value_of(const char *p, const char *end)
{
    struct hl7_value v = {{p, (size_t)(end - p)}, HL7_VALUE};
    if (p == end)
        v.is = HL7_EMPTY;
    else if (end - p == 2 && p[0] == '"' && p[1] == '"')
        v.is = HL7_NULL;
    return v;
}

static const struct hl7_value absent = {{NULL, 0}, HL7_ABSENT};

struct hl7_value hl7_field(const struct hl7_msg *m, const struct hl7_seg *s, unsigned field)
{
    if (!s || !field || s->len <= 3) return absent;
    const char *end = s->ptr + s->len, *p = next_of(s->ptr + 3, end, m->d.field);
    if (p == end) return absent; /* a name alone, with a joined line behind it */
    if (hl7_seg_is(s, "MSH") && s == m->segs) {
        if (field == 1) return (struct hl7_value){{p, 1}, HL7_VALUE};
        field--;
    }
    while (--field) {
        p = next_of(p + 1, end, m->d.field);
        if (p == end) return absent;
    }
    return value_of(p + 1, next_of(p + 1, end, m->d.field));
}

/* MSH-1 and MSH-2 are made of delimiters and are never cut. */
static bool is_delims(const struct hl7_msg *m, spd_sv v)
{
    return m->n_segs && v.ptr && v.ptr >= m->segs[0].ptr && v.ptr < m->segs[0].ptr + 5;
}

static struct hl7_value part(const struct hl7_msg *m, struct hl7_value v, char delim, unsigned n)
{
    if (!n || v.is == HL7_ABSENT) return absent;
    if (n == 1 && (v.is != HL7_VALUE || is_delims(m, v.raw))) return v;
    if (v.is != HL7_VALUE || is_delims(m, v.raw)) return absent;
    const char *p = v.raw.ptr, *end = p + v.raw.len;
    while (--n) {
        p = next_of(p, end, delim);
        if (p == end) return absent;
        p++;
    }
    return value_of(p, next_of(p, end, delim));
}

size_t hl7_reps(const struct hl7_msg *m, spd_sv field)
{
    size_t n = field.len > 0;
    if (is_delims(m, field)) return n;
    for (size_t i = 0; i < field.len; i++)
        n += field.ptr[i] == m->d.rep;
    return n;
}

struct hl7_value hl7_rep(const struct hl7_msg *m, struct hl7_value field, unsigned rep)
{
    return part(m, field, m->d.rep, rep);
}

struct hl7_value hl7_comp(const struct hl7_msg *m, struct hl7_value rep, unsigned comp)
{
    return part(m, rep, m->d.comp, comp);
}

struct hl7_value hl7_sub(const struct hl7_msg *m, struct hl7_value comp, unsigned sub)
{
    return part(m, comp, m->d.sub, sub);
}

struct hl7_value hl7_get(const struct hl7_msg *m, const struct hl7_seg *s, unsigned field,
                         unsigned rep, unsigned comp, unsigned sub)
{
    struct hl7_value v = hl7_rep(m, hl7_field(m, s, field), rep ? rep : 1);
    if (comp) v = hl7_comp(m, v, comp);
    return comp && sub ? hl7_sub(m, v, sub) : v;
}

size_t hl7_seg_tokens(const struct hl7_msg *m, const struct hl7_seg *s, uint32_t *marks, size_t max)
{
    const unsigned char *p = (const unsigned char *)s->ptr;
    size_t n = 0, i = 0, len = s->len;
    if (hl7_seg_is(s, "MSH") && s == m->segs) { /* the name, and MSH-2 in one piece */
        i = m->d.trunc ? 9 : 8;
        if (n < max) marks[n] = 3 << 2 | HL7_END_FIELD;
        n++;
        if (i >= len) i = len;
    }
    if (max > len) { /* no branch that depends on the bytes: a mark is written always, counted
                        sometimes */
        for (; i < len; i++) {
            unsigned k = m->kind[p[i]];
            marks[n] = (uint32_t)i << 2 | ((k - 1) & 3);
            n += k != 0;
        }
    } else {
        for (; i < len; i++) {
            unsigned k = m->kind[p[i]];
            if (!k) continue;
            if (n < max) marks[n] = (uint32_t)i << 2 | ((k - 1) & 3);
            n++;
        }
    }
    if (n < max) marks[n] = (uint32_t)len << 2 | HL7_END_FIELD;
    return n + 1;
}
