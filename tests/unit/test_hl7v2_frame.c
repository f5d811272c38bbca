/* The MLLP framer: what it takes, what it refuses, and that it does not matter how the bytes are
 * cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "hl7/v2/frame.h"

static const struct {
    const char *name, *bytes;
    size_t len;
    const char *frames; /* "|"-separated */
    enum spd_rc end;    /* of the last feed: AGAIN, or why the connection ends */
} rows[] = {
#define B(s) s, sizeof(s) - 1
    {"one frame", B("\x0bMSH1\x1c\r"), "MSH1|", SPD_AGAIN},
    {"end block without CR", B("\x0bMSH1\x1c"), "MSH1|", SPD_AGAIN},
    {"two without CR", B("\x0bMSH1\x1c\x0bMSH2\x1c"), "MSH1|MSH2|", SPD_AGAIN},
    {"two pipelined", B("\x0bMSH1\x1c\r\x0bMSH2\x1c\r"), "MSH1|MSH2|", SPD_AGAIN},
    {"LF between frames", B("\x0bMSH1\x1c\r\n\x0bMSH2\x1c\r\n"), "MSH1|MSH2|", SPD_AGAIN},
    {"line ends before", B("\r\n\r\n\x0bMSH1\x1c\r"), "MSH1|", SPD_AGAIN},
    {"keep-alive", B("\x0b\x1c\r\x0bMSH1\x1c\r\x0b\x1c\r"), "MSH1|", SPD_AGAIN},
    {"keep-alive of line ends", B("\x0b\r\n\x1c\r"), "", SPD_AGAIN},
    {"not whole yet", B("\x0bMSH1"), "", SPD_AGAIN},
    {"no start block", B("MSH1\x1c\r"), "", SPD_PROTO},
    {"HTTP", B("GET / HTTP/1.1\r\n"), "", SPD_PROTO},
    {"TLS hello", B("\x16\x03\x01"), "", SPD_PROTO},
    {"garbage after a frame", B("\x0bMSH1\x1c\rX"), "MSH1|", SPD_PROTO},
    {"start block inside", B("\x0bMS\x0bH1\x1c\r"), "", SPD_PROTO},
    {"end block inside", B("\x0bMS\x1cH1\x1c\r"), "", SPD_PROTO},
    {"exactly the limit",
     B("\x0b"
       "12345678"
       "\x1c\r"),
     "12345678|", SPD_AGAIN},
    {"over the limit",
     B("\x0b"
       "123456789"
       "\x1c\r"),
     "", SPD_LIMIT},
    {"over the limit, never ended",
     B("\x0b"
       "1234567890"),
     "", SPD_LIMIT},
#undef B
};

/* Feeds in pieces of `step` bytes; returns the last rc and the frames. */
static enum spd_rc feed_all(const char *bytes, size_t len, size_t step, unsigned quirks,
                            struct spd_str *frames)
{
    struct hl7_framer f;
    enum spd_rc rc = SPD_AGAIN;
    hl7_framer_init(&f, 8);
    f.quirks = quirks;
    for (size_t at = 0; at < len && rc == SPD_AGAIN; at += step) {
        spd_sv rest = spd_sv_of(bytes + at, len - at < step ? len - at : step);
        do {
            size_t used;
            spd_sv frame;
            rc = hl7_framer_feed(&f, rest, &used, &frame, NULL);
            rest.ptr += used, rest.len -= used;
            if (rc == SPD_OK) spd_str_add(frames, frame), spd_str_addc(frames, '|');
        } while (rc == SPD_OK);
    }
    hl7_framer_done(&f);
    return rc;
}

static void every_row_however_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t step = 1; step <= rows[i].len; step++) {
            struct spd_str frames = SPD_STR_INIT(1000);
            enum spd_rc rc = feed_all(rows[i].bytes, rows[i].len, step, 0, &frames);
            /* cut right behind 0x1C nobody can know that content follows */
            bool early = !strcmp(rows[i].name, "end block inside") && step <= 4 && 4 % step == 0;
            if (!early && (rc != rows[i].end || !spd_sv_is(spd_str_sv(&frames), rows[i].frames)))
                fail_msg("%s, step %zu: %s \"%s\"", rows[i].name, step, spd_rc_name(rc),
                         frames.ptr ? frames.ptr : "");
            if (early) assert_int_equal(rc, SPD_PROTO);
            spd_str_done(&frames);
        }
}

static void writes_a_frame(void **state)
{
    struct spd_str s = SPD_STR_INIT(100);
    (void)state;
    assert_int_equal(hl7_frame_write(&s, SPD_SV("MSH\r")), SPD_OK);
    assert_true(spd_sv_is(spd_str_sv(&s), "\x0bMSH\r\x1c\r"));
    assert_int_equal(hl7_frame_write(&s, SPD_SV("a\x1c"
                                                "b")),
                     SPD_INVALID);
    assert_int_equal(hl7_frame_write(&s, SPD_SV("a\x0b"
                                                "b")),
                     SPD_INVALID);
    assert_true(spd_sv_is(spd_str_sv(&s), "\x0bMSH\r\x1c\r"));
    spd_str_done(&s);
}

/* One row for each quirk: what is written, and what reading then takes. */
static const struct {
    const char *quirk, *written, *bytes;
    size_t len;
    const char *frames;
    enum spd_rc end;
} quirk_rows[] = {
#define B(s) s, sizeof(s) - 1
    {"no_trailing_cr", "\x0bMSH\x1c\r", B("\x0bMSH1\x1c\r"), "MSH1|", SPD_AGAIN},
    {"end_without_cr", "\x0bMSH\r\x1c", B("\x0bMSH1\x1c\x0bMSH2\x1c"), "MSH1|MSH2|", SPD_AGAIN},
    {"lf_between_frames", "\x0bMSH\r\x1c\r\n", B("\x0bMSH1\x1c\r\n"), "MSH1|", SPD_AGAIN},
    {"keep_alive_frames", "\x0bMSH\r\x1c\r", B("\x0b\x1c\r\x0bMSH1\x1c\r"), "MSH1|", SPD_AGAIN},
    {"bare_ack", "\x0bMSH\r\x1c\r", B("\x0bMSH1\x1c\r"), "MSH1|", SPD_AGAIN},
    {"one_answer", "\x0bMSH\r\x1c\r", B("\x0bMSH1\x1c\r"), "MSH1|", SPD_AGAIN},
    {"strict_frames", "\x0bMSH\r\x1c\r", B("\x0b\x1c\r\x0bMSH1\x1c\r\x0bMSH2\x1c\r"), "MSH1|MSH2|",
     SPD_AGAIN},
    {"strict_frames", "\x0bMSH\r\x1c\r", B("\x0bMSH1\x1c"), "", SPD_AGAIN},
    {"strict_frames", "\x0bMSH\r\x1c\r", B("\x0bMSH1\x1c\x0b"), "", SPD_PROTO},
    {"strict_frames", "\x0bMSH\r\x1c\r", B("\x0bMSH1\x1c\n"), "", SPD_PROTO},
    {"strict_frames", "\x0bMSH\r\x1c\r", B("\x0bMSH1\x1c\r\n"), "MSH1|", SPD_PROTO},
    {"strict_frames", "\x0bMSH\r\x1c\r", B("\n\x0bMSH1\x1c\r"), "", SPD_PROTO},
#undef B
};

static void each_quirk_does_what_its_row_says(void **state)
{
    unsigned seen = 0, all = 0;
    (void)state;
    for (size_t i = 0; i < sizeof quirk_rows / sizeof quirk_rows[0]; i++) {
        unsigned bit = hl7_quirk_of(spd_sv_from(quirk_rows[i].quirk));
        struct spd_str written = SPD_STR_INIT(100);
        assert_true(bit);
        seen |= bit;
        assert_int_equal(hl7_frame_write_as(&written, SPD_SV("MSH\r"), bit), SPD_OK);
        if (!spd_sv_is(spd_str_sv(&written), quirk_rows[i].written))
            fail_msg("%s: written otherwise", quirk_rows[i].quirk);
        spd_str_done(&written);
        for (size_t step = 1; step <= quirk_rows[i].len; step++) {
            struct spd_str frames = SPD_STR_INIT(1000);
            enum spd_rc rc = feed_all(quirk_rows[i].bytes, quirk_rows[i].len, step, bit, &frames);
            if (rc != quirk_rows[i].end || !spd_sv_is(spd_str_sv(&frames), quirk_rows[i].frames))
                fail_msg("%s (row %zu), step %zu: %s \"%s\"", quirk_rows[i].quirk, i, step,
                         spd_rc_name(rc), frames.ptr ? frames.ptr : "");
            spd_str_done(&frames);
        }
    }
    for (const struct hl7_quirk_row *q = hl7_quirks; q->name; q++)
        all |= q->bit;
    assert_int_equal(seen, all);
    assert_int_equal(hl7_quirk_of(SPD_SV("no_such")), 0);
}

static void error_says_where(void **state)
{
    struct hl7_framer f;
    struct spd_err err = {0};
    size_t used;
    spd_sv frame;
    (void)state;
    hl7_framer_init(&f, 100);
    assert_int_equal(hl7_framer_feed(&f, SPD_SV("\x0bMSH\x1c\rX"), &used, &frame, &err), SPD_OK);
    assert_int_equal(hl7_framer_feed(&f, SPD_SV("X"), &used, &frame, &err), SPD_PROTO);
    assert_string_equal(err.place, "byte 7 of the connection");
    hl7_framer_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_however_cut),
        cmocka_unit_test(writes_a_frame),
        cmocka_unit_test(each_quirk_does_what_its_row_says),
        cmocka_unit_test(error_says_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
