/* clang-format off */
/* spoed/spoed.h: Spoed for any other PACS or RIS: a small, stable C interface.
 *
 * Spoed's brain (`spoed serve`) decides in which order the studies of a department are to be
 * read. This library is a thin client of it: every call is one HTTP request over the brain's Unix
 * socket. It keeps no state of its own, starts no thread, calls nobody back, installs no signal
 * handler, writes to no stream and needs libc only. The brain need not run when a session is
 * opened.
 *
 *     struct spoed_options o = SPOED_OPTIONS_INIT;
 *     if (spoed_open(&o, &s, NULL) == SPOED_OK && spoed_list_open(s, NULL, &l, NULL) == SPOED_OK)
 *         for (size_t i = 0; i < spoed_list_count(l); i++) puts(spoed_list_reason(l, i, 0));
 *
 * Ownership. What a function hands out through a pointer to a pointer is yours, and has one
 *   function that frees it (NULL is a no-op there). Texts from getters belong to their object and
 *   live as long as it does; they are never NULL. Everything given in is copied or used up before
 *   the call returns.
 * Threads. A struct spoed never changes after spoed_open: any number of threads may call with the
 *   same one at once. A struct spoed_list may be read by any number of threads. A struct
 *   spoed_stream is for one thread at a time. Nobody may use an object that is being freed.
 * Blocking. Every call that speaks with the brain blocks, at most timeout_ms (and spoed_list_open
 *   up to 10 s longer where at_least is given). Nothing else blocks. SIGPIPE is never raised.
 * Units. Times are microseconds since 1970-01-01T00:00:00 UTC in int64_t, 0 = not known;
 *   time-outs are milliseconds; texts are UTF-8 and NUL-terminated unless a length is given.
 * Structs. Each begins with its size, set by its INIT macro: a program built with an older header
 *   works with a newer library, and with a newer header it is told INVALID when it asks for what
 *   the library does not have. Set every struct by its macro first. All zero afterwards means:
 *   the usual.
 * Errors. Every function that can fail returns an enum spoed_code, lists those it can return, and
 *   leaves its outputs untouched unless it returns SPOED_OK. A struct spoed_error, where given,
 *   says more; it never holds patient data, so it may be logged. Memory that is not there is
 *   SPOED_NO_MEMORY, never an abort.
 * fork. File descriptors are close-on-exec. A child uses no object of its parent.
 * ABI. libspoed.so.1: functions and struct members are added, never changed or taken away; enums
 *   grow at the end, so expect values you do not know. C17 and C++17. */
#ifndef SPOED_SPOED_H
#define SPOED_SPOED_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SPOED_API __attribute__((visibility("default")))
#else
#define SPOED_API
#endif

/* ---- errors ------------------------------------------------------------------------------- */
enum spoed_code {
    SPOED_OK = 0,
    SPOED_AGAIN = 1, /* spoed_next only: no event now; poll the descriptor */
    SPOED_END = 2,   /* spoed_next only: the stream is over; free it and subscribe again */
    SPOED_INVALID = -1,       /* an argument or what was submitted is wrong and stays wrong */
    SPOED_DENIED = -2,        /* the brain does not know you, or your role may not do that */
    SPOED_NOT_FOUND = -3,     /* there is no such item */
    SPOED_CONFLICT = -4,      /* not in this state; holder says who has it claimed */
    SPOED_BUSY = -5,          /* the brain's queue is full; nothing was done: again in a second */
    SPOED_NOT_COMMITTED = -6, /* the brain cannot store (a full disk); nothing was done: keep it */
    SPOED_UNREACHABLE = -7,   /* nobody answers on the socket; nothing was sent */
    SPOED_UNCERTAIN = -8,     /* sent, but no whole answer in time: done or not. Submitting the same
                               * again is safe: the same message or object has the effect of once */
    SPOED_PROTOCOL = -9,      /* what answers there is no brain of ours; treat as UNCERTAIN */
    SPOED_TOO_LARGE = -10,    /* more than the library or the brain takes */
    SPOED_NO_MEMORY = -11,    /* here, not in the brain; after a submission treat as UNCERTAIN */
    SPOED_FAILED = -12        /* the brain's own fault (HTTP 500); its log says more */
};

struct spoed_error { /* filled when a call fails, else left alone */
    size_t size;
    enum spoed_code code;
    int http_status;  /* of the brain's answer; 0: there was none */
    char reason[64];  /* the brain's key ("busy", "forbidden" …), for programs; "" none */
    char text[256];   /* a sentence, for people, in the language of the session */
    char holder[128]; /* CONFLICT on a claim: the account that has the item; "" else */
};
#define SPOED_ERROR_INIT {sizeof(struct spoed_error), SPOED_OK, 0, {0}, {0}, {0}}

/* "busy", "unreachable" … Never NULL, also for a value it does not know. */
SPOED_API const char *spoed_code_name(enum spoed_code code);
/* Of the library that is loaded, "0.1.0". */
SPOED_API const char *spoed_version(void);

/* ---- session ------------------------------------------------------------------------------ */
struct spoed;

struct spoed_options {
    size_t size;
    const char *socket_path; /* NULL: /run/spoed/spoed.sock */
    const char *token;       /* API token (`spoed user add NAME --role … --token`); NULL: you are
                              * what the brain's listen.http[].roles says of your process's user */
    const char *language;    /* "nl" or "en": of reasons and errors; NULL: the site's */
    int connect_timeout_ms;  /* 0: 1000 */
    int timeout_ms;          /* of a whole call; 0: 15000. A result may take the brain 12 s */
};
#define SPOED_OPTIONS_INIT {sizeof(struct spoed_options), NULL, NULL, NULL, 0, 0}

/* Does not connect yet. options may be NULL.
 * @return SPOED_INVALID: size, time-out, path (at most 107 bytes), token or language is not usable;
 *         SPOED_NO_MEMORY. */
SPOED_API enum spoed_code spoed_open(const struct spoed_options *options, struct spoed **ret,
                                     struct spoed_error *err);
/* Frees it and wipes the token. Lists and streams made with it live on. */
SPOED_API void spoed_close(struct spoed *s);

/* ---- submit: roles hook or admin ---------------------------------------------------------- */
struct spoed_order_answer {
    size_t size;
    char answer[4];   /* what an HL7 sender would be told: "AA" taken, "AR" and "AE" turned down */
    char reason[256]; /* why not AA; "" else */
    int64_t revision; /* see spoed_query.at_least */
    char *ack;        /* in: room of yours for the HL7 acknowledgement, or NULL */
    size_t ack_room;  /* in: its size */
    size_t ack_size;  /* out: bytes of the acknowledgement without its NUL; 0: the message wants
                       * none. Where it is not less than ack_room, ack is "" */
};
#define SPOED_ORDER_ANSWER_INIT \
    {sizeof(struct spoed_order_answer), {0}, {0}, 0, NULL, 0, 0}

/* Hands in one HL7 v2 message (ORM, OMI, OMG; also ADT, ORU from whoever may), segments ended by
 * CR, without MLLP's frame, in the character set that MSH-18 or the peer's entry names. SPOED_OK
 * means that it is committed, whatever answer says. The brain's configuration must list you:
 * peers: {pacs: {match: {door: http, user: NAME}, roles: [orders]}}.
 * @return SPOED_INVALID: no bytes, or not readable; SPOED_TOO_LARGE: beyond 4 MiB; SPOED_DENIED,
 *         SPOED_BUSY, SPOED_NOT_COMMITTED, SPOED_UNREACHABLE, SPOED_UNCERTAIN, SPOED_PROTOCOL,
 *         SPOED_NO_MEMORY, SPOED_FAILED. */
SPOED_API enum spoed_code spoed_submit_order(const struct spoed *s, const void *hl7, size_t size,
                                             struct spoed_order_answer *ret,
                                             struct spoed_error *err);

enum spoed_outcome {
    SPOED_RESULT = 1,   /* it was an AI result, and counts */
    SPOED_PARKED,       /* a result that fits no known study or patient: shown to a person */
    SPOED_NOT_A_RESULT, /* a dose report, say: no effect */
    SPOED_REFUSED,      /* not usable; kept with the reason */
    SPOED_OTHER         /* an outcome that this library is too old to know */
};
struct spoed_result_answer {
    size_t size;
    enum spoed_outcome outcome;
    int64_t id;       /* of the result or the parked entry; 0 none */
    int64_t revision; /* see spoed_query.at_least */
    char reason[256];
};
#define SPOED_RESULT_ANSWER_INIT {sizeof(struct spoed_result_answer), SPOED_OTHER, 0, 0, {0}}

/* Hands in one DICOM object (an SR, as a file with or without preamble). ae_title: the AE title
 * of the product that made it, for which you speak; NULL: you are the sender yourself. SPOED_OK
 * means that it is committed, whatever the outcome.
 * @return as spoed_submit_order; SPOED_INVALID also for an ae_title of more than 16 bytes. */
SPOED_API enum spoed_code spoed_submit_result(const struct spoed *s, const void *dicom, size_t size,
                                              const char *ae_title,
                                              struct spoed_result_answer *ret,
                                              struct spoed_error *err);

struct spoed_study {
    size_t size;
    const char *study_uid;         /* required */
    const char *accession;         /* NULL: not known */
    const char *accession_issuer;  /* NULL: the site's */
    const char *patient_id;        /* NULL: not known */
    const char *patient_authority; /* NULL: the site's */
    const char *const *instances;  /* SOP Instance UIDs that came; NULL: their number is known */
    size_t n_instances;
    int64_t at;   /* when they came; 0: now */
    int complete; /* not 0: no more images are expected */
};
#define SPOED_STUDY_INIT {sizeof(struct spoed_study), NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0}

/* Says that images of a study have arrived: only then does its item stand in the list.
 * @return as spoed_submit_order; SPOED_INVALID also for a missing UID or text that is no UTF-8.
 *         ret_revision may be NULL. */
SPOED_API enum spoed_code spoed_announce_study(const struct spoed *s,
                                               const struct spoed_study *study,
                                               int64_t *ret_revision, struct spoed_error *err);

/* ---- the reporting worklist: any role ----------------------------------------------------- */
struct spoed_list;

struct spoed_query {
    size_t size;
    const char *status;   /* "arrived,in_progress" or "all"; NULL: what is waiting to be read */
    const char *modality; /* "CT,MR"; NULL: any */
    const char *location; /* NULL: any */
    const char *after;    /* spoed_list_next of the page before; NULL: from the top */
    int limit;            /* rows; 0: 1000, at most 5000 */
    int64_t at_least;     /* waits up to 10 s until the list has this revision in it; 0: as it is */
};
#define SPOED_QUERY_INIT {sizeof(struct spoed_query), NULL, NULL, NULL, NULL, 0, 0}

/* Reads the list as it stands now; it does not change afterwards. query may be NULL.
 * @return SPOED_INVALID: a value is not known; SPOED_DENIED, SPOED_BUSY, SPOED_UNREACHABLE,
 *         SPOED_UNCERTAIN (too late), SPOED_PROTOCOL, SPOED_TOO_LARGE, SPOED_NO_MEMORY,
 *         SPOED_FAILED. */
SPOED_API enum spoed_code spoed_list_open(const struct spoed *s, const struct spoed_query *query,
                                          struct spoed_list **ret, struct spoed_error *err);
SPOED_API void spoed_list_free(struct spoed_list *list);

SPOED_API size_t spoed_list_count(const struct spoed_list *list);
SPOED_API int64_t spoed_list_revision(const struct spoed_list *list);
/* 0: the list may miss orders or results (a feed is silent, say): this must be shown to the
 * reader. */
SPOED_API int spoed_list_complete(const struct spoed_list *list);
/* For spoed_query.after; "" when these were the last rows. */
SPOED_API const char *spoed_list_next(const struct spoed_list *list);

/* Row i, from 0, in the order in which the studies should be read. Beyond the end: 0 and "". */
/* Of the item, for claims */
SPOED_API int64_t spoed_list_id(const struct spoed_list *list, size_t i);
/* From 1; 0: not listed */
SPOED_API int64_t spoed_list_rank(const struct spoed_list *list, size_t i);
/* "critical" … */
SPOED_API const char *spoed_list_level(const struct spoed_list *list, size_t i);
/* "arrived" … */
SPOED_API const char *spoed_list_status(const struct spoed_list *list, size_t i);
/* Must be read by then */
SPOED_API int64_t spoed_list_due(const struct spoed_list *list, size_t i);
SPOED_API int64_t spoed_list_arrived(const struct spoed_list *list, size_t i);
SPOED_API const char *spoed_list_accession(const struct spoed_list *list, size_t i);
SPOED_API const char *spoed_list_accession_issuer(const struct spoed_list *list, size_t i);
/* The first */
SPOED_API const char *spoed_list_patient_id(const struct spoed_list *list, size_t i);
SPOED_API const char *spoed_list_patient_authority(const struct spoed_list *list, size_t i);
SPOED_API const char *spoed_list_modality(const struct spoed_list *list, size_t i);
/* Who claimed it */
SPOED_API const char *spoed_list_reader(const struct spoed_list *list, size_t i);
SPOED_API size_t spoed_list_study_count(const struct spoed_list *list, size_t i);
SPOED_API const char *spoed_list_study_uid(const struct spoed_list *list, size_t i, size_t n);
/* Why it stands where it stands: sentences, the deciding one first. */
SPOED_API size_t spoed_list_reason_count(const struct spoed_list *list, size_t i);
SPOED_API const char *spoed_list_reason(const struct spoed_list *list, size_t i, size_t n);
/* The whole list as the JSON that the HTTP API answers (docs/api.md), for what has no getter. */
SPOED_API const char *spoed_list_json(const struct spoed_list *list);

/* ---- claims: roles reader or reporter ----------------------------------------------------- */
/* Takes an item for reading, for 15 minutes; claiming again prolongs it. A claim is a person's
 * act: the role hook may not, so that it takes the API token of the reader's account, in a
 * session of its own. ret_revision may be NULL.
 * @return SPOED_CONFLICT: err->holder has it; SPOED_NOT_FOUND; SPOED_INVALID: no such id;
 *         SPOED_DENIED, SPOED_BUSY, SPOED_NOT_COMMITTED, SPOED_UNREACHABLE, SPOED_UNCERTAIN,
 *         SPOED_PROTOCOL, SPOED_NO_MEMORY, SPOED_FAILED. */
SPOED_API enum spoed_code spoed_claim(const struct spoed *s, int64_t item, int64_t *ret_revision,
                                      struct spoed_error *err);
/* Gives it back.
 * @return as spoed_claim. */
SPOED_API enum spoed_code spoed_release(const struct spoed *s, int64_t item, int64_t *ret_revision,
                                        struct spoed_error *err);

/* ---- what changes: any role --------------------------------------------------------------- */
struct spoed_stream;

enum spoed_kind {
    SPOED_KIND_ITEM = 1, /* a row of the list; id is the item's */
    SPOED_KIND_ALERT,    /* a page and its life */
    SPOED_KIND_ALARM,    /* something technical needs a person */
    SPOED_KIND_HEALTH,
    SPOED_KIND_RESET, /* what came before is not known any more: read the list anew */
    SPOED_KIND_OTHER  /* a kind that this library is too old to know */
};
struct spoed_event {
    size_t size;
    enum spoed_kind kind;
    int64_t id;       /* of what changed; 0 none */
    int64_t revision; /* see spoed_query.at_least */
};
#define SPOED_EVENT_INIT {sizeof(struct spoed_event), SPOED_KIND_OTHER, 0, 0}

/* Connects to the stream of changes. place: 0 = from now on (the first event is a RESET), or what
 * spoed_stream_place said of the stream before: then nothing in between is lost. A stream is a
 * hint that something changed; the list is read with spoed_list_open.
 * @return SPOED_INVALID: place below 0; SPOED_DENIED, SPOED_BUSY, SPOED_UNREACHABLE,
 *         SPOED_UNCERTAIN, SPOED_PROTOCOL, SPOED_NO_MEMORY, SPOED_FAILED. */
SPOED_API enum spoed_code spoed_subscribe(const struct spoed *s, int64_t place,
                                          struct spoed_stream **ret, struct spoed_error *err);
SPOED_API void spoed_unsubscribe(struct spoed_stream *stream);
/* Becomes readable when spoed_next has something to say. For poll, select and epoll only; the
 * stream's own, closed by spoed_unsubscribe. */
SPOED_API int spoed_stream_fd(const struct spoed_stream *stream);
/* Takes one event, without blocking and without taking memory. When the descriptor is readable
 * call it until it says SPOED_AGAIN: several events may have come at once. Call it at least once
 * a minute also when nothing is readable: the brain says something every 15 s, and a stream that
 * was silent for 50 s is over. That, and a restart of the brain, is SPOED_END.
 * @return SPOED_OK, SPOED_AGAIN, SPOED_END; SPOED_INVALID: ret is not usable. */
SPOED_API enum spoed_code spoed_next(struct spoed_stream *stream, struct spoed_event *ret);
/* Where to go on after SPOED_END; 0: nowhere yet. */
SPOED_API int64_t spoed_stream_place(const struct spoed_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
