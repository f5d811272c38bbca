/* src/rules/policy.c: load a policy from its files. See rules.h and docs/policy.md.
 *
 * The files of a policy are one text: their order changes nothing but the hash's input order, rule
 * ids are unique over all, and a setting stands in one of them. All memory is one arena. */
#include "rules/policy.h"

#include <stdlib.h>

#include "base/hash.h"

enum { MAX_RULES = 2000, MAX_STEPS = 32, MAX_MEMORY = 64 << 20 };

struct load {
    struct spd_policy *p;
    const struct spd_source *files;
    size_t n;
    struct spd_yaml **roots;
    struct spd_err *err;
};

/* ---- settings ------------------------------------------------------------------------------- */
/* The one file that has the key; *ret NULL when none has. */
static enum spd_rc once(struct load *l, const char *key, const struct spd_yaml **ret)
{
    *ret = NULL;
    for (size_t i = 0; i < l->n; i++) {
        const struct spd_yaml *node = spd_yaml_get(l->roots[i], key);
        if (node && *ret)
            return spd_yaml_fail_key(node, l->err, "\"%s\" stands in another file too: keep one",
                                     key);
        if (node) *ret = node;
    }
    return SPD_OK;
}

static bool good_id(spd_sv id)
{
    if (!id.len || id.len > 64) return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (i && (c == '-' || c == '_' || c == '.'))))
            return false;
    }
    return true;
}

static enum spd_rc load_levels(struct load *l)
{
    struct spd_policy *p = l->p;
    const struct spd_yaml *node;
    spd_sv *names;
    size_t n;
    enum spd_rc rc = once(l, "levels", &node);
    if (rc) return rc;
    if (!node) {
        p->levels[0] = SPD_SV("critical"), p->levels[1] = SPD_SV("urgent");
        p->levels[2] = SPD_SV("expedited"), p->levels[3] = SPD_SV("routine");
        p->n_levels = 4;
        return SPD_OK;
    }
    if ((rc = spd_yaml_texts(node, &names, &n, p->arena, l->err))) return rc;
    if (n < 1 || n > SPD__MAX_LEVELS)
        return spd_yaml_fail(node, l->err, "name 1 to 8 levels, the most urgent first");
    for (size_t i = 0; i < n; i++) {
        if (!good_id(names[i]))
            return spd_yaml_fail(node, l->err, "a level is a word of letters, digits, - and _");
        if (spd_policy_level_by_name(p, names[i]))
            return spd_yaml_fail(node, l->err, "the same level stands here twice");
        p->levels[p->n_levels++] = names[i];
    }
    return SPD_OK;
}

static enum spd_rc read_level(const struct spd_policy *p, const struct spd_yaml *node, int *ret,
                              struct spd_err *err)
{
    const char *names[SPD__MAX_LEVELS + 1] = {NULL};
    enum spd_rc rc;
    for (int i = 0; i < p->n_levels; i++)
        names[i] = p->levels[i].ptr;
    if ((rc = spd_yaml_word(node, names, ret, err))) return rc;
    ++*ret;
    return SPD_OK;
}

static enum spd_rc load_max_wait(struct load *l)
{
    static const spd_usec standard[] = {SPD_MIN(15), SPD_MIN(60), SPD_HOUR(4), SPD_HOUR(24)};
    struct spd_policy *p = l->p;
    const struct spd_yaml *node;
    enum spd_rc rc = once(l, "max_wait", &node);
    if (rc) return rc;
    if (!node) {
        for (int i = 0; i < 4 && p->n_levels == 4; i++)
            p->max_wait[i + 1] = standard[i];
        return SPD_OK;
    }
    if ((rc = spd_yaml_map(node, l->err))) return rc;
    for (const struct spd_yaml *c = node->child; c; c = c->next) {
        int level = spd_policy_level_by_name(p, c->key);
        if (!level)
            return spd_yaml_fail_key(c, l->err, "no such level: use the names under levels");
        if ((rc = spd_yaml_duration(c, &p->max_wait[level], l->err))) return rc;
    }
    for (int i = 2; i <= p->n_levels; i++)
        if (p->max_wait[i] && p->max_wait[i - 1] > p->max_wait[i])
            return spd_yaml_fail(node, l->err,
                                 "a more urgent level may not wait longer than a less urgent one");
    return SPD_OK;
}

static enum spd_rc load_order_levels(struct load *l)
{
    static const int standard[SPD_PRIORITY_N] = {8, 2, 3, 3, 8};
    struct spd_policy *p = l->p;
    const struct spd_yaml *node;
    enum spd_rc rc = once(l, "order_levels", &node);
    if (rc) return rc;
    for (int i = 0; i < SPD_PRIORITY_N; i++)
        p->order_level[i] = standard[i] < p->n_levels ? standard[i] : p->n_levels;
    if (!node) return SPD_OK;
    if ((rc = spd_yaml_keys(node, spd_priority_names + 1, l->err))) return rc;
    for (const struct spd_yaml *c = node->child; c; c = c->next)
        if ((rc = read_level(p, c, &p->order_level[spd_enum_from(spd_priority_names, c->key)],
                             l->err)))
            return rc;
    p->order_level[0] = p->order_level[SPD_PRIORITY_ROUTINE];
    return SPD_OK;
}

static enum spd_rc load_settings(struct load *l)
{
    struct spd_policy *p = l->p;
    const struct spd_yaml *node;
    enum spd_rc rc;
    if ((rc = load_levels(l)) || (rc = load_max_wait(l)) || (rc = load_order_levels(l))) return rc;
    p->ai_age = SPD_HOUR(2), p->repeat = SPD_MIN(5),
    p->unmatched_to = SPD_SV("radiologist-on-duty");
    if ((rc = once(l, "ai_age", &node)) ||
        (node && (rc = spd_yaml_duration(node, &p->ai_age, l->err))))
        return rc;
    if ((rc = once(l, "repeat", &node)) ||
        (node && (rc = spd_yaml_duration(node, &p->repeat, l->err))))
        return rc;
    if (p->repeat < SPD_SEC(1)) return spd_yaml_fail(node, l->err, "repeat at most once a second");
    if ((rc = once(l, "unmatched_to", &node)) ||
        (node && (rc = spd_yaml_text(node, &p->unmatched_to, l->err))))
        return rc;
    return SPD_OK;
}

/* ---- alerts: the forms of design §5, flattened to steps ----------------------------------------
 */
struct steps {
    struct spd_step *v;
    size_t n;
    struct spd_arena *arena;
};

static enum spd_rc add_step(struct steps *s, const struct spd_yaml *node, spd_usec after,
                            bool if_unread, struct spd_err *err)
{
    const struct spd_yaml *to = spd_yaml_get(node, "to"), *all = spd_yaml_get(node, "all");
    struct spd_step *step;
    bool everybody = false;
    enum spd_rc rc;
    if (!to)
        return spd_yaml_fail(node, err,
                             "\"to\" is missing: name a team or a person of people.yaml");
    if (s->n == MAX_STEPS)
        return spd_yaml_fail(node, err, "more than %d steps in one alert", MAX_STEPS);
    step = &s->v[s->n++];
    if ((rc = spd_yaml_text(to, &step->to, err))) return rc;
    if (all && (rc = spd_yaml_bool(all, &everybody, err))) return rc;
    step->after = after, step->if_unread = if_unread, step->all = everybody;
    return SPD_OK;
}

static enum spd_rc read_escalation(struct steps *s, const struct spd_yaml *list, bool if_unread,
                                   spd_usec entry_after, struct spd_err *err)
{
    static const char *const keys[] = {"after", "to", "all", NULL};
    enum spd_rc rc = spd_yaml_list(list, err);
    for (const struct spd_yaml *c = rc ? NULL : list->child; c && !rc; c = c->next) {
        const struct spd_yaml *after = spd_yaml_get(c, "after");
        spd_usec at = 0;
        if ((rc = spd_yaml_keys(c, keys, err))) break;
        if (!after)
            return spd_yaml_fail(c, err,
                                 "\"after\" is missing: the time since the first page, such as 5m");
        if ((rc = spd_yaml_duration(after, &at, err))) break;
        if (at <= entry_after)
            return spd_yaml_fail(after, err,
                                 "an escalation comes after the page that it escalates");
        rc = add_step(s, c, at, if_unread, err);
    }
    return rc;
}

static enum spd_rc read_entry(struct steps *s, const struct spd_yaml *node, struct spd_err *err)
{
    static const char *const keys[] = {"to", "when", "if_unread", "all", "escalate", NULL};
    static const char *const whens[] = {"on_ai", NULL};
    const struct spd_yaml *when = spd_yaml_get(node, "when"),
                          *unread = spd_yaml_get(node, "if_unread"),
                          *escalate = spd_yaml_get(node, "escalate");
    spd_usec after = 0;
    int word;
    enum spd_rc rc;
    if ((rc = spd_yaml_keys(node, keys, err)) ||
        (when && (rc = spd_yaml_word(when, whens, &word, err))) ||
        (unread && (rc = spd_yaml_duration(unread, &after, err))) ||
        (rc = add_step(s, node, after, unread != NULL, err)))
        return rc;
    return escalate ? read_escalation(s, escalate, unread != NULL, after, err) : SPD_OK;
}

static enum spd_rc load_alert(struct spd__rule *rule, const struct spd_yaml *node,
                              struct spd_arena *arena, struct spd_err *err)
{
    struct steps s = {SPD_NEW_N(arena, struct spd_step, MAX_STEPS), 0, arena};
    enum spd_rc rc = SPD_OK;
    if (node->kind == SPD_YAML_MAP)
        rc = read_entry(&s, node, err);
    else if (!(rc = spd_yaml_list(node, err)))
        for (const struct spd_yaml *c = node->child; c && !rc; c = c->next)
            rc = read_entry(&s, c, err);
    if (rc) return rc;
    if (!s.n)
        return spd_yaml_fail(node, err,
                             "an alert with nobody in it: name a team or remove the key");
    for (size_t i = 1; i < s.n; i++) /* insertion keeps the file's order where times are equal */
        for (size_t k = i; k && s.v[k - 1].after > s.v[k].after; k--) {
            struct spd_step t = s.v[k];
            s.v[k] = s.v[k - 1], s.v[k - 1] = t;
        }
    rule->steps = s.v, rule->n_steps = s.n;
    return SPD_OK;
}

/* ---- rules ---------------------------------------------------------------------------------- */
static enum spd_rc load_title(struct spd__rule *rule, const struct spd_yaml *node,
                              struct spd_err *err)
{
    static const char *const keys[] = {"nl", "en", NULL};
    const struct spd_yaml *nl, *en;
    enum spd_rc rc;
    rule->title_nl = rule->title_en = rule->id;
    if (!node) return SPD_OK;
    if (node->kind == SPD_YAML_TEXT) {
        rc = spd_yaml_text(node, &rule->title_nl, err);
        rule->title_en = rule->title_nl;
        return rc;
    }
    if ((rc = spd_yaml_keys(node, keys, err))) return rc;
    nl = spd_yaml_get(node, "nl"), en = spd_yaml_get(node, "en");
    if (!nl && !en) return spd_yaml_fail(node, err, "a title needs nl, en or both");
    if ((rc = spd_yaml_text(nl ? nl : en, &rule->title_nl, err))) return rc;
    return spd_yaml_text(en ? en : nl, &rule->title_en, err);
}

static enum spd_rc load_unless(struct spd__rule *rule, const struct spd_yaml *node,
                               struct spd_arena *arena, struct spd_err *err)
{
    enum spd_rc rc = SPD_OK;
    rule->unless_node = node;
    if (!node) return SPD_OK;
    if (node->kind == SPD_YAML_LIST) {
        rule->unless = SPD_NEW_N(arena, struct spd__cond, node->n + 1);
        for (const struct spd_yaml *c = node->child; c && !rc; c = c->next) {
            if (c->kind == SPD_YAML_MAP && !c->n)
                return spd_yaml_fail(c, err, "an empty unless would exclude everything");
            rc = spd__cond_parse(c, NULL, &rule->unless[rule->n_unless++], arena, err);
        }
        return rc;
    }
    if (node->kind == SPD_YAML_MAP && !node->n)
        return spd_yaml_fail(node, err, "an empty unless would exclude everything");
    rule->unless = SPD_NEW(arena, struct spd__cond);
    rule->n_unless = 1;
    return spd__cond_parse(node, NULL, rule->unless, arena, err);
}

static enum spd_rc load_notes(struct spd__rule *rule, const struct spd_yaml *node,
                              struct spd_err *err)
{
    static const char *const states[] = {"active", "shadow", "off", NULL};
    const struct spd_yaml *state = spd_yaml_get(node, "state"),
                          *owner = spd_yaml_get(node, "owner"),
                          *review = spd_yaml_get(node, "review_by");
    spd_usec t;
    char iso[32] = "";
    int word = 0;
    enum spd_rc rc;
    if (state && (rc = spd_yaml_word(state, states, &word, err))) return rc;
    rule->state = (enum spd__rule_state)word;
    if (owner && (rc = spd_yaml_text(owner, &rule->owner, err))) return rc;
    if (!review) return SPD_OK;
    if ((rc = spd_yaml_text(review, &rule->review_by, err))) return rc;
    if (rule->review_by.len == 10)
        memcpy(iso, rule->review_by.ptr, 10), memcpy(iso + 10, "T00:00Z", 7);
    if (!spd_time_parse_iso(spd_sv_from(iso), &t))
        return spd_yaml_fail(review, err, "expected a day such as 2027-01-31");
    return SPD_OK;
}

static enum spd_rc load_rule(struct load *l, const struct spd_yaml *node)
{
    static const char *const keys[] = {"id",     "title", "when",  "unless",    "level", "alert",
                                       "repeat", "state", "owner", "review_by", NULL};
    struct spd_policy *p = l->p;
    struct spd__rule *rule = &p->rules[p->n_rules];
    const struct spd_yaml *id, *when, *level, *alert, *repeat;
    enum spd_rc rc;
    if ((rc = spd_yaml_keys(node, keys, l->err))) return rc;
    id = spd_yaml_get(node, "id"), when = spd_yaml_get(node, "when"),
    level = spd_yaml_get(node, "level");
    alert = spd_yaml_get(node, "alert"), repeat = spd_yaml_get(node, "repeat");
    if (!id) return spd_yaml_fail(node, l->err, "\"id\" is missing: a rule needs a name");
    if ((rc = spd_yaml_text(id, &rule->id, l->err))) return rc;
    if (!good_id(rule->id))
        return spd_yaml_fail(id, l->err, "an id is at most 64 letters, digits, - _ and .");
    for (size_t i = 0; i < p->n_rules; i++)
        if (spd_sv_eq(p->rules[i].id, rule->id))
            return spd_yaml_fail(id, l->err, "another rule has the same id");
    if (!when)
        return spd_yaml_fail(node, l->err,
                             "\"when\" is missing: say which items the rule is about");
    if (!level && !alert)
        return spd_yaml_fail(node, l->err, "a rule needs a level, an alert or both");
    rule->node = node, rule->repeat = p->repeat;
    if ((rc = load_title(rule, spd_yaml_get(node, "title"), l->err)) ||
        (rc = spd__cond_parse(when, NULL, &rule->when, p->arena, l->err)) ||
        (rc = load_unless(rule, spd_yaml_get(node, "unless"), p->arena, l->err)) ||
        (level && (rc = read_level(p, level, &rule->level, l->err))) ||
        (alert && (rc = load_alert(rule, alert, p->arena, l->err))) ||
        (repeat && (rc = spd_yaml_duration(repeat, &rule->repeat, l->err))) ||
        (rc = load_notes(rule, node, l->err)))
        return rc;
    if (rule->repeat < SPD_SEC(1))
        return spd_yaml_fail(repeat, l->err, "repeat at most once a second");
    p->n_rules++;
    return SPD_OK;
}

static int by_level(const void *a, const void *b)
{
    const struct spd__rule *x = a, *y = b;
    int lx = x->level ? x->level : SPD__MAX_LEVELS + 1,
        ly = y->level ? y->level : SPD__MAX_LEVELS + 1;
    return lx != ly ? lx - ly : spd_sv_cmp(x->id, y->id);
}

static enum spd_rc load_rules(struct load *l)
{
    struct spd_policy *p = l->p;
    size_t rules = 0, tests = 0;
    enum spd_rc rc = SPD_OK;
    for (size_t i = 0; i < l->n; i++) {
        const struct spd_yaml *r = spd_yaml_get(l->roots[i], "rules"),
                              *t = spd_yaml_get(l->roots[i], "tests");
        if ((r && (rc = spd_yaml_list(r, l->err))) || (t && (rc = spd_yaml_list(t, l->err))))
            return rc;
        rules += r ? r->n : 0, tests += t ? t->n : 0;
        if (rules > MAX_RULES) return spd_yaml_fail(r, l->err, "more than %d rules", MAX_RULES);
    }
    p->rules = SPD_NEW_N(p->arena, struct spd__rule, rules + 1);
    p->tests = SPD_NEW_N(p->arena, const struct spd_yaml *, tests + 1);
    for (size_t i = 0; i < l->n; i++) {
        const struct spd_yaml *r = spd_yaml_get(l->roots[i], "rules"),
                              *t = spd_yaml_get(l->roots[i], "tests");
        for (const struct spd_yaml *c = r ? r->child : NULL; c; c = c->next)
            if ((rc = load_rule(l, c))) return rc;
        for (const struct spd_yaml *c = t ? t->child : NULL; c; c = c->next)
            p->tests[p->n_tests++] = c;
    }
    qsort(p->rules, p->n_rules, sizeof *p->rules, by_level);
    return SPD_OK;
}

/* ---- the whole ------------------------------------------------------------------------------ */
static spd_sv base_name(spd_sv path)
{
    for (size_t i = path.len; i; i--)
        if (path.ptr[i - 1] == '/') return spd_sv_of(path.ptr + i, path.len - i);
    return path;
}

/* Over names without their folder and texts with their lengths: the same on every node. */
static void set_hash(struct load *l)
{
    struct spd_str all = SPD_STR_INIT((size_t)256 << 20);
    for (size_t i = 0; i < l->n; i++) {
        spd_str_add(&all, base_name(l->files[i].name));
        spd_str_addf(&all, "\n%zu\n", l->files[i].text.len);
        spd_str_add(&all, l->files[i].text);
    }
    l->p->hash = spd_sha256_hex(l->p->arena, spd_str_sv(&all));
    spd_str_done(&all);
}

static enum spd_rc load_file(struct load *l, size_t i)
{
    static const char *const keys[] = {"policy", "levels", "max_wait",     "order_levels",
                                       "ai_age", "repeat", "unmatched_to", "rules",
                                       "tests",  NULL};
    const struct spd_yaml *version;
    int64_t v;
    enum spd_rc rc;
    if ((rc = spd_yaml_parse(&l->files[i], &l->roots[i], l->p->arena, l->err)) ||
        (rc = spd_yaml_keys(l->roots[i], keys, l->err)))
        return rc;
    version = spd_yaml_get(l->roots[i], "policy");
    if (!version) return spd_yaml_fail(l->roots[i], l->err, "begin with \"policy: 1\"");
    return spd_yaml_int(version, 1, 1, &v, l->err);
}

enum spd_rc spd_policy_load(const struct spd_source *files, size_t n, struct spd_policy **ret,
                            struct spd_err *err)
{
    struct spd_arena *arena = spd_arena_new(MAX_MEMORY);
    struct load l = {NULL, files, n, NULL, err};
    enum spd_rc rc = SPD_OK;
    if (!arena) spd_out_of_memory();
    if (!n || n > 256) {
        spd_arena_free(arena);
        return spd_fail(err, SPD_INVALID, "policy",
                        n ? "more than 256 policy files"
                          : "no policy file: name one under policy:");
    }
    l.p = SPD_NEW(arena, struct spd_policy);
    l.p->arena = arena;
    l.roots = SPD_NEW_N(arena, struct spd_yaml *, n);
    for (size_t i = 0; i < n && !rc; i++)
        rc = load_file(&l, i);
    if (rc || (rc = load_settings(&l)) || (rc = load_rules(&l))) {
        spd_arena_free(arena);
        return rc;
    }
    set_hash(&l);
    *ret = l.p;
    return SPD_OK;
}

void spd_policy_free(struct spd_policy *p)
{
    if (p) spd_arena_free(p->arena);
}

/* ---- what it says --------------------------------------------------------------------------- */
spd_sv spd_policy_hash(const struct spd_policy *p)
{
    return p->hash;
}
int spd_policy_levels(const struct spd_policy *p)
{
    return p->n_levels;
}
spd_usec spd_policy_ai_age(const struct spd_policy *p)
{
    return p->ai_age;
}
spd_usec spd_policy_repeat(const struct spd_policy *p)
{
    return p->repeat;
}
spd_sv spd_policy_unmatched_team(const struct spd_policy *p)
{
    return p->unmatched_to;
}
size_t spd_policy_rules(const struct spd_policy *p)
{
    return p->n_rules;
}

spd_sv spd_policy_level_name(const struct spd_policy *p, int level)
{
    return level >= 1 && level <= p->n_levels ? p->levels[level - 1] : SPD_SV("");
}

int spd_policy_level_by_name(const struct spd_policy *p, spd_sv name)
{
    for (int i = 0; i < p->n_levels; i++)
        if (spd_sv_eq(p->levels[i], name)) return i + 1;
    return 0;
}

spd_usec spd_policy_max_wait(const struct spd_policy *p, int level)
{
    return level >= 1 && level <= p->n_levels ? p->max_wait[level] : 0;
}

int spd_policy_order_level(const struct spd_policy *p, enum spd_priority priority)
{
    return p->order_level[(unsigned)priority < SPD_PRIORITY_N ? priority : 0];
}
