/* tests/unit/test_list_board.c: the published list against a plain sorted array, old versions staying as
 * they were, readers beside the writer, the notes. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <poll.h>
#include <stdatomic.h>

#include "list/list.h"

enum kind { ABSENT, LISTED, OPEN, CLOSED };

static struct spd_view view_of(int64_t id, enum kind kind, int level, spd_usec due, spd_usec arrived)
{
    struct spd_view v = {0};
    v.item.id = id;
    v.item.level = level, v.item.due = due, v.item.arrived = arrived;
    v.item.order = SPD_ORDER_ACTIVE;
    v.item.images = kind == OPEN ? SPD_IMAGES_NONE : SPD_IMAGES_COMPLETE;
    v.item.report = kind == CLOSED ? SPD_REPORT_FINAL : SPD_REPORT_NONE;
    v.item.reading = SPD_READING_UNREAD;
    v.item.modality = SPD_SV("CT");
    v.level_name = SPD_SV("urgent");
    return v;
}

static uint64_t seed = 20261123;
static uint64_t dice(uint64_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % n;
}

struct model { /* the plain truth */
    enum kind kind;
    int level;
    spd_usec due, arrived;
    int accession; /* of ACCESSIONS; 0 none */
};
enum { IDS = 300, ACCESSIONS = 40 };

/* "A/7" and "A\\7" are one to DICOM; "A1" begins "A11". */
static spd_sv accession_of(int n, char buf[16])
{
    snprintf(buf, 16, n % 5 ? "A%d" : n % 2 ? "A\\%d" : "A/%d", n % 5 ? n : n / 10);
    return n ? spd_sv_from(buf) : SPD_SV_NONE;
}

static bool has_key(const struct model *m, spd_sv key, bool prefix)
{
    char buf[16];
    spd_sv a = accession_of(m->accession, buf);
    for (size_t i = 0; i < a.len; i++)
        if (buf[i] == '\\') buf[i] = '/';
    return a.len && (prefix ? spd_sv_starts(a, key) : spd_sv_eq(a, key));
}

static int cmp_ids(const void *a, const void *b)
{
    return (*(const int64_t *)a > *(const int64_t *)b) - (*(const int64_t *)a < *(const int64_t *)b);
}

static void keys_must_equal(const struct spd_list *l, const struct model *m)
{
    for (int a = 1; a < 2 * ACCESSIONS; a++) {
        int64_t got[IDS];
        char buf[16];
        spd_sv key = accession_of(a % ACCESSIONS, buf);
        bool prefix = a >= ACCESSIONS;
        if (!key.len || memchr(key.ptr, '\\', key.len)) continue;
        size_t n = spd_list_by_key(l, SPD_LIST_ACCESSION, key, prefix, got, IDS), want = 0;
        for (int id = 1; id < IDS; id++)
            want += m[id].kind != ABSENT && has_key(&m[id], key, prefix);
        assert_int_equal(n, want);
        qsort(got, n, sizeof *got, cmp_ids);
        for (size_t i = 0; i < n; i++) {
            assert_true(m[got[i]].kind != ABSENT && has_key(&m[got[i]], key, prefix));
            if (i) assert_true(got[i] > got[i - 1]);
        }
        if (n > 1) assert_int_equal(spd_list_by_key(l, SPD_LIST_ACCESSION, key, prefix, got, 1), 2);
        assert_int_equal(spd_list_by_key(l, SPD_LIST_STUDY, key, prefix, got, IDS), 0);
    }
}

struct expect {
    int64_t id;
    struct model m;
};

static int expect_cmp(const void *x, const void *y)
{
    const struct expect *a = x, *b = y;
    int la = a->m.level ? a->m.level : 1000, lb = b->m.level ? b->m.level : 1000;
    spd_usec da = a->m.due ? a->m.due : INT64_MAX, db = b->m.due ? b->m.due : INT64_MAX;
    if (la != lb) return la < lb ? -1 : 1;
    if (da != db) return da < db ? -1 : 1;
    if (a->m.arrived != b->m.arrived) return a->m.arrived < b->m.arrived ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

static void must_equal(const struct spd_list *l, const struct model *m)
{
    struct expect e[IDS];
    size_t n = 0, all = 0;
    int64_t after = 0;
    for (int id = 1; id < IDS; id++)
        if (m[id].kind == LISTED) e[n++] = (struct expect){id, m[id]};
    qsort(e, n, sizeof *e, expect_cmp);
    assert_int_equal(spd_list_count(l), n);
    for (size_t i = 0; i < n; i++) {
        const struct spd_row *r = spd_list_at(l, i);
        assert_non_null(r);
        assert_int_equal(r->view.item.id, e[i].id);
        assert_int_equal(r->view.item.level, e[i].m.level);
        assert_int_equal(spd_list_rank(l, r), i + 1);
        assert_ptr_equal(spd_list_find(l, e[i].id), r);
    }
    assert_null(spd_list_at(l, n));
    for (int id = 1; id < IDS; id++) {
        const struct spd_row *r = spd_list_find(l, id);
        assert_int_equal(r != NULL, m[id].kind != ABSENT);
        if (!r) continue;
        all++;
        if (m[id].kind != LISTED) assert_int_equal(spd_list_rank(l, r), 0);
        r = spd_list_next_by_id(l, after);
        assert_non_null(r);
        assert_int_equal(r->view.item.id, id);
        after = id;
    }
    assert_null(spd_list_next_by_id(l, after));
    (void)all;
    keys_must_equal(l, m);
}

/* 10,000 random changes; every 97th publication is kept and must stay what it was. */
static void against_an_array(void **state)
{
    enum { STEPS = 10000, KEEP = 40 };
    static struct model now[IDS], then[KEEP][IDS];
    const struct spd_list *kept[KEEP];
    size_t n_kept = 0;
    struct spd_board *b = spd_board_new();
    (void)state;
    for (int step = 1; step <= STEPS; step++) {
        int64_t id = 1 + (int64_t)dice(IDS - 1);
        struct model *m = &now[id];
        if (dice(5) == 0) {
            *m = (struct model){ABSENT, 0, 0, 0, 0};
            spd_board_remove(b, id);
        } else {
            *m = (struct model){(enum kind)(1 + dice(3)), (int)dice(5), (spd_usec)dice(4) * 10, (spd_usec)dice(20),
                                dice(3) ? m->accession : (int)dice(ACCESSIONS)};
            struct spd_view v = view_of(id, m->kind, m->level, m->due, m->arrived);
            char buf[16];
            v.item.accession.value = accession_of(m->accession, buf);
            spd_board_put(b, &v, step);
        }
        if (dice(3) == 0) spd_board_publish(b, step, step, true);
        if (step % 97 == 0 && n_kept < KEEP) {
            spd_board_publish(b, step, step, true);
            kept[n_kept] = spd_board_get(b);
            memcpy(then[n_kept++], now, sizeof now);
        }
        if (step % 50 == 0) {
            const struct spd_list *l;
            spd_board_publish(b, step, step, true);
            l = spd_board_get(b);
            assert_int_equal(spd_list_revision(l), step);
            must_equal(l, now);
            spd_list_unref(l);
        }
    }
    for (size_t i = 0; i < n_kept; i++) {
        must_equal(kept[i], then[i]);
        spd_list_unref(kept[i]);
    }
    spd_board_free(b);
}

static void the_view_is_copied(void **state)
{
    struct spd_board *b = spd_board_new();
    char text[] = "ZZCANARY^Test";
    spd_sv note = spd_sv_from(text);
    struct spd_finding f = {.concept = spd_sv_from(text), .probability = 930000};
    struct spd_view_ai ai = {.model = spd_sv_from(text), .findings = &f, .n_findings = 1, .notes = &note, .n_notes = 1};
    int64_t linked = 7;
    struct spd_view v = view_of(1, LISTED, 1, 0, 0);
    const struct spd_list *l;
    const struct spd_row *r;
    (void)state;
    v.item.patient.name = spd_sv_from(text);
    v.draft.text = spd_sv_from(text), v.alert.text_nl = spd_sv_from(text);
    v.ai = &ai, v.n_ai = 1, v.linked = &linked, v.n_linked = 1;
    spd_board_put(b, &v, 3);
    spd_board_publish(b, 3, 9, true);
    memset(text, 'x', sizeof text - 1);
    linked = 0, f.probability = 0;
    l = spd_board_get(b);
    r = spd_list_at(l, 0);
    assert_true(spd_sv_is(r->view.item.patient.name, "ZZCANARY^Test"));
    assert_true(spd_sv_is(r->view.draft.text, "ZZCANARY^Test"));
    assert_true(spd_sv_is(r->view.alert.text_nl, "ZZCANARY^Test"));
    assert_true(spd_sv_is(r->view.ai[0].model, "ZZCANARY^Test"));
    assert_true(spd_sv_is(r->view.ai[0].notes[0], "ZZCANARY^Test"));
    assert_true(spd_sv_is(r->view.ai[0].findings[0].concept, "ZZCANARY^Test"));
    assert_int_equal(r->view.ai[0].findings[0].probability, 930000);
    assert_int_equal(r->view.linked[0], 7);
    assert_int_equal(r->revision, 3);
    spd_list_unref(l);
    spd_board_free(b);
}

static void closed_ones_are_kept_for_a_while(void **state)
{
    struct spd_board *b = spd_board_new();
    const struct spd_list *l;
    (void)state;
    for (int64_t id = 1; id <= 5000; id++) {
        struct spd_view v = view_of(id, CLOSED, 1, 0, 0), open = view_of(10, LISTED, 1, 0, 0);
        spd_board_put(b, &v, id);
        if (id == 500) spd_board_put(b, &open, id); /* opened again: no longer among the closed */
        if (id % 3 == 0) spd_board_put(b, &v, id);  /* closed twice counts once */
    }
    spd_board_publish(b, 5000, 0, true);
    l = spd_board_get(b);
    assert_non_null(spd_list_find(l, 10));
    assert_null(spd_list_find(l, 3000));
    assert_non_null(spd_list_find(l, 3001));
    assert_non_null(spd_list_find(l, 5000));
    spd_list_unref(l);
    spd_board_free(b);
}

static void notes(void **state)
{
    struct spd_board *b = spd_board_new();
    struct spd_change c[8];
    bool gap;
    (void)state;
    spd_board_publish(b, 100, 0, true); /* a restart at revision 100 */
    for (int64_t r = 101; r <= 105; r++) {
        spd_board_note(b, "item", r * 2, r);
        spd_board_note(b, "alert", r * 3, r);
    }
    assert_int_equal(spd_board_changes(b, 103, c, 8, &gap), 4);
    assert_false(gap);
    assert_int_equal(c[0].revision, 104);
    assert_string_equal(c[0].kind, "item");
    assert_int_equal(c[0].id, 208);
    assert_string_equal(c[1].kind, "alert");
    assert_int_equal(spd_board_changes(b, 100, c, 3, &gap), 3);
    assert_false(gap);
    assert_int_equal(spd_board_changes(b, 99, c, 3, &gap), 3);
    assert_true(gap); /* from before the restart */
    assert_int_equal(spd_board_changes(b, 105, c, 3, &gap), 0);
    for (int64_t r = 106; r <= 30000; r++) spd_board_note(b, "item", r, r);
    assert_int_equal(spd_board_changes(b, 200, c, 1, &gap), 1);
    assert_true(gap);
    assert_int_equal(c[0].revision, 10001);
    spd_board_free(b);
}

static void wait_and_watch(void **state)
{
    struct spd_board *b = spd_board_new();
    int fd = spd_board_watch(b);
    struct pollfd p = {fd, POLLIN, 0};
    const struct spd_list *l;
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(poll(&p, 1, 0), 0);
    spd_board_publish(b, 5, 0, false);
    assert_int_equal(poll(&p, 1, 0), 1);
    l = spd_board_wait(b, 5, SPD_SEC(5));
    assert_int_equal(spd_list_revision(l), 5);
    assert_false(spd_list_complete(l));
    spd_list_unref(l);
    l = spd_board_wait(b, 6, 20000); /* in vain */
    assert_int_equal(spd_list_revision(l), 5);
    spd_list_unref(l);
    spd_board_unwatch(b, fd);
    spd_board_free(b);
}

struct shared {
    struct spd_board *b;
    atomic_bool stop;
    atomic_long reads;
};

static void *reader(void *arg)
{
    struct shared *s = arg;
    int64_t last = 0;
    while (!atomic_load(&s->stop)) {
        const struct spd_list *l = spd_board_wait(s->b, last + 1, 2000);
        int64_t revision = spd_list_revision(l);
        const struct spd_row *before = NULL;
        if (revision < last) abort();
        last = revision;
        for (size_t i = 0; i < spd_list_count(l); i++) {
            const struct spd_row *r = spd_list_at(l, i);
            if (before && before->view.item.level > r->view.item.level) abort();
            if (r->revision > revision || !spd_sv_is(r->view.level_name, "urgent")) abort();
            before = r;
        }
        spd_list_unref(l);
        atomic_fetch_add(&s->reads, 1);
    }
    return NULL;
}

static void readers_beside_the_writer(void **state)
{
    struct shared s = {spd_board_new(), false, 0};
    pthread_t t[3];
    (void)state;
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&t[i], NULL, reader, &s), 0);
    for (int64_t r = 1; r <= 3000; r++) {
        struct spd_view v = view_of(1 + (int64_t)dice(100), (enum kind)(1 + dice(3)), 1 + (int)dice(4), (spd_usec)dice(9), r);
        spd_board_put(s.b, &v, r);
        spd_board_note(s.b, "item", v.item.id, r);
        if (r % 3 == 0) spd_board_publish(s.b, r, r, true);
    }
    atomic_store(&s.stop, true);
    for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
    assert_true(atomic_load(&s.reads) > 0);
    spd_board_free(s.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_an_array), cmocka_unit_test(the_view_is_copied),
        cmocka_unit_test(closed_ones_are_kept_for_a_while), cmocka_unit_test(notes),
        cmocka_unit_test(wait_and_watch), cmocka_unit_test(readers_beside_the_writer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
