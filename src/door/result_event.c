/* src/door/result_event.c: a decoded object as the event of the core. See door_dicom.h. Pure. */
#include "base/hash.h"
#include "door/door_dicom.h"

static bool digits(spd_sv v, size_t at, size_t n, int *ret)
{
    *ret = 0;
    if (at + n > v.len) return false;
    for (size_t i = at; i < at + n; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9') return false;
        *ret = *ret * 10 + (v.ptr[i] - '0');
    }
    return true;
}

/* Content date and time: by the object's own offset, else in the sender's zone. 0: not said. */
static spd_usec content_at(const struct spd_sr_doc *d, const struct spd_zone *zone)
{
    int y, mon, day, h = 0, min = 0, s = 0, oh, om;
    spd_sv z = d->zone_offset;
    if (!digits(d->content_date, 0, 4, &y) || !digits(d->content_date, 4, 2, &mon) ||
        !digits(d->content_date, 6, 2, &day) || !spd_civil_valid(y, mon, day))
        return 0;
    if (!digits(d->content_time, 0, 2, &h)) h = 0;
    if (!digits(d->content_time, 2, 2, &min)) min = 0;
    if (!digits(d->content_time, 4, 2, &s)) s = 0;
    if (h > 23 || min > 59 || s > 60) return 0;
    if (z.len == 5 && (z.ptr[0] == '+' || z.ptr[0] == '-') && digits(z, 1, 2, &oh) &&
        digits(z, 3, 2, &om)) {
        spd_usec off = SPD_HOUR(oh) + SPD_MIN(om);
        return spd_zone_to_utc(spd_zone_utc(), y, mon, day, h, min, s, 0) -
               (z.ptr[0] == '-' ? -off : off);
    }
    return spd_zone_to_utc(zone ? zone : spd_zone_utc(), y, mon, day, h, min, s, 0);
}

static struct spd_message_in envelope(spd_sv raw, const struct spd_door_peer *peer, spd_sv type,
                                      spd_sv ae_title, spd_sv control_id, struct spd_arena *arena)
{
    struct spd_message_in m = {
        .peer = peer->name, .type = type, .sender = ae_title, .control_id = control_id, .raw = raw};
    m.hash = spd_sha256_hex(arena, raw);
    if (!m.control_id.len) m.control_id = m.hash;
    return m;
}

enum spd_read spd_door_result_event(const struct spd_sr_doc *doc, spd_sv raw,
                                    const struct spd_codes *codes, const struct spd_door_peer *peer,
                                    const struct spd_zone *zone, spd_sv type, spd_sv ae_title,
                                    struct spd_result_event *ret, struct spd_arena *arena)
{
    spd_sv why;
    *ret = (struct spd_result_event){0};
    enum spd_read read = spd_result_read_sr(doc, codes, &ret->result, &why, arena);
    struct spd_result *r = &ret->result;
    ret->message = envelope(raw, peer, type, ae_title, doc->sop_uid, arena);
    ret->known_peer = peer->known;
    ret->ae_title = ae_title;
    ret->not_a_result = read != SPD_READ_RESULT;
    ret->why = why;
    r->peer = peer->name;
    r->content_at = content_at(doc, peer->zone ? peer->zone : zone);
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
    ret->message = envelope(raw, peer, type, ae_title, control_id, arena);
    ret->message.reason = why;
    ret->why_en =
        spd_arena_printf(arena, "a DICOM object could not be read: %.*s", SPD_SV_ARG(why));
    ret->why_nl =
        spd_arena_printf(arena, "een DICOM-object is niet te lezen: %.*s", SPD_SV_ARG(why));
}
