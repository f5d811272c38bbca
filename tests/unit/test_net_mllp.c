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
    char names[SPD_TLS_NAMES]; /* of the last frame's certificate */
};

static enum spd_rc on_frame(void *ctx, struct spd_mllp_ticket t, const struct spd_mllp_from *from,
                            spd_sv frame)
{
    struct host *h = ctx;
    bool echo;
    pthread_mutex_lock(&h->lock);
    if (h->refuse) {
        h->refuse--;
        pthread_mutex_unlock(&h->lock);
        return SPD_AGAIN;
    }
    if (strcmp(from->address, "127.0.0.1")) abort();
    snprintf(h->names, sizeof h->names, "%s", from->certificate);
    h->tickets[h->n] = t;
    snprintf(h->texts[h->n++], 32, "%.*s", (int)(frame.len < 31 ? frame.len : 31), frame.ptr);
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

static bool closed_now(int fd)
{
    char b;
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, 200) > 0 && recv(fd, &b, 1, MSG_DONTWAIT) <= 0;
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
    for (int i = 0; i < 500 && spd_mllp_stats(h.m).evicted < PEERS - 10; i++) usleep(10000);
    usleep(300000); /* more than are due must not go */
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

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* Refused before a byte is read; others do not notice. */
static void who_is_not_on_the_list(void **state)
{
    struct spd_net_range there, here;
    struct spd_err err = {0};
    struct host h;
    int fd;
    (void)state;
    assert_int_equal(spd_net_range_parse(SPD_SV("192.0.2.0/24"), &there, NULL), SPD_OK);
    assert_int_equal(spd_net_range_parse(SPD_SV("127.0.0.0/8"), &here, NULL), SPD_OK);
    start(&h, &(struct spd_mllp_options){.allow = &there, .n_allow = 1});
    set(&h, true, 0);
    for (int i = 0; i < 3; i++) {
        fd = dial(&h);
        send(fd, FRAME("hallo"), 8, MSG_NOSIGNAL);
        assert_true(closed(fd));
        close(fd);
    }
    assert_int_equal(spd_mllp_stats(h.m).not_allowed, 3);
    assert_int_equal(spd_mllp_stats(h.m).accepted, 0);
    assert_int_equal(spd_mllp_retune(h.m, &(struct spd_mllp_options){.allow = &here, .n_allow = 1}, &err), SPD_OK);
    fd = dial(&h);
    say(fd, FRAME("hallo"));
    hear(fd, FRAME("hallo"));
    close(fd);
    assert_int_equal(taken(&h), 1);
    spd_mllp_stop(h.m);
}

static void ranges(void **state)
{
    static const struct {
        const char *range, *inside, *outside;
    } good[] = {
        {"10.0.0.0/8", "10.255.0.1", "11.0.0.1"},  {"192.0.2.7", "192.0.2.7", "192.0.2.8"},
        {"192.0.2.8/29", "192.0.2.15", "192.0.2.16"}, {"0.0.0.0/0", "203.0.113.9", "::1"},
        {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"}, {"::1", "::1", "127.0.0.1"},
        {"10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"}, {"::/0", "10.0.0.1", "no address"},
    };
    static const struct {
        const char *text, *why;
    } bad[] = {{"", "expected"}, {"ris.example", "expected"}, {"10.0.0.0/33", "0 to 32"}, {"10.0.0.0/-1", "0 to 32"},
               {"10.0.0.0/", "0 to 32"}, {"10.0.0.1/8", "bits are set"}, {"2001:db8::/129", "0 to 128"},
               {"1000.0.0.1", "expected"}, {"10.0.0.0/8/8", "0 to 32"},
               {"1111111111111111111111111111111111111111111111111111111111111111111111", "not an address"}};
    struct spd_net_range r;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (spd_net_range_parse(spd_sv_from(good[i].range), &r, NULL)) fail_msg("%s: refused", good[i].range);
        if (!spd_net_in_ranges(good[i].inside, &r, 1)) fail_msg("%s: not in %s", good[i].inside, good[i].range);
        if (spd_net_in_ranges(good[i].outside, &r, 1)) fail_msg("%s: in %s", good[i].outside, good[i].range);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct spd_err err = {0};
        if (spd_net_range_parse(spd_sv_from(bad[i].text), &r, &err) != SPD_INVALID) fail_msg("%s: taken", bad[i].text);
        if (!has(err.text, bad[i].why)) fail_msg("%s: %s", bad[i].text, err.text);
    }
    assert_false(spd_net_in_ranges("10.0.0.1", &r, 0));
}

static unsigned peer_quirks;
static size_t peer_most;
static void manner(void *ctx, const struct spd_mllp_from *from, struct spd_mllp_manner *ret)
{
    (void)ctx;
    if (!*from->address || *from->certificate) abort();
    ret->quirks = peer_quirks, ret->max_connections = peer_most;
}

/* What each quirk makes of a line: what is said, what is heard. */
static void quirks(void **state)
{
    static const struct {
        const char *name, *said, *heard;
        bool ends; /* the connection is closed then */
    } rows[] = {
        {"no_trailing_cr", FRAME("MSH\r"), FRAME("MSH"), false},
        {"end_without_cr", "\x0b" "A\x1c\x0b" "B\x1c", "\x0b" "A\x1c\x0b" "B\x1c", false},
        {"lf_between_frames", FRAME("A") "\n" FRAME("B") "\n", FRAME("A") "\n" FRAME("B") "\n", false},
        {"keep_alive_frames", FRAME("") FRAME("A"), FRAME("") FRAME("A"), false},
        {"bare_ack", FRAME("") FRAME("A"), FRAME("A"), false}, /* of the door: here it changes nothing */
        {"strict_frames", FRAME("A") FRAME("B"), FRAME("A") FRAME("B"), false},
        {"strict_frames", FRAME("A") "\n", "", true},
        {"strict_frames", "\n", "", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct host h;
        int fd;
        peer_quirks = hl7_quirk_of(spd_sv_from(rows[i].name));
        assert_true(peer_quirks);
        start(&h, &(struct spd_mllp_options){.manner = manner});
        set(&h, true, 0);
        fd = dial(&h);
        say(fd, rows[i].said);
        hear(fd, rows[i].heard);
        if (rows[i].ends != closed_now(fd)) fail_msg("%s (row %zu): open or closed", rows[i].name, i);
        close(fd);
        spd_mllp_stop(h.m);
    }
    peer_quirks = 0;
}

/* The answer says with which quirks the line goes on. */
static void quirks_of_the_answer(void **state)
{
    struct host h;
    int fd;
    (void)state;
    start(&h, NULL);
    fd = dial(&h);
    say(fd, FRAME("a") "\n");
    wait_taken(&h, 1);
    spd_mllp_answer_as(h.m, h.tickets[0], SPD_SV("A\r"), HL7_QUIRK_STRICT_FRAMES | HL7_QUIRK_NO_TRAILING_CR);
    hear(fd, FRAME("A"));
    say(fd, FRAME("b"));
    wait_taken(&h, 2);
    spd_mllp_answer(h.m, h.tickets[1], SPD_SV("B\r"));
    hear(fd, FRAME("B"));
    say(fd, "\n");
    assert_true(closed(fd));
    close(fd);
    spd_mllp_stop(h.m);
}

/* A peer's own maximum; line ends alone are no beginning of a frame. */
static void a_peers_own_limits(void **state)
{
    struct host h;
    int fd[4], late;
    (void)state;
    peer_most = 2;
    start(&h, &(struct spd_mllp_options){.manner = manner, .begin_time = 300000});
    set(&h, true, 0);
    for (int i = 0; i < 4; i++) fd[i] = dial(&h), usleep(20000);
    assert_true(closed(fd[0]) && closed(fd[1]));
    assert_int_equal(spd_mllp_stats(h.m).evicted, 2);
    say(fd[2], FRAME("a") "\r\n");
    hear(fd[2], FRAME("a"));
    say(fd[3], FRAME("") "\n");
    usleep(800000); /* a line end behind a frame starts no clock */
    for (int i = 2; i < 4; i++) {
        say(fd[i], FRAME("b"));
        hear(fd[i], FRAME("b"));
    }
    late = dial(&h);
    say(late, "\r\n");
    assert_true(closed(late));
    assert_int_equal(spd_mllp_stats(h.m).timed_out, 1);
    for (int i = 0; i < 4; i++) close(fd[i]);
    close(late);
    peer_most = 0;
    spd_mllp_stop(h.m);
}

/* Who does not read its answers is not read from, and holds up nobody. */
static void a_peer_that_does_not_read(void **state)
{
    enum { LONG = 60000 };
    static char text[LONG + 1];
    struct host h;
    size_t before, sent = 0;
    int deaf, honest, small = 4096;
    (void)state;
    memset(text, 'x', LONG);
    text[0] = '\x0b', text[LONG - 2] = '\x1c', text[LONG - 1] = '\r';
    start(&h, NULL);
    set(&h, true, 0);
    deaf = dial(&h);
    setsockopt(deaf, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (;;) { /* until nobody takes any more */
        ssize_t n = send(deaf, text + sent % LONG, LONG - sent % LONG, MSG_NOSIGNAL | MSG_DONTWAIT);
        struct pollfd p = {deaf, POLLOUT, 0};
        if (n > 0) sent += (size_t)n;
        if (n < 0 && poll(&p, 1, 500) == 0) break;
        assert_true(sent < (size_t)64 << 20);
        if (taken(&h) > 200) break;
    }
    before = taken(&h);
    assert_true(before < 200);
    honest = dial(&h);
    for (int i = 0; i < 5; i++) {
        say(honest, FRAME("hallo"));
        hear(honest, FRAME("hallo"));
    }
    assert_int_equal(taken(&h), before + 5);
    close(deaf), close(honest);
    spd_mllp_stop(h.m);
}

static void a_destination_that_keeps_alive(void **state)
{
    struct spd_mllp_target to = {.size = sizeof to, .host = "127.0.0.1", .timeout = SPD_SEC(3)};
    struct spd_mllp_client *c;
    int listener, there;
    (void)state;
    assert_int_equal(spd_net_listen("127.0.0.1", 0, &listener, NULL), SPD_OK);
    to.port = spd_net_port(listener);
    for (int quirk = 0; quirk < 2; quirk++) {
        to.quirks = quirk ? HL7_QUIRK_KEEP_ALIVE_FRAMES : 0;
        assert_int_equal(spd_mllp_dial(&to, &c, NULL), SPD_OK);
        there = accept(listener, NULL, NULL);
        assert_true(there >= 0);
        assert_false(spd_mllp_stale(c));
        say(there, FRAME("") FRAME(""));
        usleep(50000);
        assert_int_equal(spd_mllp_stale(c), !quirk);
        if (quirk) {
            assert_false(spd_mllp_stale(c));
            say(there, FRAME("te laat"));
            usleep(50000);
            assert_true(spd_mllp_stale(c));
        }
        spd_mllp_close(c);
        close(there);
    }
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_frame_one_answer), cmocka_unit_test(answers_keep_the_order_of_the_frames),
        cmocka_unit_test(a_full_queue_delays_and_loses_nothing), cmocka_unit_test(held_frames_are_bounded), cmocka_unit_test(many_in_the_pipe),
        cmocka_unit_test(what_ends_a_connection), cmocka_unit_test(the_most_silent_one_goes),
        cmocka_unit_test(stop_answers_what_was_taken), cmocka_unit_test(a_peer_that_left_before_its_answer),
        cmocka_unit_test(the_client), cmocka_unit_test(addresses), cmocka_unit_test(who_is_not_on_the_list),
        cmocka_unit_test(ranges), cmocka_unit_test(quirks), cmocka_unit_test(quirks_of_the_answer),
        cmocka_unit_test(a_peers_own_limits), cmocka_unit_test(a_peer_that_does_not_read),
        cmocka_unit_test(a_destination_that_keeps_alive)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
