/* tests/fuzz/fuzz_client_sse.c: any bytes as server-sent events: never an unended kind, and the same events however
 * the bytes are cut. */
#include <stdlib.h>

#include "client/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_sse whole = {.new_place = -1}, cut = {.new_place = -1};
    spd_sv rest = spd_sv_of((const char *)data, size);
    struct spd_stream_event a, b;
    size_t at = 0;
    for (;;) {
        bool more = spd_sse_next(&whole, &rest, &a), same = false;
        while (!same && at < size) {
            spd_sv one = spd_sv_of((const char *)data + at++, 1);
            same = spd_sse_next(&cut, &one, &b);
        }
        if (more != same) abort();
        if (!more) return 0;
        if (strnlen(a.kind, SPD_SSE_KIND) == SPD_SSE_KIND || strcmp(a.kind, b.kind) || a.id != b.id ||
            a.revision != b.revision || a.id < 0 || a.revision < 0 || whole.place < 0)
            abort();
    }
}
