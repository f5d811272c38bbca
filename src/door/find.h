/* src/door/find.h: C-FIND over the published list: one matcher for both worklists (domain §4).
 *
 * The reporting list answers arrived, unread items in rank order; the modality list answers only steps not
 * yet acquired. Which of the two is asked follows from the called AE title. Matching as PS3.4 K.2 (single
 * value, wildcards, ranges, UID lists, universal, a sequence with one item). An answer holds the requested
 * keys and no others; a requested key that we do not know is there, empty.
 *
 * Pure over an immutable list: no I/O, no clock. Threads: any, each with its own reference to the list. */
#ifndef SPD_DOOR_FIND_H
#define SPD_DOOR_FIND_H

#include "list/list.h"
#include "result/keys.h" /* struct spd_find_query */

/* Sorts the keys and checks them. INVALID: err.text says which key cannot be served (0xA900). */
enum spd_rc spd_find_prepare(struct spd_find_query *query, struct spd_err *err);
/* Calls answer for every matching row, in order, until it returns false. Returns the number of answers. */
size_t spd_find_run(const struct spd_list *list, const struct spd_find_query *query, const struct spd_zone *zone,
                    bool (*answer)(void *ctx, const struct spd_row *row), void *ctx);
/* The answer's dataset, explicit or implicit VR little endian, UTF-8 (0008,0005 = ISO_IR 192). */
void spd_find_dataset(const struct spd_find_query *query, const struct spd_row *row, const struct spd_zone *zone,
                      bool explicit_vr, struct spd_str *out);
/* For POST /api/v1/find (design §5): body {called, calling, keys: DICOM JSON}. out gets the answers: an array of
 * DICOM JSON, or (files) each as a DICOM file behind its length in 4 bytes, little endian. The reporting list when
 * called is reporting_ae. INVALID: the body is wrong (400); LIMIT: more than max answers would be needed (max 0:
 * 10,000). */
enum spd_rc spd_find_hook(const struct spd_list *list, spd_sv reporting_ae, const struct spd_zone *zone, spd_sv body,
                          bool files, size_t max, struct spd_str *out, struct spd_err *err);

#endif
