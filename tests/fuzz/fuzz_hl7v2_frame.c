/* The framer: the first byte says how the rest is cut; frames must not depend on the cut, and never
 * hold a block character. */
#include <stdlib.h>

#include "hl7/v2/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum spd_rc feed(const char *p, size_t n, size_t step, struct spd_str *all)
{
    struct hl7_framer f;
    enum spd_rc rc = SPD_AGAIN;
    hl7_framer_init(&f, 4096);
    for (size_t at = 0; at < n && rc == SPD_AGAIN; at += step) {
        spd_sv rest = spd_sv_of(p + at, n - at < step ? n - at : step), frame;
        size_t used;
        while ((rc = hl7_framer_feed(&f, rest, &used, &frame, NULL)) == SPD_OK) {
            if (memchr(frame.ptr, 0x0b, frame.len) || memchr(frame.ptr, 0x1c, frame.len) ||
                used > rest.len)
                abort();
            spd_str_addc(all, 'F');
            spd_str_add(all, frame);
            rest.ptr += used, rest.len -= used;
        }
    }
    hl7_framer_done(&f);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_str a = SPD_STR_INIT(1 << 24), b = SPD_STR_INIT(1 << 24);
    if (size < 2) return 0;
    enum spd_rc whole = feed((const char *)data + 1, size - 1, size, &a);
    enum spd_rc cut = feed((const char *)data + 1, size - 1, 1 + data[0] % 16, &b);
    /* Cut right behind 0x1C a frame is given out before what follows can be seen: more frames, same
     * refusal. */
    if ((whole == SPD_AGAIN) != (cut == SPD_AGAIN) ||
        (whole == SPD_AGAIN && !spd_sv_eq(spd_str_sv(&a), spd_str_sv(&b))))
        abort();
    spd_str_done(&a);
    spd_str_done(&b);
    return 0;
}
