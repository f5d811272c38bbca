/* src/daemon/config_peers.c: peers: who may send us what (domain §9), and which entry a message is
 * of. */
#include "daemon/config_table.h"
#include "scu/scu.h"

enum { MAX_PEERS = 256, KEYS = 7, CERTIFICATE = 2 };

/* ---- reading -------------------------------------------------------------------------------- */
enum spd_rc spd__read_match(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    enum spd_rc rc = spd__config_read(r, "peers.match", node, base);
    if (!rc && !node->n)
        return spd_yaml_fail(node, r->err,
                             "an empty match takes everything: give a door, an address …");
    return rc;
}

enum spd_rc spd__read_ae_titles(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_peer *p = base;
    spd_sv *v;
    size_t n;
    enum spd_rc rc = spd_yaml_texts(node, &v, &n, r->c->arena, r->err);
    if (rc) return rc;
    if (n > sizeof p->match.ae_title / sizeof *p->match.ae_title)
        return spd_yaml_fail(node, r->err, "more than 8 AE titles");
    for (size_t i = 0; i < n; i++)
        p->match.ae_title[i] = spd_sv_trim(v[i]);
    p->match.n_ae_title = n;
    return SPD_OK;
}

enum spd_rc spd__read_peer_roles(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    static const char *const names[] = {"orders", "adt", "reports", "results", NULL};
    struct spd_peer *p = base;
    unsigned set;
    enum spd_rc rc = spd__config_set(r, node, names, &set);
    p->orders = set & 1, p->adt = set & 2, p->reports = set & 4, p->results = set & 8;
    return rc;
}

enum spd_rc spd__read_on_unusable(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    static const char *const names[] = {"aa", "ar", NULL};
    int word = 0;
    enum spd_rc rc = spd_yaml_word(node, names, &word, r->err);
    ((struct spd_peer *)base)->on_unusable = word ? SPD_ANSWER_AR : SPD_ANSWER_AA;
    return rc;
}

/* Word: meaning, or word: {order: …, report: …, exam_done: true}. */
static enum spd_rc read_status(struct spd__reading *r, const struct spd_yaml *node,
                               struct spd_status_word *w)
{
    static const char *const meanings[] = {"exam_done",   "active", "held",    "cancelled",
                                           "preliminary", "final",  "amended", NULL};
    static const char *const keys[] = {"order", "report", "exam_done", NULL};
    const struct spd_yaml *c;
    int word = 0;
    enum spd_rc rc;
    w->word = node->key;
    if (node->kind == SPD_YAML_TEXT) {
        if ((rc = spd_yaml_word(node, meanings, &word, r->err))) return rc;
        w->exam_done = word == 0;
        if (word >= 1 && word <= 3) w->order = (enum spd_order_axis)word;
        if (word >= 4) w->report = (enum spd_report_axis)(word - 4 + SPD_REPORT_PRELIMINARY);
        return SPD_OK;
    }
    if ((rc = spd_yaml_keys(node, keys, r->err))) return rc;
    if ((c = spd_yaml_get(node, "order")) &&
        (rc = spd_yaml_word(c, spd_order_axis_names, &word, r->err)))
        return rc;
    if (c) w->order = (enum spd_order_axis)word;
    if ((c = spd_yaml_get(node, "report")) &&
        (rc = spd_yaml_word(c, spd_report_axis_names, &word, r->err)))
        return rc;
    if (c) w->report = (enum spd_report_axis)word;
    if ((c = spd_yaml_get(node, "exam_done")) && (rc = spd_yaml_bool(c, &w->exam_done, r->err)))
        return rc;
    return SPD_OK;
}

enum spd_rc spd__read_status_map(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_peer *p = base;
    enum spd_rc rc = spd_yaml_map(node, r->err);
    if (rc) return rc;
    p->status_map = SPD_NEW_N(r->c->arena, struct spd_status_word, node->n + 1);
    for (const struct spd_yaml *c = node->child; c; c = c->next)
        if ((rc = read_status(r, c, &p->status_map[p->n_status_map++]))) return rc;
    return SPD_OK;
}

enum spd_rc spd__read_poll(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_peer *p = base;
    struct spd_scu_to to = {0};
    struct spd_err why = {0};
    enum spd_rc rc = spd__config_read(r, "peers.poll", node, p);
    if (rc) return rc;
    if (spd_scu_parse(p->poll.from, &to, &why))
        return spd_yaml_fail(spd_yaml_get(node, "from"), r->err, "%s", why.text);
    if (to.tls != (p->poll.tls.ca.len > 0))
        return spd_yaml_fail(node, r->err, "dicom-tls:// and tls: {ca: …} go together");
    if (p->poll.calling.len > 16)
        return spd_yaml_fail(node, r->err, "an AE title is at most 16 characters");
    if (p->poll.every < SPD_SEC(1))
        return spd_yaml_fail(node, r->err, "a worklist is asked at most once a second");
    return SPD_OK;
}

void spd__show_poll(const void *base, const char *indent, struct spd_str *out)
{
    if (!((const struct spd_peer *)base)->poll.from.len) return;
    spd_str_addf(out, "%spoll:\n", indent);
    spd__config_show_section("peers.poll", base, "      ", out);
}

/* ---- matching ------------------------------------------------------------------------------- */
static void keys_of(const struct spd_peer *p, spd_sv ret[KEYS])
{
    ret[0] = p->match.door, ret[1] = p->match.address, ret[2] = p->match.certificate,
    ret[3] = p->match.msh_3;
    ret[4] = p->match.msh_4, ret[5] = p->match.user,
    ret[6] = p->match.n_ae_title ? p->match.ae_title[0] : SPD_SV_NONE;
}

static int count_keys(const struct spd_peer *p)
{
    spd_sv k[KEYS];
    int n = 0;
    keys_of(p, k);
    for (int i = 0; i < KEYS; i++)
        n += k[i].len > 0;
    return n;
}

static bool calls_itself(const struct spd_peer *p, spd_sv ae)
{
    for (size_t i = 0; i < p->match.n_ae_title; i++)
        if (spd_sv_eq(p->match.ae_title[i], spd_sv_trim(ae))) return true;
    return false;
}

/* A certificate has several names, one a line; the fingerprint among them may be written with
 * colons and in capitals, as openssl prints it. */
static bool is_called(spd_sv names, spd_sv wanted)
{
    while (names.len) {
        size_t end = names.len, i = 0, k = 0;
        spd_sv_find(names, SPD_SV("\n"), &end);
        if (end == wanted.len && !memcmp(names.ptr, wanted.ptr, end)) return true;
        if (spd_sv_starts(names, SPD_SV("sha256:")) && spd_sv_starts(wanted, SPD_SV("sha256:"))) {
            for (i = k = 7; i < end && k < wanted.len; k++) {
                if (wanted.ptr[k] == ':') continue;
                if (names.ptr[i] != (wanted.ptr[k] | (wanted.ptr[k] >= 'A' ? 0x20 : 0))) break;
                i++;
            }
            if (i == end && k == wanted.len) return true;
        }
        names = end < names.len ? spd_sv_of(names.ptr + end + 1, names.len - end - 1) : SPD_SV_NONE;
    }
    return false;
}

/* An IPv4 address as a listener on IPv6 sees it is the same address. */
static spd_sv plain_address(spd_sv a)
{
    return spd_sv_starts(a, SPD_SV("::ffff:")) ? spd_sv_of(a.ptr + 7, a.len - 7) : a;
}

const struct spd_peer *spd_config_peer(const struct spd_config *c, const struct spd_peer_keys *k)
{
    const struct spd_peer *best = NULL;
    const spd_sv said[KEYS - 1] = {spd_sv_from(k->door),
                                   plain_address(k->address),
                                   k->certificate,
                                   k->msh_3,
                                   k->msh_4,
                                   k->user};
    int most = -1;
    for (size_t i = 0; i < c->n_peers; i++) {
        const struct spd_peer *p = &c->peers[i];
        spd_sv wanted[KEYS];
        bool fits = !p->match.n_ae_title || calls_itself(p, k->ae_title);
        keys_of(p, wanted);
        for (int j = 0; j < KEYS - 1 && fits; j++)
            fits = !wanted[j].len || (j == CERTIFICATE ? is_called(said[j], wanted[j])
                                                       : spd_sv_eq(wanted[j], said[j]));
        if (fits && count_keys(p) > most) best = p, most = count_keys(p);
    }
    return best;
}

bool spd_config_admits(const struct spd_config *c, spd_sv ae_title, spd_sv certificate)
{
    bool bound = false, free_of = false, held = false, of_others = false, own = false;
    for (size_t i = 0; i < c->n_peers; i++) {
        const struct spd_peer *p = &c->peers[i];
        bool names_it = calls_itself(p, ae_title), wants = p->match.certificate.len > 0;
        bool shown = wants && is_called(certificate, p->match.certificate);
        if (p->match.door.len && !spd_sv_is(p->match.door, "dicom")) continue;
        if (names_it) bound |= wants, held |= shown, free_of |= !wants;
        if (shown && p->match.n_ae_title) own |= names_it, of_others |= !names_it;
    }
    return (!bound || held || free_of) && (!of_others || own);
}

size_t spd_config_connections(const struct spd_config *c, spd_sv address)
{
    size_t most = 0;
    for (size_t i = 0; i < c->n_peers; i++) {
        const struct spd_peer *p = &c->peers[i];
        bool calls = !p->match.address.len || spd_sv_eq(p->match.address, plain_address(address));
        if (calls && (size_t)p->max_connections > most) most = (size_t)p->max_connections;
    }
    return most;
}

/* One message could be of both, and neither is more specific. */
static bool tie(const struct spd_peer *a, const struct spd_peer *b)
{
    spd_sv x[KEYS], y[KEYS];
    bool share = !a->match.n_ae_title || !b->match.n_ae_title;
    if (count_keys(a) != count_keys(b)) return false;
    keys_of(a, x), keys_of(b, y);
    for (int i = 0; i < KEYS - 1; i++)
        if (x[i].len && y[i].len && !spd_sv_eq(x[i], y[i])) return false;
    for (size_t i = 0; i < a->match.n_ae_title; i++)
        share |= calls_itself(b, a->match.ae_title[i]);
    return share;
}

enum spd_rc spd__read_peers(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_config *c = base;
    enum spd_rc rc = spd_yaml_map(node, r->err);
    if (rc) return rc;
    if (node->n > MAX_PEERS) return spd_yaml_fail(node, r->err, "more than %d peers", MAX_PEERS);
    c->peers = SPD_NEW_N(c->arena, struct spd_peer, node->n + 1);
    for (const struct spd_yaml *e = node->child; e; e = e->next) {
        struct spd_peer *p = &c->peers[c->n_peers];
        const struct spd_yaml *zone = spd_yaml_get(e, "time_zone");
        if ((rc = spd__config_name(r, e, &p->name)) || (rc = spd__config_read(r, "peers", e, p)) ||
            (rc = spd__check_peer_map(r, e, p)))
            return rc;
        if (zone && !spd_zone_get(p->time_zone.ptr))
            return spd_yaml_fail(zone, r->err,
                                 "unknown time zone: use a name such as Europe/Amsterdam");
        for (size_t i = 0; i < c->n_peers; i++)
            if (tie(&c->peers[i], p))
                return spd_yaml_fail_key(e, r->err,
                                         "a message could be of this peer or of %.*s: give one of "
                                         "them another key under match",
                                         SPD_SV_ARG(c->peers[i].name));
        c->n_peers++;
    }
    return SPD_OK;
}

/* ---- showing -------------------------------------------------------------------------------- */
void spd__show_match(const void *base, const char *indent, struct spd_str *out)
{
    spd_str_addf(out, "%smatch:\n", indent);
    spd__config_show_section("peers.match", base, "      ", out);
}

void spd__show_ae_titles(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_peer *p = base;
    if (!p->match.n_ae_title) return;
    spd_str_addf(out, "%sae_title: [", indent);
    for (size_t i = 0; i < p->match.n_ae_title; i++) {
        spd_str_addz(out, i ? ", " : "");
        spd__config_show_text(p->match.ae_title[i], out);
    }
    spd_str_addz(out, "]\n");
}

void spd__show_peer_roles(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_peer *p = base;
    bool any = false;
    const struct {
        bool has;
        const char *name;
    } roles[] = {
        {p->orders, "orders"}, {p->adt, "adt"}, {p->reports, "reports"}, {p->results, "results"}};
    spd_str_addf(out, "%sroles: [", indent);
    for (size_t i = 0; i < 4; i++)
        if (roles[i].has) spd_str_addf(out, "%s%s", any ? ", " : "", roles[i].name), any = true;
    spd_str_addz(out, "]\n");
}

void spd__show_on_unusable(const void *base, const char *indent, struct spd_str *out)
{
    spd_str_addf(out, "%son_unusable: %s\n", indent,
                 ((const struct spd_peer *)base)->on_unusable == SPD_ANSWER_AR ? "ar" : "aa");
}

void spd__show_status_map(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_peer *p = base;
    if (!p->n_status_map) return;
    spd_str_addf(out, "%sstatus_map:\n", indent);
    for (size_t i = 0; i < p->n_status_map; i++) {
        const struct spd_status_word *w = &p->status_map[i];
        const char *sep = "";
        spd_str_addf(out, "%s  ", indent);
        spd__config_show_text(w->word, out);
        spd_str_addz(out, ": {");
        if (w->order) spd_str_addf(out, "order: %s", spd_order_axis_names[w->order]), sep = ", ";
        if (w->report)
            spd_str_addf(out, "%sreport: %s", sep, spd_report_axis_names[w->report]), sep = ", ";
        if (w->exam_done) spd_str_addf(out, "%sexam_done: true", sep);
        spd_str_addz(out, "}\n");
    }
}

void spd__show_peers(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_config *c = base;
    (void)indent;
    spd_str_addz(out, c->n_peers ? "peers:\n" : "peers: {}\n");
    for (size_t i = 0; i < c->n_peers; i++) {
        spd_str_addz(out, "  ");
        spd__config_show_text(c->peers[i].name, out);
        spd_str_addz(out, ":\n");
        spd__config_show_section("peers", &c->peers[i], "    ", out);
    }
}
