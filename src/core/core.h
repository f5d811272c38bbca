/* src/core/core.h: the use cases: order in, result in, decide, acknowledge, accept, sweep.
 *
 * One function, spd_core_apply, takes (store in a transaction, event) and makes every change the event
 * asks for: rows, decisions, outbox rows, timers, and the journal row itself. It never begins, commits,
 * parses a message or blocks, and asks no clock: event->at is now. The same journal applied to an empty
 * store gives the same rows byte for byte.
 *
 * Threads: the writer thread alone. Readers use spd_view through spd_core_view on their own read store
 * only in the writer's thread too (models and policy are the core's); other threads read the published
 * list (list/list.h). */
#ifndef SPD_CORE_CORE_H
#define SPD_CORE_CORE_H

#include "result/codes.h"
#include "rules/rules.h"
#include "store/store.h"

struct spd_core;

enum spd_outcome_of_event {
    SPD_DID_APPLY = 1,   /* it had its effect */
    SPD_DID_DUPLICATE,   /* seen before: the first one's answer, no second effect */
    SPD_DID_STALE,       /* older than what is known: logged, changed nothing */
    SPD_DID_PARK,        /* kept for a person */
    SPD_DID_IGNORE,      /* not for us: counted */
    SPD_DID_REFUSE       /* an action that is not allowed now: rc and text say why */
};
extern const char *const spd_did_names[];

struct spd_receipt { /* in the batch's arena: copy what must outlive the completion */
    enum spd_rc rc;             /* OK, or of a refused action: DENIED 403, NOTFOUND 404, EXISTS 409,
                                 * STALE 412, INVALID 422, UNKNOWN 428 */
    enum spd_outcome_of_event did;
    enum spd_answer answer;     /* for a message: what to answer; UNSET otherwise */
    spd_sv reason, reason_nl, reason_en; /* key and sentences; "" when there is nothing to say */
    int64_t id;                 /* result, parked, alert, draft version ... of the use case; 0 none */
    int64_t message;            /* message id */
    int64_t revision;           /* journal number */
    const int64_t *items;       /* items touched */
    size_t n_items;
    const struct spd_outbox *claimed; /* EVENT_CLAIM: the rows */
    size_t n_claimed;
    spd_sv holder;              /* EXISTS on claim: who has it */
    unsigned ups;               /* EVENT_WORKITEM: status of DICOM (ups/ups.h); 0 done */
    int says;                   /* of an import: an enum spd_import_says, the weightiest of its orders */
};

struct spd_templates;
/* codes and templates (NULL: the compiled-in set) are borrowed for the core's life. */
struct spd_core *spd_core_new(const struct spd_codes *codes, const struct spd_templates *templates);
void spd_core_free(struct spd_core *core);
/* Compiles the active policy, models, people and settings that the store holds (start-up). NOTFOUND:
 * none yet, a config event must come first. */
enum spd_rc spd_core_open(struct spd_core *core, struct spd_store *store, struct spd_err *err);

/* One event inside the writer's savepoint. SPD_OK: *ret is set (also for refused actions). Any other rc:
 * the caller rolls back to the savepoint and calls spd_core_undo. */
enum spd_rc spd_core_apply(struct spd_core *core, struct spd_store *store, const struct spd_event *event,
                           struct spd_arena *arena, struct spd_receipt *ret, struct spd_err *err);
void spd_core_undo(struct spd_core *core);      /* the event's savepoint was rolled back */
void spd_core_committed(struct spd_core *core); /* the batch was committed */
void spd_core_rolled_back(struct spd_core *core, struct spd_store *store); /* the whole batch was lost: reread */

/* Next moment at which a timer is due (0: none), and the ids that are due by now. */
enum spd_rc spd_core_next_timer(struct spd_store *store, spd_usec *ret_due, int64_t *ret_id, struct spd_err *err);

/* Is that destination paused by a person? Its rows wait. Any thread, on its own read store. */
enum spd_rc spd_queue_paused(struct spd_store *store, spd_sv destination, struct spd_arena *arena,
                             bool *ret, struct spd_err *err);

/* Items changed since the last call, in id order, each once. Borrowed until the next apply. */
size_t spd_core_take_dirty(struct spd_core *core, const int64_t **ret_ids);
/* Things for the stream: alerts and alarms changed since the last call. */
struct spd_note { const char *kind; /* "alert", "alarm", "health" */ int64_t id; int64_t item; };
size_t spd_core_take_notes(struct spd_core *core, const struct spd_note **ret);

/* ---- the composite that readers see ---------------------------------------------------------- */
struct spd_view_ai {
    spd_sv model, version, name, link, display;
    enum spd_mode mode;
    enum spd_ai_state state;
    const struct spd_finding *findings;
    size_t n_findings;
    spd_usec expected_at, at;
    bool required;
    const spd_sv *notes;
    size_t n_notes;
};
struct spd_view {
    struct spd_item item;
    enum spd_status status;
    spd_sv level_name;
    const struct spd_view_ai *ai;
    size_t n_ai;
    const int64_t *linked;       /* other items of the same study */
    size_t n_linked;
    struct spd_alert alert;      /* the most urgent open one, else the newest; id 0: none */
    struct spd_draft draft;      /* id 0: none offered */
    spd_usec viewed_at;          /* time of the event it was made at */
    spd_usec exam_at;
    spd_sv modality_aet;
    bool on_modality_list;       /* a step not yet acquired */
    struct spd_workitem workitem; /* the current one; id 0: none yet */
};
enum spd_rc spd_core_view(struct spd_core *core, struct spd_store *store, int64_t item, spd_usec now,
                          struct spd_view *ret, struct spd_arena *arena, struct spd_err *err);

/* What the rest of the brain may know of the active rules. Writer thread only. */
const struct spd_policy *spd_core_policy(const struct spd_core *core); /* NULL before a config event */
const struct spd_models *spd_core_models(const struct spd_core *core);
const struct spd_people *spd_core_people(const struct spd_core *core);
const struct spd_settings *spd_core_settings(const struct spd_core *core);

/* ---- an order from a list, against what is known here (domain §11) ----------------------------- */
enum spd_import_says {
    SPD_IMPORT_NEW = 1, /* not known here */
    SPD_IMPORT_CHANGED, /* known; the list knows more, or something newer */
    SPD_IMPORT_SAME,
    SPD_IMPORT_OLDER,   /* what is known here is newer */
    SPD_IMPORT_CLOSED,  /* final or cancelled there, and not known here: nothing to do */
    SPD_IMPORT_REFUSED  /* the same number of another patient: a person must look */
};
extern const char *const spd_import_says_names[];
enum { SPD_DIFFERENCES_MAX = 24 };
struct spd_difference {
    const char *field;
    spd_sv here, there; /* of a patient's data only "*": that they differ */
    bool fills;         /* empty here */
    bool applies;       /* an import may change it */
};
struct spd_import_look {
    enum spd_import_says says;
    int64_t item;       /* 0: not known here */
    bool open;
    spd_sv peer;
    spd_usec extra_since;
    struct spd_difference differences[SPD_DIFFERENCES_MAX];
    size_t n;
};
/* What an import of this order would do, changing nothing. Texts in arena or the store. Any thread with
 * a store of its own. */
enum spd_rc spd_import_look(struct spd_store *store, const struct spd_order_event *e, const struct spd_order_in *o,
                            struct spd_import_look *ret, struct spd_arena *arena, struct spd_err *err);
/* Where they differ, at most SPD_DIFFERENCES_MAX; returns how many. */
size_t spd_order_compare(const struct spd_item *item, const struct spd_order_event *e, const struct spd_order_in *o,
                         struct spd_difference *ret, struct spd_arena *arena);

/* ---- does the list hold everything? (domain §11) ---------------------------------------------- */
struct spd_feed { /* what is known of one configured peer */
    spd_sv peer;
    bool orders;             /* it has the role */
    spd_usec expect_every;   /* 0: nothing is expected */
    spd_usec heard;          /* its last message, or up to a sixteenth of expect_every before; 0 not watched */
    bool silent;             /* the alarm feed-silent stands */
    spd_usec reconciled;     /* last comparison with its open list; 0 never */
    int64_t missing, extra, different; /* what that one found; missing: and did not add */
};
/* All peers, in arena; texts live until the next config event. Writer thread only. */
enum spd_rc spd_core_feeds(const struct spd_core *core, struct spd_store *store, struct spd_feed **ret,
                           size_t *ret_n, struct spd_arena *arena, struct spd_err *err);
/* Every peer that sends orders was compared with and lacks nothing, and no expected one is silent. */
bool spd_feeds_complete(const struct spd_feed *feeds, size_t n);

/* Encodes an event for the journal and back ("version byte, type, payload"). */
void spd_event_encode(const struct spd_event *event, struct spd_str *out);
enum spd_rc spd_event_decode(spd_sv bytes, struct spd_event *ret, struct spd_arena *arena, struct spd_err *err);

#endif
