/* src/cli/demo_sr.c: see demo_sr.h. Elements are written in rising tag order, sequences and items with
 * their length. Invariant: every value has an even length. Values only, no state. */
#include "cli/demo_sr.h"

#define SR_CLASS "1.2.840.10008.5.1.4.1.1.88.33"
enum { PART_MAX = 1 << 20 };

static void put16(struct spd_str *o, unsigned v)
{
    spd_str_addc(o, (char)(v & 0xff));
    spd_str_addc(o, (char)(v >> 8 & 0xff));
}

static void put32(struct spd_str *o, size_t v)
{
    put16(o, (unsigned)(v & 0xffff));
    put16(o, (unsigned)(v >> 16 & 0xffff));
}

static void tag(struct spd_str *o, unsigned group, unsigned element)
{
    put16(o, group);
    put16(o, element);
}

/* A short element: UI is padded with NUL, text with a space. */
static void el(struct spd_str *o, unsigned group, unsigned element, const char *vr, const char *value)
{
    spd_sv v = spd_sv_from(value ? value : "");
    tag(o, group, element);
    spd_str_addz(o, vr);
    if (!strcmp(vr, "UT")) { /* long form */
        put16(o, 0);
        put32(o, v.len + (v.len & 1));
    } else {
        put16(o, (unsigned)(v.len + (v.len & 1)));
    }
    spd_str_add(o, v);
    if (v.len & 1) spd_str_addc(o, !strcmp(vr, "UI") ? 0 : ' ');
}

/* content: items, each made by item(); it is emptied. */
static void seq(struct spd_str *o, unsigned group, unsigned element, struct spd_str *content)
{
    tag(o, group, element);
    spd_str_addz(o, "SQ");
    put16(o, 0);
    put32(o, content->len);
    spd_str_add(o, spd_str_sv(content));
    spd_str_done(content);
}

static void item(struct spd_str *o, struct spd_str *content)
{
    tag(o, 0xfffe, 0xe000);
    put32(o, content->len);
    spd_str_add(o, spd_str_sv(content));
    spd_str_done(content);
}

static void one_item_seq(struct spd_str *o, unsigned group, unsigned element, struct spd_str *content)
{
    struct spd_str items = SPD_STR_INIT(PART_MAX);
    item(&items, content);
    seq(o, group, element, &items);
}

struct concept { const char *code, *scheme, *text; };

static void code_seq(struct spd_str *o, unsigned group, unsigned element, struct concept c)
{
    struct spd_str s = SPD_STR_INIT(PART_MAX);
    el(&s, 0x0008, 0x0100, "SH", c.code);
    el(&s, 0x0008, 0x0102, "SH", c.scheme);
    el(&s, 0x0008, 0x0104, "LO", c.text);
    one_item_seq(o, group, element, &s);
}

static const struct concept FINDING = {"121071", "DCM", "Finding"};

static void start(struct spd_str *s, const char *relation, const char *type, struct concept name)
{
    el(s, 0x0040, 0xa010, "CS", relation);
    el(s, 0x0040, 0xa040, "CS", type);
    code_seq(s, 0x0040, 0xa043, name);
}

static void node_code(struct spd_str *o, const char *relation, struct concept name, struct concept value)
{
    struct spd_str s = SPD_STR_INIT(PART_MAX);
    start(&s, relation, "CODE", name);
    code_seq(&s, 0x0040, 0xa168, value);
    item(o, &s);
}

static void node_text(struct spd_str *o, const char *relation, struct concept name, const char *value)
{
    struct spd_str s = SPD_STR_INIT(PART_MAX);
    start(&s, relation, "TEXT", name);
    el(&s, 0x0040, 0xa160, "UT", value);
    item(o, &s);
}

static void node_uid(struct spd_str *o, const char *relation, struct concept name, const char *value)
{
    struct spd_str s = SPD_STR_INIT(PART_MAX);
    start(&s, relation, "UIDREF", name);
    el(&s, 0x0040, 0xa124, "UI", value);
    item(o, &s);
}

static void node_probability(struct spd_str *o, const char *value)
{
    struct spd_str s = SPD_STR_INIT(PART_MAX), m = SPD_STR_INIT(PART_MAX);
    start(&s, "CONTAINS", "NUM", (struct concept){"111012", "DCM", "Certainty of Finding"});
    code_seq(&m, 0x0040, 0x08ea, (struct concept){"1", "UCUM", "no units"});
    el(&m, 0x0040, 0xa30a, "DS", value);
    one_item_seq(&s, 0x0040, 0xa300, &m);
    item(o, &s);
}

static void node_image(struct spd_str *o, const struct demo_sr *sr, const char *uid)
{
    struct spd_str s = SPD_STR_INIT(PART_MAX), r = SPD_STR_INIT(PART_MAX);
    el(&r, 0x0008, 0x1150, "UI", sr->image_class);
    el(&r, 0x0008, 0x1155, "UI", uid);
    one_item_seq(&s, 0x0008, 0x1199, &r);
    start(&s, "CONTAINS", "IMAGE", (struct concept){"121112", "DCM", "Source of Measurement"});
    item(o, &s);
}

static void container(struct spd_str *o, struct concept name, struct spd_str *children)
{
    struct spd_str s = SPD_STR_INIT(PART_MAX);
    start(&s, "CONTAINS", "CONTAINER", name);
    el(&s, 0x0040, 0xa050, "CS", "SEPARATE");
    seq(&s, 0x0040, 0xa730, children);
    item(o, &s);
}

static void group(struct spd_str *o, const struct demo_sr *sr, const struct demo_sr_finding *f, size_t n)
{
    struct spd_str g = SPD_STR_INIT(PART_MAX), uid = SPD_STR_INIT(100);
    spd_str_addf(&uid, "%s.9.%zu", sr->images[0] ? sr->images[0] : sr->study_uid, n + 1);
    node_text(&g, "HAS OBS CONTEXT", (struct concept){"112039", "DCM", "Tracking Identifier"}, "finding");
    node_uid(&g, "HAS OBS CONTEXT", (struct concept){"112040", "DCM", "Tracking Unique Identifier"}, uid.ptr);
    node_text(&g, "HAS CONCEPT MOD", (struct concept){"111001", "DCM", "Algorithm Name"}, sr->model);
    node_text(&g, "HAS CONCEPT MOD", (struct concept){"111003", "DCM", "Algorithm Version"}, sr->version);
    if (f && f->site)
        node_code(&g, "HAS CONCEPT MOD", (struct concept){"363698007", "SCT", "Finding Site"},
                  (struct concept){f->site, "SCT", f->site_text});
    if (f) {
        node_code(&g, "CONTAINS", FINDING, (struct concept){f->code, "SCT", f->text});
        node_code(&g, "CONTAINS", FINDING, f->present ? (struct concept){"52101004", "SCT", "Present"}
                                                      : (struct concept){"2667000", "SCT", "Absent"});
        if (f->probability) node_probability(&g, f->probability);
    } else {
        node_code(&g, "CONTAINS", FINDING, (struct concept){"408573005", "SCT", "Imaging result normal"});
    }
    for (size_t i = 0; i < 4 && sr->images[i]; i++) node_image(&g, sr, sr->images[i]);
    container(o, (struct concept){"125007", "DCM", "Measurement Group"}, &g);
    spd_str_done(&uid);
}

static void content(struct spd_str *o, const struct demo_sr *sr)
{
    struct spd_str top = SPD_STR_INIT(PART_MAX), groups = SPD_STR_INIT(PART_MAX);
    node_code(&top, "HAS CONCEPT MOD", (struct concept){"121049", "DCM", "Language of Content Item and Descendants"},
              (struct concept){"en", "RFC5646", "English"});
    node_code(&top, "HAS OBS CONTEXT", (struct concept){"121005", "DCM", "Observer Type"},
              (struct concept){"121007", "DCM", "Device"});
    node_text(&top, "HAS OBS CONTEXT", (struct concept){"121013", "DCM", "Device Observer Name"}, sr->model);
    for (size_t i = 0; i < sr->n_findings; i++) group(&groups, sr, &sr->findings[i], i);
    if (!sr->n_findings) group(&groups, sr, NULL, 0);
    container(&top, (struct concept){"126010", "DCM", "Imaging Measurements"}, &groups);
    seq(o, 0x0040, 0xa730, &top);
}

static void evidence(struct spd_str *o, const struct demo_sr *sr)
{
    struct spd_str refs = SPD_STR_INIT(PART_MAX), series = SPD_STR_INIT(PART_MAX), study = SPD_STR_INIT(PART_MAX);
    for (size_t i = 0; i < 4 && sr->images[i]; i++) {
        struct spd_str r = SPD_STR_INIT(PART_MAX);
        el(&r, 0x0008, 0x1150, "UI", sr->image_class);
        el(&r, 0x0008, 0x1155, "UI", sr->images[i]);
        item(&refs, &r);
    }
    seq(&series, 0x0008, 0x1199, &refs);
    el(&series, 0x0020, 0x000e, "UI", sr->image_series_uid);
    one_item_seq(&study, 0x0008, 0x1115, &series);
    el(&study, 0x0020, 0x000d, "UI", sr->study_uid);
    one_item_seq(o, 0x0040, 0xa375, &study);
}

static void header(struct spd_str *o, const struct demo_sr *sr)
{
    struct spd_civil c = spd_zone_civil(spd_zone_utc(), sr->at);
    struct spd_str da = SPD_STR_INIT(16), tm = SPD_STR_INIT(16), none = SPD_STR_INIT(16);
    spd_str_addf(&da, "%04d%02d%02d", c.year, c.month, c.day);
    spd_str_addf(&tm, "%02d%02d%02d", c.hour, c.minute, c.second);
    el(o, 0x0008, 0x0005, "CS", "ISO_IR 192");
    el(o, 0x0008, 0x0016, "UI", SR_CLASS);
    el(o, 0x0008, 0x0018, "UI", sr->uid);
    el(o, 0x0008, 0x0020, "DA", da.ptr);
    el(o, 0x0008, 0x0023, "DA", da.ptr);
    el(o, 0x0008, 0x0030, "TM", tm.ptr);
    el(o, 0x0008, 0x0033, "TM", tm.ptr);
    el(o, 0x0008, 0x0050, "SH", sr->accession);
    el(o, 0x0008, 0x0060, "CS", "SR");
    el(o, 0x0008, 0x0070, "LO", sr->manufacturer);
    el(o, 0x0008, 0x0090, "PN", "");
    el(o, 0x0008, 0x0201, "SH", "+0000");
    el(o, 0x0008, 0x1090, "LO", sr->model);
    seq(o, 0x0008, 0x1111, &none); /* Referenced Performed Procedure Step: type 2 */
    el(o, 0x0010, 0x0010, "PN", sr->patient_name);
    el(o, 0x0010, 0x0020, "LO", sr->patient_id);
    el(o, 0x0010, 0x0021, "LO", sr->patient_issuer);
    el(o, 0x0010, 0x0030, "DA", sr->birth_date);
    el(o, 0x0010, 0x0040, "CS", sr->sex);
    el(o, 0x0018, 0x1020, "LO", sr->version);
    el(o, 0x0020, 0x000d, "UI", sr->study_uid);
    el(o, 0x0020, 0x000e, "UI", sr->series_uid);
    el(o, 0x0020, 0x0010, "SH", "1");
    el(o, 0x0020, 0x0011, "IS", "900");
    el(o, 0x0020, 0x0013, "IS", "1");
    spd_str_done(&da);
    spd_str_done(&tm);
}

static void document(struct spd_str *o, const struct demo_sr *sr)
{
    struct spd_str none = SPD_STR_INIT(PART_MAX), template = SPD_STR_INIT(PART_MAX);
    header(o, sr);
    el(o, 0x0040, 0xa040, "CS", "CONTAINER");
    code_seq(o, 0x0040, 0xa043, (struct concept){"126000", "DCM", "Imaging Measurement Report"});
    el(o, 0x0040, 0xa050, "CS", "SEPARATE");
    seq(o, 0x0040, 0xa372, &none);
    evidence(o, sr);
    el(o, 0x0040, 0xa491, "CS", "COMPLETE");
    el(o, 0x0040, 0xa493, "CS", "UNVERIFIED");
    el(&template, 0x0008, 0x0105, "CS", "DCMR");
    el(&template, 0x0040, 0xdb00, "CS", "1500");
    one_item_seq(o, 0x0040, 0xa504, &template);
    content(o, sr);
}

void demo_sr_write(const struct demo_sr *sr, struct spd_str *out)
{
    static const char preamble[128];
    struct spd_str meta = SPD_STR_INIT(1024);
    tag(&meta, 0x0002, 0x0001);
    spd_str_addz(&meta, "OB");
    put16(&meta, 0);
    put32(&meta, 2);
    put16(&meta, 0x0100); /* version 00 01 */
    el(&meta, 0x0002, 0x0002, "UI", SR_CLASS);
    el(&meta, 0x0002, 0x0003, "UI", sr->uid);
    el(&meta, 0x0002, 0x0010, "UI", "1.2.840.10008.1.2.1");
    el(&meta, 0x0002, 0x0012, "UI", "2.25.20261122");
    spd_str_add(out, spd_sv_of(preamble, sizeof preamble));
    spd_str_addz(out, "DICM");
    tag(out, 0x0002, 0x0000);
    spd_str_addz(out, "UL");
    put16(out, 4);
    put32(out, meta.len);
    spd_str_add(out, spd_str_sv(&meta));
    spd_str_done(&meta);
    document(out, sr);
}
