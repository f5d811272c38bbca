/* src/result/dcm.h: DICOM bytes (or DICOM JSON) to a tree of elements, by one pass without recursion.
 *
 * This is the pre-scan and the parser in one: every length is checked against its parent, nesting and the
 * number of elements are bounded, and nothing is interpreted. Values are views into the input. Explicit and
 * implicit VR little endian, explicit big endian; no deflate, no pixel data. What it is not: a dictionary.
 * In implicit VR a defined-length element is a sequence only when its tag is one of those we read.
 * Of a companion (segmentation, picture, PDF …) the header alone is read: scanning ends before group 5200 (frames,
 * pixels), whatever stands or is missing behind, and the value of (0042,0011), the document, is passed over. So a
 * front may cut such an object at group 5200 and may send (0042,0011) empty: what is read is the same.
 *
 * Pure; everything in the caller's arena. Threads: any. */
#ifndef SPD_RESULT_DCM_H
#define SPD_RESULT_DCM_H

#include "base/arena.h"
#include "base/rc.h"
#include "base/str.h"

enum {
    SPD_DCM_BYTES_MAX = 4 << 20,   /* of what is read: an object, or a companion's header */
    SPD_DCM_OBJECT_MAX = 64 << 20, /* of a companion with its bulk */
    SPD_DCM_DEPTH_MAX = 32,
    SPD_DCM_ELEMENTS_MAX = 100000
};

struct spd_dcm_set;
struct spd_dcm_elem {
    uint32_t tag;             /* group << 16 | element */
    char vr[3];               /* "" when not known (implicit VR) */
    spd_sv value;             /* raw bytes; UTF-8 when the set came from JSON */
    struct spd_dcm_set *items; /* SQ */
    size_t n_items;
};
struct spd_dcm_set { struct spd_dcm_elem *v; size_t n; }; /* in the order of the file */

struct spd_dcm {
    struct spd_dcm_set set;
    spd_sv xfer;              /* transfer syntax UID; worked out when there is no meta header */
    spd_sv charset;           /* (0008,0005) as sent; "ISO_IR 192" from JSON */
    spd_sv bytes;             /* of the data set, as they stand in the file; "" from JSON */
    const char *notes[4];     /* what was forgiven */
    size_t n_notes;
    size_t head;              /* bytes before a companion's document, frames or pixels; 0: none were left out */
};

/* A file: with or without preamble and meta header. INVALID or LIMIT: err.place is the tag path's tag. */
enum spd_rc spd_dcm_parse(spd_sv bytes, struct spd_dcm *ret, struct spd_arena *arena, struct spd_err *err);
/* A dataset in a known transfer syntax. */
enum spd_rc spd_dcm_parse_dataset(spd_sv bytes, spd_sv xfer, struct spd_dcm *ret, struct spd_arena *arena,
                                  struct spd_err *err);
/* PS3.18 F. An array of one object is taken as that object. */
enum spd_rc spd_dcm_from_json(spd_sv json, struct spd_dcm *ret, struct spd_arena *arena, struct spd_err *err);

const struct spd_dcm_elem *spd_dcm_find(const struct spd_dcm_set *set, uint32_t tag); /* NULL: not there */
spd_sv spd_dcm_raw(const struct spd_dcm_set *set, uint32_t tag);  /* padding trimmed; "" when not there */
/* The same as UTF-8 by the object's character set; bytes that mean nothing there become U+FFFD and
 * *bad (may be NULL) is set. */
spd_sv spd_dcm_text(const struct spd_dcm *d, const struct spd_dcm_set *set, uint32_t tag, struct spd_arena *arena,
                    bool *bad);
/* First item of a sequence; NULL when there is none. */
const struct spd_dcm_set *spd_dcm_item(const struct spd_dcm_set *set, uint32_t tag);
/* Text in a DICOM character set ("ISO_IR 100", "\\ISO 2022 IR 87" …) to UTF-8. */
spd_sv spd_dcm_utf8(spd_sv charset, spd_sv text, struct spd_arena *arena, bool *bad);
/* Opens every converter, so that a process that may open no files later has them. */
void spd_dcm_text_warm(void);
bool spd_dcm_is_uid(spd_sv uid); /* ^[0-9.]{1,64}$ */

#endif
