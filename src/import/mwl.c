/* src/import/mwl.c: the scheduled steps of a modality worklist (DICOM PS3.4 K.6): worklist files,
 * answers to a C-FIND, DICOM JSON. A step says what is to be done, never that it was. */
#include "import/import.h"

#include <jansson.h>

#include "result/dcm_write.h"

enum { /* (gggg,eeee) */
       ACCESSION = 0x00080050,
       ISSUER_SQ = 0x00080051,
       PATIENT_NAME = 0x00100010,
       PATIENT_ID = 0x00100020,
       PATIENT_ISSUER = 0x00100021,
       BIRTH_DATE = 0x00100030,
       SEX = 0x00100040,
       STUDY_UID = 0x0020000D,
       REQUESTER = 0x00321032,
       PROCEDURE_TEXT = 0x00321060,
       PROCEDURE_SQ = 0x00321064,
       LOCATION = 0x00380300,
       STEP_SQ = 0x00400100,
       STEP_AE = 0x00400001,
       STEP_DATE = 0x00400002,
       STEP_TIME = 0x00400003,
       STEP_TEXT = 0x00400007,
       PROTOCOL_SQ = 0x00400008,
       STEP_ID = 0x00400009,
       STEP_STATUS = 0x00400020,
       ENTITY_LOCAL = 0x00400031,
       ENTITY_UNIVERSAL = 0x00400032,
       PROCEDURE_ID = 0x00401001,
       PRIORITY = 0x00401003,
       REASON = 0x00401002,
       PLACER = 0x00402016,
       FILLER = 0x00402017,
       CODE = 0x00080100,
       SCHEME = 0x00080102,
       MEANING = 0x00080104,
       MODALITY = 0x00080060
};

struct step {
    const struct spd_import_in *in;
    const struct spd_dcm *d;
    struct spd_order_in *o;
};

static spd_sv text(const struct step *s, const struct spd_dcm_set *set, uint32_t tag)
{
    return set ? spd_sv_trim(spd_dcm_text(s->d, set, tag, s->in->arena, NULL)) : SPD_SV_NONE;
}

/* "Jansen^Piet^^^" and whatever stands behind '=' in other scripts. */
static spd_sv name_of(const struct step *s, const struct spd_dcm_set *set, uint32_t tag)
{
    spd_sv v = text(s, set, tag), given;
    size_t at;
    if (spd_sv_find(v, SPD_SV("="), &at)) v.len = at;
    if (!spd_sv_find(v, SPD_SV("^"), &at)) return v;
    given = spd_sv_of(v.ptr + at + 1, v.len - at - 1), v.len = at;
    if (spd_sv_find(given, SPD_SV("^"), &at)) given.len = at;
    given = spd_sv_trim(given);
    return given.len
               ? spd_arena_printf(s->in->arena, "%.*s, %.*s", SPD_SV_ARG(v), SPD_SV_ARG(given))
               : v;
}

static spd_sv issuer_of(const struct step *s)
{
    const struct spd_dcm_set *q = spd_dcm_item(&s->d->set, ISSUER_SQ);
    spd_sv v = text(s, q, ENTITY_LOCAL);
    if (!v.len) v = text(s, q, ENTITY_UNIVERSAL);
    return v.len ? v : s->in->peer->accession_issuer;
}

static void number(const struct step *s, uint32_t tag, spd_sv authority, struct spd_cx *ret)
{
    spd_sv v = text(s, &s->d->set, tag);
    if (v.len) *ret = (struct spd_cx){v, authority};
}

static void procedure(const struct step *s)
{
    const struct spd_dcm_set *code = spd_dcm_item(&s->d->set, PROCEDURE_SQ);
    const struct spd_dcm_set *step = spd_dcm_item(&s->d->set, STEP_SQ);
    struct spd_code c = {text(s, code, CODE), text(s, code, SCHEME), text(s, code, MEANING)};
    struct hl7_procedure known;
    if (!c.text.len) c.text = text(s, &s->d->set, PROCEDURE_TEXT);
    if (!c.text.len) c.text = text(s, step, STEP_TEXT);
    if (!c.code.len) {
        const struct spd_dcm_set *protocol = step ? spd_dcm_item(step, PROTOCOL_SQ) : NULL;
        c.code = text(s, protocol, CODE), c.scheme = text(s, protocol, SCHEME);
    }
    if (c.code.len || c.text.len) *SPD_LIST_ADD(&s->o->procedures, s->in->arena) = c;
    if (c.code.len && s->in->peer->procedure &&
        s->in->peer->procedure(s->in->peer->procedure_ctx, c.code, &known)) {
        s->o->body_part = known.body_part, s->o->region = known.region;
        if (!s->o->modality.len) s->o->modality = known.modality;
    }
}

static const struct {
    const char *word;
    enum spd_priority priority;
} priorities[] = {{"STAT", SPD_PRIORITY_STAT},
                  {"HIGH", SPD_PRIORITY_URGENT},
                  {"ROUTINE", SPD_PRIORITY_ROUTINE},
                  {"MEDIUM", SPD_PRIORITY_ROUTINE},
                  {"LOW", SPD_PRIORITY_ROUTINE}};

static void when_and_what(const struct step *s)
{
    const struct spd_dcm_set *step = spd_dcm_item(&s->d->set, STEP_SQ);
    spd_sv day = text(s, step, STEP_DATE), hour = text(s, step, STEP_TIME),
           status = text(s, step, STEP_STATUS), wire = text(s, &s->d->set, PRIORITY);
    size_t dot;
    spd_usec t;
    if (spd_sv_find(hour, SPD_SV("."), &dot)) hour.len = dot;
    if (hour.len == 2) hour = spd_arena_printf(s->in->arena, "%.*s00", SPD_SV_ARG(hour));
    if (day.len == 8 &&
        spd_import_time(
            s->in, spd_arena_printf(s->in->arena, "%.*s%.*s", SPD_SV_ARG(day), SPD_SV_ARG(hour)),
            &t))
        s->o->scheduled = t;
    s->o->modality = text(s, step, MODALITY);
    s->o->station_ae = text(s, step, STEP_AE);
    s->o->step_id = text(s, step, STEP_ID);
    for (size_t i = 0; i < sizeof priorities / sizeof *priorities; i++)
        if (spd_sv_ieq(wire, spd_sv_from(priorities[i].word)))
            s->o->priority = (int32_t)priorities[i].priority, s->o->priority_wire = wire;
    s->o->exam_done = spd_sv_is(status, "COMPLETED");
}

bool spd_import_step(const struct spd_import_in *in, const struct spd_dcm *d,
                     struct spd_order_event *ret, const char **why)
{
    struct step s = {in, d, NULL};
    const struct spd_dcm_set *set = &d->set;
    spd_sv uid, id, authority, birth;
    *ret = (struct spd_order_event){0};
    if (!spd_dcm_find(set, STEP_SQ) && !spd_dcm_find(set, PROCEDURE_ID)) {
        *why = "no scheduled step in it: not a worklist entry";
        return false;
    }
    s.o = SPD_LIST_ADD(&ret->orders, in->arena);
    number(&s, ACCESSION, issuer_of(&s), &s.o->accession);
    number(&s, PLACER, in->peer->accession_issuer, &s.o->placer);
    number(&s, FILLER, in->peer->accession_issuer, &s.o->filler);
    uid = spd_dcm_raw(set, STUDY_UID);
    if (uid.len && !spd_dcm_is_uid(uid)) {
        *why = "(0020,000D) is not a UID";
        return false;
    }
    if (uid.len) *SPD_LIST_ADD(&s.o->study_uids, in->arena) = spd_arena_dup(in->arena, uid);
    id = text(&s, set, PATIENT_ID), authority = text(&s, set, PATIENT_ISSUER);
    if (id.len)
        *SPD_LIST_ADD(&ret->patient.ids, in->arena) =
            (struct spd_cx){id, authority.len ? authority : in->peer->patient_authority};
    ret->patient.name = name_of(&s, set, PATIENT_NAME);
    birth = text(&s, set, BIRTH_DATE);
    if (birth.len == 8) ret->patient.birth_date = birth;
    ret->patient.sex = text(&s, set, SEX);
    ret->location = text(&s, set, LOCATION);
    when_and_what(&s);
    procedure(&s);
    s.o->procedure_id = text(&s, set, PROCEDURE_ID);
    s.o->requester = name_of(&s, set, REQUESTER);
    s.o->clinical_info = text(&s, set, REASON);
    return true;
}

void spd_import_step_keys(struct spd_dcm_set *keys, struct spd_arena *arena)
{
    static const struct {
        uint32_t tag;
        const char *vr;
    } whole[] = {{ACCESSION, "SH"},      {PATIENT_NAME, "PN"}, {PATIENT_ID, "LO"},
                 {PATIENT_ISSUER, "LO"}, {BIRTH_DATE, "DA"},   {SEX, "CS"},
                 {STUDY_UID, "UI"},      {REQUESTER, "PN"},    {PROCEDURE_TEXT, "LO"},
                 {LOCATION, "LO"},       {PROCEDURE_ID, "SH"}, {PRIORITY, "SH"},
                 {REASON, "LO"},         {PLACER, "LO"},       {FILLER, "LO"}},
      step[] = {{MODALITY, "CS"},  {STEP_AE, "AE"}, {STEP_DATE, "DA"},  {STEP_TIME, "TM"},
                {STEP_TEXT, "LO"}, {STEP_ID, "SH"}, {STEP_STATUS, "CS"}};
    static const uint32_t codes[] = {CODE, SCHEME, MEANING};
    struct spd_dcm_set *item;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        spd_dcm_put(keys, whole[i].tag, whole[i].vr, SPD_SV_NONE, arena);
    item = spd_dcm_put_item(keys, PROCEDURE_SQ, arena);
    for (size_t i = 0; i < 3; i++)
        spd_dcm_put(item, codes[i], i < 2 ? "SH" : "LO", SPD_SV_NONE, arena);
    item = spd_dcm_put_item(keys, ISSUER_SQ, arena);
    spd_dcm_put(item, ENTITY_LOCAL, "UT", SPD_SV_NONE, arena);
    spd_dcm_put(item, ENTITY_UNIVERSAL, "UT", SPD_SV_NONE, arena);
    item = spd_dcm_put_item(keys, STEP_SQ, arena);
    for (size_t i = 0; i < sizeof step / sizeof *step; i++)
        spd_dcm_put(item, step[i].tag, step[i].vr, SPD_SV_NONE, arena);
}

static void take(const struct spd_import_in *in, spd_sv place, const struct spd_dcm *d)
{
    struct spd_order_event *e = SPD_NEW(in->arena, struct spd_order_event);
    const char *why = "";
    if (spd_import_step(in, d, e, &why))
        spd_import_order(in, place, e);
    else
        in->out->refused(in->out->self, place, spd_sv_from(why));
}

static void take_json(const struct spd_import_in *in, size_t n, const json_t *one)
{
    spd_sv place = spd_arena_printf(in->arena, "%.*s:%zu", SPD_SV_ARG(in->name), n);
    char *text_of = json_dumps(one, JSON_COMPACT);
    struct spd_dcm *d = SPD_NEW(in->arena, struct spd_dcm);
    struct spd_err err = {0};
    if (!text_of) spd_out_of_memory();
    if (spd_dcm_from_json(spd_arena_dup(in->arena, spd_sv_from(text_of)), d, in->arena, &err))
        in->out->refused(in->out->self, place, spd_arena_dup(in->arena, spd_sv_from(err.text)));
    else
        take(in, place, d);
    spd_free(text_of);
}

static enum spd_rc json_file(const struct spd_import_in *in, struct spd_err *err)
{
    json_error_t e;
    json_t *v = json_loadb(in->bytes.ptr, in->bytes.len, JSON_REJECT_DUPLICATES, &e);
    if (!v) return spd_fail(err, SPD_INVALID, "", "line %d column %d: not JSON", e.line, e.column);
    if (json_is_array(v))
        for (size_t i = 0; i < json_array_size(v); i++)
            take_json(in, i + 1, json_array_get(v, i));
    else
        take_json(in, 1, v);
    json_decref(v);
    return SPD_OK;
}

enum spd_rc spd_import_mwl(const struct spd_import_in *in, struct spd_err *err)
{
    spd_sv t = spd_sv_trim(in->bytes);
    struct spd_dcm *d = SPD_NEW(in->arena, struct spd_dcm);
    enum spd_rc rc;
    if (t.len && (t.ptr[0] == '{' || t.ptr[0] == '[')) return json_file(in, err);
    rc = spd_dcm_parse(in->bytes, d, in->arena, err);
    if (!rc) take(in, in->name, d);
    return rc;
}
