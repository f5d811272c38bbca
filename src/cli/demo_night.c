/* src/cli/demo_night.c: the scenes of the synthetic emergency night, each with what must be seen to happen.
 *
 * A scene sends what a RIS, a scanner or an AI product would send, and then looks at the API, at what the RIS
 * has received and at the pages, as people would. Longer than the others: the file is a list of scenes.
 * Synthetic patients only; every name begins with ZZ. */
#define _GNU_SOURCE
#include "cli/demo.h"

#include <stdio.h>
#include <unistd.h>

struct kase { /* one order and its images */
    const char *accession, *patient, *name, *birth, *sex, *code, *text, *modality, *location, *priority;
    char study[80], series[80], image[3][80];
};

struct product { const char *model, *name, *version; };
static const struct product ICH = {"ich-a", "ICH Triage", "2.1.0"}, CSPINE = {"cspine-a", "CSpine Triage", "1.4.2"},
                            CHEST = {"chest-a", "Chest Film", "5.2"}, NORMAL = {"chest-normal-a", "Chest Normal", "1.0"};

static const struct demo_sr_finding BLEEDING = {"1386000", "Intracranial hemorrhage", true, "0.94", "12738006", "Brain"};
static const struct demo_sr_finding FRACTURE = {"269062008", "Closed fracture of cervical spine", true, "0.83", NULL, NULL};
static const struct demo_sr_finding TENSION = {"233645004", "Tension pneumothorax", true, "0.88", NULL, NULL};
static const struct demo_sr_finding NO_BLEEDING = {"1386000", "Intracranial hemorrhage", false, "0.03", NULL, NULL};
static const struct demo_sr_finding NO_PNEUMOTHORAX = {"36118008", "Pneumothorax", false, "0.02", NULL, NULL};

/* ---- what the hospital sends ---------------------------------------------------------------------- */
static void uid(struct demo *d, char *to, size_t n)
{
    snprintf(to, n, "%s%04u", d->root, ++d->number);
}

static struct kase prepare(struct demo *d, struct kase k)
{
    uid(d, k.study, sizeof k.study);
    uid(d, k.series, sizeof k.series);
    for (size_t i = 0; i < 3; i++) uid(d, k.image[i], sizeof k.image[i]);
    return k;
}

static void stamp(char to[32], spd_usec t)
{
    struct spd_civil c = spd_zone_civil(spd_zone_utc(), t);
    snprintf(to, 32, "%04d%02d%02d%02d%02d%02d.%03d+0000", c.year, c.month, c.day, c.hour, c.minute, c.second, c.usec / 1000);
}

static void begin(struct demo *d, const char *type, const struct kase *k, spd_usec at, struct spd_str *m)
{
    char t[32];
    stamp(t, at);
    spd_str_addf(m, "MSH|^~\\&|RIS|ZH|SPOED|ZH|%s||%s|D%08u|P|2.5|||||||UNICODE UTF-8\r", t, type, ++d->number);
    spd_str_addf(m, "PID|1||%s^^^ZH^PI||%s||%s|%s\rPV1|1|E|%s\r", k->patient, k->name, k->birth, k->sex, k->location);
}

/* control: NW, CA ...; at: source time, 0 = now. */
static bool order(struct demo *d, const struct kase *k, const char *control, const char *priority, spd_usec at)
{
    struct spd_str m = SPD_STR_INIT(1 << 16);
    char t[32];
    bool ok;
    if (!at) at = spd_clock_now();
    stamp(t, at);
    begin(d, "ORM^O01^ORM_O01", k, at, &m);
    spd_str_addf(&m, "ORC|%s|P%s|F%s||||1^^^%s^^%s||%s\r", control, k->accession, k->accession, t, priority, t);
    spd_str_addf(&m, "OBR|1|P%s|F%s|%s^%s^L||||||||||||||%s||||||%s|||^^^%s^^%s\r", k->accession, k->accession, k->code,
                 k->text, k->accession, k->modality, t, priority);
    spd_str_addf(&m, "ZDS|%s^SPOED^Application^DICOM\r", k->study);
    ok = demo_ris_send(d->peers, spd_str_sv(&m));
    spd_str_done(&m);
    return ok;
}

static bool final_report(struct demo *d, const struct kase *k)
{
    struct spd_str m = SPD_STR_INIT(1 << 16);
    spd_usec now = spd_clock_now();
    char t[32];
    bool ok;
    stamp(t, now);
    begin(d, "ORU^R01^ORU_R01", k, now, &m);
    spd_str_addf(&m, "ORC|RE|P%s|F%s\rOBR|1|P%s|F%s|%s^%s^L||||||||||||||%s||||%s||%s|F\r", k->accession, k->accession,
                 k->accession, k->accession, k->code, k->text, k->accession, t, k->modality);
    spd_str_addz(&m, "OBX|1|TX|REPORT^Report^L||No abnormality seen.||||||F\r");
    ok = demo_ris_send(d->peers, spd_str_sv(&m));
    spd_str_done(&m);
    return ok;
}

static bool images(struct demo *d, const struct kase *k, size_t first, size_t n)
{
    struct spd_str b = SPD_STR_INIT(4096);
    bool ok;
    spd_str_addf(&b, "{\"type\":\"study_arrived\",\"study_uid\":\"%s\",\"accession\":{\"value\":\"%s\",\"issuer\":\"ZH\"},"
                     "\"patient_ids\":[{\"value\":\"%s\",\"authority\":\"ZH\"}],\"instances\":[",
                 k->study, k->accession, k->patient);
    for (size_t i = first; i < first + n; i++) spd_str_addf(&b, "%s\"%s\"", i == first ? "" : ",", k->image[i]);
    spd_str_addz(&b, "]}");
    ok = demo_call(d, "POST", d->hook, "/api/v1/events", b.ptr, NULL, NULL) == 200;
    spd_str_done(&b);
    return ok;
}

/* An AI product's SR, by C-STORE; by HTTP only where DCMTK's storescu is not there. */
static bool result(struct demo *d, const struct kase *k, const struct product *p, const struct demo_sr_finding *f)
{
    char file[400], port[16], report[80], series[80];
    struct spd_str bytes = SPD_STR_INIT(1 << 20), said = SPD_STR_INIT(1 << 16);
    struct demo_sr sr = {.manufacturer = "ExampleVendor", .model = p->name, .version = p->version,
                         .patient_id = k->patient, .patient_issuer = "ZH", .patient_name = k->name,
                         .birth_date = k->birth, .sex = k->sex, .accession = k->accession, .study_uid = k->study,
                         .uid = report, .series_uid = series, .images = {k->image[0], k->image[1]},
                         .image_class = !strcmp(k->modality, "CT") ? "1.2.840.10008.5.1.4.1.1.2" : "1.2.840.10008.5.1.4.1.1.1.1",
                         .image_series_uid = k->series, .n_findings = f ? 1 : 0, .at = spd_clock_now()};
    char *argv[] = {(char *)"storescu", (char *)"-R", (char *)"-aet", (char *)"DEMOAI", (char *)"-aec", (char *)"SPOED",
                    (char *)"127.0.0.1", port, file, NULL};
    FILE *to;
    int rc;
    uid(d, report, sizeof report);
    uid(d, series, sizeof series);
    if (f) sr.findings[0] = *f;
    demo_sr_write(&sr, &bytes);
    snprintf(file, sizeof file, "%s/result-%u.dcm", d->dir, d->number);
    snprintf(port, sizeof port, "%d", d->dicom_port);
    to = fopen(file, "wb");
    rc = to && fwrite(bytes.ptr, 1, bytes.len, to) == bytes.len ? 0 : 1;
    if (to) fclose(to);
    if (!rc) rc = demo_run(argv, NULL, &said);
    if (rc) demo_say(d, "   storescu was refused: %.*s", SPD_SV_ARG(spd_sv_trim(spd_str_sv(&said))));
    spd_str_done(&bytes);
    spd_str_done(&said);
    return rc == 0;
}

/* ---- what people see ------------------------------------------------------------------------------ */
static json_t *item_of(struct demo *d, const char *accession)
{
    json_t *list = demo_get(d, d->reader, "/api/v1/worklist?status=all&limit=1000"), *found = NULL, *i;
    size_t n;
    json_array_foreach(json_object_get(list, "items"), n, i)
        if (!strcmp(demo_text(json_object_get(i, "accession"), "value"), accession) && !found) found = json_incref(i);
    json_decref(list);
    return found;
}

enum what { RANK, LEVEL, STATUS, AI, IMAGES, DRAFT, ALERT, ALARM, PARKED_NONE, SENT, REPORTED, PAGED, MAILED };
struct wish { enum what what; const char *accession, *text; long long number; };

static bool ai_is(const json_t *item, const char *text) /* "ich-a positive" */
{
    size_t n;
    json_t *a;
    json_array_foreach(json_object_get(item, "ai"), n, a) {
        char have[128];
        snprintf(have, sizeof have, "%s %s", demo_text(a, "model"), demo_text(a, "state"));
        if (!strcmp(have, text)) return true;
    }
    return false;
}

static bool holds_of_item(const json_t *item, const struct wish *w)
{
    switch (w->what) {
    case RANK: return json_integer_value(json_object_get(item, "rank")) == w->number;
    case LEVEL: return !strcmp(demo_text(item, "level"), w->text);
    case STATUS: return !strcmp(demo_text(item, "status"), w->text);
    case AI: return ai_is(item, w->text);
    case IMAGES: return !strcmp(demo_text(item, "images"), w->text);
    case DRAFT: return json_is_object(json_object_get(item, "draft")) == (w->number != 0);
    case ALERT: return !strcmp(demo_text(json_object_get(item, "alert"), "state"), w->text);
    default: return false;
    }
}

static bool holds(struct demo *d, const struct wish *w)
{
    char order_id[64];
    json_t *o = NULL, *a;
    size_t n;
    bool yes = false;
    snprintf(order_id, sizeof order_id, "F%s", w->accession ? w->accession : "");
    switch (w->what) {
    case SENT: return demo_ris_count(d->peers, "ORM", order_id) >= (size_t)w->number;
    case REPORTED: return demo_ris_count(d->peers, "ORU", order_id) >= (size_t)w->number;
    case PAGED: return demo_pages_count(d->peers, w->number, w->text) > 0;
    case MAILED: return demo_pages_count(d->peers, 0, w->text) > 0;
    case ALARM:
        o = demo_get(d, d->manager, "/api/v1/alarms");
        json_array_foreach(json_object_get(o, "alarms"), n, a) yes = yes || !strcmp(demo_text(a, "kind"), w->text);
        break;
    case PARKED_NONE:
        o = demo_get(d, d->reader, "/api/v1/parked");
        yes = o && json_array_size(json_object_get(o, "parked")) == 0;
        break;
    default:
        o = item_of(d, w->accession);
        yes = o && holds_of_item(o, w);
    }
    json_decref(o);
    return yes;
}

/* seconds: of the night; the machine gets a margin of real time on top. */
static bool until(struct demo *d, struct wish w, double seconds)
{
    spd_usec end = spd_clock_monotonic() + (spd_usec)(seconds * 1e6 / d->speed) + SPD_SEC(12);
    do {
        if (holds(d, &w)) return true;
        usleep(60000);
    } while (spd_clock_monotonic() < end);
    return false;
}

static long long id_of(struct demo *d, const char *accession, const char *of) /* "id", or "alert" for its id */
{
    json_t *i = item_of(d, accession), *v = json_object_get(i, of);
    long long id = json_integer_value(json_is_object(v) ? json_object_get(v, "id") : v);
    json_decref(i);
    return id;
}

static long act(struct demo *d, const char *token, const char *kind, long long id, const char *verb, const char *body)
{
    char path[128];
    snprintf(path, sizeof path, "/api/v1/%s/%lld/%s", kind, id, verb);
    return demo_call(d, "POST", token, path, body, NULL, NULL);
}

static void scene(struct demo *d, const char *name, const char *story)
{
    d->scene = name;
    demo_say(d, "%s", story);
}

/* ---- scenes ----------------------------------------------------------------------------------------- */
static void quiet_evening(struct demo *d)
{
    static const char *const part[4][3] = {{"XPOLS", "X-pols", "DX"}, {"XENKEL", "X-enkel", "DX"},
                                           {"USABD", "echo abdomen", "US"}, {"MRHERS", "MRI hersenen", "MR"}};
    bool ok = true;
    scene(d, "a quiet evening", "Twelve ordinary examinations are ordered and made; they fill the reporting worklist.");
    for (unsigned i = 0; i < 12; i++) {
        char accession[16], patient[16], name[32];
        const char *const *p = part[i % 4];
        snprintf(accession, sizeof accession, "N%03u", i + 1);
        snprintf(patient, sizeof patient, "90%04u", i + 1);
        snprintf(name, sizeof name, "ZZQUIET^Patient%u", i + 1);
        struct kase k = prepare(d, (struct kase){.accession = accession, .patient = patient, .name = name, .birth = "19610203",
                                                 .sex = "F", .code = p[0], .text = p[1], .modality = p[2], .location = "POLI", .priority = "R"});
        ok = order(d, &k, "NW", "R", 0) && images(d, &k, 0, 2) && ok;
    }
    demo_check(d, ok && until(d, (struct wish){.what = STATUS, .accession = "N012", .text = "arrived"}, 0), "all twelve are on the list");
}

static void silent_model_begins(struct demo *d)
{
    bool ok = true;
    scene(d, "a silent model", "Five chest CTs are made; the pulmonary embolism product is expected to look at them. It will say nothing.");
    for (unsigned i = 0; i < 5; i++) {
        char accession[16], patient[16], name[32];
        snprintf(accession, sizeof accession, "S%03u", i + 1);
        snprintf(patient, sizeof patient, "91%04u", i + 1);
        snprintf(name, sizeof name, "ZZSILENT^Patient%u", i + 1);
        struct kase k = prepare(d, (struct kase){.accession = accession, .patient = patient, .name = name, .birth = "19550607",
                                                 .sex = "M", .code = "CTTHOR", .text = "CT thorax", .modality = "CT", .location = "SEH", .priority = "R"});
        ok = order(d, &k, "NW", "R", 0) && images(d, &k, 0, 2) && ok;
    }
    demo_check(d, ok && until(d, (struct wish){.what = AI, .accession = "S001", .text = "pe-a pending"}, 0), "the row says that AI is pending");
}

static void silent_model_ends(struct demo *d)
{
    scene(d, "a silent model", "The time within which that product should have answered is over.");
    demo_check(d, until(d, (struct wish){.what = AI, .accession = "S005", .text = "pe-a late"}, 16 * 60), "pending has become late, never negative");
    demo_check(d, until(d, (struct wish){.what = ALARM, .text = "model-silent"}, 60), "an alarm says that the product is silent");
}

static void bleeding(struct demo *d, struct kase *k)
{
    long long alert;
    scene(d, "a bleeding", "A routine head CT from the emergency department goes to the end of the list ...");
    *k = prepare(d, (struct kase){.accession = "A100", .patient = "920001", .name = "ZZBLEED^Alpha", .birth = "19480101", .sex = "M",
                                  .code = "CTHERS", .text = "CT hersenen", .modality = "CT", .location = "SEH", .priority = "R"});
    demo_ris_echo(d->peers, true);
    bool ok = order(d, k, "NW", "R", 0) && images(d, k, 0, 2);
    demo_check(d, ok && until(d, (struct wish){.what = AI, .accession = "A100", .text = "ich-a pending"}, 0), "the reader sees how long to wait for AI");
    demo_wait(d, 20);
    demo_say(d, "   ... and AI sees a bleeding in it.");
    ok = result(d, k, &ICH, &BLEEDING);
    demo_check(d, ok && until(d, (struct wish){.what = RANK, .accession = "A100", .number = 1}, 0) &&
                      until(d, (struct wish){.what = LEVEL, .accession = "A100", .text = "critical"}, 0),
               "it is first, and critical");
    alert = id_of(d, "A100", "alert");
    demo_check(d, alert && until(d, (struct wish){.what = PAGED, .text = "1001", .number = alert}, 5) &&
                      until(d, (struct wish){.what = PAGED, .text = "2001", .number = alert}, 5) &&
                      until(d, (struct wish){.what = MAILED, .text = "smit@example.org"}, 5),
               "radiologist and emergency doctor are paged, the radiologist by mail as well");
    demo_check(d, act(d, d->clinician, "alerts", alert, "acknowledge", "{\"how\":\"phone\",\"note\":\"on my way\"}") == 200 &&
                      until(d, (struct wish){.what = ALERT, .accession = "A100", .text = "acknowledged"}, 0),
               "Visser acknowledges, by name");
}

static void echoed_priority(struct demo *d)
{
    scene(d, "a RIS that echoes", "The RIS has been told the new priority, and sends it back as if it were its own change.");
    bool ok = until(d, (struct wish){.what = SENT, .accession = "A100", .number = 1}, 10);
    demo_wait(d, 60);
    usleep(1500000);
    demo_check(d, ok && demo_ris_count(d->peers, "ORM", "FA100") == 1, "it has received one message, and no answer to its echo");
    demo_ris_echo(d->peers, false);
}

static void rerun(struct demo *d, const struct kase *k)
{
    long long alert = id_of(d, "A100", "alert");
    size_t pages = demo_pages_count(d->peers, alert, NULL), n = 0;
    scene(d, "a re-run", "The product sends its result once more.");
    bool ok = result(d, k, &ICH, &BLEEDING);
    demo_wait(d, 60);
    usleep(1000000);
    json_t *i = item_of(d, "A100"), *a;
    size_t ix;
    json_array_foreach(json_object_get(i, "ai"), ix, a) n += !strcmp(demo_text(a, "model"), "ich-a");
    json_decref(i);
    demo_check(d, ok && n == 1 && demo_pages_count(d->peers, alert, NULL) == pages && id_of(d, "A100", "alert") == alert,
               "still one result, and nobody was paged again");
}

static void combined(struct demo *d)
{
    struct kase head, neck;
    long long alert;
    scene(d, "head and neck in one", "A fall from stairs: CT of head and of cervical spine, two orders, one scan.");
    head = prepare(d, (struct kase){.accession = "A200", .patient = "930001", .name = "ZZFALL^Bravo", .birth = "19390505", .sex = "F",
                                    .code = "CTHERS", .text = "CT hersenen", .modality = "CT", .location = "SEH", .priority = "A"});
    neck = head;
    neck.accession = "A201", neck.code = "CTCWK", neck.text = "CT cervicale wervelkolom";
    bool ok = order(d, &head, "NW", "A", 0) && order(d, &neck, "NW", "A", 0) && images(d, &head, 0, 2);
    ok = ok && result(d, &head, &ICH, &NO_BLEEDING) && result(d, &neck, &CSPINE, &FRACTURE);
    demo_check(d, ok && until(d, (struct wish){.what = LEVEL, .accession = "A200", .text = "critical"}, 0) &&
                      until(d, (struct wish){.what = LEVEL, .accession = "A201", .text = "critical"}, 0),
               "both rows are raised");
    alert = id_of(d, "A201", "alert");
    if (!alert) alert = id_of(d, "A200", "alert");
    demo_check(d, alert && until(d, (struct wish){.what = PAGED, .text = "1001", .number = alert}, 5), "one page goes out for the two");
    d->scene = "a page that is escalated";
    demo_say(d, "   Nobody answers. Ten minutes are long.");
    demo_check(d, until(d, (struct wish){.what = PAGED, .text = "1002", .number = alert}, 11 * 60) &&
                      until(d, (struct wish){.what = PAGED, .text = "2001", .number = alert}, 60),
               "the backup and the emergency doctor are paged");
    demo_check(d, act(d, d->reader, "alerts", alert, "acknowledge", "{\"how\":\"web\"}") == 200, "Smit acknowledges after all");
    size_t pages = demo_pages_count(d->peers, alert, NULL);
    demo_wait(d, 6 * 60);
    usleep(500000);
    demo_check(d, demo_pages_count(d->peers, alert, NULL) == pages, "and the pager is silent from then on");
}

static void before_its_order(struct demo *d)
{
    scene(d, "a result before its order", "AI reports a bleeding of somebody the RIS has not told us about.");
    struct kase k = prepare(d, (struct kase){.accession = "A300", .patient = "940001", .name = "ZZEARLY^Charlie", .birth = "19701010", .sex = "M",
                                             .code = "CTHERS", .text = "CT hersenen", .modality = "CT", .location = "SEH", .priority = "R"});
    bool ok = result(d, &k, &ICH, &BLEEDING);
    demo_check(d, ok && until(d, (struct wish){.what = STATUS, .accession = "A300", .text = "unmatched"}, 0), "it shows at once, as unmatched");
    demo_wait(d, 30);
    demo_say(d, "   The order comes after all.");
    ok = order(d, &k, "NW", "R", 0) && images(d, &k, 0, 2);
    demo_check(d, ok && until(d, (struct wish){.what = AI, .accession = "A300", .text = "ich-a positive"}, 0) &&
                      until(d, (struct wish){.what = STATUS, .accession = "A300", .text = "arrived"}, 0) &&
                      until(d, (struct wish){.what = PARKED_NONE}, 0),
               "order and result have found each other");
    long long alert = id_of(d, "A300", "alert");
    if (alert) act(d, d->reader, "alerts", alert, "acknowledge", "{\"how\":\"web\"}");
}

static void withdrawn(struct demo *d)
{
    scene(d, "a page that is withdrawn", "AI sees a tension pneumothorax; the radiologist looks and disagrees.");
    struct kase k = prepare(d, (struct kase){.accession = "A400", .patient = "950001", .name = "ZZFALSE^Delta", .birth = "19800303", .sex = "F",
                                             .code = "XTHORAX", .text = "X-thorax", .modality = "DX", .location = "SEH", .priority = "R"});
    bool ok = order(d, &k, "NW", "R", 0) && images(d, &k, 0, 2) && result(d, &k, &CHEST, &TENSION) &&
              until(d, (struct wish){.what = LEVEL, .accession = "A400", .text = "critical"}, 0);
    long long item = id_of(d, "A400", "id"), alert = id_of(d, "A400", "alert");
    ok = ok && alert && until(d, (struct wish){.what = PAGED, .text = "2001", .number = alert}, 5);
    demo_check(d, ok, "radiologist and emergency doctor are paged");
    size_t pages = demo_pages_count(d->peers, alert, "2001");
    demo_wait(d, 30);
    ok = act(d, d->reader, "items", item, "opened", "{}") == 200 &&
         act(d, d->reader, "items", item, "verdict", "{\"verdict\":\"disagree\",\"note\":\"skin fold\"}") == 200;
    demo_check(d, ok && until(d, (struct wish){.what = ALERT, .accession = "A400", .text = "withdrawn"}, 0), "the alert is withdrawn");
    for (int i = 0; i < 100 && demo_pages_count(d->peers, alert, "2001") <= pages; i++) usleep(100000);
    demo_check(d, demo_pages_count(d->peers, alert, "2001") == pages + 1, "whoever was paged is told so");
}

static struct kase normal_film(struct demo *d, const char *accession, const char *patient, const char *name, bool *ret_ok)
{
    struct kase k = prepare(d, (struct kase){.accession = accession, .patient = patient, .name = name, .birth = "19750707", .sex = "M",
                                             .code = "XTHORAX", .text = "X-thorax", .modality = "DX", .location = "SEH", .priority = "R"});
    *ret_ok = order(d, &k, "NW", "R", 0) && images(d, &k, 0, 2) && result(d, &k, &CHEST, &NO_PNEUMOTHORAX) && result(d, &k, &NORMAL, NULL) &&
              until(d, (struct wish){.what = IMAGES, .accession = accession, .text = "complete"}, 120) &&
              until(d, (struct wish){.what = DRAFT, .accession = accession, .number = 1}, 120);
    return k;
}

static void accepted(struct demo *d)
{
    char path[128], tag[32];
    bool ok;
    scene(d, "a normal chest film", "A chest film that every product calls normal: a report lies ready.");
    struct kase k = normal_film(d, "A500", "960001", "ZZNORMAL^Echo", &ok);
    long long item = id_of(d, "A500", "id");
    snprintf(path, sizeof path, "/api/v1/items/%lld/draft", item);
    json_t *draft = demo_get(d, d->reader, path);
    demo_check(d, ok && draft, "a draft is offered");
    snprintf(tag, sizeof tag, "\"%lld\"", (long long)json_integer_value(json_object_get(draft, "version")));
    json_decref(draft);
    act(d, d->reader, "items", item, "opened", "{}");
    demo_wait(d, 16);
    usleep(100000);
    snprintf(path, sizeof path, "/api/v1/items/%lld/draft/accept", item);
    demo_check(d, demo_call(d, "POST", d->clinician, path, "{}", tag, NULL) == 403, "an emergency doctor may not accept it");
    demo_check(d, demo_call(d, "POST", d->reader, path, "{}", NULL, NULL) == 428, "nor may anybody unread");
    long status = demo_call(d, "POST", d->reader, path, "{}", tag, NULL);
    demo_check(d, status == 200 && until(d, (struct wish){.what = REPORTED, .accession = "A500", .number = 1}, 30),
               "Smit accepts, and the RIS has the report");
    usleep(500000);
    demo_check(d, demo_ris_count(d->peers, "ORU", "FA500") == 1 && final_report(d, &k) &&
                      until(d, (struct wish){.what = STATUS, .accession = "A500", .text = "final"}, 5),
               "once; and when the RIS says so, it is final");
}

static void late_image(struct demo *d)
{
    bool ok;
    scene(d, "a late image", "Another normal film with a draft, and then a third image that no product has seen.");
    struct kase k = normal_film(d, "A600", "970001", "ZZLATE^Foxtrot", &ok);
    demo_check(d, ok, "a draft is offered");
    demo_check(d, images(d, &k, 2, 1) && until(d, (struct wish){.what = DRAFT, .accession = "A600"}, 5), "the draft is withdrawn");
}

static void cancelled(struct demo *d)
{
    scene(d, "a cancel with images", "An examination is cancelled in the RIS, but images were made.");
    struct kase k = prepare(d, (struct kase){.accession = "A700", .patient = "980001", .name = "ZZCANCEL^Golf", .birth = "19900909", .sex = "F",
                                             .code = "CTABD", .text = "CT abdomen", .modality = "CT", .location = "SEH", .priority = "R"});
    bool ok = order(d, &k, "NW", "R", 0) && images(d, &k, 0, 2) &&
              until(d, (struct wish){.what = STATUS, .accession = "A700", .text = "arrived"}, 0);
    usleep(20000); /* a later source time */
    demo_check(d, ok && order(d, &k, "CA", "R", 0) &&
                      until(d, (struct wish){.what = STATUS, .accession = "A700", .text = "cancelled_images_present"}, 5),
               "it stays in sight until a person confirms");
}

static void ris_down(struct demo *d)
{
    spd_usec before;
    scene(d, "a RIS that is down", "The RIS goes down, just as AI finds the next bleeding.");
    struct kase k = prepare(d, (struct kase){.accession = "A800", .patient = "990001", .name = "ZZDOWN^Hotel", .birth = "19520202", .sex = "M",
                                             .code = "CTHERS", .text = "CT hersenen", .modality = "CT", .location = "SEH", .priority = "R"});
    before = spd_clock_now();
    bool ok = order(d, &k, "NW", "R", 0) && images(d, &k, 0, 2);
    demo_ris_down(d->peers, true);
    ok = ok && result(d, &k, &ICH, &BLEEDING) && until(d, (struct wish){.what = LEVEL, .accession = "A800", .text = "critical"}, 0);
    long long alert = id_of(d, "A800", "alert");
    demo_check(d, ok && until(d, (struct wish){.what = PAGED, .text = "1001", .number = alert}, 5), "pages go out all the same");
    act(d, d->clinician, "alerts", alert, "acknowledge", "{\"how\":\"web\"}");
    demo_wait(d, 60);
    usleep(500000);
    demo_check(d, demo_ris_count(d->peers, "ORM", "FA800") == 0, "the priority waits in the outbox");
    demo_say(d, "   It is back, and flushes what it had: an old version of the order first.");
    demo_ris_down(d->peers, false);
    demo_check(d, order(d, &k, "XO", "R", before - SPD_MIN(30)) && until(d, (struct wish){.what = SENT, .accession = "A800", .number = 1}, 30 * 60) &&
                      until(d, (struct wish){.what = LEVEL, .accession = "A800", .text = "critical"}, 0),
               "the old message changes nothing, and ours arrives");
}

void demo_night(struct demo *d)
{
    struct kase k;
    quiet_evening(d);
    silent_model_begins(d);
    bleeding(d, &k);
    echoed_priority(d);
    rerun(d, &k);
    combined(d);
    before_its_order(d);
    withdrawn(d);
    accepted(d);
    late_image(d);
    cancelled(d);
    ris_down(d);
    silent_model_ends(d);
    d->scene = "the pager";
    demo_check(d, demo_pages_all_signed(d->peers), "every page carried the right signature");
}
