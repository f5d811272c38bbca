/* src/channel/hl7.c: priorities and reports to a RIS over MLLP.
 *
 * The message is made when it is sent, from the last order message of that system (domain §5). An answer
 * counts only if its MSA-2 is our MSH-10; anything else, and no answer in time, closes the connection and is
 * unknown: the RIS may have taken it. AA is done, AR permanent, AE temporary until it has been said
 * max_tries times. Text without TLS goes to any host that the configuration names.
 *
 * Threads: one self per worker. */
#define _GNU_SOURCE
#include "channel/internal.h"

#include "hl7/map/map.h"
#include "net/mllp_client.h"

enum { MESSAGE_MAX = 16 << 20 };

struct hl7 {
    const struct spd_channel_config *config;
    struct spd_mllp_client *client; /* NULL: not connected */
    char host[256];
    int port;
};

static bool parse_url(spd_sv url, char *host, size_t host_max, int *ret_port)
{
    spd_sv scheme, h;
    int64_t port = 0;
    const char *after;
    if (!spd_channel_is_field(url, 500) || !spd_channel_url_host(url, &scheme, &h)) return false;
    after = h.ptr + h.len;
    if (after < url.ptr + url.len && *after == ']') after++;
    if (!spd_sv_is(scheme, "mllp") || h.len >= host_max || after >= url.ptr + url.len || *after != ':')
        return false;
    after++;
    if (!spd_sv_to_i64(spd_sv_of(after, (size_t)(url.ptr + url.len - after)), &port) || port < 1 || port > 65535)
        return false;
    memcpy(host, h.ptr, h.len);
    host[h.len] = 0;
    *ret_port = (int)port;
    return true;
}

static enum spd_rc hl7_open(const struct spd_channel_config *config, void **ret_self, struct spd_err *err)
{
    struct hl7 *h = spd_must_malloc(sizeof *h);
    h->config = config;
    if (!parse_url(config->to, h->host, sizeof h->host, &h->port)) {
        spd_free(h);
        return spd_fail(err, SPD_INVALID, "to", "HL7 needs mllp://host:port");
    }
    *ret_self = h;
    return SPD_OK;
}

static void disconnect(struct hl7 *h)
{
    spd_mllp_close(h->client);
    h->client = NULL;
}

static void hl7_close(void *self)
{
    struct hl7 *h = self;
    if (!h) return;
    disconnect(h);
    spd_free(h);
}

static enum spd_rc hl7_build(void *self, const struct spd_delivery *d, struct spd_sending *ret,
                             struct spd_arena *arena)
{
    struct hl7 *h = self;
    const struct spd_channel_config *c = h->config;
    struct hl7_out_options o = {.control_id = d->row.control_id, .now = d->now,
                                .zone = c->zone ? c->zone : spd_zone_utc(), .msh_3 = c->sending_application,
                                .msh_4 = c->sending_facility, .msh_5 = c->receiving_application,
                                .msh_6 = c->receiving_facility, .item = &d->item};
    struct spd_str out = SPD_STR_INIT(MESSAGE_MAX);
    struct spd_err err = {SPD_OK, "", ""};
    enum spd_rc rc;
    if (!d->item.id) {
        ret->detail = SPD_SV("the order is not in the store");
        return SPD_INVALID;
    }
    if (d->row.kind == SPD_OUTBOX_PRIORITY && !d->source_raw.len)
        rc = spd_fail(&err, SPD_INVALID, "source", "no order message of that system: cannot write back");
    else if (d->row.kind == SPD_OUTBOX_PRIORITY)
        rc = hl7_map_priority(d->source_raw, d->row.wire, &o, &out, &err);
    else if (d->row.kind == SPD_OUTBOX_REPORT)
        rc = hl7_map_report(d->source_raw, d->report_text, d->row.wire, d->item.report_by, &o, &out, &err);
    else
        rc = spd_fail(&err, SPD_INVALID, "kind", "pages do not leave by this channel");
    if (rc == SPD_OK && !spd_str_ok(&out)) rc = spd_fail(&err, SPD_LIMIT, "message", "larger than 16 MiB");
    if (rc == SPD_OK) ret->sent = spd_arena_dup(arena, spd_str_sv(&out));
    else ret->detail = spd_arena_printf(arena, "cannot build: %s: %s", err.place, err.text);
    spd_str_done(&out);
    return rc ? SPD_INVALID : SPD_OK;
}

/* Field n of the first segment with that name; segments end with CR. */
static spd_sv field(spd_sv message, const char *segment, unsigned n)
{
    size_t at = 0;
    char sep = message.len > 8 && !memcmp(message.ptr, "MSH", 3) ? message.ptr[3] : 0;
    while (sep && at < message.len) {
        const char *line = message.ptr + at, *end = memchr(line, '\r', message.len - at);
        size_t len = end ? (size_t)(end - line) : message.len - at;
        if (len > 4 && !memcmp(line, segment, 3) && line[3] == sep) {
            spd_sv rest = spd_sv_of(line + 4, len - 4);
            for (unsigned i = 1;; i++) {
                const char *p = rest.len ? memchr(rest.ptr, sep, rest.len) : NULL;
                spd_sv f = spd_sv_of(rest.ptr, p ? (size_t)(p - rest.ptr) : rest.len);
                if (i == n) return spd_sv_trim(f);
                if (!p) return SPD_SV_NONE;
                rest = spd_sv_of(p + 1, rest.len - f.len - 1);
            }
        }
        at += len + 1;
    }
    return SPD_SV_NONE;
}

static enum spd_outcome judge(struct hl7 *h, const struct spd_delivery *d, struct spd_sending *ret,
                              struct spd_arena *arena)
{
    spd_sv code = field(ret->answer, "MSA", 1), id = field(ret->answer, "MSA", 2);
    int tries = h->config->max_tries > 0 ? h->config->max_tries : 5;
    if (!spd_sv_eq(id, d->row.control_id)) {
        disconnect(h);
        ret->detail = SPD_SV("the answer is to another message");
        return SPD_OUTCOME_UNKNOWN;
    }
    if (spd_sv_is(code, "AA") || spd_sv_is(code, "CA")) {
        ret->detail = spd_arena_dup(arena, code);
        return SPD_OUTCOME_OK;
    }
    if (spd_sv_is(code, "AR") || spd_sv_is(code, "CR")) {
        ret->detail = spd_arena_dup(arena, code);
        return SPD_OUTCOME_PERMANENT;
    }
    if (spd_sv_is(code, "AE") || spd_sv_is(code, "CE")) {
        ret->detail = spd_arena_printf(arena, "%.*s, try %lld of %d", SPD_SV_ARG(code),
                                       (long long)d->row.attempts, tries);
        return d->row.attempts >= tries ? SPD_OUTCOME_PERMANENT : SPD_OUTCOME_TEMPORARY;
    }
    disconnect(h);
    ret->detail = SPD_SV("an answer without a known MSA-1");
    return SPD_OUTCOME_UNKNOWN;
}

/* A kept connection on which something lies unasked, or that the peer has closed, is not used again. */
static enum spd_rc exchange(struct hl7 *h, struct spd_sending *ret, struct spd_arena *arena, struct spd_err *err)
{
    const struct spd_channel_config *c = h->config;
    enum spd_rc rc = SPD_OK;
    if (h->client && spd_mllp_stale(h->client)) disconnect(h);
    if (!h->client)
        rc = spd_mllp_connect(h->host, h->port, c->connect_timeout ? c->connect_timeout : SPD_SEC(3), &h->client, err);
    if (rc) return SPD_AGAIN;
    rc = spd_mllp_exchange(h->client, ret->sent, c->total_timeout ? c->total_timeout : SPD_SEC(8),
                           SPD_CHANNEL_ANSWER_MAX, &ret->answer, arena, err);
    if (rc) disconnect(h);
    return rc;
}

static enum spd_outcome hl7_send(void *self, const struct spd_delivery *d, struct spd_sending *ret,
                                 struct spd_arena *arena)
{
    struct hl7 *h = self;
    struct spd_err err = {SPD_OK, "", ""};
    enum spd_outcome outcome = SPD_OUTCOME_UNKNOWN;
    enum spd_rc rc;
    if (hl7_build(self, d, ret, arena)) return SPD_OUTCOME_PERMANENT;
    rc = exchange(h, ret, arena, &err);
    if (rc == SPD_OK) outcome = judge(h, d, ret, arena);
    else if (rc == SPD_AGAIN) outcome = SPD_OUTCOME_TEMPORARY;
    else if (rc == SPD_INVALID) outcome = SPD_OUTCOME_PERMANENT;
    if (rc) ret->detail = spd_arena_dup(arena, spd_sv_from(err.text));
    if (h->config->reconnect_per_message) disconnect(h);
    return outcome;
}

const struct spd_channel spd_channel_hl7 = {"hl7", hl7_open, hl7_build, hl7_send, hl7_close};
