/* src/base/yaml.c: see yaml.h. libyaml's event parser underneath; it accepts duplicate keys,
 * anchors and tags, so all of that is refused here. */
#include "base/yaml.h"

#include <stdarg.h>
#include <stdio.h>

#include <yaml.h>

#include "base/str.h"

enum { MAX_TEXT = 1 << 20, MAX_DEPTH = 32, MAX_NODES = 50000, MAX_KEYS = 4096 };

/* ---- places and errors ---------------------------------------------------------------------- */
static void place_at(const char *file, int line, int col, char ret[96])
{
    char at[32];
    size_t n = strlen(file), room;
    snprintf(at, sizeof at, ":%d:%d", line, col);
    room = 95 - strlen(at);
    snprintf(ret, 96, "%s%s", n > room ? file + (n - room) : file, at);
}

void spd_yaml_place(const struct spd_yaml *node, char ret[96])
{
    place_at(node->file, node->line, node->col, ret);
}

static enum spd_rc fail_at(const char *file, int line, int col, struct spd_err *err,
                           const char *fmt, va_list ap)
{
    char place[96], text[sizeof err->text];
    place_at(file, line, col, place);
    vsnprintf(text, sizeof text, fmt, ap);
    return spd_fail(err, SPD_INVALID, place, "%s", text);
}

enum spd_rc spd_yaml_fail(const struct spd_yaml *node, struct spd_err *err, const char *fmt, ...)
{
    va_list ap;
    enum spd_rc rc;
    va_start(ap, fmt);
    rc = fail_at(node->file, node->line, node->col, err, fmt, ap);
    va_end(ap);
    return rc;
}

enum spd_rc spd_yaml_fail_key(const struct spd_yaml *node, struct spd_err *err, const char *fmt,
                              ...)
{
    va_list ap;
    enum spd_rc rc;
    int line = node->key_line ? node->key_line : node->line;
    va_start(ap, fmt);
    rc = fail_at(node->file, line, node->key_line ? node->key_col : node->col, err, fmt, ap);
    va_end(ap);
    return rc;
}

/* ---- parsing -------------------------------------------------------------------------------- */
struct parse {
    yaml_parser_t parser;
    struct spd_arena *arena;
    struct spd_err *err;
    const char *file;
    struct spd_yaml *stack[MAX_DEPTH]; /* open lists and mappings */
    struct spd_yaml *last[MAX_DEPTH];  /* their last children */
    int depth;
    size_t nodes;
    struct spd_yaml *root;
    struct spd_yaml key; /* a key was read, its value comes next: key.key_line > 0 */
};

static enum spd_rc refuse(struct parse *p, yaml_mark_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static enum spd_rc refuse(struct parse *p, yaml_mark_t at, const char *fmt, ...)
{
    va_list ap;
    enum spd_rc rc;
    va_start(ap, fmt);
    rc = fail_at(p->file, (int)at.line + 1, (int)at.column + 1, p->err, fmt, ap);
    va_end(ap);
    return rc;
}

static bool key_is_next(const struct parse *p)
{
    return p->depth && p->stack[p->depth - 1]->kind == SPD_YAML_MAP && !p->key.key_line;
}

static enum spd_rc take_key(struct parse *p, const yaml_event_t *e)
{
    const struct spd_yaml *map = p->stack[p->depth - 1];
    spd_sv key = spd_sv_of((const char *)e->data.scalar.value, e->data.scalar.length);
    if (map->n >= MAX_KEYS)
        return refuse(p, e->start_mark, "more than %d keys in one mapping", MAX_KEYS);
    if (!key.len) return refuse(p, e->start_mark, "a key may not be empty");
    for (const struct spd_yaml *c = map->child; c; c = c->next)
        if (spd_sv_eq(c->key, key))
            return refuse(p, e->start_mark,
                          "this key stands here twice (first in line %d): remove one", c->key_line);
    p->key.key = spd_arena_dup(p->arena, key);
    p->key.key_line = (int)e->start_mark.line + 1;
    p->key.key_col = (int)e->start_mark.column + 1;
    return SPD_OK;
}

/* Adds a node under the innermost open one. */
static enum spd_rc add(struct parse *p, enum spd_yaml_kind kind, const yaml_event_t *e,
                       struct spd_yaml **ret)
{
    struct spd_yaml *node;
    if (++p->nodes > MAX_NODES)
        return refuse(p, e->start_mark, "more than %d values in one file", MAX_NODES);
    node = SPD_NEW(p->arena, struct spd_yaml);
    node->kind = kind, node->file = p->file;
    node->line = (int)e->start_mark.line + 1, node->col = (int)e->start_mark.column + 1;
    if (p->depth) {
        struct spd_yaml *up = p->stack[p->depth - 1], **tail = &p->last[p->depth - 1];
        if (up->kind == SPD_YAML_MAP) {
            node->key = p->key.key, node->key_line = p->key.key_line,
            node->key_col = p->key.key_col;
            p->key.key_line = 0;
        }
        if (*tail)
            (*tail)->next = node;
        else
            up->child = node;
        *tail = node;
        up->n++;
    } else {
        p->root = node;
    }
    *ret = node;
    return SPD_OK;
}

static enum spd_rc scalar(struct parse *p, const yaml_event_t *e)
{
    struct spd_yaml *node = NULL;
    enum spd_rc rc;
    if (e->data.scalar.anchor)
        return refuse(p, e->start_mark, "anchors (&) are not allowed: write the value out");
    if (e->data.scalar.tag) return refuse(p, e->start_mark, "tags (!) are not allowed: remove it");
    if (memchr(e->data.scalar.value, 0, e->data.scalar.length))
        return refuse(p, e->start_mark, "a NUL character is not allowed");
    if (key_is_next(p)) return take_key(p, e);
    if ((rc = add(p, SPD_YAML_TEXT, e, &node))) return rc;
    node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = spd_arena_dup(
        p->arena, spd_sv_of((const char *)e->data.scalar.value, e->data.scalar.length));
    return SPD_OK;
}

static enum spd_rc open_node(struct parse *p, enum spd_yaml_kind kind, const yaml_event_t *e,
                             bool anchor, bool tag)
{
    struct spd_yaml *node = NULL;
    enum spd_rc rc;
    if (anchor) return refuse(p, e->start_mark, "anchors (&) are not allowed: write the value out");
    if (tag) return refuse(p, e->start_mark, "tags (!) are not allowed: remove it");
    if (key_is_next(p)) return refuse(p, e->start_mark, "a key must be a plain text");
    if (p->depth == MAX_DEPTH)
        return refuse(p, e->start_mark, "nested deeper than %d levels", MAX_DEPTH);
    if ((rc = add(p, kind, e, &node))) return rc;
    p->last[p->depth] = NULL;
    p->stack[p->depth++] = node;
    return SPD_OK;
}

static enum spd_rc event(struct parse *p, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return refuse(p, e->start_mark, "aliases (*) are not allowed: write the value out");
    case YAML_SCALAR_EVENT:
        return scalar(p, e);
    case YAML_SEQUENCE_START_EVENT:
        return open_node(p, SPD_YAML_LIST, e, e->data.sequence_start.anchor,
                         e->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return open_node(p, SPD_YAML_MAP, e, e->data.mapping_start.anchor,
                         e->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        p->depth--;
        return SPD_OK;
    case YAML_DOCUMENT_START_EVENT:
        if (p->root)
            return refuse(p, e->start_mark,
                          "a second document (---) is not allowed: use another file");
        return SPD_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return SPD_OK;
    }
    return SPD_OK;
}

static enum spd_rc run(struct parse *p)
{
    bool end = false;
    enum spd_rc rc = SPD_OK;
    while (!rc && !end) {
        yaml_event_t e;
        if (!yaml_parser_parse(&p->parser, &e)) {
            if (p->parser.error == YAML_MEMORY_ERROR) spd_out_of_memory();
            /* problem is one of libyaml's own fixed sentences: no text of the file is in it */
            return refuse(p, p->parser.problem_mark, "not readable as YAML: %s",
                          p->parser.problem ? p->parser.problem : "check the indentation");
        }
        end = e.type == YAML_STREAM_END_EVENT;
        rc = event(p, &e);
        yaml_event_delete(&e);
    }
    return rc;
}

/* Line and column (in bytes) of the first byte that is not UTF-8. */
static yaml_mark_t not_utf8_at(spd_sv text)
{
    yaml_mark_t m = {0, 0, 0};
    size_t start = 0;
    for (size_t i = 0; i <= text.len; i++)
        if (i == text.len || text.ptr[i] == '\n') {
            if (!spd_sv_is_utf8(spd_sv_of(text.ptr + start, i - start))) {
                while (spd_sv_is_utf8(spd_sv_of(text.ptr + start, m.column + 1)) &&
                       start + m.column + 1 < i)
                    m.column++;
                return m;
            }
            start = i + 1;
            m.line++;
        }
    return m;
}

enum spd_rc spd_yaml_parse(const struct spd_source *source, struct spd_yaml **ret,
                           struct spd_arena *arena, struct spd_err *err)
{
    struct parse *p;
    enum spd_rc rc;
    yaml_mark_t none = {0, 0, 0};
    p = SPD_NEW(arena, struct parse);
    p->arena = arena, p->err = err;
    p->file = spd_arena_dup(arena, source->name).ptr;
    if (!p->file) p->file = "";
    if (source->text.len > MAX_TEXT) return refuse(p, none, "larger than 1 MiB: split it");
    if (!spd_sv_is_utf8(source->text))
        return refuse(p, not_utf8_at(source->text), "not UTF-8: save the file as UTF-8");
    if (!yaml_parser_initialize(&p->parser)) spd_out_of_memory();
    yaml_parser_set_input_string(&p->parser,
                                 (const unsigned char *)(source->text.ptr ? source->text.ptr : ""),
                                 source->text.len);
    yaml_parser_set_encoding(&p->parser, YAML_UTF8_ENCODING);
    rc = run(p);
    yaml_parser_delete(&p->parser);
    if (rc) return rc;
    if (!p->root) return refuse(p, none, "the file is empty");
    *ret = p->root;
    return SPD_OK;
}

/* ---- keys ----------------------------------------------------------------------------------- */
const struct spd_yaml *spd_yaml_get(const struct spd_yaml *map, const char *key)
{
    if (!map || map->kind != SPD_YAML_MAP) return NULL;
    for (const struct spd_yaml *c = map->child; c; c = c->next)
        if (spd_sv_is(c->key, key)) return c;
    return NULL;
}

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c == '-' ? '_' : c;
}

/* Edit distance with swaps of neighbours, on words of at most 40 letters. */
static int distance(spd_sv a, const char *b, int n)
{
    int d[41][41];
    int m = (int)a.len;
    for (int i = 0; i <= m; i++)
        d[i][0] = i;
    for (int j = 0; j <= n; j++)
        d[0][j] = j;
    for (int i = 1; i <= m; i++)
        for (int j = 1; j <= n; j++) {
            int cost = fold(a.ptr[i - 1]) != fold(b[j - 1]), best = d[i - 1][j - 1] + cost;
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && fold(a.ptr[i - 1]) == fold(b[j - 2]) &&
                fold(a.ptr[i - 2]) == fold(b[j - 1]) && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[m][n];
}

const char *spd_yaml_nearest(spd_sv word, const char *const *known)
{
    const char *best = NULL;
    int least = 0;
    if (!word.len || word.len > 40) return NULL;
    for (; *known; known++) {
        size_t n = strlen(*known);
        int d;
        if (n > 40) continue;
        d = distance(word, *known, (int)n);
        if (d <= (n < 4 ? 1 : (int)n / 3) && (!best || d < least)) best = *known, least = d;
    }
    return best;
}

enum spd_rc spd_yaml_unknown_key(const struct spd_yaml *node, const char *const *known,
                                 struct spd_err *err)
{
    const char *near = spd_yaml_nearest(node->key, known);
    char all[150];
    size_t n = 0;
    if (near) return spd_yaml_fail_key(node, err, "unknown key; did you mean \"%s\"?", near);
    all[0] = 0;
    for (; *known; known++) {
        size_t k = strlen(*known);
        if (n + k + 6 >= sizeof all) {
            memcpy(all + n, " …", sizeof " …");
            break;
        }
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", n ? " " : "", *known);
    }
    return spd_yaml_fail_key(node, err, "unknown key; known here: %s", all);
}

enum spd_rc spd_yaml_keys(const struct spd_yaml *map, const char *const *known, struct spd_err *err)
{
    enum spd_rc rc = spd_yaml_map(map, err);
    if (rc) return rc;
    for (const struct spd_yaml *c = map->child; c; c = c->next) {
        const char *const *k = known;
        while (*k && !spd_sv_is(c->key, *k))
            k++;
        if (!*k) return spd_yaml_unknown_key(c, known, err);
    }
    return SPD_OK;
}

/* ---- typed values --------------------------------------------------------------------------- */
enum spd_rc spd_yaml_map(const struct spd_yaml *node, struct spd_err *err)
{
    return node->kind == SPD_YAML_MAP
               ? SPD_OK
               : spd_yaml_fail(node, err, "expected keys and values (key: value)");
}

enum spd_rc spd_yaml_list(const struct spd_yaml *node, struct spd_err *err)
{
    return node->kind == SPD_YAML_LIST
               ? SPD_OK
               : spd_yaml_fail(node, err, "expected a list ([a, b] or lines with -)");
}

enum spd_rc spd_yaml_text(const struct spd_yaml *node, spd_sv *ret, struct spd_err *err)
{
    if (node->kind != SPD_YAML_TEXT)
        return spd_yaml_fail(node, err, "expected one value, not a list or mapping");
    if (!node->text.len) return spd_yaml_fail(node, err, "a value is missing");
    *ret = node->text;
    return SPD_OK;
}

enum spd_rc spd_yaml_bool(const struct spd_yaml *node, bool *ret, struct spd_err *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", NULL};
    for (int i = 0; node->kind == SPD_YAML_TEXT && words[i]; i++)
        if (spd_sv_is(node->text, words[i])) {
            *ret = i % 2;
            return SPD_OK;
        }
    return spd_yaml_fail(node, err, "expected true or false");
}

enum spd_rc spd_yaml_int(const struct spd_yaml *node, int64_t min, int64_t max, int64_t *ret,
                         struct spd_err *err)
{
    int64_t v;
    if (node->kind != SPD_YAML_TEXT || !spd_sv_to_i64(node->text, &v) || v < min || v > max)
        return spd_yaml_fail(node, err, "expected a whole number from %lld to %lld", (long long)min,
                             (long long)max);
    *ret = v;
    return SPD_OK;
}

enum spd_rc spd_yaml_duration(const struct spd_yaml *node, spd_usec *ret, struct spd_err *err)
{
    if (node->kind != SPD_YAML_TEXT || !spd_duration_parse(node->text, ret))
        return spd_yaml_fail(node, err, "expected a duration such as 10s, 5m, 4h or 2d");
    return SPD_OK;
}

enum spd_rc spd_yaml_probability(const struct spd_yaml *node, int64_t *ret, struct spd_err *err)
{
    int64_t v;
    if (node->kind != SPD_YAML_TEXT || !spd_sv_to_micro(node->text, &v) || v < 0 || v > 1000000)
        return spd_yaml_fail(node, err, "expected a probability from 0 to 1, such as 0.6");
    *ret = v;
    return SPD_OK;
}

enum spd_rc spd_yaml_word(const struct spd_yaml *node, const char *const *names, int *ret,
                          struct spd_err *err)
{
    char all[140];
    const char *near;
    size_t n = 0;
    for (int i = 0; node->kind == SPD_YAML_TEXT && names[i]; i++)
        if (*names[i] && spd_sv_is(node->text, names[i])) {
            *ret = i;
            return SPD_OK;
        }
    near = node->kind == SPD_YAML_TEXT ? spd_yaml_nearest(node->text, names) : NULL;
    if (near && *near) return spd_yaml_fail(node, err, "unknown word; did you mean \"%s\"?", near);
    all[0] = 0;
    for (int i = 0; names[i] && n + strlen(names[i]) + 4 < sizeof all; i++)
        if (*names[i])
            n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", n ? ", " : "", names[i]);
    return spd_yaml_fail(node, err, "expected one of: %s", all);
}

enum spd_rc spd_yaml_texts(const struct spd_yaml *node, spd_sv **ret, size_t *ret_n,
                           struct spd_arena *arena, struct spd_err *err)
{
    size_t n = 0;
    enum spd_rc rc;
    if (node->kind == SPD_YAML_MAP)
        return spd_yaml_fail(node, err, "expected a value or a list of values");
    *ret = SPD_NEW_N(arena, spd_sv, node->kind == SPD_YAML_TEXT ? 1 : node->n ? node->n : 1);
    if (node->kind == SPD_YAML_TEXT) {
        *ret_n = 1;
        return spd_yaml_text(node, *ret, err);
    }
    for (const struct spd_yaml *c = node->child; c; c = c->next)
        if ((rc = spd_yaml_text(c, &(*ret)[n++], err))) return rc;
    *ret_n = n;
    return SPD_OK;
}
