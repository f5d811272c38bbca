/* hl7/map/words.c: the tables of words: priorities, diagnostic sections, service texts, status. A
 * word that is in no table changes nothing. */
#include "hl7/map/read.h"

/* ---- priority -------------------------------------------------------------------------------- */
static const struct {
    const char *word;
    enum spd_priority priority;
} priorities[] = {
    {"S", SPD_PRIORITY_STAT},          {"STAT", SPD_PRIORITY_STAT},
    {"A", SPD_PRIORITY_ASAP},          {"ASAP", SPD_PRIORITY_ASAP},
    {"P", SPD_PRIORITY_ASAP},          {"C", SPD_PRIORITY_ASAP},
    {"T", SPD_PRIORITY_URGENT},        {"U", SPD_PRIORITY_URGENT},
    {"URG", SPD_PRIORITY_URGENT},      {"URGENT", SPD_PRIORITY_URGENT},
    {"SPOED", SPD_PRIORITY_URGENT},    {"R", SPD_PRIORITY_ROUTINE},
    {"ROUTINE", SPD_PRIORITY_ROUTINE}, {"REGULIER", SPD_PRIORITY_ROUTINE},
};

/* "TM30": critical within 30 minutes (table 0485). */
static bool is_within(spd_sv w)
{
    if (w.len < 2 || (w.ptr[0] != 'T' && w.ptr[0] != 't') || !strchr("SMHDWLsmhdwl", w.ptr[1]))
        return false;
    for (size_t i = 2; i < w.len; i++)
        if (w.ptr[i] < '0' || w.ptr[i] > '9') return false;
    return true;
}

enum spd_priority hl7_word_priority(spd_sv wire)
{
    for (size_t i = 0; i < sizeof priorities / sizeof priorities[0]; i++)
        if (spd_sv_ieq(wire, spd_sv_from(priorities[i].word))) return priorities[i].priority;
    return is_within(wire) ? SPD_PRIORITY_URGENT : SPD_PRIORITY_UNSET;
}

/* ---- diagnostic sections (OBR-24, table 0074 and what sites write there) ------------------- */
static const struct {
    const char *section, *modality;
} sections[] = {
    /* "": imaging, modality not said */
    {"CT", "CT"},  {"CAT", "CT"},     {"MR", "MR"},    {"MRI", "MR"},  {"NMR", "MR"},  {"US", "US"},
    {"RUS", "US"}, {"VUS", "US"},     {"OUS", "US"},   {"CUS", "US"},  {"ECHO", "US"}, {"DX", "DX"},
    {"CR", "CR"},  {"DR", "DX"},      {"XR", "DX"},    {"RX", "DX"},   {"PX", "PX"},   {"IO", "IO"},
    {"NM", "NM"},  {"NMS", "NM"},     {"PT", "PT"},    {"PET", "PT"},  {"MG", "MG"},   {"RF", "RF"},
    {"XA", "XA"},  {"RG", "RG"},      {"BMD", "BMD"},  {"DXA", "BMD"}, {"XRC", "XA"},  {"RAD", ""},
    {"IMG", ""},   {"RADIOLOGY", ""}, {"X-RAY", "DX"},
};
static const char *const lab_sections[] = {"LAB", "HM", "HEM", "CH",  "CHM", "MB", "MCB", "MYC",
                                           "BLB", "SR", "CG",  "IMM", "BG",  "CP", "CTH", "GE",
                                           "SP",  "TX", "VR",  "PHR", "PF",  "PAT"};

bool hl7_word_is_lab(spd_sv section)
{
    for (size_t i = 0; i < sizeof lab_sections / sizeof lab_sections[0]; i++)
        if (spd_sv_ieq(section, spd_sv_from(lab_sections[i]))) return true;
    return false;
}

static const char *section_modality(spd_sv section)
{
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        if (spd_sv_ieq(section, spd_sv_from(sections[i].section))) return sections[i].modality;
    return NULL;
}

bool hl7_word_is_imaging(spd_sv section)
{
    return section_modality(section) != NULL;
}

spd_sv hl7_word_modality(spd_sv section)
{
    return spd_sv_from(section_modality(section));
}

/* ---- service texts and codes (OBR-4, OBR-44) ----------------------------------------------------
 * Words that laboratories use too are not here: CR creatinine, MG magnesium, PT prothrombin, DX
 * diagnosis. */
static const struct {
    const char *word;
    bool stem;
    const char *modality;
} services[] = {
    {"CT", false, "CT"},       {"CTA", false, "CT"},        {"CTPA", false, "CT"},
    {"CAT", false, "CT"},      {"MR", false, "MR"},         {"MRI", false, "MR"},
    {"MRA", false, "MR"},      {"MRCP", false, "MR"},       {"MRV", false, "MR"},
    {"XR", false, "DX"},       {"RX", false, "DX"},         {"XRAY", false, "DX"},
    {"US", false, "US"},       {"ULTRASOUND", false, "US"}, {"ECHO", false, "US"},
    {"ECHOGRA", true, "US"},   {"SONOGRA", true, "US"},     {"DUPLEX", false, "US"},
    {"MAMMO", true, "MG"},     {"PET", false, "PT"},        {"PETCT", false, "PT"},
    {"SPECT", false, "NM"},    {"SCINTI", true, "NM"},      {"NM", false, "NM"},
    {"DEXA", false, "BMD"},    {"DXA", false, "BMD"},       {"FLUORO", true, "RF"},
    {"DOORLICHT", true, "RF"}, {"ANGIOGRA", true, "XA"},    {"TOMOGRA", true, ""},
    {"RADIOGRA", true, ""},    {"RONTGEN", true, "DX"},     {"THORAX", true, ""},
    {"SCAN", false, ""},       {"ARTHROGRA", true, ""},     {"RADIOLOG", true, ""},
};
static const char *const code_stems[] = {"CT", "MR", "US", "RX",
                                         "XR", "XA", "RF", "NM"}; /* before a digit */

static bool alnum(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static const char *service_word(spd_sv w)
{
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        spd_sv known = spd_sv_from(services[i].word);
        bool hit = services[i].stem
                       ? w.len >= known.len && spd_sv_ieq(spd_sv_of(w.ptr, known.len), known)
                       : spd_sv_ieq(w, known);
        if (hit) return services[i].modality;
    }
    return NULL;
}

spd_sv hl7_word_service(spd_sv text, bool is_code, bool *found)
{
    *found = false;
    if (!text.len) return SPD_SV_NONE;
    const char *modality =
        text.len > 2 && (*text.ptr | 32) == 'x' && text.ptr[1] == '-' ? "DX" : NULL; /* X-thorax */
    for (size_t i = 0, from = 0; i <= text.len; i++) {
        if (i < text.len && alnum(text.ptr[i])) continue;
        spd_sv w = spd_sv_of(text.ptr + from, i - from);
        if (spd_sv_ieq(w, SPD_SV("X")) && text.len - i >= 4 &&
            spd_sv_ieq(spd_sv_of(text.ptr + i + 1, 3), SPD_SV("RAY")))
            modality = modality && *modality ? modality : "DX";
        const char *hit = w.len ? service_word(w) : NULL;
        if (hit && (!modality || !*modality)) modality = hit;
        from = i + 1;
    }
    for (size_t i = 0; is_code && !modality && i < sizeof code_stems / sizeof code_stems[0]; i++)
        if (text.len > 2 && spd_sv_ieq(spd_sv_of(text.ptr, 2), spd_sv_from(code_stems[i])) &&
            text.ptr[2] >= '0' && text.ptr[2] <= '9')
            modality = section_modality(spd_sv_from(code_stems[i]));
    *found = modality != NULL;
    return spd_sv_from(modality);
}

/* ---- status -------------------------------------------------------------------------------- */
enum act { NOTHING, CANCEL, HOLD, RELEASE, DONE };
static const struct {
    const char *word;
    enum act act;
} orc_words[] = {
    {"A", NOTHING},       {"SC", NOTHING}, {"IP", NOTHING}, {"NW", NOTHING}, {"N", NOTHING},
    {"ER", NOTHING},      {"RP", NOTHING}, {"CA", CANCEL},  {"DC", CANCEL},  {"CANCELLED", CANCEL},
    {"CANCELED", CANCEL}, {"HD", HOLD},    {"CM", DONE},
};
static const struct {
    const char *word;
    enum act act;
    enum spd_report_axis report;
} obr_words[] = {
    {"O", NOTHING, 0},
    {"S", NOTHING, 0},
    {"I", NOTHING, 0},
    {"A", NOTHING, 0},
    {"SC", NOTHING, 0},
    {"IP", NOTHING, 0},
    {"N", NOTHING, 0},
    {"CM", DONE, 0},
    {"P", NOTHING, SPD_REPORT_PRELIMINARY},
    {"R", NOTHING, SPD_REPORT_PRELIMINARY},
    {"PRELIM", NOTHING, SPD_REPORT_PRELIMINARY},
    {"PRELIMINARY", NOTHING, SPD_REPORT_PRELIMINARY},
    {"WET READ", NOTHING, SPD_REPORT_PRELIMINARY},
    {"WETREAD", NOTHING, SPD_REPORT_PRELIMINARY},
    {"F", NOTHING, SPD_REPORT_FINAL},
    {"FINAL", NOTHING, SPD_REPORT_FINAL},
    {"C", NOTHING, SPD_REPORT_AMENDED},
    {"CORRECTED", NOTHING, SPD_REPORT_AMENDED},
    {"AMENDED", NOTHING, SPD_REPORT_AMENDED},
    {"ADDENDUM", NOTHING, SPD_REPORT_AMENDED},
    {"X", CANCEL, 0},
    {"CA", CANCEL, 0},
    {"CANCELLED", CANCEL, 0},
    {"CANCELED", CANCEL, 0},
};

static void act_on(enum act act, struct spd_order_in *ret)
{
    if (act == CANCEL)
        ret->cancel = 1, ret->order = SPD_ORDER_CANCELLED;
    else if (act == HOLD)
        ret->hold = 1, ret->order = SPD_ORDER_HELD;
    else if (act == RELEASE)
        ret->release = 1, ret->order = SPD_ORDER_ACTIVE;
    else if (act == DONE)
        ret->exam_done = 1;
}

bool hl7_word_status(const struct hl7_map_options *o, spd_sv word, bool in_obr,
                     struct spd_order_in *ret)
{
    for (size_t i = 0; i < o->n_words; i++) {
        const struct hl7_status_word *w = &o->words[i];
        if (!spd_sv_ieq(word, w->word)) continue;
        act_on(w->order == SPD_ORDER_CANCELLED ? CANCEL
               : w->order == SPD_ORDER_HELD    ? HOLD
               : w->order == SPD_ORDER_ACTIVE  ? RELEASE
                                               : NOTHING,
               ret);
        if (w->report && o->reports) ret->report = w->report; /* only such a peer closes anything */
        if (w->exam_done) ret->exam_done = 1;
        return true;
    }
    for (size_t i = 0; !in_obr && i < sizeof orc_words / sizeof orc_words[0]; i++)
        if (spd_sv_ieq(word, spd_sv_from(orc_words[i].word)))
            return act_on(orc_words[i].act, ret), true;
    for (size_t i = 0; in_obr && i < sizeof obr_words / sizeof obr_words[0]; i++)
        if (spd_sv_ieq(word, spd_sv_from(obr_words[i].word))) {
            act_on(obr_words[i].act, ret);
            if (obr_words[i].report && o->reports) ret->report = (int32_t)obr_words[i].report;
            return true;
        }
    return false;
}

void hl7_word_control(spd_sv control, bool has_ro, struct spd_order_in *ret)
{
    static const char *const cancels[] = {"CA", "OC", "CR", "DC", "OD", "DR"};
    ret->control = control;
    for (size_t i = 0; i < sizeof cancels / sizeof cancels[0]; i++)
        if (spd_sv_is(control, cancels[i])) act_on(CANCEL, ret);
    if (spd_sv_is(control, "HD") || spd_sv_is(control, "HR")) act_on(HOLD, ret);
    if (spd_sv_is(control, "RL") || spd_sv_is(control, "OE")) act_on(RELEASE, ret);
    if (spd_sv_is(control, "RP") || spd_sv_is(control, "RU") || spd_sv_is(control, "RO"))
        ret->replace = 1;
    /* With an RO beside it, RP and RU name the order that is replaced; alone they are the
     * replacement. */
    if (has_ro && ret->replace && !spd_sv_is(control, "RO")) act_on(CANCEL, ret);
}
