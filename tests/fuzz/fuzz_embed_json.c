/* tests/fuzz/fuzz_embed_json.c: any bytes as an answer of the brain, in libspoed's reader: what it takes jansson takes
 * too, with the same texts and numbers; what jansson takes within our limits it takes. */
#include <jansson.h>
#include <stdlib.h>

#include "plugin/embed/embed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct spd_embed_node *n, const json_t *v)
{
    if (json_is_string(v)) {
        if (n->kind != SPD_EMBED_TEXT || strcmp(n->text, json_string_value(v))) abort();
    } else if (json_is_integer(v)) {
        if (n->kind == SPD_EMBED_INT && n->number != json_integer_value(v)) abort();
    } else if (json_is_array(v)) {
        if (spd_embed_size(n) != json_array_size(v)) abort();
        for (size_t i = 0; i < json_array_size(v); i++) compare(spd_embed_at(n, i), json_array_get(v, i));
    } else if (json_is_object(v)) {
        const char *k;
        json_t *m;
        if (n->kind != SPD_EMBED_OBJECT) abort();
        json_object_foreach((json_t *)(uintptr_t)v, k, m) compare(spd_embed_get(n, k), m);
    } else if ((n->kind == SPD_EMBED_TRUE) != json_is_true(v)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_embed_doc d = {0};
    json_error_t e;
    /* Of a key that comes twice jansson keeps the last and we the first: refused here on both sides. */
    json_t *v = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, &e);
    bool ours = spd_embed_json(spd_sv_of((const char *)data, size), &d, NULL) == SPOED_OK;
    if (ours && v) compare(d.nodes, v);
    if (ours && !v && json_error_code(&e) != json_error_duplicate_key && json_error_code(&e) != json_error_numeric_overflow)
        abort();
    json_decref(v);
    spd_embed_done(&d);
    return 0;
}
