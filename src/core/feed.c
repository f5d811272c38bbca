/* src/core/feed.c: does the list hold everything? When each peer last spoke, whether that is too
 * long ago, and what the last comparison with the RIS's open list found (domain §9, §11).
 *
 * A peer with expect_every has a mark, the setting "heard:NAME": the time of a message, and the
 * word "silent" while its alarm stands. The mark is moved at most sixteen times per expect_every,
 * so that a busy feed costs a comparison in memory and not a row per message; it may be behind by
 * that sixteenth, which the timer adds. So an alarm comes between one and one and an eighth of
 * expect_every after the last message, and the next message ends it. The core's copy of the marks
 * is only a copy: it is read again after anything was rolled back. */
#include "core/internal.h"

enum { MARKS = 16 };

struct spd_mark {
    spd_usec at; /* 0: not read, or expects nothing */
    bool silent;
};

static spd_sv setting_name(struct spd_arena *a, const char *what, spd_sv peer)
{
    return spd_arena_printf(a, "%s:%.*s", what, SPD_SV_ARG(peer));
}

/* "TIME[ WORD…]"; the time of a value that is none is 0. */
static spd_usec time_of(spd_sv value, spd_sv *ret_rest)
{
    size_t n = 0;
    int64_t t = 0;
    while (n < value.len && value.ptr[n] != ' ')
        n++;
    *ret_rest = n < value.len ? spd_sv_of(value.ptr + n + 1, value.len - n - 1) : SPD_SV_NONE;
    return spd_sv_to_i64(spd_sv_of(value.ptr, n), &t) ? t : 0;
}

static enum spd_rc read_setting(struct spd_store *st, spd_sv name, spd_sv *ret, struct spd_arena *a,
                                struct spd_err *err)
{
    struct spd_setting s;
    int64_t id;
    enum spd_rc rc = spd_store_find_one(st, SPD_KEY_SETTING_NAME, name, &id, err);
    *ret = SPD_SV_NONE;
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc;
    rc = spd_get_setting(st, id, &s, a, err);
    if (!rc) *ret = s.value;
    return rc;
}

static enum spd_rc read_mark(struct spd_store *st, spd_sv peer, struct spd_mark *ret,
                             struct spd_arena *a, struct spd_err *err)
{
    spd_sv value, rest;
    enum spd_rc rc = read_setting(st, setting_name(a, "heard", peer), &value, a, err);
    ret->at = time_of(value, &rest);
    ret->silent = spd_sv_is(rest, "silent");
    return rc;
}

static enum spd_rc write_mark(struct spd_tx *tx, spd_sv peer, struct spd_mark m)
{
    return spd_tx_setting_put(
        tx, setting_name(tx->a, "heard", peer).ptr,
        spd_arena_printf(tx->a, "%lld%s", (long long)m.at, m.silent ? " silent" : ""));
}

/* When a feed that was last marked then is silent for certain. */
static spd_usec silent_at(const struct spd_peer_fact *p, spd_usec mark)
{
    return mark + p->expect_every + p->expect_every / MARKS + 1;
}

static const struct spd_peer_fact *peer_fact(const struct spd_settings *s, spd_sv name,
                                             size_t *ret_at)
{
    for (size_t i = 0; i < s->peers.n; i++)
        if (spd_sv_eq(s->peers.v[i].name, name)) {
            *ret_at = i;
            return &s->peers.v[i];
        }
    return NULL;
}

void spd_feed_forget(struct spd_core *core)
{
    spd_free(core->marks);
    core->marks = NULL;
}

static void no_marks(struct spd_core *core)
{
    if (core->marks) return;
    core->marks = spd_must_malloc((core->rules->settings.peers.n + 1) * sizeof *core->marks);
    memset(core->marks, 0, (core->rules->settings.peers.n + 1) * sizeof *core->marks);
}

enum spd_rc spd_feed_heard(struct spd_tx *tx, spd_sv peer)
{
    const struct spd_peer_fact *p;
    struct spd_mark *m;
    size_t at;
    if (!peer.len || !tx->core->rules || tx->import) return SPD_OK;
    p = peer_fact(&tx->core->rules->settings, peer, &at);
    if (!p || !p->expect_every) return SPD_OK;
    no_marks(tx->core);
    m = &tx->core->marks[at];
    if (!m->at) TRY(read_mark(tx->st, peer, m, tx->a, tx->err));
    if (m->at && !m->silent && tx->now - m->at < p->expect_every / MARKS) return SPD_OK;
    if (m->silent || !m->at) {
        TRY(spd_tx_alarm_clear(tx, "feed-silent", peer));
        TRY(spd_tx_timer_set(tx, SPD_TIMER_SILENCE, 0, peer, silent_at(p, tx->now)));
    }
    *m = (struct spd_mark){tx->now, false};
    tx->journal = true; /* also of a message that came twice: it was heard */
    return write_mark(tx, peer, *m);
}

enum spd_rc spd_feed_timer(struct spd_tx *tx, spd_sv peer)
{
    const struct spd_peer_fact *p;
    struct spd_mark m;
    size_t at;
    p = peer_fact(&tx->core->rules->settings, peer, &at);
    if (!p || !p->expect_every) return SPD_OK;
    TRY(read_mark(tx->st, peer, &m, tx->a, tx->err));
    if (m.silent) return SPD_OK;
    if (silent_at(p, m.at) > tx->now)
        return spd_tx_timer_set(tx, SPD_TIMER_SILENCE, 0, peer, silent_at(p, m.at));
    m.silent = true;
    spd_feed_forget(tx->core);
    TRY(write_mark(tx, peer, m));
    return spd_tx_alarm(tx, "feed-silent", peer,
                        "Van deze zender komt niets meer; de werklijst is mogelijk onvolledig.",
                        "Nothing comes from this sender any more; the worklist is possibly "
                        "incomplete.");
}

/* Alarms of peers from which nothing is expected any more. */
static enum spd_rc clear_others(struct spd_tx *tx, const struct spd_settings *s)
{
    int64_t *ids;
    size_t n, at;
    TRY(spd_tx_find(tx, SPD_KEY_ALARM_ANY_OPEN, SPD_SV("1"), &ids, &n));
    for (size_t i = 0; i < n; i++) {
        struct spd_alarm al;
        const struct spd_peer_fact *p;
        TRY(spd_get_alarm(tx->st, ids[i], &al, tx->a, tx->err));
        if (!spd_sv_is(al.kind, "feed-silent")) continue;
        p = peer_fact(s, al.subject, &at);
        if (p && p->expect_every) continue;
        TRY(spd_tx_alarm_clear(tx, "feed-silent", al.subject));
        TRY(write_mark(tx, al.subject, (struct spd_mark){0, false}));
    }
    return SPD_OK;
}

enum spd_rc spd_feed_config(struct spd_tx *tx)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    struct spd_wanted *want = SPD_NEW_N(tx->a, struct spd_wanted, s->peers.n + 1);
    size_t n = 0;
    spd_feed_forget(tx->core); /* it goes by the order of the peers */
    for (size_t i = 0; i < s->peers.n; i++) {
        const struct spd_peer_fact *p = &s->peers.v[i];
        struct spd_mark m;
        if (!p->expect_every) continue;
        TRY(read_mark(tx->st, p->name, &m, tx->a, tx->err));
        if (!m.at || (m.silent && silent_at(p, m.at) > tx->now)) {
            if (m.silent) TRY(spd_tx_alarm_clear(tx, "feed-silent", p->name));
            if (!m.at) m.at = tx->now; /* it has as long from here as between two messages */
            m.silent = false;
            TRY(write_mark(tx, p->name, m));
        }
        if (!m.silent) want[n++] = (struct spd_wanted){p->name, silent_at(p, m.at)};
    }
    TRY(clear_others(tx, s));
    return spd_tx_timers_sync(tx, SPD_TIMER_SILENCE, 0, want, n);
}

/* ---- the comparison with the RIS's open list ------------------------------------------------- */
static enum spd_rc mark_extra(struct spd_tx *tx, spd_sv peer, int64_t id, bool extra)
{
    struct spd_work *w;
    enum spd_rc rc = spd_tx_item(tx, id, &w);
    if (rc) return rc == SPD_NOTFOUND ? SPD_OK : rc; /* a number that somebody made up */
    if (!spd_sv_eq(w->item.peer, peer) || (w->item.extra_since != 0) == extra) return SPD_OK;
    if (extra && !spd_item_open(&w->item)) return SPD_OK; /* closed since the lists were compared */
    w->item.extra_since = extra ? tx->now : 0;
    spd_tx_touch(tx, w, SPD_WHY_PERSON);
    return SPD_OK;
}

/* Nothing is closed or hidden by it: what the RIS does not list is marked, and a person looks. */
enum spd_rc spd_reconcile_in(struct spd_tx *tx, const struct spd_reconcile_event *e)
{
    size_t at;
    if (!peer_fact(&tx->core->rules->settings, e->peer, &at))
        return spd_tx_refuse(tx, SPD_NOTFOUND, "no-such-peer",
                             "Zo'n zender staat niet in de configuratie.",
                             "There is no such peer in the configuration.");
    tx->r->did = SPD_DID_APPLY;
    tx->import = true; /* marks have no effect outward */
    for (size_t i = 0; i < e->extras.n; i++)
        TRY(mark_extra(tx, e->peer, e->extras.v[i], true));
    for (size_t i = 0; i < e->found.n; i++)
        TRY(mark_extra(tx, e->peer, e->found.v[i], false));
    if (!e->last) return SPD_OK;
    TRY(spd_tx_audit(tx, e->by, "reconcile", 0, 0,
                     spd_arena_printf(tx->a,
                                      "%.*s: listed %lld, missing %lld, extra %lld, "
                                      "different %lld",
                                      SPD_SV_ARG(e->peer), (long long)e->listed,
                                      (long long)e->missing, (long long)e->extra,
                                      (long long)e->different)));
    spd_tx_note(tx, "health", 0, 0);
    return spd_tx_setting_put(tx, setting_name(tx->a, "reconciled", e->peer).ptr,
                              spd_arena_printf(tx->a, "%lld %lld %lld %lld", (long long)tx->now,
                                               (long long)e->missing, (long long)e->extra,
                                               (long long)e->different));
}

/* ---- what others may know -------------------------------------------------------------------- */
static enum spd_rc feed_of(struct spd_store *st, const struct spd_peer_fact *p,
                           struct spd_feed *ret, struct spd_arena *a, struct spd_err *err)
{
    struct spd_mark m = {0};
    spd_sv value, rest;
    enum spd_rc rc = SPD_OK;
    *ret = (struct spd_feed){.peer = p->name,
                             .expect_every = p->expect_every,
                             .orders = spd_list_has_text(p->roles.v, p->roles.n, SPD_SV("orders"))};
    if (p->expect_every) rc = read_mark(st, p->name, &m, a, err);
    if (!rc) rc = read_setting(st, setting_name(a, "reconciled", p->name), &value, a, err);
    if (rc) return rc;
    ret->heard = m.at, ret->silent = m.silent;
    ret->reconciled = time_of(value, &rest);
    ret->missing = time_of(rest, &rest), ret->extra = time_of(rest, &rest);
    ret->different = time_of(rest, &rest);
    return SPD_OK;
}

enum spd_rc spd_core_feeds(const struct spd_core *core, struct spd_store *store,
                           struct spd_feed **ret, size_t *ret_n, struct spd_arena *a,
                           struct spd_err *err)
{
    *ret_n = core->rules ? core->rules->settings.peers.n : 0;
    *ret = SPD_NEW_N(a, struct spd_feed, *ret_n + 1);
    for (size_t i = 0; i < *ret_n; i++)
        TRY(feed_of(store, &core->rules->settings.peers.v[i], &(*ret)[i], a, err));
    return SPD_OK;
}

bool spd_feeds_complete(const struct spd_feed *f, size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (f[i].silent || (f[i].orders && (!f[i].reconciled || f[i].missing))) return false;
        any |= f[i].orders;
    }
    return any; /* without anybody who sends orders there is nothing it could be complete by */
}
