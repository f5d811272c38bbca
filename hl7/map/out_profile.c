/* hl7/map/out_profile.c: the named profiles of destinations, one row each. A new one is a row. */
#include "hl7/map/out.h"

const char *const hl7_priority_fields[] = {"TQ1-9", "ORC-7.6", "OBR-27.6", "OBR-5", NULL};

#define ORDER(prefix, type, what)                                                                  \
    {prefix "xo",                                                                                  \
     HL7_OUT_PRIORITY,                                                                             \
     HL7_FORM_ORDER,                                                                               \
     type,                                                                                         \
     "XO",                                                                                         \
     false,                                                                                        \
     "priority: " what ", ORC-1 XO (change; as the placer)"},                                      \
        {prefix "xx",                                                                              \
         HL7_OUT_PRIORITY,                                                                         \
         HL7_FORM_ORDER,                                                                           \
         type,                                                                                     \
         "XX",                                                                                     \
         true,                                                                                     \
         "priority: " what ", ORC-1 XX (changed unsolicited; as the filler)"},                     \
    {                                                                                              \
        prefix "sc", HL7_OUT_PRIORITY, HL7_FORM_ORDER, type, "SC", true,                           \
            "priority: " what ", ORC-1 SC (status changed; as the filler)"                         \
    }

const struct hl7_profile hl7_profiles[] = {
    ORDER("", NULL, "the system's own last order message"),
    ORDER("orm-", "ORM", "its ORM^O01, and nothing when that was another type"),
    ORDER("omi-", "OMI", "its OMI^O23, and nothing when that was another type"),
    ORDER("omg-", "OMG", "its OMG^O19, and nothing when that was another type"),
    {"oru-r01", HL7_OUT_REPORT, HL7_FORM_ORU_R01, NULL, NULL, true, "report: ORU^R01"},
    {"mdm-t02", HL7_OUT_REPORT, HL7_FORM_MDM_T02, NULL, NULL, true, "report: MDM^T02"},
    {"oru-r40", HL7_OUT_ALERT, HL7_FORM_ORU_R40, NULL, NULL, true,
     "alert: ORU^R40 of HL7 2.6 (IHE ACM)"},
    {"oru-r01-alert", HL7_OUT_ALERT, HL7_FORM_ORU_R01, NULL, NULL, true,
     "alert: ORU^R01 with coded OBX, for systems without R40"},
    {NULL, HL7_OUT_N, HL7_FORM_ORDER, NULL, NULL, false, NULL}};

const struct hl7_profile *hl7_profile_find(spd_sv name)
{
    for (const struct hl7_profile *p = hl7_profiles; p->name; p++)
        if (spd_sv_is(name, p->name)) return p;
    return NULL;
}

const struct hl7_profile *hl7_profile_default(enum hl7_out_event event, bool filler)
{
    const struct hl7_profile *first = NULL;
    for (const struct hl7_profile *p = hl7_profiles; p->name; p++) {
        if (p->event != event) continue;
        if (p->filler == filler) return p;
        if (!first) first = p;
    }
    return first;
}
