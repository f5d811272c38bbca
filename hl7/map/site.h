/* hl7/map/site.h: a site's field map (YAML, docs/hl7.md) in its compiled form, and the one reader
 * that takes facts from a message by it. Not for other rooms; they see struct hl7_site in map.h
 * only.
 *
 * A fact has sources in order; a source has one or more paths, and may have tests, a table of
 * values, a prefix to strip. What a file does not name is as in the built-in map (default.yaml),
 * read by the same loader. Invariants: immutable after the load, so that any number of threads may
 * read by it; paths are compiled at the load; a look-up makes nothing but the text that it hands
 * out. */
#ifndef HL7_MAP_SITE_H
#define HL7_MAP_SITE_H

#include "base/yaml.h"
#include "hl7/map/read.h"

/* X(constant, section, key, kind). Append within a section; the order has no meaning. */
#define HL7_FACTS(X)                                                                               \
    X(ACCESSION, "order", "accession", ID)                                                         \
    X(PLACER, "order", "placer", ID)                                                               \
    X(FILLER, "order", "filler", ID)                                                               \
    X(STUDY_UID, "order", "study_uid", UID)                                                        \
    X(CONTROL, "order", "control", TEXT)                                                           \
    X(STATUS, "order", "status", TEXT)                                                             \
    X(RESULT_STATUS, "order", "result_status", TEXT)                                               \
    X(SECTION, "order", "section", TEXT)                                                           \
    X(MODALITY, "order", "modality", MODALITY)                                                     \
    X(PROCEDURE, "order", "procedure", CODE)                                                       \
    X(PROCEDURE_CODE, "order", "procedure_code", TEXT)                                             \
    X(SERVICE, "order", "service", TEXT)                                                           \
    X(BODY_PART, "order", "body_part", TEXT)                                                       \
    X(REGION, "order", "region", TEXT)                                                             \
    X(PRIORITY, "order", "priority", PRIORITY)                                                     \
    X(SCHEDULED, "order", "scheduled", TIME)                                                       \
    X(REQUESTER, "order", "requester", XCN)                                                        \
    X(CALLBACK, "order", "callback", TEXT)                                                         \
    X(CLINICAL_INFO, "order", "clinical_info", LONG)                                               \
    X(PROCEDURE_ID, "order", "procedure_id", TEXT)                                                 \
    X(STEP_ID, "order", "step_id", TEXT)                                                           \
    X(STATION_AE, "order", "station_ae", TEXT)                                                     \
    X(SOURCE_TIME, "order", "source_time", TIME)                                                   \
    X(PATIENT_IDS, "patient", "ids", CX)                                                           \
    X(PATIENT_NAME, "patient", "name", XPN)                                                        \
    X(BIRTH_DATE, "patient", "birth_date", TEXT)                                                   \
    X(SEX, "patient", "sex", TEXT)                                                                 \
    X(PRIOR_IDS, "patient", "prior_ids", CX)                                                       \
    X(LOCATION, "visit", "location", TEXT)                                                         \
    X(PATIENT_CLASS, "visit", "class", TEXT)                                                       \
    X(ACCOUNT, "visit", "account", TEXT)                                                           \
    X(VISIT, "visit", "number", TEXT)                                                              \
    X(REPORT_STATUS, "report", "status", TEXT)                                                     \
    X(REPORT_BY, "report", "by", NDL)                                                              \
    X(REPORT_AT, "report", "at", TIME)                                                             \
    X(REPORT_STUDY_UID, "report", "study_uid", UID)                                                \
    X(REPORT_TEXT, "report", "text", LINES)

#define HL7_FACT_CONST(name, section, key, kind) HL7_F_##name,
enum hl7_fact { HL7_FACTS(HL7_FACT_CONST) HL7_F_N };

/* How a whole field is read; a path with a component is plain text in every kind but CODE. */
enum hl7_kind {
    HL7_K_TEXT = 1, /* component 1 */
    HL7_K_LONG,     /* the whole field, with its components; all sources, parted by "; " */
    HL7_K_ID,       /* EI */
    HL7_K_CX,       /* every repetition of the first source that has any */
    HL7_K_UID,      /* likewise */
    HL7_K_CODE,     /* CWE, beginning at the component of the path */
    HL7_K_XPN,
    HL7_K_XCN,
    HL7_K_NDL,
    HL7_K_TIME,
    HL7_K_PRIORITY,
    HL7_K_MODALITY,
    HL7_K_LINES, /* all lines that pass, in the order of the message */
    HL7_K_EACH   /* TEXT, of all sources */
};

struct hl7_at_path { /* a path with its text; seg 0: not given, any segment of that name */
    struct hl7_path p;
    spd_sv text;
};
struct hl7_test { /* one of words; none: any value will do */
    struct hl7_at_path path;
    spd_sv *words;
    size_t n_words;
};
struct hl7_tests { /* all must hold */
    struct hl7_test *v;
    size_t n;
};
struct hl7_value_word {
    spd_sv from, to;
};
struct hl7_source {
    struct hl7_at_path *paths; /* the first that has a value */
    size_t n_paths;
    spd_sv text; /* fixed, where there is no path */
    struct hl7_tests when;
    struct hl7_value_word *values; /* from "*": every other value */
    size_t n_values;
    spd_sv strip, authority;
    int line;
};
struct hl7_sources {
    struct hl7_source *v;
    size_t n;
    spd_sv name; /* "order.accession" */
    bool own;    /* said by the site's file */
};

/* ---- results (AI by ORU^R01) ---------------------------------------------------------------- */
enum hl7_meaning {
    HL7_MEANS_NOTHING = 0,
    HL7_MEANS_PRESENT,
    HL7_MEANS_ABSENT,
    HL7_MEANS_UNCLEAR,
    HL7_MEANS_NORMAL,
    HL7_MEANS_FAILED,
    HL7_MEANS_NOT_APPLICABLE
};
extern const char *const hl7_meaning_names[]; /* by enum hl7_meaning - 1, NULL-ended */
struct hl7_mean {
    spd_sv word;
    enum hl7_meaning means;
};
struct hl7_means {
    struct hl7_mean *v;
    size_t n;
};
struct hl7_result_line { /* which OBX carries what */
    struct hl7_tests when;
    spd_sv concept; /* canonical; "" = by the code */
    struct hl7_sources code, probability, site, laterality;
    struct hl7_means words, flags;
    enum hl7_meaning means; /* by being there alone; NOTHING, PRESENT or UNCLEAR */
    bool optional;          /* its absence says nothing */
    int line;
};
struct hl7_result_map {
    struct hl7_tests when, ignore;
    struct hl7_sources manufacturer, name, version, study_uid, id, at;
    struct hl7_means words, flags;
    struct hl7_result_line *lines;
    size_t n_lines;
};
enum { HL7_RESULT_MAPS_MAX = 32, HL7_RESULT_LINES_MAX = 200 };

struct hl7_site {
    struct spd_arena *arena;
    int refs; /* atomic */
    spd_sv file, text;
    struct hl7_sources facts[HL7_F_N];
    struct hl7_result_map *results;
    size_t n_results;
};

/* site.c */
extern const struct hl7_fact_row {
    const char *section, *key;
    enum hl7_kind kind;
} hl7_fact_rows[HL7_F_N];
/* results_map.c: the section results: */
enum spd_rc hl7_site_results(struct hl7_site *s, const struct spd_yaml *node, struct spd_err *err);
/* A fact's sources: a path, a mapping, or a list of those. */
enum spd_rc hl7_site_sources(const struct hl7_site *s, const struct spd_yaml *node, spd_sv name,
                             enum hl7_kind kind, struct hl7_sources *ret, struct spd_err *err);
enum spd_rc hl7_site_tests(const struct hl7_site *s, const struct spd_yaml *node,
                           struct hl7_tests *ret, struct spd_err *err);

/* ---- the reader ------------------------------------------------------------------------------ */
struct hl7_at { /* where a path without further say is read: PID and the OBX in hand, else the
                 * group, else the part before the first order */
    const struct hl7_group *g; /* NULL: the whole message */
    size_t pid, line;          /* HL7_NO_SEG: not given */
};
#define HL7_NO_SEG ((size_t)-1)

struct hl7_hit { /* a value that a source has found */
    struct hl7_value v;
    const struct hl7_source *source;
    const struct hl7_path *path; /* NULL: the source's fixed text */
    size_t seg;
    unsigned rep;
};

bool hl7_pass(const struct hl7_read *r, const struct hl7_at *at, const struct hl7_tests *tests);
/* Sources by themselves; those of a fact of the reader's map. */
/* *ret_nulled (may be NULL): "" was sent for it, and no source has a value. */
spd_sv hl7_take_text(const struct hl7_read *r, const struct hl7_at *at, const struct hl7_sources *s,
                     enum hl7_kind kind, bool *ret_nulled);
bool hl7_take_code(const struct hl7_read *r, const struct hl7_at *at, const struct hl7_sources *s,
                   struct spd_code *ret);
bool hl7_take_id(const struct hl7_read *r, const struct hl7_at *at, const struct hl7_sources *s,
                 spd_sv authority, struct spd_cx *ret);
spd_usec hl7_take_time(const struct hl7_read *r, const struct hl7_at *at,
                       const struct hl7_sources *s);
struct hl7_texts {
    spd_sv *v;
    size_t n;
};
/* Each value once: kind UID of the first source that has any, LONG of all of them, else the first
 * value. */
struct hl7_texts hl7_take_all(const struct hl7_read *r, const struct hl7_at *at,
                              const struct hl7_sources *s, enum hl7_kind kind, bool *ret_nulled);
/* A priority: what the table makes of the first word that is one (else of the first word), and the
 * field's own word. */
spd_sv hl7_take_priority(const struct hl7_read *r, const struct hl7_at *at,
                         const struct hl7_sources *s, spd_sv *ret_wire, bool *ret_nulled);
void hl7_read_ids(const struct hl7_read *r, const struct hl7_at *at, enum hl7_fact fact,
                  struct spd_patient *ret);

const struct hl7_sources *hl7_fact(const struct hl7_read *r, enum hl7_fact fact);
spd_sv hl7_fact_text(const struct hl7_read *r, const struct hl7_at *at, enum hl7_fact fact);
spd_sv hl7_fact_or_null(const struct hl7_read *r, const struct hl7_at *at, enum hl7_fact fact,
                        bool *ret_nulled);
/* Does this segment's field hold lines of the fact (kind LINES)? The field, 0: no. */
unsigned hl7_fact_line(const struct hl7_read *r, const struct hl7_at *at, size_t seg);
/* report.c: an OBX that names the study, and is no text and no finding. */
bool hl7_is_study_uid(const struct hl7_read *r, const struct hl7_seg *obx);
/* What was read and where, for whoever asked (hl7_map_options.trace); path and rule may be "". */
void hl7_trace_add(const struct hl7_read *r, const char *fact, spd_sv value, spd_sv path,
                   spd_sv rule);

#endif
