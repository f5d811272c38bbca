/* hl7/fhir/fhir.h: FHIR R4 resources to values of the model. Today: what a list of open requests says
 * (ServiceRequest, with its Patient, Encounter and ImagingStudy), for import.
 *
 * Pure: no sockets, no store, no clock. Limits before the parser: depth and size; the parser refuses
 * duplicate keys. Threads: any, one call per arena. Fields: docs/go-live.md. */
#ifndef HL7_FHIR_FHIR_H
#define HL7_FHIR_FHIR_H

#include "model/model.h"

struct fhir_options {
    spd_sv patient_authority, accession_issuer; /* of identifiers that are the house's own */
    spd_usec now;                               /* a later time is clamped to it */
    /* Modality, body part and region of a procedure code; false: not known. May be NULL. */
    bool (*procedure)(void *ctx, spd_sv code, spd_sv *ret_modality, spd_sv *ret_body_part, spd_sv *ret_region);
    void *procedure_ctx;
};
struct fhir_out { /* in the order of the text; place: "entry 3" or "line 3" */
    void *self;
    void (*order)(void *self, spd_sv place, struct spd_order_event *e);
    void (*refused)(void *self, spd_sv place, spd_sv why);
    void (*skipped)(void *self, spd_sv place, spd_sv why);
};

/* A Bundle, one resource, or one resource per line (NDJSON). INVALID: not FHIR JSON as a whole (err.place:
 * line and column). */
enum spd_rc fhir_read_orders(spd_sv text, const struct fhir_options *o, const struct fhir_out *out,
                             struct spd_arena *arena, struct spd_err *err);
/* A Bundle's link to its next page, in arena; "" when there is none. */
spd_sv fhir_next_page(spd_sv text, struct spd_arena *arena);

#endif
