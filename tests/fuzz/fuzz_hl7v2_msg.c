/* The parser: build gives the bytes back, tokens and fields agree, a set value is read back, an
 * escaped text comes back; and a file is cut into messages in finite time. */
#include <stdlib.h>

#include "hl7/v2/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_and_read(const struct hl7_msg *m, unsigned a)
{
    struct spd_str out = SPD_STR_INIT(1 << 22);
    struct hl7_msg n;
    struct spd_arena *arena = spd_arena_new(1 << 20);
    size_t seg = a % m->n_segs;
    unsigned field = 3 + a % 40, rep = a % 3, comp = rep ? 1 + a % 5 : 0;
    if (hl7_msg_set(m, seg, field, rep, comp, 0, SPD_SV("new"), &out, NULL) != SPD_OK) abort();
    if (hl7_msg_parse(&n, spd_str_sv(&out), arena, NULL) ==
        SPD_OK) { /* it may have grown over a limit */
        struct hl7_value v = rep ? hl7_get(&n, &n.segs[seg], field, rep, comp, 0)
                                 : hl7_field(&n, &n.segs[seg], field);
        if (n.n_segs != m->n_segs || !spd_sv_is(v.raw, "new")) abort();
    }
    spd_str_done(&out);
    spd_arena_free(arena);
}

static void check(const struct hl7_msg *m)
{
    static uint32_t marks[1 << 16];
    struct spd_str out = SPD_STR_INIT(1 << 24);
    struct spd_arena *arena = spd_arena_new(1 << 22);
    hl7_msg_build(m, &out);
    if (!spd_sv_eq(spd_str_sv(&out), m->raw)) abort();
    for (size_t i = 0; i < m->n_segs && i < 50; i++) {
        size_t n = hl7_seg_tokens(m, &m->segs[i], marks, sizeof marks / sizeof marks[0]),
               fields = 0;
        for (size_t k = 0; k < n; k++)
            fields += HL7_MARK_KIND(marks[k]) == HL7_END_FIELD;
        if (i && hl7_field(m, &m->segs[i], (unsigned)fields).is != HL7_ABSENT) abort();
        for (unsigned f = 1; f < fields && f < 60; f++) {
            struct hl7_value v = hl7_field(m, &m->segs[i], f);
            if (v.is == HL7_ABSENT && i) abort();
            size_t reps = hl7_reps(m, v.raw);
            for (unsigned r = 1; r <= reps && r < 10; r++)
                hl7_unescape(m, hl7_get(m, &m->segs[i], f, r, 1 + f % 4, f % 3).raw, NULL, NULL,
                             arena);
        }
    }
    spd_str_done(&out);
    spd_arena_free(arena);
}

/* The bytes as a path, and as text to be escaped into a field. */
static void path_and_text(const struct hl7_msg *m, spd_sv bytes)
{
    static const char *const paths[] = {"MSH-9.1", "PID[1]-3[2].4.2", "OBX[2]-5", "obr-4"};
    struct hl7_path path;
    struct spd_str out = SPD_STR_INIT(1 << 22);
    struct spd_arena *arena = spd_arena_new(1 << 20);
    spd_sv text = bytes.len > 200 ? spd_sv_of(bytes.ptr, 200) : bytes;
    if (hl7_path_parse(text, &path, NULL) == SPD_OK) hl7_path_get(m, &path);
    for (size_t i = 0; i < 4; i++)
        if (hl7_path_parse(spd_sv_from(paths[i]), &path, NULL) == SPD_OK) hl7_path_get(m, &path);
    hl7_escape(&m->d, text, &out);
    for (size_t i = 0; i < out.len; i++)
        if (m->kind[(unsigned char)out.ptr[i]] || (unsigned char)out.ptr[i] < 0x20) abort();
    if (out.len && !memchr(text.ptr, 0, text.len) && /* a NUL cannot come back */
        !spd_sv_eq(hl7_unescape(m, spd_str_sv(&out), NULL, NULL, arena), text))
        abort();
    spd_str_clear(&out);
    if (hl7_msg_insert(m, 0, SPD_SV("ZZZ"), &out, NULL) != SPD_OK || out.len <= m->raw.len) abort();
    spd_str_done(&out);
    spd_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hl7_msg m;
    struct spd_err err;
    struct spd_arena *arena = spd_arena_new(1 << 20);
    spd_sv bytes = spd_sv_of((const char *)data, size), rest = bytes, one;
    while (hl7_next_message(&rest, &one))
        if (!one.len) abort();
    if (hl7_msg_parse(&m, bytes, arena, &err) == SPD_OK) {
        check(&m);
        path_and_text(&m, bytes);
        set_and_read(&m, size ? data[size - 1] + (unsigned)size : 0);
    } else if (!err.place[0]) {
        abort(); /* every refusal names its place */
    }
    spd_arena_free(arena);
    return 0;
}
