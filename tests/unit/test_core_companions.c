/* tests/unit/test_core_companions.c: what comes beside a result finds it, whichever comes first, and has no effect
 * of its own; and an object that holds the results of two products is two results. */
#include "core_world.h"

#define SEG "1.2.840.10008.5.1.4.1.1.66.4"

struct thing { /* a companion; the rest gets defaults */
    const char *sop, *study, *patient, *ref, *predecessor, *tracking, *maker, *model;
    bool unlisted;
};

static enum spd_rc companion(struct world *w, struct thing x)
{
    struct spd_result_event e = {0};
    struct spd_companion *c;
    world_next(w);
    envelope(w, &e.message, "C-STORE", x.sop, NULL);
    e.message.peer = sv(x.unlisted ? "" : "ai"), e.known_peer = !x.unlisted;
    c = SPD_LIST_PUSH(&e.companions, w->a);
    c->kind = SPD_COMPANION_SEGMENTATION, c->sop_class = sv(SEG), c->sop_uid = sv(x.sop ? x.sop : "1.8.1");
    c->study_uid = sv(x.study ? x.study : "1.2.1");
    struct spd_cx *id = SPD_LIST_PUSH(&c->patient.ids, w->a);
    id->value = sv(x.patient ? x.patient : "P1"), id->authority = sv("ZH");
    c->manufacturer = sv(x.maker ? x.maker : ""), c->name = sv(x.model ? x.model : "");
    if (x.ref) *SPD_LIST_PUSH(&c->refs, w->a) = sv(x.ref);
    if (x.predecessor) *SPD_LIST_PUSH(&c->predecessors, w->a) = sv(x.predecessor);
    if (x.tracking) *SPD_LIST_PUSH(&c->tracking, w->a) = sv(x.tracking);
    return world_apply(w, SPD_EVENT_RESULT, &e);
}

/* A result of an object that names 1.8.1 among its outputs and 1.7.1 as what it tracks. */
static enum spd_rc result(struct world *w, const char *sop, const char *output)
{
    struct spd_result_event e = {0};
    world_next(w);
    envelope(w, &e.message, "C-STORE", sop, NULL);
    e.message.peer = sv("ai"), e.known_peer = 1;
    e.result = (struct spd_result){.manufacturer = sv("Maker"), .name = sv("ICH"), .version = sv("1"), .sop_uid = sv(sop), .study_uid = sv("1.2.1"),
                                   .state = SPD_AI_NEGATIVE, .device_manufacturer = sv("Maker"), .device_model = sv("Box")};
    struct spd_cx *id = SPD_LIST_PUSH(&e.result.patient.ids, w->a);
    id->value = sv("P1"), id->authority = sv("ZH");
    if (output) *SPD_LIST_PUSH(&e.result.outputs, w->a) = sv(output);
    *SPD_LIST_PUSH(&e.result.tracking, w->a) = sv("1.7.1");
    return world_apply(w, SPD_EVENT_RESULT, &e);
}

static const struct row {
    const char *name;
    struct thing thing;
    const char *output;    /* the result names this SOP Instance UID */
    const char *linked_by; /* "" not linked */
} rows[] = {
    {"it points at the result", {.ref = "1.9.1"}, NULL, "reference"},
    {"the result points at it", {.sop = "1.8.1"}, "1.8.1", "reference"},
    {"the result points at it, in a study of its own", {.sop = "1.8.1", .study = "1.2.77"}, "1.8.1", "reference"},
    {"it names the result as its predecessor", {.predecessor = "1.9.1"}, NULL, "predecessor"},
    {"both track the same", {.tracking = "1.7.1"}, NULL, "tracking"},
    {"same study, same device", {.maker = "Maker", .model = "Box"}, NULL, "device"},
    {"same study, same product", {.maker = "Maker", .model = "ICH"}, NULL, "device"},
    {"same device, another study", {.maker = "Maker", .model = "Box", .study = "1.2.77"}, NULL, ""},
    {"same study, another device", {.maker = "Maker", .model = "Scanner"}, NULL, ""},
    {"same study, no device said", {0}, NULL, ""},
    {"it points at another", {.ref = "1.9.77"}, NULL, ""},
    {"it points at the result, of another patient", {.ref = "1.9.1", .patient = "P2"}, NULL, ""},
    {"the result points at it, of another patient", {.sop = "1.8.1", .patient = "P2"}, "1.8.1", ""},
    {"of a stranger", {.ref = "1.9.1", .unlisted = true}, NULL, "-"},
};

static void it_finds_its_result(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof *rows); i++) {
        const struct row *t = &rows[i / 2];
        bool result_first = i % 2;
        struct world w;
        struct spd_companion c = {0};
        struct spd_item before;
        world_open(&w, "memory:");
        world_order(&w, (struct order){.accession = "A1", .study = "1.2.1"});
        if (result_first) assert_int_equal(result(&w, "1.9.1", t->output), SPD_OK);
        assert_int_equal(companion(&w, t->thing), SPD_OK);
        assert_true(w.r.message > 0 && w.r.reason_en.len > 0);
        if (!result_first) assert_int_equal(result(&w, "1.9.1", t->output), SPD_OK);
        enum spd_rc rc = spd_get_companion(w.store, 1, &c, w.a, NULL);
        if (t->thing.unlisted ? rc != SPD_NOTFOUND : !spd_sv_is(c.linked_by, t->linked_by) || c.results.n != (*t->linked_by ? 1 : 0))
            fail_msg("%s, %s first: linked by \"%.*s\" to %zu", t->name, result_first ? "result" : "companion", SPD_SV_ARG(c.linked_by), c.results.n);
        assert_int_equal(world_count(&w, SPD_KEY_COMPANION_RESULT, "1"), c.results.n);
        before = world_item(&w, 1); /* nothing but the result acts */
        assert_int_equal(before.level, SPD_LEVEL_4);
        assert_int_equal(world_count(&w, SPD_KEY_ALERT_ITEM, "1"), 0);
        assert_int_equal(world_count(&w, SPD_KEY_RESULT_ITEM, "1"), 1);
        world_close(&w);
    }
}

/* Sent again it is one; a link by device alone gives way to one by word. */
static void a_better_word_wins(void **state)
{
    struct world w;
    struct spd_companion c;
    (void)state;
    world_open(&w, "memory:");
    world_order(&w, (struct order){.accession = "A1", .study = "1.2.1"});
    result(&w, "1.9.1", NULL);
    companion(&w, (struct thing){.maker = "Maker", .model = "Box", .ref = "1.9.2"});
    assert_int_equal(spd_get_companion(w.store, 1, &c, w.a, NULL), SPD_OK);
    assert_true(spd_sv_is(c.linked_by, "device") && c.results.v[0] == 1);
    result(&w, "1.9.2", NULL);
    assert_int_equal(spd_get_companion(w.store, 1, &c, w.a, NULL), SPD_OK);
    assert_true(spd_sv_is(c.linked_by, "reference") && c.results.n == 1 && c.results.v[0] == 2);
    companion(&w, (struct thing){.maker = "Maker", .model = "Box", .ref = "1.9.1", .sop = "1.8.1"});
    assert_int_equal(world_count(&w, SPD_KEY_COMPANION_SOP, "1.8.1"), 1);
    assert_int_equal(spd_get_companion(w.store, 1, &c, w.a, NULL), SPD_OK);
    assert_true(c.results.n == 1 && c.results.v[0] == 1);
    world_close(&w);
}

/* One object, two products: two results side by side; sent again with other content, each corrects its own. */
static void two_products(struct world *w, const char *control, enum spd_ai_state first, enum spd_ai_state second)
{
    struct spd_result_event e = {0};
    world_next(w);
    envelope(w, &e.message, "C-STORE", control, control);
    e.message.peer = sv("ai"), e.known_peer = 1;
    struct spd_result r = {.manufacturer = sv("Maker"), .name = sv("ICH"), .version = sv("1"), .sop_uid = sv("1.9.1"), .study_uid = sv("1.2.1"), .part = 1};
    struct spd_cx *id = SPD_LIST_PUSH(&r.patient.ids, w->a);
    id->value = sv("P1"), id->authority = sv("ZH");
    *SPD_LIST_PUSH(&r.instances, w->a) = sv("1.2.3.77");
    e.result = r, e.result.state = (int32_t)first;
    r.name = sv("CSP"), r.state = (int32_t)second, r.part = 2;
    *SPD_LIST_PUSH(&e.more, w->a) = r;
    assert_int_equal(world_apply(w, SPD_EVENT_RESULT, &e), SPD_OK);
}

static void products_of_one_object_stand_side_by_side(void **state)
{
    struct world w;
    struct spd_result r[4];
    (void)state;
    world_open(&w, "memory:");
    world_order(&w, (struct order){.accession = "A1", .study = "1.2.1"});
    two_products(&w, "one", SPD_AI_POSITIVE, SPD_AI_NEGATIVE);
    assert_int_equal(w.r.id, 1);
    assert_int_equal(world_count(&w, SPD_KEY_RESULT_ITEM, "1"), 2);
    two_products(&w, "one", SPD_AI_POSITIVE, SPD_AI_NEGATIVE);
    assert_int_equal(w.r.did, SPD_DID_DUPLICATE);
    two_products(&w, "two", SPD_AI_POSITIVE, SPD_AI_NEGATIVE); /* by another way: heard already, both */
    assert_int_equal(w.r.did, SPD_DID_DUPLICATE);
    assert_int_equal(world_count(&w, SPD_KEY_RESULT_ITEM, "1"), 2);
    two_products(&w, "three", SPD_AI_POSITIVE, SPD_AI_POSITIVE);
    assert_int_equal(w.r.did, SPD_DID_APPLY);
    assert_int_equal(world_count(&w, SPD_KEY_RESULT_ITEM, "1"), 3); /* the first product said the same again */
    two_products(&w, "four", SPD_AI_NEGATIVE, SPD_AI_NEGATIVE);
    for (int i = 0; i < 4; i++) assert_int_equal(spd_get_result(w.store, i + 1, &r[i], w.a, NULL), SPD_OK);
    assert_true(r[1].superseded_by == r[2].id && spd_sv_eq(r[1].name, r[2].name));
    assert_true(r[0].superseded_by == r[3].id && spd_sv_eq(r[0].name, r[3].name)); /* the sender's own correction */
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_finds_its_result), cmocka_unit_test(a_better_word_wins),
                                       cmocka_unit_test(products_of_one_object_stand_side_by_side)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
