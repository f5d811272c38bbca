/* src/web/ws.h: WebSocket frames (RFC 6455) and the key of its handshake. Bytes only; sockets are socket.c's.
 *
 * Of a client: masked frames of at most 4,096 bytes; anything else ends the connection with a code. We send
 * whole text frames and control frames. Pure; threads: any. */
#ifndef SPD_WEB_WS_H
#define SPD_WEB_WS_H

#include "base/str.h"

enum spd_ws_opcode {
    SPD_WS_CONTINUATION = 0,
    SPD_WS_TEXT = 1,
    SPD_WS_BINARY = 2,
    SPD_WS_CLOSE = 8,
    SPD_WS_PING = 9,
    SPD_WS_PONG = 10
};
enum { SPD_WS_PAYLOAD_MAX = 4096, SPD_WS_FRAME_MAX = SPD_WS_PAYLOAD_MAX + 8 };
enum { SPD_WS_GOING_AWAY = 1001, SPD_WS_PROTOCOL = 1002, SPD_WS_TOO_BIG = 1009, SPD_WS_OVERLOAD = 1013 };

struct spd_ws_frame {
    unsigned opcode;
    bool fin;
    spd_sv payload; /* unmasked, in the buffer */
    size_t size;    /* of the whole frame */
};
/* OK: *ret is the first frame of the buffer, which is unmasked in place. AGAIN: it is not whole yet.
 * PROTO: no client may send this; LIMIT: it is too long. */
enum spd_rc spd_ws_read(unsigned char *bytes, size_t len, struct spd_ws_frame *ret);
void spd_ws_write(struct spd_str *out, enum spd_ws_opcode opcode, spd_sv payload);
void spd_ws_write_close(struct spd_str *out, unsigned code);
/* Sec-WebSocket-Accept for a key; false: it is no key of 16 bytes. */
bool spd_ws_accept(spd_sv key, char ret[29]);

#endif
