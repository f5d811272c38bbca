/* src/door/value.h: values of DICOM data sets as the doors need them: moments, identifiers,
 * patients, envelopes. Pure but for spd_door_new_uid. Texts are views or in the arena given.
 * Threads: any. */
#ifndef SPD_DOOR_VALUE_H
#define SPD_DOOR_VALUE_H

#include "door/door_dicom.h"
#include "result/dcm.h"

/* DA and TM as UTC: by the offset ("+0100") where there is one, else in zone (NULL: UTC). 0: no
 * date, or not a date. */
spd_usec spd_door_when(spd_sv date, spd_sv time, spd_sv offset, const struct spd_zone *zone);
/* (0010,0010), (0010,0020) with its issuer (0010,0021), birth date and sex; a missing authority is
 * the peer's. */
void spd_door_patient(const struct spd_dcm *d, const struct spd_door_peer *peer,
                      struct spd_patient *ret, struct spd_arena *arena);
/* (0008,0050) with the issuer of (0008,0051), else the peer's; empty when there is none. */
struct spd_cx spd_door_accession(const struct spd_dcm *d, const struct spd_dcm_set *set,
                                 const struct spd_door_peer *peer, struct spd_arena *arena);
/* SOP Instance UIDs of a sequence of references, added to ret. Anything that is no UID is left out.
 */
struct spd_door_uids {
    spd_sv *v;
    size_t n;
};
void spd_door_references(const struct spd_dcm_set *set, uint32_t sequence,
                         struct spd_door_uids *ret, struct spd_arena *arena);
/* The envelope of a message that came by DICOM or HTTP; control_id "": the hash. */
struct spd_message_in spd_door_envelope(spd_sv raw, const struct spd_door_peer *peer, spd_sv type,
                                        spd_sv ae_title, spd_sv control_id,
                                        struct spd_arena *arena);
/* A UID below 2.25 from 16 random bytes (PS3.5 B.2). */
spd_sv spd_door_new_uid(struct spd_arena *arena);

#endif
