/* tests/unit/core_world.h: a small world around the core: a store, a clock that the test moves, and
 * one function per thing that can happen. Every event goes through transaction, savepoint and
 * commit as in the writer. Included by the test_core_*.c files; all functions are static. */
#ifndef CORE_WORLD_H
#define CORE_WORLD_H

/* Not every file uses every function. */
#pragma GCC diagnostic ignored "-Wunused-function"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/hash.h"
#include "core/core.h"
#include "report/report.h"

static const char world_policy[] =
    "policy: 1\n"
    "levels: [critical, urgent, expedited, routine]\n"
    "max_wait: {critical: 15m, urgent: 60m, expedited: 4h, routine: 24h}\n"
    "order_levels: {stat: urgent, asap: expedited, urgent: expedited, routine: routine}\n"
    "ai_age: 2h\nrepeat: 5m\nunmatched_to: rads\n"
    "rules:\n"
    "  - id: ich\n"
    "    title: {nl: 'AI: bloeding', en: 'AI: haemorrhage'}\n"
    "    when: {modality: CT, finding: intracranial-hemorrhage, probability: '>= 0.60'}\n"
    "    level: critical\n"
    "    alert: [{to: rads, when: on_ai, escalate: [{after: 5m, to: backup}]}, {to: ed, if_unread: "
    "10m}]\n"
    "  - id: csp\n"
    "    title: {nl: 'AI: fractuur', en: 'AI: fracture'}\n"
    "    when: {modality: CT, finding: cervical-spine-fracture}\n"
    "    level: urgent\n"
    "    alert: [{to: rads, when: on_ai}]\n";
static const char world_models[] =
    "models:\n"
    "  - {id: ich-a, match: {manufacturer: Maker, name: ICH, versions: ['1']}, mode: live, "
    "required: true,\n"
    "     expected_within: 10m, for: {modality: CT, body_part: HEAD}, findings: "
    "{intracranial-hemorrhage: {threshold: 0.6}}}\n"
    "  - {id: csp-a, match: {manufacturer: Maker, name: CSP, versions: ['1']}, mode: live,\n"
    "     expected_within: 10m, for: {modality: CT, body_part: CSPINE}, findings: "
    "{cervical-spine-fracture: {}}}\n"
    "  - {id: cxr-n, match: {manufacturer: Maker, name: CXRN, versions: ['1']}, mode: live, "
    "required: true,\n"
    "     expected_within: 5m, for: {modality: [CR, DX], body_part: CHEST}, findings: "
    "{normal-chest: {}}}\n"
    "  - {id: ptx-a, match: {manufacturer: Maker, name: PTX, versions: ['1']}, mode: live, "
    "required: true,\n"
    "     expected_within: 5m, for: {modality: [CR, DX], body_part: CHEST}, findings: "
    "{pneumothorax: {threshold: 0.5}}}\n";
static const char world_people[] =
    "people:\n"
    "  - {id: smit, name: Smit, ways: [{channel: pager, to: '1'}, {channel: mail, to: "
    "s@example.org}]}\n"
    "  - {id: bakker, name: Bakker, ways: [{channel: pager, to: '2'}]}\n"
    "  - {id: visser, name: Visser, ways: [{channel: pager, to: '3'}]}\n"
    "  - {id: jansen, name: Jansen, ways: [{channel: pager, to: '4'}]}\n"
    "  - {id: balie, name: Balie, ways: [{channel: pager, to: '5'}]}\n"
    "teams: {rads: [smit, bakker], backup: [bakker], ed: [visser], desk: [balie]}\n"
    "desk: desk\nbedside: [ed]\nrequesters: {'ZZJansen, P': jansen}\n";

struct world {
    struct spd_core *core;
    struct spd_store *store;
    struct spd_codes *codes;
    struct spd_arena *a; /* of the last event; reset before the next */
    struct spd_receipt r;
    spd_usec now;
    int counter;
};

static const spd_usec world_start = 1764000000LL * 1000000; /* 2025-11-24 */

/* Applies one event as the writer would. The receipt is in w->r until the next event. */
static enum spd_rc world_apply(struct world *w, enum spd_event_type type, void *payload)
{
    struct spd_event e = {type, w->now, {payload}};
    struct spd_err err = {0};
    enum spd_rc rc;
    assert_int_equal(spd_store_begin(w->store, &err), SPD_OK);
    assert_int_equal(spd_store_savepoint(w->store, &err), SPD_OK);
    rc = spd_core_apply(w->core, w->store, &e, w->a, &w->r, &err);
    if (rc) {
        print_message("apply %s: %s: %s %s\n", spd_event_type_names[type], spd_rc_name(rc),
                      err.place, err.text);
        spd_store_rollback_to(w->store);
        spd_core_undo(w->core);
    } else {
        assert_int_equal(spd_store_release(w->store, &err), SPD_OK);
    }
    assert_int_equal(spd_store_commit(w->store, &err), SPD_OK);
    spd_core_committed(w->core);
    return rc;
}

static spd_sv sv(const char *z)
{
    return spd_sv_from(z);
}

static void world_settings(struct spd_settings *s, struct spd_arena *a)
{
    struct spd_destination *d;
    struct spd_channel_fact *c;
    struct spd_peer_fact *p;
    s->site = sv("Test"), s->time_zone = sv("Europe/Amsterdam"), s->language = sv("nl");
    s->patient_authority = sv("ZH"), s->accession_issuer = sv("ZH"), s->public_url = sv("http://x");
    s->min_dwell = SPD_SEC(15), s->undo = SPD_SEC(10);
    d = SPD_LIST_PUSH(&s->destinations, a);
    d->name = d->peer = sv("ris"), d->type = sv("hl7"), d->mode = sv("live"),
    d->priority = d->report = 1;
    struct spd_priority_wire *pw = SPD_LIST_PUSH(&d->wires, a);
    pw->level = SPD_LEVEL_1, pw->wire = sv("S");
    pw = SPD_LIST_PUSH(&d->wires, a);
    pw->level = SPD_LEVEL_2, pw->wire = sv("A");
    c = SPD_LIST_PUSH(&s->channels, a);
    c->name = sv("pager"), c->type = sv("webhook"), c->mode = sv("live");
    c = SPD_LIST_PUSH(&s->channels, a);
    c->name = sv("mail"), c->type = sv("smtp"), c->mode = sv("live");
    p = SPD_LIST_PUSH(&s->peers, a);
    p->name = sv("ris");
    *SPD_LIST_PUSH(&p->roles, a) = sv("orders");
    *SPD_LIST_PUSH(&p->roles, a) = sv("reports");
}

static void world_config_with(struct world *w, const char *policy, const char *models)
{
    struct spd_arena *a = spd_arena_new(1 << 20);
    struct spd_config_event e = {0};
    struct spd_settings s = {0};
    struct spd_str enc = SPD_STR_INIT(1 << 20);
    const char *const docs[3][2] = {
        {"policy:p.yaml", policy}, {"models:m.yaml", models}, {"people:people.yaml", world_people}};
    for (int i = 0; i < 3; i++) {
        struct spd_document_event *d = SPD_LIST_PUSH(&e.documents, a);
        d->kind = sv(docs[i][0]), d->content = sv(docs[i][1]),
        d->hash = spd_sha256_hex(a, d->content);
    }
    world_settings(&s, a);
    spd_desc_encode(&spd_settings_desc, &s, &enc);
    e.settings = spd_str_sv(&enc);
    assert_int_equal(world_apply(w, SPD_EVENT_CONFIG, &e), SPD_OK);
    spd_str_done(&enc);
    spd_arena_free(a);
}

static void world_config(struct world *w)
{
    world_config_with(w, world_policy, world_models);
}

static void world_open(struct world *w, const char *url)
{
    struct spd_err err = {0};
    struct spd_start_event start = {0};
    memset(w, 0, sizeof *w);
    w->now = world_start;
    w->a = spd_arena_new(64 << 20);
    assert_int_equal(
        spd_codes_load_dir(SPOED_SOURCE_DIR "/packaging/share/codes", NULL, &w->codes, &err),
        SPD_OK);
    assert_int_equal(spd_store_open(url, SPD_STORE_WRITE | SPD_STORE_CREATE, &w->store, &err),
                     SPD_OK);
    w->core = spd_core_new(w->codes, NULL);
    assert_int_equal(spd_core_open(w->core, w->store, &err), SPD_NOTFOUND);
    start.version = sv("test"), start.secret = sv("0123456789abcdef0123456789abcdef");
    assert_int_equal(world_apply(w, SPD_EVENT_START, &start), SPD_OK);
    world_config(w);
}

static void world_close(struct world *w)
{
    spd_core_free(w->core);
    spd_store_close(w->store);
    spd_codes_free(w->codes);
    spd_arena_free(w->a);
}

static void world_next(struct world *w)
{
    spd_arena_reset(w->a);
    w->counter++;
}

/* Fires every timer that is due until then. */
static void world_until(struct world *w, spd_usec then)
{
    for (int n = 0;; n++) {
        struct spd_timer_event t = {0};
        spd_usec due;
        assert_int_equal(spd_core_next_timer(w->store, &due, &t.timer, NULL), SPD_OK);
        assert_true(n < 100000);
        if (!due || due > then) break;
        if (due > w->now) w->now = due;
        world_next(w);
        assert_int_equal(world_apply(w, SPD_EVENT_TIMER, &t), SPD_OK);
    }
    w->now = then;
}

/* ---- messages ---------------------------------------------------------------------------------
 */
static void envelope(struct world *w, struct spd_message_in *m, const char *type,
                     const char *control, const char *bytes)
{
    m->peer = sv("ris"), m->type = sv(type), m->sender = sv("RIS|ZH"), m->answer = SPD_ANSWER_AA;
    m->control_id = control ? sv(control) : spd_arena_printf(w->a, "C%d", w->counter);
    m->raw =
        bytes ? sv(bytes) : spd_arena_printf(w->a, "MSH|%s|%.*s", type, SPD_SV_ARG(m->control_id));
    m->hash = spd_sha256_hex(w->a, m->raw);
}

struct order { /* what a test says of an order; the rest gets defaults */
    const char *accession, *patient, *modality, *body_part, *study, *control, *wire, *placer,
        *status, *message, *bytes, *account, *visit, *location, *requester;
    enum spd_priority priority;
    spd_usec source_time;
    bool cancel, exam_done, replace;
    enum spd_report_axis report;
    const char *replaced; /* accession of an RP before it in the same message */
};

static enum spd_rc world_order(struct world *w, struct order o)
{
    struct spd_order_event e = {0};
    struct spd_order_in *in;
    struct spd_cx *id;
    world_next(w);
    envelope(w, &e.message, "ORM^O01", o.message, o.bytes);
    id = SPD_LIST_PUSH(&e.patient.ids, w->a);
    id->value = sv(o.patient ? o.patient : "P1"), id->authority = sv("ZH");
    e.patient.name = sv("ZZCANARY, Test"), e.patient.birth_date = sv("19600101"),
    e.patient.sex = sv("F");
    e.location = sv(o.location ? o.location : "SEH");
    if (o.account) e.account.value = sv(o.account), e.account.authority = sv("ZH");
    if (o.visit) e.visit.value = sv(o.visit), e.visit.authority = sv("ZH");
    if (o.replaced) {
        in = SPD_LIST_PUSH(&e.orders, w->a);
        in->control = sv("RP"), in->cancel = in->replace = 1;
        in->accession.value = sv(o.replaced), in->accession.authority = sv("ZH");
        in->source_time = o.source_time ? o.source_time : w->now;
    }
    in = SPD_LIST_PUSH(&e.orders, w->a);
    in->control = sv(o.control ? o.control : "NW");
    if (o.accession) in->accession.value = sv(o.accession), in->accession.authority = sv("ZH");
    if (o.placer) in->placer.value = sv(o.placer), in->placer.authority = sv("ZH");
    if (o.requester) in->requester = sv(o.requester);
    in->modality = sv(o.modality ? o.modality : "CT"),
    in->body_part = sv(o.body_part ? o.body_part : "HEAD");
    if (o.study) *SPD_LIST_PUSH(&in->study_uids, w->a) = sv(o.study);
    in->priority = (int32_t)(o.priority ? o.priority : SPD_PRIORITY_ROUTINE);
    in->priority_wire = sv(o.wire ? o.wire : "R");
    in->source_time = o.source_time ? o.source_time : w->now;
    in->cancel = o.cancel, in->exam_done = o.exam_done, in->replace = o.replace,
    in->report = (int32_t)o.report;
    struct spd_code *p = SPD_LIST_PUSH(&in->procedures, w->a);
    p->code = sv("PROC"), p->text = sv("Procedure");
    return world_apply(w, SPD_EVENT_ORDER, &e);
}

static enum spd_rc world_study(struct world *w, const char *study, const char *accession,
                               const char *patient, const char *image, bool complete)
{
    struct spd_study_event e = {0};
    world_next(w);
    e.study_uid = sv(study), e.complete = complete;
    if (accession) e.accession.value = sv(accession), e.accession.authority = sv("ZH");
    if (patient) {
        struct spd_cx *id = SPD_LIST_PUSH(&e.patient_ids, w->a);
        id->value = sv(patient), id->authority = sv("ZH");
    }
    if (image) *SPD_LIST_PUSH(&e.instances, w->a) = sv(image);
    return world_apply(w, SPD_EVENT_STUDY, &e);
}

struct airesult {
    const char *name, *version, *study, *accession, *patient, *concept, *site, *image, *sop,
        *predecessor;
    enum spd_ai_state state;
    enum spd_present present;
    int64_t probability; /* millionths; 0 = 900000 */
    bool unlisted;
    const char *person, *birth_date, *sex;
};

static enum spd_rc world_result(struct world *w, struct airesult x)
{
    struct spd_result_event e = {0};
    struct spd_finding *f;
    world_next(w);
    envelope(w, &e.message, "C-STORE", x.sop, NULL);
    e.message.peer = sv("ai");
    e.known_peer = !x.unlisted;
    e.result.manufacturer = sv("Maker"), e.result.name = sv(x.name ? x.name : "ICH"),
    e.result.version = sv(x.version ? x.version : "1");
    e.result.sop_uid = x.sop ? sv(x.sop) : spd_arena_printf(w->a, "1.9.%d", w->counter);
    e.result.study_uid = sv(x.study ? x.study : "1.2.1");
    if (x.accession)
        e.result.accession.value = sv(x.accession), e.result.accession.authority = sv("ZH");
    if (!x.patient || x.patient[0]) {
        struct spd_cx *id = SPD_LIST_PUSH(&e.result.patient.ids, w->a);
        id->value = sv(x.patient ? x.patient : "P1"), id->authority = sv("ZH");
    }
    e.result.patient.name = sv(x.person ? x.person : ""),
    e.result.patient.birth_date = sv(x.birth_date ? x.birth_date : "");
    e.result.patient.sex = sv(x.sex ? x.sex : "");
    e.result.modality = sv("CT"), e.result.body_part = sv("HEAD");
    e.result.content_at = w->now;
    e.result.state = (int32_t)(x.state ? x.state : SPD_AI_POSITIVE);
    if (x.image) *SPD_LIST_PUSH(&e.result.instances, w->a) = sv(x.image);
    if (x.predecessor) *SPD_LIST_PUSH(&e.result.predecessors, w->a) = sv(x.predecessor);
    if (!x.concept || x.concept[0]) {
        f = SPD_LIST_PUSH(&e.result.findings, w->a);
        f->concept = sv(x.concept ? x.concept : "intracranial-hemorrhage");
        f->present = (int32_t)(x.present                           ? x.present
                               : e.result.state == SPD_AI_POSITIVE ? SPD_PRESENT_YES
                                                                   : SPD_PRESENT_NO);
        f->probability = x.probability ? x.probability : 900000;
        if (x.site) f->site = sv(x.site);
    }
    return world_apply(w, SPD_EVENT_RESULT, &e);
}

struct adt { /* what ADT says: of one patient, or of two (from, to) */
    const char *trigger, *patient, *other, *from, *to, *account, *visit, *location, *name, *message;
    bool admitted, discharged, cancelled, planned, unlink;
    spd_usec source_time;
};

static struct spd_cx world_cx(const char *value, const char *authority)
{
    return value ? (struct spd_cx){sv(value), sv(authority)} : (struct spd_cx){0};
}

static enum spd_rc world_adt(struct world *w, struct adt x)
{
    struct spd_patient_event e = {0};
    world_next(w);
    e.trigger = sv(x.trigger ? x.trigger : x.unlink ? "A37" : x.from ? "A40" : "A08");
    envelope(w, &e.message, "ADT", x.message, NULL);
    *SPD_LIST_PUSH(&e.patient.ids, w->a) =
        world_cx(x.patient ? x.patient : x.to ? x.to : "P1", "ZH");
    if (x.other) *SPD_LIST_PUSH(&e.patient.ids, w->a) = world_cx(x.other, "NL");
    if (x.name) e.patient.name = sv(x.name);
    if (x.location) e.location = sv(x.location);
    if (!x.from) e.visit = world_cx(x.visit, "ZH");
    e.admitted = x.admitted, e.discharged = x.discharged, e.cancelled = x.cancelled,
    e.planned = x.planned, e.unlink = x.unlink;
    e.source_time = x.source_time ? x.source_time : w->now;
    if (x.from) {
        struct spd_merge_in *m = SPD_LIST_PUSH(&e.merges, w->a);
        m->from = world_cx(x.from, "ZH"), m->to = world_cx(x.to, "ZH");
        m->account = world_cx(x.account, "ZH"), m->visit = world_cx(x.visit, "ZH");
    }
    return world_apply(w, SPD_EVENT_PATIENT, &e);
}

struct appointment {
    const char *id, *accession, *patient, *station, *room, *modality;
    bool off, known_only;
    spd_usec at, source_time;
};

static enum spd_rc world_appointment(struct world *w, struct appointment x)
{
    struct spd_appointment_event e = {0};
    struct spd_order_in *o;
    world_next(w);
    envelope(w, &e.message, "SIU", NULL, NULL);
    e.trigger = sv(x.off ? "S15" : "S12"), e.appointment = sv(x.id ? x.id : "T1");
    e.off = x.off;
    *SPD_LIST_PUSH(&e.patient.ids, w->a) = world_cx(x.patient ? x.patient : "P1", "ZH");
    if (x.room) e.room = sv(x.room);
    e.source_time = x.source_time ? x.source_time : w->now;
    o = SPD_LIST_PUSH(&e.orders, w->a);
    o->accession = world_cx(x.accession, "ZH");
    o->modality = sv(x.modality ? x.modality : "CT"), o->body_part = sv("HEAD");
    if (x.station) o->station_ae = sv(x.station);
    o->scheduled = x.at, o->known_only = x.known_only;
    return world_apply(w, SPD_EVENT_APPOINTMENT, &e);
}

static enum spd_rc world_act(struct world *w, enum spd_action_verb verb, struct spd_action_event e)
{
    static spd_sv all[] = {{"reader", 6}, {"reporter", 8}, {"clinician", 9}};
    world_next(w);
    e.verb = (int32_t)verb;
    if (!e.by.len && !e.token.len) e.by = sv("dr.test");
    if (!e.roles.n) e.roles.v = all, e.roles.n = 3;
    return world_apply(w, SPD_EVENT_ACTION, &e);
}

/* Takes what is due for a destination and reports the outcome of each. Returns how many rows; kinds
 * are counted. */
static size_t world_deliver(struct world *w, const char *destination, enum spd_outcome outcome,
                            struct spd_outbox *ret_rows, size_t max)
{
    struct spd_claim_event c = {0};
    size_t n;
    int64_t ids[64];
    world_next(w);
    c.destination = sv(destination), c.max = 60, c.lease = SPD_SEC(30);
    assert_int_equal(world_apply(w, SPD_EVENT_CLAIM, &c), SPD_OK);
    n = w->r.n_claimed;
    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++) {
        ids[i] = w->r.claimed[i].id;
        if (ret_rows && i < max) {
            static char keep[64][4096]; /* payloads outlive the arena */
            ret_rows[i] = w->r.claimed[i];
            snprintf(keep[i], sizeof keep[i], "%.*s", SPD_SV_ARG(w->r.claimed[i].payload));
            ret_rows[i].payload = sv(keep[i]);
            static char wires[64][64];
            snprintf(wires[i], sizeof wires[i], "%.*s", SPD_SV_ARG(w->r.claimed[i].wire));
            ret_rows[i].wire = sv(wires[i]);
            static char to[64][64];
            snprintf(to[i], sizeof to[i], "%.*s", SPD_SV_ARG(w->r.claimed[i].to));
            ret_rows[i].to = sv(to[i]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        struct spd_outcome_event o = {0};
        world_next(w);
        o.outbox = ids[i], o.outcome = (int32_t)outcome, o.detail = sv("test");
        assert_int_equal(world_apply(w, SPD_EVENT_OUTCOME, &o), SPD_OK);
    }
    return n;
}

/* ---- looking
 * ------------------------------------------------------------------------------------- */
static struct spd_item world_item(struct world *w, int64_t id)
{
    struct spd_item i;
    assert_int_equal(spd_get_item(w->store, id, &i, w->a, NULL), SPD_OK);
    return i;
}

static struct spd_view world_view(struct world *w, int64_t id)
{
    struct spd_view v;
    assert_int_equal(spd_core_view(w->core, w->store, id, w->now, &v, w->a, NULL), SPD_OK);
    return v;
}

static bool world_reason(const struct spd_item *i, const char *rule)
{
    for (size_t k = 0; k < i->reasons.n; k++)
        if (spd_sv_is(i->reasons.v[k].rule, rule)) return true;
    return false;
}

static size_t world_count(struct world *w, enum spd_key_kind kind, const char *text)
{
    int64_t *ids;
    size_t n;
    assert_int_equal(spd_store_find_all(w->store, kind, sv(text), &ids, &n, w->a, NULL), SPD_OK);
    return n;
}

/* Every row of every table but the journal's own time stamps, as text: for replay and once-only
 * tests. */
static void world_dump(struct spd_store *store, struct spd_str *out)
{
    struct spd_arena *a = spd_arena_new(512 << 20);
    for (int t = 0; t < SPD_T_N; t++) {
        int64_t ids[64], after = 0;
        size_t n;
        do {
            assert_int_equal(
                spd_store_scan(store, (enum spd_table)t, after, false, ids, 64, &n, NULL), SPD_OK);
            for (size_t i = 0; i < n; i++) {
                const struct spd_desc *d = spd_table_desc((enum spd_table)t);
                void *o = spd_arena_must(a, d->size);
                assert_int_equal(spd_store_get(store, (enum spd_table)t, ids[i], o, a, NULL),
                                 SPD_OK);
                /* A replay has the decoded events only; the raw bytes stay with the message. */
                if (t == SPD_T_MESSAGE) ((struct spd_message *)o)->raw = SPD_SV_NONE;
                spd_str_addf(out, "%s ", spd_table_name((enum spd_table)t));
                spd_desc_json(d, o, out);
                spd_str_addc(out, '\n');
                after = ids[i];
            }
        } while (n == 64);
    }
    spd_arena_free(a);
}

#endif
