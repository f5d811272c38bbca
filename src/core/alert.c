/* src/core/alert.c: a page and its life until a named person has acknowledged it (domain §3, §7).
 *
 * One page sequence per (patient, study, concept, site, laterality): further models, re-runs and
 * linked items join as evidence; a new sequence only for a higher level or after a withdrawal, by a
 * new result. Steps are frozen in the alert: a policy edit changes no alert in flight. After the
 * last step its receivers are paged again every `repeat`, for ever, and an alarm stands: only a
 * person ends it. */
#include "core/alert.h"

#include <stdlib.h>

bool spd_alert_set(struct spd_alert *al, enum spd_alert_input in)
{
    bool legal;
    enum spd_alert_state next = spd_alert_next((enum spd_alert_state)al->state, in, &legal);
    if (legal) al->state = (int32_t)next;
    return legal;
}

enum spd_rc spd_alert_save(struct spd_tx *tx, const struct spd_alert *al,
                           const struct spd_alert *old)
{
    if (old && spd_desc_equal(&spd_alert_desc, al, old)) return SPD_OK;
    TRY(spd_alert_tell(tx, al, old));
    int64_t *ids;
    size_t n;
    spd_tx_note(tx, "alert", al->id, al->item);
    spd_tx_dirty(tx, al->item);
    if (al->study_uid.len) { /* it shows on every item of its study */
        TRY(spd_tx_find(tx, SPD_KEY_ITEM_STUDY, al->study_uid, &ids, &n));
        for (size_t i = 0; i < n; i++)
            spd_tx_dirty(tx, ids[i]);
    }
    return spd_put_alert(tx->st, al, old, tx->err);
}

/* Pages what is due and says when the next step is. The caller saves. */
enum spd_rc spd_alert_advance(struct spd_tx *tx, struct spd_alert *al)
{
    struct spd_work *w;
    size_t next;
    bool paged = false, first = al->step < 0;
    TRY(spd_tx_item(tx, al->item, &w));
    for (next = (size_t)(al->step + 1); next < al->steps.n; next++) {
        const struct spd_step *s = &al->steps.v[next];
        if (al->started + s->after > tx->now) break;
        if (s->if_unread && spd_item_is_read(&w->item))
            continue; /* read meanwhile: this step is not needed */
        spd_alert_set(al, first ? SPD_ALERT_IN_TICK : SPD_ALERT_IN_DEADLINE);
        TRY(spd_page_step(tx, al, &w->item, next, false));
        al->step = (int64_t)next;
        paged = true;
    }
    if (next < al->steps.n) {
        al->due = al->started + al->steps.v[next].after;
    } else {
        if (!paged &&
            al->step >= 0) { /* nobody answered: again, to the whole last team, and an alarm */
            al->rounds++;
            spd_alert_set(al, SPD_ALERT_IN_EXHAUST);
            TRY(spd_page_step(tx, al, &w->item, (size_t)al->step, true));
            if (al->handed_to.len) {
                struct spd_paging p = {al, spd_alert_site_text(tx, al), al->handed_to, al->step,
                                       SPD_PAGE_ALERT};
                size_t reached;
                TRY(spd_page_team(tx, &p, false, 0, &reached));
            }
            TRY(spd_tx_alarm(tx, "alert-exhausted", spd_key_i64(tx->a, al->id),
                             "Een melding is door niemand bevestigd; er wordt verder opgeroepen.",
                             "An alert has been acknowledged by nobody; paging goes on."));
        }
        al->due = tx->now + (al->repeat ? al->repeat : spd_policy_repeat(tx->core->rules->policy));
    }
    return spd_tx_timer_set(tx, SPD_TIMER_ALERT, al->id, SPD_SV_NONE, al->due);
}

enum spd_rc spd_alert_timer(struct spd_tx *tx, int64_t alert)
{
    struct spd_alert al, old;
    TRY(spd_get_alert(tx->st, alert, &old, tx->a, tx->err));
    if (!spd_alert_open((enum spd_alert_state)old.state)) return SPD_OK;
    al = old;
    TRY(spd_alert_advance(tx, &al));
    return spd_alert_save(tx, &al, &old);
}

/* ---- making ------------------------------------------------------------------------------------
 */
static spd_sv sequence_of(struct spd_tx *tx, const struct spd_item *item, spd_sv study,
                          const struct spd_finding *f, spd_sv rule, spd_sv *ret_patient)
{
    const struct spd_cx *id = item->patient.ids.n ? &item->patient.ids.v[0] : NULL;
    /* The hospital's own number, whichever came first: orders of one study name them in different
     * order. */
    for (size_t i = 0; i < item->patient.ids.n; i++)
        if (spd_sv_eq(item->patient.ids.v[i].authority,
                      tx->core->rules->settings.patient_authority)) {
            id = &item->patient.ids.v[i];
            break;
        }
    *ret_patient = id ? spd_key_cx(tx->a, id) : SPD_SV_NONE;
    return spd_arena_printf(tx->a, "%.*s|%.*s|%.*s|%.*s|%.*s", SPD_SV_ARG(*ret_patient),
                            SPD_SV_ARG(study), SPD_SV_ARG(f ? f->concept : rule),
                            SPD_SV_ARG(f ? f->site : SPD_SV_NONE),
                            SPD_SV_ARG(f ? f->laterality : SPD_SV_NONE));
}

static bool part_of(const struct spd_alert *al, int64_t result)
{
    return al->result == result || spd_list_has_i64(al->evidence.v, al->evidence.n, result);
}

/* Made by a result that fitted no order: it paged the radiologist only. */
static bool was_unmatched(const struct spd_alert *al)
{
    return spd_sv_is(al->rule, "unmatched");
}

/* The alert of this sequence that the results join; NOTFOUND: a new one is due. EXISTS: withdrawn,
 * and all of these results were part of it: nothing to do. */
static enum spd_rc standing(struct spd_tx *tx, spd_sv sequence, int level, const int64_t *results,
                            size_t n_results, struct spd_alert *ret)
{
    int64_t *ids;
    size_t n;
    struct spd_seq told = {NULL, 0}; /* results of withdrawn alerts */
    bool stands = false, all_told = true;
    TRY(spd_tx_find(tx, SPD_KEY_ALERT_SEQUENCE, sequence, &ids, &n));
    for (size_t i = 0; i < n;
         i++) { /* the most urgent that was not withdrawn stands for the sequence */
        struct spd_alert al;
        TRY(spd_get_alert(tx->st, ids[i], &al, tx->a, tx->err));
        if (al.state != SPD_ALERT_WITHDRAWN) {
            if (!stands || al.level < ret->level ||
                (al.level == ret->level &&
                 (was_unmatched(ret) || spd_alert_open((enum spd_alert_state)al.state))))
                *ret = al;
            stands = true;
            continue;
        }
        *(int64_t *)spd_list_add(&told, sizeof(int64_t), tx->a) = al.result;
        for (size_t k = 0; k < al.evidence.n; k++)
            *(int64_t *)spd_list_add(&told, sizeof(int64_t), tx->a) = al.evidence.v[k];
    }
    if (stands) return level && ret->level && level < ret->level ? SPD_NOTFOUND : SPD_OK;
    for (size_t i = 0; i < n_results; i++)
        all_told &= spd_list_has_i64(told.v, told.n, results[i]);
    return n && all_told ? SPD_EXISTS : SPD_NOTFOUND;
}

static void add_step(struct spd_tx *tx, struct spd_alert *al, const struct spd_step *step)
{
    for (size_t k = 0; k < al->steps.n; k++)
        if (spd_sv_eq(al->steps.v[k].to, step->to) && al->steps.v[k].after == step->after) return;
    *SPD_LIST_PUSH(&al->steps, tx->a) = *step;
}

/* Whom a rule pages about this item. Who has left the house is cared for by whoever asked for the
 * study, and by the desk, no longer at the bedside (domain §7). */
static void add_steps(struct spd_tx *tx, struct spd_alert *al, const struct spd_item *item,
                      const struct spd_hit *h)
{
    const struct spd_people *people = tx->core->rules->people;
    struct spd_step home[2] = {{.to = spd_people_requester(people, item->requester)},
                               {.to = spd_people_desk(people)}};
    bool gone = item->discharged && (home[0].to.len || home[1].to.len);
    for (size_t i = 0; i < h->n_steps; i++)
        if (!gone || !spd_people_at_bedside(people, h->steps[i].to))
            add_step(tx, al, &h->steps[i]);
    for (size_t i = 0; gone && i < 2; i++)
        if (home[i].to.len) add_step(tx, al, &home[i]);
}

static int step_order(const void *a, const void *b)
{
    const struct spd_step *x = a, *y = b;
    return x->after != y->after ? (x->after > y->after) - (x->after < y->after)
                                : spd_sv_cmp(x->to, y->to);
}

/* The hit's own result first, then every other live one that says the same of the same place. */
static size_t supporters(struct spd_tx *tx, const struct spd_hit *h, const struct spd_result *rs,
                         size_t n, int64_t **ret)
{
    int64_t *ids = *ret = SPD_NEW_N(tx->a, int64_t, n + 1);
    size_t k = 0;
    if (h->result) ids[k++] = h->result->result_id;
    for (size_t i = 0; h->finding && i < n; i++)
        for (size_t f = 0; f < rs[i].findings.n; f++) {
            const struct spd_finding *x = &rs[i].findings.v[f];
            if (rs[i].mode == SPD_MODE_LIVE && x->present == SPD_PRESENT_YES &&
                spd_sv_eq(x->concept, h->finding->concept) &&
                spd_sv_eq(x->site, h->finding->site) &&
                spd_sv_eq(x->laterality, h->finding->laterality) &&
                !spd_list_has_i64(ids, k, rs[i].id))
                ids[k++] = rs[i].id;
        }
    return k;
}

enum spd_rc spd_alert_ensure(struct spd_tx *tx, struct spd_work *w, const struct spd_hit *h,
                             const struct spd_result *rs, size_t n, struct spd_alert_seed **seeds)
{
    struct spd_result r = {0};
    struct spd_alert_seed *s;
    spd_sv patient, sequence;
    int64_t *results;
    size_t n_results = supporters(tx, h, rs, n, &results);
    enum spd_rc rc;
    if (n_results) TRY(spd_get_result(tx->st, results[0], &r, tx->a, tx->err));
    if (h->result && tx->now - h->result->at > spd_policy_ai_age(tx->core->rules->policy))
        return SPD_OK; /* too old to page anybody */
    if (h->result && r.id < w->item.import_mark)
        return SPD_OK; /* here before the order was imported: that has no effect outward */
    sequence = sequence_of(tx, &w->item, r.study_uid, h->finding, h->rule, &patient);
    for (s = *seeds; s; s = s->next)
        if (spd_sv_eq(s->alert.sequence, sequence)) { /* a second rule of the same decision */
            if (s->fresh) add_steps(tx, &s->alert, &w->item, h);
            return SPD_OK;
        }
    s = SPD_NEW(tx->a, struct spd_alert_seed);
    rc = standing(tx, sequence, h->level, results, n_results, &s->old);
    if (rc == SPD_EXISTS) return SPD_OK;
    /* The patient is known now: the rule's own people are paged as well, in the same sequence while
     * that goes on. */
    if (rc == SPD_OK && was_unmatched(&s->old) &&
        !spd_alert_open((enum spd_alert_state)s->old.state))
        rc = SPD_NOTFOUND;
    if (rc == SPD_OK) {
        s->alert = s->old;
        if (was_unmatched(&s->old)) {
            s->fresh = true;
            s->alert.rule = h->rule, s->alert.repeat = h->repeat;
            add_steps(tx, &s->alert, &w->item, h);
        } else if (w->moved && spd_alert_open((enum spd_alert_state)s->old.state)) {
            s->fresh = true; /* who was paged stays paged; who is next depends on the new place */
            SPD_LIST_OWN(&s->alert.steps, tx->a);
            s->alert.steps.n = (size_t)(s->alert.step + 1);
            add_steps(tx, &s->alert, &w->item, h);
        }
    } else if (rc == SPD_NOTFOUND) {
        s->insert = s->fresh = true;
        s->alert.id = spd_tx_id(tx, SPD_T_ALERT);
        s->alert.at = s->alert.started = tx->now;
        s->alert.item = w->item.id, s->alert.result = n_results ? results[0] : 0;
        s->alert.sequence = sequence, s->alert.patient_key = patient,
        s->alert.study_uid = r.study_uid;
        if (h->finding)
        s->alert.concept = h->finding->concept, s->alert.site = h->finding->site,
        s->alert.laterality = h->finding->laterality;
        s->alert.level = h->level ? h->level : w->item.level;
        s->alert.rule = h->rule, s->alert.state = SPD_ALERT_DUE, s->alert.step = -1,
        s->alert.repeat = h->repeat;
        add_steps(tx, &s->alert, &w->item, h);
    } else {
        return rc;
    }
    for (size_t i = 0; i < n_results; i++)
        if (!part_of(&s->alert, results[i])) *SPD_LIST_PUSH(&s->alert.evidence, tx->a) = results[i];
    s->next = *seeds;
    *seeds = s;
    return SPD_OK;
}

enum spd_rc spd_alert_known(struct spd_tx *tx, struct spd_work *w, const struct spd_hit *h,
                            struct spd_alert *ret)
{
    struct spd_result r = {0};
    spd_sv patient;
    int64_t *ids;
    size_t n;
    if (h->result) TRY(spd_get_result(tx->st, h->result->result_id, &r, tx->a, tx->err));
    TRY(spd_tx_find(tx, SPD_KEY_ALERT_SEQUENCE,
                    sequence_of(tx, &w->item, r.study_uid, h->finding, h->rule, &patient), &ids,
                    &n));
    for (size_t i = 0; i < n; i++) {
        TRY(spd_get_alert(tx->st, ids[i], ret, tx->a, tx->err));
        if (spd_alert_open((enum spd_alert_state)ret->state)) break;
    }
    return n ? SPD_OK : SPD_NOTFOUND;
}

enum spd_rc spd_alert_flush_seeds(struct spd_tx *tx, struct spd_work *w,
                                  struct spd_alert_seed *seeds)
{
    (void)w;
    for (struct spd_alert_seed *s = seeds; s; s = s->next) {
        if (s->fresh) {
            size_t paged = (size_t)(s->alert.step + 1); /* those stay where they are */
            qsort(s->alert.steps.v + paged, s->alert.steps.n - paged, sizeof *s->alert.steps.v,
                  step_order);
            TRY(spd_alert_advance(tx, &s->alert));
        }
        TRY(spd_alert_save(tx, &s->alert, s->insert ? NULL : &s->old));
    }
    return SPD_OK;
}

enum spd_rc spd_alert_unmatched(struct spd_tx *tx, struct spd_work *w, const struct spd_parked *p,
                                const struct spd_result *r)
{
    struct spd_alert al = {0}, had;
    struct spd_step step = {0};
    const struct spd_finding *f = NULL;
    enum spd_rc rc;
    for (size_t i = 0; i < r->findings.n && !f; i++) {
        const struct spd_concept *c = spd_codes_concept(tx->core->codes, r->findings.v[i].concept);
        if (r->findings.v[i].present == SPD_PRESENT_YES && c && c->alert) f = &r->findings.v[i];
    }
    al.sequence = sequence_of(tx, &w->item, r->study_uid, f, SPD_SV("unmatched"), &al.patient_key);
    rc = standing(tx, al.sequence, p->level, &r->id, 1, &had);
    if (rc != SPD_NOTFOUND)
        return rc == SPD_EXISTS ? SPD_OK : rc; /* somebody is being paged for this already */
    al.id = spd_tx_id(tx, SPD_T_ALERT);
    al.at = al.started = tx->now;
    al.item = w->item.id, al.result = r->id, al.study_uid = r->study_uid;
    if (f) al.concept = f->concept, al.site = f->site, al.laterality = f->laterality;
    al.level = p->level, al.rule = SPD_SV("unmatched"), al.state = SPD_ALERT_DUE, al.step = -1,
    al.unmatched = 1;
    step.to = spd_policy_unmatched_team(tx->core->rules->policy);
    *SPD_LIST_PUSH(&al.steps, tx->a) = step;
    TRY(spd_alert_advance(tx, &al));
    return spd_alert_save(tx, &al, NULL);
}

/* ---- ending -------------------------------------------------------------------------------------
 */
enum spd_rc spd_alert_stop(struct spd_tx *tx, struct spd_alert *al)
{
    int64_t *ids;
    size_t n;
    al->due = 0;
    TRY(spd_tx_timer_clear(tx, SPD_TIMER_ALERT, al->id, SPD_SV_NONE));
    TRY(spd_tx_alarm_clear(tx, "alert-exhausted", spd_key_i64(tx->a, al->id)));
    TRY(spd_tx_find(tx, SPD_KEY_PAGE_ALERT, spd_key_i64(tx->a, al->id), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_page p;
        TRY(spd_get_page(tx->st, ids[i], &p, tx->a, tx->err));
        if (p.kind == SPD_PAGE_ALERT && p.outbox && !p.done_at)
            TRY(spd_outbox_cancel(tx, p.outbox));
    }
    return SPD_OK;
}

/* Everyone who was paged learns that it changed, by the same ways, once each (design rule 8). */
static enum spd_rc tell_paged(struct spd_tx *tx, const struct spd_alert *al, const char *nl,
                              const char *en)
{
    int64_t *ids;
    size_t n, ways;
    struct spd_seq told = {NULL, 0};
    bool dutch = !spd_sv_is(tx->core->rules->settings.language, "en");
    struct spd_paging p = {al, SPD_SV_NONE, SPD_SV_NONE, al->step, SPD_PAGE_CORRECTION};
    p.text =
        dutch ? spd_arena_printf(tx->a, "CORRECTIE bij melding %lld (%.*s): %s", (long long)al->id,
                                 SPD_SV_ARG(spd_concept_name(tx, al->concept, true)), nl)
              : spd_arena_printf(tx->a, "CORRECTION of alert %lld (%.*s): %s", (long long)al->id,
                                 SPD_SV_ARG(spd_concept_name(tx, al->concept, false)), en);
    TRY(spd_tx_find(tx, SPD_KEY_PAGE_ALERT, spd_key_i64(tx->a, al->id), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_page had;
        TRY(spd_get_page(tx->st, ids[i], &had, tx->a, tx->err));
        if (had.kind != SPD_PAGE_ALERT || spd_list_has_text(told.v, told.n, had.person)) continue;
        *(spd_sv *)spd_list_add(&told, sizeof(spd_sv), tx->a) = had.person;
        TRY(spd_page_person(tx, &p, had.person, &ways));
    }
    return SPD_OK;
}

static enum spd_rc withdraw(struct spd_tx *tx, int64_t id, const char *nl, const char *en)
{
    struct spd_alert al, old;
    TRY(spd_get_alert(tx->st, id, &old, tx->a, tx->err));
    if (old.state == SPD_ALERT_WITHDRAWN || old.state == SPD_ALERT_RESOLVED) return SPD_OK;
    al = old;
    spd_alert_set(&al, SPD_ALERT_IN_WITHDRAW);
    al.closed = tx->now;
    al.closed_reason = spd_sv_from(spd_sv_is(tx->core->rules->settings.language, "en") ? en : nl);
    TRY(spd_alert_stop(tx, &al));
    TRY(tell_paged(tx, &al, nl, en));
    return spd_alert_save(tx, &al, &old);
}

enum spd_rc spd_alerts_withdraw(struct spd_tx *tx, int64_t item, spd_sv concept, spd_sv study,
                                const char *nl, const char *en)
{
    int64_t *ids;
    size_t n;
    TRY(spd_tx_find(tx, SPD_KEY_ALERT_ITEM, spd_key_i64(tx->a, item), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_alert al;
        TRY(spd_get_alert(tx->st, ids[i], &al, tx->a, tx->err));
        if (study.len && !spd_sv_eq(al.study_uid, study)) continue;
        if (!concept.len || spd_sv_eq(al.concept, concept)) TRY(withdraw(tx, ids[i], nl, en));
    }
    return SPD_OK;
}

/* As withdraw, because its results belong to somebody else: they may page again for whom they turn
 * out to belong to, so the sequence ends with the alert. */
enum spd_rc spd_alerts_detach(struct spd_tx *tx, int64_t item, const char *nl, const char *en)
{
    int64_t *ids;
    size_t n;
    TRY(spd_alerts_withdraw(tx, item, SPD_SV_NONE, SPD_SV_NONE, nl, en));
    TRY(spd_tx_find(tx, SPD_KEY_ALERT_ITEM, spd_key_i64(tx->a, item), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_alert al, old;
        TRY(spd_get_alert(tx->st, ids[i], &old, tx->a, tx->err));
        al = old;
        al.sequence = SPD_SV_NONE;
        TRY(spd_alert_save(tx, &al, &old));
    }
    return SPD_OK;
}

static bool places(const struct spd_result *r, const struct spd_alert *al)
{
    for (size_t k = 0; k < r->findings.n; k++) {
        const struct spd_finding *f = &r->findings.v[k];
        if (f->present == SPD_PRESENT_YES && spd_sv_eq(f->concept, al->concept) &&
            spd_sv_eq(f->site, al->site) && spd_sv_eq(f->laterality, al->laterality))
            return true;
    }
    return false;
}

static bool stands_without(const struct spd_alert *al, const struct spd_result *rs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (part_of(al, rs[i].id) && places(&rs[i], al)) return true;
    return false;
}

enum spd_rc spd_alerts_detach_of(struct spd_tx *tx, struct spd_work *w, int64_t result,
                                 int64_t other, const char *nl, const char *en)
{
    struct spd_result *rs;
    int64_t *ids;
    size_t n_rs, n;
    TRY(spd_results_of_item(tx, w->item.id, &rs, &n_rs)); /* without it, by now */
    TRY(spd_tx_find(tx, SPD_KEY_ALERT_ITEM, spd_key_i64(tx->a, w->item.id), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_alert al, old;
        TRY(spd_get_alert(tx->st, ids[i], &old, tx->a, tx->err));
        if (!part_of(&old, result) || stands_without(&old, rs, n_rs)) continue;
        if (other && old.result == result) {
            al = old;
            al.item = other;
            TRY(spd_alert_save(tx, &al, &old));
            spd_tx_dirty(tx, w->item.id);
            continue;
        }
        TRY(withdraw(tx, ids[i], nl, en));
        TRY(spd_get_alert(tx->st, ids[i], &old, tx->a, tx->err));
        al = old;
        al.sequence = SPD_SV_NONE; /* it may page again for whom it turns out to be of */
        TRY(spd_alert_save(tx, &al, &old));
    }
    return SPD_OK;
}

static bool supported(const struct spd_alert *al, const struct spd_result *rs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < rs[i].findings.n; k++)
            if (rs[i].findings.v[k].present == SPD_PRESENT_YES &&
                spd_sv_eq(rs[i].findings.v[k].concept, al->concept))
                return true;
    return false;
}

enum spd_rc spd_alerts_review(struct spd_tx *tx, int64_t item, const struct spd_result *rs,
                              size_t n)
{
    int64_t *ids;
    size_t n_ids;
    TRY(spd_tx_find(tx, SPD_KEY_ALERT_ITEM, spd_key_i64(tx->a, item), &ids, &n_ids));
    for (size_t i = 0; i < n_ids; i++) {
        struct spd_alert al;
        struct spd_result cause;
        TRY(spd_get_alert(tx->st, ids[i], &al, tx->a, tx->err));
        if (!al.concept.len || !al.result || al.state == SPD_ALERT_WITHDRAWN ||
            al.state == SPD_ALERT_RESOLVED)
            continue;
        if (supported(&al, rs, n)) continue;
        if (spd_get_result(tx->st, al.result, &cause, tx->a, NULL) == SPD_OK &&
            !cause.superseded_by)
            continue;
        TRY(withdraw(tx, ids[i], "Het AI-resultaat is gecorrigeerd: geen bevinding meer.",
                     "The AI result was corrected: no finding any more."));
    }
    return SPD_OK;
}

/* The alert of an unmatched row becomes one of a known patient, under that item's own sequence.
 * When somebody is being paged for that sequence already, it joins: one page sequence, never two.
 */
static enum spd_rc rename_sequence(struct spd_tx *tx, struct spd_alert *al, int64_t to)
{
    struct spd_work *w;
    struct spd_finding f = {0};
    struct spd_alert had, joined;
    enum spd_rc rc;
    TRY(spd_tx_item(tx, to, &w));
    f.concept = al->concept, f.site = al->site, f.laterality = al->laterality;
    al->sequence = sequence_of(tx, &w->item, al->study_uid, al->concept.len ? &f : NULL, al->rule,
                               &al->patient_key);
    al->unmatched = 0;
    rc = standing(tx, al->sequence, al->level, &al->result, 1, &had);
    if (rc == SPD_NOTFOUND || rc == SPD_EXISTS || had.id == al->id) return SPD_OK;
    if (rc) return rc;
    joined = had;
    if (!part_of(&joined, al->result)) *SPD_LIST_PUSH(&joined.evidence, tx->a) = al->result;
    TRY(spd_alert_save(tx, &joined, &had));
    if (!spd_alert_open((enum spd_alert_state)al->state)) return SPD_OK;
    spd_alert_set(al, SPD_ALERT_IN_RESOLVE);
    al->resolved_at = al->closed = tx->now;
    al->closed_reason = spd_arena_printf(tx->a, "alert %lld", (long long)had.id);
    return spd_alert_stop(tx, al);
}

/* Two alerts of one finding, of two numbers that are one patient now: the other goes on, this one
 * is part of it. Its sequence ends, so that it may page again when they are two patients once more.
 */
static enum spd_rc join(struct spd_tx *tx, struct spd_alert *al, const struct spd_alert *had)
{
    struct spd_alert more = *had;
    if (!part_of(&more, al->result)) *SPD_LIST_PUSH(&more.evidence, tx->a) = al->result;
    for (size_t i = 0; i < al->evidence.n; i++)
        if (!part_of(&more, al->evidence.v[i]))
            *SPD_LIST_PUSH(&more.evidence, tx->a) = al->evidence.v[i];
    TRY(spd_alert_save(tx, &more, had));
    spd_alert_set(al, SPD_ALERT_IN_RESOLVE);
    al->resolved_at = al->closed = tx->now;
    al->closed_reason = spd_arena_printf(tx->a, "alert %lld", (long long)had->id);
    al->sequence = SPD_SV_NONE;
    return spd_alert_stop(tx, al);
}

enum spd_rc spd_alerts_rename(struct spd_tx *tx, struct spd_work *w)
{
    int64_t *ids;
    size_t n;
    TRY(spd_tx_find(tx, SPD_KEY_ALERT_ITEM, spd_key_i64(tx->a, w->item.id), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_alert al, old, had;
        struct spd_finding f = {0};
        enum spd_rc rc = spd_get_alert(tx->st, ids[i], &old, tx->a, tx->err);
        if (rc) return rc;
        if (!old.sequence.len) continue;
        al = old;
        f.concept = al.concept, f.site = al.site, f.laterality = al.laterality;
        al.sequence = sequence_of(tx, &w->item, al.study_uid, al.concept.len ? &f : NULL, al.rule,
                                  &al.patient_key);
        if (spd_sv_eq(al.sequence, old.sequence)) continue;
        rc = standing(tx, al.sequence, al.level, &al.result, 1, &had);
        if (rc && rc != SPD_NOTFOUND && rc != SPD_EXISTS) return rc;
        if (!rc && had.id != al.id && spd_alert_open((enum spd_alert_state)al.state))
            TRY(join(tx, &al, &had));
        TRY(spd_alert_save(tx, &al, &old));
    }
    return SPD_OK;
}

enum spd_rc spd_alerts_move_of(struct spd_tx *tx, int64_t from, int64_t to, int64_t result)
{
    int64_t *ids;
    size_t n;
    TRY(spd_tx_find(tx, SPD_KEY_ALERT_ITEM, spd_key_i64(tx->a, from), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_alert al, old;
        TRY(spd_get_alert(tx->st, ids[i], &old, tx->a, tx->err));
        if (result && !part_of(&old, result)) continue;
        al = old;
        al.item = to;
        if (al.unmatched) TRY(rename_sequence(tx, &al, to));
        TRY(spd_alert_save(tx, &al, &old));
        spd_tx_dirty(tx, from);
    }
    return SPD_OK;
}

enum spd_rc spd_alerts_move(struct spd_tx *tx, int64_t from, int64_t to)
{
    return spd_alerts_move_of(tx, from, to, 0);
}
