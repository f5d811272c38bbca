/* hl7/v2/ack.h: the acknowledgement of one message, original and enhanced mode.
 *
 * Not here: when to answer (after the commit, by the door) and what (the map, the core).
 * Never an answer to an acknowledgement. Everything copied from the message is made safe first. */
#ifndef HL7_V2_ACK_H
#define HL7_V2_ACK_H

#include "hl7/v2/msg.h"

struct hl7_ack {
    char severity;     /* 'A' accepted, 'E' error: not now, 'R' rejected */
    spd_sv text;       /* MSA-3 and ERR-8; no patient data */
    spd_sv code;       /* ERR-3, table 0357: "207"; "" = by severity */
    spd_sv location;   /* ERR-2: "PID^1^3"; may be empty */
    spd_sv time;       /* MSH-7 */
    spd_sv control_id; /* MSH-10 of the answer */
};
/* m may hold only a header, or be NULL when not even that could be read. Appends nothing when the
 * sender wants no such answer (MSH-15, MSH-16). */
void hl7_ack_write(const struct hl7_msg *m, const struct hl7_ack *a, struct spd_str *out);
/* Cuts MSH-9 of the acknowledgement that was appended from `from` on to its first component
 * (HL7_QUIRK_BARE_ACK). Nothing there: no change. */
void hl7_ack_bare(struct spd_str *out, size_t from);

#endif
