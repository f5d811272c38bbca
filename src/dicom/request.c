/* src/dicom/request.c: see request.h. */
#include "dicom/request.h"

#include "dicom/services.h"
#include "result/dcm_write.h"

enum { C_STORE = 0x0001, C_FIND = 0x0020, C_ECHO = 0x0030, C_CANCEL = 0x0FFF };

static bool is_explicit(const char *transfer)
{
    return !strcmp(transfer, "1.2.840.10008.1.2.1");
}

/* The context of a SOP class; one of that very transfer syntax first. NULL: refused. */
static const struct spd_request_context *context_for(const struct spd_requestor *q, spd_sv abstract,
                                                     spd_sv transfer)
{
    const struct spd_request_context *other = NULL;
    for (size_t i = 0; i < q->n_contexts; i++) {
        const struct spd_request_context *c = &q->contexts[i];
        if (!c->transfer[0] || !spd_sv_is(abstract, c->abstract)) continue;
        if (spd_sv_is(transfer, c->transfer)) return c;
        if (!other && (is_explicit(c->transfer) || !strcmp(c->transfer, "1.2.840.10008.1.2")))
            other = c;
    }
    return other;
}

/* ---- one request and its answer
 * ------------------------------------------------------------------ */
static bool send(struct spd_requestor *q, const struct spd_request_context *c, spd_sv body,
                 spd_sv data)
{
    struct spd_service s = {.io = q->io, .arena = q->arena};
    struct spd_str all = SPD_STR_INIT(SPD_COMMAND_MAX);
    spd_command_finish(body, &all);
    bool ok = spd_str_ok(&all) && q->io->write(q->io->ctx, c->id, true, true, all.ptr, all.len) &&
              (!data.len || spd_service_data(&s, c->id, data));
    spd_str_done(&all);
    return ok;
}

/* The next response; its data set, if one follows, into data. */
static enum spd_pdv receive(struct spd_requestor *q, struct spd_command *ret, struct spd_str *data)
{
    struct spd_service s = {.io = q->io, .arena = q->arena};
    struct spd_str bytes = SPD_STR_INIT(SPD_COMMAND_MAX);
    unsigned char context;
    bool too_big = false;
    enum spd_pdv r = spd_service_collect(&s, true, q->answer_seconds, SPD_COMMAND_MAX, &bytes,
                                         &ret->context, &too_big);
    spd_sv kept = spd_arena_dup(q->arena, spd_str_sv(&bytes)); /* the texts are views into it */
    spd_str_done(&bytes);
    if (!r && (too_big || !spd_service_parse_command(&s, kept, ret) || !(ret->field & 0x8000) ||
               ret->id != q->last_id))
        r = SPD_PDV_END;
    if (!r && ret->data_set != 0x0101)
        r = spd_service_collect(&s, false, q->answer_seconds, SPD_DCM_BYTES_MAX, data, &context,
                                &too_big);
    return r || !too_big ? r : SPD_PDV_END;
}

static void begin(struct spd_requestor *q, struct spd_str *body, unsigned field, unsigned class_at,
                  spd_sv sop_class)
{
    q->last_id = q->last_id % 0xFFFF + 1;
    spd_command_uid(body, class_at, sop_class);
    spd_command_us(body, 0x0100, field);
    spd_command_us(body, 0x0110, q->last_id);
}

/* The data set in the transfer syntax of the context. from: its own. */
static bool transcode(struct spd_requestor *q, const struct spd_request_context *c, spd_sv from,
                      spd_sv data, struct spd_str *out)
{
    struct spd_dcm d = {0};
    if (spd_sv_is(from, c->transfer)) {
        spd_str_add(out, data);
        return spd_str_ok(out);
    }
    if (spd_dcm_parse_dataset(data, from, &d, q->arena, NULL)) return false;
    spd_dcm_encode(&d.set, is_explicit(c->transfer), out);
    return spd_str_ok(out);
}

/* ---- the services
 * -------------------------------------------------------------------------------- */
enum spd_pdv spd_request_echo(struct spd_requestor *q, unsigned *ret_status)
{
    spd_sv verification = SPD_SV("1.2.840.10008.1.1");
    const struct spd_request_context *c = context_for(q, verification, SPD_SV_NONE);
    struct spd_str body = SPD_STR_INIT(1024), data = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
    struct spd_command answer = {0};
    enum spd_pdv r = SPD_PDV_OK;
    *ret_status = SPD_STATUS_NO_CONTEXT;
    if (c) {
        begin(q, &body, C_ECHO, 0x0002, verification);
        spd_command_us(&body, 0x0800, 0x0101);
        r = send(q, c, spd_str_sv(&body), SPD_SV_NONE) ? receive(q, &answer, &data) : SPD_PDV_END;
        *ret_status = answer.status;
    }
    spd_str_done(&body), spd_str_done(&data);
    return r;
}

enum spd_pdv spd_request_store(struct spd_requestor *q, spd_sv sop_class, spd_sv sop_uid,
                               spd_sv transfer, spd_sv data, unsigned *ret_status,
                               spd_sv *ret_comment)
{
    const struct spd_request_context *c = context_for(q, sop_class, transfer);
    struct spd_str body = SPD_STR_INIT(1024), out = SPD_STR_INIT(SPD_DCM_BYTES_MAX * 2),
                   none = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
    struct spd_command answer = {.status = SPD_STATUS_NO_CONTEXT};
    enum spd_pdv r = SPD_PDV_OK;
    if (c && transcode(q, c, transfer, data, &out)) {
        begin(q, &body, C_STORE, 0x0002, sop_class);
        spd_command_us(&body, 0x0700, 0), spd_command_us(&body, 0x0800, 1);
        spd_command_uid(&body, 0x1000, sop_uid);
        r = send(q, c, spd_str_sv(&body), spd_str_sv(&out)) ? receive(q, &answer, &none)
                                                            : SPD_PDV_END;
    }
    *ret_status = answer.status, *ret_comment = answer.comment;
    spd_str_done(&body), spd_str_done(&out), spd_str_done(&none);
    return r;
}

static bool cancel(struct spd_requestor *q, const struct spd_request_context *c)
{
    struct spd_str body = SPD_STR_INIT(256);
    spd_command_us(&body, 0x0100, C_CANCEL), spd_command_us(&body, 0x0120, q->last_id);
    spd_command_us(&body, 0x0800, 0x0101);
    bool ok = send(q, c, spd_str_sv(&body), SPD_SV_NONE);
    spd_str_done(&body);
    return ok;
}

/* One answer's data set as JSON to take(). */
static bool pass_on(struct spd_requestor *q, const struct spd_request_context *c, spd_sv data,
                    bool (*take)(void *ctx, spd_sv json), void *ctx)
{
    struct spd_str json = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
    struct spd_dcm d = {0};
    bool ok = !spd_dcm_parse_dataset(data, spd_sv_from(c->transfer), &d, q->arena, NULL);
    if (ok) spd_dcm_to_json(&d, &json, q->arena);
    ok = ok && spd_str_ok(&json) && take(ctx, spd_str_sv(&json));
    spd_str_done(&json);
    return ok;
}

static enum spd_pdv answers(struct spd_requestor *q, const struct spd_request_context *c,
                            size_t max, bool (*take)(void *ctx, spd_sv json), void *ctx,
                            struct spd_command *last, spd_sv *ret_comment)
{
    struct spd_arena *own = q->arena;
    for (size_t n = 0;; n++) {
        struct spd_str data = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
        enum spd_pdv r;
        bool pending;
        q->arena = spd_arena_new((size_t)64 << 20); /* one answer's; there may be many */
        if (!q->arena) spd_out_of_memory();
        r = receive(q, last, &data);
        pending = !r && (last->status == 0xFF00 || last->status == 0xFF01);
        if (pending &&
            (n < max ? !pass_on(q, c, spd_str_sv(&data), take, ctx) : n == max && !cancel(q, c)))
            r = SPD_PDV_END;
        if (!r && !pending) *ret_comment = spd_arena_dup(own, last->comment);
        spd_arena_free(q->arena);
        q->arena = own;
        spd_str_done(&data);
        if (r || !pending) return r;
    }
}

enum spd_pdv spd_request_find(struct spd_requestor *q, spd_sv abstract, spd_sv keys, size_t max,
                              bool (*take)(void *ctx, spd_sv json), void *ctx, unsigned *ret_status,
                              spd_sv *ret_comment)
{
    spd_sv from = SPD_SV("1.2.840.10008.1.2.1");
    const struct spd_request_context *c = context_for(q, abstract, from);
    struct spd_str body = SPD_STR_INIT(1024), out = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
    struct spd_command last = {.status = SPD_STATUS_NO_CONTEXT};
    enum spd_pdv r = SPD_PDV_OK;
    *ret_comment = SPD_SV_NONE;
    if (c && transcode(q, c, from, keys, &out)) {
        begin(q, &body, C_FIND, 0x0002, abstract);
        spd_command_us(&body, 0x0700, 0), spd_command_us(&body, 0x0800, 1);
        r = send(q, c, spd_str_sv(&body), spd_str_sv(&out))
                ? answers(q, c, max, take, ctx, &last, ret_comment)
                : SPD_PDV_END;
    }
    *ret_status = last.status;
    spd_str_done(&body), spd_str_done(&out);
    return r;
}

static void n_command(struct spd_requestor *q, const struct spd_n_request *r, struct spd_str *body)
{
    bool affected = r->field == SPD_N_CREATE || r->field == SPD_N_EVENT_REPORT;
    struct spd_str tags = SPD_STR_INIT(4 * SPD_N_TAGS_MAX);
    begin(q, body, r->field, affected ? 0x0002 : 0x0003, r->sop_class);
    spd_command_us(body, 0x0800, r->raw.len ? 1 : 0x0101);
    if (r->sop_uid.len) spd_command_uid(body, affected ? 0x1000 : 0x1001, r->sop_uid);
    if (r->field == SPD_N_EVENT_REPORT) spd_command_us(body, 0x1002, r->type_id);
    for (size_t i = 0; i < r->n_tags; i++) {
        const unsigned char le[4] = {(unsigned char)(r->tags[i] >> 16),
                                     (unsigned char)(r->tags[i] >> 24), (unsigned char)r->tags[i],
                                     (unsigned char)(r->tags[i] >> 8)};
        spd_str_add(&tags, spd_sv_of((const char *)le, 4));
    }
    if (tags.len) spd_command_uid(body, 0x1005, spd_str_sv(&tags)); /* even by itself */
    if (r->field == SPD_N_ACTION) spd_command_us(body, 0x1008, r->type_id);
    spd_str_done(&tags);
}

enum spd_pdv spd_request_n(struct spd_requestor *q, const struct spd_n_request *r,
                           struct spd_n_answer *ret)
{
    spd_sv from = SPD_SV("1.2.840.10008.1.2.1");
    const struct spd_request_context *c =
        context_for(q, r->abstract.len ? r->abstract : r->sop_class, from);
    struct spd_str body = SPD_STR_INIT(8192), out = SPD_STR_INIT(SPD_DCM_BYTES_MAX),
                   data = SPD_STR_INIT(SPD_DCM_BYTES_MAX), json = SPD_STR_INIT(SPD_DCM_BYTES_MAX);
    struct spd_command answer = {.status = SPD_STATUS_NO_CONTEXT};
    struct spd_dcm d = {0};
    enum spd_pdv rc = SPD_PDV_OK;
    *ret = (struct spd_n_answer){0};
    if (c && (!r->raw.len || transcode(q, c, from, r->raw, &out))) {
        n_command(q, r, &body);
        rc = send(q, c, spd_str_sv(&body), spd_str_sv(&out)) ? receive(q, &answer, &data)
                                                             : SPD_PDV_END;
        if (!rc && data.len &&
            !spd_dcm_parse_dataset(spd_str_sv(&data), spd_sv_from(c->transfer), &d, q->arena, NULL))
            spd_dcm_to_json(&d, &json, q->arena);
    }
    ret->status = answer.status, ret->comment = answer.comment, ret->sop_uid = answer.sop_uid;
    ret->has_data = json.len > 0, ret->data = spd_arena_dup(q->arena, spd_str_sv(&json));
    spd_str_done(&body), spd_str_done(&out), spd_str_done(&data), spd_str_done(&json);
    return rc;
}
