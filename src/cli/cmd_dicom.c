/* src/cli/cmd_dicom.c: `spoed dicom show FILE…`: what is in an object and what we made of it, side
 * by side; and `spoed dicom front|decode …`, which become the program beside this one. Files are
 * decoded by that program, as in the brain; nothing is stored or sent. */
#define _GNU_SOURCE
#include <errno.h>
#include <glib.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "daemon/config.h"
#include "daemon/vendor.h"
#include "door/door_dicom.h"
#include "result/dcm.h"

int cmd_dicom(const struct spd_cli *cli, int argc, char **argv);
int cmd_dicom_front(const struct spd_cli *cli, int argc, char **argv);

enum {
    FILE_MAX = 96 << 20,
    DECODED_MAX = 20 << 20, /* a companion is read up to its pixels: its beginning is enough */
    TREE_WIDTH = 78
};

struct show {
    const struct spd_cli *cli;
    struct spd_codes *codes;
    struct spd_decoder *decoder;
};
struct shown { /* one file */
    const char *file;
    struct spd_sr_doc doc;
    struct spd_reading got;
    enum spd_read read;
    const char *error; /* NULL: it could be decoded */
    struct spd_arena *arena;
};

/* ---- the codes: of the configuration, else of the checkout or installation
 * ----------------------- */
static enum spd_rc load_configured(const char *file, struct spd_codes **ret,
                                   struct spd_arena *arena, struct spd_err *err)
{
    struct spd_config *c = NULL;
    enum spd_rc rc = spd_config_load(file, &c, err);
    if (!rc) {
        const char *dir = spd_arena_dup(arena, c->codes_dir).ptr,
                   *own = spd_arena_dup(arena, c->site_codes_dir).ptr;
        rc = spd_codes_load_dir(dir, own, ret, err);
    }
    if (!rc) rc = spd_vendor_maps_of(*ret, c, arena, err);
    spd_config_free(c);
    return rc;
}

static enum spd_rc load_codes(const struct spd_cli *cli, struct spd_codes **ret,
                              struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    enum spd_rc rc;
    if (!arena) spd_out_of_memory();
    if (!access(cli->config, R_OK)) {
        rc = load_configured(cli->config, ret, arena, err);
    } else { /* no configuration: look from this program upwards */
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s", cli->self);
        const char *dir = "/usr/share/spoed/codes";
        for (char *slash; (slash = strrchr(path, '/')) && slash != path;) {
            *slash = 0;
            spd_sv here = spd_arena_printf(arena, "%s/packaging/share/codes", path);
            if (!access(here.ptr, R_OK)) {
                dir = here.ptr;
                break;
            }
        }
        rc = spd_codes_load_dir(dir, NULL, ret, err);
    }
    spd_arena_free(arena);
    return rc;
}

/* ---- as JSON
 * ------------------------------------------------------------------------------------- */
static json_t *text(spd_sv v)
{
    json_t *s = json_stringn(v.ptr ? v.ptr : "", v.len);
    return s ? s : json_null();
}

static json_t *text_or_null(spd_sv v)
{
    return v.len ? text(v) : json_null();
}

/* A decimal string as a number; what is none, as it was written; empty: null. */
static json_t *number(spd_sv v)
{
    char z[64], *end = z;
    if (!v.len) return json_null();
    snprintf(z, sizeof z, "%.*s", SPD_SV_ARG(v));
    double d = g_ascii_strtod(z, &end);
    return *end || end == z || !isfinite(d) ? text(v) : json_real(d);
}

static json_t *finding_json(const struct spd_finding *f)
{
    json_t *measurements = json_array();
    for (size_t i = 0; i < f->measurements.n; i++) {
        const struct spd_measurement *m = &f->measurements.v[i];
        json_array_append_new(measurements,
                              json_pack("{so so so so so}", "code", text(m->code), "scheme",
                                        text(m->scheme), "meaning", text(m->text), "value",
                                        number(m->value), "unit", text_or_null(m->unit)));
    }
    json_t *present = f->present == SPD_PRESENT_YES ? json_true()
                      : f->present == SPD_PRESENT_NO || f->present == SPD_PRESENT_NORMAL
                          ? json_false()
                          : json_null();
    return json_pack("{so so so so so so so so so}", "concept", text_or_null(f->concept), "code",
                     text_or_null(f->code.code), "scheme", text_or_null(f->code.scheme), "meaning",
                     text_or_null(f->code.text), "present", present, "probability",
                     f->probability < 0 ? json_null() : json_real((double)f->probability / 1e6),
                     "site", text_or_null(f->site.len ? f->site : f->site_text), "laterality",
                     text_or_null(f->laterality), "measurements", measurements);
}

static json_t *result_json(const struct spd_result *r)
{
    json_t *findings = json_array();
    for (size_t i = 0; i < r->findings.n; i++)
        json_array_append_new(findings, finding_json(&r->findings.v[i]));
    return json_pack("{so so so ss so}", "model", text(r->name), "manufacturer",
                     text(r->manufacturer), "version", text(r->version), "state",
                     spd_ai_state_names[r->state], "findings", findings);
}

static bool holds_results(const struct shown *o)
{
    return !o->error && (o->read == SPD_READ_RESULT || o->read == SPD_READ_TEXT);
}

/* What of it is the object as a whole: of its first result, or of the companion. */
static void whole_of(const struct shown *o, spd_sv *ret_study, spd_sv *ret_accession,
                     const spd_sv **ret_notes, size_t *ret_n)
{
    const struct spd_companion *c = &o->got.companion;
    const struct spd_result *r = o->got.n_results ? &o->got.results[0] : NULL;
    *ret_study = r ? r->study_uid : c->study_uid;
    *ret_accession = r ? r->accession.value : c->accession.value;
    *ret_notes = r ? r->notes.v : c->notes.v, *ret_n = r ? r->notes.n : c->notes.n;
}

static void print_json(const struct shown *o)
{
    bool refused = !o->error && o->read == SPD_READ_REFUSED, known = !o->error && !refused;
    json_t *j = json_pack("{so sb}", "file", text(spd_sv_from(o->file)), "ok", known);
    json_t *results = json_array(), *notes = json_array();
    spd_sv study = SPD_SV_NONE, accession = SPD_SV_NONE;
    const spd_sv *said = NULL;
    size_t n = 0;
    if (known) whole_of(o, &study, &accession, &said, &n);
    json_object_set_new(j, "sop_class", o->error ? json_null() : text(o->doc.sop_class));
    json_object_set_new(j, "study_uid", known ? text(study) : json_null());
    json_object_set_new(j, "accession", known ? text(accession) : json_null());
    json_object_set_new(j, "patient_id",
                        !known                 ? json_null()
                        : o->doc.patient.ids.n ? text(o->doc.patient.ids.v[0].value)
                                               : text(SPD_SV_NONE));
    for (size_t i = 0; holds_results(o) && i < o->got.n_results; i++)
        json_array_append_new(results, result_json(&o->got.results[i]));
    for (size_t i = 0; i < n; i++)
        json_array_append_new(notes, text(said[i]));
    if (known && !holds_results(o)) json_array_append_new(notes, text(o->got.why));
    if (holds_results(o) && o->got.results[0].text.len)
        json_array_append_new(notes, text(spd_arena_printf(o->arena, "text: %.*s",
                                                           SPD_SV_ARG(o->got.results[0].text))));
    json_object_set_new(j, "results", results), json_object_set_new(j, "notes", notes);
    json_object_set_new(j, "error",
                        o->error  ? json_string(o->error)
                        : refused ? text(o->got.why)
                                  : json_null());
    json_dumpf(j, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15));
    putchar('\n');
    json_decref(j);
}

/* ---- for people
 * ---------------------------------------------------------------------------------- */
/* Characters, as columns of a terminal count them (near enough: one per UTF-8 sequence). */
static int columns(spd_sv v)
{
    int n = 0;
    for (size_t i = 0; i < v.len; i++)
        n += ((unsigned char)v.ptr[i] & 0xC0) != 0x80;
    return n;
}

static void item_line(const struct spd_sr_item *i, int depth, struct spd_str *line)
{
    bool by_reference = !i->value_type.len && i->reference.len;
    spd_str_addf(line, "%*s%.*s %.*s", depth * 2, "",
                 SPD_SV_ARG(by_reference ? SPD_SV("(see") : i->value_type),
                 SPD_SV_ARG(i->name.text));
    if (by_reference) spd_str_addf(line, "%.*s)", SPD_SV_ARG(i->reference));
    if (i->value.code.len)
        spd_str_addf(line, ": %.*s (%.*s %.*s)", SPD_SV_ARG(i->value.text),
                     SPD_SV_ARG(i->value.code), SPD_SV_ARG(i->value.scheme));
    if (i->text.len)
        spd_str_addf(line, ": %.*s", (int)(i->text.len > 100 ? 100 : i->text.len), i->text.ptr);
    if (i->number.len || spd_sv_is(i->value_type, "NUM"))
        spd_str_addf(line, ": %.*s %.*s", SPD_SV_ARG(i->number.len ? i->number : SPD_SV("(empty)")),
                     SPD_SV_ARG(i->unit.code));
    if (i->graphic.len) spd_str_addf(line, ": %.*s", SPD_SV_ARG(i->graphic));
    if (i->ref_uid.len) spd_str_addf(line, ": %.*s", SPD_SV_ARG(i->ref_uid));
    for (size_t k = 0; k < line->len; k++)
        if ((unsigned char)line->ptr[k] < 0x20 || line->ptr[k] == 0x7F) line->ptr[k] = ' ';
}

static void print_tree(const struct show *s, const struct shown *o, const struct spd_sr_item *i,
                       int depth)
{
    struct spd_str line = SPD_STR_INIT(1 << 20);
    const struct spd_result *first = o->got.n_results ? &o->got.results[0] : NULL;
    spd_sv made = spd_result_explain(&o->doc, i, first, s->codes, o->arena);
    item_line(i, depth, &line);
    int gap = TREE_WIDTH - columns(spd_str_sv(&line));
    if (made.len)
        printf("  %s%*s | %.*s\n", line.ptr, gap > 0 ? gap : 0, "", SPD_SV_ARG(made));
    else
        printf("  %s\n", line.ptr ? line.ptr : "");
    spd_str_done(&line);
    for (size_t k = 0; k < i->n_children; k++)
        print_tree(s, o, &i->children[k], depth + 1);
}

static void print_finding(const struct spd_finding *f)
{
    spd_sv name = f->concept.len     ? f->concept
                  : f->code.text.len ? f->code.text
                                     : SPD_SV("(measurements)");
    printf("    %.*s: %s", SPD_SV_ARG(name),
           f->present ? spd_present_names[f->present] : "says nothing of presence");
    if (f->probability >= 0) printf(", probability %.3f", (double)f->probability / 1e6);
    if (f->site.len || f->site_text.len)
        printf(", %.*s", SPD_SV_ARG(f->site.len ? f->site : f->site_text));
    if (f->laterality.len) printf(", %.*s", SPD_SV_ARG(f->laterality));
    for (size_t i = 0; i < f->measurements.n; i++)
        printf("%s%.*s %.*s %.*s", i ? ", " : " [", SPD_SV_ARG(f->measurements.v[i].text),
               SPD_SV_ARG(f->measurements.v[i].value), SPD_SV_ARG(f->measurements.v[i].unit));
    puts(f->measurements.n ? "]" : "");
}

static void print_results(const struct shown *o)
{
    static const char *const outcomes[] = {[SPD_READ_NOT_A_RESULT] = "not a result",
                                           [SPD_READ_REFUSED] = "refused",
                                           [SPD_READ_COMPANION] = "companion"};
    const struct spd_companion *c = &o->got.companion;
    for (size_t i = 0; holds_results(o) && i < o->got.n_results; i++) {
        const struct spd_result *r = &o->got.results[i];
        bool sure = r->state != SPD_AI_FAILED && r->state != SPD_AI_NOT_ANALYSED;
        printf("  %.*s %.*s %.*s: %s%s%.*s\n", SPD_SV_ARG(r->manufacturer), SPD_SV_ARG(r->name),
               SPD_SV_ARG(r->version), spd_ai_state_names[r->state], sure ? "" : ", because ",
               SPD_SV_ARG(sure ? SPD_SV_NONE : o->got.why));
        for (size_t k = 0; k < r->findings.n; k++)
            print_finding(&r->findings.v[k]);
    }
    if (!holds_results(o)) printf("  %s: %.*s\n", outcomes[o->read], SPD_SV_ARG(o->got.why));
    if (o->read == SPD_READ_COMPANION)
        printf("    %s \"%.*s\" by %.*s %.*s, points at %zu objects\n",
               spd_companion_kind_names[c->kind], SPD_SV_ARG(c->title), SPD_SV_ARG(c->manufacturer),
               SPD_SV_ARG(c->name), c->refs.n);
}

static void print_text(const struct show *s, const struct shown *o)
{
    spd_sv study, accession;
    const spd_sv *notes = NULL;
    size_t n = 0;
    printf("%s\n", o->file);
    if (o->doc.root.value_type.len) print_tree(s, o, &o->doc.root, 0);
    print_results(o);
    if (o->read != SPD_READ_REFUSED) whole_of(o, &study, &accession, &notes, &n);
    for (size_t i = 0; i < n; i++)
        printf("    note: %.*s\n", SPD_SV_ARG(notes[i]));
}

/* ---- files
 * --------------------------------------------------------------------------------------- */
static enum spd_rc read_stdin(spd_sv *ret, struct spd_arena *arena, struct spd_err *err)
{
    struct spd_str all = SPD_STR_INIT(FILE_MAX);
    char block[65536];
    for (size_t n; (n = fread(block, 1, sizeof block, stdin)) > 0;)
        spd_str_add(&all, spd_sv_of(block, n));
    enum spd_rc rc = ferror(stdin)
                         ? spd_fail(err, SPD_IO, "-", "cannot be read: %s", strerror(errno))
                     : spd_str_ok(&all) ? SPD_OK
                                        : spd_fail(err, SPD_LIMIT, "-", "larger than 96 MiB");
    if (!rc) *ret = spd_arena_dup(arena, spd_str_sv(&all));
    spd_str_done(&all);
    return rc;
}

static bool looks_like_json(spd_sv v)
{
    v = spd_sv_trim(v);
    if (v.len > 3 && !memcmp(v.ptr, "\xEF\xBB\xBF", 3)) v.ptr += 3, v.len -= 3;
    return v.len && (v.ptr[0] == '{' || v.ptr[0] == '[');
}

static enum spd_rc decode(const struct show *s, spd_sv bytes, struct spd_sr_doc *ret,
                          struct spd_arena *arena, struct spd_err *err)
{
    if (looks_like_json(bytes)) return spd_sr_doc_from_json(bytes, ret, arena, err);
    if (bytes.len > DECODED_MAX) bytes.len = DECODED_MAX;
    enum spd_rc rc = spd_decoder_run(s->decoder, bytes, ret, arena, err);
    bool marked = bytes.len >= 132 && !memcmp(bytes.ptr + 128, "DICM", 4);
    if (rc != SPD_INVALID || marked) return rc;
    spd_sv why = spd_arena_printf(arena, "%s", err->text);
    return spd_fail(err, rc, "file", "this is not a DICOM object, or a damaged one: %.*s",
                    SPD_SV_ARG(why));
}

static int show_file(const struct show *s, const char *file)
{
    struct spd_arena *arena = spd_arena_new((size_t)1 << 30);
    struct shown o = {.file = file, .arena = arena};
    struct spd_source source = {0};
    struct spd_err err = {0};
    if (!arena) spd_out_of_memory();
    enum spd_rc rc = !strcmp(file, "-") ? read_stdin(&source.text, arena, &err)
                                        : spd_source_read(file, FILE_MAX, &source, arena, &err);
    if (!rc) rc = decode(s, source.text, &o.doc, arena, &err);
    if (rc)
        o.error = err.text;
    else
        o.read = spd_result_read(&o.doc, s->codes, &o.got, arena);
    if (s->cli->json)
        print_json(&o);
    else if (rc)
        fprintf(stderr, "%s: %s\n", file, err.text);
    else
        print_text(s, &o);
    spd_arena_free(arena);
    return rc || o.read == SPD_READ_REFUSED ? SPD_EXIT_FAILURE : SPD_EXIT_OK;
}

static int show(const struct spd_cli *cli, int argc, char **argv, const char *program)
{
    struct show s = {.cli = cli};
    struct spd_err err = {0};
    int code = SPD_EXIT_OK;
    if (argc < 1) {
        fprintf(stderr, "usage: spoed dicom show FILE… (- for standard input)\n");
        return SPD_EXIT_USAGE;
    }
    if (load_codes(cli, &s.codes, &err) || spd_decoder_new(program, 1, &s.decoder, &err)) {
        fprintf(stderr, "%s: %s\n", err.place, err.text);
        code = s.decoder || !s.codes ? SPD_EXIT_CONFIG : SPD_EXIT_FAILURE;
        spd_codes_free(s.codes);
        return code;
    }
    for (int i = 0; i < argc; i++)
        if (show_file(&s, argv[i])) code = SPD_EXIT_FAILURE;
    spd_decoder_free(s.decoder);
    spd_codes_free(s.codes);
    return code;
}

int cmd_dicom(const struct spd_cli *cli, int argc, char **argv)
{
    static const char usage[] = "usage: spoed dicom show FILE… | front OPTIONS | decode\n";
    struct spd_arena *arena = spd_arena_new(1 << 16);
    if (!arena) spd_out_of_memory();
    const char *program = spd_door_dicom_program(arena);
    int code = SPD_EXIT_USAGE;
    if (argc > 1 && !strcmp(argv[1], "show"))
        code = show(cli, argc - 2, argv + 2, program);
    else if (argc > 1 && (!strcmp(argv[1], "front") || !strcmp(argv[1], "decode"))) {
        execv(program,
              argv); /* argv[0] is "dicom", argv[1] the sub-command: what the program expects */
        perror(program);
        code = SPD_EXIT_FAILURE;
    } else
        fputs(usage, stderr);
    spd_arena_free(arena);
    return code;
}

/* `spoed dicom-front …`: the name by which design §3.7 knows it. */
int cmd_dicom_front(const struct spd_cli *cli, int argc, char **argv)
{
    char *args[64] = {argv[0], (char[]){"front"}};
    if (argc > 62) return SPD_EXIT_USAGE;
    for (int i = 1; i < argc; i++)
        args[i + 1] = argv[i];
    return cmd_dicom(cli, argc + 1, args);
}
