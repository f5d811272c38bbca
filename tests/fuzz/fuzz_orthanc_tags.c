/* tests/fuzz/fuzz_orthanc_tags.c: any bytes as a Part 10 file, in the plugin's reader of a few tags. */
#include <stdlib.h>
#include <string.h>

#include "plugin/orthanc/tags.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_tags t;
    bool ok = spd_tags_read(data, size, &t);
    if (strnlen(t.sop_class, 65) > 64 || strnlen(t.sop_uid, 65) > 64 || strnlen(t.accession, 65) > 64 ||
        strnlen(t.patient_id, 65) > 64 || strnlen(t.study_uid, 65) > 64 || strnlen(t.issuer, 65) > 64)
        abort();
    if (ok && !t.study_uid[0]) abort();
    (void)spd_tags_is_sr(t.sop_class);
    (void)spd_tags_is_image(t.sop_class);
    return 0;
}
