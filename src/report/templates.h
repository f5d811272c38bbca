/* src/report/templates.h: a template set, inside. Private to src/report; the contract is report.h.
 */
#ifndef SPD_REPORT_TEMPLATES_H
#define SPD_REPORT_TEMPLATES_H

#include "report/report.h"

struct spd__template {
    spd_sv id;
    const spd_sv *modality, *body_part; /* any of; empty: every */
    size_t n_modality, n_body_part;
    spd_sv text[2]; /* en, nl */
};
struct spd_templates {
    struct spd_arena *arena; /* NULL: compiled in */
    const struct spd__template *v;
    size_t n;
};

#endif
