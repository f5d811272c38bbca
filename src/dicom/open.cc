// src/dicom/open.cc: an association that we ask for, by DCMTK's upper layer. See scu.h.
#include <cstdio>
#include <cstring>

#include "dicom/scu.h"
#include "dicom/tls.h"
#include "dicom/upper.h"

#include "dcmtk/dcmdata/dcuid.h"
#include "dcmtk/dcmnet/cond.h"
#include "dcmtk/dcmtls/tlslayer.h"

namespace
{

T_ASC_Association *association;
T_ASC_Network *network;

OFCondition propose(const spd_scu_job *job, T_ASC_Parameters *params)
{
    OFCondition cond = EC_Normal;
    for (size_t i = 0; i < job->n_proposals && cond.good(); i++) {
        const spd_scu_proposal *p = &job->proposals[i];
        const char *transfers[4];
        for (size_t k = 0; k < p->n_transfers; k++)
            transfers[k] = p->transfers[k];
        cond = ASC_addPresentationContext(params, T_ASC_PresentationContextID(2 * i + 1),
                                          p->abstract, transfers, int(p->n_transfers),
                                          p->we_are_scp ? ASC_SC_ROLE_SCP : ASC_SC_ROLE_DEFAULT);
    }
    return cond;
}

enum spd_scu_opened failed(const OFCondition &cond, char *why, size_t size)
{
    bool rejected = cond == DUL_ASSOCIATIONREJECTED;
    bool tls = cond.module() == OFM_dcmnet && cond.code() == DULC_TLSERROR;
    snprintf(why, size, "%s",
             rejected ? "the peer rejected the association"
             : tls    ? "the TLS handshake failed"
                      : "no connection, or no answer in time");
    return rejected ? SPD_SCU_REJECTED : SPD_SCU_NO_CONNECTION;
}

} // namespace

extern "C" enum spd_scu_opened spd_scu_open(struct spd_scu_job *job, struct spd_pdv_io *ret,
                                            char *why, size_t size)
{
    T_ASC_Parameters *params = NULL;
    char address[300];
    snprintf(address, sizeof address, "%s:%d", job->host, job->port);
    spd_upper_globals();
    dcmConnectionTimeout.set(job->seconds);
    snprintf(why, size, "the association cannot be prepared");
    if (ASC_initializeNetwork(NET_REQUESTOR, 0, job->seconds, &network).bad())
        return SPD_SCU_FAILED;
    if (job->tls && ASC_setTransportLayer(network, spd_tls_layer(job->tls), 0).bad())
        return SPD_SCU_FAILED;
    if (ASC_createAssociationParameters(&params, SPD_PDU_MAX).bad() ||
        ASC_setTransportLayerType(params, job->tls != NULL).bad() ||
        ASC_setAPTitles(params, job->calling, job->called, NULL).bad() ||
        ASC_setPresentationAddresses(params, "localhost", address).bad() ||
        propose(job, params).bad())
        return SPD_SCU_FAILED;
    OFCondition cond = ASC_requestAssociation(network, params, &association, NULL, NULL,
                                              DUL_NOBLOCK, job->seconds);
    if (cond.bad()) return failed(cond, why, size);
    for (size_t i = 0; i < job->n_proposals; i++) {
        T_ASC_PresentationContext pc;
        T_ASC_PresentationContextID id = T_ASC_PresentationContextID(2 * i + 1);
        bool got = ASC_findAcceptedPresentationContext(association->params, id, &pc).good();
        snprintf(job->proposals[i].accepted, sizeof job->proposals[i].accepted, "%s",
                 got ? pc.acceptedTransferSyntax : "");
    }
    *ret = spd_upper_io(association, NULL);
    return SPD_SCU_OPEN;
}

extern "C" void spd_scu_release(int abort)
{
    if (!association) return;
    if (abort)
        ASC_abortAssociation(association);
    else
        ASC_releaseAssociation(association);
}
