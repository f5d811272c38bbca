/* src/core/workitem.h: workitems (UPS) of items, their events, and who follows them. Private to
 * src/core.
 *
 * A workitem follows its item: spd_tx_finish calls spd_workitem_follow for every item that an event
 * has touched, whatever the door, so that no path can change a state without its event. Requests of
 * UPS change the item (or what others set on the workitem) and leave the state to that one place.
 */
#ifndef SPD_CORE_WORKITEM_H
#define SPD_CORE_WORKITEM_H

#include "core/internal.h"
#include "ups/ups.h"

/* ---- workitem.c ---- */
/* Brings the workitem of an item where the item says, by legal steps only. */
enum spd_rc spd_workitem_follow(struct spd_tx *tx, struct spd_work *w);
/* To CANCELED, by way of IN PROGRESS, and stored. */
enum spd_rc spd_workitem_cancel(struct spd_tx *tx, struct spd_workitem *w,
                                const struct spd_workitem *old, const struct spd_work *item,
                                const char *reason);
/* Adds an event: for all that follow the workitem, or for one AE title. */
enum spd_rc spd_workitem_report(struct spd_tx *tx, const struct spd_workitem *w,
                                enum spd_report_kind kind, const struct spd_attribute *v, size_t n,
                                spd_sv only);
/* The SCP was started again: every subscriber is told. */
enum spd_rc spd_workitem_restarted(struct spd_tx *tx);

/* ---- workitem_act.c ---- */
enum spd_rc spd_workitem_in(struct spd_tx *tx, const struct spd_workitem_event *e);
/* Answers a request of UPS with a status; failures change nothing and are not journalled. */
enum spd_rc spd_workitem_answer(struct spd_tx *tx, unsigned status);

/* ---- subscription.c ---- */
enum spd_rc spd_subscription_in(struct spd_tx *tx, const struct spd_workitem_event *e);
/* AE titles that follow the workitem, in the order of their ids. */
enum spd_rc spd_subscribers_of(struct spd_tx *tx, const struct spd_workitem *w, spd_sv **ret,
                               size_t *ret_n);
/* A new workitem: filtered subscriptions that it matches become subscriptions of it. */
enum spd_rc spd_subscriptions_begin(struct spd_tx *tx, const struct spd_workitem *w,
                                    const struct spd_item *item);
/* All subscribers, in the order of their ids. */
enum spd_rc spd_subscribers_all(struct spd_tx *tx, struct spd_subscriber **ret, size_t *ret_n);
/* The destination that takes events for that AE title; NULL: none. */
const struct spd_destination *spd_workitem_destination(const struct spd_tx *tx, spd_sv ae);

#endif
