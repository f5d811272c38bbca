/* src/door/find_fields.h: the attributes of a worklist row, for find.c. See find_fields.c. */
#ifndef SPD_DOOR_FIND_FIELDS_H
#define SPD_DOOR_FIND_FIELDS_H

#include "door/find.h"

struct spd_find_view { /* one row while it is looked at */
    const struct spd_row *row;
    const struct spd_zone *zone;
    bool reporting;
    char text[256]; /* where a made-up value stands */
};
struct spd_find_field {
    uint32_t path[3];
    char vr[3];
    spd_sv (*get)(struct spd_find_view *v); /* NULL: a type 2 attribute that we never know */
};

enum { SPD_FIND_FIELDS = 56 };
extern const struct spd_find_field spd_find_fields[];
/* NULL: not one of ours. */
const struct spd_find_field *spd_find_field_of(const struct spd_find_key *key);

#endif
