/* src/channel/channel.c: the table of channels, and what the ones on libcurl have in common.
 *
 * Invariants: no transfer follows a redirect, uses a proxy, or goes unencrypted beyond loopback unless the
 * configuration says insecure. Threads: everything here may be called from any worker. */
#define _GNU_SOURCE
#include "channel/internal.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

static const struct spd_channel *const table[] = {&spd_channel_webhook, &spd_channel_smtp,
                                                  &spd_channel_hl7, &spd_channel_dicom};

const struct spd_channel *spd_channel_find(spd_sv type)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (spd_sv_is(type, table[i]->type)) return table[i];
    return NULL;
}

const struct spd_channel *const *spd_channels(size_t *ret_n)
{
    *ret_n = sizeof table / sizeof *table;
    return table;
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_start(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) spd_out_of_memory();
}

void spd_channel_curl_once(void)
{
    pthread_once(&curl_once, curl_start);
}

bool spd_channel_url_host(spd_sv url, spd_sv *ret_scheme, spd_sv *ret_host)
{
    size_t at, end;
    spd_sv rest, host;
    if (!spd_sv_find(url, SPD_SV("://"), &at) || at == 0) return false;
    rest = spd_sv_of(url.ptr + at + 3, url.len - at - 3);
    for (end = 0; end < rest.len; end++)
        if (rest.ptr[end] == '/' || rest.ptr[end] == '?' || rest.ptr[end] == '#') break;
    host = spd_sv_of(rest.ptr, end);
    if (!host.len || memchr(host.ptr, '@', host.len)) return false;
    if (host.ptr[0] == '[') {
        const char *close = memchr(host.ptr, ']', host.len);
        if (!close) return false;
        host = spd_sv_of(host.ptr + 1, (size_t)(close - host.ptr) - 1);
    } else {
        const char *colon = memchr(host.ptr, ':', host.len);
        if (colon) host.len = (size_t)(colon - host.ptr);
    }
    if (!host.len) return false;
    *ret_scheme = spd_sv_of(url.ptr, at);
    *ret_host = host;
    return true;
}

bool spd_channel_is_loopback(spd_sv host)
{
    char z[64];
    struct in_addr v4;
    if (spd_sv_ieq(host, SPD_SV("localhost")) || spd_sv_is(host, "::1")) return true;
    if (!host.len || host.len >= sizeof z) return false;
    memcpy(z, host.ptr, host.len);
    z[host.len] = 0;
    return inet_pton(AF_INET, z, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

bool spd_channel_is_field(spd_sv v, size_t max)
{
    for (size_t i = 0; i < v.len; i++)
        if ((unsigned char)v.ptr[i] < 0x20 || v.ptr[i] == 0x7f) return false;
    return v.len <= max;
}

/* A name that was loopback when the configuration was read may resolve elsewhere now. */
static curl_socket_t open_loopback(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    bool ok = false;
    (void)ctx, (void)purpose;
    if (a->family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &a->addr, sizeof in);
        ok = ntohl(in.sin_addr.s_addr) >> 24 == 127;
    } else if (a->family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &a->addr, a->addrlen < sizeof in6 ? a->addrlen : sizeof in6);
        ok = IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
    }
    return ok ? socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol) : CURL_SOCKET_BAD;
}

void spd_channel_curl_guard(CURL *c, const struct spd_channel_config *config, const char *protocols, bool plain)
{
    spd_usec connect = config->connect_timeout ? config->connect_timeout : SPD_SEC(3);
    spd_usec total = config->total_timeout ? config->total_timeout : SPD_SEC(8);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, protocols);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(connect / 1000));
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(total / 1000));
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (plain && !config->insecure) curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_loopback);
}

enum spd_outcome spd_channel_curl_outcome(CURL *c, CURLcode rc, bool sent, spd_sv *ret_detail,
                                          struct spd_arena *arena)
{
    double connected = 0;
    curl_easy_getinfo(c, CURLINFO_CONNECT_TIME, &connected);
    *ret_detail = spd_arena_printf(arena, "%s: %s", connected > 0 ? "after connecting" : "connect",
                                   curl_easy_strerror(rc));
    switch (rc) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT: return SPD_OUTCOME_PERMANENT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_USE_SSL_FAILED: return SPD_OUTCOME_TEMPORARY; /* nothing of the row went out */
    default: return connected > 0 && sent ? SPD_OUTCOME_UNKNOWN : SPD_OUTCOME_TEMPORARY;
    }
}

size_t spd_channel_sink_write(char *p, size_t size, size_t n, void *ctx)
{
    struct spd_channel_sink *sink = ctx;
    size_t room = SPD_CHANNEL_ANSWER_MAX - sink->text.len, take = size * n;
    if (take > room) take = room, sink->full = true;
    spd_str_add(&sink->text, spd_sv_of(p, take));
    return take;
}

static spd_sv text_of(const json_t *o, const char *key, struct spd_arena *arena)
{
    const json_t *v = json_object_get(o, key);
    return json_is_string(v) ? spd_arena_dup(arena, spd_sv_of(json_string_value(v), json_string_length(v)))
                             : SPD_SV_NONE;
}

enum spd_rc spd_channel_page(const struct spd_outbox *row, struct spd_page_text *ret, spd_sv *ret_body,
                             struct spd_arena *arena, struct spd_err *err)
{
    json_t *o = json_loadb(row->payload.ptr ? row->payload.ptr : "", row->payload.len,
                           JSON_REJECT_DUPLICATES, NULL);
    char *body;
    if (!json_is_object(o)) {
        json_decref(o);
        return spd_fail(err, SPD_INVALID, "payload", "the page is not a JSON object");
    }
    /* A second sending of the same row, whatever became of the first, says so (design rule 2). */
    if (row->attempts > 1 || row->repeat > 0) json_object_set_new(o, "repeat", json_true());
    ret->page_id = row->control_id;
    ret->level = text_of(o, "level", arena);
    ret->text = text_of(o, "text", arena);
    ret->link = text_of(o, "link", arena);
    ret->step = json_integer_value(json_object_get(o, "step"));
    ret->repeat = json_is_true(json_object_get(o, "repeat"));
    body = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (!body) spd_out_of_memory();
    *ret_body = spd_arena_dup(arena, spd_sv_from(body));
    spd_free(body);
    return SPD_OK;
}
