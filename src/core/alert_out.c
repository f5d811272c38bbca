/* src/core/alert_out.c: alerts told to other systems (send.NAME.events: [alert]): that paging
 * began, and every end or change of it, once each. Not the pages themselves (page.c), nor the form
 * on the wire (hl7/map).
 *
 * What is told is frozen in the row when it happens, and of whom: an order that names somebody else
 * later takes nothing along. An alert of a result that fits no order is
 * told only when its patient is known (domain §1); nothing is told before somebody was paged. */
#include "core/alert.h"

/* Was it told in that state, as far as the alert goes? */
static bool is_news(const struct spd_alert *al)
{
    return al && al->step >= 0 && !al->unmatched;
}

static bool is_ended(const struct spd_alert *al)
{
    return al->state == SPD_ALERT_WITHDRAWN || al->state == SPD_ALERT_RESOLVED;
}

/* Where the destination's peer is one of ours, it hears of that one's orders only; else of all. */
static bool concerns(const struct spd_tx *tx, const struct spd_destination *d, spd_sv peer)
{
    return d->alert && !spd_sv_is(d->mode, "off") &&
           (!spd_peer_fact(tx, d->peer) || spd_sv_eq(d->peer, peer));
}

/* What has to be told of the change; UNSET: nothing. */
static enum spd_alert_phase phase_of(const struct spd_alert *al, const struct spd_alert *old)
{
    bool was = is_news(old);
    if (!is_news(al)) return SPD_ALERT_PHASE_UNSET;
    if (!was) return is_ended(al) ? SPD_ALERT_PHASE_UNSET : SPD_PHASE_START;
    if (old->state != al->state) {
        if (al->state == SPD_ALERT_WITHDRAWN) return SPD_PHASE_WITHDRAWN;
        if (al->state == SPD_ALERT_RESOLVED) return SPD_PHASE_RESOLVED;
        if (al->state == SPD_ALERT_ACKNOWLEDGED) return SPD_PHASE_ACKNOWLEDGED;
        if (old->state == SPD_ALERT_ACKNOWLEDGED) return SPD_PHASE_REOPENED; /* handed over */
    }
    return old->item != al->item && !is_ended(al) ? SPD_PHASE_CORRECTED : SPD_ALERT_PHASE_UNSET;
}

static enum spd_rc from_result(struct spd_tx *tx, const struct spd_alert *al,
                               struct spd_alert_out *x)
{
    struct spd_result r;
    enum spd_rc rc =
        al->result ? spd_get_result(tx->st, al->result, &r, tx->a, tx->err) : SPD_NOTFOUND;
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    x->result_at = r.content_at ? r.content_at : r.at;
    x->model = spd_arena_printf(tx->a, "%.*s %.*s", SPD_SV_ARG(r.model.len ? r.model : r.name),
                                SPD_SV_ARG(r.version));
    for (size_t i = 0; i < r.findings.n; i++)
        if (spd_sv_eq(r.findings.v[i].concept, al->concept)) {
            x->code = r.findings.v[i].code;
            break;
        }
    return SPD_OK;
}

static enum spd_rc queue(struct spd_tx *tx, const struct spd_destination *d,
                         const struct spd_alert *al, int64_t item, const struct spd_alert_out *x)
{
    struct spd_outbox row = {0};
    struct spd_str payload = SPD_STR_INIT(1 << 16);
    spd_desc_encode(&spd_alert_out_desc, x, &payload);
    if (!spd_str_ok(&payload)) {
        spd_str_done(&payload);
        return spd_fail(tx->err, SPD_LIMIT, "alert", "what is told of an alert is too long");
    }
    row.destination = d->name, row.kind = SPD_OUTBOX_ALERT;
    row.group_key = spd_arena_printf(tx->a, "%.*s|item|%lld", SPD_SV_ARG(d->name), (long long)item);
    row.item = item, row.alert = al->id, row.level = al->level, row.due = tx->now;
    row.wire = spd_sv_from(spd_enum_name(spd_alert_phase_names, x->phase));
    row.payload = spd_arena_dup(tx->a, spd_str_sv(&payload));
    spd_str_done(&payload);
    return spd_outbox_add(tx, &row);
}

/* Does the alert still stand as this row tells it? */
enum spd_rc spd_alert_row_stands(struct spd_tx *tx, const struct spd_outbox *row, bool *ret)
{
    struct spd_alert al;
    int phase = spd_enum_from(spd_alert_phase_names, row->wire);
    TRY(spd_get_alert(tx->st, row->alert, &al, tx->a, tx->err));
    if (al.state == SPD_ALERT_WITHDRAWN)
        *ret = phase == SPD_PHASE_WITHDRAWN;
    else if (al.state == SPD_ALERT_RESOLVED)
        *ret = phase == SPD_PHASE_RESOLVED;
    else if (al.state == SPD_ALERT_ACKNOWLEDGED)
        *ret = phase == SPD_PHASE_ACKNOWLEDGED || phase == SPD_PHASE_CORRECTED;
    else
        *ret = phase == SPD_PHASE_START || phase == SPD_PHASE_REOPENED ||
               phase == SPD_PHASE_CORRECTED;
    return SPD_OK;
}

static spd_sv actor(const struct spd_alert *al, enum spd_alert_phase phase)
{
    return phase == SPD_PHASE_ACKNOWLEDGED ? al->ack_by
           : phase == SPD_PHASE_RESOLVED   ? al->resolved_by
                                           : SPD_SV_NONE;
}

enum spd_rc spd_alert_tell(struct spd_tx *tx, const struct spd_alert *al,
                           const struct spd_alert *old)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    enum spd_alert_phase phase = phase_of(al, old);
    struct spd_alert_out x = {0};
    struct spd_work *w;
    if (!phase || tx->import) return SPD_OK;
    TRY(spd_tx_item(tx, al->item, &w));
    x.alert = al->id, x.at = tx->now, x.started = al->started, x.phase = (int32_t)phase;
    x.concept = al->concept, x.concept_nl = spd_concept_name(tx, al->concept, true);
    x.concept_en = spd_concept_name(tx, al->concept, false);
    x.site = al->site, x.laterality = al->laterality, x.study_uid = al->study_uid;
    x.level = al->level, x.level_name = spd_policy_level_name(tx->core->rules->policy, al->level);
    x.by = actor(al, phase), x.read = al->radiologist_read;
    x.source = w->item.source_message, x.patient = w->item.patient;
    TRY(from_result(tx, al, &x));
    for (size_t i = 0; i < s->destinations.n; i++)
        if (concerns(tx, &s->destinations.v[i], w->item.peer))
            TRY(queue(tx, &s->destinations.v[i], al, al->item, &x));
    return SPD_OK;
}
