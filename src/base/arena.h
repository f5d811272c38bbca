/* src/base/arena.h: memory that lives as long as one message, request or batch.
 *
 * One arena per unit of work; nothing in it is freed singly. Wiped before it is given back, since
 * it may hold patient data. A maximum is given at birth; beyond it (or when malloc fails) alloc
 * returns NULL and the arena remembers (spd_arena_failed). The brain calls spd_arena_must, which
 * aborts: it is crash-only on out-of-memory. Not thread-safe: one owner. */
#ifndef SPD_BASE_ARENA_H
#define SPD_BASE_ARENA_H

#include "base/sv.h"

struct spd_arena;

struct spd_arena *
spd_arena_new(size_t max_bytes); /* owned, free with spd_arena_free; NULL on NOMEM */
/* For many small ones that live long: the first block is made of exactly that size (0: the usual).
 */
struct spd_arena *spd_arena_new_sized(size_t max_bytes, size_t first);
void spd_arena_free(struct spd_arena *arena);  /* NULL is a no-op */
void spd_arena_reset(struct spd_arena *arena); /* empties and wipes, keeps the first block */
void *spd_arena_alloc(struct spd_arena *arena,
                      size_t n); /* zeroed, aligned to 16; NULL beyond max */
void *spd_arena_must(struct spd_arena *arena, size_t n); /* the same, aborts instead of NULL */
bool spd_arena_failed(const struct spd_arena *arena);
size_t spd_arena_used(const struct spd_arena *arena);
/* Copies are NUL-terminated. On failure the empty view. */
spd_sv spd_arena_dup(struct spd_arena *arena, spd_sv v);
spd_sv spd_arena_printf(struct spd_arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define SPD_NEW(arena, type) ((type *)spd_arena_must((arena), sizeof(type)))
#define SPD_NEW_N(arena, type, n) ((type *)spd_arena_must((arena), sizeof(type) * (n)))

#endif
