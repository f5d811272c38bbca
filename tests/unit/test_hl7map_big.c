/* Messages as large as a frame may be, made to cost as much as they can: the map stays within the
 * memory that the door gives it, and in time that is proportional to the size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "hl7/map/map.h"

#define ARENA ((size_t)128 << 20) /* the door gives 160 MB, 16 of them for the bytes themselves */
#define FRAME ((size_t)16 << 20)

static const char *const filler[] = {"\xE9", "\\.br\\", "\\XE9\\", "a~", "\\E\\", "x"};

static void fill(struct spd_str *s, size_t to, const char *with)
{
    while (s->len < to)
        spd_str_addz(s, with);
}

static void start(struct spd_str *s, const char *type)
{
    spd_str_addf(s, "MSH|^~\\&|RIS|ZH|||20260101||%s|1|P|2.3||||||8859/1\r", type);
}

static void one_field(struct spd_str *s, const char *with)
{
    start(s, "ORU^R01");
    spd_str_addz(s, "PID|1||ZZ1||ZZCANARY\rOBR|1|P1|F1|CT1\rOBX|1|TX|x||");
    fill(s, FRAME - 20, with);
    spd_str_addz(s, "||||||F\r");
}

static void one_service(struct spd_str *s, const char *with)
{
    start(s, "ORM^O01");
    spd_str_addz(s, "PID|1||ZZ1||ZZCANARY\rORC|NW|P1|F1\rOBR|1|P1|F1|CT1^CT ");
    fill(s, FRAME - 20, with);
    spd_str_addz(s, "^L\r");
}

static void one_name(struct spd_str *s, const char *with)
{
    start(s, "ORM^O01");
    spd_str_addz(s, "PID|1||");
    fill(s, FRAME / 2, with);
    spd_str_addz(s, "||");
    fill(s, FRAME - 100, with);
    spd_str_addz(s, "^A\rORC|NW|P1|F1\rOBR|1|P1|F1|CT1^CT\r");
}

static void many_groups(struct spd_str *s, const char *with)
{
    start(s, "ORM^O01");
    spd_str_addz(s, "PID|1||ZZ1||ZZCANARY\r");
    for (int g = 0; g < 256; g++) {
        size_t base = s->len;
        spd_str_addf(s, "ORC|NW|P%d|F%d\rOBR|1|P%d|F%d|CT%d^CT ", g, g, g, g, g);
        for (int f = 5; f < 44; f++) {
            fill(s, base + (size_t)(f - 3) * 1500, with);
            spd_str_addc(s, '|');
        }
        spd_str_addc(s, '\r');
    }
}

static void many_segments(struct spd_str *s, const char *with)
{
    start(s, "ORU^R01");
    spd_str_addz(s, "PID|1||ZZ1||ZZCANARY\rOBR|1|P1|F1|CT1\r");
    for (int i = 0; i < 1990; i++) {
        spd_str_addz(s, "OBX|1|TX|x||");
        fill(s, s->len + 8000, with);
        spd_str_addc(s, '\r');
    }
}

static void (*const shapes[])(struct spd_str *, const char *) = {one_field, one_service, one_name,
                                                                 many_groups, many_segments};

static void stays_within_its_memory(void **state)
{
    struct hl7_map_options o = {
        .orders = true, .adt = true, .reports = true, .now = SPD_SEC(1700000000)};
    (void)state;
    for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++)
        for (size_t f = 0; f < sizeof filler / sizeof filler[0]; f++) {
            struct spd_str s = SPD_STR_INIT(FRAME + 4096);
            struct spd_arena *arena = spd_arena_new(ARENA);
            struct spd_event e;
            shapes[k](&s, filler[f]);
            assert_true(spd_str_ok(&s));
            clock_t before = clock();
            hl7_map_in(spd_str_sv(&s), &o, &e, arena);
            double took = (double)(clock() - before) / CLOCKS_PER_SEC;
            if (spd_arena_failed(arena))
                fail_msg("shape %zu, filler %zu: %zu bytes", k, f, spd_arena_used(arena));
            if (took > 10) fail_msg("shape %zu, filler %zu: %.1f s", k, f, took);
            spd_arena_free(arena);
            spd_str_done(&s);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stays_within_its_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
