/* src/web/message.c: the message log, and its messages once more. Raw bytes are patient data:
 * masked, unless an administrator asks with ?raw=1; that is written to the audit trail first, and
 * without the audit row nothing is shown. */
#include "web/web_int.h"

#include "base/hash.h"

static void common(struct spd_web_req *r, struct spd_str *s, const struct spd_message *m)
{
    spd_j_int(s, "id", m->id);
    spd_j_time(s, "at", r->web->host.site.zone, m->at);
    spd_j_z(s, "direction", spd_enum_name(spd_direction_names, m->direction));
    spd_j_text_or_null(s, "peer", m->peer);
    spd_j_text_or_null(s, "type", m->type);
    spd_j_text_or_null(s, "sender", m->sender);
    spd_j_text_or_null(s, "control_id", m->control_id);
    spd_j_z(s, "answer", spd_enum_name(spd_answer_names, m->answer));
    spd_j_text_or_null(s, "reason", m->reason);
    spd_j_id(s, "item", m->item);
    spd_j_id(s, "parked", m->parked);
    spd_j_int(s, "size", (int64_t)m->raw.len);
}

void spd_web_revision_open(struct spd_web_req *r)
{
    const struct spd_list *l = spd_board_get(r->web->host.board);
    spd_web_list_open(r, l ? spd_list_revision(l) : 0, spd_web_now(r->web));
    spd_list_unref(l);
}

void spd_web_h_messages(struct spd_web_req *r)
{
    struct spd_query *q;
    struct spd_query_page page;
    struct spd_err err = {0};
    struct spd_query_messages f = {.peer = spd_web_arg(r, "peer"),
                                   .type = spd_web_arg(r, "type"),
                                   .answer = spd_web_arg(r, "answer")};
    spd_sv direction = spd_web_arg(r, "direction"), item = spd_web_arg(r, "item");
    int64_t *ids = SPD_NEW_N(r->arena, int64_t, 1000);
    size_t n = 0;
    if (direction.len) {
        int d = spd_enum_from(spd_direction_names, direction);
        if (d < 1) {
            spd_web_bad_value(r, "direction");
            return;
        }
        f.direction = (enum spd_direction)d;
    }
    if (item.len && (!spd_sv_to_i64(item, &f.item) || f.item < 1)) {
        spd_web_bad_value(r, "item");
        return;
    }
    if (!spd_web_page(r, 100, &page) || !(q = spd_web_db(r))) return;
    enum spd_rc rc = spd_query_messages(q, &f, page, ids, &n, &err);
    spd_web_revision_open(r);
    spd_j_open(&r->out, "messages", '[');
    for (size_t i = 0; !rc && i < n; i++) {
        struct spd_message m;
        if ((rc = spd_get_message(spd_query_store(q), ids[i], &m, r->arena, &err))) break;
        spd_j_open(&r->out, NULL, '{');
        common(r, &r->out, &m);
        spd_j_close(&r->out, '}');
    }
    spd_j_close(&r->out, ']');
    if (n == page.limit) spd_j_text(&r->out, "next", spd_key_i64(r->arena, ids[n - 1]));
    spd_j_close(&r->out, '}');
    if (rc)
        spd_web_store_failed(r, rc);
    else
        spd_web_json_done(r, 200);
}

static bool is_hl7(spd_sv raw)
{
    return spd_sv_starts(raw, SPD_SV("MSH")) && raw.len < (1u << 20);
}

/* The shape of a message without what it says: MSH as it is, of other segments the name and the
 * separators. */
static spd_sv masked(struct spd_arena *arena, spd_sv raw)
{
    struct spd_str s = SPD_STR_INIT(4u << 20);
    size_t column = 0;
    bool header = false;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '\r' || c == '\n') {
            spd_str_addc(&s, '\n');
            column = 0;
            continue;
        }
        if (column == 0) header = spd_sv_starts(spd_sv_of(raw.ptr + i, raw.len - i), SPD_SV("MSH"));
        bool shown =
            (header && !(c & 0x80)) || column < 3 || c == '|' || c == '^' || c == '~' || c == '&';
        spd_str_addc(&s, shown && !(c & 0x80) ? c : '*');
        column++;
    }
    spd_sv out = spd_arena_dup(arena, spd_str_sv(&s));
    spd_str_done(&s);
    return out;
}

/* True when the audit row that says who looked is committed. */
static bool audited(struct spd_web_req *r)
{
    struct spd_action_event a = {.verb = SPD_ACT_VIEW_RAW, .message = r->id};
    struct spd_event event = {.type = SPD_EVENT_ACTION, .u.action = &a};
    struct spd_web_done done;
    a.reason = spd_arena_printf(r->arena, "message %lld", (long long)r->id);
    spd_web_action(r, &a);
    return spd_web_submit(r, &event, &done);
}

void spd_web_h_message(struct spd_web_req *r)
{
    struct spd_query *q = spd_web_db(r);
    struct spd_message m;
    struct spd_err err = {0};
    bool raw = spd_sv_is(spd_web_arg(r, "raw"), "1");
    if (!q) return;
    if (raw && !(r->who.roles & SPD_ROLE_ADMIN)) {
        spd_web_problem(r, 403, "forbidden", SPD_SV_NONE);
        return;
    }
    enum spd_rc rc = spd_get_message(spd_query_store(q), r->id, &m, r->arena, &err);
    if (rc) {
        spd_web_store_failed(r, rc);
        return;
    }
    if (raw && !audited(r)) return;
    spd_j_open(&r->out, NULL, '{');
    common(r, &r->out, &m);
    spd_j_open(&r->out, "items", '[');
    for (size_t i = 0; i < m.items.n; i++)
        spd_j_int(&r->out, NULL, m.items.v[i]);
    spd_j_close(&r->out, ']');
    spd_j_text_or_null(&r->out, "charset", m.charset);
    spd_j_bool(&r->out, "masked", !raw);
    if (is_hl7(m.raw))
        spd_j_text(&r->out, "raw", raw ? m.raw : masked(r->arena, m.raw));
    else if (raw && m.direction == SPD_DIRECTION_OUT &&
             m.raw.len < (1u << 20)) /* a page: JSON or mail */
        spd_j_text(&r->out, "raw", m.raw);
    else
        spd_j_null(&r->out, "raw");
    if (raw && m.raw.len)
        spd_j_text(&r->out, "raw_base64url", spd_base64url(r->arena, m.raw.ptr, m.raw.len));
    spd_j_close(&r->out, '}');
    spd_web_json_done(r, 200);
}

/* What came in is processed again, as if it came now, by today's configuration: nothing is left out
 * for being a duplicate, an older time than what is known still changes nothing. What went out goes
 * out again (queue_act.c says under which number). */
static void process_again(struct spd_web_req *r, const struct spd_message *m, spd_sv peer)
{
    const struct spd_web_host *h = &r->web->host;
    struct spd_web_message said;
    if (!h->again || !spd_sv_starts(m->raw, SPD_SV("MSH"))) {
        spd_web_problem(r, 422, "bad_value",
                        r->dutch
                            ? SPD_SV("Alleen HL7-berichten worden opnieuw verwerkt; laat een "
                                     "object opnieuw sturen.")
                            : SPD_SV("Only HL7 messages are processed again; have an object sent "
                                     "again."));
        return;
    }
    h->again(h->self, m->id, m->raw, peer.len ? peer : m->peer, &said);
    if (said.rc == SPD_NOTFOUND) {
        spd_web_bad_value(r, "peer");
        return;
    }
    struct spd_web_done done = {.rc = SPD_OK};
    if (!spd_web_committed(r, said.rc, &done)) return;
    spd_j_open(&r->out, NULL, '{');
    spd_j_int(&r->out, "revision", said.revision);
    spd_j_z(&r->out, "answer", said.answer);
    spd_j_z(&r->out, "reason", said.reason);
    spd_j_close(&r->out, '}');
    spd_web_json_done(r, 200);
}

void spd_web_h_resend(struct spd_web_req *r)
{
    static const char *const fields[] = {"reason", "peer", NULL};
    struct spd_action_event a = {.verb = SPD_ACT_RESEND, .message = r->id};
    struct spd_event event = {.type = SPD_EVENT_ACTION, .u.action = &a};
    struct spd_web_done done;
    struct spd_query *q = spd_web_db(r);
    struct spd_message m;
    spd_sv peer = SPD_SV_NONE;
    json_t *o = q ? spd_web_body(r) : NULL;
    if (!o) return;
    bool ok = spd_web_only(r, o, fields) && spd_web_text(r, o, "reason", false, 2000, &a.reason) &&
              spd_web_text(r, o, "peer", false, 64, &peer);
    json_decref(o);
    if (!ok) return;
    enum spd_rc rc = spd_get_message(spd_query_store(q), r->id, &m, r->arena, NULL);
    if (rc) {
        spd_web_store_failed(r, rc);
        return;
    }
    spd_web_action(r, &a);
    if (!spd_web_submit(r, &event, &done)) return;
    if (m.direction == SPD_DIRECTION_OUT)
        spd_web_done_json(r, &done);
    else
        process_again(r, &m, peer);
}
