/* Every description of model.def, with random values: encode and decode, clone, JSON and back give
 * the same; what a newer version added is skipped; damaged bytes are refused, never followed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/model.h"

static const struct spd_desc *const descs[] = {
#define BEGIN(type) &spd_##type##_desc,
#define END(type)
#define I64(name)
#define ENUM(name, type)
#define TEXT(name)
#define BLOB(name)
#define STRUCT(name, type)
#define LIST(name, type)
#define LIST_TEXT(name)
#define LIST_I64(name)
#include "model/model.def"
};
#define N_DESCS (sizeof descs / sizeof *descs)

static uint64_t seed = 20260105;

static uint64_t any(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

static spd_sv any_text(struct spd_arena *arena, bool blob)
{
    static const char *const bits[] = {
        "a",  "Z",    " ",    "\"",       "\\",           "\n",
        "\t", "\x01", "\x1f", "\xc3\xab", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
        "|",  "^",    "/",    "<"};
    struct spd_str s = SPD_STR_INIT(1000);
    spd_sv v;
    for (uint64_t i = any(20) + 1; i; i--) {
        if (blob)
            spd_str_addc(&s, (char)any(256));
        else
            spd_str_addz(&s, bits[any(sizeof bits / sizeof *bits)]);
    }
    v = spd_arena_dup(arena, spd_str_sv(&s));
    spd_str_done(&s);
    return v;
}

static int64_t any_number(void)
{
    switch (any(6)) {
    case 0:
        return INT64_MAX;
    case 1:
        return INT64_MIN;
    case 2:
        return -1;
    case 3:
        return (int64_t)any(128);
    case 4:
        return 1767603600000000 + (int64_t)any(1000000);
    default:
        return (int64_t)any(1u << 31) - (1 << 30);
    }
}

static void fill(const struct spd_desc *d, void *v, struct spd_arena *arena, unsigned percent)
{
    for (const struct spd_member *m = d->members(); m->name; m++) {
        void *at = (char *)v + m->offset;
        int n = 0;
        if (any(100) >= percent) continue;
        switch (m->kind) {
        case SPD_K_I64:
            *(int64_t *)at = any_number();
            break;
        case SPD_K_ENUM:
            while (m->names[n + 1])
                n++;
            *(int32_t *)at = n ? (int32_t)any((uint64_t)n) + 1 : 0;
            break;
        case SPD_K_TEXT:
            *(spd_sv *)at = any_text(arena, false);
            break;
        case SPD_K_BLOB:
            *(spd_sv *)at = any_text(arena, true);
            break;
        case SPD_K_STRUCT:
            fill(m->sub, at, arena, percent);
            break;
        case SPD_K_LIST:
            for (uint64_t i = any(4) + 1; i; i--)
                fill(m->sub, spd_list_add(at, m->sub->size, arena), arena, percent / 2 + 20);
            break;
        case SPD_K_LIST_TEXT:
            for (uint64_t i = any(4) + 1; i; i--)
                *(spd_sv *)spd_list_add(at, sizeof(spd_sv), arena) = any_text(arena, false);
            break;
        case SPD_K_LIST_I64:
            for (uint64_t i = any(4) + 1; i; i--)
                *(int64_t *)spd_list_add(at, sizeof(int64_t), arena) = any_number();
            break;
        }
    }
}

static void check(const struct spd_desc *d, struct spd_arena *arena, unsigned percent)
{
    void *v = spd_arena_must(arena, d->size), *back = spd_arena_must(arena, d->size),
         *copy = spd_arena_must(arena, d->size), *from_json = spd_arena_must(arena, d->size);
    struct spd_str bytes = SPD_STR_INIT(1 << 22), again = SPD_STR_INIT(1 << 22),
                   json = SPD_STR_INIT(1 << 22);
    struct spd_err err = {0};
    fill(d, v, arena, percent);
    assert_true(spd_desc_equal(d, v, v));
    spd_desc_encode(d, v, &bytes);
    if (spd_desc_decode(d, spd_str_sv(&bytes), back, arena, &err))
        fail_msg("%s: %s: %s", d->name, err.place, err.text);
    if (!spd_desc_equal(d, v, back)) fail_msg("%s: decoded differs", d->name);
    spd_desc_encode(d, back, &again);
    assert_true(spd_sv_eq(spd_str_sv(&bytes),
                          spd_str_sv(&again))); /* the journal is the same byte for byte */
    spd_desc_clone(d, copy, v, arena);
    if (!spd_desc_equal(d, v, copy)) fail_msg("%s: clone differs", d->name);
    for (const struct spd_member *m = d->members(); m->name; m++) {
        spd_str_clear(&json);
        spd_desc_member_json(m, v, &json);
        if (spd_desc_member_from_json(m, spd_str_sv(&json), from_json, arena, &err))
            fail_msg("%s.%s: %s from %s", d->name, m->name, err.text, json.ptr);
    }
    if (!spd_desc_equal(d, v, from_json)) fail_msg("%s: JSON differs", d->name);
    spd_str_done(&bytes), spd_str_done(&again), spd_str_done(&json);
}

static void test_round_trips(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_DESCS; i++)
        for (unsigned round = 0; round < 40; round++) {
            struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
            check(descs[i], arena, round * 100 / 39);
            spd_arena_free(arena);
        }
}

/* A clone owns its bytes: the original may be overwritten. */
static void test_clone_owns(void **state)
{
    char name[] = "ZZCANARY^Test", id[] = "123";
    struct spd_arena *arena = spd_arena_new(1 << 20);
    struct spd_cx cx = {{id, 3}, SPD_SV("ZH")};
    struct spd_patient p = {.name = spd_sv_from(name)}, copy = {0};
    (void)state;
    p.ids.v = &cx, p.ids.n = 1;
    spd_desc_clone(&spd_patient_desc, &copy, &p, arena);
    memset(name, 'x', sizeof name - 1), memset(id, 'x', 3);
    assert_true(spd_sv_is(copy.name, "ZZCANARY^Test") && spd_sv_is(copy.ids.v[0].value, "123"));
    spd_arena_free(arena);
}

static void test_differences(void **state)
{
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    (void)state;
    for (size_t i = 0; i < N_DESCS; i++) {
        char *v = spd_arena_must(arena, descs[i]->size),
             *empty = spd_arena_must(arena, descs[i]->size);
        struct spd_str bytes = SPD_STR_INIT(1 << 20);
        fill(descs[i], v, arena, 100);
        if (spd_desc_equal(descs[i], v, empty)) fail_msg("%s: full equals empty", descs[i]->name);
        spd_desc_encode(descs[i], empty, &bytes);
        /* zero members take no room, but for the heads of empty nested structs */
        if (bytes.len > 32) fail_msg("%s: %zu bytes for nothing", descs[i]->name, bytes.len);
        spd_str_done(&bytes);
    }
    spd_arena_free(arena);
}

static void test_unknown_tags(void **state)
{
    /* tag 200 as a number, tag 201 as three bytes: as a newer version would write them */
    static const spd_sv newer = SPD_SV("\xc0\x0c\x05\xc9\x0c\x03xyz");
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    (void)state;
    for (size_t i = 0; i < N_DESCS; i++) {
        void *v = spd_arena_must(arena, descs[i]->size),
             *back = spd_arena_must(arena, descs[i]->size);
        struct spd_str bytes = SPD_STR_INIT(1 << 22);
        struct spd_err err = {0};
        fill(descs[i], v, arena, 60);
        spd_str_add(&bytes, newer);
        spd_desc_encode(descs[i], v, &bytes);
        spd_str_add(&bytes, newer);
        if (spd_desc_decode(descs[i], spd_str_sv(&bytes), back, arena, &err))
            fail_msg("%s: %s", descs[i]->name, err.text);
        if (!spd_desc_equal(descs[i], v, back)) fail_msg("%s", descs[i]->name);
        spd_str_done(&bytes);
    }
    spd_arena_free(arena);
}

/* Cut anywhere, or with any byte changed: an error or another value, and no byte read beyond. */
static void test_damage(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_DESCS; i++) {
        struct spd_arena *arena = spd_arena_new((size_t)512 << 20);
        void *v = spd_arena_must(arena, descs[i]->size);
        struct spd_str bytes = SPD_STR_INIT(1 << 22);
        fill(descs[i], v, arena, 50);
        spd_desc_encode(descs[i], v, &bytes);
        for (size_t k = 0; k < bytes.len && k < 600; k++) {
            struct spd_arena *small = spd_arena_new((size_t)64 << 20);
            char *exact = spd_must_malloc(bytes.len);
            memcpy(exact, bytes.ptr, bytes.len);
            spd_desc_decode(descs[i], spd_sv_of(exact + (bytes.len - k), 0),
                            spd_arena_must(small, descs[i]->size), small, NULL);
            exact[k] = (char)~exact[k];
            spd_desc_decode(descs[i], spd_sv_of(exact, bytes.len),
                            spd_arena_must(small, descs[i]->size), small, NULL);
            spd_free(exact);
            exact = spd_must_malloc(k + 1);
            memcpy(exact, bytes.ptr, k);
            spd_desc_decode(descs[i], spd_sv_of(exact, k), spd_arena_must(small, descs[i]->size),
                            small, NULL);
            spd_free(exact);
            spd_arena_free(small);
        }
        spd_str_done(&bytes);
        spd_arena_free(arena);
    }
}

static void test_status(void **state)
{
    static const struct {
        const char *name;
        enum spd_order_axis order;
        enum spd_images_axis images;
        enum spd_reading_axis reading;
        enum spd_report_axis report;
        int confirmed, unmatched, done;
        enum spd_status status;
        bool listed, open;
    } rows[] = {{"ordered", SPD_ORDER_ACTIVE, SPD_IMAGES_NONE, SPD_READING_UNREAD, SPD_REPORT_NONE,
                 0, 0, 0, SPD_STATUS_ORDERED, false, true},
                {"exam done", SPD_ORDER_ACTIVE, SPD_IMAGES_NONE, SPD_READING_UNREAD,
                 SPD_REPORT_NONE, 0, 0, 1, SPD_STATUS_ARRIVED, true, true},
                {"images", SPD_ORDER_ACTIVE, SPD_IMAGES_PARTIAL, SPD_READING_UNREAD,
                 SPD_REPORT_NONE, 0, 0, 0, SPD_STATUS_ARRIVED, true, true},
                {"claimed", SPD_ORDER_ACTIVE, SPD_IMAGES_COMPLETE, SPD_READING_CLAIMED,
                 SPD_REPORT_NONE, 0, 0, 0, SPD_STATUS_IN_PROGRESS, true, true},
                {"preliminary", SPD_ORDER_ACTIVE, SPD_IMAGES_COMPLETE, SPD_READING_DICTATED,
                 SPD_REPORT_PRELIMINARY, 0, 0, 0, SPD_STATUS_PRELIMINARY, false, true},
                {"final", SPD_ORDER_ACTIVE, SPD_IMAGES_COMPLETE, SPD_READING_DICTATED,
                 SPD_REPORT_FINAL, 0, 0, 0, SPD_STATUS_FINAL, false, false},
                {"amended", SPD_ORDER_ACTIVE, SPD_IMAGES_COMPLETE, SPD_READING_DICTATED,
                 SPD_REPORT_AMENDED, 0, 0, 0, SPD_STATUS_FINAL, false, false},
                {"cancelled", SPD_ORDER_CANCELLED, SPD_IMAGES_NONE, SPD_READING_UNREAD,
                 SPD_REPORT_NONE, 0, 0, 0, SPD_STATUS_CANCELLED, false, false},
                {"cancelled with images", SPD_ORDER_CANCELLED, SPD_IMAGES_PARTIAL,
                 SPD_READING_UNREAD, SPD_REPORT_NONE, 0, 0, 0, SPD_STATUS_CANCELLED_IMAGES, true,
                 true},
                {"confirmed by a person", SPD_ORDER_CANCELLED, SPD_IMAGES_PARTIAL,
                 SPD_READING_UNREAD, SPD_REPORT_NONE, 1, 0, 0, SPD_STATUS_CANCELLED, false, false},
                {"unmatched", SPD_ORDER_ACTIVE, SPD_IMAGES_NONE, SPD_READING_UNREAD,
                 SPD_REPORT_NONE, 0, 1, 0, SPD_STATUS_UNMATCHED, true, true}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_item item = {.order = (int32_t)rows[i].order,
                                .images = (int32_t)rows[i].images,
                                .reading = (int32_t)rows[i].reading,
                                .report = (int32_t)rows[i].report,
                                .cancel_confirmed = rows[i].confirmed,
                                .unmatched = rows[i].unmatched,
                                .exam_done = rows[i].done};
        if (spd_item_status(&item) != rows[i].status || spd_item_listed(&item) != rows[i].listed ||
            spd_item_open(&item) != rows[i].open)
            fail_msg("%s: %s", rows[i].name, spd_status_names[spd_item_status(&item)]);
    }
}

/* Whatever comes as a message has its envelope found, also of a type that is added one day. */
static void test_envelopes(void **state)
{
    static const enum spd_event_type with[] = {SPD_EVENT_ORDER,  SPD_EVENT_PATIENT,
                                               SPD_EVENT_REPORT, SPD_EVENT_MESSAGE,
                                               SPD_EVENT_RESULT, SPD_EVENT_STUDY,
                                               SPD_EVENT_STEP,   SPD_EVENT_APPOINTMENT};
    size_t found = 0;
    (void)state;
    for (int type = SPD_EVENT_TYPE_UNSET; type <= SPD_EVENT_TYPE_N; type++) {
        const struct spd_desc *d = spd_event_desc((enum spd_event_type)type);
        struct spd_arena *arena = spd_arena_new(1 << 16);
        struct spd_event e = {(enum spd_event_type)type, 0, {NULL}};
        bool named = false, wanted = false;
        assert_null(spd_event_message(&e)); /* no payload yet */
        e.u.any = d ? spd_arena_must(arena, d->size) : arena;
        for (const struct spd_member *m = d ? d->members() : NULL; m && m->name; m++)
            named |= !strcmp(m->name, "message") && m->kind == SPD_K_STRUCT;
        for (size_t i = 0; i < sizeof with / sizeof *with; i++)
            wanted |= (int)with[i] == type;
        struct spd_message_in *in = spd_event_message(&e);
        if ((in != NULL) != named || (wanted && !in))
            fail_msg("%s: %s", spd_enum_name(spd_event_type_names, type), in ? "found" : "missing");
        if (in) {
            in->peer = SPD_SV("ris"), found++;
            assert_true((char *)in >= (char *)e.u.any &&
                        (char *)(in + 1) <= (char *)e.u.any + d->size);
        }
        if (type == SPD_EVENT_ORDER) assert_true(spd_sv_is(e.u.order->message.peer, "ris"));
        if (type == SPD_EVENT_STEP) assert_true(spd_sv_is(e.u.step->message.peer, "ris"));
        spd_arena_free(arena);
    }
    assert_true(found >= sizeof with / sizeof *with);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips), cmocka_unit_test(test_clone_owns),
        cmocka_unit_test(test_differences), cmocka_unit_test(test_unknown_tags),
        cmocka_unit_test(test_damage),      cmocka_unit_test(test_status),
        cmocka_unit_test(test_envelopes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
