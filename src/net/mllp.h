/* src/net/mllp.h: the MLLP listener: frames in, answers out in the order of the frames.
 *
 * Not here: what is in a frame, who the peer is, when an answer may be given. One thread per
 * listener, epoll, plain TCP or TLS with certificates on both sides (net/tls.h). Several frames of
 * one connection may be under way; their answers go out in order. When the host says AGAIN the
 * connection is not read any more until the host takes its frame.
 *
 * Deadlines and limits (reliability 4.3): an address outside the allow-list is closed unread; the
 * handshake within shake_time; 0x0B within begin_time of a connection's first bytes; a frame within
 * frame_time of its first byte; a connection without a whole frame (or an empty keep-alive one) for
 * idle_time goes; at max_connections, or a peer's own maximum from one address, the one longest
 * without a whole frame goes. Anything between frames but CR and LF, or a frame beyond frame_max,
 * ends the connection; others do not notice. Threads: start, retune and stop from one thread;
 * spd_mllp_answer from any, it never blocks. */
#ifndef SPD_NET_MLLP_H
#define SPD_NET_MLLP_H

#include "base/clock.h"
#include "base/rc.h"
#include "base/sv.h"
#include "net/range.h"
#include "net/tls.h"

struct spd_mllp;
struct spd_mllp_ticket {
    uint64_t connection, frame;
}; /* which frame an answer belongs to */

struct spd_mllp_from {       /* the other side; borrowed for a call */
    const char *address;     /* numeric */
    const char *certificate; /* the names of its certificate, one a line; "" without TLS */
};

/* Called in the listener's thread. frame is borrowed for the call. OK: taken; exactly one
 * spd_mllp_answer must follow, from any thread. AGAIN: not now; the same frame comes again soon.
 * Anything else closes the connection. Must not block. */
typedef enum spd_rc (*spd_mllp_on_frame)(void *ctx, struct spd_mllp_ticket ticket,
                                         const struct spd_mllp_from *from, spd_sv frame);

struct spd_mllp_manner {    /* how to deal with a connection before it has said anything */
    size_t max_connections; /* from its address; 0: the listener's max_per_peer */
    unsigned quirks;        /* enum hl7_quirk */
};
/* In the listener's thread: when a connection was accepted, and again when its certificate is
 * known. ret is zeroed. Must not block. */
typedef void (*spd_mllp_manner_of)(void *ctx, const struct spd_mllp_from *from,
                                   struct spd_mllp_manner *ret);

struct spd_mllp_options {
    size_t size; /* sizeof(struct spd_mllp_options); zero members mean the default */
    size_t max_connections, max_per_peer, frame_max,
        pending_max;                       /* 4096, 256, 16 MiB, 64 answers owed */
    spd_usec frame_time, idle_time, retry; /* 30 s, 10 min, 20 ms */
    size_t parts_max;    /* 256 MiB: frames not handed over, of all connections together */
    spd_usec begin_time; /* 10 s */
    spd_usec shake_time; /* 5 s */
    struct spd_tls *tls; /* NULL: plain; a reference is taken */
    const struct spd_net_range *allow; /* copied */
    size_t n_allow;                    /* 0: everybody */
    spd_mllp_manner_of manner;         /* may be NULL */
    void (*round)(void *ctx); /* may be NULL; in the listener's thread, after each round in which
                               * frames were taken: what was put together may start */
};

/* fd: a listening socket, taken over (also on failure). Owned. */
enum spd_rc spd_mllp_start(int fd, const struct spd_mllp_options *options,
                           spd_mllp_on_frame on_frame, void *ctx, struct spd_mllp **ret,
                           struct spd_err *err);
/* New certificates and allow-list for what connects from now on. A listener
 * stays plain, or with TLS, as it was started: INVALID otherwise, and nothing changes. */
enum spd_rc spd_mllp_retune(struct spd_mllp *m, const struct spd_mllp_options *options,
                            struct spd_err *err);
/* answer is copied and framed; empty: none is wanted, the next one may go out. After the connection
 * has gone it is dropped. */
void spd_mllp_answer(struct spd_mllp *m, struct spd_mllp_ticket ticket, spd_sv answer);
/* The same, framed as this peer wants it; from now on the connection is read with its quirks. */
void spd_mllp_answer_as(struct spd_mllp *m, struct spd_mllp_ticket ticket, spd_sv answer,
                        unsigned quirks);
/* The same, but the listener is not woken for it: another answer of this listener, or
 * spd_mllp_wake, must follow at once. Many answers that are known together go out together. */
void spd_mllp_answer_more(struct spd_mllp *m, struct spd_mllp_ticket ticket, spd_sv answer,
                          unsigned quirks);
void spd_mllp_wake(struct spd_mllp *m);
/* Two messages as the answer, each in a frame of its own, nothing between them; empty ones are left
 * out. */
void spd_mllp_answer_both(struct spd_mllp *m, struct spd_mllp_ticket ticket, spd_sv answer,
                          spd_sv second, unsigned quirks);
/* Stops accepting and reading, waits until every taken frame was answered and (at most 10 s) sent,
 * joins. */
void spd_mllp_stop(struct spd_mllp *m); /* NULL is a no-op */
int spd_mllp_port(const struct spd_mllp *m);
struct spd_mllp_stats {
    uint64_t accepted, frames, refused, evicted, timed_out;
    size_t connections, paused;
    uint64_t not_allowed, untrusted; /* closed by address; by a handshake that failed */
};
struct spd_mllp_stats spd_mllp_stats(struct spd_mllp *m);

#endif
