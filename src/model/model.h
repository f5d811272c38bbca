/* src/model/model.h: the plain values of design §2: struct spd_item, spd_result, spd_alert ...
 *
 * The structs are made from model.def; read that file for the fields. Enum values are append-only:
 * their numbers are in the journal. Values only; who owns what is said in desc.h. */
#ifndef SPD_MODEL_MODEL_H
#define SPD_MODEL_MODEL_H

#include "base/clock.h"
#include "model/desc.h"

/* Enums: X(constant, "name"). Constant 0 is unset and is not listed. */
#define SPD_ENUM_LEVEL_NO(X) /* 1 is the most urgent; the policy names them (critical, urgent ...) */ \
    X(LEVEL_1, "1") X(LEVEL_2, "2") X(LEVEL_3, "3") X(LEVEL_4, "4") X(LEVEL_5, "5") X(LEVEL_6, "6")   \
    X(LEVEL_7, "7") X(LEVEL_8, "8")
#define SPD_ENUM_PRIORITY(X) /* of an order */                                                     \
    X(PRIORITY_STAT, "stat") X(PRIORITY_ASAP, "asap") X(PRIORITY_URGENT, "urgent")                 \
    X(PRIORITY_ROUTINE, "routine")
#define SPD_ENUM_PRESENT(X)                                                                        \
    X(PRESENT_YES, "present") X(PRESENT_NO, "absent") X(PRESENT_UNCLEAR, "unclear")                \
    X(PRESENT_NORMAL, "normal")
#define SPD_ENUM_AI_STATE(X)                                                                       \
    X(AI_POSITIVE, "positive") X(AI_NEGATIVE, "negative") X(AI_NORMAL, "normal")                   \
    X(AI_FAILED, "failed") X(AI_NOT_APPLICABLE, "not_applicable") X(AI_NOT_ANALYSED, "not_analysed") \
    X(AI_PENDING, "pending") X(AI_LATE, "late")
#define SPD_ENUM_MODE(X)                                                                           \
    X(MODE_SHADOW, "shadow") X(MODE_ACCEPTANCE, "acceptance") X(MODE_LIVE, "live")                 \
    X(MODE_SUSPENDED, "suspended")
#define SPD_ENUM_ORDER_AXIS(X)                                                                     \
    X(ORDER_ACTIVE, "active") X(ORDER_HELD, "held") X(ORDER_CANCELLED, "cancelled")
#define SPD_ENUM_IMAGES_AXIS(X)                                                                    \
    X(IMAGES_NONE, "none") X(IMAGES_PARTIAL, "partial") X(IMAGES_COMPLETE, "complete")
#define SPD_ENUM_READING_AXIS(X)                                                                   \
    X(READING_UNREAD, "unread") X(READING_CLAIMED, "claimed") X(READING_DICTATED, "dictated")
#define SPD_ENUM_REPORT_AXIS(X)                                                                    \
    X(REPORT_NONE, "none") X(REPORT_PRELIMINARY, "preliminary") X(REPORT_FINAL, "final")           \
    X(REPORT_AMENDED, "amended")
#define SPD_ENUM_STATUS(X) /* derived; see spd_item_status */                                      \
    X(STATUS_ORDERED, "ordered") X(STATUS_ARRIVED, "arrived") X(STATUS_IN_PROGRESS, "in_progress") \
    X(STATUS_PRELIMINARY, "preliminary") X(STATUS_FINAL, "final") X(STATUS_CANCELLED, "cancelled") \
    X(STATUS_CANCELLED_IMAGES, "cancelled_images_present") X(STATUS_UNMATCHED, "unmatched")
#define SPD_ENUM_COMPANION_KIND(X)                                                                 \
    X(COMPANION_KEY_OBJECTS, "key_objects") X(COMPANION_PRESENTATION, "presentation_state")        \
    X(COMPANION_CAPTURE, "secondary_capture") X(COMPANION_DOCUMENT, "document")                    \
    X(COMPANION_SEGMENTATION, "segmentation") X(COMPANION_MAP, "parametric_map")
#define SPD_ENUM_PARKED_KIND(X) X(PARKED_RESULT, "result") X(PARKED_MESSAGE, "message")
#define SPD_ENUM_ALERT_STATE(X)                                                                    \
    X(ALERT_DUE, "due") X(ALERT_SENDING, "sending") X(ALERT_SENT, "sent")                          \
    X(ALERT_DELIVERED, "delivered") X(ALERT_ACKNOWLEDGED, "acknowledged")                          \
    X(ALERT_DECLINED, "declined") X(ALERT_HANDED_OVER, "handed_over")                              \
    X(ALERT_ESCALATED, "escalated") X(ALERT_EXHAUSTED, "exhausted")                                \
    X(ALERT_WITHDRAWN, "withdrawn") X(ALERT_RESOLVED, "resolved")
#define SPD_ENUM_OUTCOME(X) /* of a delivery; 0 = not yet */                                       \
    X(OUTCOME_OK, "ok") X(OUTCOME_TEMPORARY, "temporary") X(OUTCOME_PERMANENT, "permanent")        \
    X(OUTCOME_UNKNOWN, "unknown") X(OUTCOME_OBSERVED, "observed") X(OUTCOME_SENDING, "sending") \
    X(OUTCOME_ACCEPTED, "accepted") /* CA: its application has still to say */                      \
    X(OUTCOME_UNREACHED, "unreached") /* nobody there: nothing was sent */
#define SPD_ENUM_PAGE_KIND(X)                                                                      \
    X(PAGE_ALERT, "alert") X(PAGE_CORRECTION, "correction") X(PAGE_NOTICE, "notice")
#define SPD_ENUM_ALERT_PHASE(X) /* what is told of an alert */                                      \
    X(PHASE_START, "start") X(PHASE_ACKNOWLEDGED, "acknowledged") X(PHASE_REOPENED, "reopened")    \
    X(PHASE_CORRECTED, "corrected") X(PHASE_WITHDRAWN, "withdrawn") X(PHASE_RESOLVED, "resolved")
#define SPD_ENUM_DRAFT_STATE(X)                                                                    \
    X(DRAFT_OFFERED, "offered") X(DRAFT_ACCEPTED, "accepted") X(DRAFT_WITHDRAWN, "withdrawn")      \
    X(DRAFT_REJECTED, "rejected") X(DRAFT_FAILED, "failed")
#define SPD_ENUM_VERDICT(X)                                                                         \
    X(VERDICT_AGREE, "agree") X(VERDICT_DISAGREE, "disagree") X(VERDICT_AMENDED, "amended")
#define SPD_ENUM_DIRECTION(X) X(DIRECTION_IN, "in") X(DIRECTION_OUT, "out")
#define SPD_ENUM_ANSWER(X)                                                                         \
    X(ANSWER_AA, "AA") X(ANSWER_AE, "AE") X(ANSWER_AR, "AR") X(ANSWER_CA, "CA")                    \
    X(ANSWER_CE, "CE") X(ANSWER_CR, "CR")
#define SPD_ENUM_OUTBOX_KIND(X)                                                                    \
    X(OUTBOX_PRIORITY, "priority") X(OUTBOX_REPORT, "report") X(OUTBOX_PAGE, "page") \
    X(OUTBOX_ALERT, "alert") X(OUTBOX_WORKITEM, "workitem")                                  \
    X(OUTBOX_RESULT, "result") X(OUTBOX_SUMMARY, "summary")
#define SPD_ENUM_OUTBOX_STATE(X)                                                                   \
    X(OUTBOX_QUEUED, "queued") X(OUTBOX_SENDING, "sending") X(OUTBOX_DONE, "done")                 \
    X(OUTBOX_DEAD, "dead") X(OUTBOX_OBSERVED, "observed") X(OUTBOX_CANCELLED, "cancelled")
#define SPD_ENUM_TIMER_KIND(X)                                                                     \
    X(TIMER_WAIT, "wait")           /* subject item: past due, raise */                            \
    X(TIMER_AI, "ai")               /* subject item: an expected result is late, or a rule's age ends */ \
    X(TIMER_ALERT, "alert")         /* subject alert: the next step */                             \
    X(TIMER_UNMATCHED, "unmatched") /* subject parked: page the radiologist */                     \
    X(TIMER_CLAIM, "claim")         /* subject item: the lease ends */                             \
    X(TIMER_COMPLETE, "complete")   /* subject study: no more images came */                       \
    X(TIMER_OUTBOX, "outbox")       /* subject outbox: time-out of a lease */                      \
    X(TIMER_SILENCE, "silence")     /* subject model_version or peer: nothing heard */             \
    X(TIMER_REPORT, "report")       /* subject item: the report was not confirmed */                \
    X(TIMER_REDECIDE, "redecide")   /* subject: item id after which to go on deciding anew */ \
    X(TIMER_PRIORITY, "priority")   /* subject item, aux destination: the hour of three messages is over */
#define SPD_ENUM_ACTION_VERB(X)                                                                    \
    X(ACT_CLAIM, "claim") X(ACT_RELEASE, "release") X(ACT_OPENED, "opened")                        \
    X(ACT_PRIORITY, "priority") X(ACT_VERDICT, "verdict") X(ACT_REOPEN, "reopen")                  \
    X(ACT_CONFIRM_CANCEL, "confirm_cancel") X(ACT_ASSIGN, "assign") X(ACT_DISCARD, "discard")      \
    X(ACT_DRAFT_ACCEPT, "draft_accept") X(ACT_DRAFT_REJECT, "draft_reject")                        \
    X(ACT_DRAFT_UNDO, "draft_undo") X(ACT_ACKNOWLEDGE, "acknowledge") X(ACT_DECLINE, "decline")    \
    X(ACT_HANDOVER, "handover") X(ACT_RESOLVE, "resolve") X(ACT_SET_MODE, "set_mode")              \
    X(ACT_RETRY, "retry") X(ACT_RESEND, "resend")                                                  \
    X(ACT_VIEW_RAW, "view_raw") /* looked at a message's raw bytes: audited, nothing else */         \
    X(ACT_MERGE_UNDO, "merge_undo") X(ACT_CONFIRM_PATIENT, "confirm_patient") \
    X(ACT_PAUSE, "pause") X(ACT_RESUME, "resume") X(ACT_QUEUE_DISCARD, "queue_discard")
#define SPD_ENUM_STEP_STATE(X)                                                                     \
    X(STEP_IN_PROGRESS, "in_progress") X(STEP_COMPLETED, "completed")                              \
    X(STEP_DISCONTINUED, "discontinued")
#define SPD_ENUM_WORKITEM_STATE(X) /* of UPS, as it writes them */                                 \
    X(WORKITEM_SCHEDULED, "SCHEDULED") X(WORKITEM_IN_PROGRESS, "IN PROGRESS")                      \
    X(WORKITEM_COMPLETED, "COMPLETED") X(WORKITEM_CANCELED, "CANCELED")
#define SPD_ENUM_UPS_PRIORITY(X) X(UPS_HIGH, "HIGH") X(UPS_MEDIUM, "MEDIUM") X(UPS_LOW, "LOW")
#define SPD_ENUM_READINESS(X)                                                                      \
    X(READINESS_INCOMPLETE, "INCOMPLETE") X(READINESS_UNAVAILABLE, "UNAVAILABLE")                  \
    X(READINESS_READY, "READY")
#define SPD_ENUM_REPORT_KIND(X) /* numbers are the event type ids of PS3.4 table CC.2.4-1 */       \
    X(UPS_STATE, "state") X(UPS_CANCEL_REQUESTED, "cancel_requested")                              \
    X(UPS_PROGRESS, "progress") X(UPS_SCP_STATUS, "scp_status") X(UPS_ASSIGNED, "assigned")
#define SPD_ENUM_SUBSCRIPTION_STATE(X) /* unset: its ranges say */                                 \
    X(SUBSCRIBED_LOCK, "lock") X(SUBSCRIBED, "plain") X(SUBSCRIBED_NOT, "none")
#define SPD_ENUM_WORKITEM_VERB(X)                                                                  \
    X(UPS_CREATE, "create") X(UPS_UPDATE, "update") X(UPS_CHANGE_STATE, "change_state")            \
    X(UPS_REQUEST_CANCEL, "request_cancel") X(UPS_SUBSCRIBE, "subscribe")                          \
    X(UPS_UNSUBSCRIBE, "unsubscribe") X(UPS_SUSPEND, "suspend") X(UPS_SEEN, "seen")
#define SPD_ENUM_EVENT_TYPE(X)                                                                     \
    X(EVENT_ORDER, "order") X(EVENT_PATIENT, "patient") X(EVENT_REPORT, "report")                  \
    X(EVENT_MESSAGE, "message") X(EVENT_RESULT, "result") X(EVENT_STUDY, "study")                  \
    X(EVENT_TIMER, "timer") X(EVENT_CLAIM, "claim") X(EVENT_OUTCOME, "outcome")                    \
    X(EVENT_ACTION, "action") X(EVENT_CONFIG, "config") X(EVENT_USER, "user")                      \
    X(EVENT_START, "start") X(EVENT_ALARM, "alarm")                                                \
    X(EVENT_APPOINTMENT, "appointment") X(EVENT_RECONCILE, "reconcile")      \
    X(EVENT_STEP, "step") X(EVENT_WORKITEM, "workitem")

#define SPD_ENUM_CONST(c, n) SPD_##c,
#define SPD_ENUM_MAKE(lower, UPPER)                                                                \
    enum spd_##lower { SPD_##UPPER##_UNSET = 0, SPD_ENUM_##UPPER(SPD_ENUM_CONST) SPD_##UPPER##_N };  \
    extern const char *const spd_##lower##_names[];
SPD_ENUM_MAKE(level_no, LEVEL_NO)
SPD_ENUM_MAKE(priority, PRIORITY)
SPD_ENUM_MAKE(present, PRESENT)
SPD_ENUM_MAKE(ai_state, AI_STATE)
SPD_ENUM_MAKE(mode, MODE)
SPD_ENUM_MAKE(order_axis, ORDER_AXIS)
SPD_ENUM_MAKE(images_axis, IMAGES_AXIS)
SPD_ENUM_MAKE(reading_axis, READING_AXIS)
SPD_ENUM_MAKE(report_axis, REPORT_AXIS)
SPD_ENUM_MAKE(status, STATUS)
SPD_ENUM_MAKE(companion_kind, COMPANION_KIND)
SPD_ENUM_MAKE(parked_kind, PARKED_KIND)
SPD_ENUM_MAKE(alert_state, ALERT_STATE)
SPD_ENUM_MAKE(outcome, OUTCOME)
SPD_ENUM_MAKE(page_kind, PAGE_KIND)
SPD_ENUM_MAKE(alert_phase, ALERT_PHASE)
SPD_ENUM_MAKE(draft_state, DRAFT_STATE)
SPD_ENUM_MAKE(verdict_kind, VERDICT)
SPD_ENUM_MAKE(direction, DIRECTION)
SPD_ENUM_MAKE(answer, ANSWER)
SPD_ENUM_MAKE(outbox_kind, OUTBOX_KIND)
SPD_ENUM_MAKE(outbox_state, OUTBOX_STATE)
SPD_ENUM_MAKE(timer_kind, TIMER_KIND)
SPD_ENUM_MAKE(action_verb, ACTION_VERB)
SPD_ENUM_MAKE(step_state, STEP_STATE)
SPD_ENUM_MAKE(event_type, EVENT_TYPE)
SPD_ENUM_MAKE(workitem_state, WORKITEM_STATE)
SPD_ENUM_MAKE(ups_priority, UPS_PRIORITY)
SPD_ENUM_MAKE(readiness, READINESS)
SPD_ENUM_MAKE(report_kind, REPORT_KIND)
SPD_ENUM_MAKE(subscription_state, SUBSCRIPTION_STATE)
SPD_ENUM_MAKE(workitem_verb, WORKITEM_VERB)

/* The structs. */
#define BEGIN(type) struct spd_##type {
#define END(type) };                                                                               \
    extern const struct spd_desc spd_##type##_desc;
#define I64(name) int64_t name;
#define ENUM(name, type) int32_t name;
#define TEXT(name) spd_sv name;
#define BLOB(name) spd_sv name;
#define STRUCT(name, type) struct spd_##type name;
#define LIST(name, type) struct { struct spd_##type *v; size_t n; } name;
#define LIST_TEXT(name) struct { spd_sv *v; size_t n; } name;
#define LIST_I64(name) struct { int64_t *v; size_t n; } name;
#include "model/model.def"
#undef BEGIN
#undef END
#undef I64
#undef ENUM
#undef TEXT
#undef BLOB
#undef STRUCT
#undef LIST
#undef LIST_TEXT
#undef LIST_I64

/* One event: the type says which pointer is set; all others are NULL. Borrowed. */
struct spd_event {
    enum spd_event_type type;
    spd_usec at; /* set by the writer: never below the previous one's */
    union {
        void *any;
        struct spd_order_event *order;
        struct spd_patient_event *patient;
        struct spd_report_event *report;
        struct spd_message_event *message;
        struct spd_result_event *result;
        struct spd_study_event *study;
        struct spd_timer_event *timer;
        struct spd_claim_event *claim;
        struct spd_outcome_event *outcome;
        struct spd_action_event *action;
        struct spd_config_event *config;
        struct spd_user_event *user;
        struct spd_start_event *start;
        struct spd_alarm_event *alarm;
        struct spd_workitem_event *workitem;
        struct spd_reconcile_event *reconcile;
        struct spd_step_event *step;
        struct spd_appointment_event *appointment;
    } u;
};
/* The description of an event type's payload; NULL for an unknown type. */
const struct spd_desc *spd_event_desc(enum spd_event_type type);
/* The envelope of an event that can come as a message; NULL for the other types. Found in the
 * description, so that a new type needs no line of its own. */
struct spd_message_in *spd_event_message(const struct spd_event *event);

/* The API's status, derived from the four axes (domain §2). */
enum spd_status spd_item_status(const struct spd_item *item);
/* On the reporting worklist by default: arrived, in_progress, unmatched, cancelled_images_present. */
bool spd_item_listed(const struct spd_item *item);
/* Still of interest to the core: neither final nor cancelled without images. */
bool spd_item_open(const struct spd_item *item);
bool spd_alert_open(enum spd_alert_state state); /* due to escalated, handed over, declined, exhausted */

bool spd_cx_eq(const struct spd_cx *a, const struct spd_cx *b);
/* One identifier shared within an authority (domain §1). */
bool spd_patient_shares_id(const struct spd_patient *a, const struct spd_patient *b);

#endif
