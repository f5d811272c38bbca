// src/dicom/association.cc: one DICOM association by DCMTK's upper layer. Only negotiation and PDV
// transport are DCMTK's; no data set or command ever reaches its parser (service.c scans them).
#include <unistd.h>

#include <cstring>

#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmdata/dcuid.h"
#include "dcmtk/dcmdata/dcobject.h"
#include "dcmtk/dcmnet/assoc.h"
#include "dcmtk/dcmnet/cond.h"
#include "dcmtk/dcmnet/dcmtrans.h"
#include "dcmtk/dcmnet/dul.h"
#include "dcmtk/oflog/oflog.h"

#include "dicom/front.h"
#include "dicom/sandbox.h"
#include "dicom/service.h"

namespace
{

const int REQUEST_SECONDS = 5, SOCKET_SECONDS = 30;
const long PDU_MAX = 65536;

const char *const abstract_syntaxes[] = {
    "1.2.840.10008.1.1",             // Verification
    "1.2.840.10008.5.1.4.31",        // Modality Worklist FIND
    "1.2.840.10008.5.1.4.34.6.1",    // UPS Push
    "1.2.840.10008.5.1.4.34.6.2",    // UPS Watch
    "1.2.840.10008.5.1.4.34.6.3",    // UPS Pull
    "1.2.840.10008.5.1.4.34.6.4",    // UPS Event
    "1.2.840.10008.5.1.4.34.6.5",    // UPS Query
    "1.2.840.10008.3.1.2.3.3",       // Modality Performed Procedure Step
    "1.2.840.10008.5.1.4.33",        // Instance Availability Notification
    "1.2.840.10008.5.1.4.1.1.88.11", // Basic Text SR
    "1.2.840.10008.5.1.4.1.1.88.22", // Enhanced SR
    "1.2.840.10008.5.1.4.1.1.88.33", // Comprehensive SR
    "1.2.840.10008.5.1.4.1.1.88.34", // Comprehensive 3D SR
    "1.2.840.10008.5.1.4.1.1.88.35", // Extensible SR
    "1.2.840.10008.5.1.4.1.1.88.40", // Procedure Log
    "1.2.840.10008.5.1.4.1.1.88.50", // Mammography CAD SR
    "1.2.840.10008.5.1.4.1.1.88.59", // Key Object Selection
    "1.2.840.10008.5.1.4.1.1.88.65", // Chest CAD SR
    "1.2.840.10008.5.1.4.1.1.88.67", // X-Ray Radiation Dose SR
    "1.2.840.10008.5.1.4.1.1.88.68", // Radiopharmaceutical Radiation Dose SR
    "1.2.840.10008.5.1.4.1.1.88.69", // Colon CAD SR
    "1.2.840.10008.5.1.4.1.1.88.70", // Implantation Plan SR
    "1.2.840.10008.5.1.4.1.1.88.71", // Acquisition Context SR
    "1.2.840.10008.5.1.4.1.1.88.72", // Simplified Adult Echo SR
    "1.2.840.10008.5.1.4.1.1.88.73", // Patient Radiation Dose SR
    "1.2.840.10008.5.1.4.1.1.88.76", // Enhanced X-Ray Radiation Dose SR
    "1.2.840.10008.5.1.4.1.1.88.3",  // retired: Detail SR (trial)
};

T_ASC_Association *association;
volatile int *place; // this child's state, seen by the listener

enum spd_pdv next_pdv(void *, int seconds, unsigned char *context, bool *command, bool *last,
                      const char **data, size_t *len)
{
    DUL_PDV pdv;
    OFCondition cond = DUL_NextPDV(&association->DULassociation, &pdv);
    if (cond.bad()) {
        if (seconds > SOCKET_SECONDS) *place = SPD_PLACE_IDLE; // the wait between two requests
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

void set_globals()
{
    OFLog::configure(OFLogger::OFF_LOG_LEVEL); // its messages may hold patient data
    dcmDisableGethostbyaddr.set(OFTrue);
    dcmSocketReceiveTimeout.set(SOCKET_SECONDS);
    dcmSocketSendTimeout.set(SOCKET_SECONDS);
    dcmConnectionTimeout.set(REQUEST_SECONDS);
    dcmAssociatePDUSizeLimit.set(131072);
    dcmAcceptOddAttributeLength.set(OFFalse);
}

bool reject(T_ASC_RejectParametersReason reason)
{
    T_ASC_RejectParameters r = {ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER, reason};
    ASC_rejectAssociation(association, &r);
    return false;
}

// Answers the association request; false: it was refused.
bool negotiate(const spd_front *f, bool *reporting, char *calling, char *called)
{
    const char *transfer[] = {UID_LittleEndianExplicitTransferSyntax,
                              UID_LittleEndianImplicitTransferSyntax};
    char context_name[DUL_LEN_NAME + 1] = {0};
    ASC_getApplicationContextName(association->params, context_name, sizeof context_name);
    if (strcmp(context_name, UID_StandardApplicationContext) != 0)
        return reject(ASC_REASON_SU_APPCONTEXTNAMENOTSUPPORTED);
    if (ASC_getAPTitles(association->params, calling, 17, called, 17, NULL, 0).bad()) return false;
    *reporting = !strcmp(called, f->reporting_ae);
    if (!*reporting && strcmp(called, f->ae) != 0)
        return reject(ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED);
    if (ASC_acceptContextsWithPreferredTransferSyntaxes(
            association->params, const_cast<const char **>(abstract_syntaxes),
            sizeof abstract_syntaxes / sizeof *abstract_syntaxes, transfer, 2)
            .bad())
        return false;
    ASC_setAPTitles(association->params, NULL, NULL, called);
    return ASC_acknowledgeAssociation(association).good();
}

} // namespace

int spd_dicom_association(const spd_front *f, int connection, int brain, const char *peer,
                          volatile int *state)
{
    T_ASC_Network *network = NULL;
    char calling[17] = {0}, called[17] = {0};
    bool reporting = false;
    alarm(REQUEST_SECONDS); // a peer that drips its request: SIGALRM ends this child
    set_globals();
    dcmExternalSocketHandle.set(connection);
    if (ASC_initializeNetwork(NET_ACCEPTOR, f->port, SOCKET_SECONDS, &network).bad()) return 1;
    spd_sandbox_enter(0);
    OFCondition cond = ASC_receiveAssociation(network, &association, PDU_MAX, NULL, NULL, OFFalse,
                                              DUL_NOBLOCK, REQUEST_SECONDS);
    if (cond.bad()) return 0;
    if (!negotiate(f, &reporting, calling, called)) return 0;
    alarm(0);
    place = state;
    *place = SPD_PLACE_IDLE;
    spd_pdv_io io = {NULL, next_pdv, write_pdv, context_of, association->sendPDVLength};
    if (io.max_fragment > 16384 || io.max_fragment == 0) io.max_fragment = 16384;
    if (spd_dicom_serve(&io, brain, reporting, called, calling, peer) == SPD_PDV_RELEASE)
        ASC_acknowledgeRelease(association);
    else
        ASC_abortAssociation(association);
    return 0;
}
