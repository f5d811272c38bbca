/* tests/unit/test_web_ws.c: WebSocket frames of a client, whole, in pieces and wrong; our own; the
 * handshake's key of RFC 6455 §1.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "web/ws.h"

#define MASK "\x01\x02\x03\x04"

static const struct row {
    const char *name, *bytes;
    size_t len;
    enum spd_rc rc;
    unsigned opcode;
    const char *payload;
} rows[] = {
    {"text", "\x81\x82" MASK "ik", 8, SPD_OK, SPD_WS_TEXT, "hi"},
    {"empty ping", "\x89\x80" MASK, 6, SPD_OK, SPD_WS_PING, ""},
    {"close with a code", "\x88\x82" MASK "\x02\xea", 8, SPD_OK, SPD_WS_CLOSE, "\x03\xe8"},
    {"a part of a message", "\x01\x81" MASK "`", 7, SPD_OK, SPD_WS_TEXT, "a"},
    {"its end", "\x80\x81" MASK "c", 7, SPD_OK, SPD_WS_CONTINUATION, "b"},
    {"not masked", "\x81\x02hi", 4, SPD_PROTO, 0, NULL},
    {"a reserved bit", "\xc1\x82" MASK "ik", 8, SPD_PROTO, 0, NULL},
    {"opcode 3", "\x83\x80" MASK, 6, SPD_PROTO, 0, NULL},
    {"opcode 11", "\x8b\x80" MASK, 6, SPD_PROTO, 0, NULL},
    {"a ping in parts", "\x09\x80" MASK, 6, SPD_PROTO, 0, NULL},
    {"a long ping", "\x89\xfe\x00\x7e" MASK, 8, SPD_PROTO, 0, NULL},
    {"a length too long for its form", "\x81\xfe\x00\x05" MASK "abcde", 13, SPD_PROTO, 0, NULL},
    {"beyond the limit", "\x81\xfe\x10\x01" MASK, 8, SPD_LIMIT, 0, NULL},
    {"a length of eight bytes", "\x81\xff\x00\x00\x00\x00\x00\x01\x00\x00" MASK, 14, SPD_LIMIT, 0,
     NULL},
};

static void frames_of_a_client(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        for (size_t n = 0; n <= r->len; n++) { /* not a byte beyond what is there is read */
            unsigned char *copy = spd_must_malloc(n + 1);
            struct spd_ws_frame f = {0};
            memcpy(copy, r->bytes, n);
            enum spd_rc rc = spd_ws_read(copy, n, &f);
            if (n < r->len ? rc != SPD_AGAIN && rc != r->rc : rc != r->rc)
                fail_msg("%s, %zu bytes: %s", r->name, n, spd_rc_name(rc));
            if (n < r->len && r->rc == SPD_OK) assert_int_equal(rc, SPD_AGAIN);
            if (n == r->len && rc == SPD_OK) {
                assert_int_equal(f.opcode, r->opcode);
                assert_int_equal(f.size, r->len);
                assert_true(spd_sv_is(f.payload, r->payload));
            }
            spd_free(copy);
        }
    }
}

static void frames_of_ours(void **state)
{
    static char text[70000];
    static const struct {
        size_t payload, frame;
    } sizes[] = {{0, 2}, {125, 127}, {126, 130}, {65535, 65539}, {65536, 65546}};
    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct spd_str out = SPD_STR_INIT(1 << 20);
        spd_ws_write(&out, SPD_WS_TEXT, spd_sv_of(text, sizes[i].payload));
        assert_int_equal(out.len, sizes[i].frame);
        assert_int_equal((unsigned char)out.ptr[0], 0x81);
        assert_false((unsigned char)out.ptr[1] & 0x80); /* a server never masks */
        spd_str_done(&out);
    }
}

static void the_key(void **state)
{
    char accept[29];
    (void)state;
    assert_true(spd_ws_accept(SPD_SV("dGhlIHNhbXBsZSBub25jZQ=="), accept));
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_false(spd_ws_accept(SPD_SV("dGhlIHNhbXBsZSBub25jZQ="), accept));
    assert_false(spd_ws_accept(SPD_SV("dGhlIHNhbXBsZSBub25jZQ==="), accept));
    assert_false(spd_ws_accept(SPD_SV("dGhlIHNhbXBsZSBub25jZ!=="), accept));
    assert_false(spd_ws_accept(SPD_SV_NONE, accept));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_a_client),
        cmocka_unit_test(frames_of_ours),
        cmocka_unit_test(the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
