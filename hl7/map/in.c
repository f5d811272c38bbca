/* hl7/map/in.c: raw bytes of one message to exactly one event (map.h): the envelope, who it is for,
 * and what becomes of a message that nobody can use (domain §10). */
#include <stdio.h>

#include "base/hash.h"
#include "hl7/map/read.h"

struct why {
    const char *key, *nl, *en, *alarm;
};
static const struct why not_for_us = {"not-for-us", "Niet voor deze lijst bedoeld.",
                                      "Not meant for this list.", ""};
static const struct why no_prior = {
    "merge", "Samenvoeging zonder het nummer dat vervalt, of zonder wat er verhuist.",
    "A merge without the number that ended, or without what moves.", "merge"};
static const struct why oru_results = {
    "oru-results",
    "Geen veldenkaart (results:) zegt hoe de resultaten van deze zender te lezen zijn.",
    "No field map (results:) says how this sender's results are to be read.", "unusable-message"};
static const struct why not_in_map = {
    "oru-results", "Geen regel onder results: van de veldenkaart is voor dit bericht.",
    "No entry under results: of the field map is for this message.", "unusable-message"};
static const struct why mixed = {
    "oru-results", "Het bericht bevat AI-resultaten en iets anders; een mens moet kijken.",
    "The message holds AI results and something else; a person must look.", "unusable-message"};
static const struct why more = {
    "unusable", "Het bericht bevat meer dan één patiënt, of meer aanvragen dan gelezen worden.",
    "The message holds more than one patient, or more orders than are read.", "unusable-message"};
static const struct why no_order = {"unusable", "Het bericht bevat geen aanvraag.",
                                    "The message holds no order.", "unusable-message"};
static const struct why no_patient = {"unusable", "Het bericht noemt geen patiënt (PID).",
                                      "The message names no patient (PID).", "unusable-message"};
static const struct why no_identifier = {
    "unusable", "Het bericht noemt geen onderzoek- of patiëntnummer.",
    "The message names no accession, filler, placer or patient number.", "unusable-message"};
static const struct why no_type = {"unusable", "MSH-9 is leeg.", "MSH-9 is empty.",
                                   "unusable-message"};

/* ---- the envelope -------------------------------------------------------------------------- */
/* SHA-256 of the bytes without the content of MSH-7: a resend differs in nothing else. */
static spd_sv hash_of(spd_sv bytes, const struct hl7_msg *header, struct spd_arena *arena)
{
    struct hl7_value at = header ? hl7_field(header, &header->segs[0], 7) : (struct hl7_value){0};
    if (!at.raw.len) return spd_sha256_hex(arena, bytes);
    size_t before = (size_t)(at.raw.ptr - bytes.ptr), after = before + at.raw.len;
    const spd_sv around[] = {spd_sv_of(bytes.ptr, before),
                             spd_sv_of(bytes.ptr + after, bytes.len - after)};
    unsigned char h[32];
    spd_sha256_of(around, 2, h); /* in its two parts: a frame may be 16 MiB, no copy of it */
    return spd_hex(arena, h, sizeof h);
}

static spd_sv joined(struct spd_arena *arena, spd_sv a, char by, spd_sv b)
{
    return b.len ? spd_arena_printf(arena, "%.*s%c%.*s", SPD_SV_ARG(a), by, SPD_SV_ARG(b)) : a;
}

static void fill_envelope(const struct hl7_read *r, struct spd_message_in *ret)
{
    const struct hl7_seg *msh = &r->m->segs[0];
    ret->type = joined(r->arena, hl7_text_of(r, msh, 9, 1), '^', hl7_text_of(r, msh, 9, 2));
    ret->sender = spd_arena_printf(r->arena, "%.*s|%.*s", SPD_SV_ARG(hl7_text_of(r, msh, 3, 1)),
                                   SPD_SV_ARG(hl7_text_of(r, msh, 4, 1)));
    ret->control_id = hl7_text(r, hl7_field(r->m, msh, 10));
    ret->charset = spd_sv_from(r->set);
}

/* ---- messages without effect --------------------------------------------------------------- */
static void message_event(struct spd_event *ret, const struct spd_message_in *in,
                          const struct why *w, struct spd_arena *arena)
{
    struct spd_message_event *e = SPD_NEW(arena, struct spd_message_event);
    e->message = *in;
    e->why = spd_sv_from(w->key), e->why_nl = spd_sv_from(w->nl), e->why_en = spd_sv_from(w->en);
    e->alarm = spd_sv_from(w->alarm);
    *ret = (struct spd_event){.type = SPD_EVENT_MESSAGE, .u.message = e};
}

static void ignore(struct spd_event *ret, struct spd_message_in *in, struct spd_arena *arena)
{
    in->answer = SPD_ANSWER_AA;
    message_event(ret, in, &not_for_us, arena);
    ret->u.message->silent = 1;
}

static void park(const struct hl7_read *r, struct spd_event *ret, struct spd_message_in *in,
                 const struct why *w, enum spd_answer answer)
{
    size_t pid = hl7_seg_find(r->m, "PID", 0);
    in->answer = (int32_t)answer;
    in->reason = spd_sv_from(w->en);
    message_event(ret, in, w, r->arena);
    ret->u.message->park = 1;
    if (pid < r->m->n_segs) hl7_read_patient(r, &r->m->segs[pid], &ret->u.message->patient);
}

static void refuse(struct spd_event *ret, struct spd_message_in *in, const struct spd_err *err,
                   struct spd_arena *arena)
{
    static const struct why w = {"unreadable", "", "", "unusable-message"};
    in->answer = SPD_ANSWER_AR;
    in->reason = spd_arena_printf(arena, "%s: %s", err->place, err->text);
    message_event(ret, in, &w, arena);
    ret->u.message->why_en = in->reason;
    ret->u.message->why_nl = spd_arena_printf(arena, "Onleesbaar: %s: %s", err->place, err->text);
}

/* ---- who it is for ------------------------------------------------------------------------- */
static void no_event(const struct hl7_read *r, enum hl7_no no, struct spd_event *ret,
                     struct spd_message_in *in)
{
    static const struct why *const parked[] = {[HL7_NO_IDENTIFIER] = &no_identifier,
                                               [HL7_NO_PATIENT] = &no_patient,
                                               [HL7_NO_ORDER] = &no_order,
                                               [HL7_NO_PRIOR] = &no_prior,
                                               [HL7_NO_MORE] = &more};
    enum spd_answer answer = r->o->on_unusable ? r->o->on_unusable : SPD_ANSWER_AA;
    if (no == HL7_NO_NOT_FOR_US)
        ignore(ret, in, r->arena);
    else
        park(r, ret, in, parked[no], answer);
}

static void take_order(struct hl7_read *r, struct spd_event *ret, struct spd_message_in *in)
{
    struct spd_order_event *e = SPD_NEW(r->arena, struct spd_order_event);
    enum hl7_no no = r->o->orders ? hl7_read_order(r, e) : HL7_NO_NOT_FOR_US;
    if (no) return no_event(r, no, ret, in);
    e->message = *in;
    *ret = (struct spd_event){.type = SPD_EVENT_ORDER, .u.order = e};
}

static void take_report(struct hl7_read *r, struct spd_event *ret, struct spd_message_in *in)
{
    struct spd_report_event *e = SPD_NEW(r->arena, struct spd_report_event);
    enum hl7_no no = r->o->reports ? hl7_read_report(r, e) : HL7_NO_NOT_FOR_US;
    if (no) return no_event(r, no, ret, in);
    e->message = *in;
    *ret = (struct spd_event){.type = SPD_EVENT_REPORT, .u.report = e};
}

/* From a sender of results. Whatever the map does not place is for a person, never silence. */
static void take_results(struct hl7_read *r, struct spd_event *ret, struct spd_message_in *in)
{
    struct spd_result_event *e = SPD_NEW(r->arena, struct spd_result_event);
    if (!hl7_site_has_results(r->o->map))
        return r->o->reports ? take_report(r, ret, in)
                             : park(r, ret, in, &oru_results, SPD_ANSWER_AA);
    enum hl7_no no = hl7_read_results(r, e);
    if (no == HL7_NO_NOT_FOR_US)
        return r->o->reports ? take_report(r, ret, in)
                             : park(r, ret, in, &not_in_map, SPD_ANSWER_AA);
    if (no == HL7_NO_MIXED) return park(r, ret, in, &mixed, SPD_ANSWER_AA);
    if (no) return no_event(r, no, ret, in);
    e->message = *in;
    *ret = (struct spd_event){.type = SPD_EVENT_RESULT, .u.result = e};
}

static void take_adt(struct hl7_read *r, spd_sv trigger, struct spd_event *ret,
                     struct spd_message_in *in)
{
    struct spd_patient_event *e = SPD_NEW(r->arena, struct spd_patient_event);
    if (!r->o->adt) return ignore(ret, in, r->arena);
    enum hl7_no no = hl7_read_adt(r, trigger, e);
    if (no) return no_event(r, no, ret, in);
    e->message = *in;
    *ret = (struct spd_event){.type = SPD_EVENT_PATIENT, .u.patient = e};
}

static void take_siu(struct hl7_read *r, spd_sv trigger, struct spd_event *ret,
                     struct spd_message_in *in)
{
    struct spd_appointment_event *e = SPD_NEW(r->arena, struct spd_appointment_event);
    enum hl7_no no = r->o->orders ? hl7_read_siu(r, trigger, e) : HL7_NO_NOT_FOR_US;
    if (no) return no_event(r, no, ret, in);
    e->message = *in;
    *ret = (struct spd_event){.type = SPD_EVENT_APPOINTMENT, .u.appointment = e};
}

static void take_mdm(struct hl7_read *r, spd_sv trigger, struct spd_event *ret,
                     struct spd_message_in *in)
{
    struct spd_report_event *e = SPD_NEW(r->arena, struct spd_report_event);
    enum hl7_no no = r->o->reports ? hl7_read_mdm(r, trigger, e) : HL7_NO_NOT_FOR_US;
    if (no) return no_event(r, no, ret, in);
    e->message = *in;
    *ret = (struct spd_event){.type = SPD_EVENT_REPORT, .u.report = e};
}

/* MSH-5, 6 and 11 where the peer's entry says so. */
static bool is_addressed(const struct hl7_read *r, struct spd_err *err)
{
    const struct {
        unsigned field;
        spd_sv want;
    } checks[] = {{5, r->o->msh_5}, {6, r->o->msh_6}, {11, r->o->msh_11}};
    for (size_t i = 0; i < 3; i++) {
        char place[48];
        if (!checks[i].want.len ||
            spd_sv_eq(hl7_text_of(r, &r->m->segs[0], checks[i].field, 1), checks[i].want))
            continue;
        snprintf(place, sizeof place, "segment 1, field %u", checks[i].field);
        spd_fail(err, SPD_INVALID, place, "not the value that this receiver expects");
        return false;
    }
    return true;
}

/* The application's own answer to a message of ours, on a connection of its own (enhanced mode): ACK,
 * ORR, ORI, ORA …, whatever has an MSA. It changes no order. */
static bool take_answer(const struct hl7_read *r, struct spd_event *ret, struct spd_message_in *in)
{
    size_t at = hl7_seg_find(r->m, "MSA", 0);
    const struct hl7_seg *msa = at < r->m->n_segs && at <= 3 ? &r->m->segs[at] : NULL;
    int code;
    if (!msa) return false;
    ignore(ret, in, r->arena);
    code = spd_enum_from(spd_answer_names, hl7_text_of(r, msa, 1, 1));
    if (code <= 0) return true;
    ret->u.message->ack = code;
    ret->u.message->acks = hl7_text_of(r, msa, 2, 1);
    return true;
}

static void dispatch(struct hl7_read *r, struct spd_event *ret, struct spd_message_in *in)
{
    const struct hl7_seg *msh = &r->m->segs[0];
    spd_sv type = hl7_text_of(r, msh, 9, 1), trigger = hl7_text_of(r, msh, 9, 2);
    if (!type.len)
        return park(r, ret, in, &no_type, r->o->on_unusable ? r->o->on_unusable : SPD_ANSWER_AA);
    if (take_answer(r, ret, in)) return;
    if (spd_sv_is(type, "ORM") || spd_sv_is(type, "OMI") || spd_sv_is(type, "OMG"))
        return take_order(r, ret, in);
    if (spd_sv_is(type, "ORU") && (spd_sv_is(trigger, "R01") || !trigger.len))
        return r->o->results ? take_results(r, ret, in) : take_report(r, ret, in);
    if (spd_sv_is(type, "ADT")) return take_adt(r, trigger, ret, in);
    if (spd_sv_is(type, "SIU")) return take_siu(r, trigger, ret, in);
    if (spd_sv_is(type, "MDM")) return take_mdm(r, trigger, ret, in);
    ignore(ret, in, r->arena);
}

/* "byte 12" of the decoder to the segment and field it lies in. */
static void locate(struct hl7_msg *m, spd_sv bytes, struct spd_arena *arena, struct spd_err *err)
{
    int64_t byte;
    if (strncmp(err->place, "byte ", 5) != 0 || !spd_sv_to_i64(spd_sv_from(err->place + 5), &byte))
        return;
    if (hl7_msg_parse(m, bytes, arena, NULL) == SPD_OK)
        hl7_msg_place(m, (size_t)byte - 1, err->place, sizeof err->place);
}

void hl7_map_in(spd_sv bytes, const struct hl7_map_options *o, struct spd_event *ret,
                struct spd_arena *arena)
{
    struct hl7_msg m, header;
    struct spd_err err = {0};
    struct hl7_read r = {&m, o, arena, "ASCII", true, false};
    struct spd_message_in in = {.peer = o->peer, .raw = bytes, .answer = SPD_ANSWER_AA, .again = o->again};
    spd_sv text = bytes;
    bool has_header = hl7_msg_header(&header, bytes, &err) == SPD_OK;
    in.hash = hash_of(bytes, has_header ? &header : NULL, arena);
    enum spd_rc rc = has_header ? hl7_charset_of(bytes, o->charset, &r.set, &err) : err.rc;
    if (rc == SPD_OK) rc = hl7_charset_decode(r.set, bytes, &text, arena, &err);
    if (rc != SPD_OK && has_header) locate(&m, bytes, arena, &err);
    if (rc == SPD_OK && (rc = hl7_msg_parse(&m, text, arena, &err)) != SPD_OK &&
        text.ptr != bytes.ptr)
        hl7_msg_parse(&m, bytes, arena, &err); /* the place in the bytes as they came */
    if (has_header && rc != SPD_OK) { /* who sent it is known all the same; values in ASCII only */
        r.m = &header, r.decoded = false, r.set = "ASCII";
        fill_envelope(&r, &in);
    }
    if (rc != SPD_OK) return refuse(ret, &in, &err, arena);
    fill_envelope(&r, &in);
    if (!is_addressed(&r, &err)) return refuse(ret, &in, &err, arena);
    dispatch(&r, ret, &in);
}
