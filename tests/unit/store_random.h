/* tests/unit/store_random.h: objects filled at random from their description: texts of every kind
 * of character, blobs of any byte, lists of 0..4. Deterministic for a seed. */
#ifndef SPD_TESTS_STORE_RANDOM_H
#define SPD_TESTS_STORE_RANDOM_H

#include "store/store.h"

static inline uint64_t rnd(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed * 0x2545f4914f6cdd1dULL >> 11;
}

static inline spd_sv rnd_text(uint64_t *seed, struct spd_arena *a)
{
    static const char *const piece[] = {"a",
                                        "Z",
                                        "0",
                                        "|",
                                        "^",
                                        "\\",
                                        "\"",
                                        "'",
                                        "\n",
                                        "\r",
                                        "\t",
                                        "\x01",
                                        "\xc3\xab",
                                        "\xe6\xbc\xa2",
                                        "\xf0\x9f\xa9\xbb",
                                        " ",
                                        ";",
                                        "%",
                                        "_",
                                        "ZZCANARY",
                                        "/",
                                        "\x7f",
                                        "&"};
    struct spd_str s = SPD_STR_INIT(4096);
    spd_sv v;
    for (uint64_t n = rnd(seed) % 12; n; n--)
        spd_str_addz(&s, piece[rnd(seed) % (sizeof piece / sizeof *piece)]);
    v = spd_arena_dup(a, spd_str_sv(&s));
    spd_str_done(&s);
    return v;
}

static inline spd_sv rnd_blob(uint64_t *seed, struct spd_arena *a)
{
    size_t n = rnd(seed) % 40;
    char *p = spd_arena_must(a, n + 1);
    for (size_t i = 0; i < n; i++) p[i] = (char)rnd(seed);
    return spd_sv_of(p, n);
}

static inline int64_t rnd_i64(uint64_t *seed)
{
    switch (rnd(seed) % 5) {
    case 0: return 0;
    case 1: return (int64_t)(rnd(seed) % 100);
    case 2: return -(int64_t)(rnd(seed) % 100);
    case 3: return rnd(seed) % 2 ? INT64_MAX : INT64_MIN;
    default: return (int64_t)(rnd(seed) << 12);
    }
}

static inline void rnd_object(const struct spd_desc *d, void *v, uint64_t *seed,
                              struct spd_arena *a)
{
    for (const struct spd_member *m = d->members(); m->name; m++) {
        void *x = (char *)v + m->offset;
        struct spd_seq *l = x;
        size_t size = m->kind == SPD_K_LIST        ? m->sub->size
                      : m->kind == SPD_K_LIST_TEXT ? sizeof(spd_sv)
                                                   : 8;
        int names = 0;
        switch (m->kind) {
        case SPD_K_I64: *(int64_t *)x = rnd_i64(seed); break;
        case SPD_K_ENUM:
            while (m->names[names]) names++;
            *(int32_t *)x = (int32_t)(rnd(seed) % (uint64_t)names);
            break;
        case SPD_K_TEXT: *(spd_sv *)x = rnd_text(seed, a); break;
        case SPD_K_BLOB: *(spd_sv *)x = rnd_blob(seed, a); break;
        case SPD_K_STRUCT: rnd_object(m->sub, x, seed, a); break;
        case SPD_K_LIST:
        case SPD_K_LIST_TEXT:
        case SPD_K_LIST_I64:
            l->n = rnd(seed) % 5;
            l->v = l->n ? spd_arena_must(a, l->n * size) : NULL;
            for (size_t i = 0; i < l->n; i++) {
                char *e = (char *)l->v + i * size;
                if (m->kind == SPD_K_LIST) rnd_object(m->sub, e, seed, a);
                else if (m->kind == SPD_K_LIST_TEXT) *(spd_sv *)(void *)e = rnd_text(seed, a);
                else *(int64_t *)(void *)e = rnd_i64(seed);
            }
            break;
        }
    }
}

#endif
