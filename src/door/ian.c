/* src/door/ian.c: Instance Availability Notification (PS3.4 annex R) as a study event: what an
 * archive has, of which study. Available means ONLINE or NEARLINE; with anything else among them
 * the notice says no "all is there". */
#include "door/dimse.h"
#include "door/value.h"

static bool available(const struct spd_dcm_set *reference)
{
    spd_sv v = spd_dcm_raw(reference, 0x00080056);
    return spd_sv_is(v, "ONLINE") || spd_sv_is(v, "NEARLINE");
}

/* The instances that can be had; *ret_all: are they all that were named? */
static void instances_of(const struct spd_dimse *d, const struct spd_dcm *data,
                         struct spd_door_uids *ret, bool *ret_all)
{
    const struct spd_dcm_elem *series = spd_dcm_find(&data->set, 0x00081115);
    *ret_all = true;
    for (size_t i = 0; series && i < series->n_items; i++) {
        const struct spd_dcm_elem *refs = spd_dcm_find(&series->items[i], 0x00081199);
        for (size_t k = 0; refs && k < refs->n_items; k++) {
            spd_sv uid = spd_dcm_raw(&refs->items[k], 0x00081155);
            if (!available(&refs->items[k]) || !spd_dcm_is_uid(uid))
                *ret_all = false;
            else
                *(spd_sv *)spd_list_add((struct spd_seq *)(void *)ret, sizeof(spd_sv), d->arena) =
                    uid;
        }
    }
}

void spd_ian_serve(const struct spd_dimse *d, const struct spd_n_request *r, struct spd_n_answer *a)
{
    struct spd_study_event e = {.study_uid = spd_dcm_raw(&r->data.set, 0x0020000D),
                                .peer = d->peer.name};
    struct spd_event event = {.type = SPD_EVENT_STUDY, .u.study = &e};
    struct spd_door_uids uids = {NULL, 0};
    bool all;
    if (r->field != SPD_N_CREATE) {
        spd_dimse_refuse(a, SPD_N_UNRECOGNIZED, "only N-CREATE");
        return;
    }
    /* It names no patient, so who says it is all that it can be believed on. */
    if (!d->peer.name.len) {
        spd_dimse_refuse(a, SPD_N_NOT_AUTHORIZED, "this AE title is not configured as a peer");
        return;
    }
    if (!r->sop_uid.len) a->sop_uid = spd_door_new_uid(d->arena);
    if (!spd_dcm_is_uid(e.study_uid)) {
        spd_dimse_refuse(a, e.study_uid.len ? SPD_N_INVALID_ATTRIBUTE : SPD_N_MISSING_ATTRIBUTE,
                         "Study Instance UID");
        return;
    }
    if (!spd_dcm_find(&r->data.set, 0x00081115)) {
        spd_dimse_refuse(a, SPD_N_MISSING_ATTRIBUTE, "Referenced Series Sequence");
        return;
    }
    instances_of(d, &r->data, &uids, &all);
    e.message =
        spd_door_envelope(r->raw, &d->peer, SPD_SV("IAN"), d->calling, SPD_SV_NONE, d->arena);
    if (!uids.n)
        e.study_uid = SPD_SV_NONE; /* nothing can be had: logged, and no image has arrived */
    e.instances.v = uids.v, e.instances.n = uids.n;
    e.notified = all && uids.n;
    if (spd_writer_call(d->host->writer, &event, NULL, NULL))
        spd_dimse_refuse(a, SPD_N_RESOURCES, "cannot be committed now, send again");
}
