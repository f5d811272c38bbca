/* src/base/str.h: a growing text with a ceiling.
 *
 * Made with a hard maximum; the first failure (limit or memory) is remembered and later appends do
 * nothing, so that a chain of appends is checked once with spd_str_ok. Owned: spd_str_done. */
#ifndef SPD_BASE_STR_H
#define SPD_BASE_STR_H

#include <stdarg.h>

#include "base/rc.h"
#include "base/sv.h"

struct spd_str {
    char *ptr; /* NUL-terminated once anything was appended */
    size_t len, cap, max;
    enum spd_rc rc;
};

#define SPD_STR_INIT(max_bytes) ((struct spd_str){NULL, 0, 0, (max_bytes), SPD_OK})

void spd_str_done(struct spd_str *s); /* wipes and frees; usable again */
void spd_str_clear(struct spd_str *s);
void spd_str_add(struct spd_str *s, spd_sv v);
void spd_str_addz(struct spd_str *s, const char *z);
void spd_str_addc(struct spd_str *s, char c);
void spd_str_addi(struct spd_str *s, int64_t v);
void spd_str_addf(struct spd_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void spd_str_json(struct spd_str *s, spd_sv v); /* quoted and escaped JSON string */
static inline bool spd_str_ok(const struct spd_str *s)
{
    return s->rc == SPD_OK;
}
static inline spd_sv spd_str_sv(const struct spd_str *s)
{
    return (spd_sv){s->ptr, s->len};
}

/* The brain is crash-only on out-of-memory: says so on standard error and aborts. */
_Noreturn void spd_out_of_memory(void);
void *spd_must_malloc(size_t n); /* zeroed; free with spd_free */
void *spd_must_realloc(void *p, size_t n);
void spd_free(void *p);

#endif
