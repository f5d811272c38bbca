/* src/web/ws.c: see ws.h. */
#include "web/ws.h"

#include "base/hash.h"

static bool is_control(unsigned opcode)
{
    return (opcode & 8) != 0;
}

enum spd_rc spd_ws_read(unsigned char *p, size_t len, struct spd_ws_frame *ret)
{
    size_t head = 6, n;
    if (len < 2) return SPD_AGAIN;
    ret->fin = (p[0] & 0x80) != 0;
    ret->opcode = p[0] & 0x0F;
    n = p[1] & 0x7F;
    if ((p[0] & 0x70) || !(p[1] & 0x80))
        return SPD_PROTO; /* no extension was agreed; a client masks */
    if (ret->opcode > SPD_WS_PONG || (ret->opcode > SPD_WS_BINARY && ret->opcode < SPD_WS_CLOSE))
        return SPD_PROTO;
    if (is_control(ret->opcode) && (!ret->fin || n > 125)) return SPD_PROTO;
    if (n == 127) return SPD_LIMIT;
    if (n == 126) {
        if (len < 4) return SPD_AGAIN;
        n = (size_t)p[2] << 8 | p[3];
        if (n < 126) return SPD_PROTO; /* the shortest form must be used */
        head = 8;
    }
    if (n > SPD_WS_PAYLOAD_MAX) return SPD_LIMIT;
    if (len < head + n) return SPD_AGAIN;
    for (size_t i = 0; i < n; i++)
        p[head + i] ^= p[head - 4 + i % 4];
    ret->payload = spd_sv_of((const char *)p + head, n);
    ret->size = head + n;
    return SPD_OK;
}

void spd_ws_write(struct spd_str *out, enum spd_ws_opcode opcode, spd_sv payload)
{
    spd_str_addc(out, (char)(0x80 | opcode));
    if (payload.len < 126) {
        spd_str_addc(out, (char)payload.len);
    } else if (payload.len < 65536) {
        spd_str_addc(out, 126);
        spd_str_addc(out, (char)(payload.len >> 8)), spd_str_addc(out, (char)payload.len);
    } else {
        spd_str_addc(out, 127);
        for (int shift = 56; shift >= 0; shift -= 8)
            spd_str_addc(out, (char)((uint64_t)payload.len >> shift));
    }
    spd_str_add(out, payload);
}

void spd_ws_write_close(struct spd_str *out, unsigned code)
{
    char bytes[2] = {(char)(code >> 8), (char)code};
    spd_ws_write(out, SPD_WS_CLOSE, spd_sv_of(bytes, 2));
}

static void base64(const unsigned char *p, size_t n, char *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0);
        *ret++ = digits[v >> 18], *ret++ = digits[v >> 12 & 63];
        *ret++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
        *ret++ = i + 2 < n ? digits[v & 63] : '=';
    }
    *ret = 0;
}

/* 16 bytes in base64: 22 digits and two pads. */
static bool is_key(spd_sv key)
{
    for (size_t i = 0; i < key.len && i < 22; i++) {
        char c = key.ptr[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '+' || c == '/'))
            return false;
    }
    return key.len == 24 && key.ptr[22] == '=' && key.ptr[23] == '=';
}

bool spd_ws_accept(spd_sv key, char ret[29])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[24 + sizeof guid];
    unsigned char hash[20];
    if (!is_key(key)) return false;
    memcpy(text, key.ptr, 24);
    memcpy(text + 24, guid, sizeof guid);
    spd_sha1(spd_sv_of(text, 24 + sizeof guid - 1), hash);
    base64(hash, sizeof hash, ret);
    return true;
}
