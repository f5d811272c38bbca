/* src/store/store.c: what every back end shares: the table list, the choice of a back end by URL,
 * the verbs' common checks, and the finds that are made of finds. Not here: the keys (keys.c).
 * Threads: as store.h; no shared state. */
#include "store/sqlite.h"

enum { FIND_CHUNK = 256, FIND_ALL_MAX = 100000 };

struct spd_store {
    const struct spd_store_ops *ops;
    void *self;
};

static const struct {
    const char *name;
    const struct spd_desc *desc;
} tables[SPD_T_N] = {
    [SPD_T_ITEM] = {"item", &spd_item_desc},
    [SPD_T_STUDY] = {"study", &spd_study_desc},
    [SPD_T_RESULT] = {"result", &spd_result_desc},
    [SPD_T_PARKED] = {"parked", &spd_parked_desc},
    [SPD_T_DECISION] = {"decision", &spd_decision_desc},
    [SPD_T_ALERT] = {"alert", &spd_alert_desc},
    [SPD_T_PAGE] = {"alert_attempt", &spd_page_desc},
    [SPD_T_DRAFT] = {"draft", &spd_draft_desc},
    [SPD_T_VERDICT] = {"verdict", &spd_verdict_desc},
    [SPD_T_DISCREPANCY] = {"discrepancy", &spd_discrepancy_desc},
    [SPD_T_MESSAGE] = {"message", &spd_message_desc},
    [SPD_T_OUTBOX] = {"outbox", &spd_outbox_desc},
    [SPD_T_TIMER] = {"timer", &spd_timer_desc},
    [SPD_T_ALARM] = {"alarm", &spd_alarm_desc},
    [SPD_T_MODEL_VERSION] = {"model_version", &spd_model_version_desc},
    [SPD_T_USER] = {"user", &spd_user_desc},
    [SPD_T_SETTING] = {"setting", &spd_setting_desc},
    [SPD_T_DOCUMENT] = {"document", &spd_document_desc},
    [SPD_T_AUDIT] = {"audit", &spd_audit_desc},
    [SPD_T_JOURNAL] = {"journal", &spd_journal_desc},
    [SPD_T_COMPANION] = {"companion", &spd_companion_desc},
    [SPD_T_MERGE] = {"merge", &spd_merge_desc},
    [SPD_T_WORKITEM] = {"workitem", &spd_workitem_desc},
    [SPD_T_WORKITEM_REPORT] = {"workitem_report", &spd_workitem_report_desc},
    [SPD_T_SUBSCRIBER] = {"subscriber", &spd_subscriber_desc},
    [SPD_T_SUBSCRIPTION] = {"subscription", &spd_subscription_desc},
};

const struct spd_desc *spd_table_desc(enum spd_table table)
{
    return (unsigned)table < SPD_T_N ? tables[table].desc : NULL;
}

const char *spd_table_name(enum spd_table table)
{
    return (unsigned)table < SPD_T_N ? tables[table].name : "";
}

enum spd_rc spd_store_open(const char *url, int mode, struct spd_store **ret, struct spd_err *err)
{
    static const struct spd_store_ops *const backends[] = {&spd_store_sqlite, &spd_store_memory};
    spd_sv text = spd_sv_from(url);
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        spd_sv name = spd_sv_from(backends[i]->name);
        void *self = NULL;
        enum spd_rc rc;
        if (!spd_sv_starts(text, name) || text.len <= name.len || text.ptr[name.len] != ':')
            continue;
        if ((rc = backends[i]->open(url + name.len + 1, mode, &self, err))) return rc;
        *ret = spd_must_malloc(sizeof **ret);
        **ret = (struct spd_store){backends[i], self};
        return SPD_OK;
    }
    return spd_fail(err, SPD_INVALID, "store.url",
                    "the URL begins with neither sqlite: nor memory:");
}

void spd_store_close(struct spd_store *store)
{
    if (!store) return;
    store->ops->close(store->self);
    spd_free(store);
}

const char *spd_store_name(const struct spd_store *store)
{
    return store->ops->name;
}

void *spd_store_self(struct spd_store *store, const struct spd_store_ops *ops)
{
    return store->ops == ops ? store->self : NULL;
}

enum spd_rc spd_store_begin(struct spd_store *s, struct spd_err *err)
{
    return s->ops->begin(s->self, err);
}

enum spd_rc spd_store_commit(struct spd_store *s, struct spd_err *err)
{
    return s->ops->commit(s->self, err);
}

void spd_store_rollback(struct spd_store *s)
{
    s->ops->rollback(s->self);
}

enum spd_rc spd_store_savepoint(struct spd_store *s, struct spd_err *err)
{
    return s->ops->savepoint(s->self, err);
}

enum spd_rc spd_store_release(struct spd_store *s, struct spd_err *err)
{
    return s->ops->release(s->self, err);
}

void spd_store_rollback_to(struct spd_store *s)
{
    s->ops->rollback_to(s->self);
}

enum spd_rc spd_store_put(struct spd_store *s, enum spd_table t, const void *object,
                          const void *old, struct spd_err *err)
{
    int64_t id = *(const int64_t *)object;
    if (id <= 0) return spd_fail(err, SPD_BUG, spd_table_name(t), "put: the id is not above 0");
    if (old && *(const int64_t *)old != id)
        return spd_fail(err, SPD_BUG, spd_table_name(t), "put: an object cannot change its id");
    return s->ops->put(s->self, t, object, old, err);
}

enum spd_rc spd_store_del(struct spd_store *s, enum spd_table t, const void *old,
                          struct spd_err *err)
{
    return s->ops->del(s->self, t, old, err);
}

enum spd_rc spd_store_get(struct spd_store *s, enum spd_table t, int64_t id, void *ret,
                          struct spd_arena *arena, struct spd_err *err)
{
    return s->ops->get(s->self, t, id, ret, arena, err);
}

enum spd_rc spd_store_find(struct spd_store *s, enum spd_key_kind kind, spd_sv text, int64_t after,
                           int64_t *ret_ids, size_t max, size_t *ret_n, struct spd_err *err)
{
    return s->ops->find(s->self, kind, text, after, ret_ids, max, ret_n, err);
}

enum spd_rc spd_store_find_all(struct spd_store *s, enum spd_key_kind kind, spd_sv text,
                               int64_t **ret_ids, size_t *ret_n, struct spd_arena *arena,
                               struct spd_err *err)
{
    int64_t chunk[FIND_CHUNK], *ids = NULL, after = 0;
    size_t n = 0, cap = 0, got = 0;
    do {
        enum spd_rc rc = s->ops->find(s->self, kind, text, after, chunk, FIND_CHUNK, &got, err);
        if (rc) return rc;
        if (!got) break;
        if (n + got > FIND_ALL_MAX)
            return spd_fail(err, SPD_LIMIT, "find_all", "more than %d rows have this key",
                            FIND_ALL_MAX);
        if (n + got > cap) {
            size_t more = got < FIND_CHUNK && !n ? got : (n + got) * 2;
            int64_t *v = SPD_NEW_N(arena, int64_t, more);
            if (n) memcpy(v, ids, n * sizeof *ids);
            ids = v, cap = more;
        }
        memcpy(ids + n, chunk, got * sizeof *ids);
        n += got;
        after = chunk[got - 1];
    } while (got == FIND_CHUNK);
    *ret_ids = ids;
    *ret_n = n;
    return SPD_OK;
}

enum spd_rc spd_store_find_one(struct spd_store *s, enum spd_key_kind kind, spd_sv text,
                               int64_t *ret_id, struct spd_err *err)
{
    size_t n = 0;
    enum spd_rc rc = s->ops->find(s->self, kind, text, 0, ret_id, 1, &n, err);
    if (rc) return rc;
    return n ? SPD_OK : SPD_NOTFOUND;
}

enum spd_rc spd_store_due(struct spd_store *s, enum spd_table t, spd_sv part, spd_usec until,
                          spd_usec after_due, int64_t after_id, int64_t *ret_ids, spd_usec *ret_dues, size_t max,
                          size_t *ret_n, struct spd_err *err)
{
    if (t != SPD_T_TIMER && t != SPD_T_OUTBOX)
        return spd_fail(err, SPD_BUG, spd_table_name(t), "due: this table has no due rows");
    return s->ops->due(s->self, t, part, until, after_due, after_id, ret_ids, ret_dues, max, ret_n,
                       err);
}

enum spd_rc spd_store_scan(struct spd_store *s, enum spd_table t, int64_t after, bool descending,
                           int64_t *ret_ids, size_t max, size_t *ret_n, struct spd_err *err)
{
    if (descending && after <= 0) after = INT64_MAX; /* from the newest */
    return s->ops->scan(s->self, t, after, descending, ret_ids, max, ret_n, err);
}

enum spd_rc spd_store_max_id(struct spd_store *s, enum spd_table t, int64_t *ret,
                             struct spd_err *err)
{
    return s->ops->max_id(s->self, t, ret, err);
}
