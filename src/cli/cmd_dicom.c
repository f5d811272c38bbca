/* src/cli/cmd_dicom.c: `spoed dicom show FILE…`: what is in an object and what we made of it, side
 * by side; and `spoed dicom front|decode …`, which become the program beside this one. Files are
 * decoded by that program, as in the brain; nothing is stored or sent. */
#define _GNU_SOURCE
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "daemon/config.h"
#include "door/door_dicom.h"

int cmd_dicom(const struct spd_cli *cli, int argc, char **argv);
int cmd_dicom_front(const struct spd_cli *cli, int argc, char **argv);

enum { FILE_MAX = 32 << 20 };

struct show {
    const struct spd_cli *cli;
    struct spd_codes *codes;
    struct spd_decoder *decoder;
};

/* ---- the codes: of the configuration, else of the checkout or installation
 * ------------------------- */
static enum spd_rc load_codes(const struct spd_cli *cli, struct spd_codes **ret,
                              struct spd_err *err)
{
    struct spd_config *c = NULL;
    struct spd_arena *arena = spd_arena_new(1 << 16);
    if (!arena) spd_out_of_memory();
    enum spd_rc rc =
        access(cli->config, R_OK) ? SPD_NOTFOUND : spd_config_load(cli->config, &c, err);
    if (!rc) {
        const char *dir = spd_arena_dup(arena, c->codes_dir).ptr,
                   *own = spd_arena_dup(arena, c->site_codes_dir).ptr;
        rc = spd_codes_load_dir(dir, own, ret, err);
    } else if (rc == SPD_NOTFOUND) { /* no configuration: look from this program upwards */
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
    spd_config_free(c);
    spd_arena_free(arena);
    return rc;
}

/* ---- as JSON
 * ------------------------------------------------------------------------------------------ */
static json_t *text(spd_sv v)
{
    json_t *s = json_stringn(v.ptr ? v.ptr : "", v.len);
    return s ? s : json_null();
}

static json_t *finding_json(const struct spd_finding *f)
{
    json_t *measurements = json_array();
    for (size_t i = 0; i < f->measurements.n; i++) {
        const struct spd_measurement *m = &f->measurements.v[i];
        json_array_append_new(measurements,
                              json_pack("{so so so so so}", "code", text(m->code), "scheme",
                                        text(m->scheme), "meaning", text(m->text), "value",
                                        text(m->value), "unit", text(m->unit)));
    }
    json_t *present = f->present == SPD_PRESENT_YES ? json_true()
                      : f->present == SPD_PRESENT_NO || f->present == SPD_PRESENT_NORMAL
                          ? json_false()
                          : json_null();
    return json_pack(
        "{so so so so so so so so so}", "concept", f->concept.len ? text(f->concept) : json_null(),
        "code", text(f->code.code), "scheme", text(f->code.scheme), "meaning", text(f->code.text),
        "present", present, "probability",
        f->probability < 0 ? json_null() : json_real((double)f->probability / 1e6), "site",
        f->site.len        ? text(f->site)
        : f->site_text.len ? text(f->site_text)
                           : json_null(),
        "laterality", f->laterality.len ? text(f->laterality) : json_null(), "measurements",
        measurements);
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

static void print_json(const char *file, const struct spd_sr_doc *doc, enum spd_read read,
                       const struct spd_result *r, spd_sv why, const char *error)
{
    json_t *o = json_pack("{ss sb}", "file", file, "ok", !error && read != SPD_READ_REFUSED);
    json_t *results = json_array(), *notes = json_array();
    static const char *const unknown[] = {"sop_class", "study_uid", "accession", "patient_id"};
    for (size_t i = 0; !doc && i < sizeof unknown / sizeof *unknown; i++)
        json_object_set_new(o, unknown[i], json_null());
    if (doc) {
        json_object_set_new(o, "sop_class", text(doc->sop_class));
        json_object_set_new(o, "study_uid", text(r->study_uid));
        json_object_set_new(o, "accession", text(r->accession.value));
        json_object_set_new(o, "patient_id",
                            doc->patient.ids.n ? text(doc->patient.ids.v[0].value)
                                               : text(SPD_SV_NONE));
        if (read == SPD_READ_RESULT) json_array_append_new(results, result_json(r));
        for (size_t i = 0; i < r->notes.n; i++)
            json_array_append_new(notes, text(r->notes.v[i]));
        if (read == SPD_READ_NOT_A_RESULT) json_array_append_new(notes, text(why));
    }
    json_object_set_new(o, "results", results), json_object_set_new(o, "notes", notes);
    json_object_set_new(o, "error",
                        error                      ? json_string(error)
                        : read == SPD_READ_REFUSED ? text(why)
                                                   : json_null());
    json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(o);
}

/* ---- for people
 * ------------------------------------------------------------------------------------------ */
static const char *understood(const struct show *s, const struct spd_code *c, spd_sv *ret)
{
    enum spd_code_match m = spd_codes_finding(s->codes, c, ret);
    if (m == SPD_CODE_UNKNOWN) m = spd_codes_site(s->codes, c, ret);
    return m == SPD_CODE_KNOWN      ? "= "
           : m == SPD_CODE_MISMATCH ? "contradicts its own meaning: "
                                    : NULL;
}

static void print_tree(const struct show *s, const struct spd_sr_item *i, int depth)
{
    struct spd_str line = SPD_STR_INIT(8192);
    spd_sv concept = SPD_SV_NONE;
    spd_str_addf(&line, "%*s%.*s %.*s", depth * 2, "",
                 SPD_SV_ARG(i->value_type.len ? i->value_type : SPD_SV("(by reference)")),
                 SPD_SV_ARG(i->name.text));
    if (i->value.code.len)
        spd_str_addf(&line, ": %.*s (%.*s %.*s)", SPD_SV_ARG(i->value.text),
                     SPD_SV_ARG(i->value.code), SPD_SV_ARG(i->value.scheme));
    if (i->text.len)
        spd_str_addf(&line, ": %.*s", (int)(i->text.len > 100 ? 100 : i->text.len), i->text.ptr);
    if (i->number.len)
        spd_str_addf(&line, ": %.*s %.*s", SPD_SV_ARG(i->number), SPD_SV_ARG(i->unit.code));
    if (i->ref_uid.len) spd_str_addf(&line, ": %.*s", SPD_SV_ARG(i->ref_uid));
    const char *mark = i->value.code.len ? understood(s, &i->value, &concept) : NULL;
    for (size_t k = 0; k < line.len; k++)
        if ((unsigned char)line.ptr[k] < 0x20) line.ptr[k] = ' ';
    if (mark)
        printf("  %-78s | %s%.*s\n", line.ptr, mark, SPD_SV_ARG(concept));
    else
        printf("  %s\n", line.ptr ? line.ptr : "");
    spd_str_done(&line);
    for (size_t k = 0; k < i->n_children; k++)
        print_tree(s, &i->children[k], depth + 1);
}

static void print_text(const struct show *s, const char *file, const struct spd_sr_doc *doc,
                       enum spd_read read, const struct spd_result *r, spd_sv why)
{
    printf("%s\n", file);
    print_tree(s, &doc->root, 0);
    if (read != SPD_READ_RESULT)
        printf("  %s: %.*s\n", read == SPD_READ_REFUSED ? "refused" : "not a result",
               SPD_SV_ARG(why));
    else
        printf("  %.*s %.*s %.*s: %s%s%.*s\n", SPD_SV_ARG(r->manufacturer), SPD_SV_ARG(r->name),
               SPD_SV_ARG(r->version), spd_ai_state_names[r->state], why.len ? ", because " : "",
               SPD_SV_ARG(why));
    for (size_t i = 0; i < r->findings.n; i++) {
        const struct spd_finding *f = &r->findings.v[i];
        printf("    %.*s: %s", SPD_SV_ARG(f->concept.len ? f->concept : f->code.text),
               spd_present_names[f->present]);
        if (f->probability >= 0) printf(", probability %.3f", (double)f->probability / 1e6);
        if (f->site.len) printf(", %.*s", SPD_SV_ARG(f->site));
        if (f->laterality.len) printf(", %.*s", SPD_SV_ARG(f->laterality));
        putchar('\n');
    }
    for (size_t i = 0; i < r->notes.n; i++)
        printf("    note: %.*s\n", SPD_SV_ARG(r->notes.v[i]));
}

static int show_file(const struct show *s, const char *file)
{
    struct spd_arena *arena = spd_arena_new((size_t)256 << 20);
    struct spd_source source;
    struct spd_err err = {0};
    struct spd_sr_doc doc;
    struct spd_result r;
    spd_sv why;
    if (!arena) spd_out_of_memory();
    enum spd_rc rc = spd_source_read(file, FILE_MAX, &source, arena, &err);
    if (!rc) rc = spd_decoder_run(s->decoder, source.text, &doc, arena, &err);
    enum spd_read read =
        rc ? SPD_READ_REFUSED : spd_result_read_sr(&doc, s->codes, &r, &why, arena);
    if (s->cli->json)
        print_json(file, rc ? NULL : &doc, read, rc ? NULL : &r, rc ? SPD_SV_NONE : why,
                   rc ? err.text : NULL);
    else if (rc)
        fprintf(stderr, "%s: %s\n", file, err.text);
    else
        print_text(s, file, &doc, read, &r, why);
    spd_arena_free(arena);
    return rc || read == SPD_READ_REFUSED ? SPD_EXIT_FAILURE : SPD_EXIT_OK;
}

static int show(const struct spd_cli *cli, int argc, char **argv, const char *program)
{
    struct show s = {.cli = cli};
    struct spd_err err = {0};
    int code = SPD_EXIT_OK;
    if (argc < 1) {
        fprintf(stderr, "usage: spoed dicom show FILE…\n");
        return SPD_EXIT_USAGE;
    }
    if (load_codes(cli, &s.codes, &err) || spd_decoder_new(program, 1, &s.decoder, &err)) {
        fprintf(stderr, "%s: %s\n", err.place, err.text);
        spd_codes_free(s.codes);
        return s.codes ? SPD_EXIT_FAILURE : SPD_EXIT_CONFIG;
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
    for (int i = 1; i < argc; i++) args[i + 1] = argv[i];
    return cmd_dicom(cli, argc + 1, args);
}
