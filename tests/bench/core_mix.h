/* tests/bench/core_mix.h: the mix of a working department, put through the core in transactions of 256 events as
 * the writer makes them: per patient one ORM, one study arrival and one AI result, every tenth positive (it pages
 * and writes a priority to the RIS). Included by the benchmarks of the core; one world, one thread. */
#ifndef TESTS_BENCH_CORE_MIX_H
#define TESTS_BENCH_CORE_MIX_H

#include "unit/core_world.h"

static struct world w;
static int in_batch;
static long events;

static void apply(enum spd_event_type type, void *payload)
{
    struct spd_event e = {type, w.now, {payload}};
    const int64_t *dirty;
    const struct spd_note *notes;
    struct spd_err err = {0};
    if (!in_batch && spd_store_begin(w.store, &err)) abort();
    if (spd_store_savepoint(w.store, &err) || spd_core_apply(w.core, w.store, &e, w.a, &w.r, &err) || spd_store_release(w.store, &err)) {
        fprintf(stderr, "%s %s\n", err.place, err.text);
        abort();
    }
    events++;
    spd_arena_reset(w.a);
    if (++in_batch == 256) {
        if (spd_store_commit(w.store, &err)) abort();
        spd_core_committed(w.core);
        spd_core_take_dirty(w.core, &dirty);
        spd_core_take_notes(w.core, &notes);
        in_batch = 0;
    }
    w.now += 1000;
}

static void flush(void)
{
    struct spd_err err = {0};
    if (in_batch && spd_store_commit(w.store, &err)) abort();
    spd_core_committed(w.core);
    in_batch = 0;
}

struct mix_patient { /* what the events of patient k point to */
    char acc[32], pat[32], study[48], ctl[32], raw[1000], sop[48], hash[80], result_hash[80];
    struct spd_cx id;
    spd_sv study_uid, image;
    struct spd_code procedure;
    struct spd_order_in in;
    struct spd_finding finding;
    struct spd_order_event order;
    struct spd_study_event arrival;
    struct spd_result_event result;
};

static void mix_order(struct mix_patient *m)
{
    struct spd_order_event *o = &m->order;
    struct spd_order_in *in = &m->in;
    o->message.peer = sv("ris"), o->message.type = sv("ORM^O01"), o->message.sender = sv("RIS|ZH");
    o->message.control_id = sv(m->ctl), o->message.hash = sv(m->hash), o->message.raw = sv(m->raw);
    o->message.answer = SPD_ANSWER_AA;
    o->patient.ids.v = &m->id, o->patient.ids.n = 1, o->patient.name = sv("ZZCANARY, Test"), o->location = sv("SEH");
    in->control = sv("NW"), in->accession.value = sv(m->acc), in->accession.authority = sv("ZH");
    in->procedures.v = &m->procedure, in->procedures.n = 1, in->study_uids.v = &m->study_uid, in->study_uids.n = 1;
    in->modality = sv("CT"), in->body_part = sv("HEAD"), in->priority = SPD_PRIORITY_ROUTINE, in->priority_wire = sv("R");
    in->source_time = w.now;
    o->orders.v = in, o->orders.n = 1;
}

static void mix_result(struct mix_patient *m, bool positive)
{
    struct spd_result_event *r = &m->result;
    r->message = m->order.message, r->message.peer = sv("ai"), r->message.type = sv("C-STORE");
    r->message.control_id = sv(m->sop), r->message.hash = sv(m->result_hash);
    r->known_peer = 1;
    r->result.sop_uid = sv(m->sop), r->result.study_uid = m->study_uid, r->result.patient = m->order.patient;
    r->result.manufacturer = sv("Maker"), r->result.name = sv("ICH"), r->result.version = sv("1");
    r->result.instances.v = &m->image, r->result.instances.n = 1, r->result.content_at = w.now;
    r->result.state = positive ? SPD_AI_POSITIVE : SPD_AI_NEGATIVE;
    m->finding.concept = sv("intracranial-hemorrhage");
    m->finding.present = positive ? SPD_PRESENT_YES : SPD_PRESENT_NO, m->finding.probability = positive ? 930000 : 20000;
    r->result.findings.v = &m->finding, r->result.findings.n = 1;
}

static void mix_patient(struct mix_patient *m, long k)
{
    memset(m, 0, sizeof *m);
    snprintf(m->acc, sizeof m->acc, "ACC%ld", k), snprintf(m->pat, sizeof m->pat, "PAT%ld", k);
    snprintf(m->study, sizeof m->study, "1.2.826.0.1.%ld", k), snprintf(m->ctl, sizeof m->ctl, "MSG%ld", k);
    snprintf(m->sop, sizeof m->sop, "1.2.826.0.9.%ld", k);
    snprintf(m->hash, sizeof m->hash, "%064ld", k), snprintf(m->result_hash, sizeof m->result_hash, "9%063ld", k);
    snprintf(m->raw, sizeof m->raw,
             "MSH|^~\\&|RIS|ZH|SPOED|ZH|20261122143208||ORM^O01|%s|P|2.5\rPID|||%s^^^ZH||ZZCANARY^Test||19600101|F\r"
             "ORC|NW||%s\rOBR|||%s|CTHERS\r%400s", m->ctl, m->pat, m->acc, m->acc, "");
    m->id.value = sv(m->pat), m->id.authority = sv("ZH");
    m->study_uid = sv(m->study), m->image = sv("1.2.3.4.5");
    m->procedure = (struct spd_code){sv("CTHERS"), sv("L"), sv("CT hersenen")};
    mix_order(m);
    m->arrival.study_uid = m->study_uid, m->arrival.complete = 1;
    m->arrival.instances.v = &m->image, m->arrival.instances.n = 1;
    mix_result(m, k % 10 == 0);
}

/* result: with its AI result, else it waits for it. */
static void one_patient(long k, bool result)
{
    struct mix_patient m;
    mix_patient(&m, k);
    apply(SPD_EVENT_ORDER, &m.order);
    apply(SPD_EVENT_STUDY, &m.arrival);
    if (result) apply(SPD_EVENT_RESULT, &m.result);
}

#endif
