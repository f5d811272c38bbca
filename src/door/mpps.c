/* src/door/mpps.c: Modality Performed Procedure Step (PS3.4 annex F) as an event of the core:
 * N-CREATE begins a step, N-SET changes or ends it. What follows from it is decided in
 * core/step_in.c. */
#include "door/dimse.h"
#include "door/value.h"

enum { NO_LONGER = SPD_N_PROCESSING };

static spd_usec when(const struct spd_dimse *d, const struct spd_dcm *data, uint32_t date,
                     uint32_t time)
{
    const struct spd_zone *zone = d->peer.zone ? d->peer.zone : d->host->zone;
    return spd_door_when(spd_dcm_raw(&data->set, date), spd_dcm_raw(&data->set, time),
                         spd_dcm_raw(&data->set, 0x00080201), zone);
}

/* Performed Procedure Step Status; false: a word that is none. *ret stays when there is none. */
static bool state_of(const struct spd_dcm *data, int32_t *ret)
{
    static const struct {
        const char *word;
        enum spd_step_state state;
    } words[] = {{"IN PROGRESS", SPD_STEP_IN_PROGRESS},
                 {"COMPLETED", SPD_STEP_COMPLETED},
                 {"DISCONTINUED", SPD_STEP_DISCONTINUED}};
    spd_sv v = spd_dcm_raw(&data->set, 0x00400252);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (spd_sv_is(v, words[i].word)) {
            *ret = (int32_t)words[i].state;
            return true;
        }
    return !v.len;
}

/* The images and other objects of all series that the step has made so far. */
static void instances_of(const struct spd_dimse *d, const struct spd_dcm *data,
                         struct spd_step_event *e)
{
    const struct spd_dcm_elem *series = spd_dcm_find(&data->set, 0x00400340);
    struct spd_door_uids uids = {NULL, 0};
    for (size_t i = 0; series && i < series->n_items; i++)
        spd_door_references(&series->items[i], 0x00081140, &uids, d->arena);
    e->instances.v = uids.v, e->instances.n = uids.n;
}

static void common(const struct spd_dimse *d, const struct spd_n_request *r,
                   struct spd_step_event *e)
{
    const struct spd_dcm_set *reason = spd_dcm_item(&r->data.set, 0x00400281);
    *e = (struct spd_step_event){.create = r->field == SPD_N_CREATE,
                                 .known_peer = d->peer.name.len > 0};
    e->message =
        spd_door_envelope(r->raw, &d->peer, SPD_SV("MPPS"), d->calling, SPD_SV_NONE, d->arena);
    e->step.uid = r->sop_uid;
    e->step.started = when(d, &r->data, 0x00400244, 0x00400245);
    e->step.ended = when(d, &r->data, 0x00400250, 0x00400251);
    e->step.station = spd_dcm_text(&r->data, &r->data.set, 0x00400241, d->arena, NULL);
    if (reason)
        e->step.reason =
            (struct spd_code){spd_dcm_text(&r->data, reason, 0x00080100, d->arena, NULL),
                              spd_dcm_text(&r->data, reason, 0x00080102, d->arena, NULL),
                              spd_dcm_text(&r->data, reason, 0x00080104, d->arena, NULL)};
    instances_of(d, &r->data, e);
}

/* Scheduled Step Attributes Sequence: one item for every order that is being acquired. */
static bool requests_of(const struct spd_dimse *d, const struct spd_dcm *data,
                        struct spd_step_event *e, struct spd_n_answer *a)
{
    const struct spd_dcm_elem *steps = spd_dcm_find(&data->set, 0x00400270);
    if (!steps || !steps->n_items) {
        spd_dimse_refuse(a, SPD_N_MISSING_ATTRIBUTE, "Scheduled Step Attributes Sequence");
        return false;
    }
    e->requests.v = SPD_NEW_N(d->arena, struct spd_step_request, steps->n_items);
    for (size_t i = 0; i < steps->n_items; i++) {
        struct spd_step_request *q = &e->requests.v[e->requests.n++];
        q->study_uid = spd_dcm_raw(&steps->items[i], 0x0020000D);
        q->accession = spd_door_accession(data, &steps->items[i], &d->peer, d->arena);
        if (spd_dcm_is_uid(q->study_uid)) continue;
        spd_dimse_refuse(a, q->study_uid.len ? SPD_N_INVALID_ATTRIBUTE : SPD_N_MISSING_VALUE,
                         "Study Instance UID of a scheduled step");
        return false;
    }
    return true;
}

struct said {
    enum spd_rc rc;
    enum spd_outcome_of_event did;
};

static void copy_receipt(void *ctx, const struct spd_receipt *r)
{
    struct said *s = ctx;
    s->rc = r->rc, s->did = r->did;
}

static void submit(const struct spd_dimse *d, struct spd_step_event *e, struct spd_n_answer *a)
{
    struct spd_event event = {.type = SPD_EVENT_STEP, .u.step = e};
    struct said said = {SPD_OK, SPD_DID_APPLY};
    if (spd_writer_call(d->host->writer, &event, copy_receipt, &said))
        spd_dimse_refuse(a, SPD_N_RESOURCES, "cannot be committed now, send again");
    else if (said.rc == SPD_EXISTS || (said.did == SPD_DID_DUPLICATE && e->create))
        spd_dimse_refuse(a, SPD_N_DUPLICATE, "this performed step exists");
    else if (said.rc == SPD_NOTFOUND)
        spd_dimse_refuse(a, SPD_N_NO_SUCH_INSTANCE, "no such performed step");
    else if (said.rc == SPD_DENIED)
        spd_dimse_refuse(a, SPD_N_NOT_AUTHORIZED, "this AE title is not configured as a peer");
    else if (said.rc == SPD_STALE)
        spd_dimse_refuse(a, NO_LONGER, "Performed Procedure Step Object may no longer be updated");
}

static void create(const struct spd_dimse *d, const struct spd_n_request *r, struct spd_n_answer *a)
{
    struct spd_step_event e;
    common(d, r, &e);
    if (!e.step.uid.len) a->sop_uid = e.step.uid = spd_door_new_uid(d->arena);
    if (!state_of(&r->data, &e.step.state) || e.step.state > SPD_STEP_IN_PROGRESS) {
        spd_dimse_refuse(a, SPD_N_INVALID_ATTRIBUTE, "a step begins with the status IN PROGRESS");
        return;
    }
    if (!e.step.state) {
        spd_dimse_refuse(a, SPD_N_MISSING_ATTRIBUTE, "Performed Procedure Step Status");
        return;
    }
    if (!requests_of(d, &r->data, &e, a)) return;
    spd_door_patient(&r->data, &d->peer, &e.patient, d->arena);
    submit(d, &e, a);
}

static void set(const struct spd_dimse *d, const struct spd_n_request *r, struct spd_n_answer *a)
{
    struct spd_step_event e;
    common(d, r, &e);
    if (!state_of(&r->data, &e.step.state))
        spd_dimse_refuse(a, SPD_N_INVALID_ATTRIBUTE, "Performed Procedure Step Status");
    else
        submit(d, &e, a);
}

void spd_mpps_serve(const struct spd_dimse *d, const struct spd_n_request *r,
                    struct spd_n_answer *a)
{
    if (r->field == SPD_N_CREATE && r->has_data)
        create(d, r, a);
    else if (r->field == SPD_N_SET)
        set(d, r, a);
    else if (r->field == SPD_N_CREATE)
        spd_dimse_refuse(a, SPD_N_MISSING_ATTRIBUTE, "there is no data set");
    else
        spd_dimse_refuse(a, SPD_N_UNRECOGNIZED, "only N-CREATE and N-SET");
}
