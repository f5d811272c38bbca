/* plugin/embed/submit.c: what a PACS or RIS tells the brain: orders, results, images that came; and
 * a reader's claims. */
#define _GNU_SOURCE
#include <stdio.h>

#include "embed.h"

enum { EVENT_MAX = 1 << 20 };

/* Posts, and reads the answer as JSON: owned. */
static enum spoed_code post(const struct spoed *s, const char *path, const char *type, spd_sv body,
                            struct spd_embed_doc *ret, struct spoed_error *err)
{
    struct spd_str answer = SPD_STR_INIT(SPD_EMBED_ANSWER_MAX);
    enum spoed_code code = spd_embed_call(s, "POST", path, type, body, 0, &answer, err);
    if (!code) code = spd_embed_json(spd_str_sv(&answer), ret, err);
    spd_str_done(&answer);
    return code;
}

static enum spoed_code usable(const struct spoed *s, const void *bytes, size_t size,
                              struct spoed_error *err)
{
    if (!s || !bytes || !size) return spd_embed_fail(err, SPOED_INVALID, "nothing to submit");
    if (size > SPD_EMBED_BODY_MAX) return spd_embed_fail(err, SPOED_TOO_LARGE, "more than 4 MiB");
    return SPOED_OK;
}

/* ---- orders ------------------------------------------------------------------------------- */
enum spoed_code spoed_submit_order(const struct spoed *s, const void *hl7, size_t size,
                                   struct spoed_order_answer *ret, struct spoed_error *err)
{
    struct spoed_order_answer a;
    const char *ack;
    struct spd_embed_doc d = {0};
    enum spoed_code code = usable(s, hl7, size, err);
    if (code) return code;
    if (!ret || !spd_embed_take(ret, &a, sizeof a) || (a.ack && !a.ack_room))
        return spd_embed_fail(err, SPOED_INVALID, "there is no room for the answer");
    code = post(s, "/api/v1/messages/hl7", "application/hl7-v2", spd_sv_of(hl7, size), &d, err);
    if (code) return code;
    spd_embed_copy(a.answer, sizeof a.answer, spd_embed_text(d.nodes, "answer"));
    spd_embed_copy(a.reason, sizeof a.reason, spd_embed_text(d.nodes, "reason"));
    a.revision = spd_embed_int(d.nodes, "revision");
    ack = spd_embed_text(d.nodes, "ack");
    a.ack_size = strlen(ack);
    if (a.ack && a.ack_size < a.ack_room)
        memcpy(a.ack, ack, a.ack_size + 1);
    else if (a.ack)
        a.ack[0] = 0;
    spd_embed_done(&d);
    spd_embed_give(ret, &a, sizeof a);
    return SPOED_OK;
}

/* ---- results ------------------------------------------------------------------------------ */
static enum spoed_outcome outcome_of(const char *word)
{
    static const char *const words[] = {"result", "parked", "not_a_result", "refused"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(word, words[i])) return (enum spoed_outcome)(SPOED_RESULT + i);
    return SPOED_OTHER;
}

enum spoed_code spoed_submit_result(const struct spoed *s, const void *dicom, size_t size,
                                    const char *ae_title, struct spoed_result_answer *ret,
                                    struct spoed_error *err)
{
    struct spoed_result_answer a = {0};
    struct spd_str path = SPD_STR_INIT(256);
    struct spd_embed_doc d = {0};
    enum spoed_code code = usable(s, dicom, size, err);
    if (code) return code;
    if (!spd_embed_room(ret, sizeof a))
        return spd_embed_fail(err, SPOED_INVALID, "there is no room for the answer");
    if (ae_title && strlen(ae_title) > 16)
        return spd_embed_fail(err, SPOED_INVALID, "the AE title is too long");
    spd_str_addz(&path, "/api/v1/instances");
    if (ae_title) spd_http_query(&path, "ae_title", spd_sv_from(ae_title));
    code = spd_str_ok(&path)
               ? post(s, path.ptr, "application/dicom", spd_sv_of(dicom, size), &d, err)
               : spd_embed_rc(err, path.rc, "out of memory");
    spd_str_done(&path);
    if (code) return code;
    a.outcome = outcome_of(spd_embed_text(d.nodes, "outcome"));
    a.id = spd_embed_int(d.nodes, "id");
    a.revision = spd_embed_int(d.nodes, "revision");
    spd_embed_copy(a.reason, sizeof a.reason, spd_embed_text(d.nodes, "reason"));
    spd_embed_done(&d);
    spd_embed_give(ret, &a, sizeof a);
    return SPOED_OK;
}

/* ---- studies ------------------------------------------------------------------------------ */
static bool add_text(struct spd_str *b, const char *name, const char *value)
{
    if (!spd_sv_is_utf8(spd_sv_from(value))) return false;
    if (b->len && b->ptr[b->len - 1] != '{' && b->ptr[b->len - 1] != '[') spd_str_addc(b, ',');
    if (name) spd_str_addf(b, "\"%s\":", name);
    spd_str_json(b, spd_sv_from(value));
    return true;
}

/* "value" in "authority", as the object that the API takes. */
static bool add_identifier(struct spd_str *b, const char *open, const char *value, const char *by,
                           const char *authority, const char *close)
{
    bool ok;
    spd_str_addz(b, open);
    ok = add_text(b, "value", value);
    if (ok && authority && authority[0]) ok = add_text(b, by, authority);
    spd_str_addz(b, close);
    return ok;
}

/* ISO 8601 in UTC; the civil date from the count of days, after Howard Hinnant's public
 * description. */
static void add_time(struct spd_str *b, int64_t t)
{
    int64_t s = t / 1000000, days = s / 86400, rest = s % 86400;
    int64_t z = days + 719468, era = z / 146097, doe = z % 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9;
    spd_str_addf(b, ",\"at\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\"",
                 (int)(yoe + era * 400 + (month <= 2)), (int)month,
                 (int)(doy - (153 * mp + 2) / 5 + 1), (int)(rest / 3600), (int)(rest / 60 % 60),
                 (int)(rest % 60), (int)(t % 1000000));
}

static bool study_json(const struct spoed_study *e, struct spd_str *b)
{
    static const int64_t latest = 253402300800000000; /* the year 10000 */
    bool ok = e->study_uid && e->study_uid[0] && e->at >= 0 && e->at < latest;
    if (!ok) return false;
    spd_str_addf(b, "{\"type\":\"study_%s\"", e->complete ? "complete" : "arrived");
    ok = add_text(b, "study_uid", e->study_uid);
    if (ok && e->accession && e->accession[0])
        ok =
            add_identifier(b, ",\"accession\":{", e->accession, "issuer", e->accession_issuer, "}");
    if (ok && e->patient_id && e->patient_id[0])
        ok = add_identifier(b, ",\"patient_ids\":[{", e->patient_id, "authority",
                            e->patient_authority, "}]");
    if (e->instances) {
        spd_str_addz(b, ",\"instances\":[");
        for (size_t i = 0; ok && spd_str_ok(b) && i < e->n_instances; i++)
            ok = e->instances[i] && add_text(b, NULL, e->instances[i]);
        spd_str_addc(b, ']');
    } else if (e->n_instances) {
        spd_str_addf(b, ",\"instances\":%zu", e->n_instances);
    }
    if (e->at) add_time(b, e->at);
    spd_str_addc(b, '}');
    return ok;
}

/* Posts something whose answer is its revision. */
static enum spoed_code act(const struct spoed *s, const char *path, spd_sv body,
                           int64_t *ret_revision, struct spoed_error *err)
{
    struct spd_embed_doc d = {0};
    enum spoed_code code = post(s, path, NULL, body, &d, err);
    if (code) return code;
    if (ret_revision) *ret_revision = spd_embed_int(d.nodes, "revision");
    spd_embed_done(&d);
    return SPOED_OK;
}

enum spoed_code spoed_announce_study(const struct spoed *s, const struct spoed_study *study,
                                     int64_t *ret_revision, struct spoed_error *err)
{
    struct spoed_study e;
    struct spd_str body = SPD_STR_INIT(EVENT_MAX);
    enum spoed_code code;
    if (!s || !study || !spd_embed_take(study, &e, sizeof e) || !study_json(&e, &body))
        code = spd_embed_fail(err, SPOED_INVALID, "the study cannot be announced like this");
    else if (!spd_str_ok(&body))
        code = spd_embed_rc(err, body.rc, "too many instances, or out of memory");
    else
        code = act(s, "/api/v1/events", spd_str_sv(&body), ret_revision, err);
    spd_str_done(&body);
    return code;
}

/* ---- claims ------------------------------------------------------------------------------- */
static enum spoed_code item_act(const struct spoed *s, int64_t item, const char *verb,
                                int64_t *ret_revision, struct spoed_error *err)
{
    char path[80];
    if (!s || item < 1) return spd_embed_fail(err, SPOED_INVALID, "no such item");
    snprintf(path, sizeof path, "/api/v1/items/%lld/%s", (long long)item, verb);
    return act(s, path, SPD_SV("{}"), ret_revision, err);
}

enum spoed_code spoed_claim(const struct spoed *s, int64_t item, int64_t *ret_revision,
                            struct spoed_error *err)
{
    return item_act(s, item, "claim", ret_revision, err);
}

enum spoed_code spoed_release(const struct spoed *s, int64_t item, int64_t *ret_revision,
                              struct spoed_error *err)
{
    return item_act(s, item, "release", ret_revision, err);
}
