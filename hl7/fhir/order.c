/* hl7/fhir/order.c: ServiceRequests, with the resources that they point at, to order events; see
 * fhir.h.
 *
 * A request is imaging when its category, a known procedure code, an accession number, its words or
 * an ImagingStudy says so; a laboratory's are skipped. "completed" says that the exam was done,
 * never that it was reported. */
#include "hl7/fhir/fhir.h"

#include <jansson.h>
#include <string.h>

enum { DEPTH_MAX = 64, TEXT_MAX = 4096 };

struct read { /* one Bundle, or one resource by itself */
    const struct fhir_options *o;
    const struct fhir_out *out;
    struct spd_arena *arena;
    json_t *index;   /* fullUrl, "Type/id" -> resource (borrowed) */
    json_t *studies; /* what an ImagingStudy is based on -> ImagingStudy */
};

/* ---- JSON --------------------------------------------------------------------------------------
 */
static enum spd_rc depth(spd_sv t, struct spd_err *err)
{
    size_t n = 0;
    bool text = false;
    for (size_t i = 0; i < t.len; i++) {
        char c = t.ptr[i];
        if (text && c == '\\')
            i++;
        else if (c == '"')
            text = !text;
        else if (!text && (c == '{' || c == '[') && ++n > DEPTH_MAX)
            return spd_fail(err, SPD_LIMIT, "", "nested too deeply");
        else if (!text && (c == '}' || c == ']') && n)
            n--;
    }
    return SPD_OK;
}

static enum spd_rc load(spd_sv t, json_t **ret, struct spd_err *err)
{
    json_error_t e;
    char place[48];
    enum spd_rc rc = depth(t, err);
    if (rc) return rc;
    *ret = json_loadb(t.ptr ? t.ptr : "", t.len, JSON_REJECT_DUPLICATES, &e);
    if (*ret) return SPD_OK;
    if (json_error_code(&e) == json_error_out_of_memory) spd_out_of_memory();
    snprintf(place, sizeof place, "line %d column %d", e.line, e.column);
    return spd_fail(err, SPD_INVALID, place, "not readable as JSON");
}

static spd_sv text(const struct read *r, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    size_t n = json_string_length(v);
    if (!json_is_string(v)) return SPD_SV_NONE;
    return spd_sv_trim(
        spd_arena_dup(r->arena, spd_sv_of(json_string_value(v), n > TEXT_MAX ? 0 : n)));
}

static bool is(const json_t *o, const char *key, const char *value)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s && !strcmp(s, value);
}

static const json_t *first(const json_t *list)
{
    return json_array_get(list, 0);
}

static spd_usec time_of(const struct read *r, const json_t *o, const char *key)
{
    spd_sv v = text(r, o, key);
    spd_usec t = 0;
    return v.len && spd_time_parse_iso(v, &t) ? t : 0;
}

/* ---- references --------------------------------------------------------------------------------
 */
static void index_one(struct read *r, json_t *resource, const char *url)
{
    const char *type = json_string_value(json_object_get(resource, "resourceType"));
    const char *id = json_string_value(json_object_get(resource, "id"));
    if (url) json_object_set(r->index, url, resource);
    if (type && id && strlen(type) + strlen(id) < 200)
        json_object_set(r->index, spd_arena_printf(r->arena, "%s/%s", type, id).ptr, resource);
}

/* What a Reference points at: contained, in the Bundle by its address, or by the end of it. */
static const json_t *follow(const struct read *r, const json_t *within, const json_t *reference)
{
    const char *to = json_string_value(json_object_get(reference, "reference")), *slash;
    const json_t *found;
    if (!to) return NULL;
    if (to[0] == '#') {
        const json_t *list = json_object_get(within, "contained");
        for (size_t i = 0; i < json_array_size(list); i++)
            if (is(json_array_get(list, i), "id", to + 1)) return json_array_get(list, i);
        return NULL;
    }
    found = json_object_get(r->index, to);
    for (slash = to + strlen(to); !found && slash > to && *slash != '/'; slash--) {
    }
    while (!found && slash > to && slash[-1] != '/')
        slash--;
    return found ? found : json_object_get(r->index, slash);
}

/* ---- identifiers and people --------------------------------------------------------------------
 */
static bool typed(const json_t *identifier, const char *code)
{
    const json_t *codings = json_object_get(json_object_get(identifier, "type"), "coding");
    for (size_t i = 0; i < json_array_size(codings); i++)
        if (is(json_array_get(codings, i), "code", code)) return true;
    return false;
}

static bool untyped(const json_t *identifier)
{
    return !json_array_size(json_object_get(json_object_get(identifier, "type"), "coding"));
}

/* Whose number it is: who gave it out, where that is said by name; else the house. */
static spd_sv authority(const struct read *r, const json_t *identifier, spd_sv house)
{
    const json_t *by = json_object_get(identifier, "assigner");
    spd_sv v = text(r, json_object_get(by, "identifier"), "value");
    if (!v.len) v = text(r, by, "display");
    return v.len ? v : house;
}

static void number(const struct read *r, const json_t *list, const char *type, struct spd_cx *ret)
{
    for (size_t i = 0; i < json_array_size(list) && !ret->value.len; i++) {
        const json_t *id = json_array_get(list, i);
        spd_sv v = text(r, id, "value");
        if (v.len && (type ? typed(id, type) : untyped(id)))
            *ret = (struct spd_cx){v, authority(r, id, r->o->accession_issuer)};
    }
}

/* The house's own number of a patient is the medical record's, or the only one; others (a national
 * one) belong to the system that they name. */
static void patient_ids(const struct read *r, const json_t *list, struct spd_patient *ret)
{
    bool marked = false;
    for (size_t i = 0; i < json_array_size(list); i++)
        marked |= typed(json_array_get(list, i), "MR");
    for (size_t i = 0; i < json_array_size(list) && i < 32; i++) {
        const json_t *id = json_array_get(list, i);
        spd_sv v = text(r, id, "value"), system = text(r, id, "system");
        bool own = typed(id, "MR") || (!marked && (i == 0 || !system.len));
        if (!v.len) continue;
        *SPD_LIST_ADD(&ret->ids, r->arena) =
            (struct spd_cx){v, authority(r, id, own ? r->o->patient_authority : system)};
    }
}

static spd_sv person(const struct read *r, const json_t *resource)
{
    const json_t *name = first(json_object_get(resource, "name"));
    spd_sv family = text(r, name, "family"), given = SPD_SV_NONE;
    const json_t *g = first(json_object_get(name, "given"));
    if (json_is_string(g))
        given = spd_arena_dup(r->arena, spd_sv_of(json_string_value(g), json_string_length(g)));
    if (!family.len) return text(r, name, "text");
    return given.len
               ? spd_arena_printf(r->arena, "%.*s, %.*s", SPD_SV_ARG(family), SPD_SV_ARG(given))
               : family;
}

static void read_patient(const struct read *r, const json_t *request, struct spd_order_event *e)
{
    const json_t *subject = json_object_get(request, "subject"), *p = follow(r, request, subject);
    spd_sv born, sex;
    if (!p) { /* the reference may carry the number by itself */
        const json_t *id = json_object_get(subject, "identifier");
        spd_sv v = text(r, id, "value");
        if (v.len)
            *SPD_LIST_ADD(&e->patient.ids, r->arena) =
                (struct spd_cx){v, authority(r, id, r->o->patient_authority)};
        e->patient.name = text(r, subject, "display");
        return;
    }
    patient_ids(r, json_object_get(p, "identifier"), &e->patient);
    e->patient.name = person(r, p);
    born = text(r, p, "birthDate"), sex = text(r, p, "gender");
    if (born.len >= 4) {
        char *d = spd_arena_must(r->arena, born.len + 1);
        size_t n = 0;
        for (size_t i = 0; i < born.len; i++)
            if (born.ptr[i] >= '0' && born.ptr[i] <= '9') d[n++] = born.ptr[i];
        e->patient.birth_date = spd_sv_of(d, n);
    }
    e->patient.sex = spd_sv_is(sex, "male")     ? SPD_SV("M")
                     : spd_sv_is(sex, "female") ? SPD_SV("F")
                     : spd_sv_is(sex, "other")  ? SPD_SV("O")
                     : sex.len                  ? SPD_SV("U")
                                                : SPD_SV_NONE;
}

/* ---- what is asked for -------------------------------------------------------------------------
 */
/* Words that stand for imaging, as parts of a text between blanks; with the modality they mean. */
static const struct {
    const char *word, *modality;
} words[] = {{"CT", "CT"},          {"MR", "MR"},          {"MRI", "MR"},        {"PET", "PT"},
             {"X-RAY", ""},         {"XRAY", ""},          {"XR", ""},           {"RADIOGRAPH", ""},
             {"RADIOGRAPHY", ""},   {"ULTRASOUND", "US"},  {"ECHOGRAFIE", "US"}, {"ECHO", "US"},
             {"MAMMOGRAPHY", "MG"}, {"MAMMOGRAFIE", "MG"}, {"X-THORAX", ""},     {"RONTGEN", ""},
             {"DX", "DX"},          {"CR", "CR"},          {"ANGIOGRAPHY", "XA"}};

static bool speaks(spd_sv t, spd_sv *ret_modality)
{
    for (size_t i = 0; i < t.len;) {
        size_t from = i;
        while (i < t.len && !strchr(" ,;:/()", t.ptr[i]))
            i++;
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            if (spd_sv_ieq(spd_sv_of(t.ptr + from, i - from), spd_sv_from(words[k].word))) {
                *ret_modality = spd_sv_from(words[k].modality);
                return true;
            }
        i++;
    }
    return false;
}

/* 1 imaging, -1 something else, 0 not said. */
static int category(const json_t *request)
{
    static const char *const imaging[] = {"363679005", "RAD", "imaging", "CT",
                                          "NMR",       "RUS", "CUS",     "NMS"};
    const json_t *list = json_object_get(request, "category");
    int found = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *codings = json_object_get(json_array_get(list, i), "coding");
        for (size_t k = 0; k < json_array_size(codings); k++) {
            found = found ? found : -1;
            for (size_t w = 0; w < sizeof imaging / sizeof *imaging; w++)
                if (is(json_array_get(codings, k), "code", imaging[w])) return 1;
        }
    }
    return found;
}

static bool read_code(const struct read *r, const json_t *request, struct spd_order_in *o)
{
    const json_t *code = json_object_get(request, "code"), *list = json_object_get(code, "coding");
    spd_sv whole = text(r, code, "text"), said;
    bool imaging = speaks(whole, &o->modality), known = false;
    for (size_t i = 0; i < json_array_size(list) && i < 16; i++) {
        const json_t *c = json_array_get(list, i);
        struct spd_code x = {text(r, c, "code"), text(r, c, "system"), text(r, c, "display")};
        spd_sv modality, body_part, region;
        if (!x.text.len) x.text = whole;
        if (!x.code.len && !x.text.len) continue;
        if (!o->procedures.n)
            *SPD_LIST_ADD(&o->procedures, r->arena) = x; /* the others say the same */
        if (speaks(x.text, &said)) {
            imaging = true;
            if (!o->modality.len) o->modality = said;
        }
        if (known || !r->o->procedure || !x.code.len ||
            !r->o->procedure(r->o->procedure_ctx, x.code, &modality, &body_part, &region))
            continue;
        known = true;
        o->procedures.v[0] = x;
        o->modality = modality, o->body_part = body_part, o->region = region;
    }
    if (!o->procedures.n && whole.len)
        *SPD_LIST_ADD(&o->procedures, r->arena) = (struct spd_code){.text = whole};
    return imaging || known;
}

static void read_site(const struct read *r, const json_t *request, struct spd_order_in *o)
{
    const json_t *site = first(json_object_get(request, "bodySite"));
    spd_sv v = text(r, site, "text");
    if (o->body_part.len) return;
    if (!v.len) v = text(r, first(json_object_get(site, "coding")), "display");
    char *up = spd_arena_must(r->arena, v.len + 1);
    for (size_t i = 0; i < v.len; i++)
        up[i] = v.ptr[i] >= 'a' && v.ptr[i] <= 'z' ? (char)(v.ptr[i] - 32) : v.ptr[i];
    o->body_part = spd_sv_of(up, v.len);
}

static const struct {
    const char *word;
    enum spd_priority priority;
} priorities[] = {{"stat", SPD_PRIORITY_STAT},
                  {"asap", SPD_PRIORITY_ASAP},
                  {"urgent", SPD_PRIORITY_URGENT},
                  {"routine", SPD_PRIORITY_ROUTINE}};

static void read_state(const struct read *r, const json_t *request, struct spd_order_in *o)
{
    spd_sv priority = text(r, request, "priority"), status = text(r, request, "status");
    spd_usec changed = time_of(r, json_object_get(request, "meta"), "lastUpdated");
    for (size_t i = 0; i < sizeof priorities / sizeof *priorities; i++)
        if (spd_sv_is(priority, priorities[i].word))
            o->priority = (int32_t)priorities[i].priority, o->priority_wire = priority;
    o->order = SPD_ORDER_ACTIVE;
    if (spd_sv_is(status, "on-hold")) o->order = SPD_ORDER_HELD, o->hold = 1;
    if (spd_sv_is(status, "revoked") || spd_sv_is(status, "entered-in-error"))
        o->order = SPD_ORDER_CANCELLED, o->cancel = 1;
    o->exam_done = spd_sv_is(status, "completed");
    o->scheduled = time_of(r, request, "occurrenceDateTime");
    if (!o->scheduled)
        o->scheduled = time_of(r, json_object_get(request, "occurrencePeriod"), "start");
    o->source_time = changed > r->o->now ? r->o->now : changed;
}

static void read_people(const struct read *r, const json_t *request, struct spd_order_event *e,
                        struct spd_order_in *o)
{
    const json_t *by = json_object_get(request, "requester"), *who = follow(r, request, by);
    const json_t *visit = follow(r, request, json_object_get(request, "encounter"));
    const json_t *why = first(json_object_get(request, "reasonCode"));
    const json_t *place = first(json_object_get(request, "locationReference"));
    spd_sv class = text(r, json_object_get(visit, "class"), "code");
    o->requester = text(r, by, "display");
    if (!o->requester.len && who) o->requester = person(r, who);
    o->clinical_info = text(r, why, "text");
    if (!o->clinical_info.len)
        o->clinical_info = text(r, first(json_object_get(why, "coding")), "display");
    e->location = text(r, place, "display");
    if (!e->location.len)
        e->location = text(
            r, json_object_get(first(json_object_get(visit, "location")), "location"), "display");
    e->patient_class = spd_sv_is(class, "EMER")                               ? SPD_SV("E")
                       : spd_sv_is(class, "IMP") || spd_sv_is(class, "ACUTE") ? SPD_SV("I")
                       : spd_sv_is(class, "AMB")                              ? SPD_SV("O")
                                                                              : SPD_SV_NONE;
}

/* ---- the images --------------------------------------------------------------------------------
 */
static spd_sv study_uid(const struct read *r, const json_t *study)
{
    const json_t *list = json_object_get(study, "identifier");
    for (size_t i = 0; i < json_array_size(list); i++) {
        spd_sv v = text(r, json_array_get(list, i), "value");
        if (spd_sv_starts(v, SPD_SV("urn:oid:")) && v.len <= 72)
            return spd_sv_of(v.ptr + 8, v.len - 8);
    }
    return SPD_SV_NONE;
}

/* A study that is there proves that the exam was done, when it began (domain §2, §8). */
static void read_study(const struct read *r, const json_t *study, struct spd_order_in *o)
{
    spd_sv uid = study_uid(r, study), status = text(r, study, "status");
    spd_usec began = time_of(r, study, "started");
    const json_t *modality = first(json_object_get(study, "modality"));
    if (spd_sv_is(status, "cancelled") || spd_sv_is(status, "entered-in-error")) return;
    if (uid.len) *SPD_LIST_ADD(&o->study_uids, r->arena) = uid;
    if (!o->modality.len) o->modality = text(r, modality, "code");
    if (!spd_sv_is(status, "available")) return;
    o->exam_done = 1;
    if (began && (!o->exam_time || began < o->exam_time)) o->exam_time = began;
}

static void index_study(struct read *r, json_t *study)
{
    const json_t *based = json_object_get(study, "basedOn"),
                 *ids = json_object_get(study, "identifier");
    for (size_t i = 0; i < json_array_size(based); i++) {
        const char *to = json_string_value(json_object_get(json_array_get(based, i), "reference"));
        if (to) json_object_set(r->studies, to, study);
    }
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const char *v = json_string_value(json_object_get(json_array_get(ids, i), "value"));
        if (v && typed(json_array_get(ids, i), "ACSN") && strlen(v) < 200)
            json_object_set(r->studies, spd_arena_printf(r->arena, "|%s", v).ptr, study);
    }
}

static const json_t *study_of(const struct read *r, const json_t *request, const char *url,
                              const struct spd_order_in *o)
{
    const char *id = json_string_value(json_object_get(request, "id"));
    const json_t *found = url ? json_object_get(r->studies, url) : NULL;
    if (!found && id && strlen(id) < 200)
        found =
            json_object_get(r->studies, spd_arena_printf(r->arena, "ServiceRequest/%s", id).ptr);
    if (!found && o->accession.value.len && o->accession.value.len < 200)
        found = json_object_get(
            r->studies, spd_arena_printf(r->arena, "|%.*s", SPD_SV_ARG(o->accession.value)).ptr);
    return found;
}

/* ---- a request ---------------------------------------------------------------------------------
 */
static bool is_order(const json_t *request)
{
    const char *s = json_string_value(json_object_get(request, "intent"));
    return !s ||
           strstr(s, "order"); /* order, original-order, filler-order ...; no plan or proposal */
}

static void read_request(const struct read *r, const json_t *request, const char *url, spd_sv place)
{
    struct spd_order_event *e = SPD_NEW(r->arena, struct spd_order_event);
    struct spd_order_in *o = SPD_LIST_ADD(&e->orders, r->arena);
    const json_t *ids = json_object_get(request, "identifier"), *study;
    int kind = category(request);
    bool imaging = kind > 0;
    if (!is_order(request)) {
        r->out->skipped(r->out->self, place, SPD_SV("a plan or a proposal, not an order"));
        return;
    }
    number(r, ids, "ACSN", &o->accession);
    number(r, ids, "PLAC", &o->placer);
    number(r, ids, "FILL", &o->filler);
    if (!o->accession.value.len && !o->placer.value.len && !o->filler.value.len)
        number(r, ids, NULL, &o->accession); /* the only number it has, of no type */
    study = study_of(r, request, url, o);
    imaging |= read_code(r, request, o) || study || typed(first(ids), "ACSN");
    if (kind < 0 || !imaging) {
        r->out->skipped(r->out->self, place, SPD_SV("no sign of imaging"));
        return;
    }
    read_site(r, request, o);
    read_state(r, request, o);
    read_people(r, request, e, o);
    read_patient(r, request, e);
    if (study) read_study(r, study, o);
    r->out->order(r->out->self, place, e);
}

static void read_resource(struct read *r, json_t *resource, const char *url, spd_sv place)
{
    if (!json_is_object(resource) || !json_object_get(resource, "resourceType"))
        r->out->refused(r->out->self, place, SPD_SV("no resource with a resourceType"));
    else if (is(resource, "resourceType", "ServiceRequest"))
        read_request(r, resource, url, place);
}

static void index_resource(struct read *r, json_t *resource, const char *url)
{
    if (!json_is_object(resource)) return;
    index_one(r, resource, url);
    if (is(resource, "resourceType", "ImagingStudy")) index_study(r, resource);
}

static void read_bundle(struct read *r, const json_t *bundle)
{
    const json_t *list = json_object_get(bundle, "entry");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *e = json_array_get(list, i);
        index_resource(r, json_object_get(e, "resource"),
                       json_string_value(json_object_get(e, "fullUrl")));
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *e = json_array_get(list, i);
        read_resource(r, json_object_get(e, "resource"),
                      json_string_value(json_object_get(e, "fullUrl")),
                      spd_arena_printf(r->arena, "entry %zu", i + 1));
    }
}

spd_sv fhir_next_page(spd_sv t, struct spd_arena *arena)
{
    struct read r = {.arena = arena};
    json_t *v = NULL;
    spd_sv next = SPD_SV_NONE;
    const json_t *links;
    if (load(t, &v, NULL)) return next;
    links = json_object_get(v, "link");
    for (size_t i = 0; i < json_array_size(links); i++)
        if (is(json_array_get(links, i), "relation", "next"))
            next = text(&r, json_array_get(links, i), "url");
    json_decref(v);
    return next;
}

/* One resource per line: all of them are there before the first is read, since they point at each
 * other. */
static enum spd_rc read_lines(struct read *r, spd_sv t, struct spd_err *err)
{
    json_t *all = json_array();
    size_t lines = 0;
    while (t.len) {
        const char *end = memchr(t.ptr, '\n', t.len);
        spd_sv one = spd_sv_of(t.ptr, end ? (size_t)(end - t.ptr) : t.len);
        struct spd_err e = {0};
        json_t *v = NULL;
        t = end ? spd_sv_of(end + 1, t.len - one.len - 1) : SPD_SV_NONE;
        lines++;
        if (!spd_sv_trim(one).len) v = json_null();
        if (!v && load(one, &v, &e)) {
            r->out->refused(r->out->self, spd_arena_printf(r->arena, "line %zu", lines),
                            spd_arena_dup(r->arena, spd_sv_from(e.text)));
            v = json_null();
        }
        json_array_append_new(all, v);
        index_resource(r, v, NULL);
    }
    for (size_t i = 0; i < json_array_size(all); i++)
        if (!json_is_null(json_array_get(all, i)))
            read_resource(r, json_array_get(all, i), NULL,
                          spd_arena_printf(r->arena, "line %zu", i + 1));
    json_decref(all);
    return lines ? SPD_OK : spd_fail(err, SPD_INVALID, "", "the file is empty");
}

/* Several objects, each on a line of its own. */
static bool is_ndjson(spd_sv t)
{
    const char *end = memchr(t.ptr, '\n', t.len);
    spd_sv one = spd_sv_of(t.ptr, end ? (size_t)(end - t.ptr) : 0), rest;
    json_t *v = NULL;
    bool is_one;
    if (!end) return false;
    rest = spd_sv_trim(spd_sv_of(end + 1, t.len - one.len - 1));
    if (!rest.len || rest.ptr[0] != '{') return false;
    is_one = !depth(one, NULL) && (v = json_loadb(one.ptr, one.len, 0, NULL));
    json_decref(v);
    return is_one;
}

enum spd_rc fhir_read_orders(spd_sv t, const struct fhir_options *o, const struct fhir_out *out,
                             struct spd_arena *arena, struct spd_err *err)
{
    struct read r = {o, out, arena, json_object(), json_object()};
    json_t *v = NULL;
    enum spd_rc rc = SPD_OK;
    if (!r.index || !r.studies) spd_out_of_memory();
    if (spd_sv_starts(t, SPD_SV("\xef\xbb\xbf"))) t.ptr += 3, t.len -= 3;
    t = spd_sv_trim(t);
    if (t.len && is_ndjson(t))
        rc = read_lines(&r, t, err);
    else
        rc = load(t, &v, err);
    if (!rc && v && is(v, "resourceType", "Bundle")) {
        read_bundle(&r, v);
    } else if (!rc && v && json_is_object(v) && json_object_get(v, "resourceType")) {
        index_resource(&r, v, NULL);
        read_resource(&r, v, NULL, SPD_SV("entry 1"));
    } else if (!rc && v) {
        rc = spd_fail(err, SPD_INVALID, "", "no FHIR resource: it has no resourceType");
    }
    json_decref(r.index);
    json_decref(r.studies);
    json_decref(v);
    return rc;
}
