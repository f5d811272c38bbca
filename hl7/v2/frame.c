/* hl7/v2/frame.c: see frame.h. A frame that arrives whole in one read is handed out without a copy.
 */
#include "hl7/v2/frame.h"

#include <stdio.h>

enum { VT = 0x0B, FS = 0x1C };

void hl7_framer_init(struct hl7_framer *f, size_t max)
{
    *f = (struct hl7_framer){.part = SPD_STR_INIT(max)};
}

void hl7_framer_done(struct hl7_framer *f)
{
    spd_str_done(&f->part);
    f->inside = f->handed = false;
}

static enum spd_rc refuse(struct hl7_framer *f, enum spd_rc rc, size_t at, struct spd_err *err,
                          const char *text)
{
    char place[64];
    snprintf(place, sizeof place, "byte %llu of the connection",
             (unsigned long long)(f->offset + at + 1));
    return spd_fail(err, rc, place, "%s", text);
}

/* Between frames: what may stand there, and where the next frame's content begins. */
static enum spd_rc find_start(struct hl7_framer *f, spd_sv bytes, size_t *at, struct spd_err *err)
{
    while (*at < bytes.len) {
        unsigned char c = (unsigned char)bytes.ptr[*at];
        if (c == VT) {
            ++*at;
            f->inside = true;
            return SPD_OK;
        }
        if (c != '\r' && c != '\n')
            return refuse(f, SPD_PROTO, *at, err, "a frame must begin with 0x0B");
        ++*at;
    }
    return SPD_AGAIN;
}

/* Content up to the end block; false when it is not here yet. */
static enum spd_rc find_end(struct hl7_framer *f, spd_sv bytes, size_t from, size_t *end,
                            struct spd_err *err)
{
    const char *p = bytes.ptr + from;
    size_t n = bytes.len - from, room = f->part.max - f->part.len;
    const char *fs = memchr(p, FS, n);
    size_t content = fs ? (size_t)(fs - p) : n;
    const char *vt = memchr(p, VT, content);
    if (vt) return refuse(f, SPD_PROTO, (size_t)(vt - bytes.ptr), err, "0x0B inside a frame");
    if (content > room) return refuse(f, SPD_LIMIT, from + room, err, "the frame is too long");
    *end = from + content;
    return fs ? SPD_OK : SPD_AGAIN;
}

/* Only line ends: a keep-alive. */
static bool blank(spd_sv v)
{
    return spd_sv_empty(spd_sv_trim(v));
}

enum spd_rc hl7_framer_feed(struct hl7_framer *f, spd_sv bytes, size_t *ret_used, spd_sv *ret_frame,
                            struct spd_err *err)
{
    size_t at = 0, end = 0;
    *ret_used = 0;
    *ret_frame = SPD_SV_NONE;
    if (f->handed) {
        spd_str_clear(&f->part);
        f->handed = false;
    }
    for (;;) {
        enum spd_rc rc = f->inside ? SPD_OK : find_start(f, bytes, &at, err);
        if (rc == SPD_OK && at < bytes.len)
            rc = find_end(f, bytes, at, &end, err);
        else if (rc == SPD_OK)
            rc = SPD_AGAIN, end = at;
        if (rc == SPD_AGAIN) {
            if (f->inside && end > at) spd_str_add(&f->part, spd_sv_of(bytes.ptr + at, end - at));
            *ret_used = bytes.len;
            f->offset += bytes.len;
            return spd_str_ok(&f->part) ? SPD_AGAIN
                                        : spd_fail(err, f->part.rc, "", "no memory for a frame");
        }
        if (rc != SPD_OK) return rc;
        spd_sv whole = spd_sv_of(bytes.ptr + at, end - at);
        if (f->part.len) {
            spd_str_add(&f->part, whole);
            if (!spd_str_ok(&f->part))
                return spd_fail(err, f->part.rc, "", "no memory for a frame");
            whole = spd_str_sv(&f->part);
        }
        at = end + 1;
        if (at < bytes.len && bytes.ptr[at] != '\r' && bytes.ptr[at] != '\n' && bytes.ptr[at] != VT)
            return refuse(f, SPD_PROTO, at, err, "0x1C inside a frame");
        if (at < bytes.len && bytes.ptr[at] == '\r') at++;
        f->inside = false;
        if (blank(whole)) {
            f->keepalives++;
            spd_str_clear(&f->part);
            continue;
        }
        f->handed = f->part.len > 0;
        f->frames++;
        f->offset += at;
        *ret_used = at;
        *ret_frame = whole;
        return SPD_OK;
    }
}

enum spd_rc hl7_frame_write(struct spd_str *out, spd_sv message)
{
    if (message.len &&
        (memchr(message.ptr, VT, message.len) || memchr(message.ptr, FS, message.len)))
        return SPD_INVALID;
    spd_str_addc(out, VT);
    spd_str_add(out, message);
    spd_str_addc(out, FS);
    spd_str_addc(out, '\r');
    return out->rc;
}
