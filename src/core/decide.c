/* src/core/decide.c: where an item stands, and why: level, due, reasons, and what follows from
 * them.
 *
 * Rules that hold here (design §6): AI raises, never lowers (3): the level is the most urgent of
 * the order's own and every rule that says yes. Nobody starves (4): past max_wait the item is
 * raised one level; due is never moved later. Cannot tell is not no (11): such a rule shows as a
 * reason. Every level has at least one reason (9). */
#include "core/internal.h"

#include <stdlib.h>

spd_usec spd_item_start(const struct spd_item *item)
{
    if (item->images_complete) return item->images_complete;
    if (item->images_first) return item->images_first;
    return item->exam_done;
}

/* When it was said, by the product's own clock, unless that is ahead or a week behind: then an
 * archive was sent again or the clock is wrong, and receipt is the only time that can be trusted. */
spd_usec spd_result_time(const struct spd_result *r)
{
    spd_usec age = r->at - r->content_at;
    return r->content_at && age >= 0 && age < SPD_HOUR(24 * 7) ? r->content_at : r->at;
}

void spd_facts_of(struct spd_core *core, const struct spd_item *item,
                  const struct spd_result *results, size_t n, spd_usec now, struct spd_facts *f,
                  struct spd_arena *a)
{
    struct spd_fact_result *fr = SPD_NEW_N(a, struct spd_fact_result, n + 1);
    memset(f, 0, sizeof *f);
    f->now = now;
    f->zone = core->rules->zone;
    f->modality = item->modality, f->body_part = item->body_part, f->region = item->region;
    f->location = item->location, f->patient_class = item->patient_class;
    f->sex = item->patient.sex, f->birth_date = item->patient.birth_date;
    f->procedures = item->procedures.v, f->n_procedures = item->procedures.n;
    f->order_priority = (enum spd_priority)item->order_priority;
    f->report = (enum spd_report_axis)item->report;
    f->reading = (enum spd_reading_axis)item->reading;
    f->images = (enum spd_images_axis)item->images;
    f->start = spd_item_start(item);
    for (size_t i = 0; i < n; i++) {
        const struct spd_result *r = &results[i];
        fr[i].model = r->model;
        fr[i].mode = (enum spd_mode)r->mode;
        fr[i].state = (enum spd_ai_state)r->state;
        fr[i].at = spd_result_time(r);
        fr[i].findings = r->findings.v, fr[i].n_findings = r->findings.n;
        fr[i].result_id = r->id;
    }
    f->results = fr, f->n_results = n;
}

static void add_reason(struct spd_tx *tx, struct spd_seq *out, spd_sv rule, spd_sv nl, spd_sv en,
                       int level)
{
    struct spd_reason *r = spd_list_add(out, sizeof *r, tx->a);
    r->rule = rule, r->nl = nl, r->en = en, r->level_no = level;
}

static void order_reason(struct spd_tx *tx, const struct spd_item *item, int level,
                         struct spd_seq *out)
{
    static const char *const nl[SPD_PRIORITY_N] = {
        [SPD_PRIORITY_UNSET] = "Aanvraag zonder prioriteit",
        [SPD_PRIORITY_STAT] = "Aanvraag: direct (stat)",
        [SPD_PRIORITY_ASAP] = "Aanvraag: zo snel mogelijk",
        [SPD_PRIORITY_URGENT] = "Aanvraag: spoed",
        [SPD_PRIORITY_ROUTINE] = "Aanvraag: routine"};
    static const char *const en[SPD_PRIORITY_N] = {
        [SPD_PRIORITY_UNSET] = "Order without a priority",
        [SPD_PRIORITY_STAT] = "Order: stat",
        [SPD_PRIORITY_ASAP] = "Order: as soon as possible",
        [SPD_PRIORITY_URGENT] = "Order: urgent",
        [SPD_PRIORITY_ROUTINE] = "Order: routine"};
    if (item->unmatched) {
        add_reason(tx, out, SPD_SV("unmatched"), SPD_SV("AI-resultaat zonder passende aanvraag"),
                   SPD_SV("AI result that fits no order"), level);
    } else if (item->person_level) {
        add_reason(tx, out, SPD_SV("person"),
                   spd_arena_printf(tx->a, "Door %.*s: %.*s", SPD_SV_ARG(item->person_by),
                                    SPD_SV_ARG(item->person_reason)),
                   spd_arena_printf(tx->a, "By %.*s: %.*s", SPD_SV_ARG(item->person_by),
                                    SPD_SV_ARG(item->person_reason)),
                   level);
    } else {
        int p = item->order_priority > 0 && item->order_priority < SPD_PRIORITY_N
                    ? item->order_priority
                    : 0;
        add_reason(tx, out, SPD_SV("order"), spd_sv_from(nl[p]), spd_sv_from(en[p]), level);
    }
}

static int reason_order(const void *a, const void *b)
{
    const struct spd_reason *x = a, *y = b;
    int lx = x->level_no ? x->level_no : 99, ly = y->level_no ? y->level_no : 99;
    return lx != ly ? (lx > ly) - (lx < ly) : spd_sv_cmp(x->rule, y->rule);
}

/* A result that stands beside the one it contradicts; gone when its sender corrects either. */
static bool contradicted(const struct spd_result *rs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; rs[i].contradicts && k < n; k++)
            if (rs[k].id == rs[i].contradicts) return true;
    return false;
}

/* What a person must look at, whatever the level. */
static void notices(struct spd_tx *tx, const struct spd_item *item, const struct spd_result *rs,
                    size_t n, struct spd_seq *out)
{
    bool old = false;
    for (size_t i = 0; i < n; i++)
        old |= rs[i].queued_old && rs[i].state == SPD_AI_POSITIVE && rs[i].mode == SPD_MODE_LIVE;
    if (old)
        add_reason(tx, out, SPD_SV("too-old-to-page"),
                   SPD_SV("AI-resultaat kwam te laat binnen om nog iemand op te roepen"),
                   SPD_SV("AI result came in too late to page anybody for it"), 0);
    if (item->contradiction)
        add_reason(tx, out, SPD_SV("contradiction"),
                   SPD_SV("Resultaten spreken elkaar tegen; het dringendste telt"),
                   SPD_SV("Results contradict each other; the most urgent counts"), 0);
    if (item->extra_since)
        add_reason(tx, out, SPD_SV("not-in-ris"),
                   SPD_SV("Staat niet op de open lijst van het RIS: controleer"),
                   SPD_SV("Not on the RIS's open list: please check"), 0);
    if (item->ask_person)
        add_reason(tx, out, SPD_SV("patient-changed"),
                   SPD_SV("De aanvraag noemt een andere patiënt: controleer"),
                   SPD_SV("The order names another patient: please check"), 0);
    if (item->discharged)
        add_reason(tx, out, SPD_SV("discharged"), SPD_SV("De patiënt is ontslagen"),
                   SPD_SV("The patient was discharged"), 0);
    if (spd_sv_is(item->report_model, "lost"))
        add_reason(tx, out, SPD_SV("report-not-delivered"),
                   SPD_SV("Verslag niet aangekomen in het RIS: opnieuw nodig"),
                   SPD_SV("The report did not reach the RIS: needed again"), 0);
    for (size_t i = 0; i < item->sent.n; i++)
        if (item->sent.v[i].overruled)
            add_reason(tx, out, SPD_SV("overruled-by-ris"),
                       SPD_SV("Prioriteit door het RIS anders gezet"),
                       SPD_SV("Priority overruled by the RIS"), 0);
}

/* The level without waiting: order (or person), unmatched concept, and every rule that says yes. */
static int rules_level(struct spd_tx *tx, struct spd_work *w, const struct spd_decided *d,
                       struct spd_seq *reasons)
{
    struct spd_item *item = &w->item;
    int levels = spd_policy_levels(tx->core->rules->policy);
    int base = item->unmatched      ? item->level
               : item->person_level ? item->person_level
                                    : d->base_level;
    int level;
    if (base < 1 || base > levels) base = levels;
    item->base_level = item->unmatched ? item->base_level : base;
    order_reason(tx, item, base, reasons);
    level = base;
    for (size_t i = 0; i < d->n_hits; i++) {
        const struct spd_hit *h = &d->hits[i];
        if (h->shadow || h->again) continue; /* one reason per rule, however many places it found */
        if (h->answer == SPD_CANNOT_TELL) {
            add_reason(tx, reasons, h->rule,
                       spd_arena_printf(tx->a, "Regel niet te beoordelen: %.*s (%.*s)",
                                        SPD_SV_ARG(h->title_nl), SPD_SV_ARG(h->unknown_nl)),
                       spd_arena_printf(tx->a, "Rule cannot be evaluated: %.*s (%.*s)",
                                        SPD_SV_ARG(h->title_en), SPD_SV_ARG(h->unknown_en)),
                       0);
        } else if (h->answer == SPD_YES) {
            add_reason(tx, reasons, h->rule, h->title_nl, h->title_en, h->level);
            if (h->level && h->level < level) level = h->level;
        }
    }
    return level;
}

/* Past the limit of its level: one level up; the next raise counts from now (domain §8). */
void spd_raise_waiting(struct spd_tx *tx, struct spd_item *item)
{
    item->wait_level = item->level - 1;
    item->wait_raises++;
    item->raised_at = tx->now;
}

/* due = start + max_wait of the level, never later than it was; the timer that raises past it. */
static enum spd_rc wait_for(struct spd_tx *tx, struct spd_work *w)
{
    struct spd_item *item = &w->item;
    spd_usec start = spd_item_start(item),
             wait = spd_policy_max_wait(tx->core->rules->policy, item->level), at = 0;
    bool waiting = spd_item_listed(item) && start;
    if (waiting && !item->arrived) item->arrived = start;
    if (waiting && wait && (!item->due || start + wait < item->due)) item->due = start + wait;
    if (waiting && item->level > 1 && wait) {
        at = start + wait;
        if (item->raised_at && item->raised_at + wait > at) at = item->raised_at + wait;
        if (at <= tx->now && tx->import) { /* in this event, which has no effect outward */
            spd_raise_waiting(tx, item);
            w->decide = SPD_WHY_TIMER;
            at = 0;
        } else if (at <= tx->now) {
            at = tx->now + 1; /* overdue at birth: raised at once, by the timer */
        }
    }
    return spd_tx_timer_set(tx, SPD_TIMER_WAIT, item->id, SPD_SV_NONE, at);
}

/* One timer per model that is expected to speak about this item, so that lateness is counted once;
 * and one, without a name, for the moment at which a rule's answer may change by time alone. */
static enum spd_rc expect_models(struct spd_tx *tx, struct spd_work *w, const struct spd_facts *f,
                                 spd_usec next)
{
    const struct spd_models *ms = tx->core->rules->models;
    size_t n = spd_models_n(ms), k = 0;
    struct spd_wanted *want = SPD_NEW_N(tx->a, struct spd_wanted, n + 1);
    bool waiting = spd_item_listed(&w->item) && f->start && !w->item.unmatched;
    for (size_t i = 0; i < n && waiting; i++) {
        const struct spd_model *m = spd_models_at(ms, i);
        bool heard = false;
        spd_usec due = f->start + m->expected_within;
        for (size_t r = 0; r < f->n_results && !heard; r++)
            heard = f->results[r].mode != SPD_MODE_SHADOW && spd_sv_eq(f->results[r].model, m->id);
        if (heard || !m->expected_within || due <= tx->now || !spd_model_live(tx, m)) continue;
        if (spd_model_applies(m, f) == SPD_YES) want[k++] = (struct spd_wanted){m->id, due};
    }
    if (next > tx->now) want[k++] = (struct spd_wanted){SPD_SV_NONE, next};
    return spd_tx_timers_sync(tx, SPD_TIMER_AI, w->item.id, want, k);
}

static enum spd_rc record_decision(struct spd_tx *tx, const struct spd_item *item,
                                   const struct spd_result *rs, size_t n, int why)
{
    static const char *const triggers[] = {"",       "order", "result", "study",  "patient",
                                           "report", "timer", "person", "policy", "delivery"};
    struct spd_decision d = {0};
    struct spd_str models = SPD_STR_INIT(4000);
    d.id = spd_tx_id(tx, SPD_T_DECISION);
    d.at = tx->now, d.item = item->id, d.seq = tx->seq;
    d.level = item->level, d.due = item->due;
    d.reasons.v = item->reasons.v, d.reasons.n = item->reasons.n;
    d.policy_hash = item->policy_hash;
    for (size_t i = 0; i < n; i++)
        if (rs[i].model.len)
            spd_str_addf(&models, "%s%.*s %.*s", models.len ? ", " : "", SPD_SV_ARG(rs[i].model),
                         SPD_SV_ARG(rs[i].version));
    d.models = spd_arena_dup(tx->a, spd_str_sv(&models));
    spd_str_done(&models);
    d.trigger = spd_sv_from(triggers[why]);
    return spd_put_decision(tx->st, &d, NULL, tx->err);
}

static bool reasons_equal(const struct spd_item *a, const struct spd_item *b)
{
    if (a->reasons.n != b->reasons.n) return false;
    for (size_t i = 0; i < a->reasons.n; i++)
        if (!spd_desc_equal(&spd_reason_desc, &a->reasons.v[i], &b->reasons.v[i])) return false;
    return true;
}

/* What already held when the item was imported pages nobody, then or later (domain §11): a rule
 * that goes by no result, and whose reason stood before. */
static bool held_at_import(const struct spd_item *item, const struct spd_item *before,
                           const struct spd_hit *h)
{
    if (!item->imported || h->result) return false;
    for (size_t i = 0; i < before->reasons.n; i++)
        if (spd_sv_eq(before->reasons.v[i].rule, h->rule) &&
            spd_sv_eq(before->reasons.v[i].nl, h->title_nl)) /* said yes, not "cannot tell" */
            return true;
    return false;
}

/* Positive results of rules with alerts; after a final report a discrepancy instead of a page
 * (domain §7). */
static enum spd_rc alerts(struct spd_tx *tx, struct spd_work *w, const struct spd_item *before,
                          const struct spd_decided *d, const struct spd_result *rs, size_t n_rs)
{
    struct spd_alert_seed *seeds = NULL;
    bool final = w->item.report == SPD_REPORT_FINAL || w->item.report == SPD_REPORT_AMENDED;
    if (w->item.unmatched || tx->import) return SPD_OK;
    for (size_t i = 0; i < d->n_hits; i++) {
        const struct spd_hit *h = &d->hits[i];
        if (h->answer != SPD_YES || h->shadow || !h->n_steps) continue;
        if (held_at_import(&w->item, before, h)) continue;
        if (final && h->result) {
            struct spd_discrepancy x = {0}, had;
            int64_t *ids;
            size_t n;
            bool known = false;
            TRY(spd_tx_find(tx, SPD_KEY_DISCREPANCY_ITEM, spd_key_i64(tx->a, w->item.id), &ids,
                            &n));
            for (size_t k = 0; k < n && !known; k++) {
                TRY(spd_get_discrepancy(tx->st, ids[k], &had, tx->a, tx->err));
                known = had.result == h->result->result_id &&
                        spd_sv_eq(had.concept, h->finding ? h->finding->concept : SPD_SV_NONE);
            }
            if (known) continue;
            struct spd_alert al; /* an open one goes on, with "report available", and a person
                                    compares; a closed one is known */
            enum spd_rc rc = spd_alert_known(tx, w, h, &al);
            if (rc && rc != SPD_NOTFOUND) return rc;
            if (!rc && !spd_alert_open((enum spd_alert_state)al.state)) continue;
            x.id = spd_tx_id(tx, SPD_T_DISCREPANCY);
            x.at = tx->now, x.item = w->item.id, x.result = h->result->result_id;
            x.why = rc ? SPD_SV("positive-after-final") : SPD_SV("final-with-open-alert");
            x.concept = h->finding ? h->finding->concept : SPD_SV_NONE;
            TRY(spd_put_discrepancy(tx->st, &x, NULL, tx->err));
        } else if (!final) {
            TRY(spd_alert_ensure(tx, w, h, rs, n_rs, &seeds));
        }
    }
    return spd_alert_flush_seeds(tx, w, seeds);
}

enum spd_rc spd_decide(struct spd_tx *tx, struct spd_work *w, int why)
{
    struct spd_item *item = &w->item;
    struct spd_result *rs;
    size_t n;
    struct spd_facts f;
    struct spd_decided d;
    struct spd_seq reasons = {NULL, 0};
    struct spd_item before = *item;
    int level;
    if (w->insert) TRY(spd_tx_flush_item(tx, w));
    TRY(spd_results_of_item(tx, item->id, &rs, &n));
    item->contradiction = contradicted(rs, n);
    spd_facts_of(tx->core, item, rs, n, tx->now, &f, tx->a);
    spd_policy_eval(tx->core->rules->policy, &f, tx->a, &d);
    level = rules_level(tx, w, &d, &reasons);
    if (item->wait_level && item->wait_level < level) {
        level = item->wait_level;
        add_reason(tx, &reasons, SPD_SV("max_wait"),
                   SPD_SV("Wacht langer dan de bovengrens van het niveau"),
                   SPD_SV("Waiting longer than the limit of its level"), level);
    }
    notices(tx, item, rs, n, &reasons);
    qsort(reasons.v, reasons.n, sizeof(struct spd_reason), reason_order);
    item->reasons.v = reasons.v, item->reasons.n = reasons.n;
    if (item->level != level) item->level_since = tx->now;
    item->level = level;
    item->policy_hash = spd_policy_hash(tx->core->rules->policy);
    w->changed = true;
    TRY(wait_for(tx, w));
    TRY(expect_models(tx, w, &f, d.next));
    if (before.level != item->level || before.due != item->due || !reasons_equal(&before, item) ||
        !spd_sv_eq(before.policy_hash, item->policy_hash))
        TRY(record_decision(tx, item, rs, n, why));
    TRY(spd_alerts_review(tx, item->id, rs, n));
    TRY(alerts(tx, w, &before, &d, rs, n));
    TRY(spd_draft_consider(tx, w, &f, rs, n, why));
    return spd_priority_out(tx, w);
}
