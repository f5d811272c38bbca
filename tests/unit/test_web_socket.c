/* tests/unit/test_web_socket.c: WebSockets of UPS subscribers against a running server: everything
 * missed comes without anything new happening, and a client that floods or does not read keeps
 * nobody else waiting. Frames themselves: test_web_ws.c. */
#define _GNU_SOURCE
#include "web_world.h"

#include <sys/resource.h>

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

/* A WebSocket for that AE title; more: frames that come along with the handshake. */
static int subscribe(const char *ae, const char *more, size_t n)
{
    int fd = dial(W);
    char head[512];
    int h = snprintf(head, sizeof head,
                     "GET /dicom-web/subscribers/%s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                     "Authorization: Bearer token-reader\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                     ae);
    memcpy(head + h, more, n);
    give(fd, head, (size_t)h + n);
    return fd;
}

static void hello(int fd)
{
    char *text = take_until(fd, "\r\n\r\n", 10000, NULL);
    assert_int_equal(strncmp(text, "HTTP/1.1 101", 12), 0);
    free(text);
}

static void many(int64_t n)
{
    pthread_mutex_lock(&W->lock);
    W->ups_events = n;
    pthread_mutex_unlock(&W->lock);
}

/* Reads frames until the event of that number has come; at most ms. */
static bool comes(int fd, int number, int ms)
{
    static const size_t CAP = 4 << 20;
    char *all = calloc(1, CAP), want[32];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    spd_usec until = spd_clock_monotonic() + (spd_usec)ms * 1000;
    size_t n = 0;
    bool found = false;
    snprintf(want, sizeof want, "{\"event\":%d,", number);
    while (!found && n < CAP && spd_clock_monotonic() < until) {
        if (poll(&p, 1, 50) <= 0) continue;
        ssize_t k = recv(fd, all + n, CAP - n, 0);
        if (k <= 0) break;
        size_t from = n > 32 ? n - 32 : 0;
        n += (size_t)k;
        found = memmem(all + from, n - from, want, strlen(want)) != NULL;
    }
    free(all);
    return found;
}

/* More than is asked of the host at once, and nothing is published meanwhile. */
static void test_all_that_was_missed(void **state)
{
    (void)state;
    many(1000);
    int fd = subscribe("AWAY", "", 0);
    hello(fd);
    assert_true(comes(fd, 1000, 5000));
    close(fd);
}

/* A ping in the packet of the handshake is answered. */
static void test_ping_with_the_handshake(void **state)
{
    (void)state;
    many(0);
    int fd = subscribe("EARLY", "\x89\x82\x01\x02\x03\x04\x69\x6b", 8);
    char *text = take_until(fd, "\x8a\x02hi", 10000, NULL);
    assert_non_null(strstr(text, "\x8a\x02hi"));
    free(text);
    close(fd);
}

struct flood {
    int fd;
    bool reads;
    int stop;
};

/* Pings of 125 bytes without end; the answers are read, or not. */
static void *flooding(void *arg)
{
    struct flood *f = arg;
    static char pings[131 * 500];
    char answers[65536];
    for (size_t i = 0; i < 500; i++) {
        memset(pings + i * 131, 'x', 131);
        memcpy(pings + i * 131, "\x89\xfd\0\0\0\0", 6);
    }
    size_t at = 0;
    while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
        ssize_t n = send(f->fd, pings + at, sizeof pings - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) at = (at + (size_t)n) % sizeof pings;
        if (f->reads)
            while (recv(f->fd, answers, sizeof answers, MSG_DONTWAIT) > 0) {
            }
        if (n < 0) usleep(200);
    }
    return NULL;
}

static double cpu_seconds(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)r.ru_utime.tv_sec + (double)r.ru_stime.tv_sec +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void test_a_flood_costs_its_sender(void **state)
{
    static struct flood floods[] = {{-1, true, 0}, {-1, true, 0}, {-1, false, 0}};
    pthread_t threads[3];
    (void)state;
    many(0);
    int honest = subscribe("HONEST", "", 0);
    hello(honest);
    for (int i = 0; i < 3; i++) {
        floods[i].fd = subscribe("FLOOD", "", 0);
        hello(floods[i].fd);
        assert_int_equal(pthread_create(&threads[i], NULL, flooding, &floods[i]), 0);
    }
    usleep(300000);
    many(1);
    spd_board_publish(W->board, 11, WORLD_START, true);
    bool came = comes(honest, 1, 5000);
    for (int i = 0; i < 3; i++) {
        __atomic_store_n(&floods[i].stop, 1, __ATOMIC_RELAXED);
        pthread_join(threads[i], NULL);
    }
    /* The silent reader's line is full both ways: waiting for it takes no time. */
    double before = cpu_seconds();
    usleep(1000000);
    double used = cpu_seconds() - before;
    for (int i = 0; i < 3; i++)
        close(floods[i].fd);
    close(honest);
    assert_true(came);
    print_message("%.2f s of processor time in a second of waiting\n", used);
    assert_true(used < 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_that_was_missed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ping_with_the_handshake, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_flood_costs_its_sender, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
