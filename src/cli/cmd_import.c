/* src/cli/cmd_import.c: `spoed import hl7|csv|mwl|fhir FILE…|URL [--peer NAME] [--dry-run]`: loads
 * open orders without any effect outward (domain §11). docs/go-live.md. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "cli/api.h"
#include "cli/import_send.h"

int cmd_import(const struct spd_cli *cli, int argc, char **argv);

struct counts {
    size_t read, by[SPD_IMPORT_REFUSED + 1];
};

static int usage(void)
{
    fprintf(
        stderr,
        "usage: spoed import hl7|csv|mwl|fhir FILE…|FOLDER|URL [--peer NAME] [--dry-run]\n"
        "       URL: https://… (FHIR, CSV …), dicom://AET@host:port (mwl); - is standard input\n");
    return SPD_EXIT_USAGE;
}

/* What each record would do, by what the store holds; records of one run do not see each other. */
static int look(struct spd_import_list *l, struct spd_sent_record *ret)
{
    struct spd_store *store;
    int code = spd_import_store(l, &store);
    for (size_t i = 0; !code && i < l->records.n; i++) {
        const struct spd_listed *r = &l->records.v[i];
        struct spd_order_event scratch;
        const struct spd_order_event *e = spd_listed_event(r, &scratch);
        const struct spd_order_in *o = spd_listed_order(r, 0);
        struct spd_import_look *x = SPD_NEW(l->arena, struct spd_import_look);
        struct spd_err err = {0};
        if (!store) {
            ret[i].says = r->type == SPD_EVENT_ORDER ? SPD_IMPORT_NEW : SPD_IMPORT_CLOSED;
            continue;
        }
        if (!o || spd_import_look(store, e, o, x, l->arena, &err)) {
            ret[i] = (struct spd_sent_record){SPD_IMPORT_REFUSED,
                                              spd_arena_dup(l->arena, spd_sv_from(err.text)), 0};
            continue;
        }
        ret[i].says = r->type == SPD_EVENT_REPORT && !x->item ? SPD_IMPORT_CLOSED : (int)x->says;
        ret[i].item = x->item;
        if (x->says == SPD_IMPORT_REFUSED)
            ret[i].reason = SPD_SV("This order number is another patient's here.");
        if (i % 500 == 499 || i + 1 == l->records.n)
            spd_import_progress(l, "look", i + 1, l->records.n);
    }
    spd_store_close(store);
    return code;
}

static void say_refused(const struct spd_cli *cli, json_t *list, spd_sv place, spd_sv why)
{
    if (cli->json)
        json_array_append_new(list, json_pack("{s:s#, s:s#}", "place", place.ptr ? place.ptr : "",
                                              (int)place.len, "reason", why.ptr ? why.ptr : "",
                                              (int)why.len));
    else
        fprintf(stderr, "%.*s: %.*s\n", SPD_SV_ARG(place), SPD_SV_ARG(why));
}

static void print(const struct spd_import_list *l, const struct counts *n, bool dry,
                  json_t *refused)
{
    if (l->cli->json) {
        json_t *v = json_pack(
            "{s:s#, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "peer", l->peer.peer.ptr,
            (int)l->peer.peer.len, "dry_run", dry, "read", (json_int_t)n->read, "new",
            (json_int_t)n->by[SPD_IMPORT_NEW], "changed", (json_int_t)n->by[SPD_IMPORT_CHANGED],
            "same", (json_int_t)(n->by[SPD_IMPORT_SAME] + n->by[SPD_IMPORT_OLDER]), "closed",
            (json_int_t)n->by[SPD_IMPORT_CLOSED], "skipped", (json_int_t)l->skipped, "refused",
            (json_int_t)n->by[SPD_IMPORT_REFUSED], "problems", refused);
        spd_api_print(v);
        json_decref(v);
        return;
    }
    json_decref(refused);
    if (l->cli->quiet) return;
    printf("%s%zu read: %zu new, %zu changed, %zu the same, %zu closed already, %zu not for us, "
           "%zu refused\n",
           dry ? "would be, of " : "", n->read, n->by[SPD_IMPORT_NEW], n->by[SPD_IMPORT_CHANGED],
           n->by[SPD_IMPORT_SAME] + n->by[SPD_IMPORT_OLDER], n->by[SPD_IMPORT_CLOSED], l->skipped,
           n->by[SPD_IMPORT_REFUSED]);
    if (!dry && n->by[SPD_IMPORT_NEW])
        printf("Now compare with the RIS's own open list: spoed reconcile\n");
}

static int run(struct spd_import_list *l, bool dry)
{
    struct spd_sent_record *sent = SPD_NEW_N(l->arena, struct spd_sent_record, l->records.n + 1);
    struct counts n = {.read = l->records.n + l->refused.n + l->skipped};
    json_t *problems = json_array();
    int code = dry ? look(l, sent) : spd_import_send(l, l->records.v, l->records.n, sent);
    if (code) {
        json_decref(problems);
        return code;
    }
    for (size_t i = 0; i < l->refused.n; i++)
        say_refused(l->cli, problems, l->refused.v[i].place, l->refused.v[i].why);
    n.by[SPD_IMPORT_REFUSED] = l->refused.n;
    for (size_t i = 0; i < l->records.n; i++) {
        n.by[sent[i].says]++;
        if (sent[i].says == SPD_IMPORT_REFUSED)
            say_refused(l->cli, problems, l->records.v[i].place, sent[i].reason);
    }
    print(l, &n, dry, problems);
    return n.by[SPD_IMPORT_REFUSED] || l->failed ? SPD_EXIT_FAILURE : SPD_EXIT_OK;
}

int cmd_import(const struct spd_cli *cli, int argc, char **argv)
{
    struct spd_import_list l;
    const char *peer = NULL, *format = NULL;
    bool dry = false;
    int n = 0, code;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--peer") && i + 1 < argc)
            peer = argv[++i];
        else if (!strcmp(argv[i], "--dry-run"))
            dry = true;
        else if (argv[i][0] == '-' && argv[i][1])
            return usage();
        else if (!format)
            format = argv[i];
        else
            argv[n++] = argv[i];
    }
    for (size_t i = 0; format && spd_import_formats[i]; i++)
        if (!strcmp(spd_import_formats[i], format))
            break;
        else if (!spd_import_formats[i + 1])
            format = NULL;
    if (!format || !n) return usage();
    code = spd_import_list_open(cli, peer, &l);
    l.format = format;
    for (int i = 0; !code && i < n; i++)
        spd_import_list_add(&l, argv[i]);
    if (!code) code = run(&l, dry);
    spd_import_list_close(&l);
    return code;
}
