/* hl7/map/response.h: everything that is answered to one message: the acknowledgement, and to an
 * order the application's own answer where that is asked for. Pure, as map.h.
 *
 * An order message (ORM, OMG, OMI) is answered by ORR^O02, ORG^O20 or ORI^O24 when its MSH-16 asks
 * for an application acknowledgement of this outcome, or when its peer always wants one in place of
 * the plain ACK (original mode). In enhanced mode it comes behind the CA, as a message of its own.
 * ORC-1 is OK or UA for every order of the message: what is answered is the message. Not here: when
 * (after the commit, by the door). */
#ifndef HL7_MAP_RESPONSE_H
#define HL7_MAP_RESPONSE_H

#include "hl7/v2/msg.h"
#include "model/model.h"

/* What an order's answer copies from it, read before the outcome is known. NULL: no order, or
 * nobody asks for more than an acknowledgement. charset: the peer's default; always: the peer's
 * order_response. In arena; bytes are not kept. Copies at most 256 KiB: beyond that, and of a
 * message that cannot be read behind its header, the answer names no orders. */
struct hl7_response;
const struct hl7_response *hl7_response_read(spd_sv bytes, spd_sv charset, bool always,
                                             struct spd_arena *arena);

struct hl7_answer {
    enum spd_answer answer;
    spd_sv text; /* MSA-3, ERR-8, ORC-16: no patient data */
    spd_usec now;
    const struct spd_zone *zone;
    spd_sv control_id, control_id_2;     /* MSH-10: of the first answer, of the second */
    const struct hl7_response *response; /* NULL: acknowledgements alone */
    bool orders;                         /* false: says nothing of the single orders (not for us) */
    bool kept;                           /* it could be read and is kept, whatever is answered */
    bool one, bare;                      /* HL7_QUIRK_ONE_ANSWER, HL7_QUIRK_BARE_ACK */
};
/* first: the only answer, or the accept one; second: the application's behind it. Nothing is
 * appended where none is wanted. */
void hl7_answer_write(spd_sv bytes, const struct hl7_answer *a, struct spd_str *first,
                      struct spd_str *second);
/* Appends what would be said, for a person: "ACK CA, then ORR AA (ORC-1 OK)"; nothing for none. */
void hl7_answer_kinds(spd_sv bytes, const struct hl7_answer *a, struct spd_str *out);

/* The ACK for a message: MSH swapped, MSA-1/2/3, ERR where the version has it; enhanced mode by
 * MSH-15/16. Empty when none is wanted. text: no patient data. */
void hl7_ack_for(spd_sv bytes, enum spd_answer answer, spd_sv text, spd_usec now,
                 const struct spd_zone *zone, spd_sv control_id, struct spd_str *out);

#endif
