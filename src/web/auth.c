/* src/web/auth.c: who asks: session cookie, API token, or the process at the other end of a Unix
 * socket.
 *
 * Sessions live in memory only (a restart logs everybody out): idle 15 minutes, at most 10 hours.
 * The cookie is Secure, HttpOnly and SameSite=Strict, and "__Host-spoed" when site.public_url is https. On
 * plain http, which is loopback, it is "spoed": browsers take a Secure cookie there, since loopback is
 * trustworthy, but not the prefix. Accounts are read anew for every request, so that a change of roles or
 * a closed account works at once.
 *
 * Guessing: at most two password checks run at once (128 MiB each), an unknown user costs the same,
 * and after five failures for one user from one address the next try has to wait, doubling up to a
 * minute. Nobody is locked out for good: paging staff must get in. Beyond loopback an address has
 * ten tries a minute. */
#include "web/web_int.h"

#include <semaphore.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/password.h"

enum { SESSIONS = 1024, FAILURES = 1024, TRIES = 10 };
#define IDLE SPD_MIN(15)
#define ABSOLUTE SPD_HOUR(10)

struct session {
    unsigned char id_hash[32]; /* the cookie itself is not kept */
    char user[128], csrf[48];
    spd_usec made, used;
};
struct failure { /* by hash of user and address; by address alone for the tries of a minute */
    unsigned char key[32];
    unsigned n;
    spd_usec last;
};
struct spd_web_auth {
    pthread_mutex_t lock;
    struct session sessions[SESSIONS];
    struct failure failures[FAILURES];
    sem_t checks;
};

struct spd_web_auth *spd_web_auth_new(void)
{
    struct spd_web_auth *a = spd_must_malloc(sizeof *a);
    pthread_mutex_init(&a->lock, NULL);
    sem_init(&a->checks, 0, 2);
    return a;
}

void spd_web_auth_free(struct spd_web_auth *a)
{
    if (!a) return;
    explicit_bzero(a->sessions, sizeof a->sessions);
    pthread_mutex_destroy(&a->lock);
    sem_destroy(&a->checks);
    spd_free(a);
}

/* ---- roles ---------------------------------------------------------------------------------- */
static const char *const role_names[] = {"reader",  "reporter", "clinician",
                                         "manager", "admin",    "hook"};

unsigned spd_web_roles(spd_sv list)
{
    unsigned bits = 0;
    for (size_t at = 0; at < list.len;) {
        size_t end = at;
        while (end < list.len && list.ptr[end] != ',')
            end++;
        spd_sv one = spd_sv_trim(spd_sv_of(list.ptr + at, end - at));
        for (unsigned i = 0; i < 6; i++)
            if (spd_sv_is(one, role_names[i])) bits |= 1u << i;
        at = end + 1;
    }
    return bits;
}

const char *spd_web_role_name(unsigned bit)
{
    for (unsigned i = 0; i < 6; i++)
        if (bit == 1u << i) return role_names[i];
    return "";
}

/* ---- sessions
 * ------------------------------------------------------------------------------------ */
spd_sv spd_web_cookie_name(const struct spd_web *w)
{
    return w->https ? SPD_SV("__Host-spoed") : SPD_SV("spoed");
}

static spd_sv cookie(const struct spd_web_req *r)
{
    spd_sv all = spd_web_header(r, "Cookie"), name = spd_web_cookie_name(r->web);
    for (size_t at = 0; at < all.len;) {
        size_t end = at, eq;
        while (end < all.len && all.ptr[end] != ';')
            end++;
        spd_sv one = spd_sv_trim(spd_sv_of(all.ptr + at, end - at));
        at = end + 1;
        if (spd_sv_find(one, SPD_SV("="), &eq) && spd_sv_eq(spd_sv_of(one.ptr, eq), name))
            return spd_sv_of(one.ptr + eq + 1, one.len - eq - 1);
    }
    return SPD_SV_NONE;
}

static bool fresh(const struct session *s, spd_usec now)
{
    return s->user[0] && now - s->used < IDLE && now - s->made < ABSOLUTE;
}

/* Under the lock. */
static struct session *find_session(struct spd_web_auth *a, spd_sv id)
{
    unsigned char hash[32];
    spd_usec now = spd_clock_monotonic();
    spd_sha256(id, hash);
    for (size_t i = 0; i < SESSIONS; i++) {
        struct session *s = &a->sessions[i];
        if (!s->user[0]) continue;
        if (!fresh(s, now)) {
            explicit_bzero(s, sizeof *s);
            continue;
        }
        if (spd_same_secret(spd_sv_of((char *)s->id_hash, 32), spd_sv_of((char *)hash, 32)))
            return s;
    }
    return NULL;
}

bool spd_web_session_alive(struct spd_web *w, spd_sv id)
{
    pthread_mutex_lock(&w->auth->lock);
    bool yes = find_session(w->auth, id) != NULL;
    pthread_mutex_unlock(&w->auth->lock);
    return yes;
}

static void new_session(struct spd_web_req *r, spd_sv user, spd_sv *ret_id, spd_sv *ret_csrf)
{
    struct spd_web_auth *a = r->web->auth;
    unsigned char id[32], csrf[32];
    struct session *use = &a->sessions[0];
    spd_random(id, sizeof id);
    spd_random(csrf, sizeof csrf);
    *ret_id = spd_base64url(r->arena, id, sizeof id);
    *ret_csrf = spd_base64url(r->arena, csrf, sizeof csrf);
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < SESSIONS; i++) { /* a free place, else the one used longest ago */
        struct session *s = &a->sessions[i];
        if (!s->user[0]) {
            use = s;
            break;
        }
        if (s->used < use->used) use = s;
    }
    explicit_bzero(use, sizeof *use);
    spd_sha256(*ret_id, use->id_hash);
    snprintf(use->user, sizeof use->user, "%.*s", SPD_SV_ARG(user));
    snprintf(use->csrf, sizeof use->csrf, "%.*s", SPD_SV_ARG(*ret_csrf));
    use->made = use->used = spd_clock_monotonic();
    pthread_mutex_unlock(&a->lock);
}

/* ---- who ------------------------------------------------------------------------------------ */
static bool load_user(struct spd_web_req *r, enum spd_key_kind kind, spd_sv key,
                      struct spd_user *ret)
{
    struct spd_err err = {0};
    struct spd_query *q = spd_web_db(r);
    int64_t id;
    if (!q) {
        r->status = 0; /* the handler says it better, where it needs no login */
        r->who_unknown = true;
        spd_str_clear(&r->out);
        return false;
    }
    enum spd_rc rc = spd_store_find_one(spd_query_store(q), kind, key, &id, &err);
    if (!rc) rc = spd_get_user(spd_query_store(q), id, ret, r->arena, &err);
    if (rc && rc != SPD_NOTFOUND) r->who_unknown = true;
    if (rc && rc != SPD_NOTFOUND)
        spd_log(SPD_LOG_WARNING, "accounts cannot be read", SPD_LZ("rc", spd_rc_name(rc)));
    return !rc && !ret->disabled;
}

static unsigned user_roles(const struct spd_user *u)
{
    unsigned bits = 0;
    for (size_t i = 0; i < u->roles.n; i++)
        bits |= spd_web_roles(u->roles.v[i]);
    return bits;
}

void spd_web_identify(struct spd_web_req *r)
{
    struct spd_user u = {0};
    spd_sv authorization = spd_web_header(r, "Authorization"), id = cookie(r);
    r->who = (struct spd_web_who){0};
    if (authorization.len > 7 && spd_sv_ieq(spd_sv_of(authorization.ptr, 7), SPD_SV("Bearer "))) {
        spd_sv token = spd_sv_trim(spd_sv_of(authorization.ptr + 7, authorization.len - 7));
        if (load_user(r, SPD_KEY_USER_TOKEN, spd_sha256_hex(r->arena, token), &u))
            r->who =
                (struct spd_web_who){.by = SPD_BY_TOKEN, .name = u.name, .roles = user_roles(&u)};
        return; /* a wrong token is not made good by anything else */
    }
    if (id.len >= 40 && id.len <= 64) {
        pthread_mutex_lock(&r->web->auth->lock);
        struct session *s = find_session(r->web->auth, id);
        if (s) {
            s->used = spd_clock_monotonic();
            r->who.name = spd_arena_dup(r->arena, spd_sv_from(s->user));
            r->who.csrf = spd_arena_dup(r->arena, spd_sv_from(s->csrf));
        }
        pthread_mutex_unlock(&r->web->auth->lock);
        if (s && load_user(r, SPD_KEY_USER_NAME, r->who.name, &u)) {
            r->who.by = SPD_BY_COOKIE;
            r->who.roles = user_roles(&u);
            r->who.session = spd_arena_dup(r->arena, id);
            return;
        }
        r->who = (struct spd_web_who){0};
    }
    if (!r->local_socket) return;
    for (size_t i = 0; i < r->listen->n_uids; i++) {
        const struct spd_web_uid *p = &r->listen->uids[i];
        if (p->uid != r->uid) continue;
        r->who = (struct spd_web_who){
            .by = SPD_BY_SOCKET, .name = p->name, .roles = spd_web_roles(p->roles)};
        return;
    }
}

bool spd_web_same_origin(const struct spd_web_req *r)
{
    spd_sv site = spd_web_header(r, "Sec-Fetch-Site"), origin = spd_web_header(r, "Origin"),
           host = spd_web_header(r, "Host");
    if (site.len && !spd_sv_is(site, "same-origin") && !spd_sv_is(site, "none")) return false;
    if (!origin.len) return true; /* no browser: the CSRF token still has to be right */
    if (r->web->origin.len && spd_sv_ieq(origin, r->web->origin)) return true;
    if (r->web->https) return false;
    return spd_sv_starts(origin, SPD_SV("http://")) &&
           spd_sv_ieq(spd_sv_of(origin.ptr + 7, origin.len - 7), host);
}

/* ---- logging in
 * ----------------------------------------------------------------------------------- */
/* Under the lock. A place for the key: its own, a free one, or the oldest. */
static struct failure *failure_of(struct spd_web_auth *a, const unsigned char key[32])
{
    struct failure *use = &a->failures[0];
    for (size_t i = 0; i < FAILURES; i++) {
        struct failure *f = &a->failures[i];
        if (f->last && memcmp(f->key, key, 32) == 0) return f;
        if (f->last < use->last) use = f;
    }
    *use = (struct failure){0};
    memcpy(use->key, key, 32);
    return use;
}

static void keys_of(struct spd_web_req *r, spd_sv user, unsigned char both[32],
                    unsigned char address[32])
{
    spd_sha256(spd_arena_printf(r->arena, "u|%.*s|%.*s", SPD_SV_ARG(user), SPD_SV_ARG(r->address)),
               both);
    spd_sha256(spd_arena_printf(r->arena, "a|%.*s", SPD_SV_ARG(r->address)), address);
}

/* 0: may try now; else the seconds to wait. Counts the try of this address. */
static int64_t must_wait(struct spd_web_req *r, const unsigned char both[32],
                         const unsigned char address[32])
{
    struct spd_web_auth *a = r->web->auth;
    spd_usec now = spd_clock_monotonic(), until = 0;
    pthread_mutex_lock(&a->lock);
    struct failure *f = failure_of(a, both);
    if (f->n >= 5) until = f->last + SPD_SEC(f->n > 10 ? 60 : 1 << (f->n - 5));
    if (r->address.len && !r->loopback) {
        f = failure_of(a, address);
        if (!f->last || now - f->last >= SPD_MIN(1)) f->n = 0, f->last = now;
        if (++f->n > TRIES && f->last + SPD_MIN(1) > until) until = f->last + SPD_MIN(1);
    }
    pthread_mutex_unlock(&a->lock);
    return until > now ? (until - now) / SPD_USEC_PER_SEC + 1 : 0;
}

static void note_try(struct spd_web_req *r, const unsigned char both[32], bool good)
{
    struct spd_web_auth *a = r->web->auth;
    pthread_mutex_lock(&a->lock);
    struct failure *f = failure_of(a, both);
    f->n = good ? 0 : f->n + 1;
    f->last = good ? 0 : spd_clock_monotonic();
    pthread_mutex_unlock(&a->lock);
}

static void who_json(struct spd_web_req *r, spd_sv name, unsigned roles, spd_sv csrf)
{
    spd_j_open(&r->out, NULL, '{');
    spd_j_text(&r->out, "user", name);
    spd_j_open(&r->out, "roles", '[');
    for (unsigned bit = 1; bit <= SPD_ROLE_HOOK; bit <<= 1)
        if (roles & bit) spd_j_z(&r->out, NULL, spd_web_role_name(bit));
    spd_j_close(&r->out, ']');
    spd_j_text_or_null(&r->out, "csrf", csrf);
    spd_j_text(&r->out, "site", r->web->host.site.name);
    spd_web_observe(r);
    spd_j_close(&r->out, '}');
    spd_web_json_done(r, 200);
}

static void set_cookie(struct spd_web_req *r, spd_sv id)
{
    spd_sv name = spd_web_cookie_name(r->web);
    spd_web_set(r, "Set-Cookie",
                spd_arena_printf(r->arena, "%.*s=%.*s; Path=/; Secure; HttpOnly; SameSite=Strict%s",
                                 SPD_SV_ARG(name), SPD_SV_ARG(id), id.len ? "" : "; Max-Age=0"));
}

static void check_password(struct spd_web_req *r, spd_sv name, spd_sv password)
{
    struct spd_user u = {0};
    unsigned char both[32], address[32];
    spd_sv id, csrf;
    keys_of(r, name, both, address);
    int64_t wait = must_wait(r, both, address);
    if (wait) {
        spd_web_set(r, "Retry-After", spd_arena_printf(r->arena, "%lld", (long long)wait));
        spd_web_problem(r, 429, "login_slow", SPD_SV_NONE);
        return;
    }
    struct spd_query *q = spd_web_db(r);
    if (!q) return; /* 503 */
    bool known = load_user(r, SPD_KEY_USER_NAME, name, &u) && u.password.len && name.len < 128;
    while (sem_wait(&r->web->auth->checks))
        continue;
    enum spd_rc rc =
        known ? spd_password_verify(u.password, password, NULL) : spd_password_pretend(password);
    sem_post(&r->web->auth->checks);
    bool good = known && rc == SPD_OK;
    note_try(r, both, good);
    spd_log(good ? SPD_LOG_INFO : SPD_LOG_WARNING, good ? "login" : "login failed",
            SPD_LP("user", name));
    if (!good) {
        spd_web_problem(r, 401, "login_failed", SPD_SV_NONE);
        return;
    }
    new_session(r, u.name, &id, &csrf);
    set_cookie(r, id);
    who_json(r, u.name, user_roles(&u), csrf);
}

void spd_web_session_post(struct spd_web_req *r)
{
    static const char *const fields[] = {"user", "password", NULL};
    spd_sv user, password;
    if (!spd_web_same_origin(r)) { /* nobody is logged in as somebody else from another site */
        spd_web_problem(r, 403, "csrf", SPD_SV_NONE);
        return;
    }
    json_t *o = spd_web_body(r);
    if (!o) return;
    if (spd_web_only(r, o, fields) && spd_web_text(r, o, "user", true, 128, &user) &&
        spd_web_text(r, o, "password", true, SPD_PASSWORD_MAX, &password))
        check_password(r, user, password);
    json_decref(o);
}

void spd_web_session_get(struct spd_web_req *r)
{
    who_json(r, r->who.name, r->who.roles, r->who.csrf);
}

void spd_web_session_delete(struct spd_web_req *r)
{
    if (r->who.by == SPD_BY_COOKIE) {
        pthread_mutex_lock(&r->web->auth->lock);
        struct session *s = find_session(r->web->auth, r->who.session);
        if (s) explicit_bzero(s, sizeof *s);
        pthread_mutex_unlock(&r->web->auth->lock);
        set_cookie(r, SPD_SV_NONE);
    }
    spd_j_open(&r->out, NULL, '{');
    spd_j_close(&r->out, '}');
    spd_web_json_done(r, 200);
}
