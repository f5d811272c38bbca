/* src/client/http.h: one HTTP request to the brain, blocking, over its Unix socket or loopback TCP.
 *
 * Small on purpose: libc only, HTTP/1.0 so that an answer is never chunked, one request per
 * connection, no redirects, no TLS. For the command line and the hooks. Thread-safe: no state. */
#ifndef SPD_CLIENT_HTTP_H
#define SPD_CLIENT_HTTP_H

#include "base/clock.h"
#include "base/rc.h"
#include "base/str.h"

enum { SPD_HTTP_HEADER_MAX = 16 * 1024 };

struct spd_http_target { /* socket, or else host (numeric) and port; NULL where not used */
    const char *socket, *host;
    int port;
    const char *token;                       /* API token; NULL over a socket */
    spd_usec connect_timeout, total_timeout; /* 0: 1 s, 10 s */
    const char *language; /* of sentences in answers: "nl", "en"; NULL: the site's */
};

/* body empty: none; type NULL: application/json. Appends the answer's body to ret_body (whose
 * maximum bounds it). OK whatever the status is. AGAIN: nobody answers there, nothing was sent.
 * UNKNOWN: sent, no whole answer. PROTO: the answer is not HTTP. LIMIT: it is too long. INVALID:
 * the target or path is unusable. NOMEM: nothing aborts here, these are other people's processes.
 */
enum spd_rc spd_http_call(const struct spd_http_target *target, const char *method,
                          const char *path, const char *type, spd_sv body, int *ret_status,
                          struct spd_str *ret_body, struct spd_err *err);

/* Appends "?name=value" or "&name=value", escaped. */
void spd_http_query(struct spd_str *path, const char *name, spd_sv value);

#endif
