/* tests/fuzz/fuzz_fhir_order.c: FHIR R4 JSON (bundles, single resources, lines) to order events. */
#include <stdint.h>

#include "hl7/fhir/fhir.h"

static void order(void *self, spd_sv place, struct spd_order_event *e)
{
    struct spd_str out = SPD_STR_INIT(1 << 20);
    (void)self, (void)place;
    spd_desc_encode(&spd_order_event_desc, e, &out);
    spd_str_done(&out);
}

static void said(void *self, spd_sv place, spd_sv why)
{
    (void)self;
    if (!place.len || !why.len) __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_arena *arena = spd_arena_new((size_t)400 << 20);
    struct fhir_options o = {.patient_authority = SPD_SV("ZH"),
                             .accession_issuer = SPD_SV("ZH"),
                             .now = 1764000000LL * 1000000};
    struct fhir_out out = {NULL, order, said, said};
    spd_sv text = spd_sv_of((const char *)data, size);
    fhir_read_orders(text, &o, &out, arena, NULL);
    fhir_next_page(text, arena);
    spd_arena_free(arena);
    return 0;
}
