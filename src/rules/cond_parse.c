/* src/rules/cond_parse.c: a condition from YAML. See cond.h. Every error says where and what is
 * expected. */
#include "rules/cond.h"

/* ---- ranges: ">= 0.60", "< 2h", "0.4..0.6", ">= 18y and < 65y" --------------------------------
 */
static bool read_age(spd_sv v, int64_t *ret, char *ret_unit)
{
    static const struct {
        const char *word;
        char unit;
        int times;
    } units[] = {{"y", 'y', 1}, {"mo", 'm', 1}, {"w", 'd', 7}, {"d", 'd', 1}};
    size_t n = 0;
    int64_t x;
    while (n < v.len && v.ptr[n] >= '0' && v.ptr[n] <= '9')
        n++;
    if (!n || !spd_sv_to_i64(spd_sv_of(v.ptr, n), &x) || x > 1000) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (spd_sv_is(spd_sv_of(v.ptr + n, v.len - n), units[i].word)) {
            *ret = x * units[i].times, *ret_unit = units[i].unit;
            return true;
        }
    return false;
}

/* after: the first whole step beyond the value, so that every range is lo <= v < hi. */
static bool read_bound(enum spd__kind kind, spd_sv v, bool after, int64_t *ret, char *ret_unit)
{
    *ret_unit = 0;
    v = spd_sv_trim(v);
    if (kind == SPD__PROBABILITY && (!spd_sv_to_micro(v, ret) || *ret < 0 || *ret > 1000000))
        return false;
    if (kind == SPD__SPAN && !spd_duration_parse(v, ret)) return false;
    if (kind == SPD__AGE && !read_age(v, ret, ret_unit)) return false;
    *ret += after;
    return true;
}

static bool read_part(enum spd__kind kind, spd_sv v, struct spd__range *r)
{
    size_t at;
    bool two, lower;
    v = spd_sv_trim(v);
    if (spd_sv_find(v, SPD_SV(".."), &at)) {
        if (r->has_lo || r->has_hi) return false;
        r->has_lo = r->has_hi = true;
        return read_bound(kind, spd_sv_of(v.ptr, at), false, &r->lo, &r->lo_unit) &&
               read_bound(kind, spd_sv_of(v.ptr + at + 2, v.len - at - 2), true, &r->hi,
                          &r->hi_unit);
    }
    if (v.len < 2 || (*v.ptr != '<' && *v.ptr != '>')) return false;
    two = v.ptr[1] == '=', lower = *v.ptr == '>';
    v = spd_sv_of(v.ptr + 1 + two, v.len - 1 - two);
    if (lower ? r->has_lo : r->has_hi) return false;
    if (lower) {
        r->has_lo = true;
        return read_bound(kind, v, !two, &r->lo, &r->lo_unit);
    }
    r->has_hi = true;
    return read_bound(kind, v, two, &r->hi, &r->hi_unit);
}

static bool read_range(enum spd__kind kind, spd_sv v, struct spd__range *r)
{
    size_t at;
    while (spd_sv_find(v, SPD_SV(" and "), &at)) {
        if (!read_part(kind, spd_sv_of(v.ptr, at), r)) return false;
        v = spd_sv_of(v.ptr + at + 5, v.len - at - 5);
    }
    if (!read_part(kind, v, r)) return false;
    return !(r->has_lo && r->has_hi && r->lo_unit == r->hi_unit && r->lo >= r->hi);
}

static bool read_clock(spd_sv v, int64_t *ret)
{
    int64_t h, m;
    v = spd_sv_trim(v);
    if (v.len != 5 || v.ptr[2] != ':' || !spd_sv_to_i64(spd_sv_of(v.ptr, 2), &h) ||
        !spd_sv_to_i64(spd_sv_of(v.ptr + 3, 2), &m) || h < 0 || h > 24 || m < 0 || m > 59 ||
        (h == 24 && m))
        return false;
    *ret = h * 60 + m;
    return true;
}

/* "17:00-08:00"; 24:00 is the end of the day. */
static bool read_hours(spd_sv v, struct spd__range *r)
{
    size_t at;
    return spd_sv_find(v, SPD_SV("-"), &at) && read_clock(spd_sv_of(v.ptr, at), &r->lo) &&
           read_clock(spd_sv_of(v.ptr + at + 1, v.len - at - 1), &r->hi) && r->lo != r->hi &&
           r->lo < 1440;
}

/* "mon" or "mon-fri". */
static bool read_weekday(spd_sv v, uint32_t *mask)
{
    static const char *const days[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
    int from = -1, to = -1;
    if (v.len != 3 && (v.len != 7 || v.ptr[3] != '-')) return false;
    for (int i = 0; i < 7; i++) {
        if (!memcmp(v.ptr, days[i], 3)) from = i;
        if (!memcmp(v.ptr + v.len - 3, days[i], 3)) to = i;
    }
    if (from < 0 || to < 0) return false;
    for (int i = from;; i = (i + 1) % 7) {
        *mask |= 1u << i;
        if (i == to) return true;
    }
}

/* ---- one criterion -------------------------------------------------------------------------- */
static const struct spd_yaml *nth(const struct spd_yaml *node, size_t i)
{
    if (node->kind != SPD_YAML_LIST) return node;
    for (node = node->child; i; i--)
        node = node->next;
    return node;
}

static enum spd_rc read_values(const struct spd_yaml *node, struct spd__test *t,
                               struct spd_err *err)
{
    enum spd__kind kind = t->row->kind;
    enum spd_rc rc;
    for (size_t i = 0; i < t->n_words; i++) {
        const struct spd_yaml *v = nth(node, i);
        int word = 0;
        switch (kind) {
        case SPD__TEXT:
        case SPD__CODES:
        case SPD__CONCEPT:
            break;
        case SPD__ENUM:
            if ((rc = spd_yaml_word(v, t->row->names, &word, err))) return rc;
            t->mask |= 1u << word;
            break;
        case SPD__PROBABILITY:
            if (!read_range(kind, t->words[i], &t->ranges[i]))
                return spd_yaml_fail(
                    v, err, "expected a comparison in quotes, such as \">= 0.60\" or \"0.4..0.6\"");
            break;
        case SPD__AGE:
            if (!read_range(kind, t->words[i], &t->ranges[i]))
                return spd_yaml_fail(
                    v, err,
                    "expected an age in quotes, such as \">= 18y\", \"< 3mo\" or \"18y..65y\"");
            break;
        case SPD__SPAN:
            if (!read_range(kind, t->words[i], &t->ranges[i]))
                return spd_yaml_fail(v, err,
                                     "expected a span in quotes, such as \"< 2h\" or \"10m..1h\"");
            break;
        case SPD__HOURS:
            if (!read_hours(t->words[i], &t->ranges[i]))
                return spd_yaml_fail(v, err, "expected hours of the day, such as \"17:00-08:00\"");
            break;
        case SPD__WEEKDAY:
            if (!read_weekday(t->words[i], &t->mask))
                return spd_yaml_fail(v, err, "expected days, such as sat or mon-fri");
            break;
        }
    }
    return SPD_OK;
}

static enum spd_rc read_test(const struct spd_yaml *node, const struct spd__criterion *row,
                             struct spd__test *t, struct spd_arena *arena, struct spd_err *err)
{
    enum spd_rc rc;
    t->row = row;
    if ((rc = spd_yaml_texts(node, &t->words, &t->n_words, arena, err))) return rc;
    if (!t->n_words)
        return spd_yaml_fail(node, err,
                             "an empty list matches nothing: name a value or remove the key");
    if (t->n_words > 1000)
        return spd_yaml_fail(node, err, "more than 1000 values in one criterion");
    t->ranges = SPD_NEW_N(arena, struct spd__range, t->n_words);
    return read_values(node, t, err);
}

/* ---- the condition -------------------------------------------------------------------------- */
static bool allows(const char *const *allowed, const char *key)
{
    if (!allowed) return true;
    while (*allowed && strcmp(*allowed, key))
        allowed++;
    return *allowed != NULL;
}

static const struct spd__criterion *find_row(spd_sv key, const char *const *allowed)
{
    for (const struct spd__criterion *row = spd__criteria; row->key; row++)
        if (spd_sv_is(key, row->key) && allows(allowed, row->key)) return row;
    return NULL;
}

static enum spd_rc unknown_key(const struct spd_yaml *node, const char *const *allowed,
                               struct spd_err *err)
{
    const char *known[64];
    size_t n = 0;
    if (allowed) return spd_yaml_unknown_key(node, allowed, err);
    for (const struct spd__criterion *row = spd__criteria; row->key && n < 63; row++)
        known[n++] = row->key;
    known[n] = NULL;
    return spd_yaml_unknown_key(node, known, err);
}

static bool timed(const struct spd__criterion *row)
{
    return row->kind == SPD__SPAN || row->kind == SPD__HOURS || row->kind == SPD__WEEKDAY ||
           row->kind == SPD__AGE;
}

/* Rows come in the order of criteria.def, whatever the file's: cheap tests and those that time
 * cannot change first, so that a "no" of theirs leaves no wake-up behind. */
enum spd_rc spd__cond_parse(const struct spd_yaml *node, const char *const *allowed,
                            struct spd__cond *ret, struct spd_arena *arena, struct spd_err *err)
{
    enum spd_rc rc;
    if ((rc = spd_yaml_map(node, err))) return rc;
    for (const struct spd_yaml *c = node->child; c; c = c->next)
        if (!find_row(c->key, allowed)) return unknown_key(c, allowed, err);
    memset(ret, 0, sizeof *ret);
    ret->plain = SPD_NEW_N(arena, struct spd__test, node->n + 1);
    ret->timed = SPD_NEW_N(arena, struct spd__test, node->n + 1);
    ret->found = SPD_NEW_N(arena, struct spd__test, node->n + 1);
    for (const struct spd__criterion *row = spd__criteria; row->key; row++) {
        const struct spd_yaml *c = spd_yaml_get(node, row->key);
        struct spd__test *t;
        if (!c) continue;
        t = row->scope != SPD__ITEM ? &ret->found[ret->n_found++]
            : timed(row)            ? &ret->timed[ret->n_timed++]
                                    : &ret->plain[ret->n_plain++];
        if ((rc = read_test(c, row, t, arena, err))) return rc;
        if (!strcmp(row->key, "mode")) ret->names_mode = true;
        if (!strcmp(row->key, "state")) ret->names_state = true;
        if (row->kind == SPD__CONCEPT) ret->names_finding = true;
        if (row->scope == SPD__FINDING) ret->per_finding = true;
    }
    return SPD_OK;
}
