/* src/import/hl7.c: files of HL7 v2 messages, framed or not, single or in batches, by the peer's
 * own map. Orders, and reports that say that they are closed. What else there is (ADT,
 * appointments, AI results) belongs to the feed and is left to it. */
#include "import/import.h"

static void take(const struct spd_import_in *in, spd_sv place, struct spd_event *e)
{
    const struct spd_import_out *out = in->out;
    switch (e->type) {
    case SPD_EVENT_ORDER:
        e->u.order->import = e->u.order->message.import = 1;
        out->record(out->self, place, e);
        return;
    case SPD_EVENT_REPORT:
        e->u.report->message.import = 1;
        out->record(out->self, place, e);
        return;
    case SPD_EVENT_MESSAGE:
        if (e->u.message->park || e->u.message->message.answer != SPD_ANSWER_AA)
            out->refused(out->self, place,
                         e->u.message->why_en.len ? e->u.message->why_en : e->u.message->why);
        else
            out->skipped(out->self, place, SPD_SV("not for a radiology worklist"));
        return;
    default:
        out->skipped(out->self, place, SPD_SV("neither an order nor a report"));
    }
}

enum spd_rc spd_import_hl7(const struct spd_import_in *in, struct spd_err *err)
{
    struct hl7_map_options o = *in->peer;
    spd_sv rest = in->bytes, one;
    size_t n = 0;
    o.orders = o.adt = o.reports = true; /* the file is what the person says it is */
    o.results = false;
    o.msh_5 = o.msh_6 = o.msh_11 = SPD_SV_NONE;
    while (hl7_next_message(&rest, &one)) {
        struct spd_event e = {0};
        spd_sv place = spd_arena_printf(in->arena, "%.*s:%zu", SPD_SV_ARG(in->name), ++n);
        hl7_map_in(one, &o, &e, in->arena);
        take(in, place, &e);
    }
    return n ? SPD_OK : spd_fail(err, SPD_INVALID, "", "there is no HL7 message in it");
}
