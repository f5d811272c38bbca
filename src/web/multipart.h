/* src/web/multipart.h: multipart/related with DICOM files (PS3.18 §10.5, RFC 2387) as it arrives,
 * in pieces: what is kept of it is every object without its bulk (result/dcm_cut.h), so that memory
 * follows what is kept and not what is sent.
 *
 * What is kept, in order: a length of four bytes (little endian) and a DICOM file, for each part. A
 * part that is no DICOM file of type application/dicom is a length of zero. A state machine, no
 * recursion; bounds: a part 64 MiB on the wire, heads of 16 kB, 1,000 parts, and whatever the text
 * that keeps it allows. Pure. Threads: one per request. */
#ifndef SPD_WEB_MULTIPART_H
#define SPD_WEB_MULTIPART_H

#include "base/arena.h"
#include "base/rc.h"
#include "base/str.h"
#include "result/dcm_cut.h"

enum { SPD_MULTIPART_PART_MAX = 64 << 20, SPD_MULTIPART_PARTS_MAX = 1000 };

struct spd_multipart {
    struct spd_str *out;
    char boundary[76]; /* "\r\n--" and the boundary (RFC 2046: at most 70) */
    size_t n_boundary;
    enum {
        SPD_MP_PREAMBLE,
        SPD_MP_AFTER,
        SPD_MP_HEADERS,
        SPD_MP_BODY,
        SPD_MP_END,
        SPD_MP_BAD
    } state;
    size_t matched;      /* of the boundary, so far */
    struct spd_str head; /* headers of a part, or the first bytes of its file */
    bool dicom, reading_meta, whole;
    size_t parts, part_bytes, at; /* at: where this part's length stands in out */
    struct spd_dcm_cut cut;
};
/* content_type: "multipart/related; type=\"application/dicom\"; boundary=…". INVALID: it is none of
 * that. */
enum spd_rc spd_multipart_begin(struct spd_multipart *m, spd_sv content_type, struct spd_str *out);
void spd_multipart_feed(struct spd_multipart *m, const char *data, size_t len);
/* Everything has come. INVALID: the last boundary is missing, or something in between was wrong.
 * LIMIT: a bound. */
enum spd_rc spd_multipart_end(struct spd_multipart *m);
void spd_multipart_done(struct spd_multipart *m);
/* The next kept file; false: there are no more. "" for a part that was none. */
bool spd_multipart_take(spd_sv *kept, spd_sv *ret);

#endif
