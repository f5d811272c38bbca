/* hl7/map/response.c: the application's own answer to an order message: ORR^O02, ORI^O24, ORG^O20
 * (HL7 4.4, 4.5, 2.9.3); see response.h.
 *
 * The message is read in UTF-8, so that no byte of a character is taken for a delimiter, and what
 * is copied goes back into its own character set. Control characters in it are escaped: nothing
 * copied can start a segment. */
#include "hl7/map/response.h"

#include "hl7/map/read.h"
#include "hl7/v2/ack.h"

enum { MAX_GROUPS = 256, COPIED_MAX = 256 << 10 };

struct row {
    const char *order, *type, *trigger;
    bool detail; /* its structure demands OBR and IPC behind ORC */
};
static const struct row rows[] = {
    {"ORM", "ORR", "O02", false}, {"OMG", "ORG", "O20", false}, {"OMI", "ORI", "O24", true}};

struct group { /* in the character set of the message */
    spd_sv numbers, detail;
};
struct hl7_response {
    const struct row *row;
    spd_sv charset, patient;
    struct group *groups;
    size_t n;
};

/* ---- reading ------------------------------------------------------------------------------- */
static const struct row *row_of(const struct hl7_msg *header)
{
    spd_sv type = hl7_get(header, &header->segs[0], 9, 1, 1, 0).raw;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (spd_sv_is(type, rows[i].order)) return &rows[i];
    return NULL;
}

static bool is_asked(const struct hl7_msg *header, bool always)
{
    bool original = spd_sv_empty(spd_sv_trim(hl7_field(header, &header->segs[0], 15).raw)) &&
                    spd_sv_empty(spd_sv_trim(hl7_field(header, &header->segs[0], 16).raw));
    return original ? always
                    : hl7_asked(header, 'A', true, true).application ||
                          hl7_asked(header, 'R', true, true).application;
}

/* Without what could end a segment. */
static void copy(struct spd_str *out, const struct hl7_msg *m, spd_sv raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.ptr[i];
        if (c < 0x20 || c == 0x7F)
            spd_str_addf(out, "%cX%02X%c", m->d.esc, c, m->d.esc);
        else
            spd_str_addc(out, (char)c);
    }
}

static void copy_segment(struct spd_str *out, const struct hl7_msg *m, size_t seg)
{
    if (seg >= m->n_segs || m->segs[seg].len < 3) return;
    spd_str_addz(out, m->segs[seg].id);
    copy(out, m, spd_sv_of(m->segs[seg].ptr + 3, m->segs[seg].len - 3));
    spd_str_addc(out, '\r');
}

/* Placer and filler as ORC, else OBR, has them. */
static void copy_number(struct spd_str *out, const struct hl7_msg *m, const struct hl7_group *g,
                        unsigned field)
{
    const size_t from[] = {g->orc, g->obr};
    for (size_t i = 0; i < 2; i++) {
        struct hl7_value v = {SPD_SV_NONE, HL7_ABSENT};
        if (from[i] < m->n_segs) v = hl7_field(m, &m->segs[from[i]], field);
        if (v.is != HL7_VALUE) continue;
        copy(out, m, v.raw);
        return;
    }
}

struct reading {
    const struct hl7_msg *m;
    const char *set;
    struct spd_arena *parse, *arena;
    struct spd_str text;
    size_t left; /* of COPIED_MAX */
};

/* What was copied into r->text, in the message's set; false: it does not fit, or cannot be said. */
static bool take(struct reading *r, spd_sv *ret)
{
    spd_sv bytes = SPD_SV_NONE;
    bool ok = spd_str_ok(&r->text) &&
              hl7_charset_encode(r->set, spd_str_sv(&r->text), &bytes, r->parse, NULL) == SPD_OK;
    ok = ok && bytes.len <= r->left;
    if (ok) *ret = spd_arena_dup(r->arena, bytes), r->left -= bytes.len;
    spd_str_clear(&r->text);
    return ok;
}

static bool read_group(struct reading *r, const struct hl7_group *g, bool detail, struct group *ret)
{
    copy_number(&r->text, r->m, g, 2);
    spd_str_addc(&r->text, r->m->d.field);
    copy_number(&r->text, r->m, g, 3);
    if (!take(r, &ret->numbers)) return false;
    if (detail) copy_segment(&r->text, r->m, g->obr);
    for (size_t i = g->first; detail && i < g->end; i++)
        if (hl7_seg_is(&r->m->segs[i], "IPC")) copy_segment(&r->text, r->m, i);
    return take(r, &ret->detail);
}

static bool read_groups(struct reading *r, struct hl7_response *ret)
{
    struct hl7_group all[MAX_GROUPS];
    size_t n = hl7_groups(r->m, all, MAX_GROUPS);
    copy_segment(&r->text, r->m, hl7_seg_find(r->m, "PID", 0));
    if (!take(r, &ret->patient)) return false;
    ret->groups = SPD_NEW_N(r->arena, struct group, n + 1);
    for (size_t i = 0; i < n; i++) {
        /* further procedures of one ORC are one order, unless its OBR must follow */
        if (!ret->row->detail && i && all[i].orc < r->m->n_segs && all[i].orc == all[i - 1].orc)
            continue;
        if (!read_group(r, &all[i], ret->row->detail, &ret->groups[ret->n++])) return false;
    }
    return true;
}

const struct hl7_response *hl7_response_read(spd_sv bytes, spd_sv charset, bool always,
                                             struct spd_arena *arena)
{
    struct hl7_msg m;
    struct hl7_response *ret;
    struct reading r = {&m, NULL, NULL, arena, SPD_STR_INIT(COPIED_MAX), COPIED_MAX};
    const struct row *row;
    spd_sv text;
    if (hl7_msg_header(&m, bytes, NULL) || !m.n_segs || !(row = row_of(&m)) ||
        !is_asked(&m, always))
        return NULL;
    ret = SPD_NEW(arena, struct hl7_response);
    ret->row = row;
    ret->charset = spd_arena_dup(arena, hl7_field(&m, &m.segs[0], 18).raw);
    r.parse = spd_arena_new((size_t)64 << 20);
    if (!r.parse) spd_out_of_memory();
    if (hl7_charset_of(bytes, charset, &r.set, NULL) ||
        hl7_charset_decode(r.set, bytes, &text, r.parse, NULL) ||
        hl7_msg_parse(&m, text, r.parse, NULL) || !read_groups(&r, ret))
        ret->n = 0, ret->patient = SPD_SV_NONE; /* the answer goes without them */
    spd_str_done(&r.text);
    spd_arena_free(r.parse);
    return ret;
}

/* ---- writing ------------------------------------------------------------------------------- */
static bool before_2_2(spd_sv version)
{
    return version.len >= 3 && version.ptr[0] == '2' && version.ptr[1] == '.' &&
           version.ptr[2] < '2';
}

/* OK: taken, whatever was asked for. UA: not taken, and why: ORC-16 since 2.2, before it an NTE. */
static void add_body(const struct hl7_response *r, const struct hl7_msg *m, bool taken, spd_sv why,
                     struct spd_str *out)
{
    const char f = m->d.field;
    bool old = before_2_2(hl7_field(m, &m->segs[0], 12).raw);
    if (!taken && old && why.len) {
        spd_str_addf(out, "NTE%c1%c%c", f, f, f);
        hl7_escape(&m->d, why, out);
        spd_str_addc(out, '\r');
    }
    if (r->n) spd_str_add(out, r->patient);
    for (size_t i = 0; i < r->n; i++) {
        spd_str_addf(out, "ORC%c%s%c", f, taken ? "OK" : "UA", f);
        spd_str_add(out, r->groups[i].numbers);
        if (!taken && !old && why.len) {
            for (int k = 3; k < 16; k++)
                spd_str_addc(out, f);
            spd_str_addc(out, m->d.comp);
            hl7_escape(&m->d, why, out);
        }
        spd_str_addc(out, '\r');
        spd_str_add(out, r->groups[i].detail);
    }
}

static char severity(enum spd_answer answer)
{
    static const char of[SPD_ANSWER_N] = {
        [SPD_ANSWER_UNSET] = 'A', [SPD_ANSWER_AA] = 'A', [SPD_ANSWER_CA] = 'A',
        [SPD_ANSWER_AE] = 'E',    [SPD_ANSWER_CE] = 'E', [SPD_ANSWER_AR] = 'R',
        [SPD_ANSWER_CR] = 'R'};
    return of[(unsigned)answer < SPD_ANSWER_N ? answer : SPD_ANSWER_UNSET];
}

static void put(const struct hl7_msg *m, const struct hl7_ack *a, char how, bool bare,
                struct spd_str *out)
{
    size_t before = out->len;
    hl7_ack_put(m, a, how, out);
    if (bare && !a->type) hl7_ack_bare(out, before);
}

void hl7_answer_write(spd_sv bytes, const struct hl7_answer *a, struct spd_str *first,
                      struct spd_str *second)
{
    struct spd_arena *arena = spd_arena_new(1 << 16);
    struct spd_str body = SPD_STR_INIT((size_t)4 << 20);
    struct hl7_msg m;
    if (!arena) spd_out_of_memory();
    bool known = hl7_msg_header(&m, bytes, NULL) == SPD_OK;
    const struct hl7_response *r = known ? a->response : NULL;
    struct hl7_ack ack = {.severity = severity(a->answer),
                          .text = a->text,
                          .time = hl7_write_time(a->zone, a->now, arena),
                          .control_id = a->control_id};
    struct hl7_asked asked = hl7_asked(known ? &m : NULL, ack.severity, r && !a->one, a->kept);
    struct hl7_ack own = ack;
    if (asked.accept) {
        ack.severity = asked.accept;
        if (asked.accept != own.severity)
            ack.text = SPD_SV_NONE; /* the refusal is not this one's */
        put(known ? &m : NULL, &ack, 'C', a->bare, first);
    }
    if (asked.application && r) {
        own.type = r->row->type, own.trigger = r->row->trigger, own.charset = r->charset;
        if (a->orders) add_body(r, &m, own.severity == 'A', a->text, &body);
        if (spd_str_ok(&body)) own.body = spd_str_sv(&body);
    }
    if (asked.application && asked.accept) own.control_id = a->control_id_2;
    if (asked.application)
        put(known ? &m : NULL, &own, 'A', a->bare, asked.accept ? second : first);
    spd_str_done(&body);
    spd_arena_free(arena);
}

void hl7_ack_for(spd_sv bytes, enum spd_answer answer, spd_sv text, spd_usec now,
                 const struct spd_zone *zone, spd_sv control_id, struct spd_str *out)
{
    struct hl7_answer a = {
        .answer = answer, .text = text, .now = now, .zone = zone, .control_id = control_id};
    hl7_answer_write(bytes, &a, out, out);
}

void hl7_answer_kinds(spd_sv bytes, const struct hl7_answer *a, struct spd_str *out)
{
    struct spd_str said[] = {SPD_STR_INIT((size_t)8 << 20), SPD_STR_INIT((size_t)8 << 20)};
    hl7_answer_write(bytes, a, &said[0], &said[1]);
    for (size_t i = 0; i < 2; i++) {
        struct spd_arena *arena = spd_arena_new((size_t)16 << 20);
        struct hl7_msg m;
        if (!arena) spd_out_of_memory();
        if (said[i].len && hl7_msg_parse(&m, spd_str_sv(&said[i]), arena, NULL) == SPD_OK &&
            m.n_segs > 1) {
            if (i) spd_str_addz(out, ", then ");
            spd_str_add(out, hl7_get(&m, &m.segs[0], 9, 1, 1, 0).raw);
            spd_str_addc(out, ' ');
            spd_str_add(out, hl7_field(&m, &m.segs[1], 1).raw);
            size_t k = hl7_seg_find(&m, "ORC", 0);
            if (k < m.n_segs)
                spd_str_addf(out, " (ORC-1 %.*s)", SPD_SV_ARG(hl7_field(&m, &m.segs[k], 1).raw));
        }
        spd_arena_free(arena);
        spd_str_done(&said[i]);
    }
}
