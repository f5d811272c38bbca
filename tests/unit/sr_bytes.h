/* tests/unit/sr_bytes.h: a structured report for a test, from lines: one per content item, depth = leading spaces.
 *   CODE 121071/DCM/Finding = 36118008/SCT/Pneumothorax      NUM 111012/DCM/Certainty = 0.93 1
 *   TEXT 111001/DCM/Algorithm Name = Testalgo                IMAGE 260753009/SCT/Source = 1.2.3
 *   IMAGE 121191/DCM/Referenced Segment = 1.2.9 66.4         SCOORD 111030/DCM/Image Region = POLYLINE
 *   REF 1.2.2 (an item by reference)                         (an IMAGE is of CT storage unless its class follows)
 * Explicit little endian, sequences of undefined length, Part 10. */
#ifndef SPD_TESTS_SR_BYTES_H
#define SPD_TESTS_SR_BYTES_H

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

static void sr_le(struct spd_str *s, uint32_t v, int n)
{
    for (int i = 0; i < n; i++) spd_str_addc(s, (char)(v >> (8 * i)));
}
static void sr_el(struct spd_str *s, uint32_t tag, const char *vr, spd_sv v)
{
    sr_le(s, tag >> 16, 2), sr_le(s, tag & 0xFFFF, 2), spd_str_addz(s, vr);
    if (!strcmp(vr, "UT") || !strcmp(vr, "OB") || !strcmp(vr, "UC")) sr_le(s, 0, 2), sr_le(s, (uint32_t)(v.len + (v.len & 1)), 4);
    else sr_le(s, (uint32_t)(v.len + (v.len & 1)), 2);
    spd_str_add(s, v);
    if (v.len & 1) spd_str_addc(s, strcmp(vr, "UI") ? ' ' : 0);
}
static void sr_open(struct spd_str *s, uint32_t tag) /* a sequence of undefined length */
{
    sr_le(s, tag >> 16, 2), sr_le(s, tag & 0xFFFF, 2), spd_str_addz(s, "SQ"), sr_le(s, 0, 2), sr_le(s, 0xFFFFFFFF, 4);
}
static void sr_mark(struct spd_str *s, uint32_t element, uint32_t len)
{
    sr_le(s, 0xFFFE, 2), sr_le(s, element, 2), sr_le(s, len, 4);
}
#define SR_ITEM(s) sr_mark((s), 0xE000, 0xFFFFFFFF)
#define SR_ITEM_END(s) sr_mark((s), 0xE00D, 0)
#define SR_CLOSE(s) sr_mark((s), 0xE0DD, 0)

/* "value/scheme/meaning" */
static void sr_code(struct spd_str *s, uint32_t tag, spd_sv c)
{
    size_t a = 0, b = 0;
    spd_sv value = c, scheme = SPD_SV_NONE, meaning = SPD_SV_NONE;
    if (spd_sv_find(c, SPD_SV("/"), &a)) {
        value.len = a, scheme = spd_sv_of(c.ptr + a + 1, c.len - a - 1);
        if (spd_sv_find(scheme, SPD_SV("/"), &b)) meaning = spd_sv_of(scheme.ptr + b + 1, scheme.len - b - 1), scheme.len = b;
    }
    sr_open(s, tag), SR_ITEM(s);
    sr_el(s, 0x00080100, "SH", value), sr_el(s, 0x00080102, "SH", scheme), sr_el(s, 0x00080104, "LO", meaning);
    SR_ITEM_END(s), SR_CLOSE(s);
}

static void sr_item_head(struct spd_str *s, spd_sv line, bool root)
{
    size_t sp = line.len, eq;
    spd_sv type = line, name = SPD_SV_NONE, value = SPD_SV_NONE;
    if (spd_sv_find(line, SPD_SV(" "), &sp)) type.len = sp, name = spd_sv_of(line.ptr + sp + 1, line.len - sp - 1);
    if (spd_sv_find(name, SPD_SV(" = "), &eq)) value = spd_sv_of(name.ptr + eq + 3, name.len - eq - 3), name.len = eq;
    bool num = spd_sv_is(type, "NUM"), code = spd_sv_is(type, "CODE");
    if (spd_sv_is(type, "IMAGE")) {
        struct spd_str class_uid = SPD_STR_INIT(80);
        spd_str_addz(&class_uid, "1.2.840.10008.5.1.4.1.1.");
        bool said = spd_sv_find(value, SPD_SV(" "), &sp);
        spd_str_add(&class_uid, said ? spd_sv_of(value.ptr + sp + 1, value.len - sp - 1) : SPD_SV("2"));
        if (said) value.len = sp;
        sr_open(s, 0x00081199), SR_ITEM(s);
        sr_el(s, 0x00081150, "UI", spd_str_sv(&class_uid)), sr_el(s, 0x00081155, "UI", value);
        SR_ITEM_END(s), SR_CLOSE(s);
        spd_str_done(&class_uid);
    }
    if (!root) sr_el(s, 0x0040A010, "CS", SPD_SV("CONTAINS"));
    if (spd_sv_is(type, "REF")) { /* no value type, no name: only the path */
        struct spd_str path = SPD_STR_INIT(256);
        for (const char *p = name.ptr; p < name.ptr + name.len;) {
            sr_le(&path, (uint32_t)(*p - '0'), 4);
            p += 2;
        }
        sr_el(s, 0x0040DB73, "UL", spd_str_sv(&path));
        spd_str_done(&path);
        return;
    }
    sr_el(s, 0x0040A040, "CS", type);
    if (name.len) sr_code(s, 0x0040A043, name);
    if (spd_sv_is(type, "UIDREF")) sr_el(s, 0x0040A124, "UI", value);
    if (spd_sv_is(type, "TEXT")) sr_el(s, 0x0040A160, "UT", value);
    if (code) sr_code(s, 0x0040A168, value);
    if (spd_sv_starts(type, SPD_SV("SCOORD"))) sr_el(s, 0x00700023, "CS", value);
    if (num && spd_sv_find(value, SPD_SV(" "), &sp)) {
        struct spd_str unit = SPD_STR_INIT(128);
        spd_str_add(&unit, spd_sv_of(value.ptr + sp + 1, value.len - sp - 1)), spd_str_addz(&unit, "/UCUM/unit");
        sr_open(s, 0x0040A300), SR_ITEM(s);
        sr_code(s, 0x004008EA, spd_str_sv(&unit));
        sr_el(s, 0x0040A30A, "DS", spd_sv_of(value.ptr, sp));
        SR_ITEM_END(s), SR_CLOSE(s);
        spd_str_done(&unit);
    }
}

static const char *sr_study_uid = "1.2.3.4"; /* of the next file */

/* The whole file. sop_class: the last part after …88. ; charset "ISO_IR 192"; text may be UTF-8. */
__attribute__((unused)) static void sr_file(struct spd_str *out, const char *sop_class, const char *sop_uid, const char *accession,
                    const char *patient_id, const char *completion, const char *lines)
{
    char class_uid[80];
    snprintf(class_uid, sizeof class_uid, "1.2.840.10008.5.1.4.1.1.88.%s", sop_class);
    struct spd_str meta = SPD_STR_INIT(1024);
    sr_el(&meta, 0x00020002, "UI", spd_sv_from(class_uid)), sr_el(&meta, 0x00020003, "UI", spd_sv_from(sop_uid));
    sr_el(&meta, 0x00020010, "UI", SPD_SV("1.2.840.10008.1.2.1"));
    for (int i = 0; i < 128; i++) spd_str_addc(out, 0);
    spd_str_addz(out, "DICM");
    char n[4] = {(char)meta.len, (char)(meta.len >> 8), 0, 0};
    sr_el(out, 0x00020000, "UL", spd_sv_of(n, 4));
    spd_str_add(out, spd_str_sv(&meta));
    spd_str_done(&meta);
    const struct { uint32_t tag; const char *vr, *value; } head[] = {
        {0x00080005, "CS", "ISO_IR 192"}, {0x00080016, "UI", class_uid}, {0x00080018, "UI", sop_uid},
        {0x00080023, "DA", "20260301"}, {0x00080033, "TM", "101500"}, {0x00080050, "SH", accession},
        {0x00080060, "CS", "SR"}, {0x00080070, "LO", "Testmaker"}, {0x00081090, "LO", "Testmodel"},
        {0x00100010, "PN", "ZZCANARY^Test"}, {0x00100020, "LO", patient_id}, {0x00100030, "DA", "19500101"},
        {0x00100040, "CS", "O"}, {0x0020000D, "UI", sr_study_uid}, {0x0020000E, "UI", "1.2.3.5"}, {0x00200011, "IS", "1"}, {0x00200013, "IS", "1"}};
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) sr_el(out, head[i].tag, head[i].vr, spd_sv_from(head[i].value));
    int open = -1; /* depth of the item that is open */
    const char *after_root = completion; /* (0040,A491) stands before the content sequence */
    for (const char *p = lines; *p;) {
        const char *end = strchr(p, '\n');
        int depth = (int)strspn(p, " ");
        spd_sv line = spd_sv_of(p + depth, (size_t)(end ? end - p : (long)strlen(p)) - (size_t)depth);
        if (depth > open && open >= 0) {
            if (open == 0 && *after_root) sr_el(out, 0x0040A491, "CS", spd_sv_from(after_root)), after_root = "";
            sr_open(out, 0x0040A730);
        }
        for (; depth < open; open--) SR_ITEM_END(out), SR_CLOSE(out);
        if (depth == open && depth > 0) SR_ITEM_END(out);
        if (depth > 0) SR_ITEM(out);
        sr_item_head(out, line, depth == 0);
        open = depth;
        p = end ? end + 1 : "";
    }
    if (*after_root) sr_el(out, 0x0040A491, "CS", spd_sv_from(after_root));
    for (; open > 0; open--) SR_ITEM_END(out), SR_CLOSE(out);
}

#endif
