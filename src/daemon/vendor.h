/* src/daemon/vendor.h: the code maps of single products, from the model files to the code map. The rules know
 * the one, the readers the other, and neither knows the other's room. Threads: one caller at a time. */
#ifndef SPD_DAEMON_VENDOR_H
#define SPD_DAEMON_VENDOR_H

#include "daemon/config.h"
#include "result/codes.h"

/* Makes `codes:` of every model the maps in force. INVALID: err.place is the line that names what no code file
 * knows; the maps before stay. models NULL: none. */
enum spd_rc spd_vendor_maps(struct spd_codes *codes, const struct spd_models *models, struct spd_err *err);
/* The same for the model files that a configuration names. */
enum spd_rc spd_vendor_maps_of(struct spd_codes *codes, const struct spd_config *c, struct spd_arena *arena,
                               struct spd_err *err);

#endif
