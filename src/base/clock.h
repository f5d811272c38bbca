/* src/base/clock.h: time as a value. spd_usec is microseconds since 1970-01-01 UTC; 0 = not known.
 * Only hosts and doors ask the clock; everything below them gets "now" as an argument. */
#ifndef SPD_BASE_CLOCK_H
#define SPD_BASE_CLOCK_H

#include "base/arena.h"
#include "base/sv.h"

typedef int64_t spd_usec;

#define SPD_USEC_PER_SEC ((spd_usec)1000000)
#define SPD_SEC(n) ((spd_usec)(n)*1000000)
#define SPD_MIN(n) SPD_SEC((n)*60)
#define SPD_HOUR(n) SPD_SEC((n)*3600)

spd_usec spd_clock_now(void);       /* UTC */
spd_usec spd_clock_monotonic(void); /* CLOCK_BOOTTIME, for waits */

/* A time zone of the system's database ("Europe/Amsterdam"); cached for the life of the process.
 * NULL when the name is not known. Thread-safe. */
struct spd_zone;
const struct spd_zone *spd_zone_get(const char *name);
const struct spd_zone *spd_zone_utc(void);
/* Local wall-clock time to UTC; in the doubled hour of daylight saving the earlier (domain §8). */
spd_usec spd_zone_to_utc(const struct spd_zone *zone, int y, int mon, int d, int h, int min, int s,
                         int usec);
/* Offset from UTC in seconds at that moment. */
int spd_zone_offset(const struct spd_zone *zone, spd_usec t);

struct spd_civil {
    int year, month, day, hour, minute, second, usec, weekday; /* weekday 0 = Sunday */
};
struct spd_civil spd_zone_civil(const struct spd_zone *zone, spd_usec t);
bool spd_civil_valid(int y, int mon, int d);
int64_t spd_days_from_civil(int64_t y, int mon, int d); /* since 1970-01-01 */

/* ISO 8601 with offset, milliseconds: "2026-11-22T14:32:08.123+01:00"; "" for 0. In arena. */
spd_sv spd_time_iso(struct spd_arena *arena, const struct spd_zone *zone, spd_usec t);
/* Accepts the same, with Z or offset, seconds and fraction optional. */
bool spd_time_parse_iso(spd_sv text, spd_usec *ret);
/* "10s", "5m", "4h", "2d", "500ms"; false otherwise. */
bool spd_duration_parse(spd_sv text, spd_usec *ret);
/* "5m", "4h", "90s": the shortest form that is exact. In arena. */
spd_sv spd_duration_text(struct spd_arena *arena, spd_usec d);

#endif
