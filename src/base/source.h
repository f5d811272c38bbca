/* src/base/source.h: one text file as read by a host: name for error places, text as it stands. */
#ifndef SPD_BASE_SOURCE_H
#define SPD_BASE_SOURCE_H

#include "base/arena.h"
#include "base/rc.h"

struct spd_source {
    spd_sv name;
    spd_sv text;
};

/* Reads a whole file, at most max bytes. In arena. NOTFOUND, LIMIT, IO. */
enum spd_rc spd_source_read(const char *path, size_t max, struct spd_source *ret,
                            struct spd_arena *arena, struct spd_err *err);
/* Reads every file that a shell pattern names, in bytewise order; no match is no error. */
enum spd_rc spd_source_glob(const char *pattern, size_t max, struct spd_source **ret, size_t *ret_n,
                            struct spd_arena *arena, struct spd_err *err);

#endif
