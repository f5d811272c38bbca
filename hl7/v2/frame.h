/* hl7/v2/frame.h: the minimal lower layer protocol (MLLP), without sockets: bytes in, whole
 * messages out.
 *
 * A frame is 0x0B, the message, 0x1C and usually 0x0D. Not here: what is in the message, deadlines,
 * TLS. Invariants: a frame is never longer than max, counted while it is read; what is handed out
 * holds neither 0x0B nor 0x1C; after PROTO, LIMIT or NOMEM the connection is of no use any more.
 * Tolerated, since peers do it: 0x1C without 0x0D, CR and LF between frames, empty frames
 * (keep-alive). With HL7_QUIRK_STRICT_FRAMES nothing of that but the empty frames. Threads: one
 * framer belongs to one connection and one thread at a time. */
#ifndef HL7_V2_FRAME_H
#define HL7_V2_FRAME_H

#include "base/rc.h"
#include "base/str.h"
#include "hl7/v2/quirk.h"

#define HL7_FRAME_MAX ((size_t)16 << 20)

struct hl7_framer {
    struct spd_str part; /* what came of a frame that is not whole yet */
    bool inside;         /* after 0x0B, before 0x1C: a deadline of the frame is running */
    bool handed;         /* part was handed out and is emptied by the next feed */
    bool ending;         /* strict: 0x1C was seen, 0x0D must follow */
    unsigned quirks;     /* of the peer; may change between frames */
    uint64_t frames, keepalives, offset; /* offset: bytes fed so far, for error places */
};

void hl7_framer_init(struct hl7_framer *f, size_t max);
void hl7_framer_done(struct hl7_framer *f); /* wipes */
/* Feeds bytes up to the end of one frame; *ret_used says how many were taken.
 * OK: *ret_frame is a whole message, borrowed from bytes or from f until the next feed; feed the
 * rest again. AGAIN: everything was taken, no whole frame yet. PROTO, LIMIT, NOMEM: close the
 * connection. */
enum spd_rc hl7_framer_feed(struct hl7_framer *f, spd_sv bytes, size_t *ret_used, spd_sv *ret_frame,
                            struct spd_err *err);
/* Appends a frame. INVALID when the message holds 0x0B or 0x1C; else out's own rc. */
enum spd_rc hl7_frame_write(struct spd_str *out, spd_sv message);
/* The same, as a peer with these quirks wants it. An empty message makes an empty frame. */
enum spd_rc hl7_frame_write_as(struct spd_str *out, spd_sv message, unsigned quirks);

#endif
