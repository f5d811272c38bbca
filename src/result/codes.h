/* src/result/codes.h: the code map: (scheme, value) -> canonical finding, and procedures -> body part.
 *
 * Read from packaging/share/codes (CSV files) and a site's own rows; the maps of single products come from the
 * model files. Owned; immutable after load but for spd_codes_set_vendors, which may be called while others read.
 * A code whose meaning contradicts the row's expected meaning is "mismatch": shown, never guessed. */
#ifndef SPD_RESULT_CODES_H
#define SPD_RESULT_CODES_H

#include "base/source.h"
#include "model/model.h"

struct spd_concept { /* rows of findings.csv, merged by canonical name */
    spd_sv name, nl, en;
    bool alert;        /* "alert concept": a parked positive of it shows at once (domain §1) */
    int default_level; /* 1.. ; 0 none */
};
struct spd_procedure {
    spd_sv code, modality, body_part, region, nl, en;
};

struct spd_codes;
/* findings.csv: concept,scheme,code,meaning,nl,en,alert,level ; sites.csv: site,scheme,code,meaning,nl,en,laterality ;
 * procedures.csv: code,scheme,modality,body_part,region,nl,en. Any may be NULL. */
enum spd_rc spd_codes_load(const struct spd_source *findings, const struct spd_source *sites,
                           const struct spd_source *procedures, struct spd_codes **ret, struct spd_err *err);
/* The three files of a folder and its legacy.csv (legacy,sct: SNOMED RT to SNOMED CT), then `*.csv` of an optional
 * site folder. */
enum spd_rc spd_codes_load_dir(const char *dir, const char *site_dir, struct spd_codes **ret, struct spd_err *err);
void spd_codes_free(struct spd_codes *c);
enum spd_code_match { SPD_CODE_UNKNOWN = 0, SPD_CODE_KNOWN, SPD_CODE_MISMATCH };
/* *ret_concept is set for KNOWN and MISMATCH. Concepts "status:present", "status:absent", "status:normal",
 * "status:abnormal", "status:unclear", "status:failed" are what is said of a finding. */
enum spd_code_match spd_codes_finding(const struct spd_codes *c, const struct spd_code *code, spd_sv *ret_concept);
enum spd_code_match spd_codes_site(const struct spd_codes *c, const struct spd_code *code, spd_sv *ret_site);
/* "left", "right", "bilateral": of a laterality code, or of a site whose code says it; "" otherwise. */
spd_sv spd_codes_laterality(const struct spd_codes *c, const struct spd_code *code);
/* A code of SNOMED RT (SRT, SNM3, 99SDM) as SNOMED CT; any other as it is. Text stays; borrowed from c. */
struct spd_code spd_codes_normal(const struct spd_codes *c, const struct spd_code *code);
const struct spd_concept *spd_codes_concept(const struct spd_codes *c, spd_sv name); /* NULL unknown */
bool spd_codes_is_site(const struct spd_codes *c, spd_sv site);
spd_sv spd_codes_site_name(const struct spd_codes *c, spd_sv site, bool dutch);        /* "" unknown */
const struct spd_procedure *spd_codes_procedure(const struct spd_codes *c, spd_sv code); /* NULL unknown */

/* ---- the map of one product (`codes:` in a model file) ------------------------------------------------ */
struct spd_vendor_code {
    spd_sv scheme, code;
    const spd_sv *meanings; size_t n_meanings; /* at least one; any other meaning is a mismatch */
    spd_sv concept; /* a finding, "status:…", or "item:finding|presence|site|probability" for the name of an item */
    spd_sv site;    /* or a site */
    spd_sv place;   /* "file:line:column", for errors */
};
struct spd_vendor_map {
    spd_sv manufacturer, name; /* as in the model's match; "" any */
    const struct spd_vendor_code *codes; size_t n_codes;
};
/* Takes the place of the maps that were set before (which live on until spd_codes_free, for whoever reads with
 * them). Copies. INVALID at err.place: a concept or site that no code file names. One caller at a time. */
enum spd_rc spd_codes_set_vendors(struct spd_codes *c, const struct spd_vendor_map *maps, size_t n, struct spd_err *err);

struct spd_code_view { /* how codes read in one report of one product */
    const struct spd_codes *codes;
    const struct spd_vendor_map *map; /* NULL none */
    spd_sv within; /* root code of the report ("111036"): rows of scheme "SCT@111036" count as SCT in it */
};
/* The map with the most keys that fits; NULL none. Valid until spd_codes_free. */
const struct spd_vendor_map *spd_codes_vendor(const struct spd_codes *c, spd_sv manufacturer, spd_sv name);
enum spd_code_match spd_code_view_finding(const struct spd_code_view *v, const struct spd_code *code, spd_sv *ret_concept);
enum spd_code_match spd_code_view_site(const struct spd_code_view *v, const struct spd_code *code, spd_sv *ret_site);
#endif
