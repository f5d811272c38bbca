/* src/door/hl7_codes.c: the code tables as the HL7 map asks for them (the map knows no tables). See
 * door_hl7.h. */
#include "door/door_hl7.h"

static bool procedure(void *ctx, spd_sv code, struct hl7_procedure *ret)
{
    const struct spd_procedure *p = spd_codes_procedure(ctx, code);
    if (p) *ret = (struct hl7_procedure){p->code, p->modality, p->body_part, p->region};
    return p != NULL;
}

static bool finding(void *ctx, const struct spd_code *code, spd_sv *ret)
{
    return spd_codes_finding(ctx, code, ret) == SPD_CODE_KNOWN;
}

static bool place(void *ctx, const struct spd_code *code, spd_sv *ret_site, spd_sv *ret_laterality)
{
    bool known = spd_codes_site(ctx, code, ret_site) == SPD_CODE_KNOWN;
    if (!known) *ret_site = SPD_SV_NONE;
    *ret_laterality = spd_codes_laterality(ctx, code);
    return known;
}

void spd_door_hl7_codes(const struct spd_codes *codes, struct hl7_map_options *ret)
{
    if (!codes) return;
    ret->procedure = procedure, ret->finding = finding, ret->place = place;
    ret->procedure_ctx = ret->codes_ctx = (void *)(uintptr_t)codes;
}
