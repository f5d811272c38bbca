/* src/client/http.c: see http.h. */
#define _GNU_SOURCE
#include "client/http.h"

#include <errno.h>

#include "client/conn.h"

/* Everything up to the end of the connection. */
static enum spd_rc receive(struct spd_conn *c, struct spd_str *all, struct spd_err *err)
{
    char chunk[4096]; /* small: this runs on the small stacks of other people's processes too */
    for (;;) {
        int64_t n = spd_conn_receive(c, chunk, sizeof chunk);
        if (n == 0) return SPD_OK;
        if (n < 0)
            return spd_fail(err, SPD_UNKNOWN, "client", "%s",
                            errno == ETIMEDOUT ? "no answer in time" : strerror(errno));
        spd_str_add(all, spd_sv_of(chunk, (size_t)n));
        explicit_bzero(chunk, (size_t)n);
        if (!spd_str_ok(all))
            return spd_fail(err, all->rc, "client",
                            all->rc == SPD_NOMEM ? "out of memory" : "the answer is too long");
    }
}

/* Content-Length of the header lines; -1 when there is none. */
static int64_t length_of(spd_sv header)
{
    static const spd_sv name = SPD_SV("content-length:");
    while (header.len) {
        size_t eol = header.len;
        spd_sv line;
        int64_t n;
        (void)spd_sv_find(header, SPD_SV("\r\n"), &eol);
        line = spd_sv_of(header.ptr, eol);
        if (line.len > name.len && spd_sv_ieq(spd_sv_of(line.ptr, name.len), name) &&
            spd_sv_to_i64(spd_sv_trim(spd_sv_of(line.ptr + name.len, line.len - name.len)), &n))
            return n;
        eol = eol + 2 <= header.len ? eol + 2 : header.len;
        header = spd_sv_of(header.ptr + eol, header.len - eol);
    }
    return -1;
}

static enum spd_rc parse(spd_sv all, int *ret_status, struct spd_str *ret_body, struct spd_err *err)
{
    size_t end = 0;
    int64_t length;
    int status = 0;
    spd_sv body;
    if (!all.len) return spd_fail(err, SPD_UNKNOWN, "client", "closed without an answer");
    if (!spd_conn_status(all, &status) || !spd_sv_find(all, SPD_SV("\r\n\r\n"), &end) ||
        end > SPD_HTTP_HEADER_MAX)
        return spd_fail(err, SPD_PROTO, "client", "the answer is not HTTP");
    body = spd_sv_of(all.ptr + end + 4, all.len - end - 4);
    length = length_of(spd_sv_of(all.ptr, end));
    if (length >= 0 && (uint64_t)length != body.len)
        return spd_fail(err, SPD_UNKNOWN, "client", "the answer was cut off");
    spd_str_add(ret_body, body);
    if (!spd_str_ok(ret_body))
        return spd_fail(err, ret_body->rc, "client",
                        ret_body->rc == SPD_NOMEM ? "out of memory" : "the answer is too long");
    *ret_status = status;
    return SPD_OK;
}

enum spd_rc spd_http_call(const struct spd_http_target *target, const char *method,
                          const char *path, const char *type, spd_sv body, int *ret_status,
                          struct spd_str *ret_body, struct spd_err *err)
{
    struct spd_conn c = {-1, 0};
    struct spd_str head = SPD_STR_INIT(SPD_HTTP_HEADER_MAX),
                   all = SPD_STR_INIT(ret_body->max + SPD_HTTP_HEADER_MAX);
    enum spd_rc rc =
        spd_conn_head(target, method, path, "application/json", type, body.len, &head, err);
    if (!rc) rc = spd_conn_dial(target, &c, err);
    if (!rc && (!spd_conn_send(&c, spd_str_sv(&head)) || !spd_conn_send(&c, body)))
        rc = spd_fail(err, SPD_UNKNOWN, "client", "not sent: %s", strerror(errno));
    if (!rc) rc = receive(&c, &all, err);
    if (!rc) rc = parse(spd_str_sv(&all), ret_status, ret_body, err);
    spd_conn_close(&c);
    spd_str_done(&head);
    spd_str_done(&all);
    return rc;
}

void spd_http_query(struct spd_str *path, const char *name, spd_sv value)
{
    spd_str_addc(path, path->ptr && strchr(path->ptr, '?') ? '&' : '?');
    spd_str_addz(path, name);
    spd_str_addc(path, '=');
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            c == '_' || c == '-' || c == '.')
            spd_str_addc(path, (char)c);
        else
            spd_str_addf(path, "%%%02X", c);
    }
}
