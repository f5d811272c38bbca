/* src/import/csv.c: comma-separated open lists (RFC 4180; also ';' and tabs), strict: every column
 * is known by name, every value is read or refused with line and column.
 *
 * UTF-8, or ISO 8859-1 where the bytes are no UTF-8. A column whose name begins with '#' is left
 * out. Several procedures or studies in one field are parted by '|'. */
#include "import/import.h"

enum { COLUMNS_MAX = 100, FIELD_MAX = 65536 };

/* ---- cutting -----------------------------------------------------------------------------------
 */
struct cut { /* where the reader is */
    spd_sv rest;
    char delimiter;
    size_t line, column; /* of the next byte, from 1 */
    struct spd_arena *arena;
};
struct field {
    spd_sv text;
    size_t line, column;
};

static char next(struct cut *c)
{
    char x = c->rest.ptr[0];
    c->rest.ptr++, c->rest.len--;
    if (x == '\n')
        c->line++, c->column = 1;
    else if (((unsigned char)x & 0xc0) != 0x80) /* columns are letters, not bytes */
        c->column++;
    return x;
}

static bool at(const struct cut *c, char x)
{
    return c->rest.len && c->rest.ptr[0] == x;
}

static bool at_end(const struct cut *c)
{
    return !c->rest.len || at(c, '\n') ||
           (at(c, '\r') && (c->rest.len == 1 || c->rest.ptr[1] == '\n'));
}

static enum spd_rc quoted(struct cut *c, struct field *f, const char **why)
{
    struct spd_str s = SPD_STR_INIT(FIELD_MAX);
    enum spd_rc rc = SPD_OK;
    next(c);
    for (;;) {
        char x;
        if (!c->rest.len) {
            *why = "a quoted field does not end", rc = SPD_INVALID;
            break;
        }
        x = next(c);
        if (x == '"' && !at(c, '"')) break;
        if (x == '"') next(c);
        spd_str_addc(&s, x);
    }
    if (!rc && !at_end(c) && !at(c, c->delimiter))
        *why = "text behind the closing quote", rc = SPD_INVALID;
    if (!rc && !spd_str_ok(&s)) *why = "a field is too long", rc = SPD_LIMIT;
    f->text = spd_arena_dup(c->arena, spd_str_sv(&s));
    spd_str_done(&s);
    return rc;
}

static enum spd_rc plain(struct cut *c, struct field *f, const char **why)
{
    const char *from = c->rest.ptr;
    while (!at_end(c) && !at(c, c->delimiter))
        if (next(c) == '"') {
            *why = "a quote inside a field that is not quoted";
            return SPD_INVALID;
        }
    f->text = spd_sv_trim(spd_sv_of(from, (size_t)(c->rest.ptr - from)));
    *why = "a field is too long";
    return f->text.len > FIELD_MAX ? SPD_LIMIT : SPD_OK;
}

/* One line's fields. NOTFOUND at the end of the file; INVALID or LIMIT: *bad is where, and the rest
 * of the line was passed over. */
static enum spd_rc line(struct cut *c, struct field *f, size_t *ret_n, struct field *bad,
                        const char **why)
{
    enum spd_rc rc = SPD_OK;
    *ret_n = 0;
    if (!c->rest.len) return SPD_NOTFOUND;
    for (;;) {
        struct field *one = &f[*ret_n];
        if (*ret_n == COLUMNS_MAX) {
            rc = SPD_LIMIT, *why = "too many fields in a line";
            *bad = (struct field){SPD_SV_NONE, c->line, c->column};
            break;
        }
        one->line = c->line, one->column = c->column;
        rc = at(c, '"') ? quoted(c, one, why) : plain(c, one, why);
        if (rc) {
            *bad = *one;
            break;
        }
        ++*ret_n;
        if (!at(c, c->delimiter)) break;
        next(c);
    }
    while (c->rest.len && next(c) != '\n') {
    }
    return rc;
}

/* The one of ',', ';' and tab that the first line has most of. */
static char delimiter_of(spd_sv text)
{
    static const char known[] = ",;\t";
    size_t best = 0;
    char found = ',';
    for (const char *k = known; *k; k++) {
        size_t n = 0;
        for (size_t i = 0; i < text.len && text.ptr[i] != '\n'; i++)
            n += text.ptr[i] == *k;
        if (n > best) best = n, found = *k;
    }
    return found;
}

static spd_sv to_utf8(struct spd_arena *arena, spd_sv v)
{
    char *p;
    size_t n = 0;
    if (spd_sv_starts(v, SPD_SV("\xef\xbb\xbf"))) v.ptr += 3, v.len -= 3;
    if (spd_sv_is_utf8(v)) return v;
    p = spd_arena_must(arena, 2 * v.len + 1);
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.ptr[i];
        if (c & 0x80) p[n++] = (char)(0xc0 | c >> 6);
        p[n++] = (char)(c & 0x80 ? 0x80 | (c & 0x3f) : c);
    }
    return spd_sv_of(p, n);
}

/* ---- values ------------------------------------------------------------------------------------
 */
struct row {
    const struct spd_import_in *in;
    struct spd_order_event *e;
    struct spd_order_in *o;
    spd_sv issuer, authority;
};

static const struct {
    const char *word;
    enum spd_priority priority;
} priorities[] = {{"stat", SPD_PRIORITY_STAT},       {"s", SPD_PRIORITY_STAT},
                  {"cito", SPD_PRIORITY_STAT},       {"asap", SPD_PRIORITY_ASAP},
                  {"a", SPD_PRIORITY_ASAP},          {"urgent", SPD_PRIORITY_URGENT},
                  {"spoed", SPD_PRIORITY_URGENT},    {"high", SPD_PRIORITY_URGENT},
                  {"routine", SPD_PRIORITY_ROUTINE}, {"r", SPD_PRIORITY_ROUTINE},
                  {"medium", SPD_PRIORITY_ROUTINE},  {"low", SPD_PRIORITY_ROUTINE}};

static const char *read_priority(struct row *r, spd_sv v)
{
    for (size_t i = 0; i < sizeof priorities / sizeof *priorities; i++)
        if (spd_sv_ieq(v, spd_sv_from(priorities[i].word))) {
            r->o->priority = (int32_t)priorities[i].priority;
            r->o->priority_wire = v;
            return NULL;
        }
    return "not a priority: stat, asap, urgent or routine";
}

static const struct {
    const char *word;
    enum spd_order_axis order;
    enum spd_report_axis report;
    bool done;
} states[] = {{"ordered", SPD_ORDER_ACTIVE, 0, false},
              {"scheduled", SPD_ORDER_ACTIVE, 0, false},
              {"arrived", SPD_ORDER_ACTIVE, 0, true},
              {"done", SPD_ORDER_ACTIVE, 0, true},
              {"in_progress", SPD_ORDER_ACTIVE, 0, true},
              {"preliminary", SPD_ORDER_ACTIVE, SPD_REPORT_PRELIMINARY, true},
              {"final", SPD_ORDER_ACTIVE, SPD_REPORT_FINAL, true},
              {"held", SPD_ORDER_HELD, 0, false},
              {"cancelled", SPD_ORDER_CANCELLED, 0, false}};

static const char *read_status(struct row *r, spd_sv v)
{
    for (size_t i = 0; i < r->in->peer->n_words; i++) { /* the peer's own words first */
        const struct hl7_status_word *w = &r->in->peer->words[i];
        if (!spd_sv_ieq(w->word, v)) continue;
        r->o->order = (int32_t)w->order, r->o->report = (int32_t)w->report;
        r->o->exam_done = w->exam_done;
        return NULL;
    }
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        if (!spd_sv_ieq(v, spd_sv_from(states[i].word))) continue;
        r->o->order = (int32_t)states[i].order, r->o->report = (int32_t)states[i].report;
        r->o->exam_done = states[i].done;
        r->o->cancel = states[i].order == SPD_ORDER_CANCELLED;
        return NULL;
    }
    return "not a status: ordered, arrived, in_progress, preliminary, final, held or cancelled, or "
           "a "
           "word of the peer's status_map";
}

static const char *time_into(struct row *r, spd_sv v, int64_t *ret)
{
    return spd_import_time(r->in, v, ret) ? NULL
                                          : "not a time: 2026-11-22 14:05, or with an offset";
}

static const char *read_scheduled(struct row *r, spd_sv v)
{
    return time_into(r, v, &r->o->scheduled);
}

static const char *read_exam(struct row *r, spd_sv v)
{
    r->o->exam_done = 1;
    return time_into(r, v, &r->o->exam_time);
}

static const char *read_changed(struct row *r, spd_sv v)
{
    const char *why = time_into(r, v, &r->o->source_time);
    if (!why && r->o->source_time > r->in->peer->now) r->o->source_time = r->in->peer->now;
    return why;
}

static const char *read_birth(struct row *r, spd_sv v)
{
    spd_usec t;
    struct spd_import_in utc = *r->in;
    struct hl7_map_options peer = *r->in->peer;
    struct spd_civil c;
    peer.zone = spd_zone_utc(), utc.peer = &peer;
    if (v.len == 4 || v.len == 6) { /* a year, or a year and a month, as HL7 has them */
        int64_t n;
        if (spd_sv_to_i64(v, &n)) return r->e->patient.birth_date = v, NULL;
    }
    if (!spd_import_time(&utc, v, &t)) return "not a date: 1960-01-31 or 19600131";
    c = spd_zone_civil(spd_zone_utc(), t);
    r->e->patient.birth_date =
        spd_arena_printf(r->in->arena, "%04d%02d%02d", c.year, c.month, c.day);
    return NULL;
}

static const char *read_sex(struct row *r, spd_sv v)
{
    if (v.len != 1 || !strchr("MFOUmfou", v.ptr[0])) return "not a sex: M, F, O or U";
    r->e->patient.sex = spd_sv_from(strchr("Mm", v.ptr[0])   ? "M"
                                    : strchr("Ff", v.ptr[0]) ? "F"
                                    : strchr("Oo", v.ptr[0]) ? "O"
                                                             : "U");
    return NULL;
}

/* "Jansen, Piet", or as HL7 and DICOM write it. */
static const char *read_name(struct row *r, spd_sv v)
{
    size_t hat;
    if (spd_sv_find(v, SPD_SV("^"), &hat)) {
        spd_sv family = spd_sv_of(v.ptr, hat), given = spd_sv_of(v.ptr + hat + 1, v.len - hat - 1);
        if (spd_sv_find(given, SPD_SV("^"), &hat)) given.len = hat;
        v = given.len ? spd_arena_printf(r->in->arena, "%.*s, %.*s", SPD_SV_ARG(family),
                                         SPD_SV_ARG(given))
                      : family;
    }
    r->e->patient.name = v;
    return NULL;
}

static bool part(spd_sv *rest, spd_sv *ret)
{
    size_t bar;
    if (!rest->len) return false;
    if (!spd_sv_find(*rest, SPD_SV("|"), &bar)) bar = rest->len;
    *ret = spd_sv_trim(spd_sv_of(rest->ptr, bar));
    *rest = bar < rest->len ? spd_sv_of(rest->ptr + bar + 1, rest->len - bar - 1) : SPD_SV_NONE;
    return true;
}

static const char *read_study(struct row *r, spd_sv v)
{
    spd_sv one;
    while (part(&v, &one)) {
        if (!spd_dcm_is_uid(one)) return "not a Study Instance UID";
        *SPD_LIST_ADD(&r->o->study_uids, r->in->arena) = one;
    }
    return NULL;
}

static struct spd_code *procedure(struct row *r, size_t i)
{
    while (r->o->procedures.n <= i)
        SPD_LIST_ADD(&r->o->procedures, r->in->arena);
    return &r->o->procedures.v[i];
}

static const char *read_procedure(struct row *r, spd_sv v)
{
    spd_sv one;
    for (size_t i = 0; part(&v, &one); i++)
        procedure(r, i)->code = one;
    return NULL;
}

static const char *read_procedure_text(struct row *r, spd_sv v)
{
    spd_sv one;
    for (size_t i = 0; part(&v, &one); i++)
        procedure(r, i)->text = one;
    return NULL;
}

static const char *read_accession(struct row *r, spd_sv v)
{
    return r->o->accession.value = v, NULL;
}
static const char *read_issuer(struct row *r, spd_sv v)
{
    return r->issuer = v, NULL;
}
static const char *read_placer(struct row *r, spd_sv v)
{
    return r->o->placer.value = v, NULL;
}
static const char *read_filler(struct row *r, spd_sv v)
{
    return r->o->filler.value = v, NULL;
}
static const char *read_patient_id(struct row *r, spd_sv v)
{
    struct spd_cx *id = SPD_LIST_ADD(&r->e->patient.ids, r->in->arena);
    return id->value = v, NULL;
}
static const char *read_authority(struct row *r, spd_sv v)
{
    return r->authority = v, NULL;
}

/* The columns; with an offset: a plain text of the order, or (event) of what stands around it. */
static const struct column {
    const char *name;
    const char *(*read)(struct row *, spd_sv); /* NULL: plain */
    size_t at;
    bool event;
} columns[] = {
    {"accession", read_accession, 0, false},
    {"issuer", read_issuer, 0, false},
    {"placer", read_placer, 0, false},
    {"filler", read_filler, 0, false},
    {"patient_id", read_patient_id, 0, false},
    {"patient_authority", read_authority, 0, false},
    {"patient_name", read_name, 0, false},
    {"birth_date", read_birth, 0, false},
    {"sex", read_sex, 0, false},
    {"procedure", read_procedure, 0, false},
    {"procedure_text", read_procedure_text, 0, false},
    {"study_uid", read_study, 0, false},
    {"modality", NULL, offsetof(struct spd_order_in, modality), false},
    {"body_part", NULL, offsetof(struct spd_order_in, body_part), false},
    {"priority", read_priority, 0, false},
    {"status", read_status, 0, false},
    {"scheduled", read_scheduled, 0, false},
    {"exam_done", read_exam, 0, false},
    {"location", NULL, offsetof(struct spd_order_event, location), true},
    {"patient_class", NULL, offsetof(struct spd_order_event, patient_class), true},
    {"requester", NULL, offsetof(struct spd_order_in, requester), false},
    {"callback", NULL, offsetof(struct spd_order_in, callback), false},
    {"clinical_info", NULL, offsetof(struct spd_order_in, clinical_info), false},
    {"procedure_id", NULL, offsetof(struct spd_order_in, procedure_id), false},
    {"step_id", NULL, offsetof(struct spd_order_in, step_id), false},
    {"station_ae", NULL, offsetof(struct spd_order_in, station_ae), false},
    {"changed", read_changed, 0, false},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

/* ---- the file ----------------------------------------------------------------------------------
 */
static spd_sv place(const struct spd_import_in *in, const struct field *f)
{
    return spd_arena_printf(in->arena, "%.*s:%zu:%zu", SPD_SV_ARG(in->name), f->line, f->column);
}

static void finish(struct row *r)
{
    const struct hl7_map_options *p = r->in->peer;
    struct hl7_procedure known;
    spd_sv issuer = r->issuer.len ? r->issuer : p->accession_issuer;
    if (r->o->accession.value.len) r->o->accession.authority = issuer;
    if (r->o->placer.value.len) r->o->placer.authority = issuer;
    if (r->o->filler.value.len) r->o->filler.authority = issuer;
    for (size_t i = 0; i < r->e->patient.ids.n; i++)
        r->e->patient.ids.v[i].authority = r->authority.len ? r->authority : p->patient_authority;
    for (size_t i = 0; p->procedure && i < r->o->procedures.n; i++) {
        spd_sv code = r->o->procedures.v[i].code;
        if (!code.len || !p->procedure(p->procedure_ctx, code, &known)) continue;
        if (!r->o->modality.len) r->o->modality = known.modality;
        if (!r->o->body_part.len) r->o->body_part = known.body_part;
        if (!r->o->region.len) r->o->region = known.region;
    }
}

static void read_row(const struct spd_import_in *in, const struct column *const *heads,
                     size_t n_heads, const struct field *f, size_t n)
{
    struct row r = {.in = in, .e = SPD_NEW(in->arena, struct spd_order_event)};
    const char *why = NULL;
    r.o = SPD_LIST_ADD(&r.e->orders, in->arena);
    if (n != n_heads) {
        in->out->refused(in->out->self, place(in, &f[n ? n - 1 : 0]),
                         spd_arena_printf(in->arena, "%zu fields, and %zu columns", n, n_heads));
        return;
    }
    for (size_t i = 0; i < n && !why; i++) {
        if (!heads[i] || !f[i].text.len) continue;
        if (heads[i]->read)
            why = heads[i]->read(&r, f[i].text);
        else
            *(spd_sv *)(void *)((heads[i]->event ? (char *)r.e : (char *)r.o) + heads[i]->at) =
                f[i].text;
        if (why)
            in->out->refused(in->out->self, place(in, &f[i]),
                             spd_arena_printf(in->arena, "%s: %s", heads[i]->name, why));
    }
    if (why) return;
    finish(&r);
    spd_import_order(in, place(in, &f[0]), r.e);
}

static enum spd_rc read_heads(const struct spd_import_in *in, const struct field *f, size_t n,
                              const struct column **heads, struct spd_err *err)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        spd_sv name = f[i].text;
        heads[i] = NULL;
        if (spd_sv_starts(name, SPD_SV("#"))) continue;
        for (size_t k = 0; k < COLUMNS && !heads[i]; k++)
            if (spd_sv_ieq(name, spd_sv_from(columns[k].name))) heads[i] = &columns[k];
        if (!heads[i])
            return spd_fail(
                err, SPD_INVALID, place(in, &f[i]).ptr,
                "no such column: \"%.*s\" (docs/go-live.md has them; # in front leaves one "
                "out)",
                SPD_SV_ARG(name));
        for (size_t k = 0; k < i; k++)
            if (heads[k] == heads[i])
                return spd_fail(err, SPD_INVALID, place(in, &f[i]).ptr, "this column comes twice");
        any |= heads[i]->read == read_accession || heads[i]->read == read_placer ||
               heads[i]->read == read_filler;
    }
    return any ? SPD_OK
               : spd_fail(err, SPD_INVALID, place(in, &f[0]).ptr,
                          "the first line names no column accession, placer or filler");
}

enum spd_rc spd_import_csv(const struct spd_import_in *in, struct spd_err *err)
{
    spd_sv text = to_utf8(in->arena, in->bytes);
    struct cut c = {text, delimiter_of(text), 1, 1, in->arena};
    struct field f[COLUMNS_MAX] = {0}, bad = {0};
    const struct column *heads[COLUMNS_MAX];
    size_t n_heads, n;
    const char *why = "";
    enum spd_rc rc = line(&c, f, &n_heads, &bad, &why);
    if (rc == SPD_NOTFOUND) return spd_fail(err, SPD_INVALID, "", "the file is empty");
    if (rc) return spd_fail(err, SPD_INVALID, place(in, &bad).ptr, "%s", why);
    rc = read_heads(in, f, n_heads, heads, err);
    if (rc) return rc;
    while ((rc = line(&c, f, &n, &bad, &why)) != SPD_NOTFOUND) {
        if (rc)
            in->out->refused(in->out->self, place(in, &bad), spd_sv_from(why));
        else if (n > 1 || f[0].text.len) /* not an empty line */
            read_row(in, heads, n_heads, f, n);
    }
    return SPD_OK;
}
