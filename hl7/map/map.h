/* hl7/map/map.h: HL7 v2 messages <-> events of the model. Pure: no sockets, no clock, no store.
 *
 * In: a message and what the peer's entry says -> one event, or a reason why there is none.
 * Out (out.h): the last order message of a system with only the mapped fields changed (domain §5),
 * reports, alerts.
 * Which field carries which fact is data: a field map (YAML) per peer over the built-in one, which is
 * that of design §5. */
#ifndef HL7_MAP_MAP_H
#define HL7_MAP_MAP_H

#include "base/source.h"
#include "hl7/map/out.h"
#include "hl7/map/response.h"
#include "hl7/v2/msg.h"
#include "model/model.h"

struct hl7_status_word {
    spd_sv word;
    enum spd_order_axis order;
    enum spd_report_axis report;
    bool exam_done;
};
struct hl7_procedure {
    spd_sv code, modality, body_part, region;
}; /* looked up by the host */

/* A site's field map; immutable, counted. docs/hl7.md has the form. */
struct hl7_site;
const struct hl7_site *hl7_site_default(void); /* the built-in one; for ever */
/* INVALID: err.place is file:line:col. One reference. */
enum spd_rc hl7_site_load(const struct spd_source *source, const struct hl7_site **ret,
                          struct spd_err *err);
const struct hl7_site *hl7_site_ref(const struct hl7_site *s); /* NULL is NULL; s itself */
void hl7_site_unref(const struct hl7_site *s);                 /* NULL is a no-op */
spd_sv hl7_site_text(const struct hl7_site *s);                /* the file as it was read */
/* Does it say how AI results are read (results:)? And does each of its entries say for which order
 * groups it is (when:)? */
bool hl7_site_has_results(const struct hl7_site *s);
bool hl7_site_results_by_test(const struct hl7_site *s);
/* The canonical concepts that it names, by number; "" beyond the last. */
spd_sv hl7_site_concept(const struct hl7_site *s, size_t i);

struct hl7_traced { /* one thing that was read: "order.accession", "A1", "OBR-18.1", "built-in:12" */
    spd_sv fact, value, path, rule;
};
struct hl7_trace {
    struct hl7_traced *v;
    size_t n;
};

struct hl7_map_options {
    spd_sv peer;                                /* name */
    bool orders, adt, reports, results;         /* roles of the peer */
    spd_sv patient_authority, accession_issuer; /* defaults where the message names none */
    const struct spd_zone *zone;                /* for times without offset */
    spd_sv charset;                             /* default when MSH-18 is empty; "" = 8859/1 */
    const struct hl7_status_word *words; /* the peer's status_map; after it the built-in one */
    size_t n_words;
    enum spd_answer on_unusable;
    spd_usec now; /* time of receipt */
    /* body part etc. of a procedure code; false = unknown. May be NULL. */
    bool (*procedure)(void *ctx, spd_sv code, struct hl7_procedure *ret);
    void *procedure_ctx;
    spd_sv msh_5, msh_6, msh_11; /* checked only when not "" */
    const struct hl7_site *map;  /* NULL: the built-in one. Borrowed */
    /* Canonical finding, and site with its laterality, of a code. False: not known; then a finding
     * in *ret is one that the code's own text contradicts. May be NULL. */
    bool (*finding)(void *ctx, const struct spd_code *code, spd_sv *ret);
    bool (*place)(void *ctx, const struct spd_code *code, spd_sv *ret_site, spd_sv *ret_laterality);
    void *codes_ctx;
    int64_t again;           /* id of the message that a person has processed again; 0 = it has just come */
    struct hl7_trace *trace; /* NULL: nobody asks what was read where; filled in the arena */
    bool order_response; /* original mode: ORR, ORI or ORG in place of ACK (response.h) */
};

/* Raw bytes of one message (without MLLP frame) -> exactly one event, always: an order, patient,
 * report or result event, or a message event (not for us: silent AA; unusable: parked with the
 * answer the peer wants; unreadable: AR with the position in the reason). event->u.*->message is
 * filled (spd_event_message finds it), raw included. Everything is in arena (raw is borrowed from bytes). */
void hl7_map_in(spd_sv bytes, const struct hl7_map_options *o, struct spd_event *ret,
                struct spd_arena *arena);

#endif
