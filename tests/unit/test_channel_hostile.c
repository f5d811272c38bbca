/* tests/unit/test_channel_hostile.c: an HL7 peer that answers late, wrong, twice, in halves, or
 * with the answer to another message: never is an answer taken for that of a message it was not
 * given to (reliability R8).
 *
 * What the peer has decided about a message follows from its MSH-10 (AA, AE or AR), so that every
 * outcome can be held against it. Delays are 0 to 3 times the time-out. 1,000 messages; 10,000 with
 * SPOED_LONG=1 in the environment. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "channel/channel.h"

enum { CHANNELS = 8, TIMEOUT_MS = 30 };

static const char order[] =
    "MSH|^~\\&|RIS|ZH|SPOED|ZH|20261122080000||ORM^O01|R1|P|2.5|||||NL|8859/1\r"
    "PID|1||4711^^^ZH||ZZCANARY^Test\rORC|NW|PL1|FI1||||1^^^20261122080000^^R\rOBR|1|PL1|FI1|"
    "CTHERS\r";

/* What the peer decides about the message with that number. */
static const char *decision(unsigned number)
{
    static const char *const codes[] = {"AA", "AA", "AE", "AR"};
    return codes[(number * 2654435761u >> 20) % 4];
}

struct peer { /* serves one channel; everything it does follows from its seed */
    int listening, port;
    uint32_t seed;
    unsigned received, lies; /* answers that were not right, in time and alone */
    pthread_t thread;
    atomic_bool stop;
};

static uint32_t rnd(struct peer *p, uint32_t n)
{
    p->seed ^= p->seed << 13, p->seed ^= p->seed >> 17, p->seed ^= p->seed << 5;
    return p->seed % n;
}

static void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static void say(int fd, const char *text)
{
    size_t n = strlen(text);
    while (n) {
        ssize_t k = send(fd, text, n, MSG_NOSIGNAL);
        if (k <= 0) return;
        text += k, n -= (size_t)k;
    }
}

static void ack(int fd, unsigned number, const char *code)
{
    char text[200];
    snprintf(text, sizeof text,
             "\x0bMSH|^~\\&|SPOED|ZH|RIS|ZH|2026||ACK|X|P|2.5\rMSA|%s|N%u\r\x1c\r", code, number);
    say(fd, text);
}

static void answer(struct peer *p, int fd, unsigned number, unsigned before)
{
    const char *code = decision(number);
    char half[] = "\x0bMSH|^~\\&|SPOED|ZH";
    unsigned how = rnd(p, 10);
    if (rnd(p, 2)) sleep_ms(rnd(p, 3 * TIMEOUT_MS + 1));
    p->lies += how < 7;
    switch (how) {
    case 0: /* to the one before, which was decided otherwise perhaps */
        ack(fd, before, decision(before));
        break;
    case 1: /* both, in the wrong order */
        ack(fd, before, decision(before)), ack(fd, number, code);
        break;
    case 2: /* twice */
        ack(fd, number, code), ack(fd, number, code);
        break;
    case 3: /* a number that nobody has */
        ack(fd, number + 1000000, "AA");
        break;
    case 4:
        say(fd, "no frame at all\r\n");
        break;
    case 5:
        say(fd, half);
        break;
    case 6: /* right, then the one before once more */
        ack(fd, number, code), ack(fd, before, decision(before));
        break;
    default:
        ack(fd, number, code);
    }
}

/* One connection until it ends; messages are told by "|N<number>|". */
static void serve(struct peer *p, int fd)
{
    char bytes[8192];
    size_t n = 0;
    unsigned before = 999999;
    for (;;) {
        struct pollfd f = {fd, POLLIN, 0};
        char *end, *id;
        ssize_t k;
        if (atomic_load(&p->stop)) return;
        if (poll(&f, 1, 50) <= 0) continue;
        k = recv(fd, bytes + n, sizeof bytes - 1 - n, 0);
        if (k <= 0) return;
        bytes[n += (size_t)k] = 0;
        while ((end = strstr(bytes, "\x1c\r"))) {
            unsigned number = (id = strstr(bytes, "|N")) ? (unsigned)strtoul(id + 2, NULL, 10) : 0;
            p->received++;
            answer(p, fd, number, before);
            before = number;
            n -= (size_t)(end + 2 - bytes);
            memmove(bytes, end + 2, n + 1);
        }
    }
}

static void *run(void *ctx)
{
    struct peer *p = ctx;
    while (!atomic_load(&p->stop)) {
        struct pollfd f = {p->listening, POLLIN, 0};
        if (poll(&f, 1, 50) <= 0) continue;
        int fd = accept(p->listening, NULL, NULL);
        if (fd < 0) continue;
        serve(p, fd);
        close(fd);
    }
    return NULL;
}

static void start(struct peer *p, uint32_t seed)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    *p = (struct peer){.seed = seed};
    p->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listening, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(p->listening, 64), 0);
    assert_int_equal(getsockname(p->listening, (struct sockaddr *)&a, &len), 0);
    p->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&p->thread, NULL, run, p), 0);
}

static void stop(struct peer *p)
{
    atomic_store(&p->stop, true);
    pthread_join(p->thread, NULL);
    close(p->listening);
}

struct lane { /* one channel with its peer */
    struct peer peer;
    struct spd_channel_config config;
    char url[64];
    unsigned first, n;
    unsigned outcomes[SPD_OUTCOME_N], wrong;
    pthread_t thread;
};

/* Sent until its fate is known, as the queue would, with the same number. */
static void deliver(struct lane *l, const struct spd_channel *channel, void *self,
                    struct spd_arena *arena, unsigned number)
{
    char id[16];
    snprintf(id, sizeof id, "N%u", number);
    for (int64_t attempt = 1; attempt <= 3; attempt++) {
        struct spd_delivery d = {0};
        struct spd_sending s = {0};
        enum spd_outcome out;
        spd_arena_reset(arena);
        d.row = (struct spd_outbox){.id = 1, .kind = SPD_OUTBOX_PRIORITY, .attempts = attempt};
        d.row.control_id = spd_sv_from(id), d.row.wire = SPD_SV("S");
        d.item.id = 5, d.item.placer.value = SPD_SV("PL1"), d.item.filler.value = SPD_SV("FI1");
        d.source_raw = spd_sv_from(order), d.now = SPD_SEC(1790000000);
        out = channel->send(self, &d, &s, arena);
        l->outcomes[out]++;
        if (out == SPD_OUTCOME_OK) l->wrong += strcmp(decision(number), "AA") != 0;
        if (out == SPD_OUTCOME_PERMANENT) l->wrong += strcmp(decision(number), "AR") != 0;
        if (out == SPD_OUTCOME_TEMPORARY && spd_sv_starts(s.detail, SPD_SV("AE")))
            l->wrong += strcmp(decision(number), "AE") != 0;
        if (out == SPD_OUTCOME_OK || out == SPD_OUTCOME_PERMANENT) return;
    }
}

static void *drive(void *ctx)
{
    struct lane *l = ctx;
    const struct spd_channel *channel = spd_channel_find(SPD_SV("hl7"));
    struct spd_arena *arena = spd_arena_new(8 << 20);
    void *self;
    if (channel->open(&l->config, &self, NULL)) abort();
    for (unsigned i = 0; i < l->n; i++)
        deliver(l, channel, self, arena, l->first + i);
    channel->close(self);
    spd_arena_free(arena);
    return NULL;
}

static void no_answer_is_taken_for_anothers(void **state)
{
    static struct lane lanes[CHANNELS];
    unsigned messages = getenv("SPOED_LONG") ? 10000 : 1000, wrong = 0, lies = 0, received = 0;
    unsigned outcomes[SPD_OUTCOME_N] = {0};
    (void)state;
    for (unsigned i = 0; i < CHANNELS; i++) {
        struct lane *l = &lanes[i];
        start(&l->peer, 17 + i);
        snprintf(l->url, sizeof l->url, "mllp://127.0.0.1:%d", l->peer.port);
        l->config.to = spd_sv_from(l->url), l->config.max_tries = 1000;
        l->config.connect_timeout = SPD_SEC(2), l->config.total_timeout = TIMEOUT_MS * 1000;
        l->n = messages / CHANNELS, l->first = 1 + i * l->n;
        assert_int_equal(pthread_create(&l->thread, NULL, drive, l), 0);
    }
    for (unsigned i = 0; i < CHANNELS; i++) {
        pthread_join(lanes[i].thread, NULL);
        stop(&lanes[i].peer);
        wrong += lanes[i].wrong, lies += lanes[i].peer.lies, received += lanes[i].peer.received;
        for (int k = 0; k < SPD_OUTCOME_N; k++)
            outcomes[k] += lanes[i].outcomes[k];
    }
    print_message(
        "%u messages, %u sendings arrived, %u lies: %u ok, %u permanent, %u temporary, %u unknown; "
        "%u wrong matches\n",
        messages, received, lies, outcomes[SPD_OUTCOME_OK], outcomes[SPD_OUTCOME_PERMANENT],
        outcomes[SPD_OUTCOME_TEMPORARY], outcomes[SPD_OUTCOME_UNKNOWN], wrong);
    assert_int_equal(wrong, 0);
    assert_true(received >= messages && lies > messages / 4);
    assert_true(outcomes[SPD_OUTCOME_OK] > messages / 8 &&
                outcomes[SPD_OUTCOME_PERMANENT] > messages / 16);
}

/* ---- two answers on one connection --------------------------------------------------------------
 */
struct script { /* what the peer says to a message, frame by frame; in one packet where glued */
    const char *name;
    int ack;
    const char *frames[3]; /* "AA N1" */
    bool glued;
    enum spd_outcome want;
};
static const struct script scripts[] = {
    {"CA is enough", 0, {"CA N1"}, false, SPD_OUTCOME_OK},
    {"CA, then AA", 1, {"CA N1", "AA N1"}, false, SPD_OUTCOME_OK},
    {"CA and AA in one packet", 1, {"CA N1", "AA N1"}, true, SPD_OUTCOME_OK},
    {"CA, then AR", 1, {"CA N1", "AR N1"}, false, SPD_OUTCOME_PERMANENT},
    {"CA, then AE", 1, {"CA N1", "AE N1"}, false, SPD_OUTCOME_TEMPORARY},
    {"CA, then nothing", 1, {"CA N1"}, false, SPD_OUTCOME_ACCEPTED},
    {"CA, then another's AA", 1, {"CA N1", "AA N2"}, false, SPD_OUTCOME_ACCEPTED},
    {"CA; AA comes elsewhere", 2, {"CA N1"}, false, SPD_OUTCOME_ACCEPTED},
    {"AA at once", 2, {"AA N1"}, false, SPD_OUTCOME_OK},
    {"CR", 1, {"CR N1"}, false, SPD_OUTCOME_PERMANENT},
    {"CE", 1, {"CE N1"}, false, SPD_OUTCOME_TEMPORARY},
};

struct actor {
    int listening;
    const struct script *script;
};

static void *act(void *ctx)
{
    struct actor *a = ctx;
    char text[600] = "", bytes[8192];
    int fd = accept(a->listening, NULL, NULL);
    for (size_t n = 0; n < sizeof bytes;) { /* the whole message */
        ssize_t k = recv(fd, bytes + n, sizeof bytes - n, 0);
        if (k <= 0 || memmem(bytes, n += (size_t)k, "\x1c\r", 2)) break;
    }
    for (int i = 0; i < 3 && a->script->frames[i]; i++) {
        const char *f = a->script->frames[i];
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "\x0bMSH|^~\\&|A|B|C|D|2026||ACK|X|P|2.5\rMSA|%.2s|%s\r\x1c\r", f, f + 3);
        if (a->script->glued) continue;
        say(fd, text), text[0] = 0;
        sleep_ms(20);
    }
    say(fd, text);
    while (recv(fd, bytes, sizeof bytes, 0) > 0) /* until the other side closes */
        continue;
    close(fd);
    return NULL;
}

static void both_answers(void **state)
{
    const struct spd_channel *channel = spd_channel_find(SPD_SV("hl7"));
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct peer p;
        struct actor a = {0, &scripts[i]};
        struct spd_channel_config c = {
            .connect_timeout = SPD_SEC(2), .total_timeout = 200000, .ack = scripts[i].ack};
        struct spd_arena *arena = spd_arena_new(8 << 20);
        struct spd_delivery d = {0};
        struct spd_sending s = {0};
        char url[64];
        pthread_t thread;
        void *self;
        start(&p, 1);
        atomic_store(&p.stop, true),
            pthread_join(p.thread, NULL); /* only its socket is of use here */
        a.listening = p.listening;
        snprintf(url, sizeof url, "mllp://127.0.0.1:%d", p.port);
        c.to = spd_sv_from(url);
        assert_int_equal(channel->open(&c, &self, NULL), SPD_OK);
        assert_int_equal(pthread_create(&thread, NULL, act, &a), 0);
        d.row = (struct spd_outbox){.id = 1, .kind = SPD_OUTBOX_PRIORITY, .attempts = 1};
        d.row.control_id = SPD_SV("N1"), d.row.wire = SPD_SV("S"), d.item.id = 5;
        d.item.placer.value = SPD_SV("PL1"), d.item.filler.value = SPD_SV("FI1");
        d.source_raw = spd_sv_from(order), d.now = SPD_SEC(1790000000);
        enum spd_outcome got = channel->send(self, &d, &s, arena);
        if (got != scripts[i].want)
            fail_msg("%s: %s (%.*s)", scripts[i].name, spd_enum_name(spd_outcome_names, (int)got),
                     SPD_SV_ARG(s.detail));
        if (c.ack) assert_true(spd_sv_find(s.sent, SPD_SV("|AL|AL|"), NULL));
        channel->close(self);
        pthread_join(thread, NULL);
        close(p.listening);
        spd_arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_answer_is_taken_for_anothers),
                                       cmocka_unit_test(both_answers)};
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
