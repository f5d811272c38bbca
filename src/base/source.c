/* src/base/source.c: see source.h. */
#define _GNU_SOURCE
#include "base/source.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum spd_rc spd_source_read(const char *path, size_t max, struct spd_source *ret,
                            struct spd_arena *arena, struct spd_err *err)
{
    struct stat st;
    enum spd_rc rc = SPD_OK;
    size_t n = 0;
    char *buf = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return spd_fail(err, errno == ENOENT ? SPD_NOTFOUND : SPD_IO, path, "cannot open: %s",
                        strerror(errno));
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        rc = spd_fail(err, SPD_INVALID, path, "not a regular file");
    else if ((size_t)st.st_size > max)
        rc = spd_fail(err, SPD_LIMIT, path, "larger than %zu bytes", max);
    else
        buf = spd_arena_must(arena, (size_t)st.st_size + 1);
    while (!rc && n < (size_t)st.st_size) {
        ssize_t k = read(fd, buf + n, (size_t)st.st_size - n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) rc = spd_fail(err, SPD_IO, path, "cannot read: %s", strerror(errno));
        if (k <= 0) break;
        n += (size_t)k;
    }
    close(fd);
    if (rc) return rc;
    ret->name = spd_arena_dup(arena, spd_sv_from(path));
    ret->text = spd_sv_of(buf, n);
    return SPD_OK;
}

enum spd_rc spd_source_glob(const char *pattern, size_t max, struct spd_source **ret, size_t *ret_n,
                            struct spd_arena *arena, struct spd_err *err)
{
    glob_t g;
    enum spd_rc rc = SPD_OK;
    int e = glob(pattern, 0, NULL, &g);
    *ret = NULL, *ret_n = 0;
    if (e == GLOB_NOMATCH) return SPD_OK;
    if (e) return spd_fail(err, SPD_IO, pattern, "cannot list the folder");
    *ret = SPD_NEW_N(arena, struct spd_source, g.gl_pathc);
    for (size_t i = 0; i < g.gl_pathc && !rc; i++)
        rc = spd_source_read(g.gl_pathv[i], max, &(*ret)[(*ret_n)++], arena, err);
    globfree(&g);
    return rc;
}
