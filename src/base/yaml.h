/* src/base/yaml.h: a YAML file as a small typed tree, with the place of every node.
 *
 * Deliberately less than YAML: one document; mappings, lists and texts; every scalar stays the text
 * that was written ("NO" is a text, not false). Refused with "file:line:col" and what to do:
 * duplicate keys, anchors, aliases, tags, keys that are not plain text, text that is not UTF-8, and
 * anything beyond 1 MiB, 32 levels, 50,000 nodes or 4,096 keys in one mapping. The typed getters
 * below all fail the same way: INVALID, the node's place, what is expected. Nodes live in the
 * arena; texts are copies. No shared state. */
#ifndef SPD_BASE_YAML_H
#define SPD_BASE_YAML_H

#include "base/clock.h"
#include "base/source.h"

enum spd_yaml_kind { SPD_YAML_TEXT = 1, SPD_YAML_LIST, SPD_YAML_MAP };

struct spd_yaml {
    enum spd_yaml_kind kind;
    bool plain;    /* TEXT: written without quotes */
    int line, col; /* from 1 */
    const char *file;
    spd_sv text;           /* TEXT */
    spd_sv key;            /* in a mapping: its key ... */
    int key_line, key_col; /* ... and where that stands */
    size_t n;              /* number of children */
    struct spd_yaml *child, *next;
};

enum spd_rc spd_yaml_parse(const struct spd_source *source, struct spd_yaml **ret,
                           struct spd_arena *arena, struct spd_err *err);

/* Fails at a node, or at its key. */
enum spd_rc spd_yaml_fail(const struct spd_yaml *node, struct spd_err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
enum spd_rc spd_yaml_fail_key(const struct spd_yaml *node, struct spd_err *err, const char *fmt,
                              ...) __attribute__((format(printf, 3, 4)));
/* "file:line:col", at most 95 bytes: of a long path the end. */
void spd_yaml_place(const struct spd_yaml *node, char ret[96]);

/* NULL: not there (or map is NULL). */
const struct spd_yaml *spd_yaml_get(const struct spd_yaml *map, const char *key);
/* The node is a mapping, and has no other keys than these (NULL-ended). */
enum spd_rc spd_yaml_keys(const struct spd_yaml *map, const char *const *known,
                          struct spd_err *err);
/* Fails at the key of node with "did you mean" the nearest of known, or the list of them. */
enum spd_rc spd_yaml_unknown_key(const struct spd_yaml *node, const char *const *known,
                                 struct spd_err *err);
/* The nearest of known (NULL-ended) within a third of its length; NULL: nothing is near. */
const char *spd_yaml_nearest(spd_sv word, const char *const *known);

enum spd_rc spd_yaml_map(const struct spd_yaml *node, struct spd_err *err);
enum spd_rc spd_yaml_list(const struct spd_yaml *node, struct spd_err *err);
/* Not empty. */
enum spd_rc spd_yaml_text(const struct spd_yaml *node, spd_sv *ret, struct spd_err *err);
/* true yes on / false no off. */
enum spd_rc spd_yaml_bool(const struct spd_yaml *node, bool *ret, struct spd_err *err);
enum spd_rc spd_yaml_int(const struct spd_yaml *node, int64_t min, int64_t max, int64_t *ret,
                         struct spd_err *err);
enum spd_rc spd_yaml_duration(const struct spd_yaml *node, spd_usec *ret, struct spd_err *err);
/* 0..1 to millionths. */
enum spd_rc spd_yaml_probability(const struct spd_yaml *node, int64_t *ret, struct spd_err *err);
/* One of names (NULL-ended): its index. */
enum spd_rc spd_yaml_word(const struct spd_yaml *node, const char *const *names, int *ret,
                          struct spd_err *err);
/* A text, or a list of texts: as a list. */
enum spd_rc spd_yaml_texts(const struct spd_yaml *node, spd_sv **ret, size_t *ret_n,
                           struct spd_arena *arena, struct spd_err *err);

#endif
