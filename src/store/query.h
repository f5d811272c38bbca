/* src/store/query.h: read-only paged search for the pages, the API and reports. SQL back ends only.
 *
 * Answers are ids; the rows themselves come by spd_get_* through spd_query_store, on the same
 * connection and, between spd_query_begin and spd_query_end, of the same moment. The core never
 * uses this.
 *
 * Paging: ask with after = 0 first, then with the last id that came. newest_first turns the order
 * round. ret_ids has room for page.limit ids. A text filter that is empty filters nothing. Threads:
 * one handle per thread. A handle never writes and never blocks the writer; keep begin..end short
 * (milliseconds), since the write-ahead log cannot be emptied past an open one. */
#ifndef SPD_STORE_QUERY_H
#define SPD_STORE_QUERY_H

#include "store/store.h"

struct spd_query;

/* url as for spd_store_open; INVALID for a back end that cannot be searched ("memory:"); NOTFOUND
 * when the database is not there; STALE when it needs migration or is newer than the program.
 * Owned. */
enum spd_rc spd_query_open(const char *url, struct spd_query **ret, struct spd_err *err);
void spd_query_close(struct spd_query *q);                /* NULL is a no-op */
struct spd_store *spd_query_store(struct spd_query *q);   /* borrowed; reading verbs only */
enum spd_rc spd_query_begin(struct spd_query *q,
                            struct spd_err *err); /* one moment from here ... */
void spd_query_end(struct spd_query *q);                                /* ... to here */

struct spd_query_page {
    int64_t after;     /* 0: from the beginning (or from the newest) */
    size_t limit;      /* 1..1000 */
    bool newest_first;
};

struct spd_query_items {
    const spd_sv *status; /* names as in the API ("arrived"); none = every status */
    size_t n_status;
    spd_sv modality, location; /* equal */
    spd_sv text; /* 3 characters or more, else INVALID: begins an accession, placer or filler number
                  * or a patient id, or stands anywhere in the patient's name (ASCII case folded) */
};
enum spd_rc spd_query_items(struct spd_query *q, const struct spd_query_items *filter,
                            struct spd_query_page page, int64_t *ret_ids, size_t *ret_n,
                            struct spd_err *err);

/* state: "open" (as spd_alert_open), "" or "all", or one state's name; anything else INVALID. */
enum spd_rc spd_query_alerts(struct spd_query *q, spd_sv state, struct spd_query_page page,
                             int64_t *ret_ids, size_t *ret_n, struct spd_err *err);
enum spd_rc spd_query_parked(struct spd_query *q, bool open_only, struct spd_query_page page,
                             int64_t *ret_ids, size_t *ret_n, struct spd_err *err);

struct spd_query_messages {
    spd_sv peer, type, answer;      /* equal; type "ORM" also finds "ORM^O01" */
    enum spd_direction direction;   /* UNSET: both */
    int64_t item;                   /* 0: any */
};
enum spd_rc spd_query_messages(struct spd_query *q, const struct spd_query_messages *filter,
                               struct spd_query_page page, int64_t *ret_ids, size_t *ret_n,
                               struct spd_err *err);

enum spd_rc spd_query_outbox(struct spd_query *q, spd_sv state /* "" all */,
                             spd_sv destination /* "" all */, struct spd_query_page page, int64_t *ret_ids, size_t *ret_n,
                             struct spd_err *err);
enum spd_rc spd_query_decisions(struct spd_query *q, int64_t item, struct spd_query_page page,
                                int64_t *ret_ids, size_t *ret_n, struct spd_err *err);
/* item 0: every row. */
enum spd_rc spd_query_audit(struct spd_query *q, int64_t item, struct spd_query_page page,
                            int64_t *ret_ids, size_t *ret_n, struct spd_err *err);
/* Open discrepancies, or all. */
enum spd_rc spd_query_discrepancies(struct spd_query *q, bool open_only, struct spd_query_page page,
                                    int64_t *ret_ids, size_t *ret_n, struct spd_err *err);

struct spd_query_counts {
    int64_t items[SPD_STATUS_N];        /* by enum spd_status */
    int64_t outbox[SPD_OUTBOX_STATE_N]; /* by enum spd_outbox_state */
    int64_t alerts_open, parked_open, alarms_open, discrepancies_open;
    int64_t revision;                   /* newest journal number */
};
enum spd_rc spd_query_counts(struct spd_query *q, struct spd_query_counts *ret,
                             struct spd_err *err);

struct spd_query_destination {
    int64_t waiting, sending, dead; /* rows */
    spd_usec oldest;                /* when the oldest that waits was made; 0 = none */
};
enum spd_rc spd_query_destination(struct spd_query *q, spd_sv name,
                                  struct spd_query_destination *ret, struct spd_err *err);

#endif
