/* src/door/find.c: see find.h. find_fields.c says which attributes a row has; matching, datasets
 * and DICOM JSON walk the query's keys against it. A query for one accession number, patient or
 * study looks at the rows that bear it (spd_list_by_key); any other walks all rows, at some 0.1 to
 * 0.5 us a row (tests/bench/bench_door_find.c). */
#include "door/find.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "door/find_fields.h"
#include "result/match.h"

/* ---- preparing
 * -------------------------------------------------------------------------------------- */
static int by_path(const void *a, const void *b)
{
    const struct spd_find_key *x = a, *y = b;
    for (int d = 0; d < SPD_FIND_DEPTH; d++)
        if (x->path[d] != y->path[d]) return x->path[d] < y->path[d] ? -1 : 1;
    return 0;
}

static bool below(const struct spd_find_field *f, const struct spd_find_key *k)
{
    for (int d = 0; d < k->depth; d++)
        if (d > 2 || f->path[d] != k->path[d]) return false;
    return k->depth < 3 && f->path[k->depth] != 0;
}

/* An empty sequence key asks for everything in it. Takes the key out and puts what we know in. */
static bool expand(struct spd_find_query *q, size_t at)
{
    struct spd_find_key k = q->keys[at];
    size_t n = 0;
    for (size_t i = 0; i < SPD_FIND_FIELDS; i++)
        n += below(&spd_find_fields[i], &k);
    if (!n || q->n_keys + n > SPD_FIND_KEYS_MAX) return false;
    q->keys[at] = q->keys[--q->n_keys];
    for (size_t i = 0; i < SPD_FIND_FIELDS; i++)
        if (below(&spd_find_fields[i], &k)) {
            struct spd_find_key *add = &q->keys[q->n_keys++];
            *add = (struct spd_find_key){.depth = spd_find_fields[i].path[2]   ? 3
                                                  : spd_find_fields[i].path[1] ? 2
                                                                               : 1};
            memcpy(add->path, spd_find_fields[i].path, sizeof spd_find_fields[i].path);
            memcpy(add->vr, spd_find_fields[i].vr, sizeof add->vr);
        }
    return true;
}

static bool is_sequence(const struct spd_find_key *k)
{
    if (!strcmp(k->vr, "SQ")) return true;
    for (size_t i = 0; i < SPD_FIND_FIELDS; i++)
        if (below(&spd_find_fields[i], k)) return true;
    return false;
}

enum spd_rc spd_find_prepare(struct spd_find_query *q, struct spd_err *err)
{
    for (size_t i = 0; i < q->n_keys; i++) {
        struct spd_find_key *k = &q->keys[i];
        if (!k->depth || k->depth > SPD_FIND_DEPTH)
            return spd_fail(err, SPD_INVALID, "identifier", "a key without a tag");
        if (is_sequence(k) && k->value.len)
            return spd_fail(err, SPD_INVALID, "identifier", "a sequence key with a plain value");
        const struct spd_find_field *f = spd_find_field_of(k);
        if (f)
            memcpy(k->vr, f->vr, sizeof k->vr);
        else if (!k->vr[0])
            memcpy(k->vr, is_sequence(k) ? "SQ" : "UN", sizeof k->vr);
        if (is_sequence(k)) memcpy(k->vr, "SQ", sizeof k->vr);
    }
    for (size_t i = 0; i < q->n_keys;)
        if (strcmp(q->keys[i].vr, "SQ") != 0 || !expand(q, i)) i++;
    qsort(q->keys, q->n_keys, sizeof *q->keys, by_path);
    for (size_t i = 1; i < q->n_keys; i++)
        if (!by_path(&q->keys[i - 1], &q->keys[i]))
            return spd_fail(err, SPD_INVALID, "identifier", "a key stands twice");
    return SPD_OK;
}

/* ---- which rows match
 * ------------------------------------------------------------------------------------------ */
struct asked {
    const struct spd_find_key *key;
    const struct spd_find_field *field;
}; /* a key with a value */

static size_t asked_of(const struct spd_find_query *q, struct asked *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < q->n_keys && n < SPD_FIND_FIELDS; i++) { /* no key stands twice */
        if (!q->keys[i].value.len) continue;
        ret[n].key = &q->keys[i], ret[n].field = spd_find_field_of(&q->keys[i]);
        n += ret[n].field != NULL; /* an optional key that we do not serve matches everything */
    }
    return n;
}

static bool row_matches(const struct asked *asked, size_t n, struct spd_find_view *v)
{
    for (size_t i = 0; i < n; i++)
        if (!spd_key_matches(asked[i].key->vr, asked[i].key->value,
                             asked[i].field->get ? asked[i].field->get(v) : SPD_SV_NONE))
            return false;
    return true;
}

/* ---- which rows are looked at ---- */
enum { NARROW_MAX = 256 };
static const struct {
    uint32_t tag;
    enum spd_list_key kind;
    size_t
        max; /* an answer has no more of it (find_fields.c), so a key of that length may be cut */
} narrowing[] = {{0x00080050, SPD_LIST_ACCESSION, 16},
                 {0x0020000D, SPD_LIST_STUDY, SIZE_MAX},
                 {0x00100020, SPD_LIST_PATIENT, 64}};

struct candidate {
    const struct spd_row *row;
    size_t rank;
};

static int by_rank(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static bool single(const struct spd_find_key *k, bool reporting)
{
    for (size_t i = 0; i < k->value.len; i++)
        if (strchr("*?\\", k->value.ptr[i])) return false;
    /* A scanner's Study Instance UID may have been made from the order (find_fields.c). */
    return k->depth == 1 &&
           (reporting || k->path[0] != 0x0020000D || !spd_sv_starts(k->value, SPD_SV("2.25.")));
}

/* The rows that a key with one plain value leaves, in the order of the list; false: no such key, or
 * too many. */
static bool narrow(const struct spd_list *list, const struct spd_find_query *q,
                   const struct asked *asked, size_t n_asked, struct candidate *ret, size_t *ret_n)
{
    int64_t ids[NARROW_MAX];
    for (size_t w = 0; w < sizeof narrowing / sizeof *narrowing; w++)
        for (size_t i = 0; i < n_asked; i++) {
            const struct spd_find_key *k = asked[i].key;
            if (k->path[0] != narrowing[w].tag || !single(k, q->reporting)) continue;
            spd_sv text = spd_sv_trim(k->value);
            size_t n = spd_list_by_key(list, narrowing[w].kind, text, text.len >= narrowing[w].max,
                                       ids, NARROW_MAX);
            if (n > NARROW_MAX) continue;
            *ret_n = 0;
            for (size_t at = 0; at < n; at++) {
                struct candidate c = {.row = spd_list_find(list, ids[at])};
                if (!c.row) continue;
                c.rank = q->reporting ? spd_list_rank(list, c.row) : (size_t)ids[at];
                if (c.rank) ret[(*ret_n)++] = c;
            }
            qsort(ret, *ret_n, sizeof *ret, by_rank);
            return true;
        }
    return false;
}

static bool offered(const struct spd_find_query *q, const struct spd_row *row)
{
    return q->reporting
               ? row->view.item.reading == SPD_READING_UNREAD /* else somebody has it open */
               : row->view.on_modality_list;
}

size_t spd_find_run(const struct spd_list *list, const struct spd_find_query *q,
                    const struct spd_zone *zone,
                    bool (*answer)(void *ctx, const struct spd_row *row), void *ctx)
{
    struct spd_find_view v = {.zone = zone, .reporting = q->reporting};
    struct asked asked[SPD_FIND_FIELDS];
    struct candidate few[NARROW_MAX];
    size_t answers = 0, n = asked_of(q, asked), n_few = 0, i = 0;
    bool narrowed = narrow(list, q, asked, n, few, &n_few);
    for (int64_t after = 0;; after = v.row->view.item.id, i++) {
        if (narrowed)
            v.row = i < n_few ? few[i].row : NULL;
        else
            v.row = q->reporting ? spd_list_at(list, i) : spd_list_next_by_id(list, after);
        if (!v.row) return answers;
        if (!offered(q, v.row) || !row_matches(asked, n, &v)) continue;
        answers++;
        if (!answer(ctx, v.row)) return answers;
    }
}

/* ---- answers as bytes
 * -------------------------------------------------------------------------------------- */
static void le(struct spd_str *out, uint32_t v, int n)
{
    for (int i = 0; i < n; i++)
        spd_str_addc(out, (char)(v >> (8 * i)));
}

static bool long_vr(const char *vr)
{
    static const char list[] = "OB OD OF OL OV OW SQ UC UN UR UT SV UV";
    return strstr(list, vr) != NULL;
}

/* Tag, VR and length. */
static void head(struct spd_str *out, uint32_t tag, const char *vr, size_t len, bool explicit_vr)
{
    le(out, tag >> 16, 2), le(out, tag & 0xFFFF, 2);
    if (!explicit_vr) {
        le(out, (uint32_t)len, 4);
        return;
    }
    spd_str_add(out, spd_sv_of(vr, 2));
    if (long_vr(vr))
        le(out, 0, 2), le(out, (uint32_t)len, 4);
    else
        le(out, (uint32_t)len, 2);
}

static void element(struct spd_str *out, uint32_t tag, const char *vr, spd_sv value,
                    bool explicit_vr)
{
    size_t pad = value.len & 1;
    head(out, tag, vr, value.len + pad, explicit_vr);
    spd_str_add(out, value);
    if (pad) spd_str_addc(out, strcmp(vr, "UI") ? ' ' : 0);
}

static spd_sv value_of(struct spd_find_view *v, const struct spd_find_key *k)
{
    const struct spd_find_field *f = spd_find_field_of(k);
    return f && f->get ? f->get(v) : SPD_SV_NONE;
}

/* Keys [from, to) share path[0..depth); writes them, sequences with one item. */
static void write_keys(const struct spd_find_query *q, struct spd_find_view *v, size_t from,
                       size_t to, int depth, bool explicit_vr, struct spd_str *out)
{
    for (size_t i = from; i < to;) {
        const struct spd_find_key *k = &q->keys[i];
        if (k->depth == depth + 1) {
            element(out, k->path[depth], k->vr, value_of(v, k), explicit_vr);
            i++;
            continue;
        }
        size_t end = i;
        while (end < to && q->keys[end].depth > depth + 1 &&
               q->keys[end].path[depth] == k->path[depth])
            end++;
        struct spd_str item = SPD_STR_INIT(1 << 20);
        write_keys(q, v, i, end, depth + 1, explicit_vr, &item);
        head(out, k->path[depth], "SQ", item.len + 8, explicit_vr);
        le(out, 0xFFFE, 2), le(out, 0xE000, 2), le(out, (uint32_t)item.len, 4);
        spd_str_add(out, spd_str_sv(&item));
        spd_str_done(&item);
        i = end;
    }
}

void spd_find_dataset(const struct spd_find_query *q, const struct spd_row *row,
                      const struct spd_zone *zone, bool explicit_vr, struct spd_str *out)
{
    struct spd_find_view v = {.row = row, .zone = zone, .reporting = q->reporting};
    element(out, 0x00080005, "CS", SPD_SV("ISO_IR 192"), explicit_vr);
    write_keys(q, &v, 0, q->n_keys, 0, explicit_vr, out);
}

/* ---- DICOM JSON
 * ------------------------------------------------------------------------------------------------
 */
static void json_tag(struct spd_str *out, uint32_t tag, const char *vr)
{
    spd_str_addf(out, "\"%08X\":{\"vr\":\"%s\"", (unsigned)tag, vr);
}

static void json_element(struct spd_str *out, uint32_t tag, const char *vr, spd_sv value)
{
    json_tag(out, tag, vr);
    if (value.len) {
        bool pn = !strcmp(vr, "PN");
        spd_str_addz(out, pn ? ",\"Value\":[{\"Alphabetic\":" : ",\"Value\":[");
        spd_str_json(out, value);
        spd_str_addz(out, pn ? "}]" : "]");
    }
    spd_str_addc(out, '}');
}

static void json_keys(const struct spd_find_query *q, struct spd_find_view *v, size_t from,
                      size_t to, int depth, struct spd_str *out)
{
    bool first = depth > 0; /* at the top (0008,0005) stands before */
    for (size_t i = from; i < to;) {
        const struct spd_find_key *k = &q->keys[i];
        if (!first) spd_str_addc(out, ',');
        first = false;
        if (k->depth == depth + 1) {
            json_element(out, k->path[depth], k->vr, value_of(v, k));
            i++;
            continue;
        }
        size_t end = i;
        while (end < to && q->keys[end].depth > depth + 1 &&
               q->keys[end].path[depth] == k->path[depth])
            end++;
        json_tag(out, k->path[depth], "SQ");
        spd_str_addz(out, ",\"Value\":[{");
        json_keys(q, v, i, end, depth + 1, out);
        spd_str_addz(out, "}]}");
        i = end;
    }
}

struct answers {
    const struct spd_find_query *q;
    const struct spd_zone *zone;
    struct spd_str *out;
    size_t n, max;
};

static bool json_answer(void *ctx, const struct spd_row *row)
{
    struct answers *a = ctx;
    struct spd_find_view v = {.row = row, .zone = a->zone, .reporting = a->q->reporting};
    if (a->n == a->max) {
        a->n++;
        return false;
    }
    if (a->n++) spd_str_addc(a->out, ',');
    spd_str_addc(a->out, '{');
    json_element(a->out, 0x00080005, "CS", SPD_SV("ISO_IR 192"));
    json_keys(a->q, &v, 0, a->q->n_keys, 0, a->out);
    spd_str_addc(a->out, '}');
    return spd_str_ok(a->out);
}

static int append(const char *bytes, size_t n, void *to)
{
    spd_str_add(to, spd_sv_of(bytes, n));
    return 0;
}

/* {called, calling, keys} -> which list, and the keys. */
static enum spd_rc read_request(spd_sv body, spd_sv reporting_ae, struct spd_find_query *q,
                                struct spd_arena *arena, struct spd_err *err)
{
    json_error_t je;
    struct spd_dcm d;
    json_t *root = json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, &je);
    json_t *called = json_object_get(root, "called"), *keys = json_object_get(root, "keys");
    enum spd_rc rc = SPD_OK;
    if (!json_is_object(root) || !json_is_object(keys) || (called && !json_is_string(called)))
        rc = spd_fail(err, SPD_INVALID, "body",
                      "an object with called, calling and keys (DICOM JSON) is needed");
    if (!rc) {
        q->reporting = called && reporting_ae.len &&
                       spd_sv_eq(spd_sv_from(json_string_value(called)), reporting_ae);
        struct spd_str text = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
        json_dump_callback(keys, append, &text, JSON_COMPACT);
        rc = spd_dcm_from_json(spd_str_sv(&text), &d, arena, err);
        spd_str_done(&text); /* the tree's texts are copies in the arena */
        if (!rc) rc = spd_find_keys_from_set(&d, q, arena, err);
        if (!rc) rc = spd_find_prepare(q, err);
    }
    json_decref(root);
    return rc;
}

/* ---- DICOM files ---------------------------------------------------------------------------- */
/* A worklist answer as a file (PS3.10 §7.1), the form that Orthanc takes. */
static bool file_answer(void *ctx, const struct spd_row *row)
{
    static const char implementation[] = "2.25.302150841172638416190637295511420785231";
    struct answers *a = ctx;
    struct spd_str meta = SPD_STR_INIT(4096), file = SPD_STR_INIT(1 << 20);
    char instance[40];
    if (a->n == a->max) {
        a->n++;
        return false;
    }
    a->n++;
    int n = snprintf(instance, sizeof instance, "2.25.%lld", (long long)row->view.item.id);
    element(&meta, 0x00020001, "OB", spd_sv_of("\0\1", 2), true);
    element(&meta, 0x00020002, "UI", SPD_SV("1.2.840.10008.5.1.4.31"), true);
    element(&meta, 0x00020003, "UI", spd_sv_of(instance, (size_t)n), true);
    element(&meta, 0x00020010, "UI", SPD_SV("1.2.840.10008.1.2.1"), true);
    element(&meta, 0x00020012, "UI", spd_sv_from(implementation), true);
    for (int i = 0; i < 128; i++)
        spd_str_addc(&file, 0);
    spd_str_addz(&file, "DICM");
    head(&file, 0x00020000, "UL", 4, true);
    le(&file, (uint32_t)meta.len, 4);
    spd_str_add(&file, spd_str_sv(&meta));
    spd_find_dataset(a->q, row, a->zone, true, &file);
    le(a->out, (uint32_t)file.len, 4);
    spd_str_add(a->out, spd_str_sv(&file));
    bool ok = spd_str_ok(&file) && spd_str_ok(a->out);
    spd_str_done(&meta), spd_str_done(&file);
    return ok;
}

/* ---- for the hooks --------------------------------------------------------------------------- */
enum spd_rc spd_find_hook(const struct spd_list *list, spd_sv reporting_ae,
                          const struct spd_zone *zone, spd_sv body, bool files, size_t max,
                          struct spd_str *out, struct spd_err *err)
{
    struct spd_find_query q = {0};
    if (body.len > SPD_DCM_BYTES_MAX) return spd_fail(err, SPD_LIMIT, "body", "larger than 4 MiB");
    struct spd_arena *arena = spd_arena_new((size_t)128 << 20);
    if (!arena) spd_out_of_memory();
    enum spd_rc rc = read_request(body, reporting_ae, &q, arena, err);
    struct answers a = {&q, zone, out, 0, max ? max : 10000};
    if (!rc) {
        if (!files) spd_str_addc(out, '[');
        spd_find_run(list, &q, zone, files ? file_answer : json_answer, &a);
        if (!files) spd_str_addc(out, ']');
        if (a.n > a.max || !spd_str_ok(out))
            rc = spd_fail(err, SPD_LIMIT, "answers", "too many answers; narrow the query");
    }
    spd_arena_free(arena);
    return rc;
}
