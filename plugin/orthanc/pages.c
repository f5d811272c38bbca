/* plugin/orthanc/pages.c: links from Orthanc Explorer to the pages, a status route, metrics.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include "plugin.h"

#include <stdio.h>
#include <stdlib.h>

static OrthancPluginErrorCode go(OrthancPluginRestOutput *output, const char *path)
{
    char url[600];
    if (!spd_plugin.public_url[0]) {
        OrthancPluginSendHttpStatusCode(spd_orthanc, output, 404);
        return OrthancPluginErrorCode_Success;
    }
    snprintf(url, sizeof url, "%s%s", spd_plugin.public_url, path);
    /* Not OrthancPluginRedirect: that is a 301, which a browser remembers past a change of
     * PublicUrl. */
    OrthancPluginSetHttpHeader(spd_orthanc, output, "Location", url);
    OrthancPluginSendHttpStatus(spd_orthanc, output, 302, "", 0);
    return OrthancPluginErrorCode_Success;
}

/* False: something else than GET, and answered. */
static bool is_get(OrthancPluginRestOutput *output, const OrthancPluginHttpRequest *request)
{
    if (request->method == OrthancPluginHttpMethod_Get) return true;
    OrthancPluginSendMethodNotAllowed(spd_orthanc, output, "GET");
    return false;
}

static OrthancPluginErrorCode app(OrthancPluginRestOutput *output, const char *url,
                                  const OrthancPluginHttpRequest *request)
{
    (void)url;
    if (!is_get(output, request)) return OrthancPluginErrorCode_Success;
    return go(output, "/worklist");
}

/* …/open?study=UID: the study's row. Only digits and dots go on: a UID and nothing else. */
static OrthancPluginErrorCode open_study(OrthancPluginRestOutput *output, const char *url,
                                         const OrthancPluginHttpRequest *request)
{
    char path[128];
    (void)url;
    if (!is_get(output, request)) return OrthancPluginErrorCode_Success;
    for (uint32_t i = 0; i < request->getCount; i++) {
        const char *v = request->getValues[i];
        if (strcmp(request->getKeys[i], "study") || strlen(v) > 64 || v[strspn(v, "0123456789.")])
            continue;
        snprintf(path, sizeof path, "/worklist?study=%s", v);
        return go(output, path);
    }
    return go(output, "/worklist");
}

static OrthancPluginErrorCode system_route(OrthancPluginRestOutput *output, const char *url,
                                           const OrthancPluginHttpRequest *request)
{
    struct spd_feed_counts c = spd_feed_counts();
    char text[400];
    (void)url;
    if (!is_get(output, request)) return OrthancPluginErrorCode_Success;
    snprintf(text, sizeof text,
             "{\"Version\": \"0.1.0\", \"BrainUp\": %s, \"BreakerOpen\": %s, \"Waiting\": %u, "
             "\"EventsSent\": %lu, \"InstancesSent\": %lu, \"Dropped\": %lu, \"Failures\": %lu, "
             "\"Behind\": %s, \"Since\": %lld}\n",
             c.up ? "true" : "false", spd_breaker_open() ? "true" : "false", c.waiting, c.events,
             c.instances, c.dropped, c.failures, c.behind ? "true" : "false", (long long)c.since);
    OrthancPluginAnswerBuffer(spd_orthanc, output, text, (uint32_t)strlen(text),
                              "application/json");
    return OrthancPluginErrorCode_Success;
}

static void metrics(void)
{
    struct spd_feed_counts c = spd_feed_counts();
    OrthancPluginSetMetricsValue(spd_orthanc, "orthanc_spoed_queue_depth", (float)c.waiting,
                                 OrthancPluginMetricsType_Default);
    OrthancPluginSetMetricsValue(spd_orthanc, "orthanc_spoed_events_sent_total", (float)c.events,
                                 OrthancPluginMetricsType_Default);
    OrthancPluginSetMetricsValue(spd_orthanc, "orthanc_spoed_instances_sent_total",
                                 (float)c.instances, OrthancPluginMetricsType_Default);
    OrthancPluginSetMetricsValue(spd_orthanc, "orthanc_spoed_dropped_total", (float)c.dropped,
                                 OrthancPluginMetricsType_Default);
    OrthancPluginSetMetricsValue(spd_orthanc, "orthanc_spoed_brain_up", c.up ? 1.0f : 0.0f,
                                 OrthancPluginMetricsType_Default);
}

void spd_pages_register(void)
{
    char uri[128], js[900];
    snprintf(uri, sizeof uri, "%sapp", spd_plugin.root); /* Orthanc takes the last slash off */
    OrthancPluginRegisterRestCallbackNoLock(spd_orthanc, uri, app);
    OrthancPluginSetRootUri(spd_orthanc, uri[0] == '/' ? uri + 1 : uri);
    snprintf(uri, sizeof uri, "%sopen", spd_plugin.root);
    OrthancPluginRegisterRestCallbackNoLock(spd_orthanc, uri, open_study);
    snprintf(uri, sizeof uri, "%ssystem", spd_plugin.root);
    OrthancPluginRegisterRestCallbackNoLock(spd_orthanc, uri, system_route);
    OrthancPluginRegisterRefreshMetricsCallback(spd_orthanc, metrics);
    if (!spd_plugin.public_url[0]) return;
    snprintf(js, sizeof js,
             "$('#study').live('pagebeforeshow', function() { $('#spoed-open').remove();\n"
             "  var b = $('<a>').attr('id', 'spoed-open').attr('data-role', 'button').attr('href', "
             "'#').attr('data-icon', 'forward').text('Open in Spoed').button();\n"
             "  b.insertBefore($('#study-delete').parent().parent());\n"
             "  b.click(function() { $.ajax({url: '../studies/' + $.mobile.pageData.uuid, "
             "dataType: 'json', success: function(s) {\n"
             "    window.open('..%sopen?study=' + "
             "encodeURIComponent(s.MainDicomTags.StudyInstanceUID)); }}); return false; }); });\n",
             spd_plugin.root);
    OrthancPluginExtendOrthancExplorer(spd_orthanc, js);
}
