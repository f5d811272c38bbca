/* src/net/mllp_internal.h: what mllp.c (the listener: accept, deadlines, answers) and mllp_conn.c
 * (one connection: bytes to frames, slots to bytes) share. Private to them.
 *
 * Threads: everything here belongs to the listener's thread, but what stands under m->lock. */
#ifndef SPD_NET_MLLP_INTERNAL_H
#define SPD_NET_MLLP_INTERNAL_H

#include <pthread.h>

#include "hl7/v2/frame.h"
#include "net/mllp.h"
#include "net/socket.h"

enum { SPD__CHUNK = 64 * 1024 };

struct spd__slot {
    bool done;
    struct spd_str answer;
};

struct spd__conn {
    struct spd_stream stream;
    uint64_t id; /* generation << 16 | index */
    char address[SPD_NET_ADDRESS];
    char *names; /* of its certificate; NULL: none */
    size_t most; /* connections that its address may have */
    unsigned quirks;
    struct hl7_framer framer;
    size_t part; /* bytes of the frame that is unfinished or held, as counted in m->parts */
    uint64_t keepalives;
    struct spd_str held; /* the frame that the host did not take yet */
    bool holding;
    struct spd_str rest;     /* bytes read behind it */
    struct spd__slot *slots; /* ring of pending_max */
    uint64_t first, next;    /* frame numbers: owed are first .. next-1 */
    struct spd_str out;
    size_t sent;
    spd_usec born, last_frame, begun, frame_since; /* monotonic; begun: of the first bytes;
                                                    * frame_since 0: not inside a frame */
    uint32_t wants;                                /* epoll events asked for */
    bool want_out;                                 /* TLS reads on only after it could write */
    bool eof;     /* the peer will send no more: answer what is owed, then close */
    bool touched; /* has an answer that settle has not seen */
};

struct spd__posted {
    struct spd__posted *next;
    struct spd_mllp_ticket ticket;
    spd_sv answer, second; /* behind the struct; second: a further message, framed by itself */
    bool as;       /* quirks were given */
    unsigned quirks;
};

struct spd_mllp {
    int listener, epoll, wake, port;
    struct spd_mllp_options o; /* tls, allow: under lock */
    spd_mllp_on_frame on_frame;
    void *ctx;
    struct spd__conn **conns; /* max_connections */
    size_t n_conns, parts;
    uint64_t generation;
    bool took;   /* a frame, in this round */
    size_t owed; /* frames taken and not answered yet, whether or not their connection is there */
    spd_usec stop_at;   /* 0: running */
    spd_usec logged_at; /* monotonic: many peers are not many lines; the figures count them all */
    char *chunk;
    pthread_t thread;

    pthread_mutex_t lock; /* leaf */
    struct spd__posted *posted, **last_posted;
    bool woken; /* for what is posted */
    bool stopping;
    struct spd_net_range *allow; /* own copy */
    size_t n_allow;
    struct spd_mllp_stats stats;
};

#define SPD__COUNT(m, member)                                                                      \
    do {                                                                                           \
        pthread_mutex_lock(&(m)->lock);                                                            \
        (m)->stats.member++;                                                                       \
        pthread_mutex_unlock(&(m)->lock);                                                          \
    } while (0)

/* May a line be logged now? At most one a second. */
bool spd__mllp_may_log(struct spd_mllp *m);
/* Takes fd over. NULL: it is closed already. */
struct spd__conn *spd__conn_new(struct spd_mllp *m, int fd, struct spd_tls *tls,
                                const char *address);
void spd__conn_close(struct spd_mllp *m, struct spd__conn *c);
/* What epoll showed. False: close it. */
bool spd__conn_event(struct spd_mllp *m, struct spd__conn *c, uint32_t events);
/* An answer takes its slot; spd__conn_settle sends it. */
void spd__conn_answer(struct spd_mllp *m, struct spd__conn *c, const struct spd__posted *p);
/* After anything happened to a connection; it may be gone afterwards. */
void spd__conn_settle(struct spd_mllp *m, struct spd__conn *c, bool ok);
/* Why its time is over; NULL: it is not. */
const char *spd__conn_overdue(const struct spd_mllp *m, const struct spd__conn *c, spd_usec now);

#endif
