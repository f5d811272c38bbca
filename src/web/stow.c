/* src/web/stow.c: POST /dicom-web/studies[/{uid}] (STOW-RS, PS3.18 §10.5): every object goes the
 * way of POST /api/v1/instances; the answer says of each what became of it. Reports and what comes
 * beside them only: images are for the archive. */
#include <stdio.h>

#include "result/dcm.h"
#include "web/web_int.h"

enum { NOT_SUPPORTED = 0x0122, OTHER_STUDY = 0xA900, NOT_COMMITTED = 0xA700, UNREADABLE = 0xC000 };

struct stow {
    struct spd_web_req *r;
    struct spd_web_from from;
    struct spd_str taken, failed; /* items of the two sequences */
    size_t n_taken, n_failed, n_busy;
};

/* Reports, key objects, presentation states, and the companions whose header is kept. */
static bool is_ours(spd_sv sop_class)
{
    static const char *const prefixes[] = {
        "1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.11.", "1.2.840.10008.5.1.4.1.1.66.",
        "1.2.840.10008.5.1.4.1.1.7.", "1.2.840.10008.5.1.4.1.1.104."};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (spd_sv_starts(sop_class, spd_sv_from(prefixes[i]))) return true;
    return spd_sv_is(sop_class, "1.2.840.10008.5.1.4.1.1.7") ||
           spd_sv_is(sop_class, "1.2.840.10008.5.1.4.1.1.30");
}

/* A UID of the meta header, which multipart.c has walked before. */
static spd_sv meta(spd_sv file, unsigned number)
{
    for (size_t at = 132; at + 12 <= file.len && file.ptr[at] == 2 && file.ptr[at + 1] == 0;) {
        const unsigned char *p = (const unsigned char *)file.ptr + at;
        bool wide = p[4] == 'O' || (p[4] == 'U' && p[5] == 'N');
        size_t head = wide ? 12 : 8;
        size_t n = wide ? (size_t)p[8] | (size_t)p[9] << 8 | (size_t)p[10] << 16
                        : (size_t)p[6] | (size_t)p[7] << 8;
        if (at + head + n > file.len) break;
        if ((unsigned)(p[2] | p[3] << 8) == number) {
            spd_sv v = spd_sv_of(file.ptr + at + head, n);
            while (v.len && (!v.ptr[v.len - 1] || v.ptr[v.len - 1] == ' '))
                v.len--;
            return spd_dcm_is_uid(v) ? v : SPD_SV_NONE;
        }
        at += head + n;
    }
    return SPD_SV_NONE;
}

static void put_item(struct spd_str *out, size_t n, spd_sv sop_class, spd_sv sop_uid,
                     unsigned reason)
{
    spd_str_addf(out, "%s{\"00081150\":{\"vr\":\"UI\",\"Value\":[\"%.*s\"]},", n ? "," : "",
                 SPD_SV_ARG(sop_class));
    spd_str_addf(out, "\"00081155\":{\"vr\":\"UI\",\"Value\":[\"%.*s\"]}", SPD_SV_ARG(sop_uid));
    if (reason) spd_str_addf(out, ",\"00081197\":{\"vr\":\"US\",\"Value\":[%u]}", reason);
    spd_str_addc(out, '}');
}

/* 0: it was taken. */
static unsigned one(struct stow *s, spd_sv file, spd_sv sop_class)
{
    struct spd_web_host *h = &s->r->web->host;
    struct spd_web_instance i = {.rc = SPD_BUG};
    if (!file.len) return UNREADABLE;
    if (!is_ours(sop_class)) return NOT_SUPPORTED;
    h->instance(h->self, file, &s->from, &i);
    if (i.other_study) return OTHER_STUDY;
    if (i.rc) return s->n_busy++, NOT_COMMITTED;
    return i.outcome == SPD_TAKEN_REFUSED || i.unreadable ? UNREADABLE : 0;
}

static void answer(struct stow *s)
{
    struct spd_str *out = &s->r->out;
    spd_str_addc(out, '{');
    if (s->n_failed)
        spd_str_addf(out, "\"00081198\":{\"vr\":\"SQ\",\"Value\":[%.*s]}%s",
                     SPD_SV_ARG(spd_str_sv(&s->failed)), s->n_taken ? "," : "");
    if (s->n_taken)
        spd_str_addf(out, "\"00081199\":{\"vr\":\"SQ\",\"Value\":[%.*s]}",
                     SPD_SV_ARG(spd_str_sv(&s->taken)));
    spd_str_addc(out, '}');
    s->r->status = !s->n_failed ? 200 : s->n_taken ? 202 : s->n_busy == s->n_failed ? 503 : 409;
    s->r->type = "application/dicom+json";
}

void spd_web_h_stow(struct spd_web_req *r)
{
    struct stow s = {.r = r, .taken = SPD_STR_INIT(1 << 20), .failed = SPD_STR_INIT(1 << 20)};
    enum spd_rc rc = r->parts ? spd_multipart_end(r->parts) : SPD_INVALID;
    spd_sv kept = spd_str_sv(&r->body), file;
    s.from = (struct spd_web_from){
        .user = r->who.name, .address = r->address, .door = SPD_SV("STOW"), .study_uid = r->name};
    if (r->name.len && !spd_dcm_is_uid(r->name)) {
        spd_web_bad_value(r, "study");
    } else if (rc) {
        spd_web_problem(r, rc == SPD_LIMIT ? 413 : 400,
                        rc == SPD_LIMIT ? "too_large" : "bad_request", SPD_SV_NONE);
    } else if (!r->web->host.instance) {
        spd_web_problem(r, 503, "busy", SPD_SV_NONE);
    } else {
        while (spd_multipart_take(&kept, &file)) {
            spd_sv sop_class = meta(file, 0x0002), sop_uid = meta(file, 0x0003);
            unsigned reason = one(&s, file, sop_class);
            if (reason)
                put_item(&s.failed, s.n_failed++, sop_class, sop_uid, reason);
            else
                put_item(&s.taken, s.n_taken++, sop_class, sop_uid, 0);
        }
        answer(&s);
    }
    spd_str_done(&s.taken), spd_str_done(&s.failed);
}
