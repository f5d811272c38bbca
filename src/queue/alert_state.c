/* src/queue/alert_state.c: see alert_state.h. */
#include "queue/alert_state.h"

#define NAME(c, n) n,
const char *const spd_alert_input_names[] = {SPD_ALERT_INPUTS(NAME) NULL};

/* clang-format off */
enum {
    DUE = SPD_ALERT_DUE, SND = SPD_ALERT_SENDING, SNT = SPD_ALERT_SENT, DLV = SPD_ALERT_DELIVERED,
    ACK = SPD_ALERT_ACKNOWLEDGED, DCL = SPD_ALERT_DECLINED, HND = SPD_ALERT_HANDED_OVER,
    ESC = SPD_ALERT_ESCALATED, EXH = SPD_ALERT_EXHAUSTED, WDR = SPD_ALERT_WITHDRAWN, RES = SPD_ALERT_RESOLVED,
    BAD = 128 /* or-ed: illegal here, the state stays */
};
static const unsigned char next[SPD_ALERT_STATE_N][SPD_ALERT_IN_N] = {
    /*                          tick     ok       temp     perm     ack      decline  handover withdraw deadline exhaust  resolve  restart */
    [SPD_ALERT_STATE_UNSET]  = {DUE|BAD, DUE|BAD, DUE|BAD, DUE|BAD, DUE|BAD, DUE|BAD, DUE|BAD, DUE|BAD, DUE|BAD, DUE|BAD, DUE|BAD, DUE|BAD},
    [SPD_ALERT_DUE]          = {SND,     DUE|BAD, DUE|BAD, DUE|BAD, ACK,     DCL,     HND,     WDR,     ESC,     EXH,     RES,     DUE},
    [SPD_ALERT_SENDING]      = {SND,     SNT,     SND,     SND,     ACK,     DCL,     HND,     WDR,     ESC,     EXH,     RES,     DUE},
    [SPD_ALERT_SENT]         = {SND,     SNT,     SNT,     SNT,     ACK,     DCL,     HND,     WDR,     ESC,     EXH,     RES,     SNT},
    [SPD_ALERT_DELIVERED]    = {SND,     DLV,     DLV,     DLV,     ACK,     DCL,     HND,     WDR,     ESC,     EXH,     RES,     DLV},
    [SPD_ALERT_ACKNOWLEDGED] = {ACK|BAD, ACK,     ACK,     ACK,     ACK|BAD, ACK|BAD, HND,     WDR,     ACK|BAD, ACK|BAD, RES,     ACK},
    [SPD_ALERT_DECLINED]     = {ESC,     DCL,     DCL,     DCL,     ACK,     DCL,     HND,     WDR,     ESC,     EXH,     RES,     DCL},
    [SPD_ALERT_HANDED_OVER]  = {HND,     HND,     HND,     HND,     ACK,     DCL,     HND,     WDR,     ESC,     EXH,     RES,     HND},
    [SPD_ALERT_ESCALATED]    = {ESC,     ESC,     ESC,     ESC,     ACK,     DCL,     HND,     WDR,     ESC,     EXH,     RES,     ESC},
    [SPD_ALERT_EXHAUSTED]    = {EXH,     EXH,     EXH,     EXH,     ACK,     DCL,     HND,     WDR,     EXH,     EXH,     RES,     EXH},
    [SPD_ALERT_WITHDRAWN]    = {WDR|BAD, WDR,     WDR,     WDR,     WDR|BAD, WDR|BAD, WDR|BAD, WDR,     WDR|BAD, WDR|BAD, RES,     WDR},
    [SPD_ALERT_RESOLVED]     = {RES|BAD, RES,     RES,     RES,     RES|BAD, RES|BAD, RES|BAD, RES|BAD, RES|BAD, RES|BAD, RES|BAD, RES},
};
/* clang-format on */

enum spd_alert_state spd_alert_next(enum spd_alert_state s, enum spd_alert_input in,
                                    bool *ret_legal)
{
    unsigned char n = next[s][in];
    if (ret_legal) *ret_legal = !(n & BAD);
    return (enum spd_alert_state)(n & ~BAD);
}
