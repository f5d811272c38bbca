/* plugin/orthanc/worklist.c: modality worklist C-FIND, answered from the brain's list (PS3.4 K).
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Orthanc's called AE is fixed, so the reporting list is given to the callers in "ReportingAets".
 * The brain matches and orders; Orthanc sends the answers in the order in which they are added. A
 * brain that does not answer within a second costs this query one second and the next ten seconds'
 * queries nothing: they end as incomplete, never as "no scheduled steps". A row that cannot be
 * written is left out, and the answer is marked as incomplete: one odd name must not take the list
 * away. */
#define _GNU_SOURCE
#include "plugin.h"

#include <stdio.h>

/* Binary values are no keys: left out. */
static void no_binary(OrthancPluginDicomWebNode *node, OrthancPluginDicomWebSetBinaryNode set,
                      uint32_t level, const uint16_t *groups, const uint16_t *elements,
                      const uint32_t *index, uint16_t group, uint16_t element,
                      OrthancPluginValueRepresentation vr, void *payload)
{
    (void)level, (void)groups, (void)elements, (void)index, (void)group, (void)element, (void)vr,
        (void)payload;
    set(node, OrthancPluginDicomWebBinaryMode_Ignore, NULL);
}

static bool reports(const char *aet)
{
    for (size_t i = 0; i < spd_plugin.n_reporting_aets; i++)
        if (!strcmp(spd_plugin.reporting_aets[i], aet)) return true;
    return false;
}

/* The body for POST /api/v1/find. The keys go on as Orthanc wrote them: nothing of a query, which
 * may be nested as deep as its sender likes, is parsed in Orthanc's process. */
static bool question(const OrthancPluginWorklistQuery *query, const char *issuer,
                     struct spd_str *out)
{
    OrthancPluginMemoryBuffer b = {0};
    char *keys;
    if (OrthancPluginWorklistGetDicomQuery(spd_orthanc, &b, query)) return false;
    keys = OrthancPluginEncodeDicomWebJson2(spd_orthanc, b.data, b.size, no_binary, NULL);
    OrthancPluginFreeMemoryBuffer(spd_orthanc, &b);
    if (!keys) return false;
    spd_str_addz(out, "{\"called\":");
    spd_str_json(
        out, spd_sv_from(reports(issuer) ? spd_plugin.reporting_ae_title : spd_plugin.ae_title));
    spd_str_addz(out, ",\"calling\":");
    spd_str_json(out, spd_sv_from(issuer));
    spd_str_addz(out, ",\"keys\":");
    spd_str_addz(out, keys);
    spd_str_addc(out, '}');
    OrthancPluginFreeString(spd_orthanc, keys);
    return spd_str_ok(out);
}

/* The answers, each a DICOM file behind its length in 4 bytes, little endian. Returns how many
 * Orthanc did not take; *ret_whole: nothing was cut off at the end. */
static size_t add_all(OrthancPluginWorklistAnswers *answers,
                      const OrthancPluginWorklistQuery *query, spd_sv files, bool *ret_whole)
{
    size_t refused = 0;
    while (files.len >= 4) {
        const unsigned char *p = (const unsigned char *)files.ptr;
        uint32_t n = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        if (n > files.len - 4) break;
        if (OrthancPluginWorklistAddAnswer(spd_orthanc, answers, query, files.ptr + 4, n))
            refused++;
        files.ptr += 4 + n, files.len -= 4 + (size_t)n;
    }
    *ret_whole = files.len == 0;
    return refused;
}

OrthancPluginErrorCode spd_worklist(OrthancPluginWorklistAnswers *answers,
                                    const OrthancPluginWorklistQuery *query, const char *issuer,
                                    const char *called)
{
    struct spd_str body = SPD_STR_INIT(8 << 20), files = SPD_STR_INIT(64 << 20);
    bool asked, whole = false;
    int status = 0;
    char line[160];
    size_t refused = 0;
    (void)called;
    asked = !spd_breaker_open() && question(query, issuer, &body);
    if (asked && spd_brain("POST", "/api/v1/find?as=files", NULL, spd_str_sv(&body), 1000000,
                           &status, &files))
        spd_breaker_failed();
    else if (asked)
        spd_breaker_worked();
    if (status == 200) refused = add_all(answers, query, spd_str_sv(&files), &whole);
    spd_str_done(&body), spd_str_done(&files);
    if (status >= 400 && status < 500) return OrthancPluginErrorCode_BadRequest;
    if (whole && !refused) return OrthancPluginErrorCode_Success;
    if (refused) {
        snprintf(line, sizeof line,
                 "Spoed: Orthanc did not take %zu rows of the worklist; the answer is marked as "
                 "incomplete",
                 refused);
        OrthancPluginLogWarning(spd_orthanc, line);
    }
    return OrthancPluginWorklistMarkIncomplete(spd_orthanc, answers);
}
