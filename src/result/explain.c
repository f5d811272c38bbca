/* src/result/explain.c: what is made of one item of a report, in a few words, for a person who
 * looks at the tree. It says what the readers understand of the item alone; what it comes to is the
 * result's. Pure. */
#include "result/reader.h"

static const char *const words[] = {[SPD_NAME_TRACKING_UID] = "tracked by this UID",
                                    [SPD_NAME_ALGORITHM] = "the algorithm",
                                    [SPD_NAME_VERSION] = "the version of the algorithm",
                                    [SPD_NAME_MANUFACTURER] = "the maker of the algorithm",
                                    [SPD_NAME_OBSERVER_TYPE] = "who observed",
                                    [SPD_NAME_PERSON] = "a person",
                                    [SPD_NAME_DEVICE_UID] = "a device",
                                    [SPD_NAME_DEVICE_NAME] = "a device",
                                    [SPD_NAME_DEVICE_MAKER] = "a device",
                                    [SPD_NAME_DEVICE_MODEL] = "a device",
                                    [SPD_NAME_GROUP] = "a group",
                                    [SPD_NAME_STUDY] = "the study it is about",
                                    [SPD_NAME_ACCESSION] = "the order it is about",
                                    [SPD_NAME_CAD_SUMMARY] = "the outcome as a whole",
                                    [SPD_NAME_CAD_DETECTIONS] = "whether detection succeeded",
                                    [SPD_NAME_CAD_ANALYSES] = "whether analysis succeeded",
                                    [SPD_NAME_CAD_FAILED] = "what failed",
                                    [SPD_NAME_CAD_PERFORMED] = "what was looked for",
                                    [SPD_NAME_IMAGE_LATERALITY] = "the side of this image"};

static spd_sv of_code(struct spd_reader *r, const struct spd_sr_item *i, enum spd_name name)
{
    spd_sv concept;
    enum spd_code_match m = spd_code_view_finding(&r->codes, &i->value, &concept);
    bool site = name == SPD_NAME_SITE || name == SPD_NAME_LATERALITY;
    if (site || m == SPD_CODE_UNKNOWN) {
        spd_sv s;
        enum spd_code_match ms = spd_code_view_site(&r->codes, &i->value, &s);
        if (site || ms != SPD_CODE_UNKNOWN) m = ms, concept = s;
    }
    if (m == SPD_CODE_KNOWN) return spd_arena_printf(r->arena, "= %.*s", SPD_SV_ARG(concept));
    if (m == SPD_CODE_MISMATCH)
        return spd_arena_printf(r->arena, "not %.*s: its meaning contradicts it",
                                SPD_SV_ARG(concept));
    if (name == SPD_NAME_FINDING || name == SPD_NAME_PRESENCE || name == SPD_NAME_CAD_FINDING ||
        site)
        return SPD_SV("not in the code map");
    return SPD_SV_NONE;
}

static spd_sv of_probability(struct spd_reader *r, const struct spd_sr_item *i)
{
    struct spd_result unused = {0};
    struct spd_finding f = {.probability = -1};
    r->r = &unused;
    (void)spd_reader_detail(r, &f, i);
    if (f.probability < 0) return unused.notes.n ? unused.notes.v[0] : SPD_SV_NONE;
    return spd_arena_printf(r->arena, "probability %lld.%06lld",
                            (long long)(f.probability / 1000000),
                            (long long)(f.probability % 1000000));
}

spd_sv spd_result_explain(const struct spd_sr_doc *doc, const struct spd_sr_item *i,
                          const struct spd_result *of, const struct spd_codes *codes,
                          struct spd_arena *arena)
{
    struct spd_reader *r = SPD_NEW(arena, struct spd_reader);
    *r = (struct spd_reader){.doc = doc, .all_codes = codes, .arena = arena};
    r->codes.codes = codes, r->codes.within = doc->root.name.code;
    if (of) r->codes.map = spd_codes_vendor(codes, of->manufacturer, of->name);
    enum spd_name name = spd_reader_name(r, &i->name);
    spd_sv concept;
    if (name == SPD_NAME_PROBABILITY && spd_sv_is(i->value_type, "NUM"))
        return of_probability(r, i);
    if (name == SPD_NAME_CAD_RENDERING && spd_sv_is(i->value.code, "111152"))
        return SPD_SV("not for presentation: never counts as present");
    spd_sv made = i->value.code.len ? of_code(r, i, name) : SPD_SV_NONE;
    if (made.len) return made;
    if (spd_sv_is(i->value_type, "CODE") && name == SPD_NAME_OTHER &&
        spd_code_view_finding(&r->codes, &i->name, &concept) == SPD_CODE_KNOWN)
        return spd_arena_printf(arena, "about %.*s", SPD_SV_ARG(concept));
    const char *said = name < sizeof words / sizeof *words ? words[name] : NULL;
    return said ? spd_sv_from(said) : SPD_SV_NONE;
}
