/* src/daemon/shown.c: health, metrics, and models and rules as the pages show them.
 *
 * Models and policy belong to the core and so to the writer's thread: spd_shown_refresh makes their
 * JSON there and keeps it under shown_lock; the web's threads copy it out. */
#define _GNU_SOURCE
#include "daemon/internal.h"

#include <stdio.h>

#define JSON_MAX ((size_t)16 << 20)
#define PULSE_MAX SPD_SEC(10)
#define SLOW_COMMIT SPD_SEC(2)

/* ---- models and rules ------------------------------------------------------------------------ */
void spd_shown_refresh(void *self, struct spd_core *core, struct spd_store *store)
{
    struct spd_daemon *d = self;
    const struct spd_policy *p = spd_core_policy(core);
    struct spd_str models = SPD_STR_INIT(JSON_MAX),
                   policy[2] = {SPD_STR_INIT(JSON_MAX), SPD_STR_INIT(JSON_MAX)};
    spd_web_models_json(spd_core_models(core), store, d->zone, &models);
    for (int dutch = 0; dutch < 2; dutch++)
        spd_web_policy_json(p, dutch, &policy[dutch]);
    pthread_mutex_lock(&d->shown_lock);
    spd_str_done(&d->models_json);
    d->models_json = models;
    for (int dutch = 0; dutch < 2; dutch++) {
        spd_str_done(&d->policy_json[dutch]);
        d->policy_json[dutch] = policy[dutch];
    }
    for (int i = 0; p && i < 8; i++)
        snprintf(d->levels[i], sizeof d->levels[i], "%.*s",
                 SPD_SV_ARG(spd_policy_level_name(p, i + 1)));
    pthread_mutex_unlock(&d->shown_lock);
}

static void copy_out(struct spd_daemon *d, const struct spd_str *from, const char *nothing,
                     struct spd_str *out)
{
    pthread_mutex_lock(&d->shown_lock);
    if (from->len)
        spd_str_add(out, spd_str_sv(from));
    else
        spd_str_addz(out, nothing);
    pthread_mutex_unlock(&d->shown_lock);
}

void spd_shown_models(void *self, bool dutch, struct spd_str *out)
{
    struct spd_daemon *d = self;
    (void)dutch;
    copy_out(d, &d->models_json, "[]", out);
}

void spd_shown_policy(void *self, bool dutch, struct spd_str *out)
{
    struct spd_daemon *d = self;
    copy_out(d, &d->policy_json[dutch], "{}", out);
}

void spd_shown_level(void *self, int level, char ret[32])
{
    struct spd_daemon *d = self;
    ret[0] = 0;
    if (level < 1 || level > 8) return;
    pthread_mutex_lock(&d->shown_lock);
    memcpy(ret, d->levels[level - 1], 32);
    pthread_mutex_unlock(&d->shown_lock);
}

/* ---- what is watched only ---------------------------------------------------------------------- */
static void observed(const struct spd_channel_config *v, size_t n, struct spd_str *out)
{
    for (size_t i = 0; i < n; i++) {
        if (!spd_sv_is(v[i].mode, "observe")) continue;
        if (out->len) spd_str_addc(out, ',');
        spd_str_json(out, v[i].name);
    }
}

void spd_shown_observing(void *self, struct spd_str *out)
{
    struct spd_daemon *d = self;
    pthread_rwlock_rdlock(&d->config_lock);
    observed(d->config->send, d->config->n_send, out);
    observed(d->config->channels, d->config->n_channels, out);
    pthread_rwlock_unlock(&d->config_lock);
}

bool spd_shown_destination(void *self, size_t i, struct spd_web_destination *ret)
{
    struct spd_daemon *d = self;
    const struct spd_channel_config *c = NULL;
    pthread_rwlock_rdlock(&d->config_lock);
    if (i < d->config->n_send)
        c = &d->config->send[i];
    else if (i - d->config->n_send < d->config->n_channels)
        c = &d->config->channels[i - d->config->n_send];
    if (c) {
        *ret = (struct spd_web_destination){.pages = i >= d->config->n_send};
        snprintf(ret->name, sizeof ret->name, "%.*s", SPD_SV_ARG(c->name));
        snprintf(ret->type, sizeof ret->type, "%.*s", SPD_SV_ARG(c->type));
        snprintf(ret->mode, sizeof ret->mode, "%.*s", SPD_SV_ARG(c->mode));
    }
    pthread_rwlock_unlock(&d->config_lock);
    return c != NULL;
}

/* ---- health ---------------------------------------------------------------------------------- */
struct said {
    const char *name;
    bool ok;
    const char *nl, *en, *todo_nl, *todo_en;
};

static void say(struct spd_str *out, bool *first, bool dutch, const struct said *s)
{
    if (!*first) spd_str_addc(out, ',');
    *first = false;
    spd_str_addz(out, "{\"name\":");
    spd_str_json(out, spd_sv_from(s->name));
    spd_str_addf(out, ",\"ok\":%s,\"text\":", s->ok ? "true" : "false");
    spd_str_json(out, spd_sv_from(dutch ? s->nl : s->en));
    spd_str_addz(out, ",\"todo\":");
    spd_str_json(out, spd_sv_from(s->ok ? "" : dutch ? s->todo_nl : s->todo_en));
    spd_str_addc(out, '}');
}

/* False: there is no such door, not yet or no longer. */
static bool dicom_figures(struct spd_daemon *d, struct spd_door_dicom_stats *ret)
{
    bool is;
    pthread_mutex_lock(&d->shown_lock);
    is = d->dicom != NULL;
    if (is) *ret = spd_door_dicom_stats(d->dicom);
    pthread_mutex_unlock(&d->shown_lock);
    return is;
}

/* A daemon of its own survives the death of the PACS; one in Orthanc's control group does not. */
static bool in_orthanc_cgroup(void)
{
    char text[512] = "";
    FILE *f = fopen("/proc/self/cgroup", "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[n] = 0;
    return strstr(text, "orthanc") != NULL;
}

/* Why the list may lack something, peer by peer; it serves all the same. */
static void feeds_health(struct spd_daemon *d, bool dutch, bool *first, struct spd_str *out)
{
    struct spd_arena *arena = spd_arena_new((size_t)1 << 20);
    struct spd_brain_feed *f;
    size_t n;
    if (!arena) spd_out_of_memory();
    n = spd_brain_feeds(d->brain, &f, arena);
    for (size_t i = 0; i < n; i++) {
        const char *feed = spd_arena_printf(arena, "feed %s", f[i].peer).ptr;
        const char *compared = spd_arena_printf(arena, "reconcile %s", f[i].peer).ptr;
        const char *missing_nl = spd_arena_printf(arena, "bij de laatste vergelijking ontbraken er %lld",
                                                  (long long)f[i].feed.missing)
                                     .ptr,
                   *missing_en = spd_arena_printf(arena, "%lld were missing at the last comparison",
                                                  (long long)f[i].feed.missing)
                                     .ptr;
        if (f[i].feed.expect_every)
            say(out, first, dutch,
                &(struct said){feed, !f[i].feed.silent, f[i].feed.silent ? "stil" : "spreekt",
                               f[i].feed.silent ? "silent" : "speaks",
                               "kijk bij de zender en zijn verbinding",
                               "look at the sender and its connection"});
        if (!f[i].feed.orders) continue;
        bool ok = f[i].feed.reconciled && !f[i].feed.missing;
        say(out, first, dutch,
            &(struct said){compared, ok,
                           ok                     ? "vergeleken met de open lijst"
                           : f[i].feed.reconciled ? missing_nl
                                                  : "nog niet vergeleken met de open lijst van het RIS",
                           ok                     ? "compared with its open list"
                           : f[i].feed.reconciled ? missing_en
                                                  : "not yet compared with the RIS's open list",
                           "spoed reconcile BESTAND", "spoed reconcile FILE"});
    }
    spd_arena_free(arena);
}

bool spd_shown_health(void *self, bool dutch, struct spd_str *out)
{
    struct spd_daemon *d = self;
    struct spd_writer_stats w = spd_writer_stats(spd_brain_writer(d->brain));
    char config_nl[400], config_en[400];
    bool first = true, alive = spd_daemon_alive(d), fast = w.last_commit_usec < SLOW_COMMIT, bad;
    bool stores = !w.losing;
    struct spd_door_dicom_stats dicom;
    pthread_mutex_lock(&d->shown_lock);
    bad = d->reload_failed;
    snprintf(config_nl, sizeof config_nl, "het nieuwe bestand is geweigerd: %s", d->reload_error);
    snprintf(config_en, sizeof config_en, "the new file was refused: %s", d->reload_error);
    pthread_mutex_unlock(&d->shown_lock);
    say(out, &first, dutch,
        &(struct said){"writer", alive, alive ? "beslist en slaat op" : "staat stil",
                       alive ? "decides and stores" : "stands still",
                       "herstart spoed; er gaat niets verloren", "restart spoed; nothing is lost"});
    say(out, &first, dutch,
        &(struct said){"commits", stores && fast,
                       !stores ? "kan niet opslaan; er wordt niets bevestigd"
                       : fast  ? "slaat vlot op"
                               : "opslaan duurt langer dan 2 s",
                       !stores ? "cannot store; nothing is acknowledged"
                       : fast  ? "stores quickly"
                               : "storing takes more than 2 s",
                       "maak ruimte op de schijf of controleer haar",
                       "make room on the disk, or check it"});
    say(out, &first, dutch,
        &(struct said){"configuration", !bad, bad ? config_nl : "geladen",
                       bad ? config_en : "loaded",
                       "verbeter het bestand, dan systemctl reload spoed",
                       "correct the file, then systemctl reload spoed"});
    if (!spd_lines_certificates_good(d))
        say(out, &first, dutch,
            &(struct said){"certificates", false,
                           "een certificaat of intrekkingslijst verloopt of is verlopen",
                           "a certificate or revocation list ends soon or has ended",
                           "vervang het bestand, dan systemctl reload spoed",
                           "replace the file, then systemctl reload spoed"});
    if (dicom_figures(d, &dicom)) {
        bool up = dicom.up;
        say(out, &first, dutch,
            &(struct said){
                "dicom", up, up ? "luistert" : "luistert niet", up ? "listens" : "does not listen",
                "zie het logboek; is de poort bezet?", "see the log; is the port taken?"});
    }
    feeds_health(d, dutch, &first, out);
    if (in_orthanc_cgroup())
        say(out, &first, dutch,
            &(struct said){"independence", false,
                           "draait binnen Orthanc; oproepen stoppen als Orthanc stopt",
                           "runs inside Orthanc; pages stop when Orthanc stops",
                           "gebruik de eigen service: systemctl enable --now spoed",
                           "use its own unit: systemctl enable --now spoed"});
    return alive && stores;
}

/* ---- metrics --------------------------------------------------------------------------------- */
static void metric(struct spd_str *out, const char *name, const char *kind, const char *help,
                   uint64_t value)
{
    spd_str_addf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, kind, name,
                 (unsigned long long)value);
}

static void hl7_metrics(struct spd_daemon *d, struct spd_str *out)
{
    struct spd_door_hl7_stats s = spd_door_hl7_stats(d->hl7);
    struct spd_mllp_stats c = spd_door_hl7_connections(d->hl7);
    spd_str_addf(
        out,
        "# HELP spoed_hl7_answers_total HL7 messages answered, by answer.\n"
        "# TYPE spoed_hl7_answers_total counter\n"
        "spoed_hl7_answers_total{answer=\"AA\"} %llu\nspoed_hl7_answers_total{answer=\"AE\"} %llu\n"
        "spoed_hl7_answers_total{answer=\"AR\"} %llu\nspoed_hl7_answers_total{answer=\"none\"} "
        "%llu\n",
        (unsigned long long)s.aa, (unsigned long long)s.ae, (unsigned long long)s.ar,
        (unsigned long long)s.silent);
    metric(out, "spoed_hl7_unlisted_total", "counter",
           "Messages from senders that are not configured.", s.unlisted);
    metric(out, "spoed_mllp_connections", "gauge", "Open MLLP connections.", c.connections);
    metric(out, "spoed_mllp_refused_total", "counter",
           "MLLP connections closed since their bytes were no frame.", c.refused);
    metric(out, "spoed_mllp_timed_out_total", "counter",
           "MLLP connections closed for silence or a slow frame.", c.timed_out);
    metric(out, "spoed_mllp_not_allowed_total", "counter",
           "MLLP connections closed since their address is not on the allow-list.", c.not_allowed);
    metric(out, "spoed_mllp_untrusted_total", "counter",
           "MLLP connections closed since the TLS handshake failed.", c.untrusted);
    metric(out, "spoed_mllp_evicted_total", "counter", "MLLP connections closed to make room.",
           c.evicted);
}

static void dicom_metrics(struct spd_daemon *d, struct spd_str *out)
{
    struct spd_door_dicom_stats s;
    if (!dicom_figures(d, &s)) return;
    metric(out, "spoed_dicom_up", "gauge", "1 while the DICOM front listens.", s.up);
    metric(out, "spoed_dicom_associations_total", "counter", "DICOM associations.", s.associations);
    metric(out, "spoed_dicom_stores_total", "counter", "DICOM objects taken.", s.stores);
    metric(out, "spoed_dicom_refused_total", "counter", "DICOM objects refused.", s.refused);
    metric(out, "spoed_dicom_finds_total", "counter", "C-FIND requests.", s.finds);
    metric(out, "spoed_dicom_restarts_total", "counter", "Times the DICOM front was started again.",
           s.restarts);
}

static void feed_metric(struct spd_str *out, const char *name, const char *help,
                        const struct spd_brain_feed *f, size_t n, int which)
{
    spd_str_addf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
    for (size_t i = 0; i < n; i++) {
        const struct spd_feed *x = &f[i].feed;
        int64_t v[] = {x->silent, x->heard / 1000000, x->reconciled / 1000000, x->missing};
        bool said = which < 2 ? x->expect_every != 0 : x->orders;
        if (said) spd_str_addf(out, "%s{peer=\"%s\"} %lld\n", name, f[i].peer, (long long)v[which]);
    }
}

static void feed_metrics(struct spd_daemon *d, struct spd_str *out)
{
    struct spd_arena *arena = spd_arena_new((size_t)1 << 20);
    struct spd_brain_feed *f;
    size_t n;
    if (!arena) spd_out_of_memory();
    n = spd_brain_feeds(d->brain, &f, arena);
    feed_metric(out, "spoed_feed_silent", "1 while nothing has come for expect_every.", f, n, 0);
    feed_metric(out, "spoed_feed_heard_timestamp_seconds", "When this peer last spoke, about.", f, n, 1);
    feed_metric(out, "spoed_reconciled_timestamp_seconds",
                "Last comparison with this peer's open list; 0 never.", f, n, 2);
    feed_metric(out, "spoed_reconcile_missing", "Orders that it lists and that were not added.", f, n, 3);
    spd_arena_free(arena);
}

void spd_shown_metrics(void *self, struct spd_str *out)
{
    struct spd_daemon *d = self;
    struct spd_writer_stats w = spd_writer_stats(spd_brain_writer(d->brain));
    bool ok;
    pthread_mutex_lock(&d->shown_lock);
    ok = !d->reload_failed;
    pthread_mutex_unlock(&d->shown_lock);
    metric(out, "spoed_storing", "gauge", "0 while the last batch could not be committed.",
           !w.losing);
    spd_str_addf(out,
                 "# HELP spoed_last_commit_seconds How long the last commit took.\n# TYPE "
                 "spoed_last_commit_seconds gauge\n"
                 "spoed_last_commit_seconds %lld.%06lld\n",
                 (long long)(w.last_commit_usec / 1000000),
                 (long long)(w.last_commit_usec % 1000000));
    metric(out, "spoed_config_last_reload_successful", "gauge",
           "1 when the configuration in the files is the one that runs.", ok);
    if (d->hl7) hl7_metrics(d, out);
    feed_metrics(d, out);
    spd_lines_metrics(d, out);
    dicom_metrics(d, out);
}

bool spd_daemon_alive(struct spd_daemon *d)
{
    return spd_clock_monotonic() - spd_brain_pulse(d->brain) < PULSE_MAX;
}
