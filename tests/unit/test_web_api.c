/* tests/unit/test_web_api.c: what the API answers: a table of requests, and the shapes of design
 * §5. */
#define _GNU_SOURCE
#include "web_world.h"

static struct world *W;

static int setup(void **state)
{
    (void)state;
    W = world_new("");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_free(W);
    return 0;
}

/* clang-format off */
static const struct row {
    const char *name, *role, *method, *path, *headers, *body;
    int status;
    const char *has, *has_not;
} rows[] = {
    {"liveness", "", "GET", "/healthz", "", NULL, 200, "\"ok\"", NULL},
    {"liveness alias", "", "GET", "/-/healthy", "", NULL, 200, "\"ok\"", NULL},
    {"readiness in Dutch by default", "", "GET", "/readyz", "", NULL, 200, "beleid", NULL},
    {"readiness in English", "", "GET", "/-/ready", "Accept-Language: fr, en;q=0.8, nl;q=0.2\r\n", NULL, 200, "policy", NULL},
    {"metrics", "", "GET", "/metrics", "", NULL, 200, "spoed_items{status=\"arrived\"} ", "ZZCANARY"},
    {"metrics of the host", "", "GET", "/metrics", "", NULL, 200, "spoed_config_last_reload_successful 1", NULL},
    {"no such path", "", "GET", "/api/v1/nothing", "", NULL, 404, "\"code\":\"not_found\"", NULL},
    {"no such method", "reader", "PUT", "/api/v1/worklist", "", NULL, 405, "\"code\":\"method\"", NULL},
    {"id zero", "reader", "GET", "/api/v1/items/0", "", NULL, 404, "not_found", NULL},
    {"id too large", "reader", "GET", "/api/v1/items/99999999999999999999", "", NULL, 404, "not_found", NULL},
    {"worklist without login", "", "GET", "/api/v1/worklist", "", NULL, 401, "login_needed", "ACC1"},
    {"worklist with a wrong token", "nobody", "GET", "/api/v1/worklist", "", NULL, 401, "login_needed", NULL},
    {"worklist by modality", "reader", "GET", "/api/v1/worklist?modality=MR", "", NULL, 200, "\"ACC2\"", "\"ACC3\""},
    {"worklist by two modalities", "reader", "GET", "/api/v1/worklist?modality=MR,XA", "", NULL, 200, "\"ACC2\"", "\"ACC3\""},
    {"worklist by location", "reader", "GET", "/api/v1/worklist?location=SEH", "", NULL, 200, "\"ACC3\"", "\"ACC2\""},
    {"worklist ordered", "reader", "GET", "/api/v1/worklist?status=ordered", "", NULL, 200, "\"ACC8\"", "\"ACC1\""},
    {"worklist final, from the store", "reader", "GET", "/api/v1/worklist?status=final", "", NULL, 200, "\"ACC9\"", "\"ACC1\""},
    {"worklist wrong status", "reader", "GET", "/api/v1/worklist?status=xyz", "", NULL, 422, "\"field\":\"status\"", NULL},
    {"worklist wrong limit", "reader", "GET", "/api/v1/worklist?limit=0", "", NULL, 422, "\"field\":\"limit\"", NULL},
    {"worklist wrong cursor", "reader", "GET", "/api/v1/worklist?after=r1.2", "", NULL, 422, "\"field\":\"after\"", NULL},
    {"worklist for the hook", "hook", "GET", "/api/v1/worklist", "", NULL, 200, "\"rank\":1", NULL},
    {"shadow hidden from readers", "reader", "GET", "/api/v1/worklist", "", NULL, 200, "ich-a", "new-b"},
    {"shadow shown to managers", "manager", "GET", "/api/v1/worklist", "", NULL, 200, "new-b", NULL},
    {"a link that runs script is dropped", "manager", "GET", "/api/v1/worklist", "", NULL, 200, "\"link\":null", "javascript:"},
    {"reasons in English", "reader", "GET", "/api/v1/worklist", "Accept-Language: en-GB\r\n", NULL, 200, "AI: haemorrhage", "AI: bloeding"},
    {"observe banner", "reader", "GET", "/api/v1/worklist", "", NULL, 200, "\"observe\":[\"ris\"]", NULL},
    {"item", "reader", "GET", "/api/v1/items/1", "", NULL, 200, "\"decisions\":[{\"id\":1", "new-b"},
    {"item that only the store has", "reader", "GET", "/api/v1/items/9", "", NULL, 200, "\"status\":\"final\"", NULL},
    {"item messages without raw", "reader", "GET", "/api/v1/items/1", "", NULL, 200, "ORM^O01", "MSH|"},
    {"no such item", "reader", "GET", "/api/v1/items/4711", "", NULL, 404, "not_found", NULL},
    {"timeline", "reader", "GET", "/api/v1/items/1/timeline", "", NULL, 200, "\"kind\":\"decision\"", NULL},
    {"timeline of nothing", "reader", "GET", "/api/v1/items/4711/timeline", "", NULL, 404, "not_found", NULL},
    {"claim", "reader", "POST", "/api/v1/items/1/claim", "", "{}", 200, "\"revision\":", NULL},
    {"claim without a body", "reader", "POST", "/api/v1/items/1/claim", "", NULL, 200, "\"revision\":", NULL},
    {"claim by a clinician", "clinician", "POST", "/api/v1/items/1/claim", "", "{}", 403, "forbidden", NULL},
    {"claim by an admin: a reading act", "admin", "POST", "/api/v1/items/1/claim", "", "{}", 403, "forbidden", NULL},
    {"claim by a reporter", "reporter", "POST", "/api/v1/items/1/claim", "", "{}", 200, "revision", NULL},
    {"claim with another field", "reader", "POST", "/api/v1/items/1/claim", "", "{\"x\":1}", 422, "bad_value", NULL},
    {"priority needs a reason", "reader", "POST", "/api/v1/items/1/priority", "", "{\"level\":\"urgent\"}", 422, "\"field\":\"reason\"", NULL},
    {"priority with a blank reason", "reader", "POST", "/api/v1/items/1/priority", "", "{\"level\":\"urgent\",\"reason\":\"  \"}", 422, "reason", NULL},
    {"priority", "reader", "POST", "/api/v1/items/1/priority", "", "{\"level\":\"urgent\",\"reason\":\"belt\"}", 200, "revision", NULL},
    {"verdict", "reader", "POST", "/api/v1/items/1/verdict", "", "{\"verdict\":\"agree\"}", 200, "revision", NULL},
    {"verdict unknown", "reader", "POST", "/api/v1/items/1/verdict", "", "{\"verdict\":\"perhaps\"}", 422, "verdict", NULL},
    {"confirm a cancellation", "reader", "POST", "/api/v1/items/1/confirm-cancel", "", "{}", 200, "revision", NULL},
    {"reopen", "reader", "POST", "/api/v1/items/1/reopen", "", "{\"reason\":\"toch\"}", 200, "revision", NULL},
    {"draft", "reporter", "GET", "/api/v1/items/7/draft", "", NULL, 200, "Geen afwijkingen.", NULL},
    {"draft for a clinician", "clinician", "GET", "/api/v1/items/7/draft", "", NULL, 403, "forbidden", NULL},
    {"no draft says why", "reporter", "GET", "/api/v1/items/2/draft", "", NULL, 404, "niet alles is er", NULL},
    {"no draft says why in English", "reporter", "GET", "/api/v1/items/2/draft", "Accept-Language: en\r\n", NULL, 404, "not everything is there", NULL},
    {"accept without If-Match", "reporter", "POST", "/api/v1/items/7/draft/accept", "", "{}", 428, "precondition_required", NULL},
    {"accept any version", "reporter", "POST", "/api/v1/items/7/draft/accept", "If-Match: *\r\n", "{}", 428, "precondition_required", NULL},
    {"accept an old version", "reporter", "POST", "/api/v1/items/7/draft/accept", "If-Match: \"2\"\r\n", "{}", 412, "stale", NULL},
    {"accept a weak tag", "reporter", "POST", "/api/v1/items/7/draft/accept", "If-Match: W/\"3\"\r\n", "{}", 412, "stale", NULL},
    {"accept", "reporter", "POST", "/api/v1/items/7/draft/accept", "If-Match: \"3\"\r\n", "{\"text\":\"Zo.\"}", 200, "revision", NULL},
    {"accept a blank text", "reporter", "POST", "/api/v1/items/7/draft/accept", "If-Match: \"3\"\r\n", "{\"text\":\" \\n\"}", 422, "\"field\":\"text\"", NULL},
    {"accept an emptied text", "reporter", "POST", "/api/v1/items/7/draft/accept", "If-Match: \"3\"\r\n", "{\"text\":\"\"}", 422, "\"field\":\"text\"", NULL},
    {"reject an old version", "reporter", "POST", "/api/v1/items/7/draft/reject", "If-Match: \"x\"\r\n", "{\"reason\":\"x\"}", 412, "stale", NULL},
    {"reject needs no version", "reporter", "POST", "/api/v1/items/7/draft/reject", "", "{\"reason\":\"x\"}", 200, "revision", NULL},
    {"accept by a reader", "reader", "POST", "/api/v1/items/7/draft/accept", "If-Match: \"3\"\r\n", "{}", 403, "forbidden", NULL},
    {"accept by a clinician", "clinician", "POST", "/api/v1/items/7/draft/accept", "If-Match: \"3\"\r\n", "{}", 403, "forbidden", NULL},
    {"reject needs a reason", "reporter", "POST", "/api/v1/items/7/draft/reject", "", "{}", 422, "reason", NULL},
    {"undo", "reporter", "POST", "/api/v1/items/7/draft/undo", "", "{}", 200, "revision", NULL},
    {"parked", "reader", "GET", "/api/v1/parked", "", NULL, 200, "\"why_text\":\"geen onderzoek\"", NULL},
    {"assign without an item", "reader", "POST", "/api/v1/parked/1/assign", "", "{\"reason\":\"x\"}", 422, "\"field\":\"item\"", NULL},
    {"assign", "reader", "POST", "/api/v1/parked/1/assign", "", "{\"item\":1,\"reason\":\"gebeld\"}", 200, "revision", NULL},
    {"discard by the hook", "hook", "POST", "/api/v1/parked/1/discard", "", "{\"reason\":\"x\"}", 403, "forbidden", NULL},
    {"confirm a patient", "reader", "POST", "/api/v1/items/1/confirm_patient", "", "{\"reason\":\"gebeld\"}", 200, "revision", NULL},
    {"confirm a patient without a reason", "reader", "POST", "/api/v1/items/1/confirm_patient", "", "{}", 422, "\"field\":\"reason\"", NULL},
    {"merges", "reader", "GET", "/api/v1/merges", "", NULL, 200, "\"from\":{\"value\":\"ZZ1\",\"authority\":\"ZH\"}", NULL},
    {"merges for a clinician", "clinician", "GET", "/api/v1/merges", "", NULL, 403, "forbidden", NULL},
    {"undo a merge", "reader", "POST", "/api/v1/merges/1/undo", "", "{\"reason\":\"verkeerd\"}", 200, "revision", NULL},
    {"undo a merge without a reason", "reader", "POST", "/api/v1/merges/1/undo", "", "{}", 422, "\"field\":\"reason\"", NULL},
    {"undo a merge by an admin", "admin", "POST", "/api/v1/merges/1/undo", "", "{\"reason\":\"x\"}", 403, "forbidden", NULL},
    {"alerts", "clinician", "GET", "/api/v1/alerts?state=open", "", NULL, 200, "\"pages\":[{\"page_id\":\"p-1\"", NULL},
    {"alerts of a wrong state", "clinician", "GET", "/api/v1/alerts?state=xyz", "", NULL, 422, "\"field\":\"state\"", NULL},
    {"alert", "clinician", "GET", "/api/v1/alerts/1", "", NULL, 200, "\"value\":\"ACC1\"", NULL},
    {"no such alert", "clinician", "GET", "/api/v1/alerts/4711", "", NULL, 404, "not_found", NULL},
    {"acknowledge says how", "clinician", "POST", "/api/v1/alerts/1/acknowledge", "", "{}", 422, "\"field\":\"how\"", NULL},
    {"acknowledge by the hook", "hook", "POST", "/api/v1/alerts/1/acknowledge", "", "{\"how\":\"web\"}", 403, "forbidden", NULL},
    {"handover to nobody", "clinician", "POST", "/api/v1/alerts/1/handover", "", "{}", 422, "\"field\":\"to\"", NULL},
    {"decline", "clinician", "POST", "/api/v1/alerts/1/decline", "", "{\"reason\":\"OK\"}", 200, "revision", NULL},
    {"models", "reader", "GET", "/api/v1/models", "", NULL, 200, "\"models\":[{\"id\":\"ich-a\"", NULL},
    {"one model", "reader", "GET", "/api/v1/models/ich-a", "", NULL, 200, "\"id\":\"ich-a\"", NULL},
    {"no such model", "reader", "GET", "/api/v1/models/xyz", "", NULL, 404, "not_found", NULL},
    {"set a mode", "manager", "POST", "/api/v1/models/ich-a/mode", "", "{\"version\":\"2\",\"mode\":\"live\",\"reason\":\"x\"}", 200, "revision", NULL},
    {"set a mode by a reader", "reader", "POST", "/api/v1/models/ich-a/mode", "", "{\"version\":\"2\",\"mode\":\"live\",\"reason\":\"x\"}", 403, "forbidden", NULL},
    {"discrepancies", "manager", "GET", "/api/v1/discrepancies", "", NULL, 200, "\"discrepancies\":[]", NULL},
    {"alarms", "reader", "GET", "/api/v1/alarms", "", NULL, 200, "\"text\":\"stil\"", NULL},
    {"messages", "admin", "GET", "/api/v1/messages?peer=ris", "", NULL, 200, "\"type\":\"ORM^O01\"", "ZZCANARY"},
    {"messages of another peer", "admin", "GET", "/api/v1/messages?peer=xyz", "", NULL, 200, "\"messages\":[]", NULL},
    {"messages for a reader", "reader", "GET", "/api/v1/messages", "", NULL, 403, "forbidden", NULL},
    {"message masked", "admin", "GET", "/api/v1/messages/1", "", NULL, 200, "PID|*||", "ZZCANARY"},
    {"message raw for a manager", "manager", "GET", "/api/v1/messages/1?raw=1", "", NULL, 403, "forbidden", "ZZCANARY"},
    {"message raw", "admin", "GET", "/api/v1/messages/1?raw=1", "", NULL, 200, "ZZCANARY", NULL},
    {"process again", "admin", "POST", "/api/v1/messages/1/resend", "", "{}", 200, "\"revision\":101,\"answer\":\"AA\"", NULL},
    {"process again as nobody's", "admin", "POST", "/api/v1/messages/1/resend", "", "{\"peer\":\"xyz\"}", 422, "\"field\":\"peer\"", NULL},
    {"process again by a manager", "manager", "POST", "/api/v1/messages/1/resend", "", "{}", 403, "forbidden", NULL},
    {"queue", "admin", "GET", "/api/v1/queue", "", NULL, 200, "\"state\":\"dead\"", NULL},
    {"queue of a wrong state", "admin", "GET", "/api/v1/queue?state=xyz", "", NULL, 422, "\"field\":\"state\"", NULL},
    {"queue of a destination", "admin", "GET", "/api/v1/queue?destination=ris", "", NULL, 200, "\"state\":\"dead\"", NULL},
    {"queue of another one", "admin", "GET", "/api/v1/queue?destination=xyz", "", NULL, 200, "\"queue\":[]", NULL},
    {"queue row", "manager", "GET", "/api/v1/queue/1", "", NULL, 200, "\"wire\":", "ZZCANARY"},
    {"no such queue row", "manager", "GET", "/api/v1/queue/99", "", NULL, 404, "not_found", NULL},
    {"retry", "admin", "POST", "/api/v1/queue/1/retry", "", "{}", 200, "revision", NULL},
    {"queue discard without a reason", "admin", "POST", "/api/v1/queue/1/discard", "", "{}", 422, "\"field\":\"reason\"", NULL},
    {"queue discard", "admin", "POST", "/api/v1/queue/1/discard", "", "{\"reason\":\"x\"}", 200, "revision", NULL},
    {"destinations", "manager", "GET", "/api/v1/destinations", "", NULL, 200, "\"paused\":false,\"waiting\":0,\"sending\":0,\"dead\":1", NULL},
    {"destinations for a reader", "reader", "GET", "/api/v1/destinations", "", NULL, 403, "forbidden", NULL},
    {"pause", "admin", "POST", "/api/v1/destinations/ris/pause", "", "{\"reason\":\"x\"}", 200, "revision", NULL},
    {"pause by a manager", "manager", "POST", "/api/v1/destinations/ris/pause", "", "{}", 403, "forbidden", NULL},
    {"resume", "admin", "POST", "/api/v1/destinations/ris/resume", "", "{}", 200, "revision", NULL},
    {"users", "admin", "GET", "/api/v1/users", "", NULL, 200, "\"name\":\"reader1\"", "scrypt"},
    {"users for a manager", "manager", "GET", "/api/v1/users", "", NULL, 403, "forbidden", NULL},
    {"user with a wrong role", "admin", "POST", "/api/v1/users", "", "{\"name\":\"x\",\"roles\":[\"king\"],\"token\":\"t\"}", 422, "\"field\":\"roles\"", NULL},
    {"user without any way in", "admin", "POST", "/api/v1/users", "", "{\"name\":\"x\",\"roles\":[\"reader\"]}", 422, "password", NULL},
    {"find", "hook", "POST", "/api/v1/find", "", "{\"called\":\"A\"}", 200, "{\"revision\":9,\"answers\":[{\"00080050\"", NULL},
    {"find as files", "hook", "POST", "/api/v1/find?as=files", "", "{\"called\":\"A\"}", 200, "four", "revision"},
    {"find as something else", "hook", "POST", "/api/v1/find?as=xml", "", "{}", 422, "\"field\":\"as\"", NULL},
    {"find refused", "hook", "POST", "/api/v1/find", "", "{\"called\":\"bad\"}", 422, "bad_value", NULL},
    {"find by a reader", "reader", "POST", "/api/v1/find", "", "{}", 403, "forbidden", NULL},
    {"event of a wrong type", "hook", "POST", "/api/v1/events", "", "{\"type\":\"x\",\"study_uid\":\"1.2\"}", 422, "\"field\":\"type\"", NULL},
    {"event of a wrong uid", "hook", "POST", "/api/v1/events", "", "{\"type\":\"study_arrived\",\"study_uid\":\"a\"}", 422, "study_uid", NULL},
    {"event of a wrong time", "hook", "POST", "/api/v1/events", "", "{\"type\":\"study_arrived\",\"study_uid\":\"1\",\"at\":\"now\"}", 422, "\"at\"", NULL},
    {"position moved without a study", "hook", "POST", "/api/v1/events", "", "{\"type\":\"position\",\"position\":\"orthanc=43\"}", 200, "revision", NULL},
    {"position without a place", "hook", "POST", "/api/v1/events", "", "{\"type\":\"position\"}", 422, "\"position\"", NULL},
    {"position with a study", "hook", "POST", "/api/v1/events", "", "{\"type\":\"position\",\"position\":\"o=1\",\"study_uid\":\"1.2\"}", 422, "study_uid", NULL},
    {"position", "hook", "GET", "/api/v1/events/position?source=orthanc", "", NULL, 200, "\"position\":\"42\"", NULL},
    {"position not known", "hook", "GET", "/api/v1/events/position?source=x", "", NULL, 200, "\"position\":null", NULL},
    {"whoami", "reader", "GET", "/api/v1/session", "", NULL, 200, "\"roles\":[\"reader\"]", NULL},
    {"bad JSON", "reader", "POST", "/api/v1/items/1/claim", "", "{\"a\":}", 400, "bad_json", NULL},
    {"JSON array", "reader", "POST", "/api/v1/items/1/claim", "Content-Type: application/json\r\n", "[1]", 400, "bad_json", NULL},
    {"duplicate keys", "reader", "POST", "/api/v1/items/1/reopen", "", "{\"reason\":\"a\",\"reason\":\"b\"}", 400, "bad_json", NULL},
    {"trailing bytes", "reader", "POST", "/api/v1/items/1/claim", "", "{} x", 400, "bad_json", NULL},
    {"no UTF-8", "reader", "POST", "/api/v1/items/1/reopen", "", "{\"reason\":\"\xff\"}", 400, "bad_json", NULL},
    {"a form is no JSON", "reader", "POST", "/api/v1/items/1/claim", "Content-Type: application/x-www-form-urlencoded\r\n", "a=b", 415, "unsupported_type", NULL},
    {"root", "", "GET", "/", "", NULL, 302, "", NULL},
    {"worklist page", "", "GET", "/worklist", "", NULL, 200, "<!doctype html>", NULL},
    {"login page", "", "GET", "/login", "", NULL, 200, "<!doctype html>", NULL},
    {"asset", "", "GET", "/assets/app.css", "", NULL, 200, "{", NULL},
    {"asset outside", "", "GET", "/assets/..%2fopenapi.json", "", NULL, 404, "not_found", NULL},
    {"asset that is not the folder's", "", "GET", "/assets/%2Fopenapi.json", "", NULL, 404, "not_found", NULL},
    {"openapi", "", "GET", "/api/v1/openapi.json", "", NULL, 200, "\"3.1", NULL},
    {"head", "", "HEAD", "/healthz", "", NULL, 200, "", NULL},
};
/* clang-format on */

static void test_table(void **state)
{
    size_t bad = 0;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct answer a = ask(W, r->role, r->method, r->path, r->headers, r->body);
        bool ok = a.status == r->status &&
                  (!r->has || memmem(a.body, a.body_len, r->has, strlen(r->has))) &&
                  (!r->has_not || !memmem(a.body, a.body_len, r->has_not, strlen(r->has_not)));
        if (!ok)
            print_message("%s: %d, wanted %d with [%s] without [%s]:\n%.600s\n", r->name, a.status,
                          r->status, r->has ? r->has : "", r->has_not ? r->has_not : "", a.body),
                bad++;
        if (strcasestr(a.head, "json") && strcmp(r->method, "HEAD")) json_decref(json_of(&a));
        answer_free(&a);
    }
    assert_int_equal(bad, 0);
}

/* Every member that design §5 names is there, with its kind; nothing of the patient breaks the
 * JSON. */
static void test_item_shape(void **state)
{
    static const char *const members[] = {
        "id",         "rank",     "level",     "due",        "arrived",       "reasons",
        "accession",  "placer",   "filler",    "study_uids", "linked",        "patient",
        "procedures", "modality", "body_part", "location",   "patient_class", "order_priority",
        "ai",         "status",   "order",     "images",     "reading",       "report",
        "reader",     "draft",    "alert",     "no_draft",   "contradiction", "revision"};
    struct answer a = ask(W, "reader", "GET", "/api/v1/worklist", "", NULL);
    json_t *o = json_of(&a), *items = json_object_get(o, "items"), *i = json_array_get(items, 0),
           *ai, *f;
    char tag[64];
    (void)state;
    assert_int_equal(json_array_size(items), 7);
    for (size_t k = 0; k < sizeof members / sizeof *members; k++) {
        if (!json_object_get(i, members[k])) print_message("missing: %s\n", members[k]);
        assert_non_null(json_object_get(i, members[k]));
    }
    assert_int_equal(json_integer_value(json_object_get(i, "rank")), 1);
    assert_string_equal(json_string_value(json_object_get(i, "level")), "critical");
    assert_string_equal(json_string_value(json_object_get(i, "due")),
                        "2025-11-24T17:30:00.000+01:00");
    assert_string_equal(json_string_value(json_object_get(json_object_get(i, "patient"), "name")),
                        "ZZCANARY^Test " NASTY);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(i, "patient"), "birth_date")),
        "1970-01-02");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(i, "accession"), "issuer")), "ZH");
    ai = json_array_get(json_object_get(i, "ai"), 0);
    assert_string_equal(json_string_value(json_object_get(ai, "state")), "positive");
    f = json_array_get(json_object_get(ai, "findings"), 0);
    assert_string_equal(json_string_value(json_object_get(f, "concept")),
                        "intracranial-hemorrhage");
    assert_true(json_real_value(json_object_get(f, "probability")) > 0.9299 &&
                json_real_value(json_object_get(f, "probability")) < 0.9301);
    assert_non_null(strstr(a.body, "\"probability\":0.93,"));
    assert_true(json_is_true(json_object_get(o, "complete")));
    header_of(&a, "ETag", tag, sizeof tag);
    json_int_t revision = json_integer_value(json_object_get(o, "revision"));
    char want[64];
    snprintf(want, sizeof want, "\"%lld\"", (long long)revision);
    assert_string_equal(tag, want);
    json_decref(o);
    answer_free(&a);
}

static void test_conditional(void **state)
{
    char tag[64], header[128], path[128];
    struct answer a = ask(W, "reader", "GET", "/api/v1/worklist", "", NULL);
    (void)state;
    header_of(&a, "ETag", tag, sizeof tag);
    answer_free(&a);
    snprintf(header, sizeof header, "If-None-Match: %s\r\n", tag);
    a = ask(W, "reader", "GET", "/api/v1/worklist", header, NULL);
    assert_int_equal(a.status, 304);
    assert_int_equal(a.body_len, 0);
    answer_free(&a);
    a = ask(W, "reader", "POST", "/api/v1/items/1/claim", "", "{}");
    json_t *o = json_of(&a);
    long long made = json_integer_value(json_object_get(o, "revision"));
    json_decref(o);
    answer_free(&a);
    snprintf(path, sizeof path, "/api/v1/worklist?at_least=%lld", made);
    a = ask(W, "reader", "GET", path, header, NULL);
    assert_int_equal(a.status, 200);
    o = json_of(&a);
    assert_true(json_integer_value(json_object_get(o, "revision")) >= made);
    json_decref(o);
    answer_free(&a);
}

static void *claim_soon(void *arg)
{
    (void)arg;
    usleep(300000);
    struct answer a = ask(W, "reader", "POST", "/api/v1/items/1/claim", "", "{}");
    answer_free(&a);
    return NULL;
}

static void test_at_least_waits(void **state)
{
    char path[128];
    pthread_t t;
    (void)state;
    pthread_mutex_lock(&W->lock);
    long long next = W->revision + 1;
    pthread_mutex_unlock(&W->lock);
    pthread_create(&t, NULL, claim_soon, NULL);
    spd_usec from = spd_clock_monotonic();
    snprintf(path, sizeof path, "/api/v1/worklist?at_least=%lld&limit=1", next);
    struct answer a = ask(W, "reader", "GET", path, "", NULL);
    spd_usec took = spd_clock_monotonic() - from;
    pthread_join(t, NULL);
    assert_int_equal(a.status, 200);
    assert_true(took >= 200000 && took < SPD_SEC(5));
    answer_free(&a);
}

static void test_paging(void **state)
{
    char path[256] = "/api/v1/worklist?status=all&limit=2", seen[64] = "";
    size_t pages = 0;
    (void)state;
    for (;;) {
        struct answer a = ask(W, "reader", "GET", path, "", NULL);
        json_t *o = json_of(&a), *items = json_object_get(o, "items");
        assert_int_equal(a.status, 200);
        for (size_t i = 0; i < json_array_size(items); i++)
            snprintf(
                seen + strlen(seen), sizeof seen - strlen(seen), "%lld ",
                (long long)json_integer_value(json_object_get(json_array_get(items, i), "id")));
        const char *next = json_string_value(json_object_get(o, "next"));
        if (next) snprintf(path, sizeof path, "/api/v1/worklist?status=all&limit=2&after=%s", next);
        bool more = next != NULL;
        json_decref(o);
        answer_free(&a);
        assert_true(++pages < 20);
        if (!more) break;
    }
    assert_string_equal(seen, "1 2 3 4 5 6 7 8 9 ");
}

/* What the receipt says becomes the status; what the commit says too. */
static void test_refusals(void **state)
{
    static const struct {
        const char *name;
        enum spd_rc refuse, fail;
        int status;
        const char *has;
    } t[] = {
        {"denied", SPD_DENIED, SPD_OK, 403, "Zo is het."},
        {"not found", SPD_NOTFOUND, SPD_OK, 404, "\"reason\":\"key\""},
        {"held", SPD_EXISTS, SPD_OK, 409, "\"holder\":\"bakker\""},
        {"stale", SPD_STALE, SPD_OK, 412, "stale"},
        {"invalid", SPD_INVALID, SPD_OK, 422, "bad_value"},
        {"unknown", SPD_UNKNOWN, SPD_OK, 428, "precondition"},
        {"not committed", SPD_OK, SPD_IO, 507, "not_committed"},
        {"a bug", SPD_OK, SPD_BUG, 500, "internal"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        pthread_mutex_lock(&W->lock);
        W->refuse = t[i].refuse, W->fail = t[i].fail;
        pthread_mutex_unlock(&W->lock);
        struct answer a = ask(W, "reader", "POST", "/api/v1/items/1/claim", "", "{}");
        if (a.status != t[i].status || !strstr(a.body, t[i].has))
            print_message("%s: %d %s\n", t[i].name, a.status, a.body);
        assert_int_equal(a.status, t[i].status);
        assert_non_null(strstr(a.body, t[i].has));
        assert_non_null(strcasestr(a.head, "application/problem+json"));
        answer_free(&a);
    }
}

static void test_what_the_core_gets(void **state)
{
    struct answer a = ask(W, "reporter", "POST", "/api/v1/items/3/priority", "",
                          "{\"level\":\"urgent\",\"reason\":\"SEH belt\"}");
    (void)state;
    assert_int_equal(a.status, 200);
    answer_free(&a);
    pthread_mutex_lock(&W->lock);
    assert_int_equal(W->last.verb, SPD_ACT_PRIORITY);
    assert_int_equal(W->last.item, 3);
    assert_string_equal(W->last_by, "reporter1");
    assert_string_equal(W->last_roles, "reporter,");
    assert_string_equal(W->last_level, "urgent");
    assert_string_equal(W->last_reason, "SEH belt");
    size_t audits = W->audits;
    pthread_mutex_unlock(&W->lock);
    a = ask(W, "admin", "GET", "/api/v1/messages/1?raw=1", "", NULL);
    answer_free(&a);
    pthread_mutex_lock(&W->lock);
    assert_int_equal(W->audits, audits + 1);
    W->refuse = SPD_DENIED;
    pthread_mutex_unlock(&W->lock);
    a = ask(W, "admin", "GET", "/api/v1/messages/1?raw=1", "",
            NULL); /* no audit row, no raw bytes */
    assert_int_equal(a.status, 403);
    assert_null(strstr(a.body, "ZZCANARY"));
    answer_free(&a);
}

static void test_events(void **state)
{
    struct answer a = ask(W, "hook", "POST", "/api/v1/events", "",
                          "{\"type\":\"study_complete\",\"study_uid\":\"1.2.3\",\"accession\":"
                          "\"A9\",\"patient_ids\":[\"P\",{\"value\":\"Q\","
                          "\"authority\":\"XX\"}],\"instances\":[\"1.1\",\"1.2\"],\"at\":\"2025-11-"
                          "24T10:00:00Z\",\"position\":\"orthanc=43\"}");
    (void)state;
    assert_int_equal(a.status, 200);
    answer_free(&a);
    pthread_mutex_lock(&W->lock);
    assert_int_equal(W->last_type, SPD_EVENT_STUDY);
    assert_int_equal(W->last_study.complete, 1);
    assert_int_equal(W->last_study.instance_count, 2);
    assert_int_equal(W->last_study.patient_ids.n, 2);
    assert_true(W->last_study.source_time == (spd_usec)1763978400 * 1000000);
    assert_string_equal(W->last_peer, "hook1");
    assert_string_equal(W->last_position, "orthanc=43");
    pthread_mutex_unlock(&W->lock);
}

static void test_instances(void **state)
{
    static const char headers[] = "Content-Type: application/dicom\r\n";
    struct answer a = ask_on(dial_socket(W), "POST", "/api/v1/instances?ae_title=VENDOR1", headers,
                             "DICM\0\1", 6);
    (void)state;
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "\"outcome\":\"result\""));
    assert_non_null(strstr(a.body, "by orthanc for VENDOR1")); /* SO_PEERCRED says who */
    assert_non_null(strstr(a.body, "\"id\":6"));
    answer_free(&a);
    W->instance_rc = SPD_IO;
    a = ask_on(dial_socket(W), "POST", "/api/v1/instances", headers, "DICM", 4);
    assert_int_equal(a.status, 507);
    answer_free(&a);
    W->instance_rc = SPD_AGAIN;
    a = ask_on(dial_socket(W), "POST", "/api/v1/instances", headers, "DICM", 4);
    assert_int_equal(a.status, 503);
    answer_free(&a);
    W->instance_rc = SPD_OK;
    a = ask_on(dial_socket(W), "POST", "/api/v1/alerts/1/acknowledge",
               "Content-Type: application/json\r\n", "{\"how\":\"x\"}", 11);
    assert_int_equal(a.status, 403); /* a hook never acknowledges */
    answer_free(&a);
}

static void test_hl7(void **state)
{
    static const struct {
        const char *name, *headers, *body;
        enum spd_rc rc;
        int status;
        const char *has;
    } t[] = {
        {"answered", "Content-Type: application/hl7-v2\r\n", "MSH|", SPD_OK, 200,
         "{\"answer\":\"AR\",\"reason\":\"by orthanc\",\"revision\":4,"
         "\"ack\":\"MSH|^~\\\\&|Z\xc3\xbcrich\\rMSA|AR\\r\",\"response\":null}"},
        {"no acknowledgement wanted", "Content-Type: application/hl7-v2; charset=utf-8\r\n", "MSH|NE",
         SPD_OK, 200, "\"ack\":null"},
        {"no body", "Content-Type: application/hl7-v2\r\n", "", SPD_OK, 400, "bad_request"},
        {"another type", "Content-Type: application/json\r\n", "{}", SPD_OK, 415, "unsupported"},
        {"queue full", "Content-Type: application/hl7-v2\r\n", "MSH|", SPD_AGAIN, 503, "busy"},
        {"stopping", "Content-Type: application/hl7-v2\r\n", "MSH|", SPD_DENIED, 503, "busy"},
        {"not committed", "Content-Type: application/hl7-v2\r\n", "MSH|", SPD_IO, 507,
         "not_committed"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        W->instance_rc = t[i].rc;
        struct answer a = ask_on(dial_socket(W), "POST", "/api/v1/messages/hl7", t[i].headers,
                                 t[i].body, strlen(t[i].body));
        if (a.status != t[i].status || !strstr(a.body, t[i].has))
            print_message("%s: %d %s\n", t[i].name, a.status, a.body);
        assert_int_equal(a.status, t[i].status);
        assert_non_null(strstr(a.body, t[i].has));
        answer_free(&a);
    }
    W->instance_rc = SPD_OK;
    struct answer a = ask(W, "reader", "POST", "/api/v1/messages/hl7",
                          "Content-Type: application/hl7-v2\r\n", "MSH|");
    assert_int_equal(a.status, 403);
    answer_free(&a);
}

static void test_not_ready(void **state)
{
    (void)state;
    W->healthy = false;
    struct answer a = ask(W, "", "GET", "/readyz", "", NULL);
    assert_int_equal(a.status, 503);
    assert_non_null(strstr(a.body, "\"ready\":false"));
    answer_free(&a);
    W->healthy = true;
}

static void publish(bool complete)
{
    const struct spd_list *l = spd_board_get(W->board);
    int64_t revision = spd_list_revision(l);
    spd_list_unref(l);
    spd_board_publish(W->board, revision, WORLD_START, complete); /* nobody writes meanwhile */
}

static void test_incomplete(void **state)
{
    (void)state;
    publish(false);
    struct answer a = ask(W, "", "GET", "/readyz", "Accept-Language: en\r\n", NULL);
    publish(true);
    assert_int_equal(a.status, 200); /* the list serves */
    assert_non_null(strstr(a.body, "\"complete\":false"));
    assert_non_null(strstr(a.body, "\"todo\":\"keep the RIS's own open list"));
    answer_free(&a);
}

/* While the accounts cannot be read nobody is told to log in again. */
static void test_store_gone(void **state)
{
    char away[128];
    int status = 0;
    (void)state;
    snprintf(away, sizeof away, "%s.away", W->folder.db);
    assert_int_equal(rename(W->folder.db, away), 0);
    for (int i = 0; i < 40 && status != 503; i++) { /* until a worker comes that must open it anew */
        struct answer a = ask(W, "hook", "POST", "/api/v1/find", "", "{}");
        assert_int_not_equal(a.status, 401);
        status = a.status;
        answer_free(&a);
    }
    assert_int_equal(rename(away, W->folder.db), 0);
    assert_int_equal(status, 503);
    struct answer a = ask(W, "nobody", "GET", "/api/v1/worklist", "", NULL);
    assert_int_equal(a.status, 401);
    answer_free(&a);
}

static void test_users(void **state)
{
    struct answer a =
        ask(W, "admin", "POST", "/api/v1/users", "",
            "{\"name\":\"nieuw\",\"roles\":[\"reader\",\"reporter\"],\"token\":\"script\"}");
    char token[128], header[256];
    (void)state;
    assert_int_equal(a.status, 200);
    json_t *o = json_of(&a);
    snprintf(token, sizeof token, "%s", json_string_value(json_object_get(o, "token")));
    json_decref(o);
    answer_free(&a);
    snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", token);
    a = ask(W, "", "GET", "/api/v1/session", header, NULL);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "[\"reader\",\"reporter\"]"));
    answer_free(&a);
}

/* The link of a page: shown, escaped, acknowledged by POST only, a login where it went to a team.
 */
static void test_page_link(void **state)
{
    struct answer a = ask(W, "", "GET", "/a/TOKENTOKENTOKENTOKEN1", "", NULL);
    (void)state;
    assert_int_equal(a.status, 200);
    assert_null(strstr(a.body, "<script"));
    assert_non_null(strstr(a.body, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"));
    assert_non_null(strstr(a.body, "<form method=\"post\""));
    assert_null(strstr(a.body, "ZZCANARY"));
    assert_non_null(strcasestr(a.head, "default-src 'none'"));
    answer_free(&a);
    a = ask(W, "", "GET", "/a/TOKENTOKENTOKENTOKEN9", "", NULL);
    assert_int_equal(a.status, 404);
    answer_free(&a);
    a = ask(W, "", "GET", "/a/TOKENTOKENTOKENTOKEN2", "", NULL);
    assert_non_null(strstr(a.body, "/login?next=/a/TOKENTOKENTOKENTOKEN2"));
    answer_free(&a);
    a = ask(W, "", "POST", "/a/TOKENTOKENTOKENTOKEN2",
            "Content-Type: application/x-www-form-urlencoded\r\n", "note=");
    assert_int_equal(a.status, 401);
    answer_free(&a);
    a = ask(W, "hook", "POST", "/a/TOKENTOKENTOKENTOKEN2", "", NULL);
    assert_int_equal(a.status, 401); /* a program is not the person that a team's page asks for */
    answer_free(&a);
    a = ask(W, "", "POST", "/a/TOKENTOKENTOKENTOKEN1", "Sec-Fetch-Site: cross-site\r\n", NULL);
    assert_int_equal(a.status, 403);
    answer_free(&a);
    a = ask(W, "", "GET", "/api/v1/alerts/1", "Authorization: Bearer token-reader\r\n", NULL);
    assert_non_null(strstr(a.body, "\"acknowledged\":null")); /* looking did nothing */
    answer_free(&a);
    a = ask(W, "", "POST", "/a/TOKENTOKENTOKENTOKEN1",
            "Content-Type: application/x-www-form-urlencoded\r\n", "x=1&note=ik+kom%21");
    assert_int_equal(a.status, 303);
    answer_free(&a);
    pthread_mutex_lock(&W->lock);
    assert_int_equal(W->last.verb, SPD_ACT_ACKNOWLEDGE);
    assert_int_equal(W->last.alert, 1);
    assert_string_equal(W->last_token, "TOKENTOKENTOKENTOKEN1");
    assert_string_equal(W->last_how, "link");
    assert_string_equal(W->last_text, "ik kom!");
    pthread_mutex_unlock(&W->lock);
    a = ask(W, "", "GET", "/a/TOKENTOKENTOKENTOKEN1", "Accept-Language: en\r\n", NULL);
    assert_non_null(strstr(a.body, "Seen by smit"));
    assert_null(strstr(a.body, "<form"));
    answer_free(&a);
    a = ask(W, "clinician", "POST", "/a/TOKENTOKENTOKENTOKEN2", "Accept: application/json\r\n",
            NULL);
    assert_int_equal(a.status, 200);
    answer_free(&a);
}

static void test_assets(void **state)
{
    char tag[64], header[128];
    struct answer a = ask(W, "", "GET", "/assets/app.css", "", NULL);
    (void)state;
    assert_non_null(strcasestr(a.head, "Content-Type: text/css"));
    assert_non_null(strcasestr(a.head, "X-Content-Type-Options: nosniff"));
    header_of(&a, "ETag", tag, sizeof tag);
    answer_free(&a);
    snprintf(header, sizeof header, "If-None-Match: %s\r\n", tag);
    a = ask(W, "", "GET", "/assets/app.css", header, NULL);
    assert_int_equal(a.status, 304);
    answer_free(&a);
    a = ask(W, "reader", "GET", "/api/v1/worklist", "", NULL);
    assert_non_null(strcasestr(a.head, "Cache-Control: no-store"));
    answer_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_item_shape),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_conditional),
        cmocka_unit_test(test_at_least_waits),
        cmocka_unit_test(test_paging),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_what_the_core_gets),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_instances),
        cmocka_unit_test(test_hl7),
        cmocka_unit_test(test_not_ready),
        cmocka_unit_test(test_incomplete),
        cmocka_unit_test(test_store_gone),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_page_link),
        cmocka_unit_test(test_assets),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
