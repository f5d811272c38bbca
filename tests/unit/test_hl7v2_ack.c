/* Acknowledgements: original and enhanced mode, ERR by version, nothing for an acknowledgement, and
 * nothing in the sender's message that could start a segment of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "hl7/v2/ack.h"

static const struct {
    const char *name, *message;
    char severity;
    const char *text, *want;
} rows[] = {
    {"original", "MSH|^~\\&|RIS|ZH|SPOED|RAD|1||ORM^O01|77|P|2.3\r", 'A', "",
     "MSH|^~\\&|SPOED|RAD|RIS|ZH|20260101||ACK^O01|C1|P|2.3\rMSA|AA|77\r"},
    {"original 2.5", "MSH|^~\\&|RIS|ZH|SPOED|RAD|1||ORM^O01|77|D|2.5.1\r", 'A', "",
     "MSH|^~\\&|SPOED|RAD|RIS|ZH|20260101||ACK^O01^ACK|C1|D|2.5.1\rMSA|AA|77\r"},
    {"rejected 2.3: no ERR", "MSH|^~\\&|||||1||ORM^O01|77|P|2.3\r", 'R', "no PID",
     "MSH|^~\\&|||||20260101||ACK^O01|C1|P|2.3\rMSA|AR|77|no PID\r"},
    {"rejected 2.5: ERR", "MSH|^~\\&|||||1||ORM^O01|77|P|2.5\r", 'R', "a|b",
     "MSH|^~\\&|||||20260101||ACK^O01^ACK|C1|P|2.5\rMSA|AR|77|a\\F\\b\rERR||PID^1^3|207^^HL70357|E|"
     "|||a\\F\\b\r"},
    {"error 2.5: not now", "MSH|^~\\&|||||1||ORM^O01|77|P|2.5\r", 'E', "",
     "MSH|^~\\&|||||20260101||ACK^O01^ACK|C1|P|2.5\rMSA|AE|77\rERR||PID^1^3|206^^HL70357|E||||\r"},
    {"enhanced AL", "MSH|^~\\&|||||1||ORM^O01|77|P|2.3|||AL|NE\r", 'A', "",
     "MSH|^~\\&|||||20260101||ACK^O01|C1|P|2.3\rMSA|CA|77\r"},
    {"enhanced AL, error", "MSH|^~\\&|||||1||ORM^O01|77|P|2.3|||AL|NE\r", 'E', "",
     "MSH|^~\\&|||||20260101||ACK^O01|C1|P|2.3\rMSA|CE|77\r"},
    {"enhanced ER, accepted", "MSH|^~\\&|||||1||ORM^O01|77|P|2.3|||ER|NE\r", 'A', "", ""},
    {"enhanced ER, rejected", "MSH|^~\\&|||||1||ORM^O01|77|P|2.3|||ER|NE\r", 'R', "",
     "MSH|^~\\&|||||20260101||ACK^O01|C1|P|2.3\rMSA|CR|77\r"},
    {"enhanced SU, rejected", "MSH|^~\\&|||||1||ORM^O01|77|P|2.3|||SU|NE\r", 'R', "", ""},
    {"application answer only", "MSH|^~\\&|||||1||ORM^O01|77|P|2.3|||NE|AL\r", 'A', "",
     "MSH|^~\\&|||||20260101||ACK^O01|C1|P|2.3\rMSA|AA|77\r"},
    {"nothing wanted", "MSH|^~\\&|||||1||ORM^O01|77|P|2.3|||NE|NE\r", 'R', "", ""},
    {"never an answer to an answer", "MSH|^~\\&|||||1||ACK^O01|77|P|2.3\rMSA|AA|1\r", 'A', "", ""},
    {"an order's answer is a message", "MSH|^~\\&|||||1||ORR^O02|77|P|2.3\rMSA|AA|1\rORC|OK\r", 'A', "",
     "MSH|^~\\&|||||20260101||ACK^O02|C1|P|2.3\rMSA|AA|77\r"},
    {"its own delimiters", "MSH$*+!%$RIS$$$$1$$ORM*O01$77$P$2.5\r", 'R', "x$y*z",
     "MSH$*+!%$$$RIS$$20260101$$ACK*O01*ACK$C1$P$2.5\rMSA$AR$77$x!F!y!S!z\rERR$$PID*1*3$207**"
     "HL70357$E$$$$x!F!y!S!z\r"},
    {"no control id", "MSH|^~\\&|||||1||ORM^O01||P|2.3\r", 'A', "",
     "MSH|^~\\&|||||20260101||ACK^O01|C1|P|2.3\rMSA|AA|\r"},
    {"a raw LF in what is copied", "MSH|^~\\&|R\nIS||||1||ORM^O01|7\n7|P|2.3\r", 'A', "",
     "MSH|^~\\&|||R\\X0A\\IS||20260101||ACK^O01|C1|P|2.3\rMSA|AA|7\\X0A\\7\r"},
    {"not even a header", "hello", 'R', "unreadable",
     "MSH|^~\\&|||||20260101||ACK|C1|P|2.5\rMSA|AR||unreadable\r"},
};

static void answers_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hl7_msg m;
        struct spd_str out = SPD_STR_INIT(10000);
        bool known = hl7_msg_header(&m, spd_sv_from(rows[i].message), NULL) == SPD_OK;
        struct hl7_ack a = {.severity = rows[i].severity,
                            .text = spd_sv_from(rows[i].text),
                            .location = SPD_SV("PID^1^3"),
                            .time = SPD_SV("20260101"),
                            .control_id = SPD_SV("C1")};
        hl7_ack_write(known ? &m : NULL, &a, &out);
        if (!spd_sv_is(spd_str_sv(&out), rows[i].want))
            fail_msg("%s:\n%s", rows[i].name, out.ptr ? out.ptr : "(nothing)");
        spd_str_done(&out);
    }
}

/* MSH-15 and MSH-16 in all combinations (HL7 2.5 section 2.9.3): original mode where both are
 * empty; else an accept acknowledgement where MSH-15 wants one, an application one where only
 * MSH-16 does. */
static void both_modes_in_all_combinations(void **state)
{
    static const char *const conditions[] = {"", "AL", "NE", "ER", "SU"};
    static const struct {
        char severity;
        const char *want[5]; /* of one condition: "" AL NE ER SU */
    } wanted[] = {{'A', {"0", "1", "0", "0", "1"}},
                  {'E', {"0", "1", "0", "1", "0"}},
                  {'R', {"0", "1", "0", "1", "0"}}};
    size_t silent = 0, accept = 0, application = 0;
    (void)state;
    for (size_t s = 0; s < 3; s++)
        for (size_t i = 0; i < 5; i++)
            for (size_t k = 0; k < 5; k++) {
                char text[128], want[16] = "";
                struct hl7_msg m;
                struct spd_str out = SPD_STR_INIT(1000);
                struct hl7_ack a = {.severity = wanted[s].severity, .control_id = SPD_SV("C")};
                bool original = i == 0 && k == 0;
                snprintf(text, sizeof text, "MSH|^~\\&|||||1||ORM^O01|7|P|2.5|||%s|%s\r",
                         conditions[i], conditions[k]);
                if (original || *wanted[s].want[i] == '1' || *wanted[s].want[k] == '1')
                    snprintf(want, sizeof want, "\rMSA|%c%c|7\r",
                             !original && *wanted[s].want[i] == '1' ? 'C' : 'A',
                             wanted[s].severity);
                assert_int_equal(hl7_msg_header(&m, spd_sv_from(text), NULL), SPD_OK);
                hl7_ack_write(&m, &a, &out);
                if (*want ? !out.len || !strstr(out.ptr, want) : out.len > 0)
                    fail_msg("%c, MSH-15 %s, MSH-16 %s: %s", wanted[s].severity, conditions[i],
                             conditions[k], out.len ? out.ptr : "(nothing)");
                silent += !*want, accept += *want && want[5] == 'C',
                    application += *want && want[5] == 'A';
                spd_str_done(&out);
            }
    assert_int_equal(silent, 24);
    assert_int_equal(accept, 30);
    assert_int_equal(application, 21);
}

static void a_bare_ack(void **state)
{
    static const struct {
        const char *name, *ack, *want;
    } bare[] = {
        {"three components", "MSH|^~\\&|a|b|c|d|1||ACK^O01^ACK|C|P|2.5\rMSA|AA|7\r",
         "MSH|^~\\&|a|b|c|d|1||ACK|C|P|2.5\rMSA|AA|7\r"},
        {"bare already", "MSH|^~\\&|||||1||ACK|C|P|2.5\rMSA|AA|7\r",
         "MSH|^~\\&|||||1||ACK|C|P|2.5\rMSA|AA|7\r"},
        {"its own delimiters", "MSH$*+!%$$$$$1$$ACK*O01$C\r", "MSH$*+!%$$$$$1$$ACK$C\r"},
        {"a short header", "MSH|^~\\&|a\rMSA|AA^x|7\r", "MSH|^~\\&|a\rMSA|AA^x|7\r"},
        {"the last field", "MSH|^~\\&|||||1||ACK^O01", "MSH|^~\\&|||||1||ACK"},
        {"none at all", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bare / sizeof *bare; i++) {
        struct spd_str out = SPD_STR_INIT(1000);
        spd_str_addz(&out, "before");
        spd_str_addz(&out, bare[i].ack);
        hl7_ack_bare(&out, 6);
        if (strncmp(out.ptr, "before", 6) || strcmp(out.ptr + 6, bare[i].want))
            fail_msg("%s: %s", bare[i].name, out.ptr);
        assert_int_equal(strlen(out.ptr), out.len);
        spd_str_done(&out);
    }
}

/* No byte in the header can make more than MSH, MSA and ERR. */
static void nothing_can_be_smuggled_in(void **state)
{
    uint32_t seed = 42;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char buf[] = "MSH|^~\\&|RIS|ZH|SPOED|RAD|20260101||ORM^O01|77|P|2.5|||||||\r";
        struct hl7_msg m;
        for (int k = 0; k < 6; k++) {
            static const char evil[] = "\r\n|^~\\&MSA\x0b\x1c\0PID";
            seed = seed * 1664525u + 1013904223u;
            buf[8 + (seed >> 8) % (sizeof buf - 10)] = evil[(seed >> 20) % sizeof evil];
        }
        if (hl7_msg_header(&m, spd_sv_of(buf, sizeof buf - 1), NULL) != SPD_OK) continue;
        struct spd_str out = SPD_STR_INIT(10000);
        struct hl7_ack a = {.severity = 'R',
                            .text = SPD_SV("x\rPID|1"),
                            .time = SPD_SV("1"),
                            .control_id = SPD_SV("2")};
        hl7_ack_write(&m, &a, &out);
        size_t cr = 0;
        for (size_t k = 0; k < out.len; k++)
            cr += out.ptr[k] == '\r' || out.ptr[k] == '\n';
        assert_true(cr == 0 || cr == 2 || cr == 3);
        assert_true(!out.len ||
                    (!memchr(out.ptr, 0x0b, out.len) && !memchr(out.ptr, 0x1c, out.len)));
        spd_str_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_as_the_table_says),
                                       cmocka_unit_test(both_modes_in_all_combinations),
                                       cmocka_unit_test(a_bare_ack),
                                       cmocka_unit_test(nothing_can_be_smuggled_in)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
