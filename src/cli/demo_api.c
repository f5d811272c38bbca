/* src/cli/demo_api.c: the demonstration as a user of the HTTP API. */
#define _GNU_SOURCE
#include "cli/demo.h"

#include <curl/curl.h>
#include <stdio.h>

static size_t keep(char *p, size_t size, size_t n, void *ctx)
{
    spd_str_add(ctx, spd_sv_of(p, size * n));
    return size * n;
}

long demo_call(struct demo *d, const char *method, const char *token, const char *path, const char *body,
               const char *if_match, json_t **ret)
{
    struct spd_str in = SPD_STR_INIT(64 << 20);
    char url[512], line[256], path_of_socket[300];
    struct curl_slist *h = NULL;
    CURL *c = curl_easy_init();
    long status = 0;
    if (!c) spd_out_of_memory();
    snprintf(url, sizeof url, "%s%s", d->base, path);
    snprintf(line, sizeof line, "Authorization: Bearer %s", token ? token : "");
    if (token && *token) h = curl_slist_append(h, line);
    h = curl_slist_append(h, "Accept-Language: en");
    if (body) h = curl_slist_append(h, "Content-Type: application/json");
    snprintf(line, sizeof line, "If-Match: %s", if_match ? if_match : "");
    if (if_match) h = curl_slist_append(h, line);
    curl_easy_setopt(c, CURLOPT_URL, url);
    snprintf(path_of_socket, sizeof path_of_socket, "%s/run/spoed.sock", d->dir);
    if (token && !*token) curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, path_of_socket);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, h);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &in);
    if (body) curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    if (curl_easy_perform(c) == CURLE_OK) curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (ret) *ret = in.len ? json_loadb(in.ptr, in.len, 0, NULL) : NULL;
    curl_slist_free_all(h);
    curl_easy_cleanup(c);
    spd_str_done(&in);
    return status;
}

json_t *demo_get(struct demo *d, const char *token, const char *path)
{
    json_t *o = NULL;
    if (demo_call(d, "GET", token, path, NULL, NULL, &o) == 200) return o;
    json_decref(o);
    return NULL;
}

const char *demo_text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}
