/* src/net/socket.h: the few socket calls that doors and clients share. Transport only.
 *
 * All descriptors are close-on-exec. Addresses are numeric texts ("127.0.0.1", "::1"); names are
 * looked up by spd_net_connect only. Thread-safe: no state. */
#ifndef SPD_NET_SOCKET_H
#define SPD_NET_SOCKET_H

#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/rc.h"

enum { SPD_NET_ADDRESS = 64 }; /* room for a numeric address and its NUL */

/* Non-blocking listeners. port 0: a free one. EXISTS: the address is in use. */
enum spd_rc spd_net_listen(const char *address, int port, int *ret_fd, struct spd_err *err);
/* A stale socket file is replaced; EXISTS when somebody answers on it. mode as chmod. */
enum spd_rc spd_net_listen_unix(const char *path, mode_t mode, int *ret_fd, struct spd_err *err);
int spd_net_port(int fd); /* of a TCP listener; 0 when it has none */
/* The listening descriptors that systemd handed over (LISTEN_FDS, LISTEN_PID); the environment is
 * cleared. Returns how many; they are numbered from *ret_first. */
int spd_net_inherited(int *ret_first);

/* Connects within the time-out; the descriptor is blocking, with that time-out on each send and
 * receive. host may be a name. AGAIN: refused, unreachable or too slow; err.text says which. */
enum spd_rc spd_net_connect(const char *host, int port, spd_usec timeout, int *ret_fd,
                            struct spd_err *err);
enum spd_rc spd_net_connect_unix(const char *path, spd_usec timeout, int *ret_fd,
                                 struct spd_err *err);
/* Sets the time that one send or receive may take. */
void spd_net_timeout(int fd, spd_usec timeout);

void spd_net_nonblock(int fd);
void spd_net_peer(
    int fd, char ret[SPD_NET_ADDRESS]);    /* numeric address of the other side, "" when unknown */
bool spd_net_peer_uid(int fd, uid_t *ret); /* SO_PEERCRED of a Unix socket */
/* "mllp://host:port" or "tcp://[::1]:port" -> host and port. INVALID otherwise. */
enum spd_rc spd_net_parse(spd_sv url, char *ret_host, size_t n_host, int *ret_port,
                          struct spd_err *err);

#endif
