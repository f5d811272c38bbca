/* src/door/ups_rs.h: UPS-RS (PS3.18 §11) as questions to ups.h: bodies in DICOM JSON, keys of a search as names and
 * values of a query string. HTTP itself is the web's. Threads: any. */
#ifndef SPD_DOOR_UPS_RS_H
#define SPD_DOOR_UPS_RS_H

#include "door/ups.h"

struct spd_ups_key { /* "PatientID" = "123", "00404018.00080100" = "110005", "limit" = "10" */
    spd_sv name, value;
};
/* Matching keys from a query string. INVALID: err.text says which kind of mistake; a name that is no attribute of
 * a workitem and no parameter is one. *ret_limit and *ret_offset as asked. */
enum spd_rc spd_ups_rs_keys(const struct spd_ups_key *v, size_t n, struct spd_find_query *ret,
                            size_t *ret_limit, size_t *ret_offset, struct spd_arena *arena,
                            struct spd_err *err);
/* The data set of a body. INVALID when it is none; an empty body is an empty data set. */
enum spd_rc spd_ups_rs_body(spd_sv body, struct spd_dcm *ret, struct spd_arena *arena, struct spd_err *err);
/* A search as a JSON array. *ret_more: there is more than was asked for. Returns how many are in it. */
size_t spd_ups_rs_search(struct spd_ups_door *u, const struct spd_find_query *q, size_t limit, size_t offset,
                         struct spd_str *out, bool *ret_more);

#endif
