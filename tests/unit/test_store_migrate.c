/* tests/unit/test_store_migrate.c: from every older schema number to the last, a crash and an error
 * in the middle, what is refused, and the copy beside the file. The numbers behind the real ones
 * are made up here. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <sys/wait.h>

#include "store/sqlite.h"
#include "unit/store_folder.h"

#define OK(call) assert_int_equal((call), SPD_OK)
enum { EXTRA = 3, MOST = 64 };

static struct folder place;

static int set_up(void **state)
{
    (void)state;
    place = folder_make();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(&place);
    return 0;
}

/* The real numbers, and three that a later program might have; last is what stands in the very last
 * one. Good until the next call. */
static struct spd_schema longer(const char *last)
{
    static const char *sql[MOST];
    size_t n = spd_schema_sqlite.n;
    assert_true(n + EXTRA <= MOST);
    for (size_t i = 0; i < n; i++) sql[i] = spd_schema_sqlite.sql[i];
    sql[n] = "ALTER TABLE setting ADD COLUMN one TEXT NOT NULL DEFAULT 'x';";
    sql[n + 1] = "CREATE TABLE later(id INTEGER PRIMARY KEY) STRICT; INSERT INTO later VALUES(1);";
    sql[n + 2] = last;
    return (struct spd_schema){sql, n + EXTRA};
}
static const char good[] = "INSERT INTO later SELECT id+1 FROM later; UPDATE setting SET one='y';";

static struct sqlite3 *connect_db(void)
{
    struct sqlite3 *db;
    OK(spd_sqlite_connect(place.db, SPD_SQLITE_WRITER, true, &db, NULL));
    return db;
}

static int64_t number(struct sqlite3 *db, const char *sql)
{
    int64_t n = -1;
    OK(spd_sqlite_number(db, sql, &n, NULL));
    return n;
}

static void make_at(size_t version)
{
    struct spd_schema s = longer(good);
    struct sqlite3 *db = connect_db();
    s.n = version;
    OK(spd_sqlite_migrate(db, place.db, &s, NULL));
    if (version)
        assert_int_equal(sqlite3_exec(db, "INSERT INTO setting(id,name,value) VALUES(1,'n','v')",
                                      NULL, NULL, NULL),
                         SQLITE_OK);
    sqlite3_close(db);
}

static void from_every_older_number(void **state)
{
    struct spd_schema all = longer(good);
    (void)state;
    for (size_t from = 0; from <= all.n; from++) {
        char copy[128];
        struct sqlite3 *db;
        int64_t v = -1;
        if (from) folder_remove(&place), place = folder_make();
        make_at(from);
        db = connect_db();
        OK(spd_sqlite_migrate(db, place.db, &all, NULL));
        assert_int_equal(number(db, "PRAGMA user_version"), (int64_t)all.n);
        assert_int_equal(number(db, "SELECT count(*) FROM later"), 2);
        assert_int_equal(number(db, "SELECT count(*) FROM setting WHERE name='n' AND value='v'"),
                         from > 0);
        sqlite3_close(db);
        snprintf(copy, sizeof copy, "%s.before-%zu", place.db, all.n);
        if (from == 0 || from == all.n) {
            assert_int_not_equal(access(copy, F_OK), 0); /* nothing to keep */
            continue;
        }
        OK(spd_sqlite_connect(copy, SPD_SQLITE_READER, false, &db, NULL));
        OK(spd_sqlite_number(db, "PRAGMA user_version", &v, NULL));
        assert_int_equal(v, (int64_t)from);
        assert_int_equal(number(db, "SELECT count(*) FROM setting"), 1);
        sqlite3_close(db);
    }
}

static void die(sqlite3_context *c, int n, sqlite3_value **v)
{
    (void)c, (void)n, (void)v;
    _exit(9);
}

static void crash_in_the_middle(void **state)
{
    struct spd_schema bad, all;
    struct sqlite3 *db;
    int status = 0;
    pid_t pid;
    (void)state;
    make_at(spd_schema_sqlite.n);
    bad = longer("INSERT INTO later VALUES(7); SELECT die();");
    if ((pid = fork()) == 0) {
        db = connect_db();
        sqlite3_create_function(db, "die", 0, SQLITE_UTF8, NULL, die, NULL, NULL);
        spd_sqlite_migrate(db, place.db, &bad, NULL);
        _exit(1); /* it should not get here */
    }
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 9);
    db = connect_db();
    assert_int_equal(number(db, "PRAGMA user_version"), (int64_t)spd_schema_sqlite.n);
    assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE name='later'"), 0);
    all = longer(good);
    OK(spd_sqlite_migrate(db, place.db, &all,
                          NULL)); /* the copy is there already: that is all right */
    assert_int_equal(number(db, "SELECT count(*) FROM later"), 2);
    sqlite3_close(db);
}

static void error_in_the_middle(void **state)
{
    struct spd_schema bad;
    struct sqlite3 *db;
    (void)state;
    make_at(spd_schema_sqlite.n);
    bad = longer("UPDATE setting SET nonsense=1;");
    db = connect_db();
    assert_int_equal(spd_sqlite_migrate(db, place.db, &bad, NULL), SPD_BUG);
    assert_int_equal(number(db, "PRAGMA user_version"), (int64_t)spd_schema_sqlite.n);
    assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE name='later'"), 0);
    assert_int_equal(number(db, "SELECT count(*) FROM setting"), 1);
    sqlite3_close(db);
}

static void what_is_refused(void **state)
{
    struct spd_store *s = NULL, *second = NULL;
    struct sqlite3 *db;
    struct spd_err err;
    (void)state;
    assert_int_equal(spd_store_open("postgresql://x", SPD_STORE_READ, &s, &err), SPD_INVALID);
    assert_int_equal(spd_store_open("sqlite:", SPD_STORE_READ, &s, &err), SPD_INVALID);
    assert_int_equal(spd_store_open(place.url, SPD_STORE_READ, &s, &err), SPD_NOTFOUND);
    assert_int_equal(spd_store_open(place.url, SPD_STORE_WRITE, &s, &err), SPD_NOTFOUND);
    assert_int_equal(
        spd_store_open("sqlite:/no/such/folder/x.db", SPD_STORE_WRITE | SPD_STORE_CREATE, &s, &err),
        SPD_NOTFOUND);
    make_at(0); /* an empty database */
    assert_int_equal(spd_store_open(place.url, SPD_STORE_READ, &s, &err), SPD_STALE);
    assert_int_equal(spd_store_open(place.url, SPD_STORE_WRITE, &s, &err), SPD_STALE);
    OK(spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, &err));
    assert_int_equal(spd_store_open(place.url, SPD_STORE_WRITE, &second, &err),
                     SPD_AGAIN); /* two writers */
    OK(spd_store_open(place.url, SPD_STORE_READ, &second, &err));
    spd_store_close(second);
    spd_store_close(s);
    db = connect_db();
    sqlite3_exec(db, "PRAGMA user_version=9999", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_int_equal(spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, &err),
                     SPD_STALE);
    assert_int_equal(spd_store_open(place.url, SPD_STORE_READ, &s, &err), SPD_STALE);
}

static void a_strange_file_is_left_alone(void **state)
{
    struct spd_store *s;
    struct sqlite3 *db;
    (void)state;
    assert_int_equal(sqlite3_open(place.db, &db), SQLITE_OK);
    sqlite3_exec(db, "CREATE TABLE theirs(x)", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_int_equal(spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL),
                     SPD_INVALID);
    assert_int_equal(truncate(place.db, 0), 0);
    FILE *f = fopen(place.db, "w");
    for (int i = 0; i < 5000; i++) fputs("this is no database\n", f);
    fclose(f);
    assert_int_equal(spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL),
                     SPD_IO);
}

static void backup_of_a_live_database(void **state)
{
    struct spd_store *s, *b;
    struct sqlite3 *db;
    char to[128], url[160];
    int64_t n = 0;
    (void)state;
    snprintf(to, sizeof to, "%s/copy.db", place.path);
    snprintf(url, sizeof url, "sqlite:%s", to);
    OK(spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL));
    struct spd_setting one = {.id = 1, .name = SPD_SV("n")}, two = {.id = 2, .name = SPD_SV("m")};
    OK(spd_store_begin(s, NULL));
    OK(spd_put_setting(s, &one, NULL, NULL));
    OK(spd_store_commit(s, NULL));
    OK(spd_store_begin(s, NULL));
    OK(spd_put_setting(s, &two, NULL, NULL)); /* not committed: not in the copy */
    OK(spd_sqlite_connect(place.db, SPD_SQLITE_READER, false, &db, NULL));
    OK(spd_sqlite_backup(db, to, NULL, NULL, NULL));
    assert_int_equal(spd_sqlite_backup(db, to, NULL, NULL, NULL), SPD_EXISTS);
    sqlite3_close(db);
    OK(spd_store_commit(s, NULL));
    spd_store_close(s);
    OK(spd_store_open(url, SPD_STORE_WRITE, &b, NULL)); /* a copy is a database like any other */
    OK(spd_store_max_id(b, SPD_T_SETTING, &n, NULL));
    assert_int_equal(n, 1);
    spd_store_close(b);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(from_every_older_number), CASE(crash_in_the_middle), CASE(error_in_the_middle),
        CASE(what_is_refused), CASE(a_strange_file_is_left_alone), CASE(backup_of_a_live_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
