/* src/daemon/lines.c: the lines of HL7: what a listener is started with, new certificates at a
 * reload, and the watch over certificates that end and strangers that knock.
 *
 * Threads: the daemon's own; the list of certificates is under shown_lock, since pages read it. */
#define _GNU_SOURCE
#include "daemon/internal.h"

#include <stdio.h>

#include "base/log.h"

#define DAY SPD_HOUR(24)
#define QUIET SPD_MIN(15) /* then an alarm about strangers ends */
enum { SOON = 30, VERY_SOON = 7 };

/* ---- listeners ------------------------------------------------------------------------------- */
enum spd_rc spd_lines_options(const struct spd_listen *l, struct spd_mllp_options *ret,
                              struct spd_err *err)
{
    struct spd_tls_files files = spd_config_tls_files(&l->files);
    *ret = (struct spd_mllp_options){.size = sizeof *ret,
                                     .allow = l->allow,
                                     .n_allow = l->n_allow,
                                     .max_connections = (size_t)l->max_connections};
    return l->tls ? spd_tls_server(&files, &ret->tls, err) : SPD_OK;
}

static const struct spd_listen *same_place(const struct spd_config *c, const struct spd_listen *l)
{
    for (size_t i = 0; i < c->n_mllp; i++)
        if (spd_sv_eq(c->mllp[i].address, l->address) && c->mllp[i].port == l->port)
            return &c->mllp[i];
    return NULL;
}

void spd_lines_retune(struct spd_daemon *d, const struct spd_config *c)
{
    for (size_t i = 0; i < d->n_lines; i++) {
        const struct spd_listen *l = same_place(c, &d->lines[i]);
        struct spd_mllp_options o;
        struct spd_err err = {0};
        enum spd_rc rc;
        if (!l) continue; /* said by whoever compares the listeners */
        rc = spd_lines_options(l, &o, &err);
        if (!rc) rc = spd_door_hl7_retune(d->hl7, i, &o, &err);
        spd_tls_unref(o.tls);
        if (rc)
            spd_log(SPD_LOG_ERR, "an MLLP listener keeps its certificates and allow-list",
                    SPD_LI("port", l->port), SPD_LZ("text", err.text));
    }
}

/* ---- certificates ---------------------------------------------------------------------------- */
static void watch(struct spd_certificate **at, spd_sv path, const char *what, spd_sv name)
{
    struct spd_certificate *x = *at;
    struct spd_err err = {0};
    if (!path.len) return;
    if (spd_tls_file_ends(path.ptr, &x->ends, &err)) {
        spd_log(SPD_LOG_WARNING, "a certificate cannot be watched", SPD_LZ("text", err.text));
        return;
    }
    snprintf(x->name, sizeof x->name, "%s %.*s", what, SPD_SV_ARG(name));
    ++*at;
}

void spd_lines_certificates(struct spd_daemon *d, const struct spd_config *c)
{
    struct spd_certificate *all = spd_must_malloc(sizeof *all * (2 * (c->n_mllp + c->n_send) + 1));
    struct spd_certificate *at = all, *old;
    for (size_t i = 0; i < c->n_mllp; i++) {
        char port[16];
        int n = snprintf(port, sizeof port, "%d", c->mllp[i].port);
        watch(&at, c->mllp[i].files.certificate, "listen.mllp", spd_sv_of(port, (size_t)n));
        watch(&at, c->mllp[i].files.crl, "listen.mllp crl", spd_sv_of(port, (size_t)n));
    }
    for (size_t i = 0; i < c->n_send; i++) {
        watch(&at, c->send[i].tls.certificate, "send", c->send[i].name);
        watch(&at, c->send[i].tls.crl, "send crl", c->send[i].name);
    }
    pthread_mutex_lock(&d->shown_lock);
    old = d->certificates;
    for (struct spd_certificate *x = all; x < at; x++) /* an alarm that was raised can be ended */
        for (size_t i = 0; i < d->n_certificates; i++)
            if (!strcmp(old[i].name, x->name)) x->said = old[i].said;
    d->certificates = all, d->n_certificates = (size_t)(at - all);
    pthread_mutex_unlock(&d->shown_lock);
    spd_free(old);
}

/* A revocation list is renewed by the day: it counts from its end, a certificate well before. */
static int urgency(const struct spd_certificate *x, spd_usec now)
{
    bool list = strstr(x->name, " crl ") != NULL;
    if (now >= x->ends) return 3;
    if (list) return 0;
    return x->ends - now < VERY_SOON * DAY ? 2 : x->ends - now < SOON * DAY ? 1 : 0;
}

static void say_certificate(struct spd_daemon *d, const struct spd_certificate *x, int level)
{
    static const struct {
        const char *kind, *nl, *en;
    } words[] = {{"certificate-ends-soon",
                  "Een certificaat of intrekkingslijst verloopt binnen 30 dagen.",
                  "A certificate ends within 30 days."},
                 {"certificate-ends", "Een certificaat verloopt binnen 7 dagen: vervang het.",
                  "A certificate ends within 7 days: replace it."},
                 {"certificate-ended",
                  "Een certificaat of intrekkingslijst is verlopen: verbindingen worden geweigerd.",
                  "A certificate or revocation list has ended: connections are refused."}};
    for (int i = 1; i <= 3; i++)
        if (i == level || i == x->said)
            spd_host_alarm(d, words[i - 1].kind, x->name, words[i - 1].nl, words[i - 1].en,
                           i != level);
}

static void look_at_certificates(struct spd_daemon *d, spd_usec now)
{
    struct spd_certificate seen = {0};
    for (size_t i = 0;; i++) {
        int level = 0;
        pthread_mutex_lock(&d->shown_lock);
        bool more = i < d->n_certificates;
        if (more) {
            seen = d->certificates[i];
            level = urgency(&seen, now);
            d->certificates[i].said = level;
        }
        pthread_mutex_unlock(&d->shown_lock);
        if (!more) return;
        if (level != seen.said) say_certificate(d, &seen, level);
    }
}

bool spd_lines_certificates_good(struct spd_daemon *d)
{
    bool good = true;
    pthread_mutex_lock(&d->shown_lock);
    for (size_t i = 0; i < d->n_certificates; i++)
        good &= d->certificates[i].said == 0;
    pthread_mutex_unlock(&d->shown_lock);
    return good;
}

void spd_lines_metrics(struct spd_daemon *d, struct spd_str *out)
{
    pthread_mutex_lock(&d->shown_lock);
    if (d->n_certificates)
        spd_str_addz(out, "# HELP spoed_certificate_not_after_seconds Until when a certificate or "
                          "revocation list holds (Unix time).\n"
                          "# TYPE spoed_certificate_not_after_seconds gauge\n");
    for (size_t i = 0; i < d->n_certificates; i++)
        spd_str_addf(out, "spoed_certificate_not_after_seconds{name=\"%s\"} %lld\n",
                     d->certificates[i].name,
                     (long long)(d->certificates[i].ends / SPD_USEC_PER_SEC));
    pthread_mutex_unlock(&d->shown_lock);
}

/* ---- strangers ------------------------------------------------------------------------------- */
static void look_at_strangers(struct spd_daemon *d)
{
    struct spd_mllp_stats s = spd_door_hl7_connections(d->hl7);
    const struct {
        uint64_t count;
        const char *kind, *nl, *en;
    } rows[SPD_STRANGERS] = {
        {s.not_allowed, "mllp-not-allowed",
         "Een adres dat niet op de lijst staat belt op de HL7-poort; zie het logboek.",
         "An address that is not on the allow-list calls on the HL7 port; see the log."},
        {s.untrusted, "mllp-untrusted",
         "Een TLS-verbinding op de HL7-poort is geweigerd; zie het logboek.",
         "A TLS connection on the HL7 port was refused; see the log."}};
    for (size_t i = 0; i < SPD_STRANGERS; i++) {
        struct spd_stranger *x = &d->strangers[i];
        spd_usec now = spd_clock_monotonic();
        bool more = rows[i].count > x->count;
        x->count = rows[i].count;
        if (more) x->last = now;
        if (more && !x->said)
            spd_host_alarm(d, rows[i].kind, "", rows[i].nl, rows[i].en, false);
        else if (x->said && now - x->last > QUIET)
            spd_host_alarm(d, rows[i].kind, "", "", "", true);
        x->said = more || (x->said && now - x->last <= QUIET);
    }
}

void spd_daemon_tick(struct spd_daemon *d)
{
    spd_usec now = spd_host_now(d);
    look_at_strangers(d);
    if (d->looked_at && now - d->looked_at < SPD_HOUR(1) && now >= d->looked_at) return;
    d->looked_at = now;
    look_at_certificates(d, now);
}
