// src/dicom/upper.cc: see upper.h. Only negotiation and PDV transport are DCMTK's; no data set or
// command ever reaches its parser (service.c and request.c scan them).
#include "dicom/upper.h"

#include <cstring>

#include "dcmtk/dcmdata/dcobject.h"
#include "dcmtk/dcmnet/cond.h"
#include "dcmtk/dcmnet/dcmtrans.h"
#include "dcmtk/dcmnet/dul.h"
#include "dcmtk/oflog/oflog.h"

#include "dicom/front.h"

namespace
{

T_ASC_Association *association;
volatile int *place; // this child's state, seen by the listener
volatile int nowhere;

enum spd_pdv next_pdv(void *, int seconds, unsigned char *context, bool *command, bool *last,
                      const char **data, size_t *len)
{
    DUL_PDV pdv;
    OFCondition cond = DUL_NextPDV(&association->DULassociation, &pdv);
    if (cond.bad()) {
        if (seconds > SPD_SOCKET_SECONDS) *place = SPD_PLACE_IDLE; // the wait between two requests
        cond = DUL_ReadPDVs(&association->DULassociation, NULL, DUL_NOBLOCK, seconds);
        *place = SPD_PLACE_BUSY;
        if (cond == DUL_READTIMEOUT) return SPD_PDV_NONE;
        if (cond == DUL_PEERREQUESTEDRELEASE) return SPD_PDV_RELEASE;
        if (cond != DUL_PDATAPDUARRIVED) return SPD_PDV_END;
        cond = DUL_NextPDV(&association->DULassociation, &pdv);
        if (cond.bad()) return SPD_PDV_END;
    }
    *context = pdv.presentationContextID;
    *command = pdv.pdvType == DUL_COMMANDPDV;
    *last = pdv.lastPDV;
    *data = static_cast<const char *>(pdv.data);
    *len = pdv.fragmentLength;
    return SPD_PDV_OK;
}

bool write_pdv(void *, unsigned char context, bool command, bool last, const char *data, size_t len)
{
    DUL_PDV pdv;
    memset(&pdv, 0, sizeof pdv);
    pdv.fragmentLength = len;
    pdv.presentationContextID = context;
    pdv.pdvType = command ? DUL_COMMANDPDV : DUL_DATASETPDV;
    pdv.lastPDV = last;
    pdv.data = const_cast<char *>(data);
    DUL_PDVLIST list;
    memset(&list, 0, sizeof list);
    list.count = 1;
    list.pdv = &pdv;
    return DUL_WritePDVs(&association->DULassociation, &list).good();
}

bool context_of(void *, unsigned char context, const char **abstract, const char **transfer)
{
    static T_ASC_PresentationContext pc;
    if (ASC_findAcceptedPresentationContext(association->params, context, &pc).bad()) return false;
    *abstract = pc.abstractSyntax;
    *transfer = pc.acceptedTransferSyntax;
    return true;
}

} // namespace

void spd_upper_globals()
{
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    dcmDisableGethostbyaddr.set(OFTrue);
    dcmSocketReceiveTimeout.set(SPD_SOCKET_SECONDS);
    dcmSocketSendTimeout.set(SPD_SOCKET_SECONDS);
    dcmConnectionTimeout.set(SPD_REQUEST_SECONDS);
    dcmAssociatePDUSizeLimit.set(131072);
    dcmAcceptOddAttributeLength.set(OFFalse);
}

spd_pdv_io spd_upper_io(T_ASC_Association *a, volatile int *where)
{
    association = a;
    place = where ? where : &nowhere;
    spd_pdv_io io = {NULL, next_pdv, write_pdv, context_of, a->sendPDVLength};
    if (io.max_fragment > 16384 || io.max_fragment == 0) io.max_fragment = 16384;
    return io;
}
