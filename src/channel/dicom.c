/* src/channel/dicom.c: rows that go to a DICOM peer: results to an archive by C-STORE, as they
 * came, and events of workitems to a subscriber by N-EVENT-REPORT (PS3.4 CC.2.4). One table, one
 * function for each kind.
 *
 * An association for each row: the peer's silence then costs that row only. Sending again is
 * harmless by either: an archive knows the SOP Instance UID, an event says a state that holds. So
 * what became of a row is never "unknown". Threads: one self per worker. */
#include "channel/internal.h"

#include "scu/scu.h"

#define UPS_PUSH "1.2.840.10008.5.1.4.34.6.1"
#define UPS_EVENT "1.2.840.10008.5.1.4.34.6.4"

struct dicom {
    const struct spd_channel_config *config;
    struct spd_scu_to to;
    bool reached; /* the last association was made */
};
struct kind;
struct prepared { /* what build makes of a row */
    const struct kind *kind;
    spd_sv sop_class, sop_uid;
    struct spd_dcm data; /* workitem */
    unsigned event;
};
struct kind {
    enum spd_outbox_kind kind;
    bool (*prepare)(const struct spd_delivery *d, struct prepared *ret, struct spd_arena *arena);
    enum spd_rc (*run)(struct dicom *self, const struct spd_delivery *d, const struct prepared *p,
                       unsigned *ret_status, spd_sv *ret_comment, struct spd_arena *arena,
                       struct spd_err *err);
};

/* ---- results
 * ------------------------------------------------------------------------------------ */
/* "message class instance" */
static bool split(spd_sv payload, int64_t *message, spd_sv *sop_class, spd_sv *sop_uid)
{
    size_t a, b;
    if (!spd_sv_find(payload, SPD_SV(" "), &a)) return false;
    spd_sv rest = spd_sv_of(payload.ptr + a + 1, payload.len - a - 1);
    if (!spd_sv_find(rest, SPD_SV(" "), &b)) return false;
    *sop_class = spd_sv_of(rest.ptr, b);
    *sop_uid = spd_sv_of(rest.ptr + b + 1, rest.len - b - 1);
    return spd_sv_to_i64(spd_sv_of(payload.ptr, a), message) && spd_dcm_is_uid(*sop_class) &&
           spd_dcm_is_uid(*sop_uid);
}

int64_t spd_channel_result_message(const struct spd_outbox *row)
{
    spd_sv sop_class, sop_uid;
    int64_t message;
    return split(row->payload, &message, &sop_class, &sop_uid) ? message : 0;
}

static bool prepare_result(const struct spd_delivery *d, struct prepared *ret,
                           struct spd_arena *arena)
{
    int64_t message;
    (void)arena;
    return d->source_raw.len && split(d->row.payload, &message, &ret->sop_class, &ret->sop_uid);
}

static enum spd_rc run_result(struct dicom *self, const struct spd_delivery *d,
                              const struct prepared *p, unsigned *ret_status, spd_sv *ret_comment,
                              struct spd_arena *arena, struct spd_err *err)
{
    const char *abstract = spd_arena_dup(arena, p->sop_class).ptr;
    const struct spd_scu_context contexts[] = {{abstract, "1.2.840.10008.1.2.1", false},
                                               {abstract, "1.2.840.10008.1.2", false}};
    struct spd_scu *scu;
    enum spd_rc rc = spd_scu_open(self->config->dicom_program, &self->to, contexts, 2, &scu, err);
    self->reached = rc == SPD_OK;
    if (rc) return rc;
    rc = spd_scu_store(scu, p->sop_class, p->sop_uid, SPD_SV_NONE,
                       d->row.kind == SPD_OUTBOX_SUMMARY ? d->row.payload : d->source_raw,
                       ret_status, ret_comment, arena, err);
    spd_scu_close(scu);
    return rc;
}

/* A file that stands in the row itself. */
static bool prepare_summary(const struct spd_delivery *d, struct prepared *ret,
                            struct spd_arena *arena)
{
    (void)arena;
    ret->sop_class = SPD_SV("1.2.840.10008.5.1.4.1.1.88.11"), ret->sop_uid = d->row.wire;
    return d->row.payload.len && spd_dcm_is_uid(ret->sop_uid);
}

/* ---- workitems
 * ---------------------------------------------------------------------------------- */
static bool prepare_workitem(const struct spd_delivery *d, struct prepared *ret,
                             struct spd_arena *arena)
{
    int64_t event;
    if (spd_dcm_from_json(d->row.payload, &ret->data, arena, NULL)) return false;
    ret->sop_class = spd_dcm_raw(&ret->data.set, 0x00000002);
    ret->sop_uid = spd_dcm_raw(&ret->data.set, 0x00001000);
    if (!spd_sv_to_i64(spd_dcm_raw(&ret->data.set, 0x00001002), &event) || event < 1 || event > 5)
        return false;
    ret->event = (unsigned)event;
    return spd_dcm_is_uid(ret->sop_class) && spd_dcm_is_uid(ret->sop_uid);
}

static enum spd_rc run_workitem(struct dicom *self, const struct spd_delivery *d,
                                const struct prepared *p, unsigned *ret_status, spd_sv *ret_comment,
                                struct spd_arena *arena, struct spd_err *err)
{
    const struct spd_scu_context contexts[] = {{UPS_EVENT, NULL, true}};
    const struct spd_n_request request = {.field = SPD_N_EVENT_REPORT,
                                          .type_id = p->event,
                                          .abstract = SPD_SV(UPS_EVENT),
                                          .sop_class = p->sop_class,
                                          .sop_uid = p->sop_uid};
    struct spd_n_answer answer;
    struct spd_scu *scu;
    enum spd_rc rc = spd_scu_open(self->config->dicom_program, &self->to, contexts, 1, &scu, err);
    (void)d;
    if (rc) return rc;
    rc = spd_scu_n(scu, &request, &p->data.set, &answer, arena, err);
    spd_scu_close(scu);
    if (!rc) *ret_status = answer.status, *ret_comment = answer.comment;
    return rc;
}

static const struct kind kinds[] = {{SPD_OUTBOX_RESULT, prepare_result, run_result},
                                    {SPD_OUTBOX_SUMMARY, prepare_summary, run_result},
                                    {SPD_OUTBOX_WORKITEM, prepare_workitem, run_workitem}};

/* ---- the channel
 * --------------------------------------------------------------------------------- */
static enum spd_rc dicom_open(const struct spd_channel_config *config, void **ret_self,
                              struct spd_err *err)
{
    struct dicom *s = spd_must_malloc(sizeof *s);
    enum spd_rc rc = spd_scu_parse(config->to, &s->to, err);
    spd_sv host = s->to.host;
    if (!rc && !s->to.tls && !config->insecure && !spd_channel_is_loopback(host))
        rc = spd_fail(err, SPD_INVALID, "to",
                      "plain text beyond loopback: use dicom-tls://, or insecure: true");
    if (rc) {
        spd_free(s);
        return rc;
    }
    s->config = config;
    s->to.calling = config->calling.len ? config->calling : SPD_SV("SPOED");
    s->to.certificate = config->tls.certificate, s->to.key = config->tls.key;
    s->to.ca = config->tls.ca;
    s->to.seconds = config->connect_timeout ? (int)(config->connect_timeout / SPD_USEC_PER_SEC) : 3;
    if (s->to.seconds < 1) s->to.seconds = 1;
    s->to.answer_seconds =
        config->total_timeout ? (int)(config->total_timeout / SPD_USEC_PER_SEC) : 8;
    if (s->to.answer_seconds < 1) s->to.answer_seconds = 1;
    *ret_self = s;
    return SPD_OK;
}

static void dicom_close(void *self)
{
    spd_free(self);
}

static enum spd_rc prepare(const struct spd_delivery *d, struct prepared *p,
                           struct spd_sending *ret, struct spd_arena *arena)
{
    *p = (struct prepared){.kind = NULL};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == (enum spd_outbox_kind)d->row.kind) p->kind = &kinds[i];
    if (!p->kind || !p->kind->prepare(d, p, arena)) {
        ret->detail = SPD_SV("there is nothing to send: the object or the row cannot be read");
        return SPD_INVALID;
    }
    ret->sent = spd_arena_printf(arena, "%s %.*s %.*s", p->event ? "N-EVENT-REPORT" : "C-STORE",
                                 SPD_SV_ARG(p->sop_class), SPD_SV_ARG(p->sop_uid));
    return SPD_OK;
}

static enum spd_rc dicom_build(void *self, const struct spd_delivery *d, struct spd_sending *ret,
                               struct spd_arena *arena)
{
    struct prepared p;
    (void)self;
    return prepare(d, &p, ret, arena);
}

/* PS3.7 C: 0000 and warnings (Bxxx) mean taken; A7xx out of resources: later; anything else: never.
 */
static enum spd_outcome judge(unsigned status)
{
    if (status == 0 || status >> 12 == 0xB || status == 0x0107 || status == 0x0116)
        return SPD_OUTCOME_OK;
    return status >> 8 == 0xA7 || status == 0x0213 || status == 0x0110 ? SPD_OUTCOME_TEMPORARY
                                                                       : SPD_OUTCOME_PERMANENT;
}

static enum spd_outcome dicom_send(void *self, const struct spd_delivery *d,
                                   struct spd_sending *ret, struct spd_arena *arena)
{
    struct prepared p;
    struct spd_err err = {0};
    unsigned status = 0;
    spd_sv comment = SPD_SV_NONE;
    if (prepare(d, &p, ret, arena)) return SPD_OUTCOME_PERMANENT;
    enum spd_rc rc = p.kind->run(self, d, &p, &status, &comment, arena, &err);
    if (rc) {
        ret->detail = spd_arena_printf(arena, "%s: %s", err.place, err.text);
        return ((struct dicom *)self)->reached ? SPD_OUTCOME_TEMPORARY : SPD_OUTCOME_UNREACHED;
    }
    ret->detail = spd_arena_printf(arena, "status %04X", status);
    ret->answer = spd_arena_printf(arena, "%04X %.*s", status, SPD_SV_ARG(comment));
    return judge(status);
}

const struct spd_channel spd_channel_dicom = {"dicom", dicom_open, dicom_build, dicom_send,
                                              dicom_close};
