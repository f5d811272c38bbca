/* src/daemon/config_profile.c: what a destination of send: wants its messages to be: profile, role,
 * fields with their own words, which answer counts. The profiles themselves are rows of
 * hl7/map/out_profile.c. */
#include "daemon/config_table.h"

enum { WIRE_MAX = 20, LEVELS = 8 };

static enum spd_rc no_such(const struct spd_yaml *node, struct spd_err *err)
{
    struct spd_str names = SPD_STR_INIT(1000);
    for (const struct hl7_profile *p = hl7_profiles; p->name; p++)
        spd_str_addf(&names, "%s%s", names.len ? ", " : "", p->name);
    enum spd_rc rc = spd_yaml_fail(node, err, "no such profile; there are: %s", names.ptr);
    spd_str_done(&names);
    return rc;
}

static enum spd_rc read_profile(struct spd__reading *r, const struct spd_yaml *node,
                                struct spd_channel_config *c)
{
    spd_sv *names, one;
    size_t n = 1;
    enum spd_rc rc;
    if (node->kind == SPD_YAML_TEXT) {
        rc = spd_yaml_text(node, &one, r->err);
        names = &one;
    } else {
        rc = spd_yaml_texts(node, &names, &n, r->c->arena, r->err);
    }
    for (size_t i = 0; i < n && !rc; i++) {
        const struct hl7_profile *p = hl7_profile_find(names[i]);
        if (!p) return no_such(node, r->err);
        if (c->profile[p->event])
            return spd_yaml_fail(node, r->err, "%s and %s are for the same kind of message",
                                 c->profile[p->event]->name, p->name);
        c->profile[p->event] = p;
    }
    return rc;
}

static enum spd_rc read_words(struct spd__reading *r, const struct spd_yaml *node, const char *field,
                              struct spd__send *s)
{
    enum spd_rc rc = SPD_OK;
    const char *names[LEVELS + 1] = {NULL}, *known[2 * LEVELS + 1] = {NULL};
    static const char *const numbers[] = {"1", "2", "3", "4", "5", "6", "7", "8"};
    int n = 0;
    spd__config_levels(r->c, names);
    for (; names[n]; n++)
        known[n] = names[n];
    for (int i = 0; i < LEVELS; i++)
        known[n + i] = numbers[i];
    if ((rc = spd_yaml_keys(node, known, r->err))) return rc;
    for (const struct spd_yaml *e = node->child; e; e = e->next) {
        struct spd_field_wire *w = SPD_LIST_ADD(&s->destination.field_wires, r->c->arena);
        int i = 0;
        if ((rc = spd_yaml_text(e, &w->wire, r->err))) return rc;
        if (!w->wire.len || w->wire.len > WIRE_MAX)
            return spd_yaml_fail(e, r->err, "a value on the wire has 1 to %d characters", WIRE_MAX);
        while (!spd_sv_is(e->key, known[i]))
            i++;
        w->field = spd_sv_from(field), w->level = (i < n ? i : i - n) + 1;
    }
    return SPD_OK;
}

/* A list of fields, or a mapping of fields to words of their own. */
static enum spd_rc read_fields(struct spd__reading *r, const struct spd_yaml *node,
                               struct spd__send *s)
{
    enum spd_rc rc;
    if (node->kind == SPD_YAML_LIST)
        return spd__config_set(r, node, hl7_priority_fields, &s->channel.fields);
    if ((rc = spd_yaml_keys(node, hl7_priority_fields, r->err))) return rc;
    for (const struct spd_yaml *e = node->child; e; e = e->next)
        for (unsigned i = 0; hl7_priority_fields[i]; i++) {
            if (!spd_sv_is(e->key, hl7_priority_fields[i])) continue;
            s->channel.fields |= 1u << i;
            if (e->kind == SPD_YAML_MAP && (rc = read_words(r, e, hl7_priority_fields[i], s)))
                return rc;
            if (e->kind == SPD_YAML_LIST)
                return spd_yaml_fail(e, r->err, "a field has words per level: {critical: STAT}");
        }
    return SPD_OK;
}

enum spd_rc spd__read_profile(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    static const char *const roles[] = {"placer", "filler", NULL},
                             *const acks[] = {"accept", "application", "separate", NULL};
    struct spd__send *s = base;
    int64_t number;
    int word;
    enum spd_rc rc;
    if (spd_sv_is(node->key, "profile")) return read_profile(r, node, &s->channel);
    if (spd_sv_is(node->key, "fields")) return read_fields(r, node, s);
    if (spd_sv_is(node->key, "role")) {
        rc = spd_yaml_word(node, roles, &word, r->err);
        if (!rc) s->channel.filler = word, s->channel.role_given = true;
    } else if (spd_sv_is(node->key, "ack")) {
        rc = spd_yaml_word(node, acks, &word, r->err);
        if (!rc) s->destination.ack = s->channel.ack = word;
    } else {
        rc = spd_yaml_int(node, 1, 100, &number, r->err);
        if (!rc) s->destination.tries = number, s->channel.max_tries = (int)number;
    }
    return rc;
}

/* What was not said follows from the role; what was said must fit it. */
enum spd_rc spd__finish_profile(struct spd__reading *r, const struct spd_yaml *e,
                                struct spd__send *s)
{
    const struct hl7_profile **p = s->channel.profile;
    if (s->channel.role_given && p[HL7_OUT_PRIORITY] &&
        p[HL7_OUT_PRIORITY]->filler != s->channel.filler)
        return spd_yaml_fail_key(e, r->err, "profile %s speaks as the %s, role says otherwise",
                                 p[HL7_OUT_PRIORITY]->name,
                                 p[HL7_OUT_PRIORITY]->filler ? "filler" : "placer");
    for (int i = 0; i < HL7_OUT_N; i++)
        if (!p[i]) p[i] = hl7_profile_default((enum hl7_out_event)i, s->channel.filler);
    s->channel.field_wires = s->destination.field_wires.v;
    s->channel.n_field_wires = s->destination.field_wires.n;
    return SPD_OK;
}

void spd__show_profile(const void *base, const char *indent, struct spd_str *out)
{
    static const char *const acks[] = {"accept", "application", "separate"};
    const struct spd__send *s = base;
    const struct spd_destination *d = &s->destination;
    bool any = false;
    spd_str_addf(out, "%sprofile: [", indent);
    for (int i = 0; i < HL7_OUT_N; i++)
        if (s->channel.profile[i])
            spd_str_addf(out, "%s%s", any ? ", " : "", s->channel.profile[i]->name), any = true;
    spd_str_addf(out, "]\n%sfields: {", indent);
    any = false;
    for (unsigned i = 0; hl7_priority_fields[i]; i++) {
        bool first = true;
        if (!(s->channel.fields >> i & 1)) continue;
        spd_str_addf(out, "%s%s: {", any ? ", " : "", hl7_priority_fields[i]);
        any = true;
        for (size_t k = 0; k < d->field_wires.n; k++) {
            if (!spd_sv_is(d->field_wires.v[k].field, hl7_priority_fields[i])) continue;
            spd_str_addf(out, "%s%d: ", first ? "" : ", ", (int)d->field_wires.v[k].level);
            spd__config_show_text(d->field_wires.v[k].wire, out);
            first = false;
        }
        spd_str_addc(out, '}');
    }
    spd_str_addf(out, "}\n%sack: %s\n%stries: %d\n", indent, acks[s->channel.ack], indent,
                 s->channel.max_tries ? s->channel.max_tries : 5);
}
