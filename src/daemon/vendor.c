/* src/daemon/vendor.c: see vendor.h. */
#include "daemon/vendor.h"

enum spd_rc spd_vendor_maps(struct spd_codes *codes, const struct spd_models *models,
                            struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new((size_t)16 << 20);
    if (!arena) spd_out_of_memory();
    size_t n = models ? spd_models_n(models) : 0, k = 0;
    struct spd_vendor_map *maps = SPD_NEW_N(arena, struct spd_vendor_map, n + 1);
    for (size_t i = 0; i < n; i++) {
        const struct spd_model *m = spd_models_at(models, i);
        struct spd_vendor_code *codes_of;
        if (!m->n_codes) continue;
        codes_of = SPD_NEW_N(arena, struct spd_vendor_code, m->n_codes);
        for (size_t c = 0; c < m->n_codes; c++)
            codes_of[c] = (struct spd_vendor_code){.scheme = m->codes[c].scheme,
                                                   .code = m->codes[c].code,
                                                   .meanings = m->codes[c].meanings,
                                                   .n_meanings = m->codes[c].n_meanings,
                                                   .concept = m->codes[c].concept,
                                                   .site = m->codes[c].site,
                                                   .place = m->codes[c].place};
        maps[k++] = (struct spd_vendor_map){m->manufacturer, m->name, codes_of, m->n_codes};
    }
    enum spd_rc rc = spd_codes_set_vendors(codes, maps, k, err);
    spd_arena_free(arena);
    return rc;
}

enum spd_rc spd_vendor_maps_of(struct spd_codes *codes, const struct spd_config *c,
                               struct spd_arena *arena, struct spd_err *err)
{
    struct spd_rules_files files = {0};
    struct spd_models *models = NULL;
    enum spd_rc rc = spd_config_read_rules(c, &files, arena, err);
    if (!rc) rc = spd_models_load(files.models, files.n_models, &models, err);
    if (!rc) rc = spd_vendor_maps(codes, models, err);
    spd_models_free(models);
    return rc;
}
