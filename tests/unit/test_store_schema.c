/* tests/unit/test_store_schema.c: the tables of a fresh database are exactly those that the model
 * asks for. "test_store_schema --print" writes the CREATE TABLE statements that the model asks for
 * today. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/columns.h"
#include "store/sqlite.h"

static void print_schema(void)
{
    for (int t = 0; t < SPD_T_N; t++) {
        struct spd_columns c = spd_columns_of((enum spd_table)t);
        printf("CREATE TABLE \"%s\"(\n", spd_table_name((enum spd_table)t));
        for (size_t i = 0; i < c.n; i++)
            printf("  \"%s\" %s%s%s%s\n", c.v[i].name, spd_column_type(&c.v[i]),
                   i ? " NOT NULL DEFAULT " : " PRIMARY KEY", i ? spd_column_default(&c.v[i]) : "",
                   i + 1 < c.n ? "," : "");
        printf(") STRICT;\n\n");
    }
}

static struct sqlite3 *fresh(void)
{
    struct sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    for (size_t i = 0; i < spd_schema_sqlite.n; i++)
        if (sqlite3_exec(db, spd_schema_sqlite.sql[i], NULL, NULL, &message))
            fail_msg("%04zu.sql: %s", i + 1, message);
    return db;
}

static void columns_are_those_of_the_model(void **state)
{
    struct sqlite3 *db = fresh();
    (void)state;
    for (int t = 0; t < SPD_T_N; t++) {
        struct spd_columns c = spd_columns_of((enum spd_table)t);
        sqlite3_stmt *st = NULL;
        size_t i = 0;
        const char *table = spd_table_name((enum spd_table)t);
        assert_int_equal(sqlite3_prepare_v2(db,
                                            "SELECT name,type,\"notnull\",dflt_value,pk FROM "
                                            "pragma_table_info(?1) ORDER BY cid",
                                            -1, &st, NULL),
                         SQLITE_OK);
        sqlite3_bind_text(st, 1, table, -1, SQLITE_STATIC);
        for (; sqlite3_step(st) == SQLITE_ROW; i++) {
            const char *name = (const char *)sqlite3_column_text(st, 0);
            bool known = false;
            for (size_t k = 0; k < c.n; k++) {
                if (strcmp(c.v[k].name, name)) continue;
                known = true;
                if (strcmp(spd_column_type(&c.v[k]), (const char *)sqlite3_column_text(st, 1)))
                    fail_msg("%s.%s should be %s", table, name, spd_column_type(&c.v[k]));
                if (k == 0) assert_int_equal(sqlite3_column_int(st, 4), 1);
                else if (!sqlite3_column_int(st, 2) || !sqlite3_column_text(st, 3) ||
                         strcmp(spd_column_default(&c.v[k]),
                                (const char *)sqlite3_column_text(st, 3)))
                    fail_msg("%s.%s should be NOT NULL DEFAULT %s", table, name,
                             spd_column_default(&c.v[k]));
            }
            if (!known) fail_msg("%s.%s is in the schema and not in the model", table, name);
        }
        sqlite3_finalize(st);
        if (i != c.n)
            fail_msg("table %s has %zu columns, the model %zu: a member was added without a "
                     "numbered .sql file",
                     table, i, c.n);
    }
    sqlite3_close(db);
}

static void tables_are_strict(void **state)
{
    struct sqlite3 *db = fresh();
    int64_t loose = -1;
    (void)state;
    assert_int_equal(
        spd_sqlite_number(db,
                          "SELECT count(*) FROM pragma_table_list WHERE type='table' AND "
                          "schema='main' AND NOT strict AND name NOT LIKE 'sqlite_%'",
                          &loose, NULL),
        SPD_OK);
    assert_int_equal(loose, 0);
    sqlite3_close(db);
}

/* A view that names a column that is gone is found only when it is asked. */
static void views_can_be_read(void **state)
{
    struct sqlite3 *db = fresh();
    sqlite3_stmt *st = NULL;
    int views = 0;
    (void)state;
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type='view'", -1, &st, NULL),
        SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW) {
        char sql[200];
        const char *name = (const char *)sqlite3_column_text(st, 0);
        assert_memory_equal(name, "report_", 7);
        snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" LIMIT 1", name);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL))
            fail_msg("view %s: %s", name, sqlite3_errmsg(db));
        views++;
    }
    assert_true(views >= 4);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_those_of_the_model),
        cmocka_unit_test(tables_are_strict),
        cmocka_unit_test(views_can_be_read),
    };
    if (argc > 1 && !strcmp(argv[1], "--print")) {
        print_schema();
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
