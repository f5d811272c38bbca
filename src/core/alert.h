/* src/core/alert.h: what page.c, alert.c and alert_act.c share. Private to src/core. */
#ifndef SPD_CORE_ALERT_H
#define SPD_CORE_ALERT_H

#include "core/internal.h"
#include "queue/alert_state.h"

struct spd_paging { /* what one sending says */
    const struct spd_alert *al;
    spd_sv text, team;
    int64_t step;
    enum spd_page_kind kind;
};

/* page.c */
spd_sv spd_concept_name(struct spd_tx *tx, spd_sv concept, bool dutch);
spd_sv spd_alert_text(struct spd_tx *tx, const struct spd_alert *al, const struct spd_item *item,
                      bool dutch);
spd_sv spd_alert_site_text(const struct spd_tx *tx, const struct spd_alert *al);
bool spd_item_is_read(const struct spd_item *item);
/* One person by all of their ways; *ret_ways: how many exist. */
enum spd_rc spd_page_person(struct spd_tx *tx, const struct spd_paging *p, spd_sv person_id,
                            size_t *ret_ways);
/* A team's first reachable member after `skip` of them, or everybody; *ret_reached: how many. */
enum spd_rc spd_page_team(struct spd_tx *tx, const struct spd_paging *p, bool all, size_t skip,
                          size_t *ret_reached);
enum spd_rc spd_page_step(struct spd_tx *tx, struct spd_alert *al, const struct spd_item *item,
                          size_t step, bool whole_team);

/* alert_out.c: what other systems are told of the change from old (NULL: new); once per change. */
enum spd_rc spd_alert_tell(struct spd_tx *tx, const struct spd_alert *al,
                           const struct spd_alert *old);

/* alert.c */
/* Moves the state by its table; false: illegal here, nothing changed. */
bool spd_alert_set(struct spd_alert *al, enum spd_alert_input in);
enum spd_rc spd_alert_save(struct spd_tx *tx, const struct spd_alert *al,
                           const struct spd_alert *old);
/* Pages what is due and says when the next step is. The caller saves. */
enum spd_rc spd_alert_advance(struct spd_tx *tx, struct spd_alert *al);
/* No further page: timer, alarm and rows that have not left are taken back. The caller saves. */
enum spd_rc spd_alert_stop(struct spd_tx *tx, struct spd_alert *al);

#endif
