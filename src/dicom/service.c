/* src/dicom/service.c: C-ECHO, C-STORE and C-FIND for one association: collects a message's bytes,
 * scans them (result/dcm.h), hands them to the brain and passes on its answer. Nothing is decided
 * here. */
#define _GNU_SOURCE
#include "dicom/service.h"

#include <poll.h>
#include <stdio.h>

#include "result/frame.h"
#include "result/keys.h"
#include "result/sr_build.h"

enum { IDLE_SECONDS = 120, MESSAGE_SECONDS = 30, BRAIN_MS = 60000, COMMAND_MAX = 16384 };
enum {
    STATUS_OK = 0,
    STATUS_RESOURCES = 0xA700,
    STATUS_MISMATCH = 0xA900,
    STATUS_UNREADABLE = 0xC000,
    STATUS_PENDING = 0xFF00,
    STATUS_CANCEL = 0xFE00
};

struct command {
    unsigned field, id, data_set, status;
    spd_sv sop_class, sop_uid;
    unsigned char context;
};
struct service {
    const struct spd_pdv_io *io;
    int brain;
    bool reporting;
    struct spd_arena *arena; /* of one message */
    const char *called, *calling, *peer;
};

/* ---- messages
 * ------------------------------------------------------------------------------------ */
/* Collects one command or data set. Beyond max the rest is read and dropped and *too_big is set. */
static enum spd_pdv collect(struct service *s, bool command, int seconds, size_t max,
                            struct spd_str *out, unsigned char *context, bool *too_big)
{
    for (size_t got = 0;;) {
        bool is_command, last;
        const char *data;
        size_t n;
        unsigned char c;
        enum spd_pdv r = s->io->next(s->io->ctx, seconds, &c, &is_command, &last, &data, &n);
        if (r) return r;
        if (is_command != command) return SPD_PDV_END; /* out of order: the peer is broken */
        got += n;
        if (got > max)
            *too_big = true;
        else
            spd_str_add(out, spd_sv_of(data, n));
        if (got > (size_t)64 << 20) return SPD_PDV_END;
        *context = c;
        seconds = MESSAGE_SECONDS;
        if (last) return SPD_PDV_OK;
    }
}

static unsigned us(const struct spd_dcm_set *set, uint32_t tag)
{
    const struct spd_dcm_elem *e = spd_dcm_find(set, tag);
    if (!e || e->value.len < 2) return 0;
    const unsigned char *p = (const unsigned char *)e->value.ptr;
    return (unsigned)(p[0] | p[1] << 8);
}

static bool parse_command(struct service *s, spd_sv bytes, struct command *c)
{
    struct spd_dcm d = {0};
    if (spd_dcm_parse_dataset(bytes, SPD_SV("1.2.840.10008.1.2"), &d, s->arena, NULL)) return false;
    c->field = us(&d.set, 0x00000100);
    c->id = us(&d.set, 0x00000110);
    if (c->field == 0x0FFF) c->id = us(&d.set, 0x00000120);
    c->data_set = us(&d.set, 0x00000800);
    c->sop_class = spd_dcm_raw(&d.set, 0x00000002);
    c->sop_uid = spd_dcm_raw(&d.set, 0x00001000);
    return c->field != 0;
}

static void put_le(struct spd_str *out, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        spd_str_addc(out, (char)(v >> (8 * i)));
}
static void put_us(struct spd_str *out, unsigned element, unsigned v)
{
    put_le(out, (uint64_t)element << 16, 4), put_le(out, 2, 4), put_le(out, v, 2);
}
static void put_uid(struct spd_str *out, uint32_t tag, spd_sv uid)
{
    put_le(out, tag >> 16, 2), put_le(out, tag & 0xFFFF, 2);
    put_le(out, uid.len + (uid.len & 1), 4);
    spd_str_add(out, uid);
    if (uid.len & 1) spd_str_addc(out, 0);
}

static bool respond(struct service *s, const struct command *c, unsigned status,
                    const char *comment, bool data_follows)
{
    struct spd_str body = SPD_STR_INIT(4096), all = SPD_STR_INIT(4096);
    put_uid(&body, 0x00000002, c->sop_class);
    put_us(&body, 0x0100, c->field | 0x8000);
    put_us(&body, 0x0120, c->id);
    put_us(&body, 0x0800, data_follows ? 0x0001 : 0x0101);
    put_us(&body, 0x0900, status);
    if (comment) {
        spd_sv text = spd_sv_of(comment, strlen(comment) > 64 ? 64 : strlen(comment));
        put_le(&body, (uint64_t)0x0902 << 16, 4), put_le(&body, text.len + (text.len & 1), 4);
        spd_str_add(&body, text);
        if (text.len & 1) spd_str_addc(&body, ' ');
    }
    if (c->field == 0x0001) put_uid(&body, 0x00001000, c->sop_uid);
    put_le(&all, 0, 4), put_le(&all, 4, 4), put_le(&all, body.len, 4);
    spd_str_add(&all, spd_str_sv(&body));
    bool ok = s->io->write(s->io->ctx, c->context, true, true, all.ptr, all.len);
    spd_str_done(&body), spd_str_done(&all);
    return ok;
}

static bool send_data(struct service *s, unsigned char context, spd_sv data)
{
    for (size_t at = 0; at < data.len;) {
        size_t n = data.len - at > s->io->max_fragment ? s->io->max_fragment : data.len - at;
        if (!s->io->write(s->io->ctx, context, false, at + n == data.len, data.ptr + at, n))
            return false;
        at += n;
    }
    return true;
}

/* ---- C-STORE
 * --------------------------------------------------------------------------------------- */
/* The data set as a file, so that what is kept can be read again by anything. */
static void file_of(const struct command *c, const char *transfer, spd_sv data, struct spd_str *out)
{
    struct spd_str meta = SPD_STR_INIT(1024);
    const struct {
        uint32_t element;
        spd_sv value;
    } uids[] = {{0x0002, c->sop_class},
                {0x0003, c->sop_uid},
                {0x0010, spd_sv_from(transfer)},
                {0x0012, SPD_SV("2.25.269434812038467013518374950312876145203")}};
    put_le(&meta, 0x00010002, 4), spd_str_addz(&meta, "OB"), put_le(&meta, 0, 2),
        put_le(&meta, 2, 4), put_le(&meta, 0x0100, 2);
    for (size_t i = 0; i < sizeof uids / sizeof *uids; i++) {
        size_t pad = uids[i].value.len & 1;
        put_le(&meta, 2, 2), put_le(&meta, uids[i].element, 2), spd_str_addz(&meta, "UI");
        put_le(&meta, uids[i].value.len + pad, 2);
        spd_str_add(&meta, uids[i].value);
        if (pad) spd_str_addc(&meta, 0);
    }
    for (int i = 0; i < 128; i++)
        spd_str_addc(out, 0);
    spd_str_addz(out, "DICM");
    put_le(out, 2, 4), spd_str_addz(out, "UL"), put_le(out, 4, 2), put_le(out, meta.len, 4);
    spd_str_add(out, spd_str_sv(&meta));
    spd_str_add(out, data);
    spd_str_done(&meta);
}

static bool read_status(struct service *s, unsigned *ret, const char **ret_comment)
{
    char type;
    spd_sv body;
    if (spd_frame_read(s->brain, &type, &body, BRAIN_MS, s->arena) || type != 's' || body.len < 2)
        return false;
    *ret = (unsigned char)body.ptr[0] | (unsigned)(unsigned char)body.ptr[1] << 8;
    *ret_comment =
        body.len > 2 ? spd_arena_dup(s->arena, spd_sv_of(body.ptr + 2, body.len - 2)).ptr : NULL;
    return true;
}

static enum spd_pdv store(struct service *s, struct command *c)
{
    struct spd_str data = SPD_STR_INIT(SPD_DCM_BYTES_MAX), doc = SPD_STR_INIT(SPD_FRAME_MAX / 2),
                   file = SPD_STR_INIT(SPD_FRAME_MAX / 3);
    struct spd_str body = SPD_STR_INIT(SPD_FRAME_MAX);
    const char *abstract, *transfer, *comment = NULL;
    struct spd_err err = {0};
    struct spd_dcm d = {0};
    struct spd_sr_doc tree;
    bool too_big = false, out_of_step = false;
    unsigned char context = c->context;
    unsigned status = STATUS_RESOURCES;
    enum spd_pdv r =
        collect(s, false, MESSAGE_SECONDS, SPD_DCM_BYTES_MAX, &data, &context, &too_big);
    if (r || context != c->context || !s->io->context(s->io->ctx, context, &abstract, &transfer))
        r = r ? r : SPD_PDV_END;
    else if (too_big)
        status = STATUS_UNREADABLE, comment = "the object is larger than 4 MiB";
    else if (!spd_dcm_is_uid(c->sop_uid) || !spd_dcm_is_uid(c->sop_class) ||
             !spd_sv_is(c->sop_class, abstract))
        status = STATUS_MISMATCH, comment = "SOP Class or Instance UID of the request";
    else {
        spd_sv why = SPD_SV_NONE;
        if (spd_dcm_parse_dataset(spd_str_sv(&data), spd_sv_from(transfer), &d, s->arena, &err))
            why = spd_arena_printf(s->arena, "%s: %s", err.place, err.text);
        else {
            spd_sr_doc_build(&d, &tree, s->arena);
            if (!spd_sv_eq(tree.sop_uid, c->sop_uid) || !spd_sv_eq(tree.sop_class, c->sop_class))
                why = SPD_SV("(0008,0018): the object is not the one that the request names");
            else
                spd_sr_doc_encode(&tree, &doc);
        }
        file_of(c, transfer, spd_str_sv(&data), &file);
        spd_frame_put(&body, c->sop_uid), spd_frame_put(&body, why);
        spd_frame_put(&body, spd_str_sv(&doc)), spd_frame_put(&body, spd_str_sv(&file));
        if (!spd_str_ok(&body) || !spd_str_ok(&doc) ||
            spd_frame_write1(s->brain, 'S', spd_str_sv(&body)) ||
            !read_status(s, &status, &comment)) {
            status = STATUS_RESOURCES, comment = "the brain does not answer";
            out_of_step = true; /* what it says later would be taken for the next object's answer */
        }
    }
    if (!r && (!respond(s, c, status, comment, false) || out_of_step)) r = SPD_PDV_END;
    spd_str_done(&data), spd_str_done(&doc), spd_str_done(&file), spd_str_done(&body);
    return r;
}

/* ---- C-FIND
 * --------------------------------------------------------------------------------------------- */
/* Has the peer asked to stop (or gone)? Looks only at what is already there. */
static enum spd_pdv cancelled(struct service *s, const struct command *c, bool *ret)
{
    struct spd_str bytes = SPD_STR_INIT(COMMAND_MAX);
    unsigned char context;
    bool too_big = false;
    struct command other = {0};
    enum spd_pdv r = collect(s, true, 0, COMMAND_MAX, &bytes, &context, &too_big);
    if (!r && parse_command(s, spd_str_sv(&bytes), &other) && other.field == 0x0FFF &&
        other.id == c->id)
        *ret = true;
    else if (!r)
        r = SPD_PDV_END; /* one operation at a time was negotiated */
    spd_str_done(&bytes);
    return r == SPD_PDV_NONE ? SPD_PDV_OK : r;
}

static enum spd_pdv answers(struct service *s, const struct command *c)
{
    bool stop = false;
    for (size_t n = 1;; n++) {
        char type;
        spd_sv body;
        struct spd_arena *one = spd_arena_new(SPD_FRAME_MAX);
        enum spd_rc rc = one ? spd_frame_read(s->brain, &type, &body, BRAIN_MS, one) : SPD_NOMEM;
        enum spd_pdv r = SPD_PDV_OK;
        bool end = rc || type == 'f';
        if (rc || (type == 'f' && body.len < 2) || (type != 'a' && type != 'f'))
            respond(s, c, STATUS_RESOURCES, "the brain does not answer", false), r = SPD_PDV_END;
        else if (type == 'f') {
            unsigned status = (unsigned char)body.ptr[0] | (unsigned)(unsigned char)body.ptr[1]
                                                               << 8;
            if (!respond(s, c, stop ? STATUS_CANCEL : status, NULL, false)) r = SPD_PDV_END;
        } else if (!stop &&
                   (!respond(s, c, STATUS_PENDING, NULL, true) || !send_data(s, c->context, body)))
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

static enum spd_pdv find(struct service *s, struct command *c)
{
    struct spd_str data = SPD_STR_INIT(SPD_DCM_BYTES_MAX), body = SPD_STR_INIT(SPD_FRAME_MAX);
    const char *abstract, *transfer;
    struct spd_find_query q = {0};
    struct spd_err err = {0};
    struct spd_dcm d = {0};
    bool too_big = false;
    unsigned char context = c->context;
    enum spd_pdv r = collect(s, false, MESSAGE_SECONDS, 1 << 18, &data, &context, &too_big);
    if (!r && !s->io->context(s->io->ctx, context, &abstract, &transfer)) r = SPD_PDV_END;
    if (!r &&
        (too_big ||
         spd_dcm_parse_dataset(spd_str_sv(&data), spd_sv_from(transfer), &d, s->arena, &err) ||
         spd_find_keys_from_set(&d, &q, s->arena, &err)))
        r = respond(s, c, STATUS_MISMATCH,
                    too_big ? "the identifier is larger than 256 kB" : err.text, false)
                ? SPD_PDV_OK
                : SPD_PDV_END;
    else if (!r) {
        q.reporting = s->reporting;
        spd_str_addc(&body, strcmp(transfer, "1.2.840.10008.1.2") ? 1 : 0);
        spd_find_keys_encode(&q, &body);
        if (spd_frame_write1(s->brain, 'F', spd_str_sv(&body)))
            r = respond(s, c, STATUS_RESOURCES, "the brain does not answer", false) ? SPD_PDV_OK
                                                                                    : SPD_PDV_END;
        else
            r = answers(s, c);
    }
    spd_str_done(&data), spd_str_done(&body);
    return r;
}

static enum spd_pdv serve_one(struct service *s)
{
    struct spd_str bytes = SPD_STR_INIT(COMMAND_MAX);
    struct command c = {0};
    bool too_big = false;
    enum spd_pdv r = collect(s, true, IDLE_SECONDS, COMMAND_MAX, &bytes, &c.context, &too_big);
    if (!r && (too_big || !parse_command(s, spd_str_sv(&bytes), &c))) r = SPD_PDV_END;
    if (!r && c.field == 0x0030)
        r = respond(s, &c, STATUS_OK, NULL, false) ? SPD_PDV_OK : SPD_PDV_END;
    else if (!r && c.field == 0x0001 && c.data_set != 0x0101)
        r = store(s, &c);
    else if (!r && c.field == 0x0020 && c.data_set != 0x0101)
        r = find(s, &c);
    else if (!r && c.field != 0x0FFF)
        r = SPD_PDV_END; /* a late C-CANCEL needs no answer; others were not offered */
    spd_str_done(&bytes);
    return r;
}

enum spd_pdv spd_dicom_serve(const struct spd_pdv_io *io, int brain, bool reporting,
                             const char *called, const char *calling, const char *peer)
{
    struct service s = {.io = io,
                        .brain = brain,
                        .reporting = reporting,
                        .called = called,
                        .calling = calling,
                        .peer = peer};
    struct spd_str hello = SPD_STR_INIT(1024);
    spd_frame_put(&hello, spd_sv_from(called)), spd_frame_put(&hello, spd_sv_from(calling));
    spd_frame_put(&hello, spd_sv_from(peer));
    enum spd_pdv r = spd_frame_write1(brain, 'H', spd_str_sv(&hello)) ? SPD_PDV_END : SPD_PDV_OK;
    spd_str_done(&hello);
    while (!r) {
        s.arena = spd_arena_new((size_t)200 << 20);
        if (!s.arena) return SPD_PDV_END;
        r = serve_one(&s);
        spd_arena_free(s.arena);
    }
    return r;
}
