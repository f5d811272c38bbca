/* hl7/v2/ack.h: what is answered to one message, original and enhanced mode: the acknowledgement,
 * and the application's own answer where the map has one.
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
    /* Of an application's own answer; all empty: an acknowledgement. */
    const char *type, *trigger; /* MSH-9: "ORR", "O02"; NULL: ACK and the message's trigger */
    spd_sv charset;             /* MSH-18 as the message has it, raw */
    spd_sv body;                /* segments with their ends, in the message's delimiters and set */
};
/* What a message wants to hear about an outcome (HL7 2.9.2, 2.9.3): severities, 0 for nothing. */
struct hl7_asked {
    char accept, application;
};
/* both: the application has an answer of its own to give, so that two may be due: the accept one
 * first. The accept one then says no more than whether the message was kept; a refusal of a message
 * that was kept and could be read is the application's. Nothing follows an accept answer that is
 * not CA. */
struct hl7_asked hl7_asked(const struct hl7_msg *m, char severity, bool both, bool kept);
/* One answer: how 'C' accept, 'A' application (and original mode). */
void hl7_ack_put(const struct hl7_msg *m, const struct hl7_ack *a, char how, struct spd_str *out);
/* The one answer of an acknowledgement: accept where that is wanted, else application. m may hold
 * only a header, or be NULL when not even that could be read. Appends nothing when the sender wants
 * no such answer (MSH-15, MSH-16). */
void hl7_ack_write(const struct hl7_msg *m, const struct hl7_ack *a, struct spd_str *out);
/* Cuts MSH-9 of the acknowledgement that was appended from `from` on to its first component
 * (HL7_QUIRK_BARE_ACK). Nothing there: no change. */
void hl7_ack_bare(struct spd_str *out, size_t from);

#endif
