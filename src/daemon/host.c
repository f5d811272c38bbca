/* src/daemon/host.c: what the doors ask of their host: who is this, what time is it, take this
 * object.
 *
 * Called from the doors' threads, several at a time; the configuration is read under its lock and
 * copied out, since a reload may take it away. */
#define _GNU_SOURCE
#include "daemon/internal.h"

#include <stdio.h>

#include "base/log.h"
#include "door/find.h"

#define INSTANCE_BYTES_MAX ((size_t)256 << 20)

spd_usec spd_host_now(void *self)
{
    struct spd_daemon *d = self;
    return d->o.now ? d->o.now(d->o.now_self) : spd_clock_now();
}

void spd_host_alarm(struct spd_daemon *d, const char *kind, const char *subject, const char *nl,
                    const char *en, bool clear)
{
    struct spd_alarm_event a = {.kind = spd_sv_from(kind),
                                .subject = spd_sv_from(subject),
                                .nl = spd_sv_from(nl),
                                .en = spd_sv_from(en),
                                .clear = clear};
    struct spd_event e = {SPD_EVENT_ALARM, 0, {&a}};
    struct spd_writer *w = d->brain ? spd_brain_writer(d->brain) : NULL;
    if (!clear) spd_log(SPD_LOG_WARNING, "alarm", SPD_LZ("kind", kind), SPD_LZ("subject", subject));
    if (w) spd_writer_submit(w, &e, NULL, NULL);
}

void spd_host_dicom_alarm(void *self, const char *kind, const char *nl, const char *en, bool clear)
{
    spd_host_alarm(self, kind, "", nl, en, clear);
}

/* ---- peers ----------------------------------------------------------------------------------- */
static const struct spd_zone *zone_of(const struct spd_daemon *d, const struct spd_peer *p,
                                      struct spd_arena *arena)
{
    const struct spd_zone *z =
        p && p->time_zone.len ? spd_zone_get(spd_arena_dup(arena, p->time_zone).ptr) : NULL;
    return z ? z : d->zone;
}

static bool hl7_peer(struct spd_daemon *d, const struct spd_peer_keys *keys,
                     struct spd_arena *arena, struct hl7_map_options *ret, unsigned *ret_quirks)
{
    const struct spd_peer *p;
    bool listed;
    pthread_rwlock_rdlock(&d->config_lock);
    p = spd_config_peer(d->config, keys);
    spd_config_hl7_options(d->config, p, d->zone, arena, ret);
    if (p && ret_quirks) *ret_quirks = p->quirks;
    listed = p != NULL;
    pthread_rwlock_unlock(&d->config_lock);
    return listed;
}

bool spd_host_hl7_peer(void *self, const struct spd_mllp_from *from, spd_sv msh_3, spd_sv msh_4,
                       struct spd_arena *arena, struct hl7_map_options *ret, unsigned *ret_quirks)
{
    struct spd_peer_keys keys = {.door = "hl7",
                                 .address = spd_sv_from(from->address),
                                 .certificate = spd_sv_from(from->certificate),
                                 .msh_3 = msh_3,
                                 .msh_4 = msh_4};
    return hl7_peer(self, &keys, arena, ret, ret_quirks);
}

void spd_host_hl7_manner(void *self, const struct spd_mllp_from *from, struct spd_mllp_manner *ret)
{
    struct spd_daemon *d = self;
    struct spd_peer_keys keys = {.door = "hl7",
                                 .address = spd_sv_from(from->address),
                                 .certificate = spd_sv_from(from->certificate)};
    const struct spd_peer *p;
    pthread_rwlock_rdlock(&d->config_lock);
    p = spd_config_peer(d->config, &keys);
    if (p) ret->quirks = p->quirks;
    ret->max_connections = spd_config_connections(d->config, keys.address);
    pthread_rwlock_unlock(&d->config_lock);
}

static spd_sv either(struct spd_arena *arena, spd_sv own, spd_sv site)
{
    return spd_arena_dup(arena, own.len ? own : site);
}

static void door_peer(struct spd_daemon *d, const struct spd_peer_keys *keys,
                      struct spd_arena *arena, struct spd_door_peer *ret)
{
    const struct spd_peer *p;
    pthread_rwlock_rdlock(&d->config_lock);
    p = spd_config_peer(d->config, keys);
    *ret = (struct spd_door_peer){.known = p && p->results, .zone = zone_of(d, p, arena)};
    if (p) ret->name = spd_arena_dup(arena, p->name);
    ret->patient_authority = either(arena, p ? p->patient_authority : SPD_SV_NONE,
                                    d->config->settings.patient_authority);
    ret->accession_issuer =
        either(arena, p ? p->accession_issuer : SPD_SV_NONE, d->config->settings.accession_issuer);
    pthread_rwlock_unlock(&d->config_lock);
}

void spd_host_dicom_peer(void *self, spd_sv ae_title, spd_sv address, spd_sv certificate,
                         struct spd_arena *arena, struct spd_door_peer *ret)
{
    struct spd_peer_keys keys = {
        .door = "dicom", .address = address, .ae_title = ae_title, .certificate = certificate};
    door_peer(self, &keys, arena, ret);
}

bool spd_host_dicom_admit(void *self, spd_sv ae_title, spd_sv address, spd_sv certificate)
{
    struct spd_daemon *d = self;
    (void)address;
    pthread_rwlock_rdlock(&d->config_lock);
    bool may = spd_config_admits(d->config, ae_title, certificate);
    pthread_rwlock_unlock(&d->config_lock);
    return may;
}

/* A hook speaks for the DICOM sender it names (it cannot know that one's address); anybody else for
 * himself. */
static struct spd_peer_keys web_keys(const struct spd_web_from *from)
{
    if (from->ae_title.len)
        return (struct spd_peer_keys){.door = "dicom", .ae_title = from->ae_title};
    return (struct spd_peer_keys){.door = "http", .address = from->address, .user = from->user};
}

void spd_host_door_peer(struct spd_daemon *d, const struct spd_web_from *from,
                        struct spd_arena *arena, struct spd_door_peer *ret)
{
    struct spd_peer_keys keys = web_keys(from);
    door_peer(d, &keys, arena, ret);
}

bool spd_host_web_peer(void *self, const struct spd_web_from *from, char ret[64])
{
    struct spd_daemon *d = self;
    struct spd_peer_keys keys = web_keys(from);
    const struct spd_peer *p;
    bool listed;
    ret[0] = 0;
    pthread_rwlock_rdlock(&d->config_lock);
    p = spd_config_peer(d->config, &keys);
    listed = p && p->name.len < 64;
    if (listed) {
        memcpy(ret, p->name.ptr, p->name.len);
        ret[p->name.len] = 0;
    }
    pthread_rwlock_unlock(&d->config_lock);
    return listed;
}

/* ---- objects and questions over HTTP --------------------------------------------------------- */
struct taken {
    struct spd_web_instance *ret;
    enum spd_read read;
};

static void keep_reason(struct spd_web_instance *ret, spd_sv v)
{
    size_t n = v.len < sizeof ret->reason - 1 ? v.len : sizeof ret->reason - 1;
    if (n) memcpy(ret->reason, v.ptr, n);
    ret->reason[n] = 0;
}

static void copy_receipt(void *ctx, const struct spd_receipt *r)
{
    struct taken *t = ctx;
    t->ret->id = r->id, t->ret->revision = r->revision;
    if (r->did == SPD_DID_PARK)
        t->ret->outcome = SPD_TAKEN_PARKED;
    else if (t->read == SPD_READ_NOT_A_RESULT || t->read == SPD_READ_COMPANION)
        t->ret->outcome = SPD_TAKEN_NOT_A_RESULT;
    else if (t->read == SPD_READ_REFUSED || r->did == SPD_DID_REFUSE)
        t->ret->outcome = SPD_TAKEN_REFUSED;
    else
        t->ret->outcome = SPD_TAKEN_RESULT;
    if (r->reason_en.len)
        keep_reason(t->ret, r->reason_en);
    else if (r->reason.len)
        keep_reason(t->ret, r->reason);
}

void spd_host_instance(void *self, spd_sv bytes, const struct spd_web_from *from,
                       struct spd_web_instance *ret)
{
    struct spd_daemon *d = self;
    struct spd_arena *arena = spd_arena_new(INSTANCE_BYTES_MAX);
    struct spd_peer_keys keys = web_keys(from);
    struct spd_door_peer peer;
    struct spd_sr_doc doc;
    struct spd_result_event result = {0};
    struct spd_message_event message = {0};
    struct spd_event event = {0};
    struct taken t = {ret, SPD_READ_REFUSED};
    spd_sv door = from->door.len ? from->door : SPD_SV("HTTP");
    struct spd_err err = {0};
    if (!arena) spd_out_of_memory();
    *ret = (struct spd_web_instance){.rc = SPD_OK};
    door_peer(d, &keys, arena, &peer);
    ret->rc = spd_decoder_run(d->decoder, bytes, &doc, arena, &err);
    if (!ret->rc && from->study_uid.len && !spd_sv_eq(from->study_uid, doc.study_uid)) {
        ret->rc = SPD_INVALID, ret->other_study = true;
        spd_arena_free(arena);
        return;
    }
    if (!ret->rc) {
        t.read = spd_door_result_event(&doc, bytes, d->codes, &peer, d->zone, door,
                                       from->ae_title, &result, arena);
        keep_reason(ret, result.why);
        event = (struct spd_event){SPD_EVENT_RESULT, 0, {&result}};
    } else if (ret->rc !=
               SPD_AGAIN) { /* unreadable, or its decoder died of it: kept with the reason */
        spd_door_unreadable_event(bytes, spd_sv_from(err.text), &peer, door,
                                  from->ae_title, SPD_SV_NONE, &message, arena);
        keep_reason(ret, spd_sv_from(err.text));
        event = (struct spd_event){SPD_EVENT_MESSAGE, 0, {&message}};
        ret->rc = SPD_OK, ret->unreadable = true;
    }
    if (!ret->rc) ret->rc = spd_writer_call(spd_brain_writer(d->brain), &event, copy_receipt, &t);
    spd_arena_free(arena);
}

struct speaker {
    struct spd_daemon *d;
    const struct spd_web_from *from;
};

static bool web_hl7_peer(void *ctx, spd_sv msh_3, spd_sv msh_4, struct spd_arena *arena,
                         struct hl7_map_options *ret)
{
    const struct speaker *s = ctx;
    struct spd_peer_keys keys = {.door = "http",
                                 .address = s->from->address,
                                 .user = s->from->user,
                                 .msh_3 = msh_3,
                                 .msh_4 = msh_4};
    return hl7_peer(s->d, &keys, arena, ret, NULL);
}

void spd_host_message(void *self, spd_sv bytes, const struct spd_web_from *from,
                      struct spd_str *ack, struct spd_str *response, struct spd_web_message *ret)
{
    struct spd_daemon *d = self;
    struct speaker speaker = {d, from};
    struct spd_door_hl7_said said = {0};
    *ret = (struct spd_web_message){0};
    ret->rc = spd_door_hl7_take(d->hl7, bytes, web_hl7_peer, &speaker, &said, ack, response);
    if (ret->rc) return;
    snprintf(ret->answer, sizeof ret->answer, "%s", spd_enum_name(spd_answer_names, said.answer));
    snprintf(ret->reason, sizeof ret->reason, "%s", said.reason);
    ret->revision = said.revision;
}

struct once_more {
    struct spd_daemon *d;
    spd_sv peer;
    int64_t message;
};

static bool again_peer(void *ctx, spd_sv msh_3, spd_sv msh_4, struct spd_arena *arena,
                       struct hl7_map_options *ret)
{
    const struct once_more *m = ctx;
    const struct spd_peer *p = NULL;
    (void)msh_3, (void)msh_4; /* who it was is known already, or named by a person */
    pthread_rwlock_rdlock(&m->d->config_lock);
    for (size_t i = 0; i < m->d->config->n_peers && !p; i++)
        if (spd_sv_eq(m->d->config->peers[i].name, m->peer)) p = &m->d->config->peers[i];
    spd_config_hl7_options(m->d->config, p, m->d->zone, arena, ret);
    ret->again = m->message;
    pthread_rwlock_unlock(&m->d->config_lock);
    return p != NULL;
}

static bool is_peer(struct spd_daemon *d, spd_sv name)
{
    bool is = false;
    pthread_rwlock_rdlock(&d->config_lock);
    for (size_t i = 0; i < d->config->n_peers && !is; i++)
        is = spd_sv_eq(d->config->peers[i].name, name);
    pthread_rwlock_unlock(&d->config_lock);
    return is;
}

void spd_host_again(void *self, int64_t message, spd_sv bytes, spd_sv peer,
                    struct spd_web_message *ret)
{
    struct once_more m = {self, peer, message};
    struct spd_door_hl7_said said = {0};
    struct spd_str ack = SPD_STR_INIT((size_t)8 << 20), response = ack; /* nobody waits for them */
    *ret = (struct spd_web_message){.rc = is_peer(self, peer) ? SPD_OK : SPD_NOTFOUND};
    if (!ret->rc) ret->rc = spd_door_hl7_take(m.d->hl7, bytes, again_peer, &m, &said, &ack, &response);
    spd_str_done(&ack);
    spd_str_done(&response);
    if (ret->rc) return;
    snprintf(ret->answer, sizeof ret->answer, "%s", spd_enum_name(spd_answer_names, said.answer));
    snprintf(ret->reason, sizeof ret->reason, "%s", said.reason);
    ret->revision = said.revision;
}

enum spd_rc spd_host_find(void *self, spd_sv json, bool files, const struct spd_web_from *from,
                          struct spd_str *out, int64_t *ret_revision, struct spd_err *err)
{
    struct spd_daemon *d = self;
    struct spd_arena *arena = spd_arena_new(4096);
    const struct spd_list *l = spd_board_get(spd_brain_board(d->brain));
    spd_sv reporting;
    enum spd_rc rc;
    (void)from;
    if (!arena) spd_out_of_memory();
    pthread_rwlock_rdlock(&d->config_lock);
    reporting = spd_arena_dup(arena, d->config->dicom_listen.reporting_ae_title);
    pthread_rwlock_unlock(&d->config_lock);
    rc = spd_find_hook(l, reporting, d->zone, json, files, 0, out, err);
    *ret_revision = spd_list_revision(l);
    spd_list_unref(l);
    spd_arena_free(arena);
    return rc;
}
