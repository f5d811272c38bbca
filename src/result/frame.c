/* src/result/frame.c: see frame.h. */
#define _GNU_SOURCE
#include "result/frame.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static enum spd_rc read_all(int fd, char *to, size_t n, int64_t until)
{
    while (n) {
        if (until >= 0) {
            int64_t left = until - now_ms();
            struct pollfd p = {fd, POLLIN, 0};
            int r = left < 0 ? 0 : poll(&p, 1, (int)left);
            if (r == 0) return SPD_AGAIN;
            if (r < 0 && errno == EINTR) continue;
            if (r < 0) return SPD_IO;
        }
        ssize_t k = read(fd, to, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return SPD_IO;
        to += k, n -= (size_t)k;
    }
    return SPD_OK;
}

enum spd_rc spd_frame_read(int fd, char *ret_type, spd_sv *ret_body, int milliseconds,
                           struct spd_arena *arena)
{
    unsigned char head[5];
    int64_t until = milliseconds < 0 ? -1 : now_ms() + milliseconds;
    enum spd_rc rc = read_all(fd, (char *)head, sizeof head, until);
    if (rc) return rc;
    size_t n =
        (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    if (n < 1 || n > SPD_FRAME_MAX) return SPD_LIMIT;
    char *body = spd_arena_alloc(arena, n);
    if (!body) return SPD_LIMIT;
    *ret_type = (char)head[4];
    *ret_body = spd_sv_of(body, n - 1);
    return read_all(fd, body, n - 1, until);
}

static enum spd_rc write_all(int fd, const char *from, size_t n, int flags)
{
    while (n) {
        ssize_t k = send(fd, from, n, MSG_NOSIGNAL | flags);
        if (k < 0 && errno == ENOTSOCK) k = write(fd, from, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return SPD_IO;
        from += k, n -= (size_t)k;
    }
    return SPD_OK;
}

enum spd_rc spd_frame_write(int fd, char type, const spd_sv *parts, size_t n_parts)
{
    size_t n = 1, at = 5;
    for (size_t i = 0; i < n_parts; i++)
        n += parts[i].len;
    if (n > SPD_FRAME_MAX) return SPD_LIMIT;
    char small[4096] = {(char)n, (char)(n >> 8), (char)(n >> 16), (char)(n >> 24), type};
    if (n + 4 > sizeof small) {
        enum spd_rc rc = write_all(fd, small, at, MSG_MORE);
        for (size_t i = 0; i < n_parts && !rc; i++)
            rc = write_all(fd, parts[i].ptr, parts[i].len, i + 1 < n_parts ? MSG_MORE : 0);
        return rc;
    }
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].len) memcpy(small + at, parts[i].ptr, parts[i].len);
        at += parts[i].len;
    }
    return write_all(fd, small, at, 0);
}

void spd_frame_put(struct spd_str *body, spd_sv v)
{
    for (int i = 0; i < 4; i++)
        spd_str_addc(body, (char)(v.len >> (8 * i)));
    spd_str_add(body, v);
}

bool spd_frame_take(spd_sv *body, spd_sv *ret)
{
    const unsigned char *p = (const unsigned char *)body->ptr;
    if (body->len < 4) return false;
    size_t n = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    if (n > body->len - 4) return false;
    *ret = spd_sv_of(body->ptr + 4, n);
    body->ptr += 4 + n, body->len -= 4 + n;
    return true;
}
