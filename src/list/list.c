/* src/list/list.c: three persistent trees (treap.h), one published pointer. See list.h.
 *
 * by_rank has the listed rows in the order (level, due, arrived, id), by_id all rows, and keys the
 * identifiers of all rows (index.h). A hundred puts between two publications copy the tops of the
 * trees once.
 *
 * Threads: nodes and rows are counted and freed by the writer thread alone, so their counts are
 * plain. A reader holds a version; the last one to let go of it puts it on the board's garbage list
 * and the writer frees what only that version saw. Readers therefore never pay for freeing, and
 * never take a lock but the short b->lock. The board must outlive every list that was got from it.
 */
#define _GNU_SOURCE
#include "list/list.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "list/index.h"

enum { CLOSED_MAX = 2000, NOTES_MAX = 20000, WATCH_MAX = 1024 };
#define ROW_BYTES_MAX ((size_t)64 << 20)

struct row {
    struct spd_row pub;      /* first: a spd_row handed out is this row */
    struct spd_arena *arena; /* holds the row itself */
    uint32_t refs;
    bool listed;
    int64_t closed_seq; /* place in the queue of closed ones; 0 = not closed */
};

struct spd_list {                             /* one published version */
    struct spd_treap *by_rank, *by_id, *keys; /* by_rank: the listed rows */
    struct spd_board *board;
    struct spd_list *next; /* in the garbage list */
    int64_t revision;
    spd_usec now;
    bool complete;
    size_t refs; /* under b->lock */
};

struct closed {
    int64_t id, seq;
};

struct spd_board {
    struct spd_treap *by_rank, *by_id, *keys; /* the writer's next version */
    struct spd_arena *scratch;
    struct closed *closed; /* oldest first, with stale entries between */
    size_t n_closed, cap_closed, live_closed;
    int64_t closed_seq;

    pthread_mutex_t lock; /* guards all below; leaf lock */
    pthread_cond_t published;
    struct spd_list *current, *garbage;
    struct spd_change *notes; /* ring */
    size_t first_note, n_notes;
    int64_t dropped; /* newest revision whose notes may be gone */
    int watch[WATCH_MAX];
    size_t n_watch;
};

/* ---- order ----------------------------------------------------------------------------------- */
static int cmp_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int rank_cmp(const void *a, const void *b)
{
    const struct spd_item *x = &((const struct row *)a)->pub.view.item;
    const struct spd_item *y = &((const struct row *)b)->pub.view.item;
    int c = cmp_i64(x->level ? x->level : INT32_MAX, y->level ? y->level : INT32_MAX);
    if (!c) c = cmp_i64(x->due ? x->due : INT64_MAX, y->due ? y->due : INT64_MAX);
    if (!c) c = cmp_i64(x->arrived, y->arrived);
    return c ? c : cmp_i64(x->id, y->id);
}

static int64_t id_of(const struct row *r)
{
    return r->pub.view.item.id;
}

static int id_cmp(const void *a, const void *b)
{
    return cmp_i64(id_of(a), id_of(b));
}

static int to_id(const void *row, const void *id)
{
    return cmp_i64(id_of(row), *(const int64_t *)id);
}

static uint64_t priority(const void *row)
{
    uint64_t x = (uint64_t)id_of(row) + 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void row_ref(void *row)
{
    ((struct row *)row)->refs++;
}

static void row_unref(void *row)
{
    struct row *r = row;
    if (--r->refs == 0) spd_arena_free(r->arena);
}

static const struct spd_treap_kind in_rank = {rank_cmp, priority, row_ref, row_unref},
                                   in_id = {id_cmp, priority, row_ref, row_unref};

/* The row with that id, or the one after it. */
static struct row *at_or_after_id(const struct spd_treap *rows, int64_t id)
{
    return spd_treap_seek(rows, to_id, &id);
}

static struct row *find_row(const struct spd_treap *rows, int64_t id)
{
    struct row *r = at_or_after_id(rows, id);
    return r && id_of(r) == id ? r : NULL;
}

/* ---- copying a view -------------------------------------------------------------------------- */
static void clone_ai(struct spd_view_ai *d, const struct spd_view_ai *s, struct spd_arena *a)
{
    struct spd_finding *f = s->n_findings ? SPD_NEW_N(a, struct spd_finding, s->n_findings) : NULL;
    spd_sv *notes = s->n_notes ? SPD_NEW_N(a, spd_sv, s->n_notes) : NULL;
    *d = *s;
    d->model = spd_arena_dup(a, s->model), d->version = spd_arena_dup(a, s->version);
    d->name = spd_arena_dup(a, s->name), d->link = spd_arena_dup(a, s->link);
    d->display = spd_arena_dup(a, s->display);
    for (size_t i = 0; i < s->n_findings; i++)
        spd_desc_clone(&spd_finding_desc, &f[i], &s->findings[i], a);
    for (size_t i = 0; i < s->n_notes; i++)
        notes[i] = spd_arena_dup(a, s->notes[i]);
    d->findings = f, d->notes = notes;
}

static struct row *clone_into(const struct spd_view *v, struct spd_arena *a)
{
    struct row *r = SPD_NEW(a, struct row);
    struct spd_view *d = &r->pub.view;
    struct spd_view_ai *ai = v->n_ai ? SPD_NEW_N(a, struct spd_view_ai, v->n_ai) : NULL;
    int64_t *linked = v->n_linked ? SPD_NEW_N(a, int64_t, v->n_linked) : NULL;
    *d = *v;
    spd_desc_clone(&spd_item_desc, &d->item, &v->item, a);
    spd_desc_clone(&spd_alert_desc, &d->alert, &v->alert, a);
    spd_desc_clone(&spd_draft_desc, &d->draft, &v->draft, a);
    spd_desc_clone(&spd_workitem_desc, &d->workitem, &v->workitem, a);
    d->level_name = spd_arena_dup(a, v->level_name);
    d->modality_aet = spd_arena_dup(a, v->modality_aet);
    for (size_t i = 0; i < v->n_ai; i++)
        clone_ai(&ai[i], &v->ai[i], a);
    if (v->n_linked) memcpy(linked, v->linked, v->n_linked * sizeof *linked);
    d->ai = ai, d->linked = linked;
    return r;
}

/* Cloned twice: once to learn the size, once into a block of that size; 100,000 rows live long. */
static struct row *row_new(struct spd_board *b, const struct spd_view *v, int64_t revision)
{
    struct spd_arena *arena;
    struct row *r;
    spd_arena_reset(b->scratch);
    clone_into(v, b->scratch);
    arena = spd_arena_new_sized(ROW_BYTES_MAX, spd_arena_used(b->scratch));
    if (!arena) spd_out_of_memory();
    r = clone_into(v, arena);
    r->arena = arena, r->refs = 1;
    r->pub.revision = revision;
    r->listed = spd_item_listed(&v->item);
    return r;
}

/* ---- the writer's side ----------------------------------------------------------------------- */
struct spd_board *spd_board_new(void)
{
    struct spd_board *b = spd_must_malloc(sizeof *b);
    pthread_condattr_t attr;
    pthread_mutex_init(&b->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&b->published, &attr);
    pthread_condattr_destroy(&attr);
    b->scratch = spd_arena_new(ROW_BYTES_MAX);
    if (!b->scratch) spd_out_of_memory();
    b->notes = spd_must_malloc(sizeof *b->notes * NOTES_MAX);
    b->cap_closed = 2 * CLOSED_MAX + 2;
    b->closed = spd_must_malloc(sizeof *b->closed * b->cap_closed);
    spd_board_publish(b, 0, 0, false); /* so that get never gives NULL */
    return b;
}

static void version_free(struct spd_list *v)
{
    spd_treap_unref(&in_rank, v->by_rank);
    spd_treap_unref(&in_id, v->by_id);
    spd_index_unref(v->keys);
    spd_free(v);
}

static void collect(struct spd_board *b)
{
    struct spd_list *v, *next;
    pthread_mutex_lock(&b->lock);
    v = b->garbage;
    b->garbage = NULL;
    pthread_mutex_unlock(&b->lock);
    for (; v; v = next) {
        next = v->next;
        version_free(v);
    }
}

void spd_board_free(struct spd_board *b)
{
    if (!b) return;
    collect(b);
    version_free(b->current);
    spd_treap_unref(&in_rank, b->by_rank);
    spd_treap_unref(&in_id, b->by_id);
    spd_index_unref(b->keys);
    for (size_t i = 0; i < b->n_watch; i++)
        close(b->watch[i]);
    pthread_cond_destroy(&b->published);
    pthread_mutex_destroy(&b->lock);
    spd_arena_free(b->scratch);
    spd_free(b->notes);
    spd_free(b->closed);
    spd_free(b);
}

/* ---- the index: a row's identifiers ---- */
struct identifier {
    enum spd_list_key kind;
    spd_sv text;
};
enum { IDENTIFIERS_MAX = 64 };

static size_t identifiers(const struct row *r, struct identifier *ret)
{
    const struct spd_item *i = &r->pub.view.item;
    size_t n = 0;
    if (i->accession.value.len)
        ret[n++] = (struct identifier){SPD_LIST_ACCESSION, i->accession.value};
    for (size_t k = 0; k < i->patient.ids.n && n < IDENTIFIERS_MAX / 2; k++)
        ret[n++] = (struct identifier){SPD_LIST_PATIENT, i->patient.ids.v[k].value};
    for (size_t k = 0; k < i->study_uids.n && n < IDENTIFIERS_MAX; k++)
        ret[n++] = (struct identifier){SPD_LIST_STUDY, i->study_uids.v[k]};
    return n;
}

static bool among(const struct identifier *v, size_t n, const struct identifier *x)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].kind == x->kind && spd_sv_eq(v[i].text, x->text)) return true;
    return false;
}

/* Either may be NULL. */
static void reindex(struct spd_board *b, const struct row *old, const struct row *row)
{
    struct identifier was[IDENTIFIERS_MAX], is[IDENTIFIERS_MAX];
    size_t n_was = old ? identifiers(old, was) : 0, n_is = row ? identifiers(row, is) : 0;
    bool taken = false;
    for (size_t i = 0; i < n_was; i++)
        if (!among(is, n_is, &was[i])) {
            b->keys = spd_index_take(b->keys, was[i].kind, was[i].text, id_of(old));
            taken = true; /* two texts may have been one to the index: put the other back */
        }
    for (size_t i = 0; i < n_is; i++)
        if (taken || !among(was, n_was, &is[i]))
            b->keys = spd_index_put(b->keys, is[i].kind, is[i].text, id_of(row));
}

static void take_out(struct spd_board *b, struct row *old)
{
    if (old->listed) b->by_rank = spd_treap_take(&in_rank, b->by_rank, old);
    if (old->closed_seq) b->live_closed--;
}

static bool is_live(const struct spd_board *b, const struct closed *c)
{
    const struct row *r = find_row(b->by_id, c->id);
    return r && r->closed_seq == c->seq;
}

/* Drops entries of items that were opened again or removed since. */
static void compact_closed(struct spd_board *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n_closed; i++)
        if (is_live(b, &b->closed[i])) b->closed[n++] = b->closed[i];
    b->n_closed = n;
}

static void forget_oldest_closed(struct spd_board *b)
{
    size_t i = 0;
    while (i < b->n_closed && !is_live(b, &b->closed[i]))
        i++;
    if (i < b->n_closed) spd_board_remove(b, b->closed[i++].id);
    b->n_closed -= i;
    memmove(b->closed, b->closed + i, b->n_closed * sizeof *b->closed);
}

void spd_board_put(struct spd_board *b, const struct spd_view *view, int64_t revision)
{
    struct row *row = row_new(b, view, revision), *old = find_row(b->by_id, view->item.id);
    bool same_place = old && old->listed && row->listed && rank_cmp(old, row) == 0;
    if (old && !same_place) take_out(b, old);
    if (!row->listed && !spd_item_open(&view->item)) {
        if (b->n_closed == b->cap_closed) compact_closed(b);
        row->closed_seq = ++b->closed_seq;
        b->closed[b->n_closed++] = (struct closed){view->item.id, row->closed_seq};
        b->live_closed++;
    }
    reindex(b, old, row);
    if (row->listed) b->by_rank = spd_treap_put(&in_rank, b->by_rank, row);
    b->by_id = spd_treap_put(&in_id, b->by_id, row);
    row_unref(row); /* the trees hold it now */
    if (b->live_closed > CLOSED_MAX) forget_oldest_closed(b);
}

void spd_board_remove(struct spd_board *b, int64_t item)
{
    struct row *old = find_row(b->by_id, item);
    if (!old) return;
    row_ref(old);
    take_out(b, old);
    reindex(b, old, NULL);
    b->by_id = spd_treap_take(&in_id, b->by_id, old);
    row_unref(old);
}

/* With b->lock held. */
static void drop(struct spd_list *v)
{
    if (--v->refs) return;
    v->next = v->board->garbage;
    v->board->garbage = v;
}

void spd_board_publish(struct spd_board *b, int64_t revision, spd_usec now, bool complete)
{
    struct spd_list *v = spd_must_malloc(sizeof *v);
    uint64_t one = 1;
    v->by_rank = spd_treap_ref(b->by_rank);
    v->by_id = spd_treap_ref(b->by_id);
    v->keys = spd_treap_ref(b->keys);
    v->board = b, v->refs = 1;
    v->revision = revision, v->now = now, v->complete = complete;
    pthread_mutex_lock(&b->lock);
    if (b->current) drop(b->current);
    if (b->dropped == 0 && b->n_notes == 0)
        b->dropped = revision; /* what came before is not known */
    b->current = v;
    pthread_cond_broadcast(&b->published);
    for (size_t i = 0; i < b->n_watch; i++) {
        ssize_t n = write(b->watch[i], &one, sizeof one); /* full means readable: nothing is lost */
        (void)n;
    }
    pthread_mutex_unlock(&b->lock);
    collect(b);
}

void spd_board_note(struct spd_board *b, const char *kind, int64_t id, int64_t revision)
{
    struct spd_change *c;
    size_t n = strnlen(kind, sizeof c->kind - 1);
    pthread_mutex_lock(&b->lock);
    if (b->n_notes == NOTES_MAX) {
        b->dropped = b->notes[b->first_note].revision;
        b->first_note = (b->first_note + 1) % NOTES_MAX;
        b->n_notes--;
    }
    c = &b->notes[(b->first_note + b->n_notes++) % NOTES_MAX];
    *c = (struct spd_change){.revision = revision, .id = id};
    memcpy(c->kind, kind, n);
    pthread_mutex_unlock(&b->lock);
}

/* ---- readers --------------------------------------------------------------------------------- */
const struct spd_list *spd_board_get(struct spd_board *b)
{
    return spd_board_wait(b, INT64_MIN, 0);
}

const struct spd_list *spd_board_wait(struct spd_board *b, int64_t at_least, spd_usec timeout)
{
    struct timespec t;
    struct spd_list *v;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += (long)(timeout % 1000000) * 1000;
    t.tv_sec += timeout / 1000000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    pthread_mutex_lock(&b->lock);
    while (b->current->revision < at_least && timeout > 0)
        if (pthread_cond_timedwait(&b->published, &b->lock, &t)) break;
    v = b->current;
    v->refs++;
    pthread_mutex_unlock(&b->lock);
    return v;
}

void spd_list_unref(const struct spd_list *l)
{
    struct spd_list *v = (struct spd_list *)(uintptr_t)l;
    struct spd_board *b;
    if (!v) return;
    b = v->board;
    pthread_mutex_lock(&b->lock);
    drop(v);
    pthread_mutex_unlock(&b->lock);
}

int64_t spd_list_revision(const struct spd_list *l)
{
    return l->revision;
}

spd_usec spd_list_now(const struct spd_list *l)
{
    return l->now;
}

bool spd_list_complete(const struct spd_list *l)
{
    return l->complete;
}

size_t spd_list_count(const struct spd_list *l)
{
    return spd_treap_count(l->by_rank);
}

const struct spd_row *spd_list_at(const struct spd_list *l, size_t rank0)
{
    const struct row *r = spd_treap_at(l->by_rank, rank0);
    return r ? &r->pub : NULL;
}

const struct spd_row *spd_list_find(const struct spd_list *l, int64_t item)
{
    const struct row *r = find_row(l->by_id, item);
    return r ? &r->pub : NULL;
}

size_t spd_list_rank(const struct spd_list *l, const struct spd_row *row)
{
    int there;
    size_t before = spd_treap_before(&in_rank, l->by_rank, row, &there);
    return there ? before + 1 : 0;
}

const struct spd_row *spd_list_next_by_id(const struct spd_list *l, int64_t after)
{
    const struct row *r = after == INT64_MAX ? NULL : at_or_after_id(l->by_id, after + 1);
    return r ? &r->pub : NULL;
}

size_t spd_list_by_key(const struct spd_list *l, enum spd_list_key kind, spd_sv text, bool prefix,
                       int64_t *ret_items, size_t max)
{
    return spd_index_find(l->keys, kind, text, prefix, ret_items, max);
}

size_t spd_board_changes(struct spd_board *b, int64_t after, struct spd_change *ret, size_t max,
                         bool *ret_gap)
{
    size_t n = 0, lo = 0, hi;
    pthread_mutex_lock(&b->lock);
    hi = b->n_notes;
    while (lo < hi) { /* revisions never go down: the first one beyond after */
        size_t mid = lo + (hi - lo) / 2;
        if (b->notes[(b->first_note + mid) % NOTES_MAX].revision > after)
            hi = mid;
        else
            lo = mid + 1;
    }
    for (; lo < b->n_notes && n < max; lo++)
        ret[n++] = b->notes[(b->first_note + lo) % NOTES_MAX];
    *ret_gap = after < b->dropped;
    pthread_mutex_unlock(&b->lock);
    return n;
}

int spd_board_watch(struct spd_board *b)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_lock(&b->lock);
    if (fd >= 0 && b->n_watch < WATCH_MAX) {
        b->watch[b->n_watch++] = fd;
    } else if (fd >= 0) {
        close(fd);
        fd = -1;
    }
    pthread_mutex_unlock(&b->lock);
    return fd;
}

void spd_board_unwatch(struct spd_board *b, int fd)
{
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->n_watch; i++)
        if (b->watch[i] == fd) {
            b->watch[i] = b->watch[--b->n_watch];
            close(fd);
            break;
        }
    pthread_mutex_unlock(&b->lock);
}
