/* src/daemon/trial.h: what a message becomes: the real map and the real core over an in-memory
 * store.
 *
 * One trial is one small hospital that begins empty; what a message did stays for the next one.
 * Nothing is sent, nothing is written, no timer fires. For `spoed hl7 try`. Threads: one. */
#ifndef SPD_DAEMON_TRIAL_H
#define SPD_DAEMON_TRIAL_H

#include "daemon/config.h"
#include "hl7/map/map.h"

struct spd_trial;

struct spd_trial_said { /* in the arena given, or literals */
    spd_sv answer;      /* "AA" … */
    spd_sv answers;     /* what goes back: "ACK CA, then ORR AA (ORC-1 OK)"; "" where no answer is wanted */
    spd_sv event; /* order, patient, report, result …; or why there is none: not-for-us, unusable,
                     unreadable … */
    spd_sv type, peer;
    spd_sv item; /* JSON: as in the list of the API; "null" */
    struct {
        spd_sv *v;
        size_t n;
    } reasons;              /* sentences in English */
    struct hl7_trace trace; /* what was read where */
};

/* config is borrowed. */
enum spd_rc spd_trial_new(const struct spd_config *config, struct spd_trial **ret,
                          struct spd_err *err);
void spd_trial_free(struct spd_trial *t); /* NULL is a no-op */
/* One message, without frame, as if that peer had sent it; NULL: the peer whose MSH-3 and MSH-4
 * fit, else nobody who is listed. charset, zone: in place of the peer's, "" and NULL leave them.
 * Always says something. */
void spd_trial_message(struct spd_trial *t, spd_sv bytes, const struct spd_peer *peer,
                       spd_sv charset, const struct spd_zone *zone, struct spd_trial_said *ret,
                       struct spd_arena *arena);

#endif
