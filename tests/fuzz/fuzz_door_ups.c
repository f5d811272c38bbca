/* tests/fuzz/fuzz_door_ups.c: what a UPS client may send: a body as the creation and as the update
 * of a workitem, which is then shown, and shown again from what was shown; and a query string as
 * matching keys. Whatever is kept can be read again, and a workitem matches the keys made of
 * itself. */
#include <stdint.h>
#include <stdlib.h>

#include "door/ups_rs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void query(spd_sv text, const struct spd_dcm_set *set, struct spd_arena *a)
{
    struct spd_ups_key keys[32];
    struct spd_find_query q;
    struct spd_dcm_set part;
    size_t n = 0, limit, offset, at;
    while (text.len && n < 32) {
        spd_sv one = text;
        if (spd_sv_find(text, SPD_SV("&"), &at)) one.len = at;
        keys[n].name = one, keys[n].value = SPD_SV_NONE;
        if (spd_sv_find(one, SPD_SV("="), &at)) {
            keys[n].name.len = at;
            keys[n].value = spd_sv_of(one.ptr + at + 1, one.len - at - 1);
        }
        n++;
        text.ptr += one.len, text.len -= one.len;
        if (text.len) text.ptr++, text.len--;
    }
    if (spd_ups_rs_keys(keys, n, &q, &limit, &offset, a, NULL)) return;
    spd_ups_matches(set, q.keys, q.n_keys);
    spd_ups_select(set, q.keys, q.n_keys, &part, a);
    for (size_t i = 0; i < q.n_keys; i++)
        if (!spd_dcm_find(&part, q.keys[i].path[0]))
            abort(); /* what is asked for is there, if empty */
}

static void show(const struct spd_item *item, const struct spd_workitem *w, struct spd_arena *a)
{
    struct spd_ups_site site = {0};
    struct spd_dcm d = {.charset = SPD_SV("ISO_IR 192")}, again;
    struct spd_str json = SPD_STR_INIT(8 << 20), bytes = SPD_STR_INIT(8 << 20);
    spd_ups_dataset(item, w, &site, &d.set, a);
    spd_dcm_to_json(&d, &json, a);
    spd_dcm_encode(&d.set, true, &bytes);
    if (spd_str_ok(&json) && spd_dcm_from_json(spd_str_sv(&json), &again, a, NULL)) abort();
    if (!spd_dcm_find(&d.set, 0x00080018) || spd_dcm_find(&d.set, 0x00081195)) abort();
    spd_str_done(&json), spd_str_done(&bytes);
}

static void body(spd_sv text, struct spd_dcm_set *ret, struct spd_arena *a)
{
    struct spd_dcm d;
    struct spd_item item = {.id = 1};
    struct spd_workitem w = {.id = 1, .uid = SPD_SV("2.25.1"), .state = SPD_WORKITEM_CANCELED};
    struct spd_workitem_event made = {0}, changed = {0};
    struct spd_ups_site site = {0};
    uint32_t tag;
    if (spd_ups_rs_body(text, &d, a, NULL)) return;
    struct spd_ups_ask ask = {.verb = SPD_UPS_CREATE, .data = &d};
    unsigned status = spd_ups_create(&ask, spd_zone_utc(), &made, &tag, a);
    if (!status && (made.order.orders.n != 1 || !made.order.patient.ids.n)) abort();
    spd_ups_take(&d, false, &changed, a);
    spd_ups_merge(&w, made.attributes.v, made.attributes.n, a);
    if (spd_ups_merge(&w, changed.attributes.v, changed.attributes.n, a)) show(&item, &w, a);
    spd_ups_dataset(&item, &w, &site, ret, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_arena *a = spd_arena_new((size_t)256 << 20);
    spd_sv text = spd_sv_of((const char *)data, size);
    struct spd_dcm_set set = {0};
    size_t at;
    spd_sv keys = SPD_SV_NONE;
    if (size > (256 << 10)) {
        spd_arena_free(a);
        return 0;
    }
    if (spd_sv_find(text, SPD_SV("\n"), &at)) /* the keys, then the body */
        keys = spd_sv_of(text.ptr, at), text = spd_sv_of(text.ptr + at + 1, text.len - at - 1);
    body(text, &set, a);
    query(keys, &set, a);
    spd_arena_free(a);
    return 0;
}
