/* hl7/v2/quirk.h: ways in which a peer departs from MLLP and HL7 that a switch has to say.
 *
 * Reading tolerates by itself what can be told apart safely (frame.h, msg.h); a quirk says what is
 * written towards such a peer, and what reading must insist on or allow. One table: a new quirk is
 * a bit, a row, and the place that honours it. Pure data. */
#ifndef HL7_V2_QUIRK_H
#define HL7_V2_QUIRK_H

#include "base/sv.h"

enum hl7_quirk {
    HL7_QUIRK_NO_TRAILING_CR = 1u << 0,
    HL7_QUIRK_END_WITHOUT_CR = 1u << 1,
    HL7_QUIRK_LF_BETWEEN_FRAMES = 1u << 2,
    HL7_QUIRK_KEEP_ALIVE_FRAMES = 1u << 3,
    HL7_QUIRK_BARE_ACK = 1u << 4,
    HL7_QUIRK_STRICT_FRAMES = 1u << 5,
    HL7_QUIRK_ONE_ANSWER = 1u << 6,
};

struct hl7_quirk_row {
    const char *name; /* in the configuration */
    unsigned bit;
    const char *help; /* one line for the reference */
};
extern const struct hl7_quirk_row hl7_quirks[]; /* name NULL ends */

/* The bit of a name; 0: there is none. */
unsigned hl7_quirk_of(spd_sv name);

#endif
