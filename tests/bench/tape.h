/* tests/bench/tape.h: records what a program asks of SQLite, and plays the very same statements with the very
 * same bytes on prepared statements, without reading a column: the least that SQLite can take for them.
 *
 * The recorder stands between the program and SQLite by defining the few functions that the store calls
 * (symbols of the program go before those of the shared library). It runs from the first event on (tape.on):
 * before, statements come and go, and their addresses with them. One recording at a time, one thread.
 * Included by the benchmarks of the store and of the core. */
#ifndef TESTS_BENCH_TAPE_H
#define TESTS_BENCH_TAPE_H

#include <dlfcn.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/sqlite.h"

enum { TAPE_STATEMENTS = 512 };

static void must(enum spd_rc rc, const char *what)
{
    if (rc == SPD_OK) return;
    fprintf(stderr, "bench: %s: %s\n", what, spd_rc_name(rc));
    exit(1);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- recorder -------------------------------------------------------------------------------- */
enum tape_op { OP_INT, OP_TEXT, OP_BLOB, OP_STEP, OP_RESET };
struct tape_record {
    enum tape_op op;
    int statement, at;
    int64_t number; /* or length */
    size_t bytes;   /* offset in tape.bytes */
};
static struct {
    bool on;
    struct tape_record *v;
    size_t n, cap;
    char *bytes;
    size_t n_bytes, cap_bytes;
    const char *sql[TAPE_STATEMENTS];
    sqlite3_stmt *st[TAPE_STATEMENTS];
    int n_sql;
} tape;

static int statement_of(sqlite3_stmt *st)
{
    for (int i = tape.n_sql; i--;)
        if (tape.st[i] == st) return i;
    if (tape.n_sql == TAPE_STATEMENTS) abort();
    tape.st[tape.n_sql] = st;
    tape.sql[tape.n_sql] = strdup(sqlite3_sql(st));
    return tape.n_sql++;
}

static void record(enum tape_op op, sqlite3_stmt *st, int at, int64_t number, const void *bytes)
{
    if (!tape.on) return;
    if (tape.n == tape.cap) {
        tape.cap = tape.cap ? tape.cap * 2 : 1 << 20;
        tape.v = spd_must_realloc(tape.v, tape.cap * sizeof *tape.v);
    }
    struct tape_record r = {op, statement_of(st), at, number, tape.n_bytes};
    if (bytes) {
        while (tape.n_bytes + (size_t)number > tape.cap_bytes) {
            tape.cap_bytes = tape.cap_bytes ? tape.cap_bytes * 2 : 1 << 24;
            tape.bytes = spd_must_realloc(tape.bytes, tape.cap_bytes);
        }
        memcpy(tape.bytes + tape.n_bytes, bytes, (size_t)number);
        tape.n_bytes += (size_t)number;
    }
    tape.v[tape.n++] = r;
}

static void tape_clear(void)
{
    for (int i = 0; i < tape.n_sql; i++) free((void *)tape.sql[i]);
    tape.n = tape.n_bytes = 0;
    tape.n_sql = 0;
}

static inline void tape_free(void)
{
    tape_clear();
    spd_free(tape.v);
    spd_free(tape.bytes);
}

static inline size_t tape_steps(void)
{
    size_t n = 0;
    for (size_t i = 0; i < tape.n; i++) n += tape.v[i].op == OP_STEP;
    return n;
}

enum {
    R_sqlite3_bind_int64,
    R_sqlite3_bind_int,
    R_sqlite3_bind_text64,
    R_sqlite3_bind_blob64,
    R_sqlite3_step,
    R_sqlite3_reset,
    R_N
};

static void *real_of(int i, const char *name)
{
    static void *real[R_N];
    if (!real[i]) real[i] = dlsym(RTLD_NEXT, name);
    return real[i];
}
#define REAL(name) ((__typeof__(&(name)))real_of(R_##name, #name))

int sqlite3_bind_int64(sqlite3_stmt *st, int at, sqlite3_int64 v)
{
    record(OP_INT, st, at, v, NULL);
    return REAL(sqlite3_bind_int64)(st, at, v);
}

int sqlite3_bind_int(sqlite3_stmt *st, int at, int v)
{
    record(OP_INT, st, at, v, NULL);
    return REAL(sqlite3_bind_int)(st, at, v);
}

int sqlite3_bind_text64(sqlite3_stmt *st, int at, const char *p, sqlite3_uint64 n,
                        void (*d)(void *), unsigned char e)
{
    record(OP_TEXT, st, at, (int64_t)n, p);
    return REAL(sqlite3_bind_text64)(st, at, p, n, d, e);
}

int sqlite3_bind_blob64(sqlite3_stmt *st, int at, const void *p, sqlite3_uint64 n,
                        void (*d)(void *))
{
    record(OP_BLOB, st, at, (int64_t)n, p);
    return REAL(sqlite3_bind_blob64)(st, at, p, n, d);
}

int sqlite3_step(sqlite3_stmt *st)
{
    record(OP_STEP, st, 0, 0, NULL);
    return REAL(sqlite3_step)(st);
}

int sqlite3_reset(sqlite3_stmt *st)
{
    record(OP_RESET, st, 0, 0, NULL);
    return REAL(sqlite3_reset)(st);
}

/* ---- replay ---------------------------------------------------------------------------------- */
static double tape_replay(const char *path)
{
    sqlite3_stmt *st[TAPE_STATEMENTS];
    struct sqlite3 *db;
    must(spd_sqlite_connect(path, SPD_SQLITE_WRITER, false, &db, NULL), "connect");
    for (int i = 0; i < tape.n_sql; i++)
        if (sqlite3_prepare_v3(db, tape.sql[i], -1, SQLITE_PREPARE_PERSISTENT, &st[i], NULL))
            abort();
    double start = seconds();
    for (const struct tape_record *r = tape.v, *end = r + tape.n; r < end; r++) {
        sqlite3_stmt *x = st[r->statement];
        int rc = SQLITE_OK;
        switch (r->op) {
        case OP_INT: rc = sqlite3_bind_int64(x, r->at, r->number); break;
        case OP_TEXT:
            rc = sqlite3_bind_text64(x, r->at, tape.bytes + r->bytes, (sqlite3_uint64)r->number,
                                     SQLITE_STATIC, SQLITE_UTF8);
            break;
        case OP_BLOB:
            rc = sqlite3_bind_blob64(x, r->at, tape.bytes + r->bytes, (sqlite3_uint64)r->number,
                                     SQLITE_STATIC);
            break;
        case OP_STEP:
            rc = sqlite3_step(x) <= SQLITE_NOTICE && sqlite3_errcode(db) == SQLITE_ERROR;
            break;
        case OP_RESET: sqlite3_reset(x); break;
        }
        if (rc) fprintf(stderr, "bench: replay: %s\n", sqlite3_errmsg(db)), exit(1);
    }
    double took = seconds() - start;
    for (int i = 0; i < tape.n_sql; i++) sqlite3_finalize(st[i]);
    sqlite3_close(db);
    return took;
}

static void tape_copy(const char *from, const char *to)
{
    char buffer[65536];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    size_t n;
    if (!in || !out) exit(1);
    while ((n = fread(buffer, 1, sizeof buffer, in))) fwrite(buffer, 1, n, out);
    fclose(in);
    fflush(out);
    fsync(fileno(out));
    fclose(out);
}

static int tape_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}


#endif
