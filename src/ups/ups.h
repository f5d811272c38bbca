/* src/ups/ups.h: a workitem as DICOM sees it: a Unified Procedure Step (PS3.4 annex CC, PS3.3 C.30).
 *
 * Status codes, the attributes of a workitem as a data set, the information of an event, and matching
 * a query's keys against either. What it is not: the rules of a state change (core/workitem_act.c) and
 * the two doors, DIMSE and UPS-RS (door/ups.c). Pure; everything in the caller's arena. Threads: any. */
#ifndef SPD_UPS_UPS_H
#define SPD_UPS_UPS_H

#include "model/model.h"
#include "result/dcm_write.h"
#include "result/keys.h"

#define SPD_UPS_PUSH "1.2.840.10008.5.1.4.34.6.1"
#define SPD_UPS_WATCH "1.2.840.10008.5.1.4.34.6.2"
#define SPD_UPS_PULL "1.2.840.10008.5.1.4.34.6.3"
#define SPD_UPS_EVENT "1.2.840.10008.5.1.4.34.6.4"
#define SPD_UPS_QUERY "1.2.840.10008.5.1.4.34.6.5"
#define SPD_UPS_GLOBAL "1.2.840.10008.5.1.4.34.5"
#define SPD_UPS_FILTERED "1.2.840.10008.5.1.4.34.5.1"

enum spd_ups_status { /* PS3.4 CC.2.1.4, CC.2.2.4, CC.2.3.4, CC.2.5.4, CC.2.6.4; PS3.7 annex C */
    SPD_UPS_OK = 0x0000,
    SPD_UPS_NOT_SUPPORTED_OPTIONAL = 0x0001, /* some attributes were left out */
    SPD_UPS_INVALID_VALUE = 0x0106,
    SPD_UPS_DUPLICATE = 0x0111,
    SPD_UPS_MISSING_ATTRIBUTE = 0x0120,
    SPD_UPS_MISSING_VALUE = 0x0121,
    SPD_UPS_NOT_AUTHORIZED = 0x0124,
    SPD_UPS_RESOURCES = 0x0213,
    SPD_UPS_MODIFIED = 0xB300,           /* created with modifications */
    SPD_UPS_COERCED = 0xB305,
    SPD_UPS_ALREADY_CANCELED = 0xB304,   /* warning */
    SPD_UPS_ALREADY_COMPLETED = 0xB306,  /* warning */
    SPD_UPS_NO_LONGER = 0xC300,
    SPD_UPS_WRONG_TRANSACTION = 0xC301,
    SPD_UPS_ALREADY_IN_PROGRESS = 0xC302,
    SPD_UPS_NOT_TO_SCHEDULED = 0xC303,
    SPD_UPS_FINAL_STATE_UNMET = 0xC304,
    SPD_UPS_NO_SUCH = 0xC307,
    SPD_UPS_UNKNOWN_RECEIVER = 0xC308,
    SPD_UPS_NOT_SCHEDULED = 0xC309,
    SPD_UPS_NOT_IN_PROGRESS = 0xC310,
    SPD_UPS_IS_COMPLETED = 0xC311,
    SPD_UPS_PERFORMER_REFUSES = 0xC313,
    SPD_UPS_NOT_APPROPRIATE = 0xC314
};

/* "2.25.<number>" from the site's secret: the same in a replay, and not to be guessed. In arena. */
spd_sv spd_ups_uid(const unsigned char secret[32], const char *kind, int64_t id,
                   struct spd_arena *arena);

/* What the item says by itself (domain §2). */
enum spd_workitem_state spd_ups_state(const struct spd_item *item);
enum spd_readiness spd_ups_readiness(const struct spd_item *item);
/* levels: how many the policy has. */
enum spd_ups_priority spd_ups_priority_of(int level, int levels);

struct spd_ups_site { /* what a data set needs to know of the house */
    const struct spd_zone *zone; /* of dates and times, which say their offset; NULL = UTC */
    bool dutch;                  /* language of sentences */
    spd_sv name;                 /* Worklist Label where nobody set one */
};
/* All attributes of a workitem, without its Transaction UID (PS3.4 CC.2.7.3). Borrows from all
 * arguments. */
void spd_ups_dataset(const struct spd_item *item, const struct spd_workitem *w,
                     const struct spd_ups_site *site, struct spd_dcm_set *ret,
                     struct spd_arena *arena);
/* Event information of table CC.2.4-1, without the command's own fields. */
void spd_ups_report_dataset(const struct spd_workitem_report *r, struct spd_dcm_set *ret,
                            struct spd_arena *arena);
/* The same as one JSON object with Affected SOP Class and Instance UID, Message ID and Event Type ID
 * before it (PS3.18 §8.9): what goes over a WebSocket. */
void spd_ups_report_json(const struct spd_workitem_report *r, struct spd_str *out,
                         struct spd_arena *arena);

/* Whether the data set matches all keys that have a value (PS3.4 CC.2.8.3). *ret_known false: a key
 * with a value is none of the data set's attributes (it matches everything). */
bool spd_ups_matches(const struct spd_dcm_set *set, const struct spd_find_key *keys, size_t n);
/* The part of it that the query asks for, with (0008,0016) and (0008,0018). Keys that are not there
 * stand empty. */
void spd_ups_select(const struct spd_dcm_set *set, const struct spd_find_key *keys, size_t n,
                    struct spd_dcm_set *ret, struct spd_arena *arena);

/* ---- what others may set --------------------------------------------------------------------- */
enum spd_ups_setter { /* how an attribute of a request is dealt with */
    SPD_UPS_UNKNOWN, /* not one of a workitem's: left out, with a warning */
    SPD_UPS_STORED,  /* kept as it came */
    SPD_UPS_OURS,    /* the item says it: left out */
    SPD_UPS_SILENT   /* of the message, not of the workitem */
};
enum spd_ups_setter spd_ups_setter_of(uint32_t tag);
/* Takes the attributes of a request that are kept. Returns the status: OK, INVALID_VALUE, RESOURCES,
 * or a warning when some were left out: OURS of them as COERCED, others as NOT_SUPPORTED_OPTIONAL. */
unsigned spd_ups_take(const struct spd_dcm *d, bool create, struct spd_workitem_event *ret,
                      struct spd_arena *arena);
/* One element as DICOM JSON: {"vr":…,"Value":…}; "" when it is larger than 64 KiB. In arena. */
spd_sv spd_ups_attribute_json(const struct spd_dcm *d, const struct spd_dcm_elem *e, const char *vr,
                              struct spd_arena *arena);
/* Puts the attributes of an update into those that a workitem has; false: more than 64 KiB. */
bool spd_ups_merge(struct spd_workitem *w, const struct spd_attribute *v, size_t n,
                   struct spd_arena *arena);

#endif
