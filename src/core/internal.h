/* src/core/internal.h: what the use cases share. Private to src/core.
 *
 * A use case works on a spd_tx: the store in the writer's transaction, the event's time, the receipt. It
 * changes items through work entries (loaded once, written once at the end of the event), so that an
 * event which touches an item in several ways decides on it once, with all facts in. */
#ifndef SPD_CORE_INTERNAL_H
#define SPD_CORE_INTERNAL_H

#include "core/core.h"
#include "core/life.h"
#include "report/report.h"

#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum spd_rc try_rc = (call);                                                               \
        if (try_rc) return try_rc;                                                                 \
    } while (0)

struct spd_compiled { /* what a config event makes; swapped at the commit */
    struct spd_arena *arena; /* owns settings */
    struct spd_policy *policy;
    struct spd_models *models;
    struct spd_people *people;
    struct spd_settings settings;
    const struct spd_zone *zone;
    struct spd_compiled *before; /* what was in force before, until the commit */
};

struct spd_core {
    const struct spd_codes *codes;
    const struct spd_templates *templates;
    struct spd_compiled *rules; /* in force for the event in hand */
    bool rules_changed;         /* by the event in hand */
    int64_t next_id[SPD_T_N], kept_id[SPD_T_N]; /* counters, and their values before the event */
    int64_t *dirty;
    size_t n_dirty, cap_dirty;
    struct spd_note *notes;
    size_t n_notes, cap_notes;
    size_t kept_dirty, kept_notes; /* lengths before the event in hand */
    unsigned char secret[32]; /* of page links; zero until the start event */
    struct spd_mark *marks;   /* of the peers in force, in their order; NULL: to be read (feed.c) */
};

enum { /* why an item is decided on again */
    SPD_WHY_ORDER = 1, SPD_WHY_RESULT, SPD_WHY_STUDY, SPD_WHY_PATIENT, SPD_WHY_REPORT, SPD_WHY_TIMER,
    SPD_WHY_PERSON, SPD_WHY_POLICY, SPD_WHY_DELIVERY
};

struct spd_work {
    struct spd_item item, old;
    bool insert;     /* old does not exist yet */
    bool changed;
    bool written;    /* flushed by this event: its workitem follows */
    int decide;      /* a SPD_WHY_…; 0 = do not */
    bool merged;     /* has other numbers by the merge in hand */
    bool moved;      /* the patient is elsewhere now: whom its alerts page is worked out anew */
    struct spd_work *next;
};

struct spd_tx {
    struct spd_core *core;
    struct spd_store *st;
    struct spd_arena *a;
    spd_usec now;
    int64_t seq;      /* journal number this event gets */
    int64_t timer_ix; /* timers made by this event: their ids come from seq and this */
    struct spd_receipt *r;
    struct spd_work *work;
    struct { int64_t *v; size_t n; } items; /* touched, for the receipt */
    int64_t message;  /* id of the inbound message's row; 0 none */
    bool journal;     /* false: an event without effect that need not be kept */
    bool import;      /* no effect outward */
    bool merging;     /* only what the merge in hand changed is shared */
    struct { int64_t *v; size_t n; } given; /* then: item and result of each that was shared */
    const struct spd_workitem_event *ups; /* the request of UPS in hand; NULL none */
    int64_t ups_item; /* the item that it is about; 0 none */
    spd_sv sender;    /* of an unlisted one; "" otherwise */
    struct spd_err *err;
};

/* ---- tx.c ---- */
int64_t spd_tx_id(struct spd_tx *tx, enum spd_table t);
enum spd_rc spd_tx_item(struct spd_tx *tx, int64_t id, struct spd_work **ret);
struct spd_work *spd_tx_new_item(struct spd_tx *tx);
void spd_tx_touch(struct spd_tx *tx, struct spd_work *w, int decide);
enum spd_rc spd_tx_flush_item(struct spd_tx *tx, struct spd_work *w);
enum spd_rc spd_tx_finish(struct spd_tx *tx); /* decide on and write every touched item */
void spd_tx_dirty(struct spd_tx *tx, int64_t item);
void spd_tx_note(struct spd_tx *tx, const char *kind, int64_t id, int64_t item);
enum spd_rc spd_tx_find(struct spd_tx *tx, enum spd_key_kind kind, spd_sv text, int64_t **ret, size_t *ret_n);
enum spd_rc spd_tx_timer_set(struct spd_tx *tx, enum spd_timer_kind kind, int64_t subject, spd_sv aux, spd_usec due);
enum spd_rc spd_tx_timer_clear(struct spd_tx *tx, enum spd_timer_kind kind, int64_t subject, spd_sv aux);
/* Makes the timers of a subject exactly those that are wanted. */
struct spd_wanted { spd_sv aux; spd_usec due; };
enum spd_rc spd_tx_timers_sync(struct spd_tx *tx, enum spd_timer_kind kind, int64_t subject, const struct spd_wanted *want, size_t n);
enum spd_rc spd_tx_alarm(struct spd_tx *tx, const char *kind, spd_sv subject, const char *nl, const char *en);
enum spd_rc spd_tx_alarm_clear(struct spd_tx *tx, const char *kind, spd_sv subject);
enum spd_rc spd_tx_audit(struct spd_tx *tx, spd_sv who, const char *act, int64_t item, int64_t alert, spd_sv detail);
enum spd_rc spd_tx_setting_get(struct spd_tx *tx, const char *name, struct spd_setting *ret);
enum spd_rc spd_tx_setting_put(struct spd_tx *tx, const char *name, spd_sv value);
void spd_tx_say(struct spd_tx *tx, const char *key, const char *nl, const char *en);
enum spd_rc spd_tx_refuse(struct spd_tx *tx, enum spd_rc rc, const char *key, const char *nl, const char *en);
bool spd_list_has_text(const spd_sv *v, size_t n, spd_sv x);
bool spd_list_has_i64(const int64_t *v, size_t n, int64_t x);

/* ---- message.c: the log of inbound messages, and duplicates ---- */
/* Finds an earlier message with the same key and bytes. *ret_dup true: receipt is set, do nothing more. */
enum spd_rc spd_message_begin(struct spd_tx *tx, const struct spd_message_in *m, bool *ret_dup);
/* Writes the message row (id was given out by begin). */
enum spd_rc spd_message_end(struct spd_tx *tx, const struct spd_message_in *m, const char *reason, int64_t parked);

/* ---- use cases ---- */
enum spd_rc spd_order_in(struct spd_tx *tx, const struct spd_order_event *e);
enum spd_rc spd_patient_in(struct spd_tx *tx, const struct spd_patient_event *e);
enum spd_rc spd_appointment_in(struct spd_tx *tx, const struct spd_appointment_event *e);
enum spd_rc spd_merge_act(struct spd_tx *tx, const struct spd_action_event *e);
/* The merges and unlinks of a message. *ret_any: one was new. What cannot be used is parked. */
enum spd_rc spd_merges_in(struct spd_tx *tx, const struct spd_patient_event *e, bool *ret_any, int64_t *ret_parked);
/* One order as spd_order_in takes them, of an event whose message is no order message. */
enum spd_rc spd_order_make(struct spd_tx *tx, const struct spd_order_event *e, const struct spd_order_in *o);
/* An order shares the results of its study with the other orders of it. */
enum spd_rc spd_share_results(struct spd_tx *tx, struct spd_work *w, bool replaces);
/* Takes one result off an item. *ret_other: another item keeps it; 0: it is parked with that reason. */
enum spd_rc spd_result_detach(struct spd_tx *tx, struct spd_work *w, const struct spd_result *old, const char *why,
                              const char *nl, const char *en, int64_t *ret_other);
enum spd_rc spd_report_in(struct spd_tx *tx, const struct spd_report_event *e);
enum spd_rc spd_try_parked_reports(struct spd_tx *tx, struct spd_work *w);
/* A merge was undone: reports that the order had by it alone leave it, and are parked. */
enum spd_rc spd_reports_review(struct spd_tx *tx, struct spd_work *w);
enum spd_rc spd_report_timer(struct spd_tx *tx, int64_t item);
enum spd_rc spd_message_only(struct spd_tx *tx, const struct spd_message_event *e);
enum spd_rc spd_result_in(struct spd_tx *tx, const struct spd_result_event *e);
enum spd_rc spd_study_in(struct spd_tx *tx, const struct spd_study_event *e);
enum spd_rc spd_study_evidence(struct spd_tx *tx, const struct spd_study_event *e, bool again);
/* The study's row, or a new one with that UID and an id of its own (*ret_insert). */
enum spd_rc spd_study_row(struct spd_tx *tx, spd_sv study_uid, struct spd_study *s, struct spd_study *old, bool *ret_insert);
enum spd_rc spd_result_out(struct spd_tx *tx, const struct spd_result_event *e); /* result_out.c: on to archives */
enum spd_rc spd_summary_out(struct spd_tx *tx, const struct spd_result *about); /* summary_out.c */
enum spd_rc spd_step_in(struct spd_tx *tx, const struct spd_step_event *e);
bool spd_study_step_open(const struct spd_study *s); /* a scanner has it in hand */
enum spd_rc spd_item_acquiring(struct spd_tx *tx, struct spd_work *w); /* from the steps of its studies */
enum spd_rc spd_timer_fired(struct spd_tx *tx, const struct spd_timer_event *e);
enum spd_rc spd_claim_rows(struct spd_tx *tx, const struct spd_claim_event *e);
enum spd_rc spd_outcome_in(struct spd_tx *tx, const struct spd_outcome_event *e);
enum spd_rc spd_leases_void(struct spd_tx *tx); /* every row that was being sent is due now */
/* The lease of a claim goes on from now. */
enum spd_rc spd_claim_renew(struct spd_tx *tx, struct spd_work *w);
enum spd_rc spd_action_in(struct spd_tx *tx, const struct spd_action_event *e);
enum spd_rc spd_config_in(struct spd_tx *tx, const struct spd_config_event *e);
enum spd_rc spd_decide_after(struct spd_tx *tx, int64_t after);
enum spd_rc spd_active_documents(struct spd_store *st, struct spd_document **ret, size_t *ret_n, struct spd_arena *a, struct spd_err *err);
enum spd_rc spd_compile(const struct spd_document *docs, size_t n, struct spd_compiled **ret, struct spd_err *err);
void spd_compiled_free(struct spd_compiled *c);

/* ---- import.c ---- */
/* item NULL: not known here. */
enum spd_rc spd_import_judge(struct spd_tx *tx, const struct spd_order_event *e, const struct spd_order_in *o,
                             const struct spd_item *item, struct spd_import_look *ret);
void spd_import_fill_only(const struct spd_item *item, struct spd_order_event *e, struct spd_order_in *o);

/* ---- feed.c ---- */
/* Peers that fall silent, and the comparison with the RIS's open list (domain §9, §11). */
enum spd_rc spd_feed_heard(struct spd_tx *tx, spd_sv peer); /* a message of his came; "" nobody's */
enum spd_rc spd_feed_config(struct spd_tx *tx);             /* peers or expect_every may have changed */
enum spd_rc spd_feed_timer(struct spd_tx *tx, spd_sv peer);
void spd_feed_forget(struct spd_core *core); /* something may have been rolled back */
enum spd_rc spd_reconcile_in(struct spd_tx *tx, const struct spd_reconcile_event *e);

/* ---- identity.c ---- */
/* The numbers of a message and all that they became by merges. */
enum spd_rc spd_patient_numbers(struct spd_tx *tx, const struct spd_patient *p, struct spd_patient *ret);
/* One identifier shared within an authority, directly or through a merge: of two messages, of an order and a
 * message. Two orders are compared by spd_patient_shares_id: their numbers have been followed already. */
enum spd_rc spd_same_patient(struct spd_tx *tx, const struct spd_patient *a, const struct spd_patient *b, bool *ret);
enum spd_rc spd_item_is_of(struct spd_tx *tx, const struct spd_item *item, const struct spd_patient *p, bool *ret);
/* Works out patient from own (see identity.c) as the merges are now. */
enum spd_rc spd_item_identify(struct spd_tx *tx, struct spd_item *item);
/* What a message says of the item's patient: every identifier that either has (a later message may know fewer);
 * what is heard by a merged number is shown, and forgotten when the merge is undone. */
enum spd_rc spd_item_take_patient(struct spd_tx *tx, struct spd_item *item, const struct spd_patient *p);
/* *ret: struct spd_cx, every number that means this patient. */
enum spd_rc spd_patient_class(struct spd_tx *tx, const struct spd_patient *p, struct spd_seq *ret);
/* The order's item by accession, else filler, else placer; NOTFOUND. Unmatched rows never. */
enum spd_rc spd_find_order(struct spd_tx *tx, const struct spd_cx *accession, const struct spd_cx *filler,
                           const struct spd_cx *placer, int64_t *ret_item);
/* Items that a study or accession belongs to and that share a patient identifier. *ret_differs: some matched but
 * for the patient. Unmatched rows never. */
enum spd_rc spd_find_items_of(struct spd_tx *tx, spd_sv study_uid, const struct spd_cx *accession,
                              const struct spd_patient *patient, int64_t **ret, size_t *ret_n, bool *ret_differs);
enum spd_rc spd_link_study(struct spd_tx *tx, struct spd_work *w, spd_sv study_uid);
/* Studies that named the item's accession number and its patient before it came. */
enum spd_rc spd_link_studies(struct spd_tx *tx, struct spd_work *w);

/* ---- results.c ---- */
enum spd_rc spd_results_of_item(struct spd_tx *tx, int64_t item, struct spd_result **ret, size_t *ret_n); /* current ones */
enum spd_rc spd_result_apply(struct spd_tx *tx, struct spd_result *r, const struct spd_result *old, const int64_t *items, size_t n);
enum spd_mode spd_result_mode(struct spd_tx *tx, const struct spd_result *r);
/* A missing authority means the site's. */
void spd_default_authorities(struct spd_tx *tx, struct spd_patient *p, struct spd_cx *accession);
/* ---- companion.c: key images, segmentations, pictures, documents: to the results that they belong to ---- */
enum spd_rc spd_companion_in(struct spd_tx *tx, const struct spd_result_event *e);
enum spd_rc spd_companions_of(struct spd_tx *tx, const struct spd_result *r); /* those that came before it */
bool spd_model_live(struct spd_tx *tx, const struct spd_model *m); /* by its file, or a listed version by a person */
/* ---- parked.c ---- */
/* Something came from nobody that is configured. *ret_full: refused and kept nowhere; the receipt says so. */
enum spd_rc spd_stranger_comes(struct spd_tx *tx, spd_sv sender, bool *ret_full);
enum spd_rc spd_park_result(struct spd_tx *tx, struct spd_result *r, const char *why, const char *nl, const char *en, bool known_peer);
enum spd_rc spd_park_message(struct spd_tx *tx, spd_sv why, spd_sv nl, spd_sv en, const struct spd_patient *p, spd_sv peer, int64_t *ret_id);
enum spd_rc spd_try_parked(struct spd_tx *tx, struct spd_work *w);
enum spd_rc spd_unpark(struct spd_tx *tx, struct spd_parked *p, const int64_t *items, size_t n, spd_sv by, const char *how, spd_sv reason);
bool spd_parked_stops_draft(struct spd_tx *tx, const struct spd_result *r);
enum spd_rc spd_parked_timer(struct spd_tx *tx, int64_t parked);

/* ---- decide.c ---- */
void spd_facts_of(struct spd_core *core, const struct spd_item *item, const struct spd_result *results, size_t n,
                  spd_usec now, struct spd_facts *ret, struct spd_arena *a);
enum spd_rc spd_decide(struct spd_tx *tx, struct spd_work *w, int why);
spd_usec spd_item_start(const struct spd_item *item);
spd_usec spd_result_time(const struct spd_result *r); /* when it was said */
void spd_raise_waiting(struct spd_tx *tx, struct spd_item *item);

/* ---- alert.c ---- */
struct spd_alert_seed { /* alerts that one decision has made or joined */
    struct spd_alert alert, old;
    bool insert, fresh;
    struct spd_alert_seed *next;
};
enum spd_rc spd_alert_ensure(struct spd_tx *tx, struct spd_work *w, const struct spd_hit *hit, const struct spd_result *rs, size_t n,
                             struct spd_alert_seed **seeds);
enum spd_rc spd_alert_known(struct spd_tx *tx, struct spd_work *w, const struct spd_hit *hit, struct spd_alert *ret); /* of this place, an open one first; NOTFOUND */
enum spd_rc spd_alert_flush_seeds(struct spd_tx *tx, struct spd_work *w, struct spd_alert_seed *seeds);
enum spd_rc spd_alert_unmatched(struct spd_tx *tx, struct spd_work *w, const struct spd_parked *p, const struct spd_result *r);
enum spd_rc spd_alert_timer(struct spd_tx *tx, int64_t alert);
enum spd_rc spd_alert_page_stands(struct spd_tx *tx, const struct spd_outbox *row, bool *ret);
enum spd_rc spd_alert_row_stands(struct spd_tx *tx, const struct spd_outbox *row, bool *ret);
enum spd_rc spd_alert_outcome(struct spd_tx *tx, const struct spd_outbox *row, enum spd_outcome outcome, spd_sv detail, bool final);
enum spd_rc spd_alert_act(struct spd_tx *tx, const struct spd_action_event *e);
/* Withdraws open (and tells acknowledged) alerts of the item with that concept and of that study ("" all), tells
 * everyone who was paged. */
enum spd_rc spd_alerts_withdraw(struct spd_tx *tx, int64_t item, spd_sv concept, spd_sv study, const char *nl, const char *en);
/* Withdraws those whose findings no current result supports any more. */
enum spd_rc spd_alerts_review(struct spd_tx *tx, int64_t item, const struct spd_result *results, size_t n);
enum spd_rc spd_alerts_move(struct spd_tx *tx, int64_t from_item, int64_t to_item);
enum spd_rc spd_alerts_move_of(struct spd_tx *tx, int64_t from_item, int64_t to_item, int64_t result); /* those of that result; 0 all */
enum spd_rc spd_alerts_detach(struct spd_tx *tx, int64_t item, const char *nl, const char *en);
/* The alerts of one result that was taken off the item: those that another result there supports stay, those that
 * it made go with it to `other`, else they end. */
enum spd_rc spd_alerts_detach_of(struct spd_tx *tx, struct spd_work *w, int64_t result, int64_t other, const char *nl, const char *en);
/* The item's patient has other numbers now: its alerts get the sequence that goes with them, and join one that
 * stands for it. */
enum spd_rc spd_alerts_rename(struct spd_tx *tx, struct spd_work *w);

/* ---- draft.c ---- */
enum spd_rc spd_draft_consider(struct spd_tx *tx, struct spd_work *w, const struct spd_facts *f, const struct spd_result *results, size_t n, int why);
enum spd_rc spd_draft_act(struct spd_tx *tx, const struct spd_action_event *e);
enum spd_rc spd_draft_outcome(struct spd_tx *tx, const struct spd_outbox *row, bool delivered, bool given_up, spd_sv detail);
enum spd_rc spd_draft_retry(struct spd_tx *tx, const struct spd_outbox *row, bool *ret_may);
enum spd_rc spd_draft_withdraw(struct spd_tx *tx, struct spd_work *w, const char *nl, const char *en);
enum spd_rc spd_draft_detach(struct spd_tx *tx, struct spd_work *w, const char *nl, const char *en);

/* ---- outbox.c ---- */
bool spd_destination_observes(struct spd_tx *tx, spd_sv name); /* by its mode now */
enum spd_rc spd_outbox_add(struct spd_tx *tx, struct spd_outbox *row); /* gives it an id and a control id */
enum spd_rc spd_outbox_cancel(struct spd_tx *tx, int64_t id); /* if it has not left yet */
enum spd_rc spd_outbox_wake(struct spd_tx *tx, const struct spd_outbox *done); /* others of its group are due now */
const struct spd_destination *spd_destination_of(const struct spd_tx *tx, spd_sv name); /* NULL: not configured */
enum spd_rc spd_queue_pause(struct spd_tx *tx, spd_sv destination, bool pause);
/* The application's own answer to a row, as a message of that peer. *ret_used: there was such a row. */
enum spd_rc spd_ack_in(struct spd_tx *tx, spd_sv peer, spd_sv control_id, enum spd_answer ack, bool *ret_used);
/* ---- queue_act.c ---- */
enum spd_rc spd_queue_act(struct spd_tx *tx, const struct spd_action_event *e);
/* ---- priority_out.c ---- */
enum spd_rc spd_priority_out(struct spd_tx *tx, struct spd_work *w);
/* What an inbound priority means for what we sent: echo (true) or the RIS's own new value. */
bool spd_priority_heard(struct spd_tx *tx, struct spd_item *item, const struct spd_order_in *o);
const struct spd_peer_fact *spd_peer_fact(const struct spd_tx *tx, spd_sv name);
bool spd_peer_has_role(const struct spd_tx *tx, spd_sv name, const char *role);

#endif
