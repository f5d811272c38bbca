/* src/core/summary_out.c: a summary for the archive (domain §12): a Basic Text SR for each study
 * that says which products looked, and what they found. Not a report: unverified, preliminary, and
 * its first line says so.
 *
 * Made anew SETTLE after the last result; what waits is replaced. Products in shadow are not in it:
 * nobody is shown what they say. The bytes stand in the row, so that a replay makes the same. */
#include "core/internal.h"
#include "result/dcm_write.h"
#include "ups/ups.h"

#define SETTLE SPD_SEC(20)
#define BASIC_TEXT "1.2.840.10008.5.1.4.1.1.88.11"

struct summary {
    struct spd_tx *tx;
    struct spd_dcm_set set, *evidence;
    const struct spd_result *about; /* whose study and patient */
};

static void put(struct summary *s, uint32_t tag, const char *vr, spd_sv v)
{
    spd_dcm_put(&s->set, tag, vr, v, s->tx->a);
}

static void put_line(struct summary *s, spd_sv text)
{
    struct spd_dcm_set *item = spd_dcm_put_item(&s->set, 0x0040A730, s->tx->a);
    spd_dcm_put(item, 0x0040A010, "CS", SPD_SV("CONTAINS"), s->tx->a);
    spd_dcm_put(item, 0x0040A040, "CS", SPD_SV("TEXT"), s->tx->a);
    spd_dcm_put_code(item, 0x0040A043, SPD_SV("121071"), SPD_SV("DCM"), SPD_SV("Finding"),
                     s->tx->a);
    spd_dcm_put(item, 0x0040A160, "UT", text, s->tx->a);
}

/* "ExampleVendor ICH Triage 2.1.0: positive: Intracranial hemorrhage (94 %)" */
static spd_sv line_of(struct spd_tx *tx, const struct spd_result *r)
{
    struct spd_str out = SPD_STR_INIT(16384);
    bool any = false;
    spd_str_addf(&out, "%.*s %.*s %.*s: %s", SPD_SV_ARG(r->manufacturer), SPD_SV_ARG(r->name),
                 SPD_SV_ARG(r->version), spd_enum_name(spd_ai_state_names, r->state));
    for (size_t i = 0; i < r->findings.n && i < 50; i++) {
        const struct spd_finding *f = &r->findings.v[i];
        spd_str_addf(&out, "%s%.*s, %s", any ? "; " : ": ",
                     SPD_SV_ARG(f->code.text.len ? f->code.text : f->concept),
                     spd_enum_name(spd_present_names, f->present));
        if (f->probability >= 0) spd_str_addf(&out, " (%d %%)", (int)(f->probability / 10000));
        any = true;
    }
    spd_sv ret = spd_arena_dup(tx->a, spd_str_sv(&out));
    spd_str_done(&out);
    return ret;
}

static void put_evidence(struct summary *s, const struct spd_result *r)
{
    struct spd_dcm_set *series, *ref;
    if (!r->series_uid.len) return;
    if (!s->evidence) {
        s->evidence = spd_dcm_put_item(&s->set, 0x0040A375, s->tx->a);
        spd_dcm_put(s->evidence, 0x0020000D, "UI", s->about->study_uid, s->tx->a);
    }
    series = spd_dcm_put_item(s->evidence, 0x00081115, s->tx->a);
    spd_dcm_put(series, 0x0020000E, "UI", r->series_uid, s->tx->a);
    ref = spd_dcm_put_item(series, 0x00081199, s->tx->a);
    spd_dcm_put(ref, 0x00081150, "UI", r->sop_class, s->tx->a);
    spd_dcm_put(ref, 0x00081155, "UI", r->sop_uid, s->tx->a);
}

/* "Jansen, Piet" as DICOM writes it. */
static spd_sv person_name(struct spd_tx *tx, spd_sv name)
{
    size_t at;
    if (!spd_sv_find(name, SPD_SV(", "), &at)) return name;
    return spd_arena_printf(tx->a, "%.*s^%.*s", (int)at, name.ptr, (int)(name.len - at - 2),
                            name.ptr + at + 2);
}

static void put_header(struct summary *s, spd_sv sop_uid)
{
    struct spd_tx *tx = s->tx;
    const struct spd_result *r = s->about;
    struct spd_civil c = spd_zone_civil(tx->core->rules->zone, tx->now);
    spd_sv day = spd_arena_printf(tx->a, "%04d%02d%02d", c.year, c.month, c.day);
    spd_sv time = spd_arena_printf(tx->a, "%02d%02d%02d", c.hour, c.minute, c.second);
    spd_sv series = spd_arena_printf(tx->a, "summary series|%.*s", SPD_SV_ARG(r->study_uid));
    const struct {
        uint32_t tag;
        const char *vr;
        spd_sv value;
    } rows[] = {
        {0x00080005, "CS", SPD_SV("ISO_IR 192")},
        {0x00080016, "UI", SPD_SV(BASIC_TEXT)},
        {0x00080018, "UI", sop_uid},
        {0x00080020, "DA", SPD_SV_NONE},
        {0x00080023, "DA", day},
        {0x00080030, "TM", SPD_SV_NONE},
        {0x00080033, "TM", time},
        {0x00080050, "SH", r->accession.value},
        {0x00080060, "CS", SPD_SV("SR")},
        {0x00080070, "LO", SPD_SV("Spoed")},
        {0x00080090, "PN", SPD_SV_NONE},
        {0x0008103E, "LO", SPD_SV("AI results")},
        {0x00081090, "LO", SPD_SV("Spoed")},
        {0x00100010, "PN", person_name(tx, r->patient.name)},
        {0x00100020, "LO", r->patient.ids.n ? r->patient.ids.v[0].value : SPD_SV_NONE},
        {0x00100030, "DA", r->patient.birth_date.len == 8 ? r->patient.birth_date : SPD_SV_NONE},
        {0x00100040, "CS", r->patient.sex.len == 1 ? r->patient.sex : SPD_SV_NONE},
        {0x0020000D, "UI", r->study_uid},
        {0x0020000E, "UI", spd_ups_uid(tx->core->secret, series.ptr, 0, tx->a)},
        {0x00200010, "SH", SPD_SV_NONE},
        {0x00200011, "IS", SPD_SV("9901")},
        {0x00200013, "IS", SPD_SV("1")},
        {0x0040A040, "CS", SPD_SV("CONTAINER")},
        {0x0040A050, "CS", SPD_SV("SEPARATE")},
        {0x0040A491, "CS", SPD_SV("COMPLETE")},
        {0x0040A493, "CS", SPD_SV("UNVERIFIED")},
        {0x0040A496, "CS", SPD_SV("PRELIMINARY")}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        put(s, rows[i].tag, rows[i].vr, rows[i].value);
    spd_dcm_put_sequence(&s->set, 0x00081111, tx->a);
    spd_dcm_put_sequence(&s->set, 0x0040A372, tx->a);
    spd_dcm_put_code(&s->set, 0x0040A043, SPD_SV("18782-3"), SPD_SV("LN"),
                     SPD_SV("Study observation"), tx->a);
    put_line(s, SPD_SV("What AI products said of this study, as received. Not a report; read by "
                       "nobody. Negative does not exclude."));
}

/* The results of the study that are shown to readers. Returns how many went in. */
static enum spd_rc put_results(struct summary *s, size_t *ret_n)
{
    int64_t *ids;
    size_t n;
    *ret_n = 0;
    TRY(spd_tx_find(s->tx, SPD_KEY_RESULT_STUDY, s->about->study_uid, &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_result r;
        TRY(spd_get_result(s->tx->st, ids[i], &r, s->tx->a, s->tx->err));
        enum spd_mode mode = spd_result_mode(s->tx, &r);
        if (r.superseded_by || r.parked || (mode != SPD_MODE_LIVE && mode != SPD_MODE_ACCEPTANCE))
            continue;
        put_line(s, line_of(s->tx, &r));
        put_evidence(s, &r);
        ++*ret_n;
    }
    return SPD_OK;
}

static enum spd_rc queue(struct spd_tx *tx, const struct spd_destination *d,
                         const struct spd_result *about)
{
    struct spd_outbox row = {
        .destination = d->name, .kind = SPD_OUTBOX_SUMMARY, .to = d->to, .due = tx->now + SETTLE};
    struct spd_str data = SPD_STR_INIT(1 << 20), file = SPD_STR_INIT((1 << 20) + 4096);
    struct summary s = {.tx = tx, .about = about};
    spd_sv kind = spd_arena_printf(tx->a, "summary|%.*s|%.*s", SPD_SV_ARG(d->name),
                                   SPD_SV_ARG(about->study_uid));
    int64_t *ids;
    size_t n, waiting;
    row.group_key = kind;
    row.wire = spd_ups_uid(tx->core->secret, kind.ptr, tx->seq, tx->a);
    put_header(&s, row.wire);
    TRY(put_results(&s, &n));
    if (!n) return SPD_OK;
    TRY(spd_tx_find(tx, SPD_KEY_OUTBOX_GROUP, row.group_key, &ids, &waiting));
    for (size_t i = 0; i < waiting; i++)
        TRY(spd_outbox_cancel(tx, ids[i]));
    spd_dcm_encode(&s.set, true, &data);
    spd_dcm_file(SPD_SV(BASIC_TEXT), row.wire, SPD_SV("1.2.840.10008.1.2.1"), spd_str_sv(&data),
                 &file);
    row.payload = spd_arena_dup(tx->a, spd_str_sv(&file));
    enum spd_rc rc = spd_str_ok(&file) && spd_str_ok(&data) ? spd_outbox_add(tx, &row) : SPD_OK;
    spd_str_done(&data), spd_str_done(&file);
    return rc;
}

enum spd_rc spd_summary_out(struct spd_tx *tx, const struct spd_result *about)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    if (tx->import || !about->study_uid.len || about->parked) return SPD_OK;
    for (size_t i = 0; i < s->destinations.n; i++)
        if (s->destinations.v[i].summary && !spd_sv_is(s->destinations.v[i].mode, "off"))
            TRY(queue(tx, &s->destinations.v[i], about));
    return SPD_OK;
}
