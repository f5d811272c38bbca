/* src/ups/state.c: UIDs, and what an item says of its workitem by itself. See ups.h. */
#include "base/hash.h"
#include "ups/ups.h"

spd_sv spd_ups_uid(const unsigned char secret[32], const char *kind, int64_t id,
                   struct spd_arena *arena)
{
    spd_sv text = spd_arena_printf(arena, "%s|%lld", kind, (long long)id);
    unsigned char h[32];
    unsigned __int128 big = 0;
    char digits[40];
    int at = (int)sizeof digits;
    spd_hmac_sha256(spd_sv_of((const char *)secret, 32), text, h);
    h[6] = (unsigned char)((h[6] & 0x0F) |
                           0x80); /* a UUID of version 8 (RFC 9562), as PS3.5 B.2 asks */
    h[8] = (unsigned char)((h[8] & 0x3F) | 0x80);
    for (int i = 0; i < 16; i++)
        big = big << 8 | h[i];
    do
        digits[--at] = (char)('0' + (int)(big % 10)), big /= 10;
    while (big);
    return spd_arena_printf(arena, "2.25.%.*s", (int)sizeof digits - at, digits + at);
}

/* Reading is what a workitem stands for: once dictated it is done, whoever has the report now. A
 * cancelled order with images stays to be dealt with until a person confirms (design rule 10). */
enum spd_workitem_state spd_ups_state(const struct spd_item *item)
{
    if (item->reading == SPD_READING_DICTATED || item->report >= SPD_REPORT_FINAL)
        return SPD_WORKITEM_COMPLETED;
    if (spd_item_status(item) == SPD_STATUS_CANCELLED) return SPD_WORKITEM_CANCELED;
    return item->reading == SPD_READING_CLAIMED ? SPD_WORKITEM_IN_PROGRESS : SPD_WORKITEM_SCHEDULED;
}

enum spd_readiness spd_ups_readiness(const struct spd_item *item)
{
    if (item->images == SPD_IMAGES_COMPLETE) return SPD_READINESS_READY;
    if (item->images == SPD_IMAGES_PARTIAL) return SPD_READINESS_INCOMPLETE;
    return item->exam_done ? SPD_READINESS_READY : SPD_READINESS_UNAVAILABLE;
}

enum spd_ups_priority spd_ups_priority_of(int level, int levels)
{
    if (level <= 0 || level >= levels) return levels == 1 ? SPD_UPS_HIGH : SPD_UPS_LOW;
    return level <= 2 ? SPD_UPS_HIGH : SPD_UPS_MEDIUM;
}
