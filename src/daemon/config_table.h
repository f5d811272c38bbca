/* src/daemon/config_table.h: the field table of spoed.yaml. Private to config*.c.
 *
 * One row per key: where it stands, its kind, its place in the struct, its default and one line of
 * help. From the rows come the known keys of a section, parsing, `config show` and the table in
 * docs/configuration.md. A key whose value has a shape of its own has a pair of functions in
 * config.c. */
#ifndef SPD_DAEMON_CONFIG_TABLE_H
#define SPD_DAEMON_CONFIG_TABLE_H

#include "base/yaml.h"
#include "daemon/config.h"

struct spd__reading { /* context of one load */
    struct spd_config *c;
    struct spd_err *err;
    spd_sv dir;           /* of spoed.yaml: relative paths begin here */
    spd_sv share, assets; /* /usr/share/spoed and its web, or packaging/share and src/web/assets of
                           * a development tree */
};

enum spd__config_kind {
    SPD__C_TEXT,
    SPD__C_WORD,
    SPD__C_BOOL,
    SPD__C_DURATION,
    SPD__C_PORT,
    SPD__C_PATH,
    SPD__C_PATHS,
    SPD__C_OWN
};

struct spd__field {
    const char *section, *key;
    enum spd__config_kind kind;
    size_t offset, n_offset;
    const char *const *words; /* WORD */
    enum spd_rc (*parse)(struct spd__reading *r, const struct spd_yaml *node, void *base); /* OWN */
    void (*show)(const void *base, const char *indent, struct spd_str *out);               /* OWN */
    const char *fallback; /* NULL: none; "!" required; "@share/…", "@assets" */
    const char *help;
};
extern const struct spd__field spd__config_fields[]; /* section == NULL ends */

/* Defaults, then what the node has (NULL: defaults only); unknown keys are errors. */
enum spd_rc spd__config_read(struct spd__reading *r, const char *section,
                             const struct spd_yaml *node, void *base);
void spd__config_show_section(const char *section, const void *base, const char *indent,
                              struct spd_str *out);
void spd__config_show_text(spd_sv v, struct spd_str *out);
/* The rows as a Markdown table, for docs/configuration.md. */
void spd_config_reference(struct spd_str *out);
/* SPOED__A__B=value into the tree. */
enum spd_rc spd__config_environment(struct spd_yaml *root, struct spd_arena *arena,
                                    struct spd_err *err);

/* The functions of rows of kind OWN: config.c and config_peers.c. */
#define SPD__CONFIG_OWN(name)                                                                      \
    enum spd_rc spd__read_##name(struct spd__reading *r, const struct spd_yaml *node, void *base); \
    void spd__show_##name(const void *base, const char *indent, struct spd_str *out);
SPD__CONFIG_OWN(site)
SPD__CONFIG_OWN(store)
SPD__CONFIG_OWN(listen)
SPD__CONFIG_OWN(http)
SPD__CONFIG_OWN(mllp)
SPD__CONFIG_OWN(dicom)
SPD__CONFIG_OWN(poll)
SPD__CONFIG_OWN(poll_tls)
SPD__CONFIG_OWN(dicom_tls)
SPD__CONFIG_OWN(log)
SPD__CONFIG_OWN(peers)
SPD__CONFIG_OWN(channels)
SPD__CONFIG_OWN(send)
SPD__CONFIG_OWN(socket_roles)
SPD__CONFIG_OWN(match)
SPD__CONFIG_OWN(ae_titles)
SPD__CONFIG_OWN(peer_roles)
SPD__CONFIG_OWN(on_unusable)
SPD__CONFIG_OWN(status_map)
SPD__CONFIG_OWN(secret_file)
SPD__CONFIG_OWN(destination)
SPD__CONFIG_OWN(profile)
SPD__CONFIG_OWN(peer_map)
SPD__CONFIG_OWN(peer_quirks)
SPD__CONFIG_OWN(peer_connections)
SPD__CONFIG_OWN(listen_tls)
SPD__CONFIG_OWN(allow)
SPD__CONFIG_OWN(listen_connections)
SPD__CONFIG_OWN(send_tls)
SPD__CONFIG_OWN(send_quirks)

struct spd__send { /* an entry of send: while it is read */
    struct spd_channel_config channel;
    struct spd_destination destination;
};
/* config_map.c: do map and roles of a peer (its node) fit? */
enum spd_rc spd__check_peer_map(struct spd__reading *r, const struct spd_yaml *node,
                                const struct spd_peer *p);
void spd__config_free_maps(struct spd_config *c);
bool spd__is_loopback(spd_sv address);
/* A secret's file: a bare name stands in $CREDENTIALS_DIRECTORY where that is set, else beside
 * spoed.yaml. */
spd_sv spd__credential(struct spd__reading *r, spd_sv path);
/* For each entry of a mapping of named things: names are words. */
enum spd_rc spd__config_name(struct spd__reading *r, const struct spd_yaml *node, spd_sv *ret);
/* The words of a list as bits, in the order of names (NULL-ended). */
enum spd_rc spd__config_set(struct spd__reading *r, const struct spd_yaml *node,
                            const char *const *names, unsigned *ret);

/* config_send.c: names of the levels, most urgent first; NULL ends. */
void spd__config_levels(struct spd_config *c, const char *names[9]);
/* config_profile.c: defaults, and whether what was said fits together. e: the destination's node. */
enum spd_rc spd__finish_profile(struct spd__reading *r, const struct spd_yaml *e,
                                struct spd__send *s);

#endif
