/* src/result/codes.h: the code map: (scheme, value) -> canonical finding, and procedures -> body part.
 *
 * Read from packaging/share/codes (CSV files) (and a site's own rows). Immutable after load; owned. A code
 * whose meaning contradicts the row's expected meaning is "mismatch": shown, never guessed. */
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
/* The three files of a folder, then `*.csv` of an optional site folder. */
enum spd_rc spd_codes_load_dir(const char *dir, const char *site_dir, struct spd_codes **ret, struct spd_err *err);
void spd_codes_free(struct spd_codes *c);
enum spd_code_match { SPD_CODE_UNKNOWN = 0, SPD_CODE_KNOWN, SPD_CODE_MISMATCH };
/* *ret_concept is set for KNOWN and MISMATCH. Concepts "status:present", "status:absent", "status:normal",
 * "status:abnormal", "status:unclear", "status:failed" are what is said of a finding. */
enum spd_code_match spd_codes_finding(const struct spd_codes *c, const struct spd_code *code, spd_sv *ret_concept);
enum spd_code_match spd_codes_site(const struct spd_codes *c, const struct spd_code *code, spd_sv *ret_site);
/* "left", "right", "bilateral": of a laterality code, or of a site whose code says it; "" otherwise. */
spd_sv spd_codes_laterality(const struct spd_codes *c, const struct spd_code *code);
const struct spd_concept *spd_codes_concept(const struct spd_codes *c, spd_sv name); /* NULL unknown */
spd_sv spd_codes_site_name(const struct spd_codes *c, spd_sv site, bool dutch);        /* "" unknown */
const struct spd_procedure *spd_codes_procedure(const struct spd_codes *c, spd_sv code); /* NULL unknown */
#endif
