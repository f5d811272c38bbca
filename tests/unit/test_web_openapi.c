/* tests/unit/test_web_openapi.c: openapi.json says what the route table says, both ways: paths,
 * methods, roles, bodies. Every reference in it exists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>

#include "web/web_int.h"

static json_t *doc;

static int setup(void **state)
{
    json_error_t e;
    (void)state;
    doc = json_load_file(SPOED_SOURCE_DIR "/src/web/openapi.json", JSON_REJECT_DUPLICATES, &e);
    if (!doc) print_message("openapi.json:%d: %s\n", e.line, e.text);
    return doc ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(doc);
    return 0;
}

static json_t *operation(const struct spd_web_route *r)
{
    char method[16] = "";
    for (size_t i = 0; r->method[i]; i++)
        method[i] = (char)tolower(r->method[i]);
    return json_object_get(json_object_get(json_object_get(doc, "paths"), r->path), method);
}

static void test_every_route_is_described(void **state)
{
    (void)state;
    for (size_t i = 0; i < spd_web_n_routes; i++) {
        const struct spd_web_route *r = &spd_web_routes[i];
        json_t *op = operation(r), *roles = json_object_get(op, "x-roles");
        unsigned bits = 0;
        if (!op) print_message("not in openapi.json: %s %s\n", r->method, r->path);
        assert_non_null(op);
        assert_string_equal(json_string_value(json_object_get(op, "summary")), r->doc);
        for (size_t k = 0; k < json_array_size(roles); k++)
            bits |= spd_web_roles(spd_sv_from(json_string_value(json_array_get(roles, k))));
        if (!roles) bits = SPD_ROLE_PUBLIC;
        if (bits != r->roles) print_message("other roles: %s %s\n", r->method, r->path);
        assert_int_equal(bits, r->roles);
        assert_int_equal(json_object_get(op, "requestBody") != NULL, r->body != SPD_BODY_NONE);
    }
}

static void test_everything_described_is_a_route(void **state)
{
    const char *path, *method;
    json_t *ops, *op;
    (void)state;
    json_object_foreach(json_object_get(doc, "paths"), path, ops)
    {
        json_object_foreach(ops, method, op)
        {
            size_t found = 0;
            for (size_t i = 0; i < spd_web_n_routes; i++)
                found += strcmp(spd_web_routes[i].path, path) == 0 &&
                         strcasecmp(spd_web_routes[i].method, method) == 0;
            if (found != 1) print_message("%zu routes for %s %s\n", found, method, path);
            assert_int_equal(found, 1);
        }
    }
}

static void references(json_t *v)
{
    const char *k;
    json_t *m;
    size_t i;
    if (json_is_array(v)) {
        json_array_foreach(v, i, m) references(m);
        return;
    }
    json_object_foreach(v, k, m)
    {
        static const char start[] = "#/components/schemas/";
        references(m);
        if (strcmp(k, "$ref")) continue;
        assert_int_equal(strncmp(json_string_value(m), start, sizeof start - 1), 0);
        assert_non_null(
            json_object_get(json_object_get(json_object_get(doc, "components"), "schemas"),
                            json_string_value(m) + sizeof start - 1));
    }
}

static void test_references(void **state)
{
    (void)state;
    references(doc);
    assert_string_equal(json_string_value(json_object_get(doc, "openapi")), "3.1.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route_is_described),
        cmocka_unit_test(test_everything_described_is_a_route),
        cmocka_unit_test(test_references),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
