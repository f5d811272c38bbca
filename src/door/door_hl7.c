/* src/door/door_hl7.c: see door_hl7.h. */
#define _GNU_SOURCE
#include "door/door_hl7.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/hash.h"
#include "core/core.h"
#include "hl7/v2/ack.h"
#include "hl7/v2/quirk.h"

enum { LISTENERS = 16 };
#define ARENA_MAX ((size_t)160 << 20)
#define ACK_MAX ((size_t)64 << 10)
#define RESPONSE_MAX ((size_t)8 << 20) /* of an order: with what it copies */

struct listener {
    struct spd_door_hl7 *door;
    struct spd_mllp *mllp; /* set before the first frame can matter: see start lock */
};

struct spd_door_hl7 {
    struct spd_door_hl7_host host;
    struct listener listeners[LISTENERS];
    size_t n, shown;          /* shown: whose figures may be asked for; under starting */
    pthread_mutex_t starting; /* held while a listener's mllp pointer is not set yet */
    char prefix[9];           /* of our control ids: differs at every start */
    atomic_uint_fast64_t counter, aa, ae, ar, silent, queue_full, unlisted;
};

struct job { /* one message between its event and its answer; lives in the event's arena */
    struct listener *from;
    struct spd_mllp *mllp;
    struct spd_mllp_ticket ticket;
    const struct spd_message_in *envelope; /* of the event; with the raw bytes */
    enum spd_answer on_unusable;
    const struct spd_zone *zone;
    unsigned quirks;                     /* of the peer: how its answer is written */
    const struct hl7_response *response; /* NULL: an acknowledgement is enough */
    spd_sv charset;                      /* of the peer, and its order_response: to read it again */
    bool order_response, orders, kept;   /* orders, kept: as of struct hl7_answer */
    bool parking; /* the first event failed by itself; this is the second try */
};

/* ---- the answer ------------------------------------------------------------------------------ */
static void count(struct spd_door_hl7 *d, enum spd_answer answer, bool said)
{
    if (!said)
        atomic_fetch_add(&d->silent, 1);
    else if (answer == SPD_ANSWER_AA || answer == SPD_ANSWER_CA)
        atomic_fetch_add(&d->aa, 1);
    else if (answer == SPD_ANSWER_AE || answer == SPD_ANSWER_CE)
        atomic_fetch_add(&d->ae, 1);
    else
        atomic_fetch_add(&d->ar, 1);
}

static spd_sv new_id(struct spd_door_hl7 *d, char *ret, size_t size)
{
    snprintf(ret, size, "%s%08llx", d->prefix,
             (unsigned long long)atomic_fetch_add(&d->counter, 1) & 0xffffffffu);
    return spd_sv_from(ret);
}

/* Takes what j says of the peer and the message; first and second as of hl7_answer_write. */
static void say(struct spd_door_hl7 *d, const struct job *j, enum spd_answer with, spd_sv text,
                struct spd_str *first, struct spd_str *second)
{
    char id[24], id_2[24] = "";
    struct hl7_answer a = {.answer = with,
                           .text = text,
                           .now = d->host.now(d->host.self),
                           .zone = j->zone,
                           .control_id = new_id(d, id, sizeof id),
                           .response = j->response,
                           .orders = j->orders,
                           .kept = j->kept,
                           .one = j->quirks & HL7_QUIRK_ONE_ANSWER,
                           .bare = j->quirks & HL7_QUIRK_BARE_ACK};
    if (j->response) a.control_id_2 = new_id(d, id_2, sizeof id_2);
    hl7_answer_write(j->envelope->raw, &a, first, second);
    count(d, with, first->len > 0);
}

static void answer(struct job *j, enum spd_answer with, spd_sv text)
{
    struct spd_str first = SPD_STR_INIT(j->response ? RESPONSE_MAX : ACK_MAX),
                   second = SPD_STR_INIT(RESPONSE_MAX);
    say(j->from->door, j, with, text, &first, &second);
    spd_sv one = spd_str_ok(&first) ? spd_str_sv(&first) : SPD_SV_NONE;
    if (second.len && spd_str_ok(&second))
        spd_mllp_answer_both(j->mllp, j->ticket, one, spd_str_sv(&second), j->quirks);
    else if (spd_writer_more(j->from->door->host.writer))
        spd_mllp_answer_more(j->mllp, j->ticket, one, j->quirks);
    else
        spd_mllp_answer_as(j->mllp, j->ticket, one, j->quirks);
    spd_str_done(&first);
    spd_str_done(&second);
}

/* What of the message its answer needs, while it is at hand; event: what it became. */
static void read_for_answer(struct job *j, const struct spd_event *event, spd_sv charset,
                            bool order_response, struct spd_arena *arena)
{
    const struct spd_message_event *m = event->type == SPD_EVENT_MESSAGE ? event->u.message : NULL;
    j->response = hl7_response_read(j->envelope->raw, charset, order_response, arena);
    j->charset = charset, j->order_response = order_response;
    j->orders = !m || !m->silent;
    j->kept = !m || !spd_sv_is(m->why, "unreadable");
}

static enum spd_answer answer_of(const struct spd_receipt *r, spd_sv *ret_text)
{
    enum spd_answer with = r->answer ? r->answer : SPD_ANSWER_AA;
    *ret_text = with == SPD_ANSWER_AA ? SPD_SV_NONE : r->reason_en.len ? r->reason_en : r->reason;
    return with;
}

static void completed(void *ctx, enum spd_rc rc, const struct spd_receipt *receipt);

/* The event can never be applied: keep the message for a person instead of asking for it for ever.
 */
static void unusable(const struct spd_message_in *in, enum spd_answer on_unusable,
                     struct spd_message_event *ret)
{
    *ret = (struct spd_message_event){
        .message = *in,
        .park = 1,
        .why = SPD_SV("unusable"),
        .alarm = SPD_SV("event-failed"),
        .why_nl = SPD_SV("Het bericht kon niet worden verwerkt; een fout van Spoed"),
        .why_en = SPD_SV("The message could not be processed; a fault of Spoed"),
    };
    ret->message.answer = (int)on_unusable;
    ret->message.reason = ret->why_en;
}

/* In a new arena: the failed event's goes with it. */
static bool park_instead(const struct job *failed)
{
    struct spd_writer *w = failed->from->door->host.writer;
    struct spd_arena *arena = spd_arena_new(ARENA_MAX);
    struct spd_message_event *e, said;
    struct job *j;
    enum spd_rc rc;
    if (!arena) spd_out_of_memory();
    j = SPD_NEW(arena, struct job);
    e = SPD_NEW(arena, struct spd_message_event);
    unusable(failed->envelope, failed->on_unusable, &said);
    spd_desc_clone(&spd_message_event_desc, e, &said, arena);
    *j = *failed;
    j->parking = true, j->envelope = &e->message;
    read_for_answer(j, &(struct spd_event){SPD_EVENT_MESSAGE, 0, {e}},
                    spd_arena_dup(arena, failed->charset), failed->order_response, arena);
    rc = spd_writer_submit_arena(w, &(struct spd_event){SPD_EVENT_MESSAGE, 0, {e}}, arena,
                                 completed, j, j->mllp);
    if (rc) spd_arena_free(arena);
    return rc == SPD_OK; /* the writer itself calls: it looks at its queue again before it sleeps */
}

/* In the writer's thread, after the commit. */
static void completed(void *ctx, enum spd_rc rc, const struct spd_receipt *receipt)
{
    struct job *j = ctx;
    enum spd_answer with;
    spd_sv text;
    if (rc && !spd_rc_is_retryable(rc) && !j->parking && park_instead(j)) {
        spd_mllp_wake(j->mllp); /* the answers before it counted on this one */
        return;
    }
    if (rc) {
        j->kept = false;
        answer(j, SPD_ANSWER_AE, SPD_SV("not stored, send again"));
        return;
    }
    with = answer_of(receipt, &text);
    answer(j, with, text);
}

/* ---- the event ------------------------------------------------------------------------------- */
/* MSH-3 and MSH-4 as far as they can be read: they help to find the peer. */
static void senders(spd_sv frame, spd_sv *ret_3, spd_sv *ret_4)
{
    struct hl7_msg m;
    *ret_3 = *ret_4 = SPD_SV_NONE;
    if (hl7_msg_header(&m, frame, NULL) || !m.n_segs) return;
    *ret_3 = hl7_get(&m, &m.segs[0], 3, 1, 1, 0).raw;
    *ret_4 = hl7_get(&m, &m.segs[0], 4, 1, 1, 0).raw;
}

/* A sender that nobody wrote down: results are parked, everything else is turned away, both are
 * kept. */
void spd_door_hl7_unlisted(struct spd_event *event, struct spd_arena *arena)
{
    struct spd_message_in *in = spd_event_message(event);
    struct spd_message_event *e;
    bool result = in && (spd_sv_starts(in->type, SPD_SV("ORU")) || event->type == SPD_EVENT_RESULT);
    if (!in || (event->type == SPD_EVENT_MESSAGE && in->answer == SPD_ANSWER_AR))
        return; /* unreadable */
    e = SPD_NEW(arena, struct spd_message_event);
    e->message = *in;
    e->message.answer = result ? SPD_ANSWER_AA : SPD_ANSWER_AR;
    e->message.reason = SPD_SV("peer not configured");
    e->park = 1;
    e->why = SPD_SV("unlisted-peer");
    e->why_nl = SPD_SV("De afzender staat niet in de configuratie (peers)");
    e->why_en = SPD_SV("peer not configured");
    e->alarm = SPD_SV("unlisted-peer");
    *event = (struct spd_event){SPD_EVENT_MESSAGE, 0, {e}};
}

/* The event of a message; NULL is ours. o has been filled by whoever knows the sender. */
static struct spd_message_in *decode(struct spd_door_hl7 *d, spd_sv frame, bool listed,
                                     struct hl7_map_options *o, struct spd_event *ret,
                                     struct spd_arena *arena)
{
    o->now = d->host.now(d->host.self);
    spd_door_hl7_codes(d->host.codes, o);
    hl7_map_in(frame, o, ret, arena);
    hl7_site_unref(o->map); /* a reload may have taken it away meanwhile */
    o->map = NULL;
    if (!listed) spd_door_hl7_unlisted(ret, arena);
    return spd_event_message(ret);
}

/* A site's own field map may be gone, with the words in it, before the event is applied. */
static struct spd_message_in *own(struct spd_event *event, struct spd_arena *arena)
{
    const struct spd_desc *desc = spd_event_desc(event->type);
    void *copy = spd_arena_must(arena, desc->size);
    spd_desc_clone(desc, copy, event->u.any, arena);
    event->u.any = copy;
    return spd_event_message(event);
}

static enum spd_rc on_frame(void *ctx, struct spd_mllp_ticket ticket,
                            const struct spd_mllp_from *speaker, spd_sv frame)
{
    struct listener *from = ctx;
    struct spd_door_hl7 *d = from->door;
    struct spd_arena *arena;
    struct hl7_map_options o = {0};
    struct spd_event event = {0};
    struct spd_message_in *in;
    struct job *j;
    spd_sv msh_3, msh_4;
    unsigned quirks = 0;
    bool listed;
    enum spd_rc rc;
    if (spd_writer_full(d->host.writer)) { /* a held frame comes often: not decoded each time */
        atomic_fetch_add(&d->queue_full, 1);
        return SPD_AGAIN;
    }
    arena = spd_arena_new(ARENA_MAX);
    if (!arena) spd_out_of_memory();
    frame = spd_arena_dup(arena, frame); /* the event lives in this arena, with all it points to */
    senders(frame, &msh_3, &msh_4);
    listed = d->host.peer(d->host.self, speaker, msh_3, msh_4, arena, &o, &quirks);
    in = decode(d, frame, listed, &o, &event, arena);
    if (in && o.map) in = own(&event, arena);
    if (!in) {
        spd_arena_free(arena);
        return SPD_BUG;
    }
    j = SPD_NEW(arena, struct job);
    pthread_mutex_lock(&d->starting); /* the listener may be a moment ahead of its own start */
    *j = (struct job){.from = from,
                      .envelope = in,
                      .mllp = from->mllp,
                      .ticket = ticket,
                      .zone = o.zone,
                      .quirks = quirks};
    pthread_mutex_unlock(&d->starting);
    j->on_unusable = o.on_unusable ? o.on_unusable : SPD_ANSWER_AA;
    read_for_answer(j, &event, o.charset, o.order_response, arena);
    rc = spd_writer_submit_arena(d->host.writer, &event, arena, completed, j, j->mllp);
    if (!rc && !listed) atomic_fetch_add(&d->unlisted, 1);
    if (!rc) return SPD_OK;
    spd_arena_free(arena);
    if (rc == SPD_AGAIN) atomic_fetch_add(&d->queue_full, 1);
    return rc == SPD_DENIED ? SPD_AGAIN
                            : rc; /* stopping: leave it unanswered, the sender keeps it */
}

/* ---- a message that came another way ------------------------------------------------------ */
static void keep(void *ctx, const struct spd_receipt *r)
{
    struct spd_door_hl7_said *said = ctx;
    spd_sv text;
    said->answer = answer_of(r, &text);
    snprintf(said->reason, sizeof said->reason, "%.*s", SPD_SV_ARG(text));
    said->revision = r->revision;
}

enum spd_rc spd_door_hl7_take(struct spd_door_hl7 *d, spd_sv message, spd_door_hl7_who who,
                              void *ctx, struct spd_door_hl7_said *ret, struct spd_str *ack,
                              struct spd_str *response)
{
    struct spd_arena *arena;
    struct hl7_map_options o = {0};
    struct spd_event event = {0};
    struct spd_message_event parked;
    struct spd_message_in *in;
    struct spd_door_hl7_said said = {0};
    struct job j = {0};
    spd_sv msh_3, msh_4;
    bool listed;
    enum spd_rc rc;
    if (spd_writer_full(d->host.writer)) {
        atomic_fetch_add(&d->queue_full, 1);
        return SPD_AGAIN;
    }
    arena = spd_arena_new(ARENA_MAX);
    if (!arena) spd_out_of_memory();
    senders(message, &msh_3, &msh_4);
    listed = who(ctx, msh_3, msh_4, arena, &o);
    in = decode(d, message, listed, &o, &event, arena);
    j.envelope = in, j.zone = o.zone;
    if (in) read_for_answer(&j, &event, o.charset, o.order_response, arena);
    rc = in ? spd_writer_call(d->host.writer, &event, keep, &said) : SPD_BUG;
    if (in && rc && rc != SPD_DENIED && !spd_rc_is_retryable(rc)) {
        unusable(in, o.on_unusable ? o.on_unusable : SPD_ANSWER_AA, &parked);
        event = (struct spd_event){SPD_EVENT_MESSAGE, 0, {&parked}};
        rc = spd_writer_call(d->host.writer, &event, keep, &said);
    }
    if (rc == SPD_AGAIN) atomic_fetch_add(&d->queue_full, 1);
    if (!rc) {
        if (!listed) atomic_fetch_add(&d->unlisted, 1);
        say(d, &j, said.answer, spd_sv_from(said.reason), ack, response);
        *ret = said;
    }
    spd_arena_free(arena);
    return rc;
}

/* ---- outside --------------------------------------------------------------------------------- */
struct spd_door_hl7 *spd_door_hl7_new(const struct spd_door_hl7_host *host)
{
    struct spd_door_hl7 *d = spd_must_malloc(sizeof *d);
    unsigned char r[4];
    d->host = *host;
    pthread_mutex_init(&d->starting, NULL);
    spd_random(r, sizeof r);
    snprintf(d->prefix, sizeof d->prefix, "%02X%02X%02X%02X", r[0], r[1], r[2], r[3]);
    return d;
}

void spd_door_hl7_free(struct spd_door_hl7 *d)
{
    if (!d) return;
    spd_door_hl7_stop(d);
    pthread_mutex_destroy(&d->starting);
    spd_free(d);
}

static void manner(void *ctx, const struct spd_mllp_from *from, struct spd_mllp_manner *ret)
{
    struct spd_door_hl7 *d = ((struct listener *)ctx)->door;
    if (d->host.manner) d->host.manner(d->host.self, from, ret);
}

/* What one round of the listener took goes to the writer together: one wake, one batch. */
static void taken(void *ctx)
{
    spd_writer_wake(((struct listener *)ctx)->door->host.writer);
}

enum spd_rc spd_door_hl7_listen(struct spd_door_hl7 *d, int fd,
                                const struct spd_mllp_options *options, struct spd_err *err)
{
    struct spd_mllp_options o = {.size = sizeof o};
    struct listener *l;
    enum spd_rc rc;
    if (d->n == LISTENERS)
        return spd_fail(err, SPD_LIMIT, "listen.mllp", "at most %d listeners", LISTENERS);
    l = &d->listeners[d->n];
    if (options) o = *options;
    o.manner = manner, o.round = taken;
    l->door = d;
    pthread_mutex_lock(&d->starting);
    rc = spd_mllp_start(fd, &o, on_frame, l, &l->mllp, err);
    if (!rc) d->shown = ++d->n;
    pthread_mutex_unlock(&d->starting);
    return rc;
}

enum spd_rc spd_door_hl7_retune(struct spd_door_hl7 *d, size_t listener,
                                const struct spd_mllp_options *options, struct spd_err *err)
{
    if (listener >= d->n)
        return spd_fail(err, SPD_NOTFOUND, "listen.mllp", "a new listener needs a restart");
    return spd_mllp_retune(d->listeners[listener].mllp, options, err);
}

void spd_door_hl7_stop(struct spd_door_hl7 *d)
{
    pthread_mutex_lock(&d->starting);
    d->shown = 0; /* the pages may still ask */
    pthread_mutex_unlock(&d->starting);
    for (size_t i = 0; i < d->n; i++)
        spd_mllp_stop(d->listeners[i].mllp);
    d->n = 0;
}

int spd_door_hl7_port(const struct spd_door_hl7 *d, size_t listener)
{
    return listener < d->n ? spd_mllp_port(d->listeners[listener].mllp) : 0;
}

struct spd_door_hl7_stats spd_door_hl7_stats(struct spd_door_hl7 *d)
{
    return (struct spd_door_hl7_stats){atomic_load(&d->aa),         atomic_load(&d->ae),
                                       atomic_load(&d->ar),         atomic_load(&d->silent),
                                       atomic_load(&d->queue_full), atomic_load(&d->unlisted)};
}

struct spd_mllp_stats spd_door_hl7_connections(struct spd_door_hl7 *d)
{
    struct spd_mllp_stats all = {0};
    pthread_mutex_lock(&d->starting);
    for (size_t i = 0; i < d->shown; i++) {
        struct spd_mllp_stats s = spd_mllp_stats(d->listeners[i].mllp);
        all.accepted += s.accepted, all.frames += s.frames, all.refused += s.refused;
        all.evicted += s.evicted, all.timed_out += s.timed_out;
        all.connections += s.connections, all.paused += s.paused;
        all.not_allowed += s.not_allowed, all.untrusted += s.untrusted;
    }
    pthread_mutex_unlock(&d->starting);
    return all;
}
