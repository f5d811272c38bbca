/* src/result/match.h: one value against one key of a query (PS3.4 C.2.2.2): single value, list, wildcards, ranges of
 * dates and times, universal. Shared by the two worklists and by UPS. What it is not: sequences, which their callers
 * walk. Pure; threads: any. */
#ifndef SPD_RESULT_MATCH_H
#define SPD_RESULT_MATCH_H

#include "base/sv.h"

/* key: UTF-8, several values parted by backslash (any of them may match); "" or a lone "*" matches everything, also
 * what is not known. vr says how: DA, TM and DT as ranges, UI exactly, PN with case folded. */
bool spd_key_matches(const char *vr, spd_sv key, spd_sv value);

#endif
