/* src/result/text.c: the words of a report that holds no coded finding, in the order of the tree.
 * Pure. */
#include "result/reader.h"

enum { TEXT_MAX = 32 << 10 };

static void add(struct spd_str *out, const struct spd_sr_item *i)
{
    if (spd_sv_is(i->value_type, "TEXT") && i->text.len) {
        if (out->len) spd_str_addc(out, '\n');
        if (i->name.text.len) spd_str_add(out, i->name.text), spd_str_addz(out, ": ");
        spd_str_add(out, i->text);
    }
    for (size_t k = 0; k < i->n_children && spd_str_ok(out); k++)
        add(out, &i->children[k]);
}

spd_sv spd_read_text(const struct spd_sr_doc *doc, struct spd_arena *arena)
{
    struct spd_str out = SPD_STR_INIT(TEXT_MAX);
    add(&out, &doc->root);
    spd_sv text = spd_arena_dup(arena, spd_str_sv(&out)); /* what fitted */
    spd_str_done(&out);
    return text;
}
