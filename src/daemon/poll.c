/* src/daemon/poll.c: see poll.h. */
#define _GNU_SOURCE
#include "daemon/poll.h"

#include <stdio.h>
#include <time.h>

#include "base/hash.h"
#include "base/log.h"
#include "hl7/map/site.h"
#include "import/import.h"
#include "scu/scu.h"

#define WORKLIST "1.2.840.10008.5.1.4.31"
enum { ANSWERS_MAX = 20000 };

struct entry {        /* one answer that was heard */
    char *key, *json; /* key: the numbers that make it this order */
    unsigned char hash[32];
    uint64_t pass; /* the last one that heard it */
    bool gone;     /* said so */
    struct entry *next;
};
enum { BUCKETS = 1024 };

struct worker {
    struct spd_poll *poll;
    struct spd_scu_to to;
    spd_usec every;
    struct hl7_map_options peer;
    pthread_t thread;
    uint64_t pass;
    struct entry *entries[BUCKETS];
    bool failing;
};
struct spd_poll {
    struct spd_daemon *d;
    struct spd_arena *arena; /* what the workers say to whom */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    struct worker *workers;
    size_t n;
};

/* ---- what was heard
 * ------------------------------------------------------------------------------ */
static char *kept(spd_sv v)
{
    char *z = spd_must_malloc(v.len + 1);
    if (v.len) memcpy(z, v.ptr, v.len);
    return z;
}

static struct entry *entry_of(struct worker *w, spd_sv key)
{
    struct entry **at = &w->entries[spd_sv_hash(key) % BUCKETS];
    for (; *at; at = &(*at)->next)
        if (spd_sv_is(key, (*at)->key)) return *at;
    *at = spd_must_malloc(sizeof **at);
    (*at)->key = kept(key);
    return *at;
}

static void forget(struct worker *w)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (w->entries[i]) {
            struct entry *e = w->entries[i];
            w->entries[i] = e->next;
            spd_free(e->key), spd_free(e->json), spd_free(e);
        }
}

/* ---- one answer as an order
 * ---------------------------------------------------------------------- */
static enum spd_rc submit(struct worker *w, const struct spd_dcm *d, spd_sv json, spd_sv note,
                          struct spd_arena *arena)
{
    struct spd_import_in in = {.name = w->peer.peer, .peer = &w->peer, .arena = arena};
    struct spd_order_event e;
    struct spd_event event = {.type = SPD_EVENT_ORDER, .u.order = &e};
    spd_usec now = spd_host_now(w->poll->d);
    const char *why = "";
    w->peer.now = now;
    if (!spd_import_step(&in, d, &e, &why) || !e.patient.ids.n) return SPD_INVALID;
    e.message = (struct spd_message_in){
        .peer = w->peer.peer, .type = SPD_SV("MWL"), .sender = w->to.called, .raw = json};
    e.message.hash = spd_sha256_hex(arena, json);
    e.message.control_id =
        spd_arena_printf(arena, "%.*s-%lld", 16, e.message.hash.ptr, (long long)now);
    e.orders.v[0].control = note.len ? SPD_SV("SC") : SPD_SV("NW");
    e.orders.v[0].status_word = note;
    e.orders.v[0].source_time = now;
    return spd_writer_call(spd_brain_writer(w->poll->d->brain), &event, NULL, NULL);
}

static spd_sv key_of(const struct spd_dcm *d, struct spd_arena *arena)
{
    const struct spd_dcm_set *step = spd_dcm_item(&d->set, 0x00400100);
    return spd_arena_printf(
        arena, "%.*s|%.*s|%.*s|%.*s|%.*s|%.*s", SPD_SV_ARG(spd_dcm_raw(&d->set, 0x00080050)),
        SPD_SV_ARG(spd_dcm_raw(&d->set, 0x0020000D)), SPD_SV_ARG(spd_dcm_raw(&d->set, 0x00401001)),
        SPD_SV_ARG(step ? spd_dcm_raw(step, 0x00400009) : SPD_SV_NONE),
        SPD_SV_ARG(spd_dcm_raw(&d->set, 0x00402016)), SPD_SV_ARG(spd_dcm_raw(&d->set, 0x00402017)));
}

static bool heard(void *ctx, const struct spd_dcm *d)
{
    struct worker *w = ctx;
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    struct spd_str json = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
    unsigned char hash[32];
    if (!arena) spd_out_of_memory();
    spd_dcm_to_json(d, &json, arena);
    struct entry *e = entry_of(w, key_of(d, arena));
    spd_sha256(spd_str_sv(&json), hash);
    e->pass = w->pass;
    if (!e->json || e->gone || memcmp(hash, e->hash, sizeof hash)) {
        enum spd_rc rc = submit(w, d, spd_str_sv(&json), SPD_SV_NONE, arena);
        if (rc == SPD_OK || rc == SPD_INVALID) { /* else it is heard again */
            spd_free(e->json);
            e->json = kept(spd_str_sv(&json)), e->gone = false;
            memcpy(e->hash, hash, sizeof hash);
        }
        if (rc == SPD_INVALID)
            spd_log(SPD_LOG_WARNING,
                    "a worklist entry cannot be used: it names no order or no patient",
                    SPD_LT("peer", w->peer.peer));
    }
    spd_str_done(&json);
    spd_arena_free(arena);
    return true;
}

/* Entries that this pass did not hear. One that was marked is forgotten: it comes back as new. */
static void mark_gone(struct worker *w)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry **at = &w->entries[i]; *at;) {
            struct entry *e = *at;
            struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
            struct spd_dcm d;
            if (!arena) spd_out_of_memory();
            if (e->pass != w->pass && e->json &&
                !spd_dcm_from_json(spd_sv_from(e->json), &d, arena, NULL) &&
                submit(w, &d, spd_sv_from(e->json), SPD_SV("no longer on the worklist of its RIS"),
                       arena) != SPD_AGAIN)
                e->gone = true;
            spd_arena_free(arena);
            if (e->gone || (e->pass != w->pass && !e->json)) {
                *at = e->next;
                spd_free(e->key), spd_free(e->json), spd_free(e);
            } else
                at = &e->next;
        }
}

/* ---- asking
 * -------------------------------------------------------------------------------------- */
static enum spd_rc ask(struct worker *w, struct spd_err *err)
{
    static const struct spd_scu_context context = {.abstract = WORKLIST};
    struct spd_arena *arena = spd_arena_new(1 << 20);
    struct spd_dcm_set keys = {NULL, 0};
    struct spd_scu *scu = NULL;
    unsigned status = 0;
    spd_sv comment;
    if (!arena) spd_out_of_memory();
    spd_import_step_keys(&keys, arena);
    w->pass++;
    enum spd_rc rc = spd_scu_open(w->poll->d->o.dicom_program, &w->to, &context, 1, &scu, err);
    if (!rc)
        rc = spd_scu_find(scu, WORKLIST, &keys, ANSWERS_MAX, heard, w, &status, &comment, arena,
                          err);
    spd_scu_close(scu);
    if (!rc && status) rc = spd_fail(err, SPD_PROTO, "worklist", "the answer was %04X", status);
    if (!rc) mark_gone(w);
    spd_arena_free(arena);
    return rc;
}

static void say(struct worker *w, enum spd_rc rc, const struct spd_err *err)
{
    char name[128];
    if (!rc == !w->failing) return; /* edge-triggered */
    w->failing = rc != SPD_OK;
    snprintf(name, sizeof name, "%.*s", SPD_SV_ARG(w->peer.peer));
    if (rc)
        spd_log(SPD_LOG_WARNING, "the worklist of a RIS cannot be read", SPD_LZ("peer", name),
                SPD_LZ("why", err->text));
    spd_host_alarm(w->poll->d, "worklist-poll", name,
                   "De werklijst van een RIS kan niet worden gelezen.",
                   "The worklist of a RIS cannot be read.", rc == SPD_OK);
}

static bool pause_for(struct spd_poll *p, spd_usec every)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += every / SPD_USEC_PER_SEC, until.tv_nsec += every % SPD_USEC_PER_SEC * 1000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_mutex_lock(&p->lock);
    while (!p->stop && !pthread_cond_timedwait(&p->wake, &p->lock, &until)) {
    }
    bool go_on = !p->stop;
    pthread_mutex_unlock(&p->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct worker *w = arg;
    do {
        struct spd_err err = {0};
        enum spd_rc rc = ask(w, &err);
        say(w, rc, &err);
    } while (pause_for(w->poll, w->every));
    forget(w);
    return NULL;
}

/* ---- start and stop
 * ------------------------------------------------------------------------------ */
static void prepare(struct spd_poll *p, const struct spd_config *c, const struct spd_peer *peer)
{
    struct worker *w = &p->workers[p->n++];
    *w = (struct worker){.poll = p, .every = peer->poll.every};
    spd_config_hl7_options(c, peer, p->d->zone, p->arena, &w->peer);
    spd_door_hl7_codes(p->d->codes, &w->peer);
    w->to = (struct spd_scu_to){.calling = peer->poll.calling.len         ? peer->poll.calling
                                           : c->dicom_listen.ae_title.len ? c->dicom_listen.ae_title
                                                                          : SPD_SV("SPOED")};
    spd_scu_parse(spd_arena_dup(p->arena, peer->poll.from), &w->to, NULL);
    w->to.answer_seconds = 10; /* a stop waits for it */
    w->to.calling = spd_arena_dup(p->arena, w->to.calling);
    w->to.certificate = spd_arena_dup(p->arena, peer->poll.tls.certificate);
    w->to.key = spd_arena_dup(p->arena, peer->poll.tls.key);
    w->to.ca = spd_arena_dup(p->arena, peer->poll.tls.ca);
}

struct spd_poll *spd_poll_start(struct spd_daemon *d)
{
    const struct spd_config *c = d->config;
    size_t n = 0;
    for (size_t i = 0; i < c->n_peers; i++)
        n += c->peers[i].poll.from.len > 0;
    if (!n) return NULL;
    struct spd_poll *p = spd_must_malloc(sizeof *p);
    *p = (struct spd_poll){.d = d, .arena = spd_arena_new((size_t)16 << 20)};
    p->workers = spd_must_malloc(n * sizeof *p->workers);
    if (!p->arena) spd_out_of_memory();
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    for (size_t i = 0; i < c->n_peers; i++)
        if (c->peers[i].poll.from.len) prepare(p, c, &c->peers[i]);
    for (size_t i = 0; i < p->n; i++)
        if (pthread_create(&p->workers[i].thread, NULL, run, &p->workers[i])) spd_out_of_memory();
    return p;
}

void spd_poll_stop(struct spd_poll *p)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->n; i++) {
        pthread_join(p->workers[i].thread, NULL);
        hl7_site_unref(p->workers[i].peer.map);
    }
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    spd_arena_free(p->arena);
    spd_free(p->workers);
    spd_free(p);
}
