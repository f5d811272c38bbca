/* src/base/password.h: passwords as scrypt strings, by OpenSSL's EVP KDF.
 *
 * The form is "scrypt$N$r$p$salt$hash", salt (16 bytes) and hash (32 bytes) in base64url. The cost is
 * read from the string, within limits, so that it can be raised without a migration. One hash at the
 * default cost takes about half a second and 128 MiB: callers bound how many run at once.
 * Thread-safe. The comparison takes the same time wherever the difference lies. */
#ifndef SPD_BASE_PASSWORD_H
#define SPD_BASE_PASSWORD_H

#include "base/arena.h"
#include "base/rc.h"

enum { SPD_PASSWORD_N = 1 << 17, SPD_PASSWORD_MAX = 1024 /* bytes of a password */ };

/* Cost n must be a power of two, 2^10 .. 2^20. INVALID: empty, too long, or a bad cost. In arena. */
enum spd_rc spd_password_hash(spd_sv password, uint64_t n, spd_sv *ret, struct spd_arena *arena,
                              struct spd_err *err);
/* OK: it is that password. DENIED: it is not. INVALID: the stored string is not one of ours. */
enum spd_rc spd_password_verify(spd_sv stored, spd_sv password, struct spd_err *err);
/* For a user who does not exist: costs what a verification costs. Always DENIED. */
enum spd_rc spd_password_pretend(spd_sv password);

#endif
