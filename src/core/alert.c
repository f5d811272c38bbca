/* src/core/alert.c: a page and its life until a named person has acknowledged it (domain §3, §7).
 *
 * One page sequence per (patient, study, concept, site, laterality): further models, re-runs and linked
 * items join as evidence; a new sequence only for a higher level or after a withdrawal, by a new result.
 * Steps are frozen in the alert: a policy edit changes no alert in flight. After the last step its
 * receivers are paged again every `repeat`, for ever, and an alarm stands: only a person ends it. */
#include "core/internal.h"

#include <stdlib.h>

#include "base/hash.h"
#include "queue/alert_state.h"

static bool set_state(struct spd_alert *al, enum spd_alert_input in)
{
    bool legal;
    enum spd_alert_state next = spd_alert_next((enum spd_alert_state)al->state, in, &legal);
    if (legal) al->state = (int32_t)next;
    return legal;
}

static enum spd_rc save(struct spd_tx *tx, const struct spd_alert *al, const struct spd_alert *old)
{
    if (old && spd_desc_equal(&spd_alert_desc, al, old)) return SPD_OK;
    int64_t *ids;
    size_t n;
    spd_tx_note(tx, "alert", al->id, al->item);
    spd_tx_dirty(tx, al->item);
    if (al->study_uid.len) { /* it shows on every item of its study */
        TRY(spd_tx_find(tx, SPD_KEY_ITEM_STUDY, al->study_uid, &ids, &n));
        for (size_t i = 0; i < n; i++) spd_tx_dirty(tx, ids[i]);
    }
    return spd_put_alert(tx->st, al, old, tx->err);
}

/* ---- texts: no patient data (design rule 13) ------------------------------------------------- */
static spd_sv concept_name(struct spd_tx *tx, spd_sv concept, bool dutch)
{
    const struct spd_concept *c = concept.len ? spd_codes_concept(tx->core->codes, concept) : NULL;
    if (!c) return concept.len ? concept : dutch ? SPD_SV("bevinding") : SPD_SV("finding");
    return dutch ? c->nl : c->en;
}

static spd_sv alert_text(struct spd_tx *tx, const struct spd_alert *al, const struct spd_item *item, bool dutch)
{
    spd_sv level = spd_policy_level_name(tx->core->rules->policy, al->level);
    spd_sv what = concept_name(tx, al->concept, dutch);
    bool read = al->radiologist_read != 0;
    spd_sv end = al->report_available ? (dutch ? SPD_SV(" Verslag beschikbaar.") : SPD_SV(" Report available.")) : SPD_SV_NONE;
    if (al->unmatched)
        return dutch ? spd_arena_printf(tx->a, "%.*s: AI-vermoeden %.*s zonder passende aanvraag (unmatched). Zoek de patiënt bij dit resultaat.", SPD_SV_ARG(level), SPD_SV_ARG(what))
                     : spd_arena_printf(tx->a, "%.*s: AI suspects %.*s, fits no order (unmatched). Find the patient of this result.", SPD_SV_ARG(level), SPD_SV_ARG(what));
    if (!al->concept.len)
        return dutch ? spd_arena_printf(tx->a, "%.*s: %.*s %.*s, %.*s. Open de melding.%.*s", SPD_SV_ARG(level), SPD_SV_ARG(item->modality), SPD_SV_ARG(item->body_part), SPD_SV_ARG(item->location), SPD_SV_ARG(end))
                     : spd_arena_printf(tx->a, "%.*s: %.*s %.*s, %.*s. Open the alert.%.*s", SPD_SV_ARG(level), SPD_SV_ARG(item->modality), SPD_SV_ARG(item->body_part), SPD_SV_ARG(item->location), SPD_SV_ARG(end));
    return dutch ? spd_arena_printf(tx->a, "%.*s: AI-vermoeden %.*s, %s. %.*s %.*s, %.*s. Open de melding en bevestig.%.*s", SPD_SV_ARG(level), SPD_SV_ARG(what),
                                    read ? "door een radioloog geopend" : "nog niet door een radioloog beoordeeld", SPD_SV_ARG(item->modality), SPD_SV_ARG(item->body_part), SPD_SV_ARG(item->location), SPD_SV_ARG(end))
                 : spd_arena_printf(tx->a, "%.*s: AI suspects %.*s, %s. %.*s %.*s, %.*s. Open the alert and acknowledge.%.*s", SPD_SV_ARG(level), SPD_SV_ARG(what),
                                    read ? "opened by a radiologist" : "not yet read by a radiologist", SPD_SV_ARG(item->modality), SPD_SV_ARG(item->body_part), SPD_SV_ARG(item->location), SPD_SV_ARG(end));
}

/* ---- sending ---------------------------------------------------------------------------------- */
static spd_sv link_token(struct spd_tx *tx, spd_sv page_id)
{
    unsigned char mac[32];
    spd_hmac_sha256(spd_sv_of((const char *)tx->core->secret, sizeof tx->core->secret), page_id, mac);
    return spd_base64url(tx->a, mac, sizeof mac);
}

static bool channel_works(const struct spd_tx *tx, spd_sv name)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    for (size_t i = 0; i < s->channels.n; i++)
        if (spd_sv_eq(s->channels.v[i].name, name)) return !spd_sv_is(s->channels.v[i].mode, "off");
    return false;
}

struct paging { /* what one sending says */
    const struct spd_alert *al;
    spd_sv text, team;
    int64_t step;
    enum spd_page_kind kind;
};

/* One person by all of their ways. Returns the number of ways that exist. */
static enum spd_rc page_person(struct spd_tx *tx, const struct paging *p, spd_sv person_id, size_t *ret_ways)
{
    const struct spd_person *who = spd_people_get(tx->core->rules->people, person_id);
    const struct spd_settings *set = &tx->core->rules->settings;
    *ret_ways = 0;
    for (size_t i = 0; who && i < who->n_ways; i++) {
        struct spd_page page = {0};
        struct spd_outbox row = {0};
        struct spd_str json = SPD_STR_INIT(16000);
        int64_t *ids;
        size_t n;
        spd_sv token;
        if (!channel_works(tx, who->ways[i].channel)) continue;
        page.id = spd_tx_id(tx, SPD_T_PAGE);
        page.page_id = spd_arena_printf(tx->a, "%s%lld-%lld-%.*s-%zu", p->kind == SPD_PAGE_ALERT ? "P" : "C", (long long)p->al->id,
                                        (long long)p->step, SPD_SV_ARG(person_id), i);
        TRY(spd_tx_find(tx, SPD_KEY_PAGE_ID, page.page_id, &ids, &n));
        page.repeat = (int64_t)n; /* the same page to the same person again is a repeat of it */
        page.alert = p->al->id, page.item = p->al->item, page.step = p->step, page.at = tx->now;
        page.person = person_id, page.to_team = p->team, page.channel = who->ways[i].channel, page.address = who->ways[i].to;
        page.kind = (int32_t)p->kind;
        token = link_token(tx, page.page_id);
        page.token_hash = spd_sha256_hex(tx->a, token);
        row.destination = page.channel, row.kind = SPD_OUTBOX_PAGE;
        row.group_key = spd_key_join(tx->a, page.channel, page.page_id);
        row.item = page.item, row.alert = page.alert, row.page = page.id;
        row.control_id = page.page_id, row.to = page.address, row.repeat = page.repeat, row.due = tx->now;
        spd_str_addz(&json, "{\"page_id\":");
        spd_str_json(&json, page.page_id);
        spd_str_addf(&json, ",\"repeat\":%s,\"alert_id\":%lld,\"step\":%lld,\"level\":", page.repeat ? "true" : "false", (long long)page.alert, (long long)page.step);
        spd_str_json(&json, spd_policy_level_name(tx->core->rules->policy, p->al->level));
        spd_str_addz(&json, ",\"text\":");
        spd_str_json(&json, p->text);
        spd_str_addz(&json, ",\"link\":");
        spd_str_json(&json, spd_arena_printf(tx->a, "%.*s/a/%.*s", SPD_SV_ARG(set->public_url), SPD_SV_ARG(token)));
        spd_str_addc(&json, '}');
        row.payload = spd_arena_dup(tx->a, spd_str_sv(&json));
        spd_str_done(&json);
        TRY(spd_outbox_add(tx, &row));
        page.outbox = row.id;
        TRY(spd_put_page(tx->st, &page, NULL, tx->err));
        ++*ret_ways;
    }
    return SPD_OK;
}

/* A team: its first reachable member after `skip` of them, or everybody. */
static enum spd_rc page_team(struct spd_tx *tx, const struct paging *p, bool all, size_t skip, size_t *ret_reached)
{
    size_t n, ways;
    const spd_sv *members = spd_people_team(tx->core->rules->people, p->team, &n);
    *ret_reached = 0;
    for (size_t i = skip; i < n; i++) {
        TRY(page_person(tx, p, members[i], &ways));
        if (!ways) continue;
        ++*ret_reached;
        if (!all) break;
    }
    return SPD_OK;
}

static bool is_read(const struct spd_item *item)
{
    return item->reading > SPD_READING_UNREAD || item->report > SPD_REPORT_NONE || item->opened.n > 0;
}

static spd_sv site_text(const struct spd_tx *tx, const struct spd_alert *al)
{
    return spd_sv_is(tx->core->rules->settings.language, "en") ? al->text_en : al->text_nl;
}

static enum spd_rc page_step(struct spd_tx *tx, struct spd_alert *al, const struct spd_item *item, size_t step, bool whole_team)
{
    const struct spd_step *s = &al->steps.v[step];
    struct paging p = {al, SPD_SV_NONE, s->to, (int64_t)step, SPD_PAGE_ALERT};
    size_t reached;
    al->radiologist_read = is_read(item);
    al->report_available = item->report >= SPD_REPORT_FINAL;
    al->text_nl = alert_text(tx, al, item, true);
    al->text_en = alert_text(tx, al, item, false);
    p.text = site_text(tx, al);
    TRY(page_team(tx, &p, s->all || whole_team, 0, &reached));
    if (!reached)
        TRY(spd_tx_alarm(tx, "unreachable", s->to, "Niemand van dit team is te bereiken: melding niet verstuurd.",
                         "Nobody in this team can be reached: the page was not sent."));
    return SPD_OK;
}

/* Pages what is due and says when the next step is. The caller saves. */
static enum spd_rc advance(struct spd_tx *tx, struct spd_alert *al)
{
    struct spd_work *w;
    size_t next;
    bool paged = false, first = al->step < 0;
    TRY(spd_tx_item(tx, al->item, &w));
    for (next = (size_t)(al->step + 1); next < al->steps.n; next++) {
        const struct spd_step *s = &al->steps.v[next];
        if (al->started + s->after > tx->now) break;
        if (s->if_unread && is_read(&w->item)) continue; /* read meanwhile: this step is not needed */
        set_state(al, first ? SPD_ALERT_IN_TICK : SPD_ALERT_IN_DEADLINE);
        TRY(page_step(tx, al, &w->item, next, false));
        al->step = (int64_t)next;
        paged = true;
    }
    if (next < al->steps.n) {
        al->due = al->started + al->steps.v[next].after;
    } else {
        if (!paged && al->step >= 0) { /* nobody answered: again, to the whole last team, and an alarm */
            al->rounds++;
            set_state(al, SPD_ALERT_IN_EXHAUST);
            TRY(page_step(tx, al, &w->item, (size_t)al->step, true));
            if (al->handed_to.len) {
                struct paging p = {al, site_text(tx, al), al->handed_to, al->step, SPD_PAGE_ALERT};
                size_t reached;
                TRY(page_team(tx, &p, false, 0, &reached));
            }
            TRY(spd_tx_alarm(tx, "alert-exhausted", spd_key_i64(tx->a, al->id), "Een melding is door niemand bevestigd; er wordt verder opgeroepen.",
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
    TRY(advance(tx, &al));
    return save(tx, &al, &old);
}

/* ---- making ------------------------------------------------------------------------------------ */
static spd_sv sequence_of(struct spd_tx *tx, const struct spd_item *item, spd_sv study, const struct spd_finding *f, spd_sv rule, spd_sv *ret_patient)
{
    const struct spd_cx *id = item->patient.ids.n ? &item->patient.ids.v[0] : NULL;
    /* The hospital's own number, whichever came first: orders of one study name them in different order. */
    for (size_t i = 0; i < item->patient.ids.n; i++)
        if (spd_sv_eq(item->patient.ids.v[i].authority, tx->core->rules->settings.patient_authority)) {
            id = &item->patient.ids.v[i];
            break;
        }
    *ret_patient = id ? spd_key_cx(tx->a, id) : SPD_SV_NONE;
    return spd_arena_printf(tx->a, "%.*s|%.*s|%.*s|%.*s|%.*s", SPD_SV_ARG(*ret_patient), SPD_SV_ARG(study),
                            SPD_SV_ARG(f ? f->concept : rule), SPD_SV_ARG(f ? f->site : SPD_SV_NONE), SPD_SV_ARG(f ? f->laterality : SPD_SV_NONE));
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

/* The alert of this sequence that the results join; NOTFOUND: a new one is due. EXISTS: withdrawn, and all of
 * these results were part of it: nothing to do. */
static enum spd_rc standing(struct spd_tx *tx, spd_sv sequence, int level, const int64_t *results, size_t n_results, struct spd_alert *ret)
{
    int64_t *ids;
    size_t n;
    struct spd_list told = {NULL, 0}; /* results of withdrawn alerts */
    bool stands = false, all_told = true;
    TRY(spd_tx_find(tx, SPD_KEY_ALERT_SEQUENCE, sequence, &ids, &n));
    for (size_t i = 0; i < n; i++) { /* the most urgent that was not withdrawn stands for the sequence */
        struct spd_alert al;
        TRY(spd_get_alert(tx->st, ids[i], &al, tx->a, tx->err));
        if (al.state != SPD_ALERT_WITHDRAWN) {
            if (!stands || al.level < ret->level || (al.level == ret->level && (was_unmatched(ret) || spd_alert_open((enum spd_alert_state)al.state)))) *ret = al;
            stands = true;
            continue;
        }
        *(int64_t *)spd_list_add(&told, sizeof(int64_t), tx->a) = al.result;
        for (size_t k = 0; k < al.evidence.n; k++) *(int64_t *)spd_list_add(&told, sizeof(int64_t), tx->a) = al.evidence.v[k];
    }
    if (stands) return level && ret->level && level < ret->level ? SPD_NOTFOUND : SPD_OK;
    for (size_t i = 0; i < n_results; i++) all_told &= spd_list_has_i64(told.v, told.n, results[i]);
    return n && all_told ? SPD_EXISTS : SPD_NOTFOUND;
}

static void add_steps(struct spd_tx *tx, struct spd_alert *al, const struct spd_hit *h)
{
    for (size_t i = 0; i < h->n_steps; i++) {
        bool known = false;
        for (size_t k = 0; k < al->steps.n && !known; k++)
            known = spd_sv_eq(al->steps.v[k].to, h->steps[i].to) && al->steps.v[k].after == h->steps[i].after;
        if (!known) *SPD_LIST_PUSH(&al->steps, tx->a) = h->steps[i];
    }
}

static int step_order(const void *a, const void *b)
{
    const struct spd_step *x = a, *y = b;
    return x->after != y->after ? (x->after > y->after) - (x->after < y->after) : spd_sv_cmp(x->to, y->to);
}

/* The hit's own result first, then every other live one that says the same of the same place. */
static size_t supporters(struct spd_tx *tx, const struct spd_hit *h, const struct spd_result *rs, size_t n, int64_t **ret)
{
    int64_t *ids = *ret = SPD_NEW_N(tx->a, int64_t, n + 1);
    size_t k = 0;
    if (h->result) ids[k++] = h->result->result_id;
    for (size_t i = 0; h->finding && i < n; i++)
        for (size_t f = 0; f < rs[i].findings.n; f++) {
            const struct spd_finding *x = &rs[i].findings.v[f];
            if (rs[i].mode == SPD_MODE_LIVE && x->present == SPD_PRESENT_YES && spd_sv_eq(x->concept, h->finding->concept) &&
                spd_sv_eq(x->site, h->finding->site) && spd_sv_eq(x->laterality, h->finding->laterality) &&
                !spd_list_has_i64(ids, k, rs[i].id))
                ids[k++] = rs[i].id;
        }
    return k;
}

enum spd_rc spd_alert_ensure(struct spd_tx *tx, struct spd_work *w, const struct spd_hit *h, const struct spd_result *rs, size_t n,
                             struct spd_alert_seed **seeds)
{
    struct spd_result r = {0};
    struct spd_alert_seed *s;
    spd_sv patient, sequence;
    int64_t *results;
    size_t n_results = supporters(tx, h, rs, n, &results);
    enum spd_rc rc;
    if (n_results) TRY(spd_get_result(tx->st, results[0], &r, tx->a, tx->err));
    if (h->result && tx->now - h->result->at > spd_policy_ai_age(tx->core->rules->policy)) return SPD_OK; /* too old to page anybody */
    sequence = sequence_of(tx, &w->item, r.study_uid, h->finding, h->rule, &patient);
    for (s = *seeds; s; s = s->next)
        if (spd_sv_eq(s->alert.sequence, sequence)) { /* a second rule of the same decision */
            if (s->fresh) add_steps(tx, &s->alert, h);
            return SPD_OK;
        }
    s = SPD_NEW(tx->a, struct spd_alert_seed);
    rc = standing(tx, sequence, h->level, results, n_results, &s->old);
    if (rc == SPD_EXISTS) return SPD_OK;
    /* The patient is known now: the rule's own people are paged as well, in the same sequence while that goes on. */
    if (rc == SPD_OK && was_unmatched(&s->old) && !spd_alert_open((enum spd_alert_state)s->old.state)) rc = SPD_NOTFOUND;
    if (rc == SPD_OK) {
        s->alert = s->old;
        if (was_unmatched(&s->old)) {
            s->fresh = true;
            s->alert.rule = h->rule, s->alert.repeat = h->repeat;
            add_steps(tx, &s->alert, h);
        }
    } else if (rc == SPD_NOTFOUND) {
        s->insert = s->fresh = true;
        s->alert.id = spd_tx_id(tx, SPD_T_ALERT);
        s->alert.at = s->alert.started = tx->now;
        s->alert.item = w->item.id, s->alert.result = n_results ? results[0] : 0;
        s->alert.sequence = sequence, s->alert.patient_key = patient, s->alert.study_uid = r.study_uid;
        if (h->finding) s->alert.concept = h->finding->concept, s->alert.site = h->finding->site, s->alert.laterality = h->finding->laterality;
        s->alert.level = h->level ? h->level : w->item.level;
        s->alert.rule = h->rule, s->alert.state = SPD_ALERT_DUE, s->alert.step = -1, s->alert.repeat = h->repeat;
        add_steps(tx, &s->alert, h);
    } else {
        return rc;
    }
    for (size_t i = 0; i < n_results; i++)
        if (!part_of(&s->alert, results[i])) *SPD_LIST_PUSH(&s->alert.evidence, tx->a) = results[i];
    s->next = *seeds;
    *seeds = s;
    return SPD_OK;
}

enum spd_rc spd_alert_known(struct spd_tx *tx, struct spd_work *w, const struct spd_hit *h, struct spd_alert *ret)
{
    struct spd_result r = {0};
    spd_sv patient;
    int64_t *ids;
    size_t n;
    if (h->result) TRY(spd_get_result(tx->st, h->result->result_id, &r, tx->a, tx->err));
    TRY(spd_tx_find(tx, SPD_KEY_ALERT_SEQUENCE, sequence_of(tx, &w->item, r.study_uid, h->finding, h->rule, &patient), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        TRY(spd_get_alert(tx->st, ids[i], ret, tx->a, tx->err));
        if (spd_alert_open((enum spd_alert_state)ret->state)) break;
    }
    return n ? SPD_OK : SPD_NOTFOUND;
}

enum spd_rc spd_alert_flush_seeds(struct spd_tx *tx, struct spd_work *w, struct spd_alert_seed *seeds)
{
    (void)w;
    for (struct spd_alert_seed *s = seeds; s; s = s->next) {
        if (s->fresh) {
            size_t paged = (size_t)(s->alert.step + 1); /* those stay where they are */
            qsort(s->alert.steps.v + paged, s->alert.steps.n - paged, sizeof *s->alert.steps.v, step_order);
            TRY(advance(tx, &s->alert));
        }
        TRY(save(tx, &s->alert, s->insert ? NULL : &s->old));
    }
    return SPD_OK;
}

enum spd_rc spd_alert_unmatched(struct spd_tx *tx, struct spd_work *w, const struct spd_parked *p, const struct spd_result *r)
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
    if (rc != SPD_NOTFOUND) return rc == SPD_EXISTS ? SPD_OK : rc; /* somebody is being paged for this already */
    al.id = spd_tx_id(tx, SPD_T_ALERT);
    al.at = al.started = tx->now;
    al.item = w->item.id, al.result = r->id, al.study_uid = r->study_uid;
    if (f) al.concept = f->concept, al.site = f->site, al.laterality = f->laterality;
    al.level = p->level, al.rule = SPD_SV("unmatched"), al.state = SPD_ALERT_DUE, al.step = -1, al.unmatched = 1;
    step.to = spd_policy_unmatched_team(tx->core->rules->policy);
    *SPD_LIST_PUSH(&al.steps, tx->a) = step;
    TRY(advance(tx, &al));
    return save(tx, &al, NULL);
}

/* ---- ending ------------------------------------------------------------------------------------- */
static enum spd_rc stop_paging(struct spd_tx *tx, struct spd_alert *al)
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
        if (p.kind == SPD_PAGE_ALERT && p.outbox && !p.done_at) TRY(spd_outbox_cancel(tx, p.outbox));
    }
    return SPD_OK;
}

/* Everyone who was paged learns that it changed, by the same ways, once each (design rule 8). */
static enum spd_rc tell_paged(struct spd_tx *tx, const struct spd_alert *al, const char *nl, const char *en)
{
    int64_t *ids;
    size_t n, ways;
    struct spd_list told = {NULL, 0};
    bool dutch = !spd_sv_is(tx->core->rules->settings.language, "en");
    struct paging p = {al, SPD_SV_NONE, SPD_SV_NONE, al->step, SPD_PAGE_CORRECTION};
    p.text = dutch ? spd_arena_printf(tx->a, "CORRECTIE bij melding %lld (%.*s): %s", (long long)al->id, SPD_SV_ARG(concept_name(tx, al->concept, true)), nl)
                   : spd_arena_printf(tx->a, "CORRECTION of alert %lld (%.*s): %s", (long long)al->id, SPD_SV_ARG(concept_name(tx, al->concept, false)), en);
    TRY(spd_tx_find(tx, SPD_KEY_PAGE_ALERT, spd_key_i64(tx->a, al->id), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_page had;
        TRY(spd_get_page(tx->st, ids[i], &had, tx->a, tx->err));
        if (had.kind != SPD_PAGE_ALERT || spd_list_has_text(told.v, told.n, had.person)) continue;
        *(spd_sv *)spd_list_add(&told, sizeof(spd_sv), tx->a) = had.person;
        TRY(page_person(tx, &p, had.person, &ways));
    }
    return SPD_OK;
}

static enum spd_rc withdraw(struct spd_tx *tx, int64_t id, const char *nl, const char *en)
{
    struct spd_alert al, old;
    TRY(spd_get_alert(tx->st, id, &old, tx->a, tx->err));
    if (old.state == SPD_ALERT_WITHDRAWN || old.state == SPD_ALERT_RESOLVED) return SPD_OK;
    al = old;
    set_state(&al, SPD_ALERT_IN_WITHDRAW);
    al.closed = tx->now;
    al.closed_reason = spd_sv_from(spd_sv_is(tx->core->rules->settings.language, "en") ? en : nl);
    TRY(stop_paging(tx, &al));
    TRY(tell_paged(tx, &al, nl, en));
    return save(tx, &al, &old);
}

enum spd_rc spd_alerts_withdraw(struct spd_tx *tx, int64_t item, spd_sv concept, spd_sv study, const char *nl, const char *en)
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

/* As withdraw, because its results belong to somebody else: they may page again for whom they turn out to belong to,
 * so the sequence ends with the alert. */
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
        TRY(save(tx, &al, &old));
    }
    return SPD_OK;
}

static bool supported(const struct spd_alert *al, const struct spd_result *rs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < rs[i].findings.n; k++)
            if (rs[i].findings.v[k].present == SPD_PRESENT_YES && spd_sv_eq(rs[i].findings.v[k].concept, al->concept)) return true;
    return false;
}

enum spd_rc spd_alerts_review(struct spd_tx *tx, int64_t item, const struct spd_result *rs, size_t n)
{
    int64_t *ids;
    size_t n_ids;
    TRY(spd_tx_find(tx, SPD_KEY_ALERT_ITEM, spd_key_i64(tx->a, item), &ids, &n_ids));
    for (size_t i = 0; i < n_ids; i++) {
        struct spd_alert al;
        struct spd_result cause;
        TRY(spd_get_alert(tx->st, ids[i], &al, tx->a, tx->err));
        if (!al.concept.len || !al.result || al.state == SPD_ALERT_WITHDRAWN || al.state == SPD_ALERT_RESOLVED) continue;
        if (supported(&al, rs, n)) continue;
        if (spd_get_result(tx->st, al.result, &cause, tx->a, NULL) == SPD_OK && !cause.superseded_by) continue;
        TRY(withdraw(tx, ids[i], "Het AI-resultaat is gecorrigeerd: geen bevinding meer.", "The AI result was corrected: no finding any more."));
    }
    return SPD_OK;
}

/* The alert of an unmatched row becomes one of a known patient, under that item's own sequence. When somebody is
 * being paged for that sequence already, it joins: one page sequence, never two. */
static enum spd_rc rename_sequence(struct spd_tx *tx, struct spd_alert *al, int64_t to)
{
    struct spd_work *w;
    struct spd_finding f = {0};
    struct spd_alert had, joined;
    enum spd_rc rc;
    TRY(spd_tx_item(tx, to, &w));
    f.concept = al->concept, f.site = al->site, f.laterality = al->laterality;
    al->sequence = sequence_of(tx, &w->item, al->study_uid, al->concept.len ? &f : NULL, al->rule, &al->patient_key);
    al->unmatched = 0;
    rc = standing(tx, al->sequence, al->level, &al->result, 1, &had);
    if (rc == SPD_NOTFOUND || rc == SPD_EXISTS || had.id == al->id) return SPD_OK;
    if (rc) return rc;
    joined = had;
    if (!part_of(&joined, al->result)) *SPD_LIST_PUSH(&joined.evidence, tx->a) = al->result;
    TRY(save(tx, &joined, &had));
    if (!spd_alert_open((enum spd_alert_state)al->state)) return SPD_OK;
    set_state(al, SPD_ALERT_IN_RESOLVE);
    al->resolved_at = al->closed = tx->now;
    al->closed_reason = spd_arena_printf(tx->a, "alert %lld", (long long)had.id);
    return stop_paging(tx, al);
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
        TRY(save(tx, &al, &old));
        spd_tx_dirty(tx, from);
    }
    return SPD_OK;
}

enum spd_rc spd_alerts_move(struct spd_tx *tx, int64_t from, int64_t to)
{
    return spd_alerts_move_of(tx, from, to, 0);
}

/* ---- outcomes ------------------------------------------------------------------------------------ */
/* All ways of that person in that step failed for good: the next member of the team, at once. */
static enum spd_rc next_member(struct spd_tx *tx, struct spd_alert *al, const struct spd_page *page)
{
    int64_t *ids;
    size_t n, m, skip = 0, reached;
    struct spd_work *w;
    const spd_sv *members = spd_people_team(tx->core->rules->people, page->to_team, &m);
    struct paging p = {al, SPD_SV_NONE, page->to_team, page->step, SPD_PAGE_ALERT};
    TRY(spd_tx_find(tx, SPD_KEY_PAGE_ALERT, spd_key_i64(tx->a, al->id), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_page o;
        TRY(spd_get_page(tx->st, ids[i], &o, tx->a, tx->err));
        if (o.step != page->step || o.kind != SPD_PAGE_ALERT || o.id == page->id) continue;
        if (spd_sv_eq(o.person, page->person) && o.outcome != SPD_OUTCOME_PERMANENT) return SPD_OK; /* another way is open */
        for (size_t k = 0; k < m; k++)
            if (spd_sv_eq(members[k], o.person) && k + 1 > skip) skip = k + 1;
    }
    for (size_t k = 0; k < m; k++)
        if (spd_sv_eq(members[k], page->person) && k + 1 > skip) skip = k + 1;
    TRY(spd_tx_item(tx, al->item, &w));
    p.text = site_text(tx, al);
    TRY(page_team(tx, &p, false, skip, &reached));
    if (!reached)
        TRY(spd_tx_alarm(tx, "unreachable", page->to_team, "Niemand van dit team is te bereiken.", "Nobody in this team can be reached."));
    return SPD_OK;
}

/* Does what this page says still hold? A correction always goes out. */
enum spd_rc spd_alert_page_stands(struct spd_tx *tx, const struct spd_outbox *row, bool *ret)
{
    struct spd_alert al;
    struct spd_page page;
    TRY(spd_get_page(tx->st, row->page, &page, tx->a, tx->err));
    TRY(spd_get_alert(tx->st, row->alert, &al, tx->a, tx->err));
    *ret = page.kind != SPD_PAGE_ALERT || spd_alert_open((enum spd_alert_state)al.state);
    return SPD_OK;
}

enum spd_rc spd_alert_outcome(struct spd_tx *tx, const struct spd_outbox *row, enum spd_outcome outcome, spd_sv detail, bool final)
{
    struct spd_page page, old_page;
    struct spd_alert al, old;
    bool open;
    TRY(spd_get_page(tx->st, row->page, &old_page, tx->a, tx->err));
    page = old_page;
    page.outcome = (int32_t)(final && outcome != SPD_OUTCOME_OK && outcome != SPD_OUTCOME_OBSERVED ? SPD_OUTCOME_PERMANENT : outcome);
    page.detail = detail;
    if (final) page.done_at = tx->now;
    TRY(spd_put_page(tx->st, &page, &old_page, tx->err));
    TRY(spd_get_alert(tx->st, row->alert, &old, tx->a, tx->err));
    al = old;
    open = spd_alert_open((enum spd_alert_state)al.state);
    set_state(&al, outcome == SPD_OUTCOME_OK || outcome == SPD_OUTCOME_OBSERVED ? SPD_ALERT_IN_OK
                   : outcome == SPD_OUTCOME_PERMANENT                            ? SPD_ALERT_IN_PERM
                                                                                 : SPD_ALERT_IN_TEMP);
    if (open && final && page.outcome == SPD_OUTCOME_PERMANENT && page.kind == SPD_PAGE_ALERT) TRY(next_member(tx, &al, &page));
    return save(tx, &al, &old);
}

/* ---- what a person does ---------------------------------------------------------------------------- */
static enum spd_rc by_token(struct spd_tx *tx, spd_sv token, struct spd_page *ret)
{
    int64_t *ids;
    size_t n;
    TRY(spd_tx_find(tx, SPD_KEY_PAGE_TOKEN, spd_sha256_hex(tx->a, token), &ids, &n));
    if (!n) return SPD_NOTFOUND;
    return spd_get_page(tx->st, ids[n - 1], ret, tx->a, tx->err);
}

static enum spd_rc acknowledge(struct spd_tx *tx, struct spd_alert *al, spd_sv by, const struct spd_action_event *e)
{
    set_state(al, SPD_ALERT_IN_ACK);
    al->ack_by = by, al->ack_at = tx->now;
    al->ack_how = e->how.len ? e->how : e->token.len ? SPD_SV("link") : SPD_SV("page");
    al->ack_note = e->text;
    return stop_paging(tx, al);
}

static enum spd_rc hand_over(struct spd_tx *tx, struct spd_alert *al, spd_sv to)
{
    struct paging p = {al, SPD_SV_NONE, to, al->step < 0 ? 0 : al->step, SPD_PAGE_ALERT};
    size_t n, reached;
    struct spd_work *w;
    if (!spd_people_team(tx->core->rules->people, to, &n) || !n)
        return spd_tx_refuse(tx, SPD_INVALID, "no-such-person", "Deze persoon of dit team is niet bekend.", "No such person or team.");
    set_state(al, SPD_ALERT_IN_HANDOVER);
    al->handed_to = to;
    al->ack_by = SPD_SV_NONE, al->ack_at = 0, al->ack_how = SPD_SV_NONE; /* it needs an acknowledgement again */
    TRY(spd_tx_item(tx, al->item, &w));
    al->text_nl = alert_text(tx, al, &w->item, true);
    al->text_en = alert_text(tx, al, &w->item, false);
    p.text = site_text(tx, al);
    TRY(page_team(tx, &p, false, 0, &reached));
    if (!reached) TRY(spd_tx_alarm(tx, "unreachable", to, "Niemand van dit team is te bereiken.", "Nobody in this team can be reached."));
    al->due = tx->now + spd_policy_repeat(tx->core->rules->policy);
    return spd_tx_timer_set(tx, SPD_TIMER_ALERT, al->id, SPD_SV_NONE, al->due);
}

enum spd_rc spd_alert_act(struct spd_tx *tx, const struct spd_action_event *e)
{
    struct spd_alert al, old;
    struct spd_page page = {0};
    spd_sv by = e->by;
    enum spd_rc rc = SPD_OK;
    int64_t id = e->alert;
    if (e->token.len) {
        rc = by_token(tx, e->token, &page);
        if (rc == SPD_OK) id = page.alert;
    }
    if (rc == SPD_OK) rc = spd_get_alert(tx->st, id, &old, tx->a, tx->err);
    if (rc == SPD_NOTFOUND) return spd_tx_refuse(tx, SPD_NOTFOUND, "no-such-alert", "Deze melding bestaat niet.", "There is no such alert.");
    if (rc) return rc;
    /* A page to a team went to whoever was reached: the link alone does not name a person. */
    if (e->token.len && !by.len && page.to_team.len && !spd_sv_eq(page.to_team, page.person))
        return spd_tx_refuse(tx, SPD_DENIED, "login-first", "Log eerst in: deze melding ging naar een team.", "Log in first: this page went to a team.");
    if (e->token.len && !by.len) by = page.person;
    if (!by.len) return spd_tx_refuse(tx, SPD_DENIED, "no-name", "Wie bevestigt, moet bekend zijn.", "Whoever acknowledges must be known.");
    al = old;
    tx->r->id = al.id;
    if (e->verb == SPD_ACT_RESOLVE || e->verb == SPD_ACT_HANDOVER) {
        if (al.state == SPD_ALERT_WITHDRAWN || al.state == SPD_ALERT_RESOLVED)
            return spd_tx_refuse(tx, SPD_EXISTS, "alert-closed", "Deze melding is al gesloten.", "This alert is closed already.");
    } else if (!spd_alert_open((enum spd_alert_state)al.state)) {
        tx->r->holder = al.ack_by;
        return spd_tx_refuse(tx, SPD_EXISTS, "alert-closed", "Deze melding is al bevestigd of ingetrokken.", "This alert was acknowledged or withdrawn already.");
    }
    tx->r->did = SPD_DID_APPLY;
    switch ((enum spd_action_verb)e->verb) {
    case SPD_ACT_ACKNOWLEDGE: TRY(acknowledge(tx, &al, by, e)); break;
    case SPD_ACT_DECLINE: /* "not mine": the next step now */
        set_state(&al, SPD_ALERT_IN_DECLINE);
        if ((size_t)(al.step + 1) < al.steps.n) al.started = tx->now - al.steps.v[al.step + 1].after;
        TRY(advance(tx, &al));
        break;
    case SPD_ACT_HANDOVER: TRY(hand_over(tx, &al, e->to)); break;
    case SPD_ACT_RESOLVE:
        set_state(&al, SPD_ALERT_IN_RESOLVE);
        al.resolved_at = al.closed = tx->now, al.resolved_by = by;
        TRY(stop_paging(tx, &al));
        break;
    default: return spd_fail(tx->err, SPD_BUG, "alert", "not an alert's verb");
    }
    if (tx->r->did == SPD_DID_REFUSE) return SPD_OK;
    if (page.id) {
        struct spd_page used = page;
        used.token_used = tx->now;
        TRY(spd_put_page(tx->st, &used, &page, tx->err));
    }
    TRY(spd_tx_audit(tx, by, spd_action_verb_names[e->verb], al.item, al.id, e->how));
    return save(tx, &al, &old);
}
