/* Every order message of the shared collection against tests/suites/hl7/data-orders.tsv: what is
 * answered and which orders it makes. `test_hl7map_data --print` writes the table as it would be
 * now (to be read, not to be believed). Also: none of the other messages crashes the map, and each
 * becomes exactly one event. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/source.h"
#include "hl7/map/map.h"

#define DATA SPOED_SOURCE_DIR "/../shared/data/hl7v2"
#define TABLE SPOED_SOURCE_DIR "/tests/suites/hl7/data-orders.tsv"

static struct hl7_map_options options(void)
{
    return (struct hl7_map_options){.peer = SPD_SV("ris"),
                                    .orders = true,
                                    .adt = true,
                                    .reports = true,
                                    .patient_authority = SPD_SV("ZH"),
                                    .accession_issuer = SPD_SV("ZH"),
                                    .zone = spd_zone_get("Europe/Amsterdam"),
                                    .on_unusable = SPD_ANSWER_AA,
                                    .now = (spd_usec)1800000000 * SPD_USEC_PER_SEC};
}

/* The message in a file, without MLLP frame where it has one. */
static spd_sv unframed(spd_sv v)
{
    if (v.len && v.ptr[0] == 0x0B) v.ptr++, v.len--;
    while (v.len && (v.ptr[v.len - 1] == 0x1C ||
                     (v.len > 1 && v.ptr[v.len - 1] == '\r' && v.ptr[v.len - 2] == 0x1C)))
        v.len--;
    return v;
}

static const char *note(const struct spd_order_in *o)
{
    return o->cancel ? "cancel" : o->hold ? "hold" : o->exam_done ? "exam-done" : "";
}

/* One line of the table as the map sees it. */
static void line_of(const char *file, struct spd_event *e, struct spd_str *out)
{
    const struct spd_message_in *m = spd_event_message(e);
    size_t n = e->type == SPD_EVENT_ORDER ? e->u.order->orders.n : 0, items = 0;
    for (size_t i = 0; i < n; i++) items += !e->u.order->orders.v[i].known_only;
    spd_str_addf(out, "%s\t%s\t%zu", file, spd_enum_name(spd_answer_names, m->answer), items);
    if (n && !items) spd_str_addz(out, "\tnot-for-us"); /* where the order is not known already */
    for (size_t i = 0; i < n; i++) {
        const struct spd_order_in *o = &e->u.order->orders.v[i];
        if (o->known_only) continue;
        spd_str_addf(out, "\t%.*s|%.*s|%.*s|%.*s|%s|%s%s%.*s", SPD_SV_ARG(o->accession.value),
                     SPD_SV_ARG(o->placer.value), SPD_SV_ARG(o->filler.value),
                     SPD_SV_ARG(o->modality), spd_enum_name(spd_priority_names, o->priority),
                     note(o), *note(o) && o->status_word.len ? " " : "",
                     SPD_SV_ARG(o->status_word));
    }
    if (e->type == SPD_EVENT_MESSAGE) spd_str_addf(out, "\t%.*s", SPD_SV_ARG(e->u.message->why));
}

static void map_file(const char *file, struct spd_event *ret, struct spd_arena *arena)
{
    char path[1024];
    struct spd_source src;
    struct hl7_map_options o = options();
    snprintf(path, sizeof path, "%s/%s", DATA, file);
    assert_int_equal(spd_source_read(path, 1 << 24, &src, arena, NULL), SPD_OK);
    hl7_map_in(unframed(src.text), &o, ret, arena);
}

static spd_sv next_line(spd_sv *rest)
{
    size_t at;
    spd_sv line = *rest;
    if (!spd_sv_find(*rest, SPD_SV("\n"), &at))
        *rest = SPD_SV_NONE;
    else
        line.len = at, *rest = spd_sv_of(rest->ptr + at + 1, rest->len - at - 1);
    return line;
}

static void orders_are_as_the_table_says(void **state)
{
    struct stat st;
    struct spd_source table;
    size_t rows = 0, bad = 0, tab;
    (void)state;
    if (stat(DATA, &st)) {
        printf("skipped: no shared data\n");
        skip();
    }
    struct spd_arena *arena = spd_arena_new((size_t)256 << 20);
    assert_int_equal(spd_source_read(TABLE, 1 << 20, &table, arena, NULL), SPD_OK);
    for (spd_sv rest = table.text; rest.len;) {
        spd_sv line = next_line(&rest);
        struct spd_str now = SPD_STR_INIT(1 << 16);
        struct spd_event e;
        if (!line.len || line.ptr[0] == '#' || !spd_sv_find(line, SPD_SV("\t"), &tab)) continue;
        spd_sv file = spd_arena_dup(arena, spd_sv_of(line.ptr, tab));
        map_file(file.ptr, &e, arena);
        line_of(file.ptr, &e, &now);
        rows++;
        if (!spd_sv_eq(line, spd_str_sv(&now))) {
            printf("expected %.*s\n     got %s\n", SPD_SV_ARG(line), now.ptr);
            bad++;
        }
        spd_str_done(&now);
    }
    spd_arena_free(arena);
    printf("%zu order messages\n", rows);
    assert_int_equal(bad, 0);
    assert_true(rows >= 32);
}

typedef void each_file(const char *file, void *ctx);
static void walk(const char *sub, each_file *f, void *ctx)
{
    char path[2048];
    snprintf(path, sizeof path, "%s/%s", DATA, sub);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s%s%s", DATA, sub, *sub ? "/" : "", e->d_name);
        if (stat(path, &st)) continue;
        char *inner = path + strlen(DATA) + 1;
        if (S_ISDIR(st.st_mode))
            walk(spd_sv_from(inner).ptr, f, ctx);
        else
            f(inner, ctx);
    }
    if (d) closedir(d);
}

static void one_event(const char *file, void *ctx)
{
    size_t *n = ctx;
    char name[1024];
    snprintf(name, sizeof name, "%s", file);
    struct spd_arena *arena = spd_arena_new((size_t)256 << 20);
    struct spd_event e = {0};
    struct spd_str ack = SPD_STR_INIT(1 << 20);
    map_file(name, &e, arena);
    const struct spd_message_in *m = spd_event_message(&e);
    assert_non_null(m);
    assert_true(m->answer == SPD_ANSWER_AA || m->answer == SPD_ANSWER_AR);
    assert_int_equal(m->hash.len, 64);
    if (m->answer == SPD_ANSWER_AR) assert_true(m->reason.len > 0);
    hl7_ack_for(m->raw, (enum spd_answer)m->answer, m->reason, SPD_SEC(1700000000), NULL,
                SPD_SV("1"), &ack);
    spd_str_done(&ack);
    spd_arena_free(arena);
    ++*n;
}

static void every_message_is_one_event(void **state)
{
    struct stat st;
    size_t n = 0;
    (void)state;
    if (stat(DATA, &st)) {
        printf("skipped: no shared data\n");
        skip();
    }
    walk("", one_event, &n);
    printf("%zu files\n", n);
    assert_true(n > 100);
}

static void print_one(const char *file, void *ctx)
{
    char name[1024];
    (void)ctx;
    snprintf(name, sizeof name, "%s", file);
    struct spd_arena *arena = spd_arena_new((size_t)256 << 20);
    struct spd_event e;
    struct spd_str s = SPD_STR_INIT(1 << 16);
    map_file(name, &e, arena);
    line_of(name, &e, &s);
    spd_sv type = spd_event_message(&e)->type;
    printf("%s\t# %.*s %s\n", s.ptr, SPD_SV_ARG(type),
           e.type == SPD_EVENT_MESSAGE ? "" : spd_enum_name(spd_event_type_names, (int)e.type));
    spd_str_done(&s);
    spd_arena_free(arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_are_as_the_table_says),
        cmocka_unit_test(every_message_is_one_event),
    };
    if (argc > 1 && !strcmp(argv[1], "--print")) {
        walk("", print_one, NULL);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
