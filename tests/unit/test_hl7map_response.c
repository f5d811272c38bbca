/* What is answered to an order: which of the two answers, its type, and what it copies (HL7 2.9.2, 2.9.3,
 * 4.4, 4.5). Every cell of MSH-15 by MSH-16 by outcome; nothing copied can start a segment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "hl7/map/map.h"

#define PID "PID|1||ZZ1^^^ZH||ZZCANARY^Test\r"
#define IN(type, version, rest) "MSH|^~\\&|RIS|ZH|SPOED|RAD|1||" type "|77|P|" version rest
#define OUT(type, version, rest) "MSH|^~\\&|SPOED|RAD|RIS|ZH|19700101000000+0000||" type "|C1|P|" version rest

static const struct {
    const char *name, *message;
    enum spd_answer answer;
    const char *text, *first, *second;
    bool always, not_for_us, unread, one, bare;
} rows[] = {
    {"an ACK where nobody asked", IN("ORM^O01", "2.3", "\r") PID "ORC|NW|P1|F1\r", SPD_ANSWER_AA, "",
     OUT("ACK^O01", "2.3", "\rMSA|AA|77\r"), "", .always = false},
    {"original mode, ORM", IN("ORM^O01", "2.3", "\r") PID "ORC|NW|P1^A|F1\rOBR|1|P1|F1\r", SPD_ANSWER_AA, "",
     OUT("ORR^O02", "2.3", "\rMSA|AA|77\r") PID "ORC|OK|P1^A|F1\r", "", .always = true},
    {"original mode, 2.5", IN("ORM^O01^ORM_O01", "2.5.1", "\r") PID "ORC|NW|P1|\r", SPD_ANSWER_AA, "",
     OUT("ORR^O02^ORR_O02", "2.5.1", "\rMSA|AA|77\r") PID "ORC|OK|P1|\r", "", .always = true},
    {"OMG", IN("OMG^O19", "2.5", "\r") PID "ORC|XO|P1|F1\rOBR|1|P1|F1\r", SPD_ANSWER_AA, "",
     OUT("ORG^O20^ORG_O20", "2.5", "\rMSA|AA|77\r") PID "ORC|OK|P1|F1\r", "", .always = true},
    {"OMI has its OBR and IPC", IN("OMI^O23", "2.5", "\r") PID "ORC|NW|P1\rTQ1|1\rOBR|1|P1||X\rIPC|A1|B|C\rORC|NW|P2\rOBR|2|P2\rIPC|A2\r",
     SPD_ANSWER_AA, "",
     OUT("ORI^O24^ORI_O24", "2.5", "\rMSA|AA|77\r") PID "ORC|OK|P1|\rOBR|1|P1||X\rIPC|A1|B|C\rORC|OK|P2|\rOBR|2|P2\rIPC|A2\r", "",
     .always = true},
    {"numbers of OBR where ORC has none", IN("ORM^O01", "2.3", "\r") PID "ORC|NW\rOBR|1|P1|F1\r", SPD_ANSWER_AA, "",
     OUT("ORR^O02", "2.3", "\rMSA|AA|77\r") PID "ORC|OK|P1|F1\r", "", .always = true},
    {"further procedures of one ORC", IN("ORM^O01", "2.3", "\r") PID "ORC|NW|P1\rOBR|1|P1\rOBR|2|P1\rORC|NW|P2\r", SPD_ANSWER_AA, "",
     OUT("ORR^O02", "2.3", "\rMSA|AA|77\r") PID "ORC|OK|P1|\rORC|OK|P2|\r", "", .always = true},
    {"not taken: ORC-16", IN("ORM^O01", "2.3", "\r") PID "ORC|NW|P1|F1\r", SPD_ANSWER_AR, "no|num^ber",
     OUT("ORR^O02", "2.3", "\rMSA|AR|77|no\\F\\num\\S\\ber\r") PID "ORC|UA|P1|F1|||||||||||||^no\\F\\num\\S\\ber\r", "", .always = true},
    {"not taken, 2.5: ERR as well", IN("ORM^O01", "2.5", "\r") PID "ORC|NW|P1|F1\r", SPD_ANSWER_AR, "why",
     OUT("ORR^O02^ORR_O02", "2.5", "\rMSA|AR|77|why\rERR|||207^^HL70357|E||||why\r") PID "ORC|UA|P1|F1|||||||||||||^why\r", "",
     .always = true},
    {"not taken, 2.1: NTE", IN("ORM^O01", "2.1", "\r") PID "ORC|NW|P1|F1\r", SPD_ANSWER_AR, "why",
     OUT("ORR^O02", "2.1", "\rMSA|AR|77|why\rNTE|1||why\r") PID "ORC|UA|P1|F1\r", "", .always = true},
    {"not now", IN("ORM^O01", "2.3", "\r") PID "ORC|NW|P1|F1\r", SPD_ANSWER_AE, "again",
     OUT("ORR^O02", "2.3", "\rMSA|AE|77|again\r") PID "ORC|UA|P1|F1|||||||||||||^again\r", "", .always = true},
    {"not for us: nothing is said of the orders", IN("ORM^O01", "2.3", "\r") PID "ORC|NW|P1|F1\r", SPD_ANSWER_AA, "",
     OUT("ORR^O02", "2.3", "\rMSA|AA|77\r"), "", .always = true, .not_for_us = true},
    {"unreadable behind its header", IN("ORM^O01", "2.3", "||||||UTF-99\r") PID "ORC|NW|P1|F1\r", SPD_ANSWER_AR, "set",
     OUT("ORR^O02", "2.3", "||||||UTF-99\rMSA|AR|77|set\r"), "", .always = true, .unread = true},
    {"the sender's character set", IN("ORM^O01", "2.3", "||||||8859/1\r") "PID|1||ZZ1||ZZCANARY^Ren\xe9\rORC|NW|P\xe9\r", SPD_ANSWER_AA,
     "", OUT("ORR^O02", "2.3", "||||||8859/1\rMSA|AA|77\r") "PID|1||ZZ1||ZZCANARY^Ren\xe9\rORC|OK|P\xe9|\r", "", .always = true},
    {"a trail byte that looks like a delimiter", IN("ORM^O01", "2.3", "||||||BIG-5\r") "PID|1||ZZ1||ZZ\xb3\x5c\rORC|NW|P\xa4\x7c|F1\r",
     SPD_ANSWER_AA, "", OUT("ORR^O02", "2.3", "||||||BIG-5\rMSA|AA|77\r") "PID|1||ZZ1||ZZ\xb3\x5c\rORC|OK|P\xa4\x7c|F1\r", "",
     .always = true},
    {"its own delimiters", "MSH$*+!%$RIS$$$$1$$ORM*O01$77$P$2.3\rPID$1$$Z*1\rORC$NW$P*1$F\r", SPD_ANSWER_AR, "a$b",
     "MSH$*+!%$$$RIS$$19700101000000!R!0000$$ORR*O02$C1$P$2.3\rMSA$AR$77$a!F!b\rPID$1$$Z*1\rORC$UA$P*1$F$$$$$$$$$$$$$*a!F!b\r", "",
     .always = true},
    {"LF as segment end", "MSH|^~\\&|RIS|ZH|SPOED|RAD|1||ORM^O01|77|P|2.3\nPID|1\nORC|NW|P1\n", SPD_ANSWER_AA, "",
     OUT("ORR^O02", "2.3", "\rMSA|AA|77\r") "PID|1\rORC|OK|P1|\r", "", .always = true},
    {"no patient, no order", IN("ORM^O01", "2.3", "\r"), SPD_ANSWER_AA, "", OUT("ORR^O02", "2.3", "\rMSA|AA|77\r"), "", .always = true},
    {"both: the CA first", IN("ORM^O01", "2.3", "|||AL|AL\r") PID "ORC|NW|P1|F1\r", SPD_ANSWER_AA, "",
     OUT("ACK^O01", "2.3", "\rMSA|CA|77\r"),
     "MSH|^~\\&|SPOED|RAD|RIS|ZH|19700101000000+0000||ORR^O02|C2|P|2.3|||NE|NE\rMSA|AA|77\r" PID "ORC|OK|P1|F1\r", .always = false},
    {"both, kept and refused: CA, and the refusal is the application's", IN("ORM^O01", "2.3", "|||AL|AL\r") PID "ORC|NW|P1|F1\r",
     SPD_ANSWER_AR, "why", OUT("ACK^O01", "2.3", "\rMSA|CA|77\r"),
     "MSH|^~\\&|SPOED|RAD|RIS|ZH|19700101000000+0000||ORR^O02|C2|P|2.3|||NE|NE\rMSA|AR|77|why\r" PID
     "ORC|UA|P1|F1|||||||||||||^why\r", .always = false},
    {"both, unreadable: CR and no more", IN("ORM^O01", "2.3", "|||AL|AL\r") PID "ORC|NW|P1|F1\r", SPD_ANSWER_AR, "why",
     OUT("ACK^O01", "2.3", "\rMSA|CR|77|why\r"), "", .unread = true},
    {"both, not now: CE and no more", IN("ORM^O01", "2.3", "|||AL|AL\r") PID "ORC|NW|P1|F1\r", SPD_ANSWER_AE, "again",
     OUT("ACK^O01", "2.3", "\rMSA|CE|77|again\r"), "", .unread = true},
    {"both, but its peer takes one", IN("ORM^O01", "2.3", "|||AL|AL\r") PID "ORC|NW|P1|F1\r", SPD_ANSWER_AA, "",
     OUT("ACK^O01", "2.3", "\rMSA|CA|77\r"), "", .one = true},
    {"only the application's", IN("ORM^O01", "2.3", "|||NE|AL\r") PID "ORC|NW|P1|F1\r", SPD_ANSWER_AA, "",
     OUT("ORR^O02", "2.3", "|||NE|NE\rMSA|AA|77\r") PID "ORC|OK|P1|F1\r", "", .always = false},
    {"order_response does not override MSH-16", IN("ORM^O01", "2.3", "|||AL|NE\r") PID "ORC|NW|P1|F1\r", SPD_ANSWER_AA, "",
     OUT("ACK^O01", "2.3", "\rMSA|CA|77\r"), "", .always = true},
    {"no order: one answer, as ever", IN("ADT^A08", "2.3", "|||AL|AL\r") PID, SPD_ANSWER_AA, "", OUT("ACK^A08", "2.3", "\rMSA|CA|77\r"),
     "", .always = true},
    {"to an order's answer the transport's word alone", IN("ORR^O02", "2.3", "|||AL|AL\rMSA|AA|1\r") PID "ORC|OK|P1\r",
     SPD_ANSWER_AA, "", OUT("ACK^O02", "2.3", "\rMSA|CA|77\r"), "", .always = true},
    {"never to an acknowledgement", IN("ACK^O02", "2.3", "|||AL|AL\rMSA|AA|1\r"), SPD_ANSWER_AA, "", "", "", .always = true},
    {"a bare ACK stays bare, an ORR whole", IN("ORM^O01", "2.3", "|||AL|AL\r") PID "ORC|NW|P1|F1\r", SPD_ANSWER_AA, "",
     OUT("ACK", "2.3", "\rMSA|CA|77\r"),
     "MSH|^~\\&|SPOED|RAD|RIS|ZH|19700101000000+0000||ORR^O02|C2|P|2.3|||NE|NE\rMSA|AA|77\r" PID "ORC|OK|P1|F1\r", .bare = true},
};

static void written(spd_sv bytes, bool always, struct hl7_answer *a, struct spd_str said[2])
{
    struct spd_arena *arena = spd_arena_new(1 << 22);
    a->control_id = SPD_SV("C1"), a->control_id_2 = SPD_SV("C2");
    a->response = hl7_response_read(bytes, SPD_SV_NONE, always, arena);
    said[0] = said[1] = SPD_STR_INIT(1 << 22);
    hl7_answer_write(bytes, a, &said[0], &said[1]);
    spd_arena_free(arena);
}

static void answers_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_str said[2];
        struct hl7_answer a = {.answer = rows[i].answer,
                               .text = spd_sv_from(rows[i].text),
                               .orders = !rows[i].not_for_us,
                               .kept = !rows[i].unread,
                               .one = rows[i].one,
                               .bare = rows[i].bare};
        written(spd_sv_from(rows[i].message), rows[i].always, &a, said);
        if (!spd_sv_is(spd_str_sv(&said[0]), rows[i].first) || !spd_sv_is(spd_str_sv(&said[1]), rows[i].second))
            fail_msg("%s:\n%s\n-- and --\n%s", rows[i].name, said[0].ptr ? said[0].ptr : "", said[1].ptr ? said[1].ptr : "");
        spd_str_done(&said[0]), spd_str_done(&said[1]);
    }
}

/* MSH-15 downwards, MSH-16 across; "AL" … "-": the codes of the answers in their order. */
static void every_cell(void **state)
{
    static const char *const conditions[] = {"", "AL", "NE", "ER", "SU"};
    static const struct {
        const char *name;
        enum spd_answer answer;
        bool kept;
        const char *want[5][5];
    } tables[] = {
        {"taken", SPD_ANSWER_AA, true,
         {{"AA", "AA", "-", "-", "AA"},
          {"CA", "CA AA", "CA", "CA", "CA AA"},
          {"-", "AA", "-", "-", "AA"},
          {"-", "AA", "-", "-", "AA"},
          {"CA", "CA AA", "CA", "CA", "CA AA"}}},
        {"kept and refused", SPD_ANSWER_AR, true,
         {{"AR", "AR", "-", "AR", "-"},
          {"CR", "CA AR", "CR", "CA AR", "CR"},
          {"-", "AR", "-", "AR", "-"},
          {"CR", "AR", "CR", "AR", "CR"},
          {"-", "CA AR", "-", "CA AR", "-"}}},
        {"unreadable", SPD_ANSWER_AR, false,
         {{"AR", "AR", "-", "AR", "-"},
          {"CR", "CR", "CR", "CR", "CR"},
          {"-", "AR", "-", "AR", "-"},
          {"CR", "CR", "CR", "CR", "CR"},
          {"-", "AR", "-", "AR", "-"}}},
        {"not now", SPD_ANSWER_AE, false,
         {{"AE", "AE", "-", "AE", "-"},
          {"CE", "CE", "CE", "CE", "CE"},
          {"-", "AE", "-", "AE", "-"},
          {"CE", "CE", "CE", "CE", "CE"},
          {"-", "AE", "-", "AE", "-"}}}};
    (void)state;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < 5; i++)
            for (size_t k = 0; k < 5; k++) {
                char text[160], got[32] = "";
                struct spd_str said[2];
                struct hl7_answer a = {.answer = tables[t].answer, .orders = true, .kept = tables[t].kept};
                snprintf(text, sizeof text, IN("ORM^O01", "2.3", "|||%s|%s\r") PID "ORC|NW|P1\r", conditions[i], conditions[k]);
                written(spd_sv_from(text), true, &a, said);
                for (size_t s = 0; s < 2; s++) {
                    const char *msa = said[s].len ? strstr(said[s].ptr, "\rMSA|") : NULL;
                    if (!msa) continue;
                    snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.2s", s ? " " : "", msa + 5);
                    assert_true(!strncmp(msa + 5, "C", 1) == !strstr(said[s].ptr, "|ORR^O02|"));
                }
                if (strcmp(*got ? got : "-", tables[t].want[i][k]))
                    fail_msg("%s, MSH-15 \"%s\", MSH-16 \"%s\": %s, not %s", tables[t].name, conditions[i], conditions[k], got,
                             tables[t].want[i][k]);
                spd_str_done(&said[0]), spd_str_done(&said[1]);
            }
}

/* However an order is spoilt, its answer has the segments that its structure has and no others, each with the
 * fields that we wrote: nothing copied begins a segment. */
static void nothing_can_be_smuggled_in(void **state)
{
    static const char source[] =
        "MSH|^~\\&|RIS|ZH|SPOED|RAD|1||OMI^O23|77|P|2.5|||||||\rPID|1||ZZ1^^^ZH||ZZCANARY^Test||19800101|F\r"
        "ORC|NW|P1^A|F1^B|G||||||||||||\rOBR|1|P1^A|F1^B|CODE^Text|||||||||||||\rIPC|A1^Z|R|1.2.3|S|CT\r";
    static const char evil[] = "\r\n|^~\\&\x0b\x1c\x7f\x01MSH|PID|ORC|X0D\\";
    uint32_t seed = 7;
    size_t answered = 0;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char buf[sizeof source];
        struct spd_str said[2];
        struct hl7_answer a = {.answer = i % 2 ? SPD_ANSWER_AA : SPD_ANSWER_AR, .text = SPD_SV("x\rORC|OK"), .orders = true, .kept = true};
        size_t ends = 0, segments = 0;
        memcpy(buf, source, sizeof source);
        for (int k = 0; k < 5; k++) {
            seed = seed * 1664525u + 1013904223u;
            buf[60 + (seed >> 8) % (sizeof buf - 62)] = evil[(seed >> 20) % (sizeof evil - 1)];
        }
        written(spd_sv_of(buf, sizeof buf - 1), true, &a, said);
        assert_int_equal(said[1].len, 0);
        for (size_t k = 0; k < said[0].len; k++) {
            unsigned char c = (unsigned char)said[0].ptr[k];
            assert_true((c >= 0x20 && c != 0x7f) || c == '\r');
            if (c != '\r') continue;
            ends++;
            const char *next = said[0].ptr + k + 1;
            static const char *const known[] = {"MSA|", "ERR|", "PID", "ORC|", "OBR", "IPC"};
            for (size_t s = 0; s < sizeof known / sizeof *known; s++)
                segments += !strncmp(next, known[s], strlen(known[s]));
            if (!strncmp(next, "ORC|", 4))
                assert_memory_equal(next + 4, a.answer == SPD_ANSWER_AA ? "OK|" : "UA|", 3);
        }
        if (!said[0].len) continue;
        answered++;
        assert_int_equal(said[0].ptr[said[0].len - 1], '\r');
        assert_int_equal(segments + 1, ends); /* each is one of ours, MSH the first */
        spd_str_done(&said[0]);
    }
    assert_true(answered > 15000);
}

/* What does not fit is left out; there is an answer all the same. */
static void a_huge_patient(void **state)
{
    struct spd_str big = SPD_STR_INIT(4 << 20), said[2];
    struct hl7_answer a = {.answer = SPD_ANSWER_AA, .orders = true, .kept = true};
    (void)state;
    spd_str_addz(&big, IN("ORM^O01", "2.3", "\r") "PID|1||");
    for (int i = 0; i < 1 << 20; i++)
        spd_str_addc(&big, 'Z');
    spd_str_addz(&big, "\rORC|NW|P1\r");
    written(spd_str_sv(&big), true, &a, said);
    assert_string_equal(said[0].ptr, OUT("ORR^O02", "2.3", "\rMSA|AA|77\r"));
    spd_str_done(&said[0]), spd_str_done(&big);
}

static void told_to_a_person(void **state)
{
    static const struct {
        const char *message, *want;
        bool always;
    } told[] = {{IN("ORM^O01", "2.3", "|||AL|AL\r") PID "ORC|NW|P1\r", "ACK CA, then ORR AA (ORC-1 OK)", false},
                {IN("OMI^O23", "2.5", "\r") PID "ORC|NW|P1\rOBR|1\r", "ORI AA (ORC-1 OK)", true},
                {IN("ORM^O01", "2.3", "\r") PID "ORC|NW|P1\r", "ACK AA", false},
                {IN("ORM^O01", "2.3", "|||NE|NE\r") PID "ORC|NW|P1\r", "", true}};
    (void)state;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        struct spd_arena *arena = spd_arena_new(1 << 20);
        struct spd_str out = SPD_STR_INIT(1000);
        spd_sv bytes = spd_sv_from(told[i].message);
        struct hl7_answer a = {.answer = SPD_ANSWER_AA, .orders = true, .kept = true,
                               .response = hl7_response_read(bytes, SPD_SV_NONE, told[i].always, arena)};
        hl7_answer_kinds(bytes, &a, &out);
        if (!spd_sv_is(spd_str_sv(&out), told[i].want)) fail_msg("row %zu: %s", i, out.ptr);
        spd_str_done(&out);
        spd_arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_as_the_table_says), cmocka_unit_test(every_cell),
                                       cmocka_unit_test(nothing_can_be_smuggled_in), cmocka_unit_test(a_huge_patient),
                                       cmocka_unit_test(told_to_a_person)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
