/* src/daemon/config_map.c: peers.NAME.map: the field map of a peer's HL7 messages, and what the
 * map's reader is told of a peer. The form of the file is hl7/map's; here it is only found, loaded,
 * shown and handed on. */
#include "daemon/config_table.h"
#include "hl7/map/map.h"

enum { MAX_MAP_FILE = 1 << 20 };

/* ---- reading -------------------------------------------------------------------------------- */
enum spd_rc spd__read_peer_map(struct spd__reading *r, const struct spd_yaml *node, void *base)
{
    struct spd_peer *p = base;
    struct spd_source file;
    spd_sv path;
    enum spd_rc rc = spd_yaml_text(node, &path, r->err);
    if (rc) return rc;
    p->map_path = *path.ptr == '/' ? spd_arena_dup(r->c->arena, path)
                                   : spd_arena_printf(r->c->arena, "%.*s/%.*s", SPD_SV_ARG(r->dir),
                                                      SPD_SV_ARG(path));
    rc = spd_source_read(p->map_path.ptr, MAX_MAP_FILE, &file, r->c->arena, r->err);
    if (rc == SPD_NOTFOUND || rc == SPD_IO)
        return spd_yaml_fail(
            node, r->err, "the field map cannot be read; relative paths begin beside spoed.yaml");
    return rc ? rc : hl7_site_load(&file, &p->map, r->err);
}

enum spd_rc spd__check_peer_map(struct spd__reading *r, const struct spd_yaml *node,
                                const struct spd_peer *p)
{
    const struct spd_yaml *map = spd_yaml_get(node, "map");
    if (!hl7_site_has_results(p->map)) return SPD_OK;
    if (!p->results)
        return spd_yaml_fail(map, r->err,
                             "its map has results:, so this peer needs the role results");
    if (p->reports && !hl7_site_results_by_test(p->map))
        return spd_yaml_fail(
            map, r->err,
            "this peer sends reports too: every entry under results: of its map needs a when:");
    return SPD_OK;
}

/* ---- showing, giving back -------------------------------------------------------------------- */
void spd__show_peer_map(const void *base, const char *indent, struct spd_str *out)
{
    const struct spd_peer *p = base;
    if (!p->map_path.len) return;
    spd_str_addf(out, "%smap: ", indent);
    spd__config_show_text(p->map_path, out);
    spd_str_addc(out, '\n');
}

void spd__config_free_maps(struct spd_config *c)
{
    for (size_t i = 0; c->peers && i <= c->n_peers; i++) /* the last: one that failed half-way */
        hl7_site_unref(c->peers[i].map);
}

/* ---- handing on ------------------------------------------------------------------------------ */
static spd_sv either(struct spd_arena *arena, spd_sv own, spd_sv site)
{
    return spd_arena_dup(arena, own.len ? own : site);
}

static void copy_words(const struct spd_peer *p, struct spd_arena *arena,
                       struct hl7_map_options *ret)
{
    struct hl7_status_word *w =
        p->n_status_map ? SPD_NEW_N(arena, struct hl7_status_word, p->n_status_map) : NULL;
    for (size_t i = 0; i < p->n_status_map; i++)
        w[i] = (struct hl7_status_word){spd_arena_dup(arena, p->status_map[i].word),
                                        p->status_map[i].order, p->status_map[i].report,
                                        p->status_map[i].exam_done};
    ret->words = w, ret->n_words = p->n_status_map;
}

void spd_config_hl7_options(const struct spd_config *c, const struct spd_peer *p,
                            const struct spd_zone *zone, struct spd_arena *arena,
                            struct hl7_map_options *ret)
{
    const struct spd_zone *own =
        p && p->time_zone.len ? spd_zone_get(spd_arena_dup(arena, p->time_zone).ptr) : NULL;
    *ret = (struct hl7_map_options){.on_unusable = SPD_ANSWER_AA, .zone = own ? own : zone};
    ret->patient_authority =
        either(arena, p ? p->patient_authority : SPD_SV_NONE, c->settings.patient_authority);
    ret->accession_issuer =
        either(arena, p ? p->accession_issuer : SPD_SV_NONE, c->settings.accession_issuer);
    if (!p) return;
    ret->peer = spd_arena_dup(arena, p->name);
    ret->orders = p->orders, ret->adt = p->adt, ret->reports = p->reports,
    ret->results = p->results;
    ret->charset = spd_arena_dup(arena, p->charset);
    ret->on_unusable = p->on_unusable ? p->on_unusable : SPD_ANSWER_AA;
    ret->order_response = p->order_response;
    ret->msh_5 = spd_arena_dup(arena, p->msh_5), ret->msh_6 = spd_arena_dup(arena, p->msh_6);
    ret->msh_11 = spd_arena_dup(arena, p->msh_11);
    ret->map = hl7_site_ref(p->map);
    copy_words(p, arena, ret);
}
