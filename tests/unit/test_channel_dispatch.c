/* tests/unit/test_channel_dispatch.c: the workers, with a writer made here and a pager that misbehaves. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>

#include "channel/dispatch.h"
#include "fakes/peer.h"

enum { ROWS = 12 };

struct writer { /* keeps rows as the core would: claims by due, back-off of 100 ms */
    pthread_mutex_t mutex;
    struct spd_outbox rows[ROWS];
    size_t n;
    int outcomes[SPD_OUTCOME_N], claims;
    enum spd_rc refuse; /* what calls return while set */
};

static spd_usec now(void *self)
{
    (void)self;
    return spd_clock_now();
}

static enum spd_rc take(struct writer *w, const struct spd_event *e, struct spd_receipt *r)
{
    w->claims += e->type == SPD_EVENT_CLAIM;
    for (size_t i = 0; i < w->n; i++) {
        struct spd_outbox *row = &w->rows[i];
        if (e->type == SPD_EVENT_CLAIM) {
            if (row->state != SPD_OUTBOX_QUEUED || row->due > e->at ||
                !spd_sv_eq(row->destination, e->u.claim->destination))
                continue;
            row->state = SPD_OUTBOX_SENDING;
            row->attempts++;
            row->lease_until = e->at + e->u.claim->lease;
            r->claimed = row;
            r->n_claimed = 1;
            return SPD_OK;
        }
        if (row->id != e->u.outcome->outbox) continue;
        assert_int_equal(row->state, SPD_OUTBOX_SENDING);
        assert_int_equal(row->lease_until, e->u.outcome->lease_until);
        w->outcomes[e->u.outcome->outcome]++;
        bool again = e->u.outcome->outcome == SPD_OUTCOME_TEMPORARY || e->u.outcome->outcome == SPD_OUTCOME_UNKNOWN;
        row->state = again ? SPD_OUTBOX_QUEUED : SPD_OUTBOX_DONE;
        row->due = e->at + 100000;
    }
    return SPD_OK;
}

static enum spd_rc call(void *self, const struct spd_event *e, void (*copy)(void *, const struct spd_receipt *),
                        void *ctx)
{
    struct writer *w = self;
    struct spd_receipt r = {.rc = SPD_OK};
    enum spd_rc rc;
    pthread_mutex_lock(&w->mutex);
    rc = w->refuse ? w->refuse : take(w, e, &r);
    if (!rc && copy) copy(ctx, &r);
    pthread_mutex_unlock(&w->mutex);
    return rc;
}

static const struct spd_dispatch_ops ops = {call, now};

static void add(struct writer *w, const char *destination)
{
    struct spd_outbox row = {.id = (int64_t)w->n + 1, .destination = spd_sv_from(destination),
                             .kind = SPD_OUTBOX_PAGE, .state = SPD_OUTBOX_QUEUED, .control_id = SPD_SV("PX"),
                             .to = SPD_SV("smit"),
                             .payload = SPD_SV("{\"page_id\":\"PX\",\"repeat\":false,\"text\":\"ZZCANARY^Test 4711\"}")};
    pthread_mutex_lock(&w->mutex);
    w->rows[w->n++] = row;
    pthread_mutex_unlock(&w->mutex);
}

static int count(struct writer *w, enum spd_outcome o)
{
    pthread_mutex_lock(&w->mutex);
    int n = w->outcomes[o];
    pthread_mutex_unlock(&w->mutex);
    return n;
}

static enum spd_outbox_state state_of(struct writer *w, size_t row)
{
    pthread_mutex_lock(&w->mutex);
    enum spd_outbox_state s = (enum spd_outbox_state)w->rows[row].state;
    pthread_mutex_unlock(&w->mutex);
    return s;
}

static bool reaches(struct writer *w, enum spd_outcome o, int want, int ms)
{
    for (int i = 0; i < ms / 10 && count(w, o) < want; i++) usleep(10000);
    return count(w, o) >= want;
}

static struct peer pager;
static char url[64];

static struct spd_channel_config channel(const char *name, const char *mode)
{
    snprintf(url, sizeof url, "http://127.0.0.1:%d/page", pager.port);
    return (struct spd_channel_config){.name = spd_sv_from(name), .type = SPD_SV("webhook"), .mode = spd_sv_from(mode),
                                       .to = spd_sv_from(url), .connect_timeout = 300000, .total_timeout = 1000000};
}

static int setup(void **state)
{
    struct writer *w = calloc(1, sizeof *w);
    pthread_mutex_init(&w->mutex, NULL);
    peer_start(&pager, "pager.py", "--secret", "");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    peer_stop(&pager);
    free(*state);
    return 0;
}

static void a_kick_sends_at_once(void **state)
{
    struct writer *w = *state;
    struct spd_channel_config c = channel("pager", "live");
    struct spd_dispatch *d = NULL;
    spd_usec before;
    assert_int_equal(spd_dispatch_start(&c, 1, "", &ops, w, &d, NULL), SPD_OK);
    usleep(300000); /* the first look is over */
    before = spd_clock_monotonic();
    for (int i = 0; i < 3; i++) add(w, "pager");
    add(w, "other");
    spd_dispatch_kick(d, SPD_SV("pager"));
    assert_true(reaches(w, SPD_OUTCOME_OK, 3, 3000));
    assert_true(spd_clock_monotonic() - before < 600000);
    usleep(100000);
    assert_int_equal(state_of(w, 3), SPD_OUTBOX_QUEUED); /* not ours */
    spd_dispatch_stop(d);
}

static void a_temporary_failure_comes_back_marked(void **state)
{
    struct writer *w = *state;
    struct spd_channel_config c = channel("pager", "live");
    struct spd_dispatch *d = NULL;
    char line[4096];
    peer_mode(&pager, "503");
    add(w, "pager");
    assert_int_equal(spd_dispatch_start(&c, 1, "", &ops, w, &d, NULL), SPD_OK);
    assert_true(reaches(w, SPD_OUTCOME_TEMPORARY, 1, 3000));
    peer_mode(&pager, "200");
    spd_dispatch_kick(d, SPD_SV_NONE);
    assert_true(reaches(w, SPD_OUTCOME_OK, 1, 3000));
    assert_true(peer_line(&pager, line, sizeof line, 1000));
    assert_non_null(strstr(line, "\"repeat\": false"));
    while (peer_line(&pager, line, sizeof line, 200)) {}
    assert_non_null(strstr(line, "\"repeat\": true"));
    spd_dispatch_stop(d);
}

static void observe_builds_and_sends_nothing(void **state)
{
    struct writer *w = *state;
    struct spd_channel_config c[] = {channel("pager", "observe"), channel("off", "off")};
    struct spd_dispatch *d = NULL;
    char line[4096];
    add(w, "pager");
    add(w, "off");
    assert_int_equal(spd_dispatch_start(c, 2, "", &ops, w, &d, NULL), SPD_OK);
    assert_true(reaches(w, SPD_OUTCOME_OBSERVED, 1, 3000));
    spd_dispatch_stop(d);
    assert_false(peer_line(&pager, line, sizeof line, 200));
    assert_int_equal(w->rows[1].state, SPD_OUTBOX_QUEUED);
}

static void stop_finishes_the_row_in_hand(void **state)
{
    struct writer *w = *state;
    struct spd_channel_config c = channel("pager", "live");
    struct spd_dispatch *d = NULL;
    char line[4096];
    peer_mode(&pager, "hang"); /* until total_timeout */
    add(w, "pager");
    add(w, "pager");
    assert_int_equal(spd_dispatch_start(&c, 1, "", &ops, w, &d, NULL), SPD_OK);
    assert_true(peer_line(&pager, line, sizeof line, 3000)); /* it is under way */
    spd_dispatch_stop(d);
    assert_int_equal(count(w, SPD_OUTCOME_UNKNOWN), 1); /* reported before stop came back */
    assert_int_equal(w->rows[1].attempts, 0);
}

static void an_outcome_is_offered_until_taken(void **state)
{
    struct writer *w = *state;
    struct spd_channel_config c = channel("pager", "live");
    struct spd_dispatch *d = NULL;
    char line[4096];
    add(w, "pager");
    assert_int_equal(spd_dispatch_start(&c, 1, "", &ops, w, &d, NULL), SPD_OK);
    while (state_of(w, 0) != SPD_OUTBOX_SENDING) usleep(100);
    pthread_mutex_lock(&w->mutex);
    w->refuse = SPD_AGAIN;
    pthread_mutex_unlock(&w->mutex);
    assert_true(peer_line(&pager, line, sizeof line, 3000));
    usleep(200000);
    pthread_mutex_lock(&w->mutex);
    w->refuse = SPD_OK;
    pthread_mutex_unlock(&w->mutex);
    assert_true(reaches(w, SPD_OUTCOME_OK, 1, 3000));
    assert_int_equal(w->rows[0].attempts, 1);
    spd_dispatch_stop(d);
}

static void bad_entries_are_refused(void **state)
{
    struct spd_channel_config c[] = {channel("pager", "live"), channel("second", "live")};
    struct spd_dispatch *d = NULL;
    struct spd_err err = {SPD_OK, "", ""};
    (void)state;
    c[1].type = SPD_SV("pigeon");
    assert_int_equal(spd_dispatch_start(c, 2, "", &ops, NULL, &d, &err), SPD_INVALID);
    assert_string_equal(err.place, "second");
    assert_null(d);
}

static void the_log_holds_no_patient(void **state)
{
    struct writer *w = *state;
    struct spd_channel_config c = channel("pager", "live");
    struct spd_dispatch *d = NULL;
    char path[] = "/tmp/spoed-log-XXXXXX", text[65536];
    int fd = mkstemp(path), keep = dup(2);
    ssize_t n;
    assert_true(fd >= 0 && keep >= 0);
    dup2(fd, 2);
    peer_mode(&pager, "404");
    add(w, "pager");
    assert_int_equal(spd_dispatch_start(&c, 1, "", &ops, w, &d, NULL), SPD_OK);
    assert_true(reaches(w, SPD_OUTCOME_PERMANENT, 1, 3000));
    spd_dispatch_stop(d);
    dup2(keep, 2);
    close(keep);
    n = pread(fd, text, sizeof text - 1, 0);
    close(fd);
    unlink(path);
    assert_true(n > 0);
    text[n] = 0;
    assert_non_null(strstr(text, "HTTP 404"));
    assert_null(strstr(text, "ZZCANARY"));
    assert_null(strstr(text, "4711"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kick_sends_at_once), TEST(a_temporary_failure_comes_back_marked),
        TEST(observe_builds_and_sends_nothing), TEST(stop_finishes_the_row_in_hand),
        TEST(an_outcome_is_offered_until_taken), TEST(bad_entries_are_refused), TEST(the_log_holds_no_patient),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
