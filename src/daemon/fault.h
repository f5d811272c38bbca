/* src/daemon/fault.h: named points at the borders of a commit where a test can make the brain die
 * or stall.
 *
 * Only in a build with -DSPOED_FAILPOINTS; elsewhere SPD_FAULT is nothing.
 * SPOED_FAULT="point:nth:what" in the environment chooses one: at its nth passing the process is
 * killed ("kill") or sleeps ("stall", 30 s). */
#ifndef SPD_DAEMON_FAULT_H
#define SPD_DAEMON_FAULT_H

#ifdef SPOED_FAILPOINTS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/sv.h"

static inline void spd_fault_at(const char *point, atomic_int *passed)
{
    spd_sv want = spd_sv_from(getenv("SPOED_FAULT")), rest;
    size_t n = strlen(point), colon;
    int64_t nth;
    if (want.len <= n || memcmp(want.ptr, point, n) || want.ptr[n] != ':') return;
    rest = spd_sv_of(want.ptr + n + 1, want.len - n - 1);
    if (!spd_sv_find(rest, SPD_SV(":"), &colon) || !spd_sv_to_i64(spd_sv_of(rest.ptr, colon), &nth))
        return;
    if (atomic_fetch_add(passed, 1) + 1 != nth) return;
    if (spd_sv_is(spd_sv_of(rest.ptr + colon + 1, rest.len - colon - 1), "kill"))
        raise(SIGKILL);
    else
        sleep(30);
}
#define SPD_FAULT(point)                                                                           \
    do {                                                                                           \
        static atomic_int spd_fault_passed;                                                        \
        spd_fault_at((point), &spd_fault_passed);                                                  \
    } while (0)
#else
#define SPD_FAULT(point) ((void)0)
#endif

#endif
