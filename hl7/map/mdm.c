/* hl7/map/mdm.c: MDM: a report as a document, of a peer that reports; see read.h. The text is read
 * as that of an ORU (report.c).
 *
 * TXA-14, TXA-15 and an order group name the orders; a document that names none closes nothing.
 * TXA-17 says how far it is (the peer's own words first), TXA-19 whether it still stands. */
#include "hl7/map/site.h"

enum { MAX_NUMBERS = 50 };

static const struct trigger {
    const char *name;
    bool gone, changes, adds;
} triggers[] = {
    {"T01", false, false, false}, {"T02", false, false, false}, {"T03", false, false, false},
    {"T04", false, false, false}, {"T05", false, true, true},   {"T06", false, true, true},
    {"T07", false, true, false},  {"T08", false, true, false},  {"T09", false, true, false},
    {"T10", false, true, false},  {"T11", true, false, false},
};

static const struct { /* table 0271 */
    const char *word;
    enum spd_report_axis report;
} completions[] = {
    {"DI", SPD_REPORT_PRELIMINARY}, {"DO", SPD_REPORT_PRELIMINARY}, {"IN", SPD_REPORT_PRELIMINARY},
    {"IP", SPD_REPORT_PRELIMINARY}, {"PA", SPD_REPORT_PRELIMINARY}, {"AU", SPD_REPORT_FINAL},
    {"LA", SPD_REPORT_FINAL},
};

static void completion(const struct hl7_read *r, spd_sv word, struct spd_order_in *ret)
{
    for (size_t i = 0; i < r->o->n_words; i++) /* the peer's status_map goes first */
        if (spd_sv_ieq(word, r->o->words[i].word)) {
            hl7_word_status(r->o, word, true, ret);
            return;
        }
    for (size_t i = 0; i < sizeof completions / sizeof completions[0]; i++)
        if (spd_sv_ieq(word, spd_sv_from(completions[i].word))) {
            ret->report = (int32_t)completions[i].report;
            return;
        }
    if (!hl7_word_status(r->o, word, true, ret)) ret->status_word = word;
}

/* Table 0273: CA deleted, OB obsolete, UN not to be used. */
static bool withdrawn(spd_sv word)
{
    return spd_sv_is(word, "CA") || spd_sv_is(word, "OB") || spd_sv_is(word, "UN");
}

static void read_status(const struct hl7_read *r, const struct hl7_seg *txa,
                        const struct trigger *t, struct spd_order_in *ret)
{
    spd_sv word = hl7_text_of(r, txa, 17, 1);
    if (word.len) completion(r, word, ret);
    if (t->changes && ret->report == SPD_REPORT_FINAL) ret->report = SPD_REPORT_AMENDED;
    if (t->gone || withdrawn(hl7_text_of(r, txa, 19, 1))) ret->report = SPD_REPORT_NONE;
}

static bool identified(const struct spd_order_in *o)
{
    return o->accession.value.len || o->placer.value.len || o->filler.value.len;
}

static void add(const struct hl7_read *r, const struct spd_order_in *status,
                const struct spd_order_in *numbers, struct spd_report_event *ret)
{
    struct spd_order_in o = *status;
    o.accession = numbers->accession, o.placer = numbers->placer, o.filler = numbers->filler;
    if (identified(&o)) *SPD_LIST_ADD(&ret->reports, r->arena) = o;
}

/* Order groups where there are any (since 2.6), else the numbers of TXA side by side. */
static void read_orders(const struct hl7_read *r, const struct hl7_seg *txa,
                        const struct spd_order_in *status, struct spd_report_event *ret)
{
    struct hl7_group groups[MAX_NUMBERS];
    size_t n = hl7_groups(r->m, groups, MAX_NUMBERS);
    struct hl7_value placers = hl7_field(r->m, txa, 14), fillers = hl7_field(r->m, txa, 15);
    for (size_t i = 0; i < n; i++) {
        struct spd_order_in numbers = {0};
        hl7_group_ids(r, &groups[i], &numbers);
        add(r, status, &numbers, ret);
    }
    if (ret->reports.n) return;
    n = placers.is == HL7_VALUE ? hl7_reps(r->m, placers.raw) : 0;
    size_t m = fillers.is == HL7_VALUE ? hl7_reps(r->m, fillers.raw) : 0;
    if (m > n) n = m;
    for (unsigned i = 1; i <= n && i <= MAX_NUMBERS; i++) {
        struct spd_order_in numbers = {0};
        hl7_read_ei(r, hl7_rep(r->m, placers, i), r->o->accession_issuer, &numbers.placer);
        hl7_read_ei(r, hl7_rep(r->m, fillers, i), r->o->accession_issuer, &numbers.filler);
        add(r, status, &numbers, ret);
    }
}

static spd_sv read_by(const struct hl7_read *r, const struct hl7_seg *txa)
{
    static const unsigned fields[] = {22, 10, 9, 5}; /* who signed, is to sign, dictated, did it */
    spd_sv name = SPD_SV_NONE;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && !name.len; i++)
        name = hl7_read_name(r, hl7_get(r->m, txa, fields[i], 1, 0, 0), 2);
    return name;
}

enum hl7_no hl7_read_mdm(struct hl7_read *r, spd_sv trigger, struct spd_report_event *ret)
{
    size_t pid = hl7_seg_find(r->m, "PID", 0), at = hl7_seg_find(r->m, "TXA", 0),
           evn = hl7_seg_find(r->m, "EVN", 0);
    const struct hl7_seg *txa = at < r->m->n_segs ? &r->m->segs[at] : NULL;
    const struct trigger *t = triggers, *end = t + sizeof triggers / sizeof triggers[0];
    struct spd_order_in status = {0};
    while (t < end && !spd_sv_is(trigger, t->name))
        t++;
    if (t == end) return HL7_NO_NOT_FOR_US;
    if (!txa) return HL7_NO_ORDER;
    if (pid == r->m->n_segs) return HL7_NO_PATIENT;
    read_status(r, txa, t, &status);
    spd_usec when = evn < r->m->n_segs ? hl7_read_time(r, hl7_field(r->m, &r->m->segs[evn], 2)) : 0;
    if (!when) when = hl7_read_time(r, hl7_field(r->m, &r->m->segs[0], 7));
    status.source_time = hl7_clamp_time(r, when);
    read_orders(r, txa, &status, ret);
    if (!ret->reports.n) return HL7_NO_IDENTIFIER;
    hl7_read_patient(r, &r->m->segs[pid], &ret->patient);
    ret->by = read_by(r, txa);
    ret->addendum = t->adds;
    hl7_report_text(r, ret);
    return HL7_NO;
}
