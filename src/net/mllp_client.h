/* src/net/mllp_client.h: one outgoing MLLP connection, blocking: send a message, wait for one answer.
 * Not here: what the answer says, retries, TLS.
 *
 * Invariants: after any failure the socket is closed, so that a late answer to this message can never be
 * taken for the answer to the next. A kept connection on which bytes lie waiting before we send is closed
 * too: those bytes answer nothing that we asked. One thread at a time. */
#ifndef SPD_NET_MLLP_CLIENT_H
#define SPD_NET_MLLP_CLIENT_H

#include "base/clock.h"
#include "base/str.h"

struct spd_mllp_client;

/* host: an address or a name; nothing is connected yet. Owned; spd_mllp_client_free. */
struct spd_mllp_client *spd_mllp_client_new(const char *host, int port);
void spd_mllp_client_free(struct spd_mllp_client *c); /* NULL is a no-op */
void spd_mllp_client_close(struct spd_mllp_client *c); /* the next exchange connects anew */

/* Sends message (without frame) and reads one framed answer into answer (appended; its ceiling is the
 * limit). OK. AGAIN: could not connect, or the frame did not go out whole: the peer cannot have taken it.
 * IO: it went out, and no answer came within total (the rest of it after connecting). PROTO: bytes came
 * that are no frame. LIMIT: the answer is too large. */
enum spd_rc spd_mllp_client_exchange(struct spd_mllp_client *c, spd_sv message, spd_usec connect,
                                     spd_usec total, struct spd_str *answer, struct spd_err *err);

#endif
