/* src/result/result.h: what an AI product said, whatever form it came in.
 *
 * A reader turns bytes (already decoded into a tree by whoever holds the wire format) into one spd_result
 * with its findings and state. Anything not explicitly positive, negative or normal is "not analysed"
 * (design rule 5). Readers are pure: no clock, no I/O, no DCMTK. */
#ifndef SPD_RESULT_RESULT_H
#define SPD_RESULT_RESULT_H

#include "result/codes.h"

/* ---- the SR tree: filled by src/dicom (from bytes) or from DICOM JSON; plain C -------------------- */
struct spd_sr_item {
    spd_sv value_type;      /* CONTAINER CODE TEXT NUM IMAGE COMPOSITE UIDREF PNAME DATE TIME DATETIME SCOORD … ; "" by reference */
    spd_sv relationship;
    struct spd_code name;   /* concept name */
    struct spd_code value;  /* CODE */
    spd_sv text;            /* TEXT, UIDREF, PNAME, DATE, TIME, DATETIME */
    spd_sv number;          /* NUM: decimal string, "" when empty */
    struct spd_code unit;   /* NUM */
    spd_sv ref_class, ref_uid; /* IMAGE, COMPOSITE */
    struct spd_sr_item *children;
    size_t n_children;
};
struct spd_sr_ref { spd_sv study_uid, series_uid, sop_class, sop_uid; bool pertinent; };
struct spd_sr_doc {
    spd_sv sop_class, sop_uid, study_uid, series_uid, modality;
    struct spd_patient patient;      /* ids with their issuer, "" when not said */
    struct spd_cx accession;         /* issuer "" when not said */
    struct { struct spd_cx accession, placer, filler; spd_sv study_uid; } request[8];
    size_t n_request;
    spd_sv manufacturer, model_name, software_version, series_description, station;
    spd_sv completion, verification, preliminary;
    spd_sv content_date, content_time, zone_offset;
    spd_sv template_id;
    spd_sv body_part;
    struct spd_sr_ref *evidence; size_t n_evidence;
    spd_sv *predecessors; size_t n_predecessors;
    struct spd_sr_item root;         /* value_type "" : no content */
    bool cut;                        /* limits made the tree incomplete: never negative */
    spd_sv *notes; size_t n_notes;   /* what the decoder had to forgive */
};

enum spd_read { SPD_READ_RESULT = 1, SPD_READ_NOT_A_RESULT, SPD_READ_REFUSED };
/* ret->state etc. are set for SPD_READ_RESULT; why is a sentence in English for the other two (and may be
 * set for the first). The result's model, peer, mode are left to the core. In arena. */
enum spd_read spd_result_read_sr(const struct spd_sr_doc *doc, const struct spd_codes *codes,
                                 struct spd_result *ret, spd_sv *ret_why, struct spd_arena *arena);

/* The frame that spd-dicom processes send: a spd_sr_doc in a flat, bounded binary form. */
void spd_sr_doc_encode(const struct spd_sr_doc *doc, struct spd_str *out);
enum spd_rc spd_sr_doc_decode(spd_sv bytes, struct spd_sr_doc *ret, struct spd_arena *arena, struct spd_err *err);
/* From DICOM JSON (PS3.18 F) by jansson. */
enum spd_rc spd_sr_doc_from_json(spd_sv json, struct spd_sr_doc *ret, struct spd_arena *arena, struct spd_err *err);

#endif
