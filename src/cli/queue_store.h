/* src/cli/queue_store.h: the queue without a brain: read from the store, written under the brain's
 * lock by the same core. Apart from cmd_queue.c, since the store and a table on the terminal use
 * one name. */
#ifndef SPD_CLI_QUEUE_STORE_H
#define SPD_CLI_QUEUE_STORE_H

#include "cli/api.h"
#include "model/model.h"

enum { SPD_QUEUE_ROWS = 500 };

struct spd_queue_ask { /* NULL, 0: not given */
    const struct spd_config *c;
    int act; /* enum spd_action_verb; UNSET: read */
    int64_t id;
    const char *state, *destination, *reason, *name;
};

/* Exit codes; on failure said why. *ret as the API gives it; owned. */
int spd_queue_read(const struct spd_queue_ask *ask, json_t **ret);
/* SPD_OFFLINE_LOCKED (not when last): somebody holds the lock. */
int spd_queue_write(const struct spd_queue_ask *ask, bool last, json_t **ret);
int spd_queue_retry(int (*f)(void *ctx, bool last), void *ctx); /* spd_offline_retry */

#endif
