/* src/dicom/services.h: what the files of the services share: one message, its command, and the
 * answer. Private to src/dicom. See service.h for who calls it. */
#ifndef SPD_DICOM_SERVICES_H
#define SPD_DICOM_SERVICES_H

#include "dicom/service.h"
#include "result/dcm.h"

enum { SPD_MESSAGE_SECONDS = 30, SPD_BRAIN_MS = 60000, SPD_COMMAND_MAX = 16384 };
enum {
    SPD_STATUS_OK = 0,
    SPD_STATUS_RESOURCES = 0xA700,
    SPD_STATUS_MISMATCH = 0xA900,
    SPD_STATUS_UNREADABLE = 0xC000,
    SPD_STATUS_PENDING = 0xFF00,
    SPD_STATUS_CANCEL = 0xFE00
};

struct spd_command {
    unsigned field, id, data_set, status, type_id;
    spd_sv sop_class, sop_uid; /* affected or requested, whichever the message has */
    spd_sv tags;               /* attribute identifier list, as it came */
    spd_sv comment;
    unsigned char context;
};
struct spd_service {
    const struct spd_pdv_io *io;
    int brain;
    bool reporting;
    struct spd_arena *arena; /* of one message */
};
struct spd_response {
    unsigned status;
    const char *comment; /* NULL: none */
    spd_sv sop_uid;      /* "": that of the request */
    bool data_follows;
};

/* Collects one command or data set. Beyond max the rest is read and dropped and *too_big is set. */
enum spd_pdv spd_service_collect(struct spd_service *s, bool command, int seconds, size_t max,
                                 struct spd_str *out, unsigned char *context, bool *too_big);
/* The same, each fragment to take(), which returns false to give up. At most 64 MiB. */
enum spd_pdv spd_service_stream(struct spd_service *s, bool command, int seconds,
                                unsigned char *context,
                                bool (*take)(void *ctx, const char *data, size_t len), void *ctx);
bool spd_service_parse_command(struct spd_service *s, spd_sv bytes, struct spd_command *c);
bool spd_service_respond(struct spd_service *s, const struct spd_command *c,
                         const struct spd_response *r);
bool spd_service_data(struct spd_service *s, unsigned char context, spd_sv data);

/* ---- command sets as bytes (implicit VR little endian, PS3.7 §6.3.1) ---- */
void spd_command_us(struct spd_str *out, unsigned element, unsigned v);
void spd_command_uid(struct spd_str *out, unsigned element, spd_sv uid);
void spd_command_text(struct spd_str *out, unsigned element, spd_sv text); /* at most 64 bytes */
/* The group length, then the body. */
void spd_command_finish(spd_sv body, struct spd_str *out);

/* ---- answers in the character set of the query (service_charset.c) ---- */
struct spd_single_byte {
    spd_sv name, high[128]; /* what the bytes from 80 mean, as UTF-8; "" nothing */
};
bool spd_single_byte(spd_sv set, struct spd_single_byte *ret,
                     struct spd_arena *arena); /* false: it is none */
/* False: a letter of the answer is not in the set (or the answer cannot be read); it stays as it
 * is. */
bool spd_single_byte_answer(const struct spd_single_byte *set, spd_sv answer, spd_sv transfer,
                            struct spd_str *out, struct spd_arena *arena);

/* ---- one service each ---- */
enum spd_pdv spd_service_store(struct spd_service *s, struct spd_command *c);
enum spd_pdv spd_service_find(struct spd_service *s, struct spd_command *c);
enum spd_pdv spd_service_n(struct spd_service *s, struct spd_command *c);

#endif
