/* src/cli/demo_sr.h: makes the DICOM SR that an imaginary AI product would send (TID 1500, Comprehensive SR,
 * explicit little endian, Part 10), for the demonstration. Written without a DICOM library, so that what
 * the readers of the brain see was not made by the library they use. Synthetic patients only. */
#ifndef SPD_CLI_DEMO_SR_H
#define SPD_CLI_DEMO_SR_H

#include "base/clock.h"
#include "base/str.h"

struct demo_sr_finding {
    const char *code, *text; /* SNOMED CT */
    bool present;            /* an absent finding is said to be absent */
    const char *probability; /* "0.94"; NULL: none */
    const char *site, *site_text; /* SNOMED CT; NULL: none */
};

struct demo_sr {
    const char *manufacturer, *model, *version;
    const char *patient_id, *patient_issuer, *patient_name, *birth_date, *sex;
    const char *accession, *study_uid;
    const char *uid;          /* SOP Instance UID of the report */
    const char *series_uid;
    const char *images[4];    /* SOP Instance UIDs of what it looked at; NULL ends */
    const char *image_class, *image_series_uid;
    struct demo_sr_finding findings[4];
    size_t n_findings;        /* 0: the one conclusion "imaging result normal" */
    spd_usec at;
};

/* Appends a whole file. */
void demo_sr_write(const struct demo_sr *sr, struct spd_str *out);

#endif
