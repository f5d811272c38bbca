/* src/door/dimse.h: who in the brain answers a DIMSE-N request, and a C-FIND that asks for no
 * worklist: one table of SOP classes (dimse.c), one row and one file for each kind.
 *
 * A handler decides nothing: it turns the request into an event for the core, or reads what is
 * published, and makes the answer. It is called from the thread of the association and may wait for
 * the writer. Threads: several at a time; a handler keeps no state. */
#ifndef SPD_DOOR_DIMSE_H
#define SPD_DOOR_DIMSE_H

#include "door/door_dicom.h"
#include "result/dcm_write.h"
#include "result/keys.h"
#include "result/nmsg.h"

struct spd_dimse { /* what a handler may use; borrowed for the call */
    const struct spd_door_dicom_host *host;
    spd_sv called, calling, address; /* AE titles, numeric address of the peer */
    struct spd_door_peer peer;
    struct spd_arena *arena; /* of this request */
};

/* Fills answer: status, and what the response carries; its texts live in d->arena. */
typedef void spd_dimse_n(const struct spd_dimse *d, const struct spd_n_request *request,
                         struct spd_n_answer *answer);
/* Calls answer for every match, in order, until it returns false. Returns the final status (0
 * unless it fails). The keys are as they came: UTF-8, not sorted. */
typedef unsigned spd_dimse_find(const struct spd_dimse *d, const struct spd_find_query *query,
                                bool (*answer)(void *ctx, const struct spd_dcm_set *set),
                                void *ctx);

struct spd_dimse_service {
    const char *abstract;  /* SOP class as negotiated */
    const char *sop_class; /* that the requests must name; NULL: any (UPS: always Push) */
    spd_dimse_n *n;        /* NULL: no N-services */
    spd_dimse_find *find;  /* NULL: no C-FIND (the worklists have their own way) */
};
const struct spd_dimse_service *spd_dimse_service(spd_sv abstract); /* NULL: none */

/* Serves one request by the table: checks the SOP class, then calls the handler. */
void spd_dimse_serve(const struct spd_dimse *d, const struct spd_n_request *request,
                     struct spd_n_answer *answer);
/* Sets status and comment. */
void spd_dimse_refuse(struct spd_n_answer *answer, unsigned status, const char *comment);
/* Puts a data set into the answer. */
void spd_dimse_answer_set(const struct spd_dimse *d, const struct spd_dcm_set *set,
                          struct spd_n_answer *answer);

/* ---- the handlers: one file each ---- */
spd_dimse_n spd_mpps_serve, spd_ian_serve, spd_ups_serve;
spd_dimse_find spd_ups_find;

#endif
