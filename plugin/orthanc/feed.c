/* plugin/orthanc/feed.c: the worker and its queue: arrivals of images and SR objects to the brain.
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Orthanc's threads put into a bounded queue and go on; what does not fit is counted and healed by
 * catch-up (changes.c). Images are gathered per study for half a second, so that a CT of a thousand
 * slices is a few events; an SR does not wait for that. What the brain did not take goes to the end
 * of the queue and is tried again, so that one object that it cannot commit holds up no other. */
#define _GNU_SOURCE
#include "plugin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

enum { QUEUE = 8192, PER_EVENT = 500, WAIT_USEC = 3000000 };
static const spd_usec gather = 500000, pause_after_failure = 2000000, sweep_every = 60000000,
                      look_every = 10000000;

struct entry {
    bool sr;
    char id[48]; /* Orthanc's id of an SR */
    char aet[20];
    struct spd_tags tags; /* of an SR only its SOP Instance UID */
};

/* guards queue, head, count, srs, heal, gap, started, stop, counts; leaf lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake;
static struct entry *queue; /* ring of QUEUE */
static size_t head, count, srs;
static bool heal, gap = true, started, stop, running;
static struct spd_feed_counts counts;
static pthread_t worker;

/* lock is held. */
static void put(const struct entry *e)
{
    if (queue && count < QUEUE) {
        queue[(head + count++) % QUEUE] = *e;
        srs += e->sr;
    } else {
        counts.dropped++;
        heal = gap = true;
    }
}

static void push(const struct entry *e)
{
    pthread_mutex_lock(&lock);
    put(e);
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
}

void spd_feed_image(const struct spd_tags *t)
{
    struct entry e = {.tags = *t};
    push(&e);
}

void spd_feed_sr(const char *orthanc_id, const char *sop_uid, const char *aet)
{
    struct entry e = {.sr = true};
    snprintf(e.id, sizeof e.id, "%s", orthanc_id);
    snprintf(e.aet, sizeof e.aet, "%s", aet);
    snprintf(e.tags.sop_uid, sizeof e.tags.sop_uid, "%s", sop_uid);
    push(&e);
}

static void set(bool *flag)
{
    pthread_mutex_lock(&lock);
    *flag = true;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
}

void spd_feed_heal(void)
{
    set(&heal);
}

void spd_feed_started(void)
{
    set(&started);
}

void spd_feed_ending(void)
{
    set(&stop);
}

bool spd_feed_stopping(void)
{
    bool yes;
    pthread_mutex_lock(&lock);
    yes = stop;
    pthread_mutex_unlock(&lock);
    return yes;
}

struct spd_feed_counts spd_feed_counts(void)
{
    struct spd_feed_counts c;
    pthread_mutex_lock(&lock);
    c = counts;
    c.waiting = (unsigned)count;
    c.behind = gap;
    pthread_mutex_unlock(&lock);
    return c;
}

/* ---- to the brain ------------------------------------------------------------------------ */
bool spd_settled(int status)
{
    return status < 300 || status == 400 || status == 413 || status == 415 || status == 422;
}

void spd_feed_heard(bool ok, int status)
{
    char line[160];
    bool changed;
    pthread_mutex_lock(&lock);
    changed = counts.up != ok && (ok || counts.up || !counts.failures);
    counts.up = ok;
    counts.failures += !ok;
    pthread_mutex_unlock(&lock);
    if (!changed) return;
    if (ok)
        snprintf(line, sizeof line, "Spoed: the brain answers");
    else if (status)
        snprintf(line, sizeof line, "Spoed: the brain answers %d; handed over later", status);
    else
        snprintf(line, sizeof line, "Spoed: the brain does not answer; handed over later");
    OrthancPluginLogWarning(spd_orthanc, line);
}

void spd_feed_count(bool instance)
{
    pthread_mutex_lock(&lock);
    ++*(instance ? &counts.instances : &counts.events);
    pthread_mutex_unlock(&lock);
}

static bool post(const char *path, const char *type, spd_sv body)
{
    struct spd_str out = SPD_STR_INIT(65536);
    int status = 0;
    bool ok = !spd_brain("POST", path, type, body, WAIT_USEC, &status, &out) && spd_settled(status);
    spd_str_done(&out);
    if (ok) spd_feed_count(type != NULL);
    return ok;
}

bool spd_feed_post_study(const char *type, const struct spd_tags *t, const json_t *instances)
{
    json_t *o = json_object();
    char *text;
    bool ok;
    json_object_set_new(o, "type", json_string(type));
    json_object_set_new(o, "study_uid", json_string(t->study_uid));
    if (t->accession[0]) json_object_set_new(o, "accession", json_string(t->accession));
    if (t->patient_id[0]) {
        json_t *id = json_object(), *ids = json_array();
        json_object_set_new(id, "value", json_string(t->patient_id));
        if (t->issuer[0]) json_object_set_new(id, "authority", json_string(t->issuer));
        json_array_append_new(ids, id);
        json_object_set_new(o, "patient_ids", ids);
    }
    json_object_set(o, "instances", (json_t *)(uintptr_t)instances);
    text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (!text) return false; /* no memory */
    ok = post("/api/v1/events", NULL, spd_sv_from(text));
    free(text);
    return ok;
}

bool spd_feed_post_position(int64_t seq)
{
    char body[200];
    snprintf(body, sizeof body, "{\"type\":\"position\",\"position\":\"%s=%lld\"}",
             spd_plugin.source, (long long)seq);
    return post("/api/v1/events", NULL, spd_sv_from(body));
}

bool spd_feed_hand_over(const char *orthanc_id, const char *sop_uid, const char *aet)
{
    OrthancPluginMemoryBuffer b = {0};
    struct spd_str path = SPD_STR_INIT(300);
    char uri[128];
    bool ok = false;
    snprintf(uri, sizeof uri, "/instances/%.44s/file", orthanc_id);
    if (OrthancPluginRestApiGet(spd_orthanc, &b, uri)) return true; /* deleted meanwhile */
    spd_str_addz(&path, aet[0] ? "/api/v1/instances?ae_title=" : "/api/v1/instances");
    spd_add_query(&path,
                  aet); /* none: it came over REST, and the brain knows the sender by our user */
    if (spd_str_ok(&path)) ok = post(path.ptr, "application/dicom", spd_sv_of(b.data, b.size));
    if (ok) spd_committed_add(sop_uid);
    OrthancPluginFreeMemoryBuffer(spd_orthanc, &b);
    spd_str_done(&path);
    return ok;
}

/* ---- the queue ------------------------------------------------------------------------------- */
static bool same_study(const struct entry *a, const struct entry *b)
{
    return !b->sr && !strcmp(a->tags.study_uid, b->tags.study_uid) &&
           !strcmp(a->tags.accession, b->tags.accession) &&
           !strcmp(a->tags.patient_id, b->tags.patient_id);
}

/* The oldest SR, else the oldest image with every other of its study up to a limit. */
static size_t take(struct entry *out)
{
    size_t n = 0, kept = 0;
    bool want_sr;
    pthread_mutex_lock(&lock);
    want_sr = srs > 0;
    for (size_t i = 0; i < count; i++) {
        struct entry *e = &queue[(head + i) % QUEUE];
        bool first = n == 0 && e->sr == want_sr;
        if (first || (n && !want_sr && n < PER_EVENT && same_study(&out[0], e)))
            out[n++] = *e;
        else
            queue[(head + kept++) % QUEUE] = *e;
    }
    count = kept;
    srs -= want_sr && n;
    pthread_mutex_unlock(&lock);
    return n;
}

static bool hand_in(const struct entry *work, size_t n)
{
    json_t *uids;
    bool ok;
    if (work[0].sr) return spd_feed_hand_over(work[0].id, work[0].tags.sop_uid, work[0].aet);
    uids = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(uids, json_string(work[i].tags.sop_uid));
    ok = spd_feed_post_study("study_arrived", &work[0].tags, uids);
    json_decref(uids);
    return ok;
}

/* What is in the queue now; what comes meanwhile is gathered for the next time. False: something
 * was not taken; it is in the queue again. */
static bool drain(struct entry *work)
{
    size_t n, todo;
    pthread_mutex_lock(&lock);
    todo = count;
    pthread_mutex_unlock(&lock);
    while (todo && !spd_feed_stopping() && (n = take(work)) > 0) {
        todo -= n < todo ? n : todo;
        if (hand_in(work, n)) continue;
        pthread_mutex_lock(&lock);
        for (size_t i = 0; i < n; i++)
            put(&work[i]);
        pthread_mutex_unlock(&lock);
        return false;
    }
    return true;
}

/* ---- the thread ------------------------------------------------------------------------------ */
/* lock is held. Until something is there to do (unless failed: then in any case) or the time is
 * over. */
static void wait_until(spd_usec when, bool until_sr, bool until_any)
{
    struct timespec t = {when / 1000000, when % 1000000 * 1000};
    while (!stop && !(until_sr && srs) && !(until_any && (count || heal)))
        if (pthread_cond_timedwait(&wake, &lock, &t)) return;
}

static void *run(void *arg)
{
    struct entry *work = arg;
    bool failed = false;
    spd_usec swept = 0;
    for (;;) {
        spd_usec now = spd_clock_monotonic();
        bool look, thorough;
        pthread_mutex_lock(&lock);
        if (failed)
            wait_until(now + pause_after_failure, false, false);
        else if (swept)
            wait_until(spd_plugin.start || spd_plugin.labels ? now + look_every : swept + sweep_every, true, true);
        wait_until(spd_clock_monotonic() + gather, !failed, false);
        if (stop) break;
        look = started && (heal || gap || spd_clock_monotonic() - swept >= sweep_every);
        thorough = gap;
        if (look) heal = gap = false; /* what is missed from here on sets them again */
        pthread_mutex_unlock(&lock);
        spd_launch();
        failed = !drain(work);
        if (!failed) spd_labels();
        if (!look) continue;
        int64_t since = -1;
        bool ok = !failed && spd_changes_follow(thorough, &since);
        swept = spd_clock_monotonic();
        failed |= !ok;
        pthread_mutex_lock(&lock);
        if (since >= 0) counts.since = since;
        heal |= !ok;
        gap |= thorough && !ok;
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_unlock(&lock);
    free(work);
    spd_labels_stop();
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
        OrthancPluginLogError(spd_orthanc, "Spoed: cannot start the worker; only SRs that come by "
                                           "C-STORE are handed to the brain");
    }
}

void spd_feed_stop(void)
{
    spd_feed_ending();
    if (running) pthread_join(worker, NULL);
    running = false;
    free(queue);
    queue = NULL;
}
