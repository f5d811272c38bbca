/* hl7/v2/edit.c: paths, changing one element of a message, escapes, cutting a file into messages;
 * see msg.h. Nothing here guesses: what is not addressed keeps its bytes. */
#include "hl7/v2/msg.h"

/* ---- paths ---------------------------------------------------------------------------------- */
static bool number(const char **p, const char *end, unsigned *ret)
{
    unsigned n = 0;
    const char *from = *p;
    for (; *p < end && **p >= '0' && **p <= '9' && n < 100000; ++*p)
        n = n * 10 + (unsigned)(**p - '0');
    *ret = n;
    return *p > from && n > 0 && n < 100000;
}

static bool bracket(const char **p, const char *end, unsigned *ret)
{
    if (*p == end || **p != '[') return true;
    ++*p;
    if (!number(p, end, ret) || *p == end || **p != ']') return false;
    ++*p;
    return true;
}

enum spd_rc hl7_path_parse(spd_sv text, struct hl7_path *ret, struct spd_err *err)
{
    *ret = (struct hl7_path){.seg = 1};
    const char *p = text.ptr, *end = text.len < 5 ? p : p + text.len;
    if (p == end) goto bad;
    for (int i = 0; i < 3; i++, p++)
        ret->id[i] = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
    if (!bracket(&p, end, &ret->seg) || p == end || (*p != '-' && *p != '.')) goto bad;
    p++;
    if (!number(&p, end, &ret->field) || !bracket(&p, end, &ret->rep)) goto bad;
    if (p < end && (*p++ != '.' || !number(&p, end, &ret->comp))) goto bad;
    if (p < end && (*p++ != '.' || !number(&p, end, &ret->sub))) goto bad;
    if (p == end) return SPD_OK;
bad:
    return spd_fail(err, SPD_INVALID, "path", "a path looks like PID-3[2].4.2 or OBX[3]-5");
}

static size_t path_segment(const struct hl7_msg *m, const struct hl7_path *path)
{
    size_t at = hl7_seg_find(m, path->id, 0);
    for (unsigned n = 1; n < path->seg && at < m->n_segs; n++)
        at = hl7_seg_find(m, path->id, at + 1);
    return at;
}

struct hl7_value hl7_path_get(const struct hl7_msg *m, const struct hl7_path *path)
{
    size_t at = path_segment(m, path);
    const struct hl7_seg *s = at < m->n_segs ? &m->segs[at] : NULL;
    if (!path->rep && !path->comp) return hl7_field(m, s, path->field);
    return hl7_get(m, s, path->field, path->rep, path->comp, path->sub);
}

/* ---- changing one element -------------------------------------------------------------------- */
struct span {
    const char *p, *end;
};

/* Narrows the span to its n-th part; what is missing goes to pads and the span becomes its own end.
 */
static void narrow(struct span *at, char delim, unsigned n, struct spd_str *pads)
{
    const char *p = at->p, *hit;
    for (; n > 1; n--) {
        hit = p < at->end ? memchr(p, delim, (size_t)(at->end - p)) : NULL;
        if (!hit) {
            for (; n > 1; n--)
                spd_str_addc(pads, delim);
            at->p = at->end;
            return;
        }
        p = hit + 1;
    }
    hit = p < at->end ? memchr(p, delim, (size_t)(at->end - p)) : NULL;
    *at = (struct span){p, hit ? hit : at->end};
}

/* The only CR of the message stands in what is replaced (a raw line end inside a field): without it
 * every LF would become the end of a segment. */
static bool takes_last_cr(const struct hl7_msg *m, const struct span *at)
{
    const char *from = m->raw.ptr + m->start, *end = m->raw.ptr + m->raw.len;
    return memchr(at->p, '\r', (size_t)(at->end - at->p)) &&
           !memchr(from, '\r', (size_t)(at->p - from)) &&
           !memchr(at->end, '\r', (size_t)(end - at->end));
}

enum spd_rc hl7_msg_set(const struct hl7_msg *m, size_t seg, unsigned field, unsigned rep,
                        unsigned comp, unsigned sub, spd_sv raw, struct spd_str *out,
                        struct spd_err *err)
{
    if (seg >= m->n_segs) return spd_fail(err, SPD_NOTFOUND, "path", "no such segment");
    const struct hl7_seg *s = &m->segs[seg];
    if (!field || field > HL7_MAX_FIELDS || rep > 1000 || comp > 1000 || sub > 1000 ||
        (sub && !comp))
        return spd_fail(err, SPD_INVALID, "path", "no such element");
    if (seg == 0 && field < 3)
        return spd_fail(err, SPD_INVALID, "path", "the delimiters cannot be set");
    struct spd_str pads = SPD_STR_INIT(8192);
    struct span at = {s->ptr, s->ptr + s->len};
    narrow(&at, m->d.field, seg == 0 ? field : field + 1, &pads);
    if (rep || comp) narrow(&at, m->d.rep, rep ? rep : 1, &pads);
    if (comp) narrow(&at, m->d.comp, comp, &pads);
    if (sub) narrow(&at, m->d.sub, sub, &pads);
    spd_str_add(out, spd_sv_of(m->raw.ptr, (size_t)(at.p - m->raw.ptr)));
    spd_str_add(out, spd_str_sv(&pads));
    spd_str_add(out, raw);
    spd_str_add(out, spd_sv_of(at.end, (size_t)(m->raw.ptr + m->raw.len - at.end)));
    if (takes_last_cr(m, &at)) spd_str_addc(out, '\r');
    enum spd_rc rc = pads.rc ? pads.rc : out->rc;
    spd_str_done(&pads);
    return rc ? spd_fail(err, rc, "", "the message grew too long") : SPD_OK;
}

spd_sv hl7_msg_eol(const struct hl7_msg *m)
{
    const char *cr = memchr(m->raw.ptr, '\r', m->raw.len);
    if (!cr) return memchr(m->raw.ptr, '\n', m->raw.len) ? SPD_SV("\n") : SPD_SV("\r");
    return cr + 1 < m->raw.ptr + m->raw.len && cr[1] == '\n' ? SPD_SV("\r\n") : SPD_SV("\r");
}

enum spd_rc hl7_msg_insert(const struct hl7_msg *m, size_t after, spd_sv segment,
                           struct spd_str *out, struct spd_err *err)
{
    if (after >= m->n_segs) return spd_fail(err, SPD_NOTFOUND, "path", "no such segment");
    const char *at = m->segs[after].ptr + m->segs[after].len, *end = m->raw.ptr + m->raw.len;
    spd_str_add(out, spd_sv_of(m->raw.ptr, (size_t)(at - m->raw.ptr)));
    spd_str_add(out, hl7_msg_eol(m));
    spd_str_add(out, segment);
    spd_str_add(out, spd_sv_of(at, (size_t)(end - at)));
    return out->rc ? spd_fail(err, out->rc, "", "the message grew too long") : SPD_OK;
}

void hl7_msg_build(const struct hl7_msg *m, struct spd_str *out)
{
    const char *p = m->raw.ptr;
    for (size_t i = 0; i < m->n_segs;
         i++) { /* what stands between segments: their ends, blank lines */
        const struct hl7_seg *s = &m->segs[i];
        spd_str_add(out, spd_sv_of(p, (size_t)(s->ptr - p)));
        const char *from = s->ptr, *end = s->ptr + s->len;
        for (const char *q; from <= end; from = q + 1) {
            q = from < end ? memchr(from, m->d.field, (size_t)(end - from)) : NULL;
            if (!q) q = end;
            spd_str_add(out, spd_sv_of(from, (size_t)(q - from)));
            if (q < end) spd_str_addc(out, m->d.field);
        }
        p = end;
    }
    spd_str_add(out, spd_sv_of(p, (size_t)(m->raw.ptr + m->raw.len - p)));
}

/* ---- escapes --------------------------------------------------------------------------------- */
static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes of \X..\ ; -1 when it is none or holds a NUL. */
static int hex_bytes(spd_sv e, char *to)
{
    int n = 0;
    if (e.len < 3 || e.len % 2 == 0 || (e.ptr[0] != 'X' && e.ptr[0] != 'x')) return -1;
    for (size_t i = 1; i < e.len; i += 2) {
        int a = hex(e.ptr[i]), b = hex(e.ptr[i + 1]);
        if (a < 0 || b < 0 || !(a || b)) return -1;
        to[n++] = (char)(a * 16 + b);
    }
    return n;
}

static bool is_high(const char *p, int n)
{
    for (int i = 0; i < n; i++)
        if ((unsigned char)p[i] >= 0x80) return true;
    return false;
}

/* One escape (without its two escape characters) to text at to; -1: unknown. Text is never longer
 * than the escape, but for converted hex: then the view *ret is set instead. */
static int one_escape(const struct hl7_msg *m, spd_sv e, char *to, hl7_convert *convert, void *ctx,
                      spd_sv *ret, struct spd_arena *arena)
{
    static const char letters[] = "FSTREP";
    const char as[] = {m->d.field, m->d.comp, m->d.sub,
                       m->d.rep,   m->d.esc,  m->d.trunc ? m->d.trunc : '#'};
    if (e.len == 1) {
        const char *l = strchr(letters, e.ptr[0]);
        if (l && *l) return *to = as[l - letters], 1;
        if (e.ptr[0] == 'H' || e.ptr[0] == 'N') return 0;
    }
    if (spd_sv_is(e, ".br") || spd_sv_is(e, ".sp")) return *to = '\n', 1;
    int n = hex_bytes(e, to);
    if (n > 0 && is_high(to, n) && convert) {
        spd_sv copy = spd_arena_dup(arena, spd_sv_of(to, (size_t)n));
        if (!copy.ptr || !convert(ctx, copy, ret, arena)) return -1;
        return 0;
    }
    return n;
}

spd_sv hl7_unescape(const struct hl7_msg *m, spd_sv raw, hl7_convert *convert, void *ctx,
                    struct spd_arena *arena)
{
    if (!raw.len || !memchr(raw.ptr, m->d.esc, raw.len)) return raw;
    const char *p = raw.ptr, *end = p + raw.len;
    /* \Xhh..\ of n bytes is 3 + 2n long and becomes at most 3n; nothing else grows */
    char *buf = spd_arena_alloc(arena, raw.len + raw.len / 2 + 16), *to = buf;
    if (!buf) return SPD_SV_NONE;
    while (p < end) {
        const char *e = *p == m->d.esc ? memchr(p + 1, m->d.esc, (size_t)(end - p - 1)) : NULL;
        spd_sv text = SPD_SV_NONE;
        int n =
            e ? one_escape(m, spd_sv_of(p + 1, (size_t)(e - p - 1)), to, convert, ctx, &text, arena)
              : -1;
        if (n < 0) {
            *to++ = *p++;
            continue;
        }
        if (text.len && text.len <= (size_t)(e - p + 1) * 3 / 2) {
            memcpy(to, text.ptr, text.len);
            n = (int)text.len;
        }
        to += n;
        p = e + 1;
    }
    return spd_sv_of(buf, (size_t)(to - buf));
}

void hl7_escape(const struct hl7_delims *d, spd_sv text, struct spd_str *out)
{
    const char from[] = {d->field, d->comp, d->sub, d->rep, d->esc, d->trunc};
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        const char *l = c ? memchr(from, c, sizeof from) : NULL;
        if (l)
            spd_str_addf(out, "%c%c%c", d->esc, "FSTREP"[l - from], d -> esc);
        else if (c < 0x20 || c == 0x7F)
            spd_str_addf(out, "%cX%02X%c", d->esc, c, d->esc);
        else
            spd_str_addc(out, (char)c);
    }
}

/* ---- files ----------------------------------------------------------------------------------- */
static bool is_line(const char *p, const char *end, const char *id)
{
    return end - p > 3 && !memcmp(p, id, 3);
}

static bool is_batch(const char *p, const char *end)
{
    return is_line(p, end, "FHS") || is_line(p, end, "BHS") || is_line(p, end, "BTS") ||
           is_line(p, end, "FTS");
}

static const char *line_end(const char *p, const char *end)
{
    while (p < end && *p != '\r' && *p != '\n' && *p != 0x0B && *p != 0x1C)
        p++;
    return p;
}

bool hl7_next_message(spd_sv *rest, spd_sv *ret)
{
    if (!rest->len) return false;
    const char *p = rest->ptr, *end = p + rest->len, *from;
    for (;;) {
        while (p < end &&
               (*p == '\r' || *p == '\n' || *p == ' ' || *p == '\t' || *p == 0x0B || *p == 0x1C))
            p++;
        if (p < end && is_batch(p, end))
            p = line_end(p, end);
        else
            break;
    }
    *rest = SPD_SV_NONE;
    if (p == end) return false;
    from = p;
    for (p = line_end(p, end); p < end; p = line_end(p, end)) {
        if (*p == 0x0B || *p == 0x1C) break;
        while (p < end && (*p == '\r' || *p == '\n'))
            p++;
        if (is_line(p, end, "MSH") || is_batch(p, end)) break;
    }
    *ret = spd_sv_of(from, (size_t)(p - from));
    *rest = spd_sv_of(p, (size_t)(end - p));
    return true;
}
