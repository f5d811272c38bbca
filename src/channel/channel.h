/* src/channel/channel.h: how one outbox row leaves the house. Not here: when and to whom (core, queue).
 *
 * A channel is a const table entry; adding one is one file and one line in channel.c's table. send() runs
 * in a worker thread and may block up to total_timeout; it never logs a value of the payload. */
#ifndef SPD_CHANNEL_CHANNEL_H
#define SPD_CHANNEL_CHANNEL_H

#include "hl7/map/out.h"
#include "model/model.h"

struct spd_channel_tls { /* paths of PEM files; "" none */
    spd_sv certificate, key, ca, crl, server_name;
};
struct spd_channel_config { /* one entry of channels: or send: ; borrowed for the channel's life */
    spd_sv name, type, mode;  /* off observe live */
    spd_sv to;                /* url of the destination: mllp://host:port, https://…, smtp://… */
    spd_sv secret;            /* content of secret_file */
    spd_sv from;              /* mail */
    bool insecure;            /* plain text beyond loopback was asked for in writing */
    spd_usec connect_timeout, total_timeout; /* defaults 3 s, 8 s */
    spd_sv sending_application, sending_facility, receiving_application, receiving_facility; /* MSH-3..6 of hl7; "" = swapped from the order */
    bool reconnect_per_message;
    spd_sv charset;
    spd_sv language;          /* of the site */
    const struct spd_zone *zone; /* hl7: of the times that we write; NULL = UTC */
    int max_tries;            /* hl7: AE so many times becomes permanent; 0 = 5 */
    struct spd_channel_tls tls; /* hl7 by mllps:// */
    unsigned quirks;          /* hl7: enum hl7_quirk */
    bool quirks_given;        /* false: those of its peer hold */
    const struct hl7_profile *profile[HL7_OUT_N]; /* hl7: what its messages are; NULL = the default of the event */
    bool filler, role_given;  /* hl7: role */
    unsigned fields;          /* hl7: bits of hl7_priority_field; 0 = those that the source has */
    const struct spd_field_wire *field_wires; /* hl7: fields with words of their own */
    size_t n_field_wires;
    int ack;                  /* hl7: as in struct spd_destination */
    spd_sv processing_id, version; /* hl7: MSH-11, MSH-12; "" = the order's */
    spd_sv calling;           /* dicom: our AE title */
    const char *dicom_program; /* dicom: path of spoed-dicom; NULL = beside this executable */
    const struct hl7_site *map; /* hl7: field map of its peer, to find the order in its message; NULL = built-in */
};

struct spd_delivery { /* everything send() may look at; borrowed during the call */
    struct spd_outbox row;
    struct spd_item item;     /* id 0: none */
    spd_sv source_raw;        /* raw bytes of that system's last order message, or of the result; empty: none */
    spd_usec now;
    spd_sv report_text;       /* OUTBOX_REPORT */
};

struct spd_sending { /* in the caller's arena */
    spd_sv detail;  /* one line without patient data: "AA", "HTTP 503", "connect: refused" */
    spd_sv answer;  /* what the peer said, at most 64 kB */
    spd_sv sent;    /* the bytes that went out (or would have) */
    spd_usec retry_after; /* 0: the queue's own back-off */
};

struct spd_channel {
    const char *type; /* "webhook", "smtp", "hl7", "dicom" */
    enum spd_rc (*open)(const struct spd_channel_config *config, void **ret_self, struct spd_err *err);
    /* Builds the bytes without sending (mode observe). INVALID: cannot be built, *ret.detail says why. */
    enum spd_rc (*build)(void *self, const struct spd_delivery *d, struct spd_sending *ret, struct spd_arena *arena);
    enum spd_outcome (*send)(void *self, const struct spd_delivery *d, struct spd_sending *ret, struct spd_arena *arena);
    void (*close)(void *self); /* NULL is a no-op */
};

/* Of a row of OUTBOX_RESULT: the message whose bytes go; 0: the row is damaged. */
int64_t spd_channel_result_message(const struct spd_outbox *row);

const struct spd_channel *spd_channel_find(spd_sv type); /* NULL: no such type */
const struct spd_channel *const *spd_channels(size_t *ret_n);

#endif
