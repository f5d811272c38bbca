/* src/cli/cmd_db.c: `spoed db status | migrate | backup FILE`: the database of the configuration.
 * status and backup read beside a running brain; migrate writes, so the brain must be stopped. Exit
 * 5 from status says that the schema is not this program's. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "cli/cli.h"
#include "daemon/config.h"
#include "store/sqlite.h"

int cmd_db(const struct spd_cli *cli, int argc, char **argv);

static int failed(const struct spd_cli *cli, const struct spd_err *err)
{
    int code = err->rc == SPD_STALE ? SPD_EXIT_MIGRATE : SPD_EXIT_FAILURE;
    if (!cli->json) {
        fprintf(stderr, "spoed: %s: %s\n", err->place, err->text);
        return code;
    }
    struct spd_str out = SPD_STR_INIT(4096);
    spd_str_addz(&out, "{\"ok\":false,\"place\":");
    spd_str_json(&out, spd_sv_from(err->place));
    spd_str_addz(&out, ",\"error\":");
    spd_str_json(&out, spd_sv_from(err->text));
    printf("%.*s}\n", SPD_SV_ARG(spd_str_sv(&out)));
    spd_str_done(&out);
    return code;
}

/* ---- status ---------------------------------------------------------------------------------- */
struct status {
    size_t version;
    int64_t bytes, sound, journal, rows[SPD_T_N];
};

static enum spd_rc read_status(struct sqlite3 *db, struct status *ret, struct spd_err *err)
{
    enum spd_rc rc;
    if ((rc = spd_sqlite_version(db, &ret->version, err)) ||
        (rc = spd_sqlite_number(
             db, "SELECT page_count*page_size FROM pragma_page_count, pragma_page_size",
             &ret->bytes, err)) ||
        (rc = spd_sqlite_number(db, "SELECT quick_check='ok' FROM pragma_quick_check LIMIT 1",
                                &ret->sound, err)))
        return rc;
    for (int t = 0; t < SPD_T_N && ret->version == spd_schema_sqlite.n; t++) {
        char sql[96];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", spd_table_name((enum spd_table)t));
        if ((rc = spd_sqlite_number(db, sql, &ret->rows[t], err))) return rc;
    }
    return SPD_OK;
}

static void print_status_json(const struct status *s, const char *path)
{
    struct spd_str out = SPD_STR_INIT(16384);
    spd_str_addz(&out, "{\"path\":");
    spd_str_json(&out, spd_sv_from(path));
    spd_str_addf(&out,
                 ",\"schema\":%zu,\"schema_of_program\":%zu,\"bytes\":%" PRId64
                 ",\"sound\":%s,\"rows\":{",
                 s->version, spd_schema_sqlite.n, s->bytes, s->sound ? "true" : "false");
    for (int t = 0; t < SPD_T_N; t++)
        spd_str_addf(&out, "%s\"%s\":%" PRId64, t ? "," : "", spd_table_name((enum spd_table)t),
                     s->rows[t]);
    printf("%.*s}}\n", SPD_SV_ARG(spd_str_sv(&out)));
    spd_str_done(&out);
}

static void print_status(const struct status *s, const char *path)
{
    printf("database  %s\nschema    %zu (this program: %zu)%s\nsize      %.1f MB\ncheck     %s\n",
           path, s->version, spd_schema_sqlite.n,
           s->version < spd_schema_sqlite.n   ? ": stop the brain and run spoed db migrate"
           : s->version > spd_schema_sqlite.n ? ": made by a newer program; install that one"
                                              : "",
           (double)s->bytes / 1e6, s->sound ? "ok" : "NOT SOUND: restore a backup");
    for (int t = 0; t < SPD_T_N; t++)
        if (s->rows[t])
            printf("%-14s %12" PRId64 "\n", spd_table_name((enum spd_table)t), s->rows[t]);
}

static int status(const struct spd_cli *cli, const char *path)
{
    struct status s;
    struct sqlite3 *db = NULL;
    struct spd_err err = {0};
    memset(&s, 0, sizeof s);
    if (spd_sqlite_connect(path, SPD_SQLITE_READER, false, &db, &err)) return failed(cli, &err);
    if (read_status(db, &s, &err)) {
        sqlite3_close_v2(db);
        return failed(cli, &err);
    }
    sqlite3_close_v2(db);
    if (cli->json) print_status_json(&s, path);
    else print_status(&s, path);
    if (!s.sound) return SPD_EXIT_FAILURE;
    return s.version == spd_schema_sqlite.n ? SPD_EXIT_OK : SPD_EXIT_MIGRATE;
}

/* ---- migrate, backup ------------------------------------------------------------------------- */
static int migrate(const struct spd_cli *cli, const char *url, const char *path)
{
    struct spd_store *s = NULL;
    struct sqlite3 *db = NULL;
    struct spd_err err = {0};
    size_t before = 0;
    /* Only an existing database is migrated: a mistyped path must not become an empty one. */
    if (spd_sqlite_connect(path, SPD_SQLITE_READER, false, &db, &err)) return failed(cli, &err);
    if (spd_sqlite_version(db, &before, &err)) {
        sqlite3_close_v2(db);
        return failed(cli, &err);
    }
    sqlite3_close_v2(db);
    if (spd_store_open(url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, &err)) return failed(cli, &err);
    spd_store_close(s);
    if (cli->json) printf("{\"ok\":true,\"from\":%zu,\"to\":%zu}\n", before, spd_schema_sqlite.n);
    else if (before == spd_schema_sqlite.n) printf("schema %zu: nothing to do\n", before);
    else if (!before) printf("schema %zu made\n", spd_schema_sqlite.n);
    else
        printf("schema %zu -> %zu; the database as it was: %s.before-%zu\n", before,
               spd_schema_sqlite.n, path, spd_schema_sqlite.n);
    return SPD_EXIT_OK;
}

static void show_progress(void *ctx, int done, int all)
{
    const bool *color = ctx;
    int percent = all ? (int)((int64_t)done * 100 / all) : 100;
    if (*color)
        fprintf(stderr, "\rbackup [%-25.*s] %3d %%", percent / 4, "#########################",
                percent);
}

static int backup(const struct spd_cli *cli, const char *path, const char *to)
{
    struct sqlite3 *db = NULL;
    struct spd_err err = {0};
    bool show = !cli->quiet && !cli->json && isatty(2);
    enum spd_rc rc = spd_sqlite_connect(path, SPD_SQLITE_READER, false, &db, &err);
    if (!rc) rc = spd_sqlite_backup(db, to, show_progress, &show, &err);
    if (show) fprintf(stderr, "\n");
    sqlite3_close_v2(db);
    if (rc) return failed(cli, &err);
    if (cli->json) printf("{\"ok\":true}\n");
    else if (!cli->quiet) printf("written and checked: %s\n", to);
    return SPD_EXIT_OK;
}

int cmd_db(const struct spd_cli *cli, int argc, char **argv)
{
    static const char prefix[] = "sqlite:";
    struct spd_config *c = NULL;
    struct spd_err err = {0};
    const char *verb = argc > 1 ? argv[1] : "";
    bool with_file = !strcmp(verb, "backup");
    int code;
    if ((strcmp(verb, "status") && strcmp(verb, "migrate") && !with_file) ||
        argc != (with_file ? 3 : 2)) {
        fprintf(stderr, "usage: spoed [-c FILE] db migrate | status | backup FILE\n");
        return SPD_EXIT_USAGE;
    }
    if (spd_config_load(cli->config, &c, &err)) {
        failed(cli, &err);
        return SPD_EXIT_CONFIG;
    }
    struct spd_str url = SPD_STR_INIT(8192);
    spd_str_add(&url, c->store_url);
    spd_config_free(c);
    if (strncmp(url.ptr ? url.ptr : "", prefix, sizeof prefix - 1)) {
        fprintf(stderr, "spoed: store.url: not a database file: there is nothing to look after\n");
        code = SPD_EXIT_CONFIG;
    } else {
        const char *path = url.ptr + sizeof prefix - 1;
        code = with_file                 ? backup(cli, path, argv[2])
               : !strcmp(verb, "status") ? status(cli, path)
                                         : migrate(cli, url.ptr, path);
    }
    spd_str_done(&url);
    return code;
}
