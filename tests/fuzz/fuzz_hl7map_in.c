/* Any bytes become exactly one event, whose texts are UTF-8; an order can be written back and
 * reported on; and the answer holds nothing but its own segments. */
#include <stdlib.h>

#include "hl7/map/map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool known(void *ctx, spd_sv code, struct hl7_procedure *ret)
{
    (void)ctx;
    *ret = (struct hl7_procedure){code, SPD_SV("CT"), SPD_SV("HEAD"), SPD_SV("head")};
    return code.len > 3;
}

static void check_out(spd_sv source, const struct spd_patient *patient,
                      const struct spd_order_in *o, struct spd_arena *arena)
{
    struct spd_item item = {.accession = o->accession,
                            .placer = o->placer,
                            .filler = o->filler,
                            .patient = *patient,
                            .modality = o->modality};
    item.procedures.v = o->procedures.v, item.procedures.n = o->procedures.n;
    struct hl7_out_options out = {
        .control_id = SPD_SV("1"), .now = SPD_SEC(1700000000), .item = &item};
    struct spd_str s = SPD_STR_INIT(1 << 24);
    struct hl7_msg a, b;
    if (hl7_map_priority(source, SPD_SV("S"), &out, &s, NULL) == SPD_OK) {
        if (hl7_msg_parse(&a, source, arena, NULL) != SPD_OK ||
            hl7_msg_parse(&b, spd_str_sv(&s), arena, NULL) != SPD_OK)
            abort();
        if (b.n_segs < a.n_segs || b.n_segs > a.n_segs + 1) abort();
    }
    spd_str_clear(&s);
    if (hl7_map_report(source, SPD_SV("x\ny"), SPD_SV("F"), SPD_SV("z"), &out, &s, NULL) ==
            SPD_OK &&
        hl7_msg_parse(&b, spd_str_sv(&s), arena, NULL) != SPD_OK)
        abort();
    spd_str_clear(&s);
    if (hl7_map_report(SPD_SV_NONE, SPD_SV("x"), SPD_SV("P"), SPD_SV("z"), &out, &s, NULL) ==
            SPD_OK &&
        hl7_msg_parse(&b, spd_str_sv(&s), arena, NULL) != SPD_OK)
        abort();
    spd_str_done(&s);
}

/* What goes back holds segments of ours alone, each begun by us. */
static void check_answer(spd_sv bytes, enum spd_answer with, struct spd_arena *arena)
{
    static const char *const known[] = {"MSA", "ERR", "NTE", "PID", "ORC", "OBR", "IPC"};
    struct spd_str said[] = {SPD_STR_INIT(1 << 24), SPD_STR_INIT(1 << 24)};
    struct hl7_answer a = {.answer = with,
                           .text = SPD_SV("no\rORC|OK"),
                           .control_id = SPD_SV("1"),
                           .control_id_2 = SPD_SV("2"),
                           .response = hl7_response_read(bytes, SPD_SV_NONE, true, arena),
                           .orders = true,
                           .kept = true};
    hl7_answer_write(bytes, &a, &said[0], &said[1]);
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < said[i].len; k++) {
            bool ours = k + 1 == said[i].len;
            unsigned char c = (unsigned char)said[i].ptr[k];
            if (c == '\n' || c == 0x0b || c == 0x1c) abort();
            for (size_t n = 0; c == '\r' && n < sizeof known / sizeof *known; n++)
                ours |= !strncmp(said[i].ptr + k + 1, known[n], 3);
            if (c == '\r' && !ours) abort();
        }
        spd_str_done(&said[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_arena *arena = spd_arena_new((size_t)1 << 28);
    struct hl7_map_options o = {.orders = true,
                                .adt = true,
                                .reports = true,
                                .patient_authority = SPD_SV("ZH"),
                                .accession_issuer = SPD_SV("ZH"),
                                .now = SPD_SEC(1700000000),
                                .procedure = size % 2 ? known : NULL};
    struct spd_event e = {0};
    struct spd_str s = SPD_STR_INIT(1 << 26);
    spd_sv bytes = spd_sv_of((const char *)data, size);
    hl7_map_in(bytes, &o, &e, arena);
    if (!e.u.any || !spd_event_desc(e.type)) abort();
    spd_desc_json(spd_event_desc(e.type), e.u.any, &s);
    if (!spd_str_ok(&s)) abort();
    spd_str_clear(&s);
    if (e.type == SPD_EVENT_ORDER) {
        if (!e.u.order->orders.n) abort();
        if (!spd_sv_is_utf8(e.u.order->patient.name)) abort();
        check_out(bytes, &e.u.order->patient, &e.u.order->orders.v[0], arena);
    }
    hl7_ack_for(bytes, SPD_ANSWER_AR, SPD_SV("no"), SPD_SEC(1700000000), NULL, SPD_SV("1"), &s);
    size_t ends = 0;
    for (size_t i = 0; i < s.len; i++)
        ends += s.ptr[i] == '\r' || s.ptr[i] == '\n';
    if (ends > 3) abort();
    spd_str_clear(&s);
    check_answer(bytes, size % 3 ? SPD_ANSWER_AA : SPD_ANSWER_AR, arena);
    spd_str_done(&s);
    spd_arena_free(arena);
    return 0;
}
