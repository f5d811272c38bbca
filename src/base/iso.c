/* src/base/iso.c: the part of clock.h that reads a written time and needs no zone: the hooks link
 * this and no GLib. */
#include "base/clock.h"

int64_t spd_days_from_civil(int64_t y, int m, int d)
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
    *ret = (spd_days_from_civil(y, mo, d) * 86400 + h * 3600 + mi * 60 + s -
            sign * (oh * 3600 + om * 60)) *
               1000000 +
           us;
    return true;
}
