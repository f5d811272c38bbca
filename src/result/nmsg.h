/* src/result/nmsg.h: a DIMSE-N message between the DICOM processes and the brain, both ways in.
 *
 * Request: N-CREATE, N-SET, N-GET, N-ACTION, N-EVENT-REPORT or N-DELETE as a peer sent it; its data
 * set was read by the process that speaks DICOM and comes as DICOM JSON, so that the same handlers
 * serve UPS-RS. Answer: the status, and what the response carries. Codecs are for frames 'N' and
 * 'n' (frame.h). Pure. */
#ifndef SPD_RESULT_NMSG_H
#define SPD_RESULT_NMSG_H

#include "result/dcm.h"

enum spd_n_field { /* PS3.7 table E.1-1: command field of the request */
                   SPD_N_EVENT_REPORT = 0x0100,
                   SPD_N_GET = 0x0110,
                   SPD_N_SET = 0x0120,
                   SPD_N_ACTION = 0x0130,
                   SPD_N_CREATE = 0x0140,
                   SPD_N_DELETE = 0x0150
};
enum { SPD_N_TAGS_MAX = 512, SPD_N_BYTES_MAX = 1 << 20 };
enum spd_n_status { /* PS3.7 annex C: what every service may answer */
                    SPD_N_OK = 0x0000,
                    SPD_N_ATTRIBUTE_LIST = 0x0107,
                    SPD_N_INVALID_ATTRIBUTE = 0x0106,
                    SPD_N_PROCESSING = 0x0110,
                    SPD_N_DUPLICATE = 0x0111,
                    SPD_N_NO_SUCH_INSTANCE = 0x0112,
                    SPD_N_NO_SUCH_EVENT = 0x0113,
                    SPD_N_NO_SUCH_ARGUMENT = 0x0114,
                    SPD_N_INVALID_ARGUMENT = 0x0115,
                    SPD_N_NO_SUCH_CLASS = 0x0118,
                    SPD_N_CLASS_CONFLICT = 0x0119,
                    SPD_N_MISSING_ATTRIBUTE = 0x0120,
                    SPD_N_MISSING_VALUE = 0x0121,
                    SPD_N_NOT_SUPPORTED = 0x0122,
                    SPD_N_NO_SUCH_ACTION = 0x0123,
                    SPD_N_NOT_AUTHORIZED = 0x0124,
                    SPD_N_UNRECOGNIZED = 0x0211,
                    SPD_N_RESOURCES = 0x0213
};

struct spd_n_request {
    unsigned field;   /* enum spd_n_field */
    unsigned type_id; /* event type or action type */
    spd_sv abstract;  /* as negotiated for the presentation context */
    spd_sv sop_class,
        sop_uid;    /* affected or requested; sop_uid "" when an N-CREATE leaves it to us */
    uint32_t *tags; /* N-GET: the attribute identifier list; none = all */
    size_t n_tags;
    bool has_data;
    spd_sv json;         /* the data set as DICOM JSON; "" when there is none */
    spd_sv raw;          /* the same as it came, as a DICOM file, for the message log; "" none */
    struct spd_dcm data; /* filled from json by spd_n_request_decode */
};
struct spd_n_answer {
    unsigned status;
    spd_sv comment; /* at most 64 characters, no patient data */
    spd_sv sop_uid; /* "" = that of the request */
    bool has_data;
    spd_sv data; /* explicit VR little endian, UTF-8 (spd_dcm_encode) */
};

void spd_n_request_encode(const struct spd_n_request *r, struct spd_str *out);
enum spd_rc spd_n_request_decode(spd_sv bytes, struct spd_n_request *ret, struct spd_arena *arena,
                                 struct spd_err *err);
void spd_n_answer_encode(const struct spd_n_answer *a, struct spd_str *out);
enum spd_rc spd_n_answer_decode(spd_sv bytes, struct spd_n_answer *ret);
/* "N-CREATE" …; "N-?" for anything else. */
const char *spd_n_field_name(unsigned field);

#endif
