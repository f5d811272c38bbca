/* src/net/range.c: see range.h. */
#include "net/range.h"

#include <arpa/inet.h>
#include <string.h>

enum { TEXT_MAX = 64, V4_OFFSET = 96 };

/* Both kinds as 16 bytes; false: no address. */
static bool numeric(const char *text, unsigned char ret[16], bool *ret_v4)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    unsigned char v4[4];
    *ret_v4 = inet_pton(AF_INET, text, v4) == 1;
    if (!*ret_v4) return inet_pton(AF_INET6, text, ret) == 1;
    memcpy(ret, mapped, sizeof mapped);
    memcpy(ret + sizeof mapped, v4, sizeof v4);
    return true;
}

static bool bit(const unsigned char a[16], unsigned i)
{
    return a[i / 8] >> (7 - i % 8) & 1;
}

enum spd_rc spd_net_range_parse(spd_sv text, struct spd_net_range *ret, struct spd_err *err)
{
    struct spd_net_range r = {.bits = 128};
    char address[TEXT_MAX];
    size_t slash = text.len;
    int64_t bits = -1;
    bool v4;
    spd_sv_find(text, SPD_SV("/"), &slash);
    if (slash >= sizeof address) return spd_fail(err, SPD_INVALID, "allow", "not an address");
    memcpy(address, text.ptr, slash);
    address[slash] = 0;
    if (memchr(address, 0, slash) || !numeric(address, r.address, &v4))
        return spd_fail(err, SPD_INVALID, "allow", "expected an address or a range: 10.0.0.0/8");
    if (slash < text.len) {
        spd_sv rest = spd_sv_of(text.ptr + slash + 1, text.len - slash - 1);
        if (!spd_sv_to_i64(rest, &bits) || bits < 0 || bits > (v4 ? 32 : 128))
            return spd_fail(err, SPD_INVALID, "allow", "a range's length is 0 to %d",
                            v4 ? 32 : 128);
        r.bits = (unsigned)bits + (v4 ? V4_OFFSET : 0);
    }
    for (unsigned i = r.bits; i < 128; i++)
        if (bit(r.address, i))
            return spd_fail(
                err, SPD_INVALID, "allow",
                "bits are set behind the range's length: is it one address, or a range?");
    *ret = r;
    return SPD_OK;
}

bool spd_net_in_ranges(const char *address, const struct spd_net_range *v, size_t n)
{
    unsigned char a[16];
    bool v4;
    if (!numeric(address, a, &v4)) return false;
    for (size_t i = 0; i < n; i++) {
        unsigned same = 0;
        while (same < v[i].bits && bit(a, same) == bit(v[i].address, same))
            same++;
        if (same == v[i].bits) return true;
    }
    return false;
}
