/* hl7/v2/msg.h: one HL7 v2 message as slices of its own bytes. Nothing is copied or rewritten.
 *
 * Delimiters are those of MSH-1 and MSH-2. Segments end with CR; with LF or CRLF only when the
 * message holds no CR but in CRLF. A line that cannot be the start of a segment (a raw CR inside a
 * field) stays part of the segment before it and is counted in joined. Segments are found at once,
 * fields and deeper only when somebody asks. Not here: what a field means, character sets
 * (charset.h: convert first, parse afterwards). Invariants: every slice lies within raw;
 * concatenating the segments with their ends gives raw back. Limits: 2,000 segments, 512 fields in
 * a segment, no NUL byte; MSH-2 has four or five different printable characters that are neither
 * letters nor digits. Threads: a parsed message is read-only and may be read by several. Do not
 * copy the struct: it may point into itself. This code lives in other people's processes too: out
 * of memory is NOMEM. */
#ifndef HL7_V2_MSG_H
#define HL7_V2_MSG_H

#include "base/arena.h"
#include "base/rc.h"
#include "base/str.h"

enum { HL7_MAX_SEGMENTS = 2000, HL7_MAX_FIELDS = 512, HL7_FEW_SEGMENTS = 24 };

enum hl7_presence {
    HL7_ABSENT = 0, /* the segment, field ... is not there */
    HL7_EMPTY,      /* there, without content: no change */
    HL7_NULL,       /* "" : delete */
    HL7_VALUE
};
struct hl7_value { /* raw: still escaped; for NULL the two quotes */
    spd_sv raw;
    enum hl7_presence is;
};

struct hl7_delims {
    char field, comp, rep, esc, sub, trunc;
}; /* trunc 0: not declared (before 2.7) */

struct hl7_seg { /* without its end */
    const char *ptr;
    uint32_t len;
    char id[4]; /* upper case */
};

struct hl7_msg {
    spd_sv raw;   /* all bytes as given */
    size_t start; /* where MSH begins: after a byte order mark or blank lines */
    struct hl7_delims d;
    struct hl7_seg *segs;
    size_t n_segs;
    size_t joined;           /* lines that were no segment */
    unsigned char kind[256]; /* of each byte: 0 content, else 1 + enum hl7_mark */
    struct hl7_seg few[HL7_FEW_SEGMENTS];
};

/* INVALID with err.place "segment N, field F, byte B" (B counts from 1), LIMIT, NOMEM. bytes are
 * borrowed. The arena is touched only by messages of more than HL7_FEW_SEGMENTS segments. */
enum spd_rc hl7_msg_parse(struct hl7_msg *m, spd_sv bytes, struct spd_arena *arena,
                          struct spd_err *err);
/* Only the MSH of a message that may be broken behind it: for an answer. */
enum spd_rc hl7_msg_header(struct hl7_msg *m, spd_sv bytes, struct spd_err *err);

/* Writes "segment 3, field 5, byte 120" for an offset in raw. */
void hl7_msg_place(const struct hl7_msg *m, size_t off, char *place, size_t n);

/* Segments. from: index to begin at; returns n_segs when there is none. */
size_t hl7_seg_find(const struct hl7_msg *m, const char *id, size_t from);
bool hl7_seg_is(const struct hl7_seg *s, const char *id);

/* Everything below counts from 1. Field 1 of MSH is the field separator, field 2 the encoding
 * characters. A NULL segment is allowed and has only absent fields. */
struct hl7_value hl7_field(const struct hl7_msg *m, const struct hl7_seg *s, unsigned field);
size_t hl7_reps(const struct hl7_msg *m, spd_sv field); /* 0 for an empty field */
struct hl7_value hl7_rep(const struct hl7_msg *m, struct hl7_value field, unsigned rep);
struct hl7_value hl7_comp(const struct hl7_msg *m, struct hl7_value rep, unsigned comp);
struct hl7_value hl7_sub(const struct hl7_msg *m, struct hl7_value comp, unsigned sub);
/* comp 0: the whole repetition; sub 0: the whole component. */
struct hl7_value hl7_get(const struct hl7_msg *m, const struct hl7_seg *s, unsigned field,
                         unsigned rep, unsigned comp, unsigned sub);

/* All fields and below of one segment in one pass: marks[i] is where token i ends (offset in the
 * segment) times 4, plus what ended it. */
enum hl7_mark { HL7_END_SUB = 0, HL7_END_COMP, HL7_END_REP, HL7_END_FIELD };
#define HL7_MARK_AT(mark) ((mark) >> 2)
#define HL7_MARK_KIND(mark) ((enum hl7_mark)((mark)&3))
/* Returns the number of tokens; at most max are written. The first token is the segment's name.
 * MSH-2 is one token. */
size_t hl7_seg_tokens(const struct hl7_msg *m, const struct hl7_seg *s, uint32_t *marks,
                      size_t max);

/* "PID-3[2].4.2", "OBX[3]-5", "MSH-9.1". rep 0: not given (the first; setting replaces the whole
 * field). */
struct hl7_path {
    char id[4];
    unsigned seg, field, rep, comp, sub;
};
enum spd_rc hl7_path_parse(spd_sv text, struct hl7_path *ret, struct spd_err *err);
struct hl7_value hl7_path_get(const struct hl7_msg *m, const struct hl7_path *path);

/* Appends the message with one element replaced, every other byte the same; what is missing before
 * it is filled with delimiters; a message whose only CR stood in the element ends with one. raw must be
 * escaped already. rep 0: the whole field. NOTFOUND: no such segment. */
enum spd_rc hl7_msg_set(const struct hl7_msg *m, size_t seg, unsigned field, unsigned rep,
                        unsigned comp, unsigned sub, spd_sv raw, struct spd_str *out,
                        struct spd_err *err);
/* Appends the message with a whole new segment (no end) behind segment after. */
enum spd_rc hl7_msg_insert(const struct hl7_msg *m, size_t after, spd_sv segment,
                           struct spd_str *out, struct spd_err *err);
/* Appends the message from its parts: the same bytes as raw. */
void hl7_msg_build(const struct hl7_msg *m, struct spd_str *out);
/* The bytes that end a segment of this message: "\r", "\n" or "\r\n". */
spd_sv hl7_msg_eol(const struct hl7_msg *m);

/* Text of an escaped value: \F\ \S\ \T\ \R\ \E\ \P\ \X..\ \.br\ \.sp\ (line end) \H\ \N\ (dropped);
 * an unknown escape stays as it is. convert (may be NULL) turns the bytes of \X..\ above 0x7F into
 * UTF-8. Returns raw itself when there is nothing to do; the empty view when the arena is full. */
typedef bool hl7_convert(void *ctx, spd_sv bytes, spd_sv *ret, struct spd_arena *arena);
spd_sv hl7_unescape(const struct hl7_msg *m, spd_sv raw, hl7_convert *convert, void *ctx,
                    struct spd_arena *arena);
/* Appends text so that it cannot start a segment, field, repetition, component or sub-component. */
void hl7_escape(const struct hl7_delims *d, spd_sv text, struct spd_str *out);

/* Cuts a file or a frame into messages: MLLP frames, batches (FHS BHS BTS FTS are skipped),
 * messages one after the other. False when nothing is left. */
bool hl7_next_message(spd_sv *rest, spd_sv *ret);

#endif
