/* tests/fuzz/fuzz_hl7map_out.c: a stranger's order message as the source of what we send, by every profile: what comes
 * out parses, has no frame byte of ours, and is nothing where it was refused. The first byte chooses the profile. */
#include <stdlib.h>

#include "hl7/map/map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_item item = {.id = 1, .accession = {SPD_SV("A1"), SPD_SV("ZH")}, .placer = {SPD_SV("P1"), SPD_SV("ZH")},
                            .filler = {SPD_SV("F1"), SPD_SV("ZH")}, .modality = SPD_SV("CT")};
    struct hl7_out_options o = {.control_id = SPD_SV("SPD1"), .now = SPD_SEC((spd_usec)1773126900),
                                .zone = spd_zone_utc(), .item = &item};
    struct spd_alert_out alert = {.phase = SPD_PHASE_START, .alert = 1, .at = o.now, .started = o.now, .level = 1,
                                  .concept = SPD_SV("c|\r"), .concept_en = SPD_SV("n^~"), .model = SPD_SV("m\\")};
    size_t n = 0;
    if (size < 2 || size > 1 << 16) return 0;
    while (hl7_profiles[n].name) n++;
    o.profile = &hl7_profiles[data[0] % n], o.fields = data[0] / n % 16;
    spd_sv source = spd_sv_of((const char *)data + 1, size - 1);
    struct spd_str out = SPD_STR_INIT(1 << 20);
    struct spd_arena *arena = spd_arena_new(8 << 20);
    struct spd_err err = {0};
    struct hl7_msg m;
    enum spd_rc rc;
    if (o.profile->event == HL7_OUT_PRIORITY)
        rc = hl7_map_priority(source, SPD_SV("S|\r"), &o, &out, &err);
    else if (o.profile->event == HL7_OUT_REPORT)
        rc = hl7_map_report(source, SPD_SV("a\nb|\rMSH|^~\\&|"), SPD_SV("F"), SPD_SV("smit"), &o, &out, &err);
    else
        rc = hl7_map_alert(source, &alert, &o, &out, &err);
    if (rc ? out.len != 0 : hl7_msg_parse(&m, spd_str_sv(&out), arena, NULL) != SPD_OK) abort();
    spd_str_done(&out);
    spd_arena_free(arena);
    return 0;
}
