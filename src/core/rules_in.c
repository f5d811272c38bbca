/* src/core/rules_in.c: policy, models, people and settings as they are from now on.
 *
 * The documents are rows (by hash), so that a decision can be explained with the rules it was made
 * by and a restart compiles the same ones. A bad set is refused as a whole; the old one stays in
 * force. */
#include "core/internal.h"

#include "base/hash.h"

void spd_compiled_free(struct spd_compiled *c)
{
    if (!c) return;
    spd_policy_free(c->policy);
    spd_models_free(c->models);
    spd_people_free(c->people);
    spd_arena_free(c->arena);
    spd_free(c);
}

/* kind is "policy:NAME", "models:NAME", "people:NAME" or "settings". */
static size_t pick(const struct spd_document *docs, size_t n, const char *prefix,
                   struct spd_source *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        spd_sv p = spd_sv_from(prefix);
        if (!spd_sv_starts(docs[i].kind, p)) continue;
        out[k].name = spd_sv_of(docs[i].kind.ptr + p.len, docs[i].kind.len - p.len);
        out[k++].text = docs[i].content;
    }
    return k;
}

enum spd_rc spd_compile(const struct spd_document *docs, size_t n, struct spd_compiled **ret,
                        struct spd_err *err)
{
    struct spd_compiled *c = spd_must_malloc(sizeof *c);
    struct spd_source *files, people = {0};
    enum spd_rc rc = SPD_OK;
    size_t k;
    spd_sv zone;
    c->arena = spd_arena_new(64 << 20);
    if (!c->arena) spd_out_of_memory();
    files = SPD_NEW_N(c->arena, struct spd_source, n + 1);
    k = pick(docs, n, "policy:", files);
    rc = spd_policy_load(files, k, &c->policy, err);
    if (!rc) {
        k = pick(docs, n, "models:", files);
        rc = spd_models_load(files, k, &c->models, err);
    }
    if (!rc) {
        k = pick(docs, n, "people:", files);
        if (k) people = files[0];
        rc = spd_people_load(&people, &c->people, err);
    }
    if (!rc) {
        k = pick(docs, n, "settings", files);
        rc = spd_desc_decode(&spd_settings_desc, k ? files[0].text : SPD_SV_NONE, &c->settings,
                             c->arena, err);
    }
    if (!rc) {
        /* min_dwell and undo may be 0: their defaults are the configuration's. */
        if (!c->settings.complete_after) c->settings.complete_after = SPD_SEC(60);
        if (!c->settings.unmatched_after) c->settings.unmatched_after = SPD_SEC(60);
        if (!c->settings.report_timeout) c->settings.report_timeout = SPD_MIN(10);
        if (!c->settings.claim_lease) c->settings.claim_lease = SPD_MIN(15);
        zone = c->settings.time_zone.len ? spd_arena_dup(c->arena, c->settings.time_zone)
                                         : SPD_SV("UTC");
        c->zone = spd_zone_get(zone.ptr);
        if (!c->zone) rc = spd_fail(err, SPD_INVALID, "site.time_zone", "no such time zone");
    }
    if (rc) {
        spd_compiled_free(c);
        return rc;
    }
    *ret = c;
    return SPD_OK;
}

/* All rows of the document table that are active, in id order. */
enum spd_rc spd_active_documents(struct spd_store *st, struct spd_document **ret, size_t *ret_n,
                                 struct spd_arena *a, struct spd_err *err)
{
    struct spd_seq out = {NULL, 0};
    int64_t ids[64], after = 0;
    size_t n;
    do {
        TRY(spd_store_scan(st, SPD_T_DOCUMENT, after, false, ids, 64, &n, err));
        for (size_t i = 0; i < n; i++) {
            struct spd_document d;
            TRY(spd_get_document(st, ids[i], &d, a, err));
            if (d.active) *(struct spd_document *)spd_list_add(&out, sizeof d, a) = d;
            after = ids[i];
        }
    } while (n == 64);
    *ret = out.v, *ret_n = out.n;
    return SPD_OK;
}

/* Every open item is decided on anew, a few hundred at a time: a department with 100,000 open
 * orders must not become one event. The rest follows by a timer that is due at once, between other
 * events. */
enum spd_rc spd_decide_after(struct spd_tx *tx, int64_t after)
{
    enum { AT_ONCE = 256 };
    int64_t ids[AT_ONCE];
    size_t n;
    TRY(spd_store_find(tx->st, SPD_KEY_ITEM_OPEN, SPD_SV("1"), after, ids, AT_ONCE, &n, tx->err));
    for (size_t i = 0; i < n; i++) {
        struct spd_work *w;
        TRY(spd_tx_item(tx, ids[i], &w));
        spd_tx_touch(tx, w, SPD_WHY_POLICY);
    }
    return n < AT_ONCE
               ? SPD_OK
               : spd_tx_timer_set(tx, SPD_TIMER_REDECIDE, ids[n - 1], SPD_SV_NONE, tx->now + 1);
}

static enum spd_rc store_document(struct spd_tx *tx, spd_sv kind, spd_sv hash, spd_sv content,
                                  struct spd_document *ret)
{
    struct spd_document d = {0}, old;
    int64_t id;
    enum spd_rc rc =
        spd_store_find_one(tx->st, SPD_KEY_DOCUMENT, spd_key_join(tx->a, kind, hash), &id, tx->err);
    if (rc && rc != SPD_NOTFOUND) return rc;
    if (rc == SPD_OK) {
        TRY(spd_get_document(tx->st, id, &old, tx->a, tx->err));
        d = old;
    } else {
        d.id = spd_tx_id(tx, SPD_T_DOCUMENT);
        d.kind = kind, d.hash = hash, d.content = content, d.at = tx->now;
    }
    d.active = 1;
    *ret = d;
    return spd_put_document(tx->st, &d, rc == SPD_OK ? &old : NULL, tx->err);
}

enum spd_rc spd_config_in(struct spd_tx *tx, const struct spd_config_event *e)
{
    struct spd_document *active, *docs = SPD_NEW_N(tx->a, struct spd_document, e->documents.n + 1);
    struct spd_compiled *c;
    size_t n;
    for (size_t i = 0; i < e->documents.n; i++) { /* compile first: a bad set changes nothing */
        docs[i].kind = e->documents.v[i].kind;
        docs[i].content = e->documents.v[i].content;
    }
    docs[e->documents.n].kind = SPD_SV("settings");
    docs[e->documents.n].content = e->settings;
    TRY(spd_compile(docs, e->documents.n + 1, &c, tx->err));
    c->before = tx->core->rules; /* until the commit: an undo goes back to it */
    tx->core->rules = c;
    tx->core->rules_changed = true;
    TRY(spd_active_documents(tx->st, &active, &n, tx->a, tx->err));
    for (size_t i = 0; i < n; i++) {
        struct spd_document d = active[i];
        d.active = 0;
        TRY(spd_put_document(tx->st, &d, &active[i], tx->err));
    }
    for (size_t i = 0; i < e->documents.n; i++)
        TRY(store_document(tx, e->documents.v[i].kind, e->documents.v[i].hash,
                           e->documents.v[i].content, &docs[i]));
    TRY(store_document(tx, SPD_SV("settings"), spd_sha256_hex(tx->a, e->settings), e->settings,
                       &docs[0]));
    TRY(spd_tx_audit(tx, SPD_SV_NONE, "config", 0, 0, spd_policy_hash(c->policy)));
    tx->r->did = SPD_DID_APPLY;
    TRY(spd_feed_config(tx));
    return spd_decide_after(tx, 0);
}
