/* tests/unit/test_channel_send.c: every channel against a stand-in that misbehaves: which of the four
 * outcomes comes out, what the peer has got, and that a late or foreign answer is never taken for ours. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "channel/channel.h"
#include "fakes/peer.h"

static const char page_json[] = "{\"page_id\":\"P1\",\"repeat\":false,\"alert_id\":7,\"step\":0,\"level\":\"critical\","
                                "\"text\":\"AI vermoedt een bloeding\\n.\\neind\",\"link\":\"http://127.0.0.1/a/tok\"}";
static const char order[] =
    "MSH|^~\\&|RIS|ZH|SPOED|ZH|20261122080000||ORM^O01|R1|P|2.5|||||NL|8859/1\r"
    "PID|1||4711^^^ZH||ZZCANARY^Test||19500101|M\rPV1|1|E|SEH\r"
    "ORC|NW|PL1|FI1||||1^^^20261122080000^^R\rOBR|1|PL1|FI1|CTHERS^CT hersenen|||||||||||||A100||||||CT\r";

static struct spd_delivery page_to(const char *to, int64_t attempts)
{
    struct spd_delivery d = {0};
    d.row = (struct spd_outbox){.id = 1, .kind = SPD_OUTBOX_PAGE, .control_id = SPD_SV("P1"), .to = spd_sv_from(to),
                                .attempts = attempts, .payload = spd_sv_from(page_json)};
    d.now = SPD_SEC(1790000000);
    return d;
}

struct bench { /* an open channel and what its last sending said */
    const struct spd_channel *channel;
    struct spd_channel_config config;
    void *self;
    struct spd_arena *arena;
    struct spd_sending said;
    char url[128];
};

static void bench_open(struct bench *b, const char *type, const char *scheme, int port)
{
    snprintf(b->url, sizeof b->url, "%s://127.0.0.1:%d%s", scheme, port, *scheme == 'h' ? "/page" : "");
    b->config.name = SPD_SV("under-test");
    b->config.to = spd_sv_from(b->url);
    b->config.connect_timeout = 300000;
    if (!b->config.total_timeout) b->config.total_timeout = 400000;
    b->channel = spd_channel_find(spd_sv_from(type));
    assert_non_null(b->channel);
    assert_int_equal(b->channel->open(&b->config, &b->self, NULL), SPD_OK);
    b->arena = spd_arena_new(8 << 20);
}

static enum spd_outcome bench_send(struct bench *b, const struct spd_delivery *d)
{
    b->said = (struct spd_sending){0};
    return b->channel->send(b->self, d, &b->said, b->arena);
}

static void bench_close(struct bench *b)
{
    b->channel->close(b->self);
    spd_arena_free(b->arena);
}

static void check(const char *row, enum spd_outcome got, enum spd_outcome want, spd_sv detail)
{
    if (got != want)
        fail_msg("%s: %s, expected %s (%.*s)", row, spd_enum_name(spd_outcome_names, (int)got),
                 spd_enum_name(spd_outcome_names, (int)want), SPD_SV_ARG(detail));
}

static void webhook_outcomes(void **state)
{
    static const struct { const char *status; enum spd_outcome want; } rows[] = {
        {"200", SPD_OUTCOME_OK}, {"204", SPD_OUTCOME_OK}, {"big", SPD_OUTCOME_OK},
        {"302", SPD_OUTCOME_PERMANENT}, {"400", SPD_OUTCOME_PERMANENT}, {"401", SPD_OUTCOME_PERMANENT},
        {"404", SPD_OUTCOME_PERMANENT}, {"408", SPD_OUTCOME_TEMPORARY}, {"429", SPD_OUTCOME_TEMPORARY},
        {"500", SPD_OUTCOME_TEMPORARY}, {"503", SPD_OUTCOME_TEMPORARY}, {"half", SPD_OUTCOME_UNKNOWN},
        {"hang", SPD_OUTCOME_UNKNOWN},
    };
    static struct peer p;
    struct bench b = {0};
    char line[8192];
    (void)state;
    peer_start(&p, "pager.py", "--secret", "geheim");
    b.config.secret = SPD_SV("geheim");
    bench_open(&b, "webhook", "http", p.port);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_delivery d = page_to("smit", 1);
        peer_mode(&p, rows[i].status);
        check(rows[i].status, bench_send(&b, &d), rows[i].want, b.said.detail);
        assert_true(peer_line(&p, line, sizeof line, 2000));
        assert_non_null(strstr(line, "\"signed\": true"));
        assert_non_null(strstr(line, "\"repeat\": false"));
        assert_non_null(strstr(line, "\"to\": \"smit\""));
        assert_true(b.said.answer.len <= 64 * 1024);
    }
    peer_stop(&p);
    bench_close(&b);
}

static void webhook_repeat_retry_and_down(void **state)
{
    static struct peer p;
    struct bench b = {0};
    char line[8192];
    struct spd_delivery d = page_to("", 2);
    (void)state;
    peer_start(&p, "pager.py", "--retry-after", "7");
    b.config.secret = SPD_SV("another secret");
    bench_open(&b, "webhook", "http", p.port);
    check("second sending", bench_send(&b, &d), SPD_OUTCOME_OK, b.said.detail);
    assert_true(peer_line(&p, line, sizeof line, 2000));
    assert_non_null(strstr(line, "\"repeat\": true"));
    assert_non_null(strstr(line, "\"page_id\": \"P1\""));
    assert_non_null(strstr(line, "\"signed\": false"));
    peer_mode(&p, "429");
    check("429", bench_send(&b, &d), SPD_OUTCOME_TEMPORARY, b.said.detail);
    assert_int_equal(b.said.retry_after, SPD_SEC(7));
    peer_stop(&p);
    check("nobody listens", bench_send(&b, &d), SPD_OUTCOME_TEMPORARY, b.said.detail);
    d.row.payload = SPD_SV("[1]");
    check("payload is no object", bench_send(&b, &d), SPD_OUTCOME_PERMANENT, b.said.detail);
    bench_close(&b);
}

static void addresses(void **state)
{
    static const struct { const char *type, *url; bool insecure, ok; } rows[] = {
        {"webhook", "https://pager.example/x", false, true},
        {"webhook", "http://127.0.0.1:1/x", false, true},
        {"webhook", "http://127.9.9.9/x", false, true},
        {"webhook", "http://localhost/x", false, true},
        {"webhook", "http://[::1]:8080/x", false, true},
        {"webhook", "http://pager.example/x", true, true},
        {"webhook", "http://pager.example/x", false, false},
        {"webhook", "http://127.0.0.1.example/x", false, false},
        {"webhook", "http://127.0.0.1@example/x", false, false},
        {"webhook", "http://user:pw@127.0.0.1/x", false, false},
        {"webhook", "http://10.0.0.1/x", false, false},
        {"webhook", "http://169.254.169.254/latest", false, false},
        {"webhook", "http://0.0.0.0/x", false, false},
        {"webhook", "http://2130706433/x", false, false},
        {"webhook", "http://0177.0.0.1/x", false, false},
        {"webhook", "http://[::ffff:10.0.0.1]/x", false, false},
        {"webhook", "http:///x", false, false},
        {"webhook", "http://[::1/x", false, false},
        {"webhook", "https://a/x\r\nHost: b", false, false},
        {"webhook", "file:///etc/passwd", false, false},
        {"webhook", "gopher://127.0.0.1/x", false, false},
        {"webhook", "ftp://127.0.0.1/x", true, false},
        {"webhook", "127.0.0.1/x", false, false},
        {"webhook", "", false, false},
        {"smtp", "smtp://mail.example:25", false, true},
        {"smtp", "smtps://mail.example", false, true},
        {"smtp", "http://127.0.0.1", false, false},
        {"hl7", "mllp://127.0.0.1:2600", false, true},
        {"hl7", "mllp://[::1]:2600", false, true},
        {"hl7", "mllp://ris.example:2600", false, true},
        {"hl7", "mllp://127.0.0.1", false, false},
        {"hl7", "mllp://127.0.0.1:0", false, false},
        {"hl7", "mllp://127.0.0.1:70000", false, false},
        {"hl7", "mllp://127.0.0.1:26x", false, false},
        {"hl7", "tcp://127.0.0.1:2600", false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_channel_config c = {.to = spd_sv_from(rows[i].url), .from = SPD_SV("spoed@zh.example"),
                                       .insecure = rows[i].insecure};
        const struct spd_channel *channel = spd_channel_find(spd_sv_from(rows[i].type));
        struct spd_err err = {SPD_OK, "", ""};
        void *self = NULL;
        bool ok = channel->open(&c, &self, &err) == SPD_OK;
        if (ok != rows[i].ok) fail_msg("%s: %s", rows[i].url, ok ? "taken" : err.text);
        channel->close(self);
    }
    assert_null(spd_channel_find(SPD_SV("carrier-pigeon")));
}

static void mail_outcomes(void **state)
{
    static const struct { const char *mode, *to; enum spd_outcome want; } rows[] = {
        {"ok", "smit@zh.example", SPD_OUTCOME_OK},
        {"rcpt550", "smit@zh.example", SPD_OUTCOME_PERMANENT},
        {"rcpt450", "smit@zh.example", SPD_OUTCOME_TEMPORARY},
        {"data550", "smit@zh.example", SPD_OUTCOME_PERMANENT},
        {"data451", "smit@zh.example", SPD_OUTCOME_TEMPORARY},
        {"drop", "smit@zh.example", SPD_OUTCOME_UNKNOWN},
        {"hang", "smit@zh.example", SPD_OUTCOME_UNKNOWN},
        {"ok", "smit", SPD_OUTCOME_PERMANENT},
        {"ok", "smit@zh.example\r\nBcc: x@y.example", SPD_OUTCOME_PERMANENT},
        {"ok", "<smit@zh.example>", SPD_OUTCOME_PERMANENT},
        {"ok", "", SPD_OUTCOME_PERMANENT},
    };
    static struct peer p;
    struct bench b = {0};
    char line[8192];
    (void)state;
    peer_start(&p, "smtpsink.py", "--mode", "ok");
    b.config.from = SPD_SV("spoed@zh.example");
    b.config.language = SPD_SV("nl");
    bench_open(&b, "smtp", "smtp", p.port);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_delivery d = page_to(rows[i].to, 2);
        peer_mode(&p, rows[i].mode);
        spd_usec before = spd_clock_monotonic();
        check(rows[i].mode, bench_send(&b, &d), rows[i].want, b.said.detail);
        assert_true(spd_clock_monotonic() - before < SPD_SEC(3)); /* QUIT is not waited for either */
        if (rows[i].want != SPD_OUTCOME_OK) continue;
        assert_true(peer_line(&p, line, sizeof line, 2000));
        assert_non_null(strstr(line, "\"X-Spoed-Page-Id\": \"P1\""));
        assert_non_null(strstr(line, "\"Subject\": \"HERHALING Spoed: nieuwe melding, critical\""));
        assert_non_null(strstr(line, "AI vermoedt een bloeding\\n.\\neind")); /* a lone dot survives */
        assert_non_null(strstr(line, "http://127.0.0.1/a/tok"));
    }
    peer_stop(&p);
    b.said = (struct spd_sending){0};
    struct spd_delivery d = page_to("smit@zh.example", 1);
    check("nobody listens", bench_send(&b, &d), SPD_OUTCOME_TEMPORARY, b.said.detail);
    bench_close(&b);
}

static struct spd_delivery priority(const char *id, int64_t attempts)
{
    struct spd_delivery d = page_to("", attempts);
    d.row.kind = SPD_OUTBOX_PRIORITY;
    d.row.control_id = spd_sv_from(id);
    d.row.wire = SPD_SV("S");
    d.item.id = 5;
    d.item.placer.value = SPD_SV("PL1");
    d.item.filler.value = SPD_SV("FI1");
    d.item.accession.value = SPD_SV("A100");
    d.source_raw = spd_sv_from(order);
    return d;
}

static void hl7_outcomes(void **state)
{
    static const struct { const char *mode; int64_t attempts; enum spd_outcome want; } rows[] = {
        {"aa", 1, SPD_OUTCOME_OK}, {"ca", 1, SPD_OUTCOME_OK}, {"ar", 1, SPD_OUTCOME_PERMANENT},
        {"ae", 1, SPD_OUTCOME_TEMPORARY}, {"ae", 4, SPD_OUTCOME_TEMPORARY}, {"ae", 5, SPD_OUTCOME_PERMANENT},
        {"none", 1, SPD_OUTCOME_UNKNOWN}, {"close", 1, SPD_OUTCOME_UNKNOWN}, {"wrong", 1, SPD_OUTCOME_UNKNOWN},
        {"garbage", 1, SPD_OUTCOME_UNKNOWN}, {"aa", 1, SPD_OUTCOME_OK}, {"previous", 1, SPD_OUTCOME_UNKNOWN},
        {"aa", 1, SPD_OUTCOME_OK}, {"twice", 1, SPD_OUTCOME_OK}, {"aa", 1, SPD_OUTCOME_OK},
        {"late:0.8", 1, SPD_OUTCOME_UNKNOWN}, {"aa", 1, SPD_OUTCOME_OK}, {"aa", 1, SPD_OUTCOME_OK},
    };
    static struct peer p;
    struct bench b = {0};
    char line[8192], id[32];
    (void)state;
    peer_start(&p, "ris.py", "--mode", "aa");
    bench_open(&b, "hl7", "mllp", p.port);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(id, sizeof id, "M%zu", i);
        struct spd_delivery d = priority(id, rows[i].attempts);
        peer_mode(&p, rows[i].mode);
        check(rows[i].mode, bench_send(&b, &d), rows[i].want, b.said.detail);
        assert_true(peer_line(&p, line, sizeof line, 3000));
        assert_non_null(strstr(line, id)); /* each message arrived once, with its own MSH-10 */
        assert_false(spd_sv_find(b.said.detail, SPD_SV("ZZCANARY"), NULL));
    }
    peer_stop(&p);
    struct spd_delivery d = priority("M99", 1);
    check("nobody listens", bench_send(&b, &d), SPD_OUTCOME_UNREACHED, b.said.detail);
    d.source_raw = SPD_SV_NONE;
    check("no source message", bench_send(&b, &d), SPD_OUTCOME_PERMANENT, b.said.detail);
    d = page_to("", 1);
    check("a page", bench_send(&b, &d), SPD_OUTCOME_PERMANENT, b.said.detail);
    bench_close(&b);
}

static void hl7_half_taken(void **state)
{
    static struct peer p;
    struct bench b = {0};
    enum spd_outcome got;
    (void)state;
    peer_start(&p, "ris.py", "--mode", "half");
    bench_open(&b, "hl7", "mllp", p.port);
    struct spd_delivery d = priority("H1", 1);
    got = bench_send(&b, &d); /* the close may be noticed while writing or while waiting */
    assert_true(got == SPD_OUTCOME_UNKNOWN || got == SPD_OUTCOME_TEMPORARY);
    peer_stop(&p);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(webhook_outcomes), cmocka_unit_test(webhook_repeat_retry_and_down),
        cmocka_unit_test(addresses),        cmocka_unit_test(mail_outcomes),
        cmocka_unit_test(hl7_outcomes),     cmocka_unit_test(hl7_half_taken),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
