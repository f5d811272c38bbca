/* src/core/report_in.c: a report from a peer that may report: it closes only the orders it names.
 *
 * A report that names a number which is the order's patient by a merge alone closes the order as
 * any other. What stood before it is kept (report_kept), with the messages of all reports from then
 * on (reports_since), so that an undone merge leaves no order closed by another patient's report.
 */
#include "core/internal.h"

static bool any_positive(const struct spd_result *rs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rs[i].mode == SPD_MODE_LIVE && rs[i].state == SPD_AI_POSITIVE) return true;
    return false;
}

/* Named by a number that several orders have: it must not close one that is still to be read. */
static enum spd_rc is_ambiguous(struct spd_tx *tx, const struct spd_order_in *o, bool *ret)
{
    const struct spd_cx *by = o->filler.value.len ? &o->filler : &o->placer;
    size_t n, orders = 0;
    int64_t *ids;
    *ret = false;
    if (o->accession.value.len || !by->value.len) return SPD_OK;
    TRY(spd_tx_find(tx, o->filler.value.len ? SPD_KEY_ITEM_FILLER : SPD_KEY_ITEM_PLACER,
                    spd_key_cx(tx->a, by), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_work *w;
        TRY(spd_tx_item(tx, ids[i], &w));
        orders += !w->item.unmatched && w->item.order != SPD_ORDER_CANCELLED;
    }
    *ret = orders > 1;
    return SPD_OK;
}

/* A notice without a text leaves what stands; an addendum comes under it. */
static void take_text(struct spd_tx *tx, struct spd_item *item, const struct spd_report_event *e)
{
    if (e->by.len || !e->addendum) item->report_by = e->by;
    if (e->addendum && e->text.len && item->report_text.len)
        item->report_text = spd_arena_printf(tx->a, "%.*s\n\n%.*s", SPD_SV_ARG(item->report_text),
                                             SPD_SV_ARG(e->text));
    else if (e->text.len)
        item->report_text = e->text;
}

/* ---- by way of a merge -------------------------------------------------------------------------
 */
enum { REPORTS_SINCE = 64 }; /* of one order: the oldest is forgotten, and the message log has it */

static void keep(struct spd_item *i)
{
    struct spd_report_kept *k = &i->report_kept;
    k->reading = i->reading, k->report = i->report;
    k->by = i->report_by, k->at = i->report_at, k->text = i->report_text, k->time = i->report_time;
    k->status_note = i->status_note;
}

/* No report has come by way of a merge since, or a person or a draft has spoken after it. */
static bool is_kept(const struct spd_item *i)
{
    return i->reports_since.n && i->report_kept.left == i->report &&
           i->report_kept.left_at == i->report_at;
}

/* Before a report is taken: does it come by a merge, the first to do so? */
static void keep_before(struct spd_item *i, const struct spd_patient *p)
{
    bool own = spd_patient_shares_id(i->own.ids.n ? &i->own : &i->patient, p);
    if (is_kept(i)) return;
    memset(&i->report_kept, 0, sizeof i->report_kept);
    i->reports_since.v = NULL, i->reports_since.n = 0;
    if (!own && p->ids.n && i->patient.ids.n) keep(i);
}

static void left_as_is(struct spd_item *i)
{
    if (i->report_kept.report)
        i->report_kept.left = i->report, i->report_kept.left_at = i->report_at;
}

static void keep_message(struct spd_tx *tx, struct spd_item *i, int64_t message)
{
    struct spd_seq had = {i->reports_since.v, i->reports_since.n};
    if (!i->report_kept.report) return;
    left_as_is(i);
    i->reports_since.v = NULL, i->reports_since.n = 0;
    for (size_t k = had.n >= REPORTS_SINCE ? 1 : 0; k < had.n; k++)
        *SPD_LIST_PUSH(&i->reports_since, tx->a) = ((const int64_t *)had.v)[k];
    *SPD_LIST_PUSH(&i->reports_since, tx->a) = message;
}

/* What came to be known of one order by this report. message: where it stands. */
static enum spd_rc one_report(struct spd_tx *tx, const struct spd_report_event *e,
                              const struct spd_order_in *o, int64_t message, bool *ret_found,
                              bool *ret_differs, bool *ret_stale)
{
    struct spd_work *w;
    int64_t id;
    enum spd_rc rc = spd_find_order(tx, &o->accession, &o->filler, &o->placer, &id);
    struct spd_item *item;
    bool was_final, unclear;
    *ret_found = false;
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    TRY(spd_tx_item(tx, id, &w));
    TRY(is_ambiguous(tx, o, &unclear));
    if (unclear) return SPD_OK;
    item = &w->item;
    if (e->patient.ids.n && item->patient.ids.n) {
        bool same;
        TRY(spd_item_is_of(tx, item, &e->patient, &same));
        *ret_differs |= !same;
        if (!same) return SPD_OK;
    }
    *ret_found = true;
    keep_before(item, &e->patient);
    keep_message(tx, item,
                 message); /* also where it changes nothing: it waits again after an undo */
    /* Flushed after a downtime. A correction of what is no correction yet is taken all the same:
     * its sender may give it the time of the exam. */
    if (o->source_time && o->source_time < item->report_time &&
        !(o->report == SPD_REPORT_AMENDED && item->report == SPD_REPORT_FINAL)) {
        spd_tx_touch(tx, w, 0);
        *ret_stale = true;
        return SPD_OK;
    }
    if (o->source_time > item->report_time) item->report_time = o->source_time;
    was_final = item->report == SPD_REPORT_FINAL || item->report == SPD_REPORT_AMENDED;
    spd_tx_touch(tx, w, SPD_WHY_REPORT);
    if (o->status_word.len) item->status_note = o->status_word;
    switch ((enum spd_report_axis)o->report) {
    case SPD_REPORT_AXIS_UNSET:
        return SPD_OK; /* an unknown status changes nothing and is shown */
    case SPD_REPORT_NONE:
        spd_life_apply(item, SPD_LIFE_REPORT_LOST);
        break;
    case SPD_REPORT_PRELIMINARY:
        spd_life_apply(item, SPD_LIFE_PRELIMINARY);
        break;
    case SPD_REPORT_FINAL:
        spd_life_apply(item, SPD_LIFE_FINAL);
        break;
    case SPD_REPORT_AMENDED:
        spd_life_apply(item, SPD_LIFE_AMENDED);
        break;
    case SPD_REPORT_AXIS_N:
        return SPD_OK;
    }
    item->report_at = tx->now;
    if (!was_final || o->report != SPD_REPORT_PRELIMINARY) take_text(tx, item, e);
    left_as_is(item);
    if (!was_final && item->report >= SPD_REPORT_FINAL) {
        struct spd_result *rs;
        size_t n;
        TRY(spd_results_of_item(tx, id, &rs, &n));
        if (any_positive(rs, n))
            TRY(spd_tx_audit(tx, e->by, "final-with-positive", id, 0, SPD_SV_NONE));
    }
    return SPD_OK;
}

/* A report of an order that no list has named: it is closed, and nobody has to look. */
static enum spd_rc nothing_to_import(struct spd_tx *tx, bool differs)
{
    tx->r->says = differs ? SPD_IMPORT_REFUSED : SPD_IMPORT_CLOSED;
    if (differs)
        return spd_tx_refuse(tx, SPD_INVALID, "patient-differs",
                             "Verslag bij een bekende aanvraag, van een andere patiënt.",
                             "Report of an order that is known, of another patient.");
    tx->r->did = SPD_DID_IGNORE;
    tx->journal = false;
    return SPD_OK;
}

enum spd_rc spd_report_in(struct spd_tx *tx, const struct spd_report_event *e)
{
    bool dup, any = false, found, differs = false, fresh = false;
    int64_t parked = 0;
    TRY(spd_message_begin(tx, &e->message, &dup));
    if (dup) return SPD_OK;
    if (!spd_peer_has_role(tx, e->message.peer,
                           "reports")) { /* a laboratory's or a vendor's F closes nothing */
        tx->r->did = SPD_DID_IGNORE;
        return spd_message_end(tx, &e->message, "no-role", 0);
    }
    for (size_t i = 0; i < e->reports.n; i++) {
        bool stale = false;
        TRY(one_report(tx, e, &e->reports.v[i], tx->message, &found, &differs, &stale));
        any |= found;
        fresh |= found && !stale;
    }
    tx->r->did = SPD_DID_APPLY;
    if (tx->import) {
        if (!any) return nothing_to_import(tx, differs);
        tx->r->says = fresh ? SPD_IMPORT_CHANGED : SPD_IMPORT_OLDER;
    }
    if (any && !fresh) {
        tx->r->did = SPD_DID_STALE;
        spd_tx_say(tx, "stale", "Ouder dan het verslag dat al bekend is: gelogd, niets veranderd.",
                   "Older than the report that is known: logged, nothing changed.");
        return spd_message_end(tx, &e->message, "stale", 0);
    }
    if (!any) {
        const char *why = differs ? "patient-differs" : "no-order";
        const char *nl = differs ? "Verslag bij een bekende aanvraag, van een andere patiënt."
                                 : "Verslag bij geen bekende aanvraag.";
        const char *en = differs ? "Report of an order that is known, of another patient."
                                 : "Report of no order that is known.";
        TRY(spd_park_message(tx, spd_sv_from(why), spd_sv_from(nl), spd_sv_from(en), &e->patient,
                             e->message.peer, &parked));
        tx->r->did = SPD_DID_PARK;
        tx->r->id = parked;
        spd_tx_say(tx, why, nl, en);
    }
    return spd_message_end(tx, &e->message,
                           any       ? ""
                           : differs ? "patient-differs"
                                     : "no-order",
                           parked);
}

/* A report that came before its order (a RIS that flushes after downtime) is in the journal,
 * decoded: when its order comes it is taken from there, so that a study that was read is not read
 * again. *ret NULL: it stands there no longer, or is no report. */
static enum spd_rc read_again(struct spd_tx *tx, int64_t message, struct spd_report_event **ret)
{
    struct spd_message m;
    struct spd_journal j;
    struct spd_event e;
    enum spd_rc rc = spd_get_message(tx->st, message, &m, tx->a, tx->err);
    *ret = NULL;
    if (!rc) rc = spd_get_journal(tx->st, m.outcome_seq, &j, tx->a, tx->err);
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    if (j.type != SPD_EVENT_REPORT) return SPD_OK;
    TRY(spd_event_decode(j.event, &e, tx->a, tx->err));
    *ret = e.u.report;
    return SPD_OK;
}

/* What it says of this order. */
static enum spd_rc take_again(struct spd_tx *tx, struct spd_work *w, struct spd_report_event *e,
                              int64_t message, bool *ret_any, bool *ret_differs)
{
    for (size_t i = 0; i < e->reports.n; i++) {
        const struct spd_order_in *o = &e->reports.v[i];
        bool found, stale = false;
        int64_t id;
        enum spd_rc rc = spd_find_order(tx, &o->accession, &o->filler, &o->placer, &id);
        if (rc == SPD_NOTFOUND || (!rc && id != w->item.id)) continue;
        if (rc) return rc;
        TRY(one_report(tx, e, o, message, &found, ret_differs, &stale));
        *ret_any |= found;
    }
    return SPD_OK;
}

static enum spd_rc try_one(struct spd_tx *tx, struct spd_work *w, struct spd_parked *p)
{
    struct spd_report_event *e;
    bool any = false, differs = false;
    TRY(read_again(tx, p->message, &e));
    if (e) TRY(take_again(tx, w, e, p->message, &any, &differs));
    return any ? spd_unpark(tx, p, NULL, 0, SPD_SV_NONE, "order", SPD_SV_NONE) : SPD_OK;
}

enum spd_rc spd_try_parked_reports(struct spd_tx *tx, struct spd_work *w)
{
    struct spd_seq numbers;
    TRY(spd_patient_class(tx, &w->item.patient, &numbers));
    for (size_t k = 0; k < numbers.n; k++) {
        const struct spd_cx *id = (const struct spd_cx *)numbers.v + k;
        int64_t *ids;
        size_t n;
        TRY(spd_tx_find(tx, SPD_KEY_PARKED_PATIENT, spd_key_cx(tx->a, id), &ids, &n));
        for (size_t i = 0; i < n; i++) {
            struct spd_parked p;
            TRY(spd_get_parked(tx->st, ids[i], &p, tx->a, tx->err));
            if (!p.closed && p.kind == SPD_PARKED_MESSAGE && p.message != tx->message)
                TRY(try_one(tx, w, &p));
        }
    }
    return SPD_OK;
}

/* ---- a merge undone ----------------------------------------------------------------------------
 */
static void stand_as_before(struct spd_tx *tx, struct spd_item *i)
{
    const struct spd_report_kept k = i->report_kept;
    bool claimed = i->claimed_by.len && i->claim_until > tx->now;
    i->reading = k.reading == SPD_READING_CLAIMED && !claimed ? SPD_READING_UNREAD : k.reading;
    i->report = k.report, i->report_by = k.by, i->report_at = k.at, i->report_text = k.text;
    i->report_time = k.time, i->status_note = k.status_note;
    memset(&i->report_kept, 0, sizeof i->report_kept);
    i->reports_since.v = NULL, i->reports_since.n = 0;
}

static enum spd_rc park_again(struct spd_tx *tx, const struct spd_report_event *e, int64_t message)
{
    int64_t kept = tx->message, parked;
    enum spd_rc rc;
    tx->message = message;
    rc = spd_park_message(
        tx, SPD_SV("merge-undone"),
        SPD_SV("Een samenvoeging van patiënten is ongedaan gemaakt: dit verslag is van een ander."),
        SPD_SV("A merge of patients was undone: this report is another's."), &e->patient,
        e->message.peer, &parked);
    tx->message = kept;
    return rc;
}

enum spd_rc spd_reports_review(struct spd_tx *tx, struct spd_work *w)
{
    struct spd_item *i = &w->item;
    const struct spd_seq had = {i->reports_since.v, i->reports_since.n};
    const int64_t *messages = had.v;
    struct spd_report_event **es = SPD_NEW_N(tx->a, struct spd_report_event *, had.n + 1);
    bool all = true;
    if (!is_kept(i)) return SPD_OK;
    for (size_t k = 0; k < had.n; k++) {
        bool fits = true;
        TRY(read_again(tx, messages[k], &es[k]));
        if (es[k] && es[k]->patient.ids.n) TRY(spd_item_is_of(tx, i, &es[k]->patient, &fits));
        all &= fits;
    }
    if (all) return SPD_OK;
    stand_as_before(tx, i);
    spd_tx_touch(tx, w, SPD_WHY_REPORT);
    for (size_t k = 0; k < had.n; k++) {
        bool any = false, differs = false;
        if (!es[k]) continue;
        TRY(take_again(tx, w, es[k], messages[k], &any, &differs));
        if (differs) TRY(park_again(tx, es[k], messages[k]));
    }
    return SPD_OK;
}

/* The RIS took an accepted report long ago and has not made it final: somebody must look there. The
 * item stays off the list: the RIS has it, and signing may take its time. */
enum spd_rc spd_report_timer(struct spd_tx *tx, int64_t item)
{
    struct spd_work *w;
    TRY(spd_tx_item(tx, item, &w));
    if (w->item.report != SPD_REPORT_PRELIMINARY || !w->item.report_message) return SPD_OK;
    return spd_tx_alarm(
        tx, "report-not-confirmed", spd_key_i64(tx->a, item),
        "Het RIS heeft een geaccepteerd verslag aangenomen, maar nog niet definitief gemaakt.",
        "The RIS took an accepted report but has not made it final yet.");
}
