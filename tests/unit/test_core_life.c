/* tests/unit/test_core_life.c: walks every cell of the life of an item and of an alert, and prints
 * both tables as documentation: docs/life-of-an-item.md and docs/life-of-an-alert.md must be what
 * is printed here (SPOED_BLESS=1 rewrites them). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/life.h"
#include "base/source.h"
#include "queue/alert_state.h"

static void compare(const char *path, const struct spd_str *text)
{
    struct spd_arena *a = spd_arena_new(1 << 20);
    struct spd_source s = {0};
    if (getenv("SPOED_BLESS")) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fwrite(text->ptr, 1, text->len, f);
        fclose(f);
    }
    assert_int_equal(spd_source_read(path, 1 << 20, &s, a, NULL), SPD_OK);
    if (!spd_sv_eq(s.text, spd_str_sv(text)))
        fail_msg("%s is not what the tables say; run with SPOED_BLESS=1 and review the diff", path);
    spd_arena_free(a);
}

static void head(struct spd_str *out, const char *title, const char *const *states)
{
    spd_str_addf(out, "\n## %s\n\n| |", title);
    for (int s = 1; states[s]; s++)
        spd_str_addf(out, " %s |", states[s]);
    spd_str_addz(out, "\n|---|");
    for (int s = 1; states[s]; s++)
        spd_str_addz(out, "---|");
    spd_str_addc(out, '\n');
}

static void life_of_an_item(void **state)
{
    struct spd_str out = SPD_STR_INIT(1 << 20);
    (void)state;
    spd_str_addz(
        &out, "# Life of an item\n\nPrinted from the tables in `src/core/life.c` by "
              "`tests/unit/test_core_life.c`. Rows are what may\n"
              "happen, columns the state it is in, cells the state after it (a dot: it stays). The "
              "four axes move on their\n"
              "own; the `status` that the API shows is derived from them. A draft is no status.\n");
#define AXIS(title, names, fn, type)                                                               \
    head(&out, title, names);                                                                      \
    for (int in = 0; in < SPD_LIFE_N; in++) {                                                      \
        spd_str_addf(&out, "| %s |", spd_life_names[in]);                                          \
        for (int s = 1; names[s]; s++) {                                                           \
            enum type next = fn((enum type)s, (enum spd_life_input)in);                            \
            assert_true((int)next > 0 && names[next] != NULL);                                     \
            spd_str_addf(&out, " %s |", (int)next == s ? "." : names[next]);                       \
        }                                                                                          \
        spd_str_addc(&out, '\n');                                                                  \
    }
    AXIS("Order", spd_order_axis_names, spd_life_order, spd_order_axis)
    AXIS("Images", spd_images_axis_names, spd_life_images, spd_images_axis)
    AXIS("Reading", spd_reading_axis_names, spd_life_reading, spd_reading_axis)
    AXIS("Report", spd_report_axis_names, spd_life_report, spd_report_axis)
    spd_str_addz(
        &out,
        "\n## Status\n\n| order | images | reading | report | status |\n|---|---|---|---|---|\n");
    for (int o = 1; o < SPD_ORDER_AXIS_N; o++)
        for (int i = 1; i < SPD_IMAGES_AXIS_N; i++)
            for (int r = 1; r < SPD_READING_AXIS_N; r++)
                for (int p = 1; p < SPD_REPORT_AXIS_N; p++) {
                    struct spd_item item = {.order = o, .images = i, .reading = r, .report = p};
                    spd_str_addf(&out, "| %s | %s | %s | %s | %s |\n", spd_order_axis_names[o],
                                 spd_images_axis_names[i], spd_reading_axis_names[r],
                                 spd_report_axis_names[p],
                                 spd_status_names[spd_item_status(&item)]);
                }
    compare(SPOED_SOURCE_DIR "/docs/life-of-an-item.md", &out);
    spd_str_done(&out);
}

static void life_of_an_alert(void **state)
{
    struct spd_str out = SPD_STR_INIT(1 << 20);
    (void)state;
    spd_str_addz(&out, "# Life of an alert\n\nPrinted from the table in `src/queue/alert_state.c` "
                       "by `tests/unit/test_core_life.c`. A dot: it stays.\n"
                       "`illegal`: that does not belong in this state; nothing changes, and a "
                       "person who tries is told so (409).\n");
    head(&out, "Alert", spd_alert_state_names);
    for (int in = 0; in < SPD_ALERT_IN_N; in++) {
        spd_str_addf(&out, "| %s |", spd_alert_input_names[in]);
        for (int s = 1; spd_alert_state_names[s]; s++) {
            bool legal;
            enum spd_alert_state next =
                spd_alert_next((enum spd_alert_state)s, (enum spd_alert_input)in, &legal);
            assert_true(next > 0 && next < SPD_ALERT_STATE_N);
            if (!legal) assert_int_equal(next, s);
            spd_str_addf(&out, " %s |",
                         !legal           ? "illegal"
                         : (int)next == s ? "."
                                          : spd_alert_state_names[next]);
        }
        spd_str_addc(&out, '\n');
    }
    compare(SPOED_SOURCE_DIR "/docs/life-of-an-alert.md", &out);
    spd_str_done(&out);
}

/* What the tables must never say, whatever else they say. */
static void safety(void **state)
{
    (void)state;
    for (int in = 0; in < SPD_LIFE_N; in++) {
        for (int s = SPD_IMAGES_PARTIAL; s < SPD_IMAGES_AXIS_N; s++)
            assert_true((int)spd_life_images((enum spd_images_axis)s, (enum spd_life_input)in) >=
                        s); /* images do not go away */
        if (in != SPD_LIFE_REOPEN)
            assert_int_equal(spd_life_order(SPD_ORDER_CANCELLED, (enum spd_life_input)in),
                             SPD_ORDER_CANCELLED);
    }
    for (int s = 1; s < SPD_ALERT_STATE_N; s++) {
        bool legal;
        enum spd_alert_state ok = spd_alert_next((enum spd_alert_state)s, SPD_ALERT_IN_OK, NULL);
        assert_true(spd_alert_open(ok) ==
                    spd_alert_open((enum spd_alert_state)s)); /* delivery never ends an alert */
        if (spd_alert_open((enum spd_alert_state)s)) {
            assert_int_equal(spd_alert_next((enum spd_alert_state)s, SPD_ALERT_IN_ACK, &legal),
                             SPD_ALERT_ACKNOWLEDGED);
            assert_true(legal);
            assert_int_equal(spd_alert_next((enum spd_alert_state)s, SPD_ALERT_IN_WITHDRAW, &legal),
                             SPD_ALERT_WITHDRAWN);
        }
    }
    assert_int_equal(spd_alert_next(SPD_ALERT_SENDING, SPD_ALERT_IN_RESTART, NULL), SPD_ALERT_DUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(life_of_an_item),
                                       cmocka_unit_test(life_of_an_alert),
                                       cmocka_unit_test(safety)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
