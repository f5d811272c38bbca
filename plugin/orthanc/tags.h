/* plugin/orthanc/tags.h: a few tags of a Part 10 file in memory, without a parser of the host's.
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Not a DICOM reader: values are bytes as they stand, in whatever character set, cut at 64. Knows
 * nothing of Orthanc, so that tests and the fuzz target link it alone. Pure; any thread. */
#ifndef SPD_PLUGIN_ORTHANC_TAGS_H
#define SPD_PLUGIN_ORTHANC_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spd_tags {
    char sop_class[65], sop_uid[65], accession[65], patient_id[65], study_uid[65], issuer[65];
};
/* False when the bytes are not explicit or implicit little endian Part 10, or broken before the
 * Study Instance UID. */
bool spd_tags_read(const unsigned char *p, size_t n, struct spd_tags *ret);
bool spd_tags_is_sr(const char *sop_class);
bool spd_tags_is_image(const char *sop_class);

#endif
