/* src/net/tls.h: TLS with certificates on both sides, and a stream that may or may not have it.
 *
 * Rules (reliability 4.6): TLS 1.2 or later, ECDHE with AES-GCM or ChaCha20 only, no renegotiation,
 * no compression, no resumption (a revoked certificate must not come back by an old session). A
 * listener demands a certificate of its own CA; a client checks the CA and the host's name. With a
 * revocation list, certificates on it, and all once the list itself is too old, are refused.
 * Not here: deadlines, retries, logging. No text of errors holds anything that the peer chose.
 *
 * Threads: a spd_tls is immutable and may be shared; a stream belongs to one thread at a time. */
#ifndef SPD_NET_TLS_H
#define SPD_NET_TLS_H

#include <poll.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/rc.h"

enum { SPD_TLS_NAMES = 1024 }; /* room for the names of a certificate and a NUL */

struct spd_tls_files {                  /* paths of PEM files; NULL: none */
    const char *certificate, *key, *ca; /* of a listener all three; of a client ca, and the pair
                                         * where the other side asks for it */
    const char *crl;
};

struct spd_tls;
/* INVALID: a file cannot be read, is no PEM, or key and certificate do not belong together;
 * err.place is the path. Owned: spd_tls_unref. */
enum spd_rc spd_tls_server(const struct spd_tls_files *files, struct spd_tls **ret,
                           struct spd_err *err);
enum spd_rc spd_tls_client(const struct spd_tls_files *files, struct spd_tls **ret,
                           struct spd_err *err);
struct spd_tls *spd_tls_ref(struct spd_tls *t); /* NULL stays NULL */
void spd_tls_unref(struct spd_tls *t);          /* NULL is a no-op */

/* Until when a file of certificates, or of revocation lists, holds: the earliest end in it. UTC. */
enum spd_rc spd_tls_file_ends(const char *path, spd_usec *ret, struct spd_err *err);

struct spd_stream {
    int fd;
    void *tls;   /* NULL: plain */
    short wants; /* POLLIN or POLLOUT: what the call that said AGAIN waits for */
    bool shaken; /* the handshake is done, or there is none */
};

/* fd: connected and non-blocking, taken over. tls NULL: plain. host: whom a client wants to reach,
 * a name or an address; NULL on a listener. IO: OpenSSL would not; fd is closed. */
enum spd_rc spd_stream_open(struct spd_stream *s, int fd, struct spd_tls *tls, const char *host,
                            struct spd_err *err);
/* One step of the handshake. OK: done, or plain. AGAIN: when s->wants holds. DENIED: refused, or
 * it broke; err.text says why in a few words. */
enum spd_rc spd_stream_shake(struct spd_stream *s, struct spd_err *err);
/* As recv and send on a non-blocking socket: bytes; 0 at the end (recv); -1 with errno, EAGAIN when
 * s->wants must hold first, EPROTO when TLS broke, EACCES when the other side refused our
 * certificate (TLS 1.3 says so only then). Never a signal. */
ssize_t spd_stream_recv(struct spd_stream *s, void *to, size_t n);
ssize_t spd_stream_send(struct spd_stream *s, const void *from, size_t n);
/* Says goodbye where that does not block, and closes. fd -1: a no-op. */
void spd_stream_close(struct spd_stream *s);
/* What the other side's certificate is called: the common name of its subject, its DNS, mail and
 * URI names, and "sha256:" with the fingerprint in lower-case hex, one a line. "" without one. */
void spd_stream_names(const struct spd_stream *s, char ret[SPD_TLS_NAMES]);

#endif
