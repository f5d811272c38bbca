/* src/web/act.c: what a person does to an item, and the way of every change: an event to the
 * writer, the receipt's answer to the client. Whether an act is allowed now is the core's to say;
 * only its shape is judged here. */
#include "web/web_int.h"

#include <stdio.h>

static void copy_receipt(void *ctx, const struct spd_receipt *receipt)
{
    struct spd_web_done *d = ctx;
    if (!receipt) return;
    d->rc = receipt->rc;
    d->id = receipt->id;
    d->revision = receipt->revision;
    snprintf(d->reason, sizeof d->reason, "%.*s", SPD_SV_ARG(receipt->reason));
    spd_sv text = d->dutch ? receipt->reason_nl : receipt->reason_en;
    snprintf(d->text, sizeof d->text, "%.*s", SPD_SV_ARG(text));
    /* A sentence cut inside a letter would be no UTF-8. */
    for (size_t n = strlen(d->text); n && !spd_sv_is_utf8(spd_sv_from(d->text));)
        d->text[--n] = 0;
    snprintf(d->holder, sizeof d->holder, "%.*s", SPD_SV_ARG(receipt->holder));
}

bool spd_web_submit(struct spd_web_req *r, const struct spd_event *event, struct spd_web_done *ret)
{
    *ret = (struct spd_web_done){.rc = SPD_BUG, .dutch = r->dutch};
    enum spd_rc rc = spd_writer_call(r->web->host.writer, event, copy_receipt, ret);
    return spd_web_committed(r, rc, ret);
}

void spd_web_action(struct spd_web_req *r, struct spd_action_event *a)
{
    a->by = r->who.name;
    for (unsigned bit = 1; bit <= SPD_ROLE_HOOK; bit <<= 1)
        if (r->who.roles & bit)
            *SPD_LIST_ADD(&a->roles, r->arena) = spd_sv_from(spd_web_role_name(bit));
}

static const struct act {
    const char *word;
    enum spd_action_verb verb;
    const char *fields[4];
} acts[] = {
    {"claim", SPD_ACT_CLAIM, {NULL}},
    {"release", SPD_ACT_RELEASE, {NULL}},
    {"opened", SPD_ACT_OPENED, {NULL}},
    {"priority", SPD_ACT_PRIORITY, {"level", "reason", NULL}},
    {"verdict", SPD_ACT_VERDICT, {"verdict", "finding", "note", NULL}},
    {"reopen", SPD_ACT_REOPEN, {"reason", NULL}},
    {"confirm-cancel", SPD_ACT_CONFIRM_CANCEL, {"reason", NULL}},
    {"confirm_cancel", SPD_ACT_CONFIRM_CANCEL, {"reason", NULL}},
    {"confirm_patient", SPD_ACT_CONFIRM_PATIENT, {"reason", NULL}},
};

static bool read_act(struct spd_web_req *r, const struct act *act, struct spd_action_event *a)
{
    json_t *o = spd_web_body(r);
    bool ok = o && spd_web_only(r, o, act->fields);
    switch (ok ? act->verb : SPD_ACTION_VERB_UNSET) {
    case SPD_ACT_PRIORITY:
        ok = spd_web_text(r, o, "level", true, 64, &a->level) &&
             spd_web_text(r, o, "reason", true, 2000, &a->reason);
        break;
    case SPD_ACT_VERDICT:
        ok = spd_web_text(r, o, "verdict", true, 16, &a->verdict) &&
             spd_web_text(r, o, "finding", false, 128, &a->finding) &&
             spd_web_text(r, o, "note", false, 2000, &a->text);
        if (ok && spd_enum_from(spd_verdict_kind_names, a->verdict) < 1) {
            spd_web_bad_value(r, "verdict");
            ok = false;
        }
        break;
    case SPD_ACT_REOPEN:
    case SPD_ACT_CONFIRM_PATIENT:
        ok = spd_web_text(r, o, "reason", true, 2000, &a->reason);
        break;
    case SPD_ACT_CONFIRM_CANCEL:
        ok = spd_web_text(r, o, "reason", false, 2000, &a->reason);
        break;
    default:
        break;
    }
    if (o) json_decref(o);
    return ok;
}

void spd_web_h_item_act(struct spd_web_req *r)
{
    struct spd_action_event a = {.item = r->id};
    struct spd_event event = {.type = SPD_EVENT_ACTION, .u.action = &a};
    struct spd_web_done done;
    const char *word = strrchr(r->route->path, '/') + 1;
    const struct act *act = acts;
    while (strcmp(act->word, word))
        act++;
    a.verb = act->verb;
    spd_web_action(r, &a);
    if (read_act(r, act, &a) && spd_web_submit(r, &event, &done)) spd_web_done_json(r, &done);
}
