/* src/core/draft.c: the pre-filled normal report: when it may be offered, accepted, and what if it
 * gets lost.
 *
 * Offered only when every required model of the study judged it, at least one of them as normal,
 * none of any model in use found anything, all inside intended use, every known image was seen, and
 * nothing else asks for a person (design rule 7). The version changes with every result, image,
 * order, identity or report that touches the item, so that an acceptor never accepts something
 * other than what they saw (412). An accepted report that does not reach the RIS puts the item back
 * on the list (rule 10). */
#include "core/internal.h"

struct judged { /* what stands in the way of a draft; nl == NULL: nothing */
    const char *nl, *en;
    struct spd_seq models; /* spd_sv: display texts of those that judged it */
    struct spd_seq missing;
    struct spd_seq results; /* int64_t */
};

static void stop(struct judged *j, const char *nl, const char *en)
{
    if (!j->nl) j->nl = nl, j->en = en;
}

static bool seen(spd_sv image, const struct spd_result *rs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rs[i].mode == SPD_MODE_LIVE &&
            spd_list_has_text(rs[i].instances.v, rs[i].instances.n, image))
            return true;
    return false;
}

/* Every image that is known must have been seen by one of the models; counted when only counts are
 * known. */
static enum spd_rc check_images(struct spd_tx *tx, const struct spd_item *item,
                                const struct spd_result *rs, size_t n, int64_t *ret_images,
                                struct judged *j)
{
    *ret_images = 0;
    for (size_t s = 0; s < item->study_uids.n; s++) {
        struct spd_study st;
        int64_t id;
        size_t unseen = 0;
        enum spd_rc rc =
            spd_store_find_one(tx->st, SPD_KEY_STUDY_UID, item->study_uids.v[s], &id, tx->err);
        if (rc == SPD_NOTFOUND) continue;
        if (rc) return rc;
        TRY(spd_get_study(tx->st, id, &st, tx->a, tx->err));
        *ret_images += st.instance_count;
        for (size_t i = 0; i < st.instances.n; i++)
            unseen += !seen(st.instances.v[i], rs, n);
        if (unseen)
            stop(j, "een beeld is door geen AI-model gezien", "an image was seen by no AI model");
    }
    return SPD_OK;
}

/* A result that calls itself normal or negative and names something all the same. */
static bool names_finding(struct spd_tx *tx, const struct spd_result *r)
{
    for (size_t i = 0; i < r->findings.n; i++) {
        const struct spd_finding *f = &r->findings.v[i];
        const struct spd_concept *c =
            f->concept.len ? spd_codes_concept(tx->core->codes, f->concept) : NULL;
        if (f->present == SPD_PRESENT_YES && c && (c->alert || c->default_level)) return true;
    }
    return false;
}

static void check_models(struct spd_tx *tx, const struct spd_facts *f, const struct spd_result *rs,
                         size_t n, struct judged *j)
{
    const struct spd_models *ms = tx->core->rules->models;
    bool normal = false, required = false;
    for (size_t i = 0; i < n; i++)
        if (rs[i].mode != SPD_MODE_SHADOW && rs[i].mode != SPD_MODE_SUSPENDED &&
            rs[i].state == SPD_AI_POSITIVE)
            stop(j, "een AI-model meldt een bevinding", "an AI model reports a finding");
        else if (rs[i].mode != SPD_MODE_SHADOW && rs[i].mode != SPD_MODE_SUSPENDED &&
                 names_finding(tx, &rs[i]))
            stop(j, "een AI-model meldt een bevinding", "an AI model reports a finding");
    for (size_t i = 0; i < spd_models_n(ms); i++) {
        const struct spd_model *m = spd_models_at(ms, i);
        enum spd_tri applies = spd_model_applies(m, f);
        bool heard = false, good = false;
        if (!m->required || applies == SPD_NO || !spd_model_live(tx, m)) continue;
        if (applies == SPD_CANNOT_TELL) {
            stop(j,
                 "niet vast te stellen of het onderzoek binnen het beoogde gebruik van een vereist "
                 "model valt",
                 "cannot tell whether the study is within a required model's intended use");
            continue;
        }
        required = true;
        for (size_t k = 0; k < n; k++) {
            if (!spd_sv_eq(rs[k].model, m->id) || rs[k].mode != SPD_MODE_LIVE) continue;
            heard = true;
            if (rs[k].state == SPD_AI_NORMAL || rs[k].state == SPD_AI_NEGATIVE) {
                good = true;
                normal |= rs[k].state == SPD_AI_NORMAL;
                *(spd_sv *)spd_list_add(&j->models, sizeof(spd_sv), tx->a) =
                    spd_arena_printf(tx->a, "%.*s %.*s", SPD_SV_ARG(m->name.len ? m->name : m->id),
                                     SPD_SV_ARG(rs[k].version));
                *(int64_t *)spd_list_add(&j->results, sizeof(int64_t), tx->a) = rs[k].id;
            } else if (rs[k].state != SPD_AI_POSITIVE) {
                good = false;
                stop(j, "een vereist model gaf geen uitslag over dit onderzoek",
                     "a required model gave no verdict on this study");
            }
        }
        if (!heard || !good) *(spd_sv *)spd_list_add(&j->missing, sizeof(spd_sv), tx->a) = m->id;
        if (!heard)
            stop(j, "een vereist AI-resultaat ontbreekt nog",
                 "a required AI result is still missing");
    }
    if (!required)
        stop(j, "geen vereist AI-model voor dit onderzoek",
             "no AI model is required for this study");
    else if (!normal)
        stop(j, "geen AI-model noemt het onderzoek normaal", "no AI model calls the study normal");
}

/* A finding about this study that waits for a person, because it fits no patient: the study is not
 * normal. */
static enum spd_rc check_parked(struct spd_tx *tx, const struct spd_item *item, struct judged *j)
{
    for (size_t s = 0; s <= item->study_uids.n; s++) {
        int64_t *ids;
        size_t n;
        if (s < item->study_uids.n)
            TRY(spd_tx_find(tx, SPD_KEY_PARKED_STUDY, item->study_uids.v[s], &ids, &n));
        else if (item->accession.value.len)
            TRY(spd_tx_find(tx, SPD_KEY_PARKED_ACCESSION, spd_key_cx(tx->a, &item->accession), &ids,
                            &n));
        else
            break;
        for (size_t i = 0; i < n; i++) {
            struct spd_parked p;
            struct spd_result r;
            TRY(spd_get_parked(tx->st, ids[i], &p, tx->a, tx->err));
            if (!p.result) continue;
            TRY(spd_get_result(tx->st, p.result, &r, tx->a, tx->err));
            if (spd_parked_stops_draft(tx, &r))
                stop(j, "een AI-bevinding bij dit onderzoek wacht op toewijzing",
                     "an AI finding about this study waits to be assigned");
        }
    }
    return SPD_OK;
}

/* accepted: its own preliminary report does not stand in the way. */
static void check_item(const struct spd_item *item, bool accepted, struct judged *j)
{
    if (item->unmatched) stop(j, "er is geen aanvraag", "there is no order");
    if (item->order == SPD_ORDER_CANCELLED)
        stop(j, "de aanvraag is geannuleerd", "the order is cancelled");
    if (item->order == SPD_ORDER_HELD)
        stop(j, "de aanvraag is aangehouden", "the order is on hold");
    if (item->report > SPD_REPORT_NONE && !accepted)
        stop(j, "er is al een verslag", "there is a report already");
    if (item->contradiction)
        stop(j, "AI-resultaten spreken elkaar tegen", "AI results contradict each other");
    if (item->ask_person)
        stop(j, "de patiënt van de aanvraag is gewijzigd", "the order's patient was changed");
    if (item->images <= SPD_IMAGES_NONE)
        stop(j, "er zijn nog geen beelden", "there are no images yet");
}

static enum spd_rc load(struct spd_tx *tx, int64_t item, struct spd_draft *ret, bool *ret_exists)
{
    enum spd_rc rc = spd_get_draft(tx->st, item, ret, tx->a, tx->err);
    *ret_exists = rc == SPD_OK;
    if (rc == SPD_NOTFOUND) memset(ret, 0, sizeof *ret);
    return rc == SPD_NOTFOUND ? SPD_OK : rc;
}

static enum spd_rc offer(struct spd_tx *tx, struct spd_work *w, struct judged *j, int64_t images,
                         const struct spd_draft *old, bool exists, bool bump)
{
    struct spd_draft d = *old;
    bool dutch = !spd_sv_is(tx->core->rules->settings.language, "en");
    bool fresh = !exists || old->state != SPD_DRAFT_OFFERED;
    enum spd_rc rc = spd_report_draft(tx->core->templates, &w->item, j->models.v, j->models.n,
                                      dutch, tx->a, &d.text);
    if (rc == SPD_NOTFOUND || rc == SPD_UNKNOWN) {
        stop(j, "geen sjabloon voor dit onderzoek", "no template for this kind of study");
        return SPD_OK;
    }
    if (rc) return rc;
    d.id = w->item.id;
    d.state = SPD_DRAFT_OFFERED;
    d.language = dutch ? SPD_SV("nl") : SPD_SV("en");
    d.models.v = j->models.v, d.models.n = j->models.n;
    d.missing.v = NULL, d.missing.n = 0;
    d.results.v = j->results.v, d.results.n = j->results.n;
    d.images = images;
    if (fresh || bump || !spd_sv_eq(d.text, old->text)) {
        d.version = tx->seq;
        d.at = tx->now;
        d.by = d.final_text = d.note = SPD_SV_NONE;
        d.decided = d.outbox = 0;
        spd_tx_dirty(tx, w->item.id);
    }
    return spd_put_draft(tx->st, &d, exists ? old : NULL, tx->err);
}

enum spd_rc spd_draft_withdraw(struct spd_tx *tx, struct spd_work *w, const char *nl,
                               const char *en)
{
    struct spd_draft d, old;
    bool exists;
    w->item.no_draft_nl = spd_sv_from(nl), w->item.no_draft_en = spd_sv_from(en);
    w->changed = true;
    TRY(load(tx, w->item.id, &old, &exists));
    if (!exists || old.state != SPD_DRAFT_OFFERED) return SPD_OK;
    d = old;
    d.state = SPD_DRAFT_WITHDRAWN;
    d.version = tx->seq;
    d.note = spd_sv_from(en);
    spd_tx_dirty(tx, w->item.id);
    return spd_put_draft(tx->st, &d, &old, tx->err);
}

/* Waits to be sent, for the first time or again. tried: it may have arrived all the same. */
static enum spd_rc unsent(struct spd_tx *tx, const struct spd_draft *d, bool *ret, bool *ret_tried)
{
    struct spd_outbox row;
    *ret = *ret_tried = false;
    if (d->state != SPD_DRAFT_ACCEPTED || !d->outbox) return SPD_OK;
    TRY(spd_get_outbox(tx->st, d->outbox, &row, tx->a, tx->err));
    *ret = row.state == SPD_OUTBOX_QUEUED;
    *ret_tried = row.attempts > 0;
    return SPD_OK;
}

/* The accepted report stays here. */
static enum spd_rc keep_in(struct spd_tx *tx, const struct spd_draft *old, spd_sv note)
{
    struct spd_draft d = *old;
    TRY(spd_outbox_cancel(tx, old->outbox));
    d.state = SPD_DRAFT_WITHDRAWN;
    d.version = tx->seq;
    d.note = note;
    return spd_put_draft(tx->st, &d, old, tx->err);
}

static enum spd_rc hold_back(struct spd_tx *tx, struct spd_work *w, const struct spd_draft *old,
                             const struct judged *j)
{
    TRY(keep_in(tx, old, spd_sv_from(j->en)));
    spd_life_apply(&w->item, SPD_LIFE_REPORT_LOST);
    w->item.no_draft_nl = spd_sv_from(j->nl), w->item.no_draft_en = spd_sv_from(j->en);
    spd_tx_touch(tx, w,
                 SPD_WHY_DELIVERY); /* on the list again: its waiting and its priority count anew */
    return spd_tx_alarm(tx, "draft-held-back", spd_key_i64(tx->a, w->item.id),
                        "Een geaccepteerd conceptverslag is tegengehouden: er kwam iets bij.",
                        "An accepted draft was held back: something new came in.");
}

/* The order names somebody else: what was accepted was of another patient. It does not go out any
 * more, nor again, and where it has gone the item is unread all the same. */
enum spd_rc spd_draft_detach(struct spd_tx *tx, struct spd_work *w, const char *nl, const char *en)
{
    struct spd_draft d;
    bool exists;
    const struct judged j = {.nl = nl, .en = en};
    TRY(load(tx, w->item.id, &d, &exists));
    if (exists && d.state == SPD_DRAFT_ACCEPTED && w->item.report == SPD_REPORT_PRELIMINARY) {
        TRY(hold_back(tx, w, &d, &j));
        w->item.report_by = w->item.report_text = SPD_SV_NONE, w->item.report_at = 0;
    } else {
        TRY(spd_draft_withdraw(tx, w, nl, en));
    }
    w->item.report_message = 0;
    return SPD_OK;
}

static bool any_positive(const struct spd_result *rs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rs[i].mode == SPD_MODE_LIVE && rs[i].state == SPD_AI_POSITIVE) return true;
    return false;
}

/* An accepted draft when something about its item changed: what has not left yet is held back (also
 * when the RIS has a report of its own by now, which ours would overwrite, or a person reopened the
 * item); what has left as normal beside a finding needs a person. */
static enum spd_rc reconsider_accepted(struct spd_tx *tx, struct spd_work *w,
                                       const struct spd_draft *old, const struct judged *j,
                                       const struct spd_result *rs, size_t n)
{
    bool here, tried;
    TRY(unsent(tx, old, &here, &tried));
    if (w->item.report != SPD_REPORT_PRELIMINARY)
        return here ? keep_in(tx, old, SPD_SV("the report was not sent: the item moved on"))
                    : SPD_OK;
    if (here && j->nl) TRY(hold_back(tx, w, old, j));
    if ((!here || tried) && old->outbox && any_positive(rs, n))
        return spd_tx_alarm(
            tx, "finding-after-accept", spd_key_i64(tx->a, w->item.id),
            "Na een geaccepteerd normaal verslag kwam een AI-bevinding: controleer het verslag.",
            "A finding came after a normal report was accepted: check the report.");
    return SPD_OK;
}

/* More images than when it was last offered, of which only the number is known, and no result
 * since: nobody saw them. */
static bool unseen_since(const struct spd_draft *old, const struct judged *j, int64_t images)
{
    const int64_t *now = j->results.v;
    if (!old->images || images <= old->images || old->results.n != j->results.n) return false;
    for (size_t i = 0; i < j->results.n; i++)
        if (!spd_list_has_i64(old->results.v, old->results.n, now[i])) return false;
    return true;
}

/* There is a final report: what was asked of a person about the draft is done. */
static enum spd_rc no_more_alarms(struct spd_tx *tx, int64_t item)
{
    TRY(spd_tx_alarm_clear(tx, "report-not-delivered", spd_key_i64(tx->a, item)));
    TRY(spd_tx_timer_clear(tx, SPD_TIMER_REPORT, item, SPD_SV_NONE));
    TRY(spd_tx_alarm_clear(tx, "report-not-confirmed", spd_key_i64(tx->a, item)));
    return spd_tx_alarm_clear(tx, "draft-held-back", spd_key_i64(tx->a, item));
}

enum spd_rc spd_draft_consider(struct spd_tx *tx, struct spd_work *w, const struct spd_facts *f,
                               const struct spd_result *rs, size_t n, int why)
{
    struct judged j = {0};
    struct spd_draft old;
    bool exists, bump = why != SPD_WHY_TIMER && why != SPD_WHY_PERSON && why != SPD_WHY_DELIVERY;
    int64_t images = 0;
    TRY(load(tx, w->item.id, &old, &exists));
    if (exists && w->item.report >= SPD_REPORT_FINAL) TRY(no_more_alarms(tx, w->item.id));
    if (exists && old.state == SPD_DRAFT_REJECTED && !bump) return SPD_OK;
    check_models(tx, f, rs, n, &j);
    if (!j.nl) TRY(check_images(tx, &w->item, rs, n, &images, &j));
    if (!j.nl) TRY(check_parked(tx, &w->item, &j));
    check_item(&w->item, exists && old.state == SPD_DRAFT_ACCEPTED, &j);
    if (exists && old.state == SPD_DRAFT_ACCEPTED)
        return reconsider_accepted(tx, w, &old, &j, rs, n);
    if (!j.nl && exists && old.state == SPD_DRAFT_REJECTED)
        stop(&j, "het concept is afgewezen", "the draft was rejected");
    if (!j.nl && exists && unseen_since(&old, &j, images))
        stop(&j, "er kwam een beeld bij na de AI", "an image came in after the AI looked");
    if (!j.nl) TRY(offer(tx, w, &j, images, &old, exists, bump));
    if (j.nl) return spd_draft_withdraw(tx, w, j.nl, j.en);
    w->item.no_draft_nl = w->item.no_draft_en = SPD_SV_NONE;
    w->changed = true;
    return SPD_OK;
}

/* ---- what a person does ------------------------------------------------------------------------
 */
static const struct spd_destination *report_destination(const struct spd_tx *tx,
                                                        const struct spd_item *item)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    for (size_t i = 0; i < s->destinations.n; i++) {
        const struct spd_destination *d = &s->destinations.v[i];
        if (d->report && !spd_sv_is(d->mode, "off") && spd_sv_eq(d->peer, item->peer)) return d;
    }
    return NULL;
}

static spd_usec opened_at(const struct spd_item *item, spd_sv by)
{
    for (size_t i = 0; i < item->opened.n; i++)
        if (spd_sv_eq(item->opened.v[i].by, by)) return item->opened.v[i].at;
    return 0;
}

static enum spd_rc accept(struct spd_tx *tx, struct spd_work *w, const struct spd_draft *old,
                          const struct spd_action_event *e)
{
    const struct spd_settings *set = &tx->core->rules->settings;
    const struct spd_destination *to = report_destination(tx, &w->item);
    struct spd_draft d = *old;
    struct spd_outbox row = {0};
    spd_usec opened = opened_at(&w->item, e->by);
    if (!opened || tx->now - opened > SPD_HOUR(10)) /* another shift's look is not this one's */
        return spd_tx_refuse(tx, SPD_INVALID, "not-opened",
                             "Open eerst de beelden van dit onderzoek.",
                             "Open the images of this study first.");
    if (tx->now - opened < set->min_dwell)
        return spd_tx_refuse(tx, SPD_INVALID, "too-soon",
                             "Te kort na het openen om gelezen te hebben.",
                             "Too soon after opening to have read it.");
    if (!to)
        return spd_tx_refuse(tx, SPD_INVALID, "no-destination",
                             "Geen systeem neemt verslagen van deze aanvraag aan.",
                             "No system takes reports of this order.");
    row.destination = to->name, row.kind = SPD_OUTBOX_REPORT;
    row.group_key =
        spd_arena_printf(tx->a, "%.*s|item|%lld", SPD_SV_ARG(to->name), (long long)w->item.id);
    row.item = w->item.id;
    row.wire = to->final_on_ack ? SPD_SV("F") : SPD_SV("P");
    row.payload = e->text.len ? e->text : old->text;
    row.to = e->by;
    row.due = tx->now + set->undo;
    TRY(spd_outbox_add(tx, &row));
    d.state = SPD_DRAFT_ACCEPTED;
    d.by = e->by, d.decided = tx->now, d.final_text = row.payload, d.outbox = row.id,
    d.opened = opened;
    w->item.report_by = e->by, w->item.report_at = tx->now, w->item.report_text = row.payload;
    w->item.report_message = row.id;
    w->item.report_model = SPD_SV_NONE;
    spd_life_apply(&w->item, SPD_LIFE_PRELIMINARY);
    TRY(spd_put_draft(tx->st, &d, old, tx->err));
    tx->r->did = SPD_DID_APPLY;
    tx->r->id = d.version;
    spd_tx_touch(tx, w, SPD_WHY_PERSON);
    return spd_tx_audit(tx, e->by, "draft-accept", w->item.id, 0,
                        spd_arena_printf(tx->a, "version %lld, %s, dwell %llds",
                                         (long long)d.version,
                                         spd_sv_eq(row.payload, old->text) ? "unchanged" : "edited",
                                         (long long)((tx->now - opened) / SPD_USEC_PER_SEC)));
}

static enum spd_rc undo(struct spd_tx *tx, struct spd_work *w, const struct spd_draft *old,
                        const struct spd_action_event *e)
{
    struct spd_draft d = *old;
    struct spd_outbox row;
    if (old->state != SPD_DRAFT_ACCEPTED || !spd_sv_eq(old->by, e->by))
        return spd_tx_refuse(tx, SPD_EXISTS, "not-yours",
                             "Alleen wie accepteerde kan dit terugnemen.",
                             "Only the acceptor can undo this.");
    TRY(spd_get_outbox(tx->st, old->outbox, &row, tx->a, tx->err));
    if (row.state != SPD_OUTBOX_QUEUED || row.attempts || row.due <= tx->now)
        return spd_tx_refuse(tx, SPD_EXISTS, "already-sent", "Het verslag is al onderweg.",
                             "The report is on its way already.");
    TRY(spd_outbox_cancel(tx, row.id));
    d.state = SPD_DRAFT_WITHDRAWN;
    TRY(spd_put_draft(tx->st, &d, old, tx->err));
    spd_life_apply(&w->item, SPD_LIFE_REPORT_LOST);
    w->item.report_by = w->item.report_text = SPD_SV_NONE,
    w->item.report_at = w->item.report_message = 0;
    tx->r->did = SPD_DID_APPLY;
    spd_tx_touch(
        tx, w, SPD_WHY_ORDER); /* considered anew: the draft is offered again under a new version */
    return spd_tx_audit(tx, e->by, "draft-undo", w->item.id, 0, SPD_SV_NONE);
}

enum spd_rc spd_draft_act(struct spd_tx *tx, const struct spd_action_event *e)
{
    struct spd_work *w;
    struct spd_draft d, old;
    bool exists;
    enum spd_rc rc = spd_tx_item(tx, e->item, &w);
    if (rc == SPD_NOTFOUND)
        return spd_tx_refuse(tx, SPD_NOTFOUND, "no-such-item", "Dit onderzoek bestaat niet.",
                             "There is no such item.");
    if (rc) return rc;
    if (!spd_list_has_text(e->roles.v, e->roles.n, SPD_SV("reporter")))
        return spd_tx_refuse(tx, SPD_DENIED, "role", "Alleen een verslagbevoegde mag dit.",
                             "Only a reporter may do this.");
    TRY(load(tx, e->item, &old, &exists));
    if (!exists)
        return spd_tx_refuse(tx, SPD_NOTFOUND, "no-draft", "Er is geen concept.",
                             "There is no draft.");
    if (e->verb == SPD_ACT_DRAFT_UNDO) return undo(tx, w, &old, e);
    if (!e->version && e->verb == SPD_ACT_DRAFT_ACCEPT)
        return spd_tx_refuse(tx, SPD_UNKNOWN, "if-match", "If-Match met de versie ontbreekt.",
                             "If-Match with the version is missing.");
    /* Only what is signed must be what was read; a rejection stands for whatever is offered. */
    if (old.state != SPD_DRAFT_OFFERED ||
        (e->version ? e->version != old.version : e->verb == SPD_ACT_DRAFT_ACCEPT))
        return spd_tx_refuse(tx, SPD_STALE, "changed",
                             "Er is intussen iets veranderd: bekijk het onderzoek opnieuw.",
                             "Something changed meanwhile: look at the study again.");
    if (e->verb == SPD_ACT_DRAFT_ACCEPT) return accept(tx, w, &old, e);
    d = old;
    d.state = SPD_DRAFT_REJECTED, d.by = e->by, d.decided = tx->now, d.note = e->reason;
    TRY(spd_put_draft(tx->st, &d, &old, tx->err));
    w->item.no_draft_nl = SPD_SV("het concept is afgewezen"),
    w->item.no_draft_en = SPD_SV("the draft was rejected");
    tx->r->did = SPD_DID_APPLY;
    spd_tx_touch(tx, w, 0);
    return spd_tx_audit(tx, e->by, "draft-reject", e->item, 0, SPD_SV_NONE);
}

/* A report that is to be sent again: accepted once more, unless the item moved on or something new
 * stands in the way; then it has to be looked at and accepted anew. */
enum spd_rc spd_draft_retry(struct spd_tx *tx, const struct spd_outbox *row, bool *ret_may)
{
    struct spd_work *w;
    struct spd_draft d, old;
    bool exists;
    *ret_may = false;
    TRY(spd_tx_item(tx, row->item, &w));
    TRY(load(tx, row->item, &old, &exists));
    if (!exists || w->item.report_message != row->id) return SPD_OK;
    if (old.state == SPD_DRAFT_ACCEPTED
            ? w->item.report != SPD_REPORT_PRELIMINARY
            : old.state != SPD_DRAFT_OFFERED || w->item.report > SPD_REPORT_NONE)
        return SPD_OK;
    d = old;
    d.state = SPD_DRAFT_ACCEPTED;
    d.by = row->to, d.decided = tx->now, d.final_text = row->payload, d.outbox = row->id;
    TRY(spd_put_draft(tx->st, &d, &old, tx->err));
    spd_life_apply(&w->item, SPD_LIFE_PRELIMINARY);
    w->item.report_message = row->id;
    w->item.report_model = SPD_SV_NONE;
    spd_tx_touch(tx, w, SPD_WHY_ORDER);
    *ret_may = true;
    return SPD_OK;
}

enum spd_rc spd_draft_outcome(struct spd_tx *tx, const struct spd_outbox *row, bool delivered,
                              bool given_up, spd_sv detail)
{
    struct spd_work *w;
    struct spd_draft d, old;
    bool exists;
    TRY(spd_tx_item(tx, row->item, &w));
    TRY(load(tx, row->item, &old, &exists));
    if (w->item.report_message != row->id) return SPD_OK; /* the item moved on: not its report */
    if (delivered) {
        if (spd_sv_is(row->wire, "F") &&
            w->item.report == SPD_REPORT_PRELIMINARY) { /* final_on: ack */
            spd_life_apply(&w->item, SPD_LIFE_FINAL);
            spd_tx_touch(tx, w, SPD_WHY_REPORT);
        } else if (w->item.report == SPD_REPORT_PRELIMINARY) {
            TRY(spd_tx_timer_set(tx, SPD_TIMER_REPORT, w->item.id, SPD_SV_NONE,
                                 tx->now + tx->core->rules->settings.report_timeout));
        }
        TRY(spd_tx_alarm_clear(tx, "report-not-delivered", spd_key_i64(tx->a, row->item)));
        return SPD_OK;
    }
    if (!given_up) { /* before it goes again: did something come in while it was under way? */
        spd_tx_touch(tx, w, SPD_WHY_DELIVERY);
        return SPD_OK;
    }
    if (w->item.report != SPD_REPORT_PRELIMINARY)
        return SPD_OK; /* the RIS has its own word by now */
    spd_life_apply(&w->item, SPD_LIFE_REPORT_LOST);
    w->item.report_model = SPD_SV("lost"); /* shown as the reason report-not-delivered */
    if (exists && old.state == SPD_DRAFT_ACCEPTED) {
        d = old;
        d.state = SPD_DRAFT_FAILED, d.note = detail;
        TRY(spd_put_draft(tx->st, &d, &old, tx->err));
    }
    spd_tx_touch(tx, w, SPD_WHY_DELIVERY);
    return spd_tx_alarm(tx, "report-not-delivered", spd_key_i64(tx->a, row->item),
                        "Een geaccepteerd verslag is niet in het RIS aangekomen; het onderzoek "
                        "staat weer op de lijst.",
                        "An accepted report did not reach the RIS; the item is back on the list.");
}
