/* src/base/sv.h: a piece of text that somebody else owns: pointer and length, bytewise compared.
 * ptr may be NULL when len is 0. Not NUL-terminated unless the maker says so (arena copies are). */
#ifndef SPD_BASE_SV_H
#define SPD_BASE_SV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct spd_sv {
    const char *ptr;
    size_t len;
} spd_sv;

#define SPD_SV(lit) ((spd_sv){(lit), sizeof(lit) - 1})
#define SPD_SV_NONE ((spd_sv){NULL, 0})
/* For printf("%.*s", SPD_SV_ARG(v)). */
#define SPD_SV_ARG(v) (int)(v).len, (v).ptr ? (v).ptr : ""

static inline spd_sv spd_sv_from(const char *z)
{
    return (spd_sv){z, z ? strlen(z) : 0};
}

static inline spd_sv spd_sv_of(const char *ptr, size_t len)
{
    return (spd_sv){ptr, len};
}

static inline bool spd_sv_eq(spd_sv a, spd_sv b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool spd_sv_is(spd_sv a, const char *z)
{
    return spd_sv_eq(a, spd_sv_from(z));
}

static inline bool spd_sv_empty(spd_sv a)
{
    return a.len == 0;
}

int spd_sv_cmp(spd_sv a, spd_sv b);  /* bytewise, as memcmp */
bool spd_sv_ieq(spd_sv a, spd_sv b); /* ASCII case folded */
bool spd_sv_starts(spd_sv a, spd_sv prefix);
bool spd_sv_find(spd_sv a, spd_sv needle, size_t *ret_at); /* ret_at may be NULL */
spd_sv spd_sv_trim(spd_sv a);                              /* spaces, tabs, CR, LF at both ends */
bool spd_sv_to_i64(spd_sv a, int64_t *ret); /* decimal, whole text; false otherwise */
/* "0.93", ".5", "93", "9.1e-1" to millionths, rounded to nearest; false if not a decimal number or
 * outside +-9e12. No floating point is used. */
bool spd_sv_to_micro(spd_sv a, int64_t *ret);
bool spd_sv_is_utf8(spd_sv a);  /* well-formed, no NUL */
uint64_t spd_sv_hash(spd_sv a); /* FNV-1a; not for hostile keys in big tables */

#endif
