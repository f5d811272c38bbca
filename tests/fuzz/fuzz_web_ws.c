/* tests/fuzz/fuzz_web_ws.c: what a WebSocket client may send, frame after frame, each in a block of
 * its own size. A frame that was read is masked again as it stood and read to the same. */
#include <stdint.h>
#include <stdlib.h>

#include "web/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t left = size - at;
        unsigned char *copy = spd_must_malloc(left);
        struct spd_ws_frame f = {0};
        memcpy(copy, data + at, left);
        enum spd_rc rc = spd_ws_read(copy, left, &f);
        bool ok = rc == SPD_OK;
        if (ok && (f.size > left || f.size > SPD_WS_FRAME_MAX ||
                   f.payload.len > SPD_WS_PAYLOAD_MAX || f.payload.len + 6 > f.size))
            abort();
        for (size_t i = 0; ok && i < f.payload.len; i++) {
            const uint8_t *key = data + at + f.size - f.payload.len - 4;
            if ((uint8_t)(f.payload.ptr[i] ^ key[i % 4]) != data[at + f.size - f.payload.len + i])
                abort();
        }
        spd_free(copy);
        if (!ok) break;
        at += f.size;
    }
    return 0;
}
