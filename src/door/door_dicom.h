/* src/door/door_dicom.h: the brain's side of its DICOM processes: `spoed-dicom front` and `spoed-dicom decode`.
 *
 * The front speaks DICOM and nothing else; it hands each association's socket to this door, which serves
 * its frames: a stored object becomes a result event and is answered after the commit, C-FIND keys are
 * answered from the published list. Plain C, no DCMTK. A front that dies is started again (1 s, 2 s … 30 s)
 * with an alarm; a decoder that dies costs one object.
 *
 * Threads: start and stop from one thread; every callback of the host is called from the door's threads,
 * several at a time. Everything in the host struct is borrowed until stop returns. */
#ifndef SPD_DOOR_DICOM_H
#define SPD_DOOR_DICOM_H

#include "list/list.h"
#include "queue/writer.h"
#include "result/result.h"

struct spd_door_peer { /* what the configuration says of a sender; texts in the arena given */
    spd_sv name;                                /* "" unlisted */
    bool known;                                 /* listed with the role "results" */
    spd_sv patient_authority, accession_issuer; /* defaults (the site's when unlisted) */
    const struct spd_zone *zone;                /* for times without offset; NULL = the host's */
};

/* ---- SR bytes from any door: a pool of decoder processes --------------------------------------- */
struct spd_decoder;
/* program: path of spoed-dicom (see spd_door_dicom_program); n processes wait in advance (0 = 2). Owned. */
enum spd_rc spd_decoder_new(const char *program, size_t n, struct spd_decoder **ret, struct spd_err *err);
void spd_decoder_free(struct spd_decoder *d); /* no run may be under way; NULL is a no-op */
/* Decodes one object (Part 10, or a dataset without meta) within 10 s. OK: *ret is set. INVALID: the object
 * cannot be read, err.text says why (free of patient data). AGAIN: no process to be had; IO: it died, err.text says so. */
enum spd_rc spd_decoder_run(struct spd_decoder *d, spd_sv bytes, struct spd_sr_doc *ret, struct spd_arena *arena,
                            struct spd_err *err);
uint64_t spd_decoder_crashes(struct spd_decoder *d);

/* The event for a decoded object (the same for C-STORE, POST /api/v1/instances and STOW). type: "C-STORE",
 * "HTTP" …; ae_title: the sender's, "" none. Not-a-result and refused-by-the-reader objects become events too
 * (not_a_result, why), so that the message log shows them. ret borrows doc, raw and the texts. */
enum spd_read spd_door_result_event(const struct spd_sr_doc *doc, spd_sv raw, const struct spd_codes *codes,
                                    const struct spd_door_peer *peer, const struct spd_zone *zone, spd_sv type,
                                    spd_sv ae_title, struct spd_result_event *ret, struct spd_arena *arena);
/* The event for bytes that could not be decoded: a message that is kept, with the reason. */
void spd_door_unreadable_event(spd_sv raw, spd_sv why, const struct spd_door_peer *peer, spd_sv type,
                               spd_sv ae_title, spd_sv control_id, struct spd_message_event *ret,
                               struct spd_arena *arena);

/* ---- the front ---------------------------------------------------------------------------------- */
struct spd_door_dicom_host {
    void *self;
    /* Who sends? certificate: its names, one a line; "" without TLS. Texts into arena. */
    void (*peer)(void *self, spd_sv ae_title, spd_sv address, spd_sv certificate, struct spd_arena *arena,
                 struct spd_door_peer *ret);
    /* A technical alarm begins (clear false) or ends; kind "dicom-front", "dicom-decode", "dicom-unreadable". May be NULL. */
    void (*alarm)(void *self, const char *kind, const char *nl, const char *en, bool clear);
    struct spd_writer *writer;
    struct spd_board *board;
    const struct spd_codes *codes;
    const struct spd_zone *zone; /* of the site */
    /* May it use this AE title (with this certificate)? NULL: everybody may. */
    bool (*admit)(void *self, spd_sv ae_title, spd_sv address, spd_sv certificate);
    struct spd_ups_door *ups; /* UPS (door/ups.h); NULL: not served */
};
struct spd_door_dicom_options {
    size_t size; /* sizeof(struct spd_door_dicom_options) */
    const char *program, *address, *ae_title, *reporting_ae_title; /* program NULL: beside this executable */
    int port;
    int tls_port;                            /* 0: none; else the three PEM files */
    const char *certificate, *key, *ca;
};
struct spd_door_dicom_stats { uint64_t associations, stores, refused, finds, answers, restarts; bool up; uint64_t crashes, requests, denied; };

struct spd_door_dicom;
/* Starts the front. IO when the program is not there; a port that is taken shows as the alarm "dicom-front". */
enum spd_rc spd_door_dicom_start(const struct spd_door_dicom_options *options, const struct spd_door_dicom_host *host,
                                 struct spd_door_dicom **ret, struct spd_err *err);
/* Stops the front and its children (TERM, then KILL after 2 s), joins. Call before spd_writer_stop. */
void spd_door_dicom_stop(struct spd_door_dicom *d); /* NULL is a no-op */
struct spd_door_dicom_stats spd_door_dicom_stats(struct spd_door_dicom *d);
/* "<folder of this executable>/spoed-dicom" in arena; SPOED_DICOM_PROGRAM in the environment overrides (tests). */
const char *spd_door_dicom_program(struct spd_arena *arena);

#endif
