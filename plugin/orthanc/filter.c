/* plugin/orthanc/filter.c: SR objects pass the brain before Orthanc takes them; everything else at
 * once. SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Orthanc serialises this filter, so an SR waits at most one second, and not at all for ten seconds
 * after a time-out. Only the brain's explicit "cannot commit" (507) refuses the object (0xA700):
 * its sender tries again. Any other trouble stores it, and catch-up hands it over. Objects that
 * come over REST or STOW do not pass here: they are handed over after they are stored. */
#define _GNU_SOURCE
#include "plugin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { RECENT = 1024 };
static pthread_mutex_t recent_lock =
    PTHREAD_MUTEX_INITIALIZER;  /* guards recent, recent_at; leaf lock */
static char recent[RECENT][65]; /* SOP Instance UIDs that the brain has committed */
static unsigned recent_at;

void spd_committed_add(const char *sop_uid)
{
    pthread_mutex_lock(&recent_lock);
    snprintf(recent[recent_at++ % RECENT], sizeof recent[0], "%s", sop_uid);
    pthread_mutex_unlock(&recent_lock);
}

bool spd_committed(const char *sop_uid)
{
    bool found = false;
    pthread_mutex_lock(&recent_lock);
    for (int i = 0; i < RECENT && !found; i++)
        found = sop_uid[0] && !strcmp(recent[i], sop_uid);
    pthread_mutex_unlock(&recent_lock);
    return found;
}

void spd_add_query(struct spd_str *s, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            c == '_' || c == '-' || c == '.')
            spd_str_addc(s, *text);
        else
            spd_str_addf(s, "%%%02X", c);
    }
}

int32_t spd_filter(uint16_t *dimse_status, const OrthancPluginDicomInstance *instance)
{
    const unsigned char *data = OrthancPluginGetInstanceData(spd_orthanc, instance);
    int64_t size = OrthancPluginGetInstanceSize(spd_orthanc, instance);
    const char *aet = OrthancPluginGetInstanceRemoteAet(spd_orthanc, instance);
    struct spd_tags t;
    struct spd_str path = SPD_STR_INIT(200), out = SPD_STR_INIT(16384);
    int status = 0;
    enum spd_rc rc;
    int32_t store = 1;
    if (!data || size <= 0 || !spd_tags_read(data, (size_t)size, &t) ||
        !spd_tags_is_sr(t.sop_class))
        return 1;
    if (spd_breaker_open()) return 1;
    spd_str_addz(&path, aet && aet[0] ? "/api/v1/instances?ae_title=" : "/api/v1/instances");
    spd_add_query(&path, aet ? aet : "");
    if (!spd_str_ok(&path)) { /* no memory: stored, and handed over later */
        spd_str_done(&path);
        return 1;
    }
    rc = spd_brain("POST", path.ptr, "application/dicom",
                   spd_sv_of((const char *)data, (size_t)size), 1000000, &status, &out);
    if (rc) {
        spd_breaker_failed();
    } else {
        spd_breaker_worked();
        if (status == 507) {
            *dimse_status = 0xA700;
            store = 0;
        } else if (status == 200) {
            spd_committed_add(t.sop_uid);
            spd_feed_count(true);
        }
    }
    spd_str_done(&path);
    spd_str_done(&out);
    return store;
}

OrthancPluginErrorCode spd_stored(const OrthancPluginDicomInstance *instance,
                                  const char *orthanc_id)
{
    const unsigned char *data = OrthancPluginGetInstanceData(spd_orthanc, instance);
    int64_t size = OrthancPluginGetInstanceSize(spd_orthanc, instance);
    struct spd_tags t;
    if (!data || size <= 0 || !spd_tags_read(data, (size_t)size, &t))
        return OrthancPluginErrorCode_Success;
    if (!spd_tags_is_sr(t.sop_class)) {
        if (spd_tags_is_image(t.sop_class)) spd_feed_image(&t);
    } else if (!spd_committed(t.sop_uid)) {
        const char *aet = OrthancPluginGetInstanceRemoteAet(spd_orthanc, instance);
        spd_feed_sr(orthanc_id, t.sop_uid, aet ? aet : "");
    }
    return OrthancPluginErrorCode_Success;
}
