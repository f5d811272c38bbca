/* src/core/result_out.c: results go on to the archive as they came (domain §12): one row for each
 * destination that wants them. Not here: how they travel (channel/dicom.c).
 *
 * Only what a listed product sent us itself: what a hook handed over stands in its PACS already,
 * and what came from the peer behind a destination does not go back to it. A parked result goes
 * too: an archive keeps what it is sent, and shows it under the patient that it names. */
#include "core/internal.h"

/* By a hook that speaks for the sender: the object came out of that archive. */
static bool from_hook(const struct spd_result_event *e)
{
    return spd_sv_is(e->message.type, "HTTP") && e->ae_title.len;
}

enum spd_rc spd_result_out(struct spd_tx *tx, const struct spd_result_event *e)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    if (!tx->message || !e->known_peer || e->not_a_result || tx->import || from_hook(e) ||
        !e->result.sop_uid.len)
        return SPD_OK;
    for (size_t i = 0; i < s->destinations.n; i++) {
        const struct spd_destination *d = &s->destinations.v[i];
        struct spd_outbox row = {0};
        if (!d->result || spd_sv_is(d->mode, "off") || spd_sv_eq(d->peer, e->message.peer))
            continue;
        row.destination = d->name, row.kind = SPD_OUTBOX_RESULT, row.to = d->to, row.due = tx->now;
        row.group_key = spd_arena_printf(tx->a, "%.*s|result|%.*s", SPD_SV_ARG(d->name),
                                         SPD_SV_ARG(e->result.sop_uid));
        row.payload = spd_arena_printf(tx->a, "%lld %.*s %.*s", (long long)tx->message,
                                       SPD_SV_ARG(e->result.sop_class),
                                       SPD_SV_ARG(e->result.sop_uid)); /* whose bytes go */
        TRY(spd_outbox_add(tx, &row));
    }
    return SPD_OK;
}
