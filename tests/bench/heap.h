/* tests/bench/heap.h: how much memory this process has asked for, at most, while it is counted:
 * counted at malloc and free, what SQLite asks for apart from all else, SQLite's page cache apart
 * from both. Not resident memory: a page that was asked for and never touched counts too.
 *
 * Included by one program, which must call heap_start before anything uses SQLite. Threads: any
 * may allocate; heap_begin and heap_end from one. */
#ifndef TESTS_BENCH_HEAP_H
#define TESTS_BENCH_HEAP_H

#include <malloc.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum heap_of { HEAP_OURS, HEAP_SQLITE };
struct heap_most { /* bytes above what was held at heap_begin */
    long ours, sqlite, cache; /* sqlite: without its page cache, unless the two peaks differ */
};

#pragma GCC visibility push(default) /* for the libraries too */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static struct {
    atomic_bool on;
    atomic_long live[2], most[2];
    sqlite3_mem_methods real;
    sqlite3_int64 cache;
} heap;
static _Thread_local enum heap_of heap_for;

static void heap_add(long n)
{
    long now = atomic_fetch_add(&heap.live[heap_for], n) + n;
    long most = atomic_load(&heap.most[heap_for]);
    while (now > most && !atomic_compare_exchange_weak(&heap.most[heap_for], &most, now))
        continue;
}

void *malloc(size_t n)
{
    void *p = __libc_malloc(n);
    if (heap.on && p) heap_add((long)malloc_usable_size(p));
    return p;
}

void *calloc(size_t n, size_t size)
{
    void *p = __libc_calloc(n, size);
    if (heap.on && p) heap_add((long)malloc_usable_size(p));
    return p;
}

void *realloc(void *p, size_t n)
{
    long before = heap.on && p ? (long)malloc_usable_size(p) : 0;
    void *q = __libc_realloc(p, n);
    if (heap.on && (q || !n)) heap_add((q ? (long)malloc_usable_size(q) : 0) - before);
    return q;
}

void free(void *p)
{
    if (heap.on && p) heap_add(-(long)malloc_usable_size(p));
    __libc_free(p);
}

#pragma GCC visibility pop

static void *heap_lite_malloc(int n)
{
    heap_for = HEAP_SQLITE;
    void *p = heap.real.xMalloc(n);
    heap_for = HEAP_OURS;
    return p;
}

static void heap_lite_free(void *p)
{
    heap_for = HEAP_SQLITE;
    heap.real.xFree(p);
    heap_for = HEAP_OURS;
}

static void *heap_lite_realloc(void *p, int n)
{
    heap_for = HEAP_SQLITE;
    void *q = heap.real.xRealloc(p, n);
    heap_for = HEAP_OURS;
    return q;
}

static void heap_start(void)
{
    sqlite3_mem_methods m;
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &heap.real);
    m = heap.real;
    m.xMalloc = heap_lite_malloc, m.xFree = heap_lite_free, m.xRealloc = heap_lite_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &m)) exit(1);
}

static void heap_begin(void)
{
    sqlite3_int64 high;
    sqlite3_status64(SQLITE_STATUS_PAGECACHE_OVERFLOW, &heap.cache, &high, 1);
    for (int i = 0; i < 2; i++)
        heap.live[i] = heap.most[i] = 0;
    heap.on = true;
}

static struct heap_most heap_end(void)
{
    sqlite3_int64 now, high;
    struct heap_most r;
    heap.on = false;
    sqlite3_status64(SQLITE_STATUS_PAGECACHE_OVERFLOW, &now, &high, 0);
    r.cache = (long)(high - heap.cache);
    r.ours = heap.most[HEAP_OURS];
    r.sqlite = heap.most[HEAP_SQLITE] - r.cache;
    if (r.sqlite < 0) r.sqlite = 0;
    return r;
}

#endif
