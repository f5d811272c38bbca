/* src/dicom/request.h: the services the other way round: we ask, a peer answers. In C over the same
 * PDV interface as service.h; scu.c feeds it from the brain's frames. One request at a time. */
#ifndef SPD_DICOM_REQUEST_H
#define SPD_DICOM_REQUEST_H

#include "dicom/service.h"
#include "result/nmsg.h"

enum { SPD_REQUEST_CONTEXTS = 32, SPD_STATUS_NO_CONTEXT = 0x0122, SPD_STATUS_NOT_OURS = 0xC000 };

struct spd_request_context { /* accepted ones; transfer "" when the peer refused it */
    unsigned char id;
    char abstract[65], transfer[65];
};
struct spd_requestor {
    const struct spd_pdv_io *io;
    struct spd_request_context contexts[SPD_REQUEST_CONTEXTS];
    size_t n_contexts;
    unsigned last_id;
    int answer_seconds;
    struct spd_arena *arena; /* of one request */
};

/* All return SPD_PDV_OK with a status (and comment, in the arena), or how the association ended. A
 * SOP class that the peer did not accept is SPD_STATUS_NO_CONTEXT without a word being sent. */
enum spd_pdv spd_request_echo(struct spd_requestor *q, unsigned *ret_status);
/* The bytes go as they are when the peer takes their transfer syntax, else in one that it takes. */
enum spd_pdv spd_request_store(struct spd_requestor *q, spd_sv sop_class, spd_sv sop_uid,
                               spd_sv transfer, spd_sv data, unsigned *ret_status,
                               spd_sv *ret_comment);
/* keys: explicit VR little endian. Every answer goes to take() as DICOM JSON; after max of them
 * C-CANCEL is sent. */
enum spd_pdv spd_request_find(struct spd_requestor *q, spd_sv abstract, spd_sv keys, size_t max,
                              bool (*take)(void *ctx, spd_sv json), void *ctx, unsigned *ret_status,
                              spd_sv *ret_comment);
/* raw of the request: its data set in explicit VR; data of the answer: DICOM JSON. */
enum spd_pdv spd_request_n(struct spd_requestor *q, const struct spd_n_request *r,
                           struct spd_n_answer *ret);

#endif
