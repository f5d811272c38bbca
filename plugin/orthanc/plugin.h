/* plugin/orthanc/plugin.h: what the files of the plugin share. SPDX-License-Identifier:
 * GPL-3.0-or-later
 *
 * The plugin is a thin hook: it hands stored SR objects and arrivals of studies to the brain,
 * answers modality worklist C-FIND from the brain's list, and links the pages. It keeps no state
 * that matters: what is lost here is healed by catch-up over /changes, whose position the brain
 * keeps.
 *
 * Threads: Orthanc's callbacks come in Orthanc's threads and only copy and queue (the SR filter and
 * the worklist callback excepted, which wait for the brain at most one second, and not at all while
 * the breaker is open). One worker thread of our own talks to the brain and to Orthanc's REST API.
 */
#ifndef SPD_PLUGIN_ORTHANC_PLUGIN_H
#define SPD_PLUGIN_ORTHANC_PLUGIN_H

#include <OrthancCPlugin.h>
#include <jansson.h>

#include "base/str.h"
#include "client/http.h"
#include "tags.h"

struct spd_plugin_config { /* read once in Initialize; constant afterwards */
    bool enable, start, labels;
    char program[256], configuration[256]; /* what start runs, and its -c */
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

/* A breaker for calls that somebody waits for: after a time-out the wait is skipped for ten
 * seconds. */
bool spd_breaker_open(void);
void spd_breaker_failed(void);
void spd_breaker_worked(void);

/* One call to the brain. wait: longest time in usec. Appends the answer to out. Retryable rc: no
 * answer. */
enum spd_rc spd_brain(const char *method, const char *path, const char *type, spd_sv body,
                      int64_t wait, int *ret_status, struct spd_str *out);

/* What is wrong with the object or event itself stays wrong and is settled; a missing role or a
 * full disk is mended, and the call repeated. */
bool spd_settled(int status);

/* ---- feed.c: the worker and its queue ---------------------------------------------------- */
void spd_feed_start(void);
void spd_feed_stop(void);                      /* waits for the worker; Finalize */
void spd_feed_ending(void);                    /* Orthanc begins to stop: no new work */
void spd_feed_started(void);                   /* Orthanc answers REST from now on */
void spd_feed_image(const struct spd_tags *t); /* any of Orthanc's threads; never blocks */
void spd_feed_sr(const char *orthanc_id, const char *sop_uid, const char *aet); /* likewise */
void spd_feed_heard(bool ok, int status); /* every call: logs when the brain goes and comes */
void spd_feed_count(bool instance);       /* taken by the brain: an object, or an event */
void spd_feed_heal(void);                 /* a study became stable: look at /changes */
struct spd_feed_counts {
    unsigned long events, instances, dropped, failures;
    unsigned waiting;
    bool up, behind;
    int64_t since; /* how far /changes has been followed */
};
struct spd_feed_counts spd_feed_counts(void);

/* For changes.c, in the worker only. True: the brain has it, or will never want it (the object or
 * event itself is refused): it need not come again. */
bool spd_feed_post_study(const char *type, const struct spd_tags *t, const json_t *instances);
bool spd_feed_post_position(int64_t seq);
bool spd_feed_hand_over(const char *orthanc_id, const char *sop_uid, const char *aet);
bool spd_feed_stopping(void);

/* ---- launch.c: the worker only; does nothing unless configured and due ---------------------- */
void spd_launch(void);

/* ---- labels.c: the worker only; does nothing unless configured and due ---------------------- */
void spd_labels(void);
void spd_labels_look(void); /* once, now */
void spd_labels_stop(void); /* forgets; takes nothing away */

/* ---- changes.c: catch-up over /changes; the worker only ---------------------------------- */
/* thorough: look at single instances too, not only at studies that became stable. False: the brain
 * or Orthanc did not answer; again later. */
bool spd_changes_follow(bool thorough, int64_t *ret_since);
/* GET of Orthanc's own REST API as JSON; NULL: not there. Owned: json_decref. */
json_t *spd_rest(const char *uri);

/* ---- filter.c: SR objects that the brain has committed, the last thousand -------------------- */
void spd_committed_add(const char *sop_uid);
bool spd_committed(const char *sop_uid);
/* Appends text so that it may stand as a value in a query. */
void spd_add_query(struct spd_str *s, const char *text);

/* ---- the callbacks ---------------------------------------------------------------------- */
int32_t spd_filter(uint16_t *dimse_status, const OrthancPluginDicomInstance *instance);
OrthancPluginErrorCode spd_stored(const OrthancPluginDicomInstance *instance,
                                  const char *orthanc_id);
OrthancPluginErrorCode spd_worklist(OrthancPluginWorklistAnswers *answers,
                                    const OrthancPluginWorklistQuery *query, const char *issuer,
                                    const char *called);
void spd_pages_register(void);

#endif
