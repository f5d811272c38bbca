/* src/web/item_json.c: one item as the API shows it, without a server. See web.h. */
#include "web/web_int.h"

#include <stdio.h>

static void level_name(void *self, int level, char ret[32])
{
    snprintf(ret, 32, "%.*s", SPD_SV_ARG(spd_policy_level_name(self, level)));
}

void spd_web_item_json(const struct spd_view *v, size_t rank, const struct spd_policy *policy,
                       const struct spd_zone *zone, bool dutch, struct spd_str *out)
{
    struct spd_web *w = spd_must_malloc(sizeof *w); /* only what its writers ask for */
    w->host.site.zone = zone;
    w->host.self = (void *)(uintptr_t)policy;
    w->host.level_name = policy ? level_name : NULL;
    spd_j_open(out, NULL, '{');
    spd_web_item((struct spd_web_eye){w, dutch, true}, out, v, rank);
    spd_j_close(out, '}');
    spd_free(w);
}
