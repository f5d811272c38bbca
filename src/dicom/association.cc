// src/dicom/association.cc: one DICOM association that a peer asked for, by DCMTK's upper layer
// (upper.cc): what we accept of it, then the services.
#include <unistd.h>

#include <cstring>

#include "dicom/front.h"
#include "dicom/sandbox.h"
#include "dicom/tls.h"
#include "dicom/upper.h"

#include "dcmtk/dcmdata/dcuid.h"
#include "dcmtk/dcmnet/cond.h"
#include "dcmtk/dcmnet/dcmtrans.h"

namespace
{

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
    "1.2.840.10008.5.1.4.1.1.11.1",  // Grayscale Softcopy Presentation State
    "1.2.840.10008.5.1.4.1.1.11.2",  // Color Softcopy Presentation State
};

// What may come beside a result: only the header is kept, so any way of packing the pixels will do.
const char *const companions[] = {
    "1.2.840.10008.5.1.4.1.1.7",     // Secondary Capture
    "1.2.840.10008.5.1.4.1.1.7.1",   // Multi-frame Single Bit Secondary Capture
    "1.2.840.10008.5.1.4.1.1.7.2",   // Multi-frame Grayscale Byte Secondary Capture
    "1.2.840.10008.5.1.4.1.1.7.3",   // Multi-frame Grayscale Word Secondary Capture
    "1.2.840.10008.5.1.4.1.1.7.4",   // Multi-frame True Color Secondary Capture
    "1.2.840.10008.5.1.4.1.1.30",    // Parametric Map
    "1.2.840.10008.5.1.4.1.1.66.4",  // Segmentation
    "1.2.840.10008.5.1.4.1.1.66.7",  // Label Map Segmentation
    "1.2.840.10008.5.1.4.1.1.104.1", // Encapsulated PDF
};

T_ASC_Association *association;

bool reject(T_ASC_RejectParametersReason reason)
{
    T_ASC_RejectParameters r = {ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER, reason};
    ASC_rejectAssociation(association, &r);
    return false;
}

// Answers the association request; false: it was refused.
bool negotiate(const spd_front *f, int secure, int brain, const char *peer, bool *reporting)
{
    const char *transfer[] = {UID_LittleEndianExplicitTransferSyntax,
                              UID_LittleEndianImplicitTransferSyntax};
    char context_name[DUL_LEN_NAME + 1] = {0}, calling[17] = {0}, called[17] = {0},
                                     names[2048] = "";
    if (secure && !spd_tls_peer(association, names, sizeof names)) return false;
    ASC_getApplicationContextName(association->params, context_name, sizeof context_name);
    if (strcmp(context_name, UID_StandardApplicationContext) != 0)
        return reject(ASC_REASON_SU_APPCONTEXTNAMENOTSUPPORTED);
    if (ASC_getAPTitles(association->params, calling, 17, called, 17, NULL, 0).bad()) return false;
    *reporting = !strcmp(called, f->reporting_ae);
    if (!*reporting && strcmp(called, f->ae) != 0)
        return reject(ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED);
    if (!spd_dicom_hello(brain, called, calling, peer, names))
        return reject(ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED);
    if (ASC_acceptContextsWithPreferredTransferSyntaxes(
            association->params, const_cast<const char **>(abstract_syntaxes),
            sizeof abstract_syntaxes / sizeof *abstract_syntaxes, transfer, 2)
            .bad())
        return false;
    const char *packed[] = {UID_LittleEndianExplicitTransferSyntax,
                            UID_LittleEndianImplicitTransferSyntax,
                            UID_JPEGProcess1TransferSyntax,
                            UID_JPEGProcess14SV1TransferSyntax,
                            UID_JPEGLSLosslessTransferSyntax,
                            UID_JPEG2000LosslessOnlyTransferSyntax,
                            UID_JPEG2000TransferSyntax,
                            UID_RLELosslessTransferSyntax};
    if (ASC_acceptContextsWithPreferredTransferSyntaxes(
            association->params, const_cast<const char **>(companions),
            sizeof companions / sizeof *companions, packed, sizeof packed / sizeof *packed)
            .bad())
        return false;
    ASC_setAPTitles(association->params, NULL, NULL, called);
    return ASC_acknowledgeAssociation(association).good();
}

} // namespace

int spd_dicom_association(const spd_front *f, int connection, int secure, int brain,
                          const char *peer, volatile int *state)
{
    T_ASC_Network *network = NULL;
    bool reporting = false;
    alarm(SPD_REQUEST_SECONDS); // a peer that drips its request: SIGALRM ends this child
    spd_upper_globals();
    dcmExternalSocketHandle.set(connection);
    if (ASC_initializeNetwork(NET_ACCEPTOR, f->port, SPD_SOCKET_SECONDS, &network).bad()) return 1;
    if (secure && ASC_setTransportLayer(network, spd_tls_layer(f->tls), 0).bad()) return 1;
    spd_sandbox_enter(0);
    OFCondition cond = ASC_receiveAssociation(network, &association, SPD_PDU_MAX, NULL, NULL,
                                              secure != 0, DUL_NOBLOCK, SPD_REQUEST_SECONDS);
    if (cond.bad()) return 0;
    if (!negotiate(f, secure, brain, peer, &reporting)) return 0;
    alarm(0);
    *state = SPD_PLACE_IDLE;
    spd_pdv_io io = spd_upper_io(association, state);
    if (spd_dicom_serve(&io, brain, reporting) == SPD_PDV_RELEASE)
        ASC_acknowledgeRelease(association);
    else
        ASC_abortAssociation(association);
    return 0;
}
