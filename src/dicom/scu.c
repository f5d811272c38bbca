/* src/dicom/scu.c: one association that the brain asks for: frames in (frame.h, "scu"), requests
 * out, answers back.
 *
 * The name of the peer is looked up and the TLS files are read first; then the sandbox closes, with
 * sockets allowed (one connection), and only then are bytes of the peer read. Ends with the brain's
 * socket, at 'Q', or when the association breaks (frame 'e'). */
#define _GNU_SOURCE
#include "dicom/scu.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/request.h"
#include "dicom/sandbox.h"
#include "dicom/tls.h"
#include "result/frame.h"

enum { BRAIN = 0 };

static void say(char type, unsigned status, spd_sv text)
{
    char bytes[2] = {(char)status, (char)(status >> 8)};
    spd_sv parts[] = {spd_sv_of(bytes, 2), text};
    spd_frame_write(BRAIN, type, parts, 2);
}

static bool take_text(spd_sv *body, char *ret, size_t size)
{
    spd_sv v;
    if (!spd_frame_take(body, &v) || v.len >= size || (v.len && memchr(v.ptr, 0, v.len)))
        return false;
    snprintf(ret, size, "%.*s", SPD_SV_ARG(v));
    return true;
}

static bool take_number(spd_sv *body, int max, int *ret)
{
    char text[16];
    int64_t n;
    if (!take_text(body, text, sizeof text) || !spd_sv_to_i64(spd_sv_from(text), &n) || n < 0 ||
        n > max)
        return false;
    *ret = (int)n;
    return true;
}

/* IPv4 only: that is what DCMTK connects to. */
static bool look_up(char *host, size_t size)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *a;
    if (getaddrinfo(host, NULL, &hints, &a)) return false;
    const struct sockaddr_in *in = (const void *)a->ai_addr;
    bool ok = inet_ntop(AF_INET, &in->sin_addr, host, (socklen_t)size) != NULL;
    freeaddrinfo(a);
    return ok;
}

static bool take_proposals(spd_sv body, struct spd_scu_job *job)
{
    while (body.len) {
        struct spd_scu_proposal *p = &job->proposals[job->n_proposals];
        spd_sv transfers;
        if (job->n_proposals == SPD_REQUEST_CONTEXTS ||
            !take_text(&body, p->abstract, sizeof p->abstract) ||
            !take_number(&body, 1, &p->we_are_scp) || !spd_frame_take(&body, &transfers))
            return false;
        while (transfers.len && p->n_transfers < 4) {
            const char *end = memchr(transfers.ptr, '\\', transfers.len);
            size_t n = end ? (size_t)(end - transfers.ptr) : transfers.len;
            if (n >= sizeof p->transfers[0]) return false;
            snprintf(p->transfers[p->n_transfers++], sizeof p->transfers[0], "%.*s", (int)n,
                     transfers.ptr);
            n += end != NULL;
            transfers = spd_sv_of(transfers.ptr + n, transfers.len - n);
        }
        if (!p->n_transfers) return false;
        job->n_proposals++;
    }
    return job->n_proposals > 0;
}

/* The first frame: where to, who we are, what we want. */
static bool open_frame(spd_sv body, struct spd_scu_job *job, char *why, size_t size)
{
    char tls[8], certificate[1024], key[1024], ca[1024];
    const char *text = NULL;
    snprintf(why, size, "the brain's frame is damaged");
    if (!take_text(&body, job->host, sizeof job->host) || !take_number(&body, 65535, &job->port) ||
        !take_text(&body, job->called, sizeof job->called) ||
        !take_text(&body, job->calling, sizeof job->calling) ||
        !take_number(&body, 300, &job->seconds) || !take_number(&body, 600, &job->answer_seconds) ||
        !take_text(&body, tls, sizeof tls) || !take_text(&body, certificate, sizeof certificate) ||
        !take_text(&body, key, sizeof key) || !take_text(&body, ca, sizeof ca) ||
        !take_proposals(body, job))
        return false;
    snprintf(why, size, "the name of the peer cannot be found");
    if (!look_up(job->host, sizeof job->host)) return false;
    if (!strcmp(tls, "tls")) {
        job->tls = spd_tls_new(0, certificate, key, ca, &text);
        if (!job->tls) snprintf(why, size, "%s", text);
        return job->tls != NULL;
    }
    return true;
}

static bool to_brain(void *ctx, spd_sv json)
{
    (void)ctx;
    return !spd_frame_write1(BRAIN, 'a', json);
}

static enum spd_pdv serve_store(struct spd_requestor *q, spd_sv body)
{
    spd_sv sop_class, sop_uid, transfer, data, comment = SPD_SV_NONE;
    unsigned status = 0;
    if (!spd_frame_take(&body, &sop_class) || !spd_frame_take(&body, &sop_uid) ||
        !spd_frame_take(&body, &transfer) || !spd_frame_take(&body, &data))
        return SPD_PDV_END;
    struct spd_dcm d = {0};
    if (!transfer.len && spd_dcm_parse(data, &d, q->arena, NULL)) {
        say('s', SPD_STATUS_NOT_OURS, SPD_SV("the object cannot be read"));
        return SPD_PDV_OK;
    }
    if (!transfer.len) transfer = d.xfer, data = d.bytes; /* it was a file */
    enum spd_pdv r = spd_request_store(q, sop_class, sop_uid, transfer, data, &status, &comment);
    if (!r) say('s', status, comment);
    return r;
}

static enum spd_pdv serve_find(struct spd_requestor *q, spd_sv body)
{
    spd_sv abstract, keys, comment = SPD_SV_NONE;
    int max;
    unsigned status = 0;
    if (!take_number(&body, 10000000, &max) || !spd_frame_take(&body, &abstract) ||
        !spd_frame_take(&body, &keys))
        return SPD_PDV_END;
    enum spd_pdv r =
        spd_request_find(q, abstract, keys, (size_t)max, to_brain, NULL, &status, &comment);
    if (!r) say('f', status, comment);
    return r;
}

static enum spd_pdv serve_n(struct spd_requestor *q, spd_sv body)
{
    struct spd_n_request request;
    struct spd_n_answer answer;
    struct spd_str out = SPD_STR_INIT(SPD_FRAME_MAX / 2);
    if (spd_n_request_decode(body, &request, q->arena, NULL)) return SPD_PDV_END;
    enum spd_pdv r = spd_request_n(q, &request, &answer);
    if (!r) {
        spd_n_answer_encode(&answer, &out);
        if (!spd_str_ok(&out) || spd_frame_write1(BRAIN, 'n', spd_str_sv(&out))) r = SPD_PDV_END;
    }
    spd_str_done(&out);
    return r;
}

static enum spd_pdv serve_echo(struct spd_requestor *q)
{
    unsigned status;
    enum spd_pdv r = spd_request_echo(q, &status);
    if (!r) say('s', status, SPD_SV_NONE);
    return r;
}

/* One frame of the brain; *ret_more false: it is done. */
static enum spd_pdv serve_one(struct spd_requestor *q, bool *ret_more)
{
    char type;
    spd_sv body;
    if (spd_frame_read(BRAIN, &type, &body, -1, q->arena) || type == 'Q') {
        *ret_more = false;
        return SPD_PDV_OK;
    }
    switch (type) {
    case 'E':
        return serve_echo(q);
    case 'S':
        return serve_store(q, body);
    case 'F':
        return serve_find(q, body);
    case 'N':
        return serve_n(q, body);
    default:
        return SPD_PDV_END;
    }
}

static void accepted(const struct spd_scu_job *job, struct spd_requestor *q)
{
    struct spd_str out = SPD_STR_INIT(8192);
    q->n_contexts = job->n_proposals;
    for (size_t i = 0; i < job->n_proposals; i++) {
        struct spd_request_context *c = &q->contexts[i];
        c->id = (unsigned char)(2 * i + 1);
        memcpy(c->abstract, job->proposals[i].abstract, sizeof c->abstract);
        memcpy(c->transfer, job->proposals[i].accepted, sizeof c->transfer);
        spd_frame_put(&out, spd_sv_from(c->transfer));
    }
    spd_frame_write1(BRAIN, 'o', spd_str_sv(&out));
    spd_str_done(&out);
}

static int serve(struct spd_scu_job *job)
{
    struct spd_pdv_io io;
    struct spd_requestor q = {.io = &io, .answer_seconds = job->answer_seconds};
    char why[128];
    bool more = true;
    enum spd_pdv r = SPD_PDV_OK;
    enum spd_scu_opened opened = spd_scu_open(job, &io, why, sizeof why);
    if (opened) {
        say('e', opened, spd_sv_from(why));
        return 1;
    }
    accepted(job, &q);
    while (more && !r) {
        q.arena = spd_arena_new((size_t)200 << 20);
        if (!q.arena) return 1;
        r = serve_one(&q, &more);
        spd_arena_free(q.arena);
    }
    if (r) say('e', SPD_SCU_FAILED, SPD_SV("the association broke"));
    spd_scu_release(r != SPD_PDV_OK);
    return r ? 1 : 0;
}

int spd_dicom_scu_main(int argc, char **argv)
{
    static struct spd_scu_job job;
    struct spd_arena *arena = spd_arena_new(1 << 20);
    char type, why[128];
    spd_sv body;
    (void)argc, (void)argv;
    if (!arena || spd_frame_read(BRAIN, &type, &body, 10000, arena) || type != 'O') return 1;
    signal(SIGPIPE, SIG_IGN);
    setenv("TCP_NODELAY", "1", 1); /* DCMTK reads it */
    if (!open_frame(body, &job, why, sizeof why)) {
        say('e', SPD_SCU_NO_CONNECTION, spd_sv_from(why));
        return 1;
    }
    spd_arena_free(arena);
    spd_dcm_text_warm();
    spd_sandbox_enter_connecting();
    return serve(&job);
}
