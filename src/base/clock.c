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
    for (z = zones; z && strcmp(z->name, name); z = z->next) {}
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

static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

bool spd_civil_valid(int y, int mon, int d)
{
    static const int len[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return y >= 1 && y <= 9999 && mon >= 1 && mon <= 12 && d >= 1 &&
           d <= len[mon - 1] + (mon == 2 && leap);
}

spd_usec spd_zone_to_utc(const struct spd_zone *zone, int y, int mon, int d, int h, int min, int s,
                         int usec)
{
    int64_t local = days_from_civil(y, mon, d) * 86400 + h * 3600 + min * 60 + s;
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

/* Reads n digits at *i. */
static bool digits(spd_sv v, size_t *i, int n, int *ret)
{
    int x = 0;
    for (int k = 0; k < n; k++, (*i)++) {
        if (*i >= v.len || v.ptr[*i] < '0' || v.ptr[*i] > '9') return false;
        x = x * 10 + (v.ptr[*i] - '0');
    }
    *ret = x;
    return true;
}

static bool one(spd_sv v, size_t *i, char c)
{
    if (*i >= v.len || v.ptr[*i] != c) return false;
    (*i)++;
    return true;
}

bool spd_time_parse_iso(spd_sv v, spd_usec *ret)
{
    int y, mo, d, h, mi, s = 0, us = 0, oh, om, sign = 0;
    size_t i = 0;
    if (!digits(v, &i, 4, &y) || !one(v, &i, '-') || !digits(v, &i, 2, &mo) || !one(v, &i, '-') ||
        !digits(v, &i, 2, &d) || !(one(v, &i, 'T') || one(v, &i, ' ')) || !digits(v, &i, 2, &h) ||
        !one(v, &i, ':') || !digits(v, &i, 2, &mi))
        return false;
    if (one(v, &i, ':') && !digits(v, &i, 2, &s)) return false;
    if (one(v, &i, '.')) {
        int scale = 100000;
        if (i >= v.len || v.ptr[i] < '0' || v.ptr[i] > '9') return false;
        for (; i < v.len && v.ptr[i] >= '0' && v.ptr[i] <= '9'; i++, scale /= 10)
            us += (v.ptr[i] - '0') * scale;
    }
    if (!spd_civil_valid(y, mo, d) || h > 23 || mi > 59 || s > 60) return false;
    if (one(v, &i, 'Z')) {
        oh = om = 0;
    } else {
        sign = one(v, &i, '+') ? 1 : one(v, &i, '-') ? -1 : 0;
        if (!sign || !digits(v, &i, 2, &oh)) return false;
        one(v, &i, ':');
        if (!digits(v, &i, 2, &om) || oh > 14 || om > 59) return false;
    }
    if (i != v.len) return false;
    *ret = (days_from_civil(y, mo, d) * 86400 + h * 3600 + mi * 60 + s -
            sign * (oh * 3600 + om * 60)) * 1000000 + us;
    return true;
}

bool spd_duration_parse(spd_sv text, spd_usec *ret)
{
    static const struct {
        const char *unit;
        spd_usec usec;
    } units[] = {{"ms", 1000}, {"s", SPD_SEC(1)}, {"m", SPD_MIN(1)}, {"h", SPD_HOUR(1)},
                 {"d", SPD_HOUR(24)}};
    size_t n = 0;
    int64_t v;
    while (n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9') n++;
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
    if (d % SPD_HOUR(1) == 0 && d) return spd_arena_printf(arena, "%lldh", (long long)(d / SPD_HOUR(1)));
    if (d % SPD_MIN(1) == 0) return spd_arena_printf(arena, "%lldm", (long long)(d / SPD_MIN(1)));
    if (d % SPD_SEC(1) == 0) return spd_arena_printf(arena, "%llds", (long long)(d / SPD_SEC(1)));
    return spd_arena_printf(arena, "%lldms", (long long)(d / 1000));
}
