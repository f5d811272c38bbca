/* src/result/reader.h: what the readers of structured reports share. Private to src/result.
 *
 * reader.c takes a document, decides what kind it is, lets tid1500.c or cad.c collect findings into one list with
 * the product that each is from, and makes results of it: one per product. Pure; one thread per reader. */
#ifndef SPD_RESULT_READER_H
#define SPD_RESULT_READER_H

#include "result/result.h"

enum spd_name { /* the concept names that are understood, whatever code they come in */
    SPD_NAME_OTHER = 0,
    SPD_NAME_FINDING,
    SPD_NAME_PRESENCE,
    SPD_NAME_SITE,
    SPD_NAME_LATERALITY,
    SPD_NAME_TOPOGRAPHY,
    SPD_NAME_TRACKING_UID,
    SPD_NAME_ALGORITHM,
    SPD_NAME_VERSION,
    SPD_NAME_MANUFACTURER,
    SPD_NAME_OBSERVER_TYPE,
    SPD_NAME_PERSON,
    SPD_NAME_DEVICE_UID,
    SPD_NAME_DEVICE_NAME,
    SPD_NAME_DEVICE_MAKER,
    SPD_NAME_DEVICE_MODEL,
    SPD_NAME_PROBABILITY,
    SPD_NAME_GROUP,
    SPD_NAME_STUDY,
    SPD_NAME_ACCESSION,
    SPD_NAME_STRUCTURE, /* part of the frame: says nothing of a finding */
    SPD_NAME_CAD_SUMMARY,
    SPD_NAME_CAD_DETECTIONS,
    SPD_NAME_CAD_ANALYSES,
    SPD_NAME_CAD_IMPRESSION,
    SPD_NAME_CAD_FINDING, /* Single Image Finding, Composite Feature */
    SPD_NAME_CAD_MODIFIER,
    SPD_NAME_CAD_RENDERING,
    SPD_NAME_CAD_FAILED, /* Failed Detections, Failed Analyses */
    SPD_NAME_CAD_PERFORMED,
    SPD_NAME_IMAGE_LATERALITY
};

enum spd_status_bit { /* what is said of a finding; several may be */
    SPD_SAID_PRESENT = 1,
    SPD_SAID_ABSENT = 2,
    SPD_SAID_NORMAL = 4,
    SPD_SAID_ABNORMAL = 8,
    SPD_SAID_UNCLEAR = 16,
    SPD_SAID_FAILED = 32
};

enum { SPD_FINDINGS_MAX = 512, SPD_PRODUCTS_MAX = 16 };

struct spd_product { /* TID 4019; "" not said */
    spd_sv name, version, maker;
};
struct spd_reader {
    const struct spd_sr_doc *doc;
    struct spd_code_view codes; /* of the product in hand */
    const struct spd_codes *all_codes;
    struct spd_result *r; /* what all results of the object share, and all findings */
    struct spd_arena *arena;
    struct spd_product product; /* of the whole object */
    spd_sv device_name, device_maker, device_model;
    spd_sv study, accession; /* said in the tree */
    bool device, person, person_observed, explicit_status;
    bool incomplete; /* not all of it was read: never negative or normal */
    enum spd_ai_state cad_state; /* CAD: what the summary came to; unset otherwise */
    size_t groups;
    struct spd_product now; /* in hand */
    struct spd_product of[SPD_PRODUCTS_MAX]; /* the products that findings, or a failure, are told of */
    bool of_failed[SPD_PRODUCTS_MAX];
    size_t n_of;
    size_t from[SPD_FINDINGS_MAX]; /* finding -> index into of */
    spd_sv why;
};

void spd_reader_note(struct spd_reader *r, spd_sv text);
enum spd_name spd_reader_name(const struct spd_reader *r, const struct spd_code *c);
/* The bits of a code that is a status; 0: it is none. */
int spd_reader_status(struct spd_reader *r, const struct spd_code *c);
/* "Not analyzed …", "Niet geanalyseerd …": words only ever make a result less sure. */
bool spd_reader_says_failed(spd_sv text);
/* What comes is from this product ("" in it: the object's own), and its codes read by that product's map. */
void spd_reader_use(struct spd_reader *r, const struct spd_product *p);
/* The product in hand could not analyse. */
void spd_reader_failed(struct spd_reader *r);
/* Adds a text to a list of texts unless it is there. The list is an anonymous {spd_sv *v; size_t n}. */
void spd_reader_add_text(struct spd_reader *r, void *list, spd_sv text);
/* A finding of the product in hand that begins as a copy of common; NULL when there are too many (then the result
 * is never negative). */
struct spd_finding *spd_reader_add(struct spd_reader *r, const struct spd_finding *common,
                                   const struct spd_code *code);
/* The concept of a finding's code; false: the code's meaning contradicts it. Noted when it is not mapped. */
bool spd_reader_map(struct spd_reader *r, const struct spd_code *code, spd_sv *ret_concept);
enum spd_present spd_reader_present(struct spd_reader *r, int said);
/* Items that are the same wherever they stand: a site, a number, a region or an image, a tracking UID. False:
 * something else. */
bool spd_reader_detail(struct spd_reader *r, struct spd_finding *f, const struct spd_sr_item *i);

void spd_read_groups(struct spd_reader *r);  /* tid1500.c: groups, findings, statuses */
void spd_read_cad(struct spd_reader *r);     /* cad.c */
spd_sv spd_read_text(const struct spd_sr_doc *doc, struct spd_arena *arena); /* text.c: the words, in order */
void spd_read_companion(const struct spd_sr_doc *doc, struct spd_companion *ret, struct spd_arena *arena);
bool spd_result_is_image(spd_sv sop_class); /* false: a report, a segmentation, a state: an output, not an input */

#endif
