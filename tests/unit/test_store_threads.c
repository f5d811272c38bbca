/* tests/unit/test_store_threads.c: readers beside the writer, each with a handle of its own: every
 * reader sees whole transactions only, and never goes back in time. Run under ThreadSanitizer too.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "store/query.h"
#include "unit/store_folder.h"

enum { READERS = 3, BATCHES = 200, PER_BATCH = 4 };

static struct folder place;
static atomic_bool done;
static atomic_int wrong;

static void check(bool ok)
{
    if (!ok) atomic_fetch_add(&wrong, 1);
}

static void *write_all(void *arg)
{
    struct spd_store *s = arg;
    int64_t id = 1;
    for (int b = 0; b < BATCHES; b++) {
        check(!spd_store_begin(s, NULL));
        for (int i = 0; i < PER_BATCH; i++, id++) {
            struct spd_item it = {
                .id = id, .accession = {SPD_SV("SAME"), SPD_SV("ZH")}, .order = SPD_ORDER_ACTIVE};
            struct spd_journal j = {.id = id, .type = SPD_EVENT_ORDER};
            check(!spd_put_item(s, &it, NULL, NULL));
            check(!spd_put_journal(s, &j, NULL, NULL));
        }
        check(!spd_store_commit(s, NULL));
    }
    atomic_store(&done, true);
    return NULL;
}

static void *read_all(void *arg)
{
    struct spd_query *q = NULL;
    struct spd_arena *a = spd_arena_new(1 << 22);
    int64_t last = 0;
    (void)arg;
    check(!spd_query_open(place.url, &q, NULL));
    while (q && last < BATCHES * PER_BATCH) {
        struct spd_query_counts c;
        struct spd_item it;
        int64_t *ids;
        size_t n = 0;
        bool last_round = atomic_load(&done);
        check(!spd_query_begin(q, NULL));
        check(!spd_query_counts(q, &c, NULL));
        check(!spd_store_find_all(spd_query_store(q), SPD_KEY_ITEM_ACCESSION, SPD_SV("SAME|ZH"),
                                  &ids, &n, a, NULL));
        check(c.revision % PER_BATCH == 0 && c.revision >= last);
        check((int64_t)n == c.revision && c.items[SPD_STATUS_ORDERED] == c.revision);
        if (n)
            check(!spd_get_item(spd_query_store(q), ids[n - 1], &it, a, NULL) &&
                  it.id == c.revision);
        spd_query_end(q);
        spd_arena_reset(a);
        last = c.revision;
        if (last_round) check(last == BATCHES * PER_BATCH);
    }
    spd_query_close(q);
    spd_arena_free(a);
    return NULL;
}

static void readers_see_whole_transactions(void **state)
{
    pthread_t writer, readers[READERS];
    struct spd_store *s;
    (void)state;
    place = folder_make();
    assert_int_equal(spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL),
                     SPD_OK);
    for (int i = 0; i < READERS; i++) pthread_create(&readers[i], NULL, read_all, NULL);
    pthread_create(&writer, NULL, write_all, s);
    pthread_join(writer, NULL);
    for (int i = 0; i < READERS; i++) pthread_join(readers[i], NULL);
    spd_store_close(s);
    folder_remove(&place);
    assert_int_equal(atomic_load(&wrong), 0);
}

static void *use_memory(void *arg)
{
    struct spd_store *s;
    (void)arg;
    check(!spd_store_open("memory:", SPD_STORE_WRITE, &s, NULL));
    for (int64_t i = 1; i < 500; i++) {
        struct spd_timer t = {.id = i, .due = i % 7};
        check(!spd_store_begin(s, NULL) && !spd_put_timer(s, &t, NULL, NULL) &&
              !spd_store_commit(s, NULL));
    }
    spd_store_close(s);
    return NULL;
}

/* Replay and simulation may run beside each other. */
static void two_memory_stores_share_nothing(void **state)
{
    pthread_t t[2];
    (void)state;
    for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, use_memory, NULL);
    for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
    assert_int_equal(atomic_load(&wrong), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_whole_transactions),
        cmocka_unit_test(two_memory_stores_share_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
