/* src/core/step_in.c: what a modality says of an acquisition (MPPS, PS3.4 annex F): begun,
 * completed, discontinued.
 *
 * A step is kept with its study, whether an order is known or not. Begun: the order leaves the
 * modality worklist. Completed: the exam is done, images are there, and with an Instance
 * Availability Notification the study is complete. Discontinued: what images it made are there, but
 * for "incorrect worklist entry selected", whose images are somebody else's; without images the
 * order is offered to the scanners again.
 *
 * A step that fits by its Study UID but names another patient changes no item: it is parked (domain
 * §1). One of a listed peer that names no patient is believed on its Study UID, which came from our
 * worklist. */
#include "core/internal.h"

bool spd_study_step_open(const struct spd_study *s)
{
    for (size_t i = 0; i < s->steps.n; i++)
        if (s->steps.v[i].state == SPD_STEP_IN_PROGRESS) return true;
    return false;
}

static bool wrong_entry(const struct spd_performed_step *p)
{
    return p->state == SPD_STEP_DISCONTINUED && spd_sv_is(p->reason.code, "110514");
}

static struct spd_patient patient_of(const struct spd_performed_step *p)
{
    struct spd_patient patient = {0};
    patient.ids.v = p->patient_ids.v, patient.ids.n = p->patient_ids.n;
    return patient;
}

/* Is the step of this item's patient, directly or through a merge? One that names nobody is believed of a listed
 * peer. */
static enum spd_rc of_patient(struct spd_tx *tx, const struct spd_performed_step *p,
                              const struct spd_item *item, bool *ret)
{
    struct spd_patient patient = patient_of(p);
    *ret = p->peer.len > 0;
    return patient.ids.n ? spd_item_is_of(tx, item, &patient, ret) : SPD_OK;
}

/* Since when the order need not be offered to a scanner: it is being acquired, or was. */
static enum spd_rc acquiring_since(struct spd_tx *tx, const struct spd_study *s,
                                   const struct spd_item *item, spd_usec *ret)
{
    *ret = 0;
    for (size_t i = 0; i < s->steps.n; i++) {
        const struct spd_performed_step *p = &s->steps.v[i];
        bool is;
        TRY(of_patient(tx, p, item, &is));
        if (is && p->state != SPD_STEP_DISCONTINUED && (!*ret || p->started < *ret))
            *ret = p->started;
    }
    return SPD_OK;
}

enum spd_rc spd_item_acquiring(struct spd_tx *tx, struct spd_work *w)
{
    spd_usec since = 0;
    for (size_t i = 0; i < w->item.study_uids.n; i++) {
        struct spd_study s;
        int64_t id;
        enum spd_rc rc =
            spd_store_find_one(tx->st, SPD_KEY_STUDY_UID, w->item.study_uids.v[i], &id, tx->err);
        if (rc == SPD_NOTFOUND) continue;
        if (!rc) rc = spd_get_study(tx->st, id, &s, tx->a, tx->err);
        if (rc) return rc;
        spd_usec of_study;
        TRY(acquiring_since(tx, &s, &w->item, &of_study));
        if (of_study && (!since || of_study < since)) since = of_study;
    }
    if (w->item.acquiring != since) {
        w->item.acquiring = since;
        spd_tx_touch(tx, w, 0);
    }
    return SPD_OK;
}

/* ---- effects on items
 * ----------------------------------------------------------------------------- */
static void note_ended(struct spd_tx *tx, struct spd_work *w, const struct spd_performed_step *p)
{
    if (p->state == SPD_STEP_COMPLETED && !w->item.exam_done) w->item.exam_done = p->ended;
    if (p->state == SPD_STEP_DISCONTINUED)
        w->item.status_note = spd_arena_printf(tx->a, "acquisition discontinued: %.*s",
                                               SPD_SV_ARG(p->reason.text.len   ? p->reason.text
                                                          : p->reason.code.len ? p->reason.code
                                                                               : SPD_SV("-")));
}

/* The items that this step is of. *ret_differs: some match but for the patient. */
static enum spd_rc items_of(struct spd_tx *tx, const struct spd_study *s,
                            const struct spd_patient *patient, bool known_peer, int64_t **ids,
                            size_t *n, bool *ret_differs)
{
    *ret_differs = false;
    if (patient->ids.n || !known_peer)
        return spd_find_items_of(tx, s->study_uid, &s->accession, patient, ids, n, ret_differs);
    return spd_tx_find(tx, SPD_KEY_ITEM_STUDY, s->study_uid, ids, n);
}

static enum spd_rc tell_items(struct spd_tx *tx, const struct spd_study *s,
                              const struct spd_performed_step *p, const int64_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct spd_work *w;
        TRY(spd_tx_item(tx, ids[i], &w));
        TRY(spd_link_study(tx, w, s->study_uid));
        TRY(spd_item_acquiring(tx, w));
        note_ended(tx, w, p);
        spd_tx_touch(tx, w, SPD_WHY_STUDY);
        TRY(spd_tx_flush_item(tx, w)); /* so that evidence finds it by this study */
    }
    return SPD_OK;
}

static enum spd_rc park(struct spd_tx *tx, const struct spd_step_event *e, int64_t *ret_parked)
{
    TRY(spd_park_message(
        tx, SPD_SV("patient-differs"),
        SPD_SV("Een scanner meldt een opname onder een onderzoek van een andere patiënt."),
        SPD_SV("A scanner reports an acquisition under a study of another patient."), &e->patient,
        e->message.peer, ret_parked));
    tx->r->did = SPD_DID_PARK, tx->r->id = *ret_parked;
    return SPD_OK;
}

/* One study of the step: its row says now what the step says; then its items. */
static enum spd_rc one_study(struct spd_tx *tx, const struct spd_step_event *e,
                             const struct spd_study *s, const struct spd_performed_step *p,
                             int64_t *parked)
{
    struct spd_study_event evidence = {.study_uid = s->study_uid, .source_time = p->ended};
    struct spd_patient patient = patient_of(p);
    bool differs, ended = p->state != SPD_STEP_IN_PROGRESS;
    int64_t *ids;
    size_t n;
    TRY(items_of(tx, s, &patient, p->peer.len > 0, &ids, &n, &differs));
    if (differs && !n) return *parked ? SPD_OK : park(tx, e, parked);
    TRY(tell_items(tx, s, p, ids, n));
    evidence.instances.v = e->instances.v, evidence.instances.n = e->instances.n;
    if (wrong_entry(p) || (!e->instances.n && p->state != SPD_STEP_COMPLETED && !s->first_at))
        return SPD_OK;
    return e->instances.n || ended ? spd_study_evidence(tx, &evidence, ended) : SPD_OK;
}

/* ---- begun, changed, ended
 * ------------------------------------------------------------------------ */
static enum spd_rc refuse(struct spd_tx *tx, const struct spd_step_event *e, enum spd_rc rc,
                          const char *key, const char *nl, const char *en)
{
    struct spd_message_in m = e->message;
    tx->r->rc = rc, tx->r->did = SPD_DID_REFUSE;
    spd_tx_say(tx, key, nl, en);
    m.answer = SPD_ANSWER_AR;
    return spd_message_end(tx, &m, key, 0); /* kept, so that it can be looked into */
}

static enum spd_rc begin(struct spd_tx *tx, const struct spd_step_event *e, int64_t *parked)
{
    for (size_t i = 0; i < e->requests.n; i++) {
        struct spd_study s, old;
        struct spd_performed_step p = e->step;
        bool insert, again = false;
        for (size_t k = 0; k < i && !again; k++) /* two orders in one study */
            again = spd_sv_eq(e->requests.v[k].study_uid, e->requests.v[i].study_uid);
        TRY(spd_study_row(tx, e->requests.v[i].study_uid, &s, &old, &insert));
        if (e->requests.v[i].accession.value.len) s.accession = e->requests.v[i].accession;
        if (e->patient.ids.n && !s.patient.ids.n) s.patient = e->patient;
        p.peer = e->message.peer;
        p.patient_ids.v = e->patient.ids.v, p.patient_ids.n = e->patient.ids.n;
        if (!again) {
            if (!p.started) p.started = tx->now;
            *SPD_LIST_PUSH(&s.steps, tx->a) = p;
        }
        TRY(spd_put_study(tx->st, &s, insert ? NULL : &old, tx->err));
        TRY(one_study(tx, e, &s, &p, parked));
    }
    return SPD_OK;
}

static void take_step(struct spd_tx *tx, struct spd_performed_step *to,
                      const struct spd_performed_step *from)
{
    if (from->state) to->state = from->state;
    if (from->station.len) to->station = from->station;
    if (from->reason.code.len) to->reason = from->reason;
    if (to->state != SPD_STEP_IN_PROGRESS) to->ended = from->ended ? from->ended : tx->now;
    if (to->ended > tx->now) to->ended = tx->now;
}

static enum spd_rc change(struct spd_tx *tx, const struct spd_step_event *e, const int64_t *ids,
                          size_t n, int64_t *parked)
{
    for (size_t i = 0; i < n; i++) {
        struct spd_study s, old;
        struct spd_performed_step now = {0};
        TRY(spd_get_study(tx->st, ids[i], &old, tx->a, tx->err));
        s = old;
        SPD_LIST_OWN(&s.steps, tx->a);
        for (size_t k = 0; k < s.steps.n; k++) {
            if (!spd_sv_eq(s.steps.v[k].uid, e->step.uid)) continue;
            take_step(tx, &s.steps.v[k], &e->step);
            now = s.steps.v[k];
        }
        TRY(spd_put_study(tx->st, &s, &old, tx->err));
        TRY(one_study(tx, e, &s, &now, parked));
    }
    return SPD_OK;
}

/* The step as it stands. It says the same in all its studies. */
static enum spd_rc step_of(struct spd_tx *tx, int64_t study, spd_sv uid,
                           struct spd_performed_step *ret)
{
    struct spd_study s;
    *ret = (struct spd_performed_step){0};
    TRY(spd_get_study(tx->st, study, &s, tx->a, tx->err));
    for (size_t i = 0; i < s.steps.n; i++)
        if (spd_sv_eq(s.steps.v[i].uid, uid)) *ret = s.steps.v[i];
    return SPD_OK;
}

enum spd_rc spd_step_in(struct spd_tx *tx, const struct spd_step_event *e)
{
    int64_t *ids, parked = 0;
    struct spd_performed_step had = {0};
    bool dup;
    size_t n;
    TRY(spd_message_begin(tx, &e->message, &dup));
    if (dup) return SPD_OK;
    TRY(spd_tx_find(tx, SPD_KEY_STUDY_STEP, e->step.uid, &ids, &n));
    if (e->create && n)
        return refuse(tx, e, SPD_EXISTS, "step-exists", "Deze opnamestap is al gemeld.",
                      "This performed step was reported before.");
    if (!e->create && !n)
        return refuse(tx, e, SPD_NOTFOUND, "step-unknown", "Deze opnamestap is niet bekend.",
                      "This performed step is not known.");
    if (n) TRY(step_of(tx, ids[0], e->step.uid, &had));
    if (had.peer.len && !e->message.peer.len)
        return refuse(tx, e, SPD_DENIED, "step-stranger",
                      "Deze opnamestap is van een bekend apparaat, de afzender niet.",
                      "This performed step is of a listed peer, and the sender is not.");
    if (had.state && had.state != SPD_STEP_IN_PROGRESS)
        return refuse(tx, e, SPD_STALE, "step-ended", "Deze opnamestap is al beëindigd.",
                      "This performed step has already ended.");
    tx->r->did = SPD_DID_APPLY;
    TRY(e->create ? begin(tx, e, &parked) : change(tx, e, ids, n, &parked));
    return spd_message_end(tx, &e->message,
                           parked        ? "patient-differs"
                           : tx->items.n ? ""
                                         : "no-open-item",
                           parked);
}
