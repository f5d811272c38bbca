/* src/daemon/internal.h: what the files of the daemon share. Private to src/daemon. */
#ifndef SPD_DAEMON_INTERNAL_H
#define SPD_DAEMON_INTERNAL_H

#include <pthread.h>

#include "channel/dispatch.h"
#include "daemon/brain.h"
#include "daemon/daemon.h"
#include "door/door_dicom.h"
#include "door/door_hl7.h"
#include "door/ups.h"
#include "report/report.h"
#include "web/web.h"

#define SPD_VERSION "0.1.0"

struct spd_certificate { /* ours, on a line of HL7 */
    char name[100];      /* "listen.mllp 2575", "send crl ris" */
    spd_usec ends;
    int said; /* 0 nothing, 1 within 30 days, 2 within 7, 3 ended */
};
enum { SPD_STRANGERS = 2 };
struct spd_stranger { /* a kind of them: how many knocked, and when last */
    uint64_t count;
    spd_usec last;
    bool said;
};

struct spd_daemon {
    struct spd_daemon_options o;
    struct spd_arena *arena; /* what lives as long as the daemon */
    int lock;
    struct spd_store *store;
    struct spd_codes *codes;
    struct spd_templates *templates;
    const struct spd_zone *zone;
    struct spd_brain *brain;
    struct spd_web *web;
    struct spd_door_hl7 *hl7;
    struct spd_decoder *decoder;
    struct spd_ups_door *ups;
    struct spd_poll *poll; /* worklists that we ask for; NULL: none */
    struct spd_dispatch *dispatch; /* under dispatch_lock: the writer's thread kicks it */
    pthread_mutex_t dispatch_lock;
    struct spd_channel_config *channel_configs; /* channels: and send: together, for dispatch */
    char url[300];
    unsigned char rules_hash[32]; /* of the last config event */

    pthread_rwlock_t config_lock; /* doors read the peers while a reload may come */
    struct spd_config *config;

    pthread_mutex_t shown_lock; /* below: made in the writer's thread, read by the pages */
    struct spd_door_dicom *dicom; /* comes after the pages and goes before them */
    struct spd_str models_json, policy_json[2]; /* [dutch] */
    char levels[8][32];
    bool reload_failed;
    char reload_error[320];
    uint64_t reloads;
    struct spd_certificate *certificates;
    size_t n_certificates;

    struct spd_listen lines[16]; /* the MLLP listeners as started; texts in arena */
    size_t n_lines;
    struct spd_stranger strangers[SPD_STRANGERS]; /* of the tick */
    spd_usec looked_at;
};

/* ---- facts.c: the configuration as an event ---- */
/* Reads the files, checks them, and makes the event; hash is over all of it. */
enum spd_rc spd_facts_event(const struct spd_config *c, struct spd_config_event *ret,
                            unsigned char hash[32], struct spd_arena *arena, struct spd_err *err);
/* The same hash of what the store holds as active now. */
enum spd_rc spd_facts_stored(struct spd_store *store, unsigned char hash[32], struct spd_err *err);

/* ---- host.c: what the doors ask ---- */
bool spd_host_hl7_peer(void *self, const struct spd_mllp_from *from, spd_sv msh_3, spd_sv msh_4,
                       struct spd_arena *arena, struct hl7_map_options *ret, unsigned *ret_quirks);
void spd_host_hl7_manner(void *self, const struct spd_mllp_from *from, struct spd_mllp_manner *ret);
void spd_host_dicom_peer(void *self, spd_sv ae_title, spd_sv address, spd_sv certificate,
                         struct spd_arena *arena, struct spd_door_peer *ret);
bool spd_host_dicom_admit(void *self, spd_sv ae_title, spd_sv address, spd_sv certificate);
bool spd_host_web_peer(void *self, const struct spd_web_from *from, char ret[64]);
void spd_host_dicom_alarm(void *self, const char *kind, const char *nl, const char *en, bool clear);
void spd_host_instance(void *self, spd_sv bytes, const struct spd_web_from *from,
                       struct spd_web_instance *ret);
void spd_host_message(void *self, spd_sv bytes, const struct spd_web_from *from,
                      struct spd_str *ack, struct spd_str *response, struct spd_web_message *ret);
void spd_host_again(void *self, int64_t message, spd_sv bytes, spd_sv peer,
                    struct spd_web_message *ret);
enum spd_rc spd_host_find(void *self, spd_sv json, bool files, const struct spd_web_from *from,
                          struct spd_str *out, int64_t *ret_revision, struct spd_err *err);
spd_usec spd_host_now(void *self);
/* The sender as its entry in the configuration says; with the site's defaults. Texts in arena. */
void spd_host_door_peer(struct spd_daemon *d, const struct spd_web_from *from, struct spd_arena *arena,
                        struct spd_door_peer *ret);
/* Raises (or ends) a technical alarm through the writer; does not wait. */
void spd_host_alarm(struct spd_daemon *d, const char *kind, const char *subject, const char *nl,
                    const char *en, bool clear);

/* ---- lines.c: MLLP listeners, certificates, strangers ---- */
/* ret->tls is the caller's to unref; ret->allow is borrowed from l. */
enum spd_rc spd_lines_options(const struct spd_listen *l, struct spd_mllp_options *ret,
                              struct spd_err *err);
/* Certificates and allow-lists of c for the listeners that run where c has one too. */
void spd_lines_retune(struct spd_daemon *d, const struct spd_config *c);
/* From now on these certificates are watched. */
void spd_lines_certificates(struct spd_daemon *d, const struct spd_config *c);
bool spd_lines_certificates_good(struct spd_daemon *d);
void spd_lines_metrics(struct spd_daemon *d, struct spd_str *out);

/* ---- ups.c: UPS-RS ---- */
void spd_host_ups(void *self, const struct spd_web_ups *ask, struct spd_str *out, struct spd_web_ups_said *ret);
int64_t spd_host_ups_events(void *self, spd_sv ae, int64_t after, size_t max,
                            bool (*say)(void *ctx, int64_t position, spd_sv json), void *ctx);
void spd_host_ups_seen(void *self, spd_sv ae, int64_t position);

/* ---- shown.c: health, metrics, models and rules for the pages ---- */
bool spd_shown_health(void *self, bool dutch, struct spd_str *out);
void spd_shown_metrics(void *self, struct spd_str *out);
void spd_shown_models(void *self, bool dutch, struct spd_str *out);
void spd_shown_policy(void *self, bool dutch, struct spd_str *out);
void spd_shown_level(void *self, int level, char ret[32]);
bool spd_shown_destination(void *self, size_t i, struct spd_web_destination *ret);
void spd_shown_observing(void *self, struct spd_str *out);
void spd_shown_refresh(void *self, struct spd_core *core,
                       struct spd_store *store); /* writer's thread */

#endif
