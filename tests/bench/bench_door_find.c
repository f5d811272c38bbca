/* tests/bench/bench_door_find.c: C-FIND over the published list, without network: one accession, one day of one
 * modality, everything, with and without writing the answers. Prints time per query and per answer. */
#include <stdio.h>

#include "door/find.h"

static void put(struct spd_board *b, int64_t id)
{
    struct spd_view v = {0};
    char acc[16], pid[16], name[40];
    struct spd_cx id_cx = {.authority = SPD_SV("ZH")};
    struct spd_code p = {SPD_SV("CTHERS"), SPD_SV("L"), SPD_SV("CT hersenen")};
    snprintf(acc, sizeof acc, "A%07d", (int)id), snprintf(pid, sizeof pid, "ZZ%07d", (int)id);
    snprintf(name, sizeof name, "ZZCANARY%d, Test", (int)id);
    id_cx.value = spd_sv_from(pid);
    v.item = (struct spd_item){.id = id, .modality = id % 3 ? SPD_SV("CT") : SPD_SV("DX"), .order = SPD_ORDER_ACTIVE,
                               .level = 1 + (int)(id % 4), .arrived = SPD_SEC(id), .images = SPD_IMAGES_COMPLETE,
                               .reading = SPD_READING_UNREAD, .report = SPD_REPORT_NONE, .created = SPD_SEC(1772000000)};
    v.item.accession.value = spd_sv_from(acc), v.item.patient.name = spd_sv_from(name);
    v.item.patient.ids.v = &id_cx, v.item.patient.ids.n = 1;
    v.item.procedures.v = &p, v.item.procedures.n = 1;
    v.exam_at = SPD_SEC(1772000000 + id * 60);
    v.level_name = SPD_SV("routine");
    spd_board_put(b, &v, 1);
}

struct ctx { struct spd_find_query *q; const struct spd_zone *zone; struct spd_str out; bool write; };

static bool answer(void *ctx, const struct spd_row *row)
{
    struct ctx *c = ctx;
    spd_str_clear(&c->out);
    if (c->write) spd_find_dataset(c->q, row, c->zone, true, &c->out);
    return true;
}

int main(void)
{
    static const struct { const char *name; uint32_t path[2]; const char *value; } queries[] = {
        {"one accession", {0x00080050}, "A0000777"}, {"CT of the step", {0x00400100, 0x00080060}, "CT"}, {"everything", {0x00080050}, ""}};
    for (int n = 10000; n <= 100000; n *= 10) {
        struct spd_board *b = spd_board_new();
        for (int64_t id = 1; id <= n; id++) put(b, id);
        spd_board_publish(b, 1, 1, true);
        const struct spd_list *l = spd_board_get(b);
        for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
            for (int write = 0; write < 2; write++) {
                struct spd_find_key keys[SPD_FIND_KEYS_MAX] = {
                    {.path = {0x00100010}, .depth = 1}, {.path = {0x00100020}, .depth = 1}, {.path = {0x0020000D}, .depth = 1},
                    {.path = {0x00401003}, .depth = 1}, {.path = {0x00400100, 0x00400002}, .depth = 2},
                    {.depth = queries[i].path[1] ? 2 : 1, .value = spd_sv_from(queries[i].value)}};
                memcpy(keys[5].path, queries[i].path, sizeof queries[i].path);
                struct spd_find_query q = {true, keys, 6};
                spd_find_prepare(&q, NULL);
                struct ctx c = {&q, spd_zone_get("Europe/Amsterdam"), SPD_STR_INIT(1 << 16), write};
                size_t answers = 0, rounds = 10;
                spd_usec t = spd_clock_monotonic();
                for (size_t r = 0; r < rounds; r++) answers = spd_find_run(l, &q, c.zone, answer, &c);
                t = spd_clock_monotonic() - t;
                printf("%6d items, %-15s %-14s %8.3f ms a query, %6zu answers", n, queries[i].name, write ? "written" : "matched only",
                       (double)t / (double)rounds / 1000, answers);
                if (answers > 100) printf(", %.0f ns each", (double)t * 1000 / (double)rounds / (double)answers);
                putchar('\n');
                spd_str_done(&c.out);
            }
        spd_list_unref(l);
        spd_board_free(b);
    }
    return 0;
}
