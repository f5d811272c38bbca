/* src/cli/act.c: see act.h. */
#include "cli/act.h"

#include <stdio.h>

#include "cli/api.h"
#include "cli/offline.h"

struct job {
    const struct spd_config *c;
    const char *path;
    const json_t *body;
    struct spd_action_event *event;
    json_t **ret;
};

static int by_store(const struct job *j, bool last)
{
    struct spd_offline *o = NULL;
    struct spd_receipt r = {0};
    struct spd_err err = {0};
    enum spd_rc rc = spd_offline_open(j->c, true, &o, &err), closed;
    if (rc == SPD_EXISTS && !last) return SPD_OFFLINE_LOCKED;
    if (!rc) rc = spd_offline_apply(o, SPD_EVENT_ACTION, j->event, &r, &err);
    if (!rc && r.rc) {
        spd_sv why = r.reason_en.len ? r.reason_en : r.reason;
        rc = spd_fail(&err, r.rc, "refused", "%.*s", SPD_SV_ARG(why));
    }
    closed = spd_offline_close(o, rc ? NULL : &err);
    rc = rc ? rc : closed;
    if (rc) fprintf(stderr, "spoed: %s: %s\n", err.place, err.text);
    return !rc ? SPD_EXIT_OK : rc == SPD_STALE ? SPD_EXIT_MIGRATE : SPD_EXIT_FAILURE;
}

static int either(void *ctx, bool last)
{
    const struct job *j = ctx;
    int code = spd_api_call(j->c, "POST", j->path, j->body, j->ret);
    return code == SPD_API_NOBODY ? by_store(j, last) : code;
}

int spd_act(const struct spd_config *c, const char *path, const json_t *body,
            struct spd_action_event *a, const char *role, json_t **ret)
{
    spd_sv roles = spd_sv_from(role);
    a->by = SPD_SV("command line");
    a->roles.v = &roles, a->roles.n = 1;
    return spd_offline_retry(either, &(struct job){c, path, body, a, ret});
}
