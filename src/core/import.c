/* src/core/import.c: an order from a list (spoed import, spoed reconcile) against what is known
 * here (domain §11).
 *
 * A list is weaker than a feed. A record that says when it was last changed is an order message
 * like any other: newest wins. One that does not say so only fills in what is empty here, so that
 * last night's file cannot undo what the feed said this morning. No record changes whose order it
 * is, and one that is closed already and not known here makes nothing. Nothing here writes. */
#include "core/internal.h"

const char *const spd_import_says_names[] = {"",      "new",    "changed", "same",
                                             "older", "closed", "refused", NULL};

/* Texts that an order and an item both have. event: the text is in spd_order_event. */
static const struct same_text {
    const char *name;
    size_t item, order;
    bool event;
} texts[] = {
#define IN_ORDER(f) {#f, offsetof(struct spd_item, f), offsetof(struct spd_order_in, f), false},
#define IN_EVENT(f) {#f, offsetof(struct spd_item, f), offsetof(struct spd_order_event, f), true},
    IN_ORDER(modality) IN_ORDER(body_part) IN_ORDER(requester) IN_ORDER(callback)
        IN_ORDER(clinical_info) IN_ORDER(procedure_id) IN_ORDER(step_id) IN_ORDER(station_ae)
            IN_EVENT(location) IN_EVENT(patient_class)};
static const struct same_number {
    const char *name;
    size_t item, order;
} numbers[] = {
#define NUMBER(f) {#f, offsetof(struct spd_item, f), offsetof(struct spd_order_in, f)},
    NUMBER(accession) NUMBER(placer) NUMBER(filler)};
/* Of the patient: that they differ is said, never what they are. */
static const struct same_person {
    const char *name;
    size_t at;
} persons[] = {
    {"patient_name", offsetof(struct spd_patient, name)},
    {"birth_date", offsetof(struct spd_patient, birth_date)},
    {"sex", offsetof(struct spd_patient, sex)},
};

static spd_sv *text_at(void *o, size_t at)
{
    return (spd_sv *)(void *)((char *)o + at);
}

static spd_sv text_of(const void *o, size_t at)
{
    return *(const spd_sv *)(const void *)((const char *)o + at);
}

static const struct spd_cx *cx_of(const void *o, size_t at)
{
    return (const struct spd_cx *)(const void *)((const char *)o + at);
}

struct found {
    struct spd_difference *v;
    size_t n;
};

static void differs(struct found *f, const char *field, spd_sv here, spd_sv there, bool applies)
{
    if (f->n == SPD_DIFFERENCES_MAX) return;
    f->v[f->n++] = (struct spd_difference){field, here, there, !here.len, applies};
}

static spd_sv iso(struct spd_arena *a, spd_usec t)
{
    return t ? spd_time_iso(a, spd_zone_utc(), t) : SPD_SV_NONE;
}

static bool closes(const struct spd_order_in *o)
{
    return o->cancel || o->order == SPD_ORDER_CANCELLED || o->report >= SPD_REPORT_FINAL;
}

static void status(const struct spd_item *item, const struct spd_order_in *o, struct found *f)
{
    int order = o->cancel || o->order == SPD_ORDER_CANCELLED ? SPD_ORDER_CANCELLED
                : o->hold || o->order == SPD_ORDER_HELD      ? SPD_ORDER_HELD
                                                             : SPD_ORDER_ACTIVE;
    bool opens = item->order == SPD_ORDER_CANCELLED && order == SPD_ORDER_ACTIVE;
    if (order != item->order && (order == SPD_ORDER_CANCELLED || order == SPD_ORDER_HELD || opens))
        differs(f, "order", spd_sv_from(spd_enum_name(spd_order_axis_names, item->order)),
                spd_sv_from(spd_enum_name(spd_order_axis_names, order)),
                !opens || spd_sv_is(o->control, "NW"));
    if (o->report > item->report)
        differs(f, "report", spd_sv_from(spd_enum_name(spd_report_axis_names, item->report)),
                spd_sv_from(spd_enum_name(spd_report_axis_names, o->report)), true);
    else if (item->report >= SPD_REPORT_FINAL && o->report < SPD_REPORT_FINAL)
        differs(f, "report", spd_sv_from(spd_enum_name(spd_report_axis_names, item->report)),
                SPD_SV("open"), false); /* a list takes no report back */
    if (o->exam_done && !item->exam_done && item->images <= SPD_IMAGES_NONE)
        differs(f, "exam", SPD_SV_NONE, SPD_SV("done"), true);
}

static void priority(const struct spd_item *item, const struct spd_order_in *o, struct found *f)
{
    if (!o->priority || o->priority == item->order_priority) return;
    for (size_t i = 0; i < item->sent.n; i++) /* our own word, given back */
        if (o->priority_wire.len && spd_sv_eq(item->sent.v[i].wire, o->priority_wire)) return;
    differs(f, "priority", spd_sv_from(spd_enum_name(spd_priority_names, item->order_priority)),
            spd_sv_from(spd_enum_name(spd_priority_names, o->priority)), true);
}

static void procedures(const struct spd_item *item, const struct spd_order_in *o, struct found *f)
{
    for (size_t i = 0; i < o->procedures.n; i++) {
        const struct spd_code *p = &o->procedures.v[i];
        bool known = false;
        for (size_t k = 0; k < item->procedures.n && !known; k++) {
            const struct spd_code *q = &item->procedures.v[k];
            known = p->code.len ? spd_sv_eq(q->code, p->code) : spd_sv_eq(q->text, p->text);
        }
        if (known) continue;
        differs(f, "procedures",
                item->procedures.n ? item->procedures.v[0].code.len ? item->procedures.v[0].code
                                                                    : item->procedures.v[0].text
                                   : SPD_SV_NONE,
                p->code.len ? p->code : p->text, true);
        return;
    }
}

static void studies(const struct spd_item *item, const struct spd_order_in *o, struct found *f)
{
    for (size_t i = 0; i < o->study_uids.n; i++)
        if (!spd_list_has_text(item->study_uids.v, item->study_uids.n, o->study_uids.v[i])) {
            differs(f, "study_uids", item->study_uids.n ? item->study_uids.v[0] : SPD_SV_NONE,
                    o->study_uids.v[i], true);
            return;
        }
}

size_t spd_order_compare(const struct spd_item *item, const struct spd_order_event *e,
                         const struct spd_order_in *o, struct spd_difference *ret,
                         struct spd_arena *a)
{
    struct found f = {ret, 0};
    status(item, o, &f);
    priority(item, o, &f);
    if (o->scheduled && o->scheduled != item->scheduled)
        differs(&f, "scheduled", iso(a, item->scheduled), iso(a, o->scheduled), true);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const struct spd_cx *x = cx_of(item, numbers[i].item), *y = cx_of(o, numbers[i].order);
        if (y->value.len && !spd_cx_eq(x, y))
            differs(&f, numbers[i].name, x->value, y->value, true);
    }
    procedures(item, o, &f);
    studies(item, o, &f);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        spd_sv x = text_of(item, texts[i].item),
               y = text_of(texts[i].event ? (const void *)e : (const void *)o, texts[i].order);
        if (y.len && !spd_sv_eq(x, y)) differs(&f, texts[i].name, x, y, true);
    }
    for (size_t i = 0; i < sizeof persons / sizeof *persons; i++) {
        spd_sv x = text_of(&item->patient, persons[i].at), y = text_of(&e->patient, persons[i].at);
        if (y.len && !spd_sv_ieq(x, y))
            differs(&f, persons[i].name, x.len ? SPD_SV("*") : SPD_SV_NONE, SPD_SV("*"), true);
    }
    if (e->message.hash.len && !item->source_message) /* not raw: a journal has none */
        differs(&f, "message", SPD_SV_NONE, e->message.type, true);
    return f.n;
}

static enum spd_import_says judge(const struct spd_item *item, const struct spd_order_in *o,
                                  const struct spd_difference *d, size_t n)
{
    bool newer = o->source_time != 0;
    if (newer && o->source_time < item->source_time) return SPD_IMPORT_OLDER;
    for (size_t i = 0; i < n; i++)
        if (d[i].applies && (newer || d[i].fills)) return SPD_IMPORT_CHANGED;
    return SPD_IMPORT_SAME;
}

enum spd_rc spd_import_judge(struct spd_tx *tx, const struct spd_order_event *e,
                             const struct spd_order_in *o, const struct spd_item *item,
                             struct spd_import_look *ret)
{
    bool same = true;
    *ret = (struct spd_import_look){.item = item ? item->id : 0};
    if (!item) {
        ret->says = closes(o) || o->known_only ? SPD_IMPORT_CLOSED : SPD_IMPORT_NEW;
        return SPD_OK;
    }
    ret->peer = item->peer, ret->extra_since = item->extra_since;
    ret->open = spd_item_open(item);
    ret->n = spd_order_compare(item, e, o, ret->differences, tx->a);
    if (item->patient.ids.n && e->patient.ids.n) TRY(spd_item_is_of(tx, item, &e->patient, &same));
    ret->says = same ? judge(item, o, ret->differences, ret->n) : SPD_IMPORT_REFUSED;
    if (!same && ret->n < SPD_DIFFERENCES_MAX)
        ret->differences[ret->n++] =
            (struct spd_difference){"patient", SPD_SV("*"), SPD_SV("*"), false, false};
    return SPD_OK;
}

enum spd_rc spd_import_look(struct spd_store *store, const struct spd_order_event *e,
                            const struct spd_order_in *o, struct spd_import_look *ret,
                            struct spd_arena *arena, struct spd_err *err)
{
    struct spd_tx tx = {.st = store, .a = arena, .err = err};
    struct spd_work *w = NULL;
    int64_t id;
    enum spd_rc rc = spd_find_order(&tx, &o->accession, &o->filler, &o->placer, &id);
    if (rc && rc != SPD_NOTFOUND) return rc;
    if (!rc) TRY(spd_tx_item(&tx, id, &w));
    return spd_import_judge(&tx, e, o, w ? &w->item : NULL, ret);
}

/* What a record without a time of its own may still say: what is empty here. */
void spd_import_fill_only(const struct spd_item *item, struct spd_order_event *e,
                          struct spd_order_in *o)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (text_of(item, texts[i].item).len)
            *text_at(texts[i].event ? (void *)e : (void *)o, texts[i].order) = SPD_SV_NONE;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (cx_of(item, numbers[i].item)->value.len)
            memset((char *)o + numbers[i].order, 0, sizeof(struct spd_cx));
    for (size_t i = 0; i < sizeof persons / sizeof *persons; i++)
        if (text_of(&item->patient, persons[i].at).len)
            *text_at(&e->patient, persons[i].at) = SPD_SV_NONE;
    if (item->procedures.n) o->procedures.v = NULL, o->procedures.n = 0;
    if (item->study_uids.n) o->study_uids.v = NULL, o->study_uids.n = 0;
    if (item->order_priority) o->priority = 0, o->priority_wire = SPD_SV_NONE;
    if (item->scheduled) o->scheduled = 0;
    o->control = o->status_word = o->region = SPD_SV_NONE;
    o->order = o->report = 0;
    o->cancel = o->hold = o->release = o->replace = 0;
    o->null_fields.v = NULL, o->null_fields.n = 0;
}
