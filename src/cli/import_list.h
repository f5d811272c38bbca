/* src/cli/import_list.h: what `spoed import` and `spoed reconcile` have in common: the files, folders and
 * addresses on the command line become a list of records, with the peer whose orders they are. */
#ifndef SPD_CLI_IMPORT_LIST_H
#define SPD_CLI_IMPORT_LIST_H

#include "cli/cli.h"
#include "daemon/config.h"
#include "import/import.h"
#include "result/codes.h"

struct spd_listed { /* one record */
    spd_sv place;
    enum spd_event_type type; /* ORDER or REPORT */
    void *event;
};
struct spd_unlisted {
    spd_sv place, why;
};
struct spd_import_list {
    const struct spd_cli *cli;
    struct spd_config *c;
    struct spd_codes *codes;
    struct spd_arena *arena; /* of everything here */
    struct hl7_map_options peer;
    const char *format;      /* NULL: by the file itself */
    struct { struct spd_listed *v; size_t n; } records;
    struct { struct spd_unlisted *v; size_t n; } refused;
    size_t skipped;
    bool failed;             /* a source could not be read at all; said so */
};

/* Configuration, codes and peer (NULL: the only one with the role orders). An exit code, having said why. */
int spd_import_list_open(const struct spd_cli *cli, const char *peer, struct spd_import_list *ret);
void spd_import_list_close(struct spd_import_list *l);
/* A file, "-", a folder (its files), http(s)://… (a FHIR page and those that follow), dicom://AET@host:port. */
void spd_import_list_add(struct spd_import_list *l, const char *source);
/* The event's order; reports have several. NULL beyond the last. */
const struct spd_order_in *spd_listed_order(const struct spd_listed *r, size_t i);
/* The same with the event around it, as compare and look want it; of a report: only its patient. */
const struct spd_order_event *spd_listed_event(const struct spd_listed *r, struct spd_order_event *scratch);
/* "\r1200 of 5000" on a terminal, now and then. */
void spd_import_progress(const struct spd_import_list *l, const char *what, size_t done, size_t all);

#endif
