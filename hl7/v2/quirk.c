/* hl7/v2/quirk.c: the table of quirks. See quirk.h. */
#include "hl7/v2/quirk.h"

const struct hl7_quirk_row hl7_quirks[] = {
    {"no_trailing_cr", HL7_QUIRK_NO_TRAILING_CR,
     "what we send it has no 0x0D behind the last segment"},
    {"end_without_cr", HL7_QUIRK_END_WITHOUT_CR, "what we send it ends with 0x1C alone"},
    {"lf_between_frames", HL7_QUIRK_LF_BETWEEN_FRAMES,
     "what we send it has a line feed behind each frame"},
    {"keep_alive_frames", HL7_QUIRK_KEEP_ALIVE_FRAMES,
     "its empty frames are answered by one; a destination may send them between answers"},
    {"bare_ack", HL7_QUIRK_BARE_ACK, "MSH-9 of our answers is ACK, without event and structure"},
    {"strict_frames", HL7_QUIRK_STRICT_FRAMES,
     "anything from it but 0x0B, message, 0x1C, 0x0D ends the connection"},
    {"one_answer", HL7_QUIRK_ONE_ANSWER,
     "an order of it that asks for both answers gets the accept acknowledgement alone"},
    {NULL, 0, NULL}};

unsigned hl7_quirk_of(spd_sv name)
{
    for (const struct hl7_quirk_row *q = hl7_quirks; q->name; q++)
        if (spd_sv_is(name, q->name)) return q->bit;
    return 0;
}
