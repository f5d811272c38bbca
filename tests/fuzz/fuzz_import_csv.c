/* tests/fuzz/fuzz_import_csv.c: open lists in any format, guessed or tried in turn, to events. */
#include <stdint.h>

#include "import/import.h"

static void record(void *self, spd_sv place, const struct spd_event *e)
{
    struct spd_str out = SPD_STR_INIT(1 << 20);
    (void)self, (void)place;
    spd_desc_encode(spd_event_desc(e->type), e->u.any, &out); /* reads every value that was made */
    spd_str_done(&out);
}

static void said(void *self, spd_sv place, spd_sv why)
{
    (void)self;
    if (!place.len || !why.len) __builtin_trap(); /* a refusal always says where and why */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const formats[] = {"csv", "mwl", "hl7"};
    struct hl7_map_options peer = {.peer = SPD_SV("ris"),
                                   .now = 1764000000LL * 1000000,
                                   .patient_authority = SPD_SV("ZH"),
                                   .accession_issuer = SPD_SV("ZH")};
    struct spd_import_out out = {NULL, record, said, said};
    spd_import_guess(SPD_SV("x"), spd_sv_of((const char *)data, size));
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct spd_arena *arena = spd_arena_new((size_t)400 << 20);
        struct spd_import_in in = {SPD_SV("x"), spd_sv_of((const char *)data, size), &peer, &out,
                                   arena};
        spd_import_read(formats[i], &in, NULL);
        spd_arena_free(arena);
    }
    return 0;
}
