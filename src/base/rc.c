/* src/base/rc.c: see rc.h. */
#include "base/rc.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const names[SPD_RC_N] = {
    [SPD_OK] = "ok",         [SPD_INVALID] = "invalid", [SPD_NOTFOUND] = "not found",
    [SPD_EXISTS] = "exists", [SPD_UNKNOWN] = "unknown", [SPD_AGAIN] = "try again",
    [SPD_LIMIT] = "limit",   [SPD_PROTO] = "protocol",  [SPD_DENIED] = "denied",
    [SPD_STALE] = "stale",   [SPD_IO] = "i/o",          [SPD_NOMEM] = "out of memory",
    [SPD_BUG] = "bug",
};

enum spd_rc spd_fail(struct spd_err *err, enum spd_rc rc, const char *place, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        err->rc = rc;
        snprintf(err->place, sizeof err->place, "%s", place ? place : "");
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
    }
    return rc;
}

bool spd_rc_is_retryable(enum spd_rc rc)
{
    return rc == SPD_AGAIN || rc == SPD_IO || rc == SPD_NOMEM;
}

const char *spd_rc_name(enum spd_rc rc)
{
    return (unsigned)rc < SPD_RC_N ? names[rc] : "?";
}
