/* src/dicom/service_find.c: C-FIND: the identifier as keys to the brain, its answers to the peer,
 * C-CANCEL. */
#include "dicom/services.h"
#include "result/frame.h"
#include "result/keys.h"

static bool answer(struct spd_service *s, const struct spd_command *c, unsigned status,
                   const char *comment, bool data_follows)
{
    struct spd_response r = {.status = status, .comment = comment, .data_follows = data_follows};
    return spd_service_respond(s, c, &r);
}

struct asked {                         /* how the answers are to be written */
    const struct spd_single_byte *set; /* NULL: UTF-8 */
    spd_sv transfer;
};

/* Has the peer asked to stop (or gone)? Looks only at what is already there. */
static enum spd_pdv cancelled(struct spd_service *s, const struct spd_command *c, bool *ret)
{
    struct spd_str bytes = SPD_STR_INIT(SPD_COMMAND_MAX);
    unsigned char context;
    bool too_big = false;
    struct spd_command other = {0};
    enum spd_pdv r = spd_service_collect(s, true, 0, SPD_COMMAND_MAX, &bytes, &context, &too_big);
    if (!r && spd_service_parse_command(s, spd_str_sv(&bytes), &other) && other.field == 0x0FFF &&
        other.id == c->id)
        *ret = true;
    else if (!r)
        r = SPD_PDV_END; /* one operation at a time was negotiated */
    spd_str_done(&bytes);
    return r == SPD_PDV_NONE ? SPD_PDV_OK : r;
}

/* One answer of the brain, in the query's character set where that can hold it. */
static bool pass_on(struct spd_service *s, const struct spd_command *c, const struct asked *q,
                    spd_sv body, struct spd_arena *arena)
{
    struct spd_str own = SPD_STR_INIT(1 << 20);
    if (q->set && spd_single_byte_answer(q->set, body, q->transfer, &own, arena))
        body = spd_str_sv(&own);
    bool ok = answer(s, c, SPD_STATUS_PENDING, NULL, true) && spd_service_data(s, c->context, body);
    spd_str_done(&own);
    return ok;
}

static enum spd_pdv answers(struct spd_service *s, const struct spd_command *c,
                            const struct asked *q)
{
    bool stop = false;
    for (size_t n = 1;; n++) {
        char type;
        spd_sv body;
        struct spd_arena *one = spd_arena_new((size_t)2 * SPD_FRAME_MAX);
        enum spd_rc rc =
            one ? spd_frame_read(s->brain, &type, &body, SPD_BRAIN_MS, one) : SPD_NOMEM;
        enum spd_pdv r = SPD_PDV_OK;
        bool end = rc || type == 'f';
        if (rc || (type == 'f' && body.len < 2) || (type != 'a' && type != 'f'))
            answer(s, c, SPD_STATUS_RESOURCES, "the brain does not answer", false), r = SPD_PDV_END;
        else if (type == 'f') {
            unsigned status = (unsigned char)body.ptr[0] | (unsigned)(unsigned char)body.ptr[1]
                                                               << 8;
            if (!answer(s, c, stop ? SPD_STATUS_CANCEL : status, NULL, false)) r = SPD_PDV_END;
        } else if (!stop && !pass_on(s, c, q, body, one))
            r = SPD_PDV_END;
        spd_arena_free(one);
        if (r || end) return r;
        if (!stop && n % 16 == 0) {
            r = cancelled(s, c, &stop);
            if (r) return r;
            if (stop && spd_frame_write1(s->brain, 'X', SPD_SV_NONE)) return SPD_PDV_END;
        }
    }
}

enum spd_pdv spd_service_find(struct spd_service *s, struct spd_command *c)
{
    struct spd_str data = SPD_STR_INIT(SPD_DCM_BYTES_MAX), body = SPD_STR_INIT(SPD_FRAME_MAX);
    const char *abstract, *transfer;
    struct spd_find_query q = {0};
    struct spd_err err = {0};
    struct spd_dcm d = {0};
    bool too_big = false;
    unsigned char context = c->context;
    struct spd_single_byte set;
    struct asked asked = {NULL, SPD_SV_NONE};
    enum spd_pdv r =
        spd_service_collect(s, false, SPD_MESSAGE_SECONDS, 1 << 18, &data, &context, &too_big);
    if (!r && !s->io->context(s->io->ctx, context, &abstract, &transfer)) r = SPD_PDV_END;
    if (!r &&
        (too_big ||
         spd_dcm_parse_dataset(spd_str_sv(&data), spd_sv_from(transfer), &d, s->arena, &err) ||
         spd_find_keys_from_set(&d, &q, s->arena, &err)))
        r = answer(s, c, SPD_STATUS_MISMATCH,
                   too_big ? "the identifier is larger than 256 kB" : err.text, false)
                ? SPD_PDV_OK
                : SPD_PDV_END;
    else if (!r) {
        asked.transfer = spd_arena_dup(s->arena, spd_sv_from(transfer));
        if (spd_single_byte(d.charset, &set, s->arena)) asked.set = &set;
        q.reporting = s->reporting;
        spd_str_addc(&body, strcmp(transfer, "1.2.840.10008.1.2") ? 1 : 0);
        spd_frame_put(&body, spd_sv_from(abstract));
        spd_find_keys_encode(&q, &body);
        if (spd_frame_write1(s->brain, 'F', spd_str_sv(&body)))
            r = answer(s, c, SPD_STATUS_RESOURCES, "the brain does not answer", false)
                    ? SPD_PDV_OK
                    : SPD_PDV_END;
        else
            r = answers(s, c, &asked);
    }
    spd_str_done(&data), spd_str_done(&body);
    return r;
}
