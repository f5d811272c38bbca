/* tests/unit/test_net_mllp.c: the MLLP listener and client over real loopback sockets. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hl7/v2/frame.h"
#include "net/mllp.h"
#include "net/mllp_client.h"
#include "net/socket.h"

#define FRAME(text) "\x0b" text "\x1c\x0d"

struct host { /* what the listener hands in, and what to do with it */
    pthread_mutex_t lock;
    struct spd_mllp *m;
    struct spd_mllp_ticket tickets[256];
    char texts[256][32];
    size_t n, refuse; /* refuse: so many times AGAIN first */
    bool echo;
};

static enum spd_rc on_frame(void *ctx, struct spd_mllp_ticket t, const char *address, spd_sv frame)
{
    struct host *h = ctx;
    bool echo;
    pthread_mutex_lock(&h->lock);
    if (h->refuse) {
        h->refuse--;
        pthread_mutex_unlock(&h->lock);
        return SPD_AGAIN;
    }
    if (strcmp(address, "127.0.0.1")) abort();
    h->tickets[h->n] = t;
    snprintf(h->texts[h->n++], 32, "%.*s", SPD_SV_ARG(frame));
    echo = h->echo;
    pthread_mutex_unlock(&h->lock);
    if (echo) spd_mllp_answer(h->m, t, frame);
    return SPD_OK;
}

static void set(struct host *h, bool echo, size_t refuse)
{
    pthread_mutex_lock(&h->lock);
    h->echo = echo, h->refuse = refuse;
    pthread_mutex_unlock(&h->lock);
}

static size_t taken(struct host *h)
{
    size_t n;
    pthread_mutex_lock(&h->lock);
    n = h->n;
    pthread_mutex_unlock(&h->lock);
    return n;
}

static void wait_taken(struct host *h, size_t n)
{
    for (int i = 0; i < 500 && taken(h) < n; i++) usleep(10000);
    assert_int_equal(taken(h), n);
}

static void start(struct host *h, const struct spd_mllp_options *o)
{
    int fd;
    *h = (struct host){.lock = PTHREAD_MUTEX_INITIALIZER};
    assert_int_equal(spd_net_listen("127.0.0.1", 0, &fd, NULL), SPD_OK);
    assert_int_equal(spd_mllp_start(fd, o, on_frame, h, &h->m, NULL), SPD_OK);
    assert_true(spd_mllp_port(h->m) > 0);
}

static int dial(struct host *h)
{
    int fd;
    assert_int_equal(spd_net_connect("127.0.0.1", spd_mllp_port(h->m), SPD_SEC(5), &fd, NULL), SPD_OK);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void hear(int fd, const char *text)
{
    char got[256] = "";
    size_t n = 0, want = strlen(text);
    while (n < want) {
        ssize_t k = recv(fd, got + n, want - n, 0);
        if (k <= 0) break;
        n += (size_t)k;
    }
    got[n] = 0;
    assert_string_equal(got, text);
}

static bool closed(int fd)
{
    char b;
    struct pollfd p = {fd, POLLIN, 0};
    if (poll(&p, 1, 5000) <= 0) return false;
    return recv(fd, &b, 1, MSG_DONTWAIT) <= 0;
}

static void one_frame_one_answer(void **state)
{
    struct host h;
    int fd;
    (void)state;
    start(&h, NULL);
    set(&h, true, 0);
    fd = dial(&h);
    say(fd, FRAME("een"));
    hear(fd, FRAME("een"));
    say(fd, "\x0btw"); /* in pieces, and two in one piece */
    usleep(20000);
    say(fd, "ee\x1c\x0d" FRAME("drie") FRAME("vier"));
    hear(fd, FRAME("twee") FRAME("drie") FRAME("vier"));
    close(fd);
    spd_mllp_stop(h.m);
}

static void answers_keep_the_order_of_the_frames(void **state)
{
    struct host h;
    int fd;
    (void)state;
    start(&h, NULL);
    fd = dial(&h);
    say(fd, FRAME("a") FRAME("b") FRAME("c"));
    wait_taken(&h, 3);
    spd_mllp_answer(h.m, h.tickets[2], SPD_SV("C"));
    spd_mllp_answer(h.m, h.tickets[1], SPD_SV("")); /* no answer wanted */
    usleep(30000);
    assert_int_equal(recv(fd, &(char){0}, 1, MSG_DONTWAIT), -1);
    spd_mllp_answer(h.m, h.tickets[0], SPD_SV("A"));
    hear(fd, FRAME("A") FRAME("C"));
    close(fd);
    spd_mllp_stop(h.m);
}

static void a_full_queue_delays_and_loses_nothing(void **state)
{
    struct host h;
    int fd;
    (void)state;
    start(&h, NULL);
    set(&h, true, 5);
    fd = dial(&h);
    say(fd, FRAME("a") FRAME("b") FRAME("c"));
    hear(fd, FRAME("a") FRAME("b") FRAME("c"));
    assert_int_equal(taken(&h), 3);
    close(fd);
    spd_mllp_stop(h.m);
}

/* Frames that the host does not take count as much as unfinished ones, and the longest go first. */
static void held_frames_are_bounded(void **state)
{
    enum { LONG = 100000, PEERS = 20 };
    static char text[LONG];
    struct host h;
    int fd[PEERS], honest;
    size_t open = 0;
    (void)state;
    memset(text, 'x', sizeof text);
    text[0] = '\x0b', text[LONG - 2] = '\x1c', text[LONG - 1] = '\r';
    start(&h, &(struct spd_mllp_options){.parts_max = 1000000});
    set(&h, true, SIZE_MAX); /* takes nothing */
    honest = dial(&h);
    say(honest, FRAME("kort"));
    for (size_t i = 0; i < PEERS; i++) {
        fd[i] = dial(&h);
        for (size_t at = 0; at < LONG;) {
            ssize_t n = send(fd[i], text + at, LONG - at, MSG_NOSIGNAL);
            if (n <= 0) break;
            at += (size_t)n;
        }
    }
    usleep(300000);
    for (size_t i = 0; i < PEERS; i++) {
        struct pollfd p = {fd[i], POLLIN, 0};
        open += poll(&p, 1, 0) == 0;
    }
    assert_in_range(open, 4, 10);
    assert_true(spd_mllp_stats(h.m).evicted >= PEERS - 10);
    set(&h, true, 0);
    hear(honest, FRAME("kort"));
    for (size_t i = 0; i < PEERS; i++) close(fd[i]);
    close(honest);
    spd_mllp_stop(h.m);
}

static void many_in_the_pipe(void **state)
{
    struct host h;
    int fd;
    (void)state;
    start(&h, &(struct spd_mllp_options){.pending_max = 4});
    fd = dial(&h);
    for (int i = 0; i < 40; i++) say(fd, FRAME("x"));
    usleep(100000);
    assert_int_equal(taken(&h), 4); /* owed: reads no further */
    set(&h, true, 0);
    for (int i = 0; i < 4; i++) spd_mllp_answer(h.m, h.tickets[i], SPD_SV("x"));
    for (int i = 0; i < 40; i++) hear(fd, FRAME("x"));
    close(fd);
    spd_mllp_stop(h.m);
}

static void what_ends_a_connection(void **state)
{
    static const struct {
        const char *name, *bytes;
        uint64_t refused, timed_out;
    } rows[] = {
        {"no start byte", "MSH|^~\\&|", 1, 0},
        {"http", "GET / HTTP/1.0\r\n", 1, 0},
        {"frame too long", "\x0b" "0123456789012345678901234567890123456789", 1, 0},
        {"frame not finished", "\x0b" "0123", 0, 1},
        {"silence", "", 0, 1},
        {"line ends only", "\r\n\r\n", 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct host h;
        struct spd_mllp_stats st;
        int fd, honest;
        start(&h, &(struct spd_mllp_options){.frame_max = 32, .frame_time = 200000, .idle_time = 400000});
        set(&h, true, 0);
        honest = dial(&h);
        fd = dial(&h);
        if (*rows[i].bytes) say(fd, rows[i].bytes);
        if (!closed(fd)) fail_msg("%s: the connection is still open", rows[i].name);
        st = spd_mllp_stats(h.m);
        if (st.refused != rows[i].refused) fail_msg("%s: refused %llu", rows[i].name, (unsigned long long)st.refused);
        if ((st.timed_out > 0) != (rows[i].timed_out > 0)) fail_msg("%s: not counted", rows[i].name);
        if (!rows[i].timed_out) {
            say(honest, FRAME("goed"));
            hear(honest, FRAME("goed"));
        }
        close(fd), close(honest);
        spd_mllp_stop(h.m);
    }
}

static void the_most_silent_one_goes(void **state)
{
    struct host h;
    int fd[4];
    (void)state;
    start(&h, &(struct spd_mllp_options){.max_per_peer = 3});
    set(&h, true, 0);
    for (int i = 0; i < 3; i++) fd[i] = dial(&h), usleep(20000);
    say(fd[0], FRAME("ik leef"));
    hear(fd[0], FRAME("ik leef"));
    fd[3] = dial(&h);
    assert_true(closed(fd[1]));
    for (int i = 0; i < 4; i++) {
        if (i == 1) continue;
        say(fd[i], FRAME("nog"));
        hear(fd[i], FRAME("nog"));
    }
    assert_int_equal(spd_mllp_stats(h.m).evicted, 1);
    for (int i = 0; i < 4; i++) close(fd[i]);
    spd_mllp_stop(h.m);
}

static void *answer_late(void *arg)
{
    struct host *h = arg;
    usleep(200000);
    spd_mllp_answer(h->m, h->tickets[0], SPD_SV("AA"));
    return NULL;
}

static void stop_answers_what_was_taken(void **state)
{
    struct host h;
    pthread_t t;
    int fd, gone;
    (void)state;
    start(&h, NULL);
    fd = dial(&h), gone = dial(&h);
    say(fd, FRAME("laatste"));
    wait_taken(&h, 1);
    close(gone);
    pthread_create(&t, NULL, answer_late, &h);
    spd_mllp_stop(h.m);
    pthread_join(t, NULL);
    hear(fd, FRAME("AA"));
    assert_true(closed(fd));
    close(fd);
}

static void a_peer_that_left_before_its_answer(void **state)
{
    struct host h;
    int fd;
    (void)state;
    start(&h, NULL);
    fd = dial(&h);
    say(fd, FRAME("weg"));
    wait_taken(&h, 1);
    close(fd);
    usleep(50000);
    spd_mllp_answer(h.m, h.tickets[0], SPD_SV("AA"));
    set(&h, true, 0);
    fd = dial(&h);
    say(fd, FRAME("volgende"));
    hear(fd, FRAME("volgende"));
    close(fd);
    spd_mllp_stop(h.m);
}

static void the_client(void **state)
{
    struct host h;
    struct spd_mllp_client *c;
    struct spd_arena *a = spd_arena_new(1 << 20);
    struct spd_err err;
    spd_sv answer;
    int port, fd;
    (void)state;
    start(&h, NULL);
    set(&h, true, 0);
    assert_int_equal(spd_mllp_connect("127.0.0.1", spd_mllp_port(h.m), SPD_SEC(3), &c, NULL), SPD_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(spd_mllp_exchange(c, SPD_SV("MSH|"), SPD_SEC(5), 4096, &answer, a, NULL), SPD_OK);
        assert_true(spd_sv_is(answer, "MSH|"));
        assert_false(spd_mllp_stale(c));
    }
    assert_int_equal(spd_mllp_exchange(c, SPD_SV("a\x1c""b"), SPD_SEC(5), 4096, &answer, a, NULL), SPD_INVALID);
    set(&h, false, 0);
    assert_int_equal(spd_mllp_exchange(c, SPD_SV("stil"), 100000, 4096, &answer, a, &err), SPD_UNKNOWN);
    spd_mllp_answer(h.m, h.tickets[3], SPD_SV("te laat"));
    usleep(50000);
    assert_true(spd_mllp_stale(c)); /* a late answer must never be taken for the next one's */
    spd_mllp_close(c);
    spd_mllp_stop(h.m);
    assert_int_equal(spd_net_listen("127.0.0.1", 0, &fd, NULL), SPD_OK);
    port = spd_net_port(fd);
    close(fd);
    assert_int_equal(spd_mllp_connect("127.0.0.1", port, SPD_SEC(1), &c, &err), SPD_AGAIN);
    spd_arena_free(a);
}

static void addresses(void **state)
{
    static const struct {
        const char *url, *host;
        int port;
        enum spd_rc rc;
    } rows[] = {
        {"mllp://127.0.0.1:2600", "127.0.0.1", 2600, SPD_OK},
        {"mllp://ris.example:2600/", "ris.example", 2600, SPD_OK},
        {"mllp://[::1]:2600", "::1", 2600, SPD_OK},
        {"127.0.0.1:2600", "", 0, SPD_INVALID},
        {"mllp://ris", "", 0, SPD_INVALID},
        {"mllp://:2600", "", 0, SPD_INVALID},
        {"mllp://ris:0", "", 0, SPD_INVALID},
        {"mllp://ris:70000", "", 0, SPD_INVALID},
    };
    char host[64];
    int port = 0;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum spd_rc rc = spd_net_parse(spd_sv_from(rows[i].url), host, sizeof host, &port, NULL);
        if (rc != rows[i].rc) fail_msg("%s: %s", rows[i].url, spd_rc_name(rc));
        if (!rc) assert_string_equal(host, rows[i].host), assert_int_equal(port, rows[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_frame_one_answer), cmocka_unit_test(answers_keep_the_order_of_the_frames),
        cmocka_unit_test(a_full_queue_delays_and_loses_nothing), cmocka_unit_test(held_frames_are_bounded), cmocka_unit_test(many_in_the_pipe),
        cmocka_unit_test(what_ends_a_connection), cmocka_unit_test(the_most_silent_one_goes),
        cmocka_unit_test(stop_answers_what_was_taken), cmocka_unit_test(a_peer_that_left_before_its_answer),
        cmocka_unit_test(the_client), cmocka_unit_test(addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
