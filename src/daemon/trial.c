/* src/daemon/trial.c: see trial.h. An event goes through transaction, savepoint and commit as in
 * the writer. */
#include "daemon/trial.h"

#include <stdio.h>

#include "daemon/internal.h"
#include "hl7/v2/quirk.h"

struct spd_trial {
    const struct spd_config *config;
    struct spd_codes *codes;
    struct spd_store *store;
    struct spd_core *core;
    struct spd_board *board;
    const struct spd_zone *zone;
    spd_usec now;
};

/* ---- making and ending ------------------------------------------------------------------------
 */
static enum spd_rc apply(struct spd_trial *t, struct spd_event *event, struct spd_receipt *ret,
                         struct spd_arena *arena, struct spd_err *err)
{
    spd_usec now = spd_clock_now();
    enum spd_rc rc = spd_store_begin(t->store, err);
    if (rc) return rc;
    event->at = t->now = now > t->now ? now : t->now + 1;
    if (!(rc = spd_store_savepoint(t->store, err))) {
        rc = spd_core_apply(t->core, t->store, event, arena, ret, err);
        if (rc) {
            spd_store_rollback_to(t->store);
            spd_core_undo(t->core);
        } else {
            rc = spd_store_release(t->store, err);
        }
    }
    enum spd_rc last = spd_store_commit(t->store, err);
    spd_core_committed(t->core);
    return rc ? rc : last;
}

static enum spd_rc begin(struct spd_trial *t, struct spd_arena *arena, struct spd_err *err)
{
    struct spd_start_event start = {.version = SPD_SV(SPD_VERSION),
                                    .secret = SPD_SV("nothing leaves a trial, so it is"),
                                    .alone = 1};
    struct spd_config_event config;
    struct spd_event first = {SPD_EVENT_START, 0, {&start}},
                     second = {SPD_EVENT_CONFIG, 0, {&config}};
    struct spd_receipt r;
    unsigned char hash[32];
    enum spd_rc rc = apply(t, &first, &r, arena, err);
    if (!rc) rc = spd_facts_event(t->config, &config, hash, arena, err);
    return rc ? rc : apply(t, &second, &r, arena, err);
}

enum spd_rc spd_trial_new(const struct spd_config *config, struct spd_trial **ret,
                          struct spd_err *err)
{
    struct spd_trial *t = spd_must_malloc(sizeof *t);
    struct spd_arena *arena = spd_arena_new((size_t)256 << 20);
    enum spd_rc rc;
    if (!arena) spd_out_of_memory();
    t->config = config;
    t->zone = spd_zone_get(config->settings.time_zone.ptr);
    t->board = spd_board_new();
    rc = spd_codes_load_dir(config->codes_dir.ptr, config->site_codes_dir.ptr, &t->codes, err);
    if (!rc) rc = spd_store_open("memory:", SPD_STORE_WRITE | SPD_STORE_CREATE, &t->store, err);
    if (!rc) {
        t->core = spd_core_new(t->codes, NULL);
        rc = spd_core_open(t->core, t->store, err);
        rc = rc && rc != SPD_NOTFOUND ? rc : begin(t, arena, err);
    }
    spd_arena_free(arena);
    if (rc) spd_trial_free(t), t = NULL;
    *ret = t;
    return rc;
}

void spd_trial_free(struct spd_trial *t)
{
    if (!t) return;
    spd_board_free(t->board);
    spd_core_free(t->core);
    spd_store_close(t->store);
    spd_codes_free(t->codes);
    spd_free(t);
}

/* ---- who speaks -------------------------------------------------------------------------------
 */
static spd_sv msh(spd_sv bytes, unsigned field, struct spd_arena *arena)
{
    struct hl7_msg m;
    if (hl7_msg_header(&m, bytes, NULL) || !m.n_segs) return SPD_SV_NONE;
    return spd_arena_dup(arena, hl7_get(&m, &m.segs[0], field, 1, 1, 0).raw);
}

/* The address is not known here: of those whose other keys fit, the one with the most of them. */
static const struct spd_peer *peer_of(const struct spd_config *c, spd_sv msh_3, spd_sv msh_4,
                                      bool *ret_several)
{
    const struct spd_peer *found = NULL;
    int most = -1;
    *ret_several = false;
    for (size_t i = 0; i < c->n_peers; i++) {
        const struct spd_peer *p = &c->peers[i];
        int keys = (p->match.msh_3.len > 0) + (p->match.msh_4.len > 0);
        if ((p->match.door.len && !spd_sv_is(p->match.door, "hl7")) || p->match.n_ae_title ||
            p->match.user.len || (p->match.msh_3.len && !spd_sv_eq(p->match.msh_3, msh_3)) ||
            (p->match.msh_4.len && !spd_sv_eq(p->match.msh_4, msh_4)))
            continue;
        if (keys == most) *ret_several = true;
        if (keys > most) found = p, most = keys, *ret_several = false;
    }
    return *ret_several ? NULL : found;
}

/* ---- what it became ---------------------------------------------------------------------------
 */
static void say(struct spd_trial_said *s, spd_sv text, struct spd_arena *arena)
{
    for (size_t i = 0; i < s->reasons.n; i++)
        if (spd_sv_eq(s->reasons.v[i], text)) return;
    if (text.len) *SPD_LIST_ADD(&s->reasons, arena) = spd_arena_dup(arena, text);
}

static void say_result(const struct spd_result *r, struct spd_trial_said *s,
                       struct spd_arena *arena)
{
    say(s,
        spd_arena_printf(arena, "%.*s %.*s %.*s: %s", SPD_SV_ARG(r->manufacturer),
                         SPD_SV_ARG(r->name), SPD_SV_ARG(r->version),
                         spd_enum_name(spd_ai_state_names, r->state)),
        arena);
    for (size_t i = 0; i < r->notes.n; i++)
        say(s, r->notes.v[i], arena);
}

static void say_event(const struct spd_event *e, struct spd_trial_said *s, struct spd_arena *arena)
{
    if (e->type == SPD_EVENT_MESSAGE) {
        s->event = e->u.message->silent ? SPD_SV("not-for-us") : e->u.message->why;
        say(s, e->u.message->why_en, arena);
    } else if (e->type == SPD_EVENT_ORDER) {
        for (size_t i = 0; i < e->u.order->orders.n; i++)
            if (e->u.order->orders.v[i].status_word.len)
                say(s, SPD_SV("A status word that is not known: it changes nothing and is shown."),
                    arena);
    } else if (e->type == SPD_EVENT_PATIENT && e->u.patient->merges.n) {
        s->event = SPD_SV("merge");
    } else if (e->type == SPD_EVENT_RESULT) {
        say_result(&e->u.result->result, s, arena);
        for (size_t i = 0; i < e->u.result->more.n; i++)
            say_result(&e->u.result->more.v[i], s, arena);
    }
}

static void show_item(struct spd_trial *t, int64_t id, bool first, struct spd_trial_said *s,
                      struct spd_arena *arena)
{
    struct spd_str out = SPD_STR_INIT(4 << 20);
    struct spd_view v;
    const struct spd_list *l = spd_board_get(t->board);
    const struct spd_row *row = spd_list_find(l, id);
    if (row && !first) {
        say(s, spd_arena_printf(arena, "It also touched item %lld.", (long long)id), arena);
    } else if (row && !spd_core_view(t->core, t->store, id, t->now, &v, arena, NULL)) {
        for (size_t i = 0; i < v.item.reasons.n; i++)
            say(s, v.item.reasons.v[i].en, arena);
        spd_web_item_json(&v, spd_list_rank(l, row), spd_core_policy(t->core), t->zone,
                          spd_sv_is(t->config->settings.language, "nl"), &out);
        s->item = spd_arena_dup(arena, spd_str_sv(&out));
    }
    spd_list_unref(l);
    spd_str_done(&out);
}

static void publish(struct spd_trial *t, const struct spd_receipt *r)
{
    const int64_t *ids;
    size_t n = spd_core_take_dirty(t->core, &ids);
    const struct spd_note *notes;
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    if (!arena) spd_out_of_memory();
    for (size_t i = 0; i < n; i++) {
        struct spd_view v;
        spd_arena_reset(arena);
        if (!spd_core_view(t->core, t->store, ids[i], t->now, &v, arena, NULL))
            spd_board_put(t->board, &v, r->revision);
    }
    spd_core_take_notes(t->core, &notes);
    spd_board_publish(t->board, r->revision, t->now, true);
    spd_arena_free(arena);
}

static void conclude(struct spd_trial *t, const struct spd_event *e, const struct spd_receipt *r,
                     struct spd_trial_said *s, struct spd_arena *arena)
{
    s->answer = spd_sv_from(spd_enum_name(spd_answer_names, (int)r->answer));
    say(s, r->reason_en, arena);
    if (r->did == SPD_DID_DUPLICATE) s->event = SPD_SV("duplicate");
    if (r->did == SPD_DID_STALE) s->event = SPD_SV("stale");
    if (r->did == SPD_DID_IGNORE && e->type == SPD_EVENT_PATIENT)
        say(s, SPD_SV("No order of this patient is known: nothing changes."), arena);
    else if (r->did == SPD_DID_IGNORE && e->type != SPD_EVENT_MESSAGE)
        s->event = SPD_SV("not-for-us");
    if (r->did == SPD_DID_PARK && e->type != SPD_EVENT_MESSAGE)
        say(s, SPD_SV("It is parked: a person assigns or discards it."), arena);
    publish(t, r);
    for (size_t i = 0; i < r->n_items; i++)
        show_item(t, r->items[i], !i, s, arena);
    if (!s->reasons.n)
        say(s,
            r->did == SPD_DID_IGNORE ? SPD_SV("Not meant for this list.")
            : r->n_items             ? SPD_SV("It is taken; where the item stands does not change.")
                                     : SPD_SV("It is taken; no item is touched."),
            arena);
}

/* As the door would write them, for a person to read. */
static void say_answers(spd_sv bytes, const struct spd_event *e, const struct spd_peer *peer,
                        const struct hl7_map_options *o, struct spd_trial_said *s,
                        struct spd_arena *arena)
{
    struct spd_str out = SPD_STR_INIT(1024);
    const struct spd_message_event *m = e->type == SPD_EVENT_MESSAGE ? e->u.message : NULL;
    unsigned quirks = peer ? peer->quirks : 0;
    struct hl7_answer a = {
        .answer = (enum spd_answer)spd_enum_from(spd_answer_names, s->answer),
        .now = o->now,
        .zone = o->zone,
        .response = hl7_response_read(bytes, o->charset, o->order_response, arena),
        .orders = !m || !m->silent,
        .kept = !m || !spd_sv_is(m->why, "unreadable"),
        .one = quirks & HL7_QUIRK_ONE_ANSWER};
    hl7_answer_kinds(bytes, &a, &out);
    s->answers = spd_arena_dup(arena, spd_str_sv(&out));
    spd_str_done(&out);
}

void spd_trial_message(struct spd_trial *t, spd_sv bytes, const struct spd_peer *peer,
                       spd_sv charset, const struct spd_zone *zone, struct spd_trial_said *ret,
                       struct spd_arena *arena)
{
    struct hl7_map_options o;
    struct spd_event e = {0};
    struct spd_receipt r = {0};
    struct spd_err err = {0};
    *ret = (struct spd_trial_said){.item = SPD_SV("null")};
    bool several = false;
    if (!peer) peer = peer_of(t->config, msh(bytes, 3, arena), msh(bytes, 4, arena), &several);
    if (several)
        say(ret, SPD_SV("Several peers could have sent it: say which with --peer."), arena);
    spd_config_hl7_options(t->config, peer, t->zone, arena, &o);
    if (charset.len) o.charset = charset;
    if (zone) o.zone = zone;
    spd_door_hl7_codes(t->codes, &o);
    o.now = spd_clock_now() > t->now ? spd_clock_now() : t->now;
    o.trace = &ret->trace;
    hl7_map_in(bytes, &o, &e, arena);
    if (!peer) spd_door_hl7_unlisted(&e, arena);
    struct spd_message_in *in = spd_event_message(&e);
    ret->type = in->type, ret->peer = in->peer;
    ret->event = spd_sv_from(spd_enum_name(spd_event_type_names, (int)e.type));
    say_event(&e, ret, arena);
    if (apply(t, &e, &r, arena,
              &err)) { /* the door would keep it for a person, rather than ask for it for ever */
        ret->event = SPD_SV("unusable");
        ret->answer = spd_sv_from(spd_enum_name(spd_answer_names, (int)o.on_unusable));
        say(ret, spd_arena_printf(arena, "It could not be processed: %s %s", err.place, err.text),
            arena);
    } else {
        conclude(t, &e, &r, ret, arena);
    }
    say_answers(bytes, &e, peer, &o, ret, arena);
    hl7_site_unref(o.map);
}
