/* src/cli/import_list.c: see import_list.h. */
#define _GNU_SOURCE
#include "cli/import_list.h"

#include <curl/curl.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/source.h"
#include "cli/api.h"
#include "result/dcm_write.h"
#include "scu/scu.h"

enum { PAGES_MAX = 1000, ANSWERS_MAX = 100000 };
#define ARENA_BYTES ((size_t)4 << 30)
#define MODALITY_WORKLIST "1.2.840.10008.5.1.4.31"

/* ---- who ----------------------------------------------------------------------------------------
 */
static bool known_procedure(void *ctx, spd_sv code, struct hl7_procedure *ret)
{
    const struct spd_procedure *p = spd_codes_procedure(ctx, code);
    if (!p) return false;
    *ret = (struct hl7_procedure){p->code, p->modality, p->body_part, p->region};
    return true;
}

static const struct spd_peer *find_peer(const struct spd_config *c, const char *name)
{
    const struct spd_peer *found = NULL;
    size_t n = 0;
    for (size_t i = 0; i < c->n_peers; i++) {
        const struct spd_peer *p = &c->peers[i];
        if (name ? !spd_sv_is(p->name, name) : !p->orders) continue;
        found = p, n++;
    }
    if (!n && name)
        fprintf(stderr, "spoed: no peer \"%s\" in the configuration\n", name);
    else if (!n)
        fprintf(stderr, "spoed: no peer in the configuration has the role orders\n");
    else if (n > 1)
        fprintf(stderr,
                "spoed: several peers have the role orders: say whose they are with --peer\n");
    else if (!found->orders)
        fprintf(stderr, "spoed: the peer \"%s\" does not have the role orders\n", name);
    return n == 1 && found->orders ? found : NULL;
}

int spd_import_list_open(const struct spd_cli *cli, const char *peer, struct spd_import_list *ret)
{
    const struct spd_zone *zone;
    const struct spd_peer *p;
    struct spd_err err = {0};
    *ret = (struct spd_import_list){.cli = cli, .arena = spd_arena_new(ARENA_BYTES)};
    if (!ret->arena) spd_out_of_memory();
    ret->c = spd_api_config(cli);
    if (!ret->c) return SPD_EXIT_CONFIG;
    p = find_peer(ret->c, peer);
    if (!p) return SPD_EXIT_USAGE;
    if (spd_codes_load_dir(spd_arena_dup(ret->arena, ret->c->codes_dir).ptr,
                           ret->c->site_codes_dir.len
                               ? spd_arena_dup(ret->arena, ret->c->site_codes_dir).ptr
                               : NULL,
                           &ret->codes, &err)) {
        fprintf(stderr, "%s: %s\n", err.place, err.text);
        return SPD_EXIT_CONFIG;
    }
    zone = ret->c->settings.time_zone.len
               ? spd_zone_get(spd_arena_dup(ret->arena, ret->c->settings.time_zone).ptr)
               : NULL;
    spd_config_hl7_options(ret->c, p, zone ? zone : spd_zone_utc(), ret->arena, &ret->peer);
    ret->peer.now = spd_clock_now();
    ret->peer.procedure = known_procedure, ret->peer.procedure_ctx = ret->codes;
    return SPD_EXIT_OK;
}

void spd_import_list_close(struct spd_import_list *l)
{
    hl7_site_unref(l->peer.map);
    spd_codes_free(l->codes);
    spd_config_free(l->c);
    spd_arena_free(l->arena);
}

/* ---- records ------------------------------------------------------------------------------------
 */
static void record(void *self, spd_sv place, const struct spd_event *e)
{
    struct spd_import_list *l = self;
    *SPD_LIST_ADD(&l->records, l->arena) = (struct spd_listed){place, e->type, e->u.any};
}

static void refused(void *self, spd_sv place, spd_sv why)
{
    struct spd_import_list *l = self;
    *SPD_LIST_ADD(&l->refused, l->arena) = (struct spd_unlisted){place, why};
}

static void skipped(void *self, spd_sv place, spd_sv why)
{
    struct spd_import_list *l = self;
    (void)place, (void)why;
    l->skipped++;
}

static const struct spd_import_out *out_of(struct spd_import_list *l)
{
    struct spd_import_out *o = SPD_NEW(l->arena, struct spd_import_out);
    *o = (struct spd_import_out){l, record, refused, skipped};
    return o;
}

static void no_source(struct spd_import_list *l, spd_sv name, const char *place, const char *text)
{
    l->failed = true;
    refused(l, place[0] ? spd_arena_printf(l->arena, "%s", place) : name,
            spd_arena_dup(l->arena, spd_sv_from(text)));
}

static void read_bytes(struct spd_import_list *l, spd_sv name, spd_sv bytes)
{
    struct spd_import_in in = {name, bytes, &l->peer, out_of(l), l->arena};
    const char *format = l->format ? l->format : spd_import_guess(name, bytes);
    struct spd_err err = {0};
    if (!format)
        no_source(l, name, "", "cannot tell its format: say hl7, csv, mwl or fhir");
    else if (spd_import_read(format, &in, &err))
        l->failed = true,
        refused(l,
                strstr(err.place, ":") ? spd_arena_dup(l->arena, spd_sv_from(err.place))
                : err.place[0] ? spd_arena_printf(l->arena, "%.*s:%s", SPD_SV_ARG(name), err.place)
                               : name,
                spd_arena_dup(l->arena, spd_sv_from(err.text)));
}

static void read_file(struct spd_import_list *l, const char *path)
{
    struct spd_source src = {0};
    struct spd_err err = {0};
    spd_sv name = spd_arena_dup(l->arena, spd_sv_from(path));
    if (spd_source_read(path, SPD_IMPORT_FILE_MAX, &src, l->arena, &err))
        no_source(l, name, "", err.text);
    else
        read_bytes(l, name, src.text);
}

static void read_input(struct spd_import_list *l)
{
    struct spd_str s = SPD_STR_INIT(SPD_IMPORT_FILE_MAX);
    char buf[65536];
    for (size_t n; (n = fread(buf, 1, sizeof buf, stdin));)
        spd_str_add(&s, spd_sv_of(buf, n));
    if (spd_str_ok(&s))
        read_bytes(l, SPD_SV("-"), spd_arena_dup(l->arena, spd_str_sv(&s)));
    else
        no_source(l, SPD_SV("-"), "", "standard input is too long");
    spd_str_done(&s);
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.' && strcmp(d->d_name, "lockfile");
}

static void read_folder(struct spd_import_list *l, const char *path)
{
    struct dirent **found;
    int n = scandir(path, &found, visible, alphasort);
    if (n < 0) {
        no_source(l, spd_sv_from(path), "", "the folder cannot be read");
        return;
    }
    for (int i = 0; i < n; i++) {
        const char *file = spd_arena_printf(l->arena, "%s/%s", path, found[i]->d_name).ptr;
        struct stat st;
        if (!stat(file, &st) && S_ISREG(st.st_mode)) read_file(l, file);
        spd_free(found[i]);
    }
    spd_free(found);
}

/* ---- http ---------------------------------------------------------------------------------------
 */
static size_t sink(char *p, size_t size, size_t n, void *ctx)
{
    struct spd_str *s = ctx;
    spd_str_add(s, spd_sv_of(p, size * n));
    return spd_str_ok(s) ? size * n : 0;
}

static bool loopback(const char *url)
{
    static const char *const hosts[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        size_t n = strlen(hosts[i]);
        if (!strncmp(url, hosts[i], n) && (!url[n] || strchr(":/?", url[n]))) return true;
    }
    return false;
}

/* scheme://host:port of an address. */
static spd_sv origin(const char *url)
{
    const char *p = strstr(url, "://");
    p = p ? strpbrk(p + 3, "/?#") : NULL;
    return p ? spd_sv_of(url, (size_t)(p - url)) : spd_sv_from(url);
}

static bool get(struct spd_import_list *l, CURL *curl, const char *url, spd_sv *ret)
{
    struct spd_str s = SPD_STR_INIT(SPD_IMPORT_FILE_MAX);
    struct curl_slist *headers = curl_slist_append(
        NULL, "Accept: application/fhir+json, application/json, text/csv, */*;q=0.1");
    const char *token = getenv("SPOED_IMPORT_TOKEN");
    CURLcode rc;
    long status = 0;
    if (token && *token)
        headers = curl_slist_append(
            headers, spd_arena_printf(l->arena, "Authorization: Bearer %s", token).ptr);
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 3000L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 300000L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, sink);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &s);
    rc = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    if (!rc && status == 200) *ret = spd_arena_dup(l->arena, spd_str_sv(&s));
    if (rc)
        no_source(l, origin(url), "", curl_easy_strerror(rc));
    else if (status != 200)
        no_source(l, origin(url), "",
                  spd_arena_printf(l->arena, "the answer was HTTP %ld", status).ptr);
    spd_str_done(&s);
    return !rc && status == 200;
}

/* Only the place that was named is asked, however the pages are linked. Places on the screen have
 * no query: a name or number may stand in it. */
static void read_url(struct spd_import_list *l, const char *url)
{
    CURL *curl = curl_easy_init();
    const char *next = url;
    spd_sv bytes, from = origin(url);
    if (!curl) spd_out_of_memory();
    if (spd_sv_find(from, SPD_SV("@"), NULL)) {
        no_source(l, SPD_SV("https"), "",
                  "no user or password in an address: set SPOED_IMPORT_TOKEN");
        next = NULL;
    } else if (!strncmp(url, "http://", 7) && !loopback(url)) {
        no_source(l, from, "", "plain http only to this machine itself: use https");
        next = NULL;
    }
    for (int page = 1; next && page <= PAGES_MAX && get(l, curl, next, &bytes); page++) {
        spd_sv name = spd_arena_printf(l->arena, "%.*s page %d", SPD_SV_ARG(from), page), link;
        read_bytes(l, name, bytes);
        link = fhir_next_page(bytes, l->arena);
        next = NULL;
        if (link.len && spd_sv_eq(origin(link.ptr), from))
            next = link.ptr;
        else if (link.len)
            no_source(l, name, "", "the next page is at another address: not followed");
    }
    curl_easy_cleanup(curl);
}

/* ---- DICOM
 * --------------------------------------------------------------------------------------- */
struct asking {
    struct spd_import_list *l;
    spd_sv from;
    size_t n;
};

static bool answer(void *ctx, const struct spd_dcm *d)
{
    struct asking *a = ctx;
    struct spd_import_list *l = a->l;
    struct spd_import_in in = {a->from, SPD_SV_NONE, &l->peer, out_of(l), l->arena};
    struct spd_order_event e, *kept = SPD_NEW(l->arena, struct spd_order_event);
    spd_sv place = spd_arena_printf(l->arena, "%.*s:%zu", SPD_SV_ARG(a->from), ++a->n);
    const char *why = "";
    if (!spd_import_step(&in, d, &e, &why)) {
        refused(l, place, spd_sv_from(why));
        return true;
    }
    spd_desc_clone(&spd_order_event_desc, kept, &e, l->arena); /* the answer goes */
    spd_import_order(&in, place, kept);
    return true;
}

static void read_dicom(struct spd_import_list *l, const char *url)
{
    struct spd_scu_context context = {.abstract = MODALITY_WORKLIST};
    struct spd_scu_to to = {.calling = l->c->dicom_listen.ae_title};
    struct asking a = {l, spd_arena_dup(l->arena, spd_sv_from(url)), 0};
    struct spd_dcm_set keys = {0};
    struct spd_scu *scu = NULL;
    struct spd_err err = {0};
    unsigned status = 0;
    spd_sv comment;
    enum spd_rc rc = spd_scu_parse(a.from, &to, &err);
    if (!to.calling.len) to.calling = SPD_SV("SPOED");
    spd_import_step_keys(&keys, l->arena);
    if (!rc) rc = spd_scu_open(NULL, &to, &context, 1, &scu, &err);
    if (!rc)
        rc = spd_scu_find(scu, MODALITY_WORKLIST, &keys, ANSWERS_MAX, answer, &a, &status, &comment,
                          l->arena, &err);
    spd_scu_close(scu);
    if (rc)
        no_source(l, a.from, "", err.text);
    else if (status)
        no_source(l, a.from, "", spd_arena_printf(l->arena, "its answer was %04x", status).ptr);
}

void spd_import_list_add(struct spd_import_list *l, const char *source)
{
    struct stat st;
    if (!strcmp(source, "-"))
        read_input(l);
    else if (!strncmp(source, "http://", 7) || !strncmp(source, "https://", 8))
        read_url(l, source);
    else if (!strncmp(source, "dicom://", 8) || !strncmp(source, "dicom-tls://", 12))
        read_dicom(l, source);
    else if (!stat(source, &st) && S_ISDIR(st.st_mode))
        read_folder(l, source);
    else
        read_file(l, source);
}

/* ---- looking at records
 * -------------------------------------------------------------------------- */
const struct spd_order_in *spd_listed_order(const struct spd_listed *r, size_t i)
{
    const struct spd_order_event *o = r->event;
    const struct spd_report_event *p = r->event;
    if (r->type == SPD_EVENT_ORDER) return i < o->orders.n ? &o->orders.v[i] : NULL;
    return i < p->reports.n ? &p->reports.v[i] : NULL;
}

const struct spd_order_event *spd_listed_event(const struct spd_listed *r,
                                               struct spd_order_event *scratch)
{
    if (r->type == SPD_EVENT_ORDER) return r->event;
    *scratch =
        (struct spd_order_event){.patient = ((const struct spd_report_event *)r->event)->patient};
    return scratch;
}

void spd_import_progress(const struct spd_import_list *l, const char *what, size_t done, size_t all)
{
    enum { WIDTH = 30 };
    size_t full = all ? done * WIDTH / all : WIDTH;
    if (l->cli->quiet || !isatty(2)) return;
    fprintf(stderr, "\r%s [", what);
    for (size_t i = 0; i < WIDTH; i++)
        fputc(i < full ? '#' : ' ', stderr);
    fprintf(stderr, "] %zu of %zu%s", done, all, done >= all ? "\n" : "");
}
