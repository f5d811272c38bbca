/* src/door/dimse.c: the table of SOP classes that the brain serves by DIMSE-N (and by a C-FIND of
 * their own). See dimse.h. A new one is a row here, a file beside it, and a presentation context in
 * src/dicom/association.cc. */
#include "door/dimse.h"

#include "ups/ups.h"

static const struct spd_dimse_service services[] = {
    {"1.2.840.10008.3.1.2.3.3", "1.2.840.10008.3.1.2.3.3", spd_mpps_serve, NULL},
    {"1.2.840.10008.5.1.4.33", "1.2.840.10008.5.1.4.33", spd_ian_serve, NULL},
    /* A request may name its own class or, as it should, UPS Push (PS3.4 CC.3.1). */
    {SPD_UPS_PUSH, NULL, spd_ups_serve, NULL},
    {SPD_UPS_WATCH, NULL, spd_ups_serve, spd_ups_find},
    {SPD_UPS_PULL, NULL, spd_ups_serve, spd_ups_find},
    {SPD_UPS_QUERY, NULL, NULL, spd_ups_find},
};

const struct spd_dimse_service *spd_dimse_service(spd_sv abstract)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (spd_sv_is(abstract, services[i].abstract)) return &services[i];
    return NULL;
}

void spd_dimse_refuse(struct spd_n_answer *answer, unsigned status, const char *comment)
{
    *answer = (struct spd_n_answer){.status = status, .comment = spd_sv_from(comment)};
}

void spd_dimse_answer_set(const struct spd_dimse *d, const struct spd_dcm_set *set,
                          struct spd_n_answer *answer)
{
    struct spd_str out = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
    spd_dcm_encode(set, true, &out);
    if (spd_str_ok(&out))
        answer->has_data = true, answer->data = spd_arena_dup(d->arena, spd_str_sv(&out));
    else
        spd_dimse_refuse(answer, SPD_N_PROCESSING, "the answer cannot be written");
    spd_str_done(&out);
}

void spd_dimse_serve(const struct spd_dimse *d, const struct spd_n_request *r,
                     struct spd_n_answer *answer)
{
    const struct spd_dimse_service *s = spd_dimse_service(r->abstract);
    *answer = (struct spd_n_answer){0};
    if (!s || !s->n)
        spd_dimse_refuse(answer, SPD_N_NOT_SUPPORTED, "this SOP class has no such service here");
    else if (s->sop_class && !spd_sv_is(r->sop_class, s->sop_class))
        spd_dimse_refuse(answer, SPD_N_CLASS_CONFLICT,
                         "the SOP class is not that of the presentation context");
    else
        s->n(d, r, answer);
}
