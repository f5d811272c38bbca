/* src/list/index.h: which items bear a text: accession numbers, patient identifiers, Study UIDs.
 *
 * A persistent multimap (treap.h): the writer changes its own root, published versions keep theirs.
 * It holds texts and item ids and no rows, so a row that changes without changing its identifiers
 * costs nothing here. Texts are kept as a DICOM value has them (PS3.5 §6.2: a backslash parts
 * values and a control character is none), so that what a C-FIND answers can also be asked for.
 * Threads: as treap.h. */
#ifndef SPD_LIST_INDEX_H
#define SPD_LIST_INDEX_H

#include "list/list.h"
#include "list/treap.h"

struct spd_treap *spd_index_put(struct spd_treap *root, enum spd_list_key kind, spd_sv text,
                                int64_t item);
struct spd_treap *spd_index_take(struct spd_treap *root, enum spd_list_key kind, spd_sv text,
                                 int64_t item);
void spd_index_unref(struct spd_treap *root);
/* As spd_list_by_key. */
size_t spd_index_find(const struct spd_treap *root, enum spd_list_key kind, spd_sv text,
                      bool prefix, int64_t *ret_items, size_t max);

#endif
