/* plugin/orthanc/labels.c: "Labels": true: writes the place of a study on the reporting worklist to
 * its labels, so that Orthanc Explorer 2 shows and filters it. SPDX-License-Identifier:
 * GPL-3.0-or-later
 *
 * Labels are "spoed-<number>-<level>" and "spoed-ai-pending", taken away when the study leaves the
 * list; labels with another beginning are never touched. They follow the list by some seconds and
 * are a convenience: nothing reads them back. Needs Orthanc 1.12.0, which has labels.
 *
 * Threads: the worker alone. */
#define _GNU_SOURCE
#include "plugin.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum { STUDIES_MAX = 2000, LABEL = 48 };
static const spd_usec every = 15000000;
static const char prefix[] = "spoed-", pending_label[] = "spoed-ai-pending";

struct labelled { /* what stands at a study of this Orthanc, as far as we put it there */
    char uid[65], id[48];
    char level[LABEL];
    bool pending, seen;
};
static struct labelled *studies;
static size_t n_studies;
static spd_usec looked;
static bool cleaned; /* of what an earlier process left */

/* ---- Orthanc ------------------------------------------------------------------------------- */
static void put(const char *id, const char *label, bool there)
{
    OrthancPluginMemoryBuffer b = {0};
    char uri[160];
    snprintf(uri, sizeof uri, "/studies/%s/labels/%s", id, label);
    if (!there)
        OrthancPluginRestApiDelete(spd_orthanc, uri);
    else if (!OrthancPluginRestApiPut(spd_orthanc, &b, uri, "", 0))
        OrthancPluginFreeMemoryBuffer(spd_orthanc, &b);
}

static bool ours(const char *label)
{
    return label && !strncmp(label, prefix, sizeof prefix - 1) && strlen(label) < LABEL;
}

static void remove_ours(const char *id)
{
    char uri[128];
    json_t *labels, *label;
    size_t i;
    snprintf(uri, sizeof uri, "/studies/%s/labels", id);
    labels = spd_rest(uri);
    json_array_foreach(labels, i, label) if (ours(json_string_value(label)))
        put(id, json_string_value(label), false);
    json_decref(labels);
}

/* Every study that bears one of our labels from before this process. */
static void clean(void)
{
    OrthancPluginMemoryBuffer b = {0};
    json_t *all = spd_rest("/tools/labels"), *asked = json_array(), *label, *found = NULL, *id;
    size_t i;
    char *body;
    json_array_foreach(all, i, label) if (ours(json_string_value(label)))
        json_array_append(asked, label);
    json_decref(all);
    cleaned = true;
    if (!json_array_size(asked)) {
        json_decref(asked);
        return;
    }
    json_t *query = json_pack("{s:s, s:{}, s:o, s:s}", "Level", "Study", "Query", "Labels", asked,
                              "LabelsConstraint", "Any");
    body = query ? json_dumps(query, JSON_COMPACT) : NULL;
    json_decref(query);
    if (body &&
        !OrthancPluginRestApiPost(spd_orthanc, &b, "/tools/find", body, (uint32_t)strlen(body))) {
        found = json_loadb(b.data, b.size, 0, NULL);
        OrthancPluginFreeMemoryBuffer(spd_orthanc, &b);
    }
    free(body);
    json_array_foreach(found, i, id) if (json_is_string(id) && json_string_length(id) < 48)
        remove_ours(json_string_value(id));
    json_decref(found);
}

/* ---- the list ------------------------------------------------------------------------------ */
static struct labelled *study(const char *uid)
{
    struct labelled *s;
    char *id;
    for (size_t i = 0; i < n_studies; i++)
        if (!strcmp(studies[i].uid, uid)) return &studies[i];
    if (n_studies == STUDIES_MAX || strlen(uid) > 64) return NULL;
    id = OrthancPluginLookupStudy(spd_orthanc, uid);
    if (!id) return NULL; /* its images are not here */
    s = &studies[n_studies++];
    *s = (struct labelled){.seen = false};
    snprintf(s->uid, sizeof s->uid, "%s", uid);
    snprintf(s->id, sizeof s->id, "%s", id);
    OrthancPluginFreeString(spd_orthanc, id);
    return s;
}

/* Orthanc takes letters, digits, "-" and "_". */
static void level_label(const json_t *item, char ret[LABEL])
{
    const char *name = json_string_value(json_object_get(item, "level"));
    int n = snprintf(ret, LABEL, "%s%d-%.24s", prefix,
                     (int)json_integer_value(json_object_get(item, "level_no")), name ? name : "");
    for (char *c = ret; c < ret + n && *c; c++)
        if (!((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
              *c == '-' || *c == '_'))
            *c = '_';
}

static bool is_pending(const json_t *item)
{
    const json_t *ai;
    size_t i;
    json_array_foreach(json_object_get(item, "ai"), i, ai)
    {
        const char *state = json_string_value(json_object_get(ai, "state"));
        if (state && !strcmp(state, "pending")) return true;
    }
    return false;
}

/* The list is in rank order: of several items of a study the first one gives its level. */
static void take_item(const json_t *item)
{
    const json_t *uid;
    size_t i;
    json_array_foreach(json_object_get(item, "study_uids"), i, uid)
    {
        struct labelled *s = json_is_string(uid) ? study(json_string_value(uid)) : NULL;
        char level[LABEL];
        if (!s || s->seen) continue;
        level_label(item, level);
        bool pending = is_pending(item);
        s->seen = true;
        if (strcmp(s->level, level)) {
            if (s->level[0]) put(s->id, s->level, false);
            put(s->id, level, true);
            memcpy(s->level, level, sizeof level);
        }
        if (s->pending != pending) put(s->id, pending_label, pending);
        s->pending = pending;
    }
}

static void forget_gone(void)
{
    size_t n = 0;
    for (size_t i = 0; i < n_studies; i++) {
        struct labelled *s = &studies[i];
        if (s->seen) {
            s->seen = false;
            studies[n++] = *s;
            continue;
        }
        if (s->level[0]) put(s->id, s->level, false);
        if (s->pending) put(s->id, pending_label, false);
    }
    n_studies = n;
}

void spd_labels_look(void)
{
    struct spd_str out = SPD_STR_INIT(32 << 20);
    json_t *list = NULL, *items, *item;
    int status = 0;
    size_t i;
    if (!studies && !(studies = calloc(STUDIES_MAX, sizeof *studies))) return;
    if (!spd_brain("GET", "/api/v1/worklist?limit=2000", NULL, SPD_SV_NONE, 3000000, &status,
                   &out) &&
        status == 200)
        list = json_loadb(out.ptr, out.len, 0, NULL);
    spd_str_done(&out);
    items = json_object_get(list, "items");
    if (json_is_array(
            items)) { /* else the labels stay as they are: an old place is better than none */
        if (!cleaned) clean();
        json_array_foreach(items, i, item) take_item(item);
        forget_gone();
    }
    json_decref(list);
}

void spd_labels(void)
{
    if (!spd_plugin.labels || (looked && spd_clock_monotonic() - looked < every)) return;
    looked = spd_clock_monotonic();
    spd_labels_look();
}

void spd_labels_stop(void)
{
    free(studies);
    studies = NULL, n_studies = 0, looked = 0, cleaned = false;
}
