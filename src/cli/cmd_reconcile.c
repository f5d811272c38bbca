/* src/cli/cmd_reconcile.c: `spoed reconcile FILE…|URL [--format F] [--peer NAME] [--apply]`: the
 * RIS's open list against what is open here: missing, extra, different (domain §11).
 *
 * --apply adds what is missing as an import does, and marks what the RIS does not list, for a
 * person: nothing is ever closed or hidden by a list. Either way it is recorded that lists were
 * compared, and how many are still missing: with none the worklist is called complete. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "cli/api.h"
#include "cli/import_send.h"
#include "cli/rows.h"

int cmd_reconcile(const struct spd_cli *cli, int argc, char **argv);

enum { PAGE = 500, IDS_PER_EVENT = 2000 };

struct one { /* an order of the list: its last word on it */
    const struct spd_listed *from;
    const struct spd_order_in *order;
    struct spd_import_look *look;
    bool open; /* the list says so */
};
struct extra {
    int64_t item;
    spd_sv accession, status;
    bool marked; /* since an earlier comparison */
};
struct comparison {
    struct spd_import_list *l;
    struct {
        struct one *v;
        size_t n;
    } all;
    json_t *by_key; /* key of an order -> index in all */
    struct {
        struct extra *v;
        size_t n;
    } extra;
    struct {
        int64_t *v;
        size_t n;
    } found; /* marked, and listed again */
    size_t listed, missing, different, refused;
};

static int usage(void)
{
    fprintf(stderr, "usage: spoed reconcile FILE…|FOLDER|URL [--format hl7|csv|mwl|fhir] [--peer "
                    "NAME] [--apply]\n");
    return SPD_EXIT_USAGE;
}

static spd_sv key_of(const struct comparison *c, const struct spd_order_in *o)
{
    const struct spd_cx *cx = o->accession.value.len ? &o->accession
                              : o->filler.value.len  ? &o->filler
                                                     : &o->placer;
    return spd_arena_printf(c->l->arena, "%c%.*s|%.*s",
                            cx == &o->accession ? 'a'
                            : cx == &o->filler  ? 'f'
                                                : 'p',
                            SPD_SV_ARG(cx->value), SPD_SV_ARG(cx->authority));
}

/* ---- the list
 * ------------------------------------------------------------------------------------- */
static void hear(struct comparison *c, const struct spd_listed *r, const struct spd_order_in *o)
{
    bool open = !o->cancel && o->order != SPD_ORDER_CANCELLED && o->report < SPD_REPORT_FINAL;
    spd_sv key = key_of(c, o);
    json_t *at = json_object_get(c->by_key, key.ptr);
    if (!at) {
        json_object_set_new(c->by_key, key.ptr, json_integer((json_int_t)c->all.n));
        SPD_LIST_ADD(&c->all, c->l->arena);
        at = json_object_get(c->by_key, key.ptr);
    }
    struct one *x = &c->all.v[json_integer_value(at)];
    if (r->type == SPD_EVENT_REPORT && x->from) { /* it only says how far the report is */
        x->open &= open;
        return;
    }
    *x = (struct one){r, o, NULL, open};
}

static bool counts_as(const struct spd_difference *d)
{
    return strcmp(d->field, "message") != 0; /* ours, not the list's */
}

static int compare(struct comparison *c, struct spd_store *store)
{
    for (size_t i = 0; i < c->all.n; i++) {
        struct one *x = &c->all.v[i];
        struct spd_order_event scratch;
        struct spd_err err = {0};
        size_t n = 0;
        x->look = SPD_NEW(c->l->arena, struct spd_import_look);
        x->look->says = x->open ? SPD_IMPORT_NEW : SPD_IMPORT_CLOSED;
        if (store && spd_import_look(store, spd_listed_event(x->from, &scratch), x->order, x->look,
                                     c->l->arena, &err)) {
            fprintf(stderr, "spoed: %s: %s\n", err.place, err.text);
            return SPD_EXIT_FAILURE;
        }
        c->listed += x->open;
        if (x->open && !x->look->item) c->missing++;
        for (size_t k = 0; k < x->look->n; k++)
            if (counts_as(&x->look->differences[k]))
                x->look->differences[n++] = x->look->differences[k];
        x->look->n = x->look->item && (x->open || x->look->open) ? n : 0;
        c->different += x->look->n > 0;
        if (i % 500 == 499 || i + 1 == c->all.n)
            spd_import_progress(c->l, "compare", i + 1, c->all.n);
    }
    return SPD_EXIT_OK;
}

/* ---- what is open here and not there
 * ---------------------------------------------------------------- */
static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void look_at(struct comparison *c, const struct spd_item *item, const int64_t *listed,
                    size_t n)
{
    bool there = bsearch(&item->id, listed, n, sizeof *listed, by_value) != NULL;
    if (item->unmatched || !spd_sv_eq(item->peer, c->l->peer.peer)) return;
    if (there && item->extra_since) *SPD_LIST_ADD(&c->found, c->l->arena) = item->id;
    /* A preliminary report may well be off the RIS's list: the reading is done. */
    if (there || item->report > SPD_REPORT_NONE) return;
    *SPD_LIST_ADD(&c->extra, c->l->arena) =
        (struct extra){item->id, spd_arena_dup(c->l->arena, item->accession.value),
                       spd_sv_from(spd_enum_name(spd_status_names, (int)spd_item_status(item))),
                       item->extra_since != 0};
}

static int find_extra(struct comparison *c, struct spd_store *store)
{
    struct spd_arena *page = spd_arena_new((size_t)256 << 20);
    int64_t *listed = SPD_NEW_N(c->l->arena, int64_t, c->all.n + 1), ids[PAGE], after = 0;
    size_t n_listed = 0, n = 0;
    struct spd_err err = {0};
    enum spd_rc rc = SPD_OK;
    if (!page) spd_out_of_memory();
    for (size_t i = 0; i < c->all.n; i++)
        if (c->all.v[i].open && c->all.v[i].look->item) listed[n_listed++] = c->all.v[i].look->item;
    qsort(listed, n_listed, sizeof *listed, by_value);
    do {
        spd_arena_reset(page);
        rc = spd_store_find(store, SPD_KEY_ITEM_OPEN, SPD_SV("1"), after, ids, PAGE, &n, &err);
        for (size_t i = 0; !rc && i < n; i++) {
            struct spd_item item;
            after = ids[i];
            rc = spd_get_item(store, ids[i], &item, page, &err);
            if (!rc) look_at(c, &item, listed, n_listed);
            if (rc == SPD_NOTFOUND) rc = SPD_OK;
        }
    } while (!rc && n == PAGE);
    spd_arena_free(page);
    if (!rc) return SPD_EXIT_OK;
    fprintf(stderr, "spoed: %s: %s\n", err.place, err.text);
    return SPD_EXIT_FAILURE;
}

/* ---- what follows
 * ----------------------------------------------------------------------------------- */
static int add_missing(struct comparison *c)
{
    struct spd_listed *v = SPD_NEW_N(c->l->arena, struct spd_listed, c->all.n + 1);
    struct spd_sent_record *sent = SPD_NEW_N(c->l->arena, struct spd_sent_record, c->all.n + 1);
    size_t n = 0;
    int code;
    for (size_t i = 0; i < c->all.n; i++)
        if (c->all.v[i].open && !c->all.v[i].look->item &&
            c->all.v[i].from->type == SPD_EVENT_ORDER)
            v[n++] = *c->all.v[i].from;
    code = spd_import_send(c->l, v, n, sent);
    for (size_t i = 0; !code && i < n; i++) {
        if (sent[i].says != SPD_IMPORT_REFUSED && sent[i].says != SPD_IMPORT_CLOSED)
            c->missing--;
        else
            *SPD_LIST_ADD(&c->l->refused, c->l->arena) =
                (struct spd_unlisted){v[i].place, sent[i].reason};
    }
    return code;
}

/* In events of a bounded size; the last one says that the comparison is whole. */
static int tell(struct comparison *c, bool apply)
{
    struct spd_reconcile_event e = {.peer = c->l->peer.peer, .by = SPD_SV("command line")};
    int64_t *extras = SPD_NEW_N(c->l->arena, int64_t, c->extra.n + 1);
    size_t a = 0, b = 0, n = apply ? c->extra.n : 0;
    int code = SPD_EXIT_OK;
    for (size_t i = 0; i < c->extra.n; i++)
        extras[i] = c->extra.v[i].item;
    e.listed = (int64_t)c->listed, e.missing = (int64_t)c->missing;
    e.extra = (int64_t)c->extra.n, e.different = (int64_t)c->different;
    while (!code && !e.last) {
        e.extras.v = extras + a, e.extras.n = n - a < IDS_PER_EVENT ? n - a : IDS_PER_EVENT;
        e.found.v = c->found.v + b,
        e.found.n = c->found.n - b < IDS_PER_EVENT ? c->found.n - b : IDS_PER_EVENT;
        a += e.extras.n, b += e.found.n;
        e.last = a == n && b == c->found.n;
        code = spd_reconcile_send(c->l, &e);
    }
    return code;
}

/* ---- saying so
 * -------------------------------------------------------------------------------------- */
static json_t *text(spd_sv v)
{
    json_t *t = json_stringn(v.ptr ? v.ptr : "", v.len);
    return t ? t : json_string("?");
}

static json_t *json_of(const struct comparison *c, bool apply)
{
    json_t *missing = json_array(), *extra = json_array(), *different = json_array(),
           *refused = json_array();
    for (size_t i = 0; i < c->all.n; i++) {
        const struct one *x = &c->all.v[i];
        json_t *d = json_array();
        for (size_t k = 0; k < x->look->n; k++)
            json_array_append_new(d, json_pack("{s:s, s:o, s:o}", "field",
                                               x->look->differences[k].field, "here",
                                               text(x->look->differences[k].here), "there",
                                               text(x->look->differences[k].there)));
        if (x->open && !x->look->item)
            json_array_append_new(missing, json_pack("{s:o, s:o}", "place", text(x->from->place),
                                                     "accession", text(x->order->accession.value)));
        if (x->look->n)
            json_array_append_new(different,
                                  json_pack("{s:o, s:I, s:o, s:O}", "place", text(x->from->place),
                                            "item", (json_int_t)x->look->item, "accession",
                                            text(x->order->accession.value), "differences", d));
        json_decref(d);
    }
    for (size_t i = 0; i < c->extra.n; i++)
        json_array_append_new(
            extra, json_pack("{s:I, s:o, s:o}", "item", (json_int_t)c->extra.v[i].item, "accession",
                             text(c->extra.v[i].accession), "status", text(c->extra.v[i].status)));
    for (size_t i = 0; i < c->l->refused.n; i++)
        json_array_append_new(refused,
                              json_pack("{s:o, s:o}", "place", text(c->l->refused.v[i].place),
                                        "reason", text(c->l->refused.v[i].why)));
    return json_pack("{s:o, s:b, s:b, s:I, s:I, s:o, s:o, s:o, s:o}", "peer", text(c->l->peer.peer),
                     "applied", apply, "complete", c->missing == 0, "listed", (json_int_t)c->listed,
                     "still_missing", (json_int_t)c->missing, "missing", missing, "extra", extra,
                     "different", different, "problems", refused);
}

struct rows {
    struct spd_row *v;
    size_t n;
    struct spd_arena *a;
};

static void row(struct rows *r, const char *what, spd_sv accession, spd_sv detail)
{
    spd_sv number = spd_arena_dup(r->a, accession), said = spd_arena_dup(r->a, detail);
    *SPD_LIST_ADD(r, r->a) =
        (struct spd_row){{what, number.ptr ? number.ptr : "", said.ptr ? said.ptr : ""}};
}

static void difference(struct rows *r, spd_sv accession, const struct spd_difference *d)
{
    spd_sv here = d->here.len ? d->here : SPD_SV("nothing");
    row(r, "different", accession,
        spd_arena_printf(r->a, "%s: here %.*s, there %.*s", d->field, SPD_SV_ARG(here),
                         SPD_SV_ARG(d->there)));
}

static void print(const struct comparison *c, bool apply)
{
    struct rows r = {NULL, 0, c->l->arena};
    row(&r, "WHAT", SPD_SV("ACCESSION"), SPD_SV("DETAIL"));
    for (size_t i = 0; i < c->all.n; i++) {
        const struct one *x = &c->all.v[i];
        if (x->open && !x->look->item)
            row(&r, apply ? "missing, added" : "missing", x->order->accession.value,
                x->from->place);
        for (size_t k = 0; k < x->look->n; k++)
            difference(&r, x->order->accession.value, &x->look->differences[k]);
    }
    for (size_t i = 0; i < c->extra.n; i++)
        row(&r, apply || c->extra.v[i].marked ? "extra, marked" : "extra", c->extra.v[i].accession,
            c->extra.v[i].status);
    spd_rows_print(r.v, r.n);
    for (size_t i = 0; i < c->l->refused.n; i++)
        fprintf(stderr, "%.*s: %.*s\n", SPD_SV_ARG(c->l->refused.v[i].place),
                SPD_SV_ARG(c->l->refused.v[i].why));
    if (c->l->cli->quiet) return;
    printf("%zu listed: %zu %smissing, %zu extra, %zu different, %zu refused\n", c->listed,
           c->missing, apply ? "still " : "", c->extra.n, c->different, c->l->refused.n);
    if (c->missing && !apply)
        printf("--apply adds what is missing, and marks what is extra for a person\n");
    if (c->missing) printf("The worklist goes on being called possibly incomplete.\n");
}

static int run(struct spd_import_list *l, bool apply)
{
    struct comparison c = {.l = l, .by_key = json_object()};
    struct spd_store *store = NULL;
    int code;
    for (size_t i = 0; i < l->records.n; i++) {
        const struct spd_order_in *o;
        for (size_t k = 0; (o = spd_listed_order(&l->records.v[i], k)); k++)
            hear(&c, &l->records.v[i], o);
    }
    code = spd_import_store(l, &store);
    if (!code) code = compare(&c, store);
    if (!code && store) code = find_extra(&c, store);
    spd_store_close(store);
    if (!code && apply) code = add_missing(&c);
    if (!code) c.missing += l->refused.n; /* who knows what they were */
    if (!code) code = tell(&c, apply);
    if (!code && l->cli->json) {
        json_t *v = json_of(&c, apply);
        spd_api_print(v);
        json_decref(v);
    } else if (!code) {
        print(&c, apply);
    }
    json_decref(c.by_key);
    return code ? code : c.missing ? SPD_EXIT_FAILURE : SPD_EXIT_OK;
}

int cmd_reconcile(const struct spd_cli *cli, int argc, char **argv)
{
    struct spd_import_list l;
    const char *peer = NULL, *format = NULL;
    bool apply = false;
    int n = 0, code;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--peer") && i + 1 < argc)
            peer = argv[++i];
        else if (!strcmp(argv[i], "--format") && i + 1 < argc)
            format = argv[++i];
        else if (!strcmp(argv[i], "--apply"))
            apply = true;
        else if (argv[i][0] == '-' && argv[i][1])
            return usage();
        else
            argv[n++] = argv[i];
    }
    if (!n) return usage();
    code = spd_import_list_open(cli, peer, &l);
    l.format = format;
    for (int i = 0; !code && i < n; i++)
        spd_import_list_add(&l, argv[i]);
    if (!code && l.failed) { /* half a list would call what it does not name extra */
        for (size_t i = 0; i < l.refused.n; i++)
            fprintf(stderr, "%.*s: %.*s\n", SPD_SV_ARG(l.refused.v[i].place),
                    SPD_SV_ARG(l.refused.v[i].why));
        code = SPD_EXIT_FAILURE;
    }
    if (!code) code = run(&l, apply);
    spd_import_list_close(&l);
    return code;
}
