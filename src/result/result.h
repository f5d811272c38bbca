/* src/result/result.h: what an AI product said, whatever form it came in.
 *
 * A reader turns bytes (already decoded into a tree by whoever holds the wire format) into results with
 * their findings and state, or into a companion (an object that belongs to a result and is none itself).
 * Anything not explicitly positive, negative or normal is "not analysed" (design rule 5). Readers are
 * pure: no clock, no I/O, no DCMTK. Threads: any. */
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
    spd_sv frames, segments;   /* IMAGE: numbers parted by backslash, "" all */
    spd_sv graphic;            /* SCOORD, SCOORD3D: POINT POLYLINE CIRCLE … */
    spd_sv reference;          /* an item by reference: the path of the one meant, "1.2.2" (root is "1") */
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
    /* of companions (PS3.3 A.10, A.33, A.35.4, A.45.1, A.51, A.75): */
    spd_sv title;                    /* content label, document title, derivation, else the series' description */
    spd_sv *labels; size_t n_labels; /* what its segments are called */
    spd_sv *tracking; size_t n_tracking; /* tracking UIDs of its segments */
    size_t head;                     /* bytes of the object before its pixels, frames or document; 0 = all of it */
};

enum spd_read {
    SPD_READ_RESULT = 1,   /* results of AI products */
    SPD_READ_NOT_A_RESULT, /* a dose report, a person's measurements … */
    SPD_READ_REFUSED,      /* cannot be used at all */
    SPD_READ_TEXT,         /* a basic text report: one result, not analysed, with its text; whether it is an AI
                            * product's, only its sender can tell */
    SPD_READ_COMPANION     /* belongs to a result, is none */
};
struct spd_reading {
    /* RESULT, TEXT: at least one, each of another product. NOT_A_RESULT: one without findings, for what it says of
     * study and patient. The results' model, peer and mode are left to the core. */
    struct spd_result *results;
    size_t n_results;
    struct spd_companion companion; /* COMPANION */
    bool by_person;                 /* TEXT: it names a person as its author, observer or verifier */
    spd_sv why;                     /* a sentence in English; for a result that is not analysed or failed too */
};
/* Everything in arena, which also holds doc. */
enum spd_read spd_result_read(const struct spd_sr_doc *doc, const struct spd_codes *codes,
                              struct spd_reading *ret, struct spd_arena *arena);
/* What is made of one item, in a few English words; "" nothing. of: a result that was read (for its product's own
 * codes), or NULL. In arena. */
spd_sv spd_result_explain(const struct spd_sr_doc *doc, const struct spd_sr_item *item,
                          const struct spd_result *of, const struct spd_codes *codes,
                          struct spd_arena *arena);
/* Is it one of the kinds that are companions (PS3.4 B.5)? For a door, which takes them larger than a report. */
bool spd_result_is_companion(spd_sv sop_class);

/* The frame that spd-dicom processes send: a spd_sr_doc in a flat, bounded binary form. */
void spd_sr_doc_encode(const struct spd_sr_doc *doc, struct spd_str *out);
enum spd_rc spd_sr_doc_decode(spd_sv bytes, struct spd_sr_doc *ret, struct spd_arena *arena, struct spd_err *err);
/* From DICOM JSON (PS3.18 F) by jansson. */
enum spd_rc spd_sr_doc_from_json(spd_sv json, struct spd_sr_doc *ret, struct spd_arena *arena, struct spd_err *err);

#endif
