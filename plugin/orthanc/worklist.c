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
#include <stdlib.h>

enum { DEPTH_MAX = 6 };

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

/* The body for POST /api/v1/find. Owned: free(). */
static char *question(const OrthancPluginWorklistQuery *query, const char *issuer)
{
    OrthancPluginMemoryBuffer b = {0};
    char *keys, *text = NULL;
    json_t *o, *k;
    if (OrthancPluginWorklistGetDicomQuery(spd_orthanc, &b, query)) return NULL;
    keys = OrthancPluginEncodeDicomWebJson2(spd_orthanc, b.data, b.size, no_binary, NULL);
    OrthancPluginFreeMemoryBuffer(spd_orthanc, &b);
    if (!keys) return NULL;
    k = json_loads(keys, 0, NULL);
    OrthancPluginFreeString(spd_orthanc, keys);
    if (!k) return NULL;
    o = json_object();
    json_object_set_new(
        o, "called",
        json_string(reports(issuer) ? spd_plugin.reporting_ae_title : spd_plugin.ae_title));
    json_object_set_new(o, "calling", json_string(issuer));
    json_object_set_new(o, "keys", k);
    text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

/* DICOM JSON (PS3.18 F) to the form that OrthancPluginCreateDicom takes: {"0008,0050": "text",
 * "0040,0100": [{…}]}. */
static json_t *simple(const json_t *dataset, int depth)
{
    json_t *o = json_object();
    const char *key;
    json_t *v;
    if (depth > DEPTH_MAX) return o;
    json_object_foreach((json_t *)(uintptr_t)dataset, key, v)
    {
        const char *vr = json_string_value(json_object_get(v, "vr"));
        const json_t *values = json_object_get(v, "Value"), *x;
        char name[16];
        size_t i;
        struct spd_str s = SPD_STR_INIT(65536);
        if (strlen(key) != 8 || !vr) continue;
        snprintf(name, sizeof name, "%.4s,%.4s", key, key + 4);
        if (!strcmp(vr, "SQ")) {
            json_t *items = json_array();
            json_array_foreach(values, i, x) json_array_append_new(items, simple(x, depth + 1));
            json_object_set_new(o, name, items);
            continue;
        }
        json_array_foreach(values, i, x)
        {
            const json_t *t = json_is_object(x) ? json_object_get(x, "Alphabetic") : x;
            if (i) spd_str_addc(&s, '\\');
            if (json_is_integer(t))
                spd_str_addi(&s, json_integer_value(t));
            else if (json_is_string(t))
                spd_str_addz(&s, json_string_value(t));
        }
        json_object_set_new(o, name, json_string(s.ptr ? s.ptr : ""));
        spd_str_done(&s);
    }
    return o;
}

static OrthancPluginErrorCode add(OrthancPluginWorklistAnswers *answers,
                                  const OrthancPluginWorklistQuery *query, const json_t *dataset)
{
    OrthancPluginMemoryBuffer dicom = {0};
    OrthancPluginErrorCode rc;
    json_t *o = simple(dataset, 0);
    char *text;
    json_object_set_new(o, "0008,0005", json_string("ISO_IR 192"));
    text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (!text) return OrthancPluginErrorCode_NotEnoughMemory;
    rc = OrthancPluginCreateDicom(spd_orthanc, &dicom, text, NULL,
                                  OrthancPluginCreateDicomFlags_None);
    free(text);
    if (rc) return rc;
    rc = OrthancPluginWorklistAddAnswer(spd_orthanc, answers, query, dicom.data, dicom.size);
    OrthancPluginFreeMemoryBuffer(spd_orthanc, &dicom);
    return rc;
}

OrthancPluginErrorCode spd_worklist(OrthancPluginWorklistAnswers *answers,
                                    const OrthancPluginWorklistQuery *query, const char *issuer,
                                    const char *called)
{
    struct spd_str out = SPD_STR_INIT(64 << 20);
    char *body;
    json_t *got = NULL;
    const json_t *list, *one;
    int status = 0;
    char line[160];
    size_t i, skipped = 0;
    (void)called;
    if (spd_breaker_open() || !(body = question(query, issuer)))
        return OrthancPluginWorklistMarkIncomplete(spd_orthanc, answers);
    if (spd_brain("POST", "/api/v1/find", NULL, spd_sv_from(body), 1000000, &status, &out))
        spd_breaker_failed();
    else
        spd_breaker_worked();
    free(body);
    if (status == 200) got = json_loadb(out.ptr, out.len, 0, NULL);
    spd_str_done(&out);
    if (!got)
        return status >= 400 && status < 500
                   ? OrthancPluginErrorCode_BadRequest
                   : OrthancPluginWorklistMarkIncomplete(spd_orthanc, answers);
    list = json_object_get(got, "answers");
    json_array_foreach(list, i, one)
    {
        if (add(answers, query, one)) skipped++;
    }
    json_decref(got);
    if (!skipped) return OrthancPluginErrorCode_Success;
    snprintf(line, sizeof line,
             "Spoed: %zu rows of the worklist could not be written as DICOM; the answer is marked "
             "as incomplete",
             skipped);
    OrthancPluginLogWarning(spd_orthanc, line);
    return OrthancPluginWorklistMarkIncomplete(spd_orthanc, answers);
}
