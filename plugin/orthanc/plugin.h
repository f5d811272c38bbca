/* plugin/orthanc/plugin.h: what the files of the plugin share. SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The plugin is a thin hook: it hands stored SR objects and arrivals of studies to the brain, answers
 * modality worklist C-FIND from the brain's list, and links the pages. It keeps no state that matters: what
 * is lost here is healed by catch-up over /changes, whose position the brain keeps.
 *
 * Threads: Orthanc's callbacks come in Orthanc's threads and only copy and queue (the SR filter and the
 * worklist callback excepted, which wait for the brain at most one second, and not at all while the breaker
 * is open). One worker thread of our own talks to the brain and to Orthanc's REST API. */
#ifndef SPD_PLUGIN_ORTHANC_PLUGIN_H
#define SPD_PLUGIN_ORTHANC_PLUGIN_H

#include <OrthancCPlugin.h>
#include <jansson.h>

#include "base/str.h"
#include "client/http.h"

struct spd_plugin_config { /* read once in Initialize; constant afterwards */
    bool enable;
    char socket[108];
    char root[64];        /* "/spoed/" */
    char public_url[256]; /* of the pages; "" = none */
    char source[64];      /* name of this Orthanc in the brain's list of /changes positions */
    char ae_title[20];    /* of this Orthanc */
    char reporting_ae_title[20]; /* the brain's name of the reporting list */
    char (*reporting_aets)[20];  /* callers that get the reporting list */
    size_t n_reporting_aets;
};
extern OrthancPluginContext *spd_orthanc;
extern struct spd_plugin_config spd_plugin;

/* A breaker for calls that somebody waits for: after a time-out the wait is skipped for ten seconds. */
bool spd_breaker_open(void);
void spd_breaker_failed(void);
void spd_breaker_worked(void);

/* One call to the brain. wait: longest time in usec. Appends the answer to out. Retryable rc: no answer. */
enum spd_rc spd_brain(const char *method, const char *path, const char *type, spd_sv body, int64_t wait,
                      int *ret_status, struct spd_str *out);

/* ---- tags.c: a few tags of a Part 10 file in memory, without a parser of the host's ------------------------ */
struct spd_tags {
    char sop_class[65], sop_uid[65], accession[65], patient_id[65], study_uid[65], issuer[65];
};
/* False when the bytes are not explicit or implicit little endian Part 10, or broken before the Study UID. */
bool spd_tags_read(const unsigned char *p, size_t n, struct spd_tags *ret);
bool spd_tags_is_sr(const char *sop_class);

/* ---- feed.c: the worker, its queue, catch-up ------------------------------------------------------------------ */
void spd_feed_start(void);
void spd_feed_stop(void);
void spd_feed_image(const struct spd_tags *t);           /* any of Orthanc's threads; never blocks */
void spd_feed_sr(const char *orthanc_id, const char *aet); /* an SR to hand over later */
void spd_feed_heal(void);                                  /* something was missed: catch up */
struct spd_feed_counts { unsigned long events, instances, dropped, failures; unsigned waiting; bool up; };
struct spd_feed_counts spd_feed_counts(void);

/* ---- the callbacks ------------------------------------------------------------------------------------------------ */
int32_t spd_filter(uint16_t *dimse_status, const OrthancPluginDicomInstance *instance);
OrthancPluginErrorCode spd_stored(const OrthancPluginDicomInstance *instance, const char *orthanc_id);
OrthancPluginErrorCode spd_worklist(OrthancPluginWorklistAnswers *answers, const OrthancPluginWorklistQuery *query,
                                    const char *issuer, const char *called);
void spd_pages_register(void);

#endif
