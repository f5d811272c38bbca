/* src/daemon/ups.c: UPS-RS between the web and the door: the web knows HTTP, the door knows UPS.
 * Called from the web's threads. */
#include <stdio.h>

#include "daemon/internal.h"
#include "door/ups_rs.h"

static const enum spd_workitem_verb verbs[] = {
    [SPD_WEB_UPS_RETRIEVE] = SPD_WORKITEM_VERB_UNSET,
    [SPD_WEB_UPS_SEARCH] = SPD_WORKITEM_VERB_UNSET,
    [SPD_WEB_UPS_CREATE] = SPD_UPS_CREATE,
    [SPD_WEB_UPS_UPDATE] = SPD_UPS_UPDATE,
    [SPD_WEB_UPS_STATE] = SPD_UPS_CHANGE_STATE,
    [SPD_WEB_UPS_CANCEL] = SPD_UPS_REQUEST_CANCEL,
    [SPD_WEB_UPS_SUBSCRIBE] = SPD_UPS_SUBSCRIBE,
    [SPD_WEB_UPS_UNSUBSCRIBE] = SPD_UPS_UNSUBSCRIBE,
    [SPD_WEB_UPS_SUSPEND] = SPD_UPS_SUSPEND,
};

static void said(struct spd_web_ups_said *ret, unsigned status, spd_sv text)
{
    ret->status = status;
    snprintf(ret->text, sizeof ret->text, "%.*s", SPD_SV_ARG(text));
}

static bool read_keys(const struct spd_web_ups *ask, struct spd_find_query *q, size_t *limit,
                      size_t *offset, struct spd_arena *arena, struct spd_web_ups_said *ret)
{
    struct spd_ups_key *keys = SPD_NEW_N(arena, struct spd_ups_key, ask->n_keys + 1);
    struct spd_err err = {0};
    for (size_t i = 0; i < ask->n_keys; i++)
        keys[i] = (struct spd_ups_key){ask->keys[i].name, ask->keys[i].value};
    if (!spd_ups_rs_keys(keys, ask->n_keys, q, limit, offset, arena, &err)) return true;
    said(ret, SPD_UPS_INVALID_VALUE, spd_sv_from(err.text));
    return false;
}

static void change(struct spd_daemon *d, const struct spd_web_ups *ask, const struct spd_dcm *data,
                   const struct spd_find_query *keys, struct spd_str *out, struct spd_arena *arena,
                   struct spd_web_ups_said *ret)
{
    struct spd_door_peer peer;
    struct spd_ups_said answer;
    struct spd_ups_ask q = {.verb = verbs[ask->act],
                            .uid = ask->uid,
                            .by = ask->from.user,
                            .peer = &peer,
                            .data = data->set.n ? data : NULL,
                            .transaction = ask->transaction,
                            .receiver = ask->receiver,
                            .lock = ask->lock,
                            .web = true,
                            .keys = keys};
    spd_host_door_peer(d, &ask->from, arena, &peer);
    if (ask->act == SPD_WEB_UPS_STATE && data->set.n && !spd_dcm_raw(&data->set, 0x00081195).len) {
        said(ret, SPD_UPS_MISSING_ATTRIBUTE, SPD_SV("(0008,1195) is missing")); /* PS3.18 11.7.3 */
        return;
    }
    spd_ups_ask(d->ups, &q, arena, &answer);
    said(ret, answer.status, answer.comment);
    snprintf(ret->uid, sizeof ret->uid, "%.*s", SPD_SV_ARG(answer.uid));
    if (!answer.has_set) return;
    struct spd_dcm set = {.set = answer.set, .charset = SPD_SV("ISO_IR 192")};
    spd_str_addc(out, '[');
    spd_dcm_to_json(&set, out, arena);
    spd_str_addc(out, ']');
}

void spd_host_ups(void *self, const struct spd_web_ups *ask, struct spd_str *out,
                  struct spd_web_ups_said *ret)
{
    struct spd_daemon *d = self;
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    struct spd_find_query q = {0};
    size_t limit, offset;
    struct spd_dcm data;
    struct spd_err err = {0};
    bool keyed = ask->act == SPD_WEB_UPS_SEARCH || ask->act == SPD_WEB_UPS_SUBSCRIBE;
    if (!arena) spd_out_of_memory();
    if (spd_ups_rs_body(ask->body, &data, arena, &err))
        said(ret, SPD_UPS_INVALID_VALUE, spd_sv_from(err.text));
    else if (keyed && !read_keys(ask, &q, &limit, &offset, arena, ret))
        ; /* said */
    else if (ask->act == SPD_WEB_UPS_SEARCH)
        ret->n = spd_ups_rs_search(d->ups, &q, limit, offset, out, &ret->more);
    else
        change(d, ask, &data, &q, out, arena, ret);
    spd_arena_free(arena);
}

int64_t spd_host_ups_events(void *self, spd_sv ae, int64_t after, size_t max,
                            bool (*say)(void *ctx, int64_t position, spd_sv json), void *ctx)
{
    struct spd_daemon *d = self;
    return spd_ups_events(d->ups, ae, after, max, spd_host_now(d), say, ctx);
}

void spd_host_ups_seen(void *self, spd_sv ae, int64_t position)
{
    struct spd_daemon *d = self;
    spd_ups_seen(d->ups, ae, position);
}
