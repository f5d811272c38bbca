/* src/base/clock.c: see clock.h. Zones come from GLib's GTimeZone (reads the system's tz database):
 * localtime_r with a changed TZ is neither thread-safe nor pure. */
#define _GNU_SOURCE
#include "base/clock.h"

#include <glib.h>
#include <pthread.h>
#include <time.h>

struct spd_zone {
    GTimeZone *tz;
    char *name;
    struct spd_zone *next;
};

static pthread_mutex_t zones_lock = PTHREAD_MUTEX_INITIALIZER; /* guards zones; leaf lock */
static struct spd_zone *zones;

const struct spd_zone *spd_zone_get(const char *name)
{
    struct spd_zone *z;
    pthread_mutex_lock(&zones_lock);
    for (z = zones; z && strcmp(z->name, name); z = z->next) {
    }
    if (!z) {
        GTimeZone *tz = g_time_zone_new_identifier(name);
        if (tz) {
            z = g_new0(struct spd_zone, 1);
            z->tz = tz, z->name = g_strdup(name), z->next = zones;
            zones = z;
        }
    }
    pthread_mutex_unlock(&zones_lock);
    return z;
}

const struct spd_zone *spd_zone_utc(void)
{
    return spd_zone_get("UTC");
}

spd_usec spd_zone_to_utc(const struct spd_zone *zone, int y, int mon, int d, int h, int min, int s,
                         int usec)
{
    int64_t local = spd_days_from_civil(y, mon, d) * 86400 + h * 3600 + min * 60 + s;
    int i = g_time_zone_find_interval(zone->tz, G_TIME_TYPE_DAYLIGHT, local);
    int32_t off;
    if (i >= 0 && g_time_zone_is_dst(zone->tz, i)) {
        off = g_time_zone_get_offset(zone->tz, i); /* doubled hour: summer time is the earlier */
    } else {
        int64_t adjusted = local;
        i = g_time_zone_adjust_time(zone->tz, G_TIME_TYPE_STANDARD, &adjusted);
        off = i >= 0 ? g_time_zone_get_offset(zone->tz, i) : 0;
        local = adjusted;
    }
    return (local - off) * 1000000 + usec;
}

int spd_zone_offset(const struct spd_zone *zone, spd_usec t)
{
    int64_t sec = t >= 0 ? t / 1000000 : (t - 999999) / 1000000;
    int i = g_time_zone_find_interval(zone->tz, G_TIME_TYPE_UNIVERSAL, sec);
    return i >= 0 ? g_time_zone_get_offset(zone->tz, i) : 0;
}

struct spd_civil spd_zone_civil(const struct spd_zone *zone, spd_usec t)
{
    struct spd_civil c;
    struct tm tm;
    int64_t local = t + (int64_t)spd_zone_offset(zone, t) * 1000000;
    time_t sec = local >= 0 ? local / 1000000 : (local - 999999) / 1000000;
    gmtime_r(&sec, &tm);
    c.year = tm.tm_year + 1900, c.month = tm.tm_mon + 1, c.day = tm.tm_mday;
    c.hour = tm.tm_hour, c.minute = tm.tm_min, c.second = tm.tm_sec;
    c.usec = (int)(local - (int64_t)sec * 1000000);
    c.weekday = tm.tm_wday;
    return c;
}

spd_sv spd_time_iso(struct spd_arena *arena, const struct spd_zone *zone, spd_usec t)
{
    struct spd_civil c;
    int off;
    if (t == 0) return SPD_SV("");
    c = spd_zone_civil(zone, t);
    off = spd_zone_offset(zone, t) / 60;
    return spd_arena_printf(arena, "%04d-%02d-%02dT%02d:%02d:%02d.%03d%c%02d:%02d", c.year, c.month,
                            c.day, c.hour, c.minute, c.second, c.usec / 1000, off < 0 ? '-' : '+',
                            (off < 0 ? -off : off) / 60, (off < 0 ? -off : off) % 60);
}

bool spd_duration_parse(spd_sv text, spd_usec *ret)
{
    static const struct {
        const char *unit;
        spd_usec usec;
    } units[] = {{"ms", 1000},
                 {"s", SPD_SEC(1)},
                 {"m", SPD_MIN(1)},
                 {"h", SPD_HOUR(1)},
                 {"d", SPD_HOUR(24)}};
    size_t n = 0;
    int64_t v;
    while (n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9')
        n++;
    if (!spd_sv_to_i64(spd_sv_of(text.ptr, n), &v) || v > 100000) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (spd_sv_is(spd_sv_of(text.ptr + n, text.len - n), units[i].unit)) {
            *ret = v * units[i].usec;
            return true;
        }
    return false;
}

spd_sv spd_duration_text(struct spd_arena *arena, spd_usec d)
{
    if (d % SPD_HOUR(24) == 0 && d >= SPD_HOUR(48))
        return spd_arena_printf(arena, "%lldd", (long long)(d / SPD_HOUR(24)));
    if (d % SPD_HOUR(1) == 0 && d)
        return spd_arena_printf(arena, "%lldh", (long long)(d / SPD_HOUR(1)));
    if (d % SPD_MIN(1) == 0) return spd_arena_printf(arena, "%lldm", (long long)(d / SPD_MIN(1)));
    if (d % SPD_SEC(1) == 0) return spd_arena_printf(arena, "%llds", (long long)(d / SPD_SEC(1)));
    return spd_arena_printf(arena, "%lldms", (long long)(d / 1000));
}
