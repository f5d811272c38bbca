/* hl7/map/report.c: ORU^R01 of a system that reports; see read.h. A report closes only
 * what it names, and only the status of the order group it stands in counts. */
#include "hl7/map/site.h"

enum { MAX_GROUPS = 256 };

static bool is_text(spd_sv type)
{
    return !type.len || spd_sv_is(type, "TX") || spd_sv_is(type, "FT") || spd_sv_is(type, "ST") ||
           spd_sv_is(type, "CE") || spd_sv_is(type, "CWE");
}

/* "113014^DICOM Study^DCM" and "Study Instance UID" name the study; they are no text. */
bool hl7_is_study_uid(const struct hl7_read *r, const struct hl7_seg *obx)
{
    spd_sv code = hl7_text_of(r, obx, 3, 1), text = hl7_text_of(r, obx, 3, 2);
    return spd_sv_is(code, "113014") || spd_sv_ieq(text, SPD_SV("DICOM Study")) ||
           spd_sv_ieq(text, SPD_SV("Study Instance UID")) ||
           spd_sv_ieq(code, SPD_SV("Study Instance UID"));
}

/* The text as it grows: room for all of it was made before. While there is one line only it may stay
 * where it is. */
struct text {
    char *to;
    size_t len;
    spd_sv only;
    size_t lines;
};

static void add_line(const struct hl7_read *r, struct hl7_value rep, bool coded, struct text *out)
{
    spd_sv line = hl7_text_lines(r, coded ? hl7_comp(r->m, rep, 2) : rep);
    if (coded && !line.len) line = hl7_text_lines(r, hl7_comp(r->m, rep, 1));
    while (line.len && strchr(" \t\r", line.ptr[line.len - 1]))
        line.len--;
    out->only = line, out->lines++;
    if (!out->to) return;
    for (size_t k = 0; k < line.len; k++)
        if (line.ptr[k] != '\r') out->to[out->len++] = line.ptr[k];
    out->to[out->len++] = '\n';
}

/* Every repetition of OBX-5 is a line, an empty OBX an empty one. In one pass: there may be
 * millions. */
static void add_lines(const struct hl7_read *r, const struct hl7_seg *s, struct hl7_value f,
                      struct text *out)
{
    bool obx = hl7_seg_is(s, "OBX");
    spd_sv type = obx ? hl7_text_of(r, s, 2, 1) : SPD_SV_NONE, rest = f.raw;
    bool coded = spd_sv_is(type, "CE") || spd_sv_is(type, "CWE");
    if (!is_text(type)) return;
    if (f.is != HL7_VALUE) return add_line(r, f, false, out);
    for (;;) {
        const char *end = rest.len ? memchr(rest.ptr, r->m->d.rep, rest.len) : NULL;
        spd_sv one = spd_sv_of(rest.ptr, end ? (size_t)(end - rest.ptr) : rest.len);
        add_line(r, (struct hl7_value){one, one.len ? HL7_VALUE : HL7_EMPTY}, coded, out);
        if (!end) return;
        rest = spd_sv_of(end + 1, rest.len - one.len - 1);
    }
}

/* At most what the lines of a field make: an escape becomes half as long again at most (edit.c), and
 * each line has its end where a repetition's delimiter was, the last one behind. */
static size_t most_of(const struct hl7_read *r, struct hl7_value f)
{
    bool escapes = f.raw.len && memchr(f.raw.ptr, r->m->d.esc, f.raw.len);
    size_t n = f.raw.len;
    if (!r->decoded) n *= 4; /* each byte a character of its own */
    return n + (escapes ? n / 2 + 16 : 0) + 1;
}

/* One field of the message that is report text; false: it is none. */
static bool text_field(const struct hl7_read *r, size_t seg, struct hl7_value *ret)
{
    struct hl7_at anywhere = {NULL, HL7_NO_SEG, HL7_NO_SEG};
    const struct hl7_seg *s = &r->m->segs[seg];
    unsigned field = hl7_fact_line(r, &anywhere, seg);
    if (!field || (hl7_seg_is(s, "OBX") && hl7_is_study_uid(r, s))) return false;
    *ret = hl7_field(r->m, s, field);
    return true;
}

/* A text of one line that stands in the message as it is to be read is not copied: it may be as long
 * as the message. */
static bool stands_there(const struct hl7_read *r, spd_sv line)
{
    const char *from = r->m->raw.ptr, *to = from + r->m->raw.len;
    return line.len && line.ptr >= from && line.ptr < to && !memchr(line.ptr, '\r', line.len);
}

/* First what it will need at most, then the lines, through an arena of their own, into one piece. */
void hl7_report_text(const struct hl7_read *r, struct spd_report_event *ret)
{
    struct text out = {0};
    struct hl7_read lines = *r;
    struct hl7_value f;
    size_t most = 0, fields = 0, last = 0;
    if (!(lines.arena = spd_arena_new((size_t)256 << 20))) spd_out_of_memory();
    for (size_t i = 0; i < r->m->n_segs; i++) {
        if (text_field(&lines, i, &f)) most += most_of(r, f), fields++, last = i;
        spd_arena_reset(lines.arena);
    }
    if (fields == 1 && text_field(&lines, last, &f) &&
        (!f.raw.len || !memchr(f.raw.ptr, r->m->d.rep, f.raw.len)))
        add_lines(&lines, &r->m->segs[last], f, &out);
    if (out.lines == 1 && stands_there(r, out.only)) {
        ret->text = spd_sv_trim(out.only);
    } else if (fields && (out.to = spd_arena_alloc(r->arena, most))) {
        for (size_t i = 0; i < r->m->n_segs; i++) {
            spd_arena_reset(lines.arena);
            if (text_field(&lines, i, &f)) add_lines(&lines, &r->m->segs[i], f, &out);
        }
        ret->text = spd_sv_trim(spd_sv_of(out.to, out.len));
    }
    spd_arena_free(lines.arena);
}

static void read_group(struct hl7_read *r, const struct hl7_group *g, struct spd_report_event *ret)
{
    struct hl7_at at = {g, HL7_NO_SEG, HL7_NO_SEG};
    struct spd_order_in one = {0};
    struct spd_code code;
    spd_sv word = hl7_fact_text(r, &at, HL7_F_REPORT_STATUS);
    if (word.len && !hl7_word_status(r->o, word, true, &one)) one.status_word = word;
    hl7_group_ids(r, g, &one);
    if (!one.accession.value.len && !one.placer.value.len && !one.filler.value.len) return;
    if (hl7_take_code(r, &at, hl7_fact(r, HL7_F_PROCEDURE), &code))
        *SPD_LIST_ADD(&one.procedures, r->arena) = code;
    spd_sv uid = hl7_fact_text(r, &at, HL7_F_REPORT_STUDY_UID);
    if (uid.len) *SPD_LIST_ADD(&one.study_uids, r->arena) = uid;
    one.source_time = hl7_clamp_time(r, hl7_take_time(r, &at, hl7_fact(r, HL7_F_REPORT_AT)));
    *SPD_LIST_ADD(&ret->reports, r->arena) = one;
    if (!ret->by.len) ret->by = hl7_fact_text(r, &at, HL7_F_REPORT_BY);
}

enum hl7_no hl7_read_report(struct hl7_read *r, struct spd_report_event *ret)
{
    struct hl7_group groups[MAX_GROUPS];
    size_t n = hl7_groups(r->m, groups, MAX_GROUPS), pid = hl7_seg_find(r->m, "PID", 0), ours = 0;
    for (size_t i = 0; i < n; i++) {
        struct hl7_at at = {&groups[i], HL7_NO_SEG, HL7_NO_SEG};
        if (groups[i].obr >= r->m->n_segs || hl7_word_is_lab(hl7_fact_text(r, &at, HL7_F_SECTION)))
            continue;
        ours++;
        read_group(r, &groups[i], ret);
    }
    if (!n) return HL7_NO_ORDER;
    if (!ours) return HL7_NO_NOT_FOR_US;
    if (pid == r->m->n_segs) return HL7_NO_PATIENT;
    if (hl7_groups_left(r->m, groups, n, true)) return HL7_NO_MORE;
    if (!ret->reports.n) return HL7_NO_IDENTIFIER;
    hl7_read_patient(r, &r->m->segs[pid], &ret->patient);
    hl7_report_text(r, ret);
    return HL7_NO;
}
