/* The framer: the low half of the first byte says how the rest is cut; frames must not depend on
 * the cut, and never hold a block character. Its high half says which quirks the peer has: what is
 * written with them is read back as the same frame. */
#include <stdlib.h>

#include "hl7/v2/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A frame as it was read, written for a peer with these quirks, and read again. */
static void write_and_read(spd_sv frame, unsigned quirks)
{
    struct spd_str out = SPD_STR_INIT(8192);
    struct hl7_framer f;
    size_t used;
    spd_sv again;
    if (hl7_frame_write_as(&out, frame, quirks) != SPD_OK) abort();
    hl7_framer_init(&f, 4096);
    if (hl7_framer_feed(&f, spd_str_sv(&out), &used, &again, NULL) != SPD_OK) abort();
    while (quirks & HL7_QUIRK_NO_TRAILING_CR && frame.len && frame.ptr[frame.len - 1] == '\r')
        frame.len--;
    if (!spd_sv_eq(frame, again)) abort();
    hl7_framer_done(&f);
    spd_str_done(&out);
}

static enum spd_rc feed(const char *p, size_t n, size_t step, unsigned quirks, struct spd_str *all)
{
    struct hl7_framer f;
    enum spd_rc rc = SPD_AGAIN;
    hl7_framer_init(&f, 4096);
    f.quirks = quirks;
    for (size_t at = 0; at < n && rc == SPD_AGAIN; at += step) {
        spd_sv rest = spd_sv_of(p + at, n - at < step ? n - at : step), frame;
        size_t used;
        while ((rc = hl7_framer_feed(&f, rest, &used, &frame, NULL)) == SPD_OK) {
            if (memchr(frame.ptr, 0x0b, frame.len) || memchr(frame.ptr, 0x1c, frame.len) ||
                used > rest.len)
                abort();
            write_and_read(frame, quirks & ~(unsigned)HL7_QUIRK_STRICT_FRAMES);
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
    static const enum hl7_quirk bits[] = {HL7_QUIRK_STRICT_FRAMES, HL7_QUIRK_NO_TRAILING_CR,
                                          HL7_QUIRK_END_WITHOUT_CR, HL7_QUIRK_LF_BETWEEN_FRAMES};
    struct spd_str a = SPD_STR_INIT(1 << 24), b = SPD_STR_INIT(1 << 24), c = SPD_STR_INIT(1 << 16);
    unsigned quirks = 0;
    if (size < 2) return 0;
    for (unsigned i = 0; i < 4; i++)
        if (data[0] >> (4 + i) & 1) quirks |= bits[i];
    enum spd_rc whole = feed((const char *)data + 1, size - 1, size, quirks, &a);
    enum spd_rc cut = feed((const char *)data + 1, size - 1, 1 + data[0] % 16, quirks, &b);
    spd_sv raw = spd_sv_of((const char *)data + 1, size - 1);
    bool blocks = memchr(raw.ptr, 0x0b, raw.len) || memchr(raw.ptr, 0x1c, raw.len);
    if ((hl7_frame_write(&c, raw) == SPD_INVALID) != (blocks && c.len == 0)) abort();
    if ((hl7_quirk_of(raw) != 0) && blocks) abort(); /* no quirk's name holds one */
    spd_str_done(&c);
    /* Cut right behind 0x1C a frame is given out before what follows can be seen: more frames, same
     * refusal. */
    if ((whole == SPD_AGAIN) != (cut == SPD_AGAIN) ||
        (whole == SPD_AGAIN && !spd_sv_eq(spd_str_sv(&a), spd_str_sv(&b))))
        abort();
    spd_str_done(&a);
    spd_str_done(&b);
    return 0;
}
