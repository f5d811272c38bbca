/* plugin/orthanc/changes.c: catch-up over Orthanc's /changes. SPDX-License-Identifier:
 * GPL-3.0-or-later
 *
 * The position is the brain's, per Orthanc ("Source"); it is moved when everything before it has
 * been handed over. In ordinary running the queue has delivered all that is new, and only studies
 * that became stable are looked at: each is told whole, which mends whatever was missed in it.
 * After a start, a full queue or a failure every new instance is looked at too (thorough), from a
 * thousand changes before the position: those may have been in the queue when Orthanc was killed.
 * An Orthanc that the brain does not know yet is followed from a day ago, not through all its
 * history.
 *
 * Everything here may come twice; the brain knows an object and an image again. */
#define _GNU_SOURCE
#include "plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

enum { PAGE = 500, BEFORE = 1000, UIDS_PER_EVENT = 1000, SERIES = 32, WAIT_USEC = 3000000 };

struct series { /* what was found out about a series in this page */
    char id[48], study[48];
    bool sr;
};

struct page {
    json_t *touched; /* Orthanc's id of a study -> true: stable, false: something new */
    struct series series[SERIES];
    unsigned n_series;
    bool thorough, ok;
};

json_t *spd_rest(const char *uri)
{
    OrthancPluginMemoryBuffer b = {0};
    json_t *j;
    if (OrthancPluginRestApiGet(spd_orthanc, &b, uri)) return NULL;
    j = json_loadb(b.data, b.size, 0, NULL);
    OrthancPluginFreeMemoryBuffer(spd_orthanc, &b);
    return j;
}

/* what/id/rest as JSON. */
static json_t *fetch(const char *what, const char *id, const char *rest)
{
    char uri[160];
    snprintf(uri, sizeof uri, "/%s/%.44s%s", what, id, rest);
    return spd_rest(uri);
}

static const char *text(const json_t *o, const char *key)
{
    const char *z = json_string_value(json_object_get(o, key));
    return z ? z : "";
}

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

/* A text of an instance that is not JSON; "" when it has none. Asked of the list, since a GET of
 * what is not there is an error in Orthanc's log. */
static void metadata(const char *instance, const char *name, char *to, size_t size)
{
    OrthancPluginMemoryBuffer b = {0};
    char uri[160];
    json_t *all = fetch("instances", instance, "/metadata");
    const json_t *v;
    size_t i;
    bool there = false;
    to[0] = 0;
    json_array_foreach(all, i, v) there |=
        !strcmp(json_string_value(v) ? json_string_value(v) : "", name);
    json_decref(all);
    if (!there) return;
    snprintf(uri, sizeof uri, "/instances/%.44s/metadata/%s", instance, name);
    if (OrthancPluginRestApiGet(spd_orthanc, &b, uri)) return;
    snprintf(to, size, "%.*s", (int)(b.size < size ? b.size : size - 1), (const char *)b.data);
    OrthancPluginFreeMemoryBuffer(spd_orthanc, &b);
}

static bool hand_over(const char *instance, const char *sop_uid)
{
    char aet[20];
    if (spd_committed(sop_uid)) return true;
    metadata(instance, "RemoteAET", aet, sizeof aet);
    return spd_feed_hand_over(instance, sop_uid, aet);
}

/* ---- a study as Orthanc has it now ------------------------------------------------------- */
/* Its issuer is no main tag in Orthanc: read off one image. */
static void issuer_of(const char *instance, struct spd_tags *t)
{
    OrthancPluginMemoryBuffer b = {0};
    struct spd_tags read;
    char uri[128];
    snprintf(uri, sizeof uri, "/instances/%.44s/file", instance);
    if (OrthancPluginRestApiGet(spd_orthanc, &b, uri)) return;
    if (spd_tags_read(b.data, b.size, &read)) copy(t->issuer, sizeof t->issuer, read.issuer);
    OrthancPluginFreeMemoryBuffer(spd_orthanc, &b);
}

/* One series: SR objects are handed over, images are added to uids. A series holds one kind of
 * object (PS3.3 C.7.3.1), so that its first tells. */
static bool one_series(const char *id, struct spd_tags *t, json_t *uids)
{
    json_t *list = fetch("series", id, "/instances");
    const json_t *v;
    size_t i;
    char sop_class[65];
    bool ok = true;
    metadata(text(json_array_get(list, 0), "ID"), "SopClassUid", sop_class, sizeof sop_class);
    if (spd_tags_is_image(sop_class) && !json_array_size(uids))
        issuer_of(text(json_array_get(list, 0), "ID"), t);
    json_array_foreach(list, i, v)
    {
        const char *uid = text(json_object_get(v, "MainDicomTags"), "SOPInstanceUID");
        if (!ok || spd_feed_stopping()) break;
        if (spd_tags_is_sr(sop_class))
            ok = hand_over(text(v, "ID"), uid);
        else if (spd_tags_is_image(sop_class) && uid[0])
            json_array_append_new(uids, json_string(uid));
    }
    json_decref(list);
    return ok;
}

/* In pieces that the brain takes; the last one says whether the study is complete. */
static bool tell(const struct spd_tags *t, const json_t *uids, bool complete)
{
    size_t n = json_array_size(uids);
    bool ok = true;
    for (size_t at = 0; ok && at < n; at += UIDS_PER_EVENT) {
        bool last = at + UIDS_PER_EVENT >= n;
        json_t *piece = json_array();
        for (size_t i = at; i < n && i < at + UIDS_PER_EVENT; i++)
            json_array_append(piece, json_array_get(uids, i));
        ok = spd_feed_post_study(complete && last ? "study_complete" : "study_arrived", t, piece);
        json_decref(piece);
    }
    return ok;
}

/* A study of reports alone says nothing about images: they may be in another archive. */
static bool whole_study(const char *id, bool complete)
{
    struct spd_tags t = {0};
    json_t *study = fetch("studies", id, ""), *uids = json_array();
    const json_t *tags = json_object_get(study, "MainDicomTags"), *v;
    size_t i;
    bool ok = true;
    copy(t.study_uid, sizeof t.study_uid, text(tags, "StudyInstanceUID"));
    copy(t.accession, sizeof t.accession, text(tags, "AccessionNumber"));
    copy(t.patient_id, sizeof t.patient_id,
         text(json_object_get(study, "PatientMainDicomTags"), "PatientID"));
    json_array_foreach(json_object_get(study, "Series"), i, v)
    {
        ok = ok && json_is_string(v) && one_series(json_string_value(v), &t, uids);
    }
    if (ok && t.study_uid[0] && !spd_feed_stopping()) ok = tell(&t, uids, complete);
    json_decref(study);
    json_decref(uids);
    return ok && !spd_feed_stopping();
}

/* ---- a page of changes ----------------------------------------------------------------------- */
static const struct series *series_of(struct page *p, const char *id, const char *instance)
{
    struct series *s;
    json_t *j;
    char sop_class[65];
    for (unsigned i = 0; i < p->n_series && i < SERIES; i++)
        if (!strcmp(p->series[i].id, id)) return &p->series[i];
    s = &p->series[p->n_series++ % SERIES];
    j = fetch("series", id, "");
    metadata(instance, "SopClassUid", sop_class, sizeof sop_class);
    copy(s->id, sizeof s->id, id);
    copy(s->study, sizeof s->study, text(j, "ParentStudy"));
    s->sr = spd_tags_is_sr(sop_class);
    json_decref(j);
    return s;
}

static void new_instance(struct page *p, const char *id)
{
    json_t *j = fetch("instances", id, "");
    const char *parent = text(j, "ParentSeries");
    if (parent[0]) { /* else deleted meanwhile */
        const struct series *s = series_of(p, parent, id);
        if (s->sr)
            p->ok = hand_over(id, text(json_object_get(j, "MainDicomTags"), "SOPInstanceUID"));
        else if (s->study[0] && !json_object_get(p->touched, s->study))
            json_object_set_new(p->touched, s->study, json_false());
    }
    json_decref(j);
}

/* Takes the page at *since and moves *since behind it when all of it was handed over. */
static bool one_page(int64_t *since, bool thorough, bool *ret_done, bool *ret_worked)
{
    struct page p = {.touched = json_object(), .thorough = thorough, .ok = true};
    char uri[96];
    json_t *page, *c, *stable;
    const char *study;
    size_t i;
    snprintf(uri, sizeof uri, "/changes?since=%lld&limit=%d", (long long)*since, PAGE);
    page = spd_rest(uri);
    p.ok = page != NULL;
    json_array_foreach(json_object_get(page, "Changes"), i, c)
    {
        const char *type = text(c, "ChangeType"), *id = text(c, "ID");
        if (!p.ok || spd_feed_stopping()) break;
        if (!strcmp(type, "StableStudy"))
            json_object_set_new(p.touched, id, json_true());
        else if (thorough && !strcmp(type, "NewInstance"))
            new_instance(&p, id);
    }
    json_object_foreach(p.touched, study, stable)
    {
        if (p.ok) p.ok = whole_study(study, json_is_true(stable));
    }
    p.ok = p.ok && !spd_feed_stopping();
    if (p.ok) {
        *ret_worked = json_object_size(p.touched) > 0;
        *ret_done = json_is_true(json_object_get(page, "Done"));
        if (json_is_integer(json_object_get(page, "Last")))
            *since = json_integer_value(json_object_get(page, "Last"));
    }
    json_decref(p.touched);
    json_decref(page);
    return p.ok;
}

/* ---- where to begin -------------------------------------------------------------------------- */
/* The position that the brain remembers; -1: none. */
static bool position(int64_t *ret)
{
    struct spd_str out = SPD_STR_INIT(4096);
    char path[160];
    int status = 0;
    json_t *o = NULL;
    bool ok;
    snprintf(path, sizeof path, "/api/v1/events/position?source=%s", spd_plugin.source);
    ok = !spd_brain("GET", path, NULL, SPD_SV_NONE, WAIT_USEC, &status, &out) && status == 200;
    if (ok) o = json_loadb(out.ptr, out.len, 0, NULL);
    spd_str_done(&out);
    if (!spd_sv_to_i64(spd_sv_from(text(o, "position")), ret)) *ret = -1;
    json_decref(o);
    return ok;
}

static int64_t last_change(void)
{
    json_t *page = spd_rest("/changes?last");
    int64_t last = json_integer_value(json_object_get(page, "Last"));
    json_decref(page);
    return last;
}

/* The change before the first of the last day, by halving: Orthanc does not search by date. */
static int64_t a_day_ago(int64_t last)
{
    time_t day = time(NULL) - 86400;
    struct tm tm;
    char uri[96], limit[24];
    int64_t low = 0;
    if (!gmtime_r(&day, &tm) || !strftime(limit, sizeof limit, "%Y%m%dT%H%M%S", &tm)) return 0;
    while (low < last) {
        int64_t mid = low + (last - low) / 2;
        json_t *page;
        snprintf(uri, sizeof uri, "/changes?since=%lld&limit=1", (long long)mid);
        page = spd_rest(uri);
        if (strcmp(text(json_array_get(json_object_get(page, "Changes"), 0), "Date"), limit) < 0)
            low = mid + 1;
        else
            last = mid;
        json_decref(page);
    }
    return low;
}

bool spd_changes_follow(bool thorough, int64_t *ret_since)
{
    int64_t since, last, told;
    bool done = false;
    if (!position(&told)) return false;
    last = last_change();
    since = told;
    if (told < 0 || told > last) { /* unknown, or the index was replaced by another */
        since = told = a_day_ago(last);
        thorough = true;
    } else if (thorough) {
        since = told > BEFORE ? told - BEFORE : 0;
    }
    while (!done) {
        int64_t from = since;
        bool worked = false;
        if (!one_page(&since, thorough, &done, &worked)) return false;
        done |= since == from;
        /* Trailing changes of no interest are read again rather than told each time. */
        if (since > told && (worked || since - told >= BEFORE)) {
            if (!spd_feed_post_position(since)) return false;
            told = since;
        }
    }
    *ret_since = since;
    return true;
}
