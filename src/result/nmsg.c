/* src/result/nmsg.c: see nmsg.h. */
#include "result/nmsg.h"

#include "result/frame.h"

static void u16(struct spd_str *out, unsigned v)
{
    spd_str_addc(out, (char)v), spd_str_addc(out, (char)(v >> 8));
}

static bool take_u16(spd_sv *b, unsigned *ret)
{
    if (b->len < 2) return false;
    *ret = (unsigned char)b->ptr[0] | (unsigned)(unsigned char)b->ptr[1] << 8;
    b->ptr += 2, b->len -= 2;
    return true;
}

void spd_n_request_encode(const struct spd_n_request *r, struct spd_str *out)
{
    u16(out, r->field), u16(out, r->type_id), u16(out, r->has_data), u16(out, (unsigned)r->n_tags);
    for (size_t i = 0; i < r->n_tags; i++)
        u16(out, r->tags[i] >> 16), u16(out, r->tags[i] & 0xFFFF);
    spd_frame_put(out, r->abstract), spd_frame_put(out, r->sop_class);
    spd_frame_put(out, r->sop_uid), spd_frame_put(out, r->json), spd_frame_put(out, r->raw);
}

enum spd_rc spd_n_request_decode(spd_sv b, struct spd_n_request *ret, struct spd_arena *arena,
                                 struct spd_err *err)
{
    unsigned has_data = 0, n = 0;
    *ret = (struct spd_n_request){0};
    if (!take_u16(&b, &ret->field) || !take_u16(&b, &ret->type_id) || !take_u16(&b, &has_data) ||
        !take_u16(&b, &n) || n > SPD_N_TAGS_MAX || b.len < 4u * n)
        return spd_fail(err, SPD_PROTO, "request", "the request is damaged");
    ret->has_data = has_data != 0, ret->n_tags = n;
    ret->tags = n ? SPD_NEW_N(arena, uint32_t, n) : NULL;
    for (size_t i = 0; i < n; i++) {
        unsigned group = 0, element = 0;
        take_u16(&b, &group), take_u16(&b, &element);
        ret->tags[i] = group << 16 | element;
    }
    if (!spd_frame_take(&b, &ret->abstract) || !spd_frame_take(&b, &ret->sop_class) ||
        !spd_frame_take(&b, &ret->sop_uid) || !spd_frame_take(&b, &ret->json) ||
        !spd_frame_take(&b, &ret->raw))
        return spd_fail(err, SPD_PROTO, "request", "the request is damaged");
    return ret->json.len ? spd_dcm_from_json(ret->json, &ret->data, arena, err) : SPD_OK;
}

void spd_n_answer_encode(const struct spd_n_answer *a, struct spd_str *out)
{
    u16(out, a->status), u16(out, a->has_data);
    spd_frame_put(out, a->comment), spd_frame_put(out, a->sop_uid), spd_frame_put(out, a->data);
}

enum spd_rc spd_n_answer_decode(spd_sv b, struct spd_n_answer *ret)
{
    unsigned has_data = 0;
    *ret = (struct spd_n_answer){0};
    if (!take_u16(&b, &ret->status) || !take_u16(&b, &has_data) ||
        !spd_frame_take(&b, &ret->comment) || !spd_frame_take(&b, &ret->sop_uid) ||
        !spd_frame_take(&b, &ret->data))
        return SPD_PROTO;
    ret->has_data = has_data != 0;
    return SPD_OK;
}

const char *spd_n_field_name(unsigned field)
{
    switch (field) {
    case SPD_N_EVENT_REPORT:
        return "N-EVENT-REPORT";
    case SPD_N_GET:
        return "N-GET";
    case SPD_N_SET:
        return "N-SET";
    case SPD_N_ACTION:
        return "N-ACTION";
    case SPD_N_CREATE:
        return "N-CREATE";
    case SPD_N_DELETE:
        return "N-DELETE";
    default:
        return "N-?";
    }
}
