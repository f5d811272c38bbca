/* tests/unit/test_store_suite.c: what store.h promises, on every back end. Each case runs once per
 * back end; a back end that is added to the table gets all of them. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit/store_random.h"

enum { MOST_IDS = 4096 };
#define OK(call) assert_int_equal((call), SPD_OK)

struct place {
    const char *backend;
    bool keeps; /* what is committed is there after a reopen */
    char folder[64], url[128];
    struct spd_store *s;
    struct spd_arena *a;
};

static int set_up(void **state)
{
    struct place *p = *state;
    p->url[0] = 0;
    if (p->keeps) {
        snprintf(p->folder, sizeof p->folder, "/tmp/spd-store-XXXXXX");
        if (!mkdtemp(p->folder)) return -1;
        snprintf(p->url, sizeof p->url, "%s:%s/test.db", p->backend, p->folder);
    } else {
        snprintf(p->url, sizeof p->url, "%s:", p->backend);
    }
    p->a = spd_arena_new(1 << 30);
    return spd_store_open(p->url, SPD_STORE_WRITE | SPD_STORE_CREATE, &p->s, NULL);
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char command[160];
    spd_store_close(p->s);
    spd_arena_free(p->a);
    if (!p->keeps) return 0;
    for (int i = 0; i < 4; i++) {
        static const char *const tail[] = {"", "-wal", "-shm", ".writer"};
        snprintf(command, sizeof command, "%s/test.db%s", p->folder, tail[i]);
        unlink(command);
    }
    return rmdir(p->folder);
}

static struct spd_item item(int64_t id, const char *accession)
{
    struct spd_item i;
    memset(&i, 0, sizeof i);
    i.id = id;
    i.accession = (struct spd_cx){spd_sv_from(accession), SPD_SV("ZH")};
    return i;
}

static size_t find(struct place *p, enum spd_key_kind kind, const char *text, int64_t *ids)
{
    size_t n = 0;
    OK(spd_store_find(p->s, kind, spd_sv_from(text), 0, ids, MOST_IDS, &n, NULL));
    return n;
}

static void assert_same(struct place *p, enum spd_table t, const void *object)
{
    const struct spd_desc *d = spd_table_desc(t);
    void *got = spd_arena_must(p->a, d->size);
    OK(spd_store_get(p->s, t, *(const int64_t *)object, got, p->a, NULL));
    if (!spd_desc_equal(d, object, got)) fail_msg("%s: not what was put", spd_table_name(t));
}

/* Every key of the object finds it; returns how many keys it has. */
static void assert_found(struct place *p, enum spd_table t, const void *object, bool there)
{
    struct spd_key *k;
    size_t n = spd_store_keys(t, object, &k, p->a), got;
    int64_t id = *(const int64_t *)object, ids[1];
    for (size_t i = 0; i < n; i++) {
        OK(spd_store_find(p->s, k[i].kind, k[i].text, id - 1, ids, 1, &got, NULL));
        if ((got == 1 && ids[0] == id) != there)
            fail_msg("%s: key %d %s", spd_table_name(t), (int)k[i].kind,
                     there ? "does not find it" : "is left over");
    }
}

/* ---- cases --------------------------------------------------------------------------------- */
static void every_table_takes_random_objects(void **state)
{
    struct place *p = *state;
    uint64_t seed = 20261122;
    for (int t = 0; t < SPD_T_N; t++) {
        const struct spd_desc *d = spd_table_desc((enum spd_table)t);
        void *old[24];
        OK(spd_store_begin(p->s, NULL));
        for (int64_t i = 0; i < 24; i++) {
            old[i] = spd_arena_must(p->a, d->size);
            rnd_object(d, old[i], &seed, p->a);
            *(int64_t *)old[i] = i + 1;
            OK(spd_store_put(p->s, (enum spd_table)t, old[i], NULL, NULL));
        }
        OK(spd_store_commit(p->s, NULL));
        OK(spd_store_begin(p->s, NULL));
        for (int64_t i = 0; i < 24; i++) {
            void *now = spd_arena_must(p->a, d->size);
            assert_same(p, (enum spd_table)t, old[i]);
            assert_found(p, (enum spd_table)t, old[i], true);
            if (i % 3 == 0) { /* replace all */
                rnd_object(d, now, &seed, p->a);
                *(int64_t *)now = i + 1;
                OK(spd_store_put(p->s, (enum spd_table)t, now, old[i], NULL));
                old[i] = now;
                assert_same(p, (enum spd_table)t, now);
                assert_found(p, (enum spd_table)t, now, true);
            } else if (i % 3 == 1) {
                OK(spd_store_del(p->s, (enum spd_table)t, old[i], NULL));
                assert_found(p, (enum spd_table)t, old[i], false);
                assert_int_equal(spd_store_get(p->s, (enum spd_table)t, i + 1, now, p->a, NULL),
                                 SPD_NOTFOUND);
            }
        }
        OK(spd_store_commit(p->s, NULL));
        for (int64_t i = 0; i < 24; i++)
            if (i % 3 != 1) assert_same(p, (enum spd_table)t, old[i]);
    }
}

static void one_member_changes(void **state)
{
    struct place *p = *state;
    struct spd_item now = item(7, "A7"), old;
    spd_sv uid[2] = {SPD_SV("1.2.3"), SPD_SV("1.2.4")};
    OK(spd_store_begin(p->s, NULL));
    OK(spd_put_item(p->s, &now, NULL, NULL));
    for (int step = 0; step < 6; step++) {
        OK(spd_get_item(p->s, 7, &old, p->a, NULL));
        now = old;
        switch (step) {
        case 0: now.due = 12345; break;
        case 1: now.location = SPD_SV("SEH"); break;
        case 2: now.order = SPD_ORDER_HELD; break;
        case 3: now.study_uids.v = uid, now.study_uids.n = 2; break;
        case 4: now.patient.name = SPD_SV("ZZCANARY^Test"); break;
        case 5: break; /* nothing at all */
        }
        OK(spd_put_item(p->s, &now, &old, NULL));
        assert_same(p, SPD_T_ITEM, &now);
    }
    OK(spd_store_commit(p->s, NULL));
    assert_same(p, SPD_T_ITEM, &now);
}

static void put_and_del_say_what_is_wrong(void **state)
{
    struct place *p = *state;
    struct spd_item a = item(1, "A1"), b = item(2, "A2"), zero = item(0, "A0");
    assert_int_equal(spd_put_item(p->s, &a, NULL, NULL), SPD_BUG); /* outside a transaction */
    OK(spd_store_begin(p->s, NULL));
    assert_int_equal(spd_store_begin(p->s, NULL), SPD_BUG);
    assert_int_equal(spd_put_item(p->s, &zero, NULL, NULL), SPD_BUG);
    OK(spd_put_item(p->s, &a, NULL, NULL));
    assert_int_equal(spd_put_item(p->s, &a, NULL, NULL), SPD_EXISTS);
    assert_int_equal(spd_put_item(p->s, &b, &a, NULL), SPD_BUG); /* another id */
    assert_int_equal(spd_del_item(p->s, &b, NULL), SPD_NOTFOUND);
    OK(spd_store_commit(p->s, NULL));
    assert_int_equal(spd_store_commit(p->s, NULL), SPD_BUG);
    assert_same(p, SPD_T_ITEM, &a);
}

static void keys_follow_changes(void **state)
{
    struct place *p = *state;
    struct spd_item now = item(5, "A5"), old;
    int64_t ids[MOST_IDS];
    now.order = SPD_ORDER_ACTIVE;
    OK(spd_store_begin(p->s, NULL));
    OK(spd_put_item(p->s, &now, NULL, NULL));
    assert_int_equal(find(p, SPD_KEY_ITEM_ACCESSION, "A5|ZH", ids), 1);
    assert_int_equal(find(p, SPD_KEY_ITEM_OPEN, "1", ids), 1);
    assert_int_equal(find(p, SPD_KEY_ITEM_FILLER, "A5|ZH", ids), 0);
    old = now;
    now.accession.value = SPD_SV("B5");
    now.report = SPD_REPORT_FINAL;
    OK(spd_put_item(p->s, &now, &old, NULL));
    assert_int_equal(find(p, SPD_KEY_ITEM_ACCESSION, "A5|ZH", ids), 0);
    assert_int_equal(find(p, SPD_KEY_ITEM_ACCESSION, "B5|ZH", ids), 1);
    assert_int_equal(find(p, SPD_KEY_ITEM_OPEN, "1", ids), 0);
    OK(spd_store_commit(p->s, NULL));
    assert_int_equal(find(p, SPD_KEY_ITEM_ACCESSION, "B5|ZH", ids), 1);
}

static void many_ids_under_one_key(void **state)
{
    struct place *p = *state;
    int64_t ids[MOST_IDS], *all, id;
    size_t n;
    OK(spd_store_begin(p->s, NULL));
    for (int64_t i = 1; i <= 1500;
         i++) { /* 7 has no common factor with 1500: every id once, out of order */
        struct spd_item it = item(i * 7 % 1500 + 1, "S");
        OK(spd_put_item(p->s, &it, NULL, NULL));
    }
    assert_int_equal(find(p, SPD_KEY_ITEM_ACCESSION, "S|ZH", ids), 1500);
    for (size_t i = 0; i < 1500; i++) assert_int_equal(ids[i], (int64_t)i + 1);
    OK(spd_store_find(p->s, SPD_KEY_ITEM_ACCESSION, SPD_SV("S|ZH"), 700, ids, 3, &n, NULL));
    assert_int_equal(n, 3);
    assert_int_equal(ids[0], 701);
    for (int64_t i = 1; i <= 1500; i += 2) {
        struct spd_item it = item(i, "S");
        OK(spd_del_item(p->s, &it, NULL));
    }
    OK(spd_store_find_all(p->s, SPD_KEY_ITEM_ACCESSION, SPD_SV("S|ZH"), &all, &n, p->a, NULL));
    assert_int_equal(n, 750);
    for (size_t i = 0; i < n; i++) assert_int_equal(all[i], (int64_t)i * 2 + 2);
    OK(spd_store_find_one(p->s, SPD_KEY_ITEM_ACCESSION, SPD_SV("S|ZH"), &id, NULL));
    assert_int_equal(id, 2);
    assert_int_equal(spd_store_find_one(p->s, SPD_KEY_ITEM_ACCESSION, SPD_SV("T|ZH"), &id, NULL),
                     SPD_NOTFOUND);
    OK(spd_store_find_all(p->s, SPD_KEY_ITEM_ACCESSION, SPD_SV("T|ZH"), &all, &n, p->a, NULL));
    assert_int_equal(n, 0);
    OK(spd_store_commit(p->s, NULL));
}

static void put_timer(struct place *p, int64_t id, spd_usec due)
{
    struct spd_timer t = {.id = id, .due = due, .kind = SPD_TIMER_WAIT, .subject = id};
    OK(spd_put_timer(p->s, &t, NULL, NULL));
}

static void due_comes_in_order(void **state)
{
    struct place *p = *state;
    int64_t ids[8];
    spd_usec dues[8];
    size_t n;
    OK(spd_store_begin(p->s, NULL));
    put_timer(p, 1, 300), put_timer(p, 2, 100), put_timer(p, 3, 200), put_timer(p, 4, 100),
        put_timer(p, 5, 900);
    OK(spd_store_due(p->s, SPD_T_TIMER, SPD_SV_NONE, 500, 0, 0, ids, dues, 8, &n, NULL));
    assert_int_equal(n, 4);
    assert_memory_equal(ids, ((int64_t[]){2, 4, 3, 1}), 4 * sizeof *ids);
    assert_memory_equal(dues, ((int64_t[]){100, 100, 200, 300}), 4 * sizeof *dues);
    OK(spd_store_due(p->s, SPD_T_TIMER, SPD_SV_NONE, 500, 100, 2, ids, NULL, 2, &n, NULL));
    assert_int_equal(n, 2);
    assert_memory_equal(ids, ((int64_t[]){4, 3}), 2 * sizeof *ids);
    OK(spd_store_due(p->s, SPD_T_TIMER, SPD_SV_NONE, 99, 0, 0, ids, dues, 8, &n, NULL));
    assert_int_equal(n, 0);
    struct spd_timer old = {.id = 2, .due = 100, .kind = SPD_TIMER_WAIT, .subject = 2}, now = old;
    now.due = 250;
    OK(spd_put_timer(p->s, &now, &old, NULL));
    OK(spd_store_due(p->s, SPD_T_TIMER, SPD_SV_NONE, INT64_MAX, 0, 0, ids, dues, 8, &n, NULL));
    assert_memory_equal(ids, ((int64_t[]){4, 3, 2, 1, 5}), 5 * sizeof *ids);
    assert_int_equal(spd_store_due(p->s, SPD_T_ITEM, SPD_SV_NONE, 1, 0, 0, ids, dues, 8, &n, NULL), SPD_BUG);
    OK(spd_store_commit(p->s, NULL));
}

static void only_waiting_outbox_rows_are_due(void **state)
{
    struct place *p = *state;
    int64_t ids[16];
    size_t n;
    OK(spd_store_begin(p->s, NULL));
    for (int st = SPD_OUTBOX_QUEUED; st < SPD_OUTBOX_STATE_N; st++) {
        struct spd_outbox o = {.id = st, .due = 100 - st, .state = st};
        OK(spd_put_outbox(p->s, &o, NULL, NULL));
    }
    OK(spd_store_due(p->s, SPD_T_OUTBOX, SPD_SV_NONE, 1000, 0, 0, ids, NULL, 16, &n, NULL));
    assert_int_equal(n, 2);
    assert_int_equal(ids[0], SPD_OUTBOX_SENDING);
    assert_int_equal(ids[1], SPD_OUTBOX_QUEUED);
    struct spd_outbox old = {
        .id = SPD_OUTBOX_SENDING, .due = 100 - SPD_OUTBOX_SENDING, .state = SPD_OUTBOX_SENDING};
    struct spd_outbox now = old;
    now.state = SPD_OUTBOX_DONE;
    OK(spd_put_outbox(p->s, &now, &old, NULL));
    OK(spd_store_due(p->s, SPD_T_OUTBOX, SPD_SV_NONE, 1000, 0, 0, ids, NULL, 16, &n, NULL));
    assert_int_equal(n, 1);
    assert_int_equal(find(p, SPD_KEY_OUTBOX_STATE, "dead", ids), 1);
    assert_int_equal(find(p, SPD_KEY_OUTBOX_STATE, "done", ids), 0);
    OK(spd_store_commit(p->s, NULL));
}

static void outbox_rows_are_due_by_destination(void **state)
{
    static const struct {
        int64_t id, due;
        const char *to;
    } rows[] = {{1, 30, "ris"}, {2, 10, "pager"}, {3, 20, "ris"}, {4, 30, "ris"}, {5, 5, "rispacs"}};
    struct place *p = *state;
    int64_t ids[8];
    spd_usec dues[8];
    size_t n;
    OK(spd_store_begin(p->s, NULL));
    for (size_t i = 0; i < 5; i++) {
        struct spd_outbox o = {.id = rows[i].id, .due = rows[i].due, .state = SPD_OUTBOX_QUEUED};
        o.destination = spd_sv_from(rows[i].to);
        OK(spd_put_outbox(p->s, &o, NULL, NULL));
    }
    OK(spd_store_due(p->s, SPD_T_OUTBOX, SPD_SV("ris"), 30, 0, 0, ids, dues, 8, &n, NULL));
    assert_int_equal(n, 3);
    assert_memory_equal(ids, ((int64_t[]){3, 1, 4}), 3 * sizeof *ids);
    assert_memory_equal(dues, ((int64_t[]){20, 30, 30}), 3 * sizeof *dues);
    OK(spd_store_due(p->s, SPD_T_OUTBOX, SPD_SV("ris"), 30, 30, 1, ids, dues, 8, &n, NULL));
    assert_int_equal(n, 1);
    assert_int_equal(ids[0], 4);
    OK(spd_store_due(p->s, SPD_T_OUTBOX, SPD_SV("nobody"), 30, 0, 0, ids, dues, 8, &n, NULL));
    assert_int_equal(n, 0);
    struct spd_outbox old = {.id = 4, .due = 30, .state = SPD_OUTBOX_QUEUED, .destination = SPD_SV("ris")};
    struct spd_outbox moved = old;
    moved.destination = SPD_SV("pager");
    OK(spd_put_outbox(p->s, &moved, &old, NULL));
    OK(spd_store_due(p->s, SPD_T_OUTBOX, SPD_SV("pager"), 30, 0, 0, ids, dues, 8, &n, NULL));
    assert_int_equal(n, 2);
    OK(spd_store_commit(p->s, NULL));
}

static void scan_goes_both_ways(void **state)
{
    static const int64_t put[] = {3, 1, 2000, 70000, 12};
    struct place *p = *state;
    int64_t ids[8], max = -1;
    size_t n;
    OK(spd_store_max_id(p->s, SPD_T_AUDIT, &max, NULL));
    assert_int_equal(max, 0);
    OK(spd_store_begin(p->s, NULL));
    for (size_t i = 0; i < 5; i++) {
        struct spd_audit a = {.id = put[i]};
        OK(spd_put_audit(p->s, &a, NULL, NULL));
    }
    OK(spd_store_commit(p->s, NULL));
    static const struct {
        const char *name;
        int64_t after;
        bool down;
        size_t max;
        int64_t want[5];
        size_t n;
    } rows[] = {
        {"all up", 0, false, 8, {1, 3, 12, 2000, 70000}, 5},
        {"after 3", 3, false, 2, {12, 2000}, 2},
        {"after the last", 70000, false, 8, {0}, 0},
        {"newest first", 0, true, 8, {70000, 2000, 12, 3, 1}, 5},
        {"below 2000", 2000, true, 2, {12, 3}, 2},
        {"below the first", 1, true, 8, {0}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OK(spd_store_scan(p->s, SPD_T_AUDIT, rows[i].after, rows[i].down, ids, rows[i].max, &n,
                          NULL));
        if (n != rows[i].n || memcmp(ids, rows[i].want, n * sizeof *ids))
            fail_msg("scan: %s", rows[i].name);
    }
    OK(spd_store_begin(p->s, NULL));
    struct spd_audit last = {.id = 70000};
    OK(spd_del_audit(p->s, &last, NULL));
    OK(spd_store_max_id(p->s, SPD_T_AUDIT, &max, NULL));
    assert_int_equal(max, 2000);
    spd_store_rollback(p->s);
    OK(spd_store_max_id(p->s, SPD_T_AUDIT, &max, NULL));
    assert_int_equal(max, 70000);
}

static void rollback_leaves_nothing(void **state)
{
    struct place *p = *state;
    struct spd_item kept = item(1, "K"), changed, fresh = item(2, "F");
    int64_t ids[MOST_IDS];
    size_t n;
    OK(spd_store_begin(p->s, NULL));
    OK(spd_put_item(p->s, &kept, NULL, NULL));
    put_timer(p, 1, 50);
    OK(spd_store_commit(p->s, NULL));
    OK(spd_store_begin(p->s, NULL));
    changed = kept;
    changed.accession.value = SPD_SV("C");
    OK(spd_put_item(p->s, &changed, &kept, NULL));
    OK(spd_put_item(p->s, &fresh, NULL, NULL));
    put_timer(p, 2, 10);
    struct spd_timer gone = {.id = 1, .due = 50, .kind = SPD_TIMER_WAIT, .subject = 1};
    OK(spd_del_timer(p->s, &gone, NULL));
    spd_store_rollback(p->s);
    assert_same(p, SPD_T_ITEM, &kept);
    assert_int_equal(spd_get_item(p->s, 2, &fresh, p->a, NULL), SPD_NOTFOUND);
    assert_int_equal(find(p, SPD_KEY_ITEM_ACCESSION, "K|ZH", ids), 1);
    assert_int_equal(find(p, SPD_KEY_ITEM_ACCESSION, "C|ZH", ids), 0);
    assert_int_equal(find(p, SPD_KEY_ITEM_ACCESSION, "F|ZH", ids), 0);
    OK(spd_store_due(p->s, SPD_T_TIMER, SPD_SV_NONE, 100, 0, 0, ids, NULL, 8, &n, NULL));
    assert_int_equal(n, 1);
    assert_int_equal(ids[0], 1);
}

static void savepoint_undoes_one_event(void **state)
{
    struct place *p = *state;
    int64_t ids[MOST_IDS];
    OK(spd_store_begin(p->s, NULL));
    for (int64_t i = 1; i <= 10; i++) {
        struct spd_item it = item(i, "E"), now = it;
        OK(spd_store_savepoint(p->s, NULL));
        assert_int_equal(spd_store_savepoint(p->s, NULL), SPD_BUG); /* one level */
        OK(spd_put_item(p->s, &it, NULL, NULL));
        now.due = i;
        OK(spd_put_item(p->s, &now, &it, NULL));
        if (i % 2) spd_store_rollback_to(p->s);
        else OK(spd_store_release(p->s, NULL));
    }
    OK(spd_store_commit(p->s, NULL));
    assert_int_equal(find(p, SPD_KEY_ITEM_ACCESSION, "E|ZH", ids), 5);
    assert_int_equal(ids[0], 2);
    assert_int_equal(ids[4], 10);
}

/* A failed put (EXISTS) spoils only its own event. */
static void bad_event_fails_alone(void **state)
{
    struct place *p = *state;
    struct spd_item a = item(1, "A"), b = item(2, "B");
    OK(spd_store_begin(p->s, NULL));
    OK(spd_put_item(p->s, &a, NULL, NULL));
    OK(spd_store_savepoint(p->s, NULL));
    assert_int_equal(spd_put_item(p->s, &a, NULL, NULL), SPD_EXISTS);
    spd_store_rollback_to(p->s);
    OK(spd_store_savepoint(p->s, NULL));
    OK(spd_put_item(p->s, &b, NULL, NULL));
    OK(spd_store_release(p->s, NULL));
    OK(spd_store_commit(p->s, NULL));
    assert_same(p, SPD_T_ITEM, &a);
    assert_same(p, SPD_T_ITEM, &b);
}

static void texts_stay_readable_until_the_next_begin(void **state)
{
    struct place *p = *state;
    struct spd_item first = item(1, "LONG-ENOUGH-TO-BE-SEEN"), old, now;
    OK(spd_store_begin(p->s, NULL));
    OK(spd_put_item(p->s, &first, NULL, NULL));
    OK(spd_store_commit(p->s, NULL));
    OK(spd_store_begin(p->s, NULL));
    OK(spd_get_item(p->s, 1, &old, p->a, NULL));
    now = old;
    now.accession.value = SPD_SV("OTHER");
    OK(spd_put_item(p->s, &now, &old, NULL));
    OK(spd_del_item(p->s, &now, NULL));
    OK(spd_store_commit(p->s, NULL));
    assert_true(spd_sv_is(old.accession.value, "LONG-ENOUGH-TO-BE-SEEN"));
}

static void large_objects(void **state)
{
    struct place *p = *state;
    struct spd_message m = {.id = 1, .direction = SPD_DIRECTION_IN};
    struct spd_study s = {.id = 1, .study_uid = SPD_SV("1.2.3")};
    size_t n = 8 * 1024 * 1024;
    char *raw = spd_arena_must(p->a, n);
    for (size_t i = 0; i < n; i++) raw[i] = (char)(i * 31 >> 3);
    m.raw = spd_sv_of(raw, n);
    s.instances.n = 5000;
    s.instances.v = SPD_NEW_N(p->a, spd_sv, 5000);
    for (size_t i = 0; i < 5000; i++)
        s.instances.v[i] = spd_arena_printf(p->a, "1.2.826.0.1.3680043.%zu", i);
    OK(spd_store_begin(p->s, NULL));
    OK(spd_put_message(p->s, &m, NULL, NULL));
    OK(spd_put_study(p->s, &s, NULL, NULL));
    OK(spd_store_commit(p->s, NULL));
    assert_same(p, SPD_T_MESSAGE, &m);
    assert_same(p, SPD_T_STUDY, &s);
}

static void keys_of_every_kind(void **state)
{
    struct place *p = *state;
    struct spd_cx cx = {SPD_SV("12|3"), SPD_SV("ZH")};
    struct spd_key *k;
    int64_t items[] = {4, 9, 4};
    struct spd_message m = {.id = 1,
                            .direction = SPD_DIRECTION_IN,
                            .peer = SPD_SV("ris"),
                            .sender = SPD_SV("A|B"),
                            .control_id = SPD_SV("77"),
                            .item = 4,
                            .items = {items, 3}};
    assert_true(spd_sv_is(spd_key_cx(p->a, &cx), "12|3|ZH"));
    assert_true(spd_sv_is(spd_key_i64(p->a, INT64_MIN), "-9223372036854775808"));
    assert_true(spd_sv_is(spd_key_i64(p->a, 0), "0"));
    assert_true(spd_sv_is(spd_key_join(p->a, SPD_SV(""), SPD_SV("b")), "|b"));
    assert_int_equal(spd_store_keys(SPD_T_MESSAGE, &m, &k, p->a), 3); /* the doubled 4 once */
    assert_true(spd_sv_is(k[0].text, "ris|A|B|77"));
    m.direction = SPD_DIRECTION_OUT;
    assert_int_equal(spd_store_keys(SPD_T_MESSAGE, &m, &k, p->a), 2);
}

static void what_is_committed_is_there_after_a_reopen(void **state)
{
    struct place *p = *state;
    struct spd_item a = item(1, "A"), b = item(2, "B");
    int64_t ids[MOST_IDS];
    if (!p->keeps) return; /* the memory keeps nothing, by design */
    OK(spd_store_begin(p->s, NULL));
    OK(spd_put_item(p->s, &a, NULL, NULL));
    OK(spd_store_commit(p->s, NULL));
    OK(spd_store_begin(p->s, NULL));
    OK(spd_put_item(p->s, &b, NULL, NULL));
    spd_store_close(p->s); /* in the middle of a transaction */
    OK(spd_store_open(p->url, SPD_STORE_WRITE, &p->s, NULL));
    assert_same(p, SPD_T_ITEM, &a);
    assert_int_equal(spd_get_item(p->s, 2, &b, p->a, NULL), SPD_NOTFOUND);
    assert_int_equal(find(p, SPD_KEY_ITEM_ACCESSION, "A|ZH", ids), 1);
}

/* The same random changes on a model of it: an array of objects. */
static void random_walk_against_a_simple_model(void **state)
{
    enum { N = 40, STEPS = 3000 };
    struct place *p = *state;
    struct spd_timer now[N + 1] = {{0}}, saved[N + 1], before[N + 1];
    uint64_t seed = 99;
    memcpy(before, now, sizeof now);
    memcpy(saved, now, sizeof now);
    OK(spd_store_begin(p->s, NULL));
    bool in_savepoint = false;
    for (int step = 0; step < STEPS; step++) {
        int64_t id = (int64_t)(rnd(&seed) % N) + 1;
        struct spd_timer t = {
            .id = id, .due = (int64_t)(rnd(&seed) % 50), .kind = SPD_TIMER_AI, .subject = id % 5};
        switch (rnd(&seed) % 12) {
        case 0:
            if (!in_savepoint) OK(spd_store_savepoint(p->s, NULL)), memcpy(saved, now, sizeof now);
            in_savepoint = true;
            break;
        case 1:
            if (in_savepoint) spd_store_rollback_to(p->s), memcpy(now, saved, sizeof now);
            in_savepoint = false;
            break;
        case 2:
            if (in_savepoint) OK(spd_store_release(p->s, NULL));
            if (rnd(&seed) % 2) OK(spd_store_commit(p->s, NULL));
            else spd_store_rollback(p->s), memcpy(now, before, sizeof now);
            memcpy(before, now, sizeof now);
            in_savepoint = false;
            OK(spd_store_begin(p->s, NULL));
            break;
        case 3:
            if (now[id].id)
                OK(spd_del_timer(p->s, &now[id], NULL)), memset(&now[id], 0, sizeof *now);
            break;
        default:
            OK(spd_put_timer(p->s, &t, now[id].id ? &now[id] : NULL, NULL));
            now[id] = t;
        }
        int64_t ids[N], want = 0;
        spd_usec dues[N];
        size_t n;
        OK(spd_store_due(p->s, SPD_T_TIMER, SPD_SV_NONE, 100, -1, 0, ids, dues, N, &n, NULL));
        for (size_t i = 1; i <= N; i++) want += now[i].id != 0;
        assert_int_equal(n, want);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(now[ids[i]].due, dues[i]);
            if (i)
                assert_true(dues[i - 1] < dues[i] ||
                            (dues[i - 1] == dues[i] && ids[i - 1] < ids[i]));
        }
    }
    spd_store_rollback(p->s);
}

int main(void)
{
    static struct place places[] = {{.backend = "memory"}, {.backend = "sqlite", .keeps = true}};
    int failed = 0;
#define CASE(f) cmocka_unit_test_prestate_setup_teardown(f, set_up, tear_down, &places[i])
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const struct CMUnitTest tests[] = {
            CASE(every_table_takes_random_objects),
            CASE(one_member_changes),
            CASE(put_and_del_say_what_is_wrong),
            CASE(keys_follow_changes),
            CASE(many_ids_under_one_key),
            CASE(due_comes_in_order),
            CASE(only_waiting_outbox_rows_are_due),
            CASE(outbox_rows_are_due_by_destination),
            CASE(scan_goes_both_ways),
            CASE(rollback_leaves_nothing),
            CASE(savepoint_undoes_one_event),
            CASE(bad_event_fails_alone),
            CASE(texts_stay_readable_until_the_next_begin),
            CASE(large_objects),
            CASE(keys_of_every_kind),
            CASE(what_is_committed_is_there_after_a_reopen),
            CASE(random_walk_against_a_simple_model),
        };
        printf("back end: %s\n", places[i].backend);
        failed += cmocka_run_group_tests_name(places[i].backend, tests, NULL, NULL);
    }
    return failed ? 1 : 0;
}
