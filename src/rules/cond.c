/* src/rules/cond.c: evaluate and say a condition. See cond.h; parsing is in cond_parse.c. */
#include "rules/cond.h"

#define CRITERION(key_, kind_, scope_, type_, member_, names_, unset_, nl_, en_)                   \
    {#key_,  SPD__##kind_, SPD__##scope_, offsetof(struct spd_##type_, member_),                   \
     names_, unset_,       nl_,           en_},
const struct spd__criterion spd__criteria[] = {
#include "rules/criteria.def"
    {NULL, SPD__TEXT, SPD__ITEM, 0, NULL, 0, NULL, NULL}};
#undef CRITERION

/* ---- single tests --------------------------------------------------------------------------- */
static enum spd_tri unknown(struct spd__look *look, const struct spd__test *t)
{
    look->missing = t->row;
    return SPD_CANNOT_TELL;
}

static void may_change(struct spd__look *look, spd_usec at)
{
    if (at > look->f->now && (!look->next || at < look->next)) look->next = at;
}

static bool is_word(const struct spd__test *t, spd_sv v)
{
    for (size_t i = 0; i < t->n_words; i++)
        if (v.len == t->words[i].len && spd_sv_ieq(v, t->words[i])) return true;
    return false;
}

static enum spd_tri test_text(const struct spd__test *t, struct spd__look *look, const void *base)
{
    spd_sv v = *(const spd_sv *)(const void *)((const char *)base + t->row->offset);
    if (!v.len) return unknown(look, t);
    return is_word(t, v) ? SPD_YES : SPD_NO;
}

static enum spd_tri test_enum(const struct spd__test *t, struct spd__look *look, const void *base)
{
    int32_t v;
    memcpy(&v, (const char *)base + t->row->offset, sizeof v);
    if (!v) v = t->row->unset;
    if (v <= 0 || v > 31) return unknown(look, t);
    return t->mask >> v & 1 ? SPD_YES : SPD_NO;
}

static enum spd_tri test_codes(const struct spd__test *t, struct spd__look *look)
{
    const struct spd_facts *f = look->f;
    bool any = false;
    for (size_t i = 0; i < f->n_procedures; i++) {
        if (f->procedures[i].code.len) any = true;
        if (is_word(t, f->procedures[i].code)) return SPD_YES;
    }
    return any ? SPD_NO : unknown(look, t);
}

static bool in_range(const struct spd__range *r, int64_t v)
{
    return (!r->has_lo || v >= r->lo) && (!r->has_hi || v < r->hi);
}

static enum spd_tri test_probability(const struct spd__test *t, struct spd__look *look, int64_t v)
{
    if (v < 0) return unknown(look, t);
    for (size_t i = 0; i < t->n_words; i++)
        if (in_range(&t->ranges[i], v)) return SPD_YES;
    return SPD_NO;
}

/* Time since `from`: 0 is a known fact for waiting (not arrived, so not waiting), unknown for a
 * result. */
static enum spd_tri test_span(const struct spd__test *t, struct spd__look *look, spd_usec from)
{
    bool yes = false;
    if (!from) return t->row->scope == SPD__ITEM ? SPD_NO : unknown(look, t);
    for (size_t i = 0; i < t->n_words; i++) {
        const struct spd__range *r = &t->ranges[i];
        yes |= in_range(r, look->f->now > from ? look->f->now - from : 0);
        if (r->has_lo) may_change(look, from + r->lo);
        if (r->has_hi) may_change(look, from + r->hi);
    }
    return yes ? SPD_YES : SPD_NO;
}

static const struct spd_zone *zone(const struct spd__look *look)
{
    return look->f->zone ? look->f->zone : spd_zone_utc();
}

static const struct spd_civil *civil(struct spd__look *look)
{
    if (!look->have_civil) look->civil = spd_zone_civil(zone(look), look->f->now);
    look->have_civil = true;
    return &look->civil;
}

/* The moment of that minute of the local day, today or tomorrow. A day out of the month's range is
 * carried by going through UTC. */
static spd_usec local_at(struct spd__look *look, int days, int minute)
{
    const struct spd_civil *c = civil(look);
    spd_usec day = spd_zone_to_utc(spd_zone_utc(), c->year, c->month, c->day, 0, 0, 0, 0);
    struct spd_civil d = spd_zone_civil(spd_zone_utc(), day + days * SPD_HOUR(24));
    return spd_zone_to_utc(zone(look), d.year, d.month, d.day, minute / 60, minute % 60, 0, 0);
}

static enum spd_tri test_hours(const struct spd__test *t, struct spd__look *look)
{
    const struct spd_civil *c = civil(look);
    int64_t minute = c->hour * 60 + c->minute;
    bool yes = false;
    for (size_t i = 0; i < t->n_words; i++) {
        const struct spd__range *r = &t->ranges[i];
        yes |=
            r->lo < r->hi ? minute >= r->lo && minute < r->hi : minute >= r->lo || minute < r->hi;
        for (int day = 0; day < 2; day++) {
            may_change(look, local_at(look, day, (int)r->lo));
            may_change(look, local_at(look, day, (int)r->hi));
        }
    }
    return yes ? SPD_YES : SPD_NO;
}

static enum spd_tri test_weekday(const struct spd__test *t, struct spd__look *look)
{
    may_change(look, local_at(look, 1, 0));
    return t->mask >> civil(look)->weekday & 1 ? SPD_YES : SPD_NO;
}

/* ---- age ------------------------------------------------------------------------------------ */
struct date {
    int y, m, d;
};

static bool reached(struct date b, int64_t n, char unit, struct date today)
{
    const struct spd_zone *utc = spd_zone_utc();
    if (unit == 'y')
        b.y += (int)n;
    else if (unit == 'm')
        b.y += (int)((b.m - 1 + n) / 12), b.m = (int)((b.m - 1 + n) % 12) + 1;
    else
        return spd_zone_to_utc(utc, today.y, today.m, today.d, 0, 0, 0, 0) -
                   spd_zone_to_utc(utc, b.y, b.m, b.d, 0, 0, 0, 0) >=
               n * SPD_HOUR(24);
    return today.y != b.y ? today.y > b.y : today.m != b.m ? today.m > b.m : today.d >= b.d;
}

/* YYYY, YYYYMM or YYYYMMDD as the earliest and the latest day it may be. 1900-01-01 and the like
 * are placeholders for "not known" (domain §1). */
static bool birth(spd_sv v, struct date *first, struct date *last)
{
    int64_t n, y, m, d;
    if ((v.len != 4 && v.len != 6 && v.len != 8) || !spd_sv_to_i64(v, &n) || n < 0) return false;
    y = v.len == 4 ? n : v.len == 6 ? n / 100 : n / 10000;
    m = v.len == 4 ? 0 : v.len == 6 ? n % 100 : n / 100 % 100;
    d = v.len == 8 ? n % 100 : 0;
    if (y <= 1900 || m > 12 || d > 31 || (v.len >= 6 && !m) ||
        (v.len == 8 && !spd_civil_valid((int)y, (int)m, (int)d)))
        return false;
    *first = (struct date){(int)y, m ? (int)m : 1, d ? (int)d : 1};
    *last = (struct date){(int)y, m ? (int)m : 12, d ? (int)d : 31};
    while (!spd_civil_valid(last->y, last->m, last->d))
        last->d--;
    return true;
}

static bool age_in(const struct spd__range *r, struct date b, struct date today)
{
    return (!r->has_lo || reached(b, r->lo, r->lo_unit, today)) &&
           (!r->has_hi || !reached(b, r->hi, r->hi_unit, today));
}

static enum spd_tri test_age(const struct spd__test *t, struct spd__look *look)
{
    const struct spd_civil *c = civil(look);
    struct date today = {c->year, c->month, c->day}, first, last;
    bool young = false, old = false;
    if (!birth(look->f->birth_date, &first, &last)) return unknown(look, t);
    may_change(look, local_at(look, 1, 0));
    for (size_t i = 0; i < t->n_words; i++) {
        old |= age_in(&t->ranges[i], first, today);
        young |= age_in(&t->ranges[i], last, today);
    }
    return young != old ? unknown(look, t) : old ? SPD_YES : SPD_NO;
}

/* ---- conditions ----------------------------------------------------------------------------- */
static enum spd_tri item_test(const struct spd__test *t, struct spd__look *look)
{
    switch (t->row->kind) {
    case SPD__TEXT:
    case SPD__CONCEPT:
        return test_text(t, look, look->f);
    case SPD__ENUM:
        return test_enum(t, look, look->f);
    case SPD__CODES:
        return test_codes(t, look);
    case SPD__AGE:
        return test_age(t, look);
    case SPD__SPAN:
        return test_span(t, look, look->f->start);
    case SPD__HOURS:
        return test_hours(t, look);
    case SPD__WEEKDAY:
        return test_weekday(t, look);
    case SPD__PROBABILITY:
        break;
    }
    return unknown(look, t);
}

static enum spd_tri all(const struct spd__test *t, size_t n, struct spd__look *look)
{
    enum spd_tri answer = SPD_YES;
    for (size_t i = 0; i < n && answer != SPD_NO; i++)
        answer = spd__and(answer, item_test(&t[i], look));
    return answer;
}

enum spd_tri spd__cond_plain(const struct spd__cond *c, struct spd__look *look)
{
    return all(c->plain, c->n_plain, look);
}

enum spd_tri spd__cond_timed(const struct spd__cond *c, struct spd__look *look)
{
    return all(c->timed, c->n_timed, look);
}

/* The finding is named, and it is there (or, for a result that says no, it is said not to be
 * there). */
static enum spd_tri test_concept(const struct spd__test *t, struct spd__look *look,
                                 const struct spd_fact_result *r, const struct spd_finding *finding,
                                 bool names_state)
{
    bool says_no = names_state && (r->state == SPD_AI_NEGATIVE || r->state == SPD_AI_NORMAL);
    if (!is_word(t, finding->concept)) return SPD_NO;
    if (finding->present == SPD_PRESENT_YES) return says_no ? SPD_NO : SPD_YES;
    if (finding->present == SPD_PRESENT_NO || finding->present == SPD_PRESENT_NORMAL)
        return says_no ? SPD_YES : SPD_NO;
    return unknown(look, t);
}

enum spd_tri spd__cond_found(const struct spd__cond *c, struct spd__look *look,
                             const struct spd_fact_result *r, const struct spd_finding *finding)
{
    enum spd_tri answer = SPD_YES;
    for (size_t i = 0; i < c->n_found && answer != SPD_NO; i++) {
        const struct spd__test *t = &c->found[i];
        const void *base = t->row->scope == SPD__RESULT ? (const void *)r : finding;
        enum spd_tri a = SPD_NO;
        if (t->row->scope == SPD__FINDING && !finding) return SPD_NO;
        switch (t->row->kind) {
        case SPD__TEXT:
            a = test_text(t, look, base);
            break;
        case SPD__ENUM:
            a = test_enum(t, look, base);
            break;
        case SPD__CONCEPT:
            a = test_concept(t, look, r, finding, c->names_state);
            break;
        case SPD__PROBABILITY:
            a = test_probability(t, look, finding->probability);
            break;
        case SPD__SPAN:
            a = test_span(t, look, r->at);
            break;
        case SPD__CODES:
        case SPD__AGE:
        case SPD__HOURS:
        case SPD__WEEKDAY:
            break;
        }
        answer = spd__and(answer, a);
    }
    return answer;
}

bool spd__cond_counts(const struct spd__cond *c, const struct spd_fact_result *r)
{
    return c->names_mode || r->mode == SPD_MODE_LIVE;
}

static enum spd_tri any_found(const struct spd__cond *c, struct spd__look *look)
{
    const struct spd_facts *f = look->f;
    enum spd_tri best = SPD_NO;
    for (size_t i = 0; i < f->n_results && best != SPD_YES; i++) {
        const struct spd_fact_result *r = &f->results[i];
        size_t n = c->per_finding ? r->n_findings : 1;
        if (!spd__cond_counts(c, r)) continue;
        for (size_t k = 0; k < n && best != SPD_YES; k++) {
            enum spd_tri a = spd__cond_found(c, look, r, c->per_finding ? &r->findings[k] : NULL);
            if (a != SPD_NO) best = a;
        }
    }
    return best;
}

enum spd_tri spd__cond_any(const struct spd__cond *c, struct spd__look *look)
{
    enum spd_tri a = spd__cond_plain(c, look);
    if (a != SPD_NO && c->n_found) a = spd__and(a, any_found(c, look));
    if (a != SPD_NO) a = spd__and(a, spd__cond_timed(c, look));
    return a;
}

/* ---- saying it ------------------------------------------------------------------------------ */
static void say_tests(const struct spd__test *t, size_t n, bool dutch, bool *first,
                      struct spd_str *out)
{
    for (size_t i = 0; i < n; i++) {
        if (!*first) spd_str_addz(out, dutch ? " en " : " and ");
        *first = false;
        spd_str_addz(out, dutch ? t[i].row->nl : t[i].row->en);
        for (size_t k = 0; k < t[i].n_words; k++) {
            spd_str_addz(out, !k ? " " : dutch ? " of " : " or ");
            spd_str_add(out, t[i].words[k]);
        }
    }
}

void spd__cond_say(const struct spd__cond *c, bool dutch, struct spd_str *out)
{
    bool first = true;
    say_tests(c->plain, c->n_plain, dutch, &first, out);
    say_tests(c->found, c->n_found, dutch, &first, out);
    say_tests(c->timed, c->n_timed, dutch, &first, out);
    if (first) spd_str_addz(out, dutch ? "altijd" : "always");
}
