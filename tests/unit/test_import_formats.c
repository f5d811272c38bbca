/* tests/unit/test_import_formats.c: files of open orders to events, form by form: what is read,
 * what is refused and where. The shared data too, where it is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <glob.h>

#include "base/source.h"
#include "import/import.h"

struct heard {
    struct spd_arena *a;
    struct {
        const struct spd_order_event **v;
        size_t n;
    } orders;
    size_t reports, refused, skipped;
    char place[200], why[400]; /* of the first refusal */
};

static void record(void *self, spd_sv place, const struct spd_event *e)
{
    struct heard *h = self;
    assert_true(place.len > 0);
    if (e->type == SPD_EVENT_REPORT) {
        assert_int_equal(e->u.report->message.import, 1);
        h->reports++;
        return;
    }
    assert_int_equal(e->u.order->import, 1);
    assert_int_equal(e->u.order->message.import, 1);
    assert_true(spd_sv_is(e->u.order->message.peer, "ris"));
    *SPD_LIST_ADD(&h->orders, h->a) = e->u.order;
}

static void refused(void *self, spd_sv place, spd_sv why)
{
    struct heard *h = self;
    if (!h->refused++) {
        snprintf(h->place, sizeof h->place, "%.*s", SPD_SV_ARG(place));
        snprintf(h->why, sizeof h->why, "%.*s", SPD_SV_ARG(why));
    }
}

static void skipped(void *self, spd_sv place, spd_sv why)
{
    (void)place, (void)why;
    ((struct heard *)self)->skipped++;
}

static bool procedure(void *ctx, spd_sv code, struct hl7_procedure *ret)
{
    (void)ctx;
    if (!spd_sv_is(code, "CTHERS")) return false;
    *ret = (struct hl7_procedure){code, SPD_SV("CT"), SPD_SV("HEAD"), SPD_SV("NEURO")};
    return true;
}

static enum spd_rc read_as(const char *format, spd_sv name, spd_sv bytes, struct heard *h,
                           struct spd_err *err)
{
    static const struct hl7_status_word words[] = {{SPD_SV("Klaar"), SPD_ORDER_ACTIVE, 0, true}};
    struct hl7_map_options peer = {.peer = SPD_SV("ris"),
                                   .patient_authority = SPD_SV("ZH"),
                                   .accession_issuer = SPD_SV("ZH"),
                                   .zone = spd_zone_get("Europe/Amsterdam"),
                                   .now = 1795356000LL * 1000000, /* 2026-11-22 14:00 UTC */
                                   .words = words,
                                   .n_words = 1,
                                   .procedure = procedure};
    struct spd_import_out out = {h, record, refused, skipped};
    struct spd_import_in in = {name, bytes, &peer, &out, h->a};
    *h = (struct heard){.a = h->a};
    return spd_import_read(format, &in, err);
}

static int setup(void **state)
{
    struct heard *h = calloc(1, sizeof *h);
    h->a = spd_arena_new((size_t)1 << 30);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    spd_arena_free(((struct heard *)*state)->a);
    free(*state);
    return 0;
}

static spd_usec utc(int h, int min)
{
    return spd_zone_to_utc(spd_zone_utc(), 2026, 11, 22, h, min, 0, 0);
}

/* ---- csv
 * ------------------------------------------------------------------------------------------ */
static void every_column(void **state)
{
    struct heard *h = *state;
    struct spd_err err = {0};
    const struct spd_order_event *e;
    const struct spd_order_in *o;
    assert_int_equal(
        read_as(
            "csv", SPD_SV("f"),
            SPD_SV("accession;issuer;placer;filler;patient_id;patient_authority;patient_name;birth_"
                   "date;sex;procedure;"
                   "procedure_text;study_uid;modality;body_part;priority;status;scheduled;exam_"
                   "done;location;"
                   "patient_class;requester;callback;clinical_info;procedure_id;step_id;station_ae;"
                   "changed;#own\r\n"
                   "A1;RAD;P1;F1;12;BSN;ZZCANARY^Test;31-01-1960;v;CTHERS|X;CT "
                   "hersenen|Extra;1.2.3|1.2.4;;;Spoed;Klaar;"
                   "2026-11-22 15:00;22-11-2026 14:30;SEH;E;ZZDokter;1234;\"val; hoofd\";R1;S1;CT1;"
                   "2026-11-22T14:35:00+01:00;weg\r\n"),
            h, &err),
        SPD_OK);
    assert_int_equal(h->orders.n, 0); /* "v" is no sex here: refused with its place */
    assert_string_equal(h->place, "f:2:46");
    assert_string_equal(h->why, "sex: not a sex: M, F, O or U");
    assert_int_equal(read_as("csv", SPD_SV("f"),
                             SPD_SV("accession,issuer,placer,filler,patient_id,patient_authority,"
                                    "patient_name,birth_date,sex,procedure,"
                                    "procedure_text,study_uid,modality,body_part,priority,status,"
                                    "scheduled,exam_done,location,"
                                    "patient_class,requester,callback,clinical_info,procedure_id,"
                                    "step_id,station_ae,changed,#own\n"
                                    "A1,RAD,P1,F1,12,BSN,ZZCANARY^Test,31-01-1960,f,CTHERS|X,CT "
                                    "hersenen|Extra,1.2.3|1.2.4,,,Spoed,Klaar,"
                                    "2026-11-22 15:00,22-11-2026 14:30,SEH,E,ZZDokter,1234,\"val, "
                                    "\"\"hoofd\"\"\",R1,S1,CT1,"
                                    "2026-11-22T14:35:00+01:00,weg"),
                             h, &err),
                     SPD_OK);
    assert_int_equal(h->refused, 0);
    assert_int_equal(h->orders.n, 1);
    e = h->orders.v[0], o = &e->orders.v[0];
    assert_true(spd_sv_is(o->accession.value, "A1") && spd_sv_is(o->accession.authority, "RAD"));
    assert_true(spd_sv_is(e->patient.ids.v[0].authority, "BSN") &&
                spd_sv_is(e->patient.name, "ZZCANARY, Test"));
    assert_true(spd_sv_is(e->patient.birth_date, "19600131") && spd_sv_is(e->patient.sex, "F"));
    assert_int_equal(o->procedures.n, 2);
    assert_true(spd_sv_is(o->procedures.v[1].text, "Extra") && o->study_uids.n == 2);
    assert_true(spd_sv_is(o->modality, "CT") &&
                spd_sv_is(o->body_part, "HEAD")); /* by the procedure */
    assert_int_equal(o->priority, SPD_PRIORITY_URGENT);
    assert_int_equal(o->exam_done, 1);
    assert_int_equal(o->scheduled, utc(14, 0)); /* the peer's zone */
    assert_int_equal(o->exam_time, utc(13, 30));
    assert_int_equal(o->source_time, utc(13, 35));
    assert_true(spd_sv_is(o->clinical_info, "val, \"hoofd\"") && spd_sv_is(e->location, "SEH"));
}

static void csv_line_by_line(void **state)
{
    static const struct {
        const char *what, *text, *place, *why;
        enum spd_rc rc; /* of the whole */
        size_t orders;
    } rows[] = {
        {"utf-8 with a mark",
         "\xef\xbb\xbf"
         "accession,patient_id\nA,1\n",
         "", "", SPD_OK, 1},
        {"latin-1", "accession,patient_id,clinical_info\nA,1,r\xf6ntgen\n", "", "", SPD_OK, 1},
        {"tabs", "accession\tpatient_id\nA\t1\n", "", "", SPD_OK, 1},
        {"empty lines are nothing", "accession,patient_id\n\nA,1\n\n", "", "", SPD_OK, 1},
        {"an empty list", "accession,patient_id\n", "", "", SPD_OK, 0},
        {"no file", "", "", "the file is empty", SPD_INVALID, 0},
        {"unknown column", "accession,pat\n", "f:1:11", "no such column", SPD_INVALID, 0},
        {"twice a column", "accession,accession\n", "f:1:11", "twice", SPD_INVALID, 0},
        {"no number", "patient_id,sex\n", "f:1:1", "names no column", SPD_INVALID, 0},
        {"too few fields", "accession,patient_id\nA\nB,2\n", "f:2:1", "1 fields, and 2 columns",
         SPD_OK, 1},
        {"too many", "accession,patient_id\nA,1,2\nB,2\n", "f:2:5", "3 fields, and 2 columns",
         SPD_OK, 1},
        {"a quote that does not end", "accession,patient_id\n\"A,1\nB,2\n", "f:2:1", "does not end",
         SPD_OK, 0},
        {"a quote in the middle", "accession,patient_id\nA\"x\",1\nB,2\n", "f:2:1",
         "a quote inside", SPD_OK, 1},
        {"text behind a quote", "accession,patient_id\n\"A\"x,1\nB,2\n", "f:2:1",
         "behind the closing", SPD_OK, 1},
        {"a line end in quotes counts", "accession,patient_id,sex\n\"A\nA\",1,M\nB,2,Q\n", "f:4:5",
         "not a sex", SPD_OK, 1},
        {"no patient", "accession,patient_id\nA,\n", "f:2:1", "no patient identifier", SPD_OK, 0},
        {"neither number", "accession,patient_id\n,1\n", "f:2:1", "nothing to know it by", SPD_OK,
         0},
        {"letters, not bytes", "accession,patient_id,location,sex\nA,1,R\xc3\xb6ntgen,Q\n",
         "f:2:13", "not a sex", SPD_OK, 0},
        {"a priority", "accession,patient_id,priority\nA,1,soon\n", "f:2:5", "not a priority",
         SPD_OK, 0},
        {"a status", "accession,patient_id,status\nA,1,weg\n", "f:2:5", "not a status", SPD_OK, 0},
        {"a time", "accession,patient_id,scheduled\nA,1,2026-13-01\n", "f:2:5", "not a time",
         SPD_OK, 0},
        {"an hour", "accession,patient_id,scheduled\nA,1,2026-11-22 25:00\n", "f:2:5", "not a time",
         SPD_OK, 0},
        {"a uid", "accession,patient_id,study_uid\nA,1,x\n", "f:2:5", "not a Study Instance UID",
         SPD_OK, 0},
    };
    struct heard *h = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_err err = {0};
        enum spd_rc rc = read_as("csv", SPD_SV("f"), spd_sv_from(rows[i].text), h, &err);
        const char *place = rc ? err.place : h->place, *why = rc ? err.text : h->why;
        if (rc != rows[i].rc || h->orders.n != rows[i].orders || strcmp(place, rows[i].place) ||
            !strstr(why, rows[i].why))
            fail_msg("%s: %s, %zu orders, %s: %s", rows[i].what, spd_rc_name(rc), h->orders.n,
                     place, why);
    }
}

/* ---- FHIR
 * ----------------------------------------------------------------------------------------- */
#define REQUEST(more)                                                                              \
    "{\"resourceType\":\"ServiceRequest\",\"intent\":\"order\",\"status\":\"active\","             \
    "\"identifier\":[{\"value\":\"A1\"}],\"subject\":{\"identifier\":{\"value\":\"12\"}}," more    \
    "}"
static void fhir_requests(void **state)
{
    static const struct {
        const char *what, *text;
        enum spd_rc rc;
        size_t orders, skipped, refused;
    } rows[] = {
        {"imaging by its words", REQUEST("\"code\":{\"text\":\"CT head\"}"), SPD_OK, 1, 0, 0},
        {"imaging by its procedure", REQUEST("\"code\":{\"coding\":[{\"code\":\"CTHERS\"}]}"),
         SPD_OK, 1, 0, 0},
        {"imaging by its category",
         REQUEST("\"category\":[{\"coding\":[{\"code\":\"363679005\"}]}]"), SPD_OK, 1, 0, 0},
        {"a laboratory's",
         REQUEST(
             "\"category\":[{\"coding\":[{\"code\":\"108252007\"}]}],\"code\":{\"text\":\"CT\"}"),
         SPD_OK, 0, 1, 0},
        {"no sign of imaging", REQUEST("\"code\":{\"text\":\"Glucose\"}"), SPD_OK, 0, 1, 0},
        {"nobody's",
         "{\"resourceType\":\"ServiceRequest\",\"identifier\":[{\"value\":\"A\"}],\"code\":{"
         "\"text\":\"CT\"}}",
         SPD_OK, 0, 0, 1},
        {"no number",
         "{\"resourceType\":\"ServiceRequest\",\"subject\":{\"identifier\":{\"value\":\"1\"}},"
         "\"code\":{\"text\":\"CT\"}}",
         SPD_OK, 0, 0, 1},
        {"a proposal", "{\"resourceType\":\"ServiceRequest\",\"intent\":\"proposal\"}", SPD_OK, 0,
         1, 0},
        {"something else", "{\"resourceType\":\"Patient\"}", SPD_OK, 0, 0, 0},
        {"an empty bundle", "{\"resourceType\":\"Bundle\"}", SPD_OK, 0, 0, 0},
        {"entries of no kind", "{\"resourceType\":\"Bundle\",\"entry\":[{},7,{\"resource\":null}]}",
         SPD_OK, 0, 0, 3},
        {"no resource", "{\"a\":1}", SPD_INVALID, 0, 0, 0},
        {"no JSON", "<Bundle/>", SPD_INVALID, 0, 0, 0},
        {"a key twice", "{\"resourceType\":\"Bundle\",\"resourceType\":\"Bundle\"}", SPD_INVALID, 0,
         0, 0},
    };
    struct heard *h = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_err err = {0};
        enum spd_rc rc = read_as("fhir", SPD_SV("f"), spd_sv_from(rows[i].text), h, &err);
        if (rc != rows[i].rc || h->orders.n != rows[i].orders || h->skipped != rows[i].skipped ||
            h->refused != rows[i].refused)
            fail_msg("%s: %s, %zu orders, %zu skipped, %zu refused: %s", rows[i].what,
                     spd_rc_name(rc), h->orders.n, h->skipped, h->refused, h->why);
    }
    spd_sv deep = spd_arena_dup(h->a, SPD_SV("{\"resourceType\":\"Bundle\",\"x\":"));
    struct spd_str s = SPD_STR_INIT(1 << 20);
    struct spd_err err = {0};
    spd_str_add(&s, deep);
    for (int i = 0; i < 100000; i++)
        spd_str_addc(&s, '[');
    assert_int_equal(read_as("fhir", SPD_SV("f"), spd_str_sv(&s), h, &err), SPD_LIMIT);
    spd_str_done(&s);
}

static void fhir_states(void **state)
{
    static const struct {
        const char *status;
        int order, cancel, done;
    } rows[] = {
        {"draft", SPD_ORDER_ACTIVE, 0, 0},     {"active", SPD_ORDER_ACTIVE, 0, 0},
        {"on-hold", SPD_ORDER_HELD, 0, 0},     {"revoked", SPD_ORDER_CANCELLED, 1, 0},
        {"completed", SPD_ORDER_ACTIVE, 0, 1}, {"entered-in-error", SPD_ORDER_CANCELLED, 1, 0},
        {"unknown", SPD_ORDER_ACTIVE, 0, 0}};
    struct heard *h = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_err err = {0};
        spd_sv text = spd_arena_printf(
            h->a,
            "{\"resourceType\":\"ServiceRequest\",\"status\":\"%s\",\"code\":{\"text\":\"MRI "
            "knie\"},"
            "\"identifier\":[{\"type\":{\"coding\":[{\"code\":\"FILL\"}]},\"value\":\"F1\"}],"
            "\"subject\":{\"identifier\":{\"value\":\"12\"}}}",
            rows[i].status);
        assert_int_equal(read_as("fhir", SPD_SV("f"), text, h, &err), SPD_OK);
        assert_int_equal(h->orders.n, 1);
        const struct spd_order_in *o = &h->orders.v[0]->orders.v[0];
        if (o->order != rows[i].order || o->cancel != rows[i].cancel ||
            o->exam_done != rows[i].done || o->report)
            fail_msg("%s", rows[i].status);
        assert_true(spd_sv_is(o->modality, "MR") && spd_sv_is(o->filler.value, "F1") &&
                    !o->accession.value.len);
    }
}

/* ---- modality worklist
 * ----------------------------------------------------------------------------- */
static void worklist_json(void **state)
{
    struct heard *h = *state;
    struct spd_err err = {0};
    const struct spd_order_in *o;
    assert_int_equal(
        read_as(
            "mwl", SPD_SV("f"),
            SPD_SV("[{\"00080050\":{\"vr\":\"SH\",\"Value\":[\"A1\"]},\"00100020\":{\"vr\":\"LO\","
                   "\"Value\":[\"12\"]},"
                   "\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"ZZCANARY^Test\"}]},"
                   "\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"1.2.3\"]},\"00401001\":{\"vr\":\"SH\","
                   "\"Value\":[\"R1\"]},"
                   "\"00401003\":{\"vr\":\"SH\",\"Value\":[\"HIGH\"]},"
                   "\"00321064\":{\"vr\":\"SQ\",\"Value\":[{\"00080100\":{\"vr\":\"SH\",\"Value\":["
                   "\"CTHERS\"]}}]},"
                   "\"00400100\":{\"vr\":\"SQ\",\"Value\":[{\"00080060\":{\"vr\":\"CS\",\"Value\":["
                   "\"CT\"]},"
                   "\"00400001\":{\"vr\":\"AE\",\"Value\":[\"CT1\"]},\"00400002\":{\"vr\":\"DA\","
                   "\"Value\":[\"20261122\"]},"
                   "\"00400003\":{\"vr\":\"TM\",\"Value\":[\"150000.000\"]}}]}},{\"00080050\":{"
                   "\"vr\":\"SH\"}}]"),
            h, &err),
        SPD_OK);
    assert_int_equal(h->orders.n, 1);
    assert_int_equal(h->refused, 1);
    assert_string_equal(h->place, "f:2");
    o = &h->orders.v[0]->orders.v[0];
    assert_true(spd_sv_is(o->accession.value, "A1") && spd_sv_is(o->modality, "CT") &&
                spd_sv_is(o->body_part, "HEAD"));
    assert_true(spd_sv_is(h->orders.v[0]->patient.name, "ZZCANARY, Test") &&
                spd_sv_is(o->station_ae, "CT1"));
    assert_int_equal(o->scheduled, utc(14, 0));
    assert_int_equal(o->priority, SPD_PRIORITY_URGENT);
    assert_int_equal(o->exam_done, 0); /* a step says what is to be done */
}

/* ---- HL7
 * ------------------------------------------------------------------------------------------ */
static void hl7_files(void **state)
{
    struct heard *h = *state;
    struct spd_err err = {0};
    assert_int_equal(
        read_as("hl7", SPD_SV("f"),
                SPD_SV("FHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|RIS|ZH|||20261122140000||ORM^O01|1|P|2."
                       "5\rPID|1||12^^^ZH||ZZCANARY^Test\r"
                       "ORC|NW|P1|F1\rOBR|1|P1|F1|CTHERS^CT^L||||||||||||||A1||||||CT\r"
                       "MSH|^~\\&|RIS|ZH|||20261122140000||ADT^A08|2|P|2.5\rPID|1||12^^^ZH\r"
                       "MSH|^~\\&|RIS|ZH|||20261122140000||ORU^R01|3|P|2.5\rPID|1||12^^^ZH\rOBR|1|"
                       "P1|F1|CTHERS^CT^L|||||||||||||||||||||F\r"
                       "OBX|1|TX|||text||||||F\rBTS|3\rFTS|1\rMSH|^~\\&|RIS|ZH|||20261122140000||"
                       "ORM^O01|4|P|2.5\r"),
                h, &err),
        SPD_OK);
    assert_int_equal(h->orders.n, 1);
    assert_int_equal(h->reports, 1);
    assert_int_equal(h->skipped, 1);
    assert_int_equal(h->refused, 1);
    assert_string_equal(h->place, "f:4");
    assert_true(h->orders.v[0]->message.raw.len > 0); /* kept: for writing back later */
    assert_int_equal(read_as("hl7", SPD_SV("f"), SPD_SV("hello"), h, &err), SPD_OK);
    assert_int_equal(h->refused, 1);
    assert_int_equal(read_as("hl7", SPD_SV("f"), SPD_SV("\r\n"), h, &err), SPD_INVALID);
}

static void formats_are_guessed(void **state)
{
    static const struct {
        const char *name, *bytes, *format;
    } rows[] = {{"a", "\x0bMSH|^~\\&", "hl7"},
                {"a", "FHS|^~\\&", "hl7"},
                {"a.csv", "accession,patient_id\n", "csv"},
                {"a", "{\"resourceType\":\"Bundle\"}", "fhir"},
                {"a", "[{\"00080050\":{\"vr\":\"SH\"}}]", "mwl"},
                {"a.wl", "xx", "mwl"},
                {"a", "accession,patient_id\n", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *f = spd_import_guess(spd_sv_from(rows[i].name), spd_sv_from(rows[i].bytes));
        if ((f == NULL) != (rows[i].format == NULL) || (f && strcmp(f, rows[i].format)))
            fail_msg("%s: %s", rows[i].bytes, f ? f : "none");
    }
}

/* ---- the shared data: every file is read or refused with a reason
 * -------------------------------------- */
static void the_shared_data(void **state)
{
    static const struct {
        const char *pattern, *format;
        size_t at_least; /* orders */
    } rows[] = {{"fhir/*/*.json", "fhir", 4},
                {"mwl/*/*/*.wl", "mwl", 1},
                {"mwl/*/*.wl", "mwl", 1},
                {"hl7v2/*/*", "hl7", 10}};
    struct heard *h = *state;
    size_t files = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char pattern[500];
        size_t orders = 0, here = 0;
        glob_t g;
        snprintf(pattern, sizeof pattern, SPOED_SOURCE_DIR "/../shared/data/%s", rows[i].pattern);
        if (!glob(pattern, 0, NULL, &g))
            for (size_t k = 0; k < g.gl_pathc; k++) {
                struct spd_source s = {0};
                struct spd_err err = {0};
                spd_arena_reset(h->a);
                if (spd_source_read(g.gl_pathv[k], 16 << 20, &s, h->a, &err)) continue;
                enum spd_rc rc = read_as(rows[i].format, SPD_SV("f"), s.text, h, &err);
                if (rc && !err.text[0]) fail_msg("%s: refused without a reason", g.gl_pathv[k]);
                if (h->refused && (!h->place[0] || !h->why[0]))
                    fail_msg("%s: refused without place or reason", g.gl_pathv[k]);
                orders += h->orders.n, files++, here++;
            }
        globfree(&g);
        if (here && orders < rows[i].at_least)
            fail_msg("%s: %zu orders of %zu files", rows[i].pattern, orders, here);
    }
    if (!files) print_message("skipped: no shared data\n");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_column),  T(csv_line_by_line), T(fhir_requests),       T(fhir_states),
        T(worklist_json), T(hl7_files),        T(formats_are_guessed), T(the_shared_data)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
