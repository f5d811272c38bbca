/* A field map and a message, parted by the first NUL byte. Any map is loaded or refused with its
 * place; a loaded one reads any message into exactly one event whose texts are UTF-8 and outlive
 * the map; a result is positive, negative or normal only if a line of the message says so. Without
 * a NUL: the map that results are tried with, and a message. */
#include <stdlib.h>

#include "hl7/map/map.h"
#include "hl7/v2/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char vendor[] =
    "map: 1\n"
    "results:\n"
    "  - when: {OBR-4: AI}\n"
    "    model: {name: {from: OBX-18.1}, version: [{from: OBX-18.3}, {text: '1'}]}\n"
    "    words: {YES: present, NO: absent, OK: normal, ERR: failed, NA: not_applicable}\n"
    "    flags: {POS: present, NEG: absent}\n"
    "    findings:\n"
    "      - {when: {OBX-3.1: A}, concept: a, probability: [{from: OBX-5, when: {OBX-3.1: P}}, "
    "OBX-9],\n"
    "         site: {from: OBX-5, when: {OBX-3.1: S}}, laterality: OBX-4}\n"
    "      - {when: {OBX-3.1: C}, code: OBX-5, optional: true}\n"
    "  - model: {name: {text: any}}\n"
    "    findings: [{when: {OBX-3.1: B}, means: present}]\n";

static bool finding(void *ctx, const struct spd_code *code, spd_sv *ret)
{
    (void)ctx;
    *ret = code->code.len % 3 ? SPD_SV("x") : SPD_SV_NONE;
    return code->code.len % 3 == 1;
}

static bool place(void *ctx, const struct spd_code *code, spd_sv *ret_site, spd_sv *ret_laterality)
{
    (void)ctx;
    *ret_site = SPD_SV("brain"), *ret_laterality = SPD_SV_NONE;
    return code->code.len % 2;
}

/* Quiet states need every finding to be quiet, and at least one that says so. */
static void check_result(const struct spd_result *r)
{
    size_t quiet = 0;
    if (r->state < SPD_AI_POSITIVE || r->state > SPD_AI_NOT_ANALYSED) abort();
    for (size_t i = 0; i < r->findings.n; i++) {
        const struct spd_finding *f = &r->findings.v[i];
        if (f->probability < -1 || f->probability > 1000000) abort();
        if (f->present == SPD_PRESENT_YES && r->state != SPD_AI_POSITIVE) abort();
        quiet += f->present == SPD_PRESENT_NO || f->present == SPD_PRESENT_NORMAL;
    }
    if ((r->state == SPD_AI_NEGATIVE || r->state == SPD_AI_NORMAL) &&
        (!quiet || quiet != r->findings.n))
        abort();
    if (r->state == SPD_AI_NOT_ANALYSED && !r->notes.n) abort();
}

static void read_message(const struct hl7_site *map, spd_sv message, unsigned roles)
{
    struct spd_arena *arena = spd_arena_new((size_t)1 << 28);
    struct hl7_trace trace = {0};
    struct hl7_map_options o = {.orders = true,
                                .adt = true,
                                .reports = roles & 1,
                                .results = roles & 2,
                                .patient_authority = SPD_SV("ZH"),
                                .accession_issuer = SPD_SV("ZH"),
                                .now = SPD_SEC(1700000000),
                                .map = map,
                                .finding = finding,
                                .place = place,
                                .trace = roles & 4 ? &trace : NULL};
    struct spd_event e = {0};
    struct spd_str s = SPD_STR_INIT(1 << 26);
    hl7_map_in(message, &o, &e, arena);
    hl7_site_unref(map); /* as after a reload: the event may not look into it */
    if (!spd_event_message(&e)) abort();
    spd_desc_json(spd_event_desc(e.type), e.u.any, &s);
    if (!spd_str_ok(&s) || !spd_sv_is_utf8(spd_str_sv(&s))) abort();
    if (e.type == SPD_EVENT_RESULT) {
        check_result(&e.u.result->result);
        for (size_t i = 0; i < e.u.result->more.n; i++)
            check_result(&e.u.result->more.v[i]);
    }
    spd_str_done(&s);
    spd_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_source source = {SPD_SV("fuzz.yaml"), {vendor, sizeof vendor - 1}};
    const char *nul = size ? memchr(data, 0, size) : NULL;
    spd_sv message = spd_sv_of((const char *)data, size);
    const struct hl7_site *map = NULL;
    struct spd_err err = {0};
    if (nul) {
        source.text = spd_sv_of((const char *)data, (size_t)(nul - (const char *)data));
        message = spd_sv_of(nul + 1, size - source.text.len - 1);
    }
    enum spd_rc rc = hl7_site_load(&source, &map, &err);
    if (rc && (!*err.place || !*err.text || map)) abort();
    if (!rc) read_message(map, message, size % 8);
    return 0;
}
