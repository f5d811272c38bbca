/* tests/suites/hl7/<case>/: input.hl7 must become the event in expect.json. peer.txt (optional)
 * changes the peer: "roles: orders adt reports results", "charset: NAME", "msh_5: X", "on_unusable:
 * AR", "word: W done". map.yaml (optional) is the peer's field map. `test_hl7map_suites --bless`
 * rewrites expect.json: read the difference before committing it. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/source.h"
#include "hl7/map/map.h"

#define SUITE SPOED_SOURCE_DIR "/tests/suites/hl7"

static bool bless;

static bool lookup(void *ctx, spd_sv code, struct hl7_procedure *ret)
{
    (void)ctx;
    if (!spd_sv_is(code, "CTHERS")) return false;
    *ret = (struct hl7_procedure){code, SPD_SV("CT"), SPD_SV("HEAD"), SPD_SV("head")};
    return true;
}

/* As the code tables of result/ would answer. */
static bool finding(void *ctx, const struct spd_code *code, spd_sv *ret)
{
    (void)ctx;
    bool ich = spd_sv_is(code->code, "1386000");
    *ret = ich                                  ? SPD_SV("intracranial-hemorrhage")
           : spd_sv_is(code->code, "260413007") ? SPD_SV("status:absent")
                                                : SPD_SV_NONE;
    return ret->len && (!ich || spd_sv_is(code->text, "Intracranial hemorrhage"));
}

static bool place(void *ctx, const struct spd_code *code, spd_sv *ret_site, spd_sv *ret_laterality)
{
    (void)ctx;
    if (!spd_sv_is(code->code, "12738006")) return false;
    *ret_site = SPD_SV("brain"), *ret_laterality = SPD_SV_NONE;
    return true;
}

static void set_option(struct hl7_map_options *o, spd_sv key, spd_sv value,
                       struct hl7_status_word *word)
{
    if (spd_sv_is(key, "roles")) {
        o->orders = spd_sv_find(value, SPD_SV("orders"), NULL),
        o->adt = spd_sv_find(value, SPD_SV("adt"), NULL);
        o->reports = spd_sv_find(value, SPD_SV("reports"), NULL),
        o->results = spd_sv_find(value, SPD_SV("results"), NULL);
    } else if (spd_sv_is(key, "charset")) {
        o->charset = value;
    } else if (spd_sv_is(key, "msh_5")) {
        o->msh_5 = value;
    } else if (spd_sv_is(key, "on_unusable")) {
        o->on_unusable = (enum spd_answer)spd_enum_from(spd_answer_names, value);
    } else if (spd_sv_is(key, "word")) {
        size_t at;
        assert_true(spd_sv_find(value, SPD_SV(" "), &at));
        *word = (struct hl7_status_word){.word = spd_sv_of(value.ptr, at), .exam_done = true};
        o->words = word, o->n_words = 1;
    } else {
        fail_msg("peer.txt: %.*s", SPD_SV_ARG(key));
    }
}

static void read_peer(const char *dir, struct hl7_map_options *o, struct hl7_status_word *word,
                      struct spd_arena *arena)
{
    char path[1024];
    struct spd_source src;
    size_t nl, colon;
    snprintf(path, sizeof path, "%s/peer.txt", dir);
    if (spd_source_read(path, 1 << 16, &src, arena, NULL) != SPD_OK) return;
    while (spd_sv_find(src.text, SPD_SV("\n"), &nl)) {
        spd_sv line = spd_sv_of(src.text.ptr, nl);
        src.text = spd_sv_of(src.text.ptr + nl + 1, src.text.len - nl - 1);
        assert_true(spd_sv_find(line, SPD_SV(": "), &colon));
        set_option(o, spd_sv_of(line.ptr, colon),
                   spd_sv_of(line.ptr + colon + 2, line.len - colon - 2), word);
    }
}

/* The event as indented JSON; the raw bytes are left out (they are input.hl7). */
static char *event_text(struct spd_event *e)
{
    struct spd_str s = SPD_STR_INIT(1 << 20);
    struct spd_message_in *m = spd_event_message(e);
    m->raw = SPD_SV_NONE;
    spd_str_addf(
        &s, "{\"event\": \"%s\", \"payload\": ", spd_enum_name(spd_event_type_names, (int)e->type));
    spd_desc_json(spd_event_desc(e->type), e->u.any, &s);
    spd_str_addc(&s, '}');
    json_t *j = json_loadb(s.ptr, s.len, 0, NULL);
    assert_non_null(j);
    char *text = json_dumps(j, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    json_decref(j);
    spd_str_done(&s);
    return text;
}

static bool run_case(const char *name)
{
    char dir[600], path[1024];
    struct spd_source in, want = {0}, map;
    struct spd_err err = {0};
    struct hl7_status_word word;
    struct spd_event e;
    struct hl7_map_options o = {.peer = SPD_SV("ris"),
                                .orders = true,
                                .adt = true,
                                .reports = true,
                                .patient_authority = SPD_SV("ZH"),
                                .accession_issuer = SPD_SV("ZH"),
                                .zone = spd_zone_get("Europe/Amsterdam"),
                                .on_unusable = SPD_ANSWER_AA,
                                .now = SPD_SEC((spd_usec)1780000000),
                                .procedure = lookup,
                                .finding = finding,
                                .place = place};
    struct spd_arena *arena = spd_arena_new(1 << 26);
    snprintf(dir, sizeof dir, SUITE "/%s", name);
    snprintf(path, sizeof path, "%s/input.hl7", dir);
    assert_int_equal(spd_source_read(path, 1 << 20, &in, arena, NULL), SPD_OK);
    read_peer(dir, &o, &word, arena);
    snprintf(path, sizeof path, "%s/map.yaml", dir);
    if (spd_source_read(path, 1 << 20, &map, arena, NULL) == SPD_OK &&
        hl7_site_load(&map, &o.map, &err) != SPD_OK)
        fail_msg("%s: %s", err.place, err.text);
    hl7_map_in(in.text, &o, &e, arena);
    hl7_site_unref(o.map); /* nothing of the map may be in the event */
    assert_true(spd_sv_eq(spd_event_message(&e)->raw, in.text));
    char *got = event_text(&e);
    snprintf(path, sizeof path, "%s/expect.json", dir);
    if (bless) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fprintf(f, "%s\n", got);
        fclose(f);
    }
    bool ok = spd_source_read(path, 1 << 20, &want, arena, NULL) == SPD_OK &&
              spd_sv_is(spd_sv_trim(want.text), got);
    if (!ok) printf("%s:\n%s\n", name, got);
    free(got);
    spd_arena_free(arena);
    return ok;
}

static void every_case(void **state)
{
    size_t n = 0, bad = 0;
    const char *only = getenv("SPOED_CASE"); /* tests/run PATH */
    DIR *d = opendir(SUITE);
    (void)state;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.' || e->d_type == DT_REG || (only && strcmp(only, e->d_name)))
            continue;
        n++;
        bad += !run_case(e->d_name);
    }
    closedir(d);
    printf("%zu cases, %zu wrong\n", n, bad);
    assert_true(only ? n == 1 : n >= 60);
    assert_int_equal(bad, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};
    bless = argc > 1 && !strcmp(argv[1], "--bless");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
