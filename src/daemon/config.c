/* src/daemon/config.c: load, check and show spoed.yaml. See config.h; rows in config_table.c, peers
 * in config_peers.c, channels and send in config_send.c. Reads files, opens no socket, starts no
 * thread. */
#define _GNU_SOURCE
#include "daemon/config.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config_table.h"

enum { MAX_MEMORY = 32 << 20, MAX_RULES_FILE = 1 << 20 };

/* ---- helpers of the other files ----------------------------------------------------------------
 */
bool spd__is_loopback(spd_sv a)
{
    return spd_sv_is(a, "localhost") || spd_sv_is(a, "::1") || spd_sv_starts(a, SPD_SV("127."));
}

enum spd_rc spd__config_name(struct spd__reading *r, const struct spd_yaml *node, spd_sv *ret)
{
    for (size_t i = 0; i < node->key.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
                    node->key.ptr[i]) ||
            node->key.len > 64)
            return spd_yaml_fail_key(node, r->err,
                                     "a name is at most 64 letters, digits, - _ and .");
    *ret = node->key;
    return SPD_OK;
}

enum spd_rc spd__config_set(struct spd__reading *r, const struct spd_yaml *node,
                            const char *const *names, unsigned *ret)
{
    int word;
    enum spd_rc rc = SPD_OK;
    *ret = 0;
    if (node->kind == SPD_YAML_TEXT) {
        if ((rc = spd_yaml_word(node, names, &word, r->err))) return rc;
        *ret = 1u << word;
        return SPD_OK;
    }
    if ((rc = spd_yaml_list(node, r->err))) return rc;
    for (const struct spd_yaml *c = node->child; c; c = c->next) {
        if ((rc = spd_yaml_word(c, names, &word, r->err))) return rc;
        *ret |= 1u << word;
    }
    return SPD_OK;
}

/* ---- plain sections ----------------------------------------------------------------------------
 */
enum spd_rc spd__read_site(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_settings *s = &((struct spd_config *)base)->settings;
    const struct spd_yaml *zone = spd_yaml_get(node, "time_zone"),
                          *url = spd_yaml_get(node, "public_url");
    enum spd_rc rc = spd__config_read(r, "site", node, s);
    if (rc) return rc;
    if (!spd_zone_get(s->time_zone.ptr))
        return spd_yaml_fail(zone ? zone : node, r->err,
                             "unknown time zone: use a name such as Europe/Amsterdam");
    if (url && !spd_sv_starts(s->public_url, SPD_SV("https://")) &&
        !spd_sv_starts(s->public_url, SPD_SV("http://")))
        return spd_yaml_fail(url, r->err, "expected https://…");
    while (s->public_url.len && s->public_url.ptr[s->public_url.len - 1] == '/')
        s->public_url.len--;
    return SPD_OK;
}

void spd__show_site(const void *base, const char *indent, struct spd_str *out)
{
    (void)indent;
    spd_str_addz(out, "site:\n");
    spd__config_show_section("site", &((const struct spd_config *)base)->settings, "  ", out);
}

enum spd_rc spd__read_store(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_config *c = base;
    const struct spd_yaml *url = spd_yaml_get(node, "url");
    enum spd_rc rc = spd__config_read(r, "store", node, c);
    if (rc) return rc;
    if (spd_sv_starts(c->store_url, SPD_SV("postgresql://")))
        return spd_yaml_fail(url, r->err,
                             "PostgreSQL is not in this version: use sqlite:/path/spoed.db");
    if (!spd_sv_starts(c->store_url, SPD_SV("sqlite:")) || c->store_url.len < 8)
        return spd_yaml_fail(url ? url : node, r->err, "expected sqlite:/path/spoed.db");
    if (c->store_url.ptr[7] != '/' && c->store_url.ptr[7] != ':')
        c->store_url =
            spd_arena_printf(c->arena, "sqlite:%.*s/%s", SPD_SV_ARG(r->dir), c->store_url.ptr + 7);
    return SPD_OK;
}

void spd__show_store(const void *base, const char *indent, struct spd_str *out)
{
    (void)indent;
    spd_str_addz(out, "store:\n");
    spd__config_show_section("store", base, "  ", out);
}

enum spd_rc spd__read_log(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    return spd__config_read(r, "log", node, base);
}

void spd__show_log(const void *base, const char *indent, struct spd_str *out)
{
    (void)indent;
    spd_str_addz(out, "log:\n");
    spd__config_show_section("log", base, "  ", out);
}

/* ---- listen ------------------------------------------------------------------------------------
 */
enum spd_rc spd__read_listen(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    return spd__config_read(r, "listen", node, base);
}

void spd__show_listen(const void *base, const char *indent, struct spd_str *out)
{
    (void)indent;
    spd_str_addz(out, "listen:\n");
    spd__config_show_section("listen", base, "  ", out);
}

static enum spd_rc read_listeners(struct spd__reading *r, const char *section,
                                  const struct spd_yaml *node, struct spd_listen **ret,
                                  size_t *ret_n)
{
    enum spd_rc rc = spd_yaml_list(node, r->err);
    if (rc) return rc;
    if (node->n > 16) return spd_yaml_fail(node, r->err, "more than 16 listeners");
    *ret = SPD_NEW_N(r->c->arena, struct spd_listen, node->n + 1);
    *ret_n = 0;
    for (const struct spd_yaml *c = node->child; c; c = c->next)
        if ((rc = spd__config_read(r, section, c, &(*ret)[(*ret_n)++]))) return rc;
    return SPD_OK;
}

enum spd_rc spd__read_http(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_config *c = base;
    const struct spd_yaml *e = node->child;
    enum spd_rc rc = read_listeners(r, "listen.http", node, &c->http, &c->n_http);
    for (size_t i = 0; !rc && i < c->n_http; i++, e = e->next) {
        const struct spd_listen *l = &c->http[i];
        const struct spd_yaml *proxy = spd_yaml_get(e, "proxy");
        if (l->socket.len && (l->address.len || l->port))
            return spd_yaml_fail(e, r->err, "a listener has a socket, or an address and a port");
        if (!l->socket.len && (!l->address.len || !l->port))
            return spd_yaml_fail(e, r->err, "a listener needs a socket, or an address and a port");
        if (!l->socket.len && l->n_roles)
            return spd_yaml_fail(e, r->err, "roles by system user are for sockets only");
        if (!l->socket.len && !spd__is_loopback(l->address) &&
            !(proxy && spd_sv_is(proxy->text, "tls")))
            return spd_yaml_fail(
                e, r->err,
                "HTTP beyond loopback needs a proxy that speaks TLS: put one in front and "
                "declare proxy: tls");
    }
    return rc;
}

static void show_listeners(const char *section, const struct spd_listen *v, size_t n,
                           struct spd_str *out)
{
    spd_str_addf(out, "  %s:%s\n", section + 7, n ? "" : " []");
    for (size_t i = 0; i < n; i++) {
        size_t at = out->len + 4;
        spd__config_show_section(section, &v[i], "      ", out);
        if (out->len > at) out->ptr[at] = '-';
    }
}

void spd__show_http(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_config *c = base;
    (void)indent;
    show_listeners("listen.http", c->http, c->n_http, out);
}

enum spd_rc spd__read_mllp(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_config *c = base;
    const struct spd_yaml *e = node->child;
    enum spd_rc rc = read_listeners(r, "listen.mllp", node, &c->mllp, &c->n_mllp);
    for (size_t i = 0; !rc && i < c->n_mllp; i++, e = e->next)
        if (!c->mllp[i].tls && !c->mllp[i].insecure && !spd__is_loopback(c->mllp[i].address))
            return spd_yaml_fail(
                e, r->err,
                "plain text beyond loopback: give tls: {certificate, key, ca}, or accept it in "
                "writing with insecure: true");
    return rc;
}

void spd__show_mllp(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_config *c = base;
    (void)indent;
    show_listeners("listen.mllp", c->mllp, c->n_mllp, out);
}

static bool good_ae(spd_sv v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] < ' ' || v.ptr[i] > '~' || v.ptr[i] == '\\') return false;
    return v.len >= 1 && v.len <= 16; /* PS3.5 §6.2, VR AE */
}

enum spd_rc spd__read_dicom(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_config *c = base;
    enum spd_rc rc = spd__config_read(r, "listen.dicom", node, c);
    if (rc) return rc;
    c->dicom = true;
    if (c->dicom_listen.tls_port && c->dicom_listen.tls_port == c->dicom_listen.port)
        return spd_yaml_fail(node, r->err, "TLS needs a port of its own");
    if (!good_ae(c->dicom_listen.ae_title) || !good_ae(c->dicom_listen.reporting_ae_title))
        return spd_yaml_fail(node, r->err, "an AE title is 1 to 16 characters without backslash");
    if (spd_sv_eq(c->dicom_listen.ae_title, c->dicom_listen.reporting_ae_title))
        return spd_yaml_fail(
            node, r->err,
            "the two AE titles must differ: a finished exam must never be offered to a scanner");
    return SPD_OK;
}

enum spd_rc spd__read_dicom_tls(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_config *c = base;
    enum spd_rc rc = spd__config_read(r, "listen.dicom.tls", node, c);
    if (!rc) c->dicom_listen.tls.key = spd__credential(r, c->dicom_listen.tls.key);
    return rc;
}

void spd__show_dicom_tls(const void *base, const char *indent, struct spd_str *out)
{
    if (!((const struct spd_config *)base)->dicom_listen.tls_port) return;
    spd_str_addf(out, "%stls:\n", indent);
    spd__config_show_section("listen.dicom.tls", base, "      ", out);
}

void spd__show_dicom(const void *base, const char *indent, struct spd_str *out)
{
    (void)indent;
    if (!((const struct spd_config *)base)->dicom) return;
    spd_str_addz(out, "  dicom:\n");
    spd__config_show_section("listen.dicom", base, "    ", out);
}

enum spd_rc spd__read_socket_roles(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    static const char *const roles[] = {"reader", "reporter", "clinician", "manager",
                                        "admin",  "hook",     NULL};
    struct spd_listen *l = base;
    enum spd_rc rc = spd_yaml_map(node, r->err);
    if (rc) return rc;
    for (const struct spd_yaml *c = node->child; c; c = c->next) {
        unsigned set;
        if ((rc = spd__config_set(r, c, roles, &set))) return rc;
        for (int i = 0; roles[i]; i++) {
            if (!(set >> i & 1)) continue;
            if (l->n_roles == sizeof l->roles / sizeof *l->roles)
                return spd_yaml_fail(c, r->err, "more than 8 roles on one socket");
            l->roles[l->n_roles].user = c->key, l->roles[l->n_roles++].role = spd_sv_from(roles[i]);
        }
    }
    return SPD_OK;
}

void spd__show_socket_roles(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_listen *l = base;
    if (!l->n_roles) return;
    spd_str_addf(out, "%sroles: {", indent);
    for (size_t i = 0; i < l->n_roles; i++) {
        bool again = i && spd_sv_eq(l->roles[i].user, l->roles[i - 1].user);
        bool more = i + 1 < l->n_roles && spd_sv_eq(l->roles[i].user, l->roles[i + 1].user);
        if (!again) {
            spd_str_addz(out, i ? ", " : "");
            spd__config_show_text(l->roles[i].user, out);
            spd_str_addz(out, ": [");
        }
        spd_str_add(out, l->roles[i].role);
        spd_str_addz(out, more ? ", " : "]");
    }
    spd_str_addz(out, "}\n");
}

/* ---- the whole ------------------------------------------------------------------------------ */
static bool is_folder(const char *p)
{
    struct stat st;
    return !stat(p, &st) && S_ISDIR(st.st_mode);
}

/* In a development tree the binary stands in build/<preset>/, two below the root. */
static void find_share(struct spd__reading *r)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    spd_sv root, share;
    r->share = SPD_SV("/usr/share/spoed"), r->assets = SPD_SV("/usr/share/spoed/web");
    if (n <= 0) return;
    for (int up = 0; up < 3 && n > 0; up++)
        while (n > 0 && exe[--n] != '/') {
        }
    for (int test = 0; test < 2 && n > 0; test++) { /* tests stand one folder deeper */
        root = spd_sv_of(exe, (size_t)n);
        share = spd_arena_printf(r->c->arena, "%.*s/packaging/share", SPD_SV_ARG(root));
        if (is_folder(share.ptr)) {
            r->share = share;
            r->assets = spd_arena_printf(r->c->arena, "%.*s/src/web/assets", SPD_SV_ARG(root));
            return;
        }
        while (n > 0 && exe[--n] != '/') {
        }
    }
}

static void set_dir(struct spd__reading *r, const char *path)
{
    char cwd[PATH_MAX];
    const char *slash = strrchr(path, '/');
    spd_sv dir = slash ? spd_sv_of(path, slash == path ? 1 : (size_t)(slash - path)) : SPD_SV_NONE;
    if (*path == '/' || !getcwd(cwd, sizeof cwd))
        r->dir = spd_arena_dup(r->c->arena, dir);
    else
        r->dir =
            spd_arena_printf(r->c->arena, dir.len ? "%s/%.*s" : "%s%.*s", cwd, SPD_SV_ARG(dir));
}

static void peer_facts(struct spd_config *c)
{
    static const struct {
        size_t at;
        const char *name;
    } roles[] = {{offsetof(struct spd_peer, orders), "orders"},
                 {offsetof(struct spd_peer, adt), "adt"},
                 {offsetof(struct spd_peer, reports), "reports"},
                 {offsetof(struct spd_peer, results), "results"}};
    for (size_t i = 0; i < c->n_peers; i++) {
        struct spd_peer *p = &c->peers[i];
        struct spd_peer_fact *fact = SPD_LIST_ADD(&c->settings.peers, c->arena);
        fact->name = p->name, fact->expect_every = p->expect_every;
        for (size_t k = 0; k < 4; k++)
            if (*(const bool *)((const char *)p + roles[k].at))
                *SPD_LIST_ADD(&fact->roles, c->arena) = spd_sv_from(roles[k].name);
        if (!p->time_zone.len) p->time_zone = c->settings.time_zone;
        if (!p->patient_authority.len) p->patient_authority = c->settings.patient_authority;
        if (!p->accession_issuer.len) p->accession_issuer = c->settings.accession_issuer;
    }
    for (size_t i = 0; i < c->n_send; i++)
        c->send[i].language = c->settings.language;
    for (size_t i = 0; i < c->n_channels; i++) {
        struct spd_channel_fact *fact = SPD_LIST_ADD(&c->settings.channels, c->arena);
        fact->name = c->channels[i].name, fact->type = c->channels[i].type,
        fact->mode = c->channels[i].mode;
        c->channels[i].language = c->settings.language;
    }
}

/* r->dir is set. */
static enum spd_rc read_text(struct spd__reading *r, const struct spd_source *file)
{
    static const struct spd_yaml empty = {
        .kind = SPD_YAML_MAP, .line = 1, .col = 1, .file = "default"};
    struct spd_config *c = r->c;
    struct spd_yaml *root;
    enum spd_rc rc;
    if ((rc = spd_yaml_parse(file, &root, c->arena, r->err)) ||
        (rc = spd_yaml_map(root, r->err)) || (rc = spd__config_environment(root, c->arena, r->err)))
        return rc;
    c->path = spd_arena_dup(c->arena, file->name);
    if ((!spd_yaml_get(root, "site") && (rc = spd__read_site(r, &empty, c))) ||
        (!spd_yaml_get(root, "store") && (rc = spd__read_store(r, &empty, c))) ||
        (rc = spd__config_read(r, "", root, c)))
        return rc;
    peer_facts(c);
    return SPD_OK;
}

static enum spd_rc load(struct spd__reading *r, const char *path)
{
    struct spd_source file;
    enum spd_rc rc = spd_source_read(path, MAX_RULES_FILE, &file, r->c->arena, r->err);
    if (rc) return rc;
    file.name = spd_sv_from(path);
    set_dir(r, path);
    find_share(r);
    return read_text(r, &file);
}

/* Nobody's hospital: the sample rules, and one peer that may send everything. */
static enum spd_rc load_sample(struct spd__reading *r, const char *path)
{
    static const char text[] = "site: {name: sample}\n"
                               "store: {url: 'sqlite::memory:'}\n"
                               "policy: [policy.d/*.yaml]\n"
                               "models: [models.d/*.yaml]\n"
                               "people: people.yaml\n"
                               "peers: {anybody: {match: {door: hl7}, roles: [orders, adt, reports]}}\n";
    struct spd_source file = {spd_sv_from(path), {text, sizeof text - 1}};
    find_share(r);
    r->dir = r->share;
    return read_text(r, &file);
}

static enum spd_rc load_with(enum spd_rc (*how)(struct spd__reading *, const char *), const char *path,
                             struct spd_config **ret, struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new(MAX_MEMORY);
    struct spd__reading r = {.err = err};
    enum spd_rc rc;
    if (!arena) spd_out_of_memory();
    r.c = SPD_NEW(arena, struct spd_config);
    r.c->arena = arena;
    if ((rc = how(&r, path)))
        spd_config_free(r.c);
    else
        *ret = r.c;
    return rc;
}

enum spd_rc spd_config_load(const char *path, struct spd_config **ret, struct spd_err *err)
{
    return load_with(load, path, ret, err);
}

enum spd_rc spd_config_sample(struct spd_config **ret, struct spd_err *err)
{
    return load_with(load_sample, "sample", ret, err);
}

void spd_config_free(struct spd_config *c)
{
    if (!c) return;
    spd__config_free_maps(c);
    spd_arena_free(c->arena);
}

void spd_config_show(const struct spd_config *c, struct spd_str *out)
{
    spd__config_show_section("", c, "", out);
}

static enum spd_rc read_globs(const spd_sv *globs, size_t n, struct spd_source **ret, size_t *ret_n,
                              struct spd_arena *arena, struct spd_err *err)
{
    struct {
        struct spd_source *v;
        size_t n;
    } all = {NULL, 0};
    enum spd_rc rc;
    for (size_t i = 0; i < n; i++) {
        struct spd_source *some;
        size_t k;
        if ((rc = spd_source_glob(globs[i].ptr, MAX_RULES_FILE, &some, &k, arena, err))) return rc;
        for (size_t j = 0; j < k; j++)
            *SPD_LIST_ADD(&all, arena) = some[j];
    }
    *ret = all.v, *ret_n = all.n;
    return SPD_OK;
}

enum spd_rc spd_config_read_rules(const struct spd_config *c, struct spd_rules_files *ret,
                                  struct spd_arena *arena, struct spd_err *err)
{
    enum spd_rc rc;
    memset(ret, 0, sizeof *ret);
    if ((rc = read_globs(c->policy_globs, c->n_policy_globs, &ret->policy, &ret->n_policy, arena,
                         err)) ||
        (rc = read_globs(c->model_globs, c->n_model_globs, &ret->models, &ret->n_models, arena,
                         err)))
        return rc;
    return spd_source_read(c->people_path.ptr, MAX_RULES_FILE, &ret->people, arena, err);
}
