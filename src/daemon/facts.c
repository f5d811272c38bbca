/* src/daemon/facts.c: policy, models, people and the settings that decisions depend on, as one
 * config event.
 *
 * The hash tells whether anything changed: an event is journaled only then. It is over (kind, hash)
 * of every document in bytewise order, so it can be worked out from the store as well. */
#define _GNU_SOURCE
#include "base/hash.h"
#include "daemon/internal.h"

#include <stdlib.h>

enum { SETTINGS_MAX = 1 << 20, DOCUMENTS_MAX = 1000 };

static int by_kind_and_hash(const void *x, const void *y)
{
    const struct spd_document_event *a = x, *b = y;
    int c = spd_sv_cmp(a->kind, b->kind);
    return c ? c : spd_sv_cmp(a->hash, b->hash);
}

static void hash_of(struct spd_document_event *docs, size_t n, unsigned char ret[32])
{
    struct spd_str all = SPD_STR_INIT((size_t)16 << 20);
    if (n) qsort(docs, n, sizeof *docs, by_kind_and_hash);
    for (size_t i = 0; i < n; i++) {
        spd_str_add(&all, docs[i].kind);
        spd_str_addc(&all, '\0');
        spd_str_add(&all, docs[i].hash);
        spd_str_addc(&all, '\n');
    }
    spd_sha256(spd_str_sv(&all), ret);
    spd_str_done(&all);
}

static void add(struct spd_config_event *e, const char *kind, const struct spd_source *s,
                struct spd_arena *arena)
{
    struct spd_document_event *d = SPD_LIST_PUSH(&e->documents, arena);
    spd_sv name = s->name;
    for (size_t i = name.len;
         i-- > 0;) /* the file's own name: a folder that moves changes nothing */
        if (name.ptr[i] == '/') {
            name = spd_sv_of(name.ptr + i + 1, name.len - i - 1);
            break;
        }
    d->kind = spd_arena_printf(arena, "%s:%.*s", kind, SPD_SV_ARG(name));
    d->hash = spd_sha256_hex(arena, s->text);
    d->content = s->text;
}

/* The field maps, by peer: what a message became can be explained from them. The core does not use
 * them. */
static void add_maps(struct spd_config_event *e, const struct spd_config *c, struct spd_arena *arena)
{
    for (size_t i = 0; i < c->n_peers; i++) {
        struct spd_source s = {c->peers[i].name, SPD_SV_NONE};
        if (!c->peers[i].map) continue;
        s.text = spd_arena_dup(arena, hl7_site_text(c->peers[i].map));
        add(e, "map", &s, arena);
    }
}

/* The core refuses a bad set too, but here the error can say where it stands. */
static enum spd_rc check(const struct spd_rules_files *f, struct spd_err *err)
{
    struct spd_policy *policy = NULL;
    struct spd_models *models = NULL;
    struct spd_people *people = NULL;
    enum spd_rc rc = spd_policy_load(f->policy, f->n_policy, &policy, err);
    if (!rc) rc = spd_models_load(f->models, f->n_models, &models, err);
    if (!rc) rc = spd_people_load(&f->people, &people, err);
    spd_policy_free(policy);
    spd_models_free(models);
    spd_people_free(people);
    return rc;
}

/* The settings that decisions see. Without a public_url the links of pages lead to the first TCP listener: right on
 * this machine, and a whole address wherever it is read. */
static struct spd_settings settings_of(const struct spd_config *c, struct spd_arena *arena)
{
    struct spd_settings s = c->settings;
    for (size_t i = 0; i < c->n_http && !s.public_url.len; i++)
        if (!c->http[i].socket.len) {
            bool six = memchr(c->http[i].address.ptr, ':', c->http[i].address.len) != NULL;
            s.public_url = spd_arena_printf(arena, six ? "http://[%.*s]:%d" : "http://%.*s:%d",
                                            SPD_SV_ARG(c->http[i].address), c->http[i].port);
        }
    return s;
}

enum spd_rc spd_facts_event(const struct spd_config *c, struct spd_config_event *ret,
                            unsigned char hash[32], struct spd_arena *arena, struct spd_err *err)
{
    struct spd_rules_files files = {0};
    struct spd_str settings = SPD_STR_INIT(SETTINGS_MAX);
    struct spd_document_event *all;
    enum spd_rc rc = spd_config_read_rules(c, &files, arena, err);
    if (!rc) rc = check(&files, err);
    if (rc) return rc;
    *ret = (struct spd_config_event){0};
    for (size_t i = 0; i < files.n_policy; i++)
        add(ret, "policy", &files.policy[i], arena);
    for (size_t i = 0; i < files.n_models; i++)
        add(ret, "models", &files.models[i], arena);
    if (files.people.text.len) add(ret, "people", &files.people, arena);
    add_maps(ret, c, arena);
    struct spd_settings seen = settings_of(c, arena);
    spd_desc_encode(&spd_settings_desc, &seen, &settings);
    if (!spd_str_ok(&settings))
        rc = spd_fail(err, SPD_LIMIT, "spoed.yaml", "the settings are too long");
    else
        ret->settings = spd_arena_dup(arena, spd_str_sv(&settings));
    spd_str_done(&settings);
    if (rc) return rc;
    all = SPD_NEW_N(arena, struct spd_document_event, ret->documents.n + 1);
    for (size_t i = 0; i < ret->documents.n; i++)
        all[i] = ret->documents.v[i];
    all[ret->documents.n].kind = SPD_SV("settings");
    all[ret->documents.n].hash = spd_sha256_hex(arena, ret->settings);
    hash_of(all, ret->documents.n + 1, hash);
    return SPD_OK;
}

enum spd_rc spd_facts_stored(struct spd_store *store, unsigned char hash[32], struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    struct spd_document_event *docs;
    int64_t ids[64], after = 0;
    size_t n, k = 0;
    enum spd_rc rc = SPD_OK;
    if (!arena) spd_out_of_memory();
    docs = SPD_NEW_N(arena, struct spd_document_event, DOCUMENTS_MAX);
    do {
        rc = spd_store_scan(store, SPD_T_DOCUMENT, after, false, ids, 64, &n, err);
        for (size_t i = 0; i < n && !rc; i++) {
            struct spd_document d;
            after = ids[i];
            rc = spd_get_document(store, ids[i], &d, arena, err);
            if (!rc && d.active && k < DOCUMENTS_MAX)
                docs[k].kind = d.kind, docs[k++].hash = d.hash;
        }
    } while (!rc && n == 64);
    if (!rc) hash_of(docs, k, hash);
    spd_arena_free(arena);
    return rc;
}
