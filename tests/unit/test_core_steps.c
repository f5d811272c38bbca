/* tests/unit/test_core_steps.c: who may say what of an acquisition. What follows from it:
 * test_core_scenes.c. */
#include "core_world.h"

static enum spd_rc say(struct world *w, const char *peer, bool create, enum spd_step_state state)
{
    struct spd_step_event e = {.create = create, .known_peer = peer[0] != 0};
    world_next(w);
    e.message.peer = sv(peer);
    e.step.uid = sv("9.1"), e.step.state = (int32_t)state;
    if (create) {
        struct spd_cx *id = SPD_LIST_PUSH(&e.patient.ids, w->a);
        SPD_LIST_PUSH(&e.requests, w->a)->study_uid = sv("1.2.1");
        id->value = sv("P1"), id->authority = sv("ZH");
    }
    assert_int_equal(world_apply(w, SPD_EVENT_STEP, &e), SPD_OK);
    return w->r.rc;
}

static void a_step_is_ended_by_whom_it_may(void **state)
{
    static const struct {
        const char *name, *began, *ends;
        enum spd_rc want;
    } rows[] = {{"a listed scanner's, by itself", "ct", "ct", SPD_OK},
                {"a listed scanner's, by its manager", "ct", "broker", SPD_OK},
                {"a listed scanner's, by a stranger", "ct", "", SPD_DENIED},
                {"a stranger's, by a stranger", "", "", SPD_OK}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        world_open(&w, "memory:");
        world_order(&w, (struct order){.accession = "A1", .study = "1.2.1"});
        assert_int_equal(say(&w, rows[i].began, true, SPD_STEP_IN_PROGRESS), SPD_OK);
        enum spd_rc rc = say(&w, rows[i].ends, false, SPD_STEP_COMPLETED);
        if (rc != rows[i].want) fail_msg("%s: %s", rows[i].name, spd_rc_name(rc));
        assert_int_equal(world_item(&w, 1).exam_done > 0, rc == SPD_OK);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_step_is_ended_by_whom_it_may)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
