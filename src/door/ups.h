/* src/door/ups.h: UPS for both of its doors: DIMSE (ups_dimse.c) and UPS-RS (ups_rs.c) ask the same questions
 * here and get the same answers (PS3.4 CC.1).
 *
 * It decides nothing: a request is checked for its shape (types of PS3.4 table CC.2.5-3), becomes an event
 * for the core, and the core's status is the answer. Reading is from the published list and, for one UID
 * or for events, from a read-only store of its own.
 *
 * Threads: any, several at a time; the store is used under a lock. The host outlives the door. */
#ifndef SPD_DOOR_UPS_H
#define SPD_DOOR_UPS_H

#include "door/door_dicom.h"
#include "ups/ups.h"

struct spd_ups_door;
struct spd_ups_host {
    const char *store_url; /* copied */
    struct spd_writer *writer;
    struct spd_board *board;
    const struct spd_zone *zone;
    spd_sv site; /* name of the house; copied */
    bool dutch;
};
struct spd_ups_door *spd_ups_door_new(const struct spd_ups_host *host); /* owned */
void spd_ups_door_free(struct spd_ups_door *u);                         /* NULL is a no-op */

struct spd_ups_ask {
    enum spd_workitem_verb verb;      /* UNSET: retrieve */
    spd_sv uid;                       /* "" with create: we choose */
    spd_sv by;                        /* person or AE title */
    const struct spd_door_peer *peer; /* defaults of identifiers, and whose order it becomes */
    const struct spd_dcm *data;       /* NULL: none */
    spd_sv transaction;               /* where the data does not say it */
    spd_sv receiver;
    bool lock, web;                   /* web: by UPS-RS */
    const struct spd_find_query *keys; /* of a filtered subscription */
};
struct spd_ups_said { /* texts in the arena */
    unsigned status;  /* enum spd_ups_status */
    spd_sv comment;   /* one English sentence without patient data; "" none */
    spd_sv uid;
    bool has_set;
    struct spd_dcm_set set; /* retrieve */
};
void spd_ups_ask(struct spd_ups_door *u, const struct spd_ups_ask *ask, struct spd_arena *arena,
                 struct spd_ups_said *ret);
/* Every current workitem that matches, first those of the reporting worklist in its order. set lives until
 * answer returns; all: the whole data set, else what the keys ask for. Returns how many were answered. */
size_t spd_ups_search(struct spd_ups_door *u, const struct spd_find_query *q, bool all,
                      bool (*answer)(void *ctx, const struct spd_dcm_set *set), void *ctx);

/* ---- events for a WebSocket ---- */
/* Those of an AE title after a position (-1: after the newest that it was handed), oldest first, at most max;
 * say gets each with its position until it returns false. Returns the position reached; 10,000 events and
 * seven days are gone back at most. */
int64_t spd_ups_events(struct spd_ups_door *u, spd_sv ae, int64_t after, size_t max, spd_usec now,
                       bool (*say)(void *ctx, int64_t position, spd_sv json), void *ctx);

/* Remembers how far it was handed them; does not wait. */
void spd_ups_seen(struct spd_ups_door *u, spd_sv ae, int64_t position);

/* ---- shape of a creation (ups_create.c) ---- */
/* Fills the order and the attributes of the event. Returns a status; *ret_tag: what it is about. */
unsigned spd_ups_create(const struct spd_ups_ask *ask, const struct spd_zone *zone,
                        struct spd_workitem_event *ret, uint32_t *ret_tag, struct spd_arena *arena);

#endif
