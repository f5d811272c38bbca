/* src/web/problem.c: every error of the API as RFC 9457 problem+json, in Dutch or English, with a
 * code that programs may rely on. A detail never repeats what the client sent. */
#include "web/web_int.h"

static const struct problem {
    const char *code, *nl, *en;
} problems[] = {
    {"bad_request", "Het verzoek is niet leesbaar.", "The request cannot be read."},
    {"bad_json", "De inhoud is geen geldige JSON.", "The body is not valid JSON."},
    {"bad_value", "Een waarde ontbreekt of is ongeldig.", "A value is missing or not valid."},
    {"login_needed", "Meld u eerst aan.", "Log in first."},
    {"login_failed", "Naam of wachtwoord klopt niet.", "The name or the password is not right."},
    {"login_slow", "Te veel mislukte pogingen; wacht even.",
     "Too many failed attempts; wait a moment."},
    {"forbidden", "Uw rol staat dit niet toe.", "Your role does not allow this."},
    {"csrf", "Het verzoek komt niet aantoonbaar van deze pagina; laad de pagina opnieuw.",
     "The request cannot be shown to come from this page; reload the page."},
    {"not_found", "Dat bestaat niet.", "There is no such thing."},
    {"no_draft", "Er is geen conceptverslag.", "There is no draft report."},
    {"method", "Die methode bestaat hier niet.", "That method does not exist here."},
    {"conflict", "Dat kan in deze toestand niet.", "That is not possible in this state."},
    {"stale", "Er is intussen iets veranderd; kijk opnieuw.",
     "Something has changed meanwhile; look again."},
    {"precondition_required", "Hier ontbreekt een voorwaarde (If-Match).",
     "A condition is missing here (If-Match)."},
    {"too_large", "Het verzoek is te groot.", "The request is too large."},
    {"unsupported_type", "Dit soort inhoud wordt hier niet gelezen.",
     "This type of content is not read here."},
    {"busy", "Te druk; probeer het zo opnieuw.", "Too busy; try again in a moment."},
    {"not_committed", "Het kon niet worden vastgelegd.", "It could not be committed."},
    {"no_store", "De gegevens zijn nu niet bereikbaar.", "The data cannot be reached now."},
    {"internal", "Er ging hier iets mis.", "Something went wrong here."},
};

static const char *title(int status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 422:
        return "Unprocessable Content";
    case 428:
        return "Precondition Required";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    case 507:
        return "Insufficient Storage";
    default:
        return "Internal Server Error";
    }
}

static void begin(struct spd_web_req *r, int status, const char *code, spd_sv detail)
{
    const struct problem *p = NULL;
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++)
        if (strcmp(problems[i].code, code) == 0) p = &problems[i];
    spd_str_clear(&r->out);
    spd_j_open(&r->out, NULL, '{');
    spd_j_text(&r->out, "type", spd_arena_printf(r->arena, "urn:spoed:problem:%s", code));
    spd_j_z(&r->out, "title", title(status));
    spd_j_int(&r->out, "status", status);
    if (!detail.len && p) detail = spd_sv_from(r->dutch ? p->nl : p->en);
    spd_j_text(&r->out, "detail", detail);
    spd_j_z(&r->out, "code", code);
    r->status = status;
    r->type = "application/problem+json";
    if (status == 503) spd_web_set(r, "Retry-After", SPD_SV("1"));
    if (status == 401) spd_web_set(r, "WWW-Authenticate", SPD_SV("Bearer realm=\"spoed\""));
}

void spd_web_problem(struct spd_web_req *r, int status, const char *code, spd_sv detail)
{
    begin(r, status, code, detail);
    spd_str_addz(&r->out, "}\n");
}

void spd_web_bad_value(struct spd_web_req *r, const char *field)
{
    begin(r, 422, "bad_value", SPD_SV_NONE);
    spd_j_z(&r->out, "field", field);
    spd_str_addz(&r->out, "}\n");
}

bool spd_web_committed(struct spd_web_req *r, enum spd_rc rc, const struct spd_web_done *done)
{
    static const struct {
        enum spd_rc rc;
        int status;
        const char *code;
    } map[] = {
        {SPD_DENIED, 403, "forbidden"},  {SPD_NOTFOUND, 404, "not_found"},
        {SPD_EXISTS, 409, "conflict"},   {SPD_STALE, 412, "stale"},
        {SPD_INVALID, 422, "bad_value"}, {SPD_UNKNOWN, 428, "precondition_required"},
    };
    if (rc) { /* of the queue or of the commit: nothing was done */
        if (rc == SPD_AGAIN || rc == SPD_LIMIT || rc == SPD_DENIED)
            spd_web_problem(r, 503, "busy", SPD_SV_NONE);
        else if (rc == SPD_IO)
            spd_web_problem(r, 507, "not_committed", SPD_SV_NONE);
        else
            spd_web_problem(r, 500, "internal", SPD_SV_NONE);
        return false;
    }
    if (done->rc == SPD_OK) return true;
    for (size_t i = 0; i < sizeof map / sizeof *map; i++) {
        if (map[i].rc != done->rc) continue;
        begin(r, map[i].status, map[i].code, spd_sv_from(done->text));
        if (done->reason[0]) spd_j_z(&r->out, "reason", done->reason);
        if (done->holder[0]) spd_j_z(&r->out, "holder", done->holder);
        if (done->revision) spd_j_int(&r->out, "revision", done->revision);
        spd_str_addz(&r->out, "}\n");
        return false;
    }
    spd_web_problem(r, 500, "internal", SPD_SV_NONE);
    return false;
}
