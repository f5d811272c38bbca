/* src/client/stream.h: the brain's stream of server-sent events, read without blocking.
 *
 * The reader of the text (struct spd_sse) knows no socket and takes no memory: bytes in, events
 * out. The stream is one connection with a fixed buffer; after it is open nothing in it allocates.
 * One thread at a time per stream; no shared state. */
#ifndef SPD_CLIENT_STREAM_H
#define SPD_CLIENT_STREAM_H

#include "client/http.h"

enum { SPD_SSE_LINE = 1024, SPD_SSE_KIND = 16 };

struct spd_stream_event {
    char kind[SPD_SSE_KIND]; /* "item", "alert", "alarm", "health", "reset" … */
    int64_t id, revision;    /* 0: not said */
};

struct spd_sse { /* begins as {0} */
    char line[SPD_SSE_LINE];
    size_t len;
    bool too_long; /* the line under way: its rest is skipped, and it is not looked at */
    bool cr;       /* the byte before was a CR: a LF now belongs to it */
    bool some;     /* a field of the event under way was seen */
    struct spd_stream_event event;
    int64_t place,
        new_place; /* of the last whole event with an "id:"; of the one under way, or -1 */
};

/* Takes from *bytes (moved on) until an event is whole: true, and *ret is it; false: all taken. */
bool spd_sse_next(struct spd_sse *s, spd_sv *bytes, struct spd_stream_event *ret);

struct spd_stream;

/* Connects, asks for path and waits for the answer's head. With status 200 *ret is the stream,
 * owned; with any other *ret is NULL and the body (as much as ret_problem holds) is appended. Fails
 * as spd_http_call; PROTO also when the answer is chunked: HTTP/1.0 was asked for. */
enum spd_rc spd_stream_open(const struct spd_http_target *target, const char *path, int *ret_status,
                            struct spd_str *ret_problem, struct spd_stream **ret,
                            struct spd_err *err);
void spd_stream_close(struct spd_stream *s);   /* NULL is a no-op */
int spd_stream_fd(const struct spd_stream *s); /* becomes readable; the stream's own */
/* The place to go on from (?last_event_id=): of the last event given that ended a revision; 0 none.
 */
int64_t spd_stream_place(const struct spd_stream *s);
/* OK: one event. AGAIN: none now. NOTFOUND: the stream has ended, or was silent for longer than
 * three heartbeats; whatever is asked of it later is the same. Never waits. */
enum spd_rc spd_stream_next(struct spd_stream *s, struct spd_stream_event *ret);

#endif
