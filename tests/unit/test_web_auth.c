/* tests/unit/test_web_auth.c: who may come in, and as whom: login, cookie, CSRF, origin, tokens,
 * sockets, and every route of the table against every role. */
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

static struct answer login(const char *user, const char *password, const char *headers)
{
    char body[256];
    snprintf(body, sizeof body, "{\"user\":\"%s\",\"password\":\"%s\"}", user, password);
    return ask(W, "", "POST", "/api/v1/session", headers, body);
}

static void session(char cookie[256], char csrf[128])
{
    struct answer a = login("reader1", "correct horse", "");
    char set[256];
    assert_int_equal(a.status, 200);
    header_of(&a, "Set-Cookie", set, sizeof set);
    snprintf(cookie, 256, "Cookie: %.*s\r\n", (int)strcspn(set, ";"), set);
    json_t *o = json_of(&a);
    snprintf(csrf, 128, "X-CSRF-Token: %s\r\n", json_string_value(json_object_get(o, "csrf")));
    json_decref(o);
    answer_free(&a);
}

static void test_login(void **state)
{
    struct answer a = login("reader1", "correct horse", "");
    char set[256];
    (void)state;
    header_of(&a, "Set-Cookie", set, sizeof set);
    assert_non_null(strstr(set, "spoed="));
    assert_null(strstr(set, "__Host-")); /* plain http: browsers would refuse it */
    assert_non_null(strstr(set, "; Secure"));
    assert_non_null(strstr(set, "HttpOnly"));
    assert_non_null(strstr(set, "SameSite=Strict"));
    assert_non_null(strstr(a.body, "\"user\":\"reader1\""));
    answer_free(&a);
    a = login("reader1", "wrong", "");
    assert_int_equal(a.status, 401);
    assert_int_equal(header_of(&a, "Set-Cookie", set, sizeof set)[0], 0);
    answer_free(&a);
    a = login("reader1", "correct horse", "Origin: https://evil.example\r\n");
    assert_int_equal(a.status, 403);
    answer_free(&a);
    a = login("nobody-here", "x", "");
    assert_int_equal(a.status, 401);
    answer_free(&a);
}

static void test_cookie_and_csrf(void **state)
{
    char cookie[256], csrf[128], headers[1024], own[64];
    (void)state;
    session(cookie, csrf);
    snprintf(own, sizeof own, "Origin: http://127.0.0.1\r\n"); /* ask() says Host: 127.0.0.1 */
    const struct {
        const char *name, *h[4];
        int status;
    } t[] = {
        {"cookie and token", {cookie, csrf, "", ""}, 200},
        {"own origin", {cookie, csrf, own, "Sec-Fetch-Site: same-origin\r\n"}, 200},
        {"no token", {cookie, "", "", ""}, 403},
        {"wrong token",
         {cookie, "X-CSRF-Token: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n", "", ""},
         403},
        {"other origin", {cookie, csrf, "Origin: http://evil.example\r\n", ""}, 403},
        {"null origin", {cookie, csrf, "Origin: null\r\n", ""}, 403},
        {"https origin", {cookie, csrf, "Origin: https://127.0.0.1\r\n", ""}, 403},
        {"cross site", {cookie, csrf, "Sec-Fetch-Site: cross-site\r\n", ""}, 403},
        {"same site is not same origin", {cookie, csrf, "Sec-Fetch-Site: same-site\r\n", ""}, 403},
        {"no cookie", {"", csrf, "", ""}, 401},
        {"cookie of another name", {"Cookie: sid=1; xspoed=2\r\n", csrf, "", ""}, 401},
        {"made-up cookie",
         {"Cookie: spoed=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n", csrf, "", ""},
         401},
        {"a wrong Bearer is not made good by a cookie",
         {cookie, csrf, "Authorization: Bearer no\r\n", ""},
         401},
        {"Bearer needs no CSRF token", {"Authorization: Bearer token-reader\r\n", "", "", ""}, 200},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        snprintf(headers, sizeof headers, "%s%s%s%s", t[i].h[0], t[i].h[1], t[i].h[2], t[i].h[3]);
        struct answer a = ask(W, "", "POST", "/api/v1/items/1/claim", headers, "{}");
        if (a.status != t[i].status) print_message("%s: %d %s\n", t[i].name, a.status, a.body);
        assert_int_equal(a.status, t[i].status);
        answer_free(&a);
    }
    snprintf(headers, sizeof headers, "%s%s", cookie, csrf);
    struct answer a =
        ask(W, "", "GET", "/api/v1/session", cookie, NULL); /* a reload asks for its token */
    assert_non_null(strstr(a.body, "\"csrf\":\""));
    answer_free(&a);
    a = ask(W, "", "DELETE", "/api/v1/session", headers, NULL);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    a = ask(W, "", "GET", "/api/v1/worklist", cookie, NULL);
    assert_int_equal(a.status, 401);
    answer_free(&a);
}

/* With a session the link's form carries the token of the session; a forged form acts as nobody. */
static void test_link_with_session(void **state)
{
    char cookie[256], csrf[128], headers[512], body[256];
    (void)state;
    session(cookie, csrf);
    snprintf(headers, sizeof headers, "%sContent-Type: application/x-www-form-urlencoded\r\n",
             cookie);
    struct answer a = ask(W, "", "POST", "/a/TOKENTOKENTOKENTOKEN2", headers, "note=x");
    assert_int_equal(a.status, 401);
    answer_free(&a);
    a = ask(W, "", "GET", "/a/TOKENTOKENTOKENTOKEN2", cookie, NULL);
    char *field = strstr(a.body, "name=\"csrf\" value=\"");
    assert_non_null(field);
    snprintf(body, sizeof body, "note=x&csrf=%.*s", (int)strcspn(field + 19, "\""), field + 19);
    answer_free(&a);
    a = ask(W, "", "POST", "/a/TOKENTOKENTOKENTOKEN2", headers, body);
    assert_int_equal(a.status, 303);
    answer_free(&a);
    pthread_mutex_lock(&W->lock);
    assert_string_equal(W->last_by, "reader1");
    pthread_mutex_unlock(&W->lock);
}

static void concrete(const char *pattern, char *to, size_t n)
{
    size_t k = 0;
    while (*pattern && k + 32 < n) {
        if (*pattern != '{') {
            to[k++] = *pattern++;
            continue;
        }
        k +=
            (size_t)snprintf(to + k, n - k, "%s", strncmp(pattern, "{id}", 4) == 0 ? "1" : "ich-a");
        pattern = strchr(pattern, '}') + 1;
    }
    to[k] = 0;
}

/* 401 without a login, 403 exactly where the table does not name the role. */
static void test_every_route_and_role(void **state)
{
    static const char *const roles[] = {"",        "reader", "reporter", "clinician",
                                        "manager", "admin",  "hook"};
    size_t asked = 0, bad = 0;
    (void)state;
    for (size_t i = 0; i < spd_web_n_routes; i++) {
        const struct spd_web_route *r = &spd_web_routes[i];
        char path[128];
        if (r->roles & SPD_ROLE_PUBLIC || strcmp(r->path, "/api/v1/stream") == 0) continue;
        concrete(r->path, path, sizeof path);
        for (size_t k = 0; k < 7; k++) {
            struct answer a =
                ask(W, roles[k], r->method, path,
                    r->body == SPD_BODY_DICOM ? "Content-Type: application/dicom\r\n" : "",
                    r->body == SPD_BODY_JSON ? "{}" : NULL);
            bool may = k && (r->roles & spd_web_roles(sv(roles[k])));
            bool ok = k == 0 ? a.status == 401
                      : may  ? a.status != 401 && a.status != 403 && a.status < 500 && a.status
                             : a.status == 403;
            if (!ok)
                print_message("%s %s as \"%s\": %d %s\n", r->method, path, roles[k], a.status,
                              a.body),
                    bad++;
            answer_free(&a);
            asked++;
        }
    }
    print_message("%zu route and role pairs\n", asked);
    assert_int_equal(bad, 0);
}

static void test_slow_down(void **state)
{
    int last = 0;
    char wait[16];
    (void)state;
    for (int i = 0; i < 7; i++) {
        struct answer a = login("manager1", "wrong", "");
        last = a.status;
        header_of(&a, "Retry-After", wait, sizeof wait);
        answer_free(&a);
        if (last == 429) break;
        assert_int_equal(last, 401);
    }
    assert_int_equal(last, 429);
    assert_true(wait[0] >= '1');
    struct answer a = login("reader1", "correct horse", ""); /* another user is not kept out */
    assert_int_equal(a.status, 200);
    answer_free(&a);
    sleep(2);
    a = login("manager1", "correct horse", ""); /* nor is this one, for good */
    assert_int_equal(a.status, 200);
    answer_free(&a);
}

static void test_https_site(void **state)
{
    struct world *plain = W;
    char set[256], cookie[256], csrf[128], headers[512];
    (void)state;
    W = world_new("https://spoed.example/x");
    struct answer a = login("reader1", "correct horse", "Origin: https://spoed.example\r\n");
    assert_int_equal(a.status, 200);
    header_of(&a, "Set-Cookie", set, sizeof set);
    assert_non_null(strstr(set, "__Host-spoed="));
    assert_non_null(strstr(set, "; Secure"));
    assert_non_null(strcasestr(a.head, "Strict-Transport-Security"));
    answer_free(&a);
    a = login("reader1", "correct horse", "Origin: http://127.0.0.1\r\n");
    assert_int_equal(a.status, 403);
    answer_free(&a);
    session(cookie, csrf);
    snprintf(headers, sizeof headers, "%s%sOrigin: https://spoed.example\r\n", cookie, csrf);
    a = ask(W, "", "POST", "/api/v1/items/1/claim", headers, "{}");
    assert_int_equal(a.status, 200);
    answer_free(&a);
    world_free(W);
    W = plain;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_cookie_and_csrf),
        cmocka_unit_test(test_link_with_session),
        cmocka_unit_test(test_every_route_and_role),
        cmocka_unit_test(test_slow_down),
        cmocka_unit_test(test_https_site),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
