/* src/cli/import_send.h: records of a list to the brain in batches, or to the store under its lock. */
#ifndef SPD_CLI_IMPORT_SEND_H
#define SPD_CLI_IMPORT_SEND_H

#include "cli/import_list.h"
#include "core/core.h"

struct spd_sent_record { /* what became of it */
    int says;            /* enum spd_import_says */
    spd_sv reason;
    int64_t item;
};
/* All of v, in order; ret has n. An exit code, having said why. */
int spd_import_send(struct spd_import_list *l, const struct spd_listed *v, size_t n, struct spd_sent_record *ret);
/* One reconcile event, likewise. */
int spd_reconcile_send(struct spd_import_list *l, const struct spd_reconcile_event *e);
/* The store for reading; *ret NULL where there is none yet. An exit code, having said why. */
int spd_import_store(struct spd_import_list *l, struct spd_store **ret);

#endif
