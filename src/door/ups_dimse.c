/* src/door/ups_dimse.c: UPS by DIMSE: Push, Pull, Watch and Query as SCP (PS3.4 CC.2). Requests and
 * answers only; see ups.h. Whoever may associate may look; only a configured peer may change
 * anything. */
#include "door/dimse.h"
#include "door/ups.h"

static spd_sv text_of(const struct spd_dimse *d, const struct spd_n_request *r, uint32_t tag)
{
    return r->has_data ? spd_sv_trim(spd_dcm_text(&r->data, &r->data.set, tag, d->arena, NULL))
                       : SPD_SV_NONE;
}

/* What the action type is; UNSET: none of ours. */
static enum spd_workitem_verb action_of(unsigned type)
{
    static const enum spd_workitem_verb verbs[] = {SPD_WORKITEM_VERB_UNSET, SPD_UPS_CHANGE_STATE,
                                                   SPD_UPS_REQUEST_CANCEL,  SPD_UPS_SUBSCRIBE,
                                                   SPD_UPS_UNSUBSCRIBE,     SPD_UPS_SUSPEND};
    return type < sizeof verbs / sizeof *verbs ? verbs[type] : SPD_WORKITEM_VERB_UNSET;
}

static enum spd_workitem_verb verb_of(const struct spd_n_request *r)
{
    return r->field == SPD_N_CREATE   ? SPD_UPS_CREATE
           : r->field == SPD_N_SET    ? SPD_UPS_UPDATE
           : r->field == SPD_N_ACTION ? action_of(r->type_id)
                                      : SPD_WORKITEM_VERB_UNSET;
}

/* Those of the attributes that were asked for; all when none were named (PS3.7 10.1.2.1.6). */
static void get_answer(const struct spd_dimse *d, const struct spd_n_request *r,
                       const struct spd_dcm_set *set, struct spd_n_answer *answer)
{
    struct spd_find_key *keys = SPD_NEW_N(d->arena, struct spd_find_key, r->n_tags + 1);
    struct spd_dcm_set part = {0};
    size_t n = 0;
    for (size_t i = 0; i < r->n_tags; i++)
        if (spd_dcm_find(set, r->tags[i]))
            keys[n++] = (struct spd_find_key){.path = {r->tags[i]}, .depth = 1};
    if (r->n_tags) spd_ups_select(set, keys, n, &part, d->arena);
    spd_dimse_answer_set(d, r->n_tags ? &part : set, answer);
}

/* The match keys of a filtered subscription are what else stands in the data set. */
static enum spd_rc filter_of(const struct spd_dimse *d, const struct spd_n_request *r,
                             struct spd_find_query *ret)
{
    struct spd_dcm keys = {.charset = r->data.charset};
    for (size_t i = 0; i < r->data.set.n; i++) {
        const struct spd_dcm_elem *e = &r->data.set.v[i];
        if (e->tag == 0x00741230 || e->tag == 0x00741234) continue;
        *SPD_LIST_ADD(&keys.set, d->arena) = *e;
    }
    return spd_find_keys_from_set(&keys, ret, d->arena, NULL);
}

void spd_ups_serve(const struct spd_dimse *d, const struct spd_n_request *r,
                   struct spd_n_answer *answer)
{
    struct spd_find_query keys = {0};
    struct spd_ups_said said;
    struct spd_ups_ask ask = {.verb = verb_of(r),
                              .uid = r->sop_uid,
                              .by = d->calling,
                              .peer = &d->peer,
                              .data = r->has_data ? &r->data : NULL,
                              .receiver = text_of(d, r, 0x00741234),
                              .lock = spd_sv_is(text_of(d, r, 0x00741230), "TRUE")};
    if (!d->host->ups || r->field == SPD_N_DELETE || r->field == SPD_N_EVENT_REPORT) {
        spd_dimse_refuse(answer, SPD_N_UNRECOGNIZED, "this SOP class has no such service here");
    } else if (r->field == SPD_N_ACTION && !ask.verb) {
        spd_dimse_refuse(answer, SPD_N_NO_SUCH_ACTION, "action types are 1 to 5");
    } else if (ask.verb && !d->peer.name.len) {
        spd_dimse_refuse(answer, SPD_N_NOT_AUTHORIZED, "this AE title is not configured as a peer");
    } else if (ask.verb == SPD_UPS_SUBSCRIBE && spd_sv_is(r->sop_uid, SPD_UPS_FILTERED) &&
               filter_of(d, r, &keys)) {
        spd_dimse_refuse(answer, SPD_N_INVALID_ARGUMENT, "the match keys cannot be used");
    } else {
        ask.keys = &keys;
        spd_ups_ask(d->host->ups, &ask, d->arena, &said);
        *answer = (struct spd_n_answer){
            .status = said.status, .comment = said.comment, .sop_uid = said.uid};
        if (answer->comment.len > 64) answer->comment.len = 64;
        if (said.has_set) get_answer(d, r, &said.set, answer);
    }
}

unsigned spd_ups_find(const struct spd_dimse *d, const struct spd_find_query *q,
                      bool (*answer)(void *ctx, const struct spd_dcm_set *set), void *ctx)
{
    if (!d->host->ups) return SPD_N_RESOURCES;
    spd_ups_search(d->host->ups, q, false, answer, ctx);
    return SPD_N_OK;
}
