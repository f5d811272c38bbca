/* src/import/fhir.c: FHIR R4 as one of the formats; the reading is hl7/fhir's. */
#include "import/import.h"

struct way {
    const struct spd_import_in *in;
};

static spd_sv here(const struct spd_import_in *in, spd_sv place)
{
    return spd_arena_printf(in->arena, "%.*s:%.*s", SPD_SV_ARG(in->name), SPD_SV_ARG(place));
}

static void order(void *self, spd_sv place, struct spd_order_event *e)
{
    const struct spd_import_in *in = ((struct way *)self)->in;
    spd_import_order(in, here(in, place), e);
}

static void refused(void *self, spd_sv place, spd_sv why)
{
    const struct spd_import_in *in = ((struct way *)self)->in;
    in->out->refused(in->out->self, here(in, place), why);
}

static void skipped(void *self, spd_sv place, spd_sv why)
{
    const struct spd_import_in *in = ((struct way *)self)->in;
    in->out->skipped(in->out->self, here(in, place), why);
}

static bool procedure(void *ctx, spd_sv code, spd_sv *modality, spd_sv *body_part, spd_sv *region)
{
    const struct hl7_map_options *o = ctx;
    struct hl7_procedure p;
    if (!o->procedure || !o->procedure(o->procedure_ctx, code, &p)) return false;
    *modality = p.modality, *body_part = p.body_part, *region = p.region;
    return true;
}

enum spd_rc spd_import_fhir(const struct spd_import_in *in, struct spd_err *err)
{
    struct way w = {in};
    struct fhir_out out = {&w, order, refused, skipped};
    struct fhir_options o = {in->peer->patient_authority, in->peer->accession_issuer, in->peer->now,
                             procedure, (void *)(uintptr_t)in->peer};
    return fhir_read_orders(in->bytes, &o, &out, in->arena, err);
}
