/* src/base/rc.h: the one error vocabulary.
 *
 * A function that can fail returns an enum spd_rc and, where a person may need to know more,
 * fills the caller's struct spd_err (last argument, may be NULL). err.text never holds an input
 * value: it may be logged. A parser's place ("OBR-18", "policy.yaml:3:7") goes into err.place.
 * Threads: values only, no shared state. */
#ifndef SPD_BASE_RC_H
#define SPD_BASE_RC_H

#include <stdbool.h>

enum spd_rc {
    SPD_OK = 0,
    SPD_INVALID,  /* the input is wrong and stays wrong */
    SPD_NOTFOUND, /* expected answer of every find and get */
    SPD_EXISTS,   /* already there */
    SPD_UNKNOWN,  /* cannot tell: a person must look */
    SPD_AGAIN,    /* not now, try later */
    SPD_LIMIT,    /* a limit of ours was reached */
    SPD_PROTO,    /* the peer broke the protocol */
    SPD_DENIED,   /* not allowed */
    SPD_STALE,    /* the object has changed since the caller looked (If-Match) */
    SPD_IO,       /* disk or network failed */
    SPD_NOMEM,    /* only in code that lives in other people's processes; the brain aborts */
    SPD_BUG,      /* ours */
    SPD_RC_N
};

struct spd_err {
    enum spd_rc rc;
    char place[96];
    char text[200];
};

/* Sets *err (if not NULL) and returns rc, so that it can stand in a return. */
enum spd_rc spd_fail(struct spd_err *err, enum spd_rc rc, const char *place, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The only place that says temporary or permanent. */
bool spd_rc_is_retryable(enum spd_rc rc);

/* "ok", "invalid" ... Never NULL. */
const char *spd_rc_name(enum spd_rc rc);

#endif
