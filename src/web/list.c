/* src/web/list.c: GET /api/v1/worklist. Listed rows come from the published list in rank order,
 * open rows that are not listed (ordered, preliminary) by a walk over their ids, closed ones
 * (final, cancelled) from the store. A cursor says in which of the three a page ended: "r" + the
 * row's place in the order (so that rows that come or go between two pages neither repeat nor hide
 * others), "i" + id, "s" + id. */
#include "web/web_int.h"

#include <stdio.h>

enum { USUAL = 1000, MOST = 5000, STATUSES = SPD_STATUS_N };

struct wanted {
    bool status[STATUSES];
    spd_sv modality, location;
    size_t limit, given;
    char kind;      /* of the cursor: 0 none, r, i, s */
    int64_t key[4]; /* r: level due arrived id; i, s: id */
    char next[120];
};

static bool in_list(spd_sv list, spd_sv one) /* "CT,MR" */
{
    if (!list.len) return true;
    for (size_t at = 0; at <= list.len;) {
        size_t end = at;
        while (end < list.len && list.ptr[end] != ',')
            end++;
        if (spd_sv_eq(spd_sv_trim(spd_sv_of(list.ptr + at, end - at)), one)) return true;
        at = end + 1;
    }
    return false;
}

static bool read_status(spd_sv list, struct wanted *w)
{
    if (!list.len) {
        w->status[SPD_STATUS_ARRIVED] = w->status[SPD_STATUS_IN_PROGRESS] =
            w->status[SPD_STATUS_UNMATCHED] = w->status[SPD_STATUS_CANCELLED_IMAGES] = true;
        return true;
    }
    for (size_t at = 0; at <= list.len;) {
        size_t end = at;
        while (end < list.len && list.ptr[end] != ',')
            end++;
        spd_sv one = spd_sv_trim(spd_sv_of(list.ptr + at, end - at));
        int s = spd_enum_from(spd_status_names, one);
        at = end + 1;
        if (spd_sv_is(one, "all"))
            for (int i = 1; i < STATUSES; i++)
                w->status[i] = true;
        else if (s > 0)
            w->status[s] = true;
        else
            return false;
    }
    return true;
}

static bool read_cursor(spd_sv c, struct wanted *w)
{
    size_t n = 0, at = 1;
    if (!c.len) return true;
    w->kind = c.ptr[0];
    if (w->kind != 'r' && w->kind != 'i' && w->kind != 's') return false;
    for (; at < c.len && n < 4; n++) {
        size_t end = at;
        while (end < c.len && c.ptr[end] != '.')
            end++;
        if (!spd_sv_to_i64(spd_sv_of(c.ptr + at, end - at), &w->key[n])) return false;
        at = end + 1;
    }
    return at >= c.len && n == (w->kind == 'r' ? 4 : 1);
}

static bool read_wanted(struct spd_web_req *r, struct wanted *w)
{
    int64_t limit = USUAL;
    spd_sv v = spd_web_arg(r, "limit");
    *w = (struct wanted){.modality = spd_web_arg(r, "modality"),
                         .location = spd_web_arg(r, "location")};
    if (v.len && (!spd_sv_to_i64(v, &limit) || limit < 1))
        return spd_web_bad_value(r, "limit"), false;
    if (!read_status(spd_web_arg(r, "status"), w)) return spd_web_bad_value(r, "status"), false;
    if (!read_cursor(spd_web_arg(r, "after"), w)) return spd_web_bad_value(r, "after"), false;
    w->limit = limit > MOST ? MOST : (size_t)limit;
    return true;
}

static bool passes(const struct wanted *w, const struct spd_view *v)
{
    return (unsigned)v->status < STATUSES && w->status[v->status] &&
           in_list(w->modality, v->item.modality) && in_list(w->location, v->item.location);
}

/* True: the page is full. */
static bool give(struct spd_web_req *r, struct wanted *w, const struct spd_view *v, size_t rank)
{
    const struct spd_item *i = &v->item;
    if (rank)
        snprintf(w->next, sizeof w->next, "r%d.%lld.%lld.%lld", (int)i->level, (long long)i->due,
                 (long long)i->arrived, (long long)i->id);
    spd_j_open(&r->out, NULL, '{');
    spd_web_item(spd_web_eye(r), &r->out, v, rank);
    spd_j_close(&r->out, '}');
    return ++w->given >= w->limit;
}

static int order(const struct spd_item *i, const int64_t key[4])
{
    /* As src/list/list.c orders: no level and no due come last. */
    const int64_t own[4] = {i->level ? i->level : INT32_MAX, i->due ? i->due : INT64_MAX,
                            i->arrived, i->id};
    const int64_t other[4] = {key[0] ? key[0] : INT32_MAX, key[1] ? key[1] : INT64_MAX, key[2],
                              key[3]};
    for (int k = 0; k < 4; k++)
        if (own[k] != other[k]) return own[k] < other[k] ? -1 : 1;
    return 0;
}

static size_t place_after(const struct spd_list *l, const int64_t key[4])
{
    size_t low = 0, high = spd_list_count(l);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (order(&spd_list_at(l, mid)->view.item, key) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool ranked(struct spd_web_req *r, struct wanted *w, const struct spd_list *l)
{
    const struct spd_row *row;
    if (w->kind == 'i' || w->kind == 's') return false;
    for (size_t k = w->kind == 'r' ? place_after(l, w->key) : 0; (row = spd_list_at(l, k)); k++)
        if (passes(w, &row->view) && give(r, w, &row->view, k + 1))
            return spd_list_at(l, k + 1) != NULL;
    return false;
}

static bool by_id(struct spd_web_req *r, struct wanted *w, const struct spd_list *l)
{
    const struct spd_row *row;
    int64_t id = w->kind == 'i' ? w->key[0] : 0;
    if (w->kind == 's' || !(w->status[SPD_STATUS_ORDERED] || w->status[SPD_STATUS_PRELIMINARY]))
        return false;
    while ((row = spd_list_next_by_id(l, id))) {
        enum spd_status s = row->view.status;
        id = row->view.item.id;
        if ((s != SPD_STATUS_ORDERED && s != SPD_STATUS_PRELIMINARY) || !passes(w, &row->view))
            continue;
        snprintf(w->next, sizeof w->next, "i%lld", (long long)id);
        if (give(r, w, &row->view, 0)) return true;
    }
    return false;
}

/* Final and cancelled ones, newest first. False with an answer when the store cannot be read. */
static bool closed(struct spd_web_req *r, struct wanted *w, bool *ret_more)
{
    spd_sv names[2];
    struct spd_query_items f = {.status = names};
    struct spd_query_page page = {
        .newest_first = true, .after = w->kind == 's' ? w->key[0] : 0, .limit = 200};
    struct spd_query *q;
    struct spd_err err = {0};
    int64_t ids[200];
    size_t n = 0;
    *ret_more = false;
    if (w->status[SPD_STATUS_FINAL]) names[f.n_status++] = SPD_SV("final");
    if (w->status[SPD_STATUS_CANCELLED]) names[f.n_status++] = SPD_SV("cancelled");
    if (!f.n_status) return true;
    if (!(q = spd_web_db(r))) return false;
    do {
        enum spd_rc rc = spd_query_items(q, &f, page, ids, &n, &err);
        for (size_t i = 0; !rc && i < n; i++) {
            struct spd_view v;
            page.after = ids[i];
            rc = spd_web_view(r, q, ids[i], &v, &err);
            if (rc || !passes(w, &v)) continue;
            snprintf(w->next, sizeof w->next, "s%lld", (long long)ids[i]);
            if (give(r, w, &v, 0)) {
                *ret_more = true;
                return true;
            }
        }
        if (rc) {
            spd_web_store_failed(r, rc);
            return false;
        }
    } while (n == page.limit);
    return true;
}

static bool fill(struct spd_web_req *r, struct wanted *w, const struct spd_list *l)
{
    bool more;
    spd_web_list_open(r, spd_list_revision(l), spd_web_now(r->web));
    spd_j_bool(&r->out, "complete", spd_list_complete(l));
    spd_web_observe(r);
    spd_j_open(&r->out, "items", '[');
    more = ranked(r, w, l);
    if (!more && w->given < w->limit) {
        more = by_id(r, w, l);
        if (!more && w->given < w->limit && !closed(r, w, &more)) return false;
    } else if (!more && (w->status[SPD_STATUS_ORDERED] || w->status[SPD_STATUS_PRELIMINARY])) {
        snprintf(w->next, sizeof w->next,
                 "i0"); /* the page ended exactly where the listed rows do */
        more = true;
    } else if (!more && (w->status[SPD_STATUS_FINAL] || w->status[SPD_STATUS_CANCELLED])) {
        snprintf(w->next, sizeof w->next, "s0");
        more = true;
    }
    spd_j_close(&r->out, ']');
    if (more) spd_j_z(&r->out, "next", w->next);
    spd_j_close(&r->out, '}');
    return true;
}

static bool not_modified(struct spd_web_req *r, spd_sv etag)
{
    spd_sv have = spd_web_header(r, "If-None-Match");
    if (!have.len || (!spd_sv_is(have, "*") && !spd_sv_find(have, etag, NULL))) return false;
    r->status = 304;
    return true;
}

void spd_web_h_worklist(struct spd_web_req *r)
{
    struct wanted w;
    int64_t at_least = 0;
    spd_sv v = spd_web_arg(r, "at_least");
    if (v.len && (!spd_sv_to_i64(v, &at_least) || at_least < 0)) {
        spd_web_bad_value(r, "at_least");
        return;
    }
    if (!read_wanted(r, &w)) return;
    const struct spd_list *l = spd_board_get(r->web->host.board);
    if (!l || (spd_list_revision(l) < at_least && !r->waited)) {
        spd_list_unref(l);
        r->wait_revision = at_least;
        r->wait_until = spd_clock_monotonic() + SPD_SEC(10);
        if (!l && r->waited) spd_web_problem(r, 503, "busy", SPD_SV_NONE);
        return;
    }
    spd_sv etag = spd_arena_printf(r->arena, "\"%lld\"", (long long)spd_list_revision(l));
    spd_web_set(r, "ETag", etag);
    spd_web_set(r, "Vary", SPD_SV("Accept-Language, Cookie, Authorization"));
    if (!not_modified(r, etag) && fill(r, &w, l)) spd_web_json_done(r, 200);
    spd_list_unref(l);
}
