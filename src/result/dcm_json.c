/* src/result/dcm_json.c: DICOM JSON (PS3.18 annex F) to the tree of dcm.h, by jansson. Bulk data by
 * URI and InlineBinary are left out: nothing that we read is binary. */
#include "result/dcm.h"

#include <jansson.h>
#include <stdio.h>

struct reader {
    struct spd_arena *arena;
    struct spd_err *err;
    size_t elements;
    bool alone; /* a Value was no array */
};

static enum spd_rc read_set(struct reader *r, json_t *object, int depth, struct spd_dcm_set *ret);

static bool tag_of(const char *key, uint32_t *ret)
{
    uint32_t v = 0;
    if (strlen(key) != 8) return false;
    for (int i = 0; i < 8; i++) {
        int c = key[i] | 0x20, d = c >= '0' && c <= '9'   ? c - '0'
                                   : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                          : -1;
        if (d < 0) return false;
        v = v << 4 | (uint32_t)d;
    }
    *ret = v;
    return true;
}

static void add_value(struct spd_str *out, json_t *v)
{
    if (json_is_string(v))
        spd_str_add(out, spd_sv_of(json_string_value(v), json_string_length(v)));
    else if (json_is_integer(v))
        spd_str_addi(out, json_integer_value(v));
    else if (json_is_real(v))
        spd_str_addf(out, "%.10g", json_real_value(v));
    else if (json_is_object(v)) { /* PN: the groups parted by "=" */
        static const char *const groups[] = {"Alphabetic", "Ideographic", "Phonetic"};
        int pending = 0;
        for (int i = 0; i < 3; i++, pending++) {
            json_t *g = json_object_get(v, groups[i]);
            if (!json_is_string(g) || !json_string_length(g)) continue;
            for (; pending > 0; pending--)
                spd_str_addc(out, '=');
            spd_str_add(out, spd_sv_of(json_string_value(g), json_string_length(g)));
        }
    }
}

static enum spd_rc read_items(struct reader *r, json_t *values, int depth, struct spd_dcm_elem *e)
{
    size_t n = json_array_size(values);
    e->items = n ? SPD_NEW_N(r->arena, struct spd_dcm_set, n) : NULL;
    e->n_items = n;
    for (size_t i = 0; i < n; i++) {
        json_t *item = json_array_get(values, i);
        if (json_is_null(item)) continue;
        enum spd_rc rc = read_set(r, item, depth + 1, &e->items[i]);
        if (rc) return rc;
    }
    return SPD_OK;
}

static enum spd_rc read_element(struct reader *r, const char *key, json_t *o, int depth,
                                struct spd_dcm_elem *e)
{
    json_t *vr = json_object_get(o, "vr"), *values = json_object_get(o, "Value");
    if (!tag_of(key, &e->tag))
        return spd_fail(r->err, SPD_INVALID, "JSON",
                        "a member is not a tag of eight hexadecimal digits");
    if (!json_is_object(o) || !json_is_string(vr) || json_string_length(vr) != 2)
        return spd_fail(r->err, SPD_INVALID, key, "an element needs a vr of two letters");
    memcpy(e->vr, json_string_value(vr), 3);
    bool alone = values && !json_is_array(values);
    if (alone && !strcmp(e->vr, "SQ"))
        return spd_fail(r->err, SPD_INVALID, key, "the Value of a sequence must be an array");
    if (!strcmp(e->vr, "SQ")) return read_items(r, values, depth, e);
    struct spd_str text = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
    if (alone) r->alone = true, add_value(&text, values); /* published examples have it */
    for (size_t i = 0; i < json_array_size(values); i++) {
        if (i) spd_str_addc(&text, '\\');
        add_value(&text, json_array_get(values, i));
    }
    e->value = spd_arena_dup(r->arena, spd_str_sv(&text));
    bool ok = spd_str_ok(&text);
    spd_str_done(&text);
    return ok ? SPD_OK : spd_fail(r->err, SPD_LIMIT, key, "a value is larger than 4 MiB");
}

static enum spd_rc read_set(struct reader *r, json_t *object, int depth, struct spd_dcm_set *ret)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return spd_fail(r->err, SPD_INVALID, "JSON", "a dataset must be an object");
    if (depth > SPD_DCM_DEPTH_MAX)
        return spd_fail(r->err, SPD_LIMIT, "JSON", "sequences are nested deeper than 32 levels");
    if ((r->elements += json_object_size(object)) > SPD_DCM_ELEMENTS_MAX)
        return spd_fail(r->err, SPD_LIMIT, "JSON", "more than 100,000 elements");
    ret->v = json_object_size(object)
                 ? SPD_NEW_N(r->arena, struct spd_dcm_elem, json_object_size(object))
                 : NULL;
    json_object_foreach(object, key, value)
    {
        enum spd_rc rc = read_element(r, key, value, depth, &ret->v[ret->n]);
        if (rc) return rc;
        ret->n++;
    }
    return SPD_OK;
}

enum spd_rc spd_dcm_from_json(spd_sv json, struct spd_dcm *ret, struct spd_arena *arena,
                              struct spd_err *err)
{
    struct reader r = {.arena = arena, .err = err};
    json_error_t je;
    *ret = (struct spd_dcm){.charset = SPD_SV("ISO_IR 192")};
    if (json.len > SPD_DCM_BYTES_MAX)
        return spd_fail(err, SPD_LIMIT, "JSON", "the object is larger than 4 MiB");
    json_t *root = json_loadb(json.ptr ? json.ptr : "", json.len, JSON_REJECT_DUPLICATES, &je);
    if (!root) {
        char place[32];
        snprintf(place, sizeof place, "JSON:%d:%d", je.line, je.column);
        return spd_fail(err, SPD_INVALID, place, "this is not JSON");
    }
    json_t *object =
        json_is_array(root) && json_array_size(root) == 1 ? json_array_get(root, 0) : root;
    enum spd_rc rc = read_set(&r, object, 1, &ret->set);
    if (r.alone) ret->notes[ret->n_notes++] = "a Value that should be an array is none";
    json_decref(root);
    return rc;
}
