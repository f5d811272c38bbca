/* tests/abi/test_memory.c: every call of libspoed with its first, second, third … allocation failing, until it
 * succeeds: each failure says SPOED_NO_MEMORY, nothing is lost, nothing crashes, outputs stay as they were.
 *
 * Not the shared object: its objects are linked here with malloc and free wrapped by the linker. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_brain.h"
#include "spoed/spoed.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static _Thread_local bool armed; /* this thread is in a call of the library */
static long left, living;        /* until the failure; taken and not given back */
static bool failed;

static bool fails(void)
{
    if (!armed || --left) return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t n)
{
    if (fails()) return NULL;
    living += armed;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    if (fails()) return NULL;
    living += armed;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    if (fails()) return NULL;
    living += armed && !p;
    return __real_realloc(p, n);
}

void __wrap_free(void *p)
{
    living -= armed && p;
    __real_free(p);
}

static struct fake_brain brain;
static char http[8192];
static struct spoed *session;

static enum spoed_code do_open(struct spoed_error *e)
{
    struct spoed_options o = SPOED_OPTIONS_INIT;
    struct spoed *s = NULL;
    o.token = "tok";
    enum spoed_code code = spoed_open(&o, &s, e);
    assert_true((s != NULL) == !code);
    spoed_close(s);
    return code;
}

static enum spoed_code do_order(struct spoed_error *e)
{
    struct spoed_order_answer a = SPOED_ORDER_ANSWER_INIT;
    char ack[100] = "x";
    a.ack = ack, a.ack_room = sizeof ack;
    enum spoed_code code = spoed_submit_order(session, "MSH", 3, &a, e);
    assert_true((a.revision == 12) == !code && (ack[0] == 'x') == (code != SPOED_OK));
    return code;
}

static enum spoed_code do_result(struct spoed_error *e)
{
    struct spoed_result_answer a = SPOED_RESULT_ANSWER_INIT;
    enum spoed_code code = spoed_submit_result(session, "DICM", 4, "VENDOR1", &a, e);
    assert_true((a.id == 7) == !code);
    return code;
}

static enum spoed_code do_study(struct spoed_error *e)
{
    static const char *const uids[] = {"1.2.3.4.5.6.7.8.9", "1.2.3.4.5.6.7.8.10", "1.2.3.4.5.6.7.8.11"};
    struct spoed_study st = SPOED_STUDY_INIT;
    int64_t revision = 0;
    st.study_uid = "1.2.3", st.accession = "A1", st.patient_id = "ZZ1", st.instances = uids, st.n_instances = 3;
    enum spoed_code code = spoed_announce_study(session, &st, &revision, e);
    assert_true((revision == 14) == !code);
    return code;
}

static enum spoed_code do_list(struct spoed_error *e)
{
    struct spoed_query q = SPOED_QUERY_INIT;
    struct spoed_list *l = NULL;
    q.status = "arrived,in_progress,final", q.modality = "CT,MR", q.limit = 100;
    enum spoed_code code = spoed_list_open(session, &q, &l, e);
    assert_true((l != NULL) == !code);
    if (l) assert_string_equal(spoed_list_reason(l, 0, 0), "AI: bloeding");
    spoed_list_free(l);
    return code;
}

static enum spoed_code do_claim(struct spoed_error *e)
{
    return spoed_claim(session, 5, NULL, e);
}

static enum spoed_code do_stream(struct spoed_error *e)
{
    struct spoed_stream *st = NULL;
    struct spoed_event ev = SPOED_EVENT_INIT;
    struct pollfd p = {-1, POLLIN, 0};
    enum spoed_code code = spoed_subscribe(session, 39, &st, e);
    assert_true((st != NULL) == !code);
    if (st) p.fd = spoed_stream_fd(st);
    while (st && spoed_next(st, &ev) == SPOED_AGAIN) assert_int_equal(poll(&p, 1, 3000), 1);
    spoed_unsubscribe(st);
    return code;
}

static enum spoed_code do_conflict(struct spoed_error *e)
{
    enum spoed_code code = spoed_claim(session, 5, NULL, e);
    return code == SPOED_CONFLICT ? SPOED_OK : code; /* what was meant */
}

static enum spoed_code do_refused_stream(struct spoed_error *e)
{
    struct spoed_stream *st = NULL;
    enum spoed_code code = spoed_subscribe(session, 0, &st, e);
    assert_null(st);
    return code == SPOED_BUSY ? SPOED_OK : code;
}

static const struct {
    const char *name;
    enum spoed_code (*run)(struct spoed_error *e);
    int status;
    const char *body;
    bool silent; /* the allocations of a problem's text: without memory it has none */
    long least;  /* allocations that there must be, so that the sweep is one */
} calls[] = {
    {"open", do_open, 200, "", false, 1},
    {"order", do_order, 200, FAKE_ORDER, false, 6},
    {"result", do_result, 200, FAKE_RESULT, false, 6},
    {"study", do_study, 200, FAKE_DONE, false, 6},
    {"list", do_list, 200, FAKE_LIST, false, 8},
    {"claim", do_claim, 200, FAKE_DONE, false, 5},
    {"stream", do_stream, 200, NULL, false, 2},
    {"conflict", do_conflict, 409, "{\"code\":\"conflict\",\"detail\":\"x\",\"holder\":\"bakker\"}", true, 5},
    {"no stream", do_refused_stream, 503, "{\"code\":\"busy\",\"detail\":\"x\"}", true, 4},
};

static void sweep(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        long n = 0, said = 0;
        fake_says(&brain, calls[i].body ? fake_http(http, sizeof http, calls[i].status, "application/json", calls[i].body) : FAKE_STREAM);
        do {
            struct spoed_error e = SPOED_ERROR_INIT;
            left = ++n, failed = false, living = 0;
            armed = true;
            enum spoed_code code = calls[i].run(&e);
            armed = false;
            if (living) fail_msg("%s: %ld blocks are left when the %ldth fails", calls[i].name, living, n);
            if (failed && code != SPOED_NO_MEMORY && !(calls[i].silent && !code))
                fail_msg("%s: %s when the %ldth fails", calls[i].name, spoed_code_name(code), n);
            if (!failed && code) fail_msg("%s: %s without any failure", calls[i].name, spoed_code_name(code));
            said += failed && code == SPOED_NO_MEMORY && e.code == SPOED_NO_MEMORY;
        } while (failed);
        print_message("%s: %ld allocations, each failed once\n", calls[i].name, n - 1);
        if (n - 1 < calls[i].least) fail_msg("%s: only %ld allocations were seen", calls[i].name, n - 1);
        if (!said) fail_msg("%s: never said that memory is short", calls[i].name);
    }
}

static int setup(void **state)
{
    struct spoed_options o = SPOED_OPTIONS_INIT;
    (void)state;
    if (fake_start(&brain)) return -1;
    o.socket_path = brain.path;
    return spoed_open(&o, &session, NULL) == SPOED_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    spoed_close(session);
    fake_stop(&brain);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sweep)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
