// src/dicom/upper.h: DCMTK's upper layer as the C files see it: PDVs of one association at a time
// (a process has one).
#ifndef SPD_DICOM_UPPER_H
#define SPD_DICOM_UPPER_H

#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmnet/assoc.h"

#include "dicom/service.h"

enum { SPD_REQUEST_SECONDS = 5, SPD_SOCKET_SECONDS = 30 };
const long SPD_PDU_MAX = 65536;

// No log (its messages may hold patient data), no reverse look-ups, time-outs and limits.
void spd_upper_globals();
// The services' view of an association. place may be NULL; see front.h.
spd_pdv_io spd_upper_io(T_ASC_Association *association, volatile int *place);

#endif
