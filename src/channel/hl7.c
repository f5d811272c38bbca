/* src/channel/hl7.c: priorities, reports and alerts to another system over MLLP.
 *
 * The message is made when it is sent, by the destination's profile, from the last order message of that
 * system (domain §5). An answer counts only if its MSA-2 is our MSH-10; anything else, and no answer in
 * time, closes the connection and is unknown: the system may have taken it. AA is done, AR permanent, AE
 * temporary until it has been said max_tries times. CA is done too, unless the destination wants its
 * application's own answer: then the row is accepted and waits for that. Text without TLS goes to any host
 * that the configuration names.
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
    struct spd_tls *tls; /* NULL: plain */
};

static bool parse_url(spd_sv url, bool tls, char *host, size_t host_max, int *ret_port)
{
    spd_sv scheme, h;
    int64_t port = 0;
    const char *after;
    if (!spd_channel_is_field(url, 500) || !spd_channel_url_host(url, &scheme, &h)) return false;
    after = h.ptr + h.len;
    if (after < url.ptr + url.len && *after == ']') after++;
    if (!spd_sv_is(scheme, tls ? "mllps" : "mllp") || h.len >= host_max || after >= url.ptr + url.len || *after != ':')
        return false;
    after++;
    if (!spd_sv_to_i64(spd_sv_of(after, (size_t)(url.ptr + url.len - after)), &port) || port < 1 || port > 65535)
        return false;
    memcpy(host, h.ptr, h.len);
    host[h.len] = 0;
    *ret_port = (int)port;
    return true;
}

static enum spd_rc open_tls(const struct spd_channel_tls *t, struct spd_tls **ret, struct spd_err *err)
{
    struct spd_tls_files files = {t->certificate.len ? t->certificate.ptr : NULL,
                                  t->key.len ? t->key.ptr : NULL, t->ca.ptr,
                                  t->crl.len ? t->crl.ptr : NULL};
    return t->ca.len ? spd_tls_client(&files, ret, err) : SPD_OK;
}

static enum spd_rc hl7_open(const struct spd_channel_config *config, void **ret_self, struct spd_err *err)
{
    struct hl7 *h = spd_must_malloc(sizeof *h);
    enum spd_rc rc;
    h->config = config;
    if (!parse_url(config->to, config->tls.ca.len > 0, h->host, sizeof h->host, &h->port)) {
        spd_free(h);
        return spd_fail(err, SPD_INVALID, "to",
                        "HL7 needs mllp://host:port, or mllps://host:port with tls");
    }
    if ((rc = open_tls(&config->tls, &h->tls, err))) {
        spd_free(h);
        return rc;
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
    spd_tls_unref(h->tls);
    spd_free(h);
}

static struct hl7_out_options options(const struct spd_channel_config *c,
                                      const struct spd_delivery *d, enum hl7_out_event event)
{
    struct hl7_out_options o = {
        .control_id = d->row.control_id,
        .now = d->now,
        .zone = c->zone ? c->zone : spd_zone_utc(),
        .msh_3 = c->sending_application,
        .msh_4 = c->sending_facility,
        .msh_5 = c->receiving_application,
        .msh_6 = c->receiving_facility,
        .msh_11 = c->processing_id,
        .msh_12 = c->version,
        .item = &d->item,
        .profile = c->profile[event],
        .fields = c->fields,
        .charset = c->charset,
        .ask_application = c->ack != 0,
        .dutch = spd_sv_is(c->language, "nl"),
        .map = c->map,
    };
    for (size_t i = 0; i < c->n_field_wires; i++)
        for (unsigned f = 0; f < HL7_IN_N && c->field_wires[i].level == d->row.level; f++)
            if (spd_sv_is(c->field_wires[i].field, hl7_priority_fields[f]))
                o.field_wire[f] = c->field_wires[i].wire;
    return o;
}

static enum spd_rc build_priority(const struct spd_channel_config *c, const struct spd_delivery *d,
                                  struct spd_str *out, struct spd_arena *arena, struct spd_err *err)
{
    struct hl7_out_options o = options(c, d, HL7_OUT_PRIORITY);
    (void)arena;
    if (!d->source_raw.len)
        return spd_fail(err, SPD_INVALID, "source",
                        "no order message of that system: cannot write back");
    return hl7_map_priority(d->source_raw, d->row.wire, &o, out, err);
}

static enum spd_rc build_report(const struct spd_channel_config *c, const struct spd_delivery *d,
                                struct spd_str *out, struct spd_arena *arena, struct spd_err *err)
{
    struct hl7_out_options o = options(c, d, HL7_OUT_REPORT);
    (void)arena;
    return hl7_map_report(d->source_raw, d->report_text, d->row.wire, d->item.report_by, &o, out, err);
}

static enum spd_rc build_alert(const struct spd_channel_config *c, const struct spd_delivery *d,
                               struct spd_str *out, struct spd_arena *arena, struct spd_err *err)
{
    struct hl7_out_options o = options(c, d, HL7_OUT_ALERT);
    struct spd_alert_out x;
    enum spd_rc rc = spd_desc_decode(&spd_alert_out_desc, d->row.payload, &x, arena, err);
    return rc ? rc : hl7_map_alert(d->source_raw, &x, &o, out, err);
}

static enum spd_rc hl7_build(void *self, const struct spd_delivery *d, struct spd_sending *ret,
                             struct spd_arena *arena)
{
    static enum spd_rc (*const builds[SPD_OUTBOX_KIND_N])(
        const struct spd_channel_config *, const struct spd_delivery *, struct spd_str *,
        struct spd_arena *, struct spd_err *) = {[SPD_OUTBOX_PRIORITY] = build_priority,
                                                 [SPD_OUTBOX_REPORT] = build_report,
                                                 [SPD_OUTBOX_ALERT] = build_alert};
    struct hl7 *h = self;
    struct spd_str out = SPD_STR_INIT(MESSAGE_MAX);
    struct spd_err err = {SPD_OK, "", ""};
    enum spd_rc rc;
    if (!d->item.id) {
        ret->detail = SPD_SV("the order is not in the store");
        return SPD_INVALID;
    }
    if ((unsigned)d->row.kind < SPD_OUTBOX_KIND_N && builds[d->row.kind])
        rc = builds[d->row.kind](h->config, d, &out, arena, &err);
    else
        rc = spd_fail(&err, SPD_INVALID, "kind", "this does not leave by this channel");
    if (rc == SPD_OK && !spd_str_ok(&out)) rc = spd_fail(&err, SPD_LIMIT, "message", "larger than 16 MiB");
    if (rc == SPD_OK) ret->sent = spd_arena_dup(arena, spd_str_sv(&out));
    else ret->detail = spd_arena_printf(arena, "cannot build: %s: %s", err.place, err.text);
    spd_str_done(&out);
    return rc ? SPD_INVALID : SPD_OK;
}

/* Field n of the first segment with that name; segments end with CR, or with LF where there is no CR. */
static spd_sv field(spd_sv message, const char *segment, unsigned n)
{
    size_t at = 0;
    char sep = message.len > 8 && !memcmp(message.ptr, "MSH", 3) ? message.ptr[3] : 0,
         end_of = message.len && memchr(message.ptr, '\r', message.len) ? '\r' : '\n';
    while (sep && at < message.len) {
        const char *line = message.ptr + at, *end = memchr(line, end_of, message.len - at);
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

/* "AR", or "AR, error 204" where ERR-3 has a code of table 0357: the text beside it may speak of the
 * patient, a number does not. */
static spd_sv said(spd_sv answer, spd_sv code, struct spd_arena *arena)
{
    spd_sv error = field(answer, "ERR", 3);
    size_t n = 0;
    while (n < error.len && n < 4 && error.ptr[n] >= '0' && error.ptr[n] <= '9')
        n++;
    return n ? spd_arena_printf(arena, "%.*s, error %.*s", SPD_SV_ARG(code), (int)n, error.ptr)
             : spd_arena_dup(arena, code);
}

static enum spd_outcome judge(struct hl7 *h, const struct spd_delivery *d, struct spd_sending *ret,
                              struct spd_arena *arena)
{
    const struct spd_channel_config *c = h->config;
    spd_sv code = field(ret->answer, "MSA", 1), id = field(ret->answer, "MSA", 2);
    int tries = c->max_tries > 0 ? c->max_tries : 5;
    if (!spd_sv_eq(id, d->row.control_id)) {
        disconnect(h);
        ret->detail = SPD_SV("the answer is to another message");
        return SPD_OUTCOME_UNKNOWN;
    }
    ret->detail = said(ret->answer, code, arena);
    if (spd_sv_is(code, "AA")) return SPD_OUTCOME_OK;
    if (spd_sv_is(code, "CA")) return c->ack ? SPD_OUTCOME_ACCEPTED : SPD_OUTCOME_OK;
    if (spd_sv_is(code, "AR") || spd_sv_is(code, "CR")) return SPD_OUTCOME_PERMANENT;
    if (spd_sv_is(code, "AE") || spd_sv_is(code, "CE")) {
        ret->detail = spd_arena_printf(arena, "%.*s, try %lld of %d", SPD_SV_ARG(ret->detail),
                                       (long long)(d->row.attempts - d->row.unreached), tries);
        return d->row.attempts - d->row.unreached >= tries ? SPD_OUTCOME_PERMANENT : SPD_OUTCOME_TEMPORARY;
    }
    disconnect(h);
    ret->detail = SPD_SV("an answer without a known MSA-1");
    return SPD_OUTCOME_UNKNOWN;
}

/* Accepted; its application answers on the same connection. Whatever else comes there, or nothing: the
 * message is safe with them, the row waits for ack_timeout and goes again then. */
static enum spd_outcome second_answer(struct hl7 *h, const struct spd_delivery *d,
                                      struct spd_sending *ret, struct spd_arena *arena)
{
    const struct spd_channel_config *c = h->config;
    struct spd_sending first = *ret;
    struct spd_err err = {SPD_OK, "", ""};
    enum spd_outcome outcome = SPD_OUTCOME_UNKNOWN;
    enum spd_rc rc = spd_mllp_next(h->client, c->total_timeout ? c->total_timeout : SPD_SEC(8),
                                   SPD_CHANNEL_ANSWER_MAX, &ret->answer, arena, &err);
    if (rc == SPD_OK) outcome = judge(h, d, ret, arena);
    if (outcome != SPD_OUTCOME_UNKNOWN && outcome != SPD_OUTCOME_ACCEPTED) return outcome;
    disconnect(h); /* what comes late must not be taken for the next one's */
    *ret = first;
    return SPD_OUTCOME_ACCEPTED;
}

static enum spd_rc dial(struct hl7 *h, struct spd_err *err)
{
    const struct spd_channel_config *c = h->config;
    struct spd_mllp_target to = {.size = sizeof to, .host = h->host, .port = h->port,
                                 .timeout = c->connect_timeout ? c->connect_timeout : SPD_SEC(3),
                                 .tls = h->tls, .quirks = c->quirks};
    if (c->tls.server_name.len) to.server_name = c->tls.server_name.ptr;
    return spd_mllp_dial(&to, &h->client, err);
}

/* A kept connection on which something lies unasked, or that the peer has closed, is not used again. */
static enum spd_rc exchange(struct hl7 *h, struct spd_sending *ret, struct spd_arena *arena, struct spd_err *err)
{
    const struct spd_channel_config *c = h->config;
    enum spd_rc rc = SPD_OK;
    if (h->client && spd_mllp_stale(h->client)) disconnect(h);
    if (!h->client)
        rc = dial(h, err);
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
    else if (rc == SPD_AGAIN || rc == SPD_DENIED) outcome = SPD_OUTCOME_UNREACHED;
    else if (rc == SPD_INVALID) outcome = SPD_OUTCOME_PERMANENT;
    if (rc) ret->detail = spd_arena_dup(arena, spd_sv_from(err.text));
    if (outcome == SPD_OUTCOME_ACCEPTED && h->config->ack == 1) outcome = second_answer(h, d, ret, arena);
    if (h->config->reconnect_per_message) disconnect(h);
    return outcome;
}

const struct spd_channel spd_channel_hl7 = {"hl7", hl7_open, hl7_build, hl7_send, hl7_close};
