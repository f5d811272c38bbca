/* src/web/web.h: the HTTP door: JSON API, server-sent events, page links, pages, health and
 * metrics.
 *
 * It decides nothing: lists come from the published board, everything older from the read-only
 * store, and every change is an event given to the writer. It is plain HTTP: loopback, a Unix
 * socket, or behind a proxy that speaks TLS (then site.public_url is https and cookies are Secure).
 *
 * Threads: one epoll thread of libmicrohttpd per listener parses and sends; workers in three lanes
 * (read, write, slow) make the answers, each with its own read-only store handle; one stream thread
 * wakes server-sent events and requests that wait for a revision. So a slow disk, a slow decoder or
 * a slow client holds up its own kind only. Host callbacks are called from worker threads, several
 * at once, and must be thread-safe; all views given to them are borrowed for the call. */
#ifndef SPD_WEB_WEB_H
#define SPD_WEB_WEB_H

#include <sys/types.h>

#include "list/list.h"
#include "queue/writer.h"
#include "store/query.h"

struct spd_web_uid { /* who a process at the other end of a Unix socket is (SO_PEERCRED) */
    uid_t uid;
    spd_sv name;  /* "orthanc": named in audits */
    spd_sv roles; /* "hook" or "admin,reader": names of design §2 with commas */
};

struct spd_web_listen {
    spd_sv address; /* "127.0.0.1", "::1"; "" for a socket */
    int port;       /* 0: any free one, see spd_web_port */
    spd_sv socket;  /* path; made 0660, an old socket file there is replaced; "" for TCP */
    int fd; /* > 0: an already listening socket (systemd); taken over. Address or path say its kind
             */
    const struct spd_web_uid *uids; /* socket only */
    size_t n_uids;
};

struct spd_web_site {
    spd_sv name, language; /* "nl" or "en": where Accept-Language names neither */
    spd_sv public_url;     /* "https://spoed.example" behind a proxy; "" = plain, as asked */
    spd_sv patient_authority, accession_issuer; /* of identifiers that came without */
    spd_sv version;                             /* of the program */
    const struct spd_zone *zone;                /* of all times in answers */
};

struct spd_web_from { /* who hands something in */
    spd_sv user;      /* account, token's account or socket name */
    spd_sv address;   /* of the client, "" over a socket */
    spd_sv ae_title;  /* ?ae_title= : the sender that a hook speaks for; "" = itself */
    spd_sv door;      /* of an object: "STOW"; "" = HTTP */
    spd_sv study_uid; /* of an object: it must be of this study; "" any */
};

enum spd_web_taken {
    SPD_TAKEN_RESULT,
    SPD_TAKEN_PARKED,
    SPD_TAKEN_NOT_A_RESULT,
    SPD_TAKEN_REFUSED
};
struct spd_web_instance { /* answer of instance(); texts by value: no arena is shared */
    enum spd_rc rc; /* OK: the outcome holds. AGAIN: queue full (503). Else 507: not committed */
    enum spd_web_taken outcome;
    char reason[200]; /* one sentence or key without patient data */
    int64_t id, revision;
    bool other_study; /* rc is INVALID: it is not of from's study */
    bool unreadable;  /* kept for a person, but nothing could be read of it */
};

struct spd_web_message { /* answer of message() */
    enum spd_rc rc;      /* as of spd_web_instance */
    char answer[3];      /* "AA", "AR", "AE" …: what an MLLP sender would have been told */
    char reason[200];    /* without patient data; "" with AA */
    int64_t revision;
};

struct spd_web_destination { /* of channels: or send: */
    char name[64], type[16], mode[16];
    bool pages;
};

struct spd_web_ups_key { /* of a query string */
    spd_sv name, value;
};
enum spd_web_ups_act {
    SPD_WEB_UPS_RETRIEVE,
    SPD_WEB_UPS_SEARCH,
    SPD_WEB_UPS_CREATE,
    SPD_WEB_UPS_UPDATE,
    SPD_WEB_UPS_STATE,
    SPD_WEB_UPS_CANCEL,
    SPD_WEB_UPS_SUBSCRIBE,
    SPD_WEB_UPS_UNSUBSCRIBE,
    SPD_WEB_UPS_SUSPEND
};
struct spd_web_ups { /* a request of UPS-RS (PS3.18 §11) */
    enum spd_web_ups_act act;
    spd_sv uid, transaction, receiver; /* "" = not said in the address */
    bool lock;
    spd_sv body; /* application/dicom+json */
    const struct spd_web_ups_key *keys;
    size_t n_keys;
    struct spd_web_from from;
};
struct spd_web_ups_said {
    unsigned status; /* of DICOM: 0, 1 and Bxxx were done */
    char text[160];  /* a sentence for the Warning header; "" none */
    char uid[65];    /* create: of the workitem */
    size_t n;        /* search: how many are in the answer */
    bool more;       /* search: there are more */
};

struct spd_web_host {
    size_t size; /* sizeof(struct spd_web_host) */
    void *self;  /* first argument of the callbacks */
    struct spd_board *board;
    struct spd_writer *writer;
    spd_sv store_url; /* opened read-only, one handle per worker */
    struct spd_web_site site;
    const struct spd_web_listen *listen;
    size_t n_listen;
    spd_sv assets_dir; /* development: serve pages from there; "" = the built-in ones */

    spd_usec (*now)(void *self); /* UTC; NULL = spd_clock_now */
    /* DICOM bytes: decode, make an event, wait for the commit. May block up to 12 s. NULL: no such
     * door. */
    void (*instance)(void *self, spd_sv bytes, const struct spd_web_from *from,
                     struct spd_web_instance *ret);
    /* {called, calling, keys} -> appends the answers: a JSON array, or (files) DICOM files, each behind
     * its length. INVALID: bad keys. NULL: no such door. */
    enum spd_rc (*find)(void *self, spd_sv json, bool files, const struct spd_web_from *from,
                        struct spd_str *out, int64_t *ret_revision, struct spd_err *err);
    /* The name of the configured peer that this sender is; false = unlisted. NULL: the user's name.
     */
    bool (*peer)(void *self, const struct spd_web_from *from, char ret[64]);
    /* Appends the elements of a JSON array {"name","ok":bool,"text","todo"}, without brackets;
     * returns ready. NULL: ready, nothing to say. */
    bool (*health)(void *self, bool dutch, struct spd_str *out);
    /* Appends Prometheus lines with their HELP and TYPE. NULL: none. */
    void (*metrics)(void *self, struct spd_str *out);
    /* Appends a JSON array: keep what spd_web_models_json made in the writer thread. NULL: []. */
    void (*models_json)(void *self, bool dutch, struct spd_str *out);
    /* Appends a JSON object {"hash", "levels":[…], "rules":[…]}: likewise spd_web_policy_json.
     * NULL: {}. */
    void (*policy_json)(void *self, bool dutch, struct spd_str *out);
    /* Name of a level of the active policy. NULL: critical urgent expedited routine. */
    void (*level_name)(void *self, int level, char ret[32]);
    /* Names of destinations and channels in mode observe, for the banner. Copied. */
    const spd_sv *observe;
    size_t n_observe;
    /* One HL7 v2 message, not framed: the way of the MLLP door. Waits for the commit; appends the
     * acknowledgement (nothing where none is wanted), and to response what the application says
     * behind it where both are asked for. NULL: no such door. */
    void (*message)(void *self, spd_sv bytes, const struct spd_web_from *from, struct spd_str *ack,
                    struct spd_str *response, struct spd_web_message *ret);
    /* observe and n_observe, asked for every time, since a reload changes it: appends the strings of a JSON array,
     * without brackets. NULL: observe. */
    void (*observing)(void *self, struct spd_str *out);
    /* The i-th destination and channel; false: there are no more. NULL: none. */
    bool (*destination)(void *self, size_t i, struct spd_web_destination *ret);
    /* An HL7 message of the log once more, as one of that peer: as message(), without its answer to a
     * sender. NOTFOUND: no such peer. NULL: no such door. */
    void (*again)(void *self, int64_t message, spd_sv bytes, spd_sv peer,
                  struct spd_web_message *ret);
    /* A request of UPS-RS; appends the answer's body. May wait for the commit. NULL: no such door. */
    void (*ups)(void *self, const struct spd_web_ups *ask, struct spd_str *out,
                struct spd_web_ups_said *ret);
    /* Events of UPS for an AE title after a position (-1: after what it was handed), oldest first, at
     * most max, until say returns false. Returns the position reached. NULL together with ups. */
    int64_t (*ups_events)(void *self, spd_sv ae, int64_t after, size_t max,
                          bool (*say)(void *ctx, int64_t position, spd_sv json), void *ctx);
    /* It was handed them up to there; must not wait. */
    void (*ups_seen)(void *self, spd_sv ae, int64_t position);
};

struct spd_web;
/* Copies what host points to, but board, writer and self stay the host's and must outlive the web.
 * Owned. */
enum spd_rc spd_web_start(const struct spd_web_host *host, struct spd_web **ret,
                          struct spd_err *err);
/* Stops listening, answers what is running, ends the streams. Before the writer and board go. NULL
 * is a no-op. */
void spd_web_stop(struct spd_web *w);
int spd_web_port(const struct spd_web *w, size_t listen); /* 0 for a socket */

/* An item as in the list of GET /api/v1/worklist, for commands that have no web running: a JSON object. rank 0:
 * null. policy names the levels of alerts; may be NULL. */
void spd_web_item_json(const struct spd_view *v, size_t rank, const struct spd_policy *policy,
                       const struct spd_zone *zone, bool dutch, struct spd_str *out);

/* For the host's callbacks, made in the writer thread after a configuration or when model rows
 * changed: the registry with what is known of every version, and the rules as sentences. p, m may
 * be NULL. */
void spd_web_models_json(const struct spd_models *m, struct spd_store *store,
                         const struct spd_zone *zone, struct spd_str *out);
void spd_web_policy_json(const struct spd_policy *p, bool dutch, struct spd_str *out);

#endif
