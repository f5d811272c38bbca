/* src/net/mllp.h: the MLLP listener: frames in, answers out in the order of the frames.
 *
 * Not here: what is in a frame, who the peer is, when an answer may be given. One thread per
 * listener, epoll, plain TCP. Several frames of one connection may be under way; their answers go
 * out in order. When the host says AGAIN the connection is not read any more until the host takes
 * its frame.
 *
 * Deadlines and limits (reliability 4.3): a frame within frame_time of its first byte; a connection
 * without a whole frame (or an empty keep-alive one) for idle_time goes; at max_connections, or
 * max_per_peer of one address, the one longest without a whole frame goes. Anything between frames
 * but CR and LF, or a frame beyond frame_max, ends the connection; others do not notice. Threads:
 * start and stop from one thread; spd_mllp_answer from any, it never blocks. */
#ifndef SPD_NET_MLLP_H
#define SPD_NET_MLLP_H

#include "base/clock.h"
#include "base/rc.h"
#include "base/sv.h"

struct spd_mllp;
struct spd_mllp_ticket {
    uint64_t connection, frame;
}; /* which frame an answer belongs to */

/* Called in the listener's thread. frame is borrowed for the call. OK: taken; exactly one
 * spd_mllp_answer must follow, from any thread. AGAIN: not now; the same frame comes again soon.
 * Anything else closes the connection. address: numeric, of the other side. Must not block. */
typedef enum spd_rc (*spd_mllp_on_frame)(void *ctx, struct spd_mllp_ticket ticket,
                                         const char *address, spd_sv frame);

struct spd_mllp_options {
    size_t size; /* sizeof(struct spd_mllp_options); zero members mean the default */
    size_t max_connections, max_per_peer, frame_max,
        pending_max;                       /* 4096, 256, 16 MiB, 64 answers owed */
    spd_usec frame_time, idle_time, retry; /* 30 s, 10 min, 20 ms */
    size_t parts_max; /* 256 MiB: frames not handed over, of all connections together */
};

/* fd: a listening socket, taken over (also on failure). Owned. */
enum spd_rc spd_mllp_start(int fd, const struct spd_mllp_options *options,
                           spd_mllp_on_frame on_frame, void *ctx, struct spd_mllp **ret,
                           struct spd_err *err);
/* answer is copied and framed; empty: none is wanted, the next one may go out. After the connection
 * has gone it is dropped. */
void spd_mllp_answer(struct spd_mllp *m, struct spd_mllp_ticket ticket, spd_sv answer);
/* Stops accepting and reading, waits until every taken frame was answered and (at most 10 s) sent,
 * joins. */
void spd_mllp_stop(struct spd_mllp *m); /* NULL is a no-op */
int spd_mllp_port(const struct spd_mllp *m);
struct spd_mllp_stats {
    uint64_t accepted, frames, refused, evicted, timed_out;
    size_t connections, paused;
};
struct spd_mllp_stats spd_mllp_stats(struct spd_mllp *m);

#endif
