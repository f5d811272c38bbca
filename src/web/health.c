/* src/web/health.c: liveness, readiness, metrics. Nothing of a patient: labels are routes, states,
 * codes. */
#include "web/web_int.h"

void spd_web_h_healthz(struct spd_web_req *r)
{
    spd_j_open(&r->out, NULL, '{');
    spd_j_z(&r->out, "status", "ok");
    spd_j_text_or_null(&r->out, "version", r->web->host.site.version);
    spd_j_close(&r->out, '}');
    spd_web_json_done(r, 200);
}

static bool own_reason(struct spd_web_req *r, const char *name, bool ok, const char *nl,
                       const char *en, const char *todo_nl, const char *todo_en)
{
    spd_j_open(&r->out, NULL, '{');
    spd_j_z(&r->out, "name", name);
    spd_j_bool(&r->out, "ok", ok);
    spd_j_z(&r->out, "text", r->dutch ? nl : en);
    spd_j_text(&r->out, "todo", spd_sv_from(ok ? "" : r->dutch ? todo_nl : todo_en));
    spd_j_close(&r->out, '}');
    return ok;
}

/* A destination that a person has paused: said until it is resumed, no reason to be taken away. */
static void paused(struct spd_web_req *r, struct spd_query *q)
{
    const struct spd_web_host *h = &r->web->host;
    struct spd_web_destination d;
    for (size_t i = 0; q && *r->db && h->destination && h->destination(h->self, i, &d); i++) {
        bool is = false;
        if (spd_queue_paused(spd_query_store(q), spd_sv_from(d.name), r->arena, &is, NULL) || !is)
            continue;
        spd_sv nl = spd_arena_printf(
                   r->arena, "Bestemming %s is stilgezet; wat er naartoe moet, wacht.", d.name),
               en = spd_arena_printf(
                   r->arena, "Destination %s is paused; what has to go there waits.", d.name),
               todo = spd_arena_printf(r->arena, "spoed queue resume %s", d.name);
        own_reason(r, "paused", false, nl.ptr, en.ptr, todo.ptr, todo.ptr);
    }
}

void spd_web_h_readyz(struct spd_web_req *r)
{
    struct spd_web_host *h = &r->web->host;
    struct spd_query_counts counts;
    struct spd_query *q = spd_web_db(r);
    const struct spd_list *l = spd_board_get(h->board);
    bool ready, store = q && spd_query_counts(q, &counts, NULL) == SPD_OK;
    if (q && !store) spd_web_store_failed(r, SPD_IO); /* opened anew next time */
    spd_str_clear(&r->out);
    r->n_reply_headers = 0;
    spd_j_open(&r->out, NULL, '{');
    spd_j_open(&r->out, "reasons", '[');
    ready = own_reason(r, "store", store,
                       store ? "De gegevens zijn leesbaar." : "De gegevens zijn niet leesbaar.",
                       store ? "The store can be read." : "The store cannot be read.",
                       "controleer de schijf en het logboek", "check the disk and the log");
    bool listed = l && spd_list_revision(l) > 0;
    ready &= own_reason(r, "worklist", listed,
                        listed ? "De werklijst is gepubliceerd." : "Er is nog geen werklijst.",
                        listed ? "The worklist is published." : "There is no worklist yet.",
                        "wacht even; blijft het zo, zie het logboek",
                        "wait a moment; if it stays so, see the log");
    if (l && !spd_list_complete(l)) /* shown, but the list serves: not a reason to take it away */
        own_reason(r, "complete", false, "De werklijst is mogelijk onvolledig.",
                   "The worklist is possibly incomplete.",
                   "houd de open lijst van het RIS ernaast; de alarmen tonen welke aanvoer stil is",
                   "keep the RIS's own open list at hand; the alarms show which feed is silent");
    if (h->health) {
        struct spd_str more = SPD_STR_INIT(1u << 20);
        ready &= h->health(h->self, r->dutch, &more);
        if (more.len) spd_j_sep(&r->out), spd_str_add(&r->out, spd_str_sv(&more));
        spd_str_done(&more);
    }
    paused(r, q);
    spd_j_close(&r->out, ']');
    spd_j_bool(&r->out, "ready", ready);
    spd_j_bool(&r->out, "complete", l && spd_list_complete(l));
    spd_j_int(&r->out, "revision", l ? spd_list_revision(l) : 0);
    spd_web_observe(r);
    spd_j_close(&r->out, '}');
    spd_list_unref(l);
    spd_web_json_done(r, ready ? 200 : 503);
}

/* ---- metrics
 * ------------------------------------------------------------------------------------------ */
static void help(struct spd_str *s, const char *name, const char *type, const char *text)
{
    spd_str_addf(s, "# HELP %s %s\n# TYPE %s %s\n", name, text, name, type);
}

static void gauge(struct spd_str *s, const char *name, const char *text, int64_t v)
{
    help(s, name, "gauge", text);
    spd_str_addf(s, "%s %lld\n", name, (long long)v);
}

static void from_store(struct spd_web_req *r)
{
    struct spd_query *q = spd_web_db(r);
    struct spd_query_counts c;
    bool ok = q && spd_query_counts(q, &c, NULL) == SPD_OK;
    if (q && !ok) spd_web_store_failed(r, SPD_IO);
    spd_str_clear(&r->out);
    r->n_reply_headers = 0;
    gauge(&r->out, "spoed_store_readable", "1 when the store can be read.", ok);
    if (!ok) return; /* absent is what Prometheus understands by not known */
    help(&r->out, "spoed_items", "gauge", "Items by status.");
    for (int i = 1; i < SPD_STATUS_N; i++)
        spd_str_addf(&r->out, "spoed_items{status=\"%s\"} %lld\n", spd_status_names[i],
                     (long long)c.items[i]);
    help(&r->out, "spoed_outbox", "gauge", "Rows that leave or have left the house, by state.");
    for (int i = 1; i < SPD_OUTBOX_STATE_N; i++)
        spd_str_addf(&r->out, "spoed_outbox{state=\"%s\"} %lld\n", spd_outbox_state_names[i],
                     (long long)c.outbox[i]);
    gauge(&r->out, "spoed_alerts_open", "Alerts that nobody has acknowledged.", c.alerts_open);
    gauge(&r->out, "spoed_parked_open", "Results and messages that fit nobody.", c.parked_open);
    gauge(&r->out, "spoed_alarms_open", "Open technical alarms.", c.alarms_open);
    gauge(&r->out, "spoed_discrepancies_open", "Open discrepancies between report and AI.",
          c.discrepancies_open);
    gauge(&r->out, "spoed_revision", "Last journal number in the store.", c.revision);
}

static void from_web(struct spd_web_req *r)
{
    struct spd_web *w = r->web;
    size_t streams = 0, conns;
    help(&r->out, "spoed_http_requests_total", "counter",
         "Answered requests by route and status code.");
    for (size_t i = 0; i <= spd_web_n_routes; i++) {
        for (size_t k = 0; k < SPD_WEB_CODES; k++) {
            uint64_t n = __atomic_load_n(&w->counts[i][k], __ATOMIC_RELAXED);
            if (!n) continue;
            spd_str_addf(&r->out,
                         "spoed_http_requests_total{method=\"%s\",route=\"%s\",code=\"%d\"} %llu\n",
                         i < spd_web_n_routes ? spd_web_routes[i].method : "",
                         i < spd_web_n_routes ? spd_web_routes[i].path : "other",
                         spd_web_code_at(k), (unsigned long long)n);
        }
    }
    pthread_mutex_lock(&w->conns_lock);
    conns = w->n_conns;
    for (struct spd_web_conn *c = w->conns; c; c = c->next)
        streams += c->state == SPD_CONN_STREAM;
    pthread_mutex_unlock(&w->conns_lock);
    gauge(&r->out, "spoed_http_connections", "Open client connections.", (int64_t)conns);
    gauge(&r->out, "spoed_http_streams", "Open event streams.", (int64_t)streams);
}

void spd_web_h_metrics(struct spd_web_req *r)
{
    struct spd_web_host *h = &r->web->host;
    struct spd_writer_stats w = spd_writer_stats(h->writer);
    const struct spd_list *l = spd_board_get(h->board);
    from_store(r);
    gauge(&r->out, "spoed_worklist_items", "Items on the reporting worklist.",
          l ? (int64_t)spd_list_count(l) : 0);
    gauge(&r->out, "spoed_worklist_revision", "Journal number of the published list.",
          l ? spd_list_revision(l) : 0);
    gauge(&r->out, "spoed_worklist_complete", "0 while the list is possibly incomplete.",
          l && spd_list_complete(l));
    spd_list_unref(l);
    help(&r->out, "spoed_events_total", "counter", "Events applied.");
    spd_str_addf(&r->out, "spoed_events_total %llu\n", (unsigned long long)w.events);
    help(&r->out, "spoed_event_batches_total", "counter", "Transactions committed.");
    spd_str_addf(&r->out, "spoed_event_batches_total %llu\n", (unsigned long long)w.batches);
    help(&r->out, "spoed_events_failed_total", "counter", "Events that could not be committed.");
    spd_str_addf(&r->out, "spoed_events_failed_total %llu\n", (unsigned long long)w.failed);
    gauge(&r->out, "spoed_event_queue", "Events waiting for the writer.", (int64_t)w.waiting);
    from_web(r);
    if (h->metrics) h->metrics(h->self, &r->out);
    r->status = 200;
    r->type = "text/plain; version=0.0.4; charset=utf-8";
}
