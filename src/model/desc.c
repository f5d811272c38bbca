/* src/model/desc.c: copy, compare, encode, decode and print by description. See desc.h.
 *
 * The binary form is for our own journal, yet the decoder trusts nothing: every length is checked,
 * nesting is bounded by the descriptions themselves (they do not recurse). */
#include "model/desc.h"

enum wire { W_INT = 0, W_BYTES = 1 };

static size_t elem_size(const struct spd_member *m)
{
    if (m->kind == SPD_K_LIST) return m->sub->size;
    return m->kind == SPD_K_LIST_TEXT ? sizeof(spd_sv) : sizeof(int64_t);
}

static const void *at(const void *v, const struct spd_member *m)
{
    return (const char *)v + m->offset;
}

/* ---- clone, compare ------------------------------------------------------------------------ */
static void clone_list(const struct spd_member *m, struct spd_seq *dst, const struct spd_seq *src,
                       struct spd_arena *arena)
{
    size_t size = elem_size(m);
    dst->n = src->n;
    dst->v = src->n ? spd_arena_must(arena, size * src->n) : NULL;
    for (size_t i = 0; i < src->n; i++) {
        char *d = (char *)dst->v + i * size;
        const char *s = (const char *)src->v + i * size;
        if (m->kind == SPD_K_LIST)
            spd_desc_clone(m->sub, d, s, arena);
        else if (m->kind == SPD_K_LIST_I64)
            memcpy(d, s, size);
        else
            *(spd_sv *)(void *)d = spd_arena_dup(arena, *(const spd_sv *)(const void *)s);
    }
}

void spd_desc_clone(const struct spd_desc *d, void *dst, const void *src, struct spd_arena *arena)
{
    for (const struct spd_member *m = d->members(); m->name; m++) {
        void *to = (char *)dst + m->offset;
        const void *from = at(src, m);
        switch (m->kind) {
        case SPD_K_I64:
            *(int64_t *)to = *(const int64_t *)from;
            break;
        case SPD_K_ENUM:
            *(int32_t *)to = *(const int32_t *)from;
            break;
        case SPD_K_TEXT:
        case SPD_K_BLOB: {
            spd_sv v = *(const spd_sv *)from;
            *(spd_sv *)to = v.len ? spd_arena_dup(arena, v) : SPD_SV_NONE;
            break;
        }
        case SPD_K_STRUCT:
            spd_desc_clone(m->sub, to, from, arena);
            break;
        case SPD_K_LIST:
        case SPD_K_LIST_TEXT:
        case SPD_K_LIST_I64:
            clone_list(m, to, from, arena);
            break;
        }
    }
}

static bool list_equal(const struct spd_member *m, const struct spd_seq *a, const struct spd_seq *b)
{
    size_t size = elem_size(m);
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        const char *x = (const char *)a->v + i * size, *y = (const char *)b->v + i * size;
        if (m->kind == SPD_K_LIST ? !spd_desc_equal(m->sub, x, y)
            : m->kind == SPD_K_LIST_I64
                ? memcmp(x, y, size) != 0
                : !spd_sv_eq(*(const spd_sv *)(const void *)x, *(const spd_sv *)(const void *)y))
            return false;
    }
    return true;
}

bool spd_desc_equal(const struct spd_desc *d, const void *a, const void *b)
{
    for (const struct spd_member *m = d->members(); m->name; m++) {
        const void *x = at(a, m), *y = at(b, m);
        bool same = false;
        switch (m->kind) {
        case SPD_K_I64:
            same = *(const int64_t *)x == *(const int64_t *)y;
            break;
        case SPD_K_ENUM:
            same = *(const int32_t *)x == *(const int32_t *)y;
            break;
        case SPD_K_TEXT:
        case SPD_K_BLOB:
            same = spd_sv_eq(*(const spd_sv *)x, *(const spd_sv *)y);
            break;
        case SPD_K_STRUCT:
            same = spd_desc_equal(m->sub, x, y);
            break;
        case SPD_K_LIST:
        case SPD_K_LIST_TEXT:
        case SPD_K_LIST_I64:
            same = list_equal(m, x, y);
            break;
        }
        if (!same) return false;
    }
    return true;
}

/* ---- binary -------------------------------------------------------------------------------- */
static void put_varint(struct spd_str *out, uint64_t v)
{
    char b[10];
    size_t n = 0;
    do
        b[n++] = (char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
    while (v >>= 7);
    spd_str_add(out, spd_sv_of(b, n));
}

static bool get_varint(spd_sv *in, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 10 && i < in->len; i++) {
        unsigned char c = (unsigned char)in->ptr[i];
        v |= (uint64_t)(c & 0x7f) << (7 * i);
        if (!(c & 0x80)) {
            in->ptr += i + 1, in->len -= i + 1;
            *ret = v;
            return true;
        }
    }
    return false;
}

static uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static void put_bytes(struct spd_str *out, uint64_t tag, spd_sv v)
{
    put_varint(out, tag << 3 | W_BYTES);
    put_varint(out, v.len);
    spd_str_add(out, v);
}

/* A nested value's length is not known before it is written: write it behind, then move it. */
static void put_nested(struct spd_str *out, uint64_t tag, const struct spd_desc *d, const void *v,
                       bool skip_empty)
{
    char len[10];
    size_t before = out->len, start, n, k = 0;
    put_varint(out, tag << 3 | W_BYTES);
    start = out->len;
    spd_str_add(out, SPD_SV("0123456789")); /* room for the longest length */
    spd_desc_encode(d, v, out);
    if (!spd_str_ok(out)) return;
    n = out->len - start - 10;
    if (n == 0 && skip_empty) { /* as if it had not been there */
        out->len = before;
        out->ptr[out->len] = 0;
        return;
    }
    for (uint64_t x = n;; x >>= 7) {
        len[k++] = (char)((x & 0x7f) | (x > 0x7f ? 0x80 : 0));
        if (x <= 0x7f) break;
    }
    memcpy(out->ptr + start, len, k);
    memmove(out->ptr + start + k, out->ptr + start + 10, n);
    out->len = start + k + n;
    out->ptr[out->len] = 0;
}

void spd_desc_encode(const struct spd_desc *d, const void *v, struct spd_str *out)
{
    uint64_t tag = 1;
    for (const struct spd_member *m = d->members(); m->name; m++, tag++) {
        const void *x = at(v, m);
        const struct spd_seq *l = x;
        switch (m->kind) {
        case SPD_K_I64:
        case SPD_K_ENUM: {
            int64_t i = m->kind == SPD_K_I64 ? *(const int64_t *)x : *(const int32_t *)x;
            if (!i) break;
            put_varint(out, tag << 3 | W_INT);
            put_varint(out, zigzag(i));
            break;
        }
        case SPD_K_TEXT:
        case SPD_K_BLOB:
            if (((const spd_sv *)x)->len) put_bytes(out, tag, *(const spd_sv *)x);
            break;
        case SPD_K_STRUCT:
            put_nested(out, tag, m->sub, x, true);
            break;
        case SPD_K_LIST:
            for (size_t i = 0; i < l->n; i++)
                put_nested(out, tag, m->sub, (const char *)l->v + i * m->sub->size,
                           false); /* an empty element counts */
            break;
        case SPD_K_LIST_TEXT:
            for (size_t i = 0; i < l->n; i++)
                put_bytes(out, tag, ((const spd_sv *)l->v)[i]);
            break;
        case SPD_K_LIST_I64:
            for (size_t i = 0; i < l->n; i++) {
                put_varint(out, tag << 3 | W_INT);
                put_varint(out, zigzag(((const int64_t *)l->v)[i]));
            }
            break;
        }
    }
}

static enum spd_rc decode_member(const struct spd_member *m, unsigned wire, uint64_t num,
                                 spd_sv bytes, void *to, struct spd_arena *arena,
                                 struct spd_err *err)
{
    bool wants_int = m->kind == SPD_K_I64 || m->kind == SPD_K_ENUM || m->kind == SPD_K_LIST_I64;
    if (wants_int != (wire == W_INT))
        return spd_fail(err, SPD_INVALID, m->name, "journal: wrong wire type");
    switch (m->kind) {
    case SPD_K_I64:
        *(int64_t *)to = unzigzag(num);
        break;
    case SPD_K_ENUM:
        *(int32_t *)to = (int32_t)unzigzag(num);
        break;
    case SPD_K_TEXT:
    case SPD_K_BLOB:
        *(spd_sv *)to = spd_arena_dup(arena, bytes);
        break;
    case SPD_K_STRUCT:
        return spd_desc_decode(m->sub, bytes, to, arena, err);
    case SPD_K_LIST:
        return spd_desc_decode(m->sub, bytes, spd_list_add(to, m->sub->size, arena), arena, err);
    case SPD_K_LIST_TEXT:
        *(spd_sv *)spd_list_add(to, sizeof(spd_sv), arena) = spd_arena_dup(arena, bytes);
        break;
    case SPD_K_LIST_I64:
        *(int64_t *)spd_list_add(to, sizeof(int64_t), arena) = unzigzag(num);
        break;
    }
    return SPD_OK;
}

enum spd_rc spd_desc_decode(const struct spd_desc *d, spd_sv in, void *ret, struct spd_arena *arena,
                            struct spd_err *err)
{
    size_t count = 0;
    const struct spd_member *members = d->members();
    while (members[count].name)
        count++;
    memset(ret, 0, d->size);
    while (in.len) {
        uint64_t key, num = 0;
        spd_sv bytes = SPD_SV_NONE;
        enum spd_rc rc;
        if (!get_varint(&in, &key) || !get_varint(&in, &num))
            return spd_fail(err, SPD_INVALID, d->name, "journal: cut short");
        if ((key & 7) == W_BYTES) {
            if (num > in.len)
                return spd_fail(err, SPD_INVALID, d->name, "journal: length too large");
            bytes = spd_sv_of(in.ptr, (size_t)num);
            in.ptr += num, in.len -= (size_t)num;
        } else if ((key & 7) != W_INT) {
            return spd_fail(err, SPD_INVALID, d->name, "journal: unknown wire type");
        }
        if ((key >> 3) == 0 || (key >> 3) > count) continue; /* a newer program's field */
        rc = decode_member(&members[(key >> 3) - 1], (unsigned)(key & 7), num, bytes,
                           (char *)ret + members[(key >> 3) - 1].offset, arena, err);
        if (rc) return rc;
    }
    return SPD_OK;
}

/* ---- JSON ---------------------------------------------------------------------------------- */
static bool is_zero(const struct spd_member *m, const void *x)
{
    switch (m->kind) {
    case SPD_K_I64:
        return *(const int64_t *)x == 0;
    case SPD_K_ENUM:
        return *(const int32_t *)x == 0;
    case SPD_K_TEXT:
    case SPD_K_BLOB:
        return ((const spd_sv *)x)->len == 0;
    case SPD_K_STRUCT:
        for (const struct spd_member *s = m->sub->members(); s->name; s++)
            if (!is_zero(s, at(x, s))) return false;
        return true;
    case SPD_K_LIST:
    case SPD_K_LIST_TEXT:
    case SPD_K_LIST_I64:
        return ((const struct spd_seq *)x)->n == 0;
    }
    return false;
}

static void json_base64(struct spd_str *out, spd_sv v)
{
    static const char d[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    spd_str_addc(out, '"');
    for (size_t i = 0; i < v.len; i += 3) {
        unsigned b[3] = {0, 0, 0};
        char o[4];
        size_t n = v.len - i < 3 ? v.len - i : 3;
        for (size_t k = 0; k < n; k++)
            b[k] = (unsigned char)v.ptr[i + k];
        unsigned x = b[0] << 16 | b[1] << 8 | b[2];
        for (int k = 0; k < 4; k++)
            o[k] = d[x >> (18 - 6 * k) & 63];
        spd_str_add(out, spd_sv_of(o, n + 1));
    }
    spd_str_addc(out, '"');
}

void spd_desc_member_json(const struct spd_member *m, const void *v, struct spd_str *out)
{
    const void *x = at(v, m);
    const struct spd_seq *l = x;
    switch (m->kind) {
    case SPD_K_I64:
        spd_str_addi(out, *(const int64_t *)x);
        return;
    case SPD_K_ENUM:
        spd_str_json(out, spd_sv_from(spd_enum_name(m->names, *(const int32_t *)x)));
        return;
    case SPD_K_TEXT:
        spd_str_json(out, *(const spd_sv *)x);
        return;
    case SPD_K_BLOB:
        json_base64(out, *(const spd_sv *)x);
        return;
    case SPD_K_STRUCT:
        spd_desc_json(m->sub, x, out);
        return;
    case SPD_K_LIST:
    case SPD_K_LIST_TEXT:
    case SPD_K_LIST_I64:
        break;
    }
    spd_str_addc(out, '[');
    for (size_t i = 0; i < l->n; i++) {
        if (i) spd_str_addc(out, ',');
        if (m->kind == SPD_K_LIST)
            spd_desc_json(m->sub, (const char *)l->v + i * m->sub->size, out);
        else if (m->kind == SPD_K_LIST_TEXT)
            spd_str_json(out, ((const spd_sv *)l->v)[i]);
        else
            spd_str_addi(out, ((const int64_t *)l->v)[i]);
    }
    spd_str_addc(out, ']');
}

void spd_desc_json(const struct spd_desc *d, const void *v, struct spd_str *out)
{
    bool first = true;
    spd_str_addc(out, '{');
    for (const struct spd_member *m = d->members(); m->name; m++) {
        if (is_zero(m, at(v, m))) continue;
        if (!first) spd_str_addc(out, ',');
        first = false;
        spd_str_json(out, spd_sv_from(m->name));
        spd_str_addc(out, ':');
        spd_desc_member_json(m, v, out);
    }
    spd_str_addc(out, '}');
}

/* A reader for exactly what the writer above writes (and any JSON of that shape). */
struct reader {
    const char *p, *end;
    struct spd_arena *arena;
};

static void blank(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
        r->p++;
}

static bool eat(struct reader *r, char c)
{
    blank(r);
    if (r->p >= r->end || *r->p != c) return false;
    r->p++;
    return true;
}

static int hex4(const char *p)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0) return -1;
        v = v * 16 + d;
    }
    return v;
}

static bool read_text(struct reader *r, spd_sv *ret)
{
    const char *q;
    char *o;
    size_t n = 0;
    if (!eat(r, '"')) return false;
    for (q = r->p; q < r->end && *q != '"'; q++)
        if (*q == '\\') q++;
    if (q >= r->end) return false;
    o = spd_arena_must(r->arena, (size_t)(q - r->p) + 1);
    while (*r->p != '"') {
        char c = *r->p++;
        if (c != '\\') {
            o[n++] = c;
            continue;
        }
        c = *r->p++;
        if (c == 'u') {
            int u = r->end - r->p >= 4 ? hex4(r->p) : -1;
            if (u < 0 || u > 0x7f) return false; /* our writer escapes only control characters */
            r->p += 4;
            o[n++] = (char)u;
        } else {
            o[n++] = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
        }
    }
    r->p++;
    *ret = spd_sv_of(o, n);
    return true;
}

static bool read_int(struct reader *r, int64_t *ret)
{
    const char *s;
    blank(r);
    for (s = r->p; r->p < r->end && (*r->p == '-' || (*r->p >= '0' && *r->p <= '9')); r->p++) {
    }
    return spd_sv_to_i64(spd_sv_of(s, (size_t)(r->p - s)), ret);
}

static bool unbase64(spd_sv in, spd_sv *ret, struct spd_arena *arena)
{
    unsigned char *o = spd_arena_must(arena, in.len + 1);
    size_t n = 0;
    unsigned acc = 0;
    int bits = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];
        int d = c >= 'A' && c <= 'Z'   ? c - 'A'
                : c >= 'a' && c <= 'z' ? c - 'a' + 26
                : c >= '0' && c <= '9' ? c - '0' + 52
                : c == '-'             ? 62
                : c == '_'             ? 63
                                       : -1;
        if (d < 0) return false;
        acc = acc << 6 | (unsigned)d;
        bits += 6;
        if (bits >= 8) bits -= 8, o[n++] = (unsigned char)(acc >> bits);
    }
    *ret = spd_sv_of((char *)o, n);
    return true;
}

static bool read_member(struct reader *r, const struct spd_member *m, void *v);

static bool read_struct(struct reader *r, const struct spd_desc *d, void *v)
{
    if (!eat(r, '{')) return false;
    if (eat(r, '}')) return true;
    do {
        spd_sv key;
        const struct spd_member *m = d->members();
        if (!read_text(r, &key) || !eat(r, ':')) return false;
        while (m->name && !spd_sv_is(key, m->name))
            m++;
        if (!m->name || !read_member(r, m, v)) return false;
    } while (eat(r, ','));
    return eat(r, '}');
}

static bool read_member(struct reader *r, const struct spd_member *m, void *v)
{
    void *x = (char *)v + m->offset;
    spd_sv t;
    int e;
    switch (m->kind) {
    case SPD_K_I64:
        return read_int(r, x);
    case SPD_K_TEXT:
        return read_text(r, x);
    case SPD_K_BLOB:
        return read_text(r, &t) && unbase64(t, x, r->arena);
    case SPD_K_STRUCT:
        return read_struct(r, m->sub, x);
    case SPD_K_ENUM:
        if (!read_text(r, &t) || (e = spd_enum_from(m->names, t)) < 0) return false;
        *(int32_t *)x = e;
        return true;
    case SPD_K_LIST:
    case SPD_K_LIST_TEXT:
    case SPD_K_LIST_I64:
        break;
    }
    if (!eat(r, '[')) return false;
    if (eat(r, ']')) return true;
    do {
        void *e2 = spd_list_add(x, elem_size(m), r->arena);
        if (m->kind == SPD_K_LIST        ? !read_struct(r, m->sub, e2)
            : m->kind == SPD_K_LIST_TEXT ? !read_text(r, e2)
                                         : !read_int(r, e2))
            return false;
    } while (eat(r, ','));
    return eat(r, ']');
}

enum spd_rc spd_desc_member_from_json(const struct spd_member *m, spd_sv json, void *v,
                                      struct spd_arena *arena, struct spd_err *err)
{
    struct reader r = {json.ptr, json.ptr + json.len, arena};
    if (!read_member(&r, m, v))
        return spd_fail(err, SPD_INVALID, m->name, "not the JSON of this column");
    blank(&r);
    return r.p == r.end ? SPD_OK : spd_fail(err, SPD_INVALID, m->name, "text after the JSON");
}

/* ---- enums, lists -------------------------------------------------------------------------- */
const char *spd_enum_name(const char *const *names, int value)
{
    for (int i = 0; names[i]; i++)
        if (i == value) return names[i];
    return "";
}

int spd_enum_from(const char *const *names, spd_sv name)
{
    for (int i = 0; names[i]; i++)
        if (spd_sv_is(name, names[i])) return i;
    return -1;
}

void *spd_list_add(struct spd_seq *list, size_t elem, struct spd_arena *arena)
{
    if ((list->n & (list->n - 1)) == 0) { /* 0, 1, 2, 4, 8 ...: full */
        void *v = spd_arena_must(arena, elem * (list->n ? list->n * 2 : 1));
        if (list->n) memcpy(v, list->v, elem * list->n);
        list->v = v;
    }
    return (char *)list->v + elem * list->n++;
}

void *spd_list_push(struct spd_seq *list, size_t elem, size_t extra, struct spd_arena *arena)
{
    char *v = spd_arena_must(arena, elem * (list->n + extra + 1));
    if (list->n) memcpy(v, list->v, elem * list->n);
    list->v = v;
    v += elem * (extra ? list->n : 0);
    list->n += extra;
    return v;
}
