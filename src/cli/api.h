/* src/cli/api.h: the command line's way to a brain that runs: its HTTP API, over the first Unix
 * socket that the configuration names, else over its first TCP listener with the token in
 * SPOED_TOKEN. */
#ifndef SPD_CLI_API_H
#define SPD_CLI_API_H

#include <jansson.h>

#include "base/sv.h"
#include "cli/cli.h"
#include "daemon/config.h"

enum { SPD_API_NOBODY = -1 }; /* no brain answers */

/* Loads the configuration; on failure says why and returns NULL. Owned: spd_config_free. */
struct spd_config *spd_api_config(const struct spd_cli *cli);
/* One call. An exit code: OK with *ret (owned, NULL for an empty answer), or FAILURE after having
 * said why, or SPD_API_NOBODY without having said anything. */
int spd_api_call(const struct spd_config *c, const char *method, const char *path,
                 const json_t *body, json_t **ret);
/* The same, saying that no brain runs. */
int spd_api_must(const struct spd_config *c, const char *method, const char *path,
                 const json_t *body, json_t **ret);
/* Text of a member, or "" (never NULL). */
const char *spd_api_text(const json_t *object, const char *key);
/* --json: prints the answer as it is. */
void spd_api_print(const json_t *v);

#endif
