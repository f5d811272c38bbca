/* src/dicom/service_n.c: N-CREATE, N-SET, N-GET, N-ACTION, N-EVENT-REPORT and N-DELETE: the data
 * set is read here, goes to the brain as DICOM JSON, and the brain's answer comes back as explicit
 * VR, whatever the peer speaks. */
#include "dicom/services.h"
#include "result/dcm_write.h"
#include "result/frame.h"
#include "result/nmsg.h"

#define EXPLICIT SPD_SV("1.2.840.10008.1.2.1")

static bool refuse(struct spd_service *s, const struct spd_command *c, unsigned status,
                   const char *comment)
{
    struct spd_response r = {.status = status, .comment = comment};
    return spd_service_respond(s, c, &r);
}

/* The data set of the request as JSON and as a file. Returns 0, or the status that refuses it. */
static unsigned read_data(struct spd_service *s, spd_sv bytes, const char *transfer,
                          struct spd_n_request *q, struct spd_str *json, struct spd_str *raw,
                          const char **ret_comment)
{
    struct spd_dcm d = {0};
    struct spd_err err = {0};
    if (spd_dcm_parse_dataset(bytes, spd_sv_from(transfer), &d, s->arena, &err)) {
        *ret_comment =
            spd_arena_printf(s->arena, "%s: %s", err.place, err.text).ptr; /* holds no value */
        return SPD_N_PROCESSING;
    }
    spd_dcm_to_json(&d, json, s->arena);
    spd_dcm_file(q->sop_class, q->sop_uid, spd_sv_from(transfer), bytes, raw);
    if (!spd_str_ok(json) || !spd_str_ok(raw)) {
        *ret_comment = "the data set is too large";
        return SPD_N_RESOURCES;
    }
    q->json = spd_str_sv(json), q->raw = spd_str_sv(raw);
    return 0;
}

static bool put_tags(struct spd_service *s, spd_sv list, struct spd_n_request *q)
{
    const unsigned char *p = (const unsigned char *)list.ptr;
    if (list.len % 4 || list.len / 4 > SPD_N_TAGS_MAX) return false;
    q->n_tags = list.len / 4;
    q->tags = q->n_tags ? SPD_NEW_N(s->arena, uint32_t, q->n_tags) : NULL;
    for (size_t i = 0; i < q->n_tags; i++, p += 4)
        q->tags[i] = (uint32_t)p[1] << 24 | (uint32_t)p[0] << 16 | (uint32_t)p[3] << 8 | p[2];
    return true;
}

/* The brain's data set in the transfer syntax of the presentation context. */
static bool transcode(struct spd_service *s, spd_sv data, const char *transfer, struct spd_str *out)
{
    struct spd_dcm d = {0};
    if (!strcmp(transfer, "1.2.840.10008.1.2.1")) {
        spd_str_add(out, data);
        return spd_str_ok(out);
    }
    if (spd_dcm_parse_dataset(data, EXPLICIT, &d, s->arena, NULL)) return false;
    spd_dcm_encode(&d.set, false, out);
    return spd_str_ok(out);
}

static bool pass_on(struct spd_service *s, const struct spd_command *c, const char *transfer,
                    const struct spd_n_answer *a)
{
    struct spd_str data = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
    struct spd_response r = {.status = a->status, .sop_uid = a->sop_uid};
    bool ok = !a->data.len || transcode(s, a->data, transfer, &data);
    if (a->comment.len) r.comment = spd_arena_dup(s->arena, a->comment).ptr;
    if (!ok) r.status = SPD_N_PROCESSING, r.comment = "the answer cannot be written";
    r.data_follows = ok && data.len > 0;
    ok = spd_service_respond(s, c, &r) &&
         (!r.data_follows || spd_service_data(s, c->context, spd_str_sv(&data)));
    spd_str_done(&data);
    return ok;
}

static enum spd_pdv ask(struct spd_service *s, const struct spd_command *c, const char *transfer,
                        const struct spd_n_request *q)
{
    struct spd_str frame = SPD_STR_INIT(SPD_FRAME_MAX / 2);
    struct spd_n_answer a;
    char type;
    spd_sv body;
    spd_n_request_encode(q, &frame);
    bool ok = spd_str_ok(&frame) && !spd_frame_write1(s->brain, 'N', spd_str_sv(&frame)) &&
              !spd_frame_read(s->brain, &type, &body, SPD_BRAIN_MS, s->arena) && type == 'n' &&
              !spd_n_answer_decode(body, &a);
    spd_str_done(&frame);
    if (!ok) { /* what it says later would be taken for the next one's answer */
        refuse(s, c, SPD_N_PROCESSING, "the brain does not answer");
        return SPD_PDV_END;
    }
    return pass_on(s, c, transfer, &a) ? SPD_PDV_OK : SPD_PDV_END;
}

enum spd_pdv spd_service_n(struct spd_service *s, struct spd_command *c)
{
    struct spd_str data = SPD_STR_INIT(SPD_N_BYTES_MAX), json = SPD_STR_INIT(SPD_DCM_BYTES_MAX),
                   raw = SPD_STR_INIT(SPD_N_BYTES_MAX + 4096);
    struct spd_n_request q = {.field = c->field,
                              .type_id = c->type_id,
                              .sop_class = c->sop_class,
                              .sop_uid = c->sop_uid,
                              .has_data = c->data_set != 0x0101};
    const char *abstract = "", *transfer = "", *comment = NULL;
    unsigned char context = c->context;
    unsigned status = 0;
    bool too_big = false;
    enum spd_pdv r = SPD_PDV_OK;
    if (q.has_data)
        r = spd_service_collect(s, false, SPD_MESSAGE_SECONDS, SPD_N_BYTES_MAX, &data, &context,
                                &too_big);
    if (!r && (context != c->context || !s->io->context(s->io->ctx, context, &abstract, &transfer)))
        r = SPD_PDV_END;
    if (!r) {
        q.abstract = spd_arena_dup(s->arena, spd_sv_from(abstract));
        transfer = spd_arena_dup(s->arena, spd_sv_from(transfer)).ptr;
        if (too_big)
            status = SPD_N_RESOURCES, comment = "the data set is larger than 1 MiB";
        else if (!spd_dcm_is_uid(c->sop_class) || (c->sop_uid.len && !spd_dcm_is_uid(c->sop_uid)) ||
                 (!c->sop_uid.len && c->field != SPD_N_CREATE))
            status = SPD_N_INVALID_ARGUMENT, comment = "SOP Class or Instance UID of the request";
        else if (!put_tags(s, c->tags, &q))
            status = SPD_N_INVALID_ARGUMENT, comment = "attribute identifier list";
        else if (data.len)
            status = read_data(s, spd_str_sv(&data), transfer, &q, &json, &raw, &comment);
        if (status)
            r = refuse(s, c, status, comment) ? SPD_PDV_OK : SPD_PDV_END;
        else
            r = ask(s, c, transfer, &q);
    }
    spd_str_done(&data), spd_str_done(&json), spd_str_done(&raw);
    return r;
}
