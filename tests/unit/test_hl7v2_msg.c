/* The parser: where things are, what is absent, empty or null, what is refused and at which place;
 * changing one element leaves every other byte; parse -> build is identity; random bytes do no
 * harm. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/source.h"
#include "hl7/v2/charset.h"
#include "hl7/v2/msg.h"

static const char sample[] = "MSH|^~\\&|RIS|ZH|SPOED|RAD|20260101||ORM^O01^ORM_O01|7|P|2.5.1\r"
                             "PID|1||A^^^ZH&1.2&ISO~B^^^XX||ZZCANARY^Test||\"\"|F\r"
                             "OBX|1|TX|a||first~second\\.br\\third\r"
                             "OBX|2|TX|b||x\\T\\y\r"
                             "ZZZ|own^thing\r";

static const struct {
    const char *path;
    enum hl7_presence is;
    const char *raw;
} gets[] = {
    {"MSH-1", HL7_VALUE, "|"},
    {"MSH-2", HL7_VALUE, "^~\\&"},
    {"MSH-2.1", HL7_VALUE, "^~\\&"},
    {"MSH-3", HL7_VALUE, "RIS"},
    {"MSH-9.2", HL7_VALUE, "O01"},
    {"MSH-12", HL7_VALUE, "2.5.1"},
    {"MSH-13", HL7_ABSENT, ""},
    {"PID-3", HL7_VALUE, "A^^^ZH&1.2&ISO~B^^^XX"},
    {"PID-3[1]", HL7_VALUE, "A^^^ZH&1.2&ISO"},
    {"PID-3[2].1", HL7_VALUE, "B"},
    {"PID-3[2].4", HL7_VALUE, "XX"},
    {"PID-3[1].4.2", HL7_VALUE, "1.2"},
    {"PID-3.4.1", HL7_VALUE, "ZH"},
    {"PID-3[2].4.1", HL7_VALUE, "XX"},
    {"PID-3[2].4.2", HL7_ABSENT, ""},
    {"PID-3[3]", HL7_ABSENT, ""},
    {"PID-3[1].2", HL7_EMPTY, ""},
    {"PID-2", HL7_EMPTY, ""},
    {"PID-7", HL7_NULL, "\"\""},
    {"PID-7.1", HL7_NULL, "\"\""},
    {"PID-7.2", HL7_ABSENT, ""},
    {"PID-9", HL7_ABSENT, ""},
    {"OBX[2]-3", HL7_VALUE, "b"},
    {"obx[2]-5", HL7_VALUE, "x\\T\\y"},
    {"OBX[3]-1", HL7_ABSENT, ""},
    {"ZZZ-1.2", HL7_VALUE, "thing"},
    {"PV1-2", HL7_ABSENT, ""},
};

static void reads_by_path(void **state)
{
    struct hl7_msg m;
    (void)state;
    assert_int_equal(hl7_msg_parse(&m, spd_sv_from(sample), NULL, NULL), SPD_OK);
    for (size_t i = 0; i < sizeof gets / sizeof gets[0]; i++) {
        struct hl7_path p;
        assert_int_equal(hl7_path_parse(spd_sv_from(gets[i].path), &p, NULL), SPD_OK);
        struct hl7_value v = hl7_path_get(&m, &p);
        if (v.is != gets[i].is || !spd_sv_is(v.raw, gets[i].raw))
            fail_msg("%s: %d \"%.*s\"", gets[i].path, v.is, SPD_SV_ARG(v.raw));
    }
}

static void refuses_paths(void **state)
{
    static const char *const bad[] = {"",         "PID",    "PID-",   "PID-0",
                                      "PID-3[0]", "PID-3[", "PID-3.", "PID-3.1.2.3",
                                      "PID3",     "PI-3",   "PID-3x", "PID-3[99999999999]",
                                      "PID[]-3"};
    struct hl7_path p;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (hl7_path_parse(spd_sv_from(bad[i]), &p, NULL) != SPD_INVALID)
            fail_msg("taken: %s", bad[i]);
}

static const struct {
    const char *name, *bytes;
    enum spd_rc rc;
    const char *place;
    size_t segs, joined;
} parses[] = {
    {"CR", "MSH|^~\\&|a\rPID|1\r", SPD_OK, "", 2, 0},
    {"no last CR", "MSH|^~\\&|a\rPID|1", SPD_OK, "", 2, 0},
    {"LF", "MSH|^~\\&|a\nPID|1\n", SPD_OK, "", 2, 0},
    {"CRLF", "MSH|^~\\&|a\r\nPID|1\r\n", SPD_OK, "", 2, 0},
    {"LF inside a field", "MSH|^~\\&|a\rNTE|1||one\ntwo\rPID|1\r", SPD_OK, "", 3, 0},
    {"CR inside a field", "MSH|^~\\&|a\rOBR|1|(608)\r8866||x\rPID|1\r", SPD_OK, "", 3, 1},
    {"blank lines", "MSH|^~\\&|a\r\r\rPID|1\r\r", SPD_OK, "", 2, 0},
    {"byte order mark", "\xEF\xBB\xBFMSH|^~\\&|a\rPID|1\r", SPD_OK, "", 2, 0},
    {"five delimiters", "MSH|^~\\&#|a\rPID|1\r", SPD_OK, "", 2, 0},
    {"other delimiters", "MSH$*+!%$a\rPID$1\r", SPD_OK, "", 2, 0},
    {"lower case names", "MSH|^~\\&|a\rpid|1\r", SPD_OK, "", 2, 0},
    {"name alone", "MSH|^~\\&|a\rPID\r", SPD_OK, "", 2, 0},
    {"header alone", "MSH|^~\\&", SPD_OK, "", 1, 0},
    {"empty", "", SPD_INVALID, "segment 1, field 0, byte 1", 0, 0},
    {"no MSH", "PID|1\rMSH|^~\\&|a\r", SPD_INVALID, "segment 1, field 0, byte 1", 0, 0},
    {"batch", "FHS|^~\\&|a\rMSH|^~\\&|a\r", SPD_INVALID, "segment 1, field 0, byte 1", 0, 0},
    {"three delimiters", "MSH|^~\\|a|b|c\r", SPD_INVALID, "segment 1, field 2, byte 5", 0, 0},
    {"six delimiters", "MSH|^~\\&#$|a\r", SPD_INVALID, "segment 1, field 2, byte 5", 0, 0},
    {"a letter as delimiter", "MSH|^~\\x|a\r", SPD_INVALID, "segment 1, field 2, byte 8", 0, 0},
    {"the same twice", "MSH|^~^&|a\r", SPD_INVALID, "segment 1, field 2, byte 7", 0, 0},
    {"a second message", "MSH|^~\\&|a\rPID|1\rMSH|^~\\&|b\r", SPD_INVALID,
     "segment 2, field 1, byte 18", 0, 0},
    {"a second message glued on", "MSH|^~\\&|a\rPID|1|xMSH|^~\\&|b\r", SPD_INVALID,
     "segment 2, field 2, byte 19", 0, 0},
};

static void parses_or_says_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof parses / sizeof parses[0]; i++) {
        struct hl7_msg m;
        struct spd_err err = {0};
        enum spd_rc rc = hl7_msg_parse(&m, spd_sv_from(parses[i].bytes), NULL, &err);
        if (rc != parses[i].rc || strcmp(err.place, parses[i].place) != 0)
            fail_msg("%s: %s at %s", parses[i].name, spd_rc_name(rc), err.place);
        if (rc == SPD_OK && (m.n_segs != parses[i].segs || m.joined != parses[i].joined))
            fail_msg("%s: %zu segments, %zu joined", parses[i].name, m.n_segs, m.joined);
    }
}

static void a_raw_cr_stays_in_its_field(void **state)
{
    struct hl7_msg m;
    (void)state;
    assert_int_equal(hl7_msg_parse(&m, SPD_SV("MSH|^~\\&|a\rOBR|1|(608)\r8866||x\r"), NULL, NULL),
                     SPD_OK);
    assert_true(spd_sv_is(hl7_field(&m, &m.segs[1], 2).raw, "(608)\r8866"));
    assert_true(spd_sv_is(hl7_field(&m, &m.segs[1], 4).raw, "x"));
}

static enum spd_rc repeated(const char *what, size_t times, const char *before)
{
    struct spd_str s = SPD_STR_INIT(1 << 24);
    struct hl7_msg m;
    struct spd_arena *arena = spd_arena_new(1 << 20);
    spd_str_addz(&s, before);
    for (size_t i = 0; i < times; i++)
        spd_str_addz(&s, what);
    enum spd_rc rc = hl7_msg_parse(&m, spd_str_sv(&s), arena, NULL);
    spd_str_done(&s);
    spd_arena_free(arena);
    return rc;
}

static void limits_hold(void **state)
{
    struct hl7_msg m;
    (void)state;
    assert_int_equal(repeated("NTE|1\r", 1999, "MSH|^~\\&|a\r"), SPD_OK);
    assert_int_equal(repeated("NTE|1\r", 2000, "MSH|^~\\&|a\r"), SPD_LIMIT);
    assert_int_equal(repeated("|", 512, "MSH|^~\\&|a\rNTE"), SPD_OK);
    assert_int_equal(repeated("|", 513, "MSH|^~\\&|a\rNTE"), SPD_LIMIT);
    assert_int_equal(hl7_msg_parse(&m, spd_sv_of("MSH|^~\\&|a\rPI\0D|1\r", 18), NULL, NULL),
                     SPD_INVALID);
    struct spd_arena *tiny = spd_arena_new(16); /* this code is a guest: no memory is an answer */
    struct spd_str s = SPD_STR_INIT(1 << 16);
    spd_str_addz(&s, "MSH|^~\\&|a\r");
    for (int i = 0; i < 100; i++)
        spd_str_addz(&s, "NTE|1\r");
    assert_int_equal(hl7_msg_parse(&m, spd_str_sv(&s), tiny, NULL), SPD_NOMEM);
    spd_str_done(&s);
    spd_arena_free(tiny);
}

static const struct {
    const char *path, *raw, *want;
} sets[] = {
    /* on a small message */
    {"PID-5.1", "X", "MSH|^~\\&|a\rPID|1||A^B||X^Test\rZZZ|1\r"},
    {"PID-5", "X", "MSH|^~\\&|a\rPID|1||A^B||X\rZZZ|1\r"},
    {"PID-3.2", "", "MSH|^~\\&|a\rPID|1||A^||ZZCANARY^Test\rZZZ|1\r"},
    {"PID-3.4", "ZH", "MSH|^~\\&|a\rPID|1||A^B^^ZH||ZZCANARY^Test\rZZZ|1\r"},
    {"PID-3[2].1", "C", "MSH|^~\\&|a\rPID|1||A^B~C||ZZCANARY^Test\rZZZ|1\r"},
    {"PID-3[3].1.2", "C", "MSH|^~\\&|a\rPID|1||A^B~~&C||ZZCANARY^Test\rZZZ|1\r"},
    {"PID-8", "F", "MSH|^~\\&|a\rPID|1||A^B||ZZCANARY^Test|||F\rZZZ|1\r"},
    {"PID-2", "x", "MSH|^~\\&|a\rPID|1|x|A^B||ZZCANARY^Test\rZZZ|1\r"},
    {"ZZZ-3.2.2", "q", "MSH|^~\\&|a\rPID|1||A^B||ZZCANARY^Test\rZZZ|1||^&q\r"},
    {"MSH-3", "b", "MSH|^~\\&|b\rPID|1||A^B||ZZCANARY^Test\rZZZ|1\r"},
    {"MSH-5", "b", "MSH|^~\\&|a||b\rPID|1||A^B||ZZCANARY^Test\rZZZ|1\r"},
};

static void sets_one_element(void **state)
{
    struct hl7_msg m;
    (void)state;
    spd_sv small = SPD_SV("MSH|^~\\&|a\rPID|1||A^B||ZZCANARY^Test\rZZZ|1\r");
    assert_int_equal(hl7_msg_parse(&m, small, NULL, NULL), SPD_OK);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        struct hl7_path p;
        struct spd_str out = SPD_STR_INIT(1000);
        assert_int_equal(hl7_path_parse(spd_sv_from(sets[i].path), &p, NULL), SPD_OK);
        size_t seg = hl7_seg_find(&m, p.id, 0);
        assert_int_equal(hl7_msg_set(&m, seg, p.field, p.rep, p.comp, p.sub,
                                     spd_sv_from(sets[i].raw), &out, NULL),
                         SPD_OK);
        if (!spd_sv_is(spd_str_sv(&out), sets[i].want)) fail_msg("%s: %s", sets[i].path, out.ptr);
        spd_str_done(&out);
    }
    struct spd_str out = SPD_STR_INIT(1000);
    assert_int_equal(hl7_msg_set(&m, 0, 2, 0, 0, 0, SPD_SV("x"), &out, NULL), SPD_INVALID);
    assert_int_equal(hl7_msg_set(&m, 9, 2, 0, 0, 0, SPD_SV("x"), &out, NULL), SPD_NOTFOUND);
    assert_int_equal(hl7_msg_insert(&m, 1, SPD_SV("TQ1|1"), &out, NULL), SPD_OK);
    assert_string_equal(out.ptr, "MSH|^~\\&|a\rPID|1||A^B||ZZCANARY^Test\rTQ1|1\rZZZ|1\r");
    spd_str_done(&out);
}

/* The only CR stands inside a field: with it gone the LF of MSH-5 would end a segment. */
static void keeps_segments_apart(void **state)
{
    struct hl7_msg m, again;
    struct spd_str out = SPD_STR_INIT(1000);
    (void)state;
    assert_int_equal(hl7_msg_parse(&m, SPD_SV("MSH|^~\\&|a|b\r\tb|OBX|like\nOBX|text"), NULL, NULL),
                     SPD_OK);
    assert_int_equal(m.n_segs, 1);
    assert_int_equal(hl7_msg_set(&m, 0, 4, 0, 0, 0, SPD_SV("x"), &out, NULL), SPD_OK);
    assert_int_equal(hl7_msg_parse(&again, spd_str_sv(&out), NULL, NULL), SPD_OK);
    assert_int_equal(again.n_segs, 1);
    assert_true(spd_sv_is(hl7_field(&again, &again.segs[0], 6).raw, "like\nOBX"));
    spd_str_done(&out);
}

static const struct {
    const char *raw, *text;
} escapes[] = {
    {"plain", "plain"},
    {"a\\F\\b", "a|b"},
    {"\\S\\\\T\\\\R\\\\E\\", "^&~\\"},
    {"one\\.br\\two", "one\ntwo"},
    {"\\H\\bold\\N\\", "bold"},
    {"\\X0D\\", "\r"},
    {"\\X4142\\", "AB"},
    {"\\X4\\", "\\X4\\"},
    {"\\XZZ\\", "\\XZZ\\"},
    {"\\Q\\", "\\Q\\"},
    {"a\\", "a\\"},
    {"\\\\", "\\\\"},
    {"\\X00\\", "\\X00\\"},
    {"", ""},
    {"\\Zlocal\\x", "\\Zlocal\\x"},
};

static void unescapes(void **state)
{
    struct hl7_msg m;
    struct spd_arena *arena = spd_arena_new(1 << 16);
    (void)state;
    assert_int_equal(hl7_msg_parse(&m, SPD_SV("MSH|^~\\&|a\r"), NULL, NULL), SPD_OK);
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        spd_sv t = hl7_unescape(&m, spd_sv_from(escapes[i].raw), NULL, NULL, arena);
        if (!spd_sv_is(t, escapes[i].text)) fail_msg("%s: %.*s", escapes[i].raw, SPD_SV_ARG(t));
    }
    spd_arena_free(arena);
}

/* xorshift: the same sequence every time. */
static uint32_t seed = 2463534242u;
static uint32_t rnd(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
    return seed % n;
}

/* Whatever the text: escaped, it stays one sub-component, and comes back as it was. */
static void escaped_text_starts_nothing(void **state)
{
    struct hl7_msg m;
    struct spd_arena *arena = spd_arena_new(1 << 22);
    (void)state;
    for (int i = 0; i < 20000; i++) {
        static const char evil[] = "|^~\\&\r\n\x0b\x1c\x01 aMSHPID|";
        char text[40];
        size_t n = rnd(sizeof text);
        for (size_t k = 0; k < n; k++)
            text[k] = rnd(3) ? evil[rnd(sizeof evil - 1)] : (char)(1 + rnd(255));
        struct spd_str s = SPD_STR_INIT(1000);
        spd_str_addz(&s, "MSH|^~\\&|a\rPID|1||");
        size_t before = s.len;
        hl7_escape(&(struct hl7_delims){'|', '^', '~', '\\', '&', 0}, spd_sv_of(text, n), &s);
        size_t after = s.len;
        spd_str_addz(&s, "|end\rZZZ|1\r");
        assert_int_equal(hl7_msg_parse(&m, spd_str_sv(&s), NULL, NULL), SPD_OK);
        assert_int_equal(m.n_segs, 3);
        struct hl7_value v = hl7_get(&m, &m.segs[1], 3, 1, 1, 1);
        assert_int_equal(v.raw.len, after - before);
        assert_true(spd_sv_is(hl7_field(&m, &m.segs[1], 4).raw, "end"));
        assert_true(v.is == HL7_NULL ||
                    spd_sv_eq(hl7_unescape(&m, v.raw, NULL, NULL, arena), spd_sv_of(text, n)));
        spd_str_done(&s);
        spd_arena_reset(arena);
    }
    spd_arena_free(arena);
}

/* All tokens together are the segment, and say the same as the slow way. */
static void check_tokens(const struct hl7_msg *m)
{
    static uint32_t marks[1 << 16], few[8];
    for (size_t i = 0; i < m->n_segs; i++) {
        const struct hl7_seg *s = &m->segs[i];
        if (s->len >= sizeof marks / sizeof marks[0]) continue;
        size_t n = hl7_seg_tokens(m, s, marks, sizeof marks / sizeof marks[0]), fields = 0;
        assert_true(n >= 1 && HL7_MARK_AT(marks[n - 1]) == s->len);
        assert_int_equal(hl7_seg_tokens(m, s, few, 8), n);
        for (size_t k = 0; k < n && k < 8; k++)
            assert_int_equal(few[k], marks[k]);
        for (size_t k = 0; k < n; k++) {
            if (k && HL7_MARK_AT(marks[k]) < HL7_MARK_AT(marks[k - 1])) fail_msg("marks go back");
            fields += HL7_MARK_KIND(marks[k]) == HL7_END_FIELD;
        }
        unsigned count = 0;
        while (hl7_field(m, s, count + 1).is != HL7_ABSENT)
            count++;
        assert_int_equal(fields - 1, i == 0 && count ? count - 1 : count); /* MSH-1 is no token */
    }
}

static void round_trip(spd_sv bytes)
{
    struct hl7_msg m;
    struct spd_arena *arena = spd_arena_new(1 << 20);
    if (hl7_msg_parse(&m, bytes, arena, NULL) == SPD_OK) {
        struct spd_str out = SPD_STR_INIT(1 << 26);
        hl7_msg_build(&m, &out);
        assert_true(spd_sv_eq(spd_str_sv(&out), bytes));
        spd_str_done(&out);
        check_tokens(&m);
    }
    spd_arena_free(arena);
}

static void random_bytes_do_no_harm(void **state)
{
    static char buf[4096];
    (void)state;
    for (int i = 0; i < 30000; i++) {
        size_t n = sizeof sample - 1;
        memcpy(buf, sample, n);
        for (uint32_t k = rnd(20); k; k--) {
            static const char likely[] = "|^~\\&\r\n\"MSH1\x0b\x1c\0";
            buf[rnd((uint32_t)n)] = rnd(2) ? likely[rnd(sizeof likely)] : (char)rnd(256);
        }
        if (rnd(4) == 0) n = rnd((uint32_t)n + 1);
        round_trip(spd_sv_of(buf, n));
        struct hl7_msg m;
        hl7_msg_header(&m, spd_sv_of(buf, n), NULL);
        spd_sv rest = spd_sv_of(buf, n), one;
        for (int turns = 0; hl7_next_message(&rest, &one); turns++)
            assert_true(turns < 5000 && one.len > 0);
    }
}

#define DATA SPOED_SOURCE_DIR "/../shared/data/hl7v2"
static size_t walk(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[2048];
        struct stat st;
        struct spd_source src;
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (stat(path, &st)) continue;
        if (S_ISDIR(st.st_mode)) {
            n += walk(path);
            continue;
        }
        struct spd_arena *arena = spd_arena_new((size_t)1 << 27);
        assert_int_equal(spd_source_read(path, 1 << 25, &src, arena, NULL), SPD_OK);
        round_trip(src.text);
        for (spd_sv one, rest = src.text; hl7_next_message(&rest, &one);)
            round_trip(one);
        spd_arena_free(arena);
        n++;
    }
    if (d) closedir(d);
    return n;
}

static void real_messages_come_back_byte_for_byte(void **state)
{
    struct stat st;
    (void)state;
    if (stat(DATA, &st)) {
        printf("skipped: no shared data\n");
        skip();
    }
    size_t n = walk(DATA);
    printf("%zu files\n", n);
    assert_true(n > 500);
}

static void cuts_files_into_messages(void **state)
{
    static const struct {
        const char *name, *file;
        size_t n;
    } files[] = {
        {"one", "MSH|^~\\&|a\rPID|1\r", 1},
        {"two after each other", "MSH|^~\\&|a\rPID|1\rMSH|^~\\&|b\rPID|1\r", 2},
        {"framed", "\x0bMSH|^~\\&|a\r\x1c\r\x0bMSH|^~\\&|b\r\x1c\r", 2},
        {"batch", "FHS|^~\\&|a\rBHS|^~\\&\rMSH|^~\\&|a\rPID|1\rMSH|^~\\&|b\rBTS|2\rFTS|1\r", 2},
        {"nothing", "\r\n\x0b\x1c\r", 0},
        {"garbage", "hello\rthere", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        size_t n = 0;
        for (spd_sv one, rest = spd_sv_from(files[i].file); hl7_next_message(&rest, &one);)
            n++;
        if (n != files[i].n) fail_msg("%s: %zu messages", files[i].name, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_by_path),
        cmocka_unit_test(refuses_paths),
        cmocka_unit_test(parses_or_says_where),
        cmocka_unit_test(a_raw_cr_stays_in_its_field),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(sets_one_element),
        cmocka_unit_test(keeps_segments_apart),
        cmocka_unit_test(unescapes),
        cmocka_unit_test(escaped_text_starts_nothing),
        cmocka_unit_test(random_bytes_do_no_harm),
        cmocka_unit_test(real_messages_come_back_byte_for_byte),
        cmocka_unit_test(cuts_files_into_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
