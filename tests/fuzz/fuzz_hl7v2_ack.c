/* Acknowledgements of whatever came: two or three segments, no block character, and MSH-9 without
 * components where the peer wants it bare. The first byte chooses severity and what is said. */
#include <stdlib.h>

#include "hl7/v2/ack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct spd_str *out)
{
    size_t ends = 0;
    for (size_t i = 0; i < out->len; i++) {
        ends += out->ptr[i] == '\r';
        if (out->ptr[i] == '\n' || out->ptr[i] == 0x0b || out->ptr[i] == 0x1c) abort();
    }
    if (out->len && (ends < 2 || ends > 3)) abort();
}

/* Two answers at most; the second only behind an acceptance; an application's own one says so in
 * MSH-9 and copies MSH-18. */
static void judge_both(const struct hl7_msg *m, struct hl7_ack a, uint8_t how)
{
    struct hl7_asked asked = hl7_asked(m, a.severity, how & 64, how & 128);
    struct spd_str out = SPD_STR_INIT(1 << 22);
    if (asked.accept && asked.application && asked.accept != 'A') abort();
    if (asked.accept && asked.application && !(how & 64)) abort();
    if (!asked.application) return;
    a.severity = asked.application, a.type = "ORR", a.trigger = "O02";
    if (m) a.charset = hl7_field(m, &m->segs[0], 18).raw;
    hl7_ack_put(m, &a, 'A', &out);
    judge(&out);
    if (!out.len) abort();
    spd_str_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_str out = SPD_STR_INIT(1 << 22);
    struct hl7_msg m;
    struct hl7_ack a = {.time = SPD_SV("20261123"), .control_id = SPD_SV("C1")};
    bool known;
    if (size < 1) return 0;
    spd_sv bytes = spd_sv_of((const char *)data + 1, size - 1);
    a.severity = "AER"[data[0] % 3];
    if (data[0] & 4) a.text = bytes.len > 60 ? spd_sv_of(bytes.ptr + bytes.len - 60, 60) : bytes;
    if (data[0] & 8) a.location = SPD_SV("PID^1^3");
    if (data[0] & 16) a.code = SPD_SV("103");
    known = !(data[0] & 32) && hl7_msg_header(&m, bytes, NULL) == SPD_OK;
    hl7_ack_write(known ? &m : NULL, &a, &out);
    judge(&out);
    judge_both(known ? &m : NULL, a, data[0]);
    if (out.len) {
        struct hl7_msg said;
        size_t before = out.len;
        hl7_ack_bare(&out, 0);
        judge(&out);
        if (out.len > before) abort();
        if (hl7_msg_header(&said, spd_str_sv(&out), NULL) == SPD_OK && said.n_segs &&
            hl7_get(&said, &said.segs[0], 9, 1, 2, 0).raw.len)
            abort();
    }
    spd_str_done(&out);
    return 0;
}
