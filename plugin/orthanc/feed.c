/* plugin/orthanc/feed.c: the worker: arrivals of studies and SR objects to the brain, and catch-up over /changes.
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Orthanc's threads put into a bounded queue and go on; a full queue is counted and healed by catch-up. Images
 * are gathered per study for half a second, so that a CT of a thousand slices is a few events. The position in
 * /changes is the brain's: it is moved in the transaction of an event, only when everything before it has been
 * handed over. */
#define _GNU_SOURCE
#include "plugin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

enum { QUEUE = 8192, PER_EVENT = 500, WAIT_USEC = 3000000 };

struct entry {
    bool sr;
    char id[48];  /* Orthanc's id of an SR */
    char aet[20];
    struct spd_tags tags;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards queue, head, count, heal, stop, counts; leaf lock */
static pthread_cond_t wake;
static struct entry *queue; /* ring of QUEUE */
static size_t head, count;
static bool heal, stop, running;
static struct spd_feed_counts counts;
static pthread_t worker;

static void push(const struct entry *e)
{
    pthread_mutex_lock(&lock);
    if (queue && count < QUEUE) {
        queue[(head + count++) % QUEUE] = *e;
    } else {
        counts.dropped++;
        heal = true;
    }
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
}

void spd_feed_image(const struct spd_tags *t)
{
    struct entry e = {.tags = *t};
    push(&e);
}

void spd_feed_sr(const char *orthanc_id, const char *aet)
{
    struct entry e = {.sr = true};
    snprintf(e.id, sizeof e.id, "%s", orthanc_id);
    snprintf(e.aet, sizeof e.aet, "%s", aet);
    push(&e);
}

void spd_feed_heal(void)
{
    pthread_mutex_lock(&lock);
    heal = true;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
}

struct spd_feed_counts spd_feed_counts(void)
{
    struct spd_feed_counts c;
    pthread_mutex_lock(&lock);
    c = counts;
    c.waiting = (unsigned)count;
    pthread_mutex_unlock(&lock);
    return c;
}

static void note(bool ok, bool event)
{
    pthread_mutex_lock(&lock);
    counts.up = ok;
    if (!ok) counts.failures++;
    else if (event) counts.events++;
    else counts.instances++;
    pthread_mutex_unlock(&lock);
}

/* ---- to the brain ------------------------------------------------------------------------------------- */
/* True: the brain has it, or will never want it (4xx): it need not come again. */
static bool post(const char *path, const char *type, spd_sv body, bool event)
{
    struct spd_str out = SPD_STR_INIT(65536);
    int status = 0;
    enum spd_rc rc = spd_brain("POST", path, type, body, WAIT_USEC, &status, &out);
    bool ok = !rc && status < 500;
    spd_str_done(&out);
    note(ok, event);
    return ok;
}

static bool post_study(const char *type, const struct spd_tags *t, const json_t *instances, const char *position)
{
    json_t *o = json_object(), *ids;
    char *text, pos[120];
    bool ok;
    json_object_set_new(o, "type", json_string(type));
    json_object_set_new(o, "study_uid", json_string(t->study_uid));
    if (t->accession[0]) json_object_set_new(o, "accession", json_string(t->accession));
    if (t->patient_id[0]) {
        json_t *id = json_object();
        json_object_set_new(id, "value", json_string(t->patient_id));
        if (t->issuer[0]) json_object_set_new(id, "authority", json_string(t->issuer));
        ids = json_array();
        json_array_append_new(ids, id);
        json_object_set_new(o, "patient_ids", ids);
    }
    if (instances) json_object_set(o, "instances", (json_t *)(uintptr_t)instances);
    if (position) {
        snprintf(pos, sizeof pos, "%s=%s", spd_plugin.source, position);
        json_object_set_new(o, "position", json_string(pos));
    }
    text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (!text) return false; /* text that is not UTF-8, or no memory */
    ok = post("/api/v1/events", NULL, spd_sv_from(text), true);
    free(text);
    return ok;
}

static json_t *rest(const char *uri)
{
    OrthancPluginMemoryBuffer b = {0};
    json_t *j;
    if (OrthancPluginRestApiGet(spd_orthanc, &b, uri)) return NULL;
    j = json_loadb(b.data, b.size, 0, NULL);
    OrthancPluginFreeMemoryBuffer(spd_orthanc, &b);
    return j;
}

static bool hand_over_sr(const char *orthanc_id, const char *aet)
{
    OrthancPluginMemoryBuffer b = {0};
    char uri[128];
    bool ok;
    snprintf(uri, sizeof uri, "/instances/%.44s/file", orthanc_id);
    if (OrthancPluginRestApiGet(spd_orthanc, &b, uri)) return true; /* gone meanwhile */
    snprintf(uri, sizeof uri, "/api/v1/instances?ae_title=%.16s", aet[0] ? aet : spd_plugin.ae_title);
    for (char *c = uri; *c; c++)
        if (*c == ' ') *c = '+';
    ok = post(uri, "application/dicom", spd_sv_of(b.data, b.size), false);
    OrthancPluginFreeMemoryBuffer(spd_orthanc, &b);
    return ok;
}

/* ---- the queue ------------------------------------------------------------------------------------------- */
static bool same_study(const struct entry *a, const struct entry *b)
{
    return !b->sr && !strcmp(a->tags.study_uid, b->tags.study_uid) && !strcmp(a->tags.accession, b->tags.accession) &&
           !strcmp(a->tags.patient_id, b->tags.patient_id);
}

/* Takes the oldest entry, and with it every other image of its study up to a limit. */
static size_t take(struct entry *out)
{
    size_t n = 0, kept = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        struct entry *e = &queue[(head + i) % QUEUE];
        if (n == 0 || (!out[0].sr && n < PER_EVENT && same_study(&out[0], e))) out[n++] = *e;
        else queue[(head + kept++) % QUEUE] = *e;
    }
    count = kept;
    pthread_mutex_unlock(&lock);
    return n;
}

static bool drain(struct entry *work)
{
    size_t n;
    bool ok = true;
    while (ok && (n = take(work)) > 0) {
        if (work[0].sr) {
            ok = hand_over_sr(work[0].id, work[0].aet);
        } else {
            json_t *ids = json_array();
            for (size_t i = 0; i < n; i++) json_array_append_new(ids, json_string(work[i].tags.sop_uid));
            ok = post_study("study_arrived", &work[0].tags, ids, NULL);
            json_decref(ids);
        }
    }
    return ok;
}

/* ---- catch-up ---------------------------------------------------------------------------------------------- */
static void text_of(const json_t *o, const char *key, char *to, size_t size)
{
    const char *z = json_string_value(json_object_get(o, key));
    snprintf(to, size, "%s", z ? z : "");
}

/* A study as Orthanc has it now. */
static bool whole_study(const char *id, bool complete)
{
    char uri[128];
    struct spd_tags t = {0};
    json_t *study, *list, *uids = json_array();
    const json_t *v;
    size_t i;
    bool ok = true;
    snprintf(uri, sizeof uri, "/studies/%.44s", id);
    study = rest(uri);
    snprintf(uri, sizeof uri, "/studies/%.44s/instances", id);
    list = rest(uri);
    if (study && list) {
        const json_t *main = json_object_get(study, "MainDicomTags"), *patient = json_object_get(study, "PatientMainDicomTags");
        text_of(main, "StudyInstanceUID", t.study_uid, sizeof t.study_uid);
        text_of(main, "AccessionNumber", t.accession, sizeof t.accession);
        text_of(patient, "PatientID", t.patient_id, sizeof t.patient_id);
        json_array_foreach(list, i, v)
        {
            const char *uid = json_string_value(json_object_get(json_object_get(v, "MainDicomTags"), "SOPInstanceUID"));
            char class_uri[128];
            OrthancPluginMemoryBuffer b = {0};
            snprintf(class_uri, sizeof class_uri, "/instances/%.44s/metadata/SopClassUid", json_string_value(json_object_get(v, "ID")) ? json_string_value(json_object_get(v, "ID")) : "");
            if (OrthancPluginRestApiGet(spd_orthanc, &b, class_uri) == 0) {
                char cls[65];
                snprintf(cls, sizeof cls, "%.*s", (int)(b.size < 64 ? b.size : 64), (const char *)b.data);
                OrthancPluginFreeMemoryBuffer(spd_orthanc, &b);
                if (spd_tags_is_sr(cls)) { /* the brain knows a repeated object by its bytes */
                    ok = ok && hand_over_sr(json_string_value(json_object_get(v, "ID")), "");
                    continue;
                }
            }
            if (uid) json_array_append_new(uids, json_string(uid));
        }
        if (ok && t.study_uid[0]) ok = post_study(complete ? "study_complete" : "study_arrived", &t, uids, NULL);
    }
    json_decref(study), json_decref(list), json_decref(uids);
    return ok;
}

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
    *ret = 0;
    if (ok && json_is_string(json_object_get(o, "position"))) spd_sv_to_i64(spd_sv_from(json_string_value(json_object_get(o, "position"))), ret);
    json_decref(o);
    note(ok, true);
    return ok;
}

static bool move_position(int64_t seq)
{
    char body[200];
    snprintf(body, sizeof body, "{\"type\":\"position\",\"position\":\"%s=%lld\"}", spd_plugin.source, (long long)seq);
    return post("/api/v1/events", NULL, spd_sv_from(body), true);
}

/* One page of /changes. *ret_done: nothing is left. */
static bool one_page(int64_t *since, bool *ret_done)
{
    char uri[96];
    json_t *page, *c;
    size_t i;
    bool ok = true;
    snprintf(uri, sizeof uri, "/changes?since=%lld&limit=200", (long long)*since);
    page = rest(uri);
    *ret_done = true;
    if (!page) return false;
    json_array_foreach(json_object_get(page, "Changes"), i, c)
    {
        const char *type = json_string_value(json_object_get(c, "ChangeType")), *id = json_string_value(json_object_get(c, "ID"));
        if (!ok) break;
        if (type && id && !strcmp(type, "StableStudy")) ok = whole_study(id, true);
        else if (type && id && !strcmp(type, "NewStudy")) ok = whole_study(id, false);
        if (ok) *since = json_integer_value(json_object_get(c, "Seq"));
    }
    if (ok) *ret_done = json_is_true(json_object_get(page, "Done"));
    json_decref(page);
    return ok;
}

static bool catch_up(void)
{
    int64_t since, start;
    bool done = false, ok = position(&since);
    start = since;
    while (ok && !done) {
        pthread_mutex_lock(&lock);
        done = stop;
        pthread_mutex_unlock(&lock);
        if (!done) ok = one_page(&since, &done);
    }
    return since > start ? move_position(since) && ok : ok;
}

/* ---- the thread ---------------------------------------------------------------------------------------------- */
static void *run(void *arg)
{
    struct entry *work = arg;
    bool behind = true;
    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 500000000;
        if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
        if (behind) until.tv_sec += 2; /* the brain did not answer: no hurry */
        pthread_mutex_lock(&lock);
        while (!stop && pthread_cond_timedwait(&wake, &lock, &until) == 0) {} /* gathers what comes meanwhile */
        if (stop) {
            pthread_mutex_unlock(&lock);
            break;
        }
        behind |= heal;
        heal = false;
        pthread_mutex_unlock(&lock);
        if (!drain(work)) behind = true;
        else if (behind) behind = !catch_up();
    }
    free(work);
    return NULL;
}

void spd_feed_start(void)
{
    pthread_condattr_t attr;
    struct entry *work = calloc(PER_EVENT, sizeof *work);
    queue = calloc(QUEUE, sizeof *queue);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&wake, &attr);
    pthread_condattr_destroy(&attr);
    running = work && queue && pthread_create(&worker, NULL, run, work) == 0;
    if (!running) {
        free(work);
        OrthancPluginLogError(spd_orthanc, "Spoed: cannot start the worker; nothing is handed to the brain but SRs in the filter");
    }
}

void spd_feed_stop(void)
{
    pthread_mutex_lock(&lock);
    stop = true;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
    if (running) pthread_join(worker, NULL);
    running = false;
    free(queue);
    queue = NULL;
}
