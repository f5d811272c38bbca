/* base: times, both nights of daylight saving, ISO 8601, durations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

#define N(a) (sizeof(a) / sizeof *(a))

static void test_zone(void **state)
{
    /* Amsterdam: summer time from 2026-03-29 02:00 to 2026-10-25 03:00. */
    static const struct {
        const char *name, *zone;
        int y, mon, d, h, min;
        const char *utc;
    } rows[] = {
        {"winter", "Europe/Amsterdam", 2026, 1, 5, 10, 0, "2026-01-05T09:00:00Z"},
        {"summer", "Europe/Amsterdam", 2026, 7, 1, 10, 0, "2026-07-01T08:00:00Z"},
        {"before the lost hour", "Europe/Amsterdam", 2026, 3, 29, 1, 59, "2026-03-29T00:59:00Z"},
        {"in the lost hour: not before it", "Europe/Amsterdam", 2026, 3, 29, 3, 0,
         "2026-03-29T01:00:00Z"},
        {"before the doubled hour", "Europe/Amsterdam", 2026, 10, 25, 1, 59,
         "2026-10-24T23:59:00Z"},
        {"in the doubled hour: the earlier", "Europe/Amsterdam", 2026, 10, 25, 2, 30,
         "2026-10-25T00:30:00Z"},
        {"end of the doubled hour", "Europe/Amsterdam", 2026, 10, 25, 3, 0, "2026-10-25T02:00:00Z"},
        {"a year before", "Europe/Amsterdam", 2025, 10, 26, 2, 30, "2025-10-26T00:30:00Z"},
        {"year's end", "Europe/Amsterdam", 2026, 12, 31, 23, 59, "2026-12-31T22:59:00Z"},
        {"leap day", "UTC", 2028, 2, 29, 12, 0, "2028-02-29T12:00:00Z"},
        {"southern summer", "America/Sao_Paulo", 2026, 1, 1, 0, 0, "2026-01-01T03:00:00Z"},
        {"half hour", "Asia/Kolkata", 2026, 1, 1, 0, 0, "2025-12-31T18:30:00Z"},
        {"before 1970", "UTC", 1950, 1, 1, 0, 0, "1950-01-01T00:00:00Z"}};
    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        const struct spd_zone *z = spd_zone_get(rows[i].zone);
        spd_usec wanted, got;
        assert_non_null(z);
        assert_true(spd_time_parse_iso(spd_sv_from(rows[i].utc), &wanted));
        got = spd_zone_to_utc(z, rows[i].y, rows[i].mon, rows[i].d, rows[i].h, rows[i].min, 0, 0);
        if (got != wanted)
            fail_msg("%s: %lld s off", rows[i].name, (long long)((got - wanted) / SPD_SEC(1)));
    }
    assert_null(spd_zone_get("Europe/Nowhere"));
    assert_ptr_equal(spd_zone_get("Europe/Amsterdam"), spd_zone_get("Europe/Amsterdam"));
}

/* Every half hour of both nights: local time goes there and back, but for the hour that exists
 * twice. */
static void test_round_trip(void **state)
{
    const struct spd_zone *z = spd_zone_get("Europe/Amsterdam");
    static const char *const nights[] = {"2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z"};
    int differ = 0;
    (void)state;
    for (int n = 0; n < 2; n++) {
        spd_usec t;
        assert_true(spd_time_parse_iso(spd_sv_from(nights[n]), &t));
        for (int i = 0; i < 24; i++, t += SPD_MIN(30)) {
            struct spd_civil c = spd_zone_civil(z, t);
            spd_usec back =
                spd_zone_to_utc(z, c.year, c.month, c.day, c.hour, c.minute, c.second, c.usec);
            if (back == t) continue;
            assert_int_equal(t - back, SPD_HOUR(1)); /* the later of two: read as the earlier */
            assert_int_equal(c.hour, 2);
            differ++;
        }
    }
    assert_int_equal(differ, 2);
}

static void test_civil(void **state)
{
    struct spd_civil c = spd_zone_civil(spd_zone_get("Europe/Amsterdam"),
                                        spd_zone_to_utc(spd_zone_utc(), 2026, 1, 4, 23, 30, 5, 7));
    (void)state;
    assert_true(c.year == 2026 && c.month == 1 && c.day == 5 && c.hour == 0 && c.minute == 30 &&
                c.second == 5 && c.usec == 7);
    assert_int_equal(c.weekday, 1); /* Monday */
    assert_true(spd_civil_valid(2028, 2, 29) && spd_civil_valid(2000, 2, 29));
    assert_false(spd_civil_valid(2026, 2, 29) || spd_civil_valid(1900, 2, 29) ||
                 spd_civil_valid(2026, 4, 31) || spd_civil_valid(2026, 0, 1) ||
                 spd_civil_valid(2026, 13, 1) || spd_civil_valid(2026, 1, 0) ||
                 spd_civil_valid(0, 1, 1));
}

static void test_iso(void **state)
{
    static const struct {
        const char *text;
        bool good;
        const char *same;
    } rows[] = {{"2026-11-22T14:32:08.123+01:00", true, "2026-11-22T13:32:08.123Z"},
                {"2026-11-22T14:32Z", true, "2026-11-22T14:32:00Z"},
                {"2026-11-22 14:32:08-0530", true, "2026-11-22T20:02:08Z"},
                {"2026-11-22T14:32:08", false, NULL},
                {"2026-11-22", false, NULL},
                {"2026-02-30T00:00Z", false, NULL},
                {"2026-11-22T24:00Z", false, NULL},
                {"2026-11-22T14:32:08.Z", false, NULL},
                {"2026-11-22T14:32:08+1:00", false, NULL},
                {"2026-11-22T14:32:08Zx", false, NULL},
                {"", false, NULL}};
    struct spd_arena *a = spd_arena_new(10000);
    spd_usec t, u;
    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        bool good = spd_time_parse_iso(spd_sv_from(rows[i].text), &t);
        if (good != rows[i].good) fail_msg("%s", rows[i].text);
        if (!good) continue;
        assert_true(spd_time_parse_iso(spd_sv_from(rows[i].same), &u));
        if (t != u) fail_msg("%s is not %s", rows[i].text, rows[i].same);
    }
    assert_true(spd_time_parse_iso(SPD_SV("2026-11-22T14:32:08.123+01:00"), &t));
    assert_true(spd_sv_is(spd_time_iso(a, spd_zone_get("Europe/Amsterdam"), t),
                          "2026-11-22T14:32:08.123+01:00"));
    assert_true(spd_sv_is(spd_time_iso(a, spd_zone_utc(), t), "2026-11-22T13:32:08.123+00:00"));
    assert_true(spd_sv_is(spd_time_iso(a, spd_zone_get("America/St_Johns"), t),
                          "2026-11-22T10:02:08.123-03:30"));
    assert_true(spd_sv_is(spd_time_iso(a, spd_zone_utc(), 0), ""));
    spd_arena_free(a);
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        bool good;
        spd_usec value;
        const char *again;
    } rows[] = {{"10s", true, SPD_SEC(10), "10s"},
                {"5m", true, SPD_MIN(5), "5m"},
                {"4h", true, SPD_HOUR(4), "4h"},
                {"2d", true, SPD_HOUR(48), "2d"},
                {"500ms", true, 500000, "500ms"},
                {"90s", true, SPD_SEC(90), "90s"},
                {"60s", true, SPD_MIN(1), "1m"},
                {"0s", true, 0, "0m"},
                {"24h", true, SPD_HOUR(24), "24h"},
                {"5", false, 0, NULL},
                {"m", false, 0, NULL},
                {"5 m", false, 0, NULL},
                {"-5m", false, 0, NULL},
                {"1.5h", false, 0, NULL},
                {"5min", false, 0, NULL},
                {"", false, 0, NULL},
                {"100001s", false, 0, NULL},
                {"99999999999999999999s", false, 0, NULL}};
    struct spd_arena *a = spd_arena_new(10000);
    spd_usec d;
    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        bool good = spd_duration_parse(spd_sv_from(rows[i].text), &d);
        if (good != rows[i].good || (good && d != rows[i].value)) fail_msg("%s", rows[i].text);
        if (good && !spd_sv_is(spd_duration_text(a, d), rows[i].again))
            fail_msg("%s again: %s", rows[i].text, spd_duration_text(a, d).ptr);
    }
    spd_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zone), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_civil), cmocka_unit_test(test_iso), cmocka_unit_test(test_durations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
