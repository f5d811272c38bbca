/* src/cli/offline.h: writing without a brain: its lock, its store, the same core, the same events (design
 * §5). For commands; one thread. What was applied counts only once spd_offline_close has said OK. */
#ifndef SPD_CLI_OFFLINE_H
#define SPD_CLI_OFFLINE_H

#include "core/core.h"
#include "daemon/config.h"

struct spd_offline;
/* EXISTS: a brain (or another command) holds the lock. STALE: the store needs migration. rules: the event
 * is judged by the rules that the brain last ran with; INVALID when it never ran. Owned. */
enum spd_rc spd_offline_open(const struct spd_config *c, bool rules, struct spd_offline **ret, struct spd_err *err);
/* One event, in a savepoint of its own. OK: *ret holds until the next call; ret->rc may still say that it was
 * refused. */
enum spd_rc spd_offline_apply(struct spd_offline *o, enum spd_event_type type, void *payload, struct spd_receipt *ret,
                              struct spd_err *err);
/* Commits and gives everything back; not OK: nothing of the last few hundred events was done. NULL is OK. */
enum spd_rc spd_offline_close(struct spd_offline *o, struct spd_err *err);

/* Runs f while a brain that is just starting may hold the lock without its socket answering: f returns
 * SPD_OFFLINE_LOCKED (having said nothing) to be called again a little later, with last set in the end. */
enum { SPD_OFFLINE_LOCKED = -2 };
int spd_offline_retry(int (*f)(void *ctx, bool last), void *ctx);

#endif
