/* src/import/import.c: the table of formats, and what their readers share; see import.h. */
#include "import/import.h"

const char *const spd_import_formats[] = {"hl7", "csv", "mwl", "fhir", NULL};
static enum spd_rc (*const readers[])(const struct spd_import_in *, struct spd_err *) = {
    spd_import_hl7, spd_import_csv, spd_import_mwl, spd_import_fhir};

enum spd_rc spd_import_read(const char *format, const struct spd_import_in *in, struct spd_err *err)
{
    for (size_t i = 0; spd_import_formats[i]; i++)
        if (!strcmp(spd_import_formats[i], format)) return readers[i](in, err);
    return spd_fail(err, SPD_INVALID, format, "no such format: hl7, csv, mwl or fhir");
}

static bool ends(spd_sv name, const char *with)
{
    size_t n = strlen(with);
    return name.len >= n && spd_sv_ieq(spd_sv_of(name.ptr + name.len - n, n), spd_sv_from(with));
}

const char *spd_import_guess(spd_sv name, spd_sv bytes)
{
    spd_sv t = bytes, head = spd_sv_of(bytes.ptr, bytes.len < 4096 ? bytes.len : 4096);
    while (t.len && strchr("\xef\xbb\xbf \t\r\n\x0b", t.ptr[0]))
        t.ptr++, t.len--;
    if (spd_sv_starts(t, SPD_SV("MSH")) || spd_sv_starts(t, SPD_SV("FHS")) ||
        spd_sv_starts(t, SPD_SV("BHS")))
        return "hl7";
    if ((bytes.len > 132 && !memcmp(bytes.ptr + 128, "DICM", 4)) || ends(name, ".dcm") ||
        ends(name, ".wl"))
        return "mwl";
    if (t.len && (t.ptr[0] == '{' || t.ptr[0] == '[')) {
        if (spd_sv_find(head, SPD_SV("resourceType"), NULL)) return "fhir";
        return spd_sv_find(head, SPD_SV("\"vr\""), NULL) ? "mwl" : "fhir";
    }
    if (ends(name, ".csv") || ends(name, ".tsv") || ends(name, ".txt")) return "csv";
    return NULL;
}

void spd_import_order(const struct spd_import_in *in, spd_sv place, struct spd_order_event *e)
{
    const struct spd_order_in *o = e->orders.n ? &e->orders.v[0] : NULL;
    struct spd_event event = {SPD_EVENT_ORDER, 0, {.order = e}};
    if (!o || (!o->accession.value.len && !o->placer.value.len && !o->filler.value.len)) {
        in->out->refused(in->out->self, place,
                         SPD_SV("no accession, placer or filler number: nothing to know it by"));
        return;
    }
    if (!e->patient.ids.n) {
        in->out->refused(in->out->self, place, SPD_SV("no patient identifier"));
        return;
    }
    e->import = e->message.import = 1;
    e->message.peer = in->peer->peer;
    in->out->record(in->out->self, place, &event);
}

/* ---- times ------------------------------------------------------------------------------------
 */
static bool digits(spd_sv *v, size_t n, int *ret)
{
    *ret = 0;
    if (v->len < n) return false;
    for (size_t i = 0; i < n; i++) {
        if (v->ptr[i] < '0' || v->ptr[i] > '9') return false;
        *ret = *ret * 10 + (v->ptr[i] - '0');
    }
    v->ptr += n, v->len -= n;
    return true;
}

static bool skip(spd_sv *v, const char *any)
{
    if (!v->len || !strchr(any, v->ptr[0])) return false;
    v->ptr++, v->len--;
    return true;
}

/* YYYY-MM-DD, YYYYMMDD, DD-MM-YYYY (also with / or .). */
static bool date(spd_sv *v, int *y, int *m, int *d)
{
    spd_sv t = *v;
    if (digits(&t, 4, y)) {
        bool parted = skip(&t, "-/");
        if (!digits(&t, 2, m) || (parted && !skip(&t, "-/")) || !digits(&t, 2, d)) return false;
    } else {
        t = *v;
        if (!digits(&t, 2, d) || !skip(&t, "-/.") || !digits(&t, 2, m) || !skip(&t, "-/.") ||
            !digits(&t, 4, y))
            return false;
    }
    *v = t;
    return spd_civil_valid(*y, *m, *d);
}

bool spd_import_time(const struct spd_import_in *in, spd_sv text, spd_usec *ret)
{
    const struct spd_zone *zone = in->peer->zone ? in->peer->zone : spd_zone_utc();
    int y, mon, d, h = 0, min = 0, s = 0;
    spd_sv v = spd_sv_trim(text);
    if (spd_time_parse_iso(v, ret)) return true;
    if (!date(&v, &y, &mon, &d)) return false;
    if (v.len) {
        bool parted;
        skip(&v, "T ");
        if (!digits(&v, 2, &h)) return false;
        parted = skip(&v, ":");
        if (!digits(&v, 2, &min) || (parted && v.len && v.ptr[0] != ':')) return false;
        if (v.len && ((parted && !skip(&v, ":")) || !digits(&v, 2, &s))) return false;
        if (v.len || h > 23 || min > 59 || s > 60) return false;
    }
    *ret = spd_zone_to_utc(zone, y, mon, d, h, min, s, 0);
    return true;
}
