/* src/door/ups.c: see ups.h. */
#include "door/ups.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "door/value.h"

enum { EVENTS_BACK = 10000, PAGE = 256 };
#define DAYS_BACK SPD_HOUR(24 * 7)
#define REQUEST_BYTES_MAX ((size_t)64 << 20)

struct spd_ups_door {
    struct spd_ups_host host;
    struct spd_ups_site site;
    char *url, *name;
    pthread_mutex_t lock;
    struct spd_store *store;      /* under lock; NULL: opened when it is needed */
    atomic_int_fast64_t revision; /* newest that a request of ours made */
};

struct spd_ups_door *spd_ups_door_new(const struct spd_ups_host *host)
{
    struct spd_ups_door *u = spd_must_malloc(sizeof *u);
    struct spd_str name = SPD_STR_INIT(4096), url = SPD_STR_INIT(4096);
    u->host = *host;
    spd_str_add(&name, host->site), spd_str_addz(&url, host->store_url);
    u->name = name.ptr, u->url = url.ptr; /* theirs now */
    u->site = (struct spd_ups_site){host->zone, host->dutch, spd_str_sv(&name)};
    pthread_mutex_init(&u->lock, NULL);
    return u;
}

void spd_ups_door_free(struct spd_ups_door *u)
{
    if (!u) return;
    spd_store_close(u->store);
    pthread_mutex_destroy(&u->lock);
    spd_free(u->name), spd_free(u->url);
    spd_free(u);
}

/* The read-only store, locked; NULL (and unlocked) when it cannot be had. */
static struct spd_store *store_lock(struct spd_ups_door *u)
{
    pthread_mutex_lock(&u->lock);
    if (!u->store && spd_store_open(u->url, SPD_STORE_READ, &u->store, NULL)) u->store = NULL;
    if (!u->store) pthread_mutex_unlock(&u->lock);
    return u->store;
}

/* After an error the handle is opened anew. */
static void store_unlock(struct spd_ups_door *u, enum spd_rc rc)
{
    if (rc && rc != SPD_NOTFOUND) spd_store_close(u->store), u->store = NULL;
    pthread_mutex_unlock(&u->lock);
}

/* ---- retrieve -------------------------------------------------------------------------------- */
static void retrieve(struct spd_ups_door *u, spd_sv uid, struct spd_arena *arena,
                     struct spd_ups_said *ret)
{
    struct spd_store *st = store_lock(u);
    struct spd_workitem *w = SPD_NEW(arena, struct spd_workitem);
    struct spd_item *item = SPD_NEW(arena, struct spd_item);
    int64_t id;
    if (!st) {
        ret->status = SPD_UPS_RESOURCES;
        return;
    }
    enum spd_rc rc = spd_store_find_one(st, SPD_KEY_WORKITEM_UID, uid, &id, NULL);
    if (!rc) rc = spd_get_workitem(st, id, w, arena, NULL);
    if (!rc) rc = spd_get_item(st, w->item, item, arena, NULL);
    if (!rc) spd_ups_dataset(item, w, &u->site, &ret->set, arena);
    store_unlock(u, rc);
    ret->has_set = !rc;
    ret->status = !rc ? SPD_UPS_OK : rc == SPD_NOTFOUND ? SPD_UPS_NO_SUCH : SPD_UPS_RESOURCES;
}

/* ---- changes --------------------------------------------------------------------------------- */
struct done {
    struct spd_ups_door *u;
    struct spd_ups_said *said;
    struct spd_arena *arena;
};

static void copy_receipt(void *ctx, const struct spd_receipt *r)
{
    struct done *d = ctx;
    if (!r) return;
    d->said->status = r->ups;
    d->said->comment = spd_arena_dup(d->arena, r->reason_en);
    int_fast64_t had = atomic_load(&d->u->revision);
    while (had < r->revision && !atomic_compare_exchange_weak(&d->u->revision, &had, r->revision)) {
    }
}

static void submit(struct spd_ups_door *u, struct spd_workitem_event *e, unsigned warning,
                   struct spd_arena *arena, struct spd_ups_said *ret)
{
    struct spd_event event = {.type = SPD_EVENT_WORKITEM, .u.workitem = e};
    struct done d = {u, ret, arena};
    ret->status = SPD_UPS_RESOURCES;
    if (spd_writer_call(u->host.writer, &event, copy_receipt, &d))
        ret->status = SPD_UPS_RESOURCES, ret->comment = SPD_SV("cannot be committed now");
    if (!ret->status && warning) {
        ret->status = warning;
        ret->comment = SPD_SV("some attributes were left out or belong to the order");
    }
}

static void about(struct spd_ups_said *ret, unsigned status, uint32_t tag, struct spd_arena *arena)
{
    const char *what = status == SPD_UPS_MISSING_ATTRIBUTE ? "is missing"
                       : status == SPD_UPS_MISSING_VALUE   ? "has no value"
                       : status == SPD_UPS_NOT_SCHEDULED   ? "must be SCHEDULED"
                       : status == SPD_UPS_RESOURCES       ? "is larger than what is kept here"
                                                           : "has a value that cannot be";
    ret->status = status;
    ret->comment = tag ? spd_arena_printf(arena, "(%04X,%04X) %s", tag >> 16, tag & 0xFFFF, what)
                       : spd_arena_printf(arena, "an attribute %s", what);
}

static bool is_failure(unsigned status)
{
    return status && status != SPD_UPS_NOT_SUPPORTED_OPTIONAL && (status & 0xF000) != 0xB000;
}

static void create(struct spd_ups_door *u, const struct spd_ups_ask *ask,
                   struct spd_workitem_event *e, struct spd_arena *arena, struct spd_ups_said *ret)
{
    uint32_t tag;
    unsigned status = spd_ups_create(ask, u->host.zone, e, &tag, arena);
    if (!e->uid.len && ask->data) e->uid = spd_dcm_raw(&ask->data->set, 0x00080018);
    if (!e->uid.len) e->uid = spd_door_new_uid(arena);
    ret->uid = e->uid;
    if (!is_failure(status) && !spd_dcm_is_uid(e->uid))
        status = SPD_UPS_INVALID_VALUE, tag = 0x00080018;
    if (is_failure(status))
        about(ret, status, tag, arena);
    else
        submit(u, e, status, arena, ret);
}

static void update(struct spd_ups_door *u, const struct spd_ups_ask *ask,
                   struct spd_workitem_event *e, struct spd_arena *arena, struct spd_ups_said *ret)
{
    spd_sv state = ask->data ? spd_dcm_raw(&ask->data->set, 0x00741000) : SPD_SV_NONE;
    unsigned status = ask->data ? spd_ups_take(ask->data, false, e, arena) : SPD_UPS_OK;
    if (state.len && !is_failure(status))
        status = spd_sv_is(state, "SCHEDULED") ? SPD_UPS_NOT_TO_SCHEDULED : SPD_UPS_INVALID_VALUE;
    if (is_failure(status))
        about(ret, status, state.len ? 0x00741000 : 0, arena);
    else
        submit(u, e, status, arena, ret);
}

static void change_state(struct spd_ups_door *u, const struct spd_ups_ask *ask,
                         struct spd_workitem_event *e, struct spd_arena *arena,
                         struct spd_ups_said *ret)
{
    const struct spd_dcm_elem *there = ask->data ? spd_dcm_find(&ask->data->set, 0x00741000) : NULL;
    spd_sv state = there ? spd_dcm_raw(&ask->data->set, 0x00741000) : SPD_SV_NONE;
    int which = spd_enum_from(spd_workitem_state_names, state);
    if (!state.len || which <= 0) {
        about(ret,
              !there       ? SPD_UPS_MISSING_ATTRIBUTE
              : !state.len ? SPD_UPS_MISSING_VALUE
                           : SPD_UPS_INVALID_VALUE,
              0x00741000, arena);
        return;
    }
    e->state = which;
    submit(u, e, 0, arena, ret);
}

/* The reason goes along with the event, and stays with a workitem that ends by it. */
static void request_cancel(struct spd_ups_door *u, const struct spd_ups_ask *ask,
                           struct spd_workitem_event *e, struct spd_arena *arena,
                           struct spd_ups_said *ret)
{
    static const struct {
        uint32_t tag;
        const char *vr;
    } told[] = {{0x0074100A, "UR"}, {0x0074100C, "LO"}, {0x0074100E, "SQ"}, {0x00741238, "LT"}};
    struct spd_str progress = SPD_STR_INIT(1 << 16);
    spd_str_addz(&progress, "{\"vr\":\"SQ\",\"Value\":[{");
    for (size_t i = 0; ask->data && i < sizeof told / sizeof *told; i++) {
        const struct spd_dcm_elem *x = spd_dcm_find(&ask->data->set, told[i].tag);
        struct spd_attribute *a;
        spd_sv json = x ? spd_ups_attribute_json(ask->data, x, told[i].vr, arena) : SPD_SV_NONE;
        if (!json.len) continue;
        a = SPD_LIST_ADD(&e->attributes, arena);
        a->tag = told[i].tag, a->json = json;
        if (told[i].tag != 0x0074100E && told[i].tag != 0x00741238) continue;
        spd_str_addf(&progress, "%s\"%08X\":%.*s", progress.ptr[progress.len - 1] == '{' ? "" : ",",
                     (unsigned)told[i].tag, SPD_SV_ARG(json));
    }
    if (progress.ptr[progress.len - 1] != '{' && spd_str_ok(&progress)) {
        struct spd_attribute *a = SPD_LIST_ADD(&e->attributes, arena);
        spd_str_addz(&progress, "}]}");
        a->tag = 0x00741002, a->json = spd_arena_dup(arena, spd_str_sv(&progress));
    }
    spd_str_done(&progress);
    submit(u, e, 0, arena, ret);
}

static void subscription(struct spd_ups_door *u, const struct spd_ups_ask *ask,
                         struct spd_workitem_event *e, struct spd_arena *arena,
                         struct spd_ups_said *ret)
{
    struct spd_str keys = SPD_STR_INIT(1 << 20);
    bool filtered = spd_sv_is(ask->uid, SPD_UPS_FILTERED), any = false;
    e->receiver = ask->receiver;
    if (!e->receiver.len || e->receiver.len > 16) {
        about(ret, e->receiver.len ? SPD_UPS_INVALID_VALUE : SPD_UPS_MISSING_VALUE, 0x00741234,
              arena);
        return;
    }
    for (size_t i = 0; filtered && ask->keys && i < ask->keys->n_keys; i++)
        any |= ask->keys->keys[i].value.len > 0;
    if (filtered && ask->verb == SPD_UPS_SUBSCRIBE && !any) {
        ret->status = SPD_UPS_MISSING_ATTRIBUTE;
        ret->comment = SPD_SV("a filtered subscription needs a matching key");
        return;
    }
    if (any) {
        spd_find_keys_encode(ask->keys, &keys);
        e->keys = spd_arena_dup(arena, spd_str_sv(&keys));
        spd_str_done(&keys);
    }
    e->lock = ask->lock;
    submit(u, e, 0, arena, ret);
}

void spd_ups_ask(struct spd_ups_door *u, const struct spd_ups_ask *ask, struct spd_arena *arena,
                 struct spd_ups_said *ret)
{
    struct spd_workitem_event e = {.verb = (int32_t)ask->verb,
                                   .uid = ask->uid,
                                   .by = ask->by,
                                   .web = ask->web,
                                   .transaction = ask->transaction};
    *ret = (struct spd_ups_said){.uid = ask->uid};
    if (ask->peer) e.order.message.peer = ask->peer->name;
    if (!e.transaction.len && ask->data && ask->verb != SPD_UPS_CREATE)
        e.transaction = spd_dcm_raw(&ask->data->set, 0x00081195);
    if (e.transaction.len && !spd_dcm_is_uid(e.transaction)) {
        about(ret, SPD_UPS_INVALID_VALUE, 0x00081195, arena);
        return;
    }
    switch (ask->verb) {
    case SPD_UPS_CREATE:
        create(u, ask, &e, arena, ret);
        break;
    case SPD_UPS_UPDATE:
        update(u, ask, &e, arena, ret);
        break;
    case SPD_UPS_CHANGE_STATE:
        change_state(u, ask, &e, arena, ret);
        break;
    case SPD_UPS_REQUEST_CANCEL:
        request_cancel(u, ask, &e, arena, ret);
        break;
    case SPD_UPS_SUBSCRIBE:
    case SPD_UPS_UNSUBSCRIBE:
    case SPD_UPS_SUSPEND:
        subscription(u, ask, &e, arena, ret);
        break;
    case SPD_WORKITEM_VERB_UNSET:
        retrieve(u, ask->uid, arena, ret);
        break;
    case SPD_UPS_SEEN:
    case SPD_WORKITEM_VERB_N:
        break;
    }
    if (ret->status == SPD_UPS_NO_SUCH) ret->comment = SPD_SV("there is no such workitem");
}

/* ---- search ---------------------------------------------------------------------------------- */
struct search {
    struct spd_ups_door *u;
    const struct spd_find_query *q;
    bool all;
    bool (*answer)(void *ctx, const struct spd_dcm_set *set);
    void *ctx;
    struct spd_arena *arena; /* of one row */
    size_t n;
};

/* What most searches ask for, seen without making the data set. */
static bool may_match(const struct spd_find_query *q, const struct spd_view *v)
{
    for (size_t i = 0; i < q->n_keys; i++) {
        const struct spd_find_key *k = &q->keys[i];
        spd_sv is = spd_sv_from(spd_enum_name(spd_workitem_state_names, v->workitem.state));
        if (k->depth != 1 || !k->value.len || memchr(k->value.ptr, '*', k->value.len) ||
            memchr(k->value.ptr, '?', k->value.len) || memchr(k->value.ptr, '\\', k->value.len))
            continue;
        if (k->path[0] == 0x00741000 && !spd_sv_eq(spd_sv_trim(k->value), is)) return false;
        if (k->path[0] == 0x00080018 && !spd_sv_eq(spd_sv_trim(k->value), v->workitem.uid))
            return false;
    }
    return true;
}

static bool one_row(struct search *s, const struct spd_row *row)
{
    struct spd_dcm_set set, part;
    if (!row->view.workitem.id || !may_match(s->q, &row->view)) return true;
    spd_arena_reset(s->arena);
    spd_ups_dataset(&row->view.item, &row->view.workitem, &s->u->site, &set, s->arena);
    if (!spd_ups_matches(&set, s->q->keys, s->q->n_keys)) return true;
    if (!s->all) spd_ups_select(&set, s->q->keys, s->q->n_keys, &part, s->arena);
    s->n++;
    return s->answer(s->ctx, s->all ? &set : &part);
}

size_t spd_ups_search(struct spd_ups_door *u, const struct spd_find_query *q, bool all,
                      bool (*answer)(void *ctx, const struct spd_dcm_set *set), void *ctx)
{
    struct search s = {u, q, all, answer, ctx, spd_arena_new(REQUEST_BYTES_MAX), 0};
    /* What was created a moment ago is found. */
    const struct spd_list *list =
        spd_board_wait(u->host.board, atomic_load(&u->revision), SPD_SEC(1));
    const struct spd_row *row = NULL;
    bool more = true;
    if (!s.arena) spd_out_of_memory();
    for (size_t i = 0; more && (row = spd_list_at(list, i)); i++)
        more = one_row(&s, row);
    for (int64_t after = 0; more && (row = spd_list_next_by_id(list, after));
         after = row->view.item.id)
        if (!spd_item_listed(&row->view.item)) more = one_row(&s, row);
    spd_list_unref(list);
    spd_arena_free(s.arena);
    return s.n;
}

/* ---- events ---------------------------------------------------------------------------------- */
struct telling {
    bool (*say)(void *ctx, int64_t position, spd_sv json);
    void *ctx;
    bool more;
};

static enum spd_rc tell(struct spd_store *st, int64_t id, spd_usec oldest, struct telling *t,
                        struct spd_arena *arena)
{
    struct spd_workitem_report r;
    struct spd_str json = SPD_STR_INIT(1 << 20);
    enum spd_rc rc = spd_get_workitem_report(st, id, &r, arena, NULL);
    if (!rc && r.at >= oldest) {
        spd_ups_report_json(&r, &json, arena);
        t->more = t->say(t->ctx, id, spd_str_sv(&json));
    }
    spd_str_done(&json);
    return rc;
}

int64_t spd_ups_events(struct spd_ups_door *u, spd_sv ae, int64_t after, size_t max, spd_usec now,
                       bool (*say)(void *ctx, int64_t position, spd_sv json), void *ctx)
{
    struct spd_arena *arena = spd_arena_new(REQUEST_BYTES_MAX);
    struct spd_store *st = store_lock(u);
    struct telling t = {say, ctx, true};
    int64_t ids[PAGE], newest = 0, id, from;
    enum spd_rc rc = SPD_OK;
    size_t n = 0;
    if (!arena) spd_out_of_memory();
    if (!st) {
        spd_arena_free(arena);
        return after;
    }
    if (after < 0) {
        struct spd_subscriber s = {0};
        rc = spd_store_find_one(st, SPD_KEY_SUBSCRIBER_AE, ae, &id, NULL);
        if (!rc) rc = spd_get_subscriber(st, id, &s, arena, NULL);
        if (!rc) after = s.seen;
    }
    if (!rc) rc = spd_store_max_id(st, SPD_T_WORKITEM_REPORT, &newest, NULL);
    if (rc == SPD_NOTFOUND) after = newest; /* follows nothing yet */
    from = after < newest - EVENTS_BACK ? newest - EVENTS_BACK : after;
    if (!rc) {
        rc = spd_store_find(st, SPD_KEY_REPORT_RECEIVER, ae, from, ids, max < PAGE ? max : PAGE, &n,
                            NULL);
        if (after < from) after = from;
    }
    for (size_t i = 0; !rc && i < n && t.more; i++) {
        rc = tell(st, ids[i], now - DAYS_BACK, &t, arena);
        if (!rc && t.more) after = ids[i];
    }
    store_unlock(u, rc);
    spd_arena_free(arena);
    return after;
}

void spd_ups_seen(struct spd_ups_door *u, spd_sv ae, int64_t position)
{
    struct spd_workitem_event e = {
        .verb = SPD_UPS_SEEN, .web = 1, .receiver = ae, .position = position};
    struct spd_event event = {.type = SPD_EVENT_WORKITEM, .u.workitem = &e};
    spd_writer_submit(u->host.writer, &event, NULL, NULL); /* lost: they come once more */
}
