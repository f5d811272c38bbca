/* tests/unit/test_client_http.c: the small HTTP client against servers that answer well, badly, late or not. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/http.h"

struct server { /* answers one connection, byte for byte */
    char path[108];
    int fd;
    const char *answer;
    useconds_t delay;
    char got[4096];
    pthread_t thread;
};

static void *serve(void *arg)
{
    struct server *s = arg;
    int fd = accept(s->fd, NULL, NULL);
    ssize_t n = recv(fd, s->got, sizeof s->got - 1, 0);
    s->got[n > 0 ? n : 0] = 0;
    usleep(s->delay);
    if (s->answer) send(fd, s->answer, strlen(s->answer), MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static void start(struct server *s, const char *answer, useconds_t delay)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    *s = (struct server){.answer = answer, .delay = delay};
    snprintf(s->path, sizeof s->path, "/tmp/spoed-http-%ld.sock", (long)getpid());
    unlink(s->path);
    memcpy(a.sun_path, s->path, sizeof a.sun_path);
    s->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->fd, 1), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(struct server *s)
{
    pthread_join(s->thread, NULL);
    close(s->fd);
    unlink(s->path);
}

static void answers(void **state)
{
    static const struct {
        const char *name, *answer;
        useconds_t delay;
        enum spd_rc rc;
        int status;
        const char *body;
    } rows[] = {
        {"with a length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 0, SPD_OK, 200, "{}"},
        {"length in other letters", "HTTP/1.0 404 No\r\ncontent-length:  3 \r\n\r\nabc", 0, SPD_OK, 404, "abc"},
        {"without a length", "HTTP/1.0 200 OK\r\nX: y\r\n\r\nhello", 0, SPD_OK, 200, "hello"},
        {"no body", "HTTP/1.0 204 No\r\n\r\n", 0, SPD_OK, 204, ""},
        {"cut off", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}", 0, SPD_UNKNOWN, 0, ""},
        {"no end of the head", "HTTP/1.1 200 OK\r\nContent-Le", 0, SPD_PROTO, 0, ""},
        {"not HTTP", "220 mail.example.org ESMTP\r\n\r\n", 0, SPD_PROTO, 0, ""},
        {"no status", "HTTP/1.1 abc OK\r\n\r\n", 0, SPD_PROTO, 0, ""},
        {"nothing", "", 0, SPD_UNKNOWN, 0, ""},
        {"too late", "HTTP/1.0 200 OK\r\n\r\n", 400000, SPD_UNKNOWN, 0, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct server s;
        struct spd_http_target t = {.socket = s.path, .total_timeout = 150000};
        struct spd_str body = SPD_STR_INIT(1000);
        int status = 0;
        enum spd_rc rc;
        start(&s, rows[i].answer, rows[i].delay);
        rc = spd_http_call(&t, "GET", "/readyz", NULL, SPD_SV_NONE, &status, &body, NULL);
        stop(&s);
        if (rc != rows[i].rc) fail_msg("%s: %s", rows[i].name, spd_rc_name(rc));
        if (status != rows[i].status) fail_msg("%s: status %d", rows[i].name, status);
        if (!spd_sv_is(spd_str_sv(&body), rows[i].body)) fail_msg("%s: another body", rows[i].name);
        spd_str_done(&body);
    }
}

static void the_request(void **state)
{
    struct server s;
    struct spd_http_target t = {.socket = s.path, .token = "tok"};
    struct spd_str body = SPD_STR_INIT(4);
    int status = 0;
    (void)state;
    start(&s, "HTTP/1.0 200 OK\r\n\r\n12345678", 0);
    assert_int_equal(spd_http_call(&t, "POST", "/api/v1/users", NULL, SPD_SV("{\"a\":1}"), &status, &body, NULL), SPD_LIMIT);
    stop(&s);
    assert_non_null(strstr(s.got, "POST /api/v1/users HTTP/1.0\r\n"));
    assert_non_null(strstr(s.got, "Authorization: Bearer tok\r\n"));
    assert_non_null(strstr(s.got, "Content-Length: 7\r\n"));
    spd_str_done(&body);
}

static void what_is_never_sent(void **state)
{
    static const struct {
        const char *name;
        struct spd_http_target target;
        const char *path;
        enum spd_rc rc;
    } rows[] = {
        {"nobody listens", {.socket = "/tmp/spoed-no-such.sock"}, "/", SPD_AGAIN},
        {"line end in the path", {.socket = "/tmp/spoed-no-such.sock"}, "/a\r\nX: y", SPD_INVALID},
        {"blank in the token", {.socket = "/tmp/spoed-no-such.sock", .token = "a b"}, "/", SPD_INVALID},
        {"a name for an address", {.host = "localhost", .port = 80}, "/", SPD_INVALID},
        {"no port", {.host = "127.0.0.1"}, "/", SPD_INVALID},
        {"nowhere", {0}, "/", SPD_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_str body = SPD_STR_INIT(1000);
        int status = 0;
        enum spd_rc rc = spd_http_call(&rows[i].target, "GET", rows[i].path, NULL, SPD_SV_NONE, &status, &body, NULL);
        if (rc != rows[i].rc) fail_msg("%s: %s", rows[i].name, spd_rc_name(rc));
        spd_str_done(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers), cmocka_unit_test(the_request), cmocka_unit_test(what_is_never_sent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
