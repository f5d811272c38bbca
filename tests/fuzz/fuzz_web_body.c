/* tests/fuzz/fuzz_web_body.c: one request as text (line, headers, body) through the whole judgement
 * of the HTTP door: headers, route, limits, body, form, handler, answer. The host takes everything;
 * the store is not there. Whatever comes, an answer must come: a status, and JSON that can be read
 * where it says JSON. */
#include <stdint.h>
#include <stdlib.h>

#include "web/web_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct spd_web *web;

static enum spd_rc apply(void *self, struct spd_store *store, const struct spd_event *e,
                         struct spd_arena *arena, const struct spd_receipt **ret,
                         struct spd_err *err)
{
    (void)self, (void)store, (void)e, (void)err;
    struct spd_receipt *r = SPD_NEW(arena, struct spd_receipt);
    r->revision = 7;
    *ret = r;
    return SPD_OK;
}

static void nothing(void *self)
{
    (void)self;
}

static void committed(void *self, struct spd_store *store, spd_usec now)
{
    (void)self, (void)store, (void)now;
}

static void lost(void *self, struct spd_store *store)
{
    (void)self, (void)store;
}

static enum spd_rc no_timer(void *self, struct spd_store *store, spd_usec *due, int64_t *id)
{
    (void)self, (void)store, (void)id;
    *due = 0;
    return SPD_OK;
}

static spd_usec now(void *self)
{
    (void)self;
    return (spd_usec)1764000000 * 1000000;
}

static enum spd_rc find(void *self, spd_sv json, bool files, const struct spd_web_from *from,
                        struct spd_str *out, int64_t *revision, struct spd_err *err)
{
    (void)self, (void)json, (void)files, (void)from, (void)err;
    spd_str_addz(out, "[]");
    *revision = 1;
    return SPD_OK;
}

static void instance(void *self, spd_sv bytes, const struct spd_web_from *from,
                     struct spd_web_instance *ret)
{
    (void)self, (void)bytes, (void)from;
    ret->rc = SPD_OK;
}

static void start(void)
{
    static const struct spd_writer_ops ops = {apply, nothing, committed, lost, no_timer, NULL, now};
    struct spd_store *store;
    struct spd_writer *writer;
    struct spd_board *board = spd_board_new();
    if (spd_store_open("memory:", SPD_STORE_WRITE | SPD_STORE_CREATE, &store, NULL) ||
        spd_writer_start(store, &ops, NULL, NULL, &writer, NULL))
        abort();
    spd_board_publish(board, 5, now(NULL), true);
    struct spd_web_host host = {.size = sizeof host,
                                .board = board,
                                .writer = writer,
                                .store_url = SPD_SV("memory:"),
                                .now = now,
                                .find = find,
                                .instance = instance};
    if (spd_web_start(&host, &web, NULL)) abort();
}

static spd_sv line(spd_sv *rest)
{
    size_t n = 0;
    while (n < rest->len && rest->ptr[n] != '\n')
        n++;
    spd_sv l = spd_sv_of(rest->ptr, n);
    *rest = spd_sv_of(rest->ptr + n + (n < rest->len), rest->len - n - (n < rest->len));
    return l;
}

static void pair(struct spd_web_req *r, struct spd_web_args *to, spd_sv text, const char *by)
{
    size_t at = text.len;
    spd_sv_find(text, spd_sv_from(by), &at);
    struct spd_web_pair *p = SPD_LIST_ADD(to, r->arena);
    p->key = spd_sv_of(text.ptr, at);
    p->value =
        at < text.len ? spd_sv_trim(spd_sv_of(text.ptr + at + 1, text.len - at - 1)) : SPD_SV_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    spd_sv rest = spd_sv_of((const char *)data, size), first = line(&rest), l;
    size_t space = 0, query = 0;
    struct spd_query *db = NULL;
    if (!web) start();
    if (!spd_sv_find(first, SPD_SV(" "), &space)) return 0;
    spd_sv path = spd_sv_of(first.ptr + space + 1, first.len - space - 1), args = SPD_SV_NONE;
    if (spd_sv_find(path, SPD_SV("?"), &query))
        args = spd_sv_of(path.ptr + query + 1, path.len - query - 1), path.len = query;
    struct spd_web_req *r = spd_web_req_new(web, spd_sv_of(first.ptr, space), path);
    r->db = &db;
    while (args.len) {
        size_t n = args.len;
        spd_sv_find(args, SPD_SV("&"), &n);
        pair(r, &r->args, spd_sv_of(args.ptr, n), "=");
        args = n < args.len ? spd_sv_of(args.ptr + n + 1, args.len - n - 1) : SPD_SV_NONE;
    }
    while ((l = line(&rest)).len)
        pair(r, &r->headers, l, ":");
    if (spd_web_precheck(r)) {
        spd_str_add(&r->body, spd_sv_of(rest.ptr, rest.len < r->body.max ? rest.len : r->body.max));
        r->who =
            (struct spd_web_who){.by = SPD_BY_TOKEN, .name = SPD_SV("fuzz"), .roles = SPD_ROLE_ANY};
        r->waited = true;                             /* answered now, whatever revision it wants */
        if (r->route->handle != spd_web_session_post) /* half a second of scrypt */
            r->route->handle(r);
        else
            json_decref(spd_web_body(r)), r->status = r->status ? r->status : 200;
    }
    if (!r->status) abort();
    if (r->type && strstr(r->type, "json") && r->out.len) {
        json_t *o = json_loadb(r->out.ptr, r->out.len, 0, NULL);
        if (!o) abort();
        json_decref(o);
    }
    spd_web_form(r->arena, rest, "note");
    spd_web_req_free(r);
    return 0;
}
