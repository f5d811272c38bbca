/* tests/unit/test_door_mutants.c: mutated structured reports, by the thousand, through bytes, scanner, codec, reader
 * and core. Each ends accepted, held or refused, with a reason; what it must end as follows from how it was made.
 *
 * A mutant is a sound report of an order that is there, changed in up to three ways (header, statements, numbers,
 * structure, bytes). Every way says what becomes of the outcome and of the state; bytes that are changed at random
 * are held against what must be true of any object: nothing is applied to another patient's order, and nothing that
 * was not negative becomes so. Seeded: `test_door_mutants SEED COUNT` tries others; `test_door_mutants SEED COUNT
 * FOLDER` writes the first COUNT of them as files with a list of what must become of each (for the e2e test). */
#include "core_world.h"

#include "door/door_dicom.h"
#include "result/sr_build.h"
#include "sr_bytes.h"

enum { MUTANTS = 2400 };
enum want { ACCEPTED = 1, HELD, REFUSED, NOT_A_RESULT, REFUSED_OR_NOT, ANY };
static const char *const want_names[] = {"", "accepted", "held", "refused", "not_a_result", "refused_or_not", "any"};
enum { POS = 1, NEG = 2, NORM = 4, FAIL = 8, NA = 16 };
enum group { HEADER, STATEMENT, NUMBER, STRUCTURE, BYTES, GROUPS };

struct mutant {
    const char *base;
    char name[256], patient[64], accession[32], study[64], sop[64], order_patient[32], order_accession[32], order_study[64];
    const char *sop_class, *completion;
    bool statements; /* TID 1500 with a finding and a status, one each */
    struct spd_str tree, bytes, tail; /* tail: elements behind the tree */
    enum want want;
    unsigned states; /* that it may have */
    bool no_probability, random;
};

static uint64_t seed = 20260301;
static unsigned rnd(unsigned n)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(seed >> 33) % n;
}

/* ---- bases -------------------------------------------------------------------------------------- */
#define HEAD "CONTAINER 126000/DCM/Imaging Measurement Report\n CONTAINER 126010/DCM/Imaging Measurements\n  CONTAINER 125007/DCM/Measurement Group\n"
#define ALGO "   TEXT 111001/DCM/Algorithm Name = ICH\n   TEXT 111003/DCM/Algorithm Version = 1\n   TEXT 122405/DCM/Manufacturer = Maker\n"
#define ICH "   CODE 121071/DCM/Finding = 1386000/SCT/Intracranial hemorrhage\n"
#define STATUS(c) "   CODE 121071/DCM/Finding = " c "\n"
#define SURE "   NUM 111012/DCM/Certainty of Finding = 0.91 1\n"
#define CAD(code) "CONTAINER 111036/DCM/Mammography CAD Report\n CODE 111017/DCM/Summary = " code "/DCM/x\n"
static const struct base {
    const char *name, *sop_class, *tree;
    unsigned state;
    bool statements;
} bases[] = {
    {"positive", "34", HEAD ALGO ICH STATUS("52101004/SCT/Present") SURE, POS, true},
    {"negative", "34", HEAD ALGO ICH STATUS("272519000/SCT/Absent") SURE, NEG, true},
    {"positive, legacy codes", "33", HEAD ALGO "   CODE 121071/DCM/Finding = D2-80300/SRT/Pneumothorax\n" STATUS("G-A203/SRT/Present") SURE, POS, true},
    {"negative, Enhanced", "22", HEAD ALGO ICH STATUS("260385009/SCT/Negative") SURE, NEG, true},
    {"normal", "33", HEAD ALGO STATUS("17621005/SCT/Normal"), NORM, false},
    {"failed", "33", HEAD ALGO ICH "   TEXT 121106/DCM/Comment = Not analyzed: motion\n", FAIL, false},
    {"without a status", "33", HEAD ALGO ICH SURE, NA, false},
    {"CAD, with findings", "50", CAD("111242") "  CODE 111059/DCM/Single Image Finding = 129788004/SCT/Mammographic breast mass\n", POS, false},
    {"CAD, without findings", "50", CAD("111241"), NEG, false},
    {"CAD, partly", "50", CAD("111243"), NA, false},
    {"CAD, failed", "50", CAD("111245"), FAIL, false},
    {"text", "11", "CONTAINER 18748-4/LN/Report\n TEXT 121071/DCM/Finding = No haemorrhage\n", NA, false},
};

/* ---- changing the tree --------------------------------------------------------------------------- */
static void set_tree(struct mutant *m, struct spd_str *to)
{
    spd_str_done(&m->tree);
    m->tree = *to;
}

/* The first line that holds what, by another text ("" takes it away). */
static void replace_line(struct mutant *m, const char *what, const char *by)
{
    const char *at = strstr(m->tree.ptr, what), *begin = at, *end = at ? strchr(at, '\n') + 1 : NULL;
    struct spd_str to = SPD_STR_INIT(1 << 20);
    if (!at) fail_msg("%s: no line with %s", m->name, what);
    while (begin > m->tree.ptr && begin[-1] != '\n') begin--;
    spd_str_add(&to, spd_sv_of(m->tree.ptr, (size_t)(begin - m->tree.ptr)));
    spd_str_addz(&to, by), spd_str_addz(&to, end);
    set_tree(m, &to);
}

static const char *status_line(const struct mutant *m)
{
    static const char *const codes[] = {"52101004", "272519000", "G-A203", "260385009"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strstr(m->tree.ptr, codes[i])) return codes[i];
    fail_msg("%s has no status", m->name);
    return NULL;
}
static const char *finding_line(const struct mutant *m)
{
    return strstr(m->tree.ptr, "1386000") ? "1386000" : "D2-80300";
}

/* Everything below the root deeper, inside more containers. */
static void nest(struct mutant *m, int by)
{
    const char *p = strchr(m->tree.ptr, '\n') + 1;
    struct spd_str to = SPD_STR_INIT(1 << 20);
    spd_str_add(&to, spd_sv_of(m->tree.ptr, (size_t)(p - m->tree.ptr)));
    for (int i = 1; i <= by; i++) spd_str_addf(&to, "%*sCONTAINER 1/99TEST/Box\n", i, "");
    for (; *p; p = strchr(p, '\n') + 1) spd_str_addf(&to, "%*s%.*s\n", by, "", (int)(strchr(p, '\n') - p), p);
    set_tree(m, &to);
}

/* ---- states: what a change makes of each ----------------------------------------------------------- */
typedef unsigned (*becomes)(unsigned state);
static unsigned same(unsigned s) { return s; }
static unsigned unsure(unsigned s) { return s == FAIL ? FAIL : NA; }
static unsigned no_denial(unsigned s) { return s & (NEG | NORM) ? NA : s; } /* a finding stays one */
static unsigned fails(unsigned s) { return s == POS ? POS : FAIL; }
static unsigned below(unsigned s) { return s == POS ? POS | NA : s; }

/* ---- header ------------------------------------------------------------------------------------- */
static void wrong_patient(struct mutant *m) { snprintf(m->patient, sizeof m->patient, "ZZ%u", rnd(1000000)); }
static void no_patient(struct mutant *m) { m->patient[0] = 0; }
static void patient_of_another_house(struct mutant *m) { sr_el(&m->tail, 0x00100021, "LO", SPD_SV("ELSEWHERE")); }
static void patient_nearly(struct mutant *m) { strcat(m->patient, "0"); }
static void no_order(struct mutant *m) { snprintf(m->study, sizeof m->study, "1.9.9.%u", rnd(1000000)), snprintf(m->accession, sizeof m->accession, "NONE%u", rnd(100000)); }
static void other_study(struct mutant *m) { snprintf(m->study, sizeof m->study, "1.9.8.%u", rnd(1000000)); }
static void other_accession(struct mutant *m) { snprintf(m->accession, sizeof m->accession, "NONE%u", rnd(100000)); }
static void class_of_dose(struct mutant *m) { m->sop_class = "67"; }
static void class_unknown(struct mutant *m) { m->sop_class = "99"; }
static void bad_sop_uid(struct mutant *m) { snprintf(m->sop, sizeof m->sop, "1.2.x.%u", rnd(1000)); }
static void partial(struct mutant *m) { m->completion = "PARTIAL"; }
static void evidence(struct mutant *m, const char *study)
{
    struct spd_str *t = &m->tail;
    sr_open(t, 0x0040A375), SR_ITEM(t), sr_open(t, 0x00081115), SR_ITEM(t), sr_open(t, 0x00081199), SR_ITEM(t);
    sr_el(t, 0x00081150, "UI", SPD_SV("1.2.840.10008.5.1.4.1.1.2")), sr_el(t, 0x00081155, "UI", SPD_SV("1.2.3.77"));
    SR_ITEM_END(t), SR_CLOSE(t), sr_el(t, 0x0020000E, "UI", SPD_SV("1.2.3.78")), SR_ITEM_END(t), SR_CLOSE(t);
    sr_el(t, 0x0020000D, "UI", spd_sv_from(study)), SR_ITEM_END(t), SR_CLOSE(t);
}
static void evidence_here(struct mutant *m) { evidence(m, m->study); }
static void evidence_elsewhere(struct mutant *m) { evidence(m, "1.9.7.1"); } /* the accession number still fits */

/* ---- statements --------------------------------------------------------------------------------- */
static void no_content(struct mutant *m) { *strchr(m->tree.ptr, '\n') = 0, m->tree.len = strlen(m->tree.ptr), spd_str_addc(&m->tree, '\n'); }
static void no_template(struct mutant *m) { replace_line(m, "126000", "CONTAINER 18748-4/LN/Report\n"); }
static void no_status(struct mutant *m) { replace_line(m, status_line(m), ""); }
static void no_finding(struct mutant *m) { replace_line(m, finding_line(m), ""); }
static void both(struct mutant *m) { spd_str_addz(&m->tree, STATUS("52101004/SCT/Present") STATUS("272519000/SCT/Absent")); }
static void status_says_other(struct mutant *m) { replace_line(m, status_line(m), STATUS("272519000/SCT/Present")); }
static void status_unknown(struct mutant *m) { replace_line(m, status_line(m), "   CODE 705057003/SCT/Presence = 4711/99TEST/Perhaps\n"); }
static void status_as_text(struct mutant *m) { replace_line(m, status_line(m), "   TEXT 121071/DCM/Finding = Absent\n"); }
static void finding_says_other(struct mutant *m) { replace_line(m, finding_line(m), "   CODE 121071/DCM/Finding = 1386000/SCT/Occlusion of artery\n"); }
static void finding_unknown(struct mutant *m) { replace_line(m, finding_line(m), "   CODE 121071/DCM/Finding = 4711/99TEST/Something\n"); }
static void finding_private(struct mutant *m) { replace_line(m, finding_line(m), "   CODE 121071/DCM/Finding = LVO01/99STROKE/Something else\n"); }
static void words_of_failure(struct mutant *m) { spd_str_addz(&m->tree, "   TEXT 121106/DCM/Comment = Processing failed: no slices\n"); }
static void meaning_garbled(struct mutant *m) { replace_line(m, finding_line(m), strstr(m->tree.ptr, "1386000") ? "   CODE 121071/DCM/Finding = 1386000/SCT/Bl\xFFut\xC3\n" : "   CODE 121071/DCM/Finding = D2-80300/SRT/\xFE\n"); }
static void other_finding_unclear(struct mutant *m) { spd_str_addz(&m->tree, "  CONTAINER 125007/DCM/Measurement Group\n" ALGO "   CODE 121071/DCM/Finding = 36118008/SCT/Pneumothorax\n"); }

/* ---- numbers: a probability alone never says anything, nor does a bad one take anything away --------- */
static void number(struct mutant *m, const char *line) { if (strstr(m->tree.ptr, "111012")) replace_line(m, "111012", line), m->no_probability = true; }
static void unit_wrong(struct mutant *m) { number(m, "   NUM 111012/DCM/Certainty = 0.91 mm\n"); }
static void beyond_one(struct mutant *m) { number(m, "   NUM 111012/DCM/Certainty = 1.7 1\n"); }
static void below_zero(struct mutant *m) { number(m, "   NUM 111012/DCM/Certainty = -0.2 1\n"); }
static void beyond_hundred(struct mutant *m) { number(m, "   NUM 111012/DCM/Certainty = 170 %\n"); }
static void no_number(struct mutant *m) { number(m, "   NUM 111012/DCM/Certainty = NaN 1\n"); }
static void enormous(struct mutant *m) { number(m, "   NUM 111012/DCM/Certainty = 9999999999999999999999999999 1\n"); }
static void below_threshold(struct mutant *m) { if (strstr(m->tree.ptr, "111012")) replace_line(m, "111012", "   NUM 111012/DCM/Certainty = 0.11 1\n"); }
static void of_something_else(struct mutant *m) { spd_str_addz(&m->tree, strstr(m->tree.ptr, "125007") ? "   NUM 118565006/SCT/Volume = 9 cm3\n" : " NUM 118565006/SCT/Volume = 9 cm3\n"); }

/* ---- structure ---------------------------------------------------------------------------------- */
static void nested(struct mutant *m) { nest(m, 1 + (int)rnd(20)); }
static void too_deep(struct mutant *m) { nest(m, 40 + (int)rnd(160)); }
static void cycle(struct mutant *m) { spd_str_addz(&m->tree, strstr(m->tree.ptr, "125007") ? "   REF 1.1\n   REF 1\n" : " REF 1.1\n REF 1\n"); }
static void empty_boxes(struct mutant *m) { for (unsigned i = 1 + rnd(40); i; i--) spd_str_addz(&m->tree, " CONTAINER 111028/DCM/Image Library\n"); }
static void flood(struct mutant *m) { for (int i = 0; i < 600; i++) spd_str_addz(&m->tree, "  CONTAINER 125007/DCM/Measurement Group\n" ALGO ICH STATUS("272519000/SCT/Absent")); }

/* ---- bytes -------------------------------------------------------------------------------------- */
/* The nth (or, where there are fewer, the last but so many) place that holds what, from byte at on by other bytes. */
static bool overwrite(struct mutant *m, const char *what, size_t n, size_t at, const char *by, size_t n_by, unsigned nth)
{
    size_t places[64], k = 0;
    for (size_t i = 200; i + n <= m->bytes.len && k < 64; i++) /* behind the meta header's own UIDs */
        if (!memcmp(m->bytes.ptr + i, what, n)) places[k++] = i;
    if (k) memcpy(m->bytes.ptr + places[nth % k] + at, by, n_by);
    return k > 0;
}
static void truncated(struct mutant *m) { m->bytes.len = 8 + rnd((unsigned)m->bytes.len - 16); }
static void cut_in_tree(struct mutant *m) { m->bytes.len -= 9 + rnd(60), m->random = false; }
static void huge_sequence(struct mutant *m) { overwrite(m, "SQ\0\0\xFF\xFF\xFF\xFF", 8, 4, "\xFF\xFF\xFF\x7F", 4, rnd(4)); }
static void huge_text(struct mutant *m) { if (!overwrite(m, "UT\0\0", 4, 4, "\xF0\xFF\xFF\xFF", 4, 0)) huge_sequence(m); }
static void no_vr(struct mutant *m) { overwrite(m, "\x08\0\x00\x01SH", 6, 4, "zz", 2, rnd(3)); }
static void stray_delimiter(struct mutant *m) { overwrite(m, "\x08\0\x00\x01SH", 6, 0, "\xFE\xFF\x0D\xE0", 4, 0); overwrite(m, "\xFE\xFF\x0D\xE0SH", 6, 4, "\0\0", 2, 0); }
static void flipped(struct mutant *m) { for (unsigned n = 1 + rnd(8); n; n--) m->bytes.ptr[132 + rnd((unsigned)m->bytes.len - 132)] ^= (char)(1 << rnd(8)); }
static void letters(struct mutant *m) { for (unsigned n = 1 + rnd(4); n; n--) m->bytes.ptr[300 + rnd((unsigned)m->bytes.len - 300)] = (char)(32 + rnd(90)); }
static void byte_lost(struct mutant *m) { size_t at = 140 + rnd((unsigned)m->bytes.len - 150); memmove(m->bytes.ptr + at, m->bytes.ptr + at + 1, --m->bytes.len - at); }
static void odd_vr(struct mutant *m) { static const char vrs[][3] = {"UN", "OB", "FL", "SQ", "UI", "XX"}; overwrite(m, "\x08\0\x00\x01SH", 6, 4, vrs[rnd(6)], 2, rnd(4)); }
static void bogus_charset(struct mutant *m) { overwrite(m, "ISO_IR 192", 10, 0, "ISO_IR 999", 10, 0); }
static void latin_charset(struct mutant *m) { overwrite(m, "ISO_IR 192", 10, 0, "ISO_IR 100", 10, 0); }

static const struct mutation {
    const char *name;
    enum group group;
    void (*change)(struct mutant *m);
    enum want want;   /* ACCEPTED: leaves it as it is */
    becomes state;
    bool statements;  /* needs a finding with a status */
} mutations[] = {
    {"wrong patient", HEADER, wrong_patient, HELD, same, false},
    {"no patient", HEADER, no_patient, HELD, same, false},
    {"number of another house", HEADER, patient_of_another_house, HELD, same, false},
    {"patient with one digit more", HEADER, patient_nearly, HELD, same, false},
    {"no such order", HEADER, no_order, HELD, same, false},
    {"another study, the order's accession", HEADER, other_study, ACCEPTED, same, false},
    {"another accession, the order's study", HEADER, other_accession, ACCEPTED, same, false},
    {"class of a dose report", HEADER, class_of_dose, NOT_A_RESULT, same, false},
    {"unknown class", HEADER, class_unknown, NOT_A_RESULT, same, false},
    {"malformed SOP Instance UID", HEADER, bad_sop_uid, REFUSED_OR_NOT, same, false},
    {"partial", HEADER, partial, ACCEPTED, no_denial, false},
    {"evidence of its study", HEADER, evidence_here, ACCEPTED, same, false},
    {"evidence of another study", HEADER, evidence_elsewhere, ACCEPTED, same, false},
    {"no content", STATEMENT, no_content, ACCEPTED, unsure, true},
    {"no template", STATEMENT, no_template, ACCEPTED, same, true},
    {"no status", STATEMENT, no_status, ACCEPTED, unsure, true},
    {"no finding", STATEMENT, no_finding, ACCEPTED, unsure, true},
    {"present and absent", STATEMENT, both, ACCEPTED, unsure, true},
    {"status of another meaning", STATEMENT, status_says_other, ACCEPTED, unsure, true},
    {"unknown status", STATEMENT, status_unknown, ACCEPTED, unsure, true},
    {"status as text", STATEMENT, status_as_text, ACCEPTED, unsure, true},
    {"finding of another meaning", STATEMENT, finding_says_other, ACCEPTED, no_denial, true},
    {"unknown finding", STATEMENT, finding_unknown, ACCEPTED, no_denial, true},
    {"private finding of another meaning", STATEMENT, finding_private, ACCEPTED, no_denial, true},
    {"words of failure", STATEMENT, words_of_failure, ACCEPTED, fails, true},
    {"meaning that is no text", STATEMENT, meaning_garbled, ACCEPTED, same, true},
    {"another finding without a status", STATEMENT, other_finding_unclear, ACCEPTED, no_denial, true},
    {"unit of length", NUMBER, unit_wrong, ACCEPTED, same, false},
    {"beyond one", NUMBER, beyond_one, ACCEPTED, same, false},
    {"below zero", NUMBER, below_zero, ACCEPTED, same, false},
    {"beyond a hundred per cent", NUMBER, beyond_hundred, ACCEPTED, same, false},
    {"no number", NUMBER, no_number, ACCEPTED, same, false},
    {"enormous number", NUMBER, enormous, ACCEPTED, same, false},
    {"below the threshold", NUMBER, below_threshold, ACCEPTED, below, false},
    {"a number of something else", NUMBER, of_something_else, ACCEPTED, same, false},
    {"nested", STRUCTURE, nested, ACCEPTED, same, false},
    {"nested too deep", STRUCTURE, too_deep, REFUSED, same, false},
    {"cycle by reference", STRUCTURE, cycle, ACCEPTED, same, false},
    {"empty containers", STRUCTURE, empty_boxes, ACCEPTED, same, false},
    {"flood of findings", STRUCTURE, flood, ACCEPTED, no_denial, true},
    {"cut anywhere", BYTES, truncated, REFUSED_OR_NOT, same, false},
    {"cut in the tree", BYTES, cut_in_tree, REFUSED, same, false},
    {"sequence of a huge length", BYTES, huge_sequence, REFUSED, same, false},
    {"text of a huge length", BYTES, huge_text, REFUSED, same, false},
    {"no value representation", BYTES, no_vr, REFUSED, same, false},
    {"a delimiter in the open", BYTES, stray_delimiter, REFUSED, same, false},
    {"flipped bits", BYTES, flipped, ANY, same, false},
    {"letters at random", BYTES, letters, ANY, same, false},
    {"a byte less", BYTES, byte_lost, ANY, same, false},
    {"odd value representation", BYTES, odd_vr, ANY, same, false},
    {"unknown character set", BYTES, bogus_charset, ACCEPTED, same, false},
    {"another character set", BYTES, latin_charset, ACCEPTED, same, false},
};
enum { N_MUTATIONS = sizeof mutations / sizeof *mutations };

static unsigned map_states(unsigned mask, becomes f)
{
    unsigned out = 0;
    for (unsigned s = POS; s <= NA; s <<= 1)
        if (mask & s) out |= f(s);
    return out;
}

/* Refused goes before not-a-result, that before held. */
static enum want stricter(enum want a, enum want b)
{
    static const int rank[] = {[ACCEPTED] = 0, [HELD] = 1, [NOT_A_RESULT] = 2, [REFUSED_OR_NOT] = 3, [REFUSED] = 4, [ANY] = 5};
    if ((a == NOT_A_RESULT && b == REFUSED) || (a == REFUSED && b == NOT_A_RESULT)) return REFUSED;
    return rank[a] > rank[b] ? a : b;
}

static void apply_one(struct mutant *m, const struct mutation *x)
{
    size_t n = strlen(m->name);
    snprintf(m->name + n, sizeof m->name - n, " + %s", x->name);
    x->change(m);
    m->want = stricter(m->want, x->want);
    m->states = map_states(m->states, x->state);
    m->random |= x->want == ANY;
}

static void build(struct mutant *m)
{
    struct spd_str all = SPD_STR_INIT(8 << 20);
    sr_study_uid = m->study;
    sr_file(&all, m->sop_class, m->sop, m->accession, m->patient, m->completion, m->tree.ptr);
    spd_str_add(&all, spd_str_sv(&m->tail));
    m->bytes = all;
}

/* The i-th mutant: every mutation alone on every base that takes it, then combinations at random. */
static void make(struct mutant *m, size_t i)
{
    size_t singles = N_MUTATIONS * (sizeof bases / sizeof *bases);
    const struct base *b = &bases[i < singles ? i / N_MUTATIONS : rnd(sizeof bases / sizeof *bases)];
    const struct mutation *chosen[GROUPS] = {NULL};
    if (i < singles) chosen[mutations[i % N_MUTATIONS].group] = &mutations[i % N_MUTATIONS];
    else
        for (unsigned n = 1 + rnd(3); n; n--) {
            const struct mutation *x = &mutations[rnd(N_MUTATIONS)];
            chosen[x->group] = x;
        }
    if (chosen[STATEMENT] && chosen[STATEMENT]->change == no_content) chosen[NUMBER] = chosen[STRUCTURE] = NULL;
    *m = (struct mutant){.base = b->name, .sop_class = b->sop_class, .completion = "COMPLETE", .statements = b->statements,
                         .tree = SPD_STR_INIT(1 << 20), .tail = SPD_STR_INIT(1 << 16), .want = ACCEPTED, .states = b->state};
    snprintf(m->name, sizeof m->name, "%zu: %s", i, b->name);
    snprintf(m->order_patient, sizeof m->order_patient, "P%05zu", i), snprintf(m->order_accession, sizeof m->order_accession, "A%05zu", i);
    snprintf(m->order_study, sizeof m->order_study, "1.2.3.4.%zu", i), snprintf(m->sop, sizeof m->sop, "1.2.5.%zu", i);
    memcpy(m->patient, m->order_patient, sizeof m->order_patient);
    memcpy(m->accession, m->order_accession, sizeof m->order_accession);
    memcpy(m->study, m->order_study, sizeof m->order_study);
    spd_str_addz(&m->tree, b->tree);
    for (int g = HEADER; g < BYTES; g++)
        if (chosen[g] && (b->statements || !chosen[g]->statements)) apply_one(m, chosen[g]);
    build(m);
    if (chosen[BYTES]) apply_one(m, chosen[BYTES]);
    /* without content, only what it saw makes it a report of something */
    if (strstr(m->name, "no content") && !strstr(m->name, "evidence")) m->want = stricter(m->want, NOT_A_RESULT);
}

static void done(struct mutant *m)
{
    spd_str_done(&m->tree), spd_str_done(&m->bytes), spd_str_done(&m->tail);
}

/* ---- what becomes of it --------------------------------------------------------------------------- */
struct outcome {
    enum want got;
    unsigned state; /* of the stored result */
    bool reason, logged, mine, probability;
};

static unsigned bit_of(int32_t state)
{
    return state == SPD_AI_POSITIVE ? POS : state == SPD_AI_NEGATIVE ? NEG : state == SPD_AI_NORMAL ? NORM : state == SPD_AI_FAILED ? FAIL : NA;
}

static enum spd_rc decode(struct spd_str *bytes, struct spd_sr_doc *ret, struct spd_arena *a, struct spd_err *err)
{
    struct spd_dcm d;
    struct spd_sr_doc doc;
    struct spd_str flat = SPD_STR_INIT(24 << 20);
    enum spd_rc rc = spd_dcm_parse(spd_str_sv(bytes), &d, a, err);
    if (!rc) {
        spd_sr_doc_build(&d, &doc, a);
        spd_sr_doc_encode(&doc, &flat);
        rc = spd_sr_doc_decode(spd_arena_dup(a, spd_str_sv(&flat)), ret, a, err);
    }
    spd_str_done(&flat);
    return rc;
}

static struct outcome send_it(struct world *w, struct mutant *m)
{
    static const struct spd_door_peer peer = {.name = {"ai", 2}, .known = true, .patient_authority = {"ZH", 2}, .accession_issuer = {"ZH", 2}};
    struct outcome o = {0};
    struct spd_sr_doc doc;
    struct spd_err err = {0};
    world_next(w);
    if (decode(&m->bytes, &doc, w->a, &err)) {
        struct spd_message_event e;
        spd_door_unreadable_event(spd_str_sv(&m->bytes), spd_sv_from(err.text), &peer, SPD_SV("C-STORE"), SPD_SV("AI"), SPD_SV_NONE, &e, w->a);
        assert_int_equal(world_apply(w, SPD_EVENT_MESSAGE, &e), SPD_OK);
        o = (struct outcome){.got = REFUSED, .reason = err.text[0] != 0, .logged = w->r.message > 0, .mine = true};
        return o;
    }
    struct spd_result_event e;
    enum spd_read read = spd_door_result_event(&doc, spd_str_sv(&m->bytes), w->codes, &peer, NULL, SPD_SV("C-STORE"), SPD_SV("AI"), &e, w->a);
    struct spd_result said = e.result;
    bool own_patient = false;
    for (size_t i = 0; i < said.patient.ids.n; i++)
        own_patient |= spd_sv_is(said.patient.ids.v[i].value, m->order_patient) && spd_sv_is(said.patient.ids.v[i].authority, "ZH");
    o.mine = own_patient && (spd_sv_is(said.study_uid, m->order_study) || spd_sv_is(said.accession.value, m->order_accession));
    for (size_t i = 0; i < said.findings.n; i++) o.probability |= said.findings.v[i].probability >= 0;
    o.reason = e.why.len > 0;
    assert_int_equal(world_apply(w, SPD_EVENT_RESULT, &e), SPD_OK);
    o.logged = w->r.message > 0;
    o.got = read == SPD_READ_REFUSED ? REFUSED : w->r.did == SPD_DID_APPLY ? ACCEPTED : w->r.did == SPD_DID_PARK ? HELD : NOT_A_RESULT;
    if (o.got == HELD) o.reason = w->r.reason_en.len > 0;
    struct spd_result stored;
    if ((o.got == ACCEPTED || o.got == HELD) && read == SPD_READ_RESULT) {
        assert_int_equal(spd_get_result(w->store, w->r.id, &stored, w->a, NULL), SPD_OK);
        o.state = bit_of(stored.state);
        if (o.state & (POS | NEG | NORM) || stored.notes.n) o.reason = true; /* its codes, or what was noted */
    }
    return o;
}

static bool as_wanted(const struct mutant *m, const struct outcome *o, const struct base *b)
{
    bool fits = m->want == ANY || o->got == m->want || (m->want == REFUSED_OR_NOT && (o->got == REFUSED || o->got == NOT_A_RESULT));
    /* cut between two elements before its tree, a text or a CAD report is one that says nothing */
    bool said_nothing = m->want == REFUSED_OR_NOT && (o->got == ACCEPTED || o->got == HELD);
    fits |= said_nothing && o->state == NA && (!strcmp(b->sop_class, "11") || !strcmp(b->sop_class, "50"));
    if (!fits || !o->reason || !o->logged) return false;
    if (o->got == ACCEPTED && !o->mine) return false; /* whoever sends whatever: only to its own order */
    if ((o->got != ACCEPTED && o->got != HELD) || said_nothing) return true;
    if (m->want == ANY) return !(o->state & (NEG | NORM)) || (b->state & (NEG | NORM));
    return (o->state & m->states) && !(m->no_probability && o->probability);
}

static const struct base *base_of(const struct mutant *m)
{
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++)
        if (bases[i].name == m->base) return &bases[i];
    return NULL;
}

static size_t count = MUTANTS;

static void no_mutant_is_silent_or_wrongly_accepted(void **state)
{
    (void)state;
    struct world w;
    size_t got[ANY + 1] = {0}, wrong = 0;
    world_open(&w, "memory:");
    for (size_t i = 0; i < count; i++) {
        struct mutant m;
        make(&m, i);
        world_order(&w, (struct order){.accession = m.order_accession, .patient = m.order_patient, .study = m.order_study});
        struct outcome o = send_it(&w, &m);
        got[o.got]++;
        if (!as_wanted(&m, &o, base_of(&m))) {
            printf("%s: wanted %s of states %u, got %s of state %u%s%s%s\n", m.name, want_names[m.want], m.states, want_names[o.got], o.state,
                   o.reason ? "" : ", without a reason", o.logged ? "" : ", not logged", o.mine || o.got != ACCEPTED ? "" : ", to another order");
            wrong++;
        }
        done(&m);
    }
    printf("%zu mutants: %zu accepted, %zu held, %zu refused, %zu not a result\n", count, got[ACCEPTED], got[HELD], got[REFUSED], got[NOT_A_RESULT]);
    assert_int_equal(wrong, 0);
    if (count == MUTANTS)
        for (int k = ACCEPTED; k <= NOT_A_RESULT; k++) assert_true(got[k] > 100); /* none of them is a test of nothing */
    world_close(&w);
}

/* The same SOP Instance UID with other content is the sender's own correction; the same bytes are heard once; a
 * negative re-run on the same images, not called a correction, contradicts and takes nothing away. */
static void the_same_uid_corrects_and_a_rerun_contradicts(void **state)
{
    (void)state;
    static const struct row {
        const char *name, *first, *second, *sop;
        bool superseded, contradicts;
    } rows[] = {
        {"same UID, negative", HEAD ALGO ICH STATUS("52101004/SCT/Present") SURE, HEAD ALGO ICH STATUS("272519000/SCT/Absent") SURE, "1.2.5.1", true, false},
        {"another UID, same images, negative", HEAD ALGO ICH STATUS("52101004/SCT/Present") SURE "   IMAGE 260753009/SCT/Source = 1.2.3.77\n", HEAD ALGO ICH STATUS("272519000/SCT/Absent") SURE "   IMAGE 260753009/SCT/Source = 1.2.3.77\n", "1.2.5.2", false, true},
        {"another UID, other images, negative", HEAD ALGO ICH STATUS("52101004/SCT/Present") SURE "   IMAGE 260753009/SCT/Source = 1.2.3.77\n", HEAD ALGO ICH STATUS("272519000/SCT/Absent") SURE "   IMAGE 260753009/SCT/Source = 1.2.3.78\n", "1.2.5.2", false, false},
        {"another UID, no images said, later", HEAD ALGO ICH STATUS("52101004/SCT/Present") SURE, HEAD ALGO ICH STATUS("272519000/SCT/Absent") SURE, "1.2.5.2", false, false},
        {"another UID, same tracking, positive again", HEAD ALGO ICH STATUS("52101004/SCT/Present") "   UIDREF 112040/DCM/Tracking = 1.2.8\n", HEAD ALGO ICH STATUS("52101004/SCT/Present") SURE "   UIDREF 112040/DCM/Tracking = 1.2.8\n", "1.2.5.2", true, false},
        {"another UID, same tracking, negative", HEAD ALGO ICH STATUS("52101004/SCT/Present") "   UIDREF 112040/DCM/Tracking = 1.2.8\n", HEAD ALGO ICH STATUS("272519000/SCT/Absent") SURE "   UIDREF 112040/DCM/Tracking = 1.2.8\n", "1.2.5.2", false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        struct mutant m[2];
        struct spd_result first, second;
        int64_t ids[2];
        world_open(&w, "memory:");
        for (int k = 0; k < 2; k++) {
            make(&m[k], 0);
            done(&m[k]);
            m[k].tree = SPD_STR_INIT(1 << 20), m[k].tail = SPD_STR_INIT(1 << 16), m[k].patient[6] = 0;
            memcpy(m[k].patient, m[k].order_patient, sizeof m[k].order_patient);
            spd_str_addz(&m[k].tree, k ? rows[i].second : rows[i].first);
            snprintf(m[k].sop, sizeof m[k].sop, "%s", k ? rows[i].sop : "1.2.5.1");
            build(&m[k]);
        }
        world_order(&w, (struct order){.accession = m[0].order_accession, .patient = m[0].order_patient, .study = m[0].order_study});
        for (int k = 0; k < 2; k++) {
            assert_int_equal(send_it(&w, &m[k]).got, ACCEPTED);
            ids[k] = w.r.id;
            send_it(&w, &m[k]); /* once more: no second effect */
            assert_int_equal(w.r.did, SPD_DID_DUPLICATE);
        }
        assert_int_equal(spd_get_result(w.store, ids[0], &first, w.a, NULL), SPD_OK);
        assert_int_equal(spd_get_result(w.store, ids[1], &second, w.a, NULL), SPD_OK);
        if ((first.superseded_by == ids[1]) != rows[i].superseded || (second.contradicts == ids[0]) != rows[i].contradicts)
            fail_msg("%s: superseded by %d, contradicts %d", rows[i].name, (int)first.superseded_by, (int)second.contradicts);
        assert_int_equal(world_count(&w, SPD_KEY_RESULT_ITEM, "1"), 2);
        done(&m[0]), done(&m[1]);
        world_close(&w);
    }
}

/* Every n-th mutant as a file, with what must become of it: "file, patient, accession, study, outcome, states". */
static int write_files(const char *folder)
{
    char path[512];
    snprintf(path, sizeof path, "%s/mutants.tsv", folder);
    FILE *list = fopen(path, "w");
    if (!list) return 1;
    for (size_t i = 0; i < count; i++) {
        struct mutant m;
        make(&m, (i * 37) % MUTANTS);
        snprintf(path, sizeof path, "%s/%zu.dcm", folder, i);
        FILE *f = fopen(path, "w");
        if (!f) return fclose(list), 1;
        fwrite(m.bytes.ptr, 1, m.bytes.len, f);
        fclose(f);
        fprintf(list, "%zu.dcm\t%s\t%s\t%s\t%s\t%u\t%s\n", i, m.order_patient, m.order_accession, m.order_study, want_names[m.want], m.states, m.name);
        done(&m);
    }
    return fclose(list) != 0;
}

int main(int argc, char **argv)
{
    if (argc > 1) seed = strtoull(argv[1], NULL, 10);
    if (argc > 2) count = (size_t)strtoull(argv[2], NULL, 10);
    if (argc > 3) return write_files(argv[3]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_mutant_is_silent_or_wrongly_accepted), cmocka_unit_test(the_same_uid_corrects_and_a_rerun_contradicts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
