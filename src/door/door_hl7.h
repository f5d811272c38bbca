/* src/door/door_hl7.h: the HL7 v2 door: a frame becomes an event, its answer follows the commit.
 *
 * Which peer speaks is settled per message, by address and MSH-3/4 (domain §9). An order from
 * somebody who is not listed is answered AR and kept as parked, with an alarm; a result or report
 * from such a one is parked and answered AA (domain §9, §10). AE is said only when the event could
 * not be committed now. A message whose event fails by itself, again and again, would block the
 * sender's feed: it is parked instead. Threads: listeners call in, each in its own thread; answers
 * are given in the writer's. */
#ifndef SPD_DOOR_HL7_H
#define SPD_DOOR_HL7_H

#include "hl7/map/map.h"
#include "net/mllp.h"
#include "queue/writer.h"
#include "result/codes.h"

struct spd_door_hl7;

struct spd_door_hl7_host {
    void *self;
    struct spd_writer *writer;
    const struct spd_codes *codes; /* procedures; may be NULL */
    spd_usec (*now)(void *self);
    /* Who is it? Fills peer, roles, defaults, zone, charset, words, on_unusable, msh_5/6/11, and
     * the quirks of its answers (enum hl7_quirk); texts in arena. False: not listed; then zone and
     * defaults are the site's, and it has no quirks. map is one reference, which the door gives
     * back. Thread-safe. */
    bool (*peer)(void *self, const struct spd_mllp_from *from, spd_sv msh_3, spd_sv msh_4,
                 struct spd_arena *arena, struct hl7_map_options *ret, unsigned *ret_quirks);
    /* What is known before it speaks (net/mllp.h); may be NULL. Thread-safe. */
    void (*manner)(void *self, const struct spd_mllp_from *from, struct spd_mllp_manner *ret);
};
/* Who is it, for a message that came another way than by MLLP: as peer above, with the caller's
 * ctx. */
typedef bool (*spd_door_hl7_who)(void *ctx, spd_sv msh_3, spd_sv msh_4, struct spd_arena *arena,
                                 struct hl7_map_options *ret);
struct spd_door_hl7_said { /* texts by value */
    enum spd_answer answer;
    char reason[200]; /* English, without patient data; "" with AA */
    int64_t revision;
};
struct spd_door_hl7_stats {
    uint64_t aa, ae, ar, silent, queue_full, unlisted;
};

/* The code tables (NULL: none) as the map asks for them; borrowed. */
void spd_door_hl7_codes(const struct spd_codes *codes, struct hl7_map_options *ret);
/* What becomes of an event whose sender is not in the configuration. */
void spd_door_hl7_unlisted(struct spd_event *event, struct spd_arena *arena);
/* Copies host. Owned. Freed after all its listeners were stopped. */
struct spd_door_hl7 *spd_door_hl7_new(const struct spd_door_hl7_host *host);
void spd_door_hl7_free(struct spd_door_hl7 *d); /* NULL is a no-op */
/* Serves a listening socket (taken over). options (NULL: all defaults) without manner: that is the
 * host's. The listener ends with spd_door_hl7_stop. */
enum spd_rc spd_door_hl7_listen(struct spd_door_hl7 *d, int fd,
                                const struct spd_mllp_options *options, struct spd_err *err);
/* As spd_mllp_retune, of the listener that was started as number `listener` (from 0). */
enum spd_rc spd_door_hl7_retune(struct spd_door_hl7 *d, size_t listener,
                                const struct spd_mllp_options *options, struct spd_err *err);
/* Takes one message, without MLLP's frame, exactly as a listener would, and waits for its commit.
 * OK: it is in, *ret holds, and the acknowledgement is appended to ack (nothing where the message
 * wants none), the application's own answer behind it, if both are asked for, to response. Else
 * nothing was done: AGAIN the queue is full, DENIED it is being stopped,
 * otherwise it could not be committed. Thread-safe; not from the writer's thread. */
enum spd_rc spd_door_hl7_take(struct spd_door_hl7 *d, spd_sv message, spd_door_hl7_who who,
                              void *ctx, struct spd_door_hl7_said *ret, struct spd_str *ack,
                              struct spd_str *response);
/* Stops every listener: what was taken is answered first. Before the writer stops. */
void spd_door_hl7_stop(struct spd_door_hl7 *d);
int spd_door_hl7_port(const struct spd_door_hl7 *d, size_t listener); /* 0 beyond the last */
struct spd_door_hl7_stats spd_door_hl7_stats(struct spd_door_hl7 *d);
struct spd_mllp_stats
spd_door_hl7_connections(struct spd_door_hl7 *d); /* of all listeners together */

#endif
