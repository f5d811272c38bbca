/* src/core/report_in.c: a report from a peer that may report: it closes only the orders it names. */
#include "core/internal.h"

static bool any_positive(const struct spd_result *rs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rs[i].mode == SPD_MODE_LIVE && rs[i].state == SPD_AI_POSITIVE) return true;
    return false;
}

static enum spd_rc one_report(struct spd_tx *tx, const struct spd_report_event *e, const struct spd_order_in *o, bool *ret_found)
{
    struct spd_work *w;
    int64_t id;
    enum spd_rc rc = spd_find_order(tx, &o->accession, &o->filler, &o->placer, &id);
    struct spd_item *item;
    bool was_final;
    *ret_found = false;
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    TRY(spd_tx_item(tx, id, &w));
    item = &w->item;
    if (e->patient.ids.n && item->patient.ids.n && !spd_patient_shares_id(&item->patient, &e->patient)) return SPD_OK;
    *ret_found = true;
    was_final = item->report == SPD_REPORT_FINAL || item->report == SPD_REPORT_AMENDED;
    spd_tx_touch(tx, w, SPD_WHY_REPORT);
    if (o->status_word.len) item->status_note = o->status_word;
    switch ((enum spd_report_axis)o->report) {
    case SPD_REPORT_AXIS_UNSET: return SPD_OK; /* an unknown status changes nothing and is shown */
    case SPD_REPORT_NONE: spd_life_apply(item, SPD_LIFE_REPORT_LOST); break;
    case SPD_REPORT_PRELIMINARY: spd_life_apply(item, SPD_LIFE_PRELIMINARY); break;
    case SPD_REPORT_FINAL: spd_life_apply(item, SPD_LIFE_FINAL); break;
    case SPD_REPORT_AMENDED: spd_life_apply(item, SPD_LIFE_AMENDED); break;
    case SPD_REPORT_AXIS_N: return SPD_OK;
    }
    item->report_by = e->by;
    item->report_at = tx->now;
    item->report_text = e->text;
    TRY(spd_tx_timer_clear(tx, SPD_TIMER_REPORT, id, SPD_SV_NONE));
    if (!was_final && item->report >= SPD_REPORT_FINAL) {
        struct spd_result *rs;
        size_t n;
        TRY(spd_results_of_item(tx, id, &rs, &n));
        if (any_positive(rs, n)) TRY(spd_tx_audit(tx, e->by, "final-with-positive", id, 0, SPD_SV_NONE));
    }
    return SPD_OK;
}

enum spd_rc spd_report_in(struct spd_tx *tx, const struct spd_report_event *e)
{
    bool dup, any = false, found;
    int64_t parked = 0;
    TRY(spd_message_begin(tx, &e->message, &dup));
    if (dup) return SPD_OK;
    for (size_t i = 0; i < e->reports.n; i++) {
        TRY(one_report(tx, e, &e->reports.v[i], &found));
        any |= found;
    }
    tx->r->did = SPD_DID_APPLY;
    if (!any) {
        const char *nl = "Verslag bij geen bekende aanvraag.", *en = "Report of no order that is known.";
        TRY(spd_park_message(tx, SPD_SV("no-order"), spd_sv_from(nl), spd_sv_from(en), &e->patient, e->message.peer, &parked));
        tx->r->did = SPD_DID_PARK;
        tx->r->id = parked;
        spd_tx_say(tx, "no-order", nl, en);
    }
    return spd_message_end(tx, &e->message, any ? "" : "no-order", parked);
}
