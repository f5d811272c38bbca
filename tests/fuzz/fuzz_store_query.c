/* What a browser may put in a search, and what may stand in a list column: the search answers or
 * refuses and never breaks out of its SQL; a list that can be read is written and read back the
 * same. The first byte says which. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/columns.h"
#include "store/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/spd-fuzz-XXXXXX";

static void clean(void)
{
    static const char *const tail[] = {"", "-wal", "-shm", ".writer"};
    char path[96];
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/f.db%s", folder, tail[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* One small database for the whole run. */
static struct spd_query *query(void)
{
    static struct spd_query *q;
    struct spd_store *s;
    struct spd_item it = {.id = 1,
                          .accession = {SPD_SV("ACC1"), SPD_SV("ZH")},
                          .patient = {.name = SPD_SV("ZZCANARY^Test")}};
    char url[96];
    if (q) return q;
    if (!mkdtemp(folder)) abort();
    snprintf(url, sizeof url, "sqlite:%s/f.db", folder);
    if (spd_store_open(url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL) ||
        spd_store_begin(s, NULL) || spd_put_item(s, &it, NULL, NULL) || spd_store_commit(s, NULL))
        abort();
    spd_store_close(s);
    if (spd_query_open(url, &q, NULL)) abort();
    atexit(clean);
    return q;
}

static void search(spd_sv text)
{
    struct spd_query *q = query();
    struct spd_query_items items = {.text = text};
    struct spd_query_messages messages = {.peer = text, .type = text, .answer = text};
    struct spd_query_page page = {0, 10, text.len % 2};
    int64_t ids[10];
    size_t n;
    enum spd_rc rc = spd_query_items(q, &items, page, ids, &n, NULL);
    if ((rc && rc != SPD_INVALID) || n > 1) abort();
    items = (struct spd_query_items){.modality = text, .location = text};
    if (spd_query_items(q, &items, page, ids, &n, NULL) || (text.len && n)) abort();
    if (spd_query_messages(q, &messages, page, ids, &n, NULL) || n) abort();
    rc = spd_query_alerts(q, text, page, ids, &n, NULL);
    if (rc && rc != SPD_INVALID) abort();
}

static void column(const struct spd_member *m, const struct spd_desc *d, spd_sv json,
                   struct spd_arena *arena)
{
    void *once = spd_arena_must(arena, d->size), *again = spd_arena_must(arena, d->size);
    struct spd_str out = SPD_STR_INIT((size_t)64 << 20);
    if (!spd_desc_member_from_json(m, json, once, arena, NULL)) {
        spd_desc_member_json(m, once, &out);
        if (spd_str_ok(&out) &&
            (spd_desc_member_from_json(m, spd_str_sv(&out), again, arena, NULL) ||
             !spd_desc_equal(d, once, again)))
            abort();
    }
    spd_str_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536) return 0;
    spd_sv rest = spd_sv_of((const char *)data + 1, size - 1);
    if (data[0] % 2) {
        search(rest);
        return 0;
    }
    struct spd_arena *arena = spd_arena_new((size_t)256 << 20);
    for (int t = 0; t < SPD_T_N; t++)
        for (const struct spd_member *m = spd_table_desc((enum spd_table)t)->members(); m->name;
             m++)
            if (m->kind == SPD_K_LIST || m->kind == SPD_K_LIST_TEXT || m->kind == SPD_K_LIST_I64)
                column(m, spd_table_desc((enum spd_table)t), rest, arena);
    spd_arena_free(arena);
    return 0;
}
