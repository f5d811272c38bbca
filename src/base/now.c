/* src/base/now.c: the two clocks of clock.h, apart from the zones: the hooks link this and no GLib.
 */
#define _GNU_SOURCE
#include <time.h>

#include "base/clock.h"

spd_usec spd_clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (spd_usec)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

spd_usec spd_clock_monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (spd_usec)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
