/* tests/unit/test_cli_db.c: `spoed db` by exit code and effect. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sqlite3.h>

#include "cli/cli.h"
#include "store/sqlite.h"
#include "unit/store_folder.h"

int cmd_db(const struct spd_cli *cli, int argc, char **argv);

static struct folder place;
static char config[128];

static int run(const char *verb, const char *file)
{
    struct spd_cli cli = {.config = config, .quiet = true};
    char *argv[] = {"db", (char *)verb, (char *)file, NULL};
    return cmd_db(&cli, file ? 3 : verb ? 2 : 1, argv);
}

static int set_up(void **state)
{
    FILE *f;
    (void)state;
    place = folder_make();
    snprintf(config, sizeof config, "%s/spoed.yaml", place.path);
    f = fopen(config, "w");
    fprintf(f, "site: {name: ZZTest, time_zone: Europe/Amsterdam}\nstore: {url: \"%s\"}\n",
            place.url);
    return fclose(f);
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(&place);
    return 0;
}

static void make_at(int version)
{
    struct spd_store *s;
    char sql[64];
    assert_int_equal(spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL),
                     SPD_OK);
    snprintf(sql, sizeof sql, "PRAGMA user_version=%d", version);
    sqlite3_exec(spd_store_sqlite_db(s), sql, NULL, NULL, NULL);
    spd_store_close(s);
}

static void usage(void **state)
{
    (void)state;
    assert_int_equal(run(NULL, NULL), SPD_EXIT_USAGE);
    assert_int_equal(run("nonsense", NULL), SPD_EXIT_USAGE);
    assert_int_equal(run("backup", NULL), SPD_EXIT_USAGE);
    assert_int_equal(run("status", "x"), SPD_EXIT_USAGE);
}

static void no_database_is_made_by_looking(void **state)
{
    (void)state;
    assert_int_equal(run("status", NULL), SPD_EXIT_FAILURE);
    assert_int_equal(run("migrate", NULL), SPD_EXIT_FAILURE);
    assert_int_not_equal(access(place.db, F_OK), 0);
}

static void status_says_whether_to_migrate(void **state)
{
    (void)state;
    make_at((int)spd_schema_sqlite.n);
    assert_int_equal(run("status", NULL), SPD_EXIT_OK);
    assert_int_equal(run("migrate", NULL), SPD_EXIT_OK);
    make_at((int)spd_schema_sqlite.n + 7);
    assert_int_equal(run("status", NULL), SPD_EXIT_MIGRATE);
    assert_int_equal(run("migrate", NULL), SPD_EXIT_MIGRATE); /* newer than the program: refused */
}

static void migrate_is_refused_beside_a_writer(void **state)
{
    struct spd_store *s;
    (void)state;
    assert_int_equal(spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL),
                     SPD_OK);
    assert_int_equal(run("migrate", NULL), SPD_EXIT_FAILURE);
    assert_int_equal(run("status", NULL), SPD_EXIT_OK); /* reading is no matter */
    spd_store_close(s);
}

static void backup_writes_a_database_once(void **state)
{
    char to[128], url[160];
    struct spd_store *s;
    (void)state;
    make_at((int)spd_schema_sqlite.n);
    snprintf(to, sizeof to, "%s/copy.db", place.path);
    snprintf(url, sizeof url, "sqlite:%s", to);
    assert_int_equal(run("backup", to), SPD_EXIT_OK);
    assert_int_equal(run("backup", to), SPD_EXIT_FAILURE); /* never over a file */
    assert_int_equal(spd_store_open(url, SPD_STORE_READ, &s, NULL), SPD_OK);
    spd_store_close(s);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(usage), CASE(no_database_is_made_by_looking), CASE(status_says_whether_to_migrate),
        CASE(migrate_is_refused_beside_a_writer), CASE(backup_writes_a_database_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
