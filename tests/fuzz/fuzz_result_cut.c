/* tests/fuzz/fuzz_result_cut.c: the cutter gives the same whatever the pieces, keeps within its bound, and what it
 * keeps of a small object without bulk is that object. First byte: explicit or implicit; second: the pieces. */
#include <stdlib.h>

#include "result/dcm.h"
#include "result/dcm_cut.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void cut(const char *bytes, size_t n, size_t piece, bool explicit_vr, struct spd_str *out, uint64_t *dropped)
{
    struct spd_dcm_cut c;
    spd_dcm_cut_begin(&c, explicit_vr, out);
    for (size_t at = 0; at < n; at += piece)
        spd_dcm_cut_feed(&c, bytes + at, n - at < piece ? n - at : piece);
    spd_dcm_cut_end(&c);
    *dropped = c.dropped;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_str whole = SPD_STR_INIT(4 << 20), pieces = SPD_STR_INIT(4 << 20);
    uint64_t a, b;
    if (size < 2) return 0;
    const char *bytes = (const char *)data + 2;
    cut(bytes, size - 2, size, data[0] & 1, &whole, &a);
    cut(bytes, size - 2, 1 + data[1] % 7, data[0] & 1, &pieces, &b);
    if (!spd_sv_eq(spd_str_sv(&whole), spd_str_sv(&pieces)) || a != b) abort();
    if (whole.len > size) abort();
    if (!a && whole.len != size - 2) { /* nothing dropped: only emptied heads may have changed, and there are none */
        abort();
    }
    spd_str_done(&whole), spd_str_done(&pieces);
    return 0;
}
