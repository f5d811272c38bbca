/* tests/unit/test_dicom_service.c: the services of one association over a scripted peer and a brain of our own at
 * the other end of the socket. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dicom/service.h"
#include "result/frame.h"

#define SR_CLASS "1.2.840.10008.5.1.4.1.1.88.33"
enum { PIECES = 4, COMMAND_BYTES = 256 };

struct peer { /* says its pieces one after the other, then releases */
    struct piece {
        bool command;
        char bytes[COMMAND_BYTES];
        size_t n;
    } pieces[PIECES];
    size_t n, at, answers;
    unsigned status[PIECES];
};

static enum spd_pdv next(void *ctx, int seconds, unsigned char *context, bool *command, bool *last,
                         const char **data, size_t *len)
{
    struct peer *p = ctx;
    (void)seconds;
    if (p->at == p->n) return SPD_PDV_RELEASE;
    *context = 1, *last = true;
    *command = p->pieces[p->at].command;
    *data = p->pieces[p->at].bytes, *len = p->pieces[p->at].n;
    p->at++;
    return SPD_PDV_OK;
}

static bool put(void *ctx, unsigned char context, bool command, bool last, const char *data, size_t len)
{
    struct peer *p = ctx;
    (void)context, (void)last;
    for (size_t at = 0; command && at + 8 <= len;) {
        const unsigned char *e = (const unsigned char *)data + at;
        size_t n = (size_t)e[4] | (size_t)e[5] << 8;
        if (e[2] == 0 && e[3] == 9) p->status[p->answers++] = (unsigned)(e[8] | e[9] << 8);
        at += 8 + n;
    }
    return true;
}

static bool context_of(void *ctx, unsigned char context, const char **abstract, const char **transfer)
{
    (void)ctx, (void)context;
    *abstract = SR_CLASS, *transfer = "1.2.840.10008.1.2.1";
    return true;
}

static void element(struct piece *c, unsigned number, const char *value, size_t n)
{
    const char head[8] = {0, 0, (char)number, (char)(number >> 8), (char)n, 0, 0, 0};
    assert_true(c->n + 8 + n <= sizeof c->bytes);
    memcpy(c->bytes + c->n, head, 8);
    memcpy(c->bytes + c->n + 8, value, n);
    c->n += 8 + n;
}

static void says_store(struct peer *p, const char *sop_uid)
{
    struct piece *c = &p->pieces[p->n++], *d = &p->pieces[p->n++];
    c->command = true;
    element(c, 0x0002, SR_CLASS, sizeof SR_CLASS); /* padded with its NUL */
    element(c, 0x0100, "\1\0", 2);
    element(c, 0x0110, "\1\0", 2);
    element(c, 0x0800, "\1\0", 2);
    element(c, 0x1000, sop_uid, strlen(sop_uid) + strlen(sop_uid) % 2);
    memcpy(d->bytes, "no data set", 11);
    d->n = 11;
}

/* The brain did not say what became of the first object; what it says later is not the second one's answer. */
static void a_late_answer_is_nobodys(void **state)
{
    static const struct {
        const char *name;
        char type;
        size_t body;
    } rows[] = {{"not an answer to a store", 'a', 2}, {"too short", 's', 1}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer p = {.n = 0};
        struct spd_pdv_io io = {&p, next, put, context_of, 16384};
        int fd[2];
        says_store(&p, "1.2.3.4");
        says_store(&p, "1.2.3.5");
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        assert_int_equal(spd_frame_write1(fd[1], rows[i].type, spd_sv_of("\0\0", rows[i].body)), SPD_OK);
        assert_int_equal(spd_frame_write1(fd[1], 's', spd_sv_of("\0\0", 2)), SPD_OK);
        enum spd_pdv end = spd_dicom_serve(&io, fd[0], false);
        if (p.answers != 1 || p.status[0] != 0xA700 || end != SPD_PDV_END)
            fail_msg("%s: %zu answers, the last %04x", rows[i].name, p.answers, p.status[p.answers - 1]);
        close(fd[0]), close(fd[1]);
    }
}

static void each_store_has_its_answer(void **state)
{
    struct peer p = {.n = 0};
    struct spd_pdv_io io = {&p, next, put, context_of, 16384};
    int fd[2];
    (void)state;
    says_store(&p, "1.2.3.4");
    says_store(&p, "1.2.3.5");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(spd_frame_write1(fd[1], 's', spd_sv_of("\0\xC0", 2)), SPD_OK);
    assert_int_equal(spd_frame_write1(fd[1], 's', spd_sv_of("\0\0", 2)), SPD_OK);
    assert_int_equal(spd_dicom_serve(&io, fd[0], false), SPD_PDV_RELEASE);
    assert_int_equal(p.answers, 2);
    assert_int_equal(p.status[0], 0xC000);
    assert_int_equal(p.status[1], 0);
    close(fd[0]), close(fd[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_late_answer_is_nobodys),
                                       cmocka_unit_test(each_store_has_its_answer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
