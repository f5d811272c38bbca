/* src/model/model.c: the tables behind model.h, and what is derived from an item's axes. */
#include "model/model.h"

#define NAME_OF(c, n) n,
#define NAMES(lower, UPPER)                                                                        \
    const char *const spd_##lower##_names[] = {"", SPD_ENUM_##UPPER(NAME_OF) NULL};
NAMES(level_no, LEVEL_NO)
NAMES(priority, PRIORITY)
NAMES(present, PRESENT)
NAMES(ai_state, AI_STATE)
NAMES(mode, MODE)
NAMES(order_axis, ORDER_AXIS)
NAMES(images_axis, IMAGES_AXIS)
NAMES(reading_axis, READING_AXIS)
NAMES(report_axis, REPORT_AXIS)
NAMES(status, STATUS)
NAMES(companion_kind, COMPANION_KIND)
NAMES(parked_kind, PARKED_KIND)
NAMES(alert_state, ALERT_STATE)
NAMES(outcome, OUTCOME)
NAMES(page_kind, PAGE_KIND)
NAMES(alert_phase, ALERT_PHASE)
NAMES(draft_state, DRAFT_STATE)
NAMES(verdict_kind, VERDICT)
NAMES(direction, DIRECTION)
NAMES(answer, ANSWER)
NAMES(outbox_kind, OUTBOX_KIND)
NAMES(outbox_state, OUTBOX_STATE)
NAMES(timer_kind, TIMER_KIND)
NAMES(action_verb, ACTION_VERB)
NAMES(step_state, STEP_STATE)
NAMES(event_type, EVENT_TYPE)
NAMES(workitem_state, WORKITEM_STATE)
NAMES(ups_priority, UPS_PRIORITY)
NAMES(readiness, READINESS)
NAMES(report_kind, REPORT_KIND)
NAMES(subscription_state, SUBSCRIPTION_STATE)
NAMES(workitem_verb, WORKITEM_VERB)

/* Each table sits in a function of its own, since offsetof needs a name for the struct that is being
 * described and a macro cannot define one. */
#define BEGIN(type)                                                                                \
    static const struct spd_member *type##_members(void)                                           \
    {                                                                                              \
        typedef struct spd_##type self;                                                            \
        static const struct spd_member m[] = {
#define END(type)                                                                                  \
    {NULL, 0, 0, NULL, NULL}                                                                       \
    }                                                                                              \
    ;                                                                                              \
    return m;                                                                                      \
    }                                                                                              \
    const struct spd_desc spd_##type##_desc = {#type, sizeof(struct spd_##type), type##_members};
#define I64(name) {#name, SPD_K_I64, offsetof(self, name), NULL, NULL},
#define ENUM(name, type) {#name, SPD_K_ENUM, offsetof(self, name), NULL, spd_##type##_names},
#define TEXT(name) {#name, SPD_K_TEXT, offsetof(self, name), NULL, NULL},
#define BLOB(name) {#name, SPD_K_BLOB, offsetof(self, name), NULL, NULL},
#define STRUCT(name, type) {#name, SPD_K_STRUCT, offsetof(self, name), &spd_##type##_desc, NULL},
#define LIST(name, type) {#name, SPD_K_LIST, offsetof(self, name), &spd_##type##_desc, NULL},
#define LIST_TEXT(name) {#name, SPD_K_LIST_TEXT, offsetof(self, name), NULL, NULL},
#define LIST_I64(name) {#name, SPD_K_LIST_I64, offsetof(self, name), NULL, NULL},
#include "model/model.def"

const struct spd_desc *spd_event_desc(enum spd_event_type type)
{
    static const struct spd_desc *const table[SPD_EVENT_TYPE_N] = {
        [SPD_EVENT_ORDER] = &spd_order_event_desc,     [SPD_EVENT_PATIENT] = &spd_patient_event_desc,
        [SPD_EVENT_REPORT] = &spd_report_event_desc,   [SPD_EVENT_MESSAGE] = &spd_message_event_desc,
        [SPD_EVENT_RESULT] = &spd_result_event_desc,   [SPD_EVENT_STUDY] = &spd_study_event_desc,
        [SPD_EVENT_TIMER] = &spd_timer_event_desc,     [SPD_EVENT_CLAIM] = &spd_claim_event_desc,
        [SPD_EVENT_OUTCOME] = &spd_outcome_event_desc, [SPD_EVENT_ACTION] = &spd_action_event_desc,
        [SPD_EVENT_CONFIG] = &spd_config_event_desc,   [SPD_EVENT_USER] = &spd_user_event_desc,
        [SPD_EVENT_START] = &spd_start_event_desc,     [SPD_EVENT_ALARM] = &spd_alarm_event_desc,
        [SPD_EVENT_APPOINTMENT] = &spd_appointment_event_desc,
        [SPD_EVENT_RECONCILE] = &spd_reconcile_event_desc,
        [SPD_EVENT_STEP] = &spd_step_event_desc,
        [SPD_EVENT_WORKITEM] = &spd_workitem_event_desc,
    };
    return (unsigned)type < SPD_EVENT_TYPE_N ? table[type] : NULL;
}

struct spd_message_in *spd_event_message(const struct spd_event *event)
{
    const struct spd_desc *d = spd_event_desc(event->type);
    if (!d || !event->u.any) return NULL;
    for (const struct spd_member *m = d->members(); m->name; m++)
        if (m->kind == SPD_K_STRUCT && m->sub == &spd_message_in_desc)
            return (struct spd_message_in *)(void *)((char *)event->u.any + m->offset);
    return NULL;
}

enum spd_status spd_item_status(const struct spd_item *item)
{
    if (item->report == SPD_REPORT_FINAL || item->report == SPD_REPORT_AMENDED)
        return SPD_STATUS_FINAL;
    if (item->order == SPD_ORDER_CANCELLED)
        return item->images > SPD_IMAGES_NONE && !item->cancel_confirmed ? SPD_STATUS_CANCELLED_IMAGES
                                                                         : SPD_STATUS_CANCELLED;
    if (item->unmatched) return SPD_STATUS_UNMATCHED;
    if (item->report == SPD_REPORT_PRELIMINARY) return SPD_STATUS_PRELIMINARY;
    if (item->images <= SPD_IMAGES_NONE && !item->exam_done) return SPD_STATUS_ORDERED;
    return item->reading > SPD_READING_UNREAD ? SPD_STATUS_IN_PROGRESS : SPD_STATUS_ARRIVED;
}

bool spd_item_listed(const struct spd_item *item)
{
    enum spd_status s = spd_item_status(item);
    return s == SPD_STATUS_ARRIVED || s == SPD_STATUS_IN_PROGRESS || s == SPD_STATUS_UNMATCHED ||
           s == SPD_STATUS_CANCELLED_IMAGES;
}

bool spd_item_open(const struct spd_item *item)
{
    enum spd_status s = spd_item_status(item);
    return s != SPD_STATUS_FINAL && s != SPD_STATUS_CANCELLED;
}

bool spd_alert_open(enum spd_alert_state state)
{
    switch (state) {
    case SPD_ALERT_DUE:
    case SPD_ALERT_SENDING:
    case SPD_ALERT_SENT:
    case SPD_ALERT_DELIVERED:
    case SPD_ALERT_DECLINED:
    case SPD_ALERT_HANDED_OVER:
    case SPD_ALERT_ESCALATED:
    case SPD_ALERT_EXHAUSTED:
        return true;
    case SPD_ALERT_STATE_UNSET:
    case SPD_ALERT_ACKNOWLEDGED:
    case SPD_ALERT_WITHDRAWN:
    case SPD_ALERT_RESOLVED:
    case SPD_ALERT_STATE_N:
        break;
    }
    return false;
}

bool spd_cx_eq(const struct spd_cx *a, const struct spd_cx *b)
{
    return a->value.len && spd_sv_eq(a->value, b->value) && spd_sv_eq(a->authority, b->authority);
}

bool spd_patient_shares_id(const struct spd_patient *a, const struct spd_patient *b)
{
    for (size_t i = 0; i < a->ids.n; i++)
        for (size_t k = 0; k < b->ids.n; k++)
            if (spd_cx_eq(&a->ids.v[i], &b->ids.v[k])) return true;
    return false;
}
