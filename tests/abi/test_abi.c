/* tests/abi/test_abi.c: libspoed.so as a host sees it, against a server that answers well, badly, late or not:
 * every call, what it sends, what it gives back, and every error. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <time.h>

#include "fake_brain.h"
#include "spoed/spoed.h"

static struct fake_brain brain;
static char http[1 << 17];

static struct spoed *session_with(struct spoed_options o)
{
    struct spoed *s = NULL;
    o.socket_path = brain.path;
    if (!o.timeout_ms) o.timeout_ms = 5000;
    assert_int_equal(spoed_open(&o, &s, NULL), SPOED_OK);
    return s;
}

static struct spoed *session(void)
{
    struct spoed_options o = SPOED_OPTIONS_INIT;
    return session_with(o);
}

static void says(int status, const char *body)
{
    fake_says(&brain, fake_http(http, sizeof http, status, status == 200 ? "application/json" : "application/problem+json", body));
}

static void was_sent(const char *name, const char *what)
{
    pthread_mutex_lock(&brain.lock);
    if (!strstr(brain.got, what)) fail_msg("%s: not sent: %s\nbut:\n%s", name, what, brain.got);
    pthread_mutex_unlock(&brain.lock);
}

static void test_options(void **state)
{
    struct { struct spoed_options o; int64_t more; } newer = {SPOED_OPTIONS_INIT, 0};
    char longer[300];
    static const struct {
        const char *name;
        size_t size;
        const char *path, *token, *language;
        int connect_ms, ms;
        enum spoed_code code;
    } rows[] = {
        {"all usual", sizeof(struct spoed_options), NULL, NULL, NULL, 0, 0, SPOED_OK},
        {"all given", sizeof(struct spoed_options), "/tmp/x", "tok", "en", 1, 1, SPOED_OK},
        {"no size", 0, NULL, NULL, NULL, 0, 0, SPOED_INVALID},
        {"too small a size", sizeof(struct spoed_options) - 1, NULL, NULL, NULL, 0, 0, SPOED_INVALID},
        {"a size that is none", (size_t)-1, NULL, NULL, NULL, 0, 0, SPOED_INVALID},
        {"empty path", sizeof(struct spoed_options), "", NULL, NULL, 0, 0, SPOED_INVALID},
        {"line end in the token", sizeof(struct spoed_options), NULL, "a\r\nX: y", NULL, 0, 0, SPOED_INVALID},
        {"blank in the language", sizeof(struct spoed_options), NULL, NULL, "n l", 0, 0, SPOED_INVALID},
        {"negative time-out", sizeof(struct spoed_options), NULL, NULL, NULL, 0, -1, SPOED_INVALID},
        {"negative connect time-out", sizeof(struct spoed_options), NULL, NULL, NULL, -1, 0, SPOED_INVALID},
        {"time-out of a month", sizeof(struct spoed_options), NULL, NULL, NULL, 0, 2000000000, SPOED_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spoed_options o = {rows[i].size, rows[i].path, rows[i].token, rows[i].language, rows[i].connect_ms, rows[i].ms};
        struct spoed *s = NULL;
        struct spoed_error e = SPOED_ERROR_INIT;
        enum spoed_code code = spoed_open(&o, &s, &e);
        if (code != rows[i].code || (s != NULL) != (code == SPOED_OK) || e.code != code || !e.text[0] != !code)
            fail_msg("%s: %s", rows[i].name, spoed_code_name(code));
        spoed_close(s);
    }
    struct spoed *s = NULL;
    newer.o.size = sizeof newer;
    assert_int_equal(spoed_open(&newer.o, &s, NULL), SPOED_OK); /* a newer header, nothing new asked for */
    spoed_close(s), s = NULL;
    newer.more = 1;
    assert_int_equal(spoed_open(&newer.o, &s, NULL), SPOED_INVALID);
    assert_null(s);
    memset(longer, 'a', sizeof longer - 1), longer[sizeof longer - 1] = 0;
    struct spoed_options o = SPOED_OPTIONS_INIT;
    o.socket_path = longer;
    assert_int_equal(spoed_open(&o, &s, NULL), SPOED_INVALID);
    o.socket_path = NULL, o.token = longer;
    assert_int_equal(spoed_open(&o, &s, NULL), SPOED_INVALID);
    assert_int_equal(spoed_open(NULL, NULL, NULL), SPOED_INVALID);
    assert_int_equal(spoed_open(NULL, &s, NULL), SPOED_OK);
    spoed_close(s);
    spoed_close(NULL);
    assert_string_equal(spoed_version(), SPOED_WANT_VERSION);
    for (int c = -30; c < 10; c++) assert_non_null(spoed_code_name((enum spoed_code)c));
}

static void test_order(void **state)
{
    static const char hl7[] = "MSH|^~\\&|PACS|ZH|SPOED|ZH|20261123021000||ORM^O01|M1|P|2.3.1\rPID|1||ZZ1^^^ZH||ZZCANARY^T\r";
    struct spoed_order_answer a = SPOED_ORDER_ANSWER_INIT;
    struct spoed_options o = SPOED_OPTIONS_INIT;
    char ack[64] = "x", small[4] = "x";
    o.token = "tok", o.language = "nl";
    struct spoed *s = session_with(o);
    (void)state;
    says(200, FAKE_ORDER);
    a.ack = ack, a.ack_room = sizeof ack;
    assert_int_equal(spoed_submit_order(s, hl7, sizeof hl7 - 1, &a, NULL), SPOED_OK);
    was_sent("order", "POST /api/v1/messages/hl7 HTTP/1.0\r\n");
    was_sent("order", "Content-Type: application/hl7-v2\r\n");
    was_sent("order", "Authorization: Bearer tok\r\n");
    was_sent("order", "Accept-Language: nl\r\n");
    was_sent("order", hl7);
    assert_string_equal(a.answer, "AR");
    assert_string_equal(a.reason, "peer not configured");
    assert_int_equal(a.revision, 12);
    assert_string_equal(ack, "MSH|^~\\&|\rMSA|AR|M1\r");
    assert_int_equal(a.ack_size, strlen(ack));
    a.ack = small, a.ack_room = sizeof small;
    assert_int_equal(spoed_submit_order(s, hl7, sizeof hl7 - 1, &a, NULL), SPOED_OK);
    assert_string_equal(small, "");
    assert_int_equal(a.ack_size, strlen(ack));
    says(200, "{\"answer\":\"AA\",\"reason\":\"\",\"revision\":1,\"ack\":null}");
    a.ack = NULL;
    assert_int_equal(spoed_submit_order(s, hl7, sizeof hl7 - 1, &a, NULL), SPOED_OK);
    assert_int_equal(a.ack_size, 0);
    assert_int_equal(spoed_submit_order(s, hl7, 0, &a, NULL), SPOED_INVALID);
    assert_int_equal(spoed_submit_order(s, NULL, 5, &a, NULL), SPOED_INVALID);
    assert_int_equal(spoed_submit_order(s, hl7, 5, NULL, NULL), SPOED_INVALID);
    assert_int_equal(spoed_submit_order(NULL, hl7, 5, &a, NULL), SPOED_INVALID);
    assert_int_equal(spoed_submit_order(s, hl7, (4 << 20) + 1, &a, NULL), SPOED_TOO_LARGE); /* before it is read */
    a.size = 8;
    assert_int_equal(spoed_submit_order(s, hl7, 5, &a, NULL), SPOED_INVALID);
    spoed_close(s);
}

static void test_result(void **state)
{
    static const struct {
        const char *body;
        enum spoed_outcome outcome;
        int64_t id;
    } rows[] = {
        {FAKE_RESULT, SPOED_PARKED, 7},
        {"{\"outcome\":\"result\",\"reason\":\"\",\"id\":8,\"revision\":13}", SPOED_RESULT, 8},
        {"{\"outcome\":\"not_a_result\",\"reason\":\"dose\",\"id\":null,\"revision\":13}", SPOED_NOT_A_RESULT, 0},
        {"{\"outcome\":\"refused\",\"reason\":\"no DICOM\",\"id\":null,\"revision\":13}", SPOED_REFUSED, 0},
        {"{\"outcome\":\"of tomorrow\",\"revision\":13}", SPOED_OTHER, 0},
    };
    struct spoed *s = session();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spoed_result_answer a = SPOED_RESULT_ANSWER_INIT;
        says(200, rows[i].body);
        assert_int_equal(spoed_submit_result(s, "DICM", 4, "VENDOR 1", &a, NULL), SPOED_OK);
        assert_int_equal(a.outcome, rows[i].outcome);
        assert_int_equal(a.id, rows[i].id);
        assert_int_equal(a.revision, 13);
    }
    was_sent("result", "POST /api/v1/instances?ae_title=VENDOR%201 HTTP/1.0\r\n");
    was_sent("result", "Content-Type: application/dicom\r\n");
    struct spoed_result_answer a = SPOED_RESULT_ANSWER_INIT;
    assert_int_equal(spoed_submit_result(s, "DICM", 4, NULL, &a, NULL), SPOED_OK);
    was_sent("result", "POST /api/v1/instances HTTP/1.0\r\n");
    assert_int_equal(spoed_submit_result(s, "DICM", 4, "12345678901234567", &a, NULL), SPOED_INVALID);
    assert_int_equal(spoed_submit_result(s, "DICM", 4, NULL, NULL, NULL), SPOED_INVALID);
    spoed_close(s);
}

static void test_study(void **state)
{
    static const char *const uids[] = {"1.2.3.1", "1.2.3.2"};
    static const char *const gap[] = {"1.2.3.1", NULL};
    struct spoed_study e = SPOED_STUDY_INIT;
    struct spoed *s = session();
    int64_t revision = 0;
    (void)state;
    says(200, FAKE_DONE);
    e.study_uid = "1.2.3";
    assert_int_equal(spoed_announce_study(s, &e, &revision, NULL), SPOED_OK);
    assert_int_equal(revision, 14);
    was_sent("least", "\r\n\r\n{\"type\":\"study_arrived\",\"study_uid\":\"1.2.3\"}");
    e.accession = "A\"1", e.accession_issuer = "ZH", e.patient_id = "ZZ1", e.patient_authority = "ZH";
    e.instances = uids, e.n_instances = 2, e.at = 1763978400250000, e.complete = 1;
    assert_int_equal(spoed_announce_study(s, &e, NULL, NULL), SPOED_OK);
    was_sent("all", "{\"type\":\"study_complete\",\"study_uid\":\"1.2.3\",\"accession\":{\"value\":\"A\\\"1\",\"issuer\":\"ZH\"},"
                    "\"patient_ids\":[{\"value\":\"ZZ1\",\"authority\":\"ZH\"}],\"instances\":[\"1.2.3.1\",\"1.2.3.2\"],"
                    "\"at\":\"2025-11-24T10:00:00.250000Z\"}");
    e.instances = NULL, e.n_instances = 40, e.at = 1709164799000000; /* the end of 28 February of a leap year */
    assert_int_equal(spoed_announce_study(s, &e, NULL, NULL), SPOED_OK);
    was_sent("number", "\"instances\":40,\"at\":\"2024-02-28T23:59:59.000000Z\"}");
    e.instances = gap, e.n_instances = 2;
    assert_int_equal(spoed_announce_study(s, &e, NULL, NULL), SPOED_INVALID);
    e.instances = NULL, e.at = -1;
    assert_int_equal(spoed_announce_study(s, &e, NULL, NULL), SPOED_INVALID);
    e.at = 0, e.patient_id = "\xff";
    assert_int_equal(spoed_announce_study(s, &e, NULL, NULL), SPOED_INVALID);
    e.patient_id = NULL, e.study_uid = NULL;
    assert_int_equal(spoed_announce_study(s, &e, NULL, NULL), SPOED_INVALID);
    assert_int_equal(spoed_announce_study(s, NULL, NULL, NULL), SPOED_INVALID);
    const char **many = calloc(200000, sizeof *many);
    for (int i = 0; i < 200000; i++) many[i] = "1.2.3.4.5.6";
    e.study_uid = "1.2.3", e.instances = many, e.n_instances = 200000;
    assert_int_equal(spoed_announce_study(s, &e, NULL, NULL), SPOED_TOO_LARGE);
    free(many);
    spoed_close(s);
}

static void test_list(void **state)
{
    struct spoed_query q = SPOED_QUERY_INIT;
    struct spoed_list *l = NULL;
    struct spoed *s = session();
    (void)state;
    says(200, FAKE_LIST);
    q.status = "arrived,final", q.modality = "CT", q.location = "SEH 1", q.after = "r1.2", q.limit = 5, q.at_least = 41;
    assert_int_equal(spoed_list_open(s, &q, &l, NULL), SPOED_OK);
    was_sent("list", "GET /api/v1/worklist?status=arrived%2Cfinal&modality=CT&location=SEH%201&after=r1.2&limit=5&at_least=41 HTTP/1.0\r\n");
    spoed_close(s); /* a list outlives its session */
    assert_int_equal(spoed_list_count(l), 2);
    assert_int_equal(spoed_list_revision(l), 41);
    assert_true(spoed_list_complete(l));
    assert_string_equal(spoed_list_next(l), "r1.2.3.4");
    assert_int_equal(spoed_list_id(l, 0), 5);
    assert_int_equal(spoed_list_rank(l, 0), 1);
    assert_string_equal(spoed_list_level(l, 0), "critical");
    assert_string_equal(spoed_list_status(l, 0), "in_progress");
    assert_true(spoed_list_due(l, 0) == 1795400100250000);
    assert_true(spoed_list_arrived(l, 0) == 1795399200000000);
    assert_string_equal(spoed_list_accession(l, 0), "A5");
    assert_string_equal(spoed_list_accession_issuer(l, 0), "ZH");
    assert_string_equal(spoed_list_patient_id(l, 0), "ZZ5");
    assert_string_equal(spoed_list_patient_authority(l, 0), "ZH");
    assert_string_equal(spoed_list_modality(l, 0), "CT");
    assert_string_equal(spoed_list_reader(l, 0), "smit");
    assert_int_equal(spoed_list_study_count(l, 0), 2);
    assert_string_equal(spoed_list_study_uid(l, 0, 1), "1.2.4");
    assert_string_equal(spoed_list_study_uid(l, 0, 2), "");
    assert_int_equal(spoed_list_reason_count(l, 0), 2);
    assert_string_equal(spoed_list_reason(l, 0, 0), "AI: bloeding");
    assert_string_equal(spoed_list_reason(l, 0, 2), "");
    assert_non_null(strstr(spoed_list_json(l), "ZZCANARY"));
    for (size_t i = 1; i < 4; i++) { /* nothing said, and beyond the end */
        assert_int_equal(spoed_list_id(l, i), i == 1 ? 6 : 0);
        assert_int_equal(spoed_list_rank(l, i), 0);
        assert_true(spoed_list_due(l, i) == 0 && spoed_list_arrived(l, i) == 0);
        assert_string_equal(spoed_list_accession(l, i), "");
        assert_string_equal(spoed_list_patient_id(l, i), "");
        assert_string_equal(spoed_list_reader(l, i), "");
        assert_int_equal(spoed_list_study_count(l, i) + spoed_list_reason_count(l, i), 0);
        assert_string_equal(spoed_list_reason(l, i, 0), "");
    }
    spoed_list_free(l);
    assert_int_equal(spoed_list_count(NULL), 0);
    assert_string_equal(spoed_list_next(NULL), "");
    assert_string_equal(spoed_list_level(NULL, 0), "");
    spoed_list_free(NULL);
}

static void test_query(void **state)
{
    struct spoed *s = session();
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct spoed_query q = SPOED_QUERY_INIT;
        struct spoed_list *l = NULL;
        char longer[5000];
        memset(longer, 'a', sizeof longer - 1), longer[sizeof longer - 1] = 0;
        if (i == 0) q.limit = -1;
        if (i == 1) q.limit = 5001;
        if (i == 2) q.at_least = -1;
        if (i == 3) q.size = 1;
        if (i == 4) q.after = longer;
        assert_int_equal(spoed_list_open(s, &q, i == 5 ? NULL : &l, NULL), i == 4 ? SPOED_TOO_LARGE : SPOED_INVALID);
        assert_null(l);
    }
    spoed_close(s);
}

static void test_claim(void **state)
{
    struct spoed_error e = SPOED_ERROR_INIT;
    struct spoed *s = session();
    int64_t revision = 0;
    (void)state;
    says(200, FAKE_DONE);
    assert_int_equal(spoed_claim(s, 5, &revision, &e), SPOED_OK);
    was_sent("claim", "POST /api/v1/items/5/claim HTTP/1.0\r\n");
    was_sent("claim", "\r\n\r\n{}");
    assert_int_equal(spoed_release(s, 5, NULL, NULL), SPOED_OK);
    was_sent("release", "POST /api/v1/items/5/release HTTP/1.0\r\n");
    assert_int_equal(revision, 14);
    assert_int_equal(spoed_claim(s, 0, &revision, &e), SPOED_INVALID);
    says(409, "{\"status\":409,\"code\":\"conflict\",\"detail\":\"Een ander leest dit.\",\"holder\":\"bakker\",\"reason\":\"claimed\"}");
    revision = 3;
    assert_int_equal(spoed_claim(s, 5, &revision, &e), SPOED_CONFLICT);
    assert_int_equal(revision, 3); /* untouched */
    assert_int_equal(e.code, SPOED_CONFLICT);
    assert_int_equal(e.http_status, 409);
    assert_string_equal(e.holder, "bakker");
    assert_string_equal(e.reason, "claimed");
    assert_string_equal(e.text, "Een ander leest dit.");
    spoed_close(s);
}

static void test_errors(void **state)
{
    static char deep[2000], big[400000];
    static const char head[] = "HTTP/1.0 200 OK\r\n\r\n";
    memset(deep, '[', sizeof deep - 1), memcpy(deep, "HTTP/1.0 200 OK\r\n\r\n{\"a\":", 24);
    memset(big, ' ', sizeof big - 1), memcpy(big, head, sizeof head - 1);
    static const struct {
        const char *name;
        int status;       /* with an empty problem; 0: answer as it stands */
        const char *answer;
        enum spoed_code code;
    } rows[] = {
        {"400", 400, NULL, SPOED_INVALID},        {"401", 401, NULL, SPOED_DENIED},
        {"403", 403, NULL, SPOED_DENIED},         {"404", 404, NULL, SPOED_NOT_FOUND},
        {"405", 405, NULL, SPOED_PROTOCOL},       {"409", 409, NULL, SPOED_CONFLICT},
        {"412", 412, NULL, SPOED_CONFLICT},       {"413", 413, NULL, SPOED_TOO_LARGE},
        {"415", 415, NULL, SPOED_INVALID},        {"422", 422, NULL, SPOED_INVALID},
        {"428", 428, NULL, SPOED_CONFLICT},       {"429", 429, NULL, SPOED_BUSY},
        {"431", 431, NULL, SPOED_INVALID},        {"500", 500, NULL, SPOED_FAILED},
        {"503", 503, NULL, SPOED_BUSY},           {"507", 507, NULL, SPOED_NOT_COMMITTED},
        {"302", 302, NULL, SPOED_PROTOCOL},       {"304", 304, NULL, SPOED_PROTOCOL},
        {"an answer cut off", 0, "HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\n{\"revision\":", SPOED_UNCERTAIN},
        {"closed at once", 0, "", SPOED_UNCERTAIN},
        {"no HTTP", 0, "220 mail.example ESMTP\r\n\r\n", SPOED_PROTOCOL},
        {"half a head", 0, "HTTP/1.0 200 OK\r\nContent-", SPOED_PROTOCOL},
        {"no JSON", 0, "HTTP/1.0 200 OK\r\n\r\nhello", SPOED_PROTOCOL},
        {"no body", 0, "HTTP/1.0 200 OK\r\n\r\n", SPOED_PROTOCOL},
        {"half JSON", 0, "HTTP/1.0 200 OK\r\n\r\n{\"revision\":", SPOED_PROTOCOL},
        {"no object", 0, "HTTP/1.0 200 OK\r\n\r\n[]", SPOED_PROTOCOL},
        {"JSON that is no UTF-8", 0, "HTTP/1.0 200 OK\r\n\r\n{\"answer\":\"\xff\"}", SPOED_PROTOCOL},
        {"deep JSON", 0, deep, SPOED_PROTOCOL},
        {"far too much", 0, big, SPOED_TOO_LARGE},
        {"a problem that is none", 0, "HTTP/1.0 503 Busy\r\n\r\n<html>", SPOED_BUSY},
    };
    struct spoed *s = session();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spoed_error e = SPOED_ERROR_INIT;
        struct spoed_order_answer a = SPOED_ORDER_ANSWER_INIT;
        int64_t revision = -7;
        struct spoed_study st = SPOED_STUDY_INIT;
        st.study_uid = "1.2";
        if (rows[i].status)
            says(rows[i].status, "{}");
        else
            fake_says(&brain, rows[i].answer);
        enum spoed_code code = spoed_submit_order(s, "MSH", 3, &a, &e);
        if (code != rows[i].code || e.code != code) fail_msg("%s: %s, %s", rows[i].name, spoed_code_name(code), e.text);
        if (a.answer[0] || a.revision) fail_msg("%s: the answer was touched", rows[i].name);
        if (e.http_status != (rows[i].status ? rows[i].status : i + 1 == sizeof rows / sizeof *rows ? 503 : 0))
            fail_msg("%s: status %d", rows[i].name, e.http_status);
        assert_int_equal(spoed_announce_study(s, &st, &revision, NULL), rows[i].code);
        assert_int_equal(spoed_release(s, 1, &revision, NULL), rows[i].code);
        assert_int_equal(revision, -7);
    }
    spoed_close(s);
}

static void test_list_answers(void **state)
{
    static const char *const rows[] = {"{\"revision\":1}", "{\"items\":[]}", "{\"revision\":1,\"items\":{}}",
                                       "{\"revision\":1,\"items\":[4]}", "{\"revision\":\"1\",\"items\":[]}"};
    struct spoed *s = session();
    struct spoed_list *l = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        says(200, rows[i]);
        assert_int_equal(spoed_list_open(s, NULL, &l, NULL), SPOED_PROTOCOL);
        assert_null(l);
    }
    says(200, "{\"revision\":1,\"items\":[{\"id\":\"5\",\"due\":\"soon\",\"patient\":[],\"reasons\":{},\"level\":3}]}");
    assert_int_equal(spoed_list_open(s, NULL, &l, NULL), SPOED_OK); /* members of another type count as not said */
    assert_int_equal(spoed_list_id(l, 0), 0);
    assert_true(spoed_list_due(l, 0) == 0);
    assert_string_equal(spoed_list_patient_id(l, 0), "");
    assert_string_equal(spoed_list_level(l, 0), "");
    assert_int_equal(spoed_list_reason_count(l, 0), 0);
    assert_false(spoed_list_complete(l));
    spoed_list_free(l);
    spoed_close(s);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_time_outs(void **state)
{
    struct spoed_options o = SPOED_OPTIONS_INIT;
    struct spoed_list *l = NULL;
    struct spoed_stream *st = NULL;
    struct spoed *s;
    double start = seconds();
    (void)state;
    o.timeout_ms = 100;
    s = session_with(o);
    fake_says(&brain, NULL); /* takes the request and says nothing */
    assert_int_equal(spoed_list_open(s, NULL, &l, NULL), SPOED_UNCERTAIN);
    assert_int_equal(spoed_claim(s, 1, NULL, NULL), SPOED_UNCERTAIN);
    assert_int_equal(spoed_subscribe(s, 0, &st, NULL), SPOED_UNCERTAIN);
    fake_says(&brain, "HTTP/1.0 200 OK\r\nContent-Length: 20\r\n\r\n{\"rev");
    pthread_mutex_lock(&brain.lock);
    brain.hold = true; /* half an answer, and then nothing */
    pthread_mutex_unlock(&brain.lock);
    assert_int_equal(spoed_claim(s, 1, NULL, NULL), SPOED_UNCERTAIN);
    if (seconds() - start > 3) fail_msg("time-outs of 0.1 s took %.1f s", seconds() - start);
    spoed_close(s);
    o.socket_path = "/tmp/spoed-abi-nobody.sock", s = NULL;
    assert_int_equal(spoed_open(&o, &s, NULL), SPOED_OK);
    assert_int_equal(spoed_list_open(s, NULL, &l, NULL), SPOED_UNREACHABLE);
    assert_int_equal(spoed_subscribe(s, 0, &st, NULL), SPOED_UNREACHABLE);
    assert_null(l), assert_null(st);
    spoed_close(s);
}

static bool readable(struct spoed_stream *st, int ms)
{
    struct pollfd p = {spoed_stream_fd(st), POLLIN, 0};
    return poll(&p, 1, ms) == 1;
}

static enum spoed_code wait_next(struct spoed_stream *st, struct spoed_event *e)
{
    enum spoed_code code;
    while ((code = spoed_next(st, e)) == SPOED_AGAIN)
        if (!readable(st, 3000)) return SPOED_AGAIN;
    return code;
}

static void expect_event(struct spoed_stream *st, enum spoed_kind kind, int64_t id, int64_t revision, int64_t place)
{
    struct spoed_event e = SPOED_EVENT_INIT;
    assert_int_equal(wait_next(st, &e), SPOED_OK);
    assert_int_equal(e.kind, kind);
    assert_int_equal(e.id, id);
    assert_int_equal(e.revision, revision);
    assert_int_equal(spoed_stream_place(st), place);
}

static void test_stream(void **state)
{
    struct spoed_event e = SPOED_EVENT_INIT;
    struct spoed *s = session();
    (void)state;
    for (int piece = 0; piece < 8; piece++) {
        struct spoed_stream *st = NULL;
        fake_says(&brain, FAKE_STREAM);
        pthread_mutex_lock(&brain.lock);
        brain.piece = piece, brain.hold = true;
        pthread_mutex_unlock(&brain.lock);
        assert_int_equal(spoed_subscribe(s, piece ? 39 : 0, &st, NULL), SPOED_OK);
        was_sent("stream", piece ? "GET /api/v1/stream?last_event_id=39 HTTP/1.0\r\n" : "GET /api/v1/stream HTTP/1.0\r\n");
        was_sent("stream", "Accept: text/event-stream\r\n");
        expect_event(st, SPOED_KIND_RESET, 0, 40, 40);
        expect_event(st, SPOED_KIND_ITEM, 5, 41, 40); /* its revision is not whole yet */
        expect_event(st, SPOED_KIND_ALERT, 9, 41, 41);
        assert_int_equal(spoed_next(st, &e), SPOED_AGAIN);
        assert_true(e.size == sizeof e && e.kind == SPOED_KIND_OTHER && !e.id && !e.revision); /* untouched */
        assert_false(readable(st, 0));
        assert_int_equal(spoed_next(st, NULL), SPOED_INVALID);
        spoed_unsubscribe(st);
    }
    spoed_close(s);
    spoed_unsubscribe(NULL);
}

static void test_stream_ends(void **state)
{
    static char longline[5000];
    static const struct {
        const char *name, *text;
        enum spoed_kind kind; /* of the one event; 0: none */
        int64_t id;
    } rows[] = {
        {"nothing", "", 0, 0},
        {"half an event", "event: item\ndata: {\"id\":5", 0, 0},
        {"an event without its empty line", "event: item\ndata: {\"id\":5,\"revision\":6}\n", 0, 0},
        {"line ends of the other kind", "event: item\r\ndata: {\"id\": 5 , \"revision\":6}\r\n\r\n", SPOED_KIND_ITEM, 5},
        {"line ends of the third kind", "event: item\rdata: {\"id\":5}\r\r", SPOED_KIND_ITEM, 5},
        {"a kind of tomorrow", "event: telepathy\ndata: {\"id\":5}\n\n", SPOED_KIND_OTHER, 5},
        {"a kind that is too long", "event: telepathy-of-the-day-after\ndata: {\"id\":5}\n\n", SPOED_KIND_OTHER, 5},
        {"no number", "event: alarm\ndata: {\"id\":null,\"revision\":\"x\"}\nid: -4\n\n", SPOED_KIND_ALARM, 0},
        {"a number that is too long", "event: alarm\ndata: {\"id\":99999999999999999999}\nid: 99999999999999999999\n\n", SPOED_KIND_ALARM, 0},
        {"a field that is none", "event: health\nfoo: bar\nfoo\n:\n\n", SPOED_KIND_HEALTH, 0},
        {"a line that is too long", longline, SPOED_KIND_ITEM, 5},
    };
    struct spoed *s = session();
    (void)state;
    memset(longline, 'x', 4000), memcpy(longline, "data: ", 6);
    snprintf(longline + 4000, 900, "\nevent: item\ndata: {\"id\":5}\n\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spoed_stream *st = NULL;
        struct spoed_event e = SPOED_EVENT_INIT;
        snprintf(http, sizeof http, FAKE_STREAM_HEAD "%s", rows[i].text);
        fake_says(&brain, http);
        assert_int_equal(spoed_subscribe(s, 0, &st, NULL), SPOED_OK);
        enum spoed_code code = wait_next(st, &e);
        if (code != (rows[i].kind ? SPOED_OK : SPOED_END)) fail_msg("%s: %s", rows[i].name, spoed_code_name(code));
        if (rows[i].kind && (e.kind != rows[i].kind || e.id != rows[i].id))
            fail_msg("%s: kind %d, id %lld", rows[i].name, (int)e.kind, (long long)e.id);
        assert_int_equal(wait_next(st, &e), SPOED_END); /* and it stays so */
        assert_int_equal(wait_next(st, &e), SPOED_END);
        assert_int_equal(spoed_stream_place(st), 0);
        spoed_unsubscribe(st);
    }
    spoed_close(s);
}

static void test_no_stream(void **state)
{
    static char endless[40000];
    static const struct {
        const char *name, *answer;
        enum spoed_code code;
        const char *text;
    } rows[] = {
        {"denied", "HTTP/1.0 401 X\r\n\r\n{\"code\":\"login_needed\",\"detail\":\"Log in first.\"}", SPOED_DENIED, "Log in first."},
        {"too many streams", "HTTP/1.0 503 X\r\n\r\n{}", SPOED_BUSY, ""},
        {"chunked", "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n", SPOED_PROTOCOL, NULL},
        {"no HTTP", "hello\r\n\r\n", SPOED_PROTOCOL, NULL},
        {"an endless head", endless, SPOED_PROTOCOL, NULL},
        {"closed at once", "", SPOED_UNCERTAIN, NULL},
        {"closed within the head", "HTTP/1.0 200 OK\r\nContent-", SPOED_UNCERTAIN, NULL},
    };
    struct spoed *s = session();
    struct spoed_stream *st = NULL;
    (void)state;
    memset(endless, 'x', sizeof endless - 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spoed_error e = SPOED_ERROR_INIT;
        fake_says(&brain, rows[i].answer);
        enum spoed_code code = spoed_subscribe(s, 0, &st, &e);
        if (code != rows[i].code || st) fail_msg("%s: %s, %s", rows[i].name, spoed_code_name(code), e.text);
        if (rows[i].text && strcmp(e.text, rows[i].text)) fail_msg("%s: %s", rows[i].name, e.text);
    }
    assert_int_equal(spoed_subscribe(s, -1, &st, NULL), SPOED_INVALID);
    assert_int_equal(spoed_subscribe(s, 0, NULL, NULL), SPOED_INVALID);
    spoed_close(s);
}

static void *claims(void *arg)
{
    int ok = 0;
    for (int i = 0; i < 50; i++) {
        int64_t revision = 0;
        ok += spoed_claim(arg, i + 1, &revision, NULL) == SPOED_OK && revision == 14;
    }
    return ok == 50 ? arg : NULL;
}

static void test_threads(void **state)
{
    struct spoed *s = session();
    pthread_t t[8];
    (void)state;
    says(200, FAKE_DONE);
    for (int i = 0; i < 8; i++) assert_int_equal(pthread_create(&t[i], NULL, claims, s), 0);
    for (int i = 0; i < 8; i++) {
        void *ret = NULL;
        pthread_join(t[i], &ret);
        assert_ptr_equal(ret, s);
    }
    spoed_close(s);
}

static int descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

static int open_before;

static int setup(void **state)
{
    (void)state;
    if (fake_start(&brain)) return -1;
    open_before = descriptors();
    return 0;
}

static void test_no_descriptor_is_left(void **state)
{
    (void)state;
    usleep(50000); /* the fake's own end of the last connection */
    assert_int_equal(descriptors(), open_before);
}

static int teardown(void **state)
{
    (void)state;
    fake_stop(&brain);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),      cmocka_unit_test(test_order),
        cmocka_unit_test(test_result),       cmocka_unit_test(test_study),
        cmocka_unit_test(test_list),         cmocka_unit_test(test_query),
        cmocka_unit_test(test_claim),        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_list_answers), cmocka_unit_test(test_time_outs),
        cmocka_unit_test(test_stream),       cmocka_unit_test(test_stream_ends),
        cmocka_unit_test(test_no_stream),    cmocka_unit_test(test_threads),
        cmocka_unit_test(test_no_descriptor_is_left),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
