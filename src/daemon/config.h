/* src/daemon/config.h: spoed.yaml as a value. Parsing is in config.c from one field table (keys, kinds,
 * defaults, one line of help), which is also the reference in docs and `spoed config show`.
 * Unknown keys, duplicate keys, anchors: error with file:line:col and "did you mean".
 * SPOED__A__B=value overrides a scalar. Immutable after load; owned: spd_config_free. */
#ifndef SPD_DAEMON_CONFIG_H
#define SPD_DAEMON_CONFIG_H

#include "channel/channel.h"
#include "model/model.h"
#include "net/range.h"
#include "net/tls.h"
#include "rules/rules.h"

struct spd_listen { spd_sv address; int port; spd_sv socket; bool tls;
                    struct { spd_sv user, role; } roles[8]; size_t n_roles;
                    struct spd_channel_tls files; bool insecure; /* mllp, when tls; else insecure: plain beyond loopback */
                    struct spd_net_range *allow; size_t n_allow; /* mllp: 0 = everybody */
                    spd_sv *allow_texts; int max_connections; };
struct spd_status_word { spd_sv word; enum spd_order_axis order; enum spd_report_axis report; bool exam_done; };
struct hl7_site;
struct hl7_map_options;
struct spd_peer {
    spd_sv name;
    struct { spd_sv door, address, certificate, ae_title[8], msh_3, msh_4, user; size_t n_ae_title; } match;
    bool orders, adt, reports, results;
    spd_sv site, accession_issuer, patient_authority, time_zone, charset;
    enum spd_answer on_unusable; /* AA (default) or AR */
    struct spd_status_word *status_map; size_t n_status_map;
    spd_usec expect_every;
    spd_sv msh_5, msh_6, msh_11; /* checked only when not "" */
    spd_sv map_path; const struct hl7_site *map; /* field map of its HL7 messages; NULL = the built-in one */
    unsigned quirks; /* enum hl7_quirk */
    int max_connections; /* MLLP; 0 = 256 */
    struct { spd_sv type, from, calling; spd_usec every; struct spd_channel_tls tls; } poll; /* from "": not polled */
    bool order_response; /* original mode: orders are answered by ORR, ORI or ORG */
};
struct spd_config {
    struct spd_arena *arena;
    spd_sv path;
    struct spd_settings settings;
    spd_sv store_url;
    spd_sv *policy_globs, *model_globs; size_t n_policy_globs, n_model_globs;
    spd_sv people_path;
    struct spd_listen *http; size_t n_http;
    struct spd_listen *mllp; size_t n_mllp;
    bool dicom; /* listen.dicom given */
    struct { spd_sv ae_title, reporting_ae_title, address; int port;
             int tls_port; struct spd_channel_tls tls; /* tls_port 0: none */ } dicom_listen;
    struct spd_peer *peers; size_t n_peers;
    struct spd_channel_config *channels; size_t n_channels; /* channels: */
    struct spd_channel_config *send; size_t n_send;         /* send: ; settings.destinations[i] is its twin */
    spd_sv codes_dir, site_codes_dir, templates_dir, assets_dir, run_dir;
    bool show_patients_in_logs;
};
enum spd_rc spd_config_load(const char *path, struct spd_config **ret, struct spd_err *err);
/* The shipped sample rules and one peer, "anybody", that may send orders, ADT and reports: for commands that work
 * without a configuration. */
enum spd_rc spd_config_sample(struct spd_config **ret, struct spd_err *err);
void spd_config_free(struct spd_config *c);
/* The effective configuration as YAML, secrets masked. */
void spd_config_show(const struct spd_config *c, struct spd_str *out);

/* The most specific entry that matches (domain §9): NULL = unlisted. Keys not used by a door are "". */
struct spd_peer_keys { const char *door; spd_sv address, certificate /* its names, one a line */, ae_title, msh_3, msh_4, user; };
const struct spd_peer *spd_config_peer(const struct spd_config *c, const struct spd_peer_keys *k);
/* May this AE title be used with this certificate ("" none)? Not when the peers that name it all want another
 * certificate, nor when this certificate is of peers that call themselves something else. */
bool spd_config_admits(const struct spd_config *c, spd_sv ae_title, spd_sv certificate);
/* What the reader of HL7 messages is told of a peer (NULL: not listed); texts in arena, ret->map is one
 * reference, given back with hl7_site_unref. zone: the site's. */
void spd_config_hl7_options(const struct spd_config *c, const struct spd_peer *p, const struct spd_zone *zone,
                            struct spd_arena *arena, struct hl7_map_options *ret);
/* MLLP connections that an address may have: the most that any peer calling from it may; 0 = none says. */
size_t spd_config_connections(const struct spd_config *c, spd_sv address);

/* Can the certificates and keys that the configuration names be used? err.place is the file. Not part
 * of loading: a command of somebody who may not read the key needs the rest of the file. */
enum spd_rc spd_config_check_tls(const struct spd_config *c, struct spd_err *err);
struct spd_tls_files spd_config_tls_files(const struct spd_channel_tls *t); /* borrowed from t */

/* The rules that the configuration names, read and loaded. Any ret may be NULL. */
struct spd_rules_files { struct spd_source *policy, *models, people; size_t n_policy, n_models; };
enum spd_rc spd_config_read_rules(const struct spd_config *c, struct spd_rules_files *ret, struct spd_arena *arena, struct spd_err *err);
#endif
