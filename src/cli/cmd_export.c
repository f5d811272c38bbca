/* src/cli/cmd_export.c: `spoed export journal [--from N]`: every event as a JSON line, read beside
 * a running brain. It holds everything, patients included: for replay elsewhere and for bug reports
 * from test systems. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/api.h"
#include "core/core.h"

int cmd_export(const struct spd_cli *cli, int argc, char **argv);

enum { PAGE = 200, PROGRESS_EVERY = 10000 };
#define ROW_MAX ((size_t)128 << 20)

/* What opens doors stays at home: the key of page links, passwords and tokens (their hashes too).
 */
static void without_secrets(struct spd_event *e)
{
    if (e->type == SPD_EVENT_START) e->u.start->secret = SPD_SV_NONE;
    if (e->type == SPD_EVENT_USER)
        e->u.user->user.password = SPD_SV_NONE, e->u.user->user.tokens.n = 0;
    if (e->type == SPD_EVENT_ACTION) e->u.action->token = SPD_SV_NONE;
}

static enum spd_rc print_row(struct spd_store *s, int64_t id, struct spd_arena *arena,
                             struct spd_err *err)
{
    struct spd_str out = SPD_STR_INIT(ROW_MAX);
    struct spd_journal row;
    struct spd_event event;
    enum spd_rc rc;
    spd_arena_reset(arena);
    rc = spd_get_journal(s, id, &row, arena, err);
    if (!rc) rc = spd_event_decode(row.event, &event, arena, err);
    if (!rc) {
        without_secrets(&event);
        spd_str_addf(&out, "{\"seq\": %lld, \"at\": %lld, \"type\": ", (long long)row.id,
                     (long long)row.at);
        spd_str_json(&out, spd_sv_from(spd_enum_name(spd_event_type_names, row.type)));
        spd_str_addz(&out, ", \"event\": ");
        spd_desc_json(spd_event_desc(event.type), event.u.any, &out);
        spd_str_addz(&out, "}\n");
        rc = spd_str_ok(&out)
                 ? SPD_OK
                 : spd_fail(err, out.rc, "journal", "row %lld is too long", (long long)id);
    }
    if (!rc && fwrite(out.ptr, 1, out.len, stdout) != out.len)
        rc = spd_fail(err, SPD_IO, "export", "cannot write");
    spd_str_done(&out);
    return rc;
}

static enum spd_rc export_journal(struct spd_store *s, int64_t from, bool progress,
                                  struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new(ROW_MAX);
    int64_t ids[PAGE], after = from - 1, last = 0, done = 0;
    size_t n = 0;
    enum spd_rc rc = spd_store_max_id(s, SPD_T_JOURNAL, &last, err);
    if (!arena) spd_out_of_memory();
    while (!rc) {
        rc = spd_store_scan(s, SPD_T_JOURNAL, after, false, ids, PAGE, &n, err);
        for (size_t i = 0; i < n && !rc; i++) {
            rc = print_row(s, ids[i], arena, err);
            after = ids[i];
            if (progress && ++done % PROGRESS_EVERY == 0)
                fprintf(stderr, "\r%lld of %lld", (long long)after, (long long)last);
        }
        if (n < PAGE) break;
    }
    if (progress && done >= PROGRESS_EVERY) fputc('\n', stderr);
    spd_arena_free(arena);
    return rc;
}

int cmd_export(const struct spd_cli *cli, int argc, char **argv)
{
    struct spd_config *c;
    struct spd_store *store = NULL;
    struct spd_err err = {0};
    int64_t from = 1;
    bool usage = argc < 2 || strcmp(argv[1], "journal") || (argc != 2 && argc != 4);
    enum spd_rc rc;
    if (!usage && argc == 4)
        usage =
            strcmp(argv[2], "--from") || !spd_sv_to_i64(spd_sv_from(argv[3]), &from) || from < 1;
    if (usage) {
        fprintf(stderr, "usage: spoed export journal [--from NUMBER]\n");
        return SPD_EXIT_USAGE;
    }
    c = spd_api_config(cli);
    if (!c) return SPD_EXIT_CONFIG;
    rc = spd_store_open(spd_arena_dup(c->arena, c->store_url).ptr, SPD_STORE_READ, &store, &err);
    if (!rc) rc = export_journal(store, from, !cli->quiet && isatty(2) && !isatty(1), &err);
    if (rc) fprintf(stderr, "spoed: %s: %s\n", err.place, err.text);
    spd_store_close(store);
    spd_config_free(c);
    return !rc ? SPD_EXIT_OK : rc == SPD_STALE ? SPD_EXIT_MIGRATE : SPD_EXIT_FAILURE;
}
