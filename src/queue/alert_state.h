/* src/queue/alert_state.h: the life of an alert: [state][input], every cell written, illegal ones
 * too. Pure. docs/life-of-an-alert.md is printed from the table by a test.
 *
 * An illegal input leaves the state as it is and says so: the caller tells the person (409) or, for
 * an outcome that comes too late, only records it. RESTART in SENDING goes back to DUE: a page may
 * go out twice, marked as a repeat, never zero times. EXHAUSTED is itself an alarm and goes on
 * paging. */
#ifndef SPD_QUEUE_ALERT_STATE_H
#define SPD_QUEUE_ALERT_STATE_H

#include "model/model.h"

#define SPD_ALERT_INPUTS(X)                                                                        \
    X(ALERT_IN_TICK, "due: a step is paged")                                                       \
    X(ALERT_IN_OK, "channel took it") X(ALERT_IN_TEMP, "channel failed for now")                   \
        X(ALERT_IN_PERM, "channel refused") X(ALERT_IN_ACK, "acknowledged")                        \
            X(ALERT_IN_DECLINE, "declined") X(ALERT_IN_HANDOVER, "handed over")                    \
                X(ALERT_IN_WITHDRAW, "withdrawn")                                                  \
                    X(ALERT_IN_DEADLINE, "not acknowledged in time: next step")                    \
                        X(ALERT_IN_EXHAUST, "no step left") X(ALERT_IN_RESOLVE, "resolved")        \
                            X(ALERT_IN_RESTART, "restart")

#define SPD_ALERT_IN_CONST(c, n) SPD_##c,
enum spd_alert_input { SPD_ALERT_INPUTS(SPD_ALERT_IN_CONST) SPD_ALERT_IN_N };
extern const char *const spd_alert_input_names[];

/* The next state; *ret_legal (may be NULL) false: the input does not belong in this state. */
enum spd_alert_state spd_alert_next(enum spd_alert_state s, enum spd_alert_input in,
                                    bool *ret_legal);

#endif
