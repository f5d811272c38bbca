/* src/report/report.h: templates of normal reports, and the text of a draft made from one.
 *
 * Not here: whether a draft may be offered (core), nor reading a report's text. A template is
 * chosen by modality and body part from templates.yaml; its text lies beside it as
 * <id>.<language>.txt; the same set is compiled in as the default. Placeholders in a text:
 * {procedure} {models} {priors} {coverage}; any other brace is an error at load. Deterministic: the
 * same input gives the same bytes. A loaded set is immutable and may be shared between threads;
 * owned: spd_templates_free. */
#ifndef SPD_REPORT_REPORT_H
#define SPD_REPORT_REPORT_H

#include "base/source.h"
#include "model/model.h"

struct spd_templates;

/* The compiled-in set; borrowed for the life of the process, never to be freed. */
const struct spd_templates *spd_templates_default(void);
/* dir/templates.yaml and the texts it names. INVALID with "file:line:col", NOTFOUND, IO. */
enum spd_rc spd_templates_load(const char *dir, struct spd_templates **ret, struct spd_err *err);
void spd_templates_free(struct spd_templates *t); /* NULL and the default set are no-ops */
size_t spd_templates_n(const struct spd_templates *t);
spd_sv spd_templates_id(const struct spd_templates *t, size_t i);
spd_sv spd_templates_text(const struct spd_templates *t, size_t i, bool dutch);

/* The draft of a normal report for this item. models: display texts of the models that judged it
 * normal
 * ("Thorax-A 3.0"). The text always says which models looked, that anything they were not made for
 * was not judged, and that it was not compared with earlier studies (nothing is known of priors
 * here). *ret_text in arena. NOTFOUND: no template for such a study; UNKNOWN: modality or body part
 * missing. */
enum spd_rc spd_report_draft(const struct spd_templates *t, const struct spd_item *item,
                             const spd_sv *models, size_t n_models, bool dutch,
                             struct spd_arena *arena, spd_sv *ret_text);

#endif
