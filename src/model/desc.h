/* src/model/desc.h: every value of the model is described by a table, written once in model.def.
 *
 * From the table come the C struct, the binary encoding of the journal, the columns of the SQL
 * store, the JSON of exports, deep copies and comparison. Adding a field is adding one line at the
 * END of its struct in model.def (the position is the tag of the binary encoding) and one SQL
 * migration.
 *
 * Ownership: texts and lists are borrowed views; a clone owns all of its bytes in the given arena.
 */
#ifndef SPD_MODEL_DESC_H
#define SPD_MODEL_DESC_H

#include "base/arena.h"
#include "base/rc.h"
#include "base/str.h"

enum spd_kind {
    SPD_K_I64 = 1,   /* int64_t: ids, times in usec, counts, booleans (0/1) */
    SPD_K_ENUM,      /* int32_t: one of names[]; 0 = unset, written as "" */
    SPD_K_TEXT,      /* spd_sv, UTF-8 */
    SPD_K_BLOB,      /* spd_sv, any bytes */
    SPD_K_STRUCT,    /* nested struct, by value */
    SPD_K_LIST,      /* struct spd_seq of sub structs */
    SPD_K_LIST_TEXT, /* struct spd_seq of spd_sv */
    SPD_K_LIST_I64   /* struct spd_seq of int64_t */
};

struct spd_seq { /* the generic shape of every list member: { T *v; size_t n; } */
    void *v;
    size_t n;
};

struct spd_desc;
struct spd_member {
    const char *name;
    enum spd_kind kind;
    size_t offset;
    const struct spd_desc *sub; /* STRUCT, LIST */
    const char *const *names;   /* ENUM: names[0] is "", NULL-ended */
};

struct spd_desc {
    const char *name; /* "item": also the SQL table */
    size_t size;
    const struct spd_member *(*members)(void); /* name == NULL ends */
};

/* Deep copy into the arena. dst must not overlap src. */
void spd_desc_clone(const struct spd_desc *d, void *dst, const void *src, struct spd_arena *arena);
bool spd_desc_equal(const struct spd_desc *d, const void *a, const void *b);
/* Binary: per member that is not zero: varint tag<<3|wire, then the value. Unknown tags are
 * skipped, so that an older journal and a newer one can both be read. */
void spd_desc_encode(const struct spd_desc *d, const void *v, struct spd_str *out);
enum spd_rc spd_desc_decode(const struct spd_desc *d, spd_sv bytes, void *ret,
                            struct spd_arena *arena, struct spd_err *err);
/* JSON object with the member names; zero members are left out. Blobs as base64url. Times stay
 * numbers. */
void spd_desc_json(const struct spd_desc *d, const void *v, struct spd_str *out);
/* One member's value as JSON (lists as arrays), for a column of the SQL store. */
void spd_desc_member_json(const struct spd_member *m, const void *v, struct spd_str *out);
/* Reads what spd_desc_member_json wrote, into the struct at v. INVALID on anything else. */
enum spd_rc spd_desc_member_from_json(const struct spd_member *m, spd_sv json, void *v,
                                      struct spd_arena *arena, struct spd_err *err);

/* Enum helpers: the name of a value ("" when unset or out of range), and back (-1 when unknown). */
const char *spd_enum_name(const char *const *names, int value);
int spd_enum_from(const char *const *names, spd_sv name);

/* Appends one element to a list in the arena (amortised by doubling at powers of two). */
void *spd_list_add(struct spd_seq *list, size_t elem_size, struct spd_arena *arena);
#define SPD_LIST_ADD(list_ptr, arena)                                                              \
    ((__typeof__((list_ptr)->v))spd_list_add((struct spd_seq *)(void *)(list_ptr),                 \
                                             sizeof *(list_ptr)->v, (arena)))

/* For a list that came out of a store (it may be borrowed and exactly as long as it is): copies it
 * with extra more zeroed elements and returns the first of those (or, for 0, the copy). */
void *spd_list_push(struct spd_seq *list, size_t elem_size, size_t extra, struct spd_arena *arena);
#define SPD_LIST_PUSH(list_ptr, arena)                                                             \
    ((__typeof__((list_ptr)->v))spd_list_push((struct spd_seq *)(void *)(list_ptr),                \
                                              sizeof *(list_ptr)->v, 1, (arena)))
#define SPD_LIST_OWN(list_ptr, arena)                                                              \
    ((void)spd_list_push((struct spd_seq *)(void *)(list_ptr), sizeof *(list_ptr)->v, 0, (arena)))

#endif
