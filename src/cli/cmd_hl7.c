/* src/cli/cmd_hl7.c: `spoed hl7`: looking at HL7 v2 messages without a running brain. A file may
 * hold many messages, framed or not; "-" is standard input. Reads files, writes standard output,
 * nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/source.h"
#include "cli/hl7_int.h"
#include "hl7/v2/charset.h"
#include "hl7/v2/msg.h"

int cmd_hl7(const struct spd_cli *cli, int argc, char **argv);

enum { MAX_FILE = 256 << 20 };

/* ---- reading ------------------------------------------------------------------------------- */
static enum spd_rc read_file(const char *path, spd_sv *ret, struct spd_arena *arena,
                             struct spd_err *err)
{
    struct spd_source src = {0};
    if (strcmp(path, "-") != 0) {
        enum spd_rc rc = spd_source_read(path, MAX_FILE, &src, arena, err);
        *ret = src.text;
        return rc;
    }
    struct spd_str s = SPD_STR_INIT(MAX_FILE);
    char buf[65536];
    for (size_t n; (n = fread(buf, 1, sizeof buf, stdin));)
        spd_str_add(&s, spd_sv_of(buf, n));
    *ret = spd_arena_dup(arena, spd_str_sv(&s));
    enum spd_rc rc = s.rc;
    spd_str_done(&s);
    return rc ? spd_fail(err, rc, "-", "standard input is too long") : SPD_OK;
}

void spd_hl7_print(struct spd_str *s)
{
    spd_str_addc(s, '\n');
    fwrite(s->ptr, 1, s->len, stdout);
    spd_str_done(s);
}

void spd_hl7_each(struct spd_hl7_run *r, int argc, char **argv, spd_hl7_message *f)
{
    for (int i = 0; i < argc; i++) {
        struct spd_err err = {0};
        spd_sv rest, one;
        r->file = argv[i];
        r->n = 0;
        if (read_file(argv[i], &rest, r->arena, &err) != SPD_OK) {
            fprintf(stderr, "spoed hl7: %s: %s\n", argv[i], err.text);
            r->failed = true;
            continue;
        }
        while (hl7_next_message(&rest, &one)) {
            r->n++;
            f(r, one);
        }
        if (!r->n) f(r, SPD_SV_NONE);
    }
}

/* ---- validate, show ------------------------------------------------------------------------ */
struct checked {
    bool ok, roundtrip;
    struct hl7_msg m;
    struct spd_err err;
    const char *set;
};

static void check(struct spd_hl7_run *r, spd_sv bytes, struct checked *ret)
{
    struct spd_str built = SPD_STR_INIT(MAX_FILE);
    spd_sv text;
    memset(ret, 0, sizeof *ret);
    if (!bytes.len) {
        spd_fail(&ret->err, SPD_INVALID, "segment 1, field 0, byte 1", "there is no message");
        return;
    }
    ret->ok = hl7_msg_parse(&ret->m, bytes, r->arena, &ret->err) == SPD_OK;
    if (ret->ok) {
        hl7_msg_build(&ret->m, &built);
        ret->roundtrip = spd_sv_eq(spd_str_sv(&built), bytes);
        ret->ok = hl7_charset_of(bytes, SPD_SV_NONE, &ret->set, &ret->err) == SPD_OK &&
                  hl7_charset_decode(ret->set, bytes, &text, r->arena, &ret->err) == SPD_OK;
    }
    spd_str_done(&built);
    int64_t byte;
    if (!ret->ok && ret->m.n_segs && !strncmp(ret->err.place, "byte ", 5) &&
        spd_sv_to_i64(spd_sv_from(ret->err.place + 5), &byte))
        hl7_msg_place(&ret->m, (size_t)byte - 1, ret->err.place, sizeof ret->err.place);
}

static spd_sv msh(const struct checked *c, unsigned field, unsigned comp)
{
    return c->m.n_segs ? hl7_get(&c->m, &c->m.segs[0], field, 1, comp, 0).raw : SPD_SV_NONE;
}

/* The number behind a word in "segment 3, field 5, byte 120"; 0 when it is not there. */
static int64_t number_after(const char *place, const char *word)
{
    const char *p = strstr(place, word);
    int64_t n = 0;
    for (p = p ? p + strlen(word) : ""; *p >= '0' && *p <= '9'; p++)
        n = n * 10 + (*p - '0');
    return n;
}

void spd_hl7_json(struct spd_str *s, spd_sv v, struct spd_arena *arena)
{
    if (!spd_sv_is_utf8(v)) {
        char *p = spd_arena_must(arena, v.len + 1);
        for (size_t i = 0; i < v.len; i++)
            p[i] = (unsigned char)v.ptr[i] < 0x80 && v.ptr[i] ? v.ptr[i] : '?';
        v.ptr = p;
    }
    spd_str_json(s, v);
}

static void print_json(struct spd_hl7_run *r, const struct checked *c)
{
    struct spd_str s = SPD_STR_INIT(1 << 20);
    spd_str_addz(&s, "{\"file\": ");
    spd_hl7_json(&s, spd_sv_from(r->file), r->arena);
    spd_str_addf(&s, ", \"message\": %zu, \"ok\": %s, \"type\": ", r->n, c->ok ? "true" : "false");
    spd_sv type = msh(c, 9, 1), trigger = msh(c, 9, 2);
    spd_hl7_json(
        &s,
        trigger.len ? spd_arena_printf(r->arena, "%.*s^%.*s", SPD_SV_ARG(type), SPD_SV_ARG(trigger))
                    : type,
        r->arena);
    spd_str_addz(&s, ", \"version\": ");
    spd_hl7_json(&s, msh(c, 12, 1), r->arena);
    spd_str_addz(&s, ", \"control_id\": ");
    spd_hl7_json(&s, msh(c, 10, 0), r->arena);
    spd_str_addf(&s, ", \"segments\": %zu, \"roundtrip\": %s, \"error\": ", c->m.n_segs,
                 c->roundtrip ? "true" : "false");
    if (c->ok) {
        spd_str_addz(&s, "null}");
    } else {
        spd_str_addf(&s, "{\"segment\": %lld, \"field\": %lld, \"byte\": %lld, \"text\": ",
                     (long long)number_after(c->err.place, "segment "),
                     (long long)number_after(c->err.place, "field "),
                     (long long)number_after(c->err.place, "byte "));
        spd_hl7_json(&s, spd_sv_from(c->err.text), r->arena);
        spd_str_addz(&s, "}}");
    }
    spd_hl7_print(&s);
}

static void validate(struct spd_hl7_run *r, spd_sv bytes)
{
    struct checked c;
    check(r, bytes, &c);
    r->failed |= !c.ok;
    if (r->cli->json) {
        print_json(r, &c);
    } else if (!c.ok) {
        printf("%s:%zu: %s: %s\n", r->file, r->n, c.err.place, c.err.text);
    } else if (!r->cli->quiet) {
        printf("%s:%zu: ok, %zu segments%s\n", r->file, r->n, c.m.n_segs,
               c.m.joined ? ", with a raw line end inside a field" : "");
    }
}

/* One segment with its delimiters coloured; control characters are made visible. */
static void show_segment(struct spd_hl7_run *r, const struct hl7_msg *m, const struct hl7_seg *seg)
{
    struct spd_str s = SPD_STR_INIT(MAX_FILE);
    const char *on = r->cli->color ? "\033[2m" : "", *off = r->cli->color ? "\033[0m" : "";
    spd_str_addf(&s, "%s%.3s%s", r->cli->color ? "\033[1;36m" : "", seg->ptr, off);
    for (size_t i = 3; i < seg->len; i++) {
        unsigned char c = (unsigned char)seg->ptr[i];
        if (m->kind[c])
            spd_str_addf(&s, "%s%c%s", on, c, off);
        else if (c < 0x20 || c == 0x7F)
            spd_str_addf(&s, "%s<%02X>%s", on, c, off);
        else
            spd_str_addc(&s, (char)c);
    }
    spd_hl7_print(&s);
}

static void show(struct spd_hl7_run *r, spd_sv bytes)
{
    struct checked c;
    spd_sv text = bytes;
    check(r, bytes, &c);
    r->failed |= !c.ok;
    if (r->cli->json) return print_json(r, &c);
    if (!c.ok) {
        printf("%s:%zu: %s: %s\n", r->file, r->n, c.err.place, c.err.text);
        return;
    }
    if (hl7_charset_decode(c.set, bytes, &text, r->arena, NULL) == SPD_OK &&
        text.ptr != bytes.ptr && hl7_msg_parse(&c.m, text, r->arena, NULL) != SPD_OK)
        return;
    for (size_t i = 0; i < c.m.n_segs; i++)
        show_segment(r, &c.m, &c.m.segs[i]);
    putchar('\n');
}

/* ---- get, set ------------------------------------------------------------------------------ */
static void get(struct spd_hl7_run *r, spd_sv bytes)
{
    static const char *const words[] = {"absent", "empty", "null", "value"};
    struct checked c;
    struct hl7_path path;
    check(r, bytes, &c);
    if (!c.ok || hl7_path_parse(spd_sv_from(r->what), &path, &c.err) != SPD_OK) {
        fprintf(stderr, "%s:%zu: %s: %s\n", r->file, r->n, c.err.place, c.err.text);
        r->failed = true;
        return;
    }
    struct hl7_value v = hl7_path_get(&c.m, &path);
    spd_sv text = v.is == HL7_VALUE ? hl7_unescape(&c.m, v.raw, NULL, NULL, r->arena) : SPD_SV_NONE;
    hl7_charset_decode(c.set, text, &text, r->arena, NULL);
    struct spd_str s = SPD_STR_INIT(MAX_FILE);
    if (r->cli->json) {
        spd_str_addz(&s, "{\"file\": ");
        spd_hl7_json(&s, spd_sv_from(r->file), r->arena);
        spd_str_addf(&s, ", \"message\": %zu, \"is\": \"%s\", \"text\": ", r->n, words[v.is]);
        spd_hl7_json(&s, text, r->arena);
        spd_str_addc(&s, '}');
    } else {
        spd_str_add(&s, text);
    }
    spd_hl7_print(&s);
}

static void set(struct spd_hl7_run *r, spd_sv bytes)
{
    struct checked c;
    struct hl7_path path;
    struct spd_str value = SPD_STR_INIT(MAX_FILE), out = SPD_STR_INIT(MAX_FILE);
    const char *eq = strchr(r->what, '=');
    spd_sv raw;
    check(r, bytes, &c);
    if (c.ok &&
        hl7_path_parse(spd_sv_of(r->what, (size_t)(eq - r->what)), &path, &c.err) == SPD_OK) {
        size_t seg = hl7_seg_find(&c.m, path.id, 0);
        for (unsigned n = 1; n < path.seg && seg < c.m.n_segs; n++)
            seg = hl7_seg_find(&c.m, path.id, seg + 1);
        hl7_escape(&c.m.d, spd_sv_from(eq + 1), &value);
        const char *charset = strcmp(c.set, "ASCII") ? c.set : "UTF-8";
        c.ok = hl7_charset_encode(charset, spd_str_sv(&value), &raw, r->arena, &c.err) == SPD_OK &&
               hl7_msg_set(&c.m, seg, path.field, path.rep, path.comp, path.sub, raw, &out,
                           &c.err) == SPD_OK;
    } else {
        c.ok = false;
    }
    if (c.ok) {
        fwrite(out.ptr, 1, out.len, stdout);
    } else {
        fprintf(stderr, "%s:%zu: %s: %s\n", r->file, r->n, c.err.place, c.err.text);
        r->failed = true;
    }
    spd_str_done(&value);
    spd_str_done(&out);
}

/* ---- diff ---------------------------------------------------------------------------------- */
static unsigned field_count(const struct hl7_msg *m, const struct hl7_seg *s)
{
    unsigned n = 0;
    while (hl7_field(m, s, n + 1).is != HL7_ABSENT)
        n++;
    return n;
}

static void print_difference(struct spd_hl7_run *r, const char *place, spd_sv a, spd_sv b)
{
    const char *minus = r->cli->color ? "\033[31m" : "", *plus = r->cli->color ? "\033[32m" : "",
               *off = r->cli->color ? "\033[0m" : "";
    struct spd_str s = SPD_STR_INIT(MAX_FILE);
    if (r->cli->json) {
        spd_str_addf(&s, "{\"place\": \"%s\", \"a\": ", place);
        spd_hl7_json(&s, a, r->arena);
        spd_str_addz(&s, ", \"b\": ");
        spd_hl7_json(&s, b, r->arena);
        spd_str_addc(&s, '}');
    } else {
        spd_str_addf(&s, "%-12s %s%.*s%s -> %s%.*s%s", place, minus, SPD_SV_ARG(a), off, plus,
                     SPD_SV_ARG(b), off);
    }
    spd_hl7_print(&s);
    r->failed = true;
}

static void diff_segment(struct spd_hl7_run *r, const struct checked *a, const struct checked *b,
                         size_t i, size_t j)
{
    const struct hl7_seg *x = &a->m.segs[i], *y = &b->m.segs[j];
    unsigned nx = field_count(&a->m, x), ny = field_count(&b->m, y), nth = 0;
    for (size_t k = 0; k <= i; k++)
        nth += hl7_seg_is(&a->m.segs[k], x->id);
    for (unsigned f = 1; f <= nx || f <= ny; f++) {
        struct hl7_value va = hl7_field(&a->m, x, f), vb = hl7_field(&b->m, y, f);
        char place[40];
        if (spd_sv_eq(va.raw, vb.raw)) continue;
        snprintf(place, sizeof place, "%s[%u]-%u", x->id, nth, f);
        print_difference(r, place, va.raw, vb.raw);
    }
}

static void only_one(struct spd_hl7_run *r, const struct hl7_seg *s, size_t at, bool first)
{
    char place[40];
    spd_sv text = spd_sv_of(s->ptr, s->len);
    snprintf(place, sizeof place, "segment %zu", at + 1);
    print_difference(r, place, first ? text : SPD_SV_NONE, first ? SPD_SV_NONE : text);
}

/* Segments are paired by name; where the names differ, the side that comes to the other's name
 * sooner has a segment more. */
static void diff_messages(struct spd_hl7_run *r, const struct checked *a, const struct checked *b)
{
    size_t i = 0, j = 0, na = a->m.n_segs, nb = b->m.n_segs;
    while (i < na || j < nb) {
        if (i < na && j < nb && hl7_seg_is(&a->m.segs[i], b->m.segs[j].id)) {
            diff_segment(r, a, b, i++, j++);
            continue;
        }
        size_t in_a =
            j < nb ? hl7_seg_find(&a->m, b->m.segs[j].id, i) : na; /* how far the other's name is */
        size_t in_b = i < na ? hl7_seg_find(&b->m, a->m.segs[i].id, j) : nb;
        if (j >= nb || (i < na && (in_b >= nb || (in_a < na && in_a - i <= in_b - j))))
            only_one(r, &a->m.segs[i], i, true), i++;
        else
            only_one(r, &b->m.segs[j], j, false), j++;
    }
}

static int diff(struct spd_hl7_run *r, const char *file_a, const char *file_b)
{
    struct checked a, b;
    spd_sv ta = SPD_SV_NONE, tb = SPD_SV_NONE, one = SPD_SV_NONE, two = SPD_SV_NONE;
    struct spd_err err = {0};
    if (read_file(file_a, &ta, r->arena, &err) != SPD_OK ||
        read_file(file_b, &tb, r->arena, &err) != SPD_OK) {
        fprintf(stderr, "spoed hl7: %s: %s\n", err.place, err.text);
        return SPD_EXIT_FAILURE;
    }
    hl7_next_message(&ta, &one);
    hl7_next_message(&tb, &two);
    check(r, one, &a);
    check(r, two, &b);
    if (!a.ok || !b.ok) {
        fprintf(stderr, "%s: %s: %s\n", a.ok ? file_b : file_a, a.ok ? b.err.place : a.err.place,
                a.ok ? b.err.text : a.err.text);
        return SPD_EXIT_FAILURE;
    }
    diff_messages(r, &a, &b);
    return r->failed ? SPD_EXIT_FAILURE : SPD_EXIT_OK;
}

/* ---- the command --------------------------------------------------------------------------- */
int spd_hl7_usage(void)
{
    fprintf(stderr,
            "usage: spoed hl7 show|validate FILE…        \"-\" is standard input\n"
            "       spoed hl7 get PATH FILE…             PID-3[2].4.2, OBX[3]-5\n"
            "       spoed hl7 set PATH=VALUE FILE…       the changed messages, to standard output\n"
            "       spoed hl7 diff FILE FILE             differing fields; 1 when there are any\n"
            "       spoed [-c FILE] hl7 try [--peer NAME] [--explain] [--charset NAME] [--zone "
            "NAME] FILE…\n"
            "                                            what each message becomes, and why\n");
    return SPD_EXIT_USAGE;
}

static int dispatch(struct spd_hl7_run *r, int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    argc -= 2, argv += 2;
    if (!strcmp(verb, "try")) return spd_hl7_try(r, argc, argv);
    if (argc == 2 && !strcmp(verb, "diff")) return diff(r, argv[0], argv[1]);
    if (argc >= 1 && !strcmp(verb, "show"))
        spd_hl7_each(r, argc, argv, show);
    else if (argc >= 1 && !strcmp(verb, "validate"))
        spd_hl7_each(r, argc, argv, validate);
    else if (argc >= 2 && !strcmp(verb, "get"))
        r->what = argv[0], spd_hl7_each(r, argc - 1, argv + 1, get);
    else if (argc >= 2 && !strcmp(verb, "set") && strchr(argv[0], '='))
        r->what = argv[0], spd_hl7_each(r, argc - 1, argv + 1, set);
    else
        return spd_hl7_usage();
    return r->failed ? SPD_EXIT_FAILURE : SPD_EXIT_OK;
}

int cmd_hl7(const struct spd_cli *cli, int argc, char **argv)
{
    struct spd_hl7_run r = {.cli = cli, .arena = spd_arena_new((size_t)4 << 30)};
    if (!r.arena) spd_out_of_memory();
    int rc = dispatch(&r, argc, argv);
    spd_arena_free(r.arena);
    return rc;
}
