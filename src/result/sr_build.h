/* src/result/sr_build.h: element tree -> struct spd_sr_doc. See sr_build.c. Views into d and the arena. */
#ifndef SPD_RESULT_SR_BUILD_H
#define SPD_RESULT_SR_BUILD_H

#include "result/dcm.h"
#include "result/result.h"

void spd_sr_doc_build(const struct spd_dcm *d, struct spd_sr_doc *ret, struct spd_arena *arena);

#endif
