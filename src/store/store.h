/* src/store/store.h: what the core needs to keep, and nothing of how.
 *
 * A back end implements eight generic verbs over described objects (model/desc.h); the typed verbs
 * below are what callers use. Every object has its id as first member (I64). Objects are found
 *   - by id,
 *   - by key: (key kind, text) -> ids in ascending order; the keys of an object are worked out from
 *     its own fields by the one function spd_store_keys, so all back ends agree,
 *   - by due: timer rows, and the outbox rows of one destination, in order of (due, id).
 * Reads see the transaction's own writes. Nothing is cached beyond a rollback.
 *
 * Threads: one writer opens with SPD_STORE_WRITE and is the only one to begin; any number of readers
 * (SPD_STORE_READ), one thread each. Errors: NOTFOUND from get is an expected answer; SPD_IO means the
 * store cannot commit: the caller rolls back and acknowledges nothing. A failed fsync exits the process
 * (reliability §4.9). */
#ifndef SPD_STORE_STORE_H
#define SPD_STORE_STORE_H

#include "base/str.h"
#include "model/model.h"

enum spd_table {
    SPD_T_ITEM = 0, SPD_T_STUDY, SPD_T_RESULT, SPD_T_PARKED, SPD_T_DECISION, SPD_T_ALERT, SPD_T_PAGE,
    SPD_T_DRAFT, SPD_T_VERDICT, SPD_T_DISCREPANCY, SPD_T_MESSAGE, SPD_T_OUTBOX, SPD_T_TIMER,
    SPD_T_ALARM, SPD_T_MODEL_VERSION, SPD_T_USER, SPD_T_SETTING, SPD_T_DOCUMENT, SPD_T_AUDIT,
    SPD_T_JOURNAL,
    SPD_T_COMPANION,
    SPD_T_MERGE,
    SPD_T_WORKITEM, SPD_T_WORKITEM_REPORT, SPD_T_SUBSCRIBER, SPD_T_SUBSCRIPTION,
    SPD_T_N
};
/* The description of a table's rows; the SQL table of SPD_T_PAGE is "alert_attempt". */
const struct spd_desc *spd_table_desc(enum spd_table table);
const char *spd_table_name(enum spd_table table);

enum spd_key_kind { /* append-only: the numbers are in the database */
    SPD_KEY_ITEM_ACCESSION = 1, /* value|authority */
    SPD_KEY_ITEM_FILLER,        /* value|authority */
    SPD_KEY_ITEM_PLACER,        /* value|authority */
    SPD_KEY_ITEM_STUDY,         /* study uid */
    SPD_KEY_ITEM_PATIENT,       /* value|authority, one per id, own ones too */
    SPD_KEY_ITEM_OPEN,          /* "1" while spd_item_open */
    SPD_KEY_STUDY_UID,
    SPD_KEY_RESULT_SOP,         /* sop instance uid */
    SPD_KEY_RESULT_STUDY,
    SPD_KEY_RESULT_ITEM,        /* item id in decimal, one per item */
    SPD_KEY_PARKED_OPEN,        /* "1" while not closed */
    SPD_KEY_PARKED_STUDY,       /* study uid, while not closed */
    SPD_KEY_PARKED_ACCESSION,   /* value|authority, while not closed */
    SPD_KEY_PARKED_PATIENT,     /* value|authority, one per id, while not closed */
    SPD_KEY_PARKED_ITEM,        /* item id, while not closed */
    SPD_KEY_DECISION_ITEM,
    SPD_KEY_ALERT_ITEM,
    SPD_KEY_ALERT_SEQUENCE,
    SPD_KEY_ALERT_OPEN,         /* "1" while spd_alert_open */
    SPD_KEY_PAGE_ALERT,
    SPD_KEY_PAGE_TOKEN,         /* token hash */
    SPD_KEY_PAGE_ID,            /* page_id text */
    SPD_KEY_VERDICT_ITEM,
    SPD_KEY_DISCREPANCY_ITEM,
    SPD_KEY_MESSAGE_IN,         /* peer|sender|control_id of inbound ones with a control id */
    SPD_KEY_MESSAGE_ITEM,       /* item id, one per item */
    SPD_KEY_OUTBOX_GROUP,       /* group_key while queued or sending */
    SPD_KEY_OUTBOX_ITEM,
    SPD_KEY_OUTBOX_STATE,       /* state name while queued, sending or dead */
    SPD_KEY_TIMER_SUBJECT,      /* kind number|subject */
    SPD_KEY_ALARM_OPEN,         /* kind|subject while until == 0 */
    SPD_KEY_ALARM_ANY_OPEN,     /* "1" while until == 0 */
    SPD_KEY_MODEL_VERSION,      /* model|version */
    SPD_KEY_USER_NAME,
    SPD_KEY_USER_TOKEN,         /* token hash, one per token */
    SPD_KEY_SETTING_NAME,
    SPD_KEY_DOCUMENT,           /* kind|hash */
    SPD_KEY_DOCUMENT_ACTIVE,    /* kind while active */
    SPD_KEY_AUDIT_ITEM,
    SPD_KEY_ALERT_PATIENT,      /* patient_key */
    SPD_KEY_COMPANION_SOP,      /* sop instance uid */
    SPD_KEY_COMPANION_STUDY,
    SPD_KEY_COMPANION_RESULT,   /* result id in decimal, one per result */
    SPD_KEY_MERGE_FROM,         /* value|authority, undone ones too */
    SPD_KEY_MERGE_TO,           /* value|authority, undone ones too */
    SPD_KEY_STUDY_ACCESSION,    /* value|authority */
    SPD_KEY_OUTBOX_CONTROL,     /* control_id of a row that was sent and waits for its answer */
    SPD_KEY_STUDY_STEP,         /* SOP Instance UID of an MPPS, one per step */
    SPD_KEY_RESULT_POSITIVE,    /* item id, one per item, while positive and not superseded */
    SPD_KEY_PARKED_UNLISTED,    /* "*" and "*|sender" of what an unlisted one sent, while not closed */
    SPD_KEY_WORKITEM_UID,
    SPD_KEY_REPORT_RECEIVER,    /* AE title of a workitem_report, one per receiver */
    SPD_KEY_SUBSCRIBER_AE,
    SPD_KEY_SUBSCRIBER_GLOBAL,  /* "1" while it has ranges or filters */
    SPD_KEY_SUBSCRIPTION,       /* subscriber id|workitem id */
    SPD_KEY_SUBSCRIPTION_OF,    /* subscriber id, while its state is set */
    SPD_KEY_SUBSCRIPTION_WORKITEM, /* workitem id, while it is subscribed */
    SPD_KEY_RESULT_OUTPUT,      /* sop instance uid of an output, of the first 64 */
    SPD_KEY_N
};

struct spd_key {
    enum spd_key_kind kind;
    spd_sv text;
};
/* The keys of an object, in arena (texts may borrow from the object), in a fixed order, without duplicates. */
size_t spd_store_keys(enum spd_table table, const void *object, struct spd_key **ret_keys,
                      struct spd_arena *arena);
/* Key texts. In arena. */
spd_sv spd_key_cx(struct spd_arena *arena, const struct spd_cx *cx); /* "value|authority"; '|' in a value is kept: authority is after the last one */
spd_sv spd_key_i64(struct spd_arena *arena, int64_t v);
spd_sv spd_key_join(struct spd_arena *arena, spd_sv a, spd_sv b);    /* "a|b" */

struct spd_store; /* an open back end */
typedef bool (*spd_store_each)(void *ctx, const void *object); /* object is in the arena; false stops */

struct spd_store_ops { /* all required */
    const char *name; /* "sqlite", "memory" */
    /* url is what stands behind "name:". mode: see enum below. */
    enum spd_rc (*open)(const char *url, int mode, void **ret_self, struct spd_err *err);
    void (*close)(void *self);
    enum spd_rc (*begin)(void *self, struct spd_err *err);
    enum spd_rc (*commit)(void *self, struct spd_err *err);
    void (*rollback)(void *self);
    enum spd_rc (*savepoint)(void *self, struct spd_err *err);      /* one level */
    enum spd_rc (*release)(void *self, struct spd_err *err);
    void (*rollback_to)(void *self);                                /* and releases it */
    /* old: the object as it is stored now (from get), NULL = insert. EXISTS; NOTFOUND when old is not there.
     * After SPD_IO or SPD_AGAIN from a write the whole transaction is spoilt: roll back. */
    enum spd_rc (*put)(void *self, enum spd_table t, const void *object, const void *old, struct spd_err *err);
    enum spd_rc (*del)(void *self, enum spd_table t, const void *old, struct spd_err *err);
    /* Texts and lists of *ret stand in the arena, or in the store until the next begin (the in-memory store
     * hands out its own block, also of what is replaced or deleted meanwhile). Never write through them. */
    enum spd_rc (*get)(void *self, enum spd_table t, int64_t id, void *ret, struct spd_arena *arena,
                       struct spd_err *err);
    /* ids with that key, ascending, id > after, at most max. */
    enum spd_rc (*find)(void *self, enum spd_key_kind kind, spd_sv text, int64_t after, int64_t *ret_ids,
                        size_t max, size_t *ret_n, struct spd_err *err);
    /* Rows of timer (part ""), or of outbox for the destination part (state queued or sending), with the
     * smallest (due, id); due <= until; (due,id) > (after_due, after_id). Costs what that part has, whatever
     * waits for others. */
    enum spd_rc (*due)(void *self, enum spd_table t, spd_sv part, spd_usec until, spd_usec after_due,
                       int64_t after_id, int64_t *ret_ids, spd_usec *ret_dues, size_t max, size_t *ret_n,
                       struct spd_err *err);
    /* rows in id order, id > after; descending: id < after, and after <= 0 starts at the newest; at most max */
    enum spd_rc (*scan)(void *self, enum spd_table t, int64_t after, bool descending, int64_t *ret_ids,
                        size_t max, size_t *ret_n, struct spd_err *err);
    enum spd_rc (*max_id)(void *self, enum spd_table t, int64_t *ret, struct spd_err *err);
};
enum { SPD_STORE_READ = 0, SPD_STORE_WRITE = 1, SPD_STORE_CREATE = 2 /* with WRITE */ };

extern const struct spd_store_ops spd_store_sqlite, spd_store_memory;

/* url: "sqlite:/path" or "memory:". Owned; spd_store_close. STALE: the database is newer than the
 * program, or (READ) needs migration. */
enum spd_rc spd_store_open(const char *url, int mode, struct spd_store **ret, struct spd_err *err);
void spd_store_close(struct spd_store *store); /* NULL is a no-op */
const char *spd_store_name(const struct spd_store *store);
enum spd_rc spd_store_begin(struct spd_store *store, struct spd_err *err);
enum spd_rc spd_store_commit(struct spd_store *store, struct spd_err *err);
void spd_store_rollback(struct spd_store *store);
enum spd_rc spd_store_savepoint(struct spd_store *store, struct spd_err *err);
enum spd_rc spd_store_release(struct spd_store *store, struct spd_err *err);
void spd_store_rollback_to(struct spd_store *store);

/* The generic verbs, type-checked by the macros below. */
enum spd_rc spd_store_put(struct spd_store *s, enum spd_table t, const void *object, const void *old, struct spd_err *err);
enum spd_rc spd_store_del(struct spd_store *s, enum spd_table t, const void *old, struct spd_err *err);
enum spd_rc spd_store_get(struct spd_store *s, enum spd_table t, int64_t id, void *ret, struct spd_arena *arena, struct spd_err *err);
enum spd_rc spd_store_find(struct spd_store *s, enum spd_key_kind kind, spd_sv text, int64_t after, int64_t *ret_ids, size_t max, size_t *ret_n, struct spd_err *err);
/* All ids, in arena. LIMIT beyond 100,000. */
enum spd_rc spd_store_find_all(struct spd_store *s, enum spd_key_kind kind, spd_sv text, int64_t **ret_ids, size_t *ret_n, struct spd_arena *arena, struct spd_err *err);
/* The first id; NOTFOUND. */
enum spd_rc spd_store_find_one(struct spd_store *s, enum spd_key_kind kind, spd_sv text, int64_t *ret_id, struct spd_err *err);
enum spd_rc spd_store_due(struct spd_store *s, enum spd_table t, spd_sv part, spd_usec until, spd_usec after_due, int64_t after_id, int64_t *ret_ids, spd_usec *ret_dues, size_t max, size_t *ret_n, struct spd_err *err);
enum spd_rc spd_store_scan(struct spd_store *s, enum spd_table t, int64_t after, bool descending, int64_t *ret_ids, size_t max, size_t *ret_n, struct spd_err *err);
enum spd_rc spd_store_max_id(struct spd_store *s, enum spd_table t, int64_t *ret, struct spd_err *err);

#define SPD_STORE_VERBS(type, TABLE)                                                               \
    static inline enum spd_rc spd_get_##type(struct spd_store *s, int64_t id, struct spd_##type *ret, \
                                             struct spd_arena *a, struct spd_err *e)               \
    {                                                                                              \
        return spd_store_get(s, TABLE, id, ret, a, e);                                             \
    }                                                                                              \
    static inline enum spd_rc spd_put_##type(struct spd_store *s, const struct spd_##type *o,      \
                                             const struct spd_##type *old, struct spd_err *e)      \
    {                                                                                              \
        return spd_store_put(s, TABLE, o, old, e);                                                 \
    }                                                                                              \
    static inline enum spd_rc spd_del_##type(struct spd_store *s, const struct spd_##type *old,    \
                                             struct spd_err *e)                                    \
    {                                                                                              \
        return spd_store_del(s, TABLE, old, e);                                                    \
    }
SPD_STORE_VERBS(item, SPD_T_ITEM)
SPD_STORE_VERBS(study, SPD_T_STUDY)
SPD_STORE_VERBS(result, SPD_T_RESULT)
SPD_STORE_VERBS(parked, SPD_T_PARKED)
SPD_STORE_VERBS(decision, SPD_T_DECISION)
SPD_STORE_VERBS(alert, SPD_T_ALERT)
SPD_STORE_VERBS(page, SPD_T_PAGE)
SPD_STORE_VERBS(draft, SPD_T_DRAFT)
SPD_STORE_VERBS(verdict, SPD_T_VERDICT)
SPD_STORE_VERBS(discrepancy, SPD_T_DISCREPANCY)
SPD_STORE_VERBS(message, SPD_T_MESSAGE)
SPD_STORE_VERBS(outbox, SPD_T_OUTBOX)
SPD_STORE_VERBS(timer, SPD_T_TIMER)
SPD_STORE_VERBS(alarm, SPD_T_ALARM)
SPD_STORE_VERBS(model_version, SPD_T_MODEL_VERSION)
SPD_STORE_VERBS(user, SPD_T_USER)
SPD_STORE_VERBS(setting, SPD_T_SETTING)
SPD_STORE_VERBS(document, SPD_T_DOCUMENT)
SPD_STORE_VERBS(audit, SPD_T_AUDIT)
SPD_STORE_VERBS(journal, SPD_T_JOURNAL)
SPD_STORE_VERBS(companion, SPD_T_COMPANION)
SPD_STORE_VERBS(merge, SPD_T_MERGE)
SPD_STORE_VERBS(workitem, SPD_T_WORKITEM)
SPD_STORE_VERBS(workitem_report, SPD_T_WORKITEM_REPORT)
SPD_STORE_VERBS(subscriber, SPD_T_SUBSCRIBER)
SPD_STORE_VERBS(subscription, SPD_T_SUBSCRIPTION)

#endif
