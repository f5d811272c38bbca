/* src/net/range.h: ranges of addresses, as an allow-list writes them. Pure; thread-safe. */
#ifndef SPD_NET_RANGE_H
#define SPD_NET_RANGE_H

#include "base/rc.h"
#include "base/sv.h"

struct spd_net_range {
    unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;
};

/* "10.0.0.0/8", "192.0.2.7", "2001:db8::/32". INVALID: not that, or bits are set behind the range's
 * length (10.0.0.1/8 would mean more than it says). */
enum spd_rc spd_net_range_parse(spd_sv text, struct spd_net_range *ret, struct spd_err *err);
/* Is a numeric address in one of them? False for what is no address. */
bool spd_net_in_ranges(const char *address, const struct spd_net_range *v, size_t n);

#endif
