/* tests/unit/test_web_wire.c: what happens on the line: limits, hostile and slow clients, the event
 * stream, many silent connections, stopping while clients wait. */
#define _GNU_SOURCE
#include "web_world.h"

static struct world *W;

static int setup(void **state)
{
    (void)state;
    W = world_new("");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_free(W);
    return 0;
}

static struct answer raw(const char *text, size_t n)
{
    int fd = dial(W);
    size_t got;
    give(fd, text, n);
    shutdown(fd, SHUT_WR);
    char *t = take_until(fd, NULL, 5000, &got);
    close(fd);
    return parse_answer(t, got);
}

#define AUTH "Host: x\r\nAuthorization: Bearer token-reader\r\n"
static void test_bad_lines(void **state)
{
    static const struct {
        const char *name, *text;
        int lo, hi;
    } t[] = {
        {"nonsense", "\x16\x03\x01\x02\r\n\r\n", 0, 499},
        {"TE and CL",
         "POST /api/v1/items/1/claim HTTP/1.1\r\n" AUTH
         "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
         "Content-Length: 4\r\n\r\n0\r\n\r\n",
         400, 400},
        {"compressed",
         "POST /api/v1/items/1/claim HTTP/1.1\r\n" AUTH
         "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
         "Content-Length: 2\r\n\r\n{}",
         415, 415},
        {"negative length",
         "POST /api/v1/items/1/claim HTTP/1.1\r\n" AUTH
         "Content-Type: application/json\r\nContent-Length: -1\r\n\r\n{}",
         400, 499},
        {"announced too large",
         "POST /api/v1/items/1/claim HTTP/1.1\r\n" AUTH
         "Content-Type: application/json\r\nContent-Length: 1048577\r\n\r\n",
         413, 413},
        {"announced absurdly large",
         "POST /api/v1/items/1/claim HTTP/1.1\r\n" AUTH
         "Content-Type: application/json\r\nContent-Length: 99999999999999999999\r\n\r\n",
         400, 499},
        {"chunked",
         "POST /api/v1/items/1/claim HTTP/1.1\r\n" AUTH
         "Connection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\n{}\r\n0\r\n\r\n",
         200, 200},
        {"NUL in the path", "GET /healthz%00x HTTP/1.1\r\n" AUTH "Connection: close\r\n\r\n", 400,
         499},
        {"no UTF-8 in the path", "GET /%ff%fe HTTP/1.1\r\n" AUTH "Connection: close\r\n\r\n", 400,
         499},
        {"no UTF-8 in a value",
         "GET /api/v1/worklist?modality=%ff HTTP/1.1\r\n" AUTH "Connection: close\r\n\r\n", 400,
         400},
        {"dots", "GET /assets/../../../../etc/passwd HTTP/1.1\r\n" AUTH "Connection: close\r\n\r\n",
         400, 499},
        {"options", "OPTIONS /api/v1/worklist HTTP/1.1\r\n" AUTH "Connection: close\r\n\r\n", 405,
         405},
        {"trace", "TRACE / HTTP/1.1\r\n" AUTH "Connection: close\r\n\r\n", 405, 405},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct answer a = raw(t[i].text, strlen(t[i].text));
        if (a.status < t[i].lo || a.status > t[i].hi)
            print_message("%s: %d %s\n", t[i].name, a.status, a.body);
        assert_in_range(a.status, t[i].lo, t[i].hi);
        answer_free(&a);
    }
}

static void test_headers_too_large(void **state)
{
    struct spd_str s = SPD_STR_INIT(1u << 20);
    (void)state;
    spd_str_addz(&s, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    for (int i = 0; i < 101; i++)
        spd_str_addf(&s, "X-H%d: y\r\n", i);
    spd_str_addz(&s, "\r\n");
    struct answer a = raw(s.ptr, s.len);
    assert_int_equal(a.status, 431);
    answer_free(&a);
    spd_str_clear(&s);
    spd_str_addz(&s, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ");
    for (int i = 0; i < 70000; i++)
        spd_str_addc(&s, 'a');
    spd_str_addz(&s, "\r\n\r\n");
    a = raw(s.ptr, s.len);
    assert_true(a.status == 0 || a.status == 431 || a.status == 413);
    answer_free(&a);
    spd_str_done(&s);
}

/* Sent in chunks, so that no length announces it. */
static void test_body_grows_too_large(void **state)
{
    static char chunk[65536];
    int fd = dial(W);
    size_t n;
    (void)state;
    memset(chunk, ' ', sizeof chunk);
    const char *head = "POST /api/v1/items/1/claim HTTP/1.1\r\n" AUTH
                       "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    give(fd, head, strlen(head));
    for (int i = 0; i < 20; i++) {
        give(fd, "10000\r\n", 7);
        give(fd, chunk, sizeof chunk);
        give(fd, "\r\n", 2);
    }
    give(fd, "0\r\n\r\n", 5);
    char *t = take_until(fd, "too_large", 5000, &n);
    struct answer a = parse_answer(t, n);
    assert_int_equal(a.status, 413);
    answer_free(&a);
    close(fd);
}

static void test_deep_json(void **state)
{
    static char deep[4096], wide[200000];
    struct answer a;
    (void)state;
    memset(deep, '[', 2000), deep[0] = '{', deep[1] = '\"', deep[2] = 'a', deep[3] = '\"',
                             deep[4] = ':', deep[2000] = 0;
    a = ask(W, "reader", "POST", "/api/v1/items/1/claim", "Content-Type: application/json\r\n",
            deep + 0);
    assert_int_equal(a.status, 400);
    answer_free(&a);
    snprintf(wide, sizeof wide, "{\"a\":[1");
    for (size_t n = strlen(wide); n < 150000; n += 2)
        memcpy(wide + n, ",1", 3);
    memcpy(wide + strlen(wide), "]}", 3);
    a = ask(W, "reader", "POST", "/api/v1/items/1/claim", "", wide);
    assert_int_equal(a.status, 400);
    answer_free(&a);
}

static void test_big_instance(void **state)
{
    size_t n = 4u << 20;
    char *big = calloc(1, n + 1);
    (void)state;
    struct answer a = ask_on(dial_socket(W), "POST", "/api/v1/instances",
                             "Content-Type: application/dicom\r\n", big, n);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "\"id\":4194304"));
    answer_free(&a);
    a = ask_on(dial_socket(W), "POST", "/api/v1/instances", "Content-Type: application/dicom\r\n",
               big, n + 1);
    assert_true(a.status == 413 || a.status == 0); /* the line may be cut while we still send */
    answer_free(&a);
    free(big);
}

/* A decoder that takes its time holds up nobody else. */
static void *one_instance(void *arg)
{
    struct answer a = ask_on(dial_socket(W), "POST", "/api/v1/instances",
                             "Content-Type: application/dicom\r\n", "DICM", 4);
    *(int *)arg = a.status;
    answer_free(&a);
    return NULL;
}

static void test_slow_decoder(void **state)
{
    pthread_t t[10];
    int status[10];
    (void)state;
    pthread_mutex_lock(&W->lock);
    W->instance_sleep_ms = 600;
    pthread_mutex_unlock(&W->lock);
    for (int i = 0; i < 10; i++)
        pthread_create(&t[i], NULL, one_instance, &status[i]);
    usleep(100000);
    spd_usec from = spd_clock_monotonic();
    struct answer a = ask(W, "reader", "GET", "/api/v1/worklist", "", NULL);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    a = ask(W, "reader", "POST", "/api/v1/items/1/claim", "", "{}");
    assert_int_equal(a.status, 200);
    answer_free(&a);
    assert_true(spd_clock_monotonic() - from < 400000);
    for (int i = 0; i < 10; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(status[i], 200);
    }
    W->instance_sleep_ms = 0;
}

static void *one_login(void *arg)
{
    struct answer a = ask(W, "", "POST", "/api/v1/session", "",
                          "{\"user\":\"nobody\",\"password\":\"a-long-password\"}");
    (void)arg;
    answer_free(&a);
    return NULL;
}

/* Anybody may try to log in, and a try takes most of a second: results do not wait for that. */
static void test_login_flood(void **state)
{
    pthread_t t[12];
    int status = 0;
    (void)state;
    for (int i = 0; i < 12; i++)
        pthread_create(&t[i], NULL, one_login, NULL);
    usleep(100000);
    spd_usec from = spd_clock_monotonic();
    one_instance(&status);
    assert_int_equal(status, 200);
    assert_true(spd_clock_monotonic() - from < 400000);
    for (int i = 0; i < 12; i++)
        pthread_join(t[i], NULL);
}

/* Bodies of senders that nobody knows yet are bounded together; the socket is not in that. */
static void test_bodies_together(void **state)
{
    enum { PEERS = 24, SENT = 4000000 };
    static char text[SENT];
    const char *head = "POST /api/v1/instances HTTP/1.1\r\nHost: x\r\nContent-Type: application/dicom\r\n"
                       "Content-Length: 4000001\r\n\r\n";
    int fd[PEERS], status = 0;
    size_t held = 0;
    (void)state;
    memset(text, 'x', sizeof text);
    for (int i = 0; i < PEERS; i++) {
        fd[i] = dial(W);
        give(fd[i], head, strlen(head));
        give(fd[i], text, SENT);
    }
    usleep(300000);
    held = __atomic_load_n(&W->web->bodies, __ATOMIC_RELAXED);
    assert_in_range(held, (size_t)SPD_WEB_BODIES_MAX - 2 * SENT, SPD_WEB_BODIES_MAX);
    give(fd[PEERS - 1], "x", 1); /* the last one found no room */
    char *got = take_until(fd[PEERS - 1], "}", 5000, NULL);
    assert_non_null(strstr(got, "503"));
    free(got);
    struct answer a = ask_on(dial_socket(W), "POST", "/api/v1/instances",
                             "Content-Type: application/dicom\r\nAuthorization: Bearer token-hook\r\n", text, 1000000);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    for (int i = 0; i < PEERS; i++)
        close(fd[i]);
    for (int i = 0; i < 100 && __atomic_load_n(&W->web->bodies, __ATOMIC_RELAXED); i++)
        usleep(20000);
    assert_int_equal(__atomic_load_n(&W->web->bodies, __ATOMIC_RELAXED), 0);
    one_instance(&status);
    assert_int_equal(status, 200);
}

/* 300 silent connections, more than there are places: an honest client is answered, and at once. */
static void test_silent_clients(void **state)
{
    int fd[300];
    (void)state;
    for (int i = 0; i < 300; i++)
        fd[i] = dial(W);
    for (int i = 0; i < 300; i += 2)
        give(fd[i], "GET /wor", 8);
    usleep(200000);
    for (int i = 0; i < 5; i++) {
        spd_usec from = spd_clock_monotonic();
        struct answer a = ask(W, "reader", "GET", "/api/v1/worklist", "", NULL);
        assert_int_equal(a.status, 200);
        assert_true(spd_clock_monotonic() - from < SPD_SEC(1));
        answer_free(&a);
    }
    for (int i = 0; i < 300; i++)
        close(fd[i]);
}

/* A header that drips in is cut after ten seconds. */
static void test_drip(void **state)
{
    int fd = dial(W);
    spd_usec from = spd_clock_monotonic();
    bool cut = false;
    (void)state;
    give(fd, "GET / HTTP/1.1\r\nX: ", 19);
    while (!cut && spd_clock_monotonic() - from < SPD_SEC(20)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char c[256];
        give(fd, "a", 1);
        if (poll(&p, 1, 500) > 0) cut = recv(fd, c, sizeof c, 0) <= 0;
    }
    spd_usec took = spd_clock_monotonic() - from;
    close(fd);
    assert_true(cut);
    assert_true(took > SPD_SEC(8) && took < SPD_SEC(14));
}

static void test_keep_alive_and_pipelining(void **state)
{
    int fd = dial(W);
    size_t n;
    (void)state;
    for (int i = 0; i < 3; i++) {
        give(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 34);
        char *t = take_until(fd, "\"ok\"", 5000, &n);
        assert_non_null(strstr(t, "200 OK"));
        free(t);
        usleep(10000); /* the rest of the body */
        char rest[512];
        while (recv(fd, rest, sizeof rest, MSG_DONTWAIT) > 0)
            continue;
    }
    close(fd);
}

/* ---- the stream
 * ----------------------------------------------------------------------------------------- */
static int open_stream(const char *more)
{
    char head[512];
    int fd = dial(W);
    int n = snprintf(
        head, sizeof head,
        "GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-clinician\r\n%s\r\n",
        more);
    give(fd, head, (size_t)n);
    return fd;
}

static long long change(void)
{
    struct answer a = ask(W, "reader", "POST", "/api/v1/items/1/claim", "", "{}");
    json_t *o = json_of(&a);
    long long r = json_integer_value(json_object_get(o, "revision"));
    json_decref(o);
    answer_free(&a);
    return r;
}

static void test_stream(void **state)
{
    char want[64], header[64];
    int fd = open_stream("");
    char *t = take_until(fd, "event: reset", 5000, NULL);
    (void)state;
    assert_non_null(strcasestr(t, "text/event-stream"));
    assert_non_null(strcasestr(t, "X-Accel-Buffering: no"));
    assert_non_null(strstr(t, "event: reset"));
    free(t);
    long long first = change();
    snprintf(want, sizeof want, "id: %lld", first);
    t = take_until(fd, want, 5000, NULL);
    assert_non_null(strstr(t, "event: item"));
    assert_non_null(strstr(t, want));
    assert_non_null(strstr(t, "data: {\"id\":1,"));
    free(t);
    close(fd);
    long long second = change(), third = change();
    snprintf(header, sizeof header, "Last-Event-ID: %lld\r\n", first);
    fd = open_stream(header);
    snprintf(want, sizeof want, "id: %lld", third);
    t = take_until(fd, want, 5000, NULL);
    assert_null(strstr(t, "reset"));
    assert_non_null(strstr(t, want));
    snprintf(want, sizeof want, "id: %lld\n", second);
    assert_non_null(strstr(t, want));
    snprintf(want, sizeof want, "id: %lld\n", first);
    assert_null(strstr(t, want));
    free(t);
    close(fd);
    fd = open_stream("Last-Event-ID: 999999999\r\n"); /* a place that never was */
    t = take_until(fd, "event: reset", 5000, NULL);
    assert_non_null(strstr(t, "event: reset"));
    free(t);
    close(fd);
    fd = open_stream("Last-Event-ID: abc\r\n");
    t = take_until(fd, "event: reset", 5000, NULL);
    assert_non_null(strstr(t, "event: reset"));
    free(t);
    close(fd);
}

static void test_heartbeat(void **state)
{
    int fd = open_stream("");
    spd_usec from = spd_clock_monotonic();
    char *t = take_until(fd, ": alive", 20000, NULL);
    (void)state;
    assert_non_null(strstr(t, ": alive"));
    assert_true(spd_clock_monotonic() - from > SPD_SEC(10));
    free(t);
    close(fd);
}

/* Many streams, many changes, some clients leave in between: everybody else hears of the last one.
 */
static void test_many_streams(void **state)
{
    int fd[40];
    char want[64];
    long long last = 0;
    (void)state;
    for (int i = 0; i < 40; i++)
        fd[i] = open_stream("");
    for (int i = 0; i < 40; i++)
        free(take_until(fd[i], "event: reset", 5000, NULL));
    for (int i = 0; i < 60; i++) {
        last = change();
        if (i % 6 == 0) close(fd[i / 6]), fd[i / 6] = -1;
    }
    snprintf(want, sizeof want, "id: %lld\n", last);
    for (int i = 0; i < 40; i++) {
        if (fd[i] < 0) continue;
        char *t = take_until(fd[i], want, 5000, NULL);
        assert_non_null(strstr(t, want));
        free(t);
        close(fd[i]);
    }
}

/* More changes at once than the board remembers: the client is told to fetch anew, and goes on. */
static void test_flood(void **state)
{
    char want[64];
    int fd = open_stream("");
    (void)state;
    free(take_until(fd, "event: reset", 5000, NULL));
    pthread_mutex_lock(&W->lock);
    W->flood = 25000;
    pthread_mutex_unlock(&W->lock);
    long long last = change();
    snprintf(want, sizeof want, "event: reset\nid: %lld\n", last);
    char *t = take_until(fd, want, 5000, NULL);
    assert_non_null(strstr(t, want));
    free(t);
    last = change();
    snprintf(want, sizeof want, "event: item\nid: %lld\n", last);
    t = take_until(fd, want, 5000, NULL);
    assert_non_null(strstr(t, want));
    free(t);
    close(fd);
}

/* Stopping ends streams and answers what waits, soon. */
static void *waits(void *arg)
{
    struct answer a = ask(arg, "reader", "GET", "/api/v1/worklist?at_least=99999999", "", NULL);
    answer_free(&a);
    return NULL;
}

static void test_stop_while_busy(void **state)
{
    struct world *other = world_new(""), *kept = W;
    pthread_t t;
    (void)state;
    W = other;
    int fd = open_stream(""), silent = dial(other);
    free(take_until(fd, "event: reset", 5000, NULL));
    pthread_create(&t, NULL, waits, other);
    usleep(200000);
    spd_usec from = spd_clock_monotonic();
    world_free(other);
    assert_true(spd_clock_monotonic() - from < SPD_SEC(5));
    pthread_join(t, NULL);
    close(fd);
    close(silent);
    W = kept;
}

static void test_socket_in_use(void **state)
{
    struct spd_web *second = NULL;
    struct spd_err err = {0};
    struct spd_web_listen l = {.socket = sv(W->socket)};
    struct spd_web_host host = {.size = sizeof host,
                                .self = W,
                                .board = W->board,
                                .writer = W->writer,
                                .store_url = sv(W->folder.url),
                                .listen = &l,
                                .n_listen = 1};
    (void)state;
    assert_int_equal(spd_web_start(&host, &second, &err), SPD_EXISTS);
    assert_null(second);
    l = (struct spd_web_listen){.address = sv("not an address")};
    assert_int_equal(spd_web_start(&host, &second, &err), SPD_INVALID);
    struct answer a =
        ask_on(dial_socket(W), "GET", "/healthz", "", NULL, 0); /* the first one still has it */
    assert_int_equal(a.status, 200);
    answer_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_headers_too_large),
        cmocka_unit_test(test_body_grows_too_large),
        cmocka_unit_test(test_deep_json),
        cmocka_unit_test(test_big_instance),
        cmocka_unit_test(test_slow_decoder),
        cmocka_unit_test(test_login_flood),
        cmocka_unit_test(test_bodies_together),
        cmocka_unit_test(test_silent_clients),
        cmocka_unit_test(test_drip),
        cmocka_unit_test(test_keep_alive_and_pipelining),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_heartbeat),
        cmocka_unit_test(test_many_streams),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_stop_while_busy),
        cmocka_unit_test(test_socket_in_use),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
