/* plugin/embed/list.c: the reporting worklist as it stood at one moment. Getters read the parsed
 * JSON and change nothing in it, so that any number of threads may call them. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "embed.h"

enum { ROWS_MAX = 5000 };
#define LIST_MAX ((size_t)64 << 20)
#define AT_LEAST_WAIT SPD_SEC(10) /* the brain's own limit */

struct spoed_list {
    struct spd_str text;
    struct spd_embed_doc doc;
    const struct spd_embed_node **rows; /* in doc, n of them */
    size_t n;
};

/* ---- open --------------------------------------------------------------------------------- */
static bool path_of(const struct spoed_query *q, struct spd_str *path)
{
    char limit[24] = "", at_least[24] = "";
    const struct {
        const char *name, *value;
    } args[] = {{"status", q->status}, {"modality", q->modality}, {"location", q->location},
                {"after", q->after},   {"limit", limit},          {"at_least", at_least}};
    if (q->limit < 0 || q->limit > ROWS_MAX || q->at_least < 0) return false;
    if (q->limit) snprintf(limit, sizeof limit, "%d", q->limit);
    if (q->at_least) snprintf(at_least, sizeof at_least, "%lld", (long long)q->at_least);
    spd_str_addz(path, "/api/v1/worklist");
    for (size_t i = 0; i < sizeof args / sizeof *args; i++)
        if (args[i].value && args[i].value[0])
            spd_http_query(path, args[i].name, spd_sv_from(args[i].value));
    return true;
}

static enum spoed_code read_list(struct spoed_list *l, struct spoed_error *err)
{
    const struct spd_embed_node *items, *revision;
    enum spoed_code code = spd_embed_json(spd_str_sv(&l->text), &l->doc, err);
    if (code) return code;
    items = spd_embed_get(l->doc.nodes, "items");
    revision = spd_embed_get(l->doc.nodes, "revision");
    if (!items || items->kind != SPD_EMBED_ARRAY || !revision || revision->kind != SPD_EMBED_INT)
        return spd_embed_fail(err, SPOED_PROTOCOL, "the answer is not a worklist");
    l->rows = calloc(items->n + 1, sizeof *l->rows);
    if (!l->rows) return spd_embed_fail(err, SPOED_NO_MEMORY, "out of memory");
    for (const struct spd_embed_node *row = items->first; row; row = row->next) {
        if (row->kind != SPD_EMBED_OBJECT)
            return spd_embed_fail(err, SPOED_PROTOCOL, "the answer is not a worklist");
        l->rows[l->n++] = row;
    }
    return SPOED_OK;
}

enum spoed_code spoed_list_open(const struct spoed *s, const struct spoed_query *query,
                                struct spoed_list **ret, struct spoed_error *err)
{
    struct spoed_query q = {0};
    struct spd_str path = SPD_STR_INIT(4096);
    struct spoed_list *l = NULL;
    enum spoed_code code = SPOED_OK;
    if (!s || !ret || (query && !spd_embed_take(query, &q, sizeof q)) || !path_of(&q, &path))
        code = spd_embed_fail(err, SPOED_INVALID, "the query is not usable");
    else if (!spd_str_ok(&path))
        code = spd_embed_rc(err, path.rc, "the query is too long, or out of memory");
    else if (!(l = calloc(1, sizeof *l)))
        code = spd_embed_fail(err, SPOED_NO_MEMORY, "out of memory");
    if (l) {
        l->text = SPD_STR_INIT(LIST_MAX);
        code = spd_embed_call(s, "GET", path.ptr, NULL, SPD_SV_NONE, q.at_least ? AT_LEAST_WAIT : 0,
                              &l->text, err);
    }
    if (!code) code = read_list(l, err);
    spd_str_done(&path);
    if (code)
        spoed_list_free(l);
    else
        *ret = l;
    return code;
}

void spoed_list_free(struct spoed_list *l)
{
    if (!l) return;
    free(l->rows);
    spd_embed_done(&l->doc);
    spd_str_done(&l->text);
    free(l);
}

/* ---- read --------------------------------------------------------------------------------- */
size_t spoed_list_count(const struct spoed_list *l)
{
    return l ? l->n : 0;
}

int64_t spoed_list_revision(const struct spoed_list *l)
{
    return l ? spd_embed_int(l->doc.nodes, "revision") : 0;
}

int spoed_list_complete(const struct spoed_list *l)
{
    const struct spd_embed_node *v = l ? spd_embed_get(l->doc.nodes, "complete") : NULL;
    return v && v->kind == SPD_EMBED_TRUE;
}

const char *spoed_list_next(const struct spoed_list *l)
{
    return spd_embed_text(l ? l->doc.nodes : NULL, "next");
}

const char *spoed_list_json(const struct spoed_list *l)
{
    return l && l->text.ptr ? l->text.ptr : "";
}

static const struct spd_embed_node *row(const struct spoed_list *l, size_t i)
{
    return l && i < l->n ? l->rows[i] : NULL;
}

static int64_t time_of(const struct spd_embed_node *o, const char *key)
{
    spd_usec t;
    return spd_time_parse_iso(spd_sv_from(spd_embed_text(o, key)), &t) ? t : 0;
}

int64_t spoed_list_id(const struct spoed_list *l, size_t i)
{
    return spd_embed_int(row(l, i), "id");
}

int64_t spoed_list_rank(const struct spoed_list *l, size_t i)
{
    return spd_embed_int(row(l, i), "rank");
}

const char *spoed_list_level(const struct spoed_list *l, size_t i)
{
    return spd_embed_text(row(l, i), "level");
}

const char *spoed_list_status(const struct spoed_list *l, size_t i)
{
    return spd_embed_text(row(l, i), "status");
}

int64_t spoed_list_due(const struct spoed_list *l, size_t i)
{
    return time_of(row(l, i), "due");
}

int64_t spoed_list_arrived(const struct spoed_list *l, size_t i)
{
    return time_of(row(l, i), "arrived");
}

const char *spoed_list_accession(const struct spoed_list *l, size_t i)
{
    return spd_embed_text(spd_embed_get(row(l, i), "accession"), "value");
}

const char *spoed_list_accession_issuer(const struct spoed_list *l, size_t i)
{
    return spd_embed_text(spd_embed_get(row(l, i), "accession"), "issuer");
}

static const struct spd_embed_node *first_id(const struct spd_embed_node *item)
{
    return spd_embed_at(spd_embed_get(spd_embed_get(item, "patient"), "ids"), 0);
}

const char *spoed_list_patient_id(const struct spoed_list *l, size_t i)
{
    return spd_embed_text(first_id(row(l, i)), "value");
}

const char *spoed_list_patient_authority(const struct spoed_list *l, size_t i)
{
    return spd_embed_text(first_id(row(l, i)), "authority");
}

const char *spoed_list_modality(const struct spoed_list *l, size_t i)
{
    return spd_embed_text(row(l, i), "modality");
}

const char *spoed_list_reader(const struct spoed_list *l, size_t i)
{
    return spd_embed_text(row(l, i), "reader");
}

size_t spoed_list_study_count(const struct spoed_list *l, size_t i)
{
    return spd_embed_size(spd_embed_get(row(l, i), "study_uids"));
}

const char *spoed_list_study_uid(const struct spoed_list *l, size_t i, size_t n)
{
    return spd_embed_string(spd_embed_at(spd_embed_get(row(l, i), "study_uids"), n));
}

size_t spoed_list_reason_count(const struct spoed_list *l, size_t i)
{
    return spd_embed_size(spd_embed_get(row(l, i), "reasons"));
}

const char *spoed_list_reason(const struct spoed_list *l, size_t i, size_t n)
{
    return spd_embed_text(spd_embed_at(spd_embed_get(row(l, i), "reasons"), n), "text");
}
