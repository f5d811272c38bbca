/* src/daemon/config_transport.c: what spoed.yaml says about lines: TLS, who may connect, how many
 * connections, and the quirks of peers. */
#define _GNU_SOURCE
#include "daemon/config_table.h"

#include <stdlib.h>

#include "hl7/v2/quirk.h"
#include "net/tls.h"

enum { MAX_CONNECTIONS = 4096, MAX_RANGES = 256 };

/* ---- quirks ---------------------------------------------------------------------------------- */
static enum spd_rc read_quirks(struct spd__reading *r, const struct spd_yaml *node, unsigned *ret)
{
    const char *names[33] = {NULL};
    unsigned set;
    enum spd_rc rc;
    for (size_t i = 0; hl7_quirks[i].name; i++)
        names[i] = hl7_quirks[i].name;
    if ((rc = spd__config_set(r, node, names, &set))) return rc;
    *ret = 0;
    for (size_t i = 0; hl7_quirks[i].name; i++)
        if (set >> i & 1) *ret |= hl7_quirks[i].bit;
    return SPD_OK;
}

static void show_quirks(unsigned quirks, const char *indent, struct spd_str *out)
{
    const char *sep = "";
    spd_str_addf(out, "%squirks: [", indent);
    for (const struct hl7_quirk_row *q = hl7_quirks; q->name; q++)
        if (quirks & q->bit) spd_str_addf(out, "%s%s", sep, q->name), sep = ", ";
    spd_str_addz(out, "]\n");
}

enum spd_rc spd__read_peer_quirks(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    return read_quirks(r, node, &((struct spd_peer *)base)->quirks);
}

void spd__show_peer_quirks(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_peer *p = base;
    if (p->quirks) show_quirks(p->quirks, indent, out);
}

enum spd_rc spd__read_send_quirks(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_channel_config *c = base;
    c->quirks_given = true;
    return read_quirks(r, node, &c->quirks);
}

void spd__show_send_quirks(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_channel_config *c = base;
    if (c->quirks_given) show_quirks(c->quirks, indent, out);
}

/* ---- how many, and from where ---------------------------------------------------------------- */
static enum spd_rc read_connections(struct spd__reading *r, const struct spd_yaml *node, int *ret)
{
    int64_t n;
    enum spd_rc rc = spd_yaml_int(node, 1, MAX_CONNECTIONS, &n, r->err);
    if (!rc) *ret = (int)n;
    return rc;
}

static void show_connections(int n, const char *indent, struct spd_str *out)
{
    if (n) spd_str_addf(out, "%smax_connections: %d\n", indent, n);
}

enum spd_rc spd__read_peer_connections(struct spd__reading *r, const struct spd_yaml *node,
                                       void *base)
{
    return read_connections(r, node, &((struct spd_peer *)base)->max_connections);
}

void spd__show_peer_connections(const void *base, const char *indent, struct spd_str *out)
{
    show_connections(((const struct spd_peer *)base)->max_connections, indent, out);
}

enum spd_rc spd__read_listen_connections(struct spd__reading *r, const struct spd_yaml *node,
                                         void *base)
{
    return read_connections(r, node, &((struct spd_listen *)base)->max_connections);
}

void spd__show_listen_connections(const void *base, const char *indent, struct spd_str *out)
{
    show_connections(((const struct spd_listen *)base)->max_connections, indent, out);
}

enum spd_rc spd__read_allow(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_listen *l = base;
    const struct spd_yaml *c = node->kind == SPD_YAML_TEXT ? node : node->child;
    struct spd_err why = {0};
    enum spd_rc rc = spd_yaml_texts(node, &l->allow_texts, &l->n_allow, r->c->arena, r->err);
    if (rc) return rc;
    if (!l->n_allow) return spd_yaml_fail(node, r->err, "an empty list would let nobody in");
    if (l->n_allow > MAX_RANGES)
        return spd_yaml_fail(node, r->err, "more than %d ranges", MAX_RANGES);
    l->allow = SPD_NEW_N(r->c->arena, struct spd_net_range, l->n_allow);
    for (size_t i = 0; i < l->n_allow; i++, c = c->next)
        if (spd_net_range_parse(l->allow_texts[i], &l->allow[i], &why))
            return spd_yaml_fail(c, r->err, "%s", why.text);
    return SPD_OK;
}

void spd__show_allow(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_listen *l = base;
    if (!l->n_allow) return;
    spd_str_addf(out, "%sallow: [", indent);
    for (size_t i = 0; i < l->n_allow; i++) {
        spd_str_addz(out, i ? ", " : "");
        spd_str_json(out, l->allow_texts[i]);
    }
    spd_str_addz(out, "]\n");
}

/* ---- TLS ------------------------------------------------------------------------------------- */
spd_sv spd__credential(struct spd__reading *r, spd_sv path)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (*path.ptr != '/' && credentials && !spd_sv_find(path, SPD_SV("/"), NULL))
        return spd_arena_printf(r->c->arena, "%s/%s", credentials, path.ptr);
    if (*path.ptr != '/')
        return spd_arena_printf(r->c->arena, "%.*s/%s", SPD_SV_ARG(r->dir), path.ptr);
    return path;
}

static enum spd_rc read_tls(struct spd__reading *r, const struct spd_yaml *node,
                            struct spd_channel_tls *ret)
{
    enum spd_rc rc = spd_yaml_map(node, r->err);
    if (!rc) rc = spd__config_read(r, "tls", node, ret);
    if (rc) return rc;
    if (ret->key.len) ret->key = spd__credential(r, ret->key);
    if (!ret->ca.len)
        return spd_yaml_fail_key(node, r->err, "TLS needs a ca: who signed the other side's");
    if (!ret->certificate.len != !ret->key.len)
        return spd_yaml_fail_key(node, r->err, "a certificate and its key go together");
    return SPD_OK;
}

static void show_tls(const struct spd_channel_tls *t, const char *indent, struct spd_str *out)
{
    const struct {
        const char *name;
        spd_sv value;
    } rows[] = {{"certificate", t->certificate},
                {"key", t->key},
                {"ca", t->ca},
                {"crl", t->crl},
                {"server_name", t->server_name}};
    const char *sep = "";
    spd_str_addf(out, "%stls: {", indent);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!rows[i].value.len) continue;
        spd_str_addf(out, "%s%s: ", sep, rows[i].name);
        spd__config_show_text(rows[i].value, out);
        sep = ", ";
    }
    spd_str_addz(out, "}\n");
}

enum spd_rc spd__read_listen_tls(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_listen *l = base;
    enum spd_rc rc;
    if (node->kind == SPD_YAML_TEXT) {
        rc = spd_yaml_bool(node, &l->tls, r->err);
        return !rc && l->tls
                   ? spd_yaml_fail(node, r->err, "TLS needs its files: tls: {certificate, key, ca}")
                   : rc;
    }
    if ((rc = read_tls(r, node, &l->files))) return rc;
    if (l->files.server_name.len)
        return spd_yaml_fail(spd_yaml_get(node, "server_name"), r->err,
                             "server_name is for what we send to");
    if (!l->files.certificate.len)
        return spd_yaml_fail_key(node, r->err, "a listener needs a certificate and its key");
    l->tls = true;
    return SPD_OK;
}

void spd__show_listen_tls(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_listen *l = base;
    if (l->tls)
        show_tls(&l->files, indent, out);
    else
        spd_str_addf(out, "%stls: off\n", indent);
}

enum spd_rc spd__read_poll_tls(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    return read_tls(r, node, &((struct spd_peer *)base)->poll.tls);
}

void spd__show_poll_tls(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_peer *p = base;
    if (p->poll.tls.ca.len) show_tls(&p->poll.tls, indent, out);
}

enum spd_rc spd__read_send_tls(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    return read_tls(r, node, &((struct spd_channel_config *)base)->tls);
}

void spd__show_send_tls(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_channel_config *c = base;
    if (c->tls.ca.len) show_tls(&c->tls, indent, out);
}

/* ---- loading --------------------------------------------------------------------------------- */
struct spd_tls_files spd_config_tls_files(const struct spd_channel_tls *t)
{
    return (struct spd_tls_files){.certificate = t->certificate.len ? t->certificate.ptr : NULL,
                                  .key = t->key.len ? t->key.ptr : NULL,
                                  .ca = t->ca.ptr,
                                  .crl = t->crl.len ? t->crl.ptr : NULL};
}

enum spd_rc spd_config_check_tls(const struct spd_config *c, struct spd_err *err)
{
    enum spd_rc rc = SPD_OK;
    for (size_t i = 0; i < c->n_mllp && !rc; i++) {
        struct spd_tls_files files = spd_config_tls_files(&c->mllp[i].files);
        struct spd_tls *tls = NULL;
        if (c->mllp[i].tls) rc = spd_tls_server(&files, &tls, err);
        spd_tls_unref(tls);
    }
    for (size_t i = 0; i < c->n_send && !rc; i++) {
        struct spd_tls_files files = spd_config_tls_files(&c->send[i].tls);
        struct spd_tls *tls = NULL;
        if (c->send[i].tls.ca.len) rc = spd_tls_client(&files, &tls, err);
        spd_tls_unref(tls);
    }
    return rc;
}
