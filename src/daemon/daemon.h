/* src/daemon/daemon.h: the brain as a whole: everything wired, started, reloaded and stopped.
 *
 * `spoed serve` is spd_daemon_serve; the demo and the tests start one inside their own process,
 * with their own clock. Threads: all functions from one thread. */
#ifndef SPD_DAEMON_DAEMON_H
#define SPD_DAEMON_DAEMON_H

#include "daemon/config.h"
#include "queue/writer.h"

struct spd_daemon;

struct spd_daemon_options {
    size_t size;                 /* sizeof(struct spd_daemon_options) */
    const char *config;          /* path of spoed.yaml */
    const char *dicom_program;   /* NULL: spoed-dicom beside this executable */
    spd_usec (*now)(void *self); /* NULL: the system's clock; must be thread-safe */
    void *now_self;
    int first_fd, n_fds; /* listening sockets that systemd handed over */
};

/* Loads, locks, opens, starts everything that the configuration names. INVALID: the configuration
 * or a file it names, err.place says where. EXISTS: another brain has the database. STALE: the
 * store needs migration. Owned. */
enum spd_rc spd_daemon_start(const struct spd_daemon_options *options, struct spd_daemon **ret,
                             struct spd_err *err);
/* Reads the configuration again. A bad one keeps the old one running, raises the alarm "config" and
 * says why. */
enum spd_rc spd_daemon_reload(struct spd_daemon *d, struct spd_err *err);
/* About once a second: looks at certificates and at strangers on the HL7 port, and raises alarms. */
void spd_daemon_tick(struct spd_daemon *d);
/* Stops accepting, answers what was taken, commits, closes. NULL is a no-op. */
void spd_daemon_stop(struct spd_daemon *d);

const struct spd_config *spd_daemon_config(const struct spd_daemon *d); /* until the next reload */
struct spd_writer *spd_daemon_writer(struct spd_daemon *d);
int spd_daemon_http_port(const struct spd_daemon *d); /* of the first TCP listener; 0 = none */
int spd_daemon_mllp_port(const struct spd_daemon *d);
/* "http://127.0.0.1:8750": public_url, or the first TCP listener. Borrowed. */
const char *spd_daemon_url(const struct spd_daemon *d);
/* Still going round with its store? False: something hangs. */
bool spd_daemon_alive(struct spd_daemon *d);
/* One line for systemd: "42 waiting". */
void spd_daemon_status(struct spd_daemon *d, char *ret, size_t size);

/* The command: starts, says so, waits for signals (HUP reload, TERM and INT stop), stops. Errors
 * are printed; the rc is that of spd_daemon_start. */
enum spd_rc spd_daemon_serve(const char *config, bool quiet);

#endif
