/* hl7/map/out.h: what we send: priorities, reports, alerts. Pure, as map.h.
 *
 * What a destination wants is a profile by name (hl7_profiles): one row says from which message it
 * is made, what ORC-1 says and which form it has. Every message is made from the last order message
 * of that system, in its delimiters and character set; every content of ours is escaped, so that
 * none of it can start a segment, field or component. A message of one type is never made from one
 * of another type: a profile that asks for ORM refuses an OMI and says so. */
#ifndef HL7_MAP_OUT_H
#define HL7_MAP_OUT_H

#include "hl7/v2/msg.h"
#include "model/model.h"

struct hl7_site;

enum hl7_out_event { HL7_OUT_PRIORITY = 0, HL7_OUT_REPORT, HL7_OUT_ALERT, HL7_OUT_N };
enum hl7_out_form { HL7_FORM_ORDER = 0, HL7_FORM_ORU_R01, HL7_FORM_MDM_T02, HL7_FORM_ORU_R40 };

struct hl7_profile {
    const char *name; /* in the configuration */
    enum hl7_out_event event;
    enum hl7_out_form form;
    const char *type;    /* what the source's MSH-9.1 must be; NULL: any order message */
    const char *control; /* ORC-1 of a priority */
    bool filler;         /* speaks as the filler; else as the placer */
    const char *help;    /* one line for the reference */
};
extern const struct hl7_profile
    hl7_profiles[]; /* name NULL ends; the first of an event is its default */
/* NULL: there is none. */
const struct hl7_profile *hl7_profile_find(spd_sv name);
const struct hl7_profile *hl7_profile_default(enum hl7_out_event event, bool filler);

enum hl7_priority_field {
    HL7_IN_TQ1_9 = 0,
    HL7_IN_ORC_7_6,
    HL7_IN_OBR_27_6,
    HL7_IN_OBR_5,
    HL7_IN_N
};
extern const char *const hl7_priority_fields[]; /* "TQ1-9" …; NULL ends */

struct hl7_out_options {
    spd_sv control_id;
    spd_usec now;
    const struct spd_zone *zone;
    spd_sv msh_3, msh_4, msh_5, msh_6; /* "" = swapped from the source */
    const struct spd_item *item;
    const struct hl7_profile *profile; /* NULL: the event's default */
    unsigned fields;             /* bits of hl7_priority_field; 0 = those that the source has */
    spd_sv field_wire[HL7_IN_N]; /* where a field says it in words of its own; "" = wire */
    spd_sv msh_11, msh_12;       /* "" = the source's */
    spd_sv charset;              /* where MSH-18 is empty; "" = 8859/1 */
    bool ask_application;        /* MSH-15 and MSH-16 AL: both answers are wanted */
    bool dutch;                  /* words of ours */
    const struct hl7_site *map;  /* where the source has its numbers; NULL: the built-in map */
};

/* The source with MSH-7, MSH-10, ORC-1 and the priority fields set, in the order group that belongs
 * to the item (placer/filler/accession); everything else byte-equal. Where the source has no
 * priority anywhere and no fields are named: the one its type calls for (TQ1-9, in ORM ORC-7.6).
 * INVALID: source unusable, err says why. */
enum spd_rc hl7_map_priority(spd_sv source, spd_sv wire, const struct hl7_out_options *o,
                             struct spd_str *out, struct spd_err *err);
/* The report text as OBX lines (TX), status "P", "F" or "C"; PID/PV1/ORC/OBR taken from the source
 * order message where there is one, else from the item. by: the acceptor. */
enum spd_rc hl7_map_report(spd_sv source, spd_sv text, spd_sv status, spd_sv by,
                           const struct hl7_out_options *o, struct spd_str *out,
                           struct spd_err *err);
/* That an alert began, changed or ended: codes and times only, no text that could be taken for a
 * report; says that AI found it and whether a radiologist has looked; never with a final status. */
enum spd_rc hl7_map_alert(spd_sv source, const struct spd_alert_out *alert,
                          const struct hl7_out_options *o, struct spd_str *out,
                          struct spd_err *err);

#endif
