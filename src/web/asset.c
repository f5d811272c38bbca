/* src/web/asset.c: the pages and what they are made of, built into the program (assets.cmake) or,
 * while developing, read from a folder. Names are never joined into a path beyond that one folder.
 */
#define _GNU_SOURCE
#include "web/web_int.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/source.h"

static const char *type_of(spd_sv name)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".woff2", "font/woff2"},
        {".webmanifest", "application/manifest+json"},
        {".txt", "text/plain; charset=utf-8"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t n = strlen(types[i].end);
        if (name.len > n && spd_sv_is(spd_sv_of(name.ptr + name.len - n, n), types[i].end))
            return types[i].type;
    }
    return "application/octet-stream";
}

static void tag_of(spd_sv content, char ret[24])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[32];
    spd_sha256(content, hash);
    ret[0] = '"';
    for (int i = 0; i < 10; i++)
        ret[1 + 2 * i] = digits[hash[i] >> 4], ret[2 + 2 * i] = digits[hash[i] & 15];
    ret[21] = '"', ret[22] = 0;
}

void spd_web_assets_open(struct spd_web *w)
{
    size_t n = 0;
    while (spd_web_assets[n].name)
        n++;
    w->tags = spd_arena_must(w->arena, (n + 1) * sizeof *w->tags);
    for (size_t i = 0; i < n; i++)
        tag_of(spd_sv_of((const char *)spd_web_assets[i].data,
                         (size_t)(spd_web_assets[i].end - spd_web_assets[i].data)),
               w->tags[i]);
}

static bool plain(spd_sv name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || (c == '.' && i)))
            return false;
    }
    return name.len > 0 && name.len < 100;
}

static bool unchanged(struct spd_web_req *r, const char *tag)
{
    spd_sv have = spd_web_header(r, "If-None-Match");
    spd_web_set(r, "ETag", spd_sv_from(tag));
    if (!have.len || !spd_sv_find(have, spd_sv_from(tag), NULL)) return false;
    r->status = 304;
    return true;
}

static bool from_folder(struct spd_web_req *r, spd_sv name)
{
    struct spd_source src;
    char tag[24];
    spd_sv path = spd_arena_printf(r->arena, "%.*s/%.*s", SPD_SV_ARG(r->web->host.assets_dir),
                                   SPD_SV_ARG(name));
    if (!r->web->host.assets_dir.len || spd_source_read(path.ptr, 4u << 20, &src, r->arena, NULL))
        return false;
    tag_of(src.text, tag);
    if (!unchanged(r, tag)) {
        spd_str_add(&r->out, src.text);
        r->status = 200;
    }
    return true;
}

void spd_web_send_asset(struct spd_web_req *r, spd_sv name)
{
    bool built_in = name.len && name.ptr[0] == '/'; /* not of the folder: openapi.json */
    r->type = type_of(name);
    r->cacheable = true;
    if (!built_in && !plain(name)) {
        r->cacheable = false;
        spd_web_problem(r, 404, "not_found", SPD_SV_NONE);
        return;
    }
    if (!built_in && from_folder(r, name)) return;
    for (size_t i = 0; spd_web_assets[i].name; i++) {
        if (!spd_sv_is(name, spd_web_assets[i].name)) continue;
        if (unchanged(r, r->web->tags[i])) return;
        r->asset = &spd_web_assets[i];
        r->status = 200;
        return;
    }
    r->cacheable = false;
    spd_web_problem(r, 404, "not_found", SPD_SV_NONE);
}

void spd_web_h_root(struct spd_web_req *r)
{
    spd_web_set(r, "Location", SPD_SV("/worklist"));
    r->status = 302;
}

void spd_web_h_page(struct spd_web_req *r)
{
    spd_web_send_asset(r, spd_arena_printf(r->arena, "%s.html", r->route->path + 1));
}

void spd_web_h_asset(struct spd_web_req *r)
{
    spd_web_send_asset(r, r->name.len ? r->name : SPD_SV("icon.svg"));
}

void spd_web_h_openapi(struct spd_web_req *r)
{
    spd_web_send_asset(r, SPD_SV("/openapi.json"));
}
