/* hl7/map/out_int.h: what the files of out*.c share: a message that is being changed. Not for
 * others. */
#ifndef HL7_MAP_OUT_INT_H
#define HL7_MAP_OUT_INT_H

#include "hl7/map/out.h"
#include "hl7/map/read.h"

enum { HL7_OUT_GROUPS = 256, HL7_OUT_MAX = 32 << 20 };

/* One draft per message: opened on a copy of the source, changed field by field, closed. The first
 * failure stays in rc; everything after it is a no-op. */
struct hl7_draft {
    struct spd_str text, next;
    struct hl7_msg m; /* of text */
    struct spd_arena *parse, *arena;
    const char *set; /* character set of the source */
    enum spd_rc rc;
    struct spd_err *err;
    const struct hl7_out_options *o;
    struct spd_str own; /* the source that was made from the item */
};

/* source "" : a small message made from the item, where may_make; else INVALID. */
void hl7_draft_open(struct hl7_draft *d, spd_sv source, bool may_make,
                    const struct hl7_out_options *o, struct spd_err *err);
/* Appends the draft's text to out (NULL: not), frees; out keeps nothing of what failed. */
enum spd_rc hl7_draft_close(struct hl7_draft *d, struct spd_str *out);
void hl7_draft_fail(struct hl7_draft *d, const char *place, const char *text);

void hl7_draft_set(struct hl7_draft *d, size_t seg, unsigned field, unsigned rep, unsigned comp,
                   spd_sv raw);
void hl7_draft_set_text(struct hl7_draft *d, size_t seg, unsigned field, spd_sv text);
void hl7_draft_insert(struct hl7_draft *d, size_t after, spd_sv segment);
/* Our text as it may stand in the message: escaped, in its character set. In the draft's arena. */
spd_sv hl7_draft_text(struct hl7_draft *d, spd_sv text);
/* The groups of the item; 0 fails the draft. ret: HL7_OUT_GROUPS. */
size_t hl7_draft_groups(struct hl7_draft *d, struct hl7_group *ret);
/* MSH-3 to 7, 10 to 12, 15 and 16. */
void hl7_draft_header(struct hl7_draft *d);
/* MSH-9; without MSH-21, which named the profile of the source. structure: 3rd component, NULL:
 * none. */
void hl7_draft_type(struct hl7_draft *d, const char *type, const char *trigger,
                    const char *structure);
/* YYYYMMDDHHMMSS of now. */
spd_sv hl7_draft_now(struct hl7_draft *d);
spd_sv hl7_draft_time(struct hl7_draft *d, spd_usec t);
/* Appends a segment of the draft and CR; nothing for one that is not there. */
void hl7_draft_copy(struct hl7_draft *d, size_t seg, struct spd_str *out);

/* What an event is made from: the profile, checked against the source's type. */
const struct hl7_profile *hl7_draft_profile(struct hl7_draft *d, enum hl7_out_event event);

#endif
