/* src/web/page.c: the link of a page, /a/{token}: drawn here without a script, since it must work
 * in any mail program's browser. GET shows and never acknowledges (mail scanners follow links);
 * POST acknowledges. The token is 256 random bits and single-use, kept as a hash; what it may do is
 * the core's to say. A page that went to a team needs a login, so that a named person acknowledges.
 * No name of a patient is shown here. */
#include "web/web_int.h"

#include "base/hash.h"

struct link {
    struct spd_page page;
    struct spd_alert alert;
};

static void esc(struct spd_str *s, spd_sv v)
{
    for (size_t i = 0; i < v.len; i++) {
        char c = v.ptr[i];
        if (c == '&')
            spd_str_addz(s, "&amp;");
        else if (c == '<')
            spd_str_addz(s, "&lt;");
        else if (c == '>')
            spd_str_addz(s, "&gt;");
        else if (c == '"')
            spd_str_addz(s, "&quot;");
        else if (c == '\'')
            spd_str_addz(s, "&#39;");
        else if ((unsigned char)c < ' ' && c != '\n')
            spd_str_addc(s, ' ');
        else
            spd_str_addc(s, c);
    }
}

static void tag(struct spd_str *s, const char *open, spd_sv text, const char *close)
{
    if (!text.len) return;
    spd_str_addz(s, open);
    esc(s, text);
    spd_str_addz(s, close);
}

static void head(struct spd_web_req *r, const char *title)
{
    spd_str_clear(&r->out);
    spd_str_addf(&r->out,
                 "<!doctype html>\n<html lang=\"%s\" data-theme=\"dark\">\n<head>\n<meta "
                 "charset=\"utf-8\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width, "
                 "initial-scale=1\">\n<title>Spoed</title>\n"
                 "<link rel=\"icon\" href=\"/assets/icon.svg\" type=\"image/svg+xml\">\n"
                 "<link rel=\"stylesheet\" href=\"/assets/app.css\">\n<link rel=\"stylesheet\" "
                 "href=\"/assets/ack.css\">\n"
                 "</head>\n<body class=\"ack\">\n<main>\n<div class=\"card\">\n<h1>%s</h1>\n",
                 r->dutch ? "nl" : "en", title);
}

static void foot(struct spd_web_req *r, int status)
{
    spd_str_addz(&r->out, "</div>\n</main>\n</body>\n</html>\n");
    r->status = status;
    r->type = "text/html; charset=utf-8";
}

static bool wants_json(const struct spd_web_req *r)
{
    return spd_sv_find(spd_web_header(r, "Accept"), SPD_SV("application/json"), NULL);
}

/* Turns the problem that was answered into a page that a person can read. */
static void problem_page(struct spd_web_req *r, const char *sentence)
{
    int status = r->status;
    if (wants_json(r)) return;
    head(r, r->dutch ? "Melding" : "Alert");
    tag(&r->out, "<p class=\"level\">", spd_sv_from(sentence), "</p>\n");
    spd_str_addf(&r->out, "<p><a class=\"button\" href=\"/alerts\">%s</a></p>\n",
                 r->dutch ? "Alle meldingen" : "All alerts");
    foot(r, status);
}

static bool load(struct spd_web_req *r, struct link *l)
{
    struct spd_query *q = spd_web_db(r);
    struct spd_err err = {0};
    int64_t id;
    if (q) {
        struct spd_store *s = spd_query_store(q);
        enum spd_rc rc =
            spd_store_find_one(s, SPD_KEY_PAGE_TOKEN, spd_sha256_hex(r->arena, r->name), &id, &err);
        if (!rc) rc = spd_get_page(s, id, &l->page, r->arena, &err);
        if (!rc) rc = spd_get_alert(s, l->page.alert, &l->alert, r->arena, &err);
        if (!rc) return true;
        spd_web_store_failed(r, rc);
    }
    problem_page(r, r->status == 404
                        ? (r->dutch ? "Deze link bestaat niet of geldt niet meer."
                                    : "This link does not exist or is no longer valid.")
                        : (r->dutch ? "De gegevens zijn nu niet bereikbaar. Bel zo nodig."
                                    : "The data cannot be reached now. Phone if needed."));
    return false;
}

static bool needs_login(const struct spd_web_req *r, const struct link *l)
{
    return r->who.by == SPD_BY_NOBODY && l->page.to_team.len &&
           !spd_sv_eq(l->page.to_team, l->page.person);
}

static void form(struct spd_web_req *r, const struct link *l)
{
    struct spd_str *s = &r->out;
    if (needs_login(r, l)) {
        spd_str_addf(s,
                     "<p class=\"note\">%s</p>\n<p><a class=\"button primary\" "
                     "href=\"/login?next=/a/%.*s\">%s</a></p>\n",
                     r->dutch ? "Deze melding ging naar een team: meld u eerst aan."
                              : "This alert went to a team: log in first.",
                     SPD_SV_ARG(r->name), r->dutch ? "Aanmelden" : "Log in");
        return;
    }
    spd_str_addf(s, "<form method=\"post\" action=\"/a/%.*s\">\n", SPD_SV_ARG(r->name));
    if (r->who.by == SPD_BY_COOKIE) {
        tag(s, "<input type=\"hidden\" name=\"csrf\" value=\"", r->who.csrf, "\">\n");
    }
    spd_str_addf(s,
                 "<label>%s <input name=\"note\" maxlength=\"500\" autocomplete=\"off\"></label>\n",
                 r->dutch ? "Opmerking" : "Note");
    spd_str_addf(s, "<button class=\"primary\" type=\"submit\">%s</button>\n</form>\n",
                 r->dutch ? "Gezien, ik neem dit" : "Seen, I take this");
}

static void show(struct spd_web_req *r, const struct link *l, int status)
{
    const struct spd_alert *a = &l->alert;
    struct spd_str *s = &r->out;
    struct spd_civil t = spd_zone_civil(r->web->host.site.zone, a->ack_at);
    char level[32];
    spd_web_level(r->web, a->level, level);
    head(r, r->dutch ? "Melding" : "Alert");
    tag(s, "<p class=\"level\">", spd_sv_from(level), "</p>\n");
    tag(s, "<p>", r->dutch ? a->text_nl : a->text_en, "</p>\n");
    if (!a->radiologist_read && !a->report_available)
        spd_str_addf(s, "<p class=\"note\">%s</p>\n",
                     r->dutch ? "AI-vermoeden, nog niet door een radioloog beoordeeld."
                              : "Suspected by AI, not yet read by a radiologist.");
    if (a->ack_at) {
        tag(s, r->dutch ? "<p class=\"note\">Gezien door " : "<p class=\"note\">Seen by ",
            a->ack_by.len ? a->ack_by : SPD_SV("?"), "");
        spd_str_addf(s, ", %02d:%02d.</p>\n", t.hour, t.minute);
    } else if (!spd_alert_open((enum spd_alert_state)a->state)) {
        spd_str_addf(s, "<p class=\"note\">%s</p>\n",
                     r->dutch ? "Deze melding is gesloten." : "This alert is closed.");
        tag(s, "<p class=\"note\">", a->closed_reason, "</p>\n");
    } else {
        form(r, l);
    }
    foot(r, status);
}

void spd_web_h_page_link(struct spd_web_req *r)
{
    struct link l;
    if (load(r, &l)) show(r, &l, 200);
}

/* A logged-in browser has to prove that the form is ours; without a session the token alone is the
 * proof. A hook is a program, whatever link it has come by: it acknowledges nothing. */
static void forget_forged(struct spd_web_req *r)
{
    if (!(r->who.roles & SPD_ROLE_PEOPLE)) r->who = (struct spd_web_who){0};
    if (r->who.by != SPD_BY_COOKIE) return;
    spd_sv csrf = spd_web_header(r, "X-CSRF-Token");
    if (!csrf.len) csrf = spd_web_form(r->arena, spd_str_sv(&r->body), "csrf");
    if (!spd_web_same_origin(r) || !spd_same_secret(csrf, r->who.csrf))
        r->who = (struct spd_web_who){0};
}

static bool cross_site(const struct spd_web_req *r)
{
    return spd_sv_is(spd_web_header(r, "Sec-Fetch-Site"), "cross-site");
}

void spd_web_h_page_ack(struct spd_web_req *r)
{
    struct spd_action_event a = {
        .verb = SPD_ACT_ACKNOWLEDGE, .how = SPD_SV("link"), .token = r->name};
    struct spd_event event = {.type = SPD_EVENT_ACTION, .u.action = &a};
    struct spd_web_done done;
    struct link l;
    forget_forged(r);
    if (!load(r, &l)) return;
    if (cross_site(r) || needs_login(r, &l)) {
        bool login = !cross_site(r);
        spd_web_problem(r, login ? 401 : 403, login ? "login_needed" : "csrf", SPD_SV_NONE);
        if (!wants_json(r)) show(r, &l, r->status);
        return;
    }
    a.alert = l.alert.id;
    a.text = spd_web_form(r->arena, spd_str_sv(&r->body), "note");
    if (a.text.len > 500) a.text = SPD_SV_NONE;
    spd_web_action(r, &a);
    if (!spd_web_submit(r, &event, &done)) {
        spd_sv said = spd_arena_dup(r->arena, spd_sv_from(done.text));
        problem_page(r, said.len   ? said.ptr
                        : r->dutch ? "Het is niet vastgelegd. Probeer opnieuw of bel."
                                   : "It was not recorded. Try again or phone.");
        return;
    }
    if (wants_json(r)) {
        spd_web_done_json(r, &done);
        return;
    }
    spd_web_set(r, "Location", spd_arena_printf(r->arena, "/a/%.*s", SPD_SV_ARG(r->name)));
    r->status = 303; /* so that a reload does not post again */
}
