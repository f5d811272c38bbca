/* src/daemon/wire.c: the one file that sees every room: starts them in order, and stops them the
 * other way.
 *
 * Start: configuration, lock, store, codes, brain (board filled, writer running), start and config
 * events, channels, HTTP, MLLP, DICOM. Stop: doors first (what they took is answered), channels,
 * HTTP, then the writer (drains), the store, the lock. Any failure on the way takes down what was
 * up. */
#define _GNU_SOURCE
#include "daemon/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "daemon/lock.h"
#include "daemon/poll.h"
#include "daemon/vendor.h"
#include "net/socket.h"

#define CONFIG_BYTES_MAX ((size_t)256 << 20)

/* ---- events of the daemon itself ------------------------------------------------------------- */
static enum spd_rc send_start(struct spd_daemon *d)
{
    unsigned char secret[32];
    char boot[64] = "";
    struct spd_start_event s = {.version = SPD_SV(SPD_VERSION),
                                .secret = {(char *)secret, sizeof secret},
                                .alone = d->lock >= 0};
    struct spd_event e = {SPD_EVENT_START, 0, {&s}};
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    enum spd_rc rc;
    if (f) {
        boot[fread(boot, 1, sizeof boot - 1, f)] = 0;
        fclose(f);
    }
    s.boot = spd_sv_trim(spd_sv_from(boot));
    spd_random(secret, sizeof secret);
    rc = spd_writer_call(spd_brain_writer(d->brain), &e, NULL, NULL);
    explicit_bzero(secret, sizeof secret);
    return rc;
}

/* Sends a config event when the files say something else than what is in force. */
static enum spd_rc send_config(struct spd_daemon *d, const struct spd_config *c,
                               struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new(CONFIG_BYTES_MAX);
    struct spd_config_event ce;
    struct spd_event e = {SPD_EVENT_CONFIG, 0, {&ce}};
    unsigned char hash[32];
    enum spd_rc rc;
    if (!arena) spd_out_of_memory();
    rc = spd_facts_event(c, &ce, hash, arena, err);
    if (!rc) rc = spd_vendor_maps_of(d->codes, c, arena, err);
    if (!rc && memcmp(hash, d->rules_hash, sizeof hash)) {
        rc = spd_writer_call(spd_brain_writer(d->brain), &e, NULL, NULL);
        if (rc)
            spd_fail(err, rc, "configuration",
                     "policy, models, people or settings were not taken (see the log)");
        else
            memcpy(d->rules_hash, hash, sizeof hash);
    }
    spd_arena_free(arena);
    return rc;
}

/* ---- channels -------------------------------------------------------------------------------- */
static enum spd_rc dispatch_call(void *self, const struct spd_event *event,
                                 void (*copy)(void *ctx, const struct spd_receipt *receipt),
                                 void *ctx)
{
    struct spd_daemon *d = self;
    return spd_writer_call(spd_brain_writer(d->brain), event, copy, ctx);
}

static const struct spd_dispatch_ops dispatch_ops = {dispatch_call, spd_host_now};

static void kick(void *self)
{
    struct spd_daemon *d = self;
    pthread_mutex_lock(&d->dispatch_lock);
    if (d->dispatch) spd_dispatch_kick(d->dispatch, SPD_SV_NONE);
    pthread_mutex_unlock(&d->dispatch_lock);
}

static enum spd_rc start_channels(struct spd_daemon *d, const struct spd_config *c,
                                  struct spd_err *err)
{
    size_t n = c->n_channels + c->n_send;
    struct spd_channel_config *all = spd_must_malloc(sizeof *all * (n + 1));
    struct spd_dispatch *dispatch;
    const char *url = spd_arena_dup(c->arena, c->store_url).ptr;
    enum spd_rc rc;
    for (size_t i = 0; i < c->n_channels; i++)
        all[i] = c->channels[i];
    for (size_t i = 0; i < c->n_send; i++)
        all[c->n_channels + i] = c->send[i];
    for (size_t i = 0; i < n; i++)
        all[i].zone = d->zone, all[i].language = c->settings.language,
        all[i].dicom_program = d->o.dicom_program;
    for (size_t i = 0; i < c->n_send; i++) /* a destination reads our times as it writes its own */
        for (size_t k = 0; k < c->n_peers; k++) {
            struct spd_channel_config *to = &all[c->n_channels + i];
            if (!spd_sv_eq(c->peers[k].name, c->settings.destinations.v[i].peer)) continue;
            if (c->peers[k].time_zone.len)
                to->zone = spd_zone_get(spd_arena_dup(c->arena, c->peers[k].time_zone).ptr);
            if (!to->quirks_given) to->quirks = c->peers[k].quirks;
            to->map = c->peers[k].map;
        }
    rc = spd_dispatch_start(all, n, url, &dispatch_ops, d, &dispatch, err);
    if (rc) {
        spd_free(all);
        return rc;
    }
    pthread_mutex_lock(&d->dispatch_lock);
    d->dispatch = dispatch;
    pthread_mutex_unlock(&d->dispatch_lock);
    d->channel_configs = all;
    return SPD_OK;
}

static void stop_channels(struct spd_daemon *d)
{
    struct spd_dispatch *dispatch;
    pthread_mutex_lock(&d->dispatch_lock);
    dispatch = d->dispatch;
    d->dispatch = NULL;
    pthread_mutex_unlock(&d->dispatch_lock);
    spd_dispatch_stop(dispatch);
    spd_free(d->channel_configs);
    d->channel_configs = NULL;
}

/* ---- doors ----------------------------------------------------------------------------------- */
static bool uid_of(struct spd_arena *arena, spd_sv name, uid_t *ret)
{
    struct passwd pw, *found = NULL;
    char *buf = spd_arena_must(arena, 4096);
    int64_t n;
    if (spd_sv_to_i64(name, &n) && n >= 0) {
        *ret = (uid_t)n;
        return true;
    }
    if (getpwnam_r(spd_arena_dup(arena, name).ptr, &pw, buf, 4096, &found) || !found) return false;
    *ret = found->pw_uid;
    return true;
}

/* Who may speak on a socket: those that the configuration names; root and our own user administer.
 */
static void socket_users(struct spd_daemon *d, const struct spd_listen *l, struct spd_web_listen *w)
{
    struct spd_web_uid *u = SPD_NEW_N(d->arena, struct spd_web_uid, l->n_roles + 2);
    size_t n = 0;
    for (size_t i = 0; i < l->n_roles; i++) {
        u[n] = (struct spd_web_uid){0, l->roles[i].user, l->roles[i].role};
        if (!uid_of(d->arena, l->roles[i].user, &u[n].uid)) {
            spd_log(SPD_LOG_WARNING, "listen.http: no such user on this machine",
                    SPD_LT("user", l->roles[i].user));
            continue;
        }
        /* What the file gives to root or to the brain's own user comes on top of what they have
         * anyway. */
        if (u[n].uid == 0 || u[n].uid == geteuid())
            u[n].roles =
                spd_arena_printf(d->arena, "%.*s,admin,manager", SPD_SV_ARG(l->roles[i].role));
        n++;
    }
    u[n++] = (struct spd_web_uid){0, SPD_SV("root"), SPD_SV("admin,manager")};
    if (geteuid())
        u[n++] = (struct spd_web_uid){geteuid(), SPD_SV("spoed"), SPD_SV("admin,manager")};
    w->uids = u, w->n_uids = n;
}

/* The inherited descriptor that listens where the entry says; 0 = none. */
static int inherited(const struct spd_daemon *d, const struct spd_listen *l)
{
    for (int fd = d->o.first_fd; fd < d->o.first_fd + d->o.n_fds; fd++) {
        struct sockaddr_un a = {0};
        socklen_t n = sizeof a;
        if (getsockname(fd, (struct sockaddr *)&a, &n)) continue;
        if (l->socket.len && a.sun_family == AF_UNIX && spd_sv_is(l->socket, a.sun_path)) return fd;
        if (!l->socket.len && a.sun_family != AF_UNIX && spd_net_port(fd) == l->port) return fd;
    }
    return 0;
}

/* The folder of a socket that is not there yet; systemd makes it otherwise (RuntimeDirectory). */
static void make_folder(struct spd_arena *arena, spd_sv path)
{
    size_t n = path.len;
    while (n > 1 && path.ptr[n - 1] != '/')
        n--;
    if (n > 1 && mkdir(spd_arena_dup(arena, spd_sv_of(path.ptr, n - 1)).ptr, 0750) &&
        errno != EEXIST)
        spd_log(SPD_LOG_WARNING, "the folder of the socket cannot be made",
                SPD_LZ("why", strerror(errno)));
}

static enum spd_rc start_web(struct spd_daemon *d, struct spd_err *err)
{
    const struct spd_config *c = d->config;
    struct spd_web_listen *l = SPD_NEW_N(d->arena, struct spd_web_listen, c->n_http + 1);
    struct spd_web_host host = {
        .size = sizeof host,
        .self = d,
        .board = spd_brain_board(d->brain),
        .writer = spd_brain_writer(d->brain),
        .store_url = c->store_url,
        .listen = l,
        .n_listen = c->n_http,
        .assets_dir = c->assets_dir,
        .now = spd_host_now,
        .instance = d->decoder ? spd_host_instance : NULL,
        .find = spd_host_find,
        .message = spd_host_message,
        .peer = spd_host_web_peer,
        .health = spd_shown_health,
        .metrics = spd_shown_metrics,
        .models_json = spd_shown_models,
        .policy_json = spd_shown_policy,
        .level_name = spd_shown_level,
        .observing = spd_shown_observing,
        .ups = spd_host_ups,
        .ups_events = spd_host_ups_events,
        .ups_seen = spd_host_ups_seen,
        .destination = spd_shown_destination,
        .again = spd_host_again,
    };
    enum spd_rc rc;
    host.site = (struct spd_web_site){c->settings.site,
                                      c->settings.language,
                                      c->settings.public_url,
                                      c->settings.patient_authority,
                                      c->settings.accession_issuer,
                                      SPD_SV(SPD_VERSION),
                                      d->zone};
    for (size_t i = 0; i < c->n_http; i++) {
        l[i] = (struct spd_web_listen){
            .address = c->http[i].address, .port = c->http[i].port, .socket = c->http[i].socket};
        l[i].fd = inherited(d, &c->http[i]);
        if (!c->http[i].socket.len) continue;
        if (!l[i].fd) make_folder(d->arena, c->http[i].socket);
        socket_users(d, &c->http[i], &l[i]);
    }
    rc = spd_web_start(&host, &d->web, err);
    if (rc) return rc;
    snprintf(d->url, sizeof d->url, "%.*s", SPD_SV_ARG(c->settings.public_url));
    for (size_t i = 0; i < c->n_http && !d->url[0]; i++)
        if (!c->http[i].socket.len)
            snprintf(d->url, sizeof d->url,
                     strchr(spd_arena_dup(d->arena, c->http[i].address).ptr, ':')
                         ? "http://[%.*s]:%d"
                         : "http://%.*s:%d",
                     SPD_SV_ARG(c->http[i].address), spd_web_port(d->web, i));
    return SPD_OK;
}

static enum spd_rc start_hl7(struct spd_daemon *d, struct spd_err *err)
{
    for (size_t i = 0; i < d->config->n_mllp; i++) {
        const struct spd_listen *l = &d->config->mllp[i];
        int fd = inherited(d, l);
        enum spd_rc rc =
            fd ? SPD_OK
               : spd_net_listen(spd_arena_dup(d->arena, l->address).ptr, l->port, &fd, err);
        struct spd_mllp_options o;
        if (rc) return rc;
        rc = spd_lines_options(l, &o, err);
        if (!rc)
            rc = spd_door_hl7_listen(d->hl7, fd, &o, err);
        else
            close(fd);
        spd_tls_unref(o.tls);
        if (rc) return rc;
        d->lines[d->n_lines++] = (struct spd_listen){.address = spd_arena_dup(d->arena, l->address),
                                                     .port = l->port};
    }
    return SPD_OK;
}

static enum spd_rc start_dicom(struct spd_daemon *d, struct spd_err *err)
{
    const struct spd_config *c = d->config;
    struct spd_door_dicom_host *host = SPD_NEW(d->arena, struct spd_door_dicom_host);
    struct spd_door_dicom_options o = {
        .size = sizeof o,
        .program = d->o.dicom_program,
        .port = c->dicom_listen.port,
        .address = spd_arena_dup(d->arena, c->dicom_listen.address).ptr,
        .ae_title = spd_arena_dup(d->arena, c->dicom_listen.ae_title).ptr,
        .reporting_ae_title = spd_arena_dup(d->arena, c->dicom_listen.reporting_ae_title).ptr,
    };
    if (!c->dicom) return SPD_OK;
    *host = (struct spd_door_dicom_host){.self = d,
                                         .peer = spd_host_dicom_peer,
                                         .alarm = spd_host_dicom_alarm,
                                         .writer = spd_brain_writer(d->brain),
                                         .board = spd_brain_board(d->brain),
                                         .codes = d->codes,
                                         .zone = d->zone,
                                         .admit = spd_host_dicom_admit,
                                         .ups = d->ups};
    if (c->dicom_listen.tls_port) {
        const struct spd_channel_tls *t = &c->dicom_listen.tls;
        o.tls_port = c->dicom_listen.tls_port;
        o.certificate = spd_arena_dup(d->arena, t->certificate).ptr;
        o.key = spd_arena_dup(d->arena, t->key).ptr, o.ca = spd_arena_dup(d->arena, t->ca).ptr;
    }
    struct spd_door_dicom *door;
    enum spd_rc rc = spd_door_dicom_start(&o, host, &door, err);
    if (rc) return rc;
    pthread_mutex_lock(&d->shown_lock);
    d->dicom = door;
    pthread_mutex_unlock(&d->shown_lock);
    return SPD_OK;
}

/* Without its decoder the brain still takes orders: an alarm, and no door for objects over HTTP. */
static void start_decoder(struct spd_daemon *d)
{
    struct spd_err err = {0};
    const char *program =
        d->o.dicom_program ? d->o.dicom_program : spd_door_dicom_program(d->arena);
    if (!spd_decoder_new(program, 0, &d->decoder, &err)) return;
    d->decoder = NULL;
    spd_log(SPD_LOG_WARNING, "no DICOM decoder; objects over HTTP are refused",
            SPD_LZ("text", err.text));
}

/* Workitems, for both of their doors. */
static void start_ups(struct spd_daemon *d)
{
    const struct spd_config *c = d->config;
    struct spd_ups_host host = {spd_arena_dup(d->arena, c->store_url).ptr,
                                spd_brain_writer(d->brain),
                                spd_brain_board(d->brain),
                                d->zone,
                                c->settings.site,
                                spd_sv_is(c->settings.language, "nl")};
    d->ups = spd_ups_door_new(&host);
}

/* ---- start and stop -------------------------------------------------------------------------- */
static enum spd_rc open_store(struct spd_daemon *d, struct spd_err *err)
{
    const struct spd_config *c = d->config;
    enum spd_rc rc = spd_lock_take(c->store_url, &d->lock, err);
    spd_sv dir = c->codes_dir, site = c->site_codes_dir, templates = c->templates_dir;
    if (!rc)
        rc = spd_store_open(spd_arena_dup(d->arena, c->store_url).ptr,
                            SPD_STORE_WRITE | SPD_STORE_CREATE, &d->store, err);
    if (!rc)
        rc =
            spd_codes_load_dir(spd_arena_dup(d->arena, dir).ptr,
                               site.len ? spd_arena_dup(d->arena, site).ptr : NULL, &d->codes, err);
    if (!rc && templates.len)
        rc = spd_templates_load(spd_arena_dup(d->arena, templates).ptr, &d->templates, err);
    if (!rc) rc = spd_facts_stored(d->store, d->rules_hash, err);
    return rc;
}

static enum spd_rc start_brain(struct spd_daemon *d, struct spd_err *err)
{
    struct spd_brain_options o = {.codes = d->codes,
                                  .templates = d->templates,
                                  .now = d->o.now,
                                  .now_self = d->o.now_self,
                                  .published = kick,
                                  .refresh = spd_shown_refresh,
                                  .self = d};
    enum spd_rc rc = spd_brain_new(d->store, &o, &d->brain, err);
    if (!rc && send_start(d))
        rc = spd_fail(err, SPD_IO, "store.url", "the store does not take the start of the program");
    if (!rc) rc = send_config(d, d->config, err);
    return rc;
}

enum spd_rc spd_daemon_start(const struct spd_daemon_options *options, struct spd_daemon **ret,
                             struct spd_err *err)
{
    struct spd_daemon *d = spd_must_malloc(sizeof *d);
    enum spd_rc rc;
    d->o = *options;
    d->lock = -1;
    d->arena = spd_arena_new((size_t)64 << 20);
    if (!d->arena) spd_out_of_memory();
    d->o.config = spd_arena_dup(d->arena, spd_sv_from(options->config)).ptr;
    if (options->dicom_program)
        d->o.dicom_program = spd_arena_dup(d->arena, spd_sv_from(options->dicom_program)).ptr;
    pthread_mutex_init(&d->dispatch_lock, NULL);
    pthread_mutex_init(&d->shown_lock, NULL);
    pthread_rwlock_init(&d->config_lock, NULL);
    rc = spd_config_load(d->o.config, &d->config, err);
    if (!rc) {
        d->zone = d->config->settings.time_zone.len
                      ? spd_zone_get(spd_arena_dup(d->arena, d->config->settings.time_zone).ptr)
                      : NULL;
        if (!d->zone) d->zone = spd_zone_utc();
        spd_log_show_patients(d->config->show_patients_in_logs);
        rc = open_store(d, err);
    }
    if (!rc) rc = start_brain(d, err);
    if (!rc) rc = start_channels(d, d->config, err);
    if (!rc) {
        struct spd_door_hl7_host host = {d, spd_brain_writer(d->brain), d->codes, spd_host_now,
                                         spd_host_hl7_peer, spd_host_hl7_manner};
        start_decoder(d);
        start_ups(d);
        d->hl7 = spd_door_hl7_new(&host); /* messages come over HTTP too */
        rc = start_web(d, err);
    }
    if (!rc) rc = start_hl7(d, err);
    if (!rc) spd_lines_certificates(d, d->config);
    if (!rc) rc = start_dicom(d, err);
    if (!rc) d->poll = spd_poll_start(d);
    if (rc) {
        if (rc == SPD_EXISTS && d->store) rc = SPD_IO; /* a port that is taken is no second brain */
        spd_daemon_stop(d);
        return rc;
    }
    spd_host_alarm(d, "config", "", "", "", true);
    *ret = d;
    return SPD_OK;
}

static void stop_dicom(struct spd_daemon *d)
{
    struct spd_door_dicom *door;
    pthread_mutex_lock(&d->shown_lock);
    door = d->dicom;
    d->dicom = NULL; /* the pages may still ask for its figures */
    pthread_mutex_unlock(&d->shown_lock);
    spd_door_dicom_stop(door);
}

void spd_daemon_stop(struct spd_daemon *d)
{
    if (!d) return;
    spd_poll_stop(d->poll);
    if (d->hl7) spd_door_hl7_stop(d->hl7);
    stop_dicom(d);
    stop_channels(d);
    spd_web_stop(d->web);
    spd_ups_door_free(d->ups);
    spd_decoder_free(d->decoder);
    spd_brain_free(d->brain);
    spd_door_hl7_free(d->hl7);
    spd_store_close(d->store);
    spd_codes_free(d->codes);
    spd_templates_free(d->templates);
    spd_config_free(d->config);
    spd_lock_release(d->lock);
    spd_free(d->certificates);
    spd_str_done(&d->models_json);
    for (int i = 0; i < 2; i++)
        spd_str_done(&d->policy_json[i]);
    pthread_rwlock_destroy(&d->config_lock);
    pthread_mutex_destroy(&d->dispatch_lock);
    pthread_mutex_destroy(&d->shown_lock);
    spd_arena_free(d->arena);
    spd_free(d);
}

/* ---- reload ---------------------------------------------------------------------------------- */
static void remember(struct spd_daemon *d, enum spd_rc rc, const struct spd_err *err)
{
    pthread_mutex_lock(&d->shown_lock);
    d->reloads++;
    d->reload_failed = rc != SPD_OK;
    snprintf(d->reload_error, sizeof d->reload_error, "%s: %s", err->place, err->text);
    pthread_mutex_unlock(&d->shown_lock);
    if (rc)
        spd_log(SPD_LOG_ERR, "the new configuration was refused; the old one stays",
                SPD_LZ("place", err->place), SPD_LZ("text", err->text));
    spd_host_alarm(
        d, "config", "",
        "De nieuwe configuratie is geweigerd; de oude blijft gelden. Zie de gezondheidspagina.",
        "The new configuration was refused; the old one stays in force. See the health page.",
        rc == SPD_OK);
}

static bool same_listeners(const struct spd_listen *a, size_t n_a, const struct spd_listen *b,
                           size_t n_b)
{
    bool same = n_a == n_b;
    for (size_t i = 0; same && i < n_a; i++)
        same = spd_sv_eq(a[i].address, b[i].address) && a[i].port == b[i].port &&
               spd_sv_eq(a[i].socket, b[i].socket) && a[i].tls == b[i].tls &&
               a[i].max_connections == b[i].max_connections;
    return same;
}

/* What only a start can change is said, since nothing else would show it. */
static void warn_of_restart(const struct spd_config *old, const struct spd_config *c)
{
    bool same =
        same_listeners(old->http, old->n_http, c->http, c->n_http) &&
        same_listeners(old->mllp, old->n_mllp, c->mllp, c->n_mllp) && old->dicom == c->dicom &&
        old->dicom_listen.port == c->dicom_listen.port &&
        old->dicom_listen.tls_port == c->dicom_listen.tls_port &&
        spd_sv_eq(old->dicom_listen.ae_title, c->dicom_listen.ae_title) &&
        spd_sv_eq(old->dicom_listen.reporting_ae_title, c->dicom_listen.reporting_ae_title) &&
        spd_sv_eq(old->settings.time_zone, c->settings.time_zone) &&
        spd_sv_eq(old->settings.site, c->settings.site);
    if (!same) spd_log(SPD_LOG_WARNING, "changed listeners, time zone or site name need a restart");
}

static enum spd_rc check_files(const struct spd_config *c, struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new(CONFIG_BYTES_MAX);
    struct spd_config_event e;
    unsigned char hash[32];
    enum spd_rc rc;
    if (!arena) spd_out_of_memory();
    rc = spd_facts_event(c, &e, hash, arena, err);
    spd_arena_free(arena);
    return rc;
}

/* Channels first: they can be taken back, the event cannot. */
static enum spd_rc change_over(struct spd_daemon *d, const struct spd_config *c, struct spd_err *err)
{
    struct spd_err again = {0};
    enum spd_rc rc;
    stop_channels(d);
    rc = start_channels(d, c, err);
    if (!rc) rc = send_config(d, c, err);
    if (!rc) return SPD_OK;
    stop_channels(d);
    if (start_channels(d, d->config, &again)) /* the old ones ran a moment ago */
        spd_log(SPD_LOG_ERR, "no channel runs: pages do not go out", SPD_LZ("text", again.text));
    return rc;
}

enum spd_rc spd_daemon_reload(struct spd_daemon *d, struct spd_err *err)
{
    struct spd_config *c = NULL, *old;
    struct spd_err e = {0};
    enum spd_rc rc = spd_config_load(d->o.config, &c, &e);
    if (!rc && !spd_sv_eq(c->store_url, d->config->store_url))
        rc = spd_fail(&e, SPD_INVALID, "store.url", "another database needs a restart");
    if (!rc) rc = check_files(c, &e); /* before anything is stopped */
    if (!rc) rc = spd_config_check_tls(c, &e);
    if (!rc) rc = change_over(d, c, &e);
    if (!rc) {
        warn_of_restart(d->config, c);
        spd_lines_retune(d, c);
        spd_lines_certificates(d, c);
        d->looked_at = 0;
        spd_poll_stop(d->poll);
        pthread_rwlock_wrlock(&d->config_lock);
        old = d->config, d->config = c, c = old;
        pthread_rwlock_unlock(&d->config_lock);
        d->poll = spd_poll_start(d);
    }
    spd_config_free(c);
    remember(d, rc, &e);
    spd_brain_refresh_soon(d->brain);
    if (rc && err) *err = e;
    return rc;
}

/* ---- what others may know -------------------------------------------------------------------- */
const struct spd_config *spd_daemon_config(const struct spd_daemon *d)
{
    return d->config;
}

struct spd_writer *spd_daemon_writer(struct spd_daemon *d)
{
    return spd_brain_writer(d->brain);
}

int spd_daemon_http_port(const struct spd_daemon *d)
{
    for (size_t i = 0; i < d->config->n_http; i++)
        if (!d->config->http[i].socket.len) return spd_web_port(d->web, i);
    return 0;
}

int spd_daemon_mllp_port(const struct spd_daemon *d)
{
    return spd_door_hl7_port(d->hl7, 0);
}

const char *spd_daemon_url(const struct spd_daemon *d)
{
    return d->url;
}

void spd_daemon_status(struct spd_daemon *d, char *ret, size_t size)
{
    const struct spd_list *l = spd_board_get(spd_brain_board(d->brain));
    snprintf(ret, size, "%zu waiting to be read", spd_list_count(l));
    spd_list_unref(l);
}
