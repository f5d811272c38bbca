/* src/result/keys.h: the keys of a query as a flat list: what a C-FIND identifier (or DICOM JSON) asks for.
 * Shared by the front's children, which make it from bytes, and door/find, which matches it. Pure. */
#ifndef SPD_RESULT_KEYS_H
#define SPD_RESULT_KEYS_H

#include "result/dcm.h"

enum { SPD_FIND_DEPTH = 4, SPD_FIND_KEYS_MAX = 512 };

struct spd_find_key { /* one leaf of the identifier, or a sequence without items */
    uint32_t path[SPD_FIND_DEPTH]; /* tags from the outside in; the last one is the key's own */
    uint8_t depth;                 /* how many of path are used, 1.. */
    char vr[3];                    /* "" when not known (implicit VR) */
    spd_sv value;                  /* UTF-8, several values parted by backslash; "" = universal */
};
struct spd_find_query {
    bool reporting;                /* the reporting list, else the modality list */
    struct spd_find_key *keys;     /* spd_find_prepare sorts them by path */
    size_t n_keys;
};

/* A sequence with several items cannot be matched (PS3.4 C.2.2.2.6): INVALID. Group lengths, (0008,0005)
 * and private tags are left out. */
enum spd_rc spd_find_keys_from_set(const struct spd_dcm *d, struct spd_find_query *ret, struct spd_arena *arena,
                                   struct spd_err *err);
void spd_find_keys_encode(const struct spd_find_query *query, struct spd_str *out);
enum spd_rc spd_find_keys_decode(spd_sv bytes, struct spd_find_query *ret, struct spd_arena *arena,
                                 struct spd_err *err);

#endif
