/* tests/unit/test_store_query.c: the paged search of query.h, on a small database. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/query.h"
#include "store/sqlite.h"

#define OK(call) assert_int_equal((call), SPD_OK)
static char folder[] = "/tmp/spd-query-XXXXXX", url[64];
static struct spd_query *q;

static void put_items(struct spd_store *s)
{
    static const struct {
        const char *accession, *id, *name, *modality;
        int final, images;
    } rows[] = {
        {"ACC1001", "P100", "ZZCANARY^Anna", "CT", 0, SPD_IMAGES_COMPLETE},
        {"ACC1002", "P100", "ZZCANARY^Anna", "CR", 1, SPD_IMAGES_COMPLETE},
        {"ACC2001", "P200", "ZZTEST_100%^Bo", "CT", 0, SPD_IMAGES_NONE},
        {"XYZ", "ACC1", "ZZCANARY^Carl", "MR", 0, SPD_IMAGES_COMPLETE},
    };
    for (int64_t i = 0; i < 4; i++) {
        struct spd_cx id = {spd_sv_from(rows[i].id), SPD_SV("ZH")};
        struct spd_item it = {.id = i + 1,
                              .accession = {spd_sv_from(rows[i].accession), SPD_SV("ZH")},
                              .patient = {.ids = {&id, 1}, .name = spd_sv_from(rows[i].name)},
                              .modality = spd_sv_from(rows[i].modality),
                              .order = SPD_ORDER_ACTIVE,
                              .images = rows[i].images,
                              .report = rows[i].final ? SPD_REPORT_FINAL : SPD_REPORT_NONE};
        OK(spd_put_item(s, &it, NULL, NULL));
    }
}

static void put_others(struct spd_store *s)
{
    int64_t two[] = {1, 2};
    struct spd_finding f = {
        .concept = SPD_SV("pneumothorax"), .present = SPD_PRESENT_YES, .probability = 930000};
    struct spd_result r = {
        .id = 1, .findings = {&f, 1}, .items = {two, 2}, .state = SPD_AI_POSITIVE};
    for (int64_t i = 1; i <= 5; i++) {
        struct spd_message m = {.id = i,
                                .direction = i % 2 ? SPD_DIRECTION_IN : SPD_DIRECTION_OUT,
                                .peer = i < 4 ? SPD_SV("ris") : SPD_SV("ai"),
                                .answer = SPD_ANSWER_AA,
                                .type = i == 1 ? SPD_SV("ORM^O01") : SPD_SV("ORU^R01")};
        struct spd_alert a = {
            .id = i, .item = 1, .state = i < 3 ? SPD_ALERT_SENT : SPD_ALERT_RESOLVED};
        struct spd_parked p = {.id = i, .closed = i > 2};
        struct spd_decision d = {.id = i, .item = i % 2 + 1};
        struct spd_audit u = {.id = i, .item = i % 2};
        struct spd_outbox o = {.id = i, .state = i < 4 ? SPD_OUTBOX_QUEUED : SPD_OUTBOX_DEAD};
        if (i == 5) m.items.v = two, m.items.n = 2;
        OK(spd_put_message(s, &m, NULL, NULL));
        OK(spd_put_alert(s, &a, NULL, NULL));
        OK(spd_put_parked(s, &p, NULL, NULL));
        OK(spd_put_decision(s, &d, NULL, NULL));
        OK(spd_put_audit(s, &u, NULL, NULL));
        OK(spd_put_outbox(s, &o, NULL, NULL));
    }
    struct spd_journal j = {.id = 42};
    OK(spd_put_journal(s, &j, NULL, NULL));
    OK(spd_put_result(s, &r, NULL, NULL));
}

static int set_up(void **state)
{
    struct spd_store *s;
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(url, sizeof url, "sqlite:%s/q.db", folder);
    OK(spd_store_open(url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL));
    OK(spd_store_begin(s, NULL));
    put_items(s);
    put_others(s);
    OK(spd_store_commit(s, NULL));
    spd_store_close(s);
    return spd_query_open(url, &q, NULL);
}

static int tear_down(void **state)
{
    static const char *const tail[] = {"", "-wal", "-shm", ".writer"};
    (void)state;
    spd_query_close(q);
    for (int i = 0; i < 4; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s/q.db%s", folder, tail[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static const struct spd_query_page up = {0, 100, false};

static void want(const char *row, const int64_t *got, size_t n, const int64_t *expected)
{
    size_t m = 0;
    while (expected[m]) m++;
    if (n != m || memcmp(got, expected, n * sizeof *got))
        fail_msg("%s: %zu ids, want %zu", row, n, m);
}

static void items(void **state)
{
    static const struct {
        const char *name, *status[2], *modality, *text;
        int64_t want[5];
    } rows[] = {
        {"all", {NULL}, "", "", {1, 2, 3, 4}},
        {"arrived", {"arrived"}, "", "", {1, 4}},
        {"arrived or ordered", {"arrived", "ordered"}, "", "", {1, 3, 4}},
        {"final", {"final"}, "", "", {2}},
        {"CT", {NULL}, "CT", "", {1, 3}},
        {"CT arrived", {"arrived"}, "CT", "", {1}},
        {"text: start of an accession, or of a patient id", {NULL}, "", "ACC1", {1, 2, 4}},
        {"text: middle of a name, any case", {NULL}, "", "canary", {1, 2, 4}},
        {"text: a percent sign is itself", {NULL}, "", "0%^", {3}},
        {"text: an underscore is itself", {NULL}, "", "T_1", {3}},
        {"text: nothing", {NULL}, "", "nobody", {0}},
        {"text: quote", {NULL}, "", "' OR 1=1 --", {0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        spd_sv status[2];
        struct spd_query_items f = {.status = status, .modality = spd_sv_from(rows[i].modality),
                                    .text = spd_sv_from(rows[i].text)};
        int64_t ids[100];
        size_t n;
        for (; f.n_status < 2 && rows[i].status[f.n_status]; f.n_status++)
            status[f.n_status] = spd_sv_from(rows[i].status[f.n_status]);
        OK(spd_query_items(q, &f, up, ids, &n, NULL));
        want(rows[i].name, ids, n, rows[i].want);
    }
}

static void bad_questions(void **state)
{
    spd_sv none = SPD_SV("open"), empty = SPD_SV("");
    struct spd_query_items f = {.text = SPD_SV("ab")};
    struct spd_query *other;
    int64_t ids[1];
    size_t n = 9;
    (void)state;
    assert_int_equal(spd_query_items(q, &f, up, ids, &n, NULL), SPD_INVALID);
    assert_int_equal(n, 0);
    f = (struct spd_query_items){.status = &none, .n_status = 1};
    assert_int_equal(spd_query_items(q, &f, up, ids, &n, NULL), SPD_INVALID);
    f = (struct spd_query_items){.status = &empty, .n_status = 1};
    assert_int_equal(spd_query_items(q, &f, up, ids, &n, NULL), SPD_INVALID);
    assert_int_equal(spd_query_alerts(q, SPD_SV("sleepy"), up, ids, &n, NULL), SPD_INVALID);
    assert_int_equal(spd_query_parked(q, true, (struct spd_query_page){0, 0, false}, ids, &n, NULL),
                     SPD_INVALID);
    assert_int_equal(
        spd_query_parked(q, true, (struct spd_query_page){0, 1001, false}, ids, &n, NULL),
        SPD_INVALID);
    assert_int_equal(spd_query_open("memory:", &other, NULL), SPD_INVALID);
    assert_int_equal(spd_query_open("sqlite:/tmp/spd-there-is-nothing-here", &other, NULL),
                     SPD_NOTFOUND);
}

static void pages_follow_one_another(void **state)
{
    struct spd_query_items f = {.n_status = 0};
    int64_t ids[2];
    size_t n;
    (void)state;
    OK(spd_query_items(q, &f, (struct spd_query_page){0, 2, true}, ids, &n, NULL));
    want("newest first", ids, n, (int64_t[]){4, 3, 0});
    OK(spd_query_items(q, &f, (struct spd_query_page){3, 2, true}, ids, &n, NULL));
    want("the next page", ids, n, (int64_t[]){2, 1, 0});
    OK(spd_query_items(q, &f, (struct spd_query_page){1, 2, true}, ids, &n, NULL));
    want("behind the last", ids, n, (int64_t[]){0});
}

static void other_tables(void **state)
{
    int64_t ids[100];
    size_t n;
    (void)state;
    OK(spd_query_alerts(q, SPD_SV("open"), up, ids, &n, NULL));
    want("open alerts", ids, n, (int64_t[]){1, 2, 0});
    OK(spd_query_alerts(q, SPD_SV("open"), (struct spd_query_page){1, 9, false}, ids, &n, NULL));
    want("open alerts after 1", ids, n, (int64_t[]){2, 0});
    OK(spd_query_alerts(q, SPD_SV("resolved"), up, ids, &n, NULL));
    want("resolved alerts", ids, n, (int64_t[]){3, 4, 5, 0});
    OK(spd_query_alerts(q, SPD_SV("all"), up, ids, &n, NULL));
    want("all alerts", ids, n, (int64_t[]){1, 2, 3, 4, 5, 0});
    OK(spd_query_parked(q, true, up, ids, &n, NULL));
    want("open parked", ids, n, (int64_t[]){1, 2, 0});
    OK(spd_query_decisions(q, 1, up, ids, &n, NULL));
    want("decisions of item 1", ids, n, (int64_t[]){2, 4, 0});
    OK(spd_query_audit(q, 1, up, ids, &n, NULL));
    want("audit of item 1", ids, n, (int64_t[]){1, 3, 5, 0});
    OK(spd_query_audit(q, 0, up, ids, &n, NULL));
    want("audit", ids, n, (int64_t[]){1, 2, 3, 4, 5, 0});
    OK(spd_query_outbox(q, SPD_SV("dead"), SPD_SV_NONE, up, ids, &n, NULL));
    want("dead letters", ids, n, (int64_t[]){4, 5, 0});
}

static void messages(void **state)
{
    static const struct {
        const char *row;
        struct spd_query_messages f;
        int64_t want[6];
    } rows[] = {
        {"all", {.item = 0}, {1, 2, 3, 4, 5}},
        {"peer", {.peer = {"ris", 3}}, {1, 2, 3}},
        {"peer and out", {.peer = {"ris", 3}, .direction = SPD_DIRECTION_OUT}, {2}},
        {"type", {.type = {"ORM", 3}}, {1}},
        {"whole type", {.type = {"ORU^R01", 7}}, {2, 3, 4, 5}},
        {"half a type", {.type = {"OR", 2}}, {0}},
        {"item among several", {.item = 2}, {5}},
        {"answer", {.answer = {"AE", 2}}, {0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ids[100];
        size_t n;
        OK(spd_query_messages(q, &rows[i].f, up, ids, &n, NULL));
        want(rows[i].row, ids, n, rows[i].want);
    }
}

static void counts_and_findings(void **state)
{
    struct spd_query_counts c;
    int64_t n = 0;
    (void)state;
    OK(spd_query_counts(q, &c, NULL));
    assert_int_equal(c.items[SPD_STATUS_ARRIVED], 2);
    assert_int_equal(c.items[SPD_STATUS_ORDERED], 1);
    assert_int_equal(c.items[SPD_STATUS_FINAL], 1);
    assert_int_equal(c.outbox[SPD_OUTBOX_QUEUED], 3);
    assert_int_equal(c.outbox[SPD_OUTBOX_DEAD], 2);
    assert_int_equal(c.alerts_open, 2);
    assert_int_equal(c.parked_open, 2);
    assert_int_equal(c.revision, 42);
    OK(spd_sqlite_number(
        spd_store_sqlite_db(spd_query_store(q)),
        "SELECT count(*) FROM finding WHERE result=1 AND n=1 AND items='[1,2]' AND "
        "concept='pneumothorax' AND present='present' AND probability=930000",
        &n, NULL));
    assert_int_equal(n, 1);
}

static void a_reader_writes_nothing(void **state)
{
    struct spd_item it = {.id = 99};
    struct spd_store *s = spd_query_store(q);
    (void)state;
    OK(spd_query_begin(q, NULL));
    assert_int_equal(spd_put_item(s, &it, NULL, NULL), SPD_BUG);
    spd_query_end(q);
    assert_int_equal(spd_get_item(s, 99, &it, NULL, NULL), SPD_NOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items),
        cmocka_unit_test(bad_questions),
        cmocka_unit_test(pages_follow_one_another),
        cmocka_unit_test(other_tables),
        cmocka_unit_test(messages),
        cmocka_unit_test(counts_and_findings),
        cmocka_unit_test(a_reader_writes_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
