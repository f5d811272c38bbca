/* src/door/result_event.c: a decoded object as the event of the core. See door_dicom.h. Pure. */
#include "door/value.h"

/* The defaults of the sender belong to this event only: the ids are the document's, and copied. */
static void default_ids(struct spd_patient *p, struct spd_cx *accession,
                        const struct spd_door_peer *peer, struct spd_arena *arena)
{
    struct spd_cx *ids = p->ids.n ? SPD_NEW_N(arena, struct spd_cx, p->ids.n) : NULL;
    for (size_t i = 0; i < p->ids.n; i++) {
        ids[i] = p->ids.v[i];
        if (!ids[i].authority.len) ids[i].authority = peer->patient_authority;
    }
    p->ids.v = ids;
    if (accession->value.len && !accession->authority.len)
        accession->authority = peer->accession_issuer;
}

static void add_companion(struct spd_result_event *e, struct spd_companion *c,
                          const struct spd_door_peer *peer, spd_usec at, struct spd_arena *arena)
{
    c->peer = peer->name, c->content_at = at;
    default_ids(&c->patient, &c->accession, peer, arena);
    e->companions.v = c, e->companions.n = 1;
}

enum spd_read spd_door_result_event(const struct spd_sr_doc *doc, spd_sv raw,
                                    const struct spd_codes *codes, const struct spd_door_peer *peer,
                                    const struct spd_zone *zone, spd_sv type, spd_sv ae_title,
                                    struct spd_result_event *ret, struct spd_arena *arena)
{
    struct spd_reading *got = SPD_NEW(arena, struct spd_reading);
    spd_usec at = spd_door_when(doc->content_date, doc->content_time, doc->zone_offset,
                                peer->zone ? peer->zone : zone);
    *ret = (struct spd_result_event){0};
    enum spd_read read = spd_result_read(doc, codes, got, arena);
    if (read ==
        SPD_READ_TEXT) { /* an AI product's only if its sender is one, and no person wrote it */
        read = peer->known && doc->sop_uid.len && !got->by_person ? SPD_READ_RESULT
                                                                  : SPD_READ_NOT_A_RESULT;
        if (read == SPD_READ_NOT_A_RESULT) got->why = SPD_SV("a text report, not of an AI product");
    }
    ret->message = spd_door_envelope(raw, peer, type, ae_title, doc->sop_uid, arena);
    ret->known_peer = peer->known;
    ret->ae_title = ae_title;
    ret->not_a_result = read != SPD_READ_RESULT && read != SPD_READ_COMPANION;
    ret->why = got->why;
    for (size_t i = 0; i < got->n_results; i++) {
        struct spd_result *r = &got->results[i];
        r->peer = peer->name, r->content_at = at;
        default_ids(&r->patient, &r->accession, peer, arena);
    }
    if (got->n_results) ret->result = got->results[0];
    if (got->n_results > 1) ret->more.v = got->results + 1, ret->more.n = got->n_results - 1;
    if (read == SPD_READ_COMPANION) {
        add_companion(ret, &got->companion, peer, at, arena);
        if (doc->head && doc->head < raw.len) ret->message.raw.len = doc->head;
    }
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
