/* src/cli/act.h: one act of an administrator at the command line: through the brain that runs, else by the
 * same core under its lock (design §5). */
#ifndef SPD_CLI_ACT_H
#define SPD_CLI_ACT_H

#include <jansson.h>

#include "daemon/config.h"
#include "model/model.h"

/* POSTs body to path; with nobody there the event a is applied, by is set to "command line", and *ret stays
 * NULL. An exit code, having said why. */
int spd_act(const struct spd_config *c, const char *path, const json_t *body, struct spd_action_event *a,
            const char *role, json_t **ret);

#endif
