/* src/dicom/service.c: one association's messages: collects commands and data sets, answers C-ECHO,
 * and hands the rest to the file of its service (service_store.c, service_find.c, service_n.c).
 * Nothing is decided here. */
#include "dicom/services.h"

#include "result/frame.h"

enum { IDLE_SECONDS = 120, HELLO_MS = 4000, OBJECT_MAX = 64 << 20 };

/* ---- messages
 * ------------------------------------------------------------------------------------ */
enum spd_pdv spd_service_stream(struct spd_service *s, bool command, int seconds,
                                unsigned char *context,
                                bool (*take)(void *ctx, const char *data, size_t len), void *ctx)
{
    for (size_t got = 0;;) {
        bool is_command, last;
        const char *data;
        size_t n;
        enum spd_pdv r = s->io->next(s->io->ctx, seconds, context, &is_command, &last, &data, &n);
        if (r) return r;
        if (is_command != command) return SPD_PDV_END; /* out of order: the peer is broken */
        got += n;
        if (got > OBJECT_MAX || !take(ctx, data, n)) return SPD_PDV_END;
        seconds = SPD_MESSAGE_SECONDS;
        if (last) return SPD_PDV_OK;
    }
}

struct collecting {
    struct spd_str *out;
    size_t max, got;
    bool *too_big;
};

static bool keep(void *ctx, const char *data, size_t len)
{
    struct collecting *c = ctx;
    c->got += len;
    if (c->got > c->max)
        *c->too_big = true;
    else
        spd_str_add(c->out, spd_sv_of(data, len));
    return true;
}

enum spd_pdv spd_service_collect(struct spd_service *s, bool command, int seconds, size_t max,
                                 struct spd_str *out, unsigned char *context, bool *too_big)
{
    struct collecting c = {out, max, 0, too_big};
    return spd_service_stream(s, command, seconds, context, keep, &c);
}

static unsigned us(const struct spd_dcm_set *set, uint32_t tag)
{
    const struct spd_dcm_elem *e = spd_dcm_find(set, tag);
    if (!e || e->value.len < 2) return 0;
    const unsigned char *p = (const unsigned char *)e->value.ptr;
    return (unsigned)(p[0] | p[1] << 8);
}

static spd_sv either(const struct spd_dcm_set *set, uint32_t affected, uint32_t requested)
{
    spd_sv v = spd_dcm_raw(set, affected);
    return v.len ? v : spd_dcm_raw(set, requested);
}

bool spd_service_parse_command(struct spd_service *s, spd_sv bytes, struct spd_command *c)
{
    struct spd_dcm d = {0};
    const struct spd_dcm_elem *tags;
    if (spd_dcm_parse_dataset(bytes, SPD_SV("1.2.840.10008.1.2"), &d, s->arena, NULL)) return false;
    c->field = us(&d.set, 0x00000100);
    c->id = us(&d.set, 0x00000110);
    if (c->field == 0x0FFF || c->field & 0x8000) c->id = us(&d.set, 0x00000120);
    c->data_set = us(&d.set, 0x00000800);
    c->status = us(&d.set, 0x00000900);
    c->comment = spd_dcm_raw(&d.set, 0x00000902);
    c->sop_class = either(&d.set, 0x00000002, 0x00000003);
    c->sop_uid = either(&d.set, 0x00001000, 0x00001001);
    c->type_id = us(&d.set, c->field == 0x0130 ? 0x00001008 : 0x00001002);
    tags = spd_dcm_find(&d.set, 0x00001005);
    c->tags = tags ? tags->value : SPD_SV_NONE;
    return c->field != 0;
}

/* ---- command sets
 * -------------------------------------------------------------------------------- */
static void le(struct spd_str *out, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        spd_str_addc(out, (char)(v >> (8 * i)));
}

void spd_command_us(struct spd_str *out, unsigned element, unsigned v)
{
    le(out, (uint64_t)element << 16, 4), le(out, 2, 4), le(out, v, 2);
}

static void padded(struct spd_str *out, unsigned element, spd_sv v, char pad)
{
    le(out, (uint64_t)element << 16, 4), le(out, v.len + (v.len & 1), 4);
    spd_str_add(out, v);
    if (v.len & 1) spd_str_addc(out, pad);
}

void spd_command_uid(struct spd_str *out, unsigned element, spd_sv uid)
{
    padded(out, element, uid, 0);
}

void spd_command_text(struct spd_str *out, unsigned element, spd_sv text)
{
    padded(out, element, text.len > 64 ? spd_sv_of(text.ptr, 64) : text, ' ');
}

void spd_command_finish(spd_sv body, struct spd_str *out)
{
    le(out, 0, 4), le(out, 4, 4), le(out, body.len, 4);
    spd_str_add(out, body);
}

bool spd_service_respond(struct spd_service *s, const struct spd_command *c,
                         const struct spd_response *r)
{
    struct spd_str body = SPD_STR_INIT(4096), all = SPD_STR_INIT(4096);
    spd_sv sop_uid = r->sop_uid.len ? r->sop_uid : c->sop_uid;
    spd_command_uid(&body, 0x0002, c->sop_class);
    spd_command_us(&body, 0x0100, c->field | 0x8000);
    spd_command_us(&body, 0x0120, c->id);
    spd_command_us(&body, 0x0800, r->data_follows ? 0x0001 : 0x0101);
    spd_command_us(&body, 0x0900, r->status);
    if (r->comment) spd_command_text(&body, 0x0902, spd_sv_from(r->comment));
    if (c->field != 0x0020 && c->field != 0x0030 && sop_uid.len)
        spd_command_uid(&body, 0x1000, sop_uid);
    if (c->field == 0x0100) spd_command_us(&body, 0x1002, c->type_id);
    if (c->field == 0x0130) spd_command_us(&body, 0x1008, c->type_id);
    spd_command_finish(spd_str_sv(&body), &all);
    bool ok = s->io->write(s->io->ctx, c->context, true, true, all.ptr, all.len);
    spd_str_done(&body), spd_str_done(&all);
    return ok;
}

bool spd_service_data(struct spd_service *s, unsigned char context, spd_sv data)
{
    for (size_t at = 0; at < data.len;) {
        size_t n = data.len - at > s->io->max_fragment ? s->io->max_fragment : data.len - at;
        if (!s->io->write(s->io->ctx, context, false, at + n == data.len, data.ptr + at, n))
            return false;
        at += n;
    }
    return true;
}

/* ---- the services
 * -------------------------------------------------------------------------------- */
static enum spd_pdv echo(struct spd_service *s, struct spd_command *c)
{
    struct spd_response ok = {.status = SPD_STATUS_OK};
    return spd_service_respond(s, c, &ok) ? SPD_PDV_OK : SPD_PDV_END;
}

static const struct {
    unsigned field;
    enum { NONE, SOME, ANY } data; /* must a data set follow? */
    enum spd_pdv (*serve)(struct spd_service *s, struct spd_command *c);
} services[] = {{0x0030, NONE, echo},
                {0x0001, SOME, spd_service_store},
                {0x0020, SOME, spd_service_find},
                {0x0100, ANY, spd_service_n},
                {0x0110, NONE, spd_service_n},
                {0x0120, SOME, spd_service_n},
                {0x0130, ANY, spd_service_n},
                {0x0140, ANY, spd_service_n},
                {0x0150, NONE, spd_service_n}};

static enum spd_pdv serve_one(struct spd_service *s)
{
    struct spd_str bytes = SPD_STR_INIT(SPD_COMMAND_MAX);
    struct spd_command c = {0};
    bool too_big = false, data;
    enum spd_pdv r =
        spd_service_collect(s, true, IDLE_SECONDS, SPD_COMMAND_MAX, &bytes, &c.context, &too_big);
    if (!r && (too_big || !spd_service_parse_command(s, spd_str_sv(&bytes), &c))) r = SPD_PDV_END;
    if (!r && c.field != 0x0FFF) { /* a late C-CANCEL needs no answer */
        size_t i = 0, n = sizeof services / sizeof *services;
        while (i < n && services[i].field != c.field)
            i++;
        data = c.data_set != 0x0101;
        if (i == n || (services[i].data != ANY && data != (services[i].data == SOME)))
            r = SPD_PDV_END; /* what was not offered, or a message that contradicts itself */
        else
            r = services[i].serve(s, &c);
    }
    spd_str_done(&bytes);
    return r;
}

bool spd_dicom_hello(int brain, const char *called, const char *calling, const char *peer,
                     const char *certificate)
{
    struct spd_arena *arena = spd_arena_new(4096);
    struct spd_str hello = SPD_STR_INIT(8192);
    char type = 0;
    spd_sv body = SPD_SV_NONE;
    spd_frame_put(&hello, spd_sv_from(called)), spd_frame_put(&hello, spd_sv_from(calling));
    spd_frame_put(&hello, spd_sv_from(peer)), spd_frame_put(&hello, spd_sv_from(certificate));
    bool may = arena && spd_str_ok(&hello) && !spd_frame_write1(brain, 'H', spd_str_sv(&hello)) &&
               !spd_frame_read(brain, &type, &body, HELLO_MS, arena) && type == 'h' &&
               body.len == 1 && body.ptr[0] == 1;
    spd_str_done(&hello);
    spd_arena_free(arena);
    return may;
}

enum spd_pdv spd_dicom_serve(const struct spd_pdv_io *io, int brain, bool reporting)
{
    struct spd_service s = {.io = io, .brain = brain, .reporting = reporting};
    enum spd_pdv r = SPD_PDV_OK;
    while (!r) {
        s.arena = spd_arena_new((size_t)200 << 20);
        if (!s.arena) return SPD_PDV_END;
        r = serve_one(&s);
        spd_arena_free(s.arena);
    }
    return r;
}
