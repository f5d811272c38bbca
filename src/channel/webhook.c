/* src/channel/webhook.c: a page as an HTTP POST of JSON, signed with the channel's secret.
 *
 * The body is {page_id, repeat, alert_id, step, level, text, link} as the core made it; the header
 * X-Spoed-Signature is "sha256=" and the hex HMAC of exactly those bytes. A way's address that is itself a
 * URL is posted to; any other address travels in X-Spoed-To. 2xx delivered; 408, 429 and 5xx temporary
 * (Retry-After is honoured); anything else permanent; a time-out or a lost connection after connecting is
 * unknown, since the peer may have had it.
 *
 * Each page gets a connection of its own: on a kept one libcurl cannot tell "never connected" from "sent, no
 * answer", and that is the difference between temporary and unknown. Threads: one self per worker. */
#define _GNU_SOURCE
#include "channel/internal.h"

#include "base/hash.h"

struct webhook {
    const struct spd_channel_config *config;
    CURL *curl;
};

static bool url_allowed(const struct spd_channel_config *config, spd_sv url, bool *ret_plain)
{
    spd_sv scheme, host;
    if (!spd_channel_is_field(url, 2000) || !spd_channel_url_host(url, &scheme, &host)) return false;
    *ret_plain = spd_sv_ieq(scheme, SPD_SV("http"));
    if (*ret_plain) return config->insecure || spd_channel_is_loopback(host);
    return spd_sv_ieq(scheme, SPD_SV("https"));
}

static enum spd_rc webhook_open(const struct spd_channel_config *config, void **ret_self, struct spd_err *err)
{
    struct webhook *w;
    bool plain;
    if (!url_allowed(config, config->to, &plain))
        return spd_fail(err, SPD_INVALID, "url",
                        "a webhook needs https://…; http:// only to loopback, or with insecure: true");
    spd_channel_curl_once();
    w = spd_must_malloc(sizeof *w);
    w->config = config;
    w->curl = curl_easy_init();
    if (!w->curl) spd_out_of_memory();
    *ret_self = w;
    return SPD_OK;
}

static void webhook_close(void *self)
{
    struct webhook *w = self;
    if (!w) return;
    curl_easy_cleanup(w->curl);
    spd_free(w);
}

static bool to_is_url(spd_sv to)
{
    return spd_sv_starts(to, SPD_SV("https://")) || spd_sv_starts(to, SPD_SV("http://"));
}

static enum spd_rc webhook_build(void *self, const struct spd_delivery *d, struct spd_sending *ret,
                                 struct spd_arena *arena)
{
    struct webhook *w = self;
    struct spd_page_text page;
    bool plain;
    if (spd_channel_page(&d->row, &page, &ret->sent, arena, NULL)) {
        ret->detail = SPD_SV("the page is not JSON");
        return SPD_INVALID;
    }
    if (!spd_channel_is_field(d->row.to, 500) ||
        (to_is_url(d->row.to) && !url_allowed(w->config, d->row.to, &plain))) {
        ret->detail = SPD_SV("the address of this way is not allowed");
        return SPD_INVALID;
    }
    return SPD_OK;
}

static struct curl_slist *headers_for(const struct webhook *w, const struct spd_delivery *d, spd_sv body,
                                      struct spd_arena *arena)
{
    unsigned char mac[32];
    struct curl_slist *h = curl_slist_append(NULL, "Content-Type: application/json");
    spd_hmac_sha256(w->config->secret, body, mac);
    h = curl_slist_append(h, spd_arena_printf(arena, "X-Spoed-Signature: sha256=%.*s",
                                              SPD_SV_ARG(spd_hex(arena, mac, sizeof mac))).ptr);
    if (d->row.to.len && !to_is_url(d->row.to))
        h = curl_slist_append(h, spd_arena_printf(arena, "X-Spoed-To: %.*s", SPD_SV_ARG(d->row.to)).ptr);
    h = curl_slist_append(h, "Expect:"); /* no 100-continue round */
    if (!h) spd_out_of_memory();
    return h;
}

static enum spd_outcome judge(long status, spd_usec retry_after, struct spd_sending *ret, struct spd_arena *arena)
{
    ret->detail = spd_arena_printf(arena, "HTTP %ld", status);
    if (status >= 200 && status < 300) return SPD_OUTCOME_OK;
    if (status == 408 || status == 429 || status >= 500) {
        ret->retry_after = retry_after;
        return SPD_OUTCOME_TEMPORARY;
    }
    return SPD_OUTCOME_PERMANENT; /* a redirect too: the configuration names the place, nobody else */
}

static enum spd_outcome webhook_send(void *self, const struct spd_delivery *d, struct spd_sending *ret,
                                     struct spd_arena *arena)
{
    struct webhook *w = self;
    struct spd_channel_sink sink = {SPD_STR_INIT(SPD_CHANNEL_ANSWER_MAX + 1), false};
    spd_sv url = to_is_url(d->row.to) ? d->row.to : w->config->to;
    struct curl_slist *headers;
    enum spd_outcome outcome;
    curl_off_t retry = 0;
    long status = 0;
    bool plain;
    CURLcode rc;
    if (webhook_build(self, d, ret, arena)) return SPD_OUTCOME_PERMANENT;
    url_allowed(w->config, url, &plain);
    curl_easy_reset(w->curl);
    spd_channel_curl_guard(w->curl, w->config, "https,http", plain);
    headers = headers_for(w, d, ret->sent, arena);
    curl_easy_setopt(w->curl, CURLOPT_URL, spd_arena_dup(arena, url).ptr);
    curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(w->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ret->sent.len);
    curl_easy_setopt(w->curl, CURLOPT_POSTFIELDS, ret->sent.ptr);
    curl_easy_setopt(w->curl, CURLOPT_WRITEFUNCTION, spd_channel_sink_write);
    curl_easy_setopt(w->curl, CURLOPT_WRITEDATA, &sink);
    curl_easy_setopt(w->curl, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(w->curl, CURLOPT_FORBID_REUSE, 1L);
    rc = curl_easy_perform(w->curl);
    curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(w->curl, CURLINFO_RETRY_AFTER, &retry);
    if (status > 0 && (rc == CURLE_OK || (rc == CURLE_WRITE_ERROR && sink.full)))
        outcome = judge(status, retry > 0 && retry < 3600 ? SPD_SEC(retry) : 0, ret, arena);
    else
        outcome = spd_channel_curl_outcome(w->curl, rc, true, &ret->detail, arena);
    ret->answer = spd_arena_dup(arena, spd_str_sv(&sink.text));
    curl_slist_free_all(headers);
    spd_str_done(&sink.text);
    return outcome;
}

const struct spd_channel spd_channel_webhook = {"webhook", webhook_open, webhook_build, webhook_send,
                                                webhook_close};
