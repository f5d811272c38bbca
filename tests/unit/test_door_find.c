/* tests/unit/test_door_find.c: both worklists: which rows answer which keys, what an answer holds, and what is
 * refused. Matching rows by name; the answer's bytes are read back by our own scanner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "door/find.h"
#include "result/dcm.h"

#define SPS 0x00400100u

static struct spd_board *board;
static const struct spd_zone *zone;

/* id, acquired, level, accession, name, modality, scheduled (local 2026-03-01 10:00 plus id hours), study */
static void put(int64_t id, bool acquired, int level, const char *level_name, const char *accession, const char *name,
                const char *modality, const char *study, enum spd_reading_axis reading)
{
    struct spd_view v = {0};
    char pid[16];
    snprintf(pid, sizeof pid, "ZZ%d", (int)id);
    struct spd_cx id_cx = {.value = spd_sv_from(pid), .authority = SPD_SV("ZH")};
    struct spd_code p = {.code = SPD_SV("CTHERS"), .scheme = SPD_SV("L"), .text = SPD_SV("CT hersenen")};
    spd_sv uid = spd_sv_from(study);
    struct spd_reason why = {.rule = SPD_SV("r"), .nl = SPD_SV("bloeding door AI gezien"), .en = SPD_SV("x")};
    v.item = (struct spd_item){.id = id, .modality = spd_sv_from(modality), .order = SPD_ORDER_ACTIVE, .level = level,
                               .arrived = SPD_SEC(id), .images = acquired ? SPD_IMAGES_COMPLETE : SPD_IMAGES_NONE,
                               .reading = reading, .report = SPD_REPORT_NONE, .station_ae = SPD_SV("CT1")};
    v.item.accession = (struct spd_cx){spd_sv_from(accession), SPD_SV("ZH")};
    v.item.placer = (struct spd_cx){SPD_SV("PL1"), SPD_SV("EPD")};
    v.item.patient.name = spd_sv_from(name), v.item.patient.birth_date = SPD_SV("19500102"), v.item.patient.sex = SPD_SV("F");
    v.item.patient.ids.v = &id_cx, v.item.patient.ids.n = 1;
    v.item.procedures.v = &p, v.item.procedures.n = 1;
    v.item.reasons.v = &why, v.item.reasons.n = 1;
    if (*study) v.item.study_uids.v = &uid, v.item.study_uids.n = 1;
    v.item.scheduled = v.item.created = spd_zone_to_utc(zone, 2026, 3, 1, 10 + (int)id, 0, 0, 0);
    v.status = spd_item_status(&v.item), v.level_name = spd_sv_from(level_name), v.on_modality_list = !acquired;
    v.exam_at = acquired ? v.item.scheduled : 0;
    spd_board_put(board, &v, 7);
}

static int setup(void **state)
{
    (void)state;
    zone = spd_zone_get("Europe/Amsterdam");
    board = spd_board_new();
    put(1, true, 4, "routine", "ACC1", "Jansen, Piet", "CT", "1.2.3.1", SPD_READING_UNREAD);
    put(2, true, 1, "critical", "ACC2", "Óbidos, María", "CT", "1.2.3.2", SPD_READING_UNREAD);
    put(3, true, 2, "urgent", "ACC3", "Jansen, Klaas", "DX", "", SPD_READING_UNREAD);
    put(4, false, 4, "routine", "ACC4", "de Vries, Anna", "CT", "", SPD_READING_UNREAD);
    put(5, false, 3, "expedited", "", "Jansen, Piet", "MR", "1.2.3.5", SPD_READING_UNREAD);
    put(6, true, 1, "critical", "ACC6", "Jansen, Joris", "CT", "", SPD_READING_CLAIMED); /* being read: on neither list */
    spd_board_publish(board, 7, SPD_SEC(1), true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    spd_board_free(board);
    return 0;
}

struct got { int64_t id[16]; size_t n, stop_after; };
static bool take(void *ctx, const struct spd_row *row)
{
    struct got *g = ctx;
    if (g->n < 16) g->id[g->n++] = row->view.item.id;
    return !g->stop_after || g->n < g->stop_after;
}

#define ACC 0x00080050
#define NAME 0x00100010
static const struct row {
    const char *name;
    bool reporting;
    struct { uint32_t path[2]; const char *value; } key[3];
    const char *ids; /* in order */
} rows[] = {
    {"reporting list in rank order", true, {{{ACC}, ""}}, "2 3 1"},
    {"modality list: not acquired only", false, {{{ACC}, ""}}, "4 5"},
    {"one accession", true, {{{ACC}, "ACC1"}}, "1"},
    {"accession is case sensitive", true, {{{ACC}, "acc1"}}, ""},
    {"acquired one is not on the modality list", false, {{{ACC}, "ACC1"}}, ""},
    {"accession list", true, {{{ACC}, "ACC1\\ACC3"}}, "3 1"},
    {"accession wildcard", true, {{{ACC}, "ACC?"}}, "2 3 1"},
    {"unknown value fails a single value", false, {{{ACC}, "A*"}}, "4"},
    {"a lone star matches the unknown", false, {{{ACC}, "*"}}, "4 5"},
    {"name wildcard", true, {{{NAME}, "Jansen*"}}, "3 1"},
    {"name without case", true, {{{NAME}, "jANSEN^pIET"}}, "1"},
    {"name with trailing carets", true, {{{NAME}, "Jansen^Piet^^^"}}, "1"},
    {"name, one character of two bytes", true, {{{NAME}, "?bidos^*"}}, "2"},
    {"name: star in the middle", true, {{{NAME}, "J*n^K*s"}}, "3"},
    {"patient id", true, {{{0x00100020}, "ZZ2"}}, "2"},
    {"study uid", true, {{{0x0020000D}, "1.2.3.2"}}, "2"},
    {"uid list", true, {{{0x0020000D}, "1.2.3.1\\1.2.3.2"}}, "2 1"},
    {"uid knows no wildcard", true, {{{0x0020000D}, "1.2.3.*"}}, ""},
    {"priority", true, {{{0x00401003}, "STAT"}}, "2"},
    {"reporting priority", true, {{{0x00401009}, "HIGH"}}, "2 3"},
    {"modality in the step", false, {{{SPS, 0x00080060}, "MR"}}, "5"},
    {"day", false, {{{SPS, 0x00400002}, "20260301"}}, "4 5"},
    {"another day", false, {{{SPS, 0x00400002}, "20260302"}}, ""},
    {"days from", false, {{{SPS, 0x00400002}, "20260301-"}}, "4 5"},
    {"days until", false, {{{SPS, 0x00400002}, "-20260228"}}, ""},
    {"days between", false, {{{SPS, 0x00400002}, "20260201-20260331"}}, "4 5"},
    {"time range", false, {{{SPS, 0x00400003}, "1430-1530"}}, "5"},
    {"time to the hour", false, {{{SPS, 0x00400003}, "14"}}, "4"},
    {"station and day", false, {{{SPS, 0x00400001}, "CT1"}, {{SPS, 0x00400002}, "20260301"}}, "4 5"},
    {"two keys both hold", true, {{{NAME}, "Jansen*"}, {{SPS, 0x00080060}, "CT"}}, "1"},
    {"a key that we do not serve matches", true, {{{0x00104000}, "whatever"}, {{ACC}, "ACC1"}}, "1"},
    {"a known key that is never filled", true, {{{0x00380010}, "A1"}}, ""},
    {"birth date", true, {{{0x00100030}, "19500102"}, {{ACC}, "ACC1"}}, "1"},
};

static size_t keys_of(const struct row *r, struct spd_find_key *keys)
{
    size_t n = 0;
    for (int i = 0; i < 3 && r->key[i].path[0]; i++) {
        keys[n] = (struct spd_find_key){.depth = r->key[i].path[1] ? 2 : 1, .value = spd_sv_from(r->key[i].value)};
        keys[n].path[0] = r->key[i].path[0], keys[n++].path[1] = r->key[i].path[1];
    }
    return n;
}

static void rows_answer_as_the_keys_ask(void **state)
{
    (void)state;
    int wrong = 0;
    const struct spd_list *list = spd_board_get(board);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_find_key keys[SPD_FIND_KEYS_MAX];
        struct spd_find_query q = {rows[i].reporting, keys, keys_of(&rows[i], keys)};
        struct got g = {0};
        char ids[64] = "";
        if (spd_find_prepare(&q, NULL)) fail_msg("%s", rows[i].name);
        size_t n = spd_find_run(list, &q, zone, take, &g);
        assert_int_equal(n, g.n);
        for (size_t k = 0; k < g.n; k++) snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s%d", k ? " " : "", (int)g.id[k]);
        if (strcmp(ids, rows[i].ids) != 0) printf("%s: expected [%s], got [%s]\n", rows[i].name, rows[i].ids, ids), wrong++;
    }
    struct spd_find_query all = {.reporting = true};
    struct got one = {.stop_after = 1};
    assert_int_equal(spd_find_run(list, &all, zone, take, &one), 1); /* cancel */
    spd_list_unref(list);
    assert_int_equal(wrong, 0);
}

static spd_sv got_text(const struct spd_dcm *d, uint32_t tag) { return spd_dcm_raw(&d->set, tag); }

/* A query for one accession number, patient or study finds what a walk over all rows finds, in its order. */
struct walk { uint32_t tag; spd_sv value; struct got got; };
static bool same_value(void *ctx, const struct spd_row *row)
{
    struct walk *w = ctx;
    const struct spd_item *i = &row->view.item;
    spd_sv v = w->tag == ACC ? i->accession.value : w->tag == 0x00100020 ? i->patient.ids.v[0].value
               : i->study_uids.n ? i->study_uids.v[0] : SPD_SV_NONE;
    if (spd_sv_eq(v, w->value)) take(&w->got, row);
    return true;
}

static void a_narrowed_query_finds_what_a_walk_finds(void **state)
{
    static const uint32_t tags[] = {ACC, 0x00100020, 0x0020000D};
    struct spd_board *outer = board;
    size_t answers = 0;
    (void)state;
    board = spd_board_new();
    for (int64_t id = 1; id <= 400; id++) {
        char acc[32], study[32];
        snprintf(acc, sizeof acc, "%s%d", id % 7 ? "A" : "A-LONG-ACCESSION-", (int)(id % 60));
        snprintf(study, sizeof study, "%s%d", id % 5 ? "1.2.3." : "2.25.", (int)(id % 90));
        put(id, id % 3 != 0, 1 + (int)(id % 4), "urgent", acc, "Jansen, Piet", "CT", id % 11 ? study : "",
            id % 13 ? SPD_READING_UNREAD : SPD_READING_CLAIMED);
    }
    spd_board_publish(board, 8, SPD_SEC(1), true);
    const struct spd_list *l = spd_board_get(board);
    for (int reporting = 0; reporting < 2; reporting++)
        for (size_t t = 0; t < sizeof tags / sizeof *tags; t++)
            for (int x = 1; x <= 90; x++) {
                char value[32];
                snprintf(value, sizeof value, t == 0 ? "A%d" : t == 1 ? "ZZ%d" : x % 2 ? "1.2.3.%d" : "2.25.%d", x);
                struct spd_find_key narrow[2] = {{.path = {tags[t]}, .depth = 1, .value = spd_sv_from(value)}},
                                    all[2] = {{.path = {tags[t]}, .depth = 1}};
                struct spd_find_query q = {reporting, narrow, 1}, everything = {reporting, all, 1};
                struct walk w = {.tag = tags[t], .value = spd_sv_from(value)};
                struct got g = {.n = 0};
                assert_int_equal(spd_find_prepare(&q, NULL), SPD_OK);
                assert_int_equal(spd_find_prepare(&everything, NULL), SPD_OK);
                spd_find_run(l, &everything, zone, same_value, &w);
                size_t n = spd_find_run(l, &q, zone, take, &g);
                if (n > g.n || w.got.n == 16) continue;
                assert_int_equal(g.n, w.got.n);
                assert_memory_equal(g.id, w.got.id, g.n * sizeof *g.id);
                answers += n;
            }
    assert_true(answers > 500);
    /* A value longer than DICOM's field is found by what the answer shows of it. */
    struct spd_find_key cut[] = {{.path = {ACC}, .depth = 1, .value = SPD_SV("A-LONG-ACCESSION")}};
    struct spd_find_query q = {true, cut, 1};
    struct got g = {.n = 0};
    assert_int_equal(spd_find_prepare(&q, NULL), SPD_OK);
    assert_true(spd_find_run(l, &q, zone, take, &g) > 10);
    spd_list_unref(l);
    spd_board_free(board);
    board = outer;
}

static void an_answer_holds_the_requested_keys_only(void **state)
{
    (void)state;
    const struct spd_list *list = spd_board_get(board);
    for (int implicit = 0; implicit < 2; implicit++) {
        struct spd_find_key keys[SPD_FIND_KEYS_MAX] = {
            {.path = {0x00401003}, .depth = 1}, {.path = {ACC}, .depth = 1}, {.path = {NAME}, .depth = 1},
            {.path = {SPS}, .depth = 1, .vr = "SQ"}, {.path = {0x00380010}, .depth = 1}, {.path = {0x00104000}, .depth = 1, .vr = "LT"},
            {.path = {0x00321064}, .depth = 1, .vr = "SQ"}, {.path = {0x0020000D}, .depth = 1}, {.path = {0x00401400}, .depth = 1}};
        struct spd_find_query q = {true, keys, 9};
        struct spd_str out = SPD_STR_INIT(1 << 16);
        struct spd_arena *arena = spd_arena_new(1 << 20);
        struct spd_dcm d = {0};
        assert_int_equal(spd_find_prepare(&q, NULL), SPD_OK);
        spd_find_dataset(&q, spd_list_find(list, 2), zone, !implicit, &out);
        assert_int_equal(spd_dcm_parse_dataset(spd_str_sv(&out), implicit ? SPD_SV("1.2.840.10008.1.2") : SPD_SV("1.2.840.10008.1.2.1"), &d, arena, NULL), SPD_OK);
        assert_true(spd_sv_is(got_text(&d, 0x00080005), "ISO_IR 192"));
        assert_true(spd_sv_is(got_text(&d, ACC), "ACC2"));
        assert_true(spd_sv_is(got_text(&d, NAME), "Óbidos^María"));
        assert_true(spd_sv_is(got_text(&d, 0x00401003), "STAT"));
        assert_true(spd_sv_is(got_text(&d, 0x0020000D), "1.2.3.2"));
        assert_true(spd_sv_is(got_text(&d, 0x00401400), "bloeding door AI gezien"));
        const struct spd_dcm_elem *empty = spd_dcm_find(&d.set, 0x00380010);
        assert_true(empty && !empty->value.len);
        assert_non_null(spd_dcm_find(&d.set, 0x00104000));
        assert_null(spd_dcm_find(&d.set, 0x00100020));
        const struct spd_dcm_set *step = spd_dcm_item(&d.set, SPS), *code = spd_dcm_item(&d.set, 0x00321064);
        assert_true(step && spd_sv_is(spd_dcm_raw(step, 0x00080060), "CT") && spd_sv_is(spd_dcm_raw(step, 0x00400002), "20260301"));
        assert_true(spd_sv_is(spd_dcm_raw(step, 0x00400003), "120000") && spd_sv_is(spd_dcm_raw(step, 0x00400009), "ACC2"));
        assert_true(code && spd_sv_is(spd_dcm_raw(code, 0x00080100), "CTHERS"));
        uint32_t before = 0;
        for (size_t i = 0; i < d.set.n; i++) { /* ascending, as DICOM wants */
            assert_true(d.set.v[i].tag > before);
            before = d.set.v[i].tag;
        }
        spd_arena_free(arena);
        spd_str_done(&out);
    }
    spd_list_unref(list);
}

/* A scanner gets a Study Instance UID for every order, and the same one each time. */
static void an_order_without_a_study_gets_a_stable_uid(void **state)
{
    (void)state;
    const struct spd_list *list = spd_board_get(board);
    spd_sv first = SPD_SV_NONE;
    struct spd_arena *arena = spd_arena_new(1 << 20);
    for (int turn = 0; turn < 2; turn++) {
        struct spd_find_key keys[SPD_FIND_KEYS_MAX] = {{.path = {0x0020000D}, .depth = 1}};
        struct spd_find_query q = {false, keys, 1};
        struct spd_str out = SPD_STR_INIT(1 << 16);
        struct spd_dcm d = {0};
        spd_find_prepare(&q, NULL);
        spd_find_dataset(&q, spd_list_find(list, 4), zone, true, &out);
        spd_sv copy = spd_arena_dup(arena, spd_str_sv(&out));
        assert_int_equal(spd_dcm_parse_dataset(copy, SPD_SV("1.2.840.10008.1.2.1"), &d, arena, NULL), SPD_OK);
        spd_sv uid = got_text(&d, 0x0020000D);
        assert_true(spd_dcm_is_uid(uid) && spd_sv_starts(uid, SPD_SV("2.25.")));
        if (turn) assert_true(spd_sv_eq(uid, first));
        first = uid;
        spd_str_done(&out);
    }
    spd_arena_free(arena);
    spd_list_unref(list);
}

static const struct json_row { const char *name, *body; enum spd_rc rc; int answers; } json_rows[] = {
    {"reporting", "{\"called\":\"SPOED_READ\",\"calling\":\"X\",\"keys\":{\"00080050\":{\"vr\":\"SH\"}}}", SPD_OK, 3},
    {"modality", "{\"called\":\"SPOED\",\"calling\":\"X\",\"keys\":{\"00080050\":{\"vr\":\"SH\"}}}", SPD_OK, 2},
    {"no called title", "{\"keys\":{\"00080050\":{\"vr\":\"SH\"}}}", SPD_OK, 2},
    {"name", "{\"called\":\"SPOED_READ\",\"keys\":{\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"jansen*\"}]}}}", SPD_OK, 2},
    {"step", "{\"called\":\"SPOED\",\"keys\":{\"00400100\":{\"vr\":\"SQ\",\"Value\":[{\"00080060\":{\"vr\":\"CS\",\"Value\":[\"MR\"]}}]}}}", SPD_OK, 1},
    {"two items", "{\"called\":\"SPOED\",\"keys\":{\"00400100\":{\"vr\":\"SQ\",\"Value\":[{\"00080060\":{\"vr\":\"CS\"}},{\"00080060\":{\"vr\":\"CS\"}}]}}}", SPD_INVALID, 0},
    {"no keys", "{\"called\":\"SPOED\"}", SPD_INVALID, 0},
    {"keys no object", "{\"called\":\"SPOED\",\"keys\":[]}", SPD_INVALID, 0},
    {"not JSON", "{", SPD_INVALID, 0},
    {"empty", "", SPD_INVALID, 0},
    {"bad tag", "{\"keys\":{\"0008005\":{\"vr\":\"SH\"}}}", SPD_INVALID, 0},
    {"no vr", "{\"keys\":{\"00080050\":{}}}", SPD_INVALID, 0}};

static void json_queries_are_answered(void **state)
{
    (void)state;
    const struct spd_list *list = spd_board_get(board);
    for (size_t i = 0; i < sizeof json_rows / sizeof *json_rows; i++) {
        struct spd_str out = SPD_STR_INIT(1 << 20);
        struct spd_err err = {0};
        enum spd_rc rc = spd_find_hook(list, SPD_SV("SPOED_READ"), zone, spd_sv_from(json_rows[i].body), false, 0, &out, &err);
        if (rc != json_rows[i].rc) fail_msg("%s: rc %s", json_rows[i].name, spd_rc_name(rc));
        if (!rc) {
            json_error_t je;
            json_t *o = json_loadb(out.ptr, out.len, 0, &je);
            if (!o) fail_msg("%s: %s in %s", json_rows[i].name, je.text, out.ptr);
            if ((int)json_array_size(o) != json_rows[i].answers)
                fail_msg("%s: %d answers", json_rows[i].name, (int)json_array_size(o));
            json_decref(o);
        } else assert_true(err.text[0] != 0);
        spd_str_done(&out);
    }
    struct spd_str out = SPD_STR_INIT(1 << 20);
    assert_int_equal(spd_find_hook(list, SPD_SV("SPOED_READ"), zone, spd_sv_from(json_rows[0].body), false, 2, &out, NULL), SPD_LIMIT);
    spd_str_done(&out);
    spd_list_unref(list);
}

/* The same answers as DICOM files: each can be read, and says what the query asked for. */
static void a_hook_can_have_files(void **state)
{
    (void)state;
    const struct spd_list *list = spd_board_get(board);
    struct spd_arena *arena = spd_arena_new(1 << 20);
    for (size_t i = 0; i < sizeof json_rows / sizeof *json_rows; i++) {
        struct spd_str out = SPD_STR_INIT(1 << 20);
        enum spd_rc rc = spd_find_hook(list, SPD_SV("SPOED_READ"), zone, spd_sv_from(json_rows[i].body), true, 0, &out, NULL);
        int n = 0;
        if (rc != json_rows[i].rc) fail_msg("%s: rc %s", json_rows[i].name, spd_rc_name(rc));
        for (size_t at = 0; at < out.len; n++) {
            const unsigned char *p = (const unsigned char *)out.ptr + at;
            size_t len = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16;
            struct spd_dcm d = {0};
            assert_true(at + 4 + len <= out.len);
            assert_int_equal(spd_dcm_parse(spd_sv_of(out.ptr + at + 4, len), &d, arena, NULL), SPD_OK);
            assert_true(spd_sv_is(spd_dcm_raw(&d.set, 0x00080005), "ISO_IR 192"));
            at += 4 + len;
        }
        assert_int_equal(n, json_rows[i].answers);
        spd_str_done(&out);
    }
    spd_arena_free(arena);
    spd_list_unref(list);
}

static void the_flat_form_comes_back_as_it_was(void **state)
{
    (void)state;
    struct spd_find_key keys[] = {{.path = {ACC}, .depth = 1, .vr = "SH", .value = SPD_SV("A\\B")},
                                  {.path = {SPS, 0x00400008, 0x00080100}, .depth = 3, .vr = "SH", .value = SPD_SV("Twééde")}};
    struct spd_find_query q = {true, keys, 2}, again;
    struct spd_str flat = SPD_STR_INIT(4096);
    struct spd_arena *arena = spd_arena_new(1 << 20);
    spd_find_keys_encode(&q, &flat);
    assert_int_equal(spd_find_keys_decode(spd_str_sv(&flat), &again, arena, NULL), SPD_OK);
    assert_int_equal(again.n_keys, 2);
    assert_true(again.reporting && again.keys[1].depth == 3 && again.keys[1].path[2] == 0x00080100);
    assert_true(spd_sv_is(again.keys[1].value, "Twééde") && !strcmp(again.keys[0].vr, "SH"));
    for (size_t cut = 0; cut < flat.len; cut++) spd_find_keys_decode(spd_sv_of(flat.ptr, cut), &again, arena, NULL);
    spd_arena_free(arena);
    spd_str_done(&flat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_answer_as_the_keys_ask), cmocka_unit_test(a_narrowed_query_finds_what_a_walk_finds),
        cmocka_unit_test(an_answer_holds_the_requested_keys_only),
        cmocka_unit_test(an_order_without_a_study_gets_a_stable_uid), cmocka_unit_test(json_queries_are_answered), cmocka_unit_test(a_hook_can_have_files),
        cmocka_unit_test(the_flat_form_comes_back_as_it_was)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
