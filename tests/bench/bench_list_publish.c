/* tests/bench/bench_list_publish.c: 100,000 open items: put and publish one change, p50 and p99; memory
 * per item. An argument sets another number of items. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "list/list.h"

static int cmp(const void *a, const void *b)
{
    spd_usec x = *(const spd_usec *)a, y = *(const spd_usec *)b;
    return (x > y) - (x < y);
}

static void put(struct spd_board *b, int64_t id, int64_t revision, uint64_t dice)
{
    struct spd_view v = {0};
    struct spd_reason why = {SPD_SV("order"), SPD_SV("Aangevraagd als routine"), SPD_SV("Ordered as routine"), 4};
    struct spd_cx pid = {SPD_SV("ZZ0000001"), SPD_SV("ZH")};
    struct spd_code procedure = {SPD_SV("CTHERS"), SPD_SV("L"), SPD_SV("CT hersenen")};
    v.item.id = id;
    v.item.accession = (struct spd_cx){SPD_SV("ACC00000001"), SPD_SV("ZH")};
    v.item.patient.ids.v = &pid, v.item.patient.ids.n = 1;
    v.item.patient.name = SPD_SV("ZZCANARY, Test");
    v.item.procedures.v = &procedure, v.item.procedures.n = 1;
    v.item.reasons.v = &why, v.item.reasons.n = 1;
    v.item.modality = SPD_SV("CT"), v.item.body_part = SPD_SV("HEAD"), v.item.location = SPD_SV("SEH");
    v.item.order = SPD_ORDER_ACTIVE, v.item.images = SPD_IMAGES_COMPLETE;
    v.item.level = (int)(dice % 4) + 1, v.item.due = (spd_usec)(dice >> 8), v.item.arrived = id;
    v.level_name = SPD_SV("routine");
    spd_board_put(b, &v, revision);
}

int main(int argc, char **argv)
{
    enum { ROUNDS = 20000 };
    int64_t items = 100000;
    static spd_usec took[ROUNDS];
    struct spd_board *b = spd_board_new();
    uint64_t seed = 1;
    size_t before = mallinfo2().uordblks, after;
    if (argc > 1 && !spd_sv_to_i64(spd_sv_from(argv[1]), &items)) return 2;
    for (int64_t id = 1; id <= items; id++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        put(b, id, id, seed >> 20);
    }
    spd_board_publish(b, items, 1, true);
    after = mallinfo2().uordblks;
    for (int i = 0; i < ROUNDS; i++) {
        const struct spd_list *held = i % 10 == 0 ? spd_board_get(b) : NULL;
        spd_usec start;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        start = spd_clock_monotonic();
        put(b, 1 + (int64_t)((seed >> 33) % (uint64_t)items), items + i, seed >> 20);
        spd_board_publish(b, items + i, 1, true);
        took[i] = spd_clock_monotonic() - start;
        spd_list_unref(held);
    }
    qsort(took, ROUNDS, sizeof *took, cmp);
    printf("list: %lld open items, %zu bytes per item; put+publish p50 %lld us, p99 %lld us, max %lld us\n",
           (long long)items, (after - before) / (size_t)items, (long long)took[ROUNDS / 2],
           (long long)took[ROUNDS * 99 / 100], (long long)took[ROUNDS - 1]);
    spd_board_free(b);
    return 0;
}
