/* src/dicom/scu.h: `spoed-dicom scu`: one association that we ask for, on behalf of the brain.
 * scu.c reads the brain's frames; open.cc (DCMTK) makes the association. */
#ifndef SPD_DICOM_SCU_H
#define SPD_DICOM_SCU_H

#include "dicom/service.h"

#ifdef __cplusplus
extern "C" {
#endif
struct spd_tls;
struct spd_scu_proposal { /* one presentation context */
    char abstract[65], transfers[4][65], accepted[65];
    size_t n_transfers;
    int we_are_scp; /* role selection: the service is offered by us (UPS events) */
};
struct spd_scu_job {
    char host[256]; /* numeric */
    int port;
    char calling[17], called[17];
    int seconds;                           /* for the connection and the answer to the request */
    int answer_seconds;                    /* for each answer afterwards */
    struct spd_tls *tls;                   /* NULL: plain */
    struct spd_scu_proposal proposals[32]; /* accepted is set by spd_scu_open; ids are 1, 3, 5 … */
    size_t n_proposals;
};
enum spd_scu_opened { SPD_SCU_OPEN = 0, SPD_SCU_NO_CONNECTION, SPD_SCU_REJECTED, SPD_SCU_FAILED };
/* why: room for a sentence without anything the peer said. */
enum spd_scu_opened spd_scu_open(struct spd_scu_job *job, struct spd_pdv_io *ret, char *why,
                                 size_t size);
void spd_scu_release(int abort); /* ends the association */

int spd_dicom_scu_main(int argc, char **argv); /* fd 0: the brain's socket. Returns the exit code */
#ifdef __cplusplus
}
#endif
#endif
