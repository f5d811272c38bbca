/* src/rules/policy_test.c: the `tests:` of policy files, run on facts alone.
 *
 * A small stand-in for the core: it moves a clock over every moment at which something may change,
 * raises by max_wait, starts an alert when a rule first says yes and stops it when somebody
 * acknowledges. It knows no models.d: `ai` is "pending" until the first event brings a result.
 * Times count from the moment that the images are complete; that is Monday 2026-01-05 10:00 in the
 * test's time zone unless `start:` says. */
#include "rules/policy.h"

#include <stdio.h>

enum { MAX_EVENTS = 200, MAX_ALERTS = 64, MAX_TURNS = 5000 };

struct happening {
    spd_usec at;
    const struct spd_yaml *node;
};
struct running {
    spd_sv rule, concept, site, laterality;
    spd_usec started;
    const struct spd_step *steps;
    size_t n_steps, done;
};
struct paged {
    spd_sv to;
};

struct run {
    const struct spd_policy *p;
    struct spd_arena *arena;
    struct spd_err *err;
    struct spd_facts facts;
    struct spd_code *procedures;
    struct spd_fact_result results[MAX_EVENTS];
    struct happening events[MAX_EVENTS];
    size_t n_events, next_event;
    struct running alerts[MAX_ALERTS];
    size_t n_alerts;
    struct paged paged[MAX_ALERTS * 4];
    size_t n_paged;
    int level, raised; /* raised: the level that waiting alone has reached; 0 none */
    spd_usec raise_at;
    bool acknowledged;
    struct spd_decided decided;
};

/* ---- reading the study and its events -------------------------------------------------------- */
static enum spd_rc word(const struct spd_yaml *map, const char *key, const char *const *names,
                        void *ret, struct spd_err *err)
{
    const struct spd_yaml *node = spd_yaml_get(map, key);
    int w;
    enum spd_rc rc = node ? spd_yaml_word(node, names, &w, err) : SPD_OK;
    if (!rc && node) memcpy(ret, &w, sizeof w);
    return rc;
}

static enum spd_rc text(const struct spd_yaml *map, const char *key, spd_sv *ret,
                        struct spd_err *err)
{
    const struct spd_yaml *node = spd_yaml_get(map, key);
    return node ? spd_yaml_text(node, ret, err) : SPD_OK;
}

/* "age: 60y" as a birth date that long before the start. */
static enum spd_rc read_age(struct run *r, const struct spd_yaml *study)
{
    const struct spd_yaml *age = spd_yaml_get(study, "age");
    struct spd_civil c = spd_zone_civil(r->facts.zone, r->facts.start);
    int64_t years;
    if (!age) return SPD_OK;
    if (age->kind != SPD_YAML_TEXT || age->text.len < 2 ||
        age->text.ptr[age->text.len - 1] != 'y' ||
        !spd_sv_to_i64(spd_sv_of(age->text.ptr, age->text.len - 1), &years) || years < 0 ||
        years > 120)
        return spd_yaml_fail(age, r->err, "expected an age in years, such as 60y");
    r->facts.birth_date = spd_arena_printf(r->arena, "%04d%02d01", c.year - (int)years, c.month);
    return SPD_OK;
}

static enum spd_rc read_start(struct run *r, const struct spd_yaml *study)
{
    spd_sv zone = SPD_SV("Europe/Amsterdam"), start = SPD_SV_NONE;
    enum spd_rc rc;
    if ((rc = text(study, "time_zone", &zone, r->err)) ||
        (rc = text(study, "start", &start, r->err)))
        return rc;
    r->facts.zone = spd_zone_get(zone.ptr);
    if (!r->facts.zone)
        return spd_yaml_fail(study, r->err,
                             "unknown time zone: use a name such as Europe/Amsterdam");
    r->facts.start = spd_zone_to_utc(r->facts.zone, 2026, 1, 5, 10, 0, 0, 0);
    if (start.len && !spd_time_parse_iso(start, &r->facts.start))
        return spd_yaml_fail(spd_yaml_get(study, "start"), r->err,
                             "expected a time such as 2026-01-05T22:00+01:00");
    return SPD_OK;
}

static enum spd_rc read_study(struct run *r, const struct spd_yaml *study)
{
    static const char *const keys[] = {
        "modality",       "body_part", "region",  "location",   "patient_class",
        "procedure",      "sex",       "age",     "birth_date", "order",
        "order_priority", "report",    "reading", "images",     "start",
        "time_zone",      NULL};
    struct spd_facts *f = &r->facts;
    const struct spd_yaml *codes;
    spd_sv *v;
    size_t n;
    enum spd_rc rc;
    if ((rc = spd_yaml_keys(study, keys, r->err)) || (rc = read_start(r, study)) ||
        (rc = read_age(r, study)) || (rc = text(study, "modality", &f->modality, r->err)) ||
        (rc = text(study, "body_part", &f->body_part, r->err)) ||
        (rc = text(study, "region", &f->region, r->err)) ||
        (rc = text(study, "location", &f->location, r->err)) ||
        (rc = text(study, "patient_class", &f->patient_class, r->err)) ||
        (rc = text(study, "sex", &f->sex, r->err)) ||
        (rc = text(study, "birth_date", &f->birth_date, r->err)) ||
        (rc = word(study, "order", spd_priority_names, &f->order_priority, r->err)) ||
        (rc = word(study, "order_priority", spd_priority_names, &f->order_priority, r->err)) ||
        (rc = word(study, "report", spd_report_axis_names, &f->report, r->err)) ||
        (rc = word(study, "reading", spd_reading_axis_names, &f->reading, r->err)) ||
        (rc = word(study, "images", spd_images_axis_names, &f->images, r->err)))
        return rc;
    if (!f->report) f->report = SPD_REPORT_NONE;
    if (!f->reading) f->reading = SPD_READING_UNREAD;
    if (!f->images) f->images = SPD_IMAGES_COMPLETE;
    if (!(codes = spd_yaml_get(study, "procedure"))) return SPD_OK;
    if ((rc = spd_yaml_texts(codes, &v, &n, r->arena, r->err))) return rc;
    f->procedures = r->procedures = SPD_NEW_N(r->arena, struct spd_code, n + 1);
    for (size_t i = 0; i < n; i++)
        r->procedures[i].code = v[i];
    f->n_procedures = n;
    return SPD_OK;
}

static enum spd_rc read_events(struct run *r, const struct spd_yaml *list)
{
    static const char *const keys[] = {
        "at",   "model",  "finding", "probability", "state",    "site",        "laterality",
        "mode", "report", "reading", "order",       "location", "acknowledge", NULL};
    enum spd_rc rc = spd_yaml_list(list, r->err);
    for (const struct spd_yaml *c = rc ? NULL : list->child; c; c = c->next) {
        struct happening *h = &r->events[r->n_events];
        const struct spd_yaml *at = spd_yaml_get(c, "at");
        if ((rc = spd_yaml_keys(c, keys, r->err))) return rc;
        if (!at)
            return spd_yaml_fail(c, r->err,
                                 "\"at\" is missing: the time since the images, such as 90s");
        if (++r->n_events > MAX_EVENTS)
            return spd_yaml_fail(c, r->err, "more than %d events in one test", MAX_EVENTS);
        if ((rc = spd_yaml_duration(at, &h->at, r->err))) return rc;
        h->at += r->facts.start, h->node = c;
        if (r->n_events > 1 && h[-1].at > h->at)
            return spd_yaml_fail(at, r->err, "events stand in order of time");
    }
    return rc;
}

static enum spd_rc add_result(struct run *r, const struct spd_yaml *e, spd_usec at)
{
    struct spd_fact_result *x = &r->results[r->facts.n_results];
    struct spd_finding *finding = SPD_NEW(r->arena, struct spd_finding);
    const struct spd_yaml *probability = spd_yaml_get(e, "probability");
    enum spd_rc rc;
    x->mode = SPD_MODE_LIVE, x->at = at, x->result_id = (int64_t)r->facts.n_results + 1;
    x->state = spd_yaml_get(e, "finding") ? SPD_AI_POSITIVE : SPD_AI_NEGATIVE;
    finding->probability = -1;
    if ((rc = text(e, "model", &x->model, r->err)) ||
        (rc = word(e, "mode", spd_mode_names, &x->mode, r->err)) ||
        (rc = word(e, "state", spd_ai_state_names, &x->state, r->err)) ||
        (rc = text(e, "finding", &finding->concept, r->err)) ||
        (rc = text(e, "site", &finding->site, r->err)) ||
        (rc = text(e, "laterality", &finding->laterality, r->err)) ||
        (probability && (rc = spd_yaml_probability(probability, &finding->probability, r->err))))
        return rc;
    finding->present = x->state == SPD_AI_POSITIVE ? SPD_PRESENT_YES
                       : x->state == SPD_AI_NEGATIVE || x->state == SPD_AI_NORMAL
                           ? SPD_PRESENT_NO
                           : SPD_PRESENT_UNCLEAR;
    if (finding->concept.len) x->findings = finding, x->n_findings = 1;
    r->facts.results = r->results;
    r->facts.n_results++;
    return SPD_OK;
}

static enum spd_rc happen(struct run *r, const struct happening *h)
{
    const struct spd_yaml *e = h->node, *ack = spd_yaml_get(e, "acknowledge");
    enum spd_rc rc;
    if ((rc = word(e, "report", spd_report_axis_names, &r->facts.report, r->err)) ||
        (rc = word(e, "reading", spd_reading_axis_names, &r->facts.reading, r->err)) ||
        (rc = word(e, "order", spd_priority_names, &r->facts.order_priority, r->err)) ||
        (rc = text(e, "location", &r->facts.location, r->err)) ||
        (ack && (rc = spd_yaml_bool(ack, &r->acknowledged, r->err))))
        return rc;
    if (spd_yaml_get(e, "model") || spd_yaml_get(e, "finding") || spd_yaml_get(e, "state"))
        return add_result(r, e, h->at);
    return SPD_OK;
}

/* ---- moving the clock ------------------------------------------------------------------------ */
static void start_alerts(struct run *r)
{
    for (size_t i = 0; i < r->decided.n_hits; i++) {
        const struct spd_hit *h = &r->decided.hits[i];
        const struct spd_finding none = {0}, *x = h->finding ? h->finding : &none;
        bool known = false;
        if (h->answer != SPD_YES || h->shadow || !h->n_steps || r->n_alerts == MAX_ALERTS) continue;
        for (size_t k = 0; k < r->n_alerts; k++) {
            const struct running *a = &r->alerts[k];
            known |= spd_sv_eq(a->rule, h->rule) && spd_sv_eq(a->concept, x->concept) &&
                     spd_sv_eq(a->site, x->site) && spd_sv_eq(a->laterality, x->laterality);
        }
        if (known || r->facts.report >= SPD_REPORT_FINAL)
            continue; /* domain §7: a discrepancy, no page */
        if (h->result && r->facts.now - h->result->at > r->p->ai_age) continue;
        r->alerts[r->n_alerts++] = (struct running){
            h->rule, x->concept, x->site, x->laterality, r->facts.now, h->steps, h->n_steps, 0};
    }
}

static void page(struct run *r, struct running *a)
{
    for (; a->done < a->n_steps && a->started + a->steps[a->done].after <= r->facts.now;
         a->done++) {
        const struct spd_step *s = &a->steps[a->done];
        if (r->acknowledged || (s->if_unread && r->facts.reading != SPD_READING_UNREAD)) continue;
        if (r->n_paged < sizeof r->paged / sizeof *r->paged) r->paged[r->n_paged++].to = s->to;
    }
}

static void decide(struct run *r)
{
    const struct spd_policy *p = r->p;
    spd_policy_eval(p, &r->facts, r->arena, &r->decided);
    if (!r->level || r->decided.level < r->level) {
        spd_usec due =
            p->max_wait[r->decided.level] ? r->facts.start + p->max_wait[r->decided.level] : 0;
        r->level = r->decided.level;
        if (due && (!r->raise_at || due < r->raise_at)) r->raise_at = due;
    }
    while (r->raise_at && r->raise_at <= r->facts.now && r->level > 1) { /* domain §8 */
        r->raised = --r->level;
        r->raise_at = p->max_wait[r->level] ? r->raise_at + p->max_wait[r->level] : 0;
    }
    start_alerts(r);
    for (size_t i = 0; i < r->n_alerts; i++)
        page(r, &r->alerts[i]);
}

static void earlier(spd_usec *best, spd_usec t, spd_usec now)
{
    if (t > now && t < *best) *best = t;
}

/* Up to and including `until`. */
static enum spd_rc advance(struct run *r, spd_usec until, const struct spd_yaml *node)
{
    enum spd_rc rc;
    for (int turn = 0; turn < MAX_TURNS; turn++) {
        spd_usec next = until;
        while (r->next_event < r->n_events && r->events[r->next_event].at <= r->facts.now)
            if ((rc = happen(r, &r->events[r->next_event++]))) return rc;
        decide(r);
        if (r->facts.now >= until) return SPD_OK;
        if (r->next_event < r->n_events) earlier(&next, r->events[r->next_event].at, r->facts.now);
        earlier(&next, r->decided.next, r->facts.now);
        if (r->level > 1) earlier(&next, r->raise_at, r->facts.now);
        for (size_t i = 0; i < r->n_alerts; i++)
            if (r->alerts[i].done < r->alerts[i].n_steps)
                earlier(&next, r->alerts[i].started + r->alerts[i].steps[r->alerts[i].done].after,
                        r->facts.now);
        r->facts.now = next;
    }
    return spd_yaml_fail(node, r->err, "the test takes more than %d steps: shorten it", MAX_TURNS);
}

/* ---- comparing ------------------------------------------------------------------------------- */
static bool has_reason(const struct run *r, spd_sv id)
{
    if (spd_sv_is(id, "max_wait")) return r->raised != 0;
    for (size_t i = 0; i < r->decided.n_hits; i++)
        if (r->decided.hits[i].answer == SPD_YES && !r->decided.hits[i].shadow &&
            spd_sv_eq(r->decided.hits[i].rule, id))
            return true;
    return false;
}

static bool cannot_tell(const struct run *r, spd_sv id)
{
    for (size_t i = 0; i < r->decided.n_hits; i++)
        if (r->decided.hits[i].answer == SPD_CANNOT_TELL && spd_sv_eq(r->decided.hits[i].rule, id))
            return true;
    return false;
}

static bool was_paged(const struct run *r, spd_sv to)
{
    for (size_t i = 0; i < r->n_paged; i++)
        if (spd_sv_eq(r->paged[i].to, to)) return true;
    return false;
}

static bool not_reason(const struct run *r, spd_sv id)
{
    return !has_reason(r, id);
}

static bool not_paged(const struct run *r, spd_sv to)
{
    return !was_paged(r, to);
}

/* The most urgent state of what has come; pending before anything has. */
static const char *ai_state(const struct run *r)
{
    int best = 0;
    for (size_t i = 0; i < r->facts.n_results; i++)
        if (!best || (int)r->results[i].state < best) best = (int)r->results[i].state;
    return best ? spd_ai_state_names[best] : "pending";
}

static enum spd_rc compare_level(struct run *r, const struct spd_yaml *e)
{
    const struct spd_yaml *level = spd_yaml_get(e, "level"), *ai = spd_yaml_get(e, "ai");
    spd_sv got = spd_policy_level_name(r->p, r->level);
    if (level && !spd_policy_level_by_name(r->p, level->text))
        return spd_yaml_fail(level, r->err, "no such level");
    if (level && !spd_sv_eq(level->text, got))
        return spd_yaml_fail(level, r->err, "expected level %.*s, got %.*s",
                             SPD_SV_ARG(level->text), SPD_SV_ARG(got));
    if (ai && !spd_sv_is(ai->text, ai_state(r)))
        return spd_yaml_fail(ai, r->err, "expected ai %.*s, got %s", SPD_SV_ARG(ai->text),
                             ai_state(r));
    return SPD_OK;
}

static enum spd_rc compare_lists(struct run *r, const struct spd_yaml *e)
{
    static const struct {
        const char *key, *complaint, *none;
        bool (*holds)(const struct run *r, spd_sv v);
    } lists[] = {{"reasons", "this rule gives no reason", "expected no reason at all", has_reason},
                 {"not_reasons", "this rule gives a reason", NULL, not_reason},
                 {"cannot_tell", "this rule is not undecided", NULL, cannot_tell},
                 {"alerts", "not paged by then", "expected nobody to be paged", was_paged},
                 {"not_alerts", "was paged by then", NULL, not_paged}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const struct spd_yaml *node = spd_yaml_get(e, lists[i].key), *c;
        bool any = i == 0 ? r->decided.n_hits > 0 || r->raised : r->n_paged > 0;
        spd_sv *v;
        size_t n;
        enum spd_rc rc;
        if (!node) continue;
        if ((rc = spd_yaml_texts(node, &v, &n, r->arena, r->err))) return rc;
        if (!n && lists[i].none && any) return spd_yaml_fail(node, r->err, "%s", lists[i].none);
        c = node->kind == SPD_YAML_LIST ? node->child : node;
        for (size_t k = 0; k < n; k++, c = c->next)
            if (!lists[i].holds(r, v[k]))
                return spd_yaml_fail(c, r->err, "%.*s: %s", SPD_SV_ARG(v[k]), lists[i].complaint);
    }
    return SPD_OK;
}

static enum spd_rc run_test(struct run *r, const struct spd_yaml *test)
{
    static const char *const keys[] = {"name", "study", "events", "expect", NULL};
    static const char *const expect_keys[] = {
        "at", "level", "ai", "reasons", "not_reasons", "cannot_tell", "alerts", "not_alerts", NULL};
    const struct spd_yaml *study = spd_yaml_get(test, "study"),
                          *events = spd_yaml_get(test, "events"),
                          *expect = spd_yaml_get(test, "expect");
    enum spd_rc rc;
    if ((rc = spd_yaml_keys(test, keys, r->err))) return rc;
    if (!study || !expect)
        return spd_yaml_fail(test, r->err, "a test needs \"study\" and \"expect\"");
    if ((rc = read_study(r, study)) || (events && (rc = read_events(r, events))) ||
        (rc = spd_yaml_list(expect, r->err)))
        return rc;
    r->facts.now = r->facts.start;
    for (const struct spd_yaml *e = expect->child; e; e = e->next) {
        const struct spd_yaml *at = spd_yaml_get(e, "at");
        spd_usec t = 0;
        if ((rc = spd_yaml_keys(e, expect_keys, r->err))) return rc;
        if (at && (rc = spd_yaml_duration(at, &t, r->err))) return rc;
        if (r->facts.start + t < r->facts.now)
            return spd_yaml_fail(e, r->err, "expectations stand in order of time");
        if ((rc = advance(r, r->facts.start + t, e)) || (rc = compare_level(r, e)) ||
            (rc = compare_lists(r, e)))
            return rc;
    }
    return SPD_OK;
}

enum spd_rc spd_policy_test(const struct spd_policy *p,
                            void (*say)(void *ctx, const char *name, bool passed, const char *text),
                            void *ctx, size_t *ret_passed, size_t *ret_failed)
{
    *ret_passed = *ret_failed = 0;
    for (size_t i = 0; i < p->n_tests; i++) {
        struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
        struct run *r;
        struct spd_err err = {0};
        const struct spd_yaml *name = spd_yaml_get(p->tests[i], "name");
        char line[sizeof err.place + sizeof err.text + 3];
        enum spd_rc rc;
        if (!arena) spd_out_of_memory();
        r = SPD_NEW(arena, struct run);
        r->p = p, r->arena = arena, r->err = &err;
        rc = run_test(r, p->tests[i]);
        snprintf(line, sizeof line, "%s: %s", err.place, err.text);
        if (say)
            say(ctx, name && name->kind == SPD_YAML_TEXT ? name->text.ptr : "(no name)", !rc,
                rc ? line : "");
        if (rc)
            ++*ret_failed;
        else
            ++*ret_passed;
        spd_arena_free(arena);
    }
    return *ret_failed ? SPD_INVALID : SPD_OK;
}
