/* Parse throughput in MB per CPU second, on messages made here: an order of 0.75 kB and a report of
 * 40 lines. Three things are timed in turn, seven times, median and range printed: flat    a plain
 * tokeniser: one pass over all bytes, every piece recorded (the floor others are held to) all
 * hl7_msg_parse, then every field and component of every segment three   hl7_msg_parse, then PID-3,
 * PV1-3 and OBR-18 Goals: all >= 0.70 of flat, three >= 1.5 times flat. Further arguments are files
 * to be used instead. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/source.h"
#include "hl7/v2/msg.h"

static volatile size_t sink;

/* ---- the floor: no limits, no errors, no knowledge of MSH, nothing but cutting ------------- */
struct piece {
    unsigned off, len;
    unsigned short seg, field, rep, comp, sub;
};
static struct piece pieces[1 << 17];
static size_t flat(spd_sv v)
{
    const char f = v.ptr[3], c = v.ptr[4], r = v.ptr[5], s = v.ptr[7];
    struct piece at = {0};
    size_t n = 0;
    for (size_t i = 0; i < v.len; i++) {
        char x = v.ptr[i];
        if (x != f && x != c && x != r && x != s && x != '\r') continue;
        at.len = (unsigned)i - at.off;
        pieces[n++] = at;
        at.off = (unsigned)i + 1;
        if (x == '\r')
            at.seg++, at.field = at.rep = at.comp = at.sub = 0;
        else if (x == f)
            at.field++, at.rep = at.comp = at.sub = 0;
        else if (x == r)
            at.rep++, at.comp = at.sub = 0;
        else if (x == c)
            at.comp++, at.sub = 0;
        else
            at.sub++;
    }
    return n;
}

static uint32_t marks[1 << 17];
static size_t all(spd_sv v)
{
    struct hl7_msg m;
    size_t n = 0;
    static struct spd_arena *arena;
    if (!arena) arena = spd_arena_new(1 << 20);
    if (hl7_msg_parse(&m, v, arena, NULL) != SPD_OK) abort();
    for (size_t i = 0; i < m.n_segs; i++)
        n += hl7_seg_tokens(&m, &m.segs[i], marks + n, sizeof marks / sizeof marks[0] - n);
    if (m.n_segs > HL7_FEW_SEGMENTS) spd_arena_reset(arena);
    return n;
}

static size_t three(spd_sv v)
{
    struct hl7_msg m;
    static struct spd_arena *arena;
    if (!arena) arena = spd_arena_new(1 << 20);
    if (hl7_msg_parse(&m, v, arena, NULL) != SPD_OK) abort();
    size_t pid = hl7_seg_find(&m, "PID", 1), pv1 = hl7_seg_find(&m, "PV1", pid),
           obr = hl7_seg_find(&m, "OBR", pv1);
    size_t n = hl7_get(&m, pid < m.n_segs ? &m.segs[pid] : NULL, 3, 1, 1, 0).raw.len +
               hl7_get(&m, pv1 < m.n_segs ? &m.segs[pv1] : NULL, 3, 1, 1, 0).raw.len +
               hl7_field(&m, obr < m.n_segs ? &m.segs[obr] : NULL, 18).raw.len;
    if (m.n_segs > HL7_FEW_SEGMENTS) spd_arena_reset(arena);
    return n;
}

static double cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double rate(size_t (*f)(spd_sv), spd_sv v)
{
    double start = cpu(), took;
    size_t n = 0;
    do {
        for (int i = 0; i < 200; i++)
            sink += f(v);
        n += 200;
    } while ((took = cpu() - start) < 0.15);
    return (double)(n * v.len) / took / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void run(const char *name, spd_sv v)
{
    static const struct {
        const char *name;
        size_t (*f)(spd_sv);
    } what[] = {{"flat", flat}, {"all", all}, {"three", three}};
    double r[3][7];
    for (int k = 0; k < 7; k++) /* in turn, so that noise hits all alike */
        for (int i = 0; i < 3; i++)
            r[i][k] = rate(what[i].f, v);
    for (int i = 0; i < 3; i++) {
        qsort(r[i], 7, sizeof r[i][0], by_value);
        printf("%-12s %-6s %8.0f MB/s  (%.0f-%.0f)  %.2f of flat\n", name, what[i].name, r[i][3],
               r[i][0], r[i][6], r[i][3] / r[0][3]);
    }
    printf("%-12s goals: all %s (>= 0.70), three %s (>= 1.50)\n", name,
           r[1][3] >= 0.7 * r[0][3] ? "met" : "MISSED",
           r[2][3] >= 1.5 * r[0][3] ? "met" : "MISSED");
}

static void make_order(struct spd_str *s, bool report)
{
    spd_str_addz(s, "MSH|^~\\&|RIS|HOSP|SPOED|RAD|20260803081500||");
    spd_str_addz(s, report ? "ORU^R01^ORU_R01" : "ORM^O01^ORM_O01");
    spd_str_addz(s, "|ZZ00001|P|2.5.1|||AL|NE||UNICODE UTF-8\r"
                    "PID|1||ZZ1234567^^^HOSP^PI||ZZCANARY^Test^^^Mw||19620417|F|||Teststraat "
                    "1^^Utrecht^^3511AA^NL||0300000000\r"
                    "PV1|1|E|SEH^K3^1|||||10023^ZZDOKTER^P^^^Dr|||||||||||V998877\r");
    if (!report)
        spd_str_addz(s, "ORC|NW|PL778899|FL112233||SC||^^^20260803083000^^S||20260803081459|ENTRY||"
                        "10023^ZZDOKTER^P^^^Dr\r");
    spd_str_addz(s, "OBR|1|PL778899|FL112233|CTHERSENEN^CT hersenen "
                    "blanco^LOCAL|S|20260803081459|||||||Val van trap, GCS 13, "
                    "verdenking "
                    "bloeding|||10023^ZZDOKTER^P^^^Dr||A2600001234||||20260803083000||CT|||^^^"
                    "20260803083000^^S\r");
    if (!report)
        spd_str_addz(s, "NTE|1||Antistolling: ja. Laatste inname "
                        "07:00.\rDG1|1|ICD10|S06.5^Traumatische bloeding^I10||20260803|W\r"
                        "OBX|1|NM|2160-0^Kreatinine^LN||88|umol/L|||||F|||20260803075500\r");
    for (int i = 0; report && i < 40; i++)
        spd_str_addf(s,
                     "OBX|%d|TX|18782-3^Radiologieverslag^LN||Regel %d: geen aanwijzingen voor "
                     "intracrani\\T\\le bloeding; "
                     "ventrikels slank.||||||F|||20260803091500||R%03d^ZZRADIOLOOG^M\r",
                     i + 1, i + 1, i);
}

int main(int argc, char **argv)
{
    struct spd_arena *arena = spd_arena_new(1 << 26);
    for (int i = 1; i < argc; i++) {
        struct spd_source src;
        struct hl7_msg m;
        if (spd_source_read(argv[i], 1 << 20, &src, arena, NULL) == SPD_OK &&
            hl7_msg_parse(&m, src.text, arena, NULL) == SPD_OK)
            run(argv[i], src.text);
    }
    for (int i = 0; argc < 2 && i < 2; i++) {
        struct spd_str s = SPD_STR_INIT(1 << 16);
        make_order(&s, i);
        run(i ? "report" : "order", spd_str_sv(&s));
        spd_str_done(&s);
    }
    spd_arena_free(arena);
    return 0;
}
