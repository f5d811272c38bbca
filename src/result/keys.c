/* src/result/keys.c: see keys.h. */
#include "result/keys.h"

#include "result/frame.h"

struct flatten {
    const struct spd_dcm *d;
    struct spd_find_query *q;
    struct spd_arena *arena;
    struct spd_err *err;
    uint32_t path[SPD_FIND_DEPTH];
};

static enum spd_rc flatten(struct flatten *f, const struct spd_dcm_set *set, uint8_t depth)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct spd_dcm_elem *e = &set->v[i];
        if ((e->tag & 0xFFFF) == 0 || e->tag == 0x00080005 || (e->tag >> 16 & 1)) continue;
        f->path[depth] = e->tag;
        if (e->n_items > 1)
            return spd_fail(f->err, SPD_INVALID, "identifier",
                            "a sequence key may have one item only");
        if (e->n_items && e->items[0].n) {
            if (depth + 1 == SPD_FIND_DEPTH)
                return spd_fail(f->err, SPD_INVALID, "identifier",
                                "keys are nested deeper than 4 levels");
            enum spd_rc rc = flatten(f, &e->items[0], (uint8_t)(depth + 1));
            if (rc) return rc;
            continue;
        }
        if (f->q->n_keys == SPD_FIND_KEYS_MAX)
            return spd_fail(f->err, SPD_LIMIT, "identifier", "more than 512 keys");
        struct spd_find_key *k = &f->q->keys[f->q->n_keys++];
        memcpy(k->path, f->path, sizeof k->path);
        for (int z = depth + 1; z < SPD_FIND_DEPTH; z++)
            k->path[z] = 0;
        k->depth = (uint8_t)(depth + 1);
        memcpy(k->vr, e->vr, sizeof k->vr);
        if (strcmp(e->vr, "SQ") != 0) k->value = spd_dcm_text(f->d, set, e->tag, f->arena, NULL);
    }
    return SPD_OK;
}

enum spd_rc spd_find_keys_from_set(const struct spd_dcm *d, struct spd_find_query *ret,
                                   struct spd_arena *arena, struct spd_err *err)
{
    struct flatten f = {.d = d, .q = ret, .arena = arena, .err = err};
    ret->keys = SPD_NEW_N(arena, struct spd_find_key, SPD_FIND_KEYS_MAX), ret->n_keys = 0;
    return flatten(&f, &d->set, 0);
}

void spd_find_keys_encode(const struct spd_find_query *q, struct spd_str *out)
{
    spd_str_addc(out, q->reporting ? 1 : 0);
    for (size_t i = 0; i < q->n_keys; i++) {
        const struct spd_find_key *k = &q->keys[i];
        spd_str_addc(out, (char)k->depth);
        for (int d = 0; d < k->depth; d++)
            for (int s = 24; s >= 0; s -= 8)
                spd_str_addc(out, (char)(k->path[d] >> s));
        spd_str_add(out, spd_sv_of(k->vr, 2));
        spd_frame_put(out, k->value);
    }
}

enum spd_rc spd_find_keys_decode(spd_sv b, struct spd_find_query *ret, struct spd_arena *arena,
                                 struct spd_err *err)
{
    *ret =
        (struct spd_find_query){.keys = SPD_NEW_N(arena, struct spd_find_key, SPD_FIND_KEYS_MAX)};
    if (!b.len) return spd_fail(err, SPD_INVALID, "keys", "the keys are damaged");
    ret->reporting = b.ptr[0] != 0;
    b.ptr++, b.len--;
    while (b.len) {
        struct spd_find_key *k = &ret->keys[ret->n_keys];
        uint8_t depth = (uint8_t)b.ptr[0];
        if (!depth || depth > SPD_FIND_DEPTH || ret->n_keys == SPD_FIND_KEYS_MAX ||
            b.len < 3u + 4u * depth)
            return spd_fail(err, SPD_INVALID, "keys", "the keys are damaged");
        *k = (struct spd_find_key){.depth = depth};
        const unsigned char *p = (const unsigned char *)b.ptr + 1;
        for (int d = 0; d < depth; d++, p += 4)
            k->path[d] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        k->vr[0] = (char)p[0], k->vr[1] = (char)p[1];
        b.ptr += 3 + 4 * depth, b.len -= 3u + 4u * depth;
        if (!spd_frame_take(&b, &k->value))
            return spd_fail(err, SPD_INVALID, "keys", "the keys are damaged");
        ret->n_keys++;
    }
    return SPD_OK;
}
