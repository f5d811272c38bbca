/* src/daemon/config_table.c: the rows, and what is made from them. See config_table.h. */
#define _GNU_SOURCE
#include "daemon/config_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const languages[] = {"nl", "en", NULL};
static const char *const modes[] = {"off", "observe", "live", NULL};
static const char *const doors[] = {"hl7", "dicom", "http", NULL};
static const char *const proxies[] = {"none", "tls", NULL};
static const char *const channel_types[] = {"webhook", "smtp", NULL};
static const char *const poll_types[] = {"mwl", NULL};
static const char *const send_types[] = {"hl7", "dicom", NULL};

#define AT(type, member) offsetof(struct type, member)
#define ROW(section, key, kind, offset, fallback, help)                                            \
    {                                                                                              \
        section, key, SPD__C_##kind, offset, 0, NULL, NULL, NULL, fallback, help                   \
    }
#define WORD(section, key, offset, words, fallback, help)                                          \
    {                                                                                              \
        section, key, SPD__C_WORD, offset, 0, words, NULL, NULL, fallback, help                    \
    }
#define PATHS(section, key, offset, n, fallback, help)                                             \
    {                                                                                              \
        section, key, SPD__C_PATHS, offset, n, NULL, NULL, NULL, fallback, help                    \
    }
#define OWN(section, key, fn, fallback, help)                                                      \
    {                                                                                              \
        section, key, SPD__C_OWN, 0, 0, NULL, spd__read_##fn, spd__show_##fn, fallback, help       \
    }
/* Shown by the row before it. */
#define QUIET(section, key, fn, fallback, help)                                                    \
    {                                                                                              \
        section, key, SPD__C_OWN, 0, 0, NULL, spd__read_##fn, NULL, fallback, help                 \
    }
#define CHANNEL(m) AT(spd_channel_config, m)

const struct spd__field spd__config_fields[] = {
    OWN("", "site", site, NULL, "who we are; see site"),
    OWN("", "store", store, NULL, "where the state is kept; see store"),
    PATHS("", "policy", AT(spd_config, policy_globs), AT(spd_config, n_policy_globs),
          "/etc/spoed/policy.d/*.yaml", "policy files, as shell patterns"),
    PATHS("", "models", AT(spd_config, model_globs), AT(spd_config, n_model_globs),
          "/etc/spoed/models.d/*.yaml", "model files, as shell patterns"),
    ROW("", "people", PATH, AT(spd_config, people_path), "/etc/spoed/people.yaml",
        "who can be paged and how"),
    ROW("", "codes", PATH, AT(spd_config, codes_dir), "@share/codes", "folder of the code maps"),
    ROW("", "site_codes", PATH, AT(spd_config, site_codes_dir), "/etc/spoed/codes.d",
        "folder of the site's own codes; may be absent"),
    ROW("", "templates", PATH, AT(spd_config, templates_dir), "@share/templates",
        "folder of the report templates"),
    ROW("", "assets", PATH, AT(spd_config, assets_dir), "@assets", "folder of the pages"),
    ROW("", "run", PATH, AT(spd_config, run_dir), "/run/spoed", "folder of sockets and locks"),
    OWN("", "log", log, NULL, "see log"),
    OWN("", "listen", listen, NULL, "the doors; see listen"),
    OWN("", "peers", peers, NULL, "who may send us what, by name; see peers"),
    OWN("", "channels", channels, NULL, "ways to page people, by name; see channels"),
    OWN("", "send", send, NULL, "systems that we send to, by name; see send"),

    ROW("site", "name", TEXT, AT(spd_settings, site), "Spoed", "name of the hospital"),
    ROW("site", "time_zone", TEXT, AT(spd_settings, time_zone), "Europe/Amsterdam",
        "time zone of messages without offset and of shifts"),
    WORD("site", "language", AT(spd_settings, language), languages, "nl",
         "language of pages and drafts where nobody asks for another"),
    ROW("site", "patient_authority", TEXT, AT(spd_settings, patient_authority), "ZH",
        "authority of patient numbers without one"),
    ROW("site", "accession_issuer", TEXT, AT(spd_settings, accession_issuer), "ZH",
        "issuer of accession numbers without one"),
    ROW("site", "public_url", TEXT, AT(spd_settings, public_url), NULL,
        "begin of the links in pages, https://…; default the first TCP listener"),
    ROW("site", "min_dwell", DURATION, AT(spd_settings, min_dwell), "15s",
        "a draft must have been open this long before it is accepted"),
    ROW("site", "undo", DURATION, AT(spd_settings, undo), "10s",
        "an accepted draft can be taken back this long"),
    ROW("site", "complete_after", DURATION, AT(spd_settings, complete_after), "60s",
        "without a new image a study counts as complete"),
    ROW("site", "unmatched_after", DURATION, AT(spd_settings, unmatched_after), "60s",
        "then a critical result of an unknown patient pages"),
    ROW("site", "claim_lease", DURATION, AT(spd_settings, claim_lease), "15m",
        "a claim ends this long after its last use"),
    ROW("site", "report_timeout", DURATION, AT(spd_settings, report_timeout), "10m",
        "then a report that the RIS took but did not make final alarms"),

    ROW("store", "url", TEXT, AT(spd_config, store_url), "sqlite:/var/lib/spoed/spoed.db",
        "sqlite:PATH"),

    ROW("log", "show_patients", BOOL, AT(spd_config, show_patients_in_logs), "false",
        "patient data in debug logs; never in daily use"),

    OWN("listen", "http", http, NULL, "list of listeners; see listen.http"),
    OWN("listen", "mllp", mllp, NULL, "list of listeners; see listen.mllp"),
    OWN("listen", "dicom", dicom, NULL, "see listen.dicom; absent: no DICOM"),
    ROW("listen.http", "address", TEXT, AT(spd_listen, address), NULL, "address to listen on"),
    ROW("listen.http", "port", PORT, AT(spd_listen, port), NULL, "port to listen on"),
    ROW("listen.http", "socket", PATH, AT(spd_listen, socket), NULL,
        "or the path of a Unix socket"),
    OWN("listen.http", "roles", socket_roles, NULL, "of a socket: system user: role"),
    WORD("listen.http", "proxy", SIZE_MAX, proxies, NULL,
         "tls: a proxy in front speaks TLS; demanded beyond loopback"),
    ROW("listen.mllp", "address", TEXT, AT(spd_listen, address), "127.0.0.1",
        "address to listen on"),
    ROW("listen.mllp", "port", PORT, AT(spd_listen, port), "2575", "port to listen on"),
    OWN("listen.mllp", "tls", listen_tls, "off",
        "off, or the files of TLS with certificates on both sides; see tls"),
    ROW("listen.mllp", "insecure", BOOL, AT(spd_listen, insecure), "false",
        "true: plain text beyond loopback is accepted in writing"),
    OWN("listen.mllp", "allow", allow, NULL,
        "addresses and ranges that may connect (10.1.0.0/16); default all"),
    OWN("listen.mllp", "max_connections", listen_connections, NULL,
        "of the listener; default 4096"),
    ROW("tls", "certificate", PATH, AT(spd_channel_tls, certificate), NULL,
        "PEM file of our certificate, with those between it and its CA"),
    ROW("tls", "key", TEXT, AT(spd_channel_tls, key), NULL,
        "PEM file of its key; a bare name is looked up in $CREDENTIALS_DIRECTORY"),
    ROW("tls", "ca", PATH, AT(spd_channel_tls, ca), NULL,
        "PEM file of the CA that must have signed the other side's certificate"),
    ROW("tls", "crl", PATH, AT(spd_channel_tls, crl), NULL,
        "PEM file of that CA's revocation list"),
    ROW("tls", "server_name", TEXT, AT(spd_channel_tls, server_name), NULL,
        "of send: the name in the other side's certificate; default the host of to"),
    ROW("listen.dicom", "ae_title", TEXT, AT(spd_config, dicom_listen.ae_title), "SPOED",
        "AE title for C-STORE and the modality worklist"),
    ROW("listen.dicom", "reporting_ae_title", TEXT, AT(spd_config, dicom_listen.reporting_ae_title),
        "SPOED_READ", "AE title of the reporting worklist"),
    ROW("listen.dicom", "address", TEXT, AT(spd_config, dicom_listen.address), "127.0.0.1",
        "address to listen on"),
    ROW("listen.dicom", "port", PORT, AT(spd_config, dicom_listen.port), "11112",
        "port to listen on"),
    OWN("listen.dicom", "tls", dicom_tls, NULL,
        "a second port with TLS and certificates on both sides; see listen.dicom.tls"),
    ROW("listen.dicom.tls", "port", PORT, AT(spd_config, dicom_listen.tls_port), "2762",
        "port to listen on"),
    ROW("listen.dicom.tls", "certificate", PATH, AT(spd_config, dicom_listen.tls.certificate), "!",
        "PEM file of our certificate"),
    ROW("listen.dicom.tls", "key", TEXT, AT(spd_config, dicom_listen.tls.key), "!",
        "PEM file of its key; a bare name is looked up in $CREDENTIALS_DIRECTORY"),
    ROW("listen.dicom.tls", "ca", PATH, AT(spd_config, dicom_listen.tls.ca), "!",
        "PEM file of the CA that must have signed the other side's certificate"),

    OWN("peers", "match", match, "!", "which messages are its; see peers.match"),
    OWN("peers", "roles", peer_roles, NULL, "any of orders, adt, reports, results"),
    ROW("peers", "site", TEXT, AT(spd_peer, site), NULL,
        "name of its site, where there are several"),
    ROW("peers", "accession_issuer", TEXT, AT(spd_peer, accession_issuer), NULL,
        "default: that of the site"),
    ROW("peers", "patient_authority", TEXT, AT(spd_peer, patient_authority), NULL,
        "default: that of the site"),
    ROW("peers", "time_zone", TEXT, AT(spd_peer, time_zone), NULL, "default: that of the site"),
    ROW("peers", "charset", TEXT, AT(spd_peer, charset), NULL,
        "where MSH-18 is empty; default 8859/1"),
    OWN("peers", "on_unusable", on_unusable, "aa",
        "answer to what is readable but unusable: aa (and an alarm) or ar"),
    ROW("peers", "order_response", BOOL, AT(spd_peer, order_response), "false",
        "true: orders are answered by ORR, ORI or ORG in place of the plain ACK"),
    OWN("peers", "status_map", status_map, NULL,
        "its own status words: word: final, preliminary, exam_done, cancelled …"),
    OWN("peers", "map", peer_map, NULL,
        "field map of its HL7 messages (docs/hl7.md); default: the built-in one"),
    ROW("peers", "expect_every", DURATION, AT(spd_peer, expect_every), NULL,
        "silent longer than this: the list says \"possibly incomplete\""),
    ROW("peers", "msh_5", TEXT, AT(spd_peer, msh_5), NULL,
        "must be MSH-5 of its messages, when given"),
    ROW("peers", "msh_6", TEXT, AT(spd_peer, msh_6), NULL, "must be MSH-6"),
    ROW("peers", "msh_11", TEXT, AT(spd_peer, msh_11), NULL, "must be MSH-11"),
    OWN("peers", "quirks", peer_quirks, NULL, "how it departs from MLLP; see the list of quirks"),
    OWN("peers", "max_connections", peer_connections, NULL,
        "MLLP connections from its address; default 256"),
    OWN("peers", "poll", poll, NULL, "its modality worklist, where no HL7 exists; see peers.poll"),
    WORD("peers.poll", "type", AT(spd_peer, poll.type), poll_types, "mwl", "mwl"),
    ROW("peers.poll", "from", TEXT, AT(spd_peer, poll.from), "!",
        "dicom://AET@host:port or dicom-tls://AET@host:port"),
    ROW("peers.poll", "every", DURATION, AT(spd_peer, poll.every), "60s", "how often it is asked"),
    ROW("peers.poll", "ae_title", TEXT, AT(spd_peer, poll.calling), NULL,
        "as whom we call; default listen.dicom.ae_title"),
    OWN("peers.poll", "tls", poll_tls, NULL, "the files of dicom-tls://; see tls"),
    WORD("peers.match", "door", AT(spd_peer, match.door), doors, NULL, "hl7, dicom or http"),
    ROW("peers.match", "address", TEXT, AT(spd_peer, match.address), NULL,
        "address that it calls from"),
    ROW("peers.match", "certificate", TEXT, AT(spd_peer, match.certificate), NULL,
        "a name in its certificate (CN, DNS, mail, URI), or sha256: and its fingerprint"),
    OWN("peers.match", "ae_title", ae_titles, NULL, "calling AE title, or a list of them"),
    ROW("peers.match", "msh_3", TEXT, AT(spd_peer, match.msh_3), NULL, "sending application"),
    ROW("peers.match", "msh_4", TEXT, AT(spd_peer, match.msh_4), NULL, "sending facility"),
    ROW("peers.match", "user", TEXT, AT(spd_peer, match.user), NULL, "user of the HTTP door"),

    WORD("channels", "type", CHANNEL(type), channel_types, "!", "webhook or smtp"),
    ROW("channels", "url", TEXT, CHANNEL(to), "!", "https://… or smtp://…"),
    OWN("channels", "secret_file", secret_file, NULL,
        "file with the secret; a bare name is looked up in $CREDENTIALS_DIRECTORY"),
    ROW("channels", "from", TEXT, CHANNEL(from), NULL, "sender of a mail"),
    WORD("channels", "mode", CHANNEL(mode), modes, "live",
         "off, observe (built and shown, not sent) or live"),
    ROW("channels", "insecure", BOOL, CHANNEL(insecure), "false",
        "true: plain text beyond loopback is accepted in writing"),
    ROW("channels", "connect_timeout", DURATION, CHANNEL(connect_timeout), "3s", "time to connect"),
    ROW("channels", "total_timeout", DURATION, CHANNEL(total_timeout), "8s",
        "time for one sending"),

    WORD("send", "type", CHANNEL(type), send_types, "!", "hl7 or dicom"),
    ROW("send", "to", TEXT, CHANNEL(to), "!", "mllp(s)://host:port, dicom://AET@host:port or dicom-tls://AET@host:port"),
    OWN("send", "tls", send_tls, NULL, "the files of mllps:// and dicom-tls://; see tls"),
    ROW("send", "ae_title", TEXT, CHANNEL(calling), NULL,
        "dicom: as whom we call; default listen.dicom.ae_title"),
    OWN("send", "quirks", send_quirks, NULL, "how it is written to; default those of its peer"),
    OWN("send", "events", destination, NULL, "hl7: any of priority, report, alert; dicom: result, workitem, summary; default none"),
    WORD("send", "mode", CHANNEL(mode), modes, "live",
         "off, observe (built and shown, not sent) or live"),
    QUIET("send", "final_on", destination, NULL,
          "ack: its AA makes a report final; default ris: its own final does"),
    QUIET("send", "peer", destination, NULL,
          "whose orders it takes priorities and reports for; default its own name"),
    QUIET("send", "priority", destination, NULL,
          "level: value on the wire; default the first level S, the second A"),
    OWN("send", "profile", profile, NULL,
        "what its messages are, one per kind; see the list of profiles"),
    QUIET("send", "role", profile, NULL,
          "placer (XO) or filler (XX): who we are to it; default placer"),
    QUIET("send", "fields", profile, NULL,
          "fields that carry a priority, with words of their own: {OBR-5: {critical: STAT}}; default "
          "those that the order has"),
    QUIET("send", "ack", profile, NULL,
          "which answer counts: accept (the first), application (on the same connection) or "
          "separate (as a message to our listener); default accept"),
    QUIET("send", "tries", profile, NULL, "AE so many times is a dead letter; default 5"),
    ROW("send", "ack_timeout", DURATION, AT(spd__send, destination.ack_timeout), "2m",
        "from CA to the application's answer; then it is sent again"),
    ROW("send", "processing_id", TEXT, CHANNEL(processing_id), NULL,
        "MSH-11; default that of its order"),
    ROW("send", "version", TEXT, CHANNEL(version), NULL,
        "MSH-12; default that of its order, 2.6 in ORU^R40"),
    OWN("send", "secret_file", secret_file, NULL, "file with the secret"),
    ROW("send", "insecure", BOOL, CHANNEL(insecure), "false",
        "true: plain text beyond loopback is accepted in writing"),
    ROW("send", "connect_timeout", DURATION, CHANNEL(connect_timeout), "3s", "time to connect"),
    ROW("send", "total_timeout", DURATION, CHANNEL(total_timeout), "8s",
        "time for one sending and its answer"),
    ROW("send", "sending_application", TEXT, CHANNEL(sending_application), NULL,
        "MSH-3; default MSH-5 of its order"),
    ROW("send", "sending_facility", TEXT, CHANNEL(sending_facility), NULL,
        "MSH-4; default MSH-6 of its order"),
    ROW("send", "receiving_application", TEXT, CHANNEL(receiving_application), NULL,
        "MSH-5; default MSH-3 of its order"),
    ROW("send", "receiving_facility", TEXT, CHANNEL(receiving_facility), NULL,
        "MSH-6; default MSH-4 of its order"),
    ROW("send", "reconnect_per_message", BOOL, CHANNEL(reconnect_per_message), "false",
        "true: a new connection for each message"),
    ROW("send", "charset", TEXT, CHANNEL(charset), NULL,
        "where MSH-18 of its order is empty, or there is no order message; default 8859/1 and UTF-8"),
    {NULL, NULL, SPD__C_TEXT, 0, 0, NULL, NULL, NULL, NULL, NULL}};

/* ---- reading -------------------------------------------------------------------------------- */
static spd_sv path(struct spd__reading *r, spd_sv v)
{
    struct spd_arena *a = r->c->arena;
    if (spd_sv_starts(v, SPD_SV("@share/")))
        return spd_arena_printf(a, "%.*s/%.*s", SPD_SV_ARG(r->share), (int)(v.len - 7), v.ptr + 7);
    if (spd_sv_is(v, "@assets")) return r->assets;
    if (v.len && *v.ptr == '/') return spd_arena_dup(a, v);
    return spd_arena_printf(a, "%.*s/%.*s", SPD_SV_ARG(r->dir), SPD_SV_ARG(v));
}

static enum spd_rc read_paths(struct spd__reading *r, const struct spd__field *f,
                              const struct spd_yaml *node, char *base)
{
    spd_sv *v;
    size_t n;
    enum spd_rc rc = spd_yaml_texts(node, &v, &n, r->c->arena, r->err);
    if (rc) return rc;
    for (size_t i = 0; i < n; i++)
        v[i] = path(r, v[i]);
    *(spd_sv **)(void *)(base + f->offset) = v;
    *(size_t *)(void *)(base + f->n_offset) = n;
    return SPD_OK;
}

static enum spd_rc read_field(struct spd__reading *r, const struct spd__field *f,
                              const struct spd_yaml *node, char *base)
{
    void *to = f->offset == SIZE_MAX ? NULL : base + f->offset;
    spd_sv text;
    int64_t number;
    int word;
    enum spd_rc rc;
    switch (f->kind) {
    case SPD__C_TEXT:
        return spd_yaml_text(node, to, r->err);
    case SPD__C_BOOL:
        return spd_yaml_bool(node, to, r->err);
    case SPD__C_DURATION:
        return spd_yaml_duration(node, to, r->err);
    case SPD__C_PATHS:
        return read_paths(r, f, node, base);
    case SPD__C_OWN:
        return f->parse(r, node, base);
    case SPD__C_WORD:
        if ((rc = spd_yaml_word(node, f->words, &word, r->err))) return rc;
        if (to) *(spd_sv *)to = spd_sv_from(f->words[word]);
        return SPD_OK;
    case SPD__C_PORT:
        if ((rc = spd_yaml_int(node, 1, 65535, &number, r->err))) return rc;
        *(int *)to = (int)number;
        return SPD_OK;
    case SPD__C_PATH:
        if ((rc = spd_yaml_text(node, &text, r->err))) return rc;
        *(spd_sv *)to = path(r, text);
        return SPD_OK;
    }
    return SPD_BUG;
}

enum spd_rc spd__config_read(struct spd__reading *r, const char *section,
                             const struct spd_yaml *node, void *base)
{
    const char *known[64];
    size_t n = 0;
    enum spd_rc rc;
    for (const struct spd__field *f = spd__config_fields; f->section; f++)
        if (!strcmp(f->section, section)) known[n++] = f->key;
    known[n] = NULL;
    if (node && (rc = spd_yaml_keys(node, known, r->err))) return rc;
    for (const struct spd__field *f = spd__config_fields; f->section; f++) {
        const struct spd_yaml *value;
        struct spd_yaml fallback = {
            .kind = SPD_YAML_TEXT, .plain = true, .line = 1, .col = 1, .file = "default"};
        if (strcmp(f->section, section)) continue;
        value = spd_yaml_get(node, f->key);
        if (!value && f->fallback && *f->fallback == '!')
            return node ? spd_yaml_fail_key(node, r->err, "\"%s\" is missing: %s", f->key, f->help)
                        : spd_fail(r->err, SPD_INVALID, section, "\"%s\" is missing", f->key);
        if (!value && f->fallback) fallback.text = spd_sv_from(f->fallback), value = &fallback;
        if (value && (rc = read_field(r, f, value, base))) return rc;
    }
    return SPD_OK;
}

/* ---- showing -------------------------------------------------------------------------------- */
void spd__config_show_text(spd_sv v, struct spd_str *out)
{
    bool plain = v.len > 0;
    for (size_t i = 0; i < v.len; i++)
        plain &=
            isalnum((unsigned char)v.ptr[i]) || (i && strchr("._/-", v.ptr[i])) || v.ptr[i] == '/';
    if (plain)
        spd_str_add(out, v);
    else
        spd_str_json(out, v); /* a JSON string is a YAML double-quoted one */
}

static void show_value(const struct spd__field *f, const char *base, struct spd_str *out)
{
    const void *at = base + f->offset;
    struct spd_arena *arena;
    switch (f->kind) {
    case SPD__C_BOOL:
        spd_str_addz(out, *(const bool *)at ? "true" : "false");
        break;
    case SPD__C_PORT:
        spd_str_addi(out, *(const int *)at);
        break;
    case SPD__C_DURATION:
        arena = spd_arena_new(4096);
        if (!arena) spd_out_of_memory();
        spd_str_add(out, spd_duration_text(arena, *(const spd_usec *)at));
        spd_arena_free(arena);
        break;
    case SPD__C_PATHS:
        spd_str_addc(out, '[');
        for (size_t i = 0; i < *(const size_t *)(const void *)(base + f->n_offset); i++) {
            if (i) spd_str_addz(out, ", ");
            spd_str_json(out, (*(spd_sv *const *)at)[i]);
        }
        spd_str_addc(out, ']');
        break;
    case SPD__C_TEXT:
    case SPD__C_WORD:
    case SPD__C_PATH:
        spd__config_show_text(*(const spd_sv *)at, out);
        break;
    case SPD__C_OWN:
        break;
    }
}

static bool is_set(const struct spd__field *f, const char *base)
{
    const void *at = base + f->offset;
    if (f->offset == SIZE_MAX) return false;
    if (f->kind == SPD__C_TEXT || f->kind == SPD__C_WORD || f->kind == SPD__C_PATH)
        return ((const spd_sv *)at)->len > 0;
    if (f->kind == SPD__C_PORT) return *(const int *)at != 0;
    if (f->kind == SPD__C_DURATION) return f->fallback || *(const spd_usec *)at;
    return true;
}

void spd__config_show_section(const char *section, const void *base, const char *indent,
                              struct spd_str *out)
{
    for (const struct spd__field *f = spd__config_fields; f->section; f++) {
        if (strcmp(f->section, section)) continue;
        if (f->kind == SPD__C_OWN) {
            if (f->show) f->show(base, indent, out);
        } else if (is_set(f, base)) {
            spd_str_addf(out, "%s%s: ", indent, f->key);
            show_value(f, base, out);
            spd_str_addc(out, '\n');
        }
    }
}

void spd_config_reference(struct spd_str *out)
{
    spd_str_addz(out, "| key | default | what |\n|---|---|---|\n");
    for (const struct spd__field *f = spd__config_fields; f->section; f++) {
        const char *d = f->fallback;
        bool named = !strncmp(f->section, "peers", 5) || !strcmp(f->section, "channels") ||
                     !strcmp(f->section, "send");
        spd_str_addz(out, "| `");
        spd_str_add(out, spd_sv_of(f->section, strcspn(f->section, ".")));
        if (named) spd_str_addz(out, ".NAME");
        spd_str_addz(out, f->section + strcspn(f->section, "."));
        if (!strcmp(f->section, "listen.http") || !strcmp(f->section, "listen.mllp"))
            spd_str_addz(out, "[]");
        spd_str_addf(out, "%s%s` | ", *f->section ? "." : "", f->key);
        if (d && *d == '!')
            spd_str_addz(out, "required");
        else if (d && !strcmp(d, "@assets"))
            spd_str_addz(out, "`/usr/share/spoed/web`");
        else if (d && !strncmp(d, "@share", 6))
            spd_str_addf(out, "`/usr/share/spoed%s`", d + 6);
        else if (d)
            spd_str_addf(out, "`%s`", d);
        spd_str_addf(out, " | %s |\n", f->help);
    }
}

/* ---- SPOED__A__B=value ------------------------------------------------------------------------
 */
static bool same_key(spd_sv key, spd_sv word)
{
    if (key.len != word.len) return false;
    for (size_t i = 0; i < key.len; i++) {
        int c = key.ptr[i] == '-' ? '_' : tolower((unsigned char)key.ptr[i]);
        if (c != tolower((unsigned char)word.ptr[i])) return false;
    }
    return true;
}

static struct spd_yaml *child(struct spd_yaml *map, spd_sv word, const char *variable,
                              struct spd_arena *arena)
{
    struct spd_yaml *c, **tail = &map->child;
    char *key;
    for (c = map->child; c; tail = &c->next, c = c->next)
        if (same_key(c->key, word)) return c;
    c = SPD_NEW(arena, struct spd_yaml);
    key = spd_arena_must(arena, word.len + 1);
    for (size_t i = 0; i < word.len; i++)
        key[i] = (char)tolower((unsigned char)word.ptr[i]);
    *c = (struct spd_yaml){.kind = SPD_YAML_MAP,
                           .line = 1,
                           .col = 1,
                           .file = variable,
                           .key = {key, word.len},
                           .key_line = 1,
                           .key_col = 1};
    map->n++;
    return *tail = c;
}

static enum spd_rc override(struct spd_yaml *root, const char *variable, struct spd_arena *arena,
                            struct spd_err *err)
{
    const char *equals = strchr(variable, '=');
    spd_sv rest = spd_sv_of(variable + 7, (size_t)(equals - variable) - 7);
    const char *name = spd_arena_dup(arena, spd_sv_of(variable, (size_t)(equals - variable))).ptr;
    struct spd_yaml *node = root;
    for (;;) {
        size_t at;
        bool more = spd_sv_find(rest, SPD_SV("__"), &at);
        spd_sv word = more ? spd_sv_of(rest.ptr, at) : rest;
        if (!word.len || node->kind != SPD_YAML_MAP)
            return spd_fail(err, SPD_INVALID, name,
                            "this variable names no single value of the configuration");
        node = child(node, word, name, arena);
        if (!more) break;
        rest = spd_sv_of(rest.ptr + at + 2, rest.len - at - 2);
    }
    if (node->kind != SPD_YAML_TEXT && node->child)
        return spd_fail(err, SPD_INVALID, name,
                        "this variable names no single value of the configuration");
    node->kind = SPD_YAML_TEXT, node->text = spd_arena_dup(arena, spd_sv_from(equals + 1));
    node->file = name, node->line = node->col = 1;
    return SPD_OK;
}

enum spd_rc spd__config_environment(struct spd_yaml *root, struct spd_arena *arena,
                                    struct spd_err *err)
{
    enum spd_rc rc = SPD_OK;
    for (char **e = environ; *e && !rc; e++)
        if (!strncmp(*e, "SPOED__", 7) && strchr(*e, '=')) rc = override(root, *e, arena, err);
    return rc;
}
