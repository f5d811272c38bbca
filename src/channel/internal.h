/* src/channel/internal.h: what the files of this room share; not for other rooms. */
#ifndef SPD_CHANNEL_INTERNAL_H
#define SPD_CHANNEL_INTERNAL_H

#include <curl/curl.h>

#include "base/log.h"
#include "base/str.h"
#include "channel/channel.h"

extern const struct spd_channel spd_channel_webhook, spd_channel_smtp, spd_channel_hl7, spd_channel_dicom;

#define SPD_CHANNEL_ANSWER_MAX ((size_t)64 * 1024) /* reliability §4.8 */

/* libcurl's one-time start; safe from any thread. */
void spd_channel_curl_once(void);
/* "http://[::1]:80/x" -> host "::1"; false when it is no absolute URL with a host, or carries user info. */
bool spd_channel_url_host(spd_sv url, spd_sv *ret_scheme, spd_sv *ret_host);
/* localhost, 127/8 or ::1, as a literal. */
bool spd_channel_is_loopback(spd_sv host);
/* No control character (so no CR or LF) and at most max bytes. */
bool spd_channel_is_field(spd_sv v, size_t max);
/* The options every transfer of ours carries: time-outs, no proxy, no redirect, no signal, certificates
 * checked, and (plain && !insecure) only loopback addresses may be connected to. */
void spd_channel_curl_guard(CURL *c, const struct spd_channel_config *config, const char *protocols, bool plain);
/* What an error of libcurl means for a row. sent: the peer may have had all of it. */
enum spd_outcome spd_channel_curl_outcome(CURL *c, CURLcode rc, bool sent, spd_sv *ret_detail,
                                          struct spd_arena *arena);

struct spd_channel_sink { /* CURLOPT_WRITEDATA: keeps the first 64 kB, then stops the transfer */
    struct spd_str text;
    bool full;
};
size_t spd_channel_sink_write(char *p, size_t size, size_t n, void *sink);

struct spd_page_text { /* the fields of a page's JSON; in arena */
    spd_sv page_id, level, text, link;
    int64_t step;
    bool repeat;
};
/* Reads row.payload and marks a repeated sending. ret_body: compact JSON to send. */
enum spd_rc spd_channel_page(const struct spd_outbox *row, struct spd_page_text *ret, spd_sv *ret_body,
                             struct spd_arena *arena, struct spd_err *err);

#endif
