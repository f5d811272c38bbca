/* src/dicom/service_store.c: C-STORE: the object's bytes, scanned and made a tree here, and what
 * the brain says of it. Of images, documents and segmentations only the header is kept, as it
 * streams by (result/dcm_cut.h). */
#include "dicom/services.h"
#include "result/dcm_cut.h"
#include "result/dcm_write.h"
#include "result/frame.h"
#include "result/sr_build.h"

static bool read_status(struct spd_service *s, unsigned *ret, const char **ret_comment)
{
    char type;
    spd_sv body;
    if (spd_frame_read(s->brain, &type, &body, SPD_BRAIN_MS, s->arena) || type != 's' ||
        body.len < 2)
        return false;
    *ret = (unsigned char)body.ptr[0] | (unsigned)(unsigned char)body.ptr[1] << 8;
    *ret_comment =
        body.len > 2 ? spd_arena_dup(s->arena, spd_sv_of(body.ptr + 2, body.len - 2)).ptr : NULL;
    return true;
}

/* SOP classes that come beside a result and may be large: their bulk is dropped on the way in. */
static bool has_bulk(spd_sv sop_class)
{
    static const char *const prefixes[] = {
        "1.2.840.10008.5.1.4.1.1.7",     /* Secondary Capture and kin */
        "1.2.840.10008.5.1.4.1.1.66.",   /* Segmentation, LabelMap … */
        "1.2.840.10008.5.1.4.1.1.30",    /* Parametric Map */
        "1.2.840.10008.5.1.4.1.1.104."}; /* Encapsulated PDF … */
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (spd_sv_starts(sop_class, spd_sv_from(prefixes[i]))) return true;
    return false;
}

struct taking {
    struct spd_dcm_cut cut;
    struct spd_str *data;
    bool whole, *too_big;
};

static bool take(void *ctx, const char *bytes, size_t len)
{
    struct taking *t = ctx;
    if (t->whole)
        spd_str_add(t->data, spd_sv_of(bytes, len));
    else
        spd_dcm_cut_feed(&t->cut, bytes, len);
    *t->too_big = !spd_str_ok(t->data);
    return true; /* the rest is read and dropped, so that the answer can be given */
}

/* The data set; *transfer becomes that of what was kept (compressed pixels are gone). */
static enum spd_pdv receive(struct spd_service *s, const struct spd_command *c,
                            const char **transfer, struct spd_str *data, unsigned char *context,
                            bool *too_big)
{
    struct taking t = {.data = data, .whole = !has_bulk(c->sop_class), .too_big = too_big};
    bool implicit = !strcmp(*transfer, "1.2.840.10008.1.2");
    spd_dcm_cut_begin(&t.cut, !implicit, data);
    enum spd_pdv r = spd_service_stream(s, false, SPD_MESSAGE_SECONDS, context, take, &t);
    if (t.whole) return r;
    spd_dcm_cut_end(&t.cut);
    *transfer = implicit ? "1.2.840.10008.1.2" : "1.2.840.10008.1.2.1";
    return r;
}

enum spd_pdv spd_service_store(struct spd_service *s, struct spd_command *c)
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
    unsigned status = SPD_STATUS_RESOURCES;
    enum spd_pdv r = SPD_PDV_END;
    if (s->io->context(s->io->ctx, context, &abstract, &transfer)) {
        abstract = spd_arena_dup(s->arena, spd_sv_from(abstract)).ptr;
        transfer = spd_arena_dup(s->arena, spd_sv_from(transfer)).ptr;
        r = receive(s, c, &transfer, &data, &context, &too_big);
    }
    if (r || context != c->context)
        r = r ? r : SPD_PDV_END;
    else if (too_big)
        status = SPD_STATUS_UNREADABLE, comment = "the object is larger than 4 MiB";
    else {
        /* what the request itself misnames is refused too, and kept and shown like the others */
        bool misnamed = !spd_dcm_is_uid(c->sop_uid) || !spd_dcm_is_uid(c->sop_class) ||
                        !spd_sv_is(c->sop_class, abstract);
        spd_sv why = SPD_SV_NONE;
        if (misnamed)
            why = SPD_SV("SOP Class or Instance UID of the request");
        else if (spd_dcm_parse_dataset(spd_str_sv(&data), spd_sv_from(transfer), &d, s->arena,
                                       &err))
            why = spd_arena_printf(s->arena, "%s: %s", err.place, err.text);
        else {
            spd_sr_doc_build(&d, &tree, s->arena);
            if (!spd_sv_eq(tree.sop_uid, c->sop_uid) || !spd_sv_eq(tree.sop_class, c->sop_class))
                why = SPD_SV("(0008,0018): the object is not the one that the request names");
            else
                spd_sr_doc_encode(&tree, &doc);
        }
        spd_dcm_file(c->sop_class, c->sop_uid, spd_sv_from(transfer), spd_str_sv(&data), &file);
        spd_frame_put(&body, c->sop_uid), spd_frame_put(&body, why);
        spd_frame_put(&body, spd_str_sv(&doc)), spd_frame_put(&body, spd_str_sv(&file));
        if (!spd_str_ok(&body) || !spd_str_ok(&doc) ||
            spd_frame_write1(s->brain, 'S', spd_str_sv(&body)) ||
            !read_status(s, &status, &comment)) {
            status = SPD_STATUS_RESOURCES, comment = "the brain does not answer";
            out_of_step = true; /* what it says later would be taken for the next object's answer */
        } else if (misnamed && status == SPD_STATUS_UNREADABLE)
            status = SPD_STATUS_MISMATCH;
    }
    struct spd_response answer = {.status = status, .comment = comment};
    if (!r && (!spd_service_respond(s, c, &answer) || out_of_step)) r = SPD_PDV_END;
    spd_str_done(&data), spd_str_done(&doc), spd_str_done(&file), spd_str_done(&body);
    return r;
}
