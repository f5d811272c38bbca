/* src/net/mllp_client.h: one MLLP connection out, blocking: send a frame, read one frame back.
 *
 * Not here: what the answer means (MSA-2 is compared by the channel). After anything but OK the
 * connection must be closed: an answer that comes late would be taken for the next one's. Plain
 * TCP, or TLS (net/tls.h). Threads: one connection belongs to one thread at a time. */
#ifndef SPD_NET_MLLP_CLIENT_H
#define SPD_NET_MLLP_CLIENT_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/rc.h"
#include "net/tls.h"

struct spd_mllp_client;

struct spd_mllp_target {
    size_t size; /* sizeof(struct spd_mllp_target) */
    const char *host;
    int port;
    spd_usec timeout;        /* to connect, and for the handshake; each */
    struct spd_tls *tls;     /* NULL: plain; used during the call only */
    const char *server_name; /* in its certificate; NULL: host */
    unsigned quirks;         /* enum hl7_quirk: how it wants to be written to */
};
/* AGAIN: could not connect (err.text: "connect: refused" and the like). DENIED: TLS was refused by
 * one of the two; err.text says why. Owned. */
enum spd_rc spd_mllp_dial(const struct spd_mllp_target *to, struct spd_mllp_client **ret,
                          struct spd_err *err);
/* The same, plain and without quirks. */
enum spd_rc spd_mllp_connect(const char *host, int port, spd_usec timeout,
                             struct spd_mllp_client **ret, struct spd_err *err);
void spd_mllp_close(struct spd_mllp_client *c); /* NULL is a no-op */
/* Has the peer closed it, or sent something unasked, since the last call? Then it is of no use.
 * Empty frames of a peer with HL7_QUIRK_KEEP_ALIVE_FRAMES do not count. */
bool spd_mllp_stale(struct spd_mllp_client *c);
/* total: from the first byte sent to the whole answer. AGAIN: nothing or only part was sent, it may
 * be sent again; UNKNOWN: it was sent, no answer came in time or the connection broke; DENIED: the
 * other side did not accept our certificate; PROTO: the answer is no frame. INVALID: message holds
 * a frame byte. The answer is in arena, at most max bytes. */
enum spd_rc spd_mllp_exchange(struct spd_mllp_client *c, spd_sv message, spd_usec total, size_t max,
                              spd_sv *ret_answer, struct spd_arena *arena, struct spd_err *err);
/* One more frame of the peer: in enhanced mode the application's answer comes after the accept one.
 * Errors as above. */
enum spd_rc spd_mllp_next(struct spd_mllp_client *c, spd_usec total, size_t max, spd_sv *ret_answer,
                          struct spd_arena *arena, struct spd_err *err);

#endif
