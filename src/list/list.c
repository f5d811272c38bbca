/* src/list/list.c: two persistent trees, one published pointer. See list.h.
 *
 * Both trees are treaps over the same rows: by_rank over listed rows in the order (level, due,
 * arrived, id), with counts, and by_id over all rows. The priority of a node is a hash of the
 * item's id, so the same rows give the same shape whatever the history.
 *
 * A change copies only the nodes on its path that a published version can still see: a node with
 * one reference is the writer's own and is changed in place, so that a hundred puts between two
 * publications copy the top of the tree once.
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

enum { CLOSED_MAX = 2000, NOTES_MAX = 20000, WATCH_MAX = 1024 };
#define ROW_BYTES_MAX ((size_t)64 << 20)

struct row {
    struct spd_row pub;      /* first: a spd_row handed out is this row */
    struct spd_arena *arena; /* holds the row itself */
    uint32_t refs;
    bool listed;
    int64_t closed_seq; /* place in the queue of closed ones; 0 = not closed */
};

struct node {
    struct node *left, *right;
    struct row *row;
    uint32_t refs;
    uint32_t count;
};

struct spd_list { /* one published version */
    struct node *by_rank, *by_id; /* by_rank: the listed rows */
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
    struct node *by_rank, *by_id; /* the writer's next version */
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

static int by_rank_cmp(const struct row *a, const struct row *b)
{
    const struct spd_item *x = &a->pub.view.item, *y = &b->pub.view.item;
    int c = cmp_i64(x->level ? x->level : INT32_MAX, y->level ? y->level : INT32_MAX);
    if (!c) c = cmp_i64(x->due ? x->due : INT64_MAX, y->due ? y->due : INT64_MAX);
    if (!c) c = cmp_i64(x->arrived, y->arrived);
    return c ? c : cmp_i64(x->id, y->id);
}

static int by_id_cmp(const struct row *a, const struct row *b)
{
    return cmp_i64(a->pub.view.item.id, b->pub.view.item.id);
}

typedef int (*order_fn)(const struct row *a, const struct row *b);

static uint64_t priority(const struct row *r)
{
    uint64_t x = (uint64_t)r->pub.view.item.id + 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* ---- rows and nodes (writer thread) ---------------------------------------------------------- */
static struct row *row_ref(struct row *r)
{
    r->refs++;
    return r;
}

static void row_unref(struct row *r)
{
    if (r && --r->refs == 0) spd_arena_free(r->arena);
}

static uint32_t count(const struct node *n)
{
    return n ? n->count : 0;
}

static void node_unref(struct node *n)
{
    if (!n || --n->refs) return;
    node_unref(n->left);
    node_unref(n->right);
    row_unref(n->row);
    spd_free(n);
}

static struct node *node_ref(struct node *n)
{
    if (n) n->refs++;
    return n;
}

static struct node *node_new(struct row *row)
{
    struct node *n = spd_must_malloc(sizeof *n);
    n->row = row_ref(row), n->refs = n->count = 1;
    return n;
}

/* Takes one reference, gives back a node that nobody else sees. */
static struct node *own(struct node *n)
{
    struct node *c;
    if (n->refs == 1) return n;
    c = node_new(n->row);
    c->left = node_ref(n->left), c->right = node_ref(n->right), c->count = n->count;
    n->refs--;
    return c;
}

static struct node *recount(struct node *n)
{
    n->count = 1 + count(n->left) + count(n->right);
    return n;
}

static struct node *merge(struct node *a, struct node *b)
{
    if (!a || !b) return a ? a : b;
    if (priority(a->row) >= priority(b->row)) {
        a = own(a);
        a->right = merge(a->right, b);
        return recount(a);
    }
    b = own(b);
    b->left = merge(a, b->left);
    return recount(b);
}

static void split(struct node *n, const struct row *at, order_fn cmp, struct node **l,
                  struct node **r)
{
    if (!n) {
        *l = *r = NULL;
    } else if (cmp(n->row, at) < 0) {
        struct node *rest;
        n = own(n);
        split(n->right, at, cmp, &rest, r);
        n->right = rest;
        *l = recount(n);
    } else {
        struct node *rest;
        n = own(n);
        split(n->left, at, cmp, l, &rest);
        n->left = rest;
        *r = recount(n);
    }
}

/* Puts the row in; one with the same key is replaced. */
static struct node *insert(struct node *n, struct row *row, order_fn cmp)
{
    int c;
    if (!n) return node_new(row);
    c = cmp(row, n->row);
    if (c == 0) {
        n = own(n);
        row_unref(n->row);
        n->row = row_ref(row);
        return n;
    }
    if (priority(row) > priority(n->row)) {
        struct node *top = node_new(row);
        split(n, row, cmp, &top->left, &top->right);
        return recount(top);
    }
    n = own(n);
    if (c < 0)
        n->left = insert(n->left, row, cmp);
    else
        n->right = insert(n->right, row, cmp);
    return recount(n);
}

static struct node *removed(struct node *n, const struct row *row, order_fn cmp)
{
    int c;
    if (!n) return NULL;
    c = cmp(row, n->row);
    n = own(n);
    if (c == 0) {
        struct node *rest = merge(n->left, n->right);
        n->left = n->right = NULL;
        node_unref(n);
        return rest;
    }
    if (c < 0)
        n->left = removed(n->left, row, cmp);
    else
        n->right = removed(n->right, row, cmp);
    return recount(n);
}

/* The row with that id, or the one after it. */
static const struct node *at_or_after_id(const struct node *n, int64_t id)
{
    const struct node *best = NULL;
    while (n) {
        int64_t x = n->row->pub.view.item.id;
        if (x == id) return n;
        if (x > id)
            best = n, n = n->left;
        else
            n = n->right;
    }
    return best;
}

static struct row *find_row(const struct node *root, int64_t id)
{
    const struct node *n = at_or_after_id(root, id);
    return n && n->row->pub.view.item.id == id ? n->row : NULL;
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
    node_unref(v->by_rank);
    node_unref(v->by_id);
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
    node_unref(b->by_rank);
    node_unref(b->by_id);
    for (size_t i = 0; i < b->n_watch; i++)
        close(b->watch[i]);
    pthread_cond_destroy(&b->published);
    pthread_mutex_destroy(&b->lock);
    spd_arena_free(b->scratch);
    spd_free(b->notes);
    spd_free(b->closed);
    spd_free(b);
}

static void take_out(struct spd_board *b, struct row *old)
{
    if (old->listed) b->by_rank = removed(b->by_rank, old, by_rank_cmp);
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
    bool same_place = old && old->listed && row->listed && by_rank_cmp(old, row) == 0;
    if (old && !same_place) take_out(b, old);
    if (!row->listed && !spd_item_open(&view->item)) {
        if (b->n_closed == b->cap_closed) compact_closed(b);
        row->closed_seq = ++b->closed_seq;
        b->closed[b->n_closed++] = (struct closed){view->item.id, row->closed_seq};
        b->live_closed++;
    }
    if (row->listed) b->by_rank = insert(b->by_rank, row, by_rank_cmp);
    b->by_id = insert(b->by_id, row, by_id_cmp);
    row_unref(row); /* the trees hold it now */
    if (b->live_closed > CLOSED_MAX) forget_oldest_closed(b);
}

void spd_board_remove(struct spd_board *b, int64_t item)
{
    struct row *old = find_row(b->by_id, item);
    if (!old) return;
    row_ref(old);
    take_out(b, old);
    b->by_id = removed(b->by_id, old, by_id_cmp);
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
    v->by_rank = node_ref(b->by_rank);
    v->by_id = node_ref(b->by_id);
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
    return count(l->by_rank);
}

const struct spd_row *spd_list_at(const struct spd_list *l, size_t rank0)
{
    const struct node *n = l->by_rank;
    while (n) {
        size_t left = count(n->left);
        if (rank0 == left) return &n->row->pub;
        if (rank0 < left)
            n = n->left;
        else
            rank0 -= left + 1, n = n->right;
    }
    return NULL;
}

const struct spd_row *spd_list_find(const struct spd_list *l, int64_t item)
{
    const struct row *r = find_row(l->by_id, item);
    return r ? &r->pub : NULL;
}

size_t spd_list_rank(const struct spd_list *l, const struct spd_row *row)
{
    const struct row *r = (const struct row *)(const void *)row;
    const struct node *n = l->by_rank;
    size_t before = 0;
    while (n) {
        int c = by_rank_cmp(r, n->row);
        if (c == 0) return before + count(n->left) + 1;
        if (c < 0)
            n = n->left;
        else
            before += count(n->left) + 1, n = n->right;
    }
    return 0;
}

const struct spd_row *spd_list_next_by_id(const struct spd_list *l, int64_t after)
{
    const struct node *n = after == INT64_MAX ? NULL : at_or_after_id(l->by_id, after + 1);
    return n ? &n->row->pub : NULL;
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
