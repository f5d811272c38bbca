/* tests/unit/test_door_hl7.c: frames over real TCP, a writer with a host of our own behind them: what becomes an
 * event, what is answered, and when. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/core.h"
#include "door/door_hl7.h"
#include "hl7/v2/quirk.h"
#include "net/mllp_client.h"
#include "net/socket.h"

struct host { /* the fields below are set before the message is sent, and read after its answer */
    pthread_mutex_t lock;
    enum spd_rc rc;           /* of apply */
    enum spd_answer answer;
    int64_t applied, committed;
    enum spd_event_type type;
    char peer[32], why[32], raw_start[8];
    bool parked;
    struct spd_store *store;
    struct spd_writer *writer;
    struct spd_door_hl7 *door;
};

static void look(struct host *h, const struct spd_message_in *m)
{
    snprintf(h->peer, sizeof h->peer, "%.*s", SPD_SV_ARG(m->peer));
    snprintf(h->raw_start, 4, "%.*s", SPD_SV_ARG(m->raw));
    h->answer = h->answer ? h->answer : (enum spd_answer)m->answer;
}

static enum spd_rc apply(void *self, struct spd_store *store, const struct spd_event *e, struct spd_arena *arena,
                         const struct spd_receipt **ret, struct spd_err *err)
{
    struct host *h = self;
    struct spd_receipt *r = SPD_NEW(arena, struct spd_receipt);
    enum spd_rc rc;
    (void)store, (void)err;
    pthread_mutex_lock(&h->lock);
    h->applied++;
    h->type = e->type;
    if (e->type == SPD_EVENT_ORDER) {
        look(h, &e->u.order->message);
    } else if (e->type == SPD_EVENT_MESSAGE) {
        look(h, &e->u.message->message);
        h->parked = e->u.message->park;
        snprintf(h->why, sizeof h->why, "%.*s", SPD_SV_ARG(e->u.message->why));
    }
    rc = h->rc;
    if (e->type == SPD_EVENT_MESSAGE && h->parked && rc == SPD_BUG) rc = SPD_OK; /* parking works */
    r->answer = h->answer;
    r->reason_en = SPD_SV("because");
    pthread_mutex_unlock(&h->lock);
    *ret = r;
    return rc;
}

static void nothing(void *self)
{
    (void)self;
}

static void committed(void *self, struct spd_store *store, spd_usec now)
{
    struct host *h = self;
    (void)store, (void)now;
    pthread_mutex_lock(&h->lock);
    h->committed++;
    pthread_mutex_unlock(&h->lock);
}

static spd_usec now(void *self)
{
    (void)self;
    return spd_clock_now();
}

static bool peer(void *self, const struct spd_mllp_from *from, spd_sv msh_3, spd_sv msh_4,
                 struct spd_arena *arena, struct hl7_map_options *ret, unsigned *ret_quirks)
{
    (void)self, (void)arena;
    if (spd_sv_is(msh_4, "ODD")) *ret_quirks = HL7_QUIRK_BARE_ACK | HL7_QUIRK_NO_TRAILING_CR;
    *ret = (struct hl7_map_options){.zone = spd_zone_get("Europe/Amsterdam"), .patient_authority = SPD_SV("ZH"),
                                    .accession_issuer = SPD_SV("ZH"), .on_unusable = SPD_ANSWER_AA};
    if (strcmp(from->address, "127.0.0.1") || !spd_sv_is(msh_3, "RIS")) return false;
    ret->peer = SPD_SV("ris");
    ret->orders = ret->adt = ret->reports = true;
    ret->order_response = spd_sv_is(msh_4, "ORR");
    if (spd_sv_is(msh_4, "ONE")) *ret_quirks = HL7_QUIRK_ONE_ANSWER;
    return true;
}

static const struct spd_writer_ops ops = {apply, nothing, committed, NULL, NULL, NULL, now};

static void start(struct host *h)
{
    struct spd_door_hl7_host host = {h, NULL, NULL, now, peer, NULL};
    int fd;
    *h = (struct host){.lock = PTHREAD_MUTEX_INITIALIZER};
    assert_int_equal(spd_store_open("memory:", SPD_STORE_WRITE | SPD_STORE_CREATE, &h->store, NULL), SPD_OK);
    assert_int_equal(spd_writer_start(h->store, &ops, h, NULL, &h->writer, NULL), SPD_OK);
    host.writer = h->writer;
    h->door = spd_door_hl7_new(&host);
    assert_int_equal(spd_net_listen("127.0.0.1", 0, &fd, NULL), SPD_OK);
    assert_int_equal(spd_door_hl7_listen(h->door, fd, NULL, NULL), SPD_OK);
}

static void stop(struct host *h)
{
    spd_door_hl7_stop(h->door);
    spd_writer_stop(h->writer);
    spd_door_hl7_free(h->door);
    spd_store_close(h->store);
}

static void ask(struct host *h, const char *message, char *ret, size_t size)
{
    struct spd_mllp_client *c;
    struct spd_arena *a = spd_arena_new(1 << 20);
    spd_sv answer;
    assert_int_equal(spd_mllp_connect("127.0.0.1", spd_door_hl7_port(h->door, 0), SPD_SEC(3), &c, NULL), SPD_OK);
    assert_int_equal(spd_mllp_exchange(c, spd_sv_from(message), SPD_SEC(5), 65536, &answer, a, NULL), SPD_OK);
    snprintf(ret, size, "%.*s", SPD_SV_ARG(answer));
    spd_mllp_close(c);
    spd_arena_free(a);
}

#define ORDER(app)                                                                                                   \
    "MSH|^~\\&|" app "|ZH|SPOED|ZH|20261123021000||ORM^O01|M1|P|2.3.1\rPID|1||ZZ0000001^^^ZH||ZZCANARY^Test\r"        \
    "PV1||E|SEH\rORC|NW|P1|F1||SC\rOBR|1|P1|F1|CTHERS^CT hersenen^L||||||||||||||A1||||||CT\r"
#define REPORT(app)                                                                                                  \
    "MSH|^~\\&|" app "|ZH|SPOED|ZH|20261123021000||ORU^R01|M2|P|2.3.1\rPID|1||ZZ0000001^^^ZH||ZZCANARY^Test\r"        \
    "OBR|1|P1|F1|CTHERS^CT hersenen^L||||||||||||||A1||||||CT|F\rOBX|1|TX|||geen bijzonderheden||||||F\r"

static void rows(void **state)
{
    static const struct {
        const char *name, *message;
        enum spd_rc rc;         /* what the store does */
        enum spd_answer answer; /* what the core wants answered; 0 = the event's own */
        const char *msa, *peer;
        enum spd_event_type type;
        const char *why;
        int64_t applied;
    } table[] = {
        {"an order", ORDER("RIS"), SPD_OK, SPD_ANSWER_AA, "MSA|AA|M1", "ris", SPD_EVENT_ORDER, "", 1},
        {"the core turns it down", ORDER("RIS"), SPD_OK, SPD_ANSWER_AR, "MSA|AR|M1|because", "ris", SPD_EVENT_ORDER, "", 1},
        {"it cannot be stored now", ORDER("RIS"), SPD_IO, 0, "MSA|AE|M1", "ris", SPD_EVENT_ORDER, "", 1},
        {"it can never be applied: parked", ORDER("RIS"), SPD_BUG, SPD_ANSWER_AA, "MSA|AA|M1", "ris", SPD_EVENT_MESSAGE,
         "unusable", 2},
        {"an order of a stranger", ORDER("ELSEWHERE"), SPD_OK, 0, "MSA|AR|M1", "", SPD_EVENT_MESSAGE, "unlisted-peer", 1},
        {"a result of a stranger", REPORT("ELSEWHERE"), SPD_OK, 0, "MSA|AA|M2", "", SPD_EVENT_MESSAGE, "unlisted-peer", 1},
        {"no HL7 at all", "hallo", SPD_OK, 0, "MSA|AR|", "", SPD_EVENT_MESSAGE, NULL, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct host h;
        char ack[4096];
        start(&h);
        h.rc = table[i].rc, h.answer = table[i].answer;
        ask(&h, table[i].message, ack, sizeof ack);
        pthread_mutex_lock(&h.lock);
        if (!strstr(ack, table[i].msa)) fail_msg("%s: answered %s", table[i].name, ack);
        if (h.type != table[i].type) fail_msg("%s: event %s", table[i].name, spd_event_type_names[h.type]);
        if (strcmp(h.peer, table[i].peer)) fail_msg("%s: peer \"%s\"", table[i].name, h.peer);
        if (table[i].why && strcmp(h.why, table[i].why)) fail_msg("%s: why \"%s\"", table[i].name, h.why);
        if (h.applied != table[i].applied) fail_msg("%s: applied %lld times", table[i].name, (long long)h.applied);
        if (strncmp(h.raw_start, table[i].message, 3)) fail_msg("%s: the raw bytes are not kept", table[i].name);
        pthread_mutex_unlock(&h.lock);
        stop(&h);
    }
}

/* Quirks go with who spoke, message by message on one connection: an engine sends for several. */
static void quirks_go_with_the_peer(void **state)
{
    static const char usual[] = "MSH|^~\\&|RIS|ZH|SPOED|ZH|20261123||ADT^A08|1|P|2.5\rEVN|A08\r",
                      odd[] = "MSH|^~\\&|RIS|ODD|SPOED|ZH|20261123||ADT^A08|2|P|2.5\rEVN|A08\r";
    struct host h;
    struct spd_mllp_client *c;
    struct spd_arena *a = spd_arena_new(1 << 20);
    spd_sv answer;
    (void)state;
    start(&h);
    h.answer = SPD_ANSWER_AA;
    assert_int_equal(spd_mllp_connect("127.0.0.1", spd_door_hl7_port(h.door, 0), SPD_SEC(3), &c, NULL), SPD_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(spd_mllp_exchange(c, spd_sv_from(usual), SPD_SEC(5), 65536, &answer, a, NULL), SPD_OK);
        assert_true(spd_sv_find(answer, SPD_SV("|ACK^A08^ACK|"), NULL));
        assert_int_equal(answer.ptr[answer.len - 1], '\r');
        assert_int_equal(spd_mllp_exchange(c, spd_sv_from(odd), SPD_SEC(5), 65536, &answer, a, NULL), SPD_OK);
        assert_true(spd_sv_find(answer, SPD_SV("|ACK|"), NULL));
        assert_true(spd_sv_find(answer, SPD_SV("\rMSA|AA|2"), NULL));
        assert_int_equal(answer.ptr[answer.len - 1], '2');
    }
    spd_mllp_close(c);
    spd_arena_free(a);
    stop(&h);
}

static bool over_http(void *ctx, spd_sv msh_3, spd_sv msh_4, struct spd_arena *arena, struct hl7_map_options *ret)
{
    const struct spd_mllp_from from = {"127.0.0.1", ""};
    unsigned quirks = 0;
    return peer(ctx, &from, msh_3, msh_4, arena, ret, &quirks);
}

/* The same messages handed in without MLLP end in the same way; only "not now" is no answer. */
static void handed_in(void **state)
{
    static const struct {
        const char *name, *message;
        enum spd_rc rc;
        enum spd_answer answer;
        enum spd_rc want;
        const char *msa;
        enum spd_event_type type;
        const char *why;
    } table[] = {
        {"an order", ORDER("RIS"), SPD_OK, SPD_ANSWER_AA, SPD_OK, "MSA|AA|M1", SPD_EVENT_ORDER, ""},
        {"the core turns it down", ORDER("RIS"), SPD_OK, SPD_ANSWER_AR, SPD_OK, "MSA|AR|M1|because", SPD_EVENT_ORDER, ""},
        {"it cannot be stored now", ORDER("RIS"), SPD_IO, 0, SPD_IO, "", SPD_EVENT_ORDER, ""},
        {"it can never be applied: parked", ORDER("RIS"), SPD_BUG, SPD_ANSWER_AA, SPD_OK, "MSA|AA|M1", SPD_EVENT_MESSAGE,
         "unusable"},
        {"an order of a stranger", ORDER("ELSEWHERE"), SPD_OK, 0, SPD_OK, "MSA|AR|M1", SPD_EVENT_MESSAGE, "unlisted-peer"},
        {"no HL7 at all", "hallo", SPD_OK, 0, SPD_OK, "MSA|AR|", SPD_EVENT_MESSAGE, NULL},
        {"nothing", "", SPD_OK, 0, SPD_OK, "MSA|AR|", SPD_EVENT_MESSAGE, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct host h;
        struct spd_str ack = SPD_STR_INIT(4096), response = ack;
        struct spd_door_hl7_said said = {0};
        start(&h);
        h.rc = table[i].rc, h.answer = table[i].answer;
        enum spd_rc rc = spd_door_hl7_take(h.door, spd_sv_from(table[i].message), over_http, &h, &said, &ack, &response);
        if (rc != table[i].want) fail_msg("%s: %s", table[i].name, spd_rc_name(rc));
        if (!strstr(ack.ptr ? ack.ptr : "", table[i].msa)) fail_msg("%s: answered %s", table[i].name, ack.ptr);
        pthread_mutex_lock(&h.lock);
        if (h.type != table[i].type) fail_msg("%s: event %s", table[i].name, spd_event_type_names[h.type]);
        if (table[i].why && strcmp(h.why, table[i].why)) fail_msg("%s: why \"%s\"", table[i].name, h.why);
        pthread_mutex_unlock(&h.lock);
        assert_null(response.ptr); /* original mode: one answer */
        if (rc) assert_null(ack.ptr);
        else assert_string_equal(said.reason, said.answer == SPD_ANSWER_AA ? "" : "because");
        spd_str_done(&ack);
        stop(&h);
    }
}

/* The answers of a pipeline come in order, each with its own control id. */
static void a_pipeline(void **state)
{
    struct host h;
    struct spd_str all = SPD_STR_INIT(1 << 20);
    char got[8192];
    size_t n = 0;
    int fd;
    const char *at;
    (void)state;
    start(&h);
    h.answer = SPD_ANSWER_AA;
    for (int i = 0; i < 20; i++)
        spd_str_addf(&all, "\x0bMSH|^~\\&|RIS|ZH|SPOED|ZH|20261123021000||ORM^O01|N%02d|P|2.3.1\rPID|1||ZZ1^^^ZH||ZZCANARY^T\r"
                           "ORC|NW|P%d|F%d||SC\rOBR|1|P%d|F%d|CTHERS^CT^L||||||||||||||A%d||||||CT\r\x1c\r", i, i, i, i, i, i);
    assert_int_equal(spd_net_connect("127.0.0.1", spd_door_hl7_port(h.door, 0), SPD_SEC(5), &fd, NULL), SPD_OK);
    assert_int_equal(send(fd, all.ptr, all.len, MSG_NOSIGNAL), (ssize_t)all.len);
    while (n < sizeof got - 1) {
        ssize_t k = recv(fd, got + n, sizeof got - 1 - n, 0);
        if (k <= 0) break;
        n += (size_t)k;
        got[n] = 0;
        if (strstr(got, "MSA|AA|N19")) break;
    }
    at = got;
    for (int i = 0; i < 20; i++) {
        char msa[24];
        snprintf(msa, sizeof msa, "MSA|AA|N%02d", i);
        at = strstr(at, msa);
        if (!at) fail_msg("answer %d is missing or out of order", i);
    }
    assert_int_equal(spd_door_hl7_stats(h.door).aa, 20);
    close(fd);
    spd_str_done(&all);
    stop(&h);
}

/* An order that asks for both answers has them one behind the other, several in flight, in the order of the orders;
 * in between stands what wants one, or comes from a peer that takes one. */
#define ASKING(facility, type, number, asks)                                                                         \
    "\x0bMSH|^~\\&|RIS|" facility "|SPOED|ZH|20261123021000||" type "|" number "|P|2.3.1|||" asks "\r"                 \
    "PID|1||ZZ0000001^^^ZH||ZZCANARY^Test\rORC|NW|P" number "|F" number "||SC\r"                                      \
    "OBR|1|||CTHERS^CT hersenen^L||||||||||||||A" number "||||||CT\r\x1c\r"
static void both_answers_in_order(void **state)
{
    static const char sent[] = ASKING("ZH", "ORM^O01", "1", "AL|AL") ASKING("ZH", "ORM^O01", "2", "AL|NE")
        ASKING("ZH", "ORM^O01", "3", "NE|AL") ASKING("ONE", "ORM^O01", "4", "AL|AL") ASKING("ORR", "ORM^O01", "5", "|")
        ASKING("ZH", "ORM^O01", "6", "|") ASKING("ZH", "ACK^O01", "7", "|") ASKING("ZH", "ORM^O01", "8", "SU|SU")
        ASKING("ZH", "ORM^O01", "9", "NE|NE") ASKING("ZH", "ORM^O01", "10", "AL|AL");
    static const char *const want[] = {"ACK CA 1", "ORR AA 1", "ACK CA 2", "ORR AA 3",  "ACK CA 4",  "ORR AA 5",
                                       "ACK AA 6", "ACK CA 8", "ORR AA 8", "ACK CA 10", "ORR AA 10"};
    enum { N = sizeof want / sizeof *want };
    struct host h;
    char got[16384];
    size_t n = 0, i = 0;
    int fd;
    (void)state;
    start(&h);
    h.answer = SPD_ANSWER_AA;
    assert_int_equal(spd_net_connect("127.0.0.1", spd_door_hl7_port(h.door, 0), SPD_SEC(5), &fd, NULL), SPD_OK);
    assert_int_equal(send(fd, sent, sizeof sent - 1, MSG_NOSIGNAL), (ssize_t)(sizeof sent - 1));
    shutdown(fd, SHUT_WR); /* all that is owed comes, and then the end */
    for (ssize_t k; n < sizeof got - 1 && (k = recv(fd, got + n, sizeof got - 1 - n, 0)) > 0;)
        n += (size_t)k;
    got[n] = 0;
    for (char *at = got, *end; (end = strstr(at, "\x1c\r")) && i <= N; at = end + 2, i++) {
        char said[64];
        *end = 0;
        assert_int_equal(*at, 0x0b);
        bool orr = strstr(at, "|ORR^O02|");
        snprintf(said, sizeof said, "%s %.2s %.*s", orr ? "ORR" : "ACK", strstr(at, "\rMSA|") + 5,
                 (int)strcspn(strstr(at, "\rMSA|") + 8, "\r"), strstr(at, "\rMSA|") + 8);
        if (i == N || strcmp(said, want[i])) fail_msg("answer %zu: %s", i, said);
        assert_true(orr == !!strstr(at, "\rORC|OK|P"));
    }
    assert_int_equal(i, N);
    assert_int_equal(spd_door_hl7_stats(h.door).aa, 8);
    assert_int_equal(spd_door_hl7_stats(h.door).silent, 2);
    close(fd);
    stop(&h);
}

/* Over HTTP the two stand apart; an order that can never be applied is answered by its parking. */
static void both_answers_handed_in(void **state)
{
    static const struct {
        const char *name;
        enum spd_rc rc;
        enum spd_answer answer;
        const char *ack, *response;
    } table[] = {{"taken", SPD_OK, SPD_ANSWER_AA, "\rMSA|CA|1\r", "\rORC|OK|P1|F1\r"},
                 {"turned down", SPD_OK, SPD_ANSWER_AR, "\rMSA|CA|1\r", "\rORC|UA|P1|F1|||||||||||||^because\r"},
                 {"parked", SPD_BUG, SPD_ANSWER_AA, "\rMSA|CA|1\r", "\rORC|OK|P1|F1\r"}};
    static const char framed[] = ASKING("ZH", "ORM^O01", "1", "AL|AL");
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct host h;
        struct spd_str ack = SPD_STR_INIT(4096), response = ack;
        struct spd_door_hl7_said said = {0};
        start(&h);
        h.rc = table[i].rc, h.answer = table[i].answer;
        assert_int_equal(spd_door_hl7_take(h.door, spd_sv_of(framed + 1, sizeof framed - 4), over_http, &h, &said, &ack,
                                           &response),
                         SPD_OK);
        if (!ack.len || !strstr(ack.ptr, table[i].ack) || !response.len || !strstr(response.ptr, table[i].response))
            fail_msg("%s: %s and %s", table[i].name, ack.ptr, response.ptr);
        spd_str_done(&ack), spd_str_done(&response);
        stop(&h);
    }
    /* and over MLLP, where the parking has an arena of its own */
    struct host h;
    char got[4096] = "";
    start(&h);
    h.rc = SPD_BUG, h.answer = SPD_ANSWER_AA;
    char one[sizeof framed];
    snprintf(one, sizeof one, "%.*s", (int)(sizeof framed - 4), framed + 1);
    memcpy(strstr(one, "AL|AL"), "NE|AL", 5);
    ask(&h, one, got, sizeof got);
    if (!strstr(got, "|ORR^O02|") || !strstr(got, "\rORC|OK|P1|F1\r")) fail_msg("parked: %s", got);
    stop(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(quirks_go_with_the_peer), cmocka_unit_test(handed_in), cmocka_unit_test(a_pipeline),
                                       cmocka_unit_test(both_answers_in_order), cmocka_unit_test(both_answers_handed_in)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
