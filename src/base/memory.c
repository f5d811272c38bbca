/* src/base/memory.c: the part of str.h that ends the process when memory is short: the brain's way.
 * Apart from the rest, so that what lives in other people's processes links none of it. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

_Noreturn void spd_out_of_memory(void)
{
    static const char text[] = "<2>spoed: out of memory; stopping, nothing acknowledged is lost\n";
    ssize_t n = write(2, text, sizeof text - 1);
    (void)n;
    abort();
}

void *spd_must_malloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p) spd_out_of_memory();
    return p;
}

void *spd_must_realloc(void *p, size_t n)
{
    p = realloc(p, n ? n : 1);
    if (!p) spd_out_of_memory();
    return p;
}

void spd_free(void *p)
{
    free(p);
}
