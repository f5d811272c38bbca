/* tests/fuzz/fuzz_door_find.c: an identifier as bytes (first byte: explicit or not, which list), through the flat
 * form, the matcher and both writers. What is written must be readable by our own scanner. */
#include <stdint.h>
#include <stdlib.h>

#include "door/find.h"

struct ctx { const struct spd_find_query *q; bool explicit_vr; };

static bool answer(void *ctx, const struct spd_row *row)
{
    struct ctx *c = ctx;
    struct spd_str out = SPD_STR_INIT(8 << 20);
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    struct spd_dcm d = {0};
    struct spd_err err;
    spd_find_dataset(c->q, row, spd_zone_utc(), c->explicit_vr, &out);
    if (spd_str_ok(&out) && spd_dcm_parse_dataset(spd_str_sv(&out), c->explicit_vr ? SPD_SV("1.2.840.10008.1.2.1") : SPD_SV("1.2.840.10008.1.2"), &d, arena, &err))
        abort();
    spd_str_done(&out);
    spd_arena_free(arena);
    return true;
}

static const struct spd_list *a_list(void)
{
    static struct spd_board *board;
    if (board) return spd_board_get(board);
    board = spd_board_new();
    for (int64_t id = 1; id <= 4; id++) {
        struct spd_view v = {0};
        struct spd_cx pid = {SPD_SV("ZZ1"), SPD_SV("ZH")};
        v.item = (struct spd_item){.id = id, .order = SPD_ORDER_ACTIVE, .images = id > 2 ? SPD_IMAGES_COMPLETE : SPD_IMAGES_NONE,
                                   .reading = SPD_READING_UNREAD, .report = SPD_REPORT_NONE, .level = (int)id, .modality = SPD_SV("CT"),
                                   .created = SPD_SEC(1772000000), .arrived = SPD_SEC(1772000000)};
        v.item.accession.value = id & 1 ? SPD_SV("ACC1") : SPD_SV("");
        v.item.patient.name = SPD_SV("ZZCANARY, Té"), v.item.patient.ids.v = &pid, v.item.patient.ids.n = 1;
        v.on_modality_list = id <= 2;
        spd_board_put(board, &v, 1);
    }
    spd_board_publish(board, 1, 1, true);
    return spd_board_get(board);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    struct spd_arena *arena = spd_arena_new((size_t)200 << 20);
    struct spd_find_query q = {0}, flat = {0};
    struct spd_dcm d = {0};
    struct spd_str bytes = SPD_STR_INIT(8 << 20);
    const struct spd_list *list = a_list();
    struct ctx c = {&flat, data[0] & 1};
    if (!spd_dcm_parse_dataset(spd_sv_of((const char *)data + 1, size - 1), data[0] & 1 ? SPD_SV("1.2.840.10008.1.2.1") : SPD_SV("1.2.840.10008.1.2"), &d, arena, NULL) &&
        !spd_find_keys_from_set(&d, &q, arena, NULL)) {
        q.reporting = data[0] & 2;
        spd_find_keys_encode(&q, &bytes);
        if (spd_str_ok(&bytes)) {
            if (spd_find_keys_decode(spd_str_sv(&bytes), &flat, arena, NULL)) abort();
            if (!spd_find_prepare(&flat, NULL)) spd_find_run(list, &flat, spd_zone_utc(), answer, &c);
        }
    }
    spd_find_keys_decode(spd_sv_of((const char *)data, size), &flat, arena, NULL);
    spd_list_unref(list);
    spd_str_done(&bytes);
    spd_arena_free(arena);
    return 0;
}
