/* plugin/orthanc/plugin.c: the four entry points, the configuration, the call to the brain and its
 * breaker. SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Section "Spoed" of Orthanc's configuration; without it, or with "Enable": false, the plugin does
 * nothing. Built against SDK 1.10.1 and up; the floor is checked at run time. */
#define _GNU_SOURCE
#include "plugin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

OrthancPluginContext *spd_orthanc;
struct spd_plugin_config spd_plugin;

static pthread_mutex_t breaker_lock =
    PTHREAD_MUTEX_INITIALIZER; /* guards breaker_until; leaf lock */
static spd_usec breaker_until;

bool spd_breaker_open(void)
{
    bool open;
    pthread_mutex_lock(&breaker_lock);
    open = spd_clock_monotonic() < breaker_until;
    pthread_mutex_unlock(&breaker_lock);
    return open;
}

void spd_breaker_failed(void)
{
    pthread_mutex_lock(&breaker_lock);
    breaker_until = spd_clock_monotonic() + SPD_SEC(10);
    pthread_mutex_unlock(&breaker_lock);
}

void spd_breaker_worked(void)
{
    pthread_mutex_lock(&breaker_lock);
    breaker_until = 0;
    pthread_mutex_unlock(&breaker_lock);
}

enum spd_rc spd_brain(const char *method, const char *path, const char *type, spd_sv body,
                      int64_t wait, int *ret_status, struct spd_str *out)
{
    struct spd_http_target t = {.socket = spd_plugin.socket,
                                .connect_timeout = wait < 300000 ? wait : 300000,
                                .total_timeout = wait};
    enum spd_rc rc = spd_http_call(&t, method, path, type, body, ret_status, out, NULL);
    spd_feed_heard(!rc && spd_settled(*ret_status), rc ? 0 : *ret_status);
    return rc;
}

/* ---- configuration --------------------------------------------------------------------------- */
static void warn(const char *fmt, const char *what)
{
    char line[300];
    snprintf(line, sizeof line, fmt, what);
    OrthancPluginLogWarning(spd_orthanc, line);
}

/* A text that must fit; too long is said and left at its default. */
static void take_text(const json_t *section, const char *key, char *to, size_t size)
{
    const json_t *v = json_object_get(section, key);
    if (!v) return;
    if (!json_is_string(v) || json_string_length(v) >= size) {
        warn("Spoed: option \"%s\" is not a text or too long; ignored", key);
        return;
    }
    memcpy(to, json_string_value(v), json_string_length(v) + 1);
}

static void take_aets(const json_t *section)
{
    const json_t *list = json_object_get(section, "ReportingAets");
    size_t n = json_array_size(list);
    if (!n) return;
    spd_plugin.reporting_aets = calloc(n, sizeof *spd_plugin.reporting_aets);
    for (size_t i = 0; spd_plugin.reporting_aets && i < n; i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_string(v) || json_string_length(v) > 16)
            warn("Spoed: %s", "an entry of \"ReportingAets\" is no AE title; ignored");
        else
            memcpy(spd_plugin.reporting_aets[spd_plugin.n_reporting_aets++], json_string_value(v),
                   json_string_length(v));
    }
}

static void warn_unknown(json_t *section)
{
    static const char *const known[] = {"Enable", "Root",          "Socket",
                                        "Start",  "Configuration", "PublicUrl",
                                        "Source", "ReportingAets", "ReportingAeTitle", "Program", "Labels"};
    const char *key;
    json_t *value;
    json_object_foreach(section, key, value)
    {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found |= !strcmp(key, known[i]);
        if (!found) warn("Spoed: unknown option \"%s\" in section \"Spoed\"", key);
    }
}

/* It stands in a query and before "=" in a position. */
static void plain_source(void)
{
    for (char *c = spd_plugin.source; *c; c++)
        if (!((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
              *c == '_' || *c == '.'))
            *c = '-';
}

static bool read_configuration(void)
{
    char *text = OrthancPluginGetConfiguration(spd_orthanc);
    json_t *all = text ? json_loads(text, 0, NULL) : NULL, *section = json_object_get(all, "Spoed");
    const char *name = json_string_value(json_object_get(all, "Name")),
               *encoding = json_string_value(json_object_get(all, "DefaultEncoding"));
    if (text) OrthancPluginFreeString(spd_orthanc, text);
    snprintf(spd_plugin.socket, sizeof spd_plugin.socket, "/run/spoed/spoed.sock");
    snprintf(spd_plugin.program, sizeof spd_plugin.program, "spoed");
    snprintf(spd_plugin.configuration, sizeof spd_plugin.configuration, "/etc/spoed/spoed.yaml");
    snprintf(spd_plugin.root, sizeof spd_plugin.root, "/spoed/");
    snprintf(spd_plugin.source, sizeof spd_plugin.source, "%.40s", name ? name : "orthanc");
    snprintf(spd_plugin.ae_title, sizeof spd_plugin.ae_title, "%.16s",
             json_string_value(json_object_get(all, "DicomAet"))
                 ? json_string_value(json_object_get(all, "DicomAet"))
                 : "ORTHANC");
    snprintf(spd_plugin.reporting_ae_title, sizeof spd_plugin.reporting_ae_title, "SPOED_READ");
    spd_plugin.enable = section && !json_is_false(json_object_get(section, "Enable"));
    if (spd_plugin.enable) {
        take_text(section, "Socket", spd_plugin.socket, sizeof spd_plugin.socket);
        spd_plugin.start = json_is_true(json_object_get(section, "Start"));
        spd_plugin.labels = json_is_true(json_object_get(section, "Labels"));
        if (spd_plugin.labels && !OrthancPluginCheckVersionAdvanced(spd_orthanc, 1, 12, 0)) {
            warn("Spoed: %s", "\"Labels\" needs Orthanc 1.12.0 or newer; left out");
            spd_plugin.labels = false;
        }
        take_text(section, "Program", spd_plugin.program, sizeof spd_plugin.program);
        take_text(section, "Configuration", spd_plugin.configuration,
                  sizeof spd_plugin.configuration);
        take_text(section, "Root", spd_plugin.root, sizeof spd_plugin.root);
        take_text(section, "PublicUrl", spd_plugin.public_url, sizeof spd_plugin.public_url);
        take_text(section, "Source", spd_plugin.source, sizeof spd_plugin.source);
        take_text(section, "ReportingAeTitle", spd_plugin.reporting_ae_title,
                  sizeof spd_plugin.reporting_ae_title);
        plain_source();
        take_aets(section);
        warn_unknown(section);
        if (!encoding || strcmp(encoding, "Utf8"))
            warn("Spoed: set \"DefaultEncoding\" to \"Utf8\": with %s names that do not fit vanish "
                 "from worklist answers",
                 encoding ? encoding : "Latin1");
    }
    json_decref(all);
    return spd_plugin.enable;
}

/* ---- entry points ---------------------------------------------------------------------------- */
ORTHANC_PLUGINS_API int32_t OrthancPluginInitialize(OrthancPluginContext *context);
ORTHANC_PLUGINS_API void OrthancPluginFinalize(void);
ORTHANC_PLUGINS_API const char *OrthancPluginGetName(void);
ORTHANC_PLUGINS_API const char *OrthancPluginGetVersion(void);

static OrthancPluginErrorCode on_change(OrthancPluginChangeType type,
                                        OrthancPluginResourceType resource, const char *id)
{
    (void)resource, (void)id;
    if (type == OrthancPluginChangeType_OrthancStarted) spd_feed_started();
    if (type == OrthancPluginChangeType_OrthancStopped) spd_feed_ending();
    if (type == OrthancPluginChangeType_StableStudy) spd_feed_heal();
    return OrthancPluginErrorCode_Success;
}

int32_t OrthancPluginInitialize(OrthancPluginContext *context)
{
    char line[400];
    spd_orthanc = context;
    if (!OrthancPluginCheckVersionAdvanced(context, 1, 10, 1)) {
        snprintf(line, sizeof line, "Spoed: needs Orthanc 1.10.1 or newer, this is %s",
                 context->orthancVersion);
        OrthancPluginLogError(context, line);
        return -1;
    }
    OrthancPluginSetDescription(context,
                                "Spoed: puts the urgent study on top of the reporting worklist");
    if (!read_configuration()) {
        OrthancPluginLogWarning(
            context,
            "Spoed: disabled: no section \"Spoed\" in the configuration, or \"Enable\" is false");
        return 0;
    }
    /* DCMTK reads it at every connect and accept; with Nagle each C-FIND answer waits for a delayed
     * ACK. */
    setenv("TCP_NODELAY", "1", 0);
    if (OrthancPluginRegisterIncomingCStoreInstanceFilter(context, spd_filter))
        OrthancPluginLogWarning(
            context,
            "Spoed: cannot see objects before they are stored; they are handed over afterwards");
    OrthancPluginRegisterOnStoredInstanceCallback(context, spd_stored);
    OrthancPluginRegisterOnChangeCallback(context, on_change);
    if (OrthancPluginRegisterWorklistCallback(context, spd_worklist))
        OrthancPluginLogWarning(context,
                                "Spoed: another plugin answers the modality worklist already (only "
                                "one can); disable it, or this one's list stays unused");
    spd_pages_register();
    spd_feed_start();
    snprintf(line, sizeof line, "Spoed: hook 0.1.0 for the brain at %s", spd_plugin.socket);
    OrthancPluginLogWarning(context, line);
    return 0;
}

void OrthancPluginFinalize(void)
{
    if (spd_plugin.enable) spd_feed_stop();
    free(spd_plugin.reporting_aets);
    spd_plugin.reporting_aets = NULL;
}

const char *OrthancPluginGetName(void)
{
    return "spoed";
}

const char *OrthancPluginGetVersion(void)
{
    return "0.1.0";
}
