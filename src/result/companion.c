/* src/result/companion.c: the objects that products send beside their reports: key object
 * selections, presentation states, secondary captures, encapsulated documents, segmentations,
 * parametric maps. Of each the header is read: who made it, of what, what it points at. Which
 * result it belongs to, the core finds out. Pure. */
#include "result/reader.h"

#define STORAGE "1.2.840.10008.5.1.4.1.1."

static const struct {
    const char *uid;
    enum spd_companion_kind kind;
} kinds[] = {{STORAGE "88.59", SPD_COMPANION_KEY_OBJECTS}, /* PS3.4 B.5, PS3.6 A */
             {STORAGE "11.1", SPD_COMPANION_PRESENTATION}, /* grayscale */
             {STORAGE "11.2", SPD_COMPANION_PRESENTATION}, /* colour */
             {STORAGE "11.3", SPD_COMPANION_PRESENTATION}, /* pseudo-colour */
             {STORAGE "11.4", SPD_COMPANION_PRESENTATION}, /* blending */
             {STORAGE "11.8", SPD_COMPANION_PRESENTATION}, /* advanced blending */
             {STORAGE "7", SPD_COMPANION_CAPTURE},
             {STORAGE "7.1", SPD_COMPANION_CAPTURE},
             {STORAGE "7.2", SPD_COMPANION_CAPTURE},
             {STORAGE "7.3", SPD_COMPANION_CAPTURE},
             {STORAGE "7.4", SPD_COMPANION_CAPTURE},
             {STORAGE "104.1", SPD_COMPANION_DOCUMENT}, /* PDF */
             {STORAGE "104.2", SPD_COMPANION_DOCUMENT}, /* CDA */
             {STORAGE "66.4", SPD_COMPANION_SEGMENTATION},
             {STORAGE "66.5", SPD_COMPANION_SEGMENTATION}, /* surface */
             {STORAGE "66.7", SPD_COMPANION_SEGMENTATION}, /* label map */
             {STORAGE "30", SPD_COMPANION_MAP}};

static enum spd_companion_kind kind_of(spd_sv sop_class)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (spd_sv_is(sop_class, kinds[i].uid)) return kinds[i].kind;
    return SPD_COMPANION_KIND_UNSET;
}

bool spd_result_is_companion(spd_sv sop_class)
{
    return kind_of(sop_class) != SPD_COMPANION_KIND_UNSET;
}

bool spd_result_is_image(spd_sv sop_class)
{
    enum spd_companion_kind kind = kind_of(sop_class);
    if (kind == SPD_COMPANION_CAPTURE) return true; /* a scanned film may be what the product saw */
    return !kind && !spd_sv_starts(sop_class, SPD_SV(STORAGE "88."));
}

void spd_read_companion(const struct spd_sr_doc *d, struct spd_companion *ret,
                        struct spd_arena *arena)
{
    struct spd_result lists = {0};
    struct spd_reader r = {.r = &lists, .arena = arena};
    *ret = (struct spd_companion){.kind = (int32_t)kind_of(d->sop_class),
                                  .sop_class = d->sop_class,
                                  .sop_uid = d->sop_uid,
                                  .series_uid = d->series_uid,
                                  .study_uid = d->study_uid,
                                  .patient = d->patient,
                                  .manufacturer = d->manufacturer,
                                  .name = d->model_name,
                                  .version = d->software_version,
                                  .title = d->title};
    ret->accession =
        d->n_request && d->request[0].accession.value.len ? d->request[0].accession : d->accession;
    if (d->root.name.text.len) ret->title = d->root.name.text;
    for (size_t i = 0; i < d->n_evidence; i++)
        spd_reader_add_text(&r, &ret->refs, d->evidence[i].sop_uid);
    for (size_t i = 0; i < d->n_predecessors; i++)
        spd_reader_add_text(&r, &ret->predecessors, d->predecessors[i]);
    for (size_t i = 0; i < d->n_tracking; i++)
        spd_reader_add_text(&r, &ret->tracking, d->tracking[i]);
    for (size_t i = 0; i < d->n_labels; i++)
        spd_reader_note(&r, spd_arena_printf(arena, "segment: %.*s", SPD_SV_ARG(d->labels[i])));
    for (size_t i = 0; i < d->n_notes; i++)
        spd_reader_note(&r, d->notes[i]);
    ret->notes.v = lists.notes.v, ret->notes.n = lists.notes.n;
}
