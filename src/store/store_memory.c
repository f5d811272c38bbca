/* src/store/store_memory.c: the store in memory, for replay, simulation and tests. Nothing survives
 * it.
 *
 * An object is one block that holds the struct and all its texts and lists. get hands out the
 * struct by value; its texts and lists point into the block. A block that was replaced, deleted or
 * rolled back is kept until the next begin, so everything that get gave stays readable until then,
 * also after a commit.
 *
 * Ids are slots in a paged array per table (the core's ids are dense counters), but for timers,
 * whose ids lie far apart: theirs are a balanced tree. Keys are a hash of (kind, text) to a sorted
 * id set; due rows are a balanced tree. Changes go through replace(), which keeps all of it in
 * step; the undo log holds (before, after) and is played backwards by the same function.
 *
 * Threads: one owner. Each open makes a store of its own. The hash is not made for hostile keys: no
 * door leads to this back end. */
#include <assert.h>
#include <glib.h>

#include "store/flat.h"
#include "store/idset.h"

enum { PAGE = 512, ID_MAX = INT32_MAX, KEYS_MAX = 64 * 1024 * 1024 };

struct block {
    struct block *next; /* in the graveyard */
    size_t size;        /* of object */
    uint64_t sum;       /* of object, where assert is on: nobody may write through what get gave */
    _Alignas(16) unsigned char object[];
};

struct rows {
    struct block ***page; /* page[id / PAGE][id % PAGE]; NULL where nothing is */
    size_t pages;
    GTree *sparse; /* instead of pages: id in its block to block */
    int64_t max_id;
    const struct spd_desc *desc;
    const struct spd_flat *flat;
};

struct entry { /* of the key index */
    enum spd_key_kind kind;
    uint32_t hash;
    spd_sv text; /* for a stored entry: behind it */
    struct spd_idset ids;
};

struct due_key {
    spd_usec due;
    int64_t id;
};

struct due_part { /* the outbox rows of one destination, as many as there ever were */
    spd_sv name;  /* behind it */
    GTree *tree;  /* of struct due_key */
};

struct change {
    enum spd_table table;
    struct block *before, *after;
};

struct memory {
    struct rows rows[SPD_T_N];
    GHashTable *keys;      /* of struct entry */
    GTree *due_timers;     /* of struct due_key */
    GHashTable *due_parts; /* of struct due_part */
    struct change *log;
    size_t n_log, cap_log, mark;
    struct block *graveyard;
    bool in_transaction, in_savepoint;
    struct spd_arena *scratch;
};

/* ---- objects ------------------------------------------------------------------------------- */
static int64_t id_of(const void *object)
{
    return *(const int64_t *)object;
}

static uint64_t sum_of(const struct block *b)
{
#ifdef NDEBUG
    (void)b;
    return 0;
#else
    return spd_sv_hash(spd_sv_of((const char *)b->object, b->size));
#endif
}

static struct block *block_new(const struct rows *r, const void *object)
{
    struct spd_flat_size size = spd_flat_measure(r->flat, object);
    size_t n = r->desc->size + size.lists + size.texts;
    /* realloc, since malloc's promise of zeros is of no use here: all of it is written */
    struct block *b = spd_must_realloc(NULL, sizeof *b + n);
    b->next = NULL;
    b->size = n;
    spd_flat_copy(r->flat, b->object, object, b->object + r->desc->size, size);
    b->sum = sum_of(b);
    return b;
}

static struct block **slot(const struct rows *r, int64_t id)
{
    if (id <= 0 || (size_t)id / PAGE >= r->pages || !r->page[id / PAGE]) return NULL;
    return &r->page[id / PAGE][id % PAGE];
}

static struct block **slot_make(struct rows *r, int64_t id)
{
    size_t page = (size_t)id / PAGE;
    if (page >= r->pages) {
        size_t n = r->pages * 2 > page + 1 ? r->pages * 2 : page + 1;
        r->page = spd_must_realloc(r->page, n * sizeof *r->page);
        memset(r->page + r->pages, 0, (n - r->pages) * sizeof *r->page);
        r->pages = n;
    }
    if (!r->page[page]) r->page[page] = spd_must_malloc(PAGE * sizeof **r->page);
    return &r->page[page][id % PAGE];
}

static gint id_compare(gconstpointer a, gconstpointer b)
{
    int64_t x = id_of(a), y = id_of(b);
    return x < y ? -1 : x > y;
}

static struct block *row_at(const struct rows *r, int64_t id)
{
    struct block **p;
    if (r->sparse) return g_tree_lookup(r->sparse, &id);
    p = slot(r, id);
    return p ? *p : NULL;
}

static void row_set(struct rows *r, int64_t id, struct block *b)
{
    if (!r->sparse)
        *slot_make(r, id) = b;
    else if (b)
        g_tree_replace(r->sparse, b->object, b); /* the key is the block's own id */
    else
        g_tree_remove(r->sparse, &id);
}

static void bury(struct memory *s, struct block *b)
{
    if (!b) return;
    b->next = s->graveyard;
    s->graveyard = b;
}

static void empty_graveyard(struct memory *s)
{
    for (struct block *b = s->graveyard, *next; b; b = next) {
        next = b->next;
        spd_free(b);
    }
    s->graveyard = NULL;
}

/* ---- keys ---------------------------------------------------------------------------------- */
static guint entry_hash(gconstpointer e)
{
    return ((const struct entry *)e)->hash;
}

static gboolean entry_equal(gconstpointer a, gconstpointer b)
{
    const struct entry *x = a, *y = b;
    return x->kind == y->kind && spd_sv_eq(x->text, y->text);
}

static void entry_free(gpointer e)
{
    spd_idset_done(&((struct entry *)e)->ids);
    spd_free(e);
}

static struct entry probe(enum spd_key_kind kind, spd_sv text)
{
    uint64_t h = spd_sv_hash(text) * 31 + (uint64_t)kind;
    return (struct entry){kind, (uint32_t)(h ^ h >> 32), text, {0, 0, {{0, 0}}}};
}

static void key_add(struct memory *s, const struct spd_key *k, int64_t id)
{
    struct entry want = probe(k->kind, k->text), *e = g_hash_table_lookup(s->keys, &want);
    if (!e) {
        char *text;
        e = spd_must_malloc(sizeof *e + k->text.len);
        *e = want;
        text = (char *)(e + 1);
        memcpy(text, k->text.ptr, k->text.len);
        e->text = spd_sv_of(text, k->text.len);
        g_hash_table_add(s->keys, e);
    }
    spd_idset_add(&e->ids, id);
}

static void key_remove(struct memory *s, const struct spd_key *k, int64_t id)
{
    struct entry want = probe(k->kind, k->text), *e = g_hash_table_lookup(s->keys, &want);
    if (!e) return;
    spd_idset_remove(&e->ids, id);
    if (!e->ids.n) g_hash_table_remove(s->keys, e);
}

static bool key_in(const struct spd_key *k, const struct spd_key *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].kind == k->kind && spd_sv_eq(v[i].text, k->text)) return true;
    return false;
}

static void keys_replace(struct memory *s, enum spd_table t, int64_t id, const void *before,
                         const void *after)
{
    struct spd_key *a = NULL, *b = NULL;
    size_t n = before ? spd_store_keys(t, before, &a, s->scratch) : 0;
    size_t m = after ? spd_store_keys(t, after, &b, s->scratch) : 0, same = 0;
    while (same < n && same < m && a[same].kind == b[same].kind &&
           spd_sv_eq(a[same].text, b[same].text))
        same++; /* mostly all of them */
    for (size_t i = same; i < n; i++)
        if (!key_in(&a[i], b + same, m - same)) key_remove(s, &a[i], id);
    for (size_t i = same; i < m; i++)
        if (!key_in(&b[i], a + same, n - same)) key_add(s, &b[i], id);
    spd_arena_reset(s->scratch);
}

/* ---- due ----------------------------------------------------------------------------------- */
static gint due_compare(gconstpointer a, gconstpointer b, gpointer unused)
{
    const struct due_key *x = a, *y = b;
    (void)unused;
    if (x->due != y->due) return x->due < y->due ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static guint part_hash(gconstpointer p)
{
    return (guint)spd_sv_hash(((const struct due_part *)p)->name);
}

static gboolean part_equal(gconstpointer a, gconstpointer b)
{
    return spd_sv_eq(((const struct due_part *)a)->name, ((const struct due_part *)b)->name);
}

static void part_free(gpointer p)
{
    g_tree_destroy(((struct due_part *)p)->tree);
    spd_free(p);
}

static GTree *due_tree_new(void)
{
    return g_tree_new_full(due_compare, NULL, spd_free, NULL);
}

/* NULL: no row was ever due for that destination. */
static GTree *due_tree(const struct memory *s, enum spd_table t, spd_sv part)
{
    struct due_part want = {part, NULL}, *p;
    if (t == SPD_T_TIMER) return s->due_timers;
    p = g_hash_table_lookup(s->due_parts, &want);
    return p ? p->tree : NULL;
}

static GTree *due_tree_make(struct memory *s, enum spd_table t, spd_sv part)
{
    GTree *tree = due_tree(s, t, part);
    struct due_part *p;
    if (tree) return tree;
    p = spd_must_malloc(sizeof *p + part.len);
    p->tree = due_tree_new();
    p->name = spd_sv_of((char *)(p + 1), part.len);
    if (part.len) memcpy(p + 1, part.ptr, part.len);
    g_hash_table_add(s->due_parts, p);
    return p->tree;
}

static bool due_of(enum spd_table t, const void *object, struct due_key *ret, spd_sv *ret_part)
{
    const struct spd_timer *timer = object;
    const struct spd_outbox *outbox = object;
    *ret_part = SPD_SV_NONE;
    if (!object) return false;
    if (t == SPD_T_TIMER) {
        *ret = (struct due_key){timer->due, timer->id};
        return true;
    }
    *ret = (struct due_key){outbox->due, outbox->id}, *ret_part = outbox->destination;
    return outbox->state == SPD_OUTBOX_QUEUED || outbox->state == SPD_OUTBOX_SENDING;
}

static void due_replace(struct memory *s, enum spd_table t, const void *before, const void *after)
{
    struct due_key a = {0, 0}, b = {0, 0};
    spd_sv of_a, of_b;
    bool was = due_of(t, before, &a, &of_a), is = due_of(t, after, &b, &of_b);
    if (was && is && a.due == b.due && spd_sv_eq(of_a, of_b)) return;
    if (was) g_tree_remove(due_tree_make(s, t, of_a), &a);
    if (is) {
        struct due_key *k = spd_must_malloc(sizeof *k);
        *k = b;
        g_tree_insert(due_tree_make(s, t, of_b), k, NULL);
    }
}

/* ---- the one change ------------------------------------------------------------------------ */
/* The newest went: the one before it. */
static int64_t max_before(const struct rows *r, int64_t id)
{
    if (r->sparse) {
        GTreeNode *last = g_tree_node_last(r->sparse);
        return last ? id_of(g_tree_node_key(last)) : 0;
    }
    while (--id > 0) {
        struct block **p = slot(r, id);
        if (p && *p) break;
        if (!p) id = id / PAGE * PAGE; /* a page that was never made */
    }
    return id > 0 ? id : 0;
}

static void replace(struct memory *s, enum spd_table t, struct block *before, struct block *after)
{
    struct rows *r = &s->rows[t];
    const void *was = before ? before->object : NULL, *is = after ? after->object : NULL;
    int64_t id = id_of(is ? is : was);
    row_set(r, id, after);
    keys_replace(s, t, id, was, is);
    if (t == SPD_T_TIMER || t == SPD_T_OUTBOX) due_replace(s, t, was, is);
    if (after && id > r->max_id) r->max_id = id;
    if (!after && id == r->max_id) r->max_id = max_before(r, id);
}

static void change(struct memory *s, enum spd_table t, struct block *before, struct block *after)
{
    assert(!before || before->sum == sum_of(before)); /* somebody wrote through what get gave */
    if (s->n_log == s->cap_log) {
        s->cap_log = s->cap_log ? s->cap_log * 2 : 1024;
        s->log = spd_must_realloc(s->log, s->cap_log * sizeof *s->log);
    }
    s->log[s->n_log++] = (struct change){t, before, after};
    replace(s, t, before, after);
}

static void undo_to(struct memory *s, size_t mark)
{
    while (s->n_log > mark) {
        struct change *c = &s->log[--s->n_log];
        replace(s, c->table, c->after, c->before);
        bury(s, c->after);
    }
}

/* ---- verbs --------------------------------------------------------------------------------- */
static enum spd_rc memory_open(const char *url, int mode, void **ret_self, struct spd_err *err)
{
    struct memory *s;
    (void)mode;
    if (*url)
        return spd_fail(err, SPD_INVALID, "store.url", "memory: takes nothing behind the colon");
    s = spd_must_malloc(sizeof *s);
    for (int t = 0; t < SPD_T_N; t++) {
        s->rows[t].desc = spd_table_desc((enum spd_table)t);
        s->rows[t].flat = spd_flat_of((enum spd_table)t);
    }
    s->rows[SPD_T_TIMER].sparse = g_tree_new(id_compare);
    s->keys = g_hash_table_new_full(entry_hash, entry_equal, entry_free, NULL);
    s->due_timers = due_tree_new();
    s->due_parts = g_hash_table_new_full(part_hash, part_equal, part_free, NULL);
    s->scratch = spd_arena_new(KEYS_MAX);
    if (!s->scratch) spd_out_of_memory();
    *ret_self = s;
    return SPD_OK;
}

static gboolean block_free(gpointer id, gpointer block, gpointer unused)
{
    (void)id, (void)unused;
    spd_free(block);
    return FALSE;
}

static void memory_close(void *self)
{
    struct memory *s = self;
    for (size_t i = 0; i < s->n_log; i++)
        bury(s, s->log[i].before);
    empty_graveyard(s);
    for (int t = 0; t < SPD_T_N; t++) {
        for (size_t p = 0; p < s->rows[t].pages; p++) {
            for (size_t i = 0; s->rows[t].page[p] && i < PAGE; i++)
                spd_free(s->rows[t].page[p][i]);
            spd_free(s->rows[t].page[p]);
        }
        spd_free(s->rows[t].page);
        if (!s->rows[t].sparse) continue;
        g_tree_foreach(s->rows[t].sparse, block_free, NULL);
        g_tree_destroy(s->rows[t].sparse);
    }
    g_hash_table_destroy(s->keys);
    g_tree_destroy(s->due_timers);
    g_hash_table_destroy(s->due_parts);
    spd_arena_free(s->scratch);
    spd_free(s->log);
    spd_free(s);
}

static enum spd_rc memory_begin(void *self, struct spd_err *err)
{
    struct memory *s = self;
    if (s->in_transaction) return spd_fail(err, SPD_BUG, "begin", "a transaction is open already");
    empty_graveyard(s);
    s->in_transaction = true;
    return SPD_OK;
}

static enum spd_rc memory_commit(void *self, struct spd_err *err)
{
    struct memory *s = self;
    if (!s->in_transaction) return spd_fail(err, SPD_BUG, "commit", "no transaction is open");
    for (size_t i = 0; i < s->n_log; i++)
        bury(s, s->log[i].before);
    s->n_log = 0;
    s->in_transaction = s->in_savepoint = false;
    return SPD_OK;
}

static void memory_rollback(void *self)
{
    struct memory *s = self;
    undo_to(s, 0);
    s->in_transaction = s->in_savepoint = false;
}

static enum spd_rc memory_savepoint(void *self, struct spd_err *err)
{
    struct memory *s = self;
    if (!s->in_transaction || s->in_savepoint)
        return spd_fail(err, SPD_BUG, "savepoint",
                        "no transaction, or a savepoint is open already");
    s->mark = s->n_log;
    s->in_savepoint = true;
    return SPD_OK;
}

static enum spd_rc memory_release(void *self, struct spd_err *err)
{
    struct memory *s = self;
    if (!s->in_savepoint) return spd_fail(err, SPD_BUG, "release", "no savepoint is open");
    s->in_savepoint = false;
    return SPD_OK;
}

static void memory_rollback_to(void *self)
{
    struct memory *s = self;
    if (!s->in_savepoint) return;
    undo_to(s, s->mark);
    s->in_savepoint = false;
}

static enum spd_rc memory_put(void *self, enum spd_table t, const void *object, const void *old,
                              struct spd_err *err)
{
    struct memory *s = self;
    int64_t id = id_of(object);
    struct block *was = row_at(&s->rows[t], id);
    if (!s->in_transaction) return spd_fail(err, SPD_BUG, "put", "no transaction is open");
    if (id > ID_MAX && !s->rows[t].sparse)
        return spd_fail(err, SPD_LIMIT, "put", "memory store: the id is too large");
    if (!old && was)
        return spd_fail(err, SPD_EXISTS, spd_table_name(t), "a row with this id exists");
    if (old && !was) return spd_fail(err, SPD_NOTFOUND, spd_table_name(t), "no row to replace");
    change(s, t, was, block_new(&s->rows[t], object));
    return SPD_OK;
}

static enum spd_rc memory_del(void *self, enum spd_table t, const void *old, struct spd_err *err)
{
    struct memory *s = self;
    struct block *was = row_at(&s->rows[t], id_of(old));
    if (!s->in_transaction) return spd_fail(err, SPD_BUG, "del", "no transaction is open");
    if (!was) return spd_fail(err, SPD_NOTFOUND, spd_table_name(t), "no row to delete");
    change(s, t, was, NULL);
    return SPD_OK;
}

static enum spd_rc memory_get(void *self, enum spd_table t, int64_t id, void *ret,
                              struct spd_arena *arena, struct spd_err *err)
{
    const struct memory *s = self;
    const struct block *b = row_at(&s->rows[t], id);
    (void)arena, (void)err;
    if (!b) return SPD_NOTFOUND;
    assert(b->sum == sum_of(b)); /* somebody wrote through what get gave */
    memcpy(ret, b->object, s->rows[t].desc->size);
    return SPD_OK;
}

static enum spd_rc memory_find(void *self, enum spd_key_kind kind, spd_sv text, int64_t after,
                               int64_t *ret_ids, size_t max, size_t *ret_n, struct spd_err *err)
{
    const struct memory *s = self;
    struct entry want = probe(kind, text), *e = g_hash_table_lookup(s->keys, &want);
    (void)err;
    *ret_n = e ? spd_idset_list(&e->ids, after, ret_ids, max) : 0;
    return SPD_OK;
}

static enum spd_rc memory_due(void *self, enum spd_table t, spd_sv part, spd_usec until,
                              spd_usec after_due, int64_t after_id, int64_t *ret_ids,
                              spd_usec *ret_dues, size_t max, size_t *ret_n, struct spd_err *err)
{
    const struct memory *s = self;
    struct due_key after = {after_due, after_id};
    GTree *tree = due_tree(s, t, part);
    size_t n = 0;
    (void)err;
    for (GTreeNode *node = tree ? g_tree_upper_bound(tree, &after) : NULL; node && n < max;
         node = g_tree_node_next(node)) {
        const struct due_key *k = g_tree_node_key(node);
        if (k->due > until) break;
        if (ret_dues) ret_dues[n] = k->due;
        ret_ids[n++] = k->id;
    }
    *ret_n = n;
    return SPD_OK;
}

static size_t scan_sparse(const struct rows *r, int64_t after, bool descending, int64_t *ret_ids,
                          size_t max)
{
    GTreeNode *node;
    size_t n = 0;
    if (descending) {
        node = g_tree_lower_bound(r->sparse, &after);
        node = node ? g_tree_node_previous(node) : g_tree_node_last(r->sparse);
    } else {
        node = g_tree_upper_bound(r->sparse, &after);
    }
    for (; node && n < max; node = descending ? g_tree_node_previous(node) : g_tree_node_next(node))
        ret_ids[n++] = id_of(g_tree_node_key(node));
    return n;
}

static enum spd_rc memory_scan(void *self, enum spd_table t, int64_t after, bool descending,
                               int64_t *ret_ids, size_t max, size_t *ret_n, struct spd_err *err)
{
    const struct memory *s = self;
    const struct rows *r = &s->rows[t];
    size_t n = 0;
    (void)err;
    if (r->sparse) {
        n = scan_sparse(r, after, descending, ret_ids, max);
    } else if (descending) {
        int64_t id = after > r->max_id ? r->max_id : after - 1;
        for (; id > 0 && n < max; id--) {
            struct block **p = slot(r, id);
            if (!p)
                id = id / PAGE * PAGE; /* skip the page */
            else if (*p)
                ret_ids[n++] = id;
        }
    } else if (after < r->max_id) {
        for (int64_t id = after < 0 ? 1 : after + 1; id <= r->max_id && n < max; id++) {
            struct block **p = slot(r, id);
            if (!p)
                id = id / PAGE * PAGE + PAGE - 1;
            else if (*p)
                ret_ids[n++] = id;
        }
    }
    *ret_n = n;
    return SPD_OK;
}

static enum spd_rc memory_max_id(void *self, enum spd_table t, int64_t *ret, struct spd_err *err)
{
    const struct memory *s = self;
    (void)err;
    *ret = s->rows[t].max_id;
    return SPD_OK;
}

const struct spd_store_ops spd_store_memory = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .begin = memory_begin,
    .commit = memory_commit,
    .rollback = memory_rollback,
    .savepoint = memory_savepoint,
    .release = memory_release,
    .rollback_to = memory_rollback_to,
    .put = memory_put,
    .del = memory_del,
    .get = memory_get,
    .find = memory_find,
    .due = memory_due,
    .scan = memory_scan,
    .max_id = memory_max_id,
};
