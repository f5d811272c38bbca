/* src/result/dcm_write.h: a tree of elements (dcm.h) built, written as a data set, and written as
 * DICOM JSON.
 *
 * The way back of dcm.h. What it is not: a dictionary; who puts an element says its VR. Values are
 * raw bytes (text: UTF-8, several values parted by backslash); pads are added when writing.
 * Sequences and items are written with undefined lengths. Group lengths are never written.
 *
 * Pure; everything in the caller's arena. Threads: any, one per set. */
#ifndef SPD_RESULT_DCM_WRITE_H
#define SPD_RESULT_DCM_WRITE_H

#include "result/dcm.h"

/* Puts an element where its tag belongs, in place of one with that tag. Only for sets that began
 * empty and were filled by these functions (a parsed set has no room). vr: two letters. The value
 * is borrowed. */
void spd_dcm_put(struct spd_dcm_set *set, uint32_t tag, const char *vr, spd_sv value,
                 struct spd_arena *arena);
/* Another item of a sequence, which is made when it is not there. Valid until the next item of that
 * sequence. */
struct spd_dcm_set *spd_dcm_put_item(struct spd_dcm_set *set, uint32_t tag,
                                     struct spd_arena *arena);
/* A sequence without items, unless there is one. */
void spd_dcm_put_sequence(struct spd_dcm_set *set, uint32_t tag, struct spd_arena *arena);
/* The triplet of a code sequence's item: (0008,0100), (0008,0102), (0008,0104). */
void spd_dcm_put_code(struct spd_dcm_set *set, uint32_t tag, spd_sv value, spd_sv scheme,
                      spd_sv meaning, struct spd_arena *arena);

/* Explicit or implicit VR little endian (PS3.5 §7). Elements of group 0002 and below and group
 * lengths are left out. A value that its VR cannot hold makes out fail with LIMIT. */
void spd_dcm_encode(const struct spd_dcm_set *set, bool explicit_vr, struct spd_str *out);
/* PS3.18 F.2: one object; text as UTF-8 by d's character set, binary numbers as numbers, IS and DS
 * as text (as they came), bulk values left out. Private elements are left out. An element of
 * unknown VR (implicit) gets "UN" and its text. */
void spd_dcm_to_json(const struct spd_dcm *d, struct spd_str *out, struct spd_arena *arena);
/* A Part 10 file: preamble, meta header, then data as it is. */
void spd_dcm_file(spd_sv sop_class, spd_sv sop_uid, spd_sv xfer, spd_sv data, struct spd_str *out);

#endif
