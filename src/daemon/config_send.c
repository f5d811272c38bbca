/* src/daemon/config_send.c: channels: and send: of spoed.yaml, and what may not leave in plain
 * text. */
#define _GNU_SOURCE
#include "daemon/config_table.h"
#include "scu/scu.h"


enum { MAX_ENTRIES = 64, MAX_SECRET = 64 << 10 };

/* ---- urls ----------------------------------------------------------------------------------- */
struct scheme {
    const char *prefix, *type;
    bool plain;
};
static const struct scheme schemes[] = {{"https://", "webhook", false},
                                        {"http://", "webhook", true},
                                        {"smtps://", "smtp", false},
                                        {"smtp://", "smtp", true},
                                        {"mllp://", "hl7", true},
                                        {"mllps://", "hl7", false},
                                        {"dicom://", "dicom", true},
                                        {"dicom-tls://", "dicom", false}};

static spd_sv host_of(spd_sv rest)
{
    size_t end = 0, at;
    while (end < rest.len && !strchr("/?#", rest.ptr[end]))
        end++;
    rest.len = end;
    while (spd_sv_find(rest, SPD_SV("@"), &at))
        rest = spd_sv_of(rest.ptr + at + 1, rest.len - at - 1);
    if (rest.len && *rest.ptr == '[')
        return spd_sv_find(rest, SPD_SV("]"), &at) ? spd_sv_of(rest.ptr + 1, at - 1) : SPD_SV_NONE;
    return spd_sv_find(rest, SPD_SV(":"), &at) ? spd_sv_of(rest.ptr, at) : rest;
}

static enum spd_rc check_url(struct spd__reading *r, const struct spd_yaml *node,
                             const struct spd_channel_config *c)
{
    const struct spd_yaml *url =
        spd_yaml_get(node, "url") ? spd_yaml_get(node, "url") : spd_yaml_get(node, "to");
    spd_sv host;
    size_t i = 0;
    while (i < sizeof schemes / sizeof *schemes &&
           !(spd_sv_starts(c->to, spd_sv_from(schemes[i].prefix)) &&
             spd_sv_is(c->type, schemes[i].type)))
        i++;
    if (i == sizeof schemes / sizeof *schemes)
        return spd_yaml_fail(url, r->err,
                             spd_sv_is(c->type, "webhook") ? "a webhook goes to https://…"
                             : spd_sv_is(c->type, "smtp")
                                 ? "mail goes to smtps://… or smtp://…"
                             : spd_sv_is(c->type, "dicom")
                                 ? "dicom goes to dicom-tls://AET@host:port or dicom://AET@host:port"
                                 : "hl7 goes to mllps://host:port or mllp://host:port");
    host = host_of(
        spd_sv_of(c->to.ptr + strlen(schemes[i].prefix), c->to.len - strlen(schemes[i].prefix)));
    if (!host.len) return spd_yaml_fail(url, r->err, "the address names no host");
    bool files = !schemes[i].plain &&
                 (spd_sv_is(c->type, "hl7") || spd_sv_is(c->type, "dicom"));
    if (files != (c->tls.ca.len > 0))
        return spd_yaml_fail(url, r->err,
                             c->tls.ca.len ? "tls is for mllps:// and dicom-tls://"
                                           : "%s needs tls: {ca: …}", schemes[i].prefix);
    if (schemes[i].plain && !spd__is_loopback(host) && !c->insecure)
        return spd_yaml_fail(
            url, r->err,
            "plain text beyond loopback: use TLS, or accept it in writing with insecure: true");
    return SPD_OK;
}

/* ---- common to both -------------------------------------------------------------------------- */
enum spd_rc spd__read_secret_file(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_channel_config *c = base;
    struct spd_source file;
    struct spd_err why = {0};
    spd_sv path;
    enum spd_rc rc = spd_yaml_text(node, &path, r->err);
    if (rc) return rc;
    path = spd__credential(r, path);
    if (spd_source_read(path.ptr, MAX_SECRET, &file, r->c->arena, &why))
        return spd_yaml_fail(node, r->err, "secret file: %s", why.text);
    c->secret = spd_sv_trim(file.text);
    if (!c->secret.len) return spd_yaml_fail(node, r->err, "the secret file is empty");
    return SPD_OK;
}

void spd__show_secret_file(const void *base, const char *indent, struct spd_str *out)
{
    if (((const struct spd_channel_config *)base)->secret.len)
        spd_str_addf(out, "%ssecret_file: \"********\"\n", indent);
}

enum spd_rc spd__read_channels(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_config *c = base;
    enum spd_rc rc = spd_yaml_map(node, r->err);
    if (rc) return rc;
    if (node->n > MAX_ENTRIES)
        return spd_yaml_fail(node, r->err, "more than %d channels", MAX_ENTRIES);
    c->channels = SPD_NEW_N(c->arena, struct spd_channel_config, node->n + 1);
    for (const struct spd_yaml *e = node->child; e; e = e->next) {
        struct spd_channel_config *x = &c->channels[c->n_channels++];
        if ((rc = spd__config_name(r, e, &x->name)) ||
            (rc = spd__config_read(r, "channels", e, x)) || (rc = check_url(r, e, x)))
            return rc;
        if (spd_sv_is(x->type, "smtp") && !x->from.len)
            return spd_yaml_fail(e, r->err, "mail needs \"from\": the sender's address");
    }
    return SPD_OK;
}

static void show_entry(const struct spd_channel_config *c, const char *section, const void *base,
                       struct spd_str *out)
{
    spd_str_addz(out, "  ");
    spd__config_show_text(c->name, out);
    spd_str_addz(out, ":\n");
    spd__config_show_section(section, base, "    ", out);
}

/* A password in an address is a secret too. */
static struct spd_channel_config masked(const struct spd_channel_config *c, struct spd_arena *arena)
{
    struct spd_channel_config m = *c;
    size_t from, at = 0, end;
    if (spd_sv_is(c->type, "dicom") || !spd_sv_find(c->to, SPD_SV("://"), &from)) return m;
    from += 3;
    for (end = from; end < c->to.len && !strchr("/?#", c->to.ptr[end]); end++)
        if (c->to.ptr[end] == '@') at = end;
    if (at)
        m.to = spd_arena_printf(arena, "%.*s********%.*s", (int)from, c->to.ptr,
                                (int)(c->to.len - at), c->to.ptr + at);
    return m;
}

void spd__show_channels(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_config *c = base;
    struct spd_arena *arena = spd_arena_new(1 << 20);
    (void)indent;
    if (!arena) spd_out_of_memory();
    spd_str_addz(out, c->n_channels ? "channels:\n" : "channels: {}\n");
    for (size_t i = 0; i < c->n_channels; i++) {
        struct spd_channel_config m = masked(&c->channels[i], arena);
        show_entry(&m, "channels", &m, out);
    }
    spd_arena_free(arena);
}

/* ---- send ----------------------------------------------------------------------------------- */
/* Level names come from the policy's files; where those cannot be read (yet) the usual ones hold.
 */
void spd__config_levels(struct spd_config *c, const char *names[9])
{
    static const char *const usual[] = {"critical", "urgent", "expedited", "routine", NULL};
    spd_sv *v;
    size_t n = 0;
    memcpy(names, usual, sizeof usual);
    for (size_t g = 0; g < c->n_policy_globs; g++) {
        struct spd_source *files;
        struct spd_yaml *root;
        size_t k;
        if (spd_source_glob(c->policy_globs[g].ptr, 1 << 20, &files, &k, c->arena, NULL)) continue;
        for (size_t i = 0; i < k; i++) {
            const struct spd_yaml *levels;
            if (spd_yaml_parse(&files[i], &root, c->arena, NULL) ||
                !(levels = spd_yaml_get(root, "levels")) ||
                spd_yaml_texts(levels, &v, &n, c->arena, NULL) || n > 8)
                continue;
            for (size_t j = 0; j < n; j++)
                names[j] = v[j].ptr;
            names[n] = NULL;
            return;
        }
    }
}

static void add_wire(struct spd_destination *d, int level, spd_sv wire, struct spd_arena *arena)
{
    struct spd_priority_wire *w = SPD_LIST_ADD(&d->wires, arena);
    w->level = level, w->wire = wire;
}

/* Keys are level names, or the levels' numbers (so that what is shown can be read again). */
static enum spd_rc read_priority(struct spd__reading *r, const struct spd_yaml *node,
                                 struct spd_destination *d)
{
    static const char *const numbers[] = {"1", "2", "3", "4", "5", "6", "7", "8"};
    const char *names[9] = {NULL}, *known[17] = {NULL};
    int n = 0;
    enum spd_rc rc;
    spd__config_levels(r->c, names);
    while (names[n])
        known[n] = names[n], n++;
    for (int i = 0; i < 8; i++)
        known[n + i] = numbers[i];
    if ((rc = spd_yaml_keys(node, known, r->err))) return rc;
    for (const struct spd_yaml *c = node->child; c; c = c->next) {
        spd_sv wire;
        int i = 0;
        if ((rc = spd_yaml_text(c, &wire, r->err))) return rc;
        if (wire.len > 20)
            return spd_yaml_fail(c, r->err, "a value on the wire is at most 20 characters");
        while (!spd_sv_is(c->key, known[i]))
            i++;
        add_wire(d, (i < n ? i : i - n) + 1, wire, r->c->arena);
    }
    return SPD_OK;
}

enum spd_rc spd__read_destination(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    static const char *const events[] = {"priority", "report", "alert", "result", "workitem", "summary", NULL}, *const final_on[] = {
                                                                                   "ris", "ack",
                                                                                   NULL};
    struct spd_destination *d = &((struct spd__send *)base)->destination;
    unsigned set;
    int word;
    enum spd_rc rc;
    if (spd_sv_is(node->key, "peer")) return spd_yaml_text(node, &d->peer, r->err);
    if (spd_sv_is(node->key, "priority")) return read_priority(r, node, d);
    if (spd_sv_is(node->key, "final_on")) {
        if ((rc = spd_yaml_word(node, final_on, &word, r->err))) return rc;
        d->final_on_ack = word;
        return SPD_OK;
    }
    if ((rc = spd__config_set(r, node, events, &set))) return rc;
    d->priority = set & 1, d->report = set >> 1 & 1, d->alert = set >> 2 & 1;
    d->result = set >> 3 & 1, d->workitem = set >> 4 & 1, d->summary = set >> 5 & 1;
    return SPD_OK;
}

void spd__show_destination(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_destination *d = &((const struct spd__send *)base)->destination;
    const struct {
        int64_t has;
        const char *name;
    } events[] = {{d->priority, "priority"}, {d->report, "report"}, {d->alert, "alert"},
                  {d->result, "result"}, {d->workitem, "workitem"}, {d->summary, "summary"}};
    bool any = false;
    spd_str_addf(out, "%sevents: [", indent);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i].has) spd_str_addf(out, "%s%s", any ? ", " : "", events[i].name), any = true;
    spd_str_addf(out, "]\n%sfinal_on: %s\n%speer: ", indent, d->final_on_ack ? "ack" : "ris",
                 indent);
    spd__config_show_text(d->peer, out);
    spd_str_addf(out, "\n%spriority: {", indent);
    for (size_t i = 0; i < d->wires.n; i++) {
        spd_str_addf(out, "%s%d: ", i ? ", " : "", (int)d->wires.v[i].level);
        spd__config_show_text(d->wires.v[i].wire, out);
    }
    spd_str_addz(out, "}\n");
}

static bool peer_exists(const struct spd_config *c, spd_sv name)
{
    for (size_t i = 0; i < c->n_peers; i++)
        if (spd_sv_eq(c->peers[i].name, name)) return true;
    return false;
}

/* What goes by which protocol. */
static enum spd_rc check_events(struct spd__reading *r, const struct spd_yaml *e, struct spd__send *s)
{
    struct spd_destination *d = &s->destination;
    struct spd_scu_to to;
    if (!spd_sv_is(d->type, "dicom"))
        return d->result || d->workitem || d->summary
                   ? spd_yaml_fail_key(e, r->err, "results and workitems go by dicom")
                   : SPD_OK;
    if (d->priority || d->report || d->alert)
        return spd_yaml_fail_key(e, r->err, "by dicom go results and workitems");
    if (spd_scu_parse(s->channel.to, &to, r->err))
        return spd_yaml_fail(spd_yaml_get(e, "to"), r->err, "use dicom://AET@host:port");
    d->ae_title = to.called;
    return SPD_OK;
}

static enum spd_rc read_send(struct spd__reading *r, const struct spd_yaml *e, struct spd__send *s)
{
    struct spd_destination *d = &s->destination;
    enum spd_rc rc;
    if ((rc = spd__config_name(r, e, &s->channel.name)) ||
        (rc = spd__config_read(r, "send", e, s)) || (rc = check_url(r, e, &s->channel)))
        return rc;
    d->name = s->channel.name, d->type = s->channel.type, d->to = s->channel.to,
    d->mode = s->channel.mode;
    if (!d->peer.len) d->peer = d->name;
    if ((rc = check_events(r, e, s))) return rc;
    if ((d->priority || d->report) && !peer_exists(r->c, d->peer))
        return spd_yaml_fail_key(e, r->err,
                                 "no peer of this name under peers: add \"peer\", the system whose "
                                 "orders it takes back");
    if ((rc = spd__finish_profile(r, e, s))) return rc;
    if (!spd_yaml_get(e, "priority")) {
        add_wire(d, 1, SPD_SV("S"), r->c->arena);
        add_wire(d, 2, SPD_SV("A"), r->c->arena);
    }
    return SPD_OK;
}

/* The rows of channels: and send: come after those of policy and peers in the table. */
enum spd_rc spd__read_send(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_config *c = base;
    enum spd_rc rc = spd_yaml_map(node, r->err);
    if (rc) return rc;
    if (node->n > MAX_ENTRIES)
        return spd_yaml_fail(node, r->err, "more than %d destinations", MAX_ENTRIES);
    c->send = SPD_NEW_N(c->arena, struct spd_channel_config, node->n + 1);
    for (const struct spd_yaml *e = node->child; e; e = e->next) {
        struct spd__send s = {0};
        if ((rc = read_send(r, e, &s))) return rc;
        for (size_t i = 0; i < c->n_channels; i++)
            if (spd_sv_eq(c->channels[i].name, s.channel.name))
                return spd_yaml_fail_key(e, r->err,
                                         "a channel has the same name: give one of them another");
        c->send[c->n_send++] = s.channel;
        *SPD_LIST_ADD(&c->settings.destinations, c->arena) = s.destination;
    }
    return SPD_OK;
}

void spd__show_send(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_config *c = base;
    struct spd_arena *arena = spd_arena_new(1 << 20);
    (void)indent;
    if (!arena) spd_out_of_memory();
    spd_str_addz(out, c->n_send ? "send:\n" : "send: {}\n");
    for (size_t i = 0; i < c->n_send; i++) {
        struct spd__send s = {masked(&c->send[i], arena), c->settings.destinations.v[i]};
        show_entry(&s.channel, "send", &s, out);
    }
    spd_arena_free(arena);
}
