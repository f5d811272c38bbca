/* tests/unit/test_orthanc_tags.c: the plugin's reading of a few tags, on good and on hostile bytes. Every
 * prefix of every file is read too: no length may be believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/orthanc/tags.h"

#define ELE "1.2.840.10008.1.2.1"
#define ILE "1.2.840.10008.1.2"
#define SR "1.2.840.10008.5.1.4.1.1.88.33"
#define CT "1.2.840.10008.5.1.4.1.1.2"

struct file {
    unsigned char b[4096];
    size_t n;
};

static void bytes(struct file *f, const void *p, size_t n)
{
    memcpy(f->b + f->n, p, n);
    f->n += n;
}

static void number(struct file *f, uint32_t v, int n)
{
    for (int i = 0; i < n; i++) f->b[f->n++] = (unsigned char)(v >> (8 * i));
}

/* vr NULL: implicit. length -1: of the value. */
static void element(struct file *f, uint32_t tag, const char *vr, const char *value, int64_t length)
{
    size_t n = value ? strlen(value) : 0, even = n + (n & 1);
    uint32_t said = length < 0 ? (uint32_t)even : (uint32_t)length;
    number(f, tag >> 16, 2), number(f, tag & 0xFFFF, 2);
    if (vr) bytes(f, vr, 2);
    if (vr && (!strcmp(vr, "SQ") || !strcmp(vr, "UN") || !strcmp(vr, "OB"))) number(f, 0, 2), number(f, said, 4);
    else number(f, said, vr ? 2 : 4);
    if (n) bytes(f, value, n);
    if (n & 1) f->b[f->n++] = strcmp(vr ? vr : "UI", "UI") ? ' ' : 0;
}

static void delimiter(struct file *f, uint32_t tag, uint32_t length)
{
    number(f, tag >> 16, 2), number(f, tag & 0xFFFF, 2), number(f, length, 4);
}

static void begin(struct file *f, const char *syntax)
{
    memset(f, 0, sizeof *f);
    f->n = 128;
    bytes(f, "DICM", 4);
    element(f, 0x00020000, "UL", "1234", -1);
    element(f, 0x00020001, "OB", "\1\1", -1);
    element(f, 0x00020010, "UI", syntax, -1);
}

static void usual(struct file *f, const char *sop_class, bool implicit)
{
    element(f, 0x00080005, implicit ? NULL : "CS", "ISO_IR 192", -1);
    element(f, 0x00080016, implicit ? NULL : "UI", sop_class, -1);
    element(f, 0x00080018, implicit ? NULL : "UI", "1.2.3", -1);
    element(f, 0x00080050, implicit ? NULL : "SH", " A1 ", -1);
}

static void ending(struct file *f, bool implicit)
{
    element(f, 0x00100020, implicit ? NULL : "LO", "ZZ1", -1);
    element(f, 0x00100021, implicit ? NULL : "LO", "ZH", -1);
    element(f, 0x0020000D, implicit ? NULL : "UI", "1.2.4", -1);
    element(f, 0x00200010, implicit ? NULL : "SH", "S", -1);
}

/* ---- files --------------------------------------------------------------------------------------------------- */
static void plain(struct file *f) { begin(f, ELE), usual(f, SR, false), ending(f, false); }
static void implicit(struct file *f) { begin(f, ILE), usual(f, SR, true), ending(f, true); }
static void compressed(struct file *f) { begin(f, "1.2.840.10008.1.2.4.70"), usual(f, CT, false), ending(f, false); }
static void deflated(struct file *f) { begin(f, "1.2.840.10008.1.2.1.99"), usual(f, SR, false), ending(f, false); }
static void big_endian(struct file *f) { begin(f, "1.2.840.10008.1.2.2"), usual(f, SR, false), ending(f, false); }

static void nested(struct file *f)
{
    begin(f, ELE), usual(f, SR, false);
    element(f, 0x00081111, "SQ", NULL, 0xFFFFFFFF);
    delimiter(f, 0xFFFEE000, 0xFFFFFFFF);
    element(f, 0x0020000D, "UI", "9.9.9", -1); /* somebody else's, inside */
    element(f, 0x00081140, "SQ", NULL, 0xFFFFFFFF);
    delimiter(f, 0xFFFEE000, 12);
    element(f, 0x00081155, "UI", "1.2", -1);
    delimiter(f, 0xFFFEE0DD, 0);
    delimiter(f, 0xFFFEE00D, 0);
    delimiter(f, 0xFFFEE0DD, 0);
    ending(f, false);
}

static void unknown_vr(struct file *f) /* contents in implicit VR, though the file is explicit */
{
    begin(f, ELE), usual(f, SR, false);
    element(f, 0x00091010, "UN", NULL, 0xFFFFFFFF);
    delimiter(f, 0xFFFEE000, 0xFFFFFFFF);
    element(f, 0x00091011, NULL, "abcdef", -1);
    delimiter(f, 0xFFFEE00D, 0);
    delimiter(f, 0xFFFEE0DD, 0);
    ending(f, false);
}

static void long_value(struct file *f)
{
    char text[301];
    memset(text, 'A', 300), text[300] = 0;
    begin(f, ELE);
    element(f, 0x00080016, "UI", SR, -1);
    element(f, 0x00080050, "SH", text, -1);
    ending(f, false);
}

static void no_study(struct file *f)
{
    begin(f, ELE), usual(f, SR, false);
    element(f, 0x00200010, "SH", "S", -1);
}

static void length_beyond(struct file *f) { begin(f, ELE), usual(f, SR, false), element(f, 0x00100020, "LO", "ZZ1", 65000); }
static void length_wraps(struct file *f)
{
    begin(f, ELE), usual(f, SR, false);
    element(f, 0x00091001, "UN", "x", 0xFFFFFFFE);
    ending(f, false);
}

static void never_closed(struct file *f)
{
    begin(f, ELE), usual(f, SR, false);
    for (int i = 0; i < 40; i++) element(f, 0x00081111, "SQ", NULL, 0xFFFFFFFF), delimiter(f, 0xFFFEE000, 0xFFFFFFFF);
}

static void no_preamble(struct file *f)
{
    struct file whole;
    plain(&whole);
    memset(f, 0, sizeof *f);
    bytes(f, whole.b + 132, whole.n - 132);
}

static void noise(struct file *f)
{
    begin(f, ELE);
    srand(7);
    while (f->n < 3000) f->b[f->n++] = (unsigned char)rand();
}

static const struct row {
    const char *name;
    void (*make)(struct file *f);
    bool ok;
    const char *sop_class, *accession, *study;
} rows[] = {
    {"explicit", plain, true, SR, "A1", "1.2.4"},
    {"implicit", implicit, true, SR, "A1", "1.2.4"},
    {"compressed pixels", compressed, true, CT, "A1", "1.2.4"},
    {"nested sequences of undefined length", nested, true, SR, "A1", "1.2.4"},
    {"unknown VR of undefined length", unknown_vr, true, SR, "A1", "1.2.4"},
    {"a value that is too long is cut", long_value, true, SR, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "1.2.4"},
    {"deflated", deflated, false, NULL, NULL, NULL},
    {"big endian", big_endian, false, NULL, NULL, NULL},
    {"without a Study UID", no_study, false, NULL, NULL, NULL},
    {"a length beyond the end", length_beyond, false, NULL, NULL, NULL},
    {"a length near 4 GiB", length_wraps, false, NULL, NULL, NULL},
    {"sequences never closed", never_closed, false, NULL, NULL, NULL},
    {"no preamble", no_preamble, false, NULL, NULL, NULL},
    {"noise", noise, false, NULL, NULL, NULL},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct file f;
        struct spd_tags t;
        rows[i].make(&f);
        bool ok = spd_tags_read(f.b, f.n, &t);
        if (ok != rows[i].ok) fail_msg("%s: read: %d", rows[i].name, ok);
        if (!ok) continue;
        if (strcmp(t.sop_class, rows[i].sop_class) || strcmp(t.accession, rows[i].accession) || strcmp(t.study_uid, rows[i].study))
            fail_msg("%s: %s %s %s", rows[i].name, t.sop_class, t.accession, t.study_uid);
        if (strcmp(t.patient_id, "ZZ1") || strcmp(t.issuer, "ZH")) fail_msg("%s: patient", rows[i].name);
    }
}

/* Exact heap blocks, so that the sanitizer sees a byte too far. */
static void test_every_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct file f;
        rows[i].make(&f);
        for (size_t n = 0; n <= f.n; n++) {
            unsigned char *p = malloc(n ? n : 1);
            struct spd_tags t;
            memcpy(p, f.b, n);
            spd_tags_read(p, n, &t);
            free(p);
        }
    }
}

static void test_every_length_forged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct file f;
        rows[i].make(&f);
        unsigned char *p = malloc(f.n);
        for (size_t at = 132; at < f.n; at++) {
            struct spd_tags t;
            memcpy(p, f.b, f.n);
            p[at] = 0xFF;
            spd_tags_read(p, f.n, &t);
            assert_true(strlen(t.sop_class) <= 64 && strlen(t.study_uid) <= 64 && strlen(t.issuer) <= 64);
        }
        free(p);
    }
}

static void test_kinds(void **state)
{
    static const struct {
        const char *uid;
        bool sr, image;
    } kinds[] = {
        {SR, true, false}, {CT, false, true},
        {"1.2.840.10008.5.1.4.1.1.88.59", true, false}, /* key objects */
        {"1.2.840.10008.5.1.4.1.1.88.67", true, false}, /* dose */
        {"1.2.840.10008.5.1.4.1.1.7", false, true},     /* secondary capture */
        {"1.2.840.10008.5.1.4.1.1.66.4", false, false}, /* segmentation */
        {"1.2.840.10008.5.1.4.1.1.66", false, false},   /* raw data */
        {"1.2.840.10008.5.1.4.1.1.11.1", false, false}, /* presentation state */
        {"1.2.840.10008.5.1.4.1.1.104.1", false, false}, /* PDF */
        {"1.2.840.10008.5.1.4.1.1.481.1", false, true}, {"1.2.840.10008.5.1.4.1.1.481.3", false, false},
        {"1.2.840.10008.5.1.4.1.1.1.1", false, true},   /* DX */
        {"1.2.3.4", false, true}, {"", false, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (spd_tags_is_sr(kinds[i].uid) != kinds[i].sr) fail_msg("%s: report?", kinds[i].uid);
        if (spd_tags_is_image(kinds[i].uid) != kinds[i].image) fail_msg("%s: image?", kinds[i].uid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_every_prefix),
                                       cmocka_unit_test(test_every_length_forged), cmocka_unit_test(test_kinds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
