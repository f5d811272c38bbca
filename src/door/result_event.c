/* src/door/result_event.c: a decoded object as the event of the core. See door_dicom.h. Pure. */
#include "door/value.h"

enum spd_read spd_door_result_event(const struct spd_sr_doc *doc, spd_sv raw,
                                    const struct spd_codes *codes, const struct spd_door_peer *peer,
                                    const struct spd_zone *zone, spd_sv type, spd_sv ae_title,
                                    struct spd_result_event *ret, struct spd_arena *arena)
{
    spd_sv why;
    *ret = (struct spd_result_event){0};
    enum spd_read read = spd_result_read_sr(doc, codes, &ret->result, &why, arena);
    struct spd_result *r = &ret->result;
    ret->message = spd_door_envelope(raw, peer, type, ae_title, doc->sop_uid, arena);
    ret->known_peer = peer->known;
    ret->ae_title = ae_title;
    ret->not_a_result = read != SPD_READ_RESULT;
    ret->why = why;
    r->peer = peer->name;
    r->content_at = spd_door_when(doc->content_date, doc->content_time, doc->zone_offset,
                                  peer->zone ? peer->zone : zone);
    if (r->accession.value.len && !r->accession.authority.len)
        r->accession.authority = peer->accession_issuer;
    /* the ids are the document's; the defaults belong to this event only */
    struct spd_cx *ids =
        r->patient.ids.n ? SPD_NEW_N(arena, struct spd_cx, r->patient.ids.n) : NULL;
    for (size_t i = 0; i < r->patient.ids.n; i++) {
        ids[i] = r->patient.ids.v[i];
        if (!ids[i].authority.len) ids[i].authority = peer->patient_authority;
    }
    r->patient.ids.v = ids;
    return read;
}

void spd_door_unreadable_event(spd_sv raw, spd_sv why, const struct spd_door_peer *peer,
                               spd_sv type, spd_sv ae_title, spd_sv control_id,
                               struct spd_message_event *ret, struct spd_arena *arena)
{
    *ret = (struct spd_message_event){
        .park = 1, .why = SPD_SV("unusable"), .alarm = SPD_SV("dicom-unreadable")};
    ret->message = spd_door_envelope(raw, peer, type, ae_title, control_id, arena);
    ret->message.reason = why;
    ret->why_en =
        spd_arena_printf(arena, "a DICOM object could not be read: %.*s", SPD_SV_ARG(why));
    ret->why_nl =
        spd_arena_printf(arena, "een DICOM-object is niet te lezen: %.*s", SPD_SV_ARG(why));
}
