/* tests/unit/test_result_data.c: every structured report beside the checkout ends as tests/suites/result/data-sr.tsv
 * says, through the real decoder process, and docs/results-read.md shows that table. The first part skips when the
 * folder is absent; `test_result_data print` prints what was read, in the form of the table, `test_result_data page`
 * the table as the page must have it. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/source.h"
#include "result/frame.h"
#include "result/result.h"

#define DATA SPOED_SOURCE_DIR "/../shared/data/dicom-sr"

extern char **environ;
static struct spd_codes *codes;

/* The first result of an object, as most tests want it. */
static enum spd_read read_first(const struct spd_sr_doc *doc, const struct spd_codes *with, struct spd_result *r,
                                spd_sv *why, struct spd_arena *arena)
{
    struct spd_reading got;
    enum spd_read read = spd_result_read(doc, with, &got, arena);
    *r = got.n_results ? got.results[0] : (struct spd_result){0};
    *why = got.why;
    return read;
}

/* One object through a decoder process of its own. */
static enum spd_rc decode(spd_sv bytes, char *ret_type, spd_sv *ret_body, struct spd_arena *arena)
{
    int pair[2];
    char program[] = SPOED_BUILD_DIR "/spoed-dicom", verb[] = "decode", *argv[] = {program, verb, NULL};
    posix_spawn_file_actions_t fa;
    pid_t pid;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, pair[1], 0);
    posix_spawn_file_actions_adddup2(&fa, pair[1], 1);
    assert_int_equal(posix_spawn(&pid, program, &fa, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&fa);
    close(pair[1]);
    assert_int_equal(spd_frame_write1(pair[0], 'D', bytes), SPD_OK);
    enum spd_rc rc = spd_frame_read(pair[0], ret_type, ret_body, 20000, arena);
    close(pair[0]);
    waitpid(pid, NULL, 0);
    return rc;
}

/* "result\tpositive\tpneumothorax present 0.93 lung left" and so on: a line of the table without the file. */
static void describe(spd_sv bytes, struct spd_str *out, struct spd_str *more, struct spd_arena *arena)
{
    static const char *const outcomes[] = {"", "result", "not_a_result", "refused", "text", "companion"};
    char type = 0;
    spd_sv body, why;
    struct spd_sr_doc doc;
    struct spd_result r;
    struct spd_err err = {0};
    assert_int_equal(decode(bytes, &type, &body, arena), SPD_OK);
    if (type == 'r') {
        spd_str_addz(out, "refused\t-\t-");
        spd_str_add(more, body);
        return;
    }
    assert_int_equal(spd_sr_doc_decode(body, &doc, arena, &err), SPD_OK);
    enum spd_read read = read_first(&doc, codes, &r, &why, arena);
    spd_str_addf(out, "%s\t%s\t", outcomes[read], r.state ? spd_ai_state_names[r.state] : "-");
    for (size_t i = 0; i < r.findings.n; i++) {
        const struct spd_finding *f = &r.findings.v[i];
        spd_str_addf(out, "%s%.*s=%s", i ? ";" : "", SPD_SV_ARG(f->concept.len ? f->concept : SPD_SV("?")),
                     spd_present_names[f->present]);
        if (f->probability >= 0) spd_str_addf(out, "@%d", (int)f->probability);
        if (f->site.len) spd_str_addf(out, "/%.*s", SPD_SV_ARG(f->site));
        if (f->laterality.len) spd_str_addf(out, "/%.*s", SPD_SV_ARG(f->laterality));
    }
    if (!r.findings.n) spd_str_addc(out, '-');
    spd_str_addf(more, "%.*s | %.*s %.*s %.*s |", SPD_SV_ARG(why), SPD_SV_ARG(r.manufacturer), SPD_SV_ARG(r.name), SPD_SV_ARG(r.version));
    for (size_t i = 0; i < r.notes.n; i++) spd_str_addf(more, " %.*s;", SPD_SV_ARG(r.notes.v[i]));
}

static int each(bool print)
{
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    struct spd_source table;
    struct spd_err err = {0};
    int wrong = 0, n = 0;
    glob_t g;
    if (access(DATA, R_OK)) {
        printf("skipped: %s is not there\n", DATA);
        spd_arena_free(arena);
        return -1;
    }
    assert_int_equal(spd_codes_load_dir(SPOED_SOURCE_DIR "/packaging/share/codes", NULL, &codes, &err), SPD_OK);
    if (spd_source_read(SPOED_SOURCE_DIR "/tests/suites/result/data-sr.tsv", 1 << 20, &table, arena, &err))
        table = (struct spd_source){0};
    glob(DATA "/*/*.dcm", 0, NULL, &g);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        const char *name = g.gl_pathv[i] + strlen(DATA) + 1;
        struct spd_arena *one = spd_arena_new((size_t)200 << 20);
        struct spd_source file;
        struct spd_str line = SPD_STR_INIT(1 << 20), more = SPD_STR_INIT(1 << 20);
        if (strstr(name, "ref-image")) goto next;
        assert_int_equal(spd_source_read(g.gl_pathv[i], 32 << 20, &file, one, &err), SPD_OK);
        n++;
        spd_str_addf(&line, "%s\t", name);
        describe(file.text, &line, &more, one);
        spd_str_addc(&line, '\n');
        if (print) printf("%s    # %s\n", line.ptr, more.ptr ? more.ptr : "");
        else if (!spd_sv_find(table.text, spd_str_sv(&line), NULL)) {
            printf("not as the table says: %s", line.ptr);
            wrong++;
        }
    next:
        spd_str_done(&line), spd_str_done(&more);
        spd_arena_free(one);
    }
    globfree(&g);
    spd_codes_free(codes);
    spd_arena_free(arena);
    if (!print) printf("%d objects read\n", n);
    return wrong;
}

static void every_report_is_read_as_the_table_says(void **state)
{
    (void)state;
    int wrong = each(false);
    if (wrong < 0) skip();
    assert_int_equal(wrong, 0);
}

/* ---- the page ------------------------------------------------------------------------------------ */
#define PAGE SPOED_SOURCE_DIR "/docs/results-read.md"

/* "intracranial-hemorrhage=present@910000/brain/left" as people write it. */
static void in_words(spd_sv finding, struct spd_str *out)
{
    size_t eq = 0, at;
    if (!spd_sv_find(finding, SPD_SV("="), &eq)) return;
    spd_sv name = spd_sv_of(finding.ptr, eq), rest = spd_sv_of(finding.ptr + eq + 1, finding.len - eq - 1), more = SPD_SV_NONE;
    if (spd_sv_find(rest, SPD_SV("/"), &at)) more = spd_sv_of(rest.ptr + at + 1, rest.len - at - 1), rest.len = at;
    int64_t micro = -1;
    if (spd_sv_find(rest, SPD_SV("@"), &at)) spd_sv_to_i64(spd_sv_of(rest.ptr + at + 1, rest.len - at - 1), &micro), rest.len = at;
    spd_str_add(out, spd_sv_is(name, "?") ? SPD_SV("(not mapped)") : name);
    if (rest.len) spd_str_addc(out, ' '), spd_str_add(out, rest);
    if (micro >= 0) spd_str_addf(out, " %.2f", (double)micro / 1e6);
    for (spd_sv one = more; one.len;) {
        bool last = !spd_sv_find(one, SPD_SV("/"), &at);
        spd_str_addz(out, ", "), spd_str_add(out, last ? one : spd_sv_of(one.ptr, at));
        one = last ? SPD_SV_NONE : spd_sv_of(one.ptr + at + 1, one.len - at - 1);
    }
}

static void page_row(spd_sv line, struct spd_str *out)
{
    spd_sv cell[4];
    size_t tab;
    for (int i = 0; i < 4; i++) {
        bool more = spd_sv_find(line, SPD_SV("\t"), &tab);
        cell[i] = more ? spd_sv_of(line.ptr, tab) : line;
        line = more ? spd_sv_of(line.ptr + tab + 1, line.len - tab - 1) : SPD_SV_NONE;
    }
    spd_str_addf(out, "| %.*s | %.*s | %.*s | ", SPD_SV_ARG(cell[0]), SPD_SV_ARG(cell[1]), SPD_SV_ARG(cell[2]));
    for (spd_sv all = cell[3]; all.len && !spd_sv_is(all, "-");) {
        bool more = spd_sv_find(all, SPD_SV(";"), &tab);
        in_words(more ? spd_sv_of(all.ptr, tab) : all, out);
        all = more ? spd_sv_of(all.ptr + tab + 1, all.len - tab - 1) : SPD_SV_NONE;
        if (all.len) spd_str_addz(out, "; ");
    }
    spd_str_addz(out, " |\n");
}

static void page_table(struct spd_str *out)
{
    struct spd_arena *arena = spd_arena_new(4 << 20);
    struct spd_source table;
    assert_int_equal(spd_source_read(SPOED_SOURCE_DIR "/tests/suites/result/data-sr.tsv", 1 << 20, &table, arena, NULL), SPD_OK);
    spd_str_addz(out, "| object | read as | state | findings |\n|---|---|---|---|\n");
    for (spd_sv rest = table.text; rest.len;) {
        size_t end = rest.len;
        (void)spd_sv_find(rest, SPD_SV("\n"), &end);
        spd_sv line = spd_sv_of(rest.ptr, end);
        rest = end < rest.len ? spd_sv_of(rest.ptr + end + 1, rest.len - end - 1) : SPD_SV_NONE;
        if (line.len && line.ptr[0] != '#') page_row(line, out);
    }
    spd_arena_free(arena);
}

static void the_page_shows_the_table(void **state)
{
    (void)state;
    struct spd_arena *arena = spd_arena_new(4 << 20);
    struct spd_str table = SPD_STR_INIT(1 << 20);
    struct spd_source page;
    assert_int_equal(spd_source_read(PAGE, 1 << 20, &page, arena, NULL), SPD_OK);
    page_table(&table);
    if (!spd_sv_find(page.text, spd_str_sv(&table), NULL))
        fail_msg("docs/results-read.md does not show tests/suites/result/data-sr.tsv: put there what `test_result_data page` prints");
    spd_str_done(&table);
    spd_arena_free(arena);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "page")) {
        struct spd_str table = SPD_STR_INIT(1 << 20);
        page_table(&table);
        fputs(table.ptr, stdout);
        spd_str_done(&table);
        return 0;
    }
    if (argc > 1 && !strcmp(argv[1], "print")) return each(true) < 0;
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_report_is_read_as_the_table_says), cmocka_unit_test(the_page_shows_the_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
