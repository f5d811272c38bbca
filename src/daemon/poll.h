/* src/daemon/poll.h: orders by asking: the modality worklist of a RIS, read every so often by
 * C-FIND (peers.NAME.poll), where no HL7 exists.
 *
 * Every answer that says something new becomes an order of that peer; the same again becomes
 * nothing. One that is no longer answered changes nothing but a note on its row: a worklist forgets
 * what was done, and does not say that it was. What was answered is remembered in memory alone, so
 * after a start everything is heard once more, which changes nothing. A RIS that does not answer
 * raises the alarm "worklist-poll" with the peer's name.
 *
 * Threads: one per peer that is polled; start and stop from one thread. */
#ifndef SPD_DAEMON_POLL_H
#define SPD_DAEMON_POLL_H

#include "daemon/internal.h"

struct spd_poll;
/* Reads d->config now: a reload stops and starts it. NULL when no peer is polled. */
struct spd_poll *spd_poll_start(struct spd_daemon *d);
void spd_poll_stop(struct spd_poll *p); /* waits for what is under way; NULL is a no-op */

#endif
