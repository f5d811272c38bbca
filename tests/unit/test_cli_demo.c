/* tests/unit/test_cli_demo.c: the synthetic hospital says what it is meant to say: its SR objects as the brain's
 * own reader understands them, its RIS, pager and mail server as a sender meets them. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "channel/channel.h"
#include "cli/demo_peers.h"
#include "cli/demo_sr.h"
#include "result/sr_build.h"

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

static const struct demo_sr base = {
    .manufacturer = "ExampleVendor", .model = "Test Triage", .version = "1.0", .patient_id = "ZZ4711", .patient_issuer = "ZH",
    .patient_name = "ZZTEST^Odd", .birth_date = "19600101", .sex = "F", .accession = "A1", .study_uid = "2.25.1",
    .uid = "2.25.2", .series_uid = "2.25.33", .images = {"2.25.4", "2.25.55"}, .image_class = "1.2.840.10008.5.1.4.1.1.2",
    .image_series_uid = "2.25.6", .at = SPD_SEC(1790000000)};

static void an_sr_is_read_as_meant(void **state)
{
    static const struct { const char *name; struct demo_sr_finding f; size_t n; enum spd_ai_state want; int64_t probability; } rows[] = {
        {"present", {"1386000", "Intracranial hemorrhage", true, "0.94", "12738006", "Brain"}, 1, SPD_AI_POSITIVE, 940000},
        {"absent", {"1386000", "Intracranial hemorrhage", false, "0.03", NULL, NULL}, 1, SPD_AI_NEGATIVE, 30000},
        {"no probability", {"36118008", "Pneumothorax", true, NULL, NULL, NULL}, 1, SPD_AI_POSITIVE, -1},
        {"normal", {NULL, NULL, false, NULL, NULL, NULL}, 0, SPD_AI_NORMAL, -1},
    };
    struct spd_codes *codes = NULL;
    (void)state;
    assert_int_equal(spd_codes_load_dir(SPOED_SOURCE_DIR "/packaging/share/codes", NULL, &codes, NULL), SPD_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct demo_sr sr = base;
        struct spd_str bytes = SPD_STR_INIT(1 << 20);
        struct spd_arena *arena = spd_arena_new(8 << 20);
        struct spd_dcm dcm;
        struct spd_sr_doc doc;
        struct spd_result r = {0};
        spd_sv why = SPD_SV_NONE;
        sr.findings[0] = rows[i].f;
        sr.n_findings = rows[i].n;
        demo_sr_write(&sr, &bytes);
        assert_true(spd_str_ok(&bytes));
        assert_int_equal(bytes.len % 2, 0);
        assert_int_equal(spd_dcm_parse(spd_str_sv(&bytes), &dcm, arena, NULL), SPD_OK);
        assert_int_equal(dcm.n_notes, 0);
        spd_sr_doc_build(&dcm, &doc, arena);
        assert_int_equal(read_first(&doc, codes, &r, &why, arena), SPD_READ_RESULT);
        if (r.state != (int)rows[i].want) fail_msg("%s: %s", rows[i].name, spd_enum_name(spd_ai_state_names, r.state));
        assert_true(spd_sv_is(r.study_uid, "2.25.1"));
        assert_true(spd_sv_is(r.sop_uid, "2.25.2"));
        assert_true(spd_sv_is(r.accession.value, "A1"));
        assert_true(spd_sv_is(r.patient.ids.v[0].value, "ZZ4711"));
        assert_true(spd_sv_is(r.patient.ids.v[0].authority, "ZH"));
        assert_true(spd_sv_is(r.name, "Test Triage"));
        assert_true(spd_sv_is(r.version, "1.0"));
        assert_int_equal(r.instances.n, 2);
        assert_int_equal(r.findings.v[0].probability, rows[i].probability);
        spd_str_done(&bytes);
        spd_arena_free(arena);
    }
    spd_codes_free(codes);
}

static enum spd_outcome send_by(const char *type, const char *url, const struct spd_delivery *d, const char *secret)
{
    struct spd_channel_config c = {.to = spd_sv_from(url), .from = SPD_SV("spoed@zh.example"), .secret = spd_sv_from(secret)};
    const struct spd_channel *channel = spd_channel_find(spd_sv_from(type));
    struct spd_arena *arena = spd_arena_new(1 << 20);
    struct spd_sending s = {0};
    void *self = NULL;
    enum spd_outcome o;
    assert_int_equal(channel->open(&c, &self, NULL), SPD_OK);
    o = channel->send(self, d, &s, arena);
    channel->close(self);
    spd_arena_free(arena);
    return o;
}

static void pages_and_mails_are_kept(void **state)
{
    struct demo_peers *p = demo_peers_start(1, "geheim");
    struct spd_delivery d = {.row = {.id = 1, .kind = SPD_OUTBOX_PAGE, .control_id = SPD_SV("P1"), .to = SPD_SV("1001"), .attempts = 1,
                                     .payload = SPD_SV("{\"page_id\":\"P1\",\"alert_id\":7,\"level\":\"critical\",\"text\":\"x\"}")},
                             .now = SPD_SEC(1790000000)};
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/page", demo_peers_pager_port(p));
    assert_int_equal(send_by("webhook", url, &d, "geheim"), SPD_OUTCOME_OK);
    assert_int_equal(send_by("webhook", url, &d, "geheim"), SPD_OUTCOME_OK);
    assert_int_equal(demo_pages_count(p, 7, "1001"), 1); /* the same page id counts once */
    assert_int_equal(demo_pages_count(p, 8, NULL), 0);
    assert_true(demo_pages_all_signed(p));
    d.row.control_id = SPD_SV("P2");
    d.row.to = SPD_SV("smit@zh.example");
    snprintf(url, sizeof url, "smtp://127.0.0.1:%d", demo_peers_mail_port(p));
    assert_int_equal(send_by("smtp", url, &d, ""), SPD_OUTCOME_OK);
    assert_int_equal(demo_pages_count(p, 0, "smit@zh.example"), 1);
    d.row.to = SPD_SV("1002");
    snprintf(url, sizeof url, "http://127.0.0.1:%d/page", demo_peers_pager_port(p));
    assert_int_equal(send_by("webhook", url, &d, "another"), SPD_OUTCOME_OK);
    assert_false(demo_pages_all_signed(p));
    demo_peers_stop(p);
}

static void a_ris_goes_down_and_comes_back(void **state)
{
    static const char order[] = "MSH|^~\\&|RIS|ZH|SPOED|ZH|20261122080000||ORM^O01|R1|P|2.5\rPID|1||4711^^^ZH||ZZTEST^Odd\r"
                                "PV1|1|E|SEH\rORC|NW|PL1|FI1||||1^^^20261122080000^^R\rOBR|1|PL1|FI1|CTHERS^CT\r";
    struct demo_peers *p = demo_peers_start(1, "");
    struct spd_delivery d = {.row = {.id = 1, .kind = SPD_OUTBOX_PRIORITY, .control_id = SPD_SV("M1"), .wire = SPD_SV("S"), .attempts = 1},
                             .item = {.id = 5, .placer = {SPD_SV("PL1"), SPD_SV_NONE}, .filler = {SPD_SV("FI1"), SPD_SV_NONE}},
                             .source_raw = SPD_SV(order), .now = SPD_SEC(1790000000)};
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "mllp://127.0.0.1:%d", demo_peers_ris_port(p));
    assert_int_equal(send_by("hl7", url, &d, ""), SPD_OUTCOME_OK);
    assert_int_equal(demo_ris_count(p, "ORM", "FI1"), 1);
    assert_int_equal(demo_ris_count(p, "ORU", ""), 0);
    demo_ris_down(p, true);
    assert_int_equal(send_by("hl7", url, &d, ""), SPD_OUTCOME_UNREACHED);
    demo_ris_down(p, false);
    assert_int_equal(send_by("hl7", url, &d, ""), SPD_OUTCOME_OK);
    assert_int_equal(demo_ris_count(p, "ORM", "FI1"), 2);
    assert_false(demo_ris_send(p, SPD_SV("MSH|nobody listens"))); /* port 1 */
    demo_peers_stop(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_sr_is_read_as_meant),
        cmocka_unit_test(pages_and_mails_are_kept),
        cmocka_unit_test(a_ris_goes_down_and_comes_back),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
