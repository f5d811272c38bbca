/* src/import/import.h: files of open orders to events: what `spoed import` and `spoed reconcile` read.
 *
 * A format is one file here and one row of the table in import.c. A reader never stops at a bad record:
 * it says where and why, and goes on. Records are order events (and, from HL7, reports) that carry the
 * mark of an import; nothing here asks a store, a clock or a socket. docs/go-live.md has the columns and
 * fields. Threads: any, one call per arena. */
#ifndef SPD_IMPORT_IMPORT_H
#define SPD_IMPORT_IMPORT_H

#include "hl7/fhir/fhir.h"
#include "hl7/map/map.h"
#include "result/dcm.h"

enum { SPD_IMPORT_FILE_MAX = 256 << 20 };

struct spd_import_out { /* called in the order of the file; texts live in the arena */
    void *self;
    /* An order or report event: event->u.*->message.import is set, and peer is the options' one. */
    void (*record)(void *self, spd_sv place, const struct spd_event *event);
    void (*refused)(void *self, spd_sv place, spd_sv why); /* place: file:line:col, file:3 ... */
    void (*skipped)(void *self, spd_sv place, spd_sv why); /* nothing for us, and nothing wrong */
};
struct spd_import_in {
    spd_sv name;                         /* for places */
    spd_sv bytes;
    const struct hl7_map_options *peer;  /* whose orders they are: defaults, words, zone, procedures, now */
    const struct spd_import_out *out;
    struct spd_arena *arena;
};

/* "hl7", "csv", "mwl", "fhir"; NULL ends. */
extern const char *const spd_import_formats[];
/* By the first bytes and the end of the name; NULL: cannot tell. */
const char *spd_import_guess(spd_sv name, spd_sv bytes);
/* INVALID: no such format, or the file as a whole is none of that format (place and text in err); what
 * came before that was given out. */
enum spd_rc spd_import_read(const char *format, const struct spd_import_in *in, struct spd_err *err);

/* ---- for the readers ---- */
enum spd_rc spd_import_hl7(const struct spd_import_in *in, struct spd_err *err);
enum spd_rc spd_import_csv(const struct spd_import_in *in, struct spd_err *err);
enum spd_rc spd_import_mwl(const struct spd_import_in *in, struct spd_err *err);
enum spd_rc spd_import_fhir(const struct spd_import_in *in, struct spd_err *err);
/* Gives one order out; or refuses it: an order has a number, and a patient with one. */
void spd_import_order(const struct spd_import_in *in, spd_sv place, struct spd_order_event *e);
/* "2026-11-22 14:05", "20261122140530", "22-11-2026", ISO 8601 with offset ...; without offset in the peer's
 * zone. False: none of these. */
bool spd_import_time(const struct spd_import_in *in, spd_sv text, spd_usec *ret);
/* The modality worklist's attributes of one dataset; false: *why says what is missing. */
void spd_import_step_keys(struct spd_dcm_set *keys, struct spd_arena *arena); /* all of them, universal */
bool spd_import_step(const struct spd_import_in *in, const struct spd_dcm *d, struct spd_order_event *ret,
                     const char **why);

#endif
