/* src/result/dcm_cut.h: a data set as it arrives, in pieces, without its bulk: pixel data,
 * encapsulated documents, overlays and the functional groups of frames are dropped (their elements
 * stay, empty), and so is every other value beyond 1 MiB. What is left is a data set that dcm.h
 * reads.
 *
 * For objects of up to 64 MiB of which only the header is wanted: memory is bounded by what is kept
 * (4 MiB). A state machine, no recursion. Little endian, explicit or implicit VR. It judges
 * nothing: what is damaged is passed on as far as it goes, and found by the reader. Threads: one
 * per object. */
#ifndef SPD_RESULT_DCM_CUT_H
#define SPD_RESULT_DCM_CUT_H

#include "base/str.h"

enum { SPD_CUT_DEPTH = 32, SPD_CUT_VALUE_MAX = 1 << 20 };

struct spd_dcm_cut {
    bool explicit_vr;
    struct spd_str *out; /* borrowed */
    uint64_t dropped;    /* bytes of bulk */
    /* private */
    unsigned char head[12];
    size_t n_head;
    uint64_t left; /* bytes of a value still to come */
    bool dropping, broken;
    size_t depth;                       /* open sequences and items of undefined length */
    unsigned char kinds[SPD_CUT_DEPTH]; /* 1 sequence, 2 item, 3 fragments */
    size_t drop_depth;                  /* that depth and deeper is dropped; 0: nothing is */
};
void spd_dcm_cut_begin(struct spd_dcm_cut *c, bool explicit_vr, struct spd_str *out);
void spd_dcm_cut_feed(struct spd_dcm_cut *c, const char *data, size_t len);
/* The rest of a damaged head, as it stands. */
void spd_dcm_cut_end(struct spd_dcm_cut *c);

#endif
