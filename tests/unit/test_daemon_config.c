/* spoed.yaml: the sample loads; every refusal says where and what to do; peers; environment; the
 * reference. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "daemon/config.h"
#include "daemon/config_table.h"
#include "hl7/map/map.h"

static char dir[] = "/tmp/spoed-config-XXXXXX";

static const char *put(const char *name, const char *text)
{
    static char path[256];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static struct spd_config *load(const char *text)
{
    struct spd_config *c = NULL;
    struct spd_err err = {0};
    if (spd_config_load(put("spoed.yaml", text), &c, &err)) fail_msg("%s: %s", err.place, err.text);
    return c;
}

static void test_sample(void **state)
{
    struct spd_config *c = NULL;
    struct spd_err err = {0};
    (void)state;
    if (spd_config_load(SPOED_SOURCE_DIR "/packaging/share/spoed.yaml", &c, &err))
        fail_msg("%s: %s", err.place, err.text);
    assert_int_equal(c->n_http, 2);
    assert_true(spd_sv_is(c->http[1].roles[0].role, "hook") &&
                spd_sv_is(c->http[1].roles[0].user, "orthanc"));
    assert_int_equal(c->mllp[0].port, 2575);
    assert_true(c->dicom && spd_sv_is(c->dicom_listen.reporting_ae_title, "SPOED_READ"));
    assert_int_equal(c->n_peers, 2);
    assert_true(c->peers[0].orders && c->peers[0].adt && c->peers[0].reports &&
                !c->peers[0].results);
    assert_true(spd_sv_is(c->peers[1].patient_authority, "ZH"));
    assert_int_equal(c->settings.destinations.n, 1);
    assert_int_equal(c->settings.destinations.v[0].wires.n, 2);
    assert_int_equal(c->settings.destinations.v[0].wires.v[1].level, 2);
    assert_true(spd_sv_is(c->settings.destinations.v[0].peer, "ris"));
    assert_int_equal(c->settings.undo, SPD_SEC(10));
    assert_int_equal(c->settings.channels.n, 2);
    assert_int_equal(c->settings.peers.v[0].roles.n, 3);
    spd_config_free(c);
}

static void test_defaults(void **state)
{
    struct spd_config *c = load("site: {name: X}\n");
    (void)state;
    assert_true(spd_sv_is(c->store_url, "sqlite:/var/lib/spoed/spoed.db"));
    assert_int_equal(c->settings.min_dwell, SPD_SEC(15));
    assert_int_equal(c->settings.complete_after, SPD_SEC(60));
    assert_int_equal(c->settings.claim_lease, SPD_MIN(15));
    assert_int_equal(c->n_http + c->n_mllp, 0);
    assert_false(c->dicom);
    assert_true(spd_sv_find(c->codes_dir, SPD_SV("/packaging/share/codes"), NULL));
    spd_config_free(c);
}

static void test_refused(void **state)
{
    static const struct {
        const char *name, *text, *place, *complaint;
    } rows[] = {
        {"unknown key", "stie: {name: X}\n", ":1:1", "did you mean \"site\""},
        {"no mode of a peer", "peers:\n  ris: {match: {door: hl7}, roles: [orders], mode: observe}\n",
         ":2:46", "unknown key"},
        {"unknown key below", "site:\n  nmae: X\n", ":2:3", "did you mean \"name\""},
        {"twice", "site: {name: X}\nsite: {name: Y}\n", ":2:1", "twice"},
        {"anchor", "site: &a {name: X}\n", ":1:7", "anchors"},
        {"zone", "site: {time_zone: Europe/Nowhere}\n", ":1:19", "unknown time zone"},
        {"language", "site: {language: de}\n", ":1:18", "nl, en"},
        {"http beyond loopback", "listen: {http: [{address: 0.0.0.0, port: 80}]}\n", ":1:17",
         "proxy: tls"},
        {"DICOM with TLS needs its files", "listen: {dicom: {tls: {port: 2762}}}\n", "", "certificate"},
        {"DICOM with TLS needs a port of its own",
         "listen: {dicom: {port: 2762, tls: {certificate: c, key: k, ca: a}}}\n", "", "port of its own"},
        {"no AE title", "send: {pacs: {type: dicom, to: \"dicom://127.0.0.1:104\", events: [result]}}\n", "",
         "dicom://AET@host:port"},
        {"what goes by dicom",
         "send: {pacs: {type: dicom, to: \"dicom://A@127.0.0.1:104\", events: [alert]}}\n", "", "by dicom go"},
        {"what goes by hl7",
         "send: {ris: {type: hl7, to: \"mllp://127.0.0.1:104\", events: [result]}}\n", "", "go by dicom"},
        {"dicom beyond loopback",
         "send: {pacs: {type: dicom, to: \"dicom://A@10.0.0.1:104\", events: [result]}}\n", "", "insecure: true"},
        {"dicom-tls without its files",
         "send: {pacs: {type: dicom, to: \"dicom-tls://A@10.0.0.1:104\", events: [result]}}\n", "", "needs tls"},
        {"asked without an address",
         "peers: {ris: {match: {door: hl7}, roles: [orders], poll: {every: 10s}}}\n", "", "from"},
        {"asked too often",
         "peers: {ris: {match: {door: hl7}, roles: [orders], poll: {from: \"dicom://A@h:104\", every: 10ms}}}\n", "",
         "once a second"},
        {"socket and port", "listen: {http: [{socket: /s, port: 80}]}\n", ":1:17",
         "a listener has"},
        {"port", "listen: {mllp: [{port: 70000}]}\n", ":1:24", "from 1 to 65535"},
        {"profile", "send: {ehr: {type: hl7, to: \"mllp://127.0.0.1:1\", events: [alert], profile: [xyz]}}\n", ":1:", "no such profile"},
        {"two profiles of a kind", "send: {ehr: {type: hl7, to: \"mllp://127.0.0.1:1\", events: [alert], profile: [xo, sc]}}\n", ":1:",
         "the same kind of message"},
        {"profile against the role", "send: {ehr: {type: hl7, to: \"mllp://127.0.0.1:1\", events: [alert], profile: xo, role: filler}}\n", ":1:",
         "speaks as the placer"},
        {"field", "send: {ehr: {type: hl7, to: \"mllp://127.0.0.1:1\", events: [alert], fields: {OBR-6: {}}}}\n", ":1:", "did you mean"},
        {"level of a field", "send: {ehr: {type: hl7, to: \"mllp://127.0.0.1:1\", events: [alert], fields: {OBR-5: {criticl: STAT}}}}\n", ":1:",
         "did you mean \"critical\""},
        {"ack", "send: {ehr: {type: hl7, to: \"mllp://127.0.0.1:1\", events: [alert], ack: never}}\n", ":1:", "accept"},
        {"mllp tls", "listen: {mllp: [{port: 2575, tls: on}]}\n", ":1:35", "needs its files"},
        {"mllp tls without ca",
         "listen: {mllp: [{port: 2575, tls: {certificate: a, key: b}}]}\n", ":1:30", "needs a ca"},
        {"mllp tls without key", "listen: {mllp: [{port: 2575, tls: {certificate: a, ca: c}}]}\n",
         ":1:30", "go together"},
        {"mllp tls without certificate", "listen: {mllp: [{port: 2575, tls: {ca: c}}]}\n", ":1:30",
         "needs a certificate"},
        {"mllp tls key misspelt",
         "listen: {mllp: [{port: 2575, tls: {certifcate: a, key: b, ca: c}}]}\n", ":1:36",
         "did you mean \"certificate\""},
        {"mllp plain beyond loopback", "listen: {mllp: [{address: 0.0.0.0, port: 2575}]}\n", ":1:17",
         "insecure: true"},
        {"mllp allow", "listen: {mllp: [{allow: [10.0.0.0/8, 10.0.0.1/8]}]}\n", ":1:38",
         "bits are set"},
        {"mllp allow nobody", "listen: {mllp: [{allow: []}]}\n", ":1:25", "nobody"},
        {"mllp connections", "listen: {mllp: [{max_connections: 0}]}\n", ":1:35", "1 to 4096"},
        {"quirk", "peers: {a: {match: {door: hl7}, quirks: [bare_akc]}}\n", ":1:42",
         "did you mean \"bare_ack\""},
        {"mllps without tls", "send: {x: {type: hl7, to: \"mllps://10.0.0.1:1\"}}\n", ":1:27",
         "needs tls"},
        {"tls without mllps", "send: {x: {type: hl7, to: \"mllp://127.0.0.1:1\", tls: {ca: c}}}\n",
         ":1:27", "is for mllps"},
        {"role", "listen: {http: [{socket: /s, roles: {a: root}}]}\n", ":1:41", "reader"},
        {"same AE twice", "listen: {dicom: {ae_title: A, reporting_ae_title: A}}\n", ":1:17",
         "must differ"},
        {"long AE", "listen: {dicom: {ae_title: ABCDEFGHIJKLMNOPQ}}\n", ":1:17", "1 to 16"},
        {"no match", "peers: {ris: {roles: [orders]}}\n", ":1:9", "\"match\" is missing"},
        {"empty match", "peers: {ris: {match: {}}}\n", ":1:22", "takes everything"},
        {"tie",
         "peers:\n  a: {match: {door: hl7, address: 10.0.0.1}}\n  b: {match: {door: hl7, msh_3: "
         "RIS}}\n",
         ":3:3", "or of a"},
        {"tie by AE list",
         "peers:\n  a: {match: {ae_title: [X, Y]}}\n  b: {match: {ae_title: [Y, Z]}}\n", ":3:3",
         "or of a"},
        {"status word", "peers: {a: {match: {door: hl7}, status_map: {Z: finall}}}\n", ":1:49",
         "did you mean \"final\""},
        {"webhook plain", "channels: {p: {type: webhook, url: \"http://pager.example/x\"}}\n",
         ":1:36", "insecure: true"},
        {"plain, address looks like loopback",
         "channels: {p: {type: webhook, url: \"http://127.0.0.1@pager.example/x\"}}\n", ":1:36",
         "insecure: true"},
        {"scheme", "channels: {p: {type: webhook, url: \"ftp://127.0.0.1/x\"}}\n", ":1:36",
         "https://"},
        {"mail from nobody", "channels: {m: {type: smtp, url: \"smtp://127.0.0.1\"}}\n", ":1:15",
         "needs \"from\""},
        {"channel type", "channels: {m: {type: fax, url: \"smtp://127.0.0.1\"}}\n", ":1:22",
         "webhook, smtp"},
        {"secret absent",
         "channels: {p: {type: webhook, url: \"https://x\", secret_file: /nowhere/x}}\n", ":1:62",
         "cannot open"},
        {"send without peer",
         "send: {ris: {type: hl7, to: \"mllp://127.0.0.1:1\", events: [priority]}}\n", ":1:8",
         "no peer of this name"},
        {"send plain", "send: {x: {type: hl7, to: \"mllp://10.0.0.1:1\"}}\n", ":1:27",
         "insecure: true"},
        {"send level",
         "policy: [none]\nsend: {x: {type: hl7, to: \"mllp://127.0.0.1:1\", priority: {critcal: "
         "S}}}\n",
         ":2:60", "did you mean \"critical\""},
        {"event", "send: {x: {type: hl7, to: \"mllp://127.0.0.1:1\", events: [prority]}}\n",
         ":1:58", "did you mean \"priority\""},
        {"postgres", "store: {url: \"postgresql://x/y\"}\n", ":1:14", "not in this version"},
        {"duration", "site: {undo: 10}\n", ":1:14", "a duration"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_config *c = NULL;
        struct spd_err err = {0};
        if (!spd_config_load(put("spoed.yaml", rows[i].text), &c, &err))
            fail_msg("%s: accepted", rows[i].name);
        if (!strstr(err.place, rows[i].place) || !strstr(err.text, rows[i].complaint))
            fail_msg("%s: said %s: %s", rows[i].name, err.place, err.text);
    }
}

/* Lines: everything said comes back from `config show`, and says the same when it is read again. */
static void test_lines(void **state)
{
    static const char text[] =
        "listen:\n  mllp:\n    - {port: 2575, allow: [10.0.0.0/8, 192.0.2.7], max_connections: 100}\n"
        "    - {address: 0.0.0.0, port: 2576, tls: {certificate: a.crt, key: /k/a.key, ca: ca.crt, crl: x.crl}}\n"
        "    - {address: 0.0.0.0, port: 2577, insecure: true}\n"
        "peers:\n  ris: {match: {door: hl7, certificate: ris.example}, quirks: [bare_ack, end_without_cr], "
        "max_connections: 7}\n"
        "  pin: {match: {door: hl7, certificate: \"sha256:AB:0C\"}}\n"
        "  old: {match: {door: hl7, address: 10.0.0.9, certificate: old.example}, max_connections: 20}\n"
        "send:\n  ris: {type: hl7, to: \"mllps://ris.example:2600\", quirks: [no_trailing_cr], "
        "tls: {ca: ca.crt, certificate: a.crt, key: /k/a.key, server_name: r.example}}\n";
    struct spd_peer_keys k = {.door = "hl7", .address = SPD_SV("10.0.0.1")};
    struct spd_str shown = SPD_STR_INIT(1 << 20), again = SPD_STR_INIT(1 << 20);
    struct spd_config *c = load(text);
    struct spd_err err = {0};
    (void)state;
    assert_int_equal(c->mllp[0].n_allow, 2);
    assert_int_equal(c->mllp[0].max_connections, 100);
    assert_true(c->mllp[1].tls && spd_sv_is(c->mllp[1].files.key, "/k/a.key"));
    assert_true(*c->mllp[1].files.crl.ptr == '/');
    assert_true(c->mllp[2].insecure && !c->mllp[2].tls);
    assert_true(spd_sv_is(c->send[0].tls.server_name, "r.example") && c->send[0].quirks_given);
    k.certificate = SPD_SV("sha256:ab0c\nris\nris.example");
    assert_non_null(spd_config_peer(c, &k));
    assert_true(spd_sv_is(spd_config_peer(c, &k)->name, "ris"));
    k.certificate = SPD_SV("sha256:ab0c\nRIS.example");
    assert_true(spd_sv_is(spd_config_peer(c, &k)->name, "pin"));
    k.certificate = SPD_SV("sha256:ab0d\nris.example.org");
    assert_null(spd_config_peer(c, &k));
    k.certificate = SPD_SV("sha256:ab0");
    assert_null(spd_config_peer(c, &k));
    k.certificate = SPD_SV_NONE; /* a certificate that is asked for must be there */
    assert_null(spd_config_peer(c, &k));
    assert_int_equal(spd_config_connections(c, SPD_SV("10.0.0.9")), 20);
    assert_int_equal(spd_config_connections(c, SPD_SV("10.0.0.1")), 7);
    assert_int_equal(spd_config_check_tls(c, &err), SPD_INVALID); /* the files are not there */
    assert_non_null(strstr(err.place, "a.crt"));
    spd_config_show(c, &shown);
    spd_config_free(c);
    c = load(shown.ptr);
    spd_config_show(c, &again);
    assert_string_equal(shown.ptr, again.ptr);
    assert_non_null(strstr(shown.ptr, "server_name: r.example"));
    spd_config_free(c);
    spd_str_done(&shown), spd_str_done(&again);
}

static void test_peer(void **state)
{
    struct spd_config *c = load("peers:\n"
                                "  ris: {match: {door: hl7, address: 10.0.0.1}}\n"
                                "  lab: {match: {door: hl7, address: 10.0.0.1, msh_3: LAB}}\n"
                                "  ai: {match: {door: dicom, ae_title: [V1, V2]}}\n"
                                "  hook: {match: {door: http, user: orthanc}}\n");
    static const struct {
        const char *name, *door, *address, *ae, *msh_3, *user, *peer;
    } rows[] = {{"by address", "hl7", "10.0.0.1", "", "RIS", "", "ris"},
                {"by address, mapped", "hl7", "::ffff:10.0.0.1", "", "RIS", "", "ris"},
                {"the most keys win", "hl7", "10.0.0.1", "", "LAB", "", "lab"},
                {"all keys must hold", "hl7", "10.0.0.2", "", "LAB", "", NULL},
                {"second AE title", "dicom", "10.0.0.9", "V2", "", "", "ai"},
                {"padded AE title", "dicom", "10.0.0.9", "V2 ", "", "", "ai"},
                {"other AE title", "dicom", "10.0.0.9", "V3", "", "", NULL},
                {"other door", "hl7", "10.0.0.9", "V2", "", "", NULL},
                {"by user", "http", "", "", "", "orthanc", "hook"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_peer_keys k = {.door = rows[i].door,
                                  .address = spd_sv_from(rows[i].address),
                                  .ae_title = spd_sv_from(rows[i].ae),
                                  .msh_3 = spd_sv_from(rows[i].msh_3),
                                  .user = spd_sv_from(rows[i].user)};
        const struct spd_peer *p = spd_config_peer(c, &k);
        if (!rows[i].peer ? p != NULL : !p || !spd_sv_is(p->name, rows[i].peer))
            fail_msg("%s", rows[i].name);
    }
    spd_config_free(c);
}

/* A field map is loaded with the configuration, errors stand in the map's own file, and it is part
 * of the facts. */
static void test_field_map(void **state)
{
    static const char text[] =
        "site: {name: X}\npeers:\n  ai: {match: {door: hl7}, roles: [results], map: m.yaml}\n";
    static const char results[] = "map: 1\nresults: {model: {name: {text: X}}, findings: [{when: "
                                  "{OBX-3: A}, means: present}]}\n";
    static const struct {
        const char *name, *config, *map, *place, *text;
    } bad[] = {
        {"misspelt", text, "map: 1\nordr: {}\n", "m.yaml:2:1", "did you mean"},
        {"results without the role",
         "site: {name: X}\npeers: {ai: {match: {door: hl7}, roles: [orders], map: m.yaml}}\n",
         results, "spoed.yaml:2:56", "role results"},
        {"results of a peer that reports",
         "site: {name: X}\npeers: {ai: {match: {door: hl7}, roles: [results, reports], map: "
         "m.yaml}}\n",
         results, "spoed.yaml:2:66", "when:"},
        {"no such file",
         "site: {name: X}\npeers: {ai: {match: {door: hl7}, roles: [results], map: gone.yaml}}\n",
         results, "spoed.yaml:2:57", "cannot be read"},
        {"something wrong after it",
         "site: {name: X}\npeers: {ai: {match: {door: hl7}, map: m.yaml, rols: []}}\n", results,
         "spoed.yaml:2:47", "did you mean"},
    };
    struct spd_config *c;
    struct spd_str shown = SPD_STR_INIT(1 << 20);
    struct hl7_map_options o;
    struct spd_arena *arena = spd_arena_new(1 << 16);
    (void)state;
    put("m.yaml", results);
    c = load(text);
    assert_non_null(c->peers[0].map);
    spd_config_show(c, &shown);
    assert_non_null(strstr(shown.ptr, "/m.yaml"));
    spd_config_hl7_options(c, &c->peers[0], spd_zone_utc(), arena, &o);
    spd_config_free(c);
    assert_true(spd_sv_is(hl7_site_text(o.map), results)); /* whoever reads by it keeps it */
    hl7_site_unref(o.map);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct spd_err err = {0};
        put("m.yaml", bad[i].map);
        if (spd_config_load(put("spoed.yaml", bad[i].config), &c, &err) != SPD_INVALID ||
            !strstr(err.place, bad[i].place) || !strstr(err.text, bad[i].text))
            fail_msg("%s: %s: %s", bad[i].name, err.place, err.text);
    }
    unlink(put("m.yaml", ""));
    spd_str_done(&shown);
    spd_arena_free(arena);
}

static void test_environment(void **state)
{
    static const char text[] = "site: {name: X, language: nl}\nsend: {ris-1: {type: hl7, to: "
                               "\"mllp://127.0.0.1:1\", mode: live}}\n";
    struct spd_config *c;
    struct spd_err err = {0};
    (void)state;
    setenv("SPOED__SITE__LANGUAGE", "en", 1);
    setenv("SPOED__SEND__RIS_1__MODE", "observe", 1);
    setenv("SPOED__SITE__UNDO", "30s", 1);
    c = load(text);
    assert_true(spd_sv_is(c->settings.language, "en"));
    assert_true(spd_sv_is(c->send[0].mode, "observe"));
    assert_true(spd_sv_is(c->settings.destinations.v[0].mode, "observe"));
    assert_int_equal(c->settings.undo, SPD_SEC(30));
    spd_config_free(c);
    setenv("SPOED__SITE__LANGUAGE", "de", 1);
    assert_int_equal(spd_config_load(put("spoed.yaml", text), &c, &err), SPD_INVALID);
    assert_non_null(strstr(err.place, "SPOED__SITE__LANGUAGE"));
    setenv("SPOED__SITE__LANGUAGE", "nl", 1);
    setenv("SPOED__SITE", "x", 1);
    assert_int_equal(spd_config_load(put("spoed.yaml", text), &c, &err), SPD_INVALID);
    unsetenv("SPOED__SITE"), unsetenv("SPOED__SITE__LANGUAGE"),
        unsetenv("SPOED__SEND__RIS_1__MODE"), unsetenv("SPOED__SITE__UNDO");
}

/* What is shown loads again to the same, and holds no secret. */
static void test_show(void **state)
{
    struct spd_str first = SPD_STR_INIT(1 << 20), second = SPD_STR_INIT(1 << 20);
    struct spd_config *c;
    char text[1200];
    (void)state;
    put("secret", "ZZCANARY-secret\n");
    snprintf(
        text, sizeof text,
        "site: {name: \"Zieken: huis\", public_url: \"https://spoed.example/\"}\n"
        "listen: {http: [{socket: /s, roles: {orthanc: hook, ward: [reader, clinician]}}, "
        "{address: 127.0.0.1, port: 1}], mllp: [{port: 2}], dicom: {}}\n"
        "peers: {ris: {match: {door: hl7, msh_3: \"R^1\"}, roles: [orders, results], on_unusable: "
        "ar, status_map: {Prelim: preliminary, CM: exam_done}}}\n"
        "channels: {p: {type: webhook, url: \"https://u:ZZCANARY@x/y\", secret_file: secret}}\n"
        "send: {ris: {type: hl7, to: \"mllp://[::1]:9\", events: [priority, report], final_on: "
        "ack, priority: {urgent: U}}}\n");
    c = load(text);
    assert_true(spd_sv_is(c->channels[0].secret, "ZZCANARY-secret"));
    spd_config_show(c, &first);
    assert_false(spd_sv_find(spd_str_sv(&first), SPD_SV("ZZCANARY"), NULL));
    spd_config_free(c);
    put("********", "other");
    c = load(first.ptr);
    spd_config_show(c, &second);
    if (!spd_sv_eq(spd_str_sv(&first), spd_str_sv(&second)))
        fail_msg("shown:\n%s\nthen:\n%s", first.ptr, second.ptr);
    spd_config_free(c);
    spd_str_done(&first), spd_str_done(&second);
}

/* docs/configuration.md holds the table as it is made from the rows. */
static void test_reference(void **state)
{
    struct spd_str table = SPD_STR_INIT(1 << 20);
    struct spd_arena *arena = spd_arena_new(1 << 20);
    struct spd_source doc;
    (void)state;
    spd_config_reference(&table);
    if (getenv("SPOED_BLESS")) fputs(table.ptr, stdout);
    assert_int_equal(
        spd_source_read(SPOED_SOURCE_DIR "/docs/configuration.md", 1 << 20, &doc, arena, NULL),
        SPD_OK);
    assert_true(spd_sv_find(doc.text, spd_str_sv(&table), NULL));
    spd_arena_free(arena);
    spd_str_done(&table);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : 1;
}

static int teardown(void **state)
{
    static const char *const names[] = {"spoed.yaml", "secret", "********", "m.yaml"};
    char path[256];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),      cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_lines), cmocka_unit_test(test_peer),
        cmocka_unit_test(test_field_map), cmocka_unit_test(test_environment), cmocka_unit_test(test_show),
        cmocka_unit_test(test_reference)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
