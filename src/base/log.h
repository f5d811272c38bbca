/* src/base/log.h: one line per event on standard error, "<N>" priority first as journald reads it.
 *
 * Fields carry a privacy class. SPD_PLAIN prints. SPD_PSEUDO prints a keyed hash (the same value
 * gives the same token within one process). SPD_PHI prints nothing but "-" unless the administrator
 * turned patient data on. No value ever goes into the message text. Thread-safe. */
#ifndef SPD_BASE_LOG_H
#define SPD_BASE_LOG_H

#include "base/sv.h"

enum spd_log_level {
    SPD_LOG_ERR = 3,
    SPD_LOG_WARNING = 4,
    SPD_LOG_NOTICE = 5,
    SPD_LOG_INFO = 6,
    SPD_LOG_DEBUG = 7
};
enum spd_privacy { SPD_PLAIN, SPD_PSEUDO, SPD_PHI };

struct spd_field_log {
    const char *key; /* NULL ends the list */
    enum spd_privacy privacy;
    spd_sv text;
    int64_t number; /* used when text.ptr is NULL */
};

#define SPD_LT(k, v)                                                                               \
    {                                                                                              \
        (k), SPD_PLAIN, (v), 0                                                                     \
    }
#define SPD_LZ(k, z)                                                                               \
    {                                                                                              \
        (k), SPD_PLAIN, spd_sv_from(z), 0                                                          \
    }
#define SPD_LI(k, n)                                                                               \
    {                                                                                              \
        (k), SPD_PLAIN, {NULL, 0}, (n)                                                             \
    }
#define SPD_LP(k, v)                                                                               \
    {                                                                                              \
        (k), SPD_PSEUDO, (v), 0                                                                    \
    }

/* spd_log(SPD_LOG_INFO, "hl7 message stored", SPD_LZ("peer", name), SPD_LI("items", n)); */
#define spd_log(level, message, ...)                                                               \
    spd_log_fields(                                                                                \
        (level), (message),                                                                        \
        (const struct spd_field_log[]){__VA_ARGS__ __VA_OPT__(, ){NULL, SPD_PLAIN, {NULL, 0}, 0}})
void spd_log_fields(enum spd_log_level level, const char *message, const struct spd_field_log *f);
void spd_log_set_level(enum spd_log_level max);
void spd_log_show_patients(bool on);

#endif
