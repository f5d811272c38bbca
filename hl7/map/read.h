/* hl7/map/read.h: what the readers of hl7/map share: a message with its options, text, identifiers,
 * names, times, order groups, and the tables of words. Not for other rooms. */
#ifndef HL7_MAP_READ_H
#define HL7_MAP_READ_H

#include "hl7/map/map.h"
#include "hl7/v2/charset.h"

struct hl7_read { /* one message being read; everything made goes into arena */
    const struct hl7_msg *m;
    const struct hl7_map_options *o;
    struct spd_arena *arena;
    const char *set; /* character set of the sender */
    bool decoded;    /* m is UTF-8 already; else text is converted value by value */
    bool future;     /* a source time lay in the future and was clamped */
};

/* Unescaped, UTF-8, trimmed; "" for anything but a value. Longer ones are cut, so that a message of
 * 16 MiB in one field cannot fill the arena by being read several times. */
enum { HL7_TEXT_MAX = 4096, HL7_INFO_MAX = 16384 };
spd_sv hl7_text_max(const struct hl7_read *r, struct hl7_value v, size_t max);
spd_sv hl7_text(const struct hl7_read *r, struct hl7_value v);
spd_sv hl7_text_of(const struct hl7_read *r, const struct hl7_seg *s, unsigned field,
                   unsigned comp);
/* Keeps line ends and inner blanks: for report text. */
spd_sv hl7_text_lines(const struct hl7_read *r, struct hl7_value v);
/* EI or CX at a field: value .1, authority .2 (.4 for CX) or the default. False when there is no
 * value. */
bool hl7_read_ei(const struct hl7_read *r, struct hl7_value rep, spd_sv authority,
                 struct spd_cx *ret);
bool hl7_read_cx(const struct hl7_read *r, struct hl7_value rep, spd_sv authority,
                 struct spd_cx *ret);
/* "Family, Given"; first: component of the family name (1 in XPN, 2 in XCN). */
spd_sv hl7_read_name(const struct hl7_read *r, struct hl7_value rep, unsigned first);
/* YYYYMMDD[HH[MM[SS[.S]]]][+/-ZZZZ] to UTC; 0 when it is none. */
spd_usec hl7_read_time(const struct hl7_read *r, struct hl7_value v);
/* Never later than the receipt; says so in r->future. */
spd_usec hl7_clamp_time(struct hl7_read *r, spd_usec t);
/* By the peer's field map; pid is a segment of r->m. */
void hl7_read_patient(const struct hl7_read *r, const struct hl7_seg *pid, struct spd_patient *ret);
void hl7_read_visit(const struct hl7_read *r, spd_sv *ret_location, spd_sv *ret_class);
spd_sv hl7_write_time(const struct spd_zone *zone, spd_usec t, struct spd_arena *arena);

/* One order of a message: an ORC and OBR with what belongs to them. Indexes of segments; none:
 * n_segs. */
struct hl7_group {
    size_t orc, obr, first, end;
};
/* In order of the message; up to max. Stops at a second PID (prior results). */
size_t hl7_groups(const struct hl7_msg *m, struct hl7_group *ret, size_t max);
/* Orders behind the last of these groups; with others: those behind a second PID too, which are prior
 * results in an order, and another patient's in an ORU. */
bool hl7_groups_left(const struct hl7_msg *m, const struct hl7_group *g, size_t n, bool others);
const struct hl7_seg *hl7_group_seg(const struct hl7_msg *m, const struct hl7_group *g,
                                    const char *id);
/* Identifiers of a group by the field map: by the built-in one IPC-1 else OBR-18, ORC-2 else OBR-2,
 * ORC-3 else OBR-3. */
void hl7_group_ids(const struct hl7_read *r, const struct hl7_group *g, struct spd_order_in *ret);
/* What the group asks for; false: no sign that it is imaging. modality may be "". */
bool hl7_group_imaging(const struct hl7_read *r, const struct hl7_group *g,
                       struct hl7_procedure *ret);

/* Words. */
enum spd_priority hl7_word_priority(spd_sv wire);
spd_sv hl7_word_modality(spd_sv section); /* OBR-24 to a DICOM modality, "" when it is none */
bool hl7_word_is_lab(spd_sv section);
bool hl7_word_is_imaging(spd_sv section);
/* Modality that a service text or code speaks of; *found says whether it speaks of imaging at all.
 */
spd_sv hl7_word_service(spd_sv text, bool is_code, bool *found);
/* Fills cancel, hold ... and the axes from one status word. in_obr: OBR-25 or OBX-11, whose F and C
 * are report states. False: the word is not known. */
bool hl7_word_status(const struct hl7_map_options *o, spd_sv word, bool in_obr,
                     struct spd_order_in *ret);
/* Effect of ORC-1. several: the message also holds an RO. */
void hl7_word_control(spd_sv control, bool has_ro, struct spd_order_in *ret);

/* The readers; each fills *ret or returns why there is no event of its kind. */
enum hl7_no {
    HL7_NO = 0,
    HL7_NO_NOT_FOR_US,
    HL7_NO_IDENTIFIER,
    HL7_NO_PATIENT,
    HL7_NO_ORDER,
    HL7_NO_MIXED, /* AI results and something else in one message */
    HL7_NO_PRIOR, /* a merge that does not name the number that ended, or the account that moves */
    HL7_NO_MORE   /* it holds more than is read: orders beyond the limit, a second patient's results */
};
enum hl7_no hl7_read_order(struct hl7_read *r, struct spd_order_event *ret);
enum hl7_no hl7_read_report(struct hl7_read *r, struct spd_report_event *ret);
/* AI results, by the map's section results:. NOT_FOR_US: no entry of it is for this message. */
enum hl7_no hl7_read_results(struct hl7_read *r, struct spd_result_event *ret);
enum hl7_no hl7_read_adt(struct hl7_read *r, spd_sv trigger, struct spd_patient_event *ret);
enum hl7_no hl7_read_siu(struct hl7_read *r, spd_sv trigger, struct spd_appointment_event *ret);
enum hl7_no hl7_read_mdm(struct hl7_read *r, spd_sv trigger, struct spd_report_event *ret);
/* The report's lines, assembled. */
void hl7_report_text(const struct hl7_read *r, struct spd_report_event *ret);
/* PID-18 and PV1-19, by the field map. */
void hl7_read_encounter(const struct hl7_read *r, struct spd_cx *ret_account, struct spd_cx *ret_visit);

#endif
