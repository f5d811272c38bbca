/* Drafts: chosen by study, always saying what they rest on; the installed templates equal the
 * compiled ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "report/report.h"

#define SHARE SPOED_SOURCE_DIR "/packaging/share/templates"

static const spd_sv models[] = {SPD_SV("Chest Normal 1.0"), SPD_SV("Chest Film 5.2")};

static struct spd_item film(const char *modality, const char *body_part)
{
    static struct spd_code code = {SPD_SV("THX"), SPD_SV("L"), SPD_SV("X-thorax PA + lateraal")};
    struct spd_item item = {.modality = spd_sv_from(modality), .body_part = spd_sv_from(body_part)};
    item.procedures.v = &code, item.procedures.n = 1;
    return item;
}

static void test_choice(void **state)
{
    static const struct {
        const char *name, *modality, *body_part;
        enum spd_rc rc;
    } rows[] = {{"digital chest film", "DX", "CHEST", SPD_OK},
                {"computed chest film, lower case", "cr", "chest", SPD_OK},
                {"chest CT has no template", "CT", "CHEST", SPD_NOTFOUND},
                {"knee film has no template", "DX", "KNEE", SPD_NOTFOUND},
                {"body part unknown", "DX", "", SPD_UNKNOWN},
                {"modality unknown", "", "CHEST", SPD_UNKNOWN}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_arena *arena = spd_arena_new(1 << 20);
        struct spd_item item = film(rows[i].modality, rows[i].body_part);
        spd_sv text = SPD_SV_NONE;
        enum spd_rc rc =
            spd_report_draft(spd_templates_default(), &item, models, 2, true, arena, &text);
        if (rc != rows[i].rc) fail_msg("%s: %s", rows[i].name, spd_rc_name(rc));
        spd_arena_free(arena);
    }
}

static void test_text(void **state)
{
    struct spd_arena *arena = spd_arena_new(1 << 20);
    struct spd_item item = film("DX", "CHEST");
    spd_sv nl, en, again;
    (void)state;
    assert_int_equal(spd_report_draft(spd_templates_default(), &item, models, 2, true, arena, &nl),
                     SPD_OK);
    assert_int_equal(spd_report_draft(spd_templates_default(), &item, models, 2, false, arena, &en),
                     SPD_OK);
    assert_int_equal(
        spd_report_draft(spd_templates_default(), &item, models, 2, false, arena, &again), SPD_OK);
    assert_true(spd_sv_eq(en, again));
    assert_true(spd_sv_starts(nl, SPD_SV("X-thorax PA + lateraal\n")));
    assert_true(spd_sv_find(nl, SPD_SV("Niet vergeleken met eerder onderzoek."), NULL));
    assert_true(spd_sv_find(en, SPD_SV("Not compared with earlier studies."), NULL));
    assert_true(spd_sv_find(nl, SPD_SV("Chest Normal 1.0 en Chest Film 5.2."), NULL));
    assert_true(spd_sv_find(en, SPD_SV("Chest Normal 1.0 and Chest Film 5.2."), NULL));
    assert_true(spd_sv_find(en, SPD_SV("only what it was made for"), NULL));
    assert_false(spd_sv_find(nl, SPD_SV("{"), NULL));
    item.procedures.n = 0;
    assert_int_equal(spd_report_draft(spd_templates_default(), &item, models, 1, true, arena, &nl),
                     SPD_OK);
    assert_true(spd_sv_starts(nl, SPD_SV("DX CHEST\n")));
    spd_arena_free(arena);
}

static void test_installed_equals_compiled(void **state)
{
    struct spd_templates *t = NULL;
    const struct spd_templates *d = spd_templates_default();
    struct spd_err err = {0};
    (void)state;
    if (spd_templates_load(SHARE, &t, &err)) fail_msg("%s: %s", err.place, err.text);
    assert_int_equal(spd_templates_n(t), spd_templates_n(d));
    for (size_t i = 0; i < spd_templates_n(d); i++) {
        assert_true(spd_sv_eq(spd_templates_id(t, i), spd_templates_id(d, i)));
        assert_true(spd_sv_eq(spd_templates_text(t, i, true), spd_templates_text(d, i, true)));
        assert_true(spd_sv_eq(spd_templates_text(t, i, false), spd_templates_text(d, i, false)));
    }
    spd_templates_free(t);
}

static void put(const char *dir, const char *name, const char *text)
{
    char path[512];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_refused(void **state)
{
    static const char good[] = "{models} {priors} {coverage}\n";
    static const struct {
        const char *name, *map, *en, *nl, *complaint;
    } rows[] = {{"unknown key", "templates: [{id: x, modality: CR, bodypart: CHEST}]", good, good,
                 "did you mean \"body_part\""},
                {"no body part", "templates: [{id: x, modality: CR}]", good, good,
                 "needs modality and body_part"},
                {"path in the id", "templates: [{id: ../x, modality: CR, body_part: CHEST}]", good,
                 good, "an id is"},
                {"unknown placeholder", "templates: [{id: x, modality: CR, body_part: CHEST}]",
                 good, "{models} {priors} {coverage}\n{name}", "unknown placeholder"},
                {"does not say what it rests on",
                 "templates: [{id: x, modality: CR, body_part: CHEST}]", "normal", good,
                 "{models} is missing"},
                {"no text", "templates: [{id: y, modality: CR, body_part: CHEST}]", good, good,
                 "cannot open"}};
    char dir[] = "/tmp/spoed-templates-XXXXXX", command[600];
    (void)state;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_templates *t = NULL;
        struct spd_err err = {0};
        put(dir, "templates.yaml", rows[i].map);
        put(dir, "x.en.txt", rows[i].en);
        put(dir, "x.nl.txt", rows[i].nl);
        if (!spd_templates_load(dir, &t, &err)) fail_msg("%s: accepted", rows[i].name);
        if (!strstr(err.text, rows[i].complaint))
            fail_msg("%s: said %s: %s", rows[i].name, err.place, err.text);
    }
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"templates.yaml", "x.en.txt", "x.nl.txt"};
        snprintf(command, sizeof command, "%s/%s", dir, names[i]);
        unlink(command);
    }
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_choice), cmocka_unit_test(test_text),
                                       cmocka_unit_test(test_installed_equals_compiled),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
