/* src/store/flat.h: a described object with all it points at in one block of memory.
 *
 * The walk over model/desc.h is done once per type and kept as a list of the members that own
 * bytes, so that a copy is one memcpy and a short loop. Texts are NUL-terminated, as
 * spd_desc_clone's are. Threads: built once at first use, immutable after. */
#ifndef SPD_STORE_FLAT_H
#define SPD_STORE_FLAT_H

#include "store/store.h"

struct spd_flat;
const struct spd_flat *spd_flat_of(enum spd_table table);

struct spd_flat_size {
    size_t lists, texts; /* bytes behind the struct itself */
};
struct spd_flat_size spd_flat_measure(const struct spd_flat *f, const void *object);
/* Copies the object to dst (8-aligned) and what it owns to behind (8-aligned, lists + texts bytes).
 */
void spd_flat_copy(const struct spd_flat *f, void *dst, const void *object, void *behind,
                   struct spd_flat_size size);

#endif
