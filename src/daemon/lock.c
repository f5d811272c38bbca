/* src/daemon/lock.c: see lock.h. */
#define _GNU_SOURCE
#include "daemon/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum spd_rc spd_lock_take(spd_sv store_url, int *ret_fd, struct spd_err *err)
{
    char path[PATH_MAX], pid[24];
    spd_sv prefix = SPD_SV("sqlite:");
    int fd, n;
    *ret_fd = -1;
    if (!spd_sv_starts(store_url, prefix)) return SPD_OK;
    n = snprintf(path, sizeof path, "%.*s.lock", (int)(store_url.len - prefix.len),
                 store_url.ptr + prefix.len);
    if (n < 0 || (size_t)n >= sizeof path)
        return spd_fail(err, SPD_INVALID, "store.url", "the path is too long");
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) return spd_fail(err, SPD_IO, "store.url", "%s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        int e = errno;
        close(fd);
        if (e == EWOULDBLOCK)
            return spd_fail(err, SPD_EXISTS, "store.url", "another spoed runs on this database");
        return spd_fail(err, SPD_IO, "store.url", "%s: %s", path, strerror(e));
    }
    n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid()); /* for people only */
    if (ftruncate(fd, 0) || write(fd, pid, (size_t)n) != n) {
        close(fd);
        return spd_fail(err, SPD_IO, "store.url", "%s: %s", path, strerror(errno));
    }
    *ret_fd = fd;
    return SPD_OK;
}

void spd_lock_release(int fd)
{
    if (fd >= 0) close(fd);
}
