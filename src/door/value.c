/* src/door/value.c: see value.h. */
#include "door/value.h"

#include "base/hash.h"

static bool digits(spd_sv v, size_t at, size_t n, int *ret)
{
    *ret = 0;
    if (at + n > v.len) return false;
    for (size_t i = at; i < at + n; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9') return false;
        *ret = *ret * 10 + (v.ptr[i] - '0');
    }
    return true;
}

spd_usec spd_door_when(spd_sv date, spd_sv time, spd_sv z, const struct spd_zone *zone)
{
    int y, mon, day, h = 0, min = 0, s = 0, oh, om;
    if (!digits(date, 0, 4, &y) || !digits(date, 4, 2, &mon) || !digits(date, 6, 2, &day) ||
        !spd_civil_valid(y, mon, day))
        return 0;
    if (!digits(time, 0, 2, &h)) h = 0;
    if (!digits(time, 2, 2, &min)) min = 0;
    if (!digits(time, 4, 2, &s)) s = 0;
    if (h > 23 || min > 59 || s > 60) return 0;
    if (z.len == 5 && (z.ptr[0] == '+' || z.ptr[0] == '-') && digits(z, 1, 2, &oh) &&
        digits(z, 3, 2, &om)) {
        spd_usec off = SPD_HOUR(oh) + SPD_MIN(om);
        return spd_zone_to_utc(spd_zone_utc(), y, mon, day, h, min, s, 0) -
               (z.ptr[0] == '-' ? -off : off);
    }
    return spd_zone_to_utc(zone ? zone : spd_zone_utc(), y, mon, day, h, min, s, 0);
}

void spd_door_patient(const struct spd_dcm *d, const struct spd_door_peer *peer,
                      struct spd_patient *ret, struct spd_arena *arena)
{
    spd_sv id = spd_dcm_text(d, &d->set, 0x00100020, arena, NULL);
    spd_sv issuer = spd_dcm_text(d, &d->set, 0x00100021, arena, NULL);
    *ret = (struct spd_patient){.name = spd_dcm_text(d, &d->set, 0x00100010, arena, NULL),
                                .birth_date = spd_dcm_text(d, &d->set, 0x00100030, arena, NULL),
                                .sex = spd_dcm_text(d, &d->set, 0x00100040, arena, NULL)};
    if (!id.len) return;
    ret->ids.v = SPD_NEW(arena, struct spd_cx), ret->ids.n = 1;
    ret->ids.v[0] = (struct spd_cx){id, issuer.len ? issuer : peer->patient_authority};
}

struct spd_cx spd_door_accession(const struct spd_dcm *d, const struct spd_dcm_set *set,
                                 const struct spd_door_peer *peer, struct spd_arena *arena)
{
    const struct spd_dcm_set *issuer = spd_dcm_item(set, 0x00080051);
    struct spd_cx cx = {spd_dcm_text(d, set, 0x00080050, arena, NULL), SPD_SV_NONE};
    if (!cx.value.len) return cx;
    if (issuer) cx.authority = spd_dcm_text(d, issuer, 0x00400031, arena, NULL);
    if (!cx.authority.len) cx.authority = peer->accession_issuer;
    return cx;
}

void spd_door_references(const struct spd_dcm_set *set, uint32_t sequence,
                         struct spd_door_uids *ret, struct spd_arena *arena)
{
    const struct spd_dcm_elem *e = spd_dcm_find(set, sequence);
    for (size_t i = 0; e && i < e->n_items; i++) {
        spd_sv uid = spd_dcm_raw(&e->items[i], 0x00081155);
        if (!spd_dcm_is_uid(uid)) continue;
        *(spd_sv *)spd_list_add((struct spd_seq *)(void *)ret, sizeof(spd_sv), arena) = uid;
    }
}

struct spd_message_in spd_door_envelope(spd_sv raw, const struct spd_door_peer *peer, spd_sv type,
                                        spd_sv ae_title, spd_sv control_id, struct spd_arena *arena)
{
    struct spd_message_in m = {
        .peer = peer->name, .type = type, .sender = ae_title, .control_id = control_id, .raw = raw};
    m.hash = spd_sha256_hex(arena, raw);
    if (!m.control_id.len) m.control_id = m.hash;
    return m;
}

spd_sv spd_door_new_uid(struct spd_arena *arena)
{
    unsigned char bytes[16];
    unsigned __int128 big = 0;
    char digit[40];
    size_t at = sizeof digit;
    spd_random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        big = big << 8 | bytes[i];
    do
        digit[--at] = (char)('0' + (int)(big % 10)), big /= 10;
    while (big);
    return spd_arena_printf(arena, "2.25.%.*s", (int)(sizeof digit - at), digit + at);
}
