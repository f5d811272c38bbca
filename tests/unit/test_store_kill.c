/* tests/unit/test_store_kill.c: kill -9 of a process that commits to the SQLite store, at random
 * moments. A child commits numbered batches and reports each over a pipe after its commit; the
 * parent kills it, opens the database and looks: every reported batch whole, no other batch in
 * part, none twice. 50 rounds; SPOED_KILLS=n for more. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "store/sqlite.h"
#include "unit/store_folder.h"
#include "unit/store_random.h"

#define OK(call) assert_int_equal((call), SPD_OK)

static struct folder place;

/* An item of batch k says so (wait_raises) and how many the batch has (cancelled_at). */
static int rows_of(int64_t batch)
{
    return (int)(batch % 7) + 1;
}

static _Noreturn void child(int report, int64_t batch, int64_t id)
{
    struct spd_store *s;
    if (spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL)) _exit(1);
    for (;; batch++) {
        char name[32];
        if (spd_store_begin(s, NULL)) _exit(2);
        for (int i = 0; i < rows_of(batch); i++, id++) {
            snprintf(name, sizeof name, "ZZCANARY%lld", (long long)id);
            struct spd_item it = {.id = id, .accession = {spd_sv_from(name), SPD_SV("ZH")},
                                  .wait_raises = batch, .cancelled_at = rows_of(batch)};
            struct spd_timer t = {.id = id, .due = id, .kind = SPD_TIMER_WAIT, .subject = id};
            if (spd_store_savepoint(s, NULL) || spd_put_item(s, &it, NULL, NULL) ||
                spd_put_timer(s, &t, NULL, NULL) || spd_store_release(s, NULL))
                _exit(3);
        }
        if (spd_store_commit(s, NULL)) _exit(4);
        if (write(report, &batch, sizeof batch) != sizeof batch) _exit(5);
    }
}

/* Looks at items from `from` on; sets the next free id and the last batch found. */
static void check(int64_t from, int64_t acknowledged, int64_t *ret_next, int64_t *ret_batch)
{
    struct spd_store *s;
    struct spd_arena *a = spd_arena_new(1 << 28);
    int64_t id = from, max = 0, last = *ret_batch;
    OK(spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL));
    OK(spd_store_max_id(s, SPD_T_ITEM, &max, NULL));
    while (id <= max) {
        last++;
        for (int i = 0; i < rows_of(last); i++, id++) {
            struct spd_item it;
            struct spd_timer t;
            int64_t found[2];
            size_t n;
            OK(spd_get_item(s, id, &it, a, NULL));
            OK(spd_get_timer(s, id, &t, a, NULL));
            assert_int_equal(it.wait_raises, last);
            OK(spd_store_find(s, SPD_KEY_ITEM_ACCESSION, spd_key_cx(a, &it.accession), 0, found, 2,
                              &n, NULL));
            assert_int_equal(n, 1);
            assert_int_equal(found[0], id);
        }
    }
    assert_int_equal(id, max + 1);
    if (last < acknowledged)
        fail_msg("batch %lld was reported and is gone", (long long)acknowledged);
    *ret_next = id;
    *ret_batch = last;
    spd_store_close(s);
    spd_arena_free(a);
}

static void killed_at_random_nothing_reported_is_lost(void **state)
{
    const char *more = getenv("SPOED_KILLS");
    int64_t rounds = 50, next = 1, batch = 0, reported = 0;
    uint64_t seed = (uint64_t)getpid() * 2654435761u + 1;
    (void)state;
    if (more) spd_sv_to_i64(spd_sv_from(more), &rounds);
    for (int64_t round = 0; round < rounds; round++) {
        int fds[2];
        int64_t acknowledged = batch, got;
        pid_t pid;
        struct timespec wait = {0, (long)(rnd(&seed) % 20000000)};
        assert_int_equal(pipe(fds), 0);
        pid = fork();
        if (pid == 0) child(fds[1], batch + 1, next);
        close(fds[1]);
        if (rnd(&seed) % 4 && read(fds[0], &got, sizeof got) == sizeof got)
            acknowledged = got, reported++;
        nanosleep(&wait, NULL); /* else killed while it opens */
        kill(pid, SIGKILL);
        while (read(fds[0], &got, sizeof got) == sizeof got) acknowledged = got, reported++;
        close(fds[0]);
        int status;
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
        check(next, acknowledged, &next, &batch);
    }
    printf("%lld kills, %lld batches reported, %lld rows found\n", (long long)rounds,
           (long long)reported, (long long)next - 1);
    assert_true(reported > 0);
}

static void the_file_is_sound_afterwards(void **state)
{
    struct spd_store *s;
    int64_t sound = 0, n[3];
    (void)state;
    OK(spd_store_open(place.url, SPD_STORE_READ, &s, NULL));
    struct sqlite3 *db = spd_store_sqlite_db(s);
    OK(spd_sqlite_number(db, "SELECT integrity_check='ok' FROM pragma_integrity_check LIMIT 1",
                         &sound, NULL));
    assert_int_equal(sound, 1);
    OK(spd_sqlite_number(db, "SELECT count(*) FROM item", &n[0], NULL));
    OK(spd_sqlite_number(db, "SELECT count(*) FROM timer", &n[1], NULL));
    OK(spd_sqlite_number(db, "SELECT count(*) FROM key WHERE kind=1", &n[2], NULL));
    assert_int_equal(n[0], n[1]);
    assert_int_equal(n[0], n[2]);
    spd_store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_random_nothing_reported_is_lost),
        cmocka_unit_test(the_file_is_sound_afterwards),
    };
    int failed;
    place = folder_make();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    folder_remove(&place);
    return failed;
}
