/* src/cli/queue_store.c: see queue_store.h. */
#define _GNU_SOURCE
#include "cli/queue_store.h"

#include <stdio.h>

#include "cli/offline.h"
#include "store/query.h"

#define ARENA_MAX ((size_t)256 << 20)

/* ---- without a brain ----------------------------------------------------------------------------
 */
static json_t *time_json(const struct spd_zone *zone, spd_usec t)
{
    struct spd_arena *arena = spd_arena_new(1024);
    json_t *v;
    if (!arena) spd_out_of_memory();
    v = t ? json_string(spd_time_iso(arena, zone, t).ptr) : json_null();
    spd_arena_free(arena);
    return v;
}

static json_t *text_json(spd_sv v)
{
    return v.len ? json_stringn(v.ptr, v.len) : json_null();
}

static json_t *id_json(int64_t id)
{
    return id ? json_integer(id) : json_null();
}

static json_t *row_json(const struct spd_outbox *o, const struct spd_zone *zone)
{
    json_t *row = json_object();
    json_object_set_new(row, "id", json_integer(o->id));
    json_object_set_new(row, "at", time_json(zone, o->at));
    json_object_set_new(row, "destination", text_json(o->destination));
    json_object_set_new(row, "kind", json_string(spd_enum_name(spd_outbox_kind_names, o->kind)));
    json_object_set_new(row, "state", json_string(spd_enum_name(spd_outbox_state_names, o->state)));
    json_object_set_new(row, "due", time_json(zone, o->due));
    json_object_set_new(row, "attempts", json_integer(o->attempts));
    json_object_set_new(row, "error", text_json(o->error));
    json_object_set_new(row, "control_id", text_json(o->control_id));
    json_object_set_new(row, "item", id_json(o->item));
    json_object_set_new(row, "alert", id_json(o->alert));
    json_object_set_new(row, "message", id_json(o->message));
    json_object_set_new(row, "repeat", json_integer(o->repeat));
    json_object_set_new(row, "accepted", time_json(zone, o->accepted));
    return row;
}

static enum spd_rc read_rows(const struct spd_queue_ask *j, json_t **ret, struct spd_query *q,
                             struct spd_arena *arena, const struct spd_zone *zone,
                             struct spd_err *err)
{
    int64_t ids[SPD_QUEUE_ROWS];
    size_t n;
    struct spd_query_page page = {.limit = SPD_QUEUE_ROWS, .newest_first = true};
    json_t *list = json_array();
    enum spd_rc rc =
        spd_query_outbox(q, spd_sv_from(j->state), spd_sv_from(j->destination), page, ids, &n, err);
    *ret = json_pack("{s:o}", "queue", list);
    for (size_t i = 0; i < n && !rc; i++) {
        struct spd_outbox o;
        rc = spd_get_outbox(spd_query_store(q), ids[i], &o, arena, err);
        if (!rc) json_array_append_new(list, row_json(&o, zone));
    }
    return rc;
}

static enum spd_rc read_row(const struct spd_queue_ask *j, json_t **ret, struct spd_query *q,
                            struct spd_arena *arena, const struct spd_zone *zone,
                            struct spd_err *err)
{
    struct spd_outbox o;
    enum spd_rc rc = spd_get_outbox(spd_query_store(q), j->id, &o, arena, err);
    if (rc == SPD_NOTFOUND) return spd_fail(err, rc, "queue", "there is no such row");
    if (rc) return rc;
    *ret = row_json(&o, zone);
    if (o.kind != SPD_OUTBOX_PAGE) json_object_set_new(*ret, "wire", text_json(o.wire));
    json_object_set_new(*ret, "done_at", time_json(zone, o.done_at));
    return SPD_OK;
}

int spd_queue_read(const struct spd_queue_ask *j, json_t **ret)
{
    struct spd_arena *arena = spd_arena_new(ARENA_MAX);
    struct spd_query *q = NULL;
    struct spd_err err = {0};
    if (!arena) spd_out_of_memory();
    const struct spd_zone *zone = spd_zone_get(spd_arena_dup(arena, j->c->settings.time_zone).ptr);
    enum spd_rc rc = spd_query_open(spd_arena_dup(arena, j->c->store_url).ptr, &q, &err);
    if (!rc && j->id)
        rc = read_row(j, ret, q, arena, zone ? zone : spd_zone_utc(), &err);
    else if (!rc)
        rc = read_rows(j, ret, q, arena, zone ? zone : spd_zone_utc(), &err);
    if (rc) fprintf(stderr, "spoed: %s: %s\n", err.place, err.text);
    spd_query_close(q);
    spd_arena_free(arena);
    return !rc ? SPD_EXIT_OK : rc == SPD_STALE ? SPD_EXIT_MIGRATE : SPD_EXIT_FAILURE;
}

int spd_queue_write(const struct spd_queue_ask *j, bool last, json_t **ret)
{
    struct spd_offline *offline = NULL;
    spd_sv admin = SPD_SV("admin");
    struct spd_action_event a = {.verb = j->act,
                                 .by = SPD_SV("command line"),
                                 .roles = {&admin, 1},
                                 .outbox = j->id,
                                 .to = spd_sv_from(j->name),
                                 .reason = spd_sv_from(j->reason)};
    struct spd_receipt r;
    struct spd_err err = {0};
    enum spd_rc rc = spd_offline_open(j->c, true, &offline, &err), closed;
    if (rc == SPD_EXISTS && !last) return SPD_OFFLINE_LOCKED;
    if (!rc) rc = spd_offline_apply(offline, SPD_EVENT_ACTION, &a, &r, &err);
    if (!rc && r.rc)
        rc = spd_fail(&err, r.rc, "queue", "%.*s", SPD_SV_ARG(r.reason_en));
    else if (!rc)
        *ret = json_pack("{s:I}", "revision", (json_int_t)r.revision);
    closed = offline ? spd_offline_close(offline, rc ? NULL : &err) : SPD_OK;
    if (!rc) rc = closed;
    if (rc) fprintf(stderr, "spoed: %s: %s\n", err.place, err.text);
    return !rc ? SPD_EXIT_OK : rc == SPD_STALE ? SPD_EXIT_MIGRATE : SPD_EXIT_FAILURE;
}

int spd_queue_retry(int (*f)(void *ctx, bool last), void *ctx)
{
    return spd_offline_retry(f, ctx);
}
