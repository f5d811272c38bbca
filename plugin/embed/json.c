/* plugin/embed/json.c: the brain's answers as a tree.
 *
 * Not jansson: when memory runs out while it reads a text, version 2.14 may lose a letter of it and
 * say that all is well; a patient's number is no place for that. Here a first pass judges the text
 * (RFC 8259, UTF-8, at most 32 levels) and counts, then everything is taken in two blocks, then a
 * second pass of the same code fills them: memory is there or it is not. Recursion is 32 frames of
 * some hundred bytes deep: the host's stack may be small. */
#include "embed.h"

#include <stdlib.h>

enum { DEPTH_MAX = 32, NODES_MAX = 4 << 20 };

struct cursor {
    const char *at, *end;
    struct spd_embed_node *nodes; /* NULL: the first pass */
    char *texts;
    size_t n_nodes, n_texts; /* used, or to be used */
};

static bool is(struct cursor *c, char want)
{
    if (c->at == c->end || *c->at != want) return false;
    c->at++;
    return true;
}

static void blanks(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

/* ---- texts -------------------------------------------------------------------------------- */
static void put(struct cursor *c, char byte)
{
    if (c->nodes) c->texts[c->n_texts] = byte;
    c->n_texts++;
}

static bool hex4(struct cursor *c, unsigned *ret)
{
    *ret = 0;
    for (int i = 0; i < 4; i++) {
        char d = c->at < c->end ? *c->at++ : 0, low = (char)(d | 0x20);
        if (d >= '0' && d <= '9')
            *ret = *ret * 16 + (unsigned)(d - '0');
        else if (low >= 'a' && low <= 'f')
            *ret = *ret * 16 + (unsigned)(low - 'a') + 10;
        else
            return false;
    }
    return true;
}

static void put_utf8(struct cursor *c, unsigned u)
{
    if (u < 0x80) {
        put(c, (char)u);
        return;
    }
    if (u < 0x800) {
        put(c, (char)(0xc0 | u >> 6));
    } else {
        if (u < 0x10000) {
            put(c, (char)(0xe0 | u >> 12));
        } else {
            put(c, (char)(0xf0 | u >> 18));
            put(c, (char)(0x80 | (u >> 12 & 0x3f)));
        }
        put(c, (char)(0x80 | (u >> 6 & 0x3f)));
    }
    put(c, (char)(0x80 | (u & 0x3f)));
}

/* After the backslash. A surrogate stands in a pair or not at all, and there is no NUL. */
static bool escape(struct cursor *c)
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    unsigned u, low;
    char e = c->at < c->end ? *c->at++ : 0;
    const char *known = e ? strchr(names, e) : NULL;
    if (known) {
        put(c, bytes[known - names]);
        return true;
    }
    if (e != 'u' || !hex4(c, &u) || u == 0) return false;
    if (u >= 0xd800 && u <= 0xdfff) {
        if (u > 0xdbff || !is(c, '\\') || !is(c, 'u') || !hex4(c, &low) || low < 0xdc00 ||
            low > 0xdfff)
            return false;
        u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
    }
    put_utf8(c, u);
    return true;
}

static bool string(struct cursor *c, const char **ret)
{
    if (!is(c, '"')) return false;
    *ret = c->nodes ? c->texts + c->n_texts : NULL;
    while (c->at < c->end) {
        unsigned char b = (unsigned char)*c->at++;
        if (b == '"') {
            put(c, 0);
            return true;
        }
        if (b < 0x20 || (b == '\\' && !escape(c))) return false;
        if (b != '\\') put(c, (char)b);
    }
    return false;
}

/* ---- other values ------------------------------------------------------------------------- */
static size_t digits(struct cursor *c)
{
    const char *from = c->at;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
        c->at++;
    return (size_t)(c->at - from);
}

/* One that is no whole number, or too long for 64 bits, counts as a number that is not said. */
static bool number(struct cursor *c, struct spd_embed_node *node)
{
    const char *from = c->at, *first;
    size_t n;
    bool whole = true;
    (void)is(c, '-');
    first = c->at;
    n = digits(c);
    if (!n || (n > 1 && *first == '0')) return false;
    if (is(c, '.')) {
        whole = false;
        if (!digits(c)) return false;
    }
    if (c->at < c->end && (*c->at == 'e' || *c->at == 'E')) {
        whole = false;
        c->at++;
        if (!is(c, '+')) (void)is(c, '-');
        if (!digits(c)) return false;
    }
    node->kind = whole && spd_sv_to_i64(spd_sv_of(from, (size_t)(c->at - from)), &node->number)
                     ? SPD_EMBED_INT
                     : SPD_EMBED_OTHER;
    return true;
}

static bool word(struct cursor *c, spd_sv w)
{
    if (!spd_sv_starts(spd_sv_of(c->at, (size_t)(c->end - c->at)), w)) return false;
    c->at += w.len;
    return true;
}

static bool value(struct cursor *c, const char *key, int depth, struct spd_embed_node **ret);

static bool members(struct cursor *c, struct spd_embed_node *node, int depth, bool object)
{
    struct spd_embed_node **last = &node->first, *child;
    const char *key = NULL;
    blanks(c);
    if (is(c, object ? '}' : ']')) return true;
    do {
        blanks(c);
        if (object) {
            if (!string(c, &key)) return false;
            blanks(c);
            if (!is(c, ':')) return false;
        }
        if (!value(c, key, depth + 1, &child)) return false;
        node->n++;
        if (!c->nodes) continue;
        *last = child;
        last = &child->next;
    } while (blanks(c), is(c, ','));
    return is(c, object ? '}' : ']');
}

static bool value(struct cursor *c, const char *key, int depth, struct spd_embed_node **ret)
{
    struct spd_embed_node counted, *node = c->nodes ? &c->nodes[c->n_nodes] : &counted;
    char open;
    blanks(c);
    if (c->at == c->end || ++c->n_nodes > NODES_MAX) return false;
    *node = (struct spd_embed_node){.kind = SPD_EMBED_OTHER, .key = key};
    *ret = c->nodes ? node : NULL;
    open = *c->at;
    if (open == '"') {
        node->kind = SPD_EMBED_TEXT;
        return string(c, &node->text);
    }
    if (open == '-' || (open >= '0' && open <= '9')) return number(c, node);
    if (open == '{' || open == '[') {
        node->kind = open == '{' ? SPD_EMBED_OBJECT : SPD_EMBED_ARRAY;
        c->at++;
        return depth < DEPTH_MAX && members(c, node, depth, open == '{');
    }
    if (word(c, SPD_SV("true"))) {
        node->kind = SPD_EMBED_TRUE;
        return true;
    }
    return word(c, SPD_SV("false")) || word(c, SPD_SV("null"));
}

static bool whole(struct cursor *c)
{
    struct spd_embed_node *root;
    if (!value(c, NULL, 1, &root)) return false;
    blanks(c);
    return c->at == c->end;
}

/* ---- outside ------------------------------------------------------------------------------ */
enum spoed_code spd_embed_json(spd_sv text, struct spd_embed_doc *ret, struct spoed_error *err)
{
    struct cursor count = {.at = text.ptr, .end = text.ptr + text.len}, fill = count;
    struct spd_embed_doc d = {0};
    if (!text.len || !spd_sv_is_utf8(text) || !whole(&count))
        return spd_embed_fail(err, SPOED_PROTOCOL, "the answer is not JSON");
    d.n_nodes = count.n_nodes, d.n_texts = count.n_texts;
    d.nodes = calloc(d.n_nodes, sizeof *d.nodes);
    d.texts = malloc(d.n_texts + 1);
    if (!d.nodes || !d.texts) {
        spd_embed_done(&d);
        return spd_embed_fail(err, SPOED_NO_MEMORY, "out of memory");
    }
    fill.nodes = d.nodes, fill.texts = d.texts;
    (void)whole(&fill); /* the same text once more */
    if (d.nodes->kind != SPD_EMBED_OBJECT) {
        spd_embed_done(&d);
        return spd_embed_fail(err, SPOED_PROTOCOL, "the answer is not a JSON object");
    }
    *ret = d;
    return SPOED_OK;
}

void spd_embed_done(struct spd_embed_doc *d)
{
    if (d->nodes) explicit_bzero(d->nodes, d->n_nodes * sizeof *d->nodes);
    if (d->texts) explicit_bzero(d->texts, d->n_texts);
    free(d->nodes);
    free(d->texts);
    *d = (struct spd_embed_doc){0};
}

const struct spd_embed_node *spd_embed_get(const struct spd_embed_node *o, const char *key)
{
    const struct spd_embed_node *c = o && o->kind == SPD_EMBED_OBJECT ? o->first : NULL;
    while (c && strcmp(c->key, key))
        c = c->next;
    return c;
}

const struct spd_embed_node *spd_embed_at(const struct spd_embed_node *a, size_t i)
{
    const struct spd_embed_node *c = a && a->kind == SPD_EMBED_ARRAY ? a->first : NULL;
    while (c && i--)
        c = c->next;
    return c;
}

size_t spd_embed_size(const struct spd_embed_node *a)
{
    return a && a->kind == SPD_EMBED_ARRAY ? a->n : 0;
}

const char *spd_embed_string(const struct spd_embed_node *v)
{
    return v && v->kind == SPD_EMBED_TEXT ? v->text : "";
}

const char *spd_embed_text(const struct spd_embed_node *o, const char *key)
{
    return spd_embed_string(spd_embed_get(o, key));
}

int64_t spd_embed_int(const struct spd_embed_node *o, const char *key)
{
    const struct spd_embed_node *v = spd_embed_get(o, key);
    return v && v->kind == SPD_EMBED_INT ? v->number : 0;
}
