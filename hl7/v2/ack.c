/* hl7/v2/ack.c: see ack.h. */
#include "hl7/v2/ack.h"

/* A piece of the sender's own message, with its own delimiters: only line ends and control
 * characters could do harm. */
static void copy(struct spd_str *out, spd_sv raw, char esc)
{
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.ptr[i];
        if (c < 0x20 || c == 0x7F)
            spd_str_addf(out, "%cX%02X%c", esc, c, esc);
        else
            spd_str_addc(out, (char)c);
    }
}

static spd_sv msh(const struct hl7_msg *m, unsigned field)
{
    return m && m->n_segs ? hl7_field(m, &m->segs[0], field).raw : SPD_SV_NONE;
}

/* Is an answer of this severity wanted by a condition of table 0155? */
static bool wanted(spd_sv condition, char severity)
{
    if (spd_sv_ieq(condition, SPD_SV("AL"))) return true;
    if (spd_sv_ieq(condition, SPD_SV("ER"))) return severity != 'A';
    return spd_sv_ieq(condition, SPD_SV("SU")) && severity == 'A';
}

/* An acknowledgement is never acknowledged. An application's answer (ORR, ORI, RSP …) that comes as a message of
 * its own is one like any other: its sender waits for the transport's word, and would send it for ever. */
static bool is_answer(const struct hl7_msg *m)
{
    spd_sv type = hl7_get(m, &m->segs[0], 9, 1, 1, 0).raw;
    return spd_sv_is(type, "ACK") || spd_sv_is(type, "MCF");
}

struct hl7_asked hl7_asked(const struct hl7_msg *m, char severity, bool both, bool kept)
{
    spd_sv accept = spd_sv_trim(msh(m, 15)), application = spd_sv_trim(msh(m, 16));
    struct hl7_asked ret = {0, 0};
    if (m && m->n_segs && is_answer(m)) return ret;
    if (spd_sv_empty(accept) && spd_sv_empty(application)) {
        ret.application = severity;
    } else if (both && kept && severity == 'R' && wanted(application, 'R')) {
        ret.accept = wanted(accept, 'A') ? 'A' : 0;
        ret.application = 'R';
    } else {
        ret.accept = wanted(accept, severity) ? severity : 0;
        /* alone it goes out here too, on the connection that asked */
        if (!ret.accept || (both && severity == 'A'))
            ret.application = wanted(application, severity) ? severity : 0;
    }
    return ret;
}

static bool at_least_2_5(spd_sv version)
{
    return version.len >= 3 && version.ptr[0] == '2' && version.ptr[1] == '.' &&
           version.ptr[2] >= '5';
}

static void error_segment(const struct hl7_ack *a, const struct hl7_delims *d, struct spd_str *out)
{

    const char f = d->field, c = d->comp;
    spd_str_addf(out, "ERR%c%c", f, f);
    for (size_t i = 0; i < a->location.len; i++)
        spd_str_addc(out, a->location.ptr[i] == '^' ? c : a->location.ptr[i]);
    spd_str_addc(out, f);
    spd_sv code = a->code.len ? a->code : a->severity == 'E' ? SPD_SV("206") : SPD_SV("207");
    hl7_escape(d, code, out);
    spd_str_addf(out, "%c%cHL70357%cE", c, c, f);
    spd_str_addf(out, "%c%c%c%c", f, f, f, f);
    hl7_escape(d, a->text, out);
    spd_str_addc(out, '\r');
}

static void type_of(const struct hl7_msg *m, const struct hl7_ack *a, const struct hl7_delims *d,
                    struct spd_str *out)
{
    const char c = d->comp;
    spd_sv trigger = m && m->n_segs ? hl7_get(m, &m->segs[0], 9, 1, 2, 0).raw : SPD_SV_NONE;
    if (a->type) {
        spd_str_addf(out, "%s%c%s", a->type, c, a->trigger);
        if (at_least_2_5(msh(m, 12))) spd_str_addf(out, "%c%s_%s", c, a->type, a->trigger);
        return;
    }
    spd_str_addz(out, "ACK");
    if (!trigger.len) return;
    spd_str_addc(out, c);
    copy(out, trigger, d->esc);
    if (at_least_2_5(msh(m, 12))) spd_str_addf(out, "%cACK", c);
}

/* MSH-15 to 18 of an application's own answer: it wants no answer in its turn. */
static void manners(const struct hl7_msg *m, const struct hl7_ack *a, const struct hl7_delims *d,
                    struct spd_str *out)
{
    const char f = d->field;
    bool enhanced =
        !spd_sv_empty(spd_sv_trim(msh(m, 15))) || !spd_sv_empty(spd_sv_trim(msh(m, 16)));
    if (!a->type || (!enhanced && !a->charset.len)) return;
    spd_str_addf(out, "%c%c%c%s%c%s", f, f, f, enhanced ? "NE" : "", f, enhanced ? "NE" : "");
    if (!a->charset.len) return;
    spd_str_addf(out, "%c%c", f, f);
    copy(out, a->charset, d->esc);
}

static void head(const struct hl7_msg *m, const struct hl7_ack *a, const struct hl7_delims *d,
                 struct spd_str *out)
{
    static const unsigned swapped[] = {5, 6, 3, 4};
    const char f = d->field;
    spd_sv version = msh(m, 12), processing = msh(m, 11);
    spd_str_addf(out, "MSH%c%c%c%c%c", f, d->comp, d->rep, d->esc, d->sub);
    if (d->trunc) spd_str_addc(out, d->trunc);
    for (size_t i = 0; i < 4; i++) {
        spd_str_addc(out, f);
        copy(out, msh(m, swapped[i]), d->esc);
    }
    spd_str_addc(out, f);
    hl7_escape(d, a->time, out);
    spd_str_addf(out, "%c%c", f, f);
    type_of(m, a, d, out);
    spd_str_addc(out, f);
    hl7_escape(d, a->control_id, out);
    spd_str_addc(out, f);
    copy(out, processing.len ? processing : SPD_SV("P"), d->esc);
    spd_str_addc(out, f);
    copy(out, version.len ? version : SPD_SV("2.5"), d->esc);
    manners(m, a, d, out);
    spd_str_addc(out, '\r');
}

void hl7_ack_put(const struct hl7_msg *m, const struct hl7_ack *a, char how, struct spd_str *out)
{
    static const struct hl7_delims usual = {'|', '^', '~', '\\', '&', 0};
    const struct hl7_delims *d = m && m->n_segs ? &m->d : &usual;
    head(m, a, d, out);
    spd_str_addf(out, "MSA%c%c%c%c", d->field, how, a->severity, d->field);
    copy(out, msh(m, 10), d->esc);
    if (a->text.len) {
        spd_str_addc(out, d->field);
        hl7_escape(d, a->text, out);
    }
    spd_str_addc(out, '\r');
    if (a->severity != 'A' && at_least_2_5(msh(m, 12))) error_segment(a, d, out);
    spd_str_add(out, a->body);
}

void hl7_ack_write(const struct hl7_msg *m, const struct hl7_ack *a, struct spd_str *out)
{
    struct hl7_asked asked = hl7_asked(m, a->severity, false, false);
    if (asked.accept || asked.application) hl7_ack_put(m, a, asked.accept ? 'C' : 'A', out);
}

void hl7_ack_bare(struct spd_str *out, size_t from)
{
    size_t at = from + 4, end;
    if (!spd_str_ok(out) || out->len < from + 5) return;
    const char field = out->ptr[from + 3], comp = out->ptr[from + 4];
    for (int n = 2; n < 9; n++) { /* MSH-1 is the separator itself: behind it comes MSH-2 */
        while (at < out->len && out->ptr[at] != field && out->ptr[at] != '\r')
            at++;
        if (at == out->len || out->ptr[at] == '\r') return;
        at++;
    }
    while (at < out->len && out->ptr[at] != comp && out->ptr[at] != field && out->ptr[at] != '\r')
        at++;
    for (end = at; end < out->len && out->ptr[end] != field && out->ptr[end] != '\r';)
        end++;
    memmove(out->ptr + at, out->ptr + end, out->len - end + 1); /* with the NUL */
    out->len -= end - at;
}
