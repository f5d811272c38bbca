/* src/core/page.c: what a page says and to whom it goes. When it is due is alert.c's business.
 *
 * No patient data in a text (design rule 13): level, finding, whether a radiologist has looked,
 * kind of study and place. A person is paged by all of their ways; a team is its first reachable
 * member, or everybody. */
#include "core/alert.h"

#include "base/hash.h"

/* ---- texts: no patient data (design rule 13) ------------------------------------------------- */
spd_sv spd_concept_name(struct spd_tx *tx, spd_sv concept, bool dutch)
{
    const struct spd_concept *c = concept.len ? spd_codes_concept(tx->core->codes, concept) : NULL;
    if (!c) return concept.len ? concept : dutch ? SPD_SV("bevinding") : SPD_SV("finding");
    return dutch ? c->nl : c->en;
}

spd_sv spd_alert_text(struct spd_tx *tx, const struct spd_alert *al, const struct spd_item *item,
                      bool dutch)
{
    spd_sv level = spd_policy_level_name(tx->core->rules->policy, al->level);
    spd_sv what = spd_concept_name(tx, al->concept, dutch);
    bool read = al->radiologist_read != 0;
    spd_sv end = al->report_available
                     ? (dutch ? SPD_SV(" Verslag beschikbaar.") : SPD_SV(" Report available."))
                     : SPD_SV_NONE;
    if (item->discharged && !al->unmatched)
        end = spd_arena_printf(tx->a, "%.*s %s", SPD_SV_ARG(end),
                               dutch ? "De patiënt is ontslagen." : "The patient was discharged.");
    if (al->unmatched)
        return dutch ? spd_arena_printf(tx->a,
                                        "%.*s: AI-vermoeden %.*s zonder passende aanvraag "
                                        "(unmatched). Zoek de patiënt bij dit resultaat.",
                                        SPD_SV_ARG(level), SPD_SV_ARG(what))
                     : spd_arena_printf(tx->a,
                                        "%.*s: AI suspects %.*s, fits no order (unmatched). Find "
                                        "the patient of this result.",
                                        SPD_SV_ARG(level), SPD_SV_ARG(what));
    if (!al->concept.len)
        return dutch ? spd_arena_printf(tx->a, "%.*s: %.*s %.*s, %.*s. Open de melding.%.*s",
                                        SPD_SV_ARG(level), SPD_SV_ARG(item->modality),
                                        SPD_SV_ARG(item->body_part), SPD_SV_ARG(item->location),
                                        SPD_SV_ARG(end))
                     : spd_arena_printf(tx->a, "%.*s: %.*s %.*s, %.*s. Open the alert.%.*s",
                                        SPD_SV_ARG(level), SPD_SV_ARG(item->modality),
                                        SPD_SV_ARG(item->body_part), SPD_SV_ARG(item->location),
                                        SPD_SV_ARG(end));
    return dutch ? spd_arena_printf(tx->a,
                                    "%.*s: AI-vermoeden %.*s, %s. %.*s %.*s, %.*s. Open de melding "
                                    "en bevestig.%.*s",
                                    SPD_SV_ARG(level), SPD_SV_ARG(what),
                                    read ? "door een radioloog geopend"
                                         : "nog niet door een radioloog beoordeeld",
                                    SPD_SV_ARG(item->modality), SPD_SV_ARG(item->body_part),
                                    SPD_SV_ARG(item->location), SPD_SV_ARG(end))
                 : spd_arena_printf(tx->a,
                                    "%.*s: AI suspects %.*s, %s. %.*s %.*s, %.*s. Open the alert "
                                    "and acknowledge.%.*s",
                                    SPD_SV_ARG(level), SPD_SV_ARG(what),
                                    read ? "opened by a radiologist"
                                         : "not yet read by a radiologist",
                                    SPD_SV_ARG(item->modality), SPD_SV_ARG(item->body_part),
                                    SPD_SV_ARG(item->location), SPD_SV_ARG(end));
}

/* ---- sending ----------------------------------------------------------------------------------
 */
static spd_sv link_token(struct spd_tx *tx, spd_sv page_id)
{
    unsigned char mac[32];
    spd_hmac_sha256(spd_sv_of((const char *)tx->core->secret, sizeof tx->core->secret), page_id,
                    mac);
    return spd_base64url(tx->a, mac, sizeof mac);
}

static bool channel_works(const struct spd_tx *tx, spd_sv name)
{
    const struct spd_settings *s = &tx->core->rules->settings;
    for (size_t i = 0; i < s->channels.n; i++)
        if (spd_sv_eq(s->channels.v[i].name, name)) return !spd_sv_is(s->channels.v[i].mode, "off");
    return false;
}

/* One person by all of their ways. Returns the number of ways that exist. */
enum spd_rc spd_page_person(struct spd_tx *tx, const struct spd_paging *p, spd_sv person_id,
                            size_t *ret_ways)
{
    const struct spd_person *who = spd_people_get(tx->core->rules->people, person_id);
    const struct spd_settings *set = &tx->core->rules->settings;
    *ret_ways = 0;
    for (size_t i = 0; who && i < who->n_ways; i++) {
        struct spd_page page = {0};
        struct spd_outbox row = {0};
        struct spd_str json = SPD_STR_INIT(16000);
        int64_t *ids;
        size_t n;
        spd_sv token;
        if (!channel_works(tx, who->ways[i].channel)) continue;
        page.id = spd_tx_id(tx, SPD_T_PAGE);
        page.page_id =
            spd_arena_printf(tx->a, "%s%lld-%lld-%.*s-%zu", p->kind == SPD_PAGE_ALERT ? "P" : "C",
                             (long long)p->al->id, (long long)p->step, SPD_SV_ARG(person_id), i);
        TRY(spd_tx_find(tx, SPD_KEY_PAGE_ID, page.page_id, &ids, &n));
        page.repeat = (int64_t)n; /* the same page to the same person again is a repeat of it */
        page.alert = p->al->id, page.item = p->al->item, page.step = p->step, page.at = tx->now;
        page.person = person_id, page.to_team = p->team, page.channel = who->ways[i].channel,
        page.address = who->ways[i].to;
        page.kind = (int32_t)p->kind;
        token = link_token(tx, page.page_id);
        page.token_hash = spd_sha256_hex(tx->a, token);
        row.destination = page.channel, row.kind = SPD_OUTBOX_PAGE;
        row.group_key = spd_key_join(tx->a, page.channel, page.page_id);
        row.item = page.item, row.alert = page.alert, row.page = page.id;
        row.control_id = page.page_id, row.to = page.address, row.repeat = page.repeat,
        row.due = tx->now;
        spd_str_addz(&json, "{\"page_id\":");
        spd_str_json(&json, page.page_id);
        spd_str_addf(&json, ",\"repeat\":%s,\"alert_id\":%lld,\"step\":%lld,\"level\":",
                     page.repeat ? "true" : "false", (long long)page.alert, (long long)page.step);
        spd_str_json(&json, spd_policy_level_name(tx->core->rules->policy, p->al->level));
        spd_str_addz(&json, ",\"text\":");
        spd_str_json(&json, p->text);
        spd_str_addz(&json, ",\"link\":");
        spd_str_json(&json, spd_arena_printf(tx->a, "%.*s/a/%.*s", SPD_SV_ARG(set->public_url),
                                             SPD_SV_ARG(token)));
        spd_str_addc(&json, '}');
        row.payload = spd_arena_dup(tx->a, spd_str_sv(&json));
        spd_str_done(&json);
        TRY(spd_outbox_add(tx, &row));
        page.outbox = row.id;
        TRY(spd_put_page(tx->st, &page, NULL, tx->err));
        ++*ret_ways;
    }
    return SPD_OK;
}

/* A team: its first reachable member after `skip` of them, or everybody. */
enum spd_rc spd_page_team(struct spd_tx *tx, const struct spd_paging *p, bool all, size_t skip,
                          size_t *ret_reached)
{
    size_t n, ways;
    const spd_sv *members = spd_people_team(tx->core->rules->people, p->team, &n);
    *ret_reached = 0;
    for (size_t i = skip; i < n; i++) {
        TRY(spd_page_person(tx, p, members[i], &ways));
        if (!ways) continue;
        ++*ret_reached;
        if (!all) break;
    }
    return SPD_OK;
}

bool spd_item_is_read(const struct spd_item *item)
{
    return item->reading > SPD_READING_UNREAD || item->report > SPD_REPORT_NONE ||
           item->opened.n > 0;
}

spd_sv spd_alert_site_text(const struct spd_tx *tx, const struct spd_alert *al)
{
    return spd_sv_is(tx->core->rules->settings.language, "en") ? al->text_en : al->text_nl;
}

enum spd_rc spd_page_step(struct spd_tx *tx, struct spd_alert *al, const struct spd_item *item,
                          size_t step, bool whole_team)
{
    const struct spd_step *s = &al->steps.v[step];
    struct spd_paging p = {al, SPD_SV_NONE, s->to, (int64_t)step, SPD_PAGE_ALERT};
    size_t reached;
    al->radiologist_read = spd_item_is_read(item);
    al->report_available = item->report >= SPD_REPORT_FINAL;
    al->text_nl = spd_alert_text(tx, al, item, true);
    al->text_en = spd_alert_text(tx, al, item, false);
    p.text = spd_alert_site_text(tx, al);
    TRY(spd_page_team(tx, &p, s->all || whole_team, 0, &reached));
    if (!reached)
        TRY(spd_tx_alarm(tx, "unreachable", s->to,
                         "Niemand van dit team is te bereiken: melding niet verstuurd.",
                         "Nobody in this team can be reached: the page was not sent."));
    return SPD_OK;
}
