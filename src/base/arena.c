/* src/base/arena.c: see arena.h. Blocks double up to 256 KiB; a larger request gets its own. */
#define _GNU_SOURCE
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

struct block {
    struct block *next;
    size_t cap, used;
    _Alignas(16) unsigned char mem[];
};

struct spd_arena {
    struct block *head; /* newest first; the last one is kept by reset */
    size_t max, total, first;
    bool failed;
};

enum { FIRST = 4096, LARGEST = 256 * 1024, BRIEF = 128 };

struct spd_arena *spd_arena_new_sized(size_t max_bytes, size_t first)
{
    struct spd_arena *a = calloc(1, sizeof *a);
    if (a) a->max = max_bytes, a->first = first ? first : FIRST;
    return a;
}

struct spd_arena *spd_arena_new(size_t max_bytes)
{
    return spd_arena_new_sized(max_bytes, 0);
}

static void drop(struct block *b)
{
    explicit_bzero(b->mem, b->used);
    free(b);
}

void spd_arena_free(struct spd_arena *arena)
{
    if (!arena) return;
    for (struct block *b = arena->head, *next; b; b = next) {
        next = b->next;
        drop(b);
    }
    free(arena);
}

void spd_arena_reset(struct spd_arena *arena)
{
    while (arena->head && arena->head->next) {
        struct block *b = arena->head;
        arena->head = b->next;
        drop(b);
    }
    if (arena->head) {
        explicit_bzero(arena->head->mem, arena->head->used);
        arena->head->used = 0;
    }
    arena->total = 0;
    arena->failed = false;
}

void *spd_arena_alloc(struct spd_arena *arena, size_t n)
{
    struct block *b = arena->head;
    if (n > arena->max || arena->total > arena->max - n) {
        arena->failed = true;
        return NULL;
    }
    n = (n + 15) & ~(size_t)15;
    if (!b || b->cap - b->used < n) {
        size_t cap = b ? b->cap * 2 : arena->first;
        if (cap > LARGEST) cap = LARGEST;
        if (cap < n) cap = n;
        b = malloc(sizeof *b + cap);
        if (!b) {
            arena->failed = true;
            return NULL;
        }
        b->cap = cap, b->used = 0, b->next = arena->head;
        arena->head = b;
    }
    void *p = b->mem + b->used;
    b->used += n;
    arena->total += n;
    memset(p, 0, n);
    return p;
}

void *spd_arena_must(struct spd_arena *arena, size_t n)
{
    void *p = spd_arena_alloc(arena, n ? n : 1);
    if (!p) spd_out_of_memory();
    return p;
}

bool spd_arena_failed(const struct spd_arena *arena)
{
    return arena->failed;
}

size_t spd_arena_used(const struct spd_arena *arena)
{
    return arena->total;
}

spd_sv spd_arena_dup(struct spd_arena *arena, spd_sv v)
{
    char *p = spd_arena_alloc(arena, v.len + 1);
    if (!p) return SPD_SV_NONE;
    if (v.len) memcpy(p, v.ptr, v.len);
    return spd_sv_of(p, v.len);
}

spd_sv spd_arena_printf(struct spd_arena *arena, const char *fmt, ...)
{
    va_list ap, again;
    char *p = NULL, brief[BRIEF]; /* most are short: written once */
    int n;
    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(brief, sizeof brief, fmt, ap);
    if (n >= 0 && (p = spd_arena_alloc(arena, (size_t)n + 1))) {
        if (n < BRIEF)
            memcpy(p, brief, (size_t)n + 1);
        else
            vsnprintf(p, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    va_end(ap);
    explicit_bzero(brief, n < 0 || n >= BRIEF ? sizeof brief : (size_t)n);
    return p ? spd_sv_of(p, (size_t)n) : SPD_SV_NONE;
}
