/* src/daemon/lock.h: one brain per database: an advisory lock on a file beside it. The kernel lets
 * go of it when the process dies, however it dies. */
#ifndef SPD_DAEMON_LOCK_H
#define SPD_DAEMON_LOCK_H

#include "base/rc.h"
#include "base/sv.h"

/* store_url "sqlite:/path": locks "/path.lock", making the folder's file when needed. EXISTS:
 * another process has it. "memory:": OK, *ret_fd is -1. Closing the descriptor lets go. */
enum spd_rc spd_lock_take(spd_sv store_url, int *ret_fd, struct spd_err *err);
void spd_lock_release(int fd); /* -1 is a no-op */

#endif
