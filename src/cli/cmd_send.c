/* src/cli/cmd_send.c: `spoed send FILE… [--to mllp://HOST:PORT] [--wait SECONDS]`: sends HL7 v2
 * messages over MLLP, one after the other on one connection, and shows what was answered. Default:
 * to the first MLLP listener of the configuration, so to this machine's own brain.
 *
 * Files are as for `spoed hl7`: framed or not, many messages, a batch; - is standard input. A
 * message that is not answered with AA or CA, or not at all, makes the exit code 1; the others are
 * sent all the same. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "base/source.h"
#include "cli/api.h"
#include "hl7/v2/msg.h"
#include "net/mllp_client.h"

int cmd_send(const struct spd_cli *cli, int argc, char **argv);

enum { FILE_MAX = 256 << 20, ANSWER_MAX = 1 << 20, HOST_MAX = 256 };

struct sender {
    const struct spd_cli *cli;
    char host[HOST_MAX];
    int port;
    spd_usec wait;
    struct spd_mllp_client *client;
    struct spd_arena *arena; /* of one message */
    json_t *answers;         /* --json */
    int code;
};

/* mllp://host:port, [v6] in brackets. TLS is the channel's business, not a test's. */
static bool read_url(struct sender *s, spd_sv url)
{
    static const char scheme[] = "mllp://";
    int64_t port;
    size_t colon;
    if (!spd_sv_starts(url, SPD_SV("mllp://"))) return false;
    url = spd_sv_of(url.ptr + sizeof scheme - 1, url.len - (sizeof scheme - 1));
    for (colon = url.len; colon && url.ptr[colon - 1] != ':'; colon--)
        continue;
    if (!colon || !spd_sv_to_i64(spd_sv_of(url.ptr + colon, url.len - colon), &port) || port < 1 ||
        port > 65535)
        return false;
    url.len = colon - 1;
    if (url.len > 2 && url.ptr[0] == '[' && url.ptr[url.len - 1] == ']')
        url = spd_sv_of(url.ptr + 1, url.len - 2);
    if (!url.len || url.len >= HOST_MAX) return false;
    memcpy(s->host, url.ptr, url.len);
    s->host[url.len] = 0;
    s->port = (int)port;
    return true;
}

/* Where the brain of the configuration listens. */
static int own_listener(struct sender *s)
{
    struct spd_config *c = spd_api_config(s->cli);
    int code = SPD_EXIT_OK;
    if (!c) return SPD_EXIT_CONFIG;
    if (c->n_mllp && c->mllp[0].address.len < HOST_MAX) {
        memcpy(s->host, c->mllp[0].address.ptr, c->mllp[0].address.len);
        s->host[c->mllp[0].address.len] = 0;
        s->port = c->mllp[0].port;
    } else {
        fprintf(stderr, "spoed: the configuration has no listen.mllp; use --to mllp://HOST:PORT\n");
        code = SPD_EXIT_CONFIG;
    }
    spd_config_free(c);
    return code;
}

static spd_sv field(const struct hl7_msg *m, const char *segment, unsigned n)
{
    size_t at = hl7_seg_find(m, segment, 0);
    return at < m->n_segs ? hl7_get(m, &m->segs[at], n, 1, 1, 0).raw : SPD_SV_NONE;
}

struct said { /* about one message */
    const char *file;
    size_t number;
    spd_sv control_id, code, text;
    bool ok;
};

static void say(struct sender *s, const struct said *a)
{
    if (!a->ok) s->code = SPD_EXIT_FAILURE;
    if (s->cli->json) {
        json_array_append_new(
            s->answers, json_pack("{s:s, s:I, s:s%, s:s%, s:s%, s:b}", "file", a->file, "message",
                                  (json_int_t)a->number, "control_id",
                                  a->control_id.ptr ? a->control_id.ptr : "", a->control_id.len,
                                  "answer", a->code.ptr ? a->code.ptr : "", a->code.len, "text",
                                  a->text.ptr ? a->text.ptr : "", a->text.len, "ok", a->ok));
    } else if (!s->cli->quiet || !a->ok) {
        printf("%s: message %zu (%.*s): %.*s%s%.*s\n", a->file, a->number,
               SPD_SV_ARG(a->control_id), SPD_SV_ARG(a->code),
               a->code.len && a->text.len ? ": " : "", SPD_SV_ARG(a->text));
    }
}

static enum spd_rc exchange(struct sender *s, spd_sv message, spd_sv *ret, struct spd_err *err)
{
    enum spd_rc rc = SPD_OK;
    if (s->client && spd_mllp_stale(s->client)) spd_mllp_close(s->client), s->client = NULL;
    if (!s->client) rc = spd_mllp_connect(s->host, s->port, s->wait, &s->client, err);
    if (!rc) rc = spd_mllp_exchange(s->client, message, s->wait, ANSWER_MAX, ret, s->arena, err);
    if (rc) spd_mllp_close(s->client), s->client = NULL;
    return rc;
}

static void send_one(struct sender *s, const char *file, size_t number, spd_sv message)
{
    struct said a = {.file = file, .number = number};
    struct hl7_msg m, answer;
    struct spd_err err = {0};
    spd_sv bytes;
    enum spd_rc rc;
    spd_arena_reset(s->arena);
    if (hl7_msg_header(&m, message, NULL) == SPD_OK) a.control_id = field(&m, "MSH", 10);
    rc = exchange(s, message, &bytes, &err);
    if (!rc) rc = hl7_msg_parse(&answer, bytes, s->arena, &err);
    if (rc) {
        a.text = spd_sv_from(err.text);
    } else {
        a.code = field(&answer, "MSA", 1), a.text = field(&answer, "MSA", 3);
        a.ok = (spd_sv_is(a.code, "AA") || spd_sv_is(a.code, "CA")) &&
               spd_sv_eq(field(&answer, "MSA", 2), a.control_id);
        if (!a.ok && !a.text.len) a.text = SPD_SV("the answer is not to this message");
    }
    say(s, &a);
}

static void send_file(struct sender *s, const char *path)
{
    struct spd_arena *arena = spd_arena_new((size_t)FILE_MAX + 4096);
    struct spd_source source;
    struct spd_err err = {0};
    spd_sv message;
    size_t n = 0;
    if (!arena) spd_out_of_memory();
    if (spd_source_read(strcmp(path, "-") ? path : "/dev/stdin", FILE_MAX, &source, arena, &err)) {
        fprintf(stderr, "spoed: %s: %s\n", path, err.text);
        s->code = SPD_EXIT_FAILURE;
    } else {
        while (hl7_next_message(&source.text, &message))
            send_one(s, path, ++n, message);
        if (!n) fprintf(stderr, "spoed: %s: no message in it\n", path), s->code = SPD_EXIT_FAILURE;
    }
    spd_arena_free(arena);
}

static int usage(void)
{
    fprintf(stderr, "usage: spoed send FILE… [--to mllp://HOST:PORT] [--wait SECONDS]\n");
    return SPD_EXIT_USAGE;
}

int cmd_send(const struct spd_cli *cli, int argc, char **argv)
{
    struct sender s = {.cli = cli, .wait = SPD_SEC(10)};
    int64_t seconds;
    int files = 0;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--to") && i + 1 < argc) {
            if (!read_url(&s, spd_sv_from(argv[++i]))) return usage();
        } else if (!strcmp(argv[i], "--wait") && i + 1 < argc) {
            if (!spd_sv_to_i64(spd_sv_from(argv[++i]), &seconds) || seconds < 1 || seconds > 3600)
                return usage();
            s.wait = SPD_SEC(seconds);
        } else if (argv[i][0] == '-' && argv[i][1]) {
            return usage();
        } else {
            argv[++files] = argv[i];
        }
    }
    if (!files) return usage();
    if (!s.port && (s.code = own_listener(&s))) return s.code;
    s.arena = spd_arena_new((size_t)64 << 20);
    if (!s.arena) spd_out_of_memory();
    s.answers = json_array();
    for (int i = 1; i <= files; i++)
        send_file(&s, argv[i]);
    if (cli->json) spd_api_print(s.answers);
    json_decref(s.answers);
    spd_mllp_close(s.client);
    spd_arena_free(s.arena);
    return s.code;
}
