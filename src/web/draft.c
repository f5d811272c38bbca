/* src/web/draft.c: the normal report that is offered (domain §6). Accepting names the version that
 * was read: without If-Match 428; whether that version still stands, and whether the reader may,
 * the core says. */
#include "web/web_int.h"

void spd_web_h_draft(struct spd_web_req *r)
{
    struct spd_view stored;
    const struct spd_view *v = &stored;
    struct spd_err err = {0};
    enum spd_rc rc = SPD_OK;
    struct spd_query *q;
    const struct spd_list *l = spd_board_get(r->web->host.board);
    const struct spd_row *row = l ? spd_list_find(l, r->id) : NULL;
    if (row)
        v = &row->view;
    else if (!(q = spd_web_db(r)))
        rc = SPD_IO;
    else
        rc = spd_web_view(r, q, r->id, &stored, &err);
    if (rc) {
        spd_list_unref(l);
        if (!r->status) spd_web_store_failed(r, rc);
        return;
    }
    const struct spd_draft *d = &v->draft;
    if (!d->id || d->state != SPD_DRAFT_OFFERED) {
        spd_web_problem(
            r, 404, "no_draft",
            spd_arena_dup(r->arena, r->dutch ? v->item.no_draft_nl : v->item.no_draft_en));
    } else {
        spd_j_open(&r->out, NULL, '{');
        spd_j_int(&r->out, "version", d->version);
        spd_j_z(&r->out, "state", spd_enum_name(spd_draft_state_names, d->state));
        spd_j_text(&r->out, "language", d->language);
        spd_j_text(&r->out, "text", d->text);
        spd_j_texts(&r->out, "models", d->models.v, d->models.n);
        spd_j_texts(&r->out, "missing", d->missing.v, d->missing.n);
        spd_j_time(&r->out, "at", r->web->host.site.zone, d->at);
        spd_j_close(&r->out, '}');
        spd_web_set(r, "ETag", spd_arena_printf(r->arena, "\"%lld\"", (long long)d->version));
        spd_web_json_done(r, 200);
    }
    spd_list_unref(l);
}

/* "7" with quotes, or 7 as some clients write it; W/ is no strong tag and matches nothing. */
static bool if_match(struct spd_web_req *r, int64_t *ret)
{
    spd_sv v = spd_sv_trim(spd_web_header(r, "If-Match"));
    if (!v.len || spd_sv_is(v, "*")) { /* "any version" would be accepting unread */
        spd_web_problem(r, 428, "precondition_required", SPD_SV_NONE);
        return false;
    }
    if (v.len >= 2 && v.ptr[0] == '"' && v.ptr[v.len - 1] == '"')
        v = spd_sv_of(v.ptr + 1, v.len - 2);
    if (spd_sv_to_i64(v, ret) && *ret > 0) return true;
    spd_web_problem(r, 412, "stale", SPD_SV_NONE);
    return false;
}

void spd_web_h_draft_act(struct spd_web_req *r)
{
    static const char *const accept[] = {"text", NULL}, *const reject[] = {"reason", NULL},
                             *const undo[] = {NULL};
    struct spd_action_event a = {.item = r->id};
    struct spd_event event = {.type = SPD_EVENT_ACTION, .u.action = &a};
    struct spd_web_done done;
    const char *word = strrchr(r->route->path, '/') + 1;
    bool ok;
    a.verb = strcmp(word, "accept") == 0   ? SPD_ACT_DRAFT_ACCEPT
             : strcmp(word, "reject") == 0 ? SPD_ACT_DRAFT_REJECT
                                           : SPD_ACT_DRAFT_UNDO;
    spd_sv named = spd_sv_trim(spd_web_header(r, "If-Match"));
    bool any = a.verb != SPD_ACT_DRAFT_ACCEPT && (!named.len || spd_sv_is(named, "*"));
    if (a.verb != SPD_ACT_DRAFT_UNDO && !any && !if_match(r, &a.version)) return;
    json_t *o = spd_web_body(r);
    if (!o) return;
    if (a.verb == SPD_ACT_DRAFT_ACCEPT)
        /* An edited text that is blank is no report, and must not become the pre-filled one. */
        ok = spd_web_only(r, o, accept) &&
             spd_web_text(r, o, "text", json_is_string(json_object_get(o, "text")), 65536, &a.text);
    else if (a.verb == SPD_ACT_DRAFT_REJECT)
        ok = spd_web_only(r, o, reject) && spd_web_text(r, o, "reason", true, 2000, &a.reason);
    else
        ok = spd_web_only(r, o, undo);
    json_decref(o);
    spd_web_action(r, &a);
    if (ok && spd_web_submit(r, &event, &done)) spd_web_done_json(r, &done);
}
