/* src/client/conn.h: what http.c and stream.c share: one connection to the brain with a deadline.
 * Nobody outside this folder includes it. No state but the struct; nothing here aborts. */
#ifndef SPD_CLIENT_CONN_H
#define SPD_CLIENT_CONN_H

#include "client/http.h"

struct spd_conn {
    int fd;         /* -1: none; non-blocking, close-on-exec */
    spd_usec until; /* monotonic: nothing here waits longer */
};

/* AGAIN: nobody answers there. INVALID: no usable address. */
enum spd_rc spd_conn_dial(const struct spd_http_target *t, struct spd_conn *ret,
                          struct spd_err *err);
void spd_conn_close(struct spd_conn *c);
/* Waits until poll() says so; false: the time is over (errno ETIMEDOUT) or poll failed. */
bool spd_conn_ready(const struct spd_conn *c, short what);
bool spd_conn_send(struct spd_conn *c, spd_sv v); /* all of it; false: errno says why */
/* At most size bytes into buf; 0: the peer has closed; -1: errno. Waits. */
int64_t spd_conn_receive(struct spd_conn *c, char *buf, size_t size);
/* Appends request line and headers, with the empty line. accept: the type wanted. */
enum spd_rc spd_conn_head(const struct spd_http_target *t, const char *method, const char *path,
                          const char *accept, const char *type, size_t body, struct spd_str *out,
                          struct spd_err *err);
/* Status of an answer's first line; false: it is no HTTP. */
bool spd_conn_status(spd_sv head, int *ret);

#endif
