/* src/daemon/notify.h: what systemd wants to hear, by its datagram socket; nothing without NOTIFY_SOCKET.
 * Written out here: forty lines are less to trust than a library. Thread-safe. */
#ifndef SPD_DAEMON_NOTIFY_H
#define SPD_DAEMON_NOTIFY_H

#include "base/clock.h"

/* "READY=1", "RELOADING=1\nMONOTONIC_USEC=…", "STATUS=42 waiting", "WATCHDOG=1", "STOPPING=1". */
void spd_notify(const char *state);
void spd_notify_reloading(void);
/* How often WATCHDOG=1 is due (half of WATCHDOG_USEC); 0 = nobody asks. */
spd_usec spd_notify_watchdog(void);

#endif
