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
        if ((c != '\r' && c != '\n') || f->quirks & HL7_QUIRK_STRICT_FRAMES)
            return refuse(f, SPD_PROTO, *at, err, "a frame must begin with 0x0B");
        ++*at;
    }
    return SPD_AGAIN;
}

/* Content up to the end block goes to the part, or is all of it (*ret_whole); AGAIN: not here yet.
 */
static enum spd_rc find_end(struct hl7_framer *f, spd_sv bytes, size_t *at, spd_sv *ret_whole,
                            struct spd_err *err)
{
    const char *p = bytes.ptr + *at;
    size_t n = bytes.len - *at, room = f->part.max - f->part.len;
    const char *fs = n ? memchr(p, FS, n) : NULL;
    size_t content = fs ? (size_t)(fs - p) : n;
    const char *vt = content ? memchr(p, VT, content) : NULL;
    if (vt) return refuse(f, SPD_PROTO, (size_t)(vt - bytes.ptr), err, "0x0B inside a frame");
    if (content > room) return refuse(f, SPD_LIMIT, *at + room, err, "the frame is too long");
    *at += content;
    *ret_whole = spd_sv_of(p, content);
    if (fs && !f->part.len && *at + 1 < bytes.len) return SPD_OK; /* nothing to keep */
    spd_str_add(&f->part, *ret_whole);
    if (!spd_str_ok(&f->part)) return spd_fail(err, f->part.rc, "", "no memory for a frame");
    *ret_whole = spd_str_sv(&f->part);
    return fs ? SPD_OK : SPD_AGAIN;
}

/* Behind 0x1C: 0x0D is usual; strict peers must send it. */
static enum spd_rc pass_end(struct hl7_framer *f, spd_sv bytes, size_t *at, struct spd_err *err)
{
    const char c = *at < bytes.len ? bytes.ptr[*at] : '\r';
    const bool strict = f->quirks & HL7_QUIRK_STRICT_FRAMES;
    if (strict && *at == bytes.len) {
        f->ending = true;
        return SPD_AGAIN;
    }
    if (strict && c != '\r') return refuse(f, SPD_PROTO, *at, err, "0x1C without 0x0D behind it");
    if (c != '\r' && c != '\n' && c != VT)
        return refuse(f, SPD_PROTO, *at, err, "0x1C inside a frame");
    if (*at < bytes.len && c == '\r') ++*at;
    return SPD_OK;
}

/* One frame's content, blank or not. */
static enum spd_rc next_frame(struct hl7_framer *f, spd_sv bytes, size_t *at, spd_sv *ret_whole,
                              struct spd_err *err)
{
    enum spd_rc rc = SPD_OK;
    if (f->ending) {
        *ret_whole = spd_str_sv(&f->part);
    } else {
        if (!f->inside) rc = find_start(f, bytes, at, err);
        if (!rc) rc = find_end(f, bytes, at, ret_whole, err);
        if (rc) return rc;
        ++*at;
    }
    rc = pass_end(f, bytes, at, err);
    if (!rc) f->inside = f->ending = false;
    return rc;
}

/* Only line ends: a keep-alive. */
static bool blank(spd_sv v)
{
    return spd_sv_empty(spd_sv_trim(v));
}

enum spd_rc hl7_framer_feed(struct hl7_framer *f, spd_sv bytes, size_t *ret_used, spd_sv *ret_frame,
                            struct spd_err *err)
{
    size_t at = 0;
    *ret_used = 0;
    *ret_frame = SPD_SV_NONE;
    if (f->handed) {
        spd_str_clear(&f->part);
        f->handed = false;
    }
    for (;;) {
        spd_sv whole;
        enum spd_rc rc = next_frame(f, bytes, &at, &whole, err);
        if (rc == SPD_AGAIN) {
            *ret_used = bytes.len;
            f->offset += bytes.len;
            return rc;
        }
        if (rc != SPD_OK) return rc;
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

enum spd_rc hl7_frame_write_as(struct spd_str *out, spd_sv message, unsigned quirks)
{
    if (message.len &&
        (memchr(message.ptr, VT, message.len) || memchr(message.ptr, FS, message.len)))
        return SPD_INVALID;
    while (quirks & HL7_QUIRK_NO_TRAILING_CR && message.len && message.ptr[message.len - 1] == '\r')
        message.len--;
    spd_str_addc(out, VT);
    spd_str_add(out, message);
    spd_str_addc(out, FS);
    if (!(quirks & HL7_QUIRK_END_WITHOUT_CR)) spd_str_addc(out, '\r');
    if (quirks & HL7_QUIRK_LF_BETWEEN_FRAMES) spd_str_addc(out, '\n');
    return out->rc;
}

enum spd_rc hl7_frame_write(struct spd_str *out, spd_sv message)
{
    return hl7_frame_write_as(out, message, 0);
}
