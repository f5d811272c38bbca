/* src/core/view.c: the composite that readers see: an item with its AI row, alert, draft and linked
 * items. */
#include "core/internal.h"

static int urgency(int32_t state)
{
    switch ((enum spd_ai_state)state) {
    case SPD_AI_POSITIVE:
        return 0;
    case SPD_AI_FAILED:
        return 1;
    case SPD_AI_NOT_ANALYSED:
        return 2;
    case SPD_AI_NOT_APPLICABLE:
        return 3;
    case SPD_AI_NEGATIVE:
        return 4;
    case SPD_AI_NORMAL:
        return 5;
    case SPD_AI_STATE_UNSET:
    case SPD_AI_PENDING:
    case SPD_AI_LATE:
    case SPD_AI_STATE_N:
        break;
    }
    return 6;
}

static spd_sv model_link(const struct spd_model *m, const struct spd_item *item, spd_sv study,
                         struct spd_arena *a)
{
    struct spd_str s = SPD_STR_INIT(2000);
    spd_sv t = m->link, out;
    while (t.len) {
        size_t at;
        if (!spd_sv_find(t, SPD_SV("{"), &at)) at = t.len;
        spd_str_add(&s, spd_sv_of(t.ptr, at));
        t.ptr += at, t.len -= at;
        if (spd_sv_starts(t, SPD_SV("{study_uid}"))) {
            spd_str_add(&s, study);
            t.ptr += 11, t.len -= 11;
        } else if (spd_sv_starts(t, SPD_SV("{accession}"))) {
            for (size_t i = 0; i < item->accession.value.len;
                 i++) { /* into a URL: only what cannot break it */
                unsigned char c = (unsigned char)item->accession.value.ptr[i];
                bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                             (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_';
                if (plain)
                    spd_str_addc(&s, (char)c);
                else
                    spd_str_addf(&s, "%%%02X", c);
            }
            t.ptr += 11, t.len -= 11;
        } else if (t.len) {
            spd_str_addc(&s, *t.ptr);
            t.ptr++, t.len--;
        }
    }
    out = spd_arena_dup(a, spd_str_sv(&s));
    spd_str_done(&s);
    return out;
}

/* All current results of one model side by side: the state is the most urgent, the findings are all
 * of them. */
static void add_result(struct spd_view_ai *ai, const struct spd_result *r, struct spd_arena *a)
{
    struct {
        struct spd_finding *v;
        size_t n;
    } all = {(struct spd_finding *)ai->findings, ai->n_findings};
    if (ai->state == SPD_AI_STATE_UNSET || urgency(r->state) < urgency(ai->state)) {
        ai->state = (enum spd_ai_state)r->state;
        ai->version = r->version;
        ai->mode = (enum spd_mode)r->mode;
    }
    if (r->at > ai->at) ai->at = r->at;
    for (size_t i = 0; i < r->findings.n; i++)
        *SPD_LIST_PUSH(&all, a) = r->findings.v[i];
    ai->findings = all.v, ai->n_findings = all.n;
    if (r->notes.n) ai->notes = r->notes.v, ai->n_notes = r->notes.n;
}

static void name_model(struct spd_view_ai *x, const struct spd_model *m,
                       const struct spd_item *item, spd_sv study, struct spd_arena *a)
{
    x->model = m->id, x->name = m->name, x->required = m->required, x->display = m->display;
    x->link = m->link.len ? model_link(m, item, study, a) : SPD_SV_NONE;
}

static size_t ai_row(struct spd_core *core, const struct spd_item *item,
                     const struct spd_result *rs, size_t n, spd_usec now, struct spd_view_ai **ret,
                     struct spd_arena *a)
{
    const struct spd_models *ms = core->rules->models;
    struct spd_view_ai *ai = SPD_NEW_N(a, struct spd_view_ai, n + spd_models_n(ms) + 1);
    struct spd_facts f;
    size_t k = 0;
    spd_sv study = item->study_uids.n ? item->study_uids.v[0] : SPD_SV_NONE;
    spd_facts_of(core, item, rs, n, now, &f, a);
    for (size_t i = 0; i < spd_models_n(ms); i++) {
        const struct spd_model *m = spd_models_at(ms, i);
        struct spd_view_ai *x = &ai[k];
        /* What a version in shadow said stands apart, or it would hide what readers wait for or
         * must see. */
        for (size_t r = 0; r < n; r++)
            if (spd_sv_eq(rs[r].model, m->id) && rs[r].mode == SPD_MODE_SHADOW)
                add_result(x, &rs[r], a);
        if (x->state != SPD_AI_STATE_UNSET) {
            name_model(x, m, item, study, a);
            x = &ai[++k];
        }
        for (size_t r = 0; r < n; r++)
            if (spd_sv_eq(rs[r].model, m->id) && rs[r].mode != SPD_MODE_SHADOW)
                add_result(x, &rs[r], a);
        if (x->state == SPD_AI_STATE_UNSET) {
            if (x > ai && spd_sv_eq(x[-1].model, m->id) && m->mode == SPD_MODE_SHADOW)
                continue; /* it spoke */
            if (m->mode == SPD_MODE_SUSPENDED || !f.start || !spd_item_listed(item) ||
                item->unmatched || spd_model_applies(m, &f) != SPD_YES)
                continue;
            x->mode = m->mode;
            x->version = m->n_versions ? m->versions[0] : SPD_SV_NONE;
            x->expected_at = m->expected_within ? f.start + m->expected_within : 0;
            x->state = x->expected_at && x->expected_at <= now ? SPD_AI_LATE : SPD_AI_PENDING;
        }
        name_model(x, m, item, study, a);
        k++;
    }
    for (size_t r = 0; r < n; r++) { /* models that the registry does not know */
        if (rs[r].model.len) continue;
        ai[k].model = rs[r].name.len ? rs[r].name : rs[r].manufacturer;
        ai[k].name = rs[r].name;
        add_result(&ai[k], &rs[r], a);
        k++;
    }
    *ret = ai;
    return k;
}

static enum spd_rc linked_items(struct spd_store *st, const struct spd_item *item,
                                struct spd_view *v, struct spd_arena *a, struct spd_err *err)
{
    struct spd_seq out = {NULL, 0};
    for (size_t s = 0; s < item->study_uids.n; s++) {
        int64_t *ids;
        size_t n;
        TRY(spd_store_find_all(st, SPD_KEY_ITEM_STUDY, item->study_uids.v[s], &ids, &n, a, err));
        for (size_t i = 0; i < n; i++) {
            struct spd_item other;
            if (ids[i] == item->id || spd_list_has_i64(out.v, out.n, ids[i])) continue;
            TRY(spd_get_item(st, ids[i], &other, a, err));
            if (!other.unmatched) *(int64_t *)spd_list_add(&out, sizeof(int64_t), a) = ids[i];
        }
    }
    v->linked = out.v, v->n_linked = out.n;
    return SPD_OK;
}

/* The most urgent open alert of the item, else its newest; alerts hang on one item but show on all
 * that the study is linked to, since the study pages once. */
static enum spd_rc best_alert(struct spd_store *st, int64_t item, struct spd_alert *best,
                              struct spd_arena *a, struct spd_err *err)
{
    int64_t *ids;
    size_t n;
    TRY(spd_store_find_all(st, SPD_KEY_ALERT_ITEM, spd_key_i64(a, item), &ids, &n, a, err));
    for (size_t i = 0; i < n; i++) {
        struct spd_alert al;
        bool open, best_open = spd_alert_open((enum spd_alert_state)best->state);
        TRY(spd_get_alert(st, ids[i], &al, a, err));
        open = spd_alert_open((enum spd_alert_state)al.state);
        if (!best->id || (open && !best_open) ||
            (open == best_open &&
             (al.level < best->level || (al.level == best->level && al.id > best->id))))
            *best = al;
    }
    return SPD_OK;
}

enum spd_rc spd_core_view(struct spd_core *core, struct spd_store *st, int64_t id, spd_usec now,
                          struct spd_view *v, struct spd_arena *a, struct spd_err *err)
{
    struct spd_tx tx = {0};
    struct spd_result *rs;
    struct spd_view_ai *ai;
    struct spd_draft d;
    size_t n;
    enum spd_rc rc;
    memset(v, 0, sizeof *v);
    TRY(spd_get_item(st, id, &v->item, a, err));
    tx.core = core, tx.st = st, tx.a = a, tx.now = now, tx.err = err;
    TRY(spd_results_of_item(&tx, id, &rs, &n));
    v->n_ai = ai_row(core, &v->item, rs, n, now, &ai, a);
    v->ai = ai;
    v->status = spd_item_status(&v->item);
    v->level_name = spd_policy_level_name(core->rules->policy, v->item.level);
    TRY(linked_items(st, &v->item, v, a, err));
    TRY(best_alert(st, id, &v->alert, a, err));
    for (size_t i = 0; i < v->n_linked; i++)
        TRY(best_alert(st, v->linked[i], &v->alert, a, err));
    rc = spd_get_draft(st, id, &d, a, err);
    if (rc && rc != SPD_NOTFOUND) return rc;
    if (!rc && d.state == SPD_DRAFT_OFFERED) v->draft = d;
    if (v->item.workitem) TRY(spd_get_workitem(st, v->item.workitem, &v->workitem, a, err));
    v->viewed_at = now;
    v->exam_at = spd_item_start(&v->item);
    v->modality_aet = v->item.station_ae;
    v->on_modality_list = v->status == SPD_STATUS_ORDERED && v->item.order == SPD_ORDER_ACTIVE &&
                          !v->item.acquiring;
    return SPD_OK;
}
