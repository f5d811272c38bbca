/* tests/unit/test_orthanc_labels.c: labels on studies follow the list. Debian's Orthanc has no labels yet, so the core here is
 * a small one of the test's own: studies with labels behind the REST calls that the plugin makes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugin/orthanc/plugin.h"

/* ---- Orthanc: four studies, "s1" … "s4" of UID 1.1 … 1.4 ------------------------------------ */
enum { STUDIES = 4, LABELS = 6 };
static char labels[STUDIES][LABELS][48];
static int writes;
static char brain_says[4096];
static int brain_status;

OrthancPluginContext *spd_orthanc;
struct spd_plugin_config spd_plugin;

static char *slot(int study, const char *label)
{
    for (int i = 0; i < LABELS; i++)
        if (!strcmp(labels[study][i], label)) return labels[study][i];
    return NULL;
}

static bool has(int study, const char *label)
{
    return slot(study - 1, label) != NULL;
}

static size_t count(int study)
{
    size_t n = 0;
    for (int i = 0; i < LABELS; i++)
        n += labels[study - 1][i][0] != 0;
    return n;
}

/* "/studies/s2/labels/x": the study's index; *label what stands behind. */
static int study_of(const char *uri, const char **label)
{
    int n = uri[10] - '1';
    assert_memory_equal(uri, "/studies/s", 10);
    assert_in_range(n, 0, STUDIES - 1);
    assert_memory_equal(uri + 11, "/labels", 7);
    *label = uri[18] == '/' ? uri + 19 : "";
    return n;
}

static OrthancPluginErrorCode answer(OrthancPluginMemoryBuffer *b, json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    json_decref(value);
    b->data = text, b->size = (uint32_t)strlen(text);
    return OrthancPluginErrorCode_Success;
}

static OrthancPluginErrorCode invoke(OrthancPluginContext *c, _OrthancPluginService service,
                                     const void *params)
{
    const char *label;
    (void)c;
    if (service == _OrthancPluginService_LookupStudy) {
        const _OrthancPluginRetrieveDynamicString *p = params;
        int n = p->argument[2] - '0';
        char id[3] = {'s', (char)('0' + n), 0};
        if (n > STUDIES) return OrthancPluginErrorCode_UnknownResource;
        *p->result = strdup(id);
        return OrthancPluginErrorCode_Success;
    }
    if (service == _OrthancPluginService_RestApiDelete) {
        int study = study_of(params, &label);
        char *s = slot(study, label);
        writes++;
        if (s) *s = 0;
        return OrthancPluginErrorCode_Success;
    }
    if (service == _OrthancPluginService_RestApiPut) {
        const _OrthancPluginRestApiPostPut *p = params;
        int study = study_of(p->uri, &label);
        writes++;
        if (!slot(study, label)) snprintf(slot(study, ""), 48, "%s", label);
        return answer(p->target, json_object());
    }
    assert_int_equal(service, _OrthancPluginService_RestApiPost);
    const _OrthancPluginRestApiPostPut *p = params;
    json_t *query = json_loadb(p->body, p->bodySize, 0, NULL), *found = json_array(), *wanted;
    size_t i;
    assert_string_equal(p->uri, "/tools/find");
    assert_string_equal(json_string_value(json_object_get(query, "LabelsConstraint")), "Any");
    for (int s = 0; s < STUDIES; s++) {
        bool any = false;
        json_array_foreach(json_object_get(query, "Labels"), i, wanted) any |=
            slot(s, json_string_value(wanted)) != NULL;
        if (any) json_array_append_new(found, json_pack("s", (char[]){'s', (char)('1' + s), 0}));
    }
    json_decref(query);
    return answer(p->target, found);
}

json_t *spd_rest(const char *uri)
{
    json_t *list = json_array();
    const char *label;
    int only = strcmp(uri, "/tools/labels") ? study_of(uri, &label) : -1;
    for (int s = 0; s < STUDIES; s++)
        for (int i = 0; i < LABELS; i++)
            if ((only < 0 || only == s) && labels[s][i][0])
                json_array_append_new(list, json_string(labels[s][i]));
    return list;
}

enum spd_rc spd_brain(const char *method, const char *path, const char *type, spd_sv body,
                      int64_t wait, int *ret_status, struct spd_str *out)
{
    (void)method, (void)path, (void)type, (void)body, (void)wait;
    if (!brain_status) return SPD_AGAIN;
    *ret_status = brain_status;
    spd_str_addz(out, brain_says);
    return SPD_OK;
}

/* One look at that list; what it changed. */
static int look(int status, const char *items)
{
    brain_status = status;
    snprintf(brain_says, sizeof brain_says, "{\"items\":[%s]}", items);
    writes = 0;
    spd_labels_look();
    return writes;
}

#define ITEM(uid, no, level, state)                                                                \
    "{\"level\":\"" level "\",\"level_no\":" no ",\"study_uids\":[\"" uid "\"],\"ai\":[{\"state\":\"" state "\"}]}"

static int setup(void **state)
{
    static OrthancPluginContext core;
    (void)state;
    core.InvokeService = invoke;
    core.Free = free;
    spd_orthanc = &core;
    memset(labels, 0, sizeof labels);
    spd_labels_stop();
    return 0;
}

static void a_study_bears_its_level_and_what_is_pending(void **state)
{
    (void)state;
    look(200, ITEM("1.1", "1", "kritiek", "positive") "," ITEM("1.2", "4", "routine", "pending") "," ITEM("1.9", "1", "kritiek", "pending"));
    assert_true(has(1, "spoed-1-kritiek") && count(1) == 1);
    assert_true(has(2, "spoed-4-routine") && has(2, "spoed-ai-pending") && count(2) == 2);
    assert_int_equal(count(3) + count(4), 0);
}

static void labels_follow_the_list(void **state)
{
    (void)state;
    look(200, ITEM("1.1", "3", "sneller", "pending") "," ITEM("1.2", "4", "routine", "negative"));
    snprintf(slot(1, ""), 48, "teaching");
    assert_int_equal(look(200, ITEM("1.1", "3", "sneller", "pending") "," ITEM("1.2", "4", "routine", "negative")), 0);
    look(200, ITEM("1.1", "1", "kritiek", "positive"));
    assert_true(has(1, "spoed-1-kritiek") && count(1) == 1);
    assert_true(has(2, "teaching") && count(2) == 1); /* read, and gone from the list */
}

static void of_two_items_of_a_study_the_first_counts(void **state)
{
    (void)state;
    look(200, ITEM("1.1", "2", "urgent", "negative") "," ITEM("1.1", "4", "routine", "negative"));
    assert_true(has(1, "spoed-2-urgent") && count(1) == 1);
}

static void what_an_earlier_process_left_is_taken_away(void **state)
{
    (void)state;
    snprintf(labels[2][0], 48, "spoed-1-kritiek");
    snprintf(labels[2][1], 48, "teaching");
    snprintf(labels[0][0], 48, "spoed-ai-pending");
    look(200, ITEM("1.1", "3", "sneller", "negative"));
    assert_true(has(3, "teaching") && count(3) == 1);
    assert_true(has(1, "spoed-3-sneller") && count(1) == 1);
}

static void without_an_answer_labels_stay(void **state)
{
    (void)state;
    look(200, ITEM("1.1", "1", "kritiek", "pending"));
    assert_int_equal(look(0, ""), 0);
    assert_int_equal(look(503, ""), 0);
    assert_true(has(1, "spoed-1-kritiek"));
}

static void odd_names_of_levels_become_labels(void **state)
{
    (void)state;
    look(200, ITEM("1.1", "1", "zeer spoed/!", "negative"));
    assert_true(has(1, "spoed-1-zeer_spoed__") && count(1) == 1);
}

static void nothing_is_asked_unless_it_is_configured(void **state)
{
    (void)state;
    brain_status = 200;
    snprintf(brain_says, sizeof brain_says, "{\"items\":[%s]}", ITEM("1.1", "1", "kritiek", "pending"));
    spd_plugin.labels = false;
    spd_labels();
    assert_int_equal(count(1), 0);
    spd_plugin.labels = true;
    spd_labels();
    assert_int_equal(count(1), 2);
    snprintf(brain_says, sizeof brain_says, "{\"items\":[]}");
    spd_labels(); /* not due yet */
    assert_int_equal(count(1), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_study_bears_its_level_and_what_is_pending, setup),
        cmocka_unit_test_setup(labels_follow_the_list, setup),
        cmocka_unit_test_setup(of_two_items_of_a_study_the_first_counts, setup),
        cmocka_unit_test_setup(what_an_earlier_process_left_is_taken_away, setup),
        cmocka_unit_test_setup(without_an_answer_labels_stay, setup),
        cmocka_unit_test_setup(odd_names_of_levels_become_labels, setup),
        cmocka_unit_test_setup(nothing_is_asked_unless_it_is_configured, setup)};
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    spd_labels_stop();
    return rc;
}
