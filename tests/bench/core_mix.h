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

static void one_patient(long k)
{
    char acc[32], pat[32], study[48], ctl[32], raw[1000], sop[48], hash[80], rhash[80];
    struct spd_cx id;
    spd_sv study_v, image = spd_sv_from("1.2.3.4.5");
    struct spd_code proc = {sv("CTHERS"), sv("L"), sv("CT hersenen")};
    struct spd_order_in in = {0};
    struct spd_order_event o = {0};
    struct spd_study_event s = {0};
    struct spd_result_event r = {0};
    struct spd_finding f = {0};
    snprintf(acc, sizeof acc, "ACC%ld", k), snprintf(pat, sizeof pat, "PAT%ld", k), snprintf(study, sizeof study, "1.2.826.0.1.%ld", k);
    snprintf(ctl, sizeof ctl, "MSG%ld", k), snprintf(sop, sizeof sop, "1.2.826.0.9.%ld", k), snprintf(hash, sizeof hash, "%064ld", k), snprintf(rhash, sizeof rhash, "9%063ld", k);
    snprintf(raw, sizeof raw, "MSH|^~\\&|RIS|ZH|SPOED|ZH|20261122143208||ORM^O01|%s|P|2.5\rPID|||%s^^^ZH||ZZCANARY^Test||19600101|F\rORC|NW||%s\rOBR|||%s|CTHERS\r%400s", ctl, pat, acc, acc, "");
    id.value = sv(pat), id.authority = sv("ZH");
    study_v = sv(study);
    o.message.peer = sv("ris"), o.message.type = sv("ORM^O01"), o.message.sender = sv("RIS|ZH"), o.message.control_id = sv(ctl), o.message.hash = sv(hash), o.message.raw = sv(raw), o.message.answer = SPD_ANSWER_AA;
    o.patient.ids.v = &id, o.patient.ids.n = 1, o.patient.name = sv("ZZCANARY, Test"), o.location = sv("SEH");
    in.control = sv("NW"), in.accession.value = sv(acc), in.accession.authority = sv("ZH"), in.procedures.v = &proc, in.procedures.n = 1;
    in.study_uids.v = &study_v, in.study_uids.n = 1, in.modality = sv("CT"), in.body_part = sv("HEAD"), in.priority = SPD_PRIORITY_ROUTINE, in.priority_wire = sv("R"), in.source_time = w.now;
    o.orders.v = &in, o.orders.n = 1;
    apply(SPD_EVENT_ORDER, &o);
    s.study_uid = study_v, s.complete = 1, s.instances.v = &image, s.instances.n = 1;
    apply(SPD_EVENT_STUDY, &s);
    r.message = o.message, r.message.peer = sv("ai"), r.message.type = sv("C-STORE"), r.message.control_id = sv(sop), r.message.hash = sv(rhash);
    r.known_peer = 1;
    r.result.sop_uid = sv(sop), r.result.study_uid = study_v, r.result.patient = o.patient, r.result.manufacturer = sv("Maker"), r.result.name = sv("ICH"), r.result.version = sv("1");
    r.result.instances.v = &image, r.result.instances.n = 1, r.result.content_at = w.now;
    r.result.state = k % 10 ? SPD_AI_NEGATIVE : SPD_AI_POSITIVE;
    f.concept = sv("intracranial-hemorrhage"), f.present = k % 10 ? SPD_PRESENT_NO : SPD_PRESENT_YES, f.probability = k % 10 ? 20000 : 930000;
    r.result.findings.v = &f, r.result.findings.n = 1;
    apply(SPD_EVENT_RESULT, &r);
}

#endif
